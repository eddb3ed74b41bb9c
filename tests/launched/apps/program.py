"""A program that starts a server by itself: ``program.py HOW PORT``."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

import bare
import hypercorn.asyncio
import hypercorn.trio
import trio
import uvicorn
from hypercorn.config import Config


def _hypercorn(port: int) -> Config:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = "-"
    return config


def run(port: int) -> None:
    uvicorn.run(bare.app, port=port)


def subclass(port: int) -> None:
    """As tools do that serve from a thread of their own."""

    class Own(uvicorn.Server):
        pass

    server = Own(uvicorn.Config(bare.app, port=port))
    thread = threading.Thread(target=server.run)
    with server.capture_signals():
        thread.start()
        thread.join()


def hypercorn_asyncio(port: int) -> None:
    asyncio.run(hypercorn.asyncio.serve(bare.app, _hypercorn(port)))


def hypercorn_trio(port: int) -> None:
    async def serve() -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            await hypercorn.trio.serve(
                bare.app, _hypercorn(port), shutdown_trigger=signals.__anext__
            )

    trio.run(serve)


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]))
