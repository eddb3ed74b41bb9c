"""
MCP's calls: which method of a server, of which tool, resource or prompt, under which JSON-RPC id.

Knows strings, and what of a client's may stand on a log line. Does not know ASGI, JSON or the SDKs.
https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from typing import NamedTuple

__all__ = ("MAX_WORD_LENGTH", "NO_CALL", "Call", "clean", "read_header")

MAX_WORD_LENGTH = 128
"""The longest method, name or id that is kept, in characters; of a longer one the beginning, and ``...``."""


class Call(NamedTuple):
    """One JSON-RPC request of MCP; what is not known of it is None. Each is text that may stand on a log line."""

    method: str | None = None
    name: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        """As a line shows it: ``tools/call add #7``."""
        return " ".join(filter(None, (self.method, self.name, self.id and f"#{self.id}")))


NO_CALL = Call()

_MOST_READ = 4096

# What a URI tells beyond the resource that it names: a query holds arguments and secrets, and so may a fragment.
_BEYOND = re.compile(r"[?#].*", re.DOTALL)
_PASSWORD = re.compile(r"(?<=://)[^/@]*@")

# Header values that are not plain ASCII come so (SEP-2243).
_ENCODED = re.compile(rb"=\?base64\?([A-Za-z0-9+/]*={0,2})\?=", re.IGNORECASE)
# Each of the characters that are kept may have four bytes, and three bytes are four characters; a multiple of four.
_LONGEST_ENCODED = MAX_WORD_LENGTH * 4 * 4 // 3 // 4 * 4 + 4


def clean(value: object, *, blanks: bool = False) -> str | None:
    """
    Return what of a client's method, name or id may stand on a log line; None, where nothing is left.

    What does not print, what could end the bracket around a call, and blanks, unless *blanks* are welcome inside,
    become ``%XX`` as in URLs. Of a URI the query and the credentials are left out: they are arguments and secrets.
    Never raises.
    """
    try:
        text = str(value)[:_MOST_READ].strip() if value is not None else ""
    except Exception:  # an object of the user's own, say; or a number of thousands of digits
        return None
    if "://" in text:
        text = _PASSWORD.sub("***@", _BEYOND.sub("?***", text))
    if len(text) > MAX_WORD_LENGTH:
        text = f"{text[:MAX_WORD_LENGTH]}..."
    if not text.isalnum():
        text = "".join(each if _is_safe(each, blanks) else _percent_encoded(each) for each in text)
    return text or None


def _is_safe(character: str, blanks: bool) -> bool:
    return character.isprintable() and character not in "[]|" and (blanks or character != " ")


def _percent_encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def read_header(value: bytes) -> str | None:
    """Return the text of an ``Mcp-Method`` or ``Mcp-Name`` header, decoded; None, where it cannot be."""
    value = value.strip()
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value.decode("latin-1")
    try:
        # What is cut off is more than is kept, and a character cut in two goes with it.
        return a2b_base64(encoded[1][:_LONGEST_ENCODED]).decode("utf-8", "ignore")
    except Error:
        return None
