"""
W3C Trace Context, level 2, and W3C Baggage: read and write ``traceparent``, ``tracestate`` and
``baggage``.

This module works on strings.
https://www.w3.org/TR/trace-context-2/ and https://www.w3.org/TR/baggage/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from .patterns import Pattern

__all__ = (
    "RANDOM",
    "SAMPLED",
    "TraceContext",
    "TraceParts",
    "format_traceparent",
    "is_trace_id",
    "new_trace",
    "parse_baggage",
    "parse_traceparent",
    "parse_tracestate",
    "read_traceparent",
)

SAMPLED = 0x01
"""The caller may have recorded the trace."""

RANDOM = 0x02
"""The trace-id's last 14 characters, at least, are random."""

# The other bits are reserved: they have no meaning yet, and must be sent as zero (§ 3.2.2.5.3).
_KNOWN_FLAGS = SAMPLED | RANDOM
_FLAGS_TEXT = tuple(f"{flags:02x}" for flags in range(_KNOWN_FLAGS + 1))
_FLAGS = {f"{flags:02x}": flags & _KNOWN_FLAGS for flags in range(256)}

# Optional white space (RFC 9110, § 5.6.3).
_OWS = " \t"

# Version 00 is exactly four fields, 55 characters; a later version may append more after another
# "-" (§ 3.2.4).
_TRACE_AND_SPAN = r"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
_VERSION_00 = Pattern(rf"00{_TRACE_AND_SPAN}")
_LATER_VERSION = Pattern(rf"(?!00|ff)[0-9a-f]{{2}}{_TRACE_AND_SPAN}(?:-.*)?")
_NO_TRACE_ID = "0" * 32

# Since level 2 an "@" may stand anywhere in a key but at its start, and a key may start with a
# digit (§ 3.3.1.3). Compiled when there is a member to match, like the others below.
_TRACESTATE_MEMBER = r"([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_MOST_TRACESTATE_MEMBERS = 32

# The standard asks for 512 at least (§ 3.3.1.5); a line of 8 KiB is more than many servers accept.
_MOST_TRACESTATE = 4096
_LONG_TRACESTATE_MEMBER = 128

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = r"[!#-+\--:<-\[\]-~]*"
# Properties follow a ";": their meaning is not standardised.
_BAGGAGE_MEMBER = (
    rf"{_TOKEN}[ \t]*=[ \t]*{_VALUE}(?:[ \t]*;[ \t]*{_TOKEN}(?:[ \t]*=[ \t]*{_VALUE})?)*"
)
# The least that must be forwarded (§ 3.3.2), and the most here: more would be a client's choice.
_MOST_BAGGAGE_MEMBERS = 64
_MOST_BAGGAGE = 8192
_NO_BLANKS = str.maketrans("", "", _OWS)


class TraceContext(NamedTuple):
    """
    A place in a distributed trace.

    *trace_id* is 32 and *span_id* 16 lower-case hexadecimal characters, neither all zero. *flags*
    are bits: 1 for "the caller may have recorded the trace", 2 for "the trace-id is random".
    *parent_span_id* is the caller's span, or None.

    .. versionadded:: 0.1
    """

    trace_id: str
    span_id: str
    flags: int = 0
    parent_span_id: str | None = None


# The values of a trace context: as a plain tuple, they take 2,000 instructions less to make.
TraceParts = tuple[str, str, int, str | None]

# Builds the tuple from four values in C: 2,000 instructions, where the class's own __new__ takes 3,000.
new_trace = partial(tuple.__new__, TraceContext)


def parse_traceparent(value: str) -> TraceContext | None:
    """
    Return the context in the header *value*, or None when it must be ignored.

    By the standard, the trace is then restarted, and the request never fails. Undefined flags are
    not kept.
    """
    read = read_traceparent(value)
    if read is None:
        return None
    trace_id, span_id, flags = read
    return new_trace((trace_id, span_id, flags, None))


def read_traceparent(value: str) -> tuple[str, str, int] | None:
    """Return trace-id, span-id and flags as :func:`parse_traceparent` does, without an object."""
    match = _VERSION_00.fullmatch(value)
    if match is None:
        value = value.strip(_OWS)
        match = _VERSION_00.fullmatch(value) or _LATER_VERSION.fullmatch(value)
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return trace_id, span_id, _FLAGS[flags]


def format_traceparent(trace: TraceParts) -> str:
    """Return *trace* as a header's value, of version 00 and so 55 characters."""
    trace_id, span_id, flags, _ = trace
    return f"00-{trace_id}-{span_id}-{_FLAGS_TEXT[flags & _KNOWN_FLAGS]}"


def parse_tracestate(values: Iterable[str]) -> str:
    """
    Return the value to forward of the ``tracestate`` headers with these *values*: in order, without
    blanks between members.

    One invalid member, or more than 32 members, makes the result empty, as in the standard. Empty
    members are skipped, and of two members with the same key the first, the newest, is kept. A
    result of more than 4096 characters is shortened by the standard's rule: whole members are
    removed, long ones before others, then the last.
    """
    members: dict[str, str] = {}
    for member in ",".join(values).split(","):
        member = member.strip(_OWS)
        if not member:
            continue
        match = re.fullmatch(_TRACESTATE_MEMBER, member)
        if match is None:
            return ""
        members.setdefault(match[1], member)
        if len(members) > _MOST_TRACESTATE_MEMBERS:
            return ""
    return _shortened(list(members.values()))


def _shortened(members: list[str]) -> str:
    excess = len(",".join(members)) - _MOST_TRACESTATE
    for longest in (_LONG_TRACESTATE_MEMBER, 0):
        for index in reversed(range(len(members))):
            if excess > 0 and len(members[index]) > longest:
                excess -= len(members.pop(index)) + 1
    return ",".join(members)


def parse_baggage(values: Iterable[str]) -> str:
    """
    Return the value to forward of the ``baggage`` headers with these *values*: in order, without
    blanks.

    The first 64 members and 8192 bytes at most; a member that is invalid by the standard is left
    out.
    """
    members: list[str] = []
    size = -1
    for member in ",".join(values).split(","):
        member = member.strip(_OWS)
        # The length first: matching 1 MiB would be of no use.
        if (
            not member
            or size + 1 + len(member) > _MOST_BAGGAGE
            or not re.fullmatch(_BAGGAGE_MEMBER, member)
        ):
            continue
        size += 1 + len(member)
        members.append(member.translate(_NO_BLANKS))
        if len(members) == _MOST_BAGGAGE_MEMBERS:
            break
    return ",".join(members)


def is_trace_id(value: str) -> bool:
    """
    Whether *value* can serve as a trace-id as it stands: 32 lower-case hexadecimal characters, not
    all zero.
    """
    if len(value) != 32 or value == _NO_TRACE_ID:
        return False
    try:
        # Decoded and encoded again: 900 instructions, where strip(), which checks each character,
        # takes 3,500.
        return bytes.fromhex(value).hex() == value
    except ValueError:
        return False
