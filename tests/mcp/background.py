"""
A program that serves a background task of fastmcp, and calls it: prints the ids of the request that
started it, and those of the worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport

from asgi_trace import RequestTracingMiddleware, get_request_metadata

from .conversation import Lines, serving
from .modes import Mode
from .sdk import sdk

server = FastMCP("shop")
try:  # fastmcp 4: tasks are an extension
    from fastmcp_tasks import TasksExtension  # type: ignore[import-not-found, unused-ignore]
    from fastmcp_tasks.client import call_tool_task  # type: ignore[import-not-found, unused-ignore]
except ImportError:

    async def call_tool_task(client: Any, name: str, arguments: Any) -> Any:
        return await client.call_tool(name, arguments, task=True)
else:
    server.add_extension(TasksExtension())

log = logging.getLogger("shop")
ids: dict[str, Any] = {}


@server.tool(task=True)
async def work(tag: str) -> str:
    metadata = get_request_metadata()
    log.info(tag)
    ids[tag] = metadata and (metadata.session_id, metadata.trace_id, metadata.span_id)
    return tag


async def main() -> None:
    lines = Lines()
    logging.getLogger().addHandler(lines)
    log.setLevel(logging.INFO)
    app = RequestTracingMiddleware(sdk.app(Mode.STATEFUL, server), observe_body=True)
    tags = ("one", "two", "three")
    async with serving(app) as address:
        transports = {
            tag: StreamableHttpTransport(
                f"{address}/mcp", headers={"X-Request-ID": f"r-{tag}", "X-Session-ID": f"s-{tag}"}
            )
            for tag in tags
        }

        async def start(tag: str) -> None:
            async with Client(transports[tag]) as client:
                await (await call_tool_task(client, "work", {"tag": tag})).result()

        await asyncio.gather(*map(start, tags))
    told = {tag: [lines.of(tag).request_id, lines.of(tag).session_id, *ids[tag]] for tag in tags}
    print(json.dumps(told))


asyncio.run(main())
