// The menu of texts to copy: each entry has a letter, and is shown only where it applies.

import { make } from "./text.js";
import { toClipboard } from "./copying.js";

const SAID_FOR_MS = 2500;

/**
 * @typedef {{key: string, name: string, said: string, text: () => string | null}} Way
 * `text` is null where the entry does not apply; `said` is what was copied
 */

export class CopyMenu {
  #saying = 0;

  /**
   * @param {HTMLElement} button opens the menu
   * @param {HTMLElement} menu a popover
   * @param {HTMLElement} said the element for the message that something was copied
   * @param {Way[]} ways
   */
  constructor(button, menu, said, ways) {
    this.button = button;
    this.menu = menu;
    this.said = said;
    this.ways = ways;
    button.addEventListener("click", () => this.open());
    menu.addEventListener("keydown", (event) => this.#key(event));
    menu.addEventListener("toggle", (event) => {
      const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
      button.setAttribute("aria-expanded", String(isOpen));
    });
  }

  get isOpen() {
    return this.menu.matches(":popover-open");
  }

  open() {
    if (this.isOpen) return;
    const entries = this.ways.filter((way) => way.text() !== null).map((way) => this.#entry(way));
    this.menu.replaceChildren(...entries);
    this.menu.showPopover();
    const box = this.button.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - this.menu.offsetWidth - 8);
    this.menu.style.left = `${Math.max(8, left)}px`;
    this.menu.style.top = `${box.bottom + 4}px`;
    entries[0].focus();
  }

  /** @param {Way} way */
  #entry(way) {
    const entry = /** @type {HTMLButtonElement} */ (make("button", "", way.name));
    entry.type = "button";
    entry.dataset.way = way.key;
    entry.tabIndex = -1;
    entry.setAttribute("role", "menuitem");
    const key = make("kbd", "", way.key);
    key.setAttribute("aria-hidden", "true");
    entry.append(key);
    entry.addEventListener("click", () => void this.#copy(way));
    return entry;
  }

  /** @param {Way} way */
  async #copy(way) {
    const text = way.text();
    this.menu.hidePopover();
    this.button.focus({ preventScroll: true });
    if (text === null) return;
    const isCopied = await toClipboard(text);
    this.say(isCopied ? `Copied: ${way.said}` : "Not copied: the browser does not allow it");
  }

  /** @param {string} sentence */
  say(sentence) {
    this.said.textContent = sentence;
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => (this.said.textContent = ""), SAID_FOR_MS);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    const entries = /** @type {HTMLElement[]} */ ([...this.menu.children]);
    const now = entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 };
    const move = moves[event.key];
    if (move !== undefined) entries.at(move % entries.length)?.focus();
    else if (event.key === "Tab") this.menu.hidePopover();
    else {
      const entry = entries.find((each) => each.dataset.way === event.key.toLowerCase());
      if (!entry) return;
      entry.click();
    }
    event.preventDefault();
  }
}
