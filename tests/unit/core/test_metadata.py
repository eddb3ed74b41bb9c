"""
The request's metadata object is safe to hold: in pickles, in copies, in a debugger, and in the
user's hands.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import cloudpickle
import dill
import jsonpickle
import pytest

from asgi_trace import (
    ContextThreadPoolExecutor,
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TraceContext,
    bound_carrier,
    bound_request_metadata,
    carrier,
    generate_request_id,
    get_request_metadata,
    get_session_id,
    inject,
    request_id_ctx,
    session_id_ctx,
)
from asgi_trace._core.exceptions import metadata_of

from ...asgi import hello, http_scope, response_ids, step, websocket_scope

TOKEN, COOKIE, KEY, QUERY = b"SECRET-TOKEN", b"SECRET-COOKIE", b"SECRET-KEY", b"SECRET-QUERY"
HEADERS = [
    (b"authorization", b"Bearer " + TOKEN),
    (b"cookie", b"sid=" + COOKIE),
    (b"baggage", b"k=" + COOKIE),
]

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "digest_key": {"digest_key": KEY},
    "generator": {"generator": lambda: "made"},
    "validator": {"validator": lambda value: True},
    "networks": {"trust_inbound": ("127.0.0.0/8",)},
    "answering": {"session_response_header": "X-Session-ID", "traceresponse": True},
    "observing": {"observe_body": True, "access_log": True},
}
SERIALIZERS: dict[str, Callable[[Any], bytes]] = {
    **{
        f"pickle-{protocol}": lambda value, p=protocol: pickle.dumps(value, p)
        for protocol in range(6)
    },
    "dill": dill.dumps,
    "cloudpickle": cloudpickle.dumps,
    "jsonpickle": lambda value: jsonpickle.encode(value, keys=True).encode(),
    "repr": lambda value: repr(value).encode(),
    "str": lambda value: str(value).encode(),
    "vars": lambda value: repr(vars(value)).encode(),
    "copy": lambda value: repr(_inside(copy.copy(value))).encode(),
    "deepcopy": lambda value: repr(_inside(copy.deepcopy(value))).encode(),
}


def _inside(value: Any) -> list[Any]:
    """Everything that an object of ours holds, in its dict and in its slots."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    held = [getattr(value, name, None) for name in slots if name not in ("__dict__", "__weakref__")]
    return [vars(value), held]


def _in_a_request(
    do: Callable[[RequestMetadata], Any], scope: dict[str, Any] | None = None, **options: Any
) -> Any:
    results: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        results.append(do(metadata))
        await hello(scope, receive, send)

    given = http_scope(HEADERS, query_string=b"token=" + QUERY) if scope is None else scope
    step(RequestTracingMiddleware(app, **options), given)
    return results[0]


def _exception_of_a_request(**options: Any) -> Exception:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom") as caught:
        step(
            RequestTracingMiddleware(app, **options),
            http_scope(HEADERS, query_string=b"token=" + QUERY),
        )
    return caught.value


def _exception_of_a_job(pool: Executor) -> BaseException:
    with pool:
        failed = pool.submit(lambda: 1 / 0).exception()
    assert failed is not None
    return failed


def _secrets_in(data: bytes) -> list[bytes]:
    coming = [generate_request_id().encode() for _ in range(600)]
    return [secret for secret in (TOKEN, COOKIE, KEY, QUERY, *coming) if secret in data]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("serialize", SERIALIZERS.values(), ids=SERIALIZERS)
def test_no_form_of_a_request_holds_a_secret(
    serialize: Callable[[Any], bytes], options: dict[str, Any]
) -> None:
    """No header, token, key or id of a later request; and none of them raises."""
    generate_request_id()
    assert _in_a_request(lambda metadata: _secrets_in(serialize(metadata)), **options) == []


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("serialize", SERIALIZERS.values(), ids=SERIALIZERS)
def test_no_form_of_an_exception_holds_a_secret(
    serialize: Callable[[Any], bytes], options: dict[str, Any]
) -> None:
    """Of one that left a request, and of one that a pool's job raised in it."""
    generate_request_id()
    assert _secrets_in(serialize(_exception_of_a_request(**options))) == []
    failed = _in_a_request(
        lambda metadata: _exception_of_a_job(ContextThreadPoolExecutor()), **options
    )
    assert _secrets_in(serialize(failed)) == []


@pytest.mark.parametrize(
    "again",
    [
        lambda metadata: pickle.loads(pickle.dumps(metadata)),
        lambda metadata: dill.loads(dill.dumps(metadata)),
        lambda metadata: jsonpickle.decode(jsonpickle.encode(metadata, keys=True), keys=True),
        copy.copy,
        copy.deepcopy,
    ],
    ids=["pickle", "dill", "jsonpickle", "copy", "deepcopy"],
)
@pytest.mark.parametrize(
    "scope", [http_scope(HEADERS), websocket_scope()], ids=["http", "websocket"]
)
def test_a_copy_is_plain_and_has_the_same_ids(
    again: Callable[[Any], RequestMetadata], scope: dict[str, Any]
) -> None:
    def compare(metadata: RequestMetadata) -> None:
        metadata.mcp_method, metadata.jsonrpc_id = "tools/call", "7"
        metadata.fields["tenant"] = object()
        found = again(metadata)
        assert type(found) is RequestMetadata
        names = (
            "request_id",
            "session_id",
            "parent_request_id",
            "trace",
            "start_time",
            "method",
            "path",
        )
        names += ("transport_type", "mcp_call", "mcp_session_id", "ended")
        assert [getattr(found, name) for name in names] == [
            getattr(metadata, name) for name in names
        ]

    _in_a_request(compare, dict(scope))


def test_a_pickle_names_the_public_module_alone() -> None:
    """So that it loads under a later version, whose private modules are others."""
    data = _in_a_request(pickle.dumps)
    assert b"asgi_trace" in data
    assert b"asgi_trace." not in data


def test_an_exception_unpickles_where_asgi_trace_is_not_installed() -> None:
    data = pickle.dumps(_exception_of_a_request())
    code = "import sys, pickle; print(repr(pickle.loads(sys.stdin.buffer.read())))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], input=data, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"ValueError('boom')"


def test_an_exception_that_was_pickled_keeps_its_ids() -> None:
    raised = _exception_of_a_request()
    before, after = metadata_of(raised), metadata_of(pickle.loads(pickle.dumps(raised)))
    assert before is not None
    assert after is not None
    names = ("request_id", "session_id", "trace_id", "span_id")
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]


def test_a_shim_that_steps_aside_has_an_object_that_can_be_shown_and_pickled() -> None:
    """A debug page shows the locals of every frame."""
    empty = RequestTracingMiddleware(hello)._request()
    assert repr(empty) == "<RequestMetadata of no request>"
    assert type(pickle.loads(pickle.dumps(empty))) is RequestMetadata


# -- attributes of the user's ----------------------------------------------------------------------

PUBLIC = [name for name in dir(RequestMetadata) if not name.startswith("_")]
# What the machinery has been called, or could be.
OTHERS = [
    "stamp",
    "copy",
    "call_trace",
    "continue_trace",
    "read",
    "header",
    "learn_call",
    "open_stream",
    "tenant",
]


@pytest.mark.parametrize("value", [None, 1, "mine", object(), [], {}], ids=repr)
@pytest.mark.parametrize("name", sorted({*PUBLIC, *OTHERS}))
def test_no_attribute_that_a_user_sets_breaks_the_shim(name: str, value: Any) -> None:
    """It is refused or kept; the response, outgoing headers, lines and copies are as without it."""
    records: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    handler = Lines()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        with contextlib.suppress(AttributeError, TypeError):
            setattr(metadata, name, value)
        assert "traceparent" in inject({})
        with bound_request_metadata(copy.copy(metadata)):
            session_id_ctx.reset(session_id_ctx.set("another"))
        pickle.dumps(metadata)
        repr(metadata)
        await hello(scope, receive, send)

    logging.getLogger("asgi_trace").addHandler(handler)
    try:
        sent = step(
            RequestTracingMiddleware(app, traceresponse=True),
            http_scope([(b"x-request-id", b"r1")]),
        )
    finally:
        logging.getLogger("asgi_trace").removeHandler(handler)
    assert len(response_ids(sent)) == 1
    if name != "request_id":
        assert response_ids(sent) == [b"r1"]
    assert [text for text in records if "failed" in text] == []


def test_a_request_always_has_an_id() -> None:
    """An app that empties it keeps the one that it had."""

    def empty(metadata: RequestMetadata) -> None:
        metadata.request_id = None
        assert metadata.request_id == "r1"

    _in_a_request(empty, http_scope([(b"x-request-id", b"r1")]))


@pytest.mark.parametrize("bad", [None, 7, "tenant", [("a", 1)]])
def test_fields_are_a_dict(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"fields is .* expected a dict"):
        RequestMetadata().fields = bad


def test_a_trace_is_a_trace_context() -> None:
    with pytest.raises(TypeError, match="trace is '00-…'; expected a TraceContext"):
        RequestMetadata().trace = "00-…"  # type: ignore[assignment]


def test_fields_hold_for_the_whole_request_wherever_they_are_set() -> None:
    """In a context that has a session of its own, too."""

    def set_in_another_context(metadata: RequestMetadata) -> None:
        metadata.fields["tenant"] = "acme"
        token = session_id_ctx.set("another")
        current = get_request_metadata()
        assert current is not None
        assert current.fields == {"tenant": "acme"}
        current.fields["plan"] = "gold"
        session_id_ctx.reset(token)
        assert metadata.fields == {"tenant": "acme", "plan": "gold"}

    _in_a_request(set_in_another_context)


def _ids_of_a_line(metadata: RequestMetadata) -> dict[str, str]:
    record = logging.LogRecord("shop", logging.INFO, "shop.py", 1, "line", (), None)
    RequestTracingFilter().filter(record)
    return {name: vars(record)[name] for name in ("request_id", "session_id", *TRACE)}


TRACE = ("trace_id", "span_id")
READS: dict[str, Callable[[RequestMetadata], dict[str, Any]]] = {
    "line": _ids_of_a_line,
    "session": lambda metadata: {"session_id": metadata.session_id},
    "trace": lambda metadata: {name: getattr(metadata, name) for name in TRACE},
    "transport": lambda metadata: {"transport_type": metadata.transport_type},
    "call": lambda metadata: {"mcp_method": metadata.mcp_method},
}


@pytest.mark.parametrize("order", list(itertools.permutations(READS)), ids="-".join)
def test_ids_are_the_same_in_whatever_order_they_are_read(order: tuple[str, ...]) -> None:
    """On a line, whose ids are all found at once, and one by one."""

    def compare(metadata: RequestMetadata) -> None:
        ids: dict[str, Any] = {"request_id": metadata.request_id}
        for name in [*order, *order]:
            for key, value in READS[name](metadata).items():
                assert ids.setdefault(key, value) == value, (name, key)
        assert ids["trace_id"] == ids["request_id"]
        assert ids["transport_type"] == "sse"

    _in_a_request(compare, http_scope([(b"host", b"a"), (b"accept", b"text/event-stream")]))


@pytest.mark.parametrize("read", ["line", "trace"])
def test_a_request_id_set_after_a_line_keeps_the_trace_of_that_line(read: str) -> None:
    def compare(metadata: RequestMetadata) -> None:
        before = READS[read](metadata)
        metadata.session_id = "by-hand"
        metadata.request_id = "0" * 31 + "1"
        after = _ids_of_a_line(metadata)
        assert {name: after[name] for name in TRACE} == {name: before[name] for name in TRACE}
        assert after["request_id"] == "0" * 31 + "1"

    _in_a_request(compare)


def test_an_id_set_by_hand_keeps_the_trace_and_the_baggage() -> None:
    """The context has another id, and is the same request's."""

    def compare(metadata: RequestMetadata) -> None:
        before = (metadata.trace, metadata.tracestate, metadata.baggage)
        token = request_id_ctx.set("by-hand")
        current = get_request_metadata()
        assert current is not None
        assert current.request_id == "by-hand"
        assert (current.trace, current.tracestate, current.baggage) == before
        request_id_ctx.reset(token)

    trace = [
        (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
        (b"tracestate", b"v=1"),
    ]
    _in_a_request(compare, http_scope([*trace, (b"baggage", b"k=1")]))


# -- fields in carriers ----------------------------------------------------------------------------


def test_a_carrier_takes_along_only_the_fields_that_are_named() -> None:
    with bound_request_metadata(RequestMetadata("s1", "r1")) as request:
        assert request is not None
        request.fields.update(tenant="acme", plan="gold", size=3)
        assert "asgi-trace-fields" not in carrier()
        sent = carrier(fields=("tenant", "size", "missing"))
    with bound_carrier(sent) as job:
        assert job is not None
        assert (job.request_id, job.session_id, job.fields) == (
            "r1",
            "s1",
            {"tenant": "acme", "size": 3},
        )


def test_a_field_that_json_has_no_form_for_is_carried_as_its_text() -> None:
    with bound_request_metadata(RequestMetadata("s1", "r1")) as request:
        assert request is not None
        request.fields["at"] = TraceContext
        with bound_carrier(carrier(fields=("at",))) as job:
            assert job is not None
            assert job.fields == {"at": str(TraceContext)}


@pytest.mark.parametrize("fields", ["{", "[1]", "7", "[" * 100_000, '{"a": "' + "x" * 9000 + '"}'])
def test_fields_that_cannot_be_read_cost_the_fields_alone(fields: str) -> None:
    with bound_carrier({"x-request-id": "r1", "asgi-trace-fields": fields}) as job:
        assert job is not None
        assert (job.request_id, job.fields) == ("r1", {})


def test_a_name_alone_is_no_list_of_fields() -> None:
    with pytest.raises(
        TypeError, match=r"fields is 'tenant'; expected a sequence of names, such as \('tenant',\)"
    ):
        carrier(fields="tenant")


# -- ids set by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bob", "bob"),
        ("José Pérez", "José Pérez"),
        ("bob] - x", r"bob\x5d - x"),
        ("a|b", r"a\x7cb"),
        ("x\n2024-01-15 - forged", r"x\x0a2024-01-15 - forged"),
        ("\x1b[31m\u2028\u202e\x85", r"\x1b[31m\u2028\u202e\x85"),
        ("\ud800", r"\ud800"),
        ("DOMAIN\\user", "DOMAIN\\user"),
        (4711, "4711"),
        (" bob\t", "bob"),
        (" none ", None),
        (" ", None),
        ("none", None),
        ("None", None),
        ("", None),
        (None, None),
    ],
)
def test_an_id_set_by_hand_cannot_end_its_bracket_or_line(given: Any, kept: str | None) -> None:
    """By each way to set one, and twice is as good as once."""
    metadata = RequestMetadata(given, given, parent_request_id=given)
    assert (metadata.session_id, metadata.request_id, metadata.parent_request_id) == (
        kept,
        kept,
        kept,
    )
    assert RequestMetadata(metadata.session_id).session_id == kept
    with bound_request_metadata(RequestMetadata()):
        token = session_id_ctx.set(given)
        assert get_session_id() == kept
        session_id_ctx.reset(token)

    def assign(metadata: RequestMetadata) -> None:
        metadata.session_id = given
        assert metadata.session_id == kept

    _in_a_request(assign)


def test_an_id_set_by_hand_is_safe_in_the_response_header() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        metadata = get_request_metadata()
        assert metadata is not None
        metadata.request_id = "a\r\nset-cookie: x"
        await hello(scope, receive, send)

    assert response_ids(step(RequestTracingMiddleware(app), http_scope())) == [
        rb"a\x0d\x0aset-cookie: x"
    ]
