"""The README's three lines, with the receiver in place of its Collector."""

from __future__ import annotations

import re
from pathlib import Path

from ..documents import ROOT
from ..test_readme import EXPORTING, SHOP, serve
from .conftest import Collector


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
