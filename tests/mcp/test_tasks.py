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

from .. import needs
from ..serving import reserved_port
from .sdk import sdk

ROOT = Path(__file__).parent.parent.parent


pytestmark = pytest.mark.skipif(
    find_spec("docket") is None, reason="this SDK has no background tasks"
)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What the program has seen: with ``observe_body``, then with ``trace_server()`` alone."""
    return run("tests.mcp.background")


def run(program: str, *arguments: str, **variables: str) -> dict[str, Any]:
    """Return what a *program* of ours prints."""
    command = [sys.executable, "-W", "ignore", "-m", program, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
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


def test_so_has_a_worker_in_another_process(tmp_path: Path) -> None:
    """Over Redis: one of fastmcp's command line, and the server's own."""
    command = [needs.program("redis-server"), "--bind", "127.0.0.1", "--save", ""]
    with reserved_port() as port:
        redis = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)
        try:
            variables = {
                "FASTMCP_DOCKET_URL": f"redis://127.0.0.1:{port}/0",
                "FASTMCP_DOCKET_CONCURRENCY": "1",
            }
            seen = run("tests.mcp.redis_tasks", str(tmp_path), **variables)
        finally:
            redis.terminate()
            redis.wait(60)
    processes = set()
    for tag, (process, own, on_line) in seen["tasks"].items():
        trace_id = tag.encode().hex().rjust(32, "a")
        assert own == [f"r-{tag}", f"s-{tag}", trace_id]
        assert on_line == [f"r-{tag}", f"s-{tag}"]
        processes.add(process)
    assert seen["server"] in processes
    assert len(processes) == 2
