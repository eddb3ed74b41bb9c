// The lines around a line in its own log, which a search or a choice may hide.

// How many lines are shown on each side, after each call for more.
const STEPS_OF_CONTEXT = [10, 50, 250];

/** The next step: none, 10, 50, 250, none. @param {number} around */
export function moreContext(around) {
  return STEPS_OF_CONTEXT.find((step) => step > around) ?? 0;
}

/**
 * The lines of the same log around a line, and the line itself, in order.
 * @param {import("./data.js").Trace} trace @param {number} line
 * @param {number} around how many on each side
 */
export function contextOf(trace, line, around) {
  const file = trace.fileOf(line);
  const found = [line];
  for (let at = line - 1, left = around; at >= 0 && left > 0; at--) {
    if (trace.fileOf(at) !== file) continue;
    found.push(at);
    left--;
  }
  found.reverse();
  for (let at = line + 1, left = around; at < trace.count && left > 0; at++) {
    if (trace.fileOf(at) !== file) continue;
    found.push(at);
    left--;
  }
  return Int32Array.from(found);
}

/** Both lists of lines in one, each line once, in order. @param {Int32Array} lines @param {Int32Array} others */
export function bothInOrder(lines, others) {
  const all = new Int32Array(lines.length + others.length);
  let size = 0;
  let i = 0;
  let j = 0;
  while (i < lines.length || j < others.length) {
    const next = Math.min(lines[i] ?? Infinity, others[j] ?? Infinity);
    if (lines[i] === next) i++;
    if (others[j] === next) j++;
    all[size++] = next;
  }
  return all.slice(0, size);
}
