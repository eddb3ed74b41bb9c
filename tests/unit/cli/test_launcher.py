"""``asgi-trace run``: how a command is started, and what Python processes without a server notice."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asgi_trace._cli import injected
from asgi_trace._cli.environment import VARIABLES, LauncherError
from asgi_trace._cli.run import prepared

ROOT = Path(__file__).parent.parent.parent.parent
INJECTED = str(Path(injected.__file__).parent)


def run(
    *command: str, stdin: str = "", python: str = sys.executable, **variables: str
) -> subprocess.CompletedProcess[str]:
    """``asgi-trace run`` with *command*, in an environment without variables of ours but *variables*."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ASGI_TRACE_")
    }
    environment.update({"PYTHONPATH": str(ROOT), **variables})
    return subprocess.run(
        [python, "-m", "asgi_trace", "run", *command],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def seen(*command: str, **options: str) -> tuple[int, str, str]:
    done = run(*command, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("dashes", [(), ("--",)])
def test_the_command_is_as_it_is_without_us(dashes: tuple[str, ...]) -> None:
    """Its exit code, its arguments, its input, and nothing more on its output."""
    code = "import sys; print(sys.argv[1:], sys.stdin.read()); sys.exit(7)"
    command = (*dashes, sys.executable, "-c", code, "--", "-x", "a b", "")
    assert seen(*command, stdin="typed") == (7, "['--', '-x', 'a b', ''] typed\n", "")


def test_a_command_of_our_own_environment_needs_no_path() -> None:
    """As in a unit of systemd; one on the path comes first."""
    code = "import sys; print(sys.prefix)"
    assert seen("python", "-c", code, PATH="/nowhere") == (0, f"{sys.prefix}\n", "")


def test_a_command_on_the_path_comes_first(tmp_path: Path) -> None:
    command = tmp_path / "python"
    command.write_text("#!/bin/sh\necho another\n")
    command.chmod(0o755)
    assert seen("python", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}") == (
        0,
        "another\n",
        "",
    )


@pytest.mark.parametrize("name", ["no-such-command", "./no-such-command", "X=1", ""])
def test_a_command_that_does_not_exist(name: str) -> None:
    assert seen(name, "shop:app") == (127, "", f"asgi-trace: there is no command {name!r}\n")


def test_an_app_is_no_command() -> None:
    told = "there is no command 'shop:app'; the server's name goes first: asgi-trace run uvicorn shop:app"
    assert seen("shop:app") == (127, "", f"asgi-trace: {told}\n")


def test_a_program_needs_python(tmp_path: Path) -> None:
    """Whether it is looked for on the path, or found and not executable."""
    file = tmp_path / "app.py"
    file.write_text("print('started')")
    advice = "Python's name goes first: asgi-trace run python"
    assert seen("app.py") == (
        127,
        "",
        f"asgi-trace: there is no command 'app.py'; {advice} app.py\n",
    )
    told = f"'{file}' cannot be started: Permission denied; {advice} {file}"
    assert seen(str(file)) == (126, "", f"asgi-trace: {told}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="its shell closes no streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_stays_closed(closed: str, tmp_path: Path) -> None:
    """Then Python has no object for it, here as in the command."""
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close(); raise SystemExit(7)"
    words = shlex.join([sys.executable, "-m", "asgi_trace", "run", sys.executable, "-c", code])
    done = subprocess.run(
        f"{words} {closed}", shell=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120
    )
    assert (done.returncode, (tmp_path / "ran").exists()) == (7, True)


def test_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    for path in (tmp_path, tmp_path / "plain"):
        told = f"asgi-trace: '{path}' cannot be started: Permission denied\n"
        assert seen(str(path)) == (126, "", told)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "no command is named; expected one, as in 'asgi-trace run uvicorn shop:app'"),
        (("--",), "no command is named; expected one, as in 'asgi-trace run uvicorn shop:app'"),
        (
            ("--reload", "uvicorn"),
            "'--reload' is no option of asgi-trace run; options of the command go after its name",
        ),
    ],
)
def test_a_wrong_use_is_told_in_one_line(arguments: tuple[str, ...], expected: str) -> None:
    assert seen(*arguments) == (2, "", f"asgi-trace: {expected}\n")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_the_servers_and_the_variables(flag: str) -> None:
    code, text, _ = seen(flag)
    assert code == 0
    for word in ("uvicorn", "hypercorn", "anycorn", "granian", "daphne", "gunicorn", *VARIABLES):
        assert word in text


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ASGI_TRACE_LEVEL", "loud", "ASGI_TRACE_LEVEL is 'loud'; expected DEBUG, INFO, "),
        ("ASGI_TRACE_FORMAT", "xml", "ASGI_TRACE_FORMAT is 'xml'; expected one of text, json, "),
        ("ASGI_TRACE_OTEL", "maybe", "ASGI_TRACE_OTEL is 'maybe'; expected 1 or 0"),
        ("ASGI_TRACE_HEADER_NAME", "a b", "ASGI_TRACE_HEADER_NAME is 'a b'; expected a header"),
    ],
)
def test_a_wrong_variable_stops_it(variable: str, value: str, expected: str) -> None:
    """Before the command starts; the message names the variable."""
    code, printed, told = seen(sys.executable, "-c", "print('started')", **{variable: value})
    assert (code, printed, told.count("\n")) == (2, "", 1)
    assert told.startswith(f"asgi-trace: {expected}")


def test_an_unknown_variable_gets_a_warning() -> None:
    told = "asgi-trace: ASGI_TRACE_FROMAT has no meaning; did you mean ASGI_TRACE_FORMAT?\n"
    assert seen(sys.executable, "-c", "print(1)", ASGI_TRACE_FROMAT="json") == (0, "1\n", told)


def test_signals_are_the_commands() -> None:
    """Python ignores some itself; the command finds them as it does without us."""
    assert seen("sh", "-c", "yes | head -n 1") == (0, "y\n", "")  # yes is ended by SIGPIPE
    done = run("sh", "-c", "kill -INT $$")
    assert done.returncode == -signal.SIGINT


def test_our_directory_comes_first_and_once() -> None:
    first = prepared({"PYTHONPATH": f"a{os.pathsep}b", "X": "1"})
    assert first == {"PYTHONPATH": os.pathsep.join([INJECTED, "a", "b"]), "X": "1"}
    assert prepared(first) == first
    assert prepared({"PYTHONPATH": ""}) == {"PYTHONPATH": INJECTED} == prepared({})


def test_a_directory_that_the_path_cannot_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_trace._cli.run._INJECTED", Path(f"/a{os.pathsep}b"))
    with pytest.raises(LauncherError, match="install it in another directory"):
        prepared({})


STATE = """
import os, sys
site = getattr(sys.modules.get('sitecustomize'), '__file__', '')  # Debian has one
print([path for path in sys.path if 'injected' in path], 'injected' in site)
import logging, pickle, uvicorn, hypercorn.utils, granian.asgi, daphne.cli, gunicorn.arbiter
print(logging.getLogger().level, pickle.loads(pickle.dumps(logging.getLogger().level)) == 30)
print([name for name in sys.modules if name.partition('.')[0] == 'asgi_trace'])
print(logging.root.handlers, 'filter' in vars(logging.Handler))
"""


def test_a_process_that_serves_nothing_stays_as_it_is() -> None:
    """Also where it has imported all servers: asgi_trace itself is not loaded."""
    expected = "[] False\n30 True\n[]\n[] False\n"
    assert seen(sys.executable, "-c", STATE) == (0, expected, "")


def test_a_server_leaves_the_path_in_its_order() -> None:
    """The package is imported from where it stands on the path, also where that is the front."""
    code = """
import sys
before = [*sys.path]
import uvicorn
uvicorn.Config("shop:app")
assert "asgi_trace" in sys.modules
print(sys.path == before)
"""
    assert seen(sys.executable, "-c", code) == (0, "True\n", "")


def test_the_users_own_sitecustomize_runs(tmp_path: Path) -> None:
    """With its own name, file and path, and as the one that others can import."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys; print(__name__, sys.path[1:2]); here = 1"
    )
    code = "import sitecustomize as s; print(s.here, s.__file__)"
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    with_us = seen(sys.executable, "-c", code, PYTHONPATH=path)
    without = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert with_us[0] == 0
    # The first line of asgi-trace's own process comes before.
    assert with_us[1].splitlines()[1:] == without.stdout.splitlines()


RUNS_THE_NEXT = """
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
sys.path = [path for path in sys.path if not __file__.startswith(path)]
spec = PathFinder.find_spec("sitecustomize")
spec.loader.exec_module(module_from_spec(spec))
print("started")
"""


def test_a_sitecustomize_before_ours_runs_ours(tmp_path: Path) -> None:
    """And starts its own tool after that: New Relic's does so, and does not expect an error."""
    (tmp_path / "sitecustomize.py").write_text(RUNS_THE_NEXT)
    first = f'PYTHONPATH="{tmp_path}{os.pathsep}$PYTHONPATH"'
    watching = "import sys; print([type(f).__name__ for f in sys.meta_path].count('_Finder'))"
    command = f'{first} exec {shlex.quote(sys.executable)} -c "{watching}"'
    assert seen("sh", "-c", command) == (0, "started\n1\n", "")


def test_an_error_in_the_users_sitecustomize_is_reported_as_it_is_without_us(
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import no_such_module")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    *_, told = seen(sys.executable, "-c", "print(1)", PYTHONPATH=path)
    without = subprocess.run(
        [sys.executable, "-c", "print(1)"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told == without.stderr * 2  # of asgi-trace's own process, and of the command's


@pytest.mark.parametrize("flags", ["-I", "-E", "-S"])
def test_a_python_that_ignores_the_path_runs(flags: str) -> None:
    assert seen(sys.executable, flags, "-c", "print(1)") == (0, "1\n", "")
