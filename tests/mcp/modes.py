"""The ways in which an MCP client and a server talk over HTTP."""

from __future__ import annotations

import enum


class Mode(enum.Enum):
    STATEFUL = "stateful, replies as SSE"
    STATEFUL_JSON = "stateful, replies as JSON"
    STATELESS = "stateless, replies as SSE"
    STATELESS_JSON = "stateless, replies as JSON"
    LEGACY_SSE = "legacy SSE"
    PROTOCOL_2026 = "protocol 2026-07-28, replies as SSE"
    PROTOCOL_2026_JSON = "protocol 2026-07-28, replies as JSON"

    @classmethod
    def without_protocol_2026(cls) -> tuple[Mode, ...]:
        return tuple(mode for mode in cls if not mode.is_protocol_2026)

    @property
    def is_legacy_sse(self) -> bool:
        return self is Mode.LEGACY_SSE

    @property
    def is_json(self) -> bool:
        return self.name.endswith("JSON")

    @property
    def is_protocol_2026(self) -> bool:
        return self.name.startswith("PROTOCOL")

    @property
    def has_session(self) -> bool:
        """Whether the transport has sessions of its own."""
        return self.name.startswith("STATEFUL") or self.is_legacy_sse
