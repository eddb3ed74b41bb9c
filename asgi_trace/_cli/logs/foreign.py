"""
The text of other writers: entries of lines that are neither in our text form nor made of names and
values.

Time, level and ids are looked for before the message, where a client's text is not. Their forms are
here, in ``ids`` and in ``accesses``.
"""

from __future__ import annotations

import re
from typing import Any

from ..._core.patterns import Pattern
from .accesses import USUAL_ACCESS, access_in, access_line, without_clients_text
from .colors import COLORS
from .entry import Entry, astral, id_of, trace_of
from .envelopes import Peeled
from .fields import is_in_utc
from .ids import ids_in
from .levels import LETTERS, LEVELS
from .own import OWN_IDS
from .received import agreed
from .state import State
from .times import find_time

__all__ = ("TIME_END", "access_behind", "entry_of_text", "entry_of_usual")

# The characters of the text before a message: a quote ends it, so that a client's text is not taken
# for an id. Sanic draws a frame around a traceback, Java has a dollar sign in names of classes, and
# asgi-correlation-id's manual has a backspace behind the level. Columns with a semicolon between them
# begin with a time or a level alone: in other lines a semicolon is within the message, as in a cookie.
_COLUMNS = r"(?:(?:[\d:.,+/TZ -]{8,40}|[A-Z]{4,10});(?! )(?:[\w.:,+/-]{0,60};(?! )){0,8})?"
_HEAD = Pattern(rf"{_COLUMNS}[\u256d\w:.,+/#|=@~$()<>{{}}*\[\] \t\x08-]{{0,400}}")
_LEVEL = Pattern(
    # One look at the first letter: less than half of the time, in a line without a level.
    r"(?=[A-Z]|[acdefinpstvw])(?:"
    r"(?<!/)\b(?:TRACE|DEBUG|INFO|NOTICE(?!: PHP message: PHP [FWN])"
    r"|SUCCESS|WARN(?:ING)?|ERROR|CRITICAL|FATAL|PANIC|SEVERE)\b:?"
    r"|\bLOG(?=:  | \[)"  # PostgreSQL, NestJS
    r"|\b(?:STATEMENT|DETAIL|HINT|CONTEXT|QUERY|LOCATION):(?=  )"  # PostgreSQL, below its records
    r"|\A(?:CONFIG|FINE(?:R|ST)?):(?= )"  # java.util.logging
    r"|(?<=PHP )(?:Fatal|Warning|Notice)(?= error:|:)"
    r"|\A(?:ERRO|DEBU|FATA|PANI|TRAC)(?=\[)"  # logrus, on a terminal
    r"|(?:\A|(?<=\A ))panic(?=: )|\Afatal(?= error: )"  # Go, chi
    r"|(?<=\d\] )(?:debug|info|warning|error)(?= @\d{4}-)"  # Dancer
    r"|\A(?:trce|dbug|info|warn|fail|crit)(?=: [\w.+`<>]{1,200}\[\d+\]\Z)"  # .NET, on a terminal
    r"|\A(?:error|warn|info|verbose|debug)(?=: )"  # winston
    r"|(?<=\[)(?:Trace|Verbose|Debug|Info|Information|Note|Notice|Warn|Warning|Error|Severe|Critical|Fatal)(?=\])"
    r"|(?<=\w\.)(?:ALERT|EMERGENCY)(?=: )"  # Monolog
    r"|(?<=\[)(?:trace|debug|info|notice|warn(?:ing)?|error|crit(?:ical)?|fatal|alert|emerg|exception)\b"
    r"|(?<=[\[:])(?:trace|debug|info|success|notice|warn|error|fatal|crit|alert|emerg)(?=\])"
    r")"
)
# The text before a decoded path in messages about a request. Such a path may have blanks and brackets.
_BEFORE_PATH = Pattern(
    r": (?=/)"  # Django
    r"|\bException (?:on (?:request [A-Z]{3,20} )?|while serving )(?=/)"  # Flask, Quart, waitress
    r"|\bHTTP Request: path=(?=/)"  # Litestar
    r"|\blog_request_id\.middleware: (?=method=)"  # of Django
    r"|\b[\d.]{7,15}:\d{1,5} (?=[A-Z]{3,20} /)"  # hypercorn, as Quart runs it
)
# The level right after the time, in letters that elsewhere are those of any word.
_LEVEL_NEXT = Pattern(
    r"[ \t]{0,20}[\]|:-]?[ \t]{0,20}\[?"
    r"(trace|debug|info|notice|warn(?:ing)?|error|critical|fatal|trce|dbug|fail|TRC|DBG|INF|WRN|ERR|FTL|PNC"
    r"|TRCE|DEBG|ERRO|CRIT|ALERT|EMERG(?:ENCY)?|VERBOSE|FINE(?:R|ST)?|CONFIG)\b"
    r"|[ \t]\[[^\[\]\"]{1,80}\] (error|warn|info|verbose|debug)(?=: )"  # winston's manual
)
# The text before a time in a message: behind a level and a logger, or a level and a word of it.
_IN_MESSAGE = Pattern(
    r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):(?:[\w.]{1,100}:[^\[]|[ \t]+[^ \t\x08\[|-])"  # Python, uvicorn
    r"| {2,6}(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) {3}[^ \[]"  # FastAPI's command
    r"|\[(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\] [^ \[(|-]"  # granian
    r"|(?:TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d{4}\] "  # logrus, on a terminal
    r"|(?:trce|dbug|info|warn|fail|crit): [\w.+`<>]{1,200}\[\d{1,9}\]"  # .NET
)
# A level of one letter or sign, at its place in a line of klog, Android, MongoDB, Tornado and
# Jupyter, Rails' Semantic Logger, Mojolicious, and Redis.
_LETTER = Pattern(
    r"([IWEF])(?=\d{4}(?:\d{4})? \d\d:)"
    r"|\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+ +\d+ ([VDIWEFA]) "
    r"|\d{4}-\d\d-\d\dT[\d:.]{8,16}(?:Z|[+-]\d{4}) ([DIWEF])(?= +[A-Z]+ +\[)"
    r"|\[([DIWEC]) (?:\d{6}|\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,6} ([TDIWEF])(?= \[\d+:)"
    r"|(?:<\d>)?\[\d+\] \[([tdiwef])\] "
    # the servers of IBM
    r"|\[\d{1,4}[\d/:,.T+ -]{14,28}(?: [A-Z]{2,5})?\] [0-9a-f]{8} [\w.$]{1,200} +([IWEFD]) "
    r"|\d+:[CMSX] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-]) "
)
_LONGEST_IDS = 8192
# Behind this, a message in Apache's error log has a client's text without quotes.
_OF_CLIENT = "[client "
# A further line of Monolog. It has the message of an exception, and grep may find it without its record.
_PREVIOUS = "[previous exception] "
TIME_END = 120
"""The place in a line before which its time begins."""

_LEVEL_END = 160
_BEFORE_MESSAGE = " \t]|)-:"


def entry_of_usual(state: State, line: str, envelope: Peeled | None = None) -> Entry | None:
    """
    Return the entry of a *line* that is a usual access line of a server, in a quarter of the time of
    :func:`entry_of_text`, and the same; None for any other line.
    """
    for pattern in USUAL_ACCESS:
        match = pattern.match(line)
        if match is not None:
            return _usual(state, match, envelope)
    return None


def _usual(state: State, match: re.Match[str], envelope: Peeled | None) -> Entry:
    parts = match.groupdict("")
    stamp, others = parts.get("time", ""), parts.get("others", "")
    when = state.clock.read(stamp) if stamp else None
    if envelope is not None and envelope.time is not None:
        when = agreed(state.clock, when, stamp, envelope.time)
    access = {name: parts[name] for name in ("method", "path")}
    more: dict[str, Any] = {"access": {**access, "status": int(parts["status"])}}
    source = "" if envelope is None else envelope.source
    request_id = state.access_lines.last_id(others, state.service(source)) if others else ""
    if request_id:
        more["foreign"] = True
    is_undated = when is None and request_id != ""
    return Entry(
        state.at(when),
        LEVELS.get(parts.get("level", ""), 0),
        request_id,
        "",
        match.string,
        match.end("head"),
        state.more(more, "", "", envelope, is_undated),
        state.file,
    )


def entry_of_text(state: State, line: str, envelope: Peeled | None = None) -> Entry | None:
    """Return the entry of a *line*; None, if it has no time, level, id or fields of an access line."""
    return _Text(state, line, envelope).entry()


class _Text:
    """A line of which an entry is made: each method finds a part of it."""

    def __init__(self, state: State, line: str, envelope: Peeled | None) -> None:
        self.state = state
        self.envelope = envelope
        self.whole = COLORS.sub("", line) if "\x1b" in line else line
        self.plain = self.whole
        self.head_end = _end_of_head(self.whole)
        self.access_line = access_line(self.whole)
        if self.access_line is not None:
            # No id, time or level is searched in a client's text.
            hidden = without_clients_text(self.access_line, self.head_end)
            self.plain = hidden + self.whole[len(self.access_line.string) :]
            self.head_end = _end_of_head(self.plain)
        path = None
        if " /" in self.plain or "=/" in self.plain:
            path = _BEFORE_PATH.search(self.plain, 0, self.head_end + 1)
        self.has_path = path is not None
        if path is not None:
            self.head_end = path.start()
        self.time = self._time()
        self.level: re.Match[str] | None = None
        self.number = 0
        self._find_level()
        self.request_id = self.session_id = ""
        self.trace = self.span = self.service = self.call = self.words = ""

    def entry(self) -> Entry | None:
        """Return the entry; None, if no part is known."""
        parts = (part for part in (self.time, self.level) if part is not None)
        before_ids = max((part.end() for part in parts if part.start() < self.head_end), default=0)
        end = max(before_ids, self._find_ids())
        if end:
            rest = self.whole[end:]
            end += len(rest) - len(rest.lstrip(_BEFORE_MESSAGE))
        source = "" if self.envelope is None else self.envelope.source
        access, request_id = access_behind(self.state, self.whole, end, self.access_line, source)
        if access and not self.request_id:
            self.request_id = id_of(request_id)
        if not (self.time or self.level or self.request_id or access):
            return None
        when = self._when()
        more = self._more(access, is_undated=when is None and self.request_id != "")
        return Entry(
            self.state.at(when),
            self.number,
            id_of(self.request_id),
            id_of(self.session_id),
            self.whole,
            end + astral(self.whole[:end]),
            more,
            self.state.file,
        )

    def _time(self) -> re.Match[str] | None:
        time = find_time(self.plain, min(self.head_end, TIME_END))
        if time is None or self.access_line is not None:
            return time
        is_in_message = _IN_MESSAGE.match(self.plain, 0, time.start()) is not None
        return None if is_in_message else time

    def _find_level(self) -> None:
        """Find the level and its number: a letter at a known place, or a word before the message."""
        letter = _LETTER.match(self.plain)
        if letter is not None:
            self.level = letter
            self.number = LETTERS[letter[letter.lastindex or 0].upper()]
            return
        level = _LEVEL.search(self.plain, 0, min(self.head_end, _LEVEL_END))
        if level is None and self.time is not None:
            level = _LEVEL_NEXT.match(self.plain, self.time.end())
        if level is not None:
            self.level = level
            self.number = LEVELS[level[level.lastindex or 0].rstrip(":").upper()]

    def _find_ids(self) -> int:
        """Find the ids, and return the place behind them; 0, if they are not before the message."""
        plain = self.plain
        of_client = 0 if plain.startswith(_PREVIOUS) else plain.find(_OF_CLIENT)
        own = self._own_ids() if of_client < 0 else None
        if own is not None:
            self.request_id, self.session_id, self.words, self.call = own.groups("")
            return _before_message(plain, own.end()) if own.start() < self.head_end else 0
        if not (self.time or self.level or "RequestId" in plain or plain.startswith(("[", "("))):
            return 0
        server = plain if of_client < 0 else plain[: min(self.head_end, of_client)]
        ids = ids_in(server, min(self.head_end, len(server)), has_path=self.has_path)
        self.trace, self.span, self.service = trace_of(ids.trace), id_of(ids.span), ids.service
        self.request_id = id_of(ids.request) or self.trace
        self.session_id = id_of(ids.session)
        return _before_message(plain, ids.end)

    def _own_ids(self) -> re.Match[str] | None:
        """
        Return our ids where a formatter puts them: the first before the message, or those at the
        end of the line.
        """
        plain, match = self.plain, None
        place = plain.find("[req=")
        last = plain.rfind("[req=") if place >= 0 else -1
        while match is None and 0 <= place < self.head_end:
            match = OWN_IDS.match(plain, place, place + _LONGEST_IDS)
            place = plain.find("[req=", place + 1)
        if last >= 0 and (match is None or match.start() != last):
            at_end = OWN_IDS.match(plain, last, last + _LONGEST_IDS)
            is_at_end = at_end is not None and _before_message(plain, at_end.end()) == 0
            # A client's path may go on up to the end of the line.
            is_ours = self.state.has_ids_last or (match is None and not self.has_path)
            return at_end if is_at_end and is_ours else match
        if match is not None:
            self.state.has_ids_last = _before_message(plain, match.end()) == 0
        return match

    def _when(self) -> float | None:
        """Return the time of the line; None, if none is known."""
        clock = self.state.clock
        received = None if self.envelope is None else self.envelope.time
        stamp = self.time[0] if self.time is not None else ""
        if self.access_line is not None:
            times = self.access_line.groupdict("")
            if "utc" in times:
                stamp = f"{times['utc']}Z"
            elif not stamp and received is None:  # the envelope's is more exact
                stamp = times.get("time", "")
        if self.time is not None and not self.time.start() and is_in_utc(self.whole):
            stamp = f"{stamp}Z"
        when = clock.read(stamp) if stamp else None
        return when if received is None else agreed(clock, when, stamp, received)

    def _more(self, access: dict[str, Any] | None, *, is_undated: bool) -> dict[str, Any] | None:
        more: dict[str, Any] = {"access": access} if access else {}
        if self.trace:
            more["trace"] = self.trace
        if self.span:
            more["inner"] = self.span
        if self.service:
            more["service"] = self.service
        if self.request_id:
            more["foreign"] = True
        return self.state.more(more, self.call, self.words, self.envelope, is_undated) or None


def _end_of_head(line: str) -> int:
    """Return the place in *line* up to which all characters may be before a message."""
    head = _HEAD.match(line)
    assert head is not None
    return head.end()


def access_behind(
    state: State, plain: str, end: int, match: re.Match[str] | None, source: str = ""
) -> tuple[dict[str, Any] | None, str]:
    """
    Return the fields of a line with a message at *end*, and the id of its request, if it is an
    access line; *match* is the result of :func:`access_line`, and *source* that of the line.
    """
    access = access_in(plain[end:])
    if access is None and '"' in plain:
        access = access_in(_behind_level(plain))
    if match is None or (access is not None and "duration_ms" in access):
        return access, ""
    fields, request_id = state.access_lines.read(match, state.service(source))
    return {**(access or {}), **fields}, request_id


def _before_message(line: str, end: int) -> int:
    """Return *end*, or 0 if only the ends of brackets are behind it: then the message is before."""
    return end if line[end:].strip(" \t)]}>.") else 0


def _behind_level(line: str) -> str:
    """Return the part of a server's access line that begins with the client's address."""
    before, _, _ = line.partition(' - "')
    client = before.rpartition(" ")[2]
    return line[len(before) - len(client) :]
