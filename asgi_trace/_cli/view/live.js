// Receives what the server sends while a log is followed, and passes it on.

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
  // Another file stands where the log was: what is shown is of the old one.
  events.addEventListener("reset", () => page.location.reload());
}
