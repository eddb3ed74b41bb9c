"""A test is marked by what it starts; each of these looks at its own marks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests import serving


def marks_of(request: pytest.FixtureRequest) -> set[str]:
    return {mark.name for mark in request.node.iter_markers()} & {"browser", "servers", "processes"}


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout


class Base:
    """Starts a process in a method."""

    def __str__(self) -> str:
        return python("print(42)")


class Answer(Base):
    pass


@contextmanager
def answering() -> Iterator[str]:
    yield str(Answer())


@pytest.fixture
def answer() -> str:
    return str(Answer())


def test_nothing_that_is_started_is_no_mark(request: pytest.FixtureRequest) -> None:
    assert marks_of(request) == set()


def test_a_process_is_found_in_a_base_class_behind_a_context_manager(
    request: pytest.FixtureRequest,
) -> None:
    with answering() as answer:
        assert answer == "42\n"
    assert marks_of(request) == {"processes"}


def test_a_process_is_found_in_a_fixture(request: pytest.FixtureRequest, answer: str) -> None:
    assert answer == "42\n"
    assert marks_of(request) == {"processes"}


@pytest.mark.parametrize("run", [python])
def test_a_process_is_found_in_a_parameter(
    request: pytest.FixtureRequest, run: Callable[[str], str]
) -> None:
    assert run("print(42)") == "42\n"
    assert marks_of(request) == {"processes"}


def test_a_process_is_found_in_a_nested_function(request: pytest.FixtureRequest) -> None:
    def nested() -> str:
        return python("print(42)")

    assert nested() == "42\n"
    assert marks_of(request) == {"processes"}


def test_a_reserved_port_is_for_a_server(request: pytest.FixtureRequest) -> None:
    """Also where a module of the tests is named, and not the function."""
    with serving.reserved_port() as port:
        assert port > 0
    assert marks_of(request) == {"servers"}
