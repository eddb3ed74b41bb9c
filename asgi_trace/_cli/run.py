"""
``asgi-trace run COMMAND…``: replace this process by the command, and trace the apps that it serves.

This module prepares the environment and starts the command. The code for the command's processes is
in ``injected``: its directory is put first on ``PYTHONPATH``, which these processes inherit.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from .environment import (
    VARIABLES,
    LauncherError,
    read_logging,
    read_options,
    read_otel,
    unknown_variables,
)
from .served import AS_IT_IS

__all__ = ("check", "neighbour", "prepared", "run")

_INJECTED = Path(__file__).resolve().parent / "injected"

# The exit codes of shells and env(1).
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127

_HELP = """\
usage: asgi-trace run [--] COMMAND [ARGUMENT ...]

Start a command unchanged, and trace each ASGI app that it serves. The servers are uvicorn, hypercorn,
anycorn, granian, daphne and gunicorn's ASGI workers, also when another program, a worker or a reload
starts them.

  asgi-trace run uvicorn shop:app --port 8000
  asgi-trace run fastapi dev shop.py
  asgi-trace run python app.py

Signals, the exit code, standard input and the terminal are those of the command. Python processes are
reached by PYTHONPATH: one that python -I, -E or -S starts, as a PEX file does, or whose PYTHONPATH is
replaced, is not traced, nor is a frozen program, such as PyInstaller's.

variables:
{variables}
"""


def check(environment: Mapping[str, str]) -> list[str]:
    """
    Read all ``ASGI_TRACE_…`` variables of *environment*, and return warnings about unknown ones.

    :raises LauncherError: for a value that is wrong; the message names the variable.
    """
    read_options(environment)
    read_logging(environment)
    read_otel(environment)
    return unknown_variables(environment)


def prepared(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return *environment* with our directory first on ``PYTHONPATH``.

    :raises LauncherError: for a directory that ``PYTHONPATH`` cannot name.
    """
    ours = str(_INJECTED)
    if os.pathsep in ours:
        raise LauncherError(
            f"asgi_trace is in {ours!r}, which has {os.pathsep!r} in its name, as PYTHONPATH cannot; "
            "install it in another directory"
        )
    others = environment.get("PYTHONPATH")
    paths = [path for path in others.split(os.pathsep) if path != ours] if others else []
    return {**environment, "PYTHONPATH": os.pathsep.join([ours, *paths])}


def run(arguments: Sequence[str]) -> int:
    """
    Replace this process by the command of *arguments*. Return an exit code only if that fails.

    2 for a mistake in the arguments or in a variable, 127 for a command that does not exist, 126
    for one that cannot be started.
    """
    command = list(arguments)
    if command[:1] in (["-h"], ["--help"]):
        print(_help(), end="")
        return 0
    if command[:1] == ["--"]:
        del command[0]
    elif command and command[0].startswith("-"):
        return _mistake(
            f"{command[0]!r} is no option of asgi-trace run; options of the command go after its name"
        )
    if not command:
        return _mistake(
            "no command is named; expected one, as in 'asgi-trace run uvicorn shop:app'"
        )
    try:
        warnings = check(os.environ)
        environment = prepared(os.environ)
        environment.pop(AS_IT_IS, None)
    except LauncherError as exc:
        return _mistake(str(exc))
    for warning in warnings:
        print(f"asgi-trace: {warning}", file=sys.stderr)
    return _start(command, environment)


def _help() -> str:
    width = max(map(len, VARIABLES))
    lines = [f"  {name:{width}}  {meaning}" for name, meaning in VARIABLES.items()]
    return _HELP.format(variables="\n".join(lines))


def _mistake(message: str) -> int:
    print(f"asgi-trace: {message}", file=sys.stderr)
    return 2


def _start(command: list[str], environment: dict[str, str]) -> int:
    try:
        try:
            _become(command, environment)
        except FileNotFoundError:
            path = neighbour(command[0])
            if path is None:
                raise
            _become([path, *command[1:]], environment)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for an empty name
        print(
            f"asgi-trace: there is no command {command[0]!r}{_advice(command[0])}", file=sys.stderr
        )
        return _NOT_FOUND
    except OSError as exc:
        problem = f"{command[0]!r} cannot be started: {exc.strerror}{_advice(command[0])}"
        print(f"asgi-trace: {problem}", file=sys.stderr)
        return _NOT_EXECUTABLE


def neighbour(name: str) -> str | None:
    """
    Return the path of the command *name* in the environment of this Python, which may not be on
    ``PATH``, as in a unit of systemd. Python finds its environment by this path.
    """
    path = Path(sysconfig.get_path("scripts"), name)
    return str(path) if not os.path.dirname(name) and path.is_file() else None


def _advice(name: str) -> str:
    if name.endswith(".py"):
        return f"; Python's name goes first: asgi-trace run python {shlex.quote(name)}"
    module, _, attribute = name.partition(":")
    is_app = bool(attribute) and all(part.isidentifier() for part in module.split("."))
    return f"; the server's name goes first: asgi-trace run uvicorn {name}" if is_app else ""


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process by *command*."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None if the shell has closed it: >&-
            stream.flush()
    if sys.platform == "win32":  # its exec starts another process, and does not wait
        import subprocess

        sys.exit(subprocess.run(command, env=environment).returncode)
    # Python ignores these signals, and a process inherits ignored signals.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(command[0], command, environment)
