"""
The cost of tracing for one app: in process, through a real uvicorn, and with the app's own logging.

Without the logging, both apps are the same object in the same server, which switches between them round by round: they
share its lifespan and its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string

from asgi_trace import RequestTracingMiddleware

from .measure import MeasureError
from .paired import Comparison
from .paired import compare as compare_paired
from .served import Served, Server, served
from .traffic import BROWSER_HEADERS, App, Message, Receive, Scope, Send, header_list

__all__ = ("compare",)

_PATIENCE = 30.0
"""Seconds for one response."""


class _Switch:
    """An app that calls ``current``: the bare app or the wrapped one."""

    def __init__(self, app: App) -> None:
        self.bare = app
        self.traced: App = RequestTracingMiddleware(app)
        self.current = app
        self.state: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.state = scope.get("state", {})
        await self.current(scope, receive, send)


def compare(target: str, path: str, seconds: float) -> int:
    """
    Print the cost that tracing adds to GET *path* of the app *target*, ``module:attribute``; takes
    four times the *seconds*.
    """
    try:
        app = import_from_string(target)
    except ImportFromStringError as error:
        raise MeasureError(str(error)) from None
    switch = _Switch(app)
    with _serving(switch) as (server, thread, address):
        client = http.client.HTTPConnection(*address, timeout=_PATIENCE)
        status = _get(client, path)
        print(f"{target}, GET {path}: {status}")
        if status >= 400:
            print("an error: is --path right?")
        inside, through = _in_process(server, switch, address, path), _over_socket(client, path)
        _compare("in-process", switch, inside, time.perf_counter, seconds)
        _compare("uvicorn, round trip", switch, through, time.perf_counter, seconds)
        if hasattr(time, "pthread_getcpuclockid") and thread.ident is not None:
            clock = functools.partial(time.clock_gettime, time.pthread_getcpuclockid(thread.ident))
            _compare("uvicorn, its processor time", switch, through, clock, seconds)
        client.close()
    print(
        "This is the middleware alone: without a server's access lines, and with the app's own lines as they are."
    )
    _compare_logging(target, path, seconds)
    print("± holds in 95 of 100 runs.")
    return 0


def _compare(
    name: str,
    switch: _Switch,
    requests: Callable[[int], object],
    clock: Callable[[], float],
    seconds: float,
) -> None:
    def serve(app: App, count: int) -> float:
        switch.current = app
        start = clock()
        requests(count)
        return clock() - start

    bare, traced = (functools.partial(serve, app) for app in (switch.bare, switch.traced))
    _show(compare_paired(name, bare, traced, seconds), "bare", "traced")


def _compare_logging(target: str, path: str, seconds: float) -> None:
    """
    Compare the app's present logging, uvicorn's access lines included, with asgi_trace's lines.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways = []
        for is_traced in (False, True):
            log = folder / f"{is_traced}.log"
            ways.append(
                _Logged(stack.enter_context(served(target, log, is_traced=is_traced)), path)
            )
        today, traced = ways
        compared = compare_paired(
            "with its logging, uvicorn's processor time", today.serve, traced.serve, seconds
        )
        _show(
            compared,
            f"today, {today.lines():.1f} lines each",
            f"traced, {traced.lines():.1f} lines each",
        )


class _Logged:
    """The requests for *path* that one process serves, and the lines that it writes."""

    def __init__(self, server: Served, path: str) -> None:
        client = http.client.HTTPConnection(*server.address, timeout=_PATIENCE)
        self._requests = _over_socket(client, path)
        self._requests(1)
        self._server = server
        self._served = 0
        self._lines = server.count_lines()

    def serve(self, count: int) -> float:
        start = self._server.processor_time()
        self._requests(count)
        self._served += count
        return self._server.processor_time() - start

    def lines(self) -> float:
        """Return how many lines a request has."""
        return (self._server.count_lines() - self._lines) / self._served


def _show(compared: Comparison, plain: str, traced: str) -> None:
    added = f"{compared.added} ({compared.added.median / compared.plain:+.1%})"
    noise = ", which is noise" if compared.is_noise else ""
    print(f"{compared.name}: {compared.plain:.1f} µs {plain}; {added} {traced}{noise}")
    print(f"{' ' * len(compared.name)}  {compared.control} between rounds of the same")


@contextlib.contextmanager
def _serving(app: App) -> Iterator[tuple[Server, threading.Thread, tuple[str, int]]]:
    """Run uvicorn in a thread, its lifespan too, for as long as the block takes."""
    listener = socket.create_server(("127.0.0.1", 0))
    # The connection idles while the app is measured in-process.
    config = uvicorn.Config(
        app, log_config=None, access_log=False, interface="asgi3", timeout_keep_alive=3600
    )
    server = Server(config)

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            server.settled.set()

    thread = threading.Thread(target=run, name="uvicorn", daemon=True)
    thread.start()
    server.settled.wait()
    try:
        if not server.started:
            raise MeasureError("the app did not start; see what it logged")
        yield server, thread, listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        listener.close()


def _get(client: http.client.HTTPConnection, path: str) -> int:
    client.putrequest("GET", path, skip_accept_encoding=True)
    # without the first, Host, which the client sets itself
    for name, value in header_list(BROWSER_HEADERS[1:]):
        client.putheader(name.decode(), value)
    client.endheaders()
    try:
        response = client.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        raise MeasureError(
            f"GET {path}: {error!r}; expected a response that ends within {_PATIENCE:.0f} s"
        ) from None
    return response.status


def _in_process(
    server: Server, switch: _Switch, address: tuple[str, int], path: str
) -> Callable[[int], object]:
    """
    Return a function that serves a number of requests in the server's loop, as tasks, without its
    sockets.
    """
    path, _, query = path.partition("?")
    host = b"host: %s:%d" % (address[0].encode(), address[1])

    def make_scope() -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": address,
            "client": ("127.0.0.1", 54321),
            "scheme": "http",
            "root_path": "",
            "headers": header_list([host, *BROWSER_HEADERS[1:]]),
            "state": switch.state.copy(),
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
        }

    async def send(message: Message) -> None: ...

    async def serve(count: int) -> None:
        for _ in range(count):
            await asyncio.create_task(
                _as_coroutine(switch.current, make_scope(), _receiver(), send)
            )

    def requests(count: int) -> None:
        assert server.loop is not None
        served = asyncio.run_coroutine_threadsafe(serve(count), server.loop)
        try:
            served.result(_PATIENCE * count)
        except Exception as error:
            raise MeasureError(
                f"the app raised {error!r} in-process; expected a response"
            ) from error

    return requests


async def _as_coroutine(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _receiver() -> Receive:
    """Return a receive of an empty body, whose client then stays connected."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def _over_socket(client: http.client.HTTPConnection, path: str) -> Callable[[int], object]:
    def requests(count: int) -> None:
        for _ in range(count):
            _get(client, path)

    return requests
