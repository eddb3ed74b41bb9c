// The search of line heads for a regular expression. The head is the text before the message; many
// lines have the same one but for its values, such as the time and the ids. An automaton reads the head
// without its values, so one answer holds for all lines with this head.

/**
 * @typedef {import("./regex.js").Automaton} Automaton
 * @typedef {import("./heads.js").LineHead} LineHead
 * @typedef {import("./heads.js").Hole} Hole
 *
 * The characters that are possible at a place of a head: one of `characters`, or any if that is null.
 * With `isRepeated`, there can be several of them.
 * @typedef {object} Sign
 * @property {string} key
 * @property {string[] | null} characters
 * @property {boolean} isRepeated
 * @property {boolean | null} isWord whether they are word characters; null: some are, or it is unknown
 *
 * The characters of all values of a hole.
 * @typedef {(hole: Hole) => string[] | null} CharactersOf
 *
 * A state of the search: the states of the automaton in which a match may be, and those in which one
 * certainly is. States that need no character are not listed.
 * @typedef {object} Reached
 * @property {number[]} may
 * @property {number[]} must
 * @property {Sign | null} before the last sign; null at the start of a line
 * @property {Map<string, Step>} steps by the key of a sign
 *
 * The result for a head: `place` is one of the constants below. `begun`, if it is given, is the state
 * at the end of the head, for matches that may continue in the message.
 * @typedef {{place: number, begun: Reached | null}} Place
 *
 * The known results for the values of requests: index 0 is for lines without a request, index n + 1
 * for request n. `texts` are the texts around the values.
 * @typedef {{texts: string[], before: string, known: Uint8Array}} Values
 *
 * The result of reading one more sign. A match may end before it (`mayMatch`), or surely does
 * (`mustMatch`).
 * @typedef {{to: Reached, mayMatch: boolean, mustMatch: boolean}} Step
 */

/** No match is within the head; every head has one; each line must be tested; its values must be tested. */
const NO_MATCH = 0;
export const ALL_MATCH = 1;
export const ASK_LINE = 2;
export const ASK_VALUES = 3;

// After this number of characters of a message, a test of the whole line is faster.
const MOST_STEPS = 2;
const MATCHES_NOT = 1;
const MATCHES = 2;

const WORD = /\w/;
const ENDS_IN_WORD = /\w$/;
const DIGITS = Array.from("0123456789");
// As in heads.js: 2024-01-15 09:30:15.123, where the fraction has any number of digits.
const TIME = "0000-00-00T00:00:00.0";

/** @param {string[] | null} characters @param {boolean} [isRepeated] @returns {Sign} */
function sign(characters, isRepeated = false) {
  const kinds = new Set(characters?.map((character) => WORD.test(character)));
  const isWord = kinds.size === 1 ? kinds.has(true) : null;
  return {
    key: `${characters?.join("") ?? ""}${isRepeated ? "+" : ""}`,
    characters,
    isRepeated,
    isWord,
  };
}

/** @type {Map<string, Sign>} */
const signs = new Map();

/** @param {string} character */
function signOf(character) {
  let known = signs.get(character);
  if (!known) signs.set(character, (known = sign([character])));
  return known;
}

/** @param {string} text */
function signsOf(text) {
  return Array.from({ length: text.length }, (_, at) => signOf(text[at]));
}

const SIGNS_OF_TIME = Array.from(TIME, (character) => {
  if (character === "T") return sign(["T", " "]);
  if (character === ".") return sign([".", ","]);
  return sign(character === "0" ? DIGITS : [character]);
}).with(-1, sign(DIGITS, true));

/** A regular expression that is searched for in heads. */
export class HeadSearch {
  /** @type {Map<string, Reached>} */
  #reached = new Map();
  /** @type {Map<string, Uint8Array>} what is known of requests, by the tail of a head */
  #known = new Map();
  /** @type {Map<Hole, Sign>} */
  #holes = new Map();

  /** @param {Automaton} automaton @param {CharactersOf} charactersOf @param {number} size of the requests */
  constructor(automaton, charactersOf, size) {
    this.automaton = automaton;
    this.charactersOf = charactersOf;
    this.size = size;
    this.nothing = this.#reach([], [], null);
  }

  /** @param {LineHead} head @returns {Place} */
  placeOf(head) {
    // An assertion such as \b then depends on the first character of the message, which is unknown.
    if (this.automaton.hasAssertion && endsInWord(head)) return { place: ASK_LINE, begun: null };
    const [first, ...others] = head.texts;
    const lead = first.slice(0, leadOf(head));
    const time = head.isTimed ? SIGNS_OF_TIME : [];
    const tail = signsOf(first.slice(lead.length));
    others.forEach((text, hole) => tail.push(this.#hole(head.holes[hole]), ...signsOf(text)));
    const ofLead = this.#run([...time, ...signsOf(lead)], tail, time.length);
    const ofTail = this.#inTail(lead, head.isTimed, tail);
    const begun = this.#both(ofLead.begun, ofTail.begun);
    const places = [ofLead.place, ofTail.place];
    const place = [ALL_MATCH, ASK_LINE].find((each) => places.includes(each)) ?? ofTail.place;
    return { place, begun };
  }

  /** @param {Reached | null} one @param {Reached | null} other */
  #both(one, other) {
    if (!one || !other) return one ?? other;
    return this.#reach(sorted(new Set([...one.may, ...other.may])), [], one.before);
  }

  /**
   * The result for matches that begin in the lead.
   * @param {Sign[]} lead @param {Sign[]} tail @param {number} timed how many signs are the time's
   * @returns {Place}
   */
  #run(lead, tail, timed) {
    let reached = this.nothing;
    let mayEnd = false;
    const all = [...lead, ...tail];
    for (let at = 0; at < all.length; at++) {
      const { to, mayMatch, mustMatch } = this.#step(reached, all[at], at < lead.length);
      if (mustMatch) return { place: ALL_MATCH, begun: null };
      // A match that ends in the time is found by the scan of the texts after the heads.
      if (mayMatch && at > timed) mayEnd = true;
      reached = to;
    }
    const { mayMatch, mustMatch, begun } = this.#end(reached);
    if (mustMatch) return { place: ALL_MATCH, begun: null };
    if (mayMatch && all.length > timed) mayEnd = true;
    return { place: mayEnd ? ASK_LINE : NO_MATCH, begun };
  }

  /** @type {Map<string, Place>} */
  #tails = new Map();

  /** The result for matches that begin after the lead. @param {string} lead @param {boolean} isTimed @param {Sign[]} tail */
  #inTail(lead, isTimed, tail) {
    const before = signBefore(lead, isTimed);
    const key = [before?.key ?? "", ...tail.map((each) => each.key)].join("\n");
    let place = this.#tails.get(key);
    if (place === undefined) this.#tails.set(key, (place = this.#runTail(before, tail)));
    return place;
  }

  /** @param {Sign | null} before @param {Sign[]} tail @returns {Place} */
  #runTail(before, tail) {
    let reached = this.#reach([], [], before);
    let mayEnd = false;
    for (const each of tail) {
      const { to, mayMatch, mustMatch } = this.#step(reached, each, true);
      if (mustMatch) return { place: ALL_MATCH, begun: null };
      mayEnd ||= mayMatch;
      reached = to;
    }
    const { mayMatch, mustMatch, begun } = this.#end(reached);
    if (mustMatch) return { place: ALL_MATCH, begun: null };
    if (mayMatch && this.automaton.hasAssertion) return { place: ASK_LINE, begun };
    return { place: mayEnd || mayMatch ? ASK_VALUES : NO_MATCH, begun };
  }

  /** @type {Map<LineHead, Values>} */
  #ofHead = new Map();

  /**
   * Whether the head matches with the values of the request.
   * @param {LineHead} head @param {number} r @param {import("./heads.js").ValueOf} valueOf
   */
  hasMatch(head, r, valueOf) {
    let values = this.#ofHead.get(head);
    if (!values) this.#ofHead.set(head, (values = this.#valuesOf(head)));
    const { texts, before, known } = values;
    let is = known[r + 1];
    if (!is) {
      let text = texts[0];
      for (let hole = 0; hole < head.holes.length; hole++)
        text += valueOf(head.holes[hole], r) + texts[hole + 1];
      const { pattern } = this.automaton;
      pattern.lastIndex = before.length;
      known[r + 1] = is = pattern.test(text) ? MATCHES : MATCHES_NOT;
    }
    return is === MATCHES;
  }

  /** Heads with the same tail share the results. @param {LineHead} head @returns {Values} */
  #valuesOf(head) {
    const at = leadOf(head);
    const before = at > 0 ? head.texts[0][at - 1] : head.isTimed ? "0" : "";
    const texts = [before + head.texts[0].slice(at), ...head.texts.slice(1)];
    const key = [before, ...texts, ...head.holes].join("\n");
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, (known = new Uint8Array(this.size + 1)));
    return { texts, before, known };
  }

  /**
   * Whether a match that began in the head may end in the message.
   * @param {Reached} begun @param {string} text @param {number} start of the message @param {number} end
   */
  mayGoOn(begun, text, start, end) {
    let reached = begun;
    const until = Math.min(end, start + MOST_STEPS);
    for (let at = start; at < until; at++) {
      const { to, mayMatch } = this.#step(reached, signOf(text[at]), false);
      if (mayMatch) return true;
      if (to.may.length === 0) return false;
      reached = to;
    }
    return until < end || this.#end(reached).mayMatch;
  }

  /** @param {Hole} hole */
  #hole(hole) {
    let known = this.#holes.get(hole);
    if (!known) {
      known = { ...sign(this.charactersOf(hole), true), key: `+${hole}` };
      this.#holes.set(hole, known);
    }
    return known;
  }

  /** @param {number[]} may @param {number[]} must @param {Sign | null} before @returns {Reached} */
  #reach(may, must, before) {
    const key = `${may.join()};${must.join()};${before ? before.key : "^"}`;
    let known = this.#reached.get(key);
    if (!known) this.#reached.set(key, (known = { may, must, before, steps: new Map() }));
    return known;
  }

  /** @param {Reached} reached @param {Sign} next @param {boolean} isBegin whether a match may begin at it @returns {Step} */
  #step(reached, next, isBegin) {
    const key = isBegin ? next.key : `-${next.key}`;
    let known = reached.steps.get(key);
    if (known) return known;
    const { accepting, first } = this.automaton;
    let { may, before } = reached;
    const begin = isBegin ? [first] : [];
    const must = this.#closure([...reached.must, ...begin], before, next, true);
    const mustMatch = must.has(accepting);
    let mayMatch = false;
    /** @type {Set<number>} */
    let to = new Set();
    for (let size = -1; size < to.size;) {
      size = to.size;
      const closed = this.#closure([...may, ...to, ...begin], before, next, false);
      mayMatch ||= closed.has(accepting);
      to = new Set([...to, ...this.#after(closed, next, false)]);
      if (!next.isRepeated) break;
      before = next;
    }
    const sure = next.isRepeated ? new Set() : this.#after(must, next, true);
    const reachedNow = this.#reach(sorted(to), sorted(sure), next);
    reached.steps.set(key, (known = { to: reachedNow, mayMatch, mustMatch }));
    return known;
  }

  /** The matches at the end of a head, and those that may continue after it. @param {Reached} reached */
  #end({ may, must, before }) {
    const { accepting, states } = this.automaton;
    const closed = this.#closure(may, before, null, false);
    const isAlive = [...closed].some((state) => states[state].edge !== null);
    return {
      mayMatch: closed.has(accepting),
      mustMatch: this.#closure(must, before, null, true).has(accepting),
      begun: isAlive ? this.#reach(may, [], before) : null,
    };
  }

  /** The states that need no further character. @param {Iterable<number>} from @param {Sign | null} before @param {Sign | null} next @param {boolean} isSure */
  #closure(from, before, next, isSure) {
    const found = new Set(from);
    for (const at of found) {
      const { edge, assertion, to } = this.automaton.states[at];
      if (edge || (assertion && !holdsAt(assertion, before, next, isSure))) continue;
      for (const each of to) found.add(each);
    }
    return found;
  }

  /** The states after a sign. @param {Iterable<number>} from @param {Sign} next @param {boolean} isSure */
  #after(from, { characters }, isSure) {
    const found = new Set();
    for (const at of from) {
      const { edge, to } = this.automaton.states[at];
      if (!edge) continue;
      const accepts = (/** @type {string} */ character) => edge.accepts(character);
      const isAccepted = isSure ? characters?.every(accepts) : (characters?.some(accepts) ?? true);
      if (isAccepted) for (const each of to) found.add(each);
    }
    return found;
  }
}

/** @param {LineHead} head */
export function endsInWord({ texts }) {
  return ENDS_IN_WORD.test(texts[texts.length - 1]);
}

/** Whether an assertion holds between two signs, surely or maybe. @param {string} assertion @param {Sign | null} before @param {Sign | null} next @param {boolean} isSure */
function holdsAt(assertion, before, next, isSure) {
  if (assertion === "^") return before === null;
  // The message follows the head, and may be empty.
  if (assertion === "$") return next === null && !isSure;
  const one = before ? before.isWord : false;
  const other = next ? next.isWord : null;
  if (one === null || other === null) return !isSure;
  return one !== other;
}

/** The end of the lead of a head: the lead ends with the last space before the values. @param {LineHead} head */
function leadOf({ texts, holes }) {
  return holes.length > 0 ? texts[0].lastIndexOf(" ") + 1 : texts[0].length;
}

/** The sign before the tail. @param {string} lead @param {boolean} isTimed */
function signBefore(lead, isTimed) {
  if (lead) return signOf(lead[lead.length - 1]);
  return isTimed ? SIGNS_OF_TIME[SIGNS_OF_TIME.length - 1] : null;
}

/** @param {Iterable<number>} numbers */
function sorted(numbers) {
  return [...numbers].sort((one, other) => one - other);
}
