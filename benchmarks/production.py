"""
The log lines of a request in production: the app's own lines, and an access line.

This module sets loggers up for that, and writes uvicorn's access line. The log goes to the null
device, through a real text file.
"""

from __future__ import annotations

import itertools
import logging
import logging.config
import operator
import os
import time
from collections.abc import Callable
from typing import Any

import asgi_trace

from .traffic import App, Receive, Scope, Send, start

__all__ = (
    "Access",
    "Log",
    "configured_logger",
    "json_access",
    "logging_app",
    "root_logger",
    "text_access",
)

Log = Callable[[str], object]
"""Writes one line."""

Access = Callable[[Scope, int], object]
"""Writes the access line of a server."""

LINE = "Processing payment for user Alice"


def _fix_clock() -> None:
    """
    Advance the clock of log records by one millisecond with each call.

    Formatters format a time once a second: with the real clock, a fast meter would count fewer
    seconds than a slow one.
    """
    # One clock for both functions: logging asks the second one since Python 3.13.
    ticks = itertools.count(1_700_000_000_000)
    time.time = map(operator.truediv, ticks, itertools.repeat(1000)).__next__
    time.time_ns = map(operator.mul, ticks, itertools.repeat(10**6)).__next__


def _file() -> Any:
    return open(os.devnull, "w", encoding="utf-8")


def root_logger(formatter: logging.Formatter, stamp: logging.Filter | None = None) -> Log:
    """Set up one handler for all loggers, as services do, and return a function that logs."""
    _fix_clock()
    handler = logging.StreamHandler(_file())
    handler.setFormatter(formatter)
    if stamp is not None:
        handler.addFilter(stamp)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.INFO)
    return _log()


def configured_logger(
    formatter: logging.Formatter | None = None, *, is_alone: bool = True, form: str | None = None
) -> Log:
    """
    Set up what configure_logging() does, and return a function that logs.

    :param is_alone: the handler is that of configure_logging(); else the program has one, by
        logging.basicConfig().
    :param form: the form that the program has chosen for its handler; None for the standard one.
    """
    _fix_clock()
    logging.root.handlers.clear()
    if not is_alone:
        logging.basicConfig(level=logging.INFO, stream=_file(), format=form or logging.BASIC_FORMAT)
    asgi_trace.configure_logging(formatter=formatter, stream=_file() if is_alone else None)
    return _log()


def _log() -> Log:
    return logging.getLogger("shop").info


def text_access() -> Access:
    """Return uvicorn's access line, as uvicorn sets its logger up."""
    from uvicorn.config import LOGGING_CONFIG

    config = {**LOGGING_CONFIG, "disable_existing_loggers": False}
    logging.config.dictConfig(config)
    (handler,) = logging.getLogger("uvicorn.access").handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(_file())
    return json_access()


def json_access() -> Access:
    """Return uvicorn's access line, written by the handler of the root logger."""
    from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

    logger = logging.getLogger("uvicorn.access")
    logger.setLevel(logging.INFO)

    def write(scope: Scope, status: int) -> None:
        logger.info(
            '%s - "%s %s HTTP/%s" %d',
            get_client_addr(scope),  # type: ignore[arg-type]
            scope["method"],
            get_path_with_query_string(scope),  # type: ignore[arg-type]
            scope["http_version"],
            status,
        )

    return write


def logging_app(log: Log | None, lines: int, access: Access | None) -> App:
    """
    Return an app that writes a number of *lines*, then responds; *access* is called where a server
    writes its line.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if log is not None:
            for _ in range(lines):
                log(LINE)
        if access is not None:
            access(scope, 200)
        await send(start())
        await send({"type": "http.response.body", "body": b"Hello, world!"})

    return app
