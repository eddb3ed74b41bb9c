"""
A program that serves a background task of fastmcp, and calls it: prints the ids of the request that
started it and those of the worker, and the calls on the lines of the requests that ask for the task.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport

from asgi_trace import RequestTracingMiddleware, get_request_metadata
from asgi_trace.mcp import trace_server

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


async def run(tags: tuple[str, ...], *, observe_body: bool) -> dict[str, list[str]]:
    """Start a task for each of *tags*; return the tasks by the methods on the lines about them."""
    lines = Lines()
    logging.getLogger().addHandler(lines)
    app = RequestTracingMiddleware(
        sdk.app(Mode.STATEFUL, server), observe_body=observe_body, access_log=True
    )
    tasks = {}
    async with serving(app) as address:
        transports = {
            tag: StreamableHttpTransport(
                f"{address}/mcp", headers={"X-Request-ID": f"r-{tag}", "X-Session-ID": f"s-{tag}"}
            )
            for tag in tags
        }

        async def start(tag: str) -> None:
            async with Client(transports[tag]) as client:
                task = await call_tool_task(client, "work", {"tag": tag})
                await task.status()
                tasks[tag] = task.task_id
                await task.result()

        await asyncio.gather(*map(start, tags))
    logging.getLogger().removeHandler(lines)
    for tag in tags:
        line = lines.of(tag)
        ids[tag] = [line.request_id, line.session_id, *ids[tag]]
    return {
        tag: sorted(
            {
                f"{line.mcp_method} {line.mcp_name == task_id}"
                for line in lines.records
                if line.request_id == f"r-{tag}" and line.mcp_method.startswith("tasks/")
            }
        )
        for tag, task_id in tasks.items()
    }


async def main() -> None:
    logging.getLogger().setLevel(logging.INFO)
    observed = await run(("one", "two", "three"), observe_body=True)
    trace_server(server)
    traced = await run(("four", "five"), observe_body=False)
    print(json.dumps({"ids": ids, "named": observed | traced}))


asyncio.run(main())
