"""What tests need besides Python: where it is missing, a failure in CI, and elsewhere a skip."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from typing import Any

import pytest


def module(name: str) -> Any:
    """Import a package of the dependency group ``test``."""
    if importlib.util.find_spec(name) is None and not os.environ.get("CI"):
        pytest.skip(f"needs {name}: pip install -e . --group test")
    return importlib.import_module(name)


def program(name: str) -> str:
    """Return *name*, a program that pip does not install."""
    if shutil.which(name) is None and not os.environ.get("CI"):
        pytest.skip(f"needs {name}, which is not on this machine")
    return name
