"""
Starlette and FastAPI, for a shim that was added by ``add_middleware``: the app, its stack and its error pages.

``ServerErrorMiddleware`` stands around all middleware that a user can add, so the shim has a twin around the whole
stack. Only this module uses attributes of Starlette. It never imports Starlette.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from functools import partial
from types import FrameType, FunctionType
from typing import Any

from .scopes import Scope, ScopeMetadata, Settings

__all__ = ("replace_error_sender", "rewrapped", "starlette_app", "with_first_request")


def starlette_app(scope: Scope, middleware: type) -> Any:
    """
    Return the Starlette app that *scope* is in, if *middleware* was added to it and its stack is built; else None.

    A shim around a single route or mount is no middleware of the app: its options hold for that part alone.
    """
    applications = sys.modules.get("starlette.applications")
    app: Any = scope.get("app")
    # Not isinstance(): that would ask an object of another kind for its __class__.
    if applications is None or not issubclass(type(app), applications.Starlette):
        return None
    if app.middleware_stack is None or all(each.cls is not middleware for each in app.user_middleware):
        return None
    return app


def rewrapped(app: Any, old: Any, new: Any) -> Any:
    """Return copies of the wrappers that *app* has around *old*, around *new* instead."""
    if app is old:
        return new
    wrapper = copy(app)
    wrapper.app = rewrapped(app.app, old, new)
    return wrapper


def with_first_request(requests: type[ScopeMetadata], report: Callable[[Scope], None]) -> type[ScopeMetadata]:
    """Return a class like *requests*: each of its objects calls *report* with its scope, then is one of *requests*."""

    def read(request: ScopeMetadata, scope: Scope, settings: Settings) -> bool:
        report(scope)
        request.__class__ = requests
        return request._read(scope, settings)

    return type("FirstRequest", (requests,), {"__slots__": (), "_read": read})


def replace_error_sender(scope: Scope, send_page: Callable[..., Any]) -> None:
    """
    Let Starlette send its page for the exception that the caller handles, in *scope*, by *send_page*.

    *send_page* is called with Starlette's ``send`` and a message. This is for the very first request where the server
    runs no lifespan: that request entered the error pages before the twin was put around them.

    ``ServerErrorMiddleware`` sends its page by a local variable, past all middleware. That variable is a closure cell,
    since the middleware's inner function ``_send`` uses it too, and a cell can be assigned. Nothing happens where the
    middleware is not found: it runs in another task if a ``BaseHTTPMiddleware`` is in between.
    """
    inner: Any = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "starlette.middleware.errors" and frame.f_locals.get("scope") is scope:
            inner = frame.f_locals.get("_send")  # the outermost one, which all pages pass
        frame = frame.f_back
    if isinstance(inner, FunctionType) and inner.__closure__:
        cells = dict(zip(inner.__code__.co_freevars, inner.__closure__, strict=True))
        if "send" in cells:
            cells["send"].cell_contents = partial(send_page, cells["send"].cell_contents)
