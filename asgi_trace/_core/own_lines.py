"""
Lines of our own loggers: the access line, and the lines of outgoing calls.

This module uses the standard library's logging. It does not format lines, and reads no ids: the
records are stamped like any other.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ("write_line",)


def write_line(log: logging.Logger, message: str, fields: dict[str, Any]) -> None:
    """Log *message* at the level INFO; its record has *fields* as attributes."""
    if type(log) is logging.Logger and logging.getLogRecordFactory() is logging.LogRecord:
        # As log.info() does it, without a search for the caller and a check of each field's name:
        # these names are ours, and none of them is one of logging's.
        code = write_line.__code__
        record = log.makeRecord(
            log.name,
            logging.INFO,
            code.co_filename,
            code.co_firstlineno,
            "%s",
            (message,),
            None,
            code.co_name,
        )
        record.__dict__.update(fields)
        log.handle(record)
        return
    try:
        log.info("%s", message, extra=fields)
    except KeyError:  # a record factory of the program gives records an attribute of the same name
        log.info("%s", message)
