"""The app and the options that ``ASGI_TRACE_…`` variables name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asgi_trace._cli.environment import (
    _OPTIONS,
    VARIABLES,
    LauncherError,
    load_app,
    read_options,
    unknown_variables,
)

SHOP = """
class Api:
    async def __call__(self, scope, receive, send): ...
    version = "1"

async def app(scope, receive, send): ...
async def other(scope, receive, send): ...
def make_app(debug=False): return other if debug else app
def legacy(*arguments): raise AssertionError("called")
def broken_factory(): return "no app"
def missing_attribute(): return app.nothing
api = Api()
class views: admin = api
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """
    A directory of modules, on the path; and all that was imported from it is forgotten afterwards.
    """
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "trace_shop.py").write_text(SHOP)
    package = tmp_path / "trace_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "shop.py").write_text(SHOP)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "trace_far.py").write_text(SHOP)
    (tmp_path / "trace_no_import.py").write_text("import trace_not_there")
    (tmp_path / "trace_no_self.py").write_text("import trace_no_self.part")
    (tmp_path / "trace_no_name.py").write_text("from trace_shop import nothing")
    (tmp_path / "trace_no_syntax.py").write_text("def app(:")
    (tmp_path / "trace_no_luck.py").write_text("raise RuntimeError('no luck')")
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("trace_"):
            del sys.modules[name]


def load(app: str, **variables: str) -> Any:
    return load_app({"ASGI_TRACE_APP": app, **variables})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trace_shop:app", "app"),
        (" trace_shop:app ", "app"),
        ("trace_pkg.shop:app", "app"),
        ("trace_shop:api", "Api"),
        ("trace_shop:views.admin", "Api"),
        ("trace_shop:make_app", "app"),
        ("trace_shop:make_app()", "app"),
        ("trace_shop:make_app(True)", "other"),
        ("trace_shop:make_app(debug=True)", "other"),
        ("trace_shop:legacy", "legacy"),
        ("{directory}/elsewhere/trace_far:app", "app"),
    ],
)
def test_the_app_is_found(shop: Path, name: str, expected: str) -> None:
    """
    By nested names, in packages and directories, and made by a factory, which needs no flag to be
    known as one.
    """
    app = load(name.format(directory=shop.as_posix()))
    assert getattr(app, "__name__", type(app).__name__) == expected


@pytest.mark.parametrize(("factory", "expected"), [("1", "Api"), ("0", "type"), ("", "type")])
def test_a_class_is_a_factory_when_it_is_said_to_be(
    shop: Path, factory: str, expected: str
) -> None:
    assert type(load("trace_shop:Api", ASGI_TRACE_FACTORY=factory)).__name__ == expected


SHAPE = "expected 'module:attribute', such as 'shop:app'"
NAMES = [
    ("", f"ASGI_TRACE_APP is not set; {SHAPE}"),
    ("trace_shop", f"ASGI_TRACE_APP is 'trace_shop'; {SHAPE}"),
    (":app", f"ASGI_TRACE_APP is ':app'; {SHAPE}"),
    ("trace_shop:", f"ASGI_TRACE_APP is 'trace_shop:'; {SHAPE}"),
    (".trace_shop:app", f"ASGI_TRACE_APP is '.trace_shop:app'; {SHAPE}"),
    ("trace_shop:app-1", f"ASGI_TRACE_APP is 'trace_shop:app-1'; {SHAPE}, or"),
    ("trace_shop:make_app(x)", f"ASGI_TRACE_APP is 'trace_shop:make_app(x)'; {SHAPE}, or"),
    (
        "trace_shop:make_app(**{1: 2})",
        f"ASGI_TRACE_APP is 'trace_shop:make_app(**{{1: 2}})'; {SHAPE}, or",
    ),
    ("trace_not:app", "ASGI_TRACE_APP is 'trace_not:app'; there is no module 'trace_not' in"),
    (
        "trace_not.shop:app",
        "ASGI_TRACE_APP is 'trace_not.shop:app'; there is no module 'trace_not' in",
    ),
    (
        "trace_pkg.not:app",
        "ASGI_TRACE_APP is 'trace_pkg.not:app'; there is no module 'trace_pkg.not' in",
    ),
    (
        "trace_shop.not:app",
        "ASGI_TRACE_APP is 'trace_shop.not:app'; there is no module 'trace_shop.not' in",
    ),
    (
        "trace_shop:not_there",
        "ASGI_TRACE_APP is 'trace_shop:not_there'; module 'trace_shop' has no 'not_there'; name",
    ),
    (
        "trace_shop:api.not_there",
        "ASGI_TRACE_APP is 'trace_shop:api.not_there'; module 'trace_shop' has no 'api.not_",
    ),
    (
        "trace_shop:api.version",
        "ASGI_TRACE_APP is 'trace_shop:api.version', of type str; expected a callable",
    ),
    (
        "trace_shop:broken_factory",
        "ASGI_TRACE_APP is 'trace_shop:broken_factory', a factory that returned str; exp",
    ),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_wrong_name_is_told_in_one_sentence(shop: Path, name: str, expected: str) -> None:
    """Value, rule, remedy; and which part of the name is at fault."""
    with pytest.raises(LauncherError) as raised:
        load(name)
    assert str(raised.value).startswith(expected)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trace_no_import:app", "ModuleNotFoundError: No module named 'trace_not_there'"),
        ("trace_no_self:app", "ModuleNotFoundError: No module named 'trace_no_self.part'; .*"),
        ("trace_no_name:app", "ImportError: cannot import name 'nothing' .*"),
        ("trace_no_syntax:app", "SyntaxError: .*"),
        ("trace_no_luck:app", "RuntimeError: no luck"),
        (
            "trace_shop:missing_attribute",
            "AttributeError: 'function' object has no attribute 'nothing'",
        ),
        ("trace_shop:make_app(1, 2)", "TypeError: .*"),
    ],
)
def test_the_apps_own_error_is_shown_as_it_is(shop: Path, name: str, expected: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - of any type but ours
        load(name)
    assert not isinstance(raised.value, LauncherError)
    assert re.fullmatch(expected, f"{type(raised.value).__name__}: {raised.value}")


def test_no_option_is_set_by_nothing() -> None:
    """Nor by an empty value."""
    assert (
        read_options(
            {"ASGI_TRACE_HEADER_NAME": "", "ASGI_TRACE_TRUST_INBOUND": " ", "PATH": "/bin"}
        )
        == {}
    )


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HEADER_NAME", "X-Trace", {"header_name": "X-Trace"}),
        ("TRUST_INBOUND", "no", {"trust_inbound": False}),
        ("TRUST_INBOUND", "1", {"trust_inbound": True}),
        ("SESSION_RESPONSE_HEADER", "X-Session-ID", {"session_response_header": "X-Session-ID"}),
        ("TRACERESPONSE", "1", {"traceresponse": True}),
        ("SERVER_TIMING", "on", {"server_timing": True}),
        ("EXPOSE_HEADERS", "yes", {"expose_headers": True}),
        ("OBSERVE_BODY", "1", {"observe_body": True}),
        ("TRUST_INBOUND", "10.0.0.0/8, ::1,unix", {"trust_inbound": ["10.0.0.0/8", "::1", "unix"]}),
        ("SESSION_SOURCES", "cookie:sid, bearer", {"session_sources": ["cookie:sid", "bearer"]}),
        ("DIGEST_KEY", "kéy", {"digest_key": "kéy".encode()}),
        ("ERROR_RESPONSE", "False", {"error_response": False}),
        ("ACCESS_LOG", "on", {"access_log": True}),
        ("MASK", "promo, gift_code", {"mask": ["promo", "gift_code"]}),
    ],
)
def test_a_variable_is_an_option(variable: str, value: str, expected: dict[str, Any]) -> None:
    assert read_options({f"ASGI_TRACE_{variable}": value}) == expected


def test_one_option_may_need_another() -> None:
    variables = {"ASGI_TRACE_EXCLUDE": "/health,/internal/*", "ASGI_TRACE_ACCESS_LOG": "1"}
    assert read_options(variables) == {"access_log": True, "exclude": ["/health", "/internal/*"]}


def test_each_option_has_a_few_words() -> None:
    assert VARIABLES.keys() >= _OPTIONS.keys()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ASGI_TRACE_FROMAT", "ASGI_TRACE_FORMAT"),
        ("ASGI_TRACE_TRUST", "ASGI_TRACE_TRUST_INBOUND"),
        ("ASGI_TRACE_ACCESSLOG", "ASGI_TRACE_ACCESS_LOG"),
        ("ASGI_TRACE_OPENTELEMETRY", "ASGI_TRACE_OTEL"),
    ],
)
def test_an_unknown_variable_gets_the_nearest_name(name: str, nearest: str) -> None:
    environment = {name: "1", "ASGI_TRACE_LEVEL": "info", "PATH": "/bin", "ASGI_TRACER": "1"}
    assert unknown_variables(environment) == [f"{name} has no meaning; did you mean {nearest}?"]


SECRET = "s3cret-" * 10


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "HEADER_NAME",
            "X Trace",
            "ASGI_TRACE_HEADER_NAME is 'X Trace'; expected a header's name, such",
        ),
        (
            "TRUST_INBOUND",
            "maybe",
            "ASGI_TRACE_TRUST_INBOUND has 'maybe'; expected a network, such as '10.0.0.0/8' without bits "
            "behind the mask, an address",
        ),
        (
            "SESSION_SOURCES",
            "bearer,x",
            "ASGI_TRACE_SESSION_SOURCES has 'x'; expected 'header:NAME'",
        ),
        (
            "DIGEST_KEY",
            SECRET,
            "ASGI_TRACE_DIGEST_KEY has 70 bytes; expected at most 64; hash a longer",
        ),
        (
            "MASK",
            "a b",
            "ASGI_TRACE_MASK has 'a b'; expected a parameter's name, such as 'promo'",
        ),
        (
            "SESSION_RESPONSE_HEADER",
            "x-request-id",
            "ASGI_TRACE_SESSION_RESPONSE_HEADER is 'x-request-id', as ASGI_TRACE_HEADER_NAME is;",
        ),
        # What looks like an option's name in a value stays.
        ("MASK", "mask b", "ASGI_TRACE_MASK has 'mask b'; expected"),
        (
            "EXCLUDE",
            "/health",
            "ASGI_TRACE_EXCLUDE is ['/health'] without ASGI_TRACE_ACCESS_LOG=1",
        ),
    ],
)
def test_a_bad_value_is_told_at_once(variable: str, value: str, expected: str) -> None:
    """With the variable's name, the value unless it is the key, the rule and the remedy."""
    with pytest.raises(LauncherError) as raised:
        read_options({f"ASGI_TRACE_{variable}": value})
    assert str(raised.value).startswith(expected)
    assert SECRET[:7] not in str(raised.value)


def run(shop: Path, code: str, app: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in a process of its own."""
    environment = {**os.environ, "ASGI_TRACE_APP": app, **variables}
    environment["PYTHONPATH"] = os.pathsep.join([str(shop), str(Path(__file__).parents[3])])
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )


CALL = """
from asgi_trace.auto import app
import asyncio, logging
async def call():
    async def send(message): print(message["headers"])
    await app({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [
        (b"x-request-id", b"a"), (b"x-trace", b"b")]}, None, send)
    logging.getLogger("after").warning("the app is done")
asyncio.run(call())
"""
HELLO = """
async def bare(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
"""
WRAPPED = (
    HELLO
    + "from asgi_trace import RequestTracingMiddleware as R\napp = R(bare, header_name='X-Trace')\n"
)
CONFIGURED = (
    HELLO + "import logging\nlogging.basicConfig(level=logging.ERROR, format='%(message)s')\n"
)
JSON = (
    HELLO
    + "import asgi_trace\nasgi_trace.configure_logging(formatter=asgi_trace.JSONFormatter())\n"
)


@pytest.mark.parametrize(
    ("module", "app", "variables", "headers", "lines"),
    [
        (HELLO, "bare", {}, "[(b'x-request-id', b'a')]", ["WARNING - [req=a|"]),
        (
            HELLO,
            "bare",
            {"ASGI_TRACE_HEADER_NAME": "x-trace"},
            "[(b'x-trace', b'b')]",
            ["WARNING - [req=b|"],
        ),
        (HELLO, "bare", {"ASGI_TRACE_LEVEL": "error"}, "[(b'x-request-id', b'a')]", []),
        (
            HELLO,
            "bare",
            {"ASGI_TRACE_FORMAT": "json"},
            "[(b'x-request-id', b'a')]",
            ['"request_id":"a"'],
        ),
        (WRAPPED, "app", {}, "[(b'x-trace', b'b')]", ["WARNING - [req=b|"]),
        (CONFIGURED, "bare", {}, "[(b'x-request-id', b'a')]", []),
        (
            CONFIGURED,
            "bare",
            {"ASGI_TRACE_LEVEL": "30"},
            "[(b'x-request-id', b'a')]",
            ["WARNING - [req=a|"],
        ),
        (JSON, "bare", {}, "[(b'x-request-id', b'a')]", ['"request_id":"a"']),
        (
            JSON,
            "bare",
            {"ASGI_TRACE_FORMAT": "logfmt"},
            "[(b'x-request-id', b'a')]",
            ["request_id=a"],
        ),
        (
            JSON,
            "bare",
            {"ASGI_TRACE_FORMAT": "text"},
            "[(b'x-request-id', b'a')]",
            ["WARNING - [req=a|"],
        ),
    ],
    ids=[
        "plain",
        "option",
        "level",
        "format",
        "already-wrapped",
        "apps-own-level",
        "level-over-the-apps",
        "apps-own-format",
        "format-over-the-apps",
        "text-over-the-apps",
    ],
)
def test_auto_traces_the_app(
    shop: Path, module: str, app: str, variables: dict[str, str], headers: str, lines: list[str]
) -> None:
    """
    With the options given, and the ids kept; what the app has chosen stands unless a variable
    overrules it.
    """
    (shop / "trace_hello.py").write_text(module)
    done = run(shop, CALL, f"trace_hello:{app}", **variables)
    assert (done.returncode, done.stdout) == (0, f"{headers}\n"), done.stderr
    written = done.stderr.splitlines()
    assert len(written) == len(lines), written
    assert all(
        part in line.replace('": "', '":"') for part, line in zip(lines, written, strict=True)
    ), written


REPORT = """
try:
    import asgi_trace.auto
except Exception as exc:
    print(type(exc).__name__, type(exc).__bases__[0].__name__, exc)
"""


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("sys", "Exception"),
        ("uvicorn.importer", "ImportFromStringError"),
        ("gunicorn.util", "AppImportError"),
    ],
)
def test_each_server_is_told_in_its_own_words(shop: Path, server: str, expected: str) -> None:
    """So that it reports a wrong name in one line, as it does its own."""
    done = run(shop, f"import {server}\n{REPORT}", "trace_shop:nothing")
    told = (
        "ASGI_TRACE_APP is 'trace_shop:nothing'; module 'trace_shop' has no 'nothing'; "
        "name the app as the module does"
    )
    assert (done.stdout, done.stderr) == (f"LauncherError {expected} {told}\n", "")


@pytest.mark.parametrize("server", ["granian", "hypercorn", "anycorn"])
def test_a_server_without_a_word_for_it_gets_one_line_all_the_same(shop: Path, server: str) -> None:
    """Its process ends with the sentence and exit code 1, and without a traceback."""
    done = run(shop, f"import {server}, asgi_trace.auto", "trace_shop:nothing")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("ASGI_TRACE_APP is 'trace_shop:nothing'")
