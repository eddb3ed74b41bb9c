"""
Jobs beside OpenTelemetry: a program that sends jobs and runs them, with the SDK and a real tracer.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from asgi_trace import bound_carrier, bound_request_metadata, carrier, extract, get_request_metadata
from asgi_trace._otel.client_spans import span_provider
from asgi_trace._otel.jobs import use_job_spans
from asgi_trace._outgoing.propagation import job_spans

TRACE, CALLER = "ab" * 16, "cd" * 8


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    token = span_provider.set(provider)
    use_job_spans()
    yield exporter
    job_spans.run = None
    span_provider.reset(token)


def tracer() -> trace.Tracer:
    provider = span_provider.get()
    assert provider is not None
    return provider.get_tracer("shop")


def sent(flags: str = "01") -> dict[str, str]:
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-{flags}", "x-request-id": "a1b2c3d4"}
    with bound_request_metadata(extract(headers)) as request:
        assert request is not None
        request.fields["tenant"] = "acme"
        return carrier(fields=["tenant"])


def ids_of(span: ReadableSpan) -> tuple[str, str, str | None]:
    assert span.context is not None
    parent = None if span.parent is None else trace.format_span_id(span.parent.span_id)
    return (
        trace.format_trace_id(span.context.trace_id),
        trace.format_span_id(span.context.span_id),
        parent,
    )


def test_what_a_job_starts_is_under_its_span(spans: InMemorySpanExporter) -> None:
    """The span is under the call that sent the job, and its ids are on the job's lines."""
    ids = sent()
    with bound_carrier(ids):
        request = get_request_metadata()
        assert request is not None
        line = request.trace
        with tracer().start_as_current_span("charge"):
            calls_as = carrier()["traceparent"]
    charge, job = spans.get_finished_spans()
    assert ids_of(job) == (TRACE, line.span_id, ids["traceparent"][36:52])
    assert ids_of(charge) == (TRACE, calls_as[36:52], line.span_id)
    assert job.kind is SpanKind.CONSUMER
    assert job.attributes is not None
    assert job.attributes["asgi_trace.request_id"] == "a1b2c3d4"
    assert job.attributes["tenant"] == "acme"
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize("kind", [SpanKind.CONSUMER, SpanKind.SERVER])
def test_the_span_that_an_instrumentation_has_made_is_the_jobs(
    spans: InMemorySpanExporter, kind: SpanKind
) -> None:
    """As those of Celery's and of gRPC's instrumentation."""
    ids = sent()
    with (
        tracer().start_as_current_span(
            "run/bill", context=propagate.extract(ids), kind=kind
        ) as theirs,
        bound_carrier(ids) as request,
    ):
        assert request is not None
        assert request.span_id == trace.format_span_id(theirs.get_span_context().span_id)
    assert [span.name for span in spans.get_finished_spans()] == ["run/bill"]


def test_a_job_within_a_job_has_a_span_of_its_own(spans: InMemorySpanExporter) -> None:
    """As where a queue is configured to run its jobs at once."""
    with bound_carrier(sent()) as outer:
        assert outer is not None
        outer_span = outer.span_id
        with bound_carrier(carrier()) as inner:
            assert inner is not None
            inner_span = inner.span_id
    assert {ids_of(span)[1] for span in spans.get_finished_spans()} == {inner_span, outer_span}


def test_a_job_in_the_consumer_span_of_another_trace_is_in_its_own(
    spans: InMemorySpanExporter,
) -> None:
    """One span may be around a batch of messages."""
    with tracer().start_as_current_span("batch", kind=SpanKind.CONSUMER), bound_carrier(sent()):
        pass
    job, batch = spans.get_finished_spans()
    assert ids_of(job)[0] == TRACE != ids_of(batch)[0]


def test_a_job_that_fails_marks_its_span(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="no luck"), bound_carrier(sent()):
        raise ValueError("no luck")
    (job,) = spans.get_finished_spans()
    assert job.status.status_code is StatusCode.ERROR
    assert [event.name for event in job.events] == ["exception"]
    assert job.attributes is not None
    assert job.attributes["error.type"] == "ValueError"


@pytest.mark.parametrize("ids", [None, {"x-request-id": "a1b2c3d4"}, sent("00")])
def test_a_sender_without_a_tracer_does_not_silence_a_worker(
    spans: InMemorySpanExporter, ids: dict[str, str] | None
) -> None:
    with bound_carrier(ids) as request:
        assert (request is None) == (ids is None)
        tracer().start_span("charge").end()
    (charge,) = spans.get_finished_spans()
    assert (charge.name, charge.parent) == ("charge", None)


def test_a_job_that_the_garbage_collector_closes_is_no_error(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """It runs in another context then, in which there is nothing to undo."""

    async def jobs() -> AsyncIterator[None]:
        with bound_carrier(sent()):
            yield

    async def main() -> None:
        running = jobs()
        await asyncio.create_task(anext(running))  # type: ignore[arg-type]
        del running
        gc.collect()
        await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert [span.name for span in spans.get_finished_spans()] == ["job"]
    assert caplog.records == []
