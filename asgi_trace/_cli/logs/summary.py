"""
A summary of reading some logs, in words: the part that was recognised, lines without a time, and
advice for logs without ids.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from ..._core.patterns import Pattern
from .entries import Entries
from .entry import Entry

__all__ = ("Reading", "hints", "notes", "summarize")

# The most ids that are kept of a log, to compare its clock with those of other logs; and the most
# lines without ids that are examined.
_MOST_IDS = 2000
_MOST_LOOKS = 1000


@dataclass
class Reading:
    """
    The results of reading one log.

    ``lines`` is the number of its lines, ``looked_at`` that of the examined ones, ``unread`` that
    of the examined ones in which nothing was recognised, ``undated`` that of the records without a
    readable time.
    """

    name: str
    lines: int = 0
    looked_at: int = 0
    unread: int = 0
    undated: int = 0
    has_ids: bool = False
    is_zone_assumed: bool = False
    looks: Counter[str] = field(default_factory=Counter)
    ids: dict[str, float] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether nothing more needs to be noted."""
        return self.has_ids and len(self.ids) >= _MOST_IDS

    def note(self, entries: Entries) -> None:
        """Note the ids of *entries* and their times, or the kinds of lines without any ids."""
        if not self.has_ids:
            for entry in entries:
                if entry.request_id:
                    self.has_ids = True
                    break
                if self.looks.total() < _MOST_LOOKS:
                    self.looks[_look(entry)] += 1
        known = self.ids
        columns = entries.columns
        at = 0
        for common in dict.fromkeys(columns.commons):
            request = common.request_id
            if request and request not in known and len(known) < _MOST_IDS:
                at = columns.commons.index(common, at)
                known[request] = columns.times[at]


# The kinds of lines without ids, and advice for each.
_LOOKS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "YAML or a table",
        Pattern(
            r"---|(?:insertId|logName|textPayload|jsonPayload): |Row \d+:|\s*[┌┏╔├│┃║└─━]{2}|\[\d+\] \S+: \["
        ),
        "JSON can be read: of gcloud logging read --format=json, FORMAT JSONEachRow of ClickHouse, "
        "json_lines of Fluent Bit",
    ),
    (
        "JSON, logfmt or [req=none]",  # which entries of JSON and logfmt are given
        Pattern(r"\s*[{\[]|.{0,120}\[req=none"),
        "Lines outside of a request, such as those of a server's start, have none. In a request, "
        "asgi_trace.JSONFormatter, LogfmtFormatter and loggers.structlog_processor add request_id; asgi-trace doctor "
        "checks whether an app is traced",
    ),
    (
        "access lines of a server",
        Pattern(r'.*"[A-Z]+ [^"]* HTTP/'),
        "configure_logging() gives the ids to a Python server's own lines; nginx has $request_id",
    ),
    (
        "text with a time",
        Pattern(r".{0,60}\d\d:\d\d"),
        "configure_logging() or TextFormatter puts [req=…|session=…] into text",
    ),
    (
        "text without a time",
        Pattern(r""),
        "configure_logging() or TextFormatter puts a time and [req=…|session=…] into text",
    ),
)


def _look(entry: Entry) -> str:
    if entry.more and "access" in entry.more:
        return "access lines of a server"
    return next(name for name, pattern, _ in _LOOKS if pattern.match(entry.text[:400]))


def hints(readings: Sequence[Reading]) -> list[str]:
    """
    Return the sentences of advice: on logs without ids, and on clocks that differ.
    """
    sentence = _advice(readings)
    return ([sentence] if sentence else []) + _clock_hints(readings)


def notes(readings: Sequence[Reading], zone: tzinfo | None = None) -> list[str]:
    """
    Return a page's sentences on its logs: the summary, if some lines were not recognised or have no
    time, and the hints.
    """
    is_partial = any(reading.unread or reading.undated for reading in readings)
    return [*([f"{summarize(readings, zone)}."] if is_partial else []), *hints(readings)]


def summarize(readings: Sequence[Reading], zone: tzinfo | None = None) -> str:
    """Return ``3 files, 98 % of 120,000 lines read, 40 without a date, zone assumed: UTC``."""
    lines = sum(reading.lines for reading in readings)
    looked_at = sum(reading.looked_at for reading in readings)
    unread = sum(reading.unread for reading in readings)
    undated = sum(reading.undated for reading in readings)
    files = f"{len(readings)} file" if len(readings) == 1 else f"{len(readings)} files"
    if not lines:
        return f"{files}, no lines"
    part = 100 if not looked_at else _percent(looked_at - unread, looked_at)
    about = "about " if looked_at < lines else ""
    words = [files, f"{about}{part} % of {lines:,} {'line' if lines == 1 else 'lines'} read"]
    if undated:
        words.append(f"{undated:,} without a date")
    if any(reading.is_zone_assumed for reading in readings):
        words.append(f"zone assumed: {zone or datetime.now().astimezone().tzname()}")
    return ", ".join(words)


def _percent(part: int, whole: int) -> int:
    """Return a percentage that is 0 or 100 only for nothing or all."""
    percent = round(100 * part / whole)
    if percent == 100 and part < whole:
        return 99
    return 1 if percent == 0 and part else percent


def _advice(readings: Sequence[Reading]) -> str | None:
    """Return a sentence on logs without any id: the kinds of their lines, and advice."""
    if not any(reading.looked_at for reading in readings) or any(
        reading.has_ids for reading in readings
    ):
        return None
    looks: Counter[str] = Counter()
    for reading in readings:
        looks.update(reading.looks)
    if not looks:
        return None
    is_unread = all(reading.unread >= reading.looked_at for reading in readings)
    what = "no line was recognised" if is_unread else "no line has a request id"
    seen = ", ".join(f"{count:,} as {name}" for name, count in looks.most_common(3))
    help_for = {name: sentence for name, _, sentence in _LOOKS}
    name = looks.most_common(1)[0][0]
    return (
        f"{what} (seen: {seen}); known are text with [req=…|session=…], JSON, logfmt, access lines and the forms "
        f"of the README, also with the prefixes of containers and log stores. {help_for[name]}."
    )


# -- clocks ----------------------------------------------------------------------------------------

_HOUR = 3_600_000
_TOLERANCE = 300_000


def _clock_hints(readings: Sequence[Reading]) -> list[str]:
    """
    Return a sentence for each log without a zone whose times are whole hours off those of a log
    with one.
    """
    hints = []
    for zoneless in readings:
        if not zoneless.is_zone_assumed:
            continue
        for zoned in readings:
            if zoned.is_zone_assumed:
                continue
            hours = _hours_between(zoneless.ids, zoned.ids)
            if hours:
                direction = "after" if hours > 0 else "before"
                hints.append(
                    f"the times of {zoneless.name} have no zone and stand {abs(hours)} h {direction} those of "
                    f"{zoned.name} for the same requests; --tz names the zone"
                )
                break
    return hints


def _hours_between(ids: Mapping[str, float], others: Mapping[str, float]) -> int:
    """Return the whole hours by which all requests in both differ; 0 if they do not."""
    hours = set()
    for request_id in ids.keys() & others.keys():
        apart = ids[request_id] - others[request_id]
        whole = round(apart / _HOUR)
        if abs(apart - whole * _HOUR) > _TOLERANCE:
            return 0
        hours.add(whole)
    return hours.pop() if len(hours) == 1 else 0
