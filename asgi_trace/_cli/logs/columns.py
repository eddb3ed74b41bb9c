"""
A block of our own lines as columns: one list for each part of an entry, with one value a line.

Lines are cut at fixed texts, by methods of ``str`` that :func:`map` calls, and each part that comes
often, such as the second or the request, is read once a block. A line that is not so plain is *odd*:
its values count for nothing, and the reader takes it by itself. This gives what the reader gives for
each line.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

from ..._core.lines import HEAD, NO_ID
from .levels import LEVELS
from .names import NO_IDS
from .own import JSON, LOGFMT, LONGEST_HEAD, Form, Named
from .records import ACCESS_FIELDS, LONGEST_TEXT, Records
from .texts import access_in, outgoing_in

__all__ = ("Columns", "columns_of")

More = dict[str, Any] | None


class Columns(NamedTuple):
    """The parts of the entries of a block, and the places of the lines that are odd."""

    times: Sequence[float]
    levels: Sequence[int]
    requests: Sequence[str]
    sessions: Sequence[str]
    texts: Sequence[str]
    messages: Sequence[int]
    mores: Sequence[More]
    odd: Sequence[int]


def columns_of(form: Form, lines: list[str], records: Records) -> Columns:
    """Return the columns of *lines*, most of which have this *form*."""
    if form.is_text:
        return _text(lines, records)
    return _named(LOGFMT if form.start == LOGFMT.start else JSON, lines, records)


def _cut(texts: Sequence[str], at: str) -> tuple[tuple[str, ...], ...]:
    """Return what stands before the first *at* of each text, *at* itself or "", and the rest."""
    before, found, behind = zip(*map(str.partition, texts, repeat(at)), strict=True)
    return before, found, behind


# -- text ------------------------------------------------------------------------------------------

# As long as a date and a time at least: a bare time counts from the line before.
_DATED = re.compile(rf"[0-9]{{4}}[\w:.,+/ -]{{15,{LONGEST_HEAD - 4}}}", re.ASCII)
_OwnerOfLine = tuple[str, str, More]


def _text(lines: list[str], records: Records) -> Columns:
    """
    ``2024-01-15 10:30:15 - INFO`` `` - [req=`` ``a1b2c3d4|session=12345678`` ``] - `` ``message``
    """
    fronts, ends, messages = _cut(lines, "] - ")
    heads, _, ids = _cut(fronts, " - [req=")
    owners = {each: _owner(each, records) for each in set(ids)}
    moments = _moments(heads, records)
    known = list(map(moments.__getitem__, heads))
    whose = list(map(owners.__getitem__, ids))
    odd = [
        place
        for place, (moment, owner, end) in enumerate(zip(known, whose, ends, strict=True))
        if moment is None or owner is None or not end
    ]
    odd = _with_long(odd, lines)
    for place in odd:
        known[place], whose[place] = _NO_MOMENT, _NO_OWNER
    times, levels = zip(*known, strict=True)
    requests, sessions, mores = map(list, zip(*whose, strict=True))
    for place, message in enumerate(messages):
        # may_be_access(), without the call
        if "ms " in message or "B " in message or '" ' in message or "- - " in message:
            access = access_in(message)
            fields = outgoing_in(message) if access is None else {"access": access}
            if fields is not None:
                mores[place] = {**(mores[place] or _NO_MORE), **fields}
    starts = list(map(operator.sub, map(len, lines), map(len, messages)))
    return Columns(times, levels, requests, sessions, lines, starts, mores, odd)


def _with_long(odd: list[int], lines: Sequence[str]) -> list[int]:
    """Return *odd* with the places of the lines that are too long to be kept whole."""
    sizes = list(map(len, lines))
    if max(sizes) <= LONGEST_TEXT:
        return odd
    return sorted({*odd, *(place for place, size in enumerate(sizes) if size > LONGEST_TEXT)})


_NO_MORE: dict[str, Any] = {}
_NO_MOMENT = (0.0, 0)
_NO_OWNER: _OwnerOfLine = ("", "", None)


def _owner(ids: str, records: Records) -> _OwnerOfLine | None:
    """Return request, session and more in *ids*, the rest of a bracket; None where it is odd."""
    if not ids.isascii():
        return None
    request_id, found, session_id = ids.partition("|session=")
    more = None
    if not found or "|" in request_id or "|" in session_id or "]" in ids:
        bracket = f"0 - [req={ids}] - "
        match = HEAD.match(bracket)
        if match is None or match.end() != len(bracket) or match["mark"] != "-":
            return None
        _, request_id, session_id, words, call, _ = match.groups("")
        more = records.told(words, call)
    return (
        "" if request_id == NO_ID else request_id,
        "" if session_id == NO_ID else session_id,
        more,
    )


def _moments(heads: Sequence[str], records: Records) -> dict[str, tuple[float, int] | None]:
    """Return the time and the level in each of *heads*; None, where it is odd."""
    found: dict[str, tuple[float, int] | None] = {}
    place = 0
    clock = records.clock
    last = clock.last
    for head in dict.fromkeys(heads):
        known = records.heads.get(head)
        if known is None and _DATED.fullmatch(head):
            # A time without a zone may depend on the line before: where clocks are set back.
            place = heads.index(head, place)
            before = found.get(heads[place - 1]) if place else None
            if before is not None:
                clock.last = before[0]
            known = records.head(head)
        found[head] = known
    clock.last = last
    return found


# -- JSON and logfmt -------------------------------------------------------------------------------


_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_FRACTION = re.compile(r"\.(\d{1,9})Z", re.ASCII)


def _named(form: Named, lines: list[str], records: Records) -> Columns:
    """
    ``{"timestamp": "`` ``2024-01-15T10:30:15.250Z`` ``", "level": "`` ``INFO", "logger": "shop``
    ``", "message": "`` ``message`` ``", "request_id": "`` ``a1b2c3d4", "session_id": …``
    """
    fronts, _, tails = _cut(lines, form.before_ids)
    heads, _, messages = _cut(fronts, form.before_message)
    stamps, _, names = _cut(heads, form.before_level)
    second_ends = len(form.start) + len("2024-01-15T10:30:15")
    seconds = list(map(operator.itemgetter(slice(second_ends)), stamps))
    fractions = list(map(operator.itemgetter(slice(second_ends, None)), stamps))
    second_of = {each: _second(each, form.start, records) for each in dict.fromkeys(seconds)}
    part_of = {each: _part(each) for each in set(fractions)}
    level_of = {each: _level_and_logger(each, form) for each in set(names)}
    is_ids = re.compile(form.ids, re.ASCII).fullmatch
    owner_of = {each: _named_owner(is_ids(each)) for each in set(tails)}
    is_message = re.compile(form.message, re.ASCII).fullmatch
    start = len(form.start)
    found: list[tuple[float, int, str, str, str, int, More]] = []
    odd = []
    columns = zip(seconds, fractions, names, messages, tails, stamps, strict=True)
    for place, (second, fraction, name, message, tail, stamp) in enumerate(columns):
        whole, part = second_of[second], part_of[fraction]
        level, owner = level_of[name], owner_of[tail]
        if (
            whole is None
            or part is None
            or level is None
            or owner is None
            or not is_message(message)
        ):
            odd.append(place)
            found.append(_NO_ROW)
            continue
        number, shown, aside, is_access_logger = level
        request_id, session_id, more, bracket, access, first_byte = owner
        if message[0] == '"':
            message = message[1:-1]
        if access:
            # The message says all that the fields do: they are not shown beside it.
            fields = access_in(message)
            if (
                fields is None
                or not ACCESS_FIELDS.issubset(fields)
                or (first_byte and "ttfb_ms" not in fields)
            ):
                odd.append(place)
                found.append(_NO_ROW)
                continue
            more = {**more, "access": fields}
            aside = ""
        elif is_access_logger:
            odd.append(place)
            found.append(_NO_ROW)
            continue
        head = f"{stamp[start:]}{shown}{bracket}"
        text = f"{head}{message}{aside}"
        found.append((whole + part, number, request_id, session_id, text, len(head), more))
    times, levels, requests, sessions, texts, starts, mores = zip(*found, strict=True)
    odd = _with_long(odd, lines)
    return Columns(times, levels, requests, sessions, texts, starts, mores, odd)


_NO_ROW: tuple[float, int, str, str, str, int, More] = (0.0, 0, "", "", "", 0, None)


def _second(stamp: str, start: str, records: Records) -> int | None:
    """Return the moment of a whole second behind the *start* of a line; None, where it is odd."""
    text = stamp[len(start) :]
    if not stamp.startswith(start) or not _SECOND.fullmatch(text):
        return None
    moment = records.clock.read(f"{text}Z")
    return None if moment is None else int(moment)


def _part(fraction: str) -> float | None:
    """Return the milliseconds that a *fraction* of a second and ``Z`` mean; None, where it is odd."""
    if fraction == "Z":
        return 0
    match = _FRACTION.fullmatch(fraction)
    return None if match is None else float(f"0.{match[1]}") * 1000


def _level_and_logger(text: str, form: Named) -> tuple[int, str, str, bool] | None:
    match = re.fullmatch(form.level_and_logger, text, re.ASCII)
    if match is None or match[1] not in LEVELS:
        return None
    level, logger = match.groups()
    return LEVELS[level], f" - {level} - ", f" logger={logger}", "access" in logger


_NamedOwner = tuple[str, str, dict[str, Any], str, bool, bool]


def _named_owner(match: re.Match[str] | None) -> _NamedOwner | None:
    """
    Return request, session, more, the bracket to show, and whether it is an access line's with and
    without the time to the first byte; None where it is odd.
    """
    if match is None:
        return None
    request_id, session_id, trace, span, parent, service, access, first_byte = match.groups("")
    if request_id in NO_IDS or trace in NO_IDS:
        return None
    more: dict[str, Any] = {"trace": trace}
    for name, value in (("span", span), ("parent", parent), ("service", service)):
        if value:
            more[name] = value
    if session_id in NO_IDS:
        session_id = ""
    bracket = f"[req={request_id}|session={session_id or NO_ID}] - "
    return request_id, session_id, more, bracket, bool(access), bool(first_byte)
