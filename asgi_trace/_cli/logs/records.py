"""
Lines become entries: the time, the level, the ids, and the text to show.

A line is read by one of three ways: the head of our own text form, the fields of JSON and logfmt by
their names, and the text of other writers. Their names and forms are in the tables of ``names``,
``levels`` and ``texts``. This module handles neither files nor requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from ..._core.lines import NO_ID, parse_fields
from ..._core.patterns import Pattern
from .envelopes import COLORS, Peeled, in_pod, service_of, source_of_labels
from .fields import console_fields, is_in_utc, python_pairs
from .levels import LETTERS, LEVELS, NAMES, level_of
from .names import (
    ACCESS,
    BEGINNINGS,
    EXCEPTIONS,
    INSTANCES,
    NESTED_LISTS,
    NO_IDS,
    OF_ID,
    OWN_SPANS,
    PODS,
    ROLES,
    SERVERS_METHODS,
    SILENT,
    SPELLINGS,
    WEAK_LEVELS,
    WEAK_TIMES,
    flat,
    may_nest,
    plain_name,
)
from .own import own_fields
from .stamps import Run, Stamps
from .texts import (
    HOST,
    USUAL_ACCESS,
    UUID,
    AccessLines,
    Ids,
    access_in,
    access_line,
    ids_in,
    linked_in,
    milliseconds_in,
    outgoing_in,
    without_clients_text,
)
from .times import Clock, find_time, is_zoned

__all__ = (
    "ACCESS_FIELDS",
    "LONGEST_TEXT",
    "Entry",
    "Records",
    "astral",
    "is_of_access",
    "may_be_accesses",
    "more_of",
)


LONGEST_TEXT = 65_536
"""The most characters that are kept of an entry's text."""


class Entry(NamedTuple):
    """
    A line of a log, with those that continue it.

    ``time`` is in milliseconds since the epoch, and a whole number if the line has no fraction of a
    second. ``session_id`` may be cut; both ids are empty if there is none. ``message`` is the place
    in ``text`` where the message begins. ``more`` has values of few lines: ``access`` (the fields
    of an access line), ``call``, ``trace``, ``span``, ``parent`` (the caller's span), ``service``,
    ``source`` (the instance that wrote it), ``outgoing`` (the fields of a line about an outgoing
    call), ``inner`` (a tracer's span within the request), ``foreign`` (no formatter of ours wrote
    it, and it may leave out the span), and ``undated``: the line has no time that can be read, and
    ``time`` is that of the line before.
    """

    time: float
    level: int
    request_id: str
    session_id: str
    text: str
    message: int
    more: dict[str, Any] | None
    file: int


def more_of(trace: str, span: str, parent: str, service: str) -> dict[str, Any]:
    """Return the ``more`` of an :class:`Entry` with those that a line of ours names."""
    more = {"trace": trace}
    if span:
        more["span"] = span
    if parent:
        more["parent"] = parent
    if service:
        more["service"] = service
    return more


# -- lines of others -------------------------------------------------------------------------------

# The characters of the text before a message: a quote ends it, so that a client's text is not taken
# for an id. Sanic draws a frame around a traceback, Java has a dollar sign in names of classes, and
# asgi-correlation-id's manual has a backspace behind the level. A semicolon separates columns, where
# no blank is behind it: a browser's name has one.
_IN_HEAD = r"[\u256d\w:.,+/#|=@~$()<>{}*\[\] \t\x08-]"
_OTHERS_HEAD = Pattern(rf"{_IN_HEAD}{{0,400}}(?:;(?! ){_IN_HEAD}{{0,100}}){{0,8}}")
_OTHERS_LEVEL = Pattern(
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
_CAPITALS = Pattern(r"\b[A-Z]{3,}\b")
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
# Another formatter may put a thread or a level where ours has a call of MCP.
_OWN_IDS = Pattern(
    r"\[req=([^|\]]*)\|session=([^|\]]*)((?:\|[^|\]]*)*)\]"
    r"(?: \[([a-z]\w*/[^\] ]+(?: [^\]]*)?|(?:initialize|ping)(?: #[^\] ]+)?)\])?"
)
_LONGEST_IDS = 8192
# Behind this, a message in Apache's error log has a client's text without quotes.
_OF_CLIENT = "[client "
# A further line of Monolog. It has the message of an exception, and grep may find it without its record.
_PREVIOUS = "[previous exception] "
_TIME_END = 120
_LEVEL_END = 160
# For the times of an envelope and of the line in it, in milliseconds: a zone is a multiple of the
# first number (Nepal has +05:45), and a line is received within the second one.
_ZONE_STEP = 900_000
_RECEIVED = 2_000

_ROLE_NAMES = tuple(ROLES)
_MESSAGE = _ROLE_NAMES.index("message")
_REQUEST = _ROLE_NAMES.index("request")
_TRACE = _ROLE_NAMES.index("trace")
_SPAN = _ROLE_NAMES.index("span")
_FURTHER = ("time", "level", "request", "session", "trace")


class _Roles(NamedTuple):
    """
    A line's names for our roles, in their order; ``""``, which no field has as its name, for a
    missing one. ``further`` has those that are read if the value of the first one is empty.
    """

    ours: tuple[str, ...]
    exceptions: tuple[str, ...]
    others: tuple[str, ...]
    access: tuple[str, str, str, str, float] | None
    source: str
    pods: tuple[str, ...]
    nesting: tuple[str, ...]
    further: dict[str, tuple[str, ...]]


@lru_cache(maxsize=1024)
def _roles(names: tuple[str, ...]) -> _Roles:
    """A log has few sets of names, so this is worked out for each once."""
    among = set(names)
    # Those in the spelling of a table, then those in any other.
    found = {role: [name for name in ROLES[role] if name in among] for role in _ROLE_NAMES}
    for name in names:
        for role in _roles_of(name):
            if name not in found[role]:
                found[role].append(name)
    if "error_severity" in among:  # of PostgreSQL, whose sessions are connections
        found["session"].clear()
    ours = tuple(next(iter(found[role]), "") for role in _ROLE_NAMES)
    further = {role: tuple(found[role][1:]) for role in _FURTHER if len(found[role]) > 1}
    exceptions = tuple(name for name in EXCEPTIONS if name in among)
    known = {
        *ours,
        *exceptions,
        *SILENT,
        *(name for role in ("request", "session", "time") for name in ROLES[role]),
    }
    others = tuple(name for name in names if name not in known)
    rows = [row for row in ACCESS if _is_access(row, among)]
    access = max(
        rows,
        key=lambda row: (row[3] in among, sum(name in among for name in row[:2])),
        default=None,
    )
    source = next((name for name in INSTANCES if name in among), "")
    pods = tuple(name for name in PODS if name in among)
    nesting = tuple(filter(may_nest, names))
    return _Roles(ours, exceptions, others, access, source, pods, nesting, further)


@lru_cache(maxsize=4096)
def _roles_of(name: str) -> tuple[str, ...]:
    """Return the roles that a field with this *name*, in any spelling, may have."""
    plain = plain_name(name)
    return tuple(role for role in _ROLE_NAMES if plain in SPELLINGS[role])


def _is_access(row: tuple[str, str, str, str, float], names: Set[str]) -> bool:
    """
    Whether the *names* of a line's fields are those of a *row* of access lines: a status, and a
    duration of a request. If the status or the method has its own name, one of these two is enough.
    """
    method, path, status, duration, _ = row
    if status not in names:
        return False
    has_request = method in names or path in names
    is_enough = "." in status or (method in names and method in SERVERS_METHODS)
    return has_request + (duration in names) >= (1 if is_enough else 2)


_new = tuple.__new__
_NO_MORE: dict[str, Any] = {}
# The values of a column that is empty in a store.
_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_MOST_HEADS = 4096
# The fields of an access line of ours, except the time to the first byte.
ACCESS_FIELDS = frozenset(
    ("method", "path", "status", "duration_ms", "bytes", "transport", "client")
)


# After a duration; after the request, in a server's own line; after neither a duration nor a size;
# after a size; and in the lines of runserver and quart, before the method and after the path.
MARKS_OF_ACCESS = ("ms ", '" ', "- - ", "B ", "HTTP ", " 1.1 ")


def may_be_access(message: str) -> bool:
    """Whether a *message* of ours may be an access line: it has one of ``MARKS_OF_ACCESS``."""
    # In a loop, this would take twice as long.
    return (
        "ms " in message
        or '" ' in message
        or "- - " in message
        or "B " in message
        or "HTTP " in message
        or " 1.1 " in message
    )


def may_be_accesses(messages: Sequence[str], joined: str) -> list[int]:
    """Return the places of the *messages* for which :func:`may_be_access` is true."""
    places: list[int] = []
    for mark, pattern in _FINDERS:
        if mark.strip()[0] not in joined:  # a search for one character takes no time
            continue
        # Most often, the messages with one mark are those with the others.
        known = sum(messages[place].count(mark) for place in places)
        if not places or len(pattern.findall(joined)) > known:
            others = [place for place, message in enumerate(messages) if mark in message]
            places = sorted({*places, *others})
    return places


def _finder(mark: str) -> re.Pattern[str]:
    """
    Return an expression for each *mark* in a text: one that begins with a single character takes a
    third of the time of a search for a short text, where the character is rare.
    """
    blanks = len(mark) - len(mark.lstrip())
    first, rest = re.escape(mark[blanks]), re.escape(mark[blanks + 1 :])
    return Pattern(rf"{first}(?<={' ' * blanks}{first})(?={rest})")


_FINDERS = [(mark, _finder(mark)) for mark in MARKS_OF_ACCESS]


class Records:
    """
    Makes entries of the lines of one log.

    :param file: the log's number.
    :param clock: reads the log's times.
    :param access_lines: of the same log.
    """

    def __init__(self, file: int, clock: Clock, access_lines: AccessLines | None = None) -> None:
        self.when: float | None = None  # of the line before
        self.first_when: float | None = None
        self.undated = 0
        self.file = file
        self.clock = clock
        self.access_lines = access_lines or AccessLines()
        # whether our ids are at the end of the lines of another formatter: a client's text may then
        # have the same brackets before them
        self.has_ids_last = False
        self._origins: dict[str, dict[str, Any]] = {}
        self.heads: dict[str, tuple[float, int]] = {}  # time and level by their text
        # The level in a front of another formatter, see :mod:`others`; None, if it has no usual one.
        self.fronts: dict[tuple[str, int, str], int | None] = {}

    # -- our own text ------------------------------------------------------------------------------

    def own(self, match: re.Match[str], line: str, envelope: Peeled | None = None) -> Entry:
        """Return the entry of a *line* of ours; *match* is that of its head."""
        head, request_id, session_id, words, call, _ = match.groups("")
        is_undated = False
        known = self.head(head)
        received = None if envelope is None else envelope.time
        if known is not None:
            when, level = known
            if received is not None:
                when = self._agreed(when, head.partition(" - ")[0], received) or 0
            if when != self.when:
                self.at(when)
        else:
            stamp, _, name = head.partition(" - ")
            level = _level_in(name)
            moment = None if received is None else self.clock.read_value(received)
            if moment is None:
                moment = self._searched_time(stamp)
                is_undated = moment is None
            when = self.at(moment)
        end = match.end()
        more: dict[str, Any] | None = None
        message = line[end:]
        if may_be_access(message):
            access = access_in(message)
            more = outgoing_in(message) if access is None else {"access": access}
        if call or words or envelope is not None or is_undated:
            more = self._more(more, call, words, envelope, is_undated)
        if request_id == NO_ID:
            request_id = ""
        if session_id == NO_ID:
            session_id = ""
        if not line.isascii():
            end += astral(line[:end])
        return Entry(when, level, request_id, session_id, line, end, more, self.file)

    def head(self, head: str) -> tuple[float, int] | None:
        """
        Return the time and the level in the *head* of a line of ours; None, if the time has no
        known form.
        """
        known = self.heads.get(head)
        if known is not None:
            return known
        stamp, _, name = head.partition(" - ")
        moment = self.clock.read(stamp)
        if moment is None:
            return None
        head_values = moment, _level_in(name)
        # A bare time may be of the next day later, and one of an hour that comes twice of the second.
        if stamp[2:3] != ":" and not self.clock.is_ambiguous:
            if len(self.heads) >= _MOST_HEADS:
                self.heads.clear()
            self.heads[head] = head_values
        return head_values

    def agreed(
        self,
        times: Sequence[float],
        stamps: Set[str],
        lines: Sequence[str],
        received: Sequence[Any],
        odd: Sequence[int],
    ) -> list[float]:
        """
        Return the *times* of *lines* of our text that were *received* at those of their envelopes.

        :param stamps: the texts of the times.
        :param odd: the places of lines whose time is not used.
        """
        is_zone_missing = not any(map(is_zoned, stamps))
        if isinstance(received, Stamps) and is_zone_missing:
            agreed = self._agreed_in_runs(times, received, odd)
            if agreed is not None:
                return agreed
        moments = self.clock.read_all(received) if is_zone_missing else None
        if moments is None:
            return [
                self._agreed(when, line.partition(" - ")[0], moment) or 0
                for when, line, moment in zip(times, lines, received, strict=True)
            ]
        # _nearest(), mostly without the call of it: a time that has a fraction is most often in this
        # zone, and one in whole seconds was most often just received.
        most = {float: _ZONE_STEP // 2, int: _RECEIVED}
        return [
            (moment if type(when) is int else when)
            if abs(moment - when) < most[type(when)]
            else _nearest(when, moment)
            for when, moment in zip(times, moments, strict=True)
        ]

    def _agreed_in_runs(
        self, times: Sequence[float], received: Stamps, odd: Sequence[int]
    ) -> list[float] | None:
        """
        Return the result of :meth:`agreed` for *times* without a zone; None, if one of the envelopes
        has no known second.
        """
        own = list(times)
        for place in odd:  # so that it is no special one among those of its second
            own[place] = own[place - 1]
        agreed: list[float] = []
        for run in received.runs:
            second = received.second(run, self.clock)
            if second is None:
                return None
            agreed += _agreed_in_run(own[run.start : run.end], received, run, second)
        return agreed

    def origin(self, source: str) -> dict[str, Any]:
        """Return the values of an entry's *source*, a shared dict that callers must not change."""
        return self._origin(source)

    def own_named(self, line: str) -> Entry | None:
        """
        Return the entry of a *line* of ours in JSON or logfmt, without going through its fields.

        None for a line with other fields: :meth:`named` gives the same result for all lines.
        """
        row = own_fields(line)
        if row is None:
            return None
        (
            stamp,
            level,
            logger,
            message,
            quoted,
            request_id,
            session_id,
            trace,
            span,
            parent,
            service,
            access,
            first_byte,
        ) = row
        when = self.clock.read(stamp)
        number = LEVELS.get(level)
        if when is None or number is None or request_id in NO_IDS or trace in NO_IDS:
            return None
        more = more_of(trace, span, parent, service)
        message = message or quoted
        if not access:
            if is_of_access(logger):
                return None
            aside = f" logger={logger}"
        else:
            # The message has the values of all fields: they are not shown beside it.
            fields = access_in(message)
            if fields is None or not ACCESS_FIELDS.issubset(fields):
                return None
            if first_byte and "ttfb_ms" not in fields:
                return None
            more["access"] = fields
            aside = ""
        if when != self.when:
            self.at(when)
        if session_id in NO_IDS:
            session_id = ""
        shown_session = session_id or NO_ID
        text = f"{stamp} - {level} - [req={request_id}|session={shown_session}] - {message}{aside}"
        end = len(text) - len(message) - len(aside)
        # Half of the time that Entry() takes.
        return _new(Entry, (when, number, request_id, session_id, text, end, more, self.file))

    def details(self, words: str, call: str) -> dict[str, Any] | None:
        """Return the values in the *words* of a bracket, and in the *call* after it."""
        return self._more(None, call, words, None, is_undated=False)

    def _more(
        self,
        more: dict[str, Any] | None,
        call: str,
        words: str,
        envelope: Peeled | None,
        is_undated: bool,
    ) -> dict[str, Any] | None:
        origin = self._origin(envelope.source) if envelope is not None else _NO_MORE
        if not (more or call or words or is_undated):
            return origin or None
        merged = {**origin, **(more or _NO_MORE)}
        if call:
            merged["call"] = call
        for word in words.split("|"):
            name, _, value = word.partition("=")
            if name in ("span", "parent", "service") and value and value != NO_ID:
                merged[name] = value
        if is_undated:
            merged["undated"] = True
            self.undated += 1
        return merged

    def _origin(self, source: str) -> dict[str, Any]:
        if not source:
            return _NO_MORE
        origin = self._origins.get(source)
        if origin is None:
            if len(self._origins) > 10_000:
                self._origins.clear()
            origin = self._origins[source] = {"source": source, "service": service_of(source)}
        return origin

    def _service(self, source: str) -> str:
        service: str = self._origin(source).get("service", "")
        return service

    # -- JSON and logfmt ---------------------------------------------------------------------------

    def named(self, fields: dict[str, Any], envelope: Peeled | None = None) -> Entry | None:
        """Return the entry of a line with *fields*, written as text; None when it has none that is known."""
        fields.pop("", None)
        given = fields
        roles = _roles(tuple(fields))
        outer_id = ""
        if roles.nesting and _nests(fields, roles.nesting):
            outer_id = _id(fields.get(roles.ours[_REQUEST])) or _further_id(
                fields, roles, "request"
            )
            if outer_id and type(message := fields.get(roles.ours[_MESSAGE])) is dict:
                # A program has logged an object, perhaps of a client: its names are no fields.
                fields = {**fields, roles.ours[_MESSAGE]: _shown(message)}
            fields = _opened(fields)
            fields.pop("", None)
            roles = _roles(tuple(fields))
        get = fields.get
        (
            stamp,
            level,
            message,
            request_id,
            session_id,
            trace,
            span,
            parent,
            service,
            logger,
            method,
            tool,
            number,
        ) = map(get, roles.ours)
        types = WEAK_TIMES.get(roles.ours[0])
        if types is not None and not isinstance(stamp, types):
            stamp = None
        level_name = roles.ours[1]
        others = roles.others
        if level_name in WEAK_LEVELS and not level_of(level_name, level, fields):
            level, others = None, (*others, level_name)
        is_named = message is not None or stamp is not None or level is not None
        if not is_named and roles.access is None and not request_id:
            return None
        if level is None and "@t" in fields:  # Serilog leaves it out
            level = "Information"
        number_of_level = LEVELS.get(level, -1) if type(level) is str else -1
        if number_of_level < 0:
            if type(level) is str and "\x1b" in level:  # winston, with the colors of a terminal
                level = COLORS.sub("", level)
            number_of_level = level_of(level_name, level, fields)
        if not number_of_level and "level" in roles.further:
            level, number_of_level = _further_level(fields, roles, level)
        if type(stamp) is str and "date" in fields and _is_clock(stamp):
            stamp = _with_date(stamp, fields)
        when = self.clock.read_value(stamp)
        if when is None and "time" in roles.further:
            stamp, when = self._further_time(fields, roles, stamp)
        if envelope is not None and envelope.time is not None:
            when = self._agreed(when, stamp if isinstance(stamp, str) else "Z", envelope.time)
        more: dict[str, Any] = {}
        if envelope is not None and envelope.source:
            more.update(self._origin(envelope.source))
        elif roles.source:
            more.update(self._origin(_source_in(fields, roles.source, roles.pods)))
        if when is None:
            more["undated"] = True
            self.undated += 1
        when = self.at(when)
        if request_id is None and roles.access is not None and not OF_ID.isdisjoint(fields):
            request_id = get("id")
        request_id, session_id, trace = outer_id or _id(request_id), _id(session_id), _id(trace)
        if roles.further:
            request_id = request_id or _further_id(fields, roles, "request")
            session_id = session_id or _further_id(fields, roles, "session")
            trace = trace or _further_id(fields, roles, "trace")
        tags = get("tags")
        if not request_id and type(tags) is list:
            request_id = next((tag for tag in tags if type(tag) is str and _is_uuid(tag)), "")
        if not request_id and "channel" in given:
            request_id = _uid_in(given)
        message = _shown(message)
        if message.startswith("[req=") and not request_id:
            message, request_id, session_id = self._behind_own_ids(message, session_id, more)
        exceptions = roles.exceptions
        if not trace and message[-1:] == "|":  # of New Relic's agents
            linked = linked_in(message, Ids())
            trace, span, service = linked.trace, span or linked.span, service or linked.service
        if trace:
            trace = _trace_in(trace)
            if trace:
                more["trace"] = trace
            elif roles.ours[_TRACE] == "trace":  # a traceback
                exceptions = (*exceptions, "trace")
        # A tracer's span may be a span within the request.
        is_own_span = request_id and roles.ours[_SPAN] in OWN_SPANS
        request_id = request_id or trace
        for name, value in (("span" if is_own_span else "inner", span), ("parent", parent)):
            if value and (value := _id(_id(value).removeprefix("0x"))):
                more[name] = value
        if request_id and not trace and "span" not in more:
            more["foreign"] = True
        row = roles.access
        if row is not None and row[3] == "service":  # of Heroku's router: a duration
            if isinstance(service, str) and milliseconds_in(service) is not None:
                service = None
            else:
                row = None
        if service and isinstance(service, str):
            more["service"] = service
        if method:
            words = " ".join(filter(None, map(_shown, (method, tool))))
            more["call"] = f"{words} #{_shown(number)}" if number else words
        outgoing = outgoing_in(message)
        if outgoing is not None:
            more |= outgoing
        else:
            is_access_logger = not logger or is_of_access(_shown(logger))
            access = access_in(message) if is_access_logger else None
            if access is not None:
                logger = None
                # A field of ours whose name a log store uses for another one has a mark at its end.
                others = tuple(name for name in others if name.removesuffix("_") not in access)
                if row is not None and "duration_ms" not in access:
                    beside = _access_of(fields, row) or _NO_MORE
                    if beside.get("status") == access.get("status"):
                        access = {**beside, **access}
            elif row is not None and (is_access_logger or row[0] != "method"):
                access = _access_of(fields, row)
            elif message in BEGINNINGS:
                access = _request_in(fields, *BEGINNINGS[message]) or None
            if access is not None:
                more["access"] = access
        if level is not None and (type(level) is not str or level.isdecimal()):
            level = NAMES[number_of_level]
        shown_stamp = stamp if type(stamp) is str else _shown_time(when, stamp)
        head = f"{shown_stamp} - {_shown(level)} - [req={request_id or NO_ID}|session={session_id or NO_ID}] - "
        aside = f" logger={_shown(logger)}" if logger else ""
        if others:
            aside += "".join(
                [f" {name}={_shown(fields[name])}" for name in others if fields[name] not in _EMPTY]
            )
        first, line_feed, further = message.partition("\n")
        text = f"{head}{first}{aside}{line_feed}{further}"
        if exceptions:
            traces = (
                _behind(message, _shown_trace(fields[name]))
                for name in exceptions
                if fields[name] not in _EMPTY
            )
            text = "\n".join((text, *filter(None, traces)))
        end = len(head) if head.isascii() else len(head) + astral(head)
        return Entry(
            when, number_of_level, request_id, session_id, text, end, more or None, self.file
        )

    def _further_time(
        self, fields: dict[str, Any], roles: _Roles, stamp: Any
    ) -> tuple[Any, float | None]:
        """Return the first of the further values of *fields* that is a time; else *stamp*, and None."""
        for name in roles.further["time"]:
            types = WEAK_TIMES.get(name)
            if types is None or isinstance(fields[name], types):
                when = self.clock.read_value(fields[name])
                if when is not None:
                    return fields[name], when
        return stamp, None

    def _behind_own_ids(
        self, message: str, session_id: str, more: dict[str, Any]
    ) -> tuple[str, str, str]:
        """
        Return a *message* without our ids, which begin it where a program's own format is JSON or
        logfmt, and these ids; fill *more* with what else is in the bracket.
        """
        match = _OWN_IDS.match(message)
        if match is None:
            return message, "", session_id
        request_id, session_id, words, call = match.groups("")
        more.update(self.details(words, call) or _NO_MORE)
        return message[match.end() :].lstrip(" -|"), _id(request_id), _id(session_id)

    def beside(self, line: str, envelope: Peeled) -> Entry | None:
        """Return the entry of a *line* with the ids that its envelope has beside it; None without any."""
        fields = envelope.beside
        if not fields:
            return None
        roles = _roles(tuple(fields))
        ids = (fields.get(name) for name in (roles.ours[_REQUEST], roles.ours[_TRACE]))
        if not any(map(_id, ids)):
            return None
        return self.named({**fields, "timestamp": envelope.time, "message": line}, envelope)

    # -- the text of others ------------------------------------------------------------------------

    def other(self, line: str, envelope: Peeled | None = None) -> Entry | None:
        """Return the entry of a line that is not of our text form; None when its form is unknown."""
        for pattern in USUAL_ACCESS:  # in a quarter of the time of the rest
            usual = pattern.match(line)
            if usual is not None:
                return self._usual(usual, envelope)
        fields = _fields_in(line, envelope)
        if fields is not None and len(fields) > 1:
            if line[0] != "{":
                fields = _with_whole_time(fields)
            entry = self.named(fields, envelope)
            if entry is not None:
                return entry
        plain = COLORS.sub("", line) if "\x1b" in line else line
        whole = plain
        head = _OTHERS_HEAD.match(plain)
        assert head is not None
        match = access_line(plain)
        if match is not None:
            # No id, time or level is searched in a client's text.
            plain = without_clients_text(match, head.end()) + plain[len(match.string) :]
            head = _OTHERS_HEAD.match(plain)
            assert head is not None
        head_end = head.end()
        path = None
        if " /" in plain or "=/" in plain:
            path = _BEFORE_PATH.search(plain, 0, head_end + 1)
        if path is not None:
            head_end = path.start()
        time = find_time(plain, min(head_end, _TIME_END))
        if time and match is None and _IN_MESSAGE.match(plain, 0, time.start()) is not None:
            time = None
        letter = _LETTER.match(plain)
        level = None if letter else _OTHERS_LEVEL.search(plain, 0, min(head_end, _LEVEL_END))
        if time and not level and not letter:
            level = _LEVEL_NEXT.match(plain, time.end())
        of_client = 0 if plain.startswith(_PREVIOUS) else plain.find(_OF_CLIENT)
        own = None if of_client >= 0 else self._own_ids(plain, head_end, path is not None)
        request_id = session_id = trace = span = service = call = words = ""
        ends = [
            match.end() for match in (time, level, letter) if match and match.start() < head_end
        ]
        if own:
            request_id, session_id, words, call = own.groups("")
            if own.start() < head_end:
                ends.append(_before_message(plain, own.end()))
        elif time or level or letter or "RequestId" in plain or plain.startswith(("[", "(")):
            server = plain if of_client < 0 else plain[: min(head_end, of_client)]
            ids = ids_in(server, min(head_end, len(server)), has_path=path is not None)
            request_id, session_id, trace, span = (
                _id(ids.request),
                _id(ids.session),
                _trace_in(ids.trace),
                _id(ids.span),
            )
            request_id = request_id or trace
            service = ids.service
            ends.append(_before_message(plain, ids.end))
        end = max(ends, default=0)
        plain = whole
        if end:
            end += len(plain[end:]) - len(plain[end:].lstrip(" \t]|)-:"))
        source = "" if envelope is None else envelope.source
        access, id_in_access = self.access(plain, end, match, source)
        if access and not request_id:
            request_id = _id(id_in_access)
        if not (time or level or letter or request_id or access):
            return None
        stamp = time[0] if time else ""
        received = None if envelope is None else envelope.time
        if match is not None:
            times = match.groupdict("")
            if "utc" in times:
                stamp = f"{times['utc']}Z"
            elif not stamp and received is None:  # the envelope's is more exact
                stamp = times.get("time", "")
        if time and not time.start() and is_in_utc(plain):
            stamp = f"{stamp}Z"
        when = self.clock.read(stamp) if stamp else None
        if received is not None:
            when = self._agreed(when, stamp, received)
        more: dict[str, Any] | None = {"access": access} if access else {}
        assert more is not None
        if trace:
            more["trace"] = trace
        if span:
            more["inner"] = span
        if service:
            more["service"] = service
        if request_id:
            more["foreign"] = True
        more = self._more(more, call, words, envelope, is_undated=when is None and request_id != "")
        number = 0
        if letter:
            number = LETTERS[letter[letter.lastindex or 0].upper()]
        elif level:
            number = LEVELS[level[level.lastindex or 0].rstrip(":").upper()]
        when = self.at(when)
        end += astral(plain[:end])
        return Entry(
            when, number, _id(request_id), _id(session_id), plain, end, more or None, self.file
        )

    def _usual(self, match: re.Match[str], envelope: Peeled | None) -> Entry:
        """Return the entry of a *match* of ``USUAL_ACCESS``, as :meth:`other` does without this."""
        parts = match.groupdict("")
        stamp, others = parts.get("time", ""), parts.get("others", "")
        when = self.clock.read(stamp) if stamp else None
        if envelope is not None and envelope.time is not None:
            when = self._agreed(when, stamp, envelope.time)
        access = {name: parts[name] for name in ("method", "path")}
        more: dict[str, Any] = {"access": {**access, "status": int(parts["status"])}}
        source = "" if envelope is None else envelope.source
        request_id = self.access_lines.last_id(others, self._service(source)) if others else ""
        if request_id:
            more["foreign"] = True
        is_undated = when is None and request_id != ""
        return Entry(
            self.at(when),
            LEVELS.get(parts.get("level", ""), 0),
            request_id,
            "",
            match.string,
            match.end("head"),
            self._more(more, "", "", envelope, is_undated),
            self.file,
        )

    def _own_ids(self, plain: str, head_end: int, has_path: bool) -> re.Match[str] | None:
        """
        Return our ids where a formatter puts them: the first before the message, or those at the
        end of the line.

        :param has_path: whether the line has a client's path, which may go on up to its end.
        """
        match = None
        place = plain.find("[req=")
        last = plain.rfind("[req=") if place >= 0 else -1
        while match is None and 0 <= place < head_end:
            match = _OWN_IDS.match(plain, place, place + _LONGEST_IDS)
            place = plain.find("[req=", place + 1)
        if last >= 0 and (match is None or match.start() != last):
            at_end = _OWN_IDS.match(plain, last, last + _LONGEST_IDS)
            is_at_end = at_end is not None and _before_message(plain, at_end.end()) == 0
            if is_at_end and (self.has_ids_last or (match is None and not has_path)):
                return at_end
            return match
        if match is not None:
            self.has_ids_last = _before_message(plain, match.end()) == 0
        return match

    def access(
        self, plain: str, end: int, match: re.Match[str] | None, source: str = ""
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
        fields, request_id = self.access_lines.read(match, self._service(source))
        return {**(access or {}), **fields}, request_id

    def unknown(self, line: str, envelope: Peeled | None = None) -> Entry:
        """
        Return the entry of a line of an unknown form: its time and source are the envelope's, if
        there is one.
        """
        when = None
        more = None
        if envelope is not None:
            when = self.clock.read_value(envelope.time)
            more = self._origin(envelope.source) or None
        return Entry(self.at(when), 0, "", "", line, 0, more, self.file)

    def dated(self, entry: Entry) -> Entry:
        """Return *entry* with the time of the line before as its own."""
        more = dict(entry.more or _NO_MORE)
        if more.pop("undated", False):
            self.undated -= 1
        return entry._replace(more=more or None)

    # -- time --------------------------------------------------------------------------------------

    def at(self, when: float | None) -> float:
        """
        Note a time, and return it; for None return that of the line before, or -1 without one.
        """
        if when is None:
            return -1 if self.when is None else self.when
        if self.when is None:
            self.first_when = when
        self.when = self.clock.last = when
        return when

    def _searched_time(self, text: str) -> float | None:
        match = find_time(text, _TIME_END)
        return self.clock.read(match[0]) if match else None

    def agreed_at(self, when: float, stamp: str, received: Any) -> float:
        """
        Return the time *when*, written as *stamp*, of a line that was *received* at the time of its
        envelope; None for *received* is an unknown time.
        """
        agreed = when if received is None else self._agreed(when, stamp, received)
        return when if agreed is None else agreed

    def _agreed(self, when: float | None, stamp: str, received: Any) -> float | None:
        """
        Return the time of a line that was *received* at the time of its envelope: its own time, if
        that is complete.

        The envelope's time replaces one without a zone, and one without a fraction of the second.
        """
        moment = self.clock.read_value(received)
        if moment is None or when is None:
            return moment if when is None else when
        if is_zoned(stamp):
            return when if type(moment) is int else _received(when, moment)
        if isinstance(received, str) and not is_zoned(received):
            return when
        return _nearest(when, moment)


def _agreed_in_run(
    own: Sequence[float], received: Stamps, run: Run, second: int
) -> Sequence[float]:
    """Return the result of :func:`_nearest` for the *own* times of the lines of a *run*."""
    distinct = set(own)
    if len(set(map(type, own))) > 1:  # an int may be equal to a float
        return list(map(_nearest, own, received.moments(run, second)))
    if all(_is_kept(when, second, second + 1000) for when in distinct):
        return own
    moments = received.moments(run, second)
    latest = max(moments)
    replaced = {when for when in distinct if _is_replaced(when, second, latest)}
    if len(replaced) == len(distinct):
        return moments
    return [
        moment if when in replaced else _nearest(when, moment)
        for when, moment in zip(own, moments, strict=True)
    ]


def _is_kept(when: float, first: float, last: float) -> bool:
    """Whether :func:`_nearest` returns *when* for all moments from *first* to *last*."""
    is_of_zone = abs(first - when) < _ZONE_STEP // 2 > abs(last - when)
    is_late = first - when >= _RECEIVED or when - last >= _RECEIVED
    return is_of_zone and (is_late or type(when) is float)


def _is_replaced(when: float, first: float, last: float) -> bool:
    """Whether :func:`_nearest` returns the moment for all moments from *first* to *last*."""
    return type(when) is int and last - when < _RECEIVED and when - first < _RECEIVED


def _nearest(when: float, moment: float) -> float:
    """Return a time without a zone in the zone that brings it nearest to *moment*."""
    return _received(when + round((moment - when) / _ZONE_STEP) * _ZONE_STEP, moment)


def _received(when: float, moment: float) -> float:
    """Return the *moment* at which a line was received for its time in whole seconds, if they agree."""
    is_whole = type(when) is int
    return moment if is_whole and abs(moment - when) < _RECEIVED else when


# -- parts -----------------------------------------------------------------------------------------


def _fields_in(line: str, envelope: Peeled | None) -> dict[str, Any] | None:
    """Return the fields of a *line* that is made of names and values; None for any other line."""
    if line[:1].isdigit() or line.startswith("["):
        fields = console_fields(line)
        if fields is not None or "\thttp.log." in line:
            return fields
    if not line.startswith("{") and _BEGINS_PAIR.match(line) is None:
        return None
    if envelope is not None and envelope.fields is not None:
        return envelope.fields
    if " [req=" in line and _PAIRS_BEFORE_IDS.match(line) is not None:
        return None
    return python_pairs(line) or parse_fields(line)


# A format of a program's own, such as level=%(levelname)s %(message)s, in which our ids are before the
# message. Only names of which no client chooses the value, as the attributes of a record.
_OF_RECORD = (
    *(name for role in ("time", "level", "logger", "service") for name in ROLES[role]),
    *(
        "asctime",
        "levelname",
        "name",
        "app",
        "env",
        "host",
        "hostname",
        "pid",
        "process",
        "processName",
    ),
    *(
        "thread",
        "threadName",
        "taskName",
        "module",
        "pathname",
        "filename",
        "file",
        "lineno",
        "line",
        "funcName",
    ),
)
_PAIRS_BEFORE_IDS = Pattern(
    rf"(?:(?:{'|'.join(map(re.escape, _OF_RECORD))})=[^ \"=\[]{{0,200}} (?:\d\d:\d\d:\d\d[^ \"=]{{0,20}} )?)"
    r"{1,16}\[req=[^|\]]*\|session="
)
# The names of ECS have dots.
_BEGINS_PAIR = Pattern(r"@?[\w.]+=")
# Among the tags of Rails, which Semantic Logger writes as a list.
_is_uuid = re.compile(UUID).fullmatch
_UID = Pattern(r"[0-9a-f]{7,32}")
_is_date = re.compile(r"\d{4}[-/]\d\d[-/]\d\d").fullmatch
_is_clock = re.compile(r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?").fullmatch
_is_offset = re.compile(r"[+-]\d\d:?\d\d").fullmatch


def _with_date(clock: str, fields: dict[str, Any]) -> str:
    """
    Return the time of day *clock* with the date, and the offset of FortiGate, which are *fields* of
    their own. A log with the names of W3C's extended format is in UTC.
    """
    date, zone = fields["date"], fields.get("tz")
    if type(date) is not str or not _is_date(date):
        return clock
    if "cs-method" in fields:
        zone = "Z"
    elif type(zone) is not str or not _is_offset(zone):
        zone = ""
    return f"{date} {clock}{zone}"


def _further_level(fields: dict[str, Any], roles: _Roles, level: Any) -> tuple[Any, int]:
    """Return the first of the further values of *fields* that is a level; else *level*, and 0."""
    for name in roles.further["level"]:
        number = 0 if name in WEAK_LEVELS else level_of(name, fields[name], fields)
        if number:
            return fields[name], number
    return level, 0


def _uid_in(fields: dict[str, Any]) -> str:
    """Return the id of Monolog's ``UidProcessor`` in *fields*, or "": a program's own uid is a user's."""
    extra = fields.get("extra")
    uid = extra.get("uid") if type(extra) is dict and "level_name" in fields else None
    return uid if type(uid) is str and _UID.fullmatch(uid) else ""


def _further_id(fields: dict[str, Any], roles: _Roles, role: str) -> str:
    """Return the first of the further values of *fields* that is an id in this *role*; "" without one."""
    for name in roles.further.get(role, ()):
        found = _id(fields[name])
        if found:
            return found
    return ""


def _with_whole_time(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* of logfmt with a time that is written without quotes as one value."""
    names = list(fields)
    for name, clock in pairwise(names):
        value = fields[name]
        if fields[clock] == "true" and type(value) is str and _is_date(value) and _is_clock(clock):
            joined = {**fields, name: f"{value} {clock}"}
            del joined[clock]
            return joined
    return fields


def _nests(fields: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(type(fields[name]) in (dict, list) for name in names)


def _opened(fields: dict[str, Any]) -> dict[str, Any]:
    """
    Return *fields* with nested ones beside them, also those in a list of spans or scopes.
    """
    opened = flat(fields)
    for parts in map(fields.get, NESTED_LISTS):
        if isinstance(parts, list):
            for part in reversed(parts[-8:]):
                if isinstance(part, dict):
                    for name, value in part.items():
                        if name not in _OF_PARTS:
                            opened.setdefault(name, value)
    for name in NESTED_LISTS:
        opened.pop(name, None)
    return opened


# The fields of a span or scope that describe itself.
_OF_PARTS = frozenset(("name", "Message", "{OriginalFormat}"))


def _source_in(fields: dict[str, Any], name: str, pods: Sequence[str]) -> str:
    value = fields[name]
    if not isinstance(value, str):
        return ""
    return source_of_labels(value) if value.startswith("{") else in_pod(name, fields, pods)[:512]


def _access_of(
    fields: dict[str, Any], row: tuple[str, str, str, str, float]
) -> dict[str, Any] | None:
    method, path, status, duration, factor = row
    code = fields.get(status)
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    access: dict[str, Any] = {"status": code}
    if method == path:  # GET /path HTTP/1.1
        words = _shown(fields[path]).split(" ")
        if len(words) >= 2:
            access["method"], access["path"] = words[:2]
    else:
        access |= _request_in(fields, method, path)
    if "path" in access:
        access["path"] = HOST.sub("", access["path"])
    lasted = fields.get(duration)
    if isinstance(lasted, str):
        with_unit = milliseconds_in(lasted.strip())
        if with_unit is not None:
            lasted, factor = with_unit, 1
    elif factor == 1 and "msg" in fields and type(fields.get("level")) is str:
        factor = _factor_of_go(lasted, "ts" in fields)
    with suppress(TypeError, ValueError, OverflowError):
        access["duration_ms"] = round(float(lasted) * factor, 4)  # type: ignore[arg-type]
    return access


def _request_in(fields: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return the method and the path in two of *fields*, as far as these are texts."""
    request = {"method": fields.get(method), "path": fields.get(path)}
    found = {name: value for name, value in request.items() if isinstance(value, str)}
    if "method" in found:  # hapi writes it in small letters
        found["method"] = found["method"].upper()
    return found


def _factor_of_go(lasted: Any, is_zap: bool) -> float:
    """
    Return the milliseconds in one of a duration that a program in Go has logged as a number: zap
    writes seconds with a fraction, slog and logrus whole nanoseconds. Those that the program has
    counted itself are milliseconds.
    """
    if type(lasted) is int and lasted >= _LEAST_NANOSECONDS:
        return 1e-6
    return 1000 if is_zap and type(lasted) is float else 1


# No request takes less, nor as many milliseconds.
_LEAST_NANOSECONDS = 10_000


def is_of_access(logger: str) -> bool:
    """Whether a *logger* writes a server's access lines."""
    return "access" in logger or logger in _ACCESS_LOGGERS


_ACCESS_LOGGERS = frozenset(("django.channels.server", "tower_http::trace::on_response"))


def astral(text: str) -> int:
    """Return the number of characters of *text* that count twice in JavaScript."""
    return 0 if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)


def _level_in(head: str) -> int:
    """
    Return the level in the *head* of a line behind its time: a logger or a thread may be beside it.
    """
    known = LEVELS.get(head)
    if known is not None:
        return known
    words = (*_CAPITALS.findall(head), *(part.strip().lower() for part in head.split(" - ")))
    return next(filter(None, map(LEVELS.get, words)), 0)


def _before_message(line: str, end: int) -> int:
    """Return *end*, or 0 if only the ends of brackets are behind it: then the message is before."""
    return end if line[end:].strip(" \t)]}>.") else 0


def _behind_level(line: str) -> str:
    """Return the part of a server's access line that begins with the client's address."""
    before, _, _ = line.partition(' - "')
    client = before.rpartition(" ")[2]
    return line[len(before) - len(client) :]


def _id(value: Any) -> str:
    if type(value) is list and len(value) == 1:  # of a header
        value = value[0]
    text = value if type(value) is str else _shown(value)
    return "" if text in NO_IDS else text[:512]


# The trace in the headers of W3C and of AWS X-Ray, also without the other parts of the latter.
_IN_HEADER = Pattern(
    r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}|(?:[^;]*;)?Root=([\w-]{1,64})(?:;.*)?"
)


_NO_TRACE = Pattern(r"[\s()\[\]]|\A(?:true|false)\Z")


def _trace_in(text: str) -> str:
    """
    Return the trace in the *text* of a field, which may be a header or a name of Google Cloud; ""
    for any other text with a blank or a bracket, such as a traceback.
    """
    match = _IN_HEADER.fullmatch(text)
    if match is not None:
        return _id(match[1] or match[2])
    return "" if _NO_TRACE.search(text) else _id(text.rpartition("/")[2].removeprefix("0x"))


def _shown_time(when: float, stamp: Any) -> str:
    """Return a time that is a number in the line, in a form for people."""
    if isinstance(stamp, bool) or not isinstance(stamp, int | float | dict) or when < 0:
        return _shown(stamp)
    from datetime import datetime, timezone

    try:
        moment = datetime.fromtimestamp(when / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return _shown(stamp)
    return moment.isoformat(" ", "milliseconds").replace("+00:00", "Z")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is int:  # dumps() takes thirty times as long
        return str(value)
    from json import dumps

    try:
        return dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def _behind(message: str, text: str) -> str:
    """Return the *text* of an exception without the *message*, if it begins with that."""
    rest = text.removeprefix(message)
    return rest.lstrip("\r\n") if rest[:1] in ("", "\r", "\n") else text


def _shown_trace(value: Any) -> str:
    if isinstance(value, str) and value.startswith("{") and '"stacktrace"' in value:
        value = parse_fields(value) or value  # a store's column of text
    if isinstance(value, dict) and isinstance(value.get("stacktrace"), str):
        return str(value["stacktrace"])
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    if isinstance(value, list):
        with suppress(KeyError, TypeError, AttributeError):
            return "\n".join(_lines_of_structlog(value))
    return _shown(value)


def _lines_of_structlog(exceptions: list[dict[str, Any]]) -> Iterator[str]:
    """
    Yield the lines of Python's traceback for the *exceptions* of structlog's ``dict_tracebacks``,
    the last one first, with local variables below their frame.
    """
    sentence = ""
    for exception in reversed(exceptions):
        if exception["is_group"]:
            raise TypeError
        if sentence:
            yield from ("", sentence, "")
        sentence = _CAUSE if exception["is_cause"] else _CONTEXT
        yield "Traceback (most recent call last):"
        for frame in exception["frames"]:
            yield f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
            for name, value in (frame.get("locals") or {}).items():
                yield f"    {name} = {value}"
        yield f"{exception['exc_type']}: {exception['exc_value']}"
        yield from exception.get("exc_notes") or ()


_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
