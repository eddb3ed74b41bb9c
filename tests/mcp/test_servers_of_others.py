"""MCP servers from the package index, over stdio, by a line of ours or by none."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asgi_trace._core.lines import parse_line

from .sdk import sdk

ROOT = Path(__file__).parent.parent.parent


class Other(NamedTuple):
    """A server of others: where it is, how it is made, and a call that needs no network."""

    module: str
    make: str
    tool: str
    arguments: dict[str, str]
    answer: str
    logs: bool = True


OTHERS = [
    Other("mcp_server_time", "'UTC'", "get_current_time", {"timezone": "UTC"}, '"timezone"', False),
    Other("mcp_server_git", "None", "git_status", {"repo_path": "."}, "Repository status"),
    Other("mcp_server_fetch", "", "fetch", {"url": "http://127.0.0.1:9/"}, "127.0.0.1"),
]

pytestmark = pytest.mark.skipif(
    find_spec("mcp_server_time") is None, reason="they are for the newest official SDK"
)

TRACED = """
import asyncio
from {module}.server import create_server
from asgi_trace import JSONFormatter, configure_logging
from asgi_trace.mcp import trace_server

configure_logging("DEBUG", formatter=JSONFormatter())
server = trace_server(create_server({make}))
asyncio.run(server.run_stdio_async())
"""


@pytest.mark.parametrize("way", ["asgi-trace run", "trace_server()"])
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.module)
def test_its_protocol_is_not_disturbed(other: Other, way: str, tmp_path: Path) -> None:
    """
    ``asgi-trace run`` starts it as it is: there is no HTTP request to trace. With
    ``trace_server()`` the lines of a call have its ids, where it writes any.
    """
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    if way == "asgi-trace run":
        command = ["-m", "asgi_trace", "run", sys.executable, "-m", other.module]
    else:
        command = ["-c", TRACED.format(module=other.module, make=other.make)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = {
        name: str(tmp_path) if value == "." else value for name, value in other.arguments.items()
    }

    async def talk(errors: Any) -> str:
        async with sdk.over_stdio([sys.executable, *command], environment, errors) as session:
            return str(await sdk.ask(session, other.tool, **arguments))

    log = tmp_path / "log"
    with log.open("w") as errors:
        answer = asyncio.run(asyncio.wait_for(talk(errors), 120))
    assert other.answer in answer
    records = [record[0] for record in map(parse_line, log.read_text().splitlines()) if record]
    named = {record.mcp_name for record in records if record.jsonrpc_id}
    assert named == ({other.tool} if way == "trace_server()" and other.logs else set())
