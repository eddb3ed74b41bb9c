"""Bearer tokens for the servers of the official SDK."""

from __future__ import annotations

from mcp.server.auth.provider import AccessToken


class Tokens:
    """Verifies bearer tokens: those of *subjects*, by token."""

    def __init__(self, subjects: dict[str, str]) -> None:
        self._subjects = subjects

    async def verify_token(self, token: str) -> AccessToken | None:
        subject = self._subjects.get(token)
        if subject is None:
            return None
        return AccessToken(token=token, client_id="app", scopes=[], subject=subject)
