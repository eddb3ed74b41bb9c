"""
Results: all figures that a run has measured, as stored in a file.

This module lists the readings of a full run, computes the reported figures, and describes the
machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import asgi_trace

from .measure import Meter, Reading, instruction_meter, measure
from .situations import SITUATIONS
from .subjects import OURS, SUBJECTS, Subject

__all__ = ("Import", "Results", "Row", "collect", "load", "save")


class Row(NamedTuple):
    """
    The cost of *subject* in *situation*: the part added to "bare", if the situation compares with
    it and the subject is another.

    ``steps`` is in the unit ``Results.meter``, instructions or bytecode; ``fastest`` and ``median``
    are in nanoseconds; ``held`` is the bytes of a request in flight.
    """

    situation: str
    subject: str
    steps: float
    fastest: float
    median: float
    held: float | None = None


class Import(NamedTuple):
    """The cost of importing a package: milliseconds, and the number of new modules."""

    name: str
    fastest: float
    median: float
    modules: int


class Results(NamedTuple):
    """One run."""

    date: str
    machine: str
    python: str
    meter: Meter
    versions: dict[str, str]
    rows: list[Row]
    imports: list[Import]

    def row(self, situation: str, subject: str = OURS) -> Row | None:
        """Return the row of *subject* in *situation*, or None where it was not measured."""
        return next(
            (row for row in self.rows if (row.situation, row.subject) == (situation, subject)), None
        )


_IMPORTS = {
    "asgi_trace": None,
    "asgi_request_id": "asgi-request-id",
    "asgi_correlation_id": "asgi-correlation-id",
    "starlette_context.middleware": "starlette-context",
    "opentelemetry.instrumentation.asgi": "opentelemetry-instrumentation-asgi",
    "sentry_sdk": "sentry-sdk",
}
_IMPORT_ROUNDS = 15
_IMPORT = """
import sys, time
before, start = len(sys.modules), time.perf_counter_ns()
import {name}
print((time.perf_counter_ns() - start) / 1e6, len(sys.modules) - before)
"""


def collect(
    situations: Iterable[str],
    *,
    preload: Sequence[str] = (),
    tell: Callable[[str], object] = lambda progress: None,
) -> Results:
    """Measure every subject that is installed in each of *situations*."""
    meter = instruction_meter()
    names = list(situations)
    pairs = [(name, SUBJECTS[subject]) for name in names for subject in SITUATIONS[name].subjects]
    pairs = [(name, subject) for name, subject in pairs if not subject.missing()]
    readings = [reading for name, subject in pairs for reading in _readings(meter, name, subject)]
    values = measure(readings, preload=preload, tell=tell)
    return Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        meter=meter,
        versions=_versions(subject for _, subject in pairs),
        rows=[_row(values, meter, name, subject) for name, subject in pairs],
        imports=_measure_imports(tell) if names == list(SITUATIONS) else [],
    )


def _readings(meter: Meter, situation: str, subject: Subject) -> list[Reading]:
    meters: list[Meter] = [meter, "nanoseconds"]
    if situation == "request" and not subject.loop:
        meters.append("in_flight")
    return [Reading(each, situation, subject.name) for each in meters]


def _row(values: Mapping[Reading, Any], meter: Meter, situation: str, subject: Subject) -> Row:
    name = subject.name
    less = SITUATIONS[situation].added and name != "bare"

    def of(meter: Meter) -> float | None:
        value: float | None = values.get(Reading(meter, situation, name))
        return (
            value
            if value is None or not less
            else value - values[Reading(meter, situation, "bare")]
        )

    bare, own = values[Reading("nanoseconds", situation, name)]
    if not less:
        bare = [0.0] * len(own)
    return Row(
        situation,
        name,
        of(meter) or 0.0,
        min(own) - min(bare),
        statistics.median(mine - base for mine, base in zip(own, bare, strict=True)),
        of("in_flight"),
    )


def _measure_imports(tell: Callable[[str], object]) -> list[Import]:
    names = [name for name, needs in _IMPORTS.items() if not Subject(name, needs=needs).missing()]
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
    for number in range(_IMPORT_ROUNDS):
        tell(f"import {number}")
        for name in names:
            command = [sys.executable, "-c", _IMPORT.format(name=name)]
            took, modules = subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.split()
            found[name].append((float(took), int(modules)))
    imports = []
    for name, rounds in found.items():
        times = [took for took, _ in rounds]
        imports.append(Import(name, min(times), statistics.median(times), rounds[-1][1]))
    return imports


def _versions(subjects: Iterable[Subject]) -> dict[str, str]:
    needed = {subject.needs for subject in subjects if subject.needs is not None}
    return {
        "asgi-trace": asgi_trace.__version__,
        **{name: metadata.version(name) for name in sorted(needed)},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "an unnamed processor")


def save(results: Results, directory: Path) -> Path:
    """Write *results* to the file of their version of Python in *directory*, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{results.python.lower().replace(' ', '-').rpartition('.')[0]}.json"
    plain = results._asdict()
    plain["rows"] = [row._asdict() for row in results.rows]
    plain["imports"] = [each._asdict() for each in results.imports]
    path.write_text(json.dumps(plain, indent=1) + "\n")
    return path


def load(directory: Path) -> list[Results]:
    """Return the results in *directory*, the oldest version of Python first."""
    found = []
    for path in directory.glob("*.json"):
        plain = json.loads(path.read_text())
        plain["rows"] = [Row(**row) for row in plain["rows"]]
        plain["imports"] = [Import(**each) for each in plain["imports"]]
        found.append(Results(**plain))
    return sorted(
        found, key=lambda results: [int(part) for part in results.python.split()[1].split(".")]
    )
