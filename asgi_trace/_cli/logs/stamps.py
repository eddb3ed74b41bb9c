"""
The times in the envelopes of a block, as a runtime writes them: all in the same form and zone.

They are checked all at once, and of most of them only the fraction of the second is read. The
result is that of the clock for each time.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, count
from typing import Any, NamedTuple, overload

from .times import POWERS, Clock

__all__ = ("Run", "Stamps", "Texts", "texts_around", "times_of")

_STAMP = re.compile(
    r"(?P<digits>[0-9-]{10}[T ][0-9:]{8}\.[0-9]{1,9})(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})"
)
_SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\.")
_DIGITS = b"0123456789"
_SECOND_END = len("2024-01-15T10:30:15")
_LENGTHS = frozenset(_SECOND_END + len(".") + digits for digits in range(1, 10))
# Runs save no time where a second has fewer lines: each run has work of its own.
_LEAST_LINES = 8


class Texts(NamedTuple):
    """
    The texts around the two parts of a line: at its *begin* and *end*, and in the *middle*. One of
    the parts is its time without the *zone*, with which the text behind it begins.
    """

    begin: str
    middle: str
    end: str
    zone: str
    is_time_first: bool


def texts_around(before: str, behind: str, time: Any) -> Texts | None:
    """
    Return the texts around a line and its *time*; None, if that is no time with a fraction of the
    second and a zone.

    :param before: the text before the line, and *behind* that behind it: one of them has the time.
    """
    stamp = _STAMP.fullmatch(time) if type(time) is str else None
    if stamp is None or before.count(time) + behind.count(time) != 1:
        return None
    digits, zone = stamp["digits"], time[stamp.end("digits") :]
    if time in before:
        begin, _, middle = before.partition(digits)
        return Texts(begin, middle, behind, zone, is_time_first=True)
    middle, _, end = behind.partition(digits)
    return Texts(before, middle, end, zone, is_time_first=False)


class Run(NamedTuple):
    """Times of the same *second*, a text, from the place *start* to *end*."""

    second: str
    start: int
    end: int


class Stamps(Sequence[Any]):
    """
    The times of a block.

    :param texts: these times without their *zone*.
    :param others: what is in place of some of them.
    """

    def __init__(
        self, texts: Sequence[str], zone: str, runs: Sequence[Run], others: Mapping[int, Any]
    ) -> None:
        self.texts = texts
        self.zone = zone
        self._others = others
        self.runs = runs

    def second(self, run: Run, clock: Clock) -> int | None:
        """Return the second of a *run* in milliseconds since the epoch; None, if there is none."""
        moment = clock.read(f"{run.second}{self.zone}")
        return moment if type(moment) is int else None

    def moments(self, run: Run, second: int) -> list[float]:
        """Return the times of a *run*, of which the *second* is known, in the same unit."""
        fractions = [text[_SECOND_END + 1 :] for text in self.texts[run.start : run.end]]
        # The quotient is float(f"0.{fraction}"), in half of the time.
        return [second + int(fraction) / POWERS[len(fraction)] * 1000 for fraction in fractions]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Any]:
        values: list[Any] = [f"{text}{self.zone}" for text in self.texts]
        for place, value in self._others.items():
            values[place] = value
        return iter(values)

    def __contains__(self, value: object) -> bool:
        values = self._others.values() if value is None else iter(self)
        return any(value == each for each in values)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return list(self)[place]
        if place in self._others:
            return self._others[place]
        return f"{self.texts[place]}{self.zone}"


def times_of(
    texts: list[str], zone: str, places: Sequence[int], lines: Sequence[str], times: Sequence[Any]
) -> Sequence[Any] | None:
    """
    Return the times of a block; None, if one of its texts is none.

    :param texts: the times without their *zone*, but not those at the *places* of a few others.
    :param lines: those at these places: the time of an empty line is not used.
    :param times: those at these places.
    """
    among = set(places)
    usual = next((text for place, text in enumerate(texts) if place not in among), "")
    others: dict[int, Any] = {}
    is_regular = True
    rows = zip(places, lines, _all_digits(times, zone), strict=True)
    for number, (place, line, digits) in enumerate(rows):
        if line and digits is not None:
            texts[place] = digits
            continue
        is_regular = is_regular and not line
        others[place] = times[number]
        texts[place] = texts[place - 1] if place else usual
    starts = _starts(texts)
    if not _are_times(texts, starts):
        return None
    has_runs = is_regular and len(starts) <= _most_runs(texts)
    ends = (*starts[1:], len(texts)) if has_runs else ()
    runs = [
        Run(texts[start][:_SECOND_END], start, end)
        for start, end in zip(starts, ends, strict=False)
    ]
    stamps = Stamps(texts, zone, runs, others)
    return stamps if has_runs else list(stamps)


def _all_digits(times: Sequence[Any], zone: str) -> Sequence[str | None]:
    """Return the result of :func:`_digits` for each of *times*."""
    if isinstance(times, Stamps) and times.zone == zone:
        return times.texts
    return [_digits(time, zone) for time in times]


def _digits(time: Any, zone: str) -> str | None:
    """Return *time* without its *zone*; None, if it has another form or zone."""
    stamp = _STAMP.fullmatch(time) if type(time) is str else None
    return None if stamp is None or stamp["zone"] != zone else stamp["digits"]


def _most_runs(texts: Sequence[str]) -> int:
    return len(texts) // _LEAST_LINES + 1


def _starts(texts: Sequence[str]) -> list[int]:
    """Return the places of *texts* that differ from the text before them up to the point."""
    starts: list[int] = []
    if texts == sorted(texts):
        place = 0
        while place < len(texts) and len(starts) <= _most_runs(texts):
            starts.append(place)
            # A slash comes right after the point.
            after = f"{texts[place][:_SECOND_END]}/"
            place = max(bisect_left(texts, after, place), place + 1)
        if place >= len(texts):
            return starts
    seconds = [text[: _SECOND_END + 1] for text in texts]
    return [0, *compress(count(1), map(str.__ne__, seconds[1:], seconds))]


def _are_times(texts: Sequence[str], starts: Sequence[int]) -> bool:
    """
    Whether all *texts* are times with a fraction of the second and without a zone.

    :param starts: the places of those that differ from the text before them up to the point.
    """
    separators = "\n".join((*texts, "")).encode("utf-8", "surrogatepass").translate(None, _DIGITS)
    usual = separators[: separators.find(b"\n") + 1]
    # All separators are up to the point, then: what is behind it are digits.
    return (
        usual.endswith(b".\n")
        and separators == usual * len(texts)
        and _LENGTHS.issuperset(map(len, texts))
        and all(_SECOND.match(texts[start]) for start in starts)
    )
