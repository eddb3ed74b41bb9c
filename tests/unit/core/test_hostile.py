"""
Whatever bytes arrive, the app runs, the response has one valid id, and each log line is one
record's.
"""

from __future__ import annotations

import io
import logging
import re
from contextvars import Context
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_trace import RequestTracingMiddleware, TextFormatter, get_request_metadata, inject

from ...asgi import call, hello, http_scope, response_ids, websocket_scope

NAMES = [
    b"x-request-id",
    b"x-session-id",
    b"x-correlation-id",
    b"mcp-session-id",
    b"authorization",
    b"cookie",
    b"traceparent",
    b"tracestate",
    b"baggage",
    b"accept",
    b"host",
]
NASTY = [
    b"",
    b"  ",
    b"a\r\nX-Evil: 1",
    b"a\nFAKE",
    b"a\x00b",
    b"\x1b[31m",
    b"a\x85b",
    "\u2028\u202e".encode(),
    b"\xff\xfe",
    b"%0d%0a",
    b"Bearer \r\n",
    b"Bearer \xff\x00",
    b'"><script>',
    b"${jndi:ldap://x}",
    b"x" * 129,
]
ID = r"[A-Za-z0-9._~+/=:@-]"
CALL = r"(?: \[[^\[\]|]+\])?"
SPAN = r"(?:\|span=[0-9a-f]{16})?"
LINE = re.compile(
    rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d - INFO - \[req={ID}{{1,128}}\|session={ID}{{1,128}}{SPAN}\]{CALL} - \S+"
)

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

values = st.one_of(st.sampled_from(NASTY), st.binary(max_size=300))
parents = st.builds(
    b"".join, st.lists(st.sampled_from([PARENT[:35], PARENT[35:], PARENT, b"-", b"x", b"\n"]))
)
traces = st.tuples(st.just(b"traceparent"), st.one_of(st.just(PARENT), parents))
PIECES = [b"a", b"A", b"@", b"=", b",", b";", b" ", b"\t", b"\n", b"\xff", b'"', b"1=2"]
lists = st.tuples(
    st.sampled_from([b"tracestate", b"baggage"]), st.lists(st.sampled_from(PIECES)).map(b"".join)
)
any_header = st.tuples(st.one_of(st.sampled_from(NAMES), st.binary(max_size=20)), values)
headers = st.lists(st.one_of(any_header, traces, lists), max_size=12)
queries = st.one_of(st.binary(max_size=300), values.map(lambda value: b"session_id=" + value))


def serve(scope: dict[str, Any], **options: Any) -> tuple[list[dict[str, Any]], str]:
    """Let an app that logs and reads everything answer; return what the server and the log got."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    logger = logging.Logger("hostile")
    logger.addHandler(handler)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        assert all([metadata.trace, metadata.transport_type, repr(metadata)])
        # What goes on to others.
        assert re.fullmatch("[ -~]*", metadata.tracestate + metadata.baggage)
        assert [
            value
            for value in inject({}, session=True).values()
            if not re.fullmatch("[ -~]+", value)
        ] == []
        logger.info("served")
        await hello(scope, receive, send)
        logger.info("done")

    coroutine = call(RequestTracingMiddleware(app, **options), scope)
    with pytest.raises(StopIteration) as stopped:
        Context().run(coroutine.send, None)
    return stopped.value.value, stream.getvalue()


def check(scope: dict[str, Any], **options: Any) -> None:
    messages, log = serve(scope, **options)
    (request_id,) = response_ids(messages)
    assert re.fullmatch(rb"[A-Za-z0-9._~+/=:@-]{1,128}", request_id)
    lines = log.splitlines()
    assert len(lines) == 2
    assert [line for line in lines if not LINE.fullmatch(line) or not line.isprintable()] == []
    assert all(f"[req={request_id.decode()}|" in line for line in lines)


@given(headers, queries, st.booleans(), st.booleans())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_safe(pairs: Any, query: bytes, websocket: bool, trust: bool) -> None:
    """In headers of any name and number, and in the query string."""
    make = websocket_scope if websocket else http_scope
    check(make(pairs, query_string=query), trust_inbound=trust)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", NASTY)
def test_known_attacks_are_safe(name: bytes, value: bytes) -> None:
    check(http_scope([(name, value), (name, value)]))


MIB = 2**20


LARGE: list[tuple[list[tuple[bytes, bytes]], bytes]] = [
    *(([(name, b"x" * MIB)], b"") for name in NAMES),
    *(([(name, b"x" * MIB + b"\n")], b"") for name in NAMES),
    ([(b"authorization", b"Bearer " + b"x" * MIB)], b""),
    ([(b"authorization", b" " * MIB + b"Bearer x")], b""),
    ([(b"cookie", b"; " * (MIB // 2))], b""),
    ([(b"x-request-id", b"bad id")] * 10_000, b""),
    ([(b"x-session-id", b"\x00")] * 10_000, b""),
    ([(b"x-%d" % number, b"1") for number in range(10_000)], b""),
    ([(b"traceparent", b"0" * MIB)], b""),
    ([(b"traceparent", PARENT), (b"tracestate", b"," * MIB)], b""),
    ([(b"traceparent", PARENT), (b"tracestate", b"a=1," * (MIB // 4))], b""),
    ([(b"traceparent", PARENT), (b"tracestate", b"a= " + b" " * MIB)], b""),
    ([(b"baggage", b"," * MIB)], b""),
    ([(b"baggage", b"a=1;b," * (MIB // 6))], b""),
    ([(b"baggage", b"a=1;" + b"b" * 4000 + b" " * 4000 + b"!?")], b""),
    ([(b"baggage", b"a=1" + b" ;b" * 2700 + b"\x7f")], b""),
    ([], b"x" * MIB),
    ([], b"&" * MIB),
    ([], b"session_id=" * (MIB // 11)),
    ([], b"session_id=&" * (MIB // 12)),
    ([], b"session_id=%" * (MIB // 12)),
    ([], b"session_id=" + b"%41" * (MIB // 3)),
    ([], b"=" * MIB),
]


@pytest.mark.parametrize(("pairs", "query"), LARGE, ids=range(len(LARGE)))
def test_size_costs_no_more_than_its_reading(
    pairs: list[tuple[bytes, bytes]], query: bytes
) -> None:
    """
    1 MiB values, 10,000 headers: a cost above linear would not end within the test's patience.
    """
    check(
        http_scope(pairs, query_string=query),
        session_sources=("cookie:sid", "header:X-Session-ID", "query:session_id", "bearer"),
    )


SECRET = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0"


@pytest.mark.parametrize(
    ("pairs", "query", "sources"),
    [
        ([(b"authorization", f"Bearer {SECRET}".encode())], b"", ("bearer",)),
        ([(b"authorization", f"bearer  {SECRET} ".encode())], b"", ("bearer",)),
        ([(b"cookie", f"sid={SECRET}".encode())], b"", ("cookie:sid",)),
        (
            [(b"cookie", f"sid={SECRET}".encode())],
            f"token={SECRET}".encode(),
            ("query:session_id",),
        ),
    ],
)
def test_no_part_of_a_secret_is_shown(
    pairs: list[tuple[bytes, bytes]], query: bytes, sources: tuple[str, ...]
) -> None:
    """Not in the response, the log, the metadata or its repr."""
    scope = http_scope(pairs, query_string=query)
    messages, log = serve(scope, session_sources=sources)
    metadata = scope["asgi_trace"]
    shown = f"{messages}{log}{metadata!r}{metadata.session_id}{metadata.trace}"
    assert [SECRET[i : i + 6] for i in range(len(SECRET) - 5) if SECRET[i : i + 6] in shown] == []
