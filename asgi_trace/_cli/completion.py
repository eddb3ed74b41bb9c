"""
Shell completion: a script for bash, zsh or fish, made from the parser of the command line.

The possible values of an argument come from its declaration: its choices, ``FILE`` as its metavar,
or the rest of the line, which is another command. This module runs no command.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

__all__ = ("SHELLS", "script")

_PROGRAM = "asgi-trace"
_FUNCTION = "_asgi_trace"
_FILE = "FILE"


class _Argument(NamedTuple):
    """
    An option, which has *names*, or a positional argument, which has none.

    :param value: whether an option takes a value; true for a positional argument.
    """

    names: tuple[str, ...]
    value: bool
    choices: tuple[str, ...]
    is_file: bool
    is_command: bool
    text: str


class _Command(NamedTuple):
    name: str
    text: str
    options: tuple[_Argument, ...]
    positionals: tuple[_Argument, ...]


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """
    Return the script that completes the command line of *parser* in *shell*, one of
    :data:`SHELLS`.
    """
    commands = list(_commands(parser))
    options = [_argument(action) for action in parser._actions if action.option_strings]
    return _SCRIPTS[shell](options, commands)


# -- the command line ------------------------------------------------------------------------------


def _commands(parser: argparse.ArgumentParser) -> Iterator[_Command]:
    subparsers = next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    texts = {action.dest: action.help or "" for action in subparsers._choices_actions}
    parsers: Mapping[str, argparse.ArgumentParser] = subparsers.choices
    for name, command in parsers.items():
        arguments = [_argument(action) for action in command._actions]
        yield _Command(
            name,
            texts.get(name, ""),
            tuple(argument for argument in arguments if argument.names),
            tuple(argument for argument in arguments if not argument.names),
        )


def _argument(action: argparse.Action) -> _Argument:
    return _Argument(
        names=tuple(action.option_strings),
        value=action.nargs != 0,
        choices=tuple(map(str, action.choices or ())),
        is_file=action.metavar == _FILE,
        is_command=action.nargs == argparse.REMAINDER,
        text=(action.help or "").replace("%(prog)s", _PROGRAM).replace("%%", "%"),
    )


# -- bash ------------------------------------------------------------------------------------------

_BASH = """\
# Completion of asgi-trace in bash: eval "$(asgi-trace completion bash)"
{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W {commands} -- "$current"))
        return
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
}}
complete -F {function} {program}
"""
_BASH_CASE = """\
    {name})
        {values}if [[ $current == -* ]]; then
            COMPREPLY=($(compgen -W {options} -- "$current"))
        else
            {positional}
        fi
        ;;"""
_BASH_COMMAND_CASE = """\
    {name})
        if [ "$COMP_CWORD" -eq 2 ] && [[ $current == -* ]]; then
            COMPREPLY=($(compgen -W {options} -- "$current"))
        elif declare -F _command_offset >/dev/null; then
            _command_offset 2
        elif [ "$COMP_CWORD" -eq 2 ]; then
            COMPREPLY=($(compgen -c -- "$current"))
        else
            {files}
        fi
        ;;"""
# The line feed is the separator, so that a name with blanks is one reply, not one for each word.
_BASH_FILES = (
    "compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$current\"))"
)


def _bash(options: Iterable[_Argument], commands: Iterable[_Command]) -> str:
    commands = list(commands)
    words = [command.name for command in commands] + _names(options)
    return _BASH.format(
        function=_FUNCTION,
        program=_PROGRAM,
        commands=_quoted(" ".join(words)),
        cases="\n".join(map(_bash_case, commands)),
    )


def _bash_case(command: _Command) -> str:
    options = _quoted(" ".join(_names(command.options)))
    if any(argument.is_command for argument in command.positionals):
        return _BASH_COMMAND_CASE.format(name=command.name, options=options, files=_BASH_FILES)
    rows = [
        f"{'|'.join(argument.names)}) {_bash_value(argument)}; return ;;"
        for argument in command.options
        if argument.value
    ]
    values = f"case $previous in {' '.join(rows)} esac\n        " if rows else ""
    positional = _bash_value(command.positionals[0]) if command.positionals else ":"
    return _BASH_CASE.format(
        name=command.name, options=options, values=values, positional=positional
    )


def _bash_value(argument: _Argument) -> str:
    if argument.choices:
        return f'COMPREPLY=($(compgen -W {_quoted(" ".join(argument.choices))} -- "$current"))'
    return _BASH_FILES if argument.is_file else ":"


# -- zsh -------------------------------------------------------------------------------------------

_ZSH = """\
#compdef {program}
# Completion of asgi-trace in zsh, behind compinit: eval "$(asgi-trace completion zsh)"
{function}() {{
    local -a described=(
{described}
    )
    if (( CURRENT == 2 )); then
        if [[ $words[2] == -* ]]; then
            compadd -- {options}
        else
            _describe command described
        fi
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{cases}
    esac
}}
if [ "$funcstack[1]" = {function} ]; then
    {function} "$@"
else
    compdef {function} {program}
fi
"""


def _zsh(options: Iterable[_Argument], commands: Iterable[_Command]) -> str:
    commands = list(commands)
    described = [_quoted(f"{command.name}:{command.text}") for command in commands]
    return _ZSH.format(
        function=_FUNCTION,
        program=_PROGRAM,
        described="\n".join(f"        {command}" for command in described),
        options=" ".join(_names(options)),
        cases="\n".join(map(_zsh_case, commands)),
    )


def _zsh_case(command: _Command) -> str:
    specs = [spec for option in command.options for spec in _zsh_options(option)]
    specs += [_quoted(_zsh_positional(argument)) for argument in command.positionals]
    return f"    {command.name}) _arguments {' '.join(specs)} ;;"


def _zsh_options(option: _Argument) -> Iterator[str]:
    text = option.text.replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
    value = f":value:{_zsh_action(option)}" if option.value else ""
    for name in option.names:
        yield _quoted(f"{name}[{text}]{value}")


def _zsh_positional(argument: _Argument) -> str:
    if argument.is_command:
        return "*::command:_normal"
    return f"*:argument:{_zsh_action(argument)}"


def _zsh_action(argument: _Argument) -> str:
    if argument.choices:
        return f"({' '.join(argument.choices)})"
    return "_files" if argument.is_file else " "


# -- fish ------------------------------------------------------------------------------------------

_FISH = """\
# Completion of asgi-trace in fish: asgi-trace completion fish | source
complete -c {program} -e
complete -c {program} -f
{lines}
"""


def _fish(options: Iterable[_Argument], commands: Iterable[_Command]) -> str:
    lines = [_fish_option("__fish_use_subcommand", argument) for argument in options]
    for command in commands:
        lines.append(
            f"complete -c {_PROGRAM} -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.text)}"
        )
        seen = f"__fish_seen_subcommand_from {command.name}"
        lines += [_fish_option(_fish_quoted(seen), argument) for argument in command.options]
        for argument in command.positionals:
            if argument.is_command:
                rest = "(__fish_complete_subcommand --fcs-skip=2)"
                lines.append(
                    f"complete -c {_PROGRAM} -n {_fish_quoted(seen)} -a {_fish_quoted(rest)}"
                )
            elif argument.choices:
                words = _fish_quoted(" ".join(argument.choices))
                lines.append(f"complete -c {_PROGRAM} -n {_fish_quoted(seen)} -a {words}")
            elif argument.is_file:
                lines.append(f"complete -c {_PROGRAM} -n {_fish_quoted(seen)} -F")
    return _FISH.format(program=_PROGRAM, lines="\n".join(lines))


def _fish_option(condition: str, option: _Argument) -> str:
    words = [f"complete -c {_PROGRAM} -n {condition}"]
    for name in option.names:
        is_long = name.startswith("--")
        words.append(f"-l {name[2:]}" if is_long else f"-s {name[1:]}")
    if option.value:
        words.append("-r -F" if option.is_file else "-x")
    if option.choices:
        words.append(f"-a {_fish_quoted(' '.join(option.choices))}")
    words.append(f"-d {_fish_quoted(option.text)}")
    return " ".join(words)


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# -- all of them -----------------------------------------------------------------------------------


def _names(options: Iterable[_Argument]) -> list[str]:
    return [name for option in options for name in option.names]


def _quoted(text: str) -> str:
    """Return *text* as one word of bash and zsh."""
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


_SCRIPTS: dict[str, Callable[[Iterable[_Argument], Iterable[_Command]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}

SHELLS = tuple(_SCRIPTS)
"""The shells for which there is a script."""
