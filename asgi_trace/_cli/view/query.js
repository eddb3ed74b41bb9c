// The language of the search box and the search: `words /regex/ status:>=500 -level:debug OR user:42`.

import { LEVELS, NOBODY, breath } from "./data.js";
import { comparison, escaped, fieldTest, presence, wordsOf } from "./fields.js";
import { BREAK, IS_OUTSIDE, IS_WITHIN, placeIn } from "./heads.js";
import { ALL_MATCH, ASK_LINE, ASK_VALUES, HeadSearch, endsInWord } from "./headsearch.js";
import { automatonOf } from "./regex.js";

/**
 * @typedef {import("./data.js").Trace} Trace
 * @typedef {import("./data.js").ReadChunk} ReadChunk
 * @typedef {import("./headsearch.js").Place} Place
 *
 * A test of the text of a line: one of the patterns must be found, and `holds`, if it is given,
 * must then hold. A line that passes has one of `words`; without any, each line is tested by
 * itself. If there are words, no pattern can match a line end. An `automaton` finds the same lines
 * by one scan.
 * @typedef {{patterns: RegExp[], isWanted: boolean, words: string[],
 *   automaton?: import("./regex.js").Automaton | null, holds?: (text: string) => boolean}} TextTest
 *
 * A test during a search: `touched` has the values of requests that have one of its words in them.
 * @typedef {TextTest & {touched: Map<import("./heads.js").Hole, Uint8Array>,
 *   heads: HeadSearch | null}} RunningTest
 *
 * A test of a request or of a line, by its number.
 * @typedef {(trace: Trace, index: number) => boolean} Test
 *
 * Tests that must all hold; `fields` are those of a line's own fields, with the term as it was typed.
 * @typedef {object} Alternative
 * @property {Test[]} requests
 * @property {Test[]} lines
 * @property {TextTest[]} texts
 * @property {{test: import("./fields.js").FieldTest, term: string}[]} fields
 *
 * A query: one of its alternatives must hold. `marks` find the texts to mark in the lines, `errors`
 * are sentences about mistakes in the query.
 * @typedef {object} Query
 * @property {Alternative[]} alternatives
 * @property {RegExp[]} marks
 * @property {string[]} errors
 * @property {boolean} isEmpty
 */

const TOKEN =
  /(-?)(?:([a-z_@][\w.@-]*):(?!\/\/))?(?:"([^"]*)"|\/((?:\\.|[^\/\\\n])+)\/([imsu]*)(?=\s|$)|(\S+))/giy;
const OR = "OR";
// The page shows these fields of JSON and logfmt in columns of its own.
const ALIASES = new Map([
  ["request_id", "request"],
  ["session_id", "session"],
  ["trace_id", "trace"],
  ["span_id", "span"],
  ["duration_ms", "dur"],
]);

/** @returns {Alternative} */
function noTests() {
  return { requests: [], lines: [], texts: [], fields: [] };
}

/** @param {string} text @returns {Query} */
export function parse(text) {
  /** @type {Query} */
  const query = { alternatives: [noTests()], marks: [], errors: [], isEmpty: true };
  let terms = 0; // of the last alternative
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    if (/\s/.test(text[at])) {
      TOKEN.lastIndex = at + 1;
      continue;
    }
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) break;
    query.isEmpty = false;
    if (match[0] !== OR) {
      addTerm(query, match);
      terms++;
      continue;
    }
    if (terms === 0) query.errors.push("OR needs a term before it");
    query.alternatives.push(noTests());
    terms = 0;
  }
  if (query.alternatives.length > 1 && terms === 0) query.errors.push("OR needs a term behind it");
  return query;
}

/** @param {Query} query @param {RegExpExecArray} match of a token */
function addTerm(query, match) {
  const alternative = query.alternatives[query.alternatives.length - 1];
  const [term, minus, field, quoted, regex, flags, word] = match;
  const isWanted = !minus;
  if (field) {
    const value = quoted ?? word ?? `/${regex}/${flags}`;
    const name = ALIASES.get(field.toLowerCase()) ?? field.toLowerCase();
    if (name === "message") addText(query, value, isWanted);
    else if (Object.hasOwn(TESTS, name)) addField(query, name, value, isWanted);
    else {
      const test = fieldTest(field, value, isWanted);
      alternative.fields.push({ test, term: term.slice(minus.length) });
    }
  } else if (regex !== undefined) {
    try {
      const pattern = new RegExp(regex, `gm${flags.replace("m", "")}`);
      alternative.texts.push(regexTest(pattern, isWanted));
      if (isWanted) query.marks.push(pattern);
    } catch {
      query.errors.push(`/${regex}/ is no regular expression`);
    }
  } else addText(query, term.slice(minus.length), isWanted);
}

/** @param {Query} query @param {string} text @param {boolean} isWanted */
function addText(query, text, isWanted) {
  const test = wordTest(text, isWanted);
  if (!test) return;
  query.alternatives[query.alternatives.length - 1].texts.push(test);
  if (isWanted) query.marks.push(...test.patterns);
}

/** @param {string} term @param {boolean} isWanted @returns {TextTest | null} */
function wordTest(term, isWanted) {
  const word = term.replaceAll('"', "");
  if (!word) return null;
  return wordsTest([word], isWanted);
}

/** One of the words must be found. @param {string[]} words @param {boolean} isWanted @returns {TextTest} */
function wordsTest(words, isWanted) {
  return { patterns: [new RegExp(words.map(escaped).join("|"), "gi")], isWanted, words };
}

/** @param {RegExp} pattern @param {boolean} isWanted @returns {TextTest} */
function regexTest(pattern, isWanted) {
  const automaton = automatonOf(pattern);
  const words = wordsOf(pattern.source, pattern.flags);
  if (words.length === 0) return { patterns: [pattern], isWanted, words, automaton };
  /** @param {string} text */
  const holds = (text) => {
    pattern.lastIndex = 0;
    return pattern.test(text);
  };
  return { ...wordsTest(words, isWanted), automaton, holds };
}

/** @param {Query} query @param {string} name @param {string} value @param {boolean} isWanted */
function addField(query, name, value, isWanted) {
  const test = TESTS[name](value);
  if (typeof test === "string") {
    query.errors.push(`${name}:${value}: expected ${test}`);
    return;
  }
  const alternative = query.alternatives[query.alternatives.length - 1];
  const wanted = isWanted
    ? test.run
    : (/** @type {Trace} */ trace, /** @type {number} */ i) => !test.run(trace, i);
  (test.ofLine ? alternative.lines : alternative.requests).push(wanted);
}

const COMPARISON = /^(>=|<=|!=|>|<|=)?(\d+(?:\.\d+)?)(.*)$/;
const UNITS = { "": 1, ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/**
 * A test of a column with text: the value may hold `*`, and the form says where it has to match.
 * @param {"id" | "trace" | "span" | "method" | "call" | "outcome"} column
 * @param {string} value
 * @param {(pattern: string) => string} form
 */
function matching(column, value, form) {
  const pattern = new RegExp(form(value.split("*").map(escaped).join(".*")), "is");
  return {
    run: (/** @type {Trace} */ trace, /** @type {number} */ r) => {
      const found = trace.requests[column][r];
      return typeof found === "string" && pattern.test(found);
    },
  };
}

/**
 * The known value of the place, else the result of *find*.
 * @param {Map<number, boolean>} known @param {number} place @param {() => boolean} find
 */
function once(known, place, find) {
  let is = known.get(place);
  if (is === undefined) known.set(place, (is = find()));
  return is;
}

const whole = (/** @type {string} */ pattern) => `^${pattern}$`;
const beginning = (/** @type {string} */ pattern) => `^${pattern}`;
const anywhere = (/** @type {string} */ pattern) => pattern;

/**
 * The fields of the language: each makes a test of its value, or returns a text on the valid
 * values.
 * @type {Record<string, (value: string) => string | {run: Test, ofLine?: boolean}>}
 */
const TESTS = {
  status(value) {
    const family = /^([1-9])xx$/i.exec(value);
    if (family) {
      const hundreds = +family[1];
      return { run: (trace, r) => Math.floor((trace.requests.status[r] ?? 0) / 100) === hundreds };
    }
    const match = COMPARISON.exec(value);
    if (!match || match[3]) return "a status such as 404, 5xx or >=500";
    const holds = comparison(match[1], +match[2]);
    return {
      run(trace, r) {
        const status = trace.requests.status[r];
        return typeof status === "number" && holds(status);
      },
    };
  },
  dur(value) {
    const match = COMPARISON.exec(value);
    const unit = match && /** @type {Record<string, number>} */ (UNITS)[match[3].toLowerCase()];
    if (!match || !unit) return "a duration such as >1s, <=250ms or >2m";
    const holds = comparison(match[1] ?? ">=", +match[2] * unit);
    return { run: (trace, r) => holds(trace.knownDuration(r)) };
  },
  session(value) {
    if (value === "none") return { run: (trace, r) => trace.requests.session[r] === NOBODY };
    const wanted = value.toLowerCase();
    return {
      run(trace, r) {
        const s = trace.requests.session[r];
        return (
          s >= 0 && (trace.sessions[s].toLowerCase().startsWith(wanted) || trace.label(s) === value)
        );
      },
    };
  },
  request: (value) => matching("id", value, beginning),
  trace: (value) => matching("trace", value, beginning),
  span: (value) => matching("span", value, beginning),
  method: (value) => matching("method", value, whole),
  call: (value) => matching("call", value, anywhere),
  outcome: (value) => matching("outcome", value, whole),
  path(value) {
    const pattern = new RegExp(whole(value.split("*").map(escaped).join(".*")), "is");
    const hasQuery = value.includes("?");
    return {
      run(trace, r) {
        const path = trace.requests.path[r];
        if (typeof path !== "string") return false;
        return pattern.test(hasQuery ? path : path.split("?", 1)[0]);
      },
    };
  },
  level(value) {
    const match = /^(>=|=)?([a-z]+)$/i.exec(value);
    const level = match ? LEVELS.findIndex((name) => name.startsWith(match[2].toLowerCase())) : -1;
    if (!match || level < 0) return `one of ${LEVELS.slice(1).join(", ")}, alone or behind =`;
    const isExact = match[1] === "=";
    return {
      ofLine: true,
      run: (trace, line) => (isExact ? trace.level[line] === level : trace.level[line] >= level),
    };
  },
  file(value) {
    const pattern = new RegExp(value.split("*").map(escaped).join(".*"), "is");
    /** @type {Map<number, boolean>} by the place of the log, since there are few */
    const holds = new Map();
    return {
      ofLine: true,
      run: (trace, line) => once(holds, trace.fileOf(line), () => pattern.test(trace.file(line))),
    };
  },
  service(value) {
    const wanted = value.split(",").map((name) => name.split("*").map(escaped).join(".*"));
    const pattern = new RegExp(`^(?:${wanted.join("|")})$`, "is");
    /** @type {Map<number, boolean>} by the place of the service, since there are few */
    const holds = new Map();
    return {
      ofLine: true,
      run(trace, line) {
        const service = trace.lineService(line);
        return once(holds, service, () => pattern.test(trace.services[service] ?? "none"));
      },
    };
  },
  is(value) {
    switch (value.toLowerCase()) {
      case "error":
        return { run: (trace, r) => trace.isError(r) };
      case "late":
        return { ofLine: true, run: (trace, line) => trace.isLate[line] === 1 };
      case "unknown":
        return { ofLine: true, run: (trace, line) => trace.request[line] === NOBODY };
      default:
        return "error, late or unknown";
    }
  },
};

/**
 * The result of a search.
 * @typedef {object} Found
 * @property {Uint8Array} isHit 1 for each line that was found
 * @property {Int32Array} lines the lines that were found, in order
 * @property {Uint8Array} requestHit 1 for each request with such a line
 * @property {number} requests how many requests these are
 * @property {string[]} notes sentences about the query, such as on a field that no line has
 * @property {number} searched the number of lines that were searched
 * @property {number} asked the number of lines that were tested one by one, which is slow
 *
 * The requests and the lines of no request to which a search is limited.
 * @typedef {{requests: Uint8Array, lines: Set<number>}} Limit
 *
 * An alternative that is being searched for; `ofRequest` is 1 for each request whose tests hold.
 * @typedef {object} Search
 * @property {Uint8Array} ofRequest
 * @property {boolean} isOfLines whether some tests are about lines
 * @property {boolean} isOfRequests whether some tests are about requests
 * @property {Test[]} lines
 * @property {RunningTest[]} texts
 * @property {boolean} isOrdered whether the rarest text is the first
 */

// The milliseconds of search before the browser may paint.
const SLICE = 24;
// The lines found so far are shown after FIRST_SHOWN milliseconds, if the whole search seems to take
// longer than SOON; then again each time that NEXT_SHOWN times as long has passed.
const FIRST_SHOWN = 100;
const SOON = 160;
const NEXT_SHOWN = 3;
// If fewer than one in this number of lines are left, they are tested one by one.
const FEW = 16;

/**
 * Search the lines that were read. Null once *isCurrent* returns false: another search has begun.
 * @param {Query} query @param {Trace} trace @param {() => boolean} isCurrent
 * @param {Limit | null} limit
 * @param {(found: Found) => void} soFar is given the result of a long search so far
 * @returns {Promise<Found | null>}
 */
export async function search(query, trace, isCurrent, limit, soFar) {
  /** @type {string[]} */
  const notes = [];
  const searches = withOneOfWords(query.alternatives).map((each) =>
    begin(each, trace, limit, notes),
  );
  const isHit = new Uint8Array(trace.count);
  const requestHit = new Uint8Array(trace.size);
  for (const { ofRequest, isOfLines } of searches) {
    if (isOfLines) continue;
    for (let r = 0; r < ofRequest.length; r++) requestHit[r] |= ofRequest[r];
  }
  const lines = new Int32Array(trace.count);
  let size = 0;
  let searched = 0;
  const begun = performance.now();
  let since = begun;
  let next = FIRST_SHOWN;
  const { request } = trace;
  const askedBefore = asked;
  const foundNow = () => {
    let requests = 0;
    for (let r = 0; r < requestHit.length; r++) requests += requestHit[r];
    const found = lines.slice(0, size);
    return {
      isHit,
      lines: found,
      requestHit,
      requests,
      notes,
      searched,
      asked: asked - askedBefore,
    };
  };
  for (const chunk of trace.chunks) {
    if (!chunk) continue;
    const { start } = chunk;
    const end = start + chunk.offset.length - 1;
    const found = anyHit(searches, chunk, trace, limit);
    isHit.set(found, start);
    for (let i = start; i < end; i++) {
      if (!isHit[i]) continue;
      lines[size++] = i;
      if (request[i] >= 0) requestHit[request[i]] = 1;
    }
    searched += end - start;
    if (performance.now() - since > SLICE) {
      const took = performance.now() - begun;
      if (took > next && (took * trace.linked) / searched > SOON && searched < trace.linked) {
        soFar(foundNow());
        next = took * NEXT_SHOWN;
      }
      await breath();
      if (!isCurrent()) return null;
      since = performance.now();
    }
  }
  return foundNow();
}

/**
 * The alternatives, those that are one word each as a single one: one scan finds all of the words.
 * @param {Alternative[]} alternatives
 */
function withOneOfWords(alternatives) {
  const words = alternatives.filter(isWord).flatMap(({ texts }) => texts[0].words);
  if (words.length < 2) return alternatives;
  const others = alternatives.filter((each) => !isWord(each));
  return [...others, { ...noTests(), texts: [wordsTest(words, true)] }];
}

/** @param {Alternative} alternative */
function isWord({ requests, lines, texts, fields }) {
  const isText = texts.length === 1 && requests.length + lines.length + fields.length === 0;
  return isText && texts[0].isWanted && texts[0].words.length === 1 && !texts[0].holds;
}

/**
 * Test the requests. A field that no line has is searched for as a word, with a note.
 * @param {Alternative} alternative @param {Trace} trace @param {Limit | null} limit
 * @param {string[]} notes
 * @returns {Search}
 */
function begin(alternative, trace, limit, notes) {
  const { requests, lines } = alternative;
  const ofRequest = new Uint8Array(trace.size);
  for (let r = 0; r < trace.size; r++) {
    const isWithin = limit === null || limit.requests[r] === 1;
    ofRequest[r] = isWithin && requests.every((test) => test(trace, r)) ? 1 : 0;
  }
  const texts = [...alternative.texts];
  for (const { test, term } of alternative.fields) {
    if (isKnown(test.name, trace)) {
      texts.push(test);
      continue;
    }
    const word = wordTest(term, test.isWanted);
    if (word) texts.push(word);
    if (trace.linked === trace.count)
      notes.push(`no line has a field ${test.name}: searched for the text ${term}`);
  }
  return {
    ofRequest,
    isOfLines: lines.length + texts.length > 0,
    isOfRequests: requests.length > 0,
    lines,
    texts: texts.map((test) => running(test, trace)),
    isOrdered: texts.length < 2,
  };
}

/** @param {TextTest} test @param {Trace} trace @returns {RunningTest} */
function running(test, trace) {
  const { automaton } = test;
  const heads = automaton
    ? new HeadSearch(automaton, (hole) => charactersOf(hole, trace), trace.size)
    : null;
  return { ...test, touched: new Map(), heads };
}

/** @type {WeakMap<Trace, Map<string, number>>} by name: lines searched in vain, -1 for a known field */
const searchedFor = new WeakMap();

/** Whether a line that was read has a field of this name. @param {string} name @param {Trace} trace */
function isKnown(name, trace) {
  let known = searchedFor.get(trace);
  if (!known) searchedFor.set(trace, (known = new Map()));
  const searched = known.get(name) ?? 0;
  if (searched < 0) return true;
  if (searched === trace.linked) return false;
  const test = running(presence(name), trace);
  const isFound = trace.chunks.some((chunk) => chunk && hasLine(test, chunk, trace));
  known.set(name, isFound ? -1 : trace.linked);
  return isFound;
}

/**
 * The lines of the chunk that one of the searches finds: 1 for each, by its place.
 * @param {Search[]} searches @param {ReadChunk} chunk @param {Trace} trace @param {Limit | null} limit
 */
function anyHit(searches, chunk, trace, limit) {
  const [found, ...others] = searches.map((each) => hits(each, chunk, trace, limit));
  for (const other of others) for (let at = 0; at < found.length; at++) found[at] |= other[at];
  return found;
}

/**
 * The lines of the chunk that are found: 1 for each, by its place.
 * @param {Search} search @param {ReadChunk} chunk @param {Trace} trace @param {Limit | null} limit
 */
function hits(search, chunk, trace, limit) {
  const { start } = chunk;
  const size = chunk.offset.length - 1;
  const isAny = limit === null && !search.isOfRequests;
  const found = isAny ? new Uint8Array(size).fill(1) : ofRequests(search, chunk, trace, limit);
  for (const test of search.lines)
    for (let at = 0; at < size; at++) if (found[at] && !test(trace, start + at)) found[at] = 0;
  // The text that is rarest in the first chunk comes first in the others, so that few lines are
  // left.
  if (!search.isOrdered) {
    search.texts = rarestFirst(search.texts, chunk, trace);
    search.isOrdered = true;
  }
  let left = isAny && search.lines.length === 0 ? size : hitsIn(found);
  for (const text of search.texts) {
    if (left < size / FEW) {
      left = keepAlone(text, chunk, found, trace);
      continue;
    }
    const has = linesWith(text, chunk, trace);
    const unwanted = text.isWanted ? 0 : 1;
    for (let at = 0; at < size; at++) if (has[at] === unwanted) found[at] = 0;
    left = hitsIn(found);
  }
  return found;
}

/** The lines of the requests that are found. @param {Search} search @param {ReadChunk} chunk @param {Trace} trace @param {Limit | null} limit */
function ofRequests({ ofRequest, isOfRequests }, { start, offset }, { request }, limit) {
  const found = new Uint8Array(offset.length - 1);
  for (let at = 0; at < found.length; at++) {
    const r = request[start + at];
    if (r >= 0) found[at] = ofRequest[r];
    else found[at] = isOfRequests || (limit && !limit.lines.has(start + at)) ? 0 : 1;
  }
  return found;
}

/** @param {Uint8Array} numbers */
function hitsIn(numbers) {
  let all = 0;
  for (let at = 0; at < numbers.length; at++) all += numbers[at];
  return all;
}

/** @param {RunningTest[]} texts @param {ReadChunk} chunk @param {Trace} trace */
function rarestFirst(texts, chunk, trace) {
  return texts
    .map((text) => {
      const has = linesWith(text, chunk, trace);
      return { text, left: text.isWanted ? hitsIn(has) : has.length - hitsIn(has) };
    })
    .sort((one, other) => one.left - other.left)
    .map(({ text }) => text);
}

// The number of lines that all searches have tested one by one.
let asked = 0;

/** Whether a line passes the test. @param {TextTest} test @param {string} line */
function holdsOf({ patterns, holds }, line) {
  asked++;
  const isMatched = patterns.some((pattern) => {
    pattern.lastIndex = 0;
    return pattern.test(line);
  });
  return isMatched && (!holds || holds(line));
}

/**
 * Test each hit by itself, and return the number of hits that are left.
 * @param {TextTest} test @param {ReadChunk} chunk @param {Uint8Array} found @param {Trace} trace
 */
function keepAlone(test, chunk, found, trace) {
  let left = 0;
  for (let at = 0; at < found.length; at++) {
    if (!found[at]) continue;
    if (holdsOf(test, trace.textOf(chunk, at)) === test.isWanted) left++;
    else found[at] = 0;
  }
  return left;
}

/**
 * Whether a line of the chunk passes the test.
 * @param {RunningTest} test @param {ReadChunk} chunk @param {Trace} trace
 */
function hasLine(test, chunk, trace) {
  return linesWith(test, chunk, trace).includes(1);
}

/** Which lines of the chunk pass the test. @param {RunningTest} test @param {ReadChunk} chunk @param {Trace} trace */
function linesWith(test, chunk, trace) {
  const found = new Uint8Array(chunk.offset.length - 1);
  const places = test.heads && placesOf(test.heads, chunk);
  const isScan = places && (test.words.length === 0 || !places.some(isDoubtful));
  if (test.heads && isScan) {
    const askedBefore = asked;
    markByScan(test, test.heads, places, chunk, trace, found);
    // If most lines must be tested one by one anyway, a scan before that only costs time.
    if (asked - askedBefore > found.length / 2) test.heads = null;
  } else if (test.words.length === 0) {
    for (let at = 0; at < found.length; at++) if (isPassedBy(test, chunk, at, trace)) found[at] = 1;
  } else {
    for (const pattern of test.patterns) markRests(test, pattern, chunk, trace, found);
    if (chunk.headOf) markHeads(test, chunk, chunk.headOf, trace, found);
  }
  return found;
}

/** @param {(text: string) => boolean} holds @param {string} line */
function holdsAlone(holds, line) {
  asked++;
  return holds(line);
}

/** Test one line. @param {TextTest} test @param {ReadChunk} chunk @param {number} at @param {Trace} trace */
function isPassedBy(test, chunk, at, trace) {
  return holdsOf(test, trace.textOf(chunk, at));
}

/** The places of matches in each head; null if a line has a `BREAK` of its own: a scan would stop there. @param {HeadSearch} search @param {ReadChunk} chunk */
function placesOf(search, { heads, hasBreaks }) {
  if (hasBreaks) return null;
  return heads.map((head) => (head ? search.placeOf(head) : null));
}

/** Whether lines with the head may have to be tested one by one. @param {Place | null} place */
function isDoubtful(place) {
  return place !== null && (place.place === ASK_LINE || place.begun !== null);
}

/**
 * Mark the lines that pass the test, by a scan of the texts after their heads, and by their heads.
 * @param {RunningTest} test @param {HeadSearch} search @param {(Place | null)[]} places
 * @param {ReadChunk} chunk @param {Trace} trace @param {Uint8Array} found
 */
function markByScan(test, search, places, chunk, trace, found) {
  const { automaton } = search;
  scanRests(test, automaton, chunk, trace, found);
  if (automaton.isBeyondLines) {
    for (const at of severalLines(chunk))
      if (!found[at] && isPassedBy(test, chunk, at, trace)) found[at] = 1;
  }
  const { headOf } = chunk;
  if (!headOf || !places.some((each) => each && (each.place > 0 || each.begun))) return;
  for (let at = 0; at < found.length; at++) {
    const place = found[at] ? null : places[headOf[at]];
    if (place && isInHead(test, search, place, chunk, at, trace)) found[at] = 1;
  }
}

/**
 * Whether a match is in the head of a line, or begins there.
 * @param {RunningTest} test @param {HeadSearch} search @param {Place} place @param {ReadChunk} chunk
 * @param {number} at @param {Trace} trace
 */
function isInHead(test, search, { place, begun }, chunk, at, trace) {
  const { text, offset, start } = chunk;
  if (place === ALL_MATCH) return true;
  if (place === ASK_LINE) return isPassedBy(test, chunk, at, trace);
  const head = headAt(chunk, at);
  if (!head) return false;
  if (place === ASK_VALUES && search.hasMatch(head, trace.request[start + at], trace.valueOf))
    return true;
  if (!begun) return false;
  const message = head.isTimed ? text.indexOf(BREAK, offset[at]) + 1 : offset[at];
  if (!search.mayGoOn(begun, text, message, offset[at + 1] - 1)) return false;
  return isPassedBy(test, chunk, at, trace);
}

/** The head that is kept for a line, or null. @param {ReadChunk} chunk @param {number} at */
function headAt({ headOf, heads }, at) {
  return headOf && heads[headOf[at]];
}

/** @param {TextTest} test @param {import("./regex.js").Automaton} automaton @param {ReadChunk} chunk @param {Trace} trace @param {Uint8Array} found */
function scanRests(test, { scan, hasAssertion, hasStart }, chunk, trace, found) {
  const { text, offset } = chunk;
  let line = 0;
  while (line < found.length) {
    scan.lastIndex = offset[line];
    let start = 0;
    // Finding the line of a match takes longer than finding the match.
    if (hasAssertion) start = scan.exec(text)?.index ?? -1;
    else if (!scan.test(text)) start = -1;
    if (start < 0) return;
    while (offset[line + 1] <= scan.lastIndex) line++;
    const end = scan.lastIndex;
    const isSure = !hasAssertion || !isDoubtfulAt(chunk, line, start, end, hasStart);
    if (isSure || isPassedBy(test, chunk, line, trace)) found[line] = 1;
    line++;
  }
}

/**
 * Whether an assertion may hold only because the scanned text lacks the head.
 * @param {ReadChunk} chunk @param {number} line @param {number} start of the match
 * @param {number} end @param {boolean} hasStart whether the pattern has an assertion for a line's start
 */
function isDoubtfulAt(chunk, line, start, end, hasStart) {
  const { text, offset } = chunk;
  const head = headAt(chunk, line);
  if (!head) return false;
  if (!head.isTimed) return start === offset[line] && (hasStart || endsInWord(head));
  const place = text.indexOf(BREAK, offset[line]);
  return end === place || (start === place + 1 && endsInWord(head));
}

/** The lines whose text contains line ends. @param {ReadChunk} chunk */
function severalLines({ text, offset }) {
  const found = [];
  let line = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) {
    while (offset[line + 1] <= end) line++;
    if (end === offset[line + 1] - 1) continue;
    found.push(line);
    end = offset[line + 1] - 1;
  }
  return found;
}

/**
 * Mark the lines that match the pattern after their heads. One scan over their joined text is many
 * times faster than one per line.
 * @param {Pick<TextTest, "holds">} test @param {RegExp} pattern @param {ReadChunk} chunk
 * @param {Trace} trace @param {Uint8Array} found
 */
function markRests({ holds }, pattern, chunk, trace, found) {
  const { text, offset } = chunk;
  let line = 0;
  while (line < found.length) {
    pattern.lastIndex = offset[line];
    if (!pattern.test(text)) return;
    while (offset[line + 1] < pattern.lastIndex) line++;
    if (!found[line] && (!holds || holdsAlone(holds, trace.textOf(chunk, line)))) found[line] = 1;
    line++;
  }
}

/**
 * Mark the lines that pass the test by the text of their heads. Only lines with a word across an
 * edge in their head are tested by themselves.
 * @param {RunningTest} test @param {ReadChunk} chunk @param {Uint16Array} headOf @param {Trace} trace
 * @param {Uint8Array} found
 */
function markHeads(test, chunk, headOf, trace, found) {
  const { heads, start } = chunk;
  const places = heads.map((head) =>
    head ? Math.max(...test.words.map((word) => placeIn(head, word))) : IS_OUTSIDE,
  );
  const touched = heads.map((head) => touchedIn(head, test, trace));
  const isPossible = heads.some((_, h) => places[h] !== IS_OUTSIDE || touched[h].length > 0);
  if (!isPossible) return;
  for (let at = 0; at < found.length; at++) {
    if (found[at]) continue;
    const head = headOf[at];
    let place = places[head];
    if (place === IS_OUTSIDE) {
      const r = trace.request[start + at];
      for (const values of touched[head]) if (values[r]) place = IS_WITHIN;
    }
    if (place === IS_OUTSIDE) continue;
    const isSure = place === IS_WITHIN && !test.holds;
    if (isSure || holdsOf(test, trace.textOf(chunk, at))) found[at] = 1;
  }
}

/**
 * For each hole of a head that has a word of the test in some value: 1 for each request with such a
 * value.
 * @param {import("./heads.js").LineHead | null} head @param {RunningTest} test @param {Trace} trace
 */
function touchedIn(head, test, trace) {
  const found = head?.holes.map((hole) => touchedOf(test, hole, trace)) ?? [];
  return found.filter((values) => values.length > 0);
}

/**
 * 1 for each request whose value has a word of the test; empty where there is none.
 * @param {RunningTest} test @param {import("./heads.js").Hole} hole @param {Trace} trace
 */
function touchedOf(test, hole, trace) {
  const known = test.touched.get(hole);
  if (known) return known;
  const pattern = new RegExp(test.words.map(escaped).join("|"), "i");
  let found = new Uint8Array(trace.size);
  if (hole === "session") {
    const ofSession = trace.sessions.map((session) => +pattern.test(session));
    for (let r = 0; r < found.length; r++) found[r] = ofSession[trace.requests.session[r]] ?? 0;
  } else if (hole !== "id" || test.words.some((word) => canBeInId(word, trace))) {
    for (let r = 0; r < found.length; r++) found[r] = +pattern.test(trace.valueOf(hole, r));
  }
  if (!found.includes(1)) found = new Uint8Array(0);
  test.touched.set(hole, found);
  return found;
}

/**
 * The characters of the first values of a hole, those of ASCII by their codes.
 * @typedef {{size: number, has: Uint8Array, hasOthers: boolean}} Characters
 */
const ASCII = 128;

/** @type {WeakMap<Trace, Map<import("./heads.js").Hole, Characters>>} */
const inValues = new WeakMap();

/** @param {import("./heads.js").Hole} hole @param {Trace} trace @returns {Characters} */
function charactersIn(hole, trace) {
  let ofHoles = inValues.get(trace);
  if (!ofHoles) inValues.set(trace, (ofHoles = new Map()));
  let known = ofHoles.get(hole);
  if (!known) {
    known = { size: 0, has: new Uint8Array(ASCII), hasOthers: false };
    ofHoles.set(hole, known);
  }
  const values = hole === "session" ? trace.sessions : trace.requests[hole];
  for (; known.size < values.length; known.size++) {
    const value = values[known.size] ?? "";
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code < ASCII) known.has[code] = 1;
      else known.hasOthers = true;
    }
  }
  return known;
}

/** The characters of a hole's values; null unless all are ASCII. @param {import("./heads.js").Hole} hole @param {Trace} trace */
function charactersOf(hole, trace) {
  const { has, hasOthers } = charactersIn(hole, trace);
  if (hasOthers) return null;
  return Array.from(has.keys())
    .filter((code) => has[code])
    .map((code) => String.fromCharCode(code));
}

/** Whether all characters of the word are in some id: few words are made of hex digits. @param {string} word @param {Trace} trace */
function canBeInId(word, trace) {
  const { has } = charactersIn("id", trace);
  for (const character of word) {
    const codes = [character.toLowerCase(), character.toUpperCase()].map((c) => c.charCodeAt(0));
    if (character.charCodeAt(0) < ASCII && !codes.some((code) => has[code])) return false;
  }
  return true;
}
