"""
Export in the background: bounded queues, a daemon thread for each, and an end with a deadline.

The SDK's batch processors export until their queue is empty, and their exit handlers wait for that
up to 30 seconds for each exporter. A process whose collector is away would not end within seconds.
https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Mapping
from copy import copy
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any, NamedTuple
from weakref import WeakSet

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.trace import Status

from .._core.faults import own_logger, report_once, warn_once
from .attributes import as_text

__all__ = (
    "EXPORTS_SECONDS",
    "Batches",
    "LogBatches",
    "MetricBatches",
    "SpanBatches",
    "end_exports",
    "flush_exports",
)

EXPORTS_SECONDS = 3.0
"""The longest wait for the collector when a process ends, for all signals together."""

# Seconds between two checks whether the queues are empty.
_PAUSE = 0.01

# The defaults of the specification, with its names for them.
_LIMITS = {"MAX_QUEUE_SIZE": 2048, "MAX_EXPORT_BATCH_SIZE": 512}

# Metrics are cumulative: a newer collection has all that an older one has.
_MOST_COLLECTIONS = 4

_all: WeakSet[Batches] = WeakSet()


def _read_limit(variable: str, default: int) -> int:
    value = os.environ.get(variable, "").strip()
    if not value:
        return default
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(f"{variable} is {value!r}; expected a whole number above 0")
    return int(value)


class Limits(NamedTuple):
    """
    The limits of a queue: its size, that of a batch, and the milliseconds between two exports.
    """

    queue: int
    batch: int
    delay: int


def _read_limits(variables: str, delay: int) -> Limits:
    """Return the limits in the standard's *variables*, named by their beginning: ``OTEL_BSP``."""
    queue, batch = (_read_limit(f"{variables}_{name}", size) for name, size in _LIMITS.items())
    return Limits(queue, batch, _read_limit(f"{variables}_SCHEDULE_DELAY", delay))


class Batches:
    """
    A queue of telemetry, exported in batches by a daemon thread.

    Adding never waits. Items that do not fit into the queue, or that the exporter fails to export,
    are dropped and counted. The first loss is logged, and their number when the process ends.

    :param exporter: an exporter of the SDK's, for spans or log records.
    :param what: the name of the telemetry, for messages.
    :param limits: those of the queue.
    :param gather: adds the items, after each delay; None if they are added otherwise.
    """

    def __init__(
        self,
        exporter: Any,
        what: str,
        limits: Limits,
        gather: Callable[[], object] | None = None,
    ) -> None:
        self.what = what
        self._exporter = exporter
        self._gather = gather
        self._delay = limits.delay / 1000
        self._most = limits.queue
        self._batch_size = min(limits.batch, limits.queue)
        self._reset()
        _all.add(self)
        if gather is not None:
            self._start()

    def _reset(self) -> None:
        """Start empty. A forked child has no thread, and its parent exports what was queued."""
        self._items: deque[Any] = deque()
        # Re-entrant, unlike an Event: a signal's handler may log a line during an add().
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._is_woken = False
        self._exporting_count = 0
        self.dropped = 0
        self._is_started = False
        self._is_ended = False

    def add(self, item: Any) -> None:
        """Queue *item* for export. Never waits and never raises."""
        if self._is_ended:
            return
        items = self._items
        if len(items) >= self._most:
            self._drop(1)
            return
        items.append(item)
        if not self._is_started:
            self._start()
        if len(items) >= self._batch_size and not self._is_woken:
            self._is_woken = True
            self._wake.put(None)

    def _start(self) -> None:
        self._is_started = True
        try:
            Thread(target=self._run, name=f"asgi_trace {self.what}", daemon=True).start()
        except RuntimeError:  # the interpreter is ending, and cannot start a thread
            self._is_ended = True

    def _drop(self, count: int) -> None:
        self.dropped += count
        warn_once(
            f"dropped {self.what}",
            f"{self.what} are dropped, because the collector does not accept them;"
            " their number is logged when the process ends",
        )

    def _run(self) -> None:
        # Instrumentations make no spans of exports, and our handler exports no line about them.
        otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        wake = self._wake  # a forked child has another one
        while wake is self._wake:
            try:
                wake.get(timeout=self._delay)
            except Empty:
                # Only then: adding an item may wake this thread, and it would gather without end.
                self.gather()
            self._is_woken = False
            self._export_queued()

    def _export_queued(self) -> None:
        left = len(self._items)
        while left > 0:
            # Set before the queue shrinks: at any time one of the two counts the remaining items.
            size = self._exporting_count = min(left, self._batch_size)
            self._export([self._items.popleft() for _ in range(size)])
            self._exporting_count = 0
            left -= size

    def _export(self, batch: list[Any]) -> None:
        try:
            result = self._exporter.export(batch)
        except Exception:
            report_once(f"exporting {self.what}")
        else:
            if getattr(result, "name", "SUCCESS") == "SUCCESS":
                return
        self._drop(len(batch))

    def gather(self) -> None:
        """Add the items to export, if they are not added otherwise."""
        if self._gather is None or self._is_ended:
            return
        try:
            self._gather()
        except Exception:
            report_once(f"gathering {self.what}")

    def flush(self) -> None:
        """Make the thread export the queued items, without waiting for it."""
        if self._items and self._wake.empty():
            self._wake.put(None)

    @property
    def is_empty(self) -> bool:
        """Whether all added items have been exported or dropped."""
        return not self._items and self._exporting_count == 0

    @property
    def not_exported(self) -> int:
        """The number of items that were dropped, are queued, or are being exported."""
        return self.dropped + len(self._items) + self._exporting_count

    def end(self) -> None:
        """Accept nothing more."""
        self._is_ended = True

    def close(self) -> None:
        """Export the queued items, within :data:`EXPORTS_SECONDS`, and accept no more."""
        _wait([self], EXPORTS_SECONDS)
        self.end()


def _reset_all() -> None:
    global _gave_up
    _gave_up = False
    for batches in _all:
        batches._reset()
        if batches._gather is not None:
            batches._start()


if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    os.register_at_fork(after_in_child=_reset_all)


class SpanBatches(SpanProcessor):
    """
    Export the spans of a provider with *exporter*.

    :raises ValueError: for a variable ``OTEL_BSP_…`` that is no whole number above 0.
    """

    def __init__(self, exporter: Any) -> None:
        self._batches = Batches(exporter, "spans", _read_limits("OTEL_BSP", 5000))

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self._batches.add(_encodable(span))

    def shutdown(self) -> None:
        self._batches.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return _wait([self._batches], timeout_millis / 1000)


def _encodable(span: ReadableSpan) -> ReadableSpan:
    """
    Return *span* with texts that have a UTF-8 form, or the exporter would lose the whole batch.

    The SDK checks attributes only. The description of a status is often an exception's message.
    """
    description = span.status.description
    texts = (span.name, description or "", *(event.name for event in span.events))
    if all(as_text(text) == text for text in texts):
        return span
    return ReadableSpan(
        name=as_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[
            Event(as_text(event.name), event.attributes, event.timestamp) for event in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, description and as_text(description)),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class LogBatches(LogRecordProcessor):
    """
    Export the log records of a provider with *exporter*.

    :raises ValueError: for a variable ``OTEL_BLRP_…`` that is no whole number above 0.
    """

    def __init__(self, exporter: Any) -> None:
        self._batches = Batches(exporter, "log records", _read_limits("OTEL_BLRP", 1000))

    def on_emit(self, log_record: Any) -> None:
        # A context holds all of its request's objects.
        record = copy(log_record.log_record)
        record.context = Context()
        if isinstance(record.body, str):
            record.body = as_text(record.body)
        self._batches.add(
            ReadableLogRecord(
                log_record=record,
                resource=log_record.resource,
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        self._batches.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return _wait([self._batches], timeout_millis / 1000)


class _Each:
    """An exporter that is given the members of a batch one by one."""

    def __init__(self, exporter: Any) -> None:
        self._export = exporter.export

    def export(self, batch: list[Any]) -> Any:
        results = [self._export(batched) for batched in batch]
        failed = [batched for batched in results if batched.name != "SUCCESS"]
        return failed[0] if failed else results[0]


class MetricBatches(MetricReader):
    """
    Export the metrics of a provider with *exporter*, each ``OTEL_METRIC_EXPORT_INTERVAL``.

    :raises ValueError: for an interval that is no whole number above 0.
    """

    def __init__(self, exporter: Any) -> None:
        # As in the SDK's own reader.
        super().__init__(
            preferred_temporality=exporter._preferred_temporality,
            preferred_aggregation=exporter._preferred_aggregation,
        )
        interval = _read_limit("OTEL_METRIC_EXPORT_INTERVAL", 60_000)
        limits = Limits(_MOST_COLLECTIONS, 1, interval)
        self._batches = Batches(_Each(exporter), "collections of metrics", limits, self.collect)

    def _receive_metrics(
        self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        self._batches.add(metrics_data)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return _wait([self._batches], timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._batches.close()


class _Waiting:
    """A wait until *several* queues are empty, at most *seconds*."""

    def __init__(self, several: list[Batches], seconds: float) -> None:
        for batches in several:
            batches.gather()
        self._several = several
        self._deadline = monotonic() + seconds

    def goes_on(self) -> bool:
        """Whether to check again after a pause."""
        for batches in self._several:
            batches.flush()  # again, since lines may be added meanwhile
        return not self.succeeded() and monotonic() < self._deadline

    def succeeded(self) -> bool:
        return all(batches.is_empty for batches in self._several)


def _wait(several: list[Batches], seconds: float) -> bool:
    waiting = _Waiting(several, seconds)
    while waiting.goes_on():
        sleep(_PAUSE)
    return waiting.succeeded()


# Whether a wait has failed: the process does not wait a second time.
_gave_up = False


async def flush_exports() -> None:
    """
    Wait until all telemetry is exported, at most :data:`EXPORTS_SECONDS`. The event loop is not
    blocked.

    A server such as uvicorn may end itself by the signal that it received, and then no exit handler
    runs.
    """
    global _gave_up
    several = [*_all]
    waiting = _Waiting(several, EXPORTS_SECONDS)
    while waiting.goes_on():
        await _pause()
    _gave_up = not waiting.succeeded()
    _log_losses({batches.what: batches.not_exported for batches in several})


async def _pause() -> None:
    trio = sys.modules.get("trio")
    if trio is not None and _is_inside(trio):
        await trio.sleep(_PAUSE)
    else:
        await asyncio.sleep(_PAUSE)


def _is_inside(trio: Any) -> bool:
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return False
    return True


def end_exports() -> None:
    """
    End all exports of this process: wait for them, at most :data:`EXPORTS_SECONDS`, and not at all
    if :func:`flush_exports` has waited without success. For an exit handler.
    """
    several = [*_all]
    _wait(several, 0 if _gave_up else EXPORTS_SECONDS)
    for batches in several:
        batches.end()
    _log_losses({batches.what: batches.not_exported for batches in several})


_logged_losses: dict[str, int] = {}


def _log_losses(losses: Mapping[str, int]) -> None:
    new = {what: count for what, count in losses.items() if count > _logged_losses.get(what, 0)}
    if new:
        _logged_losses.update(new)
        *counts, last = (_counted(count, what) for what, count in sorted(new.items()))
        listed = f"{', '.join(counts)} and {last}" if counts else last
        own_logger("asgi_trace").warning(
            "the collector did not accept %s, and this telemetry is lost", listed
        )


def _counted(count: int, what: str) -> str:
    """Return "2 collections of metrics", and "1 collection of metrics"."""
    one = re.sub(r"s\b", "", what, count=1)
    return f"{count} {one if count == 1 else what}"
