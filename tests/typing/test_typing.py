"""The package's types, as type checkers show them to a user."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

# The oldest version has the fewest features that types could use.
OLDEST = "3.10"

CHECKERS = {
    # Without this project's settings: a user has others.
    "mypy": ("--strict", "--config-file=", f"--python-version={OLDEST}"),
    # The files ask for the strict rules themselves.
    "pyright": ("--pythonpath", sys.executable, "--pythonversion", OLDEST),
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_right_code_is_accepted_and_mistakes_are_reported(checker: str) -> None:
    """In strict mode: of the user's code no line, of the mistakes each one."""
    files = [str(HERE / name) for name in ("user_code.py", "mistakes.py")]
    command = [sys.executable, "-m", checker, *CHECKERS[checker], *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT)
    reported = re.findall(r"(\w+\.py):(\d+)\b.* error: ", done.stdout)
    mistakes = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    expected = {
        ("mistakes.py", str(number))
        for number, line in enumerate(mistakes, 1)
        if "# mistake" in line
    }
    assert set(reported) == expected, done.stdout + done.stderr
