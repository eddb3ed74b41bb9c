r"""
One definition of a log line, for whoever writes one and whoever reads one.

Knows strings: the seed's line, ``2024-01-15 10:30:15 - INFO - [req=a1b2c3d4|session=12345678] - message``, how a
message of several lines goes on, and how nothing in a message can pass for another line. Does not know logging,
requests or files.
"""

from __future__ import annotations

import re

__all__ = ("escape", "format_line", "unescape")

# What could end a line, hide one, or turn one round in some reader: C0, DEL, C1, the Unicode line and paragraph
# separators and the bidirectional controls (UAX #9). A line feed is not among them: it is taken apart before.
_UNSAFE = "\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_ESCAPE = r"x[0-9a-f]{2}|u[0-9a-f]{4}"

# A run of backslashes is doubled only where it stands before an escape, or before text that looks like one: a
# Windows path stays as it is, and unescape() can still tell the two apart.
# Runs are matched from their start only, so that a long one is not tried at each of its places.
_TO_ESCAPE = re.compile(rf"(?<!\\)(\\*)([{_UNSAFE}])|(?<!\\)(\\+)(?={_ESCAPE})")
_TO_UNESCAPE = re.compile(rf"(?<!\\)(\\+)({_ESCAPE})")


def escape(text: str) -> str:
    r"""Return *text* with each control character as ``\x1b`` or ``\u2028``; ``unescape`` takes that back."""
    if text.isprintable() and "\\" not in text:  # in C, and true of nearly every message
        return text
    return _TO_ESCAPE.sub(_escaped, text)


def unescape(text: str) -> str:
    """Return what *text* was before ``escape``."""
    return _TO_UNESCAPE.sub(_unescaped, text) if "\\" in text else text


def _escaped(match: re.Match[str]) -> str:
    before, unsafe, lookalike = match.groups()
    if unsafe is None:
        return 2 * str(lookalike)
    code = ord(unsafe)
    return 2 * str(before) + (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _unescaped(match: re.Match[str]) -> str:
    backslashes, code = match.groups()
    literal = "\\" * (len(backslashes) // 2)
    return literal + (chr(int(code[1:], 16)) if len(backslashes) % 2 else code)


def format_line(time: str, level: str, request_id: str, session_id: str, message: str) -> str:
    """
    Return the line of a log record, without a line feed at its end.

    Each further line of the *message*, such as a traceback's, is a line of its own with the same ids, marked by
    ``|`` where the first has ``-``: one search for an id finds them all, and none can pass for a record.
    """
    head = f"{time} - {level} - [req={request_id}|session={session_id}]"
    message = escape(message)
    if "\n" in message:
        message = message.replace("\n", f"\n{head} | ")
    return f"{head} - {message}"
