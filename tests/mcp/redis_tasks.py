"""
A server whose background tasks run in two processes over Redis, this one and a worker of fastmcp's
command line: prints, for each task, its process, its ids and those of its line.

Each process runs one task at a time, and the two tasks wait for each other: so each runs one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport

from asgi_trace import RequestTracingMiddleware, get_request_metadata
from asgi_trace.mcp import trace_server
from tests.mcp.conversation import PATIENCE, Lines, serving
from tests.mcp.modes import Mode
from tests.mcp.sdk import sdk

TAGS = ("one", "two")

server = trace_server(FastMCP("shop"))
if find_spec("fastmcp_tasks"):  # fastmcp 4: tasks are an extension
    from fastmcp_tasks import TasksExtension  # type: ignore[import-not-found, unused-ignore]
    from fastmcp_tasks.client import call_tool_task  # type: ignore[import-not-found, unused-ignore]

    server.add_extension(TasksExtension())
    WORKER = ["-m", "fastmcp_tasks.worker_cli", "worker"]
else:

    async def call_tool_task(client: Any, name: str, arguments: Any) -> Any:
        return await client.call_tool(name, arguments, task=True)

    WORKER = ["-m", "fastmcp.cli", "tasks", "worker"]

log = logging.getLogger("shop")
log.setLevel(logging.INFO)


@server.tool(task=True)
async def work(tag: str, folder: str) -> str:
    lines = Lines()
    log.addHandler(lines)
    log.info(tag)
    log.removeHandler(lines)
    (Path(folder) / tag).touch()
    for _ in range(PATIENCE * 20):
        if all((Path(folder) / each).exists() for each in TAGS):
            break
        await asyncio.sleep(0.05)
    metadata = get_request_metadata()
    assert metadata
    line = lines.of(tag)
    own = (metadata.request_id, metadata.session_id, metadata.trace_id)
    return json.dumps([os.getpid(), own, (line.request_id, line.session_id)])


async def start(address: str, tag: str, folder: str) -> Any:
    """Start a task in a request with ids, and return what it has seen."""
    headers = {
        "X-Request-ID": f"r-{tag}",
        "X-Session-ID": f"s-{tag}",
        "traceparent": f"00-{tag.encode().hex():a>32}-{'b' * 16}-01",
    }
    async with Client(StreamableHttpTransport(f"{address}/mcp", headers=headers)) as client:
        task = await call_tool_task(client, "work", {"tag": tag, "folder": folder})
        result = await task.result()
    return json.loads(result.content[0].text)


async def main(folder: str) -> dict[str, Any]:
    app = RequestTracingMiddleware(sdk.app(Mode.STATEFUL, server))
    async with serving(app) as address:
        seen = await asyncio.gather(*(start(address, tag, folder) for tag in TAGS))
    return {"server": os.getpid(), "tasks": dict(zip(TAGS, seen, strict=True))}


if __name__ == "__main__":
    command = [sys.executable, "-W", "ignore", *WORKER, __file__]
    worker = subprocess.Popen(command, stdout=sys.stderr)
    try:
        print(json.dumps(asyncio.run(main(sys.argv[1]))))
    finally:
        worker.terminate()
        worker.wait(PATIENCE)
