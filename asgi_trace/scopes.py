"""
What an ASGI scope tells of its request, read when it is first asked for.

Knows scopes and headers. Does not know receive and send, and awaits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from copy import copy
from time import time
from typing import Any

from . import sdk
from .answers import Answers
from .calls import NO_CALL, Call, clean, read_header
from .context import RequestMetadata
from .faults import report_once
from .headers import Headers, any_named, header_values, without_header
from .ids import generate_request_id, parse_id, take_request_id
from .masks import Masks
from .networks import TrustedNetworks
from .sessions import SessionResolver
from .tracecontext import TraceContext, parse_baggage, parse_traceparent, parse_tracestate

__all__ = ("SCOPE_KEY", "Message", "Scope", "ScopeMetadata", "Settings", "metadata_class")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

SCOPE_KEY = "asgi_trace"
"""Where a traced scope holds its :class:`RequestMetadata`."""

# Sent by MCP clients of the streamable HTTP transport alone.
_MCP_HEADERS = frozenset({b"mcp-session-id", b"mcp-protocol-version", b"mcp-method"})


class Settings:
    """What requests are read by, prepared once; :class:`~asgi_trace.RequestTracingMiddleware` documents each."""

    __slots__ = (
        "answers",
        "distrusting",
        "generate",
        "header",
        "inbound",
        "masks",
        "networks",
        "parse",
        "sessions",
        "take",
        "telling",
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
    ) -> None:
        self.answers = answers
        self.masks = masks
        self.header = header
        self.generate = generate
        # The pool's own pop, where that is what generate() does: without its frame, 60 ns less.
        self.take = take_request_id if generate is generate_request_id else generate
        self.parse = parse
        self.sessions = sessions
        self.trust_inbound = bool(trust_inbound)
        self.networks = trust_inbound if isinstance(trust_inbound, TrustedNetworks) else None
        self.inbound = any_named(header)
        # The headers that anything is read from, but for the request id's.
        self.telling = sessions.header_names | _MCP_HEADERS | {b"accept", b"baggage", b"traceparent", b"tracestate"}
        self.distrusting = self
        if self.networks is not None:
            self.distrusting = copy(self)
            self.distrusting.trust_inbound = False


class ScopeMetadata(RequestMetadata):
    """
    The metadata of a request that came in over ASGI.

    Only what every request needs is read at once. The rest comes from a snapshot of the headers when it is first
    asked for: the same in every task and thread, and whatever an inner app does to the scope meanwhile.
    """

    request_id: str
    _settings: Settings
    _headers: Headers
    _query_string: bytes
    _kind: str = "http"
    _session_id: str | None = None
    _session_rank: int
    _transport_type: str | None = None
    _told: dict[bytes, list[bytes]] | None = None
    _is_made: bool = True  # the request id
    _mcp_session_id: str | None = None
    _stream_session: str | None = None
    awaits_endpoint = False
    _response_headers: list[Any] | None
    _examined_headers: list[Any] | None = None

    __init__ = object.__init__  # filled by read(): a type call with arguments is 60 ns more

    def __repr__(self) -> str:
        # A debug page shows the locals of every frame: a shim inside a shim has an object that is never filled.
        return super().__repr__() if hasattr(self, "_headers") else "<RequestMetadata of no request>"

    def read(self, scope: Scope, settings: Settings) -> bool:
        """Take from *scope* what every request needs; False where it cannot be read, and the request goes untraced."""
        self.start_time = time()
        self.ended = False
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
            if type(headers) is not list or (headers and type(headers[0]) is not tuple):
                headers = self._regular(scope, headers)
            self._headers = headers = tuple(headers)  # a snapshot: the list is the app's to change
            if settings.inbound in headers:
                self._take_over(settings)
            else:
                try:
                    self.request_id = settings.take()
                except IndexError:  # the pool is empty, once in 256 requests
                    self.request_id = settings.generate()
        except Exception:
            report_once("reading a request")
            return False
        return True

    @staticmethod
    def _regular(scope: Scope, headers: Iterable[Any]) -> Headers:
        if isinstance(headers, Iterator):
            headers = scope["headers"] = list(headers)  # the app must find what we have read
        return [(bytes(name), bytes(value)) for name, value in headers]

    def _read_sparse(self, scope: Scope) -> Iterable[Any]:
        self._kind = scope["type"]
        self._query_string = scope.get("query_string") or b""
        self.path = scope.get("path")
        self.method = scope.get("method")
        return scope.get("headers") or ()

    def _take_over(self, settings: Settings) -> None:
        values = header_values(self._headers, settings.header)
        inbound = next(filter(None, map(settings.parse, values)), None)
        if settings.trust_inbound and inbound is not None:
            self.request_id = inbound
            self._is_made = False
        else:
            self.parent_request_id = inbound
            self.request_id = settings.generate()

    def stamp(self, message: Message) -> Message:
        """Return a response's first *message*, a new one, in which our header stands once, with this request's id."""
        # The app's own message and list stay as they are: they may be constants that serve every request.
        message = message.copy() if type(message) is dict else dict(message)
        headers = [*(message.get("headers") or ())]
        name = self._settings.header
        length = len(name)
        try:
            for key, _ in headers:
                # 18 ns a header instead of 45 for lower() on each; content-type is as long as x-request-id.
                if len(key) == length and key != b"content-type" and (type(key) is not bytes or key.lower() == name):
                    headers = without_header(headers, name)
                    break
        except (TypeError, ValueError, AttributeError):  # no pair, or no text
            headers = without_header(headers, name)
        headers.append((name, self.request_id.encode()))
        self._response_headers = message["headers"] = headers
        return message

    @property
    def response_started(self) -> bool:
        """Whether the app has begun to answer."""
        return self._response_headers is not None

    @property
    def session_id(self) -> str | None:
        """The session of the request, or of its response where that opens one; made, where neither tells."""
        if self._session_id is None or self._examined_headers is not self._response_headers:
            self._settle_session()
        return self._session_id

    @session_id.setter
    def session_id(self, value: str | None) -> None:
        self._session_rank = -1
        self._session_id = None if value is None else str(value)  # a user's number, say

    def _settle_session(self) -> None:
        # Without a lock: all of this is a function of what was read at entry, so two threads find the same.
        sessions, response_headers = self._settings.sessions, self._response_headers
        try:
            if self._session_id is None:
                session_id, rank = None, sessions.lowest_rank
                asked = self._query_string and sessions.reads_query
                if asked or not sessions.header_names.isdisjoint(self._telling()):
                    session_id, rank = sessions.resolve(self._headers, self._query_string)
                if self._awaits_session(rank):
                    return
                self._session_rank = rank
                if self._stream_session is not None and sessions.adopts(rank, from_stream=True):
                    session_id, self._session_rank = self._stream_session, -1
                self._session_id = session_id or self._own_ids()[0]
            if response_headers is not None and sessions.adopts(self._session_rank):
                self._session_id = sessions.opened(response_headers) or self._session_id
        except Exception:
            report_once("reading the session id")
            self._session_id = self._session_id or self._own_ids()[0]
        self._examined_headers = response_headers

    def _awaits_session(self, rank: int) -> bool:
        """
        Whether the answer may open a session that outranks the one of *rank*: until it is known, there is none.

        An id that is read and then gives way to another would be a stray one: a session of a few lines.
        """
        if self.awaits_endpoint:
            return not self.ended and self._settings.sessions.adopts(rank, from_stream=True)
        return (
            self._response_headers is None
            and self.method == "POST"
            and not self.ended
            and self._settings.sessions.adopts(rank)
            and self._may_initialize()
        )

    def _may_initialize(self) -> bool:
        """Whether this may be an MCP client's first request; later ones name their protocol or session."""
        if not sdk.is_loaded() or self._call.method not in (None, "initialize"):
            return False
        if not _MCP_HEADERS.isdisjoint(self._telling()):
            return False
        return self.transport_type == "streamable-http"

    def _telling(self) -> dict[bytes, list[bytes]]:
        """Return the values of each header that anything is read from, by its name."""
        if self._told is None:
            # One pass for all of them: 500 instructions a header, where each name looked for by itself takes 250.
            told: dict[bytes, list[bytes]] = {}
            telling = self._settings.telling
            try:
                for name, value in self._headers:
                    if name in telling:
                        told.setdefault(name, []).append(value)
            except Exception:
                report_once("reading the headers")
            if not _MCP_HEADERS.isdisjoint(told):
                self._read_mcp_headers()
            self._told = told  # last: another thread that finds it finds what the headers tell, too
        return self._told

    def _read_mcp_headers(self) -> None:
        try:
            method = self._mcp_word(b"mcp-method")
            if method is not None and self._call is NO_CALL:  # what is known otherwise is more than the client's word
                self._call = Call(method, self._mcp_word(b"mcp-name", blanks=True))
            if self._mcp_session_id is None:
                parsed = map(self._settings.parse, header_values(self._headers, b"mcp-session-id"))
                self._mcp_session_id = next(filter(None, parsed), None)
        except Exception:
            report_once("reading the headers of MCP")

    def _mcp_word(self, name: bytes, *, blanks: bool = False) -> str | None:
        words = (clean(read_header(value), blanks=blanks) for value in header_values(self._headers, name))
        return next(filter(None, words), None)

    def _read_call(self) -> Call:
        if self._told is None:
            self._telling()
        return self._call

    def learn_call(self, method: object, name: object, call_id: object) -> None:
        """Take over what the body says of its call: that is more than what the headers say."""
        if not self._sdk_was_asked:
            self._call = Call(clean(method), clean(name, blanks=True), clean(call_id))

    def open_stream(self, session_id: bytes | None) -> None:
        """Take over the session that the first event of the response has named, if it has."""
        self.awaits_endpoint = False
        opened = self._stream_session = None if session_id is None else self._settings.parse(session_id)
        # One that has been read before is replaced, as one is that a response's head outranks.
        is_settled = opened is not None and self._session_id is not None
        if is_settled and self._settings.sessions.adopts(self._session_rank, from_stream=True):
            self._session_id, self._session_rank = opened, -1

    def header(self, name: bytes) -> list[bytes]:
        """Return every value of the request's header *name* (lower case), as they were at entry."""
        return header_values(self._headers, name)

    @property
    def mcp_session_id(self) -> str | None:
        """The session id of the MCP transport, whichever session outranks it; None, where there is none."""
        self._telling()
        if self._mcp_session_id is None:
            try:
                self._mcp_session_id = self._find_mcp_session()
            except Exception:
                report_once("reading the session id of MCP")
        return self._mcp_session_id

    @mcp_session_id.setter
    def mcp_session_id(self, value: str | None) -> None:
        self._mcp_session_id = None if value is None else str(value)

    def _find_mcp_session(self) -> str | None:
        if self._stream_session is not None:
            return self._stream_session
        sessions = self._settings.sessions
        found = None if self._response_headers is None else sessions.opened(self._response_headers)
        # A query parameter may be anybody's, unless the request is known to be a call.
        if found is None and self._query_string and self.method == "POST" and self._call.method is not None:
            return sessions.posted_to(self._query_string)
        return found

    @property
    def transport_type(self) -> str | None:
        """``websocket``, ``streamable-http`` (of MCP), ``sse`` or ``http``: as the request's headers tell."""
        if self._transport_type is None:
            self._transport_type = self._find_transport()
        return self._transport_type

    @transport_type.setter
    def transport_type(self, value: str | None) -> None:
        self._transport_type = value

    def _find_transport(self) -> str:
        if self._kind == "websocket":
            return "websocket"
        try:
            told = self._telling()
            accepted = b",".join(told.get(b"accept", ())).lower()
            streams = b"text/event-stream" in accepted
            # MCP's clients must accept both kinds of reply to a POST, and name their session or protocol otherwise.
            both = streams and b"application/json" in accepted and self.method == "POST"
            if both or not _MCP_HEADERS.isdisjoint(told):
                return "streamable-http"
            return "sse" if streams else "http"
        except Exception:
            report_once("reading the transport type")
            return "http"

    def _parent_trace(self) -> TraceContext | None:
        if b"traceparent" not in self._telling():
            return None
        try:
            inbound = self._trusted(b"traceparent")
            # Two of them, and nobody knows whose child we are: the standard restarts the trace.
            return parse_traceparent(inbound[0]) if len(inbound) == 1 else None
        except Exception:
            report_once("reading the trace context")
            return None

    @property
    def tracestate(self) -> str:
        """What other tracing systems have said of this trace; empty where the trace is not the client's."""
        if self._tracestate is not None:
            return self._tracestate
        if self.parent_span_id is None:
            return ""
        try:
            return parse_tracestate(self._trusted(b"tracestate"))
        except Exception:
            report_once("reading the trace state")
            return ""

    @property
    def baggage(self) -> str:
        """The client's W3C baggage, within the standard's limits; empty where the client is not trusted."""
        if self._baggage is not None:
            return self._baggage
        try:
            return parse_baggage(self._trusted(b"baggage"))
        except Exception:
            report_once("reading the baggage")
            return ""

    @property
    def linked_trace(self) -> TraceContext | None:
        """The client's own place in its trace, where this request is in another: not trusted, or told a better."""
        if self._settings.trust_inbound and self._tracestate is None:
            return None
        try:
            inbound = self._values(b"traceparent")
            return parse_traceparent(inbound[0]) if len(inbound) == 1 else None
        except Exception:
            report_once("reading the trace context")
            return None

    def continue_trace(self, parent: TraceContext, tracestate: str = "", baggage: str = "") -> None:
        """Make *parent* the span that called this request; unless the client is not trusted."""
        if self._settings.trust_inbound:
            super().continue_trace(parent, tracestate, baggage)

    def _trusted(self, name: bytes) -> list[str]:
        """Return the values of the header *name*, none where the client is not trusted to tell us."""
        return self._values(name) if self._settings.trust_inbound else []

    def _values(self, name: bytes) -> list[str]:
        told = self._telling()
        return [value.decode("latin-1") for value in told[name]] if name in told else []

    def _made_request_id(self) -> bool:
        return self._is_made and self._settings.generate is generate_request_id


class EdgeMetadata(ScopeMetadata):
    """The metadata of a request where only some networks are believed: others' settings trust nobody."""

    def read(self, scope: Scope, settings: Settings) -> bool:
        """Take from *scope* what every request needs; False where it cannot be read, and the request goes untraced."""
        try:
            trusted = settings.networks is not None and settings.networks.trust(scope.get("client"))
        except Exception:
            report_once("reading the client's address")
            trusted = False
        return super().read(scope, settings if trusted else settings.distrusting)


class AnsweringMetadata(ScopeMetadata):
    """The metadata of a request whose response tells more than its id."""

    def stamp(self, message: Message) -> Message:
        """Return a response's first *message*, a new one, with all of our headers."""
        message = super().stamp(message)
        try:
            self._settings.answers.add(message["headers"], self, self._public_session())
        except Exception:
            report_once("adding the response headers")
        return message

    def _public_session(self) -> str | None:
        # The digest of a token or cookie stays here: its client has the secret, and needs no second name for it.
        session_id = self.session_id
        if session_id is None or self._settings.sessions.is_secret(self._session_rank):
            return None
        return parse_id(session_id.encode("latin-1", "replace"))


class AnsweringEdgeMetadata(AnsweringMetadata, EdgeMetadata):
    """Both."""


_CLASSES: dict[tuple[bool, bool], type[ScopeMetadata]] = {
    (False, False): ScopeMetadata,
    (True, False): EdgeMetadata,
    (False, True): AnsweringMetadata,
    (True, True): AnsweringEdgeMetadata,
}


def metadata_class(settings: Settings) -> type[ScopeMetadata]:
    """Return the class for what *settings* ask for: a request pays for nothing that no option has asked for."""
    return _CLASSES[settings.networks is not None, settings.answers.needed]
