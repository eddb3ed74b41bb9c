"""One process per server, for all of its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .harness import HERE, Server
from .table import KINDS, Kind


class RunningServer(Server):
    """A server that serves one variant of the app."""

    def __init__(self, kind: Kind, variant: str) -> None:
        self.kind: Kind = kind
        self.variant: str = variant
        self.broken = False  # by a test: no other can use it
        super().__init__(kind.arguments(variant))


class Servers:
    """Runs one server at a time, until a test asks for another: two cores are enough for it."""

    def __init__(self) -> None:
        self._running: RunningServer | None = None

    def get(self, kind: Kind, variant: str) -> RunningServer:
        running = self._running
        if running is None or (running.kind, running.variant) != (kind, variant):
            self.stop()
            self._running = running = RunningServer(kind, variant)
        return running

    def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.stop()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[RunningServer]:
    server = servers.get(*request.param)
    yield server
    if server.broken:
        servers.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of one server side by side, behind all others."""
    places = {kind.name: place for place, kind in enumerate(KINDS, 1)}

    def place(item: pytest.Item) -> tuple[int, str]:
        if item.path.parent != HERE or not isinstance(item, pytest.Function):
            return (0, "")
        kind, variant = item.callspec.params["server"]
        return (places[kind.name], variant)

    items.sort(key=place)
