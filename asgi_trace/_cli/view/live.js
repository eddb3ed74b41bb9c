// Receives the server's news while a log is followed, and passes them on.

const MARK = 'meta[name="asgi-trace-live"]';

/** @param {Document} page */
export function isFollowed(page) {
  return page.querySelector(MARK) !== null && !isFile(page);
}

/** Whether it is the copy of a followed page, saved as a file: no news can reach it. @param {Document} page */
export function isCopy(page) {
  return page.querySelector(MARK) !== null && isFile(page);
}

/** @param {Document} page */
function isFile(page) {
  return page.location.protocol === "file:";
}

/**
 * @param {Document} page
 * @param {(news: import("./contract.js").News) => void} append
 * @param {(state: "open" | "lost") => void} tell
 */
export function follow(page, append, tell) {
  const events = new EventSource(page.querySelector(MARK)?.getAttribute("content") ?? "");
  events.addEventListener("open", () => tell("open"));
  events.addEventListener("error", () => tell("lost"));
  events.addEventListener("message", (event) => append(JSON.parse(event.data)));
  // The server has dropped the oldest lines, or was started again: the page is loaded again.
  events.addEventListener("reset", () => page.location.reload());
}
