"""The service in the name of a log file, for lines that name no service."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..._core.patterns import Pattern

__all__ = ("container_in", "service_of_file", "services_of_files")

# The parts of a file name that are not the service: an ending, a number, a date, the kind of log.
_ASIDE = Pattern(
    r"(?:\.(?:gz|bz2|xz|zst|log|logs|json|jsonl|ndjson|logfmt|txt|out|err)"
    r"|[-_.]\d{4}-?\d\d-?\d\d(?:[-_T]?\d{2,6})*|[-_.]\d+"
    r"|(?:\A|[-_.])(?:access|app|application|current|debug|error|errors|info|log|logs|messages|output"
    r"|stderr|stdout|syslog|trace|worker|workers))\Z",
    re.IGNORECASE,
)
_NO_SERVICE = frozenset(("", "standard input", "tmp", "var"))


# The files on a node of Kubernetes: pods/NAMESPACE_POD_UID/CONTAINER/0.log, and
# containers/POD_NAMESPACE_CONTAINER-ID.log.
_ON_NODES = Pattern(
    r"(?:\A|/)(?:[^/]+_[^/]+_[^/]+/([a-z0-9-]+)/\d+|[^/_]+_[^/_]+_([a-z0-9-]+)-[0-9a-f]{64})\.log"
)


def container_in(path: str) -> str:
    """Return the container in the *path* of a log on a node of Kubernetes; "" in any other path."""
    match = _ON_NODES.search(path)
    return "" if match is None else match[1] or match[2]


def _name_in(text: str) -> str:
    container = container_in(text)
    if container:
        return container
    while True:
        shorter = _ASIDE.sub("", text)
        if shorter == text:
            return "" if text.lower() in _NO_SERVICE or text.isdecimal() else text
        text = shorter


def service_of_file(name: str) -> str:
    """
    Return the service in a log's *name*: ``front`` for ``front.log``, ``front.log.2.gz`` and
    ``front/access.log``; "" where there is none.
    """
    folder = os.path.dirname(os.path.abspath(name))
    return _name_in(os.path.basename(name)) or _name_in(os.path.basename(folder))


def services_of_files(names: Sequence[str]) -> list[str]:
    """
    Return the service in each log's name; "" where there is none, and where all have the same one.
    """
    names_of_services = [_name_in(os.path.basename(name)) for name in names]
    folders = [os.path.dirname(os.path.abspath(name)) for name in names]
    if len(set(folders)) > 1:
        names_of_services = [
            name or _name_in(os.path.basename(folder))
            for name, folder in zip(names_of_services, folders, strict=True)
        ]
    named = set(names_of_services) - {""}
    if len(named) == 1:  # access.log beside shop.log
        return [""] * len(names)
    return names_of_services
