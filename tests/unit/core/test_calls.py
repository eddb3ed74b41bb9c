"""
Which call to an MCP server a request carries, and that a client's words cannot mislead a reader of
the log.
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    RequestTracingMiddleware,
    TextFormatter,
    TraceContext,
    bound_request_metadata,
    get_request_metadata,
)
from asgi_trace._cli.main import main
from asgi_trace._core.calls import MAX_WORD_LENGTH, clean
from asgi_trace._core.lines import parse
from asgi_trace._mcp.protocol import read_header
from asgi_trace.loggers import loguru_patcher, structlog_processor

from ...asgi import HELLO_BODY, HELLO_START, http_scope, step

ADD = ((b"mcp-method", b"tools/call"), (b"mcp-name", b"add"))


def seen(
    *headers: tuple[bytes, bytes], response: tuple[tuple[bytes, bytes], ...] = (), **options: Any
) -> Any:
    """What an app finds as its request's metadata, when it has responded."""
    found = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**HELLO_START, "headers": list(response)})
        found.append(get_request_metadata())
        await send(HELLO_BODY)

    step(RequestTracingMiddleware(app, **options), http_scope(headers, method="POST"))
    return found[0]


def told(metadata: RequestMetadata) -> tuple[str | None, ...]:
    return metadata.mcp_method, metadata.mcp_name, metadata.jsonrpc_id, metadata.mcp_call


def encoded(text: str) -> bytes:
    return b"=?base64?" + b64encode(text.encode()) + b"?="


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), (None, None, None, None)),
        (ADD, ("tools/call", "add", None, "tools/call add")),
        (((b"mcp-method", b"tools/list"),), ("tools/list", None, None, "tools/list")),
        (((b"mcp-name", b"add"),), (None, None, None, None)),
        (
            (ADD[0], (b"mcp-name", encoded("añadir"))),
            ("tools/call", "añadir", None, "tools/call añadir"),
        ),
        (
            (ADD[0], (b"mcp-name", b"=?base64?!!?=")),
            ("tools/call", "=?base64?!!?=", None, "tools/call =?base64?!!?="),
        ),
        ((ADD[0], (b"mcp-name", b"=?base64?A?=")), ("tools/call", None, None, "tools/call")),
        (
            (ADD[0], (b"mcp-name", b"  "), (b"mcp-name", b"add")),
            ("tools/call", "add", None, "tools/call add"),
        ),
        (
            (ADD[0], (b"mcp-name", encoded("a\nb"))),
            ("tools/call", "a%0Ab", None, "tools/call a%0Ab"),
        ),
    ],
)
def test_the_headers_name_the_call(
    headers: tuple[tuple[bytes, bytes], ...], expected: tuple[str | None, ...]
) -> None:
    """The method, and with it the name of the tool, decoded where it came as base64."""
    assert told(seen(*headers)) == expected
    assert told(seen(*headers, trust_inbound=False)) == expected


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, None),
        ("", None),
        (" \t\n", None),
        (7, "7"),
        ("add", "add"),
        ("get weather", "get%20weather"),
        ("file:///etc/motd", "file:///etc/motd"),
        ("db://alice:s3cret@host/t?token=s3cret#s3cret", "db://***@host/t?***"),
        (
            "x] - [req=evil|session=evil] - paid",
            "x%5D%20-%20%5Breq=evil%7Csession=evil%5D%20-%20paid",
        ),
        ("a\x1b[31m\u202e\u200b\u2028\ud800", "a%1B%5B31m%E2%80%AE%E2%80%8B%E2%80%A8%ED%A0%80"),
        ("x" * 128, "x" * 128),
        ("x" * 129, "x" * 128 + "..."),
        (10**5000, None),
    ],
    ids=lambda each: repr(each)[:40] if not isinstance(each, int) else "number",
)
def test_a_word_is_safe_on_a_line(said: object, kept: str | None) -> None:
    """Nothing that ends a line, a bracket or a word; no arguments, no credentials; bounded."""
    assert clean(said) == kept


@given(st.one_of(st.text(), st.integers(), st.binary()))
def test_whatever_is_said_stays_one_word(said: object) -> None:
    kept = clean(said)
    assert kept is None or (kept.isprintable() and not set(kept) & set(" []|") and kept)
    assert kept is None or len(kept) <= 12 * (MAX_WORD_LENGTH + 3)
    named = clean(said, blanks=True)
    assert named is None or named == named.strip()


@given(st.text(max_size=MAX_WORD_LENGTH))
def test_base64_is_read_back(text: str) -> None:
    """As SEP-2243 writes what is not plain ASCII."""
    text = text.encode("utf-8", "ignore").decode()
    assert read_header(encoded(text)) == text


def test_a_header_of_any_size_is_read() -> None:
    """As far as it is kept."""
    assert clean(read_header(encoded("ü" * 60_000))) == clean("ü" * 129)
    assert clean(read_header(b"x" * 60_000)) == "x" * 128 + "..."


def test_the_fields_can_be_set() -> None:
    """By whoever knows the call otherwise: cleaned all the same, and only of this request."""
    metadata = RequestMetadata()
    assert told(metadata) == (None, None, None, None)
    metadata.mcp_name, metadata.jsonrpc_id = "get weather\n", 7
    assert told(metadata) == (None, "get weather", "7", None)
    metadata.mcp_method = "tools/ call"
    assert told(metadata) == ("tools/%20call", "get weather", "7", "tools/%20call get weather #7")
    assert told(copy(metadata)) == told(metadata)
    metadata.mcp_method = None
    assert metadata.mcp_call is None
    assert told(RequestMetadata()) == (None, None, None, None)


def test_what_is_set_outranks_the_headers() -> None:
    metadata = seen(*ADD)
    metadata.jsonrpc_id = 7
    assert told(metadata) == ("tools/call", "add", "7", "tools/call add #7")
    metadata.mcp_name = "sub"
    assert metadata.mcp_call == "tools/call sub #7"


@pytest.mark.parametrize(
    ("headers", "response", "expected"),
    [
        ((), (), None),
        (((b"mcp-session-id", b"m1"),), (), "m1"),
        (((b"mcp-session-id", b"bad one"), (b"mcp-session-id", b"m1")), (), "m1"),
        ((), ((b"Mcp-Session-Id", b"m2"),), "m2"),
        (((b"mcp-session-id", b"m1"),), ((b"mcp-session-id", b"m2"),), "m1"),
        ((), ((b"mcp-session-id", b"bad one"),), None),
    ],
)
def test_the_session_of_mcp_is_kept_beside_ours(
    headers: Any, response: Any, expected: str | None
) -> None:
    """Whichever session outranks it: two users behind one shared client have the same one."""
    metadata = seen((b"x-session-id", b"alice"), *headers, response=response)
    assert (metadata.session_id, metadata.mcp_session_id) == ("alice", expected)
    assert copy(metadata).mcp_session_id == expected
    metadata.mcp_session_id = "set"
    assert metadata.mcp_session_id == "set"


@pytest.mark.parametrize(
    ("formatter", "shown"),
    [
        (
            TextFormatter(),
            r".*\] \[tools/call get weather #7\] - rain\n.*\] \[tools/call get weather #7\] \| and wind",
        ),
        (
            JSONFormatter(),
            r'.*"mcp_method": "tools/call", "mcp_name": "get weather", "jsonrpc_id": "7".*',
        ),
        (LogfmtFormatter(), r'.* mcp_method=tools/call mcp_name="get weather" jsonrpc_id=7.*'),
    ],
    ids=["text", "json", "logfmt"],
)
def test_each_line_tells_its_call(formatter: logging.Formatter, shown: str) -> None:
    """In each form, and the same when it is read."""
    metadata = RequestMetadata("alice", "r1")
    metadata.mcp_method, metadata.mcp_name, metadata.jsonrpc_id = "tools/call", "get weather", 7
    with bound_request_metadata(metadata):
        text = formatter.format(logging.makeLogRecord({"msg": "rain\nand wind"}))
    assert re.fullmatch(shown, text), text
    record = parse(text)
    assert record is not None
    assert (record.message, record.request_id) == ("rain\nand wind", "r1")
    assert (record.mcp_method, record.mcp_name, record.jsonrpc_id) == (
        "tools/call",
        "get weather",
        "7",
    )


@pytest.mark.parametrize("options", [{}, {"trust_inbound": False, "session_sources": ()}])
def test_the_first_line_tells_what_the_headers_tell(options: Any) -> None:
    """Whatever else is not read from them."""
    lines = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        metadata.session_id, metadata.trace = "set", TraceContext("a" * 32, "b" * 16)
        lines.append(TextFormatter().format(logging.makeLogRecord({"msg": "rain"})))
        await send(HELLO_START)

    step(RequestTracingMiddleware(app, **options), http_scope(ADD))
    assert lines[0].endswith("|session=set] [tools/call add] - rain")


def test_structlog_and_loguru_are_told_too() -> None:
    """The keys are there where there is a call."""
    metadata = RequestMetadata("alice", "r1")
    told = {"mcp_method": "tools/call", "mcp_name": "add", "jsonrpc_id": "7"}
    for named, expected in (({}, {}), (told, told)):
        for name, value in named.items():
            setattr(metadata, name, value)
        extra: dict[str, Any] = {}
        with bound_request_metadata(metadata):
            event = structlog_processor(None, "info", {"_record": logging.makeLogRecord({})})
            loguru_patcher({"exception": None, "extra": extra})
            assert structlog_processor(None, "info", {}).items() == event.items() - {
                ("_record", event["_record"])
            }
        ids = {"request_id": "r1", "session_id": "alice"} | {
            "trace_id": metadata.trace_id,
            "span_id": metadata.span_id,
        }
        assert extra == ids | expected
        assert event == ids | expected | {"_record": event["_record"]}


def test_grep_reads_such_lines(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = tmp_path / "app.log"
    head = "2026-11-22 10:30:15 - INFO - [req=r1|session=alice]"
    log.write_text(
        f"{head} [tools/call add #7] - rain\n{head.replace('r1', 'r2')} [tools/call add #8] - sun\n"
    )
    assert main(["grep", "--request", "r1", str(log)]) == 0
    assert capfdbinary.readouterr().out.decode() == f"{head} [tools/call add #7] - rain\n"
