"""
Ids, levels and access fields where other writers put them: one case for each row of the tables.
"""

from __future__ import annotations

import json
import warnings
from datetime import timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace._cli.logs.levels import level_of
from asgi_trace._cli.logs.named import entry_of_fields
from asgi_trace._cli.logs.names import ROLES
from asgi_trace._cli.logs.reader import Entry, LineReader
from asgi_trace._cli.logs.records import Records
from asgi_trace._cli.logs.roles import Names
from asgi_trace._cli.logs.times import Clock
from asgi_trace._core.lines import format_json, format_logfmt, parse_fields
from asgi_trace._core.record import Record

HEX = "4bf92f3577b34da6a3ce929d0e0e4736"
UUID = "7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c5b6a"
SPAN = "00f067aa0ba902b7"
_ZEROS = str.maketrans(dict.fromkeys("123456789abcdef", "0"))


def entry_of(line: str) -> Entry:
    reader = LineReader()
    (entry,) = reader.read([line]) + reader.finish()
    return entry


TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenStack": (
        f"2024-11-22 10:30:15.250 12 INFO nova.api [req-{UUID} admin demo - - -] GET /servers",
        {"request": f"req-{UUID}", "level": 2},
    ),
    "OpenStack with a global id": (
        f"2024-11-22 10:30:15.250 12 ERROR nova.api [None req-{UUID} admin demo] failed",
        {"request": f"req-{UUID}", "level": 4},
    ),
    "Spring Boot": (
        f"2024-11-22T10:30:15.250Z  WARN 12 --- [shop] [nio-8080-exec-1] [{HEX}-{SPAN}] c.e.Shop : slow",
        {"request": HEX, "trace": HEX, "inner": SPAN, "level": 3},
    ),
    "Sleuth": (
        f"2024-11-22 10:30:15.250  INFO [shop,{HEX},{SPAN},true] 12 --- [main] c.e.Shop : paid",
        {"request": HEX, "trace": HEX, "inner": SPAN},
    ),
    "AWS API Gateway's access log": (
        f'1.2.3.4 - - [22/Nov/2024:10:30:15 +0000]"GET /x HTTP/1.1" 502 5 {UUID} JKJaXmPLvHcESHA=',
        {"request": UUID, "access": {"method": "GET", "path": "/x", "status": 502}},
    ),
    "AWS API Gateway's access log of an HTTP API": (
        '1.2.3.4 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 502 5 JKJaXmPLvHcESHA=',
        {"request": "JKJaXmPLvHcESHA=", "access": {"method": "GET", "path": "/x", "status": 502}},
    ),
    "AWS API Gateway's execution log": (
        f"({UUID}) HTTP Method: GET, Resource Path: /x",
        {"request": UUID},
    ),
    "AWS API Gateway's execution log, end": (
        f"({UUID}) Method completed with status: 502",
        {"request": UUID, "access": {"status": 502}},
    ),
    "the servers of IBM": (
        f"[11/22/24, 10:30:15:250 UTC] 00000020 com.ibm.ws.x.Shop        E CWWKZ0002E: request_id={UUID} x",
        {"request": UUID, "level": 4},
    ),
    "the servers of IBM, with a date of ISO 8601": (
        "[2024-11-22T10:30:15.250+0000] 00000020 com.ibm.ws.x.Shop        W CWWKZ0002W: x",
        {"level": 3},
    ),
    "syslog's names of levels": (
        f"2024-11-22 10:30:15,250 CRIT request_id={UUID} x",
        {"request": UUID, "level": 5},
    ),
    "java.util.logging in one line": (
        "2024-11-22 10:30:15.250 FINEST com.example.Shop x",
        {"level": 1},
    ),
    "a level in brackets, in words of .NET": (
        "2024-11-22 10:30:15.250 [Information] x",
        {"level": 2},
    ),
    "Nagios, where an alert is no level": ("[1732271415] SERVICE ALERT: x", {"level": 0}),
    "Rails": (f"[{UUID}] Processing by OrdersController#create as JSON", {"request": UUID}),
    "Rails, start": (
        f'[{UUID}] Started POST "/orders" for 127.0.0.1 at 2024-11-22 10:30:15 +0000',
        {"request": UUID, "access": {"method": "POST", "path": "/orders"}},
    ),
    "Rails, end": (
        f"I, [2024-11-22T10:30:15.250000 #8]  INFO -- : [{UUID}] Completed 500 Internal Server Error in 12ms",
        {"request": UUID, "access": {"status": 500, "duration_ms": 12.0}},
    ),
    "AWS Lambda": (f"START RequestId: {UUID} Version: $LATEST", {"request": UUID}),
    "AWS Lambda, Python": (
        f"[ERROR]\t2024-11-22T10:30:15.250Z\t{UUID}\tfailed",
        {"request": UUID, "level": 4},
    ),
    "AWS Lambda, end": (
        f"REPORT RequestId: {UUID}\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB",
        {"request": UUID, "access": {"duration_ms": 12.5}},
    ),
    "nginx": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x?y=1 HTTP/1.1" 502 157 "-" "curl/8" {HEX}',
        {"request": HEX, "access": {"method": "GET", "path": "/x?y=1", "status": 502}},
    ),
    "nginx, quoted": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8" rt=0.250 "{HEX}"',
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 250.0},
        },
    ),
    "nginx, before its times": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8" {HEX} '
        "0.250 0.249 10.0.0.2:80 .",
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 250.0},
        },
    ),
    "nginx, quoted, before its time": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8" "{HEX}" "0.250"',
        {"request": HEX, "access": {"method": "GET", "path": "/x", "status": 200}},
    ),
    "nginx, named": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8" request_id={HEX}',
        {"request": HEX, "access": {"method": "GET", "path": "/x", "status": 200}},
    ),
    "nginx's error log": (
        "2024/11/22 10:30:15 [crit] 31#31: *7 connect() failed",
        {"request": "", "level": 5},
    ),
    "ingress-nginx": (
        '10.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 190 "-" "curl/8" 80 0.250 '
        f"[shop-front-80] [] 10.0.0.2:80 190 0.250 503 {HEX}",
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "Envoy": (
        '[2024-11-22T10:30:15.250Z] "GET /x HTTP/1.1" 503 UF 0 91 250 - "10.0.0.1" "curl/8" '
        f'"{UUID}" "shop" "10.0.0.2:80"',
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "Istio": (
        '[2024-11-22T10:30:15.250Z] "GET /x HTTP/1.1" 200 - via_upstream - "-" 0 91 250 249 "-" "curl/8" '
        f'"{UUID}" "shop" "10.0.0.2:80" inbound|80|| 127.0.0.1:1 10.0.0.2:80 10.0.0.1:2 - default',
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 250.0},
        },
    ),
    "HAProxy": (
        "127.0.0.1:50312 [22/Nov/2024:10:30:15.250] front back/s1 0/0/1/12/250 503 157 - - ---- 1/1/0/0/0 0/0 "
        f'{{{HEX}|curl}} "GET /x HTTP/1.1"',
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "HAProxy, its id first": (
        f"{UUID} 127.0.0.1:50312 [22/Nov/2024:10:30:15.250] front back/s1 0/0/1/12/250 503 157 - - ---- "
        '1/1/0/0/0 0/0 "GET /x HTTP/1.1"',
        {
            "request": UUID,
            "service": None,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "AWS ALB": (
        "http 2024-11-22T10:30:15.250000Z app/shop/50dc6c495c0c9188 10.0.0.1:2817 10.0.0.2:80 0.001 0.250 0.000 502 "
        '502 34 366 "GET http://shop.example:80/x HTTP/1.1" "curl/8" - - arn:aws:x '
        '"Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0',
        {
            "request": "Root=1-58337262-36d228ad5d99923122bbe354",
            "access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0},
        },
    ),
    "traefik": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl/8" 1 "shop@docker" '
        '"http://10.0.0.2:80" 250ms',
        {
            "request": "",
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 250.0},
        },
    ),
    "OpenStack's requests": (
        f'2024-11-22 10:30:15.250 12 INFO nova.wsgi [None req-{UUID} a b] 10.0.0.1 "GET /x HTTP/1.1" status: 200'
        " len: 5 time: 0.2500000",
        {
            "request": f"req-{UUID}",
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 250.0},
        },
    ),
    "lograge in Rails' format": (
        f"I, [2024-11-22T10:30:15.250000 #8]  INFO -- : [{UUID}] method=GET path=/x format=html controller=A "
        "action=b status=503 duration=250.50 view=1.00",
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    # 0.10.0
    "lograge, an error": (
        f"[{UUID}] method=GET path=/boom format=*/* controller=ShopController action=boom status=500 "
        f"error='RuntimeError: card declined' duration=0.20 view=0.00 request_id={UUID}",
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/boom", "status": 500, "duration_ms": 0.2},
        },
    ),
    # 6.4.1
    "Sidekiq": (
        "2026-11-28T07:33:14.679Z pid=27712 tid=lss class=PayJob jid=b4a577edbccf1d805744efa9 "
        f"request_id={UUID} WARN: fail: request_id=forged",
        {"request": UUID, "level": 3},
    ),
    "AWS Lambda, a timeout": (
        f"2024-11-22T10:30:15.250Z {UUID} Task timed out after 3.00 seconds",
        {"request": UUID},
    ),
    "nginx, a bare time and id": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8" 0.250 {HEX}',
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 250.0},
        },
    ),
    "nginx, its id first": (
        f'{HEX} 127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8"',
        {"request": HEX, "access": {"method": "GET", "path": "/x", "status": 200}},
    ),
    "Cloud Foundry's router": (
        'shop - [2024-11-22T10:30:15.250000000Z] "GET /x HTTP/1.1" 503 0 19 "-" "request_id=forged" "10.0.0.1:1" '
        f'"10.0.0.2:8" x_forwarded_for:"request_id=forged" vcap_request_id:"{UUID}" response_time:0.250',
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "a client's text named as an id": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl/8" "request_id=forged"',
        {"request": "", "access": {"method": "GET", "path": "/x", "status": 200}},
    ),
    "log4j, in braces": (
        f"2024-11-22 10:30:15,250 ERROR [main] {{requestId={UUID}}} c.e.Shop - failed",
        {"request": UUID, "level": 4},
    ),
    "Rust's tracing": (
        "2024-11-22T10:30:15.250000Z  WARN request{request_id=r1-abc method=GET}: shop: slow",
        {"request": "r1-abc", "level": 3},
    ),
    # tracing-subscriber 0.3.16, with a client's text in the fields of the span
    "Rust's tracing, fields before the id": (
        f'2026-11-28T06:26:20.992321Z  INFO request{{method="GET" uri="/x?request_id=r0" request_id={UUID}}}: '
        "shop: paid n=5",
        {"request": UUID, "level": 2},
    ),
    "Rust's tracing, a span in another one": (
        f'2026-11-28T06:26:20.992349Z ERROR request{{method="GET" uri="/x" request_id={UUID}}}:pay{{item=5}}: '
        "shop: failed",
        {"request": UUID, "level": 4},
    ),
    "Rust's tracing, with names and numbers of threads": (
        f'2026-11-28T06:26:21.005652Z  WARN web ThreadId(1) request{{request_id="{HEX}" user="x\\" request_id=\\"r0"}}:'
        " shop: src/main.rs:11: low",
        {"request": HEX, "level": 3},
    ),
    "Rust's tracing, a client's text in quotes": (
        '2026-11-28T06:26:20.992386Z  INFO request{user="x request_id=r0 y\\" request_id=r0"}: shop: paid',
        {"request": "", "level": 2},
    ),
    "an id in a path": (
        f"2026-11-28T06:26:20.992386Z  INFO request{{method=GET uri=/request_id=r0,request_id=r0}}: shop: [{HEX}]",
        {"request": HEX},
    ),
    "logback's manual": (
        f"06:19:55.968 [http-nio-8080-exec-1] ERROR com.example.Shop {UUID} - failed",
        {"request": UUID, "level": 4},
    ),
    "log4j's manual": (
        f"[2026-11-28 06:24:45,197] WARN  c.e.s.Shop {HEX} - low",
        {"request": HEX, "level": 3},
    ),
    "an id in a message without a logger": (
        f"2026-11-28 06:24:45,197 ERROR order {UUID} - failed",
        {"request": "", "level": 4},
    ),
    "logback, an id in the message": (
        f"06:19:55.968 [http-nio-8080-exec-1] ERROR com.example.Shop - {UUID} - failed",
        {"request": "", "level": 4},
    ),
    "a nested class of Java": (
        f"2026-11-28 06:21:37.442 [exec-1] ERROR c.e.Shop$Payment [{UUID}] - failed",
        {"request": UUID, "level": 4},
    ),
    "a level in small letters": ("2024-11-22 10:30:15,250 error shop: failed", {"level": 4}),
    "zerolog": ("2024-11-22T10:30:15Z WRN slow request_id=r1-abc", {"level": 3}),
    # 1.26.1
    "zerolog, a panic": (
        f"2026-11-28T06:53:25Z PNC oops request_id={UUID}",
        {"request": UUID, "level": 5},
    ),
    # 1.57, with the pattern %d %p [%X{request_id}] %c - %m%n
    "Log4perl": (
        f"2026/11/28 07:02:46 ERROR [{UUID}] Shop.Pay - failed at x.pl line 3.",
        {"request": UUID, "level": 4},
    ),
    "structlog, key and value": (
        "timestamp='2024-11-22T10:30:15Z' level='error' event='it\\'s \"bad\"' request_id='r1' n=3",
        {"request": "r1", "level": 4},
    ),
    "HAProxy's manual, its id last": (
        "10.0.1.2:33317 [22/Nov/2024:10:30:15.655] front static/srv1 10/0/30/69/109 503 2750 - - ---- 1/1/1/1/0 0/0 "
        '"GET https://shop.example/x HTTP/2.0" 0A000102:8225_0A000103:01BB_67405CC7_0001:3835',
        {
            "request": "0A000102:8225_0A000103:01BB_67405CC7_0001:3835",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 109.0},
        },
    ),
    "AWS' classic load balancer": (
        "2024-11-22T10:30:15.943958Z front 10.0.0.1:2817 10.0.0.2:80 0.000073 0.250 0.000057 503 503 0 29 "
        '"GET http://shop.example:80/x HTTP/1.1" "curl/8" - -',
        {
            "request": "",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "nginx, its id in brackets": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 157 "-" "curl/8" [{HEX}]',
        {"request": HEX, "access": {"method": "GET", "path": "/x", "status": 503}},
    ),
    "chi": (
        '2024/11/22 10:30:15 [web/abcDEF0123-000001] "GET http://shop.example/x HTTP/1.1" from 127.0.0.1:5 - 503 12B '
        "in 250.5ms",
        {
            "request": "web/abcDEF0123-000001",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    # 5.0.7, with the client's X-Request-ID
    "chi, an id of the client": (
        f'2026/11/28 06:53:26 [{UUID}] "GET http://shop.example/x?request_id=forged HTTP/1.1" from 127.0.0.1:42814 - '
        "200 2B in 43.327\u00b5s",
        {
            "request": UUID,
            "access": {
                "method": "GET",
                "path": "/x?request_id=forged",
                "status": 200,
                "duration_ms": 0.0433,
            },
        },
    ),
    "chi, a program's line": (
        "2026/11/28 06:53:26 [shop/n6sNPdcibC-000002] paid",
        {"request": "shop/n6sNPdcibC-000002"},
    ),
    "chi, in a client's text": (
        "2026/11/28 06:53:26 got [shop/n6sNPdcibC-000002] paid",
        {"request": "", "level": 0},
    ),
    # 9.31
    "Mojolicious": (
        "[2026-11-28 07:02:49.26083] [6856] [info] [Tv-cHOrVGzcy] paid",
        {"request": "Tv-cHOrVGzcy", "level": 2},
    ),
    "Mojolicious, outside a request": (
        '[2026-11-28 07:02:48.49568] [6856] [info] Listening at "http://127.0.0.1:3000"',
        {"request": "", "level": 2},
    ),
    "Mojolicious, start": (
        '[2026-11-28 07:02:47.64721] [6799] [trace] [-qOxU4XO1gW2] GET "/boom"',
        {
            "request": "-qOxU4XO1gW2",
            "level": 1,
            "access": {"method": "GET", "path": "/boom"},
        },
    ),
    "Mojolicious, end": (
        "[2026-11-28 07:02:47.65394] [6799] [trace] [-qOxU4XO1gW2] 500 Internal Server Error (0.00672s, 148.810/s)",
        {
            "request": "-qOxU4XO1gW2",
            "level": 1,
            "access": {"status": 500, "duration_ms": 6.72},
        },
    ),
    "Mojolicious, in short": (
        "<3>[6921] [e] [3hpJxmS6OBSh] card declined",
        {"request": "3hpJxmS6OBSh", "level": 4},
    ),
    # 0.400001
    "Dancer": (
        "[App:7091] error @2026-11-28 07:02:55> Route exception: card declined at /app/app.psgi line 2.",
        {"request": "", "level": 4},
    ),
    "gin": (
        '[GIN] 2024/11/22 - 10:30:15 | 503 |     250.5ms |       127.0.0.1 | GET      "/x"',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "gin, in microseconds": (
        '[GIN] 2024/11/22 - 10:30:15 | 200 |      50.5\u00b5s |             ::1 | GET      "/x"',
        {"access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 0.0505}},
    ),
    "morgan": (
        "GET /x 503 250.500 ms - 12",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "morgan, tiny": (
        "GET /x 503 12 - 250.500 ms",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "Phoenix": (
        "10:30:15.250 request_id=F0uQd-8Hk3kAAAAB [info] Sent 503 in 12ms",
        {
            "request": "F0uQd-8Hk3kAAAAB",
            "level": 2,
            "access": {"status": 503, "duration_ms": 12.0},
        },
    ),
    "zerolog, on a terminal": (
        "10:30AM ERR failed request_id=r1-abc",
        {"request": "r1-abc", "level": 4},
    ),
    "logrus, on a terminal": (
        "ERRO[0012] failed   request_id=r1-abc",
        {"request": "r1-abc", "level": 4},
    ),
    # 1.9.0 with FullTimestamp
    "logrus, on a terminal, with a date": (
        f'ERRO[2026-11-28T06:53:24Z] failed                                        error="x: y" request_id={UUID}',
        {"request": UUID, "level": 4},
    ),
    "zap, on a terminal": ("1.732271415123e+09\terror\tfailed", {"level": 4}),
    "Serilog, a file": ("2024-11-22 10:30:15.250 +01:00 [ERR] failed", {"level": 4}),
    "Tomcat": ("22-Nov-2024 10:30:15.250 SEVERE [main] org.apache.catalina x", {"level": 4}),
    "java.util.logging": ("SEVERE: failed", {"level": 4}),
    "MySQL": ("2024-11-22T10:30:15.250000Z 0 [Warning] [MY-010068] [Server] x", {"level": 3}),
    ".NET, on a terminal": ("fail: Shop.Pay[0]", {"level": 4, "request": ""}),
    ".NET, with a time": ("10:30:15 fail: Shop.Pay[0] x", {"level": 4}),
    "a message that begins like it": (
        "fail: the request_id=r1 of [0] was lost",
        {"level": 0, "request": ""},
    ),
    "logfmt, a time without quotes": (
        "time=2024-11-22 10:30:15.250 level=error msg=failed request_id=r1",
        {"request": "r1", "level": 4},
    ),
    "no id": ("2024-11-22 10:30:15 INFO shop request_id== x", {"request": ""}),
    "klog": ("W1122 10:30:15.250000       1 pay.go:3] slow", {"request": "", "level": 3}),
    "gin, more than a minute": (
        '[GIN] 2024/11/22 - 10:30:15 | 503 |     1m2.5s |       127.0.0.1 | GET      "/x"',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 62_500.0}},
    ),
    "Fiber": (
        "10:30:15 | 503 |  250.5ms | 127.0.0.1 | GET | /x | -",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    # Jupyter Server 2
    "Jupyter's requests": (
        "[W 2026-11-28 07:19:29.466 ServerApp] 404 GET /x/request_id=forged (@127.0.0.1) 43.37ms referer=x rid=forged",
        {
            "access": {
                "method": "GET",
                "path": "/x/request_id=forged",
                "status": 404,
                "duration_ms": 43.37,
            },
            "level": 3,
            "request": "",
        },
    ),
    "Tornado's requests": (
        "[E 241122 10:30:15 web:2348] 503 GET /x (127.0.0.1) 250.50ms",
        {
            "level": 4,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "Squid": (
        "1732271415.250    250 10.0.0.1 TCP_MISS/503 157 GET http://shop/x - HIER_DIRECT/10.0.0.2 text/html",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0}},
    ),
    "ASP.NET Core": (
        "10:30:15 info: Microsoft.AspNetCore.Hosting.Diagnostics[2] Request finished HTTP/1.1 GET http://shop/x "
        "- 503 157 text/plain 250.5ms",
        {
            "level": 2,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "PHP": ("[22-Nov-2024 10:30:15 UTC] PHP Fatal error:  Uncaught x", {"level": 5}),
    "PHP, without a time": (
        "PHP Warning:  Undefined variable $x in /app/x.php on line 7",
        {"level": 3},
    ),
    # 8.2, written by PHP-FPM with decorate_workers_output = no
    "PHP-FPM": (f"NOTICE: PHP message: [{UUID}] paid", {"request": UUID, "level": 2}),
    "PHP-FPM, a warning": (
        "NOTICE: PHP message: PHP Warning:  Undefined variable $x in /app/index.php on line 7",
        {"request": "", "level": 3},
    ),
    # the access.format in its configuration, and a header: milliseconds, kilobytes, CPU
    "PHP-FPM, an access line": (
        '127.0.0.1 -  28/Nov/2026:07:01:04 +0000 "GET /x?request_id=forged" 500 /app/index.php 0.187 2048 0.00% '
        f"{UUID}",
        {
            "request": UUID,
            "access": {
                "method": "GET",
                "path": "/x?request_id=forged",
                "status": 500,
                "duration_ms": 0.187,
            },
        },
    ),
    "PHP, a warning": ("[22-Nov-2024 10:30:15 UTC] PHP Warning:  Undefined x", {"level": 3}),
    "uWSGI": (
        "[pid: 88185|app: 0|req: 1/1] 127.0.0.1 () {38 vars in 696 bytes} [Fri Nov 22 10:30:15 2024] POST /x => "
        "generated 47 bytes in 250 msecs (HTTP/1.1 503) 9 headers in 269 bytes (1 switches on core 0)",
        {"access": {"method": "POST", "path": "/x", "status": 503, "duration_ms": 250.0}},
    ),
    "uWSGI, in microseconds": (
        "[pid: 88185|app: 0|req: 3/3] 127.0.0.1 () {34 vars in 617 bytes} [Fri Nov 22 10:30:15 2024] GET /x => "
        "generated 215 bytes in 68 micros (HTTP/1.1 200) 9 headers in 310 bytes (1 switches on core 0)",
        {"access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 0.068}},
    ),
    "Serilog's requests": (
        "2024-11-22 10:30:15.250 +01:00 [INF] HTTP GET /x responded 503 in 250.1234 ms",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.1234}},
    ),
    "Serilog's requests, on a terminal": (
        "[10:30:15 INF] HTTP GET /x responded 503 in 250.1234 ms",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.1234}},
    ),
    # made of tower-http's line and an id in its span, as in its documentation
    "tower-http, with an id in its span": (
        f"2024-11-22T10:30:15.821422Z DEBUG request{{method=GET uri=/x version=HTTP/1.1 request_id={UUID}}}: "
        "tower_http::trace::on_response: finished processing request latency=3 ms status=503",
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 3.0},
        },
    ),
    "tower-http": (
        "2024-11-22T10:30:15.821422Z DEBUG request{method=GET uri=/x version=HTTP/1.1}: tower_http::trace::on_response:"
        " finished processing request latency=3 ms status=503",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 3.0}},
    ),
    "IIS": (
        "2024-11-22 10:30:15 10.0.0.2 GET /x - 80 - 10.0.0.1 curl/8+(a;+b) - 404 0 2 1405",
        {"access": {"method": "GET", "path": "/x", "status": 404, "duration_ms": 1405.0}},
    ),
    "CloudFront": (
        "2024-11-22\t10:30:15\tLAX1\t392\t192.0.2.100\tGET\td1.cloudfront.net\t/x\t503\t-\tcurl/8\t-\t-\tHit\t"
        "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\td1.cloudfront.net\thttps\t23\t0.250\t-\tTLSv1.2",
        {
            "request": "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "S3": (
        f"{HEX}{HEX} shop [22/Nov/2024:10:30:15 +0000] 192.0.2.3 {HEX}{HEX} 7B4A0FABBEXAMPLE REST.GET.OBJECT a.txt "
        '"GET /x HTTP/1.1" 404 NoSuchKey 297 - 33 - "-" "S3Console/0.4" -',
        {
            "request": "7B4A0FABBEXAMPLE",
            "access": {"method": "GET", "path": "/x", "status": 404, "duration_ms": 33.0},
        },
    ),
    "Apache's UNIQUE_ID": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl" Yrm4gcCoAQEAAB1lX0wAAAAD',
        {"request": "Yrm4gcCoAQEAAB1lX0wAAAAD"},
    ),
    # Apache 2.4.71
    "Apache's UNIQUE_ID of 27 characters": (
        '127.0.0.1 - - [28/Nov/2026:06:28:29 +0000] "GET /x HTTP/1.1" 200 3 "-" "curl/8" awp0jV8ucDKOo-a5Ssyg8QAAAIA',
        {"request": "awp0jV8ucDKOo-a5Ssyg8QAAAIA"},
    ),
    "Apache's UNIQUE_ID, first": (
        'awp0jcw1AEUUmtpXmPW8yQAAAAI 127.0.0.1 - - [28/Nov/2026:06:28:29.469 +0000] "GET /x HTTP/1.1" 404 3',
        {"request": "awp0jcw1AEUUmtpXmPW8yQAAAAI"},
    ),
    "Apache's error log with %L": (
        "[2026-11-28 06:28:29.528705] [proxy_http:error] [pid 29811:tid 139731299976896] "
        "[awp0jcw1AEUUmtpXmPW8ygAAAAQ] [client 127.0.0.1:40958] AH01114: HTTP: failed, referer http://r/ request_id=r0",
        {"request": "awp0jcw1AEUUmtpXmPW8ygAAAAQ", "level": 4},
    ),
    # made after the example in its manual
    "Apache's error log, its manual's format": (
        "[2026-11-28 06:28:29.528705] [proxy_http:error] [R:awp0jcw1AEUUmtpXmPW8ygAAAAQ] [C:xwp0jcw1AEU] AH01114: x",
        {"request": "awp0jcw1AEUUmtpXmPW8ygAAAAQ", "level": 4},
    ),
    "Apache's error log, a client's text": (
        f"[Sat Nov 28 06:28:29.4 2026] [core:error] [pid 1:tid 2] [client 127.0.0.1:5] AH00128: [{UUID}] request_id=r0",
        {"request": "", "level": 4},
    ),
    # nginx 1.22.1
    "nginx, its id before the request": (
        f'127.0.0.1 - - [28/Nov/2026:06:28:29 +0000] {HEX} "GET /x HTTP/1.1" 200 3 0.004',
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 200, "duration_ms": 4.0},
        },
    ),
    # slog-term 2.6
    "slog in Rust": (
        f"Nov 28 06:26:21.640 ERRO failed, error: no price, request_id: {UUID}, version: 0.1",
        {"request": UUID, "level": 4},
    ),
    "slog in Rust, to debug": ("Nov 28 06:26:21.640 DEBG paid, version: 0.1", {"level": 1}),
    "a cipher is no id": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl" ECDHE-ECDSA-DES-CBC3-SHA',
        {"request": ""},
    ),
    "Apache's forensic log": (
        "+yQtJf8CoAB4AAFNXBIEAAAAA|GET /x HTTP/1.1|Host:localhost%3a8080|User-Agent:curl",
        {"request": "yQtJf8CoAB4AAFNXBIEAAAAA", "access": {"method": "GET", "path": "/x"}},
    ),
    "klog, a level in the message": (
        "I1122 10:30:15.250000 1 pay.go:3] no ERROR left",
        {"level": 2},
    ),
    "Android": ("03-17 16:13:38.811  1702  2395 E WindowManager: x", {"level": 4}),
    "MongoDB 3": ("2024-11-22T10:30:15.250+0000 W NETWORK  [conn5] slow", {"level": 3}),
    "Tornado": ("[E 241122 10:30:15 web:2348] x", {"level": 4}),
    "Jupyter": ("[W 2024-11-22 10:30:15.250 ServerApp] x", {"level": 3}),
    "Rails' Semantic Logger": (
        "2024-11-22 10:30:15.250000 W [12:main] {request_id: r1} Orders -- slow",
        {"request": "r1", "level": 3},
    ),
    "Redis": ("1:M 22 Nov 2024 10:30:15.250 # overcommit_memory is set to 0!", {"level": 3}),
    "Redis, a note": ("1:M 22 Nov 2024 10:30:15.250 * Ready", {"level": 2}),
    "PostgreSQL": ("2024-11-22 10:30:15.250 UTC [12] LOG:  duration: 250.123 ms", {"level": 2}),
    # PostgreSQL 15
    "PostgreSQL, a word in a statement": (
        "2026-11-28 06:31:32.474 UTC [30976] STATEMENT:  DO $$ BEGIN RAISE WARNING 'low request_id=r0'; END $$;",
        {"level": 0, "request": ""},
    ),
    "java.util.logging, a fine level": (f"FINE: [{UUID}] done", {"level": 1, "request": UUID}),
    "PostgreSQL, a panic": ("2024-11-22 10:30:15.250 UTC [12] PANIC:  x", {"level": 5}),
    "NestJS": ("[Nest] 12  - 11/22/2024, 10:30:15 AM     LOG [NestFactory] x", {"level": 2}),
    "gunicorn, with seconds": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 265 "-" "curl/8" 0.250123',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.123}},
    ),
    "Rack": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5 0.0125',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 12.5}},
    ),
    "actix": (
        '[2024-11-22T10:30:15Z INFO  actix_web::middleware::logger] 127.0.0.1 "GET /x HTTP/1.1" 503 5 "-" "curl/8" '
        "0.250123",
        {
            "level": 2,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.123},
        },
    ),
    "morgan, its time behind the combined format": (
        '::1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5 "-" "curl/8" - 250.123 ms',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.123}},
    ),
    "a named duration in milliseconds": (
        '::1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5 "-" "curl/8" duration=250.5ms',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "a time is no duration": (
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5 "-" "curl/8" 1732271415.250 0.125',
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 125.0}},
    ),
    "Apache, a quote in the request": (
        r'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x\" HTTP/1.1" 503 5 "-" "curl/8"',
        {"access": {"method": "GET", "path": '/x\\"', "status": 503}},
    ),
    "Apache, a status in the request": (
        r'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x\" 200 5 HTTP/1.1" 503 5 "-" "curl/8"',
        {"access": None},
    ),
    "loguru, an id behind the level": (
        f"2024-11-22 10:30:15.250 | ERROR    | {HEX} | shop:pay:12 - failed",
        {"request": HEX, "level": 4},
    ),
    "loguru, an id in the message": (
        f"2024-11-22 10:30:15.250 | ERROR    | shop:pay:12 - failed | {HEX} | x",
        {"request": "", "level": 4},
    ),
    "Sanic": (
        "Main |2024-11-22 10:30:15 +0000 INFO: 127.0.0.1:5 GET http://shop/x?y=1 503 2  250.5ms",
        {
            "level": 2,
            "service": None,
            "access": {"method": "GET", "path": "/x?y=1", "status": 503, "duration_ms": 250.5},
        },
    ),
    "Sanic, a worker for development": (
        "Srv 0 10:30:15 INFO: 127.0.0.1:5 GET http://shop/x 503 chunked  250.5ms",
        {
            "level": 2,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "Sanic, on a terminal": (
        "Main |2024-11-22 10:30:15 +0000 ACCESS: 127.0.0.1:5 GET http://shop/x 503 2  250.5ms",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "Sanic, a traceback in a frame": (
        "\u256d Srv 0 2024-11-22 10:30:15 +0000 ERROR: Exception occurred while handling uri: 'http://shop/x'",
        {"level": 4, "undated": None},
    ),
    "Sanic, before its version 24": (
        "[2024-11-22 10:30:15 +0000] - (sanic.access)[INFO][127.0.0.1:5]: GET http://shop/x  503 2",
        {"level": 2, "access": {"method": "GET", "path": "/x", "status": 503}},
    ),
    "Fiber, on a terminal": (
        "10:30:15 | 503 |     250.5ms |       127.0.0.1 | GET     | /x       | failed",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "morgan, short": (
        "::1 - GET /x HTTP/1.1 503 5 - 250.500 ms",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "Next.js": (
        " GET /x 503 in 1.25s (compile: 1.1s, render: 150ms)",
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 1250.0}},
    ),
    "morgan, an id first": (
        f"{UUID} GET /x 503 250.500 ms - 12",
        {
            "request": UUID,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "morgan's manual, an id first": (
        f"{UUID} GET /x 250.500",
        {"request": UUID, "access": {"method": "GET", "path": "/x"}},
    ),
    "nginx, its id before its durations": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 503 5 "{SPAN}{SPAN} 0.1" "-" {HEX} 0.250 -',
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "AWS API Gateway": (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000]"GET /x HTTP/1.1" 503 5 {UUID} JKJaXmPLvHcESHA=',
        {"request": UUID, "access": {"method": "GET", "path": "/x", "status": 503}},
    ),
    "winston's manual": ("2024-11-22T10:30:15.250Z [shop] error: failed", {"level": 4}),
    # of winston 3.19
    "winston's manual, its label": (
        "2026-11-28T06:48:07.006Z [right meow!] warn: two",
        {"level": 3},
    ),
    "winston, without a time": (
        "error: Cannot read properties of null (reading 'x')",
        {"level": 4},
    ),
    "koa-logger": (
        "  --> GET /x?y=1 503 3ms 1.2kb",
        {"access": {"method": "GET", "path": "/x?y=1", "status": 503, "duration_ms": 3.0}},
    ),
    "koa-logger, an error": (
        "  xxx GET /x 500 0ms -",
        {"access": {"method": "GET", "path": "/x", "status": 500, "duration_ms": 0.0}},
    ),
    "loguru, behind the place in the code": (
        f"2024-11-22 10:30:15.250 | ERROR    | shop.items:<module>:12 | {HEX} - failed",
        {"level": 4, "request": HEX},
    ),
    "loguru, with a time without a date": (
        f"10:30:15 | ERROR | {HEX} | failed",
        {"level": 4, "request": HEX},
    ),
    # asgi-correlation-id 5 with FastAPI, as its README shows
    "asgi-correlation-id": (
        "ERROR:\t\b06:48:03 uvicorn.error:427 [1f0e7c5a] Exception in ASGI application",
        {"level": 4, "request": "1f0e7c5a", "undated": None},
    ),
    "asgi-correlation-id, a server's line": (
        'INFO:\t\b06:48:03 uvicorn.access:482 [1f0e7c5a] 127.0.0.1:53146 - "GET /orders?x=1 HTTP/1.1" 200',
        {"request": "1f0e7c5a", "access": {"method": "GET", "path": "/orders?x=1", "status": 200}},
    ),
    "asgi-correlation-id, a UUID cut to 32 characters": (
        "INFO ... [7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c] shop order placed",
        {"request": "7b0a2c5e-93a8-4f6e-8d0a-1f2e3d4c"},
    ),
    "the format in Python's manual, and an id at the start of a message": (
        f"2026-11-28 06:39:00,343 - shop.orders - ERROR - {HEX} - no such order",
        {"level": 4, "request": ""},
    ),
    "Celery": (
        f"[2026-11-28 07:07:48,452: INFO/MainProcess] w_celery.pay[{UUID}]: order placed 2",
        {"level": 2, "request": UUID},
    ),
    "Celery, with the format of its version 3": (
        f"[2026-11-28 07:07:54,234: INFO/MainProcess] [w_celery.pay({UUID})] order placed 2",
        {"level": 2, "request": UUID},
    ),
    "loguru, without an id": (
        f"2024-11-22 10:30:15.250 | ERROR    | shop.items:load:12 - got | {HEX} - failed",
        {"level": 4, "request": ""},
    ),
    "an id in brackets before the time": (
        f"[{HEX}] 2024-11-22 10:30:15,250 ERROR shop: failed",
        {"level": 4, "request": HEX, "source": None},
    ),
    "a level in small letters before the time": (
        "[error] 2024-11-22 10:30:15.250 failed request_id=r1-abc",
        {"level": 4, "request": "r1-abc", "service": None},
    ),
    # The lines of logback 1.2.11 and log4j 2.19 outside of a request.
    "names of ids without values": (
        "06:19:55.974 [main] INFO  com.example.Shop - trace_id= span_id= trace_flags=01 - Started",
        {"request": "", "trace": None, "inner": None},
    ),
    "names of ids without values, before a logger": (
        "2026-11-28 06:19:55 [main] INFO  requestId= sessionId= com.example.Shop - Started",
        {"request": "", "level": 2},
    ),
    "PHP's server": (
        "[Fri Nov 22 10:30:15 2024] [::1]:41342 [404]: GET /x - No such file or directory",
        {"access": {"method": "GET", "path": "/x", "status": 404}},
    ),
}


@pytest.mark.parametrize(("line", "expected"), TEXTS.values(), ids=TEXTS)
def test_text_of_others(line: str, expected: dict[str, Any]) -> None:
    """The line stays as it is, if it is not made of names and values."""
    entry = entry_of(line)
    more = entry.more or {}
    found = {"request": entry.request_id, "level": entry.level, **more}
    assert {name: found.get(name) for name in expected} == expected
    assert entry.text == line or line.startswith(("timestamp=", "time="))


@pytest.mark.parametrize(
    "front", ["2024-11-22 10:30:15,250 INFO shop ", "INFO 2024-11-22T10:30:15Z "]
)
@pytest.mark.parametrize("line", [line for line, _ in TEXTS.values()], ids=TEXTS)
def test_a_message_that_looks_like_a_servers_line_is_read_alike_in_a_block(
    front: str, line: str
) -> None:
    """Behind a formatter's front with our ids, where lines are read all at once."""
    plain = f"{front}[req=a|session=b] paid"
    lines = [plain] * 10 + [f"{front}[req=a|session=b] {line}", plain]
    alone, at_once = LineReader(), LineReader()
    expected = alone.read(lines) + alone.finish()
    found = at_once.read_text("".join(f"{line}\n" for line in lines), lines) + at_once.finish()
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    "prefix", ["shop-1  | ", "10:30:15 web.1  | ", "0|shop     | ", "[shop] | "]
)
@pytest.mark.parametrize(
    "name",
    [
        ".NET, on a terminal",
        "Dancer",
        "HAProxy, its id first",
        "Mojolicious",
        "Mojolicious, in short",
        "NestJS",
        "Next.js",
        "PHP",
        "PHP, without a time",
        "PHP-FPM",
        "Rails",
        "Rails, end",
        "Rails, start",
        "Redis",
        "Sanic",
        "Tomcat",
        "Tornado's requests",
        "gin",
        "logrus, on a terminal",
        "logrus, on a terminal, with a date",
        "morgan",
        "uWSGI",
        "winston, without a time",
        "zap, on a terminal",
        "zerolog, on a terminal",
    ],
)
def test_a_name_before_lines_of_one_writer_is_the_source(prefix: str, name: str) -> None:
    """Also where no line of the log begins with a date or a level."""
    line, expected = TEXTS[name]
    reader = LineReader()
    entries = reader.read([f"{prefix}{line}"] * 3) + reader.finish()
    for entry in entries:
        more = entry.more or {}
        found = {"request": entry.request_id, "level": entry.level, **more}
        of_line = {name: value for name, value in expected.items() if name != "service"}
        assert {name: found.get(name) for name in of_line} == of_line
        assert more["service"] in ("shop", "web")


@pytest.mark.parametrize(
    "prefix", ["shop-6b9f4d7c5-x2x9z shop ", "2024-11-22T10:30:15.200000+00:00 shop "]
)
@pytest.mark.parametrize(
    "name", ["gin", "logrus, on a terminal", "Tornado's requests", "uWSGI", ".NET, on a terminal"]
)
def test_a_name_of_stern_or_aws_before_lines_of_one_writer(prefix: str, name: str) -> None:
    line, expected = TEXTS[name]
    reader = LineReader()
    for entry in reader.read([f"{prefix}{line}"] * 3) + reader.finish():
        more = entry.more or {}
        found = {"request": entry.request_id, "level": entry.level, **more}
        assert {name: found.get(name) for name in expected} == expected
        assert "shop" in more["source"]


CADDY = {
    "request": {"method": "GET", "uri": "/x", "headers": {"X-Request-Id": ["forged"]}},
    "duration": 0.25,
    "status": 502,
    "resp_headers": {"X-Request-Id": ["r1"]},
}


@pytest.mark.parametrize("time", ["2024/11/22 10:30:15.250", "1.73227141525e+09"])
@pytest.mark.parametrize("level", ["INFO", "info"])
def test_the_console_form_of_caddy_is_read_as_its_json(time: str, level: str) -> None:
    """Its times without a zone are in UTC, whatever the zone of the other lines is."""
    message = f"{time}\t{level}\thttp.log.access.log0\thandled request\t{json.dumps(CADDY)}"
    reader = LineReader(zone=ZoneInfo("Europe/Berlin"))
    other = "2024/11/22 10:30:15.250\tWARN\tadmin\tendpoint disabled"
    first, second = reader.read([message, other]) + reader.finish()
    access = {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0}
    assert (first.level, first.request_id, first.more) == (
        2,
        "r1",
        {"access": access, "foreign": True},
    )
    assert first.time == second.time == 1_732_271_415_250


@pytest.mark.parametrize("time", ["2024/11/22 10:30:15", "2024-11-22T10:30:15.250"])
def test_other_times_of_zap_are_in_the_zone_of_the_log(time: str) -> None:
    reader = LineReader(zone=ZoneInfo("Europe/Berlin"))
    (entry,) = reader.read([f"{time}\tINFO\tshop\tpaid"]) + reader.finish()
    assert entry.time // 1000 == 1_732_267_815


@pytest.mark.parametrize(
    "message",
    [
        'http.log.error\tx\t{"request_id": "forged"}\t{"status": 502}',
        'shop\tx\thttp.log.access\tx\t{"request_id": "forged"}',
        'http.log.access\tx\t{"request_id": "forged"} x',
    ],
)
def test_a_message_of_caddy_has_no_fields(message: str) -> None:
    """A client's text in it may look like them."""
    line = f"2024/11/22 10:30:15.250\tINFO\t{message}"
    entry = entry_of(line)
    assert (entry.request_id, entry.level, entry.text) == ("", 2, line)


_FIELDS = '{"request_id": "r1", "method": "GET", "path": "/x", "status": 503, "duration": "250ms"}'
_SHORT = json.dumps(json.loads(_FIELDS), separators=(",", ":"))
_SENT = '{"request_id":"forged"}'
BEHIND_A_MESSAGE = {
    "zap": f"2024-11-22T10:30:15.250Z\tWARN\tpaid\t{_FIELDS}",
    "zap, everything": f"2024-11-22T10:30:15.250Z\tWARN\tpay.access\tpay/pay.go:12\tpaid\t{_FIELDS}",
    "zap, with a zone": f"2024-11-22T11:30:15.250+0100\twarn\tpay.go:12\tpaid\t{_FIELDS}",
    "zap, seconds": f"1.73227141525e+09\twarn\tpaid\t{_FIELDS}",
    "zap, in color": f"2024-11-22T10:30:15.250Z\t\x1b[33mWARN\x1b[0m\tpaid\t{_FIELDS}",
    "zap, with blanks": f"2024-11-22T10:30:15.250Z WARN pay.access pay/pay.go:12 paid {_FIELDS}",
    "zap, with blanks and a client's text": (
        f"2024-11-22T10:30:15.250Z WARN pay.go:12 paid {_SENT} {_FIELDS}"
    ),
    "zap, a client's text": f"2024-11-22T10:30:15.250Z\tWARN\tpaid {_SENT}\t{_FIELDS}",
    "Monolog": f"[2024-11-22T10:30:15.250000+00:00] app.WARNING: paid {_SHORT} []",
    "Monolog, extra values": f"[2024-11-22T10:30:15.250000+00:00] app.WARNING: paid [] {_SHORT}",
    "Monolog, a client's text": (
        f"[2024-11-22T10:30:15.250000+00:00] app.WARNING: paid {_SENT} [] {_SHORT} []"
    ),
    "Laravel": f"[2024-11-22 10:30:15.250] local.WARNING: paid {_SHORT} ",
    "Laravel, without the blank at the end": f"[2024-11-22 10:30:15.250] local.WARNING: paid {_SHORT}",
    "Laravel, extra values": f"[2024-11-22 10:30:15.250] local.WARNING: paid  {_SHORT}",
    "Laravel, both": f"[2024-11-22 10:30:15.250] local.WARNING: paid {_SHORT} {{}}",
    "Laravel, a client's text": f"[2024-11-22 10:30:15.250] local.WARNING: paid {_SENT} {_SHORT} ",
    "Laravel, a client's text before extra values": (
        f"[2024-11-22 10:30:15.250] local.WARNING: paid {_SENT}  {_SHORT}"
    ),
    "Laravel, an exception": (
        f'[2024-11-22 10:30:15.250] local.WARNING: paid {_SHORT[:-1]},"exception":"[object] (Error(code: 0): x'
    ),
}


@pytest.mark.parametrize("line", BEHIND_A_MESSAGE.values(), ids=BEHIND_A_MESSAGE)
def test_fields_in_json_behind_a_message_are_read_as_those_of_json(line: str) -> None:
    reader = LineReader(zone=timezone.utc)
    (entry,) = reader.read([line]) + reader.finish()
    access = {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0}
    assert (entry.request_id, entry.level, entry.time) == ("r1", 3, 1_732_271_415_250)
    assert (entry.more or {})["access"] == access
    assert entry.text[entry.message :].startswith("paid")


IDS_BEHIND_A_MESSAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "Monolog, an alert": (
        "[2024-11-22T10:30:15.250000+00:00] app.ALERT: x [] []",
        {"level": 5},
    ),
    "Monolog": (
        f'[2024-11-22T10:30:15.250000+00:00] app.ERROR: failed {{"id":7}} {{"request_id":"{UUID}"}}',
        {"request": UUID, "level": 4},
    ),
    "Monolog, without extra fields": (
        f'[2024-11-22T10:30:15.250000+00:00] app.WARNING: x {{"a":{{"b":1}},"trace_id":"{HEX}"}} []',
        {"request": HEX, "trace": HEX, "level": 3},
    ),
    "Laravel": (
        f'[2024-11-22 10:30:15] production.INFO: paid {{"request-id":"{UUID}","userId":7}} ',
        {"request": UUID, "level": 2},
    ),
    # 2.9.1, with a format of Symfony's manual
    "Monolog, with a token": (
        f'[2026-11-28T06:56:07.597554+00:00] [h1k2j3l4-5e3f12ab] app.ERROR: paid {{"request_id":"{UUID}"}} []',
        {"request": UUID, "level": 4},
    ),
    "Monolog, with an id in the place of a token": (
        f'[2026-11-28T06:56:07.597605+00:00] [{UUID}] app.ERROR: got {{"request_id":"forged"}} [] []',
        {"request": UUID, "level": 4},
    ),
    # 2.9.1
    "Monolog's UidProcessor": (
        '[2026-11-28T06:56:07.487426+00:00] app.INFO: starting [] {"uid":"369ebc0"}',
        {"request": "369ebc0", "level": 2},
    ),
    "Monolog, a user's uid": (
        '[2026-11-28T06:56:07.487426+00:00] app.INFO: starting {"uid":"369ebc0"} []',
        {"request": "", "level": 2},
    ),
    "Laravel, with an exception": (
        f'[2024-11-22 10:30:15] production.ERROR: x {{"request-id":"{UUID}","exception":"[object] '
        "(RuntimeException(code: 0): x at /app/shop.php:12)",
        {"request": UUID, "level": 4},
    ),
    "Laravel, with a client's text in the message": (
        '[2024-11-22 10:30:15] local.ERROR: got {"request_id":"forged"} {"userId":7}',
        {"request": "", "level": 4},
    ),
    "Monolog, without fields": (
        '[2024-11-22T10:30:15.250000+00:00] app.ERROR: got {"request_id":"forged"} [] []',
        {"request": "", "level": 4},
    ),
    "zap, with fields": (
        f'2024-11-22T10:30:15.250Z\tWARN\tshop\tshop/main.go:12\tslow\t{{"requestId": "{UUID}"}}',
        {"request": UUID, "level": 3},
    ),
    "zap, with a client's text in the message": (
        '2024-11-22T10:30:15.250Z\tWARN\tshop\tgot {"requestId": "forged"}\t{"bytes": 5}',
        {"request": "", "level": 3},
    ),
}


@pytest.mark.parametrize(
    ("line", "expected"), IDS_BEHIND_A_MESSAGE.values(), ids=IDS_BEHIND_A_MESSAGE
)
def test_the_id_in_json_behind_a_message_is_the_writers(
    line: str, expected: dict[str, Any]
) -> None:
    """And not that of a client's text in the message."""
    entry = entry_of(line)
    found = {"request": entry.request_id, "level": entry.level, **(entry.more or {})}
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        f"2024-11-22 10:30:15,250 WARNING shop: got {_SENT}",
        f"2024-11-22T10:30:15.250Z\tWARN\tgot {_SENT}",
        f"2024-11-22T10:30:15.250Z\tWARN\tgot\ta\t{_SENT}\tx",
        f"[2024-11-22T10:30:15.250000+00:00] app.WARNING: got {_SENT} [] []",
        f'[2024-11-22T10:30:15.250000+00:00] app.WARNING: got {_SENT} [] {{"n":1}} []',
        f"[2024-11-22 10:30:15] local.WARNING: got {_SENT}  ",
        f'[2024-11-22 10:30:15] local.WARNING: got {_SENT} {{"n":1}} ',
        f'[2024-11-22 10:30:15] local.WARNING: got {_SENT}  {{"n":1}}',
        f'[2024-11-22 10:30:15] local.WARNING: got {_SENT} {{"exception":"[object] (Error(code: 0): x',
    ],
)
def test_a_message_has_no_fields(line: str) -> None:
    """A client's text at the end of it may be JSON."""
    entry = entry_of(line)
    assert (entry.request_id, entry.level) == ("", 3)
    assert _SENT in entry.text


@pytest.mark.parametrize("piece", [" {", ' {"a":', " [", ' {"a": {}', "\t{"])
@pytest.mark.parametrize("head", [line.partition("paid")[0] for line in BEHIND_A_MESSAGE.values()])
def test_a_long_message_with_braces_takes_no_longer_than_its_length(head: str, piece: str) -> None:
    assert entry_of(f"{head}{piece * 20_000}}}").request_id == ""


@pytest.mark.parametrize(
    "front", ["[2024-11-22T10:30:15+00:00] app.INFO: ", "2024-11-22T10:30:15Z INFO pay.go:12 "]
)
def test_fields_behind_our_ids_are_read_alike_in_a_block(front: str) -> None:
    lines = [f'{front}[req=a|session=b] paid {{"request_id":"r1"}} []' for _ in range(20)]
    lines += [f'{front}[req=a|session=b] paid {{"request_id":"r1"}}']
    alone, at_once = LineReader(), LineReader()
    expected = alone.read(lines) + alone.finish()
    found = at_once.read_text("".join(f"{line}\n" for line in lines), lines) + at_once.finish()
    assert list(found) == list(expected)


_JAVA = (
    "2024-11-22T10:30:15.250Z ERROR 1 --- [shop] [nio-80] [" + f"{HEX}-{SPAN}] c.e.Shop : failed"
)
STACKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "zap": (
        BEHIND_A_MESSAGE["zap"],
        (
            "sigs.k8s.io/controller-runtime/pkg/internal/controller.(*Controller[...]).reconcileHandler",
            "\t/go/pkg/mod/sigs.k8s.io/controller-runtime@v0.17.0/pkg/internal/controller/controller.go:329",
            "main.main",
            "\t/app/main.go:12",
        ),
    ),
    "Spring Boot": (
        _JAVA,
        (
            "",
            "java.lang.IllegalStateException: broken",
            "\tat com.example.Shop.pay(Shop.java:12) ~[classes/:na]",
            "Caused by: java.lang.NullPointerException: null",
            "\t... 12 common frames omitted",
        ),
    ),
    "an exception without a message, below a warning": (
        _JAVA.replace("ERROR", " WARN"),
        ("com.example.Shop$PayException", "\tat com.example.Shop.pay(Shop.java:12)"),
    ),
    ".NET": (
        f"[2024-11-22 10:30:15.250 ERR] [{HEX}] failed",
        ("System.Exception: broken", "   at Shop.Pay() in /app/Pay.cs:line 12"),
    ),
    "Dropwizard": (
        f"ERROR [2024-11-22 10:30:15,250] [{HEX}] com.example.Shop: failed",
        ("! java.lang.Error: broken", "! at com.example.Shop.pay(Shop.java:12)"),
    ),
    "Node.js": (
        f"2024-11-22T10:30:15.250Z [{HEX}] error: failed",
        ("TypeError: broken", "    at pay (/app/pay.js:12:3)"),
    ),
    "Ruby": (
        f"E, [2024-11-22T10:30:15.250000 #8] ERROR -- : [{UUID}] broken (RuntimeError)",
        ("/app/pay.rb:3:in 'Shop#pay'", "/app/shop.rb:1:in '<main>'"),
    ),
    "Ruby, with relative paths": (
        f"E, [2026-11-28T07:02:22.477845 #8] ERROR -- shop: [{UUID}] card declined",
        ("logger.rb:8:in `<main>'",),
    ),
    "Rails, without tags": (
        f"E, [2026-11-28T07:02:22.477845 #8] ERROR -- : [{UUID}] card declined",
        (
            "actionpack (6.1.7.10) lib/action_controller/metal/basic_implicit_render.rb:6:in `send_action'",
            "config.ru:7:in `<main>'",
        ),
    ),
    "Elixir": (
        "10:30:15.250 request_id=r1 [error] GenServer #PID<0.1.0> terminating",
        ("** (RuntimeError) broken", "    (shop 0.1.0) lib/shop.ex:12: Shop.pay/1", "State: %{}"),
    ),
    "Phoenix": (
        "10:30:15.250 request_id=r1 [error] #PID<0.1.0> running Shop.Endpoint terminated",
        ("Server: localhost:4000 (http)", "Request: GET /x", "** (exit) an exception was raised:"),
    ),
    "Go": (
        "time=2024-11-22T10:30:15.250Z level=ERROR msg=panic request_id=r1",
        ("goroutine 34 [running]:", "main.main()", "\t/app/main.go:12 +0xb9"),
    ),
    "Node.js, with a code": (
        f"2024-11-22T10:30:15.250Z [{HEX}] error: failed",
        ("Error [ERR_HTTP]: broken", "    at pay (/app/pay.js:12:3)"),
    ),
}


@pytest.mark.parametrize(("record", "stack"), STACKS.values(), ids=STACKS)
def test_a_stack_belongs_to_the_record_above_it(record: str, stack: tuple[str, ...]) -> None:
    """In other languages than Python it has no line that says so."""
    next_record = "2024-11-22 10:30:16,250 INFO shop: ready"
    reader = LineReader()
    lines = [record, *stack, next_record]
    first, second = reader.read(lines) + reader.finish()
    assert first.text.endswith("\n".join(("", *stack)))
    assert first.request_id in ("r1", HEX, UUID)
    assert second.text == next_record


# The beginnings of lines as the programs wrote them, with shorter names and messages: log4j 1.2.17 and
# 2.19, logback 1.2.11, java.util.logging of Java 17, slf4j-simple 1.7.32, tracing-subscriber 0.3.16,
# pretty_env_logger 0.4.
_SHOP = "[http-nio-8080-exec-1] ERROR com.example.shop.PaymentController"
NEXT_RECORDS = {
    "log4j, DATE": f"28 Nov 2026 06:22:29,731 {_SHOP} [{UUID}] - failed",
    "log4j, ISO8601_BASIC": f"20261128T062229,731 {_SHOP} [{UUID}] - failed",
    "log4j, COMPACT": f"20261128062229731 {_SHOP} [{UUID}] - failed",
    "log4j, UNIX_MILLIS": f"1795846949731 ERROR [exec-1] [{UUID}] PaymentController - failed",
    "log4j, milliseconds since the start": f"728  {_SHOP} [{UUID}] - failed",
    "log4j, neither a time nor a date": f" INFO [exec-1] (Shop.java:10) [{UUID}] - failed",
    "logback, the day first": f"28-11-2026 06:21:37.442 {_SHOP} [{UUID}] - failed",
    "log4j, the month first": f"11/28/2026 06:22:29.724 {_SHOP} [{UUID}] - failed",
    "java.util.logging": "Nov 28, 2026 6:24:42 AM com.example.shop.PaymentController pay",
    "slf4j-simple": "[http-nio-8080-exec-1] ERROR com.example.shop.PaymentController - failed",
    "the garbage collector of Java 17": "[0.334s][info][gc] GC(0) Pause Young (Normal) 6M->2M(32M) 4.564ms",
    "tracing, without a time": ' INFO request{method="GET" uri="/x"}: shop: failed',
    "pretty_env_logger": f" ERROR shop > [{UUID}] failed",
}


@pytest.mark.parametrize("prefix", ["", "shop-1  | ", "[pod/shop-7d9/shop] "])
@pytest.mark.parametrize("record", NEXT_RECORDS.values(), ids=NEXT_RECORDS)
def test_a_record_below_a_stack_is_no_part_of_it(record: str, prefix: str) -> None:
    stack = ["java.lang.Error: broken", "\tat com.example.Shop.pay(Shop.java:12)", "\t... 2 more"]
    reader = LineReader()
    lines = [f"{prefix}{line}" for line in (_JAVA, *stack, record)]
    first, second = reader.read(lines) + reader.finish()
    assert first.text == "\n".join((_JAVA, *stack))
    assert second.text.lstrip() == record.lstrip()


# Captured of Rails 6.1.7.10, with config.log_tags = [:request_id].
_STACK_OF_RAILS = (
    "  ",
    "RuntimeError (card declined):",
    "  ",
    "app/controllers/shop_controller.rb:21:in `charge'",
    "actionpack (6.1.7.10) lib/abstract_controller/base.rb:228:in `process_action'",
)


@pytest.mark.parametrize("prefix", ["", "shop-1  | ", "[pod/shop-7d9/shop] "])
def test_rails_puts_its_tag_before_each_line_of_a_stack(prefix: str) -> None:
    """With Ruby's formatter, as in production, where the record has a time before the tag."""
    head = "2026-11-28T07:02:36.578386 #8]"
    first, *further = _STACK_OF_RAILS
    lines = [
        f"F, [{head} FATAL -- : [{UUID}] {first}",
        *(f"[{UUID}] {line}" for line in further),
        f'I, [{head}  INFO -- : [{UUID}] Started GET "/x" for 127.0.0.1 at 2026-11-28 07:02:36 +0000',
    ]
    reader = LineReader()
    failed, started = reader.read([f"{prefix}{line}" for line in lines]) + reader.finish()
    assert failed.text == "\n".join((lines[0], *further))
    assert (failed.request_id, failed.level) == (UUID, 5)
    assert started.text == lines[-1]


@pytest.mark.parametrize("prefix", ["", "shop-1  | ", "[pod/shop-7d9/shop] "])
def test_rails_puts_its_tag_before_each_line_of_a_stack_without_a_time(prefix: str) -> None:
    """The lines of a stack are known by their form: others are records of their own."""
    other = UUID[::-1].replace("-", "f")[:32]
    lines = [
        f"[{UUID}] Processing by ShopController#boom as */*",
        *(f"[{UUID}] {line}" for line in _STACK_OF_RAILS),
        f"[{other}] lib/shop.rb:1:in `another request'",
        f"[{UUID}] paid",
    ]
    reader = LineReader()
    entries = reader.read([f"{prefix}{line}" for line in lines]) + reader.finish()
    assert [entry.request_id for entry in entries] == [UUID, UUID, other, UUID]
    assert entries[1].text == "\n".join((lines[2], *_STACK_OF_RAILS[2:]))


# Captured; Go 1.19, chi 5.0.7, gin 1.8.1, Sidekiq 6.4.1, Erlang 25, PHP 8.2.
BELOW: dict[str, tuple[str, ...]] = {
    "Go": (
        "panic: assignment to entry in nil map",
        "",
        "goroutine 1 [running]:",
        "main.main()",
        "\t/app/main.go:205 +0x946",
    ),
    "chi": (
        " panic: oops",
        " ",
        " -> main.main.func7",
        " ->   /app/main.go:36",
        "",
        "    net/http.HandlerFunc.ServeHTTP",
        "      /usr/lib/go/src/net/http/server.go:2109",
    ),
    "gin": (
        "2026/11/28 06:53:25 [Recovery] 2026/11/28 - 06:53:25 panic recovered:",
        "GET /boom HTTP/1.1",
        "User-Agent: curl/7.88.1",
        f"X-Request-Id: {HEX}",
        "",
        "oops",
        "/app/main.go:22 (0x7a2fe6)",
        "net/http/server.go:2947 (0x64b8ab)",
    ),
    "an error of gin": (
        '[GIN] 2026/11/28 - 06:53:25 | 500 |      61.452\u00b5s |       127.0.0.1 | GET      "/err"',
        "Error #01: bad thing",
    ),
    "Sidekiq, where the platform writes the time": (
        "pid=27712 tid=lss ERROR: boom",
        "/app/pay.rb:3:in `pay'",
    ),
    "Erlang": (
        "=ERROR REPORT==== 28-Nov-2026::07:04:23.577455 ===",
        "Error in process <0.79.0> with exit value:",
        "{badarg,[{l,'-main/0-fun-0-',0,[{file,\"l.erl\"},{line,15}]}]}",
        "",
    ),
    "Erlang, a report with blanks": (
        "=WARNING REPORT==== 28-Nov-2026::07:04:23.574566 ===",
        "    a: 1",
        f"    request_id: {HEX}",
    ),
    "PHP": (
        "[28-Nov-2026 07:01:03 UTC] PHP Fatal error:  Uncaught RuntimeException: declined in /app/index.php:6",
        "Stack trace:",
        "#0 /app/index.php(6): f()",
        "#1 {main}",
        "",
        "Next LogicException: pay failed in /app/index.php:7",
        "Stack trace:",
        "#0 {main}",
        "  thrown in /app/index.php on line 7",
    ),
    "PHP, on a terminal": (
        "PHP Fatal error:  Uncaught RuntimeException: declined in /app/index.php:6",
        "Stack trace:",
        "#0 {main}",
        "  thrown in /app/index.php on line 6",
    ),
    "PHP-FPM": (
        "NOTICE: PHP message: PHP Fatal error:  Uncaught RuntimeException: declined in /app/index.php:6",
        "Stack trace:",
        "#0 {main}",
        "  thrown in /app/index.php on line 6",
    ),
}


@pytest.mark.parametrize("prefix", ["", "shop-1  | ", "[pod/shop-7d9/shop] "])
@pytest.mark.parametrize("lines", BELOW.values(), ids=BELOW)
def test_a_record_in_several_lines_is_apart_from_those_around_it(
    lines: tuple[str, ...], prefix: str
) -> None:
    """It is of no request: neither of the one before it nor of one that it quotes."""
    before = f"2026-11-28 06:53:24,250 INFO [{UUID}] paid"
    given = [before, *lines, *lines, before]
    reader = LineReader()
    entries = reader.read([f"{prefix}{line}" for line in given]) + reader.finish()
    text = "\n".join(lines)
    assert [entry.text for entry in entries] == [before, text, text, before]
    assert [entry.request_id for entry in entries] == [UUID, "", "", UUID]


def test_the_previous_exception_of_monolog_is_of_no_request() -> None:
    """Without the record above it, where grep has left that out: it has a client's text."""
    line = "[previous exception] [object] (PayException(code: 0): got request_id=forged at /app/pay.php:28)"
    assert entry_of(line).request_id == ""


def test_a_panic_of_go_is_critical() -> None:
    assert entry_of("panic: oops").level == 5
    assert entry_of("fatal error: all goroutines are asleep - deadlock!").level == 5


# Captured of PHP-FPM 8.2 with catch_workers_output = yes.
_WORKER = "[28-Nov-2026 07:01:03] WARNING: [pool www] child 4557 said into stderr: "


@pytest.mark.parametrize("prefix", ["", "shop-1  | ", "[pod/shop-7d9/shop] "])
@pytest.mark.parametrize(
    ("line", "request_id", "level"),
    [
        (f'"NOTICE: PHP message: [{UUID}] paid"', UUID, 2),
        ('"NOTICE: PHP message: PHP Warning:  Undefined variable $x"', "", 3),
        (
            f'"NOTICE: PHP message: [2026-11-28 07:01:03] app.ERROR: x {{"request_id":"{UUID}"}} []"',
            UUID,
            4,
        ),
        (f'"{{"message":"x","level_name":"ERROR","context":{{"request_id":"{UUID}"}}}}"', UUID, 4),
        ('"NOTICE: PHP message: got "request_id=forged""', "", 2),
    ],
)
def test_a_line_of_a_worker_of_php_fpm(prefix: str, line: str, request_id: str, level: int) -> None:
    """It is in quotes behind that of PHP-FPM, whose level is the same for each."""
    entry = entry_of(f"{prefix}{_WORKER}{line}")
    assert (entry.request_id, entry.level) == (request_id, level)
    assert entry.text.endswith('"') == line.endswith('""')
    assert (entry.more or {}).get("service") == ("shop" if prefix else None)


def test_a_stack_between_lines_of_another_service_belongs_to_its_own() -> None:
    record, stack = STACKS["Spring Boot"]
    lines = [f"front-1  | {record}"]
    for line in filter(None, stack):
        lines += [f"stock-1  | {_JAVA.replace(HEX, HEX[::-1])}", f"front-1  | {line}"]
    reader = LineReader()
    entries = reader.read(lines) + reader.finish()
    assert [entry.request_id for entry in entries] == [HEX, *[HEX[::-1], HEX] * 4]


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (_JAVA, "shop.example is up"),
        (_JAVA, "com.example.Shop started"),
        (_JAVA.replace("ERROR", " INFO"), "Error: another program failed"),
        (BEHIND_A_MESSAGE["zap"], "shop.example is up"),
        (f"2024-11-22 10:30:15 - ERROR - [req={HEX}|session=s1] - failed", "java.lang.Error: x"),
    ],
)
def test_a_line_that_begins_no_stack_is_of_no_request(record: str, line: str) -> None:
    reader = LineReader()
    first, second = reader.read([record, line]) + reader.finish()
    assert first.request_id in ("r1", HEX)
    assert (second.request_id, second.text) == ("", line)


@pytest.mark.parametrize("line", ["a." * 50_000, "E" * 100_000, "/.rb:" * 20_000, "a.b/" * 30_000])
@pytest.mark.parametrize("record", [_JAVA, BEHIND_A_MESSAGE["zap"]])
def test_a_long_line_below_a_record_takes_no_longer_than_its_length(record: str, line: str) -> None:
    reader = LineReader()
    entries = reader.read([record, *[line] * 20]) + reader.finish()
    assert len(entries) == 21


def test_records_of_apexs_log_are_apart() -> None:
    """Of Go, version 1.1.1: it aligns its levels on the right."""
    lines = [
        "  INFO[0000] starting                 ",
        f" ERROR[0000] upload failed             request_id={UUID} user=Tobi",
        "  INFO[0000] after                    ",
    ]
    reader = LineReader()
    entries = reader.read(lines) + reader.finish()
    found = [(entry.request_id, entry.level) for entry in entries]
    assert found == [("", 2), (UUID, 4), ("", 2)]


def test_records_of_rust_in_several_lines_are_apart() -> None:
    """Each begins with two blanks."""
    records = [
        f"  2024-11-22T10:30:1{number}.250000Z  INFO shop::pay: paid, n: 3\n    at src/main.rs:12\n"
        for number in range(3)
    ]
    reader = LineReader()
    entries = reader.read("\n".join(records).split("\n")) + reader.finish()
    assert [entry.text for entry in entries] == [*records[:2], records[2]]


NAMED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ECS, dotted": (
        {
            "@timestamp": 1,
            "log.level": "error",
            "message": "x",
            "trace.id": HEX,
            "http.request.id": "r1",
            "span.id": SPAN,
        },
        {"request": "r1", "trace": HEX, "span": SPAN, "level": 4},
    ),
    # 2.9.1
    "Monolog's UidProcessor": (
        {
            "message": "starting",
            "context": {},
            "level": 200,
            "level_name": "INFO",
            "channel": "app",
            "datetime": "2026-11-28T06:56:07.526258+00:00",
            "extra": {"uid": "56ca7fa1aa0c9200cacc1c4e"},
        },
        {"request": "56ca7fa1aa0c9200cacc1c4e", "level": 2},
    ),
    "ECS, nested": (
        {
            "@timestamp": 1,
            "log": {"level": "error", "logger": "shop"},
            "message": "x",
            "trace": {"id": HEX},
            "service": {"name": "front"},
        },
        {"request": HEX, "service": "front", "level": 4},
    ),
    "Google Cloud": (
        {
            "time": 1,
            "severity": "ERROR",
            "message": "x",
            "logging.googleapis.com/trace": f"projects/p/traces/{HEX}",
        },
        {"request": HEX, "trace": HEX, "level": 4},
    ),
    "Datadog": (
        {
            "timestamp": 1,
            "status": "error",
            "message": "x",
            "dd": {"trace_id": HEX, "service": "front"},
        },
        {"request": HEX, "service": "front", "level": 4},
    ),
    "OpenTelemetry": (
        {
            "Timestamp": 1,
            "SeverityText": "WARN",
            "Body": "x",
            "TraceId": HEX,
            "SpanId": SPAN,
            "LogAttributes": {"asgi_trace.request_id": "r1", "session.id": "s1"},
            "ServiceName": "front",
        },
        {
            "request": "r1",
            "session": "s1",
            "trace": HEX,
            "inner": SPAN,
            "service": "front",
            "level": 3,
        },
    ),
    "pino": (
        {"level": 50, "time": 1, "pid": 1, "hostname": "a", "reqId": "r1", "msg": "x"},
        {"request": "r1", "level": 4},
    ),
    "pino-http": (
        {
            "level": 30,
            "time": 1,
            "pid": 1,
            "hostname": "a",
            "req": {"id": "r1", "method": "GET", "url": "/x"},
            "res": {"statusCode": 503},
            "responseTime": 250,
            "msg": "request completed",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
            "level": 2,
        },
    ),
    "bunyan": (
        {
            "name": "shop",
            "hostname": "a",
            "pid": 1,
            "level": 40,
            "req_id": "r1",
            "msg": "x",
            "time": 1,
            "v": 0,
        },
        {"request": "r1", "level": 3},
    ),
    "slog": (
        {"time": "2024-11-22T10:30:15.25Z", "level": "ERROR+2", "msg": "x", "request_id": "r1"},
        {"request": "r1", "level": 4},
    ),
    "Serilog": (
        {
            "@t": "2024-11-22T10:30:15.25Z",
            "@mt": "x",
            "@l": "Warning",
            "@tr": HEX,
            "@sp": SPAN,
            "RequestId": "r1",
        },
        {"request": "r1", "trace": HEX, "inner": SPAN, "level": 3},
    ),
    "Rust's tracing": (
        {
            "timestamp": "2024-11-22T10:30:15.25Z",
            "level": "ERROR",
            "fields": {"message": "x"},
            "target": "shop",
            "span": {"name": "request", "request_id": "r1"},
            "spans": [{"name": "request", "request_id": "r1"}],
        },
        {"request": "r1", "level": 4},
    ),
    "Rust's tracing, an outer span": (
        {
            "timestamp": "2024-11-22T10:30:15.25Z",
            "level": "INFO",
            "fields": {"message": "x"},
            "span": {"name": "query"},
            "spans": [{"name": "request", "request_id": "r1"}, {"name": "query"}],
        },
        {"request": "r1"},
    ),
    "loguru, serialized": (
        {
            "text": "x\n",
            "record": {
                "level": {"name": "ERROR", "no": 40},
                "message": "x",
                "extra": {"request_id": "r1"},
                "time": {"repr": "2024", "timestamp": 1732271415.25},
            },
        },
        {"request": "r1", "level": 4},
    ),
    "caddy": (
        {
            "level": "info",
            "ts": 1,
            "logger": "http.log.access",
            "msg": "handled request",
            "request": {"method": "GET", "uri": "/x", "headers": {}},
            "duration": 0.25,
            "status": 502,
        },
        {"access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0}},
    ),
    "traefik": (
        {
            "time": 1,
            "level": "info",
            "msg": "",
            "RequestMethod": "GET",
            "RequestPath": "/x",
            "DownstreamStatus": 502,
            "Duration": 250_000_000,
        },
        {"access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0}},
    ),
    "nginx": (
        {
            "time": 1,
            "request_method": "GET",
            "request_uri": "/x",
            "status": "502",
            "request_time": "0.250",
            "request_id": HEX,
        },
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0},
        },
    ),
    "Google Cloud's requests": (
        {
            "timestamp": 1,
            "severity": "INFO",
            "httpRequest": {
                "requestMethod": "GET",
                "requestUrl": "/x",
                "status": 502,
                "latency": "0.25s",
            },
        },
        {"access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0}},
    ),
    "Fluent Bit, merged": (
        {
            "date": 1,
            "kubernetes": {"container_name": "front"},
            "log_processed": {"level": "ERROR", "message": "x", "request_id": "r1"},
        },
        {"request": "r1", "service": "front", "level": 4},
    ),
    "a hit of OpenSearch": (
        {
            "_index": "a",
            "_source": {"@timestamp": 1, "level": "ERROR", "message": "x", "request_id": "r1"},
        },
        {"request": "r1", "level": 4},
    ),
    "GELF": (
        {"version": "1.1", "host": "a", "short_message": "x", "timestamp": 1, "level": 3},
        {"level": 4},
    ),
    "pino without a base": (
        {"level": 50, "time": 1, "reqId": "r1", "msg": "x"},
        {"request": "r1", "level": 4},
    ),
    "fastify": (
        {
            "level": 30,
            "time": 1,
            "name": "shop",
            "reqId": "r1",
            "res": {"statusCode": 503},
            "responseTime": 250,
            "msg": "request completed",
        },
        {"request": "r1", "access": {"status": 503, "duration_ms": 250.0}},
    ),
    "bunyan in Rust": (
        {
            "v": 0,
            "name": "shop",
            "msg": "x",
            "level": 30,
            "request_id": "r1",
            "http.method": "GET",
            "http.target": "/x",
            "http.status_code": 503,
            "elapsed_milliseconds": 250,
        },
        {
            "request": "r1",
            "level": 2,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "ECS without a duration": (
        {
            "@timestamp": 1,
            "log.level": "info",
            "log.logger": "shop",
            "message": "x",
            "http.request.method": "GET",
            "url.path": "/x",
            "http.response.status_code": 503,
        },
        {"access": {"method": "GET", "path": "/x", "status": 503}},
    ),
    "Envoy and Istio": (
        {
            "start_time": "2024-11-22T10:30:15.250Z",
            "method": "GET",
            "path": "/x",
            "response_code": 503,
            "duration": 250,
            "request_id": "r1",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "nginx, a whole request": (
        {
            "time_local": "22/Nov/2024:10:30:15 +0000",
            "request": "GET /x?y=1 HTTP/1.1",
            "status": "502",
            "request_time": "0.250",
            "request_id": HEX,
        },
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x?y=1", "status": 502, "duration_ms": 250.0},
        },
    ),
    "AWS API Gateway": (
        {
            "requestId": "r1",
            "requestTime": "22/Nov/2024:10:30:15 +0000",
            "httpMethod": "GET",
            "path": "/x",
            "status": "502",
            "responseLatency": "250",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0},
        },
    ),
    "Heroku's router": (
        {
            "at": "info",
            "method": "GET",
            "path": "/x",
            "request_id": "r1",
            "connect": "0ms",
            "service": "250ms",
            "status": "503",
        },
        {
            "request": "r1",
            "service": None,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "a service that is no duration": (
        {"msg": "x", "method": "GET", "path": "/x", "service": "pay", "status": 503},
        {"service": "pay", "access": None},
    ),
    "caddy, its header": (
        {
            "level": "info",
            "ts": 1,
            "logger": "http.log.access.log0",
            "msg": "handled request",
            "request": {"method": "GET", "uri": "/x", "headers": {}},
            "duration": "250ms",
            "status": 502,
            "resp_headers": {"X-Request-Id": ["r1"]},
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0},
        },
    ),
    "Google Cloud's requests, a whole address": (
        {
            "timestamp": 1,
            "httpRequest": {
                "requestMethod": "GET",
                "requestUrl": "https://shop.example/x",
                "status": 502,
                "latency": "0.25s",
            },
        },
        {"access": {"method": "GET", "path": "/x", "status": 502, "duration_ms": 250.0}},
    ),
    ".NET, scopes": (
        {
            "Timestamp": "2024-11-22T10:30:15Z",
            "LogLevel": "Error",
            "Category": "Shop",
            "Message": "x",
            "Scopes": [{"Message": "s", "TraceId": HEX}, {"RequestId": "r1", "RequestPath": "/x"}],
        },
        {"request": "r1", "trace": HEX, "level": 4},
    ),
    "Serilog without a level": (
        {"@t": "2024-11-22T10:30:15Z", "@mt": "x", "RequestId": "r1"},
        {"request": "r1", "level": 2},
    ),
    "Serilog, its own names": (
        {
            "Timestamp": "2024-11-22T10:30:15Z",
            "Level": "Warning",
            "MessageTemplate": "x",
            "Properties": {"RequestId": "r1"},
        },
        {"request": "r1", "level": 3},
    ),
    "Monolog": (
        {"message": "x", "context": {"request_id": "r1"}, "level": 300, "level_name": "WARNING"},
        {"request": "r1", "level": 3},
    ),
    "Semantic Logger": (
        {"timestamp": 1, "level": "error", "message": "x", "named_tags": {"request_id": "r1"}},
        {"request": "r1", "level": 4},
    ),
    "hclog": (
        {"@level": "error", "@message": "x", "@timestamp": 1, "request_id": "r1"},
        {"request": "r1", "level": 4},
    ),
    "OpenTelemetry's console": (
        {"body": "x", "severity_text": "ERROR", "trace_id": f"0x{HEX}", "span_id": f"0x{SPAN}"},
        {"request": HEX, "trace": HEX, "level": 4},
    ),
    "Datadog's search": (
        {"id": "A", "content": {"message": "x", "attributes": {"request_id": "r1"}}},
        {"request": "r1"},
    ),
    "our ids before the message": (
        {
            "time": 1,
            "level": "error",
            "msg": f"[req=r1|session=s1|span={SPAN}] [tools/call add #7] x",
        },
        {"request": "r1", "session": "s1", "span": SPAN, "call": "tools/call add #7", "level": 4},
    ),
    "GELF, of a program": (
        {
            "version": "1.1",
            "host": "web",
            "short_message": "x",
            "full_message": "x\nTraceback",
            "timestamp": 1732271415.25,
            "level": 3,
            "_request_id": "r1",
            "_session_id": "s1",
        },
        {"request": "r1", "session": "s1", "level": 4},
    ),
    "Application Insights": (
        {
            "timestamp": "2024-11-22T10:30:15Z",
            "message": "x",
            "severityLevel": 3,
            "operation_Id": HEX,
            "cloud_RoleName": "front",
        },
        {"request": HEX, "service": "front", "level": 4},
    ),
    "Application Insights' requests": (
        {
            "timestamp": "2024-11-22T10:30:15Z",
            "name": "GET /x",
            "url": "https://shop.example/x",
            "resultCode": "503",
            "duration": 250.5,
            "operation_Id": HEX,
        },
        {"request": HEX, "access": {"path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "ingress-nginx": (
        {
            "time": "2024-11-22T10:30:15+00:00",
            "request_id": HEX,
            "request_time": 0.25,
            "status": 503,
            "path": "/x",
            "duration": 0.25,
            "method": "GET",
        },
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "zerolog": (
        {
            "level": "info",
            "method": "GET",
            "url": "/x",
            "status": 503,
            "duration": 250.5,
            "req_id": "r1",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "Envoy Gateway": (
        {
            "start_time": "2024-11-22T10:30:15Z",
            "method": "GET",
            "x-envoy-origin-path": "/x",
            "response_code": "503",
            "duration": "250",
            "x-request-id": "r1",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "slog-http": (
        {
            "time": "2024-11-22T10:30:15Z",
            "level": "INFO",
            "msg": "x",
            "request": {"method": "GET", "path": "/x"},
            "response": {"latency": 250_000_000, "status": 503},
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0}},
    ),
    "express-winston": (
        {
            "level": "info",
            "message": "HTTP GET /x",
            "meta": {
                "req": {"url": "/x", "method": "GET"},
                "res": {"statusCode": 503},
                "responseTime": 250,
            },
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0}},
    ),
    "winston, with colors": (
        {"level": "\x1b[33mwarn\x1b[39m", "message": "x", "requestId": "r1"},
        {"request": "r1", "level": 3},
    ),
    "morgan, as JSON": (
        {"method": "GET", "url": "/x", "status": 503, "response_time": 0.25, "requestId": "r1"},
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 0.25},
        },
    ),
    "winston, npm's levels": ({"level": "http", "message": "x"}, {"level": 1}),
    "NLog": (
        {"time": 1, "level": "Error", "message": "x", "eventProperties": {"RequestId": "r1"}},
        {"request": "r1", "level": 4},
    ),
    "Elixir, for Datadog": (
        {"message": "x", "syslog": {"severity": "error", "timestamp": 1}, "request_id": "r1"},
        {"request": "r1", "level": 4},
    ),
    "Logback": (
        {"timestamp": 1, "level": "ERROR", "formattedMessage": "x", "mdc": {"requestId": "r1"}},
        {"request": "r1", "level": 4},
    ),
    "Logstash, its first form": (
        {
            "@message": "x",
            "@timestamp": "2024-11-22T10:30:15.250Z",
            "@source_host": "web",
            "@fields": {
                "levelname": "WARNING",
                "name": "shop",
                "request_id": "r1",
                "session_id": "s1",
            },
        },
        {"request": "r1", "session": "s1", "level": 3},
    ),
    "Logstash, its first form, without ids": (
        {"@message": "x", "@timestamp": 1, "@fields": {"levelname": "WARNING", "name": "shop"}},
        {"request": "", "level": 3},
    ),
    "Google Cloud's handler for Python": (
        {
            "message": "x",
            "severity": "ERROR",
            "logging.googleapis.com/labels": {"request_id": "r1", "session_id": "s1"},
            "logging.googleapis.com/trace": "",
        },
        {"request": "r1", "session": "s1", "level": 4},
    ),
    "GELF of log4j": (
        {"version": "1.1", "host": "web", "short_message": "x", "level": 3, "_requestId": "r1"},
        {"request": "r1", "level": 4},
    ),
    "PostgreSQL": (
        {"timestamp": "2024-11-22 10:30:15.250 UTC", "error_severity": "FATAL", "message": "x"},
        {"level": 5},
    ),
    "MongoDB": (
        {"t": {"$date": "2024-11-22T10:30:15.250Z"}, "s": "W", "c": "STORAGE", "msg": "x"},
        {"level": 3, "undated": None},
    ),
    "MongoDB, to debug": (
        {"t": {"$date": "2024-11-22T10:30:15Z"}, "s": "D2", "msg": "x"},
        {"level": 1},
    ),
    "a letter that is no level": ({"s": "W", "msg": "x"}, {"level": 0}),
    "Nextcloud": (
        {
            "reqId": "r1",
            "level": 3,
            "time": "2024-11-22T10:30:15Z",
            "remoteAddr": "",
            "app": "core",
            "message": "x",
        },
        {"request": "r1", "level": 4},
    ),
    "logfmter": (
        {"at": "WARNING", "when": "2024-11-22 10:30:15,250", "msg": "x"},
        {"level": 3, "undated": None},
    ),
    "a place that is no level": ({"at": "home", "level": "error", "msg": "x"}, {"level": 4}),
    "a status that is a level": ({"at": "error", "status": 502, "msg": "x"}, {"level": 4}),
    "a time that is not the line's": (
        {"created": "2020-01-01T00:00:00Z", "msg": "x"},
        {"undated": True},
    ),
    "logging's own time": ({"created": 1732271415.25, "msg": "x"}, {"undated": None}),
    "OpenTelemetry's console, outside a request": (
        {
            "body": "x",
            "severity_text": "WARN",
            "trace_id": f"0x{'0' * 32}",
            "span_id": f"0x{'0' * 16}",
        },
        {"request": "", "trace": None, "inner": None, "span": None},
    ),
    "Cloudflare": (
        {
            "ClientRequestMethod": "GET",
            "ClientRequestURI": "/x",
            "EdgeResponseStatus": 503,
            "EdgeStartTimestamp": 1732271415250000000,
            "RayID": "3a6050bcbe121a87",
        },
        {
            "request": "3a6050bcbe121a87",
            "undated": None,
            "access": {"method": "GET", "path": "/x", "status": 503},
        },
    ),
    "Fastly": (
        {"timestamp": 1, "url": "/x", "request_method": "GET", "response_status": 503},
        {"access": {"method": "GET", "path": "/x", "status": 503}},
    ),
    "AWS API Gateway, its example": (
        {
            "requestId": UUID,
            "requestTime": 1,
            "httpMethod": "GET",
            "routeKey": "$default",
            "status": "503",
        },
        {"request": UUID, "access": {"method": "GET", "status": 503}},
    ),
    "Kong": (
        {
            "started_at": 1732271415250,
            "latencies": {"proxy": 240, "request": 250, "kong": 10},
            "request": {
                "method": "GET",
                "uri": "/x",
                "id": HEX,
                "headers": {"x-request-id": "forged"},
            },
            "response": {"status": 503},
        },
        {
            "request": HEX,
            "undated": None,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "APISIX": (
        {
            "start_time": 1732271415250,
            "latency": 250.5,
            "request": {"method": "GET", "uri": "/x", "headers": {"x-request-id": "forged"}},
            "response": {"status": 503},
        },
        {
            "request": "",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "Azure's Application Gateway": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "httpMethod": "GET",
            "requestUri": "/x",
            "httpStatus": 503,
            "timeTaken": 0.25,
        },
        {
            "undated": None,
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "a middleware": (
        {
            "timestamp": "2024-11-22T10:30:15.25Z",
            "method": "GET",
            "path": "/x",
            "status_code": 503,
            "process_time": 0.25,
            "request_id": "r1",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "Linkerd": (
        {
            "timestamp": 1,
            "method": "GET",
            "uri": "http://shop/x",
            "status": 503,
            "total_ns": "250000000",
            "trace_id": "",
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0}},
    ),
    "Semantic Logger's requests": (
        {
            "timestamp": 1,
            "level": "info",
            "name": "OrdersController",
            "message": "Completed #index",
            "duration_ms": 250.5,
            "duration": "250.5ms",
            "payload": {"method": "GET", "path": "/x", "status": 503},
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    ".NET's requests": (
        {
            "Timestamp": "2024-11-22 10:30:15 ",
            "LogLevel": "Information",
            "Category": "Microsoft.AspNetCore.Hosting.Diagnostics",
            "Message": "Request finished HTTP/1.1 GET http://shop/x - 503 0 - 250.1234ms",
            "State": {
                "Method": "GET",
                "Path": "/x",
                "StatusCode": 503,
                "ElapsedMilliseconds": 250.1234,
            },
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.1234}},
    ),
    "tower-http": (
        {
            "timestamp": "2024-11-22T10:30:15.25Z",
            "level": "DEBUG",
            "fields": {"message": "finished processing request", "latency": "3 ms", "status": 503},
            "target": "tower_http::trace::on_response",
            "span": {"method": "GET", "uri": "/x", "name": "request"},
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 3.0}},
    ),
    "a call of another service": (
        {"logger": "shop", "msg": "x", "method": "GET", "uri": "/x", "status": 503, "latency": 5},
        {"access": None},
    ),
    "a server's message and its duration": (
        {
            "timestamp": 1,
            "level": "info",
            "logger": "api.access",
            "message": '10.0.0.1:5 - "GET /x HTTP/1.1" 503',
            "duration": 250_000_000,
            "http": {
                "method": "GET",
                "url": "http://shop/x",
                "status_code": 503,
                "request_id": "r1",
            },
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "Echo": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "id": "r1",
            "remote_ip": "127.0.0.1",
            "method": "GET",
            "uri": "/x",
            "status": 503,
            "latency": 250_500_000,
            "latency_human": "250.5ms",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "slog-http, its id": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "level": "INFO",
            "msg": "x",
            "id": "r1",
            "request": {"method": "GET", "path": "/x"},
            "response": {"latency": 250_000_000, "status": 503},
        },
        {"request": "r1"},
    ),
    "an id of something else": (
        {"level": "INFO", "msg": "x", "id": "r1", "method": "GET", "path": "/x", "status": 503},
        {"request": ""},
    ),
    "chi's httplog": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "level": "ERROR",
            "msg": "Response: 503 Service Unavailable",
            "httpRequest": {"method": "GET", "path": "/x", "requestID": "r1"},
            "httpResponse": {"status": 503, "bytes": 5, "elapsed": 250.5},
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "GitLab": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "method": "GET",
            "path": "/x",
            "status": 503,
            "correlation_id": "r1",
            "duration_s": 0.2505,
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "GitLab's Workhorse": (
        {
            "time": "2024-11-22T10:30:15Z",
            "level": "info",
            "msg": "access",
            "method": "GET",
            "uri": "/x",
            "status": 503,
            "correlation_id": "r1",
            "duration_ms": 250,
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "Docker's registry": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "level": "info",
            "msg": "response completed",
            "http.request.id": "r1",
            "http.request.method": "GET",
            "http.request.uri": "/x",
            "http.response.status": 503,
            "http.response.duration": "250.5ms",
        },
        {
            "request": "r1",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5},
        },
    ),
    "slog's requests": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "level": "INFO",
            "msg": "request",
            "method": "GET",
            "path": "/x",
            "status": 503,
            "duration": 250_500_000,
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "slog's requests, in milliseconds": (
        {
            "time": "2024-11-22T10:30:15.25Z",
            "level": "INFO",
            "msg": "request",
            "method": "GET",
            "path": "/x",
            "status": 503,
            "latency": 250,
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0}},
    ),
    "zap's requests": (
        {
            "level": "info",
            "ts": 1732271415.25,
            "msg": "/x",
            "method": "GET",
            "path": "/x",
            "status": 503,
            "latency": 0.2505,
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "pino's own duration": (
        {
            "level": 30,
            "time": 1732271415250,
            "msg": "request",
            "method": "GET",
            "path": "/x",
            "status": 503,
            "duration": 25_000,
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 25_000.0}},
    ),
    "Sanic": (
        {
            "timestamp": "2024-11-22 10:30:15 +0000",
            "level": "INFO",
            "message": "",
            "host": "127.0.0.1:5",
            "request": "GET http://shop/x",
            "status": 503,
            "byte": 2,
            "duration": " 250.5ms",
        },
        {"access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.5}},
    ),
    "ours, of a service": (
        {
            "timestamp": 1,
            "level": "INFO",
            "message": "x",
            "request_id": "r1",
            "parent_span_id": SPAN,
            "service": "front",
        },
        {"request": "r1", "parent": SPAN, "service": "front"},
    ),
    "a program in Go, with the names of its structure": (
        {"Time": "2024-11-22T10:30:15Z", "Severity": "ERROR", "message": "x", "X-Request-Id": "r1"},
        {"request": "r1", "level": 4, "undated": None},
    ),
    "winston, with metadata": (
        {"level": "info", "message": "x", "meta": {"requestId": "r1", "sessionID": "s1"}},
        {"request": "r1", "session": "s1", "level": 2},
    ),
    "logback, with its context in capitals": (
        {"timestamp": 1, "logLevel": "WARN", "message": "x", "MDC": {"REQUEST_ID": "r1"}},
        {"request": "r1", "level": 3},
    ),
    "an event of API Gateway": (
        {"timestamp": 1, "level": "INFO", "message": "x", "requestContext": {"requestId": "r1"}},
        {"request": "r1"},
    ),
    "the name of an operation, which is no trace": (
        {"timestamp": 1, "level": "INFO", "message": "x", "operationId": "getUser"},
        {"request": "", "trace": None},
    ),
    "an empty id before another one": (
        {"timestamp": 1, "level": "INFO", "message": "x", "request_id": None, "reqId": "r1"},
        {"request": "r1"},
    ),
    "an empty id before one in another spelling": (
        {"timestamp": 1, "level": "INFO", "message": "x", "request_id": "", "X-Request-Id": "r1"},
        {"request": "r1"},
    ),
    "a store's columns of ids, of which one is filled": (
        {
            "timestamp": 1,
            "level": "INFO",
            "message": "x",
            "trace_id": "",
            "traceId": HEX,
            "session_id": "-",
            "sessionId": "s1",
        },
        {"request": HEX, "session": "s1", "trace": HEX},
    ),
    "a store's columns of a level, of which one is filled": (
        {"timestamp": 1, "level": None, "severity": "ERROR", "message": "x"},
        {"level": 4},
    ),
    "CloudFront, in JSON": (
        {
            "date": "2024-11-22",
            "time": "10:30:15",
            "x-edge-location": "FRA56-P4",
            "cs-method": "GET",
            "cs-uri-stem": "/x",
            "sc-status": "503",
            "time-taken": "0.250",
            "x-edge-request-id": "JKJaXmPLvHcESHA==",
        },
        {
            "request": "JKJaXmPLvHcESHA==",
            "access": {"method": "GET", "path": "/x", "status": 503, "duration_ms": 250.0},
        },
    ),
    "Semantic Logger, with Rails' tags": (
        {"timestamp": 1, "level": "info", "message": "x", "tags": ["web", UUID]},
        {"request": UUID},
    ),
    "tags that are no ids": (
        {"timestamp": 1, "level": "info", "message": "x", "tags": ["web", 5, None]},
        {"request": ""},
    ),
    "a UUID of zeros": (
        {"time": 1, "level": "INFO", "message": "x", "requestId": UUID.translate(_ZEROS)},
        {"request": ""},
    ),
    "a missing value of JavaScript": (
        {"time": 1, "level": "info", "message": "x", "requestId": "undefined"},
        {"request": ""},
    ),
    # gunicorn 27
    "gunicorn, in JSON": (
        {
            "remote_ip": "127.0.0.1",
            "request_id": HEX,
            "response_code": "200",
            "request_method": "GET",
            "request_path": "/orders",
            "request_querystring": "x=1",
            "request_timetaken": "997",
            "response_length": "2",
        },
        {
            "request": HEX,
            "access": {"method": "GET", "path": "/orders", "status": 200, "duration_ms": 0.997},
        },
    ),
    "an id without a message": ({"request_id": HEX, "paid": 7}, {"request": HEX}),
    "AWS Lambda Powertools": (
        {
            "level": "INFO",
            "message": "x",
            "timestamp": "2024-11-22 10:30:15,250+0000",
            "service": "front",
            "function_request_id": UUID,
            "xray_trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        },
        {"request": UUID, "trace": "1-5759e988-bd862e3fe1be46a994272793", "service": "front"},
    ),
    "the header of AWS X-Ray": (
        {
            "level": "info",
            "message": "x",
            "X-Amzn-Trace-Id": "Self=1-6-9;Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        },
        {"trace": "1-5759e988-bd862e3fe1be46a994272793"},
    ),
    "a whole traceparent": (
        {"level": "info", "message": "x", "trace_id": f"00-{HEX}-{SPAN}-01"},
        {"request": HEX, "trace": HEX},
    ),
    "a traceback with the name of a trace": (
        {"level": "error", "message": "x", "trace": "Error: x\n    at shop (/app/shop.js:1:2)"},
        {"request": "", "trace": None, "level": 4},
    ),
    "pino, with its message under another name": (
        {"level": 30, "time": 1732271415250, "message": "x", "req": {"id": "r1"}},
        {"request": "r1", "level": 2},
    ),
}


@pytest.mark.parametrize(("fields", "expected"), NAMED.values(), ids=NAMED)
def test_json_of_others(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Nested or not; what it says besides is in the text."""
    entry = entry_of(json.dumps(fields))
    found = {
        "request": entry.request_id,
        "session": entry.session_id,
        "level": entry.level,
        **(entry.more or {}),
    }
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("first", ["@timestamp", "event.timestamp"])
def test_the_first_name_of_logfmt_may_have_a_mark(first: str) -> None:
    """As those of ECS have."""
    entry = entry_of(f'{first}=2024-11-22T10:30:15Z log.level=WARN message="x" trace.id={HEX}')
    assert (entry.request_id, entry.level) == (HEX, 3)


def test_a_traceback_with_the_name_of_a_trace_is_shown() -> None:
    traceback = "Error: x\n    at shop (/app/shop.js:1:2)"
    entry = entry_of(json.dumps({"level": "error", "message": "failed", "trace": traceback}))
    assert entry.text[entry.message :] == f"failed\n{traceback}"


@pytest.mark.parametrize(
    "name",
    [
        "eventTime",
        "requestTimeEpoch",
        "ts",
        "t",
        "@timestamp",
        "syslog.timestamp",
        "t.$date",
        "when",
    ],
)
@pytest.mark.parametrize("value", ["2024-11-22T10:30:15.250Z", "1732271415250000"])
def test_the_time_has_many_names(name: str, value: str) -> None:
    assert (
        entry_of(json.dumps({name: value, "msg": "x", "level": "info"})).time == 1_732_271_415_250
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"date": "2024-11-22", "time": "10:30:15.250", "tz": "+0000"},  # FortiGate
        {"date": "2024-11-22", "time": "10:30:15.250", "cs-method": "GET"},  # CloudFront
        {"date": "2024/11/22", "time": "10:30:15.250Z"},
        {"timestamp": None, "time": "2024-11-22T10:30:15.250Z"},
        {"timestamp": "soon", "t": 5, "ts": 1732271415.25},
    ],
)
@pytest.mark.parametrize("form", ["JSON", "logfmt"])
def test_a_time_may_be_in_two_fields_or_in_the_second_one(
    fields: dict[str, Any], form: str
) -> None:
    """A time of day without its date would be one of the day of the file."""
    fields |= {"level": "info", "msg": "x"}
    line = json.dumps(fields)
    if form == "logfmt":
        line = " ".join(f"{name}={value or ''}" for name, value in fields.items())
    reader = LineReader(zone=ZoneInfo("Europe/Berlin"))
    (entry,) = reader.read([line]) + reader.finish()
    assert entry.time == 1_732_271_415_250


def test_a_short_name_is_no_time_where_it_is_a_number() -> None:
    entry = entry_of(json.dumps({"t": 5, "msg": "x", "level": "info"}))
    assert (entry.more or {})["undated"] is True


def test_gelfs_two_messages_are_shown_once() -> None:
    entry = entry_of(
        json.dumps(
            {"short_message": "x", "full_message": "x\nTraceback\n  y", "host": "a", "level": 3}
        )
    )
    assert entry.text[entry.message :].split("\n") == ["x host=a", "Traceback", "  y"]
    alike = entry_of(
        json.dumps({"short_message": "x", "full_message": "x", "host": "a", "level": 3})
    )
    assert alike.text[alike.message :] == "x host=a"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("GET /x 503 250.500 ms - 12", "GET /x 503 250.500 ms - 12"),
        (
            "::1 - GET /x HTTP/1.1 503 5 - 250.500 ms",
            "::1 - GET /x HTTP/1.1 503 5 - 250.500 ms",
        ),
        (
            "[pid: 88|app: 0|req: 1/1] 127.0.0.1 () {38 vars in 696 bytes} [Fri Nov 22 10:30:15 2024] GET /x => "
            "generated 4 bytes in 2 msecs (HTTP/1.1 503) 9 headers",
            "GET /x => generated 4 bytes in 2 msecs (HTTP/1.1 503) 9 headers",
        ),
    ],
    ids=["morgan", "morgan, short", "uWSGI"],
)
def test_the_message_of_an_access_line_has_its_request(line: str, shown: str) -> None:
    """A request is hidden where ids are searched, and shown all the same."""
    entry = entry_of(line)
    assert entry.text[entry.message :] == shown


def test_a_name_forges_no_time() -> None:
    """A client of an access line gives its own name."""
    reader = LineReader()
    lines = ["2024-11-22T10:30:15Z INFO x"]
    lines += ["::1 2001-01-01T00:00:00Z GET /x HTTP/1.1 503 5 - 250.500 ms"]
    entries = reader.read(lines) + reader.finish()
    assert [entry.time for entry in entries] == [1_732_271_415_000] * 2


RAILS = f'[{UUID}] Started GET "{{}}" for 127.0.0.1 at 2024-11-22 10:30:15 +0100'


def test_rails_writes_the_time_of_a_request_behind_it() -> None:
    """Since its version 8, no line has another one; those of the same request come after it."""
    reader = LineReader()
    lines = [RAILS.format("/x"), f"[{UUID}] Completed 503 Service Unavailable in 12ms"]
    entries = reader.read(lines) + reader.finish()
    assert [entry.time for entry in entries] == [1_732_267_815_000] * 2
    in_container = entry_of(f"2024-11-22T09:30:15.250000000Z stdout F {lines[0]}")
    assert in_container.time == 1_732_267_815_250


@pytest.mark.parametrize(
    "line",
    [
        RAILS.format('/x" for 127.0.0.1 at 2001-01-01 00:00:00 +0000'),
        'INFO:shop:Started GET "/x" for 127.0.0.1 at 2001-01-01 00:00:00 +0000',
    ],
    ids=["a path", "a message"],
)
def test_what_looks_like_rails_time_forges_none(line: str) -> None:
    reader = LineReader()
    lines = ["2024-11-22T10:30:15Z INFO x", line]
    entries = reader.read(lines) + reader.finish()
    assert [entry.time for entry in entries] == [1_732_271_415_000] * 2


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        ("10:30:15.250 [main] INFO  shop - ", "10:30:15.250"),
        ("[10:30:15.250] INFO (12): ", "10:30:15.250"),
        ("10:30:15: ", "10:30:15"),
        ("Srv 0 10:30:15 INFO: ", "10:30:15"),
        ("10:30AM ERR ", "10:30AM"),
        ("INFO:shop:", ""),
        ("INFO:     127.0.0.1:5 ", ""),
        ("      INFO   ", ""),
        ("[INFO] ", ""),
        ("ERRO[0012] ", ""),
        ("fail: Shop.Pay[0] ", ""),
        ("Not Found: /x/2001-01-01T00:00:00Z", ""),
    ],
)
@pytest.mark.parametrize("sent", ["paid 2001-01-01T00:00:00Z", "x/2001-01-01T00:00:00Z"])
def test_a_date_in_a_message_is_not_the_time_of_its_line(head: str, moment: str, sent: str) -> None:
    """A client may send one; the line has a time without a date before it, or none."""
    reader = LineReader(zone=timezone.utc)
    before = "2024-11-22T10:30:14Z"
    _, entry = reader.read([f"{before} INFO x", f"{head}{sent}"]) + reader.finish()
    expected = Clock(timezone.utc).read(moment or before)
    assert expected is not None
    assert entry.time % 86_400_000 == expected % 86_400_000


@pytest.mark.parametrize(
    "head",
    [
        "INFO:     ",
        "INFO:shop:",
        "INFO:shop:[",
        "ERROR - ",
        "[INFO] [",
        "[ERROR]\t",
        "INFO  ",
        "WARNING: - ",
    ],
)
def test_a_time_right_behind_a_level_is_that_of_the_line(head: str) -> None:
    assert entry_of(f"{head}2024-11-22T10:30:15Z paid").time == 1_732_271_415_000


@pytest.mark.parametrize("escape", ["\\K", "\\777", "\\N{DIGIT ONE}", "\\xzz", "\\U00110000"])
def test_an_escape_that_python_does_not_write_is_text(escape: str) -> None:
    """And no warning is shown."""
    line = f"timestamp='2024-11-22T10:30:15Z' level='error' request_id='r1{escape}' event='x'"
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        reader = LineReader()
        (entry,) = reader.read([line]) + reader.finish()
    assert (entry.request_id, entry.level) == (f"r1{escape}", 4)
    assert shown == []


def test_a_message_is_no_access_line_and_gives_no_id() -> None:
    """What a client sends stands behind the head of a line, and is in the form of a server's there."""
    for sent in (
        '2024/11/22 10:30:15 [web/abcDEF-000001] "GET /x HTTP/1.1" from 1.1.1.1:5 - 500 12B in 1ms',
        '[GIN] 2024/11/22 - 10:30:15 | 500 | 1ms | 127.0.0.1 | GET "/x"',
        "GET /x 500 250.500 ms - 12",
        '10.0.0.1:2817 10.0.0.2:80 0.0 0.2 0.0 500 500 0 29 "GET http://a/x HTTP/1.1" "-" - -',
    ):
        entry = entry_of(f"2024-11-22 10:30:15,250 INFO shop {sent}")
        assert (entry.request_id, (entry.more or {}).get("access")) == ("", None), sent
    quoted = '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "{}"'
    for sent in (f"[{HEX}]", "0A000102:8225_0A000103:01BB_67405CC7_0001:3835", f"x] [{HEX}]"):
        assert entry_of(quoted.format(sent)).request_id == ""
    for sent in (
        f"x {HEX} 0.250",
        f"x {HEX} 0.250 ",
        f"{HEX} \\x220.250\\x22",
        f'{HEX} \\"0.250\\"',
    ):
        forwarded = f'{quoted.format("curl")} "{sent}"'
        assert entry_of(forwarded).request_id == ""
        assert entry_of(f"{forwarded} 0.250").request_id == ""


@pytest.mark.parametrize(
    "line",
    [
        "2024-11-22 10:30:15 10.0.0.2 GET /x - 443 - 10.0.0.1 curl - 500 0 0 250",
        "2024-11-22\t10:30:15\tLHR62-C1\t157\t10.0.0.1\tGET\td1.cloudfront.net\t/x\t500\t-\tcurl\t-\t-\tMiss"
        f"\t{HEX}\tshop\thttps\t10\t0.250\t-",
    ],
    ids=["IIS", "CloudFront"],
)
def test_a_time_of_the_extended_log_format_is_in_utc(line: str) -> None:
    """Whatever the zone of the log's other lines is."""
    reader = LineReader(zone=ZoneInfo("Europe/Berlin"))
    (entry,) = reader.read([line]) + reader.finish()
    assert entry.time == 1_732_271_415_000


@pytest.mark.parametrize("name", ["body", "Body", "params", "properties", "query", "payload"])
def test_what_a_client_has_sent_is_no_field_of_the_record(name: str) -> None:
    """Middlewares log the fields of a request's body, whose names the client chooses."""
    sent = {"request_id": "forged", "session_id": "forged", "trace_id": "forged", "level": "error"}
    fields = {"timestamp": "2024-11-22T10:30:15Z", "level": "info", "message": "got it"}
    entry = entry_of(json.dumps({**fields, name: sent}))
    assert (entry.request_id, entry.session_id, entry.level) == ("", "", 2)
    assert "trace" not in (entry.more or {})


# Powertools for AWS Lambda 3, which logs the event that it was sent, and an object as it is.
_POWERTOOLS = {
    "level": "INFO",
    "location": "h:50",
    "timestamp": "2026-11-28 07:16:58,498+0000",
    "service": "payment",
    "function_request_id": "52fdfc07-2182-154f-163f-5f0f9a621d72",
}


@pytest.mark.parametrize("name", ["message", "data", "content", "metadata", "result"])
def test_an_id_in_an_object_counts_only_where_the_record_has_none(name: str) -> None:
    sent = {"request_id": "forged", "correlation_id": "forged"}
    entry = entry_of(json.dumps({**_POWERTOOLS, name: sent}))
    assert entry.request_id == _POWERTOOLS["function_request_id"]
    del (without := dict(_POWERTOOLS))["function_request_id"]
    assert entry_of(json.dumps({**without, name: {"request_id": "r1"}})).request_id == "r1"


def test_a_message_that_is_an_object_is_shown_as_it_is() -> None:
    """Beside the id of its request, it names neither a session nor a trace."""
    sent = {"session_id": "forged", "trace_id": HEX, "level": "ERROR", "n": 1}
    entry = entry_of(json.dumps({**_POWERTOOLS, "message": sent}))
    assert (entry.session_id, entry.level) == ("", 2)
    assert "trace" not in (entry.more or {})
    assert entry.text[entry.message :].startswith(json.dumps(sent))


def test_the_traceback_of_structlog_is_shown_as_pythons() -> None:
    """structlog 26.1 with ``dict_tracebacks``: the last exception is the first one."""
    frame = {"filename": "shop.py", "lineno": 8, "name": "fail", "locals": {"order": "7"}}
    rest = {"syntax_error": None, "is_group": False, "exceptions": [], "exc_notes": []}
    raised = {"exc_type": "RuntimeError", "exc_value": "cannot charge 7", "is_cause": False}
    cause = {"exc_type": "KeyError", "exc_value": "'quantity'", "is_cause": True}
    fields = {
        "event": "charge failed",
        "level": "error",
        "timestamp": "2026-11-28T06:38:55.884080Z",
    }
    exceptions = [{**each, **rest, "frames": [frame]} for each in (raised, cause)]
    entry = entry_of(json.dumps({**fields, "exception": exceptions}))
    header = (
        'Traceback (most recent call last):\n  File "shop.py", line 8, in fail\n    order = 7\n'
    )
    assert entry.text[entry.message :] == (
        f"charge failed\n{header}KeyError: 'quantity'\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        f"{header}RuntimeError: cannot charge 7"
    )
    # An exception group, and another writer's list.
    for other in ([{**exceptions[0], "is_group": True}], [{"frames": []}], [None, 1]):
        entry = entry_of(json.dumps({**fields, "exception": other}))
        assert entry.text.endswith(f"\n{json.dumps(other)}")


@pytest.mark.parametrize(
    ("number", "level"), [(10, 1), (20, 1), (30, 2), (40, 3), (50, 4), (60, 5)]
)
def test_pinos_numbers(number: int, level: int) -> None:
    """From trace to fatal; the text has the name."""
    entry = entry_of(
        json.dumps({"level": number, "time": 1732271415123, "pid": 1, "hostname": "a", "msg": "x"})
    )
    assert entry.level == level
    assert entry.text.split(" - ")[:2] == [
        "2024-11-22 10:30:15.123Z",
        ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")[level],
    ]


@pytest.mark.parametrize(
    ("name", "value", "names", "level"),
    [
        ("level", 30, (), 3),
        ("levelno", 30, ("hostname",), 3),
        ("severityNumber", 9, (), 2),
        ("SeverityNumber", 17, (), 4),
        ("PRIORITY", "3", (), 4),
        ("severityNumber", "SEVERITY_NUMBER_WARN2", (), 3),
        ("LogLevel", 0, (), 1),
        ("LogLevel", "3", (), 3),
        ("level", 300, ("level",), 3),
        ("severity", 300, (), 2),
        ("severity", 500, (), 4),
        ("level_value", 20_000, (), 2),
        ("level_value", "40000", (), 4),
        ("level", "W", (), 3),
        ("level", "CONFIG", (), 2),
        ("severityLevel", 0, (), 1),
        ("severityLevel", "4", (), 5),
        ("lvl", "eror", (), 4),
        ("level", "warn", (), 3),
        ("level", "Critical", (), 5),
        ("level", "DEBUG-4", (), 1),
        ("level", None, (), 0),
        ("level", True, (), 0),
        ("level", [], (), 0),
        ("level", "my level", (), 0),
        ("level", "-", (), 0),  # Echo
        ("status", 500, (), 0),
        ("status", "error", (), 4),
        ("level", 1e300, (), 5),
        ("level", "9" * 5000, (), 0),
    ],
)
def test_levels_by_name_and_number(
    name: str, value: Any, names: tuple[str, ...], level: int
) -> None:
    assert level_of(name, value, names) == level


@pytest.mark.parametrize(
    ("head", "level"),
    [
        ("shop - ERROR", 4),
        ("ERROR - shop", 4),
        ("uvicorn.error - INFO", 2),
        ("error - WARNING", 3),
        ("ERROR   ", 4),
        ("shop:CRITICAL:8", 5),
        ("shop - debug", 1),
        ("shop", 0),
    ],
)
def test_a_logger_may_stand_beside_the_level(head: str, level: int) -> None:
    """As in the format of Python's documentation, with our ids before its message."""
    line = f"2024-11-22 10:30:15,250 - {head} - [req=r1|session=s1] - x"
    entry = entry_of(line)
    assert (entry.level, entry.request_id, entry.time % 60_000) == (level, "r1", 15_250)
    assert entry.text[entry.message :] == "x"


@pytest.mark.parametrize(
    "piece",
    [
        "/a b ",
        "0/0/0/0/0 200 5 ",
        "app/x y z 1 1 1 200 ",
        '"GET /x HTTP/1.1" 200 5 "-" "-" 1 0.1 [',
        "method=GET path=/x status=2 ",
        "a='1' ",
        "[pid: 1|app: 0|req: 1/1] 1 () {1 vars in 1 bytes} [x] GET /x => generated 1 ",
        "2024-11-22T10:30:15.821422Z DEBUG r{method=GET uri=/x version=1}: tower_http::trace::on_response ",
        "2024-11-22 10:30:15 1 GET / - 80 - 1 a - ",
        "2024-11-22\\t10:30:15\\tLAX1\\t3\\t1\\tGET\\t",
        "2024-11-22 10:30:15 [INF] HTTP GET /x responded 503 ",
        "+a|GET /x HTTP/1.1",
        "1h1m1",
    ],
)
def test_a_long_path_of_a_client_takes_no_longer_than_its_length(piece: str) -> None:
    """An expression that is tried at each place of such a line took a second for each."""
    assert entry_of(piece * 2000).request_id == ""


@pytest.mark.parametrize("sent", ['\\"', '\\"x ', "\\\\"])
def test_quotes_that_are_never_closed_enclose_the_rest(sent: str) -> None:
    line = f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 5 "-" "{sent * 4001} request_id=forged'
    entry = entry_of(line)
    assert entry.request_id == ""
    assert (entry.more or {})["access"]["status"] == 200


@pytest.mark.parametrize("blank", [" ", "\t", " \t"])
def test_blanks_at_the_end_take_no_longer_than_their_number(blank: str) -> None:
    """A search that began anew at each of them took half a minute."""
    line = f"level=error msg=x request_id=r1{blank * 60_000}"
    assert (entry_of(line).request_id, entry_of(line).level) == ("r1", 4)
    assert entry_of(f"2024-11-22 10:30:15 {blank * 60_000}x").level == 0


HAPROXY = (
    "127.0.0.1:5 [22/Nov/2024:10:30:15.250] front back/s1 0/0/1/12/250 503 157 - - ---- 1/1/0/0/0 0/0 "
    '{} "GET /x HTTP/1.1"'
)


@pytest.mark.parametrize(
    ("captured", "ids"),
    [
        (("{shop|%s}", "{shop|%s}", "{shop|}"), (HEX, HEX, "")),
        (("{shop|curl/8} {%s}", "{%s|curl/8} {}"), (HEX, "")),
        (("{curl/8|%s}", "{%s|}"), (HEX, "")),
        (("{curl/8}", "{%s}"), ("", "")),
        (("{curl/8|%s}", "{%s}"), (HEX, HEX)),
    ],
    ids=["second", "of the answer", "a user agent", "a user agent alone", "of another front"],
)
def test_the_id_of_haproxy_is_the_header_that_is_one_in_all_lines(
    captured: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    """A client may send an id in another header that is captured."""
    reader = LineReader()
    lines = [HAPROXY.format(each.replace("%s", HEX)) for each in captured]
    entries = reader.read(lines) + reader.finish()
    assert tuple(entry.request_id for entry in entries) == ids


def test_what_a_client_sends_in_quotes_is_no_id() -> None:
    """
    The user agent and the forwarded address of a log without $request_id, once its lines have been
    seen.
    """
    line = '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "{}" "{}"'
    reader = LineReader()
    lines = [
        line.format("curl", "-"),
        line.format("curl", HEX),
        line.format(HEX, "-"),
        line.format(HEX, HEX),
    ]
    assert [entry.request_id for entry in reader.read(lines) + reader.finish()] == ["", "", "", ""]
    plain = (
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /{HEX} HTTP/1.1" 200 157 "{HEX}" "{HEX}"'
    )
    assert entry_of(plain).request_id == ""


@pytest.mark.parametrize("prefixes", [("web-1    | ", "web-2    | ", "front-1  | "), ("", "", "")])
def test_an_id_in_quotes_counts_where_all_lines_of_its_service_have_one(
    prefixes: tuple[str, ...],
) -> None:
    """Beside the lines of other services; all replicas of one are known by the first."""
    line = '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 157 "-" "curl" "{}"'
    sent = ("10.0.0.9", HEX, HEX)
    reader = LineReader()
    entries = reader.read(
        prefix + line.format(value) for prefix, value in zip(prefixes, sent, strict=True)
    )
    entries += reader.finish()
    named = HEX if prefixes[2] else ""
    assert [entry.request_id for entry in entries] == ["", "", named]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "timestamp", "time", "level", "message", "msg", "log", "line", "labels", "kubernetes", "request_id", "trace",
        "span", "spans", "fields", "record", "req", "res", "status", "method", "path", "duration", "exception",
        "_msg", "_stream", "MESSAGE", "Body", "service", "stream", "httpRequest", "attributes", "",
    ]
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_no_values_break_it(fields: dict[str, Any]) -> None:
    """Whatever stands under a name that is known, the line becomes an entry that can be sent."""
    reader = LineReader()
    found = reader.read([json.dumps(fields)]) + reader.finish()
    assert len(found) >= 1
    for entry in found:
        json.dumps(entry._replace(more=None))
        assert isinstance(entry.request_id, str)
        assert isinstance(entry.time, int | float)


@given(
    st.sampled_from(["2024-11-22T10:30:15.250Z", "2024-11-22 10:30:15", "x"]),
    st.sampled_from(["INFO", "ERROR", "my"]),
    st.sampled_from(["shop", "shop.access", "a b", "a=b"]),
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(["paid", 'a "b"', "a\\b", "a=b", "a b", "GET / 200 1.0ms 1B http -"]),
    ),
    st.sampled_from(["r1", HEX, "none", "0", "é"]),
    st.sampled_from(["s1", "none", "a|b"]),
    st.sampled_from(["none", HEX, "0" * 32]),
    st.sampled_from(["none", SPAN]),
)
def test_the_short_way_makes_the_same_entry(
    stamp: str,
    level: str,
    logger: str,
    message: str,
    request_id: str,
    session_id: str,
    trace: str,
    span: str,
) -> None:
    """A line of ours in JSON or logfmt, whether or not it is read field by field."""
    record = Record(stamp, level, logger, message, request_id, session_id, trace, span)
    for line in (format_json(record), format_logfmt(record)):
        short = Records(0, Clock()).own_named(line)
        fields = parse_fields(line)
        assert fields is not None
        whole = entry_of_fields(Records(0, Clock()), fields)
        assert short is None or short == whole


def test_the_header_with_the_id_in_a_line_of_nginx() -> None:
    fields = {"time_iso8601": "2024-11-22T10:30:15+00:00", "status": 200, "request_time": 0.25}
    assert entry_of(json.dumps({**fields, "http_x_request_id": UUID})).request_id == UUID


def test_a_number_in_another_spelling_of_a_times_name_is_no_time() -> None:
    """nginx's request_time is a duration, and API Gateway's requestTime a time."""
    entry = entry_of(
        json.dumps(
            {"request": "GET /x HTTP/1.1", "status": 200, "request_time": 0.25, "request_id": HEX}
        )
    )
    more = entry.more or {}
    assert more["undated"] is True
    assert more["access"]["duration_ms"] == 250.0


@pytest.mark.parametrize("number", [0.25, 12, 99_999_999, "250"])
def test_a_small_number_is_no_time(number: object) -> None:
    """It would be one of the first years of the epoch."""
    entry = entry_of(json.dumps({"time": number, "level": "info", "message": "x"}))
    assert (entry.more or {})["undated"] is True


def test_the_names_of_a_line_are_in_the_order_of_the_table_of_roles() -> None:
    assert Names._fields == tuple(ROLES)
