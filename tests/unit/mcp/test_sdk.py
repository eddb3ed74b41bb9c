"""
Whose ids a handler of an MCP server has, where the SDK runs it in the context of another request.

The SDK's own module stands in here as its version 1 has it, and in shapes that it has never had;
``tests/mcp`` asks real servers.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asgi_trace import (
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    bound_request_metadata,
    get_request_id,
    get_request_metadata,
    get_session_id,
    request_id_ctx,
    reset_request_metadata,
    session_id_ctx,
    set_request_metadata,
    with_context,
)
from asgi_trace._core.current import metadata_in
from asgi_trace._core.exceptions import metadata_of
from asgi_trace.loggers import loguru_patcher, structlog_processor

from ...asgi import http_scope, step

MODULE = "mcp.server.lowlevel.server"


class Sdk:
    """
    Handles calls as version 1 does: in a context of its own choice, with the scope that carried the
    call.
    """

    def __init__(self) -> None:
        self.request_ctx: ContextVar[Any] = ContextVar("request_ctx")

    def handle(
        self, scope: Any, handler: Callable[[], Any], context: Context | None = None, **call: Any
    ) -> Any:
        def work() -> Any:
            known = {"request_id": 7, "session": None, "request": SimpleNamespace(scope=scope)}
            token = self.request_ctx.set(SimpleNamespace(**(known | call)))
            try:
                return handler()
            finally:
                self.request_ctx.reset(token)

        return (context or Context()).run(work)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Sdk:
    sdk, module = Sdk(), ModuleType(MODULE)
    module.request_ctx = sdk.request_ctx  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    return sdk


class Request:
    """A request that has gone through the shim: its scope, and the context in which its app ran."""

    def __init__(self, name: str, in_app: Callable[[], object] = lambda: None) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            in_app()
            self.context = copy_context()
            raise asking

        asking = KeyError()
        self.scope = http_scope(
            [(b"x-request-id", name.encode()), (b"x-session-id", f"of-{name}".encode())]
        )
        with pytest.raises(KeyError):
            step(RequestTracingMiddleware(app, error_response=False), self.scope)

    @property
    def metadata(self) -> RequestMetadata:
        metadata: RequestMetadata = self.scope["asgi_trace"]
        return metadata


def ids() -> tuple[str | None, str | None]:
    """By every reader there is, which must agree."""
    record = logging.makeLogRecord({})
    RequestTracingFilter(session_length=None).filter(record)
    event = structlog_processor(None, "info", {})
    patched: dict[str, Any] = {"exception": None, "extra": {}}
    loguru_patcher(patched)
    metadata = get_request_metadata()
    found = {
        (get_request_id(), get_session_id()),
        (request_id_ctx.get(), session_id_ctx.get()),
        (metadata and metadata.request_id, metadata and metadata.session_id),
        (event.get("request_id"), event.get("session_id")),
        tuple(None if each == "none" else each for each in (record.request_id, record.session_id)),  # type: ignore[attr-defined]
        tuple(
            None if each == "none" else each
            for each in map(patched["extra"].get, ("request_id", "session_id"))
        ),
    }
    assert len(found) == 1, found
    return found.pop()


@pytest.fixture
def opening() -> Request:
    """The session's first request."""
    return Request("opening")


@pytest.fixture
def calling(opening: Request) -> Request:
    """A later one, which carries a call."""
    return Request("calling")


def test_a_handler_has_the_ids_of_the_request_that_carried_its_call(
    sdk: Sdk, opening: Request, calling: Request
) -> None:
    """And not those of the request in whose context it runs."""
    context = opening.context.copy()
    assert sdk.handle(calling.scope, ids, context) == ("calling", "of-calling")
    assert context.run(ids) == ("opening", "of-opening")
    assert sdk.handle(calling.scope, ids) == ("calling", "of-calling")


def test_without_the_cure_they_are_stale(
    sdk: Sdk, opening: Request, calling: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is what it is for."""
    monkeypatch.delitem(sys.modules, MODULE)
    assert sdk.handle(calling.scope, ids, opening.context.copy()) == ("opening", "of-opening")


def test_what_the_sdk_knows_of_the_call_is_told(sdk: Sdk, calling: Request) -> None:
    """Its word outranks a header's."""
    request = SimpleNamespace(
        root=SimpleNamespace(method="tools/call", params=SimpleNamespace(name="add"))
    )
    in_flight = {7: SimpleNamespace(request=request)}
    calling.metadata.mcp_name = "as the header says"

    def call() -> Any:
        return get_request_metadata().mcp_call  # type: ignore[union-attr]

    assert (
        sdk.handle(calling.scope, call, session=SimpleNamespace(_in_flight=in_flight))
        == "tools/call add #7"
    )
    assert sdk.handle(calling.scope, call) == "tools/call add #7"


def test_a_call_that_the_sdk_has_forgotten_keeps_its_id(sdk: Sdk, calling: Request) -> None:
    calling.metadata.mcp_method = "tools/call"
    assert sdk.handle(calling.scope, lambda: get_request_metadata().mcp_call) == "tools/call #7"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "call",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(request=None),
        SimpleNamespace(request=SimpleNamespace(scope=None)),
        SimpleNamespace(request=SimpleNamespace(scope={})),
        SimpleNamespace(request=SimpleNamespace(scope={"asgi_trace": "somebody else's"})),
        SimpleNamespace(request=SimpleNamespace(scope=[])),
        "a word",
    ],
    ids=repr,
)
def test_a_call_without_a_request_of_ours_changes_nothing(
    sdk: Sdk, opening: Request, call: Any
) -> None:
    """Such as one that came over stdio, or past the shim."""
    context = opening.context.copy()
    context.run(sdk.request_ctx.set, call)
    assert context.run(ids) == ("opening", "of-opening")


@pytest.mark.parametrize(
    "variable", [None, 7, ContextVar("empty"), SimpleNamespace(get=lambda default: 1 / 0)]
)
def test_an_sdk_of_another_shape_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, opening: Request, variable: Any
) -> None:
    """Version 2, for one, has no such variable."""
    for module in (SimpleNamespace(), SimpleNamespace(request_ctx=variable), None):
        monkeypatch.setitem(sys.modules, MODULE, module)  # type: ignore[arg-type]
        assert opening.context.run(ids) == ("opening", "of-opening")
        assert Context().run(ids) == (None, None)
        assert metadata_in(opening.context) is opening.metadata


@pytest.mark.parametrize(
    "stands_in", [RequestMetadata("by", "hand"), None], ids=["metadata", "none"]
)
def test_what_a_handler_binds_wins_until_its_block_ends(
    sdk: Sdk, opening: Request, calling: Request, stands_in: RequestMetadata | None
) -> None:
    """In its tasks and threads too."""
    expected = ("hand", "by") if stands_in else (None, None)

    def handler() -> None:
        with bound_request_metadata(stands_in):
            assert ids() == expected
            assert copy_context().run(ids) == expected
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(with_context(ids)).result() == expected
            with bound_request_metadata(RequestMetadata("inner", "most")):
                assert ids() == ("most", "inner")
            assert ids() == expected
        assert ids() == ("calling", "of-calling")

    sdk.handle(calling.scope, handler, opening.context.copy())


def test_an_id_that_a_handler_sets_holds_for_its_call(
    sdk: Sdk, opening: Request, calling: Request
) -> None:
    """Not for the next one in the same context."""
    context = opening.context.copy()

    def handler() -> None:
        token = session_id_ctx.set("alice")
        assert ids() == ("calling", "alice")
        session_id_ctx.reset(token)
        assert ids() == ("calling", "of-calling")
        request_id_ctx.set("r2")
        assert ids() == ("r2", "of-calling")

    sdk.handle(calling.scope, handler, context)
    assert sdk.handle(Request("next").scope, ids, context) == ("next", "of-next")


def test_what_was_set_before_the_call_is_the_other_requests(sdk: Sdk) -> None:
    """
    By a middleware, in the session's first request; by one in the call's own request it is the
    call's.
    """
    opening = Request("opening", lambda: session_id_ctx.set("first-user"))
    assert sdk.handle(Request("calling").scope, ids, opening.context.copy()) == (
        "calling",
        "of-calling",
    )
    own = Request("own", lambda: session_id_ctx.set("user"))
    assert sdk.handle(own.scope, ids, own.context.copy()) == ("own", "user")


def test_what_was_bound_outside_of_any_request_gives_way(sdk: Sdk, calling: Request) -> None:
    """Such as a lifespan's own, in whose context a server may start its tasks."""
    context = Context()
    token = context.run(set_request_metadata, RequestMetadata("start", "up"))
    assert context.run(ids) == ("up", "start")
    assert sdk.handle(calling.scope, ids, context) == ("calling", "of-calling")
    context.run(reset_request_metadata, token)
    assert context.run(ids) == (None, None)


def test_an_app_called_by_a_handler_has_requests_of_its_own(
    sdk: Sdk, opening: Request, calling: Request
) -> None:
    """
    In the same process: inside, its ids are the inner request's, or what is set there; then the
    call's again.
    """
    seen = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(ids())
        session_id_ctx.set("set")
        seen.append(ids())
        raise error

    error = KeyError()

    def handler() -> None:
        app = RequestTracingMiddleware(inner, error_response=False)
        coroutine = app(
            http_scope([(b"x-request-id", b"inner"), (b"x-session-id", b"s")]), None, None
        )  # type: ignore[arg-type]
        with pytest.raises(KeyError):
            coroutine.send(None)
        # Whoever logs it does so for the call.
        assert metadata_of(error) is None
        assert ids() == ("calling", "of-calling")

    calling.metadata.ended = False
    sdk.handle(calling.scope, handler, opening.context.copy())
    assert seen == [("inner", "s"), ("inner", "set")]


def test_a_context_is_read_from_outside(sdk: Sdk, opening: Request, calling: Request) -> None:
    """As it is for a task whose failure asyncio reports later."""
    context = sdk.handle(calling.scope, copy_context, opening.context.copy())
    assert metadata_in(context) is calling.metadata
    assert metadata_in(opening.context) is opening.metadata
    assert metadata_in(Context()) is None


def test_a_time_of_the_users_own_making_is_no_fault(
    sdk: Sdk, calling: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context()
    with monkeypatch.context() as before:
        before.delitem(sys.modules, MODULE)
        context.run(set_request_metadata, RequestMetadata("s", "r", start_time="now"))  # type: ignore[arg-type]
    assert sdk.handle(calling.scope, ids, context) == ("calling", "of-calling")
