"""FastAPI: as on Starlette, and dependencies that yield."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.requests import Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.middleware import Middleware

from asgi_trace import RequestTracingMiddleware

from .frameworks import BACKGROUND, DEBUG, STREAM, TWICE, CrashError, Framework, SoldOutError
from .on_starlette import exception_handlers, lifespan
from .witness import change_session, chunks, chunks_in_thread, visit, visit_in_thread


async def _async(tag: str) -> Response:
    await visit(tag, "handler")
    return PlainTextResponse("served")


def _sync(tag: str) -> Response:
    visit_in_thread(tag, "handler")
    return PlainTextResponse("served")


async def _till(tag: str) -> AsyncIterator[str]:
    await visit(tag, "dependency")
    yield "till"
    await visit(tag, "dependency's end")


def _sync_till(tag: str) -> Iterator[str]:
    visit_in_thread(tag, "dependency")
    yield "till"
    visit_in_thread(tag, "dependency's end")


async def _dependency(tag: str, till: Annotated[str, Depends(_till)]) -> Response:
    await visit(tag, "handler")
    return PlainTextResponse("served")


def _sync_dependency(tag: str, till: Annotated[str, Depends(_sync_till)]) -> Response:
    visit_in_thread(tag, "handler")
    return PlainTextResponse("served")


async def _stream(tag: str) -> Response:
    return StreamingResponse(chunks(tag))


def _sync_stream(tag: str) -> Response:
    return StreamingResponse(chunks_in_thread(tag))


async def _background(tag: str, tasks: BackgroundTasks) -> Response:
    tasks.add_task(visit, tag, "background")
    return PlainTextResponse("served", background=tasks)


def _sync_background(tag: str, tasks: BackgroundTasks) -> Response:
    tasks.add_task(visit_in_thread, tag, "background")
    return PlainTextResponse("served", background=tasks)


async def _own_id(tag: str) -> Response:
    response = PlainTextResponse("served")
    response.headers.append("X-Request-ID", "the app's first")
    response.headers.append("x-request-id", "the app's second")
    return response


async def _raise_sold_out(tag: str) -> Response:
    raise SoldOutError


def _crash(tag: str) -> Response:
    raise CrashError(tag)


def _change_session(tag: str) -> Response:
    change_session(tag)
    return PlainTextResponse("served")


async def _state(request: Request, tag: str) -> Response:
    return PlainTextResponse(request.state.till)


async def _websocket(websocket: WebSocket, tag: str) -> None:
    await websocket.accept()
    await visit(tag, "websocket")
    await websocket.receive_text()
    await websocket.send_text("hello, too")
    await websocket.close()


def build(manner: str, *, middleware: Sequence[Middleware] = ()) -> FastAPI:
    app = FastAPI(
        debug=manner == DEBUG,
        middleware=middleware,
        exception_handlers=exception_handlers(manner),
        lifespan=lifespan,
    )
    app.get("/async/{tag}")(_async)
    app.get("/sync/{tag}")(_sync)
    app.get("/dependency/{tag}")(_dependency)
    app.get("/sync-dependency/{tag}")(_sync_dependency)
    app.get("/stream/{tag}")(_stream)
    app.get("/sync-stream/{tag}")(_sync_stream)
    app.get("/background/{tag}")(_background)
    app.get("/sync-background/{tag}")(_sync_background)
    app.get("/own-id/{tag}")(_own_id)
    app.get("/sold-out/{tag}")(_raise_sold_out)
    app.get("/crash/{tag}")(_crash)
    app.get("/change-session/{tag}")(_change_session)
    app.get("/state/{tag}")(_state)
    app.websocket("/ws/{tag}")(_websocket)
    return app


def build_with_shim_added(manner: str) -> FastAPI:
    app = build(manner)
    app.add_middleware(RequestTracingMiddleware)
    return app


_WITH_DEPENDENCY = (
    "dependency",
    "dependency, later",
    *TWICE,
    "dependency's end",
    "dependency's end, later",
)

FASTAPI = Framework(
    "FastAPI",
    build,
    routes={
        "/async": TWICE,
        "/sync": TWICE,
        "/dependency": _WITH_DEPENDENCY,
        "/sync-dependency": _WITH_DEPENDENCY,
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
