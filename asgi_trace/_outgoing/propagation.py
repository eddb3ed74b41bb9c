"""
Propagation of ids and trace to other services: write them into the headers of a call or a job's
message, and read them there.

This module reads the current request, and handles headers in the types that libraries use. It uses
no library, and sends nothing itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar, overload

from .._core.current import bound_request_metadata, get_request_metadata
from .._core.faults import report_once
from .._core.ids import generate_request_id, parse_id
from .._core.request import RequestMetadata
from .._core.tracecontext import (
    TraceContext,
    format_traceparent,
    parse_baggage,
    parse_traceparent,
    parse_tracestate,
)

__all__ = (
    "bound_carrier",
    "carrier",
    "extract",
    "formats",
    "get_trace_context",
    "inject",
    "job_spans",
)


class Formats:
    """
    Further formats of the trace on outgoing calls, such as B3: a hook for one tracer.

    ``write`` is given the span of a call, and returns headers by their names in lower case.
    """

    write: Callable[[TraceContext], Mapping[str, str]] | None = None


formats = Formats()


class JobSpans:
    """
    Spans of jobs: a hook for one tracer.

    ``run`` is given the request of a job, and returns the context manager in which the job runs.
    """

    run: Callable[[RequestMetadata], AbstractContextManager[None]] | None = None


job_spans = JobSpans()

# In lower case, which HTTP/2 and gRPC require and every other protocol allows.
TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"
REQUEST_ID, SESSION_ID = "x-request-id", "x-session-id"
# The user's fields, as JSON: only in carriers, never in the headers of a call.
FIELDS = "asgi-trace-fields"
_CARRIED = (TRACEPARENT, TRACESTATE, BAGGAGE, REQUEST_ID, SESSION_ID, FIELDS)
_MOST_FIELDS = 8192

_Headers = TypeVar("_Headers")

# carrier() has an argument named bytes.
Bytes = bytes


def get_trace_context() -> TraceContext | None:
    """
    Return the current request's place in its distributed trace, or None outside a request.

    .. versionadded:: 0.1
    """
    metadata = get_request_metadata()
    return None if metadata is None else metadata.trace


def inject(headers: _Headers, *, session: bool = False, baggage: bool = False) -> _Headers:
    """
    Put the current request's trace and id into *headers*, change them in place, and return them.

    The headers are ``traceparent``, with a new span for each call, ``tracestate`` and
    ``X-Request-ID``. They replace headers of these names, in upper or lower case. Outside a request
    nothing changes.

    :param headers: a mapping, or a list of pairs, of str or bytes.
    :param session: send ``X-Session-ID`` too. It identifies the user: use it only for your own
        services.
    :param baggage: send the caller's W3C baggage too. It is the caller's data: use it only for your
        own services. It is merged with the baggage in *headers*, whose members are kept.
    :raises TypeError: for *headers* that cannot be changed, such as a tuple.

    .. versionadded:: 0.1
    """
    if type(headers) is not dict and not hasattr(headers, "__setitem__"):
        # Without the value, which may contain a secret.
        raise TypeError(
            f"headers is of type {type(headers).__name__}, which cannot be changed;"
            " expected a dict or a list, such as inject(dict(headers)) or inject(list(headers))"
        )
    metadata = get_request_metadata()
    if metadata is not None:
        replace(headers, outgoing(metadata, session, baggage))
    return headers


def outgoing(
    metadata: RequestMetadata, session: bool, baggage: bool, span: TraceContext | None = None
) -> dict[str, str]:
    """
    Return the headers of a call that the request *metadata* makes; an empty value means that the
    header must be removed.

    :param span: the call's own, where a tracer has made one.
    """
    headers: dict[str, str] | None = None
    try:
        trace = span or metadata._call_trace()
        request_id = metadata._request_id
        # A trace id, or another id of ours, needs no check, which takes 3,000 instructions.
        if request_id is not trace[0] and not metadata._has_random_id():
            request_id = _safe(request_id)
        headers = {
            TRACEPARENT: format_traceparent(trace),
            TRACESTATE: metadata.tracestate,
            REQUEST_ID: request_id or "",
        }
        if baggage:
            headers[BAGGAGE] = metadata.baggage
        if session:
            headers[SESSION_ID] = _safe(metadata.session_id)
        if formats.write is not None:
            headers.update(formats.write(TraceContext(*trace)))
    except Exception:
        report_once("writing the headers of an outgoing call")
    return headers or {TRACEPARENT: "", TRACESTATE: "", REQUEST_ID: ""}


def outgoing_span(span: TraceContext, tracestate: str) -> dict[str, str]:
    """Return the headers of a call outside a request; the call has a *span* of its own."""
    headers = {TRACEPARENT: format_traceparent(span), TRACESTATE: tracestate}
    if formats.write is not None:
        headers.update(formats.write(span))
    return headers


def _safe(given: str | None) -> str:
    """Return the id *given*; empty if the program set one that is not valid in a header."""
    return (given and parse_id(given.encode("latin-1", "replace"))) or ""


def replace(headers: Any, injected: Mapping[str, str]) -> None:
    """
    Put the *injected* ones into *headers*, in place of those with these names in upper or lower
    case. An empty value only removes a header; baggage is merged.
    """
    if type(headers) is dict and not headers:  # nothing to replace
        for name, value in injected.items():
            if value:
                headers[name] = value
        return
    new = {name: value for name, value in injected.items() if value}
    names = [*headers.keys()] if hasattr(headers, "keys") else [pair[0] for pair in headers]
    if BAGGAGE in new:
        new[BAGGAGE] = merged_baggage(baggage_of(headers), new[BAGGAGE])
    stale = injected.keys() - {BAGGAGE} | new.keys()
    _set(headers, names, stale, new)


def set_baggage(headers: Any, values: list[str]) -> None:
    """Make *values*, joined, the only baggage in *headers*."""
    names = [*headers.keys()]
    _set(headers, names, {BAGGAGE}, {BAGGAGE: ",".join(values)} if values else {})


def baggage_of(headers: Any) -> list[str]:
    """Return the values of ``baggage`` in *headers*."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    return [_text(value) for name, value in pairs if _lower(name) == BAGGAGE]


def merged_baggage(own: list[str], caller: str) -> str:
    """Return the members of a call's *own* baggage, and those of the *caller* with other keys."""
    members = [member for value in own for member in value.split(",") if member.strip()]
    keys = {_key(member) for member in members}
    members += [member for member in caller.split(",") if _key(member) not in keys]
    return parse_baggage(members)


def _key(member: str) -> str:
    return member.partition("=")[0].strip()


def _set(headers: Any, names: list[Any], stale: Set[str], new: Mapping[str, str]) -> None:
    """Remove the *stale* ones from *headers*, whose names are *names*, and add the *new* ones."""
    pairs: list[tuple[Any, Any]] = [*new.items()]
    if any(isinstance(name, bytes) for name in names):
        pairs = [(name.encode(), value.encode()) for name, value in pairs]
    if not hasattr(headers, "keys"):
        headers[:] = [pair for pair in headers if _lower(pair[0]) not in stale] + pairs
        return
    for name in names:
        if _lower(name) in stale:
            # a mapping that ignores case: the name was removed in another spelling
            with contextlib.suppress(KeyError):
                del headers[name]
    for name, value in pairs:
        headers[name] = value


def _lower(name: Any) -> str:
    return _text(name).lower()


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    return str(value)


def extract(headers: Any) -> RequestMetadata | None:
    """
    Return the request in *headers* that :func:`inject` wrote: bind it with
    :func:`bound_request_metadata`.

    It has the request id, the session id and the trace in *headers*, a new span in that trace, and
    the fields that were named to :func:`carrier`. None where *headers* is None or has nothing
    valid; never raises. The values are trusted: call this only for messages of your own services.
    An ASGI app does not need it.

    :param headers: a mapping, or an iterable of pairs, of str or bytes: a message's, gRPC's
        metadata, Kafka's headers, or the attributes of an SQS message. A value may be a list.

    .. versionadded:: 0.1
    """
    try:
        return _extracted(_values_of(headers))
    except Exception:
        report_once("reading the headers of a message")
        return None


def _values_of(headers: Any) -> dict[str, list[str]]:
    """Return the values of each of our headers, by its name."""
    values: dict[str, list[str]] = {name: [] for name in _CARRIED}
    for name, value in headers.items() if hasattr(headers, "items") else headers or ():
        known = values.get(_lower(name))
        if known is not None:
            known += _texts(value)
    return values


# The keys of the value in a message's attribute: SQS from boto3, SQS from Lambda, and SNS.
_ATTRIBUTE_VALUES = ("StringValue", "stringValue", "BinaryValue", "binaryValue", "Value")


def _texts(value: Any) -> list[str]:
    """Return the values in *value*: one, several in a list, or one in an attribute of a message."""
    if isinstance(value, Mapping):
        inner = [value[name] for name in _ATTRIBUTE_VALUES if name in value]
    elif isinstance(value, (list, tuple)):
        inner = [*value]
    else:
        inner = [value]
    return [
        _text(member) for member in inner if isinstance(member, (str, bytes, bytearray, memoryview))
    ]


def _extracted(values: dict[str, list[str]]) -> RequestMetadata | None:
    parents = values[TRACEPARENT]
    parent = parse_traceparent(parents[0]) if len(parents) == 1 else None
    request_id, session_id = _first_id(values[REQUEST_ID]), _first_id(values[SESSION_ID])
    if not (parent or request_id or session_id):
        return None
    metadata = RequestMetadata(session_id, request_id or generate_request_id())
    baggage = parse_baggage(values[BAGGAGE])
    metadata._late_values()["baggage"] = baggage
    if parent is not None:
        metadata._continue_trace(parent, parse_tracestate(values[TRACESTATE]), baggage)
    for text in values[FIELDS]:
        metadata.fields.update(_parse_fields(text))
    return metadata


def _first_id(values: list[str]) -> str | None:
    return next(
        filter(None, (parse_id(value.encode("latin-1", "replace")) for value in values)), None
    )


def _format_fields(fields: Mapping[str, object], names: Iterable[str]) -> str:
    """
    Return those of *fields* that are in *names* as JSON; a value that JSON does not have becomes
    its text.
    """
    from json import dumps  # 3 ms of import, only needed for fields

    named = {name: fields[name] for name in names if name in fields}
    return dumps(named, default=str) if named else ""


def _parse_fields(text: str) -> dict[str, object]:
    from json import loads

    try:
        fields = loads(text) if len(text) <= _MOST_FIELDS else None
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


@overload
def carrier(*, fields: Iterable[str] = (), bytes: Literal[False] = False) -> dict[str, str]: ...
@overload
def carrier(*, fields: Iterable[str] = (), bytes: Literal[True]) -> list[tuple[str, Bytes]]: ...
@overload
def carrier(
    *, fields: Iterable[str] = (), bytes: bool
) -> dict[str, str] | list[tuple[str, Bytes]]: ...
def carrier(
    *, fields: Iterable[str] = (), bytes: bool = False
) -> dict[str, str] | list[tuple[str, Bytes]]:
    """
    Return the current request as a plain dict, to send with a job: as JSON, as a message's headers,
    or pickled.

    It has the session id and the caller's baggage, too. Outside a request it is empty.

    :param fields: names of the ``RequestMetadata.fields`` to send, of at most 8 KiB as JSON; no
        other field is sent.
    :param bytes: return a list of pairs of str and bytes instead, the form of Kafka clients'
        headers.
    :raises TypeError: when *fields* is one string.

    .. versionadded:: 0.1
    """
    if isinstance(fields, str):
        raise TypeError(
            f"fields is {fields!r}; expected a sequence of names, such as ({fields!r},)"
        )
    headers: dict[str, str] = inject({}, session=True, baggage=True)
    metadata = get_request_metadata()
    kept = None if metadata is None else metadata._fields
    if kept:
        carried = _carried_fields(kept, fields)
        if carried:
            headers[FIELDS] = carried
    return [(name, value.encode()) for name, value in headers.items()] if bytes else headers


def _carried_fields(kept: Mapping[str, object], names: Iterable[str]) -> str:
    try:
        carried = _format_fields(kept, names)
        if len(carried) > _MOST_FIELDS:
            raise ValueError(
                f"the fields have {len(carried)} characters; expected at most {_MOST_FIELDS}"
            )
    except Exception:
        report_once("writing the fields of a carrier")
        return ""
    return carried


def bound_carrier(carrier: Any) -> AbstractContextManager[RequestMetadata | None]:
    """
    Make the request that sent a job the current one inside the ``with`` block.

    The job's lines have the request's id, its session and the fields that were sent; the job has
    its own span in the same trace. With OpenTelemetry (:mod:`asgi_trace.otel`), this is a CONSUMER
    span, and what the job starts is under it.

    :param carrier: the result of :func:`carrier` where the job was sent, or headers that contain
        it, or None.

    .. versionadded:: 0.1
    """
    metadata = extract(carrier)
    if metadata is None or job_spans.run is None:
        return bound_request_metadata(metadata)
    return _bound_in_span(metadata, job_spans.run)


@contextlib.contextmanager
def _bound_in_span(
    metadata: RequestMetadata, run: Callable[[RequestMetadata], AbstractContextManager[None]]
) -> Iterator[RequestMetadata]:
    with run(metadata), bound_request_metadata(metadata):
        yield metadata
