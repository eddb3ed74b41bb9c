"""
A block of lines that have our ids in the form of another formatter, as columns, see :mod:`entries`.

Such a line is a front, the bracket with our ids, and a message. The front has a time in the form of
ISO 8601, and a level. Of fronts that differ only in their times, one is read, by the reader of single
lines. A line of any other shape is *odd*: its values are ignored, and that reader reads it. The
result is that of this reader for each line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timezone
from itertools import repeat
from typing import Any

from ..._core.patterns import Pattern
from .accesses import access_lines, accesses_in
from .beginnings import begins_log
from .entries import Columns, Common, with_fields
from .entry import LONGEST_TEXT
from .envelopes import Peeler
from .foreign import access_behind
from .lines import cut, values_at
from .names import NO_IDS
from .own import BEFORE_STAMP, ID, LONGEST_FRONT, STAMP, own_head
from .received import agreed
from .records import Records, may_be_accesses
from .times import Clock, find_time

__all__ = ("columns_of_others",)

# The text before the time, the time, and the text behind it.
_FRONT = Pattern(rf"({BEFORE_STAMP})({STAMP})([^\n]*)\n|[^\n]*\n", re.ASCII)
_IDS = "[req="
_BRACKET = Pattern(rf"({ID})\|session=({ID})((?:\|{ID})*)", re.ASCII)
# The characters between the bracket and the message, and those of a line whose message is before it.
_BETWEEN = " \t]|)-:"
_NO_MESSAGE = " \t)]}>."
# The most fronts that are read of one block, since each takes as long as several lines; and the most
# that are kept of a log.
_MOST_READ = 64
_MOST_FRONTS = 4096
# The text before a time, the length of the time, and the text behind it.
Front = tuple[str, int, str]


def columns_of_others(
    lines: Sequence[str], records: Records, received: Sequence[Any] | None
) -> Columns:
    """
    Return the columns of *lines*, most of which have our ids in the form of another formatter.

    :param received: the times of their envelopes.
    """
    texts, _, rests = cut(lines, _IDS)
    brackets, ends, tails = cut(rests, "]")
    rows = _FRONT.findall("\n".join((*texts, "")))
    befores, stamps, behinds = zip(*rows, strict=True)
    messages = list(map(str.lstrip, tails, repeat(_BETWEEN)))
    fronts = list(zip(befores, map(len, stamps), behinds, strict=True))
    levels = values_at(fronts, _levels(fronts, stamps, records))
    parts = zip(behinds, brackets, ends, tails, messages, strict=True)
    heads = [
        f"{behind}{_IDS}{bracket}{end}{tail[: len(tail) - len(message)]}"
        for behind, bracket, end, tail, message in parts
    ]
    owners = {bracket: _owner(bracket, records) for bracket in set(brackets)}
    kinds = list(zip(levels, heads, strict=True))
    common_of = {
        kind: _common(*kind, owners[bracket], records.file)
        for kind, bracket in dict(zip(kinds, brackets, strict=True)).items()
    }
    commons: list[Any] = list(values_at(kinds, common_of))
    odd = _odd(lines, messages, tails)
    accesses = _accesses(lines, messages, records, odd)
    odd.update(place for place, common in enumerate(commons) if common is None)
    times = _times(stamps, records, odd)
    if received is not None:
        moments = zip(times, stamps, received, strict=True)
        times = [_agreed(records.clock, when, stamp, moment) for when, stamp, moment in moments]
    starts = [len(before) + len(stamp) for before, stamp in zip(befores, stamps, strict=True)]
    shown = [
        f"{before}{stamp}{message}"
        for before, stamp, message in zip(befores, stamps, messages, strict=True)
    ]
    for place in accesses.keys() - odd:
        commons[place] = with_fields(commons[place], {"access": accesses[place]})
    no_common = Common(0, "", "", None, 0, "")  # not used
    for place in odd:
        commons[place] = no_common
    return Columns(times, commons, shown, starts, sorted(odd))


def _odd(lines: Sequence[str], messages: Sequence[str], tails: Sequence[str]) -> set[int]:
    """Return the places of the *lines* that have more than a front, our ids and a message."""
    joined = "\n".join(lines)
    odd: set[int] = set()
    if not all(map(str.strip, messages, repeat(_NO_MESSAGE))):  # the ids are at the end
        odd.update(place for place, text in enumerate(messages) if not text.strip(_NO_MESSAGE))
    if "] [" in joined:  # perhaps a call of MCP
        odd.update(place for place, tail in enumerate(tails) if tail.startswith(" ["))
    for mark in ("\x1b", "[client "):
        if mark in joined:
            odd.update(place for place, line in enumerate(lines) if mark in line)
    if _IDS in "\n".join(tails):
        odd.update(place for place, tail in enumerate(tails) if _IDS in tail)
    if len(max(lines, key=len)) > LONGEST_TEXT:
        odd.update(place for place, line in enumerate(lines) if len(line) > LONGEST_TEXT)
    return odd


def _accesses(
    lines: Sequence[str], messages: Sequence[str], records: Records, odd: set[int]
) -> dict[int, dict[str, Any]]:
    """
    Return the fields of access lines by their places. Where a server has put further text behind
    its line, which may be an id, the line is *odd*.
    """
    matches: dict[int, re.Match[str] | None] = dict(access_lines(lines, "\n".join(lines)))
    usual = [
        place for place in may_be_accesses(messages, "\n".join(messages)) if place not in matches
    ]
    accesses = accesses_in([messages[place] for place in usual])
    fields = {place: access for place, access in zip(usual, accesses, strict=True) if access}
    matches.update((place, None) for place in usual if place not in fields and '"' in lines[place])
    for place, match in matches.items():
        line = lines[place]
        start = len(line) - len(messages[place])
        if match is not None and (match.start() < start or match.groupdict().get("others")):
            odd.add(place)
            continue
        access, _ = access_behind(records, line, start, match)
        if access:
            fields[place] = access
    return fields


def _levels(
    fronts: Sequence[Front], stamps: Sequence[str], records: Records
) -> dict[Front, int | None]:
    """Return the level in each of *fronts*; None, where lines with it are odd."""
    known = records.fronts
    if len(known) > _MOST_FRONTS:
        known.clear()
    stamp_of = dict(zip(fronts, stamps, strict=True))
    new = [front for front in stamp_of if front not in known]
    known.update({front: _level(front, stamp_of[front]) for front in new[:_MOST_READ]})
    return {front: known.get(front) for front in stamp_of}


def _level(front: Front, stamp: str) -> int | None:
    """
    Return the level in a *front* with this time; None, if it has none, or if what stands behind the
    front may change how a line is read.
    """
    before, size, behind = front
    text = f"{before}{stamp}{behind}"
    line = f"{text}{_IDS}a|session=b] x"
    if not size or not text.isascii() or not text.isprintable() or len(text) > LONGEST_FRONT:
        return None
    if (
        "=" in text
        or '"' in text
        or _WITH_FIELDS.match(text)
        or own_head(f"{line[:-1]}- x") is not None
    ):
        return None
    peeled = Peeler().peel(line)
    time = find_time(line, len(text))
    is_bare = peeled.line == line and peeled.time is None and not peeled.source
    if not is_bare or time is None or time.span() != (len(before), len(before) + size):
        return None
    entry = Records(0, Clock(timezone.utc)).other(line)
    if entry is None or begins_log(line) is None or not entry.level:
        return None
    expected = ("a", "b", len(line) - 1, {"foreign": True})
    is_usual = (entry.request_id, entry.session_id, entry.message, entry.more) == expected
    return entry.level if is_usual else None


# Behind our ids, the fields of an access line of IIS may go on, or those of Monolog or zap be in JSON.
_WITH_FIELDS = Pattern(
    rf"{STAMP} [\da-fA-F.:%]+ [A-Z]{{3,20}} |\[{STAMP}\] [\w.-]+: |{STAMP} [^\n]{{0,{LONGEST_FRONT}}}\.(?:go|s):\d"
)


_Owner = tuple[str, str, dict[str, Any] | None]


def _owner(bracket: str, records: Records) -> _Owner | None:
    """Return request, session and more in a *bracket*; None for other texts than of ours."""
    match = _BRACKET.fullmatch(bracket)
    if match is None:
        return None
    request_id, session_id, words = match.groups()
    more = {"foreign": True} if request_id else {}
    more |= records.details(words, "") or {}
    request_id, session_id = ("" if text in NO_IDS else text for text in (request_id, session_id))
    return request_id, session_id, more or None


def _common(level: int | None, head: str, owner: _Owner | None, file: int) -> Common | None:
    """Return what the lines with this *head* have in common; None, where they are odd."""
    if level is None or owner is None:
        return None
    return Common(level, *owner, file, head)


def _agreed(clock: Clock, when: float, stamp: str, received: Any) -> float:
    """Return the result of :func:`agreed`; *when*, if the time of the envelope is unknown."""
    time = None if received is None else agreed(clock, when, stamp, received)
    return when if time is None else time


def _times(stamps: Sequence[str], records: Records, odd: set[int]) -> list[float]:
    """Return the times in *stamps*, and add the places of those that cannot be read to *odd*."""
    clock = records.clock
    was_ambiguous, clock.is_ambiguous = clock.is_ambiguous, False
    times = [clock.read(stamp) if stamp else None for stamp in stamps]
    if clock.is_ambiguous:  # the time of the line before decides
        odd.update(range(len(stamps)))
    else:
        clock.is_ambiguous = was_ambiguous
    odd.update(place for place, when in enumerate(times) if when is None)
    return [0.0 if when is None else when for when in times]
