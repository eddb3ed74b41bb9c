"""
Our own lines: one regular expression for each form, and those behind a prefix, a block at a time.

A row has a string for each part of one line, "" where the line has no such part. The row of a line
in another form has only empty strings. This module does not interpret the parts.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..._core.lines import HEAD
from ..._core.patterns import Pattern
from ..._core.record import STORES, Store
from .names import INSTANCES

__all__ = (
    "BEFORE_IDS",
    "BEFORE_STAMP",
    "ID",
    "JSON",
    "LOGFMT",
    "LONGEST_FRONT",
    "LONGEST_HEAD",
    "OTHERS",
    "OWN_HEAD",
    "OWN_IDS",
    "STAMP",
    "Form",
    "Named",
    "is_of_others",
    "own_fields",
    "own_form",
    "own_head",
)

BEFORE_IDS = " - [req="
"""What is between time and level, and the ids, in our text."""

# A longer time and level is preceded by an envelope with the characters of a head.
LONGEST_HEAD = 45

Row = tuple[str, ...]


class Named(NamedTuple):
    """
    A form with names: the texts between its parts, and regular expressions of the parts.

    A line is *start*, time, *before_level*, level and logger, *before_message*, message,
    *before_ids*, and the ids; in an access line *before_fields* and its fields; and *end*. Where
    the form *is_quoted*, each message is in quotes, which are not parts of it.
    """

    start: str
    before_level: str
    before_message: str
    before_ids: str
    before_fields: str
    end: str
    time: str
    level_and_logger: str
    message: str
    ids: str
    fields: str
    is_quoted: bool

    @property
    def pattern(self) -> str:
        """The regular expression of a line."""
        return (
            f"{re.escape(self.start)}({self.time}){re.escape(self.before_level)}{self.level_and_logger}"
            f"{re.escape(self.before_message)}{self.message}{re.escape(self.before_ids)}{self.ids}"
            f"(?:({re.escape(self.before_fields)}){self.fields})?{re.escape(self.end)}"
        )


class Form(NamedTuple):
    """
    One form of our lines.

    The parts of text are: time and level, request, session, the rest of the bracket, call, mark,
    message. Those of JSON and logfmt are: time, level, logger, message, the same in quotes,
    request, session, trace, span, parent, service, whether it is an access line, and its time to
    the first byte.

    :param in_string: the form in a string of JSON, where no part of a line has an escape.
    :param has_source: whether a reader of fields takes the name of the service for the source.
    """

    is_text: bool
    start: str
    line: re.Pattern[str]
    named: Named | None = None
    in_string: Named | None = None
    has_source: bool = False

    @property
    def name(self) -> str:
        """A text that differs between all forms."""
        return self.start if self.named is None else f"{self.start}{self.named.before_level}"

    def may_be(self, line: str) -> bool:
        """Whether a *line* begins like those of this form."""
        before_level = "" if self.named is None else self.named.before_level
        return line.startswith(self.start) and before_level in line

    def row(self, line: str) -> Row | None:
        """Return the parts of a *line*; None for one of another form."""
        match = self.line.fullmatch(line)
        return None if match is None else match.groups("")


# For a search in many lines at once: "$" matches the end of each line. A longer head is no match.
OWN_HEAD = HEAD.pattern.replace(r"\Z", "$").replace("{0,80}", f"{{0,{LONGEST_HEAD - 1}}}")
_TEXT = Form(True, "", Pattern(rf"{OWN_HEAD}([^\n]*)"))

# Lines with ids and no other fields, or with the fields of an access line of ours. A line that a
# reader of JSON or logfmt could read in another way does not match.
_ID = r"[\w.~+/=:@-]{1,128}"


JSON = Named(
    '{"timestamp": "',
    '", "level": "',
    '", "message": "',
    '", "request_id": "',
    ', "method": "',
    "}",
    r'[0-9][^"\\\n]{0,40}',
    r'(\w{1,20})", "logger": "([!#-\[\]-~]{1,200})',
    r"([ !#-\[\]-~]+)()",
    rf'({_ID})"(?:, "session_id": "({_ID})")?, "trace_id": "([0-9a-f]{{32}})"'
    r'(?:, "span_id": "([0-9a-f]{16})")?(?:, "parent_span_id": "([0-9a-f]{16})")?'
    r'(?:, "service": "([\w.-]{1,128})")?',
    r'[A-Z]{1,20}", "path": "[!#-\[\]-~]+", "status": \d{3}, "duration_ms": \d+\.\d+, "bytes": \d+, '
    r'"transport": "[a-z-]+", "client": "[!#-\[\]-~]+"(?:, "ttfb_ms": (\d+\.\d+))?',
    is_quoted=True,
)
LOGFMT = Named(
    "timestamp=",
    " level=",
    " message=",
    " request_id=",
    " method=",
    "",
    r"[0-9][^ \"=\\\n]{0,40}",
    r"(\w{1,20}) logger=([!#-<>-\[\]-~]{1,200})",
    r'(?:([!#-<>-\[\]-~]+)|"([ !#-\[\]-~]*)")',
    rf"({_ID})(?: session_id=({_ID}))? trace_id=([0-9a-f]{{32}})"
    r"(?: span_id=([0-9a-f]{16}))?(?: parent_span_id=([0-9a-f]{16}))?(?: service=([\w.-]{1,128}))?",
    r'[A-Z]{1,20} path=(?:[!#-<>-\[\]-~]+|"[ !#-\[\]-~]+") status=\d{3} '
    r"duration_ms=\d+\.\d+ bytes=\d+ "
    r"transport=[a-z-]+ client=[!#-<>-\[\]-~]+(?: ttfb_ms=(\d+\.\d+))?",
    is_quoted=False,
)
# Of patterns, those without a quote in a set of characters: the backslash is in none of these sets.
_TEXTS = ("start", "before_level", "before_message", "before_ids", "before_fields")
_PATTERNS = ("level_and_logger", "ids", "fields")


def _in_string(form: Named) -> Named:
    """Return a *form* as it is in a string of JSON."""
    texts = {name: getattr(form, name).replace('"', r"\"") for name in _TEXTS}
    patterns = {name: getattr(form, name).replace('"', r'\\"') for name in _PATTERNS}
    return form._replace(**texts, **patterns)


_ACCESS = frozenset(("path", "status", "duration_ms", "bytes", "transport", "client", "ttfb_ms"))


def _with_names_of(store: Store) -> Named:
    """Return the form of our JSON with the names of a log *store*."""
    # A field of an access line that has the same name as one of the store gets another one.
    fields = JSON.fields
    for name in _ACCESS.intersection(store.names.values()):
        fields = fields.replace(f'"{name}"', f'"{name}_"')
    texts: dict[str, Any] = {name: getattr(JSON, name) for name in _TEXTS}
    patterns: dict[str, Any] = {"level_and_logger": JSON.level_and_logger, "ids": JSON.ids}
    for ours, name in store.names.items():
        for part, text in texts.items():
            texts[part] = text.replace(f'"{ours}"', f'"{name}"')
        for part, pattern in patterns.items():
            patterns[part] = pattern.replace(f'"{ours}"', f'"{re.escape(name)}"')
    always = "".join(f', "{name}": "{value}"' for name, value in store.always.items())
    patterns["ids"] += re.escape(always)
    return JSON._replace(**texts, **patterns, fields=fields)


def _form(named: Named, *, has_source: bool = False) -> Form:
    pattern = Pattern(named.pattern, re.ASCII)
    return Form(False, named.start, pattern, named, _in_string(named), has_source)


# Our ids in the form of another formatter, behind a time of ISO 8601: the text before the time, which
# has no digits, the time, and one of our ids.
BEFORE_STAMP = r"(?:[!-*,-/:-z|}~][ -/:-~]{0,40})?"
STAMP = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
LONGEST_FRONT = 110
ID = r"[\w.~+/=:@-]{0,128}"
OTHERS = Form(
    True,
    "[req=",
    Pattern(
        rf"{BEFORE_STAMP}{STAMP}[^\n]{{0,{LONGEST_FRONT}}}?\[req={ID}\|session={ID}[|\]][^\n]*",
        re.ASCII,
    ),
)
"""Most lines of another formatter with our ids; :mod:`others` reads them."""

_JSON = _form(JSON)
_LOGFMT = Form(False, LOGFMT.start, Pattern(LOGFMT.pattern, re.ASCII), LOGFMT)
_OF_STORES = tuple(
    _form(_with_names_of(store), has_source=store.names.get("service") in INSTANCES)
    for store in STORES.values()
)


# The prefix of a container's runtime may have a short time. The text behind it is of a client, where
# the runtime has split a line: the prefix and the beginning of that text are no head.
_of_runtime = re.compile(r"[0-9T:.+Z-]{20,35} std(?:out|err) [FP] ").match
_SHORTEST_PREFIX = len("2024-11-22T10:30:15Z stdout F")


# Another formatter may put a thread or a level where ours has a call of MCP.
OWN_IDS = Pattern(
    r"\[req=([^|\]]*)\|session=([^|\]]*)((?:\|[^|\]]*)*)\]"
    r"(?: \[([a-z]\w*/[^\] ]+(?: [^\]]*)?|(?:initialize|ping)(?: #[^\] ]+)?)\])?"
)
"""Our ids, in the line of any formatter, and what may be behind them."""


def own_head(line: str) -> re.Match[str] | None:
    """
    Return the match of the head of a line in our text form, without an envelope; None for any other
    line.
    """
    if BEFORE_IDS not in line:  # the expression takes twenty times as long
        return None
    match: re.Match[str] | None = HEAD.match(line)
    if match is None or match.end(1) > LONGEST_HEAD:
        return None
    is_part = match.end(1) >= _SHORTEST_PREFIX and _of_runtime(line) is not None
    return None if is_part else match


def own_form(line: str) -> Form | None:
    """Return the form of a *line* of ours that has a row; None for any other."""
    for form in _FORMS:
        if form.may_be(line) and form.row(line) is not None:
            return form
    return None


def is_of_others(line: str) -> bool:
    """Whether a *line* has our ids in the form of another formatter, behind a time."""
    return OTHERS.line.match(line) is not None and own_head(line) is None


def own_fields(line: str) -> Row | None:
    """Return the row of a *line* of ours in JSON or logfmt; None for any other."""
    for form in _NAMED:
        if line.startswith(form.start):
            return form.row(line)
    return None


_NAMED = (_JSON, _LOGFMT)
_FORMS = (*_NAMED, *_OF_STORES, _TEXT)
