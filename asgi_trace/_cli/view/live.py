"""
``asgi-trace view --follow``: the page on loopback, and each line as it is written.

This module reads files that grow, rotate and are truncated, and serves one page by HTTP. It answers
this machine alone: it listens on 127.0.0.1, and rejects requests with another name in ``Host``,
since a stranger's page may use a name of its own that resolves to this address (DNS rebinding).
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import queue
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from ..logs.documents import added, unfolded
from ..logs.entries import Entries
from ..logs.files import Log, allow_open, decoder_of, distinct, is_packed, reason, refuse_terminal
from ..logs.reader import LogReader, Wanted, last_time, merged, read
from ..logs.summary import Reading, notes, summarize
from .command import (
    MOST_ENTRIES,
    Progress,
    complain,
    part_read,
    read_wanted,
    sentences,
    title_of,
)
from .latest import Window
from .model import Model
from .page import write

__all__ = ("Tail", "run")

_PIECE = 1 << 20
# The most blocks that are read at once from a log that has grown much; the rest is read later.
_MOST_PIECES = 8
# The bytes of the first lines that are kept of each log.
_FIRST = 1 << 16
_BETWEEN_POLLS = 0.2
# A line without a line feed is shown after this number of polls without more of it.
_POLLS_PATIENT = 5
# How many bytes of news are kept for a page that was disconnected; if it has missed more, it
# loads itself again.
_MOST_REMEMBERED = 16 << 20
_KEEP_ALIVE = 15.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Tail:
    """
    The text that is added to a file, by its name as in ``tail -F``: rotation and truncation are
    followed.

    A file that does not exist yet is waited for. If it cannot be read, that is reported once.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: io.FileIO | None = None
        self._half = b""
        self._start = b""  # its first bytes: if they change, it is another file
        self._decoder: codecs.IncrementalDecoder | None = None  # of text in UTF-16
        self._begins = False
        self._patience = 0
        self._is_said = False

    def blocks(self) -> Iterator[bytes]:
        """
        Yield the whole lines that there are by now. If the caller stops early, the next call
        continues.
        """
        while True:
            data = self._read()
            if not data:
                if not self._is_moved():
                    break
                data = self._read()  # text that was written before it was moved
                if not data:
                    self.close()
                    continue
            before, begins = self._half, self._begins
            self._begins, self._patience = False, _POLLS_PATIENT
            if before and begins:  # the end of the file before
                before += b"\n"
            end = data.rfind(b"\n") + 1
            if not end and len(before) > _PIECE:
                end = len(data)
            elif not end and not begins:
                self._half = before + data
                continue
            self._half = data[end:]
            if before or end:
                yield before + data[:end]
        if self._half:
            self._patience -= 1
            if not self._patience:
                half, self._half = self._half, b""
                yield half + b"\n"

    def _read(self) -> bytes:
        try:
            if self._file is None:
                self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115 - kept open
                self._start, self._begins = b"", True
            elif self._is_rewritten(self._file):
                self._file.seek(0)
                self._start, self._begins = b"", True
            data = self._file.read(_PIECE) or b""
            if len(self._start) < 256:
                self._start = (self._start + data)[:256]
            if data and self._begins:
                self._decoder = decoder_of(data)
            if self._decoder is not None:
                data = self._decoder.decode(data).encode()
            self._is_said = False
            return data
        except OSError as error:
            if not self._is_said:
                self._is_said = True
                complain(f"{self._path}: {reason(error)}; waiting for it")
            return b""

    def _is_rewritten(self, file: io.FileIO) -> bool:
        """
        Whether the file was truncated: it is shorter than the text read so far, or has another
        beginning.
        """
        if os.fstat(file.fileno()).st_size < file.tell():
            return True
        place = file.tell()
        file.seek(0)
        start = file.read(len(self._start))
        file.seek(place)
        return start != self._start

    def _is_moved(self) -> bool:
        """Whether the name now belongs to another file."""
        try:
            return self._file is not None and not os.path.samestat(
                os.stat(self._path), os.fstat(self._file.fileno())
            )
        except OSError:  # renamed, and not created again yet
            return False

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Pipe:
    """The text from a pipe, read in a thread of its own, since reading a pipe blocks."""

    def __init__(self, log: Log) -> None:
        self._blocks: queue.Queue[bytes] = queue.Queue(64)
        self._log = log
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for block in unfolded(self._log.blocks(), self._log.complain):
            self._blocks.put(block)

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole lines that there are by now."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._blocks.get_nowait()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class _Followed:
    """One log that grows: its present lines, and then the new ones."""

    def __init__(self, name: str, file: int, wanted: Wanted) -> None:
        self.log = Log(name, complain)
        self._source: _Pipe | Tail | None = None  # of a packed file, to which nothing is added
        if name == "-":
            self._source = _Pipe(self.log)
        elif not is_packed(name):
            self._source = Tail(name)
        self.reading = Reading(self.log.name)
        self._reader = LogReader(file, time.time() * 1000, wanted, self.reading)
        self._file = file
        self._wanted = wanted
        self._start = b""  # the log's first lines: they show what is before each line

    def so_far(self) -> Iterator[Entries]:
        if self._source is None:
            yield from read(self.log, self._file, self._wanted, self.reading)
            return
        blocks = self._blocks(self._source.blocks())
        if not isinstance(self._source, _Pipe):  # which has unfolded them
            blocks = unfolded(blocks, self.log.complain)
        yield from map(self._reader.read, blocks)
        yield self._reader.finish(is_over=False)

    def _blocks(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.log.done += len(block)
            self._start = self._start or block[:_FIRST]
            yield block

    def news(self) -> Entries:
        entries = Entries()
        if self._source is not None:
            blocks = self._blocks(islice(self._source.blocks(), _MOST_PIECES))
            for block in added(blocks, self.log.complain, self._start):
                entries.extend(self._reader.read(block).columns)
            entries.extend(self._reader.finish(is_over=False).columns)
        return entries

    def close(self) -> None:
        if self._source is not None:
            self._source.close()


class _Trace:
    """The trace of followed logs, and the news for the pages that show it."""

    def __init__(self, names: Sequence[str], wanted: Wanted) -> None:
        self._wanted = wanted
        self._followed = [_Followed(name, file, wanted) for file, name in enumerate(names)]
        self._names = [followed.log.name for followed in self._followed]
        self.title = title_of(self._names)
        self._window = Window(
            lambda: Model(self.title, self._names), MOST_ENTRIES, MOST_ENTRIES // 2
        )
        self._changed = threading.Condition()
        # An id of this process: numbers of news from another process are not valid here.
        self._run = secrets.token_hex(4)
        self._told: deque[tuple[int, bytes]] = deque()
        self._number = 0
        self._remembered = 0
        self._is_over = False

    def load(self, seconds: float | None) -> None:
        logs = [followed.log for followed in self._followed]
        if seconds is not None:
            latest = last_time([log for log in logs if log.can_be_read_again()], self._wanted.zone)
            self._wanted.since = None if latest is None else latest - seconds
        progress = Progress(logs)
        try:
            for batch in merged([followed.so_far() for followed in self._followed]):
                self._window.add(batch, part_read(logs))
                progress()
            self._window.finish()
        finally:
            progress.clear()

    def watch(self) -> None:
        """Read new lines until the end; in a thread of its own."""
        while not self._is_over:
            with self._changed:  # nothing changes while a page is made
                entries = Entries(entry for followed in self._followed for entry in followed.news())
                if entries:
                    self._take(entries)
                self._changed.wait_for(lambda: self._is_over, _BETWEEN_POLLS)

    def _take(self, entries: Entries) -> None:
        entries.sort()
        with self._changed:
            if not self._window.has_room(len(entries)):
                self._begin_anew()
            self._window.note(entries)
            for news in self._window.model.news(entries, time.time() * 1000):
                self._number += 1
                data = json.dumps(news, separators=(",", ":")).encode()
                self._told.append((self._number, data))
                self._remembered += len(data)
            while self._remembered > _MOST_REMEMBERED and len(self._told) > 1:
                self._remembered -= len(self._told.popleft()[1])
            self._changed.notify_all()

    def _begin_anew(self) -> None:
        """Drop the oldest lines; pages load themselves again."""
        self._window.renew()
        self._run = secrets.token_hex(4)
        self._told.clear()
        self._remembered = 0

    def page(self) -> bytes:
        zone = self._wanted.zone
        readings = [followed.reading for followed in self._followed]
        with self._changed:
            trace = self._window.model.trace()
            events = f"/events?after={self._run}-{self._number}"
            trace.head["summary"] = summarize(readings, zone)
            trace.head["left_out"] += sentences(self._wanted) + notes(readings, zone)
        out = io.BytesIO()
        write(trace.head, trace.chunks, out, events=events)
        return out.getvalue()

    def events(self, after: str) -> Iterator[bytes]:
        """Yield the news after *after*, the last that the page has received."""
        run, _, known = after.partition("-")
        number = int(known) if known.isdecimal() and len(known) < 19 else -1
        yield b"retry: 1000\n\n"
        while True:
            with self._changed:
                self._changed.wait_for(partial(self._is_news, run, number), _KEEP_ALIVE)
                if self._is_over:
                    return
                oldest = self._told[0][0] if self._told else self._number + 1
                is_lost = run != self._run or not oldest - 1 <= number <= self._number
                news = [message for message in self._told if message[0] > number]
            if is_lost:
                yield b"event: reset\ndata: {}\n\n"
                return
            for number, data in news:
                yield b"id: %b-%d\ndata: %b\n\n" % (run.encode(), number, data)
            if not news:
                yield b":\n\n"

    def _is_news(self, run: str, number: int) -> bool:
        return self._is_over or run != self._run or number != self._number

    def end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def close(self) -> None:
        """Close all logs and the model, after the watching thread has ended."""
        self._window.model.close()
        for log in self._followed:
            log.close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "asgi-trace"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 60

    _HEADERS: ClassVar = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not self._is_for_us():
            self._answer(
                HTTPStatus.FORBIDDEN, b"asgi-trace answers to localhost and 127.0.0.1 only\n"
            )
        elif url.path == "/":
            self._answer(HTTPStatus.OK, self.server.trace.page(), "text/html; charset=utf-8")
        elif url.path == "/events":
            self._stream(
                self.headers.get("Last-Event-ID") or parse_qs(url.query).get("after", [""])[0]
            )
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"the page is at /\n")

    do_HEAD = do_GET  # noqa: N815

    def _refuse(self) -> None:
        self.close_connection = True  # the body is not read
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, b"GET and HEAD only\n", Allow="GET, HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def _is_for_us(self) -> bool:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1:
            return False
        name, colon, port = hosts[0].rpartition(":")
        if not colon or not port.isdecimal():
            name = hosts[0]
        if name.lower() not in _LOOPBACK:
            return False
        # Another site's page may only link to this address.
        site, mode = self.headers.get("Sec-Fetch-Site"), self.headers.get("Sec-Fetch-Mode")
        return site in (None, "same-origin", "none") or mode == "navigate"

    def _answer(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8", **more: str
    ) -> None:
        self.send_response(status)
        for name, value in {
            **self._HEADERS,
            **more,
            "Content-Type": kind,
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, after: str) -> None:
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        for name, value in {
            **self._HEADERS,
            "Content-Type": "text/event-stream",
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for data in self.server.trace.events(after):
                self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal is for errors."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a stream ends when its page is closed

    def __init__(self, port: int, trace: _Trace) -> None:
        self.trace = trace
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a page that was closed, and report any other error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def run(files: Sequence[str], port: int | None = None, **conditions: str | None) -> int:
    """
    Serve the page of those lines of *files* that meet the *conditions* of
    :func:`.command.read_wanted`, until Ctrl-C.

    ``-``, or no file, is standard input. Returns the exit code: 0, or 2 after an error.
    """
    names = distinct(files) or ["-"]
    allow_open(len(names))
    try:
        wanted, last = read_wanted(**conditions)
        if not files:
            refuse_terminal("view --follow")
    except ValueError as error:
        return complain(str(error))
    trace = _Trace(names, wanted)
    watching = threading.Thread(target=trace.watch, daemon=True)
    try:
        trace.load(last)
        try:
            server = _Server(port or 0, trace)
        except (OSError, OverflowError) as error:
            return complain(f"port {port}: {reason(error)}")
        with server:
            watching.start()
            print(
                f"http://127.0.0.1:{server.server_port}/ shows {trace.title} as it is written; Ctrl-C stops"
            )
            sys.stdout.flush()
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        trace.end()
        if watching.is_alive():
            watching.join()
        trace.close()
    return 0
