"""
The command ``asgi-trace``: reads its arguments and calls the module that does the work.

Knows argparse and the names of its subcommands. Does not know what any of them does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command with *arguments*, those of the process when left out, and return its exit code.

    .. versionadded:: 0.1
    """
    parser = argparse.ArgumentParser(prog="asgi-trace", description="Trace the requests of an ASGI app.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = commands.add_parser("demo", help="serve a small shop, trace two customers, and show their lines")
    demo.set_defaults(run=_demo)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
        return 0


def _demo(options: argparse.Namespace) -> int:
    from .demo import run

    return run()
