"""structlog and loguru, the real ones: whose ids an event has."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import logging.handlers
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import loguru
import pytest
import structlog

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TraceContext,
    bound_request_metadata,
    stamp_records,
    with_context,
)
from asgi_trace.loggers import loguru_patcher, structlog_processor

from ...asgi import call, hello, http_scope, step

ALICE = RequestMetadata("1234567890abcdef", "a1b2c3d4")
BOB = RequestMetadata("bob", "b2")
ALICES = {
    "request_id": "a1b2c3d4",
    "session_id": "1234567890abcdef",
    "trace_id": ALICE.trace_id,
    "span_id": ALICE.span_id,
}
BOBS = {"request_id": "b2", "session_id": "bob", "trace_id": BOB.trace_id, "span_id": BOB.span_id}
NOBODYS = dict.fromkeys(ALICES, "none")


class Log:
    """
    A library's logger: ``info`` and ``exception`` by its own calls, ``events()`` as JSON has them.
    """

    def __init__(self, library: str) -> None:
        self.library = library
        self.stream = io.StringIO()
        if library == "structlog":
            self.logger: Any = structlog.wrap_logger(
                structlog.PrintLogger(self.stream),
                processors=[
                    structlog_processor,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(),
                ],
                cache_logger_on_first_use=False,
            )
        else:
            self.logger = loguru.logger

    def events(self) -> list[dict[str, Any]]:
        if self.library == "loguru":
            self.logger.complete()
            records = [json.loads(line)["record"] for line in self.stream.getvalue().splitlines()]
            return [{"event": each["message"], **each["extra"]} for each in records]
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def ids(self) -> list[dict[str, Any]]:
        return [{name: event[name] for name in ALICES if name in event} for event in self.events()]

    def error(self, message: str, exc: BaseException) -> None:
        if self.library == "loguru":
            self.logger.opt(exception=exc).error(message)
        else:
            self.logger.error(message, exc_info=exc)


@pytest.fixture
def loguru_sink() -> Iterator[io.StringIO]:
    """loguru with the patcher and one sink, whose lines another thread writes."""
    stream = io.StringIO()
    loguru.logger.remove()
    loguru.logger.configure(patcher=loguru_patcher)
    loguru.logger.add(stream, serialize=True, enqueue=True, catch=False)
    yield stream
    loguru.logger.remove()
    loguru.logger.configure(patcher=lambda record: None)


@pytest.fixture(params=["structlog", "loguru"])
def log(request: pytest.FixtureRequest) -> Log:
    made = Log(request.param)
    if request.param == "loguru":
        made.stream = request.getfixturevalue("loguru_sink")
    return made


def outside(log: Log) -> dict[str, str]:
    """structlog's events lack the ids outside a request, loguru's say none."""
    return {} if log.library == "structlog" else NOBODYS


def test_an_event_has_its_requests_ids(log: Log) -> None:
    """All three, complete; the rest of the event is as it was."""
    with bound_request_metadata(ALICE):
        log.logger.info("paid", amount=5)
    assert log.events() == [{"event": "paid", "amount": 5, **ALICES}]


def test_outside_a_request_there_are_none(log: Log) -> None:
    log.logger.info("starting")
    assert log.events() == [{"event": "starting", **outside(log)}]


def test_keys_of_the_same_name_give_way_inside_a_request_only(log: Log) -> None:
    """As in the filter, the request's own win; a worker outside of one goes on naming its lines."""
    own = log.logger.bind(
        request_id="theirs", session_id="theirs", trace_id="theirs", span_id="theirs"
    )
    own.info("outside")
    with bound_request_metadata(ALICE):
        own.info("inside")
    assert log.ids() == [dict.fromkeys(ALICES, "theirs"), ALICES]


def test_an_id_that_is_not_known_is_left_out(log: Log) -> None:
    """A job of one's own may have a session and no request."""
    nightly = RequestMetadata(session_id="nightly")
    with bound_request_metadata(nightly):
        log.logger.info("tidying")
    assert log.ids() == [
        outside(log)
        | {"session_id": "nightly", "trace_id": nightly.trace_id, "span_id": nightly.span_id}
    ]


def test_overlapping_requests_never_mix(log: Log) -> None:
    """In tasks, asyncio's threads and threads of one's own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            log.logger.info(scope["path"])
            await asyncio.sleep(0)
        await asyncio.create_task(asyncio.to_thread(log.logger.info, scope["path"]))
        thread = threading.Thread(target=with_context(log.logger.info), args=(scope["path"],))
        thread.start()
        await asyncio.to_thread(thread.join)
        await hello(scope, receive, send)

    async def main() -> None:
        traced = RequestTracingMiddleware(app)
        headers = [
            [(b"x-request-id", b"r%d" % n), (b"x-session-id", b"s%d" % n)] for n in range(20)
        ]
        await asyncio.gather(
            *(call(traced, http_scope(each, path=str(n))) for n, each in enumerate(headers))
        )

    asyncio.run(main())
    found: dict[str, list[Any]] = {}
    for event in log.events():
        found.setdefault(event["event"], []).append((event["request_id"], event["session_id"]))
    assert found == {str(n): [(f"r{n}", f"s{n}")] * 5 for n in range(20)}


def crashed() -> KeyError:
    """What a request with Bob's ids raised."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError) as error:
        step(
            RequestTracingMiddleware(app),
            http_scope([(b"x-request-id", b"b2"), (b"x-session-id", b"bob")]),
        )
    return error.value


def test_an_exceptions_own_ids_outrank_the_current_ones(log: Log) -> None:
    """
    Given as an exception, or as the one that is being handled; an exception of nobody's has the
    current ids.
    """
    exc = crashed()
    with bound_request_metadata(ALICE):
        log.error("late", exc)
        log.error("mine", ValueError())
        try:
            raise exc
        except KeyError:
            log.logger.exception("late")
    log.error("late", exc)
    own = {"trace_id": None, "span_id": None}
    ids = [each | own for each in log.ids()]
    bobs, alices = BOBS | own, ALICES | own
    assert ids == [bobs, alices, bobs, bobs]


@pytest.mark.parametrize("exc_info", [None, False, True, (None, None, None), (1, 2), 5, "text"])
def test_any_exc_info_is_borne(exc_info: Any) -> None:
    """What structlog would take for no exception is none."""
    with bound_request_metadata(ALICE):
        assert structlog_processor(None, "info", {"exc_info": exc_info}) == {
            "exc_info": exc_info,
            **ALICES,
        }


def test_structlog_takes_the_triple_of_an_exception() -> None:
    exc = crashed()
    event = structlog_processor(None, "error", {"exc_info": (type(exc), exc, exc.__traceback__)})
    assert (event["request_id"], event["session_id"]) == ("b2", "bob")


@pytest.mark.parametrize("place", ["foreign_pre_chain", "processors"])
def test_records_of_the_standard_library_keep_theirs_on_the_way_through_structlog(
    place: str,
) -> None:
    """A ProcessorFormatter behind a queue formats in another thread, long after."""
    stream = io.StringIO()
    target = logging.StreamHandler(stream)
    chain = {
        "foreign_pre_chain": [],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta],
    }
    chain[place].insert(0, structlog_processor)
    chain["processors"].append(structlog.processors.JSONRenderer())
    target.setFormatter(structlog.stdlib.ProcessorFormatter(**chain))  # type: ignore[arg-type]
    written: queue.Queue[Any] = queue.Queue()
    handler = logging.handlers.QueueHandler(written)
    handler.addFilter(RequestTracingFilter())
    own = logging.Logger("own")
    own.addHandler(handler)
    with bound_request_metadata(ALICE):
        own.info("inside")
    own.info("outside")
    listener = logging.handlers.QueueListener(written, target)
    with bound_request_metadata(BOB):
        listener.start()
        listener.stop()
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "inside", **ALICES},
        {"event": "outside"},
    ]


def test_loguru_writes_the_line_whatever_there_is(loguru_sink: io.StringIO) -> None:
    """A format that names the ids costs no line outside a request."""
    stream = io.StringIO()
    loguru.logger.add(
        stream, format="{extra[request_id]} {extra[session_id]:.8} {message}", catch=False
    )
    loguru.logger.info("outside")
    with bound_request_metadata(ALICE):
        loguru.logger.info("inside")
    assert stream.getvalue().splitlines() == ["none none outside", "a1b2c3d4 12345678 inside"]


def test_a_line_changes_no_other(log: Log) -> None:
    """Neither a bound logger nor the next line keeps what a line got."""
    own = log.logger.bind(user="alice")
    with bound_request_metadata(ALICE):
        own.info("inside")
    own.info("outside")
    log.logger.info("outside")
    assert log.ids() == [ALICES, outside(log), outside(log)]


def test_neither_library_is_imported() -> None:
    code = (
        "import sys, asgi_trace.loggers; print(sorted({'structlog', 'loguru'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ast.literal_eval(done.stdout) == []


def test_an_event_has_the_fields_of_its_request(log: Log) -> None:
    """Unless the caller gives one of that name; and the caller's span where one was traced."""
    metadata = RequestMetadata("bob", "b2")
    metadata.trace = TraceContext(
        "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1, "00f067aa0ba902b7"
    )
    metadata.fields.update({"tenant": "acme", "plan": "gold"})
    with bound_request_metadata(metadata):
        log.logger.bind(plan="silver").info("paid")
    (event,) = log.events()
    assert (event["tenant"], event["plan"], event["request_id"]) == ("acme", "silver", "b2")
    assert event["parent_span_id"] == "00f067aa0ba902b7"


def test_a_field_with_a_name_that_is_taken_has_another(log: Log) -> None:
    """As extra= has it; and a name that is no str breaks no renderer."""
    metadata = RequestMetadata("bob", "b2")
    metadata.fields = {"request_id": "mine", 7: "seven"}  # type: ignore[dict-item]
    with bound_request_metadata(metadata):
        log.logger.info("paid")
    (event,) = log.events()
    assert (event["request_id"], event["request_id_"], event["7"]) == ("b2", "mine", "seven")


def test_a_field_asks_structlog_for_nothing() -> None:
    """Such as for a traceback where there is no exception."""
    metadata = RequestMetadata("bob", "b2")
    metadata.fields = {"exc_info": "yes", "event": "party", "stack_info": 1}
    with bound_request_metadata(metadata):
        event = structlog_processor(None, "info", {"event": "paid"})
    assert event["event"] == "paid"
    assert (event["exc_info_"], event["event_"], event["stack_info_"]) == ("yes", "party", 1)
    assert "exc_info" not in event


@pytest.mark.parametrize("alone", [True, False])
def test_a_record_of_the_standard_librarys_has_the_fields_too(alone: bool) -> None:
    """By the processor, or by structlog's ExtraAdder from the stamped record."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    add = structlog_processor if alone else structlog.stdlib.ExtraAdder()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[add],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    own = logging.Logger("own")
    own.addHandler(handler)
    stamp_records()
    metadata = RequestMetadata("bob", "b2")
    metadata.fields["tenant"] = "acme"
    with bound_request_metadata(metadata):
        own.info("paid")
    event = json.loads(stream.getvalue())
    assert (event["tenant"], event["request_id"], event["session_id"]) == ("acme", "b2", "bob")
