"""
The remote call that a request carries: its method, the name of its target, and its id, as a log
line shows them.

A call is three strings. The package of a protocol, such as MCP, finds them; this module makes them
safe for a line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .patterns import Pattern

__all__ = ("MAX_WORD_LENGTH", "NO_CALL", "Call", "clean")

MAX_WORD_LENGTH = 128
"""
The longest method, name or id that is kept, in characters. A longer one is cut, and ends with
``...``.
"""


class Call(NamedTuple):
    """
    One call, such as a JSON-RPC request of MCP: text that is safe on a log line, or None where it
    is not known.
    """

    method: str | None = None
    name: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        """Return the form on a log line, such as ``tools/call add #7``."""
        return " ".join(filter(None, (self.method, self.name, self.id and f"#{self.id}")))


NO_CALL = Call()

_MOST_READ = 4096

# The query and the fragment of a URI may hold arguments and secrets.
_BEYOND = Pattern(r"[?#].*", re.DOTALL)
_UNSAFE = frozenset("[]| ")
_SPECIAL = _UNSAFE | {":"}  # a colon may be that of a URI
_MOST_DIRECT = 10**18  # larger numbers may have more than MAX_WORD_LENGTH digits
_PASSWORD = Pattern(r"(?<=://)[^/@]*@")


def clean(value: object, *, blanks: bool = False) -> str | None:
    """
    Return a client's method, name or id in a form that is safe on a log line; None where nothing is
    left.

    Characters that do not print, that could end the bracket around a call, and blanks (unless
    *blanks* is true) become ``%XX``, as in URLs. The query and the credentials of a URI are left
    out: they are arguments and secrets. Never raises.
    """
    # Nearly every word: 2,000 instructions less than the steps below.
    if (
        type(value) is str
        and 0 < len(value) <= MAX_WORD_LENGTH
        and value.isprintable()
        and _SPECIAL.isdisjoint(value)
    ):
        return value
    if type(value) is int and abs(value) < _MOST_DIRECT:
        return str(value)
    try:
        text = str(value)[:_MOST_READ].strip() if value is not None else ""
    except Exception:  # an object of the user's own, or a number with thousands of digits
        return None
    if "://" in text:
        text = _PASSWORD.sub("***@", _BEYOND.sub("?***", text))
    if len(text) > MAX_WORD_LENGTH:
        text = f"{text[:MAX_WORD_LENGTH]}..."
    if not (text.isalnum() or _is_plain(text)):
        text = "".join(
            character if _is_safe(character, blanks) else _percent_encoded(character)
            for character in text
        )
    return text or None


def _is_plain(text: str) -> bool:
    """Whether all of *text* is safe: one check in C, enough for nearly every method and name."""
    return text.isprintable() and _UNSAFE.isdisjoint(text)


def _is_safe(character: str, blanks: bool) -> bool:
    return character.isprintable() and character not in "[]|" and (blanks or character != " ")


def _percent_encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
