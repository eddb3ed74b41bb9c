"""Threads and executors: whose ids a job sees, and that the next one does not see them."""

from __future__ import annotations

import asyncio
import functools
import gc
import io
import logging
import logging.handlers
import multiprocessing.pool
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from typing import Any

import pytest
import uvloop

from asgi_trace import (
    ContextThreadPoolExecutor,
    RequestMetadata,
    RequestTracingMiddleware,
    TextFormatter,
    bound_request_metadata,
    get_request_id,
    get_request_metadata,
    keep_ids_in_threads,
    request_id_ctx,
    with_context,
)

from ...asgi import call, hello, http_scope, step

ALICE = RequestMetadata("alice", "a1")
BOB = RequestMetadata("bob", "b2")

foreign: ContextVar[str] = ContextVar("foreign", default="unset")


@pytest.fixture
def kept() -> Iterator[Callable[[], None]]:
    """keep_ids_in_threads() for the time of a test."""
    undo = keep_ids_in_threads()
    yield undo
    undo()


def in_thread(fn: Callable[[], Any]) -> Any:
    """What *fn* returns in a plain thread."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(fn()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda pool, fn: pool.submit(fn).result(), id="submit"),
        pytest.param(lambda pool, fn: next(pool.map(lambda _: fn(), [1])), id="map"),
        pytest.param(
            lambda pool, fn: pool.submit(lambda *, fn: fn(), fn=fn).result(),
            id="a keyword named fn",
        ),
        pytest.param(
            lambda pool, fn: asyncio.run(_run_in_executor(pool, fn)), id="loop.run_in_executor"
        ),
    ],
)
def test_a_context_pools_job_has_its_submitters_context(run: Any) -> None:
    """The ids and every other variable; one thread serves Alice, Bob and nobody in turn."""
    with ContextThreadPoolExecutor(max_workers=1) as pool:
        for metadata, expected in [
            (ALICE, ("a1", "a1!")),
            (BOB, ("b2", "b2!")),
            (None, (None, "unset")),
        ]:
            with bound_request_metadata(metadata):
                token = foreign.set(f"{metadata.request_id}!") if metadata else foreign.set("unset")
                assert run(pool, lambda: (get_request_id(), foreign.get())) == expected
                foreign.reset(token)


async def _run_in_executor(pool: Any, fn: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(pool, fn)


def test_what_a_job_sets_stays_in_it() -> None:
    """Neither its submitter nor the thread's next job sees it."""
    with ContextThreadPoolExecutor(max_workers=1) as pool, bound_request_metadata(ALICE):
        assert pool.submit(lambda: (request_id_ctx.set("changed"), foreign.set("changed"))).result()
        assert pool.submit(lambda: (get_request_id(), foreign.get())).result() == ("a1", "unset")
        assert (get_request_id(), foreign.get()) == ("a1", "unset")


def test_a_context_pool_fails_as_the_standard_librarys() -> None:
    """Exceptions come through, a closed pool refuses, and the threads are named."""
    with ContextThreadPoolExecutor(1, "shop") as pool:
        assert pool.submit(lambda: threading.current_thread().name).result() == "shop_0"
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(get_request_id)


def test_with_context_is_bound_when_it_is_made() -> None:
    """Not when it is called, and not by whom."""
    with bound_request_metadata(ALICE):
        bound = with_context(lambda: (get_request_id(), foreign.get()))
    with bound_request_metadata(BOB):
        assert bound() == ("a1", "unset")
        assert in_thread(bound) == ("a1", "unset")
        assert in_thread(get_request_id) is None


def test_with_context_can_be_called_many_times_and_at_once() -> None:
    """A context can be entered once at a time: each call has its own copy, nested calls too."""
    together = threading.Barrier(8)

    def work(depth: int = 0) -> tuple[str, str | None]:
        before = foreign.get()
        foreign.set("changed")
        if depth:
            return bound(depth - 1)
        together.wait(60)
        return before, get_request_id()

    with bound_request_metadata(ALICE):
        bound = with_context(work)
    with ThreadPoolExecutor(8) as pool:
        assert [each.result() for each in [pool.submit(bound, 3) for _ in range(8)]] == [
            ("unset", "a1")
        ] * 8


def test_with_context_looks_like_what_it_wraps() -> None:
    def work(amount: int, *, currency: str = "EUR") -> str:
        """Pay."""
        return f"{amount} {currency}"

    bound = with_context(work)
    assert (bound.__name__, bound.__doc__, bound.__wrapped__) == ("work", "Pay.", work)  # type: ignore[attr-defined]
    assert bound(5, currency="USD") == "5 USD"
    assert with_context(functools.partial(work, 7))() == "7 EUR"
    assert with_context("a b".split)() == ["a", "b"]


async def _coroutine() -> None: ...
def _generator() -> Iterator[None]:
    yield


@pytest.mark.parametrize("given", [None, 5, "shop:work", _coroutine, _generator])
def test_with_context_says_early_what_it_cannot_run(given: Any) -> None:
    """A coroutine or generator function would run later, without the context."""
    with pytest.raises(TypeError, match=r"with_context was given .*; expected a") as error:
        with_context(given)
    assert repr(given) in str(error.value)


class Own(threading.Thread):
    """A thread with a run() of its own."""

    def __init__(self, found: list[Any]) -> None:
        super().__init__()
        self._found = found

    def run(self) -> None:
        self._found.append((get_request_id(), foreign.get()))


def _plain(found: list[Any]) -> threading.Thread:
    return threading.Thread(target=lambda: found.append((get_request_id(), foreign.get())))


def _timer(found: list[Any]) -> threading.Thread:
    return threading.Timer(0, lambda: found.append((get_request_id(), foreign.get())))


def _replaced(found: list[Any]) -> threading.Thread:
    thread = threading.Thread()
    thread.run = lambda: found.append((get_request_id(), foreign.get()))  # type: ignore[method-assign]
    return thread


THREADS = pytest.mark.parametrize("make", [_plain, Own, _timer, _replaced])


@THREADS
def test_every_thread_keeps_the_ids_and_only_those(kept: Any, make: Any) -> None:
    """Subclasses with a run() of their own too; other libraries' variables are their own affair."""
    found: list[Any] = []
    foreign_token = foreign.set("not ours")
    with bound_request_metadata(ALICE):
        thread = make(found)
        before = dict(vars(thread))
        thread.start()
        thread.join()
    foreign.reset(foreign_token)
    assert found == [("a1", "unset")]
    assert vars(thread).get("run") is before.get("run")


@THREADS
def test_without_the_call_threads_are_as_they_were(make: Any) -> None:
    """Nothing is patched at import, and nothing stays patched."""
    keep_ids_in_threads()()
    found: list[Any] = []
    with bound_request_metadata(ALICE):
        thread = make(found)
        thread.start()
        thread.join()
    assert found == [(None, "unset")]


def test_a_thread_of_a_thread_keeps_them_too(kept: Any) -> None:
    with bound_request_metadata(ALICE):
        assert in_thread(lambda: in_thread(get_request_metadata)) is ALICE


class OlderThread(threading.Thread):
    """A thread that brings a context along, for CPython before 3.14."""

    def __init__(self, context: Context, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._brought = context

    def _bootstrap(self) -> None:
        self._brought.run(super()._bootstrap)  # type: ignore[misc]


WithContext: Any = threading.Thread if sys.version_info >= (3, 14) else OlderThread


def test_a_thread_that_brings_its_own_context_keeps_it(kept: Any) -> None:
    """Its ids are those of the context that it was given, not of the request that starts it."""
    with bound_request_metadata(BOB):
        context = copy_context()
    found: list[Any] = []
    with bound_request_metadata(ALICE):
        thread = WithContext(context=context, target=lambda: found.append(get_request_id()))
        thread.start()
        thread.join()
    assert found == ["b2"]


if sys.version_info >= (3, 14):
    from concurrent.futures import InterpreterPoolExecutor

    def test_a_context_that_threads_share_gets_no_ids(kept: Any) -> None:
        """The second request's thread would have those of the first."""
        context = Context()
        found: list[Any] = []
        for metadata in (ALICE, BOB):
            with bound_request_metadata(metadata):
                thread = WithContext(context=context, target=lambda: found.append(get_request_id()))
                thread.start()
                thread.join()
        assert found == [None, None]

    def test_the_jobs_of_a_pool_of_interpreters_keep_the_ids(kept: Any) -> None:
        """They are sent as a pickle, to an interpreter that has its own asgi_trace."""
        found: list[str | None] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            found.append(pool.submit(get_request_id).result())

        with InterpreterPoolExecutor(1) as pool:
            for name in (b"a1", b"b2"):
                step(RequestTracingMiddleware(app), http_scope([(b"x-request-id", name)]))
            found.append(pool.submit(get_request_id).result())
        assert found == ["a1", "b2", None]

    def test_a_pool_has_no_ids_where_threads_inherit_the_context() -> None:
        """As they do by default in free-threaded builds: its threads outlive their first request."""
        code = """
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from threading import Thread
from asgi_trace import *

own, pool, found = [], ThreadPoolExecutor(1), []
for name in ("a1", "b2"):
    with bound_request_metadata(RequestMetadata("s", name)), ThreadPool(1) as other:
        found += [pool.submit(get_request_id).result(), other.apply(get_request_id)]
        thread = Thread(target=lambda: own.append(get_request_id()))
        thread.start()
        thread.join()
keep_ids_in_threads()
with bound_request_metadata(RequestMetadata("s", "c3")):
    kept = pool.submit(get_request_id).result()
print(found, own, kept, pool.submit(get_request_id).result())
"""
        command = [sys.executable, "-X", "thread_inherit_context=1", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        expected = "[None, None, None, None] ['a1', 'b2'] c3 None\n"
        assert (done.stdout, done.stderr) == (expected, "")


def test_outside_a_request_a_thread_has_none(kept: Any) -> None:
    assert in_thread(get_request_metadata) is None


def test_a_thread_leaves_no_cycle_behind(kept: Any) -> None:
    """Reference counts alone free it, and the request."""
    gc.collect()
    gc.disable()
    try:
        metadata = RequestMetadata("s", "r")
        with bound_request_metadata(metadata):
            thread = _plain([])
            thread.start()
        thread.join()
        references = weakref.ref(thread), weakref.ref(metadata)
        del thread, metadata
        assert [each() for each in references] == [None, None]
    finally:
        gc.enable()


def test_a_thread_that_cannot_start_is_as_before(kept: Any) -> None:
    """The second start() of a thread raises, and leaves nothing on it."""
    with bound_request_metadata(ALICE):
        thread = _plain([])
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="once"):
            thread.start()
    assert "run" not in vars(thread)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_run_in_executor_keeps_the_ids_of_each_request(kept: Any, new_loop: Any) -> None:
    """Overlapping requests share one thread; a job from outside of them has no ids."""
    seen: dict[str, set[str | None]] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        mine = seen.setdefault(get_request_id() or "", set())
        for _ in range(3):
            mine.add(await loop.run_in_executor(None, get_request_id))
        await hello(scope, receive, send)

    async def main() -> str | None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
        traced = RequestTracingMiddleware(app)
        await asyncio.gather(
            *(call(traced, http_scope([(b"x-request-id", b"r%d" % n)])) for n in range(20))
        )
        return await loop.run_in_executor(None, get_request_id)

    loop = new_loop()
    try:
        outside = loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert seen == {f"r{n}": {f"r{n}"} for n in range(20)}
    assert outside is None


def test_a_pools_thread_started_in_a_request_is_not_its_own(kept: Any) -> None:
    """Its next job has the ids of that job's submitter, or none."""
    started: list[Any] = []
    with ThreadPoolExecutor(1, initializer=lambda: started.append(get_request_id())) as pool:
        for metadata, expected in [(ALICE, "a1"), (None, None), (BOB, "b2")]:
            with bound_request_metadata(metadata):
                assert pool.submit(get_request_id).result() == expected
                assert list(pool.map(lambda _: get_request_id(), range(2))) == [expected, expected]
    assert started == [None]


def test_a_job_that_brings_its_own_context_keeps_it(kept: Any) -> None:
    """asyncio.to_thread and ContextThreadPoolExecutor carry all of it, as before."""
    with ContextThreadPoolExecutor(1) as pool, bound_request_metadata(ALICE):
        foreign.set("carried")
        assert pool.submit(lambda: (get_request_id(), foreign.get())).result() == ("a1", "carried")
        with bound_request_metadata(BOB):
            bound = with_context(get_request_id)
        assert in_thread(bound) == "b2"
    foreign.set("unset")


def test_shared_threads_of_the_standard_library_stay_without(kept: Any) -> None:
    """Those of multiprocessing.pool.ThreadPool, and a QueueListener's: they serve many requests."""
    lines: list[Any] = []

    class Show(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(get_request_id())

    written: queue.Queue[Any] = queue.Queue()
    listener = logging.handlers.QueueListener(written, Show())
    with bound_request_metadata(ALICE), multiprocessing.pool.ThreadPool(1) as pool:
        listener.start()
        assert pool.apply(get_request_id) is None
    written.put(logging.makeLogRecord({}))
    listener.stop()
    assert lines == [None]


def test_a_second_call_changes_nothing_and_one_undo_ends_it() -> None:
    originals = threading.Thread.start, ThreadPoolExecutor.submit
    undo = keep_ids_in_threads()
    changed = threading.Thread.start, ThreadPoolExecutor.submit
    try:
        assert keep_ids_in_threads() is undo
        assert (threading.Thread.start, ThreadPoolExecutor.submit) == changed
        assert {a is b for a, b in zip(originals, changed, strict=True)} == {False}
    finally:
        undo()
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == originals
    undo()
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == originals


def test_undo_does_not_tear_away_anothers_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was put on top stays; when it is gone, ours can be undone."""
    original, undo = threading.Thread.start, keep_ids_in_threads()
    ours = threading.Thread.start
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", lambda self: ours(self))
        theirs = threading.Thread.start
        undo()
        assert threading.Thread.start is theirs
    undo()
    assert threading.Thread.start is original


@pytest.mark.parametrize("fail", ["submit", "with_context", "keep_ids_in_threads"])
def test_what_a_job_raises_tells_whose_it_was(fail: str, request: pytest.FixtureRequest) -> None:
    """Whoever logs it, and in whatever request."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    own = logging.Logger("own")
    own.addHandler(handler)
    if fail == "keep_ids_in_threads":
        request.getfixturevalue("kept")

    def boom() -> None:
        raise KeyError("x")

    with (
        bound_request_metadata(ALICE),
        ContextThreadPoolExecutor() as ours,
        ThreadPoolExecutor() as plain,
    ):
        submit = {
            "submit": lambda: ours.submit(boom),
            "with_context": lambda: plain.submit(with_context(boom)),
            "keep_ids_in_threads": lambda: plain.submit(boom),
        }
        error = submit[fail]().exception()
    with bound_request_metadata(BOB):
        own.error("failed", exc_info=error)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if "[req=a1|session=alice]" not in line] == []
    assert len(lines) > 3
