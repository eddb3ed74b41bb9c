// Ids: short, and whole in the clipboard after a click.

import { make, plain, show } from "./text.js";
import { toClipboard } from "./copying.js";

const SHORT = 8; // characters
// Ids that people choose are shown whole up to this length.
const LONGEST = 16;

/** The id as it is shown: the beginning of a long one. @param {string} id @param {number} [most] */
function shortId(id, most = LONGEST) {
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

/**
 * Copy the id under a click, and say so.
 * @param {MouseEvent} event @param {(sentence: string) => void} say
 */
export async function copyClicked(event, say) {
  const target = /** @type {Element} */ (event.target);
  const element = /** @type {HTMLElement | null} */ (target.closest("[data-copy]"));
  // A click that ends a selection of text is for copying that.
  if (!element || !getSelection()?.isCollapsed) return;
  const id = element.dataset.copy ?? "";
  const isCopied = await toClipboard(id);
  say(isCopied ? `Copied: ${plain(id)}` : "Not copied: the browser does not allow it");
}
