// The logger and the further fields of a line, which follow its message as `logger=shop item=lamp`, and
// in text also the ids in their bracket: shown as chips beside the message, or as a table below it.

import { make, plain, show } from "./text.js";

const LONGEST_VALUE = 32; // characters of a chip
const MOST_CHIPS = 6;
const LONGEST_SEARCHED = 2000; // characters of a message

// JSON and logfmt lines have it in front of all other fields. Without a logger, fields are what a
// line ends with.
const BEGINNING = " logger=";
const AT_END = /(?: [A-Za-z_@][\w.@/-]*=(?:"(?:[^"\\]|\\.)*"|[^\s"=<>]+))+$/;
// An access line ends with words of its own, such as `ttfb=4.1ms`.
const ACCESS = /^\S+ \S+ (?:\d{3}|-) (?:\d+\.\d+ms|-) /;
const BRACKET = /\[req=([^\]]*)\]/;
const IDS = new Set(["session", "span"]);
const NAME = /(?:^| )([A-Za-z_@][\w.@/-]*)=/g;

/** @typedef {{name: string, value: string}} Field */

/**
 * Where the fields begin in the first line of a message; its length where there are none.
 * @param {string} first
 */
export function asideAt(first) {
  const at = first.lastIndexOf(BEGINNING);
  if (at >= 0) return at;
  if (first.length > LONGEST_SEARCHED || ACCESS.test(first)) return first.length;
  return AT_END.exec(first)?.index ?? first.length;
}

/** The fields beside the ids, before the message. @param {string} head @returns {Field[]} */
export function fieldsOfHead(head) {
  const words = BRACKET.exec(head)?.[1].split("|").slice(1) ?? [];
  return words
    .map((word) => ({ name: word.split("=", 1)[0], value: word.slice(word.indexOf("=") + 1) }))
    .filter(({ name }) => !IDS.has(name));
}

/** The fields in the text after a message. @param {string} aside @returns {Field[]} */
export function fieldsIn(aside) {
  const names = [...aside.matchAll(NAME)];
  return names.map((match, i) => {
    const end = i + 1 < names.length ? names[i + 1].index : aside.length;
    return { name: match[1], value: aside.slice(match.index + match[0].length, end) };
  });
}

/** @param {Field[]} fields @param {RegExp[]} patterns */
export function chips(fields, patterns) {
  const group = make("span", "fields");
  for (const { name, value } of fields.slice(0, MOST_CHIPS)) {
    const chip = make("span", "field");
    if (name !== "logger") chip.append(make("span", "name", `${plain(name)} `));
    const isLong = value.length > LONGEST_VALUE;
    show(chip, isLong ? `${value.slice(0, LONGEST_VALUE - 1)}…` : value, patterns);
    chip.title = `${plain(name)} ${plain(value)}`;
    group.append(chip);
  }
  const more = fields.length - MOST_CHIPS;
  if (more > 0) group.append(make("span", "field", `+${more}`));
  return group;
}

/** @param {Field[]} fields @param {RegExp[]} patterns */
export function table(fields, patterns) {
  const element = make("table", "fields");
  for (const { name, value } of fields) {
    const row = make("tr");
    const head = make("th", "", plain(name));
    head.setAttribute("scope", "row");
    const cell = make("td");
    show(cell, value, patterns);
    row.append(head, cell);
    element.append(row);
  }
  return element;
}
