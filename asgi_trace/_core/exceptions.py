"""
The request that raised an exception: marked on the exception, for code that logs it later and
elsewhere.

A mark that is pickled with its exception becomes a plain dict of ids, which loads where asgi_trace
is not installed.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import partial
from sys import modules
from typing import Any, SupportsIndex

from .request import RequestMetadata
from .tracecontext import TraceContext

__all__ = ("is_failure", "metadata_of", "stamp_exception")

_STAMP = "__asgi_trace__"

# The most exceptions of a group that are searched or marked: a hostile group must not make a log
# line slow.
_MOST_NESTED = 64


class _Stamp:
    """
    The mark on an exception. It refers to the request itself, whose session may become known later.
    """

    __slots__ = ("metadata",)

    def __init__(self, metadata: RequestMetadata) -> None:
        self.metadata = metadata

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return dict, (self._ids(),)

    def __repr__(self) -> str:
        return repr(self._ids())

    def _ids(self) -> dict[str, str]:
        metadata = self.metadata
        ids = {
            "request_id": metadata.request_id,
            "session_id": metadata.session_id,
            "trace_id": metadata.trace_id,
            "span_id": metadata.span_id,
        }
        return {name: value for name, value in ids.items() if value}


# The marks of exceptions that restrict their attributes, such as frozen ones: with an additional
# attribute, pickle could not load them. By id; a mark is deleted with its exception.
_marks: dict[int, tuple[weakref.ref[BaseException], _Stamp]] = {}


def stamp_exception(exc: BaseException, metadata: RequestMetadata) -> None:
    """
    Mark *exc* as raised by the request *metadata*; and the members of a group, since ``except*``
    and ``split()`` make new groups of them, which have no mark.
    """
    mark = _Stamp(metadata)
    for exception in _with_members(exc):
        _put(mark, exception)


def _put(mark: _Stamp, exc: BaseException) -> None:
    if type(exc).__setattr__ is BaseException.__setattr__:
        BaseException.__setattr__(exc, _STAMP, mark)
        return
    key = id(exc)
    _marks[key] = weakref.ref(exc, partial(_forget, key)), mark


def _forget(key: int, _: object) -> None:
    _marks.pop(key, None)


def _mark_of(exc: BaseException) -> Any:
    if _marks:
        reference, mark = _marks.get(id(exc), (None, None))
        if reference is not None and reference() is exc:
            return mark
    return _attribute(exc, _STAMP)


def _stamped(exc: BaseException) -> RequestMetadata | None:
    stamp = _mark_of(exc)
    if isinstance(stamp, _Stamp):
        return stamp.metadata
    if isinstance(stamp, dict):  # pickled, perhaps in another process
        return _from_ids(stamp)
    return None


def _from_ids(ids: dict[str, Any]) -> RequestMetadata:
    metadata = RequestMetadata(ids.get("session_id"), ids.get("request_id"))
    trace_id, span_id = ids.get("trace_id"), ids.get("span_id")
    if isinstance(trace_id, str) and isinstance(span_id, str):
        metadata.trace = TraceContext(trace_id, span_id)
    return metadata


def metadata_of(exc: BaseException) -> RequestMetadata | None:
    """
    Return the request that raised *exc*, or None.

    A server that runs the app in a task group gets an exception group with ours inside.
    """
    for exception in _with_members(exc):
        metadata = _stamped(exception)
        if metadata is not None:
            return metadata
    return None


def _with_members(exc: BaseException) -> Iterator[BaseException]:
    """Yield *exc*, and if it is a group, its members and theirs, up to a fixed number."""
    pending = [exc]
    for _ in range(_MOST_NESTED):
        if not pending:
            return
        exception = pending.pop()
        yield exception
        # A group has a tuple or, before Python 3.11, a list. Other exceptions may have anything.
        members = _attribute(exception, "exceptions")
        if type(members) in (tuple, list):
            pending.extend(
                member for member in members[:_MOST_NESTED] if isinstance(member, BaseException)
            )


def _attribute(exc: BaseException, name: str) -> Any:
    try:
        return getattr(exc, name, None)
    except Exception:  # from code of the exception's class
        return None


# Exceptions by which code outside of the app ends it; those of the event loops by their module.
_ENDS = (GeneratorExit, KeyboardInterrupt, SystemExit)
_CANCELLATIONS = (("asyncio", "CancelledError"), ("trio", "Cancelled"))


def is_failure(exc: BaseException) -> bool:
    """
    Whether *exc* is a failure of the app, and not a cancellation or the end of the program.

    A panic in a library that is written in Rust is no ``Exception``, and is a failure.
    """
    if isinstance(exc, Exception):
        return True
    kinds = [getattr(modules.get(module), name, None) for module, name in _CANCELLATIONS]
    ends = (*_ENDS, *(kind for kind in kinds if isinstance(kind, type)))
    pending: list[Any] = [exc]
    for _ in range(_MOST_NESTED):
        if not pending:
            return False
        exception = pending.pop()
        if isinstance(exception, ends):
            continue
        members = _attribute(exception, "exceptions")
        if type(members) not in (tuple, list) or not members:
            return True
        pending.extend(members[:_MOST_NESTED])
    return True
