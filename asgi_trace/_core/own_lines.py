"""
Lines of our own loggers: the access line, and the lines of outgoing calls.

This module uses the standard library's logging. It does not format lines, and reads no ids: the
filter adds them to these records, as to any other.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

__all__ = ("write_line",)


def write_line(log: logging.Logger, message: str, fields: dict[str, Any]) -> None:
    """Log *message* at the level INFO; its record has *fields* as attributes."""
    if type(log) is logging.Logger and logging.getLogRecordFactory() is logging.LogRecord:
        # Like log.info(), without its search for the caller and its check of each field's name:
        # these names are ours, and none of them is one of logging's.
        record = _record(log.name, message)
        record.__dict__.update(fields)
        log.handle(record)
        return
    try:
        log.info("%s", message, extra=fields)
    except KeyError:  # a record factory of the program gives records an attribute of the same name
        log.info("%s", message)


def _record(name: str, message: str) -> logging.LogRecord:
    """
    Return a new record: a copy of the first one, with those attributes new that differ by line.

    It takes 5,000 instructions, where LogRecord() takes 20,000.
    """
    model = _Model.attributes
    flags = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    if model is None or _Model.flags != flags:
        _Model.flags = flags
        model = _Model.attributes = vars(_first_record())
    record = object.__new__(logging.LogRecord)
    now = time.time()
    attributes = record.__dict__ = model.copy()
    attributes["name"] = name
    attributes["args"] = (message,)
    attributes["created"] = now
    attributes["msecs"] = int(now % 1 * 1000) + 0.0
    attributes["relativeCreated"] += (now - model["created"]) * 1000
    if logging.logThreads:
        attributes["thread"] = threading.get_ident()
        attributes["threadName"] = threading.current_thread().name
    if "multiprocessing" in sys.modules and logging.logMultiprocessing:
        attributes["processName"] = _process_name()
    if "taskName" in model and "asyncio" in sys.modules:
        attributes["taskName"] = _task_name()
    return record


class _Model:
    """The first record of a process, and the values that logging's options had at that time."""

    attributes: dict[str, Any] | None = None
    flags: tuple[bool, ...] = ()


def _forget_model() -> None:
    _Model.attributes = None  # it has the parent's process id


if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forget_model)


def _first_record() -> logging.LogRecord:
    code = write_line.__code__
    arguments = (code.co_filename, code.co_firstlineno, "%s", ("",), None, code.co_name)
    return logging.LogRecord("", logging.INFO, *arguments)


def _process_name() -> Any:
    try:
        return sys.modules["multiprocessing"].current_process().name
    except Exception:  # as in logging: the module may be half imported
        return "MainProcess"


def _task_name() -> str | None:
    if not logging.logAsyncioTasks:  # type: ignore[attr-defined, unused-ignore]
        return None
    try:
        name: str = sys.modules["asyncio"].current_task().get_name()
    except Exception:  # as in logging: there is no loop, or no task
        return None
    return name
