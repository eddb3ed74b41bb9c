"""The app of ``bare.py`` in FastAPI: the same paths and lines."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio.to_thread
from fastapi import FastAPI, Request

logger = logging.getLogger("shop")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    logger.info("lifespan.startup")
    yield {"ready": "with the lifespan's state"}
    logger.info("lifespan.shutdown")


app = FastAPI(lifespan=lifespan)


@app.api_route("/{action}/{marker}", methods=["GET", "POST"])
async def answer(action: str, marker: str, request: Request) -> str:
    say = partial(logger.info, "%s %s", marker)
    say(f"begins, {request.state.ready}")
    await request.body()
    await anyio.to_thread.run_sync(say, "in a thread")
    if action == "crash":
        raise RuntimeError(f"no luck with {request.url.path}")
    say("ends")
    return "ok"
