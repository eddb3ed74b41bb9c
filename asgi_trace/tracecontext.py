"""
W3C Trace Context: read and write ``traceparent``.

Knows strings. Does not know ASGI, logging or context variables.
https://www.w3.org/TR/trace-context-2/
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ("TraceContext", "is_trace_id", "parse_traceparent")

# Version 00 is exactly four fields, 55 characters; a later version may append more after another "-" (§ 4.3).
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE_ID = "0" * 32


class TraceContext(NamedTuple):
    """
    A place in a distributed trace.

    *trace_id* is 32 and *span_id* 16 lower-case hexadecimal characters, neither all zero; *flags* is the
    8-bit field of which bit 0 says that the caller recorded the trace.

    .. versionadded:: 0.1
    """

    trace_id: str
    span_id: str
    flags: int = 0


def parse_traceparent(value: str) -> TraceContext | None:
    """
    Return the context in the header *value*, or None when it must be ignored.

    The standard asks us to restart the trace then, never to fail the request (§ 3.2.2.5).
    """
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "00" and more is not None:
        return None
    return TraceContext(trace_id, span_id, int(flags, 16))


def is_trace_id(value: str) -> bool:
    """Whether *value* can serve as a trace-id as it stands: 32 lower-case hexadecimal characters, not all zero."""
    return len(value) == 32 and not value.strip("0123456789abcdef") and value != _NO_TRACE_ID
