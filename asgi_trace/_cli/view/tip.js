// The tip beside the pointer: a request's facts, its line under the pointer, or a silence.

import { cut, duration, make, plain } from "./text.js";
import { LEVELS } from "./data.js";
import { selfTime } from "./waterfall.js";

const LONGEST_MESSAGE = 160; // characters
const EDGE_OF_TIP = 4; // pixels between the tip and the edge of the time axis

/** @typedef {{x: number, y: number}} Point in pixels, from the corner of the time axis */

export class Tip {
  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./scale.js").Scale} scale
   */
  constructor(element, trace, scale) {
    this.element = element;
    this.scale = scale;
    this.trace = trace;
  }

  hide() {
    this.element.hidden = true;
  }

  /** @param {[number, number]} silence @param {Point} at @param {number} width of the time axis */
  showSilence([from, to], at, width) {
    this.element.replaceChildren(
      make("div", "tip-title", `Silence: ${duration(to - from)}`),
      make("div", "", "None of the open requests logged anything: was the event loop blocked?"),
    );
    this.#place(at, width);
  }

  /** @param {string[]} facts the first is the title @param {Point} at @param {number} width */
  showFacts([title, ...facts], at, width) {
    this.element.replaceChildren(
      make("div", "tip-title", plain(title)),
      ...facts.filter(Boolean).map((fact) => make("div", "", fact)),
    );
    this.#place(at, width);
  }

  /**
   * @param {import("./scale.js").Hit} hit
   * @param {number} time under the pointer
   * @param {Point} at
   * @param {number} width of the time axis
   */
  showRequest({ request, line }, time, at, width) {
    const { call } = this.trace.requests;
    this.element.replaceChildren(
      make("div", "tip-title", this.trace.title(request)),
      make("div", "", this.#facts(request)),
    );
    const split = this.#split(request);
    if (split) this.element.append(make("div", "", split));
    if (call[request]) this.element.append(make("div", "", this.trace.carrier(request)));
    for (const [from, to] of this.trace.gapsOf(request)) {
      const isHere = from <= time && time <= to;
      if (isHere) this.element.append(make("div", "", `nothing logged for ${duration(to - from)}`));
    }
    if (line >= 0) this.element.append(this.#line(line));
    this.#place(at, width);
  }

  /**
   * A call that has no request in the logs.
   * @param {number} call @param {Point} at @param {number} width
   */
  showCall(call, at, width) {
    const { title, start, end, status, error, attempt } = this.trace.calls[call];
    const facts = [status, error, duration(end - start)];
    if (attempt > 1) facts.push(`attempt ${attempt}`);
    this.element.replaceChildren(
      make("div", "tip-title", plain(title)),
      make("div", "", facts.filter(Boolean).map(plain).join(" · ")),
      make("div", "", "These logs have no lines of the service that was called."),
    );
    this.#place(at, width);
  }

  /** How long a request of the opened trace worked and waited. @param {number} r */
  #split(r) {
    const row = this.scale.opened?.rowOf(r);
    if (!row || row.waits.length === 0 || !this.trace.isMeasured(r)) return "";
    const self = selfTime(row);
    return `self ${duration(self)} · waiting ${duration(row.duration - self)}`;
  }

  /** @param {number} r */
  #facts(r) {
    const { status, start, outcome, late } = this.trace.requests;
    const facts = [this.trace.serviceOf(r), status[r], this.trace.took(r)];
    const sent = this.trace.firstByte(r);
    if (sent !== null) facts.push(`first byte after ${duration(sent - start[r])}`);
    facts.push(outcome[r]);
    if (late[r] > 0) facts.push(`${late[r]} late`);
    return facts.filter(Boolean).map(plain).join(" · ");
  }

  /** @param {number} line */
  #line(line) {
    const text = this.trace.text(line) ?? "";
    const [first] = text.slice(this.trace.messageAt(line)).split("\n", 1);
    const name = `tip-line level-${LEVELS[this.trace.level[line]]}`;
    return make("div", name, cut(plain(first), LONGEST_MESSAGE));
  }

  /** Beside the pointer, and within the time axis. @param {Point} at @param {number} width */
  #place({ x, y }, width) {
    this.element.hidden = false;
    const last = width - this.element.offsetWidth - EDGE_OF_TIP;
    this.element.style.left = `${Math.max(EDGE_OF_TIP, Math.min(x + 12, last))}px`;
    this.element.style.top = `${y + 16}px`;
  }
}
