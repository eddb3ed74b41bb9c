"""
Whatever a handler starts is in the trace of its own call, on the SDK that is installed here, in
each combination of transport, OpenTelemetry and ``trace_server()``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .matrix import CURES, Cell, http_cells
from .sdk import sdk

ROOT = Path(__file__).parent.parent.parent
Report = dict[str, dict[str, list[str]]]

CELLS = [
    *(Cell("stdio", is_on, True) for is_on in (False, True)),
    *(cell for is_on in (False, True) for _, cell in http_cells(is_on=is_on)),
]


@pytest.fixture(scope="module")
def report() -> Report:
    """What was wrong in each cell, with every cure and with one of them switched off."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.mcp.matrix"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found: Report = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_a_handler_starts_is_in_its_calls_trace(report: Report, cell: Cell) -> None:
    """
    Spans, inject(), outgoing_meta() and an instrumented HTTP call are under the one SERVER span of
    the call, which the lines name.
    """
    assert report[""][str(cell)] == []


@pytest.mark.parametrize("cure", CURES)
def test_without_a_cure_its_cells_fail(report: Report, cure: str) -> None:
    """And only where this SDK needs it."""
    failing = {cell for cell, problems in report[cure].items() if problems}
    assert bool(failing) is (cure in sdk.CURES), report[cure]
