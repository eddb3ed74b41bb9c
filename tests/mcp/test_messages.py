"""A server that traces its messages, over HTTP, on the SDK that is installed here."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import Any

import pytest
from starlette.applications import Starlette

from asgi_trace import get_request_metadata
from asgi_trace.mcp import trace_server

from .conversation import Caller, Conversation, converse
from .handlers import register
from .modes import Mode
from .sdk import sdk
from .test_calls import MARKERS, call_everything

PARENT = f"00-{'c' * 32}-{'d' * 16}-01"
HEADER = f"00-{'a' * 32}-{'b' * 16}-01"


def traced(mode: Mode) -> Any:
    return trace_server(register(sdk.bare(mode)))


@pytest.fixture(scope="module", params=sdk.MODES, ids=lambda mode: mode.value)
def conversation(request: pytest.FixtureRequest) -> Conversation:
    """What two clients saw who called every handler of a server at once, and what it logged."""
    return asyncio.run(converse(request.param, call_everything, server=traced(request.param)))


def test_each_line_has_the_post_that_carried_its_call_and_the_call(
    conversation: Conversation,
) -> None:
    """
    Two clients at once, parallel calls, handlers of every kind; on every SDK with the JSON-RPC id.
    """
    for caller in conversation.callers:
        for marker in MARKERS:
            line = conversation.lines.of(f"{caller.name}-{marker}")
            post = caller.post(f"{caller.name}-{marker}")
            assert (line.request_id, line.session_id) == (post.request_id, post.session_id), line
            assert (line.mcp_method, line.mcp_name, line.jsonrpc_id) == post.call, line


def requests_in(conversation: Conversation) -> Counter[str]:
    """
    The id of each POST that carried a request, but for the first, which the session itself answers.
    """
    posts = [post for caller in conversation.callers for post in caller.posts]
    return Counter(
        post.request_id for post in posts if "id" in post.message and post.call[0] != "initialize"
    )


def test_the_sdks_own_line_on_a_request_has_its_ids(conversation: Conversation) -> None:
    """
    Version 1 writes it before any handler runs, where nothing else knows the request; version 2
    writes none.
    """
    own = [
        line
        for line in conversation.lines.records
        if line.message.startswith("Processing request of type")
    ]
    assert Counter(line.request_id for line in own) == (
        requests_in(conversation) if sdk.IS_STALE else Counter()
    )


async def whose() -> str:
    """What is known of the trace of a call."""
    metadata = get_request_metadata()
    assert metadata is not None
    link = metadata.linked_trace
    return json.dumps(
        [
            metadata.trace_id,
            metadata.parent_span_id,
            metadata.tracestate,
            metadata.baggage,
            link and link.trace_id,
            metadata.request_id,
        ]
    )


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_the_calls_meta_is_the_parent_and_the_header_a_link(mode: Mode) -> None:
    """
    Whichever trace the HTTP request came in; and without it, the header is the parent, as of any
    request.
    """
    server = sdk.bare(mode)
    server.tool()(whose)
    answers: dict[str, list[Any]] = {}

    async def ask(caller: Caller, session: Any) -> None:
        meta = (
            {"traceparent": PARENT, "tracestate": "c=1", "baggage": "k=v"}
            if caller.name == "alice"
            else None
        )
        answers[caller.name] = json.loads(await sdk.ask(session, "whose", meta))

    conversation = await converse(
        mode, ask, server=trace_server(server), headers={"traceparent": HEADER}
    )
    posted = {caller.name: caller.post("whose").request_id for caller in conversation.callers}
    assert answers["alice"] == ["c" * 32, "d" * 16, "c=1", "k=v", "a" * 32, posted["alice"]]
    assert answers["bob"] == ["a" * 32, "b" * 16, "", "", None, posted["bob"]]


async def notify(marker: str, ctx: sdk.Context) -> str:
    await ctx.report_progress(1, 2, f"{marker}-progress")
    await asyncio.sleep(0.02)  # so that calls overlap
    await ctx.info(f"{marker}-info")
    logging.getLogger("shop").info("%s-logged", marker)
    return marker


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore")  # version 2 calls log notifications deprecated
@pytest.mark.parametrize("is_traced", [False, True], ids=["wrapped alone", "trace_server()"])
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_lines_on_a_calls_notifications_have_its_ids(mode: Mode, is_traced: bool) -> None:
    """
    fastmcp writes one for each log notification, and the HTTP transport one for each part of a
    stream. The older SSE transport has one stream for all calls: its lines are the stream's.
    """
    server = sdk.bare(mode)
    server.tool()(notify)
    if is_traced:
        trace_server(server)
    debugged = [logging.getLogger(name) for name in ("mcp", "fastmcp", "sse_starlette")]
    levels = [logger.level for logger in debugged]
    propagates = [logger.propagate for logger in debugged]

    async def note(*_: Any) -> None:
        """The client's own part of a progress notification."""

    async def follow(caller: Caller, session: Any) -> None:
        for logger in debugged:
            logger.setLevel(logging.DEBUG)
            logger.propagate = True
        calls = (sdk.follow(session, "notify", f"{caller.name}-{n}", note) for n in range(2))
        await asyncio.gather(*calls)

    try:
        conversation = await converse(mode, follow, server=server)
    finally:
        for logger, level, propagate in zip(debugged, levels, propagates, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
    for caller in conversation.callers:
        for n in range(2):
            marker = f"{caller.name}-{n}"
            request_id = caller.post(f'"{marker}"').request_id
            about = [
                line
                for line in conversation.lines.records
                if line.message in (f"{marker}-logged", f"Sending INFO to client: {marker}-info")
                or (line.message.startswith("chunk: ") and f"{marker}-" in line.message)
            ]
            if mode.is_legacy_sse:
                about = [line for line in about if not line.message.startswith("chunk: ")]
            assert {line.request_id for line in about} == {request_id}, about
            is_streamed = mode in (Mode.STATEFUL, Mode.STATELESS)
            assert len(about) >= 1 + sdk.LOGS_NOTIFICATIONS + is_streamed, about


@pytest.mark.parametrize("server", [None, object(), 7, "shop:server", Starlette()])
def test_what_is_no_server_is_named(server: Any) -> None:
    """With what is expected, and where an app goes."""
    with pytest.raises(TypeError) as caught:
        trace_server(server)
    assert repr(server) in str(caught.value)
    assert "expected an MCP server" in str(caught.value)
    assert "RequestTracingMiddleware" in str(caught.value)


def test_twice_is_as_good_as_once() -> None:
    server = sdk.bare()
    assert trace_server(trace_server(server)) is server
    inner = getattr(server, "_mcp_server", server)
    kept = [*getattr(inner, "middleware", ()), getattr(inner, "_handle_message", None)]
    trace_server(server)
    assert [*getattr(inner, "middleware", ()), getattr(inner, "_handle_message", None)] == kept
