"""
The form of each handler's lines: every line once, with its ids, in any logging set-up.

A handler gets its form when it first writes a record, and again when its formatter has changed. The
form depends on the formatter that the program gave it:

* The program chose no form: no formatter, the standard library's default, or the text formatter of
  a server or a framework. The handler writes the line of :class:`~asgi_trace.TextFormatter`, or
  that of ``configure_logging``'s own *formatter*.
* A standard :class:`logging.Formatter` with a format of the program's own, and the formatters of
  Celery's workers, FastStream, colorlog and coloredlogs: the form is kept, with the ids before the
  message; it is not changed if the format names ``request_id`` itself.
* Any other class of formatter, ours included, and a handler class with a ``format`` method of its
  own: these are data formats, and stay as they are. Their records carry the ids.

The handler keeps its formatter. The form is an attribute of the handler that hides its ``format``
method.
"""

from __future__ import annotations

import codecs
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, TypeGuard
from weakref import WeakSet

from .._core.faults import report_once, warn_once
from .._core.made_records import set_factory
from .._core.middleware import RequestTracingMiddleware
from . import records
from .formatters import Brackets, OwnForm, TextFormatter, name_service
from .uncaught import log_uncaught

__all__ = (
    "attach_exporter",
    "configure_logging",
    "give_forms",
    "gives_forms",
    "root_has_writer",
    "root_level_watched",
    "serve_untouched",
)

_Write = Callable[[logging.LogRecord], str]

# -- whose form it is ------------------------------------------------------------------------------

# Formats that count as not chosen: those of the standard library, in its three styles ...
_DEFAULT_FORMATS = frozenset(
    {
        "%(message)s",
        "{message}",
        "${message}",
        logging.BASIC_FORMAT,
        "{levelname}:{name}:{message}",
        "${levelname}:${name}:${message}",
    }
)
# ... and those that servers give to standard formatters, with their format of dates.
_SERVER_DATE = "[%Y-%m-%d %H:%M:%S %z]"
_SERVER_FORMATS = frozenset(
    {
        # hypercorn, anycorn, gunicorn
        ("%(asctime)s [%(process)d] [%(levelname)s] %(message)s", _SERVER_DATE),
        ("[%(levelname)s] %(message)s", _SERVER_DATE),  # granian
        ("%(asctime)-15s %(levelname)-8s %(message)s", None),  # daphne
    }
)
# The text formatters of servers and frameworks, by module and class, with their default formats;
# None: any format. By name, since they need not be installed.
_UVICORN_FORMATS = frozenset(
    {
        "%(levelprefix)s %(message)s",
        '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s',
    }
)
_THEIR_FORMATS = {
    ("uvicorn.logging", "AccessFormatter"): _UVICORN_FORMATS,
    ("uvicorn.logging", "ColourizedFormatter"): _UVICORN_FORMATS,
    ("uvicorn.logging", "DefaultFormatter"): _UVICORN_FORMATS,
    ("fastapi_cli.utils.cli", "CustomFormatter"): None,  # on a terminal
    ("django.utils.log", "ServerFormatter"): frozenset({"[{server_time}] {message}"}),
    ("sanic.logging.formatter", "AutoFormatter"): None,
    ("sanic.logging.formatter", "DebugFormatter"): None,
    ("sanic.logging.formatter", "LegacyFormatter"): None,
    ("sanic.logging.formatter", "ProdFormatter"): None,
}
# These show what our line does not: the name and id of a task, the parts of an access line, colors.
_THEIRS_WITH_IDS = frozenset(
    {
        ("celery.app.log", "TaskFormatter"),
        ("celery.utils.log", "ColorFormatter"),
        ("coloredlogs", "BasicFormatter"),
        ("coloredlogs", "ColoredFormatter"),
        ("colorlog.formatter", "ColoredFormatter"),
        ("faststream._internal.logger.formatter", "ColourizedFormatter"),
        ("sanic.logging.formatter", "AutoAccessFormatter"),
        ("sanic.logging.formatter", "DebugAccessFormatter"),
        ("sanic.logging.formatter", "LegacyAccessFormatter"),
        ("sanic.logging.formatter", "ProdAccessFormatter"),
    }
)
# Stream handlers by their class, which send each message to a service, with its time and level beside
# it.
_SENDERS = frozenset({("google.cloud.logging_v2.handlers.handlers", "CloudLoggingHandler")})
_RICH = ("rich.logging", "RichHandler")
# Tests compare the output of these handlers with expected text: unittest's assertLogs().
_COMPARED = frozenset({("unittest._log", "_CapturingHandler")})

_UNCHOSEN, _CHOSEN, _DATA = "unchosen", "chosen", "data"


def _kind_of(formatter: logging.Formatter | None) -> str:
    """
    Return the kind of *formatter*: not chosen by the program, chosen by it, or a data format.
    """
    if formatter is None:
        return _UNCHOSEN
    kind, form = type(formatter), getattr(formatter, "_fmt", None) or ""
    name = _name_of(kind)
    if kind is logging.Formatter:
        unchosen = form in _DEFAULT_FORMATS or (form, formatter.datefmt) in _SERVER_FORMATS
    elif name in _THEIR_FORMATS:
        formats = _THEIR_FORMATS[name]
        unchosen = formats is None or form in formats
    elif name in _THEIRS_WITH_IDS:
        unchosen = False
    else:
        return _DATA
    if unchosen:
        return _UNCHOSEN
    # A format that names the id shows it already. AWS Lambda's aws_request_id is another id.
    return _DATA if re.search(r"\brequest_id\b", form) else _CHOSEN


def _forwards(handler: logging.Handler) -> bool:
    """Whether *handler* passes records to other handlers, which have the forms."""
    module = sys.modules.get("logging.handlers")  # loaded, if there is such a handler
    return module is not None and isinstance(handler, (module.QueueHandler, module.MemoryHandler))


class _Forms:
    """
    The forms of handlers' lines.

    :param formatter: the one that the program gave to :func:`configure_logging`.
    """

    def __init__(self, formatter: logging.Formatter | None) -> None:
        self.formatter = formatter
        self._plain = formatter or TextFormatter()
        self._colored = formatter or TextFormatter(color=True)
        self._brackets = Brackets()

    def of(self, handler: logging.Handler) -> _Write | None:
        """
        Return the function that formats the lines of *handler*; None, if it keeps its own form.
        """
        if _forwards(handler):
            return None
        write = self._chosen(handler)
        encoding = _narrow_encoding(handler)
        if encoding:
            write = functools.partial(
                _encodable, write or functools.partial(type(handler).format, handler), encoding
            )
        return write

    def _chosen(self, handler: logging.Handler) -> _Write | None:
        if _has_own_format(handler) or _name_of(type(handler)) in _COMPARED:
            return None
        kind = _kind_of(handler.formatter)
        if kind is _DATA:
            return None
        if self.formatter is not None:
            return self.formatter.format
        if kind is _UNCHOSEN and _writes_lines(handler):
            return self.line(handler.stream)
        # Another kind of handler may add its own time and level, as that for syslog does.
        return OwnForm(handler.formatter or _MESSAGE, self._brackets).format

    def line(self, stream: object) -> _Write:
        """Return the function that formats lines for *stream* where no form was chosen."""
        return (self._colored if _shows_colors(stream) else self._plain).format


_MESSAGE = logging.Formatter()


def _has_own_format(handler: logging.Handler) -> bool:
    """
    Whether *handler* has a ``format`` method of its own, so that its formatter may not be used.
    """
    current = handler.format
    is_inherited = getattr(current, "__func__", None) is logging.Handler.format
    return not is_inherited and current is not getattr(handler, "_asgi_trace_form", None)


def _is_rich(handler: logging.Handler) -> bool:
    return any(_name_of(kind) == _RICH for kind in type(handler).__mro__)


def _writes_lines(handler: logging.Handler) -> TypeGuard[logging.StreamHandler[Any]]:
    is_sender = any(_name_of(kind) in _SENDERS for kind in type(handler).__mro__)
    return isinstance(handler, logging.StreamHandler) and not is_sender


def _name_of(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def _shows_colors(stream: object) -> bool:
    """
    Whether *stream* is a terminal that shows colors, and the environment does not forbid them
    (https://no-color.org).
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):  # no file, or a closed one
        return False


def _narrow_encoding(handler: logging.Handler) -> str | None:
    """
    Return the encoding of the stream of *handler*, if it does not have all characters and raises
    for the others; else None.
    """
    if not _writes_lines(handler):
        return None
    # The stream of a file that is not open yet is None.
    of = handler if handler.stream is None else handler.stream
    encoding, errors = getattr(of, "encoding", None), getattr(of, "errors", None)
    if not isinstance(encoding, str) or errors not in (None, "strict"):
        return None
    if encoding == "locale":
        import locale  # few programs name it, and it takes 1 ms

        encoding = locale.getpreferredencoding(False)
    try:
        return None if codecs.lookup(encoding).name.startswith("utf-") else encoding
    except LookupError:
        return None


def _encodable(write: _Write, encoding: str, record: logging.LogRecord) -> str:
    return write(record).encode(encoding, "backslashreplace").decode(encoding)


# -- the form of each handler ----------------------------------------------------------------------

_forms: _Forms | None = None

# The handlers that have a form from us, as their attribute ``_asgi_trace_form``.
_given: WeakSet[logging.Handler] = WeakSet()


def give_forms(formatter: logging.Formatter | None = None) -> None:
    """
    Stamp records, and give each handler its form from its next line on. No handler and no level
    changes. Where the program has set no record factory, a faster one is set.

    :param formatter: for lines without a form of their own, or with that of a standard formatter;
        that of an earlier call, when left out.
    """
    global _forms
    earlier = _forms.formatter if _forms else None
    for handler in [*_given]:
        _take_form(handler)
    _forms = _Forms(formatter or earlier)
    records.stamp_records()
    records.watch(_meet)
    set_factory()


def gives_forms() -> bool:
    """Whether handlers, later ones included, get their forms from this module."""
    return _forms is not None


def _meet(handler: logging.Handler) -> None:
    """Give *handler* its form: it writes for the first time, or with a new formatter."""
    formatter = handler.formatter
    try:
        if _forms is not None:
            _give_form(handler, _forms)
    except Exception:  # an unusual handler keeps its own form
        handler._asgi_trace_met = formatter  # type: ignore[attr-defined] # or reports never end
        report_once(f"choosing the form of a log handler of {type(handler)}")
    handler._asgi_trace_met = formatter  # type: ignore[attr-defined]
    for exporter in _exporters:
        _attach(exporter)


def _give_form(handler: logging.Handler, forms: _Forms) -> None:
    form: Any
    if _is_rich(handler):
        lines = forms.line(_rich_file(handler))
        method, form = "emit", functools.partial(_write_plainly, handler, lines)
    else:
        method, form = "format", forms.of(handler)
    if form is None:
        _take_form(handler)
        return
    _given.add(handler)
    handler._asgi_trace_form = form  # type: ignore[attr-defined]
    # One assignment, so that there is always a form: another thread may write a line meanwhile.
    setattr(handler, method, form)


def _take_form(handler: logging.Handler) -> None:
    """Restore the handler's own form, until the handler writes again."""
    _given.discard(handler)
    form = getattr(handler, "_asgi_trace_form", None)
    if form is not None:
        # Not by vars(): reading an object's dict makes its attributes slower on CPython 3.11, and
        # each line costs 7 % more.
        for method in ("emit", "format"):
            if getattr(handler, method) is form:
                delattr(handler, method)
        del handler._asgi_trace_form  # type: ignore[attr-defined]
    handler._asgi_trace_met = records.NEVER  # type: ignore[attr-defined]


def _rich_file(handler: Any) -> Any:
    return handler.console.file


def _write_plainly(handler: logging.Handler, write: _Write, record: logging.LogRecord) -> None:
    """Write *record* as one line to the file of Rich's *handler*: Rich would fold a long line."""
    try:
        stream = _rich_file(handler)
        stream.write(f"{write(record)}\n")
        stream.flush()
    except RecursionError:
        raise
    except Exception:
        handler.handleError(record)


# -- the process -----------------------------------------------------------------------------------


class _RootHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """
    Write the records that no other handler writes: the lines of a logger's own handler are not
    repeated.

    It is ``logging.lastResort`` too, for a later configuration without a handler on the root
    logger.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*, unless a handler below the root logger does, or a logger stops it."""
        if _is_written_below_root(record):
            return
        try:
            stream = self.stream
            stream.write(f"{self.format(record)}{self.terminator}")
            # Not self.flush(): it takes the lock that handle() holds already, for 2,900
            # instructions more.
            flush = getattr(stream, "flush", None)
            if flush is not None:
                flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


def _is_written_below_root(record: logging.LogRecord) -> bool:
    """
    Whether *record* has a handler below the root logger, or belongs to a logger that does not
    propagate: then only warnings are written, as in Python.
    """
    root = logging.root
    logger: Any = root.manager.loggerDict.get(record.name)
    if not isinstance(logger, logging.Logger):
        return False
    while logger is not None and logger is not root:
        if logger.handlers and _has_writer(logger, record):
            return True
        if not logger.propagate:
            return record.levelno < logging.WARNING
        logger = logger.parent
    return False


def _has_writer(logger: logging.Logger, record: logging.LogRecord) -> bool:
    return any(
        record.levelno >= handler.level
        and not isinstance(handler, logging.NullHandler)
        and (type(handler) is logging.StreamHandler or not _sends_mail(handler))
        and not (handler.filters and _is_switched_off(handler, record))
        for handler in logger.handlers
    )


# A mail is no line of a log.
_MAILERS = frozenset(
    {("django.utils.log", "AdminEmailHandler"), ("logging.handlers", "SMTPHandler")}
)
# Filters that read the program's settings, and not the record: with DEBUG off, Django's own set-up
# writes no line of its loggers. Other filters are not called: they may count the records.
_SWITCHES = frozenset(
    {("django.utils.log", "RequireDebugTrue"), ("django.utils.log", "RequireDebugFalse")}
)


def _sends_mail(handler: logging.Handler) -> bool:
    return any(_name_of(kind) in _MAILERS for kind in type(handler).__mro__)


def _is_switched_off(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Whether the program's settings, and not the content of *record*, keep *handler* silent."""
    switches: list[Any] = [each for each in handler.filters if _name_of(type(each)) in _SWITCHES]
    return not all(switch.filter(record) for switch in switches)


_PYTHONS_LAST_RESORT = logging.lastResort


def configure_logging(
    level: int | str | None = None,
    *,
    stream: TextIO | None = None,
    formatter: logging.Formatter | None = None,
    service: str | None = None,
) -> None:
    """
    Write every line of this process once, with the ids of its request: the lines of servers and
    libraries too.

    Handlers, and the levels of the program, are not changed. Handlers without a chosen form,
    such as those of :func:`logging.basicConfig` and of servers, write the line of
    :class:`~asgi_trace.TextFormatter`. A format of the program's own is kept, with
    ``[req=…|session=…]`` before the message, unless it names ``request_id``. Formatters of any
    other class are not changed; their records have the ids as attributes, as with
    :func:`~asgi_trace.stamp_records`. Rich's handlers write plain lines. A handler is added only
    where the root logger has none but OpenTelemetry's, for lines that no other handler writes, such
    as the errors that Django only mails with ``DEBUG`` off. This function may be called before or
    after the program or a server has set up logging, and more than once: each handler gets its
    form when it writes. Where the program has set no record factory, one is set that makes the same
    records in two thirds of the time.

    Messages that Python prints without a logger are logged too: warnings by ``py.warnings``,
    exceptions that end a thread by ``asgi_trace.threads``, unless the program has its own
    ``warnings.showwarning`` or ``threading.excepthook``. asyncio's report of a failed task that was
    never awaited has that task's ids, or none.

    :param level: of the root logger, as for :meth:`logging.Logger.setLevel`. When left out, the
        program's own, and INFO in place of Python's default, WARNING; under pytest only for the
        current test.
    :param stream: for lines that no handler writes yet; standard error, when left out. If given,
        the root logger gets a handler for it, unless it has one.
    :param formatter: writes the lines without a chosen form, and those of standard
        formatters; when left out, that of an earlier call, else a :class:`TextFormatter`, with
        colors on a terminal.
    :param service: the name of this service, on each line of JSON and logfmt; when left out, the
        value of the variable ``OTEL_SERVICE_NAME``.
    :raises ValueError: for an unknown *level*.
    :raises TypeError: for a *level* that is neither a number nor a name.

    .. versionadded:: 0.1
    """
    root = logging.root
    if level is not None:
        root.setLevel(level)
    elif root.level == logging.WARNING:
        _set_default_level(root)
    if service is not None:
        name_service(service)
    give_forms(formatter)
    streams = [
        handler.stream for handler in root.handlers if isinstance(handler, logging.StreamHandler)
    ]
    has_handler = root_has_writer() or _pytest_will_log()
    if not has_handler or (stream is not None and stream not in streams):
        handler = _RootHandler(stream or sys.stderr)
        root.addHandler(handler)
        if not has_handler and logging.lastResort is _PYTHONS_LAST_RESORT:
            logging.lastResort = handler
    log_uncaught()
    _watch_for_requests()


def root_has_writer() -> bool:
    """
    Whether the root logger has a handler besides OpenTelemetry's, which exports and writes nothing.

    ``opentelemetry-instrument`` adds one to each program, and hides it from
    :func:`logging.basicConfig` for the same reason: that would not add a handler that writes.
    """
    return any(
        not type(handler).__module__.startswith("opentelemetry.")
        for handler in logging.root.handlers
    )


def _set_default_level(root: logging.Logger) -> None:
    """
    Set INFO where no level is set; under pytest until the test is over, and not while tests
    are collected.
    """
    pytests = {
        type(handler).__name__: handler
        for handler in root.handlers
        if type(handler).__module__ == "_pytest.logging"
    }
    if not pytests and not _pytest_will_log():
        root.setLevel(logging.INFO)
    elif "LogCaptureHandler" in pytests:  # present while a test runs
        _set_for_one_test(root, pytests["LogCaptureHandler"])


def _pytest_will_log() -> bool:
    """
    Whether pytest is starting: while it imports a ``conftest.py``, it has no handlers yet.

    Its environment variable alone is no proof: a server that a test starts inherits it.
    """
    starts = "PYTEST_VERSION" in os.environ and "PYTEST_CURRENT_TEST" not in os.environ
    return starts and "_pytest.logging" in sys.modules


def _set_for_one_test(root: logging.Logger, capturing: Any) -> None:
    before, test = root.level, _current_test()
    root.setLevel(logging.INFO)

    def reset() -> None:
        # pytest calls it before the set-up, the call and the teardown of each test.
        if _current_test() != test:
            del capturing.reset
            root.setLevel(before)
        type(capturing).reset(capturing)

    if "reset" not in vars(capturing):
        capturing.reset = reset


def _current_test() -> str:
    """
    Return the current test, without its phase; pytest's form is ``test_shop.py::test_pay (call)``.
    """
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


class _UnsetLevel(int):
    """The default level: equal to WARNING, and distinguished from an explicit one by its class."""


@contextmanager
def root_level_watched() -> Iterator[Callable[[], int]]:
    """
    Yield a function that returns the root logger's level: INFO where none is set, and there is no
    handler.

    Python's default is equal to an explicit WARNING: this block distinguishes the two.
    """
    root = logging.root
    if root.level == logging.WARNING and not root_has_writer():
        root.level = _UnsetLevel(logging.WARNING)

    def level() -> int:
        is_unset = isinstance(root.level, _UnsetLevel) and not root_has_writer()
        return logging.INFO if is_unset else int(root.level)

    try:
        yield level
    finally:
        root.level = int(root.level)


# -- a process whose shim is not served ------------------------------------------------------------

_UNTRACED = (
    "a server logs requests, and none has reached RequestTracingMiddleware in this process; their lines show "
    "[req=none]. Serve the app that it returns: app = RequestTracingMiddleware(app). 'fastapi run' serves the FastAPI "
    "object inside: call its add_middleware(RequestTracingMiddleware), or start the server by 'asgi-trace run'. "
    "Logged once."
)

serve_untouched = RequestTracingMiddleware.__call__
"""The shim's own ``__call__``, which does not watch for the first request."""


def _watch_for_requests() -> None:
    """Warn once, if a server logs a request before any shim was called."""
    global _is_watching
    if not _is_watching:
        _is_watching = True
        RequestTracingMiddleware.__call__ = _first_call  # type: ignore[method-assign]
        records._on_untraced += (_warn_of_untraced,)


_is_watching = False


@functools.wraps(serve_untouched)
async def _first_call(self: RequestTracingMiddleware, scope: Any, receive: Any, send: Any) -> Any:
    # Only the first call runs this function: a flag would cost each request a little. Servers
    # inspect the signature.
    _stop_watching()
    return await serve_untouched(self, scope, receive, send)


def _stop_watching() -> None:
    RequestTracingMiddleware.__call__ = serve_untouched  # type: ignore[method-assign]
    records._on_untraced = tuple(
        watcher for watcher in records._on_untraced if watcher is not _warn_of_untraced
    )


def _warn_of_untraced(record: logging.LogRecord) -> None:
    if record.name in records.SERVER_ACCESS_LOGGERS:
        _stop_watching()
        warn_once("untraced requests", _UNTRACED)


# -- exporters -------------------------------------------------------------------------------------

_exporters: list[logging.Handler] = []


def attach_exporter(handler: logging.Handler) -> None:
    """
    Add *handler* to the root logger, and to each logger that does not propagate, so that it gets
    each record once.

    Loggers that a server or program sets up later get it when their own handlers first write.
    """
    _exporters.append(handler)
    records.stamp_records()
    records.watch(_meet)
    set_factory()
    _attach(handler)


def _attach(handler: logging.Handler) -> None:
    loggers = [
        entry
        for entry in logging.root.manager.loggerDict.values()
        if isinstance(entry, logging.Logger)
    ]
    for logger in (logging.root, *loggers):
        # A logger that has no handler and does not propagate writes to standard error, and would no
        # longer do so if it got this one.
        ends_here = logger is logging.root or (logger.handlers and not logger.propagate)
        if ends_here and handler not in logger.handlers:
            logger.addHandler(handler)


def undo() -> None:
    """
    Undo the changes of this module to the process, except handlers that were added to loggers; for
    tests.
    """
    global _forms, _is_watching
    for handler in [*_given]:
        _take_form(handler)
    _forms = None
    _exporters.clear()
    records.watch(None)
    records.unstamp_records()
    _stop_watching()
    _is_watching = False
    if isinstance(logging.lastResort, _RootHandler):
        logging.lastResort = _PYTHONS_LAST_RESORT
    name_service(None)
