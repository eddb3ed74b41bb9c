// Joins the parts of the page: the selection, the search, the keys, and the address that holds all
// of it. Each part draws itself.

import { Clock, count, counted, duration, fill, make, plain, show } from "./text.js";
import { VERSION } from "./contract.js";
import { NOBODY, NOT_READ, Trace, readChunks, readHead } from "./data.js";
import { CopyMenu } from "./menu.js";
import { ticket } from "./copying.js";
import { moreContext } from "./context.js";
import { whyNoLines, whyNoRequests } from "./empty.js";
import { ErrorPanel, HANDFUL, limitOf } from "./errors.js";
import { Look } from "./look.js";
import { parse, search } from "./query.js";
import { Timeline } from "./timeline.js";
import { Services } from "./services.js";
import { ServiceFilter } from "./filter.js";
import { Ids, copyClicked, idElement } from "./ids.js";
import { selfTime } from "./waterfall.js";
import { RequestTree } from "./requests.js";
import { Lines } from "./lines.js";
import { readView, writeView } from "./address.js";
import { follow, isCopy, isFollowed } from "./live.js";

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const clock = new Clock();
const trace = new Trace(await headOfPage());
const { requests } = trace;
const queryBox = /** @type {HTMLInputElement} */ (part("query"));
const help = /** @type {HTMLDialogElement} */ (part("help"));

const look = new Look();
let query = parse("");
let isFollowing = false;
let isLive = false;

const services = new Services(trace.services, trace.usedServices);
const ids = new Ids(trace);
const lines = new Lines(part("grid"), trace, look, clock, services, ids, { chooseLine, scrolled });
const tree = new RequestTree(part("tree"), trace, look, clock, services, ids, {
  chooseRequest(r) {
    showPane("lines");
    choose({ request: r });
  },
  chooseSession: (s) => choose({ session: s === look.session && look.request < 0 ? NOBODY : s }),
});
const timeline = new Timeline(part("timeline"), trace, look, clock, services, {
  chooseRequest: (r) => choose({ request: r }),
  chooseLine,
  chooseSession: (s) => choose({ session: s }),
  searchFor(more) {
    queryBox.value = [queryBox.value.trim(), more].filter(Boolean).join(" ");
    void runSearch();
  },
  zoomed: () => keepAddress(),
});
const serviceFilter = new ServiceFilter(part("services"), services, queryBox, () => {
  void runSearch();
});

const errors = new ErrorPanel(part("errors"), trace, look, clock, (key) => chooseGroup(key));

async function headOfPage() {
  const head = await readHead(document);
  if (head.version !== VERSION) await refuse(head.version);
  return head;
}

/** Show a sentence in place of data of another version. @param {number} version */
function refuse(version) {
  const sentence =
    `This page reads data of version ${VERSION}, but its data has version ${plain(version)}. ` +
    "Write the page again with the command asgi-trace view.";
  part("counts").textContent = "Nothing to show";
  part("notes").hidden = false;
  part("notes").replaceChildren(make("p", "", sentence));
  document.documentElement.dataset.state = "refused";
  // A promise that is never fulfilled: nothing after the call is run.
  return new Promise(() => {});
}

// -- choosing ------------------------------------------------------------------------------------

/**
 * Choose a request, a session or a line; those that are left out are not chosen any more.
 * @param {{request?: number, session?: number, line?: number}} chosen
 * @param {{isStep?: boolean, isShown?: boolean}} [how] `isStep`: the browser's history gets a step;
 *   `isShown`: the chosen one is brought into sight
 */
function choose(
  { request = -1, session = NOBODY, line = -1 },
  { isStep = true, isShown = true } = {},
) {
  const isSame = request === look.request && session === look.session && line === look.line;
  Object.assign(look, { request, session, line });
  if (request < 0 && session < 0) lines.only = false;
  if (line < 0) look.around = 0;
  isFollowing = false;
  timeline.openChosen();
  if (isShown && request >= 0) timeline.reveal(request);
  drawAll();
  if (isShown) {
    const first = line >= 0 ? line : request >= 0 ? requests.first_line[request] : -1;
    if (request >= 0) tree.reveal(request);
    if (first >= 0 && first < trace.count) lines.reveal(first, line >= 0 ? "nearest" : "center");
  }
  if (!isSame) keepAddress(isStep);
}

/** Limit everything to a group of errors, or to none. @param {string | null} key */
function chooseGroup(key) {
  look.group = key;
  choose({}, { isStep: false, isShown: false });
  errors.draw();
  void runSearch();
  keepAddress(true);
}

/** @param {number} line */
function chooseLine(line) {
  choose({ line, request: trace.request[line] >= 0 ? trace.request[line] : -1 });
}

/** @param {number} by */
function step(by) {
  const order = timelineOrder();
  if (order.length === 0) return;
  const now = order.indexOf(look.request);
  const next = now < 0 ? (by > 0 ? 0 : order.length - 1) : now + by;
  if (order[next] !== undefined) choose({ request: order[next] });
}

/** Requests by their start, as far as the search shows them. */
function timelineOrder() {
  const { start } = requests;
  const order = [];
  for (let r = 0; r < trace.size; r++) if (!look.found || look.found.requestHit[r]) order.push(r);
  return order.sort((one, other) => start[one] - start[other] || one - other);
}

/**
 * The errors by their time, as far as the search shows them: failed requests, or where there are
 * none, lines of no request.
 * @returns {{at: number, request: number, line: number}[]} the line is -1 for a request
 */
function errorsInOrder() {
  const failed = timelineOrder().filter((r) => trace.isError(r));
  if (failed.length > 0)
    return failed.map((r) => ({ at: requests.start[r], request: r, line: -1 }));
  return trace.errorLines.lines
    .filter((line) => trace.request[line] < 0 && (!look.found || look.found.isHit[line]))
    .map((line) => ({ at: trace.time[line], request: -1, line }));
}

/** @param {number} by */
function stepError(by) {
  const errors = errorsInOrder();
  if (errors.length === 0) return;
  const { request: r, line } = look;
  const isChosen = r >= 0 || line >= 0;
  const at = r >= 0 ? requests.start[r] : trace.time[line];
  let next = errors.findIndex((each) => each.request === r && (r >= 0 || each.line === line));
  if (next >= 0) next += by;
  else {
    const behind = isChosen ? errors.findIndex((each) => each.at >= at) : 0;
    next = by > 0 ? behind : (behind < 0 ? errors.length : behind) - 1;
    if (!isChosen && by < 0) next = errors.length - 1;
  }
  const error = errors[(next + errors.length) % errors.length];
  if (error.request >= 0) chooseError(error.request);
  else chooseLine(error.line);
}

// Choose the line with the error of a failed request.
/** @param {number} r @param {{isStep?: boolean}} [how] */
function chooseError(r, how) {
  choose({ request: r, line: errorLine(r) }, how);
}

/** The worst error among the lines of a request, or -1. @param {number} r */
function errorLine(r) {
  let worst = -1;
  for (let line = trace.firstLine[r]; line >= 0; line = trace.next[line]) {
    if (trace.level[line] > 3 && (worst < 0 || trace.level[line] > trace.level[worst]))
      worst = line;
  }
  return worst;
}

function toggleOnly() {
  if (!look.hasChoice) return;
  lines.only = !lines.only;
  drawAll();
  if (look.line >= 0) lines.reveal(look.line, "center");
  keepAddress();
}

/** Show the lines of the same log around the chosen one; again for more, and in the end for none. */
function widenContext() {
  if (look.line < 0) return;
  look.around = moreContext(look.around);
  drawAll();
  lines.reveal(look.line, "center");
  keepAddress();
}

/** Unfold or fold the chosen line, else the active one. */
function toggleLine() {
  if (lines.count === 0) return;
  lines.toggle(look.line >= 0 ? look.line : lines.lineAt(lines.list.active));
}

// -- drawing -------------------------------------------------------------------------------------

function drawAll() {
  lines.patterns = query.marks;
  lines.rearrange();
  tree.refresh();
  timeline.draw();
  drawChosen();
  drawReading();
  drawNothing();
}

/** Say why a list is empty. */
function drawNothing() {
  const group = errors.chosen?.title ?? null;
  const state = {
    query: queryBox.value.trim(),
    group,
    isLive,
    isSearching: isIncomplete(look.found),
  };
  const noRequests = tree.isEmpty ? whyNoRequests(trace, state) : "";
  part("nothing").hidden = lines.count > 0;
  part("nothing").textContent = lines.count > 0 ? "" : whyNoLines(trace, state);
  part("no-requests").hidden = noRequests === "";
  part("no-requests").textContent = noRequests;
}

function drawReading() {
  timeline.reading = lines.reading;
  timeline.draw();
}

/** @param {boolean} byReader */
function scrolled(byReader) {
  if (byReader && isLive) {
    isFollowing = lines.list.isAtEnd && look.request < 0 && look.line < 0;
    drawLive();
  }
  drawReading();
}

function drawCounts() {
  const parts = [
    counted(trace.count, "line"),
    counted(trace.size, "request"),
    counted(trace.sessions.length, "session"),
  ];
  if (trace.unknown) parts.push(`${count(trace.unknown)} of no request`);
  if (trace.linked < trace.count)
    parts.push(`reading ${Math.floor((trace.linked / trace.count) * 100)} %`);
  part("counts").textContent = parts.join(" · ");
  part("counts").title = plain(trace.head.summary);
  const errors = part("error-count");
  const isError = trace.errors > 0 || trace.errorLines.lines.length > 0;
  const none = isError ? "no failed request" : "no errors";
  errors.textContent = trace.errors ? counted(trace.errors, "error") : none;
  errors.classList.toggle("some", trace.errors > 0);
  for (const id of ["previous-error", "next-error"])
    /** @type {HTMLButtonElement} */ (part(id)).disabled = !isError;
}

function drawNotes() {
  const notes = [...trace.head.notes, ...trace.head.left_out];
  if (trace.head.whole_seconds)
    notes.push("Times are exact to the second: lines of one second are shown in their order.");
  if (isCopy(document))
    notes.push(
      "This is a saved copy of a live page: lines that came after the page was loaded are missing. " +
        "asgi-trace view without --follow writes a page with all lines.",
    );
  part("notes").hidden = notes.length === 0;
  fill(
    part("notes"),
    notes.map((note) => make("p", "", plain(note))),
  );
}

function drawChosen() {
  const { request: r, session: s } = look;
  if (r < 0 && s < 0) {
    fill(part("chosen"), [make("span", "", "Choose a request to see its lines.")]);
    return;
  }
  const own = r >= 0 ? requests.session[r] : s;
  const chip = make("span", "chip", trace.label(own));
  const holder = make("span", own >= 0 ? `s${own % 8}` : "nobody");
  holder.append(chip);
  const facts = make("span", "facts");
  facts.append(holder);
  if (r >= 0) facts.append(...requestFacts(r));
  if (own >= 0) facts.append(named("session", ids.session(own), r < 0));
  const actions = make("span", "actions");
  const onlyButton = button("only these lines", "Hide the lines of others (o)", toggleOnly);
  onlyButton.setAttribute("aria-pressed", String(lines.only));
  actions.append(onlyButton);
  if (look.line >= 0 && lines.isLimited) actions.append(contextButton());
  if (r >= 0) actions.append(button("zoom", "Fill the time axis with it (z)", zoomToChosen));
  actions.append(button("×", "Clear the choice (Esc)", () => choose({}), "Clear the choice"));
  fill(part("chosen"), [facts, actions]);
}

function zoomToChosen() {
  if (look.request >= 0) timeline.zoomTo(look.request);
}

/** The facts about a request, in the order of interest. @param {number} r */
function requestFacts(r) {
  const { status, start, id, call, outcome, late, lines: size } = requests;
  const firstByte = trace.firstByte(r);
  const facts = [];
  if (requests.service[r] >= 0) facts.push(services.label(requests.service[r]));
  facts.push(make("strong", "", trace.title(r)));
  if (call[r]) facts.push(make("span", "", trace.carrier(r)));
  const state = [status[r], outcome[r]]
    .filter((each) => each !== null && each !== undefined)
    .map(plain)
    .join(" ");
  if (state) facts.push(make("span", trace.isFailure(r) ? "failed" : "", state));
  facts.push(make("span", "", trace.took(r)));
  const row = timeline.scale.opened?.rowOf(r);
  if (row && row.waits.length > 0 && trace.isMeasured(r)) {
    const self = selfTime(row);
    facts.push(make("span", "", `self ${duration(self)}`));
    facts.push(make("span", "", `waiting ${duration(row.duration - self)}`));
  }
  if (firstByte !== null)
    facts.push(make("span", "", `first byte after ${duration(firstByte - start[r])}`));
  facts.push(make("span", "", counted(size[r], "line")));
  if (late[r]) facts.push(make("span", "", `${count(late[r])} late`));
  facts.push(named("request", ids.request(r)));
  const traceId = requests.trace[r];
  if (traceId && traceId !== id[r]) facts.push(named("trace", idElement(traceId)));
  return facts;
}

/** An id with its name. @param {string} name @param {HTMLElement} id @param {boolean} [isTitle] */
function named(name, id, isTitle = false) {
  const element = make(isTitle ? "strong" : "code", "named");
  element.append(`${name} `, id);
  return element;
}

/** Shows more lines of the log around the chosen one. */
function contextButton() {
  const { around } = look;
  const title = `Lines of ${plain(trace.file(look.line))} around the chosen one (a); again for more`;
  const element = button(around > 0 ? `± ${around} lines` : "context", title, widenContext);
  element.setAttribute("aria-pressed", String(around > 0));
  return element;
}

/** @param {string} text @param {string} title @param {() => void} act @param {string} [name] */
function button(text, title, act, name) {
  const element = /** @type {HTMLButtonElement} */ (make("button", "", text));
  element.type = "button";
  element.title = title;
  if (name) element.setAttribute("aria-label", name);
  element.addEventListener("click", act);
  return element;
}

// -- searching -----------------------------------------------------------------------------------

let searches = 0;
// The name of the performance mark of a search, for tests and measurements of the page.
const SEARCHED = "searched";

/** If there are many errors, none is chosen: the lines begin at the first of the largest group. */
function showErrors() {
  drawAll();
  const [largest] = errors.groups;
  if (largest) lines.reveal(largest.firstLine, "center");
}

/** @param {boolean} [isFirst] whether the reader has searched, rather than the log grown */
async function runSearch(isFirst = true) {
  const mine = ++searches;
  query = parse(queryBox.value);
  serviceFilter.draw();
  const answer = part("answer");
  queryBox.setAttribute("aria-invalid", String(query.errors.length > 0));
  answer.classList.toggle("wrong", query.errors.length > 0);
  if (query.errors.length > 0) {
    answer.setAttribute("aria-busy", "false");
    answer.textContent = query.errors.join("; ");
    return;
  }
  const group = errors.chosen;
  const limit = group && limitOf(group, trace.size);
  const isCurrent = () => mine === searches;
  const isAll = query.isEmpty && !limit;
  const found = isAll ? null : await search(query, trace, isCurrent, limit, showFound);
  if (mine !== searches) return;
  showFound(found);
  performance.clearMarks(SEARCHED);
  performance.mark(SEARCHED, { detail: { searched: found?.searched, asked: found?.asked } });
  if (isFirst && found && look.line < 0 && look.request < 0 && found.lines.length > 0)
    lines.reveal(found.lines[0]);
  keepAddress();
}

/** Show only the lines that were found; the search may still go on. @param {import("./query.js").Found | null} found */
function showFound(found) {
  look.found = found;
  tree.rearrange();
  drawAll();
  part("dim").hidden = found === null;
  const isPart = isIncomplete(found);
  part("answer").classList.toggle("noted", found !== null && found.notes.length > 0);
  part("answer").setAttribute("aria-busy", String(isPart));
  part("answer").textContent = found ? answerOf(found, isPart) : "";
}

/** Whether some of the lines are not searched yet. @param {import("./query.js").Found | null} found */
function isIncomplete(found) {
  return found !== null && found.searched < trace.linked;
}

/** @param {import("./query.js").Found} found @param {boolean} isPart */
function answerOf({ lines, requests, searched, notes }, isPart) {
  const counts = `${counted(lines.length, "line")}, ${counted(requests, "request")}`;
  const soFar = isPart ? ` so far (${Math.floor((100 * searched) / trace.linked)} %)` : "";
  return [counts + soFar, ...notes].join("; ");
}

/** @param {number} by */
function stepFound(by) {
  const found = look.found?.lines;
  if (!found || found.length === 0) return;
  let next = found.findIndex((line) => line >= look.line);
  if (next < 0) next = by > 0 ? 0 : found.length - 1;
  else if (look.line >= 0 && (by < 0 || found[next] === look.line)) next += by;
  chooseLine(found[(next + found.length) % found.length]);
}

// -- the address ---------------------------------------------------------------------------------

let isReadingAddress = false;

/** The part of the address that holds the view. */
function viewHash() {
  return writeView({
    request: look.request >= 0 ? requests.id[look.request] : null,
    nth: look.request >= 0 ? trace.nth(look.request) : 1,
    session: look.session >= 0 ? trace.sessions[look.session] : null,
    line: look.line >= 0 ? look.line : null,
    query: queryBox.value.trim(),
    group: look.group,
    only: lines.only,
    dim: look.isDimming,
    around: look.around,
    from: timeline.scale.isWhole ? null : timeline.scale.from,
    to: timeline.scale.isWhole ? null : timeline.scale.to,
  });
}

/** A link to exactly this view, which may be newer than the address. */
function viewLink() {
  return location.href.split("#", 1)[0] + viewHash();
}

/** @param {boolean} [isStep] */
function keepAddress(isStep = false) {
  if (isReadingAddress) return;
  const hash = viewHash();
  if (hash === location.hash) return;
  const address = hash || location.pathname + location.search;
  if (isStep) history.pushState(null, "", address);
  else keepSoon(address);
}

// Browsers refuse many changes of the address in a short time: only the end of a long drag is kept.
let keeping = 0;

/** @param {string} address */
function keepSoon(address) {
  clearTimeout(keeping);
  const before = location.href;
  keeping = setTimeout(() => {
    if (location.href === before) history.replaceState(null, "", address);
  }, 150);
}

async function openAddress() {
  clearTimeout(keeping);
  const view = readView(location.hash);
  isReadingAddress = true;
  queryBox.value = view.query;
  look.group = view.group;
  errors.draw();
  look.isDimming = view.dim;
  lines.only = view.only;
  look.around = view.around;
  part("dim").setAttribute("aria-pressed", String(look.isDimming));
  if (view.from !== null && view.to !== null) timeline.show(view.from, view.to);
  else timeline.fit();
  const line = view.line !== null && view.line < trace.count ? view.line : -1;
  const named = view.request === null ? -1 : trace.requestOf(view.request, view.nth);
  // Several requests may have one id: the line shows which one is meant.
  const ofLine = line >= 0 && trace.request[line] >= 0 ? trace.request[line] : -1;
  const isByLine = named >= 0 && view.nth === 1;
  const request = isByLine && ofLine >= 0 && requests.id[ofLine] === view.request ? ofLine : named;
  choose(
    {
      request,
      session: view.session === null ? NOBODY : trace.sessions.indexOf(view.session),
      line,
    },
    { isShown: true },
  );
  if (view.from !== null && view.to !== null) timeline.show(view.from, view.to);
  await runSearch(false);
  if (line >= 0) lines.reveal(line, "center");
  isReadingAddress = false;
}

addEventListener("popstate", () => void openAddress());
addEventListener("hashchange", () => void openAddress());

// -- keys and buttons ----------------------------------------------------------------------------

/** @param {string | null | undefined} text */
const orNull = (text) => text || null;

/** The session that is chosen, or that of the chosen request. */
function chosenSession() {
  return look.request >= 0 ? requests.session[look.request] : look.session;
}

const copyMenu = new CopyMenu(part("copy"), part("copy-menu"), part("said"), [
  {
    key: "l",
    name: "the line",
    said: "the line",
    text: () => (look.line >= 0 ? trace.text(look.line) : null),
  },
  {
    key: "r",
    name: "request id",
    said: "the request id",
    text: () => orNull(requests.id[look.request]),
  },
  {
    key: "s",
    name: "session id",
    said: "the session id",
    text: () => orNull(trace.sessions[chosenSession()]),
  },
  {
    key: "t",
    name: "trace id",
    said: "the trace id",
    text: () => orNull(requests.trace[look.request]),
  },
  {
    key: "m",
    name: "the request as Markdown",
    said: "the request as Markdown",
    text: () =>
      look.request >= 0 ? ticket(trace, look.request, { link: viewLink(), clock }) : null,
  },
  { key: "v", name: "link to this view", said: "the link to this view", text: viewLink },
]);

/** @param {string} id @param {() => boolean} turn */
function toggle(id, turn) {
  const act = () => part(id).setAttribute("aria-pressed", String(turn()));
  part(id).setAttribute("aria-pressed", "false");
  part(id).addEventListener("click", act);
  return act;
}

toggle("dim", () => {
  look.isDimming = !look.isDimming;
  tree.rearrange();
  drawAll();
  keepAddress();
  return look.isDimming;
});
const toggleRaw = toggle("raw", () => {
  lines.raw = !lines.raw;
  lines.refresh();
  return lines.raw;
});
const toggleUtc = toggle("utc", () => {
  clock.utc = !clock.utc;
  lines.refresh();
  tree.refresh();
  errors.draw();
  timeline.draw();
  return clock.utc;
});

function isDark() {
  return (
    getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches)
  );
}

function toggleTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  timeline.readColors();
}

document.addEventListener(
  "click",
  (event) => void copyClicked(event, (said) => copyMenu.say(said)),
);
part("theme").addEventListener("click", toggleTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.readColors());
// On paper, the page is light where the reader has chosen no theme; the canvas keeps what was painted.
let isLitForPrint = false;
addEventListener("beforeprint", () => {
  isLitForPrint = !document.documentElement.dataset.theme && isDark();
  if (isLitForPrint) toggleTheme();
});
addEventListener("afterprint", () => {
  if (!isLitForPrint) return;
  delete document.documentElement.dataset.theme;
  timeline.readColors();
});
part("previous-error").addEventListener("click", () => stepError(-1));
part("next-error").addEventListener("click", () => stepError(1));
part("help-button").addEventListener("click", () => help.showModal());
queryBox.addEventListener("input", () => void runSearch());
part("search").addEventListener("submit", (event) => {
  event.preventDefault();
  stepFound(1);
});
for (const pane of /** @type {NodeListOf<HTMLElement>} */ (
  document.querySelectorAll("#panes button")
)) {
  pane.addEventListener("click", () => showPane(pane.dataset.pane ?? "lines"));
}

/** @param {string} name */
function showPane(name) {
  document.body.dataset.pane = name;
  for (const pane of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("#panes button")
  )) {
    pane.setAttribute("aria-pressed", String(pane.dataset.pane === name));
  }
  drawAll();
}

function letGo() {
  if (look.hasChoice || look.line >= 0) choose({});
  else if (look.group !== null) chooseGroup(null);
  else if (queryBox.value) {
    queryBox.value = "";
    void runSearch();
  }
}

/** @type {Record<string, () => void>} */
const KEYS = {
  n: () => step(1),
  j: () => step(1),
  p: () => step(-1),
  k: () => step(-1),
  e: () => stepError(1),
  E: () => stepError(-1),
  b: () => history.back(),
  Backspace: () => history.back(),
  o: toggleOnly,
  x: () => look.line >= 0 && lines.toggle(look.line),
  a: widenContext,
  c: () => copyMenu.open(),
  " ": toggleLine,
  z: zoomToChosen,
  0: () => {
    timeline.fit();
    keepAddress();
  },
  "+": () => timeline.zoom(0.6),
  "=": () => timeline.zoom(0.6),
  "-": () => timeline.zoom(1 / 0.6),
  ArrowLeft: () => timeline.pan(-0.15),
  ArrowRight: () => timeline.pan(0.15),
  r: toggleRaw,
  u: toggleUtc,
  t: toggleTheme,
  f: () => setFollowing(true),
  "/": () => queryBox.select(),
  "?": () => help.showModal(),
  Escape: letGo,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help.open) return;
  const target = /** @type {Element} */ (event.target);
  if (target === queryBox) {
    if (event.key === "Escape") {
      if (queryBox.value) {
        queryBox.value = "";
        void runSearch();
      } else part("grid").focus();
      event.preventDefault();
    } else if (event.key === "ArrowDown") {
      part("grid").focus();
      event.preventDefault();
    }
    return;
  }
  const act = KEYS[event.key];
  if (!act || (event.key === " " && target.closest("button, input"))) return;
  event.preventDefault();
  act();
});

// -- live ----------------------------------------------------------------------------------------

/** @param {boolean} is */
function setFollowing(is) {
  if (!isLive) return;
  isFollowing = is;
  if (is) {
    choose({}, { isShown: false });
    isFollowing = true;
    lines.reveal(trace.count - 1, "end");
  }
  drawLive();
}

let connection = "open";

function drawLive() {
  part("live").hidden = !isLive;
  part("live").classList.toggle("lost", connection === "lost");
  part("live").textContent =
    connection === "lost" ? "connection lost" : isFollowing ? "live" : "live, paused (f follows)";
}

let isAppendDue = false;

/** @param {import("./contract.js").News} news */
function append(news) {
  const wasWhole = timeline.scale.isWhole;
  trace.append(news);
  if (isAppendDue) return;
  isAppendDue = true;
  // The page is drawn once per frame, also if lines come faster.
  requestAnimationFrame(() => {
    isAppendDue = false;
    timeline.rearrange();
    if (wasWhole) timeline.fit();
    tree.rearrange();
    serviceFilter.draw();
    errors.rearrange();
    if (query.isEmpty && look.group === null) drawAll();
    else void runSearch(false);
    drawCounts();
    drawNotes();
    if (isFollowing && lines.count > 0) lines.reveal(lines.lineAt(lines.count - 1), "end");
  });
}

// -- begin ---------------------------------------------------------------------------------------

// A browser saves a page with what is drawn in it: of that, nothing may be left.
part("answer").textContent = "";
part("dim").hidden = true;
drawCounts();
drawNotes();
serviceFilter.draw();
isLive = isFollowed(document);
isFollowing = isLive && !location.hash;
drawLive();
errors.rearrange();
const firstError = location.hash || isLive ? -1 : trace.firstError();
const isIncident = trace.errors > HANDFUL;
if (location.hash) await openAddress();
else if (firstError >= 0 && !isIncident) {
  timeline.open(firstError);
  choose({ request: firstError }, { isStep: false });
} else drawAll();
document.documentElement.dataset.state = "shown";

const wanted =
  look.line >= 0 ? look.line : look.request >= 0 ? requests.first_line[look.request] : 0;
let drawnAt = performance.now();
// Lines may begin before the first request, and end after the last.
const isFitted = timeline.scale.isWhole;
await readChunks(document, trace, Math.floor(Math.max(0, wanted) / trace.head.chunk_lines), () => {
  // The visible parts are drawn at once, the others less often.
  const [first, end] = lines.list.shown;
  const isSeen =
    lines.count > 0 &&
    [first, Math.max(first, end - 1)].some((at) => trace.request[lines.lineAt(at)] !== NOT_READ);
  if (!isSeen && performance.now() - drawnAt < 250) return;
  drawnAt = performance.now();
  drawCounts();
  errors.rearrange();
  lines.refresh();
  drawReading();
});
drawCounts();
serviceFilter.draw();
errors.rearrange();
if (isFitted) timeline.fit();
else timeline.showAgain();
if (!query.isEmpty || look.group !== null) await runSearch(false);
if (firstError >= 0 && isIncident) showErrors();
else if (firstError >= 0 && look.request === firstError && look.line < 0)
  chooseError(firstError, { isStep: false });
else drawAll();
if (isLive) {
  follow(document, append, (state) => {
    connection = state;
    drawLive();
  });
  if (isFollowing && lines.count > 0) lines.reveal(trace.count - 1, "end");
}
document.documentElement.dataset.state = "ready";
