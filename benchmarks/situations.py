"""
The situations in which subjects are measured: each turns a subject into batches of work that a
worker runs.

This module drives an app without a server, or in uvicorn's own protocol. It uses no meter.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

import asgi_trace

from .production import logging_app
from .subjects import (
    OBSERVING,
    ONE_SPAN,
    OUR_JSON,
    OUR_JSON_LOGS,
    OUR_LOGS,
    OUR_LOGS_BY_ITS_HANDLER,
    OUR_LOGS_IN_ITS_FORM,
    OUR_SPANS,
    OUR_TEXT,
    OURS,
    PLAIN_LOGS,
    SUBJECTS,
    Subject,
)
from .traffic import (
    App,
    Receive,
    Scope,
    Send,
    connection,
    crashing,
    hello,
    mcp_call,
    reading,
    receive,
    receive_call,
    request,
    send,
    wait_forever,
    websocket,
)

if TYPE_CHECKING:
    import asyncio  # a quarter of a worker's start, and most have no use for it

__all__ = ("SITUATIONS", "Batch", "Situation", "suspend")

Batch = Callable[[int], Callable[[], object]]
"""Prepares a number of units of work, unmeasured; the returned function does them, measured."""

_MIDDLEWARES = ("bare", "no-op", OURS, "asgi-correlation-id")
_PEERS = ("asgi-request-id", "starlette-context", "BaseHTTPMiddleware", "OpenTelemetry", "Sentry")


class Situation(NamedTuple):
    """
    One kind of work.

    :param title: its name in the tables.
    :param prepare: makes the batches of a subject.
    :param subjects: the names of the subjects that are measured in it.
    :param batch: the number of units in a batch: 64 scopes stay in a processor's cache, more would
        not.
    :param added: figures are the part that a subject adds to "bare", rather than the whole.
    """

    title: str
    prepare: Callable[[Subject], Batch]
    subjects: tuple[str, ...] = _MIDDLEWARES
    batch: int = 64
    added: bool = True


_plain_request = request()


def _served(
    app: App, make_scope: Callable[[], Scope] = _plain_request
) -> Callable[[Subject], Batch]:
    return lambda subject: _batches(subject, app, make_scope)


def _step(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits for an event loop, without one."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError(
        "an app or a subject waits for something; a subject that does so has loop=True"
    )


@functools.cache
def _event_loop() -> asyncio.AbstractEventLoop:
    import asyncio

    return asyncio.new_event_loop()


def _batches(
    subject: Subject,
    app: App,
    make_scope: Callable[[], Scope],
    receive: Receive = receive,
    *,
    loop: bool = False,
) -> Batch:
    wrapped = subject.wrap(app)
    run: Callable[[Coroutine[Any, Any, None]], None] = (
        _event_loop().run_until_complete if loop or subject.loop else _step
    )

    async def serve(scopes: list[Scope]) -> None:
        while scopes:
            await wrapped(scopes.pop(), receive, send)

    def prepare(count: int) -> Callable[[], object]:
        scopes = [make_scope() for _ in range(count)]
        return lambda: run(serve(scopes))

    return prepare


def _crashes(subject: Subject) -> Batch:
    wrapped = subject.wrap(crashing)

    async def survive(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(RuntimeError):
            await wrapped(scope, receive, send)

    return _batches(SUBJECTS["bare"], survive, _plain_request)


def _within_one_request(subject: Subject, work: Callable[[Send, int], Awaitable[None]]) -> Batch:
    """
    Return batches that do all their units inside one request: the cost of the request is negligible
    beside them.
    """
    units = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await work(send, units)

    one_request = _batches(subject, app, _plain_request)

    def prepare(count: int) -> Callable[[], object]:
        nonlocal units
        units = count
        return one_request(1)

    return prepare


def _streams(subject: Subject) -> Batch:
    async def stream(send: Send, chunks: int) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(chunks):
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})

    return _within_one_request(subject, stream)


def _logs(subject: Subject) -> Batch:
    log = subject.line()

    async def write(send: Send, lines: int) -> None:
        for _ in range(lines):
            log("Processing payment for user Alice")

    return _within_one_request(subject, write)


def _produces(subject: Subject, lines: int = 2, *, is_access: bool = True) -> Batch:
    """
    Return batches of requests that log as in production; "bare" logs nothing.

    They run in a task of an event loop, and multiprocessing is loaded, as in uvicorn: logging asks
    both for a name at each record.
    """
    import multiprocessing  # noqa: F401

    is_silent = subject.name == "bare"
    log = None if is_silent else subject.line()
    access = None if is_silent or subject.access is None or not is_access else subject.access()
    return _batches(subject, logging_app(log, lines, access), _plain_request, loop=True)


def _posts(subject: Subject) -> Batch:
    return _batches(subject, reading, mcp_call, receive_call)


def _logs_lines(lines: int) -> Callable[[Subject], Batch]:
    return lambda subject: _produces(subject, lines, is_access=False)


def _logs_once(subject: Subject) -> Batch:
    log = subject.line()
    return _batches(
        subject, hello(lambda: log("Processing payment for user Alice")), _plain_request
    )


def _read_everything() -> None:
    metadata = asgi_trace.get_request_metadata()
    if metadata is None:
        return
    # Assigned to a name, so that no linter reports the reads as unused.
    _ids = (
        metadata.request_id,
        metadata.session_id,
        metadata.trace_id,
        metadata.trace,
        metadata.parent_request_id,
    )
    _rest = (
        metadata.start_time,
        metadata.method,
        metadata.path,
        metadata.transport_type,
        metadata.ended,
    )


def _through_uvicorn(subject: Subject) -> Batch:
    from .protocol import httptools_batches

    return httptools_batches(subject.wrap(hello()))


async def _waiting(scope: Scope, receive: Receive, send: Send) -> None:
    await wait_forever()


def suspend(subject: Subject, count: int) -> Callable[[], list[object]]:
    """
    Return a function that begins *count* requests, each in a context of its own, and does not end
    them.
    """
    wrapped = subject.wrap(_waiting)
    scopes = [_plain_request() for _ in range(count)]

    def begin() -> list[object]:
        flying: list[object] = []
        for scope in scopes:
            context = contextvars.copy_context()
            served = wrapped(scope, receive, send)
            context.run(served.send, None)  # type: ignore[attr-defined]
            flying.append((context, served))
        return flying

    return begin


# The batch for which 256 requests are counted; they take 768 ids, three whole fills of the pool.
_PRODUCTION_BATCH = 128

SITUATIONS = {
    "production-text": Situation(
        "a request in production: two lines and an access line, in text",
        _produces,
        ("bare", PLAIN_LOGS, OUR_LOGS, OUR_LOGS_BY_ITS_HANDLER, OUR_LOGS_IN_ITS_FORM),
        batch=_PRODUCTION_BATCH,
    ),
    "production-json": Situation(
        "the same in JSON",
        _produces,
        ("bare", OUR_JSON_LOGS, "python-json-logger, access line", "structlog, access line"),
        batch=_PRODUCTION_BATCH,
    ),
    "access-line": Situation(
        "a request with an access line and no other",
        lambda subject: _produces(subject, 0),
        ("bare", "uvicorn's access line", OUR_LOGS),
        batch=_PRODUCTION_BATCH,
    ),
    "first-line": Situation(
        "a request with one line of text",
        _logs_lines(1),
        ("bare", "logging", OUR_TEXT),
        batch=_PRODUCTION_BATCH,
    ),
    "second-line": Situation(
        "a request with two lines of text",
        _logs_lines(2),
        ("bare", "logging", OUR_TEXT),
        batch=_PRODUCTION_BATCH,
    ),
    "request": Situation(
        "a request, 12 headers, nothing inbound", _served(hello()), (*_MIDDLEWARES, *_PEERS)
    ),
    "line": Situation(
        "a request that logs one line", _logs_once, ("bare", OURS, "asgi-correlation-id")
    ),
    "everything": Situation(
        "a request in which everything is read", _served(hello(_read_everything)), ("bare", OURS)
    ),
    "everything-traced": Situation(
        "the same with a traceparent inbound",
        _served(
            hello(_read_everything),
            request(13, b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ),
        ("bare", OURS),
    ),
    "inject": Situation(
        "a request that calls inject() once",
        _served(hello(lambda: asgi_trace.inject({}))),
        ("bare", OURS),
    ),
    "observed-get": Situation(
        "a GET whose body would be observed", _served(hello()), ("bare", OURS, OBSERVING)
    ),
    "observed-post": Situation(
        "a POST of 1 kB of JSON-RPC, which the app reads",
        _posts,
        ("bare", OURS, OBSERVING),
    ),
    "inbound": Situation(
        "a request with X-Request-ID and X-Session-ID",
        _served(
            hello(),
            request(
                14, b"x-request-id: 4bf92f3577b34da6a3ce929d0e0e4736", b"x-session-id: alice-0001"
            ),
        ),
    ),
    "bearer": Situation(
        "a request whose session id, of a bearer token, is read",
        _served(
            hello(asgi_trace.get_session_id), request(13, b"authorization: Bearer mF_9.B5f-4.1JqM")
        ),
        ("bare", OURS),
    ),
    "query": Situation(
        "a request whose session id, of the query string, is read",
        _served(hello(asgi_trace.get_session_id), request(query=b"page=2&session_id=alice-0001")),
        ("bare", OURS),
    ),
    "spans": Situation(
        "a request that is a span",
        _served(hello(), request()),
        ("bare", OUR_SPANS, ONE_SPAN, "OpenTelemetry"),
    ),
    "crash": Situation("a request whose app raises", _crashes, ("bare", "no-op", OURS)),
    "headers-4": Situation("a request with 4 headers", _served(hello(), request(4))),
    "headers-40": Situation("a request with 40 headers", _served(hello(), request(40))),
    "websocket": Situation(
        "a websocket: accept, one message, close", _served(websocket, connection)
    ),
    "stream": Situation(
        "a body message of a 1,000-chunk stream",
        _streams,
        (*_MIDDLEWARES, "starlette-context", "OpenTelemetry"),
        batch=1000,
    ),
    "uvicorn": Situation(
        "a request through uvicorn's httptools protocol", _through_uvicorn, added=False
    ),
    "text": Situation(
        "a line of text", _logs, ("bare", OURS, "asgi-correlation-id"), batch=256, added=False
    ),
    "json": Situation(
        "a line of JSON",
        _logs,
        (OUR_JSON, "python-json-logger", "structlog", "structlog, native"),
        batch=256,
        added=False,
    ),
}
