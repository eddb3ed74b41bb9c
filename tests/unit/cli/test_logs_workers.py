"""
Workers read the blocks of large logs: the page is the same, and without them nothing is missing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from asgi_trace._cli.logs import reader, workers
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.reader import Entry, read
from asgi_trace._cli.logs.summary import Reading
from asgi_trace._cli.logs.wanted import Wanted
from asgi_trace._cli.logs.workers import Workers
from asgi_trace._cli.view import command
from asgi_trace._cli.view.model import Trace
from asgi_trace._cli.view.packing import packed, packing_in
from asgi_trace._core.lines import format_json, format_logfmt, format_text
from asgi_trace._core.record import Record

BLOCK = 4000
_NOT_ASCII = " naïve \U0001f600"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_trace._cli.logs.files._BLOCK", BLOCK)


@pytest.fixture
def some() -> Iterator[Workers]:
    with Workers(count=2) as found:
        yield found


def _record(number: int) -> Record:
    message = "POST /api/items 500 12.3ms 345B http 127.0.0.1:1 ttfb=4.1ms"
    return Record(
        f"2024-01-15T10:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
        "ERROR" if number % 50 == 0 else "INFO",
        "shop",
        message if number % 10 == 9 else f"item {number}{_NOT_ASCII * (number % 9 == 8)}",
        f"{number // 10:032x}",
        f"session-{number % 3}",
        f"{number // 10 + 1:032x}",
        exception={"type": "KeyError", "stacktrace": "Traceback"} if number % 50 == 0 else None,
    )


def _log(form: str, count: int = 400) -> bytes:
    write = {
        "text": lambda record: format_text(record._replace(time=record.time[:19]), {}),
        "json": format_json,
        "logfmt": format_logfmt,
    }[form]
    lines = [write(_record(number)) for number in range(count)]
    lines[7] = "Traceback (most recent call last):\n  File 'x', line 1"
    lines[99] = "no line of ours"
    return "\n".join(lines).encode() + b"\n\xff\xfe half a line"


_TIME = "2024-01-15T10:00:00.123456789Z"


def _of_docker(line: str) -> str:
    return json.dumps({"log": f"{line}\n", "stream": "stdout", "time": _TIME})


_ENVELOPES: dict[str, Callable[[str], str]] = {
    "compose": lambda line: f"front-1  | {line}",
    "kubectl": lambda line: f"[pod/front-7d9c8b6f5-x2x4z/front] {line}",
    "CRI": lambda line: f"{_TIME} stdout F {line}",
    "docker": _of_docker,
    "compose around docker": lambda line: f"front-1  | {_of_docker(line)}",
}


def _trace(path: Path, monkeypatch: pytest.MonkeyPatch, *, is_large: bool) -> Trace:
    monkeypatch.setattr(command, "_LARGE", 0 if is_large else 1 << 60)
    monkeypatch.setattr(command, "cores", lambda: 2)
    log = Log(str(path), pytest.fail)
    trace = command.trace_of([log], Wanted(), lambda: None, [Reading(log.name)])
    trace.head["created"] = 0
    return trace


@pytest.mark.parametrize("form", ["text", "json", "logfmt"])
def test_a_page_is_the_same_with_workers(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(_log(form))
    assert _trace(path, monkeypatch, is_large=True) == _trace(path, monkeypatch, is_large=False)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("envelope", _ENVELOPES)
def test_workers_take_envelopes_off(
    envelope: str, form: str, tmp_path: Path, some: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among the lines is one of another pod, one that the runtime has split, and one without any."""
    lines = _log(form).decode("utf-8", "replace").split("\n")
    wrapped = [_ENVELOPES[envelope](line) for line in lines]
    wrapped[50] = wrapped[50].replace("front-1", "other-2").replace("stdout F", "stdout P")
    wrapped[120] = lines[120]
    path = tmp_path / "app.log"
    path.write_text("\n".join((*wrapped, "")))
    taken: list[tuple[str, ...]] = []
    wrapping_of = reader.wrapping_of

    def noted(*arguments: Any) -> tuple[str, ...]:
        taken.append(wrapping_of(*arguments))
        return taken[-1]

    monkeypatch.setattr(reader, "wrapping_of", noted)
    assert _entries(path, some) == _entries(path, None)
    assert len(taken) > 5


def _entries(path: Path, found: Workers | None) -> list[Entry]:
    return [entry for batch in read(Log(str(path), pytest.fail), workers=found) for entry in batch]


def test_workers_read_nearly_all_blocks_of_ours(tmp_path: Path, some: Workers) -> None:
    blocks = [_log("json")[: -len(b"\n\xff\xfe half a line")] + b"\n"] * 3
    assert [done is not None for _, done in some.read(blocks)] == [True] * 3


def test_workers_that_die_cost_nothing_but_time(tmp_path: Path, some: Workers) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(_log("json"))
    some._start()
    for process in some._processes:
        process.kill()
    assert _entries(path, some) == _entries(path, None)


def test_workers_that_die_between_two_blocks_cost_nothing_but_time(some: Workers) -> None:
    """Each block comes back in its order, with a result or without one."""
    blocks = [
        f"{_log('json', count).decode('utf-8', 'replace')}\n".encode() for count in (110, 120)
    ]

    def dying() -> Iterator[bytes]:
        yield blocks[0]
        for process in some._processes:
            process.kill()
            process.wait()
        yield blocks[1]

    results = list(some.read(dying()))
    assert [block for block, _ in results] == blocks
    assert results[1][1] is None


def test_an_idle_worker_packs_a_chunk(some: Workers) -> None:
    """What it returns is the same, whatever is in the columns."""
    data = {
        "common": [0, 0, 1],
        "t": [0, 15, 20],
        "level": [2, 4],
        "late": [1],
        "errors": [(2, 0)],
        "text": ["usual", "naïve \ud800", 'a "quote"'],
        "heads": ["one", ""],
        "head": [0, 1],
        "message": 0,
    }
    some._start()
    assert some.call(packed, data) == packed(data)
    assert packing_in(some)(data) == packed(data)


def test_what_no_worker_packs_is_packed_here(some: Workers) -> None:
    """None is started, all are busy, or all have died."""
    data = {"text": ["usual"]}
    pack = packing_in(some)
    assert some.call(packed, data) is None
    assert pack(data) == packed(data)
    some._start()
    busy = [some._idle.get_nowait() for _ in some._processes]
    assert some.call(packed, data) is None
    for process in busy:
        assert process is not None
        process.kill()
        process.wait()
        some._idle.put(process)
    assert [pack(data) for _ in range(5)] == [packed(data)] * 5
    assert [done for _, done in some.read([b"{}\n"] * 5)] == [None] * 5


@pytest.mark.parametrize("answer", [None, b"", b"no marshal", b"("])
def test_an_answer_that_is_not_whole_is_none(answer: bytes | None) -> None:
    future: Future[bytes | None] = Future()
    future.set_result(answer)
    assert workers._result_of(b"block", future) == (b"block", None)


def test_workers_that_cannot_be_started_cost_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(_log("text"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with Workers(count=2) as found:
        assert _entries(path, found) == _entries(path, None)


def test_workers_end_with_their_reader(some: Workers) -> None:
    some._start()
    processes = list(some._processes)
    assert processes
    some.close()
    assert all(process.returncode is not None for process in processes)


@pytest.mark.parametrize("zone", [timezone.utc, ZoneInfo("Europe/Berlin")])
def test_workers_know_the_zone(zone: timezone | ZoneInfo) -> None:
    """And leave an hour that comes twice to the reader, which knows the line before."""
    assert workers.read_zone(workers._name_of(zone)).utcoffset(None) == zone.utcoffset(None)
    line = "2024-01-15 10:30:15 - INFO - [req=a|session=b] - x\n"
    twice = line.replace("2024-01-15 10", "2024-10-27 02")
    assert workers.parsed(line, zone) is not None
    assert (workers.parsed(twice, zone) is None) == (zone is not timezone.utc)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_page_that_is_interrupted_leaves_no_worker(tmp_path: Path) -> None:
    """The command is in its own group, whose members all get the signal, as from a terminal."""
    path = tmp_path / "app.log"
    path.write_bytes(_log("json", 2000))
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    program = (
        "import sys\n"
        "from asgi_trace._cli.logs import workers\n"
        "from asgi_trace._cli.view import command\n"
        "from asgi_trace._cli.main import main\n"
        "command._LARGE, command.cores = 0, lambda: 2\n"
        "start = workers.Workers._start\n"
        "def started(self):\n"
        "    start(self)\n"
        "    print(*[each.pid for each in self._processes], flush=True)\n"
        "workers.Workers._start = started\n"
        "sys.exit(main(['view', *sys.argv[1:]]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(fifo), "-o", str(tmp_path / "page.html")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        pids = [int(each) for each in process.stdout.readline().split()]
        assert pids
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
