"""``asgi-trace doctor``: it finds each fault, and nothing in a healthy app."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_trace
from asgi_trace._cli.doctor import launched

from .apps import BROKEN, FAULTY, HANGING, HEALTHY, ODD, SHOP, STOPS_NEVER, STREAMS_FOR_EVER

COMMAND = (sys.executable, "-m", "asgi_trace", "doctor")


def doctor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in *folder*, for the app of its ``shop.py`` where no other is named."""
    return subprocess.run(
        [*COMMAND, *(words or ("shop:app",))],
        cwd=folder,
        env={**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "60000"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def write(folder: Path, code: str) -> Path:
    (folder / "shop.py").write_text(f"{SHOP}{code}\n")
    return folder


@pytest.mark.parametrize("app", HEALTHY)
def test_nothing_is_found_in_a_healthy_app(app: str, tmp_path: Path) -> None:
    done = doctor(write(tmp_path, HEALTHY[app]))
    assert (done.stdout.splitlines()[:1], done.returncode) == (
        ["shop:app: nothing is wrong"],
        0,
    ), done
    assert "could not be" not in done.stdout
    assert "the message alone" not in done.stdout
    assert "no ids" not in done.stdout.split("ok:", 1)[1]


@pytest.mark.parametrize("app", FAULTY)
def test_each_fault_is_one_sentence(app: str, tmp_path: Path) -> None:
    """With its remedy, and no other finding beside it."""
    code, expected = FAULTY[app]
    done = doctor(write(tmp_path, code), "shop:app", "--json")
    report = json.loads(done.stdout)
    findings = [each["sentence"] for each in report["findings"]]
    assert len(findings) == len(expected), (findings, done.stderr)
    for sentence, beginning in zip(findings, expected, strict=True):
        assert sentence.startswith(beginning)
    assert all(each["remedy"] for each in report["findings"])
    assert not [each for each in report["notes"] if "could not be" in each["sentence"]]
    assert done.returncode == 1
    assert "secret" not in done.stdout


@pytest.mark.parametrize("app", BROKEN)
def test_an_app_that_cannot_be_had_is_exit_code_2(app: str, tmp_path: Path) -> None:
    """With its error, and no frame of ours."""
    code, expected = BROKEN[app]
    done = doctor(write(tmp_path, code))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"asgi-trace doctor: {expected}" in done.stderr
    assert f"{Path(asgi_trace.__file__).parent}{os.sep}" not in done.stderr
    assert "importlib" not in done.stderr


@pytest.mark.parametrize("app", HANGING)
def test_an_app_that_hangs_is_given_up(app: str, tmp_path: Path) -> None:
    code, expected = HANGING[app]
    (tmp_path / "shop.py").write_text(code)
    done = doctor(tmp_path, "--timeout", "5", "shop:app")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"asgi-trace doctor: {expected}")


def test_an_app_that_does_not_stop_has_its_report(tmp_path: Path) -> None:
    """Nor do threads of its own hold the doctor."""
    (tmp_path / "shop.py").write_text(STOPS_NEVER)
    done = doctor(tmp_path, "--timeout", "5", "shop:app")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "shop:app: nothing is wrong")


def test_a_response_without_an_end_is_a_note(tmp_path: Path) -> None:
    """As of an app that sends events until its client leaves."""
    (tmp_path / "shop.py").write_text(STREAMS_FOR_EVER)
    done = doctor(tmp_path, "--timeout", "5", "shop:app")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "shop:app: nothing is wrong")
    told = "The app failed on the request: TimeoutError: no end of the response within 5 seconds."
    assert f"note: {told}\n" in done.stdout


def test_the_users_own_frames_are_shown(tmp_path: Path) -> None:
    """Those of a cause, too; in JSON the error alone."""
    code = """
def read():
    raise KeyError("DSN")

try:
    read()
except KeyError as exc:
    raise RuntimeError("no settings") from exc
"""
    write(tmp_path, code)
    done = doctor(tmp_path)
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first == "asgi-trace doctor: shop:app could not be loaded: RuntimeError: no settings"
    assert [line.split(",")[0].split(os.sep)[-1] for line in rest if line.startswith("  File")] == [
        'shop.py"',
        'shop.py"',
        'shop.py"',
    ]
    in_json = doctor(tmp_path, "--json", "shop:app")
    assert json.loads(in_json.stdout) == {"app": "shop:app", "error": first.partition(": ")[2]}


def test_the_report_stands_alone_on_standard_output(tmp_path: Path) -> None:
    """What the app prints and logs goes to standard error, also past Python."""
    code = """
import os
os.system("echo from a child")
print("printed")
configure_logging(stream=sys.stdout)

async def app(scope, receive, send):
    log.info("logged %s", scope["type"])
    await api(scope, receive, send)

app = RequestTracingMiddleware(app)
"""
    done = doctor(write(tmp_path, code), "--json", "shop:app")
    assert json.loads(done.stdout)["findings"] == []
    assert "root -> standard output: the line of TextFormatter, with ids." in done.stdout
    for line in ("from a child", "printed", "logged http"):
        assert line in done.stderr


def test_one_request_is_sent_and_the_lifespan_is_whole(tmp_path: Path) -> None:
    code = """
@asynccontextmanager
async def lifespan(app):
    print("started", flush=True)
    yield {"name": "the shop"}
    print("stopped", flush=True)

api = FastAPI(lifespan=lifespan)

@api.middleware("http")
async def show(request, call_next):
    print(request.method, request.url.path, request.state.name, flush=True)
    return await call_next(request)

configure_logging()
app = RequestTracingMiddleware(api)
"""
    done = doctor(write(tmp_path, code))
    printed = [line for line in done.stderr.splitlines() if " - " not in line]
    assert printed == ["started", "GET /asgi-trace-doctor the shop", "stopped"]
    assert done.returncode == 0


def test_what_may_be_right_is_a_note(tmp_path: Path) -> None:
    """A queue loses the ids, unless its items carry them."""
    code = """
jobs = asyncio.Queue()
pool = ThreadPoolExecutor()

def warm_up():
    threading.Thread(target=print).start()

configure_logging()
app = RequestTracingMiddleware(api)
"""
    done = doctor(write(tmp_path, code))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    (queue,) = [line for line in lines if "queue" in line]
    assert queue.startswith(
        "note: The app makes a queue in this process; code that takes from it has no"
    )
    (thread,) = [line for line in lines if "a thread" in line]
    assert thread.startswith("note: The app starts a thread, which begins without ids")
    carrying = code.replace(
        "asyncio.Queue()", "asyncio.Queue()\nfrom asgi_trace import bound_carrier"
    )
    assert "queue" not in doctor(write(tmp_path, carrying)).stdout


def test_the_app_may_be_named_by_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "configure_logging()\napp = RequestTracingMiddleware(api)")
    monkeypatch.setenv("ASGI_TRACE_APP", "shop:app")
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "shop:app: nothing is wrong")


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no such signal")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it(name: str, tmp_path: Path) -> None:
    """And the command with its processes: Ctrl-C, a time limit of CI, a terminal that is closed."""
    ending = getattr(signal, name)
    (tmp_path / "wait.sh").write_text("echo $$ waits; sleep 600\n")
    command = [*COMMAND, "sh", "wait.sh"]
    former = signal.signal(ending, signal.SIG_DFL)  # the tests may run under nohup
    try:
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(ending, former)
    with process:
        assert process.stderr is not None
        number = int(process.stderr.readline().split()[0])
        process.send_signal(ending)
        assert process.wait(60) == 128 + ending
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_an_app_that_fails_on_the_request_is_examined(tmp_path: Path) -> None:
    code = """
async def app(scope, receive, send):
    raise RuntimeError("no database")

configure_logging()
app = RequestTracingMiddleware(app)
"""
    done = doctor(write(tmp_path, code))
    assert done.returncode == 0
    assert "note: The app failed on the request: RuntimeError: no database." in done.stdout


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("return", "The app sent no response to the request."),
        (
            "sys.exit(5)",
            "The app failed on the request: ExitError: the app ended the process, with 5.",
        ),
    ],
)
def test_an_odd_app_is_examined(code: str, note: str, tmp_path: Path) -> None:
    """Also one with an odd handler, and an object that nobody may look at."""
    done = doctor(write(tmp_path, ODD.replace("CODE", code)))
    assert done.returncode == 0
    assert f"note: {note}" in done.stdout
    assert "note: odd -> Odd: it could not be examined (RuntimeError)." in done.stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "no app is named; expected one, as in 'asgi-trace doctor shop:app', or a command"),
        (
            ("shop",),
            "there is no command 'shop'; an app is named 'module:attribute', such as 'shop:app'",
        ),
        (("no-such-command", "shop:app"), "there is no command 'no-such-command'"),
        (
            ("sh", "-c", "exit 7"),
            "'sh -c exit 7' ended with exit code 7, and no server has taken an app",
        ),
        (
            ("sh", "-c", "exit 0"),
            "'sh -c exit 0' ended with exit code 0, and no server has taken an app; "
            "a server in the background is not waited for",
        ),
        (
            ("--timeout", "1", "sleep", "60"),
            "no server has taken an app within 1 seconds; --timeout gives",
        ),
        (("shop:app", "--jsn"), "error: there is no option '--jsn'; did you mean --json?"),
    ],
)
def test_a_wrong_use_is_one_sentence(words: tuple[str, ...], error: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"asgi-trace doctor: {error}")


def test_signals_are_handled_as_before_once_the_command_has_ended() -> None:
    """A program that calls the command may have handlers of its own."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with launched._signals_caught() as caught:
        signal.raise_signal(signal.SIGTERM)
    assert caught == [signal.SIGTERM]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
