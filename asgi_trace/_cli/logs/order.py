"""
The lines of a log, oldest first: a log in which the newest line comes first is reversed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo

from .documents import unfolded
from .files import Log
from .own import own_head
from .steps import TRACEBACK, Steps
from .times import Clock

__all__ = ("in_order", "lines_of")

_WINDOW = 16 << 20
"""The bytes of lines that are reversed at once."""
_SAMPLE = 500


def in_order(
    blocks: Iterable[bytes], times_of: Callable[[list[str]], int], complain: Callable[[str], object]
) -> Iterator[bytes]:
    """
    Yield *blocks*, oldest line first.

    :param times_of: returns how many of some lines are later than the next one, less those that are
    earlier.
    :param complain: is given a sentence, if there is more than can be reversed.
    """
    iterator = iter(blocks)
    first = next(iterator, None)
    if first is None:
        return
    sample = first.decode("utf-8", "replace").split("\n", _SAMPLE)[:_SAMPLE]
    if times_of([line for line in sample if line]) < _LEAST_FALLS:
        yield first
        yield from iterator
        return
    window, size = [first], len(first)
    for block in iterator:
        window.append(block)
        size += len(block)
        if size >= _WINDOW:
            yield _reversed(window)
            complain(
                f"the newest line comes first, and only {_WINDOW >> 20} MB at once are sorted; tac sorts all of it"
            )
            window, size = [], 0
    if window:
        yield _reversed(window)


_LEAST_FALLS = 2


def _reversed(window: list[bytes]) -> bytes:
    lines = b"".join(window).split(b"\n")
    if not lines[-1]:
        lines.pop()
    lines.reverse()
    return b"\n".join(lines) + b"\n"


def lines_of(log: Log, zone: tzinfo | None = None) -> Iterator[bytes]:
    """Yield blocks of whole lines of *log*, oldest first, including the lines in documents."""

    def falls(lines: list[str]) -> int:
        if log.falls is None:
            log.falls = _falls(lines, zone)
        return log.falls

    blocks: Iterator[bytes] = log.blocks()
    return in_order(unfolded(blocks, log.complain), falls, log.complain)


def _falls(lines: list[str], zone: tzinfo | None) -> int:
    """
    Return the number of *lines* that are later than the next one; 0 or less if four times as many
    are earlier.

    If all times are the same, the further lines of a traceback show the order.
    """
    steps = Steps(0, Clock(zone))
    rises = falls = 0
    last = -1.0
    further: list[str] = []
    # The lines of one event are in their own order, whatever the order of the events is.
    for step in (step for line in lines for step in steps.take(line)[:1]):
        entry = step.entry
        head = None if entry is None else own_head(entry.text)
        if entry is None:
            further.append(step.text)
            continue
        if head is not None and head[6] == "|":  # a further line before its first line
            further.append(entry.text[head.end() :])
        elif further:
            falls += 2 * _is_upside_down(further)
            rises += 2 * further[0].startswith(TRACEBACK)
            further.clear()
        if (entry.more and "undated" in entry.more) or steps.records.when is None:
            continue
        if last >= 0:
            rises += entry.time > last
            falls += entry.time < last
        last = entry.time
    return falls - 4 * rises


def _is_upside_down(further: list[str]) -> bool:
    return further[-1].startswith(TRACEBACK) and not further[0].startswith(TRACEBACK)
