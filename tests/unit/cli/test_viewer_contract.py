"""The data of the page: one definition for the model and for the page's script."""

from __future__ import annotations

import re
import types
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from asgi_trace._cli.view import contract
from asgi_trace._cli.view.contract import (
    REQUEST_COLUMNS,
    Call,
    Chunk,
    Head,
    News,
    Request,
    Requests,
)
from asgi_trace._cli.view.model import build

from ...viewer import Told, stamped
from .test_viewer_model import entries_of

COMMAND = "python -m tests.unit.cli.test_viewer_contract"
NAMES = {int: "number", float: "number", str: "string", bool: "boolean", types.NoneType: "null"}


def script() -> str:
    """Return ``contract.js`` as it has to be."""
    columns = [(column.name, column.type, column.about) for column in REQUEST_COLUMNS]
    parts = [
        f"// The types of the page's data, generated from contract.py: {COMMAND}\n",
        f"export const VERSION = {contract.VERSION};\n",
        _typedef(Requests, [(name, list[kind], about) for name, kind, about in columns]),
        _typedef(Request, columns),
    ]
    for shape in (Call, Head, Chunk, News):
        hints = get_type_hints(shape, include_extras=True)
        parts.append(_typedef(shape, [(name, *get_args(hint)) for name, hint in hints.items()]))
    return "\n".join(parts)


def _typedef(shape: type, properties: list[tuple[str, Any, str]]) -> str:
    lines = [f" * @property {{{_type(kind)}}} {name} {about}" for name, kind, about in properties]
    about = (shape.__doc__ or "").replace("``", "`").replace("`REQUEST_COLUMNS`", "the columns")
    return "\n".join(
        ["/**", f" * {about}", f" * @typedef {{object}} {shape.__name__}", *lines, " */\n"]
    )


def _type(kind: Any) -> str:
    """Return a Python type as TypeScript writes it."""
    inner = [_type(each) for each in get_args(kind)]
    if get_origin(kind) is list:
        return f"({inner[0]})[]" if "|" in inner[0] else f"{inner[0]}[]"
    if get_origin(kind) is tuple:
        return f"[{', '.join(inner)}]"
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(inner)
    return NAMES.get(kind, kind.__name__)


def test_the_script_has_the_same_types() -> None:
    """``contract.js`` is what this module generates; run it to write the file anew."""
    assert (files("asgi_trace._cli.view") / "contract.js").read_text(
        encoding="utf-8"
    ) == script(), COMMAND


@pytest.fixture
def trace() -> Told:
    """Requests with and without a session, an answer, a call and a late line."""
    end = "POST /mcp 500 900.0ms 2B http 127.0.0.1:1 ttfb=500.0ms outcome=crash"
    return Told.of(
        build(
            [
                entries_of(
                    stamped(1, "nobody's", "none", "none"),
                    stamped(2, "begin"),
                    stamped(2, "no session", "r2", "none"),
                    stamped(2.9, end).replace("] - ", "] [tools/call add #7] - "),
                    stamped(4, "late"),
                )
            ],
            "app.log",
            ["app.log"],
        )
    )


def test_the_model_writes_what_is_defined(trace: Told) -> None:
    """Every name, and no other; each value of a request has its column's type."""
    assert list(trace.head) == list(Head.__annotations__)
    assert [list(chunk) for chunk in trace.chunks] == [list(Chunk.__annotations__)]
    assert list(trace.head["requests"]) == [column.name for column in REQUEST_COLUMNS]
    for column in REQUEST_COLUMNS:
        values = trace.head["requests"][column.name]
        kind = column.type | int if column.type in (float, float | None) else column.type
        assert len(values) == 2
        assert [value for value in values if not isinstance(value, kind)] == []


def test_no_two_parts_of_the_script_define_the_same_name() -> None:
    """The page has all of them as one module."""
    definition = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.M)
    scripts = [each for each in files("asgi_trace._cli.view").iterdir() if each.name[-3:] == ".js"]
    names = Counter(name for each in scripts for name in definition.findall(each.read_text()))
    assert [name for name, count in names.items() if count > 1] == []


if __name__ == "__main__":
    path = Path(str(files("asgi_trace._cli.view"))) / "contract.js"
    path.write_text(script(), encoding="utf-8")
