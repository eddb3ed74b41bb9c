"""The front door: what it offers, and that each of it says what it promises."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterable
from importlib.metadata import metadata

import pytest

import asgi_trace

CALLABLES = [name for name in asgi_trace.__all__ if callable(getattr(asgi_trace, name))]


def test_all_is_sorted_and_there() -> None:
    assert list(asgi_trace.__all__) == sorted(asgi_trace.__all__)
    assert all(hasattr(asgi_trace, name) for name in asgi_trace.__all__)


@pytest.mark.parametrize("name", CALLABLES)
def test_each_name_is_documented(name: str) -> None:
    """A promise, when it was added, and every parameter that it takes."""
    public = getattr(asgi_trace, name)
    text = inspect.getdoc(public) or ""
    assert ".. versionadded::" in text
    parameters: Iterable[inspect.Parameter] = inspect.signature(public).parameters.values()
    if getattr(public, "__init__", None) is logging.Formatter.__init__:
        parameters = ()  # inherited whole
    named = {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
    # The standard library's own, which logging.Formatter documents.
    named -= {"validate", "defaults"} if public is asgi_trace.TextFormatter else set()
    assert {each for each in named if not re.search(rf":param {each}:|\*{each}\*", text)} == set()


def test_the_package_depends_on_nothing() -> None:
    """Every requirement is an extra's."""
    requirements = metadata("asgi-trace").get_all("Requires-Dist") or []
    assert [each for each in requirements if "extra ==" not in each] == []


def test_the_version_is_the_packages() -> None:
    assert metadata("asgi-trace")["Version"] == asgi_trace.__version__
