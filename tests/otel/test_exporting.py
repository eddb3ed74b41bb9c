"""The README's three lines, with the receiver in place of its Collector."""

from __future__ import annotations

import re
from pathlib import Path

from ..documents import ROOT
from ..test_readme import EXPORTING, SHOP, serve
from .conftest import Collector
from .test_stopping import run


def test_three_lines_export_a_service(tmp_path: Path, collector: Collector) -> None:
    """
    The extra that is installed exists; each customer's request is a span, with the session of its
    lines.
    """
    install, export, run = EXPORTING
    extra = re.search(r"asgi_trace\[(\w+)\]", install)
    assert extra
    assert f"\n{extra[1]} = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bare = SHOP.replace("configure_logging()  ", "# ").replace(
        "app = RequestTracingMiddleware(api)", "app = api"
    )
    variables = export.removeprefix("export ").replace("http://collector:4318", collector.url)
    lines = serve(bare, tmp_path, f"{variables} {run}")
    for session in ("abc12345", "def67890"):
        (request_id,) = {
            found[1]
            for line in lines
            if (found := re.search(rf"req=(\w+)\|session={session}", line))
        }
        (span,) = collector.spans(1, trace_id=request_id, kind="SERVER")
        assert (span["service"], span["name"]) == ("shop", "POST /api/payment")
        assert span["attributes"]["session.id"] == session
        logs = collector.logs(3, trace_id=request_id, logger="shop")
        assert [log["message"] for log in logs] == [
            "Processing payment",
            "Validating payment",
            "Gateway slow",
        ]


# JSON from a client can have a lone surrogate, which has no UTF-8 form.
BROKEN = """
import json, logging
from opentelemetry import trace
from asgi_trace.otel import configure_opentelemetry
logging.basicConfig(level=logging.INFO)
configure_opentelemetry()
sent = json.loads('"\\\\ud83d"')
tracer = trace.get_tracer("shop")
with tracer.start_as_current_span("another request"):
    logging.info("another line")
try:
    with tracer.start_as_current_span(f"work {sent}") as span:
        span.set_attribute("sent", sent)
        span.add_event(f"event {sent}", {"sent": sent})
        logging.info("line %s", sent)
        raise LookupError(sent)
except LookupError:
    pass
"""


def test_a_text_without_utf8_loses_no_batch(collector: Collector) -> None:
    """It is escaped wherever it is, and the other spans and records of its batch arrive."""
    service = "broken text"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": service}
    done = run(BROKEN, variables)
    assert done.returncode == 0, done.stderr
    other, span = collector.spans(2, service=service)
    assert (other["name"], span["name"]) == ("another request", r"work \ud83d")
    assert span["status"] == "ERROR"
    assert [event["name"] for event in span["events"]] == [r"event \ud83d", "exception"]
    logs = collector.logs(2, service=service)
    assert [log["message"] for log in logs] == ["another line", r"line \ud83d"]
    assert {log["span_id"] for log in logs} == {other["span_id"], span["span_id"]}
