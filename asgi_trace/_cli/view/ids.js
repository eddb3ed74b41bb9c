// Ids: short, and whole in the clipboard after a click.

import { make, plain, show } from "./text.js";

const SHORT = 8; // characters
// What people name themselves is shown whole up to this length.
const LONGEST = 16;
const SAID_FOR = 1200; // ms

/** The id as it is shown: the beginning of a long one. @param {string} id @param {number} [most] */
export function shortId(id, most = LONGEST) {
  return id.length > most ? id.slice(0, SHORT) : id;
}

/** An id that a click copies. @param {string} id @param {number} [most] characters */
export function idElement(id, most = LONGEST) {
  const element = make("span", "id");
  element.dataset.copy = id;
  element.title = `${plain(id)}: a click copies it`;
  show(element, shortId(id, most));
  return element;
}

/** Copy the id under a click, and say so beside it. @param {MouseEvent} event */
export async function copyClicked(event) {
  const target = /** @type {Element} */ (event.target);
  const element = /** @type {HTMLElement | null} */ (target.closest("[data-copy]"));
  // A click that ends a selection of text is for copying that.
  if (!element || !getSelection()?.isCollapsed) return;
  const isCopied = await copyText(element.dataset.copy ?? "");
  say(isCopied ? "copied" : "the browser refused to copy", event.clientX, event.clientY);
}

/** Put a text into the clipboard. Whether the browser has allowed it. @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

let hiding = 0;

/** Say a few words for a moment, at a point of the window. @param {string} words @param {number} x @param {number} y */
export function say(words, x, y) {
  const element = /** @type {HTMLElement} */ (document.getElementById("said"));
  element.textContent = words;
  element.style.left = `${Math.min(x + 10, innerWidth - 90)}px`;
  element.style.top = `${Math.max(0, y - 28)}px`;
  clearTimeout(hiding);
  hiding = setTimeout(() => element.replaceChildren(), SAID_FOR);
}
