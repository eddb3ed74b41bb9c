"""
Each framework once on a real server: what the network, its loop and its own log lines could change.
"""

from __future__ import annotations

import anyio
import httpx
import pytest

from asgi_trace import RequestTracingMiddleware

from ..serving import served as served_without_lifespan
from .checks import check_lines, check_one_request_id, check_places
from .drive import OuterTool, Reply, Socket, ask, served, talk_over_network
from .frameworks import OWN_PAGE, OWN_PAGES, PLAIN, WEBSOCKET, CrashError, Framework
from .on_fastapi import FASTAPI
from .on_starlette import STARLETTE
from .table import FRAMEWORKS
from .witness import TIMEOUT, LogLines, crowded


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
@pytest.mark.filterwarnings(
    "ignore:StreamingHttpResponse must consume synchronous iterators:Warning"
)
async def test_a_real_server_runs_it(framework: Framework, log: LogLines) -> None:
    """
    Concurrent requests and websockets, the startup's state, a 404 and a crash: the server's lines
    have the ids.
    """
    tool = OuterTool(RequestTracingMiddleware(framework.build(PLAIN)))
    replies: list[tuple[str, Reply]] = []
    sockets: list[Socket] = []

    async def ask_and_keep(path: str, with_ids: bool) -> None:
        replies.append((path, await ask(client, path, with_ids=with_ids)))

    async def talk_and_keep() -> None:
        sockets.append(await talk_over_network(address))

    with served(tool) as address:
        async with httpx.AsyncClient(
            base_url=f"http://{address}", timeout=TIMEOUT, verify=False
        ) as client:
            with crowded(tasks=8, threads=2):
                async with anyio.create_task_group() as group:
                    for path in framework.routes:
                        for number in range(4):
                            group.start_soon(ask_and_keep, path, number % 2 == 0)
                    for _ in range(4 if framework.websockets else 0):
                        group.start_soon(talk_and_keep)
            if framework.lifespan:
                state = await ask(client, "/state")
                assert (state.status, state.text) == (200, "open")
            # The crash comes last: uvicorn may close its connection, and no client can know.
            for path in ("/missing", "/crash"):
                await ask_and_keep(path, True)
        for path, reply in replies:
            if path in framework.routes:
                await check_places(framework.routes[path], reply, tool, log)
        for socket in sockets:
            assert socket.text == "hello, too"
            await check_places(WEBSOCKET, socket, tool, log)

    # The server has stopped: all that it had to log is there.
    for exchange in [reply for _, reply in replies] + sockets:
        check_one_request_id(exchange)
        check_lines(exchange, tool.scope_of(exchange.tag)["asgi_trace"].session_id, log)
    for path, reply in replies:
        access = [
            line
            for line in log.naming(reply.tag)
            if f'"GET {path}/{reply.tag} HTTP/1.1" {reply.status}' in line
        ]
        assert len(access) == 1, f"uvicorn's own lines on {path}: {access}"
    (_, missing), (_, crash) = replies[-2:]
    assert (missing.status, crash.status) == (404, 500)
    assert any(str(CrashError(crash.tag)) in line for line in log.naming(crash.tag)), (
        "nobody logged the traceback"
    )


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("framework", [STARLETTE, FASTAPI], ids=lambda framework: framework.name)
async def test_a_crash_that_comes_first_has_its_ids(framework: Framework, log: LogLines) -> None:
    """Without lifespan, and with the shim added: on the user's page, and on the server's lines."""
    tool = OuterTool(framework.inside["add_middleware"](OWN_PAGES))
    with served_without_lifespan(tool) as port:
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT) as client:
            reply = await ask(client, "/crash")
    assert (reply.status, reply.text) == (500, OWN_PAGE)
    check_one_request_id(reply)
    check_lines(reply, tool.scope_of(reply.tag)["asgi_trace"].session_id, log)
    lines = log.naming(reply.tag)
    assert sum(f'"GET /crash/{reply.tag} HTTP/1.1" 500' in line for line in lines) == 1
    assert sum(str(CrashError(reply.tag)) in line for line in lines) == 1
