"""The rooms of the house and the direction between them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_trace

PACKAGE = Path(asgi_trace.__file__).parent

# Each module may import the modules above it, and the standard library.
ROOMS = (
    "faults",
    "sdk",
    "tracecontext",
    "records",
    "calls",
    "headers",
    "ids",
    "context",
    "propagation",
    "outgoing",
    "concurrency",
    "_logging.__init__",
    "_logging.records",
    "_logging.formatters",
    "_logging.uncaught",
    "sessions",
    "masks",
    "networks",
    "answers",
    "scopes",
    "jsonrpc",
    "observer",
    "access",
    "inside",
    "middleware",
    "_logging.setup",
    "loggers",
    "otel",
    "mcp",
    "__init__",
    "environment",
    "auto",
    "launcher",
    "_cli.__init__",
    "_cli.logs.__init__",
    "_cli.logs.files",
    "_cli.logs.times",
    "_cli.logs.levels",
    "_cli.logs.names",
    "_cli.logs.envelopes",
    "_cli.logs.texts",
    "_cli.logs.records",
    "_cli.logs.documents",
    "_cli.logs.wanted",
    "_cli.logs.summary",
    "_cli.logs.reader",
    "_cli.logs.grep",
    "viewer.__init__",
    "viewer.contract",
    "viewer.model",
    "viewer.page",
    "viewer.command",
    "viewer.live",
    "demo",
    "mcp_demo",
    "cli",
    "__main__",
)
# What serves people rather than requests.
NOT_AT_RUN_TIME = {"launcher", "demo", "mcp_demo", "cli", "__main__"} | {
    room for room in ROOMS if room.startswith(("viewer.", "_cli."))
}
# Third-party modules that a module may import: inside a function, or because it is for those who have them.
NEIGHBOURS = {
    "demo": {"uvicorn"},
    "otel": {"opentelemetry"},
    "mcp_demo": {"uvicorn"},
    "outgoing": {"aiohttp", "requests", "urllib3", "yarl"},
    "_logging.uncaught": {"uvloop"},
}


def _source(module: str) -> str:
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def _imports(module: str) -> tuple[set[str], set[str]]:
    """The modules of ours and the top-level modules of others that *module* imports, anywhere in it."""
    ours, others = set(), set()
    folder = module.split(".")[:-1]
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = ".".join([*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]).strip(".")
            inside = {f"{package}.{alias.name}".strip(".") for alias in node.names} & set(ROOMS)
            ours |= inside or {package if package in ROOMS else f"{package}.__init__"}
        elif isinstance(node, ast.ImportFrom) and node.module:
            others.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
    return ours, others


def test_every_module_has_its_place() -> None:
    """A new module is named here, at its height."""
    modules = {".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    assert modules == set(ROOMS)


@pytest.mark.parametrize("module", ROOMS)
def test_imports_go_one_way(module: str) -> None:
    """From bottom to top; and what serves requests never needs what serves people."""
    ours, _ = _imports(module)
    above = set(ROOMS[: ROOMS.index(module)])
    assert ours <= (above if module in NOT_AT_RUN_TIME else above - NOT_AT_RUN_TIME)


@pytest.mark.parametrize("module", ROOMS)
def test_the_standard_library_is_all_it_needs(module: str) -> None:
    """Neighbours are imported by those who were asked for them, when they were."""
    _, others = _imports(module)
    assert others - set(sys.stdlib_module_names) <= NEIGHBOURS.get(module, set())


@pytest.mark.parametrize("module", ROOMS)
def test_each_module_says_what_it_knows(module: str) -> None:
    """And what it does not, in its first lines."""
    assert ast.get_docstring(ast.parse(_source(module)))


def test_importing_it_loads_little() -> None:
    """No framework, no argparse, no urllib.request; nothing that most requests do not need."""
    code = "import sys; before = set(sys.modules); import asgi_trace; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"asgi_trace"}
    full = set(done.stdout.split())
    unwanted = {
        "argparse",
        "asyncio",
        "hashlib",
        "ipaddress",
        "json",
        "pathlib",
        "urllib.request",
        "urllib.parse",
        "uuid",
    }
    assert full & unwanted == set()
