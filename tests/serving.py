"""Real servers for tests: uvicorn in a thread, and ports for servers in processes of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def served(app: Any, **options: Any) -> Iterator[int]:
    """Serve *app* on 127.0.0.1 and yield the port; the server is gone afterwards."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, lifespan="off", **options
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the server did not start"
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive(), "the server did not end"


class ReservedPort:
    """
    A TCP port of the loopback interface for a server whose command line takes a port's number.

    Until ``release()`` the system gives the port to nobody else. It stays bound, but does not
    listen, by a socket with ``SO_REUSEADDR``: Linux then lets a server bind it too that names it
    and has the same option, as servers do.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        self._socket.close()


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield the number of a port that is reserved within the block."""
    port = ReservedPort()
    try:
        yield port.number
    finally:
        port.release()
