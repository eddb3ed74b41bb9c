"""
A program that serves MCP, calls itself, and logs as ``configure_logging()`` has it: called before
or after.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys

from asgi_trace import configure_logging

if sys.argv[1] == "first":
    configure_logging()

from .conversation import Caller, outermost, serving
from .modes import Mode
from .sdk import sdk


async def main() -> None:
    mode = Mode.STATEFUL
    app = outermost(sdk.app(mode), observe_body=True)
    if sys.argv[1] == "last":
        configure_logging()
    print("configured", file=sys.stderr)
    caller = Caller("alice", mode, {})
    async with (
        serving(app) as address,
        sdk.connect(f"{address}/mcp", mode, caller.http_client) as session,
    ):
        logging.getLogger("fastmcp.of.our.own").warning("outside")
        for tool in ("in_sync", "fail"):
            with contextlib.suppress(Exception):
                await sdk.call(session, tool, f"alice-{tool}")
    for post in caller.posts:
        print(post.request_id, post.message.get("params", {}).get("name"))


asyncio.run(main())
