// The requests in the page's memory, most of which is used by requests and lines: numbers are in
// typed arrays, and equal texts are stored once.

/**
 * @typedef {import("./contract.js").Requests} Requests
 * @typedef {import("./contract.js").Request} Request
 */

// The columns of numbers; an unknown number is NaN.
const NUMBERS = {
  session: Int32Array,
  service: Int16Array,
  parent: Int32Array,
  start: Float64Array,
  first_byte: Float64Array,
  end: Float64Array,
  duration: Float64Array,
  lines: Int32Array,
  first_line: Int32Array,
  level: Uint8Array,
  late: Int32Array,
};
// The columns of times, which are written in tenths of a millisecond and are here in milliseconds.
const TIMES = new Set(["start", "first_byte", "end"]);
const LEAST_ROOM = 1024;

/**
 * The texts and statuses of the requests are lists; a list in which nothing is known is empty. An
 * array of numbers may be longer than there are requests.
 * @typedef {keyof typeof NUMBERS} NumberColumn
 * @typedef {Exclude<keyof Requests, NumberColumn | "id">} ListColumn
 * @typedef {{id: string[]}
 *   & {[name in NumberColumn]: InstanceType<(typeof NUMBERS)[name]>}
 *   & {[name in ListColumn]: (Requests[name][number] | undefined)[]}} Columns
 */

/** The columns as they came, in less memory. @param {Requests} requests @returns {Columns} */
export function columnsOf(requests) {
  /** @type {Map<unknown, unknown>} */
  const known = new Map();
  const columns = Object.entries(requests).map(([name, values]) => [
    name,
    isNumbers(name)
      ? numbersOf(name, /** @type {(number | null)[]} */ (values))
      : shared(values, known),
  ]);
  return Object.fromEntries(columns);
}

/** @param {string} name @returns {name is NumberColumn} */
function isNumbers(name) {
  return Object.hasOwn(NUMBERS, name);
}

/** @param {NumberColumn} name @param {(number | null)[]} values */
function numbersOf(name, values) {
  const found = new NUMBERS[name](values.length);
  for (let r = 0; r < values.length; r++) found[r] = numberOf(name, values[r]);
  return found;
}

/** @param {NumberColumn} name @param {number | null} value */
function numberOf(name, value) {
  if (value === null) return NaN;
  return TIMES.has(name) ? value / 10 : value;
}

/** The list with one of equal values, those of other lists included. @param {unknown[]} values @param {Map<unknown, unknown>} known */
function shared(values, known) {
  let isEmpty = true;
  for (let r = 0; r < values.length; r++) {
    const value = values[r];
    if (value === null) continue;
    isEmpty = false;
    if (known.has(value)) values[r] = known.get(value);
    else known.set(value, value);
  }
  return isEmpty ? [] : values;
}

/** Set the values of a request, which may be a new one. @param {Columns} columns @param {number} r @param {Request} request */
export function put(columns, r, request) {
  const lists = /** @type {Record<string, unknown[]>} */ (/** @type {unknown} */ (columns));
  for (const [name, value] of Object.entries(request)) {
    if (isNumbers(name)) {
      const numbers = withRoom(columns[name], r + 1);
      numbers[r] = numberOf(name, /** @type {number | null} */ (value));
      Object.assign(columns, { [name]: numbers });
    } else lists[name][r] = value;
  }
}

/**
 * The array, or, if it is shorter than *size*, a longer one with its values and *empty* after them.
 * @template {Float64Array | Uint8Array | Int16Array | Int32Array} T
 * @param {T} from @param {number} size @param {number} [empty]
 * @returns {T}
 */
export function withRoom(from, size, empty = 0) {
  if (size <= from.length) return from;
  const kind = /** @type {new (length: number) => T} */ (from.constructor);
  const to = new kind(Math.max(LEAST_ROOM, size * 2));
  to.fill(empty, from.length);
  to.set(from);
  return to;
}
