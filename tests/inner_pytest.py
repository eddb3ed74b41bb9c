"""Pytest in a process of its own, for tests of what this package does under pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# What pytest tells the processes that a test starts.
_RUNNING = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION")


def run_pytest(
    folder: Path, *options: str, every_plugin: bool = False
) -> subprocess.CompletedProcess[str]:
    """
    Run the tests in *folder*, with the plugins of this package and of anyio.

    The environment's other plugins take five seconds to import; *every_plugin* loads them, as
    pytest does by default.
    """
    variables = {name: value for name, value in os.environ.items() if name not in _RUNNING}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]
    if not every_plugin:
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        command += ["-p", "pytest_asgi_trace", "-p", "anyio"]
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
