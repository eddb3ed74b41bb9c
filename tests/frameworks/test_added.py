"""A shim added by ``add_middleware`` in Starlette and FastAPI: which one counts, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextvars import Context
from copy import copy
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    bound_request_metadata,
    get_request_id,
)

from ..asgi import call, hello, http_scope, response_ids, step
from .drive import ASGIApp, client_of, live
from .frameworks import OWN_PAGE

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Lines(logging.Handler):
    """The request id and the text of each line of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestTracingFilter())
        self.found: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in ("shop", "asgi_trace", "asgi_trace.access"):
            self.found.append((str(vars(record)["request_id"]), record.getMessage()))

    def saying(self, text: str) -> list[str]:
        """Return the request id of each line that begins with *text*."""
        return [request_id for request_id, line in self.found if line.startswith(text)]


@pytest.fixture(autouse=True)
def lines() -> Iterator[Lines]:
    root, handler = logging.getLogger(), Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


async def served(request: Request) -> Response:
    return PlainTextResponse("served")


async def crash(request: Request) -> Response:
    raise RuntimeError("the till is on fire")


async def own_page(request: Request, exc: Exception) -> Response:
    logging.getLogger("shop").error("own page")
    return PlainTextResponse(OWN_PAGE, 500)


async def broken_page(request: Request, exc: Exception) -> Response:
    raise LookupError("the page is on fire, too")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def starlette(*more: Any, **options: Any) -> Starlette:
    routes = [Route("/", served), Route("/crash", crash), WebSocketRoute("/ws", socket), *more]
    return Starlette(routes=routes, **options)


def fastapi(*more: Any, **options: Any) -> FastAPI:
    return FastAPI(routes=starlette(*more).routes, **options)


def shim(**options: Any) -> Middleware:
    return Middleware(RequestTracingMiddleware, **options)


Build = Callable[..., Any]


def naming(name: str) -> Callable[[], str]:
    return lambda: name


async def get(app: ASGIApp, path: str = "/", **headers: str) -> httpx.Response:
    async with client_of(app) as client:
        return await client.get(path, headers=headers)


def ids_of(response: httpx.Response) -> list[str]:
    return response.headers.get_list("x-request-id")


CORS = Middleware(CORSMiddleware, allow_origins=["*"])
PAGES = {
    "own": ({"exception_handlers": {Exception: own_page}}, OWN_PAGE),
    "debug": ({"debug": True}, "Traceback (most recent call last):"),
    "plain": ({}, "Internal Server Error"),
}
ON_BOTH = pytest.mark.parametrize("build", [starlette, fastapi], ids=["Starlette", "FastAPI"])


@ON_BOTH
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("outside", [[], [CORS]], ids=["first", "behind"])
async def test_a_first_request_that_crashes_has_its_id(
    build: Build, page: str, outside: list[Middleware], lines: Lines
) -> None:
    """Without lifespan the twin comes too late for it. The caller's context stays as it was."""
    options, text = PAGES[page]
    app = build(middleware=[*outside, shim(access_log=True)], **options)
    for request_id in ("first", "second"):
        response = await get(app, "/crash", **{"X-Request-ID": request_id})
        assert (response.status_code, ids_of(response)) == (500, [request_id])
        assert text in response.text
        assert get_request_id() is None
        assert lines.saying("GET /crash 500")[-1:] == [request_id]
    assert lines.saying("GET /crash 500") == ["first", "second"]
    assert lines.saying("own page") == (["first", "second"] if page == "own" else [])


@ON_BOTH
@pytest.mark.parametrize("starts", [False, True], ids=["no lifespan", "lifespan"])
def test_a_test_client_finds_the_id(build: Build, starts: bool) -> None:
    client = TestClient(build(middleware=[shim()]), raise_server_exceptions=False)
    if starts:
        with client:
            response = client.get("/crash")
    else:
        response = client.get("/crash")
    assert (response.status_code, len(ids_of(response))) == (500, 1)  # type: ignore[arg-type]


@ON_BOTH
async def test_what_a_middleware_outside_answers_has_the_id(build: Build) -> None:
    """The preflight of CORS never comes to the place where the shim was added."""
    app = build(middleware=[CORS, shim()])
    await live(app)
    async with client_of(app) as client:
        headers = {"Origin": "http://other.test", "Access-Control-Request-Method": "GET"}
        response = await client.options("/", headers=headers)
    assert (response.status_code, len(ids_of(response))) == (200, 1)


@ON_BOTH
async def test_the_options_hold(build: Build, lines: Lines) -> None:
    """The shim outside has those of the one that was added."""
    options = {"header_name": "X-Trace", "access_log": True, "exclude": ["/"]}
    app = build(middleware=[shim(generator=naming("made"), **options)])
    await live(app)
    for path in ("/", "/crash"):
        response = await get(app, path)
        assert (response.headers.get_list("x-trace"), ids_of(response)) == (["made"], [])
    assert [line for _, line in lines.found if line.startswith("GET / ")] == []
    assert lines.saying("GET /crash 500") == ["made"]


@ON_BOTH
@pytest.mark.parametrize("starts", [False, True], ids=["no lifespan", "lifespan"])
async def test_of_two_shims_the_outer_counts(build: Build, starts: bool) -> None:
    app = build(middleware=[shim(generator=naming("outer")), shim(generator=naming("inner"))])
    if starts:
        await live(app)
    for path in ("/", "/crash", "/"):
        assert ids_of(await get(app, path)) == ["outer"]


@ON_BOTH
@pytest.mark.parametrize("starts", [False, True], ids=["no lifespan", "lifespan"])
async def test_a_shim_around_the_app_counts(build: Build, starts: bool, lines: Lines) -> None:
    """What only the inner one was asked for is done, once."""
    added = build(middleware=[shim(generator=naming("inner"), access_log=True)])
    app = RequestTracingMiddleware(added, generator=naming("outer"))
    if starts:
        await live(app)
    for path in ("/", "/crash", "/"):
        assert ids_of(await get(app, path)) == ["outer"]
    assert lines.saying("GET ") == ["outer", "outer", "outer"]


@ON_BOTH
async def test_a_mounted_app_has_a_shim_of_its_own(build: Build, lines: Lines) -> None:
    """It covers the part that it was added to."""
    sub = build(middleware=[shim()], exception_handlers={500: own_page})
    app = build(Mount("/sub", sub))
    for _ in range(2):
        assert ids_of(await get(app)) == []
        response = await get(app, "/sub/crash")
        assert (response.text, len(ids_of(response))) == (OWN_PAGE, 1)
        assert lines.saying("own page")[-1:] == ids_of(response)


@ON_BOTH
async def test_in_a_traced_app_a_mounted_one_has_its_ids(build: Build, lines: Lines) -> None:
    sub = build(middleware=[shim(generator=naming("sub"))], exception_handlers={500: own_page})
    app = build(Mount("/sub", sub), middleware=[shim(generator=naming("whole"))])
    for path in ("/sub/", "/sub/crash", "/sub/"):
        assert ids_of(await get(app, path)) == ["whole"]
    assert lines.saying("own page") == ["whole"]


@ON_BOTH
async def test_a_shim_around_one_part_does_not_move(build: Build) -> None:
    """Its options are for that part; a crash there has its id on the app's page all the same."""
    part = RequestTracingMiddleware(starlette().router)
    app = build(Mount("/part", part))
    await live(app)
    for _ in range(2):
        assert ids_of(await get(app)) == []
        response = await get(app, "/part/crash")
        assert (response.status_code, len(ids_of(response))) == (500, 1)


@ON_BOTH
async def test_a_page_that_crashes_is_answered_for(build: Build) -> None:
    """As it is by a shim around the app: nobody else has responded."""
    app = build(middleware=[shim()], exception_handlers={500: broken_page})
    await live(app)
    response = await get(app, "/crash")
    assert (response.text, len(ids_of(response))) == ("Internal Server Error", 1)


@ON_BOTH
async def test_a_page_that_crashes_in_a_mounted_app_gives_way(build: Build) -> None:
    sub = build(middleware=[shim()], exception_handlers={500: broken_page})
    app = build(Mount("/sub", sub), exception_handlers={500: own_page})
    for _ in range(2):
        response = await get(app, "/sub/crash")
        assert (response.text, len(ids_of(response))) == (OWN_PAGE, 1)


@ON_BOTH
async def test_a_stack_that_is_built_again_is_wrapped_again(build: Build) -> None:
    """Instrumentations do that while the app runs."""
    app = build(middleware=[shim()])
    await live(app)
    for _ in range(2):
        app.middleware_stack = app.build_middleware_stack()
        for path in ("/", "/crash"):
            assert len(ids_of(await get(app, path))) == 1
        assert isinstance(app.middleware_stack, RequestTracingMiddleware)


@ON_BOTH
async def test_it_moves_once(build: Build) -> None:
    """However often the app is started, and whatever came first."""
    app = build(middleware=[shim()])
    await get(app)
    outside = app.middleware_stack
    for _ in range(2):
        await live(app)
        await get(app)
    assert app.middleware_stack is outside


@ON_BOTH
async def test_the_framework_still_refuses_middleware_after_the_start(build: Build) -> None:
    app = build(middleware=[shim()])
    await live(app)
    with pytest.raises(RuntimeError, match="after an application has started"):
        app.add_middleware(RequestTracingMiddleware)


@ON_BOTH
async def test_a_startup_fails_as_without_the_shim(build: Build, lines: Lines) -> None:
    def fail(app: Any) -> Any:
        raise RuntimeError("no till")

    app = build(middleware=[shim()], lifespan=fail)
    with pytest.raises(RuntimeError, match="no till"):
        await live(app)
    assert lines.found == []


@ON_BOTH
def test_a_websocket_may_come_first(build: Build) -> None:
    client = TestClient(build(middleware=[shim()]), raise_server_exceptions=False)
    with client.websocket_connect("/ws") as websocket:
        assert websocket.extra_headers is not None
        assert [name for name, _ in websocket.extra_headers].count(b"x-request-id") == 1
    assert len(ids_of(client.get("/crash"))) == 1  # type: ignore[arg-type]


async def test_a_caller_within_a_request_keeps_its_ids() -> None:
    """In-process: the first crash of the app that it calls, and a later one."""
    app = starlette(middleware=[shim()])
    with bound_request_metadata(RequestMetadata(request_id="caller")):
        for _ in range(2):
            response = await get(app, "/crash", **{"X-Request-ID": "called"})
            assert (ids_of(response), get_request_id()) == (["called"], "caller")


async def test_a_caller_that_crashes_in_turn_has_its_own_id() -> None:
    """Each page has the id of its own request, although one task runs both."""
    called = starlette(middleware=[shim(generator=naming("called"))])

    async def calls(request: Request) -> Response:
        response = await get(called, "/crash")
        raise RuntimeError(*ids_of(response))

    calling = starlette(Route("/calls", calls), middleware=[shim(generator=naming("calling"))])
    app = RequestTracingMiddleware(calling, generator=naming("caller"))
    assert ids_of(await get(app, "/calls")) == ["caller"]
    assert ids_of(await get(calling, "/calls")) == ["calling"]


class _Hostile:
    """Raises whatever is read of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


OTHERS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "a plain object": object,
    "a hostile one": _Hostile,
    "a mock": MagicMock,
    "a mock of Starlette": lambda: MagicMock(spec=Starlette),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_an_app_of_another_kind_is_left_alone(kind: str, lines: Lines) -> None:
    """What a framework keeps in scope["app"] is its own."""
    app = OTHERS[kind]()
    traced = RequestTracingMiddleware(hello)
    step(traced, {"type": "lifespan", "app": app})
    for _ in range(2):
        assert len(response_ids(step(traced, http_scope(app=app)))) == 1
    assert lines.found == []


async def test_an_app_that_cannot_be_wrapped_is_served(lines: Lines) -> None:
    """There is one warning, and the shim stays where it is."""

    class Locked(Starlette):
        def __setattr__(self, name: str, value: object) -> None:
            if isinstance(value, RequestTracingMiddleware):
                raise AttributeError("locked")
            super().__setattr__(name, value)

    app = Locked(routes=starlette().routes, middleware=[shim(access_log=True)])
    for _ in range(2):
        await live(app)
        for path in ("/", "/crash"):
            assert len(ids_of(await get(app, path))) == 1
    assert [line for _, line in lines.found if not line.startswith("GET ")] == [lines.found[0][1]]
    assert len(lines.saying("GET ")) == 4


@pytest.mark.parametrize(("caller", "left"), [(None, "mine"), ("caller", "caller")])
def test_a_crash_in_another_framework_leaves_the_ids(caller: str | None, left: str) -> None:
    """Its lines come after the shim. A caller that is a request itself has its own ids again."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("x")

    def run() -> str | None:
        metadata = None if caller is None else RequestMetadata(request_id=caller)
        with bound_request_metadata(metadata):
            scope = http_scope([(b"x-request-id", b"mine")], app=object())
            with pytest.raises(KeyError):
                call(RequestTracingMiddleware(app), scope).send(None)
            return get_request_id()

    assert Context().run(run) == left


def test_only_the_first_request_is_looked_at() -> None:
    """After it, each request is made by the class that has no hook; of a copy, too."""
    first = RequestTracingMiddleware(hello)
    second = copy(first)
    for traced in (first, second):
        waiting = traced._request
        step(traced, http_scope())
        assert traced._request in waiting.__mro__[1:]
        assert traced._request._read is not waiting._read
