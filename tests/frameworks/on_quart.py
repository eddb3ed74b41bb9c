"""Quart: async and sync handlers, streams, background tasks, a websocket, a lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from quart import Quart, Response, current_app, websocket
from werkzeug.exceptions import HTTPException

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


async def _async(tag: str) -> str:
    await visit(tag, "handler")
    return "served"


def _sync(tag: str) -> str:
    visit_in_thread(tag, "handler")
    return "served"


async def _stream(tag: str) -> AsyncIterator[bytes]:
    return chunks(tag)


async def _sync_stream(tag: str) -> Iterator[bytes]:
    return chunks_in_thread(tag)


async def _background(tag: str) -> str:
    current_app.add_background_task(visit, tag, "background")
    return "served"


async def _sync_background(tag: str) -> str:
    current_app.add_background_task(visit_in_thread, tag, "background")
    return "served"


async def _own_id(tag: str) -> Response:
    response = Response("served")
    response.headers.add("X-Request-ID", "the app's first")
    response.headers.add("x-request-id", "the app's second")
    return response


async def _raise_sold_out(tag: str) -> str:
    raise SoldOutError


async def _crash(tag: str) -> str:
    raise CrashError(tag)


def _change_session(tag: str) -> str:
    change_session(tag)
    return "served"


async def _state(tag: str) -> str:
    return current_app.extensions["till"]


async def _websocket(tag: str) -> None:
    await websocket.accept()
    await visit(tag, "websocket")
    await websocket.receive()
    await websocket.send("hello, too")
    await websocket.close(1000)


async def _own_page(exc: HTTPException) -> tuple[str, int]:
    return OWN_PAGE, exc.code or 500


async def _sold_out(exc: SoldOutError) -> tuple[str, int]:
    return SOLD_OUT, 418


def build(manner: str) -> Quart:
    app = Quart("shop")
    if manner == DEBUG:
        app.debug = app.config["PROPAGATE_EXCEPTIONS"] = True
    for path, handler in {
        "/async": _async,
        "/sync": _sync,
        "/stream": _stream,
        "/sync-stream": _sync_stream,
        "/background": _background,
        "/sync-background": _sync_background,
        "/own-id": _own_id,
        "/sold-out": _raise_sold_out,
        "/crash": _crash,
        "/change-session": _change_session,
        "/state": _state,
    }.items():
        app.add_url_rule(f"{path}/<tag>", path, handler)
    app.add_websocket("/ws/<tag>", "/ws", _websocket)
    app.register_error_handler(SoldOutError, _sold_out)
    if manner == OWN_PAGES:
        app.register_error_handler(404, _own_page)
        app.register_error_handler(500, _own_page)

    @app.before_serving
    async def open_till() -> None:
        app.extensions["till"] = "open"

    return app


def build_with_shim_around_asgi_app(manner: str) -> Quart:
    app = build(manner)
    wrapped: Any = RequestTracingMiddleware(app.asgi_app)
    app.asgi_app = wrapped
    return app


QUART = Framework(
    "Quart",
    build,
    routes={
        "/async": TWICE,
        "/sync": TWICE,
        "/stream": STREAM,
        "/sync-stream": STREAM,
        "/background": BACKGROUND,
        "/sync-background": BACKGROUND,
    },
    inside={"asgi_app": build_with_shim_around_asgi_app},
    backends=("asyncio",),
)
