"""What an MCP client tells in a call's body and its headers; ``tests/mcp`` asks real servers."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from asgi_trace import RequestMetadata, bound_carrier, bound_request_metadata, get_request_metadata
from asgi_trace._core.exceptions import metadata_of
from asgi_trace.mcp import outgoing_meta, request_hook, trace_messages

from ...asgi import http_scope

TRACE = "0af7651916cd43dd8448eb211c80319c"
INBOUND = {
    "traceparent": f"00-{TRACE}-b7ad6b7169203331-03",
    "tracestate": "rojo=1",
    "baggage": "userId=alice",
    "x-request-id": "a1b2c3d4",
    "x-session-id": "abc12345",
}
META = {
    "traceparent": f"00-{'c' * 32}-{'d' * 16}-01",
    "tracestate": "c=1",
    "asgi-trace/request-id": "told",
    "progressToken": 7,
}
URL = "http://b.internal/mcp"


def message(meta: Any = None, **params: Any) -> bytes:
    params |= {"_meta": meta} if meta is not None else {}
    return json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    ).encode()


def sent(
    body: Any, url: str = URL, headers: dict[str, str] | None = None, **options: Any
) -> dict[str, str]:
    """The headers of ours with which an httpx client sends *body*."""
    found: dict[str, str] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        names = ("traceparent", "tracestate", "baggage", "x-request-id", "x-session-id")
        found.update({name: request.headers[name] for name in names if name in request.headers})
        return httpx.Response(200)

    async def send() -> None:
        hooks: Any = {"request": [request_hook(**options)]}
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answer), event_hooks=hooks
        ) as client:
            await client.post(url, content=body, headers=headers)

    asyncio.run(send())
    return found


def test_a_calls_meta_tells_the_current_request() -> None:
    """By the names of SEP-414, and the request's id behind a prefix; what else is in it stays."""
    given = {"progressToken": 7, "traceparent": "stale"}
    with bound_carrier(INBOUND):
        meta = outgoing_meta(given)
        assert meta.keys() == {
            "progressToken",
            "traceparent",
            "tracestate",
            "asgi-trace/request-id",
        }
        assert meta["traceparent"].split("-")[1] == TRACE
        assert meta["tracestate"] == "rojo=1"
        assert outgoing_meta(baggage=True)["baggage"] == "userId=alice"
        assert (meta["asgi-trace/request-id"], meta["progressToken"]) == ("a1b2c3d4", 7)
        assert outgoing_meta(session=True)["asgi-trace/session-id"] == "abc12345"
    assert given == {"progressToken": 7, "traceparent": "stale"}


def test_outside_a_request_there_is_nothing_to_tell() -> None:
    assert outgoing_meta() == {}
    assert outgoing_meta({"progressToken": 7}) == {"progressToken": 7}
    assert sent(message()) == {}


def test_a_call_without_meta_has_the_current_requests_headers() -> None:
    """Session and baggage go to hosts that are named."""
    with bound_carrier(INBOUND):
        assert sent(message()).keys() == {"traceparent", "tracestate", "x-request-id"}
        assert sent(message(), trusted_hosts=["b.internal"])["x-session-id"] == "abc12345"


def test_what_the_body_tells_is_what_the_headers_tell() -> None:
    """
    Another request may be current where the call is sent from: then nothing of that one goes along.
    """
    told = {"traceparent": META["traceparent"], "tracestate": "c=1", "x-request-id": "told"}
    assert sent(message(META)) == told
    with bound_carrier(INBOUND):
        assert sent(message(META), trusted_hosts=["b.internal"]) == told
        assert sent(message(META | {"asgi-trace/session-id": "s"})) == told | {"x-session-id": "s"}
        assert sent(message(META), headers={"X-Request-ID": "own", "Baggage": "b=1"}) == told | {
            "baggage": "b=1"
        }


def test_of_the_current_request_the_session_goes_along() -> None:
    """Where the body tells that the call is its own."""
    with bound_carrier(INBOUND):
        own = sent(message(outgoing_meta()), trusted_hosts=["b.internal"])
    assert (own["traceparent"].split("-")[1], own["x-session-id"]) == (TRACE, "abc12345")


def test_a_request_that_has_ended_makes_no_call() -> None:
    """On version 1 of the SDK it may have opened a session that others share."""
    metadata = RequestMetadata("s", "r")
    with bound_request_metadata(metadata):
        assert sent(message())["x-request-id"] == "r"
        metadata.ended = True
        assert sent(message()) == {}
        assert sent(message(META))["x-request-id"] == "told"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'"_meta"',
        b'{"params": ["_meta"]}',
        b'[{"params": {"_meta": {}}}]',
        b'{"params": {"_meta": 7}}',
        b'{"params": {"_meta": {"traceparent": 7}}}',
        b'{"params": {"_meta": {"traceparent": "x", "asgi-trace/request-id": "a b\\r\\nc"}}}',
        b'{"params": {"_meta": ' + b"[" * 100_000,
        message(META, pad="x" * (1 << 20)),
        "café \xff _meta".encode("latin-1"),
    ],
)
def test_no_body_stops_a_call(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What is not a message that tells its caller tells nothing, and is no reason for a warning."""
    assert sent(body) == {}
    assert caplog.messages == []


def test_a_streamed_body_is_left_alone() -> None:
    async def stream() -> Any:
        yield message(META)

    with bound_carrier(INBOUND):
        assert sent(stream())["x-request-id"] == "a1b2c3d4"


def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"trusted_hosts has 'http://b'"):
        request_hook(trusted_hosts=["http://b"])


def handled(**context: Any) -> RequestMetadata:
    """
    What is known of a message with this *context*, in the shape of version 2 of the SDK, while it
    is handled.
    """
    given = SimpleNamespace(
        method="tools/call", params={"name": "add"}, request_id=7, meta=None, request=None
    )
    vars(given).update(context)

    async def call_next(context: Any) -> Any:
        return get_request_metadata()

    metadata: RequestMetadata = asyncio.run(trace_messages(given, call_next))
    return metadata


def test_a_message_that_nothing_carried_is_a_request_of_its_own() -> None:
    """
    With the session of whoever runs the server, else of the process; it ends with the message.
    """
    first, second = handled(), handled()
    assert first.request_id != second.request_id
    assert first.session_id == second.session_id
    assert (first.trace_id, first.mcp_call, first.ended) == (
        first.request_id,
        "tools/call add #7",
        True,
    )
    with bound_request_metadata(RequestMetadata("nightly", "job")):
        inside = handled()
    assert inside.session_id == "nightly"
    assert inside.request_id != "job"


def test_a_message_tells_its_ids_over_any_transport() -> None:
    """
    As our own clients do: the id of the request that calls, and the session where it was asked for.
    """
    with bound_carrier(INBOUND):
        meta = outgoing_meta(session=True, baggage=True)
    told = handled(meta=meta)
    assert (told.request_id, told.session_id) == ("a1b2c3d4", "abc12345")
    assert (told.trace_id, told.tracestate, told.baggage) == (TRACE, "rojo=1", "userId=alice")


def test_an_untraced_http_request_tells_the_session_at_least() -> None:
    """The shim is not around the app: its message is traced all the same."""
    scope = http_scope([(b"mcp-session-id", b"5e27b0e4")])
    first, second = (handled(request=SimpleNamespace(scope=scope)) for _ in range(2))
    assert (first.session_id, second.session_id) == ("5e27b0e4", "5e27b0e4")
    assert first.request_id != second.request_id


def test_what_a_handler_raises_is_its_messages() -> None:
    """Whoever logs it later, and elsewhere."""
    found: list[RequestMetadata | None] = []

    async def call_next(context: Any) -> Any:
        found.append(get_request_metadata())
        raise KeyError("bulb")

    with pytest.raises(KeyError) as caught:
        asyncio.run(trace_messages(SimpleNamespace(method="tools/call"), call_next))
    assert metadata_of(caught.value) is found[0] is not None


@pytest.mark.parametrize("context", [object(), None])
def test_a_context_of_another_shape_costs_no_message(context: Any) -> None:
    """The SDK calls its middleware provisional."""

    async def call_next(given: Any) -> Any:
        assert given is context
        return "handled"

    assert asyncio.run(trace_messages(context, call_next)) == "handled"


def test_a_fault_of_ours_costs_no_message(caplog: pytest.LogCaptureFixture) -> None:
    """One warning, and the message goes on."""

    class Broken:
        @property
        def scope(self) -> Any:
            raise KeyError("scope")

    class Context:
        request = Broken()

    async def call_next(context: Any) -> Any:
        return "handled"

    assert [asyncio.run(trace_messages(Context(), call_next)) for _ in range(2)] == ["handled"] * 2
    assert caplog.messages == [
        "tracing an MCP message failed; the request continues; further failures of this kind are not logged"
    ]
