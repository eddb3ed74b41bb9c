"""The guide for contributors names files, directories and functions that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", GUIDE)))
FILES = [name for name in QUOTED if re.fullmatch(r"[\w/.]+\.py", name)]
DIRECTORIES = [name for name in QUOTED if re.fullmatch(r"[\w/]+/", name)]


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_there(name: str) -> None:
    assert [*(ROOT / "asgi_trace").rglob(name), *(ROOT / "tests").parent.glob(name)]


@pytest.mark.parametrize("name", DIRECTORIES)
def test_each_directory_is_there(name: str) -> None:
    assert (ROOT / name).is_dir() or (ROOT / "tests" / name).is_dir()


def test_the_table_has_every_private_package() -> None:
    """In the order in which imports go."""
    packages = re.findall(r"^\| `(_\w+)` \|", GUIDE, re.MULTILINE)
    assert packages == ["_core", "_logging", "_outgoing", "_mcp", "_otel", "_cli", "_plugin"]
    assert {path.name for path in (ROOT / "asgi_trace").glob("_[a-z]*")} == set(packages)


def test_the_table_has_every_directory_of_the_tests() -> None:
    """Those in ``unit`` too."""
    table = GUIDE.split("### Tests")[1].split("###")[0]
    named = re.findall(r"`([\w/]+)/`", table)
    tests = ROOT / "tests"
    directories = [*tests.glob("[a-z]*/"), *tests.glob("unit/[a-z]*/")]
    expected = {path.relative_to(tests).as_posix() for path in directories if path.is_dir()}
    assert sorted(named) == sorted(expected - {"unit"})
