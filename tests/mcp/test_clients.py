"""
A client calls a server, whose tool calls another: one trace in both logs, on the SDK that is
installed here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from asgi_trace import (
    JSONFormatter,
    RequestMetadata,
    RequestTracingMiddleware,
    bound_request_metadata,
)
from asgi_trace._core.record import Record
from asgi_trace.mcp import outgoing_meta, request_hook, trace_server

from .conversation import HTTP, Caller, Lines, converse, serving
from .modes import Mode
from .sdk import sdk

log = logging.getLogger("shop")

MODES = [mode for mode in sdk.MODES if not mode.is_json]
NAMES = ("alice", "bob")
CALLS = 3


class Way(NamedTuple):
    """How the first server calls the second."""

    shared: bool = True  # in one session for all, that was opened before any call
    meta: bool = True  # with outgoing_meta()
    hook: bool = True  # with request_hook()
    session: bool = False  # with the session's id


class Told(Lines):
    """All that is logged, with the trace."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JSONFormatter())


@asynccontextmanager
async def warehouse(mode: Mode, way: Way) -> AsyncIterator[Any]:
    """
    The second server: yields what opens a session with it. It reads the calls where no hook writes
    headers.
    """
    server = sdk.bare(mode)

    @server.tool()  # type: ignore[untyped-decorator]
    async def reserve(marker: str) -> str:
        log.info("%s reserved", marker)
        return marker

    def make_client(headers: dict[str, str] | None = None, **_: Any) -> Any:
        hooks = {"request": [request_hook()]} if way.hook else {}
        return sdk.http.AsyncClient(headers=headers, event_hooks=hooks, **HTTP)

    app = RequestTracingMiddleware(sdk.app(mode, server if way.hook else trace_server(server)))
    async with serving(app) as address:
        url = f"{address}/{'sse' if mode.is_legacy_sse else 'mcp'}"
        yield lambda: sdk.connect(url, mode, make_client)


def shop(mode: Mode, way: Way, open_session: Any, shared: Any) -> Any:
    """The first server, which traces its calls."""
    server = sdk.bare(mode)

    async def ask(session: Any, marker: str) -> str:
        meta = outgoing_meta(session=way.session) if way.meta else None
        return str(await sdk.ask(session, "reserve", meta, marker=marker))

    @server.tool()  # type: ignore[untyped-decorator]
    async def order(marker: str) -> str:
        log.info("%s ordered", marker)
        await asyncio.sleep(0.02)  # so that calls overlap
        if way.shared:
            return await ask(shared, marker)
        async with open_session() as session:
            return await ask(session, marker)

    return trace_server(server)


async def told(mode: Mode, way: Way) -> dict[str, tuple[str, Record, Record]]:
    """
    Let two clients order at once, and return the trace of each call and its line on either server.
    """
    traces: dict[str, str] = {}

    async def order(session: Any, marker: str) -> None:
        with bound_request_metadata(RequestMetadata()) as work:
            assert work
            traces[marker] = work.trace_id
            assert await sdk.ask(session, "order", outgoing_meta(), marker=marker) == marker

    async def talk(caller: Caller, session: Any) -> None:
        await asyncio.gather(*(order(session, f"{caller.name}-{n}") for n in range(CALLS)))

    lines = Told()
    async with warehouse(mode, way) as open_session:
        if way.shared:
            async with open_session() as shared:
                server = shop(mode, way, open_session, shared)
                await converse(mode, talk, names=NAMES, server=server, lines=lines)
        else:
            await converse(
                mode, talk, names=NAMES, server=shop(mode, way, open_session, None), lines=lines
            )
    return {
        marker: (trace, lines.of(f"{marker} ordered"), lines.of(f"{marker} reserved"))
        for marker, trace in traces.items()
    }


EVERY_WAY = [
    Way(),
    Way(shared=False),
    Way(hook=False),
    Way(shared=False, hook=False),
    Way(shared=False, meta=False),
    Way(session=True),
    Way(hook=False, session=True),
    Way(shared=False, session=True),
]
# What a transport can change: whether the caller's context is the one that sends, and who reads the
# headers.
WAYS = [(Mode.STATEFUL, way) for way in EVERY_WAY] + [
    (mode, way) for mode in MODES[1:] for way in (Way(), Way(shared=False, meta=False))
]


@pytest.mark.anyio
@pytest.mark.parametrize(("mode", "way"), WAYS, ids=str)
async def test_it_is_one_trace(mode: Mode, way: Way) -> None:
    """
    With parallel calls of two clients; and one request id; the session only where it is told.
    """
    found = await told(mode, way)
    assert len(found) == len(NAMES) * CALLS
    for trace_id, ordered, reserved in found.values():
        assert (ordered.trace_id, reserved.trace_id) == (trace_id, trace_id)
        assert ordered.request_id == reserved.request_id
        # A session that is a header of the client's own, fastmcp hands on by itself.
        assert (ordered.session_id == reserved.session_id) is way.session or not mode.has_session
        assert ordered.span_id != reserved.span_id


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
async def test_a_shared_session_without_meta_tells_no_other_calls_trace(mode: Mode) -> None:
    """
    Version 1 sends all calls from where the session was opened: right, or none; on version 2 it is
    right.
    """
    for trace_id, _, reserved in (await told(mode, Way(meta=False))).values():
        assert reserved.trace_id in (
            (trace_id, reserved.request_id) if sdk.IS_STALE else (trace_id,)
        )
