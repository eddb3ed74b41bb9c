"""Log records on their way to OpenTelemetry."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from logging.handlers import QueueHandler, QueueListener
from typing import Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from asgi_trace import RequestMetadata, RequestTracingFilter, bound_request_metadata
from asgi_trace._core.tracecontext import TraceContext
from asgi_trace.otel import RequestLogHandler

REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"


class Exported:
    """A logger whose records come here."""

    def __init__(self) -> None:
        self._exporter = InMemoryLogRecordExporter()
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        self.handler = RequestLogHandler(LoggingHandler(logger_provider=provider))
        self.handler.addFilter(RequestTracingFilter())
        self.log = logging.Logger("shop", logging.DEBUG)
        self.log.addHandler(self.handler)

    @property
    def records(self) -> list[tuple[Any, str, str, int, dict[str, Any]]]:
        return [_told(each) for each in self._exporter.get_finished_logs()]


def _told(exported: ReadableLogRecord) -> tuple[Any, str, str, int, dict[str, Any]]:
    record = exported.log_record
    attributes = dict(record.attributes or {})
    flags = int(record.trace_flags or 0)
    return (
        record.body,
        f"{record.trace_id or 0:032x}",
        f"{record.span_id or 0:016x}",
        flags,
        attributes,
    )


@pytest.fixture
def exported() -> Exported:
    return Exported()


@pytest.fixture
def request_() -> Iterator[RequestMetadata]:
    metadata = RequestMetadata(request_id=REQUEST_ID, session_id="a-session-of-more-than-8")
    metadata.trace = TraceContext(REQUEST_ID, "b7ad6b7169203331", 3)
    with bound_request_metadata(metadata):
        yield metadata


IDS = {"session.id": "a-session-of-more-than-8", "asgi_trace.request_id": REQUEST_ID}


def test_a_record_has_its_requests_span(exported: Exported, request_: RequestMetadata) -> None:
    """
    Its ids whole, once, and by names that spans have them by; beside what the line has of its own.
    """
    exported.log.info("paid %s", 5, extra={"amount": 5})
    request_.mcp_method, request_.mcp_name = "tools/call", "add"
    exported.log.info("added")
    call = {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "add",
        "gen_ai.operation.name": "execute_tool",
    }
    assert exported.records == [
        ("paid 5", REQUEST_ID, "b7ad6b7169203331", 3, IDS | {"amount": 5}),
        ("added", REQUEST_ID, "b7ad6b7169203331", 3, IDS | call),
    ]


def test_outside_a_request_there_is_nothing_to_add(exported: Exported) -> None:
    exported.log.info("started")
    assert exported.records == [("started", "0" * 32, "0" * 16, 0, {})]


def test_other_handlers_find_the_record_as_it_was(
    exported: Exported, request_: RequestMetadata
) -> None:
    """With the filter's attributes."""
    found: list[dict[str, Any]] = []
    later = logging.Handler()
    later.emit = lambda record: found.append(dict(vars(record)))  # type: ignore[method-assign]
    exported.log.addHandler(later)
    exported.log.info("paid")
    assert (found[0]["request_id"], found[0]["session_id"]) == (
        REQUEST_ID,
        "a-session-of-more-than-8",
    )
    assert "session.id" not in found[0]


def test_a_span_under_the_requests_is_more_precise(
    exported: Exported, request_: RequestMetadata
) -> None:
    """
    Of the same trace; one of another trace is another's, such as the first request's of an MCP
    session.
    """
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("stranger") as stranger:
        exported.log.info("in a stranger's span")
        request_.trace = request_.trace._replace(
            trace_id=f"{stranger.get_span_context().trace_id:032x}"
        )
        exported.log.info("in a child's")
    (_, *strangers, _), (_, *childs, _) = exported.records
    assert strangers == [REQUEST_ID, "b7ad6b7169203331", 3]
    assert childs[1] == f"{stranger.get_span_context().span_id:016x}"


def test_a_queues_listener_exports_what_was_logged(
    exported: Exported, request_: RequestMetadata
) -> None:
    """In a thread of its own, and when the request is over."""
    waiting: queue.Queue[Any] = queue.Queue()
    log = logging.Logger("queued")
    sender = QueueHandler(waiting)
    sender.addFilter(RequestTracingFilter())
    log.addHandler(sender)
    log.warning("slow")
    listener = QueueListener(waiting, exported.handler)
    with bound_request_metadata(None):
        listener.start()
        listener.stop()
    assert exported.records == [("slow", REQUEST_ID, "b7ad6b7169203331", 1, IDS)]


def test_a_fault_is_logging_s_to_tell(
    exported: Exported, request_: RequestMetadata, monkeypatch: Any
) -> None:
    """As of any other handler: the line that failed does not fail its request."""
    handled: list[logging.LogRecord] = []
    monkeypatch.setattr(exported.handler, "handleError", handled.append)
    exported.log.info("%d", "no number")
    assert [record.msg for record in handled] == ["%d"]
    exported.handler.flush()
