"""
How many lines a second ``asgi-trace grep`` reads: ``python benchmarks/grep.py``.

The real command is timed on a log of a million lines, ten to a request, from its start to its end; what counts is the
fastest of some runs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from asgi_trace._core.lines import Record, format_access, format_json, format_logfmt, format_text

LINES = 1_000_000
RUNS = 3
# One request out of the middle; one session of a hundred; then one request in a hundred, told by its access line.
CONDITIONS = (("--request", f"{LINES // 20:032x}"), ("--session", "0000002a"), ("--status", ">=500"))


def records(lines: int) -> Iterator[Record]:
    """Yield a log's records: nine lines of a request, and its access line."""
    for number in range(lines):
        request, line = divmod(number, 10)
        message = f"Processing payment for user {number} of the shop"
        if line == 9:
            fields = {"method": "GET", "path": "/api/payment", "status": 500 if request % 100 == 0 else 200}
            message = format_access({**fields, "duration_ms": request % 1000, "bytes": 345, "transport": "http"})
        second = number // 1000
        when = f"2024-01-15 {second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        yield Record(when, "INFO", "", message, f"{request:032x}", f"{request % 100:08x}")


def lines_per_second(
    condition: tuple[str, str], write: Callable[[Record], str] = format_text, lines: int = LINES
) -> float:
    """Return the lines that the command reads a second, when it is asked for *condition*, out of a log of *lines*."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "app.log")
        with log.open("w") as file:
            file.writelines(f"{write(record)}\n" for record in records(lines))
        command = [sys.executable, "-m", "asgi_trace", "grep", *condition, str(log)]
        return lines / min(_seconds(command) for _ in range(RUNS))


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    for write in (format_text, format_json, format_logfmt):
        for condition in CONDITIONS:
            rate = lines_per_second(condition, write)
            print(f"{write.__name__.removeprefix('format_'):8}{condition[0]:12}{rate:>12,.0f} lines/s")


if __name__ == "__main__":
    main()
