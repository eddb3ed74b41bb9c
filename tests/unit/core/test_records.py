"""
One definition of a line: what is written is what is read, in each form, whatever a message holds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_trace._core.access_lines import (
    format_access,
    format_outgoing,
    format_usual_access,
    parse_access,
    parse_outgoing,
)
from asgi_trace._core.lines import (
    format_json,
    format_json_ids,
    format_json_line,
    format_logfmt,
    format_text,
    parse,
    parse_line,
    short_session,
)
from asgi_trace._core.record import STORES, Naming, Record

BIDI_CONTROLS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")

TEXT_LINE = "2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|session=12345678] - Processing payment"
SAMPLE = Record(
    "2024-01-15T10:30:15.123+01:00",
    "ERROR",
    "shop.orders",
    "Payment failed",
    "a1b2c3d4",
    "12345678-90ab",
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    "tools/call",
    "add",
    "7",
    {
        "type": "KeyError",
        "message": "'bulb'",
        "stacktrace": "Traceback (most recent call last):\nKeyError: 'bulb'",
    },
    {"order": "17", "note": 'two "words"'},
)
JSON_LINE = (
    '{"timestamp": "2024-01-15T10:30:15.123+01:00", "level": "ERROR", "logger": "shop.orders", '
    '"message": "Payment failed", "request_id": "a1b2c3d4", "session_id": "12345678-90ab", '
    '"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", '
    '"mcp_method": "tools/call", "mcp_name": "add", "jsonrpc_id": "7", '
    '"exception": {"type": "KeyError", "message": "\'bulb\'", '
    '"stacktrace": "Traceback (most recent call last):\\nKeyError: \'bulb\'"}, '
    '"order": "17", "note": "two \\"words\\""}'
)
LOGFMT_LINE = (
    "timestamp=2024-01-15T10:30:15.123+01:00 level=ERROR logger=shop.orders "
    'message="Payment failed" request_id=a1b2c3d4 session_id=12345678-90ab '
    "trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 "
    "mcp_method=tools/call mcp_name=add jsonrpc_id=7 "
    'order=17 note="two \\"words\\"" exception.type=KeyError exception.message=\'bulb\' '
    "exception.stacktrace=\"Traceback (most recent call last):\\nKeyError: 'bulb'\""
)

CALL_LINE = TEXT_LINE.replace("] - ", "] [tools/call add #7] - ")

# What ends a line, hides one or turns one round, for some reader.
UNSAFE = {
    chr(code)
    for code in range(sys.maxunicode)
    if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")
}
UNSAFE |= {
    chr(code) for code in range(0x3000) if unicodedata.bidirectional(chr(code)) in BIDI_CONTROLS
}
UNSAFE |= set("\u061c\u200e\u200f")

# Any code point, surrogates too; and whatever could be taken for a line, a head, an escape or a
# field of ours.
PIECES = (
    *(
        "\n",
        "\r",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\u2066",
        "\ud83d",
        "\ude00",
        "\ufeff",
    ),
    *(
        "\\",
        "\\x1b",
        "\\u2028",
        "\\n",
        '"',
        "'",
        "=",
        " ",
        "\t",
        " | ",
        " - ",
        "{",
        "}",
        "[req=x|session=y] - ",
        "] - ",
        " #",
        "#",
    ),
    *(
        "request_id=evil",
        ' request_id="evil"',
        '", "request_id": "evil',
        "none",
        "_",
        TEXT_LINE,
        JSON_LINE,
        LOGFMT_LINE,
    ),
)
ANY_TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(), st.text())).map("".join)
IDS = st.text("ABCZabcz0189._~+/=:@-", min_size=1, max_size=128)
TEXT_TIMES = st.sampled_from(
    (
        "2024-01-15 10:30:15",
        "2024-01-15 10:30:15.123+01:00",
        "2024-01-15 10:30:15,123",
        "10:30:15",
        "15/Jan/2024 10:30",
    )
)
LEVELS = st.sampled_from(
    ("DEBUG", "INFO", "WARNING", "WARN", "CRITICAL", "Level 15", "audit-trail")
)
# Text shows a call by its method; without one, nothing of it.
CALLS = st.tuples(ANY_TEXT.filter(bool), ANY_TEXT, ANY_TEXT) | st.just(("", "", ""))
TEXT_RECORDS = st.tuples(st.tuples(TEXT_TIMES, LEVELS, st.just(""), ANY_TEXT, IDS, IDS), CALLS).map(
    lambda parts: Record(
        *parts[0], mcp_method=parts[1][0], mcp_name=parts[1][1], jsonrpc_id=parts[1][2]
    )
)

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        ANY_TEXT,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
OUR_NAMES = st.sampled_from(
    ("message", "level", "request_id", "request_id_", "timestamp__", "exception.type", "_")
)
THEIR_NAMES = st.sampled_from(
    tuple(sorted({*STORES, *(name for store in STORES.values() for name in store.names.values())}))
)
EXCEPTIONS = (
    st.fixed_dictionaries({"type": ANY_TEXT, "message": ANY_TEXT, "stacktrace": ANY_TEXT})
    | st.none()
)


def named_records(names: Any, values: Any) -> Any:
    return st.builds(
        Record,
        time=ANY_TEXT,
        level=ANY_TEXT,
        logger=ANY_TEXT,
        message=ANY_TEXT,
        request_id=IDS,
        session_id=ANY_TEXT,
        trace_id=ANY_TEXT,
        span_id=ANY_TEXT,
        mcp_method=ANY_TEXT,
        mcp_name=ANY_TEXT,
        jsonrpc_id=ANY_TEXT,
        exception=EXCEPTIONS,
        extra=st.dictionaries(names, values, max_size=4),
        parent_span_id=ANY_TEXT,
        service=ANY_TEXT,
    )


def joined(value: Any) -> Any:
    """*value* with the halves of surrogate pairs made the characters that they are."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if isinstance(value, dict):
        return {joined(key): joined(each) for key, each in value.items()}
    return [joined(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(
    ("form", "record", "line"),
    [
        (
            format_text,
            Record("2024-01-15 10:30:15", "INFO", "", "Processing payment", "a1b2c3d4", "12345678"),
            TEXT_LINE,
        ),
        (
            format_text,
            Record(
                "2024-01-15 10:30:15",
                "INFO",
                "",
                "Processing payment",
                "a1b2c3d4",
                "12345678",
                mcp_method="tools/call",
                mcp_name="add",
                jsonrpc_id="7",
            ),
            CALL_LINE,
        ),
        (format_json, SAMPLE, JSON_LINE),
        (format_logfmt, SAMPLE, LOGFMT_LINE),
    ],
    ids=["text", "a call in text", "json", "logfmt"],
)
def test_each_form_looks_as_documented(form: Any, record: Record, line: str) -> None:
    """
    The article's line to the letter; JSON and logfmt with the names of the tools that read them.
    """
    assert form(record) == line
    assert parse(line) == record


@given(TEXT_RECORDS)
def test_a_text_record_is_read_as_written(record: Record) -> None:
    """
    Any message; and each of its lines carries the ids, none with a character that could end or hide
    it.
    """
    text = format_text(record)
    assert parse(text) == record
    for number, line in enumerate(text.split("\n")):
        assert not UNSAFE.intersection(line)
        found = parse_line(line)
        assert found is not None
        assert (found[0][4:], found[1]) == (record[4:], number > 0)


FIELD_NAMES = ANY_TEXT | st.sampled_from(
    ("tenant", "req", "session", "span", "span_", "req__", "a=b", "|")
)


@given(TEXT_RECORDS, st.dictionaries(FIELD_NAMES, ANY_TEXT, max_size=4), IDS)
def test_fields_in_a_text_record_are_read_as_written(
    record: Record, fields: dict[str, str], span_id: str
) -> None:
    """Behind the ids and the span, on each of its lines, whatever their names and values hold."""
    record = record._replace(extra=fields, span_id=span_id)
    text = format_text(record, fields)
    assert parse(text) == record
    for line in text.split("\n"):
        assert not UNSAFE.intersection(line)
        found = parse_line(line)
        assert found is not None
        assert (found[0].span_id, found[0].extra) == (span_id, fields)


def test_fields_in_a_text_record_look_as_documented() -> None:
    record = Record(
        "2024-01-15 10:30:15",
        "INFO",
        "",
        "Processing payment",
        "a1b2c3d4",
        "12345678",
        span_id="b7ad6b7169203331",
        extra={"tenant": "acme", "plan": "a|b]", "seats": "7"},
    )
    ids = "req=a1b2c3d4|session=12345678|span=b7ad6b7169203331"
    assert format_text(record) == TEXT_LINE.replace("req=a1b2c3d4|session=12345678", ids)
    shown = f"{ids}|tenant=acme|plan=a\\x7cb\\x5d"
    assert format_text(record, ("tenant", "plan", "missing")) == TEXT_LINE.replace(
        "req=a1b2c3d4|session=12345678", shown
    )


@pytest.mark.parametrize(
    ("session_id", "shown"),
    [
        ("f3e2a5c40d16b978855bbc1ab4e3b25a", "f3e2a5c4"),
        ("1234567890abcdef", "12345678"),
        ("F47AC10B-58CC-4372-A567-0E02B2C3D479", "F47AC10B"),
        ("abc12345", "abc12345"),
        ("1234567890abcde", "1234567890abcde"),
        ("alice@example.org", "alice@example.org"),
        ("customer-1234567890abcdef", "customer-1234567890abcdef"),
        ("f47ac10b-58cc-4372-a567-0e02b2c3d479-2", "f47ac10b-58cc-4372-a567-0e02b2c3d479-2"),
        ("none", "none"),
        ("", ""),
    ],
)
def test_what_a_client_named_is_shown_whole(session_id: str, shown: str) -> None:
    """A UUID or 16 and more hexadecimal digits say nothing to a reader, and are cut."""
    assert short_session(session_id) == shown
    assert short_session(session_id, None) == session_id
    assert short_session(session_id, 4) == (shown if shown == session_id else session_id[:4])


@given(named_records(ANY_TEXT | OUR_NAMES, VALUES))
def test_a_json_record_is_read_as_written(record: Record) -> None:
    """One line of ASCII for any message, any extra field, and extra fields with names of ours."""
    line = format_json(record)
    assert line.isascii()
    assert line.isprintable()
    assert joined(parse(line)) == joined(record)


@given(named_records(st.text("abz09._@/-", min_size=1) | OUR_NAMES, ANY_TEXT))
def test_a_logfmt_record_is_read_as_written(record: Record) -> None:
    """One printable line for any message and any extra field of text."""
    line = format_logfmt(record)
    assert not UNSAFE.intersection(line)
    assert parse(line) == record


# What each store reads unasked, and our name for it.
STORE_NAMES = {
    "ecs": {
        "@timestamp": "time",
        "log.level": "level",
        "log.logger": "logger",
        "message": "message",
        "http.request.id": "request_id",
        "trace.id": "trace_id",
        "span.id": "span_id",
        "service.name": "service",
    },
    "gcp": {
        "time": "time",
        "severity": "level",
        "message": "message",
        "logging.googleapis.com/trace": "trace_id",
        "logging.googleapis.com/spanId": "span_id",
    },
    "datadog": {
        "timestamp": "time",
        "status": "level",
        "logger.name": "logger",
        "message": "message",
        "http.request_id": "request_id",
        "dd.trace_id": "trace_id",
        "dd.span_id": "span_id",
        "service": "service",
    },
    "otel": {
        "timestamp": "time",
        "severity_text": "level",
        "body": "message",
        "trace_id": "trace_id",
        "span_id": "span_id",
        "session.id": "session_id",
        "service.name": "service",
    },
}
FULL = SAMPLE._replace(parent_span_id="00f067aa0ba902b7", service="shop")


@pytest.mark.parametrize("store", STORES)
def test_each_stores_names_are_as_documented(store: str) -> None:
    line = json.loads(format_json(FULL, Naming(store)))
    for theirs, ours in STORE_NAMES[store].items():
        assert line.pop(theirs) == getattr(FULL, ours), theirs
    assert FULL.exception is not None
    assert FULL.exception["stacktrace"] in line.values()
    assert {"order": "17", "note": 'two "words"'}.items() <= line.items()
    assert set(line) & {"timestamp", "level", "exception"} == set()


@pytest.mark.parametrize("store", [None, *STORES])
@example(Record("", "INFO", message="m", extra={"otel": {}, "log": {}, "service": {}}))
@example(Record("", "INFO", request_id="0", extra={"@timestamp": None, "log.level": None}))
@example(Record("", "INFO", request_id="0", extra={"severity": "", "time": ""}))
@example(Record("", "INFO", request_id="0", extra={"status": "", "body": "", "severity_text": ""}))
@given(named_records(ANY_TEXT | OUR_NAMES | THEIR_NAMES, VALUES))
def test_a_record_under_any_names_is_read_as_written(store: str | None, record: Record) -> None:
    """Also where the program has fields with the names of a store."""
    line = format_json(record, Naming(store))
    read = parse(line)
    assert read is not None
    assert joined(read) == joined(without_empty_exception(record))


@pytest.mark.parametrize("store", STORES)
@given(named_records(st.text("abz09._@/-", min_size=1) | OUR_NAMES | THEIR_NAMES, ANY_TEXT))
def test_logfmt_under_any_names_is_read_as_written(store: str, record: Record) -> None:
    line = format_logfmt(record, Naming(store))
    assert not UNSAFE.intersection(line)
    assert parse(line) == without_empty_exception(record)


def without_empty_exception(record: Record) -> Record:
    """Where its parts are fields of their own, an exception without any is none."""
    return record if record.exception else record._replace(exception=None)


def test_what_google_puts_before_a_trace_id_is_not_part_of_it() -> None:
    line = format_json(FULL._replace(trace_id="projects/shop/traces/0af7"), Naming("gcp"))
    read = parse(line)
    assert read is not None
    assert read.trace_id == "0af7"


def test_names_that_others_nest_are_read() -> None:
    """As ecs-logging writes them."""
    line = (
        '{"@timestamp": "2024-01-15T10:30:15.123Z", "log.level": "info", "message": "paid", '
        '"ecs": {"version": "1.6.0"}, "log": {"logger": "shop", "origin": {"function": "pay"}}, '
        '"trace": {"id": "0af7"}, "error": {"type": "KeyError", "stack_trace": "Traceback"}}'
    )
    read = parse(line)
    assert read is not None
    assert (read.time, read.level, read.logger) == ("2024-01-15T10:30:15.123Z", "info", "shop")
    assert (read.message, read.trace_id) == ("paid", "0af7")
    assert read.exception == {"type": "KeyError", "stacktrace": "Traceback"}
    assert read.extra == {"log": {"origin": {"function": "pay"}}}


def test_other_names_can_be_given() -> None:
    """To fields of ours, on top of a store's; and to those of the program."""
    naming = Naming(
        "ecs", {"request_id": "labels.request", "note": "labels.note", "logger": 'my "logger"'}
    )
    line = json.loads(format_json(FULL._replace(exception=None), naming))
    assert (line["labels.request"], line["labels.note"], line['my "logger"']) == (
        FULL.request_id,
        'two "words"',
        "shop.orders",
    )
    assert (
        json.loads(format_json(FULL, Naming(rename={"exception": "error"})))["error"]
        == FULL.exception
    )


@pytest.mark.parametrize(
    ("store", "rename", "expected"),
    [
        ("elastic", None, "names is 'elastic'; expected one of ecs, gcp, datadog, otel"),
        (None, {"level": "message"}, "rename gives 'message' to more than one field"),
        (None, {"level": ""}, "rename gives '' to"),
        ("otel", {"level": 7}, "rename gives 7 to 'level'"),
        (None, {"tenant": 7}, "rename gives 7 to 'tenant'"),
    ],
)
def test_names_that_cannot_be_fail_early(store: Any, rename: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        Naming(store, rename)


@pytest.mark.parametrize("form", [format_text, format_json, format_logfmt])
def test_outside_a_request_there_is_no_id(form: Any) -> None:
    """Text says none, the others nothing; all are read alike."""
    record = Record("2024-01-15 10:30:15", "INFO", message="none")
    assert parse(form(record)) == record
    assert ("request_id" in form(record)) is False


@pytest.mark.parametrize("form", [format_json, format_logfmt])
@given(key=ANY_TEXT)
def test_an_extra_field_cannot_pass_for_another(form: Any, key: str) -> None:
    """Whatever its name, the ids and the message stay what they were."""
    record = Record("2024-01-15 10:30:15", "INFO", "shop", "real", "a1b2c3d4", extra={key: "evil"})
    read = parse(form(record))
    assert read is not None
    assert read._replace(extra={}) == record._replace(extra={})
    assert list(read.extra.values()) == ["evil"]


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Proxy:
    """As a web framework's, outside a request."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("outside of a request")

    def __str__(self) -> str:
        return "unbound"


class BrokenDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no")


def nested(depth: int) -> Any:
    value: Any = "end"
    for _ in range(depth):
        value = [value]
    return value


def cycle() -> Any:
    parent: dict[str, Any] = {"name": "parent"}
    parent["children"] = [{"name": str(number), "parent": parent} for number in range(3)]
    return parent


def tangle() -> Any:
    """Thirty dicts, each of which holds all: more paths than there are atoms."""
    knots: list[dict[str, Any]] = [{} for _ in range(30)]
    for knot in knots:
        knot.update((str(number), other) for number, other in enumerate(knots))
    return knots


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ([1, float("inf"), 1.5, None, True], [1, "inf", 1.5, None, True]),
        ({1: "a", None: "b", (2, 3): "c"}, {"1": "a", "None": "b", "(2, 3)": "c"}),
        ((1, {2: "x"}), [1, {"2": "x"}]),
        ({b"\xff": {"ok": True}}, {"b'\\xff'": {"ok": True}}),
        (datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc), "2024-01-15 10:30:00+00:00"),
        (Decimal("0.10"), "0.10"),
        (PurePosixPath("/srv"), "/srv"),
        (ValueError("bad"), "bad"),
        (b"\x00\xff", "b'\\x00\\xff'"),
        (Proxy(), "unbound"),
        (
            cycle(),
            {"name": "parent", "children": [{"name": str(n), "parent": "..."} for n in range(3)]},
        ),
        ("\ud83d", "\ud83d"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_has_no_form_for_is_shown(value: Any, read: Any) -> None:
    """Never an error, and what was next to it stays."""
    record = parse(
        format_json(Record("t", "INFO", message="kept", extra={"value": value, "other": 1}))
    )
    assert record is not None
    assert record.message == "kept"
    assert dict(record.extra) == {"value": read, "other": 1}


@pytest.mark.parametrize("form", [format_json, format_logfmt])
@pytest.mark.parametrize(
    "value",
    [
        Unshowable(),
        [Unshowable()],
        {Unshowable(): 1},
        BrokenDict(a=1),
        nested(100_000),
        tangle(),
        10**5000,
        [10**5000],
    ],
    ids=[
        "unshowable",
        "in a list",
        "as a key",
        "broken dict",
        "deep",
        "tangled",
        "huge",
        "huge in a list",
    ],
)
def test_no_value_breaks_the_line(form: Any, value: Any) -> None:
    """The worst of objects costs its own field at most."""
    line = form(Record("t", "INFO", message="kept", request_id="a1b2c3d4", extra={"value": value}))
    assert len(line) < 2_000_000
    record = parse(line)
    assert record is not None
    assert (record.message, record.request_id) == ("kept", "a1b2c3d4")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "2024-01-15 10:30:15.123+01:00 - INFO - [req=a|session=b] - x",
            ("2024-01-15 10:30:15.123+01:00", "a", "b", "x"),
        ),
        (
            "10:30:16 - WARN - [req=req-001|session=abc12345] - Gateway slow",
            ("10:30:16", "req-001", "abc12345", "Gateway slow"),
        ),
        (
            "2024-01-15 10:30:15,123 - Level 15 - [req=none|session=none] -",
            ("2024-01-15 10:30:15,123", "none", "none", ""),
        ),
        (
            "10:30:16 - INFO - [req=a|session=b] - [c d #7] - x",
            ("10:30:16", "a", "b", "[c d #7] - x"),
        ),
        ("10:30:16 - INFO - [req=a|session=b] [] - x", ("10:30:16", "a", "b", "x")),
        ('{"request_id": "a", "event": "x"}', ("", "a", "none", "x")),
        ('{"timestamp": 5, "request_id": null, "message": ["x"]}', ("5", "none", "none", '["x"]')),
        ('event="it was" level=info request_id=a flag session_id=', ("", "a", "", "it was")),
        (r'timestamp=1 message="a\/b\"c"', ("1", "none", "none", 'a/b"c')),
    ],
)
def test_lines_of_other_writers_are_read(line: str, expected: tuple[str, ...]) -> None:
    """Other dates, other JSON and logfmt writers that carry our ids: as much as is there."""
    record = parse(line)
    assert record is not None, line
    assert (record.time, record.request_id, record.session_id, record.message) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|session=12345678] [tools/call] x] - not closed where it ends",
        "Traceback (most recent call last):",
        '  File "shop.py", line 3, in pay',
        "KeyError: 'bulb'",
        "{",
        '{"message": "no head"}',
        '{"timestamp": "2024-01-15T10:30:15+01:00", "message": "half a li',
        '["timestamp"]',
        '{"timestamp": ' + "[" * 100_000,
        'timestamp=1 message="half a li',
        "a=b",
        "=request_id",
        "2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|sess",
        f"said: {TEXT_LINE}",
        '127.0.0.1:5 - - [22/Nov/2026:16:03:00 +0000] "GET / - [req=x|session=y] - z 1.1" 200',
        '127.0.0.1:5 - "GET /a - INFO - [req=x|session=y] - z HTTP/1.1" 200',
    ],
)
def test_what_is_no_record_is_none(line: str) -> None:
    """Half lines, tracebacks of others, and what a client sends to look like one of ours."""
    assert parse_line(line) is None
    assert parse(line) is None


def test_a_forged_head_in_another_form_is_text() -> None:
    """The form is told from how a line begins; what stands in its message changes nothing."""
    for form in (format_json, format_logfmt):
        record = parse(
            form(
                Record(
                    "9", "INFO", message=" - INFO - [req=evil|session=evil] - x", request_id="real"
                )
            )
        )
        assert record is not None
        assert record.request_id == "real"


def test_an_unstamped_traceback_belongs_to_its_message() -> None:
    """Other formatters stamp a record's first line alone."""
    trace = 'Traceback (most recent call last):\n  File "C:\\x41.py"\nKeyError: 1'
    record = parse(f"{TEXT_LINE}\n{trace}")
    assert record is not None
    assert record.message == f"Processing payment\n{trace}"


def test_the_traceback_is_text_in_every_form() -> None:
    """Where a form keeps it apart, ``text`` puts it behind the message."""
    expected = "Payment failed\nTraceback (most recent call last):\nKeyError: 'bulb'"
    for form in (format_text, format_json, format_logfmt):
        record = parse(form(SAMPLE))
        assert record is not None
        assert record.text == expected


# Other characters are encoded in a word, for streams of any encoding.
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).filter(
    lambda word: word != "-"
)
DURATIONS = st.floats(0, 1e9).map(lambda value: round(value, 1))
ACCESS = st.fixed_dictionaries(
    {},
    optional={
        "method": WORDS,
        "path": WORDS,
        "status": st.integers(0, 999_999_999),
        "duration_ms": DURATIONS,
        "bytes": st.integers(0, 2**64),
        "transport": WORDS,
        "client": WORDS,
        "ttfb_ms": DURATIONS,
        "parent": st.one_of(st.from_regex("[0-9a-f]{16}", fullmatch=True), ANY_TEXT),
        "end": ANY_TEXT,
        "close_code": st.integers().map(str),
    },
)


@given(
    st.one_of(st.sampled_from(["GET", "", None]), ANY_TEXT),
    st.one_of(st.sampled_from(["/items/42", "/a b", "/é"]), ANY_TEXT),
    st.sampled_from([200, 404, None]),
    st.integers(0, 10**9),
    st.sampled_from(["127.0.0.1:5", "[::1]:5", "", None]),
    st.sampled_from([None, 0, 41]),
    st.sampled_from([None, "00f067aa0ba902b7", "a b"]),
)
def test_the_fast_way_to_an_access_line_leads_to_the_same_one(
    method: Any, path: str, status: Any, duration: int, client: Any, ttfb: Any, parent: Any
) -> None:
    """Or to none, where a word is missing or must be made fit."""
    fields = {"method": method, "path": path, "status": status, "duration_ms": duration / 10}
    fields |= {"bytes": 13, "transport": "http", "client": client, "parent": parent}
    fields |= {} if ttfb is None else {"ttfb_ms": ttfb / 10}
    fast = format_usual_access(method, path, status, duration, 13, "http", client, ttfb, parent)
    assert fast in (None, format_access(fields))
    if method == "GET" and path == "/items/42" and status and client:
        assert fast is not None


@given(ACCESS, TEXT_RECORDS)
def test_an_access_line_is_read_as_written(fields: dict[str, Any], record: Record) -> None:
    """By itself, and as the message of a text line."""
    message = format_access(fields)
    assert parse_access(message) == fields
    read = parse(format_text(record._replace(message=message)))
    assert read is not None
    assert read.message == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {
                "method": "GET",
                "path": "/api/payment",
                "status": 200,
                "duration_ms": 12.34,
                "bytes": 345,
                "transport": "http",
                "client": "127.0.0.1:50312",
                "ttfb_ms": 4.1,
            },
            "GET /api/payment 200 12.3ms 345B http 127.0.0.1:50312 ttfb=4.1ms",
        ),
        (
            {"method": "GET", "path": "/", "status": 200, "parent": "00f067aa0ba902b7", "end": "x"},
            "GET / 200 - - - - parent=00f067aa0ba902b7 end=x",
        ),
        (
            {
                "path": "/a b\n\u2028?q=\x1b",
                "duration_ms": 2,
                "client": "",
                "close_code": 1001,
                "end": "went away",
            },
            '- /a%20b%0A%E2%80%A8?q=%1B - 2.0ms - - - close_code=1001 end="went away"',
        ),
        ({"path": None, "end": None}, "- - - - - - -"),
    ],
)
def test_the_access_line_looks_as_documented(fields: dict[str, Any], message: str) -> None:
    """
    One word a field, ``-`` for what is not there, no blank and no control character within a word.
    """
    assert format_access(fields) == message
    assert parse_access(message) is not None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            '127.0.0.1:57200 - "GET /x?y=1 HTTP/1.1" 200',
            {"method": "GET", "path": "/x?y=1", "status": 200},
        ),
        (' - "GET /x HTTP/1.1" 500', {"method": "GET", "path": "/x", "status": 500}),
        (
            '127.0.0.1:5 - - [22/Nov/2026:16:03:00 +0000] "GET /a b 1.1" 200 12 "-" "curl/8"',
            {"method": "GET", "path": "/a b", "status": 200},
        ),
        (
            '127.0.0.1:5 - - [22/Nov/2026:16:03:00 +0000] "GET /ws ws" 101 - "-" "-"',
            {"method": "GET", "path": "/ws", "status": 101},
        ),
        (
            '127.0.0.1 - - [22/Nov/2026:16:03:00 +0000] "POST /x HTTP/2" 404 9 "-" "-"',
            {"method": "POST", "path": "/x", "status": 404},
        ),
        (
            '[2026-11-22 16:03:00 +0000] 127.0.0.1 - "GET /x HTTP/1.1" 200 1.234',
            {"method": "GET", "path": "/x", "status": 200, "duration_ms": 1.234},
        ),
        (
            "::1:50312 GET /a b 1.1 500 2 3 1.1 404 265 15617",
            {"method": "GET", "path": "/a b 1.1 500 2 3", "status": 404, "duration_ms": 15.617},
        ),
        (
            "127.0.0.1:50312 GET /x 1.1 - - 15617",
            {"method": "GET", "path": "/x", "duration_ms": 15.617},
        ),
        (
            "HTTP GET /x?y=1 500 [0.13, 127.0.0.1:52428]",
            {"method": "GET", "path": "/x?y=1", "status": 500, "duration_ms": 130.0},
        ),
    ],
    ids=[
        "uvicorn",
        "uvicorn, no client",
        "hypercorn",
        "hypercorn, websocket",
        "gunicorn",
        "granian",
        "quart run",
        "quart run, a client that has left",
        "Django's runserver by daphne",
    ],
)
def test_servers_access_lines_are_read(message: str, expected: dict[str, Any]) -> None:
    assert parse_access(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Processing payment",
        "GET /x",
        "GET /x 200 12.3 345 http me",
        'https://api.example.com:443 "POST /charge HTTP/1.1" 402 None',
        'HTTP Request: GET https://api.example.com/ "HTTP/1.1 200 OK"',
        'GET /x 200 1.0ms 1B http me end="half',
        "HTTP GET /x 500 [0.13, 127.0.0.1:52428] was slow",
        "HTTP GET /x 500 [0.13]",
        "shop GET /x 1.1 500 265 15617",
        "127.0.0.1:5 GET /x 1.1 500 265 15617 us",
    ],
)
def test_other_messages_are_no_access_lines(message: str) -> None:
    """Those of HTTP clients in particular, which tell of somebody else's request."""
    assert parse_access(message) is None


@given(named_records(ANY_TEXT | OUR_NAMES, VALUES))
def test_the_short_way_to_a_line_of_json_makes_the_same(record: Record) -> None:
    """For a record without a call and an exception, and with a logger."""
    record = record._replace(mcp_method="", mcp_name="", jsonrpc_id="", exception=None)
    record = record._replace(logger=record.logger or "root")
    ids = format_json_ids(*record[4:8], record.parent_span_id, record.service)
    line = format_json_line(*record[:4], ids, record.extra)
    assert line == format_json(record)


HOSTS = WORDS.filter(lambda word: "/" not in word)
OUTGOING = st.fixed_dictionaries(
    {
        "method": WORDS,
        "host": HOSTS,
        "path": WORDS.map(lambda word: f"/{word}"),
        "duration_ms": DURATIONS,
        "attempt": st.integers(1, 999_999_999),
    },
    optional={"call_span_id": WORDS},
)
OUTCOMES = st.one_of(
    st.just({}),
    st.integers(1, 999_999_999).map(lambda status: {"status": status}),
    WORDS.filter(lambda word: not word.isdigit()).map(lambda error: {"error": error}),
)


@given(OUTGOING, OUTCOMES, TEXT_RECORDS)
def test_a_line_of_a_call_is_read_as_written(
    fields: dict[str, Any], outcome: dict[str, Any], record: Record
) -> None:
    """It is no access line: those are of requests that came in."""
    message = format_outgoing(fields | outcome)
    assert parse_outgoing(message) == fields | outcome
    assert parse_access(message) is None
    read = parse(format_text(record._replace(message=message)))
    assert read is not None
    assert read.message == message


def test_a_line_of_a_call_looks_as_documented() -> None:
    fields = {"method": "POST", "host": "pay.internal:8001", "path": "/charge?card=***"}
    fields |= {"duration_ms": 12.34, "attempt": 2}
    head = "-> POST pay.internal:8001/charge?card=***"
    span = {"call_span_id": "b7ad6b7169200002"}
    assert format_outgoing(fields | {"status": 200} | span) == (
        f"{head} 200 12.3ms attempt=2 span=b7ad6b7169200002"
    )
    assert format_outgoing(fields | {"error": "ReadTimeout"}) == (
        f"{head} ReadTimeout 12.3ms attempt=2"
    )
    assert format_outgoing(fields | {"path": "/a b\n"}) == (
        "-> POST pay.internal:8001/a%20b%0A - 12.3ms attempt=2"
    )


def test_a_traceback_that_another_writer_made_a_string_of_is_read() -> None:
    record = parse(
        '{"timestamp": "1", "message": "failed", "exception": "Traceback ...\\nKeyError: 1"}'
    )
    assert record is not None
    assert record.text == "failed\nTraceback ...\nKeyError: 1"


def test_writing_text_loads_no_json() -> None:
    code = (
        "import sys; from asgi_trace._core.lines import Record, format_text; "
        "format_text(Record('10:30:15', 'INFO')); print('json' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"
