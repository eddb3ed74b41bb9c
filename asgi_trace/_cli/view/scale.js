// Positions on the time axis: times as horizontal pixels, lanes as vertical pixels, and back.
// Pure arithmetic: no element, no event, no drawing. A range is [from, to].

import { Density, MOST_LANES } from "./density.js";
import { arrange, firstAfter } from "./lanes.js";
import { Waterfall } from "./waterfall.js";

// Heights and widths in pixels. The overview is on top, the axis with its labels below it, then the
// lanes. The gutter to the left holds the sessions' names.
export const OVERVIEW = 30;
const AXIS = 22;
export const HEAD = OVERVIEW + AXIS;
export const EDGE = 10;
export const LANE_GAP = 4;
export const LABELED_ROW = 25;
// An opened trace: a sentence, and a row for each of its requests and calls.
export const SENTENCE = 24;
export const OPENED_ROW = 24;
const BELOW_OPENED = 6;
// The height for words about silences, below the lanes.
const FOOT = 18;
const NARROW = 560;
const NARROW_GUTTER = 34;
const WIDE_GUTTER = 118;
// Height of a row by the number of rows: the more rows, the lower. Below LABELED_ROW there are no
// labels.
const ROW_HEIGHTS = [
  [10, 34],
  [40, LABELED_ROW],
  [Infinity, 9],
];
// With more lanes than this, lanes and rows with nothing to show are left out.
const FEW_LANES = 8;
// The largest distance of the pointer from a bar or a tick that it still selects.
const BAR_REACH = 6;
const TICK_REACH = 4;
const BETWEEN_LABELS = 76;
// An opened trace fills this share of the axis; one that fills half of it already is not zoomed.
const OPENED_SHARE = 0.8;

// In milliseconds.
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const SHORTEST_RANGE = 8;
// A log longer than this opens at a part of its time.
const LONG = 60 * SECOND;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28, 91, 364].map((n) => n * DAY),
];

/**
 * A lane on the page: the rows shown of it, and its distance from the first lane in pixels; of the
 * opened trace in it, the height, which is above the rows.
 * @typedef {{lane: import("./lanes.js").Lane, rows: number[][], top: number, opened: number,
 *   height: number}} PlacedLane
 *
 * The objects at a point: -1 for no request, line or call, null for no session's name.
 * @typedef {{request: number, line: number, call: number, session: number | null}} Hit
 */

export class Scale {
  // The range shown.
  from = 0;
  to = 1;
  // The canvas in pixels, and how far its lanes are scrolled.
  width = 0;
  height = 0;
  scroll = 0;

  /** @type {PlacedLane[]} */
  placed = [];
  rowHeight = LABELED_ROW;
  lanesHeight = 0;
  /** @type {Waterfall | null} the opened trace */
  opened = null;
  /** Whether there are too many lanes, and the density is shown instead. */
  isDense = false;

  #shownRoot = -1; // of the trace that was last given room
  /** @type {[number, number]} the range last asked for, which may reach beyond the trace */
  #asked = [0, 1];
  /** @type {ReturnType<typeof arrange>} */
  #arranged = { lanes: [], rows: 0 };

  /** @param {import("./data.js").Trace} trace @param {import("./look.js").Look} look */
  constructor(trace, look) {
    this.trace = trace;
    this.look = look;
    this.density = new Density(this, trace, look);
  }

  // -- across: times -----------------------------------------------------------------------------

  get gutter() {
    return this.width < NARROW ? NARROW_GUTTER : WIDE_GUTTER;
  }

  get hasNames() {
    return this.gutter === WIDE_GUTTER;
  }

  /** The width of the time axis, without the gutter. */
  get room() {
    return this.width - this.gutter - EDGE;
  }

  /** @param {number} time */
  x(time) {
    return this.gutter + ((time - this.from) / (this.to - this.from)) * this.room;
  }

  /** @param {number} x */
  timeAt(x) {
    return this.from + ((x - this.gutter) / this.room) * (this.to - this.from);
  }

  /** The pixel of a time in the overview. @param {number} time */
  overviewX(time) {
    const [first, last] = this.whole;
    return this.gutter + ((time - first) / (last - first)) * this.room;
  }

  /** @param {number} x */
  overviewTime(x) {
    const [first, last] = this.whole;
    return first + ((x - this.gutter) / this.room) * (last - first);
  }

  /** The range of the whole trace, with a margin. @returns {[number, number]} */
  get whole() {
    const { from, to } = this.trace;
    if (!(from <= to)) return [0, SECOND];
    const margin = Math.max((to - from) * 0.015, SHORTEST_RANGE);
    return [from - margin, to + margin];
  }

  get isWhole() {
    const [from, to] = this.whole;
    const nothing = (to - from) * 1e-6;
    return this.from <= from + nothing && this.to >= to - nothing;
  }

  /** Time between two labels of the axis. */
  get step() {
    const range = this.to - this.from;
    const last = STEPS[STEPS.length - 1];
    return STEPS.find((step) => (step / range) * this.room >= BETWEEN_LABELS) ?? last;
  }

  /** Show a range, as far as the trace reaches. @param {number} from @param {number} to */
  show(from, to) {
    this.#asked = [from, to];
    const [first, last] = this.whole;
    const range = Math.min(Math.max(to - from, SHORTEST_RANGE), last - first);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - range / 2, first), last - range);
    this.to = this.from + range;
  }

  /** Show the range last asked for, after the trace has grown. */
  showAgain() {
    this.show(...this.#asked);
  }

  /**
   * @param {number} factor below 1 shows less
   * @param {number} around the time that stays in place
   */
  zoom(factor, around) {
    this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  /** @param {number} share of the range shown */
  pan(share) {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  /**
   * Show a *range* of time around the middle of a request.
   * @param {number} r @param {number} range
   */
  #showAround(r, range) {
    const { start, end } = this.trace.requests;
    const middle = (start[r] + end[r]) / 2;
    this.show(middle - range / 2, middle + range / 2);
  }

  /** In a long log, show a range in which the request is visible. @param {number} r */
  open(r) {
    const { start, end } = this.trace.requests;
    const [from, to] = this.whole;
    if (to - from < LONG) return;
    this.#showAround(r, Math.max((end[r] - start[r]) * 8, 2 * SECOND));
  }

  /** Bring a request into sight without changing the zoom more than needed. @param {number} r */
  reveal(r) {
    const { start, end } = this.trace.requests;
    const isInSight = end[r] > this.from && start[r] < this.to;
    if (!isInSight) {
      this.#showAround(r, Math.max(this.to - this.from, (end[r] - start[r]) * 1.4));
    }
    this.#showOpened();
    this.layOut();
    if (!this.opened && this.placed.length > MOST_LANES) {
      this.show(...this.density.rangeOfLanes((start[r] + end[r]) / 2));
      this.layOut();
    }
    const top = this.#topOf(r);
    if (top < this.scroll) this.scrollTo(top - this.rowHeight);
    else if (top + this.rowHeight > this.scroll + this.lanesRoom) {
      // The next row is shown too, if there is room for two.
      this.scrollTo(Math.min(top, top + 2 * this.rowHeight - this.lanesRoom));
    }
    this.scrollToSentence();
  }

  /** Bring the sentence above the opened trace into sight, if the chosen row stays in it. */
  scrollToSentence() {
    const lane = this.placed.find(({ opened }) => opened > 0);
    if (!lane || lane.top >= this.scroll) return;
    const bottom = this.#topOf(this.look.request) + OPENED_ROW;
    if (bottom <= lane.top + this.lanesRoom) this.scrollTo(lane.top);
  }

  /** Give a trace that was just opened room enough for its rows to be read. */
  #showOpened() {
    const root = this.opened?.root ?? -1;
    if (root === this.#shownRoot) return;
    this.#shownRoot = root;
    if (root < 0) return;
    const { start, end } = this.trace.requests;
    const length = end[root] - start[root];
    const isWide = length > ((this.to - this.from) * OPENED_SHARE) / 2;
    const isWhole = start[root] >= this.from && end[root] <= this.to;
    if (isWide && isWhole) return;
    this.#showAround(root, Math.max(length / OPENED_SHARE, SHORTEST_RANGE));
  }

  /** Fill the axis with one request. @param {number} r */
  zoomTo(r) {
    const { start, end } = this.trace.requests;
    const margin = Math.max((end[r] - start[r]) * 0.1, SHORTEST_RANGE);
    this.show(start[r] - margin, end[r] + margin);
    this.reveal(r);
  }

  // -- down: lanes -------------------------------------------------------------------------------

  /** Give each request its lane and row. Returns the height that shows all of them. */
  arrange() {
    const root = this.#rootToOpen;
    this.opened = root < 0 ? null : new Waterfall(this.trace, root);
    this.#arranged = arrange(this.trace, root);
    const { rows, lanes } = this.#arranged;
    const height = HEAD + rows * rowHeight(rows) + lanes.length * LANE_GAP + 4;
    return height + openedHeight(this.opened) + this.foot;
  }

  /**
   * The first request of the trace to open, the chosen one's, if it has several requests. Else -1.
   */
  get #rootToOpen() {
    const { request } = this.look;
    if (request < 0) return -1;
    const { callers } = this.trace;
    const root = callers.root[request];
    return callers.hasHops(root) ? root : -1;
  }

  /** Whether the trace that is open is that of the chosen request. */
  get isRightOpened() {
    return this.#rootToOpen === (this.opened?.root ?? -1);
  }

  /** Place the lanes and rows that have something to show in the range, from top to bottom. */
  layOut() {
    const { lanes } = this.#arranged;
    /** @type {PlacedLane[]} */
    const placed = [];
    let count = 0;
    for (const lane of lanes) {
      const isAll = lanes.length <= FEW_LANES;
      const needed = isAll ? lane.rows : lane.rows.filter((row) => this.#isNeeded(row));
      // A list that is shown whole is not copied.
      const rows = needed.length === lane.rows.length ? lane.rows : needed;
      const opened = this.#isOpenedIn(lane) ? openedHeight(this.opened) : 0;
      if (rows.length === 0 && !opened) continue;
      placed.push({ lane, rows, top: 0, opened, height: 0 });
      count += rows.length;
    }
    this.rowHeight = rowHeight(count);
    this.lanesHeight = 0;
    for (const each of placed) {
      each.top = this.lanesHeight;
      each.height = each.opened + each.rows.length * this.rowHeight + LANE_GAP;
      this.lanesHeight += each.height;
    }
    this.placed = placed;
    // A chosen request is shown in its lane.
    this.isDense = placed.length > MOST_LANES && this.look.request < 0;
    if (this.isDense) {
      this.density.update();
      this.lanesHeight = this.density.height;
    }
    this.scrollTo(this.scroll);
  }

  /** @param {import("./lanes.js").Lane} lane */
  #isOpenedIn(lane) {
    return this.opened !== null && this.trace.requests.session[this.opened.root] === lane.session;
  }

  /**
   * Whether a row has a request in the range that the search does not hide.
   * @param {number[]} row
   */
  #isNeeded(row) {
    const { filter, request } = this.look;
    const { start, end } = this.trace.requests;
    const hit = filter?.requestHit;
    let i = firstAfter(row, end, this.from);
    while (i < row.length && start[row[i]] <= this.to) {
      if (!hit || hit[row[i]] || row[i] === request) return true;
      i++;
    }
    return false;
  }

  /** The height in which lanes are visible. */
  get lanesRoom() {
    return this.height - HEAD - this.foot;
  }

  /** The height of the words below the lanes. */
  get foot() {
    return this.trace.head.silences.length > 0 ? FOOT : 0;
  }

  get canScroll() {
    return this.lanesHeight > this.lanesRoom;
  }

  /** @param {number} top */
  scrollTo(top) {
    this.scroll = Math.max(0, Math.min(top, this.lanesHeight - this.lanesRoom));
  }

  /** @param {number} r */
  #topOf(r) {
    const inOpened = this.opened?.rows.findIndex(({ request }) => request === r) ?? -1;
    for (const { rows, top, opened } of this.placed) {
      if (opened && inOpened >= 0) return top + SENTENCE + inOpened * OPENED_ROW;
      const row = rows.findIndex((requests) => requests.includes(r));
      if (row >= 0) return top + opened + row * this.rowHeight;
    }
    return 0;
  }

  /** How far below the canvas's top the opened trace is, or null. */
  get openedTop() {
    const lane = this.placed.find(({ opened }) => opened > 0);
    return lane ? HEAD + lane.top - this.scroll : null;
  }

  /** The place of the last lane that begins at or above this height. @param {number} y */
  laneAt(y) {
    let low = 0;
    let high = Math.max(0, this.placed.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.placed[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // -- the objects at a point --------------------------------------------------------------------

  /** @param {number} x @param {number} y @returns {Hit} */
  hit(x, y) {
    /** @type {Hit} */
    const nothing = { request: -1, line: -1, call: -1, session: null };
    if (this.isDense) return nothing;
    const inLanes = y - HEAD + this.scroll;
    const isOutside = y < HEAD || y > HEAD + this.lanesRoom || inLanes > this.lanesHeight;
    if (isOutside || this.placed.length === 0) return nothing;
    const { lane, rows, top, opened } = this.placed[this.laneAt(inLanes)];
    const inLane = inLanes - top;
    if (inLane < opened) return this.#hitOpened(x, inLane) ?? nothing;
    if (x < this.gutter) return { ...nothing, session: lane.session };
    if (rows.length === 0) return nothing;
    const row = Math.min(Math.floor((inLane - opened) / this.rowHeight), rows.length - 1);
    const request = this.#requestAt(rows[row], x);
    if (request < 0) return nothing;
    return { ...nothing, request, line: this.#lineAt(request, x) };
  }

  /**
   * The object in the opened trace: the row's name or its bar.
   * @param {number} x
   * @param {number} y from its top
   * @returns {Hit | null}
   */
  #hitOpened(x, y) {
    if (!this.opened) return null;
    const session = this.trace.requests.session[this.opened.root];
    if (y < SENTENCE) {
      return x < this.gutter ? { request: -1, line: -1, call: -1, session } : null;
    }
    const row = this.opened.rows[Math.floor((y - SENTENCE) / OPENED_ROW)];
    if (!row) return null;
    const { request, call } = row;
    if (x < this.gutter) return { request, line: -1, call, session: null };
    const left = this.x(row.from) - BAR_REACH;
    const right = this.x(this.#lastMoment(row)) + BAR_REACH;
    if (x < left || x > right) return null;
    return { request, line: request < 0 ? -1 : this.#lineAt(request, x), call, session: null };
  }

  /** When a row's bar or its last late line ends. @param {import("./waterfall.js").Row} row */
  #lastMoment({ request, to }) {
    const last = request < 0 ? -1 : this.trace.lastLine[request];
    return last < 0 ? to : Math.max(to, this.trace.time[last]);
  }

  /** The nearest request of a row, with its late lines. @param {number[]} row @param {number} x */
  #requestAt(row, x) {
    const { start, end } = this.trace.requests;
    const { lastLine, time } = this.trace;
    let nearest = -1;
    let distance = BAR_REACH;
    const first = firstAfter(row, end, this.timeAt(x - BAR_REACH)) - 1;
    for (let i = Math.max(0, first); i < row.length; i++) {
      const r = row[i];
      const left = this.x(start[r]);
      if (left > x + BAR_REACH) break;
      const last = lastLine[r];
      const right = this.x(last >= 0 ? Math.max(end[r], time[last]) : end[r]);
      const away = Math.max(0, left - x, x - right);
      if (away < distance) [nearest, distance] = [r, away];
    }
    return nearest;
  }

  /**
   * The nearest line of a request; of lines at one pixel, the worst.
   * @param {number} r
   * @param {number} x
   */
  #lineAt(r, x) {
    const { firstLine, time, level, next } = this.trace;
    let nearest = -1;
    let distance = TICK_REACH;
    for (let line = firstLine[r]; line >= 0; line = next[line]) {
      const away = Math.abs(this.x(time[line]) - x);
      const isWorse = nearest >= 0 && away === distance && level[line] > level[nearest];
      if (away < distance || isWorse) [nearest, distance] = [line, away];
    }
    return nearest;
  }
}

/** @param {Waterfall | null} opened */
function openedHeight(opened) {
  return opened ? SENTENCE + opened.rows.length * OPENED_ROW + BELOW_OPENED : 0;
}

/** @param {number} rows */
function rowHeight(rows) {
  const [, height] = /** @type {number[]} */ (ROW_HEIGHTS.find(([most]) => rows <= most));
  return height;
}
