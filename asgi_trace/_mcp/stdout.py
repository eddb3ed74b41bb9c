"""
Capture of a program's own standard output while an MCP server uses standard output for its
protocol: the output goes to the log.

A line from a call's handler is logged, with the call's ids. Text outside any call goes to standard
error, and so does all output of child processes and C code. This module imports no SDK.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TextIO

from .._core.current import get_request_metadata
from .._core.faults import own_logger, report_once, warn_once
from .._core.request import RequestMetadata

__all__ = ("begin_output", "end_output", "keep_stdout")

_LOGGER = "asgi_trace.stdout"
_SDK = "mcp.server.stdio"

# In characters: a longer line is logged in parts, and a longer output of one call is cut.
_MAX_LINE = 8 * 1024
_MAX_OUTPUT = 256 * 1024

# Marks a function that keeps standard output already.
_KEEPS = "__asgi_trace__"

_STDOUT, _STDERR = 1, 2

_LOGGING = "logging what a tool wrote to standard output"


class _Output:
    """The output of one call: the incomplete line of each thread, and the length still allowed."""

    def __init__(self) -> None:
        self.incomplete: dict[int, str] = {}
        self.left = _MAX_OUTPUT


# The calls whose output is logged.
_outputs: dict[RequestMetadata, _Output] = {}
_streams: list[_LoggedStream] = []


def begin_output(call: RequestMetadata) -> None:
    """Keep the incomplete lines that the handler of *call* writes, until it has ended."""
    if _streams:
        _outputs[call] = _Output()


def end_output(call: RequestMetadata) -> None:
    """Log the incomplete lines of *call*. To be called while it is the current request."""
    output = _outputs.pop(call, None)
    if output is not None:
        try:
            for text in list(output.incomplete.values()):
                _log(text)
        except Exception:  # from a log filter
            report_once(_LOGGING)


class _LoggedStream(io.TextIOBase):
    """
    Replaces *program*, the program's :data:`sys.stdout`: text is logged as lines of the current
    call. Once ``is_over``, it passes text to *program*, for code that still has a reference to it.
    """

    name = "<stdout>"
    mode = "w"
    encoding = "utf-8"  # type: ignore[assignment, unused-ignore]
    errors = "backslashreplace"
    line_buffering = True

    def __init__(self, program: TextIO) -> None:
        self.program = program
        self.is_over = False
        self.buffer = _LoggedBuffer(self)
        self._unlogged: dict[int, str] = {}  # the incomplete line of each thread, outside any call

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.is_over:
            return self.program.write(text)
        call = get_request_metadata()
        try:
            # A line outside any call may be from a log handler, which prints our line in a thread.
            if call is None or getattr(_thread, "is_logging", False):
                self._write_unlogged(text)
            else:
                _write(call, text)
        except Exception:
            report_once(_LOGGING)
        return len(text)

    def _write_unlogged(self, text: str) -> None:
        """
        Write whole lines to standard error: ``print`` writes a line in pieces, between which another
        thread may log one.
        """
        thread = threading.get_ident()
        text = self._unlogged.pop(thread, "") + text
        end = text.rfind("\n") + 1
        if len(text) - end > _MAX_LINE:
            end = len(text)
        if text[end:]:
            self._unlogged[thread] = text[end:]
        if end:
            _write_error(text[:end])

    def flush(self) -> None:
        """A line of a call is logged once it is complete, or its call has ended."""
        if self.is_over:
            self.program.flush()
            return
        text = self._unlogged.pop(threading.get_ident(), "")
        if text:
            _write_error(text)

    def end(self) -> None:
        """Write the threads' incomplete lines, and pass later text to the program's stream."""
        self.is_over = True
        for text in list(self._unlogged.values()):
            _write_error(text)

    def fileno(self) -> int:
        return _STDERR  # for child processes

    def reconfigure(self, **options: Any) -> None:
        """Accept the options of a text stream, without effect."""

    def close(self) -> None:
        """Do nothing: the stream belongs to the process."""


class _LoggedBuffer(io.BufferedIOBase):
    """The binary side of a :class:`_LoggedStream`."""

    name = "<stdout>"
    mode = "wb"

    def __init__(self, text: _LoggedStream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        # A character takes at most four bytes.
        kept = bytes(view[: 4 * _MAX_OUTPUT])
        self._text.write(kept.decode("utf-8", "backslashreplace"))
        return len(view)

    def fileno(self) -> int:
        return _STDERR

    def close(self) -> None:
        """Do nothing, as above."""


# True in a thread that logs such a line: a handler of the program may print it.
_thread = threading.local()


def _write(call: RequestMetadata, text: str) -> None:
    output = _outputs.get(call)
    if output is None:  # a task that continues after its call has ended
        _log_lines(text[:_MAX_OUTPUT].splitlines())
        return
    if output.left <= 0:
        return
    thread = threading.get_ident()
    kept = text[: output.left]
    output.left -= len(kept)
    *lines, last = (output.incomplete.pop(thread, "") + kept).split("\n")
    _log_lines(lines)
    while len(last) > _MAX_LINE:
        _log(last[:_MAX_LINE])
        last = last[_MAX_LINE:]
    if output.left <= 0:
        _log(last)
        _log("[the further output of this call is left out]")
    elif last:
        output.incomplete[thread] = last


def _log_lines(lines: list[str]) -> None:
    for line in lines:
        for start in range(0, len(line), _MAX_LINE):
            _log(line[start : start + _MAX_LINE])


def _log(line: str) -> None:
    """Log *line*; if the program does not log such lines, write it to standard error."""
    line = line.rstrip("\r")
    if not line:
        return
    log = own_logger(_LOGGER)
    _thread.is_logging = True
    try:
        warn_once(
            _LOGGER,
            "a handler writes to standard output, which is the MCP protocol's; "
            f"its text is logged instead, by the logger {_LOGGER}",
        )
        if log.isEnabledFor(logging.INFO) and log.hasHandlers():
            log.info("%s", line)
        else:
            _write_error(f"{line}\n")
    finally:
        _thread.is_logging = False


def _write_error(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text)


def keep_stdout() -> None:
    """Log text that is written to standard output, while the SDK uses that for its protocol."""
    helper = getattr(sys.modules.get(_SDK), "stdio_server", None)
    serve = getattr(helper, "__wrapped__", None)
    if helper is None or serve is None or hasattr(serve, _KEEPS):
        return
    # fastmcp has its own reference to the function, so the generator inside it is replaced.
    for cell in getattr(helper, "__closure__", None) or ():
        if cell.cell_contents is serve:
            cell.cell_contents = helper.__wrapped__ = _keeping(serve)


def _keeping(serve: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """Return the SDK's generator *serve*, which yields the streams of a server over stdio."""
    serving = asynccontextmanager(serve)
    diverts = "_claim_fd" in getattr(serve, "__globals__", ())

    @functools.wraps(serve)
    async def keeping(stdin: Any = None, stdout: Any = None) -> AsyncIterator[Any]:
        # Version 2 redirects the descriptor by itself.
        is_private = stdout is None and not diverts
        is_logged = stdout is None or _is_standard(stdout)
        if stdout is None:
            # Else text that the program wrote before would follow the protocol's first messages.
            with contextlib.suppress(AttributeError, OSError, ValueError):
                sys.stdout.flush()
        with _private_stdout() if is_private else contextlib.nullcontext():
            async with serving(stdin, stdout) as streams:
                with _logged_stdout() if is_logged else contextlib.nullcontext():
                    yield streams

    setattr(keeping, _KEEPS, True)
    return keeping


def _is_standard(stdout: Any) -> bool:
    """Whether the program's own *stdout* for the protocol is the standard one."""
    try:
        return bool(getattr(stdout, "wrapped", stdout).fileno() == _STDOUT)
    except (AttributeError, OSError, ValueError):
        return False


@contextmanager
def _private_stdout() -> Iterator[None]:
    """
    Give the SDK, which uses the buffer of :data:`sys.stdout`, a descriptor that nothing else has;
    the usual one is redirected to standard error meanwhile.
    """
    program = sys.stdout
    private = _divert(program)
    if private is None:
        yield
        return
    # A thread of the SDK may still write when the server has ended: the descriptor stays open.
    wire = io.TextIOWrapper(os.fdopen(private, "wb", closefd=False), encoding="utf-8")
    sys.stdout = wire
    try:
        yield
    finally:
        if sys.stdout is wire:
            sys.stdout = program
        with contextlib.suppress(OSError, ValueError):
            program.flush()
        with contextlib.suppress(OSError):
            os.dup2(private, _STDOUT)


def _divert(stdout: TextIO) -> int | None:
    """Redirect descriptor 1 to standard error; return a copy of it, or None if *stdout* differs."""
    try:
        if stdout.fileno() != _STDOUT:
            return None
        stdout.flush()
        private = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
    except (AttributeError, OSError, ValueError):
        return None
    return private


@contextmanager
def _logged_stdout() -> Iterator[None]:
    program = sys.stdout
    stream = _LoggedStream(program)
    sys.stdout = stream
    _streams.append(stream)
    try:
        yield
    finally:
        _streams.remove(stream)
        stream.end()
        if sys.stdout is stream:
            sys.stdout = program
