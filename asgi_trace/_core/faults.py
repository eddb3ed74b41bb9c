"""
Faults of our own: each kind is logged once, and the request continues.

This module uses the standard library's logging.
"""

from __future__ import annotations

import contextlib
import logging

__all__ = ("own_logger", "report_once", "warn_once")


def own_logger(name: str) -> logging.Logger:
    """
    Return one of our loggers, enabled. To be called for each line.

    ``dictConfig`` and ``fileConfig`` disable all loggers that exist and that they do not name,
    unless ``disable_existing_loggers`` is false. A level is the way to silence one of ours.
    """
    # As getLogger() does, without its lock.
    logger = logging.root.manager.loggerDict.get(name)
    if not isinstance(logger, logging.Logger):
        logger = logging.getLogger(name)
    logger.disabled = False
    return logger


_reported: set[str] = set()


def report_once(what: str) -> None:
    """
    Log that *what* failed, with the traceback of the exception that is being handled.

    Only the first failure of each kind is logged: a callback that always fails would otherwise
    double the log. Never raises an ``Exception``, even if handlers, filters or record factories
    do. A ``BaseException`` such as ``KeyboardInterrupt`` is not stopped here.
    """
    try:
        text = f"{what} failed; the request continues; further failures of this kind are not logged"
        _warn_once(str(what), text, exc_info=True)
    except Exception:
        pass  # Logging itself fails: there is no other place to report to.


def warn_once(key: str, message: str) -> None:
    """
    Log the warning *message*; no other one of the same *key* is logged. Never raises an
    ``Exception``.
    """
    with contextlib.suppress(Exception):  # as above
        _warn_once(key, message, exc_info=False)


def _warn_once(key: str, message: str, *, exc_info: bool) -> None:
    if key in _reported:
        return
    _reported.add(key)
    own_logger("asgi_trace").warning("%s", message, exc_info=exc_info)
