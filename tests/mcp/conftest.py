from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from .conversation import Lines


@pytest.fixture
def anyio_backend() -> str:
    """The SDKs' servers and clients run on asyncio here, as uvicorn does."""
    return "asyncio"


@pytest.fixture
def lines() -> Iterator[Lines]:
    """All that is logged."""
    lines = Lines()
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    root.setLevel(logging.INFO)
    root.handlers[:] = [lines]
    yield lines
    root.handlers[:] = kept
    root.setLevel(level)
