"""
Optional response headers: session id, ``traceresponse``, ``Server-Timing``, CORS exposure.

This module changes header lists. It does not read scopes or messages.
"""

from __future__ import annotations

from time import time
from typing import Any

from .headers import response_values, without_header
from .request import RequestMetadata
from .tracecontext import format_traceparent

__all__ = ("Answers",)

_EXPOSED = b"access-control-expose-headers"


class Answers:
    """
    The headers that are added to each response, prepared once.

    :param request_header: the header with the request id, which the response has already.
    :param session_header: the header for the session id, or None.
    :param traceresponse: whether W3C's ``traceresponse`` is added.
    :param server_timing: whether a ``Server-Timing`` is added.
    :param expose: whether a browser may show our headers to a script of another origin.
    """

    def __init__(
        self,
        request_header: str,
        session_header: str | None,
        *,
        traceresponse: bool,
        server_timing: bool,
        expose: bool,
    ) -> None:
        self._session = session_header.lower().encode() if session_header else None
        self._traceresponse = traceresponse
        self._server_timing = server_timing
        names = [request_header, session_header, "traceresponse" if traceresponse else None]
        self._exposed = [name.encode() for name in names if name] if expose else []
        self.needed = bool(session_header or traceresponse or server_timing or expose)

    def add(self, headers: list[Any], metadata: RequestMetadata, session_id: str | None) -> None:
        """
        Add the chosen headers, with values of *metadata* and *session_id*, to *headers* in place.
        """
        if self._session and session_id:
            _replace(headers, self._session, session_id.encode())
        if self._traceresponse:
            _replace(headers, b"traceresponse", format_traceparent(metadata.trace).encode())
        if self._server_timing:
            # The trace for scripts, which can read this header of the page itself and of no other.
            taken = max(0.0, (time() - metadata.start_time) * 1000)
            timing = f'traceparent;desc="{format_traceparent(metadata.trace)}", app;dur={taken:.1f}'
            headers.append((b"server-timing", timing.encode()))
        if self._exposed:
            self._expose(headers)

    def _expose(self, headers: list[Any]) -> None:
        # On any other response the header has no meaning.
        if not any(response_values(headers, b"access-control-allow-origin")):
            return
        exposed = b",".join(response_values(headers, _EXPOSED))
        names = [name.strip(b" \t") for name in exposed.split(b",") if name.strip(b" \t")]
        # With credentials, "*" is an ordinary name, not a wildcard (Fetch, § 3.3.3).
        if b"*" in names and b"true" not in response_values(
            headers, b"access-control-allow-credentials"
        ):
            return
        known = {name.lower() for name in names}
        names += [name for name in self._exposed if name.lower() not in known]
        _replace(headers, _EXPOSED, b", ".join(names))


def _replace(headers: list[Any], name: bytes, value: bytes) -> None:
    headers[:] = [*without_header(headers, name), (name, value)]
