"""
Threads and executors that keep the ids: a new thread has an empty context.

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

# CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR of the inspect module, without its import.
_RUNS_LATER = 0x20 | 0x80 | 0x200

# Threads of these modules work for many requests, not only for the one in which they start.
_SHARED = ("concurrent.futures.thread", "multiprocessing.pool", "logging.handlers")


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """
    A :class:`concurrent.futures.ThreadPoolExecutor` that runs jobs with the context variables of
    their submitter.

    Each job runs in a new copy of the context: variables that it sets change neither the submitter
    nor the thread's next job. Also for ``loop.run_in_executor(pool, …)`` and
    ``loop.set_default_executor(pool)``. The *initializer* and the callbacks of futures run outside
    of any request.

    :param max_workers: as in the standard library, like all parameters.
    :param thread_name_prefix: of the threads.
    :param initializer: is called at the start of each thread.
    :param initargs: its arguments.

    .. versionadded:: 0.1
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """
        Run *fn* in a thread, in a copy of the current context. ``map`` does the same for each of
        its calls.
        """
        run: Callable[..., _T] = copy_context().run
        return super().submit(run, _marking, fn, *args, **kwargs)


def with_context(fn: Callable[_P, _T]) -> Callable[_P, _T]:
    """
    Return *fn* bound to the current context: it has these ids in any thread, and at any time, in
    which it is called.

    For threads and callbacks of your own: ``Thread(target=with_context(work))``. It may be called
    many times, and at the same time: each call runs in a new copy of the context, and variables
    that it sets are lost when it returns.

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
    Make every thread keep the ids of the request that starts it, and every job of a thread pool the
    ids of its submitter.

    From here on, and in the whole process: :class:`threading.Thread` and its subclasses,
    ``loop.run_in_executor`` of any event loop, and each
    :class:`~concurrent.futures.ThreadPoolExecutor`. Only the ids are passed on. Other libraries'
    context variables are not changed, and neither is a context that the thread or job was given. A
    job submitted outside a request has no ids, also on a thread that served a request before. A
    second call changes nothing more.

    The threads of :mod:`multiprocessing.pool` and of a ``QueueListener`` serve many requests, and
    stay without ids. So should a library's own service thread: start it outside of requests, or in
    ``bound_request_metadata(None)``.

    Returns a function that undoes it for later threads and jobs. It does nothing while another
    patch is on top of this one: undo the last patch first.

    .. versionadded:: 0.1
    """
    if not _patches:
        _patch(threading.Thread, "start", _start_with_ids)
        _patch(ThreadPoolExecutor, "submit", _submit_with_ids)
    return _undo_patches


def keeps_ids_in_threads() -> bool:
    """Whether :func:`keep_ids_in_threads` is in effect."""
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
        # Set on the object, since a subclass may have its own run(); and removed when it runs,
        # since it is a reference cycle.
        attributes = vars(self)
        run, own = self.run, attributes.get("run")
        has_context = attributes.get("_context") is not None  # Thread(context=…), CPython 3.14

        def restore() -> None:
            attributes.pop("run", None)
            if own is not None:
                attributes["run"] = own

        def run_with_ids() -> None:
            restore()
            # A context that was passed to Thread() is not changed: further threads may run in it.
            # The thread's own context needs no reset, since it ends with the thread.
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
# context. A pool's thread would keep the ids of its first request for the jobs of all others.
if getattr(sys.flags, "thread_inherit_context", False):
    threading.Thread.start = _start_outside_of_requests(threading.Thread.start)  # type: ignore[method-assign]


def _report_in_this_context(thread: threading.Thread) -> None:
    """
    Call the excepthook of *thread*, which is about to fail, in the current context: CPython 3.14
    and newer call it outside of the thread's context.
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
    """Call *fn*, and mark its exception: it may be reported outside of this context."""
    try:
        return fn(*args, **kwargs)
    except BaseException as exc:
        metadata = get_request_metadata()
        if metadata is not None:
            stamp_exception(exc, metadata)
        raise
