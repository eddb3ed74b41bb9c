"""
Documents that hold many lines, lines that stand over several, and lines that come newest first.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace._cli.logs import documents, files, framing, order, stores
from asgi_trace._cli.logs.documents import unfolded
from asgi_trace._cli.logs.entry import Entry
from asgi_trace._cli.logs.files import Log, blocks_of
from asgi_trace._cli.logs.order import in_order, lines_of
from asgi_trace._cli.logs.reader import read
from asgi_trace._cli.main import main
from asgi_trace._core.lines import format_json
from asgi_trace._core.record import Record

from ...wrapping import BASE, FRONT, VARIANTS, WRAPPERS, lines

DOCUMENTS = (
    "Loki's API",
    "Loki's API, pretty",
    "OpenSearch _search",
    "OpenSearch _search, pretty",
    "aws logs filter-log-events",
    "aws logs get-query-results",
    "gcloud logging read",
    "OTLP",
    "OTLP, one document",
)


def refuse(sentence: str) -> None:
    raise AssertionError(sentence)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("count", [1, 3])
def test_a_document_holds_lines(name: str, count: int) -> None:
    """
    One or several of them in a log, in whatever pieces they arrive: each line once, oldest first.
    """
    data = WRAPPERS[name](lines("json")).encode() * count
    whole = b"".join(unfolded([data], refuse))
    found = [json.loads(line) for line in whole.splitlines()]
    assert len(found) == 7 * count
    oldest, newest = (found[6], found[0]) if name.startswith("gcloud") else (found[0], found[6])
    assert "started" in json.dumps(oldest)
    assert "/order" in json.dumps(newest)
    for size in (97, 1000):
        pieces = [data[place : place + size] for place in range(0, len(data), size)]
        assert b"".join(unfolded(_whole_lines(pieces), refuse)) == whole


def _whole_lines(pieces: list[bytes]) -> Iterator[bytes]:
    """As blocks_of() yields them: the first has what tells a document."""
    half = pieces[0] + b"".join(pieces[1:80])
    for piece in pieces[80:]:
        end = half.rfind(b"\n") + 1
        if end:
            yield half[:end]
        half = half[end:] + piece
    yield half


_SUBSCRIBED = {
    "messageType": "DATA_MESSAGE",
    "logStream": "front",
    "logEvents": [{"id": "1", "timestamp": 1732271415000, "message": "x"}],
}


def _packed(document: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


MORE = {
    "Datadog": {
        "data": [
            {
                "id": "1",
                "attributes": {
                    "timestamp": "2024-11-22T10:30:15Z",
                    "message": "x",
                    "status": "error",
                },
            }
        ]
    },
    "ClickHouse, JSON": {
        "meta": [{"name": "Timestamp"}],
        "data": [{"Timestamp": "2024-11-22 10:30:15", "Body": "x"}],
        "rows": 1,
    },
    "ClickHouse, JSONCompact": {
        "meta": [{"name": "Timestamp"}, {"name": "Body"}],
        "data": [["2024-11-22 10:30:15", "x"]],
    },
    "a subscription of CloudWatch": {
        "logStream": "front",
        "logEvents": [{"timestamp": 1732271415000, "message": "x"}],
    },
    "a stream of Loki": {"stream": {"app": "front"}, "values": [["1732271415000000000", "x"]]},
    "rows of Loki": [["1732271415000000000", "x"]],
    "rows of CloudWatch Insights": [
        [
            {"field": "@timestamp", "value": "2024-11-22 10:30:15.000"},
            {"field": "@message", "value": "x"},
        ]
    ],
    "the logs of a resource": {
        "resource": {},
        "scopeLogs": [
            {"logRecords": [{"timeUnixNano": "1732271415000000000", "body": {"stringValue": "x"}}]}
        ],
    },
    "a record of OTLP": {"timeUnixNano": "1732271415000000000", "body": {"stringValue": "x"}},
    "Loki's push": {
        "streams": [{"stream": {"app": "front"}, "values": [["1732271415000000000", "x"]]}]
    },
    "an array": [{"timestamp": "2024-11-22T10:30:15Z", "message": "x"}],
    "an array of lines": ["2024-11-22T10:30:15Z x"],
    "Elasticsearch, SQL": {
        "columns": [{"name": "@timestamp", "type": "datetime"}, {"name": "message"}],
        "rows": [["2024-11-22T10:30:15Z", "x"]],
    },
    "Elasticsearch, ES|QL": {
        "took": 1,
        "columns": [{"name": "@timestamp", "type": "date"}, {"name": "message"}],
        "values": [["2024-11-22T10:30:15Z", "x"]],
    },
    "OpenSearch, _msearch": {
        "took": 1,
        "responses": [
            {
                "hits": {
                    "hits": [{"_source": {"@timestamp": "2024-11-22T10:30:15Z", "message": "x"}}]
                }
            }
        ],
    },
    "OpenSearch, fields": {
        "hits": {"hits": [{"fields": {"@timestamp": ["2024-11-22T10:30:15Z"], "message": ["x"]}}]}
    },
    "Azure": {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": "TimeGenerated"}, {"name": "LogMessage"}],
                "rows": [["2024-11-22T10:30:15Z", "x"]],
            }
        ]
    },
    "OpenSearch, SQL": {
        "schema": [{"name": "@timestamp", "type": "timestamp"}, {"name": "message"}],
        "datarows": [["2024-11-22 10:30:15", "x"]],
        "total": 1,
    },
    "Elasticsearch, an asynchronous search": {
        "id": "a",
        "is_running": False,
        "response": {
            "hits": {"hits": [{"_source": {"@timestamp": "2024-11-22T10:30:15Z", "message": "x"}}]}
        },
    },
    "Splunk": {
        "preview": False,
        "messages": [],
        "fields": [{"name": "_raw"}, {"name": "_time"}],
        "results": [{"_raw": "x", "_time": "2024-11-22T10:30:15.000+00:00"}],
    },
    "Splunk, rows": {
        "preview": False,
        "fields": ["_time", "_raw"],
        "rows": [["2024-11-22T10:30:15.000+00:00", "x"]],
    },
    "Splunk, columns": {
        "preview": False,
        "fields": ["_time", "_raw"],
        "columns": [["2024-11-22T10:30:15.000+00:00"], ["x"]],
    },
    "New Relic": {
        "results": [{"events": [{"message": "x", "timestamp": 1732271415000}]}],
        "performanceStats": {"inspectedCount": 1},
    },
    "New Relic, NerdGraph": {
        "data": {
            "actor": {
                "account": {"nrql": {"results": [{"message": "x", "timestamp": 1732271415000}]}}
            }
        }
    },
    "Axiom": {
        "status": {"elapsedTime": 1},
        "matches": [{"_time": "2024-11-22T10:30:15Z", "_rowId": "a", "data": {"message": "x"}}],
    },
    "Axiom, tabular": {
        "format": "tabular",
        "tables": [
            {
                "name": "0",
                "fields": [{"name": "_time", "type": "datetime"}, {"name": "message"}],
                "columns": [["2024-11-22T10:30:15Z"], ["x"]],
            }
        ],
    },
    "Honeycomb": {
        "complete": True,
        "data": {"results": [{"data": {"Timestamp": "2024-11-22T10:30:15Z", "message": "x"}}]},
    },
    "Sumo Logic": {
        "fields": [{"name": "_raw", "fieldType": "string"}],
        "messages": [{"map": {"_raw": "x", "_messagetime": "1732271415000"}}],
    },
    "Graylog, search": {
        "schema": [
            {"name": "field: timestamp", "field": "timestamp"},
            {"name": "field: message", "field": "message"},
        ],
        "datarows": [["2024-11-22T10:30:15Z", "x"]],
    },
    "ClickHouse, JSONColumns": {"Timestamp": ["2024-11-22 10:30:15"], "Body": ["x"]},
    "ClickHouse, JSONColumnsWithMetadata": {
        "meta": [{"name": "Timestamp"}, {"name": "Body"}],
        "data": {"Timestamp": ["2024-11-22 10:30:15"], "Body": ["x"]},
    },
    "ClickHouse, JSONObjectEachRow": {"row_1": {"Timestamp": "2024-11-22 10:30:15", "Body": "x"}},
    "rows of a time and a text": [[1732271415000, "x"]],
    "rows of a time, a service and a text": [["2024-11-22 10:30:15.000", "front", "x"]],
    "Kinesis": {
        "Records": [
            {"SequenceNumber": "4", "PartitionKey": "p", "Data": _packed(_SUBSCRIBED)},
        ],
        "MillisBehindLatest": 0,
    },
    "Kinesis, in Lambda": {
        "Records": [{"kinesis": {"sequenceNumber": "4", "data": _packed(_SUBSCRIBED)}}]
    },
    "Firehose": {"records": [{"recordId": "4", "data": _packed(_SUBSCRIBED)}]},
    "a subscription, in Lambda": {"awslogs": {"data": _packed(_SUBSCRIBED)}},
    "Seq": [
        {
            "Timestamp": "2024-11-22T10:30:15.2500000Z",
            "Properties": [{"Name": "request_id", "Value": FRONT}],
            "MessageTemplateTokens": [{"Text": "x"}],
            "Level": "Error",
        }
    ],
    "Ansible": {
        "rc": 0,
        "stdout": "2024-11-22T10:30:15Z x",
        "stdout_lines": ["2024-11-22T10:30:15Z x"],
    },
    "Graylog": {
        "messages": [
            {"message": {"timestamp": "2024-11-22T10:30:15Z", "message": "x"}, "index": "g"}
        ]
    },
}


@pytest.mark.parametrize("document", MORE.values(), ids=MORE)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_of_any_other_kind_holds_its_lines(
    document: Any, indent: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document, indent=indent))
    (entry,) = (entry for batch in read(Log(str(path), refuse)) for entry in batch)
    assert entry.text[entry.message :].split()[0] == "x"
    assert entry.time // 1000 == 1_732_271_415


@pytest.mark.parametrize(
    "text",
    [
        '{"timestamp": "2024-11-22T10:30:15Z", "message": "x", "events": [{"message": "y"}]}\n',
        '{"level": "INFO", "msg": "x", "data": [{"a": 1}]}\n',
        '{"message": "x"}\n{"message": "y"}\n',
        "{\n",
        "[\n",
        "{\nplain\n",
        "[pod/a/b] x\n",
        "started\n[pod/a/b] x\n{\nplain\n",
        'started\n{"message": "x"}\n',
        "[1, 2]\n",
        '{"events": []}\n',
        '{"data": ["x", "y"]}\n',
        '{"items": [1, 2]}\n',
        '{"data": {"actor": {}}, "results": []}\n',
        '{"awslogs": {"data": "no base64"}}\n',
        f'{{"awslogs": {{"data": "{"/" * 40}"}}}}\n',
        '{"Records": [{"recordId": "1"}], "message": "x"}\n',
        '{"time": [1], "message": [1, 2]}\n',
        '{"time": {"at": 1}, "message": {"text": "x"}}\n',
        '{"data": ' * 300 + "[{}]" + "}" * 300 + "\n",
        "\n\n\n",
        "",
    ],
)
def test_what_is_no_document_passes_untouched(text: str) -> None:
    """A record may have lists of its own."""
    data = text.encode()
    assert b"".join(unfolded([data] if data else [], refuse)) == data


@pytest.mark.parametrize("name", [*DOCUMENTS, "lnav", "Quickwit"])
def test_a_document_that_is_cut_off_has_the_lines_before_its_end(name: str) -> None:
    """As a download that was stopped leaves it."""
    data = (WRAPPERS | VARIANTS)[name](lines("json")).encode()
    whole = b"".join(unfolded([data], refuse)).splitlines()
    counts = []
    for size in range(len(data) // 2, len(data) - 2, 7):
        found = b"".join(unfolded([data[:size]], refuse)).splitlines()
        counts.append(sum(line in whole for line in found))
    assert counts[0] >= 2
    assert counts == sorted(counts)
    assert counts[-1] >= len(whole) - 1


OTHER_FORMS = (
    "journalctl -o export",
    "journalctl -o verbose",
    "psql, expanded",
    "aws logs filter-log-events, text",
    "aws logs filter-log-events, YAML",
    "gcloud logging read, a table",
    "Fluent Bit's file",
    "ClickHouse, Vertical",
    "Kibana's CSV",
    "SQLite's list",
    "Vector, logfmt",
    "gh run view --log",
)


@pytest.mark.parametrize("name", [*DOCUMENTS, *OTHER_FORMS])
def test_a_document_may_follow_a_warning(name: str) -> None:
    """Of the command that prints it: it passes as a line."""
    warning = b"WARNING: The installed extension is in preview.\n\n"
    data = (WRAPPERS | VARIANTS)[name](lines("json")).encode()
    whole = b"".join(unfolded([data], refuse))
    assert b"".join(unfolded([warning + data], refuse)) == warning + whole


@pytest.mark.parametrize("form", ["text", "json", "logfmt"])
@pytest.mark.parametrize("around", ["none", "docker json-file"])
def test_lines_may_be_strings_of_json(form: str, around: str) -> None:
    """As ``jq .message`` writes them without ``-r``."""
    data = WRAPPERS[around](lines(form))
    quoted = "".join(f"{json.dumps(line)}\n" for line in data.splitlines()).encode()
    for given_lines in (quoted, quoted.replace(b"\n", b"\r\n"), quoted.partition(b"\n")[0]):
        count = given_lines.count(b"\n") or 1
        found = b"".join(unfolded([given_lines], refuse)).decode()
        assert found.splitlines() == data.splitlines()[:count]


def test_a_line_of_quoted_texts_is_no_string_of_json() -> None:
    """Neither is a log of which only the first line is in quotes."""
    for text in (
        '"2024-11-22 10:30:15" "a"\n"b" "c"\n',
        '"2024-11-22 10:30:15 x"\n{"a": 1}\n"b"\n',
    ):
        assert b"".join(unfolded([text.encode()], refuse)).decode() == text


_HEADERS = "".join(f"x-header-{number}: {{}}\r\n" for number in range(20))


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize(
    "before",
    ["[]\n", "{}\n[]\n\n", "WARNING: preview\n[]\n", f"HTTP/2 200 \r\n{_HEADERS}\r\n"],
    ids=["an empty page", "three empty pages", "a warning and a page", "headers"],
)
def test_a_document_may_follow_an_empty_page_or_the_headers_of_http(name: str, before: str) -> None:
    """As loops over queries and ``curl -i`` write them: they pass as lines."""
    data = WRAPPERS[name](lines("json")).encode()
    whole = b"".join(unfolded([data], refuse)).splitlines()
    found = b"".join(unfolded([before.encode() + data], refuse)).splitlines()
    assert found[-len(whole) :] == whole


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("end", ["", "\n", "exit\n"], ids=repr)
def test_the_prompt_of_a_shell_may_be_right_behind_a_document(name: str, end: str) -> None:
    """Many an API ends its answer without a line feed."""
    data = WRAPPERS[name](lines("json")).rstrip("\n").encode()
    whole = b"".join(unfolded([data], refuse))
    prompt = f"user@host:~$ {end}".encode()
    found = b"".join(unfolded([data + prompt], refuse))
    assert found.startswith(whole)
    assert found[len(whole) :].strip(b"] \n") == prompt.strip()


@pytest.mark.parametrize(
    "name",
    [
        "gcloud logging read",
        "OpenSearch _search, pretty",
        "aws logs filter-log-events",
        "Loki's API, pretty",
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "logfmt"])
def test_a_document_over_several_lines_may_be_cut_off_at_its_beginning(
    name: str, form: str, tmp_path: Path
) -> None:
    """By ``tail``, at any of its lines: what is behind the object that is cut is read."""
    whole = json.loads(WRAPPERS[name](lines(form)))
    written = json.dumps(whole, indent=2).split("\n")
    path = tmp_path / "export.json"
    counts = []
    for cut in range(len(written) // 2):
        path.write_text("\n".join(written[cut:]))
        counts.append(sum(bool(entry.request_id) for entry in _entries(path)))
    assert counts[0] == 6
    assert min(counts) >= 2


def test_a_long_log_of_windows_is_read() -> None:
    """Lines that end with a carriage return are not tried as parts of a document in two ways each."""
    program = (
        "from asgi_trace._cli.logs.documents import unfolded; from sys import stdin, stdout; "
        "stdout.buffer.writelines(unfolded([stdin.buffer.read()], print))"
    )
    for form in ("text", "json", "logfmt"):
        data = "".join(f"{line}\r\n" for _, _, line in 30 * lines(form)).encode()
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=data,
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        )
        assert done.stdout == data


@pytest.mark.parametrize("form", ["text", "json", "logfmt"])
@pytest.mark.parametrize(
    ("start", "between", "end"),
    [("", ",\n", ",\n"), ("", ",\r\n", ",\r\n"), ("[\n", "\n,", "\n]\n")],
    ids=["behind", "behind, of Windows", "before"],
)
def test_a_comma_may_be_behind_or_before_the_object_of_a_line(
    form: str, start: str, between: str, end: str
) -> None:
    """As in a list, of which it may be a part."""
    data = WRAPPERS["docker json-file"](lines(form))
    given_lines = start + between.join(data.splitlines()) + end
    assert b"".join(unfolded([given_lines.encode()], refuse)) == data.encode()


def test_an_array_may_be_indented_by_tabs() -> None:
    """By ``jq --tab``, and by editors."""
    data = json.loads(WRAPPERS["gcloud logging read"](lines("json")))
    by_blanks, by_tabs = (json.dumps(data, indent=each).encode() for each in (2, "\t"))
    whole = b"".join(unfolded([by_blanks], refuse))
    assert whole.count(b"\n") == 7
    assert b"".join(unfolded([by_tabs], refuse)) == whole


def test_a_member_that_is_no_object_is_a_line_too() -> None:
    """No part of a document is lost."""
    data = json.dumps([{"message": "x"}, "y", [3]]).encode()
    assert b"".join(unfolded([data], refuse)) == b'{"message": "x"}\ny\n[3]\n'


@pytest.mark.parametrize("types", ["", '["DateTime64(9)", "String", "String"]\n'])
def test_rows_after_a_header_have_its_names(types: str) -> None:
    """ClickHouse's JSONCompactEachRowWithNames, and the same with types."""
    rows = [["2024-11-22 10:30:15.0", "front", f"x{number}"] for number in range(2)]
    header = ["Timestamp", "ServiceName", "Body"]
    data = f"{json.dumps(header)}\n{types}" + "".join(f"{json.dumps(row)}\n" for row in rows)
    found = b"".join(unfolded([f'{data}["other"]\n'.encode()], refuse)).splitlines()
    assert [json.loads(line) for line in found[:-1]] == [
        dict(zip(header, row, strict=True)) for row in rows
    ]
    assert found[-1] == b"other"


def test_an_event_of_seq_has_the_properties_and_the_message_of_its_record(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    event = {
        "Timestamp": "2024-11-22T10:30:15.2500000Z",
        "Properties": [{"Name": "request_id", "Value": FRONT}, {"Name": "n", "Value": 3}, None],
        "MessageTemplateTokens": [{"Text": "took "}, {"PropertyName": "n", "RawText": "{n}"}],
        "Level": "Warning",
    }
    path.write_text(json.dumps([event, {**event, "RenderedMessage": "took 3"}]))
    for entry, message in zip(_entries(path), ("took {n}", "took 3"), strict=True):
        assert (entry.level, entry.request_id) == (3, FRONT)
        assert entry.text[entry.message :].startswith(message)


def _entries(path: Path) -> list[Entry]:
    return [entry for batch in read(Log(str(path), refuse)) for entry in batch]


def test_packed_data_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data of one record may unpack to any size."""
    monkeypatch.setattr(stores, "_LARGEST", 1000)
    packed = base64.b64encode(gzip.compress(b"x" * 1_000_000)).decode()
    data = json.dumps({"Records": [{"SequenceNumber": "4", "Data": packed}]}).encode()
    assert b"".join(unfolded([data], refuse)) == b"x" * 1000 + b"\n"


def test_an_export_of_the_journal_is_read_in_any_pieces() -> None:
    """A text that is not printable stands behind its length; a wrong length leaves out one record."""
    messages = ["\x1b[36mtwo\nlines\n\x1b[0m", "é" * 200]
    data = b""
    for message in messages:
        text = message.encode()
        data += (
            b"__CURSOR=s=1\nMESSAGE\n"
            + len(text).to_bytes(8, "little")
            + text
            + b"\nPRIORITY=3\n\n"
        )
    whole = b"".join(unfolded([data], refuse))
    assert [json.loads(line)["MESSAGE"] for line in whole.splitlines()] == messages
    for size in (7, 97):
        pieces = [data[place : place + size] for place in range(9, len(data), size)]
        assert b"".join(unfolded([data[:9], *pieces], refuse)) == whole
    assert b"".join(unfolded([data + b"MESSAGE\n" + b"\xff" * 8 + b"x\n"], refuse)) == whole


def test_a_message_of_syslog_is_as_long_as_its_length_tells() -> None:
    """In blocks of any size, also with a line feed in it; anything else passes unchanged."""
    messages = [f"<14>1 - web shop 8 - - {text}".encode() for text in ("a", "b\n9 <14>x", "c")]
    data = b"".join(b"%d %b" % (len(message), message) for message in messages)
    for size in (40, 47, len(data)):
        blocks = [data[:size], *(data[at : at + 1] for at in range(size, len(data)))]
        assert b"".join(unfolded(blocks, pytest.fail)) == b"\n".join((*messages, b""))
    cut = data + b"99 <14>1 - web shop 8 - - d"
    assert b"".join(unfolded([cut], pytest.fail)).endswith(b"\n99 <14>1 - web shop 8 - - d")
    other = b"30 <14>1 - web shop\n12 <14>x\n"
    assert b"".join(unfolded([other], pytest.fail)) == other


def test_documents_without_anything_between_are_several() -> None:
    """As Firehose writes those of CloudWatch; a broken one stays as it is."""
    events = [
        {
            "logStream": "front",
            "subscriptionFilters": ["f"],
            "logEvents": [{"timestamp": 1732271415000 + number, "message": f"x{number}"}],
        }
        for number in range(3)
    ]
    data = "".join(map(json.dumps, events)).encode()
    found = b"".join(unfolded([data], refuse)).splitlines()
    assert [json.loads(line)["message"] for line in found] == ["x0", "x1", "x2"]
    assert b"".join(unfolded([data[:-1]], refuse)) == data[:-1] + b"\n"


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_document_may_follow_lines_of_another_log(blocks: int) -> None:
    """As where two logs were joined; the lines before and behind it stay as they are."""
    record = {"timeUnixNano": "1732271415250000000", "body": {"stringValue": "x"}}
    document = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    lines = ["2024-11-22 10:30:15 - INFO - [req=r1|session=s1] - before", document, "after"]
    data = [f"{line}\n".encode() for line in lines]
    given = [b"".join(data)] if blocks == 1 else [data[0], b"".join(data[1:])]
    before, made, after = b"".join(unfolded(given, refuse)).decode().splitlines()
    assert (before, json.loads(made)["body"], after) == (lines[0], "x", "after")


def _in_one_line(name: str) -> str:
    """A document, or several, each in a line of its own."""
    text = WRAPPERS[name](lines("text"))
    return text if name == "OTLP" else f"{json.dumps(json.loads(text))}\n"


@pytest.mark.parametrize("name", ["OTLP", "OTLP, one document"])
@pytest.mark.parametrize(
    "around",
    [
        "docker compose logs",
        "docker json-file",
        "containerd",
        "kubectl logs --prefix",
        "journalctl -o json",
    ],
)
def test_a_document_may_be_in_an_envelope(name: str, around: str, tmp_path: Path) -> None:
    """Of the container in which a collector writes it to standard output, beside other lines."""
    text = _in_one_line(name)
    other = "2024-11-22 10:30:14 - INFO - [req=r1|session=s1] - before"
    written = [other, *text.splitlines(), other]
    log, bare = tmp_path / "app.log", tmp_path / "bare.log"
    log.write_text(WRAPPERS[around]([(BASE, "front", line) for line in written]))
    bare.write_text(text)

    def found(path: Path) -> list[Any]:
        entries = [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]
        return [
            (entry.time, entry.level, entry.request_id, entry.text, (entry.more or {})["service"])
            for entry in entries
            if entry.request_id != "r1"
        ]

    assert len(found(bare)) == 7
    assert found(log) == found(bare)


@pytest.mark.parametrize(
    "around",
    [
        "GET /{}",
        "2024-11-22T10:30:15.000Z - INFO - [req=r1|session=s1] - got {}",
        '127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET {} HTTP/1.1" 200 5 "-" "-"',
        "shop got {}",
        "front-1  | shop got {}",
    ],
)
def test_a_document_of_a_client_is_none(around: str) -> None:
    """In a line of any other program, and in our own JSON."""
    document = _in_one_line("OTLP, one document").strip()
    record = Record("2024-11-22T10:30:15.000Z", "INFO", "shop", document, "r1", "s1")
    given = f"{around.format(document)}\n{format_json(record)}\n".encode()
    assert b"".join(unfolded([given], refuse)) == given


def test_a_body_of_otlp_may_have_the_fields_of_the_record(tmp_path: Path) -> None:
    """As a collector's parser of JSON makes it."""
    fields = {"timestamp": "2024-11-22T10:30:15.250Z", "message": "x", "request_id": "r1"}
    values = [{"key": name, "value": {"stringValue": value}} for name, value in fields.items()]
    record = {"body": {"kvlistValue": {"values": values}}, "severityText": "ERROR"}
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    path = tmp_path / "otlp.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    (entry,) = [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]
    assert (entry.request_id, entry.level, entry.time) == ("r1", 4, 1_732_271_415_250)
    assert entry.text[entry.message :].startswith("x")


@pytest.mark.parametrize(
    "resource",
    [
        {"scopeLogs": 7},
        {"scopeLogs": [{"logRecords": True}]},
        {"scopeLogs": [{"logRecords": [{"body": {"arrayValue": {"values": 1.5}}}]}]},
        {"scopeLogs": [{"logRecords": [{"body": {"kvlistValue": {"values": 1.5}}}]}]},
        {"scopeLogs": [{"logRecords": [{"body": {"intValue": "9" * 5000}}]}]},
        {"scopeLogs": [{"logRecords": [{"body": {"intValue": "--5"}}]}]},
    ],
    ids=str,
)
def test_a_record_of_a_collector_with_other_types_breaks_nothing(resource: dict[str, Any]) -> None:
    for document in (resource, {"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}):
        data = json.dumps({"resourceLogs": [document]}).encode()
        assert (b'"x"' in b"".join(unfolded([data], refuse))) == (document is not resource)


@pytest.mark.parametrize("before", ["", '{"index": {"_index": "logs"}}\n'])
def test_what_stands_between_the_objects_of_a_large_log_is_no_line(before: str) -> None:
    """The format json_stream of Fluent Bit has nothing there, the bulk API its actions."""
    objects = [json.dumps({"date": number, "log": "x" * 500}) for number in range(500)]
    data = "".join(f"{before}{each}{before[-1:]}" for each in objects).encode()
    assert b"".join(unfolded([data], refuse)).decode().splitlines() == objects


def test_pretty_printed_lines_stand_behind_a_line_of_text(tmp_path: Path) -> None:
    """With ``aws logs tail --format short``, which names no stream."""
    path = tmp_path / "app.log"
    pretty = json.dumps(json.loads(lines("json")[1][2]), indent=4)
    path.write_text(f"2024-11-22T10:30:14 started\n2024-11-22T10:30:15 \n{pretty}\n")
    started, ordering = (entry for batch in read(Log(str(path), refuse)) for entry in batch)
    assert started.text.endswith("started")
    assert ordering.request_id == FRONT


def test_pretty_printed_lines_are_joined(tmp_path: Path) -> None:
    """As jq prints them; each object is a line again."""
    given_lines = [line for _, _, line in lines("json")]
    path = tmp_path / "app.log"
    path.write_text("".join(json.dumps(json.loads(line), indent=2) + "\n" for line in given_lines))
    found = b"".join(lines_of(Log(str(path), refuse))).splitlines()
    assert [json.loads(line) for line in found] == [json.loads(line) for line in given_lines]


def _colored(pretty: str) -> str:
    """As jq -C prints it: the colors of a name, of a text, and of what is between them."""
    lines = [
        re.sub(
            r'^( *)("(?:[^"\\]|\\.)*")(: )?(.*?)(,?)$',
            "\\1\x1b[0m\x1b[34;1m\\2\x1b[0m\x1b[1;39m\\3\x1b[0m\x1b[0;32m\\4\x1b[0m\x1b[1;39m\\5",
            line,
        )
        for line in pretty.split("\n")
    ]
    inner = re.sub(r"(?m)^( *)([\]}])", "\\1\x1b[1;39m\\2", "\n".join(lines))
    return f"\x1b[1;39m{inner}\x1b[0m"


@pytest.mark.parametrize("is_list", [False, True])
def test_pretty_printed_lines_may_be_in_color(is_list: bool) -> None:
    """As ``jq -C .`` prints lines, and ``jq -Cs .`` a list of them."""
    given = [json.loads(line) for _, _, line in lines("json")]
    shown = [given] if is_list else given
    text = "".join(_colored(json.dumps(value, indent=2)) + "\n" for value in shown)
    assert '\x1b[34;1m"request_id"\x1b[0m' in text
    found = b"".join(unfolded([text.encode()], refuse)).splitlines()
    assert [json.loads(line) for line in found] == given


class Raw(io.RawIOBase):
    """Bytes, as a file gives them."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)


# -- size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("OpenSearch _search", ".hits.hits[]"),
        ("OpenSearch _search, pretty", ".hits.hits[]"),
        (
            "Loki's API",
            ".data.result[] | .stream as $labels | .values[] | {stream: $labels, values: [.]}",
        ),
        ("aws logs filter-log-events", ".events[]"),
        ("aws logs get-query-results", ".results[] | map({(.field): .value}) | add"),
        ("OTLP, one document", ".resourceLogs[] | {resourceLogs: [.]}"),
    ],
)
def test_a_document_that_is_too_large_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, command: str
) -> None:
    """The next one is read; and what jq makes of it is read, too."""
    document = WRAPPERS[name](lines("json")).encode()
    monkeypatch.setattr(documents, "_LARGEST", len(document) // 3)
    said: list[str] = []
    small = b'{"events": [{"timestamp": 1732271415000, "message": "after"}]}\n'
    monkeypatch.setattr(files, "_BLOCK", 500)
    monkeypatch.setattr(files, "_LONGEST_LINE", 1000)
    stream = io.BufferedReader(Raw(document + small))
    found = b"".join(unfolded(blocks_of(stream), said.append))
    assert said == [
        f"a JSON document of more than {documents._LARGEST >> 20} MB is not read; jq -c '{command}' makes lines of it"
    ]
    assert b"after" in found
    assert b"taking" not in found


@pytest.mark.parametrize(
    ("start", "command"),
    [
        ('{"preview":false,"fields":[{"name":"_raw"}],"results":[{"_raw":"x"}', ".results[]"),
        (
            '{"fields":["_time","_raw"],"rows":[["1","x"]',
            ".fields as $names | .rows[] | {fields: $names, rows: [.]}",
        ),
        ('{"results":[{"events":[{"message":"x"}', ".results[].events[]"),
        ('{"fields":[{"name":"_raw"}],"messages":[{"map":{"_raw":"x"}}', ".messages[].map"),
        ('{"Records":[{"Data":"x"}', ".Records[] | {Records: [.]}"),
        (
            '{"schema":[{"name":"message"}],"datarows":[["x"]',
            ".schema as $names | .datarows[] | {schema: $names, datarows: [.]}",
        ),
        ('[{"message":"x"}', ".[]"),
        ('{"id":"1","response":{"took":1,"hits":{"hits":[', ".response.hits.hits[]"),
        ('{"took":1,"responses":[{"hits":{"hits":[', ".responses[].hits.hits[]"),
        ('{"hits":{"hits":[{"_source":{"response":{"a":1}}}', ".hits.hits[]"),
    ],
)
def test_a_remedy_is_that_of_the_document(start: str, command: str) -> None:
    assert stores.jq_for(start.encode()) == command


def test_an_array_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is: gcloud prints all entries as one."""
    document = WRAPPERS["gcloud logging read"](lines("json")).encode()
    monkeypatch.setattr(documents, "_LARGEST", 2000)
    found = b"".join(unfolded([document], refuse))
    assert found.count(b"\n") == 7


@pytest.mark.parametrize("indent", [None, 2])
def test_a_hundred_megabytes_take_no_more_memory_than_ten(
    tmp_path: Path, indent: int | None
) -> None:
    """
    One document, packed so that it lies on the disk in little; both commands say so and end with 2.
    """
    line_feed = "\n" if indent else ""
    hit = json.dumps(
        {"_source": {"@timestamp": 1732271415000, "message": "x" * 1000}}, indent=indent
    )
    piece = (hit.replace("\n", "\n    ") + f",{line_feed}    ") * 1000
    peaks = []
    for size in (40, 100):
        path = tmp_path / f"{size}.json.gz"
        with gzip.open(path, "wb", 1) as file:
            file.write(
                f'{{{line_feed}"took": 3,{line_feed}  "hits": {{"hits": [{line_feed}    '.encode()
            )
            for _ in range(size * 1_000_000 // len(piece)):
                file.write(piece.encode())
            file.write(f"{{}}{line_feed}  ]}}{line_feed}}}\n".encode())
        tracemalloc.start()
        said: list[str] = []
        found = [entry for batch in read(Log(str(path), said.append)) for entry in batch]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found == []
        assert len(said) == 1
        assert "jq -c '.hits.hits[]'" in said[0]
    assert max(peaks) < 150_000_000
    assert peaks[1] < peaks[0] * 1.5


def test_both_commands_report_a_document_that_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2: something could not be read."""
    monkeypatch.setattr(documents, "_LARGEST", 1000)
    path = tmp_path / "hits.json"
    path.write_text(WRAPPERS["OpenSearch _search"](lines("json")))
    sentence = f"{path}: a JSON document of more than 0 MB is not read; jq -c '.hits.hits[]' makes lines of it\n"
    assert main(["grep", "--status", "500", str(path)]) == 2
    assert capfd.readouterr().err == f"asgi-trace grep: {sentence}"
    assert main(["view", str(path)]) == 2
    assert f"asgi-trace view: {sentence}" in capfd.readouterr().err


# -- order -----------------------------------------------------------------------------------------


def _stamped(second: int, request_id: str = FRONT) -> str:
    stamp = f"2024-11-22T10:{second // 60 % 60:02d}:{second % 60:02d}Z"
    return format_json(Record(stamp, "INFO", "shop", f"line {second}", request_id, "s"))


def test_a_log_with_the_newest_line_first_is_reversed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By both commands."""
    path = tmp_path / "app.log"
    given_lines = [_stamped(second) for second in range(100)]
    path.write_text("\n".join(reversed(given_lines)) + "\n")
    assert main(["grep", "--request", FRONT, str(path)]) == 0
    assert capfd.readouterr().out.splitlines() == given_lines
    found = [entry.time for batch in read(Log(str(path), refuse)) for entry in batch]
    assert found == sorted(found)


def test_events_of_several_lines_are_reversed_as_a_whole(tmp_path: Path) -> None:
    """The traceback in each stands in its own order."""
    crash = 'ERROR failed\nTraceback (most recent call last):\n  File "a.py", line 1\nKeyError: 1'
    events = [
        {"timestamp": f"2024-11-22T10:30:{second:02d}Z", "line": crash, "labels": {}}
        for second in range(5)
    ]
    path = tmp_path / "export.json"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events[::-1]))
    found = _entries(path)
    assert [entry.time // 1000 - 1_732_271_400 for entry in found] == [0, 1, 2, 3, 4]
    assert {entry.text.split("\n")[-1] for entry in found} == {"KeyError: 1"}


def test_a_log_that_is_a_little_out_of_order_is_not_reversed(tmp_path: Path) -> None:
    """Two writers of one file, and a clock that was set back once."""
    given_lines = [_stamped(second) for second in (0, 2, 1, 4, 3, 6, 5, 0, 1, 2)]
    path = tmp_path / "app.log"
    path.write_text("\n".join(given_lines) + "\n")
    assert b"".join(lines_of(Log(str(path), refuse))).decode().splitlines() == given_lines


def test_a_limited_number_of_bytes_is_reversed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With bounded memory, and a sentence on what sorts all of it."""
    monkeypatch.setattr(order, "_WINDOW", 10_000)
    monkeypatch.setattr("asgi_trace._cli.logs.files._BLOCK", 2000)
    path = tmp_path / "app.log"
    path.write_text("\n".join(_stamped(second) for second in range(500, 0, -1)) + "\n")
    said: list[str] = []
    found = b"".join(lines_of(Log(str(path), said.append))).splitlines()
    assert len(found) == 500
    assert len(said) == 1
    assert "tac" in said[0]


@given(
    st.lists(
        st.sampled_from(
            [*(wrapper(lines("text")[:2]) for wrapper in WRAPPERS.values()), "\n", "{", "[\n"]
        ),
        max_size=4,
    )
)
def test_no_mixture_loses_a_line(pieces: list[str]) -> None:
    """
    What is no document comes out as it went in; what is one, line by line; and nothing breaks.
    """
    data = "".join(pieces).encode()
    said: list[str] = []
    found = b"".join(
        in_order(unfolded([data] if data else [], said.append), lambda _: 0, said.append)
    )
    assert said == []
    assert found.count(b"started") >= data.count(b"started")


def test_a_line_after_a_header_of_tail_has_the_name_of_its_file() -> None:
    """In whatever blocks they arrive; the empty line before a header is tail's."""
    data = b"==> a.log <==\none\n\ntwo\n\n==> b.log <==\nthree\n"
    named = b"==> a.log <== one\n==> a.log <== \n==> a.log <== two\n==> b.log <== three\n"
    assert b"".join(unfolded([data], refuse)) == named
    assert b"".join(unfolded(data.splitlines(keepends=True), refuse)) == named
    assert b"".join(unfolded([data.replace(b"\n", b"\r\n")], refuse)) == named.replace(
        b"\n", b"\r\n"
    )


def test_a_long_line_after_a_header_is_named_once() -> None:
    """It arrives in pieces."""
    pieces = [b"==> a.log <==\nlong ", b"line", b"\nnext\n"]
    assert b"".join(unfolded(pieces, refuse)) == b"==> a.log <== long line\n==> a.log <== next\n"


def test_a_header_of_tail_within_the_lines_of_a_file_names_no_file() -> None:
    """Neither without an empty line before it, nor in a log that began without one."""
    data = b"==> a.log <==\none\r\r==> b.log <==\n==> b.log <==\ntwo\n"
    assert b"==> a.log <== two" in b"".join(unfolded([data], refuse))
    log = b"one\n\n==> b.log <==\ntwo\n"
    assert b"".join(unfolded([log], refuse)) == log


_SHOWN = f"Fri 2024-11-22 10:30:15.250000 UTC [s={'0f' * 16};i=1a;b=2d;m=5f;t=6277e0a0f1a2b;x=9e]"


def test_a_record_of_the_journal_is_shown_over_several_lines() -> None:
    """With the further lines of a message, in whatever blocks they arrive."""
    data = f"{_SHOWN}\n    MESSAGE=one\n            two\n    _PID=8\n".encode() * 2
    boot = b"-- Boot 1 --\n"
    expected = {"__REALTIME_TIMESTAMP": str(0x6277E0A0F1A2B), "MESSAGE": "one\ntwo", "_PID": "8"}
    for blocks in ([data], data.splitlines(keepends=True)):
        whole = b"".join(unfolded(blocks, refuse))
        assert [json.loads(line) for line in whole.splitlines()] == [expected] * 2
    whole = b"".join(unfolded([boot + data + boot], refuse)).splitlines(keepends=True)
    assert (whole[0], whole[-1]) == (boot, boot)
    assert [json.loads(line) for line in whole[1:-1]] == [expected] * 2


def test_a_message_adds_no_field_to_a_record_of_the_journal() -> None:
    """The journal indents its further lines by the name of the field, too."""
    forged = ["    _SYSTEMD_UNIT=forged.service", _SHOWN]
    shown = "\n".join(f"            {line}" for line in forged)
    data = f"{_SHOWN}\n    MESSAGE=one\n{shown}\n    _PID=8\n".encode()
    (line,) = b"".join(unfolded([data], refuse)).splitlines()
    assert json.loads(line)["MESSAGE"] == "\n".join(["one", *forged])
    assert json.loads(line).keys() == {"__REALTIME_TIMESTAMP", "MESSAGE", "_PID"}


def test_a_value_of_the_journal_that_is_too_large_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(framing, "_LARGEST", 1000)
    data = (
        f"{_SHOWN}\n    MESSAGE=one\n"
        + f"            {'x' * 100}\n" * 100
        + f"{_SHOWN}\n    MESSAGE=two\n"
    )
    found = [json.loads(line) for line in b"".join(unfolded([data.encode()], refuse)).splitlines()]
    assert [record["MESSAGE"] for record in found] == ["", "two"]


def test_the_rest_of_a_line_that_is_read_in_pieces_is_no_record_of_the_journal() -> None:
    pieces = [f"{_SHOWN}\n    MESSAGE=one", f"{_SHOWN}\n    _PID=8\n"]
    whole = b"".join(unfolded([piece.encode() for piece in pieces], refuse))
    assert json.loads(whole)["_PID"] == "8"


@pytest.mark.parametrize(
    "document",
    [
        {"type": ["begin"], "data": {"path": 1}},
        {"type": {"begin": 1}, "data": {}},
        {"type": "begin", "data": ["path"]},
        {"results": {"A": {"frames": 5}}},
        {"results": {"A": {"frames": {"schema": 1}}}},
        {
            "results": {
                "A": {
                    "frames": [{"schema": {"fields": [{"name": [1]}]}, "data": {"values": [[1]]}}]
                }
            }
        },
        {"index": []},
        {"message": {"messageId": 1, "data": 5}},
    ],
    ids=str,
)
def test_an_object_of_another_shape_breaks_nothing(document: dict[str, Any]) -> None:
    """A program may log any JSON: its names may be those of a store."""
    text = json.dumps(document).encode() + b"\n"
    assert isinstance(stores.lines_in(document), (list, type(None)))
    b"".join(unfolded(iter([text]), print))
