"""
Log records: stamp them with the ids of their request, and write them as lines.

Knows the standard library's logging and the current request. Does not know ASGI.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TextIO

from .calls import NO_CALL, Call
from .current import get_request_metadata
from .exceptions import metadata_of
from .records import NO_ID, Record, escape, format_call, format_json, format_line, format_logfmt, id_color
from .request import RequestMetadata
from .uncaught import log_uncaught

__all__ = ("JSONFormatter", "LogfmtFormatter", "RequestTracingFilter", "TextFormatter", "configure_logging")

SESSION_LENGTH = 8
"""How much of a session id a line of text shows."""

DATE_FORMAT = "%Y-%m-%d %H:%M:%S"

# Servers give these loggers handlers of their own, some after the app was loaded.
SERVER_LOGGERS = frozenset(
    {
        "uvicorn",
        "uvicorn.access",
        "uvicorn.error",
        "hypercorn.access",
        "hypercorn.error",
        "_granian",
        "granian.access",
        "gunicorn.access",
        "gunicorn.error",
        "fastmcp",
    }
)
# Their children too: of the others it is known that they have none, or that they propagate.
_FAMILIES = ("fastmcp.",)

_Ids = tuple[str, str, str, str, Call]
_OUTSIDE: _Ids = (NO_ID, NO_ID, NO_ID, NO_ID, NO_CALL)


def _request_of(record: logging.LogRecord) -> RequestMetadata | None:
    # A server may log an exception after the request, and from a context that is another's: the mark it carries
    # outranks the variable.
    if record.exc_info and record.exc_info[1] is not None:
        metadata = metadata_of(record.exc_info[1])
        if metadata is not None:
            return metadata
    return get_request_metadata()


def record_ids(record: logging.LogRecord) -> _Ids:
    """
    Return the request, session, trace and span id of *record*, complete, and the call to an MCP server it belongs to.

    They are found once, by the first who asks, and kept on the record: a queue's listener asks in another thread.
    """
    ids: _Ids | None = record.__dict__.get("_asgi_trace")
    if ids is None:
        try:
            metadata = _request_of(record) if record.exc_info else get_request_metadata()
            ids = _OUTSIDE
            if metadata is not None:
                request_id, session_id = metadata.request_id or NO_ID, metadata.session_id or NO_ID
                # Set by hand, an id can be anything, such as a user's name with a line break in it.
                if not (request_id.isprintable() and session_id.isprintable()):
                    request_id, session_id = (escape(each).replace("\n", r"\x0a") for each in (request_id, session_id))
                trace = metadata.trace
                ids = (request_id, session_id, trace.trace_id, trace.span_id, metadata._call)
        except Exception:  # an exception class whose attributes raise, say: whoever logs it must not see ours
            ids = _OUTSIDE
        # Underlined, since formatters of other libraries print what else they find on a record.
        record._asgi_trace = ids
    return ids


class RequestTracingFilter(logging.Filter):
    """
    Give each log record ``request_id``, ``session_id``, ``trace_id`` and ``span_id``: ``none`` outside a request.

    It belongs on handlers: a filter on a logger does not see the records of the logger's children. No record is
    dropped.

    :param name: as :class:`logging.Filter` has it: with one, records of other loggers are dropped.
    :param session_length: how many characters of the session id the record shows; None for all.
    :raises ValueError: when *session_length* is no whole number above 0.

    .. versionadded:: 0.1
    """

    def __init__(self, name: str = "", *, session_length: int | None = SESSION_LENGTH) -> None:
        super().__init__(name)
        self._session_length = _checked_length(session_length)

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp *record*, and let it through."""
        record.request_id, session_id, record.trace_id, record.span_id, _ = record_ids(record)
        record.session_id = session_id[: self._session_length]
        return not self.name or super().filter(record)


class TextFormatter(logging.Formatter):
    """
    Write a record as ``2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|session=12345678] - Processing payment``.

    Each further line of a message or traceback carries the ids too, and control characters are escaped, so that
    no message can pass for another line. In a call to an MCP server the line tells which, behind the ids:
    ``[tools/call add #7]``. The filter is not needed beside it.

    :param fmt: another line, as :class:`logging.Formatter` takes it; with ``request_id``, ``session_id``,
        ``trace_id`` and ``span_id`` for fields.
    :param datefmt: the date's form for :func:`time.strftime`.
    :param style: of *fmt*: ``%``, ``{`` or ``$``.
    :param session_length: how many characters of the session id a line shows; None for all.
    :param precise: show milliseconds and the zone: ``2024-01-15 10:30:15.250+0100``.
    :param color: color the ids, the same for each line of a request, and the level; for terminals.
    :raises ValueError: when *session_length* is no whole number above 0, or *fmt* is not of its style.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
        session_length: int | None = SESSION_LENGTH,
        precise: bool = False,
        color: bool = False,
    ) -> None:
        super().__init__(fmt, datefmt or DATE_FORMAT, style, validate, defaults=defaults)
        self._precise = precise
        self._color = color
        self._session_length = _checked_length(session_length)
        self._format_record = self._format_own if fmt is None else self._format_custom
        self._second: tuple[int, str] = (-1, "")
        self._stamp = RequestTracingFilter(session_length=session_length).filter

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line or lines, without a line feed at the end."""
        message = record.message = record.getMessage()
        if record.exc_info or record.exc_text or record.stack_info:
            message += self._appendix(record)
        return self._format_record(record, message)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the record's local time; made once a second, since it is most of the cost of a plain line."""
        second, text = self._second
        if second != int(record.created):
            second, text = int(record.created), time.strftime(datefmt or DATE_FORMAT, self.converter(record.created))
            self._second = (second, text)
        return f"{text}.{int(record.msecs):03d}{self._zone(record.created)}" if self._precise else text

    def _zone(self, created: float) -> str:
        return time.strftime("%z", self.converter(created))

    def _format_own(self, record: logging.LogRecord, message: str) -> str:
        # The filter has found them; a call to hear so would be 60 ns of a line's 8,600.
        request_id, session_id, _, _, call = record.__dict__.get("_asgi_trace") or record_ids(record)
        session_id = session_id[: self._session_length]
        level = record.levelname
        if self._color:
            request_id, session_id = _colored(request_id, request_id), _colored(session_id, session_id)
            level = f"{_LEVEL_COLORS[level]}{level}{_PLAIN}" if level in _LEVEL_COLORS else level
        second, when = self._second
        if self._precise or second != int(record.created):
            when = self.formatTime(record, self.datefmt)
        if call is NO_CALL:
            return format_line(when, level, request_id, session_id, message)
        return format_line(when, level, request_id, session_id, message, format_call(*(word or "" for word in call)))

    def _format_custom(self, record: logging.LogRecord, message: str) -> str:
        self._stamp(record)
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = []
        for record.message in escape(message).split("\n"):
            lines.append(self.formatMessage(record))
        return "\n".join(lines)

    def _appendix(self, record: logging.LogRecord) -> str:
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        text = f"\n{record.exc_text}" if record.exc_text else ""
        return f"{text}\n{self.formatStack(record.stack_info)}" if record.stack_info else text


_LEVEL_COLORS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
_PLAIN = "\x1b[0m"


def _colored(text: str, by: str) -> str:
    return text if by == NO_ID else f"{id_color(by)}{text}{_PLAIN}"


def _shows_colors(stream: object) -> bool:
    """Whether *stream* is a terminal that shows colors, and nobody has asked for none (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):  # no file, or a closed one
        return False


class JSONFormatter(logging.Formatter):
    """
    Write a record as one JSON object on one line: for programs to read.

    ``timestamp`` (RFC 3339, UTC, milliseconds), ``level``, ``logger``, ``message``, in a request ``request_id``,
    ``session_id`` (all of it), ``trace_id`` and ``span_id``, in a call to an MCP server ``mcp_method``, ``mcp_name``
    and ``jsonrpc_id``, for an exception ``exception`` with ``type``, ``message`` and ``stacktrace``, and the fields of
    ``extra=``. What JSON has no form for is written as its ``str()``; never raises. A format or date format that a
    configuration gives is not used.

    .. versionadded:: 0.1
    """

    _write: Callable[[Record], str] = staticmethod(format_json)
    _second: tuple[int, str] = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's one line, without a line feed at the end."""
        request_id, session_id, trace_id, span_id, call = record_ids(record)
        failed = record.exc_info or record.exc_text or record.stack_info
        attributes = record.__dict__
        return self._write(
            Record(
                self.formatTime(record),
                record.levelname,
                record.name,
                _message_of(record),
                request_id,
                session_id,
                trace_id,
                span_id,
                call.method or "",
                call.name or "",
                call.id or "",
                self._exception(record) if failed else None,
                # Asked in C, for most records have no more than logging gave them.
                {} if _OWN_ATTRIBUTES.issuperset(attributes) else self._extra(attributes),
            )
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the record's time in UTC."""
        second, text = self._second
        if second != int(record.created):
            second, text = int(record.created), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            self._second = (second, text)
        return f"{text}.{int(record.msecs):03d}Z"

    def _extra(self, attributes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in attributes.items() if name not in _OWN_ATTRIBUTES}

    def _exception(self, record: logging.LogRecord) -> dict[str, str] | None:
        found: dict[str, str] = {}
        if record.exc_info and record.exc_info[0] is not None:
            found["type"] = record.exc_info[0].__qualname__
            found["message"] = _shown(record.exc_info[1])
            record.exc_text = record.exc_text or self.formatException(record.exc_info)
        stack = self.formatStack(record.stack_info) if record.stack_info else None
        traces = [text for text in (record.exc_text, stack) if text]
        if traces:
            found["stacktrace"] = "\n".join(traces)
        return found or None


class LogfmtFormatter(JSONFormatter):
    """
    Write a record as one line of logfmt, with the names that :class:`JSONFormatter` uses.

    .. versionadded:: 0.1
    """

    _write = staticmethod(format_logfmt)


# What logging itself puts on a record, and what the filter and other formatters do: the rest came with extra=.
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {
    "_asgi_trace",
    "asctime",
    "color_message",  # uvicorn's second copy of its message
    "message",
    "request_id",
    "session_id",
    "span_id",
    "taskName",
    "trace_id",
}


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the message: better a raw line than none
        return f"{_shown(record.msg)} {_shown(record.args)}"


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)


def _checked_length(length: int | None) -> int | None:
    if length is not None and (not isinstance(length, int) or length < 1):
        raise ValueError(f"session_length is {length!r}; expected a whole number above 0, or None for all of it")
    return length


def configure_logging(
    level: int | str = logging.INFO,
    *,
    stream: TextIO | None = None,
    formatter: logging.Formatter | None = None,
) -> None:
    """
    Write every line of this process with the ids of its request, those of its server too.

    Streams and files that are set up already, by :func:`logging.basicConfig` or by a server, stay where they are
    and get the *formatter*; where the root logger has none, it gets *stream*. A server's handler gives way where all
    of its lines reach the same stream through the root logger too: hypercorn's would be there twice. May be called
    before or after the server has set up its own logging, and again. Handlers of Rich, which the SDKs of MCP set up by
    themselves, become plain ones for the same stream: they would write no ids.

    What Python prints past the loggers is logged too: warnings by ``py.warnings``, exceptions that end a thread by
    ``asgi_trace.threads``, unless the program has a ``warnings.showwarning`` or ``threading.excepthook`` of its own.
    What asyncio tells of a task that failed unheard has that task's ids, or none.

    :param level: of the root logger, as :meth:`logging.Logger.setLevel` takes it.
    :param stream: for lines that have no handler yet; standard error, when left out.
    :param formatter: writes the lines; when left out, that of an earlier call, else a :class:`TextFormatter`, with
        colors on a terminal.
    :raises ValueError: for an unknown *level*.

    .. versionadded:: 0.1
    """
    root = logging.getLogger()
    root.setLevel(level)
    _make_plain(root)
    dress = _Dresser(formatter or _earlier_formatter())
    streams = [handler.stream for handler in root.handlers if isinstance(handler, logging.StreamHandler)]
    if not streams or (stream is not None and stream not in streams):
        root.addHandler(logging.StreamHandler(stream or sys.stderr))
    dress(root)
    _dress_servers(dress)
    log_uncaught()


def stamp_server_lines(formatter: logging.Formatter | None) -> None:
    """
    Write the lines of servers with ids, as :func:`configure_logging` does, and leave all other logging alone.

    For a process that has yet to load an app, which may then set up logging as it likes.
    """
    _dress_servers(_Dresser(formatter or _earlier_formatter()))


def _earlier_formatter() -> logging.Formatter | None:
    make = logging.getLogRecordFactory()
    return make.formatter if isinstance(make, _RecordFactory) else None


def _dress_servers(dress: _Dresser) -> None:
    for name in SERVER_LOGGERS:
        dress(logging.getLogger(name))
    _RecordFactory.install(dress)


def _make_plain(logger: logging.Logger) -> None:
    """Put a plain handler in the place of each of Rich's, for the same stream and the same records."""
    for place, rich in enumerate(logger.handlers):
        # By its name, since Rich need not be there.
        if (type(rich).__module__, type(rich).__name__) == ("rich.logging", "RichHandler"):
            plain = logging.StreamHandler(rich.console.file)  # type: ignore[attr-defined]
            plain.setLevel(rich.level)
            plain.filters = rich.filters[:]  # fastmcp has one for tracebacks, and one for all else
            logger.handlers[place] = plain


class _Dresser:
    """Gives a logger's handlers the formatter and the filter, and takes away those that only repeat others."""

    def __init__(self, formatter: logging.Formatter | None) -> None:
        self.formatter = formatter
        self._plain = formatter or TextFormatter()
        self._colored = formatter or TextFormatter(color=True)
        self._filter = RequestTracingFilter()

    def __call__(self, logger: logging.Logger) -> None:
        if logger is not logging.root:
            _make_plain(logger)
        for handler in logger.handlers[:]:
            if any(_repeats(handler, outer) for outer in _outer_handlers(logger)):
                logger.removeHandler(handler)
                continue
            # Handlers of other kinds send records elsewhere, in forms of their own.
            if isinstance(handler, logging.StreamHandler):
                handler.setFormatter(self._colored if _shows_colors(handler.stream) else self._plain)
            if not any(isinstance(each, RequestTracingFilter) for each in handler.filters):
                handler.addFilter(self._filter)


def _outer_handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers of other loggers that the records of *logger* reach."""
    while logger.propagate and logger.parent is not None:
        logger = logger.parent
        yield from logger.handlers


def _repeats(handler: logging.Handler, outer: logging.Handler) -> bool:
    """Whether each record that *handler* writes is written to the same stream by *outer* too."""
    return (
        isinstance(handler, logging.StreamHandler)
        and isinstance(outer, logging.StreamHandler)
        and handler.stream is outer.stream is not None  # a file that is not open yet has none
        and handler.level >= outer.level
        and all(type(each) is RequestTracingFilter and not each.name for each in outer.filters)
    )


# A name for each logger of a large program; whoever makes them up from data goes without the shortcut.
_MOST_LOGGERS = 10_000


class _RecordFactory:
    """
    Makes log records, and finds their ids at once: where the line was written, not where it is formatted.

    It sees every logger's records before its handlers do. So it also dresses the handlers that a server gave its
    loggers after :func:`configure_logging`.
    """

    def __init__(self, make: Callable[..., logging.LogRecord], dress: _Dresser) -> None:
        self._make = make
        self._dress = dress
        self._others: set[str] = set()  # names of loggers that are no server's

    @classmethod
    def install(cls, dress: _Dresser) -> None:
        make = logging.getLogRecordFactory()
        logging.setLogRecordFactory(cls(make._make if isinstance(make, cls) else make, dress))

    @property
    def formatter(self) -> logging.Formatter | None:
        """The one that was asked for."""
        return self._dress.formatter

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        record_ids(record)
        if record.name not in self._others:
            self._meet(record.name)
        return record

    def _meet(self, name: str) -> None:
        if isinstance(name, str) and (name in SERVER_LOGGERS or name.startswith(_FAMILIES)):
            self._dress_up(logging.getLogger(name))
        elif len(self._others) < _MOST_LOGGERS:
            self._others.add(name)

    def _dress_up(self, logger: logging.Logger | None) -> None:
        while logger is not None and logger is not logging.root:
            self._dress(logger)
            logger = logger.parent if logger.propagate else None
