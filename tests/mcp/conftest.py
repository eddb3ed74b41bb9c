from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The SDKs' servers and clients run on asyncio here, as uvicorn does."""
    return "asyncio"
