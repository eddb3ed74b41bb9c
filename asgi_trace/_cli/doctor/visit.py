"""
Send one request through an app, in this process, and record the results.

This module uses ASGI, asyncio and stack frames. It records facts; ``checks`` judges them.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from ..._core.ids import generate_request_id
from ..._core.middleware import RequestTracingMiddleware
from ..._logging.setup import serve_untouched

__all__ = ("Entry", "StartupError", "Visit", "describe", "visit")

PATH = "/asgi-trace-doctor"
SESSION = "asgi-trace-doctor"

_BASE = "starlette.middleware.base"


def describe(exc: BaseException) -> str:
    """Return the name of *exc* and its message."""
    try:
        message = str(exc)
    except Exception:  # an exception class with faulty methods
        message = ""
    return f"{type(exc).__name__}: {message}" if message else type(exc).__name__


class ExitError(Exception):
    """The app tried to end the process, which continues."""


class StartupError(Exception):
    """The app has not started; the message gives the reason."""


@dataclass(frozen=True)
class Entry:
    """
    The request's arrival at a shim: the parts of the app *outside* of the shim, from the outermost
    on, by class or function, and the ``BaseHTTPMiddleware`` among them, "" without one.
    """

    shim: RequestTracingMiddleware
    outside: tuple[str, ...]
    behind: str


@dataclass
class Visit:
    """
    The results of one request through *app*.

    ``has_lifespan`` is whether the app supports the lifespan protocol, ``fault`` the app's
    exception on the request, ``entries`` the shims that the request reached, in order, and
    ``spans`` the libraries that made a SERVER span for it.
    """

    app: Any
    request_id: str = field(default_factory=generate_request_id)
    scope: dict[str, Any] = field(default_factory=dict)
    has_lifespan: bool = False
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    fault: BaseException | None = None
    entries: list[Entry] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)

    def sent(self, name: str) -> list[str]:
        """Return the values of the response header *name*."""
        wanted = name.lower().encode()
        return [
            bytes(value).decode("latin-1")
            for key, value in self.headers
            if bytes(key).lower() == wanted
        ]


async def visit(app: Any, seconds: float, examine: Callable[[Visit], object]) -> None:
    """
    Start *app*, send it ``GET /asgi-trace-doctor``, have it examined, and stop it.

    :param seconds: for the start, and again for the request and for the stop.
    :param examine: is called with the results, while the app runs.
    :raises StartupError: when the start fails, or takes longer.
    """
    visited = Visit(app)
    state: dict[str, Any] = {}
    with _entries_of(visited.entries):
        async with _lifespan(visited, state, seconds):
            _count_spans(visited.spans)
            await _request(visited, state, seconds)
            examine(visited)


# -- the lifespan ----------------------------------------------------------------------------------


@asynccontextmanager
async def _lifespan(visited: Visit, state: dict[str, Any], seconds: float) -> Any:
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    task = asyncio.ensure_future(_call(visited.app, scope, inbox.get, outbox.put))
    try:
        inbox.put_nowait({"type": "lifespan.startup"})
        answer = await _answer(task, outbox, seconds)
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            # Starlette's message is the traceback.
            reason = str(answer.get("message") or "no reason is given").strip()
            print(reason, file=sys.stderr)
            raise StartupError(f"its start-up failed: {reason.splitlines()[-1]}")
        visited.has_lifespan = answer is not None
        yield
        if visited.has_lifespan:
            inbox.put_nowait({"type": "lifespan.shutdown"})
            with suppress(StartupError):  # a slow stop is no fault of the tracing
                await _answer(task, outbox, seconds)
    finally:
        task.cancel()
        with suppress(BaseException):
            await asyncio.wait([task], timeout=1)


async def _call(app: Any, *arguments: Any) -> Any:
    """Call *app*, which may be any object, inside of a task."""
    try:
        return await app(*arguments)
    except SystemExit as exc:  # it would end the event loop
        raise ExitError(f"the app ended the process, with {exc.code!r}") from exc


async def _answer(
    task: asyncio.Future[Any], outbox: asyncio.Queue[dict[str, Any]], seconds: float
) -> dict[str, Any] | None:
    """Return the app's next message; None where it ends without one: it has no lifespan."""
    message = asyncio.ensure_future(outbox.get())
    await asyncio.wait([task, message], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if not outbox.empty() or message.done():
        return await message
    message.cancel()
    if task.done():
        return None
    raise StartupError(
        f"its lifespan has not answered within {seconds:g} seconds; --timeout gives it longer"
    )


# -- the request -----------------------------------------------------------------------------------


async def _request(visited: Visit, state: dict[str, Any], seconds: float) -> None:
    visited.scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"user-agent", b"asgi-trace-doctor"),
            (b"accept", b"*/*"),
            (b"x-request-id", visited.request_id.encode()),
            (b"x-session-id", SESSION.encode()),
        ],
        "client": ("127.0.0.1", 50312),
        "server": ("127.0.0.1", 8000),
    }
    if visited.has_lifespan:
        visited.scope["state"] = state.copy()
    is_over = asyncio.Event()
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await is_over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            visited.status = message["status"]
            visited.headers = [*map(tuple, message.get("headers", ()))]
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            is_over.set()

    try:
        await asyncio.wait_for(_call(visited.app, visited.scope, receive, send), seconds)
    except asyncio.TimeoutError:
        part = "response" if visited.status is None else "end of the response"
        visited.fault = TimeoutError(f"no {part} within {seconds:g} seconds")
    except Exception as exc:
        visited.fault = exc
    finally:
        is_over.set()


# -- spans -----------------------------------------------------------------------------------------


def _count_spans(spans: list[str]) -> None:
    """Note in *spans* the library of each SERVER span, where OpenTelemetry's SDK is set up."""
    trace = sys.modules.get("opentelemetry.trace")
    provider = trace.get_tracer_provider() if trace is not None else None
    if not hasattr(provider, "add_span_processor"):
        return

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanKind

    class Counter(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            if span.kind is SpanKind.SERVER:
                spans.append(span.instrumentation_scope.name)

    provider.add_span_processor(Counter())  # type: ignore[union-attr]


# -- the shims that a request enters ---------------------------------------------------------------


@contextmanager
def _entries_of(entries: list[Entry]) -> Iterator[None]:
    """Note in *entries* each shim that a request enters inside the ``with`` block."""
    kind: Any = RequestTracingMiddleware
    before = kind.__call__
    serve: Callable[..., Awaitable[Any]] = serve_untouched

    @functools.wraps(serve)
    async def noted(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "http":
            entries.append(_entry(self))
        return await serve(self, scope, receive, send)

    kind.__call__ = noted
    try:
        yield
    finally:
        kind.__call__ = before


def _entry(shim: RequestTracingMiddleware) -> Entry:
    # noted(), and the frames of its callers: down to _request(), or to the first of a task.
    frames = [*_frames(sys._getframe(2))]
    outside = [name for name in map(_name_of, frames) if name]
    base = next((frame for frame in frames if frame.f_globals.get("__name__") == _BASE), None)
    behind = ""
    if base is not None:
        behind = type(base.f_locals.get("self")).__name__
    return Entry(shim, tuple(dict.fromkeys(reversed(outside))), behind)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module == __name__ or module.startswith("asyncio."):
            return
        if not module.startswith("asgi_trace."):
            yield frame
        frame = frame.f_back


def _name_of(frame: FrameType) -> str:
    owner = frame.f_locals.get("self")
    if owner is None:
        return frame.f_code.co_name
    return type(owner).__name__
