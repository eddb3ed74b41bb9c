"""
The roles of the fields of a line: which of its names is that of the time, the level, the request and
so on.

A log has few sets of names: the roles of each are names_of once.
"""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache
from typing import NamedTuple

from .names import (
    ACCESS,
    ENCODED,
    EXCEPTIONS,
    INSTANCES,
    PODS,
    ROLES,
    SERVERS_METHODS,
    SILENT,
    SPELLINGS,
    WEAK_LEVELS,
    WEAK_TIMES,
    may_nest,
    plain_name,
)

__all__ = ("Access", "Names", "Roles", "roles_of")

_ROLE_NAMES = tuple(ROLES)
_FURTHER = ("time", "level", "request", "session", "trace")

Access = tuple[str, str, str, str, float]
"""A row of :data:`names.ACCESS`."""


class Names(NamedTuple):
    """The name of a field for each role: these are in the order of :data:`names.ROLES`."""

    time: str
    level: str
    message: str
    request: str
    session: str
    trace: str
    span: str
    parent: str
    service: str
    logger: str
    method: str
    tool: str
    number: str


class Roles(NamedTuple):
    """
    The names of a line's fields. ``ours`` has the name for each role, and ``""``, which no field has
    as its name, for a missing one; ``further`` those that are read if the value of that is empty.
    ``others`` have no role, and are shown beside the message. The value of the time counts only if
    it is one of ``time_types``, and a weak level only if it is one.
    """

    ours: Names
    exceptions: tuple[str, ...]
    others: tuple[str, ...]
    access: Access | None
    time_types: type | tuple[type, ...] | None
    has_weak_level: bool
    source: str
    pods: tuple[str, ...]
    nesting: tuple[str, ...]
    encoded: tuple[str, ...]
    further: dict[str, tuple[str, ...]]


@lru_cache(maxsize=1024)
def roles_of(names: tuple[str, ...]) -> Roles:
    """Return the roles of the fields with these *names*."""
    among = set(names)
    # Those in the spelling of a table, then those in any other.
    names_of = {role: [name for name in ROLES[role] if name in among] for role in _ROLE_NAMES}
    for name in names:
        for role in _roles_named(name):
            if name not in names_of[role]:
                names_of[role].append(name)
    if "error_severity" in among:  # of PostgreSQL, whose sessions are connections
        names_of["session"].clear()
    ours = Names._make(next(iter(names_of[role]), "") for role in _ROLE_NAMES)
    further = {role: tuple(names_of[role][1:]) for role in _FURTHER if len(names_of[role]) > 1}
    exceptions = tuple(name for name in EXCEPTIONS if name in among)
    known = {
        *ours,
        *exceptions,
        *SILENT,
        *(name for role in ("request", "session", "time") for name in ROLES[role]),
    }
    others = tuple(name for name in names if name not in known)
    rows = [row for row in ACCESS if _is_access(row, among)]
    access = max(
        rows,
        key=lambda row: (row[3] in among, sum(name in among for name in row[:2])),
        default=None,
    )
    source = next((name for name in INSTANCES if name in among), "")
    pods = tuple(name for name in PODS if name in among)
    nesting = tuple(filter(may_nest, names))
    return Roles(
        ours,
        exceptions,
        others,
        access,
        WEAK_TIMES.get(ours.time),
        ours.level in WEAK_LEVELS,
        source,
        pods,
        nesting,
        tuple(name for name, other in ENCODED.items() if {name, other} <= among),
        further,
    )


@lru_cache(maxsize=4096)
def _roles_named(name: str) -> tuple[str, ...]:
    """Return the roles that a field with this *name*, in any spelling, may have."""
    plain = plain_name(name)
    return tuple(role for role in _ROLE_NAMES if plain in SPELLINGS[role])


def _is_access(row: Access, names: Set[str]) -> bool:
    """
    Whether the *names* of a line's fields are those of a *row* of access lines: a status, and a
    duration of a request. If the status or the method has its own name, one of these two is enough.
    """
    method, path, status, duration, _ = row
    if status not in names:
        return False
    has_request = method in names or path in names
    is_enough = "." in status or (method in names and method in SERVERS_METHODS)
    return has_request + (duration in names) >= (1 if is_enough else 2)
