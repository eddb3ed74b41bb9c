"""
Marks tests by what they start: a browser, a server, or another process. No test is marked by hand.

A directory of ``DIRECTORIES`` marks all of its tests. Every other test gets the mark of each module
in ``STARTERS`` that it uses: in its own code, in its fixtures, or in the functions and classes of
the tests that these call. A module whose tests start servers in another way adds ``pytestmark =
pytest.mark.servers``.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent

DIRECTORIES = {
    "browser": "browser",
    "launched": "servers",
    "mcp": "servers",
    "otel": "servers",
    "servers": "servers",
}
STARTERS = {
    "multiprocessing": "processes",
    "subprocess": "processes",
    "tests.serving": "servers",
    "uvicorn": "servers",
}
OUR_CODE = ("tests", "benchmarks")


def add_marks(item: pytest.Function) -> None:
    """Mark *item* by its directory, or else by the modules that it uses."""
    directory = item.path.relative_to(TESTS).parts[0]
    if directory in DIRECTORIES:
        item.add_marker(DIRECTORIES[directory])
        return
    modules = _modules_used_by(_starts(item))
    for starter, mark in STARTERS.items():
        if any(_is_in(module, starter) for module in modules):
            item.add_marker(mark)


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _is_ours(module: str) -> bool:
    return any(_is_in(module, package) for package in OUR_CODE)


def _starts(item: pytest.Function) -> tuple[Any, ...]:
    """Return the code that runs *item*: its own, its fixtures', and what its parameters pass."""
    definitions = item._fixtureinfo.name2fixturedefs.values()
    fixtures = [definition.func for found in definitions for definition in found]
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else []
    return (item.function, *fixtures, *[given for given in parameters if _module_of(given)])


@functools.cache  # a test with many parameters is looked at once
def _modules_used_by(starts: tuple[Any, ...]) -> set[str]:
    waiting = [*starts]
    seen: set[int] = set()
    modules: set[str] = set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        module = _module_of(thing)
        modules.add(module)
        if _is_ours(module):
            waiting += _used_by(thing)
    return modules


def _module_of(thing: Any) -> str:
    """
    Return the name of the module that *thing* is, or that defines it; "" for anything but code.
    """
    # By type() and not isinstance(), which asks a framework's proxies of the current request for
    # their class.
    if issubclass(type(thing), types.ModuleType):
        return str(thing.__name__)
    if issubclass(type(thing), (types.FunctionType, type)):
        return str(thing.__module__)
    return ""


def _used_by(thing: Any) -> list[Any]:
    """Return what is in a class, or what the code of a function names, also as ``module.name``."""
    if isinstance(thing, type):
        return [*vars(thing).values(), *thing.__bases__]
    if not isinstance(thing, types.FunctionType):
        return []
    names = [*_names(thing.__code__)]
    named = [thing.__globals__[name] for name in names if name in thing.__globals__]
    ours = [each for each in named if _is_ours(_module_of(each)) and type(each) is types.ModuleType]
    named += [vars(module)[name] for module in ours for name in names if name in vars(module)]
    # A context manager is a function that wraps the one of interest.
    return [getattr(thing, "__wrapped__", None), *named]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
