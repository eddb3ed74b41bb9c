"""The benchmark suite measures, and its guard can fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import budgets, chart, envelopes, grep, report, results, view
from benchmarks import reading as reading_guard
from benchmarks.measure import Reading, measure
from benchmarks.situations import SITUATIONS
from benchmarks.subjects import OURS, SUBJECTS

ROOT = Path(__file__).parent.parent

# Without valgrind here, what is left is what the guard does without it.
METERS = ["bytecode", *(["instructions"] if shutil.which("valgrind") else [])]

SLOW_SHIM = """
import asgi_trace

class Slow(asgi_trace.RequestTracingMiddleware):
    async def __call__(self, scope, receive, send):
        async def slow_send(message):
            await send(message)
        return await super().__call__(scope, receive, slow_send)

asgi_trace.RequestTracingMiddleware = Slow
"""

SLOW_PARTS = """
import asgi_trace
from asgi_trace._core.scope import ScopeMetadata
from asgi_trace._core.sessions import SessionResolver
from asgi_trace._logging.formatters import OwnForm
from asgi_trace._mcp.observer import Observer

def slowed(owner, name):
    real = getattr(owner, name)
    def slow(*args, **kwargs):
        for _ in range(400):
            pass
        return real(*args, **kwargs)
    setattr(owner, name, slow)

slowed(asgi_trace.TextFormatter, "format")
slowed(asgi_trace.JSONFormatter, "format")
slowed(OwnForm, "format")
slowed(ScopeMetadata, "_read_headers")
slowed(SessionResolver, "resolve")
slowed(asgi_trace, "inject")
slowed(Observer, "__call__")
"""

LEAKY_SHIM = """
import asgi_trace

class Leaky(asgi_trace.RequestTracingMiddleware):
    async def __call__(self, scope, receive, send):
        cycle = []
        cycle.append(cycle)
        return await super().__call__(scope, receive, send)

asgi_trace.RequestTracingMiddleware = Leaky
"""

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("lifespan began")
        scope["state"]["opened"] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan ended")
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert scope["state"]["opened"]
    assert (scope["path"], scope["query_string"]) == ("/stock", b"item=pen")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"42"})

async def broken(scope, receive, send):
    raise RuntimeError("no database")

async def ill(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


def _benchmarks(
    *arguments: str, modules: Path, meter: str = "bytecode"
) -> subprocess.CompletedProcess[str]:
    """Run the command; where *meter* is bytecode, as on a machine without valgrind."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(modules)])}
    if meter == "bytecode":
        environment["PATH"] = str(modules)
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command, cwd=modules, env=environment, capture_output=True, text=True, timeout=300
    )


def _figure(line: str, budget: str) -> float:
    """The figure in the guard's *line* of *budget*."""
    verdict, _, rest = line.partition("  ")
    assert rest.strip().startswith(f"{budget}: ")
    figure, limit = float(rest.split()[1]), float(line.rpartition("limit ")[2].partition(",")[0])
    assert (verdict == "BROKEN") == (figure > limit)
    return figure


@pytest.mark.parametrize("meter", METERS)
def test_a_slowdown_breaks_its_budget(tmp_path: Path, meter: str) -> None:
    """One line names the budget, its figure and its limit, and the exit code is 1."""
    (tmp_path / "planted.py").write_text(SLOW_SHIM, encoding="utf-8")
    slowed = _benchmarks(
        "check", "streamed-message", "--preload", "planted", modules=tmp_path, meter=meter
    )
    assert (slowed.returncode, slowed.stderr) == (1, "")
    *said, verdict = slowed.stdout.splitlines()
    assert verdict.startswith("BROKEN")
    # What was planted is the no-op wrapper itself, on top of ours.
    assert _figure(verdict, "streamed-message") > 1.3
    assert any("valgrind is not installed" in line for line in said) == (meter == "bytecode")


NEW_PARTS = (
    "production-text",
    "production-text-in-its-form",
    "production-json-python-json-logger",
    "production-json-structlog",
    "access-line",
    "first-line",
    "further-line",
    "everything-traced",
    "bearer",
    "inject",
    "observed-get",
    "observed-post",
)


def test_a_slowdown_of_a_part_breaks_its_budget(tmp_path: Path) -> None:
    """In lines and access lines of both forms, sessions, calls and observed bodies."""
    (tmp_path / "planted.py").write_text(SLOW_PARTS, encoding="utf-8")
    done = _benchmarks("check", *NEW_PARTS, "--preload", "planted", modules=tmp_path)
    lines = done.stdout.splitlines()[-len(NEW_PARTS) :]
    assert [line.partition(":")[0].split() for line in lines] == [
        ["BROKEN", part] for part in NEW_PARTS
    ]


def test_the_guard_tells_slow_from_fast(tmp_path: Path) -> None:
    """
    As things are, the figure is smaller by what was planted; and the exit code is what the line
    says.
    """
    (tmp_path / "planted.py").write_text(SLOW_SHIM, encoding="utf-8")
    as_it_is = _benchmarks("check", "streamed-message", modules=tmp_path)
    slowed = _benchmarks("check", "streamed-message", "--preload", "planted", modules=tmp_path)
    lines = [done.stdout.splitlines()[-1] for done in (as_it_is, slowed)]
    before, after = (_figure(line, "streamed-message") for line in lines)
    assert before + 0.9 < after
    assert [done.returncode for done in (as_it_is, slowed)] == [
        int(line.startswith("BROKEN")) for line in lines
    ]


@pytest.mark.parametrize(
    ("planted", "verdict", "code"), [("", "ok      ", 0), (LEAKY_SHIM, "BROKEN  ", 1)]
)
def test_garbage_breaks_its_budget(tmp_path: Path, planted: str, verdict: str, code: int) -> None:
    """A cycle in each request is found; as things are, there is none."""
    (tmp_path / "planted.py").write_text(planted, encoding="utf-8")
    done = _benchmarks("check", "garbage-of-a-request", "--preload", "planted", modules=tmp_path)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines()[-1].startswith(f"{verdict}garbage-of-a-request: ")


def test_what_cannot_be_counted_is_said(tmp_path: Path) -> None:
    """
    Bytecode does not see a search that is done in C: the guard does not pass it off as checked.
    """
    done = _benchmarks("check", "header", modules=tmp_path)
    assert "not checked, for that reason: header" in done.stdout


def test_an_unknown_budget_is_refused(tmp_path: Path) -> None:
    """With the names of those there are."""
    done = _benchmarks("check", "speed", modules=tmp_path)
    assert done.returncode == 2
    assert "'speed' is no budget; expected one of: production-text, " in done.stderr


def test_figures_are_made_of_readings() -> None:
    """
    What is added to bare, less what another situation adds, by a count or by what another subject
    adds.
    """
    values = {
        Reading("instructions", situation, subject): float(count)
        for situation, subject, count in [
            ("headers-4", "bare", 100),
            ("headers-4", OURS, 300),
            ("headers-40", "bare", 1000),
            ("headers-40", OURS, 1560),
            ("uvicorn", "bare", 10_000),
            ("uvicorn", OURS, 11_000),
            ("stream", "bare", 10),
            ("stream", "no-op", 30),
            ("stream", OURS, 25),
        ]
    }
    named = {budget.name: budget for budget in budgets.BUDGETS}
    figures = {
        name: budgets.figure(named[name], "instructions", values)
        for name in ("header", "uvicorn", "streamed-message")
    }
    assert figures == {"header": 10.0, "uvicorn": 1.1, "streamed-message": 0.75}


def test_every_situation_works() -> None:
    """
    For the app as it is, the yardstick and ours; and a wrapper does more than none. Only a line may
    take less with ours than without.
    """
    pairs = [
        (name, subject) for name, situation in SITUATIONS.items() for subject in situation.subjects
    ]
    pairs = [(name, subject) for name, subject in pairs if SUBJECTS[subject].needs is None]
    values = measure(Reading("bytecode", name, subject) for name, subject in pairs)
    counted = {(reading.situation, reading.subject): value for reading, value in values.items()}
    idle = [
        pair
        for pair in pairs
        if pair[1] != "bare"
        and pair != ("text", OURS)
        and counted[pair] <= counted.get((pair[0], "bare"), 0)
    ]
    assert idle == []
    assert len(counted) == len(pairs)


def test_a_run_prints_a_table(tmp_path: Path) -> None:
    """Each subject with its count, and its times."""
    done = _benchmarks("--situation", "everything", modules=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    subject, count, fastest, median = done.stdout.splitlines()[-1].split()
    assert subject == OURS
    assert int(count.replace(",", "")) > 0
    assert float(fastest.replace(",", "")) < float(median.replace(",", "")) * 2


def _run(python: str) -> results.Results:
    rows = [
        results.Row("request", "bare", 30_000.0, 900.0, 950.0, 512.5),
        results.Row("request", "no-op", 5_797.5, 560.0, 590.0, 488.0),
        results.Row("request", OURS, 14_321.0, 1_390.0, 1_410.0, 777.0),
        results.Row("request", "O<T>el", 1_234_567.0, 135_000.0, 140_000.0),
        results.Row("headers-4", "bare", 18_000.0, 600.0, 600.0),
        results.Row("headers-4", OURS, 13_000.0, 1_000.0, 1_000.0),
        results.Row("headers-40", "bare", 71_000.0, 2_000.0, 2_000.0),
        results.Row("headers-40", OURS, 20_200.0, 1_900.0, 1_900.0),
        results.Row("production-text", "bare", 34_000.0, 900.0, 950.0),
        results.Row(
            "production-text", "asgi_trace, access_log=True", 400_000.0, 40_000.0, 41_000.0
        ),
        results.Row("text", "bare", 72_000.0, 8_600.0, 8_700.0),
        results.Row("text", OURS, 71_500.0, 8_500.0, 8_550.0),
    ]
    imports = [results.Import("asgi_trace", 25.8, 28.2, 52)]
    return results.Results(
        "2026-11-22",
        "A processor, 2 cores",
        python,
        "instructions",
        {"asgi-trace": "0.1.0"},
        rows,
        imports,
    )


def test_results_are_kept(tmp_path: Path) -> None:
    """
    One file for each version of Python, the oldest first; a second run takes the place of the
    first.
    """
    runs = [_run("CPython 3.9.1"), _run("CPython 3.11.7"), _run("CPython 3.13.0")]
    for run in [*runs[1:], *runs]:
        results.save(run, tmp_path)
    assert results.load(tmp_path) == runs


def test_the_chart_shows_the_results() -> None:
    """Every subject with its figures, the machine and the date; and it is XML."""
    shown = [
        "".join(text.itertext())
        for text in ElementTree.fromstring(chart.svg(_run("CPython 3.11.7"))).iter()
    ]
    for expected in (
        "no-op",
        "5,798",
        "0.6",
        OURS,
        "14,321",
        "1.4",
        "O<T>el",
        "1,234,567",
        "135.0",
    ):
        assert expected in shown
    assert any("CPython 3.11.7, A processor, 2 cores, 2026-11-22" in text for text in shown)


def test_what_is_published_was_measured() -> None:
    """
    The chart and the tables that the README shows are those of the saved results; ``python -m
    benchmarks chart``.
    """
    directory = ROOT / "benchmarks" / "results"
    runs = results.load(directory)
    assert (directory / "cost.svg").read_text(encoding="utf-8") == chart.svg(runs[-1])
    assert (directory / "cost.md").read_text(encoding="utf-8") == report.markdown(runs)


def test_the_tables_show_the_results() -> None:
    """
    Requests on each version of Python, the rest on the newest, with where the figures come from.
    """
    runs = [_run("CPython 3.11.7"), _run("CPython 3.13.0")]
    lines = report.markdown(runs).splitlines()
    assert lines[0] == "| Added by all that it logs, on CPython 3.13.0 |  |  |"
    title = SITUATIONS["production-text"].title
    assert lines[2] == f"| {title} | asgi_trace, access_log=True | 400,000 / 40.00 µs |"
    assert "| Added to a request | CPython 3.11.7 | CPython 3.13.0 | held in flight |" in lines
    assert "| asgi_trace | 14,321 / 1.39 µs | 14,321 / 1.39 µs | 777 B |" in lines
    assert "| a line of text | asgi_trace | 71,500 / 8.50 µs |" in lines
    assert "A processor, 2 cores, 2026-11-22. asgi-trace 0.1.0." in lines[-1]
    table = report.text(runs[0])
    assert (
        "a request, 12 headers, nothing inbound: added to the 30,000 instructions and 900 ns of the bare app"
        in table
    )
    assert "asgi_trace         200.0         25.0" in table


def test_an_app_of_ones_own_is_measured(tmp_path: Path) -> None:
    """
    In-process and through uvicorn, within one lifespan, whose state its requests see; and with its
    logging, in processes of their own.
    """
    (tmp_path / "shop.py").write_text(APP, encoding="utf-8")
    done = _benchmarks(
        "app", "shop:app", "--path", "/stock?item=pen", "--seconds", "0.2", modules=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("lifespan began") == done.stdout.count("lifespan ended") == 1
    for expected in ("shop:app, GET /stock?item=pen: 200", "in-process: ", "uvicorn, round trip: "):
        assert expected in done.stdout
    assert done.stdout.count(" µs between rounds of the same") == done.stdout.count(" traced") >= 3
    # uvicorn's access line, or that of asgi_trace
    assert "today, 1.0 lines each; " in done.stdout
    assert "traced, 1.0 lines each" in done.stdout


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("shop:missing", 'Attribute "missing" not found in module "shop".'),
        ("shop:broken", "the app raised RuntimeError('no database')"),
        ("shop:ill", "the app did not start"),
    ],
)
def test_an_app_that_cannot_be_measured_is_told(
    tmp_path: Path, target: str, complaint: str
) -> None:
    """What is wrong with it, and exit code 2."""
    (tmp_path / "shop.py").write_text(APP, encoding="utf-8")
    done = _benchmarks("app", target, modules=tmp_path)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_the_viewers_cost_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """By the real command, on logs of the real formatters: a row for each form, and its limits."""
    assert view.main(["--lines", "300"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == [
        "300",
        "text",
        "limits",
        "json",
        "limits",
        "logfmt",
        "limits",
        "python",
        "limits",
    ]
    assert all(float(seconds) > 0 for _, _, _, seconds, *_ in rows[1::2])


def test_the_cost_of_grep_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """By the real command: a row for each form and condition, with a limit where there is one."""
    assert grep.main(["--lines", "5000", "--form", "text", "--form", "json"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows[1:]] == [
        [form, name] for form in ("text", "json") for name in grep.CONDITIONS
    ]
    assert [len(row) for row in rows[1:6]] == [8, 8, 8, 6, 6]


def test_the_cost_of_envelopes_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """By the real commands: a row for each form and envelope, with the goal."""
    chosen = ["--lines", "2000", "--form", "text", "--envelope", "docker", "--envelope", "CRI"]
    assert envelopes.main(chosen) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows[1:]] == [["docker", "text"], ["CRI", "text"]]
    assert [row[-2:] for row in rows[1:]] == [["1.15", "x"]] * 2


SLOW_FRAMES = """
from asgi_trace._cli.logs import envelopes, frames

def slowed(owner, name):
    real = getattr(owner, name)
    def slow(lines):
        for _ in range(3000 * len(lines)):
            pass
        return real(lines)
    setattr(owner, name, slow)

slowed(frames, "unescaped")
"""


def test_a_slowdown_of_envelopes_breaks_their_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As any other, it is told with its limit and its goal."""
    monkeypatch.setattr(reading_guard, "LINES", 5000)
    monkeypatch.setattr(reading_guard, "_ATTEMPTS", 1)
    monkeypatch.setattr(view, "_COMMAND", SLOW_FRAMES + view._COMMAND)
    assert budgets.check(["view-text-in-docker"]) == 1
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert _figure(verdict, "view-text-in-docker") > 5
    assert verdict.endswith("goal 1.150")


def test_the_viewers_log_is_one_of_requests(tmp_path: Path) -> None:
    """
    Ten lines each, at once, in the order of their times; some fail, and the last is the access
    line.
    """
    log = tmp_path / "app.log"
    view.write_log(log, "json", 20_000)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    times = [record["timestamp"] for record in records]
    assert (len(times), times) == (20_000, sorted(times))
    owners = [record["request_id"] for record in records]
    assert 2000 <= len(set(owners)) < 2100
    assert sum(before != after for before, after in pairwise(owners)) > 15_000
    ends = [record for record in records if record["logger"] == "asgi_trace.access"]
    assert 0 < sum(record["status"] == 500 for record in ends) < 30
    assert any("exception" in record for record in records)
