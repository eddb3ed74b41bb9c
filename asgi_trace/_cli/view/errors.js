// The panel of errors, in groups. Lines that are errors are grouped by their message without
// numbers and ids; requests that failed without such a line, by method, path and status.

import { count, counted, cut, duration, make, plain } from "./text.js";
import { ERROR } from "./data.js";
import { kindOfRequest } from "./routes.js";

// At most this number of errors needs no groups.
export const HANDFUL = 5;
const MOST_GROUPS = 100;
const LONGEST_GROUP_TITLE = 300; // characters
const NAMED = 2; // services or paths that are named, before the number of the others
// The size of a sparkline.
const SPARKS = 60;
const SPARK_HEIGHT = 16;
const SVG = "http://www.w3.org/2000/svg";

/**
 * Errors of one kind.
 * @typedef {object} Group
 * @property {string} key names it in the address
 * @property {string} title
 * @property {boolean} isOfRequests whether no line says what failed
 * @property {number} count
 * @property {number} first when the first was
 * @property {number} last when the last was
 * @property {number} firstLine the line of the first, else the first line of its request
 * @property {Set<number>} requests
 * @property {number[]} lines those of no request
 * @property {Set<number>} sessions
 * @property {Map<string, number>} services how many errors each has
 * @property {Map<string, number>} paths how many errors each has
 * @property {Uint32Array} sparks how many errors there are in each part of the trace's time
 */

/** @param {string} title @param {boolean} isOfRequests @returns {Group} */
function newGroup(title, isOfRequests) {
  return {
    key: `${isOfRequests ? "request" : "line"} ${title}`,
    title,
    isOfRequests,
    count: 0,
    first: Infinity,
    last: -Infinity,
    firstLine: -1,
    requests: new Set(),
    lines: [],
    sessions: new Set(),
    services: new Map(),
    paths: new Map(),
    sparks: new Uint32Array(SPARKS),
  };
}

/**
 * The range of nine of ten errors, if it is less than half of the time between the first and the
 * last.
 * @param {import("./data.js").Trace} trace @param {Group[]} groups @returns {[number, number] | null}
 */
function rangeOfMost(trace, groups) {
  const { end } = trace.requests;
  const times = trace.errorLines.lines.map((line) => trace.time[line]);
  for (const group of groups)
    if (group.isOfRequests) for (const r of group.requests) times.push(end[r]);
  if (times.length === 0) return null;
  times.sort((one, other) => one - other);
  const rest = Math.floor(times.length / 20);
  const [from, to] = [times[rest], times[times.length - 1 - rest]];
  const isNarrow = to - from < (times[times.length - 1] - times[0]) / 2;
  return isNarrow ? [from, to] : null;
}

/** The groups, the largest first. @param {import("./data.js").Trace} trace @returns {Group[]} */
function groupErrors(trace) {
  const { end, status, outcome, level } = trace.requests;
  const { lines, templates } = trace.errorLines;
  /** @type {Map<string, Group>} */
  const groups = new Map();
  /** @param {string} title @param {boolean} isOfRequests */
  const groupOf = (title, isOfRequests) => {
    const key = `${isOfRequests} ${title}`;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = newGroup(title, isOfRequests)));
    return group;
  };
  const isSaid = new Uint8Array(trace.size);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    const r = trace.request[line];
    const title = trace.head.templates[templates[at]] ?? "";
    const group = groupOf(title, false);
    if (r >= 0) isSaid[r] = 1;
    else group.lines.push(line);
    note(group, trace, { r, line, time: trace.time[line], service: trace.lineService(line) });
  }
  for (let r = 0; r < trace.size; r++) {
    if (isSaid[r] || level[r] >= ERROR || !trace.isFailure(r)) continue;
    const title = [kindOfRequest(trace, r), status[r] ?? outcome[r]].filter(Boolean).join(" ");
    const [line, service] = [trace.requests.first_line[r], trace.requests.service[r]];
    note(groupOf(title, true), trace, { r, line, time: end[r], service });
  }
  return [...groups.values()].sort(
    (one, other) => other.count - one.count || one.first - other.first,
  );
}

/**
 * Add an error to its group.
 * @param {Group} group @param {import("./data.js").Trace} trace
 * @param {{r: number, line: number, time: number, service: number}} error
 * `r` is its request and `service` the place of its service; -1 for none
 */
function note(group, trace, { r, line, time, service }) {
  group.count++;
  if (time < group.first) [group.first, group.firstLine] = [time, line];
  group.last = Math.max(group.last, time);
  const part = ((time - trace.from) / Math.max(1, trace.to - trace.from)) * SPARKS;
  group.sparks[Math.max(0, Math.min(SPARKS - 1, Math.floor(part)))]++;
  if (service >= 0) increase(group.services, trace.services[service]);
  if (r < 0) return;
  group.requests.add(r);
  const path = kindOfRequest(trace, r);
  if (path) increase(group.paths, path);
  const s = trace.requests.session[r];
  if (s >= 0) group.sessions.add(s);
}

/** @param {Map<string, number>} counts @param {string} name */
function increase(counts, name) {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/**
 * The requests and lines to which a search is limited while a group is chosen.
 * @param {Group} group @param {number} size how many requests there are
 * @returns {import("./query.js").Limit}
 */
export function limitOf(group, size) {
  const requests = new Uint8Array(size);
  for (const r of group.requests) requests[r] = 1;
  return { requests, lines: new Set(group.lines) };
}

/** The names with the most errors, and how many more there are. @param {Map<string, number>} counts */
function mostOf(counts) {
  const names = [...counts.keys()].sort(
    (one, other) => (counts.get(other) ?? 0) - (counts.get(one) ?? 0),
  );
  const shown = names.slice(0, NAMED).map(plain).join(", ");
  return names.length > NAMED ? `${shown} +${count(names.length - NAMED)}` : shown;
}

/** The panel above everything else. */
export class ErrorPanel {
  /** @type {Group[]} */
  groups = [];

  #isFolded = false;
  // A live log is drawn in each frame: if a row were replaced while it is pressed, the click would
  // be lost.
  #isPressed = false;
  #isDue = false;

  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {(key: string | null) => void} choose called with the key of a group, or null for all
   */
  constructor(element, trace, look, clock, choose) {
    this.element = element;
    this.trace = trace;
    this.look = look;
    this.clock = clock;
    this.choose = choose;
    element.addEventListener("pointerdown", () => (this.#isPressed = true));
    for (const end of ["pointerup", "pointercancel"])
      addEventListener(end, () => this.#isPressed && setTimeout(() => this.#release()));
  }

  // The click has been handled by now.
  #release() {
    this.#isPressed = false;
    if (this.#isDue) this.draw();
  }

  /** How many errors there are. */
  get count() {
    return this.groups.reduce((sum, group) => sum + group.count, 0);
  }

  /** Whether there are more than a handful. */
  get isIncident() {
    return this.count > HANDFUL;
  }

  /** The chosen group, or null. */
  get chosen() {
    const { group: key } = this.look;
    return this.groups.find((group) => group.key === key) ?? null;
  }

  /** Group anew: more lines were read. */
  rearrange() {
    this.groups = groupErrors(this.trace);
    this.draw();
  }

  draw() {
    this.#isDue = this.#isPressed;
    if (this.#isDue) return;
    this.element.hidden = !this.isIncident && this.chosen === null;
    if (this.element.hidden) {
      this.element.replaceChildren();
      return;
    }
    const hadFocus = document.activeElement?.closest("#errors [data-key]");
    const key = hadFocus instanceof HTMLElement ? hadFocus.dataset.key : undefined;
    const top = this.element.querySelector("ul")?.scrollTop ?? 0;
    this.element.replaceChildren(this.#title());
    const { chosen } = this;
    if (chosen) this.element.append(this.#only(chosen));
    if (this.#isFolded) return;
    const list = make("ul");
    list.setAttribute("aria-label", "Groups of errors");
    list.append(...this.groups.slice(0, MOST_GROUPS).map((group) => this.#row(group)));
    if (this.groups.length > MOST_GROUPS) {
      const more = counted(this.groups.length - MOST_GROUPS, "smaller group");
      list.append(make("li", "more", `${more} not shown`));
    }
    this.element.append(list);
    list.scrollTop = top;
    if (key === undefined) return;
    const again = [...list.querySelectorAll("button")].find((each) => each.dataset.key === key);
    again?.focus({ preventScroll: true });
  }

  // A summary of all errors in one sentence.
  #title() {
    const { trace, groups } = this;
    /** @type {Set<number>} */
    const sessions = new Set();
    /** @type {Map<string, number>} */
    const services = new Map();
    let first = Infinity;
    let last = -Infinity;
    for (const group of groups) {
      for (const s of group.sessions) sessions.add(s);
      for (const [name, errors] of group.services)
        services.set(name, (services.get(name) ?? 0) + errors);
      first = Math.min(first, group.first);
      last = Math.max(last, group.last);
    }
    const head = make("h2");
    const fold = /** @type {HTMLButtonElement} */ (make("button", "fold"));
    fold.type = "button";
    fold.setAttribute("aria-expanded", String(!this.#isFolded));
    fold.append(
      make("span", "arrow", this.#isFolded ? "▸" : "▾"),
      make("strong", "", counted(this.count, "error")),
      ` in ${counted(groups.length, "group")}`,
    );
    fold.addEventListener("click", () => {
      this.#isFolded = !this.#isFolded;
      this.draw();
      this.element.querySelector("button")?.focus();
    });
    head.append(fold);
    const most = rangeOfMost(trace, groups);
    const [from, to] = most ?? [first, last];
    const facts = [`${most ? "9 of 10 at " : ""}${this.#range(from, to)}`];
    if (to > from) facts.push(duration(to - from));
    if (services.size > 0) facts.push(`in ${mostOf(services)}`);
    if (sessions.size > 0)
      facts.push(`${count(sessions.size)} of ${counted(trace.sessions.length, "session")}`);
    if (trace.linked < trace.count) facts.push("still reading");
    head.append(...facts.map((fact) => make("span", "fact", fact)));
    return head;
  }

  /** @param {number} first @param {number} last */
  #range(first, last) {
    const [from, to] = [first, last].map((time) => this.trace.shortTimeText(time, this.clock));
    return from === to ? from : `${from} – ${to}`;
  }

  /** A sentence about the chosen group, and a button to show all again. @param {Group} group */
  #only(group) {
    const only = make("p", "only");
    const size = group.requests.size;
    const what = size > 0 ? counted(size, "request") : counted(group.lines.length, "line");
    only.append(
      `Only the ${what} of `,
      make("strong", "", cut(plain(group.title), LONGEST_GROUP_TITLE)),
      " ",
    );
    const back = /** @type {HTMLButtonElement} */ (make("button", "back", "Show all"));
    back.type = "button";
    back.title = "All requests and lines (Esc)";
    back.addEventListener("click", () => this.choose(null));
    only.append(back);
    return only;
  }

  /** @param {Group} group */
  #row(group) {
    const row = make("li");
    const button = /** @type {HTMLButtonElement} */ (make("button", "group"));
    button.type = "button";
    button.dataset.key = group.key;
    button.setAttribute("aria-pressed", String(group.key === this.look.group));
    button.title = plain(group.title);
    const title = make("span", "title", cut(plain(group.title), LONGEST_GROUP_TITLE));
    const sessions = group.sessions.size;
    button.append(
      make("span", "count", `${count(group.count)} ×`),
      sparkline(group.sparks),
      title,
      make("span", "services", mostOf(group.services)),
      make("span", "paths", mostOf(group.paths)),
      make("span", "sessions", sessions > 0 ? counted(sessions, "session") : ""),
      make("span", "when", this.#range(group.first, group.last)),
    );
    button.addEventListener("click", () => {
      this.choose(group.key === this.look.group ? null : group.key);
    });
    row.append(button);
    return row;
  }
}

/** @param {Uint32Array} sparks */
function sparkline(sparks) {
  const most = Math.max(...sparks, 1);
  let path = "";
  sparks.forEach((errors, at) => {
    if (errors === 0) return;
    const height = Math.max(2, Math.round((errors / most) * SPARK_HEIGHT));
    path += `M${at} ${SPARK_HEIGHT}v${-height}h1v${height}z`;
  });
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("viewBox", `0 0 ${SPARKS} ${SPARK_HEIGHT}`);
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("class", "sparks");
  element.setAttribute("aria-hidden", "true");
  const bars = document.createElementNS(SVG, "path");
  bars.setAttribute("d", path);
  element.append(bars);
  return element;
}
