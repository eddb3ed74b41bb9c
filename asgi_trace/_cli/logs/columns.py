"""
A block of our own lines as columns, see :mod:`entries`, with one value a line.

Lines are cut at fixed texts, by methods of ``str`` that :func:`map` calls. A part that comes often,
such as the second or the request, is read once, and in JSON and logfmt it is kept for later blocks.
A line of any other shape is *odd*: its values are ignored, and the reader reads it by itself. The
result is that of the reader for each line.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import compress, count, repeat
from typing import Any, Generic, NamedTuple, TypeVar

from ..._core.lines import HEAD
from ..._core.record import NO_ID
from .accesses import accesses_in, outgoing_in
from .entries import Columns, Common, with_fields
from .entry import LONGEST_TEXT, more_of
from .frames import unescaped
from .layers import Bare
from .levels import LEVELS
from .lines import cut, values_at
from .named import is_of_access
from .names import NO_IDS
from .others import columns_of_others
from .own import BEFORE_IDS, LONGEST_HEAD, OTHERS, Form, Named
from .received import all_agreed
from .records import ACCESS_FIELDS, Records, may_be_accesses
from .times import Clock

__all__ = ("columns_in_envelopes", "columns_of")

More = dict[str, Any] | None


def columns_of(form: Form, lines: Sequence[str], records: Records) -> Columns:
    """Return the columns of *lines*, most of which have this *form*."""
    columns = _columns(form, lines, records, None)
    return _with_own_origins(columns, records) if form.has_source else columns


def _columns(
    form: Form, lines: Sequence[str], records: Records, received: Sequence[Any] | None
) -> Columns:
    """
    Return the columns of *lines*, most of which have this *form*.

    :param received: the times of their envelopes.
    """
    if form is OTHERS:
        return columns_of_others(lines, records, received)
    if form.named is None:
        return _text(lines, records, received)
    # The other forms name the zone of their times.
    return _named(form.named, lines, records)


def columns_in_envelopes(form: Form, bare: Bare, records: Records) -> Columns:
    """
    Return the columns of *bare* lines, most of which have this *form*, with the times and sources
    of their envelopes.
    """
    if bare.is_escaped:
        columns = _in_strings(form, bare.lines, records)
    else:
        columns = _columns(form, bare.lines, records, bare.times)
    if not bare.is_escaped and "\x1b" in "".join(bare.lines):
        # These had colors in a string of JSON, which the reader removes.
        colored = (place for place, line in enumerate(bare.lines) if "\x1b" in line)
        columns = columns._replace(odd=sorted({*columns.odd, *colored}))
    if bare.sources is not None and any(bare.sources):
        columns = columns._replace(commons=_with_origins(columns, bare.sources, records))
    return _with_own_origins(columns, records) if form.has_source else columns


def _in_strings(form: Form, escaped: Sequence[str], records: Records) -> Columns:
    """Return the columns of lines that are *escaped*, most of which are in this *form* of JSON."""
    assert form.named is not None
    assert form.in_string is not None
    columns = _named(form.in_string, escaped, records)
    if not columns.odd:
        return columns
    # In most of these, a message has an escape.
    odd = _named(form.named, unescaped([escaped[place] for place in columns.odd]), records)
    merged: list[list[Any]] = [list(column) for column in columns[:-1]]
    for column, values in zip(merged, odd, strict=False):
        for place, value in zip(columns.odd, values, strict=True):
            column[place] = value
    return Columns._make((*merged, [columns.odd[place] for place in odd.odd]))


def _with_origins(columns: Columns, sources: Sequence[str], records: Records) -> Sequence[Common]:
    """Return what the lines of *columns* have in common, with the values of their *sources*."""
    commons = columns.commons
    origins = {source: records.origin(source) for source in set(sources)}
    source_of = dict(zip(commons, sources, strict=True))
    expected = list(sources)
    for place in columns.odd:
        expected[place] = source_of[commons[place]]
    if list(values_at(commons, source_of)) == expected:
        for common, source in source_of.items():
            common.more = _with_origin(common, origins[source])
        return commons
    # One request in two sources.
    pairs = list(zip(commons, sources, strict=True))
    known: dict[tuple[Common, str], Common] = {}
    for common, source in set(pairs):
        level, request_id, session_id, _, file, head = common.parts
        more = _with_origin(common, origins[source])
        known[common, source] = Common(level, request_id, session_id, more, file, head)
    return values_at(pairs, known)


def _with_own_origins(columns: Columns, records: Records) -> Columns:
    """Return *columns* in which a line without a source has the name of its service as one."""
    for common in set(columns.commons):
        more = common.more or {}
        if "service" in more and "source" not in more:
            common.more = {**records.origin(more["service"]), **more}
    return columns


def _with_origin(common: Common, origin: dict[str, Any]) -> More:
    """Return what a line has more than its ids, with the values of its source."""
    if common.more is None:
        return origin or None
    return {**origin, **common.more}


# -- text ------------------------------------------------------------------------------------------

# As long as a date and a time at least: a bare time counts from the line before.
_DATED = re.compile(rf"[0-9]{{4}}[\w:.,+/ -]{{15,{LONGEST_HEAD - 4}}}", re.ASCII)
_BEHIND_IDS = "] - "
# Each line repeats them; with longer ids, a head is no small part of a chunk.
_LONGEST_IDS = 400
_LONGEST_HEAD = LONGEST_HEAD + len(BEFORE_IDS) + _LONGEST_IDS + len(_BEHIND_IDS)
_OwnerOfLine = tuple[str, str, More]


def _text(lines: Sequence[str], records: Records, received: Sequence[Any] | None) -> Columns:
    """
    ``2024-01-15 10:30:15 - INFO`` `` - [req=`` ``a1b2c3d4|session=12345678`` ``] - `` ``message``
    """
    fronts, separators, messages = cut(lines, _BEHIND_IDS)
    keys: Sequence[str] = fronts
    if separators.count(_BEHIND_IDS) < len(lines):  # such a line is odd, and so is the front ""
        pairs = zip(fronts, separators, strict=True)
        keys = [front if separator else "" for front, separator in pairs]
    # Lines of one request in one second have the same front.
    distinct = list(dict.fromkeys(keys))
    heads, _, ids = cut(distinct, BEFORE_IDS)
    owners = {bracket: _owner(bracket, records) for bracket in set(ids)}
    moments = _moments(heads, distinct, fronts, records)
    time_of: dict[str, float] = {}
    common_of: dict[str, Common] = {}
    odd_common = Common(0, "", "", None, 0, "")  # not used
    is_any_odd = False
    file = records.file
    for front, head, bracket in zip(distinct, heads, ids, strict=True):
        moment, owner = moments[head], owners[bracket]
        if moment is None or owner is None:
            is_any_odd = True
            time_of[front], common_of[front] = 0.0, odd_common
            continue
        time_of[front], level = moment
        common_of[front] = Common(level, *owner, file, f"{front}{_BEHIND_IDS}")
    times = values_at(keys, time_of)
    commons = list(values_at(keys, common_of))
    odd: list[int] = []
    if is_any_odd:
        odd = [place for place, common in enumerate(commons) if common is odd_common]
    if received is not None:
        stamps = {head.partition(" - ")[0] for head in set(heads)}
        times = all_agreed(records.clock, times, stamps, lines, received, odd)
    joined = "\n".join(messages)
    places = may_be_accesses(messages, joined)
    accesses = accesses_in([messages[place] for place in places])
    for place, access in zip(places, accesses, strict=True):
        fields = outgoing_in(messages[place]) if access is None else {"access": access}
        if fields is not None:
            commons[place] = with_fields(commons[place], fields)
    return Columns(
        times,
        commons,
        messages,
        [0] * len(lines),
        _with_long(odd, lines) if _has_longer(joined, LONGEST_TEXT - _LONGEST_HEAD) else odd,
    )


def _has_longer(joined: str, most: int) -> bool:
    """Whether one of the lines *joined* has more characters than *most*; looks at few of them."""
    start = 0
    while start + most < len(joined):
        end = joined.rfind("\n", start, start + most + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def _with_long(odd: list[int], lines: Sequence[str]) -> list[int]:
    """Return *odd* with the places of the *lines* that are too long to be kept whole."""
    if max(map(len, lines)) <= LONGEST_TEXT:
        return odd
    return sorted({*odd, *(place for place, line in enumerate(lines) if len(line) > LONGEST_TEXT)})


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
    place = at = 0
    clock = records.clock
    last = clock.last
    was_ambiguous, clock.is_ambiguous = clock.is_ambiguous, False
    for head in dict.fromkeys(heads):
        known = records.heads.get(head)
        if known is None and _DATED.fullmatch(head):
            # When clocks are set back, a time without a zone may depend on the line before.
            at = heads.index(head, at)
            place = fronts.index(distinct[at], place)
            head_before = fronts[place - 1].partition(BEFORE_IDS)[0] if place else ""
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


_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_FRACTION = re.compile(r"\.(\d{1,9})Z", re.ASCII)
_MOST_KNOWN = 1024
_Value = TypeVar("_Value")


class _Known(dict[str, Any], Generic[_Value]):
    """
    The values of texts that come often: *value_of* is called once for each. A text for which it
    returns None makes its line odd.
    """

    def __init__(self, value_of: Callable[[str], _Value | None], otherwise: _Value) -> None:
        super().__init__()
        self._value_of = value_of
        self._otherwise = otherwise
        self._has_odd = False

    def __missing__(self, text: str) -> _Value | None:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        value = self[text] = self._value_of(text)
        self._has_odd |= value is None
        return value

    def of(self, texts: Sequence[str], odd: set[int]) -> Sequence[_Value]:
        """Return the value of each of *texts*, and add the places of the odd ones to *odd*."""
        values: Sequence[Any] = values_at(texts, self)
        if self._has_odd:
            odd.update(place for place, value in enumerate(values) if value is None)
            values = [self._otherwise if value is None else value for value in values]
        return values


class _Kind(NamedTuple):
    """The level and the logger of a line, and whether this logger writes access lines."""

    level: str
    aside: str
    is_access: bool


_Owner = tuple[str, str, dict[str, Any]]
_NO_OWNER: _Owner = ("", "", {})


class _Parts:
    """
    The values of the parts of lines in one *form*, which are the same in each log.
    """

    def __init__(self, form: Named) -> None:
        self.form = form
        self.seconds = _Known(self._second, 0)
        self.fractions = _Known(_fraction, 0.0)
        self.kinds = _Known(self._kind, _Kind("INFO", "", False))
        self.owners = _Known(self._owner, _NO_OWNER)
        self.are_fields = re.compile(form.fields + re.escape(form.end), re.ASCII).fullmatch
        self._is_kind = re.compile(form.level_and_logger, re.ASCII).fullmatch
        self._are_ids = re.compile(form.ids + re.escape(form.end), re.ASCII).fullmatch
        self._is_message = re.compile(form.message, re.ASCII).fullmatch
        self._are_messages = re.compile(rf"(?:{form.message}\n)*", re.ASCII).fullmatch
        self._clock = Clock()

    def _second(self, text: str) -> int | None:
        """Return the moment of the whole second with which a line begins."""
        second = text.removeprefix(self.form.start)
        if not text.startswith(self.form.start) or not _SECOND.fullmatch(second):
            return None
        moment = self._clock.read(f"{second}Z")
        return None if moment is None else int(moment)

    def _kind(self, text: str) -> _Kind | None:
        match = self._is_kind(text)
        if match is None or match[1] not in LEVELS:
            return None
        level, logger = match.groups()
        return _Kind(level, f" logger={logger}", is_of_access(logger))

    def _owner(self, text: str) -> _Owner | None:
        """Return request, session and more."""
        match = self._are_ids(text)
        if match is None:
            return None
        request_id, session_id, trace, span, parent, service = match.groups("")
        if request_id in NO_IDS or trace in NO_IDS:
            return None
        # Most often the trace is the request: one string for both.
        more = more_of(request_id if trace == request_id else trace, span, parent, service)
        return request_id, "" if session_id in NO_IDS else session_id, more

    def odd_messages(self, messages: Sequence[str]) -> Iterable[int]:
        """Return the places of the *messages* that are not in this form."""
        if all(messages) and self.form.is_quoted and _is_plain("".join(messages)):
            return ()
        if self._are_messages("\n".join((*messages, ""))):
            return ()
        return [place for place, message in enumerate(messages) if not self._is_message(message)]


def _is_plain(text: str) -> bool:
    """Whether *text* has only printable ASCII without quotes and backslashes."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _fraction(text: str) -> float | None:
    """Return the milliseconds that a fraction of a second and ``Z`` mean."""
    if text == "Z":
        return 0
    match = _FRACTION.fullmatch(text)
    return None if match is None else float(f"0.{match[1]}") * 1000


_parts = cache(_Parts)


def _named(form: Named, lines: Sequence[str], records: Records) -> Columns:
    """
    ``{"timestamp": "`` ``2024-01-15T10:30:15.250Z`` ``", "level": "`` ``INFO", "logger": "shop``
    ``", "message": "`` ``message`` ``", "request_id": "`` ``a1b2c3d4", "session_id": …``
    """
    # Where a text is missing, or they are in another order, a later part is odd.
    fronts, _, rests = cut(lines, form.before_level)
    names, _, rests = cut(rests, form.before_message)
    messages, _, tails = cut(rests, form.before_ids)
    parts = _parts(form)
    odd = set(parts.odd_messages(messages))
    start = len(form.start)
    end = start + len("2024-01-15T10:30:15")
    seconds = parts.seconds.of([front[:end] for front in fronts], odd)
    fractions = parts.fractions.of([front[end:] for front in fronts], odd)
    levels, asides, access_loggers = zip(*parts.kinds.of(names, odd), strict=True)
    # The fields of an access line are cut off: the rest is the same on all lines of its request.
    fields_of: dict[int, str] = {}
    for place in compress(count(), access_loggers):
        ids, before, fields_of[place] = tails[place].partition(form.before_fields)
        if before:
            tails[place] = ids + form.end
    owners = parts.owners.of(tails, odd)
    commons = _commons(tails, owners, levels, records.file)
    bare: Sequence[str] = messages
    if not form.is_quoted:
        bare = [text[1:-1] if text[:1] == '"' else text for text in messages]
    rows = zip(fronts, bare, asides, strict=True)
    texts = [f"{front[start:]}{message}{aside}" for front, message, aside in rows]
    for place, access in _accesses(parts, fields_of, bare):
        if access is None:
            odd.add(place)
            continue
        # The message has the values of all fields: they are not shown beside it.
        commons[place] = with_fields(commons[place], {"access": access})
        texts[place] = texts[place].removesuffix(asides[place])
    starts = list(map(operator.sub, map(len, fronts), repeat(start)))
    odd_places = sorted(odd)
    if max(map(len, texts)) > LONGEST_TEXT - _LONGEST_HEAD:
        odd_places = _with_long(odd_places, lines)
    return Columns(list(map(operator.add, seconds, fractions)), commons, texts, starts, odd_places)


def _commons(
    tails: Sequence[str], owners: Sequence[_Owner], levels: Sequence[str], file: int
) -> list[Common]:
    """Return what each line has in common with others, by the owner in its *tail* and its level."""
    owner_of = dict(zip(tails, owners, strict=True))
    usual = max(set(levels), key=levels.count)
    common_of = {tail: _common(owner, usual, file) for tail, owner in owner_of.items()}
    commons = list(values_at(tails, common_of))
    others: dict[tuple[str, str], Common] = {}
    for place in compress(count(), map(usual.__ne__, levels)):
        key = tails[place], levels[place]
        if key not in others:
            others[key] = _common(owners[place], levels[place], file)
        commons[place] = others[key]
    return commons


def _common(owner: _Owner, level: str, file: int) -> Common:
    request_id, session_id, more = owner
    head = f" - {level} - [req={request_id}|session={session_id or NO_ID}] - "
    return Common(LEVELS[level], request_id, session_id, more, file, head)


def _accesses(
    parts: _Parts, fields_of: dict[int, str], messages: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """
    Yield the place of each access line, and the fields in its message; None, where it has others
    behind its ids.

    :param fields_of: what each has behind its ids, by its place.
    """
    accesses = accesses_in([messages[place] for place in fields_of])
    for (place, text), access in zip(fields_of.items(), accesses, strict=True):
        match = parts.are_fields(text)
        is_odd = (
            match is None
            or access is None
            or not ACCESS_FIELDS.issubset(access)
            or (match[1] and "ttfb_ms" not in access)
        )
        yield place, None if is_odd else access
