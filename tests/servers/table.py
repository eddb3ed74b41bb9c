"""
The servers, and what each can do: data for the tests.

What a server logs of a request may come from outside that request's context. Which of its lines
have the ids stands here as it is, also where that is a pity, so that a change is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# The app's two variants: keep_context off and on.
RESETTING = "resetting"
KEEPING = "keeping"

ALWAYS = frozenset({RESETTING, KEEPING})
KEPT = frozenset({KEEPING})
NEVER: frozenset[str] = frozenset()


class ServerLine(NamedTuple):
    """
    A line that a server writes of a request: what the client asks for, how the line ends or what
    stands in it.
    """

    name: str
    action: str
    text: str
    # the variants in which it has the ids; None: it does not go through logging
    stamped: frozenset[str] | None
    websocket: bool = False
    # two tasks may write it, and only one of them is in the request's context
    by_chance: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of server: how it is started, what it speaks, what it writes."""

    name: str
    command: tuple[str, ...]
    lines: tuple[ServerLine, ...]
    http: tuple[str, ...] = ("1.1",)
    lifespan: bool = True
    accept_headers: bool = True  # it sends the headers of websocket.accept
    denial: bool = True  # it sends a response of the app's own to a websocket that the app refuses
    # after a crash behind a response's start it logs no other crash
    breaks_on_late_crash: bool = False
    # how lines begin that it does not write through the logging of the app's process
    plain: tuple[str, ...] = ()

    def arguments(self, variant: str) -> list[str]:
        """Return its command line for Python; the port is left open."""
        return ["-m", *(f"app:{variant}" if part == "APP" else part for part in self.command)]


TRACEBACK = "RuntimeError: no luck with {path}"

UVICORN = (
    ServerLine("access", "work", '"GET {path} HTTP/1.1" 200', ALWAYS),
    ServerLine("crash", "crash", '"GET {path} HTTP/1.1" 500', ALWAYS),
    ServerLine("crash-traceback", "crash", TRACEBACK, ALWAYS),
    ServerLine("late-crash", "crash-late", '"GET {path} HTTP/1.1" 200', ALWAYS),
    ServerLine("late-crash-traceback", "crash-late", TRACEBACK, ALWAYS),
    ServerLine("websocket", "echo", '"WebSocket {path}" [accepted]', ALWAYS, websocket=True),
    ServerLine("websocket-denial", "refuse", '"WebSocket {path}" 401', ALWAYS, websocket=True),
    ServerLine("websocket-traceback", "crash", TRACEBACK, ALWAYS, websocket=True),
    ServerLine("websocket-late-traceback", "crash-late", TRACEBACK, ALWAYS, websocket=True),
)

# Where it has to end the response itself, it does so, and writes the access line, when the app is
# done.
HYPERCORN = (
    ServerLine("access", "work", '"GET {path} {version}" 200', ALWAYS),
    ServerLine("crash", "crash", '"GET {path} {version}" 500', ALWAYS),
    ServerLine("crash-traceback", "crash", TRACEBACK, ALWAYS),
    ServerLine("late-crash", "crash-late", '"GET {path} {version}" - ', KEPT),
    ServerLine("late-crash-traceback", "crash-late", TRACEBACK, ALWAYS),
    ServerLine("websocket", "echo", '"GET {path} {version}" 101', ALWAYS, websocket=True),
    ServerLine("websocket-denial", "refuse", '"GET {path} {version}" 401', ALWAYS, websocket=True),
    ServerLine("websocket-crash", "crash", '"GET {path} {version}" 500', ALWAYS, websocket=True),
    ServerLine("websocket-traceback", "crash", TRACEBACK, ALWAYS, websocket=True),
    ServerLine("websocket-late-traceback", "crash-late", TRACEBACK, ALWAYS, websocket=True),
)

# After a late crash the line is written by the app's task or by the one that reads the connection,
# whichever runs first: trio shuffles its tasks.
HYPERCORN_TRIO = tuple(
    line._replace(by_chance=True) if line.name == "late-crash" else line for line in HYPERCORN
)

# It writes access lines when the app is done, those of websockets before the app is called, and
# tracebacks as mere text, without the exception that would tell whose it is.
GRANIAN = (
    ServerLine("access", "work", '"GET {path} HTTP/{version}" 200', KEPT),
    ServerLine("crash", "crash", '"GET {path} HTTP/{version}" 500', KEPT),
    ServerLine("crash-traceback", "crash", TRACEBACK, KEPT),
    ServerLine("late-crash", "crash-late", '"GET {path} HTTP/{version}" 200', KEPT),
    ServerLine("late-crash-traceback", "crash-late", TRACEBACK, KEPT),
    ServerLine("websocket", "echo", '"- {path} HTTP/{version}" 101', NEVER, websocket=True),
    ServerLine(
        "websocket-denial", "refuse", '"- {path} HTTP/{version}" 101', NEVER, websocket=True
    ),
    ServerLine("websocket-crash", "crash", '"- {path} HTTP/{version}" 101', NEVER, websocket=True),
    ServerLine("websocket-traceback", "crash", TRACEBACK, KEPT, websocket=True),
    ServerLine("websocket-late-traceback", "crash-late", TRACEBACK, KEPT, websocket=True),
)

# It prints access lines, past logging, and logs tracebacks from a timer.
DAPHNE = (
    ServerLine("access", "work", '"GET {path}" 200', None),
    ServerLine("crash", "crash", '"GET {path}" 500', None),
    ServerLine("crash-traceback", "crash", TRACEBACK, ALWAYS),
    ServerLine("late-crash-traceback", "crash-late", TRACEBACK, ALWAYS),
    ServerLine("websocket", "echo", '"WSCONNECT {path}"', None, websocket=True),
    ServerLine("websocket-denial", "refuse", '"WSREJECT {path}"', None, websocket=True),
    ServerLine("websocket-traceback", "crash", TRACEBACK, ALWAYS, websocket=True),
    ServerLine("websocket-late-traceback", "crash-late", TRACEBACK, ALWAYS, websocket=True),
)


def _uvicorn(name: str, *options: str) -> Kind:
    return Kind(name, ("uvicorn", "APP", "--port", "{port}", *options), UVICORN)


def _hypercorn(name: str, lines: tuple[ServerLine, ...], *options: str) -> Kind:
    command = ("hypercorn", "APP", "--bind", "127.0.0.1:{port}", "--access-logfile", "-", *options)
    return Kind(name, command, lines, http=("1.1", "2"))


def _granian(name: str, *options: str) -> Kind:
    command = (
        "granian",
        "APP",
        "--port",
        "{port}",
        "--interface",
        "asgi",
        "--access-log",
        *options,
    )
    # Its first process writes lines too, and never loads the app.
    return Kind(name, command, GRANIAN, http=("1.1", "2"), accept_headers=False, plain=("[INFO] ",))


KINDS = (
    _uvicorn("uvicorn-h11", "--http", "h11", "--loop", "asyncio"),
    _uvicorn("uvicorn-httptools", "--http", "httptools", "--loop", "asyncio", "--ws", "wsproto"),
    _uvicorn("uvicorn-httptools-uvloop", "--http", "httptools", "--loop", "uvloop"),
    _hypercorn("hypercorn-asyncio", HYPERCORN, "--worker-class", "asyncio"),
    _hypercorn("hypercorn-trio", HYPERCORN_TRIO, "--worker-class", "trio"),
    _granian("granian-asyncio", "--loop", "asyncio"),
    _granian("granian-uvloop", "--loop", "uvloop"),
    Kind(
        "daphne",
        ("daphne", "APP", "--port", "{port}"),
        DAPHNE,
        lifespan=False,
        accept_headers=False,
        denial=False,
        breaks_on_late_crash=True,
        plain=("127.0.0.1:",),
    ),
)
