"""
Typed code of a user: the README's examples with types. Type checkers read it; it is never run.

Each ``assert_type`` states what an editor shows for an attribute or a call.
"""

# pyright: strict

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx
import structlog
from fastapi import FastAPI
from loguru import logger as loguru_logger
from mcp import Client
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from typing_extensions import assert_type

from asgi_trace import (
    ContextThreadPoolExecutor,
    JSONFormatter,
    LogfmtFormatter,
    OutgoingHooks,
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TextFormatter,
    TraceContext,
    bound_carrier,
    bound_request_metadata,
    carrier,
    configure_logging,
    extract,
    generate_request_id,
    get_request_id,
    get_request_metadata,
    get_session_id,
    get_trace_context,
    httpx_async_request_hook,
    httpx_request_hook,
    inject,
    keep_ids_in_threads,
    request_id_ctx,
    reset_request_metadata,
    session_id_ctx,
    set_request_metadata,
    with_context,
)
from asgi_trace.loggers import loguru_patcher, structlog_processor
from asgi_trace.mcp import outgoing_meta, request_hook, trace_messages, trace_server
from asgi_trace.otel import RequestLogHandler, RequestSpans, configure_opentelemetry

# -- the shim ------------------------------------------------------------------------------------

queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
log = logging.getLogger("shop")


async def ship() -> None:
    while True:
        ids = await queue.get()
        with bound_carrier(ids) as job:
            assert_type(job, RequestMetadata | None)
            log.info("Shipping")


@asynccontextmanager
async def worker(app: FastAPI) -> AsyncGenerator[None, None]:
    task = asyncio.create_task(ship())
    yield
    task.cancel()


api = FastAPI(lifespan=worker)


@api.post("/api/payment")
async def payment() -> dict[str, bool]:
    await asyncio.to_thread(log.info, "Validating payment")
    queue.put_nowait(carrier())
    return {"paid": True}


api.add_middleware(RequestTracingMiddleware)
api.add_middleware(
    RequestTracingMiddleware, header_name="X-Trace", access_log=True, exclude=("/health",)
)
starlette_app = Starlette(
    middleware=[Middleware(RequestTracingMiddleware, trust_inbound=("10.0.0.0/8", "unix"))]
)

app = RequestTracingMiddleware(api)
app = RequestTracingMiddleware(
    starlette_app,
    session_sources=["header:X-Session-ID", "cookie:shop"],
    digest_key="key",
    generator=generate_request_id,
    validator=str.isalnum,
    session_response_header="X-Session-ID",
)


async def bare(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


app = RequestTracingMiddleware(bare)
app = RequestTracingMiddleware(RequestSpans(bare))
configure_opentelemetry()

# -- logging -------------------------------------------------------------------------------------

configure_logging()
configure_logging(
    logging.DEBUG, formatter=TextFormatter(session_length=None, precise=True, color=False)
)
configure_logging("INFO", formatter=JSONFormatter())
configure_logging(formatter=LogfmtFormatter())

handler = logging.StreamHandler()
handler.addFilter(RequestTracingFilter(session_length=8))
handler.setFormatter(TextFormatter())
exporting = RequestLogHandler(handler)

structlog.configure(
    processors=[
        structlog_processor,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
)
loguru_logger.configure(patcher=loguru_patcher)

# -- the ids -------------------------------------------------------------------------------------


def charge(amount: int) -> dict[str, int | str | None]:
    assert_type(get_request_id(), str | None)
    assert_type(get_session_id(), str | None)
    assert_type(get_trace_context(), TraceContext | None)
    return {"amount": amount, "idempotency_key": get_request_id(), "customer": get_session_id()}


def sign_in(user: str, tenant: str) -> None:
    metadata = get_request_metadata()
    assert_type(metadata, RequestMetadata | None)
    if metadata is not None:
        metadata.session_id = user
        metadata.fields["tenant"] = tenant
        metadata.fields.update(plan="free", seats=5)


def read(metadata: RequestMetadata) -> None:
    assert_type(metadata.session_id, str | None)
    assert_type(metadata.request_id, str | None)
    assert_type(metadata.parent_request_id, str | None)
    assert_type(metadata.start_time, float)
    assert_type(metadata.method, str | None)
    assert_type(metadata.path, str | None)
    assert_type(metadata.transport_type, str | None)
    assert_type(metadata.ended, bool)
    assert_type(metadata.fields, dict[str, object])
    assert_type(metadata.trace, TraceContext)
    assert_type(metadata.trace_id, str)
    assert_type(metadata.span_id, str)
    assert_type(metadata.parent_span_id, str | None)
    assert_type(metadata.tracestate, str)
    assert_type(metadata.baggage, str)
    assert_type(metadata.linked_trace, TraceContext | None)
    assert_type(metadata.mcp_method, str | None)
    assert_type(metadata.mcp_name, str | None)
    assert_type(metadata.jsonrpc_id, str | None)
    assert_type(metadata.mcp_session_id, str | None)
    assert_type(metadata.mcp_error, str | None)
    assert_type(metadata.mcp_call, str | None)


def assign(metadata: RequestMetadata) -> None:
    metadata.session_id = "bob"
    metadata.session_id = None
    metadata.request_id = "job-42"
    metadata.request_id = None
    metadata.parent_request_id = None
    metadata.transport_type = "http"
    metadata.trace = TraceContext("c" * 32, "d" * 16, 1)
    metadata.trace = metadata.trace._replace(span_id="e" * 16)
    metadata.tracestate = "rojo=1"
    metadata.baggage = ""
    metadata.linked_trace = None
    metadata.fields = {"tenant": "acme"}
    metadata.mcp_method = "tools/call"
    metadata.mcp_session_id = None
    metadata.mcp_error = "tool_error"


with bound_request_metadata(RequestMetadata(session_id="nightly", request_id="job-42")) as nightly:
    assert_type(nightly, RequestMetadata | None)
    charge(5)

token = session_id_ctx.set("bob")
assert_type(session_id_ctx.get(), str | None)
session_id_ctx.reset(token)
assert_type(request_id_ctx.get("none"), str | None)

# -- threads -------------------------------------------------------------------------------------

with ContextThreadPoolExecutor(max_workers=1) as pool:
    assert_type(pool.submit(charge, 5).result(), dict[str, int | str | None])
undo = keep_ids_in_threads()
with ThreadPoolExecutor(1) as threads:
    threads.submit(with_context(charge), 5)
undo()


@with_context
def double(amount: int) -> int:
    return 2 * amount


assert_type(double(5), int)

# -- calls and jobs ------------------------------------------------------------------------------

client = httpx.Client(event_hooks={"request": [httpx_request_hook]})
async_client = httpx.AsyncClient(event_hooks={"request": [httpx_async_request_hook]})
hooks = OutgoingHooks(trusted_hosts=["stock.internal", "*.example.com"])
client = httpx.Client(event_hooks={"request": [hooks.httpx_request_hook]})
assert_type(inject({"Accept": "*/*"}), dict[str, str])
inject([(b"accept", b"*/*")], session=True)
assert_type(carrier(), dict[str, str])
ids = set_request_metadata(extract({"x-request-id": "a1b2c3d4"}))
reset_request_metadata(ids)

# -- MCP -----------------------------------------------------------------------------------------

warehouse = MCPServer("warehouse", middleware=[trace_messages])
shop = trace_server(MCPServer("shop"))
assert_type(shop, MCPServer[Any])
session = Client(warehouse)


@shop.tool()
async def order(item: str) -> str:
    await session.call_tool("reserve", {"item": item}, meta=outgoing_meta())
    trace = get_trace_context()
    return "" if trace is None else trace.trace_id


mcp_client = httpx.AsyncClient(
    event_hooks={"request": [request_hook(trusted_hosts=["stock.internal"])]}
)
app = RequestTracingMiddleware(shop.streamable_http_app(), observe_body=True)
