"""
The time axis of the page: the time of each entry in milliseconds after the first, in order.

Times of whole seconds are spread in the order of the log. Nothing here reads an entry's text.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, repeat

__all__ = ("SILENCE", "Axis")

SILENCE = 500.0
"""The least length of a silence of the whole log, in milliseconds."""

# Entries of one whole second are shown in their order, at most this far apart.
_SPREAD = 10.0


class Axis:
    """
    The times of a page's entries.

    :param note_silence: is given the start and the end of each time without an entry.
    """

    def __init__(self, note_silence: Callable[[float, float], None]) -> None:
        self._note_silence = note_silence
        self.base: int | None = None
        """The time 0 of the axis, in milliseconds since the epoch; None before the first entry."""
        # Whether the base may still change: all entries were blank, and it was in no result yet.
        self._is_base_open = True
        self._last = 0.0
        self.held = 0
        """The number of entries whose clock went back: they have the time of the one before."""
        self.whole_lines = 0
        """The number of lines with a time in whole seconds."""

    def place(self, exact: list[float], blanks: Sequence[int], until: float | None) -> list[float]:
        """
        Return the times of entries on the axis, none before the one it follows; note silences.

        :param exact: their times, in milliseconds since the epoch; an int is a whole second.
        :param blanks: the places of blank lines of no request.
        :param until: the end of the entries' time, if it is known: those of the last second are not
            spread beyond it.
        """
        if self.base is None or (self._is_base_open and len(blanks) < len(exact)):
            first = 0
            while first < len(blanks) < len(exact) and blanks[first] == first:
                first += 1
            self.base = int(exact[first])
            self._last = 0.0
        self._is_base_open &= len(blanks) == len(exact)
        times = self._spread(exact, self.base, until)
        # The time of a blank line, such as that of its file, must not stretch the axis.
        for at in blanks:
            times[at] = times[at - 1] if at else self._last
        return self._ascending(times)

    def fix_base(self) -> None:
        """Keep the base, if it is known: a result has it."""
        self._is_base_open &= self.base is None

    def _ascending(self, times: list[float]) -> list[float]:
        """Return *times*, none before the one it follows, and note silences."""
        if times[0] < self._last or times != sorted(times):
            held = list(accumulate(times, max, initial=self._last))[1:]
            self.held += sum(map(_SPREAD.__lt__, map(operator.sub, held, times)))
            times = held
        place = 0
        while place < len(times):
            end = bisect_left(times, self._last + SILENCE, place)
            if end == place:
                self._note_silence(self._last, times[place])
                end += 1
            self._last = times[end - 1]
            place = end
        return times

    def _spread(self, exact: list[float], base: int, until: float | None) -> list[float]:
        """Return *exact* times after *base*; those of one whole second are spread in their order."""
        zero = float(base)  # with it, each time is a float
        if int not in set(map(type, exact)):
            return [when - zero for when in exact]
        times: list[float] = []
        while len(times) < len(exact):
            place = len(times)
            when = exact[place]
            if type(when) is not int:
                times.append(when - zero)
                continue
            end = bisect_right(exact, when, place)
            self.whole_lines += end - place
            begin = when - zero
            limit = begin + 1000.0
            if end < len(exact):
                limit = min(limit, exact[end] - zero)
            elif until is not None:
                limit = min(limit, until - zero)
            start, step = max(begin, self._last), 0.0
            # The steps before may have filled the second, and their sum is not exact.
            if start < begin + 1000.1:
                step = min(max(limit - start, 0.0) / (end - place), _SPREAD)
            else:
                start = begin
            times += accumulate(repeat(step, end - place - 1), initial=start)
        return times
