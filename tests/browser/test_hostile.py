"""What an attacker logs does nothing: it is text, and text that hides is made visible."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from asgi_trace._cli.view import page

from ..viewer import stamped
from .conftest import page_of

HOSTILE = {
    "script": "<script>document.title='owned'</script>",
    "end of a block": "</script><script>document.title='owned'</script>",
    "end of all": "--></script></style></title></textarea><svg/onload=\"document.title='owned'\">",
    "image": "<img src=x onerror=\"document.title='owned'\">",
    "frame": "<iframe srcdoc=\"<script>parent.document.title='owned'</script>\"></iframe>",
    "link": "<a href=\"javascript:document.title='owned'\">javascript:document.title='owned'</a>",
    "style": "<style>*{display:none}</style><link rel=stylesheet href=http://127.0.0.1:1/x.css>",
    "meta": '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:1/">',
    "template": "{{constructor.constructor('document.title=1')()}} ${document.title=1} <%= 1 %> {{head}} {{script}}",
    "comment": "<!--",
    "entity": "&lt;script&gt; &#x3c;",
}
HIDDEN = {
    "a\x1b[31mred\x1b[0m": "a␛[31mred␛[0m",
    "a\x1b]8;;http://127.0.0.1:1/\x07b": "a␛]8;;http://127.0.0.1:1/␇b",
    "a\x00b\x08c\x7fd": "a␀b␈c␡d",
    "a\u202egnp.exe": "aU+202Egnp.exe",
    "a\u2066b\u2069c\u200fd": "aU+2066bU+2069cU+200Fd",
    "a\u200bb\u2060c\ufeffd\u00ade": "aU+200BbU+2060cU+FEFFdU+00ADe",
    "a\u2028b\u2029c": "aU+2028bU+2029c",
    "a\U000e0041b": "aU+E0041b",
    "a\x85b\x9bc": "aU+0085bU+009Bc",
    "e\u0301 \u05d0\u05d1 \u4e2d\u6587 \U0001f600": "e\u0301 \u05d0\u05d1 \u4e2d\u6587 \U0001f600",
}


def structured(message: str, **fields: str) -> str:
    """A JSON line: all that stands in it reaches the page, whatever the characters."""
    record = {
        "timestamp": "2024-01-15T10:30:00Z",
        "level": "INFO",
        "request_id": "r1",
        "session_id": "s1",
    }
    return json.dumps({**record, "message": message, **fields})


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_markup_is_text(tmp_path: Path, open_page: Callable[..., Page], text: str) -> None:
    """
    In a message, a path, an id, a session and the title: it stands there as it was, and nothing of
    it runs.
    """
    request_id = re.sub(r"[^\w.~+/=:@-]", "", text)[:64] or "r1"
    log = "\n".join(
        [
            stamped(0, text, request_id),
            stamped(1, f'127.0.0.1:1 - "GET /{text} HTTP/1.1" 500', request_id),
            structured(text, request_id=text, session_id=text),
            text,
        ]
    )
    tab = open_page(page_of(log, tmp_path, title=f"{text.replace('/', '')[:60]}.log"))
    tab.keyboard.press("Escape")
    shown = "\n".join(tab.locator("#grid .message").all_inner_texts())
    assert shown.count(text) >= 3
    assert tab.title().endswith(".log")
    assert (
        tab.locator(
            "h1 *, #grid :is(script, img, iframe, a, style, svg), #tree :is(script, img, iframe, a)"
        ).count()
        == 0
    )
    tab.fill("#query", text)
    tab.mouse.move(700, 100)
    assert tab.title().endswith(".log")


def test_what_hides_is_shown(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """
    Terminal commands, turned writing and characters of no width are symbols; words of any language
    are words.
    """
    tab = open_page(page_of("\n".join(structured(text) for text in HIDDEN), tmp_path))
    shown = dict(zip(HIDDEN, tab.locator("#grid .message .text").all_inner_texts(), strict=True))
    assert shown == HIDDEN


def test_what_hides_is_shown_in_names(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """A path, a session and a request that turn the writing do not turn it here."""
    turned = "\u202eabc"
    log = structured(
        f'127.0.0.1:1 - "GET /{turned} HTTP/1.1" 500',
        logger="uvicorn.access",
        session_id=turned,
        request_id=turned,
    )
    tab = open_page(page_of(log, tmp_path))
    assert turned not in tab.evaluate("document.body.innerText + document.title")
    tab.locator("#tree .request").click()
    assert "\u202e" not in tab.evaluate("document.body.innerText + document.title")
    assert "\u202e" not in tab.evaluate(
        "[...document.querySelectorAll('[title]')].map((each) => each.title).join('')"
    )


def test_halves_of_characters_are_no_harm(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """JSON may hold half of a surrogate pair, in ids too; and a log is bytes, whatever they are."""
    log = b'{"timestamp": "2024-01-15T10:30:00Z", "request_id": "a\\ud800b", "message": "half \\udfff"}\n'
    tab = open_page(page_of(log + b"\xff\xfe\x00 broken \xc3\n", tmp_path))
    assert tab.locator("#grid .line").count() == 2


def test_a_line_of_megabytes_is_a_line(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """It can be searched and unfolded, and it neither widens nor stops the page."""
    tab = open_page(
        page_of(stamped(0, "x" * 3_000_000 + " needle") + "\n" + stamped(1, "short"), tmp_path)
    )
    assert tab.evaluate("document.documentElement.scrollWidth") == 1400
    tab.fill("#query", "short")
    tab.wait_for_function("() => document.querySelectorAll('#grid .line').length === 1")


def test_the_page_may_do_nothing_but_itself(tmp_path: Path) -> None:
    """
    By its policy, which names the digests of its own script and style, and no place where things
    may come from.
    """
    text = page_of(stamped(0, "hello"), tmp_path).read_text()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digest = re.compile(r"'sha256-[\w+/]{43}='")
    assert digest.fullmatch(rules.pop("script-src"))
    assert digest.fullmatch(rules.pop("style-src"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert not re.search(r"(?i)https?://(?!www\.w3\.org)|\bsrc=|@import|url\(", text)


def test_what_was_not_ours_would_not_run(
    tmp_path: Path, open_page: Callable[..., Page], context: object
) -> None:
    """
    Even if markup got into the page: the policy stops a script, a handler, a style, a picture and a
    connection.
    """
    path = page_of(stamped(0, "hello"), tmp_path)
    text = path.read_text()
    injected = (
        "<script>document.title='owned'</script><img src=http://127.0.0.1:1/x onerror=\"document.title='owned'\">"
        '<p style="position:fixed">x</p><style>h1{display:none}</style>'
    )
    path.write_text(text.replace("<main>", f"{injected}<main>", 1))
    tab = context.new_page()  # type: ignore[attr-defined]
    blocked: list[str] = []
    tab.on("console", lambda message: blocked.append(message.text))
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-state=ready]", state="attached")
    assert tab.title() == "shop.log"
    assert tab.locator("h1").is_visible()
    assert sum("Content Security Policy" in text for text in blocked) >= 4


def test_the_modules_fit_together() -> None:
    """Joined, they are one module: no import is left, and none was renamed on the way in."""
    script = page._script()
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert "</script" not in script.lower()
    assert "innerHTML" not in script
