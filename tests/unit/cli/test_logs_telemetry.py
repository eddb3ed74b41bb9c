"""
Our log records as stores give them back that got them by OpenTelemetry: a message, and the ids among
the attributes.

Each store has its own names for these. The forms are those of the stores' documentation.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.reader import Entry, read
from asgi_trace._cli.main import main

from ...viewer import Told
from ...wrapping import STOCK, TRACEBACK, records, when

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Exported(NamedTuple):
    """A log record as our handler exports it; without a request, it has no trace."""

    moment: float
    service: str
    level: str
    number: int
    logger: str
    message: str
    attributes: dict[str, Any]
    trace: dict[str, str]

    @property
    def iso(self) -> str:
        return f"{when(self.moment)[:-3]}Z"

    @property
    def nanoseconds(self) -> str:
        return f"{round(self.moment * 1e6)}000"

    @property
    def texts(self) -> dict[str, str]:
        """The attributes in stores that keep them as texts."""
        return {name: str(value) for name, value in self.attributes.items()}


def exported() -> Iterator[Exported]:
    """Yield the records of the incident."""
    for moment, service, record in records():
        attributes: dict[str, Any] = {}
        trace: dict[str, str] = {}
        if record.request_id != "none":
            attributes = {
                "session.id": record.session_id,
                "asgi_trace.request_id": record.request_id,
            }
            trace = {"trace_id": TRACE, "span_id": SPAN}
        if record.exception:
            attributes |= {
                "exception.type": "KeyError",
                "exception.message": "'bulb'",
                "exception.stacktrace": TRACEBACK,
            }
        attributes |= record.extra or {}
        number = {"INFO": 9, "WARNING": 13, "ERROR": 17}[record.level]
        yield Exported(
            moment,
            service,
            record.level,
            number,
            record.logger,
            record.message,
            attributes,
            trace,
        )


def _labels(record: Exported) -> dict[str, str]:
    """What Loki has beside a line, with underscores for dots."""
    names = {name.replace(".", "_"): value for name, value in record.texts.items()}
    level = {"detected_level": record.level.lower(), "severity_text": record.level}
    return {**level, "scope_name": record.logger, **record.trace, **names}


def _streams(values: Callable[[Exported], tuple[dict[str, str], list[Any]]]) -> list[Any]:
    return [
        {"stream": {"service_name": record.service, **labels}, "values": [value]}
        for record in exported()
        for labels, value in (values(record),)
    ]


def _answer(streams: list[Any], **more: Any) -> str:
    return json.dumps(
        {"status": "success", "data": {"resultType": "streams", **more, "result": streams}}
    )


def _go(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())


FORMS: dict[str, Callable[[], str]] = {
    "Loki's API": lambda: _answer(
        _streams(lambda record: (_labels(record), [record.nanoseconds, record.message]))
    ),
    # X-Loki-Response-Encoding-Flags: categorize-labels, as Grafana asks
    "Loki's API, labels by their category": lambda: _answer(
        _streams(
            lambda record: (
                {},
                [record.nanoseconds, record.message, {"structuredMetadata": _labels(record)}],
            )
        ),
        encodingFlags=["categorize-labels"],
    ),
    "what is sent to Loki": lambda: json.dumps(
        {
            "streams": _streams(
                lambda record: ({}, [record.nanoseconds, record.message, _labels(record)])
            )
        }
    ),
    "logcli -o jsonl": lambda: "\n".join(
        json.dumps(
            {
                "labels": {"service_name": record.service, **_labels(record)},
                "line": record.message,
                "timestamp": record.iso,
            }
        )
        for record in exported()
    ),
    "Grafana's download": lambda: json.dumps(
        [
            {
                "line": record.message,
                "timestamp": record.nanoseconds,
                "fields": {"service_name": record.service, **_labels(record)},
            }
            for record in exported()
        ],
        indent=2,
    ),
}


def _source(record: Exported) -> dict[str, Any]:
    """What Elastic's distribution of the collector writes."""
    return {
        "@timestamp": record.iso,
        "attributes": record.attributes,
        "body": {"text": record.message},
        "resource": {"attributes": {"service.name": record.service}},
        "scope": {"name": record.logger},
        "severity_number": record.number,
        "severity_text": record.level,
        "observed_timestamp": record.iso,
        "data_stream": {"type": "logs"},
        **record.trace,
    }


def _hit(record: Exported) -> dict[str, Any]:
    """The same as Kibana shows it: all values in lists, by their whole names."""
    source = _source(record)
    fields = {
        **{name: source[name] for name in ("@timestamp", "severity_number", "severity_text")},
        **{f"attributes.{name}": value for name, value in record.attributes.items()},
        "body.text": record.message,
        "resource.attributes.service.name": record.service,
        "scope.name": record.logger,
        **record.trace,
    }
    lists = {name: [value] for name, value in fields.items()}
    return {"_index": ".ds-logs", "_id": "1", "_version": 1, "_score": 0, "fields": lists}


def _prepared(record: Exported) -> dict[str, Any]:
    """What OpenSearch's Data Prepper writes."""
    attributes = {
        f"log.attributes.{name.replace('.', '@')}": value
        for name, value in record.attributes.items()
    }
    return {
        "traceId": record.trace.get("trace_id", ""),
        "spanId": record.trace.get("span_id", ""),
        "severityText": record.level,
        "severityNumber": record.number,
        "flags": 1,
        "time": record.iso,
        "observedTime": record.iso,
        "droppedAttributesCount": 0,
        "serviceName": record.service,
        "body": record.message,
        "instrumentationScope.name": record.logger,
        "resource.attributes.service@name": record.service,
        **attributes,
    }


def _simple(record: Exported) -> dict[str, Any]:
    """What the collector's exporter for OpenSearch writes."""
    return {
        "@timestamp": record.iso,
        "body": record.message,
        "severity": {"text": record.level, "number": record.number},
        "attributes": record.attributes,
        "resource": {"service.name": record.service},
        "instrumentationScope": {"name": record.logger},
        "traceId": record.trace.get("trace_id", ""),
        "spanId": record.trace.get("span_id", ""),
    }


def _hits(form: Callable[[Exported], dict[str, Any]]) -> str:
    return json.dumps({"hits": {"hits": [form(record) for record in exported()]}})


def _in_source(form: Callable[[Exported], dict[str, Any]]) -> Callable[[Exported], dict[str, Any]]:
    return lambda record: {"_index": "logs", "_id": "1", "_source": form(record)}


def _row(record: Exported) -> dict[str, Any]:
    """A row of Application Insights; the names of the other tables of Azure are different."""
    return {
        "timestamp": record.iso,
        "message": record.message,
        "severityLevel": {"INFO": 1, "WARNING": 2, "ERROR": 3}[record.level],
        "itemType": "trace",
        "customDimensions": json.dumps(record.texts),
        "operation_Id": record.trace.get("trace_id", ""),
        "operation_ParentId": record.trace.get("span_id", ""),
        "cloud_RoleName": record.service,
    }


def _tables() -> str:
    rows = [_row(record) for record in exported()]
    columns = [{"name": name, "type": "string"} for name in rows[0]]
    table = {"name": "PrimaryResult", "columns": columns, "rows": [[*row.values()] for row in rows]}
    return json.dumps({"tables": [table]}, indent=2)


_IN_A_WORKSPACE = {
    "timestamp": "TimeGenerated",
    "message": "Message",
    "severityLevel": "SeverityLevel",
    "itemType": "Type",
    "customDimensions": "Properties",
    "operation_Id": "OperationId",
    "operation_ParentId": "ParentId",
    "cloud_RoleName": "AppRoleName",
}


def _csv() -> str:
    sink = io.StringIO()
    writer = csv.writer(sink)
    for number, record in enumerate(exported()):
        row = _row(record)
        moment = when(record.moment, "%m/%d/%Y, %I:%M:%S.%f")[:-3] + when(record.moment, " %p")
        row = {"timestamp [UTC]": moment, **row}
        del row["timestamp"]
        writer.writerows([row.keys(), row.values()] if number == 0 else [row.values()])
    return sink.getvalue()


def _signoz(record: Exported) -> dict[str, Any]:
    numbers = {
        name: value for name, value in record.attributes.items() if not isinstance(value, str)
    }
    return {
        "timestamp": record.iso,
        "data": {
            "body": record.message,
            "severity_text": record.level,
            "severity_number": record.number,
            "trace_id": record.trace.get("trace_id", ""),
            "span_id": record.trace.get("span_id", ""),
            "attributes_string": {
                name: value for name, value in record.attributes.items() if name not in numbers
            },
            "attributes_number": numbers,
            "resources_string": {"service.name": record.service},
            "scope_name": record.logger,
            "id": "2oIqd",
            "timestamp": int(record.nanoseconds),
        },
    }


def _axiom(record: Exported) -> dict[str, Any]:
    return {
        "_time": record.iso,
        "body": record.message,
        "severity_text": record.level,
        "service.name": record.service,
        "attributes.custom": record.attributes,
        **record.trace,
    }


def _nested(record: Exported) -> dict[str, Any]:
    data = _axiom(record)
    custom = data.pop("attributes.custom")
    return {**data, "attributes": {"custom": custom}}


FORMS |= {
    "Elasticsearch": lambda: _hits(_in_source(_source)),
    "Elasticsearch, fields": lambda: _hits(_hit),
    "Kibana, documents one by one": lambda: "\n".join(
        json.dumps(_hit(record), indent=2) for record in exported()
    ),
    "Kibana, selected documents": lambda: json.dumps([_hit(record) for record in exported()]),
    "OpenSearch's Data Prepper": lambda: _hits(_in_source(_prepared)),
    "OpenSearch's exporter": lambda: _hits(_in_source(_simple)),
    "az monitor app-insights query": _tables,
    "az monitor log-analytics query": lambda: json.dumps(
        [
            {_IN_A_WORKSPACE[name]: value for name, value in _row(record).items()}
            for record in exported()
        ],
        indent=2,
    ),
    "Application Insights, CSV": _csv,
    "SigNoz, version 5 of the API": lambda: json.dumps(
        {
            "status": "success",
            "data": {
                "type": "raw",
                "data": {
                    "results": [
                        {"queryName": "A", "rows": [_signoz(record) for record in exported()]}
                    ]
                },
            },
        }
    ),
    "Axiom's API": lambda: json.dumps(
        {
            "status": {"elapsedTime": 1},
            "matches": [
                {"_time": record.iso, "_rowId": "a", "data": _nested(record)}
                for record in exported()
            ],
        }
    ),
    "Axiom": lambda: "\n".join(json.dumps(_axiom(record)) for record in exported()),
}


def _entries(path: Path) -> list[Entry]:
    return [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]


def _check(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], least: int = 2) -> None:
    found = _entries(path)
    levels = {"INFO": 2, "WARNING": 3, "ERROR": 4}
    assert [
        (entry.level, entry.request_id or "none", entry.session_id or "none", round(entry.time))
        for entry in found
        if entry.request_id or least <= entry.level
    ] == [
        (levels[record.level], record.request_id, record.session_id, round(moment * 1000))
        for moment, _, record in records()
        if record.request_id != "none" or least <= 2
    ]
    assert [(entry.more or {}).get("service") for entry in found] == [
        service for _, service, _ in records()
    ]
    messages = [entry.text[entry.message :] for entry in found]
    for message, (_, _, record) in zip(messages, records(), strict=True):
        assert message.startswith(record.message)
    assert [TRACEBACK in message for message in messages] == [False] * 4 + [True] + [False] * 2
    page = tmp_path / "page.html"
    assert main(["view", "-o", str(page), str(path)]) == 0
    assert Told.in_file(page).head["requests"]["status"] == [200, 500]
    capfd.readouterr()
    assert main(["grep", "--request", STOCK, str(path)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3
    assert main(["grep", "--status", "500", str(path)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("name", FORMS)
def test_a_record_has_the_ids_among_its_attributes(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both commands find the incident, with the level, the traceback and the service of each record."""
    path = tmp_path / "printed"
    path.write_text(f"{FORMS[name]()}\n")
    _check(path, tmp_path, capfd)


def test_logcli_shows_the_ids_before_the_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In its default output: a line of no request is no record there, and has no level."""
    path = tmp_path / "printed"
    path.write_text(
        "".join(
            f"{record.iso} {{{_go({'service_name': record.service, **_labels(record)})}}} {record.message}\n"
            for record in exported()
        )
    )
    _check(path, tmp_path, capfd, least=3)


def test_what_a_query_of_loki_has_parsed_is_no_metadata(tmp_path: Path) -> None:
    """It is the text of the line, which may be a client's."""
    path = tmp_path / "printed"
    line = f'2024-11-22T10:30:15Z INFO got {{"request_id": "{STOCK}"}} of a client'
    parsed = {"parsed": {"request_id": STOCK}}
    streams = [{"stream": {"app": "shop"}, "values": [["1732271415000000000", line, parsed]]}]
    path.write_text(_answer(streams))
    (entry,) = _entries(path)
    assert entry.request_id == ""


@pytest.mark.parametrize(
    "beside", [{"Properties": json.dumps({"request_id": STOCK})}, {"custom": {"request_id": STOCK}}]
)
def test_the_attributes_of_a_store_are_none_in_another_record(
    beside: dict[str, Any], tmp_path: Path
) -> None:
    """A program's own fields with these names may have a client's text."""
    path = tmp_path / "app.log"
    record = {"timestamp": "2024-11-22T10:30:15Z", "level": "INFO", "message": "received"}
    path.write_text(f"{json.dumps({**record, **beside})}\n")
    (entry,) = _entries(path)
    assert entry.request_id == ""


@pytest.mark.parametrize(
    "record",
    [
        {"Timestamp": "2024-11-22 10:30:15", "Body": "", "LogAttributes": {"log.level": "x"}},
        {"timeUnixNano": "1732271415000000000", "body": "", "attributes": {"file": "/a.log"}},
        {"_time": "2024-11-22T10:30:15Z", "_msg": ""},
        {"timestamp": "2024-11-22T10:30:15Z", "content": "", "loglevel": "ERROR"},
    ],
    ids=lambda record: "".join(record),
)
def test_the_message_of_a_record_is_no_line(record: dict[str, Any], tmp_path: Path) -> None:
    """It may begin with a client's text: only a line that was read from a file is a line."""
    path = tmp_path / "app.log"
    forged = f"2024-11-22 10:30:15 - ERROR - [req={STOCK}|session=victim] - forged"
    fields = {name: value or forged for name, value in record.items()}
    path.write_text(f"{json.dumps({**fields, 'SeverityText': 'INFO', 'severity': 'INFO'})}\n")
    (entry,) = _entries(path)
    assert (entry.request_id, entry.session_id) == ("", "")
