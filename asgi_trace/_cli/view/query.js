// The language of the search box and the search: `words /regex/ status:>=500 -level:debug`.

import { LEVELS, NOBODY, breath } from "./data.js";

/**
 * @typedef {import("./data.js").Trace} Trace
 * @typedef {import("./data.js").ReadChunk} ReadChunk
 * @typedef {{pattern: RegExp, isWanted: boolean, isWord: boolean}} TextTest
 *
 * A test of a request or of a line, by its number.
 * @typedef {(trace: Trace, index: number) => boolean} Test
 *
 * The tests of a query, all of which must hold, and sentences about what is wrong with it.
 * @typedef {object} Query
 * @property {Test[]} requests
 * @property {Test[]} lines
 * @property {TextTest[]} texts
 * @property {string[]} errors
 * @property {boolean} isEmpty
 */

const TOKEN = /(-?)(?:([a-z]+):)?(?:"([^"]*)"|\/((?:\\.|[^\/\\\n])+)\/([imsu]*)(?=\s|$)|(\S+))/giy;

/** @param {string} text */
function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** @param {string} text @returns {Query} */
export function parse(text) {
  /** @type {Query} */
  const query = { requests: [], lines: [], texts: [], errors: [], isEmpty: true };
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
    const [, minus, field, quoted, regex, flags, word] = match;
    const isWanted = !minus;
    const name = field?.toLowerCase();
    if (name && Object.hasOwn(TESTS, name)) {
      addField(
        query,
        name,
        quoted ?? word ?? (regex === undefined ? "" : `/${regex}/${flags}`),
        isWanted,
      );
    } else if (regex !== undefined && !field) {
      try {
        query.texts.push({
          pattern: new RegExp(regex, `gm${flags.replace("m", "")}`),
          isWanted,
          isWord: false,
        });
      } catch {
        query.errors.push(`/${regex}/ is no regular expression`);
      }
    } else {
      const plainWord = match[0].slice(minus.length).replaceAll('"', "");
      if (plainWord)
        query.texts.push({ pattern: new RegExp(escaped(plainWord), "gi"), isWanted, isWord: true });
    }
  }
  return query;
}

/** @param {Query} query @param {string} name @param {string} value @param {boolean} isWanted */
function addField(query, name, value, isWanted) {
  const test = TESTS[name](value);
  if (typeof test === "string") {
    query.errors.push(`${name}:${value}: expected ${test}`);
    return;
  }
  const wanted = isWanted
    ? test.run
    : (/** @type {Trace} */ trace, /** @type {number} */ i) => !test.run(trace, i);
  (test.ofLine ? query.lines : query.requests).push(wanted);
}

const COMPARISON = /^(>=|<=|!=|>|<|=)?(\d+(?:\.\d+)?)(.*)$/;
const UNITS = { "": 1, ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** @param {string | undefined} sign @param {number} limit @returns {(value: number) => boolean} */
function comparison(sign, limit) {
  switch (sign) {
    case ">":
      return (value) => value > limit;
    case ">=":
      return (value) => value >= limit;
    case "<":
      return (value) => value < limit;
    case "<=":
      return (value) => value <= limit;
    case "!=":
      return (value) => value !== limit;
    default:
      return (value) => value === limit;
  }
}

/**
 * A test of a column with text: the value may hold `*`, and the form says where it has to match.
 * @param {"id" | "trace" | "method" | "call" | "outcome"} column
 * @param {string} value
 * @param {(pattern: string) => string} form
 */
function matching(column, value, form) {
  const pattern = new RegExp(form(value.split("*").map(escaped).join(".*")), "is");
  return {
    run: (/** @type {Trace} */ trace, /** @type {number} */ r) => {
      const found = trace.requests[column][r];
      return found !== null && pattern.test(found);
    },
  };
}

const whole = (/** @type {string} */ pattern) => `^${pattern}$`;
const beginning = (/** @type {string} */ pattern) => `^${pattern}`;
const anywhere = (/** @type {string} */ pattern) => pattern;

/**
 * The fields of the language: each makes a test of its value, or says which values it takes.
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
      run: (trace, r) => trace.requests.status[r] !== null && holds(trace.requests.status[r]),
    };
  },
  dur(value) {
    const match = COMPARISON.exec(value);
    const unit = match && /** @type {Record<string, number>} */ (UNITS)[match[3].toLowerCase()];
    if (!match || !unit) return "a duration such as >1s, <=250ms or >2m";
    const holds = comparison(match[1] ?? ">=", +match[2] * unit);
    return { run: (trace, r) => holds(trace.duration(r)) };
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
  method: (value) => matching("method", value, whole),
  call: (value) => matching("call", value, anywhere),
  outcome: (value) => matching("outcome", value, whole),
  path(value) {
    const pattern = new RegExp(whole(value.split("*").map(escaped).join(".*")), "is");
    const hasQuery = value.includes("?");
    return {
      run(trace, r) {
        const path = trace.requests.path[r];
        return path !== null && pattern.test(hasQuery ? path : path.split("?", 1)[0]);
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
    return { ofLine: true, run: (trace, line) => pattern.test(trace.file(line)) };
  },
  service(value) {
    const wanted = value.split(",").map((name) => name.split("*").map(escaped).join(".*"));
    const pattern = new RegExp(`^(?:${wanted.join("|")})$`, "is");
    return {
      ofLine: true,
      run: (trace, line) => pattern.test(trace.services[trace.lineService(line)] ?? "none"),
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
 */

// How long to search before the browser may paint.
const SLICE = 24;
// Where fewer than one in so many lines are left, they are asked one by one.
const FEW = 16;

/**
 * Search the lines that were read. Null once *isCurrent* is false: the result is not needed any more.
 * @param {Query} query @param {Trace} trace @param {() => boolean} isCurrent
 * @returns {Promise<Found | null>}
 */
export async function search(query, trace, isCurrent) {
  const ofRequest = new Uint8Array(trace.size);
  for (let r = 0; r < trace.size; r++)
    ofRequest[r] = query.requests.every((test) => test(trace, r)) ? 1 : 0;
  const isHit = new Uint8Array(trace.count);
  const unstamped = query.requests.length === 0 ? 1 : 0;
  const ofLines = query.lines.length + query.texts.length > 0;
  const requestHit = ofLines ? new Uint8Array(trace.size) : ofRequest;
  const lines = new Int32Array(trace.count);
  let size = 0;
  let since = performance.now();
  // The text that is rarest in the first chunk comes first in the others: the rest has less to search.
  let texts = query.texts;
  for (const chunk of trace.chunks) {
    if (!chunk) continue;
    const { start } = chunk;
    const end = start + chunk.offset.length - 1;
    for (let i = start; i < end; i++) {
      const r = trace.request[i];
      isHit[i] = r >= 0 ? ofRequest[r] : unstamped;
    }
    for (const test of query.lines)
      for (let i = start; i < end; i++) if (isHit[i] && !test(trace, i)) isHit[i] = 0;
    if (texts === query.texts && texts.length > 1) texts = rarestFirst(texts, chunk);
    let left = end - start;
    for (const text of texts) {
      if (left < (end - start) / FEW) left = keepAlone(text, chunk, isHit);
      else {
        const found = linesWith(text, chunk);
        left = 0;
        for (let i = start; i < end; i++) {
          if (found[i - start] !== +text.isWanted) isHit[i] = 0;
          left += isHit[i];
        }
      }
    }
    for (let i = start; i < end; i++) {
      if (!isHit[i]) continue;
      lines[size++] = i;
      if (ofLines && trace.request[i] >= 0) requestHit[trace.request[i]] = 1;
    }
    if (performance.now() - since > SLICE) {
      await breath();
      if (!isCurrent()) return null;
      since = performance.now();
    }
  }
  let requests = 0;
  for (let r = 0; r < requestHit.length; r++) requests += requestHit[r];
  return { isHit, lines: lines.slice(0, size), requestHit, requests };
}

/** @param {TextTest[]} texts @param {ReadChunk} chunk */
function rarestFirst(texts, chunk) {
  return texts
    .map((text) => ({
      text,
      left: linesWith(text, chunk).reduce((sum, each) => sum + +(each === +text.isWanted), 0),
    }))
    .sort((one, other) => one.left - other.left)
    .map(({ text }) => text);
}

/**
 * Of the lines that are hits, ask each alone, and return how many are left.
 * @param {TextTest} text @param {ReadChunk} chunk @param {Uint8Array} isHit
 */
function keepAlone({ pattern, isWanted }, { start, text, offset }, isHit) {
  let left = 0;
  for (let at = 0; at < offset.length - 1; at++) {
    if (!isHit[start + at]) continue;
    pattern.lastIndex = 0;
    if (pattern.test(text.slice(offset[at], offset[at + 1] - 1)) === isWanted) left++;
    else isHit[start + at] = 0;
  }
  return left;
}

/**
 * Which lines of the chunk match the pattern. One scan over their joined text is many times quicker
 * than one per line.
 * @param {TextTest} test
 * @param {ReadChunk} chunk
 */
function linesWith({ pattern, isWord }, { text, offset }) {
  const size = offset.length - 1;
  const found = new Uint8Array(size);
  let line = 0;
  while (line < size) {
    pattern.lastIndex = offset[line];
    let from;
    if (isWord) {
      if (!pattern.test(text)) break;
      from = pattern.lastIndex - 1;
    } else {
      const match = pattern.exec(text);
      if (!match) break;
      from = match.index;
    }
    while (line < size - 1 && offset[line + 1] <= from) line++;
    if (isWord || pattern.lastIndex < offset[line + 1]) {
      found[line] = 1;
    } else {
      // It runs on into the next line: ask this one alone.
      pattern.lastIndex = 0;
      found[line] = pattern.test(text.slice(offset[line], offset[line + 1] - 1)) ? 1 : 0;
    }
    line++;
  }
  return found;
}
