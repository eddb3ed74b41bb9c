"""
The source of a line, such as a pod or a file, and the service that this is an instance of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..._core.patterns import Pattern
from .names import PODS, SOURCES

__all__ = (
    "container_in",
    "container_of",
    "in_pod",
    "labels_in",
    "service_of",
    "service_of_file",
    "services_of_files",
    "source_of_labels",
)

# -- sources ---------------------------------------------------------------------------------------

_LABEL = Pattern(r'([\w.]+)="((?:[^"\\]|\\.)*)"')


def labels_in(text: str) -> dict[str, str]:
    """Return the labels in the *text* of Loki or VictoriaLogs, such as ``{container="front"}``."""
    labels = dict(_LABEL.findall(text))
    if "\\" in text:
        return {name: _ESCAPED.sub(_character, value) for name, value in labels.items()}
    return labels


_ESCAPED = Pattern(r"\\(.)")
_CHARACTERS = {"n": "\n", "t": "\t", "r": "\r"}


def _character(match: re.Match[str]) -> str:
    return _CHARACTERS.get(match[1], match[1])


def source_of_labels(labels: str) -> str:
    """
    Return the source in the labels of Loki or VictoriaLogs, such as ``{container="front"}``; ""
    without one.
    """
    value_of = labels_in(labels)
    name = next((name for name in SOURCES if value_of.get(name)), "")
    return in_pod(name, value_of, PODS) if name else ""


def in_pod(name: str, fields: Mapping[str, Any], pods: Sequence[str]) -> str:
    """
    Return the source in the field *name*, with its pod if that is in one of the *pods*, other
    fields: ``front-5d9c/front``.
    """
    source: str = fields[name]
    if name in PODS:
        return source
    for pod_name in pods:
        pod = fields.get(pod_name)
        if pod and type(pod) is str:
            return f"{pod}/{source}"
    return source


_INSTANCE = Pattern(
    r"(?:-[a-f0-9]{6,10}-[a-z0-9]{5}"  # a pod of a deployment
    r"|[-_.]\d{1,5}(?:\.[a-z0-9]{12,25})?(?:@.*)?"  # compose, foreman, a stateful set, a swarm's task
    r"|(?:@[\w:.-]{1,100})?\.service"
    r"|(?:[-.]\d{4}-?\d\d-?\d\d)?\.log(?:[-.]\d[\d-]{0,15})?(?:\.(?:gz|bz2|xz|zst))?)\Z"
)
# prefix/container/task: Amazon ECS; container/id: a tag of Docker
_TASK = Pattern(r"(?:[^/]+/([^/]+)/[0-9a-f]+|([^/]+)/[0-9a-f]{12})\Z")


# A container in a pod, as stern and kail write it.
_IN_POD = Pattern(r"[a-z0-9.-]{1,253}(?: ([a-z0-9-]{1,63})|\[([a-z0-9-]{1,63})\])\Z")


def container_of(source: str) -> str:
    """Return the container of a *source* that is one in a pod; else *source* itself."""
    match = _IN_POD.match(source) if source[-1:] == "]" or " " in source else None
    return source if match is None else match[1] or match[2]


def service_of(source: str) -> str:
    """
    Return the service that a *source* is an instance of: ``front`` for ``front-1`` and for its
    pods.
    """
    task = _TASK.match(source)
    if task is not None:
        return task[1] or task[2]
    container = container_in(source)
    if container:
        return container
    name = container_of(source.rpartition("/")[2])
    return _INSTANCE.sub("", name) or source


# -- files -----------------------------------------------------------------------------------------

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
