// The list of sessions and their requests, as a tree: below a request, those that it called.

import { counted, make, plain, show } from "./text.js";
import { ERROR, NOBODY, WARNING } from "./data.js";
import { VirtualList } from "./list.js";
import { sessionOrder } from "./order.js";

const REQUEST_ROW = 40;
const CALLEE_ROW = 25;
const DEEPEST_ROW = 5; // levels that are indented
// With more requests than this, those below others are shown only if the reader unfolds them.
const FEW_REQUESTS = 200;

/**
 * @typedef {object} Handlers
 * @property {(r: number) => void} chooseRequest
 * @property {(s: number) => void} chooseSession
 */

export class RequestTree {
  /** @type {number[]} a request's number; -2 - s for session s; -1 for those without a session */
  #rows = [];
  /** @type {number[]} how many callers are above each row's request */
  #depths = [];
  /** @type {Map<number, number[]>} the first requests shown of each session */
  #bySession = new Map();
  /** @type {Set<number>} */
  #folded = new Set();
  /** @type {Map<number, boolean>} requests that the reader has unfolded, or folded */
  #unfolded = new Map();
  /** The position of each request, -1 where it is not shown. */
  #place = new Int32Array(0);

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
    this.trace = trace;
    this.services = services;
    this.ids = ids;
    this.look = look;
    this.clock = clock;
    this.handlers = handlers;
    this.list = new VirtualList(element, {
      rowHeight: () => REQUEST_ROW,
      uneven: () => this.#lower(),
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
      const isFold = target.closest(".fold") !== null && this.#canFold(this.list.active);
      if (isFold) this.#fold(!this.#isFolded(this.list.active));
      else this.#choose();
    });
  }

  /** Collect the rows anew: requests were added, or the search hides others. */
  rearrange() {
    const { session } = this.trace.requests;
    const { caller, root } = this.trace.callers;
    const shown = this.#withCallers();
    /** @type {Map<number, number[]>} */
    const bySession = new Map();
    for (let r = 0; r < this.trace.size; r++) {
      if (caller[r] >= 0 || (shown && !shown[r])) continue;
      const known = bySession.get(session[r]);
      if (known) known.push(r);
      else bySession.set(session[r], [r]);
    }
    this.#bySession = bySession;
    this.#rows = [];
    this.#depths = [];
    this.#place = new Int32Array(this.trace.size).fill(-1);
    const order = [...bySession.keys()].sort(sessionOrder(this.trace));
    for (const s of order) {
      this.#add(s < 0 ? -1 : -2 - s, 0);
      if (this.#folded.has(s)) continue;
      for (const r of /** @type {number[]} */ (bySession.get(s))) this.#addTrace(root[r], shown);
    }
    this.list.active = Math.min(this.list.active, Math.max(0, this.#rows.length - 1));
    this.refresh();
  }

  /** The requests that the search shows, with all their callers; null where it shows all. */
  #withCallers() {
    const hit = this.look.filter?.requestHit;
    if (!hit) return null;
    const { caller, hasAny } = this.trace.callers;
    if (!hasAny) return hit;
    const shown = hit.slice();
    for (let r = 0; r < hit.length; r++) {
      if (!hit[r]) continue;
      for (let at = caller[r]; at >= 0 && !shown[at]; at = caller[at]) shown[at] = 1;
    }
    return shown;
  }

  /** The rows of callees are lower than the others. @returns {[number, number][]} */
  #lower() {
    const { caller, hasAny } = this.trace.callers;
    /** @type {[number, number][]} */
    const low = [];
    if (!hasAny) return low;
    this.#rows.forEach((row, position) => {
      if (row >= 0 && caller[row] >= 0) low.push([position, CALLEE_ROW - REQUEST_ROW]);
    });
    return low;
  }

  /** @param {number} row @param {number} depth */
  #add(row, depth) {
    if (row >= 0) this.#place[row] = this.#rows.length;
    this.#rows.push(row);
    this.#depths.push(depth);
  }

  /** A first request, and what is unfolded below it. @param {number} root @param {Uint8Array | null} shown */
  #addTrace(root, shown) {
    const { callers } = this.trace;
    const todo = [{ r: root, depth: 0 }];
    for (let each = todo.pop(); each; each = todo.pop()) {
      const { r, depth } = each;
      this.#add(r, depth);
      if (!this.#isUnfolded(r)) continue;
      const callees = callers.callees(r);
      for (let i = callees.length - 1; i >= 0; i--) {
        if (!shown || shown[callees[i]]) todo.push({ r: callees[i], depth: depth + 1 });
      }
    }
  }

  /** @param {number} r */
  #isUnfolded(r) {
    return this.#unfolded.get(r) ?? this.trace.size <= FEW_REQUESTS;
  }

  refresh() {
    this.list.refresh();
  }

  get isEmpty() {
    return this.#rows.length === 0;
  }

  /** @param {number} r */
  reveal(r) {
    const { callers, requests } = this.trace;
    const root = callers.root[r];
    let isChanged = this.#folded.delete(requests.session[root]);
    for (let at = r; at >= 0; at = callers.caller[at]) {
      // The chosen one is unfolded too, so that its whole trace is visible.
      if (this.#isUnfolded(at) || callers.callees(at).length === 0) continue;
      this.#unfolded.set(at, true);
      isChanged = true;
    }
    if (isChanged) this.rearrange();
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

  /** Whether there is anything below a row. @param {number} position */
  #canFold(position) {
    const row = this.#rows[position];
    return row < 0 || this.trace.callers.callees(row).length > 0;
  }

  /** @param {number} position */
  #isFolded(position) {
    const row = this.#rows[position];
    return row < 0 ? this.#folded.has(this.#sessionAt(position)) : !this.#isUnfolded(row);
  }

  /** @param {boolean} isFolded */
  #fold(isFolded) {
    const row = this.#rows[this.list.active];
    const s = this.#sessionAt(this.list.active);
    if (row >= 0) this.#unfolded.set(row, !isFolded);
    else if (isFolded) this.#folded.add(s);
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
    const { active } = this.list;
    const canFold = this.#canFold(active);
    const isFolded = this.#isFolded(active);
    if (key === "Enter" || key === " ") this.#choose();
    else if (key === "ArrowRight" && canFold && isFolded) this.#fold(false);
    else if (key === "ArrowRight" && canFold) this.list.move("ArrowDown");
    else if (key === "ArrowLeft" && canFold && !isFolded) this.#fold(true);
    else if (key === "ArrowLeft") this.#goUp();
    else return key === "ArrowRight";
    return true;
  }

  /** Go to the caller of the active row, or to its session. */
  #goUp() {
    const depth = this.#depths[this.list.active];
    const isAbove = (/** @type {number} */ at) => this.#rows[at] < 0 || this.#depths[at] < depth;
    let at = this.list.active;
    if (this.#rows[at] < 0) return;
    do at--;
    while (at > 0 && !isAbove(at));
    this.list.active = at;
    this.list.reveal(at);
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
    const depth = this.#depths[position];
    row.setAttribute("aria-level", String(value < 0 ? 1 : 2 + depth));
    row.style.setProperty("--depth", String(Math.min(depth, DEEPEST_ROW)));
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
    row.removeAttribute("aria-label");
    const fold = make("span", "fold", this.#folded.has(s) ? "▸" : "▾");
    fold.setAttribute("aria-hidden", "true");
    const name = s < 0 ? make("span", "id", "no session") : this.ids.session(s);
    const errors = requests.reduce((sum, r) => sum + this.#errorsOf(r), 0);
    row.append(
      fold,
      make("span", "chip", this.trace.label(s)),
      name,
      make("span", "detail", counted(requests.length, "request")),
    );
    if (errors) row.append(make("span", "badge", counted(errors, "error")));
  }

  /** How many requests of a trace have errors. @param {number} root */
  #errorsOf(root) {
    const { trace } = this;
    if (!trace.callers.hasHops(root)) return trace.isError(root) ? 1 : 0;
    return trace.callers.below(root).filter(({ request }) => trace.isError(request)).length;
  }

  /** @param {number} r @param {HTMLElement} row */
  #renderRequest(r, row) {
    const { trace } = this;
    const { service } = trace.requests;
    const callees = trace.callers.callees(r);
    const isCallee = trace.callers.caller[r] >= 0;
    const isUnfolded = this.#isUnfolded(r);
    if (callees.length > 0) row.setAttribute("aria-expanded", String(isUnfolded));
    else row.removeAttribute("aria-expanded");
    row.setAttribute("aria-selected", String(r === this.look.request));
    row.setAttribute("aria-label", this.#spoken(r));
    row.classList.toggle("failed", trace.isFailure(r));
    row.classList.toggle("error", trace.isError(r));
    row.classList.toggle("dimmed", Boolean(this.look.found && !this.look.found.requestHit[r]));
    row.classList.toggle("callee", isCallee);
    const fold = make("span", "fold", callees.length === 0 ? "" : isUnfolded ? "▾" : "▸");
    fold.setAttribute("aria-hidden", "true");
    const text = make("div", "what");
    const detail = isCallee ? this.#calleeDetail(r) : this.#detail(r);
    if (callees.length > 0 && !isUnfolded) detail.append(" ", this.#servicesBelow(r));
    text.append(this.#title(r), detail);
    if (trace.callers.hasAny) row.append(fold);
    if (trace.services.length > 0) row.append(this.services.sign(service[r]));
    row.append(text, this.#status(r));
  }

  /** The text for screen readers. @param {number} r */
  #spoken(r) {
    const { trace } = this;
    const { call, status } = trace.requests;
    const parts = [
      `${trace.target(r)} ${status[r] ?? "without status"}`,
      call[r] ? plain(call[r]) : "",
      trace.serviceOf(r),
      trace.took(r),
    ];
    if (trace.isFailure(r)) parts.push(`failed: ${trace.result(r)}`);
    else if (trace.isError(r)) parts.push("with an error");
    return parts.filter(Boolean).join(", ");
  }

  /** @param {number} r */
  #title(r) {
    const { method, path, id, call } = this.trace.requests;
    const title = make("div", "title");
    const service = this.trace.serviceOf(r);
    const isCallee = this.trace.callers.caller[r] >= 0;
    if (isCallee && service) title.append(make("span", "service-name", service), " ");
    const target = make("span", "path");
    if (call[r]) show(target, this.trace.title(r));
    else {
      if (method[r]) title.append(make("span", "method", plain(method[r])), " ");
      show(target, path[r] ?? (method[r] ? "" : id[r]));
    }
    title.append(target);
    return title;
  }

  /** Service, time, duration, and other facts that identify it. @param {number} r */
  #detail(r) {
    const { trace } = this;
    const { path, method, call, start } = trace.requests;
    const detail = make("div", "detail");
    const service = trace.serviceOf(r);
    if (service) detail.append(make("span", "service-name", service), " ");
    detail.append(
      make("span", "time", trace.timeText(start[r], this.clock)),
      " ",
      make("span", "duration", trace.took(r)),
    );
    if (call[r]) {
      detail.append(" ", make("span", "call", trace.carrier(r)));
    } else if (!service && (path[r] || method[r])) {
      detail.append(" ", this.ids.request(r));
    }
    return detail;
  }

  /** Only the duration: all other facts are those of its caller. @param {number} r */
  #calleeDetail(r) {
    const detail = make("div", "detail");
    detail.append(make("span", "duration", this.trace.took(r)));
    return detail;
  }

  /** Signs of the services that a folded request went through. @param {number} r */
  #servicesBelow(r) {
    const { trace } = this;
    const signs = make("span", "through");
    /** @type {Map<number, boolean>} */
    const through = new Map();
    for (const { request } of trace.callers.below(r).slice(1)) {
      const service = trace.requests.service[request];
      through.set(service, (through.get(service) ?? false) || trace.isFailure(request));
    }
    for (const [service, isFailed] of through) {
      const sign = this.services.sign(service);
      if (isFailed) sign.classList.add("failed");
      signs.append(sign);
    }
    return signs;
  }

  /** The status: red where it failed; else neutral, with a mark where there was an error. @param {number} r */
  #status(r) {
    const { trace } = this;
    const { status, level } = trace.requests;
    const code = status[r];
    const isFailure = trace.isFailure(r);
    const mark = make("span", "status", trace.result(r) || "…");
    if (isFailure) mark.classList.add("bad");
    else if (level[r] >= ERROR) {
      mark.classList.add("erred");
      mark.title = "with an error";
    } else if (level[r] === WARNING) {
      mark.classList.add("alert");
      mark.title = "with a warning";
    }
    if (!isFailure && (code ?? 0) >= 400) mark.classList.add("warned");
    return mark;
  }
}
