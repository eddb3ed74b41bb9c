// The density view of the time axis: where there are too many lanes, a strip for each path with the
// number of its requests and errors over time. Counts and draws; the scale says where times are.

import { count, counted, cut, plain } from "./text.js";
import { kindOfRequest } from "./routes.js";

// With more lanes than this, they cannot be read.
export const MOST_LANES = 30;
const MOST_STRIPS = 30;
const STRIP_HEIGHTS = [22, 44]; // pixels: the least and the most
const CELL = 5; // pixels
const PALEST = 0.14;
const LEAST_ERROR = 3; // pixels
const LONGEST_KIND = 60; // characters
const NO_KIND = "(no path)";

/**
 * Requests of one kind, and the number of them that began in each cell of the range shown.
 * @typedef {object} Strip
 * @property {string} kind empty for all kinds that have no strip of their own
 * @property {number} request one of them
 * @property {Uint32Array} all
 * @property {Uint32Array} errors
 * @property {number} total
 * @property {number} failed
 */

export class Density {
  /** @type {Strip[]} */
  strips = [];

  /** @type {Int32Array} the kind of each request */
  #kindOf = new Int32Array(0);
  /** @type {string[]} */
  #kinds = [];
  #known = "";
  #counted = "";
  #most = 1;

  /**
   * @param {import("./scale.js").Scale} scale
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   */
  constructor(scale, trace, look) {
    this.scale = scale;
    this.trace = trace;
    this.look = look;
    /** @type {import("./query.js").Found | null} */
    this.filter = null;
  }

  get cells() {
    return Math.max(1, Math.floor(this.scale.room / CELL));
  }

  get stripHeight() {
    const [least, most] = STRIP_HEIGHTS;
    return Math.max(least, Math.min(most, Math.floor(this.scale.lanesRoom / this.strips.length)));
  }

  get height() {
    return this.strips.length * this.stripHeight;
  }

  // The kinds are computed once for all requests, since a zoom counts again in each frame.
  #readKinds() {
    const known = `${this.trace.size} ${this.trace.count} ${this.trace.linked}`;
    if (known === this.#known) return;
    this.#known = known;
    this.#counted = "";
    /** @type {Map<string, number>} */
    const numbers = new Map();
    this.#kindOf = new Int32Array(this.trace.size);
    for (let r = 0; r < this.trace.size; r++) {
      const kind = kindOfRequest(this.trace, r) || NO_KIND;
      let number = numbers.get(kind);
      if (number === undefined) numbers.set(kind, (number = numbers.size));
      this.#kindOf[r] = number;
    }
    this.#kinds = [...numbers.keys()];
  }

  /** Count the requests in the range shown, unless that was done already. */
  update() {
    this.#readKinds();
    const { from, to } = this.scale;
    const { filter } = this.look;
    const state = `${from} ${to} ${this.cells}`;
    if (state === this.#counted && filter === this.filter) return;
    this.#counted = state;
    this.filter = filter;
    const hit = filter?.requestHit;
    const { start } = this.trace.requests;
    const { cells } = this;
    const perTime = cells / (to - from);
    /** @type {Map<number, Strip>} */
    const byKind = new Map();
    for (let r = 0; r < this.trace.size; r++) {
      if (start[r] < from || start[r] > to || (hit && !hit[r])) continue;
      const number = this.#kindOf[r];
      let strip = byKind.get(number);
      if (!strip) byKind.set(number, (strip = newStrip(this.#kinds[number], r, cells)));
      const cell = Math.min(cells - 1, Math.floor((start[r] - from) * perTime));
      strip.all[cell]++;
      strip.total++;
      if (!this.trace.isError(r)) continue;
      strip.errors[cell]++;
      strip.failed++;
    }
    const strips = [...byKind.values()].sort(
      (one, other) => other.failed - one.failed || other.total - one.total,
    );
    const rest = strips.splice(MOST_STRIPS - 1);
    if (rest.length === 1) strips.push(rest[0]);
    if (rest.length > 1) strips.push(joined(rest, cells));
    this.strips = strips;
    this.#most = 1;
    for (const { all } of strips) for (const n of all) if (n > this.#most) this.#most = n;
  }

  // -- drawing -----------------------------------------------------------------------------------

  /** @param {CanvasRenderingContext2D} c @param {Record<string, string>} colors @param {number} top */
  paint(c, colors, top) {
    const { scale, stripHeight } = this;
    this.strips.forEach((strip, index) => {
      const y = top + index * stripHeight - scale.scroll;
      if (y + stripHeight < top || y > scale.height) return;
      this.#paintCells(c, colors, strip, y + 1, stripHeight - 3);
      this.#paintNames(c, colors, strip, y);
      c.fillStyle = colors.rule;
      c.fillRect(0, y + stripHeight - 1, scale.width, 1);
    });
  }

  /**
   * @param {CanvasRenderingContext2D} c @param {Record<string, string>} colors @param {Strip} strip
   * @param {number} top @param {number} height
   */
  #paintCells(c, colors, strip, top, height) {
    const { scale } = this;
    const width = scale.room / this.cells;
    for (let cell = 0; cell < strip.all.length; cell++) {
      const all = strip.all[cell];
      if (all === 0) continue;
      const x = scale.gutter + cell * width;
      c.fillStyle = colors.accent;
      c.globalAlpha = PALEST + (0.75 - PALEST) * Math.sqrt(all / this.#most);
      c.fillRect(x, top, width - 0.5, height);
      if (strip.errors[cell] === 0) continue;
      const tall = Math.max(LEAST_ERROR, (strip.errors[cell] / all) * height);
      c.globalAlpha = 1;
      c.fillStyle = colors.error;
      c.fillRect(x, top + height - tall, width - 0.5, tall);
    }
    c.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} c @param {Record<string, string>} colors @param {Strip} strip
   * @param {number} y
   */
  #paintNames(c, colors, strip, y) {
    const { scale, stripHeight } = this;
    const name = cut(plain(nameOf(strip)), LONGEST_KIND);
    const failed = strip.failed > 0 ? `${count(strip.failed)} failed` : "";
    c.textAlign = "start";
    if (!scale.hasNames) {
      const width = c.measureText(name).width + 8;
      c.fillStyle = colors.panel;
      c.globalAlpha = 0.85;
      c.fillRect(scale.gutter, y + 3, width, 15);
      c.globalAlpha = 1;
      c.fillStyle = colors.text;
      c.fillText(name, scale.gutter + 4, y + 14);
      c.fillStyle = colors.error;
      if (strip.failed > 0) c.fillText(count(strip.failed), 4, y + 14, scale.gutter - 6);
      return;
    }
    const isTall = stripHeight >= 32;
    const room = scale.gutter - 16;
    const right = isTall ? 0 : c.measureText(strip.failed > 0 ? count(strip.failed) : "").width;
    c.fillStyle = colors.text;
    const shown = fitting(c, name, room - right - (right > 0 ? 8 : 0));
    c.fillText(shown, 10, y + (isTall ? 14 : stripHeight / 2 + 4));
    if (isTall) {
      const total = count(strip.total);
      c.fillStyle = colors.muted;
      c.fillText(total, 10, y + 28);
      c.fillStyle = colors.error;
      c.fillText(failed, 10 + c.measureText(`${total}  `).width, y + 28);
    } else if (strip.failed > 0) {
      c.fillStyle = colors.error;
      c.fillText(count(strip.failed), 10 + room - right, y + stripHeight / 2 + 4);
    }
  }

  // -- the strip and cell at a point -------------------------------------------------------------

  /** The strip at this height below the first. @param {number} y */
  stripAt(y) {
    return this.strips[Math.floor((y + this.scale.scroll) / this.stripHeight)];
  }

  /**
   * The count of a cell, in words.
   * @param {Strip} strip @param {number} x @returns {string[]}
   */
  facts(strip, x) {
    const { scale } = this;
    if (x < scale.gutter) {
      return [
        nameOf(strip),
        `${counted(strip.total, "request")}, ${count(strip.failed)} failed`,
        strip.kind && strip.kind !== NO_KIND ? "A click searches for these" : "",
      ];
    }
    const cell = Math.min(
      this.cells - 1,
      Math.floor(((x - scale.gutter) / scale.room) * this.cells),
    );
    const [all, errors] = [strip.all[cell] ?? 0, strip.errors[cell] ?? 0];
    return [
      nameOf(strip),
      `${counted(all, "request")}, ${count(errors)} failed`,
      "A click zooms in to the sessions",
    ];
  }

  /**
   * The search for the requests of a strip, or an empty text.
   * @param {Strip} strip
   */
  queryFor({ kind, request }) {
    if (!kind || kind === NO_KIND) return "";
    const { call, method, path } = this.trace.requests;
    /** @param {string} text */
    const quoted = (text) => (/["\s]/.test(text) ? `"${text.replaceAll('"', "*")}"` : text);
    if (call[request]) return `call:${quoted(kind)}`;
    const terms = [];
    if (method[request]) terms.push(`method:${quoted(method[request])}`);
    if (path[request]) {
      const route = kind.slice(method[request] ? method[request].length + 1 : 0);
      terms.push(`path:${quoted(route)}`);
    }
    return terms.join(" ");
  }

  /**
   * A range around *time*, as long as possible, in which few sessions have a request.
   * @param {number} time @returns {[number, number]}
   */
  rangeOfLanes(time) {
    const { start, end, session } = this.trace.requests;
    const hit = this.look.filter?.requestHit;
    let half = (this.scale.to - this.scale.from) / 2;
    for (let tries = 0; tries < 24; tries++) {
      half /= 1.6;
      const sessions = new Set();
      for (let r = 0; r < this.trace.size && sessions.size <= MOST_LANES; r++) {
        const isWithin = start[r] <= time + half && end[r] >= time - half;
        if (isWithin && (!hit || hit[r])) sessions.add(session[r]);
      }
      if (sessions.size <= MOST_LANES) break;
    }
    return [time - half, time + half];
  }
}

/** @param {string} kind @param {number} request @param {number} cells @returns {Strip} */
function newStrip(kind, request, cells) {
  return {
    kind,
    request,
    all: new Uint32Array(cells),
    errors: new Uint32Array(cells),
    total: 0,
    failed: 0,
  };
}

/** The text, with an ellipsis where it has no room. @param {CanvasRenderingContext2D} c @param {string} text @param {number} room */
function fitting(c, text, room) {
  let length = text.length;
  while (length > 1 && c.measureText(cut(text, length)).width > room) length--;
  return cut(text, length);
}

/** @param {Strip} strip */
function nameOf({ kind }) {
  return kind || "other paths";
}

/** One strip for all the others. @param {Strip[]} strips @param {number} cells */
function joined(strips, cells) {
  const all = newStrip("", strips[0].request, cells);
  for (const strip of strips) {
    all.total += strip.total;
    all.failed += strip.failed;
    for (let cell = 0; cell < cells; cell++) {
      all.all[cell] += strip.all[cell];
      all.errors[cell] += strip.errors[cell];
    }
  }
  return all;
}
