"""
The command ``asgi-trace doctor``, for an app that is imported, or that a command serves.

The report goes to standard output. All output of the app goes to standard error: the file
descriptor of standard output is redirected before the app is loaded.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ..environment import APP, LauncherError, load_app
from .launched import examine_command
from .report import UNKNOWN, Report, Watch, visit_and_tell
from .visit import describe

__all__ = ("run",)

_INTERRUPTED = 130
_STDOUT, _STDERR = 1, 2


def run(words: Sequence[str], *, as_json: bool, seconds: float) -> int:
    """
    Examine the app that *words* name or start, and end the process.

    :param words: ``module:attribute``, or a command and its arguments; the app that
        ``ASGI_TRACE_APP`` names, when there are none.
    :param as_json: whether the report is a JSON object.
    :param seconds: the time limit for the app's start, and for its response.
    """
    if words[:1] == ["--"]:
        words = words[1:]
    if not words and os.environ.get(APP):
        words = [os.environ[APP]]
    if not words:
        print(
            "asgi-trace doctor: no app is named; expected one, as in 'asgi-trace doctor shop:app', or a command "
            "that serves one, as in 'asgi-trace doctor uvicorn shop:app'",
            file=sys.stderr,
        )
        return UNKNOWN
    report = Report(" ".join(words), as_json=as_json, deliver=_delivery())
    try:
        if len(words) > 1 or ":" not in words[0]:
            examine_command(words, report, as_json=as_json, seconds=seconds)
        _examine_app(words[0], report, seconds)
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)  # threads of the app would keep the process alive


def _delivery() -> Callable[[str, int], NoReturn]:
    """
    Return a function that writes a report to the present standard output, and ends the process. Any
    later output to standard output goes to standard error.
    """
    out = None
    with contextlib.suppress(OSError, ValueError):  # one of them is closed
        out = os.fdopen(os.dup(_STDOUT), "w", encoding="utf-8")
        os.dup2(_STDERR, _STDOUT)

    def deliver(text: str, code: int) -> NoReturn:
        if text and out is not None:
            try:
                print(text, file=out, flush=True)
            except BrokenPipeError:  # the reader, such as head, has closed the pipe
                pass
            except OSError as exc:
                print(f"asgi-trace doctor: standard output: {exc.strerror}", file=sys.stderr)
                code = UNKNOWN
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)

    return deliver


def _examine_app(name: str, report: Report, seconds: float) -> NoReturn:
    sys.path.insert(0, os.getcwd())  # as servers do
    watch = Watch(report, seconds)
    watch.next(
        f"{name} has not been loaded within {seconds:g} seconds; --timeout gives it longer. "
        "Does its module start a server when it is imported?"
    )
    try:
        app = load_app({APP: name})
    except LauncherError as exc:
        report.fail(str(exc).replace(APP, "the app", 1))
    except SystemExit as exc:
        report.fail(f"{name} ended the process while it was loaded, with {exc.code!r}", exc)
    except Exception as exc:
        report.fail(f"{name} could not be loaded: {describe(exc)}", exc)
    visit_and_tell(app, name, report, watch, seconds)
