"""
The doctor for a command, which runs until a server takes the app.

The app is examined as it is. Where ``asgi-trace run`` is part of the command, the app is examined
with the shim that ``run`` adds. There are two processes: the doctor's own starts the command and
waits; the server's examines the app, and writes its report into a folder that a variable names.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..environment import LauncherError
from ..run import check, neighbour, prepared
from ..served import AS_IT_IS, ON_APP, own_shim
from .report import Report, Watch, visit_and_tell

__all__ = ("examine", "examine_command")

_VARIABLE = "_ASGI_TRACE_DOCTOR"
_BETWEEN_LOOKS = 0.05
_TO_END = 3.0
_TO_VANISH = 1.0
# What ends the doctor, and so the command: Ctrl-C, a cancelled job of CI, a terminal that is closed.
_ENDS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
]
# A worker's exit code after which gunicorn starts no other worker, and ends.
_NO_OTHER = 3


# -- the doctor's own process ----------------------------------------------------------------------


def examine_command(
    words: Sequence[str], report: Report, *, as_json: bool, seconds: float
) -> NoReturn:
    """
    Start the command of *words*, and examine the app that a server takes.

    :param report: gives the reason, where no server takes an app.
    """
    name = " ".join(words)
    with tempfile.TemporaryDirectory(prefix="asgi-trace-doctor-") as folder:
        order = {"folder": folder, "name": name, "as_json": as_json, "seconds": seconds}
        try:
            for warning in check(os.environ):
                print(f"asgi-trace doctor: {warning}", file=sys.stderr)
            environment = {
                **prepared(os.environ),
                ON_APP: f"{__name__}:{examine.__name__}",
                _VARIABLE: json.dumps(order),
                AS_IT_IS: "1",
            }
        except LauncherError as exc:
            report.fail(str(exc))
        outcome = _outcome(words, environment, Path(folder), seconds)
    if isinstance(outcome, str):
        report.fail(outcome)
    report.pass_on(outcome["text"], outcome["code"])


def _outcome(
    words: Sequence[str], environment: dict[str, str], folder: Path, seconds: float
) -> dict[str, Any] | str:
    """Return the report of the server's process, or the reason why there is none."""
    with _signals_caught() as caught:
        return _outcome_unless(caught, words, environment, folder, seconds)


@contextlib.contextmanager
def _signals_caught() -> Iterator[list[int]]:
    """
    Collect the signals that end this process, inside the ``with`` block.

    They raise no exception: a command that is half started could not be ended.
    """
    caught: list[int] = []
    former = {number: signal.getsignal(number) for number in _ENDS}
    heeded = [number for number in _ENDS if former[number] != signal.SIG_IGN]  # as under nohup
    try:
        for number in heeded:
            signal.signal(number, lambda number, _: caught.append(number))
        yield caught
    finally:
        for number in heeded:
            signal.signal(number, former[number])


def _outcome_unless(
    caught: list[int],
    words: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    seconds: float,
) -> dict[str, Any] | str:
    """The same; exits as soon as a signal is *caught*."""
    if shutil.which(words[0]) is None:
        words = [neighbour(words[0]) or words[0], *words[1:]]
    try:
        command = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard error
            start_new_session=True,  # its processes end together
        )
    except FileNotFoundError:
        rule = "an app is named 'module:attribute', such as 'shop:app'" if len(words) == 1 else ""
        return f"there is no command {words[0]!r}{'; ' if rule else ''}{rule}"
    except OSError as exc:
        return f"{words[0]!r} cannot be started: {exc.strerror}"
    path, deadline = folder / "report", time.monotonic() + seconds
    try:
        while not path.exists():
            if caught:
                sys.exit(128 + caught[0])  # as a shell reports the signal
            code = command.poll()
            if code is not None and not (folder / "claim").exists():
                ended = f"{' '.join(words)!r} ended with exit code {code}, and no server has taken an app"
                return ended if code else f"{ended}; a server in the background is not waited for"
            if time.monotonic() > deadline and not (folder / "claim").exists():
                return f"no server has taken an app within {seconds:g} seconds; {_remedy(words)}"
            if time.monotonic() > deadline + 6 * seconds:  # a process that was killed
                return "the process that examined the app has ended without a report"
            time.sleep(_BETWEEN_LOOKS)
        outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return outcome
    finally:
        _end(command)


def _remedy(words: Sequence[str]) -> str:
    """What to do about a command of *words* that runs on, and takes no app."""
    names_worker = any(word.startswith(("-k", "--worker-class")) for word in words)
    if "gunicorn" in map(os.path.basename, words) and not names_worker:
        return (
            "gunicorn's default worker serves no ASGI app, and -k uvicorn_worker.UvicornWorker does"
        )
    return "--timeout gives it longer; a process of python -I or -E, such as a PEX file's, is not reached"


def _end(command: subprocess.Popen[bytes]) -> None:
    """End the processes of *command*: by SIGTERM, so that they can clean up, then by SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(_TO_END)
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        # Workers may outlive the first process, with its port, for a moment.
        deadline = time.monotonic() + _TO_VANISH
        while time.monotonic() < deadline:
            os.killpg(command.pid, 0)
            time.sleep(_BETWEEN_LOOKS)


# -- the server's process --------------------------------------------------------------------------


def examine(app: Any, shim: Any) -> None:
    """
    Examine *app*, which a server takes with *shim* around it, or without one, write the report, and
    end the process. The first process with an app does so; the others wait until they are ended.
    """
    order = json.loads(os.environ[_VARIABLE])
    folder = Path(order["folder"])
    try:
        os.close(os.open(folder / "claim", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        threading.Event().wait()
    except OSError:  # the doctor has gone
        os._exit(_NO_OTHER)

    def deliver(text: str, code: int) -> NoReturn:
        part = folder / "report.part"
        part.write_text(json.dumps({"text": text, "code": code}), encoding="utf-8")
        os.replace(part, folder / "report")
        os._exit(0)

    report = Report(order["name"], as_json=order["as_json"], deliver=deliver)
    seconds = order["seconds"]
    is_run = shim is not app
    known = {
        "server": _server(),
        "is_run": is_run,
        "is_wrapped_by_us": is_run and own_shim(app) is None,
    }
    # The server's own event loop may be running in this thread.
    thread = threading.Thread(
        target=visit_and_tell,
        args=(shim, order["name"], report, Watch(report, seconds), seconds),
        kwargs=known,
        daemon=True,
    )
    thread.start()
    thread.join()
    os._exit(0)  # the thread ends the process itself


# By a module that only a process of the server has loaded; if one server uses another, the one that
# handles requests comes first.
_SERVERS = {
    "hypercorn.utils": "hypercorn",
    "anycorn.utils": "anycorn",
    "granian.asgi": "granian",
    "daphne.server": "daphne",
    "uvicorn.server": "uvicorn",
    "gunicorn.arbiter": "gunicorn",
}


def _server() -> str:
    return next((name for module, name in _SERVERS.items() if module in sys.modules), "")
