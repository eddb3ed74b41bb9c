"""
The report of the doctor, as text or JSON, with the app's own errors.

This module also makes the report when the time limit is over. The caller writes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from .checks import FINDING, NOTE, OK, Patient, Remark, examine
from .visit import StartupError, Visit, describe, visit

__all__ = ("UNKNOWN", "Report", "Watch", "visit_and_tell")

HEALTHY, FAULTY, UNKNOWN = 0, 1, 2
"""The exit codes: no fault, at least one fault, and the app could not be loaded."""


class Report:
    """
    The report on one app; it is delivered once.

    :param name: of the app, as given by the user.
    :param as_json: whether the report is a JSON object.
    :param deliver: gets the text for standard output and the exit code, and ends the process:
        threads of the app, and exporters that wait for a collector, would keep it alive.
    """

    def __init__(
        self, name: str, *, as_json: bool, deliver: Callable[[str, int], NoReturn]
    ) -> None:
        self._name = name
        self._as_json = as_json
        self._deliver = deliver
        self._remarks: _Remarks = []
        self._lock = threading.Lock()

    def fail(self, sentence: str, exc: BaseException | None = None) -> NoReturn:
        """Print why there is nothing to examine, with the user's own frames of *exc*."""
        self._lock.acquire()  # never released: there is one report
        print(f"asgi-trace doctor: {sentence}", file=sys.stderr)
        if exc is not None:
            sys.stderr.write("".join(_without_ours(exc)))
        text = ""
        if self._as_json:
            text = json.dumps({"app": self._name, "error": sentence}, indent=2)
        self._deliver(text, UNKNOWN)

    def examine(self, patient: Patient) -> None:
        """Add the remarks on *patient* to the report."""
        self._remarks = [*examine(patient)]

    def deliver(self) -> NoReturn:
        """Print the report, and end the process."""
        self._lock.acquire()  # never released: there is one report
        write = _as_json if self._as_json else _as_text
        is_faulty = any(remark.level == FINDING for _, remark in self._remarks)
        self._deliver(write(self._name, self._remarks), FAULTY if is_faulty else HEALTHY)

    def pass_on(self, text: str, code: int) -> NoReturn:
        """Deliver the report of another process."""
        self._deliver(text, code)


class Watch:
    """
    Ends a report when a step takes too long, in a thread of its own, since the event loop may be
    blocked.
    """

    def __init__(self, report: Report, seconds: float) -> None:
        self._report = report
        self._seconds = seconds
        self._timer = threading.Timer(seconds, report.deliver)

    def next(self, sentence: str, times: int = 1) -> None:
        """
        Begin the next step. If it takes longer than *times* the seconds, *sentence* is printed as
        the fault; without a sentence, the report is printed.
        """
        self._timer.cancel()
        end = (
            functools.partial(self._report.fail, sentence, None)
            if sentence
            else self._report.deliver
        )
        self._timer = threading.Timer(self._seconds * times, end)
        self._timer.daemon = True
        self._timer.start()


def visit_and_tell(
    app: Any, name: str, report: Report, watch: Watch, seconds: float, **known: Any
) -> NoReturn:
    """
    Visit *app* in an event loop of its own, and make the report.

    :param known: further fields of the :class:`Patient`.
    """

    def examine_it(visited: Visit) -> None:
        if isinstance(visited.fault, TypeError) and not _own_frames(visited.fault.__traceback__):
            report.fail(f"{name} is no ASGI app: {describe(visited.fault)}")
        report.examine(Patient(name, visited, **known))
        watch.next("")  # the app may stop slowly: the report is complete

    watch.next(f"{name} held its event loop for {seconds:g} seconds; --timeout gives it longer", 3)
    try:
        asyncio.run(visit(app, seconds, examine_it))
    except StartupError as exc:
        report.fail(f"{name} could not be started: {exc}")
    report.deliver()


# -- the app's own error ---------------------------------------------------------------------------

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


_LIBRARY = os.path.dirname(os.path.abspath(contextlib.__file__))
_NOT_OWN = (
    _PACKAGE + os.sep,
    "<frozen importlib",
    os.path.join(_LIBRARY, "importlib", ""),
)


def _is_own(file: str) -> bool:
    """Whether *file* is neither ours nor of the import system."""
    return not file.startswith(_NOT_OWN)


def _own_frames(frames: TracebackType | None) -> list[traceback.FrameSummary]:
    """Return the frames that are neither ours, nor of the import system or asyncio."""
    machinery = os.path.join(_LIBRARY, "asyncio", "")
    return [
        frame
        for frame in traceback.extract_tb(frames)
        if _is_own(frame.filename) and not frame.filename.startswith(machinery)
    ]


def _without_ours(exc: BaseException) -> list[str]:
    summary = traceback.TracebackException.from_exception(exc)
    seen: set[int] = set()
    waiting: list[Any] = [summary]
    while waiting:
        exception = waiting.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        exception.stack[:] = [frame for frame in exception.stack if _is_own(frame.filename)]
        waiting += [
            exception.__cause__,
            exception.__context__,
            *(getattr(exception, "exceptions", None) or ()),
        ]
    return [*summary.format()]


# -- its two forms ---------------------------------------------------------------------------------

_Remarks = list[tuple[str, Remark]]


def _as_json(name: str, remarks: _Remarks) -> str:
    shown = [
        {
            "check": check,
            "level": remark.level,
            "sentence": remark.sentence,
            "remedy": remark.remedy or None,
        }
        for check, remark in remarks
    ]
    levels = {
        f"{level}s": [line for line in shown if line["level"] == level] for level in (FINDING, NOTE)
    }
    fine = [line["sentence"] for line in shown if line["level"] == OK]
    return json.dumps({"app": name, **levels, "ok": fine}, indent=2)


def _as_text(name: str, remarks: _Remarks) -> str:
    findings = sum(remark.level == FINDING for _, remark in remarks)
    count = f"{findings} finding{'s' if findings > 1 else ''}" if findings else "nothing is wrong"
    lines = [f"{name}: {count}"]
    for level in (FINDING, NOTE, OK):
        for _, remark in remarks:
            if remark.level == level:
                lines.append(f"{level}: {remark.sentence}")
                if remark.remedy:
                    lines.append(f"    {remark.remedy}")
    return "\n".join(lines)
