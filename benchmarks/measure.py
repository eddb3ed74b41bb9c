"""
Readings: each of one meter, on one subject in one situation, in a worker process of its own.

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

    def read(reading: Reading) -> Any:
        value = _read(reading, preload)
        tell(" / ".join(reading))
        return value

    # Counts are the same beside another worker; times are not.
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        values = dict(zip(counted, workers.map(read, counted), strict=True))
    return values | {reading: read(reading) for reading in timed}


def _read(reading: Reading, preload: Sequence[str]) -> Any:
    if reading.meter != "instructions":
        return json.loads(_start(_worker(reading, preload)).stdout)
    batches = _amount(reading)
    done = _start([*_CALLGRIND, *_worker(reading, preload)])
    # Each process that a worker forks reports its own count.
    counts = {
        int(process): int(count)
        for process, count in re.findall(r"^==(\d+)== Collected : (\d+)", done.stderr, re.M)
    }
    try:
        few, many = (counts[process] for process in json.loads(done.stdout))
    except KeyError:
        raise MeasureError(
            f"valgrind said {done.stderr!r}; expected a count for each process"
        ) from None
    return (many - few) / (2 * batches) / SITUATIONS[reading.situation].batch


def _amount(reading: Reading) -> int:
    large = SUBJECTS[reading.subject].heavy or SITUATIONS[reading.situation].batch > 64
    is_count_of_batches = reading.meter in ("instructions", "garbage")
    return 1 if large and is_count_of_batches else _AMOUNT[reading.meter]


def _worker(reading: Reading, preload: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.worker", *reading, str(_amount(reading)), *preload]


def _start(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # A fixed seed: otherwise sets and dicts of strings have another layout in each process.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MeasureError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done
