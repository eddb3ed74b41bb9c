// Text for the reader: times, durations, counts, and log text without invisible or active
// characters.

// Characters that control a terminal, change the direction of writing or are invisible. Tabs and
// line ends are text.
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** @param {string} character */
function symbol(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * The text with a symbol for each character that is invisible or has an effect.
 * @param {unknown} text
 */
export function plain(text) {
  return String(text).replace(INVISIBLE, symbol);
}

/**
 * Put *text* into *parent* as text: invisible characters as symbols, matches of *patterns* marked.
 * @param {Element} parent
 * @param {string} text
 * @param {RegExp[]} [patterns]
 */
export function show(parent, text, patterns) {
  if (!patterns || patterns.length === 0) return showPlain(parent, text);
  let at = 0;
  for (const [from, to] of found(text, patterns)) {
    showPlain(parent, text.slice(at, from));
    const mark = document.createElement("mark");
    showPlain(mark, text.slice(from, to));
    parent.append(mark);
    at = to;
  }
  showPlain(parent, text.slice(at));
}

/** @param {Element} parent @param {string} text */
function showPlain(parent, text) {
  let at = 0;
  for (const match of text.matchAll(INVISIBLE)) {
    if (match.index > at) parent.append(text.slice(at, match.index));
    parent.append(make("span", "control", symbol(match[0])));
    at = match.index + match[0].length;
  }
  if (at < text.length) parent.append(text.slice(at));
}

// A line may be megabytes long; more marks than these would not help.
const MOST_MARKS = 200;

/** @param {string} text @param {RegExp[]} patterns */
function found(text, patterns) {
  /** @type {[number, number][]} */
  const all = [];
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      if (match[0]) all.push([match.index, match.index + match[0].length]);
      if (all.length > MOST_MARKS) break;
    }
  }
  all.sort((one, other) => one[0] - other[0]);
  let end = 0;
  return all.filter(([from, to]) => from >= end && ((end = to), true));
}

/**
 * An element with a class and a text.
 * @param {string} tag @param {string} [name] @param {string} [text]
 */
export function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * Put *children* into *parent*, unless the same are there: a selection of text is kept, and a screen
 * reader does not read them again. A button that had the focus keeps it.
 * @param {Element} parent @param {Element[]} children
 */
export function fill(parent, children) {
  const known = [...parent.children];
  const isSame = (/** @type {Element} */ child, /** @type {number} */ at) =>
    child.isEqualNode(known[at]);
  if (known.length === children.length && children.every(isSame)) return;
  const buttons = () => [...parent.querySelectorAll("button")];
  const focused = buttons().findIndex((each) => each === document.activeElement);
  parent.replaceChildren(...children);
  if (focused >= 0) buttons()[focused]?.focus({ preventScroll: true });
}

/**
 * The text with an ellipsis in place of its end where it is too long.
 * @param {string} text
 * @param {number} most
 */
export function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** @param {number} n */
export function count(n) {
  return n.toLocaleString("en");
}

/** @param {number} n @param {string} one @param {string} [many] */
export function counted(n, one, many) {
  return `${count(n)} ${n === 1 ? one : (many ?? `${one}s`)}`;
}

/** A duration, short and with three figures at most. @param {number} ms */
export function duration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < 1) return ms === 0 ? "0 ms" : `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms < 10 ? +ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1440)} d`;
}

/** @param {number} n @param {number} [width] */
function padded(n, width = 2) {
  return String(n).padStart(width, "0");
}

/** Formats times in the reader's time zone, or in UTC. */
export class Clock {
  utc = false;

  /** @param {number} epoch ms */
  #parts(epoch) {
    // Date's own UTC getters are far quicker than Intl: a zone's offset is taken off first.
    const offset = this.utc ? 0 : new Date(epoch).getTimezoneOffset() * 60_000;
    return new Date(epoch - offset);
  }

  /** @param {number} epoch @param {number} [digits] of the second's fraction */
  time(epoch, digits = 3) {
    const at = this.#parts(epoch);
    const whole = `${padded(at.getUTCHours())}:${padded(at.getUTCMinutes())}:${padded(at.getUTCSeconds())}`;
    return digits ? `${whole}.${padded(at.getUTCMilliseconds(), 3).slice(0, digits)}` : whole;
  }

  /** @param {number} epoch */
  date(epoch) {
    const at = this.#parts(epoch);
    return `${at.getUTCFullYear()}-${padded(at.getUTCMonth() + 1)}-${padded(at.getUTCDate())}`;
  }

  /** Month and day. @param {number} epoch */
  day(epoch) {
    return this.date(epoch).slice(5);
  }

  /** The first instant of the day that *epoch* is in. @param {number} epoch */
  midnight(epoch) {
    const at = this.#parts(epoch);
    const offset = at.getTime() - epoch;
    return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()) - offset;
  }

  /** @param {number} epoch */
  zone(epoch) {
    if (this.utc) return "UTC";
    const minutes = -new Date(epoch).getTimezoneOffset();
    if (minutes === 0) return "UTC";
    const size = Math.abs(minutes);
    return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${padded(size % 60)}` : ""}`;
  }
}
