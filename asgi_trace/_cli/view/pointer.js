// Mouse, touch and wheel on the time axis: drag, brush, pinch, hover, click.
// Each gesture ends in a call of the time axis; nothing is drawn here.

import { HEAD, OVERVIEW } from "./scale.js";

const NO_DRAG = 4; // pixels: a shorter movement is a click
const LEAST_PINCH = 12; // pixels between two fingers
const MOST_WHEEL = 200; // pixels of one event
const ZOOM_PER_PIXEL = 0.0025;

/**
 * @typedef {import("./tip.js").Point} Point
 *
 * A gesture since a button or finger went down: `x` and `y` are where it began, `from`, `to` and
 * `scroll` what was shown then.
 * @typedef {object} Drag
 * @property {number} x
 * @property {number} y
 * @property {number} from
 * @property {number} to
 * @property {number} scroll
 * @property {"pan" | "brush" | "overview"} kind
 * @property {boolean} isMoved
 */

export class Pointer {
  /** @type {Map<number, Point>} the fingers or the mouse button that are down, by pointer id */
  #down = new Map();
  /** @type {Drag | null} */
  #drag = null;

  /** @param {import("./timeline.js").Timeline} timeline */
  constructor(timeline) {
    this.timeline = timeline;
    this.scale = timeline.scale;
    const { element } = timeline;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#lift(event));
    element.addEventListener("pointercancel", (event) => this.#lift(event));
    element.addEventListener("pointerleave", () => timeline.tip.hide());
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("dblclick", (event) => this.#doubleClick(event));
  }

  /** @param {MouseEvent} event @returns {Point} */
  #place(event) {
    const box = this.timeline.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // -- dragging ----------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    const at = this.#place(event);
    this.#down.set(event.pointerId, at);
    this.timeline.element.setPointerCapture(event.pointerId);
    const { from, to, scroll } = this.scale;
    this.#drag = { ...at, from, to, scroll, kind: kindOf(at, event.shiftKey), isMoved: false };
    this.timeline.tip.hide();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const at = this.#place(event);
    const before = this.#down.get(event.pointerId);
    if (!before || !this.#drag) {
      this.#hover(at);
      return;
    }
    this.#down.set(event.pointerId, at);
    if (this.#down.size === 2) {
      this.#drag.isMoved = true;
      this.#pinch(event.pointerId, before, at);
      return;
    }
    const isFar = Math.hypot(at.x - this.#drag.x, at.y - this.#drag.y) >= NO_DRAG;
    if (!this.#drag.isMoved && !isFar) return;
    this.#drag.isMoved = true;
    if (this.#drag.kind === "pan") this.#pan(this.#drag, at);
    else {
      const { gutter } = this.scale;
      this.timeline.setBrush({
        from: Math.max(this.#drag.x, gutter),
        to: Math.max(at.x, gutter),
      });
    }
  }

  /** @param {number} id of the finger that moved @param {Point} before @param {Point} at */
  #pinch(id, before, at) {
    const [other] = [...this.#down].filter(([each]) => each !== id).map(([, point]) => point);
    const was = Math.max(LEAST_PINCH, Math.abs(before.x - other.x));
    const is = Math.max(LEAST_PINCH, Math.abs(at.x - other.x));
    this.timeline.zoom(was / is, this.scale.timeAt((at.x + other.x) / 2));
  }

  /** @param {Drag} drag @param {Point} at */
  #pan(drag, at) {
    const by = ((drag.x - at.x) / this.scale.room) * (drag.to - drag.from);
    this.timeline.show(drag.from + by, drag.to + by);
    this.timeline.scrollTo(drag.scroll + drag.y - at.y);
  }

  /** @param {PointerEvent} event */
  #lift(event) {
    this.#down.delete(event.pointerId);
    const drag = this.#drag;
    if (!drag || this.#down.size > 0) return;
    this.#drag = null;
    const { brush } = this.timeline;
    if (brush) {
      this.timeline.setBrush(null);
      this.#showBrushed(brush, drag.kind);
    } else if (drag.isMoved) this.timeline.handlers.zoomed();
    else if (event.type === "pointerup") this.#click(drag);
  }

  /** @param {{from: number, to: number}} brush @param {Drag["kind"]} kind */
  #showBrushed(brush, kind) {
    const pixels = [brush.from, brush.to].sort((one, other) => one - other);
    const [from, to] = pixels.map((x) =>
      kind === "overview" ? this.scale.overviewTime(x) : this.scale.timeAt(x),
    );
    this.timeline.show(from, to);
    this.timeline.handlers.zoomed();
  }

  // -- clicking ----------------------------------------------------------------------------------

  /** @param {Drag} drag that did not move */
  #click({ x, y, kind }) {
    if (kind === "overview") {
      const middle = this.scale.overviewTime(x);
      const half = (this.scale.to - this.scale.from) / 2;
      this.timeline.show(middle - half, middle + half);
      this.timeline.handlers.zoomed();
      return;
    }
    if (this.scale.isDense && y >= HEAD) {
      this.timeline.clickDensity(x, y - HEAD);
      return;
    }
    const { request, line, call, session } = this.scale.hit(x, y);
    if (call >= 0) return;
    const { chooseLine, chooseRequest, chooseSession } = this.timeline.handlers;
    if (session !== null) chooseSession(session);
    else if (line >= 0) chooseLine(line);
    else chooseRequest(request);
  }

  /** @param {MouseEvent} event */
  #doubleClick(event) {
    const { x, y } = this.#place(event);
    if (this.scale.isDense && y >= HEAD) return;
    const { request } = this.scale.hit(x, y);
    if (request >= 0) this.timeline.zoomTo(request);
    else {
      this.timeline.fit();
      this.timeline.handlers.zoomed();
    }
  }

  // -- the wheel ---------------------------------------------------------------------------------

  /** @param {WheelEvent} event */
  #wheel(event) {
    const { scale, timeline } = this;
    const { x, y } = this.#place(event);
    const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const isZoom = event.ctrlKey || event.metaKey || !scale.canScroll || y <= HEAD;
    event.preventDefault();
    timeline.tip.hide();
    if (isSideways) {
      timeline.pan((event.deltaX || event.deltaY) / (scale.width - scale.gutter));
    } else if (isZoom) {
      const turned = Math.max(-MOST_WHEEL, Math.min(MOST_WHEEL, event.deltaY));
      const around = scale.timeAt(Math.max(x, scale.gutter));
      timeline.zoom(Math.exp(turned * ZOOM_PER_PIXEL), around);
    } else timeline.scrollTo(scale.scroll + event.deltaY);
  }

  // -- hovering ----------------------------------------------------------------------------------

  /** @param {Point} at */
  #hover(at) {
    const { scale, timeline } = this;
    if (scale.isDense && at.y >= HEAD) {
      timeline.hoverDensity(at, at.y - HEAD);
      return;
    }
    const hit = scale.hit(at.x, at.y);
    timeline.element.style.cursor = cursorAt(at, hit);
    const time = scale.timeAt(at.x);
    if (hit.request >= 0) {
      timeline.tip.showRequest(hit, time, at, scale.width);
      return;
    }
    if (hit.call >= 0) {
      timeline.tip.showCall(hit.call, at, scale.width);
      return;
    }
    const isInLanes = at.y >= HEAD && at.x >= scale.gutter;
    const silence = isInLanes ? scale.trace.silenceAt(time) : undefined;
    if (silence) timeline.tip.showSilence(silence, at, scale.width);
    else timeline.tip.hide();
  }
}

/** @param {Point} at @param {boolean} isShifted @returns {Drag["kind"]} */
function kindOf(at, isShifted) {
  if (at.y < OVERVIEW) return "overview";
  if (at.y < HEAD || isShifted) return "brush";
  return "pan";
}

/** @param {Point} at @param {import("./scale.js").Hit} hit */
function cursorAt(at, { request, session }) {
  if (request >= 0 || session !== null) return "pointer";
  return at.y < HEAD ? "col-resize" : "grab";
}
