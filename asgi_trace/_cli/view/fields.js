// The fields of a line by their names: of JSON, of logfmt, and of the brackets of text. A name with
// dots refers to nested objects. A line is parsed only if a pattern finds that it may have the
// field.

const COMPARED = /^(>=|<=|!=|>|<|=)(-?\d+(?:\.\d+)?)$/;
const NUMBER = /^-?\d+(?:\.\d+)?$/;
// A value of these characters is written unchanged in JSON and in logfmt.
const LITERAL = /^[\w@-]+$/;

/**
 * A test of the values of a field: `patterns` find the lines that may pass it, all of them have one
 * of the `words`.
 * @typedef {{name: string, isWanted: boolean, words: string[], patterns: RegExp[], holds: (text: string) => boolean}} FieldTest
 */

/** @param {string} text */
export function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

const SETS = /^[dDsSwWbB]$/;
const LETTER = /^[a-z0-9]$/i;
const COUNT = /\{\d+(?:,\d*)?\}/y;

const SHORTEST_WORD = 2;

/**
 * Texts: each match of a regular expression contains one of them, in any case. Each alternative
 * gives its longest text outside of groups. An empty list if an alternative has no such text.
 * @param {string} source @param {string} flags
 */
export function wordsOf(source, flags) {
  if (flags.includes("u")) return [];
  const words = [];
  let longest = "";
  let word = "";
  let depth = 0;
  /** @param {string} kept of the word */
  const end = (kept) => {
    if (kept.length > longest.length) longest = kept;
    word = "";
  };
  for (let at = 0; at < source.length; at++) {
    let character = source[at];
    let isPlain = !"[(){*?+.^$|".includes(character);
    if (character === "\\") {
      character = source[++at];
      isPlain = !LETTER.test(character);
      if (!isPlain && !SETS.test(character)) return [];
    } else if (character === "[") {
      while (source[++at] !== "]") if (source[at] === "\\") at++;
    } else if (character === "(") depth++;
    else if (character === ")") depth--;
    else if ("*?{".includes(character)) {
      // It may be repeated zero times.
      word = word.slice(0, -1);
      COUNT.lastIndex = at;
      if (COUNT.test(source)) at = COUNT.lastIndex - 1;
    }
    if (!isPlain) end(word);
    else if (depth === 0) word += character;
    if (source[at] === "|" && !isPlain && depth === 0) {
      words.push(longest);
      longest = "";
    }
  }
  end(word);
  words.push(longest);
  return words.every((each) => each.length >= SHORTEST_WORD) ? words : [];
}

/** @param {string | undefined} sign @param {number} limit @returns {(value: number) => boolean} */
export function comparison(sign, limit) {
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
 * @param {string} name
 * @param {string} value a text, `*` for any, a comparison such as `>=5`
 * @param {boolean} isWanted
 * @returns {FieldTest}
 */
export function fieldTest(name, value, isWanted) {
  const isValue = valueTest(value);
  return {
    name,
    isWanted,
    words: [`"${lastOf(name)}"`, `"${name}"`, `${name}=`],
    patterns: patterns(name, LITERAL.test(value) ? value : ""),
    holds: (text) => valuesOf(text, name).some(isValue),
  };
}

/** @param {string} name */
function lastOf(name) {
  return name.slice(name.lastIndexOf(".") + 1);
}

/**
 * Patterns of lines that may have the field, and begin its value like this.
 * @param {string} name @param {string} value
 */
function patterns(name, value) {
  const last = escaped(lastOf(name));
  const whole = escaped(name);
  const begun = value && `(?:"?${value}|[\\[{])`;
  const found = [
    new RegExp(`"${last}"\\s*:\\s*${begun}`, "gi"),
    new RegExp(`${whole}=${begun}`, "gi"),
  ];
  if (last !== whole) found.push(new RegExp(`"${whole}"\\s*:\\s*${begun}`, "gi"));
  return found;
}

/** @param {string} value @returns {(found: unknown) => boolean} */
function valueTest(value) {
  if (value === "*") return () => true;
  const compared = COMPARED.exec(value);
  if (compared) {
    const holds = comparison(compared[1], Number(compared[2]));
    return (found) => isNumber(found) && holds(Number(found));
  }
  const pattern = new RegExp(`^${value.split("*").map(escaped).join(".*")}$`, "is");
  const number = NUMBER.test(value) ? Number(value) : null;
  return (found) => {
    if (typeof found === "object" && found !== null) return false;
    return pattern.test(String(found)) || (isNumber(found) && Number(found) === number);
  };
}

/** @param {unknown} value */
function isNumber(value) {
  return typeof value === "number" || (typeof value === "string" && NUMBER.test(value));
}

/** The test for lines that have a field, with any value. @param {string} name */
export function presence(name) {
  return fieldTest(name, "*", true);
}

/** The values of a field in a line. @param {string} text @param {string} name @returns {unknown[]} */
export function valuesOf(text, name) {
  /** @type {unknown[]} */
  const found = [];
  const start = text.indexOf("{");
  if (start >= 0 && text[start - 1] !== "=") collect(jsonAt(text, start), name, found);
  for (let end = name.length; end > 0; end = name.lastIndexOf(".", end - 1)) {
    const [key, rest] = [name.slice(0, end), name.slice(end + 1)];
    for (let at = text.indexOf(`${key}=`); at >= 0; at = text.indexOf(`${key}=`, at + 1)) {
      if (at > 0 && !BEFORE_NAME.test(text[at - 1])) continue;
      const valueStart = at + key.length + 1;
      const data = /[{[]/.test(text[valueStart] ?? "") ? jsonAt(text, valueStart) : null;
      if (rest) collect(data, rest, found);
      else if (data === null) found.push(...bareValues(text, valueStart));
      else if (Array.isArray(data)) found.push(data, ...data);
      else found.push(data);
    }
  }
  return found;
}

const BEFORE_NAME = /[\s[|,(]/;

/**
 * The value that begins here: a quoted one; else the next word, and the words up to the next name,
 * since the page shows the values of JSON without quotes.
 * @param {string} text @param {number} at
 */
function bareValues(text, at) {
  const quoted = /"((?:[^"\\\n]|\\.)*)"/y;
  quoted.lastIndex = at;
  const match = quoted.exec(text);
  if (match) return [match[1].replace(/\\(.)/g, "$1")];
  const word = /[^\s|\],)]*/y;
  word.lastIndex = at;
  const words = /[^\n]*?(?= [\w.@-]+=|\n|$)/y;
  words.lastIndex = at;
  return [word, words].map((pattern) => pattern.exec(text)?.[0] ?? "");
}

/** The JSON object or list that begins here, or null. @param {string} text @param {number} at */
function jsonAt(text, at) {
  let depth = 0;
  let isQuoted = false;
  for (let end = at; end < text.length; end++) {
    const character = text[end];
    if (character === "\\") end++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) {
      try {
        return /** @type {unknown} */ (JSON.parse(text.slice(at, end + 1)));
      } catch {
        return null;
      }
    }
  }
  return null;
}

/**
 * Add the values of the name: `a.b` is a key, or the key `b` of the object `a`; in a list, each
 * member is searched.
 * @param {unknown} data @param {string} name @param {unknown[]} found
 */
function collect(data, name, found) {
  if (typeof data !== "object" || data === null) return;
  if (Array.isArray(data)) {
    for (const each of data) collect(each, name, found);
    return;
  }
  const object = /** @type {Record<string, unknown>} */ (data);
  if (Object.hasOwn(object, name)) {
    const value = object[name];
    if (Array.isArray(value)) found.push(...value);
    else found.push(value);
  }
  for (let dot = name.indexOf("."); dot > 0; dot = name.indexOf(".", dot + 1)) {
    const key = name.slice(0, dot);
    if (Object.hasOwn(object, key)) collect(object[key], name.slice(dot + 1), found);
  }
}
