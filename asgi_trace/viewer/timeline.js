// The time axis: an overview to brush, and below it a lane per session with its requests' bars and their lines' ticks.
// Knows pixels, pointers and the columns of a trace. Does not know the lists beside it: it calls back with what was chosen.

import { duration, make, plain } from "./text.js";
import { ERROR, LEVELS, NOBODY, WARNING } from "./data.js";
import { arrange, firstAfter } from "./lanes.js";

const OVERVIEW = 30;
const AXIS = 22;
const HEAD = OVERVIEW + AXIS;
const EDGE = 10;
const LANE_GAP = 4;
// The fewer rows, the higher. Those that are flat have no labels.
const ROW_HEIGHTS = [
  [10, 34],
  [40, 25],
  [Infinity, 9],
];
const LABELED_ROW = 25;
const SHORTEST_RANGE = 8; // ms
// Where there are more, only those with something to show are drawn.
const FEW_LANES = 8;
// Above it, a page opens at a part of the time.
const LONG = 60_000;
const COLORS = 8;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28, 91, 364].map((n) => n * DAY),
];

/** @param {number} rows */
function rowHeight(rows) {
  return /** @type {number[]} */ (ROW_HEIGHTS.find(([most]) => rows <= most))[1];
}

/**
 * @typedef {{width: number, linked: number, from: number, to: number, all: Uint32Array, warnings: Uint32Array,
 *   errors: Uint32Array}} Bins how many lines there are at a time, and of what they were counted
 * @typedef {{lane: import("./lanes.js").Lane, rows: number[][], top: number}} Placed a lane in sight, `top` in pixels
 * @typedef {{chooseRequest: (r: number) => void, chooseLine: (line: number) => void, chooseSession: (s: number) => void,
 *   zoomed: () => void}} Handlers
 */

export class Timeline {
  from = 0;
  to = 1;
  /** @type {[number, number] | null} the times of the lines in sight */
  reading = null;
  /** @type {Placed[]} */
  placed = [];
  rowHeight = LABELED_ROW;
  lanesHeight = 0;
  width = 0;
  height = 0;
  /** @type {ReturnType<typeof arrange>} */
  arranged = { lanes: [], rows: 0 };
  /** @type {Map<number, [number, number][]>} silences within requests */
  gaps = new Map();
  /** @type {Record<string, string>} */
  colors = {};
  /** @type {string[]} */
  sessionColors = [];
  nobody = "";
  font = "";
  boldFont = "";

  /** @type {[number, number]} */
  #asked = [0, 1];
  #scroll = 0;
  #isDue = false;
  /** @type {{from: number, to: number} | null} pixels */
  #brush = null;
  /** @type {Map<number, number>} */
  #widths = new Map();
  #bins = /** @type {Bins | null} */ (null);

  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {Handlers} handlers
   */
  constructor(element, trace, look, clock, handlers) {
    this.element = element;
    this.trace = trace;
    this.look = look;
    this.clock = clock;
    this.handlers = handlers;
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.tip = /** @type {HTMLElement} */ (element.querySelector(".tip"));
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.rearrange();
    this.readColors();
    this.fit();
    new ResizeObserver(() => this.#resize()).observe(element);
    this.#listen();
  }

  // -- what is seen -------------------------------------------------------------------------------------------------

  /** Requests have come, or their times have changed. */
  rearrange() {
    this.arranged = arrange(this.trace);
    this.gaps.clear();
    for (const [r, from, to] of this.trace.head.gaps) {
      const known = this.gaps.get(r);
      if (known) known.push([from, to]);
      else this.gaps.set(r, [[from, to]]);
    }
    const { rows, lanes } = this.arranged;
    this.element.style.setProperty(
      "--wanted-height",
      `${HEAD + rows * rowHeight(rows) + lanes.length * LANE_GAP + 4}px`,
    );
    this.draw();
  }

  // The lanes and rows that have something at this time, from top to bottom.
  #layOut() {
    const { lanes } = this.arranged;
    const { filter, request } = this.look;
    const { start, end } = this.trace.requests;
    const hit = filter?.requestHit;
    /** @param {number[]} row */
    const hasSome = (row) => {
      for (
        let i = firstAfter(row, end, this.from);
        i < row.length && start[row[i]] <= this.to;
        i++
      ) {
        if (!hit || hit[row[i]] || row[i] === request) return true;
      }
      return false;
    };
    /** @type {Placed[]} */
    const placed = [];
    let rows = 0;
    for (const lane of lanes) {
      const shown = lanes.length > FEW_LANES ? lane.rows.filter(hasSome) : lane.rows;
      if (shown.length === 0) continue;
      placed.push({ lane, rows: shown, top: rows });
      rows += shown.length;
    }
    this.rowHeight = rowHeight(rows);
    placed.forEach((each, index) => (each.top = each.top * this.rowHeight + index * LANE_GAP));
    this.lanesHeight = rows * this.rowHeight + placed.length * LANE_GAP;
    this.placed = placed;
    this.#scroll = Math.max(0, Math.min(this.#scroll, this.lanesHeight - (this.height - HEAD)));
  }

  /** The palette is the style sheet's: light, dark, and what a reader's browser forces. */
  readColors() {
    const probe = make("span");
    this.element.append(probe);
    /** @param {string} name */
    const color = (name) => {
      probe.className = `ink-${name}`;
      return getComputedStyle(probe).color;
    };
    this.colors = Object.fromEntries(
      ["text", "muted", "rule", "panel", "accent", "debug", "warning", "error", "band"].map(
        (name) => [name, color(name)],
      ),
    );
    this.sessionColors = [];
    for (let i = 0; i < COLORS; i++) this.sessionColors.push(color(`s${i}`));
    this.nobody = color("nobody");
    const style = getComputedStyle(this.element);
    this.font = `11px ${style.fontFamily}`;
    this.boldFont = `600 11px ${style.fontFamily}`;
    probe.remove();
    this.#widths.clear();
    this.draw();
  }

  /** @param {number} s */
  color(s) {
    return s < 0 ? this.nobody : this.sessionColors[s % COLORS];
  }

  get #gutter() {
    return this.width < 560 ? 34 : 118;
  }

  /** @param {number} time */
  #x(time) {
    return (
      this.#gutter +
      ((time - this.from) / (this.to - this.from)) * (this.width - this.#gutter - EDGE)
    );
  }

  /** @param {number} x */
  #timeAt(x) {
    return (
      this.from + ((x - this.#gutter) / (this.width - this.#gutter - EDGE)) * (this.to - this.from)
    );
  }

  /** All there is, with some air. @returns {[number, number]} */
  get whole() {
    const { from, to } = this.trace;
    if (!(from <= to)) return [0, SECOND];
    const air = Math.max((to - from) * 0.015, SHORTEST_RANGE);
    return [from - air, to + air];
  }

  get isWhole() {
    const [from, to] = this.whole;
    const nothing = (to - from) * 1e-6;
    return this.from <= from + nothing && this.to >= to - nothing;
  }

  fit() {
    this.show(...this.whole);
  }

  /** Show this time, as far as there is any. @param {number} from @param {number} to */
  show(from, to) {
    this.#asked = [from, to];
    const [first, last] = this.whole;
    const range = Math.min(Math.max(to - from, SHORTEST_RANGE), last - first);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - range / 2, first), last - range);
    this.to = this.from + range;
    this.draw();
  }

  /** Show what was asked for, now that there is more. */
  showAgain() {
    this.show(...this.#asked);
  }

  /** @param {number} factor @param {number} [around] a time */
  zoom(factor, around = (this.from + this.to) / 2) {
    this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
    this.handlers.zoomed();
  }

  /** @param {number} share of what is shown */
  pan(share) {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
    this.handlers.zoomed();
  }

  /** Bring a request into view, as it is zoomed now. @param {number} r */
  reveal(r) {
    const { start, end } = this.trace.requests;
    const isSeen = end[r] > this.from && start[r] < this.to;
    if (!isSeen) {
      const range = Math.max(this.to - this.from, (end[r] - start[r]) * 1.4);
      const middle = (start[r] + end[r]) / 2;
      this.show(middle - range / 2, middle + range / 2);
    }
    this.#layOut();
    const top = this.#topOf(r);
    const room = this.height - HEAD;
    if (top < this.#scroll) this.#scrollTo(top - this.rowHeight);
    else if (top + this.rowHeight > this.#scroll + room)
      this.#scrollTo(top + 2 * this.rowHeight - room);
    this.draw();
  }

  /** Of a long log, show a time in which the request can be seen. @param {number} r */
  open(r) {
    const { start, end } = this.trace.requests;
    const [from, to] = this.whole;
    if (to - from < LONG) return;
    const range = Math.max((end[r] - start[r]) * 8, 2 * SECOND);
    const middle = (start[r] + end[r]) / 2;
    this.show(middle - range / 2, middle + range / 2);
  }

  /** Fill the axis with one request. @param {number} r */
  zoomTo(r) {
    const { start, end } = this.trace.requests;
    const air = Math.max((end[r] - start[r]) * 0.1, SHORTEST_RANGE);
    this.show(start[r] - air, end[r] + air);
    this.reveal(r);
    this.handlers.zoomed();
  }

  /** @param {number} top */
  #scrollTo(top) {
    this.#scroll = Math.max(0, Math.min(top, this.lanesHeight - (this.height - HEAD)));
    this.draw();
  }

  /** @param {number} r */
  #topOf(r) {
    for (const { rows, top } of this.placed) {
      const row = rows.findIndex((each) => each.includes(r));
      if (row >= 0) return top + row * this.rowHeight;
    }
    return 0;
  }

  // -- drawing ------------------------------------------------------------------------------------------------------

  #resize() {
    const box = this.element.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.#scrollTo(this.#scroll);
    this.#isDue = false;
    this.#draw();
  }

  draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      if (!this.#isDue) return;
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    if (!this.width) return;
    const c = this.context;
    const ratio = devicePixelRatio || 1;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.width, this.height);
    c.font = this.font;
    c.textBaseline = "alphabetic";
    this.#layOut();
    this.#drawOverview();
    this.#drawAxis();
    c.save();
    c.beginPath();
    c.rect(0, HEAD, this.width, this.height - HEAD);
    c.clip();
    this.#drawSilences();
    this.#drawLanes();
    c.restore();
    this.#drawScrollBar();
    this.#drawBrush();
  }

  /** @param {number} from @param {number} to */
  #overviewX(from, to) {
    const [first, last] = this.whole;
    const width = this.width - this.#gutter - EDGE;
    /** @param {number} time */
    const x = (time) => this.#gutter + ((time - first) / (last - first)) * width;
    return [x(from), x(to)];
  }

  /** @param {number} x */
  #overviewTime(x) {
    const [first, last] = this.whole;
    return first + ((x - this.#gutter) / (this.width - this.#gutter - EDGE)) * (last - first);
  }

  // How many lines there are at a time, and where one of them is an error.
  #histogram() {
    const [from, to] = this.whole;
    const { linked, time, level } = this.trace;
    const size = Math.max(1, Math.floor((this.width - this.#gutter - EDGE) / 2));
    const known = this.#bins;
    if (
      known &&
      known.width === size &&
      known.from === from &&
      known.to === to &&
      known.linked === linked
    )
      return known;
    const all = new Uint32Array(size);
    const warnings = new Uint32Array(size);
    const errors = new Uint32Array(size);
    const scale = size / (to - from);
    for (let i = 0; i < linked; i++) {
      const bin = Math.min(size - 1, Math.max(0, ((time[i] - from) * scale) | 0));
      all[bin]++;
      if (level[i] >= ERROR) errors[bin]++;
      else if (level[i] === WARNING) warnings[bin]++;
    }
    return (this.#bins = { width: size, linked, from, to, all, warnings, errors });
  }

  #drawOverview() {
    const c = this.context;
    const { all, warnings, errors } = this.#histogram();
    const { muted, error, warning, accent, rule } = this.colors;
    const bottom = OVERVIEW - 4;
    const most = Math.sqrt(all.reduce((one, other) => Math.max(one, other), 1));
    const [windowFrom, windowTo] = this.#overviewX(this.from, this.to);
    if (!this.isWhole) {
      c.fillStyle = accent;
      c.globalAlpha = 0.1;
      c.fillRect(windowFrom, 2, Math.max(2, windowTo - windowFrom), bottom - 2);
      c.globalAlpha = 1;
    }
    for (let bin = 0; bin < all.length; bin++) {
      if (all[bin] === 0) continue;
      const height = 2 + (Math.sqrt(all[bin]) / most) * (bottom - 8);
      const x = this.#gutter + bin * 2;
      c.fillStyle = muted;
      c.globalAlpha = 0.55;
      c.fillRect(x, bottom - height, 1.5, height);
      c.globalAlpha = 1;
      // However few, they are seen.
      let y = bottom;
      for (const [some, color] of /** @type {[number, string][]} */ ([
        [errors[bin], error],
        [warnings[bin], warning],
      ])) {
        if (some === 0) continue;
        const share = Math.max(3, (some / all[bin]) * height);
        c.fillStyle = color;
        c.fillRect(x, y - share, 1.5, share);
        y -= share;
      }
    }
    c.globalAlpha = 1;
    c.fillStyle = rule;
    c.fillRect(this.#gutter, bottom, this.width - this.#gutter - EDGE, 1);
    if (this.isWhole) return;
    c.fillStyle = accent;
    for (const x of [windowFrom, windowTo]) c.fillRect(Math.round(x) - 0.5, 2, 1.5, bottom - 2);
  }

  #drawAxis() {
    const c = this.context;
    const { muted, rule, accent } = this.colors;
    const room = this.width - this.#gutter - EDGE;
    const step =
      STEPS.find((each) => (each / (this.to - this.from)) * room >= 76) ?? STEPS[STEPS.length - 1];
    const base = this.trace.head.base;
    const midnight = this.clock.midnight(base + this.from);
    const digits = step >= SECOND ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
    c.fillStyle = muted;
    if (this.#gutter > 100) {
      c.fillText(
        `${this.clock.date(base + this.from)} ${this.clock.zone(base + this.from)}`,
        10,
        OVERVIEW + 14,
        this.#gutter - 14,
      );
    }
    c.textAlign = "center";
    for (
      let at = midnight + Math.ceil((base + this.from - midnight) / step) * step;
      at <= base + this.to;
      at += step
    ) {
      const x = Math.round(this.#x(at - base)) + 0.5;
      c.fillStyle = rule;
      c.fillRect(x - 0.5, OVERVIEW + 18, 1, this.height);
      c.fillStyle = muted;
      const text =
        step >= DAY
          ? this.clock.date(at)
          : step >= MINUTE
            ? this.clock.time(at, 0).slice(0, 5)
            : this.clock.time(at, digits);
      const half = c.measureText(text).width / 2;
      if (x - half >= this.#gutter && x + half <= this.width) c.fillText(text, x, OVERVIEW + 14);
    }
    c.textAlign = "start";
    c.fillStyle = rule;
    c.fillRect(0, HEAD - 1, this.width, 1);
    if (!this.reading) return;
    const from = Math.max(this.#gutter, this.#x(this.reading[0]));
    const to = Math.min(this.width - EDGE, this.#x(this.reading[1]));
    c.fillStyle = accent;
    if (to >= from) c.fillRect(from, HEAD - 2, Math.max(2, to - from), 2);
  }

  #drawSilences() {
    const c = this.context;
    for (const [from, to] of this.trace.head.silences) {
      if (to < this.from || from > this.to) continue;
      const left = Math.max(this.#gutter, this.#x(from));
      const right = this.#x(to);
      const width = Math.max(1, right - left);
      c.fillStyle = this.colors.band;
      c.globalAlpha = 0.16;
      c.fillRect(left, HEAD, width, this.height);
      c.globalAlpha = 0.4;
      c.strokeStyle = this.colors.band;
      c.lineWidth = 1;
      c.save();
      c.beginPath();
      c.rect(left, HEAD, width, this.height);
      c.clip();
      c.beginPath();
      const slant = this.height - HEAD;
      for (let x = left - slant; x < Math.min(right, this.width); x += 8) {
        c.moveTo(x, this.height);
        c.lineTo(x + slant, HEAD);
      }
      c.stroke();
      c.restore();
      c.globalAlpha = 1;
    }
  }

  #drawLanes() {
    const room = this.height - HEAD;
    for (let index = this.#indexAt(this.#scroll); index < this.placed.length; index++) {
      const top = this.placed[index].top - this.#scroll;
      if (top > room) break;
      this.#drawLane(this.placed[index], HEAD + top);
    }
  }

  /** The last lane that begins at or above this height. @param {number} y */
  #indexAt(y) {
    let low = 0;
    let high = Math.max(0, this.placed.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.placed[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** @param {Placed} placed @param {number} top */
  #drawLane({ lane, rows }, top) {
    const c = this.context;
    const { trace, rowHeight: step, colors } = this;
    const gutter = this.#gutter;
    const height = rows.length * step + LANE_GAP;
    const color = this.color(lane.session);
    if (lane.session === this.look.session && lane.session !== NOBODY) {
      c.fillStyle = color;
      c.globalAlpha = 0.08;
      c.fillRect(0, top, this.width, height);
      c.globalAlpha = 1;
    }
    c.save();
    c.beginPath();
    c.rect(gutter, HEAD, this.width - gutter, this.height - HEAD);
    c.clip();
    rows.forEach((row, index) => {
      const y = top + index * step;
      if (y + step >= HEAD && y <= this.height) this.#drawRow(row, y, color);
    });
    c.restore();
    c.fillStyle = colors.rule;
    c.fillRect(0, Math.round(top + height) - 1, this.width, 1);
    c.fillStyle = color;
    c.fillRect(0, top + 1, 3, height - 3);
    const y = top + Math.min(height / 2 + 4, 22);
    const label = trace.label(lane.session);
    c.font = this.boldFont;
    c.fillText(label, 10, y);
    const after = 10 + c.measureText(label).width + 6;
    c.font = this.font;
    c.fillStyle = colors.muted;
    if (gutter > 100)
      c.fillText(cut(this.#sessionName(lane.session), 14), after, y, gutter - after - 6);
  }

  /** @param {number} s */
  #sessionName(s) {
    return s < 0 ? "no session" : plain(this.trace.sessions[s]);
  }

  /** @param {number[]} row @param {number} y @param {string} color */
  #drawRow(row, y, color) {
    const { start, end } = this.trace.requests;
    let last = firstAfter(row, end, this.from);
    const first = last;
    while (last < row.length && start[row[last]] <= this.to) last++;
    if (this.rowHeight < LABELED_ROW || last - first > 400)
      this.#drawDense(row, first, last, y, color);
    else {
      let next = this.width; // where the bar to the right begins
      for (let i = last - 1; i >= first; i--) {
        const before = i > first ? this.#x(end[row[i - 1]]) : this.#gutter;
        next = this.#drawBar(row[i], y, color, next, before);
      }
    }
  }

  /** @param {number} r */
  #opacity(r) {
    const { found, request, session } = this.look;
    if (found && !found.requestHit[r]) return 0.22;
    if (request >= 0) return r === request ? 1 : 0.7;
    if (session >= 0) return this.trace.requests.session[r] === session ? 1 : 0.45;
    return 1;
  }

  // Many bars: those that share a pixel are drawn once, and an error is never hidden.
  /** @param {number[]} row @param {number} first @param {number} last @param {number} y @param {string} color */
  #drawDense(row, first, last, y, color) {
    const c = this.context;
    const { start, end, first_byte: firstByte } = this.trace.requests;
    const height = this.rowHeight - 3;
    let drawn = -1;
    let wasError = false;
    for (let i = first; i < last; i++) {
      const r = row[i];
      const isError = this.trace.isError(r);
      const isChosen = r === this.look.request;
      const to = this.#x(end[r]);
      if (to <= drawn && !isChosen && (wasError || !isError)) continue;
      const from = this.#x(start[r]);
      const width = Math.max(1.5, to - from);
      c.globalAlpha = this.#opacity(r) * (isError ? 1 : 0.75);
      c.fillStyle = isError && width < 4 ? this.colors.error : color;
      const sent = firstByte[r] === null ? to : this.#x(firstByte[r]);
      if (width > 12 && sent > from) {
        c.globalAlpha *= 0.55;
        c.fillRect(from, y + 1, sent - from, height);
        c.globalAlpha /= 0.55;
        c.fillRect(sent, y + 1, to - sent, height);
      } else c.fillRect(from, y + 1, width, height);
      if (isError && width >= 4) {
        c.fillStyle = this.colors.error;
        c.fillRect(to - 3, y + 1, 3, height);
      }
      if (width > 12) this.#drawTicks(r, y + 1, height, true);
      if (isChosen) this.#outline(from, y + 1, width, height);
      drawn = Math.ceil(Math.max(to, from + 1.5));
      wasError = isError;
    }
    c.globalAlpha = 1;
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  #outline(x, y, width, height) {
    const c = this.context;
    c.globalAlpha = 1;
    c.strokeStyle = this.colors.text;
    c.lineWidth = 1.5;
    c.strokeRect(x - 1, y - 1, width + 2, height + 2);
  }

  /** @param {number} r @param {number} y @param {string} color @param {number} next @param {number} before */
  #drawBar(r, y, color, next, before) {
    const c = this.context;
    const { start, end, first_byte: firstByte, status, late } = this.trace.requests;
    const isError = this.trace.isError(r);
    const opacity = this.#opacity(r);
    const from = this.#x(start[r]);
    const to = Math.max(this.#x(end[r]), from + 2);
    const top = y + 2;
    const height = this.rowHeight - 4;
    c.globalAlpha = opacity * 0.2;
    c.fillStyle = color;
    c.fillRect(from, top, to - from, height);
    if (firstByte[r] !== null && firstByte[r] !== undefined) {
      const sent = Math.min(Math.max(this.#x(firstByte[r]), from), to);
      c.globalAlpha = opacity * 0.42;
      c.fillRect(sent, top, to - sent, height);
      c.globalAlpha = opacity;
      c.fillRect(sent - 0.5, top, 1, height);
    }
    for (const gap of this.gaps.get(r) ?? []) this.#drawGap(gap, top, height, opacity, color);
    c.globalAlpha = opacity;
    c.fillStyle = color;
    c.fillRect(from, top, 2, height);
    c.fillRect(from, top + height - 1, to - from, 1);
    if (isError) {
      c.fillStyle = this.colors.error;
      c.fillRect(Math.max(from, to - 3), top, 3, height);
    }
    if (late[r] > 0) this.#drawTail(r, to, top + height - 4, color);
    this.#drawTicks(r, top, height, false);
    if (r === this.look.request) this.#outline(from, top, to - from, height);
    c.globalAlpha = Math.max(opacity, 0.75);
    const left = this.#drawLabel(r, from, to, top, next, from - before, isError, status[r]);
    c.globalAlpha = 1;
    return Math.min(left, from);
  }

  /** @param {[number, number]} gap @param {number} top @param {number} height @param {number} opacity @param {string} color */
  #drawGap([from, to], top, height, opacity, color) {
    const c = this.context;
    const left = this.#x(from) + 2;
    const right = this.#x(to) - 2;
    if (right - left < 3) return;
    const y = Math.round(top + height - 5) + 0.5;
    c.globalAlpha = opacity;
    c.strokeStyle = color;
    c.lineWidth = 1;
    c.setLineDash([2, 3]);
    c.beginPath();
    c.moveTo(left, y);
    c.lineTo(right, y);
    c.stroke();
    c.setLineDash([]);
    c.beginPath();
    for (const x of [left, right]) {
      c.moveTo(x, y - 2.5);
      c.lineTo(x, y + 2.5);
    }
    c.stroke();
  }

  /** @param {number} r @param {number} from @param {number} y @param {string} color */
  #drawTail(r, from, y, color) {
    const last = this.trace.lastLine[r];
    if (last < 0) return;
    const c = this.context;
    const to = this.#x(this.trace.time[last]);
    c.strokeStyle = color;
    c.lineWidth = 1;
    c.setLineDash([1, 3]);
    c.beginPath();
    c.moveTo(from, y + 0.5);
    c.lineTo(to, y + 0.5);
    c.stroke();
    c.setLineDash([]);
  }

  // A tick per line: the worse, the taller. A late one is a diamond, behind the bar.
  /** @param {number} r @param {number} top @param {number} height @param {boolean} isFlat */
  #drawTicks(r, top, height, isFlat) {
    const c = this.context;
    const { time, level, next, isLate } = this.trace;
    const { colors } = this;
    const bottom = top + height;
    let lastX = -9;
    let lastLevel = -1;
    for (let line = this.trace.firstLine[r]; line >= 0; line = next[line]) {
      const exact = this.#x(time[line]);
      if (exact > this.width) break;
      const x = Math.round(exact);
      const worth = level[line];
      if (isFlat && worth < WARNING && !isLate[line]) continue;
      if (x < this.#gutter - 4 || (x === lastX && worth <= lastLevel && line !== this.look.line))
        continue;
      lastX = x;
      lastLevel = worth;
      const tall = isFlat
        ? height
        : worth >= ERROR
          ? height
          : worth === WARNING
            ? Math.min(height, 12)
            : this.rowHeight > LABELED_ROW
              ? 9
              : 6;
      c.fillStyle =
        worth >= ERROR
          ? colors.error
          : worth === WARNING
            ? colors.warning
            : worth === 1
              ? colors.debug
              : colors.text;
      if (isLate[line]) {
        const y = bottom - 3.5;
        c.strokeStyle = c.fillStyle;
        c.lineWidth = 1.2;
        c.beginPath();
        c.moveTo(x, y - 4);
        c.lineTo(x + 4, y);
        c.lineTo(x, y + 4);
        c.lineTo(x - 4, y);
        c.closePath();
        c.stroke();
      } else {
        c.fillRect(x - (worth >= WARNING ? 1 : 0.5), bottom - tall, worth >= WARNING ? 2 : 1, tall);
      }
      if (line === this.look.line) {
        c.fillStyle = colors.accent;
        c.beginPath();
        c.moveTo(x, bottom - 1);
        c.lineTo(x - 4, bottom + 5);
        c.lineTo(x + 4, bottom + 5);
        c.fill();
      }
    }
  }

  /**
   * Inside its bar, else behind it or before it, where there is room. Returns where bar and label begin.
   * @param {number} r @param {number} from @param {number} to @param {number} top @param {number} next
   * @param {number} before @param {boolean} isError @param {number | null} status
   */
  #drawLabel(r, from, to, top, next, before, isError, status) {
    const c = this.context;
    const title = cut(this.trace.title(r), 48);
    const detail = [status ?? (isError ? "crash" : ""), duration(this.trace.duration(r))]
      .filter(Boolean)
      .join(" · ");
    let width = this.#widths.get(r);
    if (width === undefined)
      this.#widths.set(r, (width = c.measureText(`${title}  ${detail}`).width + 10));
    const left = Math.max(from, this.#gutter);
    const y = top + (this.rowHeight > LABELED_ROW ? 13 : 11);
    let x = left + 6;
    let room = Math.min(to, this.width) - left;
    if (width > room) {
      const behind = Math.min(next, this.width) - to;
      if (behind >= width || (behind > room && behind > 60)) {
        x = to + 5;
        room = behind;
      } else if (before >= width && width > room * 2) {
        x = from - width + 4;
        room = width + 4;
      }
    }
    if (room < 28) return from;
    c.save();
    c.beginPath();
    c.rect(x, top - 2, room - 8, 20);
    c.clip();
    c.fillStyle = this.colors.text;
    c.fillText(title, x, y);
    c.fillStyle = isError
      ? this.colors.error
      : x >= left && x < to
        ? this.colors.text
        : this.colors.muted;
    c.fillText(detail, x + c.measureText(`${title}  `).width, y);
    c.restore();
    return Math.min(from, x);
  }

  #drawScrollBar() {
    const room = this.height - HEAD;
    if (this.lanesHeight <= room) return;
    const c = this.context;
    c.fillStyle = this.colors.muted;
    c.globalAlpha = 0.5;
    const size = Math.max(24, (room / this.lanesHeight) * room);
    c.fillRect(
      this.width - 5,
      HEAD + (this.#scroll / (this.lanesHeight - room)) * (room - size),
      3,
      size,
    );
    c.globalAlpha = 1;
  }

  #drawBrush() {
    if (!this.#brush) return;
    const c = this.context;
    const { from, to } = this.#brush;
    c.fillStyle = this.colors.accent;
    c.globalAlpha = 0.16;
    c.fillRect(Math.min(from, to), 0, Math.abs(to - from), this.height);
    c.globalAlpha = 1;
  }

  // -- pointing -----------------------------------------------------------------------------------------------------

  /** What is at this point. @param {number} x @param {number} y @returns {{request: number, line: number, session: number | null}} */
  #under(x, y) {
    const nothing = { request: -1, line: -1, session: null };
    const inLanes = y - HEAD + this.#scroll;
    if (y < HEAD || this.placed.length === 0 || inLanes > this.lanesHeight) return nothing;
    const { lane, rows, top } = this.placed[this.#indexAt(inLanes)];
    const row = Math.min(Math.floor((inLanes - top) / this.rowHeight), rows.length - 1);
    if (x < this.#gutter) return { ...nothing, session: lane.session };
    const requests = rows[row];
    const { start, end } = this.trace.requests;
    let best = -1;
    let distance = 6;
    const reach = this.#timeAt(x - 6);
    for (let i = Math.max(0, firstAfter(requests, end, reach) - 1); i < requests.length; i++) {
      const r = requests[i];
      if (this.#x(start[r]) > x + 6) break;
      const last = this.trace.lastLine[r];
      const tail = last >= 0 ? Math.max(end[r], this.trace.time[last]) : end[r];
      const away = Math.max(0, this.#x(start[r]) - x, x - this.#x(tail));
      if (away < distance) [best, distance] = [r, away];
    }
    return { request: best, line: best < 0 ? -1 : this.#tickAt(best, x), session: null };
  }

  /** @param {number} r @param {number} x */
  #tickAt(r, x) {
    const { time, level, next } = this.trace;
    let best = -1;
    let distance = 4;
    for (let line = this.trace.firstLine[r]; line >= 0; line = next[line]) {
      const away = Math.abs(this.#x(time[line]) - x);
      if (away < distance || (best >= 0 && away === distance && level[line] > level[best]))
        [best, distance] = [line, away];
    }
    return best;
  }

  #listen() {
    const { element } = this;
    /** @type {Map<number, {x: number, y: number}>} */
    const fingers = new Map();
    /** @type {{x: number, y: number, from: number, to: number, scroll: number, kind: "pan" | "brush" | "overview", moved: boolean} | null} */
    let drag = null;
    /** @param {PointerEvent | WheelEvent | MouseEvent} event */
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };

    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const at = place(event);
      fingers.set(event.pointerId, at);
      element.setPointerCapture(event.pointerId);
      const kind = at.y < OVERVIEW ? "overview" : at.y < HEAD || event.shiftKey ? "brush" : "pan";
      drag = { ...at, from: this.from, to: this.to, scroll: this.#scroll, kind, moved: false };
      this.#hideTip();
    });

    element.addEventListener("pointermove", (event) => {
      const at = place(event);
      const before = fingers.get(event.pointerId);
      if (!before || !drag) {
        this.#hover(at);
        return;
      }
      if (fingers.size === 2) {
        const [other] = [...fingers]
          .filter(([id]) => id !== event.pointerId)
          .map(([, point]) => point);
        const factor =
          Math.max(12, Math.abs(before.x - other.x)) / Math.max(12, Math.abs(at.x - other.x));
        fingers.set(event.pointerId, at);
        drag.moved = true;
        this.zoom(factor, this.#timeAt((at.x + other.x) / 2));
        return;
      }
      fingers.set(event.pointerId, at);
      if (!drag.moved && Math.hypot(at.x - drag.x, at.y - drag.y) < 4) return;
      drag.moved = true;
      if (drag.kind === "pan") {
        const by = ((drag.x - at.x) / (this.width - this.#gutter - EDGE)) * (drag.to - drag.from);
        this.show(drag.from + by, drag.to + by);
        this.#scrollTo(drag.scroll + drag.y - at.y);
      } else {
        this.#brush = { from: Math.max(drag.x, this.#gutter), to: Math.max(at.x, this.#gutter) };
        this.draw();
      }
    });

    /** @param {PointerEvent} event */
    const lift = (event) => {
      fingers.delete(event.pointerId);
      if (!drag || fingers.size > 0) return;
      const { kind, moved, x, y } = drag;
      drag = null;
      if (this.#brush) {
        const ends = [this.#brush.from, this.#brush.to].sort((one, other) => one - other);
        const [from, to] = ends.map((end) =>
          kind === "overview" ? this.#overviewTime(end) : this.#timeAt(end),
        );
        this.#brush = null;
        this.show(from, to);
        this.handlers.zoomed();
      } else if (moved) this.handlers.zoomed();
      else if (event.type === "pointerup") this.#click(x, y, kind);
    };
    element.addEventListener("pointerup", lift);
    element.addEventListener("pointercancel", lift);
    element.addEventListener("pointerleave", () => this.#hideTip());

    element.addEventListener(
      "wheel",
      (event) => {
        const at = place(event);
        const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        const canScroll = this.lanesHeight > this.height - HEAD && at.y > HEAD;
        event.preventDefault();
        this.#hideTip();
        if (isSideways) this.pan((event.deltaX || event.deltaY) / (this.width - this.#gutter));
        else if (canScroll && !event.ctrlKey && !event.metaKey)
          this.#scrollTo(this.#scroll + event.deltaY);
        else
          this.zoom(
            Math.exp(Math.max(-200, Math.min(200, event.deltaY)) * 0.0025),
            this.#timeAt(Math.max(at.x, this.#gutter)),
          );
      },
      { passive: false },
    );

    element.addEventListener("dblclick", (event) => {
      const { x, y } = place(event);
      const { request } = this.#under(x, y);
      if (request >= 0) this.zoomTo(request);
      else {
        this.fit();
        this.handlers.zoomed();
      }
    });
  }

  /** @param {number} x @param {number} y @param {string} kind */
  #click(x, y, kind) {
    if (kind === "overview") {
      const middle = this.#overviewTime(x);
      const half = (this.to - this.from) / 2;
      this.show(middle - half, middle + half);
      this.handlers.zoomed();
      return;
    }
    const { request, line, session } = this.#under(x, y);
    if (session !== null) this.handlers.chooseSession(session);
    else if (line >= 0) this.handlers.chooseLine(line);
    else this.handlers.chooseRequest(request);
  }

  /** @param {{x: number, y: number}} at */
  #hover(at) {
    const { request, line, session } = this.#under(at.x, at.y);
    this.element.style.cursor =
      request >= 0 || session !== null ? "pointer" : at.y < HEAD ? "col-resize" : "grab";
    if (request < 0) {
      const silence =
        at.y < HEAD || at.x < this.#gutter ? null : this.#silenceAt(this.#timeAt(at.x));
      if (!silence) return this.#hideTip();
      this.tip.replaceChildren(
        make("div", "tip-title", `Silence: ${duration(silence[1] - silence[0])}`),
        make("div", "", "None of the open requests logged anything: was the event loop blocked?"),
      );
      return this.#placeTip(at);
    }
    const { trace } = this;
    const { status, start, first_byte: firstByte, call, outcome, late } = trace.requests;
    const facts = [
      status[request] ?? "",
      duration(trace.duration(request)),
      firstByte[request] !== null
        ? `first byte after ${duration(firstByte[request] - start[request])}`
        : "",
      outcome[request] ?? "",
      late[request] > 0 ? `${late[request]} late` : "",
    ];
    this.tip.replaceChildren(
      make("div", "tip-title", trace.title(request)),
      make("div", "", facts.filter(Boolean).map(plain).join(" · ")),
    );
    if (call[request]) this.tip.append(make("div", "", plain(call[request])));
    for (const [from, to] of this.gaps.get(request) ?? []) {
      const time = this.#timeAt(at.x);
      if (time >= from && time <= to)
        this.tip.append(make("div", "", `nothing logged for ${duration(to - from)}`));
    }
    if (line >= 0) {
      const text = trace.text(line) ?? "";
      const message = plain(text.slice(trace.messageAt(line)).split("\n", 1)[0]);
      this.tip.append(
        make("div", `tip-line level-${LEVELS[trace.level[line]]}`, cut(message, 160)),
      );
    }
    this.#placeTip(at);
  }

  /** @param {number} time @returns {[number, number] | undefined} */
  #silenceAt(time) {
    return this.trace.head.silences.find(
      (/** @type {[number, number]} */ [from, to]) => time >= from && time <= to,
    );
  }

  /** @param {{x: number, y: number}} at */
  #placeTip({ x, y }) {
    this.tip.hidden = false;
    const { offsetWidth: width } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(x + 12, this.width - width - 4))}px`;
    this.tip.style.top = `${y + 16}px`;
  }

  #hideTip() {
    this.tip.hidden = true;
  }
}

/** @param {string} text @param {number} most */
function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
