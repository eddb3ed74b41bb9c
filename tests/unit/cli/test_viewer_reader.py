"""What the viewer makes of lines: ours, those of others, and those of nobody."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace import RequestMetadata, TextFormatter, bound_request_metadata
from asgi_trace._cli.logs import reader
from asgi_trace._cli.logs.candidates import shortcut
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.query import read_query
from asgi_trace._cli.logs.reader import (
    Entry,
    LineReader,
    LogReader,
    Wanted,
    last_time,
    merged,
    read,
)
from asgi_trace._cli.logs.search import search
from asgi_trace._core.access_lines import format_access
from asgi_trace._core.lines import format_json, format_logfmt, format_text, parse_line
from asgi_trace._core.record import Record

FORMS = {"text": format_text, "json": format_json, "logfmt": format_logfmt}
HEX = "773fa6885e03493498077a273d1b7f2d"
UUID = "773fa688-5e03-4934-9807-7a273d1b7f2d"
SPAN = "0af7651916cd43dd"
TRACEBACK = "Traceback (most recent call last):\n  File \"shop.py\", line 3, in pay\n    charge()\nKeyError: 'bulb'"


def entries_of(text: str, **more: Any) -> list[Entry]:
    reader = LineReader(**more)
    return reader.read(text.split("\n")) + reader.finish()


def entry_of(line: str) -> Entry:
    (entry,) = entries_of(line)
    return entry


def at(text: str) -> float:
    """The milliseconds of an UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_entry_has_all_values_of_a_line_of_ours(form: Any) -> None:
    """
    Time, level, both ids, the message, what an access line says; and the text is for people to
    read.
    """
    fields = {
        "method": "GET",
        "path": "/x",
        "status": 500,
        "duration_ms": 12.5,
        "bytes": 2,
        "transport": "http",
    }
    message = format_access(fields)
    record = Record(
        "2024-01-15T10:30:15.250Z", "WARNING", "", message, "req-1", "abc12345", extra=fields
    )
    entry = entry_of(form(record))
    assert entry.time == at("2024-01-15T10:30:15.250")
    assert (entry.level, entry.request_id, entry.session_id) == (3, "req-1", "abc12345")
    assert (
        entry.text
        == f"2024-01-15T10:30:15.250Z - WARNING - [req=req-1|session=abc12345] - {message}"
    )
    assert entry.text[entry.message :] == message
    assert entry.more is not None
    assert {name: entry.more["access"][name] for name in fields} == fields


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_traceback_is_folded_into_its_entry(form: Any) -> None:
    """Without the heads that repeat; the next record is one of its own."""
    failed = Record(
        "2024-01-15 10:30:15",
        "ERROR",
        "",
        "failed",
        "r1",
        "s1",
        exception={"stacktrace": TRACEBACK},
    )
    after = Record("2024-01-15 10:30:16", "INFO", "", "after", "r1", "s1")
    first, second = entries_of(f"{form(failed)}\n{form(after)}")
    assert first.text[first.message :] == f"failed\n{TRACEBACK}"
    assert second.text[second.message :] == "after"


def test_a_traceback_from_a_column_of_text_is_folded_too() -> None:
    """A store may return an object as its text."""
    failed = json.dumps({"type": "KeyError", "message": "'bulb'", "stacktrace": TRACEBACK})
    fields = {"timestamp": "2024-01-15 10:30:15.250", "message": "failed", "exception": failed}
    (entry,) = entries_of(json.dumps(fields))
    assert entry.text[entry.message :] == f"failed\n{TRACEBACK}"


OTHERS = {
    "asgi-correlation-id": (
        f"INFO: \t  2024-01-15 10:30:15,250 project.views:12 [{HEX}] This is a view's line",
        (2, HEX, "", "This is a view's line"),
    ),
    "asgi-correlation-id, cut": (
        "2024-01-15 10:30:15,250 WARNING [773fa688] project.views This is a warning",
        (3, "773fa688", "", "project.views This is a warning"),
    ),
    "asgi-correlation-id, a UUID": (
        f"ERROR 2024-01-15 10:30:15,250 [{UUID}] failed",
        (4, UUID, "", "failed"),
    ),
    "asgi-correlation-id, outside a request": (
        "INFO: \t  2024-01-15 10:30:15,250 uvicorn.error:84 [-] Application startup complete.",
        (2, "", "", "uvicorn.error:84 [-] Application startup complete."),
    ),
    "OpenTelemetry": (
        f"2024-01-15 10:30:15,250 INFO [shop] [shop.py:12] [trace_id={HEX} span_id={SPAN} "
        "resource.service.name=shop trace_sampled=True] - paid",
        (2, HEX, "", "paid"),
    ),
    "OpenTelemetry, outside a span": (
        "2024-01-15 10:30:15,250 INFO [shop] [shop.py:12] [trace_id=0 span_id=0 resource.service.name=shop "
        "trace_sampled=False] - starting",
        (2, "", "", "starting"),
    ),
    "uvicorn": (
        '2024-01-15 10:30:15,250 INFO:     127.0.0.1:50312 - "GET /api/x HTTP/1.1" 503 Service Unavailable',
        (2, "", "", '127.0.0.1:50312 - "GET /api/x HTTP/1.1" 503 Service Unavailable'),
    ),
    "uvicorn with an id": (
        f'2024-01-15 10:30:15,250 INFO uvicorn.access [{HEX}] 127.0.0.1:50312 - "GET /api/x HTTP/1.1" 503',
        (2, HEX, "", '127.0.0.1:50312 - "GET /api/x HTTP/1.1" 503'),
    ),
    "structlog's console": (
        "2024-01-15T10:30:15.250Z [warning  ] slow gateway [shop] request_id=req-7 session_id=abc12345",
        (3, "req-7", "abc12345", "slow gateway [shop] request_id=req-7 session_id=abc12345"),
    ),
    "loguru": (
        "2024-01-15 10:30:15.250 | ERROR    | shop:pay:12 - [req=req-7|session=abc12345] failed",
        (4, "req-7", "abc12345", "failed"),
    ),
    "nobody's, with a time": (
        '2024-01-15 10:30:15.250 ERROR failed of [req=r1|session=s1] "[req=r2|session=s2]"',
        (4, "r1", "s1", '"[req=r2|session=s2]"'),
    ),
}


@pytest.mark.parametrize(("line", "expected"), OTHERS.values(), ids=OTHERS)
def test_a_line_of_another_writer_has_its_time_level_and_ids(
    line: str, expected: tuple[int, str, str, str]
) -> None:
    """The text stays as it is."""
    entry = entry_of(line)
    assert (
        entry.level,
        entry.request_id,
        entry.session_id,
        entry.text[entry.message :],
    ) == expected
    assert entry.text == line
    if "Z" in line:
        assert entry.time == at("2024-01-15T10:30:15.250")
    else:
        assert entry.time == datetime(2024, 1, 15, 10, 30, 15, 250_000).timestamp() * 1000


NAMED = {
    "structlog": {
        "event": "paid",
        "timestamp": "2024-01-15T10:30:15.250Z",
        "level": "warning",
        "request_id": "req-7",
        "session_id": "abc12345-whole",
    },
    "python-json-logger": {
        "asctime": "2024-01-15 10:30:15,250+0000",
        "levelname": "WARNING",
        "message": "paid",
        "correlation_id": "req-7",
        "session_id": "abc12345-whole",
    },
    "seconds": {
        "ts": 1705314615.25,
        "lvl": 30,
        "msg": "paid",
        "requestId": "req-7",
        "sessionId": "abc12345-whole",
    },
    "milliseconds": {
        "time": 1705314615250,
        "severity": "WARN",
        "message": "paid",
        "request_id": "req-7",
        "session_id": "abc12345-whole",
    },
    "OpenTelemetry": {
        "@timestamp": "2024-01-15T10:30:15.250Z",
        "level": "WARNING",
        "message": "paid",
        "otelTraceID": "req-7",
        "session_id": "abc12345-whole",
    },
}


@pytest.mark.parametrize("fields", NAMED.values(), ids=NAMED)
def test_json_of_others_is_read_by_its_names(fields: dict[str, Any]) -> None:
    """What it says besides is kept, and a person can read it."""
    entry = entry_of(json.dumps({**fields, "amount": 5, "where": {"shop": "x"}}))
    assert entry.time == at("2024-01-15T10:30:15.250")
    assert (entry.level, entry.request_id, entry.session_id) == (3, "req-7", "abc12345-whole")
    assert entry.text[entry.message :] == 'paid amount=5 where={"shop": "x"}'


def test_what_structlog_really_writes_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Its JSON, with a traceback."""
    log = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    try:
        raise KeyError("bulb")
    except KeyError:
        log.exception("failed", request_id="req-7")
    entry = entry_of(capsys.readouterr().out.rstrip("\n"))
    assert (entry.level, entry.request_id) == (4, "req-7")
    assert entry.text[entry.message :].startswith("failed\nTraceback (most recent call last):\n")


def test_mcp_calls_are_read() -> None:
    """The mark in text, the keys in JSON."""
    text = "2024-01-15 10:30:15 - INFO - [req=r1|session=s1] [tools/call add #7] - adding"
    fields = {
        "timestamp": "2024-01-15T10:30:15Z",
        "message": "adding",
        "request_id": "r1",
        "mcp_method": "tools/call",
    }
    for line in (text, json.dumps({**fields, "mcp_name": "add", "jsonrpc_id": 7})):
        entry = entry_of(line)
        assert (entry.more or {})["call"] == "tools/call add #7"
        assert (entry.request_id, entry.text[entry.message :]) == ("r1", "adding")


def test_color_is_taken_away() -> None:
    """As a terminal's recording has it; other escapes stay, for the page to show."""
    with bound_request_metadata(RequestMetadata("abc12345", "r1")):
        line = TextFormatter(color=True).format(
            logging.makeLogRecord({"msg": "x", "levelname": "ERROR"})
        )
    entry = entry_of(line)
    assert (entry.level, entry.request_id, entry.session_id, "\x1b" in entry.text) == (
        4,
        "r1",
        "abc12345",
        False,
    )
    assert entry_of("hello \x1b]0;owned\x07").text == "hello \x1b]0;owned\x07"


def test_lines_of_an_unknown_form_are_kept() -> None:
    """At the time of the line before; those before the first, at its time."""
    text = "\n".join(
        (
            "Starting up",
            "2024-01-15 10:30:15Z - INFO - [req=r1|session=s1] - paid",
            "printed by somebody",
            "  and more of it",
            "",
            "2024-01-15 10:30:16Z - INFO - [req=r1|session=s1] - failed",
            TRACEBACK,
            "INFO:     Shutting down",
            TRACEBACK.replace("\n", "\n\n"),
        )
    )
    found = [
        (entry.time - at("2024-01-15T10:30:15"), entry.request_id, entry.text)
        for entry in entries_of(text)
    ]
    assert found == [
        (0, "", "Starting up"),
        (0, "r1", "2024-01-15 10:30:15Z - INFO - [req=r1|session=s1] - paid"),
        (0, "", "printed by somebody\n  and more of it\n"),
        (1000, "r1", f"2024-01-15 10:30:16Z - INFO - [req=r1|session=s1] - failed\n{TRACEBACK}"),
        (1000, "", "INFO:     Shutting down\n" + TRACEBACK.replace("\n", "\n\n")),
    ]


@pytest.mark.parametrize("moment", ["2024-01-15T10:30:15", "2024-01-15T10:30:15.250"])
@pytest.mark.parametrize("before", ["Starting up", "", "  Listening"])
def test_what_stands_before_the_first_time_has_it(before: str, moment: str) -> None:
    """However many lines have it, and whether the time is a whole second."""
    line = f"{moment}Z - INFO - [req=r1|session=s1] - paid"
    for count in (1, 3):
        found = entries_of("\n".join((before, *[line] * count)))
        assert [entry.time for entry in found] == [at(moment)] * (1 + count)


def test_a_clock_that_was_never_set_stands_at_the_beginning() -> None:
    """Of the epoch."""
    assert entry_of("0001-01-01 00:00:00Z - INFO - [req=r1|session=s1] - x").time == 0


def test_a_log_without_any_time_stands_at_the_one_given() -> None:
    assert [entry.time for entry in entries_of("a\nb", when=7.0)] == [7.0, 7.0]


def test_a_stamped_line_of_another_request_goes_on_nothing() -> None:
    """As where two processes write to one file."""
    head = "2024-01-15 10:30:15 - ERROR - [req={}|session=s]"
    lines = [
        head.format("r1") + " - failed",
        head.format("r2") + " | its traceback",
        head.format("r1") + " | x",
    ]
    assert [(entry.request_id, entry.text) for entry in entries_of("\n".join(lines))] == [
        ("r1", lines[0]),
        ("r2", lines[1]),
        ("r1", lines[2]),
    ]


OWN_FORMS = {
    "as basicConfig() has it": "%(levelname)s:%(name)s:[req=a|session=b] %(message)s",
    "with a time": "%(levelname)-8s %(asctime)s %(name)s:%(lineno)d  [req=a|session=b] %(message)s",
}


@pytest.mark.parametrize("form", OWN_FORMS.values(), ids=OWN_FORMS)
def test_further_lines_of_a_programs_own_form_are_folded(form: str) -> None:
    """configure_logging() writes the ids at the beginning of each of them."""
    record = logging.makeLogRecord({"name": "shop", "msg": "receipt", "created": 1705314615.5})
    first = logging.Formatter(form).format(record)
    others = ["[req=a|session=b]   1 x cake", "[req=a|session=b] ", "[req=a|session=b] total"]
    entries = entries_of("\n".join((first, *others, first)))
    assert [entry.text for entry in entries] == [f"{first}\n  1 x cake\n\ntotal", first]
    assert {entry.request_id for entry in entries} == {"a"}


@pytest.mark.parametrize(
    "before",
    [
        "[req=a|session=b] paid",  # a form that begins with the ids: each line is a record
        "2024-01-15 10:30:15 - INFO - [req=a|session=b] - paid",  # ours, which goes on with "|"
        "shop: [req=a|session=other] paid",
    ],
)
def test_a_line_that_begins_with_ids_is_a_record_of_its_own(before: str) -> None:
    assert len(entries_of(f"{before}\n[req=a|session=b] shipped")) == 2


def test_a_record_with_a_date_of_another_form_ends_a_servers_traceback() -> None:
    """An earlier record had our ids behind such a date, too."""
    shipped, paid = (f"22.11.2024 10:30:15 INFO [req={each}|session=s] x" for each in ("a", "b"))
    crash = f"ERROR:    Exception in ASGI application\n{TRACEBACK}"
    found = entries_of(f"{shipped}\n{crash}\n{paid}")
    assert [entry.request_id for entry in found] == ["a", "", "b"]
    assert found[1].text == crash


def test_rich_leaves_out_a_time_that_it_has_just_written() -> None:
    """A record with blanks for its time is none of the lines of the one before."""
    lines = (
        "[11/22/24 10:30:15] WARNING  [req=r1|session=s1] paid          shop.py:151",
        "                    ERROR    [req=r2|session=s2] a long         shop.py:152",
        "                             message                                       ",
        "                             ERROR in it                                   ",
    )
    first, second = entries_of("\n".join(lines))
    assert [(entry.request_id, entry.level) for entry in (first, second)] == [("r1", 3), ("r2", 4)]
    assert second.time == first.time
    assert "undated" not in (second.more or {})
    assert second.text.count("\n") == 2
    # In the log of another writer it is a further line.
    assert len(entries_of("\n".join(("2024-11-22 10:30:15 INFO a report:", lines[1])))) == 1


def test_rich_with_the_time_alone() -> None:
    """Rich 15 with ``datefmt="[%X]"``, as its manual shows."""
    lines = (
        "[06:38:58] INFO     [1f0e7c5a9b3d4e6f8a7b6c5d4e3f2a1b] order placed                       libs.py:13",
        "           WARNING  [7b0a2c5e93a84f6e8d0a1f2e3d4c5b6a] stock low: tea                     libs.py:14",
        "                    second line of it                                                               ",
        "           INFO     [-] no request here                                                   libs.py:19",
    )
    found = entries_of("\n".join(lines))
    assert [(entry.request_id[:8], entry.level) for entry in found] == [
        ("1f0e7c5a", 2),
        ("7b0a2c5e", 3),
        ("", 2),
    ]
    assert found[1].text.count("\n") == 1
    assert {entry.time for entry in found} == {found[0].time}


@pytest.mark.parametrize("front", ["2026-11-28 07:06:18.680 10812 ", ""])
def test_each_line_of_a_traceback_of_oslo_log_belongs_to_its_record(front: str) -> None:
    """oslo.log 8: they begin like records, but have no ids; devstack leaves out the time."""
    ids = f"[None req-{UUID} u1 p1 - - - -]"
    lines = (
        f"{front}WARNING nova.api {ids} failed: ZeroDivisionError: division by zero",
        f"{front}ERROR nova.api Traceback (most recent call last):",
        f'{front}ERROR nova.api   File "shop.py", line 12, in <module>',
        f"{front}ERROR nova.api ZeroDivisionError: division by zero",
        f"{front}ERROR nova.api ",
        f"{front}ERROR nova.api {ids} gave up",
        f"{front}ERROR nova.db [-] closed",
        f"{front}ERROR nova.api a line of another writer",
    )
    found = entries_of("\n".join(lines))
    assert [entry.request_id for entry in found] == [f"req-{UUID}", f"req-{UUID}", "", ""]
    assert found[0].text.splitlines()[1:3] == [
        "Traceback (most recent call last):",
        '  File "shop.py", line 12, in <module>',
    ]
    assert found[0].level == 3


def test_what_asyncio_writes_below_an_error() -> None:
    """Python 3.13: one line for each object, and the traceback of the task."""
    lines = (
        f"2026-11-28 07:00:44,036 ERROR [{HEX}] asyncio: Task exception was never retrieved",
        "future: <Task finished name='Task-2' coro=<bad() done, defined at shop.py:31> exception=RuntimeError('x')>",
        *TRACEBACK.splitlines(),
        f"2026-11-28 07:00:44,044 INFO [{HEX}] shop: next",
    )
    first, second = entries_of("\n".join(lines))
    assert first.text == "\n".join(lines[:-1])
    assert (first.request_id, second.text) == (HEX, lines[-1])


def test_a_line_of_pairs_after_a_traceback_is_no_part_of_it() -> None:
    """gunicorn 27 with an access format of pairs."""
    line = f"request_id={HEX} method=GET path=/fail status=500 duration=0.001639"
    found = entries_of(
        "\n".join(("[2026-11-28 06:43:00 +0000] [15836] [ERROR] x", TRACEBACK, line))
    )
    assert [entry.request_id for entry in found] == ["", HEX]


@pytest.mark.parametrize(
    "traceback",
    [
        ("\u256d\u2500 Traceback (most recent call last) \u2500\u256e", "\u2502 x \u2502", "ZeroDivisionError: x"),
        ("\x1b[31m\u256d\u2500\x1b[0m\x1b[31m\u2500\x1b[0m \x1b[1mTraceback \x1b[0m(most", "ZeroDivisionError: x"),
        ("[stacktrace]", "#0 /shop/Pay.php(5): pay()", "#1 {main}", '"}'),
        ("\u2502 shop.py:10 pay:", "\u2502   charge()", "\u2570 ValueError: x"),
    ],
)  # fmt: skip
def test_the_tracebacks_of_rich_monolog_and_sanic_are_folded(traceback: tuple[str, ...]) -> None:
    record = "2024-11-22 10:30:15 [error    ] failed                         request_id=r1"
    (entry,) = entries_of("\n".join((record, *traceback)))
    assert entry.text.count("\n") == len(traceback)


@pytest.mark.parametrize(
    "line",
    [
        f"{HEX} 2024-11-22 10:30:15,250 INFO paid",
        "- 2024-11-22 10:30:15,250 INFO ready",
        "I, [2024-11-22T10:30:15.250000 #8]  INFO -- : paid",
        f"[{UUID}] Completed 500 Internal Server Error in 12ms",
        'Started GET "/orders" for 127.0.0.1 at 2024-11-22 10:30:15 +0000',
        "[E 241122 10:30:15 web:2348] 500 GET /x (127.0.0.1) 250.50ms",
        "[W 2024-11-22 10:30:15.250 ServerApp] x",
        "Main  2024-11-22 10:30:15 +0000 INFO: paid",
        "Srv 0 10:30:15 INFO: paid",
        "\u256d Srv 0 10:30:15 ERROR: failed",
        "HTTP GET /x 500 [0.25, 127.0.0.1:41342]",
        "GET /x 503 250.500 ms - 12",
        "[pid: 88|app: 0|req: 1/1] 127.0.0.1 () {38 vars in 696 bytes} [Fri Nov 22 10:30:15 2024] GET /x => generated "
        "4 bytes in 2 msecs (HTTP/1.1 503)",
        '(APIServer pid=12) INFO:     127.0.0.1:41342 - "POST /v1/chat/completions HTTP/1.1" 503',
        f"END RequestId: {UUID}",
        "[Nest] 12  - 11/22/2024, 10:30:15 AM   ERROR [ExceptionsHandler] x",
        '[GIN] 2024/11/22 - 10:30:15 | 503 |     250.5ms |       127.0.0.1 | GET      "/x"',
        "ERRO[0012] failed",
        "10:30AM ERR failed",
        "fail: Microsoft.AspNetCore.Server.Kestrel[13]",
        "[22-Nov-2024 10:30:15 UTC] PHP Warning:  Undefined x",
        "22-Nov-2024 10:30:15.250 SEVERE [main] org.apache.catalina x",
        "1:M 22 Nov 2024 10:30:15.250 * Ready",
        '::1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5',
        'shop.example:80 127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5',
        "      INFO   Application startup complete.",
        '   WARNING   127.0.0.1:41342 - "GET /x HTTP/1.1" 503',
        " GET /x 503 in 250ms",
        # winston 3.19, morgan 1.12 and koa-logger 4.0
        "info: paid",
        "::ffff:127.0.0.1 - GET /x HTTP/1.1 503 146 - 0.271 ms",
        "::1 - GET /x HTTP/1.1 503 146 - 0.271 ms",
        "  <-- GET /x",
        "  --> GET /x 503 3ms 1b",
        "  xxx GET /x 500 0ms -",
    ],
)
def test_a_record_after_a_traceback_is_no_part_of_it(line: str) -> None:
    """Whether or not it begins with a time or a level: an access line would not be found, else."""
    entries = entries_of("\n".join(("ERROR:shop:failed", TRACEBACK, line)))
    assert [entry.text for entry in entries] == [f"ERROR:shop:failed\n{TRACEBACK}", line]


def test_a_line_of_another_container_is_not_a_further_line() -> None:
    """Also where it is of the same request, and its form begins with the ids."""
    lines = [
        "front-1  | INFO:shop:[req=a|session=b] order",
        "stock-1  | [req=a|session=b] reserved",
        "front-1  | INFO:shop:[req=a|session=b] receipt",
        "front-1  | [req=a|session=b]   1 x cake",
    ]
    found = [(entry.more or {}).get("source") for entry in entries_of("\n".join(lines))]
    assert found == ["front-1", "stock-1", "front-1"]


def test_a_whole_second_stands_where_it_was_logged() -> None:
    """A program's own lines often have milliseconds, and its server's have none."""
    lines = [
        "2024-01-15 10:30:14,900 shop: [req=a|session=b] order",
        "2024-01-15 10:30:15 - INFO - [req=x|session=y] - before any exact time of its second",
        "2024-01-15 10:30:15,731 shop: [req=a|session=b] charge",
        "2024-01-15 10:30:15 - INFO - [req=a|session=b] - POST /pay 200",
        "[req=a|session=b] no time at all",
        "2024-01-15 10:30:15,735 shop: [req=c|session=d] order",
        "2024-01-15 10:30:16 - INFO - [req=c|session=d] - POST /pay 200",
    ]
    seconds = [14.9, 15, 15.731, 15.731, 15.731, 15.735, 16]
    expected = [at("2024-01-15 10:30:00") + second * 1000 for second in seconds]
    assert [entry.time for entry in entries_of("\n".join(lines))] == expected
    reader = LineReader()  # line by line, as a log that is followed is read
    one_by_one = [entry for line in lines for entry in reader.read([line])]
    one_by_one += reader.finish()
    assert [entry.time for entry in one_by_one] == expected


def test_times_without_a_date_go_on_past_midnight() -> None:
    times = [
        entry.time for entry in entries_of("23:59:59 INFO a\n00:00:01 INFO b\n00:00:02 INFO c")
    ]
    assert [later - times[0] for later in times] == [0, 2000, 3000]


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    """Where clocks are set back, local times go on."""
    code = (
        "from asgi_trace._cli.logs.reader import LineReader\n"
        "reader = LineReader()\n"
        "lines = ['2024-10-27 02:59:59 INFO a', '2024-10-27 02:00:01 INFO b', '2024-10-27 03:00:00 INFO c']\n"
        "times = [entry.time for entry in reader.read(lines) + reader.finish()]\n"
        "print(*(time - times[0] for time in times))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["0", "2000", "3601000"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2024-01-15 10:30:15Z - INFO - [req=r|session=s] - x", int),
        ("2024-01-15 10:30:15.000Z - INFO - [req=r|session=s] - x", float),
        ('{"timestamp": "2024-01-15T10:30:15Z", "message": "x"}', int),
        ('{"timestamp": 1705314615, "message": "x"}', float),
    ],
)
def test_a_whole_second_is_told_apart(line: str, expected: type) -> None:
    """By its type: such times are only so exact."""
    assert type(entry_of(line).time) is expected


def test_messages_begin_where_javascript_counts() -> None:
    """A character beyond the basic plane is two to it."""
    entry = entry_of("2024-01-15 10:30:15 - INFO - [req=\U0001f4a1|session=s] - lamp")
    assert entry.text.encode("utf-16-le")[2 * entry.message :].decode("utf-16-le") == "lamp"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_text_is_bounded(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long line is cut, and so is a long traceback; it is counted."""
    monkeypatch.setattr(reader, "LONGEST_TEXT", 200)
    lines = LineReader()
    long = Record("2024-01-15 10:30:15", "INFO", "", "x" * 1000, "r1", "s1")
    deep = Record("2024-01-15 10:30:15", "INFO", "", "\n".join(["y" * 20] * 1000), "r1", "s1")
    written = f"{form(long)}\n{form(deep)}\n{form(deep)}"
    found = lines.read(written.split("\n")) + lines.finish()
    assert len(found) == 3
    assert all(len(entry.text) <= 202 and entry.text.endswith("…") for entry in found), [
        len(e.text) for e in found
    ]
    assert lines.cut == 3


PIECES = st.one_of(
    st.sampled_from(
        [
            *(
                format_text(
                    Record("2024-01-15 10:30:15", "ERROR", "", f"x\n{TRACEBACK}", "r1", "s1")
                ).split("\n")
            ),
            format_json(Record("2024-01-15T10:30:15Z", "INFO", "", "x", "r1", "s1")),
            format_logfmt(Record("2024-01-15T10:30:15Z", "INFO", "", "x", "r1", "s1")),
            *TRACEBACK.split("\n"),
            *(line for line, _ in OTHERS.values()),
            *(json.dumps(fields) for fields in NAMED.values()),
            "9999-99-99 99:99:99 - INFO - [req=r1|session=s1] - wrong clock",
            "0001-01-01 00:00:00 - INFO - [req=r1|session=s1] - wrong clock",
            "9999-12-31 23:59:59 - INFO - [req=r1|session=s1] - wrong clock",
            '{"timestamp": NaN, "message": {"a": [1]}, "level": [], "request_id": {}, "exception": 5}',
            '{"timestamp": 1e400, "message": null, "level": true, "request_id": 7, "duration": -1}',
            '{"message": "\\ud800", "timestamp": "2024-01-15T10:30:15.99999999999Z", "request_id": "\\udfff"}',
            '{"timestamp": ' + "9" * 5000 + ', "message": ""}',
            "99/Xyz/2024:10:30:15 +0000 x",
        ]
    ).map(str.encode),
    st.sampled_from(
        [b"", b"\0\0", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"[req=", b"\x1b[31m", b"\r", b"a=b c=d"]
    ),
    st.binary(),
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@given(st.lists(st.lists(PIECES, max_size=3).map(b"".join), max_size=12), st.booleans())
def test_no_bytes_break_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], is_ended: bool
) -> None:
    """Whatever is in a log, each line of it is in an entry, and each entry can be sent."""
    path = tmp_path_factory.getbasetemp() / "hostile.log"
    data = b"\n".join(lines) + b"\n" * is_ended
    path.write_bytes(data)
    complaints: list[object] = []
    found = [entry for batch in read(Log(str(path), complaints.append)) for entry in batch]
    if complaints:  # it begins like a packed file, and is none
        assert data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))
        return
    if data.startswith(b"data: {"):  # an empty line ends each server-sent event
        data = b"\n".join(line for line in data.split(b"\n") if line.strip())
    count = data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    # JSON may hold line feeds of its own.
    assert sum(entry.text.count("\n") + 1 for entry in found) >= count
    for entry in found:
        assert entry.time == entry.time
        assert 0 <= entry.message <= len(entry.text.encode("utf-16-le", "surrogatepass")) // 2
        json.dumps(entry, allow_nan=False).encode()


@given(
    st.sampled_from(["2024-01-15 10:30:15", "10:30:15,250", "2024-01-15T10:30:15.250+01:00"]),
    st.sampled_from(["INFO", "Level 25", "my level"]),
    st.text(st.characters(exclude_characters="|]\n")),
    st.text(st.characters(exclude_characters="|]\n")),
    st.text(),
)
def test_our_own_lines_are_read_as_records_reads_them(
    time: str, level: str, request_id: str, session_id: str, message: str
) -> None:
    """The short way takes the same for a head, and for the ids, as the one definition of a line."""
    record = Record(time, level, "", message, request_id, session_id)
    line = format_text(record).split("\n")[0]
    parsed = parse_line(line)
    assert parsed is not None
    entry = entry_of(line)
    ids = (parsed[0].request_id or "none", parsed[0].session_id or "none")
    assert (entry.request_id or "none", entry.session_id or "none") == ids
    assert entry.text == line


# -- logs ------------------------------------------------------------------------------------------


def written(path: Path, *lines: str) -> Log:
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return Log(str(path), pytest.fail)


def stamped(second: float, message: str, request_id: str = "r1", session_id: str = "s1") -> str:
    return f"2024-01-15 10:30:{second:06.3f}Z - INFO - [req={request_id}|session={session_id}] - {message}"


def messages(batches: Any) -> list[str]:
    return [entry.text[entry.message :] for batch in batches for entry in batch]


def test_logs_are_merged_by_time(tmp_path: Path) -> None:
    """Packed ones too; what of one log is a little out of order is put right."""
    logs = [
        written(
            tmp_path / "a.log",
            stamped(1, "a1"),
            stamped(3, "a3"),
            stamped(2.5, "a2.5"),
            stamped(9, "a9"),
        ),
        written(tmp_path / "b.log.gz", stamped(2, "b2"), stamped(3, "b3"), "  more of it"),
        written(tmp_path / "c.log"),
    ]
    found = messages(merged([read(log, number) for number, log in enumerate(logs)]))
    assert found == ["a1", "b2", "a2.5", "a3", "b3\n  more of it", "a9"]


@pytest.mark.parametrize("block", [1 << 20, 100])
def test_lines_of_the_same_time_are_in_the_order_of_their_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Also the last one of a log, which another log continues."""
    monkeypatch.setattr("asgi_trace._cli.logs.files._BLOCK", block)
    logs = [
        written(tmp_path / name, *(stamped(1, f"{name}{each}") for each in range(3)))
        for name in ("a", "b")
    ]
    batches = merged([read(log, number) for number, log in enumerate(logs)])
    assert messages(batches) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_logs_of_many_blocks_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bounded number of entries held, all in order."""
    monkeypatch.setattr("asgi_trace._cli.logs.files._BLOCK", 1000)
    logs = [
        written(
            tmp_path / f"{name}.log",
            *(stamped(each / 100, f"{each}") for each in range(name, 5900, 3)),
        )
        for name in range(3)
    ]
    batches = list(merged([read(log, number) for number, log in enumerate(logs)]))
    assert messages(batches) == [str(each) for each in range(5900)]
    assert len(batches) > 10


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(session="s2"), ["b\n  traceback", "d"]),
        (Wanted(session="none"), ["printed"]),
        (Wanted(request="r1"), ["a", "c"]),
        (Wanted(request="none"), ["printed"]),
        (Wanted(session="s2", request="r1"), []),
        (Wanted(since=1705314617.0), ["c", "printed", "d"]),
        (Wanted(since=1705314617.0, session="s2"), ["d"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("block", [1 << 20, 70])
def test_what_is_wanted_is_found_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: Wanted, expected: list[str], block: int
) -> None:
    """However small the blocks are that may be skipped unread."""
    monkeypatch.setattr("asgi_trace._cli.logs.files._BLOCK", block)
    lines = [
        stamped(15, "a"),
        stamped(16, "b", "r2", "s2"),
        "  traceback",
        stamped(17, "c"),
        "printed",
        stamped(18, "d", "r3", "s2"),
    ]
    wanted = Wanted(wanted.session, wanted.request, wanted.since)
    found = messages(read(written(tmp_path / "app.log", *lines), 0, wanted))
    assert found == expected
    assert wanted.left_out == len(lines) - sum(text.count("\n") + 1 for text in found)


def test_the_end_of_a_log_is_found(tmp_path: Path) -> None:
    """The latest time, of logs of any size and none."""
    first = written(tmp_path / "a.log", *(stamped(each / 100, "x" * 100) for each in range(5000)))
    assert (
        last_time([first, written(tmp_path / "b.gz", stamped(3, "x"), "printed")])
        == at("2024-01-15T10:30:49.990") / 1000
    )
    assert last_time([written(tmp_path / "c.log", "printed")]) is None


@pytest.mark.parametrize(
    "last",
    [
        [stamped(50, "x" * 5000, "r2", "s2")],
        [stamped(50, "failed", "r2", "s2"), *['  File "shop.py", line 3, in pay'] * 200],
        [stamped(50, "failed", "r2", "s2"), *['  File "shop.py", line 3, in pay'] * 20_000],
    ],
    ids=["line", "traceback", "traceback of all of a block"],
)
def test_the_end_of_a_log_may_be_long(tmp_path: Path, last: list[str]) -> None:
    """An error, with which many a log ends, is not older than the time that is wanted."""
    before = (stamped(each / 10, "x" * 100) for each in range(300))
    log = written(tmp_path / "a.log", *before, *last)
    latest = at("2024-01-15T10:30:50") / 1000
    assert last_time([log]) == latest
    wanted = Wanted(since=latest)
    (found,) = messages(read(log, 0, wanted))
    assert found.startswith(("x", "failed"))
    assert wanted.left_out == 300


def test_an_endless_line_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows it is whole."""
    monkeypatch.setattr("asgi_trace._cli.logs.files._BLOCK", 1000)
    monkeypatch.setattr("asgi_trace._cli.logs.files._LONGEST_LINE", 100_000)
    wanted = Wanted()
    log = written(tmp_path / "a.log", stamped(1, "x" * 500_000), stamped(2, "after"))
    long, after = (entry for batch in read(log, 0, wanted) for entry in batch)
    assert (len(long.text), long.text[-2:], after.text[after.message :]) == (
        reader.LONGEST_TEXT + 1,
        "x…",
        "after",
    )
    assert wanted.cut == 1


@pytest.mark.parametrize("later", [f"{TRACEBACK}\n", f"{TRACEBACK}\n\n"])
def test_a_traceback_that_is_read_later_stays_with_its_record(later: str) -> None:
    """In a log that is followed, each look at it finishes the last record."""
    lines = LogReader(0, 0.0, Wanted())
    first = f"{stamped(15, 'first', 'r1', 's1')}\n".encode()
    after = f"{stamped(16, 'after', 'r2', 's2')}\n".encode()
    found = [lines.read(block) + lines.finish() for block in (first, later.encode(), after)]
    (record,), (rest,), (other,) = found
    assert rest[:4] == (record.time, 0, "r1", "s1")
    assert rest.text.rstrip("\n") == TRACEBACK
    assert other.text.endswith("after")


# -- several services in one log -------------------------------------------------------------------

_RAISED = TRACEBACK.split("\n")
_OWN = "2024-01-15 10:30:15 - INFO - [req=m1|session=a]"
# The records of each service: the request, and the lines.
SERVICES = {
    "shop": [
        ("s1", ["2024-01-15 10:30:15,100 ERROR [req=s1|session=a] order failed", *_RAISED]),
        ("s2", ["2024-01-15 10:30:15,900 INFO [req=s2|session=b] an order"]),
        ("s1", ["2024-01-15 10:30:16,100 ERROR [req=s1|session=a] failed again", *_RAISED]),
        ("s2", ["2024-01-15 10:30:16,200 ERROR [req=s2|session=b] failed", "  at once"]),
    ],
    "stock": [
        ("t1", ["ERROR:stock:[req=t1|session=a] none left", *_RAISED]),
        ("t2", ["INFO:stock:[req=t2|session=b] one left"]),
        ("t2", ["ERROR:stock:[req=t2|session=b] lost", "[req=t2|session=b]   and found"]),
        ("t1", ["ERROR:stock:[req=t1|session=a] none left", *_RAISED]),
    ],
    "mail": [("m1", [f"{_OWN} - sent"]), ("m1", [f"{_OWN} - failed", f"{_OWN} | at once"])] * 4,
}
# In Kubernetes, the containers of all have the same name.
BY_TURNS = {
    "compose": "{service}-1  | {line}",
    "kubectl": "[pod/{service}-5d9c7f8b6d-x2x4z/app] {line}",
    "stern -o json": '{{"message":{json},"nodeName":"n1","namespace":"shop",'
    '"podName":"{service}-5d9c7f8b6d-x2x4z","containerName":"app"}}',
    "Loki": '{{"line":{json},"labels":{{"container":"app","pod":"{service}-0"}}}}',
    "CloudWatch": '{{"logStreamName": "{service}", "timestamp": 1705314615123, "message": {json}}}',
}


@pytest.mark.parametrize(
    ("prefix", "source"),
    [
        ("[pod/{}/app] ", "{}/app"),
        ("{} app ", "{} app"),  # stern
        ("shop {} app ", "{} app"),  # stern --all-namespaces
        ("shop/{}[app]: ", "{}[app]"),  # kail
    ],
)
def test_pods_of_one_service_are_several_sources(prefix: str, source: str) -> None:
    """What one of them raised is not the other one's."""
    pods = ("front-5d9c7f8b6d-x2x4z", "front-5d9c7f8b6d-zz9k2")
    lines = [
        f"{prefix.format(pods[0])}2024-01-15 10:30:15,100 ERROR [req=a|session=s] failed",
        f"{prefix.format(pods[1])}2024-01-15 10:30:15,100 INFO [req=b|session=s] paid",
        *(f"{prefix.format(pods[0])}{line}" for line in _RAISED),
    ]
    found = entries_of("\n".join(lines))
    assert [(entry.request_id, entry.text.count("\n")) for entry in found] == [
        ("a", 0),
        ("b", 0),
        ("a", 3),
    ]
    origins = [entry.more or {} for entry in found]
    places = [pods[0], pods[1], pods[0]]
    assert [more["source"] for more in origins] == [source.format(pod) for pod in places]
    assert {more["service"] for more in origins} == {"app"}


@given(st.data(), st.sampled_from(list(BY_TURNS)), st.integers(1, 40))
def test_lines_of_services_come_by_turns(data: st.DataObject, form: str, size: int) -> None:
    """
    A traceback belongs to the record of its own service, wherever another one's lines part the two,
    and however many lines are read at once: the page and ``grep`` show all of it.
    """
    waiting = {
        service: [(request, line) for request, lines in records for line in lines]
        for service, records in SERVICES.items()
    }
    rows: list[tuple[str, str, str]] = []
    while waiting:
        service = data.draw(st.sampled_from(list(waiting)))
        request, bare = waiting[service].pop(0)
        whole = BY_TURNS[form].format(service=service, line=bare, json=json.dumps(bare))
        rows.append((request, bare, whole))
        waiting = {name: lines for name, lines in waiting.items() if lines}
    whole_lines = [whole for _, _, whole in rows]
    pieces = [whole_lines[start : start + size] for start in range(0, len(rows), size)]
    blocks = ["".join(f"{line}\n" for line in piece) for piece in pieces]
    reader = LineReader()
    entries: list[Entry] = []
    for block, piece in zip(blocks, pieces, strict=True):
        entries += reader.read_text(block, piece)
    entries += reader.finish()
    for wanted in ("s1", "s2", "t1", "t2", "m1"):
        shown = [
            line.removeprefix(f"{_OWN} | ")  # it is there, if the line is parted from its record
            for entry in entries
            if entry.request_id == wanted
            for line in entry.text.split("\n")
        ]
        expected = [
            bare.removeprefix(f"{_OWN} | ").replace("[req=t2|session=b]   ", "  ")
            for request, bare, _ in rows
            if request == wanted
        ]
        assert shown == expected
        query = read_query(request=wanted)
        found = search([block.encode() for block in blocks], query, None, shortcut(query, None))
        lines = b"".join(each.line for each in found).decode().splitlines()
        assert lines == [whole for request, _, whole in rows if request == wanted]
