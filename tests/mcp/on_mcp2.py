"""The official SDK, version 2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context as Context
from mcp.server.mcpserver import MCPServer

from .handlers import register
from .modes import Mode
from .tokens import Tokens

MODES = tuple(Mode)
IS_STALE = False
KNOWS_CALLS = False
LOGS_NOTIFICATIONS = False
# Of OpenTelemetry's part in tests/mcp/matrix.py: those that this SDK needs.
CURES = {"the spans of the SDK"}
http = httpx2


def bare(mode: Mode = Mode.STATEFUL) -> Any:
    """A server without handlers."""
    return MCPServer("shop")


def guarded(mode: Mode, subjects: dict[str, str]) -> Any:
    """A server without handlers that lets in whoever has a token of *subjects*."""
    settings = AuthSettings(issuer_url="https://issuer.example", resource_server_url=None)  # type: ignore[arg-type]
    return MCPServer("shop", auth=settings, token_verifier=Tokens(subjects))


def app(mode: Mode, server: Any = None) -> Any:
    server = server or register(bare())
    if mode.is_legacy_sse:
        return server.sse_app()
    return server.streamable_http_app(
        stateless_http=not mode.has_session, json_response=mode.is_json
    )


@asynccontextmanager
async def connect(
    url: str, mode: Mode, make_client: Callable[..., httpx2.AsyncClient]
) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        if mode.is_legacy_sse:
            transport: Any = sse_client(url, httpx_client_factory=make_client)
        else:
            client = await stack.enter_async_context(make_client())
            transport = streamable_http_client(url, http_client=client)
        protocol = "2026-07-28" if mode.is_protocol_2026 else "legacy"
        yield await stack.enter_async_context(Client(transport, mode=protocol))


@asynccontextmanager
async def over_stdio(
    command: list[str], environment: dict[str, str], errors: Any
) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with Client(stdio_client(parameters, errlog=errors)) as session:
        yield session


def in_memory(server: Any) -> Any:
    """A session with *server* in this process."""
    return Client(server)


async def call(session: Client, tool: str, marker: str) -> bool:
    """Call a tool, and return whether it failed."""
    return (await session.call_tool(tool, {"marker": marker})).is_error


async def ask(session: Client, tool: str, meta: Any = None, **arguments: Any) -> str:
    """Call a tool with ``params._meta``, and return what it says."""
    return (await session.call_tool(tool, arguments, meta=meta)).content[0].text  # type: ignore[union-attr]


async def follow(session: Any, tool: str, marker: str, note: Callable[..., Any]) -> None:
    """Call a tool, and have its progress noted."""
    await session.call_tool(tool, {"marker": marker}, progress_callback=note)


async def read(session: Client, marker: str) -> None:
    await session.read_resource(f"shop://{marker}")


async def prompt(session: Client, marker: str) -> None:
    await session.get_prompt("greet", {"marker": marker})
