"""
Hooks for a protocol on top of HTTP: the call that a request carries, and the session that its
response opens.

:class:`Protocol` is plain HTTP, which adds nothing. A package that supports another protocol, such
as MCP, puts a subclass of it into :data:`hooks`, and each shim that is created afterwards uses it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .calls import NO_CALL, Call
from .sessions import SessionResolver

if TYPE_CHECKING:
    from .scope import ScopeMetadata

__all__ = ("PENDING", "App", "Protocol", "Wrapper", "hooks")

App = Callable[..., Awaitable[Any]]


class Wrapper:
    """
    A wrapper of ours around an app.

    The shim keeps the bound method of one and calls that: 700 instructions less than a call of the
    object takes.
    """

    app: App

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[Any]:
        """Serve one connection."""
        raise NotImplementedError


class _Pending(str):
    """The type of :data:`PENDING` alone, not of any client's id."""

    __slots__ = ()


PENDING = _Pending("pending")
"""The value of a session that is not known yet; compared by identity."""


class Protocol:
    """
    Plain HTTP and websockets: no calls, and no session that a response opens.

    :param sessions: the shim's session sources.
    :param parse: returns the id in a client's bytes, or None when it must not be used.
    :param observe_body: read the bodies of requests and responses, as they stream through.
    """

    headers: frozenset[bytes] = frozenset()
    """The request headers that the methods read, in lower case."""

    follows_streams = False
    """Whether :meth:`stream_started` is to be called."""

    def __init__(
        self,
        sessions: SessionResolver,
        parse: Callable[[bytes], str | None],
        *,
        observe_body: bool = False,
    ) -> None:
        self.sessions = sessions
        self.parse = parse
        self.observe_body = observe_body

    def find_call(self, request: ScopeMetadata) -> Call:
        """
        Return the call that the headers of *request* describe; without any of ``headers`` there is
        none.
        """
        return NO_CALL

    def find_transport(
        self, request: ScopeMetadata, known: Mapping[bytes, list[bytes]], accepted: bytes
    ) -> str | None:
        """
        Return the protocol's own transport type of *request*; None where it is plain HTTP.

        A request without any known header that does not accept events either is plain HTTP.

        :param known: the values of the request's known headers, by name.
        :param accepted: the request's ``Accept`` headers, joined, in lower case.
        """
        return None

    def find_session(self, request: ScopeMetadata) -> str | None:
        """Return the id of the protocol's own session, also where another session outranks it."""
        return None

    def opened_session(self, request: ScopeMetadata, rank: int) -> str | None:
        """
        Return the session that the response of *request* has opened, if it outranks a session of
        *rank*.

        Return :data:`PENDING` while the response may still open one.
        """
        return None

    def may_open_session(self, headers: Iterable[Any]) -> bool:
        """Whether a response with *headers*, of any shape, may open a session."""
        return False

    def stream_started(self, request: ScopeMetadata) -> None:
        """
        Note that the response to *request*, a GET, is a stream of events. Its start has our header,
        and has not been sent yet.
        """

    def wrap(self, app: App) -> App:
        """Return *app*, or a :class:`Wrapper` that observes its messages."""
        return app


class Hooks:
    """The protocol in use; another package may replace it."""

    protocol: type[Protocol] = Protocol


hooks = Hooks()
