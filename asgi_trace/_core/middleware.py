"""
The shim around an ASGI app: one request object, one context variable, one response header.

This module implements ASGI 3 and awaits the app. It does not read ids from a request, and does not
change header lists: ``scope`` and ``response_headers`` do.
https://asgi.readthedocs.io/en/latest/specs/main.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextvars import Token
from copy import copy
from functools import partial
from typing import Any

from .access import AccessLog
from .current import bind, metadata_before, unbind
from .exceptions import is_failure, stamp_exception
from .faults import report_once
from .ids import checked_generator, checked_parser, generate_request_id, parse_id
from .inside import replace_error_sender, rewrapped, starlette_app, with_first_request
from .masks import Masks
from .patterns import Pattern
from .protocol import Wrapper, hooks
from .request import RequestMetadata
from .response_headers import Answers
from .scope import (
    SCOPE_KEY,
    Message,
    Scope,
    ScopeMetadata,
    Send,
    Settings,
    metadata_class,
    send_nowhere,
)
from .sessions import DEFAULT_SESSION_SOURCES, SessionResolver
from .trust import TrustedNetworks

__all__ = ("RequestTracingMiddleware",)

Receive = Callable[[], Awaitable[Message]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[Any]]

# A field name of HTTP (RFC 9110, § 5.6.2).
_HEADER_NAME = Pattern(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_ERROR_BODY = b"Internal Server Error"
_ERROR_PAGE: tuple[Message, Message] = (
    {
        "type": "http.response.start",
        "status": 500,
        "headers": [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(_ERROR_BODY)).encode()),
        ],
    },
    {"type": "http.response.body", "body": _ERROR_BODY},
)


class RequestTracingMiddleware:
    """
    Give each request of an ASGI *app* a request id and a session id.

    Both are on every log line that the request causes, through
    :class:`~asgi_trace.RequestTracingFilter`, and the request id is on its response. Make it the
    outermost wrapper: middleware outside of it is not traced.

    In Starlette and FastAPI ``app.add_middleware(RequestTracingMiddleware)`` has the same effect:
    at startup, or else at the first request, the shim puts a twin around the whole app, error
    pages included.

    :param app: an ASGI 3 application.
    :param header_name: the header for the request id, in requests and responses.
    :param trust_inbound: use a client's valid request id and trace; if false, always generate
        them, and keep the client's as ``parent_request_id`` and ``linked_trace``. Or the networks
        of the proxies that are trusted, such as ``("10.0.0.0/8", "fd00::/8", "unix")``: by the
        address that the server gives for the client.
    :param session_sources: where session ids are looked for, in order: each ``header:NAME``,
        ``query:NAME``, ``baggage:NAME`` (W3C's, of a trusted caller), ``cookie:NAME``, ``user`` or
        ``bearer``. The last three become digests. ``user`` is the id of ``scope["user"]``, or the
        subject or client of its access token: authentication inside the shim sets it, and lines
        before that have no session.
    :param digest_key: a secret of at most 64 bytes that keys those digests.
    :param generator: returns a new request id, in place of 32 random hexadecimal characters.
    :param validator: is given a client's id and returns whether it may be used. It narrows the rule
        for ids and cannot widen it: other characters are not safe on a log line.
    :param error_response: answer 500, with the id, when an app raises before it has responded; to
        a websocket where the server can send it a response.
    :param keep_context: leave the context variable set when the app is done, for servers that log
        after that.
    :param access_log: write a line per request to the logger ``asgi_trace.access``, at its end.
    :param exclude: paths that get no access line, such as ``/health`` or ``/internal/*``.
    :param mask: more parameters whose values are secrets, such as ``promo``, on the access line and
        in the attributes of the request's span. A name also matches longer names that have its
        words: ``promoCode``, ``order[promo]``.
    :param session_response_header: the header of each response that sends the session id to the
        client, so that a client without a session can use it from then on. The digest of a token
        or cookie is not sent.
    :param traceresponse: add W3C's ``traceresponse`` to each response: the trace, and the request's
        span.
    :param server_timing: add a ``Server-Timing``: the trace, which a page's scripts can read, and
        the time to the response.
    :param expose_headers: list our headers in ``Access-Control-Expose-Headers``, where a response
        has CORS headers: without it no script of another origin can read them.
    :param observe_body: read which call to an MCP server the body of a POST carries, and whether
        its reply is an error: each up to 16 KiB, as they stream through. Arguments and
        results are not kept.
    :raises TypeError: when *app*, *generator* or *validator* cannot be called, or *digest_key* is
        no text.
    :raises ValueError: for an invalid header name, network, session source, path or parameter, and
        for a key that is too long.

    .. versionadded:: 0.1
    """

    # A scope with this key comes from a framework outside of the shim. For the twin, "app" is
    # always there: its own app; "router" is there only if that app is mounted in another one.
    _framework_key = "app"
    _has_twin = False
    _request: type[ScopeMetadata]

    def __init__(
        self,
        app: ASGIApp,
        *,
        header_name: str = "X-Request-ID",
        trust_inbound: bool | Iterable[str] = True,
        session_sources: Iterable[str] = DEFAULT_SESSION_SOURCES,
        digest_key: str | bytes = b"",
        generator: Callable[[], str] | None = None,
        validator: Callable[[str], bool] | None = None,
        error_response: bool = True,
        keep_context: bool = False,
        access_log: bool = False,
        exclude: Iterable[str] = (),
        mask: Iterable[str] = (),
        session_response_header: str | None = None,
        traceresponse: bool = False,
        server_timing: bool = False,
        expose_headers: bool = False,
        observe_body: bool = False,
    ) -> None:
        for name, given in (("app", app), ("generator", generator), ("validator", validator)):
            if not callable(given) and (given is not None or name == "app"):
                raise TypeError(f"{name} is {given!r}; expected a callable")
        _check_header("header_name", header_name, "X-Request-ID")
        if session_response_header is not None:
            _check_header("session_response_header", session_response_header, "X-Session-ID")
            if session_response_header.lower() == header_name.lower():
                conflict = (
                    f"session_response_header is {session_response_header!r}, as header_name is"
                )
                raise ValueError(f"{conflict}; expected another, such as 'X-Session-ID'")
        if not isinstance(digest_key, (str, bytes)):
            raise TypeError(
                f"digest_key is of type {type(digest_key).__name__}; expected str or bytes"
            )
        key = digest_key.encode() if isinstance(digest_key, str) else digest_key
        parse = parse_id if validator is None else checked_parser(validator)
        if exclude and not access_log:
            raise ValueError(
                f"exclude is {exclude!r} without access_log=True; there is no line to leave out"
            )
        self._inner = app
        sessions = SessionResolver(session_sources, digest_key=key, parse=parse)
        protocol = hooks.protocol(sessions, parse, observe_body=observe_body)
        app = protocol.wrap(app)
        masks = Masks(mask)
        self.app = AccessLog(app, exclude, masks=masks) if access_log else app
        self._error_response = error_response
        self._keep_context = keep_context
        self._settings = Settings(
            header=header_name.lower().encode(),
            trust_inbound=_parse_trust(trust_inbound),
            generate=generate_request_id if generator is None else checked_generator(generator),
            parse=parse,
            sessions=sessions,
            answers=Answers(
                header_name,
                session_response_header,
                traceresponse=traceresponse,
                server_timing=server_timing,
                expose=expose_headers,
            ),
            masks=masks,
            protocol=protocol,
        )
        self._watch_first_request()

    @property
    def app(self) -> ASGIApp:
        """The app inside, or a wrapper of ours around it."""
        return self._app

    @app.setter
    def app(self, app: ASGIApp) -> None:
        self._app = app
        self._serve = app.__call__ if isinstance(app, Wrapper) else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """
        Serve one connection. Lifespan, unknown types and scopes already traced are passed on
        unchanged.
        """
        # Not a set, whose search takes more; and without a variable, which each request would hold.
        if (scope["type"] != "http" and scope["type"] != "websocket") or SCOPE_KEY in scope:
            return await self._pass(scope, receive, send)
        request = self._request()
        if not request._read(scope, self._settings):
            return await self._pass(scope, receive, send)

        serve = self._serve  # CPython 3.11 calls a variable faster than an attribute
        scope[SCOPE_KEY] = request
        request._server_send = send
        token = bind(request)
        try:
            return await serve(scope, receive, request._send)
        except BaseException as exc:
            token = await self._crashed(exc, request, token, scope)
            raise
        finally:
            request.ended = True
            request._server_send = send_nowhere
            if not self._keep_context:
                try:  # noqa: SIM105 - suppress() costs one more call and object
                    unbind(token)
                except ValueError:  # closed from another context, by the garbage collector for one
                    pass

    async def _crashed(
        self,
        exc: BaseException,
        request: ScopeMetadata,
        token: Token[RequestMetadata | None],
        scope: Scope,
    ) -> Token[RequestMetadata | None]:
        """
        Mark *exc* as this request's, and send a 500 where no framework does so.

        Return the token for the reset of the variable. Inside a framework, resetting with it leaves
        the request set: the framework's error handler and the server log their lines after that.
        """
        outer = metadata_before(token)
        is_inside = _is_inside_framework(scope, self._framework_key)
        # An app called from within a request: its exception is logged for the outer request.
        if outer is None or outer.ended:
            stamp_exception(exc, request)
            if is_inside and is_failure(exc):
                token = bind(request)  # resetting with it leaves the request set
        if request._response_started or not is_failure(exc):
            return token
        try:
            if is_inside:
                replace_error_sender(scope, partial(_send_error_page, request, outer))
            elif self._error_response:
                for message in _error_page(scope):
                    await request._send(message)
        except Exception:
            pass  # the client is gone, or the server refuses: the caller raises the app's exception
        return token

    def __copy__(self) -> RequestTracingMiddleware:
        """Return a shim with the same options, which has had no first request yet."""
        twin = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(twin, name, value)
        twin._watch_first_request()
        return twin

    def _watch_first_request(self) -> None:
        """Make the first request call :meth:`_step_outside`, at no cost to later requests."""
        self._request = with_first_request(metadata_class(self._settings), self._step_outside)

    def _pass(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """Call the app for a scope that this shim does not trace."""
        if scope["type"] == "lifespan":
            self._step_outside(scope)
        elif self._has_twin:
            return self._inner(scope, receive, send)  # the twin writes the access line
        return self.app(scope, receive, send)

    def _step_outside(self, scope: Scope) -> None:
        """Put a twin around the whole app, if this shim was added to one as a middleware."""
        self._request = metadata_class(self._settings)  # no later request comes here
        try:
            app = starlette_app(scope, type(self))
            if app is None or isinstance(app.middleware_stack, RequestTracingMiddleware):
                return
            twin = copy(self)
            twin._inner = app.middleware_stack
            twin.app = rewrapped(self.app, self._inner, twin._inner)
            twin._framework_key = "router"
            app.middleware_stack = twin
            self._has_twin = True
        except Exception:
            report_once("moving outside of the framework")


async def _send_error_page(
    request: ScopeMetadata,
    outer: RequestMetadata | None,
    send: Send,
    message: Message,
) -> None:
    """Send *message* of a framework's error page; then make *outer* the current request again."""
    request._server_send = send
    try:
        await request._send(message)
    finally:
        request._server_send = send_nowhere  # as at the end of the request: no cycle is left
    if message["type"] == "http.response.body" and not message.get("more_body"):
        bind(outer)


def _error_page(scope: Scope) -> tuple[Message, ...]:
    """Return the messages of a 500: for a websocket by the extension, none if the server lacks it."""
    if scope["type"] == "http":
        return _ERROR_PAGE
    if "websocket.http.response" in scope.get("extensions", ()):
        return tuple({**message, "type": f"websocket.{message['type']}"} for message in _ERROR_PAGE)
    return ()


def _check_header(option: str, name: object, example: str) -> None:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{option} is {name!r}; expected a header's name, such as {example!r}")


def _parse_trust(trust_inbound: bool | Iterable[str]) -> bool | TrustedNetworks:
    if isinstance(trust_inbound, (bool, int)):
        return bool(trust_inbound)
    if isinstance(trust_inbound, str) or not isinstance(trust_inbound, Iterable):
        raise ValueError(
            f"trust_inbound is {trust_inbound!r}; expected True, False or networks, such as ('10.0.0.0/8',)"
        )
    return TrustedNetworks(trust_inbound)


def _is_inside_framework(scope: Scope, key: str) -> bool:
    """
    Whether an outer framework, which has error pages of its own, wrote *key* before our entry.

    A scope is a dict, in order of insertion: an app inside the shim writes its key after ours.
    """
    return next((name for name in tuple(scope) if name in (key, SCOPE_KEY)), None) == key
