"""
uvicorn's own protocol class, with a transport that discards its data.

This module uses uvicorn. It measures the share of a wrapper in a server's work in Python for a
request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .traffic import App, request

__all__ = ("httptools_batches",)


class _Transport(asyncio.Transport):
    """Counts the responses, and keeps none."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 54321), "sockname": ("127.0.0.1", 8000)})
        self.responses = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.responses += bytes(data).startswith(b"HTTP/1.1 200 ")

    def is_closing(self) -> bool:
        return False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        raise AssertionError(
            "uvicorn closed the connection: the request in this benchmark is not one it takes"
        )


def _wire() -> bytes:
    scope = request()()
    lines = [b"GET %s HTTP/1.1" % scope["raw_path"]]
    lines += [name + b": " + value for name, value in scope["headers"]]
    return b"\r\n".join([*lines, b"", b""])


def httptools_batches(app: App) -> Callable[[int], Callable[[], object]]:
    """
    Return batches of requests, sent one after the other down a kept-alive connection of *app*.
    """
    loop = asyncio.new_event_loop()
    config = Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan="off",
        interface="asgi3",
    )
    protocol = HttpToolsProtocol(config, ServerState(), {}, loop)
    transport = _Transport()
    protocol.connection_made(transport)
    wire = _wire()

    async def serve(count: int) -> None:
        expected = transport.responses + count
        for _ in range(count):
            protocol.data_received(wire)
            # the task of the request runs to its end, since nothing in it waits
            await asyncio.sleep(0)
        if transport.responses != expected:
            raise AssertionError(f"{transport.responses} responses went out; expected {expected}")

    return lambda count: lambda: loop.run_until_complete(serve(count))
