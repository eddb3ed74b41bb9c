// The kinds of requests: the MCP call, or method and path with `*` in place of ids and numbers.

const VARIABLE = /^(?:\d+|(?=.*\d)[0-9a-f]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
const RPC_NUMBER = / #\S+$/;
const MOST_KNOWN = 20_000;

/** @type {Map<string, string>} */
const knownRoutes = new Map();

/** The path without its query, and with `*` for each part that is an id. @param {string} path */
function routeOf(path) {
  let route = knownRoutes.get(path);
  if (route === undefined) {
    const [bare] = path.split("?", 1);
    route = bare
      .split("/")
      .map((part) => (VARIABLE.test(part) ? "*" : part))
      .join("/");
    if (knownRoutes.size >= MOST_KNOWN) knownRoutes.clear();
    knownRoutes.set(path, route);
  }
  return route;
}

/** The MCP call, else method and route, else nothing. @param {import("./data.js").Trace} trace @param {number} r */
export function kindOfRequest(trace, r) {
  const { call, method, path } = trace.requests;
  if (call[r]) return call[r].replace(RPC_NUMBER, "");
  const route = path[r] ? routeOf(path[r]) : "";
  return [method[r], route].filter(Boolean).join(" ");
}
