// A list of any length: only the rows in sight are elements. Its owner fills the rows.

// Browsers limit an element to some 17 to 33 million pixels; the scroll bar of a list above this
// height is scaled.
const TALLEST = 8_000_000;
const SPARE_ROWS = 4;

/**
 * The functions that the list needs from its owner.
 * @typedef {object} Source
 * @property {() => number} rowHeight in pixels
 * @property {() => number} count how many rows there are
 * @property {(position: number, row: HTMLElement) => void} render fills a row and gives it an id
 * @property {() => void} [onScroll] called after the reader has scrolled
 * @property {() => [number, number][]} [uneven] rows of another height, in order: position, pixels
 *   above the usual height, or below it where negative
 */

export class VirtualList {
  /** The position of the row that keys act on. */
  active = 0;

  #top = 0; // in pixels of the whole list
  #lastScroll = 0;
  /** @type {Map<number, HTMLElement>} */
  #rows = new Map();
  #isDrawn = false;
  #isStale = false; // the rows may have changed
  #settle = 0;
  /** @type {number[]} */
  #unevenAt = [];
  /** @type {number[]} what all rows before each uneven one add to the height */
  #unevenSum = [0];

  /** @param {HTMLElement} element it scrolls and takes the keys @param {Source} source */
  constructor(element, source) {
    this.element = element;
    this.source = source;
    this.spacer = document.createElement("div");
    this.spacer.className = "spacer";
    this.spacer.setAttribute("role", "presentation");
    this.window = document.createElement("div");
    this.window.className = "window";
    this.window.setAttribute("role", "presentation");
    this.spacer.append(this.window);
    // In a page that a browser has saved, the list has the rows that were in sight then.
    element.replaceChildren(this.spacer);
    element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(element);
  }

  get height() {
    return this.element.clientHeight;
  }

  get total() {
    return (
      this.source.count() * this.source.rowHeight() + this.#unevenSum[this.#unevenSum.length - 1]
    );
  }

  get #isScaled() {
    return this.total > TALLEST;
  }

  get isAtEnd() {
    return this.#top >= this.total - this.height - this.source.rowHeight();
  }

  /** Positions in sight. @returns {[number, number]} */
  get shown() {
    const end = Math.min(this.source.count(), this.at(this.#top + this.height) + 1);
    return [this.at(this.#top), end];
  }

  /** Where the row begins. @param {number} position */
  topOf(position) {
    let low = 0;
    let high = this.#unevenAt.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#unevenAt[middle] < position) low = middle + 1;
      else high = middle;
    }
    return position * this.source.rowHeight() + this.#unevenSum[low];
  }

  /** The row at this pixel. @param {number} y */
  at(y) {
    let low = 0;
    let high = Math.max(0, this.source.count() - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.topOf(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Draw the list again: rows, their number or heights have changed. */
  refresh() {
    this.#unevenAt = [];
    this.#unevenSum = [0];
    for (const [position, more] of this.source.uneven?.() ?? []) {
      this.#unevenAt.push(position);
      this.#unevenSum.push(this.#unevenSum[this.#unevenSum.length - 1] + more);
    }
    this.#isStale = true;
    this.#goTo(this.#top);
    this.markActive();
  }

  /** Name the active row to screen readers, or no row while it is out of sight. */
  markActive() {
    const row = this.#rows.get(this.active);
    if (row) this.element.setAttribute("aria-activedescendant", row.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** Activate the row to which *key* moves. False for other keys. @param {string} key */
  move(key) {
    const page = Math.max(1, Math.floor(this.height / this.source.rowHeight()) - 1);
    /** @type {Record<string, number>} */
    const moves = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(key in moves)) return false;
    const last = this.source.count() - 1;
    this.active = Math.max(0, Math.min(last, this.active + moves[key]));
    this.reveal(this.active);
    this.refresh();
    return true;
  }

  /** @param {number} position @param {"nearest" | "center" | "end"} [where] */
  reveal(position, where = "nearest") {
    const from = this.topOf(position);
    const to = this.topOf(position + 1);
    if (where === "nearest" && from >= this.#top && to <= this.#top + this.height) return;
    if (where === "end") this.#goTo(to - this.height);
    else if (where === "center")
      this.#goTo(from - Math.max(0, (this.height - Math.min(to - from, this.height)) / 2));
    else this.#goTo(from < this.#top ? from : Math.min(from, to - this.height));
  }

  /** The row on top, and how much of it is above. @returns {[number, number]} */
  get onTop() {
    const position = this.at(this.#top);
    return [position, this.#top - this.topOf(position)];
  }

  /** Scroll so that this row is on top. @param {number} position @param {number} above */
  putOnTop(position, above) {
    this.#goTo(this.topOf(position) + above);
  }

  /** @param {number} top */
  #goTo(top) {
    const total = this.total;
    this.spacer.style.height = `${Math.min(total, TALLEST)}px`;
    this.#top = Math.max(0, Math.min(top, total - this.height));
    this.#placeBar();
    this.#draw();
  }

  #placeBar() {
    const room = Math.min(this.total, TALLEST) - this.height;
    const range = this.total - this.height;
    const wanted = this.#isScaled ? (this.#top / range) * room : this.#top;
    if (Math.abs(this.element.scrollTop - wanted) > 0.5) this.element.scrollTop = wanted;
    this.#lastScroll = this.element.scrollTop;
  }

  #scrolled() {
    const scroll = this.element.scrollTop;
    const moved = scroll - this.#lastScroll;
    if (moved === 0) return;
    this.#lastScroll = scroll;
    if (!this.#isScaled) {
      this.#top = scroll;
    } else {
      const room = TALLEST - this.height;
      const range = this.total - this.height;
      // The wheel scrolls by pixels; dragging the bar scrolls by its share of the whole.
      this.#top = Math.abs(moved) < this.height * 2 ? this.#top + moved : (scroll / room) * range;
      if (scroll <= 0) this.#top = 0;
      if (scroll >= room - 1) this.#top = range;
      this.#top = Math.max(0, Math.min(this.#top, range));
      clearTimeout(this.#settle);
      this.#settle = setTimeout(() => this.#placeBar(), 200);
    }
    this.source.onScroll?.();
    if (this.#isDrawn) return;
    this.#isDrawn = true;
    requestAnimationFrame(() => {
      this.#isDrawn = false;
      this.#draw();
    });
  }

  #draw() {
    const size = this.source.count();
    const first = Math.max(0, this.at(this.#top) - SPARE_ROWS);
    const bottom = this.#top + this.height;
    /** @type {Map<number, HTMLElement>} */
    const kept = new Map();
    /** @type {HTMLElement[]} */
    const free = [];
    let last = first;
    while (last < size && this.topOf(last) < bottom) last++;
    last = Math.min(size, last + SPARE_ROWS);
    for (const [position, row] of this.#rows) {
      if (position >= first && position < last) kept.set(position, row);
      else {
        row.remove();
        free.push(row);
      }
    }
    for (let position = first; position < last; position++) {
      let row = kept.get(position);
      if (row && this.#isStale) {
        row = this.#again(position, row);
        kept.set(position, row);
      } else if (!row) {
        row = free.pop() ?? document.createElement("div");
        row.replaceChildren();
        this.source.render(position, row);
        kept.set(position, row);
      }
      row.style.transform = `translateY(${this.topOf(position) - this.#top}px)`;
    }
    this.#putInOrder(kept, first, last);
    this.#rows = kept;
    this.#isStale = false;
  }

  /**
   * The rows are elements in their order, in which a selection goes through them and a screen reader
   * reads them. One that was there already is not moved: a selection of its text would end.
   * @param {Map<number, HTMLElement>} rows @param {number} first @param {number} end
   */
  #putInOrder(rows, first, end) {
    let next = null;
    for (let position = end - 1; position >= first; position--) {
      const row = /** @type {HTMLElement} */ (rows.get(position));
      if (row.parentElement === null || row.nextElementSibling !== next)
        this.window.insertBefore(row, next);
      next = row;
    }
  }

  /**
   * A row as it is now: the same element if nothing in it has changed. A live log is drawn in each
   * frame, and a selection of text or a click that has begun would end with its element.
   * @param {number} position @param {HTMLElement} row
   */
  #again(position, row) {
    const now = document.createElement("div");
    this.source.render(position, now);
    now.style.transform = row.style.transform;
    if (now.isEqualNode(row)) return row;
    row.replaceWith(now);
    return now;
  }
}
