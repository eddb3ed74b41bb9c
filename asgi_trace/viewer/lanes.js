// Where each request has its bar: a lane per session, rows in it for requests at the same time.
// Knows times and sessions. Does not know pixels.

import { NOBODY } from "./data.js";

// More at once than this share the last row.
const MOST_ROWS = 40;

/**
 * A lane's rows hold requests in the order of their start. `top` counts the rows above it.
 * @typedef {{session: number, rows: number[][], top: number}} Lane
 */

/** @param {import("./data.js").Trace} trace @returns {{lanes: Lane[], rows: number, laneOf: Map<number, Lane>, rowOf: Int32Array}} */
export function arrange(trace) {
  const { session, start, end } = trace.requests;
  /** @type {Map<number, {lane: Lane, ends: number[]}>} */
  const bySession = new Map();
  const rowOf = new Int32Array(trace.size);
  // They come in the order of their first lines, and some began long before.
  const byStart = Uint32Array.from({ length: trace.size }, (_, r) => r);
  byStart.sort((one, other) => start[one] - start[other]);
  for (const r of byStart) {
    let open = bySession.get(session[r]);
    if (!open) bySession.set(session[r], (open = { lane: { session: session[r], rows: [], top: 0 }, ends: [] }));
    const { lane, ends } = open;
    let row = 0;
    while (row < ends.length && row < MOST_ROWS - 1 && ends[row] > start[r]) row++;
    if (row === lane.rows.length) {
      lane.rows.push([]);
      ends.push(-Infinity);
    }
    lane.rows[row].push(r);
    ends[row] = Math.max(ends[row], end[r]);
    rowOf[r] = row;
  }
  const lanes = [...bySession.values()].map(({ lane }) => lane);
  lanes.sort((one, other) => order(one.session) - order(other.session));
  let rows = 0;
  for (const lane of lanes) {
    lane.top = rows;
    rows += lane.rows.length;
  }
  return { lanes, rows, laneOf: new Map(lanes.map((lane) => [lane.session, lane])), rowOf };
}

// Those without a session stand below all others.
/** @param {number} session */
function order(session) {
  return session === NOBODY ? Infinity : session;
}

/** The lane that has this row. @param {Lane[]} lanes @param {number} row */
export function laneAt(lanes, row) {
  let low = 0;
  let high = lanes.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lanes[middle].top <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first in the row that ends after *time*: bars of a row do not overlap. @param {number[]} row @param {number[]} end @param {number} time */
export function firstAfter(row, end, time) {
  let low = 0;
  let high = row.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (end[row[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
