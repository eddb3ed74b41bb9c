"""What leaves the page: lines, ids, links and tickets; the context of a line; and words where nothing is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ..viewer import stamped
from .conftest import new_context, opening, page_of
from .test_page import chosen_line, messages, search

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
EVIL = "``` and ```` end <script>alert(1)</script> \x1b[31m@everyone"


def log() -> str:
    """Forty lines of others around a request that fails with a hostile line."""
    lines = [
        stamped(number / 10, f"Step {number}", f"r{number % 4}", "bob") for number in range(40)
    ]
    lines += [
        stamped(5, "Paying", TRACE, "alice"),
        stamped(5.1, EVIL, TRACE, "alice", "ERROR"),
        "Traceback (most recent call last):",
        "ValueError: `x`",
        stamped(5.2, "POST /pay/`7`?b=1 500 200.0ms 3B http 127.0.0.1:1", TRACE, "alice"),
    ]
    lines += [stamped(6 + number / 10, f"Step {40 + number}", "r9", "bob") for number in range(40)]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def whole(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    context = new_context(browser)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    with opening(context) as open_it:
        yield open_it(page_of(log(), tmp_path_factory.mktemp("ways")))
    context.close()


@pytest.fixture
def tab(whole: Page) -> Page:
    """The page, with nothing chosen or searched for."""
    whole.evaluate("document.activeElement.blur()")
    for _ in range(3):
        whole.keyboard.press("Escape")
    expect(whole.locator("#chosen")).to_have_text("Choose a request to see its lines.")
    expect(whole.locator("#answer")).to_have_text("")
    return whole


def copied(tab: Page, key: str) -> str:
    """Copy by the menu's *key*, and return what the clipboard then holds."""
    tab.keyboard.press("c")
    expect(tab.locator("#copy-menu")).to_be_visible()
    tab.keyboard.press(key)
    expect(tab.locator("#said")).to_contain_text("Copied: ")
    return str(tab.evaluate("navigator.clipboard.readText()"))


def choose_evil(tab: Page) -> None:
    tab.keyboard.press("e")
    expect(tab.locator("#chosen")).to_contain_text("/pay/")
    assert chosen_line(tab).startswith("``` and")


def test_a_line_and_its_ids_are_copied(tab: Page) -> None:
    """As they stand in the log, by a letter each."""
    choose_evil(tab)
    assert copied(tab, "l") == (
        stamped(5.1, EVIL, TRACE, "alice", "ERROR")
        + "\nTraceback (most recent call last):\nValueError: `x`"
    )
    assert copied(tab, "r") == TRACE
    assert copied(tab, "s") == "alice"


def test_selected_lines_are_copied_as_they_stood(tab: Page) -> None:
    """Also after a scroll, which uses the elements of rows again; a part of one cell is itself."""

    def drag(first: str, last: str, over: str) -> str:
        begin = tab.locator(".line", has_text=re.compile(f"{first}$")).locator(over).bounding_box()
        end = tab.locator(".line", has_text=re.compile(f"{last}$")).locator(".text").bounding_box()
        assert begin is not None
        assert end is not None
        tab.evaluate("getSelection().removeAllRanges()")
        tab.mouse.move(begin["x"] + 1, begin["y"] + 8)
        tab.mouse.down()
        tab.mouse.move(end["x"] + end["width"] + 9, end["y"] + 8, steps=4)
        tab.mouse.up()
        tab.keyboard.press("Control+c")
        return str(tab.evaluate("navigator.clipboard.readText()"))

    def step(number: int) -> str:
        return stamped(number / 10, f"Step {number}", f"r{number % 4}", "bob")

    tab.focus("#grid")
    tab.keyboard.press("Home")
    assert drag("Step 2", "Step 4", ".time") == "\n".join(map(step, (2, 3, 4)))
    tab.locator("#grid").hover()
    for _ in range(5):
        tab.mouse.wheel(0, 63)
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    rows = tab.locator("#grid .line").evaluate_all(
        "rows => rows.map((row) => +row.dataset.position)"
    )
    assert rows == sorted(rows)
    assert rows[0] > 0
    assert drag("Step 33", "Step 35", ".time") == "\n".join(map(step, (33, 34, 35)))
    assert drag("Step 33", "Step 33", ".text") == "Step 33"
    tab.evaluate("getSelection().removeAllRanges()")


def test_a_link_to_exactly_this_view_is_copied(tab: Page) -> None:
    """Search, choice, context and zoom, also where the address has not followed yet."""
    search(tab, "paying OR step")
    tab.locator(".line", has_text="Step 20").click()
    tab.keyboard.press("a")
    tab.keyboard.press("+")
    link = copied(tab, "v")
    fields = dict(re.findall(r"[#&](\w+)=([^&]*)", link))
    assert fields.keys() == {"q", "request", "line", "around", "zoom"}
    assert (fields["q"], fields["line"], fields["around"]) == ("paying+OR+step", "21", "10")
    tab.wait_for_url(link)


def test_without_a_choice_there_is_the_link(tab: Page) -> None:
    """And nothing that would be empty."""
    tab.click("#copy")
    assert tab.locator("#copy-menu [role=menuitem]").all_inner_texts() == ["link to this view\nv"]
    tab.keyboard.press("Escape")
    expect(tab.locator("#copy-menu")).to_be_hidden()


def test_the_menu_takes_arrows(tab: Page) -> None:
    choose_evil(tab)
    tab.keyboard.press("c")
    focused = "document.activeElement.dataset.way"
    seen = [tab.evaluate(focused)]
    for key in ("ArrowDown", "End", "ArrowDown", "ArrowUp"):
        tab.keyboard.press(key)
        seen.append(tab.evaluate(focused))
    assert seen == ["l", "r", "v", "l", "v"]
    tab.keyboard.press("Enter")
    expect(tab.locator("#said")).to_have_text("Copied: the link to this view")
    assert tab.evaluate("document.activeElement.id") == "copy"


def test_a_ticket_holds_the_request(tab: Page) -> None:
    """What was asked and how it ended, the ids, and the lines, out of which no text breaks."""
    choose_evil(tab)
    ticket = copied(tab, "m")
    head, fence, rest = re.split(r"^(`{3,})text\n", ticket, maxsplit=1, flags=re.MULTILINE)
    assert head.startswith("### ``POST /pay/`7`?b=1`` → `500`\n\n")
    assert f"\n- request: `{TRACE}`\n- session: `alice`\n" in head
    assert "\n- began: `2024-01-15 11:30:05.000 UTC+1`\n- took: `200 ms`\n- link: <file:///" in head
    assert head.endswith("\n3 lines:\n\n")
    lines, end = rest.split(f"\n{fence}\n")
    assert end == ""
    assert len(fence) == 5
    assert "`" * 5 not in lines
    assert lines.split("\n")[0] == stamped(5, "Paying", TRACE, "alice")
    assert "\x1b" not in lines
    assert "␛[31m@everyone" in lines


def test_the_context_of_a_hit_is_shown(tab: Page) -> None:
    """So many lines of the same log on each side, dimmed; more each time, and in the end none."""
    search(tab, '"Step 20"')
    assert tab.get_by_role("button", name="context").count() == 0
    tab.locator(".line", has_text="Step 20").click()
    tab.get_by_role("button", name="context").click()
    assert messages(tab) == [f"Step {number}" for number in range(10, 31)]
    assert tab.locator("#grid .line:not(.dimmed)").count() == 1
    tab.get_by_role("button", name="± 10 lines").click()
    assert tab.locator("#grid").get_attribute("aria-rowcount") == "71"
    tab.wait_for_url(re.compile("around=50"))
    tab.keyboard.press("a")
    tab.keyboard.press("a")
    assert messages(tab) == ["Step 20"]


def test_space_unfolds_the_chosen_line_wherever_the_focus_is(tab: Page) -> None:
    """On the page itself, on the time axis and in the list of lines."""
    choose_evil(tab)
    fold = tab.locator(".line.level-error .fold")
    for where, expected in (("body", "true"), ("#timeline", "false"), ("#grid", "true")):
        tab.locator(where).focus() if where != "body" else tab.evaluate(
            "document.activeElement.blur()"
        )
        tab.keyboard.press("Space")
        assert fold.get_attribute("aria-expanded") == expected, where
    tab.keyboard.press("Space")


# -- nothing to show -------------------------------------------------------------------------------


def test_a_search_in_vain_says_what_was_asked_of_how_many(tab: Page) -> None:
    search(tab, "nowhere <b>")
    assert tab.locator("#nothing").inner_text() == (
        "None of 83 lines has “nowhere <b>”. Esc shows all again."
    )
    assert tab.locator("#no-requests").inner_text() == (
        "No request has what is searched for. Esc shows all again."
    )


def test_a_log_without_ids_says_why_there_is_no_request(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    tab = open_page(
        page_of("2024-01-15 10:30:00 INFO plain\n2024-01-15 10:30:01 INFO text\n", tmp_path)
    )
    said = tab.locator("#no-requests").inner_text()
    assert said.startswith("No request: none of 2 lines has a request id.")
    assert "configure_logging()" in said


def test_a_page_that_a_browser_saves_is_the_page(
    tmp_path: Path, browser: Browser, open_page: Callable[..., Page]
) -> None:
    """
    A browser saves it with what was drawn last: a search, a choice, pressed buttons and rows. The
    copy begins like the page, and no row is there twice.
    """
    drawn = """() => ["tree", "grid", "answer", "tools", "chosen", "errors", "live"].map(
        (id) => document.getElementById(id).innerText)"""
    path = page_of(log(), tmp_path)
    tab = open_page(path)
    fresh = tab.evaluate(drawn)
    search(tab, "step")
    for key in ("n", "r", "u"):
        tab.keyboard.press("Escape")
        tab.keyboard.press(key)
    tab.click("#dim")
    saved = tab.evaluate("'<!DOCTYPE html>' + document.documentElement.outerHTML")
    copy = tmp_path / "saved.html"
    copy.write_text(saved.replace('data-state="ready"', ""), encoding="utf-8")
    # Not by open_page: the console has a word on each style that the copy has in an element.
    context = new_context(browser)
    again = context.new_page()
    again.goto(copy.as_uri())
    again.wait_for_selector("html[data-state=ready]", state="attached")
    assert again.evaluate(drawn) == fresh
    assert again.locator("#tools [aria-pressed=true]").count() == 0
    assert again.locator("#dim").is_hidden()
    context.close()
