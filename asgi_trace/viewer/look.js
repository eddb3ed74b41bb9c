// The selection: the request, session or line that the reader chose, and the search's result.
// The lists and the time axis share one object. It knows neither the page nor the trace.

import { NOBODY } from "./data.js";

/** @typedef {import("./query.js").Found} Found */

export class Look {
  request = -1;
  session = NOBODY;
  line = -1;
  /** @type {Found | null} the search's result; null without a search */
  found = null;
  /** Whether lines and requests outside the search's result are dimmed; otherwise they are hidden. */
  isDimming = false;

  /** The search's result where it hides all else, otherwise null. */
  get filter() {
    return this.isDimming ? null : this.found;
  }

  get hasChoice() {
    return this.request >= 0 || this.session >= 0;
  }
}
