"""
The command ``asgi-trace``: reads its arguments and calls the module that does the work.

This module declares the subcommands for argparse, and calls ``advice`` for wrong uses.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence

from .. import __version__
from .advice import advice_on, nearest
from .completion import SHELLS, script

__all__ = ("build_parser", "commands_of", "main")

_TZ = "time zone of timestamps that have none: Europe/Berlin, +01:00 (default: this machine's)"
_SINCE = "only lines from this time on: 10m (ago), 10:30, '2024-01-15 10:30'"
_FILES = "log files, also .gz (default: standard input)"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line. Shell completion is made from it, too."""
    parser = argparse.ArgumentParser(
        prog="asgi-trace", description="Trace the requests of an ASGI app."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo", help="serve a small shop, trace two customers, and show their log lines"
    )
    demo.add_argument(
        "--mcp",
        action="store_true",
        help="serve two MCP servers instead, one of which calls the other",
    )
    demo.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the page to this file (default: a temporary file)",
    )
    demo.set_defaults(run=_demo)
    # main() gives this parser no arguments, since they belong to the command. Completion reads it.
    run = commands.add_parser(
        "run", help="start a command, such as uvicorn shop:app, and trace the apps that it serves"
    )
    run.add_argument("command", nargs=argparse.REMAINDER)
    grep = commands.add_parser(
        "grep",
        help="show the lines of a session or a request, from logs of any size",
        description="Show the lines of a session or a request, from logs of any size. ID is the beginning of a "
        "request, session, trace or span id (at least 4 characters), a whole traceparent, or "
        "'[req=…|session=…]' copied from a line. Several options narrow the result.",
    )
    grep.add_argument(
        "--session",
        metavar="ID",
        help="lines of this session; the first 8 characters are enough",
    )
    grep.add_argument("--request", metavar="ID", help="lines of this request")
    grep.add_argument(
        "--trace",
        metavar="ID",
        help="lines of this trace, in all services; also a whole traceparent",
    )
    grep.add_argument("--span", metavar="ID", help="lines with this span id")
    grep.add_argument("--service", metavar="NAME", help="lines of this service")
    grep.add_argument("--path", help="requests for this path; * matches any characters")
    grep.add_argument("--status", help="requests with this status: 404, 5xx, '>=500'")
    grep.add_argument("--slower", metavar="DURATION", help="requests that took longer: 250ms, 1.5s")
    grep.add_argument("--since", metavar="TIME", help=_SINCE)
    grep.add_argument("--tz", metavar="NAME", help=_TZ)
    grep.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help=_FILES,
    )
    grep.usage = "%(prog)s [-h] (ID | OPTION ...) [FILE ...]"
    grep.set_defaults(run=_grep)
    view = commands.add_parser(
        "view",
        help="make one HTML page of logs: sessions, requests and their lines on a time axis",
        description="Make one HTML page of logs: sessions, requests and their lines on a time axis. The page "
        "opens without a network.",
    )
    page = view.add_mutually_exclusive_group()
    page.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the page to this file; - for standard output (default: LOG.html in this folder)",
    )
    page.add_argument(
        "--follow",
        action="store_true",
        help="serve the page on this machine only, and add new lines as they are written",
    )
    view.add_argument("--port", type=int, help="port of --follow (default: a free one)")
    view.add_argument(
        "--session",
        metavar="ID",
        help="only lines of this session; the first 8 characters are enough",
    )
    view.add_argument("--request", metavar="ID", help="only lines of this request")
    age = view.add_mutually_exclusive_group()
    age.add_argument("--since", metavar="TIME", help=_SINCE)
    age.add_argument(
        "--last", metavar="DURATION", help="only the last minutes or hours of the logs: 10m, 1.5h"
    )
    view.add_argument("--tz", metavar="NAME", help=_TZ)
    view.add_argument("files", metavar="FILE", nargs="*", help=_FILES)
    view.set_defaults(run=_view)
    doctor = commands.add_parser(
        "doctor",
        help="start an app, send one request through it, and report faults of its tracing",
        description="Load an app, or start the command that serves it, and send one request through it in process: "
        "GET /asgi-trace-doctor, a path that no app has. Print each fault of its tracing with the remedy. "
        "Exit codes: 0 no fault, 1 at least one fault, 2 the app could not be loaded.",
    )
    doctor.add_argument("--json", action="store_true", help="print the report as one JSON object")
    doctor.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=60.0,
        help="time limit for the start of the app, and for its response (default: 60)",
    )
    doctor.add_argument(
        "command",
        metavar="APP",
        nargs=argparse.REMAINDER,
        help="shop:app, or a command with its arguments, such as: uvicorn shop:app",
    )
    doctor.set_defaults(run=_doctor)
    completion = commands.add_parser(
        "completion", help="print a script that completes this command's arguments in a shell"
    )
    completion.add_argument(
        "shell",
        metavar="SHELL",
        choices=SHELLS,
        help='bash, zsh or fish; in ~/.bashrc: eval "$(asgi-trace completion bash)"',
    )
    completion.set_defaults(run=_completion)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


_DAY = 86400.0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _DAY:  # nan is neither
        raise argparse.ArgumentTypeError(
            f"it is {text!r}; expected seconds, more than 0 and at most {_DAY:.0f}"
        )
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command with *arguments*, those of the process when left out, and return its exit code.

    .. versionadded:: 0.1
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            return _command(words)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # an error of it at exit would be a traceback
    except KeyboardInterrupt:
        return 130
    except OSError as exc:
        from .logs.files import drop_output, reason

        if isinstance(exc, BrokenPipeError):  # the reader, such as head, has closed the pipe
            drop_output()
            return 0
        if exc.errno not in _FULL:
            raise
        drop_output()
        command = " ".join(("asgi-trace", *words[:1]))
        print(f"{command}: standard output: {reason(exc)}", file=sys.stderr)
        return 2


# The disk, the quota or the largest size of a file is used up.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _command(words: list[str]) -> int:
    if words[:1] == ["run"]:
        return _run(words[1:])  # the arguments are the command's
    _prepare_output()
    parser = build_parser()
    commands = commands_of(parser)
    advice = advice_on(words, commands)
    if advice is not None:
        print(f"asgi-trace: {advice}", file=sys.stderr)
        return 2
    options = _parse(parser, _with_values(_in_order(words), commands))
    if options.run is _view and options.port is not None and not options.follow:
        options.parser.error("argument --port: it is for --follow")
    return int(options.run(options))


def _prepare_output() -> None:
    """
    Make every text printable: a stream that is closed, as by ``>&-``, is None in Python, and the
    encoding of a locale may lack a character of a text or of a file's name.

    Output is buffered as by default, also where PYTHONUNBUFFERED is set: argparse ignores an error
    of writing its help, such as that of a full disk, but not main(), which flushes it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - kept open
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace",  # as standard error by default
            line_buffering=sys.stdout.isatty(),
            write_through=False,
        )


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the subcommands of *parser*, by name."""
    return next(
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )


def _in_order(words: list[str]) -> list[str]:
    """
    Return *words* with the options of ``doctor shop:app --json`` before the app: after a command,
    they would be the command's options.
    """
    place = 1
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] == "--timeout" else 1
    app, behind = words[place : place + 1], words[place + 1 :]
    if words[0] != "doctor" or not behind or ":" not in app[0] or not behind[0].startswith("-"):
        return words
    return [*words[:place], *behind, *app]


def _with_values(words: list[str], commands: Mapping[str, argparse.ArgumentParser]) -> list[str]:
    """
    Return the *words* of ``grep --tz -05:00`` with ``--tz=-05:00``: argparse takes such a value for
    an option.
    """
    if words[:1] not in (["grep"], ["view"]):
        return words
    options = commands[words[0]]._option_string_actions
    joined: list[str] = []
    for word in words:
        option = joined[-1] if joined else ""
        takes_value = (
            option.startswith("--") and option in options and options[option].nargs is None
        )
        # An offset west of Greenwich, or an id. No option of ours has one hyphen and several letters.
        is_value = len(word) > 2 and word[0] == "-" and word[1] != "-"
        if takes_value and is_value:
            joined[-1] = f"{option}={word}"
        else:
            joined.append(word)
    return joined


def _parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """
    Return the options in *words*.

    Files may come before and after options, as in other commands. argparse returns the files after
    options, and unknown options, as a rest.
    """
    options, rest = parser.parse_known_args(words)
    rest = [word for word in rest if word != "--"]
    unknown = next((word for word in rest if word.startswith("-") and word != "-"), None)
    if unknown is not None:
        known = [*options.parser._option_string_actions]
        options.parser.error(f"there is no option {unknown!r}{nearest(unknown, known)}")
    if rest and not hasattr(options, "files"):
        options.parser.error(f"unexpected argument {rest[0]!r}")
    if rest:
        options.files += rest
    return options


def _demo(options: argparse.Namespace) -> int:
    if options.mcp:
        from .mcp_demo import run
    else:
        from .demo import run
    return run(output=options.output)


def _doctor(options: argparse.Namespace) -> int:
    from .doctor.command import run

    return run(options.command, as_json=options.json, seconds=options.timeout)


def _completion(options: argparse.Namespace) -> int:
    print(script(options.shell, build_parser()), end="")
    return 0


def _run(arguments: Sequence[str]) -> int:
    from .run import run

    return run(arguments)


def _grep(options: argparse.Namespace) -> int:
    from .logs.grep import run

    conditions = (
        *("session", "request", "trace", "span", "service"),
        *("path", "status", "slower", "since", "tz"),
    )
    return run(options.files, **{name: getattr(options, name) for name in conditions})


def _view(options: argparse.Namespace) -> int:
    conditions = {
        name: getattr(options, name) for name in ("session", "request", "since", "last", "tz")
    }
    if options.follow:
        from .view import live

        return live.run(options.files, options.port, **conditions)
    from .view import command

    return command.run(options.files, options.output, **conditions)
