"""A shim added by ``add_middleware``, on real servers: the header, and each line with ids once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from ..servers.harness import PATIENCE, Server
from .frameworks import OWN_PAGE

UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}")
NO_LIFESPAN = (*UVICORN, "--lifespan", "off")
FASTAPI_RUN = ("-m", "fastapi", "run", "--host", "127.0.0.1", "--port", "{port}")
HERE = "tests.frameworks.added"
SCRIPT = str(Path(__file__).with_name("added.py"))

# What starts each server, and what its page for a crash says.
SERVERS = {
    **{
        f"{name}-{page}": ((*UVICORN, f"{HERE}:{name}_{page}"), text)
        for name in ("fastapi", "starlette")
        for page, text in (
            ("own", OWN_PAGE),
            ("debug", "Traceback (most recent call last):"),
            ("plain", "Internal Server Error"),
        )
    },
    "fastapi-own, no lifespan": ((*NO_LIFESPAN, f"{HERE}:fastapi_own"), OWN_PAGE),
    "starlette-own, no lifespan": ((*NO_LIFESPAN, f"{HERE}:starlette_own"), OWN_PAGE),
    "fastapi-own, two workers": ((*UVICORN, "--workers", "2", f"{HERE}:fastapi_own"), OWN_PAGE),
    "fastapi-own, uvicorn.run": (("-m", HERE, "{port}"), OWN_PAGE),
    "fastapi run": ((*FASTAPI_RUN, SCRIPT), OWN_PAGE),
    "mounted": ((*UVICORN, f"{HERE}:mounted_own"), OWN_PAGE),
}


class Named(Server):
    """A running server of the table."""

    def __init__(self, name: str) -> None:
        command, self.page = SERVERS[name]
        super().__init__(command)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Named]:
    server = Named(request.param)
    yield server
    server.stop()


def headers_of(marker: str) -> dict[str, str]:
    return {"X-Request-ID": f"r-{marker}", "X-Session-ID": marker}


def ask(server: Named, action: str, marker: str) -> httpx.Response:
    with server.client() as client:
        return client.get(f"/{action}/{marker}", headers=headers_of(marker))


def check_response(response: httpx.Response, marker: str, status: int) -> None:
    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == [f"r-{marker}"]


def check_traceback(server: Named, marker: str) -> None:
    """Each of its lines has the ids of the request."""
    record = server.record_ending(f"RuntimeError: {marker} failed")
    assert record[0].text == "Exception in ASGI application"
    assert {line.ids for line in record} == {(f"r-{marker}", marker)}


def check_lines(server: Named, marker: str, *expected: str) -> None:
    """Each expected text is on one line, and all lines of the request have its ids."""
    server.settle()
    ids = (f"r-{marker}", marker)
    lines = [line for line in server.lines if marker in line.text or line.request_id == ids[0]]
    assert [line for line in lines if line.ids != ids] == []
    for text in expected:
        found = [line.text for line in lines if text in line.text]
        assert len(found) == 1, f"{text!r} is on {found}, in:\n{server.tail()}"


def access_lines(action: str, marker: str, status: int) -> tuple[str, str]:
    """Return what stands on uvicorn's access line, and on ours."""
    return f'"GET /{action}/{marker} HTTP/1.1" {status}', f"GET /{action}/{marker} {status} "


def pages_of(server: Named, marker: str) -> list[str]:
    """Return what the user's own error page has logged, where there is one."""
    return [f"{marker} has our own page"] if server.page == OWN_PAGE else []


@pytest.mark.parametrize("action", ["handler", "sync", "dependency"])
def test_a_crash_has_its_ids_everywhere(server: Named, action: str) -> None:
    """The response keeps its page. Middleware, page, traceback and access have their lines."""
    marker = server.marker()
    response = ask(server, action, marker)
    check_response(response, marker, 500)
    assert server.page in response.text
    check_traceback(server, marker)
    expected = (f"{marker} passes", *pages_of(server, marker), *access_lines(action, marker, 500))
    check_lines(server, marker, *expected)


def test_a_crash_behind_the_response_has_its_ids(server: Named) -> None:
    """In a background task: the response has been sent."""
    marker = server.marker()
    response = ask(server, "background", marker)
    check_response(response, marker, 200)
    check_traceback(server, marker)
    expected = (*pages_of(server, marker), *access_lines("background", marker, 200))
    check_lines(server, marker, f"{marker} passes", *expected)


def test_a_crash_within_the_response_has_its_ids(server: Named) -> None:
    """What was sent before it is kept."""
    marker = server.marker()
    response = ask(server, "stream", marker)
    check_response(response, marker, 200)
    assert response.text == "a part"
    check_traceback(server, marker)
    expected = (*pages_of(server, marker), *access_lines("stream", marker, 200))
    check_lines(server, marker, f"{marker} passes", *expected)


def test_a_crash_of_a_websocket_has_its_ids(server: Named) -> None:
    """On the accept, uvicorn's line of it, and the traceback."""
    marker = server.marker()
    address, headers = f"ws://127.0.0.1:{server.port}/ws/{marker}", headers_of(marker)
    with connect(address, additional_headers=headers, open_timeout=PATIENCE) as websocket:
        assert websocket.response is not None
        assert websocket.response.headers.get_all("X-Request-ID") == [f"r-{marker}"]
        with pytest.raises(ConnectionClosedError):
            websocket.recv(PATIENCE)
    check_traceback(server, marker)
    accepted = f'"WebSocket /ws/{marker}" [accepted]'
    check_lines(server, marker, accepted, f"WEBSOCKET /ws/{marker} 101 ")


@pytest.mark.parametrize(("action", "status"), [("refused", 403), ("invalid", 422)])
def test_an_answer_of_the_framework_has_its_ids(server: Named, action: str, status: int) -> None:
    """An HTTPException, and a value that FastAPI's validation refuses."""
    marker = server.marker()
    check_response(ask(server, action, marker), marker, status)
    check_lines(server, marker, f"{marker} passes", *access_lines(action, marker, status))
