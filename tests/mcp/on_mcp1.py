"""The official SDK, version 1."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.settings import AuthSettings
from mcp.server.fastmcp import Context as Context
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session

from .handlers import register
from .modes import Mode
from .tokens import Tokens

MODES = Mode.without_protocol_2026()
IS_STALE = True
KNOWS_CALLS = True
LOGS_NOTIFICATIONS = False
# Of OpenTelemetry's part in tests/mcp/matrix.py: those that this SDK needs.
CURES = {"the context of version 1", "the span of a message"}
http = httpx


def bare(mode: Mode = Mode.STATEFUL) -> Any:
    """A server without handlers."""
    return FastMCP("shop", stateless_http=not mode.has_session, json_response=mode.is_json)


def guarded(mode: Mode, subjects: dict[str, str]) -> Any:
    """A server without handlers that lets in whoever has a token of *subjects*."""
    settings = AuthSettings(issuer_url="https://issuer.example", resource_server_url=None)  # type: ignore[arg-type]
    return FastMCP(
        "shop",
        stateless_http=not mode.has_session,
        json_response=mode.is_json,
        auth=settings,
        token_verifier=Tokens(subjects),
    )


def app(mode: Mode, server: Any = None) -> Any:
    server = server or register(bare(mode))
    return server.sse_app() if mode.is_legacy_sse else server.streamable_http_app()


@asynccontextmanager
async def connect(
    url: str, mode: Mode, make_client: Callable[..., httpx.AsyncClient]
) -> AsyncIterator[ClientSession]:
    async with AsyncExitStack() as stack:
        if mode.is_legacy_sse:
            transport: Any = sse_client(url, httpx_client_factory=make_client)
        else:
            client = await stack.enter_async_context(make_client())
            transport = streamable_http_client(url, http_client=client)
        read, write, *_ = await stack.enter_async_context(transport)
        session = await stack.enter_async_context(ClientSession(read, write))
        await session.initialize()
        yield session


@asynccontextmanager
async def over_stdio(
    command: list[str], environment: dict[str, str], errors: Any
) -> AsyncIterator[ClientSession]:
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with (
        stdio_client(parameters, errlog=errors) as streams,
        ClientSession(*streams) as session,
    ):
        await session.initialize()
        yield session


def in_memory(server: Any) -> Any:
    """A session with *server* in this process."""
    return create_connected_server_and_client_session(server)


async def call(session: ClientSession, tool: str, marker: str) -> bool:
    """Call a tool, and return whether it failed."""
    return (await session.call_tool(tool, {"marker": marker})).isError


async def ask(
    session: ClientSession, tool: str, meta: dict[str, Any] | None = None, **arguments: Any
) -> str:
    """Call a tool with ``params._meta``, and return what it says."""
    return (await session.call_tool(tool, arguments, meta=meta)).content[0].text  # type: ignore[union-attr]


async def follow(session: Any, tool: str, marker: str, note: Callable[..., Any]) -> None:
    """Call a tool, and have its progress noted."""
    await session.call_tool(tool, {"marker": marker}, progress_callback=note)


async def read(session: ClientSession, marker: str) -> None:
    await session.read_resource(f"shop://{marker}")  # type: ignore[arg-type]


async def prompt(session: ClientSession, marker: str) -> None:
    await session.get_prompt("greet", {"marker": marker})
