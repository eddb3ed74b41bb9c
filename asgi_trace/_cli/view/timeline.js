// The time axis: an overview to brush, and below it a lane per session with a bar per request and a
// tick per line. Joins the scale, the painting, the pointer and the tip; reports what was chosen.

import { Painting } from "./painting.js";
import { Pointer } from "./pointer.js";
import { HEAD, SENTENCE, Scale } from "./scale.js";
import { Tip } from "./tip.js";
import { make } from "./text.js";

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
  #tallest = 0;

  /**
   * @param {HTMLElement} element
   * @param {import("./data.js").Trace} trace
   * @param {import("./look.js").Look} look
   * @param {import("./text.js").Clock} clock
   * @param {import("./services.js").Services} services
   * @param {Handlers} handlers
   */
  constructor(element, trace, look, clock, services, handlers) {
    this.element = element;
    this.trace = trace;
    this.services = services;
    this.sentence = /** @type {HTMLElement} */ (element.querySelector(".sentence"));
    this.handlers = handlers;
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.scale = new Scale(trace, look);
    const tip = /** @type {HTMLElement} */ (element.querySelector(".tip"));
    this.tip = new Tip(tip, trace, this.scale);
    this.painting = new Painting(this.canvas, this.scale, trace, look, clock, services);
    this.pointer = new Pointer(this);
    this.rearrange();
    this.painting.readColors(element);
    this.fit();
    new ResizeObserver(() => this.#resize()).observe(element);
  }

  /** Give the requests their lanes anew: some were added, or their times have changed. */
  rearrange() {
    // It does not get lower again, so that the elements below keep their places.
    this.#tallest = Math.max(this.#tallest, this.scale.arrange());
    this.element.style.setProperty("--wanted-height", `${this.#tallest}px`);
    this.#writeSentence();
    this.draw();
  }

  /** Open the trace of the chosen request, or close the one that is open. */
  openChosen() {
    if (!this.scale.isRightOpened) this.rearrange();
  }

  /** Show the sentence above the opened trace: the time of each service. */
  #writeSentence() {
    const { opened } = this.scale;
    this.sentence.replaceChildren();
    if (!opened || !this.trace.isMeasured(opened.root)) return;
    const { whole, parts } = opened.sentence;
    this.sentence.append(make("strong", "", `${whole}: `));
    parts.forEach(({ service, name, text }, index) => {
      const part = make("span", "part");
      if (index > 0) this.sentence.append(" · ");
      if (service >= 0) part.append(this.services.sign(service));
      part.append(`${name} ${text}`);
      this.sentence.append(part);
    });
  }

  /** Keep the sentence above its trace, where that is scrolled to. */
  #placeSentence() {
    const top = this.scale.openedTop;
    const isInSight = top !== null && top >= HEAD - 2 && top + SENTENCE <= this.scale.height;
    this.sentence.hidden = !isInSight;
    if (!isInSight) return;
    this.sentence.style.top = `${top}px`;
    this.sentence.style.left = `${this.scale.gutter}px`;
  }

  /** Read the colors of the style sheet, which depend on the theme. */
  readColors() {
    this.painting.readColors(this.element);
    this.#drawNow(); // a browser that prints shows no further frame
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

  /** Draw in the next frame, once for any number of changes. */
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
    this.#placeSentence();
  }

  #resize() {
    const box = this.element.getBoundingClientRect();
    this.scale.width = box.width;
    this.scale.height = box.height;
    this.painting.resize();
    this.scale.scrollTo(this.scale.scroll);
    this.scale.scrollToSentence();
    this.#drawNow();
  }
}
