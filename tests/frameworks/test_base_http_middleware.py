"""
Starlette's ``BaseHTTPMiddleware``, which runs what it wraps in another task: what holds on either
side of it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from asgi_trace import RequestTracingMiddleware, get_session_id

from .checks import check_one_request_id, check_places
from .drive import ASGIApp, OuterTool, ask, client_of, live
from .frameworks import PLAIN, CrashError, Framework
from .on_fastapi import FASTAPI
from .on_fastapi import build as build_fastapi
from .on_starlette import STARLETTE
from .on_starlette import build as build_starlette
from .witness import Ids, LogLines, changed_session_of, look

Dispatch = Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]

pytestmark = [
    pytest.mark.anyio,
    # Older versions of Starlette leave their own generator to the garbage collector, and trio
    # minds.
    pytest.mark.filterwarnings(
        "ignore:Async generator 'starlette.requests.Request.stream':ResourceWarning"
    ),
    pytest.mark.parametrize(
        ("framework", "build"),
        [(STARLETTE, build_starlette), (FASTAPI, build_fastapi)],
        ids=["Starlette", "FastAPI"],
    ),
]


def tag_of(request: Request) -> str:
    return request.url.path.rpartition("/")[2]


async def looking(request: Request, call_next: RequestResponseEndpoint) -> Response:
    look(tag_of(request), "middleware")
    response = await call_next(request)
    look(tag_of(request), "middleware's end")
    return response


def with_shim_around(build: Callable[..., ASGIApp], dispatch: Dispatch) -> ASGIApp:
    return RequestTracingMiddleware(
        build(PLAIN, middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)])
    )


def with_shim_inside(build: Callable[..., ASGIApp], dispatch: Dispatch) -> ASGIApp:
    middleware = [
        Middleware(BaseHTTPMiddleware, dispatch=dispatch),
        Middleware(RequestTracingMiddleware),
    ]
    return build(PLAIN, middleware=middleware)


async def test_inside_the_shim_all_have_the_ids(
    framework: Framework, build: Callable[..., ASGIApp], log: LogLines
) -> None:
    """The middleware, and all places behind it."""
    tool = OuterTool(with_shim_around(build, looking))
    async with client_of(tool) as client:
        for path, places in framework.routes.items():
            reply = await ask(client, path)
            check_one_request_id(reply)
            await check_places(("middleware", *places, "middleware's end"), reply, tool, log)


async def test_inside_the_shim_it_sees_what_a_handler_assigns(
    framework: Framework, build: Callable[..., ASGIApp]
) -> None:
    """A variable that the handler sets stays behind in its task; the one object is everybody's."""
    seen = []

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        seen.append(get_session_id())
        return response

    async with client_of(with_shim_around(build, dispatch)) as client:
        reply = await ask(client, "/change-session")
    assert seen == [changed_session_of(reply.tag)]


async def test_outside_of_an_added_shim_all_have_the_ids(
    framework: Framework, build: Callable[..., ASGIApp], log: LogLines
) -> None:
    """From startup on the shim has a twin outside of the middleware."""
    app = with_shim_inside(build, looking)
    await live(app)
    tool = OuterTool(app)
    async with client_of(tool) as client:
        for path, places in framework.routes.items():
            reply = await ask(client, path)
            check_one_request_id(reply)
            await check_places(("middleware", *places, "middleware's end"), reply, tool, log)


async def test_outside_of_an_added_shim_the_first_request_without_startup_has_the_scope_alone(
    framework: Framework, build: Callable[..., ASGIApp], log: LogLines
) -> None:
    """The middleware was entered before the shim. The response and what is behind have ids."""
    seen: list[Any] = []

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        seen.extend([Ids.here(), "asgi_trace" in request.scope])
        response = await call_next(request)
        seen.extend([Ids.here(), request.scope["asgi_trace"].request_id])
        return response

    tool = OuterTool(with_shim_inside(build, dispatch))
    async with client_of(tool) as client:
        reply = await ask(client, "/async")
        check_one_request_id(reply)
        assert seen == [Ids.of(None, None), False, Ids.of(None, None), reply.request_ids[0]]
        await check_places(framework.routes["/async"], reply, tool, log)
        seen.clear()
        reply = await ask(client, "/async")
        session_id = tool.scope_of(reply.tag)["asgi_trace"].session_id
        ids = Ids.of(reply.request_ids[0], session_id)
        assert seen == [ids, True, ids, reply.request_ids[0]]


async def test_outside_of_the_shim_a_caught_exception_has_its_ids(
    framework: Framework, build: Callable[..., ASGIApp], log: LogLines
) -> None:
    """What it logs of a handler's exception is stamped from the exception."""

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            return await call_next(request)
        except CrashError:
            logging.getLogger("shop").exception("caught")
            return PlainTextResponse(request.scope["asgi_trace"].request_id, status_code=503)

    tool = OuterTool(with_shim_inside(build, dispatch))
    async with client_of(tool) as client:
        reply = await ask(client, "/crash")
    assert reply.status == 503
    (line,) = [line for line in log.naming(reply.tag) if str(CrashError(reply.tag)) in line]
    assert f"[req={reply.text}|" in line
