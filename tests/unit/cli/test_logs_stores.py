"""
The README's table of places where logs are kept: each command's output is read, of the real tool
where it runs here.

ClickHouse runs inside chDB, and an OpenTelemetry collector is rotel. The other tools need a cluster
or an account: what they print is made as they document it, in ``wrapping``.
"""

from __future__ import annotations

import gzip
import http.server
import json
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from asgi_trace import RequestMetadata, bound_request_metadata
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.reader import read
from asgi_trace._cli.main import main
from asgi_trace._core.lines import format_json

from ... import needs
from ...documents import BOTH, blocks
from ...viewer import Told
from ...wrapping import FRONT, STOCK, TRACEBACK, WRAPPERS, lines, records

# The wrapper that prints what a command in the README prints; the two others run here.
TOOLS = {
    "docker compose logs": "docker compose logs",
    "kubectl logs": "kubectl logs --prefix",
    "stern": "stern -o json",
    "journalctl": "journalctl -o json",
    "aws logs tail": "aws logs tail",
    "logcli": "logcli -o jsonl, newest first",
    "curl -s vl:9428": "VictoriaLogs",
    "curl -s search:9200": "OpenSearch _search",
    "gcloud logging read": "gcloud logging read",
}
RUN_HERE = ("clickhouse client", "cat otlp")


def clickhouse() -> Any:
    """chdb, whose import blocks SIGPIPE for this process and all that it starts: undone here."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    module = needs.module("chdb")
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return module


def commands() -> list[str]:
    """The commands of the table, without the pipe to us."""
    found = re.findall(
        r"^\|[^|]*\| `(.+) \\\| asgi-trace view -` \|$",
        BOTH,
        re.MULTILINE,
    )
    return [command.replace("\\|", "|") for command in found]


def check(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both commands find the incident in what a tool printed."""
    page = tmp_path / "page.html"
    assert main(["view", "--tz", "UTC", "-o", str(page), str(path)]) == 0
    assert (
        capfd.readouterr().out == f"{page}: 7 lines, 2 requests, 2 sessions, 1 line of no request\n"
    )
    told = Told.in_file(page)
    assert told.head["requests"]["status"] == [200, 500]
    assert [message.partition("\n")[2] for message in told.messages if "\n" in message] == [
        TRACEBACK
    ]
    assert main(["grep", "--status", "500", str(path)]) == 0
    assert STOCK in capfd.readouterr().out


@pytest.mark.parametrize("command", commands())
def test_what_a_command_of_the_table_prints_is_read(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through a pipe, as it stands there; text, or JSON where the store has columns."""
    if command.startswith(RUN_HERE):
        return
    name = next(name for tool, name in TOOLS.items() if command.startswith(tool))
    path = tmp_path / "printed"
    path.write_text(WRAPPERS[name](lines("json")))
    check(path, tmp_path, capfd)


def test_each_place_is_in_the_table() -> None:
    """Once, and each with a test."""
    for tool in (*TOOLS, *RUN_HERE):
        assert sum(command.startswith(tool) for command in commands()) == 1, tool
    assert len(commands()) == len(TOOLS) + len(RUN_HERE)


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="chdb ends a process of CPython 3.15")
def test_our_json_lines_are_columns_of_clickhouse(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A table of them, and the query of the README back."""
    clickhouse()
    from chdb import session

    written = tmp_path / "app.json"
    written.write_text("".join(f"{line}\n" for _, _, line in lines("json")))
    (command,) = (command for command in commands() if command.startswith("clickhouse client"))
    query = re.search(r'-q "(.*)"', command)
    assert query is not None
    names = (
        "level",
        "logger",
        "message",
        "request_id",
        "session_id",
        "trace_id",
        "span_id",
        "service",
    )
    columns = ", ".join(
        ("timestamp DateTime64(3, 'UTC')", *(f"{name} String" for name in names), "exception JSON")
    )
    store = session.Session(str(tmp_path / "store"))
    try:
        store.query("CREATE DATABASE shop")
        store.query(f"CREATE TABLE shop.logs ({columns}) ENGINE = MergeTree ORDER BY timestamp")
        source = f"file('{written}', JSONEachRow, '{columns.replace(chr(39), chr(92) + chr(39))}')"
        settings = "input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort'"
        store.query(f"INSERT INTO shop.logs SELECT * FROM {source} SETTINGS {settings}")
        everything = re.sub(r"WHERE .*? ORDER", "ORDER", query[1]).replace(" logs ", " shop.logs ")
        printed = tmp_path / "printed"
        printed.write_text(str(store.query(everything)))
        check(printed, tmp_path, capfd)
        mine = query[1].replace(" logs ", " shop.logs ").replace("SESSION", "customer-12")
        printed.write_text(str(store.query(mine)))
    finally:
        store.close()
    found = [entry for batch in read(Log(str(printed), pytest.fail)) for entry in batch]
    assert [entry.session_id for entry in found] == ["customer-12"] * 3


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="chdb ends a process of CPython 3.15")
@pytest.mark.parametrize("form", ["text", "json", "logfmt"])
def test_raw_lines_come_back_in_each_form_of_clickhouse(
    form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "lines.json"
    rows = (
        {"Timestamp": f"{moment:.6f}", "ServiceName": service, "Body": line}
        for moment, service, line in lines(form)
    )
    written.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    columns = "Timestamp String, ServiceName String, Body String"
    time = "toDateTime64(Timestamp, 6, 'UTC') AS Timestamp"
    query = f"SELECT {time}, ServiceName, Body FROM file('{written}', JSONEachRow, '{columns}')"
    for name in ("Markdown", "Values", "TSKV", "CSV", "JSONCompact", "PrettyCompact", "Vertical"):
        printed = tmp_path / "printed"
        printed.write_text(str(clickhouse().query(query, name)))
        check(printed, tmp_path, capfd)


def test_grafana_is_given_six_lines() -> None:
    """They are YAML: two data sources, each of which names the other."""
    (block,) = blocks("yaml")
    assert len(block.splitlines()) == 6
    loki, tempo = yaml.safe_load(block)
    (field,) = loki["jsonData"]["derivedFields"]
    assert field["datasourceUid"] == tempo["uid"]
    assert tempo["jsonData"]["tracesToLogsV2"]["datasourceUid"] == loki["uid"]
    line = format_json(records()[1][2]._replace(trace_id=STOCK))
    match = re.search(field["matcherRegex"], line)
    assert match is not None
    assert match[1] == STOCK


# -- what the real tools printed --------------------------------------------------------------------

# A record of somebody's own formatter with our ids and its traceback, and one of another request.
_GIVEN = (
    f"2026-11-28 07:10:25,250 ERROR shop [req={STOCK}|session=customer-12] failed",
    "Traceback (most recent call last):",
    '  File "stock.py", line 7, in take',
    "KeyError: 'bulb'",
    f"2026-11-28 07:10:25,400 INFO shop [req={FRONT}|session=customer-1] ordering",
)
_DATES = "2026-11-28T07:10:25.{} "
_ECS = "front/front/0f1e2d3c4b5a69788796a5b4c3d2e1f0 "
# What each tool put before these five lines, with the service that it names.
_BEFORE: dict[str, tuple[list[str], str]] = {
    "Docker Compose 2.40.3, logs": (["front-1  | "] * 5, "front"),
    "Docker Compose 2.40.3, --ansi always logs -t": (
        [
            f"\x1b[36mfront-1  | \x1b[0m{_DATES.format(f'12345{number}789Z')}"
            for number in range(5, 10)
        ],
        "front",
    ),
    "docker 28.2.2, logs -t": (
        [_DATES.format(f"12345{number}789Z") for number in range(5, 10)],
        "",
    ),
    "kubectl 1.32.4, logs --prefix --timestamps -l app=shop": (
        [
            f"[pod/front-6d5f9c7b88-abcde/front] {_DATES.format(fraction)}"
            for fraction in ("1Z", "101Z", "102Z", "103Z", "104Z")
        ],
        "front",
    ),
    "conmon 2.1.6, k8s-file": ([_DATES.format("276100612+00:00") + "stdout F "] * 5, ""),
    "journalctl 252": (["Nov 28 07:10:25 web shop[19200]: "] * 5, "shop"),
    "aws 2.9.19, logs tail": (
        [_DATES.format(f"78{number}000+00:00") + _ECS for number in range(5, 10)],
        "front",
    ),
    # its template puts a blank before a text that does not begin with one
    "rsyslog 8.2302, a message of RFC 5424 in its file": (
        [
            _DATES.format(f"7919{number}0+00:00") + "web shop[8]" + " " * (number != 3)
            for number in range(1, 6)
        ],
        "shop",
    ),
    "rsyslog 8.2302, imfile in a file of the traditional format": (
        ["Nov 28 07:10:25 web shop" + " " * (number != 3) for number in range(1, 6)],
        "shop",
    ),
    "BusyBox 1.35, syslogd": (["Nov 28 07:10:25 web user.notice shop[8]: "] * 5, "shop"),
    "psql 15, -At": (
        [
            f"2026-11-28 07:10:25{fraction}+00|shop|"
            for fraction in ("", ".001", ".002", ".003", ".004")
        ],
        "shop",
    ),
    "moreutils 0.67, ts -s": (["00:00:00 "] * 5, ""),
}


def _of_syslog_ng(number: int, line: str) -> str:
    fields = {"PRIORITY": "notice", "MESSAGE": line, "HOST": "web", "FACILITY": "user"}
    return json.dumps({**fields, "DATE": "Nov 28 07:10:25"})


def _of_aws(number: int, line: str) -> dict[str, Any]:
    moment = 1795849825785 + number
    return {"timestamp": moment, "message": line, "ingestionTime": 1795849825788}


_TOKENS = {"nextForwardToken": "f/00000004", "nextBackwardToken": "b/00000000"}
_OUTPUTS: dict[str, tuple[str, str]] = {
    **{
        name: ("\n".join(map(str.__add__, before, _GIVEN)), service)
        for name, (before, service) in _BEFORE.items()
    },
    "syslog-ng 3.38, format-json of a line without a program": (
        "\n".join(_of_syslog_ng(number, line) for number, line in enumerate(_GIVEN)),
        "",
    ),
    "aws 2.9.19, logs get-log-events": (
        json.dumps(
            {"events": [_of_aws(number, line) for number, line in enumerate(_GIVEN)], **_TOKENS},
            indent=4,
        ),
        "",
    ),
}


@pytest.mark.parametrize("name", _OUTPUTS)
def test_a_traceback_of_another_formatter_is_read_in_the_output_of_a_real_tool(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It belongs to its record, and the next line to another request."""
    printed, service = _OUTPUTS[name]
    path = tmp_path / "printed"
    path.write_text(f"{printed}\n")
    failed, ordered = (entry for batch in read(Log(str(path), pytest.fail)) for entry in batch)
    assert (failed.level, failed.request_id, failed.session_id) == (4, STOCK, "customer-12")
    message, *further = failed.text[failed.message :].split("\n")
    assert message == "failed"
    assert list(map(str.strip, further)) == list(map(str.strip, _GIVEN[1:4]))
    assert (ordered.level, ordered.request_id, ordered.session_id) == (2, FRONT, "customer-1")
    assert ordered.text[ordered.message :] == "ordering"
    assert [(entry.more or {}).get("service", "") for entry in (failed, ordered)] == [service] * 2
    assert main(["grep", "--request", STOCK, str(path)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 4


def test_the_journal_is_asked_for_long_lines_too() -> None:
    """Without --all, journalctl -o json writes null for a text of 4096 bytes and more."""
    (command,) = (command for command in commands() if command.startswith("journalctl"))
    assert " --all" in command


# -- a collector -----------------------------------------------------------------------------------


class _Sink(http.server.BaseHTTPRequestHandler):
    """
    What a collector sends to: it keeps each request as the file exporter of OpenTelemetry's own
    would write it.
    """

    written: list[str]

    def do_POST(self) -> None:
        from google.protobuf.json_format import MessageToDict
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if self.path.endswith("/logs"):
            request = ExportLogsServiceRequest.FromString(body)
            document = MessageToDict(request)
            # In OTLP's JSON ids are hexadecimal, in protobuf's own they are not.
            for resource, made in zip(request.resource_logs, document["resourceLogs"], strict=True):
                for scope, kept in zip(resource.scope_logs, made["scopeLogs"], strict=True):
                    for record, fields in zip(scope.log_records, kept["logRecords"], strict=True):
                        fields["traceId"], fields["spanId"] = (
                            record.trace_id.hex(),
                            record.span_id.hex(),
                        )
            self.written.append(json.dumps(document))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def sink() -> Iterator[tuple[int, list[str]]]:
    written: list[str] = []
    handler = type("Sink", (_Sink,), {"written": written})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, written
        server.shutdown()
        thread.join()


@pytest.fixture
def collector(sink: tuple[int, list[str]]) -> Iterator[int]:
    """Rotel, which takes OTLP and hands it on to the sink; its port."""
    agent, environment = needs.rotel()
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    command = [
        str(agent),
        "start",
        "--otlp-grpc-endpoint",
        f"127.0.0.1:{ports[0]}",
        "--otlp-http-endpoint",
        f"127.0.0.1:{ports[1]}",
        "--exporter",
        "otlp",
        "--otlp-exporter-endpoint",
        f"http://127.0.0.1:{sink[0]}",
        "--otlp-exporter-protocol",
        "http",
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", ports[1])) == 0:
                        break
                time.sleep(0.05)
            yield ports[1]
        finally:
            process.terminate()


@pytest.mark.skipif(sys.platform == "win32", reason="rotel has no wheel for this platform")
def test_a_collector_hands_log_records_back(
    collector: int, sink: tuple[int, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Records of two requests, with their ids, a service and a traceback, into both commands."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    from asgi_trace.otel import RequestLogHandler

    provider = LoggerProvider(Resource.create({"service.name": "stock"}))
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(f"http://127.0.0.1:{collector}/v1/logs"))
    )
    log = logging.Logger("shop")
    log.addHandler(RequestLogHandler(LoggingHandler(logger_provider=provider)))
    log.info("started")
    for number in (1, 2):
        with bound_request_metadata(
            RequestMetadata(f"customer-{number}", STOCK[:-1] + str(number))
        ):
            log.info("taking %d", number)
            try:
                raise KeyError("bulb")
            except KeyError:
                log.exception("failed")
    provider.shutdown()
    deadline = time.monotonic() + 30
    while sum(text.count('"body"') for text in sink[1]) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    path = tmp_path / "otlp.json"
    path.write_text("\n".join(sink[1]) + "\n")
    found = [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]
    assert sorted((entry.request_id, entry.session_id, entry.level) for entry in found) == [
        ("", "", 2),
        *(
            (STOCK[:-1] + str(number), f"customer-{number}", level)
            for number in (1, 2)
            for level in (2, 4)
        ),
    ]
    assert {(entry.more or {}).get("service") for entry in found} == {"stock"}
    assert sum("KeyError: 'bulb'" in entry.text for entry in found) == 2
    assert main(["grep", "--session", "customer-2", str(path)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2
