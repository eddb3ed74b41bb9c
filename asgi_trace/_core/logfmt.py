"""
Pairs of logfmt, ``status=200 path="/a b"``: written from a mapping, and read back as strings.

logfmt has no standard: more is read than is written, such as a name without a value. The names of a
record's fields are in :mod:`.record`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .escapes import UNSAFE
from .patterns import Pattern
from .values import json_or_text

__all__ = (
    "format_pairs",
    "parse_pairs",
    "quote_value",
)

_A_PAIR = r'[ \t]*([^ \t="]+)(=(?:"[^"\\]*(?:\\.[^"\\]*)*"|[^ \t"]*))?(?=[ \t]|\Z)'
_PAIR = Pattern(_A_PAIR)
_PAIRS = Pattern(rf"(?:{_A_PAIR})*\s*")
_BARE = Pattern(r'[^ "=\\]+')
_TO_QUOTE = Pattern(rf'["\\\n{UNSAFE}]')
_TO_UNQUOTE = Pattern(r"\\(?:u([0-9a-f]{4})|(.))")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {short[1]: long for long, short in _SHORT.items()}


def format_pairs(fields: Mapping[str, Any]) -> str:
    """Return *fields* as pairs with blanks between them; the names must be valid."""
    return " ".join(f"{name}={quote_value(json_or_text(value))}" for name, value in fields.items())


def parse_pairs(text: str) -> dict[str, Any] | None:
    """Return the names and values in *text*; None if it is anything else than pairs."""
    if _PAIRS.fullmatch(text) is None:
        return None
    # A name without a value is a flag in some libraries' lines.
    # Behind the last pair, a search for one more would begin anew at each blank.
    pairs = _PAIR.findall(text.rstrip(" \t"))
    return {name: _unquote(value[1:]) if value else "true" for name, value in pairs}


def quote_value(text: str) -> str:
    """Return *text* as a value, in quotes where it needs them."""
    if text.isprintable() and _BARE.fullmatch(text):
        return text
    return f'"{_TO_QUOTE.sub(_quoted, text)}"'


def _quoted(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _unquote(text: str) -> str:
    return _TO_UNQUOTE.sub(_unquoted, text[1:-1]) if text.startswith('"') else text


def _unquoted(match: re.Match[str]) -> str:
    code, short = match.groups()
    return chr(int(code, 16)) if code else _LONG.get(short, short)
