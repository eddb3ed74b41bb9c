// The list of sessions and their requests, as a tree.

import { counted, duration, make, plain, show } from "./text.js";
import { ERROR, NOBODY, WARNING } from "./data.js";
import { VirtualList } from "./list.js";
import { sessionOrder } from "./order.js";

const REQUEST_ROW = 40;

/**
 * @typedef {object} Handlers
 * @property {(r: number) => void} chooseRequest
 * @property {(s: number) => void} chooseSession
 */

export class RequestTree {
  /** @type {number[]} a request's number; -2 - s for session s; -1 for those without a session */
  #rows = [];
  /** @type {Map<number, number[]>} the requests shown of each session */
  #bySession = new Map();
  /** @type {Set<number>} */
  #folded = new Set();
  /** The position of each request, -1 where it is not shown. */
  #place = new Int32Array(0);

  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {Handlers} handlers
   */
  constructor(element, trace, look, clock, handlers) {
    this.trace = trace;
    this.look = look;
    this.clock = clock;
    this.handlers = handlers;
    this.list = new VirtualList(element, {
      rowHeight: () => REQUEST_ROW,
      count: () => this.#rows.length,
      render: (position, row) => this.#render(position, row),
    });
    this.rearrange();
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      const row = /** @type {HTMLElement | null} */ (target.closest("[role=treeitem]"));
      if (!row) return;
      this.list.active = Number(row.dataset.position);
      if (target.closest(".fold")) this.#fold(!this.#isFolded(this.list.active));
      else this.#choose();
    });
  }

  /** Collect the rows anew: requests were added, or the search hides others. */
  rearrange() {
    const { session } = this.trace.requests;
    const hit = this.look.filter?.requestHit;
    /** @type {Map<number, number[]>} */
    const bySession = new Map();
    for (let r = 0; r < this.trace.size; r++) {
      if (hit && !hit[r]) continue;
      const known = bySession.get(session[r]);
      if (known) known.push(r);
      else bySession.set(session[r], [r]);
    }
    this.#bySession = bySession;
    this.#rows = [];
    this.#place = new Int32Array(this.trace.size).fill(-1);
    const order = [...bySession.keys()].sort(sessionOrder(this.trace));
    for (const s of order) {
      this.#rows.push(s < 0 ? -1 : -2 - s);
      if (this.#folded.has(s)) continue;
      for (const r of /** @type {number[]} */ (bySession.get(s))) {
        this.#place[r] = this.#rows.length;
        this.#rows.push(r);
      }
    }
    this.list.active = Math.min(this.list.active, Math.max(0, this.#rows.length - 1));
    this.refresh();
  }

  refresh() {
    this.list.refresh();
  }

  get isEmpty() {
    return this.#rows.length === 0;
  }

  /** @param {number} r */
  reveal(r) {
    const s = this.trace.requests.session[r];
    if (this.#folded.has(s)) {
      this.#folded.delete(s);
      this.rearrange();
    }
    const position = this.#place[r] ?? -1;
    if (position < 0) return;
    this.list.active = position;
    this.list.reveal(position);
    this.list.markActive();
  }

  /** @param {number} position */
  #sessionAt(position) {
    const row = this.#rows[position];
    if (row >= 0) return this.trace.requests.session[row];
    return row === -1 ? NOBODY : -2 - row;
  }

  /** @param {number} position */
  #isFolded(position) {
    return this.#folded.has(this.#sessionAt(position));
  }

  /** @param {boolean} isFolded */
  #fold(isFolded) {
    const s = this.#sessionAt(this.list.active);
    if (isFolded) this.#folded.add(s);
    else this.#folded.delete(s);
    this.rearrange();
  }

  #choose() {
    const row = this.#rows[this.list.active];
    if (row === undefined) return;
    if (row >= 0) this.handlers.chooseRequest(row);
    else if (row === -1) this.#fold(!this.#isFolded(this.list.active));
    else this.handlers.chooseSession(-2 - row);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isHandled = this.list.move(event.key) || this.#act(event.key);
    if (!isHandled) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Choose or fold the active row. False if the key does neither. @param {string} key */
  #act(key) {
    const isSession = this.#rows[this.list.active] < 0;
    if (key === "Enter" || key === " ") this.#choose();
    else if (key === "ArrowLeft" && isSession) this.#fold(true);
    else if (key === "ArrowRight" && isSession) this.#fold(false);
    else if (key === "ArrowLeft") this.#goToSession();
    else return false;
    return true;
  }

  #goToSession() {
    while (this.list.active > 0 && this.#rows[this.list.active] >= 0) this.list.active--;
    this.list.reveal(this.list.active);
    this.refresh();
  }

  /** @param {number} position @param {HTMLElement} row */
  #render(position, row) {
    const value = this.#rows[position];
    const s = this.#sessionAt(position);
    row.className = `${value < 0 ? "session" : "request"} ${s < 0 ? "nobody" : `s${s % 8}`}`;
    row.id = `request-row-${position}`;
    row.dataset.position = String(position);
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", value < 0 ? "1" : "2");
    if (position === this.list.active) row.classList.add("active");
    if (value < 0) this.#renderSession(s, row);
    else this.#renderRequest(value, row);
  }

  /** @param {number} s @param {HTMLElement} row */
  #renderSession(s, row) {
    const requests = this.#bySession.get(s) ?? [];
    const isChosen = s >= 0 && s === this.look.session && this.look.request < 0;
    row.setAttribute("aria-expanded", String(!this.#folded.has(s)));
    row.setAttribute("aria-selected", String(isChosen));
    row.removeAttribute("aria-setsize");
    const fold = make("span", "fold", this.#folded.has(s) ? "▸" : "▾");
    fold.setAttribute("aria-hidden", "true");
    const name = make("span", "id");
    if (s < 0) name.textContent = "no session";
    else show(name, this.trace.sessions[s]);
    const errors = requests.reduce((sum, r) => sum + (this.trace.isError(r) ? 1 : 0), 0);
    row.append(
      fold,
      make("span", "chip", this.trace.label(s)),
      name,
      make("span", "detail", counted(requests.length, "request")),
    );
    if (errors) row.append(make("span", "badge", counted(errors, "error")));
  }

  /** @param {number} r @param {HTMLElement} row */
  #renderRequest(r, row) {
    const { trace } = this;
    const { status, method, path, id, call, outcome, start, level } = trace.requests;
    const isError = trace.isError(r);
    row.removeAttribute("aria-expanded");
    row.setAttribute("aria-selected", String(r === this.look.request));
    row.classList.toggle("error", isError);
    row.classList.toggle("dimmed", Boolean(this.look.found && !this.look.found.requestHit[r]));
    const title = make("div", "title");
    if (method[r]) title.append(make("span", "method", plain(method[r])), " ");
    const target = make("span", "path");
    show(target, path[r] ?? (method[r] ? "" : id[r]));
    title.append(target);
    const code = status[r];
    const mark = make("span", "status", plain(code ?? (outcome[r] || "…")));
    if (isError) mark.classList.add("bad");
    else if (code !== null && code >= 400) mark.classList.add("warned");
    if (!isError && level[r] === WARNING) {
      mark.classList.add("alert");
      mark.title = "with a warning";
    }
    const detail = make("div", "detail");
    detail.append(
      make("span", "time", this.clock.time(trace.epoch(start[r]), trace.digits)),
      " ",
      make("span", "duration", duration(trace.duration(r))),
    );
    if (call[r]) {
      const called = make("span", "call");
      show(called, call[r]);
      detail.append(" ", called);
    } else if (path[r] || method[r]) {
      const known = make("span", "id");
      show(known, id[r]);
      detail.append(" ", known);
    }
    const text = make("div", "what");
    text.append(title, detail);
    row.append(text, mark);
    if (level[r] >= ERROR || isError) row.append(make("span", "unseen", ", error"));
  }
}
