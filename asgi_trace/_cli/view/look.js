// The selection: the request, session or line that the reader chose, and the search's result. Both
// lists and the time axis share one object.

import { NOBODY } from "./data.js";

/** @typedef {import("./query.js").Found} Found */

export class Look {
  request = -1;
  session = NOBODY;
  line = -1;
  /** How many lines of the same log are shown on each side of the chosen line, where they are hidden. */
  around = 0;
  /** @type {string | null} the key of the group of errors to which everything is limited */
  group = null;
  /** @type {Found | null} the search's result; null without a search */
  found = null;
  /** Whether everything outside the search's result is dimmed; otherwise it is hidden. */
  isDimming = false;

  /** The search's result if it hides everything else, otherwise null. */
  get filter() {
    return this.isDimming ? null : this.found;
  }

  get hasChoice() {
    return this.request >= 0 || this.session >= 0;
  }
}
