"""How a request ended is on its span, in the word of its access line."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.responses import StreamingResponse

from asgi_trace import RequestTracingMiddleware
from asgi_trace.otel import RequestSpans

from ..asgi import HELLO_BODY, HELLO_START, http_scope, websocket_scope
from ..serving import served

PART = {"type": "http.response.body", "body": b"a", "more_body": True}


async def well(receive: Any, send: Any) -> None:
    await send(HELLO_START)
    await send(HELLO_BODY)


async def crash(receive: Any, send: Any) -> None:
    raise LookupError("no such thing")


async def crash_after_all(receive: Any, send: Any) -> None:
    await well(receive, send)
    raise LookupError("no such thing")


class Panic(BaseException):
    """As pyo3 raises for a panic in Rust."""


async def panic(receive: Any, send: Any) -> None:
    raise Panic


async def cancelled(receive: Any, send: Any) -> None:
    await send(HELLO_START)
    raise asyncio.CancelledError


async def incomplete(receive: Any, send: Any) -> None:
    await send(HELLO_START)
    await send(PART)


async def silent(receive: Any, send: Any) -> None:
    return


async def disconnect(receive: Any, send: Any) -> None:
    await receive()
    await send(HELLO_START)


async def goes_on(receive: Any, send: Any) -> None:
    await receive()
    await well(receive, send)


async def broken_pipe(receive: Any, send: Any) -> None:
    await send(HELLO_START)
    await send({"type": "http.response.body", "body": b"gone"})


CASES: list[tuple[Callable[..., Any], str | None, int | None, str | None]] = [
    # the app, its outcome, its status, its error
    (well, None, 200, None),
    (crash, "crash", 500, "LookupError"),
    (crash_after_all, None, 200, "LookupError"),
    (panic, "crash", 500, f"{__name__}.Panic"),
    (cancelled, "cancelled", 200, None),
    (incomplete, "incomplete", 200, "incomplete"),
    (silent, "incomplete", None, "incomplete"),
    (disconnect, "disconnect", 200, None),
    (goes_on, "disconnect", 200, None),
    (broken_pipe, "disconnect", 200, None),
]


def exporting() -> tuple[TracerProvider, InMemorySpanExporter]:
    """Return a provider, and the exporter that keeps its ended spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


@pytest.mark.parametrize(("behave", "outcome", "status", "error"), CASES)
@pytest.mark.parametrize("is_outside", [False, True])
def test_a_span_has_the_outcome_of_its_access_line(
    behave: Any,
    outcome: str | None,
    status: int | None,
    error: str | None,
    is_outside: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also a span that was made around the shim."""
    provider, exporter = exporting()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await behave(receive, send)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body") == b"gone":
            raise ConnectionResetError

    traced = RequestTracingMiddleware(
        RequestSpans(app, tracer_provider=provider), access_log=True, error_response=False
    )

    async def serve() -> None:
        if not is_outside:
            await traced(http_scope(), receive, send)
            return
        with provider.get_tracer("around").start_as_current_span("GET", kind=SpanKind.SERVER):
            await traced(http_scope(), receive, send)

    async def main() -> None:
        with suppress(LookupError, Panic, asyncio.CancelledError, ConnectionResetError):
            await serve()

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    (line,) = [record for record in caplog.records if record.name == "asgi_trace.access"]
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes.get("asgi_trace.outcome") == outcome == getattr(line, "outcome", None)
    if not is_outside:
        assert attributes.get("http.response.status_code") == status
        assert attributes.get("error.type") == error
        assert span.status.is_ok is (error is None)


def test_a_websocket_that_ends_has_no_outcome() -> None:
    """It is complete when its app returns."""
    provider, exporter = exporting()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def nothing(*_: Any) -> None: ...

    traced = RequestTracingMiddleware(RequestSpans(app, tracer_provider=provider))
    asyncio.run(traced(websocket_scope(), nothing, nothing))
    (span,) = exporter.get_finished_spans()
    assert "asgi_trace.outcome" not in (span.attributes or {})


@pytest.mark.parametrize(
    ("messages", "outcome", "error"),
    [
        (("websocket.accept", "receive", "raise"), "disconnect", None),
        (("websocket.accept", "receive"), None, None),
        (("websocket.accept", "websocket.close", "receive", "raise"), "crash", "LookupError"),
        (("websocket.close", "receive", "raise"), "disconnect", None),
        (("websocket.accept", "raise"), "crash", "LookupError"),
    ],
)
def test_a_websocket_whose_client_leaves_has_not_crashed(
    messages: tuple[str, ...],
    outcome: str | None,
    error: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A loop of Starlette's receive_text() ends by an exception whenever a client leaves."""
    provider, exporter = exporting()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            if message == "raise":
                raise LookupError
            await (receive() if message == "receive" else send({"type": message}))

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Any) -> None: ...

    traced = RequestTracingMiddleware(
        RequestSpans(app, tracer_provider=provider), access_log=True, error_response=False
    )
    with caplog.at_level(logging.INFO), suppress(LookupError):
        asyncio.run(traced(websocket_scope(), receive, send))
    (line,) = [record for record in caplog.records if record.name == "asgi_trace.access"]
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes.get("asgi_trace.outcome") == outcome == getattr(line, "outcome", None)
    assert attributes.get("error.type") == error


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_whole_stream_on_a_connection_that_closes_has_no_outcome(
    connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    hypercorn closes the connection while it sends the last message, and reports a disconnect;
    Starlette then cancels that send.
    """
    provider, exporter = exporting()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        yield b"last"

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(chunks())(scope, receive, send)

    async def fetch(listener: socket.socket) -> bytes:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %b\r\n\r\n" % connection.encode())
        answer = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        return answer

    async def main() -> bytes:
        traced = RequestTracingMiddleware(
            RequestSpans(stream, tracer_provider=provider), access_log=True
        )
        done = asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        config = Config()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        serving = asyncio.create_task(
            hypercorn_serve(traced, config, shutdown_trigger=done.wait, mode="asgi")
        )
        try:
            return await fetch(listener)
        finally:
            done.set()
            await serving
            listener.close()

    with caplog.at_level(logging.INFO):
        assert b"last" in asyncio.run(main())
    (line,) = [record for record in caplog.records if record.name == "asgi_trace.access"]
    (span,) = exporter.get_finished_spans()
    assert getattr(line, "outcome", None) is None
    assert "asgi_trace.outcome" not in (span.attributes or {})


def test_a_client_that_leaves_before_it_has_read_the_last_message_is_a_disconnect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """uvicorn sends the last message once the client has read the large one before it."""
    provider, exporter = exporting()

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(50_000_000)

    is_at_last = threading.Event()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.body" and not message["more_body"]:
                is_at_last.set()
            await send(message)

        await StreamingResponse(chunks())(scope, receive, noting)

    traced = RequestTracingMiddleware(
        RequestSpans(stream, tracer_provider=provider), access_log=True
    )
    with (
        caplog.at_level(logging.INFO),
        served(traced) as port,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000)
        assert is_at_last.wait(60)
        client.close()
    (line,) = [record for record in caplog.records if record.name == "asgi_trace.access"]
    (span,) = exporter.get_finished_spans()
    assert getattr(line, "outcome", None) == "disconnect"
    assert (span.attributes or {})["asgi_trace.outcome"] == "disconnect"
