"""
Characters that could end, hide or reverse a line: written as codes, and read back.

This module works on strings: text of one or more lines, and an id in the bracket of a line.
"""

from __future__ import annotations

import re

from .patterns import Pattern

__all__ = (
    "UNSAFE",
    "escape",
    "escape_id",
    "escaped",
    "escapes_of",
    "unescape",
)

# Characters that could end, hide or reverse a line in some viewer: C0, DEL, C1, the Unicode line
# and paragraph separators and the bidirectional controls (UAX #9). A line feed is not among them:
# text is split at line feeds before.
UNSAFE = "\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_ESCAPE = r"x[0-9a-f]{2}|u[0-9a-f]{4}"


def escapes_of(unsafe: str) -> re.Pattern[str]:
    """
    Return the pattern whose matches :func:`escaped` replaces: the characters that the regular
    expression *unsafe* matches, and text that looks like an escape.

    A run of backslashes is doubled only before an escape, or before text that looks like one: a
    Windows path stays as it is, and :func:`unescape` can still distinguish the two.
    """
    # Runs are matched from their start only, so that a long one is not tried at each position.
    return Pattern(rf"(?<!\\)(\\*)({unsafe})|(?<!\\)(\\+)(?={_ESCAPE})")


def escaped(match: re.Match[str]) -> str:
    """Return the escaped text of a match of :func:`escapes_of`."""
    before, unsafe, lookalike = match.groups()
    if unsafe is None:
        return 2 * str(lookalike)
    return 2 * str(before) + _code_of(unsafe)


_TO_ESCAPE = escapes_of(f"[{UNSAFE}]")
_TO_UNESCAPE = Pattern(rf"(?<!\\)(\\+)({_ESCAPE})")


def escape(text: str) -> str:
    r"""
    Return *text* with each control character as ``\x1b`` or ``\u2028``; ``unescape`` reverses this.
    """
    if text.isprintable() and "\\" not in text:  # in C, and true of nearly every message
        return text
    return _TO_ESCAPE.sub(escaped, text)


def unescape(text: str) -> str:
    """Return the text from which ``escape`` made *text*."""
    return _TO_UNESCAPE.sub(_unescaped, text) if "\\" in text else text


# In the bracket of a line, "|" and "]" end an id.
_UNSAFE_IN_ID = Pattern(rf"[{UNSAFE}\n|\]]")


def escape_id(text: str) -> str:
    r"""
    Return the id *text* with each character that a bracket cannot hold as ``\x7c``; escaping twice
    gives the same.
    """
    if text.isalnum():  # in C, and true of nearly every id
        return text
    return str(_UNSAFE_IN_ID.sub(_escaped_in_id, text))


def _escaped_in_id(match: re.Match[str]) -> str:
    return _code_of(match[0])


def _code_of(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _unescaped(match: re.Match[str]) -> str:
    backslashes, code = match.groups()
    literal = "\\" * (len(backslashes) // 2)
    return literal + (chr(int(code[1:], 16)) if len(backslashes) % 2 else code)
