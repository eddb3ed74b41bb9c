"""
Lines of our own loggers: the access line, and the lines of outgoing calls.

This module uses the standard library's logging. It does not format lines, and reads no ids: the
filter adds them to these records, as to any other.
"""

from __future__ import annotations

import logging
from typing import Any

from .made_records import is_standard_factory, make_record

__all__ = ("write_line",)


def write_line(log: logging.Logger, message: str, fields: dict[str, Any]) -> None:
    """Log *message* at the level INFO; its record has *fields* as attributes."""
    if type(log) is logging.Logger and is_standard_factory():
        # Like log.info(), without its search for the caller and its check of each field's name:
        # these names are ours, and none of them is one of logging's.
        record = make_record(
            log.name, logging.INFO, __file__, 0, "%s", (message,), None, "write_line"
        )
        record.__dict__.update(fields)
        log.handle(record)
        return
    try:
        log.info("%s", message, extra=fields)
    except KeyError:  # a record factory of the program gives records an attribute of the same name
        log.info("%s", message)
