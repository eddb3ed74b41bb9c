"""``asgi-trace doctor`` and a command: the app is examined where a server takes it."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..serving import reserved_port
from .test_doctor import COMMAND, write

pytestmark = pytest.mark.servers

# A command, and the findings in an app without a shim and without a set-up of logging.
NO_SHIM = "There is no RequestTracingMiddleware: lines and response have no ids."
NO_HANDLER = (
    "The root logger has no handler: lines below WARNING are lost, and the others have no ids."
)
BARE = [NO_SHIM, NO_HANDLER]
UVICORNS = "The lines of these handlers have no ids: uvicorn -> standard error (uvicorn's DefaultFormatter)"
COMMANDS = {
    "uvicorn shop:app --port 0": [*BARE, UVICORNS],
    "uvicorn shop:app --port 0 --workers 2": [*BARE, UVICORNS],
    "uvicorn shop:app --port 0 --reload": [*BARE, UVICORNS],
    "fastapi run shop.py --port 0": [*BARE, "The lines of these handlers have no ids: fastapi_cli"],
    "python serve.py": [*BARE, UVICORNS],
    "sh -c 'X=1 python serve.py'": [*BARE, UVICORNS],
    "hypercorn shop:app --bind 127.0.0.1:0": BARE,
    "anycorn shop:app --bind 127.0.0.1:0": BARE,
    "asgi-trace run uvicorn shop:app --port 0": [],
    "asgi-trace run python serve.py": [],
}


def environment() -> dict[str, str]:
    """This environment's own commands, and this package."""
    root = str(Path(__file__).parents[2])
    folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([folder, os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }


def examined(
    folder: Path, command: str, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    (folder / "serve.py").write_text(
        "import uvicorn\nfrom shop import app\n\nif __name__ == '__main__':\n    uvicorn.run(app, port=0)\n"
    )
    return subprocess.run(
        [*COMMAND, *options, *shlex.split(command)],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_examined_where_a_server_takes_the_app(command: str, tmp_path: Path) -> None:
    """As it is; under ``asgi-trace run`` with the shim that it puts around the app."""
    done = examined(write(tmp_path, "app = api"), command, "--json")
    report = json.loads(done.stdout)
    findings = [each["sentence"] for each in report["findings"]]
    assert len(findings) == len(COMMANDS[command]), (findings, done.stderr)
    for sentence, beginning in zip(findings, COMMANDS[command], strict=True):
        assert sentence.startswith(beginning)
    assert done.returncode == (1 if findings else 0)
    assert report["app"] == " ".join(shlex.split(command))


def test_a_command_beside_this_python_is_found(tmp_path: Path) -> None:
    """As by ``asgi-trace run``: a virtual environment need not be active."""
    command = "uvicorn shop:app --port 0"
    done = examined(write(tmp_path, "app = api"), command, "--json", PATH=os.defpath)
    assert json.loads(done.stdout)["app"] == command, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "granian --interface asgi shop:app --workers 2 --port {port}",
        "gunicorn -k asgi -b 127.0.0.1:{port} --no-control-socket shop:app",
        "gunicorn -k uvicorn_worker.UvicornWorker -w 2 -b 127.0.0.1:{port} --no-control-socket shop:app",
        "daphne -p {port} shop:app",
        "uvicorn shop:app --port {port}",
    ],
)
def test_a_healthy_app_is_healthy_under_each_server(command: str, tmp_path: Path) -> None:
    """And no process of it stays behind."""
    write(tmp_path, "configure_logging()\napp = RequestTracingMiddleware(api)")
    with reserved_port() as port:
        done = examined(tmp_path, command.format(port=port))
        assert (done.returncode, done.stdout.splitlines()[0]) == (
            0,
            f"{command.format(port=port)}: nothing is wrong",
        ), done
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    assert "could not be" not in done.stdout


def test_fastapis_command_serves_no_shim_around_its_object(tmp_path: Path) -> None:
    """The remedy is one that it accepts."""
    around = "configure_logging()\napp = RequestTracingMiddleware(api)"
    command = "fastapi run shop.py --port 0"
    report = json.loads(examined(write(tmp_path, around), command, "--json").stdout)
    (finding,) = report["findings"]
    assert finding["sentence"].startswith(
        "The request has not reached RequestTracingMiddleware, though shop.app is one"
    )
    assert "call add_middleware(RequestTracingMiddleware)" in finding["remedy"]
    added = "configure_logging()\napi.add_middleware(RequestTracingMiddleware)"
    done = examined(write(tmp_path, added), command)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{command}: nothing is wrong")


def test_daphnes_access_lines_are_missed_only_without_ours(tmp_path: Path) -> None:
    for option, is_told in (("", True), (", access_log=True", False)):
        write(tmp_path, f"configure_logging()\napp = RequestTracingMiddleware(api{option})")
        done = examined(tmp_path, "daphne -p 0 shop:app")
        assert ("daphne's access lines" in done.stdout) == is_told


@pytest.mark.parametrize("command", ["gunicorn", "python -m gunicorn"])
def test_a_worker_that_serves_no_asgi_app_has_its_remedy(command: str, tmp_path: Path) -> None:
    write(tmp_path, "app = api")
    options = "-b 127.0.0.1:0 --no-control-socket shop:app"
    done = examined(tmp_path, f"{command} {options}", "--timeout", "3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "asgi-trace doctor: no server has taken an app within 3 seconds; "
        "gunicorn's default worker serves no ASGI app, and -k uvicorn_worker.UvicornWorker does"
    )


def test_a_process_that_is_not_reached_is_named_as_a_cause(tmp_path: Path) -> None:
    """A PEX file starts such a process."""
    write(tmp_path, "app = api")
    done = examined(tmp_path, "python -E serve.py", "--timeout", "3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "asgi-trace doctor: no server has taken an app within 3 seconds; --timeout gives it longer; "
        "a process of python -I or -E, such as a PEX file's, is not reached"
    )


def test_a_command_whose_app_cannot_be_loaded_has_its_own_error(tmp_path: Path) -> None:
    done = examined(
        write(tmp_path, "raise RuntimeError('no database')"), "uvicorn shop:app --port 0"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "RuntimeError: no database" in done.stderr
    assert "ended with exit code 1, and no server has taken an app" in done.stderr
