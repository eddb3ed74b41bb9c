from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

import asgi_trace._core.faults
from asgi_trace._logging.setup import undo

from .marks import add_marks

# A job in the background of a script has Ctrl-C ignored, and so would have each process that a test
# stops that way.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests expect the zone of most servers, and the texts of programs that no terminal colors.
os.environ["TZ"] = "UTC"
if hasattr(time, "tzset"):
    time.tzset()
os.environ.pop("FORCE_COLOR", None)

# A loaded machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            add_marks(item)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _logging_is_undone() -> Iterator[None]:
    """What a test does to the logging of this process ends with it."""
    yield
    undo()


@pytest.fixture(autouse=True)
def _faults_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test sees the first warning of each kind."""
    monkeypatch.setattr(asgi_trace._core.faults, "_reported", set())
