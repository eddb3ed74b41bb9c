"""
A traced server over stdio whose tools write to standard output, as does a handler of its log.

It prints before and after the server runs. Its lines, as JSON, are on standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import subprocess
import sys
import threading
from typing import Any

from asgi_trace import JSONFormatter, configure_logging
from asgi_trace.mcp import trace_server

from .sdk import sdk

server: Any = sdk.bare()


class Printing(logging.Handler):
    """Prints that it has seen a record of ours, which is no record again; also to its own stream."""

    stdout = sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "asgi_trace.stdout":
            print("seen", record.getMessage()[:40])
            # In one piece: print() writes several, and another thread logs meanwhile.
            self.stdout.write(f"kept {record.getMessage()[:40]}\n")
            self.stdout.flush()


@server.tool()
def in_sync(marker: str) -> str:
    print(f"{marker} in sync")
    return marker


@server.tool()
async def in_async(marker: str) -> str:
    print(f"{marker} in", end=" ")
    await asyncio.sleep(0.02)  # so that calls overlap
    print("async", flush=True)
    return marker


@server.tool()
async def in_thread(marker: str) -> str:
    await asyncio.to_thread(print, f"{marker} in thread\n{marker} in thread, too")
    return marker


@server.tool()
async def later(marker: str) -> str:
    async def work() -> None:
        await asyncio.sleep(0.05)
        print(f"{marker} later")

    running.append(asyncio.create_task(work()))
    return marker


running: list[asyncio.Task[None]] = []


@server.tool()
async def incomplete(marker: str) -> str:
    print(f"{marker} incomplete", end="")
    return marker


@server.tool()
async def in_bytes(marker: str) -> str:
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.buffer.write(f"{marker} in bytes \u00e9\n".encode() + b"\xff\n")
    sys.stdout.buffer.flush()
    return marker


@server.tool()
async def redirected(marker: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as kept:
        print(marker)
    return kept.getvalue().strip()


@server.tool()
def unlogged(marker: str) -> str:
    """By a child process, by one that is given the stream, by C, and in a thread without ids."""
    subprocess.run([sys.executable, "-S", "-c", f"print('{marker} child')"], check=True)
    subprocess.run(
        [sys.executable, "-S", "-c", f"print('{marker} given')"], stdout=sys.stdout, check=True
    )
    os.write(1, f"{marker} descriptor\n".encode())
    thread = threading.Thread(target=print, args=(f"{marker} without ids",))
    thread.start()
    thread.join()
    return marker


@server.tool()
async def huge(marker: str) -> str:
    print(f"{marker} huge", "x" * 3_000_000)
    for _ in range(10_000):
        print(f"{marker} huge")
    return marker


@server.tool()
async def closing(marker: str) -> str:
    sys.stdout.close()
    print(f"{marker} closing")
    return marker


if __name__ == "__main__":
    print("before")
    configure_logging(formatter=JSONFormatter())
    logging.getLogger().addHandler(Printing())
    logging.getLogger("mcp").setLevel(logging.WARNING)
    trace_server(server).run()
    print("after", flush=True)
