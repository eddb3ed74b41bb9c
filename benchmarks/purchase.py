"""
The three services of the README's picture: ``uvicorn benchmarks.purchase:app``. The variable
``ROLE`` chooses one, ``STOCK`` and ``PAY`` are the ports of the two that the first one calls.

A purchase reserves a lamp and a bulb at once, and is then charged; one with ``fail=1`` is refused.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_trace import JSONFormatter, RequestTracingMiddleware, configure_logging, inject

_ROLE = os.environ.get("ROLE", "front")
_PATIENCE = 30

_log = logging.getLogger(_ROLE)


def _post(port: str, path: str) -> int:
    headers = inject({"Content-Length": "0"}, session=True)
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=_PATIENCE)
    try:
        connection.request("POST", path, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


async def _buy(request: Request) -> PlainTextResponse:
    _log.info("Buying", extra={"items": 2, "currency": "EUR"})
    await asyncio.sleep(0.05)
    stock, pay = os.environ["STOCK"], os.environ["PAY"]
    items = ("lamp", "bulb")
    await asyncio.gather(*(asyncio.to_thread(_post, stock, f"/reserve/{item}") for item in items))
    await asyncio.sleep(0.03)
    query = "?fail=1" if "fail" in request.query_params else ""
    status = await asyncio.to_thread(_post, pay, f"/charge{query}")
    await asyncio.sleep(0.06)
    if status >= 500:
        _log.error("Charge failed")
        return PlainTextResponse("try again later", 502)
    return PlainTextResponse("bought")


async def _profile(request: Request) -> PlainTextResponse:
    _log.info("Loading the profile")
    await asyncio.sleep(0.12)
    return PlainTextResponse("Bob")


async def _reserve(request: Request) -> PlainTextResponse:
    item = request.path_params["item"]
    _log.info("Reserving the %s", item)
    await asyncio.sleep(0.2 if item == "lamp" else 0.14)
    if item == "lamp":
        _log.warning("Nearly out of lamps", extra={"left": 2})
    return PlainTextResponse("reserved")


async def _charge(request: Request) -> PlainTextResponse:
    _log.info("Charging the card")
    await asyncio.sleep(0.25)
    if "fail" in request.query_params:
        _log.error("The bank refuses", extra={"code": 51})
        return PlainTextResponse("refused", 500)
    return PlainTextResponse("charged")


_ROUTES = {
    "front": [Route("/buy", _buy, methods=["POST"]), Route("/profile", _profile)],
    "stock": [Route("/reserve/{item}", _reserve, methods=["POST"])],
    "pay": [Route("/charge", _charge, methods=["POST"])],
}

configure_logging(formatter=JSONFormatter())
app = RequestTracingMiddleware(Starlette(routes=_ROUTES[_ROLE]), access_log=True)
