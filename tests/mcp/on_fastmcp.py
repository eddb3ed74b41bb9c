"""FastMCP, versions 2 and 3 on the official SDK's version 1, and 4 on its version 2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

import fastmcp.server
from fastmcp import Client, FastMCP
from fastmcp import Context as Context
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

from .handlers import register
from .modes import Mode

IS_STALE = int(version("mcp").partition(".")[0]) < 2
KNOWS_CALLS = IS_STALE
LOGS_NOTIFICATIONS = True
# Of OpenTelemetry's part in tests/mcp/matrix.py: those that this SDK needs.
CURES = {
    2: {"the context of version 1", "the span of a message"},
    3: {"the spans of the SDK", "the span of a message"},  # its own span hides the stale context
    4: {"the spans of the SDK", "the span of a message"},
}[int(version("fastmcp").partition(".")[0])]
# Version 4 has the task's result in the answer to the first.
TASK_METHODS = ("tasks/get", "tasks/result") if IS_STALE else ("tasks/get",)
MODES = Mode.without_protocol_2026() if IS_STALE else tuple(Mode)

http = import_module("httpx" if IS_STALE else "httpx2")


def bare(mode: Mode = Mode.STATEFUL) -> Any:
    """A server without handlers."""
    return FastMCP("shop")


def guarded(mode: Mode, subjects: dict[str, str]) -> Any:
    """A server without handlers that lets in whoever has a token of *subjects*."""
    tokens = {
        token: {"client_id": "app", "scopes": [], "sub": subject}
        for token, subject in subjects.items()
    }
    return FastMCP("shop", auth=StaticTokenVerifier(tokens))


def proxy(url: str, make_client: Callable[..., Any]) -> Any:
    """A server that passes all calls on to the one at *url*."""
    transport = StreamableHttpTransport(url, httpx_client_factory=make_client)
    if hasattr(fastmcp.server, "create_proxy"):
        return fastmcp.server.create_proxy(transport)
    return FastMCP.as_proxy(transport)  # version 2


def app(mode: Mode, server: Any = None) -> Any:
    server = server or register(bare())
    if mode.is_legacy_sse:
        return server.http_app(transport="sse", path="/sse")
    return server.http_app(
        path="/mcp", stateless_http=not mode.has_session, json_response=mode.is_json
    )


@asynccontextmanager
async def connect(url: str, mode: Mode, make_client: Callable[..., Any]) -> AsyncIterator[Any]:
    transport = (SSETransport if mode.is_legacy_sse else StreamableHttpTransport)(
        url, httpx_client_factory=make_client
    )
    protocol = {} if IS_STALE else {"mode": "2026-07-28" if mode.is_protocol_2026 else "legacy"}
    async with Client(transport, **protocol) as session:
        yield session


@asynccontextmanager
async def over_stdio(
    command: list[str], environment: dict[str, str], errors: Any
) -> AsyncIterator[Any]:
    transport = StdioTransport(
        command[0], command[1:], env=environment, keep_alive=False, log_file=errors
    )
    async with Client(transport) as session:
        yield session


def in_memory(server: Any) -> Any:
    """A session with *server* in this process."""
    return Client(server)


async def call(session: Any, tool: str, marker: str) -> bool:
    """Call a tool, and return whether it failed."""
    return bool((await session.call_tool(tool, {"marker": marker}, raise_on_error=False)).is_error)


async def ask(session: Any, tool: str, meta: dict[str, Any] | None = None, **arguments: Any) -> str:
    """Call a tool with ``params._meta``, and return what it says."""
    return str((await session.call_tool(tool, arguments, meta=meta)).content[0].text)


async def follow(session: Any, tool: str, marker: str, note: Callable[..., Any]) -> None:
    """Call a tool, and have its progress noted."""
    await session.call_tool(tool, {"marker": marker}, progress_handler=note)


async def read(session: Any, marker: str) -> None:
    await session.read_resource(f"shop://{marker}")


async def prompt(session: Any, marker: str) -> None:
    await session.get_prompt("greet", {"marker": marker})
