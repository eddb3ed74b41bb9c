"""
Two services in processes of their own, as the README has them: one request is one trace in both
logs.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ...documents import ROOT, blocks
from ...serving import reserved_port

FRONT, STOCK = (
    block for block in blocks("python") if block.startswith(("# front.py", "# stock.py"))
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


class Service:
    """A server in a process of its own, and the lines that it has logged so far."""

    def __init__(self, folder: Path, name: str, code: str, command: str, port: int) -> None:
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
        self.port = port
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "OTEL_SERVICE_NAME": name,
            },
        )
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        for line in self.process.stdout or ():
            if line.startswith("{"):
                self.lines.append(json.loads(line))

    def wait_for(self, done: Any) -> None:
        for _ in range(1200):
            if done():
                return
            assert self.process.poll() is None, self.lines
            time.sleep(0.05)
        raise AssertionError(f"it did not happen within a minute: {self.lines}")

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def logged(self, *messages: str) -> bool:
        """Whether each of *messages*, or one that has it in it, was logged."""
        return all(any(message in line["message"] for line in self.lines) for message in messages)

    def span(self, message: str) -> str:
        """The span of the line that has *message* in it."""
        (found,) = {line["span_id"] for line in self.traced() if message in line["message"]}
        return str(found)

    def traced(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "request_id" in line]


@contextmanager
def services(folder: Path, run: str = "") -> Iterator[tuple[Service, Service]]:
    """Run both, each by its server's command line, with *run* before it."""
    started: list[Service] = []
    with reserved_port() as front_port, reserved_port() as stock_port:
        try:
            stock = f"{run} hypercorn stock:app --bind 127.0.0.1:{stock_port} --access-logfile -"
            started.append(Service(folder, "stock", STOCK, stock, stock_port))
            code = FRONT.replace("127.0.0.1:8001", f"127.0.0.1:{stock_port}")
            front = f"{run} uvicorn front:app --port {front_port}"
            started.append(Service(folder, "front", code, front, front_port))
            for service in started:
                service.wait_for(service.listens)
            yield started[1], started[0]
        finally:
            for service in started:
                service.process.terminate()
                service.process.wait(60)
                service.reader.join(60)
                if service.process.stdout:
                    service.process.stdout.close()


def buy(front: Service, stock: Service, headers: dict[str, str]) -> httpx.Response:
    """
    Send a request to *front*, which calls *stock*; then the lines of either are those of this
    request alone.
    """
    front.lines.clear()
    stock.lines.clear()
    url = f"http://127.0.0.1:{front.port}/buy"
    answer = httpx.post(url, headers=headers, timeout=60, trust_env=False)
    assert answer.json() == {"reserved": True}
    front.wait_for(lambda: front.logged("Buying", "POST /buy"))
    stock.wait_for(lambda: stock.logged("Reserving", "Shipping", "POST /reserve"))
    return answer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    with services(tmp_path_factory.mktemp("services")) as pair:
        yield pair


@pytest.mark.parametrize(
    "inbound",
    [{}, {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Session-ID": "abc12345"}],
    ids=["first", "called"],
)
def test_one_request_is_one_trace_in_both_logs(
    pair: tuple[Service, Service], inbound: dict[str, str]
) -> None:
    """
    On every line that it caused: of the apps, of a thread, of a job, and of two kinds of servers.
    """
    front, stock = pair
    answer = buy(front, stock, inbound)
    lines = front.traced() + stock.traced()
    for name in ("trace_id", "request_id", "session_id"):
        assert len({line[name] for line in lines}) == 1, (name, lines)
    assert {line["request_id"] for line in lines} == {answer.headers["x-request-id"]}
    if inbound:
        assert (lines[0]["trace_id"], lines[0]["session_id"]) == (TRACE, "abc12345")
    buying, reserving = front.span("Buying"), stock.span("Reserving")
    assert (front.span("POST /buy"), stock.span("POST /reserve")) == (buying, reserving)
    assert len({buying, reserving, stock.span("Shipping"), SPAN}) == 4
    (called_from,) = {
        line["parent_span_id"] for line in stock.lines if "Reserving" in line["message"]
    }
    assert called_from[:12] == buying[:12]
