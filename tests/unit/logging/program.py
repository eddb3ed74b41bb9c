"""
A program of its own for a test: what it sets up is the whole process', and pytest has its own in
place.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

SETUP = """
import io, logging, logging.config, logging.handlers, sys
import asgi_trace
from asgi_trace import *

def within(request_id="a1", session_id="alice"):
    return bound_request_metadata(RequestMetadata(session_id, request_id))
"""


def lines_of(code: str, *, before: str = "", **variables: str) -> list[str]:
    """Run *code*, and *before* ahead of its imports, and return the lines that it writes."""
    program = before + SETUP + textwrap.dedent(code)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ASGI_TRACE")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        timeout=120,
        env={**plain, **variables},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()
