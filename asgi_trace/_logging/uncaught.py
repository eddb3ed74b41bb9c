"""
Log warnings, exceptions that end a thread, and the event loop's reports of failed tasks.

This module uses the hooks of CPython and asyncio for such reports, and passes the reports to a
logger, with the ids of their request. It does not use ASGI, handlers or formatters.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import threading
import warnings
from collections.abc import Callable
from contextvars import Context
from typing import Any

from .._core.current import bound_request_metadata, metadata_in
from .._core.faults import own_logger

__all__ = ("log_uncaught",)


def log_uncaught() -> None:
    """
    Log warnings and uncaught exceptions instead of printing them, each with the ids of its own
    request.

    Warnings go to the logger ``py.warnings``, threads' exceptions to ``asgi_trace.threads``, unless
    the program has set a hook of its own. asyncio's reports of a task get that task's ids. A second
    call changes nothing more.
    """
    _log_warnings()
    _log_threads()
    _name_tasks()


def _log_warnings() -> None:
    # the second name since CPython 3.14
    if warnings.showwarning.__module__ in ("warnings", "_py_warnings"):
        logging.captureWarnings(True)
    if warnings.showwarning.__module__ == "logging":
        warnings.showwarning = _with_enabled_logger(warnings.showwarning)
    own_logger(_WARNINGS).addFilter(_without_last_break)


_WARNINGS = "py.warnings"  # the logger that captureWarnings() uses


def _with_enabled_logger(show: Callable[..., Any]) -> Callable[..., Any]:
    """
    Run *show*, though the program's ``dictConfig`` may have disabled the logger meanwhile: it would
    lose warnings that Python prints where nothing logs them.
    """

    def showwarning(*arguments: Any, **named: Any) -> Any:
        own_logger(_WARNINGS)
        return show(*arguments, **named)

    return showwarning


def _without_last_break(record: logging.LogRecord) -> bool:
    """
    Remove the line feed at the end of a warning's text, which would add an empty line to the
    message.
    """
    record.msg, record.args = record.getMessage().rstrip("\n"), ()
    return True


def _log_threads() -> None:
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread


def _log_thread(args: threading.ExceptHookArgs) -> None:
    # the normal end of a thread that calls sys.exit(); CPython's own hook ignores it too
    if args.exc_type is SystemExit:
        return
    name = "unknown" if args.thread is None else args.thread.name
    own_logger("asgi_trace.threads").error("Exception in thread %s", name, exc_info=args.exc_value)


def _name_tasks() -> None:
    # Not imported with asgi_trace: a program under trio does not need asyncio.
    from asyncio import BaseEventLoop

    loops: list[Any] = [BaseEventLoop]
    # Imported whether or not a server has loaded it already: uvicorn.run() loads it after this.
    with contextlib.suppress(ImportError):
        import uvloop

        loops.append(uvloop.Loop)
    for loop in loops:
        if loop not in _named:
            _named.append(loop)
            loop.call_exception_handler = _in_its_context(loop.call_exception_handler)


_named: list[Any] = []


def _in_its_context(
    report: Callable[[Any, dict[str, Any]], Any],
) -> Callable[[Any, dict[str, Any]], Any]:
    """
    Run *report* with the ids of the task, future or callback that failed, and no others.

    asyncio reports in any context: a task that was never awaited is reported when it is freed,
    which may be during another request.
    """

    @functools.wraps(report)
    def call_exception_handler(self: Any, context: dict[str, Any]) -> Any:
        failed = next(
            (context[key] for key in ("task", "future", "handle") if context.get(key) is not None),
            None,
        )
        if failed is None:
            return report(self, context)
        failed_context = _context_of(failed)
        with bound_request_metadata(
            None if failed_context is None else metadata_in(failed_context)
        ):
            return report(self, context)

    return call_exception_handler


def _context_of(failed: Any) -> Context | None:
    get_context = getattr(failed, "get_context", None)
    if get_context is not None:  # tasks and handles of asyncio, since CPython 3.12
        context = get_context()
        return context if isinstance(context, Context) else None
    # Older tasks and handles have a context, but no attribute for it; a plain future has none.
    return next(
        (referent for referent in gc.get_referents(failed) if isinstance(referent, Context)), None
    )
