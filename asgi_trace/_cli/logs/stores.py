"""
Documents of JSON, as log stores answer with them: the log lines in each.

Memory is bounded by the size of one document, which the caller limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from .names import ROLES, flat
from .times import Clock

__all__ = ("BLANKS", "SIGNATURE", "by_time", "is_text", "jq_for", "lines_in")

BLANKS = b" \t\r\n\xef\xbb\xbf"

SIGNATURE = re.compile(
    rb'\A\{\s*(?:"[\w-]+"\s*:\s*(?:"[^"]*"|[\w.-]+|\{[^{}]*\}|\[[^\[\]]*\])\s*,\s*){0,12}'
    rb'"(?:resourceLogs|hits|events|results|data|logEvents|streams|records|entries|messages|responses|columns|tables)"\s*:\s*[\[{]'
)

# The fields of records: an object with one of them is a line and not a document.
_OF_RECORDS = frozenset(
    ("message", "msg", "level", "severity", "timestamp", "time", "request_id", "@timestamp")
)
_LISTS = ("events", "logEvents", "data", "records", "entries", "logs", "items", "value", "messages")
_ROWS = (*_LISTS, "rows", "values")


def lines_in(document: Any) -> list[dict[str, Any]] | None:
    """
    Return the objects of a document that hold a line each, with the document's common fields; None
    for a record.
    """
    if isinstance(document, list):
        return [record for record in document if isinstance(record, dict)] or None
    if not isinstance(document, dict) or not _OF_RECORDS.isdisjoint(document):
        return None
    if isinstance(document.get("resourceLogs"), list):
        return list(_otlp(document["resourceLogs"]))
    hits = document.get("hits")
    if isinstance(hits, dict) and isinstance(hits.get("hits"), list):
        return [_hit(hit) for hit in hits["hits"] if isinstance(hit, dict)]
    data = document.get("data")
    streams = data.get("result") if isinstance(data, dict) else document.get("streams")
    if isinstance(streams, list):
        return list(_loki(streams))
    results = document.get("results")
    if isinstance(results, list):
        return [_insights(row) for row in results if isinstance(row, list)]
    for name in ("responses", "tables"):
        inner = document.get(name)
        if isinstance(inner, list):
            return [record for part in inner for record in lines_in(part) or ()]
    columns = document.get("meta") or document.get("columns")
    for name in _ROWS if isinstance(columns, list) else _LISTS:
        rows = document.get(name)
        if isinstance(rows, list) and rows:
            if isinstance(columns, list):
                rows = [_row(columns, record) for record in rows]
            stream = {key: document[key] for key in ("logStream", "logGroup") if key in document}
            return [{**stream, **record} for record in rows if isinstance(record, dict)]
    return None


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
                yield {
                    "labels": stream.get("stream") or {"job": ""},
                    "line": value[1],
                    "timestamp": value[0],
                }


def _insights(row: list[Any]) -> dict[str, Any]:
    return {str(cell.get("field")): cell.get("value") for cell in row if isinstance(cell, dict)}


def _hit(hit: dict[str, Any]) -> dict[str, Any]:
    """
    Return a *hit* of OpenSearch: its source alone, if nothing else was asked for; the values of
    its fields, each of which is in a list.
    """
    if hit.keys() == {"_source"} and isinstance(hit["_source"], dict):
        return dict(hit["_source"])
    fields = hit.get("fields")
    if not isinstance(fields, dict) or "_source" in hit:
        return hit
    values = {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in fields.items()
    }
    return {**{name: hit[name] for name in hit if name != "fields"}, **values}


def _row(columns: list[Any], row: Any) -> Any:
    """Return a row of a store's table, such as ClickHouse's JSONCompact, by the names of its columns."""
    if not isinstance(row, list):
        return row
    names = [str(column.get("name")) if isinstance(column, dict) else "" for column in columns]
    return dict(zip(names, row, strict=False))


def _otlp(resources: list[Any]) -> Iterator[dict[str, Any]]:
    for resource in filter(_is_object, resources):
        about = _attributes(resource.get("resource"))
        service = {"service.name": about["service.name"]} if "service.name" in about else {}
        pod = {
            name: about[f"k8s.{name}"]
            for name in ("pod.name", "container.name")
            if f"k8s.{name}" in about
        }
        if pod and not service:
            service = {"pod": pod.get("container.name") or pod.get("pod.name")}
        for scope in filter(
            _is_object,
            resource.get("scopeLogs") or resource.get("instrumentationLibraryLogs") or (),
        ):
            for record in filter(_is_object, scope.get("logRecords") or ()):
                fields = {
                    name: value
                    for name, value in record.items()
                    if name not in ("attributes", "body")
                }
                # A time of 0 means that it is not known.
                if str(fields.get("timeUnixNano") or "0") == "0":
                    fields["timeUnixNano"] = fields.get("observedTimeUnixNano")
                logger = (
                    (scope.get("scope") or {}).get("name")
                    if _is_object(scope.get("scope"))
                    else None
                )
                yield {
                    **fields,
                    **({"logger.name": logger} if logger else {}),
                    **service,
                    "body": _value(record.get("body")),
                    "attributes": _attributes(record),
                }


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _attributes(holder: Any) -> dict[str, Any]:
    attributes = holder.get("attributes") if isinstance(holder, dict) else None
    if not isinstance(attributes, list):
        return {}
    return {
        str(attribute.get("key")): _value(attribute.get("value"))
        for attribute in attributes
        if isinstance(attribute, dict)
    }


def _value(value: Any, depth: int = 0) -> Any:
    """Return the Python value of an AnyValue of OTLP."""
    if not isinstance(value, dict) or depth > 16:
        return value
    for name, inner in value.items():
        if name == "arrayValue" and isinstance(inner, dict):
            return [_value(member, depth + 1) for member in inner.get("values") or ()]
        if name == "kvlistValue" and isinstance(inner, dict):
            return {
                str(member.get("key")): _value(member.get("value"), depth + 1)
                for member in inner.get("values") or ()
                if isinstance(member, dict)
            }
        if name.endswith("Value"):
            return (
                int(inner) if name == "intValue" and str(inner).lstrip("-").isdecimal() else inner
            )
    return value


def by_time(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *lines* oldest first; unchanged, if one has no time."""
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


_JQ = (
    (b"resourceLogs", ".resourceLogs[] | {resourceLogs: [.]}"),
    (b"hits", ".hits.hits[]"),
    (b"logEvents", ".logEvents[]"),
    (b"events", ".events[]"),
    (b"results", ".results[] | map({(.field): .value}) | add"),
    (
        b'"stream"',
        ".data.result[] | .stream as $labels | .values[] | {$labels, timestamp: .[0], line: .[1]}",
    ),
    (b"data", ".data[]"),
)


def jq_for(start: bytes) -> str:
    """Return the jq filter that makes lines of a document that begins with *start*."""
    if start.lstrip(BLANKS).startswith(b"["):
        return ".[]"
    return next((command for name, command in _JQ if name in start), ".")
