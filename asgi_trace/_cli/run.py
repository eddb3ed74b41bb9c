"""
``asgi-trace run``: a server with its own command line, serving the same app, traced.

Knows the command lines of servers, as a table. What the variables that it sets mean, and how an app
is loaded, it does not know.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .environment import (
    APP,
    FACTORY,
    LauncherError,
    read_logging,
    read_options,
    read_otel,
    split_name,
)

__all__ = ("Launch", "plan", "run")

TRACED = "asgi_trace.auto:app"


@dataclass(frozen=True)
class Server:
    """
    How a server's command line is read.

    An option that is not among the *flags* takes a value, so an option that is newer than this
    table is never mistaken: at worst the app is not found, and has to stand before it.
    """

    flags: frozenset[str]  # options that take no value
    tells: frozenset[str]  # of these, the ones that need no app: the server answers and ends
    default: str = ""  # the attribute, where the app's name may go without one
    # says, as --factory does, that the app is a factory; none: there is no such option
    factory_variable: str = ""
    app_variable: str = ""  # names the app where no argument does
    paths: bool = False  # the app may be named by the path of its file
    packages: bool = False  # a path into a package names a module of the package
    modes: bool = False  # the name may begin with asgi: or wsgi:


def _names(text: str) -> frozenset[str]:
    """Return option names; ``--[no-]log`` is two."""
    words = text.split()
    return frozenset(word.replace("[no-]", no) for word in words for no in ("", "no-"))


SERVERS = {
    "uvicorn": Server(
        flags=_names(
            "--reload --http2 --[no-]access-log --[no-]use-colors --[no-]proxy-headers --[no-]server-header"
            " --[no-]date-header --reset-contextvars --factory --version --help"
        ),
        tells=_names("--version --help"),
        factory_variable="UVICORN_FACTORY",
        app_variable="UVICORN_APP",
    ),
    "hypercorn": Server(
        flags=_names("-h --help -D --daemon --debug --reload"),
        tells=_names("-h --help"),
        default="app",
        paths=True,
        modes=True,
    ),
    "granian": Server(
        flags=_names(
            "--[no-]ws --[no-]http1-keep-alive --[no-]http1-pipeline-flush --[no-]http2-adaptive-window --[no-]log"
            " --[no-]access-log --[no-]ssl-client-verify --[no-]respawn-failed-workers --[no-]factory --[no-]metrics"
            " --[no-]reload --[no-]reload-ignore-worker-failure --version --help"
        ),
        tells=_names("--version --help"),
        default="app",
        factory_variable="GRANIAN_FACTORY",
        paths=True,
        packages=True,
    ),
    "gunicorn": Server(
        flags=_names(
            "-h --help -v --version --reload --spew --check-config --print-config --preload --no-sendfile --reuse-port"
            " -D --daemon --initgroups --disable-redirect-access-to-syslog --capture-output --log-syslog -R"
            " --enable-stdio-inheritance --enable-backlog-metric --suppress-ragged-eofs --do-handshake-on-connect"
            " --permit-obsolete-folding --strip-header-spaces --permit-unconventional-http-method"
            " --permit-unconventional-http-version --casefold-http-method --no-control-socket"
        ),
        tells=_names("-h --help -v --version"),
        default="application",
    ),
}


@dataclass(frozen=True)
class Launch:
    """
    A server's *name*, and the *arguments* and *environment* with which it serves an app traced.
    """

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


def plan(command: Sequence[str], environment: Mapping[str, str]) -> Launch:
    """
    Return how *command*, a server's name and its arguments, is to be started so that its app is
    traced.

    :raises LauncherError: for an unknown server, and where no argument is certain to be the app.
    """
    known = ", ".join(SERVERS)
    if not command:
        raise LauncherError(
            f"no server is named; expected one of {known}, as in 'asgi-trace run uvicorn shop:app'"
        )
    name, *arguments = command
    server = SERVERS.get(name)
    if server is None:
        raise LauncherError(
            f"the server is {name!r}; expected one of {known}, as in 'asgi-trace run uvicorn shop:app'"
        )
    places = _positions(arguments, server)
    changed = dict(environment)
    if places:
        app = arguments[places[0]]
        arguments[places[0]] = TRACED
    elif environment.get(server.app_variable):
        app = environment[server.app_variable]
        changed[server.app_variable] = TRACED
    elif server.tells.intersection(arguments):
        return Launch(name, tuple(arguments), changed)
    else:
        told = (
            f"no app is in the arguments {' '.join(arguments)!r}"
            if arguments
            else "no app is named"
        )
        raise LauncherError(
            f"{told}; expected it behind the server's name, as in 'asgi-trace run {name} shop:app'"
        )
    if server.factory_variable:
        _move_factory(arguments, changed, server.factory_variable)
    changed[APP] = _app_name(app, server)
    return Launch(name, tuple(arguments), changed)


def _positions(arguments: Sequence[str], server: Server) -> list[int]:
    """Return the places of the *arguments* that are no options and no values of options."""
    positions = []
    is_value = only_values = False
    for place, argument in enumerate(arguments):
        if is_value:
            is_value = False
        elif only_values or not argument.startswith("-"):
            positions.append(place)
        elif argument == "--":
            only_values = True
        else:
            is_value = _takes_next(argument, server.flags)
    return positions


def _takes_next(option: str, flags: frozenset[str]) -> bool:
    """
    Whether the argument behind *option* is its value; that of ``--port=80`` and of ``-w2`` is in
    it.
    """
    if option.startswith("--"):
        return "=" not in option and option not in flags
    letters = option[1:]  # -Dw 2 is -D and -w 2
    value = next(
        (place for place, letter in enumerate(letters, 1) if f"-{letter}" not in flags), None
    )
    return value == len(letters)


def _move_factory(arguments: list[str], environment: dict[str, str], variable: str) -> None:
    """Leave calling the factory to the traced app: what the server gets from us is no factory."""
    said = environment.pop(variable, "")
    for argument in [each for each in arguments if each in ("--factory", "--no-factory")]:
        arguments.remove(argument)
        said = "1" if argument == "--factory" else "0"
    if said:
        environment[FACTORY] = said


def _app_name(app: str, server: Server) -> str:
    """
    Return *app* as ``module:attribute``, behind a directory where the server would import it from
    one.
    """
    if server.modes and app.count(":") == 2:
        mode, app = app.split(":", 1)
        if mode != "asgi":
            raise LauncherError(
                f"the app is of the kind {mode!r}; expected an ASGI app, as in 'asgi:shop:app'"
            )
    module, attribute = split_name(app)
    attribute = attribute or server.default
    if server.paths and ("/" in module or os.sep in module or module.endswith(".py")):
        path = Path(module).resolve()
        path = path.with_suffix("") if path.suffix == ".py" else path
        names = [path.name]
        while server.packages and (path.parent / "__init__.py").exists():
            path = path.parent
            names.insert(0, path.name)
        module = (path.parent / ".".join(names)).as_posix()
    return f"{module}:{attribute}" if attribute else module


def run(command: Sequence[str]) -> int:
    """
    Become the server that *command* starts: signals, exit codes and child processes are its own.

    It runs in this process rather than in place of it, so that the lines of a first process which
    never loads the app, such as the one that watches workers, are stamped too.
    """
    try:
        launch = plan(command, os.environ)
        read_options(launch.environment)
        read_otel(launch.environment)
        _, form = read_logging(launch.environment)
        serve = _entry_point(launch.name)
    except LauncherError as exc:
        print(exc, file=sys.stderr)
        return 2
    for variable in os.environ.keys() - launch.environment.keys():
        del os.environ[variable]
    os.environ.update(launch.environment)
    # Where its own script is, gunicorn starts that when it is told to replace itself.
    sys.argv = [os.path.join(sysconfig.get_path("scripts"), launch.name), *launch.arguments]
    form.apply()
    sys.exit(serve())


def _entry_point(name: str) -> Callable[[], Any]:
    for script in entry_points(group="console_scripts", name=name):
        # As the script itself does it: from MODULE import NAME, which may be a module too.
        __import__(script.module, fromlist=[script.attr.partition(".")[0]])
        serve: Callable[[], Any] = script.load()
        return serve
    raise LauncherError(
        f"the server is {name!r}, which is not installed; 'pip install {name}' installs it"
    )
