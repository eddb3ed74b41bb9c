"""
Over stdio, on the SDK that is installed here: one trace for each message, one session for each
process.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from asgi_trace._core.lines import parse_line
from asgi_trace._core.record import NO_ID, Record

from .handlers import TOOLS
from .sdk import sdk

ROOT = Path(__file__).parent.parent.parent
SERVER = [sys.executable, "-W", "ignore", "-m", "tests.mcp.stdio_server"]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    "PYTHONUNBUFFERED": "",  # as for most users: standard output to a pipe is written late
}

# Seconds, for a machine that has much else to do.
PATIENCE = 120


def meta(name: str, n: int) -> dict[str, Any]:
    """What a client tells of its trace: each call's own."""
    trace_id = f"{name.encode().hex()}{n:02x}".rjust(32, "a")
    return {"traceparent": f"00-{trace_id}-{'b' * 16}-01", "tracestate": "a=1", "baggage": "k=v"}


async def talk(name: str, folder: Path) -> list[Record]:
    """
    Call all tools of a server of one's own at once, half of them in a trace, and return the
    server's lines.
    """
    log = folder / f"{name}.log"
    with log.open("w") as errors:
        async with sdk.over_stdio(SERVER, ENVIRONMENT, errors) as session:
            told = [meta(name, n) if n % 2 else None for n in range(2 * len(TOOLS))]
            calls = [
                sdk.ask(session, TOOLS[n // 2], each, marker=f"{name}-{n}")
                for n, each in enumerate(told)
            ]
            assert await asyncio.gather(*calls) == [f"{name}-{n}" for n in range(2 * len(TOOLS))]
            told_session = {"baggage": f"k=v,session.id={name}s"}
            await sdk.ask(session, "in_sync", told_session, marker=f"{name}-named")
            await sdk.read(session, f"{name}-stock")
            await sdk.prompt(session, f"{name}-greet")
            assert await sdk.call(session, "fail", f"{name}-broken")
    return [found[0] for found in map(parse_line, log.read_text().splitlines()) if found]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Record]]:
    """The lines of two servers, whose clients called them at the same time."""
    folder = tmp_path_factory.mktemp("stdio")

    async def both() -> list[list[Record]]:
        return await asyncio.wait_for(
            asyncio.gather(talk("alice", folder), talk("bob", folder)), PATIENCE
        )

    return dict(zip(("alice", "bob"), asyncio.run(both()), strict=True))


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_each_message_has_an_id_of_its_own(logs: dict[str, list[Record]], name: str) -> None:
    """Whichever way its handler runs; and all lines of a message have it."""
    ids = Counter(line.request_id for line in logs[name] if line.message.startswith(f"{name}-"))
    assert NO_ID not in ids
    assert ids.total() == len(ids) == 2 * len(TOOLS) + 4
    messages = {(line.request_id, line.jsonrpc_id) for line in logs[name] if line.jsonrpc_id}
    assert len({request_id for request_id, _ in messages}) == len(
        {jsonrpc_id for _, jsonrpc_id in messages}
    )


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_the_calls_meta_is_the_parent(logs: dict[str, list[Record]], name: str) -> None:
    """Without it, the message begins a trace, whose id is the request's."""
    lines = {line.message: line for line in logs[name]}
    for n in range(2 * len(TOOLS)):
        line = lines[f"{name}-{n}"]
        assert line.trace_id == (
            meta(name, n)["traceparent"].split("-")[1] if n % 2 else line.request_id
        )
        assert (line.mcp_method, line.mcp_name) == ("tools/call", TOOLS[n // 2])
    assert (lines[f"{name}-stock"].mcp_method, lines[f"{name}-stock"].mcp_name) == (
        "resources/read",
        f"shop://{name}-stock",
    )
    assert (lines[f"{name}-greet"].mcp_method, lines[f"{name}-greet"].mcp_name) == (
        "prompts/get",
        "greet",
    )


def test_a_process_is_a_session(logs: dict[str, list[Record]]) -> None:
    sessions = {
        name: {line.session_id for line in lines} - {NO_ID, f"{name}s"}
        for name, lines in logs.items()
    }
    assert [len(found) for found in sessions.values()] == [1, 1], sessions
    assert sessions["alice"] != sessions["bob"]


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_call_may_name_its_session(logs: dict[str, list[Record]], name: str) -> None:
    """By ``session.id`` in the baggage of its ``_meta``; no other call is of that session."""
    named = [line.message for line in logs[name] if line.session_id == f"{name}s"]
    # Version 1 of the SDK has a line of its own before.
    assert named[-1] == f"{name}-named"
    assert len(named) == 1 + sdk.IS_STALE


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_tools_traceback_is_its_calls(logs: dict[str, list[Record]], name: str) -> None:
    line = next(line for line in logs[name] if line.message == f"{name}-broken fails")
    assert (line.mcp_name, line.exception and line.exception["type"]) == ("fail", "KeyError")


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_the_sdks_own_line_on_a_message_has_its_ids(
    logs: dict[str, list[Record]], name: str
) -> None:
    """Version 1 writes one before any handler runs; version 2 writes none."""
    own = [line for line in logs[name] if line.message.startswith("Processing request of type")]
    assert bool(own) is sdk.IS_STALE
    assert len({line.request_id for line in own} - {NO_ID}) == len(own)


def test_standard_output_is_the_protocols(tmp_path: Path) -> None:
    """Nothing else is on it, whatever is logged, from the first byte to the last."""
    client = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    messages: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {
            "id": 1,
            "method": "tools/call",
            "params": {"name": "in_sync", "arguments": {"marker": "x"}},
        },
        {"id": 2, "method": "tools/call", "params": {"name": "fail", "arguments": {"marker": "y"}}},
        {"id": 3, "method": "no/such"},
    ]
    with (tmp_path / "log").open("w") as errors:
        server = subprocess.Popen(
            SERVER, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        assert server.stdin
        assert server.stdout
        replies = []
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            server.stdin.flush()
            if "id" in message:
                replies.append(json.loads(server.stdout.readline()))
        rest, _ = server.communicate(timeout=PATIENCE)
    assert rest == b""
    assert [(reply["jsonrpc"], reply["id"]) for reply in replies] == [("2.0", n) for n in range(4)]
    assert "y fails" in (tmp_path / "log").read_text()
