"""
The command ``asgi-trace doctor``: loads the app, has it visited and examined, and writes the report.

The report goes to standard output. Whatever the app writes goes to standard error, to which the
file descriptor of standard output is turned before the app is loaded.
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
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NoReturn

from ..environment import APP, LauncherError, load_app
from .checks import FINDING, NOTE, OK, Patient, Remark, examine
from .visit import StartupError, Visit, visit

__all__ = ("run",)

_HEALTHY, _FAULTY, _UNKNOWN = 0, 1, 2
_USE = "expected an app, as in 'asgi-trace doctor shop:app', or a command that serves one, as in"
_COMMAND = "'asgi-trace doctor uvicorn shop:app'"


def run(words: Sequence[str], *, as_json: bool, seconds: float) -> int:
    """
    Examine the app that *words* name, or the one that they start, and end the process.

    :param words: ``module:attribute``, or a command and its arguments.
    :param as_json: whether the report is a JSON object.
    :param seconds: how long the app may take to start, and to respond.
    """
    if not words:
        return _complain(f"no app is named; {_USE} {_COMMAND}")
    if len(words) > 1 or ":" not in words[0]:
        return _complain(f"the app is {' '.join(words)!r}; {_USE} {_COMMAND}")
    report = _Report(words[0], as_json)
    return _examine_app(words[0], report, seconds)


def _complain(sentence: str) -> int:
    print(f"asgi-trace doctor: {sentence}", file=sys.stderr)
    return _UNKNOWN


def _examine_app(name: str, report: _Report, seconds: float) -> NoReturn:
    sys.path.insert(0, os.getcwd())  # as servers do
    watch = _Watch(report, seconds)
    watch.next(
        f"{name} has not been loaded within {seconds:g} seconds; --timeout gives it longer. "
        "Does its module start a server when it is imported?"
    )
    try:
        app = load_app({APP: name})
    except LauncherError as exc:
        report.fail(str(exc).replace(APP, "the app", 1), None)
    except SystemExit as exc:
        report.fail(f"{name} ended the process while it was loaded, with {exc.code!r}", exc)
    except Exception as exc:
        report.fail(f"{name} could not be loaded: {_told(exc)}", exc)
    _visit(app, name, report, watch, seconds)


def _visit(app: Any, name: str, report: _Report, watch: _Watch, seconds: float) -> NoReturn:
    def examine_it(found: Visit) -> None:
        if isinstance(found.fault, TypeError) and not _own_frames(found.fault.__traceback__):
            report.fail(f"{name} is no ASGI app: {_told(found.fault)}", None)
        report.examine(Patient(name, found))
        watch.next("")  # the app may stop as slowly as it likes: the report is made

    watch.next(f"{name} held its event loop for {seconds:g} seconds; --timeout gives it longer", 3)
    try:
        asyncio.run(visit(app, seconds, examine_it))
    except StartupError as exc:
        report.fail(f"{name} could not be started: {exc}", None)
    report.tell()


class _Watch:
    """
    Ends the process with a report when a step takes too long, in a thread of its own: what hangs
    may be the event loop.
    """

    def __init__(self, report: _Report, seconds: float) -> None:
        self._report = report
        self._seconds = seconds
        self._timer = threading.Timer(seconds, report.tell)

    def next(self, sentence: str, times: int = 1) -> None:
        """
        Begin the next step. When it takes longer than *times* the seconds, *sentence* says so;
        without one the report that is made is told.
        """
        self._timer.cancel()
        end = (
            functools.partial(self._report.fail, sentence, None) if sentence else self._report.tell
        )
        self._timer = threading.Timer(self._seconds * times, end)
        self._timer.daemon = True
        self._timer.start()


# -- the app's own error ---------------------------------------------------------------------------

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _told(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


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
    """Return the frames that are neither ours nor those of the machinery around an app."""
    machinery = os.path.join(_LIBRARY, "asyncio", "")
    return [
        frame
        for frame in traceback.extract_tb(frames)
        if _is_own(frame.filename) and not frame.filename.startswith(machinery)
    ]


def _without_ours(exc: BaseException) -> list[str]:
    told = traceback.TracebackException.from_exception(exc)
    seen: set[int] = set()
    waiting: list[Any] = [told]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.stack[:] = [frame for frame in each.stack if _is_own(frame.filename)]
        waiting += [each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or ())]
    return [*told.format()]


# -- the report ------------------------------------------------------------------------------------


class _Report:
    """
    Where the report goes: the standard output of now. What is written there later goes to standard
    error.

    The process ends with the report: threads of the app, and exporters that wait for a collector,
    would hold it.
    """

    def __init__(self, name: str, as_json: bool) -> None:
        self._name = name
        self._as_json = as_json
        self._remarks: _Remarks = []
        self._lock = threading.Lock()
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def fail(self, sentence: str, exc: BaseException | None) -> NoReturn:
        """Say why there is nothing to examine, with the user's own frames of *exc*."""
        self._lock.acquire()  # for good: there is one report
        if self._as_json:
            self._write(json.dumps({"app": self._name, "error": sentence}, indent=2))
        print(f"asgi-trace doctor: {sentence}", file=sys.stderr)
        if exc is not None:
            sys.stderr.write("".join(_without_ours(exc)))
        self._end(_UNKNOWN)

    def examine(self, patient: Patient) -> None:
        """Note what is wrong with *patient*, and what is not."""
        self._remarks = [*examine(patient)]

    def tell(self) -> NoReturn:
        """Say what was noted."""
        self._lock.acquire()  # for good: there is one report
        write = _as_json if self._as_json else _as_text
        self._write(write(self._name, self._remarks))
        is_faulty = any(remark.level == FINDING for _, remark in self._remarks)
        self._end(_FAULTY if is_faulty else _HEALTHY)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the reader, such as head, has seen enough
            print(text, file=self._out, flush=True)

    def _end(self, code: int) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


_Remarks = list[tuple[str, Remark]]


def _as_json(name: str, remarks: _Remarks) -> str:
    told = [
        {
            "check": check,
            "level": remark.level,
            "sentence": remark.sentence,
            "remedy": remark.remedy or None,
        }
        for check, remark in remarks
    ]
    levels = {
        f"{level}s": [each for each in told if each["level"] == level] for level in (FINDING, NOTE)
    }
    fine = [each["sentence"] for each in told if each["level"] == OK]
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
