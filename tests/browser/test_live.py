"""The page of a log that is still being written, served by the real command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from ..unit.cli.test_viewer_live import Following
from ..viewer import stamped
from .test_page import chosen_line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text(stamped(0, "first") + "\n", encoding="utf-8")
    return path


@pytest.fixture
def following(log: Path) -> Iterator[Following]:
    """The command, and what it serves of the log."""
    with Following(log.parent, log.name) as following:
        yield following


@pytest.fixture
def url(following: Following) -> str:
    return f"http://127.0.0.1:{following.port}/"


def add(log: Path, *lines: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def test_lines_come_as_they_are_written(
    log: Path, url: str, open_page: Callable[..., Page]
) -> None:
    """With their requests, sessions and counts; also what ends a request that was open."""
    tab = open_page(url)
    expect(tab.locator("#live")).to_have_text("live")
    add(log, stamped(1, "second"), stamped(2, "hello", "r2", "s2"))
    expect(tab.locator("#counts")).to_have_text("3 lines · 2 requests · 2 sessions")
    add(log, stamped(3, "GET /api/pay 503 3000.0ms 3B http 127.0.0.1:1", "r1"))
    expect(tab.locator("#error-count")).to_have_text("1 error")
    assert "GET /api/pay" in tab.locator("#tree").inner_text()
    assert tab.locator("#grid .line").count() == 4


@pytest.mark.parametrize(
    ("form", "time", "took"),
    [("{}", "11:30:01", "< 1 s"), ("{}.250", "11:30:01.250", "0 ms")],
)
def test_a_log_that_was_empty_has_its_own_times(
    tmp_path: Path, open_page: Callable[..., Page], form: str, time: str, took: str
) -> None:
    """As after a reload: those of the first line, and as exact as they are."""
    log = tmp_path / "app.log"
    log.touch()
    with Following(tmp_path, "app.log", "--tz", "UTC") as following:
        tab = open_page(f"http://127.0.0.1:{following.port}/")
        expect(tab.locator("#counts")).to_have_text("0 lines · 0 requests · 0 sessions")
        line = f"2024-01-15 {form.format('10:30:01')} - INFO - [req=r1|session=s1] - begun"
        add(log, line, line)
        for _ in range(2):
            expect(tab.locator("#grid .time")).to_have_text([time, time])
            expect(tab.locator("#tree .duration")).to_have_text(took)
            tab.reload()


def test_a_lost_connection_leaves_room_for_the_tools(
    tmp_path: Path, log: Path, context: BrowserContext
) -> None:
    """On a phone, too."""
    tab = context.new_page()
    tab.set_viewport_size({"width": 390, "height": 844})
    with Following(tmp_path, log.name) as following:
        tab.goto(f"http://127.0.0.1:{following.port}/")
        expect(tab.locator("#live")).to_have_text("live")
    expect(tab.locator("#live")).to_have_text("connection lost")
    for button in tab.locator("#tools button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_an_empty_log_says_what_was_read(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Where the lines would be, and on the counts."""
    (tmp_path / "empty.log").write_text("")
    with Following(tmp_path, "empty.log") as following:
        tab = open_page(f"http://127.0.0.1:{following.port}/")
        expect(tab.locator("#nothing")).to_have_text(
            "No lines yet. They appear here as they are written. Read: 1 file, no lines."
        )
        expect(tab.locator("#counts")).to_have_attribute("title", "1 file, no lines")


def test_it_follows_the_newest(log: Path, url: str, open_page: Callable[..., Page]) -> None:
    """Until the reader scrolls up or chooses; the key f follows again."""
    tab = open_page(url)
    expect(tab.locator("#live")).to_have_text("live")
    add(log, *(stamped(1 + number / 100, f"line {number}") for number in range(200)))
    expect(tab.locator(".line", has_text="line 199")).to_be_in_viewport()
    tab.locator("#grid").evaluate("(grid) => grid.scrollBy(0, -800)")
    expect(tab.locator("#live")).to_contain_text("paused")
    seen = tab.locator("#grid").evaluate("(grid) => grid.scrollTop")
    add(log, *(stamped(4 + number / 100, f"later {number}") for number in range(50)))
    expect(tab.locator("#counts")).to_contain_text("251 lines")
    assert tab.locator("#grid").evaluate("(grid) => grid.scrollTop") == seen
    tab.keyboard.press("f")
    expect(tab.locator(".line", has_text="later 49")).to_be_in_viewport()
    tab.locator(".line", has_text="later 40").click()
    add(log, *(stamped(7 + number / 100, f"last {number}") for number in range(50)))
    expect(tab.locator("#counts")).to_contain_text("301 lines")
    expect(tab.locator(".line", has_text="later 40")).to_be_in_viewport()


def test_a_search_goes_on(log: Path, url: str, open_page: Callable[..., Page]) -> None:
    """New lines that it finds are shown, and no others."""
    tab = open_page(url)
    tab.fill("#query", "needle")
    expect(tab.locator("#answer")).to_have_text("0 lines, 0 requests")
    add(log, stamped(1, "hay"), stamped(2, "a needle"))
    expect(tab.locator("#answer")).to_have_text("1 line, 1 request")
    assert tab.locator("#grid .line").count() == 1


def test_errors_are_grouped_as_they_come(
    log: Path, url: str, open_page: Callable[..., Page]
) -> None:
    """Beyond a handful; a chosen group grows, and stays chosen."""
    tab = open_page(url)
    expect(tab.locator("#live")).to_have_text("live")
    add(
        log,
        *(stamped(1 + each, f"Order {each} lost", f"e{each}", "s2", "ERROR") for each in range(5)),
    )
    expect(tab.locator("#error-count")).to_have_text("5 errors")
    expect(tab.locator("#errors")).to_be_hidden()
    add(
        log,
        stamped(7, "Order 5 lost", "e5", "s3", "ERROR"),
        stamped(8, "Bank is down", "b", level="ERROR"),
    )
    expect(tab.locator(".group .title")).to_have_text(["Order # lost", "Bank is down"])
    tab.locator(".group", has_text="Order").click()
    expect(tab.locator("#answer")).to_have_text("6 lines, 6 requests")
    add(log, stamped(9, "Order 6 lost", "e6", "s3", "ERROR"), stamped(10, "well", "w"))
    expect(tab.locator("#answer")).to_have_text("7 lines, 7 requests")
    expect(tab.locator("#errors .only")).to_contain_text("Only the 7 requests of Order # lost")


def test_a_log_that_starts_anew_starts_anew(
    log: Path, url: str, open_page: Callable[..., Page]
) -> None:
    """Truncated and written again: the page goes on with what comes."""
    tab = open_page(url)
    expect(tab.locator("#live")).to_have_text("live")
    log.write_text("", encoding="utf-8")
    add(log, stamped(5, "after"))
    expect(tab.locator(".line", has_text="after")).to_be_visible()


def test_it_says_when_the_command_is_gone(
    following: Following, url: str, context: BrowserContext
) -> None:
    """What is there stays readable."""
    tab = context.new_page()
    tab.goto(url)
    expect(tab.locator("#live")).to_have_text("live")
    following.stop()
    expect(tab.locator("#live")).to_have_text("connection lost")
    assert tab.locator(".line", has_text="first").is_visible()


def test_new_lines_disturb_no_reader(log: Path, url: str, open_page: Callable[..., Page]) -> None:
    """Neither a selection of text, a click that has begun, nor the focus on a button."""
    add(log, *(stamped(number / 10, f"line {number}", "r1", "s1") for number in range(9)))
    tab = open_page(url)
    expect(tab.locator("#grid .line")).to_have_count(10)
    counts = tab.locator("#counts")

    tab.locator(".line .text", has_text="line 3").select_text()
    add(log, stamped(2, "more", "r2", "s2"))
    expect(counts).to_contain_text("11 lines")
    assert tab.evaluate("getSelection().toString()") == "line 3"
    tab.evaluate("getSelection().removeAllRanges()")

    tab.locator(".line .text", has_text="line 4").hover()
    tab.mouse.down()
    add(log, stamped(3, "more", "r1", "s1"))
    expect(counts).to_contain_text("12 lines")
    tab.mouse.up()
    assert chosen_line(tab) == "line 4"

    only = tab.locator("#chosen button", has_text="only these lines")
    only.focus()
    tab.keyboard.press("Space")
    expect(only).to_have_attribute("aria-pressed", "true")
    add(log, stamped(4, "more", "r1", "s1"))
    expect(tab.locator("#chosen")).to_contain_text("11 lines")
    assert only.evaluate("button => button === document.activeElement")


def test_a_saved_copy_says_what_it_lacks(
    log: Path, url: str, open_page: Callable[..., Page], context: BrowserContext
) -> None:
    """It does not wait for news that cannot come, and is no live page any more."""
    tab = open_page(url)
    add(log, stamped(1, "second"))
    expect(tab.locator("#grid .line")).to_have_count(2)
    copy = log.parent / "saved.html"
    copy.write_text(tab.evaluate("document.documentElement.outerHTML"), encoding="utf-8")
    saved = context.new_page()
    asked: list[str] = []
    saved.on("request", lambda request: asked.append(request.url))
    saved.goto(copy.as_uri())
    expect(saved.locator("#notes")).to_have_text(
        "This is a saved copy of a live page: lines that came after the page was loaded are missing. "
        "asgi-trace view without --follow writes a page with all lines."
    )
    expect(saved.locator("#live")).to_be_hidden()
    expect(saved.locator("#grid .line")).to_have_count(1)
    assert asked == [copy.as_uri()]


def test_lines_stay_as_they_stood(log: Path, open_page: Callable[..., Page]) -> None:
    """Also where a later line gives their request another session."""
    add(log, *(stamped(1, f"line {number}") for number in range(99)))
    with Following(log.parent, log.name) as following:
        tab = open_page(f"http://127.0.0.1:{following.port}/")
        tab.fill("#query", "/session=s1. - /")
        expect(tab.locator("#answer")).to_have_text("100 lines, 1 request")
        add(log, stamped(2, "logged in", "r1", "s2"))
        expect(tab.locator("#counts")).to_contain_text("101 lines")
        expect(tab.locator("#answer")).to_have_text("100 lines, 1 request")
        tab.fill("#query", "/session=s2. - /")
        expect(tab.locator("#answer")).to_have_text("1 line, 1 request")
