"""What tools write to standard output goes to the log of their call, on the SDK that is here."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asgi_trace._mcp.stdout import _keeping
from asgi_trace.mcp import trace_server

from .conversation import Caller, converse
from .modes import Mode
from .sdk import sdk
from .test_stdio import ENVIRONMENT, PATIENCE

SERVER = [sys.executable, "-W", "ignore", "-m", "tests.mcp.printing_server"]
CLIENT = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}

# What each tool writes, as lines of its call.
LOGGED = {
    "in_sync": ["in sync"],
    "in_async": ["in async"],
    "in_thread": ["in thread", "in thread, too"],
    "later": ["later"],
    "incomplete": ["incomplete"],
    "in_bytes": ["in bytes \u00e9"],
    "redirected": [],
    "closing": ["closing"],
}
UNLOGGED = ("child", "given", "descriptor", "without ids")


class Run(NamedTuple):
    """What the two streams of a server had, after its tools were called by all ids at once."""

    output: list[str]
    lines: list[dict[str, Any]]
    errors: str

    def of(self, marker: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"].startswith(f"{marker} ")]


CALLS = [
    *((f"m{n}{tool}", tool) for tool in LOGGED for n in (1, 2)),
    ("m1unlogged", "unlogged"),
    ("m1huge", "huge"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    log = tmp_path_factory.mktemp("stdout") / "log"
    messages: list[dict[str, Any]] = [
        {"id": "start", "method": "initialize", "params": CLIENT},
        {"method": "notifications/initialized"},
        *(
            {
                "id": marker,
                "method": "tools/call",
                "params": {"name": tool, "arguments": {"marker": marker}},
            }
            for marker, tool in CALLS
        ),
    ]
    output = []
    with log.open("a") as errors:
        server = subprocess.Popen(
            SERVER, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        watchdog = threading.Timer(PATIENCE, server.kill)
        watchdog.start()
        assert server.stdin
        assert server.stdout
        expected = {"before", *(str(message["id"]) for message in messages if "id" in message)}
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            server.stdin.flush()
            if message.get("id") == "start":
                output += [server.stdout.readline().decode() for _ in range(2)]
        while len(output) < len(expected):
            output.append(server.stdout.readline().decode())
            assert output[-1], log.read_text()[-2000:]
        # The end of the input ends the server, and tasks that go on after their calls.
        while not all(f"m{n}later later" in log.read_text() for n in (1, 2)):
            assert server.poll() is None
            time.sleep(0.05)
        rest, _ = server.communicate(timeout=PATIENCE)
        watchdog.cancel()
    output += rest.decode().splitlines()
    errors_text = log.read_text()
    lines = [json.loads(line) for line in errors_text.splitlines() if line.startswith("{")]
    return Run(output, lines, errors_text)


def test_only_the_protocol_is_on_standard_output(run: Run) -> None:
    """And what the program prints before the server runs, and after."""
    assert run.output[0] == "before\n"
    assert run.output[-1] == "after"
    replies = [json.loads(line) for line in run.output[1:-1]]
    assert sorted(reply["id"] for reply in replies) == sorted(
        ["start", *(marker for marker, _ in CALLS)]
    )
    assert not [reply for reply in replies if "error" in reply]
    told = {
        reply["id"]: reply["result"]["content"][0]["text"]
        for reply in replies
        if reply["id"] != "start"
    }
    assert told == {marker: marker for marker, _ in CALLS}


@pytest.mark.parametrize("tool", LOGGED)
def test_a_printed_line_is_a_line_of_its_call(run: Run, tool: str) -> None:
    for marker in (f"m1{tool}", f"m2{tool}"):
        lines = run.of(marker)
        expected = [f"{marker} {text}" for text in LOGGED[tool]]
        raw = [line for line in run.errors.splitlines() if marker in line]
        assert [line["message"] for line in lines] == expected, raw
        for line in lines:
            assert line["logger"] == "asgi_trace.stdout"
            assert line["level"] == "INFO"
            assert (line["mcp_name"], line["jsonrpc_id"]) == (tool, marker)
    ids = {line["request_id"] for marker in (f"m1{tool}", f"m2{tool}") for line in run.of(marker)}
    assert len(ids) == (2 if LOGGED[tool] else 0)


def test_it_is_said_once(run: Run) -> None:
    said = [line for line in run.lines if "is the MCP protocol's" in line["message"]]
    assert [(line["level"], line["mcp_method"]) for line in said] == [("WARNING", "tools/call")]


def test_bytes_that_are_no_text_are_escaped(run: Run) -> None:
    assert [line["mcp_name"] for line in run.lines if line["message"] == "\\xff"] == [
        "in_bytes"
    ] * 2


@pytest.mark.parametrize("text", UNLOGGED)
def test_what_has_no_call_is_on_standard_error(run: Run, text: str) -> None:
    assert f"m1unlogged {text}\n" in run.errors


def test_a_huge_output_is_cut(run: Run) -> None:
    """Also what a log handler prints for each of our lines begets no further one."""
    lines = [line for line in run.lines if line.get("mcp_name") == "huge"]
    assert sum(len(line["message"]) for line in lines) < 300_000
    assert max(len(line["message"]) for line in lines) <= 8 * 1024
    assert lines[-1]["message"] == "[the further output of this call is left out]"
    assert "\nseen m1in_sync in sync\n" in run.errors
    assert "\nkept m1in_sync in sync\n" in run.errors
    assert not [line for line in run.lines if line["message"].startswith("seen")]


def say(marker: str) -> str:
    print(marker, "printed")
    return marker


@pytest.mark.anyio
async def test_over_http_standard_output_is_the_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = sdk.bare(Mode.STATEFUL)
    server.tool()(say)

    async def ask(caller: Caller, session: Any) -> None:
        await sdk.ask(session, "say", marker=caller.name)

    conversation = await converse(Mode.STATEFUL, ask, server=trace_server(server))
    printed = [line for line in capsys.readouterr().out.splitlines() if "printed" in line]
    assert sorted(printed) == ["alice printed", "bob printed"]
    assert not [line for line in conversation.lines.text if "printed" in line]


@pytest.mark.anyio
async def test_a_stream_of_the_programs_own_is_no_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The protocol then leaves standard output to the tools, as it does when it is over."""

    async def serve(stdin: Any = None, stdout: Any = None) -> AsyncIterator[Any]:
        yield sys.stdout

    before = sys.stdout
    serving = asynccontextmanager(_keeping(serve))
    with (tmp_path / "wire").open("w") as wire:
        async with serving(None, wire):
            assert sys.stdout is before
    async with serving() as taken:
        assert taken is not sys.stdout
        assert sys.stdout is not before
        assert sys.stdout.write("") == 0
        with pytest.raises(TypeError):
            sys.stdout.write(b"")  # type: ignore[arg-type]
        kept = sys.stdout
    assert sys.stdout is before
    print("over", file=kept, flush=True)
    assert capsys.readouterr().out == "over\n"


@pytest.mark.anyio
async def test_lines_outside_calls_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Though ``print`` writes each in pieces, and other threads write meanwhile."""

    async def serve(stdin: Any = None, stdout: Any = None) -> AsyncIterator[Any]:
        yield

    async with asynccontextmanager(_keeping(serve))():
        print("one", end=" ")
        await asyncio.to_thread(print, "two")
        print("line")
        assert capsys.readouterr().err == "two\none line\n"
        print("prompt: ", end="", flush=True)
        assert capsys.readouterr().err == "prompt: "
        print("last", end="")
    assert capsys.readouterr().err == "last"
