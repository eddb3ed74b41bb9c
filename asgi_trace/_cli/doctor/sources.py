"""
Find the places in the source of an app that start work without the current context.

This module reads the modules that the user has written: not those of the standard library, of
installed packages or of asgi_trace. It runs no code of the app.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..._core.threads import ContextThreadPoolExecutor

__all__ = ("Loss", "losses", "own_modules")


@dataclass(frozen=True)
class Loss:
    """
    A place in the code that loses the ids.

    :param kind: ``executor``, ``thread``, ``process`` or ``queue``.
    :param place: ``shop.py:12``.
    :param is_sure: whether it runs in requests for certain, by the code alone.
    """

    kind: str
    place: str
    is_sure: bool


_LARGEST = 1 << 20  # of a file that is read
# Functions that start threads outside of requests.
_AT_START = frozenset({"lifespan", "startup", "on_startup", "main", "__init__"})
_SURE = frozenset({"executor", "thread"})
_CARRIES = frozenset({"with_context", "copy_context", "carrier", "bound_carrier"})
# The calls to find: the last part of the name, and the modules that it may be from.
_QUEUES = frozenset({"asyncio.Queue", "queue.Queue", "queue.SimpleQueue"})
_THREADS = frozenset({"threading.Thread", "threading.Timer"})
_PROCESSES = frozenset({"ProcessPoolExecutor", "multiprocessing.Process", "multiprocessing.Pool"})


def losses() -> Iterator[Loss]:
    """Yield the places in the modules under the current folder, in the order of the files."""
    for module in own_modules():
        path = str(module.__file__)
        try:
            if os.path.getsize(path) > _LARGEST:
                continue
            with open(path, "rb") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        yield from _Reader(module, os.path.relpath(path)).read(tree)


def own_modules() -> list[ModuleType]:
    """Return the loaded modules under the current folder, in the order of the files."""
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    stdlib = sysconfig.get_path("stdlib")
    modules: dict[str, ModuleType] = {}
    for module in [*sys.modules.values()]:
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py"):
            continue
        path = os.path.abspath(path)
        parts = path.split(os.sep)
        is_installed = "site-packages" in parts or "dist-packages" in parts
        if is_installed or path.startswith((stdlib + os.sep, ours + os.sep)):
            continue
        if path.startswith(os.path.join(os.getcwd(), "")):
            modules.setdefault(path, module)
    return [modules[path] for path in sorted(modules)]


class _Reader(ast.NodeVisitor):
    """Finds losses in one module."""

    def __init__(self, module: ModuleType, path: str) -> None:
        self._module = module
        self._path = path
        self._names: dict[str, str] = {}  # of imports: local name, full name
        self._functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self._found: list[Loss] = []
        self._carries = False
        self._has_context_default = False

    def read(self, tree: ast.Module) -> list[Loss]:
        for node in ast.walk(tree):
            self._note_import(node)
            if isinstance(node, ast.Call) and self._full_name(node.func).endswith(
                "set_default_executor"
            ):
                self._has_context_default = "ContextThreadPoolExecutor" in ast.unparse(node)
        self.visit(tree)
        return [
            loss
            for loss in self._found
            if not (self._carries and loss.kind in ("queue", "process"))
        ]

    def _note_import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self._names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                self._carries = self._carries or alias.name == "bound_carrier"

    def _full_name(self, node: ast.expr) -> str:
        """Return the full name of *node*, such as ``threading.Thread``, by the module's imports."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            parts.insert(0, self._names.get(node.id, node.id))
        return ".".join(parts)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inside(node)

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions.append(node)
        self.generic_visit(node)
        self._functions.pop()

    def visit_Call(self, node: ast.Call) -> None:
        kind = self._kind(node)
        if kind and not self._hands_on(node):
            is_sure = kind in _SURE and self._is_in_request(kind)
            self._found.append(Loss(kind, f"{self._path}:{node.lineno}", is_sure))
        self.generic_visit(node)

    def _kind(self, node: ast.Call) -> str:
        name = self._full_name(node.func)
        last = name.rpartition(".")[2]
        if last == "run_in_executor" and node.args:
            return "" if self._keeps_context(node.args[0]) else "executor"
        if last == "submit" and isinstance(node.func, ast.Attribute):
            return self._kind_of_pool(node.func.value)
        if name in _THREADS and self._functions:
            return "thread"
        if name in _PROCESSES or last == "ProcessPoolExecutor":
            return "process"
        return "queue" if name in _QUEUES else ""

    def _keeps_context(self, pool: ast.expr) -> bool:
        if isinstance(pool, ast.Constant) and pool.value is None:
            return self._has_context_default
        return isinstance(self._value(pool), ContextThreadPoolExecutor)

    def _kind_of_pool(self, pool: ast.expr) -> str:
        from concurrent.futures import ThreadPoolExecutor

        value = self._value(pool)
        if isinstance(value, ContextThreadPoolExecutor):
            return ""
        if isinstance(value, ThreadPoolExecutor):
            return "executor"
        return self._kind_of_local(ast.unparse(pool)) if value is None else ""

    def _kind_of_local(self, name: str) -> str:
        """Return the kind of a pool that the function has made under *name*."""
        for function in reversed(self._functions):
            for node in ast.walk(function):
                made: list[tuple[ast.expr | None, ast.expr]] = []
                if isinstance(node, ast.With | ast.AsyncWith):
                    made = [(item.optional_vars, item.context_expr) for item in node.items]
                elif isinstance(node, ast.Assign):
                    made = [(target, node.value) for target in node.targets]
                for target, value in made:
                    if target is None or ast.unparse(target) != name:
                        continue
                    if isinstance(value, ast.Call):
                        full = self._full_name(value.func).rpartition(".")[2]
                        return "executor" if full == "ThreadPoolExecutor" else ""
        return ""

    def _value(self, node: ast.expr) -> Any:
        """Return the module's own object for ``pool`` or ``state.pool``, None without one."""
        parts = ast.unparse(node).split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        value: Any = vars(self._module).get(parts[0])
        for part in parts[1:]:
            value = getattr(value, "__dict__", {}).get(part)
        return value

    def _hands_on(self, node: ast.Call) -> bool:
        """Whether the context is among the arguments of the call."""
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            for inner in ast.walk(argument):
                if isinstance(inner, ast.Call):
                    name = self._full_name(inner.func).rpartition(".")[2]
                    if name in _CARRIES:
                        return True
                if isinstance(inner, ast.Attribute) and inner.attr == "run":
                    return True  # Context.run
        return False

    def _is_in_request(self, kind: str) -> bool:
        """Whether requests run the function, judged by its name and its decorators."""
        if not self._functions:
            return False
        outer = self._functions[0]
        if kind == "thread" and not outer.decorator_list:
            return isinstance(outer, ast.AsyncFunctionDef) and outer.name not in _AT_START
        decorators = [ast.unparse(decorator) for decorator in outer.decorator_list]
        if any(
            "contextmanager" in decorator or "on_event" in decorator for decorator in decorators
        ):
            return False
        return outer.name not in _AT_START
