"""
The place of a request: the service that wrote its lines, and the instance of the service.

A place is a source, such as a container or a unit, if the line or its envelope names one; else a
service; else the service in the name of the log. Rotated logs and the logs of several workers of
one service are one place.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from ..logs.services import service_of, services_of_files

__all__ = ("Places",)

# The most services with a name on the page: a field with more values does not name a service.
_MOST_SERVICES = 5000


class Places:
    """
    The places of one page, by number.

    :param files: the names of the logs.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.services: list[str] = []
        self.service = array("i")  # of each place; -1: unknown
        self.file = array("i")  # the first log with a line of the place
        self.source: list[str] = []
        self._number_of_service: dict[str, int] = {}
        self._known: dict[tuple[str | int, str], int] = {}
        self._of_service: dict[str, int] = {}
        self._of_source: dict[str, int] = {}
        self._named_in_file: dict[int, str] = {}
        self._implied = [
            self._of_named(name, file) for file, name in enumerate(services_of_files(files))
        ]
        self.of_file = list(self._implied)
        """The place of a line without a service and a source, by its log."""

    def of(self, more: dict[str, Any], file: int) -> int:
        """Return the place of a line with a service or a source in ``more``."""
        source, service = more.get("source", ""), more.get("service", "")
        key = (source or file, service)
        place = self._known.get(key)
        if place is None:
            place = self._in_source(source, service, file) if source else self._named(service, file)
            self._known[key] = place
        return place

    def number_of(self, service: str) -> int:
        """Return the place of *service* in ``services``; -1 where it has none."""
        if not service:
            return -1
        number = self._number_of_service.get(service)
        if number is None:
            if len(self.services) >= _MOST_SERVICES:
                return -1
            number = self._number_of_service[service] = len(self.services)
            self.services.append(service)
        return number

    def _new(self, service: str, file: int, source: str = "") -> int:
        self.service.append(self.number_of(service))
        self.file.append(file)
        self.source.append(source)
        return len(self.service) - 1

    def _of_named(self, service: str, file: int) -> int:
        place = self._of_service.get(service)
        if place is None:
            place = self._of_service[service] = self._new(service, file)
        return place

    def _named(self, service: str, file: int) -> int:
        """Return the place of a *service* with lines that name no source."""
        before = self._named_in_file.setdefault(file, service)
        place = self._of_named(service, file)
        # Other lines of the log belong to the service that is named in it, if there is only one.
        self.of_file[file] = place if before == service else self._implied[file]
        return place

    def _in_source(self, source: str, service: str, file: int) -> int:
        """Return the place of a *source*: one for each service that is named in it."""
        implied = service_of(source)
        is_implied = service in ("", implied)
        place = self._of_source.get(source)
        if place is None:
            place = self._of_source[source] = self._new(service or implied, file, source)
        elif is_implied:
            pass
        elif self.service[place] == self._number_of_service.get(implied, -1):
            self.service[place] = self.number_of(service)
        elif self.service[place] != self._number_of_service.get(service, -1):
            place = self._new(service, file, source)
        return place
