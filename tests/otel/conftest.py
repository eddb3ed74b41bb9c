from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
PATIENCE = 90


class Collector:
    """The receiver's process, and what it has received."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "receiver.py"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url, self.grpc_url = (
            f"http://127.0.0.1:{port}" for port in self._process.stdout.readline().split()
        )

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _get(self, signal: str, count: int, **wanted: str) -> list[dict[str, Any]]:
        parameters = {"count": str(count), **wanted}
        found: list[dict[str, Any]] = httpx.get(
            f"{self.url}/{signal}",
            params=parameters,
            timeout=PATIENCE,
            trust_env=False,
            verify=False,
        ).json()
        matching = [each for each in found if wanted.items() <= each.items()]
        assert len(matching) >= count, (
            f"expected {count} {signal} with {wanted}; all that came: {found}"
        )
        return matching

    def spans(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """Return the spans with the *wanted* fields, when at least *count* have come."""
        return self._get("spans", count, **wanted)

    def logs(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """Return the log records with the *wanted* fields, when at least *count* have come."""
        return self._get("logs", count, **wanted)

    def metrics(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """Return the points of metrics with the *wanted* fields, when at least *count* have come."""
        return self._get("metrics", count, **wanted)


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture(scope="module")
def environment(collector: Collector) -> Iterator[pytest.MonkeyPatch]:
    """What processes that a test starts have to export to the receiver."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE), prepend=":")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "100")
        yield patch
