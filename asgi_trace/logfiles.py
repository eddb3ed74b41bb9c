"""
Logs as they lie about: files, packed ones and pipes, read in blocks of whole lines, and how much of them is wanted.

Knows bytes, and what a line looks like that goes on another. What a record's line tells it asks ``records``. Does not
know what the lines are wanted for.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from .records import NO_ID, SESSION_LENGTH, parse_time

__all__ = (
    "ANOTHER_LOG",
    "COLOR",
    "COLORS",
    "TRACEBACK",
    "Log",
    "blocks_of",
    "is_plain",
    "read_duration",
    "read_since",
    "reason",
    "same_session",
)

_BLOCK = 1 << 20
# A line longer than this is read in pieces, and its first piece tells whose it is.
_LONGEST_LINE = 16 << 20

COLOR = r"\x1b\[[\d;]*m"
COLORS = re.compile(COLOR)
# An unstamped line goes on the record before it from the first of these ...
TRACEBACK = r"[ \t]|Traceback \(most recent call last\):|Stack \(most recent call last\):"
# ... up to a line that looks like another logger's.
ANOTHER_LOG = (
    rf"(?:{COLOR})*"
    r"(?:[\[<]?(?:\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|\d\d?/[A-Z][a-z]{2}/\d{4}|\d{1,3}(?:\.\d{1,3}){3}[: ])"
    r"|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL)\b|\{\"|timestamp=)"
)


# -- what is wanted ----------------------------------------------------------------------------------------------

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def is_plain(wanted: str) -> bool:
    """Whether a line has this id in it as it is. Others may be escaped; and JSON leaves out the one that is none."""
    return re.fullmatch(r"[\w.~+/=:@-]*", wanted, re.ASCII) is not None and wanted != NO_ID


def same_session(logged: str, wanted: str) -> bool:
    """Whether a session that a line shows as *logged* may be the one *wanted*: either may be the other's beginning."""
    if logged == NO_ID:
        return wanted == NO_ID
    # As long as text shows them, a logged id may have been cut; a shorter one is whole.
    return logged.startswith(wanted) or (len(logged) >= SESSION_LENGTH and wanted.startswith(logged))


def read_duration(option: str, text: str) -> float:
    """
    Return the seconds that the *text* of an *option* asks for.

    :raises ValueError: with a sentence for the user.
    """
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)\s*", text, re.ASCII)
    if match is None:
        raise ValueError(f"{option} is {text!r}; expected a number with its unit, such as 250ms, 1.5s, 10m, 2h or 1d")
    return float(match[1]) * _SECONDS[match[2]]


def read_since(text: str) -> float:
    """
    Return the seconds since the epoch of a time, or of a moment so long ago.

    :raises ValueError: with a sentence for the user.
    """
    when = parse_time(text.strip())
    if when is not None:
        return when
    try:
        return time.time() - read_duration("--since", text)
    except ValueError:
        raise ValueError(
            f"--since is {text!r}; expected how long ago, such as 10m, or a time such as '2024-01-15 10:30' or 10:30"
        ) from None


# -- files -------------------------------------------------------------------------------------------------------


def blocks_of(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield what *stream* has as it comes, in blocks that end where a line ends."""
    pieces: list[bytes] = []
    size = 0
    while data := stream.read1(_BLOCK):
        end = data.rfind(b"\n") + 1
        size += len(data)
        if not end and size < _LONGEST_LINE:
            pieces.append(data)
            continue
        end = end or len(data)
        yield b"".join((*pieces, data[:end]))
        pieces = [data[end:]]
        size = len(pieces[0])
    if size:
        yield b"".join(pieces)


_STDIN = 0


class Log:
    """One log: a file, packed or not, or a pipe. What cannot be read of it is said once, to *complain*."""

    def __init__(self, name: str, complain: Callable[[str], object]) -> None:
        self.name = "standard input" if name == "-" else name
        self._complain = complain
        self._target: str | int = _STDIN if name == "-" else name
        self._is_spooled = False
        self.failed = False
        self.done = 0  # how many bytes of a file have been read

    def last_written(self) -> float:
        """Return when it was, in seconds since the epoch: a pipe may go on for ever."""
        try:
            return os.stat(self._target).st_mtime
        except OSError:
            return float("inf")

    def size(self) -> int:
        """Return how many bytes a file has, and 0 for a pipe."""
        try:
            return os.stat(self._target).st_size
        except OSError:
            return 0

    def can_be_read_again(self) -> bool:
        """Whether it is no pipe, or has been spooled."""
        return self._is_spooled or os.path.isfile(self._target)

    def spool(self, spool: IO[bytes]) -> None:
        """Copy a pipe to *spool*, and read it from there."""
        with self._complaining(), self._open() as stream:
            shutil.copyfileobj(stream, spool)
            spool.flush()
        self._target, self._is_spooled = spool.fileno(), True

    def blocks(self) -> Iterator[bytes]:
        """Yield what it has, unpacked, as :func:`blocks_of` does."""
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
            if not self.failed:
                self.failed = True
                self._complain(f"{self.name}: {reason(error)}")


def reason(error: Exception) -> str:
    """Return why something could not be read or written, without its name."""
    return getattr(error, "strerror", None) or str(error)
