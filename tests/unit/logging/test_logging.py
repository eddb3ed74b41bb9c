from __future__ import annotations

import io
import logging
import logging.config
import logging.handlers
import os
import pickle
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from uvicorn.logging import DefaultFormatter

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TextFormatter,
    bound_request_metadata,
    configure_logging,
)
from asgi_trace._core.lines import parse

from ...asgi import http_scope, step

ALICE = RequestMetadata("1234567890abcdef", "a1b2c3d4")
HEAD = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def logger() -> tuple[logging.Logger, io.StringIO]:
    """A logger of its own whose lines a TextFormatter writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    own = logging.Logger("own")
    own.addHandler(handler)
    return own, stream


LOGGERS = (
    None,
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
    "hypercorn.access",
    "hypercorn.error",
)


@pytest.fixture
def process_logging() -> Iterator[None]:
    """The process' logging, put back afterwards."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [
        (each, each.handlers[:], each.level, each.propagate, each.filters[:]) for each in loggers
    ]
    for each in loggers:
        each.handlers.clear()
    yield
    for each, handlers, level, propagate, filters in before:
        each.handlers[:], each.level, each.propagate, each.filters[:] = (
            handlers,
            level,
            propagate,
            filters,
        )
    logging.captureWarnings(False)


def test_the_line_is_the_articles(logger: Any) -> None:
    """Date, level, ids, message; the session's first eight characters."""
    own, _ = logger
    record = own.makeRecord(
        "own", logging.INFO, "", 0, "Processing payment for user %s", ("Alice",), None
    )
    record.created = 1705314615.5
    formatter = own.handlers[0].formatter
    formatter.converter = time.gmtime
    with bound_request_metadata(
        RequestMetadata("12345678-90ab-4def-8123-4567890abcde", "a1b2c3d4")
    ):
        assert formatter.format(record) == (
            "2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|session=12345678] - Processing payment for user Alice"
        )


def test_outside_a_request_the_ids_are_none(logger: Any) -> None:
    own, stream = logger
    own.warning("starting")
    assert re.fullmatch(
        rf"{HEAD} - WARNING - \[req=none\|session=none\] - starting\n", stream.getvalue()
    )


def test_the_second_is_cached_and_moves_on(logger: Any) -> None:
    """The time is that of each record, in any order."""
    own, _ = logger
    formatter = own.handlers[0].formatter
    times = []
    for created in (1.2, 1.9, 2.0, 1.0):
        record = logging.makeLogRecord({"created": created, "msg": "x"})
        times.append(formatter.format(record).split(" - ")[0][-2:])
    assert times == ["01", "01", "02", "01"]


@pytest.mark.parametrize(
    ("length", "expected"),
    [(8, "12345678"), (1, "1"), (None, "1234567890abcdef"), (99, "1234567890abcdef")],
)
def test_how_much_of_the_session_shows_is_ones_choice(length: int | None, expected: str) -> None:
    record = logging.makeLogRecord({"msg": "x"})
    with bound_request_metadata(ALICE):
        RequestTracingFilter(session_length=length).filter(record)
        line = TextFormatter(session_length=length).format(record)
    assert record.session_id == expected
    assert f"|session={expected}]" in line


@pytest.mark.parametrize("length", [0, -1, "8", 1.5, True])
@pytest.mark.parametrize("make", [RequestTracingFilter, TextFormatter])
def test_a_length_that_is_none_fails_early(make: Any, length: Any) -> None:
    with pytest.raises(
        ValueError,
        match=re.escape(f"session_length is {length!r}; expected a whole number above 0"),
    ):
        make(session_length=length)


def test_the_filter_gives_each_record_four_attributes() -> None:
    """request_id, session_id, trace_id, span_id: none outside a request; no record is dropped."""
    record = logging.makeLogRecord({})
    assert RequestTracingFilter().filter(record)
    assert [record.request_id, record.session_id, record.trace_id, record.span_id] == ["none"] * 4
    record = logging.makeLogRecord({})
    with bound_request_metadata(ALICE):
        assert RequestTracingFilter().filter(record)
    assert (record.request_id, record.session_id) == ("a1b2c3d4", "1234567890abcdef")
    assert (record.trace_id, record.span_id) == (ALICE.trace_id, ALICE.span_id)


def test_a_filter_with_a_name_is_one_as_the_library_has_it() -> None:
    own = RequestTracingFilter("shop")
    assert own.filter(logging.makeLogRecord({"name": "shop.payment"}))
    assert not own.filter(logging.makeLogRecord({"name": "other"}))


def test_every_physical_line_carries_the_ids(logger: Any) -> None:
    """A message's own line breaks, a traceback's lines, and a stack's."""
    own, stream = logger
    with bound_request_metadata(ALICE):
        try:
            raise KeyError("two\nlines")
        except KeyError:
            own.exception("first\nsecond", stack_info=True)
    lines = stream.getvalue().splitlines()
    assert len(lines) > 8
    head = re.compile(rf"{HEAD} - ERROR - \[req=a1b2c3d4\|session=12345678\] ([-|]) ?(.*)")
    matches = [head.fullmatch(line) for line in lines]
    assert all(matches)
    assert [match[1] for match in matches if match] == ["-"] + ["|"] * (len(lines) - 1)
    texts = [match[2] for match in matches if match]
    assert texts[:3] == ["first", "second", "Traceback (most recent call last):"]
    assert "Stack (most recent call last):" in texts


@pytest.mark.parametrize(
    "text",
    [
        "\r2024-01-15 10:30:15 - INFO - [req=x|session=y] - fake",
        "\x1b[2K\x1b[1Afake",
        "\x85fake",
        "\u2028fake",
        "\u2029fake",
        "\x0b\x0c\x1c\x1d\x1e",
        "\x00",
        "\x7f",
        "\x9b31m",
        "\u202egnp.exe",
        "\u2066\u2069\u200e\u061c",
        "\ud800",
        "\t",
    ],
)
def test_nobody_can_forge_a_line(text: str) -> None:
    """
    C0, DEL, C1, line separators, bidi controls and lone surrogates are escaped; what the eye sees
    is printable.
    """
    line = TextFormatter().format(logging.makeLogRecord({"msg": "a%sb", "args": (text,)}))
    assert line.isprintable()
    assert line.splitlines() == [line]
    line.encode()


def test_a_forged_head_is_marked_as_what_it_is() -> None:
    """
    A line feed in a message starts no record: the line has the real ids, and the mark of a further
    line.
    """
    forged = "2024-01-15 10:30:15 - INFO - [req=victim|session=x] - fake"
    with bound_request_metadata(ALICE):
        first, second = (
            TextFormatter().format(logging.makeLogRecord({"msg": f"a\n{forged}"})).split("\n")
        )
    assert second == first.replace(" - a", f" | {forged}")


@pytest.mark.parametrize(
    ("fmt", "style", "expected"),
    [
        (
            "%(request_id)s %(session_id)s %(trace_id)s %(message)s",
            "%",
            f"a1b2c3d4 12345678 {ALICE.trace_id}",
        ),
        (
            "{request_id} {session_id} {trace_id} {message}",
            "{",
            f"a1b2c3d4 12345678 {ALICE.trace_id}",
        ),
        ("$request_id $session_id $trace_id $message", "$", f"a1b2c3d4 12345678 {ALICE.trace_id}"),
    ],
)
def test_another_form_of_line_can_be_had(fmt: str, style: Any, expected: str) -> None:
    """In all three styles; each physical line is in it, and is escaped."""
    formatter = TextFormatter(fmt, style=style)
    with bound_request_metadata(ALICE):
        line = formatter.format(logging.makeLogRecord({"msg": "one\x1b\ntwo"}))
    assert line == f"{expected} one\\x1b\n{expected} two"


def test_a_date_of_ones_own() -> None:
    formatter = TextFormatter("%(asctime)s %(message)s", "%d.%m.%y")
    assert re.fullmatch(
        r"\d\d\.\d\d\.\d\d x", formatter.format(logging.makeLogRecord({"msg": "x"}))
    )
    assert re.match(
        r"\d\d\.\d\d\.\d\d - ", TextFormatter(datefmt="%d.%m.%y").format(logging.makeLogRecord({}))
    )


def test_milliseconds_and_zone_on_request() -> None:
    """And the line can still be read."""
    formatter = TextFormatter(precise=True)
    formatter.converter = time.gmtime
    line = formatter.format(
        logging.makeLogRecord({"created": 1705314615.25, "msecs": 250.0, "msg": "x"})
    )
    assert line.startswith("2024-01-15 10:30:15.250+0000 - ")
    found = parse(line)
    assert found is not None
    assert datetime.strptime(found.time, "%Y-%m-%d %H:%M:%S.%f%z").timestamp() == 1705314615.25


@pytest.mark.parametrize(
    "formatter",
    [
        TextFormatter(session_length=None),
        TextFormatter("%(request_id)s %(session_id)s %(message)s", session_length=None),
    ],
    ids=["own line", "another line"],
)
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            "alice\n2024-01-15 10:30:15 - INFO - forged",
            r"alice\x0a2024-01-15 10:30:15 - INFO - forged",
        ),
        ("alice\x1b[2J\u2028", r"alice\x1b[2J\u2028"),
    ],
)
def test_an_id_set_by_hand_cannot_make_a_line(
    formatter: TextFormatter, value: Any, shown: str
) -> None:
    """A user's name, say: it is shown, on the one line."""
    for ids in (RequestMetadata(session_id=value), RequestMetadata(request_id=value)):
        with bound_request_metadata(ids):
            line = formatter.format(logging.makeLogRecord({"msg": "x"}))
        assert line.isprintable()
        assert shown in line


def test_colors_are_the_requests_own() -> None:
    """
    The same on each of its lines; levels from WARNING on have theirs; nothing else is colored.
    """
    formatter = TextFormatter(color=True)
    with bound_request_metadata(ALICE):
        info, error = (
            formatter.format(
                logging.makeLogRecord({"msg": "x\ny", "levelno": level, "levelname": name})
            )
            for level, name in ((20, "INFO"), (40, "ERROR"))
        )
    stamps = re.findall(
        r"\[req=(\x1b\[\d+m)a1b2c3d4(\x1b\[0m)\|session=(\x1b\[\d+m)12345678(\x1b\[0m)\]",
        info + error,
    )
    assert len(stamps) == 4
    assert len(set(stamps)) == 1
    assert "\x1b[31mERROR\x1b[0m" in error
    assert " INFO " in info
    outside = formatter.format(logging.makeLogRecord({"msg": "x"}))
    assert "\x1b" not in outside


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
@pytest.mark.parametrize(
    ("environment", "expected"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_colors(environment: dict[str, str], expected: bool) -> None:
    """And a file or a pipe none; NO_COLOR is honoured."""
    import pty

    code = """
import logging
from asgi_trace import RequestMetadata, configure_logging, set_request_metadata
configure_logging()
set_request_metadata(RequestMetadata("s", "r"))
logging.info("x")
"""
    ours, theirs = pty.openpty()
    env = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        "TERM": "xterm",
        **environment,
    }
    subprocess.run([sys.executable, "-c", code], stderr=theirs, env=env, timeout=60, check=True)
    os.close(theirs)
    written = os.read(ours, 10_000)
    os.close(ours)
    assert b"x" in written
    assert (b"\x1b[" in written) == expected


def test_one_stream_gets_each_line_once(process_logging: None) -> None:
    """However often it is set up."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    configure_logging(stream=stream)
    logging.getLogger("shop").info("hello")
    assert stream.getvalue().count("hello") == 1


def test_an_exception_that_cannot_be_looked_at_is_logged(process_logging: None) -> None:
    """Its attributes raise; the line is written all the same."""

    class Sealed(Exception):  # noqa: N818
        @property
        def exceptions(self) -> Any:
            raise RuntimeError("sealed")

    stream = io.StringIO()
    configure_logging(stream=stream)
    logging.getLogger("shop").error("failed", exc_info=Sealed("x"))
    assert "[req=none|session=none] - failed" in stream.getvalue()


def test_a_format_of_another_style_fails_early() -> None:
    with pytest.raises(ValueError, match="invalid format"):
        TextFormatter("%(message)s", style="{")


def test_it_works_from_dict_config(
    process_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Filter and formatter by name, as the documentation of logging.config shows it."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"ids": {"()": "asgi_trace.RequestTracingFilter", "session_length": 4}},
            "formatters": {
                "ours": {"()": "asgi_trace.TextFormatter", "session_length": 4},
                "plain": {"format": "%(request_id)s/%(session_id)s %(message)s"},
                "by_class": {
                    "class": "asgi_trace.TextFormatter",
                    "format": "%(request_id)s:%(message)s",
                },
            },
            "handlers": {
                name: {
                    "class": "logging.StreamHandler",
                    "formatter": name,
                    "filters": ["ids"],
                    "stream": "ext://sys.stdout",
                }
                for name in ("ours", "plain", "by_class")
            },
            "root": {"handlers": ["ours", "plain", "by_class"], "level": "INFO"},
        }
    )
    with bound_request_metadata(ALICE):
        logging.getLogger("shop").info("hello")
    ours, plain, by_class = capsys.readouterr().out.splitlines()
    assert ours.endswith(" - INFO - [req=a1b2c3d4|session=1234] - hello")
    assert plain == "a1b2c3d4/1234 hello"
    assert by_class == "a1b2c3d4:hello"


def test_an_exceptions_own_ids_outrank_the_variable(logger: Any) -> None:
    """A server logs it later, from a context that is another request's."""
    own, stream = logger

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("x")

    scope = http_scope([(b"x-request-id", b"crashed")])
    with pytest.raises(KeyError) as error:
        step(RequestTracingMiddleware(app), scope)
    with bound_request_metadata(ALICE):
        own.error("late", exc_info=error.value)
        own.error("mine")
    late, *traceback, mine = stream.getvalue().splitlines()
    assert late.endswith(" - late")
    assert traceback
    assert all("[req=crashed|" in line for line in (late, *traceback))
    assert "[req=a1b2c3d4|" in mine


def test_a_queue_keeps_the_ids_of_where_it_was_logged(process_logging: None) -> None:
    """QueueHandler here, QueueListener in another thread, and a pickle on the way."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    written: queue.Queue[Any] = queue.Queue()
    own = logging.getLogger("queued")
    handler = logging.handlers.QueueHandler(written)
    own.addHandler(handler)
    own.propagate = False
    try:
        with bound_request_metadata(ALICE):
            own.info("hello")
    finally:
        own.removeHandler(handler)
        own.propagate = True
    record = pickle.loads(pickle.dumps(written.get()))
    lines: list[str] = []
    thread = threading.Thread(target=lambda: lines.append(TextFormatter().format(record)))
    thread.start()
    thread.join()
    assert lines[0].endswith(" - INFO - [req=a1b2c3d4|session=12345678] - hello")


def test_one_call_sets_up_the_process(
    process_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every logger's lines, on standard error, once."""
    logging.root.handlers.clear()  # pytest's own
    configure_logging()
    configure_logging()
    with bound_request_metadata(ALICE):
        logging.getLogger("shop").info("hello")
        logging.getLogger("uvicorn.error").info("served")
    assert [line.split(" - ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "INFO - [req=a1b2c3d4|session=12345678] - hello",
        "INFO - [req=a1b2c3d4|session=12345678] - served",
    ]


def test_an_unknown_level_fails_early(process_logging: None) -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logging("LOUD")


def test_a_stream_and_a_formatter_can_be_given(process_logging: None) -> None:
    stream = io.StringIO()
    configure_logging("DEBUG", stream=stream, formatter=TextFormatter("%(request_id)s %(message)s"))
    logging.getLogger("shop").debug("hello")
    assert stream.getvalue() == "none hello\n"


def test_basic_config_keeps_its_stream(process_logging: None) -> None:
    """What basicConfig has set up gets our form, and no line is written twice."""
    logging.root.handlers.clear()  # pytest's own
    stream = io.StringIO()
    logging.basicConfig(stream=stream)
    configure_logging()
    logging.getLogger("shop").info("hello")
    assert re.fullmatch(rf"{HEAD} - INFO - \[req=none\|session=none\] - hello\n", stream.getvalue())


def test_handlers_of_other_kinds_keep_their_form(process_logging: None) -> None:
    """They send records elsewhere; they get the attributes and no formatter."""

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sent.append(record)

    sent: list[Any] = []
    sender = Sender()
    logging.getLogger().addHandler(sender)
    configure_logging(stream=io.StringIO())
    with bound_request_metadata(ALICE):
        logging.getLogger("shop").info("hello")
    assert sender.formatter is None
    assert [record.request_id for record in sent] == ["a1b2c3d4"]


@pytest.mark.parametrize("first", ["ours", "server"])
@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_a_servers_loggers_are_dressed_whoever_comes_first(
    process_logging: None, server: str, first: str
) -> None:
    """
    uvicorn.run() sets up its logging after the script has called us, the uvicorn command before.
    """
    stream = io.StringIO()

    def set_up_server() -> None:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(
            DefaultFormatter("%(levelprefix)s %(message)s")
            if server == "uvicorn"
            else logging.Formatter(
                "%(asctime)s [%(process)d] [%(levelname)s] %(message)s", "[%Y-%m-%d %H:%M:%S %z]"
            )
        )
        name = {"uvicorn": "uvicorn", "hypercorn": "hypercorn.error"}[server]
        logging.getLogger(name).handlers = [handler]
        logging.getLogger(name).propagate = False
        logging.getLogger(name).setLevel(logging.INFO)

    steps = [configure_logging, set_up_server]
    for each in steps if first == "ours" else reversed(steps):
        each()
    with bound_request_metadata(ALICE):
        logging.getLogger(f"{server}.error").info("hello")
    assert re.fullmatch(
        rf"{HEAD} - INFO - \[req=a1b2c3d4\|session=12345678\] - hello\n", stream.getvalue()
    )


@pytest.mark.parametrize("first", ["ours", "server"])
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.NOTSET, ["own: served", "own: failed"]),
        (logging.ERROR, ["root: served", "own: failed"]),
    ],
)
def test_our_handler_writes_what_no_other_does(
    process_logging: None, level: int, expected: list[str], first: str
) -> None:
    """
    hypercorn's logger has a handler of its own and propagates: a line that the handler has is there
    once.
    """
    logging.root.handlers.clear()  # pytest's own
    stream = io.StringIO()

    class Own(logging.StreamHandler):  # type: ignore[type-arg]
        def format(self, record: logging.LogRecord) -> str:
            return f"own: {record.getMessage()}"

    def set_up_server() -> None:
        handler = Own(stream)
        handler.setLevel(level)
        logging.getLogger("hypercorn.error").handlers = [logging.NullHandler(), handler]

    def set_up_ours() -> None:
        configure_logging("INFO", stream=stream, formatter=logging.Formatter("root: %(message)s"))

    steps = [set_up_ours, set_up_server]
    for each in steps if first == "ours" else reversed(steps):
        each()
    logging.getLogger("hypercorn.error").info("served")
    logging.getLogger("hypercorn.error").error("failed")
    assert stream.getvalue().splitlines() == expected


class _Terminal:
    """What takes the place of standard error in some windows: it only writes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        if "refused" in text:
            raise OSError("the window is closed")
        self.lines += text.splitlines()


def test_a_stream_that_only_writes_gets_its_lines(
    process_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that refuses a line costs that line alone; logging says so, as it always does."""
    stream: Any = _Terminal()
    configure_logging(stream=stream)
    for message in ("hello", "refused", "again"):
        logging.getLogger("shop").info(message)
    assert [line.rpartition(" ")[2] for line in stream.lines] == ["hello", "again"]
    assert capsys.readouterr().err.count("OSError: the window is closed") == 1


def test_what_a_caller_gives_in_extra_wins(process_logging: None) -> None:
    """On its line, under the names of ours; the next line has the request's ids again."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    log = logging.getLogger("shop")
    with bound_request_metadata(ALICE):
        log.info("hello", extra={"request_id": "theirs", "session_id": 7, "trace_id": "y|]\n"})
        log.info("again")
    hello, again = stream.getvalue().splitlines()
    assert "[req=theirs|session=7] - hello" in hello
    assert "[req=a1b2c3d4|session=12345678] - again" in again


def test_a_line_in_a_thread_is_stamped() -> None:
    """And a thread that lost the context says none, not another's id."""
    code = """
import asyncio, logging
from concurrent.futures import ThreadPoolExecutor
from asgi_trace import *
configure_logging()
log = logging.getLogger("t")
async def main():
    with bound_request_metadata(RequestMetadata("s", "r")):
        await asyncio.to_thread(log.info, "kept")
        with ThreadPoolExecutor() as pool:
            pool.submit(log.info, "lost").result()
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert [line.split(" - ", 2)[2] for line in done.stderr.splitlines()] == [
        "[req=r|session=s] - kept",
        "[req=none|session=none] - lost",
    ]


def test_reading_the_ids_for_a_line_never_raises() -> None:
    """A user's validator that logs is asked while a line is being stamped."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    own = logging.Logger("own")
    own.addHandler(handler)

    def validate(value: str) -> bool:
        own.info("validating")
        return True

    async def app(scope: Any, receive: Any, send: Any) -> None:
        own.info("served")

    step(
        RequestTracingMiddleware(app, validator=validate), http_scope([(b"x-session-id", b"mine")])
    )
    validating, served = stream.getvalue().splitlines()
    assert validating.endswith(" - validating")
    assert served.endswith("|session=mine] - served")
