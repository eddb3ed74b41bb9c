from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from .witness import LogLines


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Every line that the process logs during the test, at level INFO."""
    root = logging.getLogger()
    level, handler = root.level, LogLines()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)
