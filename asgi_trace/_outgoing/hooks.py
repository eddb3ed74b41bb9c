"""
Hooks for HTTP clients: each call from a request carries the request's ids and trace.

This module uses the hooks of httpx, aiohttp, requests, urllib3 and urllib.request, and handles the
redirects of each library. It imports a library when its hook is first used. Where a tracer makes
spans for calls, each hook begins and ends them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from .._core.current import get_request_metadata
from .._core.faults import report_once
from .call_lines import begin_logged
from .client_spans import HTTPCoreEvents, SpanOfCall, begin_span
from .propagation import (
    BAGGAGE,
    SESSION_ID,
    baggage_of,
    merged_baggage,
    outgoing,
    outgoing_span,
    replace,
    set_baggage,
)

if TYPE_CHECKING:
    import urllib.request

__all__ = ("OutgoingHooks", "httpx_async_request_hook", "httpx_request_hook")

# A host name, also with "*." for all names below it, or an address; without a port.
_HOST = r"(?:\*\.)?[\w-]+(?:\.[\w-]+)*|[0-9A-Fa-f.]*(?::[0-9A-Fa-f.]*){2,}"

# The name under which an httpx request keeps, over its redirects, the headers that we have added;
# and a request of urllib.request keeps its span.
_MARK = "asgi_trace_sent"

# The span of the call that urllib3 is making: it follows a redirect inside that call.
_calling: ContextVar[SpanOfCall | None] = ContextVar("asgi_trace_calling", default=None)


class _Sent(NamedTuple):
    """
    The headers that a hook has added to a call; a redirect may send them to another host.

    :param session: whether the session id is among them.
    :param baggage: the values of the call's own baggage; None where nothing was added to it.
    :param span: the call's, where a tracer makes one.
    """

    session: bool = False
    baggage: list[str] | None = None
    span: SpanOfCall | None = None


_NOTHING = _Sent()


class OutgoingHooks:
    """
    Hooks for HTTP clients: inside a request each call carries the headers of :func:`inject`.

    Outside a request they change nothing, and they never make a call fail. Each redirect counts as
    a separate call. With OpenTelemetry (:mod:`asgi_trace.otel`), each call is a CLIENT span too,
    also outside a request: until the response has begun, or the call has failed.

    :param trusted_hosts: hosts that get ``X-Session-ID`` and the caller's ``baggage`` too: names or
        addresses without a port, ``*.example.com`` for all names below one. A redirect to any other
        host omits both.
    :param log: write a line for each call to the logger ``asgi_trace.calls`` when its response has
        begun, or when it has failed: method, host and path without secrets, status or error,
        duration in milliseconds, the number of the attempt, and the span of the call.
    :raises ValueError: for an invalid host.

    .. versionadded:: 0.1
    """

    def __init__(self, *, trusted_hosts: Iterable[str] = (), log: bool = False) -> None:
        if isinstance(trusted_hosts, str):
            raise ValueError(
                f"trusted_hosts is {trusted_hosts!r}; expected a sequence, such as ({trusted_hosts!r},)"
            )
        hosts = list(trusted_hosts)
        for host in hosts:
            if not isinstance(host, str) or not re.fullmatch(_HOST, host):
                raise ValueError(
                    f"trusted_hosts has {host!r}; expected a host, such as 'api.example.com', without a port"
                )
        self._hosts = frozenset(host.lower() for host in hosts if not host.startswith("*"))
        self._domains = tuple(host[1:].lower() for host in hosts if host.startswith("*"))
        self._begin_span = begin_logged if log else begin_span

    def _headers_for(
        self, host: str | None, span: SpanOfCall | None, *, drop_session: bool = False
    ) -> dict[str, str]:
        """
        Return the headers of a call to *host*; an empty value means that the header is removed.
        """
        metadata = get_request_metadata()
        if metadata is None:
            if span is None or span.trace is None:
                return {}
            return outgoing_span(span.trace, span.tracestate)
        name = (host or "").lower().strip("[]").rstrip(".")
        is_trusted = name in self._hosts or name.endswith(self._domains)
        place = None if span is None else span.trace
        headers = outgoing(metadata, session=is_trusted, baggage=is_trusted, span=place)
        return headers | {SESSION_ID: ""} if drop_session and not is_trusted else headers

    def _inject(
        self,
        headers: Any,
        host: str | None,
        sent: _Sent = _NOTHING,
        span: SpanOfCall | None = None,
    ) -> _Sent:
        """
        Change *headers* for a call to *host*, and return what was added to them.

        :param sent: what was added to them for the call that was redirected.
        """
        try:
            if sent.baggage is not None:
                set_baggage(headers, sent.baggage)
            sent = sent._replace(baggage=None)
            injected = self._headers_for(host, span, drop_session=sent.session)
            own = baggage_of(headers) if injected.get(BAGGAGE) else None
            replace(headers, injected)
            return _Sent(bool(injected.get(SESSION_ID)), own, span)
        except Exception:
            report_once("an outgoing call's hook")
            return sent._replace(span=span)

    def httpx_request_hook(self, request: Any) -> None:
        """
        Change an httpx *request*: ``httpx.Client(event_hooks={"request": [hook]})``.

        httpx's own transports report how a call ends. With another transport, such as
        ``ASGITransport``, and where httpx finds no free connection, the call's span has no status,
        and lasts until the request object is deleted.

        .. versionadded:: 0.1
        """
        sent = request.extensions.get(_MARK, _NOTHING)
        span = self._begin_span(request.method, str(request.url), after=sent.span)
        request.extensions[_MARK] = self._inject(request.headers, request.url.host, sent, span)
        own = request.extensions.get("trace")
        if isinstance(own, HTTPCoreEvents):  # from the call that was redirected
            own = request.extensions.pop("trace").own
            if own is not None:
                request.extensions["trace"] = own
        if span is not None:
            request.extensions["trace"] = HTTPCoreEvents(span, own)

    async def httpx_async_request_hook(self, request: Any) -> None:
        """
        Change an httpx *request*: ``httpx.AsyncClient(event_hooks={"request": [hook]})``.

        .. versionadded:: 0.1
        """
        self.httpx_request_hook(request)

    def aiohttp_trace_config(self) -> Any:
        """
        Return a ``TraceConfig``: ``aiohttp.ClientSession(trace_configs=[config])``.

        .. versionadded:: 0.1
        """
        from aiohttp import InvalidURL, TooManyRedirects, TraceConfig
        from yarl import URL

        async def start(_session: Any, context: Any, call: Any) -> None:
            span = self._begin_span(call.method, str(call.url))
            context.asgi_trace_sent = self._inject(call.headers, call.url.host, span=span)

        async def redirect(_session: Any, context: Any, call: Any) -> None:
            location = (
                call.response.headers.get("Location") or call.response.headers.get("URI") or ""
            )
            url = None
            try:
                url = call.response.url.join(URL(location))
                host = URL(location).host or call.url.host
            except ValueError:  # aiohttp will not follow this redirect either
                host = None
            sent = context.asgi_trace_sent
            _end_with(sent.span, call.response)
            span = None
            if sent.span is not None and location and url is not None:
                span = self._begin_span(call.response.method, str(url), after=sent.span)
            context.asgi_trace_sent = self._inject(call.headers, host, sent, span)

        async def end(_session: Any, context: Any, call: Any) -> None:
            _end_with(context.asgi_trace_sent.span, call.response)

        async def fail(_session: Any, context: Any, call: Any) -> None:
            span = context.asgi_trace_sent.span
            if span is None:
                return
            if isinstance(call.exception, (InvalidURL, TooManyRedirects)):
                span.discard()  # aiohttp does not follow the redirect
            else:
                span.end(error=call.exception)

        config = TraceConfig()
        config.on_request_start.append(start)
        config.on_request_redirect.append(redirect)
        config.on_request_end.append(end)
        config.on_request_exception.append(fail)
        return config

    def requests_adapter(self, **options: Any) -> Any:
        """
        Return an adapter for a session of requests: ``session.mount("https://", adapter)``, and for
        ``"http://"``.

        :param options: those of :class:`requests.adapters.HTTPAdapter`.

        .. versionadded:: 0.1
        """
        from urllib.parse import urlsplit

        from requests.adapters import HTTPAdapter

        hooks = self

        # Responses that are followed by another request, by the id() of the request's dict of
        # hooks: the next request has the same dict, and the response keeps it alive.
        redirected: WeakValueDictionary[int, Any] = WeakValueDictionary()

        class TracingAdapter(HTTPAdapter):
            def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                # A copy: after a redirect, the session makes the next request from the one that it
                # passed to us.
                given, request = request, request.copy()
                before = redirected.pop(id(given.hooks), None)
                resends = 0 if before is None else before.asgi_trace_resends
                span = hooks._begin_span(request.method, request.url, resends=resends)
                hooks._inject(request.headers, urlsplit(request.url).hostname, span=span)
                if span is None:
                    return super().send(request, *args, **kwargs)
                try:
                    response: Any = span.run(super().send, request, *args, **kwargs)
                except BaseException as exc:
                    span.end(error=exc)
                    raise
                retries = _retries_of(response.raw)
                if response.is_redirect or response.status_code == 401:
                    response.asgi_trace_resends = resends + retries + 1
                    redirected[id(given.hooks)] = response
                span.end(
                    status=response.status_code,
                    retries=retries,
                    version=_version_of(response.raw),
                )
                return response

        return TracingAdapter(**options)

    def urllib3_pool_manager(self, *args: Any, **options: Any) -> Any:
        """
        Return a ``PoolManager`` of urllib3.

        :param args: those of :class:`urllib3.PoolManager`.
        :param options: the same.

        .. versionadded:: 0.1
        """
        from urllib3 import HTTPHeaderDict, PoolManager, Retry
        from urllib3.util import parse_url

        hooks = self

        class TracingPoolManager(PoolManager):
            def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> Any:  # type: ignore[override]
                kw["headers"] = HTTPHeaderDict(kw.get("headers") or self.headers)
                span, resends = self._begin(method, url, kw.get("retries"))
                sent = hooks._inject(kw["headers"], parse_url(url).host, span=span)
                if sent.session or sent.baggage is not None:
                    retries = kw.get("retries")
                    if not isinstance(retries, Retry):
                        default = self.connection_pool_kw.get("retries")
                        retries = Retry.from_int(retries, redirect=redirect, default=default)
                    # No baggage is sent to another host, not even the call's own members.
                    private = {*retries.remove_headers_on_redirect, SESSION_ID, BAGGAGE}
                    kw["retries"] = retries.new(remove_headers_on_redirect=private)
                if span is None:
                    return super().urlopen(method, url, redirect, **kw)
                token = _calling.set(span)
                try:
                    response = span.run(super().urlopen, method, url, redirect, **kw)
                except BaseException as exc:
                    span.end(error=exc)
                    raise
                finally:
                    _calling.reset(token)
                span.end(
                    status=response.status,
                    retries=_retries_of(response) - resends,
                    version=_version_of(response),
                )
                return response

            def _begin(self, method: str, url: str, retries: Any) -> tuple[SpanOfCall | None, int]:
                """Return the call's span, and the number of times its request was sent before."""
                history = retries.history if isinstance(retries, Retry) else ()
                around = _calling.get()
                if around is None or not history:
                    return hooks._begin_span(method, url), len(history)
                # The outer call got a redirect, which this call follows.
                around.end(status=history[-1].status, retries=len(history) - 1 - around.resends)
                return hooks._begin_span(method, url, resends=len(history), after=around), len(
                    history
                )

        return TracingPoolManager(*args, **options)

    def urllib_handler(self) -> urllib.request.BaseHandler:
        """
        Return a handler for ``urllib.request.build_opener(handler)``.

        .. versionadded:: 0.1
        """
        from urllib.request import BaseHandler, Request

        hooks = self

        class TracingHandler(BaseHandler):
            handler_order = 499  # before the handlers that open connections

            def http_request(self, request: Request) -> Request:
                try:
                    hooks._prepare(request)
                except Exception:
                    report_once("an outgoing call's hook")
                return request

            def http_response(self, request: Request, response: Any) -> Any:
                span = request.__dict__.get(_MARK)
                if span is not None:
                    span.end(status=response.status, version=_version_of(response))
                return response

            def http_open(self, request: Request) -> Any:
                return self._open(request, "http")

            def https_open(self, request: Request) -> Any:
                return self._open(request, "https")

            def _open(self, request: Request, scheme: str) -> Any:
                """Open the *request* by the handlers after this one; None if none of them does."""
                span = request.__dict__.get(_MARK)
                if span is None:
                    return None
                openers = self.parent.handle_open[scheme]  # type: ignore[attr-defined]
                try:
                    for opener in openers[openers.index(self) + 1 :]:
                        response = getattr(opener, f"{scheme}_open")(request)
                        if response is not None:
                            return response
                except BaseException as exc:
                    span.end(error=exc)
                    raise
                return None

            https_request = http_request
            https_response = http_response

        return TracingHandler()

    def _prepare(self, request: urllib.request.Request) -> None:
        from urllib.parse import urlsplit

        marks = request.__dict__
        before = marks.pop(_MARK, None)  # the same request, sent again with credentials
        resends = sum(marks.get("redirect_dict", {}).values())
        url = request.full_url
        span = self._begin_span(request.get_method(), url, resends=resends, after=before)
        if span is not None:
            marks[_MARK] = span
        for name, value in self._headers_for(urlsplit(f"//{request.host}").hostname, span).items():
            if name == BAGGAGE:
                value = merged_baggage(baggage_of(request.headers), value)
            name = name.capitalize()  # as urllib.request stores them
            if name != BAGGAGE.capitalize():
                request.remove_header(name)
            if value:
                # It outranks a header of this name that a redirect keeps.
                request.add_unredirected_header(name, value)  # the next request gets a new one


def _end_with(span: SpanOfCall | None, response: Any) -> None:
    """End *span* with the *response* of aiohttp."""
    if span is None:
        return
    version = response.version
    text = None if version is None else f"{version.major}.{version.minor}"
    span.end(status=response.status, version=text)


def _retries_of(response: Any) -> int:
    """Return the number of times that urllib3 sent the request of *response* again."""
    retries = getattr(response, "retries", None)
    return len(getattr(retries, "history", ()))


def _version_of(response: Any) -> str | None:
    """Return the version of HTTP of a *response* of urllib3 or http.client."""
    return {10: "1.0", 11: "1.1", 20: "2"}.get(getattr(response, "version", None) or 0)


_hooks = OutgoingHooks()
httpx_request_hook = _hooks.httpx_request_hook
httpx_async_request_hook = _hooks.httpx_async_request_hook
