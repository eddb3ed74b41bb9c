"""
The interface between the hooks for HTTP clients and a tracer that makes a span for each call.

This module uses no tracer: a tracer sets ``client_spans.begin``. It also reads the events of
httpcore, the transport of httpx.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_COROUTINE
from typing import Any, Protocol, TypeVar

from .._core.faults import report_once
from .._core.tracecontext import TraceContext

__all__ = ("HTTPCoreEvents", "SpanOfCall", "begin_span", "client_spans", "resends_after")

# A client sends a request again after a redirect, and with credentials that a server demands.
_RESENT_AFTER = frozenset({*range(300, 400), 401, 407})

_T = TypeVar("_T")


class SpanOfCall(Protocol):
    """The span of one call. Each method does nothing after the span has ended."""

    @property
    def trace(self) -> TraceContext | None:
        """
        The span's trace context, the value of the call's ``traceparent``; None where the call has
        none.
        """

    @property
    def resends(self) -> int:
        """The number of times that the request was sent before."""

    @property
    def status(self) -> int | None:
        """The status of the response; None before there is one."""

    @property
    def tracestate(self) -> str:
        """The ``tracestate`` of a call outside a request."""

    def run(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call *function* in the span: instrumentations below it make no second one."""

    def note(self, error: BaseException, *, is_last: bool) -> None:
        """
        Keep *error*, which ends the call if no other event follows; if it *is_last*, only a retry
        can follow.
        """

    def note_retry(self) -> None:
        """Count one more attempt within the call; it begins right after the noted error."""

    def end(
        self,
        *,
        status: int | None = None,
        error: BaseException | None = None,
        retries: int = 0,
        version: str | None = None,
    ) -> None:
        """
        End the span.

        :param status: the response's.
        :param error: the error that ended the call without a response; by default the noted one.
        :param retries: the number of times that the client sent the request again within the call.
        :param version: of HTTP, such as ``"1.1"``.
        """

    def discard(self) -> None:
        """Discard the span: its call was never sent."""


class ClientSpans:
    """
    Spans for outgoing calls: a hook for one tracer.

    ``begin(method, url, resends=, after=)`` returns the span of a call, or None where the call has
    none. ``resends`` is the number of times that the request was sent before, and ``after`` is the
    span of the previous call that sent the same request.
    """

    begin: Callable[..., SpanOfCall | None] | None = None


client_spans = ClientSpans()


def begin_span(
    method: str, url: str, *, resends: int = 0, after: SpanOfCall | None = None
) -> SpanOfCall | None:
    """Return the span of a call; None where no tracer makes one."""
    if client_spans.begin is None:
        return None
    try:
        return client_spans.begin(method, url, resends=resends, after=after)
    except Exception:
        report_once("starting the span of an outgoing call")
        return None


def resends_after(after: SpanOfCall | None, resends: int) -> int:
    """
    Return the number of times that the request of a call was sent before: *resends* as counted by
    the client, or one more than in the previous call, *after*.
    """
    if after is None or after.status not in _RESENT_AFTER:
        return resends
    return max(resends, after.resends + 1)


# The steps with which an exchange begins: over a new connection, or over an open one.
_FIRST_STEPS = ("connect_tcp", "connect_unix_socket", "send_request_headers")


class HTTPCoreEvents:
    """
    The ``trace`` extension of an httpx request: ends the span of the call.

    https://www.encode.io/httpcore/extensions/#trace

    :param own: the user's extension, which is called with each event.
    """

    def __init__(self, span: SpanOfCall, own: Callable[..., Any] | None) -> None:
        self.own = own
        self._span = span
        self._is_tunnel = False
        self._is_over = False

    def __call__(self, name: str, info: dict[str, Any]) -> Any:
        try:
            self._read(name, info)
        except Exception:
            report_once("ending the span of an outgoing call")
        if self.own is not None:
            return self.own(name, info)
        # httpcore expects a coroutine in its asynchronous interface, but not in the other one. Only
        # the kind of the calling function distinguishes the two.
        is_async = sys._getframe(1).f_code.co_flags & CO_COROUTINE
        return _nothing() if is_async else None

    def _read(self, name: str, info: dict[str, Any]) -> None:
        _, _, event = name.partition(".")
        step, _, moment = event.rpartition(".")
        if moment == "started":
            # The client tries again, or a transport that wraps its own sends the request again.
            if step == "retry" or (self._is_over and step in _FIRST_STEPS):
                self._is_over = False
                self._span.note_retry()
            if "request" in info:
                # The request for a proxy's tunnel has the same extensions as the call's request.
                self._is_tunnel = info["request"].method == b"CONNECT"
        elif moment == "failed":
            # A response may follow when a server refuses the request's body.
            is_last = not step.startswith(("send_request_", "receive_"))
            self._is_over = self._is_over or is_last
            self._span.note(info["exception"], is_last=is_last)
        elif step == "response_closed" and not self._is_tunnel:
            # If no response came before, this is the end of a failed exchange. After a response,
            # the span has ended already.
            self._is_over = True
            self._span.end()
        elif step == "receive_response_headers" and not self._is_tunnel:
            self._is_over = True
            result = info["return_value"]
            if name.startswith("http2."):
                self._span.end(status=result[0], version="2")
            else:
                self._span.end(status=result[1], version=result[0].decode().removeprefix("HTTP/"))


async def _nothing() -> None:
    """Do nothing."""
