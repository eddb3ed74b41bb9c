"""
Our own faults: one warning each, and the app goes on.

Knows the standard library's logging. Does not know what failed.
"""

from __future__ import annotations

import logging

__all__ = ("report_once", "warn_once")

_reported: set[str] = set()


def report_once(what: str) -> None:
    """
    Log, inside an ``except`` block, that *what* failed: with its traceback, and only the first time.

    A callback that always fails would otherwise double every request's log.
    """
    if what in _reported:
        return
    _reported.add(what)
    logging.getLogger("asgi_trace").warning("%s failed; requests go on, this is said once", what, exc_info=True)


def warn_once(key: str, message: str) -> None:
    """Log *message*, and no other of the same *key*."""
    if key in _reported:
        return
    _reported.add(key)
    logging.getLogger("asgi_trace").warning("%s", message)
