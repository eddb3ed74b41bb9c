"""
Lines become entries: when, how bad, whose, and the text to show.

Knows our own three forms, and those of others that hold ids. Never fails, and drops no line: one that tells nothing
has the time of the line before it, and a traceback's lines are folded into the entry that they go on. Does not know
what a request is made of.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from ..logfiles import ANOTHER_LOG, COLORS, TRACEBACK, Log, is_plain, same_session
from ..records import HEAD, NO_ID, SESSION_LENGTH, parse_access, parse_fields, parse_time, unescape

__all__ = ("Entry", "LineReader", "LogReader", "Wanted", "last_time", "merged", "read")


class Entry(NamedTuple):
    """
    A line of a log, with those that go on it.

    ``time`` is in milliseconds since the epoch, and a whole number where the line tells no fraction of a second.
    ``session_id`` may be cut; both ids are empty where there is none. ``message`` is where in ``text`` the message
    begins. ``more`` has what few lines tell: ``access`` (the fields of an access line), ``call``, ``trace``.
    """

    time: float
    level: int
    request_id: str
    session_id: str
    text: str
    message: int
    more: dict[str, Any] | None
    file: int


LONGEST_TEXT = 65_536
"""How much of an entry's text is kept."""

LEVELS = {
    name: number
    for number, names in enumerate(
        ("NOTSET", "DEBUG TRACE", "INFO NOTICE SUCCESS", "WARNING WARN", "ERROR EXCEPTION", "CRITICAL FATAL")
    )
    for name in names.split()
}
LEVELS |= {name.lower(): number for name, number in LEVELS.items()}

# Nine of ten lines of a log of ours go no further than this.
_own_head = HEAD.match
_traceback = re.compile(TRACEBACK).match
_another_log = re.compile(ANOTHER_LOG).match

# -- lines of others -------------------------------------------------------------------------------------------------

# What stands before a message is told apart from it by its characters alone: a quote ends it, and so what a client
# sent is not taken for an id.
_OTHERS_HEAD = re.compile(r"[\w:.,+/#|=@()<>\[\] \t-]{0,400}")
_OTHERS_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d)\b)?"
    r"|\d\d?/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?"
)
_BARE_TIME = re.compile(r"(?<![\d:])\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?![\d:])")
_OTHERS_LEVEL = re.compile(
    r"\b(?:DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b:?"
    r"|(?<=\[)(?:debug|info|notice|warn(?:ing)?|error|critical|exception)\b"
)
_OWN_IDS = re.compile(r"\[req=([^|\]]*)\|session=([^|\]]*)\](?: \[([^\]]*)\])?")
_NAMED_ID = re.compile(
    r"\b(request_?id|correlation_?id|req_?id|trace_?id|session_?id)[=:] ?\"?([\w.~+/=:@-]{1,128})", re.IGNORECASE
)
# asgi-correlation-id's: hexadecimal, cut or whole, or a UUID with its hyphens.
_BRACKETED_ID = re.compile(r"\[([0-9a-f]{8,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\]", re.I)
_CLF_TIME = re.compile(r"(\d\d?)/([A-Z][a-z]{2})/(\d{4})[: ](\d\d:\d\d:\d\d)(?: ([+-]\d{4}))?")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

# What others call our names, in JSON and logfmt; the first that is there counts.
_NAMES = (
    ("timestamp", "@timestamp", "time", "asctime", "ts", "datetime", "date"),
    ("level", "levelname", "severity", "log.level", "log_level", "lvl"),
    ("message", "event", "msg"),
    ("request_id", "correlation_id", "requestId", "correlationId", "req_id", "x_request_id", "request.id"),
    ("session_id", "sessionId", "mcp_session_id", "session.id"),
    ("trace_id", "otelTraceID", "traceId", "trace.id"),
    ("logger", "name", "logger_name"),
    ("mcp_method",),
    ("mcp_name",),
    ("jsonrpc_id",),
)
_TRACEBACK_NAMES = ("exception", "exc_info", "stack_info", "stack")
# They go with the trace, which the page shows once for each request.
_SILENT_NAMES = frozenset(("span_id", "otelSpanID", "spanId", "otelTraceSampled"))
# Outside a request; the zeros are OpenTelemetry's.
_NO_IDS = frozenset(("", "-", "0", "0" * 16, "0" * 32, "none", "None", "null"))


@lru_cache(maxsize=1024)
def _roles(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """
    Return which of a line's *names* is which of ours, which are tracebacks', and which are others.

    A log has few sets of names, so this is worked out for each once. What is not there is called ``""``, which is
    given to nothing.
    """
    ours = tuple(next((name for name in among if name in names), "") for among in _NAMES)
    tracebacks = tuple(name for name in _TRACEBACK_NAMES if name in names)
    known = {*ours, *tracebacks, *_SILENT_NAMES}
    return ours, tracebacks, tuple(name for name in names if name not in known)


def _id(value: Any) -> str:
    text = "" if value is None else _shown(value)
    return "" if text in _NO_IDS else text[:512]


class _Clock:
    """The times of one log: each second is worked out once, and what a line leaves out is what the log makes likely."""

    def __init__(self) -> None:
        self.last = -1.0
        self._known: dict[str, int | None] = {}
        self._days = 0

    def read(self, text: str) -> float | None:
        """Return the milliseconds since the epoch, a whole number where *text* has no fraction of a second."""
        known = self._known.get(text)
        if known is not None:
            return known
        second, fraction, zone = _parted(text)
        known = self._known.get(second + zone)
        if known is None:
            known = self._whole(second + zone)
            if known is None:
                return None
        return known + float(f"0.{fraction}") * 1000 if fraction else known

    def _whole(self, text: str) -> int | None:
        if len(self._known) > 4096:
            self._known.clear()
        seconds = parse_time(_as_iso(text))
        if seconds is None:
            return None
        if text[2:3] == ":":  # no date: past midnight the next day begins
            seconds += self._days * 86_400
            if self.last >= 0 and seconds * 1000 < self.last - 43_200_000:
                self._days += 1
                self._known.clear()
                seconds += 86_400
        elif self.last >= 0 and seconds * 1000 < self.last - 60_000:
            seconds = _again(seconds, self.last / 1000)
        milliseconds = self._known[text] = max(0, round(seconds * 1000))  # clocks that are not set stand before 1970
        return milliseconds


def _parted(text: str) -> tuple[str, str, str]:
    """Return the second, the digits of its fraction, and the zone of a time."""
    place = 19 if text[19:20] in (".", ",") else 8 if text[8:9] in (".", ",") else 0
    if not place:
        return text, "", ""
    zone = text[place + 1 :].lstrip("0123456789")
    return text[:place], text[place + 1 : len(text) - len(zone)], zone


def _as_iso(text: str) -> str:
    match = _CLF_TIME.fullmatch(text)
    if match is None:
        return text
    day, month, year, clock, zone = match.groups("")
    place = _MONTHS.find(month)
    return f"{year}-{place // 3 + 1:02d}-{int(day):02d} {clock}{zone}" if place >= 0 else ""


def _again(seconds: float, last: float) -> float:
    """Return the second of the two moments that a local time may be, where clocks were set back, if that is nearer."""
    try:
        second = datetime.fromtimestamp(seconds).replace(fold=1).timestamp()
    except (ValueError, OverflowError, OSError):
        return seconds
    return second if abs(second - last) < abs(seconds - last) else seconds


# Entries that wait for the first that has a time, at most.
_MOST_EARLY = 10_000


class LineReader:
    """
    Makes entries of the lines of one log.

    :param file: the log's number.
    :param when: the time of lines that stand before any that tells one, in milliseconds since the epoch.
    """

    def __init__(self, file: int = 0, when: float = 0.0) -> None:
        self.cut = 0  # entries whose text was too long
        self._file = file
        self._clock = _Clock()
        self._when: float | None = None  # of the entry before
        self._first_when = when
        self._default = when
        self._early: list[Entry] = []
        self._entry: Entry | None = None
        self._further: list[str] = []
        self._room = 0
        self._in_traceback = False

    def read(self, lines: Iterable[str]) -> list[Entry]:
        """Return the entries that *lines* complete; the last is kept back, since more of it may follow."""
        found: list[Entry] = []
        entry, further = self._entry, self._further
        for line in lines:
            match = _own_head(line)
            if match is None:
                line, match = self._cleaned(line)
            if match is not None:
                if match["mark"] == "|" and entry is not None and (entry.request_id or NO_ID) == match["request_id"]:
                    self._go_on(line[match.end() :])
                    continue
                next_entry = self._own(match, line)
            else:
                other = self._other(line)
                if other is None and entry is not None and self._goes_on(line):
                    self._go_on(line)
                    continue
                next_entry = other or self._unknown(line)
            if entry is not None:
                if further:
                    entry = entry._replace(text="\n".join((entry.text, *further)))
                    further.clear()
                found.append(entry)
            entry = next_entry
            self._in_traceback = False
            self._room = LONGEST_TEXT - len(entry.text)
            if self._room < 0:
                entry = self._shortened(entry)
        self._entry = entry
        return self._timed(found)

    def is_within(self, wanted: Wanted) -> bool:
        """Whether what comes next may go on an entry that is *wanted*, or on one whose time is not known yet."""
        return bool(self._early) or (self._entry is not None and bool(Wanted.among(replace(wanted), [self._entry])))

    def finish(self) -> list[Entry]:
        """Return the last entry, if there is one."""
        entry, self._entry = self._entry, None
        if entry is not None and self._further:
            entry = entry._replace(text="\n".join((entry.text, *self._further)))
            self._further.clear()
        found, self._early = self._early, []
        if entry is not None:
            found.append(entry)
        return self._dated(found)

    def _timed(self, found: list[Entry]) -> list[Entry]:
        """Keep the first entries back until a time is known."""
        if self._when is None and len(self._early) < _MOST_EARLY:
            self._early += found
            return []
        if self._early or (found and found[0].time < 0):
            found, self._early = self._dated(self._early + found), []
        return found

    def _dated(self, found: list[Entry]) -> list[Entry]:
        when = self._default if self._when is None else self._first_when
        return [each if each.time >= 0 else each._replace(time=when) for each in found]

    def _at(self, when: float | None) -> float:
        if when is None:
            return -1 if self._when is None else self._when
        if self._when is None:
            self._first_when = when
        self._when = self._clock.last = when
        return when

    def _go_on(self, line: str) -> None:
        self._room -= len(line) + 1
        if self._room >= 0:
            self._further.append(line)
        elif self._room + len(line) + 1 >= 0:
            self.cut += 1
            self._further.append("…")
            self._room = -1 << 62

    def _shortened(self, entry: Entry) -> Entry:
        self.cut += 1
        return entry._replace(text=entry.text[:LONGEST_TEXT] + "…", message=min(entry.message, LONGEST_TEXT))

    def _goes_on(self, line: str) -> bool:
        if not line:
            return True
        if (self._in_traceback or _traceback(line)) and not _another_log(line):
            self._in_traceback = True
            return True
        return False

    def _cleaned(self, line: str) -> tuple[str, re.Match[str] | None]:
        """Return the line without what may stand before it or color it, and the match of our head, if it is ours."""
        # A log that was truncated while it was written begins with NUL bytes; one that was made by a shell of
        # Windows, with a mark.
        if line[:1] in ("\0", "\ufeff"):
            line = line.lstrip("\0\ufeff")
        elif "\x1b" not in line[:120]:
            return line, None
        plain = COLORS.sub("", line) if "\x1b" in line else line
        match = _own_head(plain)
        return (plain if match else line), match

    def _own(self, match: re.Match[str], line: str) -> Entry:
        head, request_id, session_id, _, call, _ = match.groups()
        stamp, _, level = head.partition(" - ")
        when = self._clock.read(stamp)
        if when is None:
            when = self._at(self._searched_time(stamp))
        elif when != self._when:
            self._at(when)
        end = match.end()
        more: dict[str, Any] | None = None
        # What is in any access line: behind a duration; behind none, and no size; behind a size; and in a server's,
        # behind the request.
        if (
            line.find("ms ", end) >= 0
            or line.find('" ', end) >= 0
            or line.find("- - ", end) >= 0
            or line.find("B ", end) >= 0
        ):
            access = parse_access(unescape(line[end:]))
            if access is not None:
                more = {"access": access}
        if call:
            more = {**(more or {}), "call": call}
        if request_id == NO_ID:
            request_id = ""
        if session_id == NO_ID:
            session_id = ""
        if not line.isascii():
            end += _astral(line[:end])
        return Entry(when, LEVELS.get(level, 0), request_id, session_id, line, end, more, self._file)

    def _searched_time(self, text: str) -> float | None:
        match = _time_in(text, 120)
        return self._clock.read(match[0]) if match else None

    def _unknown(self, line: str) -> Entry:
        return Entry(self._at(None), 0, "", "", line, 0, None, self._file)

    def _other(self, line: str) -> Entry | None:
        """Return the entry of a line that is not of our text form; None when it tells nothing."""
        if line.startswith("{") or line.partition("=")[0].replace("_", "a").isalnum():
            fields = parse_fields(line)
            if fields is not None and len(fields) > 1:
                entry = self._named(fields)
                if entry is not None:
                    return entry
        plain = COLORS.sub("", line) if "\x1b" in line else line
        head = _OTHERS_HEAD.match(plain)
        assert head is not None
        times = _time_in(plain, min(head.end(), 120))
        level = _OTHERS_LEVEL.search(plain, 0, min(head.end(), 160))
        own = _OWN_IDS.search(plain, 0, head.end())
        request_id = session_id = trace = call = ""
        ends = [match.end() for match in (times, level, own) if match]
        if own:
            request_id, session_id, call = own.groups("")
        elif times or level:
            request_id, session_id, trace, end = _named_ids(plain, head.end())
            ends.append(end)
        if not (times or level or request_id):
            return None
        end = max(ends)
        end += len(plain[end:]) - len(plain[end:].lstrip(" \t]|)-:"))
        access = parse_access(unescape(plain[end:]))
        if access is None and '"' in plain:
            access = parse_access(_behind_level(plain))
        more: dict[str, Any] = {"access": access} if access else {}
        if call:
            more["call"] = call
        if trace:
            more["trace"] = trace
        number = LEVELS[level[0].rstrip(":")] if level else 0
        when = self._at(self._clock.read(times[0]) if times else None)
        end += _astral(plain[:end])
        return Entry(when, number, _id(request_id), _id(session_id), plain, end, more or None, self._file)

    def _named(self, fields: dict[str, Any]) -> Entry | None:
        """Return the entry of a line of JSON or logfmt, written as text."""
        fields.pop("", None)
        ours, tracebacks, others = _roles(tuple(fields))
        stamp, level, message, request_id, session_id, trace, logger, method, tool, number = map(fields.get, ours)
        if message is None and stamp is None and level is None:
            return None
        when = self._at(self._named_time(stamp))
        request_id, session_id, trace = _id(request_id), _id(session_id), _id(trace)
        request_id = request_id or trace
        message = _shown(message)
        more: dict[str, Any] = {}
        if trace:
            more["trace"] = trace
        if method:
            more["call"] = " ".join(filter(None, map(_shown, (method, tool)))) + (
                f" #{_shown(number)}" if number else ""
            )
        if not logger or "access" in _shown(logger):
            access = parse_access(message)
            if access is not None:
                more["access"] = access
                logger = None
                others = tuple(name for name in others if name not in access)
        head = f"{_shown(stamp)} - {_shown(level)} - [req={request_id or NO_ID}|session={session_id or NO_ID}] - "
        aside = f" logger={_shown(logger)}" if logger else ""
        if others:
            aside += "".join([f" {name}={_shown(fields[name])}" for name in others])
        first, line_feed, further = message.partition("\n")
        text = "\n".join(
            (f"{head}{first}{aside}{line_feed}{further}", *(_shown_trace(fields[name]) for name in tracebacks))
        )
        return Entry(
            when, _level(level), request_id, session_id, text, len(head) + _astral(head), more or None, self._file
        )

    def _named_time(self, stamp: Any) -> float | None:
        if isinstance(stamp, str):
            when = self._clock.read(stamp)
            if when is None:
                when = self._searched_time(stamp)
            if when is not None:
                return when
            try:
                stamp = float(stamp)
            except ValueError:
                return None
        if isinstance(stamp, bool) or not isinstance(stamp, int | float):
            return None
        # Seconds, milli-, micro- or nanoseconds since the epoch: as this century tells.
        for most, factor in ((1e11, 1e3), (1e14, 1), (1e17, 1e-3), (1e20, 1e-6)):
            if 0 < stamp < most:
                return float(stamp) * factor
        return None


def _time_in(text: str, end: int) -> re.Match[str] | None:
    """Return where *text* tells a time: one with its date, since others may have put a time of theirs before it."""
    return _OTHERS_TIME.search(text, 0, end) or _BARE_TIME.search(text, 0, end)


def _astral(text: str) -> int:
    """Return how many characters of *text* count twice in JavaScript."""
    return 0 if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)


def _named_ids(line: str, end: int) -> tuple[str, str, str, int]:
    """
    Return the request, session and trace id that stand before *end*, and where the brackets end that hold the last.

    Those that stand in no brackets are a part of the message.
    """
    found = {"request": "", "session": "", "trace": ""}
    last = 0
    for match in _NAMED_ID.finditer(line, 0, end):
        kind = match[1].lower().replace("_", "").removesuffix("id")
        kind = kind if kind in found else "request"
        if not found[kind]:
            found[kind] = _id(match[2])
            if line.rfind("[", 0, match.start()) > line.rfind("]", 0, match.start()):
                last = max(last, line.find("]", match.end(), end) + 1)
    if not found["request"] and (bracketed := _BRACKETED_ID.search(line, 0, end)):
        found["request"], last = bracketed[1], max(last, bracketed.end())
    return found["request"] or found["trace"], found["session"], found["trace"], last


def _behind_level(line: str) -> str:
    """Return the part of a server's access line that begins with the client's address."""
    before, _, _ = line.partition(' - "')
    client = before.rpartition(" ")[2]
    return line[len(before) - len(client) :]


def _level(value: Any) -> int:
    if type(value) is str and value in LEVELS:
        return LEVELS[value]
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, min(value // 10, 5))
    return LEVELS.get(_shown(value).upper(), 0)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    from json import dumps

    return dumps(value, ensure_ascii=False)


def _shown_trace(value: Any) -> str:
    return (
        value["stacktrace"] if isinstance(value, dict) and isinstance(value.get("stacktrace"), str) else _shown(value)
    )


# -- logs ------------------------------------------------------------------------------------------------------------


@dataclass
class Wanted:
    """
    What is shown of logs: all of it, unless something is asked for. *since* is in seconds since the epoch.

    ``left_out`` counts the lines that were not wanted, ``cut`` the entries whose text was too long.
    """

    session: str | None = None
    request: str | None = None
    since: float | None = None
    left_out: int = 0
    cut: int = 0

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.session is None and self.request is None and self.since is None

    @property
    def needle(self) -> bytes:
        """Bytes that stand in each line that is wanted; none, when that is not known."""
        wanted = self.request or (self.session or "")[:SESSION_LENGTH]
        return wanted.encode() if is_plain(wanted) else b""

    def among(self, entries: list[Entry]) -> list[Entry]:
        """Return the entries that are wanted."""
        found = entries
        if self.since is not None:
            since = self.since * 1000
            found = [entry for entry in found if entry.time >= since]
        if self.request is not None:
            found = [entry for entry in found if (entry.request_id or NO_ID) == self.request]
        if self.session is not None:
            found = [entry for entry in found if same_session(entry.session_id or NO_ID, self.session)]
        if len(found) < len(entries):
            self.left_out += _lines_of(entries) - _lines_of(found)
        return found

    def may_be_in(self, block: bytes) -> bool:
        """Whether a block may have a line that is wanted; if not, its lines are left out."""
        is_there = self.needle in block and (self.since is None or _latest(block) >= self.since * 1000)
        if not is_there:
            self.left_out += block.count(b"\n")
        return is_there


def _latest(block: bytes) -> float:
    """Return the latest time among the first and the last lines of a block; infinity, if they tell none."""
    ends = block[:4096].split(b"\n")[:-1], block[-4096:].split(b"\n")[1:]
    reader = LineReader(when=float("inf"))
    entries = reader.read(line.decode("utf-8", "replace") for end in ends for line in end) + reader.finish()
    return max((entry.time for entry in entries), default=float("inf"))


def _lines_of(entries: list[Entry]) -> int:
    return sum(entry.text.count("\n") for entry in entries) + len(entries)


class LogReader:
    """Makes entries of the blocks of one log, as far as they are *wanted*."""

    def __init__(self, file: int, when: float, wanted: Wanted) -> None:
        self._lines = LineReader(file, when)
        self._wanted = wanted
        self._in_line = False

    def read(self, block: bytes) -> list[Entry]:
        """Return the entries that *block* completes."""
        in_line, self._in_line = self._in_line, not block.endswith(b"\n")
        if not self._wanted.is_all and not self._lines.is_within(self._wanted) and not self._wanted.may_be_in(block):
            return []
        text = block.decode("utf-8", "replace")
        if in_line:  # the rest of a line that is longer than what is kept of any
            text = text.partition("\n")[2]
        if not text:
            return []
        lines = text.replace("\r\n", "\n").split("\n")
        if not self._in_line:
            lines.pop()
        return self._wanted.among(self._lines.read(lines))

    def finish(self) -> list[Entry]:
        """Return the entries that were kept back, since more of them might have followed."""
        self._wanted.cut, self._lines.cut = self._wanted.cut + self._lines.cut, 0
        return self._wanted.among(self._lines.finish())


def read(log: Log, file: int = 0, wanted: Wanted | None = None) -> Iterator[list[Entry]]:
    """Yield the entries of *log*, some thousands at a time, in the order of the file."""
    written = log.last_written()
    reader = LogReader(file, (written if written < float("inf") else time.time()) * 1000, wanted or Wanted())
    for block in log.blocks():
        yield reader.read(block)
    yield reader.finish()


_SLACK = 2000.0
_MOST_HELD = 65_536


def merged(logs: Sequence[Iterator[list[Entry]]]) -> Iterator[list[Entry]]:
    """
    Yield the entries of all *logs* in the order of their times, those of the same time in the order of their logs.

    Two seconds of disorder within a log are put right.
    """
    waiting: list[Entry] = []
    reached = {number: -float("inf") for number in range(len(logs))}
    while reached:
        number = min(reached, key=reached.__getitem__)
        batch = next(logs[number], None)
        if batch is None:
            del reached[number]
            continue
        if not batch:
            continue
        waiting += batch
        waiting.sort(key=_by_time)
        reached[number] = batch[-1].time
        until = min(reached.values()) - _SLACK
        ready = _bisect(waiting, until)
        if len(waiting) - ready > _MOST_HELD:
            ready = len(waiting) - _MOST_HELD // 2
        if ready:
            yield waiting[:ready]
            del waiting[:ready]
    if waiting:
        yield waiting


def _by_time(entry: Entry) -> float:
    return entry.time


def _bisect(entries: list[Entry], when: float) -> int:
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if entries[middle].time < when:
            low = middle + 1
        else:
            high = middle
    return low


def last_time(logs: Iterable[Log]) -> float | None:
    """Return the latest time that *logs* tell, in seconds since the epoch: of each block, its ends are read."""
    times = (_latest(block) for log in logs for block in log.blocks())
    latest = max((when for when in times if when < float("inf")), default=None)
    return None if latest is None else latest / 1000
