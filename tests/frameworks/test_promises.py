"""What holds for every framework, however it is wrapped."""

from __future__ import annotations

import anyio
import pytest

from asgi_trace import RequestTracingMiddleware, get_session_id

from .checks import check_lines, check_one_request_id, check_places
from .drive import OuterTool, Reply, Socket, ask, client_of, live, talk
from .frameworks import (
    DEBUG,
    OWN_PAGE,
    OWN_PAGES,
    PLAIN,
    SOLD_OUT,
    WEBSOCKET,
    Case,
    CrashError,
    Framework,
)
from .table import CASES, FRAMEWORKS
from .witness import LogLines, changed_session_of, crowded

pytestmark = [
    pytest.mark.anyio,
    # Django's advice on plain generators, which it then serves all the same.
    pytest.mark.filterwarnings(
        "ignore:StreamingHttpResponse must consume synchronous iterators:Warning"
    ),
]

ON_ALL_BACKENDS = pytest.mark.parametrize(
    ("case", "anyio_backend"),
    [
        pytest.param(case, backend, id=f"{case}, {backend}")
        for case in CASES
        for backend in case.framework.backends
    ],
)
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])
ALL_CASES = pytest.mark.parametrize("case", CASES, ids=str)


@ON_ALL_BACKENDS
async def test_ids_are_the_same_wherever_a_request_runs(case: Case, log: LogLines) -> None:
    """
    Handlers, threads, dependencies, background tasks and streams read and log the ids of the
    response.
    """
    tool = OuterTool(case.build(PLAIN))
    async with client_of(tool) as client:
        for path, places in case.framework.routes.items():
            for with_ids in (False, True):
                reply = await ask(client, path, with_ids=with_ids)
                assert set(reply.text.split("served")) == {""}, reply.text
                check_one_request_id(reply)
                await check_places(places, reply, tool, log)


@ON_ALL_BACKENDS
async def test_concurrent_requests_never_mix(case: Case, log: LogLines) -> None:
    """
    Requests of every kind that overlap, in tasks and in threads, each keep their own ids
    throughout.
    """
    tool = OuterTool(case.build(PLAIN))
    replies: list[tuple[str, Reply]] = []

    async def ask_and_keep(path: str, with_ids: bool) -> None:
        replies.append((path, await ask(client, path, with_ids=with_ids)))

    async with client_of(tool) as client:
        # Two threads: Quart's pool is as small as the machine.
        with crowded(tasks=10, threads=2):
            async with anyio.create_task_group() as group:
                for path in case.framework.routes:
                    for number in range(6):
                        group.start_soon(ask_and_keep, path, number % 2 == 0)
            for path, reply in replies:
                check_one_request_id(reply)
                await check_places(case.framework.routes[path], reply, tool, log)
    assert len({reply.request_ids[0] for _, reply in replies}) == 6 * len(case.framework.routes)


# Status, and what the page says in each manner where that is known here.
PAGES = {
    "/async": (200, {PLAIN: "served", OWN_PAGES: "served", DEBUG: "served"}),
    "/own-id": (200, {PLAIN: "served", OWN_PAGES: "served", DEBUG: "served"}),
    "/sold-out": (418, {PLAIN: SOLD_OUT, OWN_PAGES: SOLD_OUT, DEBUG: SOLD_OUT}),
    "/missing": (404, {OWN_PAGES: OWN_PAGE}),
    "/crash": (500, {OWN_PAGES: OWN_PAGE, DEBUG: str(CrashError("TAG"))}),
}


@ON_ASYNCIO
@pytest.mark.parametrize("manner", [PLAIN, OWN_PAGES, DEBUG])
@ALL_CASES
async def test_pages_survive_and_have_one_id(case: Case, manner: str, log: LogLines) -> None:
    """
    The framework's, the user's and the debug page stay as they are without the shim, but for the id
    on them.
    """
    async with client_of(case.framework.build(manner)) as client:
        bare = {path: await ask(client, path) for path in PAGES}
    tool = OuterTool(case.build(manner))
    async with client_of(tool) as client:
        pages = {path: await ask(client, path) for path in PAGES}

    for path, (status, texts) in PAGES.items():
        reply = pages[path]
        assert (path, reply.status) == (path, status)
        assert texts.get(manner, "") in reply.text
        if (path, manner) == ("/crash", DEBUG):  # it shows the shim's own frames too
            assert (
                reply.response.headers["content-type"]
                == bare[path].response.headers["content-type"]
            )
        else:
            assert (path, reply.text, reply.other_headers) == (
                path,
                bare[path].text,
                bare[path].other_headers,
            )
        if case.reaches(path):
            check_one_request_id(reply)
            check_lines(reply, tool.scope_of(reply.tag)["asgi_trace"].session_id, log)
        else:
            assert (path, reply.request_ids) == (path, []), (
                "reached after all: the table of the framework is wrong"
            )


@ON_ALL_BACKENDS
async def test_what_a_sync_handler_assigns_is_seen_in_the_scope(case: Case) -> None:
    """
    It runs in a thread and in a copy of the context, but the object is the one of the whole
    request.
    """
    tool = OuterTool(case.build(PLAIN))
    async with client_of(tool) as client:
        reply = await ask(client, "/change-session", with_ids=True)
    assert tool.scope_of(reply.tag)["asgi_trace"].session_id == changed_session_of(reply.tag)


@ON_ASYNCIO
@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
async def test_what_a_sync_handler_assigns_is_read_around_the_framework(
    framework: Framework,
) -> None:
    """By the getters, in what stands between the shim and the framework."""
    app = framework.build(PLAIN)
    seen = []

    async def around(scope: object, receive: object, send: object) -> None:
        await app(scope, receive, send)
        seen.append(get_session_id())

    async with client_of(RequestTracingMiddleware(around)) as client:
        reply = await ask(client, "/change-session", with_ids=True)
    assert seen == [changed_session_of(reply.tag)]


@ON_ASYNCIO
@ALL_CASES
async def test_outer_tools_find_in_the_scope_what_the_framework_left(case: Case) -> None:
    """Such as the route: the scope is passed on, not copied, and gains nothing but the metadata."""
    left = []
    for build in (case.framework.build, case.build):
        tool = OuterTool(build(PLAIN))
        async with client_of(tool) as client:
            reply = await ask(client, "/async")
        left.append({key: type(value) for key, value in tool.scope_of(reply.tag).items()})
    bare, wrapped = left
    assert case.framework.leaves_in_scope <= wrapped.keys()
    assert wrapped == bare | {"asgi_trace": wrapped["asgi_trace"]}


@ON_ASYNCIO
@pytest.mark.parametrize("case", [case for case in CASES if case.framework.websockets], ids=str)
async def test_websockets_have_ids_of_their_own(case: Case, log: LogLines) -> None:
    """On the acceptance, in the handler and on its lines, however many are open at once."""
    tool = OuterTool(case.build(PLAIN))
    sockets: list[Socket] = []

    async def talk_and_keep() -> None:
        sockets.append(await talk(tool))

    with crowded(tasks=5, threads=1):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(talk_and_keep)
    for socket in sockets:
        assert socket.text == "hello, too"
        check_one_request_id(socket)
        await check_places(WEBSOCKET, socket, tool, log)
        assert tool.scope_of(socket.tag)["asgi_trace"].transport_type == "websocket"


@ON_ASYNCIO
@pytest.mark.parametrize("case", [case for case in CASES if case.framework.lifespan], ids=str)
async def test_lifespans_pass_through(case: Case) -> None:
    """
    Startup and shutdown complete, and the state for the requests is the one that the app made.
    """
    messages, state = await live(case.build(PLAIN))
    assert messages == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    _, bare_state = await live(case.framework.build(PLAIN))
    assert state == bare_state
