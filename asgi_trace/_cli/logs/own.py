"""
Our own lines, a block at a time: one regular expression for each form, matched once for all lines.

A row is what one line has, a string for each part and "" where there is none; the rows of other
lines are empty throughout. Nothing here knows what the parts mean.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..._core.lines import HEAD

__all__ = ("LONGEST_HEAD", "Form", "own_form", "own_head")

# A longer time and level has an envelope before it whose characters are those of a head.
LONGEST_HEAD = 45

Row = tuple[str, ...]


class Form(NamedTuple):
    """
    One form of our lines.

    The parts of text: time and level, request, session, the rest of the bracket, call, mark,
    message. Of JSON and logfmt: time, level, logger, message, the same in quotes, request, session,
    trace, span, parent, service, whether it is an access line, and its time to the first byte.
    """

    is_text: bool
    line: re.Pattern[str]
    lines: re.Pattern[str]

    def row(self, line: str) -> Row | None:
        """Return the parts of a *line*; None for one of another form."""
        match = self.line.fullmatch(line)
        return None if match is None else match.groups("")

    def rows(self, text: str) -> list[Row]:
        """Return a row for each line of *text*, whose last line ends with a line feed too."""
        return self.lines.findall(text)


def _form(is_text: bool, pattern: str, flags: int = 0) -> Form:
    lines = rf"(?:{pattern}|[^\n]*)\n"
    return Form(is_text, re.compile(pattern, flags), re.compile(lines, flags | re.MULTILINE))


# Of many lines at once: the end of each is none of the whole, and a head that is too long is none.
_HEAD = HEAD.pattern.replace(r"\Z", "$").replace("{0,80}", f"{{0,{LONGEST_HEAD - 1}}}")
_TEXT = _form(True, rf"{_HEAD}([^\n]*)")

# Lines with ids that hold nothing else, or the fields of an access line of ours. What could look
# otherwise to a reader of JSON or logfmt is no match.
_ID = r"[\w.~+/=:@-]{1,128}"
_JSON = _form(
    False,
    r'\{"timestamp": "([0-9][^"\\\n]{0,40})", "level": "(\w{1,20})", '
    r'"logger": "([!#-\[\]-~]{1,200})", "message": "([ !#-\[\]-~]+)()", '
    rf'"request_id": "({_ID})"(?:, "session_id": "({_ID})")?, "trace_id": "([0-9a-f]{{32}})"'
    r'(?:, "span_id": "([0-9a-f]{16})")?(?:, "parent_span_id": "([0-9a-f]{16})")?'
    r'(?:, "service": "([\w.-]{1,128})")?'
    r'(?:(, "method": ")[A-Z]{1,20}", "path": "[!#-\[\]-~]+", "status": \d{3}, "duration_ms": \d+\.\d+, '
    r'"bytes": \d+, "transport": "[a-z-]+", "client": "[!#-\[\]-~]+"(?:, "ttfb_ms": (\d+\.\d+))?)?\}',
    re.ASCII,
)
_LOGFMT = _form(
    False,
    r"timestamp=([0-9][^ \"=\\\n]{0,40}) level=(\w{1,20}) logger=([!#-<>-\[\]-~]{1,200}) "
    r'message=(?:([!#-<>-\[\]-~]+)|"([ !#-\[\]-~]*)") '
    rf"request_id=({_ID})(?: session_id=({_ID}))? trace_id=([0-9a-f]{{32}})"
    r"(?: span_id=([0-9a-f]{16}))?(?: parent_span_id=([0-9a-f]{16}))?(?: service=([\w.-]{1,128}))?"
    r"(?:( method=)[A-Z]{1,20} path=[!#-<>-\[\]-~]+ status=\d{3} duration_ms=\d+\.\d+ bytes=\d+ "
    r"transport=[a-z-]+ client=[!#-<>-\[\]-~]+(?: ttfb_ms=(\d+\.\d+))?)?",
    re.ASCII,
)


def own_head(line: str) -> re.Match[str] | None:
    """
    Return the match of the head of a line in our text form, without an envelope; None for any other
    line.
    """
    match: re.Match[str] | None = HEAD.match(line)
    return match if match is not None and match.end(1) <= LONGEST_HEAD else None


def own_form(text: str) -> Form | None:
    """Return the form that the first line of *text* may have; None for none of ours."""
    if text.startswith('{"timestamp": "'):
        return _JSON
    if text.startswith("timestamp="):
        return _LOGFMT
    if text[:1].isdecimal():
        return _TEXT
    return None
