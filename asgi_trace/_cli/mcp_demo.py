"""
The MCP demo: a shop and its warehouse, two customers at once, and the lines of both servers, by
request.

This module uses the public API, uvicorn and the MCP SDK (1 or 2). Nothing else imports it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, TextIO

from .._core.access_lines import ACCESS_LOGGER
from .._core.current import get_request_metadata
from .._core.lines import format_call, parse_line
from .._core.middleware import RequestTracingMiddleware
from .._logging.formatters import TextFormatter
from .._logging.setup import configure_logging
from ..mcp import outgoing_meta, request_hook, trace_server
from .environment import OTEL, LauncherError, read_otel
from .view.command import tell_page

__all__ = ("run",)

_log = logging.getLogger("shop")

_GATEWAY_SECONDS = 1.0
_START_SECONDS = 60
_CALL_SECONDS = 60
_STOP_SECONDS = 20

# Loggers without lines about the calls: starts and stops, each HTTP request, and the end of each
# stream of mcp 1.
_OTHERS = ("mcp", "uvicorn.error", "uvicorn.access", "httpx", "httpx2")


class _Sdk(NamedTuple):
    """The parts of the SDK that the demo needs, under the same names for both major versions."""

    server: Callable[..., Any]
    tool_error: type[Exception]
    session: Callable[..., Any]
    connect: Callable[..., Any]
    http: Any


def _find_sdk() -> _Sdk:
    """Import the installed SDK, or raise ImportError."""
    client = import_module("mcp.client.streamable_http")
    try:
        server, http = import_module("mcp.server.mcpserver"), import_module("httpx2")
    except ImportError:  # of its first major
        server, http = import_module("mcp.server.fastmcp"), import_module("httpx")
    errors = import_module(f"{server.__name__}.exceptions")
    try:
        make = server.MCPServer if hasattr(server, "MCPServer") else server.FastMCP
        return _Sdk(
            make,
            errors.ToolError,
            import_module("mcp").ClientSession,
            client.streamable_http_client,
            http,
        )
    except AttributeError as exc:
        raise ImportError("the SDK is too old") from exc


# -- the servers, each in a process of its own -----------------------------------------------------


def _warehouse(server: Any) -> None:
    @server.tool()  # type: ignore[untyped-decorator]
    async def reserve(item: str) -> str:
        _log.info("Looking for the %s", item)
        await asyncio.sleep(0.2)
        _log.info("Reserved the %s", item)
        return "reserved"


def _shop(server: Any, warehouse: Any, tool_error: type[Exception]) -> None:
    @server.tool()  # type: ignore[untyped-decorator]
    async def pay(item: str) -> str:
        _log.info("Processing payment for the %s", item)
        await asyncio.to_thread(_log.info, "Validating payment, in a thread")
        gateway = asyncio.create_task(asyncio.sleep(_GATEWAY_SECONDS))
        done, _ = await asyncio.wait({gateway}, timeout=_GATEWAY_SECONDS / 2)
        if not done:
            _log.warning("Gateway slow")
        await gateway
        _log.info("Payment complete")
        return "paid"

    @server.tool()  # type: ignore[untyped-decorator]
    async def order(item: str) -> str:
        _log.info("Asking the warehouse for the %s", item)
        answer = await warehouse.call_tool(
            "reserve", {"item": item}, meta=outgoing_meta(session=True)
        )
        _log.info("Order complete")
        return str(answer.content[0].text)

    @server.tool()  # type: ignore[untyped-decorator]
    async def invoice(item: str) -> str:
        _log.info("Making the invoice")
        prices = {"lamp": 40}
        try:
            return f"{prices[item]} due"
        except KeyError as exc:
            _log.exception("No price")
            raise tool_error("no price") from exc


def _print_spans(name: str) -> None:
    """Print each span of this process on standard output, as a line of JSON."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    def line(span: ReadableSpan) -> str:
        context, parent = span.get_span_context(), span.parent
        assert context
        times = (span.start_time or 0, span.end_time or 0)
        record = _Span(
            name, span.name, context.trace_id, context.span_id, parent and parent.span_id, *times
        )
        return json.dumps(record) + "\n"

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=line)))
    trace.set_tracer_provider(provider)


class _Span(NamedTuple):
    """A span, as a server prints it; its times in nanoseconds."""

    service: str
    name: str
    trace_id: int
    span_id: int
    parent: int | None
    start: int
    end: int


def serve(warehouse_url: str | None = None) -> None:
    """
    Serve the warehouse, or the shop where the warehouse's URL is given. Print the port, and stop
    with the parent process.
    """
    configure_logging(logging.INFO, formatter=TextFormatter(precise=True, session_length=None))
    for name in _OTHERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger(ACCESS_LOGGER).addFilter(_is_of_a_call)
    if read_otel(os.environ):
        _print_spans("shop" if warehouse_url else "warehouse")
    asyncio.run(_serve(_find_sdk(), warehouse_url))


def _is_of_a_call(record: logging.LogRecord) -> bool:
    """Whether an access line is about a call: not about a session's beginning or end."""
    metadata = get_request_metadata()
    return metadata is not None and metadata.mcp_method == "tools/call"


async def _serve(sdk: _Sdk, warehouse_url: str | None) -> None:
    import uvicorn

    async with AsyncExitStack() as stack:
        mcp_server = trace_server(sdk.server("demo"))
        if warehouse_url is None:
            _warehouse(mcp_server)
        else:
            # One session for all customers, opened before any of them calls: the harder case.
            warehouse = await stack.enter_async_context(_connected(sdk, warehouse_url, {}))
            _shop(mcp_server, warehouse, sdk.tool_error)
        inner = mcp_server.streamable_http_app()
        if read_otel(os.environ):
            from ..otel import RequestSpans

            inner = RequestSpans(inner)
        app = RequestTracingMiddleware(inner, access_log=True, observe_body=True)
        patient: dict[str, Any] = {
            "timeout_keep_alive": _CALL_SECONDS,
            "timeout_graceful_shutdown": _STOP_SECONDS // 2,
        }
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", **patient))
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            print(listener.getsockname()[1], flush=True)
            threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
            await server.serve(sockets=[listener])


def _stop_with_parent(server: Any) -> None:
    while os.read(0, 1):  # empty when the parent closes its end, or ends itself
        pass
    server.should_exit = True


@asynccontextmanager
async def _connected(sdk: _Sdk, url: str, headers: dict[str, str]) -> AsyncIterator[Any]:
    """
    A client session with the MCP server at *url*, whose HTTP requests carry *headers* and the
    current trace.
    """
    hooks = {"request": [request_hook()]}
    # no proxy
    http = sdk.http.AsyncClient(
        headers=headers, timeout=_CALL_SECONDS, event_hooks=hooks, trust_env=False
    )
    async with (
        http,
        sdk.connect(url, http_client=http) as streams,
        sdk.session(*streams[:2]) as session,
    ):
        await session.initialize()
        yield session


# -- the customers ---------------------------------------------------------------------------------


class _Line(NamedTuple):
    server: str
    text: str


@dataclass
class _Call:
    """One call of a customer, and its outcome."""

    customer: str
    session_id: str
    tool: str
    item: str
    failed: bool = False

    async def send(self, session: Any) -> None:
        result = await asyncio.wait_for(
            session.call_tool(self.tool, {"item": self.item}), _CALL_SECONDS
        )
        self.failed = bool(getattr(result, "isError", False) or getattr(result, "is_error", False))


class _NotServedError(Exception):
    pass


@asynccontextmanager
async def _running(
    name: str, show: Callable[[_Line], None], spans: list[_Span], *arguments: str
) -> AsyncIterator[str]:
    """
    Run a server in a process of its own, show its lines as they are written, collect its *spans*,
    and yield its URL.
    """
    pipe = asyncio.subprocess.PIPE
    command = (
        sys.executable,
        "-c",
        f"from {__name__} import serve; serve({', '.join(map(repr, arguments))})",
    )
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin
    assert process.stdout
    assert process.stderr

    async def read(lines: asyncio.StreamReader) -> None:
        async for line in lines:
            show(_Line(name, line.decode("utf-8", "replace").rstrip()))

    async def collect(lines: asyncio.StreamReader) -> bytes:
        """Take the spans up to the next other line, and return that line; empty at the end."""
        while (line := await lines.readline()).startswith(b"["):
            spans.append(_Span(*json.loads(line)))
        return line

    reading: list[asyncio.Task[Any]] = [asyncio.create_task(read(process.stderr))]
    try:
        port = await asyncio.wait_for(collect(process.stdout), _START_SECONDS)
        if not port:
            raise _NotServedError(
                f"the demo's {name} ended before it listened; see its lines above"
            )
        reading.append(asyncio.create_task(collect(process.stdout)))
        yield f"http://127.0.0.1:{int(port)}/mcp"
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.gather(*reading)


def run(stream: TextIO | None = None, output: str | None = None) -> int:
    """
    Print the demo on *stream* (default: standard output), and return the exit code.

    Alice pays and Bob orders meanwhile; then Alice orders, and Bob's invoice fails. Their page is
    written to *output*, a temporary file when left out. With ``ASGI_TRACE_OTEL=1`` the spans of
    each order are printed as a tree.
    """
    out = stream or sys.stdout
    try:
        import uvicorn  # noqa: F401

        sdk = _find_sdk()
    except ImportError as exc:
        print(
            f"asgi-trace demo: it needs the MCP SDK and uvicorn: pip install mcp uvicorn ({exc})",
            file=sys.stderr,
        )
        return 2
    try:
        if read_otel(os.environ):
            import_module("opentelemetry.sdk.trace")
    except LauncherError as exc:
        print(f"asgi-trace demo: {exc}", file=sys.stderr)
        return 2
    except ImportError as exc:
        print(
            f"asgi-trace demo: {OTEL}=1 needs OpenTelemetry: pip install opentelemetry-sdk ({exc})",
            file=sys.stderr,
        )
        return 2
    lines: list[_Line] = []
    spans: list[_Span] = []

    def show(line: _Line) -> None:
        lines.append(line)
        print(_shown(line), file=out, flush=True)

    calls = (
        _Call("Alice", "abc12345", "pay", "lamp"),
        _Call("Bob", "def67890", "order", "bulb"),
        _Call("Alice", "abc12345", "order", "lamp"),
        _Call("Bob", "def67890", "invoice", "bulb"),
    )
    print(
        "Two customers at once, on two MCP servers. Their logs, as they are written:\n",
        file=out,
        flush=True,
    )
    try:
        asyncio.run(_tell(sdk, show, spans, calls))
    except _NotServedError as error:
        print(error, file=sys.stderr)
        return 1
    for text in _grouped(calls, lines):
        print(text, file=out)
    for text in _trees(spans):
        print(text, file=out)
    if [call.failed for call in calls] != [False, False, False, True]:
        return 1
    logs = {
        f"{server}.log": [line.text for line in lines if line.server == server]
        for server in ("shop", "warehouse")
    }
    return tell_page(logs, "Two customers at once, on two MCP servers", output, out)


async def _tell(
    sdk: _Sdk, show: Callable[[_Line], None], spans: list[_Span], calls: tuple[_Call, ...]
) -> None:
    async with (
        _running("warehouse", show, spans) as warehouse_url,
        _running("shop", show, spans, warehouse_url) as shop_url,
    ):
        customers = dict.fromkeys(call.session_id for call in calls)
        await asyncio.gather(
            *(_visit(sdk, shop_url, calls, session_id) for session_id in customers)
        )


async def _visit(sdk: _Sdk, url: str, calls: tuple[_Call, ...], session_id: str) -> None:
    async with _connected(sdk, url, {"X-Session-ID": session_id}) as session:
        for call in calls:
            if call.session_id == session_id:
                await call.send(session)


def _shown(line: _Line) -> str:
    return f"{line.server:<9} | {line.text}"


def _grouped(calls: tuple[_Call, ...], lines: list[_Line]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[_Line]] = {}
    calls_of: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        parsed = parse_line(line.text)
        if parsed is None:
            continue
        record = parsed[0]
        key = (record.session_id, record.request_id)
        groups.setdefault(key, []).append(line)
        call = format_call(record.mcp_method, record.mcp_name, record.jsonrpc_id)
        if call not in calls_of.setdefault(key, []):
            calls_of[key].append(call)
    yield "\nThe same lines, by session and call:"
    for customer, session_id in dict.fromkeys((call.customer, call.session_id) for call in calls):
        yield f"\n{customer}, session {session_id}"
        for key, group in groups.items():
            if key[0] == session_id:
                yield f"  {', '.join(calls_of[key])}: request {key[1]}"
                yield from (f"    {_shown(line)}" for line in group)
    failed = calls[-1]
    yield f"\n{failed.customer}'s {failed.tool} failed, with HTTP status 200. Its lines and their traceback show why."
    yield "An order goes through both servers, and one session that all customers share: its lines have one request id."


def _trees(spans: list[_Span]) -> Iterator[str]:
    """Yield the spans of each order as a tree: service, name and duration."""
    called = {span.trace_id for span in spans if "order" in span.name}
    if called:
        yield "\nOpenTelemetry's spans of each order:"
    inside: dict[int | None, list[_Span]] = {}
    known = {span.span_id for span in spans}
    for span in sorted(spans, key=lambda span: span.start):
        parent = span.parent if span.parent in known else None
        inside.setdefault(parent, []).append(span)

    def tree(span: _Span, depth: int) -> Iterator[str]:
        milliseconds = (span.end - span.start) / 1e6
        yield f"  {'  ' * depth}{span.service} {span.name} {milliseconds:.0f}ms"
        for child in inside.get(span.span_id, ()):
            yield from tree(child, depth + 1)

    for root in inside.get(None, ()):
        if root.trace_id in called:
            yield ""
            yield from tree(root, 0)
