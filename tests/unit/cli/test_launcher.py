"""Servers' command lines: where the app is in them, and what ``asgi-trace run`` makes of them."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import granian.cli
import gunicorn.config
import hypercorn.__main__
import pytest

from asgi_trace._cli.environment import LauncherError
from asgi_trace._cli.run import SERVERS, plan

T = "asgi_trace.auto:app"
HERE = Path.cwd().resolve().as_posix()

# A command line, what becomes of it, and the app that is loaded.
COMMANDS = [
    ("uvicorn shop:app", f"uvicorn {T}", "shop:app"),
    ("uvicorn shop:app --port 8000", f"uvicorn {T} --port 8000", "shop:app"),
    ("uvicorn --port 8000 pkg.shop:api.app", f"uvicorn --port 8000 {T}", "pkg.shop:api.app"),
    ("uvicorn --reload shop:app", f"uvicorn --reload {T}", "shop:app"),
    ("uvicorn --host=::1 shop:app", f"uvicorn --host=::1 {T}", "shop:app"),
    ("uvicorn --header server:me shop:app", f"uvicorn --header server:me {T}", "shop:app"),
    ("uvicorn --loop own.loops:make shop:app", f"uvicorn --loop own.loops:make {T}", "shop:app"),
    (
        "uvicorn --no-access-log shop:app --app-dir src",
        f"uvicorn --no-access-log {T} --app-dir src",
        "shop:app",
    ),
    ("uvicorn --some-new-option a:b shop:app", f"uvicorn --some-new-option a:b {T}", "shop:app"),
    ("uvicorn --port 80 -- shop:app", f"uvicorn --port 80 -- {T}", "shop:app"),
    ("uvicorn shop", f"uvicorn {T}", "shop"),
    ("hypercorn shop", f"hypercorn {T}", "shop:app"),
    ("hypercorn -w2 shop:app", f"hypercorn -w2 {T}", "shop:app"),
    ("hypercorn -w 2 -k trio shop:app", f"hypercorn -w 2 -k trio {T}", "shop:app"),
    ("hypercorn -b localhost:8000 shop:app", f"hypercorn -b localhost:8000 {T}", "shop:app"),
    ("hypercorn -Dw 2 shop:app", f"hypercorn -Dw 2 {T}", "shop:app"),
    ("hypercorn asgi:shop:app", f"hypercorn {T}", "shop:app"),
    ("hypercorn shop:make_app('x')", f"hypercorn {T}", "shop:make_app('x')"),
    ("hypercorn src/shop:app", f"hypercorn {T}", f"{HERE}/src/shop:app"),
    ("hypercorn src/shop.py", f"hypercorn {T}", f"{HERE}/src/shop:app"),
    ("hypercorn asgi_trace/demo:shop", f"hypercorn {T}", f"{HERE}/asgi_trace/demo:shop"),
    ("granian --interface asgi shop", f"granian --interface asgi {T}", "shop:app"),
    ("granian --ws --access-log shop:app", f"granian --ws --access-log {T}", "shop:app"),
    ("granian asgi_trace/_cli/demo.py:shop", f"granian {T}", f"{HERE}/asgi_trace._cli.demo:shop"),
    ("gunicorn shop", f"gunicorn {T}", "shop:application"),
    ("gunicorn -D shop:app", f"gunicorn -D {T}", "shop:app"),
    ("gunicorn -k asgi -b:8000 shop:app", f"gunicorn -k asgi -b:8000 {T}", "shop:app"),
    ("gunicorn shop:make_app() --preload", f"gunicorn {T} --preload", "shop:make_app()"),
]


@pytest.mark.parametrize(
    ("command", "rewritten", "app"), COMMANDS, ids=[each[0] for each in COMMANDS]
)
def test_the_app_and_nothing_else_is_replaced(command: str, rewritten: str, app: str) -> None:
    """
    Values of options are never taken for the app, and the environment stays but for the app's name.
    """
    launch = plan(command.split(), {"PATH": "/bin", "ASGI_TRACE_APP": "old:app"})
    assert " ".join([launch.name, *launch.arguments]) == rewritten
    assert launch.environment == {"PATH": "/bin", "ASGI_TRACE_APP": app}


@pytest.mark.parametrize(
    ("command", "before", "rewritten", "after"),
    [
        ("uvicorn --factory shop:make", {}, f"uvicorn {T}", {"ASGI_TRACE_FACTORY": "1"}),
        ("granian shop:make --factory", {}, f"granian {T}", {"ASGI_TRACE_FACTORY": "1"}),
        (
            "granian shop:app --no-factory",
            {"GRANIAN_FACTORY": "1"},
            f"granian {T}",
            {"ASGI_TRACE_FACTORY": "0"},
        ),
        (
            "uvicorn shop:make",
            {"UVICORN_FACTORY": "true"},
            f"uvicorn {T}",
            {"ASGI_TRACE_FACTORY": "true"},
        ),
        ("uvicorn shop:app", {"UVICORN_PORT": "80"}, f"uvicorn {T}", {"UVICORN_PORT": "80"}),
    ],
)
def test_a_factory_is_ours_to_call(
    command: str, before: dict[str, str], rewritten: str, after: dict[str, str]
) -> None:
    """
    What the server gets from us is an app, so it must not hear of the factory, by whatever way.
    """
    launch = plan(command.split(), before)
    app = launch.environment.pop("ASGI_TRACE_APP")
    assert (" ".join([launch.name, *launch.arguments]), launch.environment) == (rewritten, after)
    assert app in command


def test_uvicorn_may_have_the_app_from_its_variable() -> None:
    launch = plan(["uvicorn", "--reload"], {"UVICORN_APP": "shop:app"})
    assert launch.arguments == ("--reload",)
    assert launch.environment == {"UVICORN_APP": T, "ASGI_TRACE_APP": "shop:app"}


@pytest.mark.parametrize(
    "command", ["uvicorn --version", "hypercorn -h", "granian --help", "gunicorn -v"]
)
def test_a_question_needs_no_app(command: str) -> None:
    """It goes to the server as it is."""
    name, option = command.split()
    launch = plan([name, option], {"PATH": "/bin"})
    assert (launch.name, launch.arguments, launch.environment) == (
        name,
        (option,),
        {"PATH": "/bin"},
    )


ERRORS = [
    ("", "no server is named; expected one of uvicorn, hypercorn, granian, gunicorn"),
    (
        "daphne shop:app",
        "the server is 'daphne'; expected one of uvicorn, hypercorn, granian, gunicorn",
    ),
    (
        "uvicorn",
        "no app is named; expected it behind the server's name, as in 'asgi-trace run uvicorn shop:app'",
    ),
    (
        "uvicorn --header server:me",
        "no app is in the arguments '--header server:me'; expected it behind the server's",
    ),
    (
        "uvicorn --some-new-flag shop:app",
        "no app is in the arguments '--some-new-flag shop:app'; expected it behind",
    ),
    (
        "hypercorn wsgi:shop:app",
        "the app is of the kind 'wsgi'; expected an ASGI app, as in 'asgi:shop:app'",
    ),
]


@pytest.mark.parametrize(
    ("command", "expected"), ERRORS, ids=[each[0] or "nothing" for each in ERRORS]
)
def test_what_is_not_certain_is_not_guessed(command: str, expected: str) -> None:
    """One sentence names what was given, the rule and the remedy."""
    with pytest.raises(LauncherError) as raised:
        plan(command.split(), {})
    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    ("variables", "arguments", "expected"),
    [
        ({}, ["nginx", "shop:app"], "the server is 'nginx'; expected one of"),
        (
            {"ASGI_TRACE_LEVEL": "loud"},
            ["uvicorn", "shop:app"],
            "ASGI_TRACE_LEVEL is 'loud'; expected DEBUG, INFO,",
        ),
    ],
)
def test_the_command_says_it_in_one_line(
    variables: dict[str, str], arguments: list[str], expected: str
) -> None:
    """On standard error, with exit code 2, and nothing is started."""
    command = [sys.executable, "-m", "asgi_trace", "run", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(expected)


def test_a_server_that_is_not_there_is_told_of() -> None:
    """Here by a Python that has the standard library and us alone."""
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-S", "-m", "asgi_trace", "run", "uvicorn", "shop:app"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60
    )
    expected = (
        "the server is 'uvicorn', which is not installed; 'pip install uvicorn' installs it\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_answers_questions_itself(name: str) -> None:
    """Its own usage, its own exit code."""
    command = [sys.executable, "-m", "asgi_trace", "run", name, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"usage: .*\b{name} ", done.stdout, re.IGNORECASE), done.stdout


def _flags_of_click(command: click.Command) -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert all(each.nargs == 1 for each in options)
    return {"--help"}.union(
        *({*each.opts, *each.secondary_opts} for each in options if each.is_flag or each.count)
    )


def _flags_of_argparse(parser: argparse.ArgumentParser) -> set[str]:
    assert all(each.nargs in (None, 0, "?") for each in parser._actions if each.option_strings)
    return {name for each in parser._actions if each.nargs == 0 for name in each.option_strings}


def _hypercorn_parser(monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    class StopError(Exception):
        pass

    parsers = []

    def parse(self: argparse.ArgumentParser, *_: object) -> None:
        parsers.append(self)
        raise StopError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    with pytest.raises(StopError):
        hypercorn.__main__.main([])
    return parsers[0]


@pytest.mark.parametrize("name", SERVERS)
def test_the_table_knows_every_flag(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An option of the installed server that takes no value is in the table, and none is there that
    takes one.
    """
    if name == "uvicorn":
        command = import_module("uvicorn.main").main
        flags, values = _flags_of_click(command), _values_of_click(command)
    elif name == "granian":
        flags, values = _flags_of_click(granian.cli.cli), _values_of_click(granian.cli.cli)
    else:
        own = name == "gunicorn"
        parser = gunicorn.config.Config().parser() if own else _hypercorn_parser(monkeypatch)
        flags = _flags_of_argparse(parser)
        values = {each for action in parser._actions for each in action.option_strings} - flags
    assert flags - SERVERS[name].flags == set()
    assert values & SERVERS[name].flags == set()


def _values_of_click(command: click.Command) -> set[str]:
    named = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return named - _flags_of_click(command)
