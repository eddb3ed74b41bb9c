from __future__ import annotations

import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from asgi_trace import RequestTracingFilter, RequestTracingMiddleware, get_session_id
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
BAGGAGE = (b"baggage", b"tier=gold, session.id = from-baggage;prop=1,a=b")


def session_of_a_line() -> str | None:
    """Return the session that a log line at this moment has, or None."""
    record = logging.LogRecord("shop", logging.INFO, "shop.py", 1, "line", (), None)
    RequestTracingFilter().filter(record)
    session_id: str = vars(record)["session_id"]
    return None if session_id == "none" else session_id


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ([BEARER, MCP_SESSION, X_CORRELATION, X_SESSION], QUERY, "from-session"),
        ([BEARER, MCP_SESSION, X_CORRELATION], QUERY, "from-correlation"),
        ([BEARER, MCP_SESSION], QUERY, "from-mcp"),
        ([BEARER, BAGGAGE], QUERY, "from-query"),
        ([BEARER, BAGGAGE], b"", "from-baggage"),
        ([BEARER], b"", DIGEST),
        ([(b"baggage", b"my.session.id=no,session.id=a%2Db")], b"", "a-b"),
        ([(b"baggage", b"session.id=bad id,session.id=yes")], b"", "yes"),
        ([(b"baggage", b"session.id=a%0d%0ab"), BEARER], b"", DIGEST),
        ([(b"baggage", b"session.id"), BEARER], b"", DIGEST),
        ([(b"baggage", b"a=" + LONG + b",session.id=far"), BEARER], b"", DIGEST),
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
    """X-Session-ID, X-Correlation-ID, Mcp-Session-Id, ?session_id=, baggage, bearer token."""
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
    "source", ["x-session-id", "header:", "query:", "cookie:", "baggage:", "User", "", 7, None]
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


def test_a_strangers_baggage_is_no_session() -> None:
    """Anybody may write it, as any header; those outrank nothing that the operator has chosen."""
    found = []

    async def app(scope: object, receive: object, send: object) -> None:
        found.append(get_session_id())

    for trusted in (False, ["10.0.0.0/8"]):
        shim = RequestTracingMiddleware(app, trust_inbound=trusted)
        step(shim, http_scope([BAGGAGE, BEARER]))
    assert found == [DIGEST, DIGEST]


class Unready:
    @property
    def identity(self) -> str:
        raise NotImplementedError

    is_authenticated = True
    username = "alice"


ALICE = secret_digest()(b"alice")


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (SimpleNamespace(access_token=SimpleNamespace(subject="alice", client_id="app")), ALICE),
        (SimpleNamespace(access_token=SimpleNamespace(claims={"sub": "alice"})), ALICE),
        (SimpleNamespace(access_token=SimpleNamespace(subject=None, client_id="alice")), ALICE),
        (SimpleNamespace(identity="alice"), ALICE),
        (SimpleNamespace(pk=7), secret_digest()(b"7")),
        ({"sub": "alice", "id": "x"}, ALICE),
        (Unready(), ALICE),
        (SimpleNamespace(is_authenticated=False, username="alice"), "from-session"),
        (None, "from-session"),
        (object(), "from-session"),
    ],
)
@pytest.mark.parametrize("read", [get_session_id, session_of_a_line])
def test_a_user_is_a_session_once_the_app_knows_it(
    read: Callable[[], str | None], user: object, expected: str
) -> None:
    """Before that there is none, rather than one that ends with the authentication."""
    found = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(read())
        scope["user"] = user
        found.append(read())
        await hello(scope, receive, send)
        found.append(read())

    options: list[dict[str, Any]] = [{}, {"traceresponse": True}, {"trust_inbound": ["unix"]}]
    for each in options:
        found.clear()
        shim = RequestTracingMiddleware(
            app, session_sources=("user", "header:X-Session-ID"), **each
        )
        step(shim, http_scope([X_SESSION]))
        assert found == [None, expected, expected]


def test_a_line_before_the_user_is_known_has_no_session() -> None:
    """Also in a request without any inbound id, whose ids are all found at once."""
    found = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(session_of_a_line())
        scope["user"] = SimpleNamespace(identity="alice")
        found.append(session_of_a_line())
        await hello(scope, receive, send)

    step(RequestTracingMiddleware(app, session_sources=("user", "bearer")), http_scope())
    assert found == [None, ALICE]


def test_without_a_user_the_next_source_is_used_once_the_app_responds() -> None:
    found = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        found.append(get_session_id())

    shim = RequestTracingMiddleware(app, session_sources=("user", "header:X-Session-ID"))
    step(shim, http_scope([X_SESSION]))
    assert found == ["from-session"]
