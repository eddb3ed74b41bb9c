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
_NEST = "\x1b[39m11/28/2026, 7:04:00 AM"
_CONTROLLER = "\x1b[39m \x1b[38;5;3m[AppController] \x1b[39m"
_PM2 = "\x1b[2m\x1b[90m2026-11-28-07:06:50 \x1b[39m\x1b[22m"
_PM2_ERROR = f"{_PM2}\x1b[31m0|shop  | \x1b[39m"


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
    "winston 3, its manual's printf": (
        "2026-11-28T06:57:59.748Z [right meow!] info: starting\n"
        "2026-11-28T06:57:59.751Z [right meow!] error: payment failed\n",
        [("", 2, 0, {}), ("", 4, 0, {})],
    ),
    "winston 3, simple, on a terminal": (
        "\x1b[31merror\x1b[39m: failed\n"
        "Error: payment failed\n"
        "    at Object.<anonymous> (/app/shop.js:3:11)\n"
        "\x1b[33mwarn\x1b[39m: slow\n",
        [("", 4, 2, {}), ("", 3, 0, {})],
    ),
    "consola 3, where there is no terminal": (
        "[error] payment failed\n"
        "  at shop.mjs:2:157\n"
        "\n"
        "  [cause]: inner\n"
        "    at shop.mjs:2:191\n"
        "[success] ok\n"
        "[fatal] dead\n"
        f"[info] [{UUID}] buying\n",
        [("", 4, 4, {}), ("", 2, 0, {}), ("", 5, 0, {}), (UUID, 2, 0, {})],
    ),
    "NestJS 11, with a prefix and colors": (
        f"\x1b[33m[Shop] 8633  - {_NEST} \x1b[33m   WARN{_CONTROLLER}Object(1) {{\n"
        "  items: \x1b[33m3\x1b[39m\n"
        "}\x1b[38;5;3m +0ms\x1b[39m\n"
        f"\x1b[31m[Shop] 8633  - {_NEST} \x1b[31m  ERROR{_CONTROLLER}about to fail\x1b[38;5;3m +6ms\x1b[39m\n",
        [("", 3, 2, {}), ("", 4, 0, {})],
    ),
    "morgan 1, short, without a user": (
        "::ffff:127.0.0.1 - GET /buy?item=1 HTTP/1.1 200 2 - 1.211 ms\n",
        [("", 0, 0, access("/buy?item=1", 200, 1.211))],
    ),
    "morgan 1, an id in brackets behind the time": (
        f"[2026-11-28T06:58:07.935Z] [{UUID}] GET /buy?item=1 200 - 1.205 ms\n"
        f"[2026-11-28T06:58:07.939Z] [{HEX}] GET /fail?id=2 500 - 0.909 ms\n",
        [
            (UUID, 0, 0, access("/buy?item=1", 200, 1.205)),
            (HEX, 0, 0, access("/fail?id=2", 500, 0.909)),
        ],
    ),
    "morgan 1, an id behind the time": (
        f"2026-11-28T06:58:07.624Z {UUID} GET /buy?item=1 200 1.429 ms\n"
        f"2026-11-28T06:58:07.628Z {HEX} GET /fail?id=2 500 1.093 ms\n",
        [
            (UUID, 0, 0, access("/buy?item=1", 200, 1.429)),
            (HEX, 0, 0, access("/fail?id=2", 500, 1.093)),
        ],
    ),
    "morgan 1, dev, an id at its end": (
        f"GET /buy?item=1 200 1.442 ms - 2 {UUID}\nGET /fail?id=2 500 0.915 ms - {HEX}\n",
        [
            (UUID, 0, 0, access("/buy?item=1", 200, 1.442)),
            (HEX, 0, 0, access("/fail?id=2", 500, 0.915)),
        ],
    ),
    "morgan 1, its manual's id in another form": (
        f"{HEX} GET /fail?id=2 0.882\n",
        [(HEX, 0, 0, {"access": {"method": "GET", "path": "/fail?id=2"}})],
    ),
    "morgan 1, the combined format, an id and the time": (
        f'::ffff:127.0.0.1 - - [28/Nov/2026:06:58:08 +0000] "GET /buy?item=1 HTTP/1.1" 200 2 "-" "curl/8.5.0" '
        f"{UUID} 1.254 ms\n",
        [(UUID, 0, 0, access("/buy?item=1", 200, 1.254))],
    ),
    "morgan 1, by a function": (
        '{"method":"GET","url":"/buy?item=1","status":200,"content_length":"2","response_time":1.307,'
        f'"request_id":"{UUID}"}}\n',
        [(UUID, 0, 0, access("/buy?item=1", 200, 1.307))],
    ),
    "morgan 1, tiny in the format of ECS, without a length": (
        '{"@timestamp":"2026-11-28T07:00:03.561Z","log.level":"error","message":"GET /fail?id=2 500 - - 0.412 ms",'
        f'"http":{{"request":{{"method":"GET","id":"{HEX}"}},"response":{{"status_code":500}}}},"url":{{"path":"/fail"}}}}\n',
        [(HEX, 4, 0, {"access": {"method": "GET", "path": "/fail", "status": 500}})],
    ),
    "koa-logger 4": (
        "  <-- GET /buy?item=1\n  --> GET /buy?item=1 200 16ms 2b\n"
        "  <-- GET /fail?id=2\n  xxx GET /fail?id=2 500 1ms -\n"
        "\n  Error: boom\n      at /app/shop.js:3:85\n\n  <-- GET /nothing\n",
        [
            ("", 0, 0, {"access": {"method": "GET", "path": "/buy?item=1"}}),
            ("", 0, 0, access("/buy?item=1", 200, 16.0)),
            ("", 0, 0, {"access": {"method": "GET", "path": "/fail?id=2"}}),
            ("", 0, 4, access("/fail?id=2", 500, 1.0)),
            ("", 0, 0, {"access": {"method": "GET", "path": "/nothing"}}),
        ],
    ),
    "koa-logger 4, with the id of cls-rtracer": (
        f"{HEX}   xxx GET /fail?id=2 500 0ms -\n\n  Error: boom\n      at /app/shop.js:3:85\n\n"
        f"{UUID}   <-- GET /buy?item=1\n{UUID}   --> GET /buy?item=1 200 14ms 2b\n",
        [
            (HEX, 0, 4, access("/fail?id=2", 500, 0.0)),
            (UUID, 0, 0, {"access": {"method": "GET", "path": "/buy?item=1"}}),
            (UUID, 0, 0, access("/buy?item=1", 200, 14.0)),
        ],
    ),
    "New Relic's agent 13, in JSON": (
        f'{{"level":"info","message":"buying NR-LINKING||vm|{TRACE}|bed530fbf0965831|shop|"}}\n'
        '{"level":"info","message":"starting NR-LINKING||vm|||shop|"}\n',
        [
            (TRACE, 2, 0, {"trace": TRACE, "inner": "bed530fbf0965831", "service": "shop"}),
            ("", 2, 0, {}),
        ],
    ),
    "pm2 7, logs --timestamp": (
        f"{_PM2}\x1b[32m0|shop  | \x1b[39m"
        f'{{"level":30,"time":1795849610427,"pid":13679,"hostname":"vm","reqId":"{UUID}","msg":"buying"}}\n'
        f"{_PM2_ERROR}2026-11-28T07:06:50.434Z ERROR [{HEX}] failed\n"
        f"{_PM2_ERROR}Error: boom\n"
        f"{_PM2_ERROR}    at say (/app/shop.js:2:204)\n",
        [(UUID, 2, 0, {"source": "shop"}), (HEX, 4, 2, {"source": "shop"})],
    ),
    "concurrently 9, with the time and the name": (
        '[2026-11-28 07:06:35.412 web] {"level":30,"time":1795849595376,"pid":1,"hostname":"vm",'
        f'"reqId":"{UUID}","msg":"x"}}\n'
        f"[2026-11-28 07:06:35.419 web] 2026-11-28T07:06:35.381Z ERROR [{HEX}] failed\n"
        "[2026-11-28 07:06:35.419 web] Error: boom\n"
        "[2026-11-28 07:06:35.419 web]     at say (/app/shop.js:2:204)\n",
        [(UUID, 2, 0, {"source": "web"}), (HEX, 4, 2, {"source": "web"})],
    ),
    "AWS Lambda's runtime for Node.js 3": (
        f"2026-11-28T07:50:30.626Z\t{UUID}\tINFO\tbuying {{ requestId: 'x1' }}\n"
        f'2026-11-28T07:50:30.637Z\t{UUID}\tERROR\tInvoke Error \t{{"errorType":"Error","errorMessage":"boom"}}\n',
        [(UUID, 2, 0, {}), (UUID, 4, 0, {})],
    ),
    "pino 10, by the instrumentation of OpenTelemetry": (
        f'{{"level":30,"time":1795849558028,"pid":9849,"hostname":"vm","trace_id":"{TRACE}","span_id":"593550e470fe83d9",'
        '"trace_flags":"01","msg":"buying"}\n',
        [(TRACE, 2, 0, {"trace": TRACE, "inner": "593550e470fe83d9"})],
    ),
    "winston 3, by dd-trace 5": (
        f'{{"dd":{{"env":"prod","service":"shop","span_id":"365451779232546757","trace_id":"{TRACE}","version":"1.0"}},'
        '"level":"info","message":"buying"}\n',
        [(TRACE, 2, 0, {"trace": TRACE, "inner": "365451779232546757", "service": "shop"})],
    ),
    "winston 3, as the manual of cls-rtracer has it": (
        "2026-11-28T06:58:02.229Z: Started\n"
        f"2026-11-28T06:58:02.242Z [request-id:{UUID}]: buying\n"
        f"2026-11-28T06:58:02.244Z [request-id:{HEX}]: Error: boom\n    at /app/shop.js:6:166\n",
        [("", 0, 0, {}), (UUID, 0, 0, {}), (HEX, 0, 1, {})],
    ),
    "bunyan 2, by its command": (
        f"[2026-11-28T06:58:02.487Z] ERROR: shop/1314 on vm: payment failed (req_id={UUID})\n"
        "    Error: payment failed\n        at Object.<anonymous> (/app/shop.js:2:98)\n"
        f"[2026-11-28T06:58:02.488Z]  INFO: shop/1314 on vm: done (req_id={HEX}, latency=3)\n"
        f"    GET /buy?x=1 HTTP/1.1\n    x-request-id: {UUID}\n    --\n    HTTP/1.1 200 OK\n",
        [(UUID, 4, 2, {}), (HEX, 2, 4, {})],
    ),
    "log4js 6, a pattern with the context": (
        f"[2026-11-28T06:58:03.461] [WARN] shop [{UUID}] - slow {{ items: 3, requestId: 'forged' }}\n"
        f"[2026-11-28T06:58:03.462] [ERROR] shop [{HEX}] - failed Error: payment failed\n"
        "    at Object.<anonymous> (/app/shop.js:4:159)\n    ... 4 lines matching cause stack trace ...\n"
        "    at node:internal/main/run_main_module:28:49 {\n  [cause]: Error: inner\n"
        "      at Object.<anonymous> (/app/shop.js:4:193)\n}\n"
        "[2026-11-28T06:58:03.460] [INFO] shop [null] - ready\n",
        [(UUID, 3, 0, {}), (HEX, 4, 6, {}), ("", 2, 0, {})],
    ),
    "Node.js 20, an error with others in it": (
        f"2026-11-28T07:07:56.902Z ERROR [{HEX}] failed AggregateError: both failed\n    at /app/shop.js:6:59 {{\n"
        "  [errors]: [\n    Error: one\n        at /app/shop.js:6:79,\n"
        "    TypeError: two\n        at /app/shop.js:6:96\n"
        f"  ],\n  config: {{\n    headers: {{ 'x-request-id': '{UUID}' }}\n  }}\n}}\n"
        f"2026-11-28T07:07:56.903Z WARN [{UUID}] next\n",
        [(HEX, 4, 11, {}), (UUID, 3, 0, {})],
    ),
    "Next.js 16, dev": (
        f"[{UUID}] buying\n"
        " GET /buy?item=1 200 in 79ms (next.js: 57ms, application-code: 21ms)\n"
        "\u2a2f Error: boom\n    at GET (app/fail/route.js:2:38)\n  1 | export const dynamic='force-dynamic';\n}\n"
        " GET /fail 500 in 313ms (next.js: 14ms, application-code: 299ms)\n",
        [
            (UUID, 0, 0, {}),
            ("", 0, 0, access("/buy?item=1", 200, 79.0)),
            ("", 0, 3, {}),
            ("", 0, 0, access("/fail", 500, 313.0)),
        ],
    ),
    "Turborepo 2": (
        f"@shop/web:dev: 2026-11-28T07:40:31.722Z ERROR [{HEX}] failed\n"
        "@shop/web:dev: Error: boom\n"
        "@shop/web:dev:     at say (/app/shop.js:2:204)\n"
        f'@shop/api:dev: {{"level":30,"time":1795851631722,"pid":1,"hostname":"vm","reqId":"{UUID}","msg":"buying"}}\n',
        [(HEX, 4, 2, {"source": "@shop/web"}), (UUID, 2, 0, {"source": "@shop/api"})],
    ),
    "Nx 24 and Lerna 9, a stream": (
        f'@shop/api: {{"level":30,"time":1795851657506,"pid":453,"hostname":"vm","reqId":"{UUID}","msg":"buying"}}\n'
        f"@shop/api: 2026-11-28T07:40:57.513Z ERROR [{HEX}] failed\n"
        "@shop/api: Error: boom\n"
        "@shop/api:     at say \x1b[90m(/app/\x1b[39mshop.js:2:204\x1b[90m)\x1b[39m\n",
        [(UUID, 2, 0, {"source": "@shop/api"}), (HEX, 4, 2, {"source": "@shop/api"})],
    ),
    "foreman 3 of npm": (
        f"7:06:44 AM web.1 |  2026-11-28T07:06:44.353Z INFO [{UUID}] buying\n"
        f"7:06:44 AM web.1 |  2026-11-28T07:06:44.354Z ERROR [{HEX}] failed\n"
        "7:06:44 AM web.1 |  Error: boom\n"
        "7:06:44 AM web.1 |      at say (/app/shop.js:2:204)\n",
        [(UUID, 2, 0, {"source": "web.1"}), (HEX, 4, 2, {"source": "web.1"})],
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


def test_pm2_writes_lines_without_quotes(tmp_path: Path) -> None:
    """Behind the names of its form: pm2 7 with logs --format."""
    front = "timestamp=2026-11-28-07:06:50+0000 app=shop id=0 type="
    path = tmp_path / "shop.log"
    path.write_text(
        f'{front}out message={{"level":30,"time":1795849610427,"pid":1,"reqId":"{UUID}","msg":"buying"}}\n'
        f"{front}error message=2026-11-28T07:06:50.434Z ERROR [{HEX}] failed\n"
        f"{front}error message=Error: boom\n"
        f"{front}error message=    at say (/app/shop.js:2:204)\n"
    )
    shop = {"source": "shop"}
    assert told(entries_in(path), [shop, shop]) == [(UUID, 2, 0, shop), (HEX, 4, 2, shop)]
