"""
Lines that programs of Node.js have written: each log is the output of a program in the version that is
named, with the settings of its manual, and has two requests.

Stacks are shortened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_trace._cli.logs import grep
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.reader import Entry, read

UUID = "7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c5b6a"
HEX = "0b9cd6a7720f4ee6b0f1c7ffb07e3b59"
TRACE = "aa3d1e1fd8b81842e05b83adc2bcc58e"


def access(path: str, status: int, duration: float, method: str = "GET") -> dict[str, Any]:
    """The fields of a whole access line."""
    return {"access": {"method": method, "path": path, "status": status, "duration_ms": duration}}


# Each log, and what each of its records has: the id of its request, its level, the number of its
# further lines, and values of Entry.more.
LOGS: dict[str, tuple[str, list[tuple[str, int, int, dict[str, Any]]]]] = {
    "Fastify 5, the request and its outcome": (
        '{"level":30,"time":1795848918042,"pid":29372,"hostname":"vm","reqId":"req-1","req":{"method":"GET","url":"/buy?'
        'item=1","host":"localhost:41241","remoteAddress":"127.0.0.1","remotePort":56698},"msg":"incoming request"}\n'
        '{"level":30,"time":1795848918042,"pid":29372,"hostname":"vm","reqId":"req-1","msg":"buying"}\n'
        '{"level":30,"time":1795848918044,"pid":29372,"hostname":"vm","reqId":"req-1","res":{"statusCode":200},'
        '"responseTime":1.7886399999999867,"msg":"request completed"}\n',
        [
            ("req-1", 2, 0, {"access": {"method": "GET", "path": "/buy?item=1"}}),
            ("req-1", 2, 0, {}),
            ("req-1", 2, 0, {"access": {"status": 200, "duration_ms": 1.7886}}),
        ],
    ),
    "pino-http 11, with the names of its manual": (
        f'{{"level":30,"time":1795848916900,"pid":29316,"hostname":"vm","requestId":"{UUID}","response":{{"statusCode":'
        f'200,"headers":{{"x-request-id":"{UUID}"}}}},"timeTaken":1,"msg":"request completed"}}\n',
        [(UUID, 2, 0, {"access": {"status": 200, "duration_ms": 1.0}})],
    ),
    "pino-http 11, in the format of ECS": (
        '{"log.level":"info","@timestamp":"2026-11-28T07:00:03.969Z","process.pid":3507,"host.hostname":"vm",'
        f'"ecs.version":"8.10.0","req":{{"id":"{UUID}","method":"GET","url":"/buy?item=1","headers":{{"host":"localhost"}}'
        '},"responseTime":2,"http":{"response":{"status_code":200}},"message":"request completed"}\n',
        [(UUID, 2, 0, access("/buy?item=1", 200, 2.0))],
    ),
    "hapi-pino 13": (
        f'{{"level":30,"time":1795849444618,"pid":8734,"hostname":"vm","req":{{"id":"{UUID}","method":"get","url":"/buy",'
        '"query":{"item":"1"},"remoteAddress":"127.0.0.1"},"res":{"statusCode":200},"responseTime":8,'
        '"msg":"[response] get /buy 200 (8ms)"}\n',
        [(UUID, 2, 0, access("/buy", 200, 8.0))],
    ),
    "roarr 7": (
        f'{{"context":{{"package":"shop","requestId":"{UUID}","n":1,"logLevel":40}},"message":"slow","sequence":"1","time":'
        '1795849204642,"version":"2.0.0"}\n'
        f'{{"context":{{"requestId":"{HEX}","logLevel":30}},"message":"adopted","sequence":"4.0","time":1795849204642,'
        '"version":"2.0.0"}\n',
        [(UUID, 3, 0, {}), (HEX, 2, 0, {})],
    ),
    "winston 3, colorize and json": (
        f'{{"items":3,"level":"\\u001b[33mwarn\\u001b[39m","message":"slow","requestId":"{UUID}"}}\n'
        f'{{"level":"\\u001b[31merror\\u001b[39m","message":"failed","requestId":"{HEX}"}}\n',
        [(UUID, 3, 0, {}), (HEX, 4, 0, {})],
    ),
    "morgan 1, by a function": (
        '{"method":"GET","url":"/buy?item=1","status":200,"content_length":"2","response_time":1.307,'
        f'"request_id":"{UUID}"}}\n',
        [(UUID, 0, 0, access("/buy?item=1", 200, 1.307))],
    ),
    "New Relic's agent 13, in JSON": (
        f'{{"level":"info","message":"buying NR-LINKING||vm|{TRACE}|bed530fbf0965831|shop|"}}\n'
        '{"level":"info","message":"starting NR-LINKING||vm|||shop|"}\n',
        [
            (TRACE, 2, 0, {"trace": TRACE, "inner": "bed530fbf0965831", "service": "shop"}),
            ("", 2, 0, {}),
        ],
    ),
}


def entries_in(path: Path) -> list[Entry]:
    return [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]


def told(entries: list[Entry], names: list[dict[str, Any]]) -> list[tuple[str, int, int, Any]]:
    """What entries have of what is expected of them."""
    return [
        (
            entry.request_id,
            entry.level,
            entry.text.count("\n"),
            {name: (entry.more or {}).get(name) for name in more},
        )
        for entry, more in zip(entries, names, strict=True)
    ]


@pytest.mark.parametrize(("log", "expected"), LOGS.values(), ids=LOGS)
def test_each_record_has_its_request(
    tmp_path: Path, log: str, expected: list[tuple[str, int, int, dict[str, Any]]]
) -> None:
    """Its level, its stack and the fields of its access line, too."""
    path = tmp_path / "shop.log"
    path.write_text(log, encoding="utf-8")
    assert told(entries_in(path), [more for *_, more in expected]) == expected


ENVELOPES: dict[str, Callable[[str], str]] = {
    "docker compose logs": lambda line: f"front-1  | {line}",
    "kubectl logs --prefix": lambda line: f"[pod/front-7d9/front] {line}",
    "containerd": lambda line: f"2026-11-28T07:06:35.412000000Z stdout F {line}",
    "docker json-file": lambda line: json.dumps(
        {"log": f"{line}\n", "stream": "stdout", "time": "2026-11-28T07:06:35.412000000Z"}
    ),
}


@pytest.mark.parametrize("wrap", ENVELOPES.values(), ids=ENVELOPES)
@pytest.mark.parametrize(("log", "expected"), LOGS.values(), ids=LOGS)
def test_the_same_in_an_envelope(
    tmp_path: Path,
    log: str,
    expected: list[tuple[str, int, int, dict[str, Any]]],
    wrap: Callable[[str], str],
) -> None:
    path = tmp_path / "shop.log"
    lines = log.removesuffix("\n").split("\n")
    path.write_text("".join(f"{wrap(line)}\n" for line in lines), encoding="utf-8")
    assert told(entries_in(path), [more for *_, more in expected]) == expected


@pytest.mark.parametrize(("log", "expected"), LOGS.values(), ids=LOGS)
def test_grep_shows_the_lines_of_a_request(
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
    log: str,
    expected: list[tuple[str, int, int, dict[str, Any]]],
) -> None:
    """Unchanged, with their stacks, and those of no other one; an empty line behind them does not count."""
    path = tmp_path / "shop.log"
    path.write_text(log, encoding="utf-8")
    lines = iter(log.splitlines(keepends=True))
    records = [
        (request, "".join(next(lines) for _ in range(1 + further)))
        for request, _, further, _ in expected
    ]
    for wanted in {request for request, _ in records if request}:
        assert grep.run([str(path)], request=wanted) == 0
        shown = capsysbinary.readouterr().out.decode()
        texts = [text for request, text in records if request == wanted]
        assert shown.replace("\n\n", "\n") == "".join(texts).replace("\n\n", "\n")
