"""
Bytes of logs: files, packed ones and pipes, read in blocks of whole lines. Text in UTF-16 is read
as UTF-8. This module does not look into the lines.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import os
import re
import select
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple, Protocol

__all__ = (
    "Log",
    "allow_open",
    "blocks_of",
    "decoder_of",
    "distinct",
    "drop_output",
    "is_packed",
    "reason",
    "refuse_terminal",
)

_BLOCK = 1 << 20
# A line longer than this is read in pieces, and its first piece has the ids.
_LONGEST_LINE = 16 << 20


class Readable(Protocol):
    """What blocks are read from."""

    def read1(self, size: int, /) -> bytes:
        """Return some bytes, and none at the end."""


def blocks_of(stream: Readable, start: bytes = b"", most: int | None = None) -> Iterator[bytes]:
    """
    Yield the bytes of *stream* as they arrive, in blocks that end where a line ends.

    :param start: bytes that were read from it before.
    :param most: the bytes of a block after the first one, which shows what the log is; as many as
        of the first, when left out.
    """
    pieces: list[bytes] = []
    size = 0
    start = start or stream.read1(_BLOCK)
    later = min(most or _BLOCK, _BLOCK)
    while data := start or stream.read1(later):
        start = b""
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


def distinct(names: Iterable[str]) -> list[str]:
    """
    Return *names* without those of a file that an earlier one names, as ``*.log`` may: some
    programs write a link to the present log beside it.
    """
    names_of: dict[object, str] = {}
    for name in names:
        try:
            status = os.stat(name)
        except OSError:  # "-", too
            names_of.setdefault(name, name)
        else:
            names_of.setdefault((status.st_dev, status.st_ino), name)
    return list(names_of.values())


# The open files besides logs: Python's own, and what processes and servers need.
_OTHER_FILES = 64


def allow_open(number: int) -> None:
    """
    Allow this process so many open logs, which are merged: macOS allows 256 files and Linux 1,024,
    until a process asks for more.
    """
    if sys.platform == "win32":
        return
    import resource  # Windows has no such module

    wanted = number + _OTHER_FILES
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or wanted <= allowed:
        return
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


_STDIN, _STDOUT = 0, 1


class Log:
    """
    One log: a file, compressed or not, or a pipe. A part that cannot be read is reported once, to
    *complain*.

    :param most: the bytes of a block after the first one, see :func:`blocks_of`.
    """

    def __init__(
        self, name: str, complain: Callable[[str], object], most: int | None = None
    ) -> None:
        self.name = "standard input" if name == "-" else name
        self._complain = complain
        self._most = most
        self._said: set[str] = set()
        self._target: str | int = _STDIN if name == "-" else name
        self._is_spooled = False
        self._start: int | None = None  # where a file that is standard input begins
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

    def is_output(self) -> bool:
        """Whether standard output goes to this file, as after ``>> app.log``."""
        with contextlib.suppress(OSError):
            output = os.fstat(_STDOUT)
            is_file = stat.S_ISREG(output.st_mode)
            return is_file and os.path.samestat(output, os.stat(self._target))
        return False

    def can_be_read_again(self) -> bool:
        """Whether it is not a pipe, or has been spooled."""
        return self._is_spooled or os.path.isfile(self._target)

    def spool(self, spool: IO[bytes]) -> None:
        """Copy a pipe to *spool*, and read it from there."""
        with self._complaining(), self._open() as stream:
            shutil.copyfileobj(stream, spool)
            spool.flush()
        self._target, self._is_spooled, self._start = spool.fileno(), True, 0

    def blocks(self) -> Iterator[bytes]:
        """Yield its bytes, uncompressed, in blocks as from :func:`blocks_of`."""
        with self._complaining(), self._open() as stream:
            is_file = stream.seekable()
            readable = _readable(stream)
            start = b"" if is_file or readable is not stream else _arrived(stream)
            for block in blocks_of(readable, start, self._most):
                self.done = stream.tell() if is_file else 0
                yield block

    def _open(self) -> io.BufferedReader:
        if isinstance(self._target, int) and self.can_be_read_again():
            # The shell, or a program before this one, may have read the first lines.
            if self._start is None:
                self._start = os.lseek(self._target, 0, os.SEEK_CUR)
            os.lseek(self._target, self._start, os.SEEK_SET)
        # The first block is as long as the others: it shows what the log is.
        raw = io.FileIO(self._target, closefd=isinstance(self._target, str))
        return io.BufferedReader(raw, _BLOCK)

    @contextlib.contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.complain(reason(error))


# A program may write to a pipe line by line. So many seconds are given to it for its next lines.
_MOMENT = 0.1


def _arrived(pipe: io.BufferedReader) -> bytes:
    """Return the first bytes of a *pipe*, with those that arrive in the next moment."""
    data = pipe.read1(_BLOCK)
    # At a terminal, Ctrl-D ends the input for one read only: another read would wait for more.
    if data and sys.platform != "win32" and not pipe.isatty():
        time.sleep(_MOMENT)
        if select.select([pipe], [], [], 0)[0]:
            data += pipe.read1(_BLOCK)
    return data


# -- packed ----------------------------------------------------------------------------------------


class _Packing(NamedTuple):
    """A way to pack a file: its first bytes, a program, and the class of Python that unpacks it."""

    start: re.Pattern[bytes]
    program: str
    module: str
    name: str


_PACKINGS = (
    _Packing(re.compile(rb"\x1f\x8b"), "gzip", "gzip", "GzipFile"),
    _Packing(re.compile(rb"BZh[1-9]1AY&SY"), "bzip2", "bz2", "BZ2File"),
    _Packing(re.compile(rb"\xfd7zXZ\x00"), "xz", "lzma", "LZMAFile"),
    _Packing(re.compile(rb"\x28\xb5\x2f\xfd"), "zstd", "compression.zstd", "ZstdFile"),
)
# Files that hold files: the program that writes the lines of all of them.
_ARCHIVES = (
    (re.compile(rb"PK\x03\x04"), "unzip -p"),
    (re.compile(rb"[^\0].{256}ustar", re.DOTALL), "tar -xOf"),
)
_ARCHIVE_HEAD = 262
# A byte order mark and a character of ASCII, which a log begins with; or eight such characters.
_UTF_16 = (
    ("utf-16", re.compile(rb"\xff\xfe[\x01-\x7f]\x00|\xfe\xff\x00[\x01-\x7f]")),
    ("utf-16-le", re.compile(rb"(?:[\x01-\x7f]\x00){8}")),
    ("utf-16-be", re.compile(rb"(?:\x00[\x01-\x7f]){8}")),
)


def is_packed(name: str) -> bool:
    """Whether the file with this *name* is packed or an archive: no line is added to such a file."""
    try:
        with open(name if os.path.isfile(name) else os.devnull, "rb") as file:
            start = file.read(_ARCHIVE_HEAD)
    except OSError:
        return False
    return any(begins.match(start) for begins, *_ in (*_PACKINGS, *_ARCHIVES))


def _readable(stream: io.BufferedReader) -> Readable:
    """
    Return what the lines of *stream* are read from: itself, if it is neither packed nor in UTF-16.

    :raises OSError: with a sentence for the user, if this Python cannot unpack it, or if it is an
        archive of files.
    """
    start = stream.peek(_ARCHIVE_HEAD)[:_ARCHIVE_HEAD]
    _refuse_archive(start)
    for packing in _PACKINGS:
        if packing.start.match(start):
            unpacked = _Unpacked(stream, packing)
            # Firehose packs what CloudWatch has packed.
            return _PackedTwice(unpacked, packing) if unpacked.begins(packing.start) else unpacked
    decoder = decoder_of(start)
    return stream if decoder is None else _Recoded(stream, decoder)


def decoder_of(start: bytes) -> codecs.IncrementalDecoder | None:
    """Return what decodes a log with this *start*; None for one that is not in UTF-16."""
    for encoding, begins in _UTF_16:
        if begins.match(start):
            return codecs.getincrementaldecoder(encoding)("replace")
    return None


def _refuse_archive(start: bytes) -> None:
    """
    :raises OSError: if *start* is that of an archive: its first lines stand behind the heads of its
        files, and may be packed.
    """
    for begins, program in _ARCHIVES:
        if begins.match(start):
            raise OSError(f"this is an archive of files; '{program}' writes their lines")


class _Unpacked:
    """The bytes in a packed *stream*."""

    def __init__(self, stream: io.BufferedReader, packing: _Packing) -> None:
        try:
            opener = getattr(importlib.import_module(packing.module), packing.name)
        except ImportError:
            program = packing.program
            raise OSError(
                f"this Python has no module for {program}; '{program} -dc' writes the lines"
            ) from None
        self._start = b""
        self._file: Any = (
            opener(stream, "rb") if packing.program != "gzip" else opener(fileobj=stream)
        )

    def begins(self, start: re.Pattern[bytes]) -> bool:
        """Whether the unpacked bytes have this *start*; they are not read by it."""
        self._start = self.read1(_BLOCK)
        _refuse_archive(self._start[:_ARCHIVE_HEAD])
        return start.match(self._start) is not None

    def read1(self, size: int) -> bytes:
        """Return some bytes, and none at the end; any fault is one of the file."""
        if self._start:
            start, self._start = self._start, b""
            return start
        try:
            return bytes(self._file.read1(size))
        except OSError:
            raise
        except Exception as error:
            raise OSError(str(error)) from error


class _Raw(io.RawIOBase):
    """The bytes of a *source*, for a module that reads from files alone."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer*, and return the number of its bytes."""
        data = self._rest or self._source.read1(len(buffer))
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        self._rest = data[size:]
        return size


class _PackedTwice(_Unpacked):
    """The bytes in a packed file that is *unpacked* already."""

    def __init__(self, unpacked: Readable, packing: _Packing) -> None:
        super().__init__(io.BufferedReader(_Raw(unpacked), _BLOCK), packing)


class _Recoded:
    """Text in UTF-16, as shells of Windows write it, in UTF-8."""

    def __init__(self, stream: io.BufferedReader, decoder: codecs.IncrementalDecoder) -> None:
        self._stream = stream
        self._decoder = decoder

    def read1(self, size: int) -> bytes:
        """Return some bytes, and none at the end."""
        while True:
            data = self._stream.read1(size)
            text = self._decoder.decode(data, not data)
            if text or not data:
                return text.encode()


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
