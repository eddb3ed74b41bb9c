// Texts to copy from the page: a line, an id, a link to the view, a request as Markdown for a
// ticket.

import { count, counted, plain } from "./text.js";

// A ticket takes some 65,000 characters.
const LONGEST_TICKET = 50_000;

/** Put a text into the clipboard. False if the browser does not allow it. @param {string} text */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** For older browsers, and for pages in no secure context. @param {string} text */
function copySelected(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  const focused = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return isCopied;
}

/**
 * A code span that the text cannot end: longer marks than any in it, and no line end.
 * @param {unknown} text
 */
function codeSpan(text) {
  const flat = plain(text).replace(/\s+/g, " ");
  const mark = "`".repeat(longestRun(flat) + 1);
  const isPadded = /^`|`$|^ .* $/.test(flat);
  return isPadded ? `${mark} ${flat} ${mark}` : `${mark}${flat}${mark}`;
}

/** A block of code that the text cannot end. @param {string} text */
function codeBlock(text) {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}text\n${text}\n${fence}`;
}

/** The length of the longest run of backticks. @param {string} text */
function longestRun(text) {
  return (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0);
}

/**
 * The request as Markdown, for a ticket.
 * @param {import("./data.js").Trace} trace
 * @param {number} r
 * @param {{link: string, clock: import("./text.js").Clock}} page
 */
export function ticket(trace, r, { link, clock }) {
  const { id, session, status, outcome, trace: traceId, span, start, lines } = trace.requests;
  const state = [status[r], outcome[r]].filter((each) => (each ?? null) !== null).join(" ");
  const when = trace.epoch(start[r]);
  const title = [codeSpan(trace.title(r)), state && codeSpan(state)].filter(Boolean).join(" → ");
  /** @type {[string, unknown][]} */
  const facts = [
    ["service", trace.serviceOf(r)],
    ["request", id[r]],
    ["session", trace.sessions[session[r]]],
    ["trace", traceId[r]],
    ["span", span[r]],
    ["began", `${clock.date(when)} ${clock.time(when, trace.digits)} ${clock.zone(when)}`],
    ["took", trace.took(r)],
  ];
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const [text, left] = linesOf(trace, r);
  const parts = [
    `### ${title}`,
    [...known.map(([name, value]) => `- ${name}: ${codeSpan(value)}`), `- link: <${link}>`].join(
      "\n",
    ),
    `${counted(lines[r], "line")}:`,
    codeBlock(text),
  ];
  if (left > 0) parts.push(`… and ${count(left)} more.`);
  return `${parts.join("\n\n")}\n`;
}

/**
 * The unchanged lines of a request, and the number of lines that are left out of a ticket.
 * @param {import("./data.js").Trace} trace @param {number} r @returns {[string, number]}
 */
function linesOf(trace, r) {
  const found = [];
  let room = LONGEST_TICKET;
  let left = 0;
  for (let line = trace.firstLine[r]; line >= 0; line = trace.next[line]) {
    const text = plain(trace.text(line) ?? "");
    if (left > 0 || room < text.length) {
      left++;
      continue;
    }
    room -= text.length + 1;
    found.push(text);
  }
  return [found.join("\n"), left];
}
