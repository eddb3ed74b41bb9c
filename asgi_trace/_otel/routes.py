"""
The route of a request, such as ``/shops/{shop}/items/{item}``: the framework's own template, whole.

Starlette and FastAPI put the match of the last level into the scope; the levels above it are
matched again, from the outermost inwards. Litestar puts the whole template into the scope. Quart
and Django have functions that return it. A route that is not certain is None; no part of a route
is ever taken from the path.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from .._core.faults import report_once
from .._core.scope import Scope

__all__ = ("prepare_routes", "route_of")

# The scope's key for the template, for frameworks that do not put one into the scope.
_NOTED = "asgi_trace.route"

# The most levels of mounted apps, and of wrappers around an app, that are searched.
_MOST_LEVELS = 32


def prepare_routes(app: Any) -> bool:
    """
    Note the routes of Quart, if it is loaded; return whether *app* is Django's.

    :param app: the app that is served; those that it wraps as ``app`` are searched, too.
    """
    quart = sys.modules.get("quart")
    if quart is not None:
        quart.request_started.connect(_note_quart_route, weak=False)
    for _ in range(_MOST_LEVELS):
        if app is None:
            break
        if type(app).__module__ == "django.core.handlers.asgi":
            return True
        app = getattr(app, "app", None)
    return False


async def _note_quart_route(sender: Any, **_: Any) -> None:
    """
    Note the route that Quart has matched: a receiver of its signal at the start of a request.

    It is async, since Quart runs any other in a thread.
    """
    try:
        request = import_module("quart").request
        if request.url_rule is not None:
            request.scope[_NOTED] = request.url_rule.rule
    except Exception:
        report_once("reading a route of Quart")


def route_of(scope: Scope, path: str | None, *, is_django: bool = False) -> str | None:
    """
    Return the route that a framework has found for *scope*, or None where it is not known.

    :param path: the scope's path as the server gave it: Litestar, for example, changes it.
    :param is_django: whether the app that is served, or mounted, is Django's.
    """
    own = scope.get("path_template") or scope.get(_NOTED)  # Litestar's; Quart's
    if own is None and is_django:
        own = _django_route(path or "", scope)
    if own is not None and not isinstance(own, str):
        own = None
    if "app_root_path" not in scope:
        return own or _innermost_route(scope)
    return _mounted_route(scope, path, own)


def _innermost_route(scope: Scope) -> str | None:
    """Return the template of the route that the last level matched."""
    route = scope.get("route")
    path = _effective_path(scope, route)
    if path is None:
        path = getattr(route, "path", None)
    if not isinstance(path, str) or _is_of(route, "Mount"):
        return None
    return path or None


def _effective_path(scope: Scope, route: Any) -> str | None:
    """Return the template of a FastAPI *route* with the prefixes of the routers that include it."""
    fastapi = scope.get("fastapi")
    context = fastapi.get("effective_route_context") if isinstance(fastapi, dict) else None
    return None if context is None else _path_of_context(context, route)


def _path_of_context(context: Any, route: Any) -> str | None:
    """Return the template in FastAPI's *context* of an included route, if it is for *route*."""
    own = getattr(context, "starlette_route", None)
    if route is None or (route is not own and route is not context.original_route):
        return None
    path = getattr(own, "path", None) or getattr(context, "path", None)
    return path if isinstance(path, str) else None


def _mounted_route(scope: Scope, path: str | None, own: str | None) -> str | None:
    """
    Return the template of *scope* with those of the mounts above, from the outermost inwards.

    :param own: the template of a mounted app that is not Starlette's.
    """
    routes = _routes_of(scope.get("router"))
    level = {name: scope.get(name) for name in ("type", "method", "headers", "app")}
    level |= {"path": path, "root_path": scope["app_root_path"]}
    template = ""
    for _ in range(_MOST_LEVELS):
        if not routes:
            return None
        route, matched, part = _match(routes, level)
        if route is None or part is None:
            return None
        level.update(matched)
        if _is_of(route, "Host"):
            routes = _routes_of(route)
            continue
        template += part
        if not _is_of(route, "Mount"):
            # The framework must have matched the same route: otherwise middleware has rewritten
            # the path, and the template is a guess.
            return template if _is_last(scope, route) else None
        routes = _routes_of(route)
        if not routes:
            is_last = level.get("root_path") == scope.get("root_path")
            return template + (own or "") if is_last and template else None
    return None


def _routes_of(router: Any) -> Any:
    """Return the routes in *router*, or in the app that it mounts, if these are Starlette's."""
    routes = getattr(router, "routes", None) or ()
    return [route for route in routes if hasattr(route, "matches")]


def _is_last(scope: Scope, route: Any) -> bool:
    last = scope.get("route")
    return last is route or getattr(route, "endpoint", route) is getattr(last, "endpoint", None)


def _match(routes: Iterable[Any], level: Scope) -> tuple[Any, Scope, str | None]:
    """
    Return the first of *routes* that matches *level*, its additions to the scope, and its template;
    else the first that matches the path, but not the method.
    """
    partial: tuple[Any, Scope, str | None] = (None, {}, None)
    for candidate in routes:
        match, matched = candidate.matches(level)
        if match.name == "NONE":
            continue
        route, path = candidate, getattr(candidate, "path", "")
        while hasattr(route, "include_context"):  # a router that FastAPI has included
            _, matched, route, context = route._match(level)
            if context is not None:
                own = getattr(context, "starlette_route", None)
                route, path = own or route, getattr(own or context, "path", None)
        if match.name == "FULL":
            return route, matched, path
        if partial[0] is None:
            partial = route, matched, path
    return partial


def _is_of(route: Any, name: str) -> bool:
    """Whether *route* is of Starlette's class *name*; Starlette need not be loaded."""
    kind = getattr(sys.modules.get("starlette.routing"), name, None)
    return kind is not None and isinstance(route, kind)


def _django_route(path: str, scope: Scope) -> str | None:
    urls = import_module("django.urls")
    try:
        return f"/{urls.resolve(path.removeprefix(scope.get('root_path') or '')).route}"
    except urls.Resolver404:
        return None
