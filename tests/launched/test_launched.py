"""
``asgi-trace run``: any command that starts a server serves an app that has never heard of tracing,
and every line of its output is stamped.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.servers.harness import PATIENCE, Line, Server

APPS = Path(__file__).parent / "apps"
QUOTED = shlex.quote(str(APPS))
OUTSIDE = ("none", "none")

# The app is found through each server's own way of naming a directory.
UVICORN = f"uvicorn --app-dir {QUOTED} --port {{port}}"
HYPERCORN = f"hypercorn --access-logfile - --bind 127.0.0.1:{{port}} {QUOTED}/bare:app"
ANYCORN = HYPERCORN.replace("hypercorn", "anycorn")
GRANIAN = "granian --interface asgi --access-log --port {port}"
GUNICORN = f"gunicorn --access-logfile - --no-control-socket -b 127.0.0.1:{{port}} --chdir {QUOTED}"


class Kind(NamedTuple):
    """
    A server's command line, how many processes then run the app, and whether the shim answers for a
    crash.
    """

    name: str
    command: str
    processes: int = 1
    answers: bool = True
    # when one of its processes has ended, it does not wait for the others to finish
    cuts_off: bool = False
    prints: bool = False  # it also writes lines that are not logged


class Launched(Server):
    """A server that ``asgi-trace run`` has started."""

    def __init__(self, kind: Kind) -> None:
        self.answers = kind.answers
        super().__init__(["-m", "asgi_trace", "run", *shlex.split(kind.command)])

    def saw(self, text: str, times: int = 1, seconds: float = PATIENCE) -> bool:
        """Whether *text* is in so many lines, after so many seconds at the latest."""
        with self._more:
            return self._more.wait_for(
                lambda: sum(text in line.text for line in self.lines) >= times, seconds
            )


KINDS = (
    Kind("uvicorn-h11", f"{UVICORN} bare:app --http h11"),
    Kind("uvicorn-httptools", f"{UVICORN} bare:app --http httptools"),
    Kind("uvicorn-workers", f"{UVICORN} bare:app --workers 2", 2),
    Kind("uvicorn-factory", f"{UVICORN} --factory bare:make_app"),
    Kind("hypercorn-asyncio", f"{HYPERCORN} -k asyncio"),
    Kind("hypercorn-trio", f"{HYPERCORN} -k trio"),
    Kind("hypercorn-workers", f"{HYPERCORN} -w 2", 2, cuts_off=True),
    Kind("anycorn-asyncio", f"{ANYCORN} -k asyncio"),
    Kind("anycorn-trio", f"{ANYCORN} -k trio"),
    Kind("granian", f"{GRANIAN} --working-dir {QUOTED} bare:app"),
    Kind(
        "granian-workers-factory", f"{GRANIAN} --workers 2 --factory {QUOTED}/bare.py:make_app", 2
    ),
    Kind("gunicorn-uvicorn-worker", f"{GUNICORN} -k uvicorn_worker.UvicornWorker bare:app"),
    Kind("gunicorn-asgi", f"{GUNICORN} -k asgi bare:app", answers=False),
    Kind(
        "gunicorn-asgi-workers-factory",
        f"{GUNICORN} -k asgi -w 2 bare:make_app()",
        2,
        answers=False,
    ),
    Kind(
        "gunicorn-uvicorn-preload", f"{GUNICORN} --preload -k uvicorn_worker.UvicornWorker bare:app"
    ),
    Kind("gunicorn-asgi-preload", f"{GUNICORN} --preload -k asgi bare:app", answers=False),
    # Whoever starts the server.
    Kind("fastapi-run", f"fastapi run --port {{port}} {QUOTED}/framework.py", prints=True),
    Kind(
        "fastapi-run-workers",
        f"fastapi run --port {{port}} --workers 2 {QUOTED}/framework.py",
        2,
        prints=True,
    ),
    Kind("fastapi-dev", f"fastapi dev --port {{port}} {QUOTED}/framework.py", prints=True),
    Kind("module-uvicorn", f"python -m {UVICORN} bare:app"),
    Kind("module-hypercorn", f"python -m {HYPERCORN}"),
    Kind("program", f"python {QUOTED}/program.py run {{port}}"),
    Kind("program-subclass", f"python {QUOTED}/program.py subclass {{port}}"),
    Kind("program-hypercorn-asyncio", f"python {QUOTED}/program.py hypercorn_asyncio {{port}}"),
    Kind("program-hypercorn-trio", f"python {QUOTED}/program.py hypercorn_trio {{port}}"),
    Kind("env", f"env X=1 python {QUOTED}/program.py run {{port}}"),
    Kind("shell", f"bash -c 'cd {QUOTED} && exec python program.py run {{port}}'"),
)


@contextmanager
def running(kind: Kind) -> Iterator[Launched]:
    """Run a server; when this is left, it has ended and all that it wrote is there."""
    with pytest.MonkeyPatch.context() as patch:
        # This environment's own commands.
        scripts = sysconfig.get_path("scripts")
        patch.setenv("PATH", os.pathsep.join([scripts, os.environ["PATH"]]))
        server = Launched(kind)
    try:
        yield server
    finally:
        server.stop()


class Request:
    """
    A request that is under way until it is told to finish, whose client stays until its lines are
    written.
    """

    def __init__(self, server: Launched, action: str, connections: ExitStack) -> None:
        self._server = server
        self.marker = server.marker()
        self.path = f"/{action}/{self.marker}"
        self.status = 500 if action == "crash" else 200
        self.last = f"no luck with {self.path}" if action == "crash" else f"{self.marker} ends"
        self.request_id = f"request-of-{self.marker}"
        self.ids = (self.request_id, self.marker)
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connections.callback(self._connection.close)
        self._connection.putrequest("POST", self.path)
        self._connection.putheader("X-Request-ID", self.request_id)
        self._connection.putheader("X-Session-ID", self.marker)
        self._connection.putheader("Content-Length", "2")
        self._connection.endheaders(b"1")

    def finish(self) -> None:
        self._connection.send(b"2")
        response = self._connection.getresponse()
        response.read()
        self._server.wait_for(self.last)
        told = self.status == 200 or self._server.answers
        expected = [self.request_id] if told else None
        assert (response.status, response.headers.get_all("X-Request-ID")) == (
            self.status,
            expected,
        )

    def is_access_line(self, text: str) -> bool:
        return re.search(rf'"POST {self.path} (HTTP/)?1\.1" {self.status}\b', text) is not None


def serve_overlapping(server: Launched) -> list[Request]:
    """
    Have six requests under way at once, finish them, two with a crash, and return them when all is
    written.
    """
    with ExitStack() as connections:
        requests = [
            Request(server, "crash" if number % 3 == 1 else "work", connections)
            for number in range(6)
        ]
        for request in requests:
            server.wait_for(f"{request.marker} begins")
        for request in requests:
            request.finish()
    return requests


def check_request(lines: list[Line], request: Request) -> None:
    """All lines that tell of *request* have its ids, and it has all the lines that it should."""
    assert [line for line in lines if request.marker in line.text and line.ids != request.ids] == []
    own = [line for line in lines if line.request_id == request.request_id]
    assert {line.ids for line in own} == {request.ids}
    texts = [line.text for line in own]
    assert f"{request.marker} begins, with the lifespan's state" in texts
    assert f"{request.marker} in a thread" in texts
    assert sum(request.is_access_line(text) for text in texts) == 1, texts
    if request.status == 200:
        assert f"{request.marker} ends" in texts
    else:
        continued = [line.text for line in own if line.continues]
        assert "Traceback (most recent call last):" in continued
        assert f"RuntimeError: no luck with {request.path}" in continued
        assert any(re.search(r'/(bare|framework)\.py", line', text) for text in continued)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])
def test_every_line_tells_whose_it_is(kind: Kind) -> None:
    """
    Of overlapping requests, two of which crash, and of the server's start and end: no line is
    without ids.
    """
    with running(kind) as server:
        assert server.saw("lifespan.startup", kind.processes), server.tail()
        requests = serve_overlapping(server)
    if not kind.prints:
        assert [line.text for line in server.lines if line.request_id is None] == []
    for request in requests:
        check_request(server.lines, request)
    for word in ("startup", "shutdown"):
        found = [line.ids for line in server.lines if line.text == f"lifespan.{word}"]
        fewest = 1 if word == "shutdown" and kind.cuts_off else kind.processes
        assert set(found) == {OUTSIDE}, word
        assert fewest <= len(found) <= kind.processes, word
    starts = [index for index, line in enumerate(server.lines) if " begins" in line.text][-6:]
    ends = [index for index, line in enumerate(server.lines) if " in a thread" in line.text][-6:]
    assert max(starts) < min(ends)


def test_a_reload_is_traced_too(tmp_path: Path) -> None:
    """
    The app is loaded again when its file changes, and every line before, in between and after is
    stamped.
    """
    app = tmp_path / "bare.py"
    app.write_bytes((APPS / "bare.py").read_bytes())
    directory = shlex.quote(str(tmp_path))
    command = (
        f"uvicorn bare:app --reload --reload-dir {directory} --app-dir {directory} --port {{port}}"
    )
    with running(Kind("uvicorn-reload", command)) as server:
        requests = serve_overlapping(server)
        source = app.read_text(encoding="utf-8").replace('"ends"', '"ends, reloaded"')
        # The watcher does not notice a change before its first look at the file, of which it does
        # not tell.
        for _ in range(PATIENCE // 5):
            app.write_text(source, encoding="utf-8")
            if server.saw("StatReload detected changes", seconds=5):
                break
        assert server.saw("Started server process", times=2), server.tail()
        with ExitStack() as connections:
            after = Request(server, "work", connections)
            after.finish()
    assert any(line.text == f"{after.marker} ends, reloaded" for line in server.lines)
    assert [line.text for line in server.lines if line.request_id is None] == []
    for request in requests:
        check_request(server.lines, request)
    assert {line.ids for line in server.lines if after.marker in line.text} == {after.ids}
