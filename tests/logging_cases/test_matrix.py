"""
Frameworks, servers and workers as their documentation starts them, with their own logging.

The yardstick is the same program without asgi_trace: each line as often. The ids are those of its
request.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from .. import needs
from ..serving import reserved_port

pytestmark = pytest.mark.servers

APPS = Path(__file__).parent / "apps"
ROOT = APPS.parents[2]
PATIENCE = 60

# never: without asgi_trace. before, behind: configure_logging() ahead of the app's import, or after
# it. run: by "asgi-trace run", which the app does not know of.
WAYS = ("before", "behind", "run")

UVICORN = "uvicorn --port {port} --no-use-colors APP"
HYPERCORN = "hypercorn --bind 127.0.0.1:{port} --access-logfile - APP"
GRANIAN = "granian --interface asgi --port {port} --access-log APP"
GUNICORN = (
    "gunicorn -b 127.0.0.1:{port} -k uvicorn_worker.UvicornWorker APP "
    "--access-logfile - --no-control-socket"
)

TALK = {
    "app": "a line of the app",
    "thread": "a line of a thread",
    "access": r"GET /talk (HTTP/)?1\.1",
}
FRAMEWORK = {"framework": "a line of the framework's logger"}
CRASH = {
    "exception": r"\bRuntimeError: no luck",
    "frames": r'talk\.py", line \d+, in crash',
    "crash's access": r"GET /crash (HTTP/)?1\.1",
}


class Row(NamedTuple):
    """
    A program, and the lines of it that are counted.

    :param command: of a server, with ``APP`` for the app.
    :param form: what lines of the app match that its own set-up formats.
    :param lines: patterns of lines in requests, by name.
    """

    name: str
    app: str
    command: str
    lines: dict[str, str]
    form: str = ""
    ways: tuple[str, ...] = WAYS


ROWS = (
    Row("FastAPI on uvicorn", "on_fastapi", UVICORN, TALK | CRASH),
    Row("Starlette on granian", "on_starlette", GRANIAN, TALK | CRASH),
    Row("Quart on hypercorn", "on_quart", HYPERCORN, TALK | FRAMEWORK | CRASH),
    Row("Litestar on uvicorn", "on_litestar", UVICORN, TALK | FRAMEWORK | CRASH),
    Row("Sanic on uvicorn", "on_sanic", UVICORN, TALK | FRAMEWORK | CRASH),
    Row("Django on uvicorn", "on_django", UVICORN, TALK | FRAMEWORK | CRASH),
    # Before it, ours would be the root logger's handler, beside which the program's own is another.
    Row("a queue on uvicorn", "with_queue", UVICORN, TALK, "QUEUED WARNING ", ("behind", "run")),
    Row("Alembic on uvicorn", "with_alembic", UVICORN, TALK | CRASH, r"WARNI \[shop\] "),
    Row("dictConfig on uvicorn", "with_dict_config", UVICORN, TALK | CRASH, "SHOP WARNING "),
    Row("FastAPI on gunicorn", "on_fastapi", GUNICORN, TALK | CRASH),
    Row(
        "FastAPI on gunicorn, configured",
        "on_fastapi",
        f"{GUNICORN} -c gunicorn_conf.py",
        TALK | CRASH,
        "GUNICORN WARNING ",
    ),
)


def environment(**more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ASGI_TRACE")}
    paths = os.pathsep.join([str(APPS), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {
        **plain,
        "PYTHONPATH": paths,
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


@contextmanager
def started(command: list[str], folder: Path, **variables: str) -> Iterator[Callable[[], str]]:
    """Start *command* in a process group, and yield a function that returns all it has written."""
    path = folder / "output"
    with path.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=APPS,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield lambda: path.read_text(encoding="utf-8", errors="backslashreplace")
    finally:
        try:
            stop(process)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End *process* by a signal."""
    process.terminate()
    # Before CPython 3.12, asyncio.wait_for() may lose a cancellation: a second signal makes another.
    if sys.version_info < (3, 12):
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE / 2)
            return
        process.terminate()
    process.wait(PATIENCE)


def until(holds: Callable[[], bool], written: Callable[[], str]) -> None:
    for _ in range(PATIENCE * 20):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError(f"expected more than this:\n{written()[-3000:]}")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def served(row: Row, way: str, folder: Path) -> str:
    """Serve the app, ask for what it has, and return all that was written."""
    folder.mkdir()
    with reserved_port() as port:
        target = f"{row.app}:app" if way in ("never", "run") else "wrapped:app"
        name, *arguments = shlex.split(row.command.format(port=port).replace("APP", target))
        command = ["-m", "asgi_trace", "run", name] if way == "run" else module_of(name)
        variables = {"WHEN": way, "INNER": row.app}
        with started([*command, *arguments], folder, **variables) as written:
            until(lambda: listens(port), written)
            for number, path in enumerate(("/talk", "/crash")):
                get(port, path, f"req-{number}")
            # A queue's listener and a server's access line may be behind the response.
            last = row.lines.get("crash's access") or row.lines["access"]
            until(lambda: re.search(last, written()) is not None, written)
            until(lambda: "a line of a thread" in written(), written)
        return written()


def module_of(name: str) -> list[str]:
    if name == "gunicorn":
        return ["-m", "gunicorn.app.wsgiapp"]
    return ["-m", name]


def get(port: int, path: str, request_id: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(
            "GET", path, headers={"X-Request-ID": request_id, "X-Session-ID": "sess-77"}
        )
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass  # the server hangs up on a crash
    finally:
        connection.close()


def matching(text: str, pattern: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(pattern, line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_servers_and_its_frameworks_lines(row: Row, tmp_path: Path) -> None:
    """Each line in a request as often as without us, with its ids, by each way of tracing it."""
    plain = served(row, "never", tmp_path / "never")
    for way in row.ways:
        text = served(row, way, tmp_path / way)
        assert "Logging error" not in text, way
        for name, pattern in row.lines.items():
            before, after = matching(plain, pattern), matching(text, pattern)
            assert len(after) == len(before) >= 1, (way, name, after)
            request_id = "req-1" if pattern in CRASH.values() else "req-0"
            assert [
                line for line in after if request_id not in line or "sess-77" not in line
            ] == [], (way, name)
        if row.form:
            own = matching(text, row.lines["app"])
            assert [line for line in own if not re.search(row.form, line)] == [], way


# -- workers -------------------------------------------------------------------------------------

JOB = {
    "app": "a line of the app",
    "thread": "a line of a thread",
    "exception": r"\bRuntimeError: no luck",
}
CELERY = {
    "app": "a line of the app",
    "task": "a line of the task's logger",
    "print": "a line that is printed",
    "succeeded": r"work\[[^\]]+\] succeeded",
    "raised": r"fail\[[^\]]+\] raised",
    "exception": r"^.*\bRuntimeError: no luck$",
}

PUBLISH = """
import os
from asgi_trace import bound_carrier
ids = {"x-request-id": "req-1", "x-session-id": "sess-77"}
"""
PUBLISH_CELERY = f"""{PUBLISH}
import celery_jobs as jobs
with bound_carrier(ids):
    jobs.work.delay()
    jobs.fail.delay()
"""
PUBLISH_ARQ = f"""{PUBLISH}
import asyncio
from arq import create_pool
from arq_jobs import WorkerSettings
async def main():
    redis = await create_pool(WorkerSettings.redis_settings)
    await redis.enqueue_job("work", ids)
    await redis.enqueue_job("fail", ids)
    await redis.aclose()
asyncio.run(main())
"""
PUBLISH_TASKIQ = f"""{PUBLISH}
import asyncio
import taskiq_jobs as jobs
async def main():
    with bound_carrier(ids):
        await jobs.work.kiq()
        await jobs.fail.kiq()
asyncio.run(main())
"""


class Worker(NamedTuple):
    """A worker, by its own command, and the lines of its jobs."""

    name: str
    command: str
    publish: str
    lines: dict[str, str]
    needs_redis: bool = False


WORKERS = (
    Worker(
        "Celery, solo", "celery -A celery_jobs worker -l info -P solo -c 1", PUBLISH_CELERY, CELERY
    ),
    Worker(
        "Celery, prefork",
        "celery -A celery_jobs worker -l info -P prefork -c 1",
        PUBLISH_CELERY,
        CELERY,
    ),
    Worker("arq", "arq arq_jobs.WorkerSettings", PUBLISH_ARQ, JOB, needs_redis=True),
    Worker("taskiq", "taskiq worker taskiq_jobs:broker --workers 1", PUBLISH_TASKIQ, JOB),
)


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The port of a real Redis."""
    command = needs.program("redis-server")
    with reserved_port() as port:
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
        with subprocess.Popen([command, *arguments], stdout=subprocess.DEVNULL) as server:
            until(lambda: listens(port), lambda: "redis")
            yield str(port)
            server.terminate()


def worked(worker: Worker, way: str, folder: Path, **variables: str) -> str:
    """Have the worker do a job and fail at another, and return all that was written."""
    (folder / way).mkdir()
    (folder / way / "queue").mkdir()
    variables |= {"WHEN": way, "QUEUE": str(folder / way / "queue")}
    name, *arguments = shlex.split(worker.command)
    with started(["-m", name, *arguments], folder / way, **variables) as written:
        # What is published before a worker is ready waits for it.
        command = [sys.executable, "-c", worker.publish]
        subprocess.run(
            command, cwd=APPS, env=environment(**variables), timeout=PATIENCE, check=True
        )
        patterns = worker.lines.values()
        until(lambda: all(matching(written(), pattern) for pattern in patterns), written)
    return written()


@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.name)
def test_a_workers_lines(worker: Worker, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each line of a job as often as without us, with the ids of the request that sent it."""
    variables = {"REDIS": request.getfixturevalue("redis")} if worker.needs_redis else {}
    plain, text = (worked(worker, way, tmp_path, **variables) for way in ("never", "at import"))
    assert "Logging error" not in text
    for name, pattern in worker.lines.items():
        before, after = matching(plain, pattern), matching(text, pattern)
        assert len(after) == len(before) >= 1, (name, after)
        assert [line for line in after if "req-1" not in line or "sess-77" not in line] == [], name


def test_a_schedulers_lines(tmp_path: Path) -> None:
    """APScheduler's own of a job that failed, too: each line of its traceback."""
    outputs = {}
    for way in ("never", "at import"):
        done = subprocess.run(
            [sys.executable, "scheduled.py"],
            cwd=APPS,
            env=environment(WHEN=way),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        outputs[way] = done.stdout
    for pattern in (*JOB.values(), CRASH["frames"], "raised an exception"):
        before, after = (matching(outputs[way], pattern) for way in ("never", "at import"))
        assert len(after) == len(before) == 1, (pattern, after)
        assert "[req=req-1|session=sess-77" in after[0]
