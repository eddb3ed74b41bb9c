"""
The cost of the page in a browser: ``python -m benchmarks.page``, and ``--lines`` for another size.

The records of ``benchmarks.view`` are written as logs of three services, each request in all of
them. The real command makes their page, for a headless Chromium without a graphics card. The time
of a filter ends when its count has been painted: the fastest of a few runs counts, and beside it
the work of the page's thread, which other processes of the machine do not affect. A long search
first answers for a part of the lines, and says so: that answer has the goal, and the time of the
whole answer is printed too. The time of a frame is measured while the lines are scrolled by the
wheel or the bar, or the time axis is zoomed.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from asgi_trace import TextFormatter, bound_request_metadata

from .view import LINES, LINES_PER_REQUEST, records

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--js-flags=--expose-gc",
    "--enable-precise-memory-info",
]
_PATIENCE = 300_000  # ms
_TIMES = 5
_TURNS = 120

_FILTERS = (
    "payment",
    "in no line at all",
    "item 4711",
    "/customer = \\d*77\\b/",
    "status:>=500",
    "session:0000001 dur:>1s",
    "level:error",
    "e",
    "service:pay profile OR warehouse",
    "/(a|b) \\d/",
    "/[A-Z]{4,}/",
    "/\\d{3} \\w+/",
    "/\\b5\\d\\d\\b/",
    "/\\d+ .* \\d+/",
)
_SERVICES = ("front", "stock", "pay")

# The time to the first answer, and to the whole one.
_SEARCH = """async (query) => {
    const box = document.getElementById("query");
    const answer = document.getElementById("answer");
    const start = performance.now();
    const painted = async () => {
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        return performance.now() - start;
    };
    const times = [];
    const answered = new Promise((done) => {
        const observer = new MutationObserver(() => {
            times.push(painted());
            if (answer.ariaBusy === "true") return;
            observer.disconnect();
            done();
        });
        observer.observe(answer, {childList: true, characterData: true, subtree: true});
    });
    box.value = query;
    box.dispatchEvent(new Event("input"));
    await answered;
    return [await times[0], await times.at(-1)];
}"""

_FRAMES = """async ([act, turns]) => {
    const grid = document.getElementById("grid");
    const axis = document.getElementById("timeline");
    const box = axis.getBoundingClientRect();
    const acts = {
        wheel: () => grid.scrollBy(0, 120),
        bar: (turn) => (grid.scrollTop = ((turn * 37) % 100) / 100 * grid.scrollHeight),
        zoom: (turn) => axis.dispatchEvent(new WheelEvent("wheel", {
            deltaY: turn % 60 < 30 ? -100 : 100, ctrlKey: true, cancelable: true,
            clientX: box.left + box.width / 2, clientY: box.top + box.height / 2,
        })),
    };
    const times = [];
    let last = performance.now();
    for (let turn = 0; turn < turns; turn++) {
        acts[act](turn);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        times.push(now - last);
        last = now;
    }
    times.sort((one, other) => one - other);
    return times[Math.floor(times.length * 0.95)];
}"""


class Figure(NamedTuple):
    """A measured value, in its unit, with its limit, and the part of it that was work."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    work: float | None = None

    @property
    def is_missed(self) -> bool:
        return self.goal is not None and self.value > self.goal


def measure(path: Path) -> list[Figure]:
    """Open the page at *path* in Chromium, and return the figures."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        try:
            tab = browser.new_page(viewport={"width": 1600, "height": 900})
            tab.set_default_timeout(_PATIENCE)
            # Not the first page of the browser: the browser's own start is not measured.
            tab.goto("about:blank")
            thread = tab.context.new_cdp_session(tab)
            thread.send("Performance.enable", {"timeDomain": "threadTicks"})
            tab.goto(path.as_uri(), wait_until="commit")
            return [
                *_opening(tab),
                *(figure for query in _FILTERS for figure in _filters(tab, thread, query)),
                *_frames(tab, thread),
            ]
        finally:
            browser.close()


def _opening(tab: Page) -> list[Figure]:
    state = "document.documentElement.dataset.state"
    shown = tab.wait_for_function(f"() => {state} && performance.now()").json_value()
    ready = tab.wait_for_function(f"() => {state} === 'ready' && performance.now()").json_value()
    paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    # Memory that the collector can free is no cost of the page.
    tab.evaluate("gc(), gc()")
    memory = tab.evaluate("performance.memory.usedJSHeapSize")
    return [
        Figure("first paint", paint / 1000, "s", 2),
        Figure("sessions, requests and bars shown", shown / 1000, "s", 2),
        Figure("all lines read", ready / 1000, "s"),
        Figure("memory of the script", memory / 1e6, "MB", 120),
    ]


def _filters(tab: Page, thread: CDPSession, query: str) -> list[Figure]:
    firsts, wholes, work = [], [], []
    for _ in range(_TIMES):
        before = _work(thread)
        first, whole = tab.evaluate(_SEARCH, query)
        firsts.append(first)
        wholes.append(whole)
        work.append(_work(thread) - before)
        tab.evaluate(_SEARCH, "")
    whole = Figure(f"filter {query}", min(wholes), "ms", 200, min(work))
    if min(firsts) == min(wholes):
        return [whole]
    first = Figure(f"filter {query}: first answer", min(firsts), "ms", 200)
    return [first, whole._replace(name=f"filter {query}: all lines", goal=None)]


def _work(thread: CDPSession) -> float:
    """Return the working time of the page's thread so far, in milliseconds."""
    metrics = thread.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration")) * 1000


def _frames(tab: Page, thread: CDPSession) -> list[Figure]:
    figures = []
    for act, name in {
        "wheel": "scrolling by the wheel",
        "bar": "dragging the scroll bar",
        "zoom": "zooming the time axis",
    }.items():
        before = _work(thread)
        slowest = tab.evaluate(_FRAMES, [act, _TURNS])
        figures.append(
            Figure(
                f"{name}: 95 of 100 frames", slowest, "ms", 34, (_work(thread) - before) / _TURNS
            )
        )
    return figures


def write_logs(folder: Path, lines: int) -> list[Path]:
    """Write a log for each service to *folder*, of *lines* in total, and return their paths."""
    formatter = TextFormatter()
    paths = [folder / f"{service}.log" for service in _SERVICES]
    written: dict[str | None, int] = {}
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(path.open("w", encoding="utf-8")) for path in paths]
        for metadata, record in records(lines):
            place = written[metadata.request_id] = written.get(metadata.request_id, -1) + 1
            # The first service has the first lines, and the access line at the end.
            service = place * len(_SERVICES) // LINES_PER_REQUEST
            is_access = place == LINES_PER_REQUEST - 1
            with bound_request_metadata(metadata):
                print(formatter.format(record), file=logs[0 if is_access else service])
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print each figure beside its goal, and return 1 where one is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description="Measure the page in a browser."
    )
    parser.add_argument(
        "--lines", type=int, default=LINES, help=f"of the log; {LINES} when left out"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "trace.html")
        logs = write_logs(Path(folder), options.lines)
        command = [sys.executable, "-m", "asgi_trace", "view", *map(str, logs), "-o", str(page)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        figures = measure(page)
    print(f"{f'{options.lines:,} lines':44}{'':>13}{'goal':>9}{'work':>11}")
    for name, value, unit, goal, work in figures:
        limit = "" if goal is None else f"{goal:,} {unit}"
        effort = "" if work is None else f"{work:,.1f} {unit}"
        print(f"{name:44}{value:>10,.1f} {unit:2}{limit:>9}{effort:>11}")
    return int(any(figure.is_missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
