"""
W3C Trace Context, level 2: each case of the standard's validation suite, by its name, through real
servers.

As the suite's harness does it: a request with the case's headers goes to a service, the service
calls back, and what the call back carries is looked at.
https://github.com/w3c/trace-context/tree/main/test
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from asgi_trace import RequestTracingMiddleware, TraceContext, inject
from asgi_trace._core.tracecontext import (
    format_traceparent,
    parse_baggage,
    parse_traceparent,
    parse_tracestate,
)

from ...serving import served

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
PARENT = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"

Headers = list[tuple[str, str]]


class Sent(NamedTuple):
    """
    One request of a case, and what the service must send on: the trace or a new one, and this
    tracestate.
    """

    headers: Headers
    goes_on: bool
    tracestate: str = ""


def parent(value: str, goes_on: bool) -> Sent:
    return Sent([("traceparent", value)], goes_on)


def state(*values: str, passes: str = "") -> Sent:
    return Sent(
        [("traceparent", UNSAMPLED), *(("tracestate", value) for value in values)], True, passes
    )


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")
MEMBERS = [f"bar{number:02}={number:02}" for number in range(1, 34)]
TENS = (",".join(MEMBERS[:10]), ",".join(MEMBERS[10:20]), ",".join(MEMBERS[20:30]))

# TraceContextTest, with STRICT_LEVEL=2 and SPEC_LEVEL=2.
CASES: dict[str, list[Sent]] = {
    "test_both_traceparent_and_tracestate_missing": [Sent([], False)],
    "test_traceparent_included_tracestate_missing": [parent(PARENT, True)],
    "test_traceparent_duplicated": [
        Sent([("traceparent", PARENT.replace("9012-", "9011-")), ("traceparent", PARENT)], False)
    ],
    "test_traceparent_header_name": [
        Sent([("trace-parent", PARENT)], False),
        Sent([("trace.parent", PARENT)], False),
    ],
    "test_traceparent_header_name_valid_casing": [
        Sent([("TraceParent", PARENT)], True),
        Sent([("TrAcEpArEnT", PARENT)], True),
        Sent([("TRACEPARENT", PARENT)], True),
    ],
    "test_traceparent_version_0x00": [
        parent(f"{PARENT}.", False),
        parent(f"{PARENT}-what-the-future-will-be-like", False),
    ],
    "test_traceparent_version_0xcc": [
        parent(f"cc{PARENT[2:]}", True),
        parent(f"cc{PARENT[2:]}-what-the-future-will-be-like", True),
        parent(f"cc{PARENT[2:]}.what-the-future-will-be-like", False),
    ],
    "test_traceparent_version_0xff": [parent(f"ff{PARENT[2:]}", False)],
    "test_traceparent_version_illegal_characters": [
        parent(f".0{PARENT[2:]}", False),
        parent(f"0.{PARENT[2:]}", False),
    ],
    "test_traceparent_version_too_long": [
        parent(f"0{PARENT}", False),
        parent(f"00{PARENT}", False),
    ],
    "test_traceparent_version_too_short": [parent(PARENT[1:], False)],
    "test_traceparent_trace_id_all_zero": [parent(f"00-{'0' * 32}-{SPAN}-01", False)],
    "test_traceparent_trace_id_illegal_characters": [
        parent(f"00-.{TRACE[1:]}-{SPAN}-01", False),
        parent(f"00-{TRACE[:-1]}.-{SPAN}-01", False),
    ],
    "test_traceparent_trace_id_too_long": [parent(f"00-{TRACE}3-{SPAN}-01", False)],
    "test_traceparent_trace_id_too_short": [parent(f"00-{TRACE[:-1]}-{SPAN}-01", False)],
    "test_traceparent_parent_id_all_zero": [parent(f"00-{TRACE}-{'0' * 16}-01", False)],
    "test_traceparent_parent_id_illegal_characters": [
        parent(f"00-{TRACE}-.{SPAN[1:]}-01", False),
        parent(f"00-{TRACE}-{SPAN[:-1]}.-01", False),
    ],
    "test_traceparent_parent_id_too_long": [parent(f"00-{TRACE}-{SPAN}7-01", False)],
    "test_traceparent_parent_id_too_short": [parent(f"00-{TRACE}-{SPAN[:-1]}-01", False)],
    "test_traceparent_trace_flags_illegal_characters": [
        parent(f"00-{TRACE}-{SPAN}-.0", False),
        parent(f"00-{TRACE}-{SPAN}-0.", False),
    ],
    "test_traceparent_trace_flags_too_long": [parent(f"00-{TRACE}-{SPAN}-001", False)],
    "test_traceparent_trace_flags_too_short": [parent(f"00-{TRACE}-{SPAN}-1", False)],
    "test_traceparent_ows_handling": [
        parent(f" {PARENT}", True),
        parent(f"\t{PARENT}", True),
        parent(f"{PARENT} ", True),
        parent(f"{PARENT}\t", True),
        parent(f"\t {PARENT} \t", True),
    ],
    "test_tracestate_included_traceparent_missing": [
        Sent([("tracestate", "foo=1")], False),
        Sent([("tracestate", "foo=1,bar=2")], False),
    ],
    "test_tracestate_included_traceparent_included": [state("foo=1,bar=2", passes="foo=1,bar=2")],
    "test_tracestate_header_name": [
        Sent([("traceparent", UNSAMPLED), ("trace-state", "foo=1")], True),
        Sent([("traceparent", UNSAMPLED), ("trace.state", "foo=1")], True),
    ],
    "test_tracestate_header_name_valid_casing": [
        Sent([("traceparent", UNSAMPLED), ("TraceState", "foo=1")], True, "foo=1"),
        Sent([("traceparent", UNSAMPLED), ("TrAcEsTaTe", "foo=1")], True, "foo=1"),
        Sent([("traceparent", UNSAMPLED), ("TRACESTATE", "foo=1")], True, "foo=1"),
    ],
    "test_tracestate_empty_header": [
        state(""),
        state("foo=1", "", passes="foo=1"),
        state("", "foo=1", passes="foo=1"),
    ],
    "test_tracestate_multiple_headers_different_keys": [
        state("foo=1,bar=2", "rojo=1,congo=2", "baz=3", passes="foo=1,bar=2,rojo=1,congo=2,baz=3")
    ],
    # The suite admits both of them, or one: ours is the first.
    "test_tracestate_duplicated_keys": [
        state("foo=1,foo=1", passes="foo=1"),
        state("foo=1,foo=2", passes="foo=1"),
        state("foo=1", "foo=1", passes="foo=1"),
        state("foo=1", "foo=2", passes="foo=1"),
    ],
    "test_tracestate_all_allowed_characters": [
        state(f"{LETTERS}={PRINTABLE}", passes=f"{LETTERS}={PRINTABLE}"),
        state(f"{LETTERS}@a-z0-9_-*/={PRINTABLE}", passes=f"{LETTERS}@a-z0-9_-*/={PRINTABLE}"),
    ],
    "test_tracestate_ows_handling": [
        state("foo=1 \t , \t bar=2, \t baz=3", passes="foo=1,bar=2,baz=3"),
        state("foo=1\t \t,\t \tbar=2,\t \tbaz=3", passes="foo=1,bar=2,baz=3"),
        state(" foo=1", passes="foo=1"),
        state("\tfoo=1", passes="foo=1"),
        state("foo=1 ", passes="foo=1"),
        state("foo=1\t", passes="foo=1"),
        state("\t foo=1 \t", passes="foo=1"),
    ],
    "test_tracestate_key_illegal_characters": [state("foo =1"), state("FOO=1"), state("foo.bar=1")],
    # In level 2 an "@" is a character of keys like others, but for the first.
    "test_tracestate_key_illegal_vendor_format": [
        state("foo@=1,bar=2", passes="foo@=1,bar=2"),
        state("@foo=1,bar=2"),
        state("foo@@bar=1,bar=2", passes="foo@@bar=1,bar=2"),
        state("foo@bar@baz=1,bar=2", passes="foo@bar@baz=1,bar=2"),
    ],
    "test_tracestate_member_count_limit": [
        state(*TENS, ",".join(MEMBERS[30:32]), passes=",".join(MEMBERS[:32])),
        state(*TENS, ",".join(MEMBERS[30:33])),
    ],
    "test_tracestate_key_length_limit": [
        state("foo=1", f"{'z' * 256}=1", passes=f"foo=1,{'z' * 256}=1"),
        state("foo=1", f"{'z' * 257}=1"),
        state("foo=1", f"{'t' * 241}@{'v' * 14}=1", passes=f"foo=1,{'t' * 241}@{'v' * 14}=1"),
        state("foo=1", f"{'t' * 242}@v=1", passes=f"foo=1,{'t' * 242}@v=1"),
        state("foo=1", f"t@{'v' * 15}=1", passes=f"foo=1,t@{'v' * 15}=1"),
    ],
    "test_tracestate_value_illegal_characters": [state("foo=bar=baz"), state("foo=,bar=3")],
}

# AdvancedTest: three calls for one request.
ADVANCED = {
    "test_multiple_requests_with_valid_traceparent": parent(PARENT, True),
    "test_multiple_requests_without_traceparent": Sent([], False),
    "test_multiple_requests_with_illegal_traceparent": parent(f"00-{'0' * 32}-{SPAN}-01", False),
}


class Service:
    """
    A traced service that calls a URL as often as it is asked to; the calls come back to the same
    server.
    """

    port: int

    def __init__(self) -> None:
        self.received: list[list[tuple[bytes, bytes]]] = []
        self.traced = RequestTracingMiddleware(self.call_back)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/harness":
            self.received.append(list(scope["headers"]))
            await self.answer(send)
        else:
            await self.traced(scope, receive, send)

    async def call_back(self, scope: Any, receive: Any, send: Any) -> None:
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            for _ in range(int(scope["path"][1:])):
                await client.get(
                    f"http://127.0.0.1:{self.port}/harness", headers=inject({}), timeout=60
                )
        await self.answer(send)

    async def answer(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def ask(self, sent: Sent, times: int = 1) -> list[list[tuple[bytes, bytes]]]:
        """
        Send a request with these very bytes, and return the headers of the calls that it caused.
        """
        self.received.clear()
        lines = [f"GET /{times} HTTP/1.1", "Host: test", "Connection: close"]
        lines += [f"{name}:{value}" for name, value in sent.headers]
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 204 "), answer
        return self.received[:]


@pytest.fixture(scope="module", params=["h11", "httptools"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    service = Service()
    with served(service, http=request.param) as service.port:
        yield service


def told(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode() for key, value in headers if key == name]


def traceparent(headers: list[tuple[bytes, bytes]]) -> tuple[str, str, str]:
    (value,) = told(headers, b"traceparent")
    match = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", value)
    assert match, value
    return match[1], match[2], match[3]


@pytest.mark.parametrize("case", CASES)
def test_the_standards_suite(service: Service, case: str) -> None:
    """
    One valid traceparent goes on: in the trace that came, with another span, or in a new one; and
    the tracestate.
    """
    for sent in CASES[case]:
        (received,) = service.ask(sent)
        trace_id, span_id, _ = traceparent(received)
        came = " ".join(value for _, value in sent.headers)
        assert (sent, trace_id in came) == (sent, sent.goes_on)
        assert span_id not in came
        assert (sent, told(received, b"tracestate")) == (
            sent,
            [sent.tracestate] if sent.tracestate else [],
        )


@pytest.mark.parametrize("case", ADVANCED)
def test_the_standards_suite_with_several_calls(service: Service, case: str) -> None:
    """All calls of one request are in one trace, each with a span of its own."""
    sent = ADVANCED[case]
    parents = [traceparent(received) for received in service.ask(sent, times=3)]
    assert len(parents) == len({span_id for _, span_id, _ in parents}) == 3
    (trace_id,) = {trace_id for trace_id, _, _ in parents}
    assert (trace_id == TRACE) == sent.goes_on
    assert trace_id != "0" * 32


def test_propagates_random_flag(service: Service) -> None:
    """TraceContext2Test: what the caller says of its trace-id still holds one hop on."""
    (received,) = service.ask(parent(f"00-{TRACE}-{SPAN}-02", True))
    assert traceparent(received) == (TRACE, traceparent(received)[1], "02")


def test_every_case_of_the_suite_is_here() -> None:
    """41 of them, at the commit of 29 June 2026 that tests level 2's grammar of keys."""
    assert len(CASES) + len(ADVANCED) + 1 == 41


@pytest.mark.parametrize(
    ("came", "goes_on"),
    [("00", 0), ("01", 1), ("02", 2), ("03", 3), ("04", 0), ("ff", 3), ("fe", 2)],
)
@pytest.mark.parametrize("version", ["00", "01"])
def test_flags_that_mean_nothing_yet_are_not_sent(version: str, came: str, goes_on: int) -> None:
    """Two bits are defined, and go on as they came; the others must be zero."""
    trace = parse_traceparent(f"{version}-{TRACE}-{SPAN}-{came}")
    assert trace == TraceContext(TRACE, SPAN, goes_on)
    assert (
        format_traceparent(TraceContext(TRACE, SPAN, int(came, 16)))
        == f"00-{TRACE}-{SPAN}-{goes_on:02}"
    )


@pytest.mark.parametrize(
    "value",
    [
        f"{PARENT}\n",
        f"\n{PARENT}",
        f"00-{TRACE[:-1]}A-{SPAN}-01",
        PARENT[:-1],
        "",
        "é" * 55,
        f"{PARENT}\x00",
    ],
)
def test_a_traceparent_that_is_none_is_ignored(value: str) -> None:
    assert parse_traceparent(value) is None


LONG = f"long={'x' * 250}"
SHORT = [f"k{number}={'x' * 120}" for number in range(31)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([" , ,,\t"], ""),
        (["a=  1 "], "a=  1"),
        (["a=1,2b=2"], "a=1,2b=2"),
        (["a=\t1"], ""),
        (["a=1\n"], ""),
        (["a=é"], ""),
        (["a"], ""),
        (["=1"], ""),
        ([f"a={'x' * 256}"], f"a={'x' * 256}"),
        ([f"a={'x' * 257}"], ""),
        ([",".join([*SHORT, LONG])], ",".join(SHORT)),
        ([",".join([LONG, *SHORT])], ",".join(SHORT)),
        (
            [",".join(f"k{number}={'x' * 250}" for number in range(17))],
            ",".join(f"k{n}={'x' * 250}" for n in range(16)),
        ),
        ([",".join([*SHORT[:30], f"k={'x' * 126}"])], ",".join([*SHORT[:30], f"k={'x' * 126}"])),
        ([",".join([*SHORT, "", SHORT[0], "k0=other"])], ",".join(SHORT)),
    ],
)
def test_what_of_a_tracestate_goes_on(values: list[str], expected: str) -> None:
    """Beyond the suite: blanks, lengths, and what is cut where it is too much for a header."""
    assert parse_tracestate(values) == expected


MANY = [f"key{number}=value" for number in range(70)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        (["userId=alice"], "userId=alice"),
        (
            ["userId =   alice", "node = DF%2028, live = false"],
            "userId=alice,node=DF%2028,live=false",
        ),
        (
            ["key1=value1;property1;property2, key2 = value2"],
            "key1=value1;property1;property2,key2=value2",
        ),
        (["a=1;p = v\t; q,a=2"], "a=1;p=v;q,a=2"),
        (["a=b=c=,d="], "a=b=c=,d="),
        (["a=1,b c=2,d=3"], "a=1,d=3"),
        (['a="1",b=2\n,c=\\,d=é,e=1'], "e=1"),
        (["a,=1,;"], ""),
        ([",".join(MANY)], ",".join(MANY[:64])),
        ([f"a={'x' * 8190}"], f"a={'x' * 8190}"),
        ([f"a={'x' * 8191},b=1"], "b=1"),
        ([f"a={'x' * 8186},b=1"], f"a={'x' * 8186},b=1"),
        ([f"a={'x' * 8187},b=1"], f"a={'x' * 8187}"),
    ],
)
def test_what_of_a_baggage_goes_on(values: list[str], expected: str) -> None:
    """
    All that the standard knows, up to 64 members and 8192 bytes; a member that it does not know is
    left out.
    """
    assert parse_baggage(values) == expected
