// Ids: short, and whole in the clipboard after a click.

import { make, plain, show } from "./text.js";
import { toClipboard } from "./copying.js";

const SHORT = 8; // characters
// Ids that people choose are shown whole up to this length.
const LONGEST = 16;
// Of an id whose beginning says little.
const LEAST_BEGINNING = 3;
const ENDING = 4;
const MOST_COMPARED = 1000;
const FEW_BEGINNINGS = 0.9; // of the ids

/** The ids of the requests and sessions, as they are shown. */
export class Ids {
  /** @param {import("./data.js").Trace} trace */
  constructor(trace) {
    this.trace = trace;
    this.requests = new Beginnings(trace.requests.id);
    this.sessions = new Beginnings(trace.sessions);
  }

  /** @param {number} r @param {number} [most] characters */
  request(r, most) {
    return idElement(this.trace.requests.id[r], most, this.requests.areAlike);
  }

  /** @param {number} s */
  session(s) {
    return idElement(this.trace.sessions[s], LONGEST, this.sessions.areAlike);
  }
}

/** The beginnings of the ids in a list, which may grow. */
class Beginnings {
  #compared = 0;
  #areAlike = false;

  /** @param {string[]} ids */
  constructor(ids) {
    this.ids = ids;
  }

  /**
   * Whether many ids begin like another one, and their ends differ: UUIDs of version 7 begin with the
   * time, and chosen ids with a common word.
   */
  get areAlike() {
    const size = Math.min(this.ids.length, MOST_COMPARED);
    if (size === this.#compared) return this.#areAlike;
    this.#compared = size;
    const long = [...new Set(this.ids.slice(0, size))].filter((id) => id.length > SHORT);
    const beginnings = new Set(long.map(beginningOf)).size;
    const withEnds = new Set(long.map(withEnd)).size;
    this.#areAlike = beginnings < long.length * FEW_BEGINNINGS && beginnings < withEnds;
    return this.#areAlike;
  }
}

/** @param {string} id */
function beginningOf(id) {
  return id.slice(0, SHORT);
}

/** @param {string} id */
function withEnd(id) {
  return `${id.slice(0, LEAST_BEGINNING)}…${id.slice(-ENDING)}`;
}

/**
 * An id that a click copies: of a long one the beginning, or, if others begin like it, also the end.
 * @param {string} id @param {number} [most] characters @param {boolean} [areAlike]
 */
export function idElement(id, most = LONGEST, areAlike = false) {
  const element = make("span", "id");
  element.dataset.copy = id;
  element.title = `${plain(id)}: a click copies it`;
  const short = areAlike ? withEnd(id) : beginningOf(id);
  show(element, id.length > most ? short : id);
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
