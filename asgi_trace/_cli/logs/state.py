"""
What the lines of one log have shown so far, for those that come later.
"""

from __future__ import annotations

from typing import Any

from ..._core.record import NO_ID
from .accesses import AccessLines
from .entry import NO_MORE
from .envelopes import Peeled
from .services import service_of
from .times import Clock

__all__ = ("State",)

_MOST_SOURCES = 10_000


class State:
    """
    The state of reading one log.

    :param file: the log's number.
    :param clock: reads the log's times.
    :param access_lines: of the same log.
    """

    def __init__(self, file: int, clock: Clock, access_lines: AccessLines | None = None) -> None:
        self.when: float | None = None  # of the line before
        self.first_when: float | None = None
        self.undated = 0
        self.file = file
        self.clock = clock
        self.access_lines = access_lines or AccessLines()
        # whether our ids are at the end of the lines of another formatter: a client's text may then
        # have the same brackets before them
        self.has_ids_last = False
        self._origins: dict[str, dict[str, Any]] = {}

    def at(self, when: float | None) -> float:
        """
        Note a time, and return it; for None return that of the line before, or -1 without one.
        """
        if when is None:
            return -1 if self.when is None else self.when
        if self.when is None:
            self.first_when = when
        self.when = self.clock.last = when
        return when

    def origin(self, source: str) -> dict[str, Any]:
        """Return the values of an entry's *source*, a shared dict that callers must not change."""
        if not source:
            return NO_MORE
        origin = self._origins.get(source)
        if origin is None:
            if len(self._origins) > _MOST_SOURCES:
                self._origins.clear()
            origin = self._origins[source] = {"source": source, "service": service_of(source)}
        return origin

    def service(self, source: str) -> str:
        """Return the name of the service of a *source*, or ""."""
        service: str = self.origin(source).get("service", "")
        return service

    def more(
        self,
        more: dict[str, Any] | None,
        call: str,
        words: str,
        envelope: Peeled | None,
        is_undated: bool,
    ) -> dict[str, Any] | None:
        """
        Return *more* of an entry with the values of its *envelope*, in the *words* of its bracket,
        and of the *call* behind that.
        """
        origin = self.origin(envelope.source) if envelope is not None else NO_MORE
        if not (more or call or words or is_undated):
            return origin or None
        merged = {**origin, **(more or NO_MORE)}
        if call:
            merged["call"] = call
        for word in words.split("|"):
            name, _, value = word.partition("=")
            if name in ("span", "parent", "service") and value and value != NO_ID:
                merged[name] = value
        if is_undated:
            merged["undated"] = True
            self.undated += 1
        return merged

    def details(self, words: str, call: str) -> dict[str, Any] | None:
        """Return the values in the *words* of a bracket, and in the *call* after it."""
        return self.more(None, call, words, None, is_undated=False)
