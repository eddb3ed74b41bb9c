"""
OpenTelemetry: a SERVER span for each traced request, and log records, with the ids that are on its lines.

Knows OpenTelemetry's API, and of its SDK only what is public. Nothing of ours imports it, so only its users pay.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from copy import copy
from importlib.metadata import entry_points
from types import MethodType
from typing import Any
from weakref import WeakSet

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from ._logging.records import CALL, IDS, STAMPED, stamp
from ._logging.setup import attach_exporter
from .access import masked_query
from .calls import Call
from .context import RequestMetadata, get_request_metadata
from .faults import report_once
from .headers import header_values
from .records import NO_ID
from .scopes import SCOPE_KEY, Message, Scope
from .tracecontext import RANDOM, SAMPLED, TraceContext

__all__ = ("RequestLogHandler", "RequestSpans", "configure_opentelemetry")

TRACER = "asgi_trace"
"""The instrumentation scope of our spans."""

# A session's name is OpenTelemetry's own; for a request's id it has none.
_SESSION = "session.id"
_REQUEST = "asgi_trace.request_id"

_TRACED = frozenset({"http", "websocket"})
_Attributes = dict[str, str | int]


class RequestSpans:
    """
    Make a SERVER span of each request of an ASGI *app*: inside the shim, around everything else.

    ``app = RequestTracingMiddleware(RequestSpans(app))``. The span has the ids of the request's log lines, the inbound
    ``traceparent`` is its parent, and what the app starts is under it. Where another instrumentation makes the span,
    the lines take its ids, and there is no second one. Without a configured SDK nothing happens.

    :param app: an ASGI 3 application.
    :param tracer_provider: makes the spans; the global one, when left out.

    .. versionadded:: 0.1
    """

    def __init__(
        self, app: Callable[..., Awaitable[Any]], *, tracer_provider: trace.TracerProvider | None = None
    ) -> None:
        self.app = app
        self._provider = tracer_provider
        self._tracer: trace.Tracer | None = None
        self._tracer_of: trace.TracerProvider | None = None

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> Any:
        """Serve one connection; a fault of OpenTelemetry costs it its span."""
        if _configured and scope["type"] == "lifespan":
            return await self.app(scope, receive, MethodType(_flushing_send, send))
        exchange = self._begin(scope, send) if scope["type"] in _TRACED else None
        if exchange is None:
            return await self.app(scope, receive, send)
        try:
            return await self.app(scope, receive, exchange.send)
        except Exception as exc:
            exchange.failed = exc
            raise
        finally:
            exchange.end()

    def _begin(self, scope: Scope, send: Callable[..., Any]) -> _Exchange | None:
        try:
            request = scope.get(SCOPE_KEY)
            if request is None:
                raise LookupError("no traced request is here; expected RequestTracingMiddleware(RequestSpans(app))")
            if _runs_in_its_span(request):
                return None
            provider = self._provider or trace.get_tracer_provider()
            inside = _provider_inside(self.app, provider)
            if inside is not None:
                _adapt(inside)
                return _ForeignExchange(request, send)
            return self._start(scope, request, provider, send)
        except Exception:
            report_once("starting a span")
            return None

    def _start(
        self, scope: Scope, request: RequestMetadata, provider: trace.TracerProvider, send: Callable[..., Any]
    ) -> _Exchange | None:
        attributes, context = request_attributes(scope), _incoming_context(request)
        tracer = self._tracer_from(provider)
        token = _next_span.set(_NextSpan(request))
        try:
            name = span_name(attributes)
            links = [trace.Link(_remote(request.linked_trace))] if request.linked_trace else None
            span = tracer.start_span(name, context=context, kind=SpanKind.SERVER, attributes=attributes, links=links)
        finally:
            _next_span.reset(token)
        made = span.get_span_context()
        # Without an SDK it is invalid, or the caller's own handed back.
        if not made.is_valid or made.is_remote:
            return None
        # What the sampler has decided is in the flags; the ids are the request's, unless the SDK takes none.
        _take(request, _trace_of(made, request.trace.parent_span_id))
        exchange = _OwnExchange(span, attributes, scope, request, send)
        exchange.enter(context)
        return exchange

    def _tracer_from(self, provider: trace.TracerProvider) -> trace.Tracer:
        # Not once for all: an SDK may be configured after the first request.
        if self._tracer is None or provider is not self._tracer_of:
            _adapt(provider)
            self._tracer = provider.get_tracer(TRACER, schema_url="https://opentelemetry.io/schemas/1.40.0")
            self._tracer_of = provider
        return self._tracer


# The providers that configure_opentelemetry() has made.
_configured: list[Any] = []


def _flushing_send(send: Callable[..., Any], message: Message) -> Any:
    """
    Export what is left before the app's lifespan is over.

    A server such as uvicorn may end itself by the signal that it was sent, and then no exit handler runs.
    """
    if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
        for provider in _configured:
            try:
                provider.force_flush(_FLUSH_MILLISECONDS)
            except Exception:
                report_once("exporting the last spans and log records")
    return send(message)


_FLUSH_MILLISECONDS = 5_000


class _NextSpan:
    """The span that is to be made for *request*: who makes it, and whether it has been made, may not be known yet."""

    def __init__(self, request: RequestMetadata) -> None:
        self.request = request
        self.has_ids = False
        self.is_made = False


_next_span: ContextVar[_NextSpan | None] = ContextVar("asgi_trace_next_span", default=None)

_adapted: WeakSet[trace.TracerProvider] = WeakSet()


def _adapt(provider: trace.TracerProvider) -> None:
    """
    Have *provider*, if it is of the SDK, give the span of a request the ids of that request.

    Tracers that it has made before keep their generator, and other providers have none: then a request takes the ids
    of its span.
    """
    if provider in _adapted or not hasattr(provider, "id_generator") or not hasattr(provider, "add_span_processor"):
        return

    from opentelemetry.sdk.trace import Span as SDKSpan
    from opentelemetry.sdk.trace import SpanProcessor

    class Joiner(SpanProcessor):
        def on_start(self, span: SDKSpan, parent_context: Context | None = None) -> None:
            awaited = _next_span.get()
            if awaited is None or awaited.is_made or span.kind is not SpanKind.SERVER:
                return
            awaited.is_made = True
            try:
                _join(awaited.request, span)
            except Exception:
                report_once("taking the ids of a span")

    _adapted.add(provider)
    provider.id_generator = _RequestIds(provider.id_generator)
    provider.add_span_processor(Joiner())


class _RequestIds:
    """The id generator of a provider, but for the span that is awaited: that one gets the ids of its request."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def generate_trace_id(self) -> int:
        awaited = _next_span.get()
        if awaited is None or awaited.has_ids:
            return int(self._generator.generate_trace_id())
        return int(awaited.request.trace_id, 16)

    def generate_span_id(self) -> int:
        awaited = _next_span.get()
        if awaited is None or awaited.has_ids:
            return int(self._generator.generate_span_id())
        awaited.has_ids = True
        return int(awaited.request.span_id, 16)

    def is_trace_id_random(self) -> bool:
        """Whether samplers may rely on it: a client's request id promises nothing."""
        awaited = _next_span.get()
        if awaited is None or awaited.has_ids:
            return bool(self._generator.is_trace_id_random())
        return bool(awaited.request.trace.flags & RANDOM)


def _runs_in_its_span(request: RequestMetadata) -> bool:
    """Whether a span of the request is running already; it has that one's ids then."""
    current = trace.get_current_span()
    around = current.get_span_context()
    if not around.is_valid or around.is_remote:
        return False
    if trace.format_span_id(around.span_id) == request.trace.span_id:
        return True  # ours: this is a second wrapper
    # A span of another kind, or ours of another request, is that of a caller in this process: the parent. One that
    # is not sampled does not say what it is.
    scope = getattr(current, "instrumentation_scope", None)
    if getattr(current, "kind", SpanKind.SERVER) is not SpanKind.SERVER or getattr(scope, "name", "") == TRACER:
        return False
    _join(request, current)
    return True


def _join(request: RequestMetadata, span: Span) -> None:
    """Put the ids of *span*, made by another for this request, on the request's lines, and ours on the span."""
    parent = getattr(span, "parent", None)
    _take(request, _trace_of(span.get_span_context(), parent and trace.format_span_id(parent.span_id)))
    span.set_attributes(_id_attributes(request))


def _take(request: RequestMetadata, made: TraceContext) -> None:
    known = request.trace
    # That a trace-id is random we know even where the SDK does not: older ones have no flag for it.
    random = known.flags & RANDOM if made.trace_id == known.trace_id else 0
    request.trace = made._replace(flags=made.flags | random)
    request._calls_from = _calling_span


def _trace_of(context: SpanContext, parent_span_id: str | None) -> TraceContext:
    trace_id, span_id = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
    return TraceContext(trace_id, span_id, int(context.trace_flags), parent_span_id)


def _calling_span(request: RequestMetadata) -> TraceContext:
    """Return the current span of the request; its outermost, in a thread that has kept no other."""
    current = trace.get_current_span().get_span_context()
    if trace.format_trace_id(current.trace_id) != request.trace_id:
        return request.trace
    return request.trace._replace(span_id=trace.format_span_id(current.span_id))


def _incoming_context(request: RequestMetadata) -> Context:
    """Return the current context with what the caller sent: its span, and its baggage."""
    context, told = otel_context.get_current(), request.trace
    if told.parent_span_id is not None:
        parent = _remote(told._replace(span_id=told.parent_span_id), request.tracestate)
        context = trace.set_span_in_context(NonRecordingSpan(parent), context)
    return W3CBaggagePropagator().extract({"baggage": request.baggage}, context) if request.baggage else context


def _remote(told: TraceContext, tracestate: str = "") -> SpanContext:
    return SpanContext(
        int(told.trace_id, 16),
        int(told.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(told.flags),
        trace_state=TraceState.from_header([",".join(filter(_STATE_MEMBER.match, tracestate.split(",")))]),
    )


# OpenTelemetry knows the keys of level 1 alone. For any other it would warn, and drop all of the state.
_STATE_MEMBER = re.compile(r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=")


class _Exchange:
    """What goes on around a request."""

    failed: Exception | None = None

    def __init__(self, send: Callable[..., Any]) -> None:
        self.send = send

    def end(self) -> None:
        """The app is done."""


_entered: ContextVar[bool] = ContextVar("asgi_trace_entered", default=False)


class _OwnExchange(_Exchange):
    """A request in a span of ours."""

    def __init__(
        self, span: Span, attributes: _Attributes, scope: Scope, request: RequestMetadata, send: Callable[..., Any]
    ) -> None:
        super().__init__(self._noting_send)
        self._server_send = send
        self._span = span
        self._attributes = attributes
        self._scope = scope
        self._root_path = scope.get("root_path") or ""
        self._request = request
        self._status: int | None = None

    def enter(self, context: Context) -> None:
        """Make the span the current one, in *context*."""
        self._entered = _entered.set(True)
        self._token = otel_context.attach(trace.set_span_in_context(self._span, context))

    def _noting_send(self, message: Message) -> Any:
        try:
            self._status = _status_after(message, self._status)
        except Exception:
            report_once("reading a message for the span")
        return self._server_send(message)

    def end(self) -> None:
        # A coroutine that the garbage collector closes ends in another context: there is nothing to leave, and
        # OpenTelemetry would log an error about it.
        with suppress(ValueError):
            _entered.reset(self._entered)
            otel_context.detach(self._token)
        try:
            if self._span.is_recording():
                self._describe()
        except Exception:
            report_once("describing a span")
        try:
            self._span.end()
        except Exception:
            report_once("ending a span")

    def _describe(self) -> None:
        # A route, a session or a call may have become known since the start.
        attributes = self._attributes | _id_attributes(self._request) | call_attributes(self._request._read_call())
        route = route_of(self._scope, self._root_path)
        if route:
            attributes["http.route"] = _text(route)
        status = self._status
        if status is None and self.failed is not None and self._scope["type"] == "http":
            status = 500  # by the shim, a framework or the server
        if status is not None:
            attributes["http.response.status_code"] = status
        if self.failed is not None:
            attributes["error.type"] = _type_name(self.failed)
        elif status is not None and status >= 500:
            attributes["error.type"] = str(status)
        elif self._request.mcp_error:
            attributes["error.type"] = self._request.mcp_error
        if "error.type" in attributes:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.set_attributes(attributes)
        self._span.update_name(span_name(attributes))
        if self.failed is not None:
            self._span.add_event("exception", _exception_attributes(self.failed))


class _ForeignExchange(_Exchange):
    """A request whose span an instrumentation inside of us makes."""

    def __init__(self, request: RequestMetadata, send: Callable[..., Any]) -> None:
        super().__init__(send)
        self._token = _next_span.set(_NextSpan(request))

    def end(self) -> None:
        with suppress(ValueError):  # closed from another context
            _next_span.reset(self._token)


# Nobody wraps an app so often.
_MOST_WRAPPERS = 64


def _provider_inside(app: Any, usual: trace.TracerProvider) -> trace.TracerProvider | None:
    """
    Return what makes the spans of an instrumentation inside *app*, as far as one can be seen; None without.

    OpenTelemetry's own are taken to use the *usual* one.

    There is no public sign of any: what is looked at is private to FastAPI and to OpenTelemetry's instrumentations, and
    where it is missing there is a span of ours too.
    """
    for _ in range(_MOST_WRAPPERS):
        if app is None:
            break
        # Before FastAPI's own telemetry, which steps back for it.
        if getattr(app, "_is_instrumented_by_opentelemetry", False) is True or _is_instrumentation(type(app)):
            return usual
        if any(_is_instrumentation(getattr(each, "cls", None)) for each in getattr(app, "user_middleware", ())):
            return usual
        telemetry = getattr(app, "_telemetry", None)  # FastAPI's own, of new versions
        if isinstance(telemetry, dict) and telemetry.get("tracing"):
            provider: trace.TracerProvider = telemetry.get("tracer_provider") or trace.get_tracer_provider()
            return None if isinstance(provider, trace.ProxyTracerProvider) else provider
        app = getattr(app, "app", None)
    return None


def _is_instrumentation(kind: Any) -> bool:
    return str(getattr(kind, "__module__", "")).startswith("opentelemetry.instrumentation.")


_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

# A host, in brackets where it is of IPv6, and a port (RFC 3986, § 3.2).
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%-]+)(?::([0-9]{1,5}))?")

# What a version of MCP is.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def request_attributes(scope: Scope) -> _Attributes:
    """Return what a span has from its start, of the HTTP conventions; samplers see it too."""
    method = scope.get("method") or "GET"  # of a websocket's handshake
    headers = scope.get("headers") or ()
    versions = [value.decode("latin-1") for value in header_values(headers, b"mcp-protocol-version")]
    query, client = scope.get("query_string"), scope.get("client")
    attributes: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "http.request.method_original": None if method in _METHODS else method,
        "url.scheme": scope.get("scheme"),
        "url.path": scope.get("path"),
        "url.query": masked_query(query.decode("latin-1")) if query else None,
        "client.address": client[0] if client else None,
        "network.protocol.version": scope.get("http_version"),
        "mcp.protocol.version": next(filter(_DATE.fullmatch, versions), None),
        "user_agent.original": b", ".join(header_values(headers, b"user-agent")).decode("latin-1"),
    }
    attributes["server.address"], attributes["server.port"] = _server_of(scope)
    return {name: value if type(value) is int else _text(value) for name, value in attributes.items() if value}


def _server_of(scope: Scope) -> tuple[str | None, int | None]:
    """Return host and port that the client has asked for, else those that the server has."""
    hosts = header_values(scope.get("headers") or (), b"host")
    asked = _AUTHORITY.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    if asked is None:
        host, port = scope.get("server") or (None, None)
        return host, port
    return asked[1].strip("[]"), int(asked[2]) if asked[2] else _PORTS.get(scope.get("scheme") or "")


def _status_after(message: Message, status: int | None) -> int | None:
    """Return the status of a response, *status* so far, when *message* is sent."""
    kind = message["type"]
    if kind in ("http.response.start", "websocket.http.response.start"):
        return int(message["status"])
    if kind == "websocket.accept":
        return 101
    if kind == "websocket.close" and status is None:
        return 403  # what servers answer to a close before the accept
    return status


def route_of(scope: Scope, root_path: str = "") -> str | None:
    """
    Return the route that a framework has found for *scope*, such as ``/items/{id}``, or None.

    :param root_path: the scope's as the server gave it: what was added since is the path of mounted apps.
    """
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        template = scope.get("path_template")  # Litestar's
        return template if isinstance(template, str) and template else None
    mounts = (scope.get("root_path") or "").removeprefix(root_path)
    # A name in place of a value: routes are few, and paths are many.
    names = {str(value): name for name, value in (scope.get("path_params") or {}).items()}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in mounts.split("/")) + path


def call_attributes(call: Call) -> _Attributes:
    """Return what is known of a call to an MCP server, by the conventions for MCP."""
    attributes = {"mcp.method.name": call.method, "jsonrpc.request.id": call.id}
    if call.method is not None:
        attributes[_MCP_TARGETS.get(call.method.partition("/")[0], "gen_ai.tool.name")] = call.name
    if call.method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
    return {name: value for name, value in attributes.items() if value is not None}


_MCP_TARGETS = {"prompts": "gen_ai.prompt.name", "resources": "mcp.resource.uri"}

# The ones that a client sends. Any other is a stranger's own word, and not for a name.
_MCP_METHODS = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "notifications/roots/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "tools/call",
        "tools/list",
    }
)


def span_name(attributes: _Attributes) -> str:
    """Return a span's name: what was called, with its route or tool as far as that is known, and never with a path."""
    if attributes.get("mcp.method.name") in _MCP_METHODS:
        called = attributes["mcp.method.name"]
        target = attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.prompt.name")
    else:
        called, target = attributes["http.request.method"], attributes.get("http.route")
        called = "HTTP" if called == "_OTHER" else called
    return f"{called} {target}" if target else str(called)


def _id_attributes(request: RequestMetadata) -> _Attributes:
    ids = {_SESSION: request.session_id, _REQUEST: request.request_id, "mcp.session.id": request.mcp_session_id}
    return {name: _text(value) for name, value in ids.items() if value}


def _exception_attributes(exc: Exception) -> _Attributes:
    return {
        "exception.type": _type_name(exc),
        "exception.message": _text(exc),
        "exception.stacktrace": _text("".join(traceback.format_exception(type(exc), exc, exc.__traceback__))),
    }


def _type_name(exc: Exception) -> str:
    kind = type(exc)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text(value: object) -> str:
    # A lone surrogate has no UTF-8: the exporter would lose all the spans of a batch for one.
    return str(value).encode("utf-8", "backslashreplace").decode()


class RequestLogHandler(logging.Handler):
    """
    Hand records on to *handler*, one of OpenTelemetry's, with the ids that are on their lines.

    OpenTelemetry gives a record the span in which it is handled. A server's line about a crash is logged behind the
    request's span, and a queue's listener handles lines in a thread of its own: theirs is the request's span too.
    Session and request id are attributes, as on spans.

    :param handler: such as ``LoggingHandler()`` of ``opentelemetry.instrumentation.logging.handler``.

    .. versionadded:: 0.1
    """

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(handler.level)
        self._handler = handler

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a copy of *record*: other handlers have it too."""
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        stamp(record)
        record = copy(record)
        attributes = vars(record)
        words = {name: attributes.pop(name) for name in STAMPED & attributes.keys()}
        request_id, session_id, trace_id, span_id = (words[name] for name in IDS)
        if request_id == NO_ID:
            self._handler.emit(record)
            return
        call = Call(*(words.get(name) for name in CALL))
        attributes.update({_SESSION: session_id, _REQUEST: request_id} | call_attributes(call))
        current = trace.get_current_span().get_span_context()
        if trace.format_trace_id(current.trace_id) == trace_id:  # a span under the request's, say
            self._handler.emit(record)
            return
        request = get_request_metadata()
        flags = request.trace.flags if request and request.trace_id == trace_id else SAMPLED
        try:
            span = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(flags))
        except (TypeError, ValueError):  # what extra= gave under these names is another tracer's
            self._handler.emit(record)
            return
        token = otel_context.attach(trace.set_span_in_context(NonRecordingSpan(span)))
        try:
            self._handler.emit(record)
        finally:
            otel_context.detach(token)

    def flush(self) -> None:
        """Let the handler export what it has kept."""
        self._handler.flush()


def configure_opentelemetry() -> None:
    """
    Export spans and log records over OTLP, as the standard ``OTEL_…`` variables say.

    A tracer or logger provider that the program has set is left as it is.

    :raises ValueError: when an exporter is named that is not installed.

    .. versionadded:: 0.1
    """
    # The modules of logs are underlined in OpenTelemetry's packages; there are no others.
    from opentelemetry import _logs
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        spans = TracerProvider()
        for exporter in _exporters("traces"):
            spans.add_span_processor(BatchSpanProcessor(exporter))
        _adapt(spans)  # before any tracer is made
        trace.set_tracer_provider(spans)
        _configured.append(spans)
    exporters = [*_exporters("logs")]
    if not exporters or isinstance(_logs.get_logger_provider(), LoggerProvider):
        return
    logs = LoggerProvider()
    for exporter in exporters:
        logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
    _logs.set_logger_provider(logs)
    _configured.append(logs)

    class Exporting(LoggingHandler):
        def flush(self) -> None:
            # It flushes in a thread, and from CPython 3.12 on an interpreter that ends starts none. The provider has
            # exported the rest by then: of two exit handlers, the later one runs first.
            with suppress(RuntimeError):
                super().flush()

    attach_exporter(RequestLogHandler(Exporting(logger_provider=logs)))


def _exporters(signal: str) -> Iterator[Any]:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    for name in (os.environ.get(variable) or "otlp").split(","):
        name = name.strip()
        if name == "none":
            continue
        if name == "otlp":
            protocols = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
            protocol = next(filter(None, map(os.environ.get, protocols)), "http/protobuf")
            name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
        # How OpenTelemetry's packages make exporters known.
        found = entry_points(group=f"opentelemetry_{signal}_exporter", name=name)
        if not found:
            raise ValueError(f"{variable} is {name!r}; expected none or an installed exporter, such as otlp")
        yield next(iter(found)).load()()
