"""
A server's handlers, the same for every SDK: each logs one line, which is the marker that it was
called with.

Knows decorators that all SDKs have in common.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from asgi_trace import with_context

log = logging.getLogger("shop")

TOOLS = ("in_async", "in_sync", "in_task", "in_thread", "in_executor")


def register(server: Any) -> Any:
    """Give *server* its handlers, and return it."""

    @server.tool()
    async def in_async(marker: str) -> str:
        await asyncio.sleep(0.02)  # so that calls overlap
        log.info(marker)
        return marker

    @server.tool()
    def in_sync(marker: str) -> str:
        log.info(marker)
        return marker

    @server.tool()
    async def in_task(marker: str) -> str:
        async def work() -> None:
            await asyncio.sleep(0.01)
            log.info(marker)

        await asyncio.create_task(work())
        return marker

    @server.tool()
    async def in_thread(marker: str) -> str:
        await asyncio.to_thread(log.info, marker)
        return marker

    @server.tool()
    async def in_executor(marker: str) -> str:
        await asyncio.get_running_loop().run_in_executor(None, with_context(log.info), marker)
        return marker

    @server.tool()
    async def fail(marker: str) -> str:
        try:
            raise KeyError(marker)
        except KeyError:
            log.exception("%s fails", marker)
            raise

    @server.resource("shop://{marker}")
    async def stock(marker: str) -> str:
        log.info(marker)
        return marker

    @server.prompt()
    async def greet(marker: str) -> str:
        log.info(marker)
        return marker

    return server
