"""
Three real services under uvicorn, each with a log of its own: what the page shows is what they did.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.serving import reserved_port
from tests.unit.cli.test_viewer_services import told
from tests.viewer import Told

from .test_commands import Command

ROLES = ("front", "stock", "pay")
PURCHASES = 6
APP = (
    f"{sys.executable} -m uvicorn --port {{port}} --no-access-log tests.launched.apps.purchase:app"
)


@pytest.fixture(scope="module", params=["text", "json", "logfmt"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log of each service and what they really did, after some purchases at once."""
    folder: Path = tmp_path_factory.mktemp(f"purchase-{request.param}")
    with contextlib.ExitStack() as stack:
        ports = {role: stack.enter_context(reserved_port()) for role in ROLES}
        variables = {
            "FORM": request.param,
            "TRUTH": str(folder / "truth"),
            "STOCK": f"http://127.0.0.1:{ports['stock']}",
            "PAY": f"http://127.0.0.1:{ports['pay']}",
        }
        services = {}
        for role in ROLES:
            (folder / role).mkdir()
            service = Command(APP, folder / role, ports[role], {**variables, "ROLE": role})
            stack.callback(service.stop, all_processes=False)
            services[role] = service
        for service in services.values():
            assert service.get("/up").status_code == 200

        def buy(number: int) -> int:
            url = f"http://127.0.0.1:{ports['front']}/buy?fail={number % 2}"
            return httpx.post(url, timeout=60, trust_env=False).status_code

        with ThreadPoolExecutor(PURCHASES) as pool:
            assert sorted(pool.map(buy, range(PURCHASES))) == [200, 200, 200, 502, 502, 502]
    for role in ROLES:
        (folder / role / "output.txt").rename(folder / f"{role}.log")
    return folder


def as_files(folder: Path) -> Told:
    return told(*(folder / f"{role}.log" for role in ROLES))


def as_one(folder: Path) -> Told:
    """As Docker Compose shows them."""
    path = folder / "compose.log"
    lines = [
        f"{role}-1  | {line}"
        for role in ROLES
        for line in (folder / f"{role}.log").read_text().splitlines()
    ]
    # Compose shows the lines of all in about their order.
    stamp = re.compile(r"\d\d:\d\d:\d\d\.\d{3}")
    known = ""
    rows: list[tuple[str, str]] = []
    for line in lines:
        found = stamp.search(line)
        known = found[0] if found else known
        rows.append((known, line))
    rows.sort(key=lambda row: row[0])
    path.write_text("\n".join([*(line for _, line in rows), ""]), encoding="utf-8")
    return told(path)


def lines_of(found: Told) -> Iterator[tuple[str, int, str]]:
    """Yield each line's message, and the request and service where it is shown."""
    messages = iter(found.messages)
    for chunk in found.chunks:
        services = chunk["service"]
        if isinstance(services, int):
            services = [services] * len(chunk["t"])
        for number, service in zip(chunk["request"], services, strict=True):
            name = found.head["services"][service] if service >= 0 else ""
            yield next(messages), number, name


@pytest.mark.parametrize("arrange", [as_files, as_one])
def test_the_page_shows_what_the_services_did(folder: Path, arrange: object) -> None:
    """Each request, status, error, call and line is where it belongs."""
    assert callable(arrange)
    found: Told = arrange(folder)
    truth = [json.loads(line) for line in (folder / "truth").read_text().splitlines()]
    by_span = {row["span"]: row for row in truth}
    assert len(truth) == len(by_span) == 4 * PURCHASES
    bars: dict[str, int] = {}
    counts: Counter[int] = Counter()
    for message, number, service in lines_of(found):
        counts[number] += 1
        mark = re.search(r"mark-([0-9a-f]{16})", message)
        if mark is not None:
            row = by_span[mark[1]]
            assert bars.setdefault(mark[1], number) == number
            assert service == row["service"]
    assert len(set(bars.values())) == len(bars) == len(truth)
    columns = found.head["requests"]
    assert len(columns["id"]) == len(truth)
    for span, number in bars.items():
        row, request = by_span[span], found.request(number)
        shown = (request["id"], request["path"].partition("?")[0], request["status"])
        assert shown == (row["request"], row["path"], row["status"])
        assert found.head["services"][request["service"]] == row["service"]
        assert request["late"] == 0
        assert counts[number] == request["lines"]
        is_failure = row["status"] >= 500
        assert request["level"] == (4 if is_failure else 2)
        if row["path"] == "/buy":
            assert request["parent"] == -1
        else:
            caller = found.request(request["parent"])
            assert (caller["id"], caller["path"].partition("?")[0]) == (row["request"], "/buy")
    # The lines about calls are at the caller, and lead to the callee.
    calls = [line for line in lines_of(found) if line[0].startswith("-> ")]
    assert len(calls) == len(found.head["calls"]) == 3 * PURCHASES
    assert all(columns["path"][number].startswith("/buy") for _, number, _ in calls)
    for call in found.head["calls"]:
        callee = found.request(call["callee"])
        assert callee["parent"] == call["request"]
        assert callee["status"] == call["status"]
        assert callee["path"].partition("?")[0] in call["title"]
    assert sorted(found.head["templates"])[0].startswith("Charge failed")
    assert found.head["notes"] == []
