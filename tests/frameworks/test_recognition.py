"""Those who look at an app before they call it take the middleware for what it is: ASGI 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from asgiref.compatibility import guarantee_single_callable, is_double_callable
from asgiref.testing import ApplicationCommunicator
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.utils import wrap_app

from asgi_trace import RequestTracingMiddleware

from ..asgi import hello, http_scope, response_ids
from .witness import TIMEOUT


def _is_asgi_3_for_uvicorn(app: Any) -> bool:
    config = uvicorn.Config(app, log_config=None)
    config.load()
    return config.interface == "asgi3"


@pytest.mark.parametrize(
    "recognises",
    [
        _is_asgi_3_for_uvicorn,
        lambda app: isinstance(wrap_app(app, 1, None), ASGIWrapper),
        lambda app: not is_double_callable(app),  # of daphne and Channels too
        lambda app: guarantee_single_callable(app) is app,
    ],
    ids=["uvicorn", "hypercorn", "is_double_callable", "guarantee_single_callable"],
)
def test_it_is_recognised_as_asgi_3(recognises: Callable[[Any], bool]) -> None:
    """Without being told what it is, and without being called."""
    assert recognises(RequestTracingMiddleware(hello))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asgirefs_communicator_drives_it() -> None:
    """A whole request, from a context that has no variables."""
    communicator = ApplicationCommunicator(
        RequestTracingMiddleware(hello), http_scope([(b"x-request-id", b"mine")])
    )
    await communicator.send_input({"type": "http.request"})
    messages = [await communicator.receive_output(TIMEOUT) for _ in range(2)]
    await communicator.wait(TIMEOUT)
    assert [message["type"] for message in messages] == [
        "http.response.start",
        "http.response.body",
    ]
    assert response_ids(messages) == [b"mine"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asgirefs_communicator_gets_the_apps_exception() -> None:
    """Behind the shim's own 500."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("x")

    communicator = ApplicationCommunicator(RequestTracingMiddleware(app), http_scope())
    await communicator.send_input({"type": "http.request"})
    assert (await communicator.receive_output(TIMEOUT))["status"] == 500
    with pytest.raises(KeyError, match="x"):
        await communicator.wait(TIMEOUT)
