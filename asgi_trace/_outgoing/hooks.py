"""
Hooks for HTTP clients: each call that a request makes carries its ids and its trace.

This module uses the hooks of httpx, aiohttp, requests, urllib3 and urllib.request, and handles the
way in which each follows a redirect. It imports a library when its hook is first used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from .._core.current import get_request_metadata
from .._core.faults import report_once
from .propagation import (
    BAGGAGE,
    SESSION_ID,
    baggage_of,
    merged_baggage,
    outgoing,
    replace,
    set_baggage,
)

if TYPE_CHECKING:
    import urllib.request

__all__ = ("OutgoingHooks", "httpx_async_request_hook", "httpx_request_hook")

# A name, whole or with "*." for all names below it, or an address; without a port.
_HOST = r"(?:\*\.)?[\w-]+(?:\.[\w-]+)*|[0-9A-Fa-f.]*(?::[0-9A-Fa-f.]*){2,}"

# Where an httpx request keeps, over its redirects, what we have put into its headers.
_MARK = "asgi_trace_sent"


class _Sent(NamedTuple):
    """
    What a hook has put into a call's headers, which a redirect may take to another host.

    :param session: whether the session id is there.
    :param baggage: the values of the call's own baggage; None where nothing was added to it.
    """

    session: bool = False
    baggage: list[str] | None = None


_NOTHING = _Sent()


class OutgoingHooks:
    """
    Hooks for HTTP clients: inside a request each call carries what :func:`inject` writes.

    Outside a request they change nothing, and they never fail a call. Each redirect is a call of
    its own.

    :param trusted_hosts: hosts that get ``X-Session-ID`` and the caller's ``baggage`` too: names or
        addresses without a port, ``*.example.com`` for all names below one. A redirect to any other
        host leaves both out.
    :raises ValueError: for a host that is none.

    .. versionadded:: 0.1
    """

    def __init__(self, *, trusted_hosts: Iterable[str] = ()) -> None:
        if isinstance(trusted_hosts, str):
            raise ValueError(
                f"trusted_hosts is {trusted_hosts!r}; expected a sequence, such as ({trusted_hosts!r},)"
            )
        hosts = list(trusted_hosts)
        for host in hosts:
            if not isinstance(host, str) or not re.fullmatch(_HOST, host):
                raise ValueError(
                    f"trusted_hosts has {host!r}; expected a host, such as 'api.example.com', without a port"
                )
        self._hosts = frozenset(host.lower() for host in hosts if not host.startswith("*"))
        self._domains = tuple(host[1:].lower() for host in hosts if host.startswith("*"))

    def _found(self, host: str | None, *, drop_session: bool = False) -> dict[str, str]:
        """
        Return what a call to *host* carries; an empty value is of a header that it must not carry.
        """
        metadata = get_request_metadata()
        if metadata is None:
            return {}
        name = (host or "").lower().strip("[]").rstrip(".")
        is_trusted = name in self._hosts or name.endswith(self._domains)
        found = outgoing(metadata, session=is_trusted, baggage=is_trusted)
        return found | {SESSION_ID: ""} if drop_session and not is_trusted else found

    def _inject(self, headers: Any, host: str | None, sent: _Sent = _NOTHING) -> _Sent:
        """
        Change *headers* for a call to *host*, and return what is among them now.

        :param sent: what is among them from the call that was redirected.
        """
        try:
            if sent.baggage is not None:
                set_baggage(headers, sent.baggage)
            sent = sent._replace(baggage=None)
            found = self._found(host, drop_session=sent.session)
            own = baggage_of(headers) if found.get(BAGGAGE) else None
            replace(headers, found)
            return _Sent(bool(found.get(SESSION_ID)), own)
        except Exception:
            report_once("an outgoing call's hook")
            return sent

    def httpx_request_hook(self, request: Any) -> None:
        """
        Change an httpx *request*: ``httpx.Client(event_hooks={"request": [hook]})``.

        .. versionadded:: 0.1
        """
        sent = request.extensions.get(_MARK, _NOTHING)
        request.extensions[_MARK] = self._inject(request.headers, request.url.host, sent)

    async def httpx_async_request_hook(self, request: Any) -> None:
        """
        Change an httpx *request*: ``httpx.AsyncClient(event_hooks={"request": [hook]})``.

        .. versionadded:: 0.1
        """
        self.httpx_request_hook(request)

    def aiohttp_trace_config(self) -> Any:
        """
        Return a ``TraceConfig``: ``aiohttp.ClientSession(trace_configs=[config])``.

        .. versionadded:: 0.1
        """
        from aiohttp import TraceConfig
        from yarl import URL

        async def start(_session: Any, context: Any, call: Any) -> None:
            context.asgi_trace_sent = self._inject(call.headers, call.url.host)

        async def redirect(_session: Any, context: Any, call: Any) -> None:
            location = (
                call.response.headers.get("Location") or call.response.headers.get("URI") or ""
            )
            try:
                host = URL(location).host or call.url.host
            except ValueError:  # aiohttp will not go there either
                host = None
            sent = context.asgi_trace_sent
            context.asgi_trace_sent = self._inject(call.headers, host, sent)

        config = TraceConfig()
        config.on_request_start.append(start)
        config.on_request_redirect.append(redirect)
        return config

    def requests_adapter(self, **options: Any) -> Any:
        """
        Return an adapter for a session of requests: ``session.mount("https://", adapter)``, and for
        ``"http://"``.

        :param options: those of :class:`requests.adapters.HTTPAdapter`.

        .. versionadded:: 0.1
        """
        from urllib.parse import urlsplit

        from requests.adapters import HTTPAdapter

        hooks = self

        class TracingAdapter(HTTPAdapter):
            def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                # A copy: the session makes the request that follows a redirect from the one it has
                # given us.
                request = request.copy()
                hooks._inject(request.headers, urlsplit(request.url).hostname)
                return super().send(request, *args, **kwargs)

        return TracingAdapter(**options)

    def urllib3_pool_manager(self, *args: Any, **options: Any) -> Any:
        """
        Return a ``PoolManager`` of urllib3.

        :param args: those of :class:`urllib3.PoolManager`.
        :param options: the same.

        .. versionadded:: 0.1
        """
        from urllib3 import HTTPHeaderDict, PoolManager, Retry
        from urllib3.util import parse_url

        hooks = self

        class TracingPoolManager(PoolManager):
            def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> Any:  # type: ignore[override]
                kw["headers"] = HTTPHeaderDict(kw.get("headers") or self.headers)
                sent = hooks._inject(kw["headers"], parse_url(url).host)
                if sent.session or sent.baggage is not None:
                    retries = kw.get("retries")
                    if not isinstance(retries, Retry):
                        default = self.connection_pool_kw.get("retries")
                        retries = Retry.from_int(retries, redirect=redirect, default=default)
                    # To another host none of the baggage goes, the call's own members included.
                    private = {*retries.remove_headers_on_redirect, SESSION_ID, BAGGAGE}
                    kw["retries"] = retries.new(remove_headers_on_redirect=private)
                return super().urlopen(method, url, redirect, **kw)

        return TracingPoolManager(*args, **options)

    def urllib_handler(self) -> urllib.request.BaseHandler:
        """
        Return a handler for ``urllib.request.build_opener(handler)``.

        .. versionadded:: 0.1
        """
        from urllib.request import BaseHandler, Request

        hooks = self

        class TracingHandler(BaseHandler):
            def http_request(self, request: Request) -> Request:
                try:
                    hooks._prepare(request)
                except Exception:
                    report_once("an outgoing call's hook")
                return request

            https_request = http_request

        return TracingHandler()

    def _prepare(self, request: urllib.request.Request) -> None:
        from urllib.parse import urlsplit

        for name, value in self._found(urlsplit(f"//{request.host}").hostname).items():
            if name == BAGGAGE:
                value = merged_baggage(baggage_of(request.headers), value)
            name = name.capitalize()  # as urllib.request keeps them
            if name != BAGGAGE.capitalize():
                request.remove_header(name)
            if value:
                # It goes before a header of this name that a redirect keeps.
                request.add_unredirected_header(name, value)  # the next request gets its own


_hooks = OutgoingHooks()
httpx_request_hook = _hooks.httpx_request_hook
httpx_async_request_hook = _hooks.httpx_async_request_hook
