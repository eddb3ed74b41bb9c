"""
Trace each app that a server takes, in a Python process under ``asgi-trace run``.

This module hooks the function in which each server takes its app. It imports asgi_trace when a
server is set up: a process that only imports a server is not changed.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from asgi_trace_finder import DIRECTORY, UnsetLevel, stand_first

# The directory of the package that runs the command, for processes of an environment without it.
_HOME = os.path.dirname(os.path.dirname(os.path.dirname(DIRECTORY)))


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace the function *name* of *owner* by the result of *make* for it, once."""
    original = getattr(owner, name)
    if not hasattr(original, "_asgi_trace_hook"):
        replacement: Any = functools.wraps(original)(make(original))
        replacement._asgi_trace_hook = True
        setattr(owner, name, replacement)


# -- changes to a process that serves --------------------------------------------------------------


def _package() -> Any:
    """Return ``asgi_trace._cli.served`` of this environment, else of the launcher's."""
    path = [*sys.path]
    sys.path.append(_HOME)
    try:
        from asgi_trace._cli import served
    finally:
        sys.path[:] = path
    return served


def _safely(action: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of *action*. If it fails, log that once, and return None."""
    try:
        return action(*arguments)
    except Exception as exc:
        # The errors of the variables are whole sentences.
        fault = (
            str(exc) if type(exc).__name__ == "LauncherError" else f"{type(exc).__name__}: {exc}"
        )
        if fault not in _warned:
            _warned.add(fault)
            message = "%s; what this process serves is not traced"
            logging.getLogger("asgi_trace").warning(message, fault)
        return None


_warned: set[str] = set()


def _prepare() -> None:
    """Stamp the log lines of this process, by the variables."""
    _safely(lambda: _package().prepare_logging())


def _traced(app: Any) -> Any:
    """Return *app*, traced; unchanged, if that fails."""
    shim = _safely(_trace, app)
    return app if shim is None else shim


def _trace(app: Any) -> Any:
    package, root = _package(), logging.root
    # The program's level is INFO where none is set, and there is no handler.
    is_unset = isinstance(root.level, UnsetLevel) and not package.root_has_writer()
    root.level = int(root.level)
    return package.traced(app, logging.INFO if is_unset else root.level)


# -- servers ---------------------------------------------------------------------------------------


def _before(action: Callable[[], None]) -> Callable[[Any], Any]:
    """Return a function that makes a replacement: it runs *action* before the original."""

    def make(original: Any) -> Any:
        def replacement(*arguments: Any, **options: Any) -> Any:
            action()
            return original(*arguments, **options)

        return replacement

    return make


def _after(action: Callable[[Any], None]) -> Callable[[Any], Any]:
    """Return a function that makes a replacement method: it runs *action* after the original."""

    def make(original: Any) -> Any:
        def replacement(self: Any, *arguments: Any, **options: Any) -> Any:
            returned = original(self, *arguments, **options)
            _safely(action, self)
            return returned

        return replacement

    return make


def _hook_uvicorn(config: Any) -> None:
    def make(original: Any) -> Any:
        def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807
            if options.get("interface") != "wsgi":
                _prepare()
            original(self, *arguments, **options)

        return __init__

    _replace(config.Config, "__init__", make)
    _replace(config.Config, "load", _after(_trace_loaded))


def _trace_loaded(config: Any) -> None:
    if config.interface != "wsgi":
        config.loaded_app = _traced_inside(config.loaded_app)


# uvicorn's own wrappers. The first sets the scope's client to the one in a proxy's header.
_OUTSIDE = ("uvicorn.middleware.proxy_headers", "uvicorn.middleware.message_logger")


def _traced_inside(app: Any) -> Any:
    """Return *app* traced, inside uvicorn's wrappers."""
    if type(app).__module__ in _OUTSIDE:
        app.app = _traced_inside(app.app)
        return app
    return _traced(app)


def _hook_hypercorn(utils: Any) -> None:
    def make(original: Any) -> Any:
        def wrap_app(*arguments: Any, **options: Any) -> Any:
            wrapper = original(*arguments, **options)
            if type(wrapper).__name__ == "ASGIWrapper":
                _prepare()
                wrapper.app = _traced(wrapper.app)
            return wrapper

        return wrap_app

    _replace(utils, "wrap_app", make)


def _hook_hypercorns_main_process(run: Any) -> None:
    _replace(run, "run", _before(_prepare))


def _hook_granian(asgi: Any) -> None:
    latest: list[Any] = [None, None]  # a worker passes its app twice

    def traced(app: Any) -> Any:
        if latest[0] is not app:
            latest[:] = app, _traced(app)
        return latest[1]

    def make(original: Any) -> Any:
        def _callback_wrapper(callback: Any, *arguments: Any, **options: Any) -> Any:
            return original(traced(callback), *arguments, **options)

        return _callback_wrapper

    def trace_lifespan(protocol: Any) -> None:
        protocol.callable = traced(protocol.callable)

    _replace(asgi, "_callback_wrapper", make)
    _replace(asgi.LifespanProtocol, "__init__", _after(trace_lifespan))


def _hook_granians_main_process(common: Any) -> None:
    def prepare(server: Any) -> None:
        if server.interface in ("asgi", "asginl"):
            _prepare()

    _replace(common.AbstractServer, "__init__", _after(prepare))


def _hook_daphne(server: Any) -> None:
    def trace(server: Any) -> None:
        _prepare()
        server.application = _traced(server.application)

    _replace(server.Server, "__init__", _after(trace))


def _hook_daphnes_command(cli: Any) -> None:
    _replace(cli.CommandLineInterface, "__init__", _before(_prepare))


def _hook_gunicorns_asgi_worker(gasgi: Any) -> None:
    def trace(worker: Any) -> None:
        worker.asgi = _traced(worker.asgi)

    _replace(gasgi.ASGIWorker, "load_wsgi", _after(trace))


# The modules of gunicorn's ASGI workers; uvicorn's workers pass their app to uvicorn's Config.
_ASGI_WORKERS = ("gunicorn.workers.gasgi", "uvicorn_worker", "uvicorn.workers")


def _hook_gunicorns_main_process(arbiter: Any) -> None:
    def prepare(arbiter: Any) -> None:
        modules = [kind.__module__ for kind in arbiter.worker_class.__mro__]
        if any(module.startswith(_ASGI_WORKERS) for module in modules):
            _prepare()

    _replace(arbiter.Arbiter, "setup", _after(prepare))


def _hook_opentelemetrys_command(auto_instrumentation: Any) -> None:
    """``opentelemetry-instrument`` starts its command with its own directory first on the path."""
    _replace(auto_instrumentation, "execl", _before(stand_first))


def _hook_elastics_command(wrapper: Any) -> None:
    """The same for ``elasticapm-run``."""
    _replace(wrapper.os, "execl", _before(stand_first))


HOOKS: dict[str, Callable[[Any], None]] = {
    "uvicorn.config": _hook_uvicorn,
    "hypercorn.utils": _hook_hypercorn,
    "hypercorn.run": _hook_hypercorns_main_process,
    "anycorn.utils": _hook_hypercorn,
    "anycorn.run": _hook_hypercorns_main_process,
    "granian.asgi": _hook_granian,
    "granian.server.common": _hook_granians_main_process,
    "daphne.server": _hook_daphne,
    "daphne.cli": _hook_daphnes_command,
    "gunicorn.arbiter": _hook_gunicorns_main_process,
    "gunicorn.workers.gasgi": _hook_gunicorns_asgi_worker,
    "opentelemetry.instrumentation.auto_instrumentation": _hook_opentelemetrys_command,
    "elasticapm.instrumentation.wrapper": _hook_elastics_command,
}
"""The function that hooks each module of a server, once it has run."""
