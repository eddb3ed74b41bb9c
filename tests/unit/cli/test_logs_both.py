"""
Both commands find the same: the lines that grep shows of a request, a session or a service are those
that the page has of it, in whatever forms and envelopes they are.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_trace._cli.logs import grep
from asgi_trace._cli.logs.candidates import shortcut
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.query import read_query
from asgi_trace._cli.logs.reader import Entry, read
from asgi_trace._cli.logs.search import search
from asgi_trace._cli.logs.wanted import same_session
from asgi_trace._core.access_lines import ACCESS_LOGGER, format_access
from asgi_trace._core.record import Record

from ...wrapping import BASE, FORMS, VARIANTS, WRAPPERS, Line, when
from .test_logs_ids import FORMATS

_IDS = ("1f0e7c5a9b3d4e6f8a7b6c5d4e3f2a1b", "7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c5b6a", "none")
_SESSIONS = ("customer-1", "customer-12", "0123456789abcdef0123456789abcdef", "none")
_TRACEBACK = ("Traceback (most recent call last):", '  File "shop.py", line 3', "KeyError: 'x'")
_AROUND = {**WRAPPERS, **VARIANTS}
_ENVELOPES = (
    "none",
    "docker json-file",
    "containerd",
    "docker compose logs",
    "docker compose logs, colored",
    "docker compose logs -t",
    "kubectl logs --prefix",
    "journalctl",
    "journalctl -o json",
    "RFC 5424",
    "Filebeat",
    "pm2",
)
# Each line has its number, which tells it apart.
_NUMBER = re.compile(r"~(\d+)~")


def _own(form: str) -> Callable[..., str]:
    def line(moment: float, request_id: str, session_id: str) -> str:
        record = Record(f"{when(moment)[:-3]}Z", "INFO", "shop", "paid ~~", request_id, session_id)
        return FORMS[form](record)

    return line


def _access(form: str, status: int) -> Callable[..., str]:
    def line(moment: float, request_id: str, session_id: str) -> str:
        fields = {"method": "GET", "path": "/x~~", "status": status, "duration_ms": 12.5}
        fields |= {"bytes": 2, "transport": "http", "client": "127.0.0.1:5"}
        stamp = when(moment, "%Y-%m-%d %H:%M:%S")
        message = format_access(fields)
        ids = request_id, session_id
        return FORMS[form](Record(stamp, "INFO", ACCESS_LOGGER, message, *ids, extra=fields))

    return line


def _of_a_program(format: str) -> Callable[..., str]:
    formatter = logging.Formatter(format)
    formatter.converter = time.gmtime

    def line(moment: float, request_id: str, session_id: str) -> str:
        record = logging.LogRecord("shop", logging.WARNING, "shop.py", 1, "paid ~~", (), None)
        record.created, record.msecs = moment, int(moment % 1 * 1000)
        record.request_id, record.session_id = request_id, session_id
        return formatter.format(record)

    return line


def _of_nginx(moment: float, request_id: str, session_id: str) -> str:
    stamp = when(moment, "%d/%b/%Y:%H:%M:%S +0000")
    return f'127.0.0.1 - - [{stamp}] "GET /x~~ HTTP/1.1" 500 5 "-" "-" {request_id}'


def _of_structlog(moment: float, request_id: str, session_id: str) -> str:
    fields = {"event": "paid ~~", "timestamp": f"{when(moment)[:-3]}Z", "level": "warning"}
    return json.dumps({**fields, "request_id": request_id, "session_id": session_id})


def _of_zap(moment: float, request_id: str, session_id: str) -> str:
    fields = json.dumps({"request_id": request_id, "session_id": session_id, "status": 500})
    return f"{when(moment)[:-4]}Z\tERROR\tshop\tpay.go:12\tpaid ~~\t{fields}"


def _of_laravel(moment: float, request_id: str, session_id: str) -> str:
    fields = json.dumps({"request_id": request_id, "session_id": session_id})
    return f"[{when(moment, '%Y-%m-%d %H:%M:%S')}] local.ERROR: paid ~~ {fields} "


_WRITERS: tuple[Callable[..., str], ...] = (
    *map(_own, FORMS),
    *(_access(form, status) for form in FORMS for status in (200, 500)),
    *map(_of_a_program, FORMATS.values()),
    _of_nginx,
    _of_structlog,
    _of_zap,
    _of_laravel,
    lambda *_: "printed by somebody ~~",
    lambda *_: "ERROR:    Exception in ASGI application ~~",
)


@st.composite
def logs(draw: st.DrawFn) -> str:
    """Return a log of several writers, in one envelope or, as after a deploy, in two."""
    writers = st.sampled_from(draw(st.lists(st.sampled_from(_WRITERS), min_size=1, max_size=4)))
    log = ""
    number = 0
    moment = BASE
    for _ in range(draw(st.integers(1, 2))):
        given: list[Line] = []
        for _ in range(draw(st.integers(1, 15))):
            moment += draw(st.sampled_from((0.001, 0.3, 1.2)))
            service = draw(st.sampled_from(("front", "front", "stock")))
            ids = draw(st.sampled_from(_IDS)), draw(st.sampled_from(_SESSIONS))
            texts = [draw(writers)(moment, *ids)]
            if draw(st.integers(0, 3)) == 0:
                texts += (f"{text} ~~" for text in _TRACEBACK)
            for text in texts:
                number += 1
                given.append((moment, service, text.replace("~~", f"~{number}~")))
        log += _AROUND[draw(st.sampled_from(_ENVELOPES))](given)
    return log


def shown(path: Path, **conditions: str) -> set[str]:
    """Return the numbers of the lines that grep shows."""
    query = read_query(**conditions)
    log = grep._Sampled(Log(str(path), pytest.fail), None)
    requests = grep._requests_wanted([log], query) if query.by_access_line else None
    find = shortcut(query, requests, log.is_named)
    of_log = log.service, log.has_parts, log.written, log.known
    found = search(log.lines(), query, requests, find, *of_log)
    return set(_NUMBER.findall(b"".join(each.line for each in found).decode()))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=logs())
def test_grep_shows_the_lines_that_the_page_has(
    tmp_path_factory: pytest.TempPathFactory, log: str
) -> None:
    """Of each request, session and service, and of the requests with a status, with tracebacks."""
    path = tmp_path_factory.mktemp("log") / "app.log"
    path.write_text(log, encoding="utf-8")
    entries = [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]

    def of(is_wanted: Callable[[Entry], Any]) -> set[str]:
        return {
            number
            for entry in entries
            if is_wanted(entry)
            for number in _NUMBER.findall(entry.text)
        }

    assert sorted(map(int, of(lambda entry: True))) == list(range(1, log_lines(log) + 1))
    for wanted in _IDS:
        assert shown(path, request=wanted) == of(
            lambda entry, wanted=wanted: (entry.request_id or "none") == wanted
        )
    for wanted in (*_SESSIONS, "01234567"):
        assert shown(path, session=wanted) == of(
            lambda entry, wanted=wanted: same_session(entry.session_id or "none", wanted)
        )
    assert shown(path, service="front") == of(
        lambda entry: (entry.more or {}).get("service", "app") == "front"
    )
    failed = {
        entry.request_id
        for entry in entries
        if (entry.more or {}).get("access", {}).get("status") == 500
    }
    assert shown(path, status="500") == of(
        lambda entry: entry.request_id and entry.request_id in failed
    )


def log_lines(log: str) -> int:
    """Return the number of the last line of a log."""
    return max(map(int, _NUMBER.findall(log)))
