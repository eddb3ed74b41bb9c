// Receives the server's news while a log is followed, and passes them on.

const MARK = 'meta[name="asgi-trace-live"]';

/** @param {Document} page */
export function isFollowed(page) {
  return page.querySelector(MARK) !== null;
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
