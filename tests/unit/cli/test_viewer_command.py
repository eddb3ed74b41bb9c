"""``asgi-trace view``: one file, whole or not at all, and a word on what it leaves out."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_trace._cli.main import main
from asgi_trace._cli.view import command

from ...viewer import Told, stamped

COMMAND = (sys.executable, "-m", "asgi_trace", "view")
STORY = [
    stamped(10, "starting", "none", "none"),
    stamped(15, "Processing payment", "r1", "abc12345"),
    stamped(16, "Loading profile", "r2", "def67890"),
    stamped(17, "Payment failed", "r1", "abc12345", "ERROR"),
    "Traceback (most recent call last):",
    "  KeyError",
    stamped(20, "Status check", "r3", "abc12345"),
]
MESSAGES = [
    "starting",
    "Processing payment",
    "Loading profile",
    "Payment failed\nTraceback (most recent call last):\n  KeyError",
    "Status check",
]


@pytest.fixture
def view(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[str], list[str]]]:
    """Run the command in this process, in a folder of its own; its exit code, and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, list[str], list[str]]:
        try:
            code = main(["view", *map(str, arguments)])
        except SystemExit as error:
            code = int(error.code or 0)
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("\n".join(STORY) + "\n")
    return path


def test_a_log_becomes_a_page(view: Any, log: Path, tmp_path: Path) -> None:
    """Named after it, in the current folder; and it tells what is on it."""
    assert view(log) == (
        0,
        ["app.log.html: 5 lines, 3 requests, 2 sessions, 1 line of no request"],
        [],
    )
    told = Told.in_file(tmp_path / "app.log.html")
    assert (told.messages, told.head["title"], told.head["files"]) == (
        MESSAGES,
        "app.log",
        [str(log)],
    )
    assert told.head["left_out"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.log", "app.log.html"]


@pytest.mark.parametrize(
    ("conditions", "shown", "left_out"),
    [
        (["--session", "abc12345"], [1, 3, 4], "2 lines not of session abc12345."),
        (["--session", "def67890-whole"], [2], "6 lines not of session def67890-whole."),
        (["--request", "r1"], [1, 3], "3 lines not of request r1."),
        (
            ["--request", "r3", "--session", "abc12345"],
            [4],
            "6 lines not of request r3 or not of session abc12345.",
        ),
        (["--since", "2024-01-15T10:30:17Z"], [3, 4], "3 lines older than {}."),
        (["--last", "3.5s"], [3, 4], "3 lines older than {}."),
        (["--last", "1h"], [0, 1, 2, 3, 4], None),
    ],
)
def test_it_can_be_narrowed_down(
    view: Any,
    log: Path,
    tmp_path: Path,
    conditions: list[str],
    shown: list[int],
    left_out: str | None,
) -> None:
    """And says what it left out: on the terminal, and on the page."""
    code, said, errors = view(*conditions, "-o", "trace.html", log)
    assert (code, errors) == (0, [])
    told = Told.in_file(tmp_path / "trace.html")
    assert told.messages == [MESSAGES[number] for number in shown]
    since = time.strftime(
        "%Y-%m-%d %H:%M:%S", time.localtime(1705314617 - ("--last" in conditions))
    )
    sentences = [left_out.format(since)] if left_out else []
    assert told.head["left_out"] == sentences
    assert said[1:] == [f"left out: {sentence}" for sentence in sentences]


def test_several_logs_are_one_page(view: Any, tmp_path: Path) -> None:
    """Packed ones too; each line tells from which."""
    (tmp_path / "a.log").write_text("\n".join(STORY[::2]))
    (tmp_path / "b.log.gz").write_bytes(gzip.compress("\n".join(STORY[1:4:2]).encode()))
    os.utime(tmp_path / "b.log.gz", (1, 1))
    assert view("a.log", "b.log.gz", "-o", "both.html")[0] == 0
    told = Told.in_file(tmp_path / "both.html")
    assert [message.split("\n")[0] for message in told.messages] == [
        message.split("\n")[0] for message in MESSAGES
    ]
    assert told.head["title"] == "b.log.gz and 1 more"
    assert (told.head["files"], told.chunks[0]["file"]) == (["b.log.gz", "a.log"], [1, 0, 1, 0, 1])


def test_a_log_with_two_names_is_read_once(view: Any, log: Path, tmp_path: Path) -> None:
    """As of ``*.log``, where a link leads to the present log."""
    (tmp_path / "latest.log").symlink_to("app.log")
    assert view("app.log", "latest.log", "./app.log", "-o", "page.html")[0] == 0
    told = Told.in_file(tmp_path / "page.html")
    assert (told.messages, told.head["files"]) == (MESSAGES, ["app.log"])


def piped(folder: Path, *arguments: str, given: bytes = b"") -> tuple[int, bytes, list[str]]:
    done = subprocess.run(
        [*COMMAND, *arguments], input=given, capture_output=True, timeout=60, cwd=folder
    )
    return done.returncode, done.stdout, done.stderr.decode().splitlines()


@pytest.mark.parametrize("name", [[], ["-"]])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("conditions", [[], ["--last", "1h"]])
def test_it_reads_standard_input(
    tmp_path: Path, name: list[str], pack: Any, conditions: list[str]
) -> None:
    """Also where it must be read twice, and packed."""
    code, out, errors = piped(tmp_path, *conditions, *name, given=pack("\n".join(STORY).encode()))
    assert (code, errors) == (0, [])
    assert out.decode() == "trace.html: 5 lines, 3 requests, 2 sessions, 1 line of no request\n"
    told = Told.in_file(tmp_path / "trace.html")
    assert (told.messages, told.head["files"]) == (MESSAGES, ["standard input"])


def test_it_writes_to_standard_output(tmp_path: Path) -> None:
    """The page, and nothing else."""
    code, out, errors = piped(tmp_path, "-o", "-", given="\n".join(STORY).encode())
    assert (code, Told.by(out).messages) == (0, MESSAGES)
    assert errors == ["standard output: 5 lines, 3 requests, 2 sessions, 1 line of no request"]
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--last", "5"],
            "--last is '5'; expected a number with its unit, such as 250ms, 1.5s, 10m, 2h or 1d",
        ),
        (
            ["--since", "noon"],
            "--since is 'noon'; expected how long ago, such as 10m, or a time such as '2024-01-15 10:30' or 10:30",
        ),
        (
            ["-o", "app.log"],
            "app.log: this is one of the logs, and is not overwritten; name another file with --output",
        ),
        (["-o", "missing/trace.html"], "missing/trace.html: No such file or directory"),
        (["-o", "."], ".: Is a directory"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    view: Any, log: Path, tmp_path: Path, arguments: list[str], error: str
) -> None:
    """Exit code 2, and nothing is written or lost."""
    assert view(*arguments, log) == (2, [], [f"asgi-trace view: {error}"])
    assert [path.name for path in tmp_path.iterdir()] == ["app.log"]
    assert log.read_text().splitlines() == STORY


@pytest.mark.parametrize(
    "arguments",
    [
        ["--follow", "-o", "x.html"],
        ["--since", "1h", "--last", "1h"],
        ["--port", "80"],
        ["--port", "x"],
    ],
)
def test_options_that_exclude_each_other_are_refused(
    view: Any, log: Path, arguments: list[str]
) -> None:
    code, said, errors = view(*arguments, log)
    assert (code, said) == (2, [])
    assert errors[-1].startswith("asgi-trace view: error: ")


def test_no_line_is_no_page(view: Any, log: Path, tmp_path: Path) -> None:
    """Exit code 1, as grep's."""
    (tmp_path / "empty.log").touch()
    assert view("empty.log") == (1, [], ["asgi-trace view: no line to show"])
    assert view(log, "--session", "nobody") == (
        1,
        [],
        ["asgi-trace view: no line matches the options"],
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.log", "empty.log"]


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(
    view: Any, log: Path, tmp_path: Path
) -> None:
    """On the page too; exit code 2."""
    packed = gzip.compress(os.urandom(5000))
    (tmp_path / "cut.gz").write_bytes(packed[:-100])
    code, said, errors = view("missing.log", "cut.gz", log, "-o", "trace.html")
    sentences = [
        "missing.log: No such file or directory",
        "cut.gz: Compressed file ended before the end-of-stream marker was reached",
    ]
    assert code == 2
    assert sorted(errors) == sorted(f"asgi-trace view: {sentence}" for sentence in sentences)
    assert len(said) == 1
    told = Told.in_file(tmp_path / "trace.html")
    assert [message for message in MESSAGES if message in told.messages] == MESSAGES
    summary = f"{told.head['summary']}."  # of random bytes, little is recognised
    assert sorted(told.head["left_out"]) == sorted([*sentences, summary])


@pytest.mark.parametrize("count", [1600, 3000, 7000])
@pytest.mark.parametrize("is_pipe", [False, True])
def test_a_page_holds_the_last_lines(
    view: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, is_pipe: bool
) -> None:
    """
    And says how many there were before them, and when they begin. Of a pipe, whose size is not
    known, it may hold fewer than a page has room for, and half of that at least.
    """
    monkeypatch.setattr(command, "MOST_ENTRIES", 1500)
    log = "".join(stamped(each / 200, str(each)) + "\n" for each in range(count))
    (tmp_path / "app.log").write_text(log)
    source = "app.log"
    if is_pipe:
        source = "pipe"
        os.mkfifo(tmp_path / source)
        threading.Thread(target=(tmp_path / source).write_text, args=(log,)).start()
    assert view(source, "-o", "page.html")[0] == 0
    told = Told.in_file(tmp_path / "page.html")
    shown = len(told.messages)
    assert 750 <= shown <= 1500 if is_pipe else shown == 1500
    dropped = count - shown
    assert told.messages == [str(each) for each in range(dropped, count)]
    assert told.head["requests"]["first_line"] == [0]
    first = 1705314600 + dropped / 200
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(first))
    assert told.head["left_out"] == [
        f"The first {dropped:,} lines, before {moment}: a page holds 1,500 lines, and these are the last. "
        "--session and --request show lines of any time."
    ]


def test_a_page_is_replaced_whole(view: Any, log: Path, tmp_path: Path) -> None:
    """What a link names is written, and the link stays."""
    (tmp_path / "real.html").write_text("old")
    (tmp_path / "link.html").symlink_to("real.html")
    assert view(log, "-o", "link.html")[0] == 0
    assert (tmp_path / "link.html").is_symlink()
    assert Told.in_file(tmp_path / "real.html").messages == MESSAGES


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this platform has no full device")
@pytest.mark.parametrize("target", ["-", "/dev/full"])
def test_a_page_that_cannot_be_written_is_one_sentence(log: Path, target: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, str(log), "-o", target], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    name = "standard output" if target == "-" else target
    assert (done.returncode, done.stderr.decode()) == (
        2,
        f"asgi-trace view: {name}: No space left on device\n",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
def test_a_terminal_shows_how_far_it_is(tmp_path: Path) -> None:
    """In one line that is gone in the end; elsewhere, nothing of it is written."""
    import pty

    path = tmp_path / "app.log"
    path.write_text(
        "".join(stamped(each / 1000, str(each), f"r{each // 10}") + "\n" for each in range(59_000))
    )
    controller, terminal = pty.openpty()
    code = (
        "import sys; from asgi_trace._cli.view import command; command._BETWEEN_TELLS = 0; "
        "from asgi_trace._cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = [sys.executable, "-c", code, "view", "app.log"]
    with subprocess.Popen(
        arguments, stderr=terminal, stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:
        os.close(terminal)
        sent = b""
        try:
            while data := os.read(controller, 65536):
                sent += data
        except OSError:  # how Linux says that the terminal is closed
            pass
        finally:
            os.close(controller)
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"app.log.html: 59,000 lines")
    shown = sent.decode().split("\r\x1b[K")
    assert shown[0] == shown[-1] == ""
    assert any("% of 4 MB" in each and "━" in each for each in shown), shown
    assert piped(tmp_path, "app.log")[2] == []
