"""
The metadata of an ASGI request, read from its scope when a value is first used.

This module reads scopes and headers, and changes the message that starts the response. It awaits
nothing, and does not handle receive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from copy import copy
from functools import cache
from time import time
from typing import Any

from .calls import NO_CALL, Call
from .faults import report_once, warn_once
from .headers import (
    Headers,
    any_named,
    as_bytes,
    header_values,
    response_values,
    without_header,
)
from .ids import (
    ID_RULE,
    generate_own_ids,
    generate_request_id,
    id_by_hand,
    parse_cloud_trace,
    parse_id,
    take_request_id,
)
from .masks import Masks
from .protocol import PENDING, Protocol
from .record import NO_ID
from .request import RequestMetadata, another, checked_trace, found_once
from .response_headers import Answers
from .sessions import SessionResolver
from .tracecontext import (
    RANDOM,
    TraceContext,
    new_trace,
    parse_baggage,
    parse_tracestate,
    read_traceparent,
)
from .trust import TrustedNetworks

__all__ = (
    "SCOPE_KEY",
    "Message",
    "Scope",
    "ScopeMetadata",
    "Send",
    "Settings",
    "masks_of",
    "metadata_class",
    "send_nowhere",
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[Any]]

SCOPE_KEY = "asgi_trace"
"""The key of the :class:`RequestMetadata` in a traced scope."""

# A client may send any X-Request-ID. Another header was chosen by the operator, who is warned if
# its values are no ids.
_USUAL_HEADER = b"x-request-id"
_MOST_SHOWN = 60

_TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})


class Settings:
    """
    The options for reading requests, prepared once; :class:`~asgi_trace.RequestTracingMiddleware`
    documents each option.
    """

    __slots__ = (
        "all_late_headers",
        "answer",
        "answers",
        "distrusting",
        "generate",
        "header",
        "inbound",
        "is_plain",
        "late_headers",
        "makes_trace_ids",
        "masks",
        "networks",
        "parse",
        "protocol",
        "sessions",
        "trust_inbound",
    )

    def __init__(
        self,
        *,
        header: bytes,
        generate: Callable[[], str],
        parse: Callable[[bytes], str | None],
        sessions: SessionResolver,
        trust_inbound: bool | TrustedNetworks,
        answers: Answers,
        masks: Masks,
        protocol: Protocol,
    ) -> None:
        self.answers = answers
        self.masks = masks
        self.header = header
        self.answer = header, len(header), protocol.follows_streams
        self.generate = generate
        self.makes_trace_ids = generate is generate_request_id
        self.parse = parse
        self.sessions = sessions
        self.protocol = protocol
        self.trust_inbound = bool(trust_inbound)
        self.networks = trust_inbound if isinstance(trust_inbound, TrustedNetworks) else None
        self.inbound = any_named(header)
        # The headers of the session, of the protocol's call, and of the caller's data.
        self.late_headers = sessions.header_names | self.protocol.headers | {b"baggage"}
        # Whether a request without any of these headers has generated ids alone.
        self.is_plain = self.makes_trace_ids and sessions.user_rank < 0
        self.all_late_headers = self.late_headers | _TRACE_HEADERS | {b"accept"}
        self.distrusting = self
        if self.networks is not None:
            self.distrusting = copy(self)
            self.distrusting.trust_inbound = False


def _warn_of_header(name: bytes, value: bytes) -> None:
    shown = value[:_MOST_SHOWN].decode("latin-1")
    warn_once(
        f"request ids from the header {name.decode('latin-1')}",
        f"the header {name.decode('latin-1')!r} has the value {shown!r}, which is not a request id ({ID_RULE}). "
        "Such requests get a new id. Set header_name to a header that has an id, or let the proxy send the id alone.",
    )


# Raises TypeError for a name that is not bytes; calling the name's own method would not.
_is_lower = bytes.islower


_OTHER_STARTS = frozenset({"websocket.accept", "websocket.http.response.start"})


async def send_nowhere(message: Message) -> None:
    """
    Ignore *message*: the app has returned, so the server has ended the response.

    An app's task may still send then; ASGI lets a server ignore what follows a disconnect.
    """


# The highest rank: the session was set by hand, or opened by the response.
_FINAL_RANK = -1

# Equal to no response's headers: the response is searched at the next read.
_NOT_SEARCHED: list[Any] = []


# A request with one of these values is not plain, see ScopeMetadata._plain_line_ids().
_FOUND = frozenset({"session", "trace", "_call", "id_is_given"})


# The session of a request, as far as it is known: its id; the rank of the source that gave the id,
# where 0 outranks 1; and the response headers that were searched for a session, since a later
# response start is searched again. A plain tuple: a named one takes 2,300 instructions more.
_Session = tuple[str | None, int, list[Any] | None]


class ScopeMetadata(RequestMetadata):
    """
    The metadata of an ASGI request.

    Only the values that every request needs are read at once. The others are read from a snapshot
    of the headers when they are first used: they are the same in every task and thread, also if an
    inner app changes the scope meanwhile.
    """

    # Values that every request has are slots, all others are late values: see RequestMetadata.
    __slots__ = ("_headers", "_query_string", "_response_headers", "_server_send", "_settings")

    _request_id: str
    _settings: Settings
    _headers: Headers
    _query_string: bytes
    # The headers of the latest response start; None before the first.
    _response_headers: list[Any] | None
    # The server's send until the app is done. Kept for longer, it would be part of a cycle: servers
    # keep the scope, which has this object.
    _server_send: Send

    __init__ = object.__init__  # filled by _read(): a type call with arguments is 60 ns more

    def __repr__(self) -> str:
        # A debug page may show this object, one of the locals of a frame, before it is filled; a
        # shim inside a shim never fills its own.
        return super().__repr__() if self._is_filled() else "<RequestMetadata of no request>"

    def _reduced(self) -> tuple[type[RequestMetadata], tuple[Any, ...], dict[str, Any]]:
        return super()._reduced() if self._is_filled() else RequestMetadata()._reduced()

    def _is_filled(self) -> bool:
        return hasattr(self, "_request_id")

    def _read(self, scope: Scope, settings: Settings) -> bool:
        """
        Take from *scope* what every request needs; False where it cannot be read, and the request
        goes untraced.
        """
        self.start_time = time()
        self.ended = False
        self._values = None
        self._ids = None
        self._settings = settings
        self._response_headers = None
        try:
            try:
                headers = scope["headers"]
                self._query_string = scope["query_string"]
                self.path = scope["path"]
                self.method = scope["method"]
            except KeyError:  # a websocket has no method; a hand-made scope may lack other keys
                headers = self._read_sparse(scope)
            # ASGI recommends names in lower case; an adapter or a test client may keep them as they
            # were typed, or as another type. Only the first header is checked: 540 instructions,
            # where checking each would take 1,500.
            try:
                first = headers[0]
                if type(first) is not tuple or not _is_lower(first[0]):
                    headers = self._regular(scope, headers)
            except Exception:  # no headers, an iterator, or names that are not bytes
                headers = self._regular(scope, headers)
            self._headers = headers = tuple(headers)  # a snapshot: the app may change the list
            if settings.inbound in headers:
                self._use_inbound_id(settings)
            elif settings.makes_trace_ids:
                try:  # the pool's own pop: 60 ns less without the frame of a function
                    self._request_id = take_request_id()
                except IndexError:  # the pool is empty, once in 256 requests
                    self._request_id = generate_request_id()
            else:
                self._request_id = settings.generate()
        except Exception:
            report_once("reading a request")
            return False
        return True

    @staticmethod
    def _regular(scope: Scope, headers: Iterable[Any]) -> Headers:
        """
        Return *headers*, of any shape that an adapter gives them, as pairs of bytes, the names in
        lower case.
        """
        if isinstance(headers, Iterator):
            headers = scope["headers"] = list(headers)  # the app must be able to read them too
        return [(as_bytes(name).lower(), as_bytes(value)) for name, value in headers]

    def _read_sparse(self, scope: Scope) -> Iterable[Any]:
        self._late_values()["kind"] = scope["type"]
        self._query_string = scope.get("query_string") or b""
        self.path = scope.get("path")
        self.method = scope.get("method")
        return scope.get("headers") or ()

    def _use_inbound_id(self, settings: Settings) -> None:
        inbound = self._inbound_id(settings)
        if settings.trust_inbound and inbound is not None:
            self._request_id = inbound
            self._late_values()["id_is_given"] = True
            return
        self._request_id = settings.generate()
        if inbound is not None:
            self._late_values()["parent_request_id"] = inbound

    def _inbound_id(self, settings: Settings) -> str | None:
        """Return the first valid id among the client's request id headers."""
        values = header_values(self._headers, settings.header)
        is_usual = settings.header == _USUAL_HEADER
        for value in values:
            # A cloud's header may look like an id, but contains more than an id.
            trace_id = None if is_usual else parse_cloud_trace(value)
            request_id = settings.parse(trace_id or value)
            if request_id is not None:
                return request_id
        if not is_usual and parse_id(values[0]) is None:
            _warn_of_header(settings.header, values[0])
        return None

    def _set_request_id(self, value: str | None) -> None:
        if value is not None:  # each response needs an id
            self._request_id = value

    def _has_random_id(self) -> bool:
        values = self._values
        is_given = values is not None and "id_is_given" in values
        return not is_given and self._settings.makes_trace_ids

    # Not async: returning the server's own awaitable saves a coroutine per message, 140 ns. A method
    # of this object, not of a pair of it and the server's send: 600 instructions and 64 bytes less.
    def _send(self, message: Message) -> Awaitable[Any]:
        """Send *message* to the server; if it starts a response, add the request's id."""
        try:
            kind = message["type"]
            # Most messages are bodies. One comparison takes less than a search in a set.
            if kind != "http.response.body":
                if kind == "http.response.start" or kind in _OTHER_STARTS:
                    message = self._stamp(message)
                elif kind == "websocket.close" and self._response_headers is None:
                    self._response_headers = []  # the server's 403, which has no header of ours
        except Exception:
            report_once("adding the response header")
        send = self._server_send  # CPython 3.11 calls a variable faster than a slot
        return send(message)

    def _stamp(self, message: Message) -> Message:
        """
        Return a copy of a response's first *message* that has our header exactly once, with this
        request's id.
        """
        # The app's own message and list are not changed: they may be constants, used for every
        # request.
        message = {**message}
        try:
            headers = [*message["headers"]]
        except (KeyError, TypeError):  # no headers, or None
            headers = [*(message.get("headers") or ())]
        name, length, may_be_stream = self._settings.answer
        try:
            for key, value in headers:
                # 18 ns a header instead of 45 for lower() on each; content-type is as long as
                # x-request-id.
                if len(key) == length:
                    if key == b"content-type":
                        if may_be_stream and value in _other_types:
                            may_be_stream = False
                    elif type(key) is not bytes or key.lower() == name:
                        headers = without_header(headers, name)
                        break
        except (TypeError, ValueError, AttributeError):  # not a pair, or not bytes
            headers = without_header(headers, name)
        headers.append((name, self._request_id.encode()))
        self._response_headers = message["headers"] = headers
        if self._ids is not None:
            settings = self._settings
            if settings.sessions.user_rank >= 0 or settings.protocol.may_open_session(headers):
                self._ids = None  # the next line searches the session again
        if may_be_stream:
            self._follow_stream(headers)
        return message

    def _follow_stream(self, headers: list[Any]) -> None:
        """Tell the protocol if this is a GET whose response, with *headers*, is a stream of events."""
        try:
            for media_type in response_values(headers, b"content-type"):
                if _names_events(media_type):
                    if self.method == "GET":
                        self._settings.protocol.stream_started(self)
                elif len(media_type) <= _LONGEST_REMEMBERED:
                    if len(_other_types) >= _MOST_REMEMBERED:
                        _other_types.clear()
                    _other_types.add(media_type)
                return
        except Exception:
            report_once("observing a stream")

    @property
    def _response_started(self) -> bool:
        """Whether the app has started its response."""
        return self._response_headers is not None

    def _line_ids(self) -> dict[str, str]:
        values = self._values
        # Read before all else: a change by another thread meanwhile gives a new version.
        version = None if values is None else values.get("ids_version")
        response = self._response_headers
        try:
            ids = self._plain_line_ids()
        except Exception:  # reported below, where each value is computed by itself
            ids = None
        if ids is None:
            ids = self._find_line_ids(self._late_values())
        if ids["session_id"] != NO_ID:  # a session that is not known yet may be at the next line
            self._ids = ids
        values = self._values
        # A change by another thread meanwhile.
        if values is not None and "ids_version" in values and values["ids_version"] is not version:
            self._ids = None
        if self._response_headers is not response:
            self._ids = None
        return ids

    def _plain_line_ids(self) -> dict[str, str] | None:
        """
        Find all ids of a request that has no session and no call, in one pass: 16,000 instructions
        less than value by value. None for any other request.
        """
        settings, values = self._settings, self._values
        if not settings.is_plain or (values is not None and not _FOUND.isdisjoint(values)):
            return None
        if self._query_string and settings.sessions.may_be_in(self._query_string):
            return None
        if values is None or "known_headers" not in values:
            values = self._read_headers()
        if values["known_headers"]:
            return None
        if settings.protocol.opened_session(self, settings.sessions.lowest_rank) is not None:
            return None
        # All threads use these ids. The session and the trace need not be kept: whoever reads them
        # later gets the same, from the same ids.
        session_id, span_id = values["own_ids"] if "own_ids" in values else self._own_ids()
        ids = {
            "request_id": self._request_id,
            "session_id": session_id,
            "trace_id": self._request_id,
            "span_id": span_id,
        }
        if "trace_headers" in values:
            ids["trace_id"], _, _, parent_span_id = self.trace
            if parent_span_id is not None:
                ids["span_id"] = another(span_id)
                ids["parent_span_id"] = parent_span_id
        return ids

    # -- the session -------------------------------------------------------------------------------

    @property
    def session_id(self) -> str | None:
        """
        The session of the request, or the one that its response opens; if there is none, a new id.
        """
        values = self._values
        if values is not None and "session" in values:
            session: _Session = values["session"]
            session_id, _, response = session
            if response is self._response_headers:
                return session_id
            return self._settle_session(session)
        return self._settle_session(None)

    @session_id.setter
    def session_id(self, value: object) -> None:
        session: _Session = id_by_hand(value), _FINAL_RANK, self._response_headers
        self._late_values()["session"] = session
        self._forget_ids()

    def _search_session_again(self) -> None:
        """Search the response for a session again when the session is next read."""
        session: _Session | None = self._kept("session")
        if session is not None:
            session_id, rank, _ = session
            self._late_values()["session"] = session_id, rank, _NOT_SEARCHED
        self._forget_ids()

    def _settle_session(self, known: _Session | None) -> str | None:
        # Without a lock: the result depends only on values that were read at entry, so two threads
        # get the same.
        settings, response, values = self._settings, self._response_headers, self._values
        if values is None or "known_headers" not in values:
            values = self._read_headers()
        sessions = settings.sessions
        session_id, rank = None, sessions.lowest_rank
        try:
            if known is not None:
                session_id, rank, _ = known
            elif values["known_headers"] or self._query_string:
                session_id, rank = sessions.resolve(
                    values["known_headers"], self._query_string, settings.trust_inbound
                )
            if 0 <= sessions.user_rank < rank:
                user = self._user_session(sessions)
                if user is PENDING:
                    return None
                if user is not None:
                    session_id, rank = user, sessions.user_rank
            opened = settings.protocol.opened_session(self, rank)
            if opened is PENDING:
                # An id that is generated now and replaced later would be on a few lines only, which
                # would look like another session.
                return None
            if opened is not None:
                session_id, rank = opened, _FINAL_RANK
        except Exception:
            report_once("reading the session id")
        if session_id is None:
            session_id, _ = values["own_ids"] if "own_ids" in values else self._own_ids()
        values["session"] = session_id, rank, response
        return session_id

    def _user_session(self, sessions: SessionResolver) -> str | None:
        """
        Return the session of the scope's user; None without one.

        PENDING until the app begins to respond: an authentication inside the shim may still set the
        user.
        """
        scope: Scope = self._kept("scope") or {}
        if "user" in scope:
            return sessions.user_session(scope["user"])
        return None if self.ended or self._response_started else PENDING

    def _use_baggage(self, baggage: str) -> None:
        """
        Use the session in *baggage*, that of the call which the request carries, if it outranks the
        request's own.
        """
        named, rank = self._settings.sessions.resolve({b"baggage": [baggage.encode()]}, b"")
        self._settle_session(None)
        session: _Session | None = self._kept("session")
        if named is None or session is None:
            return
        _, former_rank, response = session
        if rank < former_rank:
            self._late_values()["session"] = named, rank, response

    def _known_headers(self) -> dict[bytes, list[bytes]]:
        """Return the values of the headers in ``Settings.late_headers``, by name."""
        values = self._values
        if values is None or "known_headers" not in values:
            values = self._read_headers()
        known: dict[bytes, list[bytes]] = values["known_headers"]
        return known

    def _trace_headers(self) -> dict[bytes, list[bytes]]:
        """Return the values of the headers of the trace, by name."""
        values = self._values
        if values is None or "known_headers" not in values:
            values = self._read_headers()
        traced: dict[bytes, list[bytes]] = values.get("trace_headers", {})
        return traced

    def _read_headers(self) -> dict[str, Any]:
        """
        Return the late values, with those of the headers: ``known_headers``; ``trace_headers``
        where there are any; and ``accept``, which nearly all requests have.

        Where there are no known headers, ids are generated in the same step.
        """
        # One pass for all names: 450 instructions a header, where a pass for each name takes 250.
        known: dict[bytes, list[bytes]] = {}
        traced: dict[bytes, list[bytes]] | None = None
        accept = b""
        settings = self._settings
        names = settings.all_late_headers
        try:
            for name, value in self._headers:
                if name not in names:
                    continue
                if name == b"accept":
                    accept = value if not accept else b"%b,%b" % (accept, value)
                    if name not in settings.late_headers:
                        continue
                headers = known
                if name in _TRACE_HEADERS:
                    headers = traced = traced or {}
                if name in headers:
                    headers[name].append(value)
                else:
                    headers[name] = [value]
        except Exception:  # an item is no pair: the headers before it are used
            report_once("reading the headers")
        first: dict[str, Any] = {"known_headers": known, "accept": accept}
        if traced is not None:
            first["trace_headers"] = traced
            for name in settings.late_headers.intersection(traced):  # the program's choice
                known[name] = traced[name]
        if not known:
            first["own_ids"] = generate_own_ids()
        values = self._values
        if values is None:
            values = self._late_values(first)
            if values is first:
                return values
        # Another thread may have been faster. The known headers come last: they are looked for, to
        # see whether the headers were read.
        for field, late_value in reversed(first.items()):
            values.setdefault(field, late_value)
        return values

    # -- late fields -------------------------------------------------------------------------------

    @found_once(NO_CALL, headers="known_headers")
    def _call(self) -> Call:
        return self._settings.protocol.find_call(self)

    @found_once(None, check=id_by_hand, may_come_later=True)
    def mcp_session_id(self) -> str | None:
        return self._settings.protocol.find_session(self)

    @found_once("http")
    def transport_type(self) -> str | None:
        """``websocket``, ``sse``, ``http``, or the protocol's own, such as ``streamable-http``."""
        settings, values = self._settings, self._values
        if values is None or "known_headers" not in values:
            values = self._read_headers()
        known = values["known_headers"]
        if "kind" in values and values["kind"] == "websocket":
            return "websocket"
        accept: bytes = values["accept"]
        accepts_events = _accepts_events(accept)
        if accepts_events or (known and not settings.protocol.headers.isdisjoint(known)):
            own = settings.protocol.find_transport(self, known, accept.lower())
            if own is not None:
                return own
        return "sse" if accepts_events else "http"

    @found_once(TraceContext("", ""), check=checked_trace)
    def trace(self) -> TraceContext:
        """The request's place in its distributed trace; see :attr:`RequestMetadata.trace`."""
        settings, values = self._settings, self._values
        if values is None or "known_headers" not in values:
            values = self._read_headers()
        parent = None
        if "trace_headers" in values and settings.trust_inbound:
            parent = _traceparent_of(values["trace_headers"])
        # The common cases first: they take half as long as the general one.
        if parent is None and ("id_is_given" in values or not settings.makes_trace_ids):
            return self._find_trace()
        _, span_id = values["own_ids"] if "own_ids" in values else self._own_ids()
        if parent is None:
            return new_trace((self._request_id, span_id, RANDOM, None))
        trace_id, parent_span_id, flags = parent
        return new_trace((trace_id, span_id, flags, parent_span_id))

    def _trace_of_headers(self) -> TraceContext | None:
        found = _traceparent_of(self._trace_headers())
        if found is None:
            return None
        trace_id, span_id, flags = found
        return new_trace((trace_id, span_id, flags, None))

    @found_once("", headers="trace_headers")
    def tracestate(self) -> str:
        if self.parent_span_id is None:
            return ""
        return parse_tracestate(_texts(self._trace_headers(), b"tracestate"))

    @found_once("", headers="known_headers")
    def baggage(self) -> str:
        if not self._settings.trust_inbound:
            return ""
        return parse_baggage(_texts(self._known_headers(), b"baggage"))

    @found_once(None, headers="trace_headers")
    def linked_trace(self) -> TraceContext | None:
        return None if self._settings.trust_inbound else self._trace_of_headers()

    @property
    def _is_trusted(self) -> bool:
        return self._settings.trust_inbound

    def _continue_trace(
        self, parent: TraceContext, tracestate: str = "", baggage: str = ""
    ) -> None:
        """Make *parent* the span that called this request, unless the client is not trusted."""
        if self._is_trusted:
            super()._continue_trace(parent, tracestate, baggage)

    def _header(self, name: bytes) -> list[bytes]:
        """Return every value of the header *name* (lower case) at the start of the request."""
        return header_values(self._headers, name)


# Clients send few values of Accept: one that is remembered takes half of the steps.
_MOST_REMEMBERED = 256
_LONGEST_REMEMBERED = 256
_accepting: dict[bytes, bool] = {}
# Types of responses that are no streams of events.
_other_types: set[bytes] = set()


def _names_events(media_types: bytes) -> bool:
    """Whether *media_types* has that of event streams; media types ignore case."""
    return media_types.lower().find(b"text/event-stream") >= 0


def _accepts_events(accept: bytes) -> bool:
    """Whether the header *accept* names event streams."""
    if accept in _accepting:
        return _accepting[accept]
    accepts = _names_events(accept)
    if len(accept) <= _LONGEST_REMEMBERED:
        if len(_accepting) >= _MOST_REMEMBERED:
            _accepting.clear()
        _accepting[accept] = accepts
    return accepts


def _texts(headers: Mapping[bytes, list[bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in headers.get(name, ())]


def _traceparent_of(traced: Mapping[bytes, list[bytes]]) -> tuple[str, str, int] | None:
    """Return trace-id, span-id and flags of the one ``traceparent`` in the headers *traced*."""
    inbound = traced.get(b"traceparent", ())
    # With two headers the caller is unknown: the standard restarts the trace.
    return read_traceparent(inbound[0].decode("ascii", "replace")) if len(inbound) == 1 else None


class EdgeMetadata(ScopeMetadata):
    """The metadata of a request if only some networks are trusted: see ``trust_inbound``."""

    __slots__ = ()

    def _read(self, scope: Scope, settings: Settings) -> bool:
        """
        Read the values that every request needs from *scope*; return False where that fails: the
        request is then not traced.
        """
        try:
            trusted = settings.networks is not None and settings.networks.trust(scope.get("client"))
        except Exception:
            report_once("reading the client's address")
            trusted = False
        return super()._read(scope, settings if trusted else settings.distrusting)


class AnsweringMetadata(ScopeMetadata):
    """The metadata of a request, with further headers of ours on its response."""

    __slots__ = ()

    def _stamp(self, message: Message) -> Message:
        """Return a response's first *message*, a new one, with all of our headers."""
        message = super()._stamp(message)
        try:
            self._settings.answers.add(message["headers"], self, self._public_session())
        except Exception:
            report_once("adding the response headers")
        return message

    def _public_session(self) -> str | None:
        # The digest of a token or cookie is not sent: the client has the secret itself.
        session_id = self.session_id
        session: _Session | None = self._kept("session")
        if session_id is None:
            return None
        if session is not None and self._settings.sessions.is_secret(session[1]):
            return None
        return parse_id(session_id.encode("latin-1", "replace"))


class UserMetadata(ScopeMetadata):
    """The metadata of a request; its user may be its session, so it holds the scope."""

    __slots__ = ()

    def _read(self, scope: Scope, settings: Settings) -> bool:
        """
        Take from *scope* what every request needs; False where it cannot be read, and the request
        goes untraced.
        """
        is_read = super()._read(scope, settings)
        self._late_values()["scope"] = scope
        return is_read


def metadata_class(settings: Settings) -> type[ScopeMetadata]:
    """
    Return the class that *settings* need: options that are off cost a request nothing.
    """
    parts: tuple[tuple[type[ScopeMetadata], bool], ...] = (
        (UserMetadata, settings.sessions.user_rank >= 0),
        (AnsweringMetadata, settings.answers.needed),
        (EdgeMetadata, settings.networks is not None),
        (ScopeMetadata, True),
    )
    return _class_of(tuple(part for part, is_needed in parts if is_needed))


@cache
def _class_of(bases: tuple[type[ScopeMetadata], ...]) -> type[ScopeMetadata]:
    if len(bases) == 1:
        return bases[0]
    made: type[ScopeMetadata] = type(bases[0].__name__, bases, {"__slots__": ()})
    return made


_DEFAULT_MASKS = Masks()


def masks_of(request: object) -> Masks:
    """Return the masks for path and query: the shim's own, where *request* came through a shim."""
    return request._settings.masks if isinstance(request, ScopeMetadata) else _DEFAULT_MASKS
