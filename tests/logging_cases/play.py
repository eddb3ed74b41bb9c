"""
``python -m tests.logging_cases.play``: every set-up in every mode, each in a process of its own.

Prints JSON: what each of them wrote, by set-up, mode and file. Processes are forked, so that
imports are paid once.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import asgi_trace
from asgi_trace import RequestMetadata, bound_request_metadata

from .setups import SETUPS, Setup

# plain: without asgi_trace. after, before: configure_logging() behind the set-up, or before it and
# some lines. run: as "asgi-trace run" loads an app that sets logging up. stamp: stamp_records().
# keep: run with ASGI_TRACE_FORMAT=keep.
MODES = ("plain", "after", "before", "run", "stamp", "keep")

# Imported once, for all processes.
LIBRARIES = (
    "celery.utils.log",
    "coloredlogs",
    "colorlog",
    "ecs_logging",
    "loguru",
    "pythonjsonlogger.json",
    "rich.logging",
    "structlog",
)

REQUEST = RequestMetadata(request_id="req-4711", session_id="sess-77")


def say(logger: str, level: int, text: str) -> None:
    logging.getLogger(logger).log(level, text)


def say_all(setup: Setup, where: str) -> None:
    for logger in setup.loggers:
        for level in (logging.INFO, logging.WARNING):
            say(logger, level, f"<{where} {logger} {level}>")


def play(setup: Setup, mode: str, folder: Path) -> None:
    if mode == "before":
        asgi_trace.configure_logging()
        for logger in setup.loggers:
            say(logger, logging.INFO, "<early>")
    finish = load_app(setup, mode, folder) if mode in ("run", "keep") else setup.apply(folder)
    if mode == "after":
        asgi_trace.configure_logging()
    elif mode == "stamp":
        asgi_trace.stamp_records()
    with bound_request_metadata(None if mode == "plain" else REQUEST):
        say_all(setup, "in")
        try:
            raise KeyError("first\nsecond")
        except KeyError:
            logging.getLogger("shop").exception("<failed>")
    say_all(setup, "out")
    if finish is not None:
        finish()
    logging.shutdown()


def load_app(setup: Setup, mode: str, folder: Path) -> Any:
    """Have an app loaded that sets logging up as it is imported."""
    (folder / "cell.py").write_text(
        "from pathlib import Path\n"
        "from tests.logging_cases.play import applying\n"
        "finish = applying[0].apply(Path.cwd())\n"
        "async def app(scope, receive, send): ...\n"
    )
    from tests.logging_cases.play import (
        applying,
    )  # the module that the app imports, and not __main__

    applying.append(setup)
    sys.path.insert(0, str(folder))
    os.environ["ASGI_TRACE_APP"] = "cell:app"
    if mode == "keep":
        os.environ["ASGI_TRACE_FORMAT"] = "keep"
    import asgi_trace.auto  # noqa: F401

    return sys.modules["cell"].finish


applying: list[Setup] = []


def in_a_process(setup: Setup, mode: str, folder: Path) -> int:
    """Play a set-up, and return the exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
        play(setup, mode, folder)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    written: dict[str, dict[str, dict[str, str]]] = {}
    for name, setup in SETUPS.items():
        for mode in MODES:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place).resolve()
                code = in_a_process(setup, mode, folder)
                files = {
                    path.name: path.read_text(encoding="utf-8")
                    for path in folder.iterdir()
                    if path.is_file()
                }
                files.pop("cell.py", None)
                written.setdefault(name, {})[mode] = {**files, "exit code": str(code)}
    json.dump(written, sys.stdout)


if __name__ == "__main__":
    main()
