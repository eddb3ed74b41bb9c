"""
The ``ASGI_TRACE_…`` variables: the options that they set, and the app that they name.

This module reads variables and imports the app. It does not trace it: ``served`` does.
"""

from __future__ import annotations

import ast
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, NamedTuple

from .._core.middleware import RequestTracingMiddleware
from .._core.record import STORES
from .._logging.formatters import JSONFormatter, LogfmtFormatter, TextFormatter
from .._logging.records import stamp_records
from .._logging.setup import give_forms

__all__ = (
    "VARIABLES",
    "LauncherError",
    "load_app",
    "read_logging",
    "read_options",
    "read_otel",
    "split_name",
    "unknown_variables",
)

APP = "ASGI_TRACE_APP"
FACTORY = "ASGI_TRACE_FACTORY"
LEVEL = "ASGI_TRACE_LEVEL"
FORMAT = "ASGI_TRACE_FORMAT"
OTEL = "ASGI_TRACE_OTEL"

_SHAPE = "expected 'module:attribute', such as 'shop:app'"
_FORMATS: dict[str, Callable[[], logging.Formatter]] = {
    "text": TextFormatter,
    "json": JSONFormatter,
    "logfmt": LogfmtFormatter,
    **{store: partial(JSONFormatter, names=store) for store in STORES},  # type: ignore[arg-type]
}
_KEEP = "keep"
INSTALL_OTEL = (
    "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
    " opentelemetry-instrumentation-logging"
)
# As servers read variables of theirs.
_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO = frozenset({"0", "false", "f", "no", "n", "off"})


class LauncherError(Exception):
    """
    An app or a command cannot be started; the message names the value, the rule and the remedy.

    .. versionadded:: 0.1
    """


def _flag(value: str) -> bool:
    if value.lower() not in _YES | _NO:
        raise ValueError(f"is {value!r}; expected 1 or 0")
    return value.lower() in _YES


def _level(value: str) -> int | str:
    level = int(value) if value.isdecimal() else value.upper()
    try:
        logging.Logger("").setLevel(level)
    except ValueError:
        raise ValueError(
            f"is {value!r}; expected DEBUG, INFO, WARNING, ERROR, CRITICAL or a number"
        ) from None
    return level


def _trust(value: str) -> bool | list[str]:
    return _flag(value) if value.lower() in _YES | _NO else _members(value)


def _members(value: str) -> list[str]:
    return [member.strip() for member in value.split(",") if member.strip()]


class LogForm(NamedTuple):
    """
    The value of ``ASGI_TRACE_FORMAT``.

    :param formatter: for lines without a chosen form; None where the variable is not set.
    :param keep: stamp records, but do not change forms, handlers and levels.
    """

    formatter: logging.Formatter | None = None
    keep: bool = False

    def apply(self) -> None:
        """
        Stamp the records of this process and, unless forms are kept, its lines; add no handler.
        """
        if self.keep:
            stamp_records()
        else:
            give_forms(self.formatter)


def _format(value: str) -> LogForm:
    name = value.lower()
    if name == _KEEP:
        return LogForm(keep=True)
    make = _FORMATS.get(name)
    if make is None:
        raise ValueError(f"is {value!r}; expected one of {', '.join([*_FORMATS, _KEEP])}")
    return LogForm(make())


# The shim's option for each variable, and the function that reads its text; an option that needs
# another comes after it.
_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "ASGI_TRACE_HEADER_NAME": ("header_name", str),
    "ASGI_TRACE_TRUST_INBOUND": ("trust_inbound", _trust),
    "ASGI_TRACE_SESSION_SOURCES": ("session_sources", _members),
    "ASGI_TRACE_DIGEST_KEY": ("digest_key", os.fsencode),
    "ASGI_TRACE_ERROR_RESPONSE": ("error_response", _flag),
    "ASGI_TRACE_ACCESS_LOG": ("access_log", _flag),
    "ASGI_TRACE_EXCLUDE": ("exclude", _members),
    "ASGI_TRACE_MASK": ("mask", _members),
    "ASGI_TRACE_SESSION_RESPONSE_HEADER": ("session_response_header", str),
    "ASGI_TRACE_TRACERESPONSE": ("traceresponse", _flag),
    "ASGI_TRACE_SERVER_TIMING": ("server_timing", _flag),
    "ASGI_TRACE_EXPOSE_HEADERS": ("expose_headers", _flag),
    "ASGI_TRACE_OBSERVE_BODY": ("observe_body", _flag),
}


def read_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the options of :class:`~asgi_trace.RequestTracingMiddleware` that *environment* sets.

    :raises LauncherError: for a value that the option does not accept.
    """
    options: dict[str, Any] = {}
    for variable, (name, parse) in _OPTIONS.items():
        value = _read(environment, variable, parse)
        if value is not None:
            options[name] = value
            try:
                RequestTracingMiddleware(_nothing, **options)
            except ValueError as exc:
                # The message names the value, unless it is a secret, the rule and the remedy.
                raise LauncherError(_by_variables(str(exc))) from None
    return options


_VARIABLE_OF = {name: variable for variable, (name, _) in _OPTIONS.items()}
# The option that a sentence is about, or the rule "option=True" for another one; or a quoted value,
# which is kept. "mask" and "exclude" are also ordinary words.
_OPTION = re.compile(rf"'(?:[^'\\]|\\.)*'|\b({'|'.join(_VARIABLE_OF)})(?:(=True)|(?= is\b| has\b))")


def _by_variables(message: str) -> str:
    """Return the *message* about an option of the shim with variables in place of options."""

    def variable(match: re.Match[str]) -> str:
        name, is_set = match.groups()
        if name is None:
            return match[0]
        return f"{_VARIABLE_OF[name]}=1" if is_set else _VARIABLE_OF[name]

    return _OPTION.sub(variable, message)


VARIABLES = {
    "ASGI_TRACE_HEADER_NAME": "name of the request id header (default: X-Request-ID)",
    "ASGI_TRACE_TRUST_INBOUND": "clients with accepted ids: 1 all, 0 none, or networks of proxies",
    "ASGI_TRACE_SESSION_SOURCES": "where session ids come from, such as cookie:sid,bearer",
    "ASGI_TRACE_DIGEST_KEY": "secret key of the digests of tokens and cookies",
    "ASGI_TRACE_ERROR_RESPONSE": "0: no 500 response when an app raises before it responds",
    "ASGI_TRACE_ACCESS_LOG": "1: log one line at the end of each request",
    "ASGI_TRACE_EXCLUDE": "paths without an access line, such as /health,/internal/*",
    "ASGI_TRACE_MASK": "further parameters whose values are masked, such as promo",
    "ASGI_TRACE_SESSION_RESPONSE_HEADER": "response header for the session id, such as X-Session-ID",
    "ASGI_TRACE_TRACERESPONSE": "1: add W3C's traceresponse header to each response",
    "ASGI_TRACE_SERVER_TIMING": "1: add a Server-Timing header to each response",
    "ASGI_TRACE_EXPOSE_HEADERS": "1: let scripts of other origins read these headers (CORS)",
    "ASGI_TRACE_OBSERVE_BODY": "1: read the MCP call from request bodies",
    LEVEL: "level of the root logger (default: the app's own, else INFO)",
    FORMAT: f"format of log lines: {', '.join(_FORMATS)}, or keep: the program's own",
    OTEL: "1: export OpenTelemetry spans and log records",
    APP: "app that asgi_trace.auto:app serves, as module:attribute",
    FACTORY: "1: ASGI_TRACE_APP is a factory",
}
"""Each variable with its meaning in a few words."""


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each ``ASGI_TRACE_…`` variable that has no meaning, with the remedy."""
    sentences = []
    for name in sorted(environment):
        if name.startswith("ASGI_TRACE_") and name not in VARIABLES:
            (nearest,) = get_close_matches(name, VARIABLES, n=1, cutoff=0)
            sentences.append(f"{name} has no meaning; did you mean {nearest}?")
    return sentences


def read_logging(environment: Mapping[str, str]) -> tuple[int | str | None, LogForm]:
    """
    Return the root logger's level, None where *environment* does not set it, and the form of lines.

    :raises LauncherError: for an unknown level or format.
    """
    return _read(environment, LEVEL, _level), _read(environment, FORMAT, _format) or LogForm()


def read_otel(environment: Mapping[str, str]) -> bool:
    """
    Return whether *environment* turns OpenTelemetry's spans on.

    :raises LauncherError: for a value that is neither yes nor no.
    """
    return bool(_read(environment, OTEL, _flag))


def _read(environment: Mapping[str, str], variable: str, parse: Callable[[str], Any]) -> Any:
    """
    Return the parsed value of *variable*; None when it is missing or, as in files of variables,
    empty.
    """
    value = environment.get(variable, "").strip()
    if not value:
        return None
    try:
        return parse(value)
    except ValueError as exc:
        raise LauncherError(f"{variable} {exc}") from None


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An app to try options on."""


def load_app(environment: Mapping[str, str]) -> Any:
    """
    Return the app that *environment* names; a factory is called.

    :raises LauncherError: for a wrong name. Exceptions of the app's own code are raised unchanged.
    """
    name, factory = environment.get(APP, "").strip(), _read(environment, FACTORY, _flag)
    if not name:
        raise LauncherError(f"{APP} is not set; {_SHAPE}")
    path, expression = split_name(name)
    directory, _, module_name = path.replace(os.sep, "/").rpartition("/")
    # import_module() reports a relative name as a mistake of its caller, and raises various errors
    # for an empty part of a name.
    if not expression or "" in module_name.split("."):
        raise LauncherError(f"{APP} is {name!r}; {_SHAPE}")
    attributes, call = _parse(name, expression)
    if directory:
        sys.path.insert(0, directory)
    app: Any = _import(name, module_name)
    for attribute in attributes:
        try:
            app = getattr(app, attribute)
        except AttributeError:
            problem = f"{APP} is {name!r}; module {module_name!r} has no {'.'.join(attributes)!r}"
            raise LauncherError(f"{problem}; name the app as the module does") from None
    if not callable(app):
        raise LauncherError(
            f"{APP} is {name!r}, of type {type(app).__name__}; expected a callable, an ASGI app"
        )
    if call is not None:
        app = app(*call[0], **call[1])
    elif factory or (factory is None and _is_factory(app)):
        app = app()
    if not callable(app):
        problem = f"{APP} is {name!r}, a factory that returned {type(app).__name__}"
        raise LauncherError(f"{problem}; expected a callable, an ASGI app")
    return app


def split_name(name: str) -> tuple[str, str]:
    """
    Return module and attribute of an app's *name*; the colon of a Windows drive does not separate
    them.
    """
    module, *attribute = re.split(r":(?![\\/])", name, maxsplit=1)
    return module, attribute[0] if attribute else ""


_Call = tuple[list[Any], dict[str, Any]]


def _parse(name: str, expression: str) -> tuple[list[str], _Call | None]:
    """
    Return the attributes in ``api.app`` or ``make_app("test")``, and the arguments of the call if
    it is one.
    """
    call: _Call | None = None
    try:
        body = ast.parse(expression.strip(), mode="eval").body
        if isinstance(body, ast.Call):
            if any(argument.arg is None for argument in body.keywords):
                raise ValueError("**")
            keywords = {
                str(argument.arg): ast.literal_eval(argument.value) for argument in body.keywords
            }
            call = [ast.literal_eval(argument) for argument in body.args], keywords
            body = body.func
        attributes: list[str] = []
        while isinstance(body, ast.Attribute):
            attributes.insert(0, body.attr)
            body = body.value
        if isinstance(body, ast.Name):
            return [body.id, *attributes], call
    except (SyntaxError, ValueError):
        pass
    raise LauncherError(
        f"{APP} is {name!r}; {_SHAPE}, or 'shop:make_app()' with literals for arguments"
    )


def _import(name: str, module_name: str) -> Any:
    try:
        return import_module(module_name)
    except ModuleNotFoundError as exc:
        # The module itself, or a package of it, is missing; not a module that these import.
        missing = exc.name or ""
        if not f"{module_name}.".startswith(f"{missing}.") or _was_running(exc.__traceback__):
            raise
        problem = f"{APP} is {name!r}; there is no module {missing!r} in {os.getcwd()!r} or elsewhere on Python's path"
        raise LauncherError(
            f"{problem}; correct the name, or start the server where the module is"
        ) from None


_IMPORTERS = frozenset(
    {__name__, "importlib", "importlib._bootstrap", "importlib._bootstrap_external"}
)


def _was_running(traceback: TracebackType | None) -> bool:
    """Whether code of a module was running, other than ours and the import system's."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") not in _IMPORTERS:
            return True
        traceback = traceback.tb_next
    return False


def _is_factory(app: Any) -> bool:
    """
    Whether *app* is a plain function that can be called without arguments, and not with an ASGI
    app's three.
    """
    if not inspect.isfunction(app) or inspect.iscoroutinefunction(app):
        return False
    signature = inspect.signature(app)
    return _accepts(signature) and not _accepts(signature, None, None, None)


def _accepts(signature: inspect.Signature, *arguments: None) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
