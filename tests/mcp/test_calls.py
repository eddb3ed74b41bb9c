"""Each handler's line has the ids of the HTTP request that carried its call, on the SDK that is installed here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import asgi_trace.sdk

from .conversation import WRAPPINGS, Caller, Conversation, converse
from .handlers import TOOLS
from .modes import Mode
from .sdk import sdk

ROUNDS = 2


async def call_everything(caller: Caller, session: Any) -> None:
    """All handlers, several times, all at once."""
    calls = [sdk.call(session, tool, f"{caller.name}-{tool}-{n}") for tool in TOOLS for n in range(ROUNDS)]
    calls += [sdk.read(session, f"{caller.name}-stock-{n}") for n in range(ROUNDS)]
    calls += [sdk.prompt(session, f"{caller.name}-greet-{n}") for n in range(ROUNDS)]
    await asyncio.gather(*calls)


MARKERS = [f"{handler}-{n}" for handler in (*TOOLS, "stock", "greet") for n in range(ROUNDS)]


def check(conversation: Conversation, knows_calls: bool) -> None:
    """Each marker's line has the id that its client got for that very POST, its session, and its call."""
    for caller in conversation.callers:
        for marker in MARKERS:
            line = conversation.lines.of(f"{caller.name}-{marker}")
            post = caller.post(f"{caller.name}-{marker}")
            assert (line.request_id, line.session_id) == (post.request_id, post.session_id), line
            if knows_calls:
                method, name, jsonrpc_id = post.call
                assert (line.mcp_method, line.mcp_name) == (method, name), line
                assert line.jsonrpc_id in (jsonrpc_id, ""), line


@pytest.mark.anyio
@pytest.mark.parametrize("wrap", WRAPPINGS, ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_each_line_has_the_ids_of_the_post_that_carried_its_call(mode: Mode, wrap: Callable[..., Any]) -> None:
    """Two clients at once, parallel calls: handlers that are async, sync, in a task, in a thread, in an executor."""
    check(await converse(mode, call_everything, wrap), sdk.KNOWS_CALLS or mode.is_protocol_2026)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_without_the_cure_they_are_stale_where_the_sdk_has_sessions(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its version 1; version 2 runs each handler in the context of its own request."""
    monkeypatch.setattr(asgi_trace.sdk, "MODULE", "cured.by.nobody")
    conversation = await converse(mode, call_everything)
    if sdk.IS_STALE and mode.has_session:
        with pytest.raises(AssertionError):
            check(conversation, False)
    else:
        check(conversation, False)
