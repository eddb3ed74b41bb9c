"""What tests need besides Python: where it is missing, a failure in CI, and elsewhere a skip."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
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


def rotel() -> tuple[Path, dict[str, str]]:
    """
    Return rotel's agent, a collector, and the variables that it needs. It is linked to the shared
    library of this Python, which Debian has in a package of its own.
    """
    agent = Path(module("rotel").__file__).with_name("rotel-agent")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}
    asked = subprocess.run([agent, "--version"], env=environment, capture_output=True, text=True)
    if "loading shared libraries" in asked.stderr and not os.environ.get("CI"):
        pytest.skip("needs the shared library of Python: apt install libpython3-dev")
    return agent, environment
