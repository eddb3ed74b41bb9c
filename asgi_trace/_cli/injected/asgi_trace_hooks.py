"""
Recognises servers when they are imported, and has each app that a server takes traced.

This module knows where each server takes its app. It runs at the start of every Python process
under ``asgi-trace run``, so it imports nothing but ``sys`` and ``os``, which Python has loaded
already, and not even the package: asgi_trace is imported when a server is set up. A process that
sets up no server stays as it is.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DIRECTORY = os.path.dirname(__file__)
# Where the package is that runs the command, for processes of an environment that lacks it.
_HOME = os.path.dirname(os.path.dirname(os.path.dirname(_DIRECTORY)))


def install() -> None:
    """Watch for imports of servers; those that are imported already are hooked at once."""
    sys.meta_path.insert(0, _Finder())
    for name in _HOOKS:
        if name in sys.modules:
            _hook(sys.modules[name], name)


def stand_first() -> None:
    """
    Keep our directory first on ``PYTHONPATH``, for the processes that this one starts.

    OpenTelemetry's ``sitecustomize`` puts its own directory there, and runs no other one.
    """
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if _DIRECTORY in paths:
        others = [path for path in paths if path != _DIRECTORY]
        os.environ["PYTHONPATH"] = os.pathsep.join([_DIRECTORY, *others])


# -- imports ---------------------------------------------------------------------------------------


class _Finder:
    """A finder that finds what the others find, and has the hook of a module run right after it."""

    def __init__(self) -> None:
        self._finding: set[str] = set()

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Return what the other finders return for a module of the table, else None."""
        # The other finders may ask all finders, and so this one.
        if name not in _HOOKS or name in self._finding:
            return None
        self._finding.add(name)
        try:
            for finder in [*sys.meta_path]:
                if finder is not self and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        _run_behind(spec.loader, name)
                        return spec
        finally:
            self._finding.discard(name)
        return None


def _run_behind(loader: "Any", name: str) -> None:
    """Have *loader* run the hook of the module *name* once it has run the module."""
    if loader is None or isinstance(loader, type):
        return  # a class that loads frozen modules; no server is one
    run = loader.exec_module

    def exec_module(module: "Any") -> None:
        run(module)
        if module.__name__ == name:
            del loader.exec_module
            _hook(module, name)

    # On the object: its class, which resources and source code are read by, stays as it is.
    loader.exec_module = exec_module


def _hook(module: "Any", name: str) -> None:
    try:
        _HOOKS[name](module)
    except Exception as exc:
        _warn(f"{name} has another form than expected ({exc}), so its server's apps are not traced")


def _replace(owner: "Any", name: str, make: "Callable[[Any], Any]") -> None:
    """Put what *make* returns for the function *name* of *owner* in its place, once."""
    import functools

    original = getattr(owner, name)
    if not hasattr(original, "_asgi_trace_hook"):
        replacement: Any = functools.wraps(original)(make(original))
        replacement._asgi_trace_hook = True
        setattr(owner, name, replacement)


# -- what is done to a process that serves -----------------------------------------------------------


def _package() -> "Any":
    """Return ``asgi_trace._cli.served``: of this environment, else of the one that runs the command."""
    is_there = _HOME in sys.path
    if not is_there:
        sys.path.append(_HOME)
    try:
        from asgi_trace._cli import served
    finally:
        if not is_there:
            sys.path.remove(_HOME)
    return served


_said: "set[str]" = set()


def _warn(message: str) -> None:
    """Log a warning, once for each process."""
    if message not in _said:
        _said.add(message)
        import logging

        logging.getLogger("asgi_trace").warning("%s", message)


def _prepare() -> None:
    """Have the log lines of this process stamped, as the variables say."""
    try:
        _package().prepare_logging()
    except Exception as exc:
        _warn(f"{exc}; the lines of this process stay as they are")


def _traced(app: "Any") -> "Any":
    """Return *app*, traced; as it is, with a warning, when that fails."""
    try:
        return _package().traced(app, _level_of_program())
    except Exception as exc:
        _warn(f"{exc}; the app is served untraced")
        return app


class _UnsetLevel(int):
    """A level that nobody has set: equal to WARNING, and told from it by its class."""

    def __reduce__(self) -> "Any":
        return int, (int(self),)  # another process may not have this class


def _mark_level(logging: "Any") -> None:
    """Python's default level is equal to an explicit WARNING: mark it, before programs set theirs."""
    root = logging.root
    if root.level == logging.WARNING and not root.handlers:
        root.level = _UnsetLevel(logging.WARNING)


def _level_of_program() -> int:
    """Return the root logger's level: INFO where nobody has set one, and there is no handler."""
    import logging

    root = logging.root
    is_unset = isinstance(root.level, _UnsetLevel) and not root.handlers
    root.level = int(root.level)
    return logging.INFO if is_unset else root.level


# -- servers -----------------------------------------------------------------------------------------


def _before(action: "Callable[[], None]") -> "Callable[[Any], Any]":
    """Return what makes a function that runs *action* before the original."""

    def make(original: "Any") -> "Any":
        def replacement(*arguments: "Any", **options: "Any") -> "Any":
            action()
            return original(*arguments, **options)

        return replacement

    return make


def _after(action: "Callable[[Any], None]") -> "Callable[[Any], Any]":
    """Return what makes a method that runs *action* with its object after the original."""

    def make(original: "Any") -> "Any":
        def replacement(self: "Any", *arguments: "Any", **options: "Any") -> "Any":
            returned = original(self, *arguments, **options)
            action(self)
            return returned

        return replacement

    return make


def _hook_uvicorn(config: "Any") -> None:
    _replace(config.Config, "__init__", _before(_prepare))
    _replace(config.Config, "load", _after(_trace_loaded))


def _trace_loaded(config: "Any") -> None:
    if config.interface != "wsgi":
        config.loaded_app = _traced_inside(config.loaded_app)


# uvicorn's own wrappers. The first makes the client that a proxy names the client of the scope.
_OUTSIDE = ("uvicorn.middleware.proxy_headers", "uvicorn.middleware.message_logger")


def _traced_inside(app: "Any") -> "Any":
    """Return *app* traced, inside uvicorn's wrappers."""
    if type(app).__module__ in _OUTSIDE:
        app.app = _traced_inside(app.app)
        return app
    return _traced(app)


def _hook_hypercorn(utils: "Any") -> None:
    def make(original: "Any") -> "Any":
        def wrap_app(*arguments: "Any", **options: "Any") -> "Any":
            wrapper = original(*arguments, **options)
            if type(wrapper).__name__ == "ASGIWrapper":
                _prepare()
                wrapper.app = _traced(wrapper.app)
            return wrapper

        return wrap_app

    _replace(utils, "wrap_app", make)


def _hook_hypercorns_main_process(run: "Any") -> None:
    _replace(run, "run", _before(_prepare))


def _hook_granian(asgi: "Any") -> None:
    latest: list[Any] = [None, None]  # a worker hands its app over twice

    def traced(app: "Any") -> "Any":
        if latest[0] is not app:
            latest[:] = app, _traced(app)
        return latest[1]

    def make(original: "Any") -> "Any":
        def _callback_wrapper(callback: "Any", *arguments: "Any", **options: "Any") -> "Any":
            return original(traced(callback), *arguments, **options)

        return _callback_wrapper

    def trace_lifespan(protocol: "Any") -> None:
        protocol.callable = traced(protocol.callable)

    _replace(asgi, "_callback_wrapper", make)
    _replace(asgi.LifespanProtocol, "__init__", _after(trace_lifespan))


def _hook_granians_main_process(common: "Any") -> None:
    def prepare(server: "Any") -> None:
        if server.interface in ("asgi", "asginl"):
            _prepare()

    _replace(common.AbstractServer, "__init__", _after(prepare))


def _hook_daphne(server: "Any") -> None:
    def trace(server: "Any") -> None:
        _prepare()
        server.application = _traced(server.application)

    _replace(server.Server, "__init__", _after(trace))


def _hook_daphnes_command(cli: "Any") -> None:
    _replace(cli.CommandLineInterface, "__init__", _before(_prepare))


def _hook_gunicorns_asgi_worker(gasgi: "Any") -> None:
    def trace(worker: "Any") -> None:
        worker.asgi = _traced(worker.asgi)

    _replace(gasgi.ASGIWorker, "load_wsgi", _after(trace))


# Those of uvicorn hand their app to uvicorn's Config.
_ASGI_WORKERS = ("gunicorn.workers.gasgi", "uvicorn_worker", "uvicorn.workers")


def _hook_gunicorns_main_process(arbiter: "Any") -> None:
    def prepare(arbiter: "Any") -> None:
        modules = [kind.__module__ for kind in arbiter.worker_class.__mro__]
        if any(module.startswith(_ASGI_WORKERS) for module in modules):
            _prepare()

    _replace(arbiter.Arbiter, "setup", _after(prepare))


def _hook_opentelemetrys_command(auto_instrumentation: "Any") -> None:
    """``opentelemetry-instrument`` starts its command with its own directory first."""
    _replace(auto_instrumentation, "execl", _before(stand_first))


_HOOKS: "dict[str, Callable[[Any], None]]" = {
    "logging": _mark_level,
    "uvicorn.config": _hook_uvicorn,
    "hypercorn.utils": _hook_hypercorn,
    "hypercorn.run": _hook_hypercorns_main_process,
    "granian.asgi": _hook_granian,
    "granian.server.common": _hook_granians_main_process,
    "daphne.server": _hook_daphne,
    "daphne.cli": _hook_daphnes_command,
    "gunicorn.arbiter": _hook_gunicorns_main_process,
    "gunicorn.workers.gasgi": _hook_gunicorns_asgi_worker,
    "opentelemetry.instrumentation.auto_instrumentation": _hook_opentelemetrys_command,
}
