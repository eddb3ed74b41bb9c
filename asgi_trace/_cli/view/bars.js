// Draws the requests of a row: bars with their labels, gaps and ticks, or flat bars where there are
// many of them.

import { cut, duration } from "./text.js";
import { DEBUG, ERROR, WARNING } from "./data.js";
import { firstAfter } from "./lanes.js";
import { LABELED_ROW } from "./scale.js";

// A row with more bars than this in sight is drawn without labels.
const MOST_LABELED = 400;
const LONGEST_TITLE = 48; // characters
const MOST_WIDTHS = 5000;

/**
 * A bar of a request: `from` and `to` are pixels.
 * @typedef {object} Bar
 * @property {number} r
 * @property {number} from
 * @property {number} to
 * @property {number} top
 * @property {number} height
 * @property {number} opacity
 * @property {string} color
 * @property {boolean} isError
 */

/**
 * A line with a short end across it on each side, or on one.
 * @param {CanvasRenderingContext2D} c
 * @param {number} left
 * @param {number} right
 * @param {number} y
 * @param {"both" | "left" | "right"} [ends]
 */
export function paintRange(c, left, right, y, ends = "both") {
  c.beginPath();
  c.moveTo(left, y);
  c.lineTo(right, y);
  for (const [x, side] of /** @type {[number, string][]} */ ([
    [left, "left"],
    [right, "right"],
  ])) {
    if (ends !== "both" && ends !== side) continue;
    c.moveTo(x, y - 3);
    c.lineTo(x, y + 3);
  }
  c.stroke();
}

export class Bars {
  /** @type {Map<string, number>} the widths of labels */
  #widths = new Map();

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Record<string, string>} colors by their names in the style sheet
   * @param {import("./scale.js").Scale} scale
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   */
  constructor(context, colors, scale, trace, look) {
    this.context = context;
    this.colors = colors;
    this.scale = scale;
    this.trace = trace;
    this.look = look;
  }

  /** Measure the labels anew: the font has changed. */
  forgetWidths() {
    this.#widths.clear();
  }

  /** @param {number[]} row @param {number} y @param {string} color */
  paintRow(row, y, color) {
    const { scale } = this;
    const { start, end } = this.trace.requests;
    const first = firstAfter(row, end, scale.from);
    let last = first;
    while (last < row.length && start[row[last]] <= scale.to) last++;
    if (scale.rowHeight < LABELED_ROW || last - first > MOST_LABELED) {
      this.#paintDense(row.slice(first, last), y, color);
      return;
    }
    // From right to left, since a label may stand in the gap to the right of its bar.
    let next = scale.width;
    for (let i = last - 1; i >= first; i--) {
      const before = i > first ? scale.x(end[row[i - 1]]) : scale.gutter;
      next = this.#paintBar(row[i], y, color, next, before);
    }
  }

  /** @param {number} r */
  #opacity(r) {
    const { found, request, session } = this.look;
    if (found && !found.requestHit[r]) return 0.22;
    if (request >= 0) return r === request ? 1 : this.scale.opened ? 0.45 : 0.7;
    if (session >= 0) return this.trace.requests.session[r] === session ? 1 : 0.45;
    return 1;
  }

  // -- bars without labels -----------------------------------------------------------------------

  /**
   * Bars that share a pixel are drawn once, but an error is always drawn.
   * @param {number[]} requests
   * @param {number} y
   * @param {string} color
   */
  #paintDense(requests, y, color) {
    const { scale, trace, context: c } = this;
    const { start, end } = trace.requests;
    let drawn = -1;
    let wasError = false;
    for (const r of requests) {
      const isError = trace.isFailure(r);
      const to = scale.x(end[r]);
      const isCovered = to <= drawn && (wasError || !isError);
      if (isCovered && r !== this.look.request) continue;
      const from = scale.x(start[r]);
      const opacity = this.#opacity(r) * (isError ? 1 : 0.75);
      const height = scale.rowHeight - 3;
      this.#paintFlatBar({ r, from, to, top: y + 1, height, opacity, color, isError });
      drawn = Math.ceil(Math.max(to, from + 1.5));
      wasError = isError;
    }
    c.globalAlpha = 1;
  }

  /** @param {Bar} bar */
  #paintFlatBar({ r, from, to, top, height, opacity, color, isError }) {
    const c = this.context;
    const firstByte = this.trace.firstByte(r);
    const width = Math.max(1.5, to - from);
    const sent = firstByte === null ? to : this.scale.x(firstByte);
    c.globalAlpha = opacity;
    c.fillStyle = isError && width < 4 ? this.colors.error : color;
    if (width > 12 && sent > from) {
      c.globalAlpha = opacity * 0.55;
      c.fillRect(from, top, sent - from, height);
      c.globalAlpha = opacity;
      c.fillRect(sent, top, to - sent, height);
    } else c.fillRect(from, top, width, height);
    if (isError && width >= 4) {
      c.fillStyle = this.colors.error;
      c.fillRect(to - 3, top, 3, height);
    }
    if (width > 12) this.paintTicks(r, top, height, true);
    if (r === this.look.request) this.outline(from, top, width, height);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  outline(x, y, width, height) {
    const c = this.context;
    c.globalAlpha = 1;
    c.strokeStyle = this.colors.text;
    c.lineWidth = 1.5;
    c.strokeRect(x - 1, y - 1, width + 2, height + 2);
  }

  // -- bars with labels --------------------------------------------------------------------------

  /**
   * Returns where the bar and its label begin.
   * @param {number} r
   * @param {number} y
   * @param {string} color
   * @param {number} next where the bar to the right begins, or its label
   * @param {number} before where the bar to the left ends
   */
  #paintBar(r, y, color, next, before) {
    const { scale, trace, context: c } = this;
    const { start, end, late } = trace.requests;
    const from = scale.x(start[r]);
    const to = Math.max(scale.x(end[r]), from + 2);
    const top = y + 2;
    const height = scale.rowHeight - 4;
    const opacity = this.#opacity(r);
    const bar = { r, from, to, top, height, opacity, color, isError: trace.isFailure(r) };
    c.globalAlpha = opacity * 0.2;
    c.fillStyle = color;
    c.fillRect(from, top, to - from, height);
    this.#paintStreaming(bar);
    for (const gap of trace.gapsOf(r)) this.#paintGap(gap, bar);
    c.globalAlpha = opacity;
    c.fillStyle = color;
    c.fillRect(from, top, 2, height);
    c.fillRect(from, top + height - 1, to - from, 1);
    if (bar.isError) {
      c.fillStyle = this.colors.error;
      c.fillRect(Math.max(from, to - 3), top, 3, height);
    }
    if (late[r] > 0) this.paintTail(bar);
    this.paintTicks(r, top, height, false);
    if (r === this.look.request) this.outline(from, top, to - from, height);
    c.globalAlpha = Math.max(opacity, 0.75);
    const left = this.#paintLabel(bar, next, before);
    c.globalAlpha = 1;
    return Math.min(left, from);
  }

  /** The part from the first byte of the response to its end. @param {Bar} bar */
  #paintStreaming({ r, from, to, top, height, opacity }) {
    const firstByte = this.trace.firstByte(r);
    if (firstByte === null) return;
    const c = this.context;
    const sent = Math.min(Math.max(this.scale.x(firstByte), from), to);
    c.globalAlpha = opacity * 0.42;
    c.fillRect(sent, top, to - sent, height);
    c.globalAlpha = opacity;
    c.fillRect(sent - 0.5, top, 1, height);
  }

  /** A thin line, with words where there is room. @param {[number, number]} gap @param {Bar} bar */
  #paintGap([from, to], { top, height, opacity, color }) {
    const { scale, context: c } = this;
    const left = Math.max(scale.x(from) + 3, scale.gutter);
    const right = Math.min(scale.x(to) - 3, scale.width);
    if (right - left < 3) return;
    const y = Math.round(top + height - 7) + 0.5;
    c.globalAlpha = opacity * 0.8;
    c.strokeStyle = color;
    c.lineWidth = 1;
    const words = `nothing logged for ${duration(to - from)}`;
    const width = this.#textWidth(words);
    const hasWords = scale.rowHeight > LABELED_ROW && right - left > width + 40;
    if (!hasWords) {
      paintRange(c, left, right, y);
      return;
    }
    const middle = (left + right - width) / 2;
    paintRange(c, left, middle, y, "left");
    paintRange(c, middle + width, right, y, "right");
    c.fillStyle = this.colors.text;
    c.fillText(words, middle + 5, y + 3.5);
  }

  /** A dotted line from the end of the bar to the last late line. @param {Bar} bar */
  paintTail({ r, to, top, height, color }) {
    const last = this.trace.lastLine[r];
    if (last < 0) return;
    const c = this.context;
    const y = top + height - 4 + 0.5;
    c.strokeStyle = color;
    c.lineWidth = 1;
    c.setLineDash([1, 3]);
    c.beginPath();
    c.moveTo(to, y);
    c.lineTo(this.scale.x(this.trace.time[last]), y);
    c.stroke();
    c.setLineDash([]);
  }

  /**
   * Title, status and duration of a request. Returns where bar and label begin.
   * @param {Bar} bar
   * @param {number} next where the bar to the right begins, or its label
   * @param {number} before where the bar to the left ends
   */
  #paintLabel(bar, next, before) {
    const { r } = bar;
    const title = cut(this.trace.title(r), LONGEST_TITLE);
    const facts = [this.trace.result(r), this.trace.took(r)];
    return this.paintText(bar, title, facts, next, before);
  }

  /**
   * A title and facts: inside the bar, else to the right of it or to the left, wherever there is
   * room. Returns where bar and text begin.
   * @param {Bar} bar
   * @param {string} title
   * @param {(string | number | null)[]} facts
   * @param {number} next where the bar to the right begins, or its text
   * @param {number} before where the bar to the left ends
   */
  paintText({ from, to, top, isError }, title, facts, next, before) {
    const { scale, context: c } = this;
    const { text, muted, error } = this.colors;
    const detail = facts.filter(Boolean).join(" · ");
    const width = this.#textWidth(`${title}  ${detail}`);
    const left = Math.max(from, scale.gutter);
    let x = left + 6;
    let room = Math.min(to, scale.width) - left;
    if (width > room) {
      const behind = Math.min(next, scale.width) - to;
      const isBefore = behind < width && from - before >= width && width > room * 2;
      const isBehind = !isBefore && (behind >= width || (behind > room && behind > 60));
      if (isBehind) {
        x = to + 5;
        room = behind;
      } else if (isBefore) {
        x = from - width + 4;
        room = width + 4;
      }
    }
    if (room < 28) return from;
    const y = top + (scale.rowHeight > LABELED_ROW ? 13 : 11);
    const isInside = x >= left && x < to;
    c.save();
    c.beginPath();
    c.rect(x, top - 2, room - 8, 20);
    c.clip();
    c.fillStyle = text;
    c.fillText(title, x, y);
    c.fillStyle = isInside ? text : muted;
    if (isError) c.fillStyle = error;
    c.fillText(detail, x + c.measureText(`${title}  `).width, y);
    c.restore();
    return Math.min(from, x);
  }

  /** @param {string} label */
  #textWidth(label) {
    let width = this.#widths.get(label);
    if (width === undefined) {
      if (this.#widths.size > MOST_WIDTHS) this.#widths.clear();
      width = this.context.measureText(label).width + 10;
      this.#widths.set(label, width);
    }
    return width;
  }

  // -- ticks -------------------------------------------------------------------------------------

  /**
   * A tick for each line of a request: the worse its level, the taller. Of lines at one pixel the
   * worst is drawn. In flat bars only warnings, errors and late lines have a tick.
   * @param {number} r
   * @param {number} top
   * @param {number} height
   * @param {boolean} isFlat
   */
  paintTicks(r, top, height, isFlat) {
    const { scale } = this;
    const { firstLine, time, level, next, isLate } = this.trace;
    const bottom = top + height;
    const chosen = this.look.line;
    let lastX = -9;
    let lastLevel = -1;
    for (let line = firstLine[r]; line >= 0; line = next[line]) {
      const exact = scale.x(time[line]);
      if (exact > scale.width) break;
      const x = Math.round(exact);
      if (isFlat && level[line] < WARNING && !isLate[line]) continue;
      const isCovered = x === lastX && level[line] <= lastLevel && line !== chosen;
      if (x < scale.gutter - 4 || isCovered) continue;
      lastX = x;
      lastLevel = level[line];
      const color = this.#tickColor(level[line]);
      if (isLate[line]) this.#paintDiamond(x, bottom - 3.5, color);
      else {
        const isWide = level[line] >= WARNING;
        const tall = isFlat ? height : this.#tickHeight(level[line], height);
        this.context.fillStyle = color;
        this.context.fillRect(x - (isWide ? 1 : 0.5), bottom - tall, isWide ? 2 : 1, tall);
      }
      if (line === chosen) this.#paintArrow(x, bottom);
    }
  }

  /** @param {number} level */
  #tickColor(level) {
    const { error, warning, debug, text } = this.colors;
    if (level >= ERROR) return error;
    if (level === WARNING) return warning;
    return level === DEBUG ? debug : text;
  }

  /** @param {number} level @param {number} height of the bar */
  #tickHeight(level, height) {
    if (level >= ERROR) return height;
    if (level === WARNING) return Math.min(height, 12);
    const usual = this.scale.rowHeight > LABELED_ROW ? 9 : 6;
    return Math.min(usual, height / 3);
  }

  /** The sign of a late line. @param {number} x @param {number} y @param {string} color */
  #paintDiamond(x, y, color) {
    const c = this.context;
    c.strokeStyle = color;
    c.lineWidth = 1.2;
    c.beginPath();
    c.moveTo(x, y - 4);
    c.lineTo(x + 4, y);
    c.lineTo(x, y + 4);
    c.lineTo(x - 4, y);
    c.closePath();
    c.stroke();
  }

  /** The sign of the chosen line. @param {number} x @param {number} bottom */
  #paintArrow(x, bottom) {
    const c = this.context;
    c.fillStyle = this.colors.accent;
    c.beginPath();
    c.moveTo(x, bottom - 1);
    c.lineTo(x - 4, bottom + 5);
    c.lineTo(x + 4, bottom + 5);
    c.fill();
  }
}
