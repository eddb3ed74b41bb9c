"""
A shop whose requests are spans: FastAPI, the real API of OpenTelemetry in its handlers, and the SDK
by its variables.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, WebSocket
from opentelemetry import baggage, trace

from asgi_trace import JSONFormatter, RequestTracingMiddleware, configure_logging, inject
from asgi_trace.otel import RequestSpans, configure_opentelemetry

log = logging.getLogger("shop")
tracer = trace.get_tracer("shop")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    log.info("startup")
    yield
    log.info("shutdown")


# FastAPI makes spans of its own, unless it is told not to.
INSTRUMENTED = os.environ.get("INSTRUMENTED", "")
api = FastAPI(lifespan=lifespan, telemetry={"tracing": INSTRUMENTED == "fastapi"})


@api.get("/work/{marker}")
async def work(marker: str) -> None:
    log.info("%s ends", marker)


def step(name: str) -> None:
    with tracer.start_as_current_span(name):
        log.info("in %s", name)


@api.get("/items/{item}")
async def item(item: str) -> dict[str, object]:
    log.info("item %s", item)
    step("handler")

    async def task() -> None:
        step("task")

    await asyncio.create_task(task())
    await asyncio.to_thread(step, "thread")
    return {"outgoing": inject({}), "baggage": dict(baggage.get_all())}


@api.get("/crash")
async def crash() -> None:
    log.warning("about to crash")
    raise LookupError("no such \udcff thing")


@api.get("/busy")
async def busy() -> None:
    raise HTTPException(503)


@api.websocket("/rooms/{room}")
async def room(socket: WebSocket, room: str) -> None:
    await socket.accept()
    step("room")
    await socket.send_text(room)
    await socket.close()


configure_logging(formatter=JSONFormatter())
configure_opentelemetry()

if INSTRUMENTED == "inside":
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(api)

app = RequestTracingMiddleware(RequestSpans(api))

if INSTRUMENTED == "outside":
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    app = OpenTelemetryMiddleware(app)
