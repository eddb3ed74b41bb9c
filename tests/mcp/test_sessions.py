"""Whose session a call to an MCP server is of, on the SDK that is installed here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from asgi_trace import RequestTracingMiddleware
from asgi_trace._core.ids import secret_digest
from asgi_trace.mcp import trace_server

from .conversation import Caller, Lines, serving
from .handlers import register
from .modes import Mode
from .sdk import sdk

# Alice has had hers refreshed.
TOKENS = {"t0ken-old": "alice", "t0ken-new": "alice", "t0ken-bob": "bob"}


def outside(app: Any) -> Any:
    """Authenticate around the shim."""
    return AuthenticationMiddleware(app, backend=Backend())


class Backend(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        token = conn.headers["authorization"].removeprefix("Bearer ")
        return AuthCredentials(), SimpleUser(TOKENS[token])


@pytest.mark.anyio
@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.parametrize("is_traced", [False, True], ids=["wrapped", "traced"])
@pytest.mark.parametrize("mode", [Mode.STATEFUL, sdk.MODES[-1]], ids=lambda mode: mode.value)
async def test_an_authenticated_user_is_a_session(
    lines: Lines, mode: Mode, is_traced: bool, place: str
) -> None:
    """
    By the subject of the verified token, as a digest: a new token goes on with the session.

    The authentication is the SDK's own, which is inside the shim, or one outside.
    """
    is_inside = place == "inside"
    server = register(sdk.guarded(mode, TOKENS) if is_inside else sdk.bare(mode))
    if is_traced:
        trace_server(server)
    app = RequestTracingMiddleware(
        sdk.app(mode, server), session_sources=("user", "header:X-Session-ID"), access_log=True
    )
    async with serving(app if is_inside else outside(app)) as address:

        async def talk(token: str) -> None:
            caller = Caller(token, mode, {"Authorization": f"Bearer {token}"})
            path = "sse" if mode.is_legacy_sse else "mcp"
            async with sdk.connect(f"{address}/{path}", mode, caller.http_client) as session:
                assert not await sdk.call(session, "in_async", TOKENS[token] + token[-4:])

        await asyncio.gather(*map(talk, TOKENS))
    sessions = {
        token: lines.of(subject + token[-4:]).session_id for token, subject in TOKENS.items()
    }
    digest = secret_digest()
    assert sessions == {token: digest(who.encode()) for token, who in TOKENS.items()}
    assert "t0ken" not in "\n".join(lines.text)
