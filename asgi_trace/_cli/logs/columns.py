"""
A block of our own lines as columns: one list for each part of an entry, with one value a line.

Lines are cut at fixed texts, by methods of ``str`` that :func:`map` calls, and each part that comes
often, such as the second or the request, is read once a block. A line of any other shape is *odd*:
its values are ignored, and the reader reads it by itself. The result is that of the reader for each
line.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress, repeat
from typing import Any, NamedTuple

from ..._core.lines import HEAD, NO_ID
from .entries import values_at
from .frames import unescaped
from .layers import Bare
from .levels import LEVELS
from .names import NO_IDS
from .own import JSON, JSON_IN_STRING, LOGFMT, LONGEST_HEAD, Form, Named
from .records import ACCESS_FIELDS, LONGEST_TEXT, MARKS_OF_ACCESS, Records
from .texts import accesses_in, outgoing_in

__all__ = ("Columns", "columns_in_envelopes", "columns_of")

More = dict[str, Any] | None


class Columns(NamedTuple):
    """
    The parts of the entries of a block, as :class:`EntryColumns` has them, and the places of the
    lines that are odd.
    """

    times: Sequence[float]
    levels: Sequence[int]
    requests: Sequence[str]
    sessions: Sequence[str]
    texts: Sequence[str]
    messages: Sequence[int]
    mores: Sequence[More]
    heads: Sequence[str]
    odd: Sequence[int]


def columns_of(
    form: Form, lines: Sequence[str], records: Records, received: Sequence[Any] | None = None
) -> Columns:
    """
    Return the columns of *lines*, most of which have this *form*.

    :param received: the times of their envelopes.
    """
    if form.is_text:
        return _text(lines, records, received)
    # The other forms name the zone of their times.
    return _named(LOGFMT if form.start == LOGFMT.start else JSON, lines, records)


def columns_in_envelopes(form: Form, bare: Bare, records: Records) -> Columns:
    """
    Return the columns of *bare* lines, most of which have this *form*, with the times and sources
    of their envelopes.
    """
    columns = (
        _in_strings(bare.lines, records)
        if bare.is_escaped
        else columns_of(form, bare.lines, records, bare.times)
    )
    if bare.sources is not None and any(bare.sources):
        origins = {source: records.origin(source) for source in set(bare.sources)}
        mores = _with_origins(columns.mores, bare.sources, origins)
        columns = columns._replace(mores=mores)
    return columns


def _in_strings(escaped: Sequence[str], records: Records) -> Columns:
    """Return the columns of lines that are *escaped*, most of which are in our JSON."""
    columns = _named(JSON_IN_STRING, escaped, records)
    if not columns.odd:
        return columns
    # In most of these, a message has an escape.
    odd = _named(JSON, unescaped([escaped[place] for place in columns.odd]), records)
    merged: list[list[Any]] = [list(column) for column in columns[:-1]]
    for column, values in zip(merged, odd, strict=False):
        for place, value in zip(columns.odd, values, strict=True):
            column[place] = value
    return Columns._make((*merged, [columns.odd[place] for place in odd.odd]))


def _with_origins(
    mores: Sequence[More], sources: Sequence[str], origins: dict[str, dict[str, Any]]
) -> Sequence[More]:
    """Return *mores*, each with the values of its line's source."""
    known: dict[tuple[int, str], dict[str, Any]] = {}  # lines of one request share one dict
    merged: list[More] = []
    for more, source in zip(mores, sources, strict=True):
        if more is None:
            merged.append(origins[source] or None)
            continue
        key = id(more), source
        both = known.get(key)
        if both is None:
            both = known[key] = {**origins[source], **more}
        merged.append(both)
    return merged


def _cut(texts: Sequence[str], at: str) -> tuple[tuple[str, ...], ...]:
    """Return the part before the first *at* of each text, *at* itself or "", and the rest."""
    before, separators, behind = zip(*map(str.partition, texts, repeat(at)), strict=True)
    return before, separators, behind


# -- text ------------------------------------------------------------------------------------------

# As long as a date and a time at least: a bare time counts from the line before.
_DATED = re.compile(rf"[0-9]{{4}}[\w:.,+/ -]{{15,{LONGEST_HEAD - 4}}}", re.ASCII)
_BEFORE_IDS = " - [req="
_BEHIND_IDS = "] - "
# Each line repeats them; with longer ids, a head is no small part of a chunk.
_LONGEST_IDS = 400
_LONGEST_HEAD = LONGEST_HEAD + len(_BEFORE_IDS) + _LONGEST_IDS + len(_BEHIND_IDS)
_OwnerOfLine = tuple[str, str, More]
_Row = tuple[float, int, str, str, More, str]


def _text(lines: Sequence[str], records: Records, received: Sequence[Any] | None) -> Columns:
    """
    ``2024-01-15 10:30:15 - INFO`` `` - [req=`` ``a1b2c3d4|session=12345678`` ``] - `` ``message``
    """
    fronts, separators, messages = _cut(lines, _BEHIND_IDS)
    keys = list(fronts)
    if separators.count(_BEHIND_IDS) < len(lines):  # such a line is odd, and so is the front ""
        for place, separator in enumerate(separators):
            if not separator:
                keys[place] = ""
    # Lines of one request in one second have the same front.
    distinct = list(dict.fromkeys(keys))
    heads, _, ids = _cut(distinct, _BEFORE_IDS)
    owners = {bracket: _owner(bracket, records) for bracket in set(ids)}
    moments = _moments(heads, distinct, fronts, records)
    rows_of_fronts = map(_row, map(moments.get, heads), map(owners.get, ids), distinct)
    row_of = dict(zip(distinct, rows_of_fronts, strict=True))
    rows = list(values_at(keys, row_of))
    odd: list[int] = []
    if None in row_of.values():
        odd = [place for place, row in enumerate(rows) if row is None]
    for place in odd:
        rows[place] = _NO_ROW
    own_times, levels, requests, sessions, shared, whole_heads = zip(*rows, strict=True)
    times: Sequence[float] = own_times
    if received is not None:
        stamps = {head.partition(" - ")[0] for head in set(heads)}
        times = records.agreed(own_times, stamps, lines, received, odd)
    mores = list(shared)
    joined = "\n".join(messages)
    places = _may_be_accesses(messages, joined)
    accesses = accesses_in([messages[place] for place in places])
    for place, access in zip(places, accesses, strict=True):
        fields = outgoing_in(messages[place]) if access is None else {"access": access}
        if fields is not None:
            mores[place] = {**(mores[place] or _NO_MORE), **fields}
    return Columns(
        times,
        levels,
        requests,
        sessions,
        messages,
        [0] * len(lines),
        mores,
        whole_heads,
        _with_long(odd, lines) if _has_longer(joined, LONGEST_TEXT - _LONGEST_HEAD) else odd,
    )


def _may_be_accesses(messages: Sequence[str], joined: str) -> list[int]:
    """Return the places of the *messages* for which :func:`may_be_access` is true."""
    places: set[int] = set()
    for mark in MARKS_OF_ACCESS:
        if mark[0] in joined:  # a search for one character takes no time
            places.update([place for place, message in enumerate(messages) if mark in message])
    return sorted(places)


def _has_longer(joined: str, most: int) -> bool:
    """Whether one of the lines *joined* has more characters than *most*; looks at few of them."""
    start = 0
    while start + most < len(joined):
        end = joined.rfind("\n", start, start + most + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def _row(moment: tuple[float, int] | None, owner: _OwnerOfLine | None, front: str) -> _Row | None:
    if moment is None or owner is None:
        return None
    return *moment, *owner, f"{front}{_BEHIND_IDS}"


def _with_long(odd: list[int], lines: Sequence[str]) -> list[int]:
    """Return *odd* with the places of the *lines* that are too long to be kept whole."""
    if max(map(len, lines)) <= LONGEST_TEXT:
        return odd
    return sorted({*odd, *(place for place, line in enumerate(lines) if len(line) > LONGEST_TEXT)})


_NO_MORE: dict[str, Any] = {}
_NO_ROW: _Row = (0.0, 0, "", "", None, "")


def _owner(ids: str, records: Records) -> _OwnerOfLine | None:
    """Return request, session and more in *ids*, the rest of a bracket; None where it is odd."""
    if not ids.isascii() or "\x1b" in ids or len(ids) > _LONGEST_IDS:  # not ours, or a color
        return None
    request_id, separator, session_id = ids.partition("|session=")
    more = None
    if not separator or "|" in request_id or "|" in session_id or "]" in ids:
        bracket = f"0 - [req={ids}] - "
        match = HEAD.match(bracket)
        if match is None or match.end() != len(bracket) or match["mark"] != "-":
            return None
        _, request_id, session_id, words, call, _ = match.groups("")
        more = records.details(words, call)
    return (
        "" if request_id == NO_ID else request_id,
        "" if session_id == NO_ID else session_id,
        more,
    )


def _moments(
    heads: Sequence[str], distinct: Sequence[str], fronts: Sequence[str], records: Records
) -> dict[str, tuple[float, int] | None]:
    """
    Return the time and the level in each of *heads*; None, where it is odd.

    :param distinct: the fronts that have these heads.
    :param fronts: the fronts of all lines.
    """
    times: dict[str, tuple[float, int] | None] = {}
    place = 0
    clock = records.clock
    last = clock.last
    was_ambiguous, clock.is_ambiguous = clock.is_ambiguous, False
    # Reversed, so that the dict has the first front of each head.
    front_of = dict(zip(reversed(heads), reversed(distinct), strict=True))
    for head in dict.fromkeys(heads):
        front = front_of[head]
        known = records.heads.get(head)
        if known is None and _DATED.fullmatch(head):
            # When clocks are set back, a time without a zone may depend on the line before.
            place = fronts.index(front, place)
            head_before = fronts[place - 1].partition(_BEFORE_IDS)[0] if place else ""
            before = times.get(head_before)
            if before is not None:
                clock.last = before[0]
            known = records.head(head)
        times[head] = known
    clock.last = last
    if clock.is_ambiguous:  # the same head may mean another time in a later line
        return dict.fromkeys(times)
    clock.is_ambiguous = was_ambiguous
    return times


# -- JSON and logfmt -------------------------------------------------------------------------------


_NamedOwner = tuple[str, str, dict[str, Any], str]

_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_FRACTION = re.compile(r"\.(\d{1,9})Z", re.ASCII)


def _named(form: Named, lines: Sequence[str], records: Records) -> Columns:
    """
    ``{"timestamp": "`` ``2024-01-15T10:30:15.250Z`` ``", "level": "`` ``INFO", "logger": "shop``
    ``", "message": "`` ``message`` ``", "request_id": "`` ``a1b2c3d4", "session_id": …``
    """
    # Where a text is missing, the line is odd; where they are in another order, a part is empty.
    stamp_ends = list(map(str.find, lines, repeat(form.before_level)))
    name_ends = list(map(str.find, lines, repeat(form.before_message), stamp_ends))
    message_ends = list(map(str.find, lines, repeat(form.before_ids), name_ends))
    start = len(form.start)
    second_end = start + len("2024-01-15T10:30:15")
    seconds = [line[:second_end] for line in lines]
    fractions = [line[second_end:end] for line, end in zip(lines, stamp_ends, strict=True)]
    names = _between(lines, stamp_ends, len(form.before_level), name_ends)
    messages = _between(lines, name_ends, len(form.before_message), message_ends)
    before_tail = len(form.before_ids)
    tails = [line[end + before_tail :] for line, end in zip(lines, message_ends, strict=True)]
    level_of = {text: _level_and_logger(text, form) for text in set(names)}
    kinds = values_at(names, _or(level_of, _NO_KIND))
    levels, shown, asides, access_loggers = zip(*kinds, strict=True)
    # The fields of an access line are cut off: the rest is the same on all lines of its request.
    fields_of: dict[int, str] = {}
    for place in _places(access_loggers):
        ids, before, fields_of[place] = tails[place].partition(form.before_fields)
        if before:
            tails[place] = ids + form.end
    second_of = {text: _second(text, form.start, records) for text in dict.fromkeys(seconds)}
    part_of = {text: _part(text) for text in set(fractions)}
    is_ids = re.compile(form.ids + re.escape(form.end), re.ASCII).fullmatch
    owner_of = {text: _named_owner(is_ids(text)) for text in set(tails)}

    odd = _without_message(form, messages)
    for ends in (stamp_ends, name_ends, message_ends):
        if min(ends) < 0:
            odd.update(place for place, end in enumerate(ends) if end < 0)
    for known, keys in (
        (second_of, seconds),
        (part_of, fractions),
        (level_of, names),
        (owner_of, tails),
    ):
        odd |= _without_value(known, keys)
    whole = values_at(seconds, _or(second_of, 0))
    parts = values_at(fractions, _or(part_of, 0))
    times = list(map(operator.add, whole, parts))
    owners = values_at(tails, _or(owner_of, _NO_NAMED_OWNER))
    requests, sessions, shared, brackets = zip(*owners, strict=True)
    mores = list(shared)
    bare: Sequence[str] = messages
    if form.start == LOGFMT.start:
        bare = [text[1:-1] if text[:1] == '"' else text for text in messages]
    rows = zip(lines, stamp_ends, shown, bare, asides, strict=True)
    texts = [
        f"{line[start:end]}{level}{message}{aside}" for line, end, level, message, aside in rows
    ]
    for place, access in _accesses(form, fields_of, bare):
        if access is None:
            odd.add(place)
            continue
        # The message has the values of all fields: they are not shown beside it.
        mores[place] = {**mores[place], "access": access}
        texts[place] = texts[place].removesuffix(asides[place])
    starts = [end - start + len(level) for end, level in zip(stamp_ends, shown, strict=True)]
    odd_places = sorted(odd)
    if max(message_ends) > LONGEST_TEXT - _LONGEST_HEAD:
        odd_places = _with_long(odd_places, lines)
    return Columns(times, levels, requests, sessions, texts, starts, mores, brackets, odd_places)


def _accesses(
    form: Named, fields_of: dict[int, str], messages: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """
    Yield the place of each access line, and the fields in its message; None, where it has others
    behind its ids.

    :param fields_of: what each has behind its ids, by its place.
    """
    is_fields = re.compile(form.fields + re.escape(form.end), re.ASCII).fullmatch
    accesses = accesses_in([messages[place] for place in fields_of])
    for (place, text), access in zip(fields_of.items(), accesses, strict=True):
        match = is_fields(text)
        is_odd = (
            match is None
            or access is None
            or not ACCESS_FIELDS.issubset(access)
            or (match[1] and "ttfb_ms" not in access)
        )
        yield place, None if is_odd else access


def _between(
    lines: Sequence[str], ends: Sequence[int], size: int, next_ends: Sequence[int]
) -> list[str]:
    """Return the part of each line from *size* after the first place up to the second."""
    rows = zip(lines, ends, next_ends, strict=True)
    return [line[end + size : next_end] for line, end, next_end in rows]


def _without_message(form: Named, messages: Sequence[str]) -> set[int]:
    """Return the places of the *messages* that are not in this *form*."""
    block = re.compile(rf"(?:{form.message}\n)*", re.ASCII)
    if block.fullmatch("\n".join((*messages, ""))):
        return set()
    is_message = re.compile(form.message, re.ASCII).fullmatch
    return {place for place, message in enumerate(messages) if not is_message(message)}


def _without_value(known: dict[str, Any], keys: Sequence[str]) -> set[int]:
    """Return the places of those *keys* without a known value."""
    unknown = {key for key, value in known.items() if value is None}
    if not unknown:
        return set()
    return {place for place, key in enumerate(keys) if key in unknown}


def _or(known: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return *known* with *value* in place of None: the value of an odd line is not used."""
    if all(known.values()):
        return known
    return {key: value if present is None else present for key, present in known.items()}


def _places(marks: Sequence[object]) -> list[int]:
    """Return the places of those *marks* that are true."""
    return list(compress(range(len(marks)), marks))


_NO_KIND = (0, "", "", False)
_NO_NAMED_OWNER: _NamedOwner = ("", "", {}, "")


def _second(stamp: str, start: str, records: Records) -> int | None:
    """Return the moment of a whole second after the *start* of a line; None, where it is odd."""
    text = stamp[len(start) :]
    if not stamp.startswith(start) or not _SECOND.fullmatch(text):
        return None
    moment = records.clock.read(f"{text}Z")
    return None if moment is None else int(moment)


@lru_cache(maxsize=4096)
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
    return LEVELS[level], f" - {level}", f" logger={logger}", "access" in logger


def _named_owner(match: re.Match[str] | None) -> _NamedOwner | None:
    """Return request, session, more and the bracket to show; None where it is odd."""
    if match is None:
        return None
    request_id, session_id, trace, span, parent, service = match.groups("")
    if request_id in NO_IDS or trace in NO_IDS:
        return None
    # Most often the trace is the request: one string for both.
    more: dict[str, Any] = {"trace": request_id if trace == request_id else trace}
    if span:
        more["span"] = span
    if parent:
        more["parent"] = parent
    if service:
        more["service"] = service
    if session_id in NO_IDS:
        session_id = ""
    bracket = f" - [req={request_id}|session={session_id or NO_ID}] - "
    return request_id, session_id, more, bracket
