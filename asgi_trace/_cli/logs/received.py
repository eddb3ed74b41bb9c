"""
The time of a line in an envelope, where there are two: the line's own, and the one at which it was
received.

The line's own time is used if it is complete. The envelope's replaces one without a zone, and one
without a fraction of the second, if both can mean the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from .stamps import Run, Stamps
from .times import Clock, is_zoned

__all__ = ("agreed", "all_agreed")

# In milliseconds: a zone is a multiple of the first number (Nepal has +05:45), and a line is received
# within the second one.
_ZONE_STEP = 900_000
_RECEIVED = 2_000


def agreed(clock: Clock, when: float | None, stamp: str, received: Any) -> float | None:
    """
    Return the time of a line; None, if neither time is known.

    :param when: the line's own time, written as *stamp*; None for an unknown one.
    :param received: the value with the time of its envelope.
    """
    moment = clock.read_value(received)
    if moment is None:
        return when
    if when is None:
        return moment
    if is_zoned(stamp):
        return when if type(moment) is int else _received(when, moment)
    if isinstance(received, str) and not is_zoned(received):
        return when
    return _nearest(when, moment)


def all_agreed(
    clock: Clock,
    times: Sequence[float],
    stamps: Set[str],
    lines: Sequence[str],
    received: Sequence[Any],
    odd: Sequence[int],
) -> list[float]:
    """
    Return the times of *lines* of our text, the result of :func:`agreed` for each.

    :param times: their own.
    :param stamps: the texts of these.
    :param received: the times of their envelopes.
    :param odd: the places of lines whose time is not used.
    """
    is_zone_missing = not any(map(is_zoned, stamps))
    if isinstance(received, Stamps) and is_zone_missing:
        in_runs = _agreed_in_runs(clock, times, received, odd)
        if in_runs is not None:
            return in_runs
    moments = clock.read_all(received) if is_zone_missing else None
    if moments is None:
        return [
            agreed(clock, when, line.partition(" - ")[0], moment) or 0
            for when, line, moment in zip(times, lines, received, strict=True)
        ]
    # _nearest(), mostly without the call of it: a time that has a fraction is most often in this
    # zone, and one in whole seconds was most often just received.
    most = {float: _ZONE_STEP // 2, int: _RECEIVED}
    return [
        (moment if type(when) is int else when)
        if abs(moment - when) < most[type(when)]
        else _nearest(when, moment)
        for when, moment in zip(times, moments, strict=True)
    ]


def _agreed_in_runs(
    clock: Clock, times: Sequence[float], received: Stamps, odd: Sequence[int]
) -> list[float] | None:
    """
    Return the result of :func:`all_agreed` for *times* without a zone; None, if one of the envelopes
    has no known second.
    """
    own = list(times)
    for place in odd:  # so that it is no special one among those of its second
        own[place] = own[place - 1]
    whole: list[float] = []
    for run in received.runs:
        second = received.second(run, clock)
        if second is None:
            return None
        whole += _agreed_in_run(own[run.start : run.end], received, run, second)
    return whole


def _agreed_in_run(
    own: Sequence[float], received: Stamps, run: Run, second: int
) -> Sequence[float]:
    """Return the result of :func:`_nearest` for the *own* times of the lines of a *run*."""
    distinct = set(own)
    if len(set(map(type, own))) > 1:  # an int may be equal to a float
        return list(map(_nearest, own, received.moments(run, second)))
    if all(_is_kept(when, second, second + 1000) for when in distinct):
        return own
    moments = received.moments(run, second)
    latest = max(moments)
    replaced = {when for when in distinct if _is_replaced(when, second, latest)}
    if len(replaced) == len(distinct):
        return moments
    return [
        moment if when in replaced else _nearest(when, moment)
        for when, moment in zip(own, moments, strict=True)
    ]


def _is_kept(when: float, first: float, last: float) -> bool:
    """Whether :func:`_nearest` returns *when* for all moments from *first* to *last*."""
    is_of_zone = abs(first - when) < _ZONE_STEP // 2 > abs(last - when)
    is_late = first - when >= _RECEIVED or when - last >= _RECEIVED
    return is_of_zone and (is_late or type(when) is float)


def _is_replaced(when: float, first: float, last: float) -> bool:
    """Whether :func:`_nearest` returns the moment for all moments from *first* to *last*."""
    return type(when) is int and last - when < _RECEIVED and when - first < _RECEIVED


def _nearest(when: float, moment: float) -> float:
    """Return a time without a zone in the zone that brings it nearest to *moment*."""
    return _received(when + round((moment - when) / _ZONE_STEP) * _ZONE_STEP, moment)


def _received(when: float, moment: float) -> float:
    """Return the *moment* at which a line was received for its time in whole seconds, if they agree."""
    is_whole = type(when) is int
    return moment if is_whole and abs(moment - when) < _RECEIVED else when
