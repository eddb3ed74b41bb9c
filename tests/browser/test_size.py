"""Many lines, requests and sessions: few elements, every line within reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ..viewer import stamped
from .conftest import PATIENCE, page_of

LINES = 400_000
PER_REQUEST = 10
SESSIONS = 300


def many() -> Iterator[str]:
    """Ten lines a request, ten requests at once; the one in the middle crashes."""
    for number in range(LINES):
        group, place = divmod(number, PER_REQUEST * 10)
        request = group * 10 + place % 10
        when = number * 2
        hour, minute = 10 + when // 3_600_000, when // 60_000 % 60
        clock = f"2024-01-15 {hour:02}:{minute:02}:{when // 1000 % 60:02}.{when % 1000:03}Z"
        level = "ERROR" if number == LINES // 2 else "INFO"
        yield f"{clock} - {level} - [req=r{request}|session=s{request % SESSIONS}] - line {number}\n"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of("".join(many()), tmp_path_factory.mktemp("big"))


@pytest.fixture
def tab(big: Path, open_page: Callable[..., Page]) -> Page:
    return open_page(big)


def shown(tab: Page) -> list[str]:
    """The lines within the list's box, from top to bottom."""
    return tab.evaluate(
        """() => {
            const box = document.getElementById("grid").getBoundingClientRect();
            return [...document.querySelectorAll("#grid .line")]
                .map((row) => [row.getBoundingClientRect(), row.querySelector(".text")?.textContent])
                .filter(([place]) => place.bottom > box.top + 1 && place.top < box.bottom - 1)
                .sort(([one], [other]) => one.top - other.top)
                .map(([, text]) => text);
        }"""
    )


def numbers(tab: Page) -> list[int]:
    return [int(text.split()[1]) for text in shown(tab)]


def test_it_opens_at_the_error_in_the_middle(tab: Page) -> None:
    """However far from the first line, and with all counted."""
    assert tab.locator("#counts").inner_text() == "400,000 lines · 40,000 requests · 300 sessions"
    assert tab.locator('#grid [aria-selected="true"] .text').inner_text() == f"line {LINES // 2}"


def test_only_what_is_in_sight_is_in_the_page(tab: Page) -> None:
    """Whatever the size of the log."""
    assert tab.evaluate("document.querySelectorAll('*').length") < 1500


# Bytes of the script's memory for each line; a twentieth is left for other browsers.
MOST_PER_LINE = 86


def test_the_memory_for_a_line_is_bounded(tab: Page) -> None:
    """After garbage collection: lines, requests and lists, without a filter."""
    thread = tab.context.new_cdp_session(tab)
    thread.send("HeapProfiler.collectGarbage")
    usage = thread.send("Runtime.getHeapUsage")
    per_line = (usage["usedSize"] + usage["backingStorageSize"]) / LINES
    assert per_line <= MOST_PER_LINE


def test_all_lines_are_within_reach(tab: Page) -> None:
    """More of them than a browser has pixels for: the ends, the middle, and one by one."""
    grid = tab.locator("#grid")
    grid.focus()
    tab.keyboard.press("End")
    assert numbers(tab)[-1] == LINES - 1
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Home")
    assert numbers(tab)[0] == 0
    grid.evaluate("(grid) => (grid.scrollTop = (grid.scrollHeight - grid.clientHeight) / 2)")
    texts = "[...document.querySelectorAll('#grid .text')].map((text) => text.textContent)"
    # The elements are in the order of the lines, and the first ones are above the list's box.
    tab.wait_for_function(f"() => {texts}.some((text) => /^line 2[0-9]{{5}}$/.test(text))")
    middle = numbers(tab)
    assert abs(middle[0] - LINES / 2) < 200
    assert middle == list(range(middle[0], middle[0] + len(middle)))
    grid.evaluate("(grid) => grid.scrollBy(0, 210)")
    tab.wait_for_function(f"() => {texts}.includes('line {middle[-1] + 9}')")
    assert numbers(tab)[0] == middle[0] + 10


# What each search finds, and how many lines it may read one by one: those of which one scan of all
# cannot tell. A line that is read alone takes ten times as long.
SEARCHES = {
    "line": ("400,000 lines, 40,000 requests", 0),
    f"line {LINES - 1}": ("1 line, 1 request", LINES // 100),
    "session:s7": ("14,740 lines, 1,474 requests", 0),
    "/line \\d*99$/": ("4,000 lines, 4,000 requests", 0),
    "in no line at all": ("0 lines, 0 requests", 0),
    "level:error": ("1 line, 1 request", 0),
    '"line 77" OR "line 78"': ("2,222 lines, 232 requests", 0),
    "/(e|n) \\d{6}$/": ("300,000 lines, 30,000 requests", 0),
    "/[7-9]{5,}/": ("972 lines, 324 requests", 0),
    "/\\b77\\d\\d\\b/": ("100 lines, 10 requests", 0),
    "/\\s\\d{2}$/": ("90 lines, 10 requests", LINES // 100),
    "/\\w+ \\d+7$/": ("39,999 lines, 4,000 requests", LINES // 100),
}


def test_a_search_finds_all_in_few_scans(tab: Page) -> None:
    """Words in every line, in one, fields, and patterns: counted, since times depend on the machine."""
    found, asked = {}, {}
    for query in SEARCHES:
        tab.fill("#query", query)
        whole = tab.locator("#answer:not([aria-busy=true])")
        expect(whole).not_to_have_text("")
        found[query] = whole.inner_text()
        asked[query] = tab.evaluate("performance.getEntriesByName('searched')[0].detail.asked")
        tab.fill("#query", "")
        expect(tab.locator("#answer")).to_have_text("")
    assert found == {query: words for query, (words, _) in SEARCHES.items()}
    assert {query: count for query, count in asked.items() if count > SEARCHES[query][1]} == {}


def test_a_long_search_shows_a_part_first(tab: Page) -> None:
    """It says so, and goes on without a reader's doing."""
    # Each line is asked, and takes its time.
    tab.fill("#query", "/^.*.*z$/")
    expect(tab.locator("#answer[aria-busy=true]")).to_have_text(
        re.compile(r"^[\d,]+ lines?, [\d,]+ requests? so far \(\d+ %\)$")
    )
    expect(tab.locator("#nothing")).to_have_text("Searching.")
    whole = tab.locator("#answer[aria-busy=false]")
    expect(whole).to_have_text("0 lines, 0 requests", timeout=PATIENCE)
    expect(tab.locator("#nothing")).to_contain_text("None of 400,000 lines")


def test_unfolded_lines_push_the_others_down(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    """Each by its own height, all of them, and nothing is lost or shown twice."""
    log = "".join(
        stamped(number / 10, f"line {number} {'w ' * 200}\n", f"r{number}")
        + "".join(f"  File {inner}\n" for inner in range(number % 4))
        for number in range(100)
    )
    tab = open_page(page_of(log, tmp_path))
    grid = tab.locator("#grid")
    grid.focus()
    tab.keyboard.press("Home")
    for _ in range(30):
        tab.keyboard.press("Space")
        tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Home")
    seen: list[int] = []
    for _ in range(40):
        places = tab.evaluate(
            """() => [...document.querySelectorAll("#grid .line")].map((row) => {
                const {top, bottom} = row.getBoundingClientRect();
                return [Number(row.dataset.position), Math.round(top), Math.round(bottom)];
            }).sort(([one], [other]) => one - other)"""
        )
        for (position, _, bottom), (behind, top, _) in pairwise(places):
            assert behind == position + 1
            assert abs(top - bottom) <= 1, (position, bottom, top)
        seen += [position for position, *_ in places if position not in seen]
        grid.evaluate("(grid) => grid.scrollBy(0, 300)")
        tab.wait_for_timeout(20)
    assert sorted(seen) == list(range(100))
