"""Many errors, in groups; many sessions, as a density view from which one zooms in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ..viewer import stamped
from .conftest import new_context, opening, page_of, page_of_logs
from .test_page import chosen, messages, requests, search, violations

REQUESTS = 600
SESSIONS = 90
STRIP = 44  # pixels
AT_0, AT_2 = "11:35:00.5 - 11:36:36.5", "11:35:02.4 - 11:36:38.4"
FAILING = range(300, 400)
TIMEOUT = "BankTimeout: no answer from bank-# within # ms"


def incident() -> dict[str, str]:
    """
    Ten minutes of a shop: a request each second, to the cart or to the checkout, which pays.

    From 5:00 to 6:40, each payment fails: half of the lines of the shop say so, the others say
    nothing. Beside it, a job that belongs to no request has one error a minute.
    """
    shop: list[str] = []
    pay: list[str] = []

    def line(log: list[str], when: float, level: str, ids: tuple[str, str], text: str) -> None:
        minute, second = divmod(when, 60)
        stamp = f"2024-01-15 10:{30 + int(minute):02}:{second:06.3f}Z"
        log.append(f"{stamp} - {level} - [req={ids[0]}|session={ids[1]}] - {text}")

    for number in range(REQUESTS):
        ids = (f"{number:032x}", f"customer-{number % SESSIONS}")
        if number % 2:
            line(shop, number + 0.2, "INFO", ids, "GET /cart/7 200 100.0ms 1B http 127.0.0.1:1")
            continue
        failed = number in FAILING
        called = (f"{number:031x}p", ids[1])
        if failed:
            line(pay, number + 0.3, "ERROR", called, f"Charge of order {number} failed")
            pay.append("Traceback (most recent call last):")
            pay.append('  File "pay.py", line 4, in charge')
            pay.append(f"BankTimeout: no answer from bank-{number % 4} within {number * 7} ms")
        status = 500 if failed else 200
        line(pay, number + 0.4, "INFO", called, f"POST /charge {status} 300.0ms 1B http 10.0.0.1:1")
        if failed and number % 4:
            line(shop, number + 0.45, "ERROR", ids, f"Order {number} is not paid")
        status = 502 if failed else 200
        line(
            shop, number + 0.5, "INFO", ids, f"POST /checkout {status} 450.0ms 1B http 127.0.0.1:1"
        )
    for minute in range(10):
        line(shop, minute * 60 + 30.9, "ERROR", ("none", "none"), f"Sync {minute} lost")
    return {"shop.log": "\n".join(sorted(shop)) + "\n", "pay.log": "\n".join(pay) + "\n"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of_logs(incident(), tmp_path_factory.mktemp("incident"), "shop")


@pytest.fixture(scope="module")
def whole(browser: Browser, path: Path) -> Iterator[Page]:
    context = new_context(browser)
    with opening(context) as open_it:
        yield open_it(path)
    context.close()


@pytest.fixture
def tab(whole: Page) -> Page:
    """The page as it opens."""
    whole.set_viewport_size({"width": 1400, "height": 900})
    whole.mouse.move(0, 0)
    whole.fill("#query", "")
    whole.evaluate("document.activeElement.blur()")
    for _ in range(3):
        whole.keyboard.press("Escape")
    whole.keyboard.press("0")
    expect(whole.locator("#answer")).to_have_text("")
    return whole


def groups(tab: Page) -> list[list[str]]:
    """The cells of each group that hold a text."""
    rows = tab.evaluate(
        """() => [...document.querySelectorAll("#errors .group")].map(
            (row) => [...row.querySelectorAll("span")].map((cell) => cell.textContent))"""
    )
    return [[plain(cell) for cell in row] for row in rows]


def plain(text: str) -> str:
    """The text with letters of ASCII in place of the dash and of the sign for times."""
    return text.replace("\u2013", "-").replace("\u00d7", "x")


# -- errors first ----------------------------------------------------------------------------------


def test_many_errors_are_groups(tab: Page) -> None:
    """Each with its number, message, service, paths, sessions, first and last time."""
    assert groups(tab) == [
        ["50 x", TIMEOUT, "pay", "POST /charge", "45 sessions", "11:35:00.3 - 11:36:38.3"],
        ["25 x", "POST /checkout 502", "shop", "POST /checkout", "25 sessions", AT_0],
        ["25 x", "Order # is not paid", "shop", "POST /checkout", "25 sessions", AT_2],
        ["10 x", "Sync # lost", "shop", "", "", "11:30:30.9 - 11:39:30.9"],
    ]


def test_a_sentence_is_about_all_of_them(tab: Page) -> None:
    """How many, since when, where, for whom."""
    title = re.sub(r"\s+", " ", plain(tab.locator("#errors h2").inner_text()))
    assert title == (
        "▾110 errors in 4 groups 9 of 10 at 11:35:00.3 - 11:36:36.5 1 min 36 s in shop, pay "
        "45 of 90 sessions"
    )


def test_sparklines_share_the_time_of_the_trace(tab: Page) -> None:
    """The errors of three minutes stand in the middle; those of each minute, all over."""
    starts = tab.evaluate(
        """() => [...document.querySelectorAll("#errors .sparks path")].map(
            (path) => path.getAttribute("d").match(/M\\d+/g).map((at) => Number(at.slice(1))))"""
    )
    assert all(29 <= at <= 40 for at in starts[0] + starts[1] + starts[2])
    assert len(starts[3]) == 10
    assert (starts[3][0] < 6, starts[3][-1] > 53) == (True, True)


def test_nothing_is_chosen_and_the_lines_begin_at_the_largest_group(tab: Page, path: Path) -> None:
    assert chosen(tab) == "Choose a request to see its lines."
    assert any("Charge of order 300 failed" in message for message in messages(tab))


def test_a_click_limits_the_page_to_a_group(tab: Page) -> None:
    """The page says so, and there are three ways back: a button, a second click, and Escape."""
    only = tab.locator("#errors .only")
    ways: list[Callable[[], None]] = [
        lambda: tab.get_by_role("button", name="Show all").click(),
        lambda: tab.locator(".group", has_text="is not paid").click(),
        lambda: tab.keyboard.press("Escape"),
    ]
    for back in ways:
        expect(only).to_have_count(0)
        tab.locator(".group", has_text="is not paid").click()
        expect(only).to_contain_text("Only the 25 requests of Order # is not paid")
        expect(tab.locator("#answer")).to_have_text("50 lines, 25 requests")
        assert set(requests(tab)) == {"POST /checkout"}
        assert tab.locator(".group[aria-pressed=true]").count() == 1
        back()
    expect(only).to_have_count(0)
    expect(tab.locator("#answer")).to_have_text("")


def test_a_group_of_no_request_shows_its_lines(tab: Page) -> None:
    tab.locator(".group", has_text="Sync").click()
    expect(tab.locator("#answer")).to_have_text("10 lines, 0 requests")
    expect(tab.locator("#errors .only")).to_contain_text("Only the 10 lines of")
    assert messages(tab) == [f"Sync {minute} lost" for minute in range(10)]


def test_a_group_and_a_search_hold_together(tab: Page) -> None:
    """And the keys for errors stay within them."""
    tab.locator(".group", has_text="POST /checkout 502").click()
    assert search(tab, "session:customer-30") == "1 line, 1 request"
    tab.keyboard.press("Tab")
    tab.evaluate("document.activeElement.blur()")
    tab.keyboard.press("e")
    assert "customer-30" in chosen(tab)
    tab.keyboard.press("e")
    assert "customer-30" in chosen(tab)


def test_a_link_shows_a_colleague_the_group(tab: Page, path: Path, context: BrowserContext) -> None:
    tab.locator(".group", has_text=TIMEOUT).click()
    expect(tab.locator("#answer")).to_have_text("100 lines, 50 requests")
    tab.wait_for_url(re.compile("errors="))
    with opening(context) as open_it:
        theirs = open_it(path, tab.url[tab.url.index("#") :])
        expect(theirs.locator("#answer")).to_have_text("100 lines, 50 requests")
        expect(theirs.locator("#errors .only")).to_contain_text(TIMEOUT)
        assert messages(theirs)[0] == messages(tab)[0]
        theirs.goto(path.as_uri() + "#errors=line+of+yesterday")
        expect(theirs.locator("#answer")).to_have_text("")
        assert theirs.locator("#errors .only").count() == 0


def test_keys_reach_the_groups(tab: Page) -> None:
    """Each group is a button, which keeps the focus; the panel folds."""
    tab.locator(".group").nth(1).focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#answer")).to_have_text("25 lines, 25 requests")
    assert tab.evaluate("document.activeElement.ariaPressed") == "true"
    tab.keyboard.press("Space")
    expect(tab.locator("#answer")).to_have_text("")
    fold = tab.locator("#errors h2 button")
    fold.click()
    expect(tab.locator("#errors .group")).to_have_count(0)
    fold.click()
    expect(tab.locator("#errors .group")).to_have_count(4)


def test_a_handful_of_errors_has_no_groups(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """The page then opens at the first of them."""
    log = "\n".join(stamped(each, f"Broken {each}", f"r{each}", level="ERROR") for each in range(5))
    tab = open_page(page_of(log, tmp_path))
    expect(tab.locator("#errors")).to_be_hidden()
    assert "r0" in chosen(tab)


def test_no_error_message_becomes_markup(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Whatever it holds."""
    evil = "<img src=x onerror=alert(1)>\u202e\u2028 </script> ${x} #errors"
    log = "\n".join(stamped(each, evil, f"r{each}", level="ERROR") for each in range(9))
    tab = open_page(page_of(log, tmp_path))
    assert tab.locator("#errors img").count() == 0
    tab.locator(".group").click()
    expect(tab.locator("#answer")).to_have_text("9 lines, 9 requests")
    assert "onerror" in tab.locator("#errors .only").inner_text()


# -- many sessions ---------------------------------------------------------------------------------


def tip_at(tab: Page, x: float, y: float) -> str:
    """The tip at a point of the time axis, in pixels from its corner; empty without one."""
    box = tab.locator("#timeline canvas").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + x, box["y"] + y)
    tip = tab.locator("#timeline .tip")
    return tip.inner_text() if tip.is_visible() else ""


def has_bar(tab: Page) -> bool:
    """Whether a bar of a request is under some point of the first lanes."""
    titles = ("POST /checkout", "POST /charge", "GET /cart/7")
    points = ((x, y) for y in (64, 93, 122) for x in range(130, 1090, 6))
    return any(tip_at(tab, x, y).startswith(titles) for x, y in points)


def test_sessions_with_errors_come_first(tab: Page) -> None:
    """Of many; each half in the order in which they began."""
    rows = tab.locator("#tree .session")
    assert rows.first.inner_text().split("\n")[2:] == ["customer-0", "14 requests", "2 errors"]
    tab.locator("#tree").focus()
    tab.keyboard.press("End")
    assert "error" not in rows.last.inner_text()
    tab.keyboard.press("Home")


def test_many_lanes_become_a_strip_for_each_path(tab: Page) -> None:
    """Those with errors first; a strip's name and cells say how many requests and errors there are."""
    names = [tip_at(tab, 20, 62 + STRIP * strip).split("\n")[:2] for strip in range(3)]
    assert names[0][0] in ("POST /checkout", "POST /charge")
    assert names[0][1] == "300 requests, 50 failed"
    assert names[2] == ["GET /cart/*", "300 requests, 0 failed"]
    width = tab.locator("#timeline canvas").evaluate("(canvas) => canvas.clientWidth")
    assert re.search(r" [1-9]\d* failed", tip_at(tab, 118 + (width - 128) * 0.58, 60))
    assert " 0 failed" in tip_at(tab, 118 + (width - 128) * 0.2, 60)


def test_a_click_on_a_cell_zooms_in_to_lanes(tab: Page) -> None:
    """At that moment; zero shows all again."""
    width = tab.locator("#timeline canvas").evaluate("(canvas) => canvas.clientWidth")
    tab.locator("#timeline canvas").click(position={"x": 118 + (width - 128) * 0.58, "y": 60})
    tab.wait_for_url(re.compile("zoom="))
    found = {tip_at(tab, 20, 60 + 9 * lane) for lane in range(10)}
    assert found == {""}
    assert has_bar(tab)
    tab.keyboard.press("0")
    assert "requests, " in tip_at(tab, 20, 62)


def test_a_click_on_a_name_searches_for_the_path(tab: Page) -> None:
    tab.locator("#timeline canvas").click(position={"x": 20, "y": 62 + STRIP * 2})
    expect(tab.locator("#answer")).to_have_text("300 lines, 300 requests")
    assert tab.input_value("#query") == "method:GET path:/cart/*"


def test_a_chosen_request_is_in_its_lane(tab: Page) -> None:
    """Whatever was shown before."""
    tab.keyboard.press("e")
    tab.wait_for_url(re.compile("zoom=.*"))
    assert has_bar(tab)


# -- for everybody ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 720)])
def test_axe_finds_nothing(tab: Page, scheme: str, width: int, height: int) -> None:
    """Nor does anything stand out of the window: with a group, with the menu, and with neither."""
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    assert violations(tab) == []
    tab.locator(".group").first.click()
    expect(tab.locator("#errors .only")).to_be_visible()
    tab.click("#copy")
    assert violations(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.keyboard.press("Escape")
