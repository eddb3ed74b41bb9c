"""
The process that is measured: one subject, in a child process for each situation.

``python -m benchmarks.worker METER SUBJECT SITUATION=AMOUNT… [--preload MODULE…]`` prints one JSON
value for each situation. The worker runs batches, and the meters that must be inside the process;
other modules interpret the figures. Under valgrind the imports of a subject take longer than most
of its situations: the children share them.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .opcodes import count_opcodes
from .situations import SITUATIONS, Batch, Situation, suspend
from .subjects import SUBJECTS, Subject

__all__: tuple[str, ...] = ()

# The interpreter specialises code in its first few runs, and first uses import modules and fill
# caches.
_WARM_UP = 4

_FEWEST_ROUNDS = 10


def _warm(situation: Situation, subject: Subject) -> Batch:
    prepare = situation.prepare(subject)
    gc.disable()  # a collection would be counted for the code that happens to allocate next
    for _ in range(_WARM_UP):
        prepare(situation.batch)()
    return prepare


def instructions(situation: Situation, subject: Subject, amount: int) -> list[int]:
    """
    Do *amount* batches in one child and three times as many in another, and return their process
    ids.

    For a meter outside the process. Both are forked after the warm-up: the difference of their
    counts is the cost of the batches.
    """
    prepare = _warm(situation, subject)
    return [_do(prepare, situation.batch, batches) for batches in (amount, 3 * amount)]


def _do(prepare: Batch, batch: int, batches: int) -> int:
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError(f"the child that did {batches} batches ended with {status}")
        return child
    try:
        for _ in range(batches):
            prepare(batch)()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def bytecode(situation: Situation, subject: Subject, amount: int) -> float:
    """Return the bytecode instructions that a unit executes, over *amount* batches."""
    prepare = _warm(situation, subject)
    return (
        sum(count_opcodes(prepare(situation.batch)) for _ in range(amount))
        / amount
        / situation.batch
    )


def nanoseconds(situation: Situation, subject: Subject, amount: int) -> list[list[float]]:
    """
    Return the time of a unit in each round, of "bare" and of *subject*, which take turns for
    *amount* seconds.
    """
    bare, other = _warm(situation, SUBJECTS["bare"]), _warm(situation, subject)
    rounds: list[list[float]] = [[], []]
    deadline = time.perf_counter() + amount
    while len(rounds[0]) < _FEWEST_ROUNDS or time.perf_counter() < deadline:
        # The order alternates: a processor's clock may rise or fall in the course of a round.
        for which, prepare in sorted(enumerate((bare, other)), reverse=bool(len(rounds[0]) % 2)):
            work = prepare(situation.batch)
            start = time.perf_counter_ns()
            work()
            rounds[which].append((time.perf_counter_ns() - start) / situation.batch)
    return rounds


def in_flight(situation: Situation, subject: Subject, amount: int) -> float:
    """Return the bytes that each of *amount* requests in flight holds."""
    import tracemalloc  # a tenth of a worker's start

    suspend(subject, 1000)()
    begin = suspend(subject, amount)
    tracemalloc.start()
    flying = begin()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(flying)


def garbage(situation: Situation, subject: Subject, amount: int) -> int:
    """Return the number of objects in reference cycles that *amount* batches left."""
    prepare = _warm(situation, subject)
    gc.collect()
    for _ in range(amount):
        prepare(situation.batch)()
    return gc.collect()


_METERS = (instructions, bytecode, nanoseconds, in_flight, garbage)


def _in_child(measure: Callable[[], object]) -> Any:
    """Return the result of *measure* in a child process: its warm-up does not affect this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with open(writing, "w") as pipe:
                json.dump(measure(), pipe)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        value = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the child of a situation ended with {status}")
    return json.loads(value)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.worker")
    parser.add_argument("meter")
    parser.add_argument("subject")
    parser.add_argument("situations", nargs="+", metavar="SITUATION=AMOUNT")
    parser.add_argument("--preload", nargs="*", default=[], metavar="MODULE")
    options = parser.parse_args(arguments)
    for module in options.preload:
        importlib.import_module(module)
    meters = {meter.__name__: meter for meter in _METERS}
    measure: Callable[[Situation, Subject, int], object] = meters[options.meter]
    subject = SUBJECTS[options.subject]
    values = []
    for text in options.situations:
        name, amount = text.split("=")
        values.append(_in_child(partial(measure, SITUATIONS[name], subject, int(amount))))
    json.dump(values, sys.stdout)


if __name__ == "__main__":
    main()
