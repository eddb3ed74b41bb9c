"""
The guard of reading: limits for ``view`` and ``grep``, by the CPU seconds of a plain Python loop;
and for lines in an envelope, by those for the same lines without it.

The log is short here, so the start of the interpreter is subtracted on both sides. CPU seconds
repeat less well than instructions: the command and the loop are measured one after the other, the
least of some runs counts, and a figure beyond its limit is measured again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from . import envelopes, grep, plain, view

__all__ = ("PROMISES", "Promise", "check")

LINES = 50_000
_ATTEMPTS = 6


class Promise(NamedTuple):
    """
    One promise: a command takes at most *limit* times the CPU seconds of the plain loop or, for
    lines in an *envelope*, of itself for the bare lines.

    :param limit: one and a half times the value reached so far: CPU seconds vary on a loaded machine.
        For an envelope, at least one and a half times what it adds.
    :param goal: the value aimed at.
    """

    command: str
    form: str
    limit: float
    goal: float
    envelope: str = ""

    @property
    def name(self) -> str:
        """The name of the budget."""
        name = f"{self.command}-{self.form}"
        return f"{name}-in-{self.envelope}" if self.envelope else name

    @property
    def unit(self) -> str:
        """The figure's unit, in words."""
        yardstick = "of the bare lines" if self.envelope else "of a plain loop"
        return f"times the CPU seconds {yardstick}"


PROMISES = (
    Promise("view", "text", 6.0, 3.0),
    Promise("view", "json", 3.8, 2.5),
    Promise("view", "logfmt", 3.3, 3.0),
    Promise("grep", "text", 1.8, 1.0),
    Promise("grep", "json", 1.4, 1.0),
    Promise("grep", "logfmt", 0.85, 1.0),
    Promise("view", "text", 1.5, envelopes.GOAL, "compose"),
    Promise("view", "text", 1.9, envelopes.GOAL, "CRI"),
    Promise("view", "text", 2.0, envelopes.GOAL, "docker"),
    Promise("view", "json", 2.1, envelopes.GOAL, "docker"),
    Promise("grep", "text", 2.3, envelopes.GOAL, "docker"),
)


def check(
    names: Sequence[str], tell: Callable[[str], object] = lambda progress: None
) -> Iterator[tuple[Promise, float]]:
    """Yield the promises with the given *names*, by default all, each with its figure."""
    chosen = [promise for promise in PROMISES if not names or promise.name in names]
    with tempfile.TemporaryDirectory() as folder:
        logs = {}
        for form in {promise.form: None for promise in chosen}:
            logs[form] = Path(folder, f"{form}.log")
            view.write_log(logs[form], form, LINES)
        empty = Path(folder, "empty.log")
        envelopes.write_empty(empty)
        for promise in chosen:
            tell(promise.name)
            figure = float("inf")
            for _ in range(_ATTEMPTS):
                figure = min(figure, _figure(promise, logs[promise.form], empty))
                if figure <= promise.limit:
                    break
            yield promise, figure


def _figure(promise: Promise, log: Path, empty: Path) -> float:
    if promise.envelope:
        wrapped = log.with_suffix(f".{promise.envelope}")
        envelopes.write_wrapped(log, promise.envelope, wrapped)
        return envelopes.factor(promise.command, log, wrapped, empty)

    def work(path: Path) -> float:
        if promise.command == "grep":
            return grep.cost(path, "--status", ">=500").work
        return min(view.work(path, path.with_suffix(".html")) for _ in range(2))

    yardstick = plain.work(promise.form, str(log)) - plain.work("text", str(empty))
    return (work(log) - work(empty)) / yardstick
