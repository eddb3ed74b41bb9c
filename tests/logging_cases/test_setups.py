"""
Every line once, with its ids, in the logging set-ups that programs have.

The yardstick is the same program without asgi_trace: each line as often, in the same files.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from .play import MODES, REQUEST
from .setups import SETUPS, Setup

CELLS = [
    (name, mode)
    for name, setup in SETUPS.items()
    for mode in MODES
    if mode != "plain" and (mode != "before" or setup.late)
]
CONFIGURED = ("after", "before", "run")
MARK = re.compile(r"<(?:in|out) [\w.]+ \d+>")
IDS = (REQUEST.request_id, REQUEST.session_id)
OURS = "stderr"  # where our own handler writes

Written = dict[str, dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def written() -> Written:
    """What each set-up wrote in each mode, by file."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.logging_cases.play"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def lines_of(files: dict[str, str]) -> list[tuple[str, str, str]]:
    """The lines that carry a mark: the mark, the file and the line."""
    found = []
    for name, text in files.items():
        for line in text.splitlines():
            if match := MARK.search(line):
                found.append((match[0], name, line))
    return found


def expected_lines(setup: Setup, mode: str, plain: dict[str, str]) -> Counter[tuple[str, str]]:
    """How often each marked line is to be in each file."""
    expected = Counter((mark, file) for mark, file, _ in lines_of(plain))
    if setup.bare and mode in CONFIGURED:
        elsewhere = {mark for mark, file in expected if file != OURS}
        marks = (
            f"<{where} {name} {level}>"
            for where in ("in", "out")
            for name in setup.loggers
            for level in (20, 30)
        )
        expected.update(
            {
                (mark, OURS): 1
                for mark in marks
                if mark not in elsewhere and (mark, OURS) not in expected
            }
        )
    return expected


@pytest.mark.parametrize(("name", "mode"), CELLS)
def test_every_line_is_written_as_often_as_without_us(
    written: Written, name: str, mode: str
) -> None:
    """
    On the same handlers; a line that no handler of the program writes is written once, on standard
    error.
    """
    plain, files = written[name]["plain"], written[name][mode]
    assert (files["exit code"], "Logging error" in files["stderr"]) == ("0", False), files["stderr"]
    expected = expected_lines(SETUPS[name], mode, plain)
    found = Counter((mark, file) for mark, file, _ in lines_of(files))
    if mode == "before":
        # Our handler was there first, and programs that add to the root logger have it beside their
        # own.
        found = Counter(
            {key: count for key, count in found.items() if key[1] != OURS or key in expected}
        )
    assert found == expected


@pytest.mark.parametrize(("name", "mode"), CELLS)
def test_every_line_has_its_ids(written: Written, name: str, mode: str) -> None:
    """Those of its request, once, and outside of requests no one's."""
    setup = SETUPS[name]
    for mark, file, line in lines_of(written[name][mode]):
        shown = setup.shows or (mode in CONFIGURED and (setup.ids or file == OURS))
        counts = tuple(line.count(each) for each in IDS)
        assert counts == ((1, 1) if shown and mark.startswith("<in") else (0, 0)), line


@pytest.mark.parametrize(("name", "mode"), CELLS)
def test_a_form_of_the_programs_own_stays(written: Written, name: str, mode: str) -> None:
    """And shows nothing that is private."""
    form, plain = SETUPS[name].form, written[name]["plain"]
    for mark, file, line in lines_of(written[name][mode]):
        assert "_asgi_trace" not in line
        if (
            form is None
            or not any((mark, file) == each[:2] for each in lines_of(plain))
            or file == OURS
        ):
            continue
        if form == "json":
            assert [key for key in json.loads(line) if key.startswith("_")] == []
        else:
            assert re.search(form, line), line


@pytest.mark.parametrize(("name", "mode"), [cell for cell in CELLS if cell[1] in ("stamp", "keep")])
def test_stamping_alone_changes_no_line(written: Written, name: str, mode: str) -> None:
    """Where the program's own format does not show the ids."""
    if SETUPS[name].shows or name == "Rich":  # whose lines have the time of day
        assert lines_of(written[name][mode]) != []
        return
    assert without_times(written[name][mode]) == without_times(written[name]["plain"])


def without_times(files: dict[str, str]) -> list[tuple[str, str, str]]:
    return sorted(
        (mark, file, re.sub(r"\d\d:\d\d:\d\d,\d{3}", "", line))
        for mark, file, line in lines_of(files)
    )


@pytest.mark.parametrize(
    ("name", "mode"), [cell for cell in CELLS if SETUPS[cell[0]].is_text and cell[1] in CONFIGURED]
)
def test_every_line_of_a_traceback_has_the_ids(written: Written, name: str, mode: str) -> None:
    """Where the form is ours or a standard one."""
    tracebacks = 0
    for file, text in written[name][mode].items():
        lines = text.splitlines()
        starts = [index for index, line in enumerate(lines) if "<failed>" in line]
        for start in starts:
            end = next(index for index in range(start, len(lines)) if "KeyError: " in lines[index])
            assert end - start >= 3
            assert [
                line for line in lines[start : end + 1] if not all(each in line for each in IDS)
            ] == [], file
            tracebacks += 1
    assert tracebacks >= 1
