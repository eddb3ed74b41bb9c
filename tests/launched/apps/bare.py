"""
An app that has never heard of tracing: ``/ACTION/MARKER``, and all that it logs begins with the
client's marker.

Each request is held until its body is complete, so that a client decides which of them overlap.
Runs on asyncio and on trio.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio.to_thread

logger = logging.getLogger("shop")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    _, action, marker = scope["path"].split("/")
    say = partial(logger.info, "%s %s", marker)
    say(f"begins, {scope['state']['ready']}")
    while (await receive()).get("more_body"):
        pass
    await anyio.to_thread.run_sync(say, "in a thread")
    if action == "crash":
        raise RuntimeError(f"no luck with {scope['path']}")
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})
    say("ends")


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        logger.info(message["type"])
        scope["state"]["ready"] = "with the lifespan's state"
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def make_app() -> Any:
    return app
