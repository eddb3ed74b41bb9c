"""
An app as ``uvicorn module:attribute`` serves it: in a process of its own, with the logging that the server and the app
set up, into a file.

It is served unchanged, or traced, with asgi_trace's lines in place of the server's access lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn

from .measure import MeasureError

__all__ = ("Served", "Server", "served")

_PATIENCE = 30.0
"""Seconds for the server's end."""

# The most checks for the last line of a request that has just ended: an app may log all the time.
_LOOKS = 10


class Server(uvicorn.Server):
    """Sets ``settled`` when its start is over; ``started`` is true if it succeeded."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()


class Served:
    """
    The process that serves an app.

    :param address: its host and port.
    :param log: the file with all that it writes.
    """

    def __init__(self, address: tuple[str, int], log: Path, pipe: Connection) -> None:
        self.address = address
        self.log = log
        self._pipe = pipe

    def processor_time(self) -> float:
        """Return the processor time of the process, in seconds."""
        self._pipe.send(None)
        seconds: float = self._pipe.recv()
        return seconds

    def count_lines(self) -> int:
        """Return the number of lines in its log, once it has stopped writing for a moment."""
        count = -1
        for _ in range(_LOOKS):
            earlier, count = count, self.log.read_bytes().count(b"\n")
            if count == earlier:
                break
            time.sleep(0.1)
        return count


@contextlib.contextmanager
def served(target: str, log: Path, *, is_traced: bool) -> Iterator[Served]:
    """
    Serve the app *target*, ``module:attribute``, for as long as the block takes.

    :raises MeasureError: when it does not start.
    """
    log.touch()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(target, str(log), is_traced, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            port = ours.recv()
        except EOFError:
            end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            raise MeasureError("\n".join([f"{target} did not start", *end])) from None
        yield Served(("127.0.0.1", port), log, ours)
    finally:
        ours.close()
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()


def _serve(target: str, log: str, is_traced: bool, pipe: Connection) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    name = target
    if is_traced:
        os.environ.update(ASGI_TRACE_APP=target, ASGI_TRACE_ACCESS_LOG="1")
        name = "asgi_trace.auto:app"
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(name, access_log=not is_traced, timeout_keep_alive=3600))

    def answer() -> None:
        server.settled.wait()
        pipe.send(listener.getsockname()[1])
        with contextlib.suppress(EOFError, OSError):  # the other end is closed: that is the end
            while True:
                pipe.recv()
                pipe.send(time.process_time())
        server.should_exit = True

    threading.Thread(target=answer, name="benchmark", daemon=True).start()
    server.run(sockets=[listener])
