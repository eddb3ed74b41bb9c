"""The public modules: the names that they offer, and the documentation of each."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import asgi_trace

PACKAGE = Path(asgi_trace.__file__).parent

# The import of asgi_trace.auto loads the app that a variable names: it is imported in other
# processes only.
AUTO = "asgi_trace.auto"
IMPORTED_HERE = ("asgi_trace", "asgi_trace.loggers", "asgi_trace.mcp", "asgi_trace.otel")
PUBLIC = tuple(sorted({AUTO, *IMPORTED_HERE}))

NAMES = [(module, name) for module in IMPORTED_HERE for name in import_module(module).__all__]


def is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "asgi_trace"


def is_named(name: str, text: str) -> bool:
    """Whether *text* describes the parameter or attribute *name*."""
    return re.search(rf":param {name}:|\*{name}\*|``{name}``", text) is not None


def documented_class(public: object) -> type | None:
    """
    The class whose members a user of *public* meets: itself, or its own where it is an object such
    as a variable.
    """
    kind = public if isinstance(public, type) else type(public)
    return kind if is_ours(kind) else None


def parameters_of(function: Any) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {
        each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    } - {"self"}


def inherited_parameters(kind: type, method: str) -> set[str]:
    """
    Parameters of the method that *kind* overrides in a class of the standard library, which
    documents them.
    """
    for base in kind.__mro__:
        if not is_ours(base) and base is not object and method in vars(base):
            return parameters_of(vars(base)[method])
    return set()


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public attributes that *kind* has from classes of ours."""
    for name in dir(kind):
        owner = next((base for base in kind.__mro__ if name in vars(base)), object)
        if not name.startswith("_") and is_ours(owner):
            yield name, vars(owner)[name]


def strings_under_attributes(kind: type) -> dict[str, str]:
    """
    The string under the assignment of each attribute of *kind*: editors show it as the attribute's
    documentation.
    """
    functions = [value for value in vars(kind).values() if inspect.isfunction(value)]
    files = {inspect.getsourcefile(function) for function in functions}
    found = {}
    for file in files:
        for node in ast.walk(ast.parse(Path(str(file)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                for before, after in pairwise(node.body):
                    if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
                        found[ast.unparse(before.target)] = ast.unparse(after.value)
    return found


def test_these_modules_are_public_and_no_others() -> None:
    """
    A path in which no part begins with an underscore is public; ``python -m asgi_trace`` imports
    ``__main__``.
    """
    found = set()
    for file in PACKAGE.rglob("*.py"):
        *folders, name = file.relative_to(PACKAGE.parent).with_suffix("").parts
        parts = folders if name == "__init__" else [*folders, name]
        if not any(part.startswith("_") for part in parts):
            found.add(".".join(parts))
    assert found == set(PUBLIC)


@pytest.mark.parametrize("module", IMPORTED_HERE)
def test_the_list_of_names_is_sorted_and_true(module: str) -> None:
    public = import_module(module)
    assert list(public.__all__) == sorted(public.__all__)
    assert [name for name in public.__all__ if not hasattr(public, name)] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_shows_its_public_names_alone(module: str) -> None:
    """
    It imports nothing else under a name without underscore: a user cannot rely on an import of ours
    by mistake.
    """
    code = f"""
import types, {module} as public
ours = lambda value: isinstance(value, types.ModuleType) and value.__name__.startswith("asgi_trace.")
shown = {{name for name, value in vars(public).items() if not name.startswith("_") and not ours(value)}}
print(*sorted(shown ^ set(public.__all__)))
"""
    environment = {**os.environ, "ASGI_TRACE_APP": "tests.asgi:hello"}
    root = PACKAGE.parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=root,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_each_name_is_documented(module: str, name: str) -> None:
    """A promise, the version that added it, and every parameter."""
    public = getattr(import_module(module), name)
    text = inspect.getdoc(public) or ""
    assert ".. versionadded::" in text
    if not callable(public):
        return
    named_elsewhere = (
        inherited_parameters(public, "__init__") if isinstance(public, type) else set()
    )
    undocumented = {
        each for each in parameters_of(public) - named_elsewhere if not is_named(each, text)
    }
    assert undocumented == set()


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_each_member_of_a_class_is_documented(module: str, name: str) -> None:
    """
    A method with its parameters; a property or field by a text of its own, or by the text of the
    class.
    """
    kind = documented_class(getattr(import_module(module), name))
    if kind is None:
        return
    in_class = inspect.getdoc(kind) or ""
    under = strings_under_attributes(kind)
    undocumented = set()
    for member, value in members(kind):
        if inspect.isfunction(value):
            text = inspect.getdoc(getattr(kind, member)) or ""
            parameters = parameters_of(value) - inherited_parameters(kind, member)
            undocumented |= {f"{member}({each})" for each in parameters if not is_named(each, text)}
        else:
            text = inspect.getdoc(value) if isinstance(value, property) else ""
            text = text or under.get(member) or (in_class if is_named(member, in_class) else "")
        if not text:
            undocumented.add(member)
    assert undocumented == set()


def test_the_traced_app_of_servers_is_documented() -> None:
    """In its module: the app itself is the program's."""
    text = ast.get_docstring(ast.parse((PACKAGE / "auto.py").read_text(encoding="utf-8"))) or ""
    assert "``asgi_trace.auto:app``" in text
    assert ".. versionadded::" in text


def test_the_package_depends_on_nothing() -> None:
    """Every requirement is an extra's."""
    requirements = metadata("asgi-trace").get_all("Requires-Dist") or []
    assert [each for each in requirements if "extra ==" not in each] == []


def test_the_version_is_the_packages() -> None:
    assert metadata("asgi-trace")["Version"] == asgi_trace.__version__
