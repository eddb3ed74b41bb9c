"""
Other processes that read blocks of large logs: on two cores, a page takes about half of the time.

A worker is this Python with this module as its program. It gets blocks on its standard input, and
answers each with its columns on standard output, in the format of :mod:`marshal`. While it has no
block to read, it may call a function for its reader. It ends when its input does. A worker that
cannot be started or dies only costs time: the caller then reads the block itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import marshal
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import tzinfo
from functools import cache
from typing import IO, Any, NamedTuple

from .columns import columns_in_envelopes, columns_of
from .entries import Columns, Common
from .envelopes import Peeler
from .layers import without_envelopes, wrapped, wrapping_of
from .lines import LOOKED_AT, Lines, values_at
from .own import own_form
from .records import Records
from .stamps import Stamps
from .times import Clock, read_zone

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

__all__ = ("Parsed", "Workers", "cores", "parsed")

_MOST_WORKERS = 4
# The number of blocks that are read ahead, besides one for each worker: each takes some two
# megabytes until its lines are on the page.
_AHEAD = 1
# Workers leave the processors to their reader while it has work to do: it alone makes the page.
_NICE = 5


class Parsed(NamedTuple):
    """
    A block of our own lines: its columns, the lines that are odd, and whether a time had no zone.

    Of lines in envelopes, *wrapping* has the names of the form and the envelopes, and the odd lines
    are left out: the reader has the text.
    """

    columns: Columns
    odd_lines: list[str]
    is_zone_assumed: bool
    wrapping: tuple[str, ...] | None = None


def parsed(text: str, zone: tzinfo | None) -> Parsed | None:
    """
    Return the lines of *text*, each with its line feed, as columns; None, if they are not ours, or
    if their meaning depends on the lines before.
    """
    lines = Lines(text)
    form = next(filter(None, map(own_form, lines[:LOOKED_AT])), None)
    clock = Clock(zone)
    if form is None:
        block = _parsed_in_envelopes(lines, clock)
    else:
        columns = columns_of(form, lines, Records(0, clock))
        block = Parsed(columns, [lines[place] for place in columns.odd], clock.is_zone_assumed)
    return None if clock.is_ambiguous else block


def _parsed_in_envelopes(lines: Lines, clock: Clock) -> Parsed | None:
    peeler = Peeler()
    for line in lines[:LOOKED_AT]:
        peeler.peel(line)
    form, layers = wrapped(lines[:LOOKED_AT], peeler)
    # Sources that count are those of the lines before, and colors may be anywhere.
    if form is None or "\x1b" in lines.text or any(layer.known is not None for layer in layers):
        return None
    bare = without_envelopes(form, lines, layers)
    # A time without its date or zone depends on the lines before, too.
    if form.is_text and not _are_complete(bare.times, clock):
        return None
    columns = columns_in_envelopes(form, bare, Records(0, clock))
    return Parsed(columns, [], clock.is_zone_assumed, wrapping_of(form, layers))


def _are_complete(times: Sequence[Any] | None, clock: Clock) -> bool:
    """Whether all *times* of envelopes have a date and a zone."""
    if isinstance(times, Stamps):
        return None not in {times.second(run, clock) for run in times.runs}
    known = [when for when in times or () if when is not None]
    return not known or clock.read_all(known) is not None


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from {module} import _serve; _serve({zone!r}, {folder!r})"
)


class Workers:
    """
    Some workers, started with the first block.

    :param zone: of times that name none; the machine's own when left out.
    :param count: their number; that of the processors when left out. The workers have a lower
        priority than the caller, who has work of its own.
    """

    def __init__(self, zone: tzinfo | None = None, count: int | None = None) -> None:
        self._zone = None if zone is None else _name_of(zone)
        self._count = min(cores(), _MOST_WORKERS) if count is None else count
        self._processes: list[subprocess.Popen[bytes]] = []
        # Last is None, once all have died.
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        self._alive = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(self._count)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, blocks: Iterable[bytes]) -> Iterator[tuple[bytes, Parsed | None]]:
        """Yield each of *blocks* with a worker's result; None, if there is none."""
        self._start()
        waiting: deque[tuple[bytes, Future[bytes | None]]] = deque()
        for block in blocks:
            waiting.append((block, self._threads.submit(self._asked, block)))
            if len(waiting) > self._count + _AHEAD:
                yield _result_of(*waiting.popleft())
        while waiting:
            yield _result_of(*waiting.popleft())

    def _start(self) -> None:
        if self._processes:
            return
        program = _PROGRAM.format(
            path=sys.path, module=__name__, zone=self._zone, folder=os.getcwd()
        )
        for _ in range(self._count):
            with contextlib.suppress(OSError, ValueError):
                process = subprocess.Popen(
                    [sys.executable, "-c", program],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
                self._processes.append(process)
                _widen(process.stdin)
                _widen(process.stdout)
                self._idle.put(process)
        self._alive = len(self._processes)
        if not self._alive:
            self._idle.put(None)

    def _asked(self, block: bytes) -> bytes | None:
        """Return a worker's answer; None, if there is none. Runs in a thread of its own."""
        return self._answer_of(self._idle.get(), b"", block)

    def call(self, function: Callable[[Any], bytes], argument: Any) -> bytes | None:
        """
        Return what *function*, of the top of a module, returns for *argument*, which can be
        marshalled, in an idle worker; None, if there is none.
        """
        try:
            process = self._idle.get_nowait()
        except queue.Empty:
            return None
        name = f"{function.__module__}:{function.__name__}"
        return self._answer_of(process, name.encode(), marshal.dumps(argument))

    def _answer_of(
        self, process: subprocess.Popen[bytes] | None, name: bytes, data: bytes
    ) -> bytes | None:
        """Return what a *process* that was idle answers; None, if it has died."""
        if process is None:
            self._idle.put(None)
            return None
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            _send(name, process.stdin)
            _send(data, process.stdin)
            answer = _received(process.stdout)
        except (OSError, EOFError, ValueError):
            with self._lock:
                self._alive -= 1
                if not self._alive:
                    self._idle.put(None)
            return None  # and this worker gets nothing more
        self._idle.put(process)
        return answer

    def close(self) -> None:
        """End the workers, and wait until they have ended."""
        for process in self._processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self._processes.clear()


def _name_of(zone: tzinfo) -> str:
    """Return the name for which :func:`read_zone` returns *zone*."""
    return str(zone).removeprefix("UTC") or "UTC"


def _result_of(block: bytes, future: Future[bytes | None]) -> tuple[bytes, Parsed | None]:
    """Return a *block* with what is in its answer; None, if the reader has to read it."""
    answer = future.result()
    return block, _parsed_in(answer) if answer else None


def _parsed_in(answer: bytes) -> Parsed | None:
    try:
        columns, *others = marshal.loads(answer)
    except (EOFError, ValueError, TypeError):  # not whole; or None, which has no parts
        return None
    return Parsed(_loaded(*columns), *others)


def _loaded(
    times: Sequence[float], commons: _Numbered, texts: Sequence[str], *others: Sequence[int]
) -> Columns:
    """Return the columns in a worker's answer."""
    rows, numbers = commons
    distinct = [Common(*row) for row in rows]
    return Columns(times, values_at(numbers, distinct), texts, *others)


def _dumped(columns: Columns) -> tuple[Any, ...]:
    """Return *columns* as a worker's answer, in types that can be marshalled."""
    number_of = {common: number for number, common in enumerate(dict.fromkeys(columns.commons))}
    rows = [common.parts for common in number_of]
    numbers = list(values_at(columns.commons, number_of))
    return columns.times, (rows, numbers), *columns[2:]


# What lines have in common, each once, and the number of each line's.
_Numbered = tuple[Sequence[tuple[Any, ...]], Sequence[int]]

# The size of a pipe, in bytes.
_WIDE = 1 << 20


def _widen(pipe: IO[bytes] | None) -> None:
    """
    Let a *pipe* hold most of an answer, where the system can: a thread that reads it in small parts
    waits for the interpreter's lock after each.
    """
    if pipe is None or not hasattr(fcntl, "F_SETPIPE_SZ"):
        return
    with contextlib.suppress(OSError):  # the user has too many already
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _WIDE)


_SIZE = struct.Struct(">Q")


def _send(data: bytes, out: IO[bytes]) -> None:
    out.write(_SIZE.pack(len(data)))
    out.write(data)
    out.flush()


def _received(source: IO[bytes]) -> bytes:
    """
    Return the next block or answer.

    :raises EOFError: at the end of the input.
    """
    head = source.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    (size,) = _SIZE.unpack(head)
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _serve(zone: str | None, folder: str) -> None:
    """
    Answer what comes on standard input until nothing more does: the name of a function and its
    argument, or no name and a block.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its reader ends it
    gc.disable()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    os.chdir(folder)
    named = read_zone(zone) if zone else None
    source, out = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, data = _received(source), _received(source)
            if name:
                _send(_function(name.decode())(marshal.loads(data)), out)
                continue
            _send(marshal.dumps(_answer(data, named)), out)


@cache
def _function(name: str) -> Callable[[Any], bytes]:
    module, _, function = name.partition(":")
    imported: Callable[[Any], bytes] = getattr(importlib.import_module(module), function)
    return imported


def _answer(block: bytes, zone: tzinfo | None) -> Any:
    text = block.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    parsed_block = parsed(text, zone)
    if parsed_block is None:
        return None
    return _dumped(parsed_block.columns), *parsed_block[1:]
