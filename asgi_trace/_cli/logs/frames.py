"""
Log lines in the strings of JSON objects, read a block at a time.

A collector writes the same fields in the same order around each line, and their values seldom have
an escape: this is the frame. Objects are cut at the fixed texts beside their lines, one regular
expression matches the frames, and each combination of values is read as JSON once. An object with
another frame is read by itself, so the result is that of ``envelopes.opened()`` for each object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple, cast

from .envelopes import DECISIVE, DOCKERS_PART, TIMES, Content, opened

__all__ = ("Contents", "contents")

# The number of objects at the beginning of a block in which a frame is looked for.
_LOOKED_AT = 8
# The most names in a frame: an expression for thousands of values takes long to compile.
_MOST_NAMES = 100


class Contents(NamedTuple):
    """The lines in some objects, "" for an object without a whole line; their times and sources."""

    lines: Sequence[str]
    times: Sequence[Any]
    sources: Sequence[str]


def contents(objects: Sequence[str]) -> Contents:
    """Return the lines in *objects*, each of which is a line of JSON or of another form."""
    frame = next(filter(None, map(_frame_of, objects[:_LOOKED_AT])), None)
    if frame is not None:
        return _in_frames(objects, frame)
    lines, times, sources, _ = zip(*map(_content, objects), strict=True)
    return Contents(lines, times, sources)


_NONE = Content("", None, "", False)


def _content(text: str) -> Content:
    fields = _fields(text)
    content = None if fields is None else opened(fields)
    if content is None or content.is_part or "\n" in content.line:
        return _NONE
    return content


def _fields(text: str) -> dict[str, Any] | None:
    """Return the fields of a *text* that is one object and nothing else."""
    if text[:1] != "{":
        return None
    # json.loads(), without the calls in it.
    try:
        fields, end = _decoder()(text)
    except (ValueError, RecursionError):
        return None
    return fields if end == len(text) else None


@cache
def _decoder() -> Callable[[str], tuple[Any, int]]:
    from json import JSONDecoder

    return JSONDecoder().raw_decode


# -- frames ----------------------------------------------------------------------------------------


class _Frame(NamedTuple):
    """
    The text of an object around its line.

    *before* and *after* stand beside the line, which is in the field *holder*; *joint* is both with
    a tab between them, which no frame contains. *pattern* matches the frame with its joint: its
    groups are its end, the time from the field *timer*, and each value that may decide whether the
    object is an envelope, and of which source.
    """

    before: str
    after: str
    joint: str
    holder: str
    timer: str
    pattern: re.Pattern[str]


_VALUE = r'[^"\\\x00-\x1f]*'
_PAIR = re.compile(rf'"(?P<name>{_VALUE})" ?: ?"(?P<value>{_VALUE})"')
_AFTER = re.compile(rf'" ?(?:, ?"{_VALUE}" ?: ?"?|\}}\Z)')


def _frame_of(text: str) -> _Frame | None:
    """Return the frame in an envelope; None for any other *text*, and if the frame has escapes."""
    fields = _fields(text)
    content = None if fields is None else opened(fields)
    if fields is None or content is None:
        return None
    holders = [name for name, value in fields.items() if _is_line(value, content.line)]
    timers = [name for name in TIMES if name in fields and fields[name] == content.time]
    if not holders or (content.time is not None and type(content.time) is not str):
        return None
    holder = holders[0]
    timer = timers[0] if timers and content.time else ""
    begin = re.search(rf'"{re.escape(holder)}" ?: ?"', text)
    if begin is None or _source(fields, holder, timer) is None:
        return None
    value, size = _decoder()(text[begin.end() - 1 :])
    behind = _AFTER.match(text, begin.end() + size - 2)
    if value != fields[holder] or behind is None:
        return None
    joint = f"{begin[0]}\t{behind[0]}"
    around = f"{text[: begin.start()]}{joint}{text[behind.end() :]}"
    names = [holder, *(pair["name"] for pair in _PAIR.finditer(around))]
    if "\\" in around or len(set(names)) < len(names) or len(names) > _MOST_NAMES:
        return None
    after = rf"\n{behind[0]}" if value.endswith("\n") else behind[0]
    is_flat = not any(isinstance(field, dict | list) for field in fields.values())
    pattern = _pattern(around, timer, DECISIVE if is_flat else None)
    return _Frame(begin[0], after, joint, holder, timer, pattern)


def _is_line(value: Any, line: str) -> bool:
    return type(value) is str and value.rstrip("\r\n") == line


def _source(fields: dict[str, Any], holder: str, timer: str) -> str | None:
    """
    Return the source of an envelope with these *fields*; None, if it is none whatever its line and
    its time are.
    """
    any_line = {**fields, holder: "x", **({timer: "x"} if timer else {})}
    content = opened(any_line)
    if content is None or content.line != "x" or content.time != ("x" if timer else None):
        return None
    return content.source


def _pattern(around: str, timer: str, decisive: Set[str] | None) -> re.Pattern[str]:
    """
    Return the pattern of frames like *around*.

    :param decisive: the names of the values that get a group; None for all.
    """
    expression = ""
    end = 0
    for pair in _PAIR.finditer(around):
        expression += re.escape(around[end : pair.start("value")])
        if pair["name"] == timer:
            expression += f"(?P<time>{_VALUE[:-1]}+)"
        elif decisive is None or pair["name"] in decisive:
            expression += f"({_VALUE})"
        else:
            expression += _VALUE
        end = pair.end("value")
    expression += re.escape(around[end:])
    return re.compile(rf"(){expression}(\n)|[^\n]*\n")


def _in_frames(objects: Sequence[str], frame: _Frame) -> Contents:
    """Return the contents of *objects*, most of which have this *frame*."""
    heads, _, rests = zip(*map(str.partition, objects, repeat(frame.before)), strict=True)
    strings, _, tails = zip(*map(str.rpartition, rests, repeat(frame.after)), strict=True)
    lines = _unescaped(strings)
    arounds = map(frame.joint.join, zip(heads, tails, strict=True))
    columns = list(zip(*frame.pattern.findall("\n".join((*arounds, ""))), strict=True))
    times: list[Any] = [None] * len(objects)
    if frame.timer:
        times = list(columns.pop(frame.pattern.groupindex["time"] - 1))
    # A log has few combinations of the other values. Reversed, so that the dict has the first object
    # of each.
    kinds = list(zip(*columns, strict=True))
    source_of: dict[tuple[str, ...], str | None] = {}
    for kind, text in dict(zip(reversed(kinds), reversed(objects), strict=True)).items():
        fields = _fields(text) if kind[-1] else None
        source_of[kind] = None if fields is None else _source(fields, frame.holder, frame.timer)
    sources = list(map(source_of.__getitem__, kinds))
    odd = {place for place, line in enumerate(lines) if not line or len(line) >= DOCKERS_PART}
    if None in source_of.values():
        odd.update(place for place, source in enumerate(sources) if source is None)
    for place in odd:
        lines[place], times[place], sources[place], _ = _content(objects[place])
    return Contents(lines, times, cast("list[str]", sources))


def _unescaped(strings: Sequence[str]) -> list[str]:
    """Return the lines in *strings* of JSON, given without their quotes; "" for an invalid one."""
    ended = [f'{string}"' for string in strings]
    try:
        texts, ends = zip(*map(_scanner(), ended, repeat(0)), strict=True)
    except ValueError:
        return list(map(_unescaped_one, ended))
    if list(ends) != list(map(len, ended)) or "\n" in (block := "".join(texts)) or "\r" in block:
        return list(map(_unescaped_one, ended))
    return list(texts)


def _unescaped_one(ended: str) -> str:
    try:
        text, end = _scanner()(ended, 0)
    except ValueError:
        return ""
    line = text.rstrip("\r\n")
    return line if end == len(ended) and "\n" not in line else ""


@cache
def _scanner() -> Callable[[str, int], tuple[str, int]]:
    from json import decoder

    return decoder.scanstring  # type: ignore[attr-defined,no-any-return]
