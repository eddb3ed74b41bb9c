"""
Apps for real servers, with the shim added by ``add_middleware``. Run as a module, it serves one.

``/ACTION/MARKER`` raises ``RuntimeError("MARKER failed")`` where the action says so, or answers.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_trace import RequestTracingMiddleware, configure_logging

from .frameworks import OWN_PAGE

configure_logging()

log = logging.getLogger("shop")


def fail(marker: str) -> None:
    raise RuntimeError(f"{marker} failed")


async def fail_later(marker: str) -> None:
    fail(marker)


async def broken_stream(marker: str) -> AsyncIterator[bytes]:
    yield b"a part"
    fail(marker)


async def own_page(request: Request, exc: Exception) -> Response:
    log.error("%s has our own page", request.url.path.rpartition("/")[2])
    return PlainTextResponse(OWN_PAGE, 500)


async def look(request: Request, call_next: Any) -> Response:
    """The user's own middleware, outside of the shim."""
    log.info("%s passes", request.url.path.rpartition("/")[2])
    response: Response = await call_next(request)
    return response


def dependency(marker: str) -> str:
    fail(marker)
    return marker


async def broken_socket(websocket: WebSocket) -> None:
    await websocket.accept()
    fail(websocket.path_params["marker"])


def fastapi(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/work/{marker}")
    async def work(marker: str) -> str:
        log.info("%s ends", marker)
        return marker

    @app.get("/handler/{marker}")
    async def handler(marker: str) -> None:
        fail(marker)

    @app.get("/sync/{marker}")
    def sync(marker: str) -> None:
        fail(marker)

    @app.get("/dependency/{marker}")
    def depends(marker: Annotated[str, Depends(dependency)]) -> None:
        pass

    @app.get("/background/{marker}")
    async def background(marker: str, tasks: BackgroundTasks) -> str:
        tasks.add_task(fail_later, marker)
        return marker

    @app.get("/stream/{marker}")
    async def stream(marker: str) -> Response:
        return StreamingResponse(broken_stream(marker))

    @app.get("/refused/{marker}")
    async def refused(marker: str) -> None:
        log.info("%s is refused", marker)
        raise HTTPException(403, "refused")

    @app.get("/invalid/{marker}")
    async def invalid(marker: str, number: int) -> None:
        pass

    app.add_api_websocket_route("/ws/{marker}", broken_socket)
    return app


async def _work(request: Request) -> Response:
    log.info("%s ends", request.path_params["marker"])
    return PlainTextResponse(request.path_params["marker"])


async def _handler(request: Request) -> Response:
    fail(request.path_params["marker"])
    raise AssertionError


def _sync(request: Request) -> Response:
    fail(request.path_params["marker"])
    raise AssertionError


async def _background(request: Request) -> Response:
    marker = request.path_params["marker"]
    return PlainTextResponse(marker, background=BackgroundTask(fail_later, marker))


async def _stream(request: Request) -> Response:
    return StreamingResponse(broken_stream(request.path_params["marker"]))


async def _served(request: Request) -> Response:
    return PlainTextResponse("served")


class _Failing:
    """A middleware of one route, in place of a dependency, which Starlette does not have."""

    def __init__(self, app: Any) -> None:
        pass

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        fail(scope["path_params"]["marker"])


async def _invalid(request: Request) -> Response:
    raise StarletteHTTPException(422, "invalid")


async def _refused(request: Request) -> Response:
    log.info("%s is refused", request.path_params["marker"])
    raise StarletteHTTPException(403, "refused")


def starlette(**options: Any) -> Starlette:
    routes = [
        Route("/work/{marker}", _work),
        Route("/handler/{marker}", _handler),
        Route("/sync/{marker}", _sync),
        Route("/dependency/{marker}", _served, middleware=[Middleware(_Failing)]),
        Route("/invalid/{marker}", _invalid),
        Route("/background/{marker}", _background),
        Route("/stream/{marker}", _stream),
        Route("/refused/{marker}", _refused),
        WebSocketRoute("/ws/{marker}", broken_socket),
    ]
    return Starlette(routes=routes, **options)


def traced(app: Any) -> Any:
    app.add_middleware(RequestTracingMiddleware, access_log=True)
    app.add_middleware(BaseHTTPMiddleware, dispatch=look)
    return app


OWN: dict[str, Any] = {"exception_handlers": {Exception: own_page}}

fastapi_own = traced(fastapi(**OWN))
fastapi_debug = traced(fastapi(debug=True))
fastapi_plain = traced(fastapi())
starlette_own = traced(starlette(exception_handlers={500: own_page}))
starlette_debug = traced(starlette(debug=True))
starlette_plain = traced(starlette())
app = fastapi_own  # the one that "fastapi run" takes
mounted_own = Starlette(routes=[Mount("/", traced(fastapi(**OWN)))])

if __name__ == "__main__":
    uvicorn.run(fastapi_own, host="127.0.0.1", port=int(sys.argv[1]))
