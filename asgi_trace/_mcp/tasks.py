"""
Background tasks of fastmcp: a task has the ids of the request that started it, in any process.

fastmcp runs them in workers of docket, which this module never imports. The ids travel in the
task's own message, beside OpenTelemetry's.
"""

from __future__ import annotations

import functools
from sys import modules
from typing import Any

from .._core.current import bound_request_metadata
from .._core.faults import report_once
from .._outgoing.propagation import carrier, extract

__all__ = ("keep_ids_in_tasks",)

# The fields of a message that are ours.
_PREFIX = b"asgi-trace-"

# Marks a class that keeps the ids already.
_KEEPS = "__asgi_trace__"


def keep_ids_in_tasks() -> None:
    """Keep the ids in the tasks of docket, where the program has loaded it."""
    execution = getattr(modules.get("docket.execution"), "Execution", None)
    worker = getattr(modules.get("docket.worker"), "Worker", None)
    if execution is None or worker is None or hasattr(worker, _KEEPS):
        return
    try:
        _write_ids(execution)
        _read_ids(execution)
        _bind_ids(worker)
        setattr(worker, _KEEPS, True)
    except Exception:  # not public: a later version may lack a name
        report_once("keeping the ids in background tasks")


def _write_ids(execution: Any) -> None:
    as_message = execution.as_message

    @functools.wraps(as_message)
    def with_ids(self: Any) -> Any:
        message = as_message(self)
        for name, value in carrier().items():
            message[_PREFIX + name.encode()] = value.encode()
        return message

    execution.as_message = with_ids


def _read_ids(execution: Any) -> None:
    from_message = execution.from_message.__func__

    @functools.wraps(from_message)
    async def with_ids(cls: Any, docket: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        made = await from_message(cls, docket, message, *args, **kwargs)
        made._asgi_trace = {
            name[len(_PREFIX) :]: value
            for name, value in message.items()
            if name.startswith(_PREFIX)
        }
        return made

    execution.from_message = classmethod(with_ids)


def _bind_ids(worker: Any) -> None:
    execute = worker._execute

    @functools.wraps(execute)
    async def with_ids(self: Any, execution: Any, *args: Any, **kwargs: Any) -> Any:
        # None if no request started the task. The worker's current request, if any, is not used.
        # Not bound_carrier(): docket makes a span of its own.
        with bound_request_metadata(extract(getattr(execution, "_asgi_trace", None))):
            return await execute(self, execution, *args, **kwargs)

    worker._execute = with_ids
