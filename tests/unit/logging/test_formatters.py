"""Lines for programs: JSON and logfmt."""

from __future__ import annotations

import json
import logging
import logging.config
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace import (
    JSONFormatter,
    LogfmtFormatter,
    RequestMetadata,
    RequestTracingFilter,
    RequestTracingMiddleware,
    TextFormatter,
    TraceContext,
    bound_request_metadata,
    configure_logging,
    stamp_records,
)
from asgi_trace._core.lines import parse
from asgi_trace._logging.setup import undo

from ...asgi import hello, http_scope, step

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
    # Logging refuses the next two as well, and a field with the name of a method would hide it.
    own = {*vars(record()), "message", "asctime", "getMessage"}
    extra = {
        name: value for name, value in extra.items() if name not in own and not name.startswith("_")
    }
    found = parse(JSONFormatter().format(record("%s", message, **extra)))
    assert found is not None
    assert found.message == json.loads(json.dumps(message))


@pytest.mark.parametrize("formatter", ["asgi_trace.JSONFormatter", "asgi_trace.LogfmtFormatter"])
def test_they_work_from_dict_config(formatter: str, capsys: pytest.CaptureFixture[str]) -> None:
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


# -- fields of the program -----------------------------------------------------------------------


@pytest.fixture
def tenant() -> RequestMetadata:
    metadata = RequestMetadata("alice", "a1")
    metadata.fields.update(
        {"tenant": "acme", "level": "gold", "name": "n", "seats": 7, "odd": "a]b|c\nd"}
    )
    return metadata


def test_text_shows_the_fields_that_it_is_told_to(tenant: RequestMetadata) -> None:
    """Behind the ids, on each line; a request that has none of them has none on its lines."""
    formatter = TextFormatter(datefmt="9", fields=("tenant", "name", "odd", "missing"))
    with bound_request_metadata(tenant):
        text = formatter.format(record("one\ntwo"))
    ids = r"[req=a1|session=alice|tenant=acme|name=n|odd=a\x5db\x7cc\x0ad]"
    assert text == f"9 - INFO - {ids} - one\n9 - INFO - {ids} | two"
    found = parse(text)
    assert found is not None
    assert found.extra == {"tenant": "acme", "name": "n", "odd": "a]b|c\nd"}
    with bound_request_metadata(ALICE):
        assert formatter.format(record()) == "9 - INFO - [req=a1b2c3d4|session=12345678] - hello"
    assert formatter.format(record()) == "9 - INFO - [req=none|session=none] - hello"


def test_fields_that_change_are_shown_as_they_are(tenant: RequestMetadata) -> None:
    formatter = TextFormatter(datefmt="9", fields=("tenant",))
    lines = []
    with bound_request_metadata(tenant):
        for name in ("acme", "other"):
            tenant.fields["tenant"] = name
            lines.append(formatter.format(record()))
    assert [line.split("|")[2] for line in lines] == [
        "tenant=acme] - hello",
        "tenant=other] - hello",
    ]


def test_a_traced_callers_request_shows_its_span() -> None:
    """Before the fields; what has no caller shows none."""
    metadata = RequestMetadata("alice", "a1")
    metadata.trace = TraceContext(
        "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1, "00f067aa0ba902b7"
    )
    metadata.fields["tenant"] = "acme"
    with bound_request_metadata(metadata):
        text = TextFormatter(datefmt="9", fields=("tenant",)).format(record())
        named = json.loads(JSONFormatter().format(record()))
    assert text == "9 - INFO - [req=a1|session=alice|span=b7ad6b7169203331|tenant=acme] - hello"
    assert (named["span_id"], named["parent_span_id"]) == ("b7ad6b7169203331", "00f067aa0ba902b7")


def test_colors_leave_the_fields_alone(tenant: RequestMetadata) -> None:
    with bound_request_metadata(tenant):
        text = TextFormatter(datefmt="9", fields=("tenant",), color=True).format(record())
    assert re.fullmatch(
        r"9 - INFO - \[req=\x1b\S+a1\x1b\S+\|session=\x1b\S+alice\x1b\[0m\|tenant=acme\] - hello",
        text,
    )


def test_a_text_of_ones_own_may_name_fields(tenant: RequestMetadata) -> None:
    """And cannot be broken by what they hold."""
    with bound_request_metadata(tenant):
        text = TextFormatter("%(tenant)s %(seats)d %(odd)s %(message)s").format(record())
    assert text == r"acme 7 a]b|c\x0ad hello"


class Hostile:
    """As a proxy whose object is gone: even its class cannot be asked for."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("gone")


def test_a_text_of_ones_own_bears_any_field() -> None:
    metadata = RequestMetadata("alice", "a1")
    metadata.fields["proxy"] = Hostile()
    with bound_request_metadata(metadata):
        assert TextFormatter("%(request_id)s %(message)s").format(record()) == "a1 hello"


@pytest.mark.parametrize("formatter", [JSONFormatter(), LogfmtFormatter()])
def test_named_forms_show_every_field(
    formatter: logging.Formatter, tenant: RequestMetadata
) -> None:
    """By its name; one with a name of ours has a ``_`` behind it, as a field of ``extra=`` has."""
    with bound_request_metadata(tenant):
        line = formatter.format(record(timestamp="mine"))
    found = parse(line)
    assert found is not None
    assert {name: str(value) for name, value in found.extra.items()} == {
        **{name: str(value) for name, value in tenant.fields.items()},
        "timestamp": "mine",
    }
    for name in ("tenant", "level_", "name", "seats", "timestamp_"):
        assert f'"{name}": ' in line or f" {name}=" in line


def test_an_access_line_has_the_fields(caplog: pytest.LogCaptureFixture) -> None:
    """As any other record of the request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["asgi_trace"].fields.update({"tenant": "acme", "path": "the program's"})
        await hello(scope, receive, send)

    stamp_records()
    with caplog.at_level(logging.INFO):
        step(RequestTracingMiddleware(app, access_log=True), http_scope(path="/caf\xe9"))
    found = json.loads(JSONFormatter().format(caplog.records[-1]))
    assert (found["tenant"], found["path"], found["status"]) == ("acme", "/caf\xe9", 200)
    assert found["message"].startswith("GET /caf%C3%A9 200 ")


def test_an_access_line_outlives_a_record_factory_with_its_names(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """logging refuses a field of ``extra=`` that a record has already."""
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = before(*args, **kwargs)
        made.path = "the program's"
        return made

    logging.setLogRecordFactory(factory)
    try:
        with caplog.at_level(logging.INFO):
            step(RequestTracingMiddleware(hello, access_log=True), http_scope(path="/shop"))
    finally:
        logging.setLogRecordFactory(before)
    assert [each.getMessage()[:14] for each in caplog.records] == ["GET /shop 200 "]


@pytest.mark.parametrize("fields", ["tenant", "", 5, None])
def test_a_name_alone_is_no_sequence_of_names(fields: Any) -> None:
    with pytest.raises(ValueError, match=rf"fields is {fields!r}; expected a sequence of names"):
        TextFormatter(fields=fields)


# -- names of others -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [JSONFormatter, LogfmtFormatter])
@pytest.mark.parametrize("names", ["ecs", "gcp", "datadog", "otel"])
def test_lines_with_the_names_of_a_store_are_read_back(make: Any, names: Any) -> None:
    made = record(tenant="acme")
    try:
        raise KeyError("bulb")
    except KeyError as exc:
        made.exc_info = (type(exc), exc, exc.__traceback__)
    with bound_request_metadata(ALICE):
        ours, theirs = make().format(made), make(names=names).format(made)
    assert ours != theirs
    assert parse(ours) == parse(theirs)


def test_google_finds_the_trace_in_its_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the variable names one; grep finds the bare id all the same."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop-1")
    formatter = JSONFormatter(names="gcp")
    with bound_request_metadata(ALICE):
        line = formatter.format(record())
    name = "logging.googleapis.com/trace"
    assert json.loads(line)[name] == f"projects/shop-1/traces/{ALICE.trace_id}"
    found = parse(line)
    assert found is not None
    assert found.trace_id == ALICE.trace_id
    assert name not in json.loads(formatter.format(record()))


def test_names_come_from_a_configuration_too(capsys: pytest.CaptureFixture[str]) -> None:
    handler = {"class": "logging.StreamHandler", "formatter": "ecs", "stream": "ext://sys.stdout"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "ecs": {
                    "()": "asgi_trace.JSONFormatter",
                    "names": "ecs",
                    "rename": {"request_id": "rid"},
                }
            },
            "handlers": {"out": handler},
            "loggers": {"only.here": {"handlers": ["out"], "level": "INFO", "propagate": False}},
        }
    )
    with bound_request_metadata(ALICE):
        logging.getLogger("only.here").info("hello")
    found = json.loads(capsys.readouterr().out)
    assert (found["log.level"], found["rid"], found["session.id"]) == (
        "INFO",
        "a1b2c3d4",
        "1234567890abcdef",
    )


@pytest.mark.parametrize("make", [JSONFormatter, LogfmtFormatter])
def test_a_service_is_named_on_each_line(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard's variable, or by configure_logging(), which outranks it."""

    def service() -> str:
        found = parse(make().format(record()))
        assert found is not None
        return found.service

    assert service() == ""
    undo()
    monkeypatch.setenv("OTEL_SERVICE_NAME", " front ")
    assert service() == "front"
    configure_logging(service="back")
    assert service() == "back"
    assert json.loads(JSONFormatter(names="ecs").format(record()))["service.name"] == "back"
