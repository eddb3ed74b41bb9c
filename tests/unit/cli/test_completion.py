"""Completion of the command line, by the shells themselves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from asgi_trace._cli.completion import SHELLS, script
from asgi_trace._cli.main import build_parser, commands_of, main

from ... import needs

COMMANDS = sorted(commands_of(build_parser()))


def options_of(command: str) -> list[str]:
    actions = commands_of(build_parser())[command]._actions
    return sorted(name for action in actions for name in action.option_strings)


# Asks the shell for what it would offer, of a line that ends at the cursor.
_BASH = """\
source "$SCRIPT"
COMP_WORDS=($LINE); [[ $LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_asgi_trace
printf '%s\\n' "${COMPREPLY[@]}"
"""
# A terminal shows a line twice that is typed before the shell is ready. So the test waits for words
# that the shell prints, and that are in no typed line.
_ZSH = """\
zmodload zsh/zpty
zpty shop zsh -f -i
zpty -w shop 'PS1=; autoload -Uz compinit; compinit -u -d '$PWD'/.dump'
zpty -w shop 'zstyle ":completion:*" list-colors "no=<" ; zstyle ":completion:*" verbose no; LISTMAX=10000; COLUMNS=400'
zpty -w shop 'source '$SCRIPT
zpty -w shop 'offers='$PWD'/.offered'
zpty -w shop 'compadd() { builtin compadd -O got "$@"; print -l -r -- $got >>$offers; builtin compadd "$@" }'
zpty -w shop 'bindkey "^I" complete-word; print rea""dy'
zpty -r -m shop line '*ready*'
zpty -w -n shop "$LINE"$'\\t'
zpty -w -n shop $'\\C-u'
zpty -w shop 'print fini""shed'
zpty -r -m shop line '*finished*'
sort -u .offered 2>/dev/null
"""
_FISH = """\
source $SCRIPT
complete -C "$LINE" | string replace -r '\\t.*' ''
"""
ASK = {
    "bash": ("bash", "--norc", "--noprofile", "-c", _BASH),
    "zsh": ("zsh", "-f", "-c", _ZSH),
    "fish": ("fish", "--no-config", "-c", _FISH),
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return needs.program(str(request.param))


def offered(shell: str, line: str, folder: Path) -> list[str]:
    """What *shell* offers for the word that *line* ends with."""
    path = folder / "completion"
    path.write_text(script(shell, build_parser()))
    done = subprocess.run(
        ASK[shell],
        cwd=folder,
        env={**os.environ, "SCRIPT": str(path), "LINE": line, "HOME": str(folder), "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return sorted(word for word in set(done.stdout.split("\n")) if word)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("asgi-trace v", ["view"]),
        ("asgi-trace com", ["completion"]),
        ("asgi-trace g", ["grep"]),
        ("asgi-trace --v", ["--version"]),
        ("asgi-trace grep --", [name for name in options_of("grep") if name.startswith("--")]),
        ("asgi-trace grep f3e2 --st", ["--status"]),
        ("asgi-trace view --fol", ["--follow"]),
        ("asgi-trace completion ", sorted(SHELLS)),
        ("asgi-trace completion f", ["fish"]),
        ("asgi-trace grep f3e2 sho", ["shop app.log", "shop.log"]),
        ("asgi-trace view -o sho", ["shop app.log", "shop.log"]),
        ("asgi-trace run cat sho", ["shop app.log", "shop.log"]),
        ("asgi-trace grep --since ", []),
    ],
)
def test_a_shell_offers_what_fits(
    shell: str, line: str, expected: list[str], tmp_path: Path
) -> None:
    """Commands, options, choices and files; of a value that nobody can guess, nothing."""
    (tmp_path / "shop.log").touch()
    (tmp_path / "shop app.log").touch()
    words = {word.replace("\\", "") for word in offered(shell, line, tmp_path)}
    typed = line.rpartition(" ")[2]
    if shell == "fish":  # from version 4 on, it also offers names that have the word inside
        words = {word for word in words if word.startswith(typed)}
    assert sorted(words) == expected


def test_another_command_is_completed_as_it_is_by_itself(shell: str, tmp_path: Path) -> None:
    """Behind ``run``: programs, by their beginning."""
    assert "env" in offered(shell, "asgi-trace run en", tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr() == (script(shell, build_parser()), "")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_the_script(shell: str) -> None:
    """Those of the parser itself: a new one needs no second place."""
    text = script(shell, build_parser())
    for command in COMMANDS:
        assert command in text
        for option in options_of(command):
            assert (option if shell != "fish" else option.lstrip("-")) in text
