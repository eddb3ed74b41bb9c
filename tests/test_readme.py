"""Each code block of the README does what the README says."""

from __future__ import annotations

import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import mcp
import pytest

import asgi_trace
import asgi_trace.otel

from . import needs
from .documents import BOTH, MANUAL, README, ROOT, blocks
from .serving import reserved_port

LANGUAGES = {"python", "sh", "console", "text", "yaml"}
SHOP, *SNIPPETS = blocks("python")
TEST = next(text for text in SNIPPETS if "(traced)" in text)
SNIPPETS.remove(TEST)
MCP_SHOP = next(text for text in SNIPPETS if "@server.tool()" in text)
SHELL = [text.strip() for text in blocks("sh")]
BEFORE, AFTER, CALLS = blocks("text")
FIRST_TRACE = README.split("## Install")[1].split("## Where it goes")[0]


def commands(text: str) -> list[str]:
    """Return the commands of the console blocks in *text*."""
    lines = "".join(blocks("console", text)).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


WALK = commands(FIRST_TRACE)
# run beside a receiver
EXPORTING = re.findall(r"^\$ (pip .*)\n\$ (export .*)\n\$ (.*)$", README, re.MULTILINE)[0]
EXAMINING = re.findall(r"^\$ (asgi-trace doctor .*)\n(.*)$", README, re.MULTILINE)
DOCTOR = [command for command, _ in EXAMINING]
OTHERS = [line for line in commands(BOTH) if line not in [*WALK, *EXPORTING, *DOCTOR]]
SERVING = [line for line in OTHERS if "shop:app" in line or "asgi-trace run" in line]
# Any program that starts a server itself, on the port of its last argument.
PROGRAM = "import sys, uvicorn\nuvicorn.run('shop:app', port=int(sys.argv[-1]))\n"
SEARCHING = [line for line in OTHERS if "asgi-trace grep" in line]


def test_every_block_is_run_here() -> None:
    """
    Python, set-up commands, commands, and the log before and after; YAML, which
    ``test_logs_stores`` reads.
    """
    assert BOTH.count("```") == 2 * sum(len(blocks(language)) for language in LANGUAGES)
    assert [*SERVING, *SEARCHING] == OTHERS


def test_the_readme_is_read_in_ten_minutes() -> None:
    assert len(README.splitlines()) <= 350


def test_links_lead_somewhere() -> None:
    """To a file beside the document, and to a heading in it."""
    for document, folder in ((README, ROOT), (MANUAL, ROOT / "asgi_trace")):
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document):
            name, _, heading = target.partition("#")
            file = folder / name if name else None
            assert file is None or file.exists(), target
            text = document if file is None else file.read_text(encoding="utf-8") if heading else ""
            headings = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]
            assert not heading or heading in anchors, target


@pytest.mark.parametrize("code", SNIPPETS)
def test_a_snippet_runs(code: str, tmp_path: Path) -> None:
    """In a process of its own: some set up logging. From a file, which process pools import."""
    file = tmp_path / "snippet.py"
    file.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def pay(port: int) -> None:
    """Two customers pay at once."""

    def one(session: str) -> int:
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/payment", headers={"X-Session-ID": session}, timeout=60
        )
        return answer.status_code

    with ThreadPoolExecutor() as customers:
        assert [*customers.map(one, ("abc12345", "def67890"))] == [200, 200]


def serve(
    code: str, folder: Path, command: str = "uvicorn shop:app", visit: Callable[[int], object] = pay
) -> list[str]:
    """
    Serve *code* as ``shop:app`` by *command*, let customers *visit* its port, and return all that
    it wrote.
    """
    (folder / "shop.py").write_text(code, encoding="utf-8")
    (folder / "app.py").write_text(PROGRAM, encoding="utf-8")
    with reserved_port() as port:
        return _serve(folder, command, visit, port)


def _serve(folder: Path, command: str, visit: Callable[[int], object], port: int) -> list[str]:
    bind = (
        f"--bind 127.0.0.1:{port}"
        if "hypercorn" in command or "gunicorn" in command
        else f"--port {port}"
    )
    server = subprocess.Popen(
        f"exec env {command} {bind}",
        shell=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        wait_for(port, server)
        visit(port)
    finally:
        server.terminate()
        output = server.communicate(timeout=60)[0]
    return output.splitlines()


def environment() -> dict[str, str]:
    """This environment's own commands, and this package."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }


def wait_for(port: int, server: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert server.poll() is None, server.communicate()[0]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not listen")


def told(lines: list[str]) -> dict[str, list[str]]:
    """The story of each session: its lines in order, without what differs from run to run."""
    stories: dict[str, list[str]] = {}
    for line in lines:
        match = re.fullmatch(
            r"[-\d]{10} [:\d]{8} - (\w+) - \[req=([0-9a-f]{32})\|session=(\w+)\] - (.*)", line
        )
        if match:
            level, request_id, session, message = match.groups()
            message = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", message)
            stories.setdefault(session, [request_id]).append(f"{level} {message}")
            assert stories[session][0] == request_id
    return {session: story[1:] for session, story in stories.items()}


class Project:
    """A project beside the clone, with an environment of its own, where a reader types commands."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        (folder / "asgi_trace").symlink_to(ROOT)
        self._port = port
        subprocess.run([sys.executable, "-m", "venv", ".venv"], cwd=self.folder, check=True)
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._environment = {
            **own,
            "PATH": os.pathsep.join([str(self.folder / ".venv" / "bin"), own["PATH"]]),
        }

    def start(self, command: str, **options: Any) -> subprocess.Popen[str]:
        """Start *command*, on a free port in place of 8000."""
        command = command.removesuffix(" &").replace(":8000", f":{self._port}")
        command = command.replace("uvicorn shop:app", f"exec uvicorn shop:app --port {self._port}")
        return subprocess.Popen(
            command, shell=True, cwd=self.folder, env=self._environment, text=True, **options
        )

    def run(self, command: str) -> str:
        """Run *command* to its end, and return what it printed."""
        process = self.start(command, stdout=subprocess.PIPE)
        printed = process.communicate(timeout=600)[0]
        assert process.returncode == 0, printed
        return printed


def test_the_first_trace_is_what_a_reader_gets(tmp_path: Path) -> None:
    """
    Command by command, in one folder: the log, the failed request in it, and its page, whose
    message is the README's but for the numbers.
    """
    needs.program("curl")
    install, serve, pay_twice, miss, of_a_session, failed, page, follow = WALK
    made, followed = re.findall(r"^\$ asgi-trace view .*\n(.*)$", FIRST_TRACE, re.MULTILINE)
    with reserved_port() as port:
        project = Project(tmp_path, port)
        project.run(install)
        (project.folder / "shop.py").write_text(SHOP, encoding="utf-8")
        server = project.start(serve)
        try:
            wait_for(port, server)
            assert project.run(f"{pay_twice}; wait").count("paid") == 2
            (missed,) = re.findall(r"(?im)^x-request-id: (\w+)", project.run(miss))
        finally:
            server.terminate()
            server.wait(60)

    shown = told(AFTER.splitlines())
    written = told((project.folder / "app.log").read_text(encoding="utf-8").splitlines())
    assert len(shown) == 2
    assert sum(map(len, shown.values())) == len(AFTER.splitlines())
    assert {session: written[session] for session in shown} == shown

    assert told(project.run(of_a_session).splitlines()) == {"abc12345": shown["abc12345"]}
    assert missed in project.run(failed)
    assert re.sub(r"\d+", "0", project.run(page).strip()) == re.sub(r"\d+", "0", made)
    assert (project.folder / "trace.html").stat().st_size > 10_000
    following = project.start(f"exec {follow}", stdout=subprocess.PIPE)
    try:
        assert following.stdout is not None
        first = following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 0
    finally:
        following.kill()
        following.communicate()
    assert re.sub(r"\d+", "0", first.strip()) == re.sub(r"\d+", "0", followed)


def test_the_calls_are_what_the_mcp_example_writes(tmp_path: Path) -> None:
    """Each client's lines, each with one request's id: with what a client of mcp 1 speaks."""

    async def ask(port: int) -> None:
        async def one(item: str, failed: bool) -> None:
            async with mcp.Client(f"http://127.0.0.1:{port}/mcp", mode="legacy") as client:
                assert (await client.call_tool("price", {"item": item})).is_error is failed

        async with anyio.create_task_group() as clients:
            clients.start_soon(one, "bulb", False)
            clients.start_soon(one, "unicorn", True)

    def stories(lines: list[str]) -> list[list[str]]:
        found: dict[str, list[str]] = {}
        for line in lines:
            match = re.fullmatch(
                r".* - \[(req=\w{32}\|session=\w{8})\] (\[tools/call price #\d\] - .*)", line
            )
            if match:
                story = re.sub(r"\d+\.\dms|:\d+|\d+B", "0", match[2])
                found.setdefault(match[1], []).append(story)
        return sorted(found.values(), key=str)

    written = serve(
        MCP_SHOP, tmp_path, "uvicorn shop:app --no-access-log", lambda port: anyio.run(ask, port)
    )
    assert stories(written) == stories(CALLS.splitlines())
    assert sum(map(len, stories(CALLS.splitlines()))) == len(CALLS.splitlines())


@pytest.mark.parametrize("command", SERVING)
def test_a_server_runs_with_its_own_command_line(tmp_path: Path, command: str) -> None:
    """Without a line of code: each session's lines are those of the example, and of the server."""
    bare = SHOP.replace("configure_logging()  ", "# ").replace(
        "app = RequestTracingMiddleware(api)", "app = api"
    )
    ours = {
        session: [line for line in story if "127.0.0.1" not in line]
        for session, story in told(AFTER.splitlines()).items()
    }
    written = serve(bare, tmp_path, command)
    assert {
        session: [line for line in story if "127.0.0.1" not in line]
        for session, story in told(written).items()
    } == ours


@pytest.mark.parametrize(("command", "said"), EXAMINING)
def test_the_doctor_finds_nothing(tmp_path: Path, command: str, said: str) -> None:
    """In the app of the first example."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    done = subprocess.run(
        command.split(),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, said)


def test_the_test_passes(tmp_path: Path) -> None:
    """Beside the app of the first example."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(TEST, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert "1 passed" in done.stdout, done.stdout


@pytest.fixture(scope="module")
def demo_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``app.log``, what the demo writes."""
    path = tmp_path_factory.mktemp("demo") / "app.log"
    with path.open("w") as log:
        subprocess.run(
            ["asgi-trace", "demo"], stdout=log, env=environment(), timeout=120, check=True
        )
    return path


@pytest.mark.parametrize("command", SEARCHING)
def test_a_search_finds_lines(demo_log: Path, command: str) -> None:
    """In the demo's log."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=demo_log.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= 9


def test_the_log_before_is_the_examples_without_us(tmp_path: Path) -> None:
    """The same app, with logging.basicConfig."""
    bare = SHOP.replace("from asgi_trace import RequestTracingMiddleware, configure_logging\n", "")
    bare = re.sub(
        r"^configure_logging\(\).*$",
        "logging.basicConfig(level=logging.INFO)",
        bare,
        flags=re.MULTILINE,
    )
    bare = re.sub(r"^app = .*$", "app = api", bare, flags=re.MULTILINE)
    written = [line for line in serve(bare, tmp_path) if ":shop:" in line]
    assert sorted(written) == sorted(BEFORE.splitlines())


# How each command is installed: the demo by the pip of a new venv, which may be too old for groups.
INSTALLS = {
    ("python3 -m venv .venv", ".venv/bin/pip install -q '.[demo]'"): "asgi-trace demo",
    (
        "python3 -m venv --upgrade-deps .venv",
        ".venv/bin/pip install -q -e . --group test",
    ): "-m pytest",
}


@pytest.mark.parametrize("command", SHELL)
def test_a_command_is_set_up_and_run_in_one_line(command: str) -> None:
    """
    A venv first, since Debian's Python refuses a bare pip install; and .ci/run runs these very
    lines.
    """
    venv, install, run = command.split(" && ")
    assert (venv, install) in INSTALLS
    goal = INSTALLS[venv, install]
    assert run.endswith(goal)
    assert f'"{goal}"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "documented",
    [
        asgi_trace.RequestTracingMiddleware,
        asgi_trace.configure_logging,
        asgi_trace.otel.RequestSpans,
    ],
    ids=lambda each: each.__name__,
)
def test_every_option_has_its_row(documented: object) -> None:
    """And every row its option."""
    table = MANUAL.split(f"\n| `{documented.__name__}(")[1].split("\n\n")[0]  # type: ignore[attr-defined]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    options = [name for name in inspect.signature(documented).parameters if name != "app"]  # type: ignore[arg-type]
    assert rows == options
