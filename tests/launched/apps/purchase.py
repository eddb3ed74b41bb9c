"""
One of three services of a purchase: ``ROLE`` says which, ``FORM`` how it writes its lines.

Each message has its request's span in it, and what the service really did is in the file ``TRUTH``:
a line of JSON for each request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    OutgoingHooks,
    RequestTracingMiddleware,
    TextFormatter,
    configure_logging,
    get_request_metadata,
)

ROLE = os.environ["ROLE"]
FORMATTERS = {
    "text": lambda: TextFormatter(precise=True),
    "json": JSONFormatter,
    "logfmt": LogfmtFormatter,
}
log = logging.getLogger(ROLE)
hooks = OutgoingHooks(trusted_hosts=["127.0.0.1"], log=True)
api = FastAPI()


def span() -> str:
    metadata = get_request_metadata()
    assert metadata is not None
    return metadata.span_id


@api.get("/up")
async def up() -> dict[str, str]:
    return {}


@api.post("/buy")
async def buy(fail: int = 0) -> dict[str, str]:
    log.info("Buying mark-%s", span())
    events = {"request": [hooks.httpx_async_request_hook]}
    async with httpx.AsyncClient(timeout=60, trust_env=False, event_hooks=events) as client:
        stock = f"{os.environ['STOCK']}/reserve"
        await asyncio.gather(client.post(stock), client.post(stock))
        charged = await client.post(f"{os.environ['PAY']}/charge", params={"fail": fail})
    if charged.status_code >= 500:
        log.error("Charge failed mark-%s", span())
        raise HTTPException(502)
    return {}


@api.post("/reserve")
async def reserve() -> dict[str, str]:
    log.info("Reserving mark-%s", span())
    await asyncio.sleep(0.05)
    return {}


@api.post("/charge")
async def charge(fail: int = 0) -> dict[str, str]:
    log.info("Charging mark-%s", span())
    if fail:
        log.error("The bank said no mark-%s", span())
        raise HTTPException(500)
    return {}


def write(line: str) -> None:
    with Path(os.environ["TRUTH"]).open("a") as file:
        file.write(line + "\n")


async def witness(scope: Any, receive: Any, send: Any) -> None:
    """Write down what the service does for each request."""
    status = 0

    async def seen(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        await send(message)

    await api(scope, receive, seen)
    metadata = get_request_metadata()
    if scope["type"] == "http" and metadata is not None and scope["path"] != "/up":
        truth = {
            "service": ROLE,
            "request": metadata.request_id,
            "span": metadata.span_id,
            "parent": metadata.parent_span_id,
            "path": scope["path"],
            "status": status,
        }
        await asyncio.to_thread(write, json.dumps(truth))


configure_logging(formatter=FORMATTERS[os.environ["FORM"]]())
app = RequestTracingMiddleware(witness, access_log=True, exclude=["/up"])
