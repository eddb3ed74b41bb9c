"""
Each handler's line has the ids of the HTTP request that carried its call, on the SDK that is
installed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import asgi_trace._mcp.sdk
from asgi_trace._core.access_lines import parse_access

from .conversation import WRAPPINGS, Caller, Conversation, converse
from .handlers import TOOLS
from .modes import Mode
from .sdk import sdk

ROUNDS = 1


async def call_everything(caller: Caller, session: Any) -> None:
    """All handlers, several times, all at once."""
    calls = [
        sdk.call(session, tool, f"{caller.name}-{tool}-{n}")
        for tool in TOOLS
        for n in range(ROUNDS)
    ]
    calls += [sdk.read(session, f"{caller.name}-stock-{n}") for n in range(ROUNDS)]
    calls += [sdk.prompt(session, f"{caller.name}-greet-{n}") for n in range(ROUNDS)]
    await asyncio.gather(*calls)


MARKERS = [f"{handler}-{n}" for handler in (*TOOLS, "stock", "greet") for n in range(ROUNDS)]


# Version 1 of the SDK tells which call it handles.
OPTIONS: dict[str, Any] = {} if sdk.KNOWS_CALLS else {"observe_body": True}


def check(conversation: Conversation) -> None:
    """Each marker's line has the id that its client got for that very POST, and its session."""
    for caller in conversation.callers:
        for marker in MARKERS:
            line = conversation.lines.of(f"{caller.name}-{marker}")
            post = caller.post(f"{caller.name}-{marker}")
            assert (line.request_id, line.session_id) == (post.request_id, post.session_id), line


def check_calls(conversation: Conversation, words: slice = slice(3)) -> None:
    """And as many *words* of its call as can be known."""
    for caller in conversation.callers:
        for marker in MARKERS:
            line = conversation.lines.of(f"{caller.name}-{marker}")
            call = caller.post(f"{caller.name}-{marker}").call
            expected = (*call[words], "", "", "")[:3]
            assert (line.mcp_method, line.mcp_name, line.jsonrpc_id) == expected, line


def check_sessions(conversation: Conversation) -> None:
    """
    No line has a session that is not a client's, those of the requests that open one included.
    """
    sessions = {post.session_id for caller in conversation.callers for post in caller.posts}
    assert len(sessions) == len(conversation.callers)
    strays = [
        line for line in conversation.lines.records if line.session_id not in {*sessions, "none"}
    ]
    assert strays == []
    requests = {
        line.request_id for line in conversation.lines.records if line.session_id in sessions
    }
    assert {post.request_id for caller in conversation.callers for post in caller.posts} <= requests


@pytest.mark.anyio
@pytest.mark.parametrize("wrap", WRAPPINGS, ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_each_line_has_the_ids_of_the_post_that_carried_its_call(
    mode: Mode, wrap: Callable[..., Any]
) -> None:
    """
    Two clients at once, parallel calls: handlers that are async, sync, in a task, in a thread, in
    an executor.
    """
    conversation = await converse(mode, call_everything, wrap, **OPTIONS)
    check(conversation)
    check_calls(conversation)
    check_sessions(conversation)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_without_the_cure_they_are_stale_where_the_sdk_has_sessions(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its version 1; version 2 runs each handler in the context of its own request."""
    monkeypatch.setattr(asgi_trace._mcp.sdk, "MODULE", "cured.by.nobody")
    conversation = await converse(mode, call_everything)
    if sdk.IS_STALE and mode.has_session:
        with pytest.raises(AssertionError):
            check(conversation)
    else:
        check(conversation)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_what_is_known_of_a_call_without_its_body(mode: Mode) -> None:
    """
    On version 1 of the SDK all; else with protocol 2026-07-28, whose headers say it, all but its
    id.
    """
    conversation = await converse(mode, call_everything)
    check_calls(conversation, slice(3 if sdk.KNOWS_CALLS else 2 if mode.is_protocol_2026 else 0))


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES, ids=lambda mode: mode.value)
async def test_a_tool_that_fails_is_told_from_one_that_does_not(mode: Mode) -> None:
    """
    HTTP says 200 to both. The older SSE transport replies elsewhere, on a stream of many replies.
    """

    async def talk(caller: Caller, session: Any) -> None:
        failed = await asyncio.gather(
            *(sdk.call(session, tool, f"{caller.name}-{tool}") for tool in ("fail", "in_sync"))
        )
        assert failed == [True, False]

    conversation = await converse(mode, talk, access_log=True, observe_body=True)
    for caller in conversation.callers:
        for tool, outcome in (("fail", "tool_error"), ("in_sync", None)):
            post = caller.post(f"{caller.name}-{tool}")
            access = [
                fields
                for line in conversation.lines.records
                if line.request_id == post.request_id
                and (fields := parse_access(line.message))
                and "transport" in fields
            ]
            assert [each.get("outcome") for each in access] == [
                None if mode.is_legacy_sse else outcome
            ]
        post = caller.post(f"{caller.name}-fail")
        failing = next(
            text for text in conversation.lines.text if f"- {caller.name}-fail fails" in text
        )
        head = (
            f"[req={post.request_id}|session={post.session_id}] [tools/call fail #{post.call[2]}] "
        )
        assert len(failing.split("\n")) > 3
        assert all(head in line for line in failing.split("\n")), failing
