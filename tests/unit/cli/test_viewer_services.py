"""What the viewer makes of the logs of several services: bars, callers, clocks, errors."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asgi_trace._cli.logs.entry import Entry
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.reader import merged, read
from asgi_trace._cli.logs.services import services_of_files
from asgi_trace._cli.logs.summary import Reading
from asgi_trace._cli.view import callers
from asgi_trace._cli.view.command import read_wanted, trace_of
from asgi_trace._cli.view.errors import OTHERS, Templates, summary_of, template_of
from asgi_trace._cli.view.model import Model
from asgi_trace._core.access_lines import ACCESS_LOGGER, format_access, format_outgoing
from asgi_trace._core.lines import format_json, format_logfmt, format_text
from asgi_trace._core.record import Record

from ...viewer import Told, stamped

FORMS = ("text", "json", "logfmt")
DAY = "2026-11-22"


def told(*paths: Path) -> Told:
    """The page of some files, as the command makes it."""
    logs = [Log(str(path), print) for path in paths]
    wanted, _ = read_wanted()
    readings = [Reading(log.name) for log in logs]
    return Told.of(trace_of(logs, wanted, lambda: None, readings))


# -- logs whose truth is known ---------------------------------------------------------------------


@dataclass
class Bar:
    """A request in one service, as it really was."""

    service: str
    request_id: str
    span: str
    parent: Bar | None
    parent_span: str
    path: str
    status: int | None
    start: float
    end: float
    marks: list[str] = field(default_factory=list)
    level: int = 2
    kind: str = "http"
    call: tuple[str, str, str] = ("", "", "")  # of MCP: method, name and id


@dataclass
class Line:
    when: float
    bar: Bar
    level: str
    message: str
    fields: dict[str, Any] | None = None
    has_span: bool = True

    def shown(self, form: str) -> str:
        bar = self.bar
        minute, second = divmod(self.when / 1000, 60)
        time = f"{DAY}T10:{int(minute):02d}:{second:06.3f}Z"
        span, parent = (bar.span, bar.parent_span) if self.has_span else ("none", "")
        if form == "text":
            # A request that nobody called shows no span.
            ids = bar.request_id, "customer-3", "none", span if parent else "none"
            return format_text(Record(time, self.level, "", self.message, *ids, *bar.call))
        record = Record(
            time,
            self.level,
            ACCESS_LOGGER if self.fields else bar.service,
            self.message,
            bar.request_id,
            "customer-3",
            bar.request_id if self.has_span else "none",
            span,
            *bar.call,
            extra={k: v for k, v in (self.fields or {}).items() if k != "parent"},
            parent_span_id=parent,
        )
        return (format_json if form == "json" else format_logfmt)(record)


class World:
    """
    Services that call each other, one after another and at once, again after failures, by calls to
    MCP servers, over websockets, and by jobs that run later and may call others; each line has a
    mark of its own.
    """

    def __init__(self, seed: int, services: int, has_spans: bool = True) -> None:
        self.rng = random.Random(seed)
        self.services = [f"svc{chr(97 + number)}" for number in range(services)]
        self.bars: list[Bar] = []
        self.lines: list[Line] = []
        self._spans = 0
        self._has_spans = has_spans

    def log(self, bar: Bar, when: float, level: str = "INFO", text: str = "step") -> None:
        mark = f"mark{len(self.lines)}."
        bar.marks.append(mark)
        if level == "ERROR":
            bar.level = 4
        line = Line(round(when), bar, level, f"{text} {mark}", has_span=self._has_spans)
        self.lines.append(line)

    def open(
        self, service: str, start: float, request_id: str, caller: Bar | None, call: int = 0
    ) -> Bar:
        parent_span = f"{caller.span[:12]}{call:04x}" if caller else ""
        span = f"{self.rng.getrandbits(64) | 1 << 63:016x}"
        bar = Bar(service, request_id, span, caller, parent_span, f"/{service}", 200, start, start)
        self.bars.append(bar)
        return bar

    def request(
        self, service: str, start: float, request_id: str, caller: Bar | None = None, call: int = 0
    ) -> Bar:
        """A request that may call the services behind its own."""
        rng = self.rng
        bar = self.open(service, start, request_id, caller, call)
        kind = rng.random()
        if kind < 0.2:
            bar.kind, bar.status, bar.path = "websocket", 101, f"/ws/{service}"
        elif kind < 0.4 and caller is not None:
            bar.kind, bar.path = "streamable-http", "/mcp"
            bar.call = "tools/call", f"price of {service}", str(len(self.bars))
        self.log(bar, start)
        now, calls = start + rng.uniform(2, 20), 0
        behind = self.services[self.services.index(service) + 1 :]
        for callee in rng.sample(behind, min(len(behind), rng.randrange(3))):
            how = rng.choice(("call", "twice at once", "retry"))
            times = 1 if how == "call" else 2
            ends = []
            for each in range(times):
                calls += 1
                begun = now + (4 * each if how == "twice at once" else 0)
                answer = self.request(callee, begun, request_id, bar, calls)
                if how == "retry" and not each:
                    answer.status = 503
                    now = answer.end + 5
                ends.append(answer.end)
            now = max(ends) + rng.uniform(2, 20)
            if rng.random() < 0.5:
                self.log(bar, now)
        if rng.random() < 0.3:
            bar.status = 500
            self.log(bar, now, "ERROR", "Order 17 failed")
        bar.end = round(now + rng.uniform(2, 20))
        if rng.random() < 0.3:
            runner = rng.choice([service, *behind])
            self.job(runner, bar.end + rng.uniform(10, 2000), bar, calls + 1)
        return bar

    def job(
        self, service: str, start: float, caller: Bar, call: int, may_call: bool = True
    ) -> None:
        """What a queue runs later, for the request: no access line. It may call a service."""
        bar = self.open(service, start, caller.request_id, caller, call)
        bar.status = None
        for each in range(3):
            self.log(bar, start + 10 * each)
        bar.end = start + 20
        behind = self.services[self.services.index(service) + 1 :]
        if behind and may_call and self.rng.random() < 0.5:
            answer = self.request(self.rng.choice(behind), bar.end + 5, bar.request_id, bar, 1)
            bar.end = answer.end + 5
            self.log(bar, bar.end)

    def finish(self) -> None:
        """Write the access lines."""
        for bar in self.bars:
            bar.start, bar.end = round(bar.start), round(bar.end)
            if bar.status is None:
                continue
            fields: dict[str, Any] = {
                "method": "WEBSOCKET" if bar.kind == "websocket" else "POST",
                "path": f"{bar.path}?mark={len(self.lines)}.",
                "status": bar.status,
                "duration_ms": float(bar.end - bar.start),
                "bytes": 2,
                "transport": bar.kind,
                "client": "127.0.0.1:5",
            }
            bar.path = fields["path"]
            bar.marks.append(f"mark={len(self.lines)}.")
            if bar.parent_span:
                fields["parent"] = bar.parent_span
            if not self._has_spans:
                fields.pop("parent", None)
            message = format_access(fields)
            line = Line(bar.end, bar, "INFO", message, fields, has_span=self._has_spans)
            self.lines.append(line)
        self.lines.sort(key=lambda line: line.when)

    def run(self, requests: int) -> World:
        start = 0.0
        for _ in range(requests):
            start += self.rng.uniform(0, 400)
            self.request(self.services[0], start, f"{self.rng.getrandbits(128) | 1 << 127:032x}")
        self.finish()
        return self


def write(world: World, folder: Path, forms: dict[str, str], arrangement: str) -> list[Path]:
    """Write the log: to a file each, to one as compose shows it, or to rotated ones."""
    texts: dict[str, list[str]] = {}
    for number, line in enumerate(world.lines):
        service = line.bar.service
        shown = line.shown(forms[service])
        if arrangement == "compose":
            texts.setdefault("all.log", []).append(f"{service}-1  | {shown}")
        elif arrangement == "rotated":
            is_old = number < len(world.lines) // 2
            texts.setdefault(f"{service}.log{'.1' if is_old else ''}", []).append(shown)
        elif arrangement == "workers":
            worker = world.bars.index(line.bar) % 3
            texts.setdefault(f"{service}-worker-{worker}.log", []).append(shown)
        else:
            texts.setdefault(f"{service}.log", []).append(shown)
    paths = []
    for name, lines in texts.items():
        paths.append(folder / name)
        paths[-1].write_text("\n".join([*lines, ""]), encoding="utf-8")
    return paths


def compare(found: Told, world: World, has_jobs_callers: bool = True) -> None:
    """Each line is at its request, and each request is as it was."""
    number_of: dict[int, int] = {}
    requests = iter(number for chunk in found.chunks for number in chunk["request"])
    services = [
        service
        for chunk in found.chunks
        for service in (
            chunk["service"]
            if isinstance(chunk["service"], list)
            else [chunk["service"]] * len(chunk["t"])
        )
    ]
    bar_of = {mark: bar for bar in world.bars for mark in bar.marks}
    for message, number, service in zip(found.messages, requests, services, strict=True):
        mark = next(word for word in message.replace("?", " ").split() if word.startswith("mark"))
        bar = bar_of[mark]
        assert number >= 0, message
        assert number_of.setdefault(id(bar), number) == number, (message, bar)
        assert found.head["services"][service] == bar.service
    assert len(set(number_of.values())) == len(number_of) == len(world.bars)
    assert len(found.head["requests"]["id"]) == len(world.bars)
    for bar in world.bars:
        request = found.request(number_of[id(bar)])
        assert found.head["services"][request["service"]] == bar.service
        assert request["status"] == bar.status
        assert request["path"] == (bar.path if bar.status else None)
        assert request["call"] == ("{} {} #{}".format(*bar.call) if bar.call[0] else None)
        assert request["lines"] == len(bar.marks)
        assert (request["late"], request["level"]) == (0, bar.level)
        assert abs(request["start"] + found.head["base"] % 3_600_000 - bar.start) <= 1
        if bar.status is not None or has_jobs_callers:
            parent = -1 if bar.parent is None else number_of[id(bar.parent)]
            assert request["parent"] == parent, (bar, bar.parent)
        else:
            # Text names no caller of a job: of several requests with its id, it is a likely one.
            likely = found.request(request["parent"])
            assert (request["parent"] >= 0, likely["id"]) == (True, request["id"])
            assert likely["start"] <= request["start"] + 3
    assert found.head["notes"] == []


ARRANGEMENTS = ("files", "compose", "rotated", "workers")


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("form", [*FORMS, "mixed"])
@pytest.mark.parametrize("services", [2, 5, 10])
def test_each_line_is_at_its_request(
    tmp_path: Path, services: int, form: str, arrangement: str
) -> None:
    """Whatever the form, however many services, and however their lines are kept."""
    world = World(services, services).run(20)
    rng = random.Random(services)
    forms = {name: rng.choice(FORMS) if form == "mixed" else form for name in world.services}
    found = told(*write(world, tmp_path, forms, arrangement))
    # Text has no caller's span for a job.
    compare(found, world, has_jobs_callers=form in ("json", "logfmt"))


@pytest.mark.parametrize("service", ["mailer", "front", ""])
@pytest.mark.parametrize("form", FORMS)
def test_a_job_is_of_the_request_that_sent_it(tmp_path: Path, form: str, service: str) -> None:
    """In another service, in the same one, and where nobody says which service is which."""
    world = World(1, 0)
    world.services = ["front", "stock", "mailer"]
    for each in range(3):
        start = 10_000.0 * each
        front = world.open("front", start, f"{each + (1 << 127):032x}", None)
        stock = world.open("stock", start + 10, front.request_id, front, 1)
        world.log(front, start)
        world.log(stock, start + 10)
        stock.end, front.end = start + 50, start + 100
        world.job(service or "front", start + 1_500, front, 2, may_call=False)
    world.finish()
    if not service:
        world.lines = [line for line in world.lines if line.bar.service == "front"]
        world.bars = [bar for bar in world.bars if bar.service == "front"]
        path = tmp_path / "app.log"
        path.write_text("\n".join([*(line.shown(form) for line in world.lines), ""]), "utf-8")
        assert told(path).head["requests"]["parent"] == [-1, 0, -1, 2, -1, 4]
        return
    compare(told(*write(world, tmp_path, dict.fromkeys(world.services, form), "files")), world)


@pytest.mark.parametrize("form", FORMS)
def test_lines_without_spans_go_where_they_fit(tmp_path: Path, form: str) -> None:
    """As before version 0.1: the id, the log and the access lines tell the requests apart."""
    world = World(5, 4, has_spans=False).run(20)
    found = told(*write(world, tmp_path, dict.fromkeys(world.services, form), "files"))
    rows = Counter(
        (found.head["services"][service], path, status)
        for service, path, status in zip(
            *(found.head["requests"][name] for name in ("service", "path", "status")), strict=True
        )
        if status is not None
    )
    assert rows == Counter(
        (bar.service, bar.path, bar.status) for bar in world.bars if bar.status is not None
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_page_that_follows_has_the_same_result(tmp_path: Path, form: str) -> None:
    """Requests, callers, gaps, services, templates and notes; in pieces of any size."""
    world = World(11, 4).run(30)
    paths = write(world, tmp_path, dict.fromkeys(world.services, form), "files")
    entries = [
        entry
        for batch in merged(
            [read(Log(str(path), print), number) for number, path in enumerate(paths)]
        )
        for entry in batch
    ]
    names = [str(path) for path in paths]
    whole, followed = Model("all", names), Model("all", names)
    whole.add(entries)
    head = Told.of(whole.trace()).head
    rng, place = random.Random(3), 0
    requests: list[dict[str, Any]] = []
    services = list(Told.of(followed.trace()).head["services"])
    templates: list[str] = []
    owners: list[int] = []
    gaps: list[Any] = []
    notes: list[str] = []
    while place < len(entries):
        size = rng.choice((1, 3, 40))
        for news in followed.news(entries[place : place + size]):
            for number, values in news["requests"]:
                requests[number : number + 1] = [values]
            owners += news["chunk"]["request"]
            for at, number in news["moved"]:
                owners[at] = number
            services += news["services"]
            templates += news["templates"]
            gaps = news["gaps"] if news["gaps"] is not None else gaps
            notes = news["notes"]
        place += size
    columns = head["requests"]
    assert requests == [
        {name: columns[name][number] for name in columns} for number in range(len(columns["id"]))
    ]
    page = Told.of(whole.trace())
    assert owners == [number for chunk in page.chunks for number in chunk["request"]]
    assert (services, templates, notes) == (head["services"], head["templates"], head["notes"])
    assert gaps == head["gaps"]
    whole.close()
    followed.close()


# -- one purchase ----------------------------------------------------------------------------------

REQUEST = "f3e2a5c40d16b978855bbc1ab4e3b25a"


def purchase(
    form: dict[str, str], has_spans: bool = True, ahead: float = 0.0
) -> dict[str, list[str]]:
    """
    A purchase in three services, by service: it reserves twice at once, and then the charge fails.
    The clock of the stock may be so many milliseconds ahead.
    """
    shown: dict[str, list[tuple[float, str]]] = {}

    def bar(service: str, span: str, parent: str, path: str, status: int, *lines: Any) -> None:
        shift = ahead if service == "stock" else 0.0
        whose = Bar(service, REQUEST, span, None, parent, path, status, 0, 0)
        (start, _, _), *_, (end, _, _) = lines
        for when, level, message in lines:
            fields = None
            if not message:
                fields = {
                    "method": "POST", "path": path, "status": status, "duration_ms": end - start,
                    "bytes": 17, "transport": "http", "client": "127.0.0.1:50312",
                }  # fmt: skip
                message = format_access(fields)
            line = Line(100_000 + when + shift, whose, level, message, fields, has_span=has_spans)
            shown.setdefault(service, []).append((when, line.shown(form[service])))

    bar("front", "a" * 16, "", "/buy", 502, (0.0, "INFO", "Buying"),
        (800.0, "ERROR", "Charge failed"), (810.0, "INFO", ""))  # fmt: skip
    bar("stock", "b" * 16, "d" * 15 + "1", "/reserve", 200, (100.0, "INFO", "Reserving"),
        (300.0, "INFO", ""))  # fmt: skip
    bar("stock", "b" * 15 + "c", "d" * 15 + "2", "/reserve", 200, (110.0, "INFO", "Reserving"),
        (400.0, "INFO", ""))  # fmt: skip
    bar("pay", "c" * 16, "d" * 15 + "3", "/charge", 500, (500.0, "INFO", "Charging"),
        (600.0, "ERROR", "The bank said no"), (610.0, "INFO", ""))  # fmt: skip
    return {service: [text for _, text in sorted(rows)] for service, rows in shown.items()}


def _written(logs: dict[str, list[str]], folder: Path, is_compose: bool) -> Iterator[Path]:
    if is_compose:
        lines = [f"{service}-1  | {line}" for service, lines in logs.items() for line in lines]
        logs = {"compose": lines}
    for name, lines in logs.items():
        path = folder / f"{name}.log"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        yield path


def bars_of(found: Told) -> list[tuple[str, str, int, int, str]]:
    columns = found.head["requests"]
    services, names = found.head["services"], ("service", "path", "status", "lines", "parent")
    return sorted(
        (services[service], path, status, lines, columns["path"][parent] if parent >= 0 else "")
        for service, path, status, lines, parent in zip(
            *(columns[name] for name in names), strict=True
        )
    )


PURCHASE = [
    ("front", "/buy", 502, 3, ""),
    ("pay", "/charge", 500, 3, "/buy"),
    ("stock", "/reserve", 200, 2, "/buy"),
    ("stock", "/reserve", 200, 2, "/buy"),
]


@pytest.mark.parametrize("is_compose", [False, True], ids=["files", "compose"])
@pytest.mark.parametrize("has_spans", [True, False], ids=["spans", "no spans"])
@pytest.mark.parametrize("forms", ["text", "json", "logfmt", "mixed"])
def test_a_purchase_has_four_bars(
    tmp_path: Path, forms: str, has_spans: bool, is_compose: bool
) -> None:
    form = dict(zip(("front", "stock", "pay"), ("json", "text", "logfmt"), strict=True))
    if forms != "mixed":
        form = dict.fromkeys(form, forms)
    found = told(*_written(purchase(form, has_spans), tmp_path, is_compose))
    assert bars_of(found) == PURCHASE
    assert found.head["requests"]["late"] == [0, 0, 0, 0]
    # The buyer waited for the others, and logged nothing meanwhile.
    assert (found.head["gaps"], found.head["notes"]) == ([], [])
    services = [service for chunk in found.chunks for service in chunk["service"]]
    assert services.count(found.head["services"].index("stock")) == 4


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("ahead", "note"),
    [
        (3000.0, "the clock of stock.log seems 3.0 s ahead of front.log's"),
        (-45_000.0, "the clock of front.log seems 45.0 s ahead of stock.log's"),
        (40.0, None),
        (-40.0, None),
    ],
)
def test_clocks_that_differ_are_mentioned(
    tmp_path: Path, form: str, ahead: float, note: str | None
) -> None:
    """And no time is changed; a few milliseconds are nothing to mention."""
    logs = purchase(dict.fromkeys(("front", "stock", "pay"), form), ahead=ahead)
    found = told(*_written(logs, tmp_path, False))
    assert found.head["notes"] == ([note] if note else [])
    assert bars_of(found) == PURCHASE
    columns = found.head["requests"]
    starts = {
        path: (start - columns["start"][columns["path"].index("/buy")]) / 10
        for path, start in zip(columns["path"], columns["start"], strict=True)
    }
    assert (starts["/charge"], starts["/reserve"]) == (500, 110 + ahead)


@pytest.mark.parametrize(
    ("times", "callers"),
    [
        ({"shop": (0, 200), "stock": (20, 240)}, {"stock": "shop"}),
        ({"shop": (0, 200), "stock": (20, 600)}, {}),  # they may have one caller, which has no log
        ({"shop": (0, 200), "stock": (200, 240)}, {}),
        ({"shop": (0, 200), "stock": (0, 240)}, {"shop": "stock"}),
        # a chain of calls, whose lines of the end come in the order of their calls
        ({"shop": (0, 200), "stock": (20, 210), "pay": (40, 220)}, {"stock": "shop", "pay": "stock"}),
        ({"shop": (0, 240), "stock": (20, 200), "pay": (40, 220)}, {"stock": "shop", "pay": "shop"}),
    ],
    ids=["late", "far too late", "after it", "at once", "a chain", "around one, late in another"],
)  # fmt: skip
def test_a_callee_may_write_its_end_after_its_caller(
    tmp_path: Path, times: dict[str, tuple[int, int]], callers: dict[str, str]
) -> None:
    """By a little: its caller has had the answer by then, and goes on at once."""
    paths = []
    for service, (start, end) in times.items():
        access = f"GET /{service} 200 {end - start:.1f}ms 2B http 127.0.0.1:5"
        paths.append(tmp_path / f"{service}.log")
        paths[-1].write_text(stamped(1 + end / 1000, access) + "\n", encoding="utf-8")
    found = bars_of(told(*paths))
    assert {service: caller[1:] for service, _, _, _, caller in found if caller} == callers


def test_clocks_of_many_calls_are_compared_by_most_of_them(tmp_path: Path) -> None:
    """Jitter, and callees that outlive their callers, raise no alarm."""
    rng = random.Random(5)

    def world(ahead: float) -> World:
        found = World(7, 2)
        for number in range(60):
            start = 1000.0 * number
            caller = found.request("svca", start, f"{number + (1 << 124):032x}")
            found.bars = [bar for bar in found.bars if bar.service == "svca"]
            del caller
        rows = list(found.bars)
        found.lines.clear()
        for bar in found.bars:
            bar.marks.clear()
            bar.status, bar.level = 200, 2
            bar.end = bar.start + 100
            found.log(bar, bar.start)
        for bar in rows:
            jitter = rng.uniform(-45, 45)
            is_late = rng.random() < 0.15
            begun = bar.start + (120 if is_late else 20) + jitter + ahead
            callee = found.open("svcb", begun, bar.request_id, bar, 1)
            callee.end = begun + 40
            found.log(callee, begun)
        found.finish()
        return found

    forms = dict.fromkeys(("svca", "svcb"), "json")
    calm, apart = tmp_path / "calm", tmp_path / "apart"
    calm.mkdir()
    apart.mkdir()
    assert told(*write(world(0.0), calm, forms, "files")).head["notes"] == []
    [note] = told(*write(world(2000.0), apart, forms, "files")).head["notes"]
    assert note == "the clock of svcb.log seems 2.0 s ahead of svca.log's"


# -- lines without a span --------------------------------------------------------------------------


def test_callers_of_callers_are_followed_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deeper request has no caller: the time for each would grow with the chain."""
    monkeypatch.setattr(callers, "_DEEPEST", 3)
    lines = [
        stamped(number, ACCESS).replace(
            "|session=s1]", f"|session=s1|span={number + 1:016x}|parent={number:016x}]"
        )
        for number in range(6)
    ]
    path = tmp_path / "app.log"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert [*told(path).head["requests"]["parent"]] == [-1, 0, 1, -1, 3, 4]


def test_so_many_requests_are_related_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with an id of few others always are."""
    monkeypatch.setattr(callers, "_FEW_RELATED", 2)
    monkeypatch.setattr(callers, "_MOST_PAIRS", 9)
    logs: dict[str, list[str]] = {"front": [], "stock": []}
    for number, extra in enumerate((0, 1, 1)):
        whose = f"r{number}"
        logs["front"].append(stamped(2, ACCESS, whose))
        logs["stock"] += [stamped(1.8, ACCESS.replace("900.0", "500.0"), whose)]
        logs["stock"] += [stamped(1.9, ACCESS.replace("900.0", "500.0"), whose)] * extra
    found = told(*_written(logs, tmp_path, False))
    columns = found.head["requests"]
    related = Counter(
        columns["id"][number] for number, parent in enumerate(columns["parent"]) if parent >= 0
    )
    assert sorted(related.items()) == [("r0", 1), ("r1", 2)]


SPAN = "00f067aa0ba902b7"


def spanned(second: float, message: str, span: str = SPAN) -> str:
    return stamped(second, message).replace("|session=s1]", f"|session=s1|span={span}]")


ACCESS = "GET /x 200 900.0ms 2B http 127.0.0.1:5"


@pytest.mark.parametrize(
    ("lines", "owners"),
    [
        ([spanned(1, "a"), stamped(1.2, "b"), spanned(1.9, ACCESS)], "000"),
        ([spanned(1, "a"), spanned(1.9, ACCESS), stamped(2, '127.0.0.1:5 - "GET /x HTTP/1.1" 200')], "000"),
        # somebody's own form, which has no span
        (["[req=r1|session=s1] first", spanned(1, "a"), "[req=r1|session=s1] b", spanned(1.9, ACCESS)], "0000"),
        # a request without a caller, which calls itself
        ([stamped(1, "a"), spanned(1.1, "b"), spanned(2.0, ACCESS), stamped(2.1, "c"),
          stamped(2.2, ACCESS.replace("900.0", "1300.0"))], "01100"),
        # two at once: to the one that began last, as long as it is open
        ([spanned(1, "a"), spanned(1.1, "b", "1" * 16), stamped(1.2, "c"),
          spanned(1.3, ACCESS.replace("900.0", "200.0"), "1" * 16), stamped(1.4, "d")], "01110"),
    ],
    ids=["one", "a server's line", "another form", "itself", "two"],
)  # fmt: skip
def test_a_line_without_a_span_joins_the_request_with_its_id(
    lines: list[str], owners: str, tmp_path: Path
) -> None:
    path = tmp_path / "app.log"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    found = told(path)
    assert [number for chunk in found.chunks for number in chunk["request"]] == [*map(int, owners)]


def test_spans_of_a_tracer_are_within_one_request(tmp_path: Path) -> None:
    """Other writers log the span that is current, and no id of a request."""
    path = tmp_path / "app.log"
    lines = [
        json.dumps(
            {
                "time": f"{DAY}T10:30:0{second}Z",
                "level": "INFO",
                "message": "x",
                "traceId": "a" * 32,
                "spanId": f"{second}{'b' * 15}",
            }
        )
        for second in range(1, 4)
    ]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert told(path).head["requests"]["lines"] == [3]


@pytest.mark.parametrize("form", FORMS)
def test_outgoing_calls_are_told(tmp_path: Path, form: str) -> None:
    """With what became of them; a service without a log of ours is known by them alone."""
    caller = Bar("front", "r1", "a" * 16, None, "", "/x", 200, 0, 0)
    answer = Bar("pay", "r1", "b" * 16, caller, "a" * 12 + "0001", "/charge", 200, 0, 0)
    calls: list[dict[str, Any]] = [
        {"method": "POST", "host": "pay.internal", "path": "/charge?card=***", "status": 200, "duration_ms": 50.0,
         "attempt": 1, "call_span_id": answer.parent_span},
        {"method": "GET", "host": "bank.example:8443", "path": "/", "error": "ConnectTimeout", "duration_ms": 1500.0,
         "attempt": 2},
    ]  # fmt: skip
    rows = [
        Line(100_000, caller, "INFO", "begins"),
        Line(100_020, answer, "INFO", "charging"),
        Line(100_060, caller, "INFO", format_outgoing(calls[0]), calls[0]),
        Line(101_570, caller, "INFO", format_outgoing(calls[1]), calls[1]),
        Line(102_000, caller, "INFO", "ends"),
    ]
    lines: dict[str, list[str]] = {"front": [], "pay": []}
    for row in rows:
        lines[row.bar.service].append(row.shown(form))
    found = told(*_written(lines, tmp_path, False))
    callee = 1 if form != "text" else -1  # which has no parent on its lines but the access line
    assert found.head["calls"] == [
        {"request": 0, "callee": callee, "start": 10, "end": 60, "title": "POST pay.internal/charge?card=***",
         "status": 200, "error": None, "attempt": 1},
        {"request": 0, "callee": -1, "start": 70, "end": 1570, "title": "GET bank.example:8443/",
         "status": None, "error": "ConnectTimeout", "attempt": 2},
    ]  # fmt: skip
    # While it calls, it waits.
    assert found.head["gaps"] == [(0, 1570, 2000)]


def test_a_page_that_follows_is_told_who_answered_an_earlier_call(tmp_path: Path) -> None:
    """The lines of the service that was called come after the one about the call."""
    caller = Bar("front", "r1", "a" * 16, None, "", "/x", 200, 0, 0)
    answer = Bar("pay", "r1", "b" * 16, caller, "a" * 12 + "0001", "/charge", 200, 0, 0)
    call = {
        "method": "POST", "host": "pay.internal", "path": "/charge", "status": 200,
        "duration_ms": 50.0, "attempt": 1, "call_span_id": answer.parent_span,
    }  # fmt: skip
    lines = {
        "front": [Line(100_060, caller, "INFO", format_outgoing(call), call).shown("json")],
        "pay": [Line(100_070, answer, "INFO", "charged").shown("json")],
    }
    paths = list(_written(lines, tmp_path, False))
    readers = [read(Log(str(path), print), number) for number, path in enumerate(paths)]
    first, second = [entry for batch in merged(readers) for entry in batch]
    followed = Model("all", [str(path) for path in paths])
    [before] = followed.news([first])
    assert [each["callee"] for each in before["calls"]] == [-1]
    [after] = followed.news([second])
    followed.close()
    assert (before["answered"], after["calls"], after["answered"]) == ([], [], [(0, 1)])


# -- blank lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["before", "after"])
def test_blank_lines_have_no_say_in_the_axis(tmp_path: Path, where: str) -> None:
    """A log of blank lines alone has the time of its file, far from the other logs' times."""
    other, blank = tmp_path / "front.log", tmp_path / "pay.log"
    first = tmp_path / "stock.log"
    other.write_text(f"{stamped(1, 'a')}\n\n  \n{stamped(2, 'b')}\n\n", encoding="utf-8")
    first.write_text(f"\n \n{stamped(1.5, 'c', 'r2')}\n", encoding="utf-8")
    blank.write_text("\n" * 5 + "   \n", encoding="utf-8")
    when = 1_000_000_000 if where == "before" else 1_900_000_000
    os.utime(blank, (when, when))
    found = told(other, blank, first)
    assert set(found.times) == {0, 0.5, 1}
    assert found.head["base"] % 3_600_000 == 30 * 60_000 + 1_000
    # And each line is in an entry.
    assert sum(text.count("\n") + 1 for text in found.messages) == 5 + 6 + 3
    alone = told(blank)
    assert (len(alone.times), set(alone.times)) == (1, {0})


def test_blank_lines_that_came_first_do_not_begin_the_axis() -> None:
    """Also where they were all that there was, unless a page has been made of them."""
    model = Model("all", ["a"])
    blank = Entry(5.0, 0, "", "", "\n", 0, None, 0)
    line = Entry(3_600_000.0, 2, "r1", "s1", "x", 0, None, 0)
    model.add([blank])
    model.add([line])
    assert (model.trace().head["base"], Told.of(model.trace()).times) == (3_600_000, [0, 0])
    model.close()
    followed = Model("all", ["a"])
    followed.add([blank])
    assert followed.trace().head["base"] == 5
    [news] = followed.news([line])
    assert news["chunk"]["t"] == [3_599_995]
    followed.close()


# -- services --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "services"),
    [
        (["front.log", "stock.log"], ["front", "stock"]),
        (["front.log.1", "front.log", "stock.log.2.gz"], ["front", "front", "stock"]),
        (["front-20261122.log", "front.2026-11-22.log", "pay.json"], ["front", "front", "pay"]),
        (["front-worker-1.log", "front_worker-2.log", "pay.12.log"], ["front", "front", "pay"]),
        (["app.log"], [""]),
        (["app.log", "access.log", "error.log.1"], ["", "", ""]),
        (["shop.access.log", "shop.error.log"], ["", ""]),
        (["/logs/front/app.log", "/logs/stock/app.log"], ["front", "stock"]),
        (["/pods/shop_a-0_1f/front/0.log", "/pods/shop_b-0_2f/stock/1.log"], ["front", "stock"]),
        ([f"a-0_shop_front-{'0' * 64}.log", f"b-0_shop_stock-{'0' * 64}.log"], ["front", "stock"]),
        (["standard input"], [""]),
    ],
)
def test_a_service_is_told_by_the_name_of_its_log(names: list[str], services: list[str]) -> None:
    """Where its lines do not name it; rotated logs and workers are of one service."""
    assert services_of_files(names) == services


def test_a_service_in_its_lines_is_that_of_the_other_lines_of_its_log(tmp_path: Path) -> None:
    """Such as a server's, in text; and of a container, whatever it is called."""
    record = Record(f"{DAY}T10:30:01.000Z", "INFO", "x", "x", "r1", service="shop")
    line = format_json(record)
    text = f"{DAY} 10:30:01.100Z - INFO - [req=r1|session=s1] - x"
    for name, lines in {
        "plain": [line, text],
        "compose": [f"web-1  | {line}", f"web-1  | {text}"],
    }.items():
        path = tmp_path / f"{name}.log"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        found = told(path)
        assert found.head["services"][-1] == "shop"
        assert {found.head["services"][chunk["service"]] for chunk in found.chunks} == {"shop"}
        assert found.head["requests"]["lines"] == [2]


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("Order 17 failed after 3.5 s", "Order # failed after # s"),
        ("Order 18 failed after 1,200 s", "Order # failed after # s"),
        ("no user f3e2a5c40d16b978855bbc1ab4e3b25a", "no user …"),
        ("no user 0f8fad5b-d9cb-469f-a165-70867728950e", "no user …"),
        ("KeyError: 'bulb'", "KeyError: '…'"),
        ('no "big bulb" left', 'no "…" left'),
        ("can't reach the bank's host", "can't reach the bank's host"),
        ("<Task at 0x7f3a2c>", "<Task at …>"),
        ("10.0.0.7:5432 refused, [2001:db8::1]:80 too", "… refused, … too"),
        ("mail to bob@example.com bounced", "mail to … bounced"),
        ("HTTP 503 from pay", "HTTP # from pay"),
        ("deadbeef facade", "deadbeef facade"),
        ("cart cart_01HZX3J8Q2YV7 is gone", "cart … is gone"),
        ("", ""),
    ],
)
def test_a_template_has_nothing_that_varies(message: str, template: str) -> None:
    assert template_of(message) == template


TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\n'


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("x", None),
        (f"failed\n{TRACEBACK}KeyError: 'bulb'", "KeyError: 'bulb'"),
        (f"{TRACEBACK}shop.errors.NoStock", "shop.errors.NoStock"),
        (
            f"{TRACEBACK}ValueError: one\n\nDuring handling of the above exception, another exception occurred:\n\n"
            f"{TRACEBACK}RuntimeError: two",
            "RuntimeError: two",
        ),
        (f"{TRACEBACK}ValueError: first\nhint: look there\n  and there", "ValueError: first"),
        (
            '  + Exception Group Traceback (most recent call last):\n  |   File "a.py", line 1, in f\n  |     f()\n'
            "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n"
            "  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n"
            '    |   File "a.py", line 1, in g\n    | ValueError: inner\n    +------------------------------------',
            "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        ),
    ],
    ids=["none", "one", "bare", "chained", "several lines", "a group"],
)
def test_a_traceback_is_summed_up_by_its_last_exception(text: str, summary: str | None) -> None:
    assert summary_of(text) == summary


def test_templates_are_bounded() -> None:
    """What is beyond the most shares one."""
    templates = Templates()
    for number in range(3000):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        templates.number_of(f"failed {word}")
    assert len(templates.texts) == 2001
    assert templates.texts[-1] == OTHERS
    assert templates.texts[templates.number_of("failed b")] == "failed b"


def test_errors_are_told_by_template(tmp_path: Path) -> None:
    """Those of a request and others, wherever the message begins."""
    path = tmp_path / "app.log"
    lines: Sequence[str] = (
        stamped(1, "Order 17 failed", level="ERROR"),
        stamped(2, "fine 😀"),
        stamped(3, "😀 Order 18 failed", level="ERROR"),
        stamped(4, "Order 19 failed", "none", "none", level="CRITICAL"),
        stamped(5, "boom", level="ERROR"),
        *(
            stamped(5, line, level="ERROR").replace("] - ", "] | ")
            for line in f"{TRACEBACK}KeyError: 5".split("\n")
        ),
    )
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    found = told(path)
    assert found.head["templates"] == ["Order # failed", "😀 Order # failed", "KeyError: #"]
    assert found.chunks[0]["errors"] == [[0, 0], [2, 1], [3, 0], [4, 2]]
