"""
The guard: a table of the limits for asgi_trace's costs, and the check of them.

This module has the limits, and computes figures from readings. Limits are for repeatable readings,
never for wall time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import reading
from .measure import Meter, Reading, instruction_meter, measure
from .situations import SITUATIONS
from .subjects import (
    OBSERVING,
    ONE_SPAN,
    OUR_JSON,
    OUR_JSON_LOGS,
    OUR_LOGS,
    OUR_LOGS_BY_ITS_HANDLER,
    OUR_LOGS_IN_ITS_FORM,
    OUR_SPANS,
    OUR_TEXT,
    OURS,
    PLAIN_LOGS,
    SUBJECTS,
)

__all__ = ("BUDGETS", "Budget", "Cost", "check", "figure")


class Cost(NamedTuple):
    """
    The cost of *subject* in *situation*: the part added to "bare", or the whole, depending on the
    situation.
    """

    situation: str
    subject: str = OURS


class Budget(NamedTuple):
    """
    One promise: ``(cost - less) / by`` is at most the limit.

    :param limit: by the first version of Python that it is for: the value reached so far, which may
        not get worse.
    :param bytecode: the limit for bytecode, which is counted if there is no valgrind; None if that
        means nothing here, or another meter is read.
    :param unit: of the figure, for people.
    :param goal: the value aimed at, if it is less than the limit; not in bytecode.
    """

    name: str
    cost: Cost
    by: Cost | int
    limit: Mapping[tuple[int, int], float]
    bytecode: float | None
    unit: str
    less: Cost | None = None
    meter: Meter = "instructions"
    goal: float | None = None


_ALL = (3, 10)
_NO_OP = "times what the no-op wrapper adds"
_ACI = "times what asgi-correlation-id adds"
_GARBAGE = "objects in reference cycles"

_PLAIN = "times a plain line of logging's"
_THOUSAND = "thousand instructions"  # or of bytecode

BUDGETS = (
    *(
        Budget(
            name,
            Cost("production-text", subject),
            Cost("production-text", PLAIN_LOGS),
            limit,
            bytecode,
            unit,
            goal=0.9,
        )
        for name, subject, limit, bytecode, unit in (
            (
                "production-text",
                OUR_LOGS,
                {_ALL: 0.88, (3, 12): 0.92},
                1.5,
                "times logging, uvicorn's access line and a no-op wrapper",
            ),
            (
                "production-text-by-its-handler",
                OUR_LOGS_BY_ITS_HANDLER,
                {_ALL: 0.88, (3, 12): 0.92},
                1.5,
                "times the same, with the program's own handler",
            ),
            (
                "production-text-in-its-form",
                OUR_LOGS_IN_ITS_FORM,
                {_ALL: 0.94, (3, 12): 0.98},
                1.6,
                "times the same, in the form that the program has chosen for its handler",
            ),
        )
    ),
    *(
        Budget(
            f"production-json-{peer}",
            Cost("production-json", OUR_JSON_LOGS),
            Cost("production-json", f"{peer}, access line"),
            limit,
            1.4,
            f"times {peer}'s",
            goal=1.0,
        )
        for peer, limit in (
            ("python-json-logger", {_ALL: 0.84, (3, 12): 0.85}),
            ("structlog", {_ALL: 0.67, (3, 12): 0.72}),
        )
    ),
    Budget(
        "access-line",
        Cost("access-line", OUR_LOGS),
        Cost("access-line", "uvicorn's access line"),
        {_ALL: 0.92, (3, 12): 0.98},
        1.7,
        "times uvicorn's",
        less=Cost("request"),
        goal=1.0,
    ),
    Budget(
        "first-line",
        Cost("first-line", OUR_TEXT),
        Cost("first-line", "logging"),
        {_ALL: 1.09, (3, 12): 1.16},
        2.1,
        _PLAIN,
        less=Cost("request"),
        goal=1.15,
    ),
    Budget(
        "further-line",
        Cost("second-line", OUR_TEXT),
        Cost("first-line", "logging"),
        {_ALL: 0.7, (3, 12): 0.77},
        1.2,
        _PLAIN,
        less=Cost("first-line", OUR_TEXT),
        goal=1.0,
    ),
    Budget(
        "everything-traced",
        Cost("everything-traced"),
        Cost("request", "asgi-correlation-id"),
        {_ALL: 1.19, (3, 13): 1.06},
        1.75,
        "times what asgi-correlation-id adds",
        goal=0.8,
    ),
    Budget(
        "bearer",
        Cost("bearer"),
        1000,
        {_ALL: 29, (3, 12): 31.5},
        0.5,
        _THOUSAND,
        less=Cost("request"),
        goal=30,
    ),
    Budget(
        "inject",
        Cost("inject"),
        1000,
        {_ALL: 34.5, (3, 12): 37},
        0.65,
        _THOUSAND,
        less=Cost("request"),
        goal=35,
    ),
    Budget(
        "observed-get",
        Cost("observed-get", OBSERVING),
        1000,
        {_ALL: 1.4},
        0.05,
        _THOUSAND,
        less=Cost("observed-get"),
        goal=1.5,
    ),
    Budget(
        "observed-post",
        Cost("observed-post", OBSERVING),
        1000,
        {_ALL: 83, (3, 12): 90},
        1.6,
        _THOUSAND,
        less=Cost("observed-post"),
        goal=90,
    ),
    Budget(
        "request",
        Cost("request"),
        Cost("request", "no-op"),
        {_ALL: 3.9, (3, 11): 3.55, (3, 12): 3.75},
        7.0,
        _NO_OP,
        goal=3.45,
    ),
    Budget(
        "request-in-the-field",
        Cost("request"),
        Cost("request", "asgi-correlation-id"),
        {_ALL: 0.37},
        0.45,
        _ACI,
        goal=0.25,
    ),
    Budget(
        "everything-read",
        Cost("everything"),
        Cost("request", "asgi-correlation-id"),
        {_ALL: 1.1, (3, 11): 0.98, (3, 12): 1.06, (3, 13): 0.87},
        1.6,
        _ACI,
        goal=0.5,
    ),
    Budget(
        "streamed-message",
        Cost("stream"),
        Cost("stream", "no-op"),
        {_ALL: 0.85, (3, 11): 0.8},
        2.2,
        _NO_OP,
        goal=0.75,
    ),
    Budget(
        "spans",
        Cost("spans", OUR_SPANS),
        Cost("spans", "OpenTelemetry"),
        {_ALL: 0.44},
        0.6,
        "times what opentelemetry-instrumentation-asgi adds",
    ),
    Budget(
        "spans-alone",
        Cost("spans", OUR_SPANS),
        Cost("spans", ONE_SPAN),
        {_ALL: 0.65, (3, 11): 0.62},
        0.75,
        "times what it adds without its spans of receive and send",
        goal=0.6,
    ),
    # 25 ns: the no-op wrapper's 5,800 instructions take 560 ns on 3.11, and its 6,100 take 500 ns
    # on 3.12 and 3.13.
    Budget(
        "header",
        Cost("headers-40"),
        36,
        {_ALL: 300},
        None,
        "instructions",
        less=Cost("headers-4"),
        goal=250,
    ),
    Budget(
        "in-flight",
        Cost("request"),
        1,
        {_ALL: 1400, (3, 11): 965},
        None,
        "bytes",
        meter="in_flight",
        goal=950,
    ),
    Budget("garbage-of-a-request", Cost("request"), 1, {_ALL: 0}, None, _GARBAGE, meter="garbage"),
    Budget(
        "garbage-of-everything-read",
        Cost("everything"),
        1,
        {_ALL: 0},
        None,
        _GARBAGE,
        meter="garbage",
    ),
    Budget("garbage-of-a-crash", Cost("crash"), 1, {_ALL: 0}, None, _GARBAGE, meter="garbage"),
    Budget(
        "line-of-text",
        Cost("text"),
        Cost("text", "bare"),
        {_ALL: 1.03, (3, 11): 0.83, (3, 12): 0.92},
        1.25,
        "times a plain line of logging's",
        goal=1.0,
    ),
    *(
        Budget(
            f"line-of-json-{peer}",
            Cost("json", OUR_JSON),
            Cost("json", peer),
            {_ALL: bytecode, (3, 11): limit},
            bytecode,
            f"times {peer}'s",
            goal=1.0,
        )
        for peer, limit, bytecode in (("python-json-logger", 0.65, 1.14), ("structlog", 0.52, 0.9))
    ),
    # 0.88 of the throughput.
    Budget(
        "uvicorn",
        Cost("uvicorn"),
        Cost("uvicorn", "bare"),
        {_ALL: 1.18},
        1.2,
        "times the bare app",
        goal=1 / 0.88,
    ),
)


class _Result(NamedTuple):
    budget: Budget
    figure: float
    limit: float
    goal: float | None

    @property
    def is_broken(self) -> bool:
        return self.figure > self.limit

    def __str__(self) -> str:
        verdict = "BROKEN" if self.is_broken else "ok    "
        figure, limit = _short(self.figure), _short(self.limit)
        aim = f", goal {_short(self.goal)}" if self.goal is not None else ""
        return f"{verdict}  {self.budget.name}: {figure} {self.budget.unit}, limit {limit}{aim}"


def check(
    names: Sequence[str] = (),
    *,
    preload: Sequence[str] = (),
    tell: Callable[[str], object] = lambda progress: None,
) -> int:
    """
    Print each budget with its figure and its limit, and return the exit code: 1 when any is broken.

    The budgets of ``benchmarks.reading`` are included.

    :param names: the budgets to check; all, when left out.
    :param preload: modules that each measured process imports first.
    :param tell: is given each reading as it is done.
    """
    meter = instruction_meter()
    checked = [budget for budget in BUDGETS if not names or budget.name in names]
    if meter == "bytecode":
        print(
            "valgrind is not installed: bytecode is counted instead, which does not see what is done in C"
        )
        blind = [
            budget
            for budget in checked
            if _meter(budget, meter) == "bytecode" and budget.bytecode is None
        ]
        if blind:
            print(f"not checked, for that reason: {', '.join(budget.name for budget in blind)}")
        checked = [budget for budget in checked if budget not in blind]
    readings = [reading for budget in checked for reading in _readings(budget, meter)]
    missing = sorted({SUBJECTS[reading.subject].missing() or "" for reading in readings} - {""})
    if missing:
        print(f"not installed: {', '.join(missing)}; expected: pip install . --group bench")
        return 1
    values = measure(readings, preload=preload, tell=tell)
    results = [_result(budget, meter, values) for budget in checked]
    for result in results:
        print(result)
    is_broken = any(result.is_broken for result in results)
    if not names or not {each.name for each in reading.PROMISES}.isdisjoint(names):
        is_broken |= _is_reading_broken(names, tell)
    return int(is_broken)


def _is_reading_broken(names: Sequence[str], tell: Callable[[str], object]) -> bool:
    is_broken = False
    for promise, found in reading.check(names, tell):
        verdict = "BROKEN" if found > promise.limit else "ok    "
        print(
            f"{verdict}  {promise.name}: {_short(found)} {promise.unit}, "
            f"limit {_short(promise.limit)}, goal {_short(promise.goal)}"
        )
        is_broken |= found > promise.limit
    return is_broken


def _result(budget: Budget, meter: Meter, values: Mapping[Reading, Any]) -> _Result:
    found = figure(budget, meter, values)
    if _meter(budget, meter) == "bytecode" and budget.bytecode is not None:
        return _Result(budget, found, budget.bytecode, None)
    limit = budget.limit[
        max(version for version in budget.limit if version <= sys.version_info[:2])
    ]
    return _Result(
        budget,
        found,
        limit,
        budget.goal if budget.goal is not None and budget.goal < limit else None,
    )


def _readings(budget: Budget, meter: Meter) -> list[Reading]:
    costs = [cost for cost in (budget.cost, budget.less, budget.by) if isinstance(cost, Cost)]
    return [reading for cost in costs for reading in _terms(cost, _meter(budget, meter))]


def _meter(budget: Budget, meter: Meter) -> Meter:
    return meter if budget.meter == "instructions" else budget.meter


def _terms(cost: Cost, meter: Meter) -> list[Reading]:
    terms = [Reading(meter, cost.situation, cost.subject)]
    if SITUATIONS[cost.situation].added:
        terms.append(Reading(meter, cost.situation, "bare"))
    return terms


def figure(budget: Budget, meter: Meter, values: Mapping[Reading, Any]) -> float:
    """Return the figure of *budget*, computed from the *values* of its readings."""

    def of(cost: Cost) -> float:
        whole, *bare = (float(values[term]) for term in _terms(cost, _meter(budget, meter)))
        return whole - sum(bare)

    less = of(budget.less) if budget.less else 0.0
    return (of(budget.cost) - less) / (of(budget.by) if isinstance(budget.by, Cost) else budget.by)


def _short(figure: float) -> str:
    return f"{figure:.0f}" if figure == int(figure) or figure >= 100 else f"{figure:.3f}"
