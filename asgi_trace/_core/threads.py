"""
Threads and executors that keep the ids: a new thread begins with no context at all.

This module uses context variables, threads and thread pools. It has nothing to do with ASGI, logging
or event loops.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from .current import bind, bound_request_metadata, get_request_metadata
from .exceptions import stamp_exception
from .request import RequestMetadata

__all__ = (
    "ContextThreadPoolExecutor",
    "keep_ids_in_threads",
    "keeps_ids_in_threads",
    "with_context",
)

_P = ParamSpec("_P")
_T = TypeVar("_T")

# CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR of the inspect module, which is not worth its
# import here.
_RUNS_LATER = 0x20 | 0x80 | 0x200

# Threads of these modules work for many requests: the one that they happen to be started in is not
# theirs.
_SHARED = ("concurrent.futures.thread", "multiprocessing.pool", "logging.handlers")


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """
    A :class:`concurrent.futures.ThreadPoolExecutor` whose jobs see the context variables of their
    submitter.

    Each job runs in a copy of its own: what it sets, neither the submitter nor the thread's next
    job sees. Also for ``loop.run_in_executor(pool, …)`` and ``loop.set_default_executor(pool)``.
    The *initializer* and the callbacks of futures run outside of any request.

    :param max_workers: as the standard library has it, like all of these.
    :param thread_name_prefix: of the threads.
    :param initializer: is called at the start of each thread.
    :param initargs: its arguments.

    .. versionadded:: 0.1
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """
        Run *fn* in a thread, in a copy of the context of now. ``map`` does the same for each of its
        calls.
        """
        run: Callable[..., _T] = copy_context().run
        return super().submit(run, _marking, fn, *args, **kwargs)


def with_context(fn: Callable[_P, _T]) -> Callable[_P, _T]:
    """
    Return *fn* bound to the context of now: it sees these ids in whatever thread, and whenever, it
    is called.

    For threads and callbacks of your own: ``Thread(target=with_context(work))``. It may be called
    many times, and at the same time: each call runs in a copy of its own, and what it sets is gone
    when it returns.

    :param fn: a callable that does its work when called; coroutine and generator functions do
        theirs later, in the context of the code that runs them.
    :raises TypeError: when *fn* is not such a callable.

    .. versionadded:: 0.1
    """
    if not callable(fn):
        raise TypeError(f"with_context was given {fn!r}; expected a callable")
    if getattr(getattr(fn, "__code__", None), "co_flags", 0) & _RUNS_LATER:
        raise TypeError(
            f"with_context was given {fn!r}, which runs after it has returned; expected a plain function"
        )
    context = copy_context()

    @functools.wraps(fn)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return context.copy().run(_marking, fn, *args, **kwargs)

    return call


def keep_ids_in_threads() -> Callable[[], None]:
    """
    Make every thread keep the ids of the request that starts it, and every thread pool's job those
    of its submitter.

    From here on, and in the whole process: :class:`threading.Thread` and its subclasses,
    ``loop.run_in_executor`` of any event loop, and each
    :class:`~concurrent.futures.ThreadPoolExecutor`. Only the ids are carried; other libraries'
    context variables are left alone, and a context that the thread or job brings along is too. A
    job submitted outside a request has none, also on a thread that served a request before. A
    second call changes nothing more.

    The threads of :mod:`multiprocessing.pool` and of a ``QueueListener`` serve many requests, and
    stay without ids. So should a library's own service thread: start it outside of requests, or in
    ``bound_request_metadata(None)``.

    Returns a function that undoes it, for threads and jobs to come. It undoes nothing while another
    patch stands on top: take away the last one first.

    .. versionadded:: 0.1
    """
    if not _patches:
        _patch(threading.Thread, "start", _start_with_ids)
        _patch(ThreadPoolExecutor, "submit", _submit_with_ids)
    return _undo_patches


def keeps_ids_in_threads() -> bool:
    """Whether :func:`keep_ids_in_threads` holds now."""
    return bool(_patches)


_patches: list[tuple[type, str, Any, Any]] = []


def _patch(owner: type, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    changed = functools.wraps(original)(make(original))
    _patches.append((owner, name, original, changed))
    setattr(owner, name, changed)


def _undo_patches() -> None:
    if all(getattr(owner, name) is changed for owner, name, _, changed in _patches):
        while _patches:
            owner, name, original, _ = _patches.pop()
            setattr(owner, name, original)


def _start_with_ids(start: Callable[..., Any]) -> Callable[..., Any]:
    def start_with_ids(self: threading.Thread, *args: Any, **kwargs: Any) -> Any:
        metadata = get_request_metadata()
        if (
            metadata is None
            or getattr(getattr(self, "_target", None), "__module__", None) in _SHARED
        ):
            return start(self, *args, **kwargs)
        # On the object, since a subclass may have a run() of its own; and only until it runs, since
        # it is a cycle.
        attributes = vars(self)
        run, own = self.run, attributes.get("run")
        has_context = attributes.get("_context") is not None  # Thread(context=…), CPython 3.14

        def restore() -> None:
            attributes.pop("run", None)
            if own is not None:
                attributes["run"] = own

        def run_with_ids() -> None:
            restore()
            # A context that came along is not changed: further threads may run in it. The thread's
            # own one needs no reset, since the thread ends with it.
            if not has_context and get_request_metadata() is None:
                bind(metadata)
            try:
                _marking(run)
            except BaseException:
                _report_in_this_context(self)
                raise

        attributes["run"] = run_with_ids
        try:
            return start(self, *args, **kwargs)
        except BaseException:
            restore()
            raise

    return start_with_ids


def _start_outside_of_requests(start: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(start)
    def start_outside(self: threading.Thread, *args: Any, **kwargs: Any) -> Any:
        if getattr(getattr(self, "_target", None), "__module__", None) not in _SHARED:
            return start(self, *args, **kwargs)
        with bound_request_metadata(None):
            return start(self, *args, **kwargs)

    return start_outside


# Free-threaded CPython, and others with this flag (3.14), give each thread a copy of its starter's
# context. A thread of a pool would keep the ids of its first request for the jobs of all others.
if getattr(sys.flags, "thread_inherit_context", False):
    threading.Thread.start = _start_outside_of_requests(threading.Thread.start)  # type: ignore[method-assign]


def _report_in_this_context(thread: threading.Thread) -> None:
    """
    Call the excepthook of *thread*, which is about to fail, in the context of now: CPython 3.14 and
    newer call it outside of the thread's context.
    """
    attributes = vars(thread)
    report = attributes.get("_invoke_excepthook")
    if report is not None:
        attributes["_invoke_excepthook"] = functools.partial(copy_context().run, report)


def _submit_with_ids(submit: Callable[..., Any]) -> Callable[..., Any]:
    def submit_with_ids(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        return submit(self, _call_as, get_request_metadata(), fn, *args, **kwargs)

    return submit_with_ids


def _call_as(
    metadata: RequestMetadata | None, fn: Callable[..., _T], /, *args: Any, **kwargs: Any
) -> _T:
    with bound_request_metadata(metadata):
        return _marking(fn, *args, **kwargs)


def _marking(fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call *fn*, and mark what it raises: it may be reported outside of this context."""
    try:
        return fn(*args, **kwargs)
    except BaseException as exc:
        metadata = get_request_metadata()
        if metadata is not None:
            stamp_exception(exc, metadata)
        raise
