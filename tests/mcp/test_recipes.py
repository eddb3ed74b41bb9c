"""An MCP server in a larger whole: behind a proxy, beside another one, in many workers."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi
import pytest

from asgi_trace import RequestTracingMiddleware
from asgi_trace._core.lines import parse_line
from asgi_trace.mcp import request_hook, trace_server

from ..serving import reserved_port
from .conversation import HTTP, PATIENCE, Caller, Lines, serving
from .handlers import register
from .modes import Mode
from .sdk import sdk

ROOT = Path(__file__).parent.parent.parent
MODES_OF_PROXIES = (Mode.STATEFUL, Mode.LEGACY_SSE, Mode.PROTOCOL_2026)
KINDS = ("in_async", "in_sync", "in_task", "in_thread")


async def call_all(url: str, mode: Mode, caller: Caller, prefix: str = "") -> None:
    """Call a tool of each kind at once."""
    async with sdk.connect(url, mode, caller.http_client) as session:
        failed = await asyncio.gather(
            *(sdk.call(session, prefix + kind, f"{caller.name}-{kind}") for kind in KINDS)
        )
    assert failed == [False] * len(KINDS)


def assert_joined(lines: Lines, callers: list[Caller]) -> None:
    """Each call's line has the id of the client's own POST."""
    for caller in callers:
        for kind in KINDS:
            marker = f"{caller.name}-{kind}"
            assert lines.of(marker).request_id == caller.post(marker).request_id


@pytest.mark.skipif(not hasattr(sdk, "proxy"), reason="this SDK has no proxies")
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("mode", "prefix"),
    [
        (Mode.STATEFUL, ""),
        *((mode, "far_") for mode in MODES_OF_PROXIES if mode in sdk.MODES),
    ],
)
async def test_a_proxy_passes_the_ids_on(lines: Lines, mode: Mode, prefix: str) -> None:
    """
    With ``request_hook()`` in its HTTP client; as a server of its own, or mounted in another.

    In front of the older SSE transport, where a request ends before its call, with
    ``trace_server()``.
    """

    def http_client(**options: Any) -> Any:
        hooks = {"request": [request_hook()]}
        return sdk.http.AsyncClient(**{**options, **HTTP, "event_hooks": hooks})

    far = sdk.app(Mode.STATEFUL)
    async with serving(RequestTracingMiddleware(far)) as there:
        server = sdk.proxy(f"{there}/mcp", http_client)
        if prefix:
            near = sdk.bare(mode)
            near.mount(server, prefix.rstrip("_"))
            server = near
        if mode.is_legacy_sse:
            trace_server(server)
        async with serving(RequestTracingMiddleware(sdk.app(mode, server))) as here:
            url = f"{here}/{'sse' if mode.is_legacy_sse else 'mcp'}"
            callers = [Caller(name, mode, {}) for name in ("alice", "bob")]
            await asyncio.gather(*(call_all(url, mode, caller, prefix) for caller in callers))
    assert_joined(lines, callers)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES)
async def test_a_server_in_memory_has_the_ids_of_its_caller(lines: Lines, mode: Mode) -> None:
    """
    A tool calls another server in its process. On version 1, with ``trace_server()`` for the outer
    one.
    """
    far = register(sdk.bare())
    near = sdk.bare(mode)

    @near.tool()  # type: ignore[untyped-decorator]
    async def order(marker: str) -> str:
        async with sdk.in_memory(far) as session:
            await asyncio.gather(*(sdk.call(session, kind, f"{marker}-{kind}") for kind in KINDS))
        return marker

    async def order_both(url: str, caller: Caller) -> None:
        async with sdk.connect(url, mode, caller.http_client) as session:
            markers = (f"{caller.name}-{number}" for number in (1, 2))
            await asyncio.gather(*(sdk.call(session, "order", marker) for marker in markers))

    if sdk.IS_STALE:
        trace_server(near)
    callers = [Caller(name, mode, {}) for name in ("alice", "bob")]
    async with serving(RequestTracingMiddleware(sdk.app(mode, near))) as here:
        url = f"{here}/{'sse' if mode.is_legacy_sse else 'mcp'}"
        await asyncio.gather(*(order_both(url, caller) for caller in callers))
    for caller in callers:
        for marker in (f"{caller.name}-1", f"{caller.name}-2"):
            for kind in KINDS:
                line = lines.of(f"{marker}-{kind}")
                assert line.request_id == caller.post(marker).request_id


@pytest.mark.anyio
async def test_two_servers_in_one_fastapi(lines: Lines) -> None:
    """Under one shim, each with its clients; and the app's own routes."""
    mode = Mode.STATEFUL
    servers = {name: sdk.app(mode) for name in ("alice", "bob")}

    @asynccontextmanager
    async def lifespan(_: Any) -> Any:
        async with AsyncExitStack() as stack:
            for server in servers.values():
                await stack.enter_async_context(server.router.lifespan_context(server))
            yield

    app = fastapi.FastAPI(lifespan=lifespan)
    for name, server in servers.items():
        app.mount(f"/{name}", server)
    app.add_middleware(RequestTracingMiddleware)

    @app.get("/own")
    async def own() -> None:
        logging.getLogger("shop").info("own")

    callers = [Caller(name, mode, {}) for name in servers]
    async with serving(app) as address:
        calls = [call_all(f"{address}/{caller.name}/mcp", mode, caller) for caller in callers]
        await asyncio.gather(*calls)
        async with sdk.http.AsyncClient(**HTTP) as client:
            answer = await client.get(f"{address}/own")
    assert_joined(lines, callers)
    assert lines.of("own").request_id == answer.headers["x-request-id"]


def test_several_workers_under_asgi_trace_run(tmp_path: Path) -> None:
    """Without a line of code in the app: each call's line has its ids, whichever worker has it."""
    (tmp_path / "workers.py").write_text(
        "from tests.mcp.modes import Mode\n"
        "from tests.mcp.sdk import sdk\n"
        "app = sdk.app(Mode.STATELESS)\n",
        encoding="utf-8",
    )
    mode = Mode.STATELESS
    callers = [Caller(name, mode, {}) for name in ("alice", "bob", "carol")]
    log = tmp_path / "log"
    with reserved_port() as port, log.open("w") as errors:
        serve = ["uvicorn", "workers:app", "--workers", "2", "--port", str(port)]
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "asgi_trace", "run", *serve],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            stderr=errors,
            stdout=errors,
        )

        async def talk() -> None:
            async def ready() -> None:
                while log.read_text().count("Application startup complete") < 2:
                    assert server.poll() is None, log.read_text()
                    await asyncio.sleep(0.1)

            await asyncio.wait_for(ready(), PATIENCE)
            url = f"http://127.0.0.1:{port}/mcp"
            await asyncio.gather(*(call_all(url, mode, caller) for caller in callers))

        try:
            asyncio.run(talk())
        finally:
            server.terminate()
            server.wait(PATIENCE)
    found = [record[0] for record in map(parse_line, log.read_text().splitlines()) if record]
    ids = {record.message: record.request_id for record in found}
    for caller in callers:
        for kind in KINDS:
            marker = f"{caller.name}-{kind}"
            assert ids[marker] == caller.post(marker).request_id
