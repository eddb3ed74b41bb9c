"""
Two clients who talk to one server at the same time, over loopback, and what each side has seen of
it.

Knows uvicorn, the clients' own HTTP hooks and our log lines. Does not know the SDKs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_trace import RequestTracingMiddleware, TextFormatter
from asgi_trace._core.lines import parse
from asgi_trace._core.record import Record

from .modes import Mode
from .sdk import sdk

# Seconds, for a machine that has much else to do.
PATIENCE = 60

# Of each HTTP client: without TLS there is nothing to verify, and no list of authorities to load.
HTTP: dict[str, Any] = {"timeout": PATIENCE, "trust_env": False, "verify": False}


def outermost(app: Any, **options: Any) -> Any:
    return RequestTracingMiddleware(app, **options)


def added(app: Any, **options: Any) -> Any:
    app.add_middleware(RequestTracingMiddleware, **options)
    return app


def mounted(app: Any, **options: Any) -> Any:
    parent = Starlette(
        routes=[Mount("/sub", app)], lifespan=lambda _: app.router.lifespan_context(app)
    )
    return RequestTracingMiddleware(parent, **options)


WRAPPINGS: dict[Callable[..., Any], str] = {outermost: "", added: "", mounted: "/sub"}


class Lines(logging.Handler):
    """All that is logged, as lines of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(TextFormatter(session_length=None))
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.text.append(self.format(record))

    @property
    def records(self) -> list[Record]:
        return [record for record in map(parse, self.text) if record is not None]

    def of(self, message: str) -> Record:
        """The one record with this *message*."""
        found = [record for record in self.records if record.message.partition("\n")[0] == message]
        assert len(found) == 1, (
            f"expected one line {message!r}, found {len(found)} in:\n" + "\n".join(self.text)
        )
        return found[0]


class Post(NamedTuple):
    """What a client knows of a message that it has posted: from its HTTP library."""

    request_id: str
    session_id: str | None
    message: dict[str, Any]

    @property
    def call(self) -> tuple[str, str, str]:
        params = self.message.get("params") or {}
        return (
            self.message["method"],
            params.get("name") or params.get("uri") or "",
            str(self.message.get("id", "")),
        )


class Caller:
    """One client."""

    def __init__(self, name: str, mode: Mode, headers: dict[str, str]) -> None:
        self.name = name
        # Where the transport has no session, a client may name one.
        self._headers = headers | ({} if mode.has_session else {"X-Session-ID": name})
        self.posts: list[Post] = []

    def http_client(self, headers: dict[str, str] | None = None, **_: Any) -> Any:
        headers = self._headers | (headers or {})
        hooks = {"response": [self._note]}
        return sdk.http.AsyncClient(headers=headers, event_hooks=hooks, **HTTP)

    async def _note(self, response: Any) -> None:
        if response.request.method == "POST":
            request = response.request
            session_id = request.headers.get("x-session-id") or request.headers.get(
                "mcp-session-id"
            )
            session_id = (
                session_id
                or request.url.params.get("session_id")
                or response.headers.get("mcp-session-id")
            )
            self.posts.append(
                Post(response.headers["x-request-id"], session_id, json.loads(request.content))
            )

    def post(self, marker: str) -> Post:
        """The one post that carried *marker*."""
        found = [post for post in self.posts if marker in json.dumps(post.message)]
        assert len(found) == 1, f"expected one post with {marker!r}, found {found}"
        return found[0]


@asynccontextmanager
async def serving(app: Any, lifespan: str = "on") -> AsyncIterator[str]:
    """Serve *app*, and yield its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # A client that the machine held up must not find its connection closed.
        patient = {"timeout_keep_alive": PATIENCE, "timeout_graceful_shutdown": 5}
        config = uvicorn.Config(app, log_config=None, lifespan=lifespan, **patient)  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not task.done(), task
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class Conversation(NamedTuple):
    callers: list[Caller]
    lines: Lines


async def converse(
    mode: Mode,
    talk: Callable[[Caller, Any], Any],
    wrap: Callable[..., Any] = outermost,
    names: tuple[str, ...] = ("alice", "bob"),
    server: Any = None,
    headers: dict[str, str] | None = None,
    lines: Lines | None = None,
    **options: Any,
) -> Conversation:
    """
    Let a client for each of *names* *talk* to a server at once, and return what they and the log
    have seen.
    """
    lines = lines or Lines()
    callers = [Caller(name, mode, headers or {}) for name in names]
    app = wrap(sdk.app(mode, server), **options)
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    root.handlers[:] = [lines]  # an SDK's constructor may have called basicConfig()
    root.setLevel(logging.INFO)
    try:
        async with (
            asyncio.timeout(PATIENCE) if hasattr(asyncio, "timeout") else _no_timeout(),
            serving(app) as address,
        ):
            url = f"{address}{WRAPPINGS[wrap]}/{'sse' if mode.is_legacy_sse else 'mcp'}"

            async def run(caller: Caller) -> None:
                async with sdk.connect(url, mode, caller.http_client) as session:
                    await talk(caller, session)

            await asyncio.gather(*map(run, callers))
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
    return Conversation(callers, lines)


@asynccontextmanager
async def _no_timeout() -> AsyncIterator[None]:
    yield
