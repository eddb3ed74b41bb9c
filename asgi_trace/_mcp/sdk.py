"""
The current call of the MCP SDK in this process, in version 1 of the SDK.

In version 1, a session's handlers run in the context of the session's *first* request, since the
SDK started their task in it: a context variable that was set per request is stale in every later
call. But the SDK passes them the scope of the HTTP request that carried the call, and this module
finds that scope. It never imports or changes the SDK. Later versions of the SDK do not need it.
"""

from __future__ import annotations

from contextvars import Context
from sys import modules
from typing import Any

from .names import name_in

__all__ = ("MODULE", "call_of", "current_call", "is_loaded", "scope_of")

MODULE = "mcp.server.lowlevel.server"
"""The module with the SDK's variable: in :data:`sys.modules` once it is imported."""


def is_loaded() -> bool:
    """Whether this process has a server of MCP in any version of the SDK."""
    return "mcp.server" in modules


def current_call(context: Context | None = None) -> Any:
    """
    Return the SDK's own object for the call that it handles in *context*, by default the current
    one; None without a call.
    """
    variable = getattr(modules.get(MODULE), "request_ctx", None)
    if variable is None:
        return None
    return variable.get(None) if context is None else context.get(variable)


def scope_of(call: Any) -> Any:
    """
    Return the scope of the HTTP request that carried *call*. Raises an exception of any class where
    there is none.
    """
    return call.request.scope


def call_of(call: Any) -> tuple[Any, Any]:
    """
    Return the method of *call*, and the name of its tool, resource, prompt or task. Raises an
    exception of any class after the call's reply.
    """
    # Not public: the session's requests without a reply yet.
    request = call.session._in_flight[call.request_id].request.root
    return request.method, name_in(request.method, request.params)
