"""
A factory of log records that takes two thirds of the time of logging's own; its records are the
same.

This module uses the standard library's logging. It does not read ids, and writes no line.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

__all__ = ("is_standard_factory", "make_record", "set_factory", "unset_factory")

# The file name and the module of each path, as logging found them for the first record from there.
_files: dict[str, tuple[str, str]] = {}
_MOST_FILES = 512

_process = os.getpid()
# The main thread writes nearly all lines. Comparing its number takes a third of the steps of
# current_thread().
_main_thread = threading.main_thread()
_main_ident = _main_thread.ident


def _after_fork() -> None:
    global _process, _main_thread, _main_ident
    _process = os.getpid()
    _main_thread = threading.main_thread()
    _main_ident = _main_thread.ident


if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork)

_first = logging.LogRecord("", logging.INFO, "", 0, "", (), None)
_logging_began = _first.created - _first.relativeCreated / 1000
_has_task = hasattr(_first, "taskName")  # since Python 3.12
_KNOWN = frozenset(
    {
        "name",
        "msg",
        "args",
        "levelname",
        "levelno",
        "pathname",
        "filename",
        "module",
        "exc_info",
        "exc_text",
        "stack_info",
        "lineno",
        "funcName",
        "created",
        "msecs",
        "relativeCreated",
        "thread",
        "threadName",
        "processName",
        "process",
        "taskName",
    }
)

# The dict that getLevelName() and addLevelName() use: reading it takes half of the steps of the call.
_level_names: Mapping[int, str] = getattr(logging, "_levelToName", {})

_new = object.__new__
_NOT_MAPPINGS = frozenset({str, int, float, bool, type(None)})


def make_record(
    name: str,
    level: int,
    pathname: str,
    lineno: int,
    msg: Any,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    sinfo: str | None = None,
    **others: Any,
) -> logging.LogRecord:
    """
    Return what ``logging.LogRecord`` returns for the same arguments, and of that class.

    Without asyncio and multiprocessing it takes 10,000 instructions, and the class itself 21,000.
    """
    try:
        file = _files.get(pathname)
    except TypeError:  # an unhashable argument, which no logger gives
        file = None
    is_complete = logging.logThreads and logging.logProcesses and logging.logMultiprocessing
    if file is None or not is_complete:
        made = logging.LogRecord(
            name, level, pathname, lineno, msg, args, exc_info, func, sinfo, **others
        )
        _keep_file(pathname, made)
        return made
    if args and len(args) == 1 and type(args[0]) not in _NOT_MAPPINGS:
        # log.info("%(user)s", {"user": "alice"}): the mapping is the arguments.
        args = args[0] if isinstance(args[0], Mapping) and args[0] else args
    now = time.time()
    modules = sys.modules
    # One attribute after another, in logging's own order: an object that was given a dict instead
    # takes 7,000 instructions more until its line is written.
    record = _new(logging.LogRecord)
    record.name = name
    record.msg = msg
    record.args = args
    record.levelname = _level_names.get(level) or logging.getLevelName(level)
    record.levelno = level
    record.pathname = pathname
    record.filename, record.module = file
    record.exc_info = exc_info
    record.exc_text = None
    record.stack_info = sinfo
    record.lineno = lineno
    record.funcName = func  # type: ignore[assignment]
    record.created = now
    record.msecs = now % 1 * 1000 // 1
    record.relativeCreated = (now - _logging_began) * 1000
    ident = threading.get_ident()
    record.thread = ident
    thread = _main_thread if ident == _main_ident else threading.current_thread()
    record.threadName = thread.name
    record.processName = "MainProcess"
    if "multiprocessing" in modules:
        try:  # noqa: SIM105 - suppress() costs one more call and object
            record.processName = modules["multiprocessing"].current_process().name
        except Exception:  # as in logging: the module may be half imported
            pass
    record.process = _process
    if _has_task:
        record.taskName = None
        if "asyncio" in modules and logging.logAsyncioTasks:  # type: ignore[attr-defined, unused-ignore]
            try:  # noqa: SIM105
                record.taskName = modules["asyncio"].current_task().get_name()
            except Exception:  # as in logging: there is no loop, or no task
                pass
    return record


def _keep_file(pathname: str, made: logging.LogRecord) -> None:
    if len(_files) >= _MOST_FILES:
        _files.clear()
    with contextlib.suppress(TypeError):
        _files[pathname] = made.filename, made.module


def is_standard_factory() -> bool:
    """Whether records are made as logging makes them: the program has no factory of its own."""
    factory: Any = logging.getLogRecordFactory()
    return factory is make_record or factory is logging.LogRecord


def set_factory() -> None:
    """
    Have all records of the process made by :func:`make_record`.

    Nothing changes where the program has a factory of its own, or a newer Python has attributes
    that this module does not know.
    """
    if logging.getLogRecordFactory() is not logging.LogRecord:
        return
    if vars(_first).keys() <= _KNOWN:
        logging.setLogRecordFactory(make_record)


def unset_factory() -> None:
    """Undo :func:`set_factory`, for tests."""
    if logging.getLogRecordFactory() is make_record:
        logging.setLogRecordFactory(logging.LogRecord)
