"""
The difference that tracing makes to the cost of requests, separated from noise.

Both ways to serve take turns in short rounds, so that a disturbance of the machine affects both
alike. This module uses no apps or servers.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ("Comparison", "Serve", "compare")

_ROUND_SECONDS = 0.005
_FEWEST_ROUNDS = 8

Serve = Callable[[int], float]
"""Serves the given number of requests, and returns their cost in seconds."""


class _Difference(NamedTuple):
    """
    The median of paired differences in microseconds, and half of its 95 % confidence interval.
    """

    median: float
    noise: float

    def __str__(self) -> str:
        return f"{self.median:+.2f} ± {self.noise:.2f} µs"


class Comparison(NamedTuple):
    """
    The cost of a request, in microseconds.

    :param plain: without tracing.
    :param added: the difference with tracing.
    :param control: the difference between two rounds without tracing.
    """

    name: str
    plain: float
    added: _Difference
    control: _Difference

    @property
    def is_noise(self) -> bool:
        """Whether the control, without a real difference, shows one of this size too."""
        return abs(self.added.median) <= self.added.noise + abs(self.control.median)


def compare(name: str, plain: Serve, traced: Serve, seconds: float) -> Comparison:
    """
    Serve rounds of requests for a number of *seconds*: *plain*, *traced*, and *plain* once more,
    which shows the noise.
    """
    count = _calibrate(plain)
    ways = (plain, traced, plain)
    rounds: list[list[float]] = []
    deadline = time.perf_counter() + seconds
    while len(rounds) < _FEWEST_ROUNDS or time.perf_counter() < deadline:
        costs = [0.0] * len(ways)
        for turn in range(len(ways)):
            which = (turn + len(rounds)) % len(ways)
            costs[which] = ways[which](count) / count * 1e6
        rounds.append(costs)
    return Comparison(
        name,
        statistics.median((first + second) / 2 for first, _, second in rounds),
        _difference([traced - (first + second) / 2 for first, traced, second in rounds]),
        _difference([second - first for first, _, second in rounds]),
    )


def _calibrate(serve: Serve) -> int:
    """Return the number of requests in a round; this also warms everything up."""
    count = 1
    while True:
        start = time.perf_counter()
        serve(count)
        if time.perf_counter() - start >= _ROUND_SECONDS:
            return count
        count *= 2


def _difference(paired: Sequence[float]) -> _Difference:
    # The interval of the median by order statistics: half the rounds and one standard deviation of
    # a coin's, twice.
    ordered = sorted(paired)
    reach = 0.98 * math.sqrt(len(ordered))
    low = ordered[max(math.floor(len(ordered) / 2 - reach), 0)]
    high = ordered[min(math.ceil(len(ordered) / 2 + reach), len(ordered) - 1)]
    return _Difference(statistics.median(ordered), (high - low) / 2)
