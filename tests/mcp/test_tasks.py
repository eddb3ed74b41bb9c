"""Background tasks of fastmcp have the ids of the request that started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from .sdk import sdk

ROOT = Path(__file__).parent.parent.parent


pytestmark = pytest.mark.skipif(
    find_spec("docket") is None, reason="this SDK has no background tasks"
)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What the program has seen: with ``observe_body``, then with ``trace_server()`` alone."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.mcp.background"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_a_tasks_worker_has_the_ids_of_the_request_that_started_it(report: dict[str, Any]) -> None:
    """Its lines, and get_request_metadata(); with a span of its own for each task."""
    spans = set()
    for tag, (request_id, session_of_line, session_id, _, span_id) in report["ids"].items():
        assert (request_id, session_of_line, session_id) == (f"r-{tag}", f"s-{tag}", f"s-{tag}")
        spans.add(span_id)
    assert len(spans) == len(report["ids"]) == 5


@pytest.mark.parametrize("tag", ["one", "two", "three", "four", "five"])
def test_lines_on_a_task_name_it(report: dict[str, Any], tag: str) -> None:
    """Those of ``tasks/get``, and of ``tasks/result`` where the SDK has it."""
    assert report["named"][tag] == [f"{method} True" for method in sdk.TASK_METHODS]
