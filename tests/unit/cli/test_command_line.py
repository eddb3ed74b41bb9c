"""``asgi-trace`` itself: its version, and what it says of words that are no command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_trace
from asgi_trace._cli.main import build_parser, commands_of, main

COMMANDS = ", ".join(commands_of(build_parser()))
COMMAND = (sys.executable, "-m", "asgi_trace")


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, *capsys.readouterr()) == (
        0,
        f"asgi-trace {asgi_trace.__version__}\n",
        "",
    )


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("", f"no command is given; expected one of {COMMANDS}; --help describes them"),
        ("gerp a1b2 app.log", "there is no command 'gerp'; type 'asgi-trace grep a1b2 app.log'"),
        ("veiw", "there is no command 'veiw'; type 'asgi-trace view'"),
        ("compleet bash", "there is no command 'compleet'; type 'asgi-trace completion bash'"),
        ("help", "there is no command 'help'; type 'asgi-trace --help'"),
        ("help grep", "there is no command 'help'; type 'asgi-trace grep --help'"),
        ("search a1b2", "there is no command 'search'; type 'asgi-trace grep a1b2'"),
        ("xyzzy", f"there is no command 'xyzzy'; expected one of {COMMANDS}"),
        (
            "uvicorn shop:app --port 80",
            "there is no command 'uvicorn'; type 'asgi-trace run uvicorn shop:app --port 80'",
        ),
        (
            "sh serve.sh *.log",
            "there is no command 'sh'; type 'asgi-trace run sh serve.sh '*.log''",
        ),
        (
            "shop:app",
            "there is no command 'shop:app'; type 'asgi-trace run uvicorn shop:app' or 'asgi-trace doctor shop:app'",
        ),
        (
            "src/shop:make_app()",
            "there is no command 'src/shop:make_app()'; type 'asgi-trace run uvicorn 'src/shop:make_app()''",
        ),
        (
            "app.log",
            "there is no command 'app.log'; type 'asgi-trace view app.log' or 'asgi-trace grep ID app.log'",
        ),
        ("app.py", "there is no command 'app.py'; type 'asgi-trace run python app.py'"),
        ("f3e2a5c4", "there is no command 'f3e2a5c4'; type 'asgi-trace grep f3e2a5c4 app.log'"),
        (
            "--status 500 app.log",
            "the option --status goes after its command; type 'asgi-trace grep --status 500 app.log'",
        ),
        (
            "--session=abc app.log",
            "the option --session goes after its command; "
            "type 'asgi-trace grep --session=abc app.log' or 'asgi-trace view --session=abc app.log'",
        ),
        (
            "--json doctor shop:app",
            "the option --json goes after its command; type 'asgi-trace doctor --json shop:app'",
        ),
        (
            "--follow --port 80 view app.log",
            "the option --follow goes after its command; type 'asgi-trace view --follow --port 80 app.log'",
        ),
        (
            "--colour",
            f"there is no option '--colour' before a command; expected one of {COMMANDS}",
        ),
    ],
)
def test_other_words_get_advice(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    advice: str,
) -> None:
    """One line, which tells what to type; exit code 2."""
    monkeypatch.chdir(tmp_path)
    for name in ("app.log", "app.py"):
        Path(name).touch()
    assert main(typed.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"asgi-trace: {advice}")


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        (
            "grep --sesion x",
            "asgi-trace grep: error: there is no option '--sesion'; did you mean --session?",
        ),
        *(
            (
                f"{command} {option}",
                f"asgi-trace {command}: error: there is no option '{option}'; --help describes the options",
            )
            for command, option in (
                ("view", "--colour"),
                ("view", "--level"),
                ("view", "--html"),
                ("grep", "--level=error"),
                ("grep", "--json"),
            )
        ),
        *(
            (
                f"doctor --timeout {seconds} shop:app",
                f"asgi-trace doctor: error: argument --timeout: it is '{seconds}'; expected seconds, more than 0",
            )
            for seconds in ("0", "-1", "nan", "inf", "1e9", "soon")
        ),
        ("demo shop", "asgi-trace demo: error: unexpected argument 'shop'"),
        ("completion", "asgi-trace completion: error: the following arguments are required: SHELL"),
        ("completion tcsh", "asgi-trace completion: error: argument SHELL: invalid choice: 'tcsh'"),
    ],
)
def test_a_wrong_use_names_the_commands_own_usage(
    capsys: pytest.CaptureFixture[str], typed: str, error: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(f"usage: asgi-trace {typed.split()[0]} ")
    assert err.splitlines()[-1].startswith(error)


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
@pytest.mark.parametrize("typed", ["view", "view --follow", "grep f3e2a5c4", "grep --status 500"])
def test_a_terminal_is_not_waited_for(typed: str) -> None:
    """Where no log is named, and nothing is piped in."""
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, *typed.split()], stdin=theirs, capture_output=True, text=True, timeout=60
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    name = typed.split()[0]
    assert done.stderr.startswith(
        f"asgi-trace {name}: no log is named, and standard input is this terminal; type 'asgi-trace {name} "
    )


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no pseudo-terminals")
def test_a_terminal_that_is_named_is_read() -> None:
    """What is typed, up to Ctrl-D."""
    ours, theirs = os.openpty()
    line = "2024-01-15 10:30:15 - INFO - [req=r1|session=abc12345] - typed"
    try:
        os.write(ours, f"{line}\n\x04".encode())
        done = subprocess.run(
            [*COMMAND, "grep", "abc1", "-"],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{line}\n", "")


LINE = "2024-01-15 10:30:15 - INFO - [req=r1|session=abc12345] - caf\u00e9"


@pytest.mark.skipif(sys.platform == "win32", reason="this platform's shell closes no descriptors")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize(
    "typed",
    ["grep abc1 app.log", "grep nobody app.log", "view app.log", "completion bash", "nothing"],
)
def test_a_closed_output_changes_no_exit_code(tmp_path: Path, typed: str, closed: str) -> None:
    """Nor does text for one stream go to the other."""
    (tmp_path / "app.log").write_text(LINE, "utf-8")

    def done(redirected: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["sh", "-c", f'exec "$0" -m asgi_trace {typed} {redirected}', sys.executable],
            capture_output=True,
            timeout=60,
            cwd=tmp_path,
        )

    both, one = done(""), done(closed)
    assert one.returncode == both.returncode
    assert one.stdout == (both.stdout if closed == "2>&-" else b"")
    assert one.stderr == (both.stderr if closed == ">&-" else b"")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--help", "usage: asgi-trace "),
        ("grep --help", "'[req=\\u2026|session=\\u2026]'"),
        ("view caf\u00e9.log", "caf\\xe9.log.html: 1 line, "),
        ("grep abc1 caf\u00e9.log", LINE),  # a log's own bytes
    ],
)
def test_an_encoding_without_a_character_prints_its_escape(
    tmp_path: Path, typed: str, said: str
) -> None:
    """As of a locale that is not in UTF-8."""
    (tmp_path / "caf\u00e9.log").write_text(LINE, "utf-8")
    done = subprocess.run(
        [*COMMAND, *typed.split()],
        capture_output=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert said in done.stdout.decode("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="this platform's names of files are text")
@pytest.mark.parametrize("typed", ["view", "grep abc1"])
def test_the_name_of_a_log_may_be_any_bytes(tmp_path: Path, typed: str) -> None:
    name = os.fsdecode(b"\xff.log")
    (tmp_path / name).write_text(LINE, "utf-8")
    done = subprocess.run(
        [*COMMAND, *typed.split(), name], capture_output=True, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this platform has no full device")
@pytest.mark.parametrize(
    "typed",
    [
        *("--help", "run --help", "grep --help", "completion bash", "completion fish"),
        *("demo", "demo --mcp", "doctor asgi_trace._cli.demo:shop"),
        "doctor --json asgi_trace._cli.demo:shop",
    ],
)
def test_a_full_disk_is_one_sentence(typed: str) -> None:
    """And not a traceback, or an exit code that says that all is well."""
    words = typed.split()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (
        2,
        f"asgi-trace {words[0]}: standard output: No space left on device\n",
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this platform has no full device")
@pytest.mark.parametrize("typed", ["--help", "grep --help", "--version"])
def test_a_full_disk_is_one_sentence_without_buffers(typed: str) -> None:
    """As in most containers, where PYTHONUNBUFFERED is set."""
    words = typed.split()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, timeout=60, env=environment
        )
    assert (done.returncode, done.stderr.decode()) == (
        2,
        f"asgi-trace {words[0]}: standard output: No space left on device\n",
    )
