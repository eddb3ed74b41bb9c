"""What was read is said: on a terminal, on the page, and wherever nothing was recognised."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from asgi_trace._cli.logs.summary import Reading, hints, summarize
from asgi_trace._cli.logs.wanted import same_session
from asgi_trace._cli.main import main

from ...viewer import Told, stamped


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([Reading("a", 7, 7)], "1 file, 100 % of 7 lines read"),
        ([Reading("a", 1, 1, unread=1)], "1 file, 0 % of 1 line read"),
        (
            [
                Reading("a", 60_000, 60_000, 2400, 40),
                Reading("b", 59_000, 59_000),
                Reading("c", 1000, 1000),
            ],
            "3 files, 98 % of 120,000 lines read, 40 without a date",
        ),
        ([Reading("a", 1000, 1000, unread=1)], "1 file, 99 % of 1,000 lines read"),
        ([Reading("a", 1000, 100, unread=50)], "1 file, about 50 % of 1,000 lines read"),
        ([Reading("a")], "1 file, no lines"),
    ],
)
def test_a_summary_is_one_line(readings: list[Reading], expected: str) -> None:
    assert summarize(readings) == expected


def test_a_zone_that_was_assumed_is_named() -> None:
    """By the name that was given."""
    from asgi_trace._cli.logs.times import read_zone

    reading = Reading("a", 1, 1, is_zone_assumed=True)
    assert summarize([reading], read_zone("Europe/Berlin")).endswith(
        ", zone assumed: Europe/Berlin"
    )


LOGS = {
    "text without a time": "step {} of the import is done",
    "text with a time": "2024-11-22 10:30:{:02d} INFO step of the import is done",
    "YAML or a table": "textPayload: step {} of the import is done",
    "JSON": '{{"time": "2024-11-22T10:30:{:02d}Z", "level": "INFO", "msg": "step"}}',
    "[req=none]": "2024-11-22 10:30:{:02d} - INFO - [req=none|session=none] - Started",
    "logfmt": 'time=2024-11-22T10:30:{:02d}Z level=info msg="step"',
    "access lines of a server": '1.2.3.4 - - [22/Nov/2024:10:30:{:02d} +0000] "GET / HTTP/1.1" 200 5 "-" "curl"',
}
REMEDIES = {
    "YAML or a table": "JSON can be read",
    "text without a time": "configure_logging() or TextFormatter",
    "text with a time": "configure_logging() or TextFormatter",
    "JSON": "JSONFormatter",
    "logfmt": "LogfmtFormatter",
    "[req=none]": "asgi-trace doctor checks whether an app is traced",
    "access lines of a server": "$request_id",
}


@pytest.mark.parametrize("kind", LOGS)
def test_a_log_without_ids_says_what_would_help(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Both commands: what its lines look like, and what puts ids into them. grep ends with 1, view has
    a page.
    """
    path, page = tmp_path / "nightly.log", tmp_path / "page.html"
    path.write_text("\n".join(LOGS[kind].format(number) for number in range(5)) + "\n")
    assert main(["grep", "--request", "r1", str(path)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    is_unread = kind in ("text without a time", "YAML or a table")
    what = "no line was recognised" if is_unread else "no line has a request id"
    together = "JSON, logfmt or [req=none]"
    seen = together if kind in together else kind
    assert err.startswith(f"asgi-trace grep: {what} (seen: 5 as {seen}); known are text ")
    for form in ("text", "JSON", "logfmt", REMEDIES[kind]):
        assert form in err
    assert main(["view", "-o", str(page), str(path)]) == 0
    sentence = capfd.readouterr().err.removeprefix("asgi-trace view: ").rstrip("\n")
    assert sentence == err.removeprefix("asgi-trace grep: ").rstrip("\n")
    told = Told.in_file(page)
    percent = 0 if is_unread else 100
    assert told.head["summary"].startswith(f"1 file, {percent} % of 5 lines read")
    # What was not recognised is said where a reader of the page looks.
    partly = [] if percent else [f"{told.head['summary']}."]
    assert told.head["left_out"] == [*partly, sentence]


def test_what_was_read_and_has_no_match_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """grep ends with 1: there are ids, and not this one."""
    path = tmp_path / "app.log"
    path.write_text(stamped(1, "x") + "\nprinted\n")
    assert main(["grep", "--request", "r2", str(path)]) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
@pytest.mark.parametrize("arguments", [["grep", "--request", "r1"], ["view", "-o", "page.html"]])
def test_a_terminal_is_told_what_was_read(tmp_path: Path, arguments: list[str]) -> None:
    import pty

    (tmp_path / "app.log").write_text(stamped(1, "x") + "\nprinted\n" + stamped(2, "y") + "\n")
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "asgi_trace", *arguments, "app.log"]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, cwd=tmp_path) as process:
        os.close(terminal)
        sent = b""
        try:
            while data := os.read(controller, 65536):
                sent += data
        except OSError:  # how Linux says that the terminal is closed
            pass
        finally:
            os.close(controller)
        assert process.wait(60) == 0
    assert re.search(r"asgi-trace \w+: 1 file, 67 % of 3 lines read\r\n", sent.decode())


def test_clocks_that_differ_by_minutes_are_no_zones() -> None:
    """Nor are requests that are only in one log."""
    zoned = Reading("a", ids={"r1": 0.0, "r2": 1000.0})
    for ids in (
        {"r1": 600_000.0},
        {"r1": 3_600_000.0, "r2": 0.0},
        {"r3": 3_600_000.0},
        {"r1": 0.0},
    ):
        zoneless = Reading("b", is_zone_assumed=True, has_ids=True, ids=ids)
        assert hints([zoneless, zoned]) == []


HEX = "773fa6885e03493498077a273d1b7f2d"


@pytest.mark.parametrize(
    ("logged", "wanted", "expected"),
    [
        ("customer-1", "customer-1", True),
        ("customer-1", "customer-2", False),
        ("customer-1", "customer-10", False),
        ("customer-10", "customer-1", False),
        ("tenant-1", "tenant-10", False),
        ("tenant-10", "tenant-1", False),
        ("customer", "customer-1", True),  # as logs before version 0.1 cut it
        ("customer-1", "customer", True),
        (HEX[:8], HEX, True),
        (HEX, HEX[:8], True),
        (HEX, HEX[:5], True),
        (HEX[:12], HEX, True),
        (HEX, HEX[:-1] + "0", False),
        ("cust", "customer", False),
        ("none", "no", False),
        ("none", "none", True),
        ("abc", "none", False),
    ],
)
def test_a_session_is_that_of_its_id(logged: str, wanted: str, expected: bool) -> None:
    """Whole, or as a line may have cut it."""
    assert same_session(logged, wanted) is expected


@pytest.mark.parametrize("name", ["customer", "tenant"])
@pytest.mark.parametrize("numbers", [(1, 2, 10), (10, 1, 2)])
def test_sessions_that_clients_named_are_told_apart(
    name: str, numbers: Sequence[int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By both commands, in text that shows them whole; also where one has eight characters."""
    path, page = tmp_path / "app.log", tmp_path / "page.html"
    ids = [f"{name}-{number}" for number in numbers]
    lines = [stamped(place, "x", f"r{place}", session) for place, session in enumerate(ids)]
    path.write_text("\n".join(lines) + "\n")
    for session, line in zip(ids, lines, strict=True):
        assert main(["grep", "--session", session, str(path)]) == 0
        assert capfd.readouterr().out.splitlines() == [line]
    assert main(["view", "-o", str(page), str(path)]) == 0
    assert Told.in_file(page).head["sessions"] == ids
