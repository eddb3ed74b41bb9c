// Sentences in place of empty lists: the reason, and what the reader can do.

import { counted, plain } from "./text.js";

/**
 * @typedef {object} State
 * @property {string} query as it was typed
 * @property {string | null} group the title of the chosen group of errors
 * @property {boolean} isLive whether the log is followed
 * @property {boolean} isSearching whether some lines are not searched yet
 */

const SEARCHING = "Searching.";

/** The summary of the logs that were read. @param {import("./data.js").Trace} trace */
function summaryOf(trace) {
  const summary = plain(trace.head.summary).trim();
  return summary ? `Read: ${summary.replace(/\.$/, "")}.` : "";
}

/** Why no line is shown. @param {import("./data.js").Trace} trace @param {State} state */
export function whyNoLines(trace, { query, group, isLive, isSearching }) {
  if (isSearching) return SEARCHING;
  if (trace.count === 0) {
    const wait = isLive ? "They appear here as they are written." : "";
    return ["No lines yet.", wait, summaryOf(trace)].filter(Boolean).join(" ");
  }
  const isReading = trace.linked < trace.count;
  const part = Math.floor((trace.linked / trace.count) * 100);
  const asked = [query && `“${plain(query)}”`, group && `the errors “${plain(group)}”`];
  const what = asked.filter(Boolean).join(" within ");
  return [
    what ? `None of ${counted(trace.count, "line")} has ${what}.` : "No line to show.",
    isReading ? `So far ${part} % of them were searched.` : "",
    what ? "Esc shows all again." : "",
    summaryOf(trace),
  ]
    .filter(Boolean)
    .join(" ");
}

/** Why no request is shown. @param {import("./data.js").Trace} trace @param {State} state */
export function whyNoRequests(trace, { query, group, isSearching }) {
  if (isSearching) return SEARCHING;
  if (trace.size > 0) {
    return query || group ? "No request has what is searched for. Esc shows all again." : "";
  }
  if (trace.count === 0) return "No requests yet.";
  return [
    `No request: none of ${counted(trace.count, "line")} has a request id.`,
    summaryOf(trace),
    "The manual says how lines get ids: asgi_trace.configure_logging().",
  ]
    .filter(Boolean)
    .join(" ");
}
