"""
Ids in the lines of formatters that are not ours, wherever a format puts them; and those in a
client's text, which are never read.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import Any

import pytest

from asgi_trace._cli.logs.reader import Entry, LineReader

HEX = "4bf92f3577b34da6a3ce929d0e0e4736"
UUID = "7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c5b6a"
SPAN = "00f067aa0ba902b7"
STAMP = "2024-11-22 10:30:15,250"
OURS = "[req=%(request_id)s|session=%(session_id)s]"
# Each character that an id may have.
EVERY = "azAZ09._~+/=:@-x"


def entries_of(*lines: str) -> list[Entry]:
    reader = LineReader()
    return [*reader.read(lines), *reader.finish()]


def entry_of(line: str) -> Entry:
    (entry,) = entries_of(line)
    return entry


def message_of(entry: Entry) -> str:
    return entry.text[entry.message :]


def formatted(format: str, request_id: str, session_id: str, message: str = "paid") -> str:
    record = logging.LogRecord("shop", logging.WARNING, "shop.py", 1, message, (), None)
    record.created, record.msecs = 1732271415.25, 250
    record.request_id, record.session_id = request_id, session_id
    formatter = logging.Formatter(format)
    formatter.converter = time.gmtime
    return formatter.format(record)


FORMATS = {
    "first": f"{OURS} %(asctime)s %(levelname)s %(name)s: %(message)s",
    "behind the time": f"%(asctime)s {OURS} %(levelname)s %(name)s: %(message)s",
    "before the logger": f"%(asctime)s %(levelname)s {OURS} %(name)s: %(message)s",
    "last": f"%(asctime)s %(levelname)s %(name)s: %(message)s {OURS}",
    "last, in brackets": f"%(asctime)s %(levelname)s %(name)s: %(message)s ({OURS})",
    "among brackets": f"[%(asctime)s] [%(levelname)s] [%(name)s] {OURS} %(message)s",
    "before a thread": f"[%(asctime)s][%(levelname)s]{OURS} [%(threadName)s] %(message)s",
    "before the level": f"[%(asctime)s] {OURS} [%(levelname)s] %(message)s",
    "without a time": f"%(levelname)s:%(name)s:{OURS}:%(message)s",
    "between bars": f"%(asctime)s | %(levelname)-8s | {OURS} | %(name)s:%(lineno)d | %(message)s",
    "behind pairs": f"level=%(levelname)s logger=%(name)s {OURS} %(message)s",
    "behind pairs with a time": f"ts=%(asctime)s level=%(levelname)s {OURS} %(message)s",
    "between semicolons": f"%(asctime)s;%(levelname)s;%(name)s;{OURS} %(message)s",
    "between tabs": f"%(asctime)s\t%(levelname)s\t{OURS} %(message)s",
    "by name": "%(asctime)s %(levelname)s request_id=%(request_id)s session_id=%(session_id)s %(message)s",
    "by name, in brackets": (
        "%(asctime)s [%(levelname)s] [request_id=%(request_id)s session_id=%(session_id)s] %(message)s"
    ),
    "by name, before a colon": (
        "%(asctime)s %(levelname)s session_id=%(session_id)s request_id=%(request_id)s: %(message)s"
    ),
}


@pytest.mark.parametrize("request_id", [HEX, HEX[:8], UUID, EVERY])
@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("message", ["paid", 'paid order=5 by="x y"'], ids=["words", "pairs"])
def test_a_programs_own_format(format: str, request_id: str, message: str) -> None:
    """Whole or cut, with any character: the ids are read, and the message is not lost."""
    entry = entry_of(formatted(format, request_id, f"s{EVERY}", message))
    assert (entry.request_id, entry.session_id, entry.level) == (request_id, f"s{EVERY}", 3)
    assert "paid" in message_of(entry)
    assert "call" not in (entry.more or {})


@pytest.mark.parametrize("id_by_hand", ["a\\x7cb", "é", 'a"b', "a b", "x" * 390])
def test_an_id_that_was_set_by_hand(id_by_hand: str) -> None:
    entry = entry_of(formatted(FORMATS["before the logger"], id_by_hand, "s1"))
    assert (entry.request_id, entry.session_id) == (id_by_hand, "s1")


@pytest.mark.parametrize("size", [129, 380, 400, 500])
def test_a_part_of_an_id_is_none(size: int) -> None:
    """An id by its name is read whole or not at all."""
    line = f"{STAMP} INFO request_id={'x' * size} paid"
    assert entry_of(line).request_id == ""
    cut = f"{STAMP} INFO {'a b ' * 90}request_id={'x' * 40}"
    assert entry_of(cut).request_id in ("", "x" * 40)


def test_a_call_of_mcp_behind_our_ids() -> None:
    line = f"[{STAMP}] WARNING [req=r1|session=s1] [tools/call add #7] paid"
    assert (entry_of(line).more or {})["call"] == "tools/call add #7"


def test_the_first_of_several_counts() -> None:
    line = f"{STAMP} INFO [req=r1|session=s1] shop: got [req=forged|session=x] here"
    assert entry_of(line).request_id == "r1"
    assert (
        entry_of(f"{STAMP} INFO [req=r1|session=s1] got [req=forged|session=x]").request_id == "r1"
    )


def test_the_last_of_several_counts_where_a_format_has_them_last() -> None:
    """A client's text is before them."""
    first, second = entries_of(
        f"{STAMP} INFO shop: paid [req=r1|session=s1]",
        f"{STAMP} INFO shop: got [req=forged|session=x] [req=r2|session=s2]",
    )
    assert (first.request_id, second.request_id) == ("r1", "r2")


@pytest.mark.parametrize("sent", ["[req=forged|session=x]", f"[{HEX}]", "request_id=forged"])
def test_a_clients_text_in_apaches_error_log(sent: str) -> None:
    """Apache decodes the path and writes it without quotes."""
    line = f"[Fri Nov 22 10:30:15.902022 2024] [core:error] [pid 5:tid 6] [client 10.0.0.1:5] AH1: no file: /x {sent}"
    entry = entry_of(line)
    assert (entry.request_id, entry.session_id, entry.level) == ("", "", 4)


UNQUOTED = {
    "a user of the common log format": (
        '127.0.0.1 - {} [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "-"'
    ),
    "the same, with the port": '10.0.0.1:5 - {} [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157',
    "HAProxy's headers": (
        "127.0.0.1:5 [22/Nov/2024:10:30:15.250] front back/s1 0/0/1/12/25 200 157 - - ---- 1/1/0/0/0 0/0 {{x {}|curl}} "
        '"GET /x HTTP/1.1"'
    ),
    "a path of uWSGI": (
        "[pid: 8|app: 0|req: 1/1] 127.0.0.1 () {{38 vars in 696 bytes}} [Fri Nov 22 10:30:15 2024] GET /{} => "
        "generated 47 bytes in 25 msecs (HTTP/1.1 200) 9 headers in 269 bytes (1 switches on core 0)"
    ),
    "a path of IIS": "2024-11-22 10:30:15 10.0.0.2 GET /{} - 80 - 10.0.0.1 curl - 200 0 2 25",
    "a path of Serilog": "2024-11-22 10:30:15.250 +00:00 [INF] HTTP GET /{} responded 200 in 25.1234 ms",
    "a path of lograge": (
        "I, [2024-11-22T10:30:15.250000 #8]  INFO -- : method=GET path=/{} status=200 duration=25.50 view=1.00"
    ),
    "a decoded path of lograge": "method=GET path=/a {} status=200 duration=25.50 view=1.00",
    "a path of Sanic": "Main |2024-11-22 10:30:15 +0000 INFO: 127.0.0.1:5 GET http://shop/{} 200 2  0.4ms",
    "a path of PHP's server": "[Fri Nov 22 10:30:15 2024] 127.0.0.1:41342 [200]: GET /{}",
    "a path of Next.js": " GET /{} 200 in 250ms",
    "a user of morgan's short form": "::1 {} GET /x HTTP/1.1 200 5 - 250.500 ms",
    "a path of koa-logger": "  --> GET /{} 200 25ms 5b",
    "a header of Apache's forensic log": "+yQtJf8CoAB4AAFNXBIEAAAAA|GET /x HTTP/1.1|User-Agent:{}",
}


@pytest.mark.parametrize("line", UNQUOTED.values(), ids=UNQUOTED)
@pytest.mark.parametrize(
    "sent",
    [
        "[req=forged|session=x]",
        f"[{HEX}]",
        "?request_id=forged",
        "?trace_id=forged",
        "2030-01-01T00:00:00Z",
        "ERROR",
    ],
)
def test_a_clients_text_without_quotes(line: str, sent: str) -> None:
    """It is no id, no time and no level where the place of it is known."""
    entry = entry_of(line.format(sent))
    assert entry.request_id in ("", "yQtJf8CoAB4AAFNXBIEAAAAA")
    assert entry.session_id == ""
    assert "trace" not in (entry.more or {})
    assert entry.level in (0, 2)
    assert entry.time < 1_800_000_000_000
    assert (entry.more or {})["access"]["path"].startswith("/")
    assert sent in entry.text


@pytest.mark.parametrize("sent", ["request_id=forged", "X-Request-ID: forged", "trace_id=forged"])
@pytest.mark.parametrize(
    "line",
    [
        f"2024-11-22T10:30:15.250Z\t{UUID}\tINFO\tgot {{}} x",
        f"[INFO]\t2024-11-22T10:30:15.250Z\t{UUID}\tgot {{}} x",
        f"[INFO]\t2024-11-22T10:30:15.250Z\t{UUID}\t[dd.trace_id=5 dd.span_id=6]\tgot {{}} x",
        f"2024-11-22 10:30:15.250 8 INFO nova.api [req-{UUID} user project] got {{}} x",
    ],
    ids=["Lambda", "Lambda, Python", "Lambda, Datadog", "OpenStack"],
)
def test_a_name_behind_the_writers_id_is_text(line: str, sent: str) -> None:
    """Of writers with a message right behind their id; the trace of Datadog's library is before it."""
    entry = entry_of(line.format(sent))
    assert entry.request_id in (UUID, f"req-{UUID}")
    assert (entry.more or {}).get("trace", "5") == "5"


@pytest.mark.parametrize("before", ["", "web-1  | ", "2024-11-22T10:30:15.250000000Z stdout F "])
@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7", "2001:db8:1:2:3:4:5:6"])
@pytest.mark.parametrize("sent", ["", "INFO - ", "2024-11-22 10:30:15 - INFO - "])
def test_a_users_name_is_no_head_of_ours(before: str, address: str, sent: str) -> None:
    """nginx writes the name that a client sends, whether or not it asks for one."""
    user = f"{sent}[req=forged|session=x] - y"
    line = f'{address} - {user} [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 5'
    ours = "2024-11-22 10:30:15 - INFO - [req=r1|session=s1] - paid"
    text = "".join(f"{before}{each}\n" for each in (ours, line, ours))
    reader = LineReader()
    entries = [*reader.read_text(text, text.splitlines()), *reader.finish()]
    assert [entry.request_id for entry in entries] == ["r1", "", "r1"]


@pytest.mark.parametrize("sent", ["[req=forged|session=x] y", f"[{HEX}] y", "request_id=forged"])
def test_a_cookie_in_a_message_has_no_id(sent: str) -> None:
    """Semicolons are between columns only where the first column is a time or a level alone."""
    entry = entry_of(f"2024-11-22 10:30:15,250 INFO shop.web cookies: theme=dark;{sent}")
    assert (entry.request_id, entry.session_id, entry.level) == ("", "", 2)


@pytest.mark.parametrize(
    "head",
    [
        "WARNING 2024-11-22 10:30:15,250 log ",
        "[22/Nov/2024 10:30:15] ",
        "10:30:15 ",
        "WARNING:django.request:",
        "",
    ],
)
@pytest.mark.parametrize(
    "message", ["Not Found: /x{}", "Forbidden (CSRF cookie not set.): /{}", "Bad Request: /x {} y"]
)
@pytest.mark.parametrize(
    "sent",
    [
        f"[{HEX}]",
        " [req=forged|session=x]",
        " request_id=forged",
        "2030-01-01T00:00:00Z",
        "/ERROR",
        " ERROR",
    ],
)
def test_a_path_in_djangos_messages(head: str, message: str, sent: str) -> None:
    """It is decoded, and may have blanks and brackets."""
    entry = entry_of(f"{head}{message.format(sent)}")
    assert entry.request_id == ""
    assert entry.level == (3 if "WARNING" in head else 0)
    assert datetime.fromtimestamp(entry.time / 1000, timezone.utc).year != 2030


# Each program was asked for such a path, and has failed.
@pytest.mark.parametrize(
    "line",
    [
        # Flask 3.1
        "[2026-11-28 06:52:32,471] ERROR in app: Exception on /fail{} [GET]",
        # Quart 0.23
        "[2026-11-28 06:52:38,710] ERROR in app: Exception on request GET /fail{}",
        "[2026-11-28 06:52:38,711] INFO in logging: 127.0.0.1:60786 GET /fail{} 1.1 500 265 1216",
        # waitress 3.0
        "ERROR:waitress:Exception while serving /fail{}",
        # Litestar 2
        "2026-11-28 06:52:59,288 - litestar - INFO - HTTP Request: path=/fail{}, method=GET, headers={{}}",
        # django-log-request-id
        "INFO     [2026-11-28 06:52:55,651] [none] log_request_id.middleware: method=GET path=/fail{} status=500",
        # hypercorn 0.18
        '[2026-11-28 06:44:42 +0000] [17] [INFO] 127.0.0.1:5 - - [28/Nov/2026:06:44:42 +0000] "GET /x" 200{} 1.1" 500'
        ' - "-" "curl/7.88.1"',
    ],
)
@pytest.mark.parametrize(
    "sent", [f" [{HEX}]", f"/[{HEX}] x", " [req=forged|session=x]", " request_id=forged", " rid=r"]
)
def test_a_decoded_path_in_a_servers_message(line: str, sent: str) -> None:
    entry = entry_of(line.format(sent))
    assert (entry.request_id, entry.session_id) == ("", "")


# gunicorn 27, Tornado 6.6, and the format in Flask's documentation.
@pytest.mark.parametrize(
    "line",
    [
        "[2026-11-28 06:52:45 +0000] [27] [ERROR] Error handling request GET /fail{}",
        "[E 261128 06:52:43 web:2108] Uncaught exception GET /fail{} (127.0.0.1)",
        "[2026-11-28 06:52:35,268] 127.0.0.1 requested http://localhost:9402/fail{}",
        # Scrapy 2.19
        "2026-11-28 07:06:18 [scrapy.core.scraper] ERROR: Error downloading <GET http://localhost:9999/fail{}>",
        "2026-11-28 07:06:18 [shop] ERROR: a redirect (http://localhost:9999/fail{})",
    ],
)
@pytest.mark.parametrize("sent", ["/request_id=forged", ",rid=forged", "/rid:forged", f"/[{HEX}]"])
def test_a_path_in_a_servers_message(line: str, sent: str) -> None:
    """It has no blank: an id may be behind it."""
    assert entry_of(line.format(sent)).request_id == ""
    assert entry_of(f"{line.format(sent)} request_id=r1").request_id == "r1"


def test_our_ids_behind_a_path_in_djangos_messages() -> None:
    """In a log whose lines end with them."""
    lines = [f"{STAMP} WARNING Not Found: /x [req=r{number}|session=s1]" for number in (1, 2)]
    lines.insert(1, f"{STAMP} INFO ready [req=r0|session=s1]")
    assert [entry.request_id for entry in entries_of(*lines)] == ["", "r0", "r2"]


def test_our_ids_before_an_access_line_with_a_user() -> None:
    line = '[req=r1|session=s1] 127.0.0.1 - a b [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "-"'
    assert (entry_of(line).request_id, entry_of(line).session_id) == ("r1", "s1")


CONSOLES = {
    "structlog": "2024-11-22 10:30:15 [warning  ] paid                    n=3 path='/a b' request_id=r1 session_id=s1",
    "structlog, a client's text": (
        "2024-11-22 10:30:15 [warning  ] got a request_id=forged session_id=forged n=3 request_id=r1 session_id=s1"
    ),
    "structlog, a client's text in a field": (
        "2024-11-22T10:30:15.250Z [warning  ] paid                    a='request_id=forged' request_id=r1 session_id=s1"
        ' z="it\'s request_id=forged"'
    ),
    "structlog, a client's text that is a field": (
        "2024-11-22 10:30:15 [warning  ] it's a='b request_id=forged c=\"d request_id=r1 session_id=s1"
    ),
    "zerolog": "10:30AM WRN got a request_id=forged request_id=r1 session_id=s1",
    "zerolog, with a date": "2024-11-22T10:30:15Z WRN got a request_id=forged request_id=r1 session_id=s1",
    "logrus": "WARN[0012] got a request_id=forged                  request_id=r1 session_id=s1",
    # logrus 1.9.0 with ForceColors and FullTimestamp, without its colors
    "logrus, with a date": (
        'WARN[2026-11-28T06:53:24Z] got a request_id=forged                   error="x: declined" request_id=r1 '
        "session_id=s1"
    ),
    "log15": "WARN[11-22|10:30:15] got a request_id=forged         request_id=r1 session_id=s1",
    "Rust's tracing, compact": (
        '2024-11-22T10:30:15.250000Z  WARN request: shop::pay: got a request_id="forged" n=3 request_id="r1" '
        'session_id="s1"'
    ),
    "slog": "2024/11/22 10:30:15 WARN got a request_id=forged request_id=r1 session_id=s1",
    # Go 1.27 with log.Lshortfile
    "slog, with a place in the code": (
        "2026/11/28 06:53:25.086299 main.go:39: WARN got a request_id=forged request_id=r1 session_id=s1"
    ),
    "slog, with a group": (
        "2026/11/28 06:53:25 WARN got a request_id=forged request.id=r1 request.method=GET session_id=s1"
    ),
}


@pytest.mark.parametrize("line", CONSOLES.values(), ids=CONSOLES)
def test_fields_behind_the_message(line: str) -> None:
    """Where a writer puts all fields last, the last id counts: a client's text is before it."""
    entry = entry_of(line)
    assert (entry.request_id, entry.session_id, entry.level) == ("r1", "s1", 3)


@pytest.mark.parametrize(
    ("line", "request_id"),
    [
        (
            'W1122 10:30:15.250000       1 pay.go:5] "Pod updated" pod="kube/dns" requestID="r1" n=3',
            "r1",
        ),
        (
            'W1122 10:30:15.250000       1 pay.go:5] "got requestID=forged" pod="a requestID=forged"',
            "",
        ),
        ("W1122 10:30:15.250000       1 pay.go:5] got requestID=r1 in words", "r1"),
    ],
)
def test_klogs_fields(line: str, request_id: str) -> None:
    """A message in quotes has none of them."""
    entry = entry_of(line)
    assert (entry.request_id, entry.level) == (request_id, 3)


@pytest.mark.parametrize(
    ("spans", "request_id"),
    [
        ('request{request_id="r1" method=GET}', "r1"),
        ('server{port=80}:request{request_id="r1"}', "r1"),
        ('request{request_id="r1"}:query{sql="request_id=\\"forged\\""}', "r1"),
        ('request{method=GET uri=/x?{request_id="forged"}', ""),
        ('request{method=GET uri=/x?request_id="forged"}', ""),
        ('request{method=GET uri=/x}:query{request_id="forged"}', ""),
        ('request{method=GET uri=/x request_id="r1"}', "r1"),
        ('request{method=GET uri="/x}:query{request_id=forged}" request_id=r1}', "r1"),
        ('request{agent=x/1 request_id="forged" request_id="r1"}', ""),
    ],
)
def test_an_id_in_a_span_of_rust(spans: str, request_id: str) -> None:
    """No client's text is before it: that may have anything, if it is not in quotes and has a blank."""
    line = f"2024-11-22T10:30:15.250000Z  WARN {spans}: shop::pay: slow"
    entry = entry_of(line)
    assert (entry.request_id, entry.level) == (request_id, 3)


TRACERS: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenTelemetry": (
        f"{STAMP} WARNING [shop] [a.py:5] [trace_id={HEX} span_id={SPAN} resource.service.name=front "
        "trace_sampled=True] - paid",
        {"trace": HEX, "inner": SPAN, "service": "front"},
    ),
    "OpenTelemetry, outside a request": (
        f"{STAMP} WARNING [shop] [a.py:16] [trace_id=0 span_id=0 resource.service.name= trace_sampled=False] - paid",
        {"trace": None, "inner": None, "service": None},
    ),
    "Datadog": (
        f"{STAMP} WARNING [shop] [a.py:16] [dd.service=front dd.env=prod dd.version=1 "
        f"dd.trace_id={HEX} dd.span_id=26567064] - paid",
        {"trace": HEX, "inner": "26567064", "service": "front"},
    ),
    "Quarkus": (
        f"{STAMP} WARN  [org.acme.Shop] (executor-thread-1) traceId={HEX}, parentId=, spanId={SPAN}, sampled=true paid",
        {"trace": HEX, "inner": SPAN},
    ),
    "OpenStack with a global id": (
        f"{STAMP} 12 WARNING nova.api [req-11111111-93a8-4f6e-8d0a-1f2e3d4c5b6a req-{UUID} u1 p1 - - - -] paid",
        {"request": f"req-{UUID}", "access": None},
    ),
}


@pytest.mark.parametrize(("line", "expected"), TRACERS.values(), ids=TRACERS)
def test_ids_of_tracers(line: str, expected: dict[str, Any]) -> None:
    entry = entry_of(line)
    found = {"request": entry.request_id, **(entry.more or {})}
    assert {name: found.get(name) for name in expected} == expected
    assert message_of(entry) == "paid" or (line.endswith(message_of(entry)) and "parentId" in line)


AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Elastic": (
        f'{STAMP} WARNING shop: got "a" | elasticapm transaction.id={SPAN} trace.id={HEX} span.id=None',
        {"request": HEX, "trace": HEX, "inner": None},
    ),
    "Elastic, outside a request": (
        f'{STAMP} WARNING shop: got "a" | elasticapm transaction.id=None trace.id=None span.id=None',
        {"request": "", "trace": None, "inner": None},
    ),
    "Elastic, by name": (
        f"{STAMP} WARN  [main] trace.id: {HEX} transaction.id: {SPAN} org.acme.Shop - paid",
        {"request": HEX, "trace": HEX},
    ),
    "Elastic, behind an id of the program": (
        f'{STAMP} WARNING [request_id=r1] got "a" | elasticapm transaction.id={SPAN} trace.id={HEX} span.id={SPAN}',
        {"request": "r1", "trace": HEX, "inner": SPAN},
    ),
    "New Relic": (
        f'{STAMP} WARNING shop: got "a" NR-LINKING|MTE2NTQ|pod-1|{HEX}|{SPAN}|Front%20App|',
        {"request": HEX, "trace": HEX, "inner": SPAN, "service": "Front App"},
    ),
    "New Relic, outside a request": (
        f'{STAMP} WARNING shop: got "a" NR-LINKING|MTE2NTQ|pod-1|||Front%20App|',
        {"request": "", "trace": None},
    ),
    "New Relic, a client's text before it": (
        f"{STAMP} WARNING got NR-LINKING|a|b|{'f' * 32}|{SPAN}|c| NR-LINKING|MTE2NTQ|pod-1|{HEX}|{SPAN}|front|",
        {"request": HEX, "service": "front"},
    ),
    "an address that ends like it": (
        f'{STAMP} WARNING got "a" at /xNR-LINKING|MTE2NTQ|pod-1|{HEX}|{SPAN}|front|',
        {"request": "", "trace": None},
    ),
    "a client's path that ends like it": (
        f"{STAMP} WARNING Not Found: /x NR-LINKING|MTE2NTQ|pod-1|{HEX}|{SPAN}|front|",
        {"request": "", "trace": None},
    ),
}


@pytest.mark.parametrize(("line", "expected"), AGENTS.values(), ids=AGENTS)
def test_ids_that_an_agent_puts_at_the_end(line: str, expected: dict[str, Any]) -> None:
    entry = entry_of(line)
    found = {"request": entry.request_id, **(entry.more or {})}
    assert {name: found.get(name) for name in expected} == expected
    assert message_of(entry)
    assert line.endswith(message_of(entry))


@pytest.mark.parametrize(
    "piece", ["[req=", 'a="', "a='\\", "request_id=", "[req=a|session=b|", "NR-LINKING|"]
)
def test_a_long_line_of_a_client_takes_no_longer_than_its_length(piece: str) -> None:
    for head in (f"{STAMP} INFO ", "2024-11-22 10:30:15 [warning  ] "):
        assert entry_of(f"{head}{piece * 20_000}").request_id == ""


def test_a_header_that_haproxy_captures_is_no_id() -> None:
    """A client may send the name that AWS Lambda has before its ids."""
    line = (
        f"haproxy[1]: 127.0.0.1:5 [22/Nov/2024:10:30:15.250] web shop/a 0/0/1/9/10 200 17 - - ---- 1/1/0/0/0 0/0 "
        f'{{RequestId: {UUID}}} "GET / HTTP/1.1"'
    )
    assert [entry.request_id for entry in entries_of(line)] == [""]
    lambdas = (
        f"2024-11-22T10:30:15.250Z RequestId: {UUID} Error: Runtime exited",
        f"RequestId: {UUID} x",
    )
    assert [entry.request_id for entry in entries_of(*lambdas)] == [UUID, UUID]
