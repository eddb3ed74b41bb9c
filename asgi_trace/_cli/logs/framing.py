"""
The forms in which other programs pass on the lines of a log: the journal's export and its verbose
form, server-sent events, messages behind their lengths, and several files with a header for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from ..._core.patterns import Pattern

__all__ = ("FILE", "Blocks", "behind_headers", "framing_of")

Blocks = Iterable[bytes]

_LARGEST = 16 << 20
"""The bytes of the largest record that is read."""


def framing_of(start: bytes) -> Callable[[Blocks], Iterator[bytes]] | None:
    """
    Return the function that makes lines of a log with this *start*; None for a log that is in none
    of these forms.
    """
    if start.startswith(_EXPORT):
        return _exported
    if start.startswith(_EVENT):
        return _events
    if _is_counted(start):
        return _without_counts
    return _verbose if _VERBOSE.match(start) else None


# -- the journal -----------------------------------------------------------------------------------

_EXPORT = b"__CURSOR="


def _exported(blocks: Blocks) -> Iterator[bytes]:
    """
    Yield *blocks* of ``journalctl -o export`` with a line of JSON for each record.

    A record is lines of ``NAME=value`` up to an empty line. A value with a line feed or without
    printable text follows the line of its name, behind its length in eight bytes.
    """
    fields: dict[str, str] = {}
    rest = b""
    for block in blocks:
        data = rest + block
        records: list[str] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            name, is_text, value = data[start:end].removesuffix(b"\r").partition(b"=")
            if name and not is_text:
                size = int.from_bytes(data[end + 1 : end + 9], "little")
                first, end = end + 9, end + 9 + min(size, _LARGEST)
                if end >= len(data):
                    break
                value = data[first:end]
            if name:
                fields[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            elif fields:
                records.append(json.dumps(fields))
                fields = {}
            start = end + 1
        rest = data[start:] if len(data) - start <= 2 * _LARGEST else b""
        if records:
            yield "".join(f"{record}\n" for record in records).encode()
    if fields:
        yield f"{json.dumps(fields)}\n".encode()


# journalctl -o json-sse, and any other stream of server-sent events.
_EVENT = b"data: {"


def _events(blocks: Blocks) -> Iterator[bytes]:
    """Yield *blocks* of events without the empty line that ends each."""
    is_in_line = False
    for block in blocks:
        lines = block.split(b"\n")
        kept = [line + b"\n" for line in lines[:-1] if line.strip() or is_in_line]
        is_in_line = bool(lines[-1])
        if kept or lines[-1]:
            yield b"".join((*kept, lines[-1]))


# The number of bytes of a message of syslog before it, where no line feed is after it (RFC 6587).
_COUNT = Pattern(rb"([1-9]\d{0,6}) (?=<\d{1,3}>)")
_LONGEST_COUNT = len("1234567 <123>")


def _is_counted(block: bytes) -> bool:
    count = _COUNT.match(block)
    end = 0 if count is None else count.end() + int(count[1])
    return end > 0 and block[end - 1 : end] != b"\n" and _COUNT.match(block, end) is not None


def _without_counts(blocks: Blocks) -> Iterator[bytes]:
    """Yield *blocks* of messages behind their lengths, each with a line feed instead."""
    rest = b""
    for block in blocks:
        data = rest + block
        messages: list[bytes] = []
        start = 0
        while count := _COUNT.match(data, start):
            end = count.end() + int(count[1])
            if end > len(data):
                break
            messages.append(data[count.end() : end])
            start = end
        rest = data[start:]
        if (count is None and len(rest) > _LONGEST_COUNT) or len(rest) > _LARGEST:  # anything else
            messages.append(rest.rstrip(b"\n"))
            rest = b""
        if messages:
            yield b"\n".join((*messages, b""))
    if rest:
        yield rest


# The first line of a record of ``journalctl -o verbose``, with its microseconds since the epoch.
_OF_RECORD = rb"[^ \[\n][^\[\n]{9,60} \[s=[0-9a-f]{32};i=[0-9a-f]+;[^\]\n]*\bt=([0-9a-f]{1,15})\b"
_RECORD = Pattern(_OF_RECORD)
_VERBOSE = Pattern(rb"(?:-- [^\n]*\n)?" + _OF_RECORD)
# Of a value with line feeds, the further lines are indented by more than four blanks.
_FIELD = Pattern(rb" {4}([A-Z_][A-Z0-9_]{0,63})=")


def _verbose(blocks: Blocks) -> Iterator[bytes]:
    """
    Yield *blocks* of ``journalctl -o verbose`` with a line of JSON for each record.

    A record is a line with its time, and one line of ``NAME=value`` for each field.
    """
    fields: dict[str, list[bytes]] = {}
    name, indent, size = "", 0, 0
    is_in_line = False
    for block in blocks:
        records: list[bytes] = []
        lines = block.replace(b"\r\n", b"\n").split(b"\n")
        if is_in_line:  # the rest of a line that is too large
            del lines[0]
        for line in lines:
            record, field = _RECORD.match(line), _FIELD.match(line)
            if record is not None:
                if fields:
                    records.append(_record_of(fields))
                fields = {"__REALTIME_TIMESTAMP": [b"%d" % int(record[1], 16)]}
                name, size = "", 0
            elif field is not None and fields:
                name, indent = field[1].decode(), field.end()
                fields[name] = [line[indent:]]
            elif name and line.startswith(b" " * indent):
                fields[name].append(line[indent:])
            elif line.strip() and not line.startswith(b" "):  # of no record
                if fields:
                    records.append(_record_of(fields))
                    fields, name = {}, ""
                records.append(line + b"\n")
            size += len(line)
            if size > _LARGEST and name:
                fields[name].clear()
        is_in_line = not block.endswith(b"\n")
        if records:
            yield b"".join(records)
    if fields:
        yield _record_of(fields)


def _record_of(fields: dict[str, list[bytes]]) -> bytes:
    values = {name: b"\n".join(lines).decode("utf-8", "replace") for name, lines in fields.items()}
    return f"{json.dumps(values)}\n".encode()


# -- several files ---------------------------------------------------------------------------------

# The header that tail and head write before the lines of each file, if they show several.
FILE = Pattern(rb"==> [^<>\r\n]{1,250} <==\r?\n")


def behind_headers(blocks: Blocks) -> Iterator[bytes]:
    """
    Yield *blocks* with the header of its file before each line, where it is a prefix.

    An empty line is before each header but the first: without it, the line is one of a log.
    """
    header = b""
    empty = b""  # the line before, where it has no text: it may belong to the next header
    is_start, is_in_line = True, False
    for block in blocks:
        behind: list[bytes] = []
        *lines, rest = block.split(b"\n")
        for line in (*(line + b"\n" for line in lines), rest):
            if not line:
                continue
            if is_in_line:
                behind.append(line)
            elif (empty or is_start) and FILE.fullmatch(line):
                header, empty = line.rstrip() + b" ", b""
            else:
                if empty:
                    behind.append(header + empty)
                empty = b"" if line.strip() else line
                if not empty:
                    behind.append(header + line)
            is_start, is_in_line = False, not line.endswith(b"\n")
        if behind:
            yield b"".join(behind)
