"""
The demo: a small shop and its warehouse, each on a uvicorn of its own, two customers at once, and
their lines by request.

This module uses the public API and uvicorn. Nothing else imports it.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from .._core.middleware import RequestTracingMiddleware
from .._logging.formatters import TextFormatter
from .._logging.setup import configure_logging
from .._outgoing.propagation import inject
from .view.command import tell_page

__all__ = ("run", "shop")

# Generic to type checkers, and at run time from Python 3.11 on.
if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler

_log = logging.getLogger("shop")
_warehouse_log = logging.getLogger("warehouse")

# The warehouse runs in a thread of its own: the thread's name identifies its lines.
_WAREHOUSE = "warehouse"

_GATEWAY_SECONDS = 1.0
_START_SECONDS = 20
_CLIENT_SECONDS = 30


async def _payment() -> str:
    _log.info("Processing payment")
    await asyncio.to_thread(_check_card)
    await asyncio.gather(*(asyncio.create_task(_reserve(item)) for item in ("lamp", "bulb")))
    await _call_gateway()
    _log.info("Payment complete")
    return "paid"


def _check_card() -> None:
    _log.info("Validating payment, in a thread")


async def _reserve(item: str) -> None:
    _log.info("Reserving the %s, in a task", item)
    if _warehouse_ports:
        await asyncio.to_thread(_call_warehouse, _warehouse_ports[0], item)


def _call_warehouse(port: int, item: str) -> None:
    headers: dict[str, str] = {}
    inject(headers, session=True)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CLIENT_SECONDS)
    try:
        connection.request("POST", f"/reserve/{item}", headers=headers)
        connection.getresponse().read()
    finally:
        connection.close()


async def _call_gateway() -> None:
    gateway = asyncio.create_task(asyncio.sleep(_GATEWAY_SECONDS))
    done, _ = await asyncio.wait({gateway}, timeout=_GATEWAY_SECONDS / 2)
    if not done:
        _log.warning("Gateway slow")
    await gateway


async def _profile() -> str:
    _log.info("Loading profile")
    await asyncio.sleep(0.2)
    _log.info("Profile retrieved")
    return "Bob"


async def _status() -> str:
    _log.info("Status check")
    return "shipped"


async def _invoice() -> str:
    _log.info("Making the invoice")
    prices = {"lamp": 40}
    return f"{prices['bulb']} due"


_ROUTES = {
    ("POST", "/api/payment"): _payment,
    ("GET", "/api/profile"): _profile,
    ("GET", "/api/status"): _status,
    ("GET", "/api/invoice"): _invoice,
}


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError("the shop speaks HTTP")
    handler = _ROUTES.get((scope["method"], scope["path"]))
    await _answer(send, None if handler is None else await handler())


async def _store(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError("the warehouse speaks HTTP")
    item = scope["path"].removeprefix("/reserve/")
    if item not in _SHELVES:
        await _answer(send, None)
        return
    _warehouse_log.info("Looking for the %s", item)
    await asyncio.sleep(_SHELVES[item])
    _warehouse_log.info("Reserved the %s", item)
    await _answer(send, "reserved")


async def _answer(send: Any, content: str | None) -> None:
    """Send *content*, or 404."""
    body = "not found" if content is None else content
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send(
        {
            "type": "http.response.start",
            "status": 404 if content is None else 200,
            "headers": headers,
        }
    )
    await send({"type": "http.response.body", "body": body.encode()})


shop = RequestTracingMiddleware(_serve, access_log=True)
"""The demo's app, traced."""

_warehouse = RequestTracingMiddleware(_store, access_log=True)
# The seconds that the warehouse takes to find an item.
_SHELVES = {"lamp": 0.2, "bulb": 0.15}
# The port of the warehouse, while the demo runs.
_warehouse_ports: list[int] = []


@dataclass
class _Call:
    """One request of a customer, and its response."""

    customer: str
    session_id: str
    method: str
    path: str
    request_id: str | None = None  # sent, when given; else received
    status: int = 0

    def send(self, port: int) -> None:
        headers = {"X-Session-ID": self.session_id}
        if self.request_id:
            headers["X-Request-ID"] = self.request_id
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CLIENT_SECONDS)
        try:
            connection.request(self.method, self.path, headers=headers)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        self.status = response.status
        self.request_id = response.headers["X-Request-ID"]


class _Recorder(_StreamHandler):
    """Prints each line as it is written, and keeps it with the id of its request."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.lines: list[tuple[str, str]] = []
        # for the page, on which the story takes a second
        self.logs: dict[str, list[str]] = {"shop.log": [], "warehouse.log": []}
        self._precisely = TextFormatter(precise=True, session_length=None)

    def emit(self, record: logging.LogRecord) -> None:
        request_id = vars(record)["request_id"]
        self.lines += [(request_id, line) for line in self.format(record).split("\n")]
        log = "warehouse.log" if record.threadName == _WAREHOUSE else "shop.log"
        self.logs[log] += self._precisely.format(record).split("\n")
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        # A reader such as head has closed the pipe, or the disk is full: run() meets the same error,
        # and ends by it.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def run(stream: TextIO | None = None, output: str | None = None) -> int:
    """
    Print the demo on *stream* (default: standard output), and return the exit code.

    Its page is written to *output* (default: a temporary file).

    Alice pays and asks for the status, Bob reads his profile meanwhile, and one request crashes.
    The payment calls the warehouse.
    """
    out = stream or sys.stdout
    try:
        import uvicorn
    except ImportError:
        print("asgi-trace demo: it is served by uvicorn: pip install uvicorn", file=sys.stderr)
        return 2
    recorder = _Recorder(out)
    logging.getLogger().addHandler(recorder)
    configure_logging(logging.INFO)
    # its lines of starting and stopping belong to no request
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    calls = (
        _Call("Alice", "abc12345", "POST", "/api/payment", "req-001"),
        _Call("Bob", "def67890", "GET", "/api/profile", "req-002"),
        _Call("Alice", "abc12345", "GET", "/api/status", "req-003"),
        _Call("Bob", "def67890", "GET", "/api/invoice"),
    )
    print("Two customers at once. The log, as it is written:\n", file=out)
    quiet: dict[str, Any] = {"log_config": None, "lifespan": "off", "access_log": False}
    warehouse = uvicorn.Server(uvicorn.Config(_warehouse, **quiet))
    server = uvicorn.Server(uvicorn.Config(shop, **quiet))
    with _open_warehouse(warehouse), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        asyncio.run(_tell(server, listener, calls))
    for text in _grouped(calls, recorder.lines):
        print(text, file=out)
    out.flush()  # raises where the reader has enough, before there is a page
    if [call.status for call in calls] != [200, 200, 200, 500]:
        return 1
    return tell_page(recorder.logs, "Two customers at once", output, out)


@contextmanager
def _open_warehouse(server: Any) -> Iterator[None]:
    """Serve the warehouse, and give the shop its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # Calls before it has started wait in the queue of the socket.
        listener.listen()
        thread = threading.Thread(target=server.run, args=([listener],), name=_WAREHOUSE)
        thread.start()
        _warehouse_ports.append(listener.getsockname()[1])
        try:
            yield
        finally:
            _warehouse_ports.clear()
            server.should_exit = True
            thread.join()


async def _tell(server: Any, listener: socket.socket, calls: tuple[_Call, ...]) -> None:
    port = listener.getsockname()[1]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait_for(_until_started(server), _START_SECONDS)
        payment, profile, status, invoice = (asyncio.to_thread(call.send, port) for call in calls)
        await asyncio.gather(payment, profile)
        await asyncio.gather(status, invoice)
    finally:
        server.should_exit = True
        await serving


async def _until_started(server: Any) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)


def _grouped(calls: tuple[_Call, ...], lines: list[tuple[str, str]]) -> Iterator[str]:
    yield "\nThe same lines, by session and request:"
    for customer, session_id in dict.fromkeys((call.customer, call.session_id) for call in calls):
        yield f"\n{customer}, session {session_id}"
        for call in (call for call in calls if call.session_id == session_id):
            yield f"  {call.method} {call.path}: {call.status}, request {call.request_id}"
            yield from (
                f"    {line}" for request_id, line in lines if request_id == call.request_id
            )
    crashed = calls[-1]
    yield f"\n{crashed.customer} got a {crashed.status} with X-Request-ID: {crashed.request_id}."
    yield f"One grep for {crashed.request_id} finds all of it, each line of the traceback too."
