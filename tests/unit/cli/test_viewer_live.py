"""
``asgi-trace view --follow``: a real server, real clients, and logs that grow, rotate and are
truncated.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import http.client
import json
import lzma
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_trace._cli.logs.reader import Wanted
from asgi_trace._cli.view import live
from asgi_trace._cli.view.live import Tail

from ...serving import reserved_port
from ...viewer import Told, stamped

pytestmark = pytest.mark.servers  # of the command's own

PATIENCE = 60


class Following:
    """The command, run on *arguments*, and the pages that look at it."""

    def __init__(self, folder: Path, *arguments: str, **more: Any) -> None:
        command = [sys.executable, "-m", "asgi_trace", "view", "--follow", *arguments]
        self._open: list[Any] = []
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, **more
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        found = re.match(
            r"http://127\.0\.0\.1:(\d+)/ shows (.*) as it is written; Ctrl-C stops\n", self.said
        )
        assert found, (self.said, self.process.communicate(timeout=PATIENCE))
        self.port, self.title = int(found[1]), found[2]

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Ask, with an underscore for a hyphen in the names of *headers*."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self._open.append(connection)
        connection.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        self._open.append(connection.getresponse())
        return self._open[-1]

    def page(self) -> Page:
        return Page(self)

    def stop(self) -> tuple[int, str]:
        """Press Ctrl-C; the exit code, and what went wrong."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)
        for each in self._open:
            each.close()


class Page:
    """A page, and what it is told: as its script does it, without the browser."""

    def __init__(self, server: Following) -> None:
        body = server.ask().read()
        self.told = Told.by(body)
        address = re.search(rb'<meta name="asgi-trace-live" content="([^"]+)">', body)
        assert address, body[:2000]
        self.events = address[1].decode()
        self.stream = server.ask(self.events)
        assert self.stream.headers["Content-Type"] == "text/event-stream"
        self.last = ""

    def event(self) -> tuple[str, Any]:
        """The kind and the data of the next event."""
        kind, data = "message", None
        while line := self.stream.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                self.last = value
            elif name == "data":
                data = json.loads(value)
            elif not line.strip() and data is not None:
                return kind, data
        raise AssertionError("the stream has ended")

    def wait_for(self, *messages: str) -> None:
        """Take events until the last messages are these."""
        while tuple(self.told.messages[-len(messages) :]) != messages:
            kind, news = self.event()
            assert kind == "message"
            self.told.chunks.append(news["chunk"])
            for number, columns in news["requests"]:
                for name, value in columns.items():
                    self.told.head["requests"][name][number : number + 1] = [value]
            self.told.head["sessions"] += news["sessions"]


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as number:
        yield number


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Following]]:
    """
    Start the command in a folder of its own; in the end it stops cleanly, having said nothing of a
    fault.
    """
    with contextlib.ExitStack() as stack:
        running: list[Following] = []

        def start(*arguments: str, **more: Any) -> Following:
            running.append(stack.enter_context(Following(tmp_path, *arguments, **more)))
            return running[-1]

        yield start
        ends = [server.stop() for server in running]
        assert ends == [(0, "")] * len(running)


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    append(path, stamped(1, "first"), stamped(2, "second", "r2", "s2"))
    return path


def test_a_page_is_told_what_is_written(follow: Any, log: Path) -> None:
    """To what it has there already: lines, requests, sessions. Each page, whenever it came."""
    server = follow("app.log")
    assert server.title == "app.log"
    page = server.page()
    assert page.told.messages == ["first", "second"]
    append(log, stamped(3, "third", "r3", "s3"))
    page.wait_for("first", "second", "third")
    other = server.page()
    assert other.told.messages == ["first", "second", "third"]
    append(
        log,
        stamped(4, "failed", "r1", "s1", "ERROR"),
        "Traceback (most recent call last):",
        "  KeyError",
    )
    for each in (page, other):
        each.wait_for("third", "failed\nTraceback (most recent call last):\n  KeyError")
        assert each.told.head["sessions"] == ["s1", "s2", "s3"]
        assert each.told.head["requests"]["id"] == ["r1", "r2", "r3"]
        assert each.told.head["requests"]["level"] == [4, 2, 2]
        assert each.told.times == [0, 1, 2, 3]
    assert server.page().told.messages == page.told.messages


def test_a_page_says_what_was_read(follow: Any, log: Path) -> None:
    """Also of what came later; a line that was not recognised makes it a note."""
    server = follow(log.name)
    page = server.page()
    assert page.told.head["summary"].startswith("1 file, 100 % of 2 lines read")
    assert page.told.head["left_out"] == []
    append(log, "printed", stamped(3, "third"))
    page.wait_for("printed", "third")
    head = server.page().told.head
    assert head["summary"].startswith("1 file, 75 % of 4 lines read")
    assert head["left_out"] == [f"{head['summary']}."]


def test_a_page_that_was_disconnected_is_told_what_it_missed(follow: Any, log: Path) -> None:
    """And nothing twice; one of another server loads itself again."""
    server = follow("app.log")
    page = server.page()
    append(log, stamped(3, "third"))
    page.wait_for("third")
    page.stream.close()
    append(log, stamped(4, "fourth"))
    server.page().wait_for("fourth")
    page.stream = server.ask(page.events, Last_Event_ID=page.last)
    page.wait_for("third", "fourth")
    assert page.told.messages == ["first", "second", "third", "fourth"]
    for unknown in (
        "00000000-1",
        "",
        page.last.replace("-", "-9"),
        page.last.partition("-")[0] + "-x",
    ):
        page.stream = server.ask(f"/events?after={unknown}")
        assert page.event()[0] == "reset"


def test_a_log_that_is_rotated_goes_on(follow: Any, log: Path, tmp_path: Path) -> None:
    """
    Renamed and made anew, with the last lines of the old one; truncated; and copied, then
    truncated.
    """
    page = follow("app.log").page()
    append(log, stamped(3, "third"))
    page.wait_for("third")
    with log.open("a") as old:
        log.rename(tmp_path / "app.log.1")
        old.write(stamped(4, "last of the old") + "\n")
        old.flush()
        page.wait_for("third", "last of the old")
    append(log, stamped(5, "first of the new"))
    page.wait_for("last of the old", "first of the new")
    log.write_text("")
    append(log, stamped(6, "truncated"))
    page.wait_for("first of the new", "truncated")
    log.write_text(stamped(7, "longer than what was there before it was truncated") + "\n")
    page.wait_for("truncated", "longer than what was there before it was truncated")


def test_a_log_may_come_later(tmp_path: Path) -> None:
    """It is waited for, and that is said."""
    with Following(tmp_path, "app.log") as server:
        page = server.page()
        assert page.told.messages == []
        append(tmp_path / "app.log", stamped(1, "first"))
        page.wait_for("first")
        assert server.stop() == (
            0,
            "asgi-trace view: app.log: No such file or directory; waiting for it\n",
        )


def test_half_a_line_is_waited_for(follow: Any, log: Path) -> None:
    """And is shown when nothing comes; what then comes is a line of its own."""
    page = follow("app.log").page()
    with log.open("a") as file:
        file.write(stamped(3, "writt"))
        file.flush()
        time.sleep(live._BETWEEN_POLLS)  # what is tested is that this changes nothing
        file.write("en in two pieces\n")
        file.flush()
        page.wait_for("written in two pieces")
        file.write(stamped(4, "never ended"))
        file.flush()
        page.wait_for("never ended")
        file.write("?\n")
        file.flush()
        page.wait_for("never ended", "?")


def test_several_logs_are_followed_at_once(follow: Any, log: Path, tmp_path: Path) -> None:
    """What there is, by time; then, as it comes."""
    append(tmp_path / "b.log", stamped(1.5, "between", "r9", "s9"))
    (tmp_path / "latest.log").symlink_to("b.log")  # the same log
    page = follow("app.log", "b.log", "latest.log").page()
    assert page.told.messages == ["first", "between", "second"]
    append(tmp_path / "b.log", stamped(3, "of b"))
    page.wait_for("of b")
    append(log, stamped(4, "of app"))
    page.wait_for("of b", "of app")


def test_a_pipe_is_followed(follow: Any) -> None:
    """As of a container's log."""
    server = follow("-", stdin=subprocess.PIPE)
    assert server.process.stdin is not None
    assert server.title == "standard input"
    page = server.page()
    for message in ("first", "second"):
        server.process.stdin.write(stamped(1, message) + "\n")
        server.process.stdin.flush()
        page.wait_for(message)


def test_the_documents_of_a_pipe_are_followed(follow: Any) -> None:
    """As stern and journalctl print them, over several lines, while they are made."""
    server = follow("-", stdin=subprocess.PIPE)
    assert server.process.stdin is not None
    assert server.title == "standard input"
    page = server.page()
    for message in ("first", "second"):
        record = {"log": stamped(1, message), "stream": "stderr", "container_name": "shop"}
        server.process.stdin.write(json.dumps(record, indent=2) + "\n")
        server.process.stdin.flush()
        page.wait_for(message)


@pytest.mark.parametrize("is_empty", [False, True], ids=["lines", "empty"])
@pytest.mark.parametrize(
    ("before", "encoding"),
    [(" ", "utf-8"), ("", "utf-16"), ("", "utf-16-le")],
    ids=["rsyslog", "PowerShell", "PowerShell, without a mark"],
)
def test_lines_are_added_in_the_form_of_the_first_ones(
    tmp_path: Path, before: str, encoding: str, is_empty: bool
) -> None:
    """A template of the message alone puts a blank before each line; a shell writes UTF-16."""
    path = tmp_path / "app.log"
    lines = [f"{before}{stamped(second, 'é', f'r{second}')}\r\n" for second in (1, 2, 3)]
    data = "".join(lines).encode(encoding)
    first = 0 if is_empty else len("".join(lines[:2]).encode(encoding)) - 3
    path.write_bytes(data[:first])
    followed = live._Followed(str(path), 0, Wanted())
    found = [entry for batch in followed.so_far() for entry in batch]
    for piece in (data[first : first + 41], data[first + 41 :]):
        with path.open("ab") as file:
            file.write(piece)
        found += followed.news()
    followed.close()
    assert [(entry.request_id, entry.text[entry.message :]) for entry in found] == [
        (f"r{second}", "é") for second in (1, 2, 3)
    ]


@pytest.mark.parametrize("before", ["", "collector-1  | "], ids=["bare", "of a container"])
def test_the_documents_of_a_file_are_followed(follow: Any, log: Path, before: str) -> None:
    """As the collector's file exporter adds them, also where its container's log has them."""

    def document(message: str) -> str:
        record = {"body": {"stringValue": stamped(1, message)}}
        resource = {"scopeLogs": [{"logRecords": [record]}]}
        return before + json.dumps({"resourceLogs": [resource]})

    log.write_text(document("first") + "\n")
    page = follow("app.log").page()
    assert page.told.messages == ["first"]
    for message in ("second", "third"):
        append(log, document(message), stamped(2, f"behind the {message}"))
        page.wait_for(message, f"behind the {message}")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_log_is_read_beside_one_that_is_followed(
    follow: Any, log: Path, tmp_path: Path, pack: Any
) -> None:
    """By its bytes: its name may be any."""
    (tmp_path / "app.log.1").write_bytes(pack(f"{stamped(0.5, 'rotated')}\n".encode()))
    page = follow("app.log.1", "app.log").page()
    assert page.told.messages == ["rotated", "first", "second"]
    append(log, stamped(3, "third"))
    page.wait_for("third")


@pytest.mark.parametrize(
    ("conditions", "there", "later"),
    [
        (["--session", "s2"], ["second"], ["b"]),
        (["--request", "r1"], ["first"], ["a", "c"]),
        (["--since", "2024-01-15T10:30:02Z"], ["second"], ["a", "b", "c"]),
        (["--last", "500ms"], ["second"], ["a", "b", "c"]),
    ],
)
def test_it_can_be_narrowed_down(
    follow: Any, log: Path, conditions: list[str], there: list[str], later: list[str]
) -> None:
    page = follow("app.log", *conditions).page()
    assert page.told.messages == there
    assert len(page.told.head["left_out"]) == 1
    append(log, stamped(3, "a"), stamped(4, "b", "r2", "s2"), stamped(5, "c"))
    page.wait_for(*there, *later)


def test_only_loopback_names_are_answered(follow: Any, log: Path) -> None:
    """
    A stranger's name that resolves to here is refused, and so is what a stranger's page asks for by
    itself.
    """
    server = follow("app.log")
    for path in ("/", "/events"):
        for host in (
            "evil.example",
            f"evil.example:{server.port}",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "[::2]",
            "",
        ):
            answer = server.ask(path, Host=host)
            assert (answer.status, b"first" in answer.read()) == (403, False), host
        for site in ("cross-site", "same-site"):
            assert server.ask(path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
    for host in ("localhost", "LOCALHOST:80", f"127.0.0.1:{server.port}", "[::1]:9"):
        assert server.ask("/", Host=host).status == 200, host
    assert server.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )
        assert connection.makefile("rb").readline() == b"HTTP/1.1 403 Forbidden\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 403 " in connection.makefile("rb").readline()


def test_it_listens_on_loopback_alone(follow: Any, log: Path) -> None:
    """No other address of this machine is bound."""
    server = follow("app.log")
    with socket.socket() as other:
        # Linux: 127.0.0.2 is this machine too, and free only if the server did not bind all
        # addresses.
        other.bind(("127.0.0.2", server.port))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("GET", "/favicon.ico", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "//evil.example/", 404),
        ("POST", "/", 405),
        ("PUT", "/", 405),
        ("DELETE", "/events", 405),
        ("OPTIONS", "/", 405),
        ("BREW", "/", 501),
    ],
)
def test_it_answers_little(follow: Any, log: Path, method: str, path: str, status: int) -> None:
    """One page and one stream, to be read; nobody may frame it, keep it or guess at it."""
    answer = follow("app.log").ask(path, method)
    assert answer.status == status
    if method == "HEAD":
        assert answer.read() == b""
    if status == 405:
        assert answer.headers["Allow"] == "GET, HEAD"
    if status < 500:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_the_port_can_be_chosen(follow: Any, log: Path, tmp_path: Path, port: int) -> None:
    """One that is taken is one sentence."""
    server = follow("app.log", "--port", str(port))
    assert server.port == port
    command = [sys.executable, "-m", "asgi_trace", "view", "--follow", "app.log", "--port"]
    for taken, reason in (
        (str(port), "Address already in use"),
        ("99999", "bind(): port must be 0-65535."),
    ):
        done = subprocess.run(
            [*command, taken], capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"asgi-trace view: port {taken}: {reason}\n"


def test_ctrl_c_stops_it_with_pages_open(log: Path, tmp_path: Path) -> None:
    """At once, with exit code 0 and no traceback."""
    with Following(tmp_path, "app.log") as server:
        pages = [server.page() for _ in range(3)]
        append(log, stamped(3, "third"))
        for page in pages:
            page.wait_for("third")
        assert server.stop() == (0, "")
        assert pages[0].stream.read() == b""


def test_a_page_that_goes_away_is_no_error(follow: Any, log: Path) -> None:
    """In the middle of the page, or of the stream."""
    server = follow("app.log")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    page = server.page()
    page.stream.close()
    for number in range(3):
        append(log, stamped(3 + number, f"{number}"))
        server.page()


def test_what_is_remembered_is_bounded(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that has missed more loads itself again."""
    monkeypatch.setattr(live, "_MOST_REMEMBERED", 2000)
    trace = live._Trace([str(log)], live.Wanted())
    trace.load(None)
    address = re.search(rb"after=([\w-]+)", trace.page())
    assert address
    for number in range(10):
        append(log, stamped(3 + number, "x" * 500))
        for each in trace._followed:
            trace._take(each.news())
    events = trace.events(address[1].decode())
    assert [next(events), next(events)] == [b"retry: 1000\n\n", b"event: reset\ndata: {}\n\n"]
    trace.close()


def test_a_followed_log_keeps_its_last_lines(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there were at first, and have come since; pages load themselves again."""
    monkeypatch.setattr(live, "MOST_ENTRIES", 10)
    append(log, *(stamped(3 + number / 100, f"old {number}") for number in range(30)))
    trace = live._Trace([str(log)], live.Wanted())
    trace.load(None)
    told = Told.by(trace.page())
    assert told.messages == [f"old {number}" for number in range(25, 30)]
    assert told.head["left_out"][0].startswith("The first 27 lines, before ")
    run = trace._run
    for number in range(17):
        append(log, stamped(4 + number / 100, f"new {number}"))
        for each in trace._followed:
            trace._take(each.news())
        told = Told.by(trace.page())
        assert told.messages[-1] == f"new {number}"
        assert 5 <= len(told.messages) <= 10
    everything = [f"old {each}" for each in range(30)] + [f"new {each}" for each in range(17)]
    assert told.messages == everything[-len(told.messages) :]
    assert told.head["left_out"][0].startswith(
        f"The first {49 - len(told.messages)} lines, before "
    )
    assert trace._run != run
    trace.close()


def test_half_a_line_ends_with_its_file(tmp_path: Path) -> None:
    """Of one that was rotated, or truncated, before the line was complete."""
    path = tmp_path / "app.log"
    tail = Tail(str(path))
    path.write_bytes(b"whole\nhalf")
    assert [*tail.blocks()] == [b"whole\n"]
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(b"next\nhal")
    assert [*tail.blocks()] == [b"half\nnext\n"]
    path.write_bytes(b"last\n")
    assert [*tail.blocks()] == [b"hal\nlast\n"]
    path.write_bytes(b"cut")
    assert [*tail.blocks()] == []
    path.write_bytes(b"a")
    assert [*tail.blocks()] == [b"cut\n"]
    tail.close()


def test_much_is_read_in_parts(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line once, wherever one stops."""
    monkeypatch.setattr(live, "_PIECE", 100)
    tail = Tail(str(log))
    lines = [stamped(3 + number / 100, "x" * (number % 200)) for number in range(500)]
    append(log, *lines)
    read = b""
    while block := next(tail.blocks(), b""):
        assert len(block) < 500
        read += block
    assert read == log.read_bytes()
    tail.close()


def test_a_tail_has_each_line_once(tmp_path: Path) -> None:
    """Through any order of growth, rotation and truncation, as long as it looks in between."""
    path = tmp_path / "app.log"
    tail = Tail(str(path))
    wrote: list[bytes] = []
    got: list[bytes] = []
    for number, step in enumerate("aaraatarraattaacaara"):
        if step == "r" and path.exists():
            path.rename(tmp_path / f"app.log.{number}")
        elif step == "t":
            os.truncate(path, 0)
        elif step == "c":
            path.unlink()
        else:
            line = f"line {number}\n".encode()
            with path.open("ab") as file:
                file.write(line)
            wrote.append(line)
        got += b"".join(tail.blocks()).splitlines(keepends=True)
    assert got == wrote
    tail.close()
