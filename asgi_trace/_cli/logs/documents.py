"""
Blocks of bytes become blocks of lines: JSON documents of many log lines are split, JSON over
several lines is joined, and records in any other form become lines of JSON.

A log without documents is passed on unchanged. Memory is bounded: a document that is too large is
left out, and a command that splits it is suggested.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from ..._core.patterns import Pattern
from .envelopes import Peeler
from .framing import FILE, Blocks, behind_headers, framing_of
from .own import own_head
from .shown import of_ruby, shown_in
from .stores import (
    BLANKS,
    SIGNATURE,
    by_header,
    by_time,
    is_header,
    is_of_types,
    is_text,
    jq_for,
    lines_in,
)
from .tables import is_table, rows

__all__ = ("added", "unfolded")

_LARGEST = 16 << 20
"""The bytes of the largest document that is read."""

# A header of ``aws logs tail``, whose line of JSON stands pretty-printed below it; the form "short"
# has no stream in it.
_OF_TAIL = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^ \n]*(?: [^ {}\[\]\n]+)? ?"
_HEADER = Pattern(_OF_TAIL + rb"\Z")
_HEADERS = Pattern(rb"^" + _OF_TAIL + rb"\r?\n\{\r?\n", re.MULTILINE)
_OPENS = Pattern(rb"([ \t]*)[{\[]\Z")
_CLOSERS = (b"}", b"]", b"},", b"],")


def unfolded(
    blocks: Blocks, complain: Callable[[str], object], is_shown: bool = True
) -> Iterator[bytes]:
    """
    Yield *blocks*, with a line for each one that a document in them holds.

    :param complain: is given a sentence for each document that is too large to be read.
    :param is_shown: whether they may have records in the forms of :mod:`shown`.
    """
    iterator = iter(blocks)
    first = next(iterator, None)
    if first is None:
        return
    first = first.removeprefix(_MARK) or first
    if _IN_COLOR.match(first):
        first, iterator = _bare(first), map(_bare, iterator)
    if first.startswith(b"{") and _ENDED in first[:_SNIFFED]:
        first, iterator = _with_line_feeds(first), map(_with_line_feeds, iterator)
    margin = _margin(first)
    if margin is not None:
        yield from unfolded(_outdented(chain((first,), iterator), margin), complain, is_shown)
        return
    if _is_around_documents(first):
        first, iterator = _bared(first), map(_bared, iterator)
    end = 0  # of the lines before the first record
    form = behind_headers if FILE.match(first) else _form_of(first, complain, is_shown)
    for _ in range(_MOST_WARNINGS):
        warning = _WARNING.match(first, end) if form is None else None
        if warning is None:
            break
        end = warning.end()
        form = _form_of(first[end : end + _LOOKED_AT], complain, is_shown)
    if form is not None:
        made = form(chain((first[end:],), iterator))
        # The first block shows the order of the lines.
        yield first[:end] + next(made, b"")
        yield from made
        return
    if _holds_documents(first):
        yield from _Unfolding(complain).lines(first, iterator)
    else:
        yield from _behind_lines(chain((first,), iterator), complain)


def _behind_lines(blocks: Blocks, complain: Callable[[str], object]) -> Iterator[bytes]:
    """Yield *blocks* of lines, behind which there may be documents."""
    iterator = iter(blocks)
    for block in iterator:
        if _has_document(block):
            yield from _Unfolding(complain).lines(block, iterator)
        else:
            yield block


def added(blocks: Blocks, complain: Callable[[str], object], start: bytes = b"") -> Iterator[bytes]:
    """
    Yield *blocks* that were added to a log whose beginning :func:`unfolded` has read. Only lines
    that are documents by their first name are split.

    :param start: the first lines of the log; when left out, those of *blocks*.
    """
    iterator = iter(blocks)
    first = next(iterator, None)
    if first is None:
        return
    iterator = chain((first,), iterator)
    margin = _margin(start or first)
    if margin is not None:
        iterator = _outdented(iterator, margin)
    yield from _behind_lines(map(_bared, iterator), complain)


def _form_of(
    start: bytes, complain: Callable[[str], object], is_shown: bool
) -> Callable[[Blocks], Iterator[bytes]] | None:
    """
    Return the function that reads records in the form of which a log has the *start*; None for
    lines and for JSON.
    """
    framing = framing_of(start)
    if framing is not None:
        return framing
    shown = shown_in(start) if is_shown else None
    if shown is not None:
        return lambda blocks: unfolded(shown(blocks), complain, is_shown=False)
    if is_table(start):
        return lambda blocks: rows(blocks, complain)
    return None


# A shell of Windows writes it before the first line.
_MARK = b"\xef\xbb\xbf"

# jq -C: the colors stand between the parts of JSON, whose strings have none.
_COLOR = rb"\x1b\[[\d;]{0,40}m"
_IN_COLOR = Pattern(rb"(?:%b)+[{\[](?:%b)*\r?\n" % (_COLOR, _COLOR))
_COLORS = Pattern(_COLOR)


def _bare(block: bytes) -> bytes:
    return _COLORS.sub(b"", block)


# The end of a message of GELF over TCP. Within JSON such a byte is never bare.
_ENDED = b"}\0"


def _with_line_feeds(block: bytes) -> bytes:
    return block.replace(_ENDED, b"}\n")


# A blank before each line: of rsyslog with a template of the message alone, which begins behind the
# colon of its tag, and of docker logs with --details, where there are none.
_AFTER_BLANK = Pattern(
    rb" (?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\{\"|(?:@?timestamp|time|ts|level)=|\[req=)[^\n]*\n"
)
# The details themselves, behind the time of -t: the labels and variables that --log-opt names,
# percent-encoded.
_STAMP = rb"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z )?"
_DETAILS = Pattern(
    _STAMP
    + rb"(?!(?:@?timestamp|time|ts|level|lvl|severity)=)"
    + rb"(?P<details>(?:[\w.%+-]{1,200}=[\w.%+-]{0,500}(?:,|(?= ))){1,30} )(?P<line>[^\n]*)\n"
)
# JSON, and lines of ours in logfmt, or with the ids first.
_NAMED = Pattern(r"\{\"|\[req=|timestamp=\d[^ ]{1,40} level=[A-Z]+ (?:logger|message)=")


def _margin(block: bytes) -> re.Pattern[bytes] | None:
    """
    Return an expression for the text that each line at the beginning of a log has before it, with
    the time in its group; None, if they have no such text.

    Details are recognised before a line of ours only: pairs before another logger's line may be its
    fields.
    """
    margin = rb"\A() " if _AFTER_BLANK.match(block) is not None else None
    details = _DETAILS.match(block)
    if details is not None:
        line = details["line"].decode("utf-8", "replace")
        if _NAMED.match(line) is not None or own_head(line) is not None:
            margin = rb"\A(%b)%b" % (_STAMP, re.escape(details["details"]))
    if margin is None:
        return None
    expression = re.compile(margin)
    *lines, _ = block[:_LOOKED_AT].split(b"\n")
    return expression if all(expression.match(line) for line in lines if line.strip()) else None


def _outdented(blocks: Blocks, margin: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield *blocks* without the *margin* of each line."""
    is_in_line = False
    for block in blocks:
        lines = block.split(b"\n")
        first = lines[0] if is_in_line else margin.sub(rb"\1", lines[0])
        is_in_line = bool(lines[-1])
        yield b"\n".join((first, *(margin.sub(rb"\1", line) for line in lines[1:])))


# The beginning of a line that is a document, behind lines of another log: of a collector,
# CloudWatch, Loki. An expression that begins with one character takes a third of the time of a
# search for the words, and where a block does not have that character, a search for it takes none.
_NAMES = rb"(?:resourceLogs|resource_logs|messageType|streams)"
_DOCUMENT = Pattern(rb'\{(?<![^\n]\{)"%b"' % _NAMES)
# The same in an envelope, such as that of a container in which a collector writes to its standard
# output. In a string of JSON, the quotes have escapes.
_WRAPPED = Pattern(rb'\{(?<=[^\n]\{)\\{0,7}"%b\\{0,7}"' % _NAMES)


def _has_document(block: bytes) -> bool:
    return b"{" in block and _DOCUMENT.search(block) is not None


def _is_around_documents(block: bytes) -> bool:
    """Whether envelopes at the beginning of a log have documents in them."""
    return b"{" in block and _WRAPPED.search(block) is not None


def _bared(block: bytes) -> bytes:
    """Return *block* without the envelopes around its documents; those of other lines are kept."""
    if not _is_around_documents(block):
        return block
    peeler = Peeler()
    lines = block.split(b"\n")
    for place, line in enumerate(lines):
        if _WRAPPED.search(line) is not None:
            bare = peeler.peel(line.decode("utf-8", "replace")).line.encode("utf-8", "replace")
            if _DOCUMENT.match(bare) is not None:
                lines[place] = bare
    return b"\n".join(lines)


# Lines before a document, such as a warning of the program that prints it: the two are often
# written to one place. Also the headers that curl -i prints, and pages without lines.
_WARNINGS = Pattern(
    rb"(?:(?:HTTP/[\d.]{1,3} \d{3}[^\n]*\n(?:[\w-]+: [^\n]*\n){0,100}\r?\n)+"
    rb"|(?:[^\n{\[][^\n]*\n|\n){1,5})?(?:(?:\[\]|\{\})?[ \t\r]*\n){0,100}(?=[{\[])"
)
# The same before records in another form: no line of a log, which has a time, a level or JSON first.
_WARNING = Pattern(rb"(?![\d{\[<\"]|INFO|DEBUG|ERROR)[^\n]*\n")
_MOST_WARNINGS = 5
_LOOKED_AT = 8192


# The rest of a list over several lines, of which tail shows the end: behind the line that is cut,
# there are the parts of an object, up to the next object. No part of a line matches a carriage return
# in two ways: many lines that end with one would take forever.
_CUT = Pattern(
    rb"[^\n]*\n(?:[ \t]*(?:\"[^\r\n]*|[}\]],?|[{\[]|-?\d[^\r\n]*)\r?\n){0,500}?([ \t]*)[}\]],\r?\n\1[{\[]\r?\n"
)


def _holds_documents(block: bytes) -> bool:
    start = block[:_SNIFFED].lstrip(BLANKS)
    warnings = _WARNINGS.match(start)
    if warnings is not None and _begins_document(start[warnings.end() :]):
        return True
    return _begins_document(start) or _CUT.match(start) is not None


def _begins_document(start: bytes) -> bool:
    if _QUOTED.match(start):
        return True
    first, line_feed, rest = start.partition(b"\n")
    first = first.rstrip()
    if first in (b"{", b"["):
        return rest.lstrip().startswith(b'"' if first == b"{" else (b"{", b"[", b'"'))
    if first.startswith((b"[{", b'["', b"[[")):
        return True
    if not first.startswith(b"{"):
        return _HEADERS.search(start) is not None
    if line_feed or len(start) < _SNIFFED:
        documents = _parsed(first.rstrip(b","))
        if documents:
            has_comma = first.endswith(b",")  # as the members of a list have it
            return has_comma or len(documents) > 1 or lines_in(documents[0]) is not None
    elif b"}{" in first and _is_followed(first):
        return True
    return SIGNATURE.search(start) is not None


_SNIFFED = 1 << 16

# Lines as strings of JSON, as jq writes them without -r: one at least, of which the first is a logger's.
_STRING = rb'(?:[^"\\\x00-\x1f]|\\.)*"\r?(?:\n|\Z)'
_QUOTED = Pattern(
    rb'"(?=\{\\"|\[?\d{4}-\d\d-\d\d[T ]\d\d:|(?:@?timestamp|time|ts|level)=)%b(?:"%b|\Z)'
    % (_STRING, _STRING)
)


def _is_followed(line: bytes) -> bool:
    """Whether an object is right behind the first one in a *line*."""
    text = line.decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        _, end = json.JSONDecoder().raw_decode(text)
        return text.startswith("{", end)
    return False


# -- JSON ------------------------------------------------------------------------------------------


class _Unfolding:
    """The documents of one log, line by line."""

    def __init__(self, complain: Callable[[str], object]) -> None:
        self._complain = complain
        self._pieces: list[bytes] = []
        self._size = 0
        self._closers: tuple[bytes, ...] = ()
        self._header = b""
        self._start = b""  # of a document that is too large
        self._columns: list[str] | None = None  # of rows without names
        self._count = 0
        self._is_over = False

    def lines(self, first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield blocks of lines."""
        half: list[bytes] = []  # pieces of a line that is longer than a block
        size = 0
        block: bytes | None = first
        while block is not None:
            size += len(block)
            if block.endswith(b"\n"):
                if half and size > _LARGEST:
                    self._start = half[0][:_SNIFFED]
                    self._refuse()
                    half, block = [], block[block.find(b"\n") + 1 :]
                yield from self._taken(b"".join((*half, block)))
                half, size = [], 0
            elif size <= _LARGEST or not half:
                half.append(block)
            else:
                half = [half[0][:_SNIFFED]]  # of a document that is too large
            block = next(blocks, None)
        self._is_over = True
        if half and size > _LARGEST:
            self._start = half[0][:_SNIFFED]
            self._refuse()
        elif half:
            yield from self._taken(b"".join(half))
        if self._pieces or self._start:
            yield from self._closed()
        if self._header:
            yield self._header.rstrip() + b"\n"

    def _taken(self, data: bytes) -> Iterator[bytes]:
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        unfolded = b"".join(line for piece in lines for line in self._line(piece.rstrip(b"\r")))
        if unfolded:
            yield unfolded

    def _line(self, line: bytes) -> Iterator[bytes]:
        if self._closers:
            self._add(line)
            if line in self._closers:
                yield from self._closed()
            return
        line = line.strip(b"\xef\xbb\xbf")
        bare = line.strip()
        opens = _OPENS.match(line)
        if self._header and opens is None:  # it was no header, but a line of one word
            header, self._header = self._header, b""
            yield header.rstrip() + b"\n"
        if not bare:
            yield b"\n"
            return
        if bare in _CLOSERS or bare == b"," or line.rstrip() == b"[":
            return
        if opens is not None:
            indent = opens[1]
            self._closers = tuple(indent + closer for closer in _CLOSERS)
            self._add(line)
        elif _HEADER.match(line):
            self._header = line.rstrip() + b" "
        elif len(bare) > _LARGEST:
            self._start = bare[:_SNIFFED]
            self._refuse()
        else:
            yield from self._document(bare.strip(b","), line)

    def _add(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > _LARGEST:
            self._start = self._start or b"\n".join(self._pieces)[:_SNIFFED]
            self._pieces.clear()
        else:
            self._pieces.append(line)

    def _closed(self) -> Iterator[bytes]:
        """Yield the lines of the document whose last line was read."""
        pieces, self._pieces = self._pieces, []
        self._closers = ()
        self._size = 0
        if self._start:
            self._refuse()
            return
        # JSON has no line feed within a string; one between its parts has no meaning.
        text = b" ".join(piece.strip() for piece in pieces).rstrip(b",")
        yield from self._document(text, b"\n".join(pieces))

    def _document(self, text: bytes, line: bytes) -> Iterator[bytes]:
        header, self._header = self._header, b""
        documents = _parsed(text)
        rest = b""
        if not documents and (self._is_over or SIGNATURE.search(text[:_SNIFFED])):
            documents, rest = _cut_off(text)
        if not documents and (text.startswith(b"[{") or text.endswith(b"}]")):
            # A list may begin or end on the line of one of its objects, as SQLite writes it.
            text = text.removeprefix(b"[").removesuffix(b"]")
            documents = _parsed(text)
        if not documents:
            documents, text = _of_ruby(line), b""
        if not documents:
            yield (header + b"\n" if header else b"") + line + b"\n"
            return
        for document in documents:
            yield from self._lines_of(document, text if len(documents) == 1 else b"", header)
        if rest:
            yield rest + b"\n"

    def _lines_of(self, document: Any, text: bytes, header: bytes) -> Iterator[bytes]:
        """Yield the lines of a *document*; of a record, its *text*, if that is known."""
        self._count += 1
        if self._count == 1 and is_header(document):
            self._columns = document
            return
        row = None if self._columns is None else by_header(self._columns, document)
        if self._count == 2 and row is not None and is_of_types(document):
            return
        lines = None if header else lines_in(document)
        if row is not None:
            lines = [row]
        if lines is None and is_text(document):
            lines = [document] if isinstance(document, str) else document
        if lines is None:
            yield header + (text or json.dumps(document).encode()) + b"\n"
            return
        for line in by_time(lines):
            yield (line if isinstance(line, str) else json.dumps(line)).encode("utf-8", "replace")
            yield b"\n"

    def _refuse(self) -> None:
        start, self._start = self._start, b""
        self._complain(
            f"a JSON document of more than {_LARGEST >> 20} MB is not read; jq -c '{jq_for(start)}' makes lines of it"
        )


def _of_ruby(lines: bytes) -> list[Any]:
    """Return the object in *lines* that Logstash shows, or nothing."""
    if b'" => ' not in lines:
        return []
    fields = of_ruby(lines.decode("utf-8", "replace").split("\n"))
    return [] if fields is None else [fields]


_PARTS_OF_JSON = Pattern(rb'"(?:[^"\\]|\\.)*("?)|[{}\[\]]', re.DOTALL)


def _cut_off(text: bytes) -> tuple[list[Any], bytes]:
    """
    Return the document that *text* begins with, or of which it is the beginning, up to the last whole
    object or list in it, and the rest; nothing, if there is none.
    """
    closers: list[bytes] = []
    end = depth = 0
    for part in _PARTS_OF_JSON.finditer(text):
        if part[1] == b"":  # the text ends within a string
            break
        if part[0] in b"{[":
            closers.append(b"}" if part[0] == b"{" else b"]")
        elif part[0] in b"}]":
            if not closers or closers.pop() != part[0]:
                return [], b""
            end, depth = part.end(), len(closers)
            if not depth:  # such as the prompt of a shell behind it, but no further document
                end = 0 if text[end : end + 1] in (b"{", b"[") else end
                break
    documents = _parsed(text[:end] + b"".join(closers[:depth][::-1])) if end else []
    if len(documents) != 1 or lines_in(documents[0]) is None:
        return [], b""
    return documents, text[end:].strip(b", ")


def _parsed(text: bytes) -> list[Any]:
    """
    Return the values of JSON in *text*: one, or objects without anything between them, as Amazon's
    Firehose writes them; none, if it is no JSON.
    """
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        if b"}{" not in text:
            return []
    values = []
    rest = text.decode("utf-8", "replace")
    decode = json.JSONDecoder().raw_decode
    end = 0
    try:
        while end < len(rest):
            value, end = decode(rest, end)
            values.append(value)
    except (ValueError, RecursionError):
        return []
    return values
