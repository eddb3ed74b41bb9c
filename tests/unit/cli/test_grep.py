"""
``asgi-trace grep``: all lines of what was asked for, nothing of anyone else's, out of anything that
is a log.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import logging
import lzma
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace import (
    RequestMetadata,
    RequestTracingMiddleware,
    TextFormatter,
    bound_request_metadata,
    get_request_id,
)
from asgi_trace._cli.logs import files
from asgi_trace._cli.logs import grep as command
from asgi_trace._cli.logs.candidates import shortcut
from asgi_trace._cli.logs.files import Log, blocks_of
from asgi_trace._cli.logs.names import ACCESS
from asgi_trace._cli.logs.query import Query, read_query
from asgi_trace._cli.logs.reader import LineReader
from asgi_trace._cli.logs.search import search, search_requests
from asgi_trace._cli.main import main
from asgi_trace._core.access_lines import format_access
from asgi_trace._core.lines import format_json, format_logfmt, format_text, id_color
from asgi_trace._core.record import Record

from ...asgi import HELLO_BODY, HELLO_START, call, http_scope
from ...wrapping import VARIANTS
from .test_logs_records import NAMED, TEXTS

FORMS = {"text": format_text, "json": format_json, "logfmt": format_logfmt}


def line_of(time: str, request_id: str, message: str) -> str:
    return format_text(Record(time, "INFO", "", message, request_id, "s"))


ALICE, BOB = "abc12345-6789-full", "def67890"
TRACEBACK = "Traceback (most recent call last):\n  File \"shop.py\", line 3, in pay\n    charge()\nKeyError: 'bulb'"
COMMAND = (sys.executable, "-m", "asgi_trace", "grep")


def record(request_id: str, session_id: str, second: int, message: str, **more: Any) -> Record:
    return Record(
        f"2024-01-15 10:30:{second:02d}",
        "INFO",
        message=message,
        request_id=request_id,
        session_id=session_id,
        **more,
    )


def access(
    request_id: str, session_id: str, second: int, path: str, status: int, milliseconds: float
) -> Record:
    fields = {
        "method": "GET",
        "path": path,
        "status": status,
        "duration_ms": milliseconds,
        "bytes": 2,
        "transport": "http",
        "client": "127.0.0.1:5",
    }
    return record(
        request_id,
        session_id,
        second,
        format_access(fields),
        logger="asgi_trace.access",
        extra=fields,
    )


# Two customers at once. What their lines hold is as mean as may be: each other's ids, heads and
# statuses.
STORY = [
    record("none", "none", 10, "starting"),
    record("req-001", ALICE, 15, "Processing payment"),
    record(
        "req-002",
        BOB,
        15,
        "Loading profile of req-001, [req=req-001|session=abc12345] - status=500",
    ),
    record("req-001", ALICE, 16, f"Payment failed\n{TRACEBACK}"),
    record(
        "req-002",
        BOB,
        16,
        "2024-01-15 10:30:16 - INFO - [req=req-001|session=abc12345] - GET /x 500 9.9ms 1B",
    ),
    access("req-001", ALICE, 17, "/api/payment?card=***", 500, 2012.3),
    access("req-002", BOB, 18, "/api/profile", 200, 250.0),
    record("req-003", ALICE, 19, "Status check"),
    access("req-003", ALICE, 20, "/api/status", 404, 12.5),
    record("none", "none", 21, "stopping"),
]


def written(form: Callable[[Record], str], *request_ids: str, since: int = 0) -> list[str]:
    """The physical lines that the story has for *request_ids*, all of them when left out."""
    wanted = [each for each in STORY if each.request_id in request_ids or not request_ids]
    return [
        line for each in wanted if int(each.time[-2:]) >= since for line in form(each).split("\n")
    ]


def as_lines(output: bytes) -> list[str]:
    return output.decode().splitlines()


@pytest.fixture
def grep(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., tuple[int, list[str], list[str]]]:
    """
    Run the command in this process; its exit code, and the lines of its output and of standard
    error.
    """

    def run(*arguments: object) -> tuple[int, list[str], list[str]]:
        code = main(["grep", *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        return code, as_lines(out), as_lines(err)

    return run


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Callable[[Record], str]:
    return FORMS[request.param]


@pytest.fixture
def log(tmp_path: Path, form: Callable[[Record], str]) -> Path:
    """The story, in each form."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(written(form)) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("conditions", "request_ids", "since"),
    [
        (["--request", "req-001"], ["req-001"], 0),
        (["--request", "req-00"], [], 0),
        (["--request", "none"], ["none"], 0),
        (["--session", "abc12345"], ["req-001", "req-003"], 0),
        (["--session", ALICE], ["req-001", "req-003"], 0),
        (["--session", "d"], ["req-002"], 0),
        (["--session", "def67890-longer"], ["req-002"], 0),
        (["--session", "no"], [], 0),
        (["--session", "none"], ["none"], 0),
        (["--session", "abc12345", "--request", "req-003"], ["req-003"], 0),
        (["--session", "abc12345", "--request", "req-002"], [], 0),
        (["--status", "500"], ["req-001"], 0),
        (["--status", ">=400"], ["req-001", "req-003"], 0),
        (["--status", "<400"], ["req-002"], 0),
        (["--status", "!=500"], ["req-002", "req-003"], 0),
        (["--status", "4xx"], ["req-003"], 0),
        (["--status", "4XX"], ["req-003"], 0),
        (["--status", "=200"], ["req-002"], 0),
        (["--path", "/api/payment"], ["req-001"], 0),
        (["--path", "/api/payment?card=*"], ["req-001"], 0),
        (["--path", "/api/*"], ["req-001", "req-002", "req-003"], 0),
        (["--path", "/api"], [], 0),
        (["--path", "https://shop.example:8000/api/payment#card"], ["req-001"], 0),
        (["--path", "http://a-long-name.example/api/*"], ["req-001", "req-002", "req-003"], 0),
        (["--path", "*/p*"], ["req-001", "req-002"], 0),
        (["--slower", "1s"], ["req-001"], 0),
        (["--slower", "12.4ms"], ["req-001", "req-002", "req-003"], 0),
        (["--slower", "0.25s"], ["req-001"], 0),
        (["--slower", "1m"], [], 0),
        (["--session", "abc12345", "--status", "404"], ["req-003"], 0),
        (["--path", "/api/*", "--status", ">=500", "--slower", "1s"], ["req-001"], 0),
        (["--since", "2024-01-15 10:30:16"], ["none", "req-001", "req-002", "req-003"], 16),
        (["--since", "2024-01-15T10:30:18", "--session", "abc12345"], ["req-003"], 18),
        (["--since", "2024-01-15 10:30:17", "--status", "500"], ["req-001"], 17),
        (["--since", "1h"], [], 0),
        (["--since", "99999d", "--status", "500"], ["req-001"], 0),
    ],
    ids=lambda value: (
        " ".join(value) if isinstance(value, list) and value[:1] and value[0][0] == "-" else ""
    ),
)
def test_it_shows_the_lines_asked_for(
    grep: Any, log: Path, form: Any, conditions: list[str], request_ids: list[str], since: int
) -> None:
    """
    All of them, as they were written, and no other; by access line it is the whole request. In each
    form.
    """
    expected = written(form, *request_ids, since=since) if request_ids else []
    assert grep(*conditions, log) == (0 if expected else 1, expected, [])


def test_a_further_line_is_shown_after_lines_that_were_left_out() -> None:
    """Those of another request, at the end of a block: the further line continues none of them."""
    record_of_x, record_of_y = (format_text(record(name, BOB, 1, "paid")) for name in "xy")
    further = record_of_x.replace("] - ", "] | ")
    blocks = [f"{record_of_x}\n{record_of_y}\n".encode(), f"{further}\n".encode()]
    found = search(blocks, Query(), {"x"}, shortcut(Query(), {"x"}))
    assert b"".join(each.line for each in found).decode() == f"{record_of_x}\n{further}\n"


def test_each_line_is_taken_for_what_it_is(grep: Any, tmp_path: Path) -> None:
    """One log may have lines of all forms."""
    path = tmp_path / "mixed.log"
    lines = [form(each) for each in STORY for form in FORMS.values()]
    path.write_text("\n".join(lines) + "\n")
    expected = [
        form(each) for each in STORY if each.request_id == "req-003" for form in FORMS.values()
    ]
    assert grep("--request", "req-003", path) == (0, expected, [])
    assert grep("--status", "404", path) == (0, expected, [])


def test_a_cut_session_id_matches_the_whole_one(grep: Any, tmp_path: Path) -> None:
    """
    Text shows eight characters, JSON all: either finds both. A short name is whole, and no other's
    beginning.
    """
    shown = "2024-01-15 10:30:15 - INFO - [req=r1|session=abc12345] - shown"
    whole = format_json(record("r2", ALICE, 15, "whole"))
    other = format_json(record("r3", "abc12345-other", 15, "of another"))
    short = "2024-01-15 10:30:15 - INFO - [req=r4|session=abc] - short"
    path = tmp_path / "app.log"
    path.write_text("\n".join((shown, whole, other, short)) + "\n")
    assert grep("--session", ALICE, path)[1] == [shown, whole]
    assert grep("--session", "abc12345", path)[1] == [shown, whole, other]
    assert grep("--session", "abc", path)[1] == [shown, short]


@pytest.mark.parametrize(
    ("following", "shown"),
    [
        (TRACEBACK, TRACEBACK),
        (
            f"{TRACEBACK}\n\nDuring handling of it:\n\n{TRACEBACK}",
            f"{TRACEBACK}\n\nDuring handling of it:\n\n{TRACEBACK}",
        ),
        (
            "  + Exception Group Traceback (most recent call last):\n  | x",
            "  + Exception Group Traceback (most recent call last):\n  | x",
        ),
        ("Stack (most recent call last):\n  x", "Stack (most recent call last):\n  x"),
        ('  File "shop.py", line 1\nSyntaxError: x', '  File "shop.py", line 1\nSyntaxError: x'),
        ("printed by somebody", ""),
        (f"printed by somebody\n{TRACEBACK}", ""),
        *(
            (f"{TRACEBACK}\n{other}\n{TRACEBACK}", TRACEBACK)
            for other in (
                "INFO:     127.0.0.1:5 - GET",
                "[INFO] Listening",
                "ERROR:root:x",
                "2024-01-15 10:30:16,123 other",
                "[2024-01-15 10:30:16 +0000] [7] [INFO] x",
                "[15/Jan/2024 10:30:16] x",
                '127.0.0.1:5 - - [15/Jan/2024:10:30:16 +0000] "GET / 1.1" 200',
                '{"timestamp": "2024-01-15T10:30:16+00:00", "message": "half a li',
                "2024-01-15 10:30:16 - INFO - [req=r1|sess",
                "START RequestId: 7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c5b6a Version: $LATEST",
                "[req=r2|session=s] shipped",
                line_of("2024-01-15 10:30:16", "r2", "stamped"),
            )
        ),
    ],
)
def test_an_unstamped_traceback_belongs_to_the_line_before(
    grep: Any, tmp_path: Path, following: str, shown: str
) -> None:
    """Whole, up to the next line that any logger wrote; a line that somebody printed does not."""
    head = "2024-01-15 10:30:15 - ERROR - [req=r1|session=s] - Payment failed"
    path = tmp_path / "app.log"
    path.write_text(f"{head}\n{following}\n")
    assert grep("--request", "r1", path) == (0, [head, *shown.splitlines()], [])


@pytest.mark.parametrize(
    "message",
    [
        '127.0.0.1:5 - "GET /api/x?y=1 HTTP/1.1" 503',
        '127.0.0.1:5 - - [15/Jan/2024:10:30:15 +0000] "GET /api/x 2" 503 - "-" "-"',
    ],
    ids=["uvicorn", "hypercorn"],
)
def test_a_servers_own_access_line_will_do(grep: Any, log: Path, form: Any, message: str) -> None:
    """For path and status, where it carries the ids."""
    with log.open("a") as file:
        file.write(form(record("req-009", BOB, 30, message, logger="uvicorn.access")) + "\n")
    expected = form(record("req-009", BOB, 30, message, logger="uvicorn.access"))
    assert grep("--status", "503", "--path", "/api/x", log) == (0, [expected], [])


_MIXED = [
    *(form(record(request, BOB, 1, "took 5ms")) for form in FORMS.values() for request in "xyz"),
    *(format_text(record(request, BOB, 2, f"failed\n{TRACEBACK}")) for request in "xyz"),
    *(
        f"2024-01-15T10:30:15.5Z stdout F {format_text(record(request, BOB, 3, ''))}"
        for request in "xy"
    ),
    "0 no time - INFO - [req=x|session=b] - text",
    "10:30:15 - INFO - [req=y|session=b] - text",
    "2024-01-15 10:30:15 - INFO - [req=x|session=b] | text",
    "2024-01-15 10:30:15 - INFO - [req=none|session=b] -",
    *TRACEBACK.splitlines(),
    "",
    " ",
]


@given(
    lines=st.lists(st.sampled_from(_MIXED), max_size=12),
    requests=st.sets(st.sampled_from("xyz")),
    cut=st.integers(0, 12),
)
def test_passing_over_lines_by_their_bytes_finds_the_same(
    lines: list[str], requests: set[str], cut: int
) -> None:
    blocks = ["".join(f"{line}\n" for line in part).encode() for part in (lines[:cut], lines[cut:])]
    find = shortcut(Query(), requests)
    each_is_read = [*search(blocks, Query(), requests, find, has_parts=lambda block: True)]
    assert [found.line for found in search(blocks, Query(), requests, find) if found.line] == [
        found.line for found in each_is_read if found.line
    ]


_STAMP = "2026-11-26T10:00:00.250Z"
_HEAD = f"{_STAMP} - INFO - [req=a|session=b] - "


_CLOUDFRONT = (
    "2024-11-22\t10:30:15\tLAX1\t392\t192.0.2.100\tGET\td1.cloudfront.net\t/\t503\t-\tcurl/8\t-\t-\tHit\t"
    "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\td1.cloudfront.net\thttps\t23\t0.250\t-\tTLSv1.2"
)
_LINKERD = f'{{"method":"GET","status":503,"timestamp":"{_STAMP}","total_ns":"250000000","trace_id":"a","uri":"http://b/"}}'
_KONG = (
    '{"started_at":1732271415250,"latencies":{"request":250},"request":{"method":"GET","uri":"/","id":"a"},'
    '"response":{"status":503}}'
)


@pytest.mark.parametrize("line", [_CLOUDFRONT, _LINKERD, _KONG])
def test_a_duration_is_found_under_any_name(line: str) -> None:
    for slower, count in (("200ms", 1), ("0.3s", 0)):
        assert len([*search_requests([f"{line}\n".encode()], read_query(slower=slower))]) == count


_DURATIONS = st.integers(0, 10**6).map(lambda tenths: tenths / 10)


@given(duration=_DURATIONS, least=_DURATIONS, form=st.sampled_from(sorted(FORMS)))
def test_the_slower_requests_are_those_with_a_longer_duration(
    duration: float, least: float, form: str
) -> None:
    """The digits decide which lines are read: none with a longer duration is left out."""
    line = FORMS[form](access("req", BOB, 0, "/", 200, duration))
    slower = read_query(slower=f"{least}ms")
    assert [*search_requests([f"{line}\n".encode()], slower)] == ["req"] * (duration > least)


@pytest.mark.parametrize(
    "value", ["1900.5", '"1900.5"', "1.9005e3", "1_900.5", "01900.5", "1900.50000000001"]
)
def test_a_number_of_another_form_is_read(value: str) -> None:
    line = f"time={_STAMP} request_id=a method=GET path=/ status=200 duration_ms={value} msg=x\n"
    slower = read_query(slower="1900ms")
    read = [*search_requests([line.encode()], slower, has_parts=lambda block: True)]
    assert [*search_requests([line.encode()], slower)] == read


@pytest.mark.parametrize(
    "line",
    [
        f"{_HEAD}GET / 503 12.3ms 345B http 127.0.0.1:1",
        f"{_HEAD}GET / 503 - 345B http 127.0.0.1:1",
        f"{_HEAD}GET / 503 - - http 127.0.0.1:1",
        f'{_HEAD}127.0.0.1:1 - "GET / HTTP/1.1" 503',
        f'{_STAMP} INFO: [req=a|session=b] 127.0.0.1:1 - "GET / HTTP/1.1\x1b[0m" \x1b[31m503\x1b[0m',
        f'{{"time": "{_STAMP}", "request_id": "a", "method": "GET", "path": "/", "status" : 503, "duration": 1}}',
        f'{{"status_code":503,"path":"/","method":"GET","duration_ms":1,"request_id":"a","time":"{_STAMP}"}}',
        f'{{"time": "{_STAMP}", "request_id": "a", "message": "127.0.0.1:1 - \\u0022GET / HTTP/1.1\\u0022 503"}}',
        f'{{"time": "{_STAMP}", "request_id": "a", "method": "GET", "path": "", "response_code":"503", "duration":1}}',
        f'time={_STAMP} request_id=a method=GET path=/ status="503" duration=1 msg=x',
        f"I, [{_STAMP}] INFO -- : [aaaaaaaa] Completed 503 Unavailable in 12ms",
        "10:30:15.250 request_id=aaaaaaaa [info] Sent 503 in 12ms",
        f'\x1b[31m{_HEAD}127.0.0.1:1 - "GET / HTTP/1.1" 503\x1b[0m',
        f'{{"timestamp": "{_STAMP}", "operation_Id": "a", "url": "/", "resultCode": "503", "duration": 1.5,'
        '"http.method": "GET"}',
        f'aaaaaaaabbbbccccddddeeeeffff0000 {_STAMP} f b/s 0/0/1/2/30 503 345 - - 1/1/0/0/0 0/0 "GET / HTTP/1.1"',
        f'aaaaaaaabbbbccccddddeeeeffff0000 {_STAMP} f b/s 0/0/1/2/30 503 345 - - 1/1/0/0/0 0/0 "GET /"',
        _CLOUDFRONT,
        _LINKERD,
        _KONG,
        f"{_HEAD}127.0.0.1:1 GET / 1.1 503 265 15617",
        f"{_HEAD}127.0.0.1:1 GET / 1.1 503 - 15617",
        f"{_HEAD}HTTP GET / 503 [0.10, 127.0.0.1:1]",
        rf"{_HEAD}\x1b[35;1mHTTP GET / 503 [0.10, 127.0.0.1:1]\x1b[0m",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_status_is_found_wherever_it_stands(line: str, end: str) -> None:
    """The bytes decide which lines are read: none with that status is left out."""
    block = f"{line}{end}".encode()
    for status, count in ((">=500", 1), ("503", 1), ("5xx", 1), ("!=503", 0), (">503", 0)):
        assert len([*search_requests([block], read_query(status=status))]) == count


def _accesses() -> Iterator[Any]:
    """Each form of access line that names its request, and each set of names for its fields."""
    for name, (line, _) in TEXTS.items():
        yield pytest.param(line, id=name)
    for method, path, status, duration, milliseconds in ACCESS:
        fields = {"time": _STAMP, "request_id": "a", method: "GET", path: "/x", status: 503}
        if method == path:
            fields[path] = "GET /x HTTP/1.1"
        if duration == "service":
            fields |= {"connect": "1ms", "service": "250ms"}
        elif duration:
            fields[duration] = 250 / milliseconds
        yield pytest.param(json.dumps(fields), id=f"JSON {method} {path} {duration}")
        values = (f'{key}="{value}"' for key, value in fields.items())
        yield pytest.param(" ".join(values), id=f"logfmt {method} {path} {duration}")


@pytest.mark.parametrize("line", [*_accesses()])
def test_a_request_is_found_by_what_its_access_line_says(line: str) -> None:
    """The bytes decide which lines are read: what the page shows, each option finds."""
    lines = LineReader()
    entries = lines.read([line]) + lines.finish()
    access = (entries[0].more or {}).get("access", {}) if entries and entries[0].request_id else {}
    status, path, duration = map(access.get, ("status", "path", "duration_ms"))
    options: dict[str, Any] = {}
    if status is not None:
        options["status"] = str(status)
    if path is not None:
        options["path"] = path
    if duration:
        options["slower"] = f"{duration * 0.9:.6f}ms"
    for name, value in options.items():
        query = read_query(**{name: value})
        assert [*search_requests([f"{line}\n".encode()], query)] == [entries[0].request_id], name


_OF_OTHERS = {
    **{name: line for name, (line, _) in TEXTS.items()},
    **{name: json.dumps(fields) for name, (fields, _) in NAMED.items()},
    "the time that some middlewares name": json.dumps(
        {"time": _STAMP, "reqId": "a", "method": "GET", "path": "/x", "status_code": 503}
        | {"response_time_ms": 250.5}
    ),
}
# As the writer alone has it, in Docker's JSON, with ids of ours or of another name, and in a color.
_AROUND: dict[str, Callable[[str], str]] = {
    "bare": str,
    "docker": lambda line: json.dumps({"log": f"{line}\n", "stream": "stdout", "time": _STAMP}),
    "ours": lambda line: f"{line} [req=a|session=b]",
    "named": lambda line: f"{line} request_id=abc",
    "colored": lambda line: f"\x1b[32m{line}\x1b[0m",
}


@pytest.mark.parametrize("around", _AROUND.values(), ids=_AROUND)
@pytest.mark.parametrize("line", _OF_OTHERS.values(), ids=_OF_OTHERS)
def test_the_access_lines_of_all_writers_are_found(line: str, around: Any) -> None:
    """The bytes decide which lines are read: none that matches is left out."""
    block = f"{around(line)}\n".encode()
    for conditions in (
        *({"status": status} for status in (">=100", "200", "4xx", "503")),
        *({"slower": slower} for slower in ("1ms", "200ms", "1m")),
        {"path": "/x"},
    ):
        query = read_query(**conditions)
        each_is_read = [*search_requests([block], query, has_parts=lambda block: True)]
        assert [*search_requests([block], query)] == each_is_read


@pytest.mark.parametrize(
    ("line", "option", "expected"),
    [
        ("work", ("--status", "500"), "no access line was seen"),
        ("work", ("--path", "/pay"), "no access line was seen"),
        (
            '127.0.0.1:1 - "GET / HTTP/1.1" 200',
            ("--slower", "1s"),
            "no access line with a duration",
        ),
    ],
)
def test_missing_access_lines_are_said(
    grep: Any, tmp_path: Path, line: str, option: tuple[str, str], expected: str
) -> None:
    path = tmp_path / "app.log"
    path.write_text(f"{_HEAD}{line}\n")
    code, lines, (said,) = grep(*option, path)
    assert (code, lines) == (1, [])
    assert said.startswith(f"asgi-trace grep: {expected}")


def test_an_id_beside_an_option_is_refused(grep: Any, log: Path) -> None:
    """Where an option says what to search for, all arguments are logs."""
    code, lines, (said,) = grep("customer-1", "--status", "500", log)
    assert (code, lines) == (2, [])
    assert "'customer-1' is no file" in said
    assert "--session customer-1" in said


def test_no_line_has_a_status_that_there_is_not() -> None:
    block = f"{_HEAD}GET / 503 12.3ms 345B http 127.0.0.1:1\n".encode()
    assert not [*search_requests([block], read_query(status="<100"))]


def test_a_split_line_is_found_that_is_added_while_the_log_is_read(tmp_path: Path) -> None:
    """Between the reading of the access lines and that of the lines of their requests."""
    path = tmp_path / "app.log"
    path.write_text(f"{_STAMP} stdout F {_HEAD}GET / 503 12.3ms 345B http 127.0.0.1:1\n")
    query = read_query(status="503")
    log = command._Sampled(Log(str(path), pytest.fail), None)
    requests = command._requests_wanted([log], query)
    with path.open("a") as file:
        file.write(f"{_STAMP} stdout F {_HEAD.replace('=a', '=other')}\n")
        file.write(f"{_STAMP} stdout P {_HEAD[:-18]}\n{_STAMP} stdout F {_HEAD[-18:]}more\n")
    find = shortcut(query, requests, log.is_named)
    found = search(log.lines(), query, requests, find, has_parts=log.has_parts)
    assert sum(each.line.count(b"\n") for each in found) == 3


def test_another_loggers_line_is_no_access_line(grep: Any, tmp_path: Path) -> None:
    """Where the form tells the logger; and what somebody printed never is."""
    path = tmp_path / "app.log"
    fake = access("r1", "s", 15, "/x", 500, 1.0)
    lines = [form(fake._replace(logger="shop")) for form in (format_json, format_logfmt)]
    path.write_text("\n".join((*lines, fake.message)) + "\n")
    assert grep("--status", "500", path) == (1, [], [])


def test_a_log_with_two_names_is_read_once(grep: Any, tmp_path: Path) -> None:
    """As of ``*.log``, where a link leads to the present log; missing ones are named once, too."""
    line = line_of("2024-01-15 10:30:15Z", "r1", "once")
    (tmp_path / "app.log").write_text(line)
    (tmp_path / "latest.log").symlink_to("app.log")
    gone = tmp_path / "gone.log"
    names = ("app.log", "latest.log", "../" + tmp_path.name + "/app.log")
    assert grep("--request", "r1", *(tmp_path / name for name in names), gone, gone) == (
        2,
        [line],
        [f"asgi-trace grep: {gone}: No such file or directory"],
    )


def test_several_logs_are_merged_by_time(grep: Any, tmp_path: Path) -> None:
    """
    Packed ones too, whatever their form and zone; a record's lines stay together, and a cut last
    line is ended.
    """
    early = line_of("2024-01-15 10:30:15+00:00", "r1", f"early\n{TRACEBACK}")
    same = line_of("2024-01-15 11:30:15+01:00", "r1", f"at the same time\n{TRACEBACK}")
    between = format_json(
        Record("2024-01-15T09:30:16.500-01:00", "INFO", message="between", request_id="r1")
    )
    unreadable = line_of("99 Foo 10:30", "r1", "with the line before it")
    late = line_of("2024-01-15 10:30:17Z", "r1", "late")
    (tmp_path / "a.log").write_text(f"{early}\n{late}")
    (tmp_path / "b.log.1.gz").write_bytes(gzip.compress(f"{same}\n".encode()))
    (tmp_path / "c").write_text(f"{between}\n{unreadable}\n")
    expected = [*early.split("\n"), *same.split("\n"), between, unreadable, late]
    assert grep("--request", "r1", *(tmp_path / name for name in ("a.log", "b.log.1.gz", "c"))) == (
        0,
        expected,
        [],
    )


def test_a_rotated_log_goes_on_in_the_next(grep: Any, tmp_path: Path) -> None:
    """
    An access line in one selects the request's lines in all; within a second the older log is
    first.
    """
    story = [each._replace(time="2024-01-15 10:30:15") for each in STORY]
    lines = [format_text(each) for each in story]
    expected = "\n".join(format_text(each) for each in story if each.request_id == "req-001").split(
        "\n"
    )
    old, new = tmp_path / "app.log.1", tmp_path / "app.log"
    old.write_text("\n".join(lines[:3]) + "\n")
    new.write_text("\n".join(lines[3:]) + "\n")
    os.utime(old, (1, 1))
    assert grep("--status", "500", new, old) == (0, expected, [])


def piped(*arguments: object, given: bytes = b"", **more: Any) -> tuple[int, list[str], list[str]]:
    """Run the command in a process of its own, with *given* on its standard input."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], input=given, capture_output=True, timeout=60, **more
    )
    return done.returncode, as_lines(done.stdout), as_lines(done.stderr)


def _of_windows(data: bytes) -> bytes:
    """As PowerShell redirects it."""
    return data.decode().replace("\n", "\r\n").encode("utf-16")


def _without_mark(data: bytes) -> bytes:
    """As other programs of Windows write it."""
    return data.decode().replace("\n", "\r\n").encode("utf-16-le")


def _packed_twice(data: bytes) -> bytes:
    """As Firehose stores what CloudWatch sent, with compression."""
    half = len(data) // 2
    return gzip.compress(gzip.compress(data[:half]) + gzip.compress(data[half:]))


@pytest.mark.parametrize("conditions", [["--request", "req-001"], ["--status", "500"]])
@pytest.mark.parametrize("name", [[], ["-"]])
@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, bz2.compress, lzma.compress, _packed_twice, _of_windows, _without_mark],
    ids=str,
)
def test_it_reads_standard_input(conditions: list[str], name: list[str], pack: Any) -> None:
    """Also where it must be read twice, and packed."""
    given = pack("\n".join(written(format_text)).encode())
    code, lines, errors = piped(*conditions, *name, given=given)
    shown = [line.rstrip("\r") for line in lines]
    assert (code, shown, errors) == (0, written(format_text, "req-001"), [])


def test_a_packing_that_this_python_cannot_read_is_one_sentence(
    grep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the program that can."""
    path = tmp_path / "a.log.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00")
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    assert grep("--request", "req-001", path) == (
        2,
        [],
        [
            f"asgi-trace grep: {path}: this Python has no module for zstd; 'zstd -dc' writes the lines"
        ],
    )


@pytest.mark.skipif(sys.platform == "win32", reason="its pipes cannot be asked for more")
@pytest.mark.parametrize(
    ("name", "program"),
    [("logs.zip", "unzip -p"), ("logs.tar", "tar -xOf"), ("logs.tar.gz", "tar -xOf")],
)
def test_an_archive_of_files_is_one_sentence(
    grep: Any, tmp_path: Path, name: str, program: str
) -> None:
    """Its lines are behind heads or packed one by one: some of them would be missing."""
    (tmp_path / "app.log").write_text("\n".join(written(format_text)))
    kind = {"zip": "zip", "tar": "tar", "gz": "gztar"}[name.rpartition(".")[2]]
    archive = shutil.make_archive(str(tmp_path / "logs"), kind, tmp_path, "app.log")
    sentence = (
        f"asgi-trace grep: {archive}: this is an archive of files; '{program}' writes their lines"
    )
    assert Path(archive).name == name
    assert grep("--request", "req-001", archive) == (2, [], [sentence])


def test_the_first_lines_of_a_pipe_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may write them one by one: the order of several shows whether they are reversed."""
    reading, writing = os.pipe()
    os.write(writing, b"one\n")

    def go_on(_: float) -> None:
        os.write(writing, b"two\n")
        os.close(writing)

    monkeypatch.setattr("asgi_trace._cli.logs.files.time.sleep", go_on)
    assert list(Log(f"/dev/fd/{reading}", pytest.fail).blocks()) == [b"one\ntwo\n"]
    os.close(reading)


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no files for pipes")
def test_a_pipe_for_a_file_is_read_twice() -> None:
    """As the shell's <(...) makes one."""
    reading, writing = os.pipe()
    with open(writing, "wb") as pipe:
        pipe.write("\n".join(written(format_text)).encode())
    try:
        found = piped("--status", "500", f"/dev/fd/{reading}", pass_fds=[reading])
    finally:
        os.close(reading)
    assert found == (0, written(format_text, "req-001"), [])


def test_lines_are_shown_as_they_come() -> None:
    """Behind ``tail -f``, a line is not held back until there are more."""
    with subprocess.Popen(
        [*COMMAND, "--session", "abc12345"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in written(format_text, "req-001"):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().decode() == f"{line}\n"
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        (["--status", "bad"], "--status is 'bad'; expected a status such as 404, 5xx or '>=500'"),
        (["--status", "!500"], "--status is '!500'; expected a status such as 404, 5xx or '>=500'"),
        (["--status", ">5xx"], "--status is '>5xx'; expected a status such as 404, 5xx or '>=500'"),
        (
            ["--slower", "5"],
            "--slower is '5'; expected a number with its unit, such as 250ms, 1.5s, 10m, 2h or 1d",
        ),
        (
            ["--since", "2024-02-30"],
            "--since is '2024-02-30'; "
            "expected how long ago, such as 10m, or a time such as '2024-01-15 10:30' or 10:30",
        ),
    ],
)
def test_a_condition_that_is_none_is_one_sentence(
    grep: Any, log: Path, conditions: list[str], error: str
) -> None:
    """What it is, what was expected; exit code 2."""
    assert grep(*conditions, log) == (2, [], [f"asgi-trace grep: {error}"])


TRACED = [
    format_json(
        record("a1b2c3d4" * 4, "alice", 15, "one", trace_id="0af7651916cd43dd8448eb211c80319c")
    ),
    format_logfmt(record("b2c3d4e5" * 4, "5e55104d" * 4, 16, "two", span_id="00f067aa0ba902b7")),
    format_text(record("c3d4e5f6" * 4, "5e55104d" * 4, 17, "three")),
    format_text(record("none", "none", 18, "a1b2c3d4 in a message")),
    '{"time": "2024-01-15T10:30:19Z", "message": "four", "dd.trace_id": "8448eb211c80319c", "reqId": "req-77"}',
    "2024-01-15 10:30:20 - ERROR - [req=nonesuch|session=customer-10] - five\nTraceback (most recent call last):",
]


@pytest.mark.parametrize(
    ("beginning", "shown"),
    [
        ("a1b2", [0]),
        ("a1b2c3d4" * 4, [0]),
        ("alic", [0]),
        ("alice", [0]),
        ("alice-b", []),
        ("0af7651916cd43dd8448eb211c80319c", [0]),
        ("0af7", [0]),
        ("00f0", [1]),
        ("5e55", [1, 2]),
        ("5e55104d5e55", [1, 2]),
        ("5e55104d" * 4, [1, 2]),
        ("8448eb", [4]),
        ("req-7", [4]),
        ("none", None),
        ("nones", [5]),
        ("customer-1", [5]),
        ("1b2c", []),
        ("a1b2c3d4 ", []),
        ("A1B2", []),
    ],
)
def test_an_id_needs_no_option(
    grep: Any, tmp_path: Path, beginning: str, shown: list[int] | None
) -> None:
    """Of a request, session, trace or span, by its beginning; and never one in a message."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(TRACED) + "\n")
    code, lines, errors = grep(beginning, path)
    if shown is None:
        assert (code, lines) == (2, [])
        assert errors[0].startswith(f"asgi-trace grep: the id is {beginning!r}; expected its first")
    else:
        expected = [line for number in shown for line in TRACED[number].split("\n")]
        assert (code, lines, errors) == (0 if shown else 1, expected, [])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            [],
            "nothing to look for; expected an id before the logs, as in 'asgi-trace grep f3e2a5c4 app.log'",
        ),
        (["app.log"], "nothing to look for; expected an id before the logs, as in"),
        (
            ["-"],
            "nothing to look for; expected an id before the logs, as in 'asgi-trace grep f3e2a5c4 -'",
        ),
        (["app.log", "f3e2"], "nothing to look for; expected an id before the logs, as in"),
        (
            ["--request", "", "app.log"],
            "nothing to look for; expected an id before the logs, as in",
        ),
        (["--tz", "UTC", "app.log"], "nothing to look for; expected an id before the logs, as in"),
        (
            ["req", "app.log"],
            "the id is 'req'; expected its first 4 characters or more, or one of --session req",
        ),
    ],
)
def test_what_is_no_id_is_one_sentence(
    grep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    """It tells what to type instead."""
    monkeypatch.chdir(tmp_path)
    Path("app.log").write_text("\n".join(TRACED) + "\n")
    code, lines, errors = grep(*arguments)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith(f"asgi-trace grep: {error}")


def test_options_may_stand_between_logs(grep: Any, tmp_path: Path) -> None:
    """As those of other commands."""
    (tmp_path / "a.log").write_text(f"{TRACED[0]}\n")
    (tmp_path / "b.log").write_text(f"{TRACED[0]}\n")
    found = grep("a1b2", tmp_path / "a.log", "--tz", "UTC", tmp_path / "b.log")
    assert found == (0, [TRACED[0]] * 2, [])


@pytest.mark.parametrize("place", [0, 1], ids=["before the log", "behind it"])
def test_a_value_may_begin_with_a_hyphen(grep: Any, tmp_path: Path, place: int) -> None:
    """An offset west of Greenwich, and an id; an unknown option is still one."""
    line = "2024-01-15 10:30:15 - INFO - [req=-Xk2_9|session=-b64-id] - x"
    log = tmp_path / "app.log"
    log.write_text(f"{line}\n")

    def found(*words: str) -> tuple[int, list[str], list[str]]:
        arguments: list[object] = [*words]
        arguments.insert(place * len(words), log)
        return grep(*arguments)

    since = ["--since", "2024-01-15T15:30:00Z"]
    assert found("--request", "-Xk2_9", "--tz", "-05:00", *since) == (0, [line], [])
    assert found("--session", "-b64-id", "--tz", "-0500", *since) == (0, [line], [])
    assert found("--session", "-b64-id", "--tz", "-04:00", *since) == (1, [], [])
    for words in (["--session", "--stauts", "500"], ["--session", "-b64-id", "--tz"]):
        with pytest.raises(SystemExit, match="2"):
            grep(*words)


@pytest.mark.parametrize("name", ["+25:00", "-24:00", "Mars/Phobos", "../zoneinfo/UTC"])
def test_a_zone_that_does_not_exist_is_one_sentence(grep: Any, name: str) -> None:
    code, lines, errors = grep("--request", "r1", "--tz", name, os.devnull)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith(f"asgi-trace grep: --tz is {name!r}; expected a time zone such as")


@pytest.mark.parametrize("conditions", [["--request", "req-001"], ["--status", "500"]])
def test_what_cannot_be_read_is_one_sentence_each(
    grep: Any, tmp_path: Path, conditions: list[str]
) -> None:
    """Exit code 2; what could be read is shown."""
    text = "\n".join(written(format_text)) + "\n"
    good, directory, cut, broken = (
        tmp_path / name for name in ("good.log", "dir", "cut.gz", "broken.gz")
    )
    good.write_text(text)
    directory.mkdir()
    packed = gzip.compress("".join(os.urandom(500).hex() + "\n" for _ in range(200)).encode())
    cut.write_bytes(packed[:-2000])
    broken.write_bytes(packed[:20] + bytes(100) + packed[120:])
    missing = tmp_path / "missing.log"
    code, lines, errors = grep(*conditions, missing, directory, cut, broken, good)
    assert (code, lines) == (2, written(format_text, "req-001"))
    about_broken, *others = sorted(errors)
    assert about_broken.startswith(f"asgi-trace grep: {broken}: Error -3 while decompressing data")
    assert others == [
        f"asgi-trace grep: {cut}: Compressed file ended before the end-of-stream marker was reached",
        f"asgi-trace grep: {directory}: Is a directory",
        f"asgi-trace grep: {missing}: No such file or directory",
    ]


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    line = f"{written(format_text, 'req-003')[0]}\n".encode()
    with subprocess.Popen(
        [*COMMAND, "--request", "req-003"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(line)
        process.stdin.flush()
        assert process.stdout.readline() == line
        process.stdout.close()
        process.stdin.write(line)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize("lines", [1, 5000])
def test_a_pipe_that_nobody_reads_is_no_error(tmp_path: Path, lines: int) -> None:
    """Whether the output fails at once, or with some of it still in the buffer."""
    log = tmp_path / "app.log"
    log.write_text(f"{written(format_text, 'req-003')[0]}\n" * lines)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, "--request", "req-003", log],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this platform has no full device")
def test_output_that_cannot_be_written_is_one_sentence(log: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "--request", "req-001", log],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, as_lines(done.stderr)) == (
        2,
        ["asgi-trace grep: standard output: No space left on device"],
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit for a process")
@pytest.mark.parametrize("command", ["grep --request req-001", "view -o page.html"])
def test_more_logs_than_a_process_may_open_are_merged(command: str, tmp_path: Path) -> None:
    """The first limit is low, as 256 on macOS; a process may raise it up to the second one."""
    line = format_text(record("req-001", "abc12345", 15, "x"))
    for number in range(40):
        (tmp_path / f"{number}.log").write_text(f"{line}\n" * 500)
    done = subprocess.run(
        ["sh", "-c", f'ulimit -Sn 25; exec "$@" {command} *.log', "sh", *COMMAND[:-1]],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    shown = as_lines(done.stdout)
    assert shown == [line] * 20_000 or shown[0].startswith("page.html: 20,000 lines, ")


@pytest.mark.parametrize("given", ["named", "standard input"])
def test_a_log_that_the_lines_are_written_to_is_not_searched(given: str, tmp_path: Path) -> None:
    """Each line of ``asgi-trace grep … *.log >> all.log`` would be found again, without an end."""
    lines = "".join(f"{line}\n" for line in written(format_text, "req-001"))
    one, all_logs = tmp_path / "one.log", tmp_path / "all.log"
    one.write_text(lines)
    all_logs.write_text(lines)
    name = str(all_logs) if given == "named" else "-"
    with all_logs.open("ab") as output, all_logs.open("rb") as same:
        done = subprocess.run(
            [*COMMAND, "--request", "req-001", one, name],
            stdin=same,
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    shown = name if given == "named" else given
    assert (done.returncode, as_lines(done.stderr)) == (
        2,
        [f"asgi-trace grep: {shown}: standard output goes to this file, so it is not searched"],
    )
    assert all_logs.read_text() == lines * 2


def on_a_terminal(given: Path, *arguments: str, **environment: str) -> str:
    """What a terminal is sent."""
    import pty

    controller, terminal = pty.openpty()
    env = {"PATH": "", "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"} | environment
    with subprocess.Popen([*COMMAND, *arguments, str(given)], stdout=terminal, env=env) as process:
        os.close(terminal)
        sent = b""
        try:
            while data := os.read(controller, 65536):
                sent += data
        except OSError:  # how Linux says that the terminal is closed
            pass
        finally:
            os.close(controller)
        assert process.wait(60) == 0
    return sent.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
def test_a_terminal_shows_each_id_in_a_color_of_its_own(log: Path, form: Any) -> None:
    """The same on each of its lines and at all times; taken away, the lines are what they were."""
    colors: dict[str, set[str]] = {}
    for request_id in ("req-001", "req-003", "none"):
        sent = on_a_terminal(log, "--request", request_id)
        assert re.sub(r"\x1b\[\d*m", "", sent).splitlines() == written(form, request_id)
        painted = re.findall(r"(\x1b\[\d+m)([^\x1b]+)\x1b\[0m", sent)
        shown = [request_id, ALICE] if request_id != "none" else []
        assert [text for _, text in painted] == shown * len(written(form, request_id))
        for color, text in painted:
            colors.setdefault(text, set()).add(color)
    assert colors == {text: {id_color(text)} for text in ("req-001", "req-003", ALICE)}
    assert colors["req-001"] != colors["req-003"]


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_color_can_be_declined(log: Path, form: Any, environment: dict[str, str]) -> None:
    sent = on_a_terminal(log, "--request", "req-001", **environment)
    assert sent.splitlines() == written(form, "req-001")


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
def test_no_line_commands_the_terminal(tmp_path: Path) -> None:
    """
    Control characters of other writers are shown, tabs apart; a pipe gets the bytes as they are.
    """
    head = "2024-01-15 10:30:15 - ERROR - [req=r1|session=s] - x"
    path = tmp_path / "app.log"
    path.write_bytes(f"{head}\n  \x1b]0;owned\x07\tC:\\x41\u3042\u202e\n".encode() + b"  \xff\n")
    assert on_a_terminal(path, "--request", "r1", NO_COLOR="1").splitlines() == [
        head,
        "  \\x1b]0;owned\\x07\tC:\\x41\u3042\\u202e",
        "  \ufffd",
    ]
    assert (
        subprocess.run([*COMMAND, "--request", "r1", path], stdout=subprocess.PIPE).stdout
        == path.read_bytes()
    )


def test_colored_text_is_read(grep: Any, tmp_path: Path) -> None:
    """As a terminal's recording has it."""
    path = tmp_path / "typescript"
    formatter = TextFormatter(color=True)
    message = access("r1", ALICE, 15, "/x", 500, 1.0).message
    with bound_request_metadata(RequestMetadata(ALICE, "r1")):
        line = formatter.format(logging.makeLogRecord({"msg": message, "levelname": "ERROR"}))
    assert line.count("\x1b[") == 6
    path.write_text(f"{line}\r\n")
    for conditions in (["--request", "r1"], ["--session", ALICE], ["--status", "500"]):
        assert grep(*conditions, path) == (0, [line], [])


def test_a_line_that_is_skipped_shows_what_a_prefix_is(grep: Any, tmp_path: Path) -> None:
    """Tilt aligns the names of services: without it, one is the beginning of a further line."""
    skipped, wanted = (f"{_STAMP} - INFO - [req={each}|session=none] - x" for each in ("r2", "r1"))
    path = tmp_path / "app.log"
    given = [("front", skipped), ("stock", wanted), ("front", "a line of another form")]
    path.write_text(VARIANTS["tilt"]([(0.0, *each) for each in given]), encoding="utf-8")
    shown = path.read_text(encoding="utf-8").splitlines()[1:2]
    assert grep("--request", "r1", path) == (0, shown, [])


def test_a_line_that_is_skipped_shows_that_rich_writes_the_log(grep: Any, tmp_path: Path) -> None:
    """It writes the time of each second once: blanks begin a record, too."""
    lines = [
        "[11/22/24 10:30:15] WARNING  [req=r1|session=s1] paid     shop.py:151",
        "                    ERROR    [req=r2|session=s2] failed   shop.py:152",
        "                    INFO     [req=r3|session=s3] shipped  shop.py:153",
    ]
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines))
    assert grep("--request", "r2", path)[:2] == (0, [lines[1]])


def test_a_servers_line_without_a_name_for_its_id_is_one_of_the_request(
    grep: Any, tmp_path: Path
) -> None:
    """Also beside lines of ours, which name the same id."""
    request_id = "0f1e2d3c" * 4
    nginx = '127.0.0.1 - - [15/Jan/2024:10:30:15 +0000] "GET /x HTTP/1.1" 500 5 "-" "-" '
    lines = [
        f"app-1  | {format_text(access(request_id, 'none', 15, '/x', 500, 12.5))}",
        f"app-1  | {format_text(access('other', 'none', 15, '/y', 200, 12.5))}",
        f"nginx-1  | {nginx}{request_id}",
    ]
    path = tmp_path / "compose.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    assert grep("--status", "500", path)[1] == [lines[0], lines[2]]


@pytest.mark.parametrize(
    "conditions",
    [
        ["--since", "2024-01-15 10:30:16"],
        ["--service", "front"],
        ["--request", "none"],
        ["--session", "none"],
    ],
)
def test_a_line_that_somebody_printed_is_shown_where_no_id_is_asked_for(
    grep: Any, tmp_path: Path, conditions: list[str]
) -> None:
    """It has the time of the line before, and the service of its container."""
    later = format_text(record("none", "none", 16, "starting"))
    path = tmp_path / "compose.log"
    path.write_text(f"front-1  | {later}\nfront-1  | printed by somebody\n")
    assert grep(*conditions, path) == (0, path.read_text().splitlines(), [])


def test_an_id_that_a_client_sends_in_quotes_is_none_of_the_lines(
    grep: Any, tmp_path: Path
) -> None:
    """The other lines of the log have none: they count also where they are skipped."""
    request_id = "0f1e2d3c" * 4
    line = '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET / HTTP/1.1" 200 5 "-" "curl" "{}"'
    path = tmp_path / "access.log"
    path.write_text("".join(f"{line.format(sent)}\n" for sent in ("-", request_id, "-")))
    assert grep("--request", request_id, path)[:2] == (1, [])


LINES = st.one_of(
    st.sampled_from([line.encode() for form in FORMS.values() for line in written(form)]),
    st.sampled_from([line.encode() for line in TRACEBACK.split("\n")]),
    st.sampled_from(
        [
            b"",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\x00",
            b"{",
            b"req=req-001",
            b"req-001",
            b"\x1b[31m",
            b"INFO: x",
        ]
    ),
    st.binary(),
)
QUERIES = st.sampled_from(
    [
        {"request": "req-001"},
        {"session": "abc12345"},
        {"status": ">=400"},
        {"path": "/api/*", "session": ALICE},
        {"since": "2024-01-15 10:30:16"},
    ]
)


class Cut(io.RawIOBase):
    """*data* in pieces of the *sizes* given, over and over: what a pipe may do."""

    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._data = data
        self._sizes = [*sizes, len(data)]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0])
        piece, self._data = self._data[:size], self._data[size:]
        buffer[: len(piece)] = piece
        return len(piece)


def found_in(data: bytes, query: Query, sizes: Sequence[int], find: Any = None) -> list[bytes]:
    def blocks() -> Any:
        return blocks_of(io.BufferedReader(Cut(data, sizes)))

    requests = set(search_requests(blocks(), query)) if query.by_access_line else None
    found = search(blocks(), query, requests, find or shortcut(query, requests))
    return b"".join(each.line for each in found).splitlines(keepends=True)


@given(
    st.lists(LINES, max_size=12), QUERIES, st.lists(st.integers(1, 40), max_size=12), st.booleans()
)
def test_no_bytes_break_it(
    lines: list[bytes], conditions: dict[str, str], sizes: list[int], is_ended: bool
) -> None:
    """
    Whatever is in a log: what is found are lines of it, in order; the same ones however a pipe cuts
    them, and the same ones as without the shortcuts.
    """
    data = b"\n".join(lines) + b"\n" * is_ended
    query = read_query(**conditions)
    found = found_in(data, query, [])
    assert found == found_in(data, query, sizes)
    assert found == found_in(data, query, [], find=lambda block, start: start)
    remaining = iter((data + b"\n").split(b"\n"))
    for line in b"".join(found).split(b"\n")[:-1]:
        assert line in remaining, line


def test_a_line_longer_than_memory_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, where it is wanted; a head within it is not taken for one."""
    monkeypatch.setattr(files, "_LONGEST_LINE", 200)
    head = "2024-01-15 10:30:15 - INFO - [req=req-001|session=s] - "
    forged = "2024-01-15 10:30:15 - INFO - [req=req-002|session=s] - "
    long = (head + "x" * (200 - len(head)) + forged * 20 + "\n").encode()
    data = long + forged.encode() + b"short\n" + long
    for sizes in ([200] * 100, [7] * 1000, []):
        assert found_in(data, read_query(request="req-001"), sizes) == [long, long]
        assert found_in(data, read_query(request="req-002"), sizes) == [
            forged.encode() + b"short\n"
        ]


def test_a_line_that_is_read_in_pieces_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also for the summary: a piece is not examined, which takes as long as for all of its bytes."""
    monkeypatch.setattr(files, "_BLOCK", 100)
    monkeypatch.setattr(files, "_LONGEST_LINE", 200)
    path = tmp_path / "app.log"
    path.write_text(f"{_HEAD}{'x' * 5000}\n{_HEAD}short\n")
    log = command._Sampled(Log(str(path), pytest.fail), None)
    log._is_counted = True
    assert len([*log.lines()]) > 10
    assert (log.reading.lines, log.reading.looked_at) == (2, 2)


class Endless(io.RawIOBase):
    """*blocks* blocks of a log, made as they are read."""

    def __init__(self, block: bytes, blocks: int) -> None:
        self._block = block
        self._left = blocks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left -= 1
        if self._left < 0:
            return 0
        buffer[: len(self._block)] = self._block
        return len(self._block)


@pytest.mark.parametrize(
    "conditions", [{"request": "req-001"}, {"status": "500"}], ids=["request", "status"]
)
def test_memory_does_not_grow_with_the_log(conditions: dict[str, str]) -> None:
    """A hundred times the log, the same peak."""
    block = ("\n".join(written(format_text)) + "\n").encode() * 20
    query = read_query(**conditions)

    def peak(blocks: int) -> tuple[int, int]:
        def source() -> Any:
            return blocks_of(io.BufferedReader(Endless(block, blocks)))

        tracemalloc.start()
        try:
            requests = set(search_requests(source(), query)) if query.by_access_line else None
            found = search(source(), query, requests, shortcut(query, requests))
            lines = sum(bool(each.line) for each in found)
            return lines, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few_lines, few = peak(2)
    many_lines, many = peak(200)
    assert many_lines == 100 * few_lines > 0
    assert many < 2 * few


def test_the_requests_remembered_are_bounded(
    grep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and shows the first."""
    monkeypatch.setattr(command, "_MOST_REQUESTS", 2)
    path = tmp_path / "app.log"
    lines = [
        format_text(access(f"r{number}", "s", 15, "/", 500, 1.0)) for number in (1, 2, 1, 3, 4)
    ]
    path.write_text("\n".join(lines) + "\n")
    code, shown, errors = grep("--status", "500", path)
    assert (code, shown) == (0, lines[:3])
    assert errors == [
        "asgi-trace grep: more than 2 requests match; shown are the first, narrow the search with --since",
    ]


def test_ids_set_by_hand_are_found_too(grep: Any, tmp_path: Path) -> None:
    """Of any characters, escaped in the line or not."""
    path = tmp_path / "app.log"
    name = 'nächtlich "7"'
    for form in FORMS.values():
        lines = [form(record(name, name, 15, "x")), form(access(name, name, 16, "/", 500, 1.0))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        for conditions in (["--request", name], ["--session", name], ["--status", "500"]):
            assert grep(*conditions, path) == (0, lines, [])


@pytest.mark.anyio
async def test_it_finds_exactly_what_a_request_wrote(grep: Any, tmp_path: Path) -> None:
    """
    Requests at once, in tasks and threads, with tracebacks and hostile messages: each line, and no
    other's.
    """
    path = tmp_path / "app.log"
    emitted: dict[str, list[str]] = {}

    class Remembering(logging.FileHandler):
        def format(self, each: logging.LogRecord) -> str:
            text = super().format(each)
            emitted.setdefault(get_request_id() or "none", []).extend(text.split("\n"))
            return text

    handler = Remembering(path)
    handler.setFormatter(TextFormatter())
    own = logging.Logger("shop")
    own.addHandler(handler)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        other = scope["path"]
        own.info(
            "first\n2024-01-15 10:30:15 - INFO - [req=%s|session=s] - forged\r\u2028\x1b[2J", other
        )
        await anyio.lowlevel.checkpoint()
        await anyio.to_thread.run_sync(own.info, "in a thread, of %s", other)
        try:
            raise KeyError(f"req={other}\n[req={other}|session=s]")
        except KeyError:
            own.exception("failed\n")
        await anyio.lowlevel.checkpoint()
        await send(HELLO_START)
        await send(HELLO_BODY)

    ids = [f"req-{number}" for number in range(8)]
    async with anyio.create_task_group() as tasks:
        for request_id, other in zip(ids, reversed(ids), strict=True):
            scope = http_scope([(b"x-request-id", request_id.encode())], path=other)
            tasks.start_soon(call, RequestTracingMiddleware(app), scope)
    handler.close()
    assert set(emitted) == set(ids)
    for request_id in ids:
        assert grep("--request", request_id, path) == (0, emitted[request_id], [])


# -- traces, spans and services --------------------------------------------------------------------

TRACE, OTHER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736", "a" * 32
FRONT_SPAN, STOCK_SPAN = "00f067aa0ba902b7", "b7ad6b7169203331"


def hop(form: str, service: str, span: str, request_id: str, trace: str, message: str) -> str:
    """A line of a request that was called, in a service."""
    row = Record(
        "2024-01-15 10:30:15.000Z", "INFO", service, message, request_id, "customer-1", trace, span,
        parent_span_id="c" * 16, service=service,
    )  # fmt: skip
    return FORMS[form](row)


def hops(form: str, folder: Path, other: str = "") -> list[str]:
    """The logs of two services; the trace is not the request's id. *other* is the form of the second."""
    for service, span, its in (("front", FRONT_SPAN, form), ("stock", STOCK_SPAN, other or form)):
        lines = [
            hop(its, service, span, "order-1", TRACE, f"{service} of the trace"),
            hop(its, service, "d" * 16, "order-2", OTHER_TRACE, f"{service} of another"),
        ]
        (folder / f"{service}.log").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return [str(folder / "front.log"), str(folder / "stock.log")]


def shown_by(arguments: Sequence[str], capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What the lines that the command shows say."""
    main(["grep", *arguments])
    return re.findall(r"(?:front|stock) of (?:the trace|another)", capfd.readouterr().out)


BRACKET = "[req=order-1|session=customer-1]"
PARENT = f"00-{TRACE}-{STOCK_SPAN}-01"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--span", STOCK_SPAN], ["stock of the trace"]),
        (["--span", PARENT], ["stock of the trace"]),
        (["--service", "stock"], ["stock of the trace", "stock of another"]),
        (["--service", "stock", "--request", "order-1"], ["stock of the trace"]),
        (["--service", "sto"], []),
        ([BRACKET], ["front of the trace", "stock of the trace"]),
        ([BRACKET.strip("[]")], ["front of the trace", "stock of the trace"]),
        ([f"[req=order-1|session=customer-1|span={STOCK_SPAN}]"], ["front of the trace", "stock of the trace"]),
        ([STOCK_SPAN], ["stock of the trace"]),
        ([f"2024-01-15 10:30:15 - INFO - {BRACKET} - [sic] bought"], ["front of the trace", "stock of the trace"]),
        (['{"msg": "span_id=x y", "request_id": "order-1"}'], ["front of the trace", "stock of the trace"]),
        (['level=INFO message="request_id=x y" request_id=order-2'], ["front of another", "stock of another"]),
        (["req=order-1"], ["front of the trace", "stock of the trace"]),
        (["session=customer-2"], []),
        (['"order-1"'], ["front of the trace", "stock of the trace"]),
        (["'order-1',"], ["front of the trace", "stock of the trace"]),
        (['"request_id": "order-2",'], ["front of another", "stock of another"]),
        (["request_id=order-2"], ["front of another", "stock of another"]),
        (["X-Request-ID: order-2"], ["front of another", "stock of another"]),
        ([f'"span_id":"{STOCK_SPAN}"'], ["stock of the trace"]),
    ],
)  # fmt: skip
def test_spans_services_and_what_is_pasted(
    form: str,
    words: list[str],
    expected: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Text has no service, and its log's name tells it."""
    logs = hops(form, tmp_path)
    assert shown_by([*words, *logs], capfd) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["--trace", TRACE],
        ["--trace", PARENT],
        [PARENT],
        [TRACE],
        [f"trace_id={TRACE}"],
        [f'"traceparent": "{PARENT}",'],
        [f"traceparent={PARENT}"],
    ],
)
@pytest.mark.parametrize(
    ("form", "other"),
    [("json", "json"), ("logfmt", "logfmt"), ("json", "text"), ("text", "logfmt")],
)
def test_a_trace_is_all_its_requests(
    words: list[str], form: str, other: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lines of text have no trace: those of a request that another line shows to be in it."""
    found = shown_by([*words, *hops(form, tmp_path, other)], capfd)
    assert found == ["front of the trace", "stock of the trace"]


@pytest.mark.parametrize("conditions", [["--trace", TRACE], [TRACE], ["--status", "500"]])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_file_may_be_standard_input(conditions: list[str], pack: Any, tmp_path: Path) -> None:
    """
    ``asgi-trace grep … < app.log`` reads the file as often as a named one, each time from where
    another program, such as ``read`` of a shell, has stopped.
    """
    access = {"method": "GET", "path": "/", "status": 500, "duration_ms": 1.0}
    failed = Record(
        "2024-01-15 10:30:15.000Z", "INFO", "asgi_trace.access", format_access(access), "order-1",
        trace_id=TRACE, extra=access,
    )  # fmt: skip
    expected = [format_json(failed)]
    given = (
        f"{expected[0]}\n{hop('json', 'front', FRONT_SPAN, 'order-2', OTHER_TRACE, 'another')}\n"
    )
    log = tmp_path / "app.log"
    log.write_bytes(b"a head\n" + pack(given.encode()))
    with log.open("rb", buffering=0) as file:
        file.read(len(b"a head\n"))
        done = subprocess.run([*COMMAND, *conditions], stdin=file, capture_output=True, timeout=60)
    assert (done.returncode, as_lines(done.stdout), done.stderr) == (0, expected, b"")


def test_a_trace_that_a_request_began_has_its_id(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "app.log"
    log.write_text(hop("text", "front", FRONT_SPAN, TRACE, TRACE, "front of the trace") + "\n")
    assert shown_by(["--trace", TRACE, str(log)], capfd) == ["front of the trace"]


@pytest.mark.parametrize("form", ["json", "logfmt"])
@pytest.mark.parametrize("place", [10, -10], ids=["in the trace", "before it"])
def test_the_trace_of_a_split_line_is_known(
    form: str, place: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither part of it has both its trace and its request."""
    line = hop(form, "front", FRONT_SPAN, "order-1", TRACE, "front of the trace")
    at = line.index(TRACE) + place
    rest = hop("text", "stock", STOCK_SPAN, "order-1", TRACE, "stock of the trace")
    log = tmp_path / "app.log"
    log.write_text(
        f"{_STAMP} stdout P {line[:at]}\n{_STAMP} stdout F {line[at:]}\n{_STAMP} stdout F {rest}\n"
    )
    assert shown_by(["--trace", TRACE, str(log)], capfd) == [
        "front of the trace",
        "stock of the trace",
    ]


def test_the_service_of_a_container_is_known(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And conditions go together."""
    log = tmp_path / "compose.log"
    access = format_access(
        {
            "method": "GET",
            "path": "/x",
            "status": 500,
            "duration_ms": 5.0,
            "bytes": 2,
            "transport": "http",
        }
    )
    lines = [
        f"{service}-1  | {hop('text', service, 'd' * 16, service, TRACE, message)}"
        for service in ("front", "stock")
        for message in (f"{service} of the trace", access)
    ]
    log.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert shown_by(["--service", "stock", str(log)], capfd) == ["stock of the trace"]
    assert shown_by(["--service", "front", "--status", "500", str(log)], capfd) == [
        "front of the trace"
    ]
    assert shown_by(["--trace", OTHER_TRACE, "--status", "500", str(log)], capfd) == []


@pytest.mark.parametrize("before", ["", "Root=", "Self=1-6-9;Root="])
def test_a_trace_of_aws_is_found_by_its_id_and_by_the_header(
    before: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A service of AWS Lambda Powertools logs the id, another one the header."""
    trace = "1-5759e988-bd862e3fe1be46a994272793"
    fields = {"level": "INFO", "timestamp": "2024-11-22 10:30:15,250+0000", "message": "x"}
    lines = [
        json.dumps({**fields, "function_request_id": "r1", "xray_trace_id": trace}),
        json.dumps({**fields, "X-Amzn-Trace-Id": f"Root={trace};Parent=53995c3f42cd8ad8"}),
        json.dumps({**fields, "xray_trace_id": trace.replace("5", "6")}),
    ]
    log = tmp_path / "app.log"
    log.write_text("\n".join((*lines, "")))
    assert main(["grep", "--trace", f"{before}{trace}", str(log)]) == 0
    assert capfd.readouterr().out.splitlines() == lines[:2]


def test_the_execution_log_of_api_gateway_is_read_as_aws_shows_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Behind the time and the stream of "aws logs tail"."""
    ids = [f"{digit}b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c5b6a" for digit in "78"]
    rows = [
        (ids[0], "HTTP Method: GET, Resource Path: /x"),
        (ids[1], "HTTP Method: GET, Resource Path: /x"),
        (ids[0], "Method completed with status: 502"),
        (ids[1], "Method completed with status: 200"),
    ]
    lines = [
        f"2024-11-22T10:30:15.{at}00000+00:00 a1b2 ({row[0]}) {row[1]}"
        for at, row in enumerate(rows, 1)
    ]
    log = tmp_path / "gateway.log"
    log.write_text("\n".join((*lines, "")))
    for condition in (["--status", "502"], ["--request", ids[0]], [ids[0][:8]]):
        assert main(["grep", *condition, str(log)]) == 0
        assert capfd.readouterr().out.splitlines() == lines[::2]


def test_a_slow_request_of_cloudfront_is_found_in_json(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "app.log"
    fields = {"date": "2024-11-22", "time": "10:30:15", "cs-method": "GET", "cs-uri-stem": "/x"}
    lines = [
        json.dumps(
            {**fields, "sc-status": "200", "x-edge-request-id": f"r{took}", "time-taken": took}
        )
        for took in ("0.050", "0.250")
    ]
    log.write_text("\n".join((*lines, "")))
    assert main(["grep", "--slower", "100ms", str(log)]) == 0
    assert capfd.readouterr().out.splitlines() == lines[1:]


@pytest.mark.parametrize("option", ["--trace", "--span"])
def test_an_id_that_is_none_is_refused(option: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["grep", option, "xyz", os.devnull]) == 2
    assert f"{option} is 'xyz'; expected" in capfd.readouterr().err
