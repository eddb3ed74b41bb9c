"""
Starlette and FastAPI, for a shim that was added by ``add_middleware``.

``ServerErrorMiddleware`` surrounds all middleware that a user can add, so a second shim, the twin,
is put around the whole stack. Only this module uses attributes of Starlette. It never imports
Starlette.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from functools import partial
from types import FrameType, FunctionType
from typing import Any

from .scope import Scope, ScopeMetadata, Settings

__all__ = ("replace_error_sender", "rewrapped", "starlette_app", "with_first_request")


def starlette_app(scope: Scope, middleware: type) -> Any:
    """
    Return the Starlette app of *scope* if *middleware* was added to it, else None.

    A shim around a single route or mount is no middleware of the app: its options apply to that
    part. An app cannot be wrapped before its stack is built.
    """
    applications = sys.modules.get("starlette.applications")
    app: Any = scope.get("app")
    # Not isinstance(): that would ask an object of another kind for its __class__.
    if applications is None or not issubclass(type(app), applications.Starlette):
        return None
    if app.middleware_stack is None:
        return None
    is_added = any(added.cls is middleware for added in app.user_middleware)
    return app if is_added else None


def rewrapped(app: Any, old: Any, new: Any) -> Any:
    """Return copies of the wrappers between *app* and *old*, with *new* in the place of *old*."""
    if app is old:
        return new
    wrapper = copy(app)
    wrapper.app = rewrapped(app.app, old, new)
    return wrapper


Requests = type[ScopeMetadata]


def with_first_request(requests: Requests, report: Callable[[Scope], None]) -> Requests:
    """
    Return a subclass of *requests* whose objects call *report* with their scope when they are read.

    After that call, the object's class is *requests*.
    """

    def read(request: ScopeMetadata, scope: Scope, settings: Settings) -> bool:
        report(scope)
        request.__class__ = requests
        return request._read(scope, settings)

    return type("FirstRequest", (requests,), {"__slots__": (), "_read": read})


def replace_error_sender(scope: Scope, send_page: Callable[..., Any]) -> None:
    """
    Make Starlette use *send_page* for its error page about the exception being handled in *scope*.

    *send_page* is called with Starlette's ``send`` and a message. This is for the very first
    request where the server runs no lifespan: it entered ``ServerErrorMiddleware`` before the twin
    was put around it.

    ``ServerErrorMiddleware`` sends its page with ``send``, its local variable, past all middleware.
    The variable is a closure cell, since the middleware's inner function ``_send`` uses it too, and
    a cell can be assigned. Nothing happens where the middleware is not found: it runs in another
    task if there is a ``BaseHTTPMiddleware`` in between.
    """
    inner: Any = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        is_error_page = frame.f_globals.get("__name__") == "starlette.middleware.errors"
        if is_error_page and frame.f_locals.get("scope") is scope:
            inner = frame.f_locals.get("_send")  # the outermost one, which all pages pass
        frame = frame.f_back
    if isinstance(inner, FunctionType) and inner.__closure__:
        cells = dict(zip(inner.__code__.co_freevars, inner.__closure__, strict=True))
        if "send" in cells:
            cells["send"].cell_contents = partial(send_page, cells["send"].cell_contents)
