"""
The current request: what is known of it, and the one context variable that holds it.

Knows context variables and exceptions. Does not know ASGI, headers or logging.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextvars import Context, ContextVar, Token
from copy import copy
from functools import partial
from sys import modules
from threading import RLock
from time import time
from typing import Any, cast, overload

from . import sdk
from .calls import NO_CALL, Call, clean
from .ids import generate_request_id
from .tracecontext import RANDOM, TraceContext, is_trace_id

__all__ = (
    "RequestMetadata",
    "bind",
    "bound_request_metadata",
    "get_request_id",
    "get_request_metadata",
    "get_session_id",
    "metadata_before",
    "metadata_in",
    "metadata_of",
    "request_id_ctx",
    "reset_request_metadata",
    "session_id_ctx",
    "set_request_metadata",
    "stamp_exception",
    "unbind",
)


class _CallField:
    """One word of the call that a request carries: cleaned when it is set, None where it is not known."""

    def __init__(self, word: str, *, blanks: bool = False) -> None:
        self._word = word
        self._blanks = blanks

    @overload
    def __get__(self, metadata: None, owner: type) -> _CallField: ...
    @overload
    def __get__(self, metadata: RequestMetadata, owner: type) -> str | None: ...
    def __get__(self, metadata: RequestMetadata | None, owner: type) -> str | _CallField | None:
        if metadata is None:
            return self
        found: str | None = getattr(metadata._read_call(), self._word)
        return found

    def __set__(self, metadata: RequestMetadata, value: object) -> None:
        metadata._call = metadata._read_call()._replace(**{self._word: clean(value, blanks=self._blanks)})


# Re-entrant: the handler of a signal may log a line while ids are made.
_making = RLock()


def _renew_lock() -> None:
    global _making
    _making = RLock()


if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    os.register_at_fork(after_in_child=_renew_lock)  # a thread that held it is not there to let it go

# Four values that are there already: 600 instructions, where the class's own __new__, in Python, takes 3,000.
_new_trace = partial(tuple.__new__, TraceContext)


class RequestMetadata:
    """
    What is known of one request: one mutable object, shared by all its tasks and threads.

    Under :class:`~asgi_trace.RequestTracingMiddleware` each request has its own, complete. Make one yourself
    for work outside HTTP, and bind it with :func:`bound_request_metadata`. Attributes of your own may be added.

    :param session_id: who asks: the same over many requests, or None.
    :param request_id: this request's own id, or None.
    :param start_time: when it began, in seconds since the epoch; now, when left out.
    :param method: ``GET``, ``POST``, …; None on websockets and outside HTTP.
    :param path: the decoded path, without the query string.
    :param transport_type: ``http``, ``sse``, ``streamable-http``, ``websocket``, or None outside HTTP.
    :param parent_request_id: the client's id, where it was not taken over as *request_id*.

    ``ended`` is true once the app has returned or raised: what is logged after that is late.

    Where the request carries a call to an MCP server, and it is known which: ``mcp_method`` (``tools/call``),
    ``mcp_name`` (of the tool, resource or prompt) and ``jsonrpc_id``, unique within its session; else None. They are
    a client's words: at most 128 characters, of which those that could mislead a reader of the log are ``%XX``.
    ``mcp_session_id`` is the session of the transport, which ``X-Session-ID`` outranks as *session_id*; ``mcp_error``
    is ``tool_error`` or ``rpc_error`` where the reply says so and is read.

    .. versionadded:: 0.1
    """

    # Defaults of the class, for what few requests set. What each one sets has none: a default of the same name keeps
    # CPython from specialising the store, 25 ns each.
    session_id: str | None = None
    request_id: str | None
    start_time: float
    method: str | None
    path: str | None
    transport_type: str | None = None
    parent_request_id: str | None = None
    ended: bool
    _trace: TraceContext | None = None
    _tracestate: str | None = None
    _baggage: str | None = None
    mcp_session_id: str | None = None
    mcp_error: str | None = None
    mcp_method = _CallField("method")
    mcp_name = _CallField("name", blanks=True)
    jsonrpc_id = _CallField("id")
    _call: Call = NO_CALL
    _sdk_was_asked = False
    _made: tuple[str, str] | None = None
    _fields: dict[str, object] | None = None
    # A tracer's, which records spans: returns the one that a call of this request's is made from.
    _calls_from: Callable[[RequestMetadata], TraceContext] | None = None

    def __init__(
        self,
        session_id: str | None = None,
        request_id: str | None = None,
        start_time: float | None = None,
        method: str | None = None,
        path: str | None = None,
        transport_type: str | None = None,
        *,
        parent_request_id: str | None = None,
    ) -> None:
        self.session_id = session_id
        self.request_id = request_id
        self.start_time = time() if start_time is None else start_time
        self.method = method
        self.path = path
        self.transport_type = transport_type
        self.parent_request_id = parent_request_id
        self.ended = False

    @property
    def trace(self) -> TraceContext:
        """
        The request's place in its distributed trace: ``span_id`` is this request's own span.

        The trace is the client's, where it sent one; else its id is the request id, where that will do, else a fresh
        one. Assign another's, such as a tracer's that has made a span for this request, and every line carries that.
        """
        if self._trace is None:
            self._trace = self._find_trace()
        return self._trace

    @trace.setter
    def trace(self, value: TraceContext) -> None:
        self._trace = value

    @property
    def trace_id(self) -> str:
        """The W3C trace-id: 32 lower-case hexadecimal characters."""
        return (self._trace or self.trace).trace_id

    @property
    def span_id(self) -> str:
        """This request's own span in its trace: 16 lower-case hexadecimal characters."""
        return (self._trace or self.trace).span_id

    @property
    def parent_span_id(self) -> str | None:
        """The span that called this request, or None where nobody told one that may be trusted."""
        return (self._trace or self.trace).parent_span_id

    @property
    def tracestate(self) -> str:
        """What other tracing systems have said of this trace, to be passed on as it is; empty without."""
        return self._tracestate or ""

    @property
    def baggage(self) -> str:
        """The caller's W3C baggage, to be passed on; empty without."""
        return self._baggage or ""

    @property
    def linked_trace(self) -> TraceContext | None:
        """The client's own place in its trace, where this request is in another: not trusted, or told a better."""
        return None

    def call_trace(self) -> TraceContext:
        """
        Return the span that a call which this request makes is in.

        A span for each call, as the standard has it, although nobody records it; but the current one where a tracer
        records them, for a call's receiver names it as its parent.
        """
        if self._calls_from is not None:
            return self._calls_from(self)
        return self.trace._replace(span_id=generate_request_id()[:16])

    def continue_trace(self, parent: TraceContext, tracestate: str = "", baggage: str = "") -> None:
        """
        Make *parent* the span that called this request, whatever its headers tell: it came by a better way.

        Where a tracer records a span of this request, that has its parent already, and nothing changes.

        :param tracestate: what other tracing systems have said of the parent's trace.
        :param baggage: the caller's.
        """
        if self._calls_from is not None:
            return
        self._trace = TraceContext(parent.trace_id, self.span_id, parent.flags, parent.span_id)
        self._tracestate, self._baggage = tracestate, baggage

    def _find_trace(self) -> TraceContext:
        parent = self._parent_trace()
        own = self._own_ids()[1]
        span_id = own[:16]
        if parent is not None:
            return TraceContext(parent.trace_id, span_id, parent.flags, parent.span_id)
        request_id = self.request_id
        if request_id and is_trace_id(request_id):
            return _new_trace((request_id, span_id, RANDOM if self._made_request_id() else 0, None))
        return TraceContext(own, span_id, RANDOM)

    def _made_request_id(self) -> bool:
        """Whether the request id is one of :func:`generate_request_id`, and so random."""
        return False

    def _parent_trace(self) -> TraceContext | None:
        return None

    def _own_ids(self) -> tuple[str, str]:
        """The ids that nobody gave: of the session, and of the trace and its span."""
        if self._made is None:
            # Two threads may come here at once, and must find the same. Not vars(self).setdefault(): once asked for its
            # dict, an object gives up the form in which CPython finds attributes fastest, a tenth of a request's cost.
            with _making:
                if self._made is None:
                    self._made = generate_request_id(), generate_request_id()
        return self._made

    @property
    def fields(self) -> dict[str, object]:
        """The program's own fields: on every further line and record of the request, by their names."""
        if self._fields is None:
            self._fields = {}
        return self._fields

    @property
    def mcp_call(self) -> str | None:
        """The call as a log line shows it, ``tools/call add #7``; None, where its method is not known."""
        call = self._read_call()
        return None if call.method is None else str(call)

    def _read_call(self) -> Call:
        return self._call

    def _ask_sdk(self, call: Any) -> None:
        """Take over what the MCP SDK knows of *call*, its own object: that is more than what a client's headers say."""
        try:
            method, name = sdk.call_of(call)
            self._call = Call(clean(method), clean(name, blanks=True), clean(call.request_id))
        except Exception:  # it keeps what it has not answered yet, in a place of its own
            self.jsonrpc_id = call.request_id
        self._sdk_was_asked = True

    def copy(self) -> RequestMetadata:
        """Return another object for the same request, with the same ids."""
        self.trace, self.session_id, self.mcp_session_id, self._read_call(), self._own_ids()
        return copy(self)

    def __repr__(self) -> str:
        fields = ("session_id", "request_id", "start_time", "method", "path", "transport_type")
        return f"RequestMetadata({', '.join(f'{name}={getattr(self, name)!r}' for name in fields)})"


class _SetByHand:
    """
    What the variable holds of an object that was set while an MCP SDK is loaded: it holds for one request only.

    A later call of the same MCP session may find it, where its handler runs in the context of an earlier request.
    """

    __slots__ = ("during", "metadata")

    def __init__(self, metadata: RequestMetadata | None, during: RequestMetadata | None) -> None:
        self.metadata = metadata
        self.during = during


_current: ContextVar[RequestMetadata | None] = ContextVar("asgi_trace_request", default=None)

# The bare methods, for the hot path: a function around each costs 60 ns.
bind = _current.set
unbind = _current.reset


def _find(held: Any, context: Context | None = None) -> RequestMetadata | None:
    """Return the request of *context*, whose variable is *held*; where an MCP SDK handles a call, that call's."""
    carrier = _carrier(context)
    by_hand = type(held) is _SetByHand
    if carrier is None or _outranks(held.during if by_hand else held, carrier):
        found: RequestMetadata | None = held.metadata if by_hand else held
        return found
    return carrier


def _outranks(held: RequestMetadata | None, carrier: RequestMetadata) -> bool:
    """Whether *held* is the *carrier*, or younger: that of an app, then, which a handler calls in its own process."""
    try:
        return held is carrier or (held is not None and held.start_time > carrier.start_time)
    except Exception:  # a time of the user's own making
        return False


def _carrier(context: Context | None) -> RequestMetadata | None:
    """Return the metadata of the HTTP request that carried the call which the MCP SDK handles, or None."""
    try:
        call = sdk.current_call(context)
        if call is None:
            return None
        carrier = sdk.scope_of(call).get("asgi_trace")
        if not isinstance(carrier, RequestMetadata):
            return None
        if not carrier._sdk_was_asked:
            carrier._ask_sdk(call)
        return carrier
    except Exception:  # whatever shape the SDK gives it: a transport without HTTP, for one
        return None


def metadata_in(context: Context) -> RequestMetadata | None:
    """Return the metadata object that is the current one in *context*, or None."""
    return _find(context.get(_current), context)


def metadata_before(token: Token[RequestMetadata | None]) -> RequestMetadata | None:
    """Return the metadata object that was the current one when *token* was made, in this context, or None."""
    held = token.old_value
    return _find(None if held is Token.MISSING else held)


def get_request_metadata() -> RequestMetadata | None:
    """
    Return the current request's one metadata object, or None outside a request. Never raises.

    In a handler of an MCP server it is that of the HTTP request which carried the call, also where the SDK runs the
    handler in the context of another one.

    .. versionadded:: 0.1
    """
    if sdk.MODULE in modules:
        return _find(_current.get())
    return _current.get()


def get_request_id() -> str | None:
    """
    Return the current request's id, or None outside a request. Never raises.

    .. versionadded:: 0.1
    """
    metadata = get_request_metadata()
    return None if metadata is None else metadata.request_id


def get_session_id() -> str | None:
    """
    Return the current request's session id, or None outside a request. Never raises.

    .. versionadded:: 0.1
    """
    metadata = get_request_metadata()
    return None if metadata is None else metadata.session_id


def set_request_metadata(metadata: RequestMetadata | None) -> Token[RequestMetadata | None]:
    """
    Make *metadata* the current request's, and return the token that undoes it.

    .. versionadded:: 0.1
    """
    if sdk.MODULE in modules:
        held: Any = _current.get()
        during = _find(held.during if type(held) is _SetByHand else held)
        metadata = cast(Any, _SetByHand(metadata, during))
    return _current.set(metadata)


def reset_request_metadata(token: Token[RequestMetadata | None]) -> None:
    """
    Undo the :func:`set_request_metadata` that returned *token*.

    In another context than that one there is nothing to undo, and nothing happens: a coroutine may be closed
    by the garbage collector, or by a loop that shuts down.

    .. versionadded:: 0.1
    """
    with contextlib.suppress(ValueError):
        _current.reset(token)


@contextlib.contextmanager
def bound_request_metadata(metadata: RequestMetadata | None) -> Iterator[RequestMetadata | None]:
    """
    Make *metadata* the current request's inside the ``with`` block.

    For work outside HTTP: ``with bound_request_metadata(RequestMetadata(session_id="nightly")):``.

    .. versionadded:: 0.1
    """
    token = set_request_metadata(metadata)
    try:
        yield metadata
    finally:
        reset_request_metadata(token)


class _IdVariable:
    """
    One id of the current request, in the shape of a :class:`contextvars.ContextVar`.

    ``get`` reads what every other reader sees. ``set`` holds for the current context alone, like any context
    variable; to change the id for the whole request, assign to ``get_request_metadata().session_id``.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def get(self, default: str | None = None) -> str | None:
        """Return the id, or *default* where there is none."""
        metadata = get_request_metadata()
        value = None if metadata is None else getattr(metadata, self.name)
        return default if value is None else value

    def set(self, value: str | None) -> Token[RequestMetadata | None]:
        """Set the id in this context and return a token for :meth:`reset`."""
        metadata = get_request_metadata()
        changed = RequestMetadata() if metadata is None else metadata.copy()
        setattr(changed, self.name, value)
        return set_request_metadata(changed)

    def reset(self, token: Token[RequestMetadata | None]) -> None:
        """Undo the :meth:`set` that returned *token*."""
        _current.reset(token)

    def __repr__(self) -> str:
        return f"<{self.name} of the current request>"


session_id_ctx = _IdVariable("session_id")
request_id_ctx = _IdVariable("request_id")

_STAMP = "__asgi_trace__"

# A group of groups is searched this far; a log line must not cost more for a hostile shape.
_MOST_NESTED = 64


def stamp_exception(exc: BaseException, metadata: RequestMetadata) -> None:
    """Mark *exc* as raised by the request *metadata*, for whoever logs it later and elsewhere."""
    # Past any __setattr__ of its class: a frozen exception is no reason to lose the trace.
    BaseException.__setattr__(exc, _STAMP, metadata)


def metadata_of(exc: BaseException) -> RequestMetadata | None:
    """
    Return the request that raised *exc*, or None.

    A server that runs the app in a task group gets an exception group with ours inside.
    """
    pending: list[Any] = [exc]
    for _ in range(_MOST_NESTED):
        if not pending:
            return None
        found = pending.pop()
        metadata: RequestMetadata | None = getattr(found, _STAMP, None)
        if metadata is not None:
            return metadata
        pending.extend(getattr(found, "exceptions", ()))
    return None
