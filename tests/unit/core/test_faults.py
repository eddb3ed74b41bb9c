"""Faults of our own: one warning for each kind, which can do no harm."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from asgi_trace._core.faults import report_once

SENTENCE = (
    "reading a scope failed; the request continues; further failures of this kind are not logged"
)


def test_a_fault_is_reported_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        try:
            raise KeyError("x")
        except KeyError:
            report_once("reading a scope")
    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == (
        "asgi_trace",
        "WARNING",
        SENTENCE,
    )
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


def test_each_kind_of_fault_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    report_once("reading a scope")
    report_once("reading a header")
    assert [message.partition(" failed; ")[0] for message in caplog.messages] == [
        "reading a scope",
        "reading a header",
    ]


def fail(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("of the logging set-up")


class BrokenHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fail()


class BrokenFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise RuntimeError("of the logging set-up")


def break_handler(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger, "handlers", [BrokenHandler()])


def break_filter(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger, "filters", [BrokenFilter()])


def break_record_factory(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest's undo for setLogRecordFactory()
    monkeypatch.setattr(logging, "_logRecordFactory", fail)


def break_level(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger, "isEnabledFor", fail)


@pytest.mark.parametrize("damage", [break_handler, break_filter, break_record_factory, break_level])
def test_a_report_cannot_raise(
    damage: Callable[[logging.Logger, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is broken in the program's own logging."""
    logger = logging.getLogger("asgi_trace")
    damage(logger, monkeypatch)
    with pytest.raises(RuntimeError):
        logger.warning("as others see it")
    report_once("reading a scope")


class NoText:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("what", [None, 7, [], {}, b"x", "%s %d", NoText()])
def test_whatever_failed_a_report_cannot_raise(what: Any, caplog: pytest.LogCaptureFixture) -> None:
    report_once(what)
    report_once(what)
    assert len(caplog.messages) == (not isinstance(what, NoText))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_report_does_not_stop_the_end_of_the_program(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may arrive while a handler writes."""

    class Interrupted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise error

    monkeypatch.setattr(logging.getLogger("asgi_trace"), "handlers", [Interrupted()])
    with pytest.raises(error):
        report_once("reading a scope")
