"""
Whose form a handler writes, whenever it is set up; and what configure_logging() leaves as it was.
"""

from __future__ import annotations

import gc
import io
import logging
import logging.handlers
import pickle
import re
import time
import unittest
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console
from rich.logging import RichHandler

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    RequestTracingMiddleware,
    TextFormatter,
    bound_request_metadata,
    configure_logging,
)
from asgi_trace._logging.formatters import Brackets, OwnForm
from asgi_trace._logging.setup import undo

from ...asgi import hello, http_scope, step
from ...inner_pytest import run_pytest
from .program import lines_of

ALICE = RequestMetadata("alice", "a1")
OURS = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - INFO - \[req=a1\|session=alice\] - hello"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.forms")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()


def line_of(log: logging.Logger, handler: logging.StreamHandler[io.StringIO]) -> str:
    """What *handler* writes for a record in Alice's request."""
    log.addHandler(handler)
    with bound_request_metadata(ALICE):
        log.info("hello")
    return handler.stream.getvalue().rstrip("\n")


def handler_with(formatter: logging.Formatter | None) -> logging.StreamHandler[io.StringIO]:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(formatter)
    return handler


def uvicorns() -> logging.Formatter:
    from uvicorn.logging import DefaultFormatter

    return DefaultFormatter("%(levelprefix)s %(message)s")


def uvicorns_changed() -> logging.Formatter:
    from uvicorn.logging import DefaultFormatter

    return DefaultFormatter("%(levelprefix)s %(name)s: %(message)s", use_colors=False)


def uvicorns_colored() -> logging.Formatter:
    from uvicorn.logging import ColourizedFormatter

    return ColourizedFormatter("{levelprefix} @ {name}: {message}", style="{", use_colors=True)


def hypercorns() -> logging.Formatter:
    return logging.Formatter(
        "%(asctime)s [%(process)d] [%(levelname)s] %(message)s", "[%Y-%m-%d %H:%M:%S %z]"
    )


def sanics() -> logging.Formatter:
    from sanic.logging.formatter import AutoFormatter

    return AutoFormatter()


def celerys() -> logging.Formatter:
    from celery.app.log import TaskFormatter

    return TaskFormatter("%(task_name)s[%(task_id)s]: %(message)s", use_color=False)


def colorlogs() -> logging.Formatter:
    from colorlog import ColoredFormatter

    return ColoredFormatter("%(log_color)s%(levelname)s:%(reset)s %(message)s", force_color=True)


def faststreams() -> logging.Formatter:
    from faststream._internal.logger.formatter import ColourizedFormatter

    return ColourizedFormatter("%(levelname)-8s - %(message)s", use_colors=True)


def coloredlogs_of(kind: str, form: str) -> logging.Formatter:
    import coloredlogs

    formatter: logging.Formatter = getattr(coloredlogs, kind)(form)
    if kind == "ColoredFormatter":
        formatter.level_styles = {"info": {"color": "green"}}  # type: ignore[attr-defined]
    return formatter


class Own(logging.Formatter):
    """A class of the program's own."""


class Localized(logging.Formatter):
    default_time_format = "%d.%m.%Y %H:%M:%S"
    default_msec_format = "%s.%03d"


class WithoutMilliseconds(logging.Formatter):
    default_msec_format = ""


class InUTC(logging.Formatter):
    converter = time.gmtime


class Shouting(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return super().formatMessage(record).upper()


class Counting(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return f"t+{record.relativeCreated:.0f}"


USUAL = "%(asctime)s - %(levelname)s - %(message)s"
FORMATTERS_OF_A_PROGRAM = {
    "usual": logging.Formatter(USUAL),
    "date": logging.Formatter(USUAL, "%H:%M:%S"),
    "empty date": logging.Formatter(USUAL, ""),
    "localized": Localized(USUAL),
    "no milliseconds": WithoutMilliseconds(USUAL),
    "UTC": InUTC(USUAL),
    "widths": logging.Formatter(
        "%(levelname)-8s|%(lineno)5d|%(msecs)03d|%(created).2f|%(message)s"
    ),
    "a width of the message": logging.Formatter("%(levelname)s %(message)-60s|"),
    "twice": logging.Formatter("%(message)s %(levelname)s %(message)s"),
    "in brackets": logging.Formatter("%(levelname)s ((%(message)s)) %(name)s"),
    "percent signs": logging.Formatter("100%% %(levelname)s %(message)s"),
    "a width of another value": logging.Formatter("%(levelname)*s %(message)s", validate=False),
    "the message alone": logging.Formatter("> %(message)s"),
    "a line feed": logging.Formatter("%(levelname)s %(message)s\n"),
    "further lines": logging.Formatter("%(levelname)s\n %(message)s"),
    "a field of the program": logging.Formatter("%(tenant)s %(message)s"),
    "a default": logging.Formatter("%(tenant)s %(message)s", defaults={"tenant": "nobody"}),
    "no attribute of a record": logging.Formatter("%(__class__)s %(message)s"),
    "braces": logging.Formatter("{asctime} {levelname:>8} {message}", style="{"),
    "dollars": logging.Formatter("$asctime $levelname ${message}", style="$"),
    "a message of its own": Shouting(USUAL),
    "a time of its own": Counting(USUAL),
}
RECORDS = {
    "plain": {"msg": "hello"},
    "percent": {"msg": "100 %s", "args": ("%(name)s",)},
    "lines": {"msg": "one\ntwo"},
    "number": {"msg": 7},
    "mapping": {"msg": "%(a)s", "args": ({"a": 1},)},
    "tenant": {"msg": "hello", "tenant": ("acme", 1)},
    "traceback": {"msg": "failed", "exc_text": "Traceback: none"},
    "stack": {"msg": "here", "stack_info": "Stack: none"},
}


def made(record: dict[str, Any], **more: Any) -> logging.LogRecord:
    """A record at half a millisecond before a second, with *more* attributes."""
    made = logging.LogRecord("shop", logging.INFO, "shop.py", 7, "", (), None)
    made.created = 1_700_000_000.9995
    made.msecs = 999.5
    made.relativeCreated = 250.0
    args = record.get("args", ())
    vars(made).update(record | more, args=args[0] if record["msg"] == "%(a)s" else args)
    return made


def outcome(form: Callable[[logging.LogRecord], str], record: logging.LogRecord) -> str:
    try:
        return form(record)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("formatter", FORMATTERS_OF_A_PROGRAM.values(), ids=FORMATTERS_OF_A_PROGRAM)
def test_a_programs_own_form_makes_the_line_that_it_makes_of_a_message_with_the_ids(
    formatter: logging.Formatter, record: dict[str, Any]
) -> None:
    form = OwnForm(formatter, Brackets()).format
    for request_id in ("a1", "b2", "100%s", "a1"):
        ids = {"request_id": request_id, "session_id": "alice", "trace_id": "", "span_id": ""}
        prefix = f"[req={request_id}|session=alice] "
        theirs = made(record)
        text = f"{prefix}{theirs.getMessage()}"
        theirs.msg, theirs.args = text, ()
        expected = outcome(formatter.format, theirs)
        inner, end = (expected[:-1], "\n") if expected.endswith("\n") else (expected, "")
        expected = inner.replace("\n", f"\n{prefix}") + end
        ours = made(record, **ids)
        assert outcome(form, ours) == expected
        assert ours.getMessage() == made(record).getMessage()
        assert vars(ours).get("message", ours.getMessage()) == ours.getMessage()


@pytest.mark.parametrize(
    ("formatter", "expected"),
    [
        (None, OURS),
        (logging.Formatter(), OURS),
        (logging.Formatter("{message}", style="{"), OURS),
        (logging.Formatter(logging.BASIC_FORMAT), OURS),
        (uvicorns(), OURS),
        (hypercorns(), OURS),
        (sanics(), OURS),
        (logging.Formatter("%(levelname)s %(message)s"), r"INFO \[req=a1\|session=alice\] hello"),
        (
            logging.Formatter("[%(levelname)s] %(message)s"),
            r"\[INFO\] \[req=a1\|session=alice\] hello",
        ),
        (logging.Formatter("%(levelname)s %(msg)s"), r"\[req=a1\|session=alice\] INFO hello"),
        (logging.Formatter("%(request_id)s %(message)s"), "a1 hello"),
        (
            logging.Formatter("%(aws_request_id)s %(message)s", defaults={"aws_request_id": "b2"}),
            r"b2 \[req=a1\|session=alice\] hello",
        ),
        (uvicorns_changed(), r"INFO:     tests.forms: \[req=a1\|session=alice\] hello"),
        (
            uvicorns_colored(),
            r"\x1b\[32mINFO\x1b\[0m:     @ tests.forms: \[req=a1\|session=alice\] hello",
        ),
        (celerys(), r"\?\?\?\[\?\?\?\]: \[req=a1\|session=alice\] hello"),
        (colorlogs(), r"\x1b\[32mINFO:\x1b\[0m \[req=a1\|session=alice\] hello\x1b\[0m"),
        (faststreams(), r"\x1b\[32mINFO\x1b\[0m {5}- \[req=a1\|session=alice\] hello"),
        (
            coloredlogs_of("BasicFormatter", "%(levelname)s %(message)s"),
            r"INFO \[req=a1\|session=alice\] hello",
        ),
        (
            coloredlogs_of("ColoredFormatter", "%(name)s: %(message)s"),
            r"\x1b\[34mtests\.forms:\x1b\[0m \x1b\[32m\[req=a1\|session=alice\] hello\x1b\[0m",
        ),
        (Own("%(levelname)s %(message)s"), "INFO hello"),
        (JSONFormatter(), r'\{.*"request_id": "a1".*\}'),
        (TextFormatter("%(levelname)s %(message)s"), "INFO hello"),
    ],
)
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_the_form_is_whose_it_was(
    log: logging.Logger, formatter: logging.Formatter | None, expected: str, first: str
) -> None:
    """Nobody's becomes our line; a format of the program's own gets the ids; other classes stay."""
    handler = handler_with(formatter)
    if first == "ours":
        configure_logging()
    log.addHandler(handler)
    if first == "theirs":
        configure_logging()
    assert re.fullmatch(expected, line_of(log, handler))
    assert handler.formatter is formatter


@pytest.mark.parametrize("formatter", [uvicorns_changed(), uvicorns_colored()])
def test_the_colored_copy_of_a_message_of_uvicorns_hides_no_ids(
    log: logging.Logger, formatter: Any
) -> None:
    """On a terminal, its formatters show it in place of the message."""
    formatter.use_colors = True
    handler = handler_with(formatter)
    log.addHandler(handler)
    configure_logging()
    with bound_request_metadata(ALICE):
        log.info("on port %d", 8000, extra={"color_message": "on port \x1b[1m%d\x1b[0m"})
    assert handler.stream.getvalue().endswith(": [req=a1|session=alice] on port 8000\n")


@pytest.mark.parametrize(
    ("formatter", "expected"),
    [
        (None, f"{OURS} NR-LINKING"),
        (logging.Formatter("%(levelname)s %(message)s"), r"INFO \[req=a1\|.*\] hello NR-LINKING"),
        (
            logging.Formatter("{levelname} {message}", style="{"),
            r"INFO \[req=a1.* hello NR-LINKING",
        ),
        (JSONFormatter(), r'\{[^{]*"message": "hello NR-LINKING",((?!getMessage|_nr_).)*\}'),
    ],
)
def test_what_an_agent_adds_to_a_message_stays(
    log: logging.Logger, formatter: logging.Formatter | None, expected: str
) -> None:
    """New Relic's gives each record a getMessage() of its own, and keeps the former one."""

    def decorate(record: Any) -> bool:
        record._nr_original_message = record.getMessage
        record.getMessage = lambda: f"{record._nr_original_message()} NR-LINKING"
        return True

    log.addFilter(decorate)
    try:
        configure_logging()
        assert re.fullmatch(expected, line_of(log, handler_with(formatter)))
    finally:
        log.removeFilter(decorate)


@pytest.mark.parametrize(
    ("formatter", "is_asked"),
    [
        (None, True),
        (hypercorns(), True),
        (logging.Formatter("%(levelname)s %(message)s"), True),
        (celerys(), True),
        (Own("%(message)s"), False),
        (TextFormatter("%(message)s"), False),
    ],
)
def test_a_formatter_that_the_program_gives_us_is_for_the_forms_of_nobody_and_the_standards(
    log: logging.Logger, formatter: logging.Formatter | None, is_asked: bool
) -> None:
    """
    A class of the program's own stays; and without one, a later call goes on with the earlier
    one's.
    """
    configure_logging(formatter=LogfmtFormatter())
    configure_logging()
    assert (" request_id=a1 " in line_of(log, handler_with(formatter))) is is_asked


def test_a_later_call_may_give_another_formatter(log: logging.Logger) -> None:
    """To handlers that have written already, too."""
    handler = handler_with(None)
    configure_logging()
    assert re.fullmatch(OURS, line_of(log, handler))
    configure_logging(formatter=JSONFormatter())
    with bound_request_metadata(ALICE):
        log.info("again")
    assert handler.stream.getvalue().splitlines()[1].startswith('{"timestamp"')


def test_another_formatter_later_is_another_form(log: logging.Logger) -> None:
    """The program may give its handler one at any time."""
    configure_logging()
    handler = handler_with(None)
    line_of(log, handler)
    handler.setFormatter(logging.Formatter("OWN %(message)s"))
    log.info("later")
    handler.setFormatter(Own("OWN %(message)s"))
    log.info("last")
    _, later, last = handler.stream.getvalue().splitlines()
    assert (later, last) == ("OWN [req=none|session=none] later", "OWN last")


def test_undone_a_handler_writes_as_it_did(log: logging.Logger) -> None:
    configure_logging()
    handler = handler_with(logging.Formatter("OWN %(message)s"))
    line_of(log, handler)
    undo()
    log.info("again")
    assert handler.stream.getvalue().splitlines()[1] == "OWN again"


def test_a_methods_own_form_stays(log: logging.Logger) -> None:
    """Of a handler's class, or of the handler alone."""

    class Data(logging.StreamHandler):  # type: ignore[type-arg]
        def format(self, record: logging.LogRecord) -> str:
            return f"DATA {super().format(record)}"

    configure_logging()
    assert line_of(log, Data(io.StringIO())) == "DATA hello"
    alone = handler_with(None)
    alone.format = lambda record: "ALONE"  # type: ignore[method-assign]
    assert line_of(log, alone) == "ALONE"


def test_a_method_that_the_program_sets_later_stays_too(log: logging.Logger) -> None:
    """Also where the handler is met again."""
    configure_logging()
    handler = handler_with(None)
    assert re.fullmatch(OURS, line_of(log, handler))
    handler.format = lambda record: "ALONE"  # type: ignore[method-assign]
    log.info("again")
    configure_logging(formatter=JSONFormatter())
    log.info("again")
    handler.setFormatter(Own())
    log.info("again")
    assert handler.stream.getvalue().splitlines()[1:] == ["ALONE"] * 3


def test_a_handler_that_is_gone_is_not_kept(log: logging.Logger, tmp_path: Path) -> None:
    """Whatever form it had."""
    configure_logging()
    handlers: list[Any] = [
        handler_with(None),
        handler_with(logging.Formatter("OWN %(message)s")),
        logging.FileHandler(tmp_path / "app.log", encoding="ascii"),
        RichHandler(console=Console(file=io.StringIO())),
    ]
    for handler in handlers:
        log.addHandler(handler)
    log.info("hello")
    log.handlers.clear()
    handlers[2].close()
    gone = [weakref.ref(each) for each in handlers]
    del handler
    handlers.clear()
    gc.collect()
    assert [each() for each in gone] == [None] * 4


def test_a_handler_of_another_kind_writes_the_message_behind_the_ids(log: logging.Logger) -> None:
    """It may add a time and a level of its own; and one that asks for its formatter finds none."""
    texts: list[str] = []

    class Send(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(self.format(record))

    handler = Send()
    log.addHandler(handler)
    configure_logging()
    with bound_request_metadata(ALICE):
        log.info("hello")
    assert texts == ["[req=a1|session=alice] hello"]
    assert handler.formatter is None


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of older versions of Python
def test_google_clouds_handler_sends_the_message_behind_the_ids(log: logging.Logger) -> None:
    """It is a stream handler by its class alone: time and level are fields of what it sends."""
    from google.cloud.logging_v2.handlers import CloudLoggingHandler
    from google.cloud.logging_v2.handlers.transports import Transport
    from google.cloud.logging_v2.resource import Resource

    texts: list[str] = []

    class Client:
        project = "shop"
        _handlers: ClassVar[set[logging.Handler]] = set()

    class Keeping(Transport):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.flush = self.close = lambda: None

        def send(self, record: logging.LogRecord, message: str, **kwargs: Any) -> None:
            texts.append(message)

    resource = Resource(type="global", labels={})
    log.addHandler(CloudLoggingHandler(Client(), transport=Keeping, resource=resource))
    configure_logging()
    with bound_request_metadata(ALICE):
        log.info("hello")
    assert texts[-1] == "[req=a1|session=alice] hello"


class Sent(logging.handlers.SocketHandler):
    """Keeps what would go to a log server."""

    def send(self, s: bytes) -> None:
        self.data = pickle.loads(s[4:])


def test_a_log_server_gets_the_traceback(log: logging.Logger) -> None:
    """SocketHandler formats a record for the text of its traceback alone."""
    configure_logging()
    handler = Sent("127.0.0.1", 9)
    log.addHandler(handler)
    try:
        raise KeyError("lost")
    except KeyError:
        log.exception("failed")
    assert handler.data["exc_text"].endswith("KeyError: 'lost'")
    assert handler.data["msg"] == "failed"


class Asking(logging.Handler):
    """Reads what a formatter leaves on its record, as handlers for tables and windows do."""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = self.format(record)
        self.seen = (record.message, record.asctime, record.exc_text is not None)


def test_a_record_has_afterwards_what_a_formatter_leaves_on_it(log: logging.Logger) -> None:
    configure_logging()
    handler = Asking()
    handler.setFormatter(logging.Formatter("%(asctime)s OWN %(message)s", "%Y"))
    log.addHandler(handler)
    with bound_request_metadata(ALICE):
        log.info("hello %s", "you", exc_info=KeyError())
    year = handler.text[:4]
    assert handler.text.startswith(f"{year} OWN [req=a1|session=alice] hello you\n")
    assert handler.seen == ("hello you", year, True)


def test_a_line_feed_at_the_end_begins_no_line(log: logging.Logger) -> None:
    """A handler without a terminator, such as AWS Lambda's, writes the next record behind it."""
    configure_logging()
    handler = handler_with(logging.Formatter("OWN %(message)s\n"))
    handler.terminator = ""
    log.addHandler(handler)
    with bound_request_metadata(ALICE):
        log.info("one\ntwo")
    log.info("three")
    ids = "[req=a1|session=alice]"
    written = f"OWN {ids} one\n{ids} two\nOWN [req=none|session=none] three\n"
    assert handler.stream.getvalue() == written


def test_a_line_feed_that_ends_a_message_begins_a_line(log: logging.Logger) -> None:
    configure_logging()
    handler = handler_with(logging.Formatter("OWN %(message)s"))
    log.addHandler(handler)
    with bound_request_metadata(ALICE):
        log.info("one\n")
    ids = "[req=a1|session=alice]"
    assert handler.stream.getvalue() == f"OWN {ids} one\n{ids} \n"


class Braces(logging.LogRecord):
    """A record of the program's own, with another style of messages."""

    def getMessage(self) -> str:  # noqa: N802
        return str(self.msg).format(*self.args)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("form", "line"),
    [
        # The usual advice for a time on uvicorn's access lines changes the format alone.
        (
            "OWN %(levelname)s %(message)s",
            'OWN INFO [req=a1|session=alice] ::1 - "GET / HTTP/1.1" 200',
        ),
        (
            "OWN %(client_addr)s %(request_line)s",
            "[req=a1|session=alice] OWN ::1 GET / HTTP/1.1",
        ),
    ],
)
def test_uvicorns_access_line_in_a_format_of_ones_own(
    log: logging.Logger, form: str, line: str
) -> None:
    from uvicorn.logging import AccessFormatter

    configure_logging()
    handler = handler_with(AccessFormatter(form, use_colors=False))
    log.addHandler(handler)
    with bound_request_metadata(ALICE):
        log.info('%s - "%s %s HTTP/%s" %d', "::1", "GET", "/", "1.1", 200)
    assert handler.stream.getvalue() == f"{line}\n"


def test_a_message_in_another_style_is_made_once(log: logging.Logger) -> None:
    """A finished message may have braces of its own."""
    configure_logging()
    handler = handler_with(logging.Formatter("OWN %(message)s"))
    log.addHandler(handler)
    logging.setLogRecordFactory(Braces)
    try:
        log.info("pays {}", "{five}")
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    assert handler.stream.getvalue() == "OWN [req=none|session=none] pays {five}\n"


def test_assert_logs_compares_what_the_test_expects(log: logging.Logger) -> None:
    configure_logging(formatter=JSONFormatter())
    with unittest.TestCase().assertLogs(log) as watched, bound_request_metadata(ALICE):
        log.info("hello")
    assert watched.output == ["INFO:tests.forms:hello"]
    assert watched.records[0].request_id == "a1"  # type: ignore[attr-defined]


def test_rich_writes_whole_lines(log: logging.Logger) -> None:
    """It would fold them, and cut the ids in two; each line of a traceback has them too."""
    file = io.StringIO()
    log.addHandler(RichHandler(console=Console(file=file, width=40), rich_tracebacks=True))
    configure_logging()
    with bound_request_metadata(ALICE):
        log.info("hello")
        try:
            raise KeyError("x")
        except KeyError:
            log.exception("failed")
    first, *others = file.getvalue().splitlines()
    assert re.fullmatch(OURS, first)
    assert len(others) > 3
    assert [line for line in others if "[req=a1|session=alice]" not in line] == []


def test_a_traced_callers_span_and_a_call_stand_in_every_text(log: logging.Logger) -> None:
    """Behind the ids, in our line and in a form of the program's own."""
    configure_logging()
    handler = handler_with(logging.Formatter("OWN %(message)s"))
    log.addHandler(handler)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        log.info("hello")
        await hello(scope, receive, send)

    headers = [
        (b"x-request-id", b"a1"),
        (b"x-session-id", b"alice"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"mcp-method", b"tools/call"),
        (b"mcp-name", b"add"),
    ]
    step(RequestTracingMiddleware(app), http_scope(headers, path="/mcp", method="POST"))
    line = handler.stream.getvalue()
    assert re.match(
        r"OWN \[req=a1\|session=alice\|span=[0-9a-f]{16}\](?: \[tools/call add\])? hello\n", line
    )


# -- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formatter", [None, logging.Formatter("OWN %(message)s"), Own("%(message)s"), LogfmtFormatter()]
)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("delay", [False, True])
def test_a_narrow_stream_costs_no_line(
    log: logging.Logger,
    tmp_path: Path,
    formatter: logging.Formatter | None,
    encoding: str,
    delay: bool,
) -> None:
    """What it cannot carry is escaped, in each form; what it can is not."""
    handler = logging.FileHandler(tmp_path / "app.log", encoding=encoding, delay=delay)
    handler.setFormatter(formatter)
    log.addHandler(handler)
    configure_logging()
    log.info("caf\xe9 \u2705")
    handler.close()
    (line,) = (tmp_path / "app.log").read_text(encoding=encoding).splitlines()
    assert ("caf\xe9" if encoding == "cp1252" else r"caf\xe9") in line
    assert r"\u2705" in line


def test_a_stream_that_escapes_for_itself_is_left_to_it(log: logging.Logger) -> None:
    """And one of an encoding that Python does not know."""
    configure_logging()
    stream = io.TextIOWrapper(
        io.BytesIO(), encoding="ascii", errors="namereplace", write_through=True
    )
    log.addHandler(logging.StreamHandler(stream))

    class Odd(io.StringIO):
        encoding = "x-unknown"  # type: ignore[assignment]

    odd = logging.StreamHandler(Odd())
    log.addHandler(odd)
    log.info("caf\xe9")
    assert b"caf\\N{LATIN SMALL LETTER E WITH ACUTE}" in stream.buffer.getvalue()  # type: ignore[attr-defined]
    assert "caf\xe9" in odd.stream.getvalue()


# -- what stays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["", "keep"])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", "INFO"),
        ("logging.root.setLevel('WARNING')", "WARNING"),
        ("logging.root.setLevel('DEBUG')", "DEBUG"),
        ("logging.basicConfig(level='WARNING')", "WARNING"),
        ("logging.basicConfig(level='ERROR')", "ERROR"),
        ("logging.basicConfig()", "WARNING"),
    ],
)
def test_a_level_that_an_app_sets_stays_under_run(
    tmp_path: Path, code: str, expected: str, form: str
) -> None:
    """INFO is for an app that sets neither a level nor a handler; and kept forms keep levels."""
    (tmp_path / "shop.py").write_text(
        f"import logging\n{code}\nasync def app(scope, receive, send): ...\n"
    )
    lines = lines_of(
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import asgi_trace.auto\n"
        "print(logging.getLevelName(logging.root.level), type(logging.root.level).__name__)",
        ASGI_TRACE_APP="shop:app",
        ASGI_TRACE_FORMAT=form,
    )
    assert lines == [f"{'WARNING' if form and not code else expected} int"]


@pytest.mark.parametrize("form", ["", "keep"])
def test_the_variable_outranks_the_apps_level(tmp_path: Path, form: str) -> None:
    (tmp_path / "shop.py").write_text(
        "import logging\nlogging.basicConfig(level=40)\nasync def app(scope, receive, send): ...\n"
    )
    lines = lines_of(
        f"sys.path.insert(0, {str(tmp_path)!r})\nimport asgi_trace.auto\nprint(logging.root.level)",
        ASGI_TRACE_APP="shop:app",
        ASGI_TRACE_LEVEL="debug",
        ASGI_TRACE_FORMAT=form,
    )
    assert lines == ["10"]


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_a_level_that_the_program_has_set_stays(level: str) -> None:
    """Unless it says another; WARNING is Python's own default, and gives way to INFO."""
    code = "print(logging.getLevelName(logging.root.level))"
    assert lines_of(f"logging.basicConfig(level='{level}')\nconfigure_logging()\n{code}") == [level]
    assert lines_of(f"logging.basicConfig()\nconfigure_logging()\n{code}") == ["INFO"]
    assert lines_of(f"configure_logging('{level}')\nconfigure_logging()\n{code}") == [level]


# A test file, and what its run must show.
UNDER_PYTEST = {
    "records": """
def test_a(caplog):
    configure_logging()
    with within(): log.warning("hello")
    assert [(r.request_id, r.session_id) for r in caplog.records] == [("a1", "alice")]
    assert caplog.text == "FMT|WARNING|hello|END\\n"
""",
    "the text of the next": """
def test_a(caplog):
    configure_logging()
    configure_logging()
    log.warning("hello")
    assert caplog.messages == ["hello"]
def test_b(caplog):
    log.warning("next")
    assert caplog.text == "FMT|WARNING|next|END\\n"
""",
    "the level of the next": """
def test_a(caplog):
    configure_logging()
    log.info("written")
    assert caplog.messages == ["written"]
def test_b(caplog):
    assert logging.root.level == logging.WARNING
    log.info("not written")
    assert caplog.messages == []
def test_c(caplog):
    configure_logging()
    with caplog.at_level(logging.DEBUG): log.debug("written")
    assert caplog.messages == ["written"] and logging.root.level == logging.INFO
""",
    "a fixture's level lasts for its test": """
import pytest
@pytest.fixture
def app(): configure_logging()
def test_a(app, caplog):
    log.info("written")
    assert caplog.messages == ["written"]
def test_b(): assert logging.root.level == logging.WARNING
""",
    "configured while tests are collected": """
configure_logging()
def test_a(caplog):
    assert logging.root.level == logging.WARNING
    with within(): log.warning("hello")
    assert caplog.text == "FMT|WARNING|hello|END\\n" and caplog.records[0].request_id == "a1"
""",
    "standard error of the next": """
def test_a(capsys):
    configure_logging()
    log.warning("one")
def test_b(capsys):
    log.warning("two")
    assert capsys.readouterr().err == ""
""",
}


@pytest.mark.parametrize("code", UNDER_PYTEST.values(), ids=UNDER_PYTEST)
@pytest.mark.parametrize(
    "conftest", ["", "import asgi_trace; asgi_trace.configure_logging()"], ids=["alone", "conftest"]
)
def test_under_pytest_one_test_changes_no_other(tmp_path: Path, code: str, conftest: str) -> None:
    head = """
import logging
from asgi_trace import *
log = logging.getLogger("shop")
def within(): return bound_request_metadata(RequestMetadata("alice", "a1"))
"""
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nlog_format = FMT|%(levelname)s|%(message)s|END\n"
    )
    (tmp_path / "test_it.py").write_text(head + code)
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Logging error" not in done.stdout + done.stderr


# -- loggers of ours -----------------------------------------------------------------------------

# Which disables all loggers that exist.
DICT_CONFIG = """
logging.config.dictConfig({
    "version": 1,
    "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["out"], "level": "INFO"},
})
"""


@pytest.mark.parametrize("when", ["before", "behind", "between"])
def test_a_configuration_that_disables_loggers_silences_no_access_line(when: str) -> None:
    """Before the app is wrapped, after it, and between two requests."""
    lines = lines_of(
        f"""
import asyncio
async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200}})
    await send({{"type": "http.response.body"}})
async def send(message): pass
def request(path):
    scope = {{"type": "http", "method": "GET", "path": path, "query_string": b"",
             "headers": [(b"x-request-id", b"a1")]}}
    asyncio.run(traced(scope, None, send))
def configure():
    exec({DICT_CONFIG!r})
    configure_logging()
if {when == "before"}: configure()
traced = RequestTracingMiddleware(app, access_log=True)
if {when != "before"}: configure()
request("/one")
if {when == "between"}: configure()
request("/two")
"""
    )
    assert [re.sub(r".*\[req=a1.*\] - (GET /\w+ 200) .*", r"\1", line) for line in lines] == [
        "GET /one 200",
        "GET /two 200",
    ]


def test_a_server_without_the_shim_is_told_once() -> None:
    """Its access lines would have no ids for ever."""
    lines = lines_of(
        """
configure_logging()
access = logging.getLogger("uvicorn.access")
for path in "abc": access.info("GET /%s", path)
"""
    )
    assert len(lines) == 4
    assert (
        "WARNING - [req=none|session=none] - a server logs requests, and none has reached"
        in lines[0]
    )
    assert "app = RequestTracingMiddleware(app)" in lines[0]
    assert "add_middleware(RequestTracingMiddleware)" in lines[0]  # what 'fastapi run' accepts


def test_a_server_whose_shim_was_entered_is_not() -> None:
    """
    Though it logs outside of its requests, as granian does; the shim's own method is back in place.
    """
    lines = lines_of(
        """
serve = RequestTracingMiddleware.__call__
configure_logging()
async def app(scope, receive, send): ...
try: RequestTracingMiddleware(app)({"type": "lifespan"}, None, None).send(None)
except StopIteration: pass
logging.getLogger("granian.access").info("GET /")
assert RequestTracingMiddleware.__call__ is serve
"""
    )
    assert [line.rpartition(" - ")[2] for line in lines] == ["GET /"]


def test_a_later_configuration_without_a_handler_for_root_loses_no_line() -> None:
    """It removes our handler; a logger that propagates nothing stays as quiet as it was."""
    lines = lines_of("""
configure_logging()
logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"shop": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
    "loggers": {
        "shop": {"handlers": ["shop"]},
        "quiet": {"propagate": False},
    },
    "root": {"level": "INFO"},
})
with within():
    for name in ("other", "shop", "quiet"):
        logging.getLogger(name).info("%s info", name)
        logging.getLogger(name).warning("%s warning", name)
assert logging.root.handlers == []
""")
    assert [line.rpartition(" - ")[2] for line in lines] == [
        "other info",
        "other warning",
        "shop info",
        "shop warning",
        "quiet warning",
    ]
    assert all("[req=a1|session=alice]" in line for line in lines)


DJANGO = """
from django.conf import settings
settings.configure(DEBUG=%s, SECRET_KEY="x" * 50, ADMINS=[])
import django
django.setup()
configure_logging(stream=sys.stdout)
with within():
    try:
        raise ValueError("no luck")
    except ValueError:
        logging.getLogger("django.request").exception("Internal Server Error: /pay")
    logging.getLogger("django.tasks").info("Task state=RUNNING")
"""


@pytest.mark.parametrize("debug", [True, False])
def test_the_lines_of_django_in_production_are_written(debug: bool) -> None:
    """Its own set-up, with DEBUG off, writes none of its lines, and only mails the errors."""
    lines = lines_of(DJANGO % debug)
    assert sum("Internal Server Error: /pay" in line for line in lines) == 1
    assert sum("ValueError: no luck" in line for line in lines) == 1
    assert sum("Task state=RUNNING" in line for line in lines) == 1
    assert all("[req=a1|session=alice]" in line for line in lines)


def test_a_line_that_is_only_mailed_is_written_too() -> None:
    """And a filter that drops a record below the root logger is asked once."""
    lines = lines_of("""
class Mailer(logging.handlers.SMTPHandler):
    def emit(self, record): ...

def drop(record):
    print("asked")
    return False

own = logging.StreamHandler(sys.stdout)
own.addFilter(drop)
logging.getLogger("shop").addHandler(Mailer("localhost", "shop", ["admin"], "failed"))
logging.getLogger("noisy").addHandler(own)
configure_logging(stream=sys.stdout)
logging.getLogger("shop").error("failed")
logging.getLogger("noisy").error("dropped")
""")
    assert [line.rpartition(" - ")[2] for line in lines] == ["failed", "asked"]
