"""Background tasks of fastmcp have the ids of the request that started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(find_spec("docket") is None, reason="this SDK has no background tasks")
def test_a_tasks_worker_has_the_ids_of_the_request_that_started_it() -> None:
    """Its lines, and get_request_metadata(); with a span of its own for each task."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.mcp.background"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    spans = set()
    for tag, (request_id, session_of_line, session_id, _, span_id) in told.items():
        assert (request_id, session_of_line, session_id) == (f"r-{tag}", f"s-{tag}", f"s-{tag}")
        spans.add(span_id)
    assert len(spans) == len(told)
