"""Records of our own lines: they are as logging makes them, but for the caller's place."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from asgi_trace._core.own_lines import write_line

from ...kept import Keep

NAME = "asgi_trace.test_own_lines"
# The place of the caller, and what differs from record to record.
_OTHERS = {"pathname", "filename", "module", "lineno", "funcName", "created", "msecs"}
_OTHERS |= {"relativeCreated", "msg", "args", "taskName"}


@pytest.fixture
def kept() -> Iterator[list[logging.LogRecord]]:
    logger, handler = logging.getLogger(NAME), Keep()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.records
    finally:
        logger.removeHandler(handler)


def write() -> None:
    write_line(logging.getLogger(NAME), "100 % done", {"status": 200})
    logging.getLogger(NAME).info("%s done", "100 %", extra={"status": 200})


def check(ours: logging.LogRecord, theirs: logging.LogRecord) -> None:
    same = vars(theirs).keys() - _OTHERS
    assert vars(ours).keys() == vars(theirs).keys()
    assert {name: vars(ours)[name] for name in same} == {name: vars(theirs)[name] for name in same}
    assert ours.getMessage() == "100 % done"
    assert 0 <= theirs.created - ours.created < 60
    assert 0 <= theirs.relativeCreated - ours.relativeCreated < 60_000
    assert 0 <= ours.msecs < 1000
    assert abs(ours.created % 1 * 1000 - ours.msecs) < 1.01


@pytest.mark.parametrize("option", ["", "logThreads", "logProcesses", "logMultiprocessing"])
def test_a_record_has_what_logging_gives_it(
    kept: list[Any], option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each thread; and where one of logging's options leaves a part out."""
    if option:
        monkeypatch.setattr(logging, option, False)
    write()
    thread = threading.Thread(target=write, name="a thread")
    thread.start()
    thread.join()
    assert len({record.threadName for record in kept}) == (1 if option == "logThreads" else 2)
    check(*kept[:2])
    check(*kept[2:])


def test_a_record_names_its_task(kept: list[Any]) -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("a task")
        write()

    asyncio.run(main())
    write()
    ours, theirs, *outside = kept
    for name in vars(theirs).keys() & {"taskName"}:
        assert vars(ours)[name] == vars(theirs)[name] == "a task"
        assert {vars(record)[name] for record in outside} == {None}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_record_of_a_fork_names_its_process(kept: list[Any]) -> None:
    write()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def job() -> None:
        write()
        queue.put([(record.process, record.processName) for record in kept[-2:]])

    child = context.Process(target=job, name="a child")
    child.start()
    assert queue.get() == [(child.pid, "a child")] * 2
    child.join(60)


def test_a_record_factory_of_the_program_is_used(kept: list[Any]) -> None:
    class Record(logging.LogRecord):
        pass

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Record)
    try:
        write()
    finally:
        logging.setLogRecordFactory(before)
    assert [type(record) for record in kept] == [Record, Record]
