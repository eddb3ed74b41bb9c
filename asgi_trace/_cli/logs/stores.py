"""
Documents of JSON, as log stores answer with them: the log lines in each.

Memory is bounded by the size of one document, which the caller limits.
"""

from __future__ import annotations

import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from ..._core.patterns import Pattern
from .names import ROLES, SOURCES, TEXTS, flat
from .times import Clock

__all__ = (
    "BLANKS",
    "SIGNATURE",
    "TYPE",
    "by_header",
    "by_time",
    "has_text_last",
    "is_header",
    "is_of_types",
    "is_text",
    "jq_for",
    "lines_in",
    "text_column",
    "unpacked",
)

BLANKS = b" \t\r\n\xef\xbb\xbf"

# The fields of records: an object with one of them is a line and not a document.
_OF_RECORDS = frozenset(
    ("message", "msg", "level", "severity", "timestamp", "time", "request_id", "@timestamp")
)

# -- the parts of documents ------------------------------------------------------------------------

# Objects around a document: of Elasticsearch's async search, Kibana, New Relic, Honeycomb, CloudWatch's
# live tail.
_AROUND = ("response", "rawResponse", "data", "actor", "account", "nrql", "sessionUpdate")
# Lists of documents: of OpenSearch's multi search, of Azure and Axiom.
_DOCUMENTS = ("responses", "tables")
# Lists of objects or of lines.
_LISTS = (
    "events",
    "logEvents",
    "data",
    "records",
    "Records",
    "entries",
    "logs",
    "items",
    "value",
    "messages",
    "results",
    "matches",
    "hits",
    "list",
    "sessionResults",
    "stdout_lines",
)
# The names of columns, beside lists of rows, or of the columns' values.
_NAMES = ("meta", "columns", "schema", "fields")
_ROWS = (*_LISTS, "rows", "values", "datarows")
# An object with nothing else than one of these is its value: of Sumo Logic, and of Honeycomb.
_WRAPPED = ("map", "data")

_OUTERMOST = frozenset(
    (
        "resourceLogs",
        "resource_logs",
        "hits",
        "streams",
        "awslogs",
        "row_1",
        *_AROUND,
        *_DOCUMENTS,
        *_NAMES,
        *_ROWS,
    )
)
_NO_RECORD = "".join(f'(?!"{name}")' for name in sorted(_OF_RECORDS))
SIGNATURE = Pattern(
    (
        rf'\A\{{\s*(?:{_NO_RECORD}"[\w-]+"\s*:\s*(?:"[^"]*"|[\w.-]+|\{{[^{{}}]*\}}|\[[^\[\]]*\])\s*,\s*){{0,12}}'
        rf'(?:"(?:{"|".join(sorted(_OUTERMOST))})"\s*:\s*[\[{{]|"(?:{"|".join(ROLES["time"])})"\s*:\s*\['
        rf'|"(?:{"|".join(ROLES["time"])})":\{{"0":|"result"\s*:\s*\{{\s*"records")'
    ).encode()
)
"""The beginning of a document that is longer than this beginning. The last two are pandas' and Dynatrace's."""

# The documents within each other.
_DEEPEST = 8


def lines_in(document: Any, depth: int = 0) -> list[Any] | None:
    """
    Return the lines in a document: objects, with the document's common fields, and texts; None for
    a record.
    """
    if depth == _DEEPEST:
        return None
    if isinstance(document, list):
        return _members(document)
    if not isinstance(document, dict):
        return None
    for lines_of in _ALSO_OF_RECORDS:
        lines = lines_of(document, depth)
        if lines is not None:
            return lines
    if not _OF_RECORDS.isdisjoint(document):
        return None
    for lines_of in _OF_DOCUMENTS:
        lines = lines_of(document, depth)
        if lines is not None:
            return lines
    return None


# Each of these functions returns the lines in a document of one kind, and None for any other
# document; depth is the number of documents around it.


def _of_otlp(document: dict[str, Any], depth: int) -> list[Any] | None:
    if isinstance(document.get("resource_logs"), list):
        document = _in_camel_case(document)
    if isinstance(document.get("resourceLogs"), list):
        return list(_otlp(document["resourceLogs"]))
    if isinstance(document.get("scopeLogs"), list):  # the logs of one resource alone
        return list(_otlp([document]))
    if "timeUnixNano" in document and isinstance(document.get("body"), dict):  # one record
        return list(_otlp([{"scopeLogs": [{"logRecords": [document]}]}]))
    return None


def _of_opensearch(document: dict[str, Any], depth: int) -> list[Any] | None:
    if _is_hit_of_kibana(document):
        return [_hit(document)]
    hits = document.get("hits")
    if not isinstance(hits, dict) or not isinstance(hits.get("hits"), list):
        return None
    return [_hit(hit) for hit in hits["hits"] if isinstance(hit, dict)]


def _is_hit_of_kibana(document: dict[str, Any]) -> bool:
    """Whether a *document* is one hit, with its fields alone."""
    has_source = "_source" in document
    return "_index" in document and not has_source and _is_object(document.get("fields"))


def _of_loki(document: dict[str, Any], depth: int) -> list[Any] | None:
    """Loki's streams, and the list of SigNoz with the same name, whose members have no stream."""
    data = document.get("data")
    streams = data.get("result") if isinstance(data, dict) else document.get("streams")
    if isinstance(streams, list):
        others = (other for other in filter(_is_object, streams) if "stream" not in other)
        signoz = [lines_in(other, depth + 1) for other in others]
        return [*_loki(streams), *(line for lines in signoz for line in lines or ())]
    if isinstance(document.get("stream"), dict) and isinstance(document.get("values"), list):
        return list(_loki([document]))  # one stream alone
    return None


def _of_cloudwatch(document: dict[str, Any], depth: int) -> list[Any] | None:
    """The event that CloudWatch sends to a function of AWS Lambda."""
    awslogs = document.get("awslogs")
    return unpacked(awslogs.get("data")) if isinstance(awslogs, dict) else None


def _of_cloudflare(document: dict[str, Any], depth: int) -> list[Any] | None:
    """An event of a Worker, of ``wrangler tail --format json`` or Logpush: what it printed for one request."""
    for script, logs, message, moment in _OF_WORKERS:
        if script in document and isinstance(document.get(logs), list):
            return [
                {
                    "line": " ".join(map(str, printed[message])),
                    "timestamp": printed.get(moment),
                    "labels": {"container": document[script]},
                }
                for printed in _objects_in(document[logs])
                if isinstance(printed.get(message), list)
            ]
    return None


_OF_WORKERS = (
    ("scriptName", "logs", "message", "timestamp"),
    ("ScriptName", "Logs", "Message", "TimestampMs"),
)


def _in_several(document: dict[str, Any], depth: int) -> list[Any] | None:
    """A list of documents."""
    for name in _DOCUMENTS:
        members = document.get(name)
        if isinstance(members, list):
            lines_of_each = [lines_in(member, depth + 1) for member in members]
            if None not in lines_of_each:
                return [line for lines in lines_of_each for line in lines or ()]
    return None


def _of_grafana(document: dict[str, Any], depth: int) -> list[Any] | None:
    results = document.get("results")
    return list(_framed(results.values())) if isinstance(results, dict) else None


def _in_inner(document: dict[str, Any], depth: int) -> list[Any] | None:
    """An object around a document."""
    for name in _AROUND:
        if isinstance(document.get(name), dict):
            lines = lines_in(document[name], depth + 1)
            if lines is not None:
                return lines
    result = document.get("result")
    if isinstance(result, dict) and isinstance(result.get("records"), list):  # of Dynatrace
        return lines_in(result, depth + 1)
    return None


def _in_numbered(document: dict[str, Any], depth: int) -> list[Any] | None:
    """ClickHouse's JSONObjectEachRow: an object for each row, by its number."""
    if document and all(map(_NUMBERED.fullmatch, document)):
        return list(document.values())
    return None


_NUMBERED = Pattern(r"row_\d{1,9}")


def _framed(results: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the frames in *results* of Grafana: each frame has its columns' values."""
    for result in filter(_is_object, results):
        frames = result.get("frames")
        for frame in filter(_is_object, frames if isinstance(frames, list) else ()):
            schema, data = frame.get("schema"), frame.get("data")
            names = schema.get("fields") if isinstance(schema, dict) else None
            values = data.get("values") if isinstance(data, dict) else None
            if isinstance(names, list) and isinstance(values, list):
                for row in zip(*filter(_is_list, values), strict=False):
                    yield {
                        _SHOWN.get(name, name): cell
                        for name, cell in _named(names, list(row)).items()
                    }


# Grafana's names of columns.
_SHOWN = {"tsNs": "timestamp", "Time": "time", "Line": "line"}


def _in_none(document: dict[str, Any], depth: int) -> list[Any] | None:
    """
    A document without lines, which is about the documents beside it: an action of OpenSearch's bulk
    API, the beginning and the end of a file for ripgrep.
    """
    if document.keys() in _ACTIONS:
        return [] if all(isinstance(about, dict) for about in document.values()) else None
    kind, about = document.get("type"), document.get("data")
    if not isinstance(kind, str) or not isinstance(about, dict):
        return None
    return None if _OF_RIPGREP.get(kind, set()).isdisjoint(about) else []


_ACTIONS = ({"index"}, {"create"})
_OF_RIPGREP: dict[str, set[str]] = {"begin": {"path"}, "end": {"stats"}, "summary": {"stats"}}


def _members(document: list[Any]) -> list[Any] | None:
    """Return the lines in a list of objects, or of rows with a time and a text; or in such a row."""
    row = _unnamed(document)
    if isinstance(row, dict):
        return [row]
    rows = [
        line
        for member in document
        for line in (_line(member, {}) if isinstance(member, dict) else [_unnamed(member)])
    ]
    return rows if any(isinstance(row, dict) for row in rows) else None


def _listed(document: dict[str, Any], depth: int) -> list[Any] | None:
    """A list of objects, of rows, or of lines."""
    names = next((document[name] for name in _NAMES if isinstance(document.get(name), list)), None)
    about_all = ("logStream", "logGroup")
    stream = {key: document[key] for key in about_all if key in document}
    for name in _LISTS if names is None else _ROWS:
        rows = document.get(name)
        # The values of the columns, and not the columns.
        if not isinstance(rows, list) or not rows or rows is names:
            continue
        lines = [line for row in rows for line in _lines_of_member(row, names, stream)]
        if name == "stdout_lines" or any(isinstance(line, dict) for line in (*rows, *lines)):
            return lines
    return None


def _lines_of_member(row: Any, names: list[Any] | None, stream: dict[str, Any]) -> list[Any]:
    """Return the lines in a *row* of a list, whose columns have these *names*, if they are known."""
    if isinstance(row, dict):
        return _line(row, stream)
    if not isinstance(row, list):
        return [row]
    if names is not None:
        return [_named(names, row)]
    return [_insights(row) or _unnamed(row)]


def _line(row: dict[str, Any], stream: dict[str, Any]) -> list[Any]:
    """Return the lines in one member of a list, with the fields of its *stream*."""
    for name in _WRAPPED:
        if row.keys() == {name} and isinstance(row[name], dict):
            return [row[name]]
    if row.keys() == {"events"}:  # of New Relic's results
        events = row["events"]
        return events if isinstance(events, list) else [row]
    packed = _packed(row)
    if packed is not None:
        return packed
    if _is_hit_of_kibana(row):
        return [_hit(row)]
    if "queryName" in row and isinstance(row.get("rows"), list):  # of SigNoz
        return [line for member in _objects_in(row["rows"]) for line in _line(member, stream)]
    if isinstance(row.get("Properties"), list):
        row = _event_of_seq(row)
    row = {**row, **_custom(row)} if "_rowId" in row else row
    holder: dict[str, Any] = next(
        (row[name] for mark, name in _HOLDERS if mark in row and _is_object(row.get(name))), {}
    )
    return [{**stream, **row, **holder}]


def _custom(row: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes in a *row* of Axiom that no convention names, as its tables name them."""
    data = row.get("data")
    attributes = data.get("attributes") if isinstance(data, dict) else None
    custom = attributes.get("custom") if isinstance(attributes, dict) else None
    return {"attributes.custom": custom} if isinstance(custom, dict) else {}


def _of_seq(document: dict[str, Any], depth: int) -> list[Any] | None:
    return [_event_of_seq(document)] if isinstance(document.get("Properties"), list) else None


def _event_of_seq(row: dict[str, Any]) -> dict[str, Any]:
    """Return an event of Seq's API with the properties, and the message, by their names."""
    tokens = row.get("MessageTemplateTokens")
    texts = [token.get("Text", token.get("RawText", "")) for token in _objects_in(tokens)]
    properties = {
        str(property.get("Name")): property.get("Value")
        for property in _objects_in(row["Properties"])
    }
    return {"RenderedMessage": "".join(map(str, texts)), **row, "Properties": properties}


def _objects_in(value: Any) -> Iterator[dict[str, Any]]:
    return filter(_is_object, value) if isinstance(value, list) else iter(())


def _packed(row: dict[str, Any], depth: int = 0) -> list[Any] | None:
    """Return the lines in the data of a *row* of a stream; None for any other row."""
    holder = next((row[name] for name in _PACKED_IN if isinstance(row.get(name), dict)), row)
    if _OF_STREAMS.isdisjoint(holder):
        return None
    return unpacked(holder.get("Data", holder.get("data")))


# The fields that have the line or the whole record in them, beside one that shows the writer: of
# Quickwit, of Azure's diagnostics, and of Graylog.
_HOLDERS = (("timestamp_nanos", "body"), ("category", "properties"), ("index", "message"))

# The fields of a record of Kinesis, Firehose and Pub/Sub beside the data, and what holds them all.
_OF_STREAMS = frozenset(("SequenceNumber", "sequenceNumber", "recordId", "messageId"))
_PACKED_IN = ("kinesis", "message")
_BASE64 = Pattern(r"[A-Za-z0-9+/]{16,}={0,2}\Z")
_LARGEST = 16 << 20


def unpacked(data: Any) -> list[Any] | None:
    """Return the lines in *data* in base64, which may be packed by gzip; None for anything else."""
    if not isinstance(data, str) or _BASE64.match(data) is None:
        return None
    try:
        content = binascii.a2b_base64(data)
        if content.startswith(b"\x1f\x8b"):
            content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, _LARGEST)
        text = content.decode()
    except (ValueError, zlib.error):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text.splitlines()
    lines = lines_in(document, _DEEPEST - 2)
    return [document] if lines is None else lines


def _named(names: list[Any], row: list[Any]) -> dict[str, Any]:
    """Return a *row* of a store's table by the *names* of its columns."""
    return _undotted(dict(zip(map(_name_of, names), row, strict=False)))


def _name_of(column: Any) -> str:
    """Return the name of a *column*; that of Graylog has a title and the name of the field."""
    if isinstance(column, dict):
        return str(column.get("field") or column.get("name"))
    return column if isinstance(column, str) else ""


# Also the nanoseconds of Loki.
_BARE_TIME = Pattern(
    r"(?:\d{4}-\d\d-\d\d[T ][\d:.,]{5,18}(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|1\d{18})\Z"
)

# Seconds since the epoch, in 2001: a smaller number is no time of a log.
_LEAST_TIME = 1e9


# The parts of a cell of CloudWatch Insights.
_CELL = {"field", "value"}


def _unnamed(row: Any) -> Any:
    """
    Return a *row* of a time, perhaps a service, and a text, or one of CloudWatch Insights; unchanged,
    if it is no such row.
    """
    if not isinstance(row, list):
        return row
    if row and all(_is_object(cell) and cell.keys() == _CELL for cell in row):
        return _insights(row)
    if len(row) not in (2, 3) or not isinstance(row[-1], str) or not _is_time(row[0]):
        return row
    fields = {"timestamp": row[0], "message": row[-1]}
    if len(row) == 3 and isinstance(row[1], str):
        fields["service"] = row[1]
    return fields


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        return _BARE_TIME.match(value) is not None
    return type(value) in (int, float) and bool(value >= _LEAST_TIME)


# -- values by their columns -----------------------------------------------------------------------

_TIMES = frozenset(ROLES["time"])
_TEXTS = frozenset((*TEXTS, *ROLES["message"]))


def is_header(names: Any) -> bool:
    """Whether *names* are those of the columns of a table of log lines."""
    return (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and not _TIMES.isdisjoint(names)
        and not _TEXTS.isdisjoint(names)
    )


# Also what CloudWatch has beside a line, and the numbers of the rows, which have no name.
_OF_WRITERS = frozenset(
    (*ROLES["time"], *ROLES["level"], *SOURCES, "@log", "@ptr", "@ingestionTime", "")
)


def text_column(names: list[str]) -> int | None:
    """
    Return the place of the only column of a table that may have a client's text: then a sign that
    separates cells without quotes may be in it, and in no other. None, if there are more columns.
    """
    if not is_header(names):
        return None
    others = [place for place, name in enumerate(names) if name not in _OF_WRITERS]
    return others[0] if len(others) == 1 and names[others[0]] in _TEXTS else None


def has_text_last(names: list[str]) -> bool:
    """Whether the last of a table's columns is the only one that may have a client's text."""
    return text_column(names) == len(names) - 1


def by_header(header: list[str], row: Any) -> dict[str, Any] | None:
    """Return a *row* of a table with this *header*; None for anything else."""
    if not isinstance(row, list) or len(row) != len(header):
        return None
    return _named(header, row)


def is_of_types(row: Any) -> bool:
    """Whether a *row* has the types of ClickHouse's columns."""
    return isinstance(row, list) and all(isinstance(cell, str) and _is_type(cell) for cell in row)


TYPE = r"(?:LowCardinality|Nullable|DateTime|Date|String|U?Int|Float|Map|Array|Enum|UUID|Bool|FixedString)"
"""The beginning of the name of a column's type in ClickHouse."""

_is_type = re.compile(TYPE).match


def _by_columns(document: dict[str, Any], depth: int) -> list[Any] | None:
    """
    Return the rows of a *document* that has a list of values for each column: ClickHouse's
    JSONColumns, Splunk's json_cols, Axiom's tables, pandas' to_json(); None for any other document.
    """
    if isinstance(document.get("meta"), list) and isinstance(document.get("data"), dict):
        document = document["data"]
    names, values = document.get("fields"), document.get("columns")
    if not isinstance(names, list) or not isinstance(values, list):
        names, values = list(document), list(document.values())
    else:
        names = list(map(_name_of, names))
    if not is_header(names):
        return None
    if all(_is_object(column) and all(map(str.isdecimal, column)) for column in values):
        values = [list(column.values()) for column in values]
    if not all(isinstance(column, list) for column in values):
        return None
    if len(set(map(len, values))) != 1 or not values[0] or len(names) != len(values):
        return None
    return [_named(names, list(row)) for row in zip(*values, strict=True)]


def is_text(document: Any) -> bool:
    """Whether a document is a line or several, as a query for the messages alone returns them."""
    if isinstance(document, list):
        return bool(document) and all(isinstance(line, str) for line in document)
    return isinstance(document, str)


def _loki(streams: list[Any]) -> Iterator[dict[str, Any]]:
    for stream in streams:
        if not isinstance(stream, dict) or not isinstance(stream.get("values"), list):
            continue
        for value in stream["values"]:
            if isinstance(value, list) and len(value) >= 2:
                labels = stream.get("stream") or {"job": ""}
                if len(value) > 2 and isinstance(value[2], dict):
                    labels = {**labels, **_metadata(value[2])}
                yield {"labels": labels, "line": value[1], "timestamp": value[0]}


def _metadata(beside: dict[str, Any]) -> dict[str, Any]:
    """
    Return the structured metadata *beside* a line: by its category in an answer, alone in what is
    sent to Loki.
    """
    if "structuredMetadata" not in beside and "parsed" not in beside:
        return beside
    metadata = beside.get("structuredMetadata")
    return metadata if isinstance(metadata, dict) else {}


def _insights(row: list[Any]) -> dict[str, Any]:
    return {str(cell.get("field")): cell.get("value") for cell in row if isinstance(cell, dict)}


def _hit(hit: dict[str, Any]) -> dict[str, Any]:
    """
    Return a *hit* of OpenSearch: its source alone, if nothing else was asked for; the values of
    its fields, each of which is in a list.
    """
    source = hit.get("_source")
    if isinstance(source, dict):
        source = _undotted(source)
        hit = {**hit, "_source": source}
        if hit.keys() == {"_source"}:
            return source
    fields = hit.get("fields")
    if not isinstance(fields, dict):
        return hit
    values = {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in _undotted(fields).items()
    }
    if "_source" in hit:  # of which the query may have asked for the text alone
        return {**hit, "fields": values}
    return {**{name: hit[name] for name in hit if name != "fields"}, **values}


# What OpenSearch's Data Prepper and the fields of Elasticsearch have before the name of an attribute.
_HOLDING = ("attributes.", "log.attributes.", "resource.attributes.")


def _undotted(fields: dict[str, Any]) -> dict[str, Any]:
    """
    Return *fields* with OpenTelemetry's attributes by their own names: Data Prepper has ``@`` for a
    dot in these.
    """
    if not any(name.startswith(_HOLDING) for name in fields):
        return fields
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith(_HOLDING):
            found.setdefault(name.partition("attributes.")[2].replace("@", "."), value)
        else:
            found[name] = value
    return found


_UNDERSCORE = Pattern(r"_([a-z])")
_DEEPEST_OTLP = 32


def _in_camel_case(value: Any, depth: int = 0) -> Any:
    """Return OTLP with its names as JSON has them, of JSON that has those of the protocol."""
    if depth > _DEEPEST_OTLP:
        return value
    if isinstance(value, list):
        return [_in_camel_case(member, depth + 1) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        _UNDERSCORE.sub(lambda match: match[1].upper(), name): _in_camel_case(inner, depth + 1)
        for name, inner in value.items()
    }


def _otlp(resources: list[Any]) -> Iterator[dict[str, Any]]:
    for resource in filter(_is_object, resources):
        attributes = _attributes(resource.get("resource"))
        names = ["service.name", "k8s.pod.name"]
        if "service.name" not in attributes:
            names.append("k8s.container.name")
        service = {name: attributes[name] for name in names if name in attributes}
        scopes = resource.get("scopeLogs") or resource.get("instrumentationLibraryLogs")
        for scope in _objects_in(scopes):
            about = scope.get("scope")
            logger = about.get("name") if isinstance(about, dict) else None
            common = {"logger.name": logger, **service} if logger else service
            for record in _objects_in(scope.get("logRecords")):
                yield _record_of_otlp(record, common)


def _record_of_otlp(record: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a *record*, and those that it has in *common* with others."""
    fields = {name: value for name, value in record.items() if name not in ("attributes", "body")}
    # A time of 0 means that it is not known.
    if str(fields.get("timeUnixNano") or "0") == "0":
        fields["timeUnixNano"] = fields.get("observedTimeUnixNano")
    body = _value(record.get("body"))
    return {
        **fields,
        **common,
        "fields" if _is_object(body) else "body": body,
        "attributes": _attributes(record),
    }


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _attributes(holder: Any) -> dict[str, Any]:
    attributes = holder.get("attributes") if isinstance(holder, dict) else None
    if not isinstance(attributes, list):
        return {}
    return {
        str(attribute.get("key")): _value(attribute.get("value"))
        for attribute in attributes
        if isinstance(attribute, dict)
    }


# Of 64 bits; Python refuses to read thousands of digits.
_WHOLE = Pattern(r"-?[0-9]{1,20}\Z")


def _value(value: Any, depth: int = 0) -> Any:
    """Return the Python value of an AnyValue of OTLP."""
    if not isinstance(value, dict) or depth > 16:
        return value
    for name, inner in value.items():
        if name == "arrayValue" and isinstance(inner, dict):
            values = inner.get("values")
            members = values if isinstance(values, list) else ()
            return [_value(member, depth + 1) for member in members]
        if name == "kvlistValue" and isinstance(inner, dict):
            return {
                str(member.get("key")): _value(member.get("value"), depth + 1)
                for member in _objects_in(inner.get("values"))
            }
        if name.endswith("Value"):
            is_whole = name == "intValue" and _WHOLE.match(str(inner)) is not None
            return int(inner) if is_whole else inner
    return value


def by_time(lines: list[Any]) -> list[Any]:
    """Return *lines* oldest first; unchanged, if one has no time."""
    if not all(isinstance(line, dict) for line in lines):
        return lines
    clock = Clock()
    times = [clock.read_value(_time_of(line)) for line in lines]
    if not times or None in times:
        return lines
    pairs: list[tuple[Any, dict[str, Any]]] = list(zip(times, lines, strict=True))
    if _is_falling(times):
        pairs.reverse()
    pairs.sort(key=lambda pair: pair[0])
    return [line for _, line in pairs]


def _is_falling(times: list[Any]) -> bool:
    steps = list(pairwise(times))
    falls: int = sum(first > second for first, second in steps)
    rises: int = sum(first < second for first, second in steps)
    return falls > rises


def _time_of(line: dict[str, Any]) -> Any:
    fields = flat(line)
    return next(
        (fields[name] for name in ROLES["time"] if fields.get(name) not in (None, "")), None
    )


_BEFORE_HITS = rb'(?:[^{}]|\{[^{}]*\}){0,2000}?"hits"'
# What makes lines of a document, by a text at its beginning: of several, the first counts.
_JQ = (
    (rb"resourceLogs", ".resourceLogs[] | {resourceLogs: [.]}"),
    (rb"resource_logs", ".resource_logs[] | {resource_logs: [.]}"),
    (rb'"responses"\s*:\s*\[\s*\{%b' % _BEFORE_HITS, ".responses[].hits.hits[]"),
    (rb'"response"\s*:\s*\{%b' % _BEFORE_HITS, ".response.hits.hits[]"),
    (rb'"rawResponse"\s*:\s*\{%b' % _BEFORE_HITS, ".rawResponse.hits.hits[]"),
    (rb'"hits"', ".hits.hits[]"),
    (rb"logEvents", ".logEvents[]"),
    (rb'"datarows"', ".schema as $names | .datarows[] | {schema: $names, datarows: [.]}"),
    (
        rb'"fields"\s*:\s*\[[^\]]*\][^\[]*"rows"',
        ".fields as $names | .rows[] | {fields: $names, rows: [.]}",
    ),
    (
        rb'"columns"\s*:\s*\[[^\]]*\][^\[]*"rows"',
        ".columns as $names | .rows[] | {columns: $names, rows: [.]}",
    ),
    (rb'"Records"', ".Records[] | {Records: [.]}"),
    (rb'"result"\s*:\s*\{\s*"records"', ".result.records[]"),
    (rb'"matches"', ".matches[]"),
    (rb'"map"', ".messages[].map"),
    (rb'"results"\s*:\s*\[\s*\{\s*"events"', ".results[].events[]"),
    (rb'"events"', ".events[]"),
    (rb'"nrql"', ".data.actor.account.nrql.results[]"),
    (rb'"results"\s*:\s*\[\s*\[', ".results[] | map({(.field): .value}) | add"),
    (rb'"results"', ".results[]"),
    (
        rb'"stream"',
        ".data.result[] | .stream as $labels | .values[] | {stream: $labels, values: [.]}",
    ),
    (rb'"logs"', ".logs[]"),
    (rb"data", ".data[]"),
)


def jq_for(start: bytes) -> str:
    """Return the jq filter that makes lines of a document that begins with *start*."""
    if start.lstrip(BLANKS).startswith(b"["):
        return ".[]"
    return next((command for text, command in _JQ if re.search(text, start, re.DOTALL)), ".")


# The functions for documents that may have the fields of a record, and those for all others.
_ALSO_OF_RECORDS = (_by_columns, _packed, _of_seq)
_OF_DOCUMENTS = (
    _of_otlp,
    _of_opensearch,
    _of_loki,
    _in_none,
    _of_cloudwatch,
    _of_cloudflare,
    _in_several,
    _of_grafana,
    _listed,
    _in_inner,
    _in_numbered,
)
