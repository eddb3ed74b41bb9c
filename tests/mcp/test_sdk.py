"""Which SDK is tested here."""

from __future__ import annotations

import re
from pathlib import Path

from .sdk import installed, sdk

ROOT = Path(__file__).parent.parent.parent


def test_each_sdk_has_an_environment() -> None:
    """CI builds one for each dependency group; and what runs here is the one that is installed."""
    groups = re.findall(
        r"^test-(\w+) = ", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert f"for sdk in {' '.join(groups)}; do" in (ROOT / ".ci" / "run").read_text(
        encoding="utf-8"
    )
    name = "fastmcp" if installed("fastmcp") else "mcp"
    assert f"{name}{installed(name)}" in groups
    assert sdk.IS_STALE is (installed("mcp") == 1)
