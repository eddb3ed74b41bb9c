"""
The speed of ``asgi-trace grep``, in lines a second: ``python -m benchmarks.grep``.

The real command is timed on the log of ``benchmarks.view``, of a million lines. The figure is the
CPU seconds of the fastest of some runs, beside those of a plain Python loop over the same lines
(``benchmarks.plain``); the limits are for conditions on the access line.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from . import plain
from .view import FORMATTERS, LINES, write_log

RUNS = 3
# One request, one session of several hundred, then conditions on the access line.
CONDITIONS = ("--request", "--session", "--status", "--path", "--slower")
VALUES = {
    "--session": "0000002a",
    "--status": ">=500",
    "--path": "/api/invoice*",
    "--slower": "1900ms",
}
LIMITS = {"--request": 1.0, "--session": 1.0, "--status": 1.0}
"""The limit for a condition, as a multiple of the plain loop's CPU seconds."""

_COMMAND = """
import resource, sys
from asgi_trace._cli.main import main
code = main()
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime, file=sys.stderr)
sys.exit(code)
"""


class Cost(NamedTuple):
    """The cost of the command: seconds, and CPU seconds."""

    seconds: float
    work: float


def cost(log: Path, condition: str, value: str, runs: int = RUNS) -> Cost:
    """Return the least cost of some *runs* of the real command with a *condition*."""
    command = [sys.executable, "-c", _COMMAND, "grep", condition, value, str(log)]
    return min(_cost(command) for _ in range(runs))


def _cost(command: list[str]) -> Cost:
    start = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode > 1:
        raise SystemExit(f"asgi-trace grep ended with exit code {done.returncode}: {done.stderr}")
    return Cost(time.perf_counter() - start, float(done.stderr.split()[-1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each form and condition, print a table, and return 1 where a limit is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.grep", description="Measure asgi-trace grep."
    )
    parser.add_argument(
        "--lines", type=int, default=LINES, help=f"of the log; {LINES} when left out"
    )
    parser.add_argument(
        "--form", action="append", choices=list(FORMATTERS), help="only this one; repeatable"
    )
    options = parser.parse_args(arguments)
    missed = False
    print(f"{'':8}{'':12}{'lines/s':>12}{'work':>9}{'plain loop':>12}{'limit':>8}")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "app.log")
        for form in options.form or FORMATTERS:
            write_log(log, form, options.lines)
            yardstick = plain.work(form, str(log))
            values = {"--request": _a_request(log), **VALUES}
            for condition in CONDITIONS:
                took = cost(log, condition, values[condition])
                ratio, limit = took.work / yardstick, LIMITS.get(condition)
                shown = f"{limit:>6.1f} x" if limit else ""
                rate = options.lines / took.seconds
                print(
                    f"{form:8}{condition:12}{rate:>12,.0f}{took.work:>9.2f}{ratio:>10.2f} x{shown}",
                    flush=True,
                )
                missed |= limit is not None and ratio > limit
    # The start of the interpreter is most of what a short log takes.
    return int(missed and options.lines >= LINES)


def _a_request(log: Path) -> str:
    """Return the id of a request in the middle of the log."""
    with log.open("rb") as file:
        file.seek(log.stat().st_size // 2)
        match = re.search(r"[0-9a-f]{32}", file.read(4096).decode())
    assert match is not None
    return match[0]


if __name__ == "__main__":
    sys.exit(main())
