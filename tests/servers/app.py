"""
The app that every server serves: what a client asks for is in the path, ``/ACTION/MARKER``.

Each line that it logs begins with the client's marker, so that a test can tell whose line it is
without the ids. Runs on asyncio and on trio. Does not know which server runs it.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.to_thread

from asgi_trace import RequestTracingMiddleware, configure_logging, get_request_id, get_session_id

configure_logging()

logger = logging.getLogger("shop")
logger.info("loaded")

PATIENCE = 60
"""
Seconds until a request gives up on others, or on its client; far above what a loaded machine needs.
"""


async def shop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    _, action, marker = scope["path"].split("/")
    say = partial(logger.info, "%s %s", marker)
    with anyio.fail_after(PATIENCE):
        await ACTIONS[scope["type"], action](scope, receive, send, say)


async def lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        logger.info(message["type"])
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def reply(send: Any, **body: Any) -> None:
    content = json.dumps(body).encode()
    length = (b"content-length", str(len(content)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [length, (b"x-request-id", b"the-apps-own")],
        }
    )
    await send({"type": "http.response.body", "body": content})


class Room:
    """Where requests wait for each other: what happens in it is concurrent without a clock."""

    def __init__(self) -> None:
        self.inside = 0
        self.full = anyio.Event()

    async def enter(self, size: int) -> None:
        self.inside += 1
        if self.inside == size:
            self.full.set()
        await self.full.wait()


rooms: defaultdict[str, Room] = defaultdict(Room)


async def work(scope: Any, receive: Any, send: Any, say: Any) -> None:
    """
    Log in the request, its task and its thread, beside as many other requests as
    ``?room=NAME&size=NUMBER`` asks.
    """
    say("begins")
    query = {
        name.decode(): values[0].decode()
        for name, values in parse_qs(scope["query_string"]).items()
    }
    if "room" in query:
        await rooms[query["room"]].enter(int(query["size"]))

    async def task() -> None:
        say("in a task")

    async with anyio.create_task_group() as group:
        group.start_soon(task)
        group.start_soon(anyio.to_thread.run_sync, say, "in a thread")
    await reply(
        send, request_id=get_request_id(), session_id=get_session_id(), port=int(scope["client"][1])
    )
    say("ends")


async def upload(scope: Any, receive: Any, send: Any, say: Any) -> None:
    """Read a large body, slower than it comes."""
    size, more = 0, True
    say("begins")
    while more:
        message = await receive()
        size += len(message["body"])
        more = message.get("more_body", False)
        await anyio.lowlevel.checkpoint()
    say(f"has read {size} bytes")
    await reply(send, size=size, port=int(scope["client"][1]))


async def crash(scope: Any, receive: Any, send: Any, say: Any) -> None:
    """Fail before the response has begun; on websockets, before the handshake is done."""
    say("begins")
    fail(scope)


async def crash_late(scope: Any, receive: Any, send: Any, say: Any) -> None:
    """Fail when the response has begun; on websockets, when a message has been sent."""
    say("begins")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        await receive()
    else:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/plain")],
            }
        )
        await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    fail(scope)


def fail(scope: Any) -> None:
    raise RuntimeError(f"no luck with {scope['path']}")


async def stream(scope: Any, receive: Any, send: Any, say: Any) -> None:
    """Send without end, until the client is gone."""
    say("begins")
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain")],
        }
    )
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(send_without_end, send)
            while (await receive())["type"] != "http.disconnect":
                pass
            say("sees the client go")
            group.cancel_scope.cancel()
    finally:
        say("ends")


async def send_without_end(send: Any) -> None:
    # the specification says OSError once the client is gone; servers raise others too
    with suppress(Exception):
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            await anyio.sleep(0.01)


async def echo(scope: Any, receive: Any, send: Any, say: Any) -> None:
    await receive()
    say("connects")
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        say(f"says {message['text']}")
        await send({"type": "websocket.send", "text": message["text"]})
    say("disconnects")


async def refuse(scope: Any, receive: Any, send: Any, say: Any) -> None:
    """Refuse the handshake: with a response of the app's own, where the server can send one."""
    await receive()
    say("is refused")
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": 401,
            "headers": [(b"content-length", b"0")],
        }
    )
    await send({"type": "websocket.http.response.body", "body": b""})


ACTIONS = {
    ("http", "work"): work,
    ("http", "upload"): upload,
    ("http", "crash"): crash,
    ("http", "crash-late"): crash_late,
    ("http", "stream"): stream,
    ("websocket", "echo"): echo,
    ("websocket", "refuse"): refuse,
    ("websocket", "crash"): crash,
    ("websocket", "crash-late"): crash_late,
}

resetting = RequestTracingMiddleware(shop)
keeping = RequestTracingMiddleware(shop, keep_context=True)
