"""The packages, the modules in them, and the one direction of imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_trace

PACKAGE = Path(asgi_trace.__file__).parent

# From bottom to top: a module imports modules that stand above it in this table, and the standard
# library. The package "" is asgi_trace itself, with its public modules.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "_core",
        (
            "faults",
            "patterns",
            "tracecontext",
            "escapes",
            "values",
            "logfmt",
            "record",
            "lines",
            "access_lines",
            "calls",
            "headers",
            "ids",
            "request",
            "exceptions",
            "current",
            "threads",
            "sessions",
            "trust",
            "response_headers",
            "protocol",
            "masks",
            "scope",
            "made_records",
            "own_lines",
            "access",
            "inside",
            "middleware",
        ),
    ),
    ("_logging", ("records", "formatters", "uncaught", "setup", "loggers", "captured")),
    ("_outgoing", ("propagation", "client_spans", "call_lines", "hooks")),
    (
        "_mcp",
        (
            "names",
            "sdk",
            "tasks",
            "requests",
            "jsonrpc",
            "observer",
            "protocol",
            "spans",
            "stdout",
            "messages",
            "clients",
        ),
    ),
    (
        "_otel",
        (
            "attributes",
            "endings",
            "contexts",
            "ids",
            "metrics",
            "client_spans",
            "jobs",
            "calls",
            "logs",
            "export",
            "setup",
            "routes",
            "spans",
        ),
    ),
    ("", ("loggers", "mcp", "otel", "__init__")),
    ("_cli", ("environment", "served")),
    ("", ("auto",)),
    ("_cli.injected", ("asgi_trace_finder", "asgi_trace_servers", "sitecustomize")),
    ("_cli", ("run",)),
    (
        "_cli.logs",
        (
            "files",
            "lines",
            "times",
            "stamps",
            "levels",
            "colors",
            "names",
            "services",
            "own",
            "beginnings",
            "prefixes",
            "objects",
            "envelopes",
            "frames",
            "layers",
            "ids",
            "accesses",
            "fields",
            "entry",
            "received",
            "state",
            "roles",
            "named",
            "foreign",
            "records",
            "entries",
            "others",
            "columns",
            "workers",
            "stores",
            "tables",
            "blocked",
            "shown",
            "framing",
            "documents",
            "steps",
            "order",
            "wanted",
            "summary",
            "reader",
            "query",
            "candidates",
            "search",
            "grep",
        ),
    ),
    (
        "_cli.view",
        (
            "contract",
            "errors",
            "places",
            "callers",
            "packing",
            "axis",
            "pauses",
            "sessions",
            "model",
            "latest",
            "page",
            "command",
            "live",
        ),
    ),
    ("_cli.doctor", ("visit", "sources", "checks", "report", "launched", "command")),
    ("_cli", ("demo", "mcp_demo", "advice", "completion", "main")),
    ("", ("__main__",)),
)


def in_order() -> list[str]:
    """
    Every module by its dotted path in asgi_trace; a package's own file stands before the package's
    modules.
    """
    found: list[str] = []
    for package, modules in LAYERS:
        names = [f"{package}.{module}".strip(".") for module in modules]
        parents = [
            package.rsplit(".", depth)[0] for depth in reversed(range(package.count(".") + 1))
        ]
        inits = [f"{parent}.__init__" for parent in parents if parent]
        found += [name for name in inits + names if name not in found]
    return found


MODULES = in_order()
# Loaded by other programs under a name of their own; no module of this package imports them.
STANDALONE = {"_plugin.pytest_asgi_trace.__init__"}
IN_CORE = [module for module in MODULES if module.startswith("_core.")]

# Modules that serve people. A request never waits for their import, and never depends on them.
FOR_PEOPLE = {
    module
    for module in MODULES
    if module.startswith("_cli.")
    and module not in ("_cli.__init__", "_cli.environment", "_cli.served")
} | {"__main__"}

# Third-party modules that a module may import: inside a function, or because it is for users of
# that library.
NEIGHBOURS = {
    "_cli.demo": {"uvicorn"},
    "_cli.doctor.visit": {"opentelemetry"},
    "_cli.mcp_demo": {"uvicorn", "opentelemetry"},
    # Ours, by the names that they have on PYTHONPATH, and the user's own sitecustomize.
    "_cli.injected.asgi_trace_finder": {"asgi_trace_servers"},
    "_cli.injected.asgi_trace_servers": {"asgi_trace", "asgi_trace_finder"},
    "_cli.injected.sitecustomize": {"asgi_trace_finder", "sitecustomize"},
    "_logging.uncaught": {"uvloop"},
    "_otel.calls": {"opentelemetry"},
    "_otel.client_spans": {"opentelemetry"},
    "_otel.contexts": {"opentelemetry"},
    "_otel.export": {"opentelemetry"},
    "_otel.ids": {"opentelemetry"},
    "_otel.jobs": {"opentelemetry"},
    "_otel.logs": {"opentelemetry"},
    "_otel.metrics": {"opentelemetry"},
    "_otel.setup": {"opentelemetry"},
    "_otel.spans": {"opentelemetry"},
    "_outgoing.hooks": {"aiohttp", "requests", "urllib3", "yarl"},
}

# The names and strings of the core in which MCP may appear: those that users and readers of logs
# see.
MCP_IN_CORE = {
    # Fields of a log line, and the name of one of them in OpenTelemetry's conventions.
    "_core.lines": {"mcp_method", "mcp_name"},
    "_core.record": {"mcp", "mcp_method", "mcp_name"},
    # Public attributes of the metadata, and the places where one is found and shown.
    "_core.request": {
        "mcp_call",
        "mcp_error",
        "mcp_method",
        "mcp_name",
        "mcp_session_id",
    },
    "_core.scope": {"mcp_session_id"},
    "_core.access": {"mcp_error"},
    # One of the default session sources.
    "_core.sessions": {"Mcp-Session-Id"},
}


def tree_of(module: str) -> ast.Module:
    file = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


class WithoutTypes(ast.NodeTransformer):
    """Removes imports that only type checkers see."""

    def visit_If(self, node: ast.If) -> ast.If | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else node


def imports_of(module: str, *, for_types: bool = True) -> tuple[set[str], set[str]]:
    """
    Modules of ours, and top-level modules of others, that *module* imports anywhere in its code.
    """
    ours, others = set(), set()
    folder = module.split(".")[:-1]
    tree = tree_of(module)
    for node in ast.walk(tree if for_types else WithoutTypes().visit(tree)):
        if isinstance(node, ast.ImportFrom) and node.level:
            parents = folder[: len(folder) - node.level + 1]
            package = ".".join([*parents, *(node.module or "").split(".")]).strip(".")
            modules = {f"{package}.{alias.name}".strip(".") for alias in node.names} & set(MODULES)
            ours |= modules or {package if package in MODULES else f"{package}.__init__".strip(".")}
        elif isinstance(node, ast.ImportFrom) and node.module:
            others.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
    return ours, others


def code_of(module: str) -> str:
    """The code of *module*, without comments and docstrings."""
    tree = tree_of(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not is_text(line)] or [ast.Pass()]
    return ast.unparse(tree)


def in_same_package(one: str, other: str) -> bool:
    return one.rpartition(".")[0] == other.rpartition(".")[0]


def is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def test_every_module_has_its_place() -> None:
    """A new module is added to the table, at its height."""
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
    }
    assert modules == set(MODULES) | STANDALONE


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    """An import for types alone may go the other way, inside a package."""
    above = set(MODULES[: MODULES.index(module)])
    imported, _ = imports_of(module, for_types=False)
    assert imported <= above
    named, _ = imports_of(module)
    assert {other for other in named if not in_same_package(other, module)} <= above


@pytest.mark.parametrize("module", [module for module in MODULES if module not in FOR_PEOPLE])
def test_requests_do_not_need_what_serves_people(module: str) -> None:
    ours, _ = imports_of(module)
    assert ours & FOR_PEOPLE == set()


@pytest.mark.parametrize("module", IN_CORE)
def test_the_core_imports_nothing_but_the_core(module: str) -> None:
    """Nothing of MCP, of OpenTelemetry or of the formatters, and no library."""
    ours, others = imports_of(module)
    assert ours <= set(IN_CORE)
    assert others <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", IN_CORE)
def test_the_core_names_mcp_only_where_users_see_it(module: str) -> None:
    words = set(re.findall(r"[\w-]*mcp[\w-]*", code_of(module), re.IGNORECASE))
    assert words == MCP_IN_CORE.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_the_standard_library_is_all_it_needs(module: str) -> None:
    """Other libraries are imported by the modules for their users, or when they are asked for."""
    _, others = imports_of(module)
    assert others - set(sys.stdlib_module_names) <= NEIGHBOURS.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_each_module_states_its_subject(module: str) -> None:
    """In its docstring."""
    assert ast.get_docstring(tree_of(module))


def test_importing_it_loads_little() -> None:
    """
    Besides ``logging``: no framework, no argparse, no urllib.request; nothing that most requests do
    not need.
    """
    code = "import logging, sys; before = set(sys.modules); import asgi_trace; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(done.stdout.split())
    others = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert others == {"asgi_trace"}
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
    assert loaded & unwanted == set()
    assert [
        name for name in loaded if name.startswith(("asgi_trace._cli", "asgi_trace._otel"))
    ] == []
