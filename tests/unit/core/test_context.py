from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import threading
from typing import Any

import pytest

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TraceContext,
    bound_request_metadata,
    get_request_id,
    get_request_metadata,
    get_session_id,
    request_id_ctx,
    reset_request_metadata,
    session_id_ctx,
    set_request_metadata,
)
from asgi_trace._core.exceptions import metadata_of, stamp_exception

from ...asgi import hello, http_scope, step


def test_outside_a_request_there_is_nothing() -> None:
    """And asking raises nothing."""
    assert (get_request_id(), get_session_id(), get_request_metadata()) == (None, None, None)
    assert (request_id_ctx.get(), session_id_ctx.get(), session_id_ctx.get("default")) == (
        None,
        None,
        "default",
    )


def test_metadata_has_the_fields_of_the_article() -> None:
    """In its order, all optional, and the time is that of its making."""
    metadata = RequestMetadata("s", "r", 1.5, "GET", "/", "http")
    assert repr(metadata) == (
        "RequestMetadata(session_id='s', request_id='r', start_time=1.5, method='GET', path='/', transport_type='http')"
    )
    empty = RequestMetadata()
    assert (empty.session_id, empty.request_id, empty.method, empty.path, empty.transport_type) == (
        None,
    ) * 5
    assert empty.start_time > 1_700_000_000


def test_work_outside_http_can_be_bound() -> None:
    """A worker's job: nested, and back to what was before."""
    job, step_of_it = RequestMetadata("nightly", "job-1"), RequestMetadata("nightly", "job-1.1")
    with bound_request_metadata(job) as bound:
        assert bound is job
        with bound_request_metadata(step_of_it):
            assert (get_request_id(), get_session_id()) == ("job-1.1", "nightly")
        assert get_request_metadata() is job
        with bound_request_metadata(None):
            assert get_request_id() is None
    assert get_request_metadata() is None


def test_the_block_is_left_by_an_exception_too() -> None:
    with pytest.raises(KeyError), bound_request_metadata(RequestMetadata()):
        raise KeyError
    assert get_request_metadata() is None


def test_set_and_reset_are_a_pair() -> None:
    token = set_request_metadata(RequestMetadata(request_id="a"))
    assert get_request_id() == "a"
    reset_request_metadata(token)
    assert get_request_id() is None


def test_what_is_no_metadata_is_refused_at_once() -> None:
    """Rather than by each function that reads an id later. The value may contain a secret."""
    job: Any = {"x-request-id": "a", "authorization": "s3cret"}
    for bind in (set_request_metadata, lambda value: bound_request_metadata(value).__enter__()):
        with pytest.raises(TypeError, match="of type dict; expected a RequestMetadata") as error:
            bind(job)
        assert "s3cret" not in str(error.value)
        assert get_request_id() is None


def test_a_reset_from_another_context_does_nothing() -> None:
    """The garbage collector may close a coroutine anywhere."""
    token = contextvars.Context().run(set_request_metadata, RequestMetadata())
    reset_request_metadata(token)
    assert get_request_metadata() is None


@pytest.mark.parametrize(
    ("variable", "getter"), [(request_id_ctx, get_request_id), (session_id_ctx, get_session_id)]
)
@pytest.mark.parametrize("outside", [True, False])
def test_an_id_variable_behaves_as_a_context_variable(
    variable: Any, getter: Any, outside: bool
) -> None:
    """Set, seen by every reader, reset; and a copied context's change is its own."""
    metadata = None if outside else RequestMetadata("session", "request")
    with bound_request_metadata(metadata):
        before = variable.get()
        token = variable.set("changed")
        assert variable.get() == getter() == "changed"
        contextvars.copy_context().run(variable.set, "elsewhere")
        assert variable.get() == "changed"
        variable.reset(token)
        assert variable.get() == getter() == before
        assert get_request_metadata() is metadata


def test_setting_one_id_leaves_the_other_and_the_trace() -> None:
    """Inside a request with nothing inbound: made ids do not change because one is set."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = scope["asgi_trace"]
        token = request_id_ctx.set("sub-operation")
        changed = get_request_metadata()
        assert changed is not None
        seen.append(
            (changed.request_id, changed.session_id, changed.trace_id, changed.trace.span_id)
        )
        request_id_ctx.reset(token)
        seen.append(
            (get_request_id(), metadata.session_id, metadata.trace_id, metadata.trace.span_id)
        )

    step(RequestTracingMiddleware(app), http_scope())
    assert seen[0][0] == "sub-operation" != seen[1][0]
    assert seen[0][1:3] == seen[1][1:3]


def test_attributes_of_ones_own_may_be_added() -> None:
    """One object per request, for whatever the app wants to keep with it."""
    metadata = RequestMetadata()
    metadata.user = "alice"  # type: ignore[attr-defined]
    with bound_request_metadata(metadata):
        assert get_request_metadata().user == "alice"  # type: ignore[union-attr]


def test_lazy_ids_are_the_same_in_all_threads() -> None:
    """Sixteen threads ask at once, for ids that nobody has made yet."""
    found: list[tuple[Any, ...]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata, barrier = scope["asgi_trace"], threading.Barrier(16)

        def ask() -> None:
            barrier.wait()
            found.append((metadata.session_id, metadata.trace_id, metadata.trace.span_id))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for _ in range(20):
        found.clear()
        step(RequestTracingMiddleware(app), http_scope([(b"x-request-id", b"short")]))
        assert len(found) == 16
        assert len(set(found)) == 1


def test_an_exception_group_leads_to_its_request() -> None:
    """A server that runs the app in a task group logs the group."""
    metadata, inner = RequestMetadata(), KeyError("x")
    stamp_exception(inner, metadata)

    class Group(Exception):  # noqa: N818 - an ExceptionGroup's shape, on every Python
        exceptions = (ValueError(), inner)

    assert metadata_of(Group()) is metadata
    assert metadata_of(ValueError()) is None


def test_the_members_of_a_group_lead_to_its_request() -> None:
    """``except*`` hands a worker a new group, and ``split()`` too: only the members are the same."""
    metadata = RequestMetadata("s1", "r1")

    class Group(Exception):  # noqa: N818 - an ExceptionGroup's shape, on every Python
        def __init__(self, *members: Exception) -> None:
            self.exceptions = members

    leaf = KeyError("x")
    with pytest.raises(Group), bound_request_metadata(metadata):
        raise Group(ValueError(), Group(leaf))
    assert metadata_of(leaf) is metadata
    assert metadata_of(Group(leaf)) is metadata


def test_a_group_without_end_costs_little() -> None:
    class Endless(Exception):  # noqa: N818
        @property
        def exceptions(self) -> tuple[Exception, ...]:
            return (Endless(), Endless())

    assert metadata_of(Endless()) is None


class NoMembers(Exception):  # noqa: N818
    exceptions = None


class Method(Exception):  # noqa: N818
    def exceptions(self) -> list[Exception]:
        return []


class Raises(Exception):  # noqa: N818
    @property
    def exceptions(self) -> Any:
        raise KeyError("no members")


class Infinite(Exception):  # noqa: N818
    @property
    def exceptions(self) -> Any:
        return itertools.count()


class Million(Exception):  # noqa: N818
    exceptions = (KeyError(),) * 1_000_000


class Others(Exception):  # noqa: N818
    exceptions = ("no exception", 7, None)


class AnyAttribute(Exception):  # noqa: N818
    def __getattr__(self, name: str) -> Any:
        return self


class NoAttribute(Exception):  # noqa: N818
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


ODD = [NoMembers, Method, Raises, Infinite, Million, Others, AnyAttribute, NoAttribute]


@pytest.mark.parametrize("kind", ODD)
def test_an_exception_with_an_attribute_of_that_name_is_no_group(kind: type[Exception]) -> None:
    """It has the ids of its request, raised there or only logged there; and it costs little."""
    metadata = RequestMetadata("s1", "r1")
    assert metadata_of(kind()) is None
    record = logging.makeLogRecord({"exc_info": (kind, kind(), None)})
    with bound_request_metadata(metadata):
        assert RequestTracingFilter().filter(record)
    assert (record.__dict__["request_id"], record.__dict__["session_id"]) == ("r1", "s1")
    raised = kind()
    stamp_exception(raised, metadata)
    assert metadata_of(raised) is metadata


def test_a_wide_group_costs_no_more_than_a_narrow_one() -> None:
    """The search ends after a fixed number of members."""
    asked: list[int] = []

    class Member(Exception):  # noqa: N818
        def __getattr__(self, name: str) -> Any:
            asked.append(1)
            raise AttributeError(name)

    class Wide(Exception):  # noqa: N818
        exceptions = [Member()] * 100_000

    assert metadata_of(Wide()) is None
    assert len(asked) < 1000


def test_tasks_and_to_thread_inherit() -> None:
    """create_task, gather and to_thread, as in the article."""

    async def worker() -> tuple[str | None, str | None]:
        await asyncio.sleep(0)
        return get_request_id(), await asyncio.to_thread(get_request_id)

    async def main() -> list[tuple[str | None, str | None]]:
        with bound_request_metadata(RequestMetadata(request_id="parent")):
            tasks = [asyncio.create_task(worker()) for _ in range(3)]
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [("parent", "parent")] * 3


HEADER = [
    (b"traceparent", f"00-{'a' * 32}-{'b' * 16}-01".encode()),
    (b"tracestate", b"a=1"),
    (b"baggage", b"k=1"),
]
PARENT = TraceContext("c" * 32, "d" * 16, 1)


def _continued(**options: Any) -> tuple[RequestMetadata, str]:
    """
    The metadata of a request that was told of another parent than that in its headers, and its span
    before.
    """
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        found.extend((metadata, metadata.span_id))
        metadata._continue_trace(PARENT, "c=2", "k=2")
        await hello(scope, receive, send)

    step(RequestTracingMiddleware(app, **options), http_scope(HEADER))
    metadata, span_id = found
    return metadata, span_id


def test_a_parent_that_came_by_a_better_way_outranks_the_headers() -> None:
    """They are a link, then; and the request's own span stays the same."""
    metadata, span_id = _continued()
    assert (metadata.trace_id, metadata.parent_span_id, metadata.span_id) == (
        "c" * 32,
        "d" * 16,
        span_id,
    )
    assert (metadata.tracestate, metadata.baggage) == ("c=2", "k=2")
    assert metadata.linked_trace == TraceContext("a" * 32, "b" * 16, 1)
    job = RequestMetadata(request_id="job")
    job._continue_trace(PARENT, "c=2", "k=2")
    assert (job.trace_id, job.parent_span_id, job.tracestate, job.baggage) == (
        "c" * 32,
        "d" * 16,
        "c=2",
        "k=2",
    )


def test_a_stranger_tells_no_parent_by_any_way() -> None:
    metadata, _ = _continued(trust_inbound=False)
    assert (metadata.trace_id, metadata.parent_span_id) == (metadata.request_id, None)
    assert (metadata.tracestate, metadata.baggage) == ("", "")


def test_a_span_that_a_tracer_records_has_its_parent_already() -> None:
    job = RequestMetadata(request_id="job")
    job.trace = recorded = TraceContext("e" * 32, "f" * 16, 1)
    job._calling_span = lambda metadata: metadata.trace
    job._continue_trace(PARENT, "c=2", "k=2")
    assert (job.trace, job.tracestate, job.baggage) == (recorded, "", "")


def test_an_exception_that_leaves_a_bound_block_carries_its_ids() -> None:
    """For a worker that logs it later; inside another request it is that request's."""
    job, request = RequestMetadata("nightly", "job-1"), RequestMetadata("alice", "a1")

    def failed() -> BaseException:
        with pytest.raises(KeyError) as error, bound_request_metadata(job):
            raise KeyError("x")
        return error.value

    assert metadata_of(failed()) is job
    with bound_request_metadata(request):
        assert metadata_of(failed()) is None
