"""
The metadata of a request that came in over ASGI, found in its scope when it is first read.

This module reads scopes and headers. It awaits nothing, and does not handle receive and send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from copy import copy
from functools import partial
from time import time
from typing import Any, NamedTuple

from .calls import NO_CALL, Call
from .faults import report_once, warn_once
from .headers import (
    Headers,
    any_named,
    as_bytes,
    group_values,
    header_values,
    without_header,
)
from .ids import (
    ID_RULE,
    generate_request_id,
    id_by_hand,
    parse_cloud_trace,
    parse_id,
    take_request_id,
)
from .masks import Masks
from .protocol import PENDING, Protocol
from .request import RequestMetadata, checked_trace, found_once
from .response_headers import Answers
from .sessions import SessionResolver
from .tracecontext import (
    RANDOM,
    TraceContext,
    new_trace,
    parse_baggage,
    parse_traceparent,
    parse_tracestate,
)
from .trust import TrustedNetworks

__all__ = (
    "SCOPE_KEY",
    "Message",
    "Scope",
    "ScopeMetadata",
    "Settings",
    "masks_of",
    "metadata_class",
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

SCOPE_KEY = "asgi_trace"
"""Where a traced scope holds its :class:`RequestMetadata`."""

# A client may send any X-Request-ID; the operator has chosen any other header, and wants to know
# when it cannot work.
_USUAL_HEADER = b"x-request-id"
_MOST_SHOWN = 60


class Settings:
    """
    How requests are read, prepared once; :class:`~asgi_trace.RequestTracingMiddleware` documents
    each option.
    """

    __slots__ = (
        "answer",
        "answers",
        "distrusting",
        "generate",
        "header",
        "inbound",
        "known_headers",
        "makes_trace_ids",
        "masks",
        "networks",
        "parse",
        "protocol",
        "sessions",
        "take",
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
        protocol: type[Protocol] = Protocol,
    ) -> None:
        self.answers = answers
        self.masks = masks
        self.header = header
        self.answer = header, len(header)
        self.generate = generate
        # The pool's own pop, where generate() does just that: without its frame, 60 ns less.
        self.makes_trace_ids = generate is generate_request_id
        self.take = take_request_id if self.makes_trace_ids else generate
        self.parse = parse
        self.sessions = sessions
        self.protocol = protocol(sessions, parse)
        self.trust_inbound = bool(trust_inbound)
        self.networks = trust_inbound if isinstance(trust_inbound, TrustedNetworks) else None
        self.inbound = any_named(header)
        # All headers that late fields are found in.
        standard = {b"accept", b"baggage", b"traceparent", b"tracestate"}
        self.known_headers = sessions.header_names | self.protocol.headers | standard
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


# Raises TypeError for what is no bytes, which a method of the name's own would not.
_is_lower = bytes.islower

# The rank of a session that nothing outranks: it was set by hand, or opened by the response.
_FINAL_RANK = -1

# Equal to no response's headers: the response is searched at the next read.
_NOT_SEARCHED: list[Any] = []


# With one of these values a request is no plain one, see ScopeMetadata._plain_line_ids().
_FOUND = frozenset({"session", "trace", "_call", "id_is_given"})


class _Session(NamedTuple):
    """The session of a request, as far as it is known."""

    id: str | None
    rank: int
    """The rank of the source that gave the id: 0 outranks 1."""
    response: list[Any] | None
    """
    The response headers that were searched for a session; a later response start is searched again.
    """


# From a tuple in C: a fifth of what the class's own __new__ takes.
_new_session = partial(tuple.__new__, _Session)


class ScopeMetadata(RequestMetadata):
    """
    The metadata of a request that came in over ASGI.

    Only what every request needs is read at once. The rest comes from a snapshot of the headers
    when it is first read: the same in every task and thread, whatever an inner app does to the
    scope meanwhile.
    """

    # All that every request has is a slot, all else a late value: see RequestMetadata.
    __slots__ = ("_headers", "_query_string", "_response_headers", "_settings")

    _request_id: str
    _settings: Settings
    _headers: Headers
    _query_string: bytes
    # Those of the latest response start; None before the first.
    _response_headers: list[Any] | None

    __init__ = object.__init__  # filled by _read(): a type call with arguments is 60 ns more

    def __repr__(self) -> str:
        # A debug page shows the locals of every frame: a shim inside a shim has an object that is
        # never filled.
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
            except KeyError:  # a websocket has no method; a hand-made scope may lack more
                headers = self._read_sparse(scope)
            # ASGI recommends names in lower case; an adapter or a test client may keep them as they
            # were typed, or as another type. A look at the first header finds out: 540
            # instructions, where a look at each would take 1,500.
            try:
                first = headers[0]
                is_regular = type(first) is tuple and _is_lower(first[0])
            except Exception:  # no headers, an iterator, or names that are no bytes
                is_regular = False
            if not is_regular:
                headers = self._regular(scope, headers)
            self._headers = headers = tuple(headers)  # a snapshot: the list is the app's to change
            if settings.inbound in headers:
                self._use_inbound_id(settings)
            else:
                try:
                    self._request_id = settings.take()
                except IndexError:  # the pool is empty, once in 256 requests
                    self._request_id = settings.generate()
        except Exception:
            report_once("reading a request")
            return False
        return True

    @staticmethod
    def _regular(scope: Scope, headers: Iterable[Any]) -> Headers:
        """
        Return *headers* as pairs of bytes, the names in lower case, whatever an adapter has made of
        them.
        """
        if isinstance(headers, Iterator):
            headers = scope["headers"] = list(headers)  # the app must find what we have read
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
            # A cloud's header may look like an id, and is more than one.
            trace_id = None if is_usual else parse_cloud_trace(value)
            found = settings.parse(trace_id or value)
            if found is not None:
                return found
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

    def _stamp(self, message: Message) -> Message:
        """
        Return a response's first *message*, a new one, in which our header stands once, with this
        request's id.
        """
        # The app's own message and list stay as they are: they may be constants that serve every
        # request.
        message = message.copy() if type(message) is dict else dict(message)
        try:
            headers = [*message["headers"]]
        except (KeyError, TypeError):  # none, or None
            headers = [*(message.get("headers") or ())]
        name, length = self._settings.answer
        try:
            for key, _ in headers:
                # 18 ns a header instead of 45 for lower() on each; content-type is as long as
                # x-request-id.
                if (
                    len(key) == length
                    and key != b"content-type"
                    and (type(key) is not bytes or key.lower() == name)
                ):
                    headers = without_header(headers, name)
                    break
        except (TypeError, ValueError, AttributeError):  # no pair, or no text
            headers = without_header(headers, name)
        headers.append((name, self._request_id.encode()))
        self._response_headers = message["headers"] = headers
        if self._ids is not None and self._may_change_session():
            self._ids = None
        return message

    def _may_change_session(self) -> bool:
        """Whether the session may be another one since the response has begun."""
        settings, session = self._settings, self._kept("session")
        if session is None or settings.sessions.user_rank >= 0:
            return True
        try:
            return settings.protocol.opened_session(self, session[1]) is not None
        except Exception:  # reported where the session is found
            return True

    @property
    def _response_started(self) -> bool:
        """Whether the app has begun to answer."""
        return self._response_headers is not None

    def _line_ids(self) -> dict[str, str]:
        values = self._values
        if values is None:
            values = self._late_values()
        # Read before all else: a change by another thread meanwhile gives a new version.
        version, response = values.get("ids_version"), self._response_headers
        try:
            ids = self._plain_line_ids(values)
        except Exception:  # whatever is wrong is reported where each value is found by itself
            ids = None
        if ids is None:
            ids = self._find_line_ids(values)
        self._keep_ids(ids, version)
        if self._response_headers is not response:
            self._ids = None
        return ids

    def _plain_line_ids(self, values: dict[str, Any]) -> dict[str, str] | None:
        """
        Find all ids of a request that came with none, and is no call, in one pass: 12,000
        instructions less than value by value. None for any other request.
        """
        settings, response = self._settings, self._response_headers
        known = values["known_headers"] if "known_headers" in values else self._known_headers()
        if known or self._query_string or not settings.makes_trace_ids:
            return None
        if not _FOUND.isdisjoint(values):
            return None
        rank = settings.sessions.lowest_rank
        if settings.protocol.opened_session(self, rank) is not None:
            return None
        session_id, own = self._own_ids()
        place = new_trace((self._request_id, own[:16], RANDOM, None))
        trace_id, span_id, _, parent_span_id = values.setdefault("trace", place)
        if parent_span_id is not None:  # another thread was faster
            return None
        values.setdefault("session", _new_session((session_id, rank, response)))
        return {
            "request_id": self._request_id,
            "session_id": session_id,
            "trace_id": trace_id,
            "span_id": span_id,
        }

    # -- the session -------------------------------------------------------------------------------

    @property
    def session_id(self) -> str | None:
        """
        The session of the request, or the one that its response opens; made, where neither has one.
        """
        values = self._values
        if values is not None and "session" in values:
            session: _Session = values["session"]
            if session.response is self._response_headers:
                return session.id
            return self._settle_session(session)
        return self._settle_session(None)

    @session_id.setter
    def session_id(self, value: object) -> None:
        self._late_values()["session"] = _Session(
            id_by_hand(value), _FINAL_RANK, self._response_headers
        )
        self._forget_ids()

    def _search_session_again(self) -> None:
        """Look at the next read for a session that the response has opened meanwhile."""
        session = self._kept("session")
        if session:
            self._late_values()["session"] = session._replace(response=_NOT_SEARCHED)
            self._forget_ids()

    def _settle_session(self, known: _Session | None) -> str | None:
        # Without a lock: all of this follows from what was read at entry, so two threads find the
        # same.
        settings, response = self._settings, self._response_headers
        sessions = settings.sessions
        session_id, rank = None, sessions.lowest_rank
        try:
            if known is not None:
                session_id, rank, _ = known
            else:
                headers = self._known_headers()
                if headers or self._query_string:
                    session_id, rank = sessions.resolve(
                        headers, self._query_string, is_trusted=settings.trust_inbound
                    )
            if 0 <= sessions.user_rank < rank:
                user = self._user_session(sessions)
                if user is PENDING:
                    return None
                if user is not None:
                    session_id, rank = user, sessions.user_rank
            opened = settings.protocol.opened_session(self, rank)
            if opened is PENDING:
                # An id that is read now and replaced later would be on a few lines only, as a
                # session of their own.
                return None
            if opened is not None:
                session_id, rank = opened, _FINAL_RANK
        except Exception:
            report_once("reading the session id")
        if session_id is None:
            session_id = self._own_ids()[0]
        values = self._values
        if values is None:
            values = self._late_values()
        values["session"] = _new_session((session_id, rank, response))
        return session_id

    def _user_session(self, sessions: SessionResolver) -> str | None:
        """
        Return the session of the scope's user; None without one.

        PENDING until the app begins to respond: an authentication inside the shim may yet find the
        user.
        """
        scope: Scope = self._kept("scope") or {}
        if "user" in scope:
            return sessions.user_session(scope["user"])
        return None if self.ended or self._response_started else PENDING

    def _use_baggage(self, baggage: str) -> None:
        """
        Use the session in *baggage*, which names the caller of the call that the request carries,
        where it outranks the request's own.
        """
        named, rank = self._settings.sessions.resolve({b"baggage": [baggage.encode()]}, b"")
        self._settle_session(None)
        session: _Session | None = self._kept("session")
        if named is not None and session is not None and rank < session.rank:
            self._late_values()["session"] = session._replace(id=named, rank=rank)

    def _known_headers(self) -> dict[bytes, list[bytes]]:
        """
        Return the values of each header that a late field is found in, by its name.

        ``Accept`` is not among them, so that most requests have none.
        """
        known: dict[bytes, list[bytes]]
        values = self._values
        if values is None:
            values = self._late_values()
        elif "known_headers" in values:
            known = values["known_headers"]
            return known
        # One pass for all of them: 450 instructions a header, where each name looked for by itself
        # takes 250.
        known = {}
        settings = self._settings
        try:
            group_values(self._headers, settings.known_headers, known)
        except Exception:  # no pairs: what stands before them is used
            report_once("reading the headers")
        if b"accept" in known:
            values["accept"] = known[b"accept"]
            if b"accept" not in settings.sessions.header_names:
                del known[b"accept"]
        values["known_headers"] = known
        return known

    # -- late fields -------------------------------------------------------------------------------

    @found_once(NO_CALL)
    def _call(self) -> Call:
        return self._settings.protocol.find_call(self)

    @found_once(None, check=id_by_hand, may_come_later=True)
    def mcp_session_id(self) -> str | None:
        return self._settings.protocol.find_session(self)

    @found_once("http")
    def transport_type(self) -> str | None:
        """``websocket``, ``sse``, ``http``, or the protocol's own, such as ``streamable-http``."""
        values = self._late_values()
        known = values["known_headers"] if "known_headers" in values else self._known_headers()
        if "kind" in values and values["kind"] == "websocket":
            return "websocket"
        accepted = b",".join(values["accept"]).lower() if "accept" in values else b""
        # Not "in", which takes bytes for a number first: 3,600 instructions, where this takes 640.
        accepts_events = accepted.find(b"text/event-stream") >= 0
        if known or accepts_events:
            own = self._settings.protocol.find_transport(self, known, accepted)
            if own is not None:
                return own
        return "sse" if accepts_events else "http"

    @found_once(TraceContext("", ""), check=checked_trace)
    def trace(self) -> TraceContext:
        """The request's place in its distributed trace; see :attr:`RequestMetadata.trace`."""
        # The common case first, where no caller sent a trace and the request id is one of ours:
        # half of what the general case takes.
        values = self._values or {}
        known = values["known_headers"] if "known_headers" in values else self._known_headers()
        if "id_is_given" in values or not self._settings.makes_trace_ids:
            return self._find_trace()
        span_id = self._own_ids()[1][:16]
        if known and b"traceparent" in known:
            parent = self._parent_trace()
            if parent is not None:
                return new_trace((parent.trace_id, span_id, parent.flags, parent.span_id))
        return new_trace((self._request_id, span_id, RANDOM, None))

    def _parent_trace(self) -> TraceContext | None:
        return self._trace_of_headers() if self._settings.trust_inbound else None

    def _trace_of_headers(self) -> TraceContext | None:
        inbound = self._known_headers().get(b"traceparent", ())
        # Of two, either may be the caller: the standard restarts the trace.
        return parse_traceparent(inbound[0].decode("latin-1")) if len(inbound) == 1 else None

    @found_once("")
    def tracestate(self) -> str:
        if self.parent_span_id is None:
            return ""
        return parse_tracestate(self._header_texts(b"tracestate"))

    @found_once("")
    def baggage(self) -> str:
        return parse_baggage(self._header_texts(b"baggage")) if self._settings.trust_inbound else ""

    @found_once(None)
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
        """Return every value of the request's header *name* (lower case), as they were at entry."""
        return header_values(self._headers, name)

    def _header_texts(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for value in self._known_headers().get(name, ())]


class EdgeMetadata(ScopeMetadata):
    """The metadata of a request where only some networks are trusted: see ``trust_inbound``."""

    __slots__ = ()

    def _read(self, scope: Scope, settings: Settings) -> bool:
        """
        Take from *scope* what every request needs; False where it cannot be read, and the request
        goes untraced.
        """
        try:
            trusted = settings.networks is not None and settings.networks.trust(scope.get("client"))
        except Exception:
            report_once("reading the client's address")
            trusted = False
        return super()._read(scope, settings if trusted else settings.distrusting)


class AnsweringMetadata(ScopeMetadata):
    """The metadata of a request whose response carries more headers than its id."""

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
        # The digest of a token or cookie stays here: its client has the secret, and needs no second
        # name for it.
        session_id = self.session_id
        session = self._kept("session")
        if session_id is None or (session and self._settings.sessions.is_secret(session.rank)):
            return None
        return parse_id(session_id.encode("latin-1", "replace"))


class UserMetadata(ScopeMetadata):
    """The metadata of a request whose user may be its session: it holds the scope."""

    __slots__ = ()

    def _read(self, scope: Scope, settings: Settings) -> bool:
        """
        Take from *scope* what every request needs; False where it cannot be read, and the request
        goes untraced.
        """
        is_read = super()._read(scope, settings)
        self._late_values()["scope"] = scope
        return is_read


class AnsweringEdgeMetadata(AnsweringMetadata, EdgeMetadata):
    """Metadata for trusted-network checks and extra response headers."""

    __slots__ = ()


_CLASSES: dict[tuple[bool, bool], type[ScopeMetadata]] = {
    (False, False): ScopeMetadata,
    (True, False): EdgeMetadata,
    (False, True): AnsweringMetadata,
    (True, True): AnsweringEdgeMetadata,
}


def metadata_class(settings: Settings) -> type[ScopeMetadata]:
    """
    Return the class for what *settings* ask for: a request pays for nothing that no option has
    asked for.
    """
    found = _CLASSES[settings.networks is not None, settings.answers.needed]
    if settings.sessions.user_rank < 0:
        return found
    bases = (UserMetadata,) if found is ScopeMetadata else (UserMetadata, found)
    made: type[ScopeMetadata] = type(found.__name__, bases, {"__slots__": ()})
    return made


_DEFAULT_MASKS = Masks()


def masks_of(request: object) -> Masks:
    """Return what hides the secrets of path and query: the shim's own, where *request* has one."""
    return request._settings.masks if isinstance(request, ScopeMetadata) else _DEFAULT_MASKS
