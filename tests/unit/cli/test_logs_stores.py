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
from ...wrapping import STOCK, TRACEBACK, WRAPPERS, lines, records

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
