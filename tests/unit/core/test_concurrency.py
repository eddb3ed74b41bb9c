"""Many requests at once, and requests that end in every way but the usual one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from collections.abc import Iterator
from contextvars import Context
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from asgi_trace import (
    RequestTracingMiddleware,
    get_request_id,
    get_request_metadata,
    get_session_id,
)

from ...asgi import HELLO_BODY, HELLO_START, call, hello, http_scope, response_ids, step


@pytest.mark.anyio
async def test_2000_interleaved_requests_never_mix() -> None:
    """
    Each reads its own ids at every turn, in a child task and at its end, whatever the others do.
    """
    seen: dict[str, set[tuple[str | None, str | None]]] = {}

    async def child(mine: set[tuple[str | None, str | None]]) -> None:
        await anyio.lowlevel.checkpoint()
        mine.add((get_request_id(), get_session_id()))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = seen.setdefault(scope["path"], set())
        async with anyio.create_task_group() as group:
            for _ in range(3):
                mine.add((get_request_id(), get_session_id()))
                group.start_soon(child, mine)
                await anyio.lowlevel.checkpoint()
        await hello(scope, receive, send)

    traced, answers = RequestTracingMiddleware(app), {}

    async def request(number: int) -> None:
        # every third brings ids of its own, the others get theirs made
        headers = (
            [(b"x-request-id", b"r%d" % number), (b"x-session-id", b"s%d" % number)]
            if number % 3 == 0
            else []
        )
        answers[str(number)] = response_ids(
            await call(traced, http_scope(headers, path=str(number)))
        )

    async with anyio.create_task_group() as group:
        for number in range(2000):
            group.start_soon(request, number)

    assert [number for number, mine in seen.items() if len(mine) != 1] == []
    ids = {number: next(iter(mine)) for number, mine in seen.items()}
    assert {
        number: [str(request_id).encode()] for number, (request_id, _) in ids.items()
    } == answers
    assert len({request_id for request_id, _ in ids.values()}) == 2000
    assert len({session_id for _, session_id in ids.values()}) == 2000
    assert ids["3"] == ("r3", "s3")


def test_a_thread_that_reads_meanwhile_finds_the_trace() -> None:
    """Whoever sees that the headers were read sees all of them, at whatever moment it looks."""
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    scope = http_scope([(b"traceparent", parent), (b"accept", b"text/event-stream")])
    step(RequestTracingMiddleware(hello), scope)
    metadata, seen = scope["asgi_trace"], []

    class Watched(dict[str, Any]):
        def setdefault(self, name: str, value: Any = None) -> Any:
            kept = super().setdefault(name, value)
            if not seen and "known_headers" in self:
                seen.append("meanwhile")
                seen.append((metadata.parent_span_id, metadata.transport_type))
            return kept

    metadata._values = Watched(ids_version=object())
    assert metadata.parent_span_id == "b7ad6b7169203331"
    assert seen == ["meanwhile", ("b7ad6b7169203331", "sse")]


@pytest.mark.anyio
async def test_task_groups_and_threads_inherit() -> None:
    """On asyncio and trio alike."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def child() -> None:
            seen.append(get_request_id())

        async with anyio.create_task_group() as group:
            group.start_soon(child)
        seen.append(await anyio.to_thread.run_sync(get_request_id))

    await call(RequestTracingMiddleware(app), http_scope([(b"x-request-id", b"mine")]))
    assert seen == ["mine", "mine"]


@pytest.mark.anyio
async def test_a_cancelled_request_ends_quietly() -> None:
    """The cancellation goes through, nothing is answered, and the context is as before."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    with anyio.move_on_after(0.01) as scope:
        await RequestTracingMiddleware(app)(http_scope(), None, send)  # type: ignore[arg-type]
    assert scope.cancelled_caught
    assert sent == []
    assert get_request_metadata() is None


def test_a_coroutine_closed_from_another_context_raises_nothing() -> None:
    """
    A loop that shuts down, or the garbage collector, closes it where its token is a stranger's.
    """

    class Pause:
        def __await__(self) -> Iterator[None]:
            yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Pause()

    scope = http_scope()
    coroutine = RequestTracingMiddleware(app)(scope, None, None)  # type: ignore[arg-type]
    Context().run(coroutine.send, None)
    assert not scope["asgi_trace"].ended
    Context().run(coroutine.close)
    assert scope["asgi_trace"].ended


def test_a_coroutine_dropped_halfway_raises_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Nor does it print "Exception ignored in"."""

    class Pause:
        def __await__(self) -> Iterator[None]:
            yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Pause()

    coroutine = RequestTracingMiddleware(app)(http_scope(), None, None)  # type: ignore[arg-type]
    Context().run(coroutine.send, None)
    del coroutine
    gc.collect()
    assert capfd.readouterr().err == ""


def test_a_loop_that_ends_before_its_requests_raises_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """asyncio.run cancels what is pending."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(call(RequestTracingMiddleware(app), http_scope()))
        await asyncio.sleep(0)
        assert not task.done()

    asyncio.run(main())
    assert capfd.readouterr().err == ""


def _read_everything(scope: Any) -> None:
    metadata = scope["asgi_trace"]
    assert all([metadata.session_id, metadata.trace, metadata.transport_type, repr(metadata)])


class _Exchange:
    """A request as uvicorn and hypercorn have it: one object keeps the scope, and has the send."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def receive(self) -> Any: ...

    async def send(self, message: Any) -> None: ...

    def serve(self, app: Any) -> None:
        coroutine = app(self.scope, self.receive, self.send)
        with contextlib.suppress(StopIteration):
            Context().run(coroutine.send, None)
        coroutine.close()  # an app that waits for something is closed there


async def _waiting_app(scope: Any, receive: Any, send: Any) -> None:
    await hello(scope, receive, send)
    await asyncio.sleep(0)


@pytest.mark.parametrize("app", [hello, _waiting_app])
def test_a_server_that_keeps_the_scope_leaves_no_cycle_behind(app: Any) -> None:
    """The request is in the scope: it must not hold the server's send when the app is done."""
    traced, references = RequestTracingMiddleware(app), []
    gc.disable()
    try:
        for _ in range(100):
            exchange = _Exchange(http_scope())
            exchange.serve(traced)
            references.append(weakref.ref(exchange.scope["asgi_trace"]))
        del exchange
        assert [reference for reference in references if reference() is not None] == []
    finally:
        gc.enable()


@pytest.mark.parametrize("crash", [False, True])
def test_a_request_leaves_no_cycle_behind(crash: bool) -> None:
    """With the collector off, reference counts alone free everything that a request made."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        _read_everything(scope)
        if crash:
            raise KeyError("x")
        await hello(scope, receive, send)

    traced, references = RequestTracingMiddleware(app), []

    def one() -> None:
        scope = http_scope([(b"x-session-id", b"s")])
        try:
            step(traced, scope)
        except KeyError:
            assert crash
        references.append(weakref.ref(scope["asgi_trace"]))

    one()
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            one()
        assert [reference for reference in references if reference() is not None] == []
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_200_000_requests_do_not_grow() -> None:
    """Not by a block in a thousand requests: hostile ids, made ids and crashes included."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(HELLO_START)
        await send(HELLO_BODY)

    traced = RequestTracingMiddleware(app)

    async def receive() -> Any: ...
    async def send(message: Any) -> None: ...

    def serve(count: int) -> None:
        for number in range(count):
            coroutine = traced(http_scope([(b"x-request-id", b"\xff%d" % number)]), receive, send)
            try:
                coroutine.send(None)
            except StopIteration:
                continue

    serve(20_000)
    gc.collect()
    before = sys.getallocatedblocks()
    serve(200_000)
    gc.collect()
    assert sys.getallocatedblocks() - before < 1_000  # the pool of ids alone swings by 256
