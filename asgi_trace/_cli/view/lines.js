// The list of lines, in the colors of their sessions; lines may be folded, dimmed, hidden or
// marked.

import { counted, make, plain, show } from "./text.js";
import { LEVELS, NOBODY, NOT_READ } from "./data.js";
import { asideAt, chips, fieldsIn, fieldsOfHead, table } from "./aside.js";
import { bothInOrder, contextOf } from "./context.js";
import { VirtualList } from "./list.js";

const LINE_ROW = 21;
const MOST_SHOWN = 2000; // characters of a folded line
const ID_ROOM = 8; // characters
const TALLEST_UNFOLDED = 4000; // lines of one entry

/**
 * @typedef {object} Handlers
 * @property {(line: number) => void} chooseLine
 * @property {(byReader: boolean) => void} scrolled
 */

export class Lines {
  /** Whether only the lines of the chosen request or session are shown. */
  only = false;
  /** Whether lines are shown unchanged, instead of in columns. */
  raw = false;
  /** @type {RegExp[]} */
  patterns = [];

  /** @type {Int32Array | null} the lines shown, null for all */
  #shown = null;
  /** @type {Map<number, number>} unfolded lines, and how much higher than a row they are */
  #unfolded = new Map();
  #known = 0; // rows at the last arrangement

  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {import("./services.js").Services} services
   * @param {import("./ids.js").Ids} ids
   * @param {Handlers} handlers
   */
  constructor(element, trace, look, clock, services, ids, handlers) {
    this.element = element;
    this.trace = trace;
    this.look = look;
    this.clock = clock;
    this.services = services;
    this.ids = ids;
    this.handlers = handlers;
    this.list = new VirtualList(element, {
      rowHeight: () => LINE_ROW,
      count: () => this.count,
      render: (position, row) => this.#render(position, row),
      onScroll: () => handlers.scrolled(true),
      uneven: () => this.#taller(),
    });
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("click", (event) => this.#click(event));
    element.addEventListener("copy", (event) => this.#copy(event));
    new ResizeObserver(() => this.#measureAgain()).observe(element);
  }

  get count() {
    return this.#shown ? this.#shown.length : this.trace.count;
  }

  /** Whether some lines are hidden. */
  get isLimited() {
    return this.#shown !== null;
  }

  /** @param {number} position */
  lineAt(position) {
    return this.#shown ? this.#shown[position] : position;
  }

  /** The position of the line, or of the next one. @param {number} line */
  positionOf(line) {
    if (!this.#shown) return line;
    let low = 0;
    let high = this.#shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#shown[middle] < line) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {number} line */
  #isOfChoice(line) {
    const { request, session } = this.look;
    const r = this.trace.request[line];
    if (request < 0 && session < 0) return true;
    if (r < 0) return false;
    const { callers, requests } = this.trace;
    // The lines of a request include those of the requests that it called.
    if (request >= 0) return callers.isBelow(r, request);
    return requests.session[r] === session || requests.session[callers.root[r]] === session;
  }

  /** Collect the lines to show after a change of the selection; the line on top keeps its place. */
  rearrange() {
    const [top, above] = this.list.onTop;
    const keep = this.#known > 0 ? this.lineAt(Math.min(top, this.#known - 1)) : 0;
    const hits = this.look.filter?.lines ?? null;
    this.#shown = this.only && this.look.hasChoice ? this.#linesOfChoice(hits) : hits;
    const { line, around } = this.look;
    if (this.#shown && line >= 0 && around > 0)
      this.#shown = bothInOrder(this.#shown, contextOf(this.trace, line, around));
    const active = this.look.line >= 0 ? this.positionOf(this.look.line) : this.list.active;
    this.list.active = this.#within(active);
    this.element.setAttribute("aria-rowcount", String(this.count));
    this.#known = this.count;
    this.list.refresh();
    this.list.putOnTop(top === 0 ? 0 : this.#within(this.positionOf(keep)), above);
    this.list.markActive();
  }

  /** The nearest position that has a row. @param {number} position */
  #within(position) {
    return Math.max(0, Math.min(position, this.count - 1));
  }

  /**
   * The lines of the chosen request or session, among the *hits* of a search where there is one.
   * @param {Int32Array | null} hits
   */
  #linesOfChoice(hits) {
    if (hits) return hits.filter((line) => this.#isOfChoice(line));
    const { request } = this.look;
    const { trace } = this;
    const lines = [];
    if (request >= 0) {
      for (const { request: r } of trace.callers.below(request)) {
        for (let line = trace.firstLine[r]; line >= 0; line = trace.next[line]) lines.push(line);
      }
      lines.sort((one, other) => one - other);
    } else {
      for (let line = 0; line < trace.count; line++) {
        if (this.#isOfChoice(line)) lines.push(line);
      }
    }
    return Int32Array.from(lines);
  }

  refresh() {
    this.list.refresh();
  }

  /** @param {number} line @param {"nearest" | "center" | "end"} [where] */
  reveal(line, where = "nearest") {
    if (this.count === 0) return;
    this.list.active = Math.min(this.positionOf(line), this.count - 1);
    this.list.reveal(this.list.active, where);
    this.refresh();
  }

  /** The times of the lines in sight. @returns {[number, number] | null} */
  get reading() {
    if (this.count === 0) return null;
    const [first, end] = this.list.shown;
    const lines = [this.lineAt(first), this.lineAt(Math.max(first, end - 1))];
    if (lines.some((line) => this.trace.request[line] === NOT_READ)) return null;
    return [this.trace.time[lines[0]], this.trace.time[lines[1]]];
  }

  // -- folding -----------------------------------------------------------------------------------

  #taller() {
    /** @type {[number, number][]} */
    const tall = [];
    for (const [line, more] of this.#unfolded) {
      const position = this.positionOf(line);
      if (position < this.count && this.lineAt(position) === line) tall.push([position, more]);
    }
    return tall.sort((one, other) => one[0] - other[0]);
  }

  /** @param {number} line */
  toggle(line) {
    if (this.#unfolded.has(line)) this.#unfolded.delete(line);
    else this.#unfolded.set(line, this.#measure(line));
    this.refresh();
  }

  // The height of an unfolded line depends on its text: it is laid out once, out of sight.
  /** @param {number} line */
  #measure(line) {
    const row = make("div");
    row.style.visibility = "hidden";
    this.#fill(line, row, true);
    this.list.window.append(row);
    const height = row.offsetHeight;
    row.remove();
    return Math.max(0, height - LINE_ROW);
  }

  #measureAgain() {
    if (this.#unfolded.size === 0) return;
    for (const line of this.#unfolded.keys()) this.#unfolded.set(line, this.#measure(line));
    this.refresh();
  }

  // -- rows --------------------------------------------------------------------------------------

  /** @param {number} position @param {HTMLElement} row */
  #render(position, row) {
    const line = this.lineAt(position);
    this.#fill(line, row, this.#unfolded.has(line));
    row.id = `line-row-${position}`;
    row.dataset.position = String(position);
    row.setAttribute("aria-rowindex", String(position + 1));
    row.setAttribute("aria-selected", String(line === this.look.line));
    row.classList.toggle("active", position === this.list.active);
  }

  /** @param {number} line @param {HTMLElement} row @param {boolean} isOpen */
  #fill(line, row, isOpen) {
    const { trace } = this;
    const text = trace.text(line);
    row.setAttribute("role", "row");
    if (text === null) {
      row.className = "line unread";
      row.append(cell("message", "…"));
      return;
    }
    const r = trace.request[line];
    const s = r >= 0 ? trace.requests.session[r] : NOBODY;
    const level = trace.level[line];
    const { found } = this.look;
    const isDimmed =
      (found && !found.isHit[line]) || (this.look.hasChoice && !this.#isOfChoice(line));
    row.className = `line level-${LEVELS[level]}`;
    if (s >= 0) row.classList.add(`s${s % 8}`);
    else row.classList.add(r >= 0 ? "nobody" : "unknown");
    row.classList.toggle("dimmed", Boolean(isDimmed));
    row.classList.toggle("of-request", r >= 0 && r === this.look.request);
    row.classList.toggle("open", isOpen);
    const end = text.indexOf("\n");
    const message = cell("message");
    if (this.raw) {
      row.append(message);
      const first = text.slice(0, end < 0 ? MOST_SHOWN : Math.min(end, MOST_SHOWN));
      this.#body(message, isOpen ? shortened(text) : first);
    } else {
      row.append(cell("time", trace.timeText(trace.time[line], this.clock)));
      row.append(cell("level", LEVELS[level] === "none" ? "" : LEVELS[level]));
      if (trace.services.length > 0) row.append(this.#serviceOf(line));
      row.append(this.#who(r, s), message);
      if (trace.isLate[line]) message.append(make("span", "late", "late"));
      this.#fillMessage(message, text, trace.messageAt(line), isOpen);
    }
    if (end >= 0) this.#addFold(message, text, isOpen);
  }

  /** The service that wrote a line, else that of its request. @param {number} line */
  #serviceOf(line) {
    const { trace } = this;
    const element = cell("from");
    const service = trace.lineService(line);
    if (service >= 0) element.append(this.services.label(service));
    element.style.width = `${this.services.width + 3}ch`;
    return element;
  }

  /** The session's letter, and the id of the request. @param {number} r @param {number} s */
  #who(r, s) {
    const { trace } = this;
    const who = cell("who");
    const chip = make("span", "chip", r >= 0 ? trace.label(s) : "·");
    chip.title =
      r < 0 ? "no request" : s < 0 ? "no session" : `session ${plain(trace.sessions[s])}`;
    who.append(chip, r >= 0 ? this.ids.request(r, ID_ROOM) : make("span", "id"));
    return who;
  }

  /** The message, which begins at *start*; its fields as chips, or as a table. @param {HTMLElement} cell @param {string} whole @param {number} start @param {boolean} isOpen */
  #fillMessage(cell, whole, start, isOpen) {
    const text = whole.slice(start);
    const end = text.indexOf("\n");
    const first = end < 0 ? text : text.slice(0, end);
    const at = asideAt(first);
    const fields = [
      ...fieldsOfHead(whole.slice(0, Math.min(start, MOST_SHOWN))),
      ...fieldsIn(first.slice(at, at + MOST_SHOWN)),
    ];
    if (isOpen) {
      this.#body(cell, shortened(first.slice(0, at) + (end < 0 ? "" : text.slice(end))));
      if (fields.length > 0) cell.append(table(fields, this.patterns));
      return;
    }
    this.#body(cell, first.slice(0, Math.min(at, MOST_SHOWN)));
    if (fields.length > 0) cell.append(chips(fields, this.patterns));
  }

  /** @param {HTMLElement} cell @param {string} text */
  #body(cell, text) {
    const body = make("span", "text");
    cell.append(body);
    show(body, text, this.patterns);
  }

  /** Unfolds an entry of several lines. @param {HTMLElement} message @param {string} text @param {boolean} isOpen */
  #addFold(message, text, isOpen) {
    const more = countLines(text) - 1;
    const fold = /** @type {HTMLButtonElement} */ (
      make("button", "fold", isOpen ? "fold" : `+${counted(more, "line")}`)
    );
    fold.type = "button";
    fold.tabIndex = -1;
    fold.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) message.prepend(fold);
    else message.append(fold, make("span", "last", plain(lastLine(text)).slice(0, 300)));
  }

  // -- keys and clicks ---------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  #click(event) {
    const target = /** @type {Element} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest(".line"));
    if (!row || !row.dataset.position) return;
    // A click that ends a selection of text is for copying.
    if (!getSelection()?.isCollapsed) return;
    this.list.active = Number(row.dataset.position);
    const line = this.lineAt(this.list.active);
    if (target.closest(".fold, .fields")) this.toggle(line);
    else this.handlers.chooseLine(line);
  }

  /**
   * Copy selected lines as they stood: of their cells, a browser makes a line each.
   * @param {ClipboardEvent} event
   */
  #copy(event) {
    const selected = getSelection();
    const cells = [...this.element.querySelectorAll("[role=gridcell]")].filter((cell) =>
      selected?.containsNode(cell, true),
    );
    if (cells.length < 2) return;
    const rows = new Set(cells.map((cell) => cell.closest(".line")));
    const lines = [...rows].map((row) => this.lineAt(Number(row?.getAttribute("data-position"))));
    event.clipboardData?.setData(
      "text/plain",
      lines.map((line) => this.trace.text(line)).join("\n"),
    );
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.count === 0) return;
    const line = this.lineAt(this.list.active);
    if (this.list.move(event.key)) this.handlers.scrolled(true);
    else if (event.key === "Enter") this.handlers.chooseLine(line);
    else if (event.key === " ") this.toggle(line);
    else if (event.key === "ArrowRight" && !this.#unfolded.has(line)) this.toggle(line);
    else if (event.key === "ArrowLeft" && this.#unfolded.has(line)) this.toggle(line);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {string} name @param {string} [text] */
function cell(name, text) {
  const element = make("span", name, text);
  element.setAttribute("role", "gridcell");
  return element;
}

/** @param {string} text */
function countLines(text) {
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

/** @param {string} text */
function lastLine(text) {
  const end = text.trimEnd();
  return end.slice(end.lastIndexOf("\n") + 1).trim();
}

/** @param {string} text */
function shortened(text) {
  const lines = text.split("\n", TALLEST_UNFOLDED + 1);
  if (lines.length <= TALLEST_UNFOLDED) return text;
  return `${lines.slice(0, TALLEST_UNFOLDED).join("\n")}\n… and more`;
}
