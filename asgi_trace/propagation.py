"""
What goes along to the next hop: into the headers of a call, or with a job on its way through a queue; and out of them.

Knows the current request and the shapes in which libraries hold headers. Knows no library, and sends nothing itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from .current import bound_request_metadata, get_request_metadata
from .faults import report_once
from .ids import generate_request_id, parse_id
from .request import RequestMetadata
from .tracecontext import TraceContext, format_traceparent, parse_baggage, parse_traceparent, parse_tracestate

__all__ = ("bound_carrier", "carrier", "extract", "get_trace_context", "inject")

# In lower case, which HTTP/2 and gRPC ask for and every other protocol admits.
TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"
REQUEST_ID, SESSION_ID = "x-request-id", "x-session-id"

_Headers = TypeVar("_Headers")


def get_trace_context() -> TraceContext | None:
    """
    Return the current request's place in its distributed trace, or None outside a request.

    .. versionadded:: 0.1
    """
    metadata = get_request_metadata()
    return None if metadata is None else metadata.trace


def inject(headers: _Headers, *, session: bool = False) -> _Headers:
    """
    Put the current request's trace and id into *headers*, change them in place, and return them.

    That is ``traceparent``, with a span of its own for each call, ``tracestate`` and ``X-Request-ID``, which replace
    what is there by these names in any case; and the caller's ``baggage``, unless there is some already. Outside a
    request nothing changes.

    :param headers: a mapping, or a list of pairs, of str or bytes.
    :param session: send ``X-Session-ID`` too. It tells who asks: only to services of your own.

    .. versionadded:: 0.1
    """
    metadata = get_request_metadata()
    if metadata is not None:
        replace(headers, outgoing(metadata, session=session))
    return headers


def outgoing(metadata: RequestMetadata, *, session: bool) -> dict[str, str]:
    """Return the headers of a call that the request *metadata* makes; an empty one is one that must not be there."""
    found = dict.fromkeys((TRACEPARENT, TRACESTATE, REQUEST_ID), "")
    try:
        found[TRACEPARENT] = format_traceparent(metadata._call_trace())
        found[TRACESTATE] = metadata.tracestate
        found[BAGGAGE] = metadata.baggage
        found[REQUEST_ID] = _safe(metadata.request_id)
        if session:
            found[SESSION_ID] = _safe(metadata.session_id)
    except Exception:
        report_once("writing the headers of an outgoing call")
    return found


def _safe(given: str | None) -> str:
    """Return the id *given*, or nothing where a hand has set one that no header may have in it."""
    return (given and parse_id(given.encode("latin-1", "replace"))) or ""


def replace(headers: Any, found: Mapping[str, str]) -> None:
    """Replace in *headers* those that are *found*, in any case; baggage stays where there is some."""
    names = [*headers.keys()] if hasattr(headers, "keys") else [pair[0] for pair in headers]
    present = {_lower(name) for name in names}
    stale = present & found.keys() - {BAGGAGE}
    pairs = [(name, value) for name, value in found.items() if value and not (name == BAGGAGE and name in present)]
    if any(isinstance(name, bytes) for name in names):
        pairs = [(name.encode(), value.encode()) for name, value in pairs]  # type: ignore[misc]
    if not hasattr(headers, "keys"):
        headers[:] = [pair for pair in headers if _lower(pair[0]) not in stale] + pairs
        return
    for name in names:
        if _lower(name) in stale:
            with contextlib.suppress(KeyError):  # the mapping knows no case, and has lost it with another spelling
                del headers[name]
    for name, value in pairs:
        headers[name] = value


def _lower(name: Any) -> str:
    return _text(name).lower()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def extract(headers: Any) -> RequestMetadata | None:
    """
    Return what *headers*, as :func:`inject` wrote them, tell: a request to bind with :func:`bound_request_metadata`.

    It has the request id and the session id that came, and a span of its own in the trace that came. None where they
    tell nothing that is valid, or are None themselves; never raises. They are believed: ask only what services of your
    own have sent. An ASGI app has no need of it.

    :param headers: a mapping, or an iterable of pairs, of str or bytes: a message's, say.

    .. versionadded:: 0.1
    """
    told: dict[str, list[str]] = {name: [] for name in (TRACEPARENT, TRACESTATE, BAGGAGE, REQUEST_ID, SESSION_ID)}
    try:
        for name, value in headers.items() if hasattr(headers, "items") else headers or ():
            if value is not None and (known := told.get(_lower(name))) is not None:
                known.append(_text(value))
        parents, states, baggage, *ids = told.values()
        request_id, session_id = (
            next(filter(None, (parse_id(each.encode("latin-1", "replace")) for each in values)), None) for values in ids
        )
        parent = parse_traceparent(parents[0]) if len(parents) == 1 else None
        if not (parent or request_id or session_id):
            return None
        found = RequestMetadata(session_id, request_id or generate_request_id())
        found._late_values()["baggage"] = parse_baggage(baggage)
        if parent is not None:
            found._continue_trace(parent, parse_tracestate(states), found.baggage)
        return found
    except Exception:
        report_once("reading the headers of a message")
        return None


def carrier() -> dict[str, str]:
    """
    Return the current request as a plain dict, to send along with a job: as JSON, as a message's headers, pickled.

    Its session is in it too. Outside a request it is empty.

    .. versionadded:: 0.1
    """
    return inject({}, session=True)


def bound_carrier(carrier: Any) -> AbstractContextManager[RequestMetadata | None]:
    """
    Make the request that a job was sent from the current one inside the ``with`` block.

    The job's lines have its request id and its session; the job is a span of its own in the same trace.

    :param carrier: what :func:`carrier` returned where the job was sent, or headers that have it in them, or None.

    .. versionadded:: 0.1
    """
    return bound_request_metadata(extract(carrier))
