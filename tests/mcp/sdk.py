"""The SDK that is installed here, behind one face."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def installed(package: str) -> int:
    """Return the major version of *package*, 0 where it is not there."""
    try:
        return int(version(package).partition(".")[0])
    except PackageNotFoundError:
        return 0


sdk: Any = import_module(
    ".on_fastmcp" if installed("fastmcp") else f".on_mcp{installed('mcp')}",
    __package__,
)
