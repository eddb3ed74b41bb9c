"""
A SERVER span for each request: started by :class:`RequestSpans`, or by an instrumentation inside
the app.

This module uses only public names of the SDK.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from .._core.exceptions import is_failure
from .._core.faults import report_once
from .._core.protocol import Wrapper
from .._core.request import RequestMetadata
from .._core.scope import SCOPE_KEY, Scope
from .attributes import (
    OUTCOME,
    Attributes,
    as_text,
    call_attributes,
    exception_attributes,
    field_attributes,
    id_attributes,
    request_attributes,
    span_name,
    type_name,
)
from .calls import is_span_of_call, use_call_spans
from .client_spans import end_lost_spans, span_provider, use_client_spans
from .contexts import keep_context
from .endings import Ending
from .ids import (
    TRACER,
    NextSpan,
    adapt,
    context_in,
    has_span,
    incoming_context,
    next_span,
    remote_span,
    runs_in_its_span,
    take,
    trace_of,
    use_propagators,
)
from .jobs import use_job_spans
from .metrics import NO_METERS, Measured, ServerMetrics
from .routes import prepare_routes, route_of
from .setup import configured, flushing_lifespan

__all__ = ("RequestSpans",)

_TRACED = frozenset({"http", "websocket"})

# FastAPI makes no span and no metric for a request whose scope has this key: it means that an outer
# FastAPI has made them, or, with the value None, that the request is excluded.
_FASTAPI = "fastapi.telemetry"

# The most levels of wrappers that are searched for an instrumentation.
_MOST_WRAPPERS = 64


class RequestSpans(Wrapper):
    """
    Make a SERVER span for each request of an ASGI *app*: inside the shim, around everything else.

    ``app = RequestTracingMiddleware(RequestSpans(app))``. The span has the ids of the request's log
    lines. The inbound ``traceparent`` is its parent, and spans that the app starts are its
    children. Where another instrumentation makes the span, the lines take the ids of that span, and
    there is no second one. Without a configured SDK no span is made.

    :param app: an ASGI 3 application.
    :param tracer_provider: makes the spans; the global provider by default.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[Any]],
        *,
        tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        self.app = app
        self._provider = tracer_provider
        self._tracer: trace.Tracer | None = None
        self._tracer_of: trace.TracerProvider | None = None
        self._is_django = False
        self._metrics: ServerMetrics | None = None
        use_client_spans()
        use_call_spans()
        use_job_spans()

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> Any:
        """Serve one connection. If OpenTelemetry fails, the connection is served without a span."""
        if configured and scope["type"] == "lifespan":
            return await flushing_lifespan(self.app, scope, receive, send)
        exchange = self._begin(scope, receive, send) if scope["type"] in _TRACED else None
        if exchange is None:
            return await self.app(scope, receive, send)
        try:
            return await self.app(scope, exchange.receive, exchange.send)
        except BaseException as exc:
            exchange.raised = exc
            raise
        finally:
            exchange.end()

    def _begin(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> _Exchange | None:
        try:
            request = scope.get(SCOPE_KEY)
            if request is None:
                raise LookupError(
                    "no traced request is here; expected RequestTracingMiddleware(RequestSpans(app))"
                )
            if has_span(request):
                return None
            if runs_in_its_span(request):
                use_propagators()
                return _JoinedExchange(request, scope, Ending(scope, receive, send))
            provider = self._provider or trace.get_tracer_provider()
            inside = _provider_inside(self.app, provider)
            if inside is not None:
                adapt(inside)
                use_propagators()
                return _ForeignExchange(request, receive, send)
            return self._start(scope, request, provider, Ending(scope, receive, send))
        except Exception:
            report_once("starting a span")
            return None

    def _start(
        self,
        scope: Scope,
        request: RequestMetadata,
        provider: trace.TracerProvider,
        ending: Ending,
    ) -> _Exchange | None:
        attributes, context = request_attributes(scope), incoming_context(request)
        parent_span_id = request.trace.parent_span_id
        if parent_span_id is None and request._is_trusted:
            context = context_in(scope.get("headers") or (), context)
            caller = trace.get_current_span(context).get_span_context()
            if caller.is_valid and caller.is_remote:
                parent_span_id = trace.format_span_id(caller.span_id)
        tracer = self._tracer_from(provider)
        token = next_span.set(NextSpan(request, is_ours=True))
        try:
            name = span_name(attributes)
            links = (
                [trace.Link(remote_span(request.linked_trace))] if request.linked_trace else None
            )
            span = tracer.start_span(
                name, context=context, kind=SpanKind.SERVER, attributes=attributes, links=links
            )
        finally:
            next_span.reset(token)
        made = span.get_span_context()
        # Without an SDK the span's context is invalid, or it is the caller's.
        if not made.is_valid or made.is_remote:
            return None
        # The flags contain the sampler's decision. The ids are the request's, unless the provider
        # has no id generator.
        take(request, trace_of(made, parent_span_id))
        exchange = _OwnExchange(
            span,
            name,
            attributes,
            scope,
            request,
            ending,
            is_django=self._is_django,
            measured=self._measure(scope, attributes),
        )
        exchange.enter(context, provider)
        return exchange

    def _tracer_from(self, provider: trace.TracerProvider) -> trace.Tracer:
        # An SDK may be configured after the first request, so a new provider gets a new tracer.
        if self._tracer is None or provider is not self._tracer_of:
            adapt(provider)
            self._tracer = provider.get_tracer(
                TRACER, schema_url="https://opentelemetry.io/schemas/1.40.0"
            )
            self._tracer_of = provider
            self._is_django = prepare_routes(self.app)
            use_propagators()
        return self._tracer

    def _measure(self, scope: Scope, attributes: Attributes) -> Measured | None:
        """Begin to measure a request; None where no meter provider is set up."""
        provider = metrics.get_meter_provider()
        if type(provider).__name__ in NO_METERS or scope["type"] != "http":
            return None
        if self._metrics is None or self._metrics.provider is not provider:
            self._metrics = ServerMetrics(provider, TRACER)
        return Measured(self._metrics, attributes)


class _Exchange:
    """One request and its response, as far as a span is concerned."""

    raised: BaseException | None = None

    def __init__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        self.receive = receive
        self.send = send

    def end(self) -> None:
        """End the exchange: the app has returned or raised."""


class _OwnExchange(_Exchange):
    """A request in a span that this module has started."""

    def __init__(
        self,
        span: Span,
        name: str,
        attributes: Attributes,
        scope: Scope,
        request: RequestMetadata,
        ending: Ending,
        *,
        is_django: bool,
        measured: Measured | None,
    ) -> None:
        super().__init__(ending.receive, ending.send)
        self._ending = ending
        self._span = span
        self._attributes = attributes
        self._name = name
        self._scope = scope
        self._path = scope.get("path")
        self._is_django = is_django
        self._measured = measured
        self._request = request

    def enter(self, context: Context, provider: trace.TracerProvider) -> None:
        """Make the span the current one, in *context*, and the only SERVER span."""
        self._scope.setdefault(_FASTAPI, None)
        self._entered = span_provider.set(provider)
        inside = trace.set_span_in_context(self._span, context)
        self._token = otel_context.attach(keep_context(self._request, inside))

    def end(self) -> None:
        # If the garbage collector closes the coroutine, this runs in another context, where nothing
        # has to be reset, and OpenTelemetry would log an error.
        with suppress(ValueError):
            span_provider.reset(self._entered)
            otel_context.detach(self._token)
        _forget_fastapi(self._scope)
        try:
            if self._span.is_recording() or self._measured is not None:
                self._describe()
        except Exception:
            report_once("describing a span")
        try:
            self._span.end()
        except Exception:
            report_once("ending a span")
        end_lost_spans()

    def _describe(self) -> None:
        attributes = self._attributes_at_end()
        if self._measured is not None:
            self._measured.end(attributes, trace.set_span_in_context(self._span, Context()))
        if not self._span.is_recording():
            return
        if "error.type" in attributes:
            self._span.set_status(Status(StatusCode.ERROR))
        # Without the attributes set at the start: the SDK would check each of them again.
        new = {name: value for name, value in attributes.items() if name not in self._attributes}
        if self._request._fields:
            new |= field_attributes(self._request, attributes)
        self._span.set_attributes(new)
        name = span_name(attributes)
        if name != self._name:
            self._span.update_name(name)
        if self.raised is not None and is_failure(self.raised):
            self._span.add_event("exception", exception_attributes(self.raised))

    def _attributes_at_end(self) -> Attributes:
        # The route, the session or the call may have become known since the start.
        attributes = self._attributes | id_attributes(self._request)
        if is_span_of_call(self._request):
            attributes |= call_attributes(self._request._call)
        route = self._route()
        if route:
            attributes["http.route"] = as_text(route)
        outcome = self._ending.outcome(self.raised) or self._request.mcp_error
        if outcome is not None:
            attributes[OUTCOME] = outcome
        failed = None if self.raised is None or not is_failure(self.raised) else self.raised
        status = self._ending.status
        if status is None and outcome == "crash":
            status = 500  # by the shim, a framework or the server
        if status is not None:
            attributes["http.response.status_code"] = status
        error = _error_of(outcome, status, failed)
        if error is not None:
            attributes["error.type"] = error
        return attributes

    def _route(self) -> str | None:
        try:
            return route_of(self._scope, self._path, is_django=self._is_django)
        except Exception:
            report_once("finding a route")
            return None


def _error_of(outcome: str | None, status: int | None, failed: BaseException | None) -> str | None:
    """
    Return the ``error.type`` of a request, None where it has not failed.

    A client that goes away, and a server that cancels a request, are no errors of the service.
    """
    if outcome in ("disconnect", "cancelled"):
        return None
    if failed is not None:
        return type_name(failed)
    if status is not None and status >= 500:
        return str(status)
    return outcome


class _JoinedExchange(_Exchange):
    """A request whose span was made around the shim, and is the current one."""

    def __init__(self, request: RequestMetadata, scope: Scope, ending: Ending) -> None:
        super().__init__(ending.receive, ending.send)
        self._ending = ending
        self._scope = scope
        self._span = trace.get_current_span()
        scope.setdefault(_FASTAPI, None)
        self._token = otel_context.attach(keep_context(request, otel_context.get_current()))

    def end(self) -> None:
        with suppress(ValueError):  # closed from another context
            otel_context.detach(self._token)
        _forget_fastapi(self._scope)
        try:
            outcome = self._ending.outcome(self.raised)
            if outcome is not None:
                self._span.set_attribute(OUTCOME, outcome)
        except Exception:
            report_once("describing a span")


def _forget_fastapi(scope: Scope) -> None:
    if scope.get(_FASTAPI, scope) is None:
        del scope[_FASTAPI]


class _ForeignExchange(_Exchange):
    """A request whose span is made by an instrumentation inside the app."""

    def __init__(
        self, request: RequestMetadata, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        super().__init__(receive, send)
        self._token = next_span.set(NextSpan(request))
        self._attached = otel_context.attach(keep_context(request, otel_context.get_current()))

    def end(self) -> None:
        with suppress(ValueError):  # closed from another context
            next_span.reset(self._token)
            otel_context.detach(self._attached)


def _provider_inside(app: Any, usual: trace.TracerProvider) -> trace.TracerProvider | None:
    """
    Return the tracer provider of an instrumentation inside *app*; None where no instrumentation is
    found.

    OpenTelemetry's own instrumentations are assumed to use the *usual* provider.

    No public attribute names an instrumentation. The attributes that are read here are private to
    FastAPI and to OpenTelemetry's instrumentations. Where a version lacks them, the request has a
    span of ours in addition.
    """
    for _ in range(_MOST_WRAPPERS):
        if app is None:
            break
        # Checked first: FastAPI's own telemetry makes no span if an app is instrumented.
        if _is_instrumentation(type(app)) or _is_instrumented(app):
            return usual
        telemetry = getattr(app, "_telemetry", None)  # FastAPI's own, of new versions
        if isinstance(telemetry, dict) and telemetry.get("tracing"):
            provider: trace.TracerProvider = (
                telemetry.get("tracer_provider") or trace.get_tracer_provider()
            )
            return None if isinstance(provider, trace.ProxyTracerProvider) else provider
        app = getattr(app, "app", None)
    return None


def _is_instrumented(app: Any) -> bool:
    """Whether a framework's *app* has, or will have, an instrumentation among its middlewares."""
    stack = getattr(app, "middleware_stack", None)
    if stack is None:
        if getattr(app, "_is_instrumented_by_opentelemetry", False) is True:
            return True
        added = getattr(app, "user_middleware", ())
        return any(_is_instrumentation(getattr(middleware, "cls", None)) for middleware in added)
    # The app has started: middleware that was added later is not in its stack, and has no effect.
    for _ in range(_MOST_WRAPPERS):
        if stack is None:
            break
        if _is_instrumentation(type(stack)):
            return True
        stack = getattr(stack, "app", None)
    return False


def _is_instrumentation(kind: Any) -> bool:
    return str(getattr(kind, "__module__", "")).startswith("opentelemetry.instrumentation.")
