"""A service ends when it is asked to, whatever its collector does, and does not wait before."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from ..servers.harness import PATIENCE, ROOT, Server
from .collectors import KINDS, collector_that
from .test_zero_code import COMMANDS

# An exporter tries as long as this, in seconds: whoever waits for it does not end in time.
TRIES = "900"

SERVERS = ("uvicorn", "hypercorn", "granian", "gunicorn")
SIGNALS = {
    "traces": {"OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    "logs": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    "all": {},
}


def variables(url: str, protocol: str, **more: str) -> dict[str, str]:
    return {
        "ASGI_TRACE_OTEL": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if protocol == "grpc" else "http/protobuf",
        "OTEL_EXPORTER_OTLP_TIMEOUT": TRIES,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_BLRP_SCHEDULE_DELAY": "50",
        **more,
    }


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


# Which protocol and which signal ends what differs nowhere between servers: each server meets each
# collector, over one protocol, and a plain program meets everything, below.
@pytest.mark.servers
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server_name", SERVERS)
def test_a_server_ends(server_name: str, kind: str, patch: pytest.MonkeyPatch) -> None:
    """By SIGTERM or by Ctrl-C, with spans and log records in its queues."""
    number = SERVERS.index(server_name) + KINDS.index(kind)
    protocol = ("http", "grpc")[number % 2]
    with collector_that(kind, protocol) as url:
        for name, value in variables(url, protocol).items():
            patch.setenv(name, value)
        server = Server(["-m", "asgi_trace", "run", *shlex.split(COMMANDS[server_name])])
        try:
            with server.client() as client:
                for _ in range(60):
                    assert client.get("/work/m7654321").status_code == 200
            if number % 4 > 1:
                server._process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    server._process.wait(PATIENCE)
        finally:
            server.stop()


PROGRAM = """
import logging, sys
from opentelemetry import metrics, trace
from asgi_trace.otel import configure_opentelemetry
logging.basicConfig(level=logging.INFO)
configure_opentelemetry()
metrics.get_meter("mine").create_counter("lines").add(60)
for number in range(60):
    with trace.get_tracer("mine").start_as_current_span("work"):
        logging.info("line %s", number)
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("signals", SIGNALS)
def test_a_program_ends(kind: str, protocol: str, signals: str) -> None:
    """Each signal, and all, over each protocol; what could not be exported is counted, once."""
    with collector_that(kind, protocol) as url:
        done = run(PROGRAM, variables(url, protocol, **SIGNALS[signals]))
    assert done.returncode == 0, done.stderr
    losses = [line for line in done.stderr.splitlines() if "telemetry is lost" in line]
    assert len(losses) == (kind != "is up"), done.stderr
    if losses:
        assert ("60 spans" in losses[0]) == (signals != "logs"), losses
        assert ("60 log records" in losses[0]) == (signals != "traces"), losses
        has_metrics = re.search(r" \d+ collections? of metrics", losses[0]) is not None
        assert has_metrics == (signals == "all"), losses


def test_a_single_loss_is_counted_as_one() -> None:
    with collector_that("is down", "http") as url:
        done = run(PROGRAM.replace("60", "1"), variables(url, "http", OTEL_METRICS_EXPORTER="none"))
    (told,) = [line for line in done.stderr.splitlines() if "telemetry is lost" in line]
    assert "did not accept 1 log record and 1 span, and" in told


def run(code: str, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **more, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.servers
def test_requests_do_not_wait_for_a_collector(patch: pytest.MonkeyPatch) -> None:
    """Queues stay as small as they are; the loss is told once, its size at the end."""
    limits = {
        "OTEL_BLRP_MAX_QUEUE_SIZE": "8",
        "OTEL_BSP_MAX_QUEUE_SIZE": "8",
        "OTEL_METRICS_EXPORTER": "none",
    }
    with collector_that("hangs", "http") as url:
        for name, value in variables(url, "http", **limits).items():
            patch.setenv(name, value)
        server = Server(["-m", "asgi_trace", "run", *shlex.split(COMMANDS["uvicorn"])])
        try:
            with server.client() as client:
                for _ in range(60):
                    assert client.get("/work/m7654321").status_code == 200
            server.wait_for("spans are dropped")
            server.wait_for("log records are dropped")
        finally:
            server.stop()
    assert sum("are dropped" in line.text for line in server.lines) == 2
    (told,) = [line.text for line in server.lines if "telemetry is lost" in line.text]
    assert re.search(r"did not accept \d+ log records? and \d+ spans?, and", told)


FAILING = """
import logging
from asgi_trace import configure_logging
from asgi_trace.otel import configure_opentelemetry
configure_logging()
configure_opentelemetry()
logging.getLogger("shop").info("mine")
logging.getLogger("opentelemetry.sdk").warning("theirs")
from opentelemetry.instrumentation.utils import suppress_instrumentation
with suppress_instrumentation():
    logging.getLogger("urllib3").warning("of an export")
"""


def test_what_an_exporter_logs_is_not_exported(collector: Any) -> None:
    """It would feed itself; the console has it."""
    service = "its own failures"
    done = run(
        FAILING,
        {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": service},
    )
    assert [each in done.stderr for each in ("mine", "theirs", "of an export")] == [True] * 3
    assert [log["message"] for log in collector.logs(1, service=service)] == ["mine"]


@pytest.mark.parametrize("variable", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BLRP_SCHEDULE_DELAY"])
def test_a_limit_that_is_none_is_told(variable: str) -> None:
    """With its name, its value and the rule, before anything is served."""
    done = run(PROGRAM, {variable: "-1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert f"ValueError: {variable} is '-1'; expected a whole number above 0" in done.stderr


FORKED = """
import logging, os
from opentelemetry import trace
from asgi_trace.otel import configure_opentelemetry
logging.basicConfig(level=logging.INFO)
configure_opentelemetry()
logging.info("parent")
if os.fork() == 0:
    logging.info("child")
else:
    os.wait()
"""


def test_a_forked_child_exports_its_own(collector: Any) -> None:
    """And what its parent had queued, the parent exports."""
    service = "forked"
    done = run(FORKED, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": service})
    assert done.returncode == 0, done.stderr
    told = sorted(log["message"] for log in collector.logs(2, service=service))
    assert told == ["child", "parent"]
