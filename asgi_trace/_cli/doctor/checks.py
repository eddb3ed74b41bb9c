"""
The checks of the doctor: a table of functions, each of which yields remarks.

A check reads the state of the process after the request. It does not change the app.
"""

from __future__ import annotations

import gc
import inspect
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ..._core.access import AccessLog
from ..._core.current import bound_request_metadata
from ..._core.ids import generate_request_id
from ..._core.middleware import RequestTracingMiddleware
from ..._core.request import RequestMetadata
from ..._core.sessions import DEFAULT_SESSION_SOURCES
from ..._core.threads import keeps_ids_in_threads
from ..._logging.formatters import JSONFormatter, LogfmtFormatter, TextFormatter
from ..._logging.records import RequestTracingFilter, stamps_records
from ..._logging.setup import gives_forms
from ..._outgoing.hooks import OutgoingHooks
from .sources import Loss, losses, own_modules
from .visit import Visit, describe

__all__ = ("CHECKS", "FINDING", "NOTE", "OK", "Patient", "Remark", "examine")

FINDING, NOTE, OK = "finding", "note", "ok"


@dataclass(frozen=True)
class Patient:
    """
    The app that is examined.

    :param name: as given by the user: ``shop:app``, or a command.
    :param visit: the results of the request.
    :param server: the server that took the app, "" where it was imported.
    :param is_run: whether it runs as under ``asgi-trace run``.
    :param is_wrapped_by_us: whether its only shim comes from ``asgi-trace run``.
    """

    name: str
    visit: Visit
    server: str = ""
    is_run: bool = False
    is_wrapped_by_us: bool = False

    @property
    def shim(self) -> RequestTracingMiddleware | None:
        """The outermost shim that the request has reached, which determines the ids."""
        entries = self.visit.entries
        return entries[0].shim if entries else None


@dataclass(frozen=True)
class Remark:
    """One sentence of the report. Only a ``finding`` is a fault; it always has a *remedy*."""

    level: str
    sentence: str
    remedy: str = ""


_Check = Callable[[Patient], Iterable[Remark]]


def examine(patient: Patient) -> Iterator[tuple[str, Remark]]:
    """Yield the remarks of each check, with the name of the check."""
    for name, check in CHECKS.items():
        try:
            for remark in check(patient):
                yield name, remark
        except Exception as exc:  # from unusual handlers, proxies and half-made objects
            yield name, Remark(NOTE, f"The check {name!r} could not be completed: {describe(exc)}.")


# -- the shim --------------------------------------------------------------------------------------


def _shim(patient: Patient) -> Iterator[Remark]:
    entries = patient.visit.entries
    if not entries:
        yield _no_shim(patient)
        return
    first = entries[0]
    if first.behind:
        yield Remark(
            FINDING,
            f"RequestTracingMiddleware is inside {first.behind}, a BaseHTTPMiddleware: the lines of code "
            "outside of it, the server's access line among them, have no ids.",
            "wrap the whole app, app = RequestTracingMiddleware(app); or app.add_middleware(RequestTracingMiddleware)",
        )
    elif patient.is_run:
        yield Remark(OK, "The shim is outermost: 'asgi-trace run' puts it there.")
        if patient.is_wrapped_by_us:
            yield Remark(
                NOTE, "The app has no shim of its own: it is traced under 'asgi-trace run' alone."
            )
    elif first.outside:
        yield Remark(OK, f"The shim is inside {first.outside[0]}.")
    else:
        yield Remark(OK, "The shim is outermost.")
    if patient.visit.fault is not None:
        fault = patient.visit.fault
        yield Remark(NOTE, f"The app failed on the request: {describe(fault)}.")
    elif patient.visit.status is None:
        yield Remark(NOTE, "The app sent no response to the request.")


def _no_shim(patient: Patient) -> Remark:
    elsewhere = _name_of_object(RequestTracingMiddleware)
    if elsewhere:
        return Remark(
            FINDING,
            f"The request has not reached RequestTracingMiddleware, though {elsewhere} is one: "
            f"lines and response have no ids.",
            "call add_middleware(RequestTracingMiddleware) on the FastAPI object: its command serves that one"
            if "fastapi_cli" in sys.modules
            else f"serve {elsewhere}, or wrap the whole app and not a part of it",
        )
    return Remark(
        FINDING,
        "There is no RequestTracingMiddleware: lines and response have no ids.",
        "app = RequestTracingMiddleware(app), outermost; or start the server by 'asgi-trace run'",
    )


def _name_of_object(kind: type) -> str:
    """Return ``module.name`` of a module's global variable that is of *kind*, "" without one."""
    for name, module in [*sys.modules.items()]:
        if name.partition(".")[0] == "asgi_trace":
            continue
        for attribute, value in [*getattr(module, "__dict__", {}).items()]:
            if issubclass(type(value), kind):
                return f"{name}.{attribute}"
    return ""


def _response(patient: Patient) -> Iterator[Remark]:
    visit = patient.visit
    if visit.status is None or patient.shim is None:
        return
    header = patient.shim._settings.header.decode()
    values = visit.sent(header)
    if len(values) == 1:
        yield Remark(OK, f"The response ({visit.status}) has one {header}.")
    elif values:
        yield Remark(
            FINDING,
            f"The response has {len(values)} {header} headers: {', '.join(values)}.",
            "remove the other code that adds this header around the shim",
        )
    elif not patient.visit.entries[0].behind:  # which says it already
        yield Remark(
            FINDING,
            f"The response ({visit.status}) has no {header}: code around the shim made it, such as an error page.",
            "wrap the whole app, app = RequestTracingMiddleware(app); in Connexion, "
            "app.add_middleware(RequestTracingMiddleware, position=MiddlewarePosition.BEFORE_EXCEPTION)",
        )


# -- log lines -------------------------------------------------------------------------------------


def _handlers(patient: Patient) -> Iterator[Remark]:
    root = logging.root
    if not root.handlers:
        yield Remark(
            FINDING,
            "The root logger has no handler: lines below WARNING are lost, and the others have no ids.",
            "call configure_logging() where the app is set up",
        )
    bare: list[str] = []
    for logger, handler in _all_handlers():
        try:
            yield from _handler(logger, handler, bare)
        except Exception as exc:  # an unusual handler
            kind, fault = type(handler).__name__, type(exc).__name__
            yield Remark(NOTE, f"{logger.name} -> {kind}: it could not be examined ({fault}).")
    if bare:
        these = "this handler" if len(bare) == 1 else "these handlers"
        yield Remark(
            FINDING,
            f"The lines of {these} have no ids: {'; '.join(bare)}.",
            "have the formatter write record.request_id and record.session_id"
            if gives_forms()
            else "call configure_logging() where the app is set up; or stamp_records(), "
            "and name %(request_id)s and %(session_id)s in the format",
        )


def _handler(logger: logging.Logger, handler: logging.Handler, bare: list[str]) -> Iterator[Remark]:
    """Yield a remark on *handler*'s form and target; or add it to *bare*, if it writes no ids."""
    where = f"{logger.name} -> {_target(handler)}"
    if not _writes(handler):
        stamped = stamps_records() or any(
            isinstance(log_filter, RequestTracingFilter) for log_filter in handler.filters
        )
        said = "its records have the ids" if stamped else "its records have no ids"
        yield Remark(OK if stamped else NOTE, f"{where}: {said}.")
        return
    try:
        text, request_id = _probe(logger, handler)
    except Exception as exc:
        form = _form(handler)
        if "request_id" not in form:  # it needs more than a message
            yield Remark(
                NOTE, f"{where}: {form}, which cannot write a line ({type(exc).__name__})."
            )
        else:
            yield Remark(
                FINDING,
                f"{where}: {form} fails on each line, since records have no request_id.",
                "call stamp_records() where the app is set up",
            )
        return
    form = _form(handler)  # the probe may have given it our form
    if request_id in text:
        yield Remark(OK, f"{where}: {form}, with ids.")
    else:
        bare.append(f"{where} ({form})")


def _all_handlers() -> Iterator[tuple[logging.Logger, logging.Handler]]:
    loggers = [
        entry
        for entry in [*logging.root.manager.loggerDict.values()]
        if isinstance(entry, logging.Logger)
    ]
    seen: set[int] = set()
    for logger in (logging.root, *sorted(loggers, key=lambda entry: entry.name)):
        for handler in logger.handlers:
            if id(handler) not in seen and not isinstance(handler, logging.NullHandler):
                seen.add(id(handler))
                yield logger, handler


_STREAMS = {"<stdout>": "standard output", "<stderr>": "standard error"}


def _target(handler: logging.Handler) -> str:
    file = getattr(handler, "baseFilename", None)
    if file:
        return str(file)
    stream = getattr(handler, "stream", None) or getattr(
        getattr(handler, "console", None), "file", None
    )
    name = str(getattr(stream, "name", "") or "")
    return _STREAMS.get(name, name) or type(handler).__name__


def _writes(handler: logging.Handler) -> bool:
    """Whether *handler* writes or sends the text of its formatter, and no record."""
    if isinstance(handler, logging.StreamHandler) or hasattr(handler, "console"):
        return True
    try:
        source = inspect.getsource(type(handler).emit)
    except (OSError, TypeError):  # without a file, or not in Python
        return False
    return "self.format(" in source


def _form(handler: logging.Handler) -> str:
    form = getattr(handler, "_asgi_trace_form", None)
    for part in (form, *getattr(form, "args", ())):
        writer = getattr(part, "__self__", None)
        if isinstance(writer, (TextFormatter, JSONFormatter, LogfmtFormatter)):
            return f"the line of {type(writer).__name__}"
    formatter = handler.formatter
    if type(handler).format is not logging.Handler.format:
        return _class_of(handler)  # such as StructuredLogHandler of google-cloud-logging
    if formatter is None:
        return "the message alone"
    kind = type(formatter)
    form = getattr(formatter, "_fmt", None)
    if kind is logging.Formatter and form:
        return f"the format {form!r}"
    return _class_of(formatter)


def _class_of(part: object) -> str:
    kind = type(part)
    return f"{kind.__module__.partition('.')[0]}'s {kind.__name__}"


# Loggers with formatters that read the record's arguments.
_MESSAGES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "uvicorn.access": ('%s - "%s %s HTTP/%s" %d', ("127.0.0.1:50312", "GET", "/", "1.1", 200)),
}


def _probe(logger: logging.Logger, handler: logging.Handler) -> tuple[str, str]:
    """Return the text that *handler* would write in a request, and the id of that request."""
    request_id = generate_request_id()
    message, arguments = _MESSAGES.get(logger.name, ("a line", ()))
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, arguments, None)
    with bound_request_metadata(RequestMetadata("asgi-trace-doctor", request_id)):
        if logger.filters:
            logger.filter(record)
        if not handler.filter(record):  # a filter that stamps may come after one that drops
            for log_filter in handler.filters:
                if isinstance(log_filter, RequestTracingFilter):
                    log_filter.filter(record)
        form = getattr(handler, "_asgi_trace_form", None)
        if form is not None and hasattr(handler, "console"):
            return request_id, request_id  # Rich's handlers write our line
        return str(handler.format(record)), request_id


def _loggers_of_others(patient: Patient) -> Iterator[Remark]:
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        if _structlog_shows_ids(structlog):
            yield Remark(OK, "structlog's lines have the ids.")
        else:
            yield Remark(
                FINDING,
                "structlog's processors give its lines no ids.",
                "put asgi_trace.loggers.structlog_processor first among its processors",
            )
    loguru = sys.modules.get("loguru")
    if loguru is not None and _is_used(loguru.logger):
        if _loguru_has_ids(loguru):
            yield Remark(OK, "loguru's records have the ids.")
        else:
            yield Remark(
                FINDING,
                "loguru's records have no ids.",
                "logger.configure(patcher=asgi_trace.loggers.loguru_patcher)",
            )


def _structlog_shows_ids(structlog: Any) -> bool:
    """Whether structlog's processors, or those of a formatter for its lines, add the ids."""
    processors = [*structlog.get_config()["processors"]]
    for _, handler in _all_handlers():
        formatter: Any = handler.formatter
        if type(formatter).__name__ == "ProcessorFormatter":
            processors += formatter.processors
    request_id = generate_request_id()
    line: Any = {"event": "a line"}
    with bound_request_metadata(RequestMetadata("asgi-trace-doctor", request_id)):
        for processor in processors:
            try:
                made = processor(None, "info", dict(line))
            except Exception:  # it needs a logger or a record, or drops the line
                continue
            if request_id in str(made):
                return True
            if isinstance(made, dict):
                line = made
    return False


def _loguru_has_ids(loguru: Any) -> bool:
    patcher = getattr(loguru.logger._core, "patcher", None)
    if patcher is None:
        return False
    request_id = generate_request_id()
    record: dict[str, Any] = {"extra": {}, "exception": None, "message": "a line"}
    with bound_request_metadata(RequestMetadata("asgi-trace-doctor", request_id)):
        patcher(record)
    return request_id in str(record)


def _is_used(thing: object) -> bool:
    """
    Whether *thing* is a global variable of the app's own modules, or of the code of a handler, such
    as an ``InterceptHandler`` of an installed program.
    """
    emits = [type(handler).emit for _, handler in _all_handlers()]
    variables = [vars(module) for module in own_modules()]
    variables += [getattr(emit, "__globals__", {}) for emit in emits]
    return any(value is thing for names in variables for value in [*names.values()])


# The servers' own lines that have no ids unless the shim keeps its context; see the README's table.
_SERVER_LINES = {
    "hypercorn": "hypercorn's line of a crash after the response has begun",
    "anycorn": "anycorn's line of a crash after the response has begun",
    "granian": "granian's access lines and tracebacks",
    "gunicorn": "those of gunicorn -k asgi",
}


def _server_lines(patient: Patient) -> Iterator[Remark]:
    shim = patient.shim
    if shim is None:
        return  # none of them has ids
    if not stamps_records():
        yield Remark(
            NOTE,
            "A server's own lines have no ids: it sets up handlers and formats of its own.",
            "call configure_logging(), which covers them whenever they are set up",
        )
        return
    if not gives_forms():
        yield Remark(
            NOTE,
            "A server's own lines show no ids: its formats do not name them.",
            "call configure_logging(), or name %(request_id)s in the server's configuration of logging",
        )
        return
    lines = [
        lines
        for server, lines in _SERVER_LINES.items()
        if patient.server in ("", server) and find_spec(server) is not None
    ]
    if lines and not shim._keep_context:
        yield Remark(
            NOTE,
            f"Lines that a server logs when the app is done have no ids: {', '.join(lines)}.",
            "keep_context=True, or start the server by 'asgi-trace run'",
        )
    is_daphne = patient.server in ("", "daphne") and find_spec("daphne") is not None
    if is_daphne and not isinstance(shim.app, AccessLog):
        yield Remark(
            NOTE,
            "daphne's access lines do not go through logging, and have no ids.",
            "access_log=True writes ours",
        )


# -- context ---------------------------------------------------------------------------------------

_LOSSES = {
    "executor": (
        "runs a job in an executor, which begins without ids",
        "call keep_ids_in_threads() where the app is set up, or use asyncio.to_thread() or ContextThreadPoolExecutor",
    ),
    "thread": (
        "starts a thread, which begins without ids",
        "call keep_ids_in_threads() where the app is set up, or start it with target=with_context(...)",
    ),
    "process": (
        "hands a job to another process, which has no ids",
        "pass carrier() along, and use bound_carrier() there",
    ),
    "queue": (
        "makes a queue in this process; code that takes from it has no ids, or those of another request",
        "put carrier() with each item, and use bound_carrier() where it is taken",
    ),
}


def _context(patient: Patient) -> Iterator[Remark]:
    kept = keeps_ids_in_threads()
    by_kind: dict[str, list[Loss]] = {}
    for loss in losses():
        if not (kept and loss.kind in ("executor", "thread")):
            by_kind.setdefault(loss.kind, []).append(loss)
    for kind, lost in by_kind.items():
        does, remedy = _LOSSES[kind]
        places = ", ".join(loss.place for loss in lost)
        level = FINDING if any(loss.is_sure for loss in lost) else NOTE
        yield Remark(level, f"The app {does}: {places}.", remedy)
    if "gradio" in sys.modules and _has_gradio(patient):
        yield Remark(
            FINDING,
            "gradio runs events from a queue of its own, in tasks that were started elsewhere: "
            "their lines have no ids, or those of another request.",
            "take the ids in each event from its gr.Request: with bound_request_metadata(extract(request.headers))",
        )
    if not by_kind:
        kept_by = "keep_ids_in_threads() covers threads and executors" if kept else "none was found"
        yield Remark(OK, f"Code that loses the ids: {kept_by}.")


def _has_gradio(patient: Patient) -> bool:
    blocks = getattr(sys.modules["gradio"], "Blocks", None)
    return blocks is not None and any(
        isinstance(candidate, blocks) for candidate in gc.get_objects()
    )


# -- an edge ---------------------------------------------------------------------------------------

_CHOSEN_BY_CLIENTS = ("header:", "query:")
# Top-level names that cannot be registered in public.
_PRIVATE = frozenset(
    (
        "internal",
        "local",
        "localdomain",
        "localhost",
        "lan",
        "home",
        "corp",
        "intranet",
        "svc",
        "test",
    )
)


def _edge(patient: Patient) -> Iterator[Remark]:
    if patient.shim is not None:
        yield from _edge_of_shim(patient.shim)
    for hooks in [candidate for candidate in gc.get_objects() if type(candidate) is OutgoingHooks]:
        for domain in hooks._domains:
            top = domain.lstrip(".")
            if "." not in top and top not in _PRIVATE:
                yield Remark(
                    FINDING,
                    f"OutgoingHooks(trusted_hosts=...) has '*{domain}': "
                    "the session id and the baggage go to hosts of other people.",
                    f"name your own hosts, such as '*.example{domain}'",
                )


def _edge_of_shim(shim: RequestTracingMiddleware) -> Iterator[Remark]:
    settings = shim._settings
    sources = settings.sessions.names
    is_default = sources == DEFAULT_SESSION_SOURCES
    open_sources = [source for source in sources if source.startswith(_CHOSEN_BY_CLIENTS)]
    queries = [source for source in sources if source.startswith("query:")]
    if settings.networks is not None:
        everybody = [
            str(network) for network in settings.networks.networks if not network.prefixlen
        ]
        if everybody:
            yield Remark(
                FINDING,
                f"trust_inbound names {', '.join(everybody)}, so any client chooses its request id and trace.",
                "name the networks of your proxies, or trust_inbound=False at an edge",
            )
    elif not settings.trust_inbound:
        if open_sources:
            yield Remark(
                FINDING,
                "trust_inbound=False is for untrusted clients, and any of them chooses its session id by "
                f"{', '.join(open_sources)}.",
                'session_sources=("bearer",), or a cookie of yours: what a stranger cannot choose',
            )
    elif queries and not is_default:
        yield Remark(
            FINDING,
            f"Session ids are taken from {', '.join(queries)}, of any client: "
            "a link can put a stranger into another's session.",
            'at an edge, session_sources=("bearer",) and trust_inbound=False',
        )
    elif open_sources:
        yield Remark(
            NOTE,
            "Any client may choose its request id and session id: fine behind a proxy of yours, but not at an edge.",
            'at an edge, trust_inbound=False and session_sources=("bearer",)',
        )
    secrets = [source for source in sources if source == "bearer" or source.startswith("cookie:")]
    if secrets and not is_default and not settings.sessions.is_keyed:
        yield Remark(
            NOTE,
            f"The digests of {', '.join(secrets)} have no key: a short or guessable token can be found by trying.",
            "set digest_key",
        )


# -- tracers ---------------------------------------------------------------------------------------

# Middleware that gives requests an id, too: module, class.
_RIVALS = (
    ("asgi_correlation_id.middleware", "CorrelationIdMiddleware"),
    ("asgi_request_id", "RequestIDMiddleware"),
    ("starlette_context.middleware.raw_middleware", "RawContextMiddleware"),
    ("starlette_context.middleware.context_middleware", "ContextMiddleware"),
    ("django_guid.middleware", "guid_middleware"),
)
_MOST_WRAPPERS = 64

# Agents that trace requests: the module that is loaded where they run, and their name.
_AGENTS = {
    "ddtrace": "ddtrace",
    "elasticapm": "Elastic APM",
    "newrelic.agent": "New Relic",
}


def _tracers(patient: Patient) -> Iterator[Remark]:
    for rival in _rivals(patient.visit.app):
        yield Remark(
            FINDING,
            f"{rival} gives each request an id of its own, which is not that of the log lines.",
            f"remove {rival} or RequestTracingMiddleware",
        )
    spans = patient.visit.spans
    if len(spans) > 1:
        yield Remark(
            FINDING,
            f"The request has {len(spans)} SERVER spans, of {' and '.join(spans)}.",
            "keep only one of them; RequestSpans goes inside RequestTracingMiddleware, around everything else",
        )
    elif spans:
        yield Remark(OK, f"The request has one SERVER span, of {spans[0]}.")
        if patient.visit.entries and not _makes_spans(patient.visit.app):
            yield Remark(
                FINDING,
                "The trace and span ids of the lines and of our hooks are not those of that span.",
                "set ASGI_TRACE_OTEL=1 for 'asgi-trace run', or put RequestSpans inside RequestTracingMiddleware: "
                "it makes no second span, and takes the ids of the one that is there",
            )
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None and sentry.is_initialized():
        yield Remark(NOTE, "Sentry traces requests too: its trace ids are not those of the lines.")
    for module, name in _AGENTS.items():
        if module in sys.modules:
            yield Remark(
                NOTE,
                f"{name} is loaded: it traces requests too, and its hooks on outgoing calls write a traceparent.",
                f"leave outgoing calls to {name}, or to our hooks",
            )


def _rivals(app: Any) -> list[str]:
    kinds = {
        getattr(sys.modules[module], name): name
        for module, name in _RIVALS
        if hasattr(sys.modules.get(module), name)
    }
    names = [kinds[kind] for kind in map(type, _wrappers(app)) if kind in kinds]
    return [*dict.fromkeys(names)]


def _wrappers(app: Any) -> Iterator[Any]:
    """Yield *app*, and the apps that it wraps, by the usual attributes of wrappers."""
    waiting: list[Any] = [app]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_WRAPPERS:
        inner = waiting.pop()
        if inner is None or id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        attributes = getattr(inner, "__dict__", {})
        waiting += [
            attributes.get(name) for name in ("app", "asgi_app", "_app", "middleware_stack")
        ]


# -- OpenTelemetry ---------------------------------------------------------------------------------


def _makes_spans(app: Any) -> bool:
    """Whether a wrapper of *app* is ``RequestSpans``."""
    spans = sys.modules.get("asgi_trace._otel.spans")
    return spans is not None and any(
        type(wrapper) is spans.RequestSpans for wrapper in _wrappers(app)
    )


_CONNECTING = 3.0


def _opentelemetry(patient: Patient) -> Iterator[Remark]:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return
    from urllib.parse import urlsplit

    processor = getattr(trace.get_tracer_provider(), "_active_span_processor", None)
    if processor is None:
        if _makes_spans(patient.visit.app):
            yield Remark(
                FINDING,
                "RequestSpans makes no spans: OpenTelemetry has no SDK set up.",
                "call configure_opentelemetry(), or set up a TracerProvider of your own",
            )
        return
    endpoints = [*dict.fromkeys(_endpoints(processor))]
    if not endpoints:
        yield Remark(OK, "OpenTelemetry's SDK is set up; it exports to no endpoint.")
    for endpoint in endpoints:
        parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        shown = f"{parts.hostname}:{port}"  # without credentials, and without a key in the query
        fault = _reach(parts.hostname or "", port)
        if fault:
            yield Remark(
                FINDING,
                f"OpenTelemetry exports to {shown}, which cannot be reached: {fault}.",
                "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
            )
        else:
            yield Remark(OK, f"OpenTelemetry exports to {shown}, which can be reached.")


def _endpoints(processor: Any) -> Iterator[str]:
    """Yield the endpoints of the exporters of *processor*, and of the processors in it."""
    for inner in getattr(processor, "_span_processors", ()):
        yield from _endpoints(inner)
    # The attribute of the SDK's own processor, and that of asgi_trace's.
    batch = getattr(processor, "_batch_processor", getattr(processor, "_batches", None))
    exporter = getattr(processor, "span_exporter", None) or getattr(batch, "_exporter", None)
    endpoint = getattr(exporter, "_endpoint", None)
    if isinstance(endpoint, str):
        yield endpoint


def _reach(host: str, port: int) -> str:
    """Return the reason why no connection to *host* can be made, "" if one can."""
    faults = [f"no answer within {_CONNECTING:g} seconds"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_CONNECTING).close()
            faults[0] = ""
        except OSError as exc:
            faults[0] = exc.strerror or str(exc)

    # The lookup of a host name has no time limit.
    connecting = threading.Thread(target=connect, daemon=True)
    connecting.start()
    connecting.join(_CONNECTING + 1)
    return faults[0]


CHECKS: dict[str, _Check] = {
    "shim": _shim,
    "response": _response,
    "handlers": _handlers,
    "loggers": _loggers_of_others,
    "server": _server_lines,
    "context": _context,
    "edge": _edge,
    "tracers": _tracers,
    "opentelemetry": _opentelemetry,
}
"""Each check by its name, in the order of the report. A new one is one more row."""
