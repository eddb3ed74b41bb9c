"""
Pauses: the gaps of a request, and the silences of the whole log.

In a gap, one request logged nothing and did not wait for a callee. In a silence, no request logged
anything, as while an event loop is blocked. Times are in milliseconds on the page's axis.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .axis import SILENCE
from .callers import Callers
from .contract import Call
from .packing import rounded

__all__ = ("GAP", "Pauses")

GAP = 400.0
"""The least length of a gap."""

# The least part of its request that a gap lasts: so a request has at most five.
_GAP_PART = 0.2
# The least part of each open request that a silence lasts, and the least number of these requests.
_SILENCE_PART = 0.1
_SILENT_REQUESTS = 2
# The least length of both where times are in whole seconds.
_WHOLE_SECONDS = 2000.0


class Pauses:
    """
    The pauses of a page.

    :param columns: of the requests.
    :param ended: when the access line of each request was, or None.
    :param callers: of the requests.
    :param calls: the outgoing calls that have a line.
    """

    def __init__(
        self,
        columns: dict[str, Any],
        ended: Sequence[float | None],
        callers: Callers,
        calls: Sequence[Call],
    ) -> None:
        self._start: array[float] = columns["start"]
        self._end: Sequence[float] = columns["end"]
        self._parent: array[int] = columns["parent"]
        self._ended = ended
        self._callers = callers
        self._calls = calls
        self._gap_request = array("l")
        self._gap_from = array("d")
        self._gap_to = array("d")
        self._silence_from = array("d")
        self._silence_to = array("d")

    def __len__(self) -> int:
        """Return the number of pauses that were noted, long enough or not."""
        return len(self._gap_from) + len(self._silence_from)

    def note_gap(self, number: int, start: float, end: float) -> None:
        """Note that a request logged nothing from *start* to *end*."""
        self._gap_request.append(number)
        self._gap_from.append(start)
        self._gap_to.append(end)

    def note_silence(self, start: float, end: float) -> None:
        """Note that no request logged anything from *start* to *end*."""
        self._silence_from.append(start)
        self._silence_to.append(end)

    def gaps(self, is_whole: bool) -> list[tuple[int, float, float]]:
        """
        Return the gaps that are long for their requests, each without the time of a callee.

        :param is_whole: whether some times have no fraction of a second.
        """
        least = _WHOLE_SECONDS if is_whole else GAP
        unlogged: list[tuple[int, float, float]] = []
        for number, start, end in zip(self._gap_request, self._gap_from, self._gap_to, strict=True):
            ended = self._ended[number]
            if end - start >= self._shortest_gap(number, least) and (
                ended is None or start < ended
            ):
                unlogged.append((number, start, end))
        waiting = self._waiting({number for number, _, _ in unlogged})
        gaps: list[tuple[int, float, float]] = []
        for number, begun, over in unlogged:
            shortest = self._shortest_gap(number, least)
            for start, end in _without((begun, over), waiting.get(number, ())):
                if end - start >= shortest:
                    gaps.append((number, rounded(start), rounded(end)))
        return sorted(gaps)

    def _shortest_gap(self, number: int, least: float) -> float:
        return max(least, (self._end[number] - self._start[number]) * _GAP_PART)

    def _waiting(self, numbers: set[int]) -> dict[int, list[tuple[float, float]]]:
        """Return the times at which each of *numbers* waited for its callees."""
        intervals = self._callers.waiting(numbers)
        for call in self._calls:
            if call["request"] in numbers:
                intervals.setdefault(call["request"], []).append((call["start"], call["end"]))
        for times in intervals.values():
            times.sort()
        return intervals

    def silences(self, is_whole: bool, count: int) -> list[tuple[float, float]]:
        """
        Return the times at which no open request logged, as while an event loop is blocked.

        :param is_whole: as in :meth:`gaps`.
        :param count: the number of requests: their columns have room for more.
        """
        least = _WHOLE_SECONDS if is_whole else SILENCE
        pairs = zip(self._silence_from, self._silence_to, strict=True)
        long = [(start, end) for start, end in pairs if end - start >= least]
        if not long:  # most often, and to sort the requests takes time
            return []
        order = sorted(range(count), key=self._start.__getitem__)
        starts = [self._start[number] for number in order]
        silences: list[tuple[float, float]] = []
        opened: list[tuple[float, int]] = []
        place = 0
        for start, end in long:
            until = bisect_right(starts, start)
            for number in order[place:until]:
                heapq.heappush(opened, (self._end[number], number))
            place = until
            while opened and opened[0][0] < end:
                heapq.heappop(opened)
            longest = (end - start) / _SILENCE_PART
            callers = {self._parent[number] for _, number in opened}
            silent = sum(
                until - self._start[number] <= longest and number not in callers
                for until, number in opened
            )
            if silent >= _SILENT_REQUESTS:
                silences.append((rounded(start), rounded(end)))
        return silences


def _without(
    whole: tuple[float, float], parts: Iterable[tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    """Yield the rest of the time *whole* without *parts*, which are in order."""
    start, end = whole
    for begun, over in parts:
        if begun > start:
            yield start, min(begun, end)
        start = max(start, over)
        if start >= end:
            return
    yield start, end
