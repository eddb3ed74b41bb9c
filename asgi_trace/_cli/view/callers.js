// The callers of requests: the requests of a trace as a tree. A log may be wrong: a loop of callers
// is cut, and a caller that is not in the logs is ignored.

const UNKNOWN = -2;
const OPEN = -3;

export class Callers {
  // All callees, those of one caller beside each other, and where those of each begin.
  #callees;
  #firstCallee;

  /**
   * @param {import("./columns.js").Columns} requests
   * @param {import("./contract.js").Call[]} calls
   */
  constructor(requests, calls) {
    const { parent, start } = requests;
    const size = requests.id.length;
    /** The number of each request's caller, or -1. */
    this.caller = parent.slice(0, size);
    for (let r = 0; r < size; r++) if (parent[r] >= size || parent[r] === r) this.caller[r] = -1;
    /** The first caller of each request's trace. */
    this.root = new Int32Array(size).fill(UNKNOWN);
    for (let r = 0; r < size; r++) if (this.root[r] === UNKNOWN) this.#climb(r);
    this.#callees = Uint32Array.from(
      Array.from(this.caller.keys()).filter((r) => this.caller[r] >= 0),
    ).sort(
      (one, other) =>
        this.caller[one] - this.caller[other] || start[one] - start[other] || one - other,
    );
    this.#firstCallee = new Uint32Array(size + 1);
    for (const r of this.#callees) this.#firstCallee[this.caller[r] + 1]++;
    for (let r = 0; r < size; r++) this.#firstCallee[r + 1] += this.#firstCallee[r];
    /** The first requests of all traces, by their start: some began long before their first lines. */
    this.roots = Uint32Array.from(
      Array.from(this.caller.keys()).filter((r) => this.caller[r] < 0),
    ).sort((one, other) => start[one] - start[other] || one - other);
    /** The traces with a call that has no request in the logs, by their first requests. */
    this.callingOut = new Set(
      calls.filter(({ callee }) => callee < 0).map(({ request }) => this.root[request]),
    );
  }

  /** Find the root of a request and of all callers on the way. @param {number} r */
  #climb(r) {
    const path = [];
    let at = r;
    while (this.root[at] === UNKNOWN) {
      this.root[at] = OPEN;
      path.push(at);
      const caller = this.caller[at];
      const isLoop = caller >= 0 && this.root[caller] === OPEN;
      if (isLoop) this.caller[at] = -1;
      if (caller < 0 || isLoop) break;
      at = caller;
    }
    const root = this.root[at] === OPEN ? at : this.root[at];
    for (const each of path) this.root[each] = root;
  }

  /** Whether any request has a caller. */
  get hasAny() {
    return this.#callees.length > 0;
  }

  /** Whether the trace has more than its first request. @param {number} root */
  hasHops(root) {
    return this.#firstCallee[root] < this.#firstCallee[root + 1] || this.callingOut.has(root);
  }

  /** The requests that a request called, by their start. @param {number} r */
  callees(r) {
    return Array.from(this.#callees.subarray(this.#firstCallee[r], this.#firstCallee[r + 1]));
  }

  /** A request and all below it, each after its caller. @param {number} r */
  below(r) {
    /** @type {{request: number, depth: number}[]} */
    const found = [];
    const todo = [{ request: r, depth: 0 }];
    for (let each = todo.pop(); each; each = todo.pop()) {
      found.push(each);
      const callees = this.callees(each.request);
      for (let i = callees.length - 1; i >= 0; i--) {
        todo.push({ request: callees[i], depth: each.depth + 1 });
      }
    }
    return found;
  }

  /**
   * Whether *r* is *top*, or was called by it or below it.
   * @param {number} r @param {number} top
   */
  isBelow(r, top) {
    if (this.root[r] !== this.root[top]) return false;
    let at = r;
    while (at >= 0 && at !== top) at = this.caller[at];
    return at === top;
  }
}
