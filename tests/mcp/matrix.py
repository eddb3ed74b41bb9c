"""
Every way to serve MCP on the SDK that is installed here, with and without OpenTelemetry and
``trace_server()``: whose trace is it in which a handler works?

A program: it plays each cell with two clients and parallel calls, and prints what was wrong in
which cell, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from asgi_trace import RequestTracingMiddleware
from asgi_trace._mcp.spans import call_spans
from asgi_trace.mcp import trace_server

from .conversation import Caller, Lines, converse
from .modes import Mode
from .sdk import sdk
from .stdio_witness import Echo, register_witness, switch_on

MODES = [
    mode
    for mode in (Mode.STATEFUL, Mode.STATELESS, Mode.LEGACY_SSE, Mode.PROTOCOL_2026)
    if mode in sdk.MODES
]
NAMES = ("alice", "bob")
CALLS = 3
SERVER = [sys.executable, "-W", "ignore", "-m", "tests.mcp.stdio_witness"]


class Cell(NamedTuple):
    transport: str
    is_on: bool  # OpenTelemetry
    is_traced: bool  # with trace_server()

    def __str__(self) -> str:
        words = (
            "OpenTelemetry" if self.is_on else "no OpenTelemetry",
            "trace_server()" if self.is_traced else "wrapped alone",
        )
        return ", ".join((self.transport, *words))


def http_cells(*, is_on: bool) -> list[tuple[Mode, Cell]]:
    return [(mode, Cell(mode.value, is_on, traced)) for mode, traced in product(MODES, (0, 1))]


def parent(name: str, n: int) -> dict[str, str] | None:
    """The span that a client names in the ``_meta`` of its call: on every other call."""
    trace_id = f"{name.encode().hex()}{n:02x}".rjust(32, "a")
    return {"traceparent": f"00-{trace_id}-{'b' * 16}-01"} if n % 2 else None


class Call(NamedTuple):
    """What the handler of one call has seen, and the caller that its ``_meta`` named."""

    tag: str
    seen: dict[str, Any]
    caller: str

    def problems(self, cell: Cell, spans: list[dict[str, Any]]) -> Iterator[str]:
        line, caller = self.seen["line"], self.caller.split("-")[1:3]
        place = [line["trace_id"], line["span_id"]]
        if self.seen["logged"] != place:
            yield f"the line is at {self.seen['logged']}, the request at {place}"
        for what in ("inject", "outgoing_meta", "http"):
            if self.seen[what].split("-")[1] != place[0]:
                yield f"{what} is in another trace: {self.seen[what]}"
        if cell.is_traced and caller and caller != [line["trace_id"], line["parent_span_id"]]:
            yield f"_meta names {caller}, the parent is {line['parent_span_id']}"
        if not cell.is_on:
            return
        for child in ("child", "threads_child"):
            if self.seen[child] != place:
                yield f"the {child} is under {self.seen[child]}, the line at {place}"
        sent = [span for span in spans if span["id"] == self.seen["http"].split("-")[2]]
        if [[span["trace"], span["parent"]] for span in sent] != [place]:
            yield f"the HTTP call is not under the line's span: {sent}"
        own = [span for span in spans if [span["trace"], span["id"]] == place]
        if [span["kind"] for span in own] != ["SERVER"]:
            yield f"the line's span is no SERVER span: {own}"
        elif cell.transport != "stdio" and cell.is_traced and caller:
            around = [span for span in spans if span["id"] in own[0]["links"]]
            if [span["name"][:4] for span in around if span["kind"] == "SERVER"] != ["POST"]:
                yield f"the span of the HTTP request is no link: {own} {around}"


def check(cell: Cell, calls: list[Call], spans: list[dict[str, Any]]) -> list[str]:
    found = [f"{call.tag}: {problem}" for call in calls for problem in call.problems(cell, spans)]
    if len(calls) != len(NAMES) * CALLS:
        found.append(f"{len(calls)} calls were answered")
    if cell.is_on:
        called = [
            span for span in spans if span["kind"] == "SERVER" and span["method"] == "tools/call"
        ]
        if len(called) != len(calls):
            found.append(f"{len(called)} SERVER spans for {len(calls)} calls: {called}")
    elif spans:
        found.append(f"there are spans: {spans}")
    return found


async def over_http(mode: Mode, cell: Cell, url: str, exporter: Any) -> list[str]:
    server = register_witness(sdk.bare(mode), uses_spans=cell.is_on)
    call_spans.is_used = False  # as in a process of its own
    if cell.is_traced:
        trace_server(server)
    answers: dict[str, Any] = {}

    async def ask(session: Any, name: str, n: int) -> None:
        tag = f"{name}-{n}-"
        answers[tag] = json.loads(await sdk.ask(session, "work", parent(name, n), tag=tag, url=url))

    async def talk(caller: Caller, session: Any) -> None:
        await asyncio.gather(*(ask(session, caller.name, n) for n in range(CALLS)))

    def wrap(app: Any, **options: Any) -> Any:
        if cell.is_on:
            from asgi_trace.otel import RequestSpans

            app = RequestSpans(app)
        return RequestTracingMiddleware(app, observe_body=True, **options)

    if exporter is not None:
        exporter.clear()
    with mock.patch.dict("tests.mcp.conversation.WRAPPINGS", {wrap: ""}):
        conversation = await converse(mode, talk, wrap, names=NAMES, server=server, lines=Lines())
    spans = [] if exporter is None else exporter.told()
    calls = [Call(tag, seen, meta_of(conversation.callers, tag)) for tag, seen in answers.items()]
    return check(cell, calls, spans)


def meta_of(callers: list[Caller], tag: str) -> str:
    """The ``traceparent`` in the call's ``_meta`` as it was on the wire: an SDK may write its own."""
    (post,) = (
        post for caller in callers for post in caller.posts if tag in json.dumps(post.message)
    )
    return str(post.message["params"].get("_meta", {}).get("traceparent", ""))


async def over_stdio(cell: Cell, url: str, environment: dict[str, str]) -> list[str]:
    """Two servers, each in a process of its own, as stdio has it."""
    command = [*SERVER, *(["on"] if cell.is_on else [])]

    async def talk(name: str) -> tuple[list[Call], list[dict[str, Any]]]:
        with tempfile.TemporaryFile("w") as errors:
            async with sdk.over_stdio(command, environment, errors) as session:

                async def ask(n: int) -> Call:
                    given = parent(name, n) or {}
                    answer = await sdk.ask(
                        session, "work", given or None, tag=f"{name}-{n}-", url=url
                    )
                    return Call(f"{name}-{n}-", json.loads(answer), given.get("traceparent", ""))

                calls = await asyncio.gather(*map(ask, range(CALLS)))
                spans = json.loads(await sdk.ask(session, "spans"))
                return calls, spans

    both = await asyncio.gather(*map(talk, NAMES))
    calls = [call for found, _ in both for call in found]
    return check(cell, calls, [span for _, spans in both for span in spans])


# Each cure, and what is in its place when it is switched off.
CURES = {
    "the context of version 1": (
        "contexts._CallContext.get_current",
        lambda self: self._inner.get_current(),
    ),
    "the spans of the SDK": ("calls._SDKS", frozenset()),
    "the span of a message": ("calls._begin", None),
}


@contextmanager
def switched_off(cure: str) -> Iterator[None]:
    name, instead = CURES[cure]
    with mock.patch(f"asgi_trace._otel.{name}", instead):
        yield


async def main(environment: dict[str, str]) -> None:
    report: dict[str, dict[str, list[str]]] = {"": {}}
    async with Echo.serving() as url:
        # Without OpenTelemetry first: a provider cannot be taken away again. And its SDK's client
        # leaves a call's _meta as it is.
        stdio = [Cell("stdio", is_on, True) for is_on in (False, True)]
        found = await asyncio.gather(*(over_stdio(cell, url, environment) for cell in stdio))
        report[""].update(zip(map(str, stdio), found, strict=True))
        for mode, cell in http_cells(is_on=False):
            report[""][str(cell)] = await over_http(mode, cell, url, None)
        exporter = switch_on()
        for mode, cell in http_cells(is_on=True):
            report[""][str(cell)] = await over_http(mode, cell, url, exporter)
        for cure in CURES:
            with switched_off(cure):
                report[cure] = {
                    str(cell): await over_http(mode, cell, url, exporter)
                    for mode, cell in http_cells(is_on=True)
                    if mode is Mode.STATEFUL  # where each cure shows
                }
    print(json.dumps(report))


if __name__ == "__main__":
    import os

    asyncio.run(main({**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}))
