// Draws the time axis on its canvas: the overview, the axis and the lanes; bars.js draws the bars
// in the lanes. Positions come from the scale, colors from the style sheet.

import { cut, duration, make, plain } from "./text.js";
import { ERROR, NOBODY, WARNING } from "./data.js";
import { Bars, paintRange } from "./bars.js";
import { Opened } from "./opened.js";
import { DAY, EDGE, HEAD, HOUR, LANE_GAP, MINUTE, OVERVIEW, SECOND } from "./scale.js";

const COLORS = 8;
const COLOR_NAMES = [
  ...["text", "muted", "rule", "panel", "accent"],
  ...["debug", "warning", "error", "band"],
];
const BIN = 2; // pixels of the overview for one count
const LONGEST_NAME = 14; // characters

/**
 * How many lines there are in each bin of the overview, and the state of the trace and of the scale
 * at the time of counting.
 * @typedef {object} Histogram
 * @property {number} size
 * @property {number} from
 * @property {number} to
 * @property {number} linked
 * @property {Uint32Array} all
 * @property {Uint32Array} warnings
 * @property {Uint32Array} errors
 */

export class Painting {
  /** @type {Record<string, string>} by their names in the style sheet */
  #colors = {};
  /** @type {string[]} */
  #sessionColors = [];
  #nobody = "";
  #font = "";
  #boldFont = "";
  /** @type {Histogram | null} */
  #histogram = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./scale.js").Scale} scale
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {import("./services.js").Services} services
   */
  constructor(canvas, scale, trace, look, clock, services) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.scale = scale;
    this.trace = trace;
    this.look = look;
    this.clock = clock;
    this.bars = new Bars(this.context, this.#colors, scale, trace, look);
    this.opened = new Opened(this.bars, services);
  }

  /**
   * Read the palette and the font of the style sheet, as they apply to *parent*.
   * @param {Element} parent
   */
  readColors(parent) {
    const probe = make("span");
    parent.append(probe);
    /** @param {string} name */
    const color = (name) => {
      probe.className = `ink-${name}`;
      return getComputedStyle(probe).color;
    };
    for (const name of COLOR_NAMES) this.#colors[name] = color(name);
    this.#sessionColors = Array.from({ length: COLORS }, (_, i) => color(`s${i}`));
    this.#nobody = color("nobody");
    probe.remove();
    const { fontFamily } = getComputedStyle(parent);
    this.#font = `11px ${fontFamily}`;
    this.#boldFont = `600 11px ${fontFamily}`;
    this.bars.forgetWidths();
  }

  /** @param {number} s */
  #colorOf(s) {
    return s < 0 ? this.#nobody : this.#sessionColors[s % COLORS];
  }

  /** Give the canvas the size of the scale, in pixels of the screen. */
  resize() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.scale.width * ratio);
    this.canvas.height = Math.round(this.scale.height * ratio);
  }

  /**
   * @param {[number, number] | null} reading the range of the lines in sight
   * @param {{from: number, to: number} | null} brush pixels
   */
  paint(reading, brush) {
    const { scale, context: c } = this;
    if (!scale.width) return;
    const ratio = devicePixelRatio || 1;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, scale.width, scale.height);
    c.font = this.#font;
    c.textBaseline = "alphabetic";
    scale.layOut();
    this.#paintOverview();
    this.#paintAxis();
    if (reading) this.#paintReading(reading);
    c.save();
    c.beginPath();
    c.rect(0, HEAD, scale.width, scale.lanesRoom);
    c.clip();
    if (scale.isDense) scale.density.paint(c, this.#colors, HEAD);
    else this.#paintLanes();
    c.restore();
    if (!scale.isDense) this.#paintSilences();
    if (scale.canScroll) this.#paintScrollBar();
    if (brush) this.#paintBrush(brush);
  }

  // -- the overview ------------------------------------------------------------------------------

  /** Count lines, warnings and errors per bin, again only after a change. */
  #count() {
    const { linked, time, level } = this.trace;
    const [from, to] = this.scale.whole;
    const size = Math.max(1, Math.floor(this.scale.room / BIN));
    const known = this.#histogram;
    const isSameSize = known && known.size === size && known.linked === linked;
    if (isSameSize && known.from === from && known.to === to) return known;
    const all = new Uint32Array(size);
    const warnings = new Uint32Array(size);
    const errors = new Uint32Array(size);
    const perTime = size / (to - from);
    for (let i = 0; i < linked; i++) {
      const bin = Math.min(size - 1, Math.max(0, ((time[i] - from) * perTime) | 0));
      all[bin]++;
      if (level[i] >= ERROR) errors[bin]++;
      else if (level[i] === WARNING) warnings[bin]++;
    }
    this.#histogram = { size, from, to, linked, all, warnings, errors };
    return this.#histogram;
  }

  #paintOverview() {
    const { scale, context: c } = this;
    const bottom = OVERVIEW - 4;
    const from = scale.overviewX(scale.from);
    const to = scale.overviewX(scale.to);
    if (!scale.isWhole) {
      c.fillStyle = this.#colors.accent;
      c.globalAlpha = 0.1;
      c.fillRect(from, 2, Math.max(2, to - from), bottom - 2);
    }
    this.#paintHistogram(bottom);
    c.globalAlpha = 1;
    c.fillStyle = this.#colors.rule;
    c.fillRect(scale.gutter, bottom, scale.room, 1);
    if (scale.isWhole) return;
    c.fillStyle = this.#colors.accent;
    for (const x of [from, to]) c.fillRect(Math.round(x) - 0.5, 2, 1.5, bottom - 2);
  }

  /** @param {number} bottom */
  #paintHistogram(bottom) {
    const c = this.context;
    const { all, warnings, errors } = this.#count();
    const { muted, error, warning } = this.#colors;
    const most = Math.sqrt(all.reduce((one, other) => Math.max(one, other), 1));
    for (let bin = 0; bin < all.length; bin++) {
      if (all[bin] === 0) continue;
      const height = 2 + (Math.sqrt(all[bin]) / most) * (bottom - 8);
      const x = this.scale.gutter + bin * BIN;
      c.fillStyle = muted;
      c.globalAlpha = 0.55;
      c.fillRect(x, bottom - height, 1.5, height);
      c.globalAlpha = 1;
      // A few errors or warnings among many lines stay visible.
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
  }

  // -- the axis ----------------------------------------------------------------------------------

  #paintAxis() {
    const { scale, clock, context: c } = this;
    const { muted, rule } = this.#colors;
    const { gutter, step } = scale;
    c.fillStyle = rule;
    c.fillRect(0, HEAD - 1, scale.width, 1);
    if (this.trace.count === 0) return; // no time is known
    const { base } = this.trace.head;
    const from = base + scale.from;
    const to = base + scale.to;
    const midnight = clock.midnight(from);
    const y = OVERVIEW + 14;
    c.fillStyle = muted;
    if (scale.hasNames) {
      c.fillText(`${clock.date(from)} ${clock.zone(from)}`, 10, y, gutter - 14);
    }
    c.textAlign = "center";
    let at = midnight + Math.ceil((from - midnight) / step) * step;
    let day = clock.day(from);
    for (; at <= to; at += step) {
      const x = Math.round(scale.x(at - base)) + 0.5;
      c.fillStyle = rule;
      c.fillRect(x - 0.5, OVERVIEW + 18, 1, scale.height);
      c.fillStyle = muted;
      const text = this.#axisLabel(at, step, day);
      day = clock.day(at);
      const half = c.measureText(text).width / 2;
      if (x - half >= gutter && x + half <= scale.width) c.fillText(text, x, y);
    }
    c.textAlign = "start";
  }

  /** The time of a label; the first label of another day than *before* has the day. @param {number} at @param {number} step @param {string} before */
  #axisLabel(at, step, before) {
    if (step >= DAY) return this.clock.date(at);
    const day = this.clock.day(at);
    if (day !== before && this.clock.midnight(at) === at) return day;
    // After a change to or from summer time, no label may be at midnight.
    if (day !== before && step >= HOUR) return `${day} ${this.clock.time(at, 0).slice(0, 5)}`;
    if (step >= MINUTE) return this.clock.time(at, 0).slice(0, 5);
    if (step >= SECOND) return this.clock.time(at, 0);
    if (step >= 100) return this.clock.time(at, 1);
    return this.clock.time(at, step >= 10 ? 2 : 3);
  }

  /** Underline the range of the lines in sight. @param {[number, number]} reading */
  #paintReading(reading) {
    const { scale } = this;
    const from = Math.max(scale.gutter, scale.x(reading[0]));
    const to = Math.min(scale.width - EDGE, scale.x(reading[1]));
    if (to < from) return;
    this.context.fillStyle = this.#colors.accent;
    this.context.fillRect(from, HEAD - 2, Math.max(2, to - from), 2);
  }

  /** A thin line below the lanes for each silence, with words where there is room. */
  #paintSilences() {
    const { scale, context: c } = this;
    const { silences } = this.trace.head;
    const y = Math.round(scale.height - scale.foot / 2) + 0.5;
    silences.forEach(([from, to], index) => {
      if (to < scale.from || from > scale.to) return;
      const left = Math.max(scale.gutter, scale.x(from));
      const right = Math.max(left + 1, Math.min(scale.x(to), scale.width - EDGE));
      c.strokeStyle = this.#colors.band;
      c.lineWidth = 1;
      paintRange(c, left, right, y);
      const next = silences[index + 1];
      const end = next ? Math.min(scale.x(next[0]), scale.width) : scale.width;
      this.#paintWords(`nothing logged for ${duration(to - from)}`, [left, right, end], y + 3.5);
    });
  }

  /**
   * Words in the middle of a line, or after it, where there is room.
   * @param {string} words
   * @param {[number, number, number]} places where the line begins and ends, and the room's end
   * @param {number} y
   */
  #paintWords(words, [left, right, end], y) {
    const c = this.context;
    const width = c.measureText(words).width;
    const isWithin = right - left >= width + 24;
    if (!isWithin && end - right < width + 12) return;
    const x = isWithin ? (left + right - width) / 2 : right + 6;
    c.clearRect(x - 4, y - 10, width + 8, 13);
    c.fillStyle = this.#colors.muted;
    c.fillText(words, x, y);
  }

  // -- lanes -------------------------------------------------------------------------------------

  #paintLanes() {
    const { placed, scroll, lanesRoom } = this.scale;
    for (let index = this.scale.laneAt(scroll); index < placed.length; index++) {
      const top = placed[index].top - scroll;
      if (top > lanesRoom) break;
      this.#paintLane(placed[index], HEAD + top);
    }
  }

  /** @param {import("./scale.js").PlacedLane} placed @param {number} top */
  #paintLane({ lane, rows, opened, height }, top) {
    const { scale, context: c } = this;
    const { gutter, width, rowHeight } = scale;
    const color = this.#colorOf(lane.session);
    const isChosen = lane.session === this.look.session && lane.session !== NOBODY;
    if (isChosen) {
      c.fillStyle = color;
      c.globalAlpha = 0.08;
      c.fillRect(0, top, width, height);
      c.globalAlpha = 1;
    }
    if (opened && scale.opened) this.#paintOpened(scale.opened, top, opened, color);
    c.save();
    c.beginPath();
    c.rect(gutter, HEAD, width - gutter, scale.lanesRoom);
    c.clip();
    rows.forEach((row, index) => {
      const y = top + opened + index * rowHeight;
      const isInSight = y + rowHeight >= HEAD && y <= scale.height;
      if (isInSight) this.bars.paintRow(row, y, color);
    });
    c.restore();
    c.fillStyle = this.#colors.rule;
    c.fillRect(0, Math.round(top + height) - 1, width, 1);
    c.fillStyle = color;
    c.fillRect(0, top + 1, 3, height - 3);
    this.#paintName(lane.session, top + (opened ? 16 : Math.min(height / 2 + 4, 22)), color);
  }

  /**
   * @param {import("./waterfall.js").Waterfall} waterfall
   * @param {number} top
   * @param {number} height
   * @param {string} color
   */
  #paintOpened(waterfall, top, height, color) {
    const { scale, context: c } = this;
    c.fillStyle = color;
    c.globalAlpha = 0.05;
    c.fillRect(3, top, scale.width, height);
    c.globalAlpha = 1;
    this.opened.paint(waterfall, top, color, scale.height);
  }

  /**
   * The letter of a session, and its id where there is room.
   * @param {number} s
   * @param {number} y
   * @param {string} color
   */
  #paintName(s, y, color) {
    const c = this.context;
    const label = this.trace.label(s);
    c.font = this.#boldFont;
    c.fillStyle = color;
    c.fillText(label, 10, y);
    const left = 10 + c.measureText(label).width + 6;
    c.font = this.#font;
    if (!this.scale.hasNames) return;
    const name = s < 0 ? "no session" : plain(this.trace.sessions[s]);
    c.fillStyle = this.#colors.muted;
    c.fillText(cut(name, LONGEST_NAME), left, y, this.scale.gutter - left - 6);
  }

  // -- above the lanes ---------------------------------------------------------------------------

  #paintScrollBar() {
    const { scale, context: c } = this;
    const { lanesRoom, lanesHeight, scroll } = scale;
    const size = Math.max(24, (lanesRoom / lanesHeight) * lanesRoom);
    const share = scroll / (lanesHeight - lanesRoom);
    c.fillStyle = this.#colors.muted;
    c.globalAlpha = 0.5;
    c.fillRect(scale.width - 5, HEAD + share * (lanesRoom - size), 3, size);
    c.globalAlpha = 1;
  }

  /** @param {{from: number, to: number}} brush */
  #paintBrush({ from, to }) {
    const c = this.context;
    c.fillStyle = this.#colors.accent;
    c.globalAlpha = 0.16;
    c.fillRect(Math.min(from, to), 0, Math.abs(to - from), this.scale.height);
    c.globalAlpha = 1;
  }
}
