"""Trust by network: whose headers are believed, and what becomes of the others'."""

from __future__ import annotations

import re
import subprocess
import sys
from ipaddress import ip_address
from typing import Any

import pytest

from asgi_trace import RequestTracingMiddleware, inject

from ...asgi import hello, http_scope, response_ids, step, websocket_scope

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
INBOUND = [
    (b"x-request-id", b"a1b2c3d4"),
    (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()),
    (b"tracestate", b"rojo=1"),
    (b"baggage", b"userId=alice"),
    (b"x-session-id", b"abc12345"),
]
NETWORKS = ("10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1")


def metadata(client: Any, networks: Any = NETWORKS, make: Any = http_scope) -> Any:
    scope = make(INBOUND, client=client)
    (answered,) = response_ids(step(RequestTracingMiddleware(hello, trust_inbound=networks), scope))
    assert answered.decode() == scope["asgi_trace"].request_id
    return scope["asgi_trace"]


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        (("10.255.0.1", 50000), True),
        (["10.0.0.1", 1], True),
        (("10.0.0.1", "50000"), True),
        (("10.0.0.1",), True),
        (("::ffff:10.0.0.1", 1), True),
        (("192.0.2.7", 1), True),
        (("fd12::1", 1), True),
        (("::1", 1), True),
        (("11.0.0.1", 1), False),
        (("192.0.2.8", 1), False),
        (("fe80::1%eth0", 1), False),
        (("testclient", 50000), False),
        (("10.0.0.1.evil.example", 1), False),
        (("", 0), False),
        (None, False),
        ((), False),
        (7, False),
        (([], 1), False),
        ((167838211, 1), False),  # 10.1.2.3 as a number
        ((True, 1), False),
        ((b"\x0a\x01\x02\x03", 1), False),
        ((b"10.1.2.3", 1), False),
        ((bytearray(b"\x0a\x01\x02\x03"), 1), False),
        ((ip_address("10.1.2.3"), 1), False),
        ("10.1.2.3", False),
        ({"10.1.2.3": 1}, False),
        ([], False),
        (object(), False),
    ],
)
@pytest.mark.parametrize("make", [http_scope, websocket_scope])
def test_who_is_in_a_network_is_believed(client: Any, trusted: bool, make: Any) -> None:
    """
    All of it or nothing: id, trace, tracestate and baggage; whatever a server gives for an address.
    """
    found = metadata(client, make=make)
    assert (found.request_id == "a1b2c3d4") is trusted
    assert (found.trace_id == TRACE) is trusted
    assert (found.parent_span_id, found.tracestate, found.baggage) == (
        (SPAN, "rojo=1", "userId=alice") if trusted else (None, "", "")
    )


@pytest.mark.parametrize("networks", [NETWORKS, (), False])
def test_a_strangers_ids_are_kept_apart(networks: Any) -> None:
    """For whoever looks for them: the id as parent, the trace as a link; they go no further."""
    found = metadata(("203.0.113.9", 1), networks)
    assert found.parent_request_id == "a1b2c3d4"
    assert (found.linked_trace.trace_id, found.linked_trace.span_id) == (TRACE, SPAN)
    assert found.trace_id == found.request_id
    assert TRACE not in repr(inject({}))


def test_who_is_believed_has_no_link() -> None:
    assert metadata(("10.0.0.1", 1)).linked_trace is None
    assert metadata(("10.0.0.1", 1), True).linked_trace is None


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        (None, True),  # uvicorn, hypercorn, daphne, gunicorn
        (("", "0"), True),  # granian
        (("", 0), True),
        (["", None], True),
        (("10.0.0.1", 1), False),
        ((0, 0), False),
        ((b"", 0), False),
        ((None, None), False),
        (("", 50000), False),
        (("", 0, 0), False),
        (("",), False),
        ((), False),
        ([], False),
        ("", False),
        (0, False),
        (False, False),
        ({}, False),
    ],
)
def test_a_unix_socket_is_a_network_by_that_name(client: Any, trusted: bool) -> None:
    """Its clients have no address; other values that are empty or no text are not trusted."""
    assert (metadata(client, ("unix",)).request_id == "a1b2c3d4") is trusted


@pytest.mark.parametrize(
    "network", ["", "10.0.0.1/8", "10.0.0.300", "10.0.0.0/33", "proxy.example", "UNIX", None, 7]
)
def test_a_network_that_is_none_fails_early(network: Any) -> None:
    """Value, rule, remedy."""
    with pytest.raises(
        ValueError, match=re.escape(f"trust_inbound has {network!r}; expected a network, such as")
    ):
        RequestTracingMiddleware(hello, trust_inbound=["10.0.0.0/8", network])


@pytest.mark.parametrize("value", ["10.0.0.0/8", None, 1.5])
def test_networks_are_a_sequence(value: Any) -> None:
    with pytest.raises(
        ValueError, match=re.escape(f"trust_inbound is {value!r}; expected True, False or networks")
    ):
        RequestTracingMiddleware(hello, trust_inbound=value)


def test_without_networks_nothing_is_parsed() -> None:
    """The module for it is imported with the first network."""
    code = """
import sys
from asgi_trace import RequestTracingMiddleware
RequestTracingMiddleware(print)
before = "ipaddress" in sys.modules
RequestTracingMiddleware(print, trust_inbound=["::1"])
print(before, "ipaddress" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "True"]
