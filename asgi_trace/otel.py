"""
OpenTelemetry: a span for each request, log records, and their export, with the ids of the request's
log lines.

This is the public module for users of OpenTelemetry. It needs the extra ``otel``.
"""

from ._otel.logs import RequestLogHandler
from ._otel.setup import configure_opentelemetry
from ._otel.spans import RequestSpans

__all__ = ("RequestLogHandler", "RequestSpans", "configure_opentelemetry")
