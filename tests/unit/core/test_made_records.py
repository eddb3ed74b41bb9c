"""Records that we make: they are as logging makes them, for every call of a logger."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import pytest

from asgi_trace._core.made_records import make_record, set_factory, unset_factory

from ...kept import Keep

NAME = "asgi_trace.test_made_records"
_CLOCK = {"created", "msecs", "relativeCreated"}


@pytest.fixture
def kept() -> Iterator[list[logging.LogRecord]]:
    logger, handler, before = logging.getLogger(NAME), Keep(), logging.getLogRecordFactory()
    logger.addHandler(handler)
    logger.setLevel(1)
    try:
        yield handler.records
    finally:
        logger.removeHandler(handler)
        logging.setLogRecordFactory(before)


CALLS: dict[str, tuple[Any, ...]] = {
    "no argument": ("100 % done",),
    "an argument": ("%s done", "100 %"),
    "a number": ("%d", 0),
    "arguments": ("%s %s", "a", {"b": 1}),
    "a mapping": ("%(user)s", {"user": "alice"}),
    "an empty mapping": ("%s", {}),
    "a list": ("%s", [1]),
    "an object": (ValueError("no text"),),
}


def check(ours: logging.LogRecord, theirs: logging.LogRecord) -> None:
    assert type(ours) is type(theirs) is logging.LogRecord
    same = vars(theirs).keys() - _CLOCK
    assert vars(ours).keys() == vars(theirs).keys()
    assert {name: vars(ours)[name] for name in same} == {name: vars(theirs)[name] for name in same}
    assert ours.getMessage() == theirs.getMessage()
    assert 0 <= theirs.created - ours.created < 60
    assert 0 <= theirs.relativeCreated - ours.relativeCreated < 60_000
    assert abs(ours.created % 1 * 1000 - ours.msecs) < 1.01
    assert ours.msecs == int(ours.msecs)


@pytest.mark.parametrize("path", ["/srv/shop/orders.py", "orders", "", "a.b.c", 7])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_record_is_loggings(call: tuple[Any, ...], path: Any) -> None:
    """The first one of a file, and those after it."""
    message, *args = call
    failure = (ValueError, ValueError("a bug"), None)
    for exc_info in (None, failure):
        arguments = (NAME, 35, path, 12, message, tuple(args), exc_info, "pay", "a stack")
        for _ in range(2):
            check(make_record(*arguments), logging.LogRecord(*arguments))


@pytest.mark.parametrize("option", ["logThreads", "logProcesses", "logMultiprocessing"])
def test_loggings_options_leave_parts_out(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (NAME, logging.INFO, __file__, 12, "done", (), None)
    make_record(*arguments)
    monkeypatch.setattr(logging, option, False)
    check(make_record(*arguments), logging.LogRecord(*arguments))


def test_the_milliseconds_are_those_of_the_time_also_where_a_clock_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = (NAME, logging.INFO, __file__, 12, "done", (), None)
    make_record(*arguments)
    for now in (1_700_000_000.25, 1_700_000_000.999, 1_700_000_001.0, 1_700_000_000.5, 0.125):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        record = make_record(*arguments)
        assert (record.created, record.msecs) == (now, int(now % 1 * 1000))


def test_a_record_names_its_thread() -> None:
    made: list[logging.LogRecord] = []

    def job() -> None:
        for make in (make_record, make_record, logging.LogRecord):
            made.append(make(NAME, logging.INFO, __file__, 12, "done", (), None))

    thread = threading.Thread(target=job, name="a thread")
    thread.start()
    thread.join()
    assert {record.threadName for record in made} == {"a thread"}
    check(*made[1:])


def test_a_record_names_its_task_and_its_process_as_they_are_called_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = (NAME, logging.INFO, __file__, 12, "done", (), None)

    async def job(name: str) -> logging.LogRecord:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(name)
        record = make_record(*arguments)
        check(record, logging.LogRecord(*arguments))
        return record

    process = multiprocessing.current_process()
    for name in ("one", "another"):
        monkeypatch.setattr(process, "name", name)
        record = asyncio.run(job(name))
        assert record.processName == name
        assert getattr(record, "taskName", name) == name
    check(make_record(*arguments), logging.LogRecord(*arguments))  # without a task


def test_a_record_names_the_main_thread_and_its_level_as_they_are_called_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = (NAME, logging.INFO, __file__, 12, "done", (), None)
    for name in ("one", "another"):
        monkeypatch.setattr(threading.main_thread(), "name", name)
        record = make_record(*arguments)
        assert record.threadName == name
        check(record, logging.LogRecord(*arguments))
    try:
        logging.addLevelName(logging.INFO, "info")
        assert make_record(*arguments).levelname == "info"
    finally:
        logging.addLevelName(logging.INFO, "INFO")
    unnamed = (NAME, 7, __file__, 12, "done", (), None)
    check(make_record(*unnamed), logging.LogRecord(*unnamed))


def test_a_half_imported_module_costs_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (NAME, logging.INFO, __file__, 12, "done", (), None)
    for name in ("multiprocessing", "asyncio"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    check(make_record(*arguments), logging.LogRecord(*arguments))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_forked_process_has_its_own_id() -> None:
    code = """
import os
from asgi_trace._core.made_records import make_record
def made(): return make_record("shop", 20, "shop.py", 1, "done", (), None)
made()
if not os.fork():
    os._exit(made().process != os.getpid())
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_process_that_a_thread_forks_has_that_thread_as_its_main_thread() -> None:
    code = """
import os, threading
from asgi_trace._core.made_records import make_record
def made(): return make_record("shop", 20, "shop.py", 1, "done", (), None)
made()
codes = []
def fork():
    pid = os.fork()
    if not pid:
        names = made().threadName, threading.current_thread().name
        os._exit(names != ("forking", "forking"))
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
thread = threading.Thread(target=fork, name="forking")
thread.start()
thread.join()
raise SystemExit(codes != [0])
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_as_the_factory_it_serves_loggers(kept: list[Any]) -> None:
    """With the caller's place, ``extra=`` and a stack."""
    logging.setLogRecordFactory(logging.LogRecord)
    set_factory()
    assert logging.getLogRecordFactory() is make_record
    for _ in range(2):
        logging.getLogger(NAME).error("%s", "done", extra={"tenant": "acme"}, stack_info=True)
    for record in kept:
        assert (record.tenant, record.module, record.levelname) == (
            "acme",
            __name__.split(".")[-1],
            "ERROR",
        )
        assert record.funcName == sys._getframe().f_code.co_name
        assert "Stack" in record.stack_info
    unset_factory()
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_a_factory_of_the_program_stays() -> None:
    class Record(logging.LogRecord):
        pass

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Record)
    try:
        set_factory()
        unset_factory()
        assert logging.getLogRecordFactory() is Record
    finally:
        logging.setLogRecordFactory(before)
