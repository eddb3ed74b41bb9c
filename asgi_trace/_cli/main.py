"""
The command ``asgi-trace``: reads its arguments and calls the module that does the work.

Knows argparse and the names of its subcommands. Does not know what any of them does.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

__all__ = ("main",)

_TZ = "of times that name no zone: Europe/Berlin, +01:00; that of this machine, when left out"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command with *arguments*, those of the process when left out, and return its exit code.

    .. versionadded:: 0.1
    """
    parser = argparse.ArgumentParser(
        prog="asgi-trace", description="Trace the requests of an ASGI app."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo", help="serve a small shop, trace two customers, and show their lines"
    )
    demo.add_argument(
        "--mcp", action="store_true", help="two MCP servers instead, of which one calls the other"
    )
    demo.add_argument(
        "-o", "--output", metavar="FILE", help="their page; a temporary file, when left out"
    )
    demo.set_defaults(run=_demo)
    run = commands.add_parser(
        "run", help="start a server as its own command line does, with its app traced"
    )
    run.add_argument(
        "command", nargs=argparse.REMAINDER, help="such as: uvicorn shop:app --port 8000"
    )
    run.set_defaults(run=_run)
    grep = commands.add_parser(
        "grep", help="show the lines of a session or a request, out of logs of any size"
    )
    grep.add_argument(
        "--session",
        metavar="ID",
        help="of this session; its first 8 characters will do",
    )
    grep.add_argument("--request", metavar="ID", help="of this request")
    grep.add_argument("--path", help="of requests for this path; * stands for anything")
    grep.add_argument("--status", help="of requests with this status: 404, 5xx, '>=500'")
    grep.add_argument(
        "--slower", metavar="DURATION", help="of requests that took longer than this: 250ms, 1.5s"
    )
    grep.add_argument(
        "--since", metavar="TIME", help="not older than this: 10m, 10:30, '2024-01-15 10:30'"
    )
    grep.add_argument("--tz", metavar="NAME", help=_TZ)
    grep.add_argument(
        "files", metavar="FILE", nargs="*", help="logs, also .gz; standard input, when left out"
    )
    grep.set_defaults(run=_grep)
    view = commands.add_parser(
        "view", help="make one page of logs: sessions, requests and their lines on a time axis"
    )
    page = view.add_mutually_exclusive_group()
    page.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the page; LOG.html here, when left out; - for a pipe",
    )
    page.add_argument(
        "--follow",
        action="store_true",
        help="serve the page on loopback, and add lines as they come",
    )
    view.add_argument("--port", type=int, help="with --follow; a free one, when left out")
    view.add_argument(
        "--session",
        metavar="ID",
        help="only lines of this session; its first 8 characters will do",
    )
    view.add_argument("--request", metavar="ID", help="only lines of this request")
    age = view.add_mutually_exclusive_group()
    age.add_argument(
        "--since", metavar="TIME", help="not older than this: 10m, 10:30, '2024-01-15 10:30'"
    )
    age.add_argument("--last", metavar="DURATION", help="the end of the logs, this long: 10m, 1.5h")
    view.add_argument("--tz", metavar="NAME", help=_TZ)
    view.add_argument(
        "files", metavar="FILE", nargs="*", help="logs, also .gz; standard input, when left out"
    )
    view.set_defaults(run=_view)
    options = parser.parse_args(arguments)
    if options.run is _view and options.port is not None and not options.follow:
        view.error("argument --port: it is for --follow")
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        # Python flushes standard output once more at exit; a failure there gives exit code 120.
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
        return 0


def _demo(options: argparse.Namespace) -> int:
    if options.mcp:
        from .mcp_demo import run
    else:
        from .demo import run
    return run(output=options.output)


def _run(options: argparse.Namespace) -> int:
    from .run import run

    return run(options.command)


def _grep(options: argparse.Namespace) -> int:
    from .logs.grep import run

    conditions = ("session", "request", "path", "status", "slower", "since", "tz")
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
