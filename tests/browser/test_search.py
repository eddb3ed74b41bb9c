"""The language of the search: alternatives, negation, and the fields that lines have of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ..viewer import stamped
from .conftest import new_context, opening, page_of

LOG = "\n".join(
    [
        stamped(0, "Cart opened user=7 total=12.50", "r1", "alice"),
        stamped(1, 'Cart paid user="7" note="two words"', "r1", "alice"),
        stamped(2, "GET /cart 200 10.0ms 1B http 127.0.0.1:1", "r1", "alice"),
        stamped(3, "Connecting to localhost:8000", "r2", "bob"),
        stamped(4, "GET /pay 502 10.0ms 1B http 127.0.0.1:1", "r2", "bob"),
        '{"timestamp": "2024-01-15T10:30:05.000Z", "level": "INFO", "request_id": "r3",'
        ' "session_id": "carol", "message": "Paid", "user": {"id": 42, "name": "Carol", "full": "Carol the Great"},'
        ' "total": 99.5, "tags": ["gift", "new"], "items": [{"sku": "B-1"}, {"sku": "B-2"}]}',
        '{"timestamp": "2024-01-15T10:30:06.000Z", "level": "INFO", "request_id": "r3",'
        ' "session_id": "carol", "message": "id 42", "place": "New York", "user": {"id": 421}, "id": 5, "total": 100}',
    ]
)


@pytest.fixture(scope="module")
def tab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    context = new_context(browser)
    with opening(context) as open_it:
        yield open_it(page_of(LOG, tmp_path_factory.mktemp("search")))
    context.close()


def answer(tab: Page, query: str) -> str:
    tab.fill("#query", "")
    expect(tab.locator("#answer")).to_have_text("")
    tab.fill("#query", query)
    whole = tab.locator("#answer:not([aria-busy=true])")
    expect(whole).not_to_have_text("")
    return whole.inner_text()


ANSWERS = {
    # Of alternatives one must hold; what stands between two OR must hold together.
    "status:200 OR status:502": "5 lines, 2 requests",
    "session:alice paid OR Connecting": "2 lines, 2 requests",
    "-session:alice -session:carol OR total": "5 lines, 3 requests",
    "status:502 OR nowhere": "2 lines, 1 request",
    '"OR" localhost': "0 lines, 0 requests",
    # A field of logfmt or of JSON, whole, in any case.
    "user:7": "2 lines, 1 request",
    'note:"two words"': "1 line, 1 request",
    "note:two*": "1 line, 1 request",
    "message:PAID": "2 lines, 2 requests",
    "-user:7": "5 lines, 3 requests",
    "user:*": "4 lines, 2 requests",
    # Numbers compare; dots lead into objects, and through lists.
    "total:>12": "3 lines, 2 requests",
    "total:<=99.5": "2 lines, 2 requests",
    "total:100.0": "1 line, 1 request",
    "user.id:42": "1 line, 1 request",
    "user.id:>42": "1 line, 1 request",
    "id:42": "0 lines, 0 requests",
    "id:5": "1 line, 1 request",
    "tags:gift": "1 line, 1 request",
    "items.sku:B-2": "1 line, 1 request",
    'user.full:"Carol the Great"': "1 line, 1 request",
    'place:"New York"': "1 line, 1 request",
    "request_id:r3": "2 lines, 1 request",
    "user.name:carol OR user:7": "3 lines, 2 requests",
}


def test_searches_find(tab: Page) -> None:
    """Each answer is that of all lines, and no answer has a note where the field is known."""
    assert {query: answer(tab, query) for query in ANSWERS} == ANSWERS


def test_an_unknown_field_says_so(tab: Page) -> None:
    """The term is then searched for as it stands: a colon may be text."""
    assert answer(tab, "usr:7") == (
        "0 lines, 0 requests; no line has a field usr: searched for the text usr:7"
    )
    assert answer(tab, "localhost:8000") == (
        "1 line, 1 request; no line has a field localhost: searched for the text localhost:8000"
    )
    assert answer(tab, "http://x") == "0 lines, 0 requests"


@pytest.mark.parametrize(
    ("query", "words"),
    [("OR paid", "OR needs a term before it"), ("paid OR", "OR needs a term behind it")],
)
def test_an_alternative_needs_terms(tab: Page, query: str, words: str) -> None:
    assert answer(tab, query) == words
    assert tab.locator("#query").get_attribute("aria-invalid") == "true"


def test_words_of_all_alternatives_are_marked(tab: Page) -> None:
    answer(tab, "opened OR Connecting -paid")
    assert tab.locator("#grid mark").all_inner_texts() == ["opened", "Connecting"]


# Enough lines that their heads are kept apart; some have further lines, and some words are in heads.
MANY = [
    stamped(
        number / 10,
        ("item 47 is sold", "Cache miss 7", "user:17 paid\n  by card 17", "30:15 INFO item 4|7")[
            number % 4
        ],
        f"r{number % 9}",
        f"item{number % 3}",
    )
    for number in range(200)
]
# What to search for, and regular expressions of which one must match.
PATTERNS = {
    "item OR Cache": ["item", "Cache"],
    "sold OR 7 OR nowhere": ["sold", "7", "nowhere"],
    "/item \\d*7\\b/": [r"item \d*7\b"],
    "/item .*7/": [r"item .*7"],
    "/item\\d.*7/": [r"item\d.*7"],
    "/item|Cache.*7$/": [r"item|Cache.*7$"],
    "/item 4\\||paid/": [r"item 4\||paid"],
    "/(sold|paid)\\b/": [r"(sold|paid)\b"],
    "/paid\\s+by/": [r"paid\s+by"],
    "/paid[^x]*17/": [r"paid[^x]*17"],
    "/paid.*17/": [r"paid.*17"],
    "/paid.*17/s": [r"(?s)paid.*17"],
    "/^  by/": [r"^  by"],
    "/30:1.*Cache/": [r"30:1.*Cache"],
    "/30:15 INFO/": [r"30:15 INFO"],
    "/INFO - \\[req=r1.*miss/": [r"INFO - \[req=r1.*miss"],
    "/cache MISS/i": [r"(?i)cache MISS"],
    "/[|]7/": [r"[|]7"],
    # Without a word that each match has: by the scan of an automaton, and by what the heads have.
    **{
        f"/{pattern}/": [pattern]
        for pattern in (
            *(
                r"(a|b) \d",
                r"\d{3} \w",
                r"\d\d:\d\d",
                r"5\d\d",
                r"\b5\d\d\b",
                r"[A-Z]{5,}",
                r"\s\d$",
                r"^\S+ \d",
            ),
            *(
                r"\d+ .* \d+",
                r"r[3-5]",
                r"=r\d\|",
                r"=\w\d",
                r"m[01]\]",
                r"\d\]",
                r"\] - \w",
                r"- [a-z]{4} \d",
            ),
            *(
                r"Z - [IN]+F",
                r"\dZ",
                r"\d\b",
                r"\dZ\b",
                r"^\d",
                r"^[a-z]",
                r"^$",
                r"x*",
                r"\b",
                r"\w$",
                r"[^\d]{40}",
            ),
            *(
                r"\d\n",
                r"\s{3}",
                r"\W{3}\d",
                r"\D{30}",
                r"[\s\S]7",
                r".{60}",
                r"^.{61,}$",
                r"(?:d|y) (?:\d\d?|7){1,2}$",
            ),
            *(
                r"\w+ \w+ \w+ \w+",
                r"[^m]+\]",
                r"(\d)\1",
                r"(?<=- )u",
                r"(?!a)[ab]",
                r"\Bs",
                r"\.[05]\d{2}Z",
                r"\t|\d0",
            ),
            *(
                r"- \[",
                r"- (\[|\d)",
                r"\[(req|r)=",
                r"[r|s]+e[qs]",
                r"O - ",
                r"1[05]:\d+ (I|c)",
                r"\{|\}|\d\{2",
                r"7{1}|4{2}",
            ),
        )
    },
}


def test_searches_find_what_a_plain_loop_finds(browser: Browser, tmp_path: Path) -> None:
    """However they are answered: by one scan, by what the heads of lines have, or line by line."""
    context = new_context(browser)
    with opening(context) as open_it:
        tab = open_it(page_of("\n".join(MANY), tmp_path))
        found = {query: answer(tab, query).split()[0] for query in PATTERNS}
    context.close()
    assert found == {
        query: str(sum(any(re.search(p, line, re.M) for p in patterns) for line in MANY))
        for query, patterns in PATTERNS.items()
    }
