"""Lines for programs: JSON and logfmt."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    RequestTracingFilter,
    bound_request_metadata,
)
from asgi_trace._core.lines import parse

ALICE = RequestMetadata("1234567890abcdef", "a1b2c3d4")


def record(message: Any = "hello", *args: Any, **attributes: Any) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.INFO, "shop.py", 7, message, args, None)
    made.created, made.msecs = 1705314615.25, 250.0
    vars(made).update(attributes)
    return made


@pytest.mark.parametrize("formatter", [JSONFormatter(), LogfmtFormatter()])
def test_one_line_with_all_that_is_known(formatter: logging.Formatter) -> None:
    """
    The session whole, the filter's short one beside it notwithstanding; extra fields as they were
    given.
    """
    made = record("to %s", "Alice", user=7, tags=["a", "b"])
    with bound_request_metadata(ALICE):
        RequestTracingFilter().filter(made)
        line = formatter.format(made)
    found = parse(line)
    assert found is not None
    assert found[:8] == (
        "2024-01-15T10:30:15.250Z",
        "INFO",
        "shop",
        "to Alice",
        "a1b2c3d4",
        "1234567890abcdef",
        ALICE.trace_id,
        ALICE.span_id,
    )
    assert {name: str(value) for name, value in found.extra.items()} == {
        "user": "7",
        "tags": "['a', 'b']"
        if isinstance(formatter, JSONFormatter) and type(formatter) is JSONFormatter
        else '["a", "b"]',
    }
    assert "\n" not in line


def test_outside_a_request_there_are_no_ids() -> None:
    assert json.loads(JSONFormatter().format(record())) == {
        "timestamp": "2024-01-15T10:30:15.250Z",
        "level": "INFO",
        "logger": "shop",
        "message": "hello",
    }


def test_an_exception_is_structured() -> None:
    """Type, message and stack trace, each to search for by itself."""
    try:
        raise KeyError("bulb")
    except KeyError as exc:
        made = record(exc_info=(type(exc), exc, exc.__traceback__))
    found = json.loads(JSONFormatter().format(made))["exception"]
    assert (found["type"], found["message"]) == ("KeyError", "'bulb'")
    assert found["stacktrace"].startswith("Traceback (most recent call last):\n")
    assert found["stacktrace"].endswith("KeyError: 'bulb'")


def test_a_stack_is_kept() -> None:
    found = json.loads(
        JSONFormatter().format(record(stack_info="Stack (most recent call last):\n  here"))
    )
    assert found["exception"] == {"stacktrace": "Stack (most recent call last):\n  here"}


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def _endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("formatter", [JSONFormatter(), LogfmtFormatter()])
@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"\xff",
        {1: 2},
        {(1, 2): 3},
        {1, 2},
        float("nan"),
        float("inf"),
        1j,
        _endless(),
        Hostile(),
        [Hostile()],
        "\ud800",
        10**5000,
    ],
    ids=range(13),
)
def test_any_object_can_be_written(formatter: logging.Formatter, value: Any) -> None:
    """As its str() where JSON has no form for it; in a field, as the message, or as an argument."""
    for made in (record("x", field=value), record(value), record("%s", value)):
        line = formatter.format(made)
        assert "\n" not in line
        assert line.isprintable()
        assert parse(line) is not None


def test_arguments_that_do_not_fit_lose_no_line() -> None:
    assert (
        json.loads(JSONFormatter().format(record("%d items", "x")))["message"] == "%d items ('x',)"
    )


@given(
    st.text(),
    st.dictionaries(
        st.text(min_size=1), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))
    ),
)
def test_what_was_logged_can_be_read_back(message: str, extra: dict[str, Any]) -> None:
    """
    Any message and any fields whose names are not taken; surrogate pairs side by side are one
    character to JSON.
    """
    own = {*vars(record()), "message", "asctime"}  # logging refuses these two as well
    extra = {
        name: value for name, value in extra.items() if name not in own and not name.startswith("_")
    }
    found = parse(JSONFormatter().format(record("%s", message, **extra)))
    assert found is not None
    assert found.message == json.loads(json.dumps(message))


@pytest.mark.parametrize("formatter", ["asgi_trace.JSONFormatter", "asgi_trace.LogfmtFormatter"])
def test_they_work_from_dict_config(formatter: str, capsys: pytest.CaptureFixture[str]) -> None:
    import logging.config

    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"ours": {"()": formatter}},
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "formatter": "ours",
                    "stream": "ext://sys.stdout",
                }
            },
            "loggers": {"only.here": {"handlers": ["out"], "level": "INFO", "propagate": False}},
        }
    )
    with bound_request_metadata(ALICE):
        logging.getLogger("only.here").info("hello")
    found = parse(capsys.readouterr().out.rstrip("\n"))
    assert found is not None
    assert (found.message, found.request_id) == ("hello", "a1b2c3d4")
