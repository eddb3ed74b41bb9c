"""
Watch for imports of servers, in a Python process under ``asgi-trace run``.

Every Python process of the command imports this module, so it is short and imports only ``sys`` and
``os``, which Python has loaded already. The hooks are in ``asgi_trace_servers``, which is imported
with the first module of a server. A process that imports no server is not changed.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DIRECTORY = os.path.dirname(__file__)

# The modules in which servers take their apps, or start, and those of other launchers.
_MODULES = frozenset(
    (
        "uvicorn.config",
        "hypercorn.utils",
        "hypercorn.run",
        "anycorn.utils",
        "anycorn.run",
        "granian.asgi",
        "granian.server.common",
        "daphne.server",
        "daphne.cli",
        "gunicorn.arbiter",
        "gunicorn.workers.gasgi",
        "opentelemetry.instrumentation.auto_instrumentation",
        "elasticapm.instrumentation.wrapper",
    )
)


def install() -> None:
    """Watch from now on; modules that are imported already are hooked at once."""
    finder = _Finder()
    for name in finder.names.intersection(sys.modules):
        _hook(sys.modules[name], name)
    sys.meta_path.insert(0, finder)


def stand_first() -> None:
    """
    Keep our directory first on ``PYTHONPATH``, for the processes that this one starts.

    The launchers of OpenTelemetry and Elastic APM put their own directory first, and their
    ``sitecustomize`` runs no other one.
    """
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if DIRECTORY in paths:
        others = [path for path in paths if path != DIRECTORY]
        os.environ["PYTHONPATH"] = os.pathsep.join([DIRECTORY, *others])


class _Finder:
    """Finds the modules of the table by the other finders, and hooks each once it has run."""

    def __init__(self) -> None:
        self.names = {"logging", *_MODULES}

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Return what the other finders return for a module of the table, else None."""
        if name not in self.names:
            return None
        self.names.discard(name)  # the other finders may call all finders, and so this one
        try:
            for finder in [*sys.meta_path]:
                if finder is not self and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        _run_behind(spec.loader, name)
                        return spec
        finally:
            self.names.add(name)
        return None


def _run_behind(loader: "Any", name: str) -> None:
    """Change *loader* so that it hooks the module *name* after running it."""
    if loader is None or isinstance(loader, type):
        return  # a class that loads frozen modules; no server is one
    run = loader.exec_module

    def exec_module(module: "Any") -> None:
        run(module)
        if module.__name__ == name:
            del loader.exec_module
            _hook(module, name)

    # Set on the object: its class, which reads resources and source code, is not changed.
    loader.exec_module = exec_module


def _hook(module: "Any", name: str) -> None:
    """Hook the module *name*. If that fails, log a warning; the import never fails by it."""
    if name == "logging":
        _mark_level(module)
        return
    sys.path.append(DIRECTORY)
    try:
        import asgi_trace_servers

        asgi_trace_servers.HOOKS[name](module)
    except Exception as exc:
        import logging

        message = "%s has another form than expected (%s); its apps are served untraced"
        logging.getLogger("asgi_trace").warning(message, name, exc)
    finally:
        sys.path.remove(DIRECTORY)


class UnsetLevel(int):
    """
    The default level: equal to WARNING, and distinguished from an explicit one by its class.

    The package has such a class too, which this module cannot import: see its first lines.
    """

    def __reduce__(self) -> "Any":
        return int, (int(self),)  # another process may not have this class


def _mark_level(logging: "Any") -> None:
    """Mark Python's default level, which is equal to an explicit WARNING."""
    root = logging.root
    if root.level == logging.WARNING and not root.handlers:
        root.level = UnsetLevel(logging.WARNING)
