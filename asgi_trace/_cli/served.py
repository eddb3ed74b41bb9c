"""
Wrap the app that a server is about to serve, by the ``ASGI_TRACE_…`` variables.

Every app that is traced without a change of its code passes through this module: under ``asgi-trace
run`` through :func:`traced`, and through :func:`load_traced_app` where ``ASGI_TRACE_APP`` names the
app. This module has no code for single servers, and does not import apps by name: ``environment``
does.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from copy import copy
from importlib import import_module
from typing import Any
from weakref import WeakSet

from .._core.faults import warn_once
from .._core.inside import rewrapped
from .._core.middleware import RequestTracingMiddleware
from .._logging.setup import configure_logging, root_has_writer, root_level_watched
from .environment import (
    INSTALL_OTEL,
    OTEL,
    LauncherError,
    load_app,
    read_logging,
    read_options,
    read_otel,
)

__all__ = (
    "AS_IT_IS",
    "ON_APP",
    "load_app_for_server",
    "own_shim",
    "prepare_logging",
    "root_has_writer",
    "traced",
)

ON_APP = "_ASGI_TRACE_ON_APP"
"""Names a function, as ``module:function``, that :func:`traced` calls with each app and its shim."""

AS_IT_IS = "_ASGI_TRACE_AS_IT_IS"
"""
If it is set, apps and logging are not changed: the function gets the app itself in place of a
shim. A command that ``asgi-trace run`` starts does not inherit it.
"""

# gunicorn's own ASGI worker logs no traceback of an app that raises after a whole response, such as
# the shim's 500.
_SILENT_WORKER = "gunicorn.workers.gasgi"


def prepare_logging() -> None:
    """
    Stamp the lines of this process, which is about to serve, by the variables. Add no handler.

    :raises LauncherError: for an unknown level or format.
    """
    if os.environ.get(AS_IT_IS):
        return
    _, form = read_logging(os.environ)
    form.apply()


def traced(app: Any, own_level: int) -> Any:
    """
    Return *app* with a shim outermost, and configure logging: a server takes the app now.

    If the program itself put a shim around or into the app, the new one gets its options. An app
    that this function returned before is returned unchanged.

    :param own_level: the root logger's level, set by the program or by default.
    :raises LauncherError: for a variable with a wrong value.
    """
    shim: Any = app
    if not _is_served(app) and not os.environ.get(AS_IT_IS):
        shim = _trace(app, own_level, os.environ)
        if read_otel(os.environ):
            try:
                _make_spans(shim)
            except LauncherError as exc:
                warn_once(OTEL, f"{exc}; requests are traced without spans")
    on_app = os.environ.get(ON_APP)
    if on_app:
        module, _, function = on_app.partition(":")
        getattr(import_module(module), function)(app, shim)
    return shim


_served: WeakSet[RequestTracingMiddleware] = WeakSet()


def _is_served(app: Any) -> bool:
    return issubclass(type(app), RequestTracingMiddleware) and app in _served


def _trace(app: Any, own_level: int, environment: Mapping[str, str]) -> RequestTracingMiddleware:
    """Return *app* with a shim outermost, and configure logging."""
    level, form = read_logging(environment)
    options = read_options(environment)
    if form.keep:
        form.apply()
        if level is not None:
            logging.root.setLevel(level)
    else:
        configure_logging(own_level if level is None else level, formatter=form.formatter)
    own = own_shim(app)
    if own is None:
        if _SILENT_WORKER in sys.modules:
            options.setdefault("error_response", False)
        shim = RequestTracingMiddleware(app, **options)
    else:
        shim = _moved_outside(own, app)
    shim._keep_context = True  # the other options are those of the program's own shim, if any
    _served.add(shim)
    return shim


# More levels than real wrappers have, and an end for a circle of wrappers.
_DEPTH = 32


def own_shim(app: Any) -> RequestTracingMiddleware | None:
    """
    Return the outermost shim that the program itself has put around or into *app*; None without one.

    It is searched by the wrappers' attributes ``app`` and ``asgi_app``, and among the middleware
    that was added to a Starlette app.
    """
    inner = app
    for _ in range(_DEPTH):
        # By type() and not isinstance(), which reads the __class__ of proxies.
        if issubclass(type(inner), RequestTracingMiddleware):
            return inner  # type: ignore[no-any-return]
        added = _added_to_starlette(inner)
        if added is not None:
            return added
        attributes = getattr(inner, "__dict__", {})
        name = "asgi_app" if attributes.get("asgi_app") is not None else "app"
        inner = attributes.get(name)
        if inner is None:
            break
    return None


def _added_to_starlette(app: Any) -> RequestTracingMiddleware | None:
    """Return a new shim with the arguments that *app* was given by ``add_middleware``."""
    applications = sys.modules.get("starlette.applications")
    if applications is None or not issubclass(type(app), applications.Starlette):
        return None
    for middleware in app.user_middleware:
        kind = middleware.cls
        if isinstance(kind, type) and issubclass(kind, RequestTracingMiddleware):
            return kind(app, *middleware.args, **middleware.kwargs)
    return None


def _moved_outside(shim: RequestTracingMiddleware, app: Any) -> RequestTracingMiddleware:
    """Return a shim with the options of *shim* around the whole *app*."""
    twin = copy(shim)
    if shim is not app:
        twin._inner = app
        twin.app = rewrapped(shim.app, shim._inner, app)
    return twin


def _make_spans(shim: RequestTracingMiddleware) -> None:
    try:
        from ..otel import RequestSpans, configure_opentelemetry

        configure_opentelemetry()
    except ImportError as exc:
        problem = f"{OTEL} is set, and {exc.name} is not installed"
        raise LauncherError(f"{problem}; '{INSTALL_OTEL}' installs what is needed") from None
    except ValueError as exc:  # the message names the variable, its value and the remedy
        raise LauncherError(str(exc)) from None
    except Exception as exc:  # from an exporter, such as Prometheus's in the second of two workers
        problem = f"{type(exc).__name__}: {exc}"
        raise LauncherError(f"{OTEL} is set, and an exporter does not start ({problem})") from exc
    shim.app = RequestSpans(shim.app)


# -- the app named in a variable -------------------------------------------------------------------


def load_traced_app(environment: Mapping[str, str]) -> RequestTracingMiddleware:
    """
    Load the app that *environment* names, wrap it with the options that it sets, and configure
    logging.

    Logging and OpenTelemetry are configured last, so that the app starts as it would without us.
    The app's own set-up is kept: its level too, unless ``ASGI_TRACE_LEVEL`` is set.

    :raises LauncherError: for a wrong name or option. Exceptions of the app's own code are raised
        unchanged.
    """
    _, form = read_logging(environment)
    form.apply()
    read_options(environment)
    otel = read_otel(environment)
    with root_level_watched() as level_of_root:
        app = load_app(environment)
        own_level = level_of_root()
    shim = _trace(app, own_level, environment)
    if otel:
        _make_spans(shim)
    return shim


# Each server's exception for a missing app: the server prints one line and ends. With any other
# exception it prints a traceback of its own code, and some servers try again. A server that uses
# another one comes before it.
_SERVERS_WORDS = (
    ("gunicorn.errors", "AppImportError"),
    ("uvicorn.importer", "ImportFromStringError"),
    ("granian", ""),
    ("hypercorn", ""),
    ("anycorn", ""),
)


def load_app_for_server() -> RequestTracingMiddleware:
    """
    Return the traced app that the variables of this process name.

    :raises LauncherError: as :func:`load_traced_app`; also an instance of the class that the
        running server reports in one line.
    """
    try:
        return load_traced_app(os.environ)
    except LauncherError as exc:
        raise _for_server(exc) from None


def _for_server(error: LauncherError) -> BaseException:
    """Return *error* as an exception that is an instance of the server's own class, too."""
    for module, name in _SERVERS_WORDS:
        if module in sys.modules:
            word = getattr(sys.modules[module], name, SystemExit)
            both: type[BaseException] = type(
                "LauncherError", (word, LauncherError), {"__module__": __name__}
            )
            return both(*error.args)
    return error
