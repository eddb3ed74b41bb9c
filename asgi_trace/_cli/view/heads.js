// The text before the messages, the head, is kept once for many lines. `2024-01-15 09:30:15 - INFO
// - [req=…|session=…] - ` is the same for them except the ids, which are known from the requests.

/**
 * The head of lines: texts, and between each two of them a value of the line's request.
 * @typedef {object} LineHead
 * @property {string[]} texts
 * @property {Hole[]} holes
 * @property {boolean} isTimed whether a time precedes it, which each line has for itself
 *
 * @typedef {"id" | "session" | "span"} Hole
 *
 * A value of a request, or an empty text.
 * @typedef {(hole: Hole, r: number) => string} ValueOf
 *
 * Lines without their heads.
 * @typedef {object} Folded
 * @property {string} text with a line end between two lines, and `BREAK` after a line's time
 * @property {Uint32Array} offset where in the text each line begins, and where one more would begin
 * @property {Uint16Array | null} headOf the place of each line's head in `heads`; null: all are whole
 * @property {(LineHead | null)[]} heads null, for lines that are whole; then the others
 * @property {boolean} hasBreaks whether a line has a `BREAK` of its own
 */

export const BREAK = "\u0001";
/** @type {Hole[]} in the order in which a line has them */
const HOLES = ["id", "session", "span"];
const HOLE_MARKS = ["\u0002", "\u0003", "\u0004"];
const ANY_HOLE = /[\u0002-\u0004]/;
// A line with these in its head is kept whole.
const RESERVED = /[\u0001-\u0004\n]/;
// Whole seconds are the same for many lines, and not taken out.
const EXACT_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+/;
// A head takes as much memory as this number of lines saves.
const LINES_PER_HEAD = 4;
const FEWEST_LINES = 64;

/**
 * @param {string[]} lines
 * @param {number[]} messages where the message of each begins
 * @param {number[]} requests
 * @param {ValueOf} valueOf
 * @returns {Folded}
 */
export function folded(lines, messages, requests, valueOf) {
  if (lines.length < FEWEST_LINES) return wholeLines(lines);
  /** @type {Map<string, number>} */
  const known = new Map();
  const headOf = new Uint16Array(lines.length);
  let hasBreaks = false;
  const rests = lines.map((line, at) => {
    hasBreaks ||= line.includes(BREAK);
    const time = EXACT_TIME.exec(line)?.[0] ?? "";
    const head = line.slice(time.length, messages[at]);
    if (head === "" || RESERVED.test(head)) return line;
    const key = (time && BREAK) + withHoles(head, requests[at], valueOf);
    let place = known.get(key);
    if (place === undefined) known.set(key, (place = known.size + 1));
    headOf[at] = place;
    return (time && time + BREAK) + line.slice(messages[at]);
  });
  if (known.size * LINES_PER_HEAD > lines.length) return wholeLines(lines);
  const heads = [null, ...Array.from(known.keys(), lineHead)];
  return { ...lineByLine(rests), headOf, heads, hasBreaks };
}

/** @param {string[]} lines @returns {Folded} */
export function wholeLines(lines) {
  const whole = lineByLine(lines);
  return { ...whole, headOf: null, heads: [null], hasBreaks: whole.text.includes(BREAK) };
}

/** @param {string[]} lines */
function lineByLine(lines) {
  const offset = new Uint32Array(lines.length + 1);
  for (let at = 0; at < lines.length; at++) offset[at + 1] = offset[at] + lines[at].length + 1;
  return { text: lines.join("\n"), offset };
}

/** @param {string} head @param {number} r @param {ValueOf} valueOf */
function withHoles(head, r, valueOf) {
  if (r < 0) return head;
  let found = "";
  let from = 0;
  for (let hole = 0; hole < HOLES.length; hole++) {
    const value = valueOf(HOLES[hole], r);
    const at = value ? head.indexOf(value, from) : -1;
    if (at < 0) continue;
    found += head.slice(from, at) + HOLE_MARKS[hole];
    from = at + value.length;
  }
  return found + head.slice(from);
}

/** @param {string} key @returns {LineHead} */
function lineHead(key) {
  const isTimed = key.startsWith(BREAK);
  const head = isTimed ? key.slice(1) : key;
  const marks = [...head].filter((character) => HOLE_MARKS.includes(character));
  return {
    texts: head.split(ANY_HOLE),
    holes: marks.map((mark) => HOLES[HOLE_MARKS.indexOf(mark)]),
    isTimed,
  };
}

/**
 * The line as it stood.
 * @param {Folded} folded @param {number} at its place @param {number} r its request
 * @param {ValueOf} valueOf
 */
export function unfolded({ text, offset, headOf, heads }, at, r, valueOf) {
  const rest = text.slice(offset[at], offset[at + 1] - 1);
  const head = headOf && heads[headOf[at]];
  if (!head) return rest;
  let found = head.texts[0];
  for (let hole = 0; hole < head.holes.length; hole++)
    found += valueOf(head.holes[hole], r) + head.texts[hole + 1];
  if (!head.isTimed) return found + rest;
  const end = rest.indexOf(BREAK);
  return rest.slice(0, end) + found + rest.slice(end + 1);
}

export const IS_OUTSIDE = 0;
const MAY_TOUCH = 1;
export const IS_WITHIN = 2;

/**
 * Where a word can be found in lines with this head, for any values of their requests:
 * within a text of it; maybe across an edge of a text; else outside, or within a value.
 * @param {LineHead} head @param {string} word
 */
export function placeIn({ texts, isTimed }, word) {
  if (word.includes(BREAK)) return MAY_TOUCH;
  const wanted = sameCase(word);
  let place = IS_OUTSIDE;
  for (let i = 0; i < texts.length; i++) {
    const text = sameCase(texts[i]);
    if (text.includes(wanted)) return IS_WITHIN;
    if (runsOut(text, wanted) || ((i > 0 || isTimed) && runsIn(text, wanted))) place = MAY_TOUCH;
  }
  return place;
}

/**
 * Whether the word can begin in the text, or before it, and end after it.
 * @param {string} text @param {string} word
 */
function runsOut(text, word) {
  for (let size = 1; size < word.length; size++) {
    const begun = word.slice(0, size);
    if (size <= text.length ? text.endsWith(begun) : begun.endsWith(text)) return true;
  }
  return false;
}

/**
 * Whether the word can begin before the text, and end in it or after it.
 * @param {string} text @param {string} word
 */
function runsIn(text, word) {
  for (let from = 1; from < word.length; from++) {
    const rest = word.slice(from);
    if (rest.length <= text.length ? text.startsWith(rest) : rest.startsWith(text)) return true;
  }
  return false;
}

// The text in one case, as the flag i of a regular expression compares it; its length does not
// change.
/** @param {string} text */
function sameCase(text) {
  if (/^[\0-\x7f]*$/.test(text)) return text.toUpperCase();
  return text.replace(/[^]/g, (character) => {
    const other = character.toUpperCase();
    const isAscii = other.charCodeAt(0) < 128 && character.charCodeAt(0) >= 128;
    return other.length === 1 && !isAscii ? other : character;
  });
}
