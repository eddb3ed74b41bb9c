"""
Records carry the ids of their request as public attributes, and keep what the program gave them.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import logging.handlers
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import asgi_trace
from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    RequestTracingFilter,
    TextFormatter,
    bound_request_metadata,
    configure_logging,
    stamp_records,
)
from asgi_trace._core.lines import parse
from asgi_trace._logging.records import OWN, unstamp_records

from ...asgi import http_scope, step
from ...kept import Keep

IDS = ("request_id", "session_id", "trace_id", "span_id")


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger whose records reach no other's handlers."""
    logger = logging.getLogger("tests.stamping")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()
    logger.filters.clear()


@pytest.fixture
def kept(log: logging.Logger) -> Keep:
    handler = Keep()
    log.addHandler(handler)
    return handler


@pytest.fixture
def alice() -> RequestMetadata:
    return RequestMetadata("alice", "a1")


def ids_of(record: logging.LogRecord) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in IDS)


def test_each_record_has_the_four_ids(
    log: logging.Logger, kept: Keep, alice: RequestMetadata
) -> None:
    """Whole, and ``none`` outside a request; a second call to stamp_records() changes nothing."""
    stamp_records()
    stamp_records()
    with bound_request_metadata(alice):
        log.info("inside")
    log.info("outside")
    inside, outside = kept.records
    assert ids_of(inside) == ("a1", "alice", alice.trace_id, alice.span_id)
    assert ids_of(outside) == ("none",) * 4


def test_nothing_private_is_on_a_record(
    log: logging.Logger, kept: Keep, alice: RequestMetadata
) -> None:
    """Formatters of other libraries print all that they find."""
    configure_logging()
    alice.mcp_method = "tools/call"
    with bound_request_metadata(alice):
        log.info("hello")
    assert set(vars(kept.records[0])) - OWN == {*IDS, "mcp_method"}


def test_a_pickled_record_needs_no_package_of_ours(
    log: logging.Logger, alice: RequestMetadata
) -> None:
    """As a SocketHandler sends it, to a log server that has the standard library alone."""

    class Send(logging.handlers.SocketHandler):
        sent = b""

        def send(self, data: bytes) -> None:
            self.sent = data

    handler = Send("127.0.0.1", 9)
    log.addHandler(handler)
    stamp_records()
    alice.mcp_method, alice.mcp_name = "tools/call", "add"
    alice.fields["tenant"] = "acme"
    with bound_request_metadata(alice):
        log.info("hello %s", "world")
    code = "import pickle, sys; print(sorted(pickle.loads(sys.stdin.buffer.read()[4:]).items()))"
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, input=handler.sent, capture_output=True, timeout=60, check=True)
    told = done.stdout.decode()
    for pair in (
        ("msg", "hello world"),
        ("request_id", "a1"),
        ("mcp_name", "add"),
        ("tenant", "acme"),
    ):
        assert str(pair) in told
    assert "asgi" not in told.replace(str(Path(__file__).parents[3]), "")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (logging.Formatter("%(request_id)s %(session_id)s %(message)s"), "job-9 user-5 hello"),
        (logging.Formatter("{request_id} {session_id} {message}", style="{"), "job-9 user-5 hello"),
        (TextFormatter(datefmt="-"), "- - INFO - [req=job-9|session=user-5] - hello"),
        (TextFormatter("%(request_id)s %(session_id)s %(message)s"), "job-9 user-5 hello"),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_what_extra_gives_wins_on_its_line(
    log: logging.Logger,
    alice: RequestMetadata,
    shown: logging.Formatter,
    expected: str,
    inside: bool,
) -> None:
    """Under the names of the ids, in a request and outside; the next line has the request's own."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(shown)
    log.addHandler(handler)
    stamp_records()
    extra = {"request_id": "job-9", "session_id": "user-5"}
    with bound_request_metadata(alice if inside else None):
        logging.LoggerAdapter(log, extra).info("hello")
        log.info("again")
    hello, again = stream.getvalue().splitlines()
    assert hello == expected
    own = ("a1", "alice") if inside else ("none", "none")
    assert again == expected.replace("job-9", own[0]).replace("user-5", own[1]).replace(
        "hello", "again"
    )


@pytest.mark.parametrize("make", [JSONFormatter, LogfmtFormatter])
def test_named_forms_show_what_extra_gives(
    log: logging.Logger, alice: RequestMetadata, make: Any
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(make())
    log.addHandler(handler)
    with bound_request_metadata(alice):
        log.info("hello", extra={"request_id": "job-9", "trace_id": "other", "order": 7})
    found = parse(stream.getvalue().rstrip("\n"))
    assert found is not None
    assert (found.request_id, found.session_id, found.trace_id) == ("job-9", "alice", "other")
    assert str(found.extra["order"]) == "7"


@pytest.mark.parametrize("value", [7, None, "-", ["x"], {"a": 1}, "a]b|c\nd\x1b", object])
def test_any_value_in_extra_costs_no_line(
    log: logging.Logger, value: Any, alice: RequestMetadata
) -> None:
    """Whatever its type; and what could end the bracket or the line is escaped."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    log.addHandler(handler)
    with bound_request_metadata(alice):
        log.info("hello", extra={"request_id": value, "session_id": value, "span_id": value})
    line = stream.getvalue()
    assert line.endswith("] - hello\n")
    assert line[:-1].isprintable()


def test_a_record_is_stamped_where_it_is_logged(
    log: logging.Logger, alice: RequestMetadata
) -> None:
    """A listener's thread, in the context of another request, finds the ids on the record."""
    waiting: queue.Queue[Any] = queue.Queue()
    log.addHandler(logging.handlers.QueueHandler(waiting))
    stamp_records()
    with bound_request_metadata(alice):
        log.info("hello")
    record = pickle.loads(pickle.dumps(waiting.get()))
    kept = Keep()
    with bound_request_metadata(RequestMetadata("bob", "b2")):
        thread = threading.Thread(target=kept.handle, args=(record,))
        thread.start()
        thread.join()
        kept.handle(record)
    assert [ids_of(each)[:2] for each in kept.records] == [("a1", "alice")] * 2


def test_fields_of_the_request_are_on_its_records(
    log: logging.Logger, kept: Keep, alice: RequestMetadata
) -> None:
    """By their names, with a ``_`` behind one that is taken; what ``extra=`` gives wins."""
    stamp_records()
    alice.fields.update({"tenant": "acme", "message": "m", "name": "n", "request_id": "r"})
    with bound_request_metadata(alice):
        log.info("hello")
        log.info("again", extra={"tenant": "other"})
    hello, again = map(vars, kept.records)
    assert (hello["tenant"], hello["message_"], hello["name_"]) == ("acme", "m", "n")
    assert (hello["name"], hello["request_id"], hello["request_id_"]) == (log.name, "a1", "r")
    assert again["tenant"] == "other"


def test_a_field_of_any_name_costs_no_line(
    log: logging.Logger, kept: Keep, alice: RequestMetadata
) -> None:
    """Neither the line nor another field: a record's own method cannot be hidden."""
    stamp_records()
    alice.fields = {1: "one", None: "nothing", "getMessage": "text", "tenant": "acme"}  # type: ignore[dict-item]
    with bound_request_metadata(alice):
        log.info("hello %s", "you")
    (record,) = kept.records
    assert record.getMessage() == "hello you"
    found = vars(record)
    assert [found[name] for name in ("1", "None", "getMessage_", "tenant")] == [
        "one",
        "nothing",
        "text",
        "acme",
    ]


def test_a_field_with_a_name_of_the_access_line_is_beside_it(
    alice: RequestMetadata, kept: Keep
) -> None:
    stamp_records()
    access = logging.getLogger("asgi_trace.access")
    alice.fields = {"client": "acme", "path": "/a", "tenant": "t"}
    access.addHandler(kept)
    try:
        with bound_request_metadata(alice):
            access.warning("GET /a", extra={"client": "127.0.0.1:5", "path": "/a"})
    finally:
        access.removeHandler(kept)
    found = vars(kept.records[0])
    assert (found["client"], found["client_"], found["tenant"]) == ("127.0.0.1:5", "acme", "t")


def test_fields_that_change_meanwhile_cost_no_line(log: logging.Logger, kept: Keep) -> None:
    """Another thread adds fields; and a field's name may be of any type."""

    class Growing(RequestMetadata):
        @property
        def trace(self) -> Any:
            self.fields[len(self.fields)] = 1  # type: ignore[index]
            return super().trace

    stamp_records()
    with bound_request_metadata(Growing("alice", "a1")):
        log.info("hello")
        log.info("again")
    assert [ids_of(each)[0] for each in kept.records] == ["a1", "a1"]


def test_a_factory_of_the_programs_own_keeps_its_fields(
    log: logging.Logger, alice: RequestMetadata
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    log.addHandler(handler)
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.tenant, record.short = "acme", record.name.rpartition(".")[2]
        return record

    logging.setLogRecordFactory(factory)
    try:
        configure_logging()
        with bound_request_metadata(alice):
            log.info("hello")
    finally:
        logging.setLogRecordFactory(before)
    found = json.loads(stream.getvalue())
    assert (found["tenant"], found["short"], found["request_id"]) == ("acme", "stamping", "a1")


@pytest.mark.parametrize("where", ["record factory", "filter of the handler"])
def test_none_is_no_id_of_the_programs_own(
    log: logging.Logger, alice: RequestMetadata, where: str
) -> None:
    """A program may look for ids of its own, and find none."""
    before = logging.getLogRecordFactory()

    def look(record: Any) -> Any:
        record.request_id = None
        return record

    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logging.Formatter("OWN %(message)s"))
    log.addHandler(handler)
    if where == "record factory":
        logging.setLogRecordFactory(lambda *args, **kwargs: look(before(*args, **kwargs)))
    else:
        handler.addFilter(look)
    try:
        configure_logging()
        log.info("outside")
        with bound_request_metadata(alice):
            log.info("inside")
    finally:
        logging.setLogRecordFactory(before)
    assert lines.getvalue().splitlines() == [
        "OWN [req=none|session=none] outside",
        "OWN [req=a1|session=alice] inside",
    ]


def with_two_formats(
    log: logging.Logger, *filters: Callable[[Any], Any]
) -> tuple[io.StringIO, io.StringIO]:
    """Add handlers to *log* with formats of the program's own: the second one names the request."""
    streams = io.StringIO(), io.StringIO()
    for stream, form in zip(
        streams, ("OWN %(message)s", "<%(request_id)s> %(message)s"), strict=True
    ):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter(form))
        for each in filters:
            handler.addFilter(each)
        log.addHandler(handler)
    return streams


# Since CPython 3.12, a filter may return another record.
@pytest.mark.parametrize("copies", [False, True] if sys.version_info >= (3, 12) else [False])
def test_a_filter_with_an_id_of_its_own_does_not_change_our_bracket(
    log: logging.Logger, alice: RequestMetadata, copies: bool
) -> None:
    """BentoML's filter sets the id of its own trace, which is not that of the response."""

    def own_id(record: Any) -> Any:
        written = copy.copy(record) if copies else record
        written.request_id = "job-7"
        return written

    lines, named = with_two_formats(log, own_id)
    configure_logging()
    log.info("outside")
    with bound_request_metadata(alice):
        log.info("inside")
    assert lines.getvalue().splitlines() == [
        "OWN [req=job-7|session=none] outside",
        "OWN [req=a1|session=alice] inside",
    ]
    assert named.getvalue().splitlines() == ["<job-7> outside", "<job-7> inside"]


@pytest.mark.parametrize("placeholder", ["-", ""])
def test_a_placeholder_is_no_id_of_the_programs_own(log: logging.Logger, placeholder: str) -> None:
    """A record factory of the program's own sets it on the server's records, too."""
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> Any:
        record: Any = before(*args, **kwargs)
        record.request_id = placeholder
        return record

    lines, named = with_two_formats(log)
    logging.setLogRecordFactory(factory)
    try:
        configure_logging()
        log.info("outside")
        with bound_request_metadata(RequestMetadata("alice", "-")):
            log.info("of a client that sent a dash")
    finally:
        logging.setLogRecordFactory(before)
    assert lines.getvalue().splitlines() == [
        "OWN [req=none|session=none] outside",
        "OWN [req=-|session=alice] of a client that sent a dash",
    ]
    assert named.getvalue().splitlines() == [
        f"<{placeholder}> outside",
        "<-> of a client that sent a dash",
    ]


class Refusing(logging.LogRecord):
    """A record that computes attributes, and has no others."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


class Generous(logging.LogRecord):
    """A record that has any attribute."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return "made up"


@pytest.mark.parametrize("kind", [Refusing, Generous])
def test_a_record_that_computes_attributes_is_stamped(
    log: logging.Logger, alice: RequestMetadata, kind: type[logging.LogRecord]
) -> None:
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(TextFormatter())
    log.addHandler(handler)
    stamp_records()
    with bound_request_metadata(alice):
        for _ in range(2):
            log.handle(kind("shop", logging.INFO, "shop.py", 1, "hello", (), None))
    assert ["[req=a1|session=alice] - hello" in line for line in lines.getvalue().splitlines()] == [
        True,
        True,
    ]


def test_a_factory_that_was_there_first_does_not_run_at_import() -> None:
    """It may ask a record for what only a logger gives."""
    code = """
import logging
old = logging.getLogRecordFactory()
def factory(*args, **kwargs):
    record = old(*args, **kwargs)
    record.short = record.name.rpartition(".")[2] + record.msg[:1]
    return record
logging.setLogRecordFactory(factory)
import asgi_trace
asgi_trace.configure_logging(formatter=asgi_trace.JSONFormatter())
logging.getLogger("shop.cart").info("hello")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stderr)["short"] == "carth"


def test_a_filter_that_drops_records_drops_them(log: logging.Logger, kept: Keep) -> None:
    """And one that passes another record on, as filters may from Python 3.12 on, has its way."""
    stamp_records()
    kept.addFilter(lambda record: record.getMessage() != "dropped")
    log.info("dropped")
    log.info("kept")
    assert [record.getMessage() for record in kept.records] == ["kept"]


def test_another_librarys_filter_method_stays(
    log: logging.Logger, kept: Keep, monkeypatch: Any
) -> None:
    """One that was on ``logging.Handler`` before; and stamping can be undone."""
    seen: list[str] = []

    def theirs(self: logging.Handler, record: logging.LogRecord) -> Any:
        seen.append(record.getMessage())
        return logging.Filterer.filter(self, record)

    monkeypatch.setattr(logging.Handler, "filter", theirs, raising=False)
    stamp_records()
    log.info("one")
    unstamp_records()
    assert vars(logging.Handler)["filter"] is theirs
    log.info("two")
    assert [*dict.fromkeys(seen)] == ["one", "two"]  # pytest has handlers too
    assert [hasattr(record, "request_id") for record in kept.records] == [True, False]


def test_undone_nothing_is_left_on_the_class() -> None:
    before = dict(vars(logging.Handler))
    stamp_records()
    assert "filter" in vars(logging.Handler)
    unstamp_records()
    assert dict(vars(logging.Handler)) == before


class OwnHandle(logging.StreamHandler):  # type: ignore[type-arg]
    def handle(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return True


class OwnFilter(logging.StreamHandler):  # type: ignore[type-arg]
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno < logging.ERROR


class ForAnother(logging.StreamHandler):  # type: ignore[type-arg]
    """Hands its records to another handler's emit()."""

    def emit(self, record: logging.LogRecord) -> None:
        other = logging.StreamHandler(self.stream)
        other.setFormatter(self.formatter)
        other.emit(record)


@pytest.mark.parametrize("kind", [OwnHandle, OwnFilter, ForAnother])
@pytest.mark.parametrize(
    ("form", "configure", "line"),
    [
        ("%(request_id)s %(message)s", stamp_records, "a1 hello"),
        ("%(request_id)s %(message)s", configure_logging, "a1 hello"),
        ("OWN %(message)s", configure_logging, "OWN [req=a1|session=alice] hello"),
        ("OWN %(message)s", stamp_records, "OWN hello"),
    ],
)
def test_a_handler_that_goes_past_the_filter_has_the_ids(
    log: logging.Logger,
    alice: RequestMetadata,
    kind: Callable[[io.StringIO], logging.Handler],
    form: str,
    configure: Callable[[], None],
    line: str,
) -> None:
    written = io.StringIO()
    handler = kind(written)
    handler.setFormatter(logging.Formatter(form))
    log.addHandler(handler)
    configure()
    with bound_request_metadata(alice):
        log.info("hello")
        log.info("hello")
    assert written.getvalue().splitlines() == [line, line]


def test_a_format_method_that_calls_the_inherited_one_is_called_once(
    log: logging.Logger, alice: RequestMetadata
) -> None:
    """Also where the handler goes past the filter."""

    class Around(OwnFilter):
        def format(self, record: logging.LogRecord) -> str:
            return f"<{super().format(record)}>"

    written = io.StringIO()
    handler = Around(written)
    handler.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
    log.addHandler(handler)
    configure_logging()
    with bound_request_metadata(alice):
        log.info("hello")
    assert written.getvalue() == "<a1 hello>\n"


def test_another_librarys_format_method_stays(
    log: logging.Logger, alice: RequestMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    standard = logging.Handler.format

    def theirs(self: logging.Handler, record: logging.LogRecord) -> str:
        return f"<{standard(self, record)}>"

    monkeypatch.setattr(logging.Handler, "format", theirs)
    stamp_records()
    written = io.StringIO()
    log.addHandler(logging.StreamHandler(written))
    log.info("hello")
    assert written.getvalue() == "<hello>\n"
    unstamp_records()
    assert logging.Handler.format is theirs


def test_the_filter_beside_it_changes_nothing(
    log: logging.Logger, kept: Keep, alice: RequestMetadata
) -> None:
    """A configuration may name it still; only a length that it is given cuts a long session id."""
    stamp_records()
    kept.addFilter(RequestTracingFilter())
    uuid = RequestMetadata("f47ac10b-58cc-4372-a567-0e02b2c3d479", "u1")
    with bound_request_metadata(uuid):
        log.info("whole")
        kept.addFilter(RequestTracingFilter(session_length=8))
        log.info("cut")
    with bound_request_metadata(alice):
        log.info("a client's own name")
    assert [ids_of(record)[1] for record in kept.records] == [uuid.session_id, "f47ac10b", "alice"]


def test_it_is_public() -> None:
    assert "stamp_records" in asgi_trace.__all__


TRACE = asgi_trace.TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1)
CHANGES: dict[str, tuple[Callable[[RequestMetadata], object], dict[str, str]]] = {
    "request_id": (lambda request: setattr(request, "request_id", "r2"), {"request_id": "r2"}),
    "session_id": (lambda request: setattr(request, "session_id", "s2"), {"session_id": "s2"}),
    "trace": (
        lambda request: setattr(request, "trace", TRACE),
        {"trace_id": TRACE.trace_id, "span_id": TRACE.span_id},
    ),
    "parent": (
        lambda request: request._continue_trace(TRACE),
        {"trace_id": TRACE.trace_id, "parent_span_id": TRACE.span_id},
    ),
    "call": (
        lambda request: setattr(request, "mcp_method", "tools/call"),
        {"mcp_method": "tools/call"},
    ),
    "field": (lambda request: request.fields.update(tenant="acme"), {"tenant": "acme"}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by_hand", [True, False])
def test_a_change_is_on_the_next_line(
    log: logging.Logger, kept: Keep, change: str, by_hand: bool
) -> None:
    """The ids of a line are kept for the next one; what has changed is not."""
    alter, expected = CHANGES[change]

    def write(request: RequestMetadata) -> None:
        log.info("before")
        log.info("before")
        alter(request)
        log.info("after")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        write(scope["asgi_trace"])

    stamp_records()
    if by_hand:
        with bound_request_metadata(RequestMetadata("s1", "r1")) as request:
            assert request is not None
            write(request)
    else:
        step(asgi_trace.RequestTracingMiddleware(app), http_scope())
    first, second, third = (
        {name: vars(record).get(name) for name in (*IDS, *expected)} for record in kept.records
    )
    assert first == second
    assert third == first | expected


@pytest.mark.parametrize("change", CHANGES)
def test_a_line_of_text_shows_what_has_changed_since_the_last_one(
    log: logging.Logger, kept: Keep, change: str
) -> None:
    """A formatter keeps the text of a request's ids; a change, and its reversal, make another."""
    alter, _ = CHANGES[change]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = scope["asgi_trace"]
        log.info("before")
        trace = request.trace
        alter(request)
        log.info("after")
        log.info("after")
        request.trace = trace
        log.info("with the first trace")

    stamp_records()
    step(asgi_trace.RequestTracingMiddleware(app), http_scope())
    one = asgi_trace.TextFormatter(fields=["tenant"])
    another = asgi_trace.TextFormatter()
    for record in kept.records:
        assert one.format(record) == asgi_trace.TextFormatter(fields=["tenant"]).format(record)
        assert another.format(record) == asgi_trace.TextFormatter().format(record)


def test_a_session_that_the_response_opens_is_on_the_next_line(
    log: logging.Logger, kept: Keep
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        log.info("before")
        headers = [(b"mcp-session-id", b"opened")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        log.info("after")

    stamp_records()
    step(asgi_trace.RequestTracingMiddleware(app), http_scope())
    before, after = (vars(record)["session_id"] for record in kept.records)
    assert (before != after, after) == (True, "opened")
