"""
Export over OTLP: providers, exporters and the log handler, configured by the standard ``OTEL_…``
variables.

The SDK and its exporters are imported when they are first needed.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import metrics, trace

from .._core.faults import report_once
from .._core.scope import Message, Scope
from .._logging.setup import attach_exporter
from .client_spans import end_lost_spans, use_client_spans
from .ids import adapt
from .jobs import use_job_spans
from .logs import RequestLogHandler

__all__ = ("configure_opentelemetry", "configured", "flushing_lifespan")

# The providers that configure_opentelemetry() has made.
configured: list[Any] = []


def configure_opentelemetry() -> None:
    """
    Export spans, log records and metrics over OTLP. The standard ``OTEL_…`` variables configure it.

    A tracer, logger or meter provider that the program has set itself is not changed. Requests
    never wait for the collector, and the end of the process waits 3 seconds for it at most.
    Telemetry that it does not accept is dropped and counted.

    :raises ValueError: for an exporter that is not installed, and for a limit (``OTEL_BSP_…``,
        ``OTEL_BLRP_…``, ``OTEL_METRIC_EXPORT_INTERVAL``) that is no whole number above 0.

    .. versionadded:: 0.1
    """
    # OpenTelemetry's modules for logs begin with an underscore; there are no public ones.
    from opentelemetry import _logs
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import TracerProvider

    from .export import LogBatches, MetricBatches, SpanBatches, end_exports

    use_client_spans()
    use_job_spans()
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        spans = TracerProvider(shutdown_on_exit=False)
        for exporter in _exporters("traces"):
            spans.add_span_processor(SpanBatches(exporter))
        adapt(spans)  # before any tracer is made
        trace.set_tracer_provider(spans)
        configured.append(spans)
        _end_at_exit(end_exports)
    if type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider":
        # Prometheus's is a reader by itself, which a scraper asks.
        readers = [
            exporter if isinstance(exporter, MetricReader) else MetricBatches(exporter)
            for exporter in _exporters("metrics")
        ]
        if readers:
            meters = MeterProvider(readers, shutdown_on_exit=False)
            metrics.set_meter_provider(meters)
            configured.append(meters)
            _end_at_exit(end_exports)
    exporters = [*_exporters("logs")]
    current = type(_logs.get_logger_provider())
    # The API's own stands for none; logfire's has the same name.
    is_own = current.__module__.startswith("opentelemetry.")
    if not exporters or not is_own or current.__name__ != "ProxyLoggerProvider":
        return
    logs = LoggerProvider(shutdown_on_exit=False)
    for exporter in exporters:
        logs.add_log_record_processor(LogBatches(exporter))
    _logs.set_logger_provider(logs)
    configured.append(logs)
    _end_at_exit(end_exports)

    class Exporting(LoggingHandler):
        def flush(self) -> None:
            """Do nothing: ``dictConfig()`` flushes handlers, too, while the process serves."""

    attach_exporter(RequestLogHandler(Exporting(logger_provider=logs)))


def _end_at_exit(end_exports: Callable[[], None]) -> None:
    atexit.unregister(end_exports)
    atexit.register(end_exports)
    atexit.unregister(end_lost_spans)
    atexit.register(end_lost_spans, at_exit=True)  # the last registered is called first


def _exporters(signal: str) -> Iterator[Any]:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    for name in (os.environ.get(variable) or "otlp").split(","):
        name = name.strip()
        if name == "none":
            continue
        if name == "otlp":
            protocols = (
                f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL",
                "OTEL_EXPORTER_OTLP_PROTOCOL",
            )
            protocol = next(filter(None, map(os.environ.get, protocols)), "http/protobuf")
            name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
        # OpenTelemetry's packages register their exporters as entry points.
        entries = entry_points(group=f"opentelemetry_{signal}_exporter", name=name)
        if not entries:
            raise ValueError(
                f"{variable} is {name!r}; expected none or an installed exporter, such as otlp"
            )
        yield next(iter(entries)).load()()


async def flushing_lifespan(
    app: Callable[..., Any],
    scope: Scope,
    receive: Callable[..., Any],
    send: Callable[..., Any],
) -> Any:
    """
    Serve the lifespan by *app*; before its last message, export the remaining spans and records.

    An app that ends without a message, as Django's does, has no lifespan. This function then
    answers in its place: uvicorn ends by the signal that it received, and no exit handler runs.
    """
    is_used = False

    async def use(function: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal is_used
        is_used = True
        return await function(*arguments)

    try:
        returned = await app(scope, partial(use, receive), partial(use, _flushing_send, send))
    except Exception:
        if is_used:
            raise
    else:
        if is_used:
            return returned
    for step in ("startup", "shutdown"):
        await receive()
        await _flushing_send(send, {"type": f"lifespan.{step}.complete"})
    return None


async def _flushing_send(send: Callable[..., Any], message: Message) -> Any:
    if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
        try:
            from .export import flush_exports

            end_lost_spans(at_exit=True)
            await flush_exports()
        except Exception:
            report_once("exporting the last spans and log records")
    return await send(message)
