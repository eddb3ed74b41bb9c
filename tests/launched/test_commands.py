"""
``asgi-trace run`` with apps and environments that bring something of their own: a shim, a tracer, a
start-up hook, an interpreter without asgi_trace, signals, a terminal.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import uvicorn

from tests import needs
from tests.servers.harness import PATIENCE, Line, read_line
from tests.serving import reserved_port

ROOT = Path(__file__).parent.parent.parent
RUN = f"{shlex.quote(sys.executable)} -m asgi_trace run"

SHOP = """
import logging
from fastapi import FastAPI

log = logging.getLogger("shop")
app = FastAPI()

@app.get("/ok")
async def ok(tag: str = ""):
    log.warning("in the shop %s", tag)
    return {}

@app.get("/boom")
async def boom(tag: str = ""):
    raise RuntimeError(f"boom {tag}")
"""


class Command:
    """A command in a directory of its own, on a free port; and all that it has written."""

    def __init__(self, command: str, folder: Path, port: int, variables: dict[str, str]) -> None:
        self.port = port
        self._output = folder / "output.txt"
        self._file = self._output.open("w")
        self.process = subprocess.Popen(
            shlex.split(command.replace("{port}", str(port))),
            cwd=folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def get(self, path: str, request_id: str = "", **headers: str) -> httpx.Response:
        """Ask as soon as it serves."""
        if request_id:
            headers["X-Request-ID"] = request_id
        for _ in range(10 * PATIENCE):
            try:
                return httpx.get(
                    f"http://127.0.0.1:{self.port}{path}",
                    headers=headers,
                    timeout=PATIENCE,
                    trust_env=False,
                    verify=False,  # loading the certificates takes longer than the request
                )
            except httpx.ConnectError:
                try:
                    self.process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError(f"it has ended:\n{self.text}") from None
        raise AssertionError(f"it does not serve:\n{self.text}")

    def wait_for(self, text: str) -> None:
        for _ in range(10 * PATIENCE):
            if text in self.text:
                return
            time.sleep(0.1)
        raise AssertionError(f"expected {text!r}:\n{self.text}")

    @property
    def text(self) -> str:
        return self._output.read_text()

    @property
    def lines(self) -> list[Line]:
        return [read_line(line) for line in self.text.splitlines()]

    def stop(self, *, all_processes: bool = True) -> int:
        """Interrupt its processes, as a terminal does, or the first one; return the exit code."""
        if self.process.poll() is None:
            interrupt = os.killpg if all_processes else os.kill
            interrupt(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"expected an end:\n{self.text}") from None
        finally:
            self._file.close()


def environment(**variables: str) -> dict[str, str]:
    """This one, with its own commands on PATH and the package on PYTHONPATH."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **variables,
    }


@contextmanager
def started(command: str, folder: Path, app: str = SHOP, **variables: str) -> Iterator[Command]:
    """Run *command*, with *app* as ``shop.py`` in its directory; interrupt it in the end."""
    (folder / "shop.py").write_text(app)
    with reserved_port() as port:
        server = Command(command, folder, port, variables)
        try:
            yield server
        finally:
            server.stop(all_processes=False)


class Exchange(NamedTuple):
    """What a client has seen of two requests, of which the second crashes."""

    ok: httpx.Response
    boom: httpx.Response


def visit(server: Command) -> Exchange:
    return Exchange(
        server.get("/ok?tag=t1", request_id="first"),
        server.get("/boom?tag=t2", request_id="second"),
    )


def check(server: Command, seen: Exchange, *, access: bool = True, answers: bool = True) -> None:
    """Each response has its header once, and each line of a request stands once, with its ids."""
    assert seen.ok.headers.get_list("x-request-id") == ["first"]
    assert seen.boom.status_code == 500
    if answers:
        assert seen.boom.headers.get_list("x-request-id") == ["second"]
    lines = server.lines
    (shop,) = [line for line in lines if "in the shop t1" in line.text]
    assert shop.request_id == "first"
    if access:
        for path, request_id in (("/ok?tag=t1", "first"), ("/boom?tag=t2", "second")):
            (line,) = [line for line in lines if f"GET {path}" in line.text]
            assert line.request_id == request_id
    (last,) = [line for line in lines if line.text == "RuntimeError: boom t2"]
    (first,) = [line for line in lines if line.text.startswith("Traceback (most recent")]
    assert {last.request_id, first.request_id} == {"second"}


UVICORN = "uvicorn shop:app --port {port}"


def test_a_shim_of_the_app_keeps_its_options(tmp_path: Path) -> None:
    """Wherever it is: around the app, inside another wrapper, or added to the framework."""
    shim = "RequestTracingMiddleware"
    wraps = {
        "outermost": f"app = {shim}(app, header_name='X-Own', trust_inbound=False)",
        "inside": f"app = Timing({shim}(app, header_name='X-Own', trust_inbound=False))",
        "added": f"app.add_middleware({shim}, header_name='X-Own', trust_inbound=False)",
    }
    base = f"""{SHOP}
from asgi_trace import {shim}
from starlette.middleware.base import BaseHTTPMiddleware
class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        log.warning("timing")
        return await call_next(request)
"""
    for place, line in wraps.items():
        folder = tmp_path / place
        folder.mkdir()
        with started(f"{RUN} {UVICORN}", folder, base + line) as server:
            response = server.get("/ok?tag=t1", **{"X-Own": "mine"})
            crash = server.get("/boom?tag=t2")
        (own,) = response.headers.get_list("x-own")
        assert own != "mine"
        assert "x-request-id" not in response.headers
        written = [
            line for line in server.lines if "in the shop" in line.text or "/ok" in line.text
        ]
        assert [line.request_id for line in written] == [own, own], place
        assert [
            line.request_id for line in server.lines if line.text == "RuntimeError: boom t2"
        ] == [crash.headers["x-own"]]
        assert {line.request_id for line in server.lines if line.text == "timing"} <= {
            own,
            crash.headers["x-own"],
        }


@pytest.mark.parametrize(
    ("client", "expected"), [("10.1.1.1", True), ("192.0.2.1", False)], ids=["trusted", "other"]
)
def test_networks_are_of_the_client_that_a_proxy_names(
    client: str, expected: bool, tmp_path: Path
) -> None:
    """The shim is inside uvicorn's reading of proxy headers."""
    trust = {"ASGI_TRACE_TRUST_INBOUND": "10.0.0.0/8"}
    with started(f"{RUN} {UVICORN}", tmp_path, **trust) as server:
        response = server.get("/ok", request_id="theirs", **{"X-Forwarded-For": client})
    assert (response.headers["x-request-id"] == "theirs") == expected


def test_daphne(tmp_path: Path) -> None:
    """Its access lines are no log records."""
    with started(f"{RUN} daphne -p {{port}} shop:app", tmp_path) as server:
        seen = visit(server)
        server.wait_for("RuntimeError: boom t2")  # logged by a timer
    check(server, seen, access=False)


NO_ASGI = {
    "granian, RSGI": "granian --interface rsgi --port {port} shop:app",
    "granian, WSGI": "granian --interface wsgi --port {port} shop:app",
    "hypercorn, WSGI": "hypercorn --access-logfile - --bind 127.0.0.1:{port} wsgi:shop:app",
    "uvicorn, WSGI": "uvicorn --interface wsgi --port {port} shop:app",
}


@pytest.mark.parametrize("name", NO_ASGI)
def test_what_is_no_asgi_app_stays_as_it_is(name: str, tmp_path: Path) -> None:
    app = """
import logging
logging.basicConfig()
class App:
    async def __rsgi__(self, scope, protocol):
        self.say()
        protocol.response_str(200, [], "ok")
    def __call__(self, environ, start_response):
        self.say()
        start_response("200 OK", [])
        return [b"ok"]
    def say(self):
        logging.getLogger("shop").warning("called")
app = App()
"""
    with started(f"{RUN} {NO_ASGI[name]}", tmp_path, app) as server:
        response = server.get("/")
    assert (response.text, "x-request-id" in response.headers) == ("ok", False)
    assert "WARNING:shop:called" in server.text.splitlines()
    assert "req=" not in server.text


def test_gunicorns_wsgi_workers_stay_as_they_are(tmp_path: Path) -> None:
    app = (
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'ok']\n"
    )
    command = "gunicorn --no-control-socket -b 127.0.0.1:{port} shop:app"
    with started(f"{RUN} {command}", tmp_path, app) as server:
        response = server.get("/")
    assert (response.text, "x-request-id" in response.headers) == ("ok", False)
    assert "req=" not in server.text


def test_datasette(tmp_path: Path) -> None:
    """A tool that starts uvicorn by itself."""
    needs.module("datasette")
    with started(f"{RUN} python -m datasette serve --memory --port {{port}}", tmp_path) as server:
        response = server.get("/-/versions.json", request_id="first")
    assert response.headers.get_list("x-request-id") == ["first"]
    (line,) = [line for line in server.lines if "GET /-/versions.json" in line.text]
    assert line.request_id == "first"


def test_a_terminal(tmp_path: Path) -> None:
    """fastapi logs in a form of its own there, which nobody has chosen."""
    (tmp_path / "shop.py").write_text(SHOP)
    ours, theirs = os.openpty()
    with reserved_port() as port, open(ours, "rb", buffering=0) as output:
        process = subprocess.Popen(
            shlex.split(f"{RUN} fastapi run --port {port} shop.py"),
            cwd=tmp_path,
            env=environment(NO_COLOR="1", COLUMNS="200"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        written: list[str] = []

        def read_until(text: str) -> None:
            while text not in "".join(written):
                written.append(output.read(65536).decode())

        try:
            read_until("running on")
            httpx.get(
                f"http://127.0.0.1:{port}/ok",
                headers={"X-Request-ID": "first"},
                timeout=PATIENCE,
                trust_env=False,
            )
            read_until('"GET /ok HTTP/1.1" 200')
        finally:
            process.terminate()
            process.wait(PATIENCE)
    lines = [read_line(line) for line in "".join(written).splitlines()]
    found = [line.request_id for line in lines if "in the shop" in line.text or "/ok" in line.text]
    assert found == ["first", "first"]


# -- the environment ---------------------------------------------------------------------------------


def test_the_users_sitecustomize(tmp_path: Path) -> None:
    """It runs once in each process, before anything else; and the server is traced."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("print('own hook')")
    path = os.pathsep.join([str(tmp_path / "own"), str(ROOT)])
    with started(f"{RUN} {UVICORN}", tmp_path, PYTHONPATH=path) as server:
        seen = visit(server)
    check(server, seen)
    assert server.text.count("own hook") == 2  # of asgi-trace, and of uvicorn


SPANS = {
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


BOTH = (f"{RUN} opentelemetry-instrument", f"opentelemetry-instrument {RUN}")


@pytest.mark.parametrize("both", BOTH, ids=["ours-first", "theirs-first"])
def test_opentelemetrys_launcher(both: str, tmp_path: Path) -> None:
    """
    In either order its spans are made, and the lines have their ids. They are written, although the
    root logger has OpenTelemetry's handler already, which exports them.
    """
    with started(f"{both} {UVICORN}", tmp_path, **SPANS) as server:
        seen = visit(server)
    check(server, seen)
    assert server.text.count('"kind": "SpanKind.SERVER"') == 2


ELASTIC = {"ELASTIC_APM_DISABLE_SEND": "true"}
BESIDE_ELASTIC = (f"{RUN} elasticapm-run", f"elasticapm-run {RUN}")


@pytest.mark.parametrize("both", BESIDE_ELASTIC, ids=["ours-first", "theirs-first"])
def test_elastics_launcher(both: str, tmp_path: Path) -> None:
    """In either order its agent runs, and the lines have our ids."""
    app = f"{SHOP}import elasticapm\nprint(elasticapm._activation_method, flush=True)\n"
    with started(f"{both} {UVICORN}", tmp_path, app, **ELASTIC) as server:
        seen = visit(server)
    check(server, seen)
    assert "wrapper" in server.text.splitlines()


@pytest.mark.parametrize("both", BOTH, ids=["ours-first", "theirs-first"])
def test_the_children_of_both_launchers(both: str, tmp_path: Path) -> None:
    """A child of a child has both hooks, too."""
    code = """
import os, subprocess, sys
from opentelemetry import trace
finder = [each for each in sys.meta_path if type(each).__module__ == "asgi_trace_finder"]
print(len(finder), type(trace.get_tracer_provider()).__name__, flush=True)
if sys.argv[1:]:
    subprocess.run([sys.executable, __file__, *sys.argv[2:]])
"""
    (tmp_path / "child.py").write_text(code)
    done = subprocess.run(
        [*shlex.split(both), sys.executable, str(tmp_path / "child.py"), "1", "2"],
        env=environment(**SPANS),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "1 TracerProvider\n" * 3, done.stderr


def interpreter_without_us(folder: Path) -> Path:
    """A virtual environment that has the servers, and not asgi_trace."""
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    servers = Path(uvicorn.__file__).parent.parent
    (packages / "servers.pth").write_text(f"{servers}\n")
    return folder / "bin" / "python"


def test_an_interpreter_that_lacks_asgi_trace(tmp_path: Path) -> None:
    """It borrows the package of the one that runs the command, when it serves."""
    python = interpreter_without_us(tmp_path / "venv")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from asgi_trace._cli.main import main; sys.exit(main())"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} run {python}"
    path = {"PYTHONPATH": ""}
    with started(f"{command} -m {UVICORN}", tmp_path, **path) as server:
        seen = visit(server)
    check(server, seen)
    without = subprocess.run(
        [*shlex.split(command), "-c", "print(1)"],
        env=environment(**path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (without.returncode, without.stdout, without.stderr) == (0, "1\n", "")


# -- the end -----------------------------------------------------------------------------------------

INTERRUPTED = {
    "uvicorn": UVICORN,
    "uvicorn-workers": f"{UVICORN} --workers 2",
    "uvicorn-reload": f"{UVICORN} --reload",
    "hypercorn": "hypercorn shop:app --bind 127.0.0.1:{port}",
    "anycorn": "anycorn shop:app --bind 127.0.0.1:{port}",
    "granian": "granian --interface asgi --port {port} shop:app",
    "daphne": "daphne -p {port} shop:app",
    "gunicorn": "gunicorn --no-control-socket -k asgi -b 127.0.0.1:{port} shop:app",
    "program": "python app.py",
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_an_interrupt_ends_it_as_without_us(name: str, tmp_path: Path) -> None:
    """By the same exit code."""
    codes = []
    for prefix in ("", f"{RUN} "):
        with reserved_port() as port:
            (tmp_path / "app.py").write_text(
                f"import shop, uvicorn\nuvicorn.run(shop.app, port={port})"
            )
            (tmp_path / "shop.py").write_text(SHOP)
            server = Command(prefix + INTERRUPTED[name], tmp_path, port, {})
            try:
                assert server.get("/ok").status_code == 200
            finally:
                # granian's code depends on which of its processes ends first.
                codes.append(server.stop(all_processes=name != "granian"))
    assert codes[0] == codes[1]


# -- faults of ours ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("set_by_the_command", "expected"),
    [
        ("ASGI_TRACE_LEVEL=loud", "ASGI_TRACE_LEVEL is 'loud'; expected DEBUG"),
        ("ASGI_TRACE_FORMAT=xml", "ASGI_TRACE_FORMAT is 'xml'; expected one of"),
        ("ASGI_TRACE_MASK='a b'", "ASGI_TRACE_MASK has 'a b'; expected a parameter's name"),
        ("_ASGI_TRACE_ON_APP=no_such:thing", "No module named 'no_such'"),
    ],
)
def test_the_app_runs_whatever_fails(
    set_by_the_command: str, expected: str, tmp_path: Path
) -> None:
    """Untraced, with one warning."""
    with started(f"{RUN} env {set_by_the_command} {UVICORN}", tmp_path) as server:
        responses = [server.get("/ok"), server.get("/ok")]
    assert [(each.status_code, "x-request-id" in each.headers) for each in responses] == [
        (200, False)
    ] * 2
    (told,) = [line for line in server.text.splitlines() if expected in line]
    assert told.endswith("; what this process serves is not traced")


def test_without_opentelemetry_requests_are_traced(tmp_path: Path) -> None:
    """A switch for it costs the spans alone."""
    missing = "import sys; sys.modules['opentelemetry.sdk.trace'] = None"
    (tmp_path / "sitecustomize.py").write_text(missing)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    variables = {"ASGI_TRACE_OTEL": "1", "PYTHONPATH": path}
    with started(f"{RUN} {UVICORN}", tmp_path, **variables) as server:
        seen = visit(server)
    check(server, seen)
    assert server.text.count("ASGI_TRACE_OTEL is set, and opentelemetry") == 1


def test_a_function_can_look_at_each_app(tmp_path: Path) -> None:
    """With its shim, when the server takes it; it may end the process."""
    (tmp_path / "look.py").write_text(
        "def at(app, shim):\n    raise SystemExit(f'{type(app).__name__} {type(shim).__name__}')"
    )
    (tmp_path / "shop.py").write_text(SHOP)
    variables = {"_ASGI_TRACE_ON_APP": "look:at", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    with reserved_port() as port:
        done = subprocess.run(
            shlex.split(f"{RUN} {UVICORN}".replace("{port}", str(port))),
            cwd=tmp_path,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "FastAPI RequestTracingMiddleware",
    )


# -- servers for development -----------------------------------------------------------------------

QUART = """
import asyncio
from quart import Quart, request

app = Quart("shop")

@app.get("/ok")
async def ok():
    return "fine"

@app.get("/crash/<path:name>")
async def crash(name):
    await asyncio.sleep(float(request.headers["wait"]))
    raise RuntimeError(name)
"""
DJANGO = """
import os, sys, time
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

os.environ["DJANGO_SETTINGS_MODULE"] = "shop"
DEBUG = True
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["daphne"]
ROOT_URLCONF = "shop"
ASGI_APPLICATION = "shop.application"
LOGGING_CONFIG = None
application = None

def crash(request, name):
    time.sleep(float(request.headers["wait"]))
    raise RuntimeError(name)

urlpatterns = [path("ok", lambda request: HttpResponse("fine")), path("crash/<path:name>", crash)]

if __name__ == "__main__":
    import shop
    from django.core.management import execute_from_command_line
    shop.application = get_asgi_application()
    execute_from_command_line(sys.argv)
"""
QUART_RUN = (f"{RUN} quart --app shop run --port {{port}}", QUART)
RUNSERVER = (f"{RUN} python shop.py runserver --noreload 127.0.0.1:{{port}}", DJANGO)
DEVELOPMENT = {
    # its lines have the logger of the app, which alone says nothing in a named form
    "quart run": (QUART_RUN, "text"),
    "quart run, its own form": (QUART_RUN, ""),
    "runserver by daphne": (RUNSERVER, "text"),
    "runserver by daphne, its own form": (RUNSERVER, ""),
    "runserver by daphne, JSON": (RUNSERVER, "json"),
    "runserver by daphne, logfmt": (RUNSERVER, "logfmt"),
}


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_requests_are_found_by_the_access_lines_of(name: str, tmp_path: Path) -> None:
    """With status, duration and path, which may look like the rest of such a line."""
    (command, app), form = DEVELOPMENT[name]
    path = "/crash/1.1%20200%204%205"
    with started(command, tmp_path, app, ASGI_TRACE_FORMAT=form) as server:
        server.get("/not/there")  # the first request of a server may take long
        began = time.monotonic()
        server.get("/ok", request_id="first")
        server.wait_for("/ok")
        taken = time.monotonic() - began  # at least what the access line tells
        wait = f"{taken + 0.05:.3f}"
        assert server.get(path, request_id="second", wait=wait).status_code == 500
    (tmp_path / "server.log").write_text(server.text)
    slower = f"{taken + 0.02:.3f}s"  # runserver rounds to 0.01 s
    for condition in (
        ("--status", "500"),
        ("--slower", slower),
        ("--path", "/crash/*"),
        ("--status", "5xx", "--slower", slower, "--path", "/crash/*"),
    ):
        assert _found(tmp_path / "server.log", *condition) == {"second"}, condition
    assert _found(tmp_path / "server.log", "--status", "200") == {"first"}


def _found(log: Path, *condition: str) -> set[str]:
    """Return the ids of the requests that ``asgi-trace grep`` finds."""
    command = [sys.executable, "-m", "asgi_trace", "grep", *condition, str(log)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    return {request_id for request_id in ("first", "second") if request_id in done.stdout}


# -- a shim that is forgotten ------------------------------------------------------------------------

FORGOTTEN = f"{SHOP}\nimport asgi_trace\nasgi_trace.configure_logging()\n"
UNTRACED = {
    "uvicorn": UVICORN,
    "hypercorn": "hypercorn shop:app --access-logfile - --bind 127.0.0.1:{port}",
    "anycorn": "anycorn shop:app --access-logfile - --bind 127.0.0.1:{port}",
    "granian": "granian --interface asgi --access-log --port {port} shop:app",
    "gunicorn": "gunicorn --no-control-socket --access-logfile - -k asgi -b 127.0.0.1:{port} shop:app",
}


@pytest.mark.parametrize("name", UNTRACED)
def test_a_forgotten_shim_is_warned_of(name: str, tmp_path: Path) -> None:
    """Once for the process, with the remedy; and not under asgi-trace run."""
    with started(UNTRACED[name], tmp_path, FORGOTTEN) as server:
        for _ in range(3):
            server.get("/ok")
    remedy = "start the server by 'asgi-trace run'"
    assert server.text.count(remedy) == 1
    with started(f"{RUN} {UNTRACED[name]}", tmp_path, FORGOTTEN) as server:
        server.get("/ok")
    assert remedy not in server.text
