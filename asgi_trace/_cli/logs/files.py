"""
Bytes of logs: files, packed ones and pipes, read in blocks of whole lines. This module does
not look into the lines.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO

__all__ = ("Log", "blocks_of", "drop_output", "reason", "refuse_terminal")

_BLOCK = 1 << 20
# A line longer than this is read in pieces, and its first piece has the ids.
_LONGEST_LINE = 16 << 20


def blocks_of(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield the bytes of *stream* as they arrive, in blocks that end where a line ends."""
    pieces: list[bytes] = []
    size = 0
    while data := stream.read1(_BLOCK):
        end = data.rfind(b"\n") + 1
        size += len(data)
        if not end and size < _LONGEST_LINE:
            pieces.append(data)
            continue
        end = end or len(data)
        rest = data[end:]
        yield b"".join((*pieces, memoryview(data)[:end]))
        pieces = [rest]
        size = len(rest)
    if size:
        yield b"".join(pieces)


_STDIN = 0


class Log:
    """
    One log: a file, compressed or not, or a pipe. A part that cannot be read is reported once, to
    *complain*.
    """

    def __init__(self, name: str, complain: Callable[[str], object]) -> None:
        self.name = "standard input" if name == "-" else name
        self._complain = complain
        self._said: set[str] = set()
        self._target: str | int = _STDIN if name == "-" else name
        self._is_spooled = False
        self.failed = False
        self.done = 0  # how many bytes of a file have been read
        # The reader's sum of the first lines' order, for the second pass; None before the first.
        self.falls: int | None = None

    def complain(self, sentence: str) -> None:
        """Report once that a part cannot be read: the result is then incomplete."""
        self.failed = True
        if sentence not in self._said:
            self._said.add(sentence)
            self._complain(f"{self.name}: {sentence}")

    def last_written(self) -> float:
        """Return the time of the last write, in seconds since the epoch; infinity if unknown."""
        try:
            return os.stat(self._target).st_mtime
        except OSError:
            return float("inf")

    def size(self) -> int:
        """Return the number of bytes of a file, and 0 for a pipe."""
        try:
            return os.stat(self._target).st_size
        except OSError:
            return 0

    def can_be_read_again(self) -> bool:
        """Whether it is not a pipe, or has been spooled."""
        return self._is_spooled or os.path.isfile(self._target)

    def spool(self, spool: IO[bytes]) -> None:
        """Copy a pipe to *spool*, and read it from there."""
        with self._complaining(), self._open() as stream:
            shutil.copyfileobj(stream, spool)
            spool.flush()
        self._target, self._is_spooled = spool.fileno(), True

    def blocks(self) -> Iterator[bytes]:
        """Yield its bytes, uncompressed, in blocks as from :func:`blocks_of`."""
        with self._complaining(), self._open() as stream:
            is_packed = stream.peek(2)[:2] == b"\x1f\x8b"
            is_file = stream.seekable()
            for block in blocks_of(gzip.GzipFile(fileobj=stream) if is_packed else stream):
                self.done = stream.tell() if is_file else 0
                yield block

    def _open(self) -> io.BufferedReader:
        if self._is_spooled:
            os.lseek(int(self._target), 0, os.SEEK_SET)
        return open(self._target, "rb", closefd=isinstance(self._target, str))

    @contextlib.contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error) as error:
            self.complain(reason(error))


def refuse_terminal(command: str) -> None:
    """
    Raise :exc:`ValueError`, with a sentence for the user, where standard input is a terminal:
    the command would wait there without any message.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return
    raise ValueError(
        f"no log is named, and standard input is this terminal; type 'asgi-trace {command} app.log', or "
        f"'docker logs shop 2>&1 | asgi-trace {command}', or name '-' to type the lines here"
    )


def reason(error: Exception) -> str:
    """Return the reason for which a file could not be read or written, without its name."""
    return getattr(error, "strerror", None) or str(error)


def drop_output() -> None:
    """
    Drop the rest of standard output, which cannot be written: Python would try again at exit, print
    another error, and end with exit code 120.
    """
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), sys.stdout.fileno())
