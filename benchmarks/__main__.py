"""``python -m benchmarks``: reads its arguments and calls the module that does the work."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .budgets import BUDGETS, check
from .chart import svg
from .measure import MeasureError, instruction_meter
from .reading import PROMISES
from .report import markdown, text
from .results import collect, load, save
from .situations import SITUATIONS

_RESULTS = Path(__file__).parent / "results"


def _tell(progress: str) -> None:
    """Show progress on a terminal, but not in output that is redirected."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}\r", end="", file=sys.stderr, flush=True)


def _run(options: argparse.Namespace) -> int:
    if options.save and options.situation:
        raise MeasureError("--save needs all situations; leave --situation out")
    if options.save and instruction_meter() != "instructions":
        raise MeasureError("--save needs instruction counts; install valgrind")
    results = collect(options.situation or SITUATIONS, preload=options.preload, tell=_tell)
    print(text(results))
    if options.save:
        save(results, _RESULTS)
        return _chart(options)
    return 0


def _chart(options: argparse.Namespace) -> int:
    runs = load(_RESULTS)
    if not runs:
        raise MeasureError(f"{_RESULTS} has no results; python -m benchmarks --save makes some")
    (_RESULTS / "cost.svg").write_text(svg(runs[-1]), encoding="utf-8")
    (_RESULTS / "cost.md").write_text(markdown(runs), encoding="utf-8")
    return 0


def _check(options: argparse.Namespace) -> int:
    return check(options.budget, preload=options.preload, tell=_tell)


def _app(options: argparse.Namespace) -> int:
    from .app import compare

    return compare(options.target, options.path, options.seconds)


def _budget(name: str) -> str:
    known = [budget.name for budget in BUDGETS] + [promise.name for promise in PROMISES]
    if name not in known:
        raise argparse.ArgumentTypeError(
            f"{name!r} is no budget; expected one of: {', '.join(known)}"
        )
    return name


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command with *arguments*, those of the process when left out, and return its exit code.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what asgi_trace costs, beside its peers. Runs everything.",
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="keep the results, with a chart and tables for the README",
    )
    parser.add_argument(
        "--situation",
        action="append",
        choices=list(SITUATIONS),
        help="measure this one only; repeatable",
    )
    parser.set_defaults(run=_run)
    commands = parser.add_subparsers(metavar="COMMAND")

    guard = commands.add_parser(
        "check", help="fail where a budget is broken, by counts that repeat"
    )
    guard.add_argument("budget", nargs="*", type=_budget, help="check this one only; repeatable")
    guard.set_defaults(run=_check)

    app = commands.add_parser("app", help="measure an app of yours, bare and wrapped")
    app.add_argument("target", metavar="module:attribute")
    app.add_argument(
        "--path", default="/", help="path to GET, also with a query string (default: /)"
    )
    app.add_argument(
        "--seconds",
        type=float,
        default=6,
        help="for each of the four measurements (default: 6)",
    )
    app.set_defaults(run=_app)

    chart = commands.add_parser("chart", help="draw the saved results again")
    chart.set_defaults(run=_chart)

    for command in (parser, guard):
        command.add_argument(
            "--preload",
            action="append",
            default=[],
            metavar="MODULE",
            help="import this in each measured process first, to try a change; repeatable",
        )
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except MeasureError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
