// The order of sessions, in the list and on the time axis.

import { NOBODY } from "./data.js";

// At most this number of sessions are kept in the order in which they began.
const MOST_AS_BEGUN = 8;

/**
 * A comparison that sorts sessions: if there are many, those with errors come first; "no session"
 * is the last.
 * @param {import("./data.js").Trace} trace
 * @returns {(one: number, other: number) => number}
 */
export function sessionOrder(trace) {
  const isCalm = new Uint8Array(trace.sessions.length).fill(1);
  if (trace.sessions.length > MOST_AS_BEGUN) {
    const { session } = trace.requests;
    for (let r = 0; r < trace.size; r++)
      if (session[r] >= 0 && trace.isError(r)) isCalm[session[r]] = 0;
  }
  return (one, other) => {
    if (one === NOBODY || other === NOBODY) return one === other ? 0 : one === NOBODY ? 1 : -1;
    return isCalm[one] - isCalm[other] || one - other;
  };
}
