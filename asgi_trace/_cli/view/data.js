// The trace in columns: decodes the page's blocks, keeps the lines of a chunk in one string, without
// their common beginnings, and links the lines of each request. contract.js has the data's format.

import { Callers } from "./callers.js";
import { columnsOf, put, withRoom } from "./columns.js";
import { folded, unfolded, wholeLines } from "./heads.js";
import { duration, plain } from "./text.js";

export const LEVELS = ["none", "debug", "info", "warning", "error", "critical"];
export const DEBUG = 1;
export const WARNING = 3;
export const ERROR = 4;
export const NOT_READ = -2;
export const NOBODY = -1;

// Beyond it, a time needs its day.
const DAY_NEEDED = 20 * 3_600_000; // ms
// The number that JSON-RPC gives a call.
const CALL_NUMBER = / #\S+$/;
const BAD_OUTCOMES = new Set(["crash", "tool_error", "rpc_error", "unanswered"]);

/** @typedef {import("./contract.js").Head} Head */

/** The JSON of a block: a Head or a Chunk. @param {string} base64 */
async function unpack(base64) {
  const binary = atob(base64.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/**
 * A chunk after it was read; its other columns are in the trace.
 * @typedef {object} ChunkColumns
 * @property {number} start the number of its first line
 * @property {ArrayLike<number>} message where in each line its message begins
 * @property {number | ArrayLike<number>} file the place of the log in the head's files, one for all or each
 * @property {number | ArrayLike<number>} service the place of the service that wrote it, or -1; one for all or each
 *
 * @typedef {ChunkColumns & import("./heads.js").Folded} ReadChunk
 */

/** A letter, or several: A … Z, AA, AB … @param {number} index */
export function letters(index) {
  let label = "";
  for (let n = index + 1; n > 0; n = Math.floor((n - 1) / 26))
    label = String.fromCharCode(65 + ((n - 1) % 26)) + label;
  return label;
}

export class Trace {
  /** @param {Head} head */
  constructor({ requests, ...head }) {
    this.head = head;
    this.sessions = head.sessions;
    this.services = head.services;
    this.calls = head.calls;
    this.requests = columnsOf(requests);
    /** Lines in all, those not read yet included. @type {number} */
    this.count = head.lines;
    /** Lines that were read, from the first on. */
    this.linked = 0;
    this.time = new Float64Array(this.count);
    this.level = new Uint8Array(this.count);
    this.request = new Int32Array(this.count).fill(NOT_READ);
    this.isLate = new Uint8Array(this.count);
    /** The next line of the same request, or -1. */
    this.next = new Int32Array(this.count).fill(-1);
    /** @type {(ReadChunk | undefined)[]} */
    this.chunks = new Array(Math.ceil(this.count / head.chunk_lines));
    this.fileChunks = this.chunks.length;
    /** The first line read of each request, and the last; -1: none was read. */
    this.firstLine = new Int32Array(this.size).fill(-1);
    this.lastLine = new Int32Array(this.size).fill(-1);
    this.unknown = head.unknown;
    this.errors = 0;
    /** @type {Set<number>} the services that have a request or a line; the name of a log may have none */
    this.usedServices = new Set();
    /** @type {Callers | null} null before the first use, and after a change */
    this.knownCallers = null;
    /** The lines that are errors, and beside them the places of their messages in the head's templates. */
    this.errorLines = {
      lines: /** @type {number[]} */ ([]),
      templates: /** @type {number[]} */ ([]),
    };
    /** @type {Map<number, [number, number][]>} */
    this.gaps = new Map();
    this.#readGaps();
    // All times are relative to the first line's.
    this.from = this.count > 0 ? 0 : Infinity;
    this.to = -Infinity;
    for (let r = 0; r < this.size; r++) this.#meet(r);
  }

  #readGaps() {
    this.gaps.clear();
    for (const [r, from, to] of this.head.gaps) {
      const known = this.gaps.get(r);
      if (known) known.push([from, to]);
      else this.gaps.set(r, [[from, to]]);
    }
  }

  /** The ranges in which a request logged nothing. @param {number} r */
  gapsOf(r) {
    return this.gaps.get(r) ?? [];
  }

  /** The range around *time* in which nothing at all was logged. @param {number} time */
  silenceAt(time) {
    return this.head.silences.find(([from, to]) => from <= time && time <= to);
  }

  /** The callers and callees of requests. */
  get callers() {
    this.knownCallers ??= new Callers(this.requests, this.calls);
    return this.knownCallers;
  }

  /** How many requests there are. */
  get size() {
    return this.requests.id.length;
  }

  /** @param {number} r */
  #meet(r) {
    const { start, end, service } = this.requests;
    if (this.isError(r)) this.errors++;
    this.usedServices.add(service[r]);
    if (start[r] < this.from) this.from = start[r];
    if (end[r] > this.to) this.to = end[r];
  }

  /** Whether its response was an error, or there was none. @param {number} r */
  isFailure(r) {
    const { status, outcome } = this.requests;
    return (status[r] ?? 0) >= 500 || BAD_OUTCOMES.has(outcome[r] ?? "");
  }

  /** Whether it failed or logged an error. @param {number} r */
  isError(r) {
    return this.isFailure(r) || this.requests.level[r] >= ERROR;
  }

  /**
   * Its result: the outcome, if it has more information than the status, else the status.
   * @param {number} r
   */
  result(r) {
    const { status, outcome } = this.requests;
    const code = status[r];
    const isHidden = this.isFailure(r) && (code ?? 0) < 500;
    return plain(isHidden ? (outcome[r] ?? "").replace("_", " ") : (code ?? outcome[r] ?? ""));
  }

  /**
   * The measured duration, else the one between its first and last line.
   * @param {number} r @returns {number}
   */
  duration(r) {
    const { start, end, duration: measured } = this.requests;
    return Number.isNaN(measured[r]) ? end[r] - start[r] : measured[r];
  }

  /** Whether its duration is more exact than the log's times may be. @param {number} r */
  isMeasured(r) {
    return !this.head.whole_seconds || !Number.isNaN(this.requests.duration[r]);
  }

  /** Its duration, as exact as it is known: in whole seconds between such times. @param {number} r */
  knownDuration(r) {
    const ms = this.duration(r);
    return this.isMeasured(r) ? ms : Math.round(ms / 1000) * 1000;
  }

  /** Its duration as text: between times in whole seconds, in whole seconds. @param {number} r */
  took(r) {
    const ms = this.duration(r);
    const seconds = Math.round(ms / 1000);
    if (this.isMeasured(r) || seconds >= 60) return duration(ms);
    return seconds < 1 ? "< 1 s" : `${seconds} s`;
  }

  /** When the first byte of its body was sent, or null. @param {number} r */
  firstByte(r) {
    const sent = this.requests.first_byte[r];
    return Number.isNaN(sent) ? null : sent;
  }

  /** Its subject: the MCP call, else method and path, as far as known. @param {number} r */
  title(r) {
    const { call } = this.requests;
    return call[r] ? plain(call[r].replace(CALL_NUMBER, "")) : this.target(r);
  }

  /** The HTTP request that carried an MCP call, and the call's number. @param {number} r */
  carrier(r) {
    const number = CALL_NUMBER.exec(this.requests.call[r] ?? "");
    return plain(`${this.target(r)}${number ? number[0] : ""}`);
  }

  /** Method and path, else the id. @param {number} r */
  target(r) {
    const { method, path, id } = this.requests;
    return plain([method[r], path[r]].filter(Boolean).join(" ") || id[r]);
  }

  /** The place of the service that wrote a line, else of its request's; or -1. @param {number} line */
  lineService(line) {
    const chunk = this.chunkOf(line);
    const own = chunk ? valueAt(chunk.service, line - chunk.start) : -1;
    if (own >= 0) return own;
    const r = this.request[line];
    return r < 0 ? -1 : this.requests.service[r];
  }

  /** The name of a request's service, or an empty text. @param {number} r */
  serviceOf(r) {
    return plain(this.services[this.requests.service[r]] ?? "");
  }

  /** @param {number} s */
  label(s) {
    return s < 0 ? "–" : letters(s);
  }

  /** @param {number} time */
  epoch(time) {
    return this.head.base + time;
  }

  /** How exact the log's times are, in digits of a second's fraction. */
  get digits() {
    return this.head.whole_seconds ? 0 : 3;
  }

  /** Whether a time needs its day: the trace is longer than most of one. */
  get #hasDays() {
    return this.to - this.from > DAY_NEEDED;
  }

  /** A time for the reader. @param {number} time @param {import("./text.js").Clock} clock */
  timeText(time, clock) {
    const at = this.epoch(time);
    const text = clock.time(at, this.digits);
    return this.#hasDays ? `${clock.day(at)} ${text}` : text;
  }

  /** A time for the reader where there is little room. @param {number} time @param {import("./text.js").Clock} clock */
  shortTimeText(time, clock) {
    const at = this.epoch(time);
    if (this.#hasDays) return `${clock.day(at)} ${clock.time(at, 0).slice(0, 5)}`;
    return clock.time(at, this.digits && 1);
  }

  /** Its place among the requests with its id, from 1 on. @param {number} r */
  nth(r) {
    const { id } = this.requests;
    let nth = 1;
    for (let other = 0; other < r; other++) if (id[other] === id[r]) nth++;
    return nth;
  }

  /** The *nth* request with this id, or -1. @param {string} id @param {number} nth */
  requestOf(id, nth) {
    const { id: ids } = this.requests;
    const first = ids.indexOf(id);
    let found = first;
    for (let left = nth; left > 1 && found >= 0; left--) found = ids.indexOf(id, found + 1);
    return found < 0 ? first : found;
  }

  /** The first request that failed, else the first with an error, or -1. */
  firstError() {
    let first = -1;
    for (let r = 0; r < this.size; r++) {
      if (this.isFailure(r)) return r;
      if (first < 0 && this.isError(r)) first = r;
    }
    return first;
  }

  /** @param {number} line */
  chunkOf(line) {
    if (line < this.head.lines) return this.chunks[Math.floor(line / this.head.chunk_lines)];
    let low = this.fileChunks;
    let high = this.chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (/** @type {ReadChunk} */ (this.chunks[middle]).start <= line) low = middle;
      else high = middle - 1;
    }
    return this.chunks[low];
  }

  /** The line as it stood, or null when it was not read yet. @param {number} line */
  text(line) {
    const chunk = this.chunkOf(line);
    if (!chunk) return null;
    return this.textOf(chunk, line - chunk.start);
  }

  /** The line at this place of a chunk, as it stood. @param {ReadChunk} chunk @param {number} at */
  textOf(chunk, at) {
    return unfolded(chunk, at, this.request[chunk.start + at], this.valueOf);
  }

  /** @type {import("./heads.js").ValueOf} */
  valueOf = (hole, r) => {
    if (hole === "session") return this.sessions[this.requests.session[r]] ?? "";
    return this.requests[hole][r] ?? "";
  };

  /** Where in its text the line's message begins. @param {number} line */
  messageAt(line) {
    const chunk = this.chunkOf(line);
    return chunk ? chunk.message[line - chunk.start] : 0;
  }

  /** The name of the line's log. @param {number} line @returns {string} */
  file(line) {
    return this.head.files[this.fileOf(line)] ?? "";
  }

  /** The place of the line's log in the head's files, or -1. @param {number} line */
  fileOf(line) {
    const chunk = this.chunkOf(line);
    return chunk ? valueAt(chunk.file, line - chunk.start) : -1;
  }

  /** Decode one block; blocks may come in any order. @param {number} index @param {string} block */
  async read(index, block) {
    if (this.chunks[index]) return;
    const data = await unpack(block);
    if (this.chunks[index]) return;
    this.#place(index, index * this.head.chunk_lines, data);
    this.#link();
  }

  /** @param {number} index @param {number} start @param {import("./contract.js").Chunk} data */
  #place(index, start, data) {
    const { t, level, request, late } = data;
    const { lines, messages } = wholeTexts(data);
    let time = 0;
    for (let i = 0; i < lines.length; i++) {
      time += t[i];
      this.time[start + i] = time;
      this.level[start + i] = level[i];
      this.request[start + i] = request[i];
    }
    for (const i of late) this.isLate[start + i] = 1;
    const { service } = data;
    for (const each of typeof service === "number" ? [service] : service)
      this.usedServices.add(each);
    for (const [i, template] of data.errors) {
      this.errorLines.lines.push(start + i);
      this.errorLines.templates.push(template);
    }
    this.chunks[index] = {
      start,
      message: narrow(messages),
      file: column(data.file),
      service: column(data.service),
      ...folded(lines, messages, request, this.valueOf),
    };
  }

  // The lines of a request are linked in their order, also if the blocks came in another one.
  #link() {
    for (let c = Math.floor(this.linked / this.head.chunk_lines); this.linked < this.count; c++) {
      const index =
        this.linked < this.head.lines ? c : this.chunks.indexOf(this.chunkOf(this.linked));
      const chunk = this.chunks[index];
      if (!chunk) return;
      const end = chunk.start + chunk.offset.length - 1;
      for (let i = this.linked; i < end; i++) {
        const r = this.request[i];
        if (r < 0) continue;
        if (this.lastLine[r] < 0) this.firstLine[r] = i;
        else this.next[this.lastLine[r]] = i;
        this.lastLine[r] = i;
      }
      if (end > chunk.start) {
        this.from = Math.min(this.from, this.time[chunk.start]);
        this.to = Math.max(this.to, this.time[end - 1]);
      }
      this.linked = end;
    }
  }

  /** Add the new lines of a followed log. @param {import("./contract.js").News} news */
  append(news) {
    const { requests, sessions, services, calls, templates, chunk, gaps, silences, moved } = news;
    this.sessions.push(...sessions);
    this.services.push(...services);
    this.calls.push(...calls);
    for (const [call, callee] of news.answered) this.calls[call].callee = callee;
    this.head.templates.push(...templates);
    this.head.notes = news.notes;
    this.head.base = news.base;
    this.head.whole_seconds = news.whole_seconds;
    this.knownCallers = null;
    if (silences) this.head.silences = silences;
    if (gaps) {
      this.head.gaps = gaps;
      this.#readGaps();
    }
    this.#unfold(requests, moved);
    for (const [r, request] of requests) {
      const isNew = r >= this.size;
      const wasError = !isNew && this.isError(r);
      put(this.requests, r, request);
      if (isNew) this.#meet(r);
      else {
        if (this.isError(r) && !wasError) this.errors++;
        this.usedServices.add(request.service);
        if (this.requests.end[r] > this.to) this.to = this.requests.end[r];
      }
    }
    this.firstLine = withRoom(this.firstLine, this.size, -1);
    this.lastLine = withRoom(this.lastLine, this.size, -1);
    this.#move(moved);
    const start = this.count;
    this.#grow(start + chunk.text.length);
    this.count = start + chunk.text.length;
    this.#place(this.chunks.length, start, chunk);
    for (const r of chunk.request) if (r < 0) this.unknown++;
    this.#link();
  }

  // If the request of a line changes, the line is stored with its original head again.
  /** @param {[number, import("./contract.js").Request][]} requests @param {[number, number][]} moved */
  #unfold(requests, moved) {
    const { id, session, span } = this.requests;
    const changed = new Set();
    for (const [r, { id: newId, session: newSession, span: newSpan }] of requests) {
      if (r >= this.size) continue;
      const isSameSpan = (span[r] ?? null) === newSpan;
      if (id[r] !== newId || session[r] !== newSession || !isSameSpan) changed.add(r);
    }
    const lines = new Set(moved.map(([line]) => line));
    if (changed.size + lines.size === 0) return;
    this.chunks.forEach((chunk, index) => {
      if (!chunk?.headOf) return;
      const size = chunk.offset.length - 1;
      const places = Array.from({ length: size }, (_, at) => at);
      const isChanged = (/** @type {number} */ at) =>
        lines.has(chunk.start + at) || changed.has(this.request[chunk.start + at]);
      if (!places.some(isChanged)) return;
      this.chunks[index] = { ...chunk, ...wholeLines(places.map((at) => this.textOf(chunk, at))) };
    });
  }

  // An id was used again: some lines that are shown already belong to the second request.
  /** @param {[number, number][]} moved */
  #move(moved) {
    if (moved.length === 0) return;
    for (const [line, r] of moved) this.request[line] = r;
    this.firstLine.fill(-1);
    this.lastLine.fill(-1);
    this.next.fill(-1);
    this.linked = 0;
    this.#link();
  }

  /** @param {number} size */
  #grow(size) {
    this.time = withRoom(this.time, size);
    this.level = withRoom(this.level, size);
    this.isLate = withRoom(this.isLate, size);
    this.request = withRoom(this.request, size, NOT_READ);
    this.next = withRoom(this.next, size, -1);
  }

  /** The first line at or after this time, among those read. @param {number} time */
  lineAt(time) {
    let low = 0;
    let high = this.linked;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The lines as they stood, and where in them their messages begin. @param {import("./contract.js").Chunk} data */
function wholeTexts({ heads, head, text, message }) {
  const headOf = (/** @type {number} */ at) => heads[valueAt(head, at)];
  return {
    lines: text.map((rest, at) => {
      const place = valueAt(message, at);
      return rest.slice(0, place) + headOf(at) + rest.slice(place);
    }),
    messages: text.map((_, at) => headOf(at).length + valueAt(message, at)),
  };
}

/** Whole numbers, in as few bytes as they need. @param {number[]} numbers */
function narrow(numbers) {
  let least = 0;
  let most = 0;
  for (const number of numbers) {
    least = Math.min(least, number);
    most = Math.max(most, number);
  }
  if (least < 0) return most < 128 ? Int8Array.from(numbers) : Int32Array.from(numbers);
  if (most < 256) return Uint8Array.from(numbers);
  return most < 65536 ? Uint16Array.from(numbers) : Uint32Array.from(numbers);
}

/** A column that is one value for all, or one of each. @param {number | number[]} values */
function column(values) {
  return typeof values === "number" ? values : narrow(values);
}

/** The value at a place of such a column. @param {number | ArrayLike<number>} values @param {number} at */
function valueAt(values, at) {
  return typeof values === "number" ? values : values[at];
}

/** @param {Document} page @returns {Promise<Head>} */
export async function readHead(page) {
  return unpack(/** @type {Element} */ (page.getElementById("head")).textContent ?? "");
}

/**
 * Read all blocks as the browser loads them; *urgent* first. Calls *progress* after each.
 * @param {Document} page @param {Trace} trace @param {number} urgent @param {() => void} progress
 */
export async function readChunks(page, trace, urgent, progress) {
  const blocks = page.getElementsByClassName("chunk");
  /** A block is complete once another element follows it. @param {number} index */
  const arrival = async (index) => {
    while (page.readyState === "loading" && blocks.length < index + 2) await someChange(page);
    return blocks[index]?.textContent ?? null;
  };
  const order = urgent > 0 && urgent < trace.fileChunks ? [0, urgent] : [0];
  for (let index = 0; index < trace.fileChunks; index++)
    if (!order.includes(index)) order.push(index);
  for (const index of order) {
    const block = await arrival(index);
    if (block === null) return;
    await trace.read(index, block);
    progress();
    await breath();
  }
}

/** @param {Document} page */
function someChange(page) {
  return new Promise((resolve) => {
    const observer = new MutationObserver(done);
    /** @type {() => void} */
    function done() {
      observer.disconnect();
      page.removeEventListener("readystatechange", done);
      resolve(undefined);
    }
    observer.observe(page.body, { childList: true });
    page.addEventListener("readystatechange", done);
  });
}

/** Let the browser paint and handle events. */
export function breath() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve(undefined);
    };
    channel.port2.postMessage(0);
  });
}
