"""
What the handlers of the tested apps do: read the ids by every way there is, write a log line, wait
for each other.

Knows asgi_trace, logging and threads. Does not know any framework.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import NamedTuple

import anyio
import anyio.lowlevel

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    TextFormatter,
    get_request_id,
    get_request_metadata,
    get_session_id,
    request_id_ctx,
    session_id_ctx,
)

TIMEOUT = 60
"""How long anything may wait for anything, in seconds: a loaded machine must not fail a test."""

_log = logging.getLogger("shop")
_tags = count(1)


def new_tag() -> str:
    """
    Return the name of a new request, which the handlers are told by its path: nothing of ours is
    needed for it.
    """
    return f"t{next(_tags):05}"


class Ids(NamedTuple):
    """One request's ids, by every way there is to read them."""

    get_request_id: str | None
    request_id_ctx: str | None
    metadata_request_id: str | None
    get_session_id: str | None
    session_id_ctx: str | None
    metadata_session_id: str | None

    @classmethod
    def of(cls, request_id: str | None, session_id: str | None) -> Ids:
        return cls(request_id, request_id, request_id, session_id, session_id, session_id)

    @classmethod
    def here(cls) -> Ids:
        metadata = get_request_metadata()
        return cls(
            get_request_id(),
            request_id_ctx.get(),
            metadata and metadata.request_id,
            get_session_id(),
            session_id_ctx.get(),
            metadata and metadata.session_id,
        )


class Sighting(NamedTuple):
    """What was seen of a request at one place of its handling."""

    place: str
    ids: Ids
    metadata: RequestMetadata | None


_sightings: defaultdict[str, list[Sighting]] = defaultdict(list)
_arrival = threading.Condition()


def look(tag: str, place: str) -> None:
    """Note what the ids of the request *tag* are at this *place*, and log a line."""
    sighting = Sighting(place, Ids.here(), get_request_metadata())
    _log.info("%s in the %s", tag, place)
    with _arrival:
        _sightings[tag].append(sighting)
        _arrival.notify_all()


def sightings_of(tag: str, how_many: int) -> list[Sighting]:
    """Return what was seen of the request *tag*, once *how_many* places have seen it; blocks."""
    with _arrival:
        _arrival.wait_for(lambda: len(_sightings[tag]) >= how_many, TIMEOUT)
        return list(_sightings[tag])


class _Gate:
    """Opens when *size* tasks, or as many threads, have come to it."""

    def __init__(self, size: int) -> None:
        self._missing = size
        self._lock = threading.Lock()
        self._open_for_threads = threading.Event()
        self._open_for_tasks = anyio.Event()

    async def wait(self) -> None:
        if self._arrive():
            self._open_for_tasks.set()
        with anyio.fail_after(TIMEOUT):
            await self._open_for_tasks.wait()

    def wait_in_thread(self) -> None:
        if self._arrive():
            self._open_for_threads.set()
        if not self._open_for_threads.wait(TIMEOUT):
            raise TimeoutError("no other request came to this place in time")

    def _arrive(self) -> bool:
        with self._lock:
            self._missing -= 1
            return self._missing <= 0


_gates: list[tuple[_Gate, _Gate]] = []


@contextlib.contextmanager
def crowded(*, tasks: int, threads: int) -> Iterator[None]:
    """
    Within the block no handler goes on before *tasks* or *threads* of them are under way at once.
    """
    _gates.append((_Gate(tasks), _Gate(threads)))
    try:
        yield
    finally:
        _gates.pop()


async def visit(tag: str, place: str) -> None:
    """Look, let other requests run, and look again."""
    look(tag, place)
    await anyio.lowlevel.checkpoint()
    for gate, _ in _gates:
        await gate.wait()
    look(tag, f"{place}, later")


def visit_in_thread(tag: str, place: str) -> None:
    """Look, let other requests run, and look again: in a handler that is no coroutine."""
    look(tag, place)
    for _, gate in _gates:
        gate.wait_in_thread()
    look(tag, f"{place}, later")


async def chunks(tag: str) -> AsyncIterator[bytes]:
    """A body in three parts."""
    for place in ("first chunk", "second chunk", "third chunk"):
        await visit(tag, place)
        yield b"served"


def chunks_in_thread(tag: str) -> Iterator[bytes]:
    """A body in three parts, from a plain generator."""
    for place in ("first chunk", "second chunk", "third chunk"):
        visit_in_thread(tag, place)
        yield b"served"


def changed_session_of(tag: str) -> str:
    return f"{tag}-customer"


def change_session(tag: str) -> None:
    """
    Assign to the session id of the current request, as a handler may that knows better than the
    headers.
    """
    metadata = get_request_metadata()
    assert metadata is not None, f"the handler of {tag} sees no request"
    metadata.session_id = changed_session_of(tag)


class LogLines(logging.Handler):
    """Keeps every line that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestTracingFilter())
        self.setFormatter(TextFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "httpx":  # the client's own lines are written outside of any request
            self.lines += self.format(record).splitlines()

    def naming(self, tag: str) -> list[str]:
        """Return the lines about the request *tag*, without their times."""
        return [line.partition(" - ")[2] for line in self.lines if tag in line.partition("]")[2]]
