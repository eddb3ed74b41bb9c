"""
One incident of two services, and what production puts around its lines.

Each wrapper takes the lines as ``(time, service, line)`` and returns the bytes of a log. The forms
are those of the tools' documentation; those of tools that run here are tested on their real output
besides.
"""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import yaml

from asgi_trace._core.access_lines import format_access
from asgi_trace._core.lines import format_json, format_logfmt, format_text
from asgi_trace._core.record import Record

FORMS = {"text": format_text, "json": format_json, "logfmt": format_logfmt}
FRONT, STOCK = "1f0e7c5a9b3d4e6f8a7b6c5d4e3f2a1b", "9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f"
PODS = {"front": "front-6d5f9c7b88-abcde", "stock": "stock-7c6b5a4f99-fghij"}
BASE = 1_732_271_415.0  # 2024-11-22 10:30:15 UTC
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "stock.py", line 7, in take\n'
    "    shelf[item]\n"
    "KeyError: 'bulb'"
)

Line = tuple[float, str, str]
Wrapper = Callable[[list[Line]], str]


def _access(method: str, path: str, status: int, milliseconds: float) -> dict[str, Any]:
    return {
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": milliseconds,
        "bytes": 17,
        "transport": "http",
        "client": "127.0.0.1:5",
    }


def records() -> list[tuple[float, str, Record]]:
    """
    The incident: one line of no request, an order that succeeds with a warning, and a crash in the
    other service.
    """
    failed = {"type": "KeyError", "message": "'bulb'", "stacktrace": TRACEBACK}
    ordered, taken = _access("POST", "/order", 200, 300.0), _access("POST", "/take", 500, 150.0)
    access = "asgi_trace.access"
    return [
        _record(0.0, "front", "INFO", "started", "none", "none"),
        _record(0.1, "front", "INFO", "ordering", FRONT, "customer-1"),
        _record(0.15, "stock", "INFO", "taking", STOCK, "customer-12"),
        _record(0.2, "front", "WARNING", "slow", FRONT, "customer-1"),
        _record(0.25, "stock", "ERROR", "failed", STOCK, "customer-12", exception=failed),
        _record(
            0.3,
            "stock",
            "INFO",
            format_access(taken),
            STOCK,
            "customer-12",
            logger=access,
            extra=taken,
        ),
        _record(
            0.4,
            "front",
            "INFO",
            format_access(ordered),
            FRONT,
            "customer-1",
            logger=access,
            extra=ordered,
        ),
    ]


def _record(
    second: float,
    service: str,
    level: str,
    message: str,
    request_id: str,
    session_id: str,
    **more: Any,
) -> tuple[float, str, Record]:
    stamp = when(BASE + second, "%Y-%m-%d %H:%M:%S")
    logger = more.pop("logger", service)
    return (
        BASE + second,
        service,
        Record(stamp, level, logger, message, request_id, session_id, **more),
    )


def lines(form: str) -> list[Line]:
    """
    The physical lines of the incident in one of our forms; JSON and logfmt have milliseconds and a
    zone.
    """
    found: list[Line] = []
    for moment, service, record in records():
        if form != "text":
            record = record._replace(time=when(moment)[:-3] + "Z")
        for number, line in enumerate(FORMS[form](record).split("\n")):
            found.append((moment + number * 1e-5, service, line))
    return found


def when(moment: float, form: str = "%Y-%m-%dT%H:%M:%S.%f") -> str:
    return datetime.fromtimestamp(round(moment, 6), timezone.utc).strftime(form)


def _nanoseconds(moment: float) -> str:
    return f"{round(moment * 1e6)}000"


def _each(form: Callable[[float, str, str], str]) -> Wrapper:
    return lambda given: "".join(f"{form(*line)}\n" for line in given)


def _each_behind(header: str, form: Callable[[float, str, str], str]) -> Wrapper:
    return lambda given: header + _each(form)(given)


def _objects(form: Callable[[float, str, str], Any]) -> Wrapper:
    return _each(lambda moment, service, line: json.dumps(form(moment, service, line)))


def _newest_first(wrapper: Wrapper) -> Wrapper:
    return lambda given: wrapper(given[::-1])


def _document(document: Callable[[list[Line]], Any], indent: int | None = None) -> Wrapper:
    return lambda given: json.dumps(document(given), indent=indent) + "\n"


def _split(given: list[Line]) -> str:
    """As containerd splits a line of more than 16 KB."""
    found = ""
    for moment, _, line in given:
        half = len(line) // 2
        found += f"{when(moment)}000Z stderr P {line[:half]}\n{when(moment)}000Z stderr F {line[half:]}\n"
    return found


def _pretty(given: list[Line]) -> str:
    """As ``aws logs tail`` shows JSON on a terminal."""
    found = ""
    for moment, service, line in given:
        shown = "\n" + json.dumps(json.loads(line), indent=4) if line.startswith("{") else line
        found += f"{when(moment)}+00:00 {service}/{service}/0f1e2d3c {shown}\n"
    return found


def _tailed(given: list[Line]) -> str:
    """As tail shows several files while they are written."""
    found = last = ""
    for _, service, line in given:
        if service != last:
            found += f"{chr(10) if last else ''}==> /var/log/{service}.log <==\n"
        found += f"{line}\n"
        last = service
    return found


def _table(
    columns: list[str], row: Callable[[float, str, str], list[str]], separator: str = ","
) -> Wrapper:
    """As a log store exports its rows: values that need it are in quotes."""

    def written(given: list[Line]) -> str:
        sink = io.StringIO()
        writer = csv.writer(sink, delimiter=separator)
        writer.writerow(columns)
        writer.writerows(row(*line) for line in given)
        return sink.getvalue()

    return written


def _escaped(line: str) -> str:
    """As ClickHouse escapes a value between tabs."""
    return line.replace("\\", "\\\\").replace("'", "\\'")


def _yaml(value: Any) -> str:
    """As gcloud and aws print it."""
    return str(yaml.safe_dump(value, default_flow_style=False, width=80))


def _quoted(line: str) -> str:
    """As a value of logfmt."""
    text = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if re.search('[ "=]', line) else line


def _as_map(line: str) -> dict[str, str]:
    """The fields of a line of JSON, each as a text."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in json.loads(line).items()
    }


def _vertical(given: list[Line]) -> str:
    return "\n".join(
        f"Row {number}:\n──────\nTimestamp:   {when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\n"
        f"ServiceName: {service}\nBody:        {line}\n"
        for number, (moment, service, line) in enumerate(given, 1)
    )


def _mysql(given: list[Line]) -> str:
    stars = "*" * 27
    return "".join(
        f"{stars} {number}. row {stars}\ntimestamp: {when(moment, '%Y-%m-%d %H:%M:%S.%f')}\n"
        f"  service: {service}\n  message: {line}\n"
        for number, (moment, service, line) in enumerate(given, 1)
    )


def _boxes(given: list[Line]) -> str:
    width = max(len(line) for _, _, line in given)
    rows = "".join(
        f"{number}. │ {when(moment, '%Y-%m-%d %H:%M:%S.%f000'):<29} │ {service:<11} │ {line:<{width}} │\n"
        for number, (moment, service, line) in enumerate(given, 1)
    )
    head = f"   ┌─────────────────────Timestamp─┬─ServiceName─┬─Body{'─' * (width - 4)}─┐\n"
    return f"{head}{rows}   └{'─' * 31}┴{'─' * 13}┴{'─' * (width + 2)}┘\n"


def _ruled(begin: str, end: str, cell: str) -> Wrapper:
    """A table with a ruler of hyphens below the names; *begin* and *end* are its own."""

    def written(given: list[Line]) -> str:
        names = ("timestamp", "service", "message")
        rows = [(when(moment, "%Y-%m-%d %H:%M:%S.%f"), *rest) for moment, *rest in given]
        sizes = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        ruler = "+".join("-" * len(cell.format(" " * size)) for size in sizes)
        border = f"{begin.strip('-')}{ruler}{end}\n"
        side = re.sub(r"[|+]", "|", begin).strip("-")
        lines = [
            f"{side}{'|'.join(cell.format(text.ljust(size)) for text, size in zip(row, sizes, strict=True))}{side}\n"
            for row in (names, *rows)
        ]
        return (border if side else "") + lines[0] + border + "".join(lines[1:])

    return written


def _nested(
    command: str, row: Callable[[float, str, str], dict[str, Any]], *tokens: str
) -> Wrapper:
    """As aws prints a list in an object as a table, which has the object's other values above it."""

    def written(given: list[Line]) -> str:
        rows = [{name: f" {value} " for name, value in row(*line).items()} for line in given]
        sizes = {name: max(len(each[name]) for each in rows) + 1 for name in rows[0]}
        sizes = {name: max(size, len(name) + 2) for name, size in sizes.items()}
        width = sum(sizes.values()) + len(sizes) - 1
        half = (width + 1) // 2
        ruler = f"|+{'+'.join('-' * size for size in sizes.values())}+|"
        names = "|".join(name.center(size) for name, size in sizes.items())
        above = (
            [
                "|"
                + "|".join(
                    token.center(size)
                    for token, size in zip(tokens, (half, width + 1 - half), strict=True)
                )
                + "|",
                f"+{'-' * half}+{'-' * (width + 1 - half)}+",
                "|"
                + "|".join(
                    f"  {token[-1]}/3".ljust(size)
                    for token, size in zip(tokens, (half, width + 1 - half), strict=True)
                )
                + "|",
            ]
            if tokens
            else []
        )
        return "\n".join(
            (
                "-" * (width + 4),
                f"|{command.center(width + 2)}|",
                f"+{'-' * (width + 2)}+",
                *above,
                *above[1:2],
                f"||{'events'.center(width)}||",
                ruler,
                f"||{names}||",
                ruler,
                *(
                    f"||{'|'.join(each[name].ljust(size) for name, size in sizes.items())}||"
                    for each in rows
                ),
                ruler,
                "",
            )
        )

    return written


def _bars(top: str, ruler: str, bottom: str, bar: str) -> Wrapper:
    """A table of SQLite: each border has its beginning, its line, its cross and its end."""

    def written(given: list[Line]) -> str:
        rows = [("timestamp", "service", "message")]
        rows += [(when(moment, "%Y-%m-%d %H:%M:%S.%f"), *rest) for moment, *rest in given]
        sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
        pad = " " if bar else ""

        def border(signs: str) -> str:
            if not signs:
                return ""
            begin, line, cross, end = signs.split(",")
            return begin + cross.join(line * (size + 2 * len(pad)) for size in sizes) + end + "\n"

        texts = [
            bar
            + (bar or "  ").join(
                f"{pad}{text.ljust(size)}{pad}" for text, size in zip(row, sizes, strict=True)
            )
            + f"{bar}\n"
            for row in rows
        ]
        return "".join((border(top), texts[0], border(ruler), *texts[1:], border(bottom)))

    return written


def _duckbox(given: list[Line]) -> str:
    """As DuckDB 1.5 prints a table: the types are in a row of their own."""
    top, names, *rest = _bars("┌,─,┬,┐", "├,─,┼,┤", "└,─,┴,┘", "│")(given).split("\n")
    row = re.sub(r"\w+", lambda name: "varchar".ljust(len(name[0])), names)
    return "\n".join((top, names, row, *rest))


def _ripgrep(given: list[Line]) -> str:
    records: list[dict[str, Any]] = []
    for number, (_, service, line) in enumerate(given, 1):
        path = {"text": f"{service}.log"}
        match = {
            "path": path,
            "lines": {"text": f"{line}\n"},
            "line_number": number,
            "absolute_offset": 0,
            "submatches": [],
        }
        end = {"path": path, "binary_offset": None, "stats": {"matches": 1}}
        records += (
            {"type": "begin", "data": {"path": path}},
            {"type": "match", "data": match},
            {"type": "end", "data": end},
        )
    records.append({"type": "summary", "data": {"elapsed_total": {"secs": 0}, "stats": {}}})
    return "".join(f"{json.dumps(record)}\n" for record in records)


def _debug(moment: float, service: str, line: str) -> str:
    """As OpenTelemetry's collector shows a line of a file."""
    return (
        f"{when(moment)[:-3]}Z\tinfo\tResourceLog #0\nResource SchemaURL: \nResource attributes:\n"
        f"     -> service.name: Str({service})\nScopeLogs #0\nScopeLogs SchemaURL: \nInstrumentationScope  \n"
        f"LogRecord #0\nObservedTimestamp: {when(moment, '%Y-%m-%d %H:%M:%S.%f')} +0000 UTC\n"
        f"Timestamp: 1970-01-01 00:00:00 +0000 UTC\nSeverityText: \nSeverityNumber: Unspecified(0)\n"
        f"Body: Str({line})\nAttributes:\n     -> log.file.name: Str(app.log)\nTrace ID: \nSpan ID: \nFlags: 0\n"
        '\t{"otelcol.component.id": "debug", "otelcol.signal": "logs"}'
    )


def _ruby(moment: float, service: str, line: str) -> str:
    """As Logstash's codec rubydebug shows it."""
    text = line.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'{{\n       "message" => "{text}",\n    "@timestamp" => {when(moment)[:-3]}Z,\n'
        f'          "host" => {{\n        "name" => "web"\n    }},\n          "tags" => [\n        [0] "a"\n    ],\n'
        f'       "service" => "{service}"\n}}'
    )


def _kubernetes(service: str) -> dict[str, Any]:
    return {"pod": {"name": PODS[service]}, "container": {"name": service}}


def _hit(moment: float, service: str, line: str) -> dict[str, Any]:
    source = {"@timestamp": when(moment) + "Z", "message": line, "kubernetes": _kubernetes(service)}
    return {"_index": "logs", "_id": "1", "_score": None, "_source": source}


def _hits(given: list[Line]) -> dict[str, Any]:
    return {
        "took": 3,
        "timed_out": False,
        "hits": {"total": {"value": 9}, "hits": [_hit(*line) for line in given]},
    }


def _loki(given: list[Line]) -> dict[str, Any]:
    streams: dict[str, list[list[str]]] = {}
    for moment, service, line in reversed(given):
        streams.setdefault(service, []).append([_nanoseconds(moment), line])
    found = [
        {"stream": {"container": service, "pod": PODS[service], "level": "error"}, "values": values}
        for service, values in streams.items()
    ]
    return {
        "status": "success",
        "data": {"resultType": "streams", "result": found, "stats": {"summary": {}}},
    }


def _event(moment: float, service: str, line: str) -> dict[str, Any]:
    stream = f"{service}/{service}/0f1e2d3c"
    return {
        "logStreamName": stream,
        "timestamp": round(moment * 1000),
        "message": line,
        "ingestionTime": 0,
    }


def _insight(moment: float, service: str, line: str) -> list[dict[str, str]]:
    cells = {
        "@timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f")[:-3],
        "@message": line,
        "@logStream": service,
    }
    return [{"field": name, "value": value} for name, value in cells.items()]


def _entry(moment: float, service: str, line: str) -> dict[str, Any]:
    labels = {"pod_name": PODS[service], "container_name": service}
    resource = {"type": "k8s_container", "labels": labels}
    stamp = when(moment) + "Z"
    return {
        "insertId": "1",
        "timestamp": stamp,
        "severity": "ERROR",
        "resource": resource,
        "textPayload": line,
    }


def _otlp(moment: float, service: str, line: str) -> dict[str, Any]:
    record = {
        "timeUnixNano": _nanoseconds(moment),
        "body": {"stringValue": line},
        "attributes": [],
        "traceId": "",
    }
    about = [{"key": "service.name", "value": {"stringValue": service}}]
    return {"resource": {"attributes": about}, "scopeLogs": [{"scope": {}, "logRecords": [record]}]}


def _with_underscores(value: Any) -> Any:
    """The same with the names of the protocol, as a program writes it that is told to keep them."""
    if isinstance(value, list):
        return [_with_underscores(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name): _with_underscores(inner)
        for name, inner in value.items()
    }


def _lnav(moment: float, service: str, line: str) -> dict[str, Any]:
    """A row of lnav's ``all_logs``; the level is its guess."""
    return {
        "log_line": 0,
        "log_time": when(moment, "%Y-%m-%d %H:%M:%S.%f")[:-3],
        "log_level": "info",
        "log_path": f"/var/log/{service}.log",
        "log_text": line,
    }


def _gelf(moment: float, service: str, line: str) -> dict[str, Any]:
    return {
        "version": "1.1",
        "host": "web",
        "short_message": line,
        "timestamp": moment,
        "level": 3,
        "_container_name": service,
    }


def _collected(moment: float, service: str, line: str) -> dict[str, Any]:
    """As the collector writes a line of which it knows no severity."""
    logs = _otlp(moment, service, line)
    logs["scopeLogs"][0]["logRecords"][0] |= {"severityNumber": 0, "severityText": "", "flags": 0}
    return logs


def _severe(moment: float, service: str, line: str) -> dict[str, Any]:
    """The same where it looks for one."""
    logs = _collected(moment, service, line)
    attribute = {"key": "log.file.name", "value": {"stringValue": "app.log"}}
    logs["scopeLogs"][0]["logRecords"][0] |= {
        "severityNumber": 17,
        "severityText": "ERROR",
        "attributes": [attribute],
    }
    return logs


def _of_worker(moment: float, service: str, line: str) -> dict[str, Any]:
    """An event of a Worker of Cloudflare, with what it printed."""
    milliseconds = round(moment * 1000)
    return {
        "outcome": "ok",
        "exceptions": [],
        "logs": [{"message": [line], "level": "log", "timestamp": milliseconds}],
        "eventTimestamp": milliseconds,
        "event": {"request": {"url": "https://shop.workers.dev/", "method": "GET", "headers": {}}},
        "scriptName": service,
    }


WRAPPERS: dict[str, Wrapper] = {
    "none": _each(lambda _, __, line: line),
    "docker compose logs": _each(lambda _, service, line: f"{service}-1   | {line}"),
    "docker compose logs, colored": _each(
        lambda _, service, line: f"\x1b[36m{service}-1  | \x1b[0m{line}"
    ),
    "docker compose logs -t": _each(
        lambda moment, service, line: f"{service}-1  | {when(moment)}000Z {line}"
    ),
    "docker-compose 1": _each(lambda _, service, line: f"\x1b[33m{service}_1   |\x1b[0m {line}"),
    "docker logs -t": _each(lambda moment, _, line: f"{when(moment)}000Z {line}"),
    "docker json-file": _objects(
        lambda moment, _, line: {
            "log": f"{line}\n",
            "stream": "stderr",
            "time": f"{when(moment)}000Z",
        }
    ),
    "containerd": _each(lambda moment, _, line: f"{when(moment)}000Z stderr F {line}"),
    "containerd, split": _split,
    "docker compose around containerd": _each(
        lambda moment, service, line: f"{service}-1  | {when(moment)}000Z stdout F {line}"
    ),
    "kubectl logs --prefix": _each(
        lambda _, service, line: f"[pod/{PODS[service]}/{service}] {line}"
    ),
    "kubectl logs --prefix --timestamps": _each(
        lambda moment, service, line: f"[pod/{PODS[service]}/{service}] {when(moment)}Z {line}"
    ),
    "kubectl logs --timestamps": _each(
        lambda moment, _, line: f"{when(moment).rstrip('0').rstrip('.')}Z {line}"
    ),
    "stern": _each(lambda _, service, line: f"{PODS[service]} {service} {line}"),
    "stern -o json": _objects(
        lambda _, service, line: {
            "message": line,
            "nodeName": "n1",
            "namespace": "shop",
            "podName": PODS[service],
            "containerName": service,
        }
    ),
    "journalctl": _each(
        lambda moment, service, line: f"{when(moment, '%b %d %H:%M:%S')} web {service}[8]: {line}"
    ),
    "journalctl -o short-iso": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%dT%H:%M:%S+0000')} web {service}[8]: {line}"
        )
    ),
    "journalctl -o short-precise": _each(
        lambda moment, service, line: (
            f"{when(moment, '%b %d %H:%M:%S.%f')} web {service}[8]: {line}"
        )
    ),
    "journalctl -o short-full": _each(
        lambda moment, service, line: (
            f"{when(moment, '%a %Y-%m-%d %H:%M:%S UTC')} web {service}[8]: {line}"
        )
    ),
    "journalctl -o short-unix": _each(
        lambda moment, service, line: f"{moment:.6f} web {service}[8]: {line}"
    ),
    "journalctl -o json": _objects(
        lambda moment, service, line: {
            "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
            "PRIORITY": "6",
            "_SYSTEMD_UNIT": f"{service}.service",
            "MESSAGE": line,
        }
    ),
    "RFC 5424": _each(
        lambda moment, service, line: f"<14>1 {when(moment)}Z web {service} 8 - - {line}"
    ),
    "RFC 5424 with data": _each(
        lambda moment, service, line: (
            f'<14>1 {when(moment)}Z web {service} 8 - [a@1 b="\\]"] {line}'
        )
    ),
    "Heroku": _each(lambda moment, service, line: f"{when(moment)}+00:00 app[{service}.1]: {line}"),
    "Fly": _each(
        lambda moment, service, line: f"{when(moment)[:19]}Z app[1a2b3c4d] ams [info]{line}"
    ),
    "Cloud Foundry": _each(
        lambda moment, _, line: f"   {when(moment)[:-4]}+0000 [APP/PROC/WEB/0] ERR {line}"
    ),
    "foreman": _each(
        lambda moment, service, line: f"{when(moment, '%H:%M:%S')} {service}.1  | {line}"
    ),
    "overmind": _each(lambda _, service, line: f"{service} | {line}"),
    "pm2": _each(lambda _, service, line: f"{len(service) % 2}|{service}  | {line}"),
    "supervisor": _each(lambda _, service, line: f"{service} stdout | {line}"),
    "grep -H": _each(lambda _, service, line: f"{service}.log:{line}"),
    "grep -Hn": _each(lambda _, service, line: f"/var/log/{service}.log:12:{line}"),
    "aws logs tail": _each(
        lambda moment, service, line: f"{when(moment)}+00:00 {service}/{service}/0f1e2d3c {line}"
    ),
    "aws logs tail on a terminal": _pretty,
    "aws logs filter-log-events": _document(
        lambda given: {"events": [_event(*line) for line in given], "searchedLogStreams": []}, 4
    ),
    "aws logs get-query-results": _document(
        lambda given: {
            "results": [_insight(*line) for line in reversed(given)],
            "status": "Complete",
        },
        4,
    ),
    "logcli": _each(
        lambda moment, service, line: (
            f'{when(moment)[:19]}Z {{container="{service}", pod="{PODS[service]}"}} {line}'
        )
    ),
    "logcli -o jsonl": _objects(
        lambda moment, service, line: {
            "labels": {"container": service, "detected_level": "error", "level": "error"},
            "line": line,
            "timestamp": when(moment) + "Z",
        }
    ),
    "Loki's API": _document(_loki),
    "Loki's API, pretty": _document(_loki, 2),
    "VictoriaLogs": _objects(
        lambda moment, service, line: {
            "_time": when(moment) + "Z",
            "_stream": f'{{pod="{PODS[service]}"}}',
            "_msg": line,
        }
    ),
    "OpenSearch _search": _document(_hits),
    "OpenSearch _search, pretty": _document(_hits, 2),
    "OpenSearch _search, newest first": _newest_first(_document(_hits)),
    "Filebeat": _objects(
        lambda moment, service, line: {
            "@timestamp": when(moment) + "Z",
            "message": line,
            "log": {"file": {"path": "a.log"}},
            "kubernetes": _kubernetes(service),
        }
    ),
    "Fluent Bit": _objects(
        lambda moment, service, line: {
            "date": moment,
            "log": line,
            "stream": "stderr",
            "kubernetes": {"pod_name": PODS[service], "container_name": service},
        }
    ),
    "gcloud logging read": _document(lambda given: [_entry(*line) for line in reversed(given)], 2),
    "ClickHouse": _objects(
        lambda moment, service, line: {
            "Timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f000"),
            "TraceId": "",
            "SeverityText": "",
            "ServiceName": service,
            "Body": line,
            "LogAttributes": {},
        }
    ),
    "OTLP": _objects(
        lambda moment, service, line: {"resourceLogs": [_otlp(moment, service, line)]}
    ),
    "OTLP, one document": _document(
        lambda given: {"resourceLogs": [_otlp(*line) for line in given]}, 2
    ),
}
WRAPPERS |= {
    f"{name}, newest first": _newest_first(WRAPPERS[name])
    for name in ("logcli", "logcli -o jsonl", "docker logs -t", "journalctl -o json")
}

# They name no service: a time alone, or an id of an instance.
NAMELESS = frozenset(
    (
        "none",
        "docker logs -t",
        "docker logs -t, newest first",
        "docker json-file",
        "containerd",
        "containerd, split",
        "kubectl logs --timestamps",
        "Fly",
        "Cloud Foundry",
    )
)


# Other ways of the same tools, and further tools.
_COLOR, _PLAIN = "\x1b[36m", "\x1b[0m"
VARIANTS: dict[str, Wrapper] = {
    "docker-compose 1": _each(lambda _, service, line: f"{service}_1     | {line}"),
    "docker-compose 1, colored": _each(
        lambda _, service, line: f"{_COLOR}{service}_1     |{_PLAIN} {line}"
    ),
    "docker compose, colored, -t": _each(
        lambda moment, service, line: f"{_COLOR}{service}-1  | {_PLAIN}{when(moment)}789Z {line}"
    ),
    "stern -t": _each(
        lambda moment, service, line: f"{PODS[service]} {service} {when(moment)}789Z {line}"
    ),
    "stern -A": _each(lambda _, service, line: f"shop {PODS[service]} {service} {line}"),
    "stern --timestamps=short": _each(
        lambda moment, service, line: (
            f"{PODS[service]} {service} {when(moment, '%m-%d %H:%M:%S')} {line}"
        )
    ),
    "stern --template": _each(lambda _, service, line: f"{PODS[service]}/{service}: {line}"),
    "stern --template, a pod": _each(lambda _, service, line: f"{PODS[service]} {line}"),
    "kail": _each(lambda _, service, line: f"shop/{PODS[service]}[{service}]: {line}"),
    "kubetail": _each(lambda _, service, line: f"[{PODS[service]} {service}] {line}"),
    "journalctl -o short-monotonic": _each(
        lambda moment, service, line: f"[{moment - BASE + 9:12.6f}] web {service}[8]: {line}"
    ),
    "journalctl -o with-unit": _each(
        lambda moment, service, line: (
            f"{when(moment, '%a %Y-%m-%d %H:%M:%S UTC')} web {service}.service/python[8]: {line}"
        )
    ),
    "journalctl -o json-seq": _each(
        lambda moment, service, line: (
            "\x1e"
            + json.dumps(
                {
                    "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
                    "_SYSTEMD_UNIT": f"{service}.service",
                    "MESSAGE": line,
                }
            )
        )
    ),
    "journalctl -o export": _each(
        lambda moment, service, line: (
            f"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP={round(moment * 1e6)}\n"
            f"_SYSTEMD_UNIT={service}.service\nMESSAGE={line}\nPRIORITY=3\n"
        )
    ),
    "journalctl -o verbose": _each(
        lambda moment, service, line: (
            f"{when(moment, '%a %Y-%m-%d %H:%M:%S.%f UTC')} [s={'0f1e' * 8};i=1a;b={'2d3c' * 8};"
            f"m=5f;t={round(moment * 1e6):x};x=9e]\n    PRIORITY=3\n"
            f"    _SYSTEMD_UNIT={service}.service\n    MESSAGE={line}\n    _PID=8"
        )
    ),
    "journalctl -o json, bytes": _objects(
        lambda moment, service, line: {
            "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
            "_SYSTEMD_UNIT": f"{service}.service",
            "MESSAGE": list(f"{_COLOR}{line}{_PLAIN}".encode()),
        }
    ),
    "journalctl -o json, of Docker": _objects(
        lambda moment, service, line: {
            "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
            "_SYSTEMD_UNIT": "docker.service",
            "CONTAINER_NAME": service,
            "MESSAGE": line,
        }
    ),
    "RFC 3164": _each(
        lambda moment, service, line: f"<14>{when(moment, '%b %d %H:%M:%S')} web {service}: {line}"
    ),
    "RFC 3164, of the C library": _each(
        lambda moment, service, line: f"<14>{when(moment, '%b %d %H:%M:%S')} {service}[8]: {line}"
    ),
    "RFC 5424 over TCP": _each(
        lambda moment, service, line: (
            f"{len(line) + 42} <14>1 {when(moment)}Z web {service} 8 - - {line}"
        )
    ),
    "Docker Compose around RFC 5424": _each(
        lambda moment, service, line: f"logs-1  | <14>1 {when(moment)}Z web {service} 8 - - {line}"
    ),
    "journalctl --no-hostname": _each(
        lambda moment, service, line: f"{when(moment, '%b %d %H:%M:%S')} {service}[8]: {line}"
    ),
    "journalctl -o short-unix --no-hostname": _each(
        lambda moment, service, line: f"{moment:.6f} {service}[8]: {line}"
    ),
    "journalctl -o with-unit, of a user": _each(
        lambda moment, service, line: (
            f"{when(moment, '%a %Y-%m-%d %H:%M:%S UTC')} web user@1000.service/{service}.service[8]: {line}"
        )
    ),
    "journalctl -o with-unit, a template": _each(
        lambda moment, service, line: (
            f"{when(moment, '%a %Y-%m-%d %H:%M:%S UTC')} web {service}@blue.service[8]: {line}"
        )
    ),
    "Docker's driver for syslog": _each(
        lambda moment, service, line: (
            f"{when(moment, '%b %d %H:%M:%S')} web {service}/0f1e2d3c4b5a[8]: {line}"
        )
    ),
    "docker logs --details": _each(
        lambda moment, service, line: (
            f"{when(moment)}000Z com.docker.compose.project=shop,com.docker.compose.service={service} {line}"
        )
    ),
    "docker logs --details, labels of one's own": _each(
        lambda _, service, line: f"com.example.team=shop%20a,stage=prod {line}"
    ),
    "docker logs -t --details": _each(
        lambda moment, _, line: f"{when(moment)}789Z com.example.team=shop%20a,stage=prod {line}"
    ),
    "docker service logs --details": _each(
        lambda _, service, line: (
            f"{service}.1.0f1e2d3c4b5a@node-1    | com.docker.swarm.node.id=a,com.docker.swarm.task=b {line}"
        )
    ),
    "rsyslog to another host": _each(
        lambda moment, service, line: f"<14>{when(moment)}+00:00 web {service}[8]: {line}"
    ),
    "rsyslog's file of RFC 5424": _each(
        lambda moment, service, line: f"{when(moment)}+00:00 web {service}[8] {line}"
    ),
    "rsyslog's file of imfile": _each(
        lambda moment, service, line: f"{when(moment, '%b %d %H:%M:%S')} web {service} {line}"
    ),
    "psql -At": _each(
        lambda moment, service, line: f"{when(moment, '%Y-%m-%d %H:%M:%S.%f')}+00|{service}|{line}"
    ),
    "aws logs get-log-events": _document(
        lambda given: {
            "events": [
                {"timestamp": round(moment * 1000), "message": line, "ingestionTime": 0}
                for moment, _, line in given
            ],
            "nextForwardToken": "f/1",
            "nextBackwardToken": "b/1",
        },
        4,
    ),
    "RFC 3164 with a year": _each(
        lambda moment, service, line: (
            f"<14>{when(moment, '%b %d %Y %H:%M:%S')} web {service}[8]: {line}"
        )
    ),
    "Google Cloud's console": _each(
        lambda moment, _, line: f"{when(moment, '%Y-%m-%d %H:%M:%S.%f')[:-3]} UTC {line}"
    ),
    "sam logs": _each(
        lambda moment, service, line: (
            f"2024/11/22/{service}[$LATEST]{'0f1e2d3c' * 4} {when(moment)} {line}"
        )
    ),
    "Scalingo": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S.%f')}000 +0000 UTC [{service}-1] {line}"
        )
    ),
    "Bamboo": _each(lambda moment, _, line: f"build\t{when(moment, '%d-%b-%Y %H:%M:%S')}\t{line}"),
    "Render": _each(lambda moment, _, line: f"{when(moment, '%Y-%m-%d %H:%M:%S')}  {line}"),
    "ts -s": _each(lambda _, __, line: f"00:00:01 {line}"),
    "Grafana's text": _each(
        lambda moment, _, line: f"{round(moment * 1000)}\t{when(moment)[:-3]}Z\t{line}"
    ),
    "parallel --tag": _each(lambda _, service, line: f"{service}\t{line}"),
    "drone": _each(lambda _, service, line: f"[{service}:3] {line}"),
    "grep -C": _each(
        lambda moment, service, line: f"{service}.log{':-'[round(moment * 20) % 2]}{line}"
    ),
    "grep -nC": _each(
        lambda moment, service, line: "{0}.log{2}12{2}{1}".format(
            service, line, ":-"[round(moment * 20) % 2]
        )
    ),
    "journalctl on a terminal, an error": _each(
        lambda moment, service, line: (
            f"{when(moment, '%b %d %H:%M:%S')} web {service}[8]: \x1b[0;1;31m{line}\x1b[0m"
        )
    ),
    "a color around the line": _each(lambda _, __, line: f"\x1b[31m{line}\x1b[0m"),
    "OpenObserve": _document(
        lambda given: {
            "took": 3,
            "hits": [
                {
                    "_timestamp": round(moment * 1e6),
                    "kubernetes_container_name": service,
                    "log": line,
                    "stream": "stderr",
                }
                for moment, service, line in reversed(given)
            ],
            "total": len(given),
        }
    ),
    "Quickwit": _document(
        lambda given: {
            "num_hits": len(given),
            "hits": [
                {
                    "timestamp_nanos": int(_nanoseconds(moment)),
                    "service_name": service,
                    "body": {"message": line},
                    "severity_number": 0,
                }
                for moment, service, line in given
            ],
        }
    ),
    "SigNoz": _document(
        lambda given: {
            "status": "success",
            "data": {
                "result": [
                    {
                        "queryName": "A",
                        "list": [
                            {
                                "timestamp": f"{when(moment)}Z",
                                "data": {
                                    "body": line,
                                    "severity_text": "",
                                    "severity_number": 0,
                                    "resources_string": {"service.name": service},
                                },
                            }
                            for moment, service, line in reversed(given)
                        ],
                    }
                ]
            },
        }
    ),
    "OpenSearch's bulk API": _each(
        lambda moment, service, line: (
            '{"index": {"_index": "logs"}}\n'
            + json.dumps(
                {"@timestamp": f"{when(moment)}Z", "log": line, "kubernetes": _kubernetes(service)}
            )
        )
    ),
    "gcloud pubsub subscriptions pull": _document(
        lambda given: [
            {
                "ackId": "a1",
                "message": {
                    "data": b64encode(json.dumps(_entry(*line)).encode()).decode(),
                    "messageId": "1",
                },
            }
            for line in given
        ],
        2,
    ),
    "pm2's JSON": _objects(
        lambda moment, service, line: {
            "message": f"{line}\n",
            "timestamp": f"{when(moment)[:-3]}Z",
            "type": "err",
            "process_id": 0,
            "app_name": service,
        }
    ),
    "FireLens": _objects(
        lambda _, service, line: {
            "source": "stderr",
            "log": line,
            "container_id": "0f1e-1",
            "container_name": service,
        }
    ),
    "LogScale": _objects(
        lambda moment, service, line: {
            "@rawstring": line,
            "@timestamp": round(moment * 1000),
            "#type": "x",
            "container": service,
        }
    ),
    "Coralogix": _objects(
        lambda moment, service, line: {
            "timestamp": round(moment * 1000),
            "severity": 3,
            "text": line,
            "applicationName": "shop",
            "subsystemName": service,
        }
    ),
    "Grafana's queries": _document(
        lambda given: {
            "results": {
                "A": {
                    "frames": [
                        {
                            "schema": {
                                "fields": [
                                    {"name": name} for name in ("labels", "Time", "Line", "tsNs")
                                ]
                            },
                            "data": {
                                "values": [
                                    [{"container": service} for _, service, _ in given],
                                    [round(moment * 1000) for moment, _, _ in given],
                                    [line for _, _, line in given],
                                    [_nanoseconds(moment) for moment, _, _ in given],
                                ]
                            },
                        }
                    ]
                }
            }
        }
    ),
    "CloudWatch's live tail": _document(
        lambda given: {
            "sessionUpdate": {
                "sessionResults": [
                    {
                        "logStreamName": service,
                        "message": line,
                        "timestamp": round(moment * 1000),
                    }
                    for moment, service, line in given
                ]
            }
        }
    ),
    "Azure's diagnostics": _document(
        lambda given: {
            "records": [
                {
                    "time": f"{when(moment)}Z",
                    "category": "ContainerAppConsoleLogs",
                    "properties": {"Log": line, "ContainerName": service, "Stream": "stderr"},
                }
                for moment, service, line in given
            ]
        }
    ),
    "Mezmo": _objects(
        lambda moment, service, line: {
            "_line": line,
            "_app": service,
            "_ts": round(moment * 1000),
            "level": "info",
        }
    ),
    "Loggly": _document(
        lambda given: {
            "total_events": len(given),
            "events": [
                {"raw": line, "timestamp": round(moment * 1000), "logtypes": [], "id": "1"}
                for moment, _, line in reversed(given)
            ],
        }
    ),
    "Fluent Bit, the journal": _objects(
        lambda moment, service, line: {
            "date": moment,
            "systemd_unit": f"{service}.service",
            "priority": "6",
            "message": line,
        }
    ),
    "rg --json": _ripgrep,
    "CloudWatch's console, JSON": _document(
        lambda given: [
            {
                "@timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f")[:-3],
                "@message": json.loads(line) if line.startswith("{") else line,
                "@logStream": service,
            }
            for moment, service, line in reversed(given)
        ]
    ),
    "psql": _ruled("-", "", " {} "),
    "MySQL": _ruled("+", "+", " {} "),
    "Elasticsearch's SQL, text": _ruled("-", "", "{}"),
    "aws --output table": _ruled("|+", "+|", " {} "),
    "aws logs filter-log-events, table": _nested(
        "FilterLogEvents",
        lambda moment, service, line: {
            "eventId": f"38{round(moment * 1000):054}",
            "ingestionTime": round(moment * 1000) + 900,
            "logStreamName": f"{service}/{service}/0f1e2d3c",
            "message": line,
            "timestamp": round(moment * 1000),
        },
    ),
    "aws logs get-log-events, table": _nested(
        "GetLogEvents",
        lambda moment, _, line: {
            "ingestionTime": round(moment * 1000) + 900,
            "message": line,
            "timestamp": round(moment * 1000),
        },
        "nextBackwardToken",
        "nextForwardToken",
    ),
    "psql, expanded": _each(
        lambda moment, service, line: (
            f"-[ RECORD 1 ]{'-' * 30}\ntime    | {when(moment, '%Y-%m-%d %H:%M:%S.%f')}+00\n"
            f"service | {service}\nmessage | {line}"
        )
    ),
    "ClickHouse, CSV": _each(
        lambda moment, service, line: '"{}","{}","{}"'.format(
            when(moment, "%Y-%m-%d %H:%M:%S.%f000"), service, line.replace('"', '""')
        )
    ),
    "ClickHouse, TabSeparated, two columns": _each(
        lambda moment, _, line: f"{when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\t{_escaped(line)}"
    ),
    "Alloy's loki.echo": _each(
        lambda moment, service, line: (
            f"ts={when(moment)}Z level=info component_id=loki.echo.a entry={_quoted(line)} "
            f'entry_timestamp={when(moment)}Z labels="{{container=\\"{service}\\"}}"'
        )
    ),
    "RFC 5424 over TCP, without line feeds": lambda given: "".join(
        f"{len(message.encode())} {message}"
        for moment, service, line in given
        for message in [f"<14>1 {when(moment)}Z web {service} 8 - - {line}"]
    ),
    "GitLab CI": _each(lambda moment, _, line: f"{when(moment)}Z 01O {line}"),
    "Buildkite": _each(lambda moment, _, line: f"\x1b_bk;t={round(moment * 1e3)}\x07{line}"),
    "Cloud Build": _each(lambda _, service, line: f'Step #0 - "{service}": {line}'),
    "doctl apps logs": _each(lambda moment, service, line: f"{service} {when(moment)}000Z {line}"),
    "flyctl logs --json": _objects(
        lambda moment, service, line: {
            "level": "info",
            "instance": "1a2b3c4d",
            "message": line,
            "region": "ams",
            "timestamp": f"{when(moment)}Z",
            "meta": {"instance": "1a2b3c4d", "region": "ams", "event": {"provider": "app"}},
        }
    ),
    "Heroku's drain": _each(
        lambda moment, service, line: f"<190>1 {when(moment)}+00:00 host app {service}.1 - {line}"
    ),
    "awslogs get": _each(lambda _, service, line: f"/ecs/shop {service}/{service}/0f1e2d3c {line}"),
    "awslogs get --timestamp": _each(
        lambda moment, service, line: (
            f"/ecs/shop {service}/{service}/0f1e2d3c {when(moment)[:-3]}Z {line}"
        )
    ),
    "gcloud app logs read": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S')} {service}[20241122t103015]  {line}"
        )
    ),
    "podman-compose, colored": _each(
        lambda _, service, line: f"\x1b[1;32m[{service}] |{_PLAIN} {line}"
    ),
    "foreman of Node": _each(
        lambda moment, service, line: f"{when(moment, '%H:%M:%S')} {service}.1   |  {line}"
    ),
    "turbo": _each(lambda _, service, line: f"{service}:start: {line}"),
    "process-compose": _each(lambda _, service, line: f"[{service}\t] {line}"),
    "columns of ClickHouse": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\t{service}\t{line}"
        )
    ),
    "fluentd's stdout": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S.%f')}000 +0000 {service}: "
            + json.dumps({"log": f"{line}\n", "stream": "stderr"})
        )
    ),
    "grep -Hn --column": _each(lambda _, service, line: f"/var/log/{service}.log:12:3:{line}"),
    "cat -n": _each(lambda moment, _, line: f"{round(moment % 1 * 100):6}\t{line}"),
    "aws logs tail, a function": _each(
        lambda moment, service, line: (
            f"{when(moment)}+00:00 2024/11/22/{service}[$LATEST]{'0f1e2d3c' * 4} {line}"
        )
    ),
    "fluentd": _each(
        lambda moment, service, line: (
            f"{when(moment)[:19]}+00:00\t{service}\t"
            + json.dumps({"log": line, "stream": "stderr"})
        )
    ),
    "vector, a file": _objects(
        lambda moment, service, line: {
            "file": f"/var/log/{service}.log",
            "message": line,
            "source_type": "file",
            "timestamp": f"{when(moment)}Z",
        }
    ),
    "promtail --dry-run": _each(
        lambda moment, service, line: f'{when(moment)}Z{{job="{service}"}}\t{line}'
    ),
    "Datadog's agent": _each(
        lambda moment, service, line: (
            f"Integration Name: shop | Type: file | Status: info | Timestamp: {when(moment)}Z | "
            f"Hostname: web | Service: {service} | Source: python | Tags: | Message: {line}"
        )
    ),
    "Elastic Agent": _objects(
        lambda moment, service, line: {
            "@timestamp": f"{when(moment)[:-3]}Z",
            "message": line,
            "agent": {"type": "filebeat"},
            "ecs": {"version": "8.0.0"},
            "container": {"name": service},
            "log": {"offset": 1},
        }
    ),
    "Docker's GELF over TCP": lambda given: "".join(
        json.dumps(_gelf(*line)) + "\0" for line in given
    ),
    "OpenSearch _search, fields beside the source": _document(
        lambda given: {
            "hits": {
                "hits": [
                    {
                        "_source": {"message": line},
                        "fields": {
                            "@timestamp": [f"{when(moment)[:-3]}Z"],
                            "kubernetes.container.name": [service],
                        },
                    }
                    for moment, service, line in reversed(given)
                ]
            }
        }
    ),
    "Docker's GELF": _objects(_gelf),
    "Docker's GELF in Graylog": _document(
        lambda given: {
            "messages": [
                {
                    "message": {
                        "timestamp": f"{when(moment)[:-3]}Z",
                        "source": "web",
                        "message": line,
                        "level": 3,
                        "container_name": service,
                        "image_name": "shop",
                        "created": "2024-11-20T00:00:00.5Z",
                        "tag": "0f1e2d3c4b5a",
                    },
                    "index": "graylog_0",
                }
                for moment, service, line in reversed(given)
            ],
            "total_results": len(given),
        }
    ),
    "Splunk": _objects(
        lambda moment, service, line: {
            "preview": False,
            "result": {"_raw": line, "_time": f"{when(moment)}+00:00", "container": service},
        }
    ),
    "Azure": _objects(
        lambda moment, service, line: {
            "TimeGenerated": f"{when(moment)}Z",
            "ContainerName": service,
            "LogMessage": line,
            "LogSource": "stderr",
        }
    ),
    "OTLP, a collector's filelog receiver": _objects(
        lambda moment, service, line: {"resourceLogs": [_collected(moment, service, line)]}
    ),
    "ClickHouse, a collector's table": _objects(
        lambda moment, service, line: {
            "Timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f000"),
            "TraceFlags": 0,
            "SeverityText": "",
            "SeverityNumber": 0,
            "ServiceName": service,
            "Body": line,
        }
    ),
    "vector, syslog": _objects(
        lambda moment, service, line: {
            "appname": service,
            "facility": "user",
            "hostname": "web",
            "message": line,
            "severity": "err",
            "source_type": "syslog",
            "timestamp": f"{when(moment)}Z",
        }
    ),
    "syslog-ng": _objects(
        lambda moment, service, line: {
            "PROGRAM": service,
            "PRIORITY": "err",
            "MESSAGE": line,
            "ISODATE": f"{when(moment)}+00:00",
            "HOST": "web",
        }
    ),
    "Grafana's download": _document(
        lambda given: [
            {
                "line": line,
                "timestamp": _nanoseconds(moment),
                "fields": {"container": service, "level": "error"},
            }
            for moment, service, line in reversed(given)
        ],
        2,
    ),
    "az containerapp logs show": _each(
        lambda moment, _, line: json.dumps(
            {"TimeStamp": when(moment), "Log": f"F {line}"}, separators=(",", ":")
        ).replace('\\"', '"')
    ),
    "az containerapp logs show, JSON": _each(
        lambda moment, _, line: json.dumps({"TimeStamp": when(moment), "Log": f"F {line}"})
    ),
    "Azure's container apps": _document(
        lambda given: [
            {
                "ContainerAppName_s": service,
                "Log_s": line,
                "TableName": "PrimaryResult",
                "TimeGenerated": f"{when(moment)}Z",
            }
            for moment, service, line in given
        ],
        2,
    ),
    "journalctl -o json-sse": _each(
        lambda moment, service, line: (
            "data: "
            + json.dumps(
                {
                    "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
                    "_SYSTEMD_UNIT": f"{service}.service",
                    "MESSAGE": line,
                }
            )
            + "\n"
        )
    ),
    "journalctl -o short-delta": _each(
        lambda moment, service, line: (
            f"[{moment - BASE + 9:12.6f} <{0.1:12.6f} >] web {service}[8]: {line}"
        )
    ),
    "docker service logs": _each(
        lambda _, service, line: f"{service}.1.0f1e2d3c4b5a@node-1    | {line}"
    ),
    "docker service logs -t": _each(
        lambda moment, service, line: (
            f"{when(moment)}789Z {service}.1.0f1e2d3c4b5a@node-1    | {line}"
        )
    ),
    "nerdctl compose logs": _each(lambda _, service, line: f"{service}-1 |{line}"),
    "podman logs of several": _each(
        lambda _, service, line: (
            f"{'0f1e2d3c4b5a' if service == 'front' else '9e8d7c6b5a4f'} {line}"
        )
    ),
    "syslog-ng, a file in RFC 5424": _each(
        lambda moment, service, line: f"1 {when(moment)}+00:00 web {service} 8 - - {line}"
    ),
    "BusyBox": _each(
        lambda moment, service, line: (
            f"{when(moment, '%b %d %H:%M:%S')} web user.info {service}[8]: {line}"
        )
    ),
    "logread of OpenWrt": _each(
        lambda moment, service, line: (
            f"{when(moment, '%a %b %d %H:%M:%S %Y')} user.info {service}[8]: {line}"
        )
    ),
    "gh run view --log": _each(
        lambda moment, service, line: f"{service}\tRun the tests\t{when(moment)}7Z {line}"
    ),
    "gh run view --log, with a mark": _each(
        lambda moment, service, line: f"{service}\tUNKNOWN STEP\t\ufeff{when(moment)}7Z {line}"
    ),
    "TeamCity": _each(
        lambda moment, _, line: f"[{when(moment, '%H:%M:%S')}]i:\t [Step 1/2] {line}"
    ),
    "Jenkins": _each(lambda moment, _, line: f"{when(moment, '%H:%M:%S')}  {line}"),
    "Jenkins, dates": _each(lambda moment, _, line: f"[{when(moment)[:-3]}Z] {line}"),
    "Dapr": _each(lambda _, service, line: f"== APP - {service} == {line}"),
    "Papertrail's archive": _each(
        lambda moment, service, line: (
            f"50342052\t{when(moment)[:19]}Z\t{when(moment)[:19]}Z\t42424\tweb\t208.122.34.202\tUser\tInfo"
            f"\t{service}\t{line}"
        )
    ),
    "Netlify": _each(
        lambda moment, _, line: f"{when(moment, '%b %d, %I:%M:%S %p')}: 1a2b3c4d INFO   {line}"
    ),
    "s6-log": _each(lambda moment, _, line: f"{when(moment, '%Y-%m-%d %H:%M:%S.%f')}000  {line}"),
    "saw": _each(lambda moment, service, line: f"[{when(moment)[:19]}Z] ({service}) {line}"),
    "copilot svc logs": _each(lambda _, service, line: f"copilot/{service}/0f1e2d3c {line}"),
    "tkn": _each(lambda _, service, line: f"[{service} : run] {line}"),
    "yarn": _each(lambda _, service, line: f"\u27a4 YN0000: [{service}]: {line}"),
    # pnpm 11 and Bun 1.4 print this
    "bun --filter": _each(lambda _, service, line: f"{service} start: {line}"),
    "bun --filter, a scope": _each(lambda _, service, line: f"@shop/{service} start: {line}"),
    "pnpm": _each(lambda _, service, line: f"packages/{service} start: {line}"),
    "less -N": _each(lambda moment, _, line: f"{round(moment % 1 * 100):7} {line}"),
    "grep -n": _each(lambda _, __, line: f"12:{line}"),
    "grep, colored": _each(
        lambda _, service, line: (
            f"\x1b[35m\x1b[K{service}.log\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K{line}"
        )
    ),
    "a terminal that erases the line": _each(lambda _, __, line: f"\x1b[2K\r{line}\x1b[K"),
    "a terminal's title": _each(lambda _, __, line: f"\x1b]0;shop: ~\x07{line}"),
    "gcloud logging read, YAML": lambda given: "".join(
        f"---\n{_yaml(_entry(*line))}" for line in reversed(given)
    ),
    "gcloud logging read, a table": _each_behind(
        f"{'TIMESTAMP':<29}{'CONTAINER_NAME':<16}TEXT_PAYLOAD\n",
        lambda moment, service, line: f"{when(moment) + 'Z':<29}{service:<16}{line}",
    ),
    "aws logs filter-log-events, YAML": lambda given: _yaml(
        {"events": [_event(*line) for line in given], "searchedLogStreams": []}
    ),
    "aws logs get-query-results, YAML": lambda given: _yaml(
        {"results": [_insight(*line) for line in given], "status": "Complete"}
    ),
    "aws logs filter-log-events, text": _each(
        lambda moment, service, line: (
            f"EVENTS\t{'38316531' * 7}\t{round(moment * 1000)}\t{service}\t{line}\t{round(moment * 1000)}"
        )
    ),
    "aws logs get-log-events, text": _each(
        lambda moment, _, line: f"EVENTS\t{round(moment * 1000)}\t{line}\t{round(moment * 1000)}"
    ),
    "Fluent Bit's standard output": _each(
        lambda moment, service, line: (
            f"[0] kube.var.log.containers.{PODS[service]}_shop_{service}-{'0f1e2d3c' * 8}.log: [[{moment:.9f}, {{}}], "
            f'{{"time"=>"{when(moment)}Z", "stream"=>"stderr", "_p"=>"F", "log"=>"{line}", '
            f'"kubernetes"=>{{"pod_name"=>"{PODS[service]}", "container_name"=>"{service}"}}}}]'
        ),
    ),
    "Fluent Bit's standard output, of Docker": _each(
        lambda moment, service, line: (
            f'[0] app: [{moment:.9f}, {{"container_name"=>"/{service}", "source"=>"stderr", "log"=>"{line}"}}]'
        )
    ),
    "Fluent Bit's file": _each(
        lambda moment, service, line: f"{service}: [{moment:.9f}, {json.dumps({'log': line})}]"
    ),
    "ClickHouse, TabSeparated": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\t{service}\t{_escaped(line)}"
        )
    ),
    "ClickHouse, TabSeparatedWithNamesAndTypes": _each_behind(
        "Timestamp\tServiceName\tBody\nDateTime64(9)\tLowCardinality(String)\tString\n",
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\t{service}\t{_escaped(line)}"
        ),
    ),
    "ClickHouse, TSKV": _each(
        lambda moment, service, line: (
            f"Timestamp={when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\tServiceName={service}\tBody={_escaped(line)}"
        )
    ),
    "ClickHouse, all columns": _each_behind(
        "Timestamp\tTraceId\tSpanId\tTraceFlags\tSeverityText\tSeverityNumber\tServiceName\tBody\tLogAttributes\n",
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%d %H:%M:%S.%f000')}\t\t\t0\t\t0\t{service}\t{_escaped(line)}\t{{}}"
        ),
    ),
    "ClickHouse, Vertical": _vertical,
    "ClickHouse, PrettyCompact": _boxes,
    "MySQL, vertical": _mysql,
    "Vector, logfmt": _each(
        lambda moment, service, line: (
            f"container_name={service} host=web message={_quoted(line)} source_type=docker_logs stream=stderr "
            f"timestamp={when(moment)}Z"
        )
    ),
    "VictoriaLogs, logfmt": _each(
        lambda moment, service, line: (
            f'_time={when(moment)}Z _stream="{{pod=\\"{PODS[service]}\\"}}" _msg={_quoted(line)}'
        )
    ),
    "pm2 --format": _each(
        lambda moment, service, line: (
            f"timestamp={when(moment, '%Y-%m-%d-%H:%M:%S')} app={service} id=0 type=err message={_quoted(line)}"
        )
    ),
    "the debug exporter of a collector": _each(_debug),
    "Logstash's rubydebug": _each(_ruby),
    "rsyslog, JSON of a message": _objects(
        lambda moment, service, line: {
            "msg": f" {line}",
            "rawmsg": f"<14>{line}",
            "timereported": f"{when(moment)}+00:00",
            "hostname": "web",
            "syslogtag": f"{service}[8]:",
            "syslogfacility": "1",
            "syslogseverity": "6",
            "programname": service,
            "procid": "8",
        }
    ),
    "rsyslog, a template for Logstash": _objects(
        lambda moment, service, line: {
            "@timestamp": f"{when(moment)}+00:00",
            "@version": "1",
            "message": f" {line}",
            "sysloghost": "web",
            "severity": "err",
            "facility": "daemon",
            "programname": service,
        }
    ),
    "Docker's driver for Splunk": _objects(
        lambda moment, service, line: {
            "event": {"line": line, "source": "stderr", "tag": service},
            "time": f"{moment:.6f}",
            "host": "web",
        }
    ),
    "Sumo Logic": _document(
        lambda given: {
            "fields": [{"name": "_raw", "fieldType": "string"}],
            "messages": [
                {
                    "map": {
                        "_raw": line,
                        "_messagetime": str(round(moment * 1000)),
                        "_sourcename": service,
                    }
                }
                for moment, service, line in reversed(given)
            ],
        }
    ),
    "Better Stack, raw": _objects(
        lambda moment, service, line: {
            "dt": when(moment, "%Y-%m-%d %H:%M:%S.%f"),
            "raw": json.dumps({"message": line, "dt": f"{when(moment)}Z", "app": service}),
        }
    ),
    "Azure's App Service": _objects(
        lambda moment, service, line: {
            "time": f"{when(moment)}Z",
            "resultDescription": line,
            "level": "Informational",
            "category": "AppServiceConsoleLogs",
            "operationName": "Microsoft.Web/sites/log",
            "containerName": service,
        }
    ),
    "Vercel's drain": _objects(
        lambda moment, service, line: {
            "id": "1",
            "deploymentId": "dpl_1",
            "projectId": "prj_1",
            "source": "lambda",
            "timestamp": round(moment * 1000),
            "level": "error",
            "message": line,
        }
    ),
    # with a project that has tracing; its level is a guess
    "vercel logs --json": _objects(
        lambda moment, _, line: {
            "id": "9tb6c-1732271415000-5c2f3a",
            "timestamp": round(moment * 1000),
            "deploymentId": "dpl_1",
            "projectId": "prj_1",
            "source": "serverless",
            "domain": "shop.vercel.app",
            "requestMethod": "POST",
            "requestPath": "/order",
            "responseStatusCode": 200,
            "environment": "production",
            "traceId": "0af7651916cd43dd8448eb211c80319c",
            "level": "error",
            "message": line,
        }
    ),
    "wrangler tail --format json": lambda given: "".join(
        json.dumps(_of_worker(*line), indent=2) + "\n" for line in given
    ),
    "Cloudflare's Logpush": _objects(
        lambda moment, service, line: {
            "Event": {"RayID": "8c2f", "Request": {"URL": "/", "Method": "GET"}},
            "EventTimestampMs": round(moment * 1000),
            "Exceptions": [],
            "Logs": [{"Level": "log", "Message": [line], "TimestampMs": round(moment * 1000)}],
            "Outcome": "ok",
            "ScriptName": service,
        }
    ),
    "kcat -J": _objects(
        lambda moment, service, line: {
            "topic": "logs",
            "partition": 0,
            "offset": 1,
            "tstype": "create",
            "ts": round(moment * 1000),
            "key": None,
            "payload": json.dumps({"log": line, "stream": "stderr", "container_name": service}),
        }
    ),
    "Drone": _document(
        lambda given: [
            {"pos": number, "out": f"{line}\n", "time": 0}
            for number, (_, _, line) in enumerate(given)
        ]
    ),
    "OpenShift": _objects(
        lambda moment, service, line: {
            "@timestamp": f"{when(moment)}Z",
            "kubernetes": {"container_name": service, "pod_name": PODS[service]},
            "level": "default",
            "log_type": "application",
            "message": line,
        }
    ),
    "tail -f a b": _tailed,
    "Grafana's CSV": _newest_first(
        _table(
            ["labels", "Time", "Line", "tsNs", "id"],
            lambda moment, service, line: [
                json.dumps({"container": service, "level": "error"}),
                when(moment, "%Y-%m-%d %H:%M:%S.%f")[:-3],
                line,
                _nanoseconds(moment),
                "1_a",
            ],
        )
    ),
    "Datadog's CSV": _newest_first(
        _table(
            ["Date", "Host", "Service", "Message"],
            lambda moment, service, line: [f"{when(moment)[:-3]}Z", "web", service, line],
        )
    ),
    "Azure's CSV": _table(
        ["TimeGenerated [UTC]", "PodName", "ContainerName", "LogMessage"],
        lambda moment, service, line: [
            when(moment, "%m/%d/%Y, %I:%M:%S.%f")[:-3] + " AM",
            PODS[service],
            service,
            line,
        ],
    ),
    "ClickHouse, TabSeparatedWithNames": _each_behind(
        "Timestamp\tServiceName\tBody\n",
        lambda moment, service, line: "\t".join(
            (
                when(moment, "%Y-%m-%d %H:%M:%S.%f000"),
                service,
                line.replace("\\", "\\\\").replace("'", "\\'"),
            )
        ),
    ),
    "Kibana's CSV": _table(
        ["@timestamp", "kubernetes.container.name", "message"],
        lambda moment, service, line: [
            when(moment, "%b %d, %Y @ %H:%M:%S.%f")[:-3],
            service,
            line,
        ],
    ),
    "Kibana's CSV, semicolons": _table(
        ["@timestamp", "kubernetes.container.name", "message"],
        lambda moment, service, line: [f"{when(moment)[:-3]}Z", service, line],
        ";",
    ),
    "CSV of CloudWatch Insights": _newest_first(
        _table(
            ["@timestamp", "@message", "@logStream", "@log"],
            lambda moment, service, line: [
                when(moment, "%Y-%m-%d %H:%M:%S.%f")[:-3],
                line,
                service,
                "1:/ecs/shop",
            ],
        )
    ),
    "Google Cloud's CSV": _newest_first(
        _table(
            [
                "insertId",
                "resource.labels.container_name",
                "severity",
                "textPayload",
                "timestamp",
            ],
            lambda moment, service, line: ["1", service, "ERROR", line, f"{when(moment)}Z"],
        )
    ),
    "Splunk's CSV": _newest_first(
        _table(
            ["_raw", "_time", "container"],
            lambda moment, service, line: [line, f"{when(moment)[:-3]}+0000", service],
        )
    ),
    "ssh": _each(lambda _, service, line: f"{service}: {line}"),
    "tilt": _each(lambda _, service, line: f"{service:>12} │ {line}"),
    "pm2, timestamps": _each(
        lambda moment, service, line: f"0|{service}  | {when(moment)[:19]}: {line}"
    ),
    "ts": _each(lambda moment, _, line: f"{when(moment, '%b %d %H:%M:%S')} {line}"),
    "svlogd": _each(lambda moment, _, line: f"{when(moment, '%Y-%m-%d_%H:%M:%S.%f')} {line}"),
    "Vector's native_json": _objects(
        lambda moment, service, line: {
            "log": {
                "kubernetes": {"container_name": service, "pod_name": PODS[service]},
                "message": line,
                "source_type": "kubernetes_logs",
                "stream": "stderr",
                "timestamp": f"{when(moment)}Z",
            }
        }
    ),
    "OTLP, the protocol's names": _objects(
        lambda *line: {"resource_logs": [_with_underscores(_otlp(*line))]}
    ),
    "OTLP, the protocol's names, one document": _document(
        lambda given: {"resource_logs": [_with_underscores(_otlp(*line)) for line in given]}
    ),
    "Azure's Event Hub": _document(
        lambda given: {
            "records": [
                {
                    "time": f"{when(moment)}0Z",
                    "resourceId": "/SUBSCRIPTIONS/0/PROVIDERS/MICROSOFT.APP/MANAGEDENVIRONMENTS/E",
                    "category": "ContainerAppConsoleLogs",
                    "properties": {"ContainerName": service, "Log": line, "Stream": "stderr"},
                }
                for moment, service, line in given
            ]
        }
    ),
    "AWS Lambda's Telemetry API": _document(
        lambda given: [
            {"time": f"{when(moment)[:-3]}Z", "type": "function", "record": line}
            for moment, _, line in given
        ]
    ),
    "lnav": _document(lambda given: [_lnav(*line) for line in given]),
    "lnav's CSV": _table(
        ["log_line", "log_time", "log_level", "log_path", "log_text"],
        lambda *line: [str(value) for value in _lnav(*line).values()],
    ),
    "SQLite's JSON": lambda given: (
        "["
        + ",\n".join(
            json.dumps({"timestamp": when(moment), "service": service, "message": line})
            for moment, service, line in given
        )
        + "]\n"
    ),
    "ts -s, with microseconds": _each(lambda _, __, line: f"00:00:01.000100 {line}"),
    "ts, seconds": _each(lambda moment, _, line: f"{int(moment)} {line}"),
    "parallel --tagstring": _each(lambda _, service, line: f"[{service}]\t{line}"),
    "podman logs --names": _each(lambda _, service, line: f"{service}_1 {line}"),
    "podman logs -t --names": _each(
        lambda moment, service, line: f"{service} {when(moment)}000+00:00 {line}"
    ),
    "SQLite's box": _bars("┌,─,┬,┐", "├,─,┼,┤", "└,─,┴,┘", "│"),
    "DuckDB's box": _duckbox,
    "SQLite's Markdown": _bars("", "|,-,|,|", "", "|"),
    "SQLite's columns": _bars("", ",-,  ,", "", ""),
    "SQLite's list": _each_behind(
        "timestamp|service|message\n",
        lambda moment, service, line: f"{when(moment, '%Y-%m-%d %H:%M:%S.%f')}|{service}|{line}",
    ),
    "psql --no-align": lambda given: (
        "timestamp|service|message\n"
        + "".join(f"{when(moment)}+00|{service}|{line}\n" for moment, service, line in given)
        + f"({len(given)} rows)\n"
    ),
    "ClickHouse, Markdown": _each_behind(
        "| Timestamp | ServiceName | Body |\n|:-|:-|:-|\n",
        lambda moment, service, line: (
            f"| {when(moment, '%Y-%m-%d %H:%M:%S.%f000')} | {service} | {_escaped(line)} |"
        ),
    ),
    # the console, with the columns of the query that it proposes
    "CloudWatch Logs Insights, Markdown": _newest_first(
        _each_behind(
            "**CloudWatch Logs Insights**    \nregion: eu-west-1    \nlog-group-names: /ecs/shop    \n"
            "start-time: -3600s    \nend-time: 0s    \nquery-string:\n  ```\n  fields @timestamp, @message, "
            "@logStream, @log\n| sort @timestamp desc\n| limit 10000\n  ```\n---\n"
            "| @timestamp | @message | @logStream | @log |\n| --- | --- | --- | --- |\n",
            lambda moment, service, line: (
                f"| {when(moment, '%Y-%m-%d %H:%M:%S.%f')[:-3]} | {line} | {service}/{service}/0f1e2d3c "
                "| 123456789012:/ecs/shop |"
            ),
        )
    ),
    "Kibana, Markdown": _each_behind(
        "| @timestamp | message | kubernetes.container.name |\n| --- | --- | --- |\n",
        lambda moment, service, line: (
            f"| {when(moment, '%b %d, %Y @ %H:%M:%S.%f')[:-3]} | {line} | {service} |"
        ),
    ),
    "pandas' Markdown": lambda given: (
        f"| {'timestamp':<26} | {'service':<9} | {'message':<700} |\n|:{'-' * 27}|:{'-' * 10}|:{'-' * 701}|\n"
        + "".join(
            f"| {when(moment, '%Y-%m-%d %H:%M:%S.%f'):<26} | {service:<9} | {line:<700} |\n"
            for moment, service, line in given
        )
    ),
    # DataFrame.to_csv() and to_json() without an option
    "pandas' CSV": lambda given: _table(
        ["", "timestamp", "service", "message"],
        lambda moment, service, line: [
            str([each[0] for each in given].index(moment)),
            when(moment, "%Y-%m-%d %H:%M:%S.%f"),
            service,
            line,
        ],
    )(given),
    "pandas' JSON": _document(
        lambda given: {
            name: {str(number): value for number, value in enumerate(values)}
            for name, values in zip(
                ("timestamp", "service", "message"),
                zip(*((round(moment * 1000), *rest) for moment, *rest in given), strict=True),
                strict=True,
            )
        }
    ),
    "ClickHouse, Values": lambda given: ",".join(
        f"('{when(moment, '%Y-%m-%d %H:%M:%S.%f000')}','{service}','{_escaped(line)}')"
        for moment, service, line in given
    ),
    "Ansible": lambda given: (
        "\nPLAY [all] ****\n\nTASK [debug] ****\n"
        + "".join(
            f'ok: [{service}] => {{\n    "msg": [\n        {json.dumps(line)}\n    ]\n}}\n'
            for _, service, line in given
        )
        + "\nPLAY RECAP ****\nfront                      : ok=2    changed=0    unreachable=0\n"
    ),
    "Ansible -v": lambda given: (
        "No config file found; using defaults\n\nPLAY [all] ****\n\nTASK [command] ****\n"
        + "".join(
            f"changed: [{service}] => "
            + json.dumps({"msg": "", "rc": 0, "stdout": line, "stdout_lines": [line]})
            + "\n"
            for _, service, line in given
        )
    ),
    "ClickHouse, a column of JSON": _objects(
        lambda moment, service, line: {
            "Timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f000"),
            "ServiceName": service,
            "Body": json.loads(line) if line.startswith("{") else line,
        }
    ),
    "ClickHouse, a column of maps": _objects(
        lambda moment, service, line: {
            "Timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f000"),
            "ServiceName": service,
            "Body": _as_map(line) if line.startswith("{") else line,
        }
    ),
    "rsyslog, without a tag": _each(
        lambda moment, _, line: f"{when(moment, '%b %d %H:%M:%S')} web {line}"
    ),
    "rsyslog to another host, without a tag": _each(
        lambda moment, _, line: f"<14>{when(moment, '%b %d %H:%M:%S')} web {line}"
    ),
    "rsyslog, a template of the message": _each(lambda _, __, line: f" {line}"),
    "journalctl -o short-iso --no-hostname": _each(
        lambda moment, service, line: (
            f"{when(moment, '%Y-%m-%dT%H:%M:%S+00:00')} {service}[8]: {line}"
        )
    ),
    "journalctl -o short-full --no-hostname": _each(
        lambda moment, service, line: (
            f"{when(moment + 3600, '%a %Y-%m-%d %H:%M:%S CET')} {service}[8]: {line}"
        )
    ),
    "journalctl -o short-monotonic --no-hostname": _each(
        lambda moment, service, line: f"[{moment - BASE + 9:12.6f}] {service}[8]: {line}"
    ),
    "journalctl -o short-delta, from its first line": lambda given: "".join(
        f"[{moment - BASE + 9:12.6f}{f' < {0.1:12.6f} >' if moment > BASE else ' ' * 16}] web {service}[8]: {line}\n"
        for moment, service, line in given
    ),
    "journalctl -o json, a user's unit": _objects(
        lambda moment, service, line: {
            "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
            "_SYSTEMD_UNIT": "user@1000.service",
            "_SYSTEMD_USER_UNIT": f"{service}.service",
            "SYSLOG_IDENTIFIER": "python",
            "MESSAGE": line,
        }
    ),
    "journalctl -o json, of systemd-cat": _objects(
        lambda moment, service, line: {
            "__REALTIME_TIMESTAMP": str(round(moment * 1e6)),
            "_SYSTEMD_UNIT": "session-1.scope",
            "SYSLOG_IDENTIFIER": service,
            "MESSAGE": line,
        }
    ),
    "docker json-file with a tag": _objects(
        lambda moment, service, line: {
            "log": f"{line}\n",
            "stream": "stderr",
            "attrs": {"tag": f"{service}/0f1e2d3c4b5a"},
            "time": f"{when(moment)}000Z",
        }
    ),
    "docker json-file with labels": _objects(
        lambda moment, service, line: {
            "log": f"{line}\n",
            "stream": "stderr",
            "attrs": {
                "com.docker.compose.project": "shop",
                "com.docker.compose.service": service,
            },
            "time": f"{when(moment)}000Z",
        }
    ),
    "k9s": _each(lambda moment, service, line: f"{when(moment)}789Z {service} {line}"),
    "podman logs --names, without a number": _each(lambda _, service, line: f"{service} {line}"),
    "pm2 --log-date-format": _each(
        lambda moment, service, line: (
            f"0|{service}  | {when(moment + 3600, '%Y-%m-%d %H:%M:%S')} +01:00: {line}"
        )
    ),
    "pm2 --log-date-format, of minutes": _each(
        lambda moment, service, line: (
            f"0|{service}  | {when(moment, '%Y-%m-%d %H:%M')} +00:00: {line}"
        )
    ),
    "aws logs filter-log-events --query, text": _each(
        lambda moment, _, line: f"{round(moment * 1000)}\t{line}"
    ),
    "gcloud logging read, JSON of some fields": _document(
        lambda given: [
            {"severity": "INFO", "textPayload": line, "timestamp": f"{when(moment)}Z"}
            for moment, _, line in reversed(given)
        ],
        2,
    ),
    "gcloud logging read, CSV of some fields": _table(
        ["timestamp", "severity", "text_payload"],
        lambda moment, _, line: [f"{when(moment)}Z", "INFO", line],
    ),
    "Azure's App Service, CSV": _table(
        ["TimeGenerated [UTC]", "Level", "Host", "ResultDescription"],
        lambda moment, _, line: [
            when(moment, "%m/%d/%Y, %I:%M:%S.%f")[:-3] + " AM",
            "Informational",
            "web",
            line,
        ],
    ),
    "Azure's container apps, CSV": _table(
        ["TimeGenerated [UTC]", "ContainerAppName", "Log"],
        lambda moment, service, line: [
            when(moment, "%m/%d/%Y, %I:%M:%S.%f")[:-3] + " AM",
            service,
            line,
        ],
    ),
    "Scalingo, in summer": _each(
        lambda moment, service, line: (
            f"{when(moment + 7200, '%Y-%m-%d %H:%M:%S.%f')}000 +0200 CEST [{service}-1] {line}"
        )
    ),
    "a date with slashes": _each(
        lambda moment, _, line: f"{when(moment, '%Y/%m/%d %H:%M:%S')} {line}"
    ),
    "a date with the day first": _each(
        lambda moment, _, line: f"{when(moment, '%d-%m-%Y %H:%M:%S')}: {line}"
    ),
    "a date with the name of the month": _each(
        lambda moment, _, line: f"[{when(moment, '%Y-%b-%d %H:%M:%S.%f')}] {line}"
    ),
    "multilog": _each(
        lambda moment, _, line: (
            f"@{2**62 + 10 + int(moment):016x}{int(moment % 1 * 1e9):08x} {line}"
        )
    ),
    # the collector of ClickStack, and the container parser of OpenTelemetry's; the severity is a guess
    "ClickHouse, a collector that finds a severity": _objects(
        lambda moment, service, line: {
            "Timestamp": when(moment, "%Y-%m-%d %H:%M:%S.%f000"),
            "TraceId": "",
            "SpanId": "",
            "SeverityText": "error",
            "SeverityNumber": 17,
            "ServiceName": service,
            "Body": line,
            "ScopeName": "",
            "LogAttributes": {
                "log.file.path": "/var/log/pods/shop/0.log",
                "log.iostream": "stderr",
                # of a line in JSON, it merges the fields in
                **(_as_map(line) if line.startswith("{") else {}),
            },
        }
    ),
    "OTLP, a collector that finds a severity": _objects(
        lambda moment, service, line: {"resourceLogs": [_severe(moment, service, line)]}
    ),
    "VictoriaLogs, a collector that finds a severity": _objects(
        lambda moment, service, line: {
            "_time": f"{when(moment)}Z",
            "_stream": f'{{service.name="{service}"}}',
            "_msg": line,
            "severity": "Error",
            "log.file.name": "app.log",
            "service.name": service,
        }
    ),
    "Dynatrace": _document(
        lambda given: {
            "state": "SUCCEEDED",
            "progress": 100,
            "result": {
                "records": [
                    {
                        "timestamp": f"{when(moment)}000Z",
                        "content": line,
                        "loglevel": "ERROR",
                        "status": "ERROR",
                        "log.source": "Container Output",
                        "k8s.container.name": service,
                        "dt.entity.host": "HOST-1",
                    }
                    for moment, service, line in reversed(given)
                ],
                "types": [],
                "metadata": {},
            },
        }
    ),
    "Dynatrace's CSV": _table(
        ["timestamp", "status", "loglevel", "content", "log.source", "k8s.container.name"],
        lambda moment, service, line: [
            f"{when(moment)}000Z",
            "ERROR",
            "ERROR",
            line,
            "Container Output",
            service,
        ],
    ),
    "aliyunlog log get_logs": _document(
        lambda given: {
            "data": [
                {
                    "__source__": "10.0.0.1",
                    "__time__": str(int(moment)),
                    "_container_name_": service,
                    "content": line,
                }
                for moment, service, line in given
            ]
        },
        2,
    ),
    "rpk topic consume": lambda given: "".join(
        json.dumps(
            {
                "topic": "logs",
                "value": line,
                "timestamp": round(moment * 1000),
                "partition": 0,
                "offset": number,
            },
            indent=2,
        )
        + "\n"
        for number, (moment, _, line) in enumerate(given)
    ),
    "kafka-console-consumer, time": _each(
        lambda moment, _, line: f"CreateTime:{round(moment * 1000)}\t{line}"
    ),
    "kafka-console-consumer, all": _each(
        lambda moment, service, line: (
            f"CreateTime:{round(moment * 1000)}\tPartition:0\tOffset:5\tNO_HEADERS\t{service}\t{line}"
        )
    ),
}
NAMELESS_VARIANTS = frozenset(
    (
        "rpk topic consume",
        "vercel logs --json",
        "kafka-console-consumer, time",
        "ts",
        "svlogd",
        "multilog",
        "cat -n",
        "GitLab CI",
        "Buildkite",
        "flyctl logs --json",
        "Drone",
        "Vercel's drain",
        "aws logs get-log-events, text",
        "aws logs get-log-events, table",
        "az containerapp logs show",
        "az containerapp logs show, JSON",
        "docker logs --details, labels of one's own",
        "docker logs -t --details",
        "aws logs get-log-events",
        "podman logs of several",
        "Google Cloud's console",
        "Loggly",
        "ClickHouse, TabSeparated, two columns",
        "TeamCity",
        "Bamboo",
        "Render",
        "ts -s",
        "Grafana's text",
        "a color around the line",
        "Jenkins",
        "Jenkins, dates",
        "Netlify",
        "s6-log",
        "less -N",
        "grep -n",
        "a terminal that erases the line",
        "a terminal's title",
        "AWS Lambda's Telemetry API",
        "ts -s, with microseconds",
        "ts, seconds",
        "rsyslog, without a tag",
        "rsyslog to another host, without a tag",
        "rsyslog, a template of the message",
        "aws logs filter-log-events --query, text",
        "gcloud logging read, JSON of some fields",
        "gcloud logging read, CSV of some fields",
        "Azure's App Service, CSV",
        "a date with slashes",
        "a date with the day first",
        "a date with the name of the month",
    )
)
