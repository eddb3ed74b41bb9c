"""The access line: when it is written, and what it tells."""

from __future__ import annotations

import asyncio
import logging
import re
from contextvars import Context
from http import HTTPStatus
from typing import Any

import pytest

from asgi_trace import RequestTracingFilter, RequestTracingMiddleware, TextFormatter
from asgi_trace._core.access_lines import parse_access

from ...asgi import HELLO_BODY, HELLO_START, hello, http_scope, websocket_scope

START = {"type": "http.response.start", "status": 201, "headers": []}


def body(content: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


class App:
    """
    Does *steps*, one after the other: a message is sent, an exception raised, ``receive`` received.
    """

    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for step in self.steps:
            if isinstance(step, BaseException):
                raise step
            await (receive() if step == "receive" else send(step))


def serve(
    app: Any, scope: dict[str, Any], received: Any = (), gone: bool = False, **options: Any
) -> tuple[list[logging.LogRecord], list[Any]]:
    """
    Serve one request; return the access records and, in order, what the server and the log saw.
    """
    events: list[Any] = []
    records: list[logging.LogRecord] = []
    incoming = iter(received)

    async def receive() -> Any:
        return next(incoming)

    async def send(message: Any) -> None:
        if gone:
            raise OSError("the client is gone")
        events.append(message["type"])

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            RequestTracingFilter().filter(record)  # finds the ids now, as a handler's does
            records.append(record)
            events.append("line")

    logger, handler = logging.getLogger("asgi_trace.access"), Keep()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        coroutine = RequestTracingMiddleware(app, access_log=True, **options)(scope, receive, send)
        Context().run(coroutine.send, None)
    except (StopIteration, KeyError, OSError, asyncio.CancelledError):
        pass
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    return records, events


HTTP_CASES = [
    # app, received, expected fields, and what was seen in which order
    (
        "whole",
        App(START, body(b"12345")),
        (),
        {"status": 201, "bytes": 5},
        ["http.response.start", "http.response.body", "line"],
    ),
    (
        "stream",
        App(START, body(b"123", True), body(b"45", True), body(b"")),
        (),
        {"status": 201, "bytes": 5},
        ["http.response.start", *["http.response.body"] * 3, "line"],
    ),
    (
        "crash",
        App(KeyError("x")),
        (),
        {"status": 500, "bytes": 0, "outcome": "crash"},
        ["line", "http.response.start", "http.response.body"],
    ),
    (
        "crash after the start",
        App(START, body(b"1", True), KeyError("x")),
        (),
        {"status": 201, "bytes": 1, "outcome": "crash"},
        ["http.response.start", "http.response.body", "line"],
    ),
    (
        "crash after the end",
        App(START, body(b"1"), KeyError("x")),
        (),
        {"status": 201, "bytes": 1},
        ["http.response.start", "http.response.body", "line"],
    ),
    (
        "cancelled",
        App(asyncio.CancelledError()),
        (),
        {"bytes": 0, "outcome": "cancelled"},
        ["line"],
    ),
    ("nothing sent", App(), (), {"bytes": 0, "outcome": "incomplete"}, ["line"]),
    (
        "never finished",
        App(START, body(b"1", True)),
        (),
        {"status": 201, "bytes": 1, "outcome": "incomplete"},
        ["http.response.start", "http.response.body", "line"],
    ),
    (
        "client gone",
        App("receive", START, body(b"1", True)),
        [{"type": "http.disconnect"}],
        {"status": 201, "bytes": 1, "outcome": "disconnect"},
        ["http.response.start", "http.response.body", "line"],
    ),
    (
        "trailers",
        App(
            START | {"trailers": True},
            body(b"1"),
            {"type": "http.response.trailers", "headers": []},
        ),
        (),
        {"status": 201, "bytes": 1},
        ["http.response.start", "http.response.body", "http.response.trailers", "line"],
    ),
    (
        "a file by its path",
        App(START, {"type": "http.response.pathsend", "path": "/x"}),
        (),
        {"status": 201, "bytes": 0},
        ["http.response.start", "http.response.pathsend", "line"],
    ),
    (
        "nonsense",
        App(START, {"type": "http.response.body", "body": 7}, body(b"1")),
        (),
        {"status": 201, "bytes": 1},
        ["http.response.start", "http.response.body", "http.response.body", "line"],
    ),
]


@pytest.mark.parametrize(
    ("name", "app", "received", "expected", "order"),
    HTTP_CASES,
    ids=[case[0] for case in HTTP_CASES],
)
def test_one_line_when_the_request_is_over(
    name: str, app: Any, received: Any, expected: Any, order: list[str]
) -> None:
    """
    On the final message, or when the app ends without one; what ended it otherwise is the outcome.
    """
    records, events = serve(app, http_scope(path="/api", method="POST"), received)
    assert events == order
    (record,) = records
    told = {
        name: value
        for name in ("status", "bytes", "outcome")
        if (value := getattr(record, name, None)) is not None
    }
    assert told == expected
    assert (record.method, record.path, record.client, record.transport) == (
        "POST",
        "/api",
        "127.0.0.1:50000",
        "http",
    )  # type: ignore[attr-defined]
    assert record.duration_ms >= 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("app", "received", "expected"),
    [
        (
            App(
                {"type": "websocket.accept"},
                {"type": "websocket.send", "text": "é"},
                {"type": "websocket.send", "bytes": b"12"},
                {"type": "websocket.close"},
            ),
            (),
            {"status": 101, "bytes": 4, "close_code": 1000},
        ),
        (
            App({"type": "websocket.accept"}, {"type": "websocket.close", "code": 4001}),
            (),
            {"status": 101, "bytes": 0, "close_code": 4001},
        ),
        (
            App({"type": "websocket.accept"}, "receive"),
            [{"type": "websocket.disconnect", "code": 1001}],
            {"status": 101, "bytes": 0, "close_code": 1001},
        ),
        (App({"type": "websocket.close"}), (), {"status": 403, "bytes": 0}),
        (App(KeyError("x")), (), {"status": 500, "bytes": 0, "outcome": "crash"}),
        (
            App(
                {"type": "websocket.http.response.start", "status": 401},
                {"type": "websocket.http.response.body", "body": b"no"},
            ),
            (),
            {"status": 401, "bytes": 2},
        ),
        (
            App({"type": "websocket.accept"}, KeyError("x")),
            (),
            {"status": 101, "bytes": 0, "outcome": "crash"},
        ),
        (  # a loop of receive_text() in Starlette or FastAPI ends like this
            App({"type": "websocket.accept"}, "receive", KeyError("disconnected")),
            [{"type": "websocket.disconnect", "code": 1000}],
            {"status": 101, "bytes": 0, "close_code": 1000, "outcome": "disconnect"},
        ),
        (  # the app has closed the connection, and its client follows
            App(
                {"type": "websocket.accept"}, {"type": "websocket.close"}, "receive", KeyError("x")
            ),
            [{"type": "websocket.disconnect", "code": 1000}],
            {"status": 101, "bytes": 0, "close_code": 1000, "outcome": "crash"},
        ),
    ],
)
def test_a_websocket_has_its_close_code(app: Any, received: Any, expected: dict[str, Any]) -> None:
    """One line, when the connection is over."""
    (record,) = serve(app, websocket_scope(), received)[0]
    keys = ("status", "bytes", "close_code", "outcome")
    assert {
        key: value for key in keys if (value := getattr(record, key, None)) is not None
    } == expected
    assert (record.method, record.transport) == ("WEBSOCKET", "websocket")  # type: ignore[attr-defined]


def test_a_send_that_fails_is_a_disconnect() -> None:
    """OSError is how a server says that the client is gone."""
    (record,) = serve(App(START, body(b"x")), http_scope(), gone=True)[0]
    assert record.outcome == "disconnect"  # type: ignore[attr-defined]


def test_the_line_is_stamped_and_can_be_parsed() -> None:
    """In text it is a line like any other; its message holds the fields."""
    (record,) = serve(hello, http_scope([(b"x-request-id", b"mine")], query_string=b"a=1&token=x"))[
        0
    ]
    assert "[req=mine|" in TextFormatter().format(record)
    message = record.getMessage()
    assert re.fullmatch(
        r"GET /\?a=1&token=\*\*\* 200 \d+\.\dms 5B http 127\.0\.0\.1:50000 ttfb=\d+\.\dms", message
    )
    fields = parse_access(message)
    assert fields is not None
    assert (fields["status"], fields["bytes"], fields["path"]) == (200, 5, "/?a=1&token=***")


TRACED = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


@pytest.mark.parametrize(
    ("headers", "options", "parent"),
    [
        ([TRACED], {}, "00f067aa0ba902b7"),
        ([TRACED], {"trust_inbound": False}, None),
        ([(b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")], {}, None),
        ([], {}, None),
    ],
    ids=["traced", "not trusted", "broken", "none"],
)
def test_the_message_names_the_callers_span(
    headers: Any, options: dict[str, Any], parent: str | None
) -> None:
    """A line of text has no other place for it; a record has it as ``parent_span_id``."""
    (record,) = serve(hello, http_scope(headers), **options)[0]
    fields = parse_access(record.getMessage())
    assert fields is not None
    assert (fields.get("parent"), getattr(record, "parent_span_id", None)) == (parent, parent)
    assert not hasattr(record, "parent")


def test_a_status_that_has_a_name_is_a_number() -> None:
    """Frameworks send members of HTTPStatus, which some versions of Python write by their names."""
    (line,), _ = serve(App({**START, "status": HTTPStatus.OK}, body(b"")), http_scope())
    assert line.getMessage().startswith("GET / 200 ")
    assert type(line.__dict__["status"]) is int


def test_the_time_to_the_first_byte_is_that_of_the_first_byte() -> None:
    """An empty first body is none; the whole takes at least as long."""
    (record,) = serve(App(START, body(b"", True), body(b"1", True), body(b"")), http_scope())[0]
    assert 0 <= record.ttfb_ms <= record.duration_ms  # type: ignore[attr-defined]
    (record,) = serve(App(START, body(b"")), http_scope())[0]
    assert not hasattr(record, "ttfb_ms")


@pytest.mark.parametrize(
    ("path", "lines"),
    [("/health", 0), ("/health/deep", 1), ("/internal/x", 0), ("/internal", 1), ("/", 1)],
)
def test_excluded_paths_have_no_line(path: str, lines: int) -> None:
    """Whole, or up to a star; they are traced all the same."""
    scope = http_scope(path=path)
    records, _ = serve(hello, scope, exclude=["/health", "/internal/*"])
    assert len(records) == lines
    assert scope["asgi_trace"].request_id


@pytest.mark.parametrize("exclude", ["/health", ["health"], [7], [""]])
def test_a_path_that_is_none_fails_early(exclude: Any) -> None:
    with pytest.raises(ValueError, match=r"exclude .*; expected a (sequence|path)"):
        RequestTracingMiddleware(hello, access_log=True, exclude=exclude)


def test_excluding_without_a_log_fails_early() -> None:
    with pytest.raises(ValueError, match="without access_log=True"):
        RequestTracingMiddleware(hello, exclude=["/health"])


def test_lifespan_has_no_line() -> None:
    assert serve(App(), {"type": "lifespan"})[0] == []


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a?page=2&token=x&promo=p9q8", "/a?page=2&token=***&promo=p9q8"),
        ("/reset/abc123", "/reset/***"),
        ("/a;jsessionid=5AC6", "/a;jsessionid=***"),
    ],
)
def test_secrets_in_the_target_are_masked(target: str, shown: str) -> None:
    path, _, query = target.partition("?")
    (record,) = serve(hello, http_scope(path=path, query_string=query.encode()))[0]
    assert record.path == shown  # type: ignore[attr-defined]
    assert record.getMessage().startswith(f"GET {shown} 200 ")


def test_a_users_own_secrets_are_masked() -> None:
    (record,) = serve(hello, http_scope(query_string=b"promo=p9q8&page=2"), mask=("promo",))[0]
    assert record.path == "/?promo=***&page=2"  # type: ignore[attr-defined]


@pytest.mark.parametrize("mask", ["promo", ["a b"], [7], None])
@pytest.mark.parametrize("access_log", [True, False])
def test_a_mask_that_is_none_fails_early(mask: Any, access_log: bool) -> None:
    with pytest.raises(
        ValueError,
        match=r"mask (is|has) .*; expected a (sequence of names|parameter's name), such as",
    ):
        RequestTracingMiddleware(hello, access_log=access_log, mask=mask)


def test_no_secret_reaches_the_line() -> None:
    secret = "s3cr3t-with-Some-length-to-it"
    (record,) = serve(
        hello, http_scope(query_string=f"token={secret}&x={secret}&{secret}".encode())
    )[0]
    line = TextFormatter().format(record) + str(vars(record))
    assert [secret[i : i + 5] for i in range(len(secret) - 4) if secret[i : i + 5] in line] == []


def test_hostile_paths_make_one_line() -> None:
    """Blanks and line breaks, decoded by the server, stay inside their word."""
    (record,) = serve(
        hello, http_scope(path="/a\n2024-01-15 10:30:15 - INFO - [req=x|session=y] - fake\x1b")
    )[0]
    line = TextFormatter().format(record)
    assert line.isprintable()
    fields = parse_access(record.getMessage())
    assert fields is not None
    assert fields["status"] == 200


def test_without_a_level_for_it_nothing_is_built(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("asgi_trace.access").setLevel(logging.WARNING)
    try:
        coroutine = RequestTracingMiddleware(App(HELLO_START, HELLO_BODY), access_log=True)(
            http_scope(), None, _ignore
        )  # type: ignore[arg-type]
        with pytest.raises(StopIteration):
            Context().run(coroutine.send, None)
    finally:
        logging.getLogger("asgi_trace.access").setLevel(logging.NOTSET)
    assert caplog.records == []


async def _ignore(message: Any) -> None: ...


class OddHandler(logging.Handler):
    """Raises *error* for each record."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.fixture
def log_raises(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes each line of ours, the warnings too, raise an error in its handler."""

    def install(error: BaseException) -> None:
        logger = logging.getLogger("asgi_trace")
        monkeypatch.setattr(logger, "handlers", [OddHandler(error)])
        logger.setLevel(logging.INFO)

    yield install
    logging.getLogger("asgi_trace").setLevel(logging.NOTSET)


async def exchange(app: Any) -> tuple[list[Any], BaseException | None]:
    """
    Return what the server got from *app*, inside a shim with an access log, and what came out.
    """
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    try:
        await RequestTracingMiddleware(app, access_log=True)(http_scope(), _receive_nothing, send)
    except BaseException as exc:
        return sent, exc
    return sent, None


async def _receive_nothing() -> Any:
    await asyncio.sleep(60)


WHOLE = ["http.response.start", "http.response.body"]


@pytest.mark.anyio
async def test_a_handler_that_raises_does_not_replace_the_apps_exception(log_raises: Any) -> None:
    log_raises(RuntimeError("of the handler"))
    own = ValueError("of the app")
    assert await exchange(App(own)) == (WHOLE, own)  # the messages are those of the shim's own 500


@pytest.mark.anyio
async def test_a_finished_answer_survives_a_handler_that_raises(log_raises: Any) -> None:
    log_raises(RuntimeError("of the handler"))
    assert await exchange(App(START, body(b"1"))) == (WHOLE, None)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_handler_that_raises_does_not_stop_a_cancellation(log_raises: Any) -> None:
    log_raises(RuntimeError("of the handler"))
    task = asyncio.ensure_future(
        RequestTracingMiddleware(App("receive"), access_log=True)(
            http_scope(), _receive_nothing, _ignore
        )
    )
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()], ids=repr
)
@pytest.mark.parametrize(
    "steps", [(START, body(b"1")), (ValueError("of the app"),)], ids=["answer", "crash"]
)
def test_a_handler_may_end_the_program_or_the_task(
    steps: Any, error: BaseException, log_raises: Any
) -> None:
    """
    These are no faults: a signal may arrive while a handler writes, or a task may be cancelled
    there.
    """
    log_raises(error)
    coroutine = RequestTracingMiddleware(App(*steps), access_log=True)(
        http_scope(), _receive_nothing, _ignore
    )
    with pytest.raises(type(error)):
        Context().run(coroutine.send, None)


@pytest.mark.parametrize("path", [None, b"/bytes", 7, ["/"], ("missing",)], ids=str)
@pytest.mark.parametrize("exclude", [(), ("/health", "/internal/*")], ids=["", "exclude"])
def test_a_path_that_is_no_text_costs_nothing(
    path: Any, exclude: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is answered as without us, and has its line."""
    scope = http_scope(path=path, query_string=b"a=1")
    if path == ("missing",):
        del scope["path"]
    (record,), events = serve(App(START, body(b"1")), scope, exclude=exclude)
    assert events == [*WHOLE, "line"]
    assert record.getMessage().startswith("GET ?a=1 201 ")
    assert [line for line in caplog.messages if "failed" in line] == []


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        (("10.0.0.1", 50000), "10.0.0.1:50000"),
        (["::1", 1], "::1:1"),
        (("testclient",), "testclient"),
        (None, None),
        (("", "0"), None),
        ((0, 0), None),
        ((), None),
        (7, None),
        ("10.0.0.1", None),
    ],
)
def test_a_client_without_an_address_is_left_out(client: Any, shown: str | None) -> None:
    (record,) = serve(hello, http_scope(client=client))[0]
    assert getattr(record, "client", None) == shown


@pytest.mark.parametrize("options", [{}, {"exclude": ["/health"]}], ids=str)
@pytest.mark.parametrize("make", [http_scope, websocket_scope])
def test_two_shims_around_one_app_write_one_line(make: Any, options: Any) -> None:
    """
    The outermost of those that have an access log; a framework between them may copy the scope.
    """

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        await RequestTracingMiddleware(App(), access_log=True)(dict(scope), receive, send)

    assert len(serve(framework, make(), **options)[0]) == 1


def test_the_outermost_shim_decides_about_a_line() -> None:
    inner = RequestTracingMiddleware(hello, access_log=True)
    assert serve(inner, http_scope(path="/health"), exclude=["/health"])[0] == []


def test_an_inner_shim_writes_the_line_where_the_outer_has_no_access_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    inner = RequestTracingMiddleware(hello, access_log=True)
    coroutine = RequestTracingMiddleware(inner)(http_scope(), _receive_nothing, _ignore)
    with pytest.raises(StopIteration):
        Context().run(coroutine.send, None)
    assert len(caplog.messages) == 1
