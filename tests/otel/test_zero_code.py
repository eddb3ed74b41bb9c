"""``ASGI_TRACE_OTEL=1``: the spans and log records of an app that has never heard of any of it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ..servers.harness import Server
from .conftest import Collector
from .test_spans import get

ROOT = Path(__file__).parent.parent.parent
APPS = shlex.quote(str(ROOT / "tests" / "launched" / "apps"))

COMMANDS = {
    "uvicorn": f"uvicorn --app-dir {APPS} --port {{port}} bare:app",
    "uvicorn-workers": f"uvicorn --app-dir {APPS} --port {{port}} --workers 2 bare:app",
    "hypercorn": f"hypercorn --bind 127.0.0.1:{{port}} {APPS}/bare:app",
    "granian": f"granian --interface asgi --port {{port}} --working-dir {APPS} bare:app",
    "gunicorn": f"gunicorn --no-control-socket -b 127.0.0.1:{{port}} --chdir {APPS} -k asgi bare:app",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_switch_is_enough(
    name: str, environment: pytest.MonkeyPatch, collector: Collector
) -> None:
    """The standard's variables say where to; the last span is not lost when the server ends."""
    environment.setenv("ASGI_TRACE_OTEL", "1")
    environment.setenv("OTEL_SERVICE_NAME", f"switched {name}")
    environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    server = Server(["-m", "asgi_trace", "run", *shlex.split(COMMANDS[name])])
    try:
        response = get(server, "/work/m1234567")
    finally:
        server.stop()
    assert response.status_code == 200
    request_id = response.headers["x-request-id"]
    (span,) = collector.spans(1, trace_id=request_id)
    assert (span["service"], span["name"]) == (f"switched {name}", "GET")
    assert span["attributes"]["url.path"] == "/work/m1234567"
    assert (
        collector.logs(1, trace_id=request_id, span_id=span["span_id"])[0]["service"]
        == f"switched {name}"
    )


# An app without lifespan raises, as Django's does, or returns.
NO_LIFESPAN = {
    "django": """
import logging
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

def work(request, marker):
    logging.getLogger("shop").info("%s ends", marker)
    return HttpResponse("ok")

urlpatterns = [path("work/<str:marker>", work)]
app = get_asgi_application()
""",
    "bare": """
import logging

async def app(scope, receive, send):
    if scope["type"] == "http":
        logging.getLogger("shop").info("%s ends", scope["path"].rpartition("/")[2])
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ok"})
""",
}


@pytest.mark.servers
@pytest.mark.parametrize("name", NO_LIFESPAN)
def test_nothing_is_lost_without_a_lifespan(
    name: str, environment: pytest.MonkeyPatch, collector: Collector, tmp_path: Path
) -> None:
    """uvicorn ends by the signal that it received, so no exit handler exports the last spans."""
    service = f"{name} without lifespan"
    (tmp_path / "no_lifespan.py").write_text(NO_LIFESPAN[name], encoding="utf-8")
    command = f"uvicorn --app-dir {shlex.quote(str(tmp_path))} --port {{port}} no_lifespan:app"
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"):
            patch.setenv(variable, "60000")
        patch.setenv("ASGI_TRACE_OTEL", "1")
        patch.setenv("OTEL_SERVICE_NAME", service)
        server = Server(["-m", "asgi_trace", "run", *shlex.split(command)])
    try:
        request_id = get(server, "/work/m1234567").headers["x-request-id"]
    finally:
        server.stop()
    (span,) = collector.spans(1, trace_id=request_id)
    assert collector.logs(1, trace_id=request_id)[0]["span_id"] == span["span_id"]
    assert collector.metrics(1, service=service, name="http.server.request.duration")


FAILING_LIFESPAN = """
import asyncio
from asgi_trace import RequestTracingMiddleware
from asgi_trace.otel import RequestSpans, configure_opentelemetry

configure_opentelemetry()

async def app(scope, receive, send):
    await receive()
    raise LookupError("no database")

async def receive():
    return {"type": "lifespan.startup"}

async def send(message):
    print(message)

asyncio.run(RequestTracingMiddleware(RequestSpans(app))({"type": "lifespan"}, receive, send))
"""


def test_a_lifespan_that_fails_is_the_apps_own(collector: Collector) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING_LIFESPAN],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == ""
    assert done.stderr.endswith("LookupError: no database\n")


def test_the_standards_variables_choose_the_protocol(
    environment: pytest.MonkeyPatch, collector: Collector
) -> None:
    """Where its exporter is installed."""
    environment.setenv("ASGI_TRACE_OTEL", "1")
    environment.setenv("OTEL_SERVICE_NAME", "over gRPC")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_url)
        server = Server(["-m", "asgi_trace", "run", *shlex.split(COMMANDS["uvicorn"])])
    try:
        request_id = get(server, "/work/m1234567").headers["x-request-id"]
    finally:
        server.stop()
    (span,) = collector.spans(1, trace_id=request_id)
    assert span["service"] == "over gRPC"
    assert collector.logs(1, trace_id=request_id)[0]["span_id"] == span["span_id"]


WITHOUT = "import sys; sys.modules['opentelemetry.sdk.trace'] = None; import asgi_trace.auto"


@pytest.mark.parametrize(
    ("code", "variables", "expected"),
    [
        (
            "import asgi_trace.auto",
            {"ASGI_TRACE_OTEL": "maybe"},
            "ASGI_TRACE_OTEL is 'maybe'; expected 1 or 0",
        ),
        (
            WITHOUT,
            {},
            "ASGI_TRACE_OTEL is set, and opentelemetry.sdk.trace is not installed; 'pip install opentelemetry-sdk",
        ),
        (
            "import asgi_trace.auto",
            {"OTEL_TRACES_EXPORTER": "carrier-pigeon"},
            "OTEL_TRACES_EXPORTER is 'carrier-pigeon'; expected none or an installed exporter, such as otlp",
        ),
        (
            "import asgi_trace.auto",
            {
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_EXPORTER_PROMETHEUS_HOST": "no-such-host.invalid",
            },
            "ASGI_TRACE_OTEL is set, and an exporter does not start (gaierror: ",
        ),
    ],
)
def test_what_cannot_be_is_told_at_once(
    code: str, variables: dict[str, str], expected: str
) -> None:
    """In one sentence, with the remedy."""
    told = f"try:\n    {code}\nexcept Exception as exc:\n    print(exc)"
    done = subprocess.run(
        [sys.executable, "-c", told],
        env={
            **os.environ,
            "ASGI_TRACE_OTEL": "1",
            "ASGI_TRACE_APP": f"{APPS}/bare:app",
            **variables,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith(expected), done.stdout + done.stderr


def test_the_providers_of_logfire_stay() -> None:
    """All three; no second one is tried, of which the SDK would warn."""
    code = """
import logging
import logfire
from opentelemetry import _logs, metrics, trace
logfire.configure(send_to_logfire=False, console=False)

def providers():
    return [trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()]

before = providers()
from asgi_trace.otel import configure_opentelemetry
configure_opentelemetry()
print([one is other for one, other in zip(before, providers())], logging.root.handlers)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[True, True, True] []\n", "")


def test_what_the_program_has_configured_stays() -> None:
    """And nothing is exported that the variables do not want."""
    code = """
from opentelemetry import _logs, trace
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
trace.set_tracer_provider(provider)
from asgi_trace.otel import configure_opentelemetry
configure_opentelemetry()
configure_opentelemetry()
print(trace.get_tracer_provider() is provider, type(_logs.get_logger_provider()).__name__)
import logging
print(logging.root.handlers)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "OTEL_LOGS_EXPORTER": "none", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("True ProxyLoggerProvider\n[]\n", "")
