"""
Each client library, as it is, calls a real server over its real connections; and what arrives there
is looked at.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

import aiohttp
import httpx
import httpx2
import pytest
import requests

from asgi_trace import (
    OutgoingHooks,
    RequestMetadata,
    bound_carrier,
    bound_request_metadata,
    httpx_async_request_hook,
    httpx_request_hook,
)

from ...serving import served

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
INBOUND = {
    "traceparent": f"00-{TRACE}-{SPAN}-01",
    "tracestate": "rojo=1",
    "baggage": "userId=alice",
    "x-request-id": "a1b2c3d4",
    "x-session-id": "abc12345",
}
OURS, THEIRS = "127.0.0.1", "localhost"
HOOKS = OutgoingHooks(trusted_hosts=[OURS])

Received = list[tuple[str, str]]


class Server:
    """
    Answers everything, redirects where the query says to, and keeps the headers of each request.

    The next answers have the statuses in ``answers``, if there are any.
    """

    port: int

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.received.append([(name.decode(), value.decode()) for name, value in scope["headers"]])
        headers = [(b"content-length", b"0")]
        status = self.answers.pop(0) if self.answers else 200
        if scope["query_string"]:
            headers.append((b"location", unquote(scope["query_string"].decode()).encode()))
            status = 307
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body"})

    def url(self, *hosts: str) -> str:
        """The URL of the first of *hosts*, which redirects to the second, and so on."""
        url = ""
        for host in reversed(hosts):
            url = f"http://{host}:{self.port}/" + (
                f"?{url.replace('%', '%25').replace('?', '%3F')}" if url else ""
            )
        return url


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    with served(server) as server.port:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.received.clear()
    return running


# Without TLS there is nothing to verify, and no list of authorities to load for each client.
HTTPX: dict[str, Any] = {
    "follow_redirects": True,
    "trust_env": False,
    "verify": False,
    "timeout": 60,
}


def by_httpx(hooks: Any, url: str, headers: dict[str, str], module: Any = httpx) -> None:
    events = {"request": [hooks.httpx_request_hook]}
    with module.Client(event_hooks=events, **HTTPX) as client:
        client.get(url, headers=headers)


def by_async_httpx(hooks: Any, url: str, headers: dict[str, str], module: Any = httpx) -> None:
    async def get() -> None:
        events = {"request": [hooks.httpx_async_request_hook]}
        async with module.AsyncClient(event_hooks=events, **HTTPX) as client:
            await client.get(url, headers=headers)

    asyncio.run(get())


def by_aiohttp(hooks: Any, url: str, headers: dict[str, str]) -> None:
    async def get() -> None:
        configs = [hooks.aiohttp_trace_config()]
        async with (
            aiohttp.ClientSession(trace_configs=configs) as session,
            session.get(url, headers=headers) as answer,
        ):
            await answer.read()

    asyncio.run(get())


def by_requests(hooks: Any, url: str, headers: dict[str, str]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", hooks.requests_adapter(max_retries=1))
        session.get(url, headers=headers, timeout=60)


def by_urllib3(hooks: Any, url: str, headers: dict[str, str]) -> None:
    with hooks.urllib3_pool_manager(timeout=60) as pool:
        pool.request("GET", url, headers=headers or None)


def by_urllib(hooks: Any, url: str, headers: dict[str, str]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), hooks.urllib_handler())
    with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        answer.read()


CLIENTS: dict[str, Callable[[Any, str, dict[str, str]], None]] = {
    "httpx": by_httpx,
    "async httpx": by_async_httpx,
    "httpx2": partial(by_httpx, module=httpx2),
    "async httpx2": partial(by_async_httpx, module=httpx2),
    "aiohttp": by_aiohttp,
    "requests": by_requests,
    "urllib3": by_urllib3,
    "urllib.request": by_urllib,
}
every_client = pytest.mark.parametrize("client", CLIENTS)


def carried(received: Received) -> Received:
    """What of ours was in a request: each value of each header."""
    return sorted(pair for pair in received if pair[0] in INBOUND)


def expected(received: Received, *private: tuple[str, str]) -> Received:
    """What every host gets, with the span that the call has, and *private* headers."""
    ((_, parent),) = [pair for pair in received if pair[0] == "traceparent"]
    assert re.fullmatch(f"00-{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-01", parent)
    kept = {"tracestate": "rojo=1", "x-request-id": "a1b2c3d4", "traceparent": parent}
    return sorted([*kept.items(), *private])


PRIVATE = [("baggage", "userId=alice"), ("x-session-id", "abc12345")]


@every_client
@pytest.mark.parametrize(
    "stale", [{}, {"X-REQUEST-ID": "old", "TraceParent": "old", "Tracestate": "old=1"}]
)
def test_a_call_carries_the_request(server: Server, client: str, stale: dict[str, str]) -> None:
    """Each header once, whatever the app had there; no session and no baggage for others' hosts."""
    with bound_carrier(INBOUND):
        CLIENTS[client](HOOKS, server.url(THEIRS), stale)
    (received,) = server.received
    assert carried(received) == expected(received)


@every_client
def test_session_and_baggage_go_to_hosts_that_are_named(server: Server, client: str) -> None:
    with bound_carrier(INBOUND):
        CLIENTS[client](HOOKS, server.url(OURS), {})
    (received,) = server.received
    assert carried(received) == expected(received, *PRIVATE)


@every_client
@pytest.mark.parametrize(
    "hosts", [(OURS, THEIRS), (OURS, OURS, THEIRS, OURS), (THEIRS, OURS), (THEIRS, THEIRS)]
)
def test_a_redirect_is_a_call_of_its_own(
    server: Server, client: str, hosts: tuple[str, ...]
) -> None:
    """
    Nothing is there twice, each has a span of its own, and session and baggage stay with the hosts
    that are named.
    """
    with bound_carrier(INBOUND):
        CLIENTS[client](HOOKS, server.url(*hosts), {})
    assert len(server.received) == len(hosts)
    for received, host in zip(server.received, hosts, strict=True):
        assert carried(received) == expected(received, *(PRIVATE if host == OURS else []))
    assert len({dict(received)["traceparent"] for received in server.received}) == len(hosts)


SENTRY = "sentry-trace_id=77,sentry-public_key=k"


@every_client
@pytest.mark.parametrize(
    "hosts", [(OURS,), (THEIRS,), (OURS, OURS), (OURS, THEIRS), (THEIRS, OURS)]
)
def test_baggage_of_the_calls_own_is_merged(
    server: Server, client: str, hosts: tuple[str, ...]
) -> None:
    """By its keys, as that of Sentry; where a redirect leads, the caller's has to be allowed there."""
    with bound_carrier(INBOUND | {"baggage": "userId=alice,sentry-trace_id=1"}):
        CLIENTS[client](HOOKS, server.url(*hosts), {"Baggage": SENTRY})
    for received, host in zip(server.received, hosts, strict=True):
        found = [value for name, value in received if name == "baggage"]
        if client == "urllib3" and hosts == (OURS, THEIRS) and host == THEIRS:
            assert found == []  # it can leave out a header, and not a part of one
        else:
            assert found == [f"{SENTRY},userId=alice" if host == OURS else SENTRY]


@every_client
def test_a_session_of_the_apps_own_is_the_apps(server: Server, client: str) -> None:
    """It may have another meaning there."""
    with bound_carrier(INBOUND):
        CLIENTS[client](HOOKS, server.url(THEIRS), {"X-Session-ID": "own"})
    (received,) = server.received
    assert carried(received) == expected(received, ("x-session-id", "own"))


@every_client
def test_outside_a_request_a_call_is_left_alone(server: Server, client: str) -> None:
    CLIENTS[client](HOOKS, server.url(OURS, THEIRS), {"X-Request-ID": "own"})
    assert [carried(received) for received in server.received] == [[("x-request-id", "own")]] * 2


class Broken(RequestMetadata):
    """A request whose trace cannot be read."""

    @property
    def trace(self) -> Any:
        raise RuntimeError("no trace")


@every_client
def test_a_fault_of_ours_costs_no_call(server: Server, client: str) -> None:
    with bound_request_metadata(Broken()):
        CLIENTS[client](HOOKS, server.url(OURS), {})
    assert len(server.received) == 1


def test_the_ready_hooks_name_no_session(server: Server) -> None:
    """httpx_request_hook and httpx_async_request_hook, for event_hooks= as they are."""

    class Ready:
        httpx_request_hook = staticmethod(httpx_request_hook)
        httpx_async_request_hook = staticmethod(httpx_async_request_hook)

    with bound_carrier(INBOUND):
        by_httpx(Ready, server.url(OURS), {})
        by_async_httpx(Ready, server.url(OURS), {})
    assert [carried(each) for each in server.received] == [
        expected(each) for each in server.received
    ]
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("named", "host", "sent"),
    [
        ("api.example.com", "api.example.com", True),
        ("API.example.com", "api.EXAMPLE.com.", True),
        ("api.example.com", "evil-api.example.com", False),
        ("api.example.com", "api.example.com.evil", False),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("::1", "[::1]", True),
        ("localhost", None, False),
        ("localhost", "", False),
    ],
)
def test_a_host_is_named_whole_or_by_its_domain(named: str, host: str | None, sent: bool) -> None:
    with bound_carrier(INBOUND):
        assert OutgoingHooks(trusted_hosts=[named])._inject({}, host).session is sent


@pytest.mark.parametrize("url", ["http://[::1]:8000/", "http://user@[::1]/", "http://::1.example/"])
def test_a_host_is_found_in_every_form_of_an_address(url: str) -> None:
    """urllib.request keeps it with all that stands around it."""
    request = urllib.request.Request(url)
    with bound_carrier(INBOUND):
        OutgoingHooks(trusted_hosts=["::1"]).urllib_handler().http_request(request)  # type: ignore[attr-defined]
    assert request.has_header("X-request-id")
    assert request.has_header("X-session-id") is ("[" in url)


@pytest.mark.parametrize(
    "host", ["", "*", "*.", "https://a.b", "a.b/c", "a.b:80", "a b", "a..b", ".a", None, 7]
)
def test_a_host_that_is_none_fails_early(host: Any) -> None:
    """Value, rule, remedy."""
    message = (
        f"trusted_hosts has {host!r}; expected a host, such as 'api.example.com', without a port"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        OutgoingHooks(trusted_hosts=["ok.example", host])


def test_a_lone_string_is_no_list_of_hosts() -> None:
    with pytest.raises(
        ValueError, match=r"trusted_hosts is 'a\.b'; expected a sequence, such as \('a\.b',\)"
    ):
        OutgoingHooks(trusted_hosts="a.b")


def test_hooks_import_a_client_when_it_is_asked_for() -> None:
    code = """
import sys
from asgi_trace import OutgoingHooks
hooks = OutgoingHooks(trusted_hosts=["a.b"])
clients = {"httpx", "httpx2", "aiohttp", "requests", "urllib3", "urllib.request", "yarl"}
print(*clients & set(sys.modules))
hooks.urllib3_pool_manager()
print(*clients & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split("\n")[:2] == ["", "urllib3"]
