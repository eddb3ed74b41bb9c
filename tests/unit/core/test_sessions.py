from __future__ import annotations

import re
from typing import Any

import pytest

from asgi_trace import RequestTracingMiddleware, get_session_id
from asgi_trace._core.ids import secret_digest
from asgi_trace._core.sessions import SessionResolver

from ...asgi import hello, http_scope, step

X_SESSION = (b"x-session-id", b"from-session")
X_CORRELATION = (b"x-correlation-id", b"from-correlation")
MCP_SESSION = (b"mcp-session-id", b"from-mcp")
BEARER = (b"authorization", b"Bearer s3cret-token")
DIGEST = secret_digest()(b"s3cret-token")
QUERY = b"a=1&session_id=from-query&b=2"
LONG = b"x" * 2**20


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ([BEARER, MCP_SESSION, X_CORRELATION, X_SESSION], QUERY, "from-session"),
        ([BEARER, MCP_SESSION, X_CORRELATION], QUERY, "from-correlation"),
        ([BEARER, MCP_SESSION], QUERY, "from-mcp"),
        ([BEARER], QUERY, "from-query"),
        ([BEARER], b"", DIGEST),
        ([], QUERY, "from-query"),
        # an invalid value falls through to the next source, and a valid one behind it in the same
        # header counts
        ([(b"x-session-id", b"bad id"), X_CORRELATION], b"", "from-correlation"),
        ([(b"x-session-id", b"bad\r\nid"), (b"x-session-id", b"good")], b"", "good"),
        ([(b"x-session-id", b""), (b"x-session-id", b"  "), BEARER], b"", DIGEST),
        ([(b"x-session-id", LONG), BEARER], b"", DIGEST),
        ([(b"x-session-id", b" padded ")], b"", "padded"),
        # the query string
        ([], b"session_id=first&session_id=second", "first"),
        ([], b"session_id=bad%20id&session_id=second", "second"),
        ([], b"session_id=%61%62c", "abc"),
        ([], b"my_session_id=no&session_id=yes", "yes"),
        ([], b"session_idx=no&session_id=yes", "yes"),
        ([], b"x=session_id=no&session_id=yes", "yes"),
        ([BEARER], b"session_id=", DIGEST),
        ([BEARER], b"session_id", DIGEST),
        ([BEARER], b"session_id=a%0d%0aX-Evil:1", DIGEST),
        ([BEARER], b"session_id=%", DIGEST),
        ([BEARER], b"session_id=%zz%e9", DIGEST),
        ([BEARER], b"session_id=" + LONG, DIGEST),
        ([BEARER], b"session_id=" + b"%41" * 2**18, DIGEST),
        ([BEARER], b"session_id&" * 2**16, DIGEST),
        # the scheme's case and blanks do not matter, other schemes do not count
        ([(b"authorization", b"bEARER   s3cret-token  ")], b"", DIGEST),
    ],
)
def test_the_first_valid_source_wins(
    headers: list[tuple[bytes, bytes]], query: bytes, expected: str
) -> None:
    """X-Session-ID, X-Correlation-ID, Mcp-Session-Id, ?session_id=, bearer token."""
    found = []

    async def app(scope: object, receive: object, send: object) -> None:
        found.append(get_session_id())

    step(RequestTracingMiddleware(app), http_scope(headers, query_string=query))
    assert found == [expected]


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic dXNlcjpwYXNz",
        b"Bearers abc",
        b"Token abc",
        b"\xff\xfe",
        b"Digest username=x",
    ],
)
def test_without_any_source_the_session_is_made(authorization: bytes) -> None:
    """An odd Authorization is no session, and each request without one gets its own."""
    made = []

    async def app(scope: object, receive: object, send: object) -> None:
        made.append(get_session_id())

    for _ in range(2):
        step(RequestTracingMiddleware(app), http_scope([(b"authorization", authorization)]))
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("sources", "headers", "expected"),
    [
        (("bearer", "header:X-Session-ID"), [X_SESSION, BEARER], DIGEST),
        (("header:X-Tenant",), [X_SESSION, (b"x-tenant", b"acme")], "acme"),
        (("cookie:sid",), [(b"cookie", b"a=1; sid=s3cret-token; b=2")], DIGEST),
        (("cookie:sid",), [(b"cookie", b"xsid=no;sid=s3cret-token")], DIGEST),
        (("query:sid", "bearer"), [BEARER], DIGEST),
        (("header:Accept",), [(b"accept", b"alice")], "alice"),
    ],
)
def test_sources_can_be_chosen(
    sources: tuple[str, ...], headers: list[tuple[bytes, bytes]], expected: str
) -> None:
    """Order and members are the user's."""
    by_name = {name: [value] for name, value in headers}
    assert SessionResolver(sources).resolve(by_name, b"") == (
        expected,
        sources.index(_winner(sources, headers)),
    )


def _winner(sources: tuple[str, ...], headers: list[tuple[bytes, bytes]]) -> str:
    present = {name.decode() for name, _ in headers}
    names = {"bearer": "authorization", "cookie:sid": "cookie"}
    return next(
        source
        for source in sources
        if names.get(source, source.partition(":")[2].lower()) in present
    )


def test_a_digest_key_makes_digests_ones_own() -> None:
    """The same token has another session id under another key."""
    keyed = SessionResolver(digest_key=b"key").resolve({BEARER[0]: [BEARER[1]]}, b"")[0]
    assert keyed == secret_digest(b"key")(b"s3cret-token") != DIGEST


@pytest.mark.parametrize(
    "source", ["x-session-id", "header:", "query:", "cookie:", "Bearer", "", 7, None]
)
def test_an_unknown_source_fails_early(source: object) -> None:
    """The error names the value, the rule and so the remedy."""
    with pytest.raises(ValueError, match=re.escape(repr(source)) + ".*expected 'header:NAME'"):
        RequestTracingMiddleware(hello, session_sources=[source])  # type: ignore[list-item]


@pytest.mark.parametrize("sources", ["bearer", None, 5])
def test_a_lone_string_is_no_list_of_sources(sources: Any) -> None:
    """A forgotten comma would be read as one source a letter."""
    with pytest.raises(ValueError, match=rf"{sources!r}; expected a sequence .* \('bearer',\)"):
        RequestTracingMiddleware(hello, session_sources=sources)


def test_a_key_that_is_too_long_fails_early() -> None:
    """BLAKE2b takes 64 bytes."""
    with pytest.raises(ValueError, match=r"65 bytes.*at most 64"):
        RequestTracingMiddleware(hello, digest_key="k" * 65)
