"""``OutgoingHooks(log=True)``: each client calls a real server, and its lines are looked at."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

from asgi_trace import (
    OutgoingHooks,
    RequestTracingMiddleware,
    bound_carrier,
    bound_request_metadata,
    get_request_metadata,
)
from asgi_trace._core.access_lines import parse_outgoing
from asgi_trace._outgoing import call_lines

from ...asgi import http_scope, step
from ...serving import reserved_port
from .test_outgoing import (
    CLIENTS,
    HTTPX,
    INBOUND,
    OURS,
    THEIRS,
    Broken,
    Server,
    every_client,
    running,
    server,
)

__all__ = ("running", "server")

HOOKS = OutgoingHooks(log=True)


class Lines(logging.Handler):
    """Keeps what the records of calls have, and checks it against their messages."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []
        self.requests: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = parse_outgoing(record.getMessage())
        assert fields is not None, record.getMessage()
        attributes = vars(record)
        assert fields == {name: attributes[name] for name in fields}
        assert {"status", "error", "call_span_id"} & attributes.keys() <= fields.keys()
        self.calls.append(fields)
        self.requests.append(get_request_metadata())

    def told(self, *names: str) -> list[list[Any]]:
        return [[call.get(name) for name in names] for call in self.calls]


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger, handler = logging.getLogger("asgi_trace.calls"), Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


@every_client
def test_each_call_has_one_line(server: Server, lines: Lines, client: str) -> None:
    """A redirect is a call of its own; the span on the line is the one that was sent."""
    with bound_carrier(INBOUND) as request:
        CLIENTS[client](HOOKS, server.url(OURS, THEIRS), {})
        assert set(lines.requests) == {request}
    ours, theirs = f"{OURS}:{server.port}", f"{THEIRS}:{server.port}"
    assert lines.told("method", "host", "status", "attempt") == [
        ["GET", ours, 307, 1],
        ["GET", theirs, 200, 2],
    ]
    sent = [dict(received)["traceparent"][36:52] for received in server.received]
    assert [call["call_span_id"] for call in lines.calls] == sent
    assert all(call["duration_ms"] > 0 for call in lines.calls)


@every_client
def test_a_call_that_fails_has_its_error(lines: Lines, client: str) -> None:
    """Without the message of the error, and without the secrets of the URL."""
    with reserved_port() as port, bound_carrier(INBOUND), suppress(Exception):
        url = f"http://{OURS}:{port}/reset/tok3n-hunter2?token=hunter2&page=2"
        CLIENTS[client](HOOKS, url, {})
    (call,) = lines.calls
    assert re.fullmatch(r"\w+Error", call["error"])
    assert (call["host"], call["path"]) == (f"{OURS}:{port}", "/reset/***?token=***&page=2")
    assert "status" not in call


def test_a_user_in_a_url_is_not_on_the_line(server: Server, lines: Lines) -> None:
    CLIENTS["httpx"](HOOKS, f"http://hunter:2@{OURS}:{server.port}", {})
    assert lines.told("host", "path") == [[f"{OURS}:{server.port}", "/"]]


def test_the_masks_are_those_of_the_shim(server: Server, lines: Lines) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        CLIENTS["requests"](HOOKS, f"http://{OURS}:{server.port}/?promo=p9q8", {})

    step(RequestTracingMiddleware(app, mask=["promo"]), http_scope())
    assert lines.told("path")[0] == ["/?promo=***"]


@every_client
def test_outside_a_request_a_call_has_a_line_and_no_span(
    server: Server, lines: Lines, client: str
) -> None:
    CLIENTS[client](HOOKS, server.url(OURS), {})
    assert lines.told("status", "attempt", "call_span_id") == [[200, 1, None]]
    assert "traceparent" not in dict(server.received[0])


@every_client
def test_without_the_option_there_is_no_line(server: Server, lines: Lines, client: str) -> None:
    with bound_carrier(INBOUND):
        CLIENTS[client](OutgoingHooks(), server.url(OURS), {})
    assert lines.calls == []


@every_client
def test_a_fault_of_ours_costs_no_call(server: Server, lines: Lines, client: str) -> None:
    """Neither one in the request, nor one in a handler."""

    def fail(record: logging.LogRecord) -> None:
        raise RuntimeError("no room")

    lines.emit = fail  # type: ignore[method-assign]
    CLIENTS[client](HOOKS, server.url(OURS), {})
    with bound_request_metadata(Broken()):
        CLIENTS[client](HOOKS, server.url(OURS), {})
    assert len(server.received) == 2


def by_requests(url: str, retries: int) -> None:
    retry = urllib3.Retry(retries, status_forcelist=[200], raise_on_status=False)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HOOKS.requests_adapter(max_retries=retry))
        session.get(url, timeout=60)


def by_urllib3(url: str, retries: int) -> None:
    retry = urllib3.Retry(retries, status_forcelist=[200], raise_on_status=False)
    with HOOKS.urllib3_pool_manager(timeout=60) as pool:
        pool.request("GET", url, retries=retry)


@pytest.mark.parametrize("by", [by_requests, by_urllib3])
def test_the_last_attempt_is_on_the_line(
    server: Server, lines: Lines, by: Callable[[str, int], None]
) -> None:
    """These clients try again within one call."""
    by(server.url(OURS), 2)
    assert lines.told("status", "attempt") == [[200, 3]]


class SendsTwice(httpx.HTTPTransport):
    """Sends a request again, as the transports of httpx-retries and of pydantic-ai do."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with suppress(httpx.ConnectError):
            super().handle_request(request).read()
        return super().handle_request(request)


@pytest.mark.parametrize("transport", [httpx.HTTPTransport(retries=1), SendsTwice()])
def test_each_failed_attempt_of_httpx_has_a_line(
    lines: Lines, transport: httpx.HTTPTransport
) -> None:
    """Its transport reports each of them."""
    events = {"request": [HOOKS.httpx_request_hook]}
    with (
        reserved_port() as port,
        httpx.Client(event_hooks=events, transport=transport) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get(f"http://{OURS}:{port}")
    assert lines.told("error", "attempt") == [["ConnectError", 1], ["ConnectError", 2]]


def test_each_answer_to_a_retrying_transport_has_a_line(server: Server, lines: Lines) -> None:
    """The last line has the status that the caller of httpx gets."""
    server.answers = [503]
    events = {"request": [HOOKS.httpx_request_hook]}
    with httpx.Client(event_hooks=events, transport=SendsTwice()) as client:
        response = client.get(server.url(OURS))
    assert response.status_code == 200
    assert lines.told("status", "error", "attempt") == [[503, None, 1], [200, None, 2]]


def test_a_call_without_a_reported_end_has_a_line_with_the_next_call(lines: Lines) -> None:
    """Other transports of httpx report nothing."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(200))
    events = {"request": [HOOKS.httpx_request_hook]}
    with httpx.Client(event_hooks=events, transport=transport) as client:
        with bound_carrier(INBOUND) as request:
            client.get("http://shop.test/1")
        gc.collect()
        client.get("http://shop.test/2")
        assert lines.told("path", "status", "error") == [["/1", None, None]]
        assert lines.requests == [request]
    gc.collect()
    call_lines._write_lost()


@pytest.mark.parametrize("client", ["async httpx", "aiohttp"])
def test_a_cancelled_call_has_a_line(lines: Lines, client: str) -> None:
    async def call(url: str) -> None:
        if client == "aiohttp":
            configs = [HOOKS.aiohttp_trace_config()]
            async with aiohttp.ClientSession(trace_configs=configs) as session:
                await session.get(url)
        else:
            events = {"request": [HOOKS.httpx_async_request_hook]}
            async with httpx.AsyncClient(event_hooks=events, **HTTPX) as other:
                await other.get(url)

    async def main() -> None:
        asked = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()  # httpx reports nothing of a call that it has not begun to send
            asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(600)
            writer.close()

        async with await asyncio.start_server(hang, OURS, 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            task = asyncio.create_task(call(f"http://{OURS}:{port}/"))
            await asyncio.wait_for(asked.wait(), 60)
            task.cancel()
            await asyncio.wait([task])
            for each in asyncio.all_tasks() - {asyncio.current_task()}:
                each.cancel()
                await asyncio.wait([each])

    asyncio.run(main())
    assert lines.told("error", "status") == [["CancelledError", None]]
