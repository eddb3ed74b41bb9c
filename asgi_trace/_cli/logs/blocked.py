"""
YAML, as far as command lines of clouds print it: maps, lists and texts by their indentation.

This is no reader of YAML: anchors, tags, comments and most of the flow style are not known, and a
document with them is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..._core.patterns import Pattern

__all__ = ("read_blocks",)

# The objects and lists within each other.
_DEEPEST = 50
_KEY = Pattern(
    r"(?P<key>[A-Za-z_@$/][\w.@$/-]*|'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"):(?: +(?P<value>.*)|\Z)"
)
_BLOCK = Pattern(r"[|>][-+]?\Z")
_NUMBER = Pattern(r"-?\d+(?:\.\d+)?\Z")
_WORDS: dict[str, Any] = {"null": None, "~": None, "true": True, "false": False, "{}": {}, "[]": []}


class _UnreadableError(Exception):
    """A line that this module does not know."""


def read_blocks(lines: Sequence[str]) -> Any:
    """
    Return the value in *lines*.

    :raises ValueError: if it is anything but maps, lists, texts and numbers.
    """
    reader = _Reader(lines)
    try:
        value = reader.value(0, 0)
    except _UnreadableError as error:
        raise ValueError(str(error)) from None
    if reader.place < len(lines):
        raise ValueError(lines[reader.place])
    return value


class _Reader:
    """The place in some lines, and the values from there on."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = list(lines)
        self.place = 0

    def _next(self) -> tuple[int, str] | None:
        """Return the indentation and the text of the next line that is not empty."""
        while self.place < len(self._lines):
            line = self._lines[self.place]
            bare = line.strip(" ")
            if bare:
                return len(line) - len(line.lstrip(" ")), bare
            self.place += 1
        return None

    def value(self, indent: int, depth: int) -> Any:
        """Return the map or the list that begins in the next line, with at least this *indent*."""
        line = self._next()
        if line is None or line[0] < indent or depth == _DEEPEST:
            raise _UnreadableError("no value")
        if line[1] == "-" or line[1].startswith("- "):
            return self._list(line[0], depth)
        return self._map(line[0], depth)

    def _list(self, indent: int, depth: int) -> list[Any]:
        values: list[Any] = []
        while (line := self._next()) is not None and line[0] == indent:
            if line[1] != "-" and not line[1].startswith("- "):
                break
            text = line[1][1:].lstrip(" ")
            inner = indent + len(line[1]) - len(text)
            if not text:
                self.place += 1
                values.append(self.value(indent + 1, depth + 1))
            elif text == "-" or text.startswith("- ") or _KEY.match(text):
                # The value begins in the line of its mark, which only indents it.
                self._lines[self.place] = " " * inner + text
                values.append(self.value(inner, depth + 1))
            else:
                self.place += 1
                values.append(self._scalar(text, indent))
        return values

    def _map(self, indent: int, depth: int) -> dict[str, Any]:
        """Return the map with this *indent*."""
        values: dict[str, Any] = {}
        while (line := self._next()) is not None and line[0] == indent:
            if line[1].startswith("- "):
                break
            pair = _KEY.match(line[1])
            if pair is None:
                raise _UnreadableError(line[1])
            self.place += 1
            key = str(_scalar(pair["key"]))
            if pair["value"]:
                values[key] = self._scalar(pair["value"], indent)
                continue
            inner = self._next()
            if inner is not None and (
                inner[0] > indent or (inner[0] == indent and inner[1].startswith("- "))
            ):
                values[key] = self.value(indent, depth + 1)
            else:
                values[key] = None
        return values

    def _scalar(self, text: str, indent: int) -> Any:
        """Return the value *text*, which goes on in the next lines with more than this *indent*."""
        if _BLOCK.match(text):
            return self._literal(text, indent)
        pieces = [text]
        quote = text[0] if text[0] in "'\"" else ""
        quotes = _quotes_in(text, quote)
        while self.place < len(self._lines):
            line = self._lines[self.place]
            bare = line.strip(" ")
            is_deeper = len(line) - len(line.lstrip(" ")) > indent
            if (quotes % 2 == 0) if quote else (not is_deeper or not bare):
                break
            if not quote and _KEY.match(bare):  # a pair, indented by mistake
                raise _UnreadableError(line)
            pieces.append(bare)
            quotes += _quotes_in(bare, quote)
            self.place += 1
        if quotes % 2:
            raise _UnreadableError(text)
        return _scalar(_folded(pieces, quote))

    def _literal(self, mark: str, indent: int) -> str:
        """Return a text that is written as it is, below its *mark*."""
        lines: list[str] = []
        while self.place < len(self._lines):
            line = self._lines[self.place]
            if line.strip(" ") and len(line) - len(line.lstrip(" ")) <= indent:
                break
            lines.append(line)
            self.place += 1
        full = [line for line in lines if line.strip(" ")]
        margin = min((len(line) - len(line.lstrip(" ")) for line in full[:1]), default=0)
        text = (" " if mark[0] == ">" else "\n").join(line[margin:] for line in lines)
        return text.rstrip("\n") if mark[1:] == "-" else text.rstrip("\n") + "\n"


def _quotes_in(text: str, quote: str) -> int:
    """Return the number of the *quote* in *text*: odd, as long as no further one has ended it."""
    if quote == '"':
        text = _ESCAPED.sub("", text)
    return text.count(quote) if quote else 0


_ESCAPED = Pattern(r"\\.")


def _folded(pieces: list[str], quote: str) -> str:
    """Return a text of several lines as one: a line feed is a blank, and an empty line is one."""
    folded = pieces[:1]
    is_joined = False
    for piece in pieces[1:]:
        last = folded[-1]
        if quote == '"' and _is_continued(last):
            folded[-1] = last[:-1]
            is_joined = True
        if not piece:
            folded.append("\n")
            is_joined = True
            continue
        if not is_joined:
            folded.append(" ")
        folded.append(piece)
        is_joined = False
    return "".join(folded)


def _is_continued(piece: str) -> bool:
    """Whether *piece* ends with a backslash that is not escaped."""
    return (len(piece) - len(piece.rstrip("\\"))) % 2 == 1


def _scalar(text: str) -> Any:
    """Return the value of a *text* of one line."""
    if text.startswith("'"):
        if _SINGLE.fullmatch(text) is None:
            raise _UnreadableError(text)
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        try:
            return json.loads(_ESCAPES.sub(_in_json, text).replace("\n", "\\n"))
        except ValueError:
            raise _UnreadableError(text) from None
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "&*!|>%`{[#":
        raise _UnreadableError(text)
    if _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    return text


_SINGLE = Pattern(r"'[^']*(?:''[^']*)*'")
# The escapes of YAML that JSON does not have.
_ESCAPES = Pattern(r"\\(x[0-9A-Fa-f]{2}|U[0-9A-Fa-f]{8}|.)")
_OF_YAML = {
    "0": "\\u0000",
    "a": "\\u0007",
    "v": "\\u000b",
    "e": "\\u001b",
    "N": "\\u0085",
    "_": "\\u00a0",
    "L": "\\u2028",
    "P": "\\u2029",
}
_OF_JSON = frozenset('"\\/bfnrtu')


def _in_json(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] in _OF_JSON:
        return match[0]
    if len(escape) > 1:
        return json.dumps(chr(min(int(escape[1:], 16), 0x10FFFF)))[1:-1]
    return _OF_YAML.get(escape, escape)
