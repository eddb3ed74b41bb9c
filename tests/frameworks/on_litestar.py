"""
Litestar: async and sync handlers, dependencies that yield, streams, background tasks, a websocket,
a lifespan.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial
from typing import Any

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, websocket
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.logging.config import LoggingConfig
from litestar.middleware import DefineMiddleware
from litestar.params import FromPath
from litestar.response import Stream

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


@get("/async/{tag:str}", media_type=MediaType.TEXT)
async def _async(tag: FromPath[str]) -> str:
    await visit(tag, "handler")
    return "served"


@get("/sync/{tag:str}", media_type=MediaType.TEXT, sync_to_thread=True)
def _sync(tag: FromPath[str]) -> str:
    visit_in_thread(tag, "handler")
    return "served"


async def _till(tag: FromPath[str]) -> AsyncGenerator[str, None]:
    await visit(tag, "dependency")
    yield "till"
    await visit(tag, "dependency's end")


def _sync_till(tag: FromPath[str]) -> str:
    visit_in_thread(tag, "dependency")
    return "till"


@get("/dependency/{tag:str}", media_type=MediaType.TEXT, dependencies={"till": _till})
async def _dependency(tag: FromPath[str], till: NamedDependency[str]) -> str:
    await visit(tag, "handler")
    return "served"


@get(
    "/sync-dependency/{tag:str}",
    media_type=MediaType.TEXT,
    dependencies={"till": Provide(_sync_till, sync_to_thread=True)},
    sync_to_thread=True,
)
def _sync_dependency(tag: FromPath[str], till: NamedDependency[str]) -> str:
    visit_in_thread(tag, "handler")
    return "served"


@get("/stream/{tag:str}")
async def _stream(tag: FromPath[str]) -> Stream:
    return Stream(chunks(tag))


@get("/sync-stream/{tag:str}")
async def _sync_stream(tag: FromPath[str]) -> Stream:
    return Stream(chunks_in_thread(tag))


@get("/background/{tag:str}", media_type=MediaType.TEXT)
async def _background(tag: FromPath[str]) -> Response[str]:
    return Response("served", background=BackgroundTask(visit, tag, "background"))


@get("/sync-background/{tag:str}", media_type=MediaType.TEXT)
async def _sync_background(tag: FromPath[str]) -> Response[str]:
    return Response("served", background=BackgroundTask(visit_in_thread, tag, "background"))


@get("/own-id/{tag:str}", media_type=MediaType.TEXT)
async def _own_id(tag: FromPath[str]) -> Response[str]:
    return Response(
        "served", headers={"X-Request-ID": "the app's first", "x-request-id": "the app's second"}
    )


@get("/sold-out/{tag:str}")
async def _raise_sold_out(tag: FromPath[str]) -> None:
    raise SoldOutError


@get("/crash/{tag:str}")
async def _crash(tag: FromPath[str]) -> None:
    raise CrashError(tag)


@get("/change-session/{tag:str}", media_type=MediaType.TEXT, sync_to_thread=True)
def _change_session(tag: FromPath[str]) -> str:
    change_session(tag)
    return "served"


@get("/state/{tag:str}", media_type=MediaType.TEXT)
async def _state(request: Request[Any, Any, Any], tag: FromPath[str]) -> str:
    return request.app.state.till


@websocket("/ws/{tag:str}")
async def _websocket(socket: WebSocket[Any, Any, Any], tag: FromPath[str]) -> None:
    await socket.accept()
    await visit(tag, "websocket")
    await socket.receive_text()
    await socket.send_text("hello, too")
    await socket.close()


@contextlib.asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.till = "open"
    yield


def _own_page(request: Request[Any, Any, Any], exc: Exception) -> Response[str]:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    return Response(OWN_PAGE, status_code=status, media_type=MediaType.TEXT)


def _sold_out(request: Request[Any, Any, Any], exc: Exception) -> Response[str]:
    return Response(SOLD_OUT, status_code=418, media_type=MediaType.TEXT)


class _HostLogging(LoggingConfig):
    """Exceptions are logged, and the logging of the test run stays as it is."""

    def __init__(self) -> None:
        super().__init__(log_exceptions="always")

    def configure(self) -> Any:
        return logging.getLogger


def build(manner: str, *, middleware: Sequence[Any] = ()) -> Litestar:
    own_pages = {404: _own_page, 500: _own_page} if manner == OWN_PAGES else {}
    return Litestar(
        [
            _async,
            _sync,
            _dependency,
            _sync_dependency,
            _stream,
            _sync_stream,
            _background,
            _sync_background,
            _own_id,
            _raise_sold_out,
            _crash,
            _change_session,
            _state,
            _websocket,
        ],
        debug=manner == DEBUG,
        middleware=middleware,
        exception_handlers={SoldOutError: _sold_out, **own_pages},
        lifespan=[_lifespan],
        logging_config=_HostLogging(),
        openapi_config=None,
    )


LITESTAR = Framework(
    "Litestar",
    build,
    routes={
        "/async": TWICE,
        "/sync": TWICE,
        "/dependency": (
            "dependency",
            "dependency, later",
            *TWICE,
            "dependency's end",
            "dependency's end, later",
        ),
        "/sync-dependency": ("dependency", "dependency, later", *TWICE),
        "/stream": STREAM,
        "/sync-stream": STREAM,
        "/background": BACKGROUND,
        "/sync-background": BACKGROUND,
    },
    leaves_in_scope=frozenset({"route_handler", "path_template"}),
    inside={
        "middleware=[...]": partial(build, middleware=[RequestTracingMiddleware]),
        "DefineMiddleware": partial(build, middleware=[DefineMiddleware(RequestTracingMiddleware)]),
    },
    # Its router, which says that there is no such page, stands outside of all that a user can add.
    outside_of_middleware=frozenset({"/missing"}),
)
