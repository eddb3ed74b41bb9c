"""
Readings: each of one meter, on one subject in one situation, in a process of its own.

This module starts workers, under valgrind where it is installed. It has no limits, and does not
show figures.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

from .situations import SITUATIONS
from .subjects import SUBJECTS

__all__ = ("MeasureError", "Meter", "Reading", "instruction_meter", "measure")

Meter = Literal["instructions", "bytecode", "nanoseconds", "in_flight", "garbage"]
"""
instructions: the processor's, for a unit, by valgrind; they repeat within 0.1 %. bytecode: the
interpreter's instructions, where there is no valgrind; work in C, such as a search, counts as one.
nanoseconds: of a unit in each of many rounds, of "bare" and of the subject, which take turns.
in_flight: the bytes that a request holds while its app waits. garbage: the objects in reference
cycles that a thousand units or so leave behind.
"""


class Reading(NamedTuple):
    """One meter to read."""

    meter: Meter
    situation: str
    subject: str


class MeasureError(Exception):
    """A worker failed; the message is its error output."""


# The number of batches, seconds, or requests in flight. The difference of 48 and 16 batches of 64
# is 2,048 requests, which is eight whole fills of our pool of ids.
_AMOUNT = {"instructions": 16, "bytecode": 4, "nanoseconds": 1, "in_flight": 10_000, "garbage": 16}
_CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def instruction_meter() -> Meter:
    """Return the meter that the guard uses on this machine."""
    return "instructions" if shutil.which("valgrind") else "bytecode"


def measure(
    readings: Iterable[Reading],
    *,
    preload: Sequence[str] = (),
    tell: Callable[[str], object] = lambda progress: None,
) -> dict[Reading, Any]:
    """
    Take the *readings*.

    :param preload: modules that each worker imports first: they may patch the measured code, to try
        a change.
    :param tell: is given the name of each reading as it is done.
    :raises MeasureError: when a worker fails.
    """
    wanted = dict.fromkeys(readings)
    timed = [reading for reading in wanted if reading.meter == "nanoseconds"]
    counted = [reading for reading in wanted if reading.meter != "nanoseconds"]

    def read(group: Sequence[Reading]) -> dict[Reading, Any]:
        values = _read(group, preload)
        for reading in group:
            tell(" / ".join(reading))
        return values

    values: dict[Reading, Any] = {}
    # Counts are the same beside another worker; times are not.
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        for values_of_group in workers.map(read, _by_subject(counted)):
            values |= values_of_group
    for reading in timed:
        values |= read([reading])
    return values


def _by_subject(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Return *readings* in groups of one meter and one subject, the largest group first."""
    groups: dict[tuple[Meter, str], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.meter, reading.subject), []).append(reading)
    return sorted(groups.values(), key=len, reverse=True)


def _read(group: Sequence[Reading], preload: Sequence[str]) -> dict[Reading, Any]:
    worker = _worker(group, preload)
    if group[0].meter != "instructions":
        return dict(zip(group, json.loads(_start(worker).stdout), strict=True))
    done = _start([*_CALLGRIND, *worker])
    # valgrind prints the count of each process.
    counts = {
        int(process): int(count)
        for process, count in re.findall(r"^==(\d+)== Collected : (\d+)", done.stderr, re.M)
    }
    values = {}
    for reading, processes in zip(group, json.loads(done.stdout), strict=True):
        try:
            few, many = (counts[process] for process in processes)
        except KeyError:
            raise MeasureError(
                f"valgrind said {done.stderr!r}; expected a count for each process"
            ) from None
        units = 2 * _amount(reading) * SITUATIONS[reading.situation].batch
        values[reading] = (many - few) / units
    return values


def _amount(reading: Reading) -> int:
    large = SUBJECTS[reading.subject].heavy or SITUATIONS[reading.situation].batch > 64
    is_count_of_batches = reading.meter in ("instructions", "garbage")
    return 1 if large and is_count_of_batches else _AMOUNT[reading.meter]


def _worker(group: Sequence[Reading], preload: Sequence[str]) -> list[str]:
    meter, _, subject = group[0]
    situations = [f"{reading.situation}={_amount(reading)}" for reading in group]
    command = [sys.executable, "-m", "benchmarks.worker", meter, subject, *situations]
    return [*command, "--preload", *preload] if preload else command


def _start(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # A fixed seed: otherwise sets and dicts of strings have another layout in each process.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasureError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done
