"""
Lines of JSON and logfmt, and others that are made of names and values: entries of their fields.

The names are in the tables of ``names``. Such an entry is written as text: its time, level and ids,
its message, and the fields that have no role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from ..._core.lines import parse_fields
from ..._core.patterns import Pattern
from ..._core.record import NO_ID
from .accesses import HOST, access_in, milliseconds_in, outgoing_in
from .colors import COLORS
from .entry import NO_MORE, Entry, astral, id_of, shown, trace_of
from .envelopes import Peeled
from .fields import console_fields, python_pairs
from .ids import UUID, Ids, linked_in
from .levels import LEVELS, NAMES, level_of
from .names import (
    BEGINNINGS,
    NESTED_LISTS,
    OF_ID,
    OWN_SPANS,
    ROLES,
    WEAK_LEVELS,
    WEAK_TIMES,
    flat,
)
from .own import OWN_IDS
from .received import agreed
from .roles import Access, Roles, roles_of
from .services import in_pod, source_of_labels
from .state import State

__all__ = ("entry_beside", "entry_of_fields", "entry_of_named", "is_of_access")

# The values of a column that is empty in a store.
_EMPTY: tuple[Any, ...] = (None, "", {}, [])


def entry_of_fields(
    state: State, fields: dict[str, Any], envelope: Peeled | None = None
) -> Entry | None:
    """Return the entry of a line with *fields*, written as text; None when it has none that is known."""
    line = _Line(state, fields, envelope)
    return line.entry() if line.is_known() else None


def entry_of_named(state: State, line: str, envelope: Peeled | None = None) -> Entry | None:
    """Return the entry of a *line* that is made of names and values; None for any other line."""
    fields = _fields_in(line, envelope)
    if fields is None or len(fields) < 2:
        return None
    if line[0] != "{":
        fields = _with_whole_time(fields)
    return entry_of_fields(state, fields, envelope)


def entry_beside(state: State, line: str, envelope: Peeled) -> Entry | None:
    """Return the entry of a *line* with the ids that its envelope has beside it; None without any."""
    fields = envelope.beside
    if not fields:
        return None
    ours = roles_of(tuple(fields)).ours
    if not any(id_of(fields.get(name)) for name in (ours.request, ours.trace)):
        return None
    return entry_of_fields(state, {**fields, "timestamp": envelope.time, "message": line}, envelope)


class _Line:
    """A line of which an entry is made: each method finds a part of it."""

    # Without these, a line takes a tenth longer.
    __slots__ = (
        "envelope",
        "exceptions",
        "fields",
        "given",
        "level",
        "logger",
        "message",
        "method",
        "more",
        "number",
        "others",
        "parent",
        "request",
        "request_id",
        "roles",
        "service",
        "session",
        "session_id",
        "span",
        "stamp",
        "state",
        "tool",
        "trace",
    )
    message: Any

    def __init__(self, state: State, fields: dict[str, Any], envelope: Peeled | None) -> None:
        fields.pop("", None)
        roles = roles_of(tuple(fields))
        self.state = state
        self.envelope = envelope
        self.given = fields
        self.request_id = ""
        if roles.encoded:
            fields = _decoded(fields, roles.encoded)
        if roles.nesting and _nests(fields, roles.nesting):
            self.request_id = id_of(fields.get(roles.ours.request)) or _further_id(
                fields, roles, "request"
            )
            fields = _opened(fields, roles, self.request_id)
            roles = roles_of(tuple(fields))
        self.fields = fields
        self.roles = roles
        # the values of the roles, in their order
        (
            self.stamp,
            self.level,
            self.message,
            self.request,
            self.session,
            self.trace,
            self.span,
            self.parent,
            self.service,
            self.logger,
            self.method,
            self.tool,
            self.number,
        ) = map(fields.get, roles.ours)
        self.session_id = ""
        self.more: dict[str, Any] = {}
        self.others = roles.others
        self.exceptions = roles.exceptions
        if roles.time_types is not None and not isinstance(self.stamp, roles.time_types):
            self.stamp = None
        if roles.has_weak_level and not level_of(roles.ours.level, self.level, fields):
            self.level = None
            self.others = (*self.others, roles.ours.level)

    def is_known(self) -> bool:
        """Whether one of the fields that make an entry has a value."""
        is_named = not (self.message is None and self.stamp is None and self.level is None)
        return is_named or self.roles.access is not None or bool(self.request)

    def entry(self) -> Entry:
        """Return the entry."""
        level = self._find_level()
        when = self._find_time()
        self._find_source()
        self._find_ids()
        self._find_trace()
        if self.method:
            self._find_call()
        self._find_access()
        shown_level = NAMES[level] if _is_number(self.level) else shown(self.level)
        ids = f"[req={self.request_id or NO_ID}|session={self.session_id or NO_ID}]"
        head = f"{_shown_time(when, self.stamp)} - {shown_level} - {ids} - "
        return Entry(
            when,
            level,
            self.request_id,
            self.session_id,
            f"{head}{self._text()}",
            len(head) + astral(head),
            self.more or None,
            self.state.file,
        )

    # -- time and level ----------------------------------------------------------------------------

    def _find_time(self) -> float:
        """Find the value that is the line's time, and return the time."""
        state, envelope = self.state, self.envelope
        if "date" in self.fields and type(self.stamp) is str and _is_clock(self.stamp):
            self.stamp = _with_date(self.stamp, self.fields)
        when = state.clock.read_value(self.stamp)
        if when is None and "time" in self.roles.further:
            when = self._find_further_time()
        if envelope is not None and envelope.time is not None:
            text = self.stamp if isinstance(self.stamp, str) else "Z"
            when = agreed(state.clock, when, text, envelope.time)
        if when is None:
            self.more["undated"] = True
            state.undated += 1
        return state.at(when)

    def _find_further_time(self) -> float | None:
        for name in self.roles.further["time"]:
            value, types = self.fields[name], WEAK_TIMES.get(name)
            if types is None or isinstance(value, types):
                when = self.state.clock.read_value(value)
                if when is not None:
                    self.stamp = value
                    return when
        return None

    def _find_level(self) -> int:
        """Find the value that is the line's level, and return its number."""
        level = self.level
        if level is None and "@t" in self.fields:  # Serilog leaves it out
            self.level = level = "Information"
        number = LEVELS.get(level, -1) if type(level) is str else -1
        if number < 0:
            if type(level) is str and "\x1b" in level:  # winston, with the colors of a terminal
                self.level = level = COLORS.sub("", level)
            number = level_of(self.roles.ours.level, level, self.fields)
        if not number and "level" in self.roles.further:
            return self._find_further_level()
        return number

    def _find_further_level(self) -> int:
        for name in self.roles.further["level"]:
            value = self.fields[name]
            number = 0 if name in WEAK_LEVELS else level_of(name, value, self.fields)
            if number:
                self.level = value
                return number
        return 0

    # -- ids ---------------------------------------------------------------------------------------

    def _find_source(self) -> None:
        source = "" if self.envelope is None else self.envelope.source
        if not source and self.roles.source:
            source = _source_in(self.fields, self.roles.source, self.roles.pods)
        if source:
            self.more.update(self.state.origin(source))

    def _find_ids(self) -> None:
        """Find the request and the session, and the message, which may begin with them."""
        fields, roles, request = self.fields, self.roles, self.request
        if request is None and roles.access is not None and not OF_ID.isdisjoint(fields):
            request = fields.get("id")
        self.request_id = self.request_id or id_of(request)
        self.session_id = id_of(self.session)
        if roles.further:
            self.request_id = self.request_id or _further_id(fields, roles, "request")
            self.session_id = self.session_id or _further_id(fields, roles, "session")
        if not self.request_id and "tags" in fields:
            self.request_id = _tag_in(fields["tags"])
        if not self.request_id and "channel" in self.given:
            self.request_id = _uid_in(self.given)
        self.message = shown(self.message)
        if not self.request_id and self.message.startswith("[req="):
            self._take_own_ids()

    def _take_own_ids(self) -> None:
        """
        Take our ids from the beginning of the message, where a program's own format is JSON or
        logfmt.
        """
        match = OWN_IDS.match(self.message)
        if match is None:
            return
        request_id, session_id, words, call = match.groups("")
        self.more.update(self.state.details(words, call) or NO_MORE)
        self.request_id, self.session_id = id_of(request_id), id_of(session_id)
        self.message = self.message[match.end() :].lstrip(" -|")

    def _find_trace(self) -> None:
        """Find the trace and the spans."""
        roles, more = self.roles, self.more
        trace = id_of(self.trace)
        if not trace and roles.further:
            trace = _further_id(self.fields, roles, "trace")
        if not trace and self.message[-1:] == "|":  # of New Relic's agents
            linked = linked_in(self.message, Ids())
            trace = linked.trace
            self.span = self.span or linked.span
            self.service = self.service or linked.service
        if trace:
            trace = trace_of(trace)
            if trace:
                more["trace"] = trace
            elif roles.ours.trace == "trace":  # a traceback
                self.exceptions = (*self.exceptions, "trace")
        if self.span or self.parent:
            # A tracer's span may be a span within the request.
            is_own_span = self.request_id and roles.ours.span in OWN_SPANS
            self._add_span("span" if is_own_span else "inner", self.span)
            self._add_span("parent", self.parent)
        self.request_id = self.request_id or trace
        if self.request_id and not trace and "span" not in more:
            more["foreign"] = True

    def _add_span(self, name: str, value: Any) -> None:
        span = id_of(id_of(value).removeprefix("0x")) if value else ""
        if span:
            self.more[name] = span

    def _find_call(self) -> None:
        """Find the call of MCP."""
        words = " ".join(filter(None, map(shown, (self.method, self.tool))))
        self.more["call"] = f"{words} #{shown(self.number)}" if self.number else words

    # -- requests ----------------------------------------------------------------------------------

    def _find_access(self) -> None:
        """Find the fields of an access line, or of an outgoing call, and the service."""
        row, service = self.roles.access, self.service
        if row is not None and row[3] == "service":  # of Heroku's router: a duration
            if isinstance(service, str) and milliseconds_in(service) is not None:
                service = None
            else:
                row = None
        if service and isinstance(service, str):
            self.more["service"] = service
        outgoing = outgoing_in(self.message)
        if outgoing is not None:
            self.more |= outgoing
            return
        access = self._access(row)
        if access is not None:
            self.more["access"] = access

    def _access(self, row: Access | None) -> dict[str, Any] | None:
        """Return the fields of an access line, in the message or by the names of a *row*."""
        is_of_server = not self.logger or is_of_access(shown(self.logger))
        access = access_in(self.message) if is_of_server else None
        if access is not None:
            self.logger = None
            # A field of ours whose name a log store uses for another one has a mark at its end.
            self.others = tuple(
                name for name in self.others if name.removesuffix("_") not in access
            )
            beside = None
            if row is not None and "duration_ms" not in access:
                beside = _access_of(self.fields, row)
            if beside is not None and beside["status"] == access.get("status"):
                return {**beside, **access}
            return access
        if row is not None and (is_of_server or row[0] != "method"):
            return _access_of(self.fields, row)
        if self.message in BEGINNINGS:
            return _request_in(self.fields, *BEGINNINGS[self.message]) or None
        return None

    # -- text --------------------------------------------------------------------------------------

    def _text(self) -> str:
        """Return the message, and what is shown beside and below it."""
        fields = self.fields
        aside = f" logger={shown(self.logger)}" if self.logger else ""
        if self.others:
            aside += "".join(
                [
                    f" {name}={shown(fields[name])}"
                    for name in self.others
                    if fields[name] not in _EMPTY
                ]
            )
        first, line_feed, further = self.message.partition("\n")
        text = f"{first}{aside}{line_feed}{further}"
        if not self.exceptions:
            return text
        traces = (
            _behind(self.message, _shown_trace(fields[name]))
            for name in self.exceptions
            if fields[name] not in _EMPTY
        )
        return "\n".join((text, *filter(None, traces)))


# -- nested fields ---------------------------------------------------------------------------------


def _nests(fields: dict[str, Any], names: tuple[str, ...]) -> bool:
    types = [type(fields[name]) for name in names]
    return dict in types or list in types


def _decoded(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return *fields* with the objects that are texts in the fields with these *names*."""
    inner: dict[str, Any] = {}
    for name in names:
        text = fields[name]
        if isinstance(text, str) and text.startswith("{"):
            inner[name] = parse_fields(text) or text
    return {**fields, **inner}


def _opened(fields: dict[str, Any], roles: Roles, request_id: str) -> dict[str, Any]:
    """
    Return *fields* with nested ones beside them, also those in a list of spans or scopes.

    :param roles: of these fields.
    :param request_id: in one of them.
    """
    message = fields.get(roles.ours.message)
    if request_id and type(message) is dict:
        # A program has logged an object, perhaps of a client: its names are no fields.
        fields = {**fields, roles.ours.message: shown(message)}
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
    opened.pop("", None)
    return opened


# The fields of a span or scope that describe itself.
_OF_PARTS = frozenset(("name", "Message", "{OriginalFormat}"))


def _source_in(fields: dict[str, Any], name: str, pods: Sequence[str]) -> str:
    value = fields[name]
    if not isinstance(value, str):
        return ""
    return source_of_labels(value) if value.startswith("{") else in_pod(name, fields, pods)[:512]


# -- the fields of a line --------------------------------------------------------------------------


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
    *[
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
        "thread",
        "threadName",
    ],
    *["taskName", "module", "pathname", "filename", "file", "lineno", "line", "funcName"],
)
_PAIRS_BEFORE_IDS = Pattern(
    rf"(?:(?:{'|'.join(map(re.escape, _OF_RECORD))})=[^ \"=\[]{{0,200}} (?:\d\d:\d\d:\d\d[^ \"=]{{0,20}} )?)"
    r"{1,16}\[req=[^|\]]*\|session="
)


# The names of ECS have dots.
_BEGINS_PAIR = Pattern(r"@?[\w.]+=")
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


# -- ids --------------------------------------------------------------------------------------------


# Among the tags of Rails, which Semantic Logger writes as a list.
_is_uuid = re.compile(UUID).fullmatch
_UID = Pattern(r"[0-9a-f]{7,32}")


def _further_id(fields: dict[str, Any], roles: Roles, role: str) -> str:
    """Return the first of the further values of *fields* that is an id in this *role*; "" without one."""
    for name in roles.further.get(role, ()):
        further = id_of(fields[name])
        if further:
            return further
    return ""


def _tag_in(tags: Any) -> str:
    """Return the first of *tags* that is a UUID, as Rails has them; "" without one."""
    if type(tags) is not list:
        return ""
    return next((tag for tag in tags if type(tag) is str and _is_uuid(tag)), "")


def _uid_in(fields: dict[str, Any]) -> str:
    """Return the id of Monolog's ``UidProcessor`` in *fields*, or "": a program's own uid is a user's."""
    extra = fields.get("extra")
    uid = extra.get("uid") if type(extra) is dict and "level_name" in fields else None
    return uid if type(uid) is str and _UID.fullmatch(uid) else ""


# -- requests ---------------------------------------------------------------------------------------


def _access_of(fields: dict[str, Any], row: Access) -> dict[str, Any] | None:
    method, path, status, duration, factor = row
    code = fields.get(status)
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    access: dict[str, Any] = {"status": code}
    if method == path:  # GET /path HTTP/1.1
        words = shown(fields[path]).split(" ")
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

# -- text -------------------------------------------------------------------------------------------


def _is_number(level: Any) -> bool:
    """Whether a *level* is a number, which has to be shown by its name."""
    return level is not None and (type(level) is not str or level.isdecimal())


def _shown_time(when: float, stamp: Any) -> str:
    """Return a time in a form for people, also one that is a number in the line."""
    if type(stamp) is str:
        return stamp
    if isinstance(stamp, bool) or not isinstance(stamp, int | float | dict) or when < 0:
        return shown(stamp)
    from datetime import datetime, timezone

    try:
        moment = datetime.fromtimestamp(when / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return shown(stamp)
    return moment.isoformat(" ", "milliseconds").replace("+00:00", "Z")


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
    return shown(value)


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
