"""
The cost of ``asgi-trace view`` for a large log: ``python -m benchmarks.view``, and ``--lines`` for
another size.

The log is written by the real formatters: a million lines of requests that overlap, ten to each,
with access lines, some warnings and tracebacks. The real command makes its page. The figures are
the time from its start to its end, its peak of memory, the size of the file, its CPU seconds on one
core as a multiple of those of a plain Python loop over the same lines (``benchmarks.plain``), and
its time on two cores, where workers read, as a part of that on one. Each figure is shown beside
its limit.
"""

from __future__ import annotations

import argparse
import heapq
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    RequestTracingFilter,
    TextFormatter,
    bound_request_metadata,
)
from asgi_trace._cli.logs.workers import cores
from asgi_trace._core.access_lines import ACCESS_LOGGER, format_access

from . import plain

LINES = 1_000_000
LINES_PER_REQUEST = 10


class PythonFormatter(logging.Formatter):
    """A program's own formatter, of the standard library, with our ids."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s [req=%(request_id)s|session=%(session_id)s] %(message)s"
        )
        self._filter = RequestTracingFilter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a *record*."""
        self._filter.filter(record)
        return super().format(record)


FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "text": TextFormatter,
    "json": JSONFormatter,
    "logfmt": LogfmtFormatter,
    "python": PythonFormatter,
}

_PATHS = ("/api/payment", "/api/profile", "/api/status", "/api/invoice?id=5", "/api/items/7")
_MESSAGES = (
    "Processing payment for user %s",
    "Loading profile %s",
    "Reserving item %s in the warehouse",
    "SELECT * FROM orders WHERE customer = %s ORDER BY id DESC LIMIT 10",
    "Cache miss for key user:%s",
)


class Cost(NamedTuple):
    """
    The cost of the command: seconds, CPU seconds, and megabytes of memory and of the page.

    ``ratio`` is the CPU seconds on one core divided by those of a plain loop; ``part`` is the time
    on two cores divided by that on one, or 0 where there is only one core.
    """

    seconds: float
    work: float
    memory: float
    size: float
    ratio: float
    part: float


# Seconds include the time of other processes of the machine; CPU seconds and the ratio do not.
GOALS = {
    "text": Cost(seconds=20, work=20, memory=150, size=120, ratio=3, part=0.6),
    "json": Cost(seconds=40, work=40, memory=150, size=120, ratio=2.5, part=0.6),
    "logfmt": Cost(seconds=40, work=40, memory=150, size=120, ratio=3, part=0.6),
    "python": Cost(seconds=40, work=40, memory=150, size=120, ratio=3, part=0.6),
}


def records(lines: int) -> Iterator[tuple[RequestMetadata, logging.LogRecord]]:
    """
    Yield the records of a log, in the order of their times, each with the request that wrote it.
    """
    rng = random.Random(7)
    requests = (_request(rng, number) for number in range(-(-lines // LINES_PER_REQUEST)))
    # A request lasts up to two seconds, and each hundredth of a second another begins.
    waiting: list[tuple[float, int, RequestMetadata, logging.LogRecord]] = []
    written = 0
    for number, request in enumerate(requests):
        for line, (metadata, record) in enumerate(request):
            heapq.heappush(
                waiting, (record.created, number * LINES_PER_REQUEST + line, metadata, record)
            )
        while waiting and waiting[0][0] < _start(number + 1) and written < lines:
            yield heapq.heappop(waiting)[2:]
            written += 1
    for _ in range(lines - written):
        yield heapq.heappop(waiting)[2:]


def _start(number: int) -> float:
    return 1_705_311_015 + number / 100


def _request(
    rng: random.Random, number: int
) -> Iterator[tuple[RequestMetadata, logging.LogRecord]]:
    metadata = RequestMetadata(f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(128):032x}")
    if number % 4:
        metadata.session_id = f"{rng.randrange(500):08x}"
    began, duration = _start(number), rng.random() ** 3 * 2
    status = 500 if rng.random() < 0.005 else 200
    for line in range(LINES_PER_REQUEST - 1):
        level = logging.WARNING if rng.random() < 0.02 else logging.INFO
        record = logging.LogRecord(
            "shop", level, "", 0, rng.choice(_MESSAGES), (rng.randrange(10**6),), None
        )
        if status == 500 and line == LINES_PER_REQUEST - 2:
            record.levelno, record.levelname, record.exc_text = logging.ERROR, "ERROR", _TRACEBACK
        yield metadata, _at(record, began + duration * line / LINES_PER_REQUEST)
    fields = {
        "method": "GET",
        "path": rng.choice(_PATHS),
        "status": status,
        "duration_ms": round(duration * 1000, 1),
        "bytes": rng.randrange(10_000),
        "transport": "http",
        "client": f"127.0.0.1:{rng.randrange(1024, 65536)}",
        "ttfb_ms": round(duration * 900, 1),
    }
    access = logging.LogRecord(
        ACCESS_LOGGER, logging.INFO, "", 0, "%s", (format_access(fields),), None
    )
    access.__dict__.update(fields)
    yield metadata, _at(access, began + duration)


_TRACEBACK = (
    "Traceback (most recent call last):\n"
    + "".join(
        f'  File "/srv/shop/module_{frame}.py", line {frame}, in step_{frame}\n    step()\n'
        for frame in range(10)
    )
    + "KeyError: 'bulb'"
)


def _at(record: logging.LogRecord, when: float) -> logging.LogRecord:
    record.created, record.msecs = when, when % 1 * 1000
    return record


def write_log(path: Path, form: str, lines: int) -> None:
    """Write a log of a number of *lines* in one of the forms."""
    formatter = FORMATTERS[form]()
    with path.open("w", encoding="utf-8") as file:
        for metadata, record in records(lines):
            with bound_request_metadata(metadata):
                file.write(formatter.format(record) + "\n")


# On Linux, getrusage() returns at least the peak memory of the parent process; /proc/self/status
# has the process's own.
_COMMAND = """
import os, re, resource, sys
if "--one-core" in sys.argv:
    sys.argv.remove("--one-core")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from asgi_trace._cli.main import main
code = main()
usage = resource.getrusage(resource.RUSAGE_SELF)
memory = usage.ru_maxrss / 1e6
if sys.platform == "linux":
    with open("/proc/self/status") as status:
        memory = int(re.search("VmHWM:([^k]*)", status.read())[1]) / 1e3
print(usage.ru_utime + usage.ru_stime, memory)
sys.exit(code)
"""


def cost(log: Path, page: Path, form: str) -> Cost:
    """Make the *page* of a *log* in a *form* with the real command, and return the cost."""
    seconds, _, memory = _run(log, page)
    alone, work, memory_alone = _run(log, page, "--one-core")
    part = seconds / alone if cores() > 1 else 0.0
    ratio = work / plain.work(form, str(log))
    return Cost(seconds, work, max(memory, memory_alone), page.stat().st_size / 1e6, ratio, part)


def work(log: Path, page: Path) -> float:
    """Return the CPU seconds that the *page* of a *log* takes on one core."""
    return _run(log, page, "--one-core")[1]


def _run(log: Path, page: Path, *options: str) -> tuple[float, float, float]:
    """Run the real command; return seconds, CPU seconds, and megabytes of its own memory."""
    command = [sys.executable, "-c", _COMMAND, *options, "view", str(log), "-o", str(page)]
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"asgi-trace view ended with exit code {done.returncode}")
    work, memory = map(float, done.stdout.split()[-2:])
    return seconds, work, memory


def _row(took: Cost) -> str:
    sizes = f"{took.memory:>9.0f} MB{took.size:>9.1f} MB"
    return f"{took.seconds:>12.1f}{took.work:>12.1f}{sizes}{took.ratio:>9.1f} x{took.part:>10.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure each form, print a table, and return 1 where a log of the usual size misses a limit.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.view", description="Measure asgi-trace view."
    )
    parser.add_argument(
        "--lines", type=int, default=LINES, help=f"of the log; {LINES} when left out"
    )
    parser.add_argument(
        "--form", action="append", choices=list(FORMATTERS), help="only this one; repeatable"
    )
    options = parser.parse_args(arguments)
    missed = False
    size = f"{options.lines:,} lines"
    print(
        f"{size:16}{'log':>10}{'seconds':>12}{'work':>12}{'memory':>12}{'page':>12}{'plain loop':>11}{'two cores':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        log, page = Path(folder, "app.log"), Path(folder, "trace.html")
        for form in options.form or FORMATTERS:
            write_log(log, form, options.lines)
            took, goals = cost(log, page, form), GOALS[form]
            megabytes = log.stat().st_size / 1e6
            print(f"{form:16}{megabytes:>7.0f} MB{_row(took)}", flush=True)
            print(f"{'  limits':16}{'':>10}{_row(goals)}")
            missed |= any(value > goal for value, goal in zip(took, goals, strict=True))
    # The start of the interpreter is most of what a short log takes.
    return int(missed and options.lines >= LINES)


if __name__ == "__main__":
    sys.exit(main())
