"""One trace through several services: its rows, its sentence, its services, and what stays calm."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from asgi_trace._cli.logs import reader
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.view import model, page
from asgi_trace._core.lines import format_json, format_logfmt, format_text
from asgi_trace._core.record import Record

from ..viewer import stamped
from .conftest import PATIENCE, page_of, page_of_logs
from .test_page import violations

SERVICES = ["front", "stock", "pay"]
NOTE = "The clock of stock.log seems 3.0 s ahead of front.log's."

# Name, service, caller, start and end in milliseconds, and what was asked and answered.
REQUESTS = (
    ("buy", 0, None, 0, 800, "POST /buy 502"),
    ("reserve", 1, "buy", 50, 250, "POST /reserve 200"),
    ("reserve-2", 1, "buy", 60, 200, "POST /reserve 200"),
    ("charge", 2, "buy", 300, 720, "POST /charge 500"),
    ("profile", 0, None, 100, 900, "GET /profile 200"),
)
CALLS = (
    # By, answered by, start and end, title, status, error, attempt.
    ("buy", "reserve", 40, 255, "POST stock:80/reserve", 200, None, 1),
    ("charge", None, 400, 570, "POST bank.example/auth", None, "ReadTimeout", 2),
)


def lines() -> str:
    """The log of a purchase that fails, and of a profile meanwhile."""
    found = []
    for name, service, _, start, end, asked in REQUESTS:
        session = "bob" if name == "profile" else "alice"
        request_id = f"{name:-<32}"
        logger = SERVICES[service]
        found += [
            (start, stamped(start / 1000, f"Begun logger={logger} user=jo", request_id, session)),
            (
                end,
                stamped(
                    end / 1000,
                    f"{asked} {end - start}.0ms 2B http 127.0.0.1:1 ttfb={end - start - 10}.0ms",
                    request_id,
                    session,
                ),
            ),
        ]
        if name == "reserve-2":
            text = "index is old logger=stock"
            found.append((150, stamped(0.15, text, request_id, session, "ERROR")))
    return "".join(f"{line}\n" for _, line in sorted(found))


def hops(head: Any) -> None:
    """Fill what a log with services has."""
    table = head["requests"]
    place = {name: table["id"].index(f"{name:-<32}") for name, *_ in REQUESTS}
    for name, service, caller, *_ in REQUESTS:
        table["service"][place[name]] = service
        table["parent"][place[name]] = -1 if caller is None else place[caller]
    head["services"] = list(SERVICES)
    head["notes"] = [NOTE]
    head["silences"] = [[255, 295]]
    for by, callee, start, end, title, status, error, attempt in CALLS:
        head["calls"].append(
            {
                "request": place[by],
                "callee": -1 if callee is None else place[callee],
                "start": start,
                "end": end,
                "title": title,
                "status": status,
                "error": error,
                "attempt": attempt,
            }
        )


def filled(folder: Path, fill: Callable[[Any], None], log: str) -> Path:
    """Write the page of *log* to *folder* after *fill* has changed its head."""
    file = folder / "shop.log"
    file.write_text(log)
    trace = model.build(reader.merged([reader.read(Log(str(file), print), 0)]), "shop", ["shop"])
    fill(trace.head)
    out = io.BytesIO()
    page.write(trace.head, trace.chunks, out)
    path = folder / "trace.html"
    path.write_bytes(out.getvalue())
    return path


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture(scope="module")
def opened(context: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests. In the end, nothing may stand in its console."""
    complaints: list[str] = []
    path = filled(tmp_path_factory.mktemp("hops"), hops, lines())
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-state=ready]", state="attached")
    yield tab
    assert complaints == []


@pytest.fixture
def tab(opened: Page) -> Page:
    """The page with nothing chosen and no search, on the usual screen."""
    opened.set_viewport_size({"width": 1440, "height": 900})
    opened.fill("#query", "")
    opened.locator("#grid").focus()
    opened.keyboard.press("Escape")
    expect(opened.locator("#chosen")).to_contain_text("Choose a request")
    opened.keyboard.press("0")
    return opened


def rows(tab: Page) -> list[str]:
    found: list[str] = tab.locator("#tree [role=treeitem]").evaluate_all(
        """(rows) => rows
            .sort((one, other) => one.dataset.position - other.dataset.position)
            .map((row) => row.getAttribute("aria-level") + " " +
                [...row.querySelectorAll(".service-name, .title .path")]
                .map((each) => each.textContent).sort().reverse().join(" "))"""
    )
    return found


def choose(tab: Page, path: str) -> None:
    tab.locator("#tree .request", has_text=path).first.click()


def tip_at(tab: Page, y: int, share: float) -> str:
    """What is said when the pointer is so far below the axis and right of the names."""
    box = tab.locator("#timeline canvas").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + 118 + (box["width"] - 128) * share, box["y"] + 52 + y)
    expect(tab.locator("#timeline .tip")).to_be_visible()
    return tab.locator("#timeline .tip").inner_text()


# -- the list --------------------------------------------------------------------------------------


def test_a_request_has_those_it_called_below_it(tab: Page) -> None:
    """The session, its requests, and below each the services it went through."""
    assert [row.split() for row in rows(tab)] == [
        ["1"],
        ["2", "front", "/buy"],
        ["3", "stock", "/reserve"],
        ["3", "stock", "/reserve"],
        ["3", "pay", "/charge"],
        ["1"],
        ["2", "front", "/profile"],
    ]
    assert "1 request" in tab.locator("#tree .session").first.inner_text()


def test_keys_walk_the_tree(tab: Page) -> None:
    """Right unfolds a request and goes into it, left goes to its caller and folds that."""
    tree = tab.locator("#tree")
    choose(tab, "/charge")
    tree.focus()
    tab.keyboard.press("ArrowLeft")
    buy = tab.locator(f"#{tree.get_attribute('aria-activedescendant')}")
    assert "/buy" in buy.inner_text()
    assert buy.get_attribute("aria-expanded") == "true"
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#tree .request").count() == 2
    assert tab.locator("#tree .through .sign").count() == 2
    assert tab.locator("#tree .through .sign.failed").count() == 1
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    active = tab.locator(f"#{tree.get_attribute('aria-activedescendant')}")
    assert "/reserve" in active.inner_text()


def test_a_screen_reader_hears_what_was_asked_and_answered(tab: Page) -> None:
    """Method, path and status come first; the lines are rows of a grid."""
    names = [
        row.get_attribute("aria-label") for row in tab.locator("#tree .request").element_handles()
    ]
    assert names == [
        "POST /buy 502, front, 800 ms, failed: 502",
        "POST /reserve 200, stock, 200 ms",
        "POST /reserve 200, stock, 140 ms, with an error",
        "POST /charge 500, pay, 420 ms, failed: 500",
        "GET /profile 200, front, 800 ms",
    ]
    row = tab.get_by_role("grid").get_by_role("row").first
    assert row.get_by_role("gridcell").count() == 5


# -- the opened trace ------------------------------------------------------------------------------


def test_a_sentence_says_where_the_time_went(tab: Page) -> None:
    """Each moment is given once: the parts sum up to the whole. A host outside is one of them."""
    choose(tab, "/buy")
    sentence = tab.locator(".sentence").inner_text()
    assert sentence == "800 ms: front 180 · stock 200 · pay 250 · bank.example 170"
    numbers = [int(part.split()[-1]) for part in sentence.partition(": ")[2].split(" · ")]
    assert sum(numbers) == 800
    tab.keyboard.press("Escape")
    expect(tab.locator(".sentence")).to_be_hidden()


def test_a_row_says_how_long_it_worked_and_waited(tab: Page) -> None:
    """In the tip and where the request is chosen; a call outside is a row, too."""
    choose(tab, "/buy")
    self_and_waiting = "self 165 ms · waiting 635 ms"
    assert self_and_waiting in tip_at(tab, 36, 0.5)
    facts = tab.locator("#chosen").inner_text().split("\n")
    assert facts[1:7] == ["front", "POST /buy", "502", "800 ms", "self 165 ms", "waiting 635 ms"]
    assert "first byte after 790 ms" in facts
    tips = [tip_at(tab, 36 + 24 * row, 0.5).split("\n")[0] for row in (3, 4)]
    assert tips == ["POST /charge", "POST bank.example/auth"]
    assert "ReadTimeout · 170 ms · attempt 2" in tip_at(tab, 36 + 24 * 4, 0.5)


# What is painted from now on: rectangles with their place, color and opacity; texts; and patterns.
RECORD = """() => {
    const painted = globalThis.painted = {rectangles: [], texts: [], patterns: 0};
    if (globalThis.isRecording) return;
    globalThis.isRecording = true;
    const {prototype} = CanvasRenderingContext2D;
    const {fillRect, fillText, createPattern} = prototype;
    prototype.fillRect = function (x, y, width, height) {
        const {fillStyle: color, globalAlpha: opacity} = this;
        globalThis.painted.rectangles.push({x, y, width, height, color, opacity});
        return fillRect.apply(this, arguments);
    };
    prototype.fillText = function (text) {
        globalThis.painted.texts.push(text);
        return fillText.apply(this, arguments);
    };
    prototype.createPattern = function () {
        globalThis.painted.patterns++;
        return createPattern.apply(this, arguments);
    };
}"""


def painted(tab: Page, path: str) -> Any:
    """What the axis shows with a request chosen."""
    tab.evaluate(RECORD)
    choose(tab, path)
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    # The last of what was painted: it is painted anew for each change.
    tab.evaluate(RECORD)
    tab.keyboard.press("u")
    tab.keyboard.press("u")
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return tab.evaluate("globalThis.painted")


def test_the_critical_path_is_marked(tab: Page) -> None:
    """A line below each row, for as long as the whole waited for it; streaming is fuller."""
    found = painted(tab, "/buy")["rectangles"]
    text = tab.evaluate("getComputedStyle(document.body).color")
    red, green, blue = map(int, re.findall(r"\d+", text))
    lines = {
        (each["y"], each["x"], each["width"])
        for each in found
        if each["height"] == 2 and each["color"] == f"#{red:02x}{green:02x}{blue:02x}"
    }
    rows = sorted({y for y, _, _ in lines})
    whole = sum(width for *_, width in lines)
    shares = [round(800 * sum(width for y, _, width in lines if y == row) / whole) for row in rows]
    assert shares == [180, 200, 250, 170]
    # The last 10 ms of each answer were streamed.
    streamed = {round(800 * each["width"] / whole) for each in found if each["opacity"] == 0.72}
    assert 10 in streamed


def test_silence_is_a_thin_mark_with_words(tab: Page) -> None:
    """And no hatching."""
    found = painted(tab, "/profile")
    assert "nothing logged for 800 ms" in found["texts"]
    assert found["patterns"] == 0


def test_a_row_can_be_chosen(tab: Page) -> None:
    """By its bar or its name: the trace stays open."""
    choose(tab, "/buy")
    box = tab.locator("#timeline canvas").bounding_box()
    assert box is not None
    tab.mouse.click(box["x"] + 40, box["y"] + 52 + 36 + 24 * 3)
    expect(tab.locator("#chosen strong")).to_have_text("POST /charge")
    expect(tab.locator(".sentence")).to_be_visible()
    assert tab.locator(".line.of-request").count() == 2


def test_other_requests_stay_single_bars(tab: Page) -> None:
    """A request without callees opens nothing."""
    choose(tab, "/profile")
    expect(tab.locator(".sentence")).to_be_hidden()
    assert "GET /profile" in tip_at(tab, 60, 0.5)


def test_the_lines_of_a_request_are_those_of_its_callees_too(tab: Page) -> None:
    """A trace is one thing, from its first request on."""
    choose(tab, "/buy")
    tab.get_by_role("button", name="only these lines").click()
    assert tab.locator("#grid .line").count() == 9
    assert tab.locator("#grid .line:not(.dimmed)").count() == 9
    choose(tab, "/charge")
    assert tab.locator("#grid .line").count() == 2


# -- services --------------------------------------------------------------------------------------


def test_a_service_has_a_shape_of_its_own(tab: Page) -> None:
    """The same on its button, in the list and in the lines."""
    shapes = [
        tab.locator(f"#services [data-service='{place}'] .sign").get_attribute("class")
        for place in range(3)
    ]
    assert len(set(shapes)) == 3
    first = tab.locator("#grid .line").first.locator(".from")
    assert first.inner_text() == "front"
    assert first.locator(".sign").get_attribute("class") == shapes[0]
    assert tab.locator("#tree .request .sign").first.get_attribute("class") == shapes[0]


def test_services_are_found_and_filtered(tab: Page) -> None:
    """By `service:`, and by buttons which write that. The callers of what is found stay in sight."""
    tab.fill("#query", "service:pay")
    expect(tab.locator("#answer")).to_have_text("2 lines, 1 request")
    paths = tab.locator("#tree .request .path").all_inner_texts()
    assert paths == ["/buy", "/charge"]
    assert tab.locator("#services [aria-pressed=true]").inner_text() == "pay"
    tab.locator("#services button", has_text="stock").click()
    assert tab.input_value("#query") == "service:pay,stock"
    expect(tab.locator("#answer")).to_have_text("7 lines, 3 requests")
    tab.locator("#services button", has_text="pay").click()
    tab.locator("#services button", has_text="stock").click()
    assert tab.input_value("#query") == ""


# -- calm ------------------------------------------------------------------------------------------


def test_only_failures_are_red(tab: Page) -> None:
    """A 200 with an error line has a neutral status, and a mark."""
    marks = [
        (row.inner_text(), row.get_attribute("class"))
        for row in tab.locator("#tree .status").element_handles()
    ]
    assert marks == [
        ("502", "status bad"),
        ("200", "status"),
        ("200", "status erred"),
        ("500", "status bad"),
        ("200", "status"),
    ]


def test_notes_stand_above(tab: Page) -> None:
    """Beside what was left out."""
    assert tab.locator("#notes").inner_text() == NOTE


def test_an_id_is_short_and_a_click_copies_it(tab: Page) -> None:
    """The whole of it; and the place says so for a moment."""
    shown = tab.locator("#grid .line .id").first
    assert shown.inner_text() == "buy-----"
    shown.click()
    expect(tab.locator("#said")).to_have_text(f"Copied: {'buy':-<32}")
    assert tab.evaluate("navigator.clipboard.readText()") == f"{'buy':-<32}"


def test_fields_are_chips_and_open_as_a_table(tab: Page) -> None:
    """The logger and what else a line has beside its message."""
    row = tab.locator("#grid .line").first
    assert row.locator(".text").inner_text() == "Begun"
    assert row.locator(".field").all_inner_texts() == ["front", "user jo"]
    row.locator(".field").first.click()
    cells = row.locator("tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    assert cells == [["logger", "front"], ["user", "jo"]]
    assert violations_of(tab) == []
    row.locator("table").click()
    assert row.locator("table").count() == 0


@pytest.mark.parametrize("width", [1280, 1440, 2560])
def test_buttons_are_in_one_row(tab: Page, width: int) -> None:
    """On every screen from 1,280 pixels."""
    tab.set_viewport_size({"width": width, "height": 900})
    choose(tab, "/buy")
    for place in ("#tools", "#chosen .actions"):
        tops = tab.locator(f"{place} button:visible").evaluate_all(
            "(buttons) => buttons.map((button) => button.getBoundingClientRect().top)"
        )
        assert max(tops) - min(tops) < 2, place
    header = tab.locator("header").bounding_box()
    assert header is not None
    assert header["height"] < 50


def violations_of(tab: Page) -> list[str]:
    tab.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    return violations(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(tab: Page, width: int, scheme: Any) -> None:
    """With a trace open, in the list and in the lines; and nothing stands out of the window."""
    choose(tab, "/buy")
    tab.set_viewport_size({"width": width, "height": 844})
    tab.emulate_media(color_scheme=scheme)
    assert violations_of(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    if width == 390:
        tab.locator("#panes").get_by_text("Requests").click()
        assert violations_of(tab) == []
        tab.locator("#panes").get_by_text("Lines").click()
    tab.emulate_media(color_scheme="light")


# -- real lines ------------------------------------------------------------------------------------


FIELDS = Record(
    "2024-01-15T10:30:00.000Z", "INFO", "shop.cart", "Cart of a=b opened", "r1",
    extra={"item": "big lamp", "count": 3},
)  # fmt: skip
ACCESS = "GET /cart 200 10.0ms 1B http 127.0.0.1:1 ttfb=4.1ms parent=00f067aa0ba902b7"
CHIPS = {
    "json": (format_json(FIELDS), ["shop.cart", "item big lamp", "count 3"]),
    "logfmt": (format_logfmt(FIELDS), ["shop.cart", "item big lamp", "count 3"]),
    "text": (format_text(FIELDS, ["item", "count"]), ["item big lamp", "count 3"]),
    # Of others, without a logger.
    "pino": (
        '{"time": "2024-01-15T10:30:00.000Z", "level": "info", "msg": "Cart of a=b opened", "pid": 7}',
        ["pid 7"],
    ),
    "structlog": (
        '2024-01-15T10:30:00.000Z [info     ] Cart of a=b opened item=lamp note="two words"',
        ["item lamp", 'note "two words"'],
    ),
    "access": (stamped(0, ACCESS), []),
}


def test_fields_are_chips_in_each_form(open_page: Callable[..., Page], tmp_path: Path) -> None:
    """What stands beside the message, and nothing that stands in it."""
    log = "\n".join(line for line, _ in CHIPS.values())
    tab = open_page(page_of(log, tmp_path))
    found = tab.locator("#grid .line").evaluate_all(
        """(rows) => rows.map((row) => [row.querySelector(".text").textContent,
            [...row.querySelectorAll(".field")].map((chip) => chip.textContent)])"""
    )
    assert found == [
        [ACCESS if name == "access" else "Cart of a=b opened", chips]
        for name, (_, chips) in CHIPS.items()
    ]


def traced(second: float, message: str, span: str = "", level: str = "INFO") -> str:
    """A line of one purchase: all of its services have its request id."""
    line = stamped(second, message, "b" * 32, "alice", level)
    return line.replace("|session=alice]", f"|session=alice|span={span}]") if span else line


def access(second: float, asked: str, ms: int, span: str = "") -> str:
    return traced(second, f"{asked} {ms}.0ms 2B http 127.0.0.1:1", span)


@pytest.fixture(scope="module")
def purchase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of three text logs, in which one id is that of four requests."""
    logs = {
        "front.log": [traced(0, "Buying"), access(0.8, "POST /buy 502", 800)],
        "stock.log": [
            traced(0.1, "Reserving", "1" * 16),
            traced(0.1, "Reserving", "2" * 16),
            access(0.25, "POST /reserve 200", 150, "1" * 16),
            access(0.3, "POST /reserve 200", 200, "2" * 16),
        ],
        "pay.log": [
            traced(0.5, "The bank refuses", "3" * 16, "ERROR"),
            access(0.7, "POST /charge 500", 300, "3" * 16),
        ],
    }
    texts = {name: "".join(f"{line}\n" for line in lines) for name, lines in logs.items()}
    return page_of_logs(texts, tmp_path_factory.mktemp("purchase"), "shop")


def test_text_logs_of_three_services_are_one_trace(purchase: Path, context: BrowserContext) -> None:
    """Which a link opens at the very request that was chosen, though all of them have one id."""
    tab = context.new_page()
    tab.goto(purchase.as_uri())
    tab.wait_for_selector("html[data-state=ready]", state="attached")
    assert [row.split() for row in rows(tab)] == [
        ["1"],
        ["2", "front", "/buy"],
        ["3", "stock", "/reserve"],
        ["3", "stock", "/reserve"],
        ["3", "pay", "/charge"],
    ]
    assert tab.locator(".sentence").inner_text() == "800 ms: front 300 · stock 200 · pay 300"
    choose(tab, "/charge")
    tab.wait_for_url("**#*nth=*")
    link = tab.url
    tab.close()
    other = context.new_page()
    other.goto(link)
    other.wait_for_selector("html[data-state=ready]", state="attached")
    expect(other.locator("#chosen strong")).to_have_text("POST /charge")
    expect(other.locator(".sentence")).to_be_visible()
    other.close()


# -- odd logs --------------------------------------------------------------------------------------


def test_callers_in_a_loop_are_harmless(context: BrowserContext, tmp_path: Path) -> None:
    """A log may say that two requests called each other, or that one called itself."""

    def loop(head: Any) -> None:
        hops(head)
        head["requests"]["parent"] = [1, 0, 2, 4, 3]

    tab = context.new_page()
    tab.goto(filled(tmp_path, loop, lines()).as_uri())
    tab.wait_for_selector("html[data-state=ready]", state="attached")
    assert tab.locator("#tree .request").count() == 5
    tab.close()


def test_without_services_nothing_is_said_of_them(context: BrowserContext, tmp_path: Path) -> None:
    """No column, no button, no shape."""
    tab = context.new_page()
    tab.goto(filled(tmp_path, lambda head: None, lines()).as_uri())
    tab.wait_for_selector("html[data-state=ready]", state="attached")
    assert tab.locator("#services").is_hidden()
    assert tab.locator(".from, .sign").count() == 0
    assert tab.get_by_role("grid").get_by_role("row").first.get_by_role("gridcell").count() == 4
    tab.close()


def test_only_services_with_lines_have_buttons(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    """The name of a log is none, where each of its lines names a service."""
    line = '{{"timestamp": "2024-01-15T10:30:0{}.000Z", "message": "x", "request_id": "r1"{}}}\n'
    logs = {
        "web-1.log": line.format(1, ', "service": "shop"'),
        "web-2.log": line.format(2, ', "service": "stock"'),
        "cron.log": "2024-01-15 10:30:03.000Z - INFO - [req=none|session=none] - of no request\n",
    }
    tab = open_page(page_of_logs(logs, tmp_path, "shop"))
    shown = tab.locator("#services button:visible")
    assert sorted(shown.all_inner_texts()) == ["cron", "shop", "stock"]
