"""
The command ``asgi-trace view``: one page of any logs, as a file, or served while they are written.

This module handles files, the terminal and the command's options. The page's content is made by
``model`` and ``page``.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ..logs.entries import Entries
from ..logs.files import Log, allow_open, distinct, drop_output, reason, refuse_terminal
from ..logs.reader import LineReader, Wanted, last_time, merged, read
from ..logs.summary import Reading, hints, notes, summarize
from ..logs.times import read_duration, read_since, read_zone
from ..logs.workers import Workers, cores
from .latest import Window
from .model import Model, Trace, build
from .packing import packed, packing_in
from .page import write

__all__ = ("run", "tell_page")

MOST_ENTRIES = 2_000_000
"""The most lines of a page: of a larger log the last ones, since browsers cannot show more."""

_BETWEEN_TELLS = 0.2


def run(files: Sequence[str], output: str | None = None, **conditions: str | None) -> int:
    """
    Write a page of those lines of *files* to *output* that meet the *conditions* of
    :func:`read_wanted`.

    ``-``, or no file, is standard input; as *output*, standard output. Returns the exit code. 0:
    there is a page; 1: there was no line for one; 2: an error.
    """
    names = distinct(files) or ["-"]
    try:
        wanted, last = read_wanted(**conditions)
        if not files:
            refuse_terminal("view")
    except ValueError as error:
        return complain(str(error))
    target = output or (f"{os.path.basename(names[0])}.html" if names[0] != "-" else "trace.html")
    if any(_is_same(target, name) for name in names):
        return complain(
            f"{target}: this is one of the logs, and is not overwritten; name another file with --output"
        )
    with _without_garbage():
        return _write(names, wanted, last, target)


def read_wanted(
    *,
    session: str | None = None,
    request: str | None = None,
    since: str | None = None,
    last: str | None = None,
    tz: str | None = None,
) -> tuple[Wanted, float | None]:
    """
    Return the conditions in the command's arguments, and the number of seconds of the logs' end to
    show.

    :raises ValueError: with a sentence for the user, when one of them cannot be read.
    """
    zone = read_zone(tz) if tz else None
    wanted = Wanted(
        session or None, request or None, read_since(since, zone) if since else None, zone=zone
    )
    return wanted, read_duration("--last", last) if last else None


def _is_same(target: str, name: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(target, name)
    return False


def _write(names: Sequence[str], wanted: Wanted, seconds: float | None, target: str) -> int:
    faults: list[str] = []

    def note(sentence: str) -> None:
        faults.append(sentence)
        complain(sentence)

    logs = [Log(name, note) for name in names]
    allow_open(len(logs))
    # The order of lines of the same time: a rotated log comes before the one that continues it.
    logs.sort(key=Log.last_written)
    with contextlib.ExitStack() as stack:
        if seconds is not None:
            for log in logs:
                if not log.can_be_read_again():
                    log.spool(stack.enter_context(tempfile.TemporaryFile()))
            latest = last_time(logs, wanted.zone)
            wanted.since = None if latest is None else latest - seconds
        progress = Progress(logs)
        try:
            readings = [Reading(log.name) for log in logs]
            trace = trace_of(logs, wanted, progress, readings)
        finally:
            progress.clear()
    if not trace.head["lines"]:
        complain("no line to show" if wanted.is_all else "no line matches the options")
        return 2 if faults else 1
    advice = hints(readings)
    left_out, trace.head["left_out"] = (
        trace.head["left_out"],
        trace.head["left_out"] + faults + notes(readings, wanted.zone),
    )
    try:
        _save(trace, target)
    except BrokenPipeError:
        raise
    except OSError as error:
        if target == "-":
            drop_output()
        return complain(f"{'standard output' if target == '-' else target}: {reason(error)}")
    _summarize(trace, target, left_out)
    for sentence in advice:
        complain(sentence)
    if sys.stdout.isatty() and sys.stderr.isatty():
        complain(str(trace.head["summary"]))
    return 2 if faults else 0


def trace_of(
    logs: Sequence[Log], wanted: Wanted, tell: Callable[[], None], readings: Sequence[Reading]
) -> Trace:
    """
    Return the trace of the *wanted* lines of *logs*; call *tell* after each step, and fill
    *readings*.
    """
    names = [log.name for log in logs]
    workers = _workers(logs, wanted)
    pack = packed if workers is None else packing_in(workers)
    window = Window(lambda: Model(title_of(names), names, pack), MOST_ENTRIES, MOST_ENTRIES)
    readers = [
        read(log, number, wanted, reading, workers)
        for number, (log, reading) in enumerate(zip(logs, readings, strict=True))
    ]
    try:
        with workers or contextlib.nullcontext():
            for batch in merged(readers):
                window.add(batch, part_read(logs))
                tell()
            window.finish()
            model = window.model
            model.left_out += sentences(wanted)
            model.summary = summarize(readings, wanted.zone)
            return model.trace(is_last=True)
    finally:
        window.model.close()


def part_read(logs: Sequence[Log]) -> float:
    """Return the part of *logs* that has been read, from 0 to 1; 0 if it is not known."""
    sizes = [log.size() for log in logs]
    if not all(sizes):  # a pipe has no size
        return 0.0
    return sum(log.done for log in logs) / sum(sizes)


# Smaller logs are read before a worker has started.
_LARGE = 30 << 20


def _workers(logs: Sequence[Log], wanted: Wanted) -> Workers | None:
    """Return the workers that read *logs*; None if these are small, or few lines are wanted."""
    if not wanted.is_all or cores() < 2 or sum(log.size() for log in logs) < _LARGE:
        return None
    return Workers(wanted.zone)


@contextlib.contextmanager
def _without_garbage() -> Iterator[None]:
    """
    Pause the garbage collector: entries have no reference cycles. This saves a fifth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def sentences(wanted: Wanted) -> list[str]:
    """Return sentences on the lines that are not shown."""
    sentences = []
    if wanted.left_out:
        conditions = []
        if wanted.request:
            conditions.append(f"not of request {wanted.request}")
        if wanted.session:
            conditions.append(f"not of session {wanted.session}")
        if wanted.since is not None:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wanted.since))
            conditions.append(f"older than {moment}")
        sentences.append(f"{_counted(wanted.left_out, 'line')} {' or '.join(conditions)}.")
    if wanted.cut:
        sentences.append(f"The end of {_counted(wanted.cut, 'line')} too long to be shown whole.")
    return sentences


def title_of(names: Sequence[str]) -> str:
    """Return the title of a page of the logs with these *names*."""
    first = os.path.basename(names[0])
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tell_page(
    logs: Mapping[str, Sequence[str]], title: str, output: str | None, out: TextIO
) -> int:
    """
    Write the page of the demo's *logs* to *output*, a new temporary file when left out, and print its
    address on *out*.

    *logs* are lists of lines by the names of their logs. Returns the exit code: 2 if the page
    cannot be written.
    """
    entries = [_entries(number, lines) for number, lines in enumerate(logs.values())]
    trace = build(merged(entries), title, list(logs))
    try:
        if output is None:
            descriptor, output = tempfile.mkstemp(".html", "asgi-trace-demo-")
            os.close(descriptor)
        _save(trace, output)
    except OSError as error:
        return complain(f"{output or 'the temporary folder'}: {reason(error)}", "demo")
    print(f"\nAll of it on one page: {Path(output).resolve().as_uri()}", file=out, flush=True)
    return 0


def _entries(number: int, lines: Sequence[str]) -> Iterator[Entries]:
    reader = LineReader(number)
    yield reader.read(lines)
    yield reader.finish()


# -- the file --------------------------------------------------------------------------------------


def _save(trace: Trace, target: str) -> None:
    """Write the page; a file is replaced as a whole, or not at all."""
    if target == "-":
        write(trace.head, trace.chunks, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    if os.path.exists(target) and not os.path.isfile(target):  # a pipe or a device
        with open(target, "wb") as out:
            write(trace.head, trace.chunks, out)
        return
    # If *target* is a symbolic link, the file that it points to is written.
    folder, name = os.path.split(os.path.realpath(target))
    part = os.path.join(folder, f".{name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as out:
            write(trace.head, trace.chunks, out)
        os.replace(part, os.path.join(folder, name))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


# -- the terminal ----------------------------------------------------------------------------------


class Progress:
    """A line on the terminal that shows the part read so far; only if standard error is one."""

    def __init__(self, logs: Sequence[Log]) -> None:
        self._logs = logs
        self._is_watched = sys.stderr.isatty()
        self._is_shown = False
        self._next = time.monotonic() + _BETWEEN_TELLS

    def __call__(self) -> None:
        if not self._is_watched or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _BETWEEN_TELLS
        done, size = sum(log.done for log in self._logs), sum(log.size() for log in self._logs)
        text = f"{min(done / size, 1.0):4.0%} of {size / 1e6:,.0f} MB" if size else "reading"
        bar = "━" * round(30 * min(done / size, 1.0)) if size else ""
        print(f"\r\x1b[K{bar:30} {text}", end="", file=sys.stderr, flush=True)
        self._is_shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _summarize(trace: Trace, target: str, left_out: Sequence[str]) -> None:
    out = sys.stderr if target == "-" else sys.stdout
    head = trace.head
    requests, sessions = len(head["requests"]["id"]), len(head["sessions"])
    name = "standard output" if target == "-" else target
    parts = [
        _counted(head["lines"], "line"),
        _counted(requests, "request"),
        _counted(sessions, "session"),
    ]
    if head["unknown"]:
        parts.append(f"{_counted(head['unknown'], 'line')} of no request")
    print(f"{name}: {', '.join(parts)}", file=out)
    for sentence in left_out:
        print(f"left out: {sentence}", file=out)


def complain(sentence: str, command: str = "view") -> int:
    """Print an error of *command* on standard error, and return the exit code."""
    print(f"asgi-trace {command}: {sentence}", file=sys.stderr)
    return 2
