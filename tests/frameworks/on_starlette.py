"""
Starlette: async and sync endpoints, streams, background tasks, a websocket, a lifespan with state.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_trace import RequestTracingMiddleware

from .frameworks import (
    BACKGROUND,
    DEBUG,
    OWN_PAGE,
    OWN_PAGES,
    SOLD_OUT,
    STREAM,
    TWICE,
    CrashError,
    Framework,
    SoldOutError,
)
from .witness import change_session, chunks, chunks_in_thread, visit, visit_in_thread


async def _async(request: Request) -> Response:
    await visit(request.path_params["tag"], "handler")
    return PlainTextResponse("served")


def _sync(request: Request) -> Response:
    visit_in_thread(request.path_params["tag"], "handler")
    return PlainTextResponse("served")


async def _stream(request: Request) -> Response:
    return StreamingResponse(chunks(request.path_params["tag"]))


async def _sync_stream(request: Request) -> Response:
    return StreamingResponse(chunks_in_thread(request.path_params["tag"]))


async def _background(request: Request) -> Response:
    task = BackgroundTask(visit, request.path_params["tag"], "background")
    return PlainTextResponse("served", background=task)


async def _sync_background(request: Request) -> Response:
    tasks = BackgroundTasks()
    tasks.add_task(visit_in_thread, request.path_params["tag"], "background")
    return PlainTextResponse("served", background=tasks)


async def _own_id(request: Request) -> Response:
    response = PlainTextResponse("served")
    response.headers.append("X-Request-ID", "the app's first")
    response.headers.append("x-request-id", "the app's second")
    return response


async def _raise_sold_out(request: Request) -> Response:
    raise SoldOutError


async def _crash(request: Request) -> Response:
    raise CrashError(request.path_params["tag"])


def _change_session(request: Request) -> Response:
    change_session(request.path_params["tag"])
    return PlainTextResponse("served")


async def _state(request: Request) -> Response:
    return PlainTextResponse(request.state.till)


async def _websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    await visit(websocket.path_params["tag"], "websocket")
    await websocket.receive_text()
    await websocket.send_text("hello, too")
    await websocket.close()


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
    yield {"till": "open"}


async def own_page(request: Request, exc: Exception) -> Response:
    return PlainTextResponse(OWN_PAGE, status_code=getattr(exc, "status_code", 500))


async def sold_out(request: Request, exc: Exception) -> Response:
    return PlainTextResponse(SOLD_OUT, status_code=418)


def exception_handlers(manner: str) -> dict[Any, Any]:
    return {SoldOutError: sold_out} | (
        {404: own_page, 500: own_page} if manner == OWN_PAGES else {}
    )


def build(manner: str, *, middleware: Sequence[Middleware] = ()) -> Starlette:
    routes = [
        Route("/async/{tag}", _async),
        Route("/sync/{tag}", _sync),
        Route("/stream/{tag}", _stream),
        Route("/sync-stream/{tag}", _sync_stream),
        Route("/background/{tag}", _background),
        Route("/sync-background/{tag}", _sync_background),
        Route("/own-id/{tag}", _own_id),
        Route("/sold-out/{tag}", _raise_sold_out),
        Route("/crash/{tag}", _crash),
        Route("/change-session/{tag}", _change_session),
        Route("/state/{tag}", _state),
        WebSocketRoute("/ws/{tag}", _websocket),
    ]
    return Starlette(
        debug=manner == DEBUG,
        routes=routes,
        middleware=middleware,
        exception_handlers=exception_handlers(manner),
        lifespan=lifespan,
    )


def build_with_shim_added(manner: str) -> Starlette:
    app = build(manner)
    app.add_middleware(RequestTracingMiddleware)
    return app


STARLETTE = Framework(
    "Starlette",
    build,
    routes={
        "/async": TWICE,
        "/sync": TWICE,
        "/stream": STREAM,
        "/sync-stream": STREAM,
        "/background": BACKGROUND,
        "/sync-background": BACKGROUND,
    },
    leaves_in_scope=frozenset({"route", "endpoint"}),
    inside={
        "add_middleware": build_with_shim_added,
        "middleware=[...]": partial(build, middleware=[Middleware(RequestTracingMiddleware)]),
    },
)
