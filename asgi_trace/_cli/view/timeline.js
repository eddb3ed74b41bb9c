// The time axis: an overview to brush, and below it a lane per session with a bar per request and a
// tick per line. Joins the scale, the painting, the pointer and the tip; reports what was chosen.

import { Painting } from "./painting.js";
import { Pointer } from "./pointer.js";
import { Scale } from "./scale.js";
import { Tip } from "./tip.js";

/**
 * @typedef {object} Handlers
 * @property {(r: number) => void} chooseRequest
 * @property {(line: number) => void} chooseLine
 * @property {(s: number) => void} chooseSession
 * @property {(query: string) => void} searchFor
 * @property {() => void} zoomed called after the reader has changed the range
 */

export class Timeline {
  /** @type {[number, number] | null} the range of the lines in sight in the list of lines */
  reading = null;
  /** @type {{from: number, to: number} | null} the pixels being brushed */
  brush = null;

  #isDue = false;

  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {Handlers} handlers
   */
  constructor(element, trace, look, clock, handlers) {
    this.element = element;
    this.handlers = handlers;
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.tip = new Tip(/** @type {HTMLElement} */ (element.querySelector(".tip")), trace);
    this.scale = new Scale(trace, look);
    this.painting = new Painting(this.canvas, this.scale, trace, look, clock);
    this.pointer = new Pointer(this);
    this.rearrange();
    this.readColors();
    this.fit();
    new ResizeObserver(() => this.#resize()).observe(element);
  }

  /** Give the requests their lanes anew: some were added, or their times have changed. */
  rearrange() {
    this.element.style.setProperty("--wanted-height", `${this.scale.arrange()}px`);
    this.draw();
  }

  /** Read the colors of the style sheet, which depend on the theme. */
  readColors() {
    this.painting.readColors(this.element);
    this.draw();
  }

  // -- the range and the lanes shown -------------------------------------------------------------

  fit() {
    this.show(...this.scale.whole);
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    this.scale.show(from, to);
    this.draw();
  }

  showAgain() {
    this.scale.showAgain();
    this.draw();
  }

  /** @param {number} factor @param {number} [around] a time, the middle if left out */
  zoom(factor, around = (this.scale.from + this.scale.to) / 2) {
    this.scale.zoom(factor, around);
    this.draw();
    this.handlers.zoomed();
  }

  /** @param {number} share of the range shown */
  pan(share) {
    this.scale.pan(share);
    this.draw();
    this.handlers.zoomed();
  }

  /** @param {number} r */
  open(r) {
    this.scale.open(r);
    this.draw();
  }

  /** @param {number} r */
  reveal(r) {
    this.scale.reveal(r);
    this.draw();
  }

  /** @param {number} r */
  zoomTo(r) {
    this.scale.zoomTo(r);
    this.draw();
    this.handlers.zoomed();
  }

  /** @param {number} top */
  scrollTo(top) {
    this.scale.scrollTo(top);
    this.draw();
  }

  /** @param {{from: number, to: number} | null} brush */
  setBrush(brush) {
    this.brush = brush;
    this.draw();
  }

  // -- the density view --------------------------------------------------------------------------

  /**
   * Zoom in to the lanes at this place, or search for the path whose name it is.
   * @param {number} x @param {number} y below the first strip's top
   */
  clickDensity(x, y) {
    const { scale } = this;
    const strip = scale.density.stripAt(y);
    if (!strip) return;
    if (x < scale.gutter) {
      const query = scale.density.queryFor(strip);
      if (query) this.handlers.searchFor(query);
      return;
    }
    this.tip.hide();
    this.show(...scale.density.rangeOfLanes(scale.timeAt(x)));
    this.handlers.zoomed();
  }

  /** @param {import("./tip.js").Point} at @param {number} y below the first strip's top */
  hoverDensity(at, y) {
    const { density, width } = this.scale;
    const strip = density.stripAt(y);
    this.element.style.cursor = strip ? "pointer" : "grab";
    if (strip) this.tip.showFacts(density.facts(strip, at.x), at, width);
    else this.tip.hide();
  }

  // -- drawing -----------------------------------------------------------------------------------

  /** Draw in the next frame, however many changes ask for it. */
  draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      if (this.#isDue) this.#drawNow();
    });
  }

  #drawNow() {
    this.#isDue = false;
    this.painting.paint(this.reading, this.brush);
  }

  #resize() {
    const box = this.element.getBoundingClientRect();
    this.scale.width = box.width;
    this.scale.height = box.height;
    this.painting.resize();
    this.scale.scrollTo(this.scale.scroll);
    this.#drawNow();
  }
}
