"""Lines whose heads are kept once: each is shown as it stood, and found as if it were kept whole."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    TextFormatter,
    bound_request_metadata,
)
from asgi_trace._cli.logs import reader
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.view import model

from ..viewer import Told
from .conftest import new_context, opening, page_of

FORMATTERS = {"text": TextFormatter, "json": JSONFormatter, "logfmt": LogfmtFormatter}
IDS = ["4f5e8c21a07d4b6e9d3c1b2a70f68e95", "order-4711", "INFO", "ab", "-", "É~ß", "7", "req="]
SESSIONS = ["alice", "e", "ab", "[x] - y", "2024", "session", None, "ßk"]
MESSAGES = [
    "Cart opened by alice user=7",
    "] - paid - INFO",
    "e",
    "[req=ab|session=ab] - said the client",
    "two lines\nand a third - INFO",
    "Grüße \u0001 with a control character \u0003",
    "",
    "item 4711 of order-4711 done",
]

QUERIES = [
    *("e", "E", "ab", "7", "4711", "paid", "- paid", '"] - "', '" - "', "INFO", "- INFO", "nowhere"),
    *("req=", "[req=", "=ab", "ab|", "req=ab|session=ab", "session=alice]", "alice] - Cart", "-ab"),
    *("order-4711", "4711|session", "O - [", '"INFO - [r"', "ice]", "É~ß", "é", "ßk", "\u0003"),
    *("2024", "2024-", "x] - y", "[x]", "] - ]", "ß|", "4f5e8c21 -alice", "done OR req=ab", "-e"),
    *("/req=ab/", "/^2024/", "/Cart.*user=\\d$/", "/alice\\] - Cart/", "/\\d{4}/", "/a{0,2}b\\|/"),
    *("/paid|alice/", "/said the client$/", "/(req=)?ab/", "/[^]$/", "/INFO - .*INFO/", "/^and a/"),
    *("/CART opened/i", "/Cart\\b.*7/", "/ab+\\|s/", "/x\\u0041/", "/session=[^|]*\\] - Ca/"),
]  # fmt: skip

# Fields, and a pattern of the lines that have them.
FIELDS = {"user:7": r"user=7(?!\S)", "req:ab": r"\[req=ab\|", "user:>6": "user=7"}

_ANSWERS = """async (queries) => {
    const box = document.getElementById("query");
    const answer = document.getElementById("answer");
    const ask = async (query) => {
        box.value = query;
        box.dispatchEvent(new Event("input"));
        const isOver = () =>
            answer.ariaBusy !== "true" && (answer.textContent === "") === (query === "");
        while (!isOver()) await new Promise((done) => setTimeout(done, 5));
        return answer.textContent;
    };
    const found = [];
    for (const query of queries) {
        await ask("");
        found.push(await ask(query));
    }
    return found;
}"""


def answers(tab: Page, queries: Sequence[str]) -> dict[str, int]:
    """How many lines each query finds."""
    found = tab.evaluate(_ANSWERS, list(queries))
    return {
        query: int(words.split()[0].replace(",", ""))
        for query, words in zip(queries, found, strict=True)
    }


def lines_of(form: str) -> str:
    """Enough of them that most share a head; some are of requests whose ids are hostile."""
    formatter = FORMATTERS[form]()
    written = []
    for number in range(256):
        request, session = IDS[number // 8 % 8], SESSIONS[number // 8 % 8]
        record = logging.LogRecord("shop", logging.INFO, "", 1, MESSAGES[number % 8], (), None)
        record.created = 1_705_312_815 + number // 100
        record.msecs = 0
        with bound_request_metadata(RequestMetadata(request_id=request, session_id=session)):
            written.append(formatter.format(record))
    return "\n".join(written)


def texts_of(path: Path) -> list[str]:
    """The lines as the page gets them."""

    def refuse(sentence: str) -> None:
        raise AssertionError(sentence)

    entries = reader.merged([reader.read(Log(str(path), refuse), 0)])
    trace = model.build(entries, "shop.log", ["shop.log"])
    return Told.of(trace).texts


def is_found(query: str, text: str) -> bool:
    """What the page has to answer, from the whole text of a line."""
    if " OR " in query:
        return any(is_found(each, text) for each in query.split(" OR "))
    found = True
    for minus, regex, flags, quoted, word in re.findall(
        r'(?<!\S)(-?)(?:/(.+)/(i?)(?=$)|"([^"]*)"|(\S+))', query
    ):
        if regex:
            pattern = re.compile(regex.replace("[^]", "[\\s\\S]"), re.M | (re.I if flags else 0))
        else:
            pattern = re.compile(re.escape(quoted or word), re.I)
        found = found and (pattern.search(text) is None) == bool(minus)
    return found


@pytest.fixture(scope="module", params=FORMATTERS)
def opened(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, list[str]]]:
    folder = tmp_path_factory.mktemp("heads")
    path = page_of(lines_of(request.param), folder)
    context = new_context(browser)
    with opening(context) as open_it:
        yield open_it(path), texts_of(folder / "shop.log")
    context.close()


def test_the_search_is_that_of_whole_lines(opened: tuple[Page, list[str]]) -> None:
    tab, texts = opened
    expected = {query: sum(is_found(query, text) for text in texts) for query in QUERIES}
    for query, pattern in FIELDS.items():
        expected[query] = sum(re.search(pattern, text) is not None for text in texts)
    assert answers(tab, list(expected)) == expected


def test_a_line_is_as_it_stood(opened: tuple[Page, list[str]]) -> None:
    """Each is found by a pattern that only the whole line has."""
    tab, texts = opened
    lines = [text.split("\n") for text in texts]
    expected = {}
    for first, *_ in lines[:64:3]:
        query = f"/^{re.escape(first).replace('/', chr(92) + '/')}$/"
        expected[query] = sum(first in each for each in lines)
    assert answers(tab, list(expected)) == expected


PROBE = """() => {
    %s
    const values = {id: ["ab", "e", "\\u0001", "-", "a\\u0002"], session: ["ab", "[x", "", "s=", "b"],
        span: ["", "b", "12", "", "2"]};
    const valueOf = (hole, r) => values[hole][r];
    const lines = [];
    const requests = [];
    const messages = [];
    for (let i = 0; i < 400; i++) {
        const r = i %% 6 - 1;
        const time = i %% 2 ? "2024-01-15T10:30:05." + i : "2024-01-15 10:30:05";
        const ids = r < 0 ? "-|session=-" : `${values.id[r]}|session=${values.session[r]}`;
        const head = `${time} - InFO - [req=${ids}${r > 0 ? "|span=" + values.span[r] : ""}] - `;
        lines.push(head + ["e b", "", "] - x", "a\\u0001b", "\\ud83d"][i %% 5]);
        requests.push(r);
        messages.push(head.length);
    }
    const chunk = folded(lines, messages, requests, valueOf);
    const wrong = chunk.headOf === null ? ["nothing was folded"] : [];
    const words = new Set([" - [", "] -", "x\\u0001"]);
    lines.forEach((line, at) => {
        if (unfolded(chunk, at, requests[at], valueOf) !== line) wrong.push(line);
        if (at < 60) for (let from = 0; from < line.length; from++)
            for (const size of [1, 2, 3, 5, 9, 14]) words.add(line.slice(from, from + size));
    });
    const isIn = (text, word) => text.toUpperCase().includes(word.toUpperCase());
    const kinds = [0, 0, 0];
    for (const word of words) for (let at = 0; at < 30; at++) {
        const head = chunk.heads[chunk.headOf[at]];
        if (!head) continue;
        const rest = chunk.text.slice(chunk.offset[at], chunk.offset[at + 1] - 1);
        const place = placeIn(head, word);
        kinds[place]++;
        const isFound = isIn(lines[at], word);
        const isByParts = isIn(rest, word) ||
            head.holes.some((hole) => isIn(valueOf(hole, requests[at]), word));
        if (place === 0 && isFound !== isByParts) wrong.push(`${word} in ${lines[at]}`);
        if (place === 2 && !isFound) wrong.push(`no ${word} in ${lines[at]}`);
    }
    return [wrong.slice(0, 5), Math.min(...kinds) > 0];
}"""


def test_a_word_is_where_its_head_says(browser: Browser) -> None:
    """Of each piece of each line: only where it may lie across an edge is a line asked for it."""
    source = (files("asgi_trace._cli.view") / "heads.js").read_text(encoding="utf-8")
    tab = browser.new_page()
    try:
        assert tab.evaluate(PROBE % source.replace("export ", "")) == [[], True]
    finally:
        tab.close()
