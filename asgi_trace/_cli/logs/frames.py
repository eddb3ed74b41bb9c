"""
Log lines in the strings of JSON objects, read a block at a time.

A collector writes the same fields in the same order around each line, and their values seldom have
an escape: this is the frame. In most objects of a block only the line, its time and a few numbers
vary: these are cut at the texts between them, which are the same in all. The frames of the others
are matched by one regular expression, and each combination of their values is read as JSON once. An
object with another frame is read by itself, so the result is that of ``objects.opened()`` for
each object.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from functools import cache
from itertools import compress, count, repeat
from typing import Any, NamedTuple, cast

from ..._core.patterns import Pattern
from .lines import LOOKED_AT, Lines
from .objects import DECISIVE, SHORTEST_PART, TIMES, Content, opened
from .stamps import Texts, texts_around, times_of

__all__ = ("Contents", "contents", "put", "strings", "unescaped")

# The most names in a frame: an expression for thousands of values takes long to compile.
_MOST_NAMES = 100


class Contents(NamedTuple):
    """The lines in some objects, "" for an object without a whole line; their times and sources."""

    lines: Sequence[str]
    times: Sequence[Any]
    sources: Sequence[str]


def contents(objects: Sequence[str]) -> Contents:
    """Return the lines in *objects*, each of which is a line of JSON or of another form."""
    frame = _first_frame(objects)
    if frame is not None:
        return _within_texts(objects, frame) or _in_fixed_texts(objects, frame)
    lines, times, sources, _ = zip(*map(_content, objects), strict=True)
    return Contents(lines, times, sources)


def strings(objects: Sequence[str]) -> Contents | None:
    """
    Return the result of :func:`contents`, but with the lines as they are in the strings, of which
    some may be invalid; None, if these are not at the same place in most of the *objects*.
    """
    frame = _first_frame(objects)
    return None if frame is None else _within_texts(objects, frame, is_escaped=True)


def _first_frame(objects: Sequence[str]) -> _Frame | None:
    return next(filter(None, map(_frame_of, objects[:LOOKED_AT])), None)


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

    *head* and *tail* are this text in the first object that has the frame, and *source* is its
    source. *before* and *after* stand beside the line, which is in the field *holder*; *joint* is
    both with a tab between them, which no frame contains. *decisive* are the names of the values
    that may decide whether the object is an envelope, and of which source; None for all. *pattern*
    matches the frame with its joint: its groups are its end, the time from the field *timer*, and
    each decisive value.
    """

    head: str
    tail: str
    source: str
    before: str
    after: str
    joint: str
    holder: str
    timer: str
    decisive: Set[str] | None
    pattern: re.Pattern[str]


_VALUE = r'[^"\\\x00-\x1f]*'
_PAIR = Pattern(rf'"(?P<name>{_VALUE})" ?: ?"(?P<value>{_VALUE})"')
_WORD = Pattern(r"\w")
_AFTER = Pattern(rf'" ?(?:, ?"{_VALUE}" ?: ?"?|\}}\Z)')


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
    source = _source(fields, holder, timer)
    if begin is None or source is None:
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
    if timer and timer not in names:  # with more white space than in a frame
        return None
    if not all(map(_WORD.search, names)):  # the text between two values was taken for a name
        return None
    line_feed = r"\n" if value.endswith("\n") else ""
    head, tail = text[: begin.end()], f"{line_feed}{text[behind.start() :]}"
    is_flat = not any(isinstance(field, dict | list) for field in fields.values())
    decisive = DECISIVE if is_flat else None
    pattern = _pattern(around, timer, decisive)
    after = f"{line_feed}{behind[0]}"
    return _Frame(head, tail, source, begin[0], after, joint, holder, timer, decisive, pattern)


def _is_line(value: Any, line: str) -> bool:
    return type(value) is str and value.rstrip("\r\n") == line


def _source(fields: dict[str, Any], holder: str, timer: str) -> str | None:
    """
    Return the source of an envelope with these *fields*; None, if it is none whatever its line and
    its time are.
    """
    if timer and timer not in fields:  # what ends it was taken for the time
        return None
    line = _other_than(fields[holder])
    time = _other_than(fields[timer]) if timer else None
    any_line = {**fields, holder: line, **({timer: time} if timer else {})}
    content = opened(any_line)
    if content is None or content.is_part or content.line != line or content.time != time:
        return None
    return content.source


def _other_than(value: str) -> str:
    """Return another text than *value*, which a further field may have, too."""
    return "y" if _is_line(value, "x") else "x"


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


# -- the same texts --------------------------------------------------------------------------------


def _within_texts(
    objects: Sequence[str], frame: _Frame, *, is_escaped: bool = False
) -> Contents | None:
    """
    Return the contents of *objects* of which most have this *frame*, apart from its line and time;
    None, if they begin or end in several ways.

    :param is_escaped: whether the lines are left as they are in their strings.
    """
    texts = _texts_of(frame)
    objects = Lines.of(objects)
    inner = None if texts is None else objects.within(texts.begin, texts.end)
    if texts is None or inner is None:
        return None
    escaped = list(inner)
    middles: list[str] = []
    times: list[str] = []
    if frame.timer:
        cut = str.partition if texts.is_time_first else str.rpartition
        first, middles, last = map(list, zip(*map(cut, inner, repeat(texts.middle)), strict=True))
        times, escaped = (first, last) if texts.is_time_first else (last, first)
    lines = escaped if is_escaped else unescaped(escaped)
    places = _failed([lines, middles], lines)
    sources = [frame.source] * len(inner)
    others = _matched([objects[place] for place in places], frame) if places else _NOTHING
    if is_escaped:
        others = others._replace(lines=[""] * len(places))
    received: Sequence[Any] | None = put(others.times, places, [None] * len(inner))
    if frame.timer:
        received = times_of(times, texts.zone, places, others.lines, others.times)
    if received is None:
        return None
    return Contents(
        put(others.lines, places, lines), received, put(others.sources, places, sources)
    )


def _texts_of(frame: _Frame) -> Texts | None:
    """Return the texts of a *frame* around its line and its time; None, if they have other parts."""
    if not frame.timer:
        return Texts(frame.head, "", frame.tail, "", is_time_first=True)
    pairs = (*_PAIR.finditer(frame.head), *_PAIR.finditer(frame.tail))
    time = next((pair["value"] for pair in pairs if pair["name"] == frame.timer), None)
    return texts_around(frame.head, frame.tail, time)


def put(values: Iterable[Any], places: Sequence[int], column: list[Any]) -> list[Any]:
    """Put *values* in these *places* of a *column*, and return it."""
    for place, value in zip(places, values, strict=True):
        column[place] = value
    return column


def _failed(checks: Sequence[Sequence[object]], lines: Sequence[str]) -> list[int]:
    """Return the places at which one of *checks* is false, or one of *lines* may be only a part."""
    if max(map(len, lines)) >= SHORTEST_PART:
        checks = (*checks, [len(line) < SHORTEST_PART for line in lines])
    failed = (map(operator.not_, check) for check in checks if not all(check))
    return sorted({place for marks in failed for place in compress(count(), marks)})


_NOTHING = Contents((), (), ())


# -- fixed texts -----------------------------------------------------------------------------------


class _Fixed(NamedTuple):
    """
    The texts that are the same in the objects of a block: at their *begin* and *end*, and between
    the values that vary, *before* the line and, backwards from the end, *after* it.

    *times* is the place of the time among these values, those before the line first; None without
    a time.
    """

    begin: str
    before: Sequence[str]
    after: Sequence[str]
    end: str
    times: int | None


def _fixed_texts(frame: _Frame, others: Sequence[str]) -> _Fixed:
    """Return the texts that are the same in the first object of a *frame* and in one of *others*."""
    pairs = [*_PAIR.finditer(frame.head), *_PAIR.finditer(frame.tail)]
    values = {pair["name"]: pair["value"] for pair in pairs}
    varying = {frame.timer} if frame.timer else set()
    for other in others:
        other_values = {pair["name"]: pair["value"] for pair in _PAIR.finditer(other)}
        if frame.decisive is not None and values.keys() <= other_values.keys():
            varying.update(name for name in values if values[name] != other_values[name])
            varying -= frame.decisive - {frame.timer}
            break
    before, heads = _cut_at(frame.head, varying)
    after, tails = _cut_at(frame.tail, varying)
    names = [*heads, *reversed(tails)]
    times = names.index(frame.timer) if frame.timer else None
    return _Fixed(before[0], before[1:], after[-2::-1], after[-1], times)


def _cut_at(text: str, varying: Set[str]) -> tuple[list[str], list[str]]:
    """Return the parts of *text* between the values that are *varying*, and their names."""
    parts: list[str] = []
    names: list[str] = []
    start = 0
    for pair in _PAIR.finditer(text):
        if pair["name"] in varying:
            parts.append(text[start : pair.start("value")])
            names.append(pair["name"])
            start = pair.end("value")
    return [*parts, text[start:]], names


def _in_fixed_texts(objects: Sequence[str], frame: _Frame) -> Contents:
    """Return the contents of *objects*, most of which have the fixed texts of this *frame*."""
    fixed = _fixed_texts(frame, objects[: -LOOKED_AT - 1 : -1])
    start, end = len(fixed.begin), -len(fixed.end)
    strings: Sequence[str] = [text[start:end] for text in objects]
    columns: list[Sequence[str]] = []
    for text in fixed.before:
        values, _, strings = zip(*map(str.partition, strings, repeat(text)), strict=True)
        columns.append(values)
    for text in fixed.after:
        strings, _, values = zip(*map(str.rpartition, strings, repeat(text)), strict=True)
        columns.append(values)
    lines = unescaped(strings)
    times: list[Any] = [None] * len(objects)
    if fixed.times is not None:
        times = list(columns[fixed.times])
    sources = [frame.source] * len(objects)
    checks: list[Sequence[object]] = [
        lines,
        list(map(str.startswith, objects, repeat(fixed.begin))),
        list(map(str.endswith, objects, repeat(fixed.end))),
    ]
    if fixed.times is not None:
        checks.append(times)
    checks += [list(map(_are_plain, column)) for column in columns if not _are_plain(column)]
    places = _failed(checks, lines)
    if places:
        rest = _matched([objects[place] for place in places], frame)
        for place, line, time, source in zip(places, *rest, strict=True):
            lines[place], times[place], sources[place] = line, time, source
    return Contents(lines, times, sources)


# -- patterns --------------------------------------------------------------------------------------


def _matched(objects: Sequence[str], frame: _Frame) -> Contents:
    """Return the contents of *objects*, most of which match the pattern of this *frame*."""
    heads, _, rests = zip(*map(str.partition, objects, repeat(frame.before)), strict=True)
    strings, _, tails = zip(*map(str.rpartition, rests, repeat(frame.after)), strict=True)
    lines = unescaped(strings)
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
    odd = {place for place, line in enumerate(lines) if not line or len(line) >= SHORTEST_PART}
    if None in source_of.values():
        odd.update(place for place, source in enumerate(sources) if source is None)
    for place in odd:
        lines[place], times[place], sources[place], _ = _content(objects[place])
    return Contents(lines, times, cast("list[str]", sources))


def unescaped(strings: Sequence[str]) -> list[str]:
    """Return the lines in *strings* of JSON, given without their quotes; "" for an invalid one."""
    lines = list(strings)
    # No string of JSON has a line feed in it.
    odd = "\n".join(lines).encode("utf-8", "surrogatepass").translate(None, _PLAIN)
    if len(odd) >= len(lines):
        places = list(compress(count(), odd.split(b"\n")))
        others = _decoded([lines[place] for place in places])
        for place, line in zip(places, others, strict=True):
            lines[place] = line
    return lines


def _decoded(strings: Sequence[str]) -> list[str]:
    """Return the result of :func:`unescaped` for *strings*, most of which have an escape."""
    # One call for all takes half of the time. Each of *strings* is one value of the list at least.
    between = '",\n"'
    text = f'["{between.join(strings)}"]'
    values: list[Any] = []
    with suppress(ValueError, RecursionError):
        values, end = _decoder()(text)
        values = values if end == len(text) else []
    if len(values) != len(strings) or set(map(type, values)) != {str}:
        return list(map(_unescaped_one, strings))
    block = "".join(values)
    if "\n" in block or "\r" in block:
        return list(map(_unescaped_one, strings))
    return values


def _unescaped_one(string: str) -> str:
    ended = f'{string}"'
    try:
        text, end = _scanner()(ended, 0)
    except ValueError:
        return ""
    line: str = text.rstrip("\r\n")
    return line if end == len(ended) and "\n" not in line else ""


_PLAIN = bytes(code for code in range(0x20, 0x100) if chr(code) not in '"\\')


def _are_plain(strings: Sequence[str]) -> bool:
    """Whether all *strings* of JSON are what they mean."""
    return not "".join(strings).encode("utf-8", "surrogatepass").translate(None, _PLAIN)


@cache
def _scanner() -> Callable[[str, int], tuple[str, int]]:
    from json import decoder

    return decoder.scanstring  # type: ignore[attr-defined,no-any-return]
