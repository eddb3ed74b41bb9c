"""
Our own faults: one warning each, and the app goes on.

Knows the standard library's logging. Does not know what failed.
"""

from __future__ import annotations

import logging

__all__ = ("own_logger", "report_once")


def own_logger(name: str) -> logging.Logger:
    """
    Return one of our loggers, enabled. To be called for each line.

    ``dictConfig`` and ``fileConfig`` disable all loggers that exist and that they do not name, unless told otherwise.
    A level is the way to silence one of ours.
    """
    logger = logging.getLogger(name)
    logger.disabled = False
    return logger


_reported: set[str] = set()


def report_once(what: str) -> None:
    """
    Log, inside an ``except`` block, that *what* failed: with its traceback, and only the first time.

    A callback that always fails would otherwise double every request's log.
    """
    if what in _reported:
        return
    _reported.add(what)
    own_logger("asgi_trace").warning("%s failed; requests go on, this is said once", what, exc_info=True)
