// Draws the opened trace: a row for each request in a service and for each call to a service
// without logs, indented by caller. A bar is pale while it waits for a row below it and fuller
// while it works.

import { cut, duration, plain } from "./text.js";
import { OPENED_ROW, SENTENCE } from "./scale.js";
import { owner } from "./waterfall.js";
import { paintShape } from "./services.js";

const INDENT = 9;
const DEEPEST = 6; // levels that are indented
const SIGN = 8; // pixels
const LONGEST_NAMED = 48; // characters
const WAITING = 0.14;
const WORKING = 0.42;
const STREAMING = 0.72;

/** @typedef {import("./waterfall.js").Row} Row */

export class Opened {
  /**
   * @param {import("./bars.js").Bars} bars
   * @param {import("./services.js").Services} services
   */
  constructor(bars, services) {
    this.bars = bars;
    this.services = services;
  }

  /**
   * @param {import("./waterfall.js").Waterfall} waterfall
   * @param {number} top of it
   * @param {string} color
   * @param {number} bottom of the canvas
   */
  paint({ rows }, top, color, bottom) {
    rows.forEach((row, index) => {
      const y = top + SENTENCE + index * OPENED_ROW;
      if (y + OPENED_ROW < 0 || y > bottom) return;
      this.#paintName(row, y, color);
      this.#paintBar(row, y, color);
    });
  }

  // -- the names to the left ---------------------------------------------------------------------

  /** @param {Row} row @param {number} y @param {string} color */
  #paintName(row, y, color) {
    const { context: c, colors, scale, trace, look } = this.bars;
    const x = 10 + Math.min(row.depth, DEEPEST) * (scale.hasNames ? INDENT : 3);
    const middle = y + OPENED_ROW / 2;
    const { service, name } = owner(trace, row);
    c.fillStyle = color;
    c.globalAlpha = 1;
    if (service >= 0) paintShape(c, this.services.shape(service), x + SIGN / 2, middle, SIGN);
    else {
      c.strokeStyle = color;
      c.lineWidth = 1;
      c.strokeRect(x + 1.5, middle - 2.5, SIGN - 3, SIGN - 3);
    }
    if (!scale.hasNames) return;
    const isChosen = row.request >= 0 && row.request === look.request;
    c.fillStyle = isChosen ? colors.text : colors.muted;
    const left = x + SIGN + 5;
    c.save();
    c.beginPath();
    c.rect(left, y, scale.gutter - left - 4, OPENED_ROW);
    c.clip();
    c.fillText(name, left, middle + 4);
    c.restore();
  }

  // -- the bars ----------------------------------------------------------------------------------

  /** @param {Row} row @param {number} y @param {string} color */
  #paintBar(row, y, color) {
    const { context: c, colors, scale, trace, look } = this.bars;
    const { request: r } = row;
    c.save();
    c.beginPath();
    c.rect(scale.gutter, y, scale.width - scale.gutter, OPENED_ROW);
    c.clip();
    const from = scale.x(row.from);
    const to = Math.max(scale.x(row.to), from + 2);
    const top = y + 4;
    const height = OPENED_ROW - 9;
    const isError = r >= 0 ? trace.isFailure(r) : isFailed(trace.calls[row.call]);
    const bar = { r, from, to, top, height, opacity: 1, color, isError };
    this.#paintWay(row, top + height / 2, color);
    this.#paintWork(row, bar);
    if (isError) {
      c.globalAlpha = 1;
      c.fillStyle = colors.error;
      c.fillRect(Math.max(from, to - 3), top, 3, height);
    }
    if (r >= 0) {
      this.bars.paintTicks(r, top, height, false);
      this.bars.paintTail(bar);
    }
    this.#paintCritical(row, top + height);
    if (r >= 0 && r === look.request) this.bars.outline(from, top, to - from, height + 2);
    this.#paintLabel(row, bar);
    c.restore();
  }

  /**
   * The caller's side of a request, before and after it: the time in the network.
   * @param {Row} row @param {number} y @param {string} color
   */
  #paintWay({ sent, from, to }, y, color) {
    if (!sent) return;
    const { context: c, scale } = this.bars;
    c.globalAlpha = 0.6;
    c.fillStyle = color;
    for (const [start, end] of [
      [sent[0], from],
      [to, sent[1]],
    ]) {
      if (end <= start) continue;
      const left = scale.x(start);
      c.fillRect(left, y - 0.5, scale.x(end) - left, 1);
    }
    for (const time of sent) c.fillRect(scale.x(time) - 0.5, y - 3, 1, 6);
    c.globalAlpha = 1;
  }

  /** Pale where it waits, fuller where it works, fullest where it streams. @param {Row} row @param {import("./bars.js").Bar} bar */
  #paintWork(row, { from, to, top, height, color }) {
    const { context: c, scale, trace } = this.bars;
    c.fillStyle = color;
    if (row.request < 0) {
      // The logs do not show which service worked.
      c.globalAlpha = 1;
      c.strokeStyle = color;
      c.lineWidth = 1;
      c.setLineDash([3, 2]);
      c.strokeRect(from + 0.5, top + 0.5, to - from - 1, height - 1);
      c.setLineDash([]);
      return;
    }
    const firstByte = trace.firstByte(row.request);
    const sent = firstByte === null ? to : Math.min(Math.max(scale.x(firstByte), from), to);
    /** @param {number} left @param {number} right */
    const work = (left, right) => {
      c.globalAlpha = WORKING;
      c.fillRect(left, top, Math.max(0, Math.min(right, sent) - left), height);
      c.globalAlpha = STREAMING;
      const streamed = Math.max(left, sent);
      c.fillRect(streamed, top, Math.max(0, right - streamed), height);
    };
    let left = from;
    for (const [start, end] of row.waits) {
      work(left, scale.x(start));
      left = scale.x(end);
      c.globalAlpha = WAITING;
      c.fillRect(scale.x(start), top, left - scale.x(start), height);
    }
    work(left, to);
    c.globalAlpha = 1;
    c.fillRect(from, top, 1.5, height);
    if (firstByte !== null) c.fillRect(sent - 0.5, top, 1, height);
  }

  /**
   * A line under the ranges in which the whole trace waited for this row.
   * @param {Row} row @param {number} y
   */
  #paintCritical({ critical }, y) {
    const { context: c, colors, scale } = this.bars;
    c.globalAlpha = 1;
    c.fillStyle = colors.text;
    for (const [from, to] of critical) {
      const left = scale.x(from);
      c.fillRect(left, y, Math.max(1, scale.x(to) - left), 2);
    }
  }

  /** @param {Row} row @param {import("./bars.js").Bar} bar */
  #paintLabel(row, bar) {
    const { scale, trace, context: c } = this.bars;
    c.globalAlpha = 1;
    if (row.request >= 0) {
      const title = cut(trace.title(row.request), LONGEST_NAMED);
      const facts = [trace.result(row.request), trace.took(row.request)];
      this.bars.paintText(bar, title, facts, scale.width, scale.gutter);
      return;
    }
    const { title, status, error, attempt } = trace.calls[row.call];
    const times = attempt > 1 ? `attempt ${attempt}` : "";
    const facts = [status ?? error, duration(row.to - row.from), times];
    this.bars.paintText(bar, cut(plain(title), LONGEST_NAMED), facts, scale.width, scale.gutter);
  }
}

/** @param {import("./contract.js").Call} call */
export function isFailed({ status, error }) {
  return error !== null || (status ?? 0) >= 500;
}
