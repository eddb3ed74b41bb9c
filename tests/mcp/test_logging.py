"""
What an SDK does to logging when it is imported, and when a server is made, is undone by
``configure_logging()``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LINE = re.compile(
    r"[-\d]{10} [:\d]{8} - \w+ - \[req=(\w+)\|session=(\w+)\](?: \[([^\]]*)\])? ([-|]) ?(.*)"
)


@pytest.mark.parametrize("configured", ["first", "last"])
def test_each_line_is_written_once_and_stamped(configured: str) -> None:
    """
    Whichever comes first, the SDK or configure_logging(): the SDK's own lines, and those of
    tracebacks, included.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.mcp.logged", configured],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    request_ids = {
        name: request_id for request_id, name in map(str.split, done.stdout.splitlines())
    }
    # an SDK may warn as it is imported
    lines = done.stderr.split("configured\n", 1)[1].splitlines()
    found = [match.groups() for match in map(LINE.fullmatch, lines) if match]
    assert len(found) == len(lines), [line for line in lines if not LINE.fullmatch(line)]
    written: dict[str, list[tuple[str, str | None, str]]] = {}
    for request_id, _, call, mark, text in found:
        written.setdefault(text, []).append((request_id, call and call.partition(" #")[0], mark))
    assert written["outside"] == [("none", None, "-")]
    assert written["alice-in_sync"] == [(request_ids["in_sync"], "tools/call in_sync", "-")]
    failing = (request_ids["fail"], "tools/call fail")
    assert written["alice-fail fails"] == [(*failing, "-")]
    assert written["KeyError: 'alice-fail'"][0] == (*failing, "|")
