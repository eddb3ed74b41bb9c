"""
Advice on wrong command lines of ``asgi-trace``: what to type instead.

This module reads words. It runs no command, and opens no file.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

__all__ = ("advice_on", "nearest")

# Words for the same thing, in other programs.
_SYNONYMS = {
    "help": "--help",
    "version": "--version",
    "start": "run",
    "serve": "run",
    "exec": "run",
    "search": "grep",
    "find": "grep",
    "show": "view",
    "open": "view",
    "page": "view",
    "check": "doctor",
    "diagnose": "doctor",
}
# Also where they are not on the path, as in an environment that is not active.
_SERVERS = frozenset(
    {"uvicorn", "hypercorn", "anycorn", "granian", "gunicorn", "daphne", "fastapi"}
)
_APP = re.compile(r"[\w./]+:[\w.]+(?:\(.*\))?")
_ID = re.compile(r"[0-9a-fA-F][0-9a-fA-F-]{3,}")


def advice_on(words: Sequence[str], commands: Mapping[str, argparse.ArgumentParser]) -> str | None:
    """
    Return what to type instead of *words*, the arguments of ``asgi-trace``; None where they begin
    with one of the *commands*, or with an option that needs none.
    """
    if not words:
        return f"no command is given; expected one of {', '.join(commands)}; --help describes them"
    first, *rest = words
    if first in commands or first in ("-h", "--help", "--version"):
        return None
    if first.startswith("-"):
        return _advice_on_option(words, commands)
    instead = _instead(first, rest, commands)
    said = f"there is no command {first!r}"
    if not instead:
        return f"{said}; expected one of {', '.join(commands)}"
    return f"{said}; type {' or '.join(map(_line, instead))}"


def _instead(first: str, rest: Sequence[str], commands: Iterable[str]) -> list[Sequence[str]]:
    """Return the command lines that *first* and *rest* may mean, without our own name."""
    if first == "help" and rest:
        return [[rest[0], "--help"]]
    if first in _SYNONYMS:
        return [[_SYNONYMS[first], *rest]]
    near = get_close_matches(first, [*commands], 1, cutoff=0.7)
    if near:
        return [[near[0], *rest]]
    if os.path.isfile(first):
        if first.endswith(".py"):
            return [["run", "python", first, *rest]]
        return [["view", first, *rest], ["grep", "ID", first, *rest]]
    if _APP.fullmatch(first):
        return [["run", "uvicorn", first, *rest], ["doctor", first]]
    if first in _SERVERS or shutil.which(first):
        return [["run", first, *rest]]
    if _ID.fullmatch(first):
        return [["grep", first, *(rest or ["app.log"])]]
    return []


def _advice_on_option(words: Sequence[str], commands: Mapping[str, argparse.ArgumentParser]) -> str:
    name = words[0].partition("=")[0]
    owners = [
        command for command, parser in commands.items() if name in parser._option_string_actions
    ]
    if not owners:
        return (
            f"there is no option {name!r} before a command; expected one of {', '.join(commands)}"
        )
    named = next((word for word in words if word in owners), None)
    if named is not None:
        owners, words = [named], [word for word in words if word != named]
    lines = " or ".join(_line([owner, *words]) for owner in owners)
    return f"the option {name} goes after its command; type {lines}"


def _line(words: Sequence[str]) -> str:
    return f"'asgi-trace {shlex.join(words)}'"  # not by repr(): it would be no shell's word


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence on an unknown option: a known one like *word*, or where they are."""
    # With the dashes, which are in all of them, --level would be like --help, and --json like --span.
    names = {name.lstrip("-"): name for name in known}
    near = get_close_matches(word.partition("=")[0].lstrip("-"), [*names], 1)
    return f"; did you mean {names[near[0]]}?" if near else "; --help describes the options"
