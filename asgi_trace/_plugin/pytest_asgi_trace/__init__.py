"""
The plugin of asgi_trace for pytest: the fixture ``traced``.

A package of its own, so that nothing of asgi_trace is imported in a test run that does not ask for
the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asgi_trace._logging.captured import Traced as Traced

__all__ = ("Traced", "traced")


@pytest.fixture
def traced() -> Iterator[Traced]:
    """
    The log records and lines of each request of this test.

    ``traced.lines(response)`` returns the lines that the request logged,
    ``traced.records(response)`` its records; ``traced.request(session_id="abc12345")`` binds ids
    for code that is called without a request. The root logger's level is INFO for the test, unless
    the program has set another.
    """
    from asgi_trace._logging.captured import captured

    with captured() as traced_log:
        yield traced_log
