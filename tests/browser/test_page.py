"""The page, in the hands of a reader: what is shown, clicked, typed and linked."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from asgi_trace._cli.view import model
from asgi_trace._cli.view.contract import VERSION

from ..viewer import stamped
from .conftest import page_of

TRACEBACK = """Exception in ASGI application
Traceback (most recent call last):
  File "shop.py", line 40, in invoice
    return prices["bulb"]
KeyError: 'bulb'"""


def story() -> str:
    """
    Alice pays and asks for the status, Bob reads his profile meanwhile, and one request crashes.
    """
    alice, bob = "abc12345", "def67890"
    lines = [
        "2024-01-15 10:29:59.000Z - INFO - [req=none|session=none] - Started",
        stamped(0, "Processing payment", "req-001", alice),
        stamped(0.01, "Loading profile", "req-002", bob),
        stamped(0.2, "Profile retrieved", "req-002", bob),
        stamped(
            0.21, "GET /api/profile 200 210.0ms 3B http 127.0.0.1:1 ttfb=150.0ms", "req-002", bob
        ),
        stamped(0.9, "Gateway slow", "req-001", alice, "WARNING"),
        stamped(
            1.1,
            "POST /api/payment 200 1100.0ms 4B http 127.0.0.1:1 ttfb=1000.0ms",
            "req-001",
            alice,
        ),
        stamped(1.2, "Status check", "req-003", alice),
        stamped(1.21, "GET /api/status 200 20.0ms 7B http 127.0.0.1:1", "req-003", alice),
        stamped(1.3, "Making the invoice", "req-004", bob),
        stamped(
            1.35, "GET /api/invoice 500 60.0ms 0B http 127.0.0.1:1 outcome=crash", "req-004", bob
        ),
        *(
            stamped(1.36, line, "req-004", bob, "ERROR")
            if not number
            else stamped(1.36, line, "req-004", bob, "ERROR").replace("] - ", "] | ")
            for number, line in enumerate(TRACEBACK.split("\n"))
        ),
        stamped(1.9, "Mail sent, at last", "req-003", alice),
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return page_of(story(), tmp_path)


@pytest.fixture
def tab(shop: Path, open_page: Callable[..., Page]) -> Page:
    return open_page(shop)


def messages(tab: Page) -> list[str]:
    """The messages of the lines in sight, in order, as far as their first line."""
    return tab.evaluate(
        """() => [...document.querySelectorAll("#grid .line")]
            .sort((one, other) => one.dataset.position - other.dataset.position)
            .map((row) => row.querySelector(".message .text").textContent.split("\\n")[0])"""
    )


def chosen(tab: Page) -> str:
    return tab.locator("#chosen").inner_text()


def chosen_line(tab: Page) -> str:
    return tab.locator('#grid .line[aria-selected="true"] .message .text').inner_text()


def requests(tab: Page) -> list[str]:
    """The requests in the tree, in order."""
    return tab.locator("#tree .request .title").all_inner_texts()


def bar(tab: Page, title: str) -> tuple[float, float]:
    """
    A point on the bar of the request with this *title*, found as a reader finds it: by pointing.
    """
    box = tab.locator("#timeline canvas").bounding_box()
    assert box is not None
    y = box["y"] + 60
    while y < box["y"] + box["height"]:
        for x in range(int(box["x"]) + 120, int(box["x"] + box["width"]), 6):
            tab.mouse.move(x, y)
            tip = tab.locator("#timeline .tip")
            if (
                tip.is_visible()
                and tip.locator(".tip-title").inner_text() == title
                and not tip.locator(".tip-line").count()
            ):
                return x, y
        y += 12
    raise AssertionError(f"no bar says {title!r}")


def search(tab: Page, text: str) -> str:
    """Search for *text*, and return what the page answers."""
    tab.fill("#query", "")
    tab.fill("#query", text)
    whole = tab.locator("#answer:not([aria-busy=true])")
    expect(whole).not_to_have_text("")
    return whole.inner_text()


# -- what is shown ---------------------------------------------------------------------------------


def test_it_tells_how_much_there_is(tab: Page) -> None:
    """Lines, requests, sessions, and lines of no request."""
    assert (
        tab.locator("#counts").inner_text()
        == "13 lines · 4 requests · 2 sessions · 1 of no request"
    )
    assert tab.title() == "shop.log"


def test_sessions_hold_their_requests(tab: Page) -> None:
    """
    In the order in which they began, each with what was asked, how it was answered and how long it
    took.
    """
    rows = [
        " ".join(text.split()) for text in tab.locator("#tree [role=treeitem]").all_inner_texts()
    ]
    assert rows == [
        "▾ A abc12345 2 requests",
        "POST /api/payment 11:30:00.000 1.10 s req-001 200",
        "GET /api/status 11:30:01.190 20 ms req-003 200",
        "▾ B def67890 2 requests 1 error",
        "GET /api/profile 11:30:00.000 210 ms req-002 200",
        "GET /api/invoice 11:30:01.290 60 ms req-004 500",
    ]


def test_it_opens_at_the_first_error(tab: Page) -> None:
    """Its request is chosen, and the line that tells why."""
    assert "GET /api/invoice" in chosen(tab)
    assert "500 crash" in chosen(tab)
    assert chosen_line(tab).startswith("Exception in ASGI application")


@pytest.mark.parametrize("outcome", ["crash", "tool_error", "rpc_error"])
def test_a_failure_is_an_error_whatever_its_status(
    tmp_path: Path, open_page: Callable[..., Page], outcome: str
) -> None:
    """A tool that failed was answered with 200. Its call is the title, and its result is told."""
    line = "POST /mcp 200 4.9ms 171B streamable-http 127.0.0.1:1 outcome="
    log = [
        stamped(0, f"{line}well", "r0"),
        stamped(1, f"{line}{outcome}", "r1").replace("] -", "] [tools/call add #7] -"),
    ]
    tab = open_page(page_of("\n".join(log), tmp_path))
    assert tab.locator("#error-count").inner_text() == "1 error"
    row = tab.locator("#tree .request.error")
    assert row.locator(".title").inner_text() == "tools/call add"
    assert row.locator(".call").inner_text() == "POST /mcp #7"
    assert row.locator(".status.bad").inner_text() == outcome.replace("_", " ")
    assert chosen(tab).split("\n")[1:3] == ["tools/call add", "POST /mcp #7"]


def test_all_lines_stand_in_order(tab: Page) -> None:
    """Those of no request too."""
    assert messages(tab)[:4] == [
        "Started",
        "Processing payment",
        "Loading profile",
        "Profile retrieved",
    ]
    assert len(messages(tab)) == 13


def test_a_late_line_says_so(tab: Page) -> None:
    """It was written after its request had ended."""
    assert tab.locator(".line .late").count() == 1
    assert "Mail sent, at last" in tab.locator(".line:has(.late)").inner_text()


def test_a_traceback_is_folded(tab: Page) -> None:
    """Its last line is told; a click shows all of it, and another hides it again."""
    row = tab.locator(".line.level-error")
    assert row.locator(".last").inner_text() == "KeyError: 'bulb'"
    before = row.bounding_box()
    row.locator(".fold").click()
    assert 'return prices["bulb"]' in row.locator(".message").inner_text()
    after = row.bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"] * 3
    below = tab.locator(".line", has_text="Mail sent").bounding_box()
    assert below is not None
    assert below["y"] == pytest.approx(after["y"] + after["height"], abs=1)
    row.locator(".fold").click()
    assert row.bounding_box() == before


def test_times_are_the_readers(tab: Page) -> None:
    """Or those of UTC, when asked for."""
    first = tab.locator("#grid .line").first.locator(".time")
    expect(first).to_have_text("11:29:59.000")
    tab.click("#utc")
    expect(first).to_have_text("10:29:59.000")


SEVEN = ("0192f5c3-7a1b-7c3e-8f4d-1a2b3c4d5e6f", "0192f5c3-7a9e-7d20-9b1c-6f5e4d3c2b1a")


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        (SEVEN, ["019…5e6f", "019…2b1a"]),
        (("order-2026-000123-retry", "order-2026-000124-again"), ["ord…etry", "ord…gain"]),
        (
            ("4bf92f3577b34da6a3ce929d0e0e4736", "77b34da6a3ce929d0e0e47364bf92f35"),
            ["4bf92f35", "77b34da6"],
        ),
        (("req-1", "req-2"), ["req-1", "req-2"]),
        (("reserve-1-of-the-shop", "reserve-2-of-the-shop"), ["reserve-", "reserve-"]),
    ],
)
def test_ids_that_begin_alike_are_told_apart(
    tmp_path: Path, open_page: Callable[..., Page], ids: tuple[str, str], shown: list[str]
) -> None:
    """By their ends, where a UUID begins with the time, or all ids with one word."""
    log = [
        stamped(at, f"GET /{at} 200 1.0ms 3B http 127.0.0.1:1", name, name)
        for at, name in enumerate(ids)
    ]
    tab = open_page(page_of("\n".join(log), tmp_path))
    assert tab.locator("#grid .who .id").all_inner_texts() == shown
    assert tab.locator("#tree .session .id").all_inner_texts() == shown
    assert tab.locator("#tree .request .id").all_inner_texts() == shown
    tab.keyboard.press("n")
    assert f"request {shown[0]}" in chosen(tab)
    assert f"session {shown[0]}" in chosen(tab)
    assert tab.locator("#chosen .id").first.get_attribute("data-copy") == ids[0]


# A context's own fillText, with a list of what it wrote.
WRITTEN = """const fillText = CanvasRenderingContext2D.prototype.fillText;
    window.written = new Set();
    CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
        window.written.add(text);
        fillText.call(this, text, ...place);
    }"""


def test_times_of_several_days_have_their_day(
    tmp_path: Path, context: BrowserContext, open_page: Callable[..., Page]
) -> None:
    """On the time axis at each midnight, at each request and each group of errors."""
    moments = ("15T10:30", "15T20:30", "16T06:30", "16T16:30", "17T02:30", "17T12:30")
    kinds = ("ant", "bee", "cat", "dog", "eel", "fox")
    log = [
        f"2024-01-{moment}:00.000Z - ERROR - [req=r-{kind}|session=s] - no {kind}"
        for moment, kind in zip(moments, kinds, strict=True)
    ]
    context.add_init_script(WRITTEN)
    tab = open_page(page_of("\n".join(log), tmp_path))
    tab.keyboard.press("0")
    tab.wait_for_function("() => [...written].some((text) => text.startsWith('01-17'))")
    axis = set(tab.evaluate("[...written]"))
    assert {"12:00", "01-16", "01-17"} <= axis
    assert "00:00" not in axis
    times = tab.locator("#tree .time").all_inner_texts()
    assert times[:2] == ["01-15 11:30:00.000", "01-15 21:30:00.000"]
    assert tab.locator("#errors .when").nth(5).inner_text() == "01-17 13:30"
    assert "01-15 11:30 \u2013 01-17 13:30" in tab.locator("#errors h2").inner_text()


def test_days_are_on_the_axis_after_a_change_of_the_clock(
    tmp_path: Path, context: BrowserContext, open_page: Callable[..., Page]
) -> None:
    """Summer time ends on 27 October 2024: after it, steps from the first midnight miss the others."""
    log = [
        f"2024-10-{day}T06:00:00Z - INFO - [req=r|session=s] - hello" for day in (26, 27, 28, 29)
    ]
    context.add_init_script(WRITTEN)
    tab = open_page(page_of("\n".join(log), tmp_path))
    tab.keyboard.press("0")
    tab.wait_for_function("() => [...written].some((text) => text.startsWith('10-29'))")
    axis = set(tab.evaluate("[...written]"))
    for day in ("10-27", "10-28", "10-29"):
        assert any(text.startswith(day) for text in axis), (day, axis)


def test_what_was_left_out_is_said(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Whatever the reader of the log had to say."""
    whole = "2024-01-15 10:30:00 - INFO - [req=r1|session=s1] - hello\n"
    tab = open_page(page_of(whole * 2, tmp_path))
    assert "exact to the second" in tab.locator("#notes").inner_text()


def test_a_duration_is_no_more_exact_than_the_times(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    """Lines of one second are apart on the axis, but nobody has measured that time."""
    whole = "2024-01-15 10:30:{:02d} - INFO - [req={}|session=s1] - {}\n"
    log = "".join(
        whole.format(second, request, message)
        for second, request, message in (
            *((1, "r1", "begun"), (1, "r1", "done")),
            *((2, "r2", "begun"), (2, "r2", "half"), (5, "r2", "done")),
            *((6, "r3", "begun"), (6, "r3", "GET /x 200 12.5ms 1B http 127.0.0.1:1")),
        )
    )
    tab = open_page(page_of(log, tmp_path))
    durations = tab.locator("#tree .request .duration")
    assert durations.all_inner_texts() == ["< 1 s", "3 s", "13 ms"]
    for query, found in (("dur:<500ms", 2), ("dur:<=3s", 3), ("dur:>=3s", 1), ("dur:>3s", 0)):
        search(tab, query)
        assert durations.count() == found
    search(tab, "r1")
    tab.locator("#tree .request").first.click()
    assert "< 1 s" in chosen(tab)


def test_errors_of_no_request_are_errors(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """The header counts failed requests, and does not say that there are no errors."""
    line = "2024-01-15 10:30:0{} ERROR worker: cannot reach the database\n"
    tab = open_page(page_of("".join(map(line.format, range(8))), tmp_path))
    assert tab.locator("#errors").inner_text().startswith("▾8 errors in 1 group")
    assert tab.locator("#error-count").inner_text() == "no failed request"


def test_an_empty_log_is_a_page(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """That says so."""
    tab = open_page(page_of("", tmp_path))
    assert tab.locator("#counts").inner_text() == "0 lines · 0 requests · 0 sessions"
    assert tab.locator("#nothing").inner_text() == "No lines yet."


def test_data_of_another_version_is_not_shown(
    tmp_path: Path, context: BrowserContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence takes its place that names both versions and the remedy."""
    monkeypatch.setattr(model, "VERSION", VERSION + 1)
    path = page_of(story(), tmp_path)
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-state=refused]", state="attached")
    assert tab.locator("#notes").inner_text() == (
        f"This page reads data of version {VERSION}, but its data has version {VERSION + 1}. "
        "Write the page again with the command asgi-trace view."
    )
    assert tab.locator("#counts").inner_text() == "Nothing to show"
    assert tab.locator("#grid .line").count() == 0
    assert complaints == []


# -- clicks ----------------------------------------------------------------------------------------


def test_a_bar_brings_its_lines(tab: Page) -> None:
    """And is told as chosen in the list of requests."""
    x, y = bar(tab, "POST /api/payment")
    tab.mouse.click(x, y)
    assert "POST /api/payment" in chosen(tab)
    assert tab.locator('#tree [aria-selected="true"] .title').inner_text() == "POST /api/payment"
    assert tab.locator(".line.of-request").count() == 3
    assert tab.locator(".line:not(.dimmed)").count() == 3


def test_a_line_brings_its_bar(tab: Page) -> None:
    """Its request is chosen, everywhere."""
    tab.locator(".line", has_text="Profile retrieved").click()
    assert "GET /api/profile" in chosen(tab)
    assert chosen_line(tab) == "Profile retrieved"
    assert tab.locator('#tree [aria-selected="true"] .title').inner_text() == "GET /api/profile"


def test_a_session_brings_its_lines(tab: Page) -> None:
    """Of all of its requests; the others' are dimmed."""
    tab.locator("#tree .session", has_text="abc12345").click()
    assert "session abc12345" in chosen(tab)
    assert tab.locator(".line:not(.dimmed)").count() == 6


def test_only_these_lines_hides_the_others(tab: Page) -> None:
    """And shows them again."""
    tab.locator("#tree .request", has_text="/api/profile").click()
    tab.get_by_role("button", name="only these lines").click()
    assert messages(tab)[:2] == ["Loading profile", "Profile retrieved"]
    assert len(messages(tab)) == 3
    tab.get_by_role("button", name="only these lines").click()
    assert len(messages(tab)) == 13


def test_a_session_folds(tab: Page) -> None:
    """Its requests are out of the way."""
    tab.locator("#tree .session", has_text="abc12345").locator(".fold").click()
    assert requests(tab) == ["GET /api/profile", "GET /api/invoice"]


def test_lines_can_be_read_as_they_stood(tab: Page) -> None:
    """With their time, level and ids as they were written."""
    tab.click("#raw")
    expect(tab.locator(".line", has_text="Loading profile")).to_have_text(
        stamped(0.01, "Loading profile", "req-002", "def67890")
    )


def test_brushing_zooms(tab: Page) -> None:
    """Along the axis; what is zoomed stands in the address, and the key 0 shows all again."""
    box = tab.locator("#timeline canvas").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + 400, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 600, box["y"] + 42, steps=4)
    tab.mouse.up()
    tab.wait_for_url(re.compile("zoom="))
    tab.keyboard.press("0")
    tab.wait_for_url(lambda url: "zoom=" not in url)


def test_the_wheel_zooms_and_a_drag_moves(tab: Page) -> None:
    """At the pointer; and never beyond what there is."""
    box = tab.locator("#timeline canvas").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + 500, box["y"] + 20)
    tab.mouse.wheel(0, -400)
    tab.wait_for_url(re.compile("zoom="))
    before = tab.url
    tab.mouse.move(box["x"] + 500, box["y"] + 70)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 300, box["y"] + 70, steps=4)
    tab.mouse.up()
    tab.wait_for_url(lambda url: url != before and "zoom=" in url)


# -- keys ------------------------------------------------------------------------------------------


def test_keys_walk_the_requests(tab: Page) -> None:
    """In the order of their start, and back by what was chosen."""
    tab.keyboard.press("Escape")
    assert chosen(tab) == "Choose a request to see its lines."
    seen = []
    for key in ("n", "n", "n", "p"):
        tab.keyboard.press(key)
        seen.append(tab.locator("#chosen strong").inner_text())
    assert seen == ["POST /api/payment", "GET /api/profile", "GET /api/status", "GET /api/profile"]
    tab.keyboard.press("b")
    expect(tab.locator("#chosen strong")).to_have_text("GET /api/status")


def test_keys_walk_the_errors(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Round and round, forwards and backwards, from the line that tells why to the next."""
    log = "\n".join(
        stamped(
            second,
            f"broken {second}" if second % 2 else "well",
            f"r{second}",
            level="ERROR" if second % 2 else "INFO",
        )
        for second in range(6)
    )
    tab = open_page(page_of(log, tmp_path))
    seen = [chosen_line(tab)]
    for key in ("e", "e", "e", "E"):
        tab.keyboard.press(key)
        seen.append(chosen_line(tab))
    assert seen == ["broken 1", "broken 3", "broken 5", "broken 1", "broken 5"]


def test_keys_walk_the_errors_of_no_request(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Where no request has failed; only those that the search shows."""
    log = "\n".join(
        stamped(second, f"broken {second}", each, level="INFO" if each == "r1" else "ERROR")
        for second, each in enumerate(("none", "r1", "none", "none"))
    )
    tab = open_page(page_of(log, tmp_path))
    for key, second in zip("eeeeEEE", "0230320", strict=True):
        tab.keyboard.press(key)
        assert chosen_line(tab) == f"broken {second}"
    search(tab, "/broken [013]/")
    tab.locator("#grid").focus()
    for key, second in zip("eeE", "303", strict=True):
        tab.keyboard.press(key)
        assert chosen_line(tab) == f"broken {second}"


def test_keys_walk_the_lines(tab: Page) -> None:
    """Arrows go, Space unfolds, Enter chooses; a screen reader is told which line it is."""
    tab.keyboard.press("Escape")
    grid = tab.locator("#grid")
    grid.focus()
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowDown")
    active = grid.get_attribute("aria-activedescendant")
    assert "Processing payment" in tab.locator(f"#{active}").inner_text()
    tab.keyboard.press("Enter")
    assert "POST /api/payment" in chosen(tab)
    tab.locator(".line.level-error").click()
    tab.keyboard.press("Space")
    assert tab.locator(".line.level-error .fold").get_attribute("aria-expanded") == "true"


def test_keys_walk_the_tree(tab: Page) -> None:
    """Arrows move, Enter chooses, left folds; a screen reader is told the row."""
    tree = tab.locator("#tree")
    tree.focus()
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowDown")
    active = tree.get_attribute("aria-activedescendant")
    assert "POST /api/payment" in tab.locator(f"#{active}").inner_text()
    tab.keyboard.press("Enter")
    assert "POST /api/payment" in chosen(tab)
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert requests(tab) == ["GET /api/profile", "GET /api/invoice"]


def test_keys_are_told(tab: Page) -> None:
    """By the question mark; Escape closes it."""
    tab.keyboard.press("?")
    expect(tab.locator("#help")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#help")).to_be_hidden()


# -- the search ------------------------------------------------------------------------------------

SEARCHES = {
    "PAYMENT": "2 lines, 1 request",
    '"gateway slow"': "1 line, 1 request",
    "/Pay|Pro/": "2 lines, 2 requests",
    "/^ +return/": "1 line, 1 request",
    "/api/": "4 lines, 4 requests",
    "/api/payment": "1 line, 1 request",
    "status:>=500": "3 lines, 1 request",
    "status:2xx": "9 lines, 3 requests",
    "-status:2xx": "3 lines, 1 request",
    "dur:>1s": "3 lines, 1 request",
    "dur:<=60ms": "6 lines, 2 requests",
    "session:abc": "6 lines, 2 requests",
    "session:B": "6 lines, 2 requests",
    "request:req-003": "3 lines, 1 request",
    "path:/api/p*": "6 lines, 2 requests",
    "method:POST": "3 lines, 1 request",
    "outcome:crash": "3 lines, 1 request",
    "level:error": "1 line, 1 request",
    "level:warning": "2 lines, 2 requests",
    "level:=info": "11 lines, 4 requests",
    "is:late": "1 line, 1 request",
    "is:unknown": "1 line, 0 requests",
    "is:error": "3 lines, 1 request",
    "session:abc level:warning slow": "1 line, 1 request",
    "session:abc -payment": "4 lines, 2 requests",
    "nothing like it": "0 lines, 0 requests",
}


def test_searches_find(tab: Page) -> None:
    """Words, regular expressions and fields, all of which must match; a minus excludes one."""
    assert {query: search(tab, query) for query in SEARCHES} == SEARCHES


def test_a_search_hides_what_it_does_not_find(tab: Page) -> None:
    """Requests too; and marks what it found. Dimming keeps all in place."""
    tab.keyboard.press("Escape")
    search(tab, "profile")
    assert requests(tab) == ["GET /api/profile"]
    assert tab.locator("#grid .line").count() == 3
    assert tab.locator("#grid mark").all_inner_texts() == ["profile", "Profile", "profile"]
    tab.click("#dim")
    assert tab.locator("#grid .line").count() == 13
    assert tab.locator("#grid .line:not(.dimmed)").count() == 3
    assert tab.locator("#tree .request:not(.dimmed)").count() == 1


def test_enter_walks_what_is_found(tab: Page) -> None:
    """Line by line."""
    tab.keyboard.press("Escape")
    tab.keyboard.press("/")
    tab.keyboard.type("payment")
    expect(tab.locator("#answer")).to_have_text("2 lines, 1 request")
    tab.keyboard.press("Enter")
    assert chosen_line(tab) == "Processing payment"
    tab.keyboard.press("Enter")
    assert chosen_line(tab).startswith("POST /api/payment")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("/(/", "no regular expression"),
        ("status:high", "expected a status"),
        ("dur:long", "expected a duration"),
        ("level:loud", "expected one of debug, info"),
        ("is:blue", "expected error, late or unknown"),
    ],
)
def test_a_mistaken_search_says_what_was_expected(tab: Page, query: str, words: str) -> None:
    """And leaves what is shown as it is."""
    assert words in search(tab, query)
    assert tab.locator("#query").get_attribute("aria-invalid") == "true"
    assert tab.locator("#grid .line").count() == 13


# -- links -----------------------------------------------------------------------------------------


def test_a_link_shows_a_colleague_the_same(shop: Path, open_page: Callable[..., Page]) -> None:
    """The choice, the search and the zoom."""
    mine = open_page(shop)
    search(mine, "session:abc")
    mine.locator(".line", has_text="Gateway slow").click()
    mine.get_by_role("button", name="only these lines").click()
    mine.keyboard.press("z")
    mine.wait_for_url(re.compile("zoom=.*"))
    hash = mine.url[mine.url.index("#") :]
    theirs = open_page(shop, hash)
    assert theirs.input_value("#query") == "session:abc"
    assert chosen_line(theirs) == "Gateway slow"
    assert messages(theirs) == messages(mine)
    assert len(messages(theirs)) == 3
    assert theirs.url == mine.url


@pytest.mark.parametrize(
    "hash",
    [
        "#request=unheard-of&line=999&zoom=5~1",
        "#line=-1&zoom=x",
        "#q=%2F(%2F",
        "#session=%00&only=1",
        "#%%%",
    ],
)
def test_a_broken_link_is_a_page(shop: Path, open_page: Callable[..., Page], hash: str) -> None:
    """What it names and is not there, is not looked for."""
    assert len(messages(open_page(shop, hash))) == 13


# -- for everybody ---------------------------------------------------------------------------------

SIZES = {"wide": (1920, 1080), "desk": (1400, 900), "phone": (390, 844)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(tab: Page, size: str, scheme: str) -> None:
    """
    The rules of WCAG 2.2 AA and best practice: at first, with a search, with help, on any screen.
    """
    width, height = SIZES[size]
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    assert violations(tab) == []
    tab.locator(".line.level-error .fold").click()
    search(tab, "payment")
    tab.click("#dim")
    assert violations(tab) == []
    tab.click("#help-button")
    assert violations(tab) == []


def violations(tab: Page) -> list[str]:
    return tab.evaluate(
        """async () => (await axe.run()).violations.flatMap(
            ({id, nodes}) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)} ${node.failureSummary}`))"""
    )


@pytest.mark.parametrize("size", SIZES)
def test_nothing_stands_out_of_the_window(tab: Page, size: str) -> None:
    """Whatever its width: the page never scrolls sideways, and the tools are in it."""
    width, height = SIZES[size]
    tab.set_viewport_size({"width": width, "height": height})
    search(tab, "session:abc")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    for name in ("#query", "#theme", "#help-button", "#next-error", "#timeline", "#chosen"):
        box = tab.locator(name).bounding_box()
        assert box is not None, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= width, name


@pytest.mark.parametrize("size", SIZES)
def test_the_search_keeps_its_place_beside_a_long_answer(tab: Page, size: str) -> None:
    """It is never squeezed; the answer and the reasons of empty lists cover nothing."""
    width, height = SIZES[size]
    tab.set_viewport_size({"width": width, "height": height})
    for query in ("usr:7 cart.total:>100 localhost:8000", "status:foo dur:x"):
        search(tab, query)
        boxes = [
            tab.locator(name).bounding_box()
            for name in (
                "#query",
                "#answer",
                "#dim",
                "#tools",
                "#no-requests",
                "#nothing",
                "#chosen",
            )
            if tab.locator(name).is_visible()
        ]
        places = [(box["x"], box["y"], box["width"], box["height"]) for box in boxes if box]
        assert places[0][2] > 100
        for one, (x, y, wide, high) in enumerate(places):
            for left, top, breadth, depth in places[one + 1 :]:
                assert (
                    x + wide <= left or left + breadth <= x or y + high <= top or top + depth <= y
                )


def test_what_is_printed_is_the_view(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """One sheet, with its colors: a list has only the rows in sight, and room for all."""
    tab = open_page(page_of(story() * 30, tmp_path))
    assert tab.pdf(landscape=True).count(b"/Type /Page\n") == 1
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).printColorAdjust") == "exact"


def test_what_is_printed_is_light(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """A browser prints the lists of a reader with a dark system in light colors: so is the axis."""
    picture = "document.querySelector('#timeline canvas').toDataURL()"
    tab = open_page(page_of(story(), tmp_path))
    light = tab.evaluate(picture)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function(f"light => {picture} !== light", arg=light)
    dark = tab.evaluate(picture)
    tab.evaluate(f"addEventListener('beforeprint', () => window.printed = {picture})")
    tab.pdf()
    assert (tab.evaluate("printed"), tab.evaluate(picture)) == (light, dark)
    assert light != dark


def test_a_phone_shows_one_list_at_a_time(tab: Page) -> None:
    """The lines, or the requests."""
    tab.set_viewport_size({"width": 390, "height": 844})
    expect(tab.locator("#grid")).to_be_visible()
    expect(tab.locator("#tree")).to_be_hidden()
    tab.locator("#panes").get_by_text("Requests").click()
    expect(tab.locator("#grid")).to_be_hidden()
    assert len(requests(tab)) == 4
    tab.locator("#tree .request", has_text="/api/profile").click()
    expect(tab.locator("#grid")).to_be_visible()
    assert "GET /api/profile" in chosen(tab)


@pytest.mark.parametrize("size", [(320, 256), (667, 330), (844, 340), (1400, 400)])
def test_a_low_window_has_room_for_the_lists(
    tmp_path: Path, open_page: Callable[..., Page], size: tuple[int, int]
) -> None:
    """A phone on its side, or a desk at 400 %, with groups of errors: the page scrolls to them."""
    width, height = size
    tab = open_page(page_of(story() + failures(), tmp_path))
    tab.set_viewport_size({"width": width, "height": height})
    tab.keyboard.press("e")
    expect(tab.locator("#chosen")).to_contain_text("GET /api/invoice")
    for name in ("#grid", "#tree"):
        if name == "#tree" and tab.locator("#panes").is_visible():
            tab.locator("#panes").get_by_text("Requests").click()
        tab.locator(name).scroll_into_view_if_needed()
        box = tab.locator(name).bounding_box()
        assert box is not None
        assert min(box["y"] + box["height"], height) - max(box["y"], 0) > 60, name
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_low_window_shows_the_chosen_bar(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Where a row of the time axis is all that is in sight, it is that of the chosen request."""
    tab = open_page(page_of(story() + failures(), tmp_path))
    tab.set_viewport_size({"width": 667, "height": 330})
    tab.keyboard.press("n")
    assert "POST /api/payment" in chosen(tab)
    tab.locator("#timeline").scroll_into_view_if_needed()
    assert bar(tab, "POST /api/payment")


def failures() -> str:
    """Errors of six kinds: more than a handful, so that there are groups."""
    kinds = ("ants", "bees", "cats", "dogs", "eels", "fish")
    lines = [stamped(3 + at, f"no {kind}", f"r{at}", "s", "ERROR") for at, kind in enumerate(kinds)]
    return "\n".join(lines) + "\n"


def test_forced_colors_show_what_is_chosen(tab: Page) -> None:
    """Of a reader with few colors, the system drops backgrounds: an outline is left."""
    tab.emulate_media(forced_colors="active")
    tab.keyboard.press("e")
    tab.click("#raw")
    outlined = """() => [...document.querySelectorAll(".request, .line, #tools button")]
        .filter((each) => getComputedStyle(each).outlineStyle !== "none" && each !== document.activeElement)
        .map((each) => each.className.split(" ")[0] || each.id)"""
    tab.locator("#grid").evaluate("grid => grid.blur()")
    tab.evaluate("document.activeElement.blur()")
    assert sorted(tab.evaluate(outlined)) == ["line", "raw", "request"]


def test_light_and_dark(tab: Page) -> None:
    """As the reader's system has it, until they say otherwise."""
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    tab.emulate_media(color_scheme="dark")
    dark = tab.evaluate(background)
    assert dark != light
    tab.click("#theme")
    assert tab.evaluate(background) == light
    tab.click("#theme")
    assert tab.evaluate(background) == dark
