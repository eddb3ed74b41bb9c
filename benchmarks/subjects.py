"""
The measured subjects: ways to wrap an app, and to write a log line.

This module sets up asgi_trace and its peers, each by its own documentation. It imports a peer only
when it is measured.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import asgi_trace
from asgi_trace._logging.setup import give_forms

from .production import Access, Log, configured_logger, json_access, root_logger, text_access
from .traffic import App, Message, Receive, Scope, Send

__all__ = (
    "OBSERVING",
    "ONE_SPAN",
    "OURS",
    "OUR_JSON",
    "OUR_JSON_LOGS",
    "OUR_LOGS",
    "OUR_LOGS_BY_ITS_HANDLER",
    "OUR_LOGS_IN_ITS_FORM",
    "OUR_SPANS",
    "OUR_TEXT",
    "PLAIN_LOGS",
    "SUBJECTS",
    "Subject",
)

OURS = "asgi_trace"
ONE_SPAN = "OpenTelemetry, one span"
OUR_SPANS = "asgi_trace, RequestSpans"
OUR_JSON = "asgi_trace, JSON"
OUR_LOGS = "asgi_trace, access_log=True"
OUR_LOGS_BY_ITS_HANDLER = "asgi_trace, the program's handler"
OUR_LOGS_IN_ITS_FORM = "asgi_trace, the program's form"
OUR_JSON_LOGS = "asgi_trace, access_log=True, JSON"
PLAIN_LOGS = "logging, uvicorn's access line"
OUR_TEXT = "asgi_trace, text"
OBSERVING = "asgi_trace, observe_body=True"


class _Nowhere:
    """A stream that discards its text: only the formatting of a line is measured."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


def _logger(formatter: logging.Formatter, stamp: logging.Filter | None = None) -> Log:
    handler = logging.StreamHandler(_Nowhere())
    handler.setFormatter(formatter)
    if stamp is not None:
        handler.addFilter(stamp)
    logger = logging.getLogger("benchmarks.app")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    return logger.info


_PLAIN_FORM = "%(asctime)s - %(levelname)s - %(message)s"


def _plain_line() -> Log:
    return _logger(logging.Formatter(_PLAIN_FORM))


def _as_it_is(app: App) -> App:
    return app


class Subject(NamedTuple):
    """
    One candidate.

    :param wrap: returns the app with the candidate around it.
    :param line: sets the candidate's logging up and returns a function that writes a line.
    :param access: sets up the server's access line and returns a function that writes it; None
        where the candidate has none, or one of its own.
    :param loop: whether it needs an event loop, since it starts tasks of its own.
    :param needs: the distribution that must be installed.
    :param heavy: so slow that only a small number of requests is measured.
    """

    name: str
    wrap: Callable[[App], App] = _as_it_is
    line: Callable[[], Log] = _plain_line
    access: Callable[[], Access] | None = None
    loop: bool = False
    needs: str | None = None
    heavy: bool = False

    def missing(self) -> str | None:
        """Return what must be installed before this can be measured, or None."""
        if self.needs is None:
            return None
        import importlib.metadata  # half of a worker's start; workers do not call this

        try:
            importlib.metadata.version(self.needs)
        except importlib.metadata.PackageNotFoundError:
            return self.needs
        return None


class _NoOp:
    """
    The reference: the least work of a wrapper that receives the messages of a response.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_wrapper(message: Message) -> None:
            await send(message)

        await self.app(scope, receive, send_wrapper)


def _ours(app: App) -> App:
    return asgi_trace.RequestTracingMiddleware(app)


def _ours_with_access_line(app: App) -> App:
    return asgi_trace.RequestTracingMiddleware(app, access_log=True)


def _ours_observing(app: App) -> App:
    import asgi_trace.mcp

    return asgi_trace.RequestTracingMiddleware(app, observe_body=True)


def _stamped_logger(formatter: logging.Formatter) -> Log:
    """
    Set logging up as configure_logging() does, without its imports: for each record, Python asks
    asyncio for the current task once asyncio is loaded.
    """
    log = _logger(formatter)
    give_forms()
    return log


def _our_line() -> Log:
    return _stamped_logger(asgi_trace.TextFormatter())


def _our_json_line() -> Log:
    return _stamped_logger(asgi_trace.JSONFormatter())


def _plain_logs() -> Log:
    return root_logger(logging.Formatter(_PLAIN_FORM))


def _our_logs() -> Log:
    return configured_logger()


def _our_logs_by_its_handler() -> Log:
    return configured_logger(is_alone=False)


def _our_logs_in_its_form() -> Log:
    return configured_logger(is_alone=False, form=_PLAIN_FORM)


def _our_json_logs() -> Log:
    return configured_logger(asgi_trace.JSONFormatter())


def _asgi_correlation_id(app: App) -> App:
    # If Sentry is installed, this library also tags each request for it: that work is not measured.
    sys.modules["sentry_sdk"] = None  # type: ignore[assignment]
    from asgi_correlation_id import CorrelationIdMiddleware

    return CorrelationIdMiddleware(app)


def _asgi_correlation_id_line() -> Log:
    from asgi_correlation_id import CorrelationIdFilter

    form = "%(asctime)s - %(levelname)s - [%(correlation_id)s] - %(message)s"
    return _logger(logging.Formatter(form), CorrelationIdFilter())


def _asgi_request_id(app: App) -> App:
    from asgi_request_id import RequestIdMiddleware

    name = "x-request-id"
    traced: App = RequestIdMiddleware(
        app, incoming_request_id_header=name, outgoing_request_id_header=name
    )
    return traced


def _starlette_context(app: App) -> App:
    from starlette_context.middleware import RawContextMiddleware
    from starlette_context.plugins import RequestIdPlugin

    return RawContextMiddleware(app, plugins=[RequestIdPlugin()])


def _base_http_middleware(app: App) -> App:
    """
    Return *app* in the middleware of the articles: Starlette's convenience class, UUIDs, a variable
    for each id.
    """
    from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
    from starlette.requests import Request
    from starlette.responses import Response

    session_id_ctx = contextvars.ContextVar[str]("session_id")
    request_id_ctx = contextvars.ContextVar[str]("request_id")

    class Tracing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            session_id_ctx.set(next(filter(None, sessions(request)), "") or str(uuid.uuid4()))
            request_id = str(uuid.uuid4())
            request_id_ctx.set(request_id)
            response = await call_next(request)
            response.headers["X-Request-ID"] = request_id
            return response

    def sessions(request: Request) -> Iterator[str | None]:
        yield request.headers.get("x-session-id")
        yield request.headers.get("x-correlation-id")
        yield request.query_params.get("session_id")
        yield request.headers.get("authorization", "").removeprefix("Bearer ")

    return Tracing(app)


def _opentelemetry(app: App) -> App:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.trace import TracerProvider

    return OpenTelemetryMiddleware(app, tracer_provider=TracerProvider())


def _one_span(app: App) -> App:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.trace import TracerProvider

    return OpenTelemetryMiddleware(
        app, tracer_provider=TracerProvider(), exclude_spans=["receive", "send"]
    )


def _our_spans(app: App) -> App:
    from opentelemetry.sdk.trace import TracerProvider

    from asgi_trace.otel import RequestSpans

    return asgi_trace.RequestTracingMiddleware(RequestSpans(app, tracer_provider=TracerProvider()))


def _sentry(app: App) -> App:
    import sentry_sdk
    from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
    from sentry_sdk.transport import Transport

    class Discard(Transport):
        def capture_envelope(self, envelope: object) -> None: ...

    sentry_sdk.init("http://key@127.0.0.1/1", transport=Discard, traces_sample_rate=1.0)
    return SentryAsgiMiddleware(app)


# The JSON lines of other libraries have one id, set in the cheapest way; ours have four.
_one_id: contextvars.ContextVar[str] = contextvars.ContextVar(
    "one_id", default="4bf92f3577b34da6a3ce929d0e0e4736"
)


class _OneId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _one_id.get()
        return True


def _python_json_logger_line() -> Log:
    from pythonjsonlogger.json import JsonFormatter

    return _logger(
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s"), _OneId()
    )


class _FourIds(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = record.trace_id = _one_id.get()
        record.session_id = "alice-0001"
        record.span_id = "00f067aa0ba902b7"
        return True


def _python_json_logger_logs() -> Log:
    from pythonjsonlogger.json import JsonFormatter

    ids = "%(request_id)s %(session_id)s %(trace_id)s %(span_id)s"
    return root_logger(
        JsonFormatter(f"%(asctime)s %(levelname)s %(name)s %(message)s {ids}"), _FourIds()
    )


def _structlog_logs() -> Log:
    import structlog

    one_id = _one_id.get()
    structlog.contextvars.bind_contextvars(
        session_id="alice-0001", trace_id=one_id, span_id="00f067aa0ba902b7"
    )
    return root_logger(_structlog_formatter())


def _structlog_processors() -> list[Any]:
    import structlog

    structlog.contextvars.bind_contextvars(request_id=_one_id.get())
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]


def _structlog_line() -> Log:
    """
    Set up structlog for lines of other libraries too, as ours are: through the standard library's
    logging.
    """
    return _logger(_structlog_formatter())


def _structlog_formatter() -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_structlog_processors(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )


def _structlog_native_line() -> Log:
    """
    Set up structlog alone: its own loggers write straight to the stream, and no other library's
    lines.
    """
    import structlog

    structlog.configure(
        processors=[*_structlog_processors(), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_Nowhere()),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    log: Log = structlog.get_logger().info
    return log


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("bare"),
        Subject("no-op", _NoOp),
        Subject(OURS, _ours, _our_line),
        Subject("asgi-request-id", _asgi_request_id, needs="asgi-request-id"),
        Subject(
            "asgi-correlation-id",
            _asgi_correlation_id,
            _asgi_correlation_id_line,
            needs="asgi-correlation-id",
        ),
        Subject("starlette-context", _starlette_context, needs="starlette-context"),
        Subject(
            "BaseHTTPMiddleware", _base_http_middleware, loop=True, needs="starlette", heavy=True
        ),
        Subject(
            "OpenTelemetry", _opentelemetry, needs="opentelemetry-instrumentation-asgi", heavy=True
        ),
        Subject(ONE_SPAN, _one_span, needs="opentelemetry-instrumentation-asgi", heavy=True),
        Subject(OUR_SPANS, _our_spans, needs="opentelemetry-sdk", heavy=True),
        Subject("Sentry", _sentry, needs="sentry-sdk", heavy=True),
        Subject(OUR_JSON, _ours, _our_json_line),
        Subject("python-json-logger", line=_python_json_logger_line, needs="python-json-logger"),
        Subject("structlog", line=_structlog_line, needs="structlog"),
        Subject("structlog, native", line=_structlog_native_line, needs="structlog"),
        Subject(PLAIN_LOGS, _NoOp, _plain_logs, text_access),
        Subject("logging", line=_plain_logs),
        Subject("uvicorn's access line", line=_plain_logs, access=text_access),
        Subject(OUR_LOGS, _ours_with_access_line, _our_logs),
        Subject(OUR_LOGS_BY_ITS_HANDLER, _ours_with_access_line, _our_logs_by_its_handler),
        Subject(OUR_LOGS_IN_ITS_FORM, _ours_with_access_line, _our_logs_in_its_form),
        Subject(OUR_TEXT, _ours, _our_logs),
        Subject(OUR_JSON_LOGS, _ours_with_access_line, _our_json_logs),
        Subject(
            "python-json-logger, access line",
            _NoOp,
            _python_json_logger_logs,
            json_access,
            needs="python-json-logger",
        ),
        Subject("structlog, access line", _NoOp, _structlog_logs, json_access, needs="structlog"),
        Subject(OBSERVING, _ours_observing),
    )
}
