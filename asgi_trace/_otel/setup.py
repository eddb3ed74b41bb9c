"""
Export over OTLP: providers, exporters and the log handler, as the standard ``OTEL_…`` variables
say.

The SDK and its exporters are imported when they are asked for.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import trace

from .._core.faults import report_once
from .._core.scope import Message
from .._logging.setup import attach_exporter
from .ids import adapt
from .logs import RequestLogHandler

__all__ = ("configure_opentelemetry", "configured", "flushing_send")

# The providers that configure_opentelemetry() has made.
configured: list[Any] = []

_FLUSH_MILLISECONDS = 5_000


def configure_opentelemetry() -> None:
    """
    Export spans and log records over OTLP. The standard ``OTEL_…`` variables configure it.

    A tracer or logger provider that the program has set itself is not changed.

    :raises ValueError: for an exporter that is not installed.

    .. versionadded:: 0.1
    """
    # OpenTelemetry's modules for logs are the underscored ones; there are no public ones.
    from opentelemetry import _logs
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        spans = TracerProvider()
        for exporter in _exporters("traces"):
            spans.add_span_processor(BatchSpanProcessor(exporter))
        adapt(spans)  # before any tracer is made
        trace.set_tracer_provider(spans)
        configured.append(spans)
    exporters = [*_exporters("logs")]
    if not exporters or isinstance(_logs.get_logger_provider(), LoggerProvider):
        return
    logs = LoggerProvider()
    for exporter in exporters:
        logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
    _logs.set_logger_provider(logs)
    configured.append(logs)

    class Exporting(LoggingHandler):
        def flush(self) -> None:
            # The handler flushes in a new thread. From CPython 3.12 on, an interpreter that ends
            # cannot start one. By then the provider has exported the rest: its exit handler was
            # registered later, so it runs first.
            with suppress(RuntimeError):
                super().flush()

    attach_exporter(RequestLogHandler(Exporting(logger_provider=logs)))


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
        found = entry_points(group=f"opentelemetry_{signal}_exporter", name=name)
        if not found:
            raise ValueError(
                f"{variable} is {name!r}; expected none or an installed exporter, such as otlp"
            )
        yield next(iter(found)).load()()


def flushing_send(send: Callable[..., Any], message: Message) -> Any:
    """
    Pass *message* of the lifespan to *send*; before the last one, export the spans and records that
    are left.

    A server such as uvicorn may end itself by the signal that it received, and then no exit handler
    runs.
    """
    if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
        for provider in configured:
            try:
                provider.force_flush(_FLUSH_MILLISECONDS)
            except Exception:
                report_once("exporting the last spans and log records")
    return send(message)
