"""The servers' own access lines, exported: once, with their request's ids, without its secrets."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from asgi_trace import generate_request_id

from ..servers.harness import ROOT, Server
from .conftest import Collector
from .test_spans import get
from .test_zero_code import APPS, COMMANDS

ACCESS = {
    "uvicorn": ("uvicorn.access", COMMANDS["uvicorn"]),
    "hypercorn": ("hypercorn.access", COMMANDS["hypercorn"] + " --access-logfile -"),
    "anycorn": (
        "anycorn.access",
        COMMANDS["hypercorn"].replace("hypercorn", "anycorn") + " --access-logfile -",
    ),
    "granian": ("granian.access", COMMANDS["granian"] + " --access-log"),
    "gunicorn": ("gunicorn.access", COMMANDS["gunicorn"] + " --access-logfile -"),
}


# With a handler of its own, which other forms than "keep" would add.
LOGGING = """
import logging
import bare
logging.basicConfig(level=logging.INFO)
app = bare.app
"""


@pytest.mark.parametrize("form", ["json", "keep"])
@pytest.mark.parametrize("name", ACCESS)
def test_an_access_line_is_exported_once(
    name: str,
    form: str,
    tmp_path: Path,
    environment: pytest.MonkeyPatch,
    collector: Collector,
) -> None:
    """However its server sets up its loggers, and whether or not lines have our form."""
    logger, command = ACCESS[name]
    service = f"access lines of {name}, {form}"
    if form == "keep":
        (tmp_path / "logging_app.py").write_text(LOGGING, encoding="utf-8")
        environment.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}/tests/launched/apps")
        command = command.replace(f"{APPS}/bare:app", "logging_app:app")
        command = command.replace("bare:app", "logging_app:app")
    environment.setenv("ASGI_TRACE_OTEL", "1")
    environment.setenv("ASGI_TRACE_FORMAT", form)
    environment.setenv("OTEL_SERVICE_NAME", service)
    request_id = generate_request_id()
    server = Server(["-m", "asgi_trace", "run", *shlex.split(command)])
    try:
        get(server, "/work/m7654321?token=hush&page=2", **{"x-request-id": request_id})
    finally:
        server.stop()
    found = collector.logs(1, service=service, logger=logger, trace_id=request_id)
    assert [log["attributes"]["asgi_trace.request_id"] for log in found] == [request_id]
    assert "hush" not in str(found)
    if name in ("uvicorn", "gunicorn"):  # the others log no query, unless they are told to
        assert "token=***&page=2" in found[0]["message"]
