"""The MCP demo's story, line by line, from the real command, on the SDK that is installed here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ..viewer import Told

LINE = re.compile(
    r"(shop|warehouse) +\| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d{4} - (\w+) - "
    r"\[req=([0-9a-f]{32})\|session=(\w+)(?:\|span=[0-9a-f]{16})?\] \[tools/call (\w+) #\d+\] ([-|]) ?(.*)"
)
ACCESS = r"POST /mcp 200 .*ms(?: parent=[0-9a-f]{16})?"

# Whose call of which tool: what each server says of which tool, in order.
STORY = {
    ("abc12345", "pay"): [
        ("shop", "pay", "Processing payment for the lamp"),
        ("shop", "pay", "Validating payment, in a thread"),
        ("shop", "pay", "Gateway slow"),
        ("shop", "pay", "Payment complete"),
        ("shop", "pay", ACCESS),
    ],
    ("def67890", "order"): [
        ("shop", "order", "Asking the warehouse for the bulb"),
        ("warehouse", "reserve", "Looking for the bulb"),
        ("warehouse", "reserve", "Reserved the bulb"),
        ("warehouse", "reserve", ACCESS),
        ("shop", "order", "Order complete"),
        ("shop", "order", ACCESS),
    ],
    ("abc12345", "order"): [
        ("shop", "order", "Asking the warehouse for the lamp"),
        ("warehouse", "reserve", "Looking for the lamp"),
        ("warehouse", "reserve", "Reserved the lamp"),
        ("warehouse", "reserve", ACCESS),
        ("shop", "order", "Order complete"),
        ("shop", "order", ACCESS),
    ],
    ("def67890", "invoice"): [
        ("shop", "invoice", "Making the invoice"),
        ("shop", "invoice", "No price"),
        ("shop", "invoice", r"Traceback \(most recent call last\):"),
        ("shop", "invoice", r"  File .*, in invoice"),
        ("shop", "invoice", r'    return f"\{prices\[item\]\} due"'),
        ("shop", "invoice", "KeyError: 'bulb'"),
        ("shop", "invoice", rf"{ACCESS} outcome=tool_error"),
    ],
}


class Line(NamedTuple):
    server: str
    level: str
    request_id: str
    session_id: str
    tool: str
    mark: str
    message: str


class Demo(NamedTuple):
    has_spans: bool
    process: subprocess.Popen[str]
    mixed: list[str]
    grouped: list[str]
    trees: list[str]
    errors: str
    page: Path

    @property
    def lines(self) -> list[Line]:
        return [Line(*match.groups()) for match in map(LINE.fullmatch, self.mixed) if match]

    def of(self, session_id: str, tool: str) -> list[Line]:
        """The lines of the one request that is this call."""
        ids = {
            line.request_id
            for line in self.lines
            if (line.session_id, line.tool) == (session_id, tool)
        }
        assert len(ids) == 1
        return [line for line in self.lines if line.request_id in ids]


@pytest.fixture(scope="module", params=["0", "1"], ids=["without", "with OpenTelemetry"])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    page = tmp_path_factory.mktemp("demo") / "page.html"
    command = [sys.executable, "-m", "asgi_trace", "demo", "--mcp", "-o", str(page)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command,
        env={**os.environ, "ASGI_TRACE_OTEL": request.param},
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    mixed, _, grouped = output.partition("\nThe same lines, by session and call:\n")
    grouped, _, trees = grouped.partition("\nOpenTelemetry's spans of each order:\n")
    parts = (mixed.splitlines(), grouped.splitlines(), trees.splitlines())
    return Demo(request.param == "1", process, *parts, errors, page)


def test_it_ends_well(demo: Demo) -> None:
    """By itself, with exit code 0 and nothing on standard error; and no process is left of it."""
    assert (demo.process.returncode, demo.errors) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.process.pid, signal.SIGKILL)


def test_every_line_is_in_the_story(demo: Demo) -> None:
    """
    Of which server, session, request and call; there is no other line, and no other traceback.
    """
    assert demo.mixed[:2] == [
        "Two customers at once, on two MCP servers. Their logs, as they are written:",
        "",
    ]
    assert [line for line in demo.mixed[2:] if not LINE.fullmatch(line)] == []
    told = {call: demo.of(*call) for call in STORY}
    assert sum(map(len, told.values())) == len(demo.lines)
    for (session_id, tool), expected in STORY.items():
        # A caret line differs with the Python; two servers' lines may come in either order.
        found = [
            line for line in told[session_id, tool] if not re.fullmatch(r"[ ~^]+", line.message)
        ]
        assert {line.session_id for line in found} == {session_id}
        for server in ("shop", "warehouse"):
            said = [(line.tool, line.message) for line in found if line.server == server]
            wanted = [(of, pattern) for where, of, pattern in expected if where == server]
            assert len(said) == len(wanted), said
            for (said_of, message), (of, pattern) in zip(said, wanted, strict=True):
                assert said_of == of
                assert re.fullmatch(pattern, message), message


def test_the_calls_overlap(demo: Demo) -> None:
    """Bob's lines stand among those of Alice's payment."""
    sessions = [line.session_id for line in demo.lines]
    paying = [index for index, line in enumerate(demo.lines) if line.tool == "pay"]
    assert "def67890" in sessions[paying[0] : paying[-1]]


def test_the_groups_are_the_same_lines(demo: Demo) -> None:
    """By session and call, none lost, none added, each under its own heading."""
    under: dict[tuple[str, str], list[str]] = {}
    session = heading = ""
    for line in demo.grouped:
        if found := re.fullmatch(r"\w+, session (\w+)", line):
            session = found[1]
        elif found := re.fullmatch(r"  tools/call .*: request (\w+)", line):
            heading = found[1]
        elif line.startswith("    "):
            under.setdefault((session, heading), []).append(line[4:])
    expected: dict[tuple[str, str], list[str]] = {}
    for text in demo.mixed[2:]:
        match = LINE.fullmatch(text)
        assert match
        expected.setdefault((match[4], match[3]), []).append(text)
    assert under == expected
    assert len(under) == len(STORY)


def test_it_ends_with_its_page(demo: Demo) -> None:
    """Which has the lines of both servers, and tells them apart: an order goes through both."""
    assert (demo.trees or demo.grouped)[
        -1
    ] == f"All of it on one page: {demo.page.resolve().as_uri()}"
    told = Told.in_file(demo.page)
    assert sorted(told.head["sessions"]) == ["abc12345", "def67890"]
    assert (told.head["unknown"], told.head["whole_seconds"]) == (0, False)
    for said in ("Asking the warehouse for the lamp", "Reserved the lamp", "Gateway slow"):
        assert said in told.messages
    requests = told.head["requests"]
    services = [told.head["services"][number] for number in requests["service"]]
    assert sorted(services) == ["shop"] * 4 + ["warehouse"] * 2
    callers = [
        requests["call"][parent].partition(" #")[0]
        for parent, service in zip(requests["parent"], services, strict=True)
        if service == "warehouse"
    ]
    assert callers == ["tools/call order"] * 2


def test_the_spans_of_an_order_are_one_tree(demo: Demo) -> None:
    """With OpenTelemetry: the warehouse's span is inside the shop's, in each of both orders."""
    trees = "\n".join(demo.trees[:-1]).strip("\n")
    assert bool(trees) is demo.has_spans
    found = [tree.split("\n") for tree in trees.split("\n\n") if tree]
    assert len(found) == (2 if demo.has_spans else 0)
    for tree in found:
        told = [re.fullmatch(r"( +)(\w+ .+) \d+ms", line) for line in tree]
        depths = {span[2]: len(span[1]) for span in told if span}
        assert len([depth for depth in depths.values() if depth == 2]) == 1, tree
        assert depths["shop tools/call order"] < depths["warehouse tools/call reserve"], tree


@pytest.mark.parametrize("missing", ["mcp", "uvicorn"])
def test_without_the_sdk_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from asgi_trace._cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "demo", "--mcp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install mcp uvicorn" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "told"),
    [("1", "pip install opentelemetry-sdk"), ("maybe", "ASGI_TRACE_OTEL is 'maybe'")],
)
def test_without_opentelemetry_it_says_what_is_wrong(value: str, told: str) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None; "
        "from asgi_trace._cli.main import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "demo", "--mcp"]
    # pydantic warns of logfire, its plugin, which does not bear the missing module either.
    environment = {**os.environ, "ASGI_TRACE_OTEL": value, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_server_that_does_not_start_is_one_sentence() -> None:
    code = "import sys; sys.executable = 'false'; from asgi_trace._cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", "--mcp"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == "the demo's warehouse ended before it listened; see its lines above\n"
