// The place of each trace: a lane per session, and rows in it for traces at the same time. A trace
// is one bar, that of its first request; the opened trace has rows of its own.

import { sessionOrder } from "./order.js";

// More at once than this share the last row.
const MOST_ROWS = 40;

/**
 * A lane's rows hold requests in the order of their start.
 * @typedef {{session: number, rows: number[][]}} Lane
 */

/**
 * @param {import("./data.js").Trace} trace
 * @param {number} opened the first request of the opened trace, or -1
 * @returns {{lanes: Lane[], rows: number}}
 */
export function arrange(trace, opened) {
  const { session, start, end } = trace.requests;
  /** @type {Map<number, {lane: Lane, ends: number[]}>} */
  const bySession = new Map();
  for (const r of trace.callers.roots) {
    let open = bySession.get(session[r]);
    if (!open)
      bySession.set(session[r], (open = { lane: { session: session[r], rows: [] }, ends: [] }));
    const { lane, ends } = open;
    if (r === opened) continue;
    let row = 0;
    while (row < ends.length && row < MOST_ROWS - 1 && ends[row] > start[r]) row++;
    if (row === lane.rows.length) {
      lane.rows.push([]);
      ends.push(-Infinity);
    }
    lane.rows[row].push(r);
    ends[row] = Math.max(ends[row], end[r]);
  }
  // A copy has no room to grow: there are many rows, and most of them are short.
  const lanes = [...bySession.values()].map(({ lane: { session, rows } }) => ({
    session,
    rows: rows.map((row) => row.slice()),
  }));
  const order = sessionOrder(trace);
  lanes.sort((one, other) => order(one.session, other.session));
  return { lanes, rows: lanes.reduce((sum, lane) => sum + lane.rows.length, 0) };
}

/**
 * The place of the first request in a row that ends after *time*: the bars of a row do not overlap.
 * @param {number[]} row
 * @param {ArrayLike<number>} end
 * @param {number} time
 */
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
