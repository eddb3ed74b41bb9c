"""The demo's story, line by line, from the real command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ...viewer import Told

pytestmark = pytest.mark.servers  # uvicorn serves the demo, in its process

LINE = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) - (\w+) - "
    r"\[req=([^|]+)\|session=([^]|]+)(?:\|span=([0-9a-f]{16}))?\] ([-|]) ?(.*)"
)
ACCESS = r"%s %d \d+\.\dms \d+B http 127\.0\.0\.1:\d+ ttfb=\d+\.\dms(?: parent=[0-9a-f]{16})?"

STORY = {
    ("req-001", "abc12345"): [
        ("INFO", "Processing payment"),
        ("INFO", "Validating payment, in a thread"),
        ("INFO", "Reserving the lamp, in a task"),
        ("INFO", "Reserving the bulb, in a task"),
        ("WARNING", "Gateway slow"),
        ("INFO", "Payment complete"),
        ("INFO", ACCESS % ("POST /api/payment", 200)),
    ],
    ("req-002", "def67890"): [
        ("INFO", "Loading profile"),
        ("INFO", "Profile retrieved"),
        ("INFO", ACCESS % ("GET /api/profile", 200)),
    ],
    ("req-003", "abc12345"): [
        ("INFO", "Status check"),
        ("INFO", ACCESS % ("GET /api/status", 200)),
    ],
}
# A request that the shop sends has a traced caller, and so its lines have a span.
WAREHOUSE = [
    [
        ("INFO", f"Looking for the {item}"),
        ("INFO", f"Reserved the {item}"),
        ("INFO", ACCESS % (f"POST /reserve/{item}", 200)),
    ]
    for item in ("lamp", "bulb")
]
CRASH = [
    ("INFO", "Making the invoice"),
    ("INFO", r"GET /api/invoice 500 \d+\.\dms 0B http 127\.0\.0\.1:\d+ outcome=crash"),
    ("ERROR", "Exception in ASGI application"),
    ("ERROR", r"Traceback \(most recent call last\):"),
    ("ERROR", "KeyError: 'bulb'"),
]


COMMAND = [sys.executable, "-m", "asgi_trace", "demo"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(COMMAND, capture_output=True, text=True, timeout=120, env=environment)


def parts(demo: subprocess.CompletedProcess[str]) -> tuple[list[str], list[str]]:
    mixed, _, grouped = demo.stdout.partition("\nThe same lines, by session and request:\n")
    return mixed.splitlines(), grouped.splitlines()


def test_it_ends_well(demo: subprocess.CompletedProcess[str]) -> None:
    """By itself, with exit code 0, and nothing on standard error."""
    assert (demo.returncode, demo.stderr) == (0, "")


def test_every_line_of_the_mixed_log_is_in_the_story(
    demo: subprocess.CompletedProcess[str],
) -> None:
    """Each request has its lines, in order, and there is no other line."""
    matches = [LINE.fullmatch(line) for line in parts(demo)[0][2:]]
    assert all(matches)
    told: dict[tuple[str, str], list[tuple[str, str]]] = {}
    stored: dict[str, list[tuple[str, str]]] = {}
    for match in matches:
        assert match is not None
        of = (
            stored.setdefault(match[5], [])
            if match[5]
            else told.setdefault((match[3], match[4]), [])
        )
        of.append((match[2], match[7]))
    crashed = [ids for ids in told if ids not in STORY]
    assert len(crashed) == 1
    assert re.fullmatch("[0-9a-f]{32}", crashed[0][0])
    assert crashed[0][1] == "def67890"
    in_warehouse = sorted(stored.values(), key=lambda lines: lines[0], reverse=True)
    assert {match.group(3, 4) for match in matches if match and match[5]} == {
        ("req-001", "abc12345")
    }
    for found, expected in [
        *((told[ids], expected) for ids, expected in STORY.items()),
        *zip(in_warehouse, WAREHOUSE, strict=True),
    ]:
        assert len(found) == len(expected)
        for (level, text), (expected_level, pattern) in zip(found, expected, strict=True):
            assert level == expected_level
            assert re.fullmatch(pattern, text)
    lines = iter(told[crashed[0]])
    for expected_level, pattern in CRASH:
        assert any(
            level == expected_level and re.fullmatch(pattern, text) for level, text in lines
        ), pattern


def test_the_requests_overlap(demo: subprocess.CompletedProcess[str]) -> None:
    """Bob's lines stand among those of Alice's payment."""
    order = [match[3] for match in map(LINE.fullmatch, parts(demo)[0]) if match]
    first, last = order.index("req-001"), len(order) - 1 - order[::-1].index("req-001")
    assert "req-002" in order[first:last]


def test_the_groups_are_the_same_lines(demo: subprocess.CompletedProcess[str]) -> None:
    """By session and request, none lost, none added, each under its own heading."""
    mixed, grouped = parts(demo)
    under: dict[str, list[str]] = {}
    heading = ""
    for line in grouped:
        if found := re.fullmatch(r"  \w+ \S+: \d+, request (\S+)", line):
            heading = found[1]
        elif line.startswith("    "):
            under.setdefault(heading, []).append(line[4:])
    by_id: dict[str, list[str]] = {}
    for line in mixed[2:]:
        match = LINE.fullmatch(line)
        assert match is not None
        by_id.setdefault(match[3], []).append(line)
    assert under == by_id


def test_the_last_words_name_the_crash(demo: subprocess.CompletedProcess[str]) -> None:
    """The id that Bob got is the one that every line of the crash has."""
    *_, got, grep, _, _ = parts(demo)[1]
    found = re.fullmatch(r"Bob got a 500 with X-Request-ID: ([0-9a-f]{32})\.", got)
    assert found
    assert found[1] in grep
    assert sum(found[1] in line for line in parts(demo)[0]) >= len(CRASH)


def test_it_ends_with_its_page(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    """
    A temporary file, whose place is told: both customers, their four requests, the two that the
    payment causes in the warehouse, the slow gateway and the crash.
    """
    found = re.fullmatch(
        r"All of it on one page: file://(.+/asgi-trace-demo-\w+\.html)",
        demo.stdout.splitlines()[-1],
    )
    assert found
    assert [Path(found[1])] == [*folder.iterdir()]
    told = Told.in_file(Path(found[1]))
    requests = told.head["requests"]
    # In the order of their first requests, which are sent at once.
    sessions = [told.head["sessions"][number] for number in requests["session"]]
    shown = zip(sessions, requests["method"], requests["path"], requests["status"], strict=True)
    assert sorted(shown) == [
        ("abc12345", "GET", "/api/status", 200),
        ("abc12345", "POST", "/api/payment", 200),
        ("abc12345", "POST", "/reserve/bulb", 200),
        ("abc12345", "POST", "/reserve/lamp", 200),
        ("def67890", "GET", "/api/invoice", 500),
        ("def67890", "GET", "/api/profile", 200),
    ]
    payment = requests["path"].index("/api/payment")
    services = [told.head["services"][number] for number in requests["service"]]
    callers = zip(requests["path"], services, requests["parent"], strict=True)
    assert sorted(callers) == [
        ("/api/invoice", "shop", -1),
        ("/api/payment", "shop", -1),
        ("/api/profile", "shop", -1),
        ("/api/status", "shop", -1),
        ("/reserve/bulb", "warehouse", payment),
        ("/reserve/lamp", "warehouse", payment),
    ]
    assert requests["duration"][payment] >= 1000
    assert requests["first_byte"][payment] > requests["start"][payment]
    assert [gap[0] for gap in told.head["gaps"]].count(payment) >= 2
    assert (told.head["unknown"], told.head["whole_seconds"], sum(requests["late"])) == (
        0,
        False,
        0,
    )
    crash = requests["path"].index("/api/invoice")
    assert (requests["outcome"][crash], requests["level"][crash]) == ("crash", 4)
    assert any("KeyError: 'bulb'" in message for message in told.messages)


def test_its_page_can_have_a_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "-o", "demo.html"], capture_output=True, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(Told.in_file(tmp_path / "demo.html").head["requests"]["id"]) == 6


def test_a_page_that_cannot_be_written_is_one_sentence() -> None:
    done = subprocess.run(
        [*COMMAND, "-o", "missing/demo.html"], capture_output=True, text=True, timeout=120
    )
    said = "asgi-trace demo: missing/demo.html: No such file or directory\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["", "unbuffered"])
@pytest.mark.parametrize("command", [COMMAND, [*COMMAND, "--mcp"]], ids=["demo", "MCP demo"])
def test_it_ends_quietly_where_its_reader_has_enough(
    command: list[str], unbuffered: str, tmp_path: Path
) -> None:
    """As in ``asgi-trace demo | head -1``; and no page is left that nobody was told of."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout
        assert process.stderr
        for _ in range(3):  # the title, and the first line of the log
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 0
    assert list(tmp_path.glob("*.html")) == []


def test_without_uvicorn_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from asgi_trace._cli.main import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "asgi-trace demo: it is served by uvicorn: pip install uvicorn\n"
