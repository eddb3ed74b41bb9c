"""
The metadata of one request: its ids, its place in a trace, and the fields that the user adds to its
lines.

Values that few requests need are computed when they are first read. This module does not read
context variables, ASGI scopes or headers: :mod:`.scope` reads the values of an ASGI request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from time import time
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, overload

from .calls import NO_CALL, Call, clean
from .faults import report_once
from .ids import generate_own_ids, generate_request_id, id_by_hand
from .record import NO_ID
from .tracecontext import RANDOM, TraceContext, TraceParts, is_trace_id, new_trace

__all__ = (
    "CALL_NAMES",
    "LateField",
    "RequestMetadata",
    "another",
    "checked_trace",
    "found_once",
)

_T = TypeVar("_T")

CALL_NAMES = ("mcp_method", "mcp_name", "jsonrpc_id")
"""A record's names for the words of a call to an MCP server, in their order."""

# Requests whose late values are being made at this moment.
_beginning: dict[RequestMetadata, dict[str, Any]] = {}

# Replaced by another object in a forked child, which has the same open requests as its parent.
_process = object()

_MOST_COUNTED = 0xFFFF
# The last four digits of the first calls' spans: formatting them takes 1,500 instructions.
_MOST_PREPARED = 16
_LAST_DIGITS = tuple(f"{number:04x}" for number in range(_MOST_PREPARED + 1))


def _note_fork() -> None:
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    os.register_at_fork(after_in_child=_note_fork)


if TYPE_CHECKING:

    class LateField(Generic[_T]):
        """The type of a late field: a property of *_T*."""

        @overload
        def __get__(self, metadata: None, owner: type) -> LateField[_T]: ...
        @overload
        def __get__(self, metadata: RequestMetadata, owner: type) -> _T: ...
        def __get__(self, metadata: RequestMetadata | None, owner: type) -> _T | LateField[_T]: ...
        def __set__(self, metadata: RequestMetadata, value: _T) -> None: ...


def found_once(
    default: Any,
    *,
    check: Callable[[Any], Any] | None = None,
    may_come_later: bool = False,
    headers: str = "",
) -> Callable[[Callable[[Any], _T]], LateField[_T]]:
    """
    Turn a method into a property; its value is computed once, when it is first read.

    All threads get the same value. If the method raises, that is reported once, and the value is
    *default*.

    :param check: is given an assigned value and returns the one to keep; by default any is kept.
    :param may_come_later: compute a value that is None again at the next read.
    :param headers: the late value with the headers of this value, where a request has any: without
        them, the value is *default*.
    """

    def decorate(find: Callable[[Any], _T]) -> LateField[_T]:
        name = find.__name__

        # A plain function that calls a plain function: calling a method by its name takes 600
        # instructions more.
        def read(metadata: RequestMetadata) -> _T:
            values = metadata._values
            if values is not None:
                if name in values:
                    kept: _T = values[name]
                    return kept
                is_read = headers and "known_headers" in values
                if is_read and (headers not in values or not values[headers]):
                    absent: _T = default
                    return absent
            try:
                value = find(metadata)
            except Exception:
                report_once(f"finding a request's {name}")
                value = default
            if value is None and may_come_later:
                nothing: _T = default
                return nothing
            values = metadata._values
            if values is None:
                values = metadata._late_values()
            first: _T = values.setdefault(name, value)
            return first

        return _field(name, read, check, find.__doc__)

    return decorate


def _assigned(
    name: str, default: _T, doc: str = "", *, check: Callable[[Any], Any] | None = None
) -> LateField[_T]:
    """
    Return a property that is *default* until a value is assigned; *check* returns what to keep.
    """

    def read(metadata: RequestMetadata) -> _T:
        values = metadata._values
        return default if values is None else values.get(name, default)

    return _field(name, read, check, doc)


def _field(
    name: str,
    read: Callable[[RequestMetadata], _T],
    check: Callable[[Any], Any] | None,
    doc: str | None,
) -> LateField[_T]:
    def assign(metadata: RequestMetadata, value: Any) -> None:
        metadata._late_values()[name] = value if check is None else check(value)
        metadata._forget_ids()

    field: Any = property(read, assign, doc=doc)
    typed: LateField[_T] = field
    return typed


def checked_trace(value: object) -> TraceContext:
    """Return *value*, or raise :exc:`TypeError` if it is no trace context."""
    if not isinstance(value, TraceContext):
        raise TypeError(f"trace is {value!r}; expected a TraceContext")
    return value


def _call_word(word: str, *, blanks: bool = False) -> Any:
    """
    Return a property for one word of the request's call; an assigned word is made safe for a log
    line.
    """

    def read(metadata: RequestMetadata) -> str | None:
        value: str | None = getattr(metadata._call, word)
        return value

    def assign(metadata: RequestMetadata, value: object) -> None:
        metadata._call = metadata._call._replace(**{word: clean(value, blanks=blanks)})

    return property(read, assign)


class RequestMetadata:
    """
    The ids and other data of one request: one mutable object, shared by all its tasks and threads.

    Under :class:`~asgi_trace.RequestTracingMiddleware` each request has its own, complete. Make one
    yourself for work outside HTTP, and bind it with :func:`bound_request_metadata`. Put data of
    your own into ``fields``.

    It is safe to store. A copy or a pickle is a plain object with the same ids, without headers,
    tokens and keys.

    :param session_id: the session, the same over many requests of one user, or None.
    :param request_id: this request's own id, or None.
    :param start_time: when it began, in seconds since the epoch; now, when left out.
    :param method: ``GET``, ``POST``, …; None on websockets and outside HTTP.
    :param path: the decoded path, without the query string.
    :param transport_type: ``http``, ``sse``, ``streamable-http``, ``websocket``, or None outside
        HTTP.
    :param parent_request_id: the client's id, where it was not used as *request_id*.

    An id that you assign is escaped where it could end the bracket of a log line or start another
    line. The word ``none`` (in any case) means no id.

    ``ended`` is true once the app has returned or raised: lines that are logged after that are
    late.

    Where the request carries a call to an MCP server, and the call is known: ``mcp_method``
    (``tools/call``), ``mcp_name`` (of the tool, resource or prompt) and ``jsonrpc_id``, unique
    within its session; else None. These are the client's words: at most 128 characters, and
    characters that could mislead a reader of the log are ``%XX``. ``mcp_session_id`` is the session
    of the transport; ``X-Session-ID`` outranks it as *session_id*. ``mcp_error`` is ``tool_error``
    or ``rpc_error`` where the reply was read and is such an error, and ``unanswered`` where the
    response ended without a reply.

    .. versionadded:: 0.1
    """

    # Pickles name the class by its public module: the private one may change.
    __module__ = "asgi_trace"

    # Slots keep headers out of vars(), and cost a request less than a dict does. Attributes set by
    # a user are in __dict__, where they cannot hide ours: all of ours are slots, properties or
    # begin with an underscore.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_ids",
        "_request_id",
        "_values",
        "ended",
        "method",
        "path",
        "start_time",
    )

    start_time: float
    method: str | None
    path: str | None
    ended: bool
    _request_id: str | None
    # The ids that _line_ids() returned last, until one of them changes; None before the first line.
    _ids: dict[str, str] | None
    # Values of the late fields, by name; None until the first of them is computed.
    _values: dict[str, Any] | None

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
        self._values = {"transport_type": transport_type}
        self._ids = None
        self.session_id = session_id
        self.request_id = request_id
        self.start_time = time() if start_time is None else start_time
        self.method = method
        self.path = path
        self.parent_request_id = parent_request_id
        self.ended = False

    def _late_values(self, first: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the late values; those in *first*, where there are none so far."""
        values = self._values
        if values is None:
            # Threads that arrive here at once get the same dict, since setdefault() is atomic. It
            # takes 1,200 instructions; a lock takes 2,400, and a signal may leave it locked.
            made = _beginning.setdefault(self, {} if first is None else first)
            values = self._values
            if values is None:
                values = self._values = made
            _beginning.pop(self, None)  # only now: a later thread reads the value set above
        return values

    def _kept(self, name: str) -> Any:
        """Return the late value *name*, or None where it has not been computed yet."""
        values = self._values
        return None if values is None else values.get(name)

    # -- the ids on each line of the request -------------------------------------------------------

    def _line_ids(self) -> dict[str, str]:
        """
        Return the ids of the request and the words of its call, by their names on records. Callers
        must not change the dict.

        It is kept in ``_ids`` until one of the ids changes: writers of lines read that first.
        """
        values = self._late_values()
        # Read before all else: a change by another thread meanwhile gives a new version.
        version = values.get("ids_version")
        ids = self._find_line_ids(values)
        self._keep_ids(ids, version)
        return ids

    def _find_line_ids(self, values: dict[str, Any]) -> dict[str, str]:
        trace_id, span_id, _, parent_span_id = values.get("trace") or self.trace
        ids = {
            "request_id": self._request_id or NO_ID,
            "session_id": self.session_id or NO_ID,
            "trace_id": trace_id,
            "span_id": span_id,
        }
        if parent_span_id is not None:
            ids["parent_span_id"] = parent_span_id
        call = values.get("_call") or self._call
        if call is not NO_CALL:
            for name, word in zip(CALL_NAMES, call, strict=True):
                if word is not None:
                    ids[name] = word
        if len(ids) > 4:
            ids["span_id"] = another(span_id)
        return ids

    def _keep_ids(self, ids: dict[str, str], version: object) -> None:
        """Keep *ids*, unless one of them has changed since their *version* was read."""
        if ids["session_id"] != NO_ID:  # a session that is not known yet may be at the next line
            self._ids = ids
        values = self._values
        if values is not None and values.get("ids_version") is not version:
            self._ids = None

    def _forget_ids(self) -> None:
        """Discard the dict of ids, since one of them has changed: the next line makes a new one."""
        self._late_values()["ids_version"] = object()
        self._ids = None

    # -- ids ---------------------------------------------------------------------------------------

    @property
    def request_id(self) -> str | None:
        """This request's own id, or None."""
        return self._request_id

    @request_id.setter
    def request_id(self, value: object) -> None:
        if self._kept("own_ids") is not None:
            _ = self.trace  # computed before the change: it may depend on the request id
        self._set_request_id(id_by_hand(value))
        self._late_values()["id_is_given"] = True
        self._forget_ids()

    def _set_request_id(self, value: str | None) -> None:
        self._request_id = value

    session_id: LateField[str | None] = _assigned("session_id", None, check=id_by_hand)
    parent_request_id: LateField[str | None] = _assigned(
        "parent_request_id", None, check=id_by_hand
    )
    transport_type: LateField[str | None] = _assigned("transport_type", None)

    # -- the user's fields -------------------------------------------------------------------------

    @property
    def fields(self) -> dict[str, object]:
        """
        Data of your own, by name: on every later log line of the request.

        JSON and logfmt lines show each field under its name; lines of text show those that
        ``TextFormatter(fields=("tenant",))`` names. They are attributes of the request's span, too.

        .. versionadded:: 0.1
        """
        kept: dict[str, object] = self._late_values().setdefault("fields", {})
        return kept

    @fields.setter
    def fields(self, value: Mapping[str, object]) -> None:
        if not isinstance(value, Mapping):
            raise TypeError(f"fields is {value!r}; expected a dict of names and values")
        self._late_values()["fields"] = dict(value)

    @property
    def _fields(self) -> dict[str, object] | None:
        """The user's fields, or None where there are none; reading does not create a dict."""
        fields: dict[str, object] | None = self._kept("fields")
        return fields

    # -- the trace ---------------------------------------------------------------------------------

    @found_once(TraceContext("", ""), check=checked_trace)
    def trace(self) -> TraceContext:
        """
        The request's place in its distributed trace: ``span_id`` is this request's own span.

        The trace is the client's where it sent one. Otherwise the trace id is the request id where
        that is a valid trace id, else a new one. Assign another trace context, such as that of a
        tracer's span for this request, and every line carries it.
        """
        return self._find_trace()

    def _find_trace(self) -> TraceContext:
        span_id = self._own_ids()[1]
        request_id = self._request_id
        if request_id and is_trace_id(request_id):
            flags = RANDOM if self._has_random_id() else 0
            return new_trace((request_id, span_id, flags, None))
        return TraceContext(generate_request_id(), span_id, RANDOM)

    @property
    def trace_id(self) -> str:
        """The W3C trace-id: 32 lower-case hexadecimal characters."""
        return self.trace.trace_id

    @property
    def span_id(self) -> str:
        """This request's own span in its trace: 16 lower-case hexadecimal characters."""
        return self.trace.span_id

    @property
    def parent_span_id(self) -> str | None:
        """The span that called this request; None where no trusted caller sent one."""
        return self.trace.parent_span_id

    tracestate: LateField[str] = _assigned(
        "tracestate",
        "",
        "The caller's ``tracestate``, of other tracing systems, to be forwarded; empty without.",
    )
    baggage: LateField[str] = _assigned(
        "baggage", "", "The caller's W3C baggage, to be forwarded; empty without."
    )
    linked_trace: LateField[TraceContext | None] = _assigned(
        "linked_trace",
        None,
        "The client's trace context, if this request is in another trace: see ``trust_inbound``.",
    )

    def _has_random_id(self) -> bool:
        """Whether the request id was made by :func:`generate_request_id`."""
        return False

    def _own_ids(self) -> tuple[str, str]:
        """Return the generated ids: of the session, and of the request's span."""
        values = self._values
        if values is None:
            values = self._late_values()
        made: tuple[str, str] | None = values.get("own_ids")
        if made is None:
            made = values.setdefault("own_ids", generate_own_ids())
        return made

    def _call_trace(self) -> TraceParts:
        """
        Return the trace context of an outgoing call that this request makes.

        W3C requires a new span for each call, whether or not it is recorded. Where a tracer records
        spans, this is the tracer's current span, since the called service names it as its parent.
        """
        values = self._values
        if values is not None and "calling_span" in values:
            traced: TraceContext = values["calling_span"](self)
            return traced
        trace_id, span_id, flags, parent_span_id = self.trace
        return trace_id, self._call_span_id(span_id), flags, parent_span_id

    def _call_span_id(self, span_id: str) -> str:
        """
        Return the span id of one more call from the span *span_id*: its first twelve digits, then
        a counter. The called service's lines name it as their parent, so ours can be found from
        them.

        It is random where such an id could be used twice: after 65,535 ids, in a forked child, and
        for a span that this object has not made, since another object or process may count too.
        """
        values = self._values
        if values is None:
            values = self._late_values()
        _, own_span_id = values["own_ids"] if "own_ids" in values else self._own_ids()
        if span_id == own_span_id:
            if "calls" not in values:
                values.setdefault("calls", (_process, count(1)))
            process, counter = values["calls"]
            number = next(counter)
            digits = _LAST_DIGITS[number] if number <= _MOST_PREPARED else f"{number:04x}"
            made = span_id[:12] + digits
            if made == span_id:  # the request's own span
                number = next(counter)
                made = f"{span_id[:12]}{number:04x}"
            if process is _process and number <= _MOST_COUNTED:
                return made
        return generate_request_id()[:16]

    def _continue_trace(
        self, parent: TraceContext, tracestate: str = "", baggage: str = ""
    ) -> None:
        """
        Make *parent* the span that called this request, in place of the one in its headers.

        Where a tracer records a span of this request, that span has its parent already, and nothing
        changes.

        :param tracestate: the parent's ``tracestate``, data of other tracing systems.
        :param baggage: the caller's.
        """
        if self._calling_span is not None:
            return
        headers_trace = self._trace_of_headers()
        continued = TraceContext(parent.trace_id, self.span_id, parent.flags, parent.span_id)
        self._late_values().update(
            trace=continued, tracestate=tracestate, baggage=baggage, linked_trace=headers_trace
        )
        self._forget_ids()

    @property
    def _is_trusted(self) -> bool:
        """Whether the ids and the trace in the client's headers are used."""
        return True

    def _trace_of_headers(self) -> TraceContext | None:
        """
        Return the one valid ``traceparent`` of the request's headers, whether or not its client is
        trusted.
        """
        return None

    @property
    def _calling_span(self) -> Callable[[RequestMetadata], TraceContext] | None:
        """
        A tracer's function that returns the span from which this request makes a call; None without
        a tracer.
        """
        function: Callable[[RequestMetadata], TraceContext] | None = self._kept("calling_span")
        return function

    @_calling_span.setter
    def _calling_span(self, function: Callable[[RequestMetadata], TraceContext]) -> None:
        self._late_values()["calling_span"] = function

    # -- the call that it carries ------------------------------------------------------------------

    mcp_method: str | None = _call_word("method")
    mcp_name: str | None = _call_word("name", blanks=True)
    jsonrpc_id: str | None = _call_word("id")
    mcp_session_id: LateField[str | None] = _assigned("mcp_session_id", None, check=id_by_hand)
    mcp_error: LateField[str | None] = _assigned("mcp_error", None)
    _call: LateField[Call] = _assigned("_call", NO_CALL)

    @property
    def mcp_call(self) -> str | None:
        """
        The call as a log line shows it, ``tools/call add #7``; None where its method is not known.
        """
        call = self._call
        return None if call.method is None else str(call)

    # -- copies and pickles ------------------------------------------------------------------------

    def _twin(self) -> RequestMetadata:
        """
        Return another object for the same request, for a context in which one of its ids differs.
        """
        twin = self.__copy__()
        names = ("tracestate", "baggage", "linked_trace")
        twin._late_values().update(
            {name: getattr(self, name) for name in names},
            fields=self.fields,
            own_ids=self._own_ids(),
            calls=self._late_values().setdefault("calls", (_process, count(1))),
        )
        if self._calling_span is not None:
            twin._calling_span = self._calling_span
        return twin

    def __copy__(self) -> RequestMetadata:
        """Return a plain object with the same ids: it has none of the request's headers."""
        make, arguments, state = self._reduced()
        made = make(*arguments)
        made.__setstate__(state)
        fields = self._fields
        if fields:
            made.fields.update(fields)
        return made

    def __deepcopy__(self, memo: object) -> RequestMetadata:
        return self.__copy__()

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return self._reduced()

    def __getstate__(self) -> dict[str, Any]:
        return self._reduced()[2]

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.ended = state["ended"]
        if state["trace"] is not None:
            self.trace = TraceContext(*state["trace"])
        self._call = Call(*state["call"])
        self.parent_request_id, self.mcp_session_id = (
            state["parent_request_id"],
            state["mcp_session_id"],
        )
        self.mcp_error = state["mcp_error"]

    def _reduced(self) -> tuple[type[RequestMetadata], tuple[Any, ...], dict[str, Any]]:
        """
        Return the parts of a copy or pickle: the class, its arguments, and the ids that are not
        among the arguments.
        """
        words = (
            self.session_id,
            self._request_id,
            self.start_time,
            self.method,
            self.path,
            self.transport_type,
        )
        state = {
            "ended": bool(self.ended),
            "trace": tuple(self.trace),
            "call": tuple(self._call),
            "parent_request_id": self.parent_request_id,
            "mcp_session_id": self.mcp_session_id,
            "mcp_error": _plain(self.mcp_error),
        }
        return RequestMetadata, tuple(map(_plain, words)), state

    def __repr__(self) -> str:
        names = ("session_id", "request_id", "start_time", "method", "path", "transport_type")
        return f"RequestMetadata({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def another(span_id: str) -> str:
    """
    Return another object with the text of *span_id*, for a line that shows more than four ids.

    Formatters keep the text of the ids of the last line, and compare objects; a request may learn
    its parent or its call after its first line.
    """
    return f"{span_id[:1]}{span_id[1:]}"


def _plain(value: object) -> str | float | None:
    """
    Return *value* if a pickle of it loads anywhere; any other object, assigned by a user, becomes
    its text.
    """
    if value is None or type(value) in (str, int, float):
        return value  # type: ignore[return-value]
    try:
        return str(value)
    except Exception:
        return None
