"""
The caller of each request, found by spans, else by time; and clocks that differ.

Requests with the same request id or trace are a family. Times are never corrected: if the requests
of one place seem to begin before their callers, or to end after them, the clocks of the two places
differ, and the page has a note about it.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import Any

from .places import Places

__all__ = ("SPAN_OF_CALLER", "Callers")

SPAN_OF_CALLER = 12
"""The number of digits at the beginning of a call's span that are those of the caller's span."""

# Times are in milliseconds. The most that a callee may begin before or end after its caller: a line
# has its time to the millisecond, and a duration is measured by another clock.
_SLACK = 3.0
# Clocks that differ less than this are not mentioned.
_SAME_CLOCK = 50.0
_SAME_WHOLE_SECOND = 1_100.0
# The share of the calls between two places that must agree on the difference.
_AGREEING = 0.75
_MOST_CALLS = 1_000
_MOST_NOTES = 20
# An id of more requests than this does not relate them.
_MOST_RELATED = 2_000
# The time of relating by time grows with the square of a family: small ones always are, and so many
# pairs in others.
_FEW_RELATED = 100
_MOST_PAIRS = 10_000_000
# The callers of callers that are followed.
_DEEPEST = 200
# The differences in notes are multiples of one of these, the largest that fits.
_STEPS = (3_600_000.0, 60_000.0, 1_000.0, 500.0, 100.0, 10.0, 1.0)

_Interval = tuple[float, float]


class Callers:
    """
    The families of a page's requests, and the caller of each.

    :param columns: of the requests.
    :param place: of each request.
    :param ended: when the access line of each request was, or None.
    :param of_span: the request of each span.
    """

    def __init__(
        self,
        columns: dict[str, Any],
        place: Sequence[int],
        places: Places,
        ended: Sequence[float | None],
        of_span: dict[str, int],
    ) -> None:
        self.parent: array[int] = columns["parent"]
        self._start: array[float] = columns["start"]
        self._end: Sequence[float] = columns["end"]
        self._span: list[str | None] = columns["span"]
        self._place = place
        self._places = places
        self._ended = ended
        self._of_span = of_span
        self.parent_span: dict[int, str] = {}
        """The caller's span; "" if the request has a caller, but its span is not known."""
        self.inner: dict[str, int] = {}
        """The requests by the spans within them, such as a tracer's."""
        self.caller_of_span: dict[str, int] = {}
        """The requests by the spans of their outgoing calls that have a line."""
        self.is_whole = False  # whether some times have no fraction of a second
        self._family: dict[int, list[int]] = {}
        self._changed: set[int] = set()  # members of families that changed
        self._calls: dict[tuple[int, int], dict[int, _Interval]] = {}
        self._evidence: dict[int, tuple[int, int]] = {}
        self._ahead: dict[tuple[int, int], float] = {}

    # -- families ----------------------------------------------------------------------------------

    def relate(self, number: int, other: int) -> None:
        """Note that two requests have an id or a trace in common."""
        one = self._family.setdefault(number, [number])
        two = self._family.setdefault(other, [other])
        if one is two:
            self.touch(number)
            return
        if len(one) < len(two):
            one, two = two, one
        one += two
        for member in two:
            self._family[member] = one
        self.touch(number)

    def touch(self, number: int) -> None:
        """Note that a request changed."""
        if number in self._family:
            self._changed.add(number)

    def resolve(self) -> set[int]:
        """Find the callers in each changed family. Returns the requests with a new caller."""
        before_of: dict[int, int] = {}
        self._resolve(self._changed, before_of)
        self._changed = set()
        ahead = self._differences()
        if ahead != self._ahead:
            self._ahead = ahead
            self._resolve(self._family, before_of)
        parent = self.parent
        return {number for number, before in before_of.items() if parent[number] != before}

    def _resolve(self, numbers: Iterable[int], before_of: dict[int, int]) -> None:
        done: set[int] = set()
        room = _MOST_PAIRS
        for number in numbers:
            family = self._family[number]
            if id(family) in done:
                continue
            done.add(id(family))
            size = len(family)
            pairs = 0 if size <= _FEW_RELATED else size * size
            is_by_time = size <= _MOST_RELATED and pairs <= room
            room -= pairs if is_by_time else 0
            self._resolve_family(sorted(family), before_of, is_by_time)

    def _resolve_family(
        self, family: list[int], before_of: dict[int, int], is_by_time: bool
    ) -> None:
        parent = self.parent
        for number in family:
            before_of.setdefault(number, parent[number])
            parent[number] = -1
        digits: dict[str, int] = {}
        for number in family:
            span = self._span[number]
            if span:
                digits.setdefault(span[:SPAN_OF_CALLER], number)
        uncalled = []
        for number in family:
            caller = self._by_span(number, digits)
            if caller is None or not self._may_call(caller, number):
                uncalled.append(number)
                continue
            parent[number] = caller
        if not is_by_time:
            return
        for number, caller in self._by_time(family, uncalled):
            if self._may_call(caller, number):
                parent[number] = caller
        self._note_calls(family, uncalled)

    def _by_span(self, number: int, digits: dict[str, int]) -> int | None:
        span = self.parent_span.get(number)
        if not span:
            return None
        for known in (self._of_span, self.caller_of_span):
            if span in known:
                return known[span]
        caller = digits.get(span[:SPAN_OF_CALLER])
        return self.inner.get(span) if caller is None else caller

    def _may_call(self, caller: int, number: int) -> bool:
        """Whether *caller* may have called *number*: it is not one of its callees, nor too deep."""
        for _ in range(_DEEPEST):
            if caller < 0:
                return True
            if caller == number:
                return False
            caller = self.parent[caller]
        return False

    # -- by time -----------------------------------------------------------------------------------

    def _by_time(self, family: list[int], uncalled: list[int]) -> list[tuple[int, int]]:
        """
        Return for *uncalled* requests the smallest one of another service around each, else the
        last one in which it began; for a job, where there is none, the last one before it.
        """
        start, end = self._start, self._end
        by_start = sorted(family, key=start.__getitem__)
        starts = [start[number] for number in by_start]
        longest = sorted(family, key=lambda number: start[number] - end[number])
        latest = max(map(abs, self._ahead.values()), default=0.0) + _SLACK
        callers = []
        for number in uncalled:
            best = begun = None
            until = bisect_left(starts, start[number] + latest)
            among = by_start[:until] if until < len(by_start) else longest
            for other in among:
                if other == number:
                    continue
                # A caller with a known span would have been found by it, if spans were sent.
                has_span = self._span[other] is not None
                if self._is_around(other, number):
                    row = (has_span, end[other] - start[other], other)
                    best = row if best is None else min(best, row)
                elif self._is_outlived(other, number):
                    row = (has_span, -start[other], other)
                    begun = row if begun is None else min(begun, row)
            row_of_caller = best or begun
            caller = row_of_caller[2] if row_of_caller else self._sender(number, family)
            if caller >= 0:
                callers.append((number, caller))
        return callers

    def _sender(self, number: int, family: list[int]) -> int:
        """
        Return the request that a job was sent from, as far as its time shows it; -1 where *number*
        is none.

        A job has a span that called, and no access line. It is of the request with its id that
        ended last before it; one of another service may end later.
        """
        if self._ended[number] is not None or self.parent_span.get(number) != "":
            return -1
        rows = []
        for other in family:
            end = self._ended[other]
            if end is None or self._start[other] > self._start[number] + _SLACK:
                continue
            is_over = end <= self._start[number] + _SLACK
            if is_over or self._is_elsewhere(other, number):
                rows.append((is_over, end, other))
        return max(rows)[2] if rows else -1

    def _is_around(self, other: int, number: int) -> bool:
        start, end = self._start, self._end
        shift = self._shift(other, number)
        slack = _SLACK + (1_000.0 if self.is_whole else 0.0)
        if start[other] > start[number] - shift + slack or end[other] < end[number] - shift - slack:
            return False
        length, other_length = end[number] - start[number], end[other] - start[other]
        if (other_length, -other) <= (length, -number):
            return False
        return self._is_elsewhere(other, number)

    def _is_outlived(self, other: int, number: int) -> bool:
        """
        Whether a request began within *other* and ended a little after it.

        A caller that has the whole answer may end at once, while a callee on a busy machine has
        yet to write its own end.
        """
        start, end = self._start, self._end
        shift = self._shift(other, number)
        if not start[other] < start[number] - shift < end[other]:
            return False
        is_soon = end[number] - shift - end[other] <= _SAME_CLOCK
        return is_soon and self._is_elsewhere(other, number)

    def _shift(self, other: int, number: int) -> float:
        """The time by which the clock of *number* is ahead of that of *other*."""
        if not self._ahead:
            return 0.0
        return self._ahead.get((self._place[other], self._place[number]), 0.0)

    def _is_elsewhere(self, other: int, number: int) -> bool:
        """Whether a request is in another service; in one log of many, whether it may be."""
        one, two = self._place[other], self._place[number]
        services = self._places.service
        if one == two:
            # The services are unknown: the span of a caller shows that there are several.
            return services[one] < 0 and number in self.parent_span
        return services[one] != services[two] or services[one] < 0

    # -- clocks ------------------------------------------------------------------------------------

    def _note_calls(self, family: list[int], uncalled: list[int]) -> None:
        """Note the range by which the clock of each callee may be ahead of its caller's."""
        without = set(uncalled)
        same = _SAME_WHOLE_SECOND if self.is_whole else _SAME_CLOCK
        for number in family:
            known = self._evidence.pop(number, None)
            if known is not None:
                self._calls[known].pop(number, None)
            if self._ended[number] is None:
                continue
            caller = self.parent[number]
            if caller < 0 and number in without:
                caller = self._likely_caller(number, family)
            if caller < 0 or self._ended[caller] is None:
                continue
            pair = self._place[caller], self._place[number]
            low = self._end[number] - self._end[caller] - same
            high = self._start[number] - self._start[caller] + same
            if pair[0] == pair[1] or high - low < 2 * same:  # it is longer than its caller
                continue
            calls = self._calls.setdefault(pair, {})
            if len(calls) < _MOST_CALLS:
                calls[number] = low, high
                self._evidence[number] = pair

    def _likely_caller(self, number: int, family: list[int]) -> int:
        """
        Return the likely caller of a request, by its length: the shortest request without a caller
        in another service that is at least as long. -1 without one.
        """
        if number not in self.parent_span:
            return -1
        length = self._end[number] - self._start[number]
        lengths = [
            (self._end[other] - self._start[other], other)
            for other in family
            if other not in self.parent_span and self._is_elsewhere(other, number)
        ]
        return min(
            (candidate for candidate in lengths if candidate[0] >= length), default=(0.0, -1)
        )[1]

    def _differences(self) -> dict[tuple[int, int], float]:
        """Return the time by which the clock of the second place is ahead of the first one's."""
        differences = {}
        for pair, calls in self._calls.items():
            intervals = list(calls.values())
            if 2 * sum(low <= 0 <= high for low, high in intervals) >= len(intervals):
                continue
            interval = _agreed(intervals)
            if interval is not None:
                differences[pair] = _roundest(*interval)
        return differences

    def notes(self, files: Sequence[str]) -> list[str]:
        """Return a sentence for each two places with different clocks."""
        notes = []
        for (one, two), ahead in sorted(self._ahead.items()):
            late, early = (two, one) if ahead > 0 else (one, two)
            names = self._name(late, files), self._name(early, files)
            sentence = f"the clock of {names[0]} seems {_span(abs(ahead))} ahead of {names[1]}'s"
            if sentence not in notes:
                notes.append(sentence)
        return notes[:_MOST_NOTES]

    def _name(self, place: int, files: Sequence[str]) -> str:
        places = self._places
        file = places.file[place]
        if list(places.file).count(file) == 1 and file < len(files):
            return os.path.basename(files[file])
        service = places.service[place]
        return places.source[place] or (places.services[service] if service >= 0 else "one log")

    def waiting(self, numbers: set[int]) -> dict[int, list[_Interval]]:
        """Return the times at which each of *numbers* had a working callee, by its own clock."""
        intervals: dict[int, list[_Interval]] = {}
        for number, caller in enumerate(self.parent):
            if caller in numbers:
                pair = self._place[caller], self._place[number]
                shift = self._ahead.get(pair, 0.0)
                working = self._start[number] - shift, self._end[number] - shift
                intervals.setdefault(caller, []).append(working)
        return intervals


def _agreed(intervals: list[_Interval]) -> _Interval | None:
    """Return the interval in which most of *intervals* overlap; None if too few do."""
    if not intervals:
        return None
    lows: list[float] = []
    highs: list[float] = []
    for low, high in intervals:
        insort(lows, low)
        insort(highs, high)
    best, at = 0, lows[0]
    for opened, low in enumerate(lows, 1):
        count = opened - bisect_left(highs, low)
        if count > best:
            best, at = count, low
    if best < _AGREEING * len(intervals):
        return None
    return at, min(high for low, high in intervals if low <= at <= high)


def _roundest(low: float, high: float) -> float:
    """Return the roundest number from *low* to *high*; of several, the one nearest the middle."""
    middle = (low + high) / 2
    for step in _STEPS:
        nearest = round(middle / step) * step
        if nearest and low <= nearest <= high:
            return nearest
    return middle


def _span(milliseconds: float) -> str:
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
