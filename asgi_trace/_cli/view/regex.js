// Regular expressions as automata. Back references, lookarounds and \B cannot be expressed so: a pattern
// with them has no automaton. The search uses automata to find where a pattern can match in a line, and
// to scan many lines at once.

/**
 * A part of a regular expression. An `edge` is one character, matched by `source`.
 * @typedef {{kind: "edge", source: string} | {kind: "assertion", sign: string}
 *   | {kind: "sequence" | "either", parts: Part[]}
 *   | {kind: "repeat", part: Part, least: number, most: number}} Part
 *
 * A state of an automaton. `to` are the next states, after a character that `edge` accepts. A state
 * without an edge needs no character, but its assertion must hold.
 * @typedef {object} State
 * @property {Edge | null} edge
 * @property {string} assertion "" for none
 * @property {number[]} to
 */

/** A set of characters, given by a regular expression. */
class Edge {
  /** @type {Map<string, boolean>} */
  #known = new Map();

  /** @param {string} source @param {string} flags */
  constructor(source, flags) {
    this.pattern = new RegExp(`^${source}$`, flags);
  }

  /** @param {string} character */
  accepts(character) {
    let is = this.#known.get(character);
    if (is === undefined) this.#known.set(character, (is = this.pattern.test(character)));
    return is;
  }
}

const MOST_STATES = 400;
const ALPHANUMERIC = /[a-z0-9]/i;
const QUANTIFIER = /(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y;
const CLASS = /\[\^?(?:\\[^]|[^\]\\])*\]/y;
// The escapes of letters that are supported. No other letter or digit may be escaped.
const ESCAPES = /[dDwWsSt]/;

/** Thrown for an expression that has no automaton. */
class Unsupported extends Error {}

class Reader {
  #at = 0;

  /** @param {string} source */
  constructor(source) {
    this.source = source;
  }

  /** @returns {Part} */
  whole() {
    const part = this.#either();
    if (this.#at < this.source.length) throw new Unsupported();
    return part;
  }

  /** @returns {Part} */
  #either() {
    const parts = [this.#sequence()];
    while (this.source[this.#at] === "|") {
      this.#at++;
      parts.push(this.#sequence());
    }
    return { kind: "either", parts };
  }

  /** @returns {Part} */
  #sequence() {
    /** @type {Part[]} */
    const parts = [];
    while (this.#at < this.source.length && !"|)".includes(this.source[this.#at]))
      parts.push(this.#repeated(this.#one()));
    return { kind: "sequence", parts };
  }

  /** @param {Part} part @returns {Part} */
  #repeated(part) {
    QUANTIFIER.lastIndex = this.#at;
    const match = QUANTIFIER.exec(this.source);
    if (!match) return part;
    this.#at = QUANTIFIER.lastIndex;
    const [, sign, first, comma, last] = match;
    if (sign)
      return { kind: "repeat", part, least: +(sign === "+"), most: sign === "?" ? 1 : Infinity };
    const most = last ? +last : comma ? Infinity : +first;
    return { kind: "repeat", part, least: +first, most };
  }

  /** A character, a class, an assertion or a group. @returns {Part} */
  #one() {
    const character = this.source[this.#at];
    if (character === "(") return this.#group();
    if (character === "^" || character === "$") {
      this.#at++;
      return { kind: "assertion", sign: character };
    }
    if (character === "[") return { kind: "edge", source: this.#class() };
    if (character === "\\") return this.#escape();
    this.#at++;
    return { kind: "edge", source: "{}]".includes(character) ? `\\${character}` : character };
  }

  #class() {
    CLASS.lastIndex = this.#at;
    const match = CLASS.exec(this.source);
    if (!match) throw new Unsupported();
    this.#at = CLASS.lastIndex;
    return match[0];
  }

  /** @returns {Part} */
  #group() {
    const hasNoNumber = this.source.startsWith("(?:", this.#at);
    if (this.source[this.#at + 1] === "?" && !hasNoNumber) throw new Unsupported();
    this.#at += hasNoNumber ? 3 : 1;
    const part = this.#either();
    this.#at++;
    return part;
  }

  /** @returns {Part} */
  #escape() {
    const character = this.source[this.#at + 1];
    this.#at += 2;
    if (character === "b") return { kind: "assertion", sign: "b" };
    if (ALPHANUMERIC.test(character) && !ESCAPES.test(character)) throw new Unsupported();
    return { kind: "edge", source: `\\${character}` };
  }
}

const WITHOUT_ENDS = new Map([
  ["\\D", "[^\\d\n\u0001]"],
  ["\\W", "[^\\w\n\u0001]"],
  ["\\s", "[^\\S\n]"],
  ["\\S", "[^\\s\u0001]"],
]);

/** A regular expression as an automaton; its last state is the one that accepts. */
export class Automaton {
  /** @type {State[]} */
  states = [];
  /** Whether it has an assertion. */
  hasAssertion = false;
  /** Whether one of its assertions is the start of a line. */
  hasStart = false;
  /** Whether a match may contain the end of a line. */
  isBeyondLines = false;

  /** @param {RegExp} pattern @throws {Unsupported} */
  constructor(pattern) {
    if (/[uv]/.test(pattern.flags)) throw new Unsupported();
    this.pattern = pattern;
    this.#flags = pattern.flags.replace(/[^is]/g, "");
    const part = new Reader(pattern.source).whole();
    this.first = this.#compiled(part, this.#state());
    this.accepting = 0;
    /** The same pattern; its matches contain no line end and no \u0001. */
    this.scan = new RegExp(this.#withoutEnds(part), pattern.flags);
  }

  #flags;

  /** @param {Edge | null} edge @param {number[]} to */
  #state(edge = null, to = /** @type {number[]} */ ([]), assertion = "") {
    if (this.states.length >= MOST_STATES) throw new Unsupported();
    return this.states.push({ edge, assertion, to }) - 1;
  }

  /** The first state of the part; the state *next* follows the part. @param {Part} part @param {number} next @returns {number} */
  #compiled(part, next) {
    switch (part.kind) {
      case "edge": {
        const edge = new Edge(part.source, this.#flags);
        this.isBeyondLines ||= edge.accepts("\n");
        return this.#state(edge, [next]);
      }
      case "assertion":
        this.hasAssertion = true;
        this.hasStart ||= part.sign === "^";
        return this.#state(null, [next], part.sign);
      case "sequence":
        return part.parts.reduceRight((behind, each) => this.#compiled(each, behind), next);
      case "either":
        return this.#state(
          null,
          part.parts.map((each) => this.#compiled(each, next)),
        );
      case "repeat":
        return this.#repeat(part.part, part.least, part.most, next);
    }
  }

  /** @param {Part} part @param {number} least @param {number} most @param {number} next */
  #repeat(part, least, most, next) {
    let first = next;
    if (most === Infinity) {
      first = this.#state(null, [next]);
      this.states[first].to.push(this.#compiled(part, first));
    } else
      for (let left = most - least; left > 0; left--)
        first = this.#state(null, [next, this.#compiled(part, first)]);
    for (let left = least; left > 0; left--) first = this.#compiled(part, first);
    return first;
  }

  /** @param {Part} part @returns {string} */
  #withoutEnds(part) {
    switch (part.kind) {
      case "edge":
        return this.#edgeWithoutEnds(part.source);
      case "assertion":
        return part.sign === "b" ? "\\b" : part.sign;
      case "sequence":
        return part.parts.map((each) => this.#withoutEnds(each)).join("");
      case "either":
        return `(?:${part.parts.map((each) => this.#withoutEnds(each)).join("|")})`;
      case "repeat": {
        const most = part.most === Infinity ? "" : part.most;
        return `(?:${this.#withoutEnds(part.part)}){${part.least},${most}}`;
      }
    }
  }

  /** @param {string} source */
  #edgeWithoutEnds(source) {
    const known = WITHOUT_ENDS.get(source);
    if (known) return known;
    if (source === ".")
      return this.#flags.includes("s") ? "[^\n\u0001]" : "[^\n\r\u2028\u2029\u0001]";
    if (source.startsWith("[^")) return `${source.slice(0, -1)}\n\u0001]`;
    const edge = new Edge(source, this.#flags);
    const isWithout = !edge.accepts("\n") && !edge.accepts("\u0001");
    return isWithout ? source : `(?:(?![\n\u0001])${source})`;
  }
}

/** The expression as an automaton; null if it has none. @param {RegExp} pattern */
export function automatonOf(pattern) {
  try {
    return new Automaton(pattern);
  } catch (error) {
    if (error instanceof Unsupported) return null;
    throw error;
  }
}
