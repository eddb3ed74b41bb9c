"""
The current request: one context variable that holds its metadata, and the functions that read and
set it.

This module does not read ASGI scopes, headers or log records. Where a library runs the work of a
request in the context of an earlier one, the package that supports the library finds the right
request: see :data:`elsewhere`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import Context, ContextVar, Token
from sys import modules
from typing import NamedTuple

from .exceptions import stamp_exception
from .request import RequestMetadata

__all__ = (
    "Elsewhere",
    "RequestToken",
    "bind",
    "bound",
    "bound_request_metadata",
    "elsewhere",
    "get_request_id",
    "get_request_metadata",
    "get_session_id",
    "metadata_before",
    "metadata_in",
    "request_id_ctx",
    "reset_request_metadata",
    "session_id_ctx",
    "set_request_metadata",
    "unbind",
)

_current: ContextVar[RequestMetadata | None] = ContextVar("asgi_trace_request", default=None)

# The bare methods, for the hot path: a function around each costs 60 ns.
bind = _current.set
unbind = _current.reset
bound = _current.get


class Elsewhere:
    """
    Where else the request of the current call may be found: a hook for one library. Unused, it
    costs one dict lookup.

    ``module`` is the library's name in :data:`sys.modules` once it is loaded. ``find`` is then
    called with a context (None: the current one), and returns the request of the call that the
    library handles in it, or None.
    """

    module: str = ""
    find: Callable[[Context | None], RequestMetadata | None]


elsewhere = Elsewhere()


class _SetByHand(NamedTuple):
    """
    The request that the program has set by hand, and the request *during* which it did so.

    It is valid for that request alone. The handler of a later call may run in the context of an
    earlier one, and must not use the earlier call's request.
    """

    metadata: RequestMetadata | None
    during: RequestMetadata | None


_by_hand: ContextVar[_SetByHand | None] = ContextVar("asgi_trace_by_hand", default=None)


class RequestToken(NamedTuple):
    """Undoes one :func:`set_request_metadata`."""

    current: Token[RequestMetadata | None]
    by_hand: Token[_SetByHand | None]


def _began(held: RequestMetadata | None, by_hand: _SetByHand | None) -> RequestMetadata | None:
    """
    Return the request in which *held* became the current one: itself, unless it was set by hand.
    """
    if by_hand is not None and by_hand.metadata is held:
        return by_hand.during
    return held


def _choose(
    held: RequestMetadata | None, by_hand: _SetByHand | None, context: Context | None = None
) -> RequestMetadata | None:
    """
    Return the request of *context*, whose variables are *held* and *by_hand*; of two, the one of
    the later call.
    """
    outer = elsewhere.find(context)
    if outer is None or _is_later(_began(held, by_hand), outer):
        return held
    return outer


def _is_later(held: RequestMetadata | None, other: RequestMetadata) -> bool:
    """
    Whether *held* is *other*, or began after it: the request of an app that a handler calls in its
    own process.
    """
    if held is None or held is other:
        return held is not None
    try:
        return held.start_time > other.start_time
    except TypeError:  # the user has assigned a time that is no number
        return False


def metadata_in(context: Context) -> RequestMetadata | None:
    """Return the metadata object that is the current one in *context*, or None."""
    held = context.get(_current)
    if elsewhere.module not in modules:
        return held
    return _choose(held, context.get(_by_hand), context)


def metadata_before(token: Token[RequestMetadata | None]) -> RequestMetadata | None:
    """
    Return the metadata object that was the current one when *token* was made, in this context, or
    None.
    """
    old = token.old_value
    held = None if old is Token.MISSING else old
    if elsewhere.module not in modules:
        return held
    return _choose(held, _by_hand.get())


def get_request_metadata() -> RequestMetadata | None:
    """
    Return the current request's one metadata object, or None outside a request. Never raises.

    In a handler of an MCP server, this is the HTTP request that carried the call, also where the
    SDK runs the handler in the context of another request.

    .. versionadded:: 0.1
    """
    if elsewhere.module in modules:
        return _choose(_current.get(), _by_hand.get())
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


def set_request_metadata(metadata: RequestMetadata | None) -> RequestToken:
    """
    Make *metadata* the current request's, and return the token that undoes it.

    :raises TypeError: when *metadata* is neither a :class:`RequestMetadata` nor None.

    .. versionadded:: 0.1
    """
    if metadata is not None and not isinstance(metadata, RequestMetadata):
        # The type alone: a dict of headers may hold a token.
        raise TypeError(
            f"the request metadata is of type {type(metadata).__name__}; "
            "expected RequestMetadata, as extract(headers) returns it, or None"
        )
    during = _began(_current.get(), _by_hand.get())
    if elsewhere.module in modules:
        during = _choose(during, None)
    by_hand = _by_hand.set(_SetByHand(metadata, during))
    return RequestToken(_current.set(metadata), by_hand)


def reset_request_metadata(token: RequestToken) -> None:
    """
    Undo the :func:`set_request_metadata` that returned *token*.

    In any other context this does nothing: a coroutine may be closed by the garbage collector, or
    by a loop that shuts down.

    .. versionadded:: 0.1
    """
    with contextlib.suppress(ValueError):
        _reset(token)


def _reset(token: RequestToken) -> None:
    _current.reset(token.current)
    _by_hand.reset(token.by_hand)


@contextlib.contextmanager
def bound_request_metadata(metadata: RequestMetadata | None) -> Iterator[RequestMetadata | None]:
    """
    Make *metadata* the current request's inside the ``with`` block.

    For work outside HTTP: ``with bound_request_metadata(RequestMetadata(session_id="nightly")):``.
    An exception that leaves the block carries its ids, unless the block is inside another request:
    a worker or scheduler that logs it later logs it with them.

    :raises TypeError: when *metadata* is neither a :class:`RequestMetadata` nor None.

    .. versionadded:: 0.1
    """
    outer = get_request_metadata()
    token = set_request_metadata(metadata)
    try:
        yield metadata
    except Exception as exc:
        if metadata is not None and outer is None:
            stamp_exception(exc, metadata)
        raise
    finally:
        reset_request_metadata(token)


class _IdVariable:
    """
    One id of the current request, with the methods of a :class:`contextvars.ContextVar`.

    ``get`` returns the id that log lines have. ``set`` changes it in the current context only, like
    any context variable; to change the id for the whole request, assign to
    ``get_request_metadata().session_id``. ``name`` is that of the id.

    .. versionadded:: 0.1
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def get(self, default: str | None = None) -> str | None:
        """Return the id, or *default* where there is none."""
        metadata = get_request_metadata()
        value = None if metadata is None else getattr(metadata, self.name)
        return default if value is None else value

    def set(self, value: str | None) -> RequestToken:
        """Make *value* the id in this context and return a token for :meth:`reset`."""
        metadata = get_request_metadata()
        changed = RequestMetadata() if metadata is None else metadata._twin()
        setattr(changed, self.name, value)
        return set_request_metadata(changed)

    def reset(self, token: RequestToken) -> None:
        """
        Undo the :meth:`set` that returned *token*; raises for another variable's token, like any
        context variable.
        """
        _reset(token)

    def __repr__(self) -> str:
        return f"<{self.name} of the current request>"


session_id_ctx = _IdVariable("session_id")
request_id_ctx = _IdVariable("request_id")
