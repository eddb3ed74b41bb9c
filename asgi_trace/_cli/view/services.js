// The sign of each service: a shape from a small set, since colors are used for sessions.

import { make, plain } from "./text.js";

const SHAPES = ["circle", "square", "triangle", "diamond", "wedge", "hexagon", "cross", "arrow"];

const LONGEST_LABEL = 12; // characters

/** Gives each service its shape. A name keeps its shape from page to page, as far as others allow. */
export class Services {
  /** @type {number[]} */
  #shapes = [];

  /**
   * @param {string[]} names
   * @param {ReadonlySet<number>} used the places of those with a request or a line; both grow while
   *   a log is followed
   */
  constructor(names, used) {
    this.names = names;
    this.used = used;
  }

  /** The place of a service's shape in SHAPES. @param {number} service */
  shape(service) {
    while (this.#shapes.length <= service) {
      const place = this.#shapes.length;
      const inUse = new Set(this.#shapes.slice(place - (place % SHAPES.length)));
      let shape = sum(this.names[place] ?? "") % SHAPES.length;
      while (inUse.has(shape)) shape = (shape + 1) % SHAPES.length;
      this.#shapes.push(shape);
    }
    return this.#shapes[service];
  }

  /** How many characters the longest label has. */
  get width() {
    return Math.min(
      LONGEST_LABEL,
      this.names.reduce((most, name) => Math.max(most, name.length), 0),
    );
  }

  /** The shape as an element. @param {number} service */
  sign(service) {
    const sign = make("span", `sign ${service < 0 ? "unnamed" : SHAPES[this.shape(service)]}`);
    sign.setAttribute("aria-hidden", "true");
    return sign;
  }

  /** Shape and name. @param {number} service */
  label(service) {
    const label = make("span", "service");
    const name = plain(this.names[service] ?? "");
    label.append(this.sign(service), make("span", "name", name));
    label.title = name;
    return label;
  }
}

/** @param {string} name */
function sum(name) {
  let total = 0;
  for (let i = 0; i < name.length; i++) total = (total * 31 + name.charCodeAt(i)) >>> 0;
  return total;
}

/**
 * Draw a shape around a point, with the context's fill.
 * @param {CanvasRenderingContext2D} c
 * @param {number} shape its place in SHAPES
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
export function paintShape(c, shape, x, y, size) {
  const half = size / 2;
  c.beginPath();
  if (SHAPES[shape] === "circle") c.arc(x, y, half, 0, 2 * Math.PI);
  else {
    for (const [across, down] of OUTLINES[SHAPES[shape]]) {
      c.lineTo(x + (across - 0.5) * size, y + (down - 0.5) * size);
    }
  }
  c.fill();
}

// Corners as parts of the shape's width and height; the style sheet has the same shapes.
/** @type {Record<string, [number, number][]>} */
const OUTLINES = {
  square: [
    [0.07, 0.07],
    [0.93, 0.07],
    [0.93, 0.93],
    [0.07, 0.93],
  ],
  triangle: [
    [0.5, 0.03],
    [1, 0.95],
    [0, 0.95],
  ],
  diamond: [
    [0.5, 0],
    [1, 0.5],
    [0.5, 1],
    [0, 0.5],
  ],
  wedge: [
    [0, 0.05],
    [1, 0.05],
    [0.5, 0.97],
  ],
  hexagon: [
    [0.25, 0.06],
    [0.75, 0.06],
    [1, 0.5],
    [0.75, 0.94],
    [0.25, 0.94],
    [0, 0.5],
  ],
  cross: [
    [0.34, 0],
    [0.66, 0],
    [0.66, 0.34],
    [1, 0.34],
    [1, 0.66],
    [0.66, 0.66],
    [0.66, 1],
    [0.34, 1],
    [0.34, 0.66],
    [0, 0.66],
    [0, 0.34],
    [0.34, 0.34],
  ],
  arrow: [
    [0, 0],
    [0.6, 0],
    [1, 0.5],
    [0.6, 1],
    [0, 1],
  ],
};
