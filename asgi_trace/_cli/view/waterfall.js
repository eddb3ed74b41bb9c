// An opened trace: a row for each request in a service and for each call to a service without logs,
// the times at which each worked, and its share of the time. Pure arithmetic: no element, no
// drawing.

import { plain } from "./text.js";

/**
 * A row: a request, or a call that has no request in the logs.
 * @typedef {object} Row
 * @property {number} request -1 for a call
 * @property {number} call its place in the trace's calls; -1 for a request
 * @property {number} depth how many callers are above it
 * @property {number} from
 * @property {number} to
 * @property {number} duration as measured, else from its begin to its end
 * @property {[number, number][]} waits when a row below it worked, in order
 * @property {[number, number][]} critical when the whole trace waited for this row
 * @property {[number, number] | null} sent the caller's side of it, as far as it was logged
 */

/** A share of the whole's time. @typedef {{service: number, name: string, time: number}} Part */

/** @typedef {import("./data.js").Trace} Trace */

export class Waterfall {
  /** @type {Row[]} each after its caller, those of one caller by their start */
  rows = [];
  /** @type {Part[]} in the order in which they first worked */
  parts = [];

  /** @param {Trace} trace @param {number} root */
  constructor(trace, root) {
    this.root = root;
    /** @type {Map<number, Row[]>} the rows below each request */
    this.below = new Map();
    this.#collect(trace);
    this.#follow(trace);
  }

  /** @param {Trace} trace */
  #collect(trace) {
    const { start, end } = trace.requests;
    const { made, answered } = callsBelow(trace, this.root);
    /** @param {number} r @param {number} depth @returns {Row} */
    const rowOf = (r, depth) => {
      const sent = answered.get(r);
      return {
        ...{ request: r, call: -1, depth, from: start[r], to: end[r], waits: [], critical: [] },
        duration: trace.duration(r),
        sent: sent === undefined ? null : [trace.calls[sent].start, trace.calls[sent].end],
      };
    };
    const todo = [rowOf(this.root, 0)];
    for (let row = todo.pop(); row; row = todo.pop()) {
      this.rows.push(row);
      const r = row.request;
      if (r < 0) continue;
      const depth = row.depth + 1;
      const inside = trace.callers.callees(r).map((callee) => rowOf(callee, depth));
      const calls = made.get(r) ?? [];
      for (const call of calls) {
        if (trace.calls[call].callee >= 0) continue;
        const { start: from, end: to } = trace.calls[call];
        inside.push({
          duration: to - from,
          request: -1,
          call,
          depth,
          from,
          to,
          waits: [],
          critical: [],
          sent: null,
        });
      }
      if (inside.length === 0) continue;
      inside.sort((one, other) => one.from - other.from);
      this.below.set(r, inside);
      const times = inside.map(
        ({ from, to, sent }) => /** @type {[number, number]} */ (sent ?? [from, to]),
      );
      row.waits = merged(times, row.from, row.to);
      for (let i = inside.length - 1; i >= 0; i--) todo.push(inside[i]);
    }
  }

  // From the end of the trace back to its beginning: at each moment, the deepest row that worked;
  // if there are several, the one that ended last.
  /** @param {Trace} trace */
  #follow(trace) {
    const [root] = this.rows;
    /** @type {{row: Row, from: number, to: number}[]} */
    const todo = [{ row: root, from: root.from, to: root.to }];
    /** @type {{row: Row, from: number, to: number}[]} */
    const found = [];
    for (let each = todo.pop(); each; each = todo.pop()) {
      const { row, from, to } = each;
      let until = to;
      const inside = [...(this.below.get(row.request) ?? [])].sort(
        (one, other) => other.to - one.to,
      );
      for (const inner of inside) {
        const first = Math.max(inner.from, from);
        const last = Math.min(inner.to, until);
        if (last <= first) continue;
        if (last < until) found.push({ row, from: last, to: until });
        todo.push({ row: inner, from: first, to: last });
        until = first;
      }
      if (until > from) found.push({ row, from, to: until });
    }
    found.sort((one, other) => one.from - other.from);
    /** @type {Map<string, Part>} */
    const parts = new Map();
    for (const { row, from, to } of found) {
      row.critical.push([from, to]);
      const { service, name } = owner(trace, row);
      const part = parts.get(name);
      if (part) part.time += to - from;
      else parts.set(name, { service, name, time: to - from });
    }
    this.parts = [...parts.values()];
  }

  /** The row of a request. @param {number} r */
  rowOf(r) {
    return this.rows.find((row) => row.request === r);
  }

  /**
   * The whole and its parts as texts that sum up, in the unit of the whole.
   * @returns {{whole: string, parts: (Part & {text: string})[]}}
   */
  get sentence() {
    const total = this.rows[0].duration;
    const { size, digits, unit } = unitOf(total);
    const steps = shares(
      this.parts.map(({ time }) => time),
      Math.round(total / size),
    );
    const scale = unit === "s" ? 1000 : 1;
    const texts = steps.map((step) => ((step * size) / scale).toFixed(digits));
    const whole = ((Math.round(total / size) * size) / scale).toFixed(digits);
    return {
      whole: `${whole} ${unit}`,
      parts: this.parts.map((part, i) => ({ ...part, text: texts[i] })),
    };
  }
}

/**
 * The name of the part that worked: the service, the host that was called, or the request's
 * subject.
 * @param {Trace} trace @param {Row} row
 */
export function owner(trace, row) {
  if (row.request < 0) return { service: -1, name: hostOf(trace.calls[row.call].title) };
  const service = trace.requests.service[row.request];
  return { service, name: trace.serviceOf(row.request) || trace.title(row.request) };
}

/** The time that a row itself worked. @param {Row} row */
export function selfTime({ duration, waits }) {
  return Math.max(
    0,
    waits.reduce((left, [start, end]) => left - (end - start), duration),
  );
}

/** The host in the title of a call, such as `POST api.example.com/charge`. @param {string} title */
function hostOf(title) {
  const [, target] = title.split(" ", 2);
  const host = (target ?? title).replace(/^\w+:\/\//, "").split(/[/?]/, 1)[0];
  return plain(host || title);
}

/** The calls of the requests below *root*: by their request, and by the request that answered. @param {Trace} trace @param {number} root */
function callsBelow(trace, root) {
  /** @type {Map<number, number[]>} */
  const made = new Map();
  /** @type {Map<number, number>} */
  const answered = new Map();
  trace.calls.forEach(({ request, callee }, call) => {
    if (trace.callers.root[request] !== root) return;
    const known = made.get(request);
    if (known) known.push(call);
    else made.set(request, [call]);
    if (callee >= 0) answered.set(callee, call);
  });
  return { made, answered };
}

/**
 * The ranges without their overlaps, within *from* and *to*.
 * @param {[number, number][]} ranges @param {number} from @param {number} to
 */
function merged(ranges, from, to) {
  /** @type {[number, number][]} */
  const found = [];
  for (const [start, end] of [...ranges].sort((one, other) => one[0] - other[0])) {
    const first = Math.max(start, from);
    const last = Math.min(end, to);
    if (last <= first) continue;
    const before = found[found.length - 1];
    if (before && first <= before[1]) before[1] = Math.max(before[1], last);
    else found.push([first, last]);
  }
  return found;
}

/** The smallest step in which a duration is shown, in ms. @param {number} total */
function unitOf(total) {
  if (total < 10) return { size: 0.1, digits: 1, unit: "ms" };
  if (total < 999.5) return { size: 1, digits: 0, unit: "ms" };
  if (total < 9995) return { size: 10, digits: 2, unit: "s" };
  if (total < 59_950) return { size: 100, digits: 1, unit: "s" };
  return { size: 1000, digits: 0, unit: "s" };
}

/**
 * Whole numbers in the proportion of *times* whose sum is *total*: the largest remainders are
 * rounded up.
 * @param {number[]} times @param {number} total
 */
function shares(times, total) {
  const sum = times.reduce((one, other) => one + other, 0) || 1;
  const exact = times.map((time) => (time / sum) * total);
  const steps = exact.map(Math.floor);
  const order = exact.map((_, i) => i).sort((i, j) => exact[j] - steps[j] - (exact[i] - steps[i]));
  let left = total - steps.reduce((one, other) => one + other, 0);
  for (const i of order) {
    if (left <= 0) break;
    steps[i]++;
    left--;
  }
  return steps;
}
