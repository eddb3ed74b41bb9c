"""
Lines of our own loggers: the access line, and the lines of outgoing calls.

This module uses the standard library's logging. It does not format lines, and reads no ids: the
records are stamped like any other.
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
    if (
        type(log) is logging.Logger
        and logging.getLogRecordFactory() is logging.LogRecord
        and logging.logThreads
        and logging.logProcesses
        and logging.logMultiprocessing
    ):
        # As log.info() does it, without a search for the caller and a check of each field's name:
        # these names are ours, and none of them is one of logging's.
        log.handle(_record(log.name, message, fields))
        return
    try:
        log.info("%s", message, extra=fields)
    except KeyError:  # a record factory of the program gives records an attribute of the same name
        log.info("%s", message)


def _record(name: str, message: str, fields: dict[str, Any]) -> logging.LogRecord:
    """
    Return a new record: the attributes of an earlier one, but for what changes from line to line.

    It takes 6,000 instructions, where LogRecord() takes 20,000.
    """
    model = _models.get(name)
    if model is None:
        model = _models[name] = _Model(name)
    record = object.__new__(logging.LogRecord)
    attributes = record.__dict__ = model.attributes | fields
    now = time.time()
    attributes["args"] = (message,)
    attributes["created"] = now
    attributes["msecs"] = now % 1 * 1000 // 1
    attributes["relativeCreated"] = (now - model.logging_began) * 1000
    attributes["thread"] = threading.get_ident()
    attributes["threadName"] = threading.current_thread().name
    if "multiprocessing" in sys.modules:
        attributes["processName"] = _process_name()
    if model.has_task and "asyncio" in sys.modules:
        attributes["taskName"] = _task_name()
    return record


class _Model:
    """The first record of the logger *name* in this process."""

    def __init__(self, name: str) -> None:
        code = write_line.__code__
        arguments = (code.co_filename, code.co_firstlineno, "%s", ("",), None, code.co_name)
        first = logging.LogRecord(name, logging.INFO, *arguments)
        self.attributes = vars(first)
        self.logging_began = first.created - first.relativeCreated / 1000
        self.has_task = "taskName" in self.attributes


_models: dict[str, _Model] = {}

if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    os.register_at_fork(after_in_child=_models.clear)  # they have the parent's process id


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
