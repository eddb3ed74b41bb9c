"""
Jobs on real queues, by the README's own code: a worker's lines carry the ids of the request that
sent the job.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ... import needs
from ...documents import ROOT, blocks
from ...serving import reserved_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"

# Before and behind each script: two jobs of one request, and one of nobody's.
PROLOGUE = f"""
import asyncio, logging, sys
from asgi_trace import JSONFormatter, bound_carrier, carrier, configure_logging, get_request_metadata

log = logging.getLogger("jobs")
request = {{
    "traceparent": "00-{TRACE}-{SPAN}-01", "tracestate": "rojo=1", "baggage": "userId=alice",
    "x-request-id": "a1b2c3d4", "x-session-id": "abc12345",
}}
configure_logging(formatter=JSONFormatter(), stream=sys.stdout)

def job(name):
    metadata = get_request_metadata()
    told = metadata and [metadata.parent_span_id, metadata.tracestate, metadata.baggage]
    log.info("%s", name, extra={{"told": told}})
"""

CELERY = """
from celery import Celery
from celery.contrib.testing.worker import start_worker

app = Celery("jobs", broker="memory://", backend="cache+memory://")
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
task = app.task(job)

@app.task
def fail():
    raise ValueError("failed")

with start_worker(app, pool="solo", perform_ping_check=False, loglevel="INFO"):
    with bound_carrier(request):
        sent = [task.delay("first"), task.delay("second"), fail.delay()]
    sent.append(task.delay("nobody's"))
    for each in sent:
        each.wait(timeout=60, propagate=False)
"""

EAGER = """
from celery import Celery

app = Celery("jobs")
app.conf.task_always_eager = True
task = app.task(job)

with bound_carrier(request):
    task.delay("first")
    job("second")
task.delay("nobody's")
"""

TASKIQ = """
from taskiq import InMemoryBroker

broker = InMemoryBroker().with_middlewares(TraceMiddleware())

@broker.task
async def first(): job("first")

@broker.task
def second(): job("second")  # in a thread

@broker.task
async def nobodys(): job("nobody's")

async def main():
    await broker.startup()
    with bound_carrier(request):
        sent = [await first.kiq(), await second.kiq()]
    sent.append(await nobodys.kiq())
    for each in sent:
        await each.wait_result(timeout=60)
    await broker.shutdown()

asyncio.run(main())
"""

ARQ = """
from arq import Worker, create_pool
from arq.connections import RedisSettings

async def work(ctx, name, ids):
    with bound_carrier(ids):
        job(name)

async def main():
    settings = RedisSettings(host="127.0.0.1", port=int(sys.argv[1]))
    redis = await create_pool(settings)
    with bound_carrier(request):
        await redis.enqueue_job("work", "first", carrier())
        await redis.enqueue_job("work", "second", carrier())
    await redis.enqueue_job("work", "nobody's", carrier())
    worker = Worker([work], redis_settings=settings, burst=True, poll_delay=0.01, handle_signals=False)
    await worker.main()
    await worker.close()
    await redis.aclose()

asyncio.run(main())
"""

PROCESSES = """
import multiprocessing

def work(name, ids):
    with bound_carrier(ids):
        job(name)

if __name__ == "__main__":
    processes = multiprocessing.get_context(sys.argv[1])
    with bound_carrier(request):
        sent = [(name, carrier()) for name in ("first", "second")]
    for each in [*sent, ("nobody's", carrier())]:
        process = processes.Process(target=work, args=each)
        process.start()
        process.join(60)
"""

ASYNCIO = """
async def work(queue):
    while True:
        name, ids = await queue.get()
        with bound_carrier(ids):
            job(name)
        queue.task_done()

async def main():
    queue = asyncio.Queue()
    worker = asyncio.create_task(work(queue))
    with bound_carrier(request):
        queue.put_nowait(("first", carrier()))
        queue.put_nowait(("second", carrier()))
    queue.put_nowait(("nobody's", carrier()))
    await queue.join()
    worker.cancel()

asyncio.run(main())
"""


def readme(word: str) -> str:
    """The block of the README or the manual that has *word* in it."""
    (block,) = [block for block in blocks("python") if word in block]
    return block


@pytest.fixture(scope="module")
def redis() -> Iterator[int]:
    """The port of a real Redis."""
    command = needs.program("redis-server")
    with reserved_port() as port:
        server = subprocess.Popen(
            [
                command,
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--daemonize",
                "no",
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(600):
                assert server.poll() is None, f"redis-server ended with {server.returncode}"
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port
        finally:
            server.terminate()
            server.wait(60)


def run(folder: Path, script: str, *arguments: str) -> list[dict[str, Any]]:
    """Run *script* in a process of its own and return the lines that it logged."""
    (folder / "jobs.py").write_text(PROLOGUE + script, encoding="utf-8")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "jobs.py", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def check(lines: list[dict[str, Any]]) -> None:
    """
    Two jobs of one request, each a span of its own that its sender called; and one of nobody's.
    """
    jobs = {line["message"]: line for line in lines if line["logger"] == "jobs"}
    assert set(jobs) == {"first", "second", "nobody's"}
    ours = [jobs["first"], jobs["second"]]
    for line in ours:
        assert (line["request_id"], line["session_id"], line["trace_id"]) == (
            "a1b2c3d4",
            "abc12345",
            TRACE,
        )
        assert line["told"][1:] == ["rojo=1", "userId=alice"]
    spans = [span for line in ours for span in (line["span_id"], line["told"][0])]
    assert len({*spans, SPAN}) == 5
    assert {"request_id", "session_id", "trace_id", "span_id"} & set(jobs["nobody's"]) == set()


def test_celery(tmp_path: Path) -> None:
    """
    A real worker in a thread; its own lines of how a task ended carry the ids, a traceback's too.
    """
    lines = run(tmp_path, readme("celery") + CELERY)
    check(lines)
    ended = [line for line in lines if re.search(r"\] (succeeded|raised)", line["message"])]
    assert [line.get("request_id") for line in ended] == ["a1b2c3d4", "a1b2c3d4", "a1b2c3d4", None]
    assert [line["exception"]["type"] for line in ended if "exception" in line] == ["ValueError"]


def test_celery_without_a_worker(tmp_path: Path) -> None:
    """``task_always_eager``, as in tests: a task is a part of the request that calls it."""
    lines = run(tmp_path, readme("celery") + EAGER)
    first, second, nobodys = [line for line in lines if line["logger"] == "jobs"]
    assert first["request_id"] == "a1b2c3d4"
    assert {**first, "message": "", "timestamp": ""} == {**second, "message": "", "timestamp": ""}
    assert "request_id" not in nobodys


def test_taskiq(tmp_path: Path) -> None:
    """Its own broker in memory: tasks on the loop and in threads."""
    check(run(tmp_path, readme("taskiq") + TASKIQ))


def test_arq(tmp_path: Path, redis: int) -> None:
    """Through a real Redis."""
    check(run(tmp_path, ARQ, str(redis)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    """A child that inherits everything, and one that inherits nothing."""
    check(run(tmp_path, PROCESSES, method))


def test_asyncio_queue(tmp_path: Path) -> None:
    """A worker that began outside any request."""
    check(run(tmp_path, ASYNCIO))
