"""
What is asked of a framework's app, and the table of all the ways to wrap one.

Knows the shim. Each ``on_….py`` beside this file knows one framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from asgi_trace import RequestTracingMiddleware

from .drive import ASGIApp

PLAIN, OWN_PAGES, DEBUG = "the framework's pages", "the user's own pages", "debug"
"""In which manner an app answers when there is no such page, or when a handler crashes."""

OWN_PAGE = "a page of our own"
SOLD_OUT = "sold out"

TWICE = ("handler", "handler, later")
BACKGROUND = ("background", "background, later")
STREAM = tuple(
    f"{nth} chunk{later}" for nth in ("first", "second", "third") for later in ("", ", later")
)
WEBSOCKET = ("websocket", "websocket, later")

_OUTERMOST = "outermost"

Build = Callable[[str], ASGIApp]


class SoldOutError(Exception):
    """The user's own exception, for which the user's own handler answers 418 and ``SOLD_OUT``."""


class CrashError(Exception):
    """What a handler did not expect to fail with, and nobody handles."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"the till is on fire: {tag}")


class Framework(NamedTuple):
    """
    One framework, and its small app.

    Each app answers ``/own-id/TAG`` with X-Request-IDs of its own, ``/sold-out/TAG`` by raising
    ``SoldOutError``, ``/crash/TAG`` by raising ``CrashError``, ``/change-session/TAG`` from a sync
    handler that changes the session id, ``/state/TAG`` with the "open" that its startup left, and
    has no ``/missing/TAG``. A websocket at ``/ws/TAG`` answers a first text with "hello, too".
    """

    name: str
    build: Build
    """Makes the app, answering in the given manner."""

    routes: Mapping[str, tuple[str, ...]]
    """Paths, and at which places of their handling a request is looked at."""

    leaves_in_scope: frozenset[str] = frozenset()
    """What the framework writes into the scope for outer tools to read."""

    inside: Mapping[str, Build] = {}
    """
    The ways in which the framework itself adds a middleware; each builds an app that has the shim
    so.
    """

    outside_of_middleware: frozenset[str] = frozenset()
    """
    Paths whose answers the framework writes outside of its own middleware, where a shim inside
    cannot reach.
    """

    lifespan: bool = True
    websockets: bool = True
    backends: tuple[str, ...] = ("asyncio", "trio")


class Case(NamedTuple):
    """A framework, wrapped in one way."""

    framework: Framework
    wrapping: str
    build: Build

    def __str__(self) -> str:
        return f"{self.framework.name}, {self.wrapping}"

    def reaches(self, path: str) -> bool:
        """Whether the answer to *path* is written where the shim sees it."""
        return (
            self.wrapping.startswith(_OUTERMOST) or path not in self.framework.outside_of_middleware
        )


def _wrapped(build: Build) -> Build:
    return lambda manner: RequestTracingMiddleware(build(manner))


def cases_of(framework: Framework) -> list[Case]:
    """Return every way to wrap *framework*: around it, inside it, and both."""
    cases = [Case(framework, _OUTERMOST, _wrapped(framework.build))]
    for way, build in framework.inside.items():
        cases.append(Case(framework, way, build))
        cases.append(Case(framework, f"{_OUTERMOST} and {way}", _wrapped(build)))
    return cases
