"""
The metrics of a server's requests and of its calls, where a meter provider is set up.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""

from __future__ import annotations

from time import perf_counter

from opentelemetry import metrics
from opentelemetry.context import Context

from .attributes import Attributes

__all__ = ("NO_METERS", "ClientMetrics", "Measured", "ServerMetrics")

NO_METERS = frozenset({"_ProxyMeterProvider", "NoOpMeterProvider"})
"""The API's own providers, which measure nothing."""

# The buckets of the conventions, in seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

_OF_ACTIVE = ("http.request.method", "url.scheme")
_OF_DURATION = (
    *_OF_ACTIVE,
    "error.type",
    "http.response.status_code",
    "http.route",
    "network.protocol.version",
)
_OF_CALL = (
    "http.request.method",
    "server.address",
    "server.port",
    "error.type",
    "http.response.status_code",
    "network.protocol.version",
)


class ServerMetrics:
    """The instruments of one meter provider: the duration of requests, and how many are active."""

    def __init__(self, provider: metrics.MeterProvider, name: str) -> None:
        self.provider = provider
        meter = provider.get_meter(name)
        self.duration = meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self.active = meter.create_up_down_counter(
            "http.server.active_requests",
            unit="{request}",
            description="Number of active HTTP server requests.",
        )


class Measured:
    """A request that is measured from now on; *attributes* are those of its start."""

    def __init__(self, instruments: ServerMetrics, attributes: Attributes) -> None:
        self._instruments = instruments
        self._began = perf_counter()
        self._of_active = _named(attributes, _OF_ACTIVE)
        instruments.active.add(1, self._of_active)

    def end(self, attributes: Attributes, context: Context) -> None:
        """
        Record the request, which has ended with *attributes*.

        :param context: has the request's span, to be used for the exemplar.
        """
        duration = perf_counter() - self._began
        self._instruments.active.add(-1, self._of_active, context)
        self._instruments.duration.record(duration, _named(attributes, _OF_DURATION), context)


class ClientMetrics:
    """The instrument of one meter provider: the duration of calls."""

    def __init__(self, provider: metrics.MeterProvider, name: str) -> None:
        self.provider = provider
        self._duration = provider.get_meter(name).create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )

    def record(self, seconds: float, attributes: Attributes, context: Context) -> None:
        """Record a call, which has ended with *attributes*; *context* has its span."""
        self._duration.record(seconds, _named(attributes, _OF_CALL), context)


def _named(attributes: Attributes, names: tuple[str, ...]) -> Attributes:
    return {name: attributes[name] for name in names if name in attributes}
