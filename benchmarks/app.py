"""
What would it cost me? One app, bare against wrapped, in-process and through a real uvicorn.

Knows uvicorn, and how to tell a difference from noise. Both apps are the same object in the same
server, which switches between them round by round: they share its lifespan, its connections and its
luck.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import math
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string

from asgi_trace import RequestTracingMiddleware

from .measure import MeasureError
from .traffic import BROWSER_HEADERS, App, Message, Receive, Scope, Send, header_list

__all__ = ("compare",)

_PATIENCE = 30.0
"""Seconds for one response."""

# Short rounds, so that what disturbs one disturbs its neighbours alike.
_ROUND_SECONDS = 0.005
_FEWEST_ROUNDS = 8


class _Switch:
    """An app that is the bare one or the wrapped one, as ``current`` says."""

    def __init__(self, app: App) -> None:
        self.bare = app
        self.traced: App = RequestTracingMiddleware(app)
        self.current = app
        self.state: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.state = scope.get("state", {})
        await self.current(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()


class _Difference(NamedTuple):
    """
    The median of paired differences, and how far off it may be: half of its 95 % confidence
    interval.
    """

    median: float
    noise: float

    def __str__(self) -> str:
        return f"{self.median:+.2f} ± {self.noise:.2f} µs"


class _Comparison(NamedTuple):
    name: str
    bare: float
    added: _Difference
    control: _Difference


def compare(target: str, path: str, seconds: float) -> int:
    """
    Print what tracing adds to GET *path* of the app *target*, ``module:attribute``; takes thrice
    the *seconds*.
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
        comparisons = [
            _compare("in-process", switch, inside, time.perf_counter, seconds),
            _compare("uvicorn, round trip", switch, through, time.perf_counter, seconds),
        ]
        if hasattr(time, "pthread_getcpuclockid") and thread.ident is not None:
            clock = functools.partial(time.clock_gettime, time.pthread_getcpuclockid(thread.ident))
            comparisons.append(
                _compare("uvicorn, its processor time", switch, through, clock, seconds)
            )
        client.close()
    _show(comparisons)
    return 0


def _show(comparisons: Sequence[_Comparison]) -> None:
    for name, bare, added, control in comparisons:
        told = "" if abs(added.median) > added.noise + abs(control.median) else ", which is noise"
        print(f"{name}: {bare:.1f} µs bare; {added} ({added.median / bare:+.1%}) traced{told}")
        print(f"{' ' * len(name)}  {control} for the bare app against itself")
    print("± holds in 95 of 100 runs. The middleware alone: the app logs as it always does.")


@contextlib.contextmanager
def _serving(app: App) -> Iterator[tuple[_Server, threading.Thread, tuple[str, int]]]:
    """Run uvicorn in a thread, its lifespan too, for as long as the block takes."""
    listener = socket.create_server(("127.0.0.1", 0))
    # The connection idles while the app is measured in-process.
    config = uvicorn.Config(
        app, log_config=None, access_log=False, interface="asgi3", timeout_keep_alive=3600
    )
    server = _Server(config)

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
    # the first is the host's, which the client knows better
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
    server: _Server, switch: _Switch, address: tuple[str, int], path: str
) -> Callable[[int], object]:
    """
    Return a function that serves so many requests in the server's loop, as tasks, without its
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


def _compare(
    name: str,
    switch: _Switch,
    requests: Callable[[int], object],
    clock: Callable[[], float],
    seconds: float,
) -> _Comparison:
    """
    Serve rounds of *requests*: bare, traced, and bare once more to see what noise alone makes.
    """
    count = _calibrate(requests)
    apps = (switch.bare, switch.traced, switch.bare)
    rounds: list[list[float]] = []
    deadline = time.perf_counter() + seconds
    while len(rounds) < _FEWEST_ROUNDS or time.perf_counter() < deadline:
        took = [0.0] * len(apps)
        for turn in range(len(apps)):
            which = (turn + len(rounds)) % len(apps)
            switch.current = apps[which]
            start = clock()
            requests(count)
            took[which] = (clock() - start) / count * 1e6
        rounds.append(took)
    return _Comparison(
        name,
        statistics.median((first + second) / 2 for first, _, second in rounds),
        _difference([traced - (first + second) / 2 for first, traced, second in rounds]),
        _difference([second - first for first, _, second in rounds]),
    )


def _calibrate(requests: Callable[[int], object]) -> int:
    """Return how many requests make a round; finding that out also warms everything up."""
    count = 1
    while True:
        start = time.perf_counter()
        requests(count)
        if time.perf_counter() - start >= _ROUND_SECONDS:
            return count
        count *= 2


def _difference(paired: Sequence[float]) -> _Difference:
    # The interval of the median by order statistics: half the rounds and one standard deviation of
    # a coin's, twice.
    ordered = sorted(paired)
    reach = 0.98 * math.sqrt(len(ordered))
    low = ordered[max(math.floor(len(ordered) / 2 - reach), 0)]
    high = ordered[min(math.ceil(len(ordered) / 2 + reach), len(ordered) - 1)]
    return _Difference(statistics.median(ordered), (high - low) / 2)
