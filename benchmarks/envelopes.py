"""
The cost of envelopes: ``python -m benchmarks.envelopes``.

The figures are the CPU seconds of ``view`` and ``grep --status`` for lines in an envelope, as a
multiple of those for the same lines without it. ``grep`` searches all bytes of a log, and those of
an envelope are among them: the size is shown as the same multiple.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from . import grep, view

__all__ = ("ENVELOPES", "GOAL", "LINES", "factor", "write_empty", "write_wrapped")

LINES = 100_000
GOAL = 1.15
"""The multiple aimed at."""

_RUNS = 3
_POD = "front-7d9c8b6f5-x2x4z"


def _received(number: int) -> str:
    """Return the time at which a container's runtime receives a line: zeros at its end are left out."""
    second = datetime.fromtimestamp(1_705_311_015 + number // 1000, timezone.utc)
    fraction = f"{number % 1000:03}{number % 7919:06}".rstrip("0") or "0"
    return f"{second:%Y-%m-%dT%H:%M:%S}.{fraction}Z"


def _compose(number: int, line: str) -> str:
    return f"front-1  | {line}"


def _kubectl(number: int, line: str) -> str:
    return f"[pod/{_POD}/front] {line}"


def _cri(number: int, line: str) -> str:
    return f"{_received(number)} stdout F {line}"


def _docker(number: int, line: str) -> str:
    return _json({"log": f"{line}\n", "stream": "stdout", "time": _received(number)})


def _journal(number: int, line: str) -> str:
    fields = {
        "__CURSOR": f"s=0639c8b4cf1b4b2ea4;i={number:x};b=1f0c;m=1d;t=60e",
        "__REALTIME_TIMESTAMP": str(1_705_311_015_000_000 + number * 1000),
        "PRIORITY": "6",
        "_PID": "123",
        "_SYSTEMD_UNIT": "front.service",
        "MESSAGE": line,
    }
    return _json(fields)


def _stern(number: int, line: str) -> str:
    return _json({"message": line, "nodeName": "a", "podName": _POD, "containerName": "front"})


def _logcli(number: int, line: str) -> str:
    return _json({"labels": {"pod": _POD}, "line": line, "timestamp": _received(number)})


def _nested(number: int, line: str) -> str:
    return _compose(number, _docker(number, line))


def _json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


ENVELOPES: dict[str, Callable[[int, str], str]] = {
    "compose": _compose,
    "kubectl": _kubectl,
    "CRI": _cri,
    "docker": _docker,
    "journal": _journal,
    "stern": _stern,
    "logcli": _logcli,
    "nested": _nested,
}


def write_wrapped(log: Path, envelope: str, wrapped: Path) -> None:
    """Write the lines of *log* in an *envelope* to the file *wrapped*."""
    wrap = ENVELOPES[envelope]
    with log.open(encoding="utf-8") as lines, wrapped.open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines):
            out.write(wrap(number, line.rstrip("\n")) + "\n")


def write_empty(path: Path) -> None:
    """Write a log of one line, for the start of the interpreter."""
    path.write_text("2024-01-15 10:30:15 - INFO - [req=a|session=b] - only\n")


def factor(command: str, log: Path, wrapped: Path, empty: Path) -> float:
    """
    Return the CPU seconds of a *command* for the log *wrapped*, divided by those for *log*.

    :param empty: a log of one line, for the start of the interpreter, which is subtracted.
    """
    least = dict.fromkeys((log, wrapped, empty), float("inf"))
    for _ in range(_RUNS):
        for path in least:
            least[path] = min(least[path], _work(command, path))
    return (least[wrapped] - least[empty]) / (least[log] - least[empty])


def _work(command: str, log: Path) -> float:
    if command == "grep":
        return grep.cost(log, "--status", ">=500", runs=1).work
    return view.work(log, log.with_suffix(".html"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each envelope around each form, print a table, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.envelopes",
        description="Measure what envelopes cost asgi-trace view and grep.",
    )
    parser.add_argument(
        "--lines", type=int, default=LINES, help=f"of the log; {LINES} when left out"
    )
    parser.add_argument(
        "--form", action="append", choices=list(view.FORMATTERS), help="only this one; repeatable"
    )
    parser.add_argument(
        "--envelope", action="append", choices=list(ENVELOPES), help="only this one; repeatable"
    )
    options = parser.parse_args(arguments)
    print(f"{'':10}{'':8}{'view':>8}{'grep':>8}{'size':>8}{'goal':>8}")
    with tempfile.TemporaryDirectory() as folder:
        log, wrapped, empty = (Path(folder, name) for name in ("app.log", "wrapped.log", "empty"))
        write_empty(empty)
        for form in options.form or view.FORMATTERS:
            view.write_log(log, form, options.lines)
            for envelope in options.envelope or ENVELOPES:
                write_wrapped(log, envelope, wrapped)
                figures = [factor(command, log, wrapped, empty) for command in ("view", "grep")]
                figures += [wrapped.stat().st_size / log.stat().st_size, GOAL]
                row = "".join(f"{figure:>6.2f} x" for figure in figures)
                print(f"{envelope:10}{form:8}{row}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
