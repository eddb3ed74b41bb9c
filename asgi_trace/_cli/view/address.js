// The state of the page in its address, behind `#`, so that a link shows the same to a colleague.

/**
 * @typedef {{request: string | null, nth: number, session: string | null, line: number | null, query: string,
 *   group: string | null, only: boolean, dim: boolean, around: number, from: number | null, to: number | null}} View
 */

// `nth`: the place of the request among those with the same id, other services included.
const MOST_AROUND = 10_000;

/** @param {string} hash @returns {View} */
export function readView(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const [from, to] = (fields.get("zoom") ?? "")
    .split("~")
    .map((text) => (text ? Number(text) : NaN));
  const isRange = Number.isFinite(from) && Number.isFinite(to) && from < to;
  const line = Number(fields.get("line") ?? NaN);
  return {
    request: fields.get("request"),
    nth: Math.max(1, parseInt(fields.get("nth") ?? "", 10) || 1),
    session: fields.get("session"),
    line: Number.isInteger(line) && line > 0 ? line - 1 : null,
    query: fields.get("q") ?? "",
    group: fields.get("errors"),
    only: fields.get("only") === "1",
    dim: fields.get("dim") === "1",
    around: Math.min(Math.max(0, parseInt(fields.get("around") ?? "", 10) || 0), MOST_AROUND),
    from: isRange ? from : null,
    to: isRange ? to : null,
  };
}

/** @param {View} view */
export function writeView(view) {
  const fields = new URLSearchParams();
  if (view.query) fields.set("q", view.query);
  if (view.group !== null) fields.set("errors", view.group);
  if (view.session !== null) fields.set("session", view.session);
  if (view.request !== null) fields.set("request", view.request);
  if (view.request !== null && view.nth > 1) fields.set("nth", String(view.nth));
  if (view.line !== null) fields.set("line", String(view.line + 1));
  if (view.only) fields.set("only", "1");
  if (view.around > 0) fields.set("around", String(view.around));
  if (view.dim) fields.set("dim", "1");
  if (view.from !== null && view.to !== null)
    fields.set("zoom", `${view.from.toFixed(1)}~${view.to.toFixed(1)}`);
  const text = fields.toString();
  return text ? `#${text}` : "";
}
