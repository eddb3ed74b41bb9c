"""
What nobody caught, in a process of its own: the hooks are the whole process', and pytest has its
own in place.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest

SETUP = """
import asyncio, gc, logging, logging.config, sys, threading, warnings
from asgi_trace import *
from tests.asgi import call, http_scope
ALICE, BOB = RequestMetadata("alice", "a1"), RequestMetadata("bob", "b2")
"""


def lines_of(code: str) -> list[str]:
    """The lines that a program writes on standard error, without their times."""
    program = SETUP + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [
        re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - ", "", line) for line in done.stderr.splitlines()
    ]


def assert_all_of(lines: list[str], head: str, *texts: str) -> None:
    """Each line begins with *head*; the first, and the last, have these texts."""
    assert lines
    assert [line for line in lines if not line.startswith(head)] == []
    texts_found = [line[len(head) + 3 :] for line in (lines[0], lines[-1])]
    assert [
        found for found, text in zip(texts_found, texts, strict=False) if not found.startswith(text)
    ] == []


@pytest.mark.parametrize("later", ["", "logging.config.dictConfig({'version': 1})"])
@pytest.mark.parametrize("already", ["", "logging.captureWarnings(True)"])
def test_a_warning_is_logged_for_its_request(already: str, later: str) -> None:
    """
    Its text and the line of code that it shows, and no empty third line; also after a set-up that
    disables the loggers that it does not name, which is logging's default.
    """
    lines = lines_of(
        f"""
        {already}
        configure_logging()
        {later}
        with bound_request_metadata(ALICE):
            warnings.warn_explicit("old 100%", UserWarning, {__file__!r}, 2)
        """
    )
    assert_all_of(lines, "WARNING - [req=a1|session=alice]", "", "  What nobody caught")
    assert lines[0].endswith("test_uncaught.py:2: UserWarning: old 100%")
    assert len(lines) == 2


def test_an_exception_that_ends_a_thread_is_logged_for_its_request() -> None:
    """With the ids kept in threads, by either means; SystemExit says nothing, as ever."""
    keep = {
        "keep_ids_in_threads(); target = boom": "req=a1|session=alice",
        "target = with_context(boom)": "req=a1|session=alice",
        "target = boom": "req=none|session=none",
    }
    for target, ids in keep.items():
        lines = lines_of(
            f"""
            configure_logging()
            def boom(): raise KeyError("x")
            with bound_request_metadata(ALICE):
                {target}
                for each in (target, sys.exit):
                    thread = threading.Thread(target=each, name="worker")
                    thread.start()
                    thread.join()
            """
        )
        assert_all_of(lines, f"ERROR - [{ids}]", "Exception in thread worker", "KeyError: 'x'")
        assert len(lines) > 4


def test_hooks_of_the_programs_own_stay() -> None:
    """Whoever has set one has decided where these things go."""
    lines = lines_of(
        """
        threading.excepthook = lambda args: print("own", args.exc_type.__name__, file=sys.stderr)
        warnings.showwarning = lambda message, *more, **named: print("own", message, file=sys.stderr)
        configure_logging()
        def boom(): raise KeyError("x")
        thread = threading.Thread(target=boom)
        thread.start()
        thread.join()
        warnings.warn("old")
        """
    )
    assert lines == ["own KeyError", "own old"]


def test_the_programs_own_thread_hook_sees_the_ids() -> None:
    """The thread has them until it ends."""
    lines = lines_of(
        """
        threading.excepthook = lambda args: logging.getLogger("own").error("died")
        configure_logging()
        keep_ids_in_threads()
        def boom(): raise KeyError("x")
        with bound_request_metadata(ALICE):
            thread = threading.Thread(target=boom)
            thread.start()
        thread.join()
        """
    )
    assert lines == ["ERROR - [req=a1|session=alice] - died"]


# What Alice's request leaves behind, and the first and the last line that asyncio has for it.
TASKS = {
    "a task that nobody awaited": (
        """
        async def boom(): raise KeyError("x")
        async def app(scope, receive, send):
            failed.append(asyncio.create_task(boom()))
        """,
        "Task exception was never retrieved",
        "KeyError: 'x'",
    ),
    "a task that is freed before its end": (
        """
        async def wait(): await asyncio.get_running_loop().create_future()
        async def app(scope, receive, send):
            asyncio.create_task(wait())
        """,
        "Task was destroyed but it is pending!",
        "task: <Task pending",
    ),
    "a callback": (
        """
        def boom(): raise KeyError("x")
        async def app(scope, receive, send):
            asyncio.get_running_loop().call_soon(boom)
        """,
        "Exception in callback",
        "KeyError: 'x'",
    ),
    "a job in an executor": (
        """
        keep_ids_in_threads()
        def boom(): raise KeyError("x")
        async def app(scope, receive, send):
            failed.append(asyncio.get_running_loop().run_in_executor(None, boom))
            await asyncio.wait(failed)
        """,
        "Future exception was never retrieved",
        "KeyError: 'x'",
    ),
}


def _program(app: str, handler: str, loop: str) -> str:
    return (
        "configure_logging()\nfailed = []\n"
        + textwrap.dedent(app)
        + textwrap.dedent(f"""
        import {loop}
        async def main():
            {handler}
            traced = RequestTracingMiddleware(app)
            # a task of its own, as a server gives it to a request
            scope = http_scope([(b"x-request-id", b"a1"), (b"x-session-id", b"alice")])
            await asyncio.create_task(call(traced, scope))
            with bound_request_metadata(BOB):
                for _ in range(3):
                    await asyncio.sleep(0)
                failed.clear()
                gc.collect()
        loop = {loop}.new_event_loop()
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        """)
    )


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("app", "first", "last"), TASKS.values(), ids=TASKS)
def test_what_asyncio_finds_dead_is_logged_for_its_request(
    app: str, first: str, last: str, loop: str
) -> None:
    """Every line of it, though asyncio finds it in the midst of another request."""
    assert_all_of(lines_of(_program(app, "", loop)), "ERROR - [req=a1|session=alice]", first, last)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_handler_of_the_programs_own_sees_the_ids(loop: str) -> None:
    """``loop.set_exception_handler`` is a place where people log."""
    handler = (
        'asyncio.get_running_loop().set_exception_handler(lambda loop, _: logging.error("own"))'
    )
    lines = lines_of(_program(TASKS["a task that nobody awaited"][0], handler, loop))
    assert lines == ["ERROR - [req=a1|session=alice] - own"]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_is_nobodys_is_not_logged_as_anothers(loop: str) -> None:
    """
    A future that failed tells no context: none, rather than the ids of the request in whose midst
    it was found.
    """
    app = """
        async def app(scope, receive, send):
            failed.append(asyncio.get_running_loop().create_future())
            failed[0].set_exception(KeyError("x"))
        """
    lines = lines_of(_program(app, "", loop))
    assert_all_of(
        lines,
        "ERROR - [req=none|session=none]",
        "Future exception was never retrieved",
        "KeyError: 'x'",
    )


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_reports_of_other_things_are_as_they_were(loop: str) -> None:
    """
    A message without a task has the current ids; and a second configure_logging() changes nothing
    more.
    """
    lines = lines_of(
        f"""
        import {loop}
        configure_logging()
        loop = {loop}.new_event_loop()
        once = type(loop).call_exception_handler
        configure_logging()
        assert type(loop).call_exception_handler is once
        with bound_request_metadata(ALICE):
            loop.call_exception_handler({{"message": "odd"}})
        loop.close()
        """
    )
    assert lines == ["ERROR - [req=a1|session=alice] - odd"]
