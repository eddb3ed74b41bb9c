"""
The envelopes of a block of lines, taken off all lines at once: each layer by one expression, or at
the texts that many lines have.

The layers are those of earlier lines. A line with others is left empty here, and the reader reads
it by itself, so the result is that of the reader for each line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

from .envelopes import Layer, Peeler
from .frames import contents, put, strings
from .lines import LOOKED_AT, Lines, cut, values_at
from .own import OTHERS, OWN_HEAD, Form, is_of_others, own_form
from .prefixes import unnamed
from .services import container_of, source_of_labels
from .stamps import Stamps, texts_around, times_of

__all__ = ("Bare", "line_behind", "without_envelopes", "wrapped", "wrapping_of")


class Bare(NamedTuple):
    """
    Lines without their envelopes: "" for a line that the reader must read by itself.

    ``times`` and ``sources`` are those of the innermost envelopes that have them; None, if no
    envelope of the log has any. A line that the runtime has split is empty, too. Lines that are
    *escaped* are as in a string of JSON.
    """

    lines: Sequence[str]
    times: Sequence[Any] | None = None
    sources: Sequence[str] | None = None
    is_escaped: bool = False


def wrapped(lines: Sequence[str], peeler: Peeler) -> tuple[Form | None, tuple[Layer, ...]]:
    """
    Return the form of the first of *lines* that is ours in envelopes, and these; else that of the
    first one with our ids in another form, which may be in none.
    """
    peeled = [peeler.layers(line) for line in lines]
    for layers, bare in peeled:
        form = own_form(bare) if layers else None
        if form is not None:
            return form, layers
    for layers, bare in peeled:
        if is_of_others(bare) and peeler.is_bare(bare):
            return OTHERS, layers
    return None, ()


def wrapping_of(form: Form, layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the names of a *form* and its *layers*: lines with the same are read alike."""
    names = [form.name]
    for layer in layers:
        names += (prefix.name for prefix in layer.before)
        names.append("JSON" if layer.prefix is None else f"in {layer.prefix.name}")
    return tuple(names)


def without_envelopes(form: Form, lines: Lines, layers: Sequence[Layer]) -> Bare:
    """
    Return *lines* without their *layers*.

    :param form: of most of the lines in them.
    """
    bare = Bare(lines)
    for number, layer in enumerate(layers, 1):
        if layer.prefix is None:
            is_kept = number == len(layers) and form.in_string is not None
            inner = _opened(bare.lines, is_kept=is_kept)
        else:
            inner = _cut_at_texts(bare.lines, layer) or _cut(Lines.of(bare.lines).text, layer)
        times, sources = inner.times, inner.sources
        if times is None or bare.times is None:
            times = times or bare.times
        elif None in times:
            times = [
                outer if nested is None else nested
                for outer, nested in zip(bare.times, times, strict=True)
            ]
        if sources is None or bare.sources is None:
            sources = sources or bare.sources
        elif "" in sources:
            sources = [nested or outer for outer, nested in zip(bare.sources, sources, strict=True)]
        bare = Bare(inner.lines, times, sources, inner.is_escaped)
    return bare


def _opened(objects: Sequence[str], *, is_kept: bool) -> Bare:
    """
    Return the lines in *objects* of JSON.

    :param is_kept: whether they may be escaped.
    """
    escaped = strings(objects) if is_kept else None
    lines, times, sources = escaped or contents(objects)
    has_times = isinstance(times, Stamps) or any(times)
    return Bare(lines, times if has_times else None, sources, escaped is not None)


# -- prefixes --------------------------------------------------------------------------------------


def _cut_at_texts(lines: Sequence[str], layer: Layer) -> Bare | None:
    """
    Return *lines* without a prefix of which only the time varies, or that many of them have; None
    for any other.
    """
    prefix = layer.prefix
    assert prefix is not None
    if not prefix.is_fixed or layer.before:
        return None
    heads = filter(None, map(prefix.match, lines[:LOOKED_AT]))
    whole = [head for head in heads if head[0].endswith(" ")]
    if not whole:
        return None
    if "part" in whole[0].groupdict():
        return _cut_at_times(lines, layer, whole)
    return _cut_at_end(lines, layer, whole[0][0])


def _cut_at_times(
    lines: Sequence[str], layer: Layer, heads: Sequence[re.Match[str]]
) -> Bare | None:
    """Return *lines* without a prefix, of which only the time varies between some *heads*."""
    whole = (head for head in heads if head["part"] != "P")
    texts = next((texts_around(head[0], "", head["time"]) for head in whole), None)
    if texts is None or texts.begin:
        return None
    # Where each line has other parts, this takes less time than cut().
    parts = zip(*map(str.partition, lines, repeat(texts.middle)), strict=True)
    times, middles, bare = map(list, parts)
    places: list[int] = []
    others = Bare(())
    if not all(middles):
        places = [place for place, middle in enumerate(middles) if not middle]
        rest = [lines[place] for place in places]
        # Of another stream, perhaps. Half of the lines at most, so that it takes no longer than all.
        alike = _cut_at_texts(rest, layer) if 2 * len(rest) < len(lines) else None
        others = alike or _cut(Lines.of(rest).text, layer)
    put(others.lines, places, bare)
    stamps = others.times or [None] * len(places)
    received = times_of(times, texts.zone, places, others.lines, stamps)
    return None if received is None else Bare(bare, received)


# The length of the text at the end of a prefix.
_END = 2
# Where fewer lines than this have the same prefix, one expression for all takes no longer.
_FEWEST_ALIKE = 4
_ANY_LINE = "x"


def _cut_at_end(lines: Sequence[str], layer: Layer, head: str) -> Bare | None:
    """
    Return *lines* without a prefix that many of them have. They are cut at the text at the end of
    one such prefix, the *head*. None, if few lines have the same, or if the head has this text twice.
    """
    end = head[-_END:]
    if head.find(end) != len(head) - _END:
        return None
    inner = lines.within(head, "") if isinstance(lines, Lines) else None
    if inner is not None:
        fronts, ends, bare = [head[:-_END]] * len(inner), [end] * len(inner), list(inner)
    else:
        fronts, ends, bare = cut(lines, end)
    place_of = {front: place for place, front in enumerate(dict.fromkeys(fronts))}
    if len(place_of) * _FEWEST_ALIKE > len(fronts):
        return None
    kinds = _cut("".join(f"{front}{end}{_ANY_LINE}\n" for front in place_of), layer)
    kind_of = values_at(fronts, place_of)
    times = None if kinds.times is None else list(values_at(kind_of, kinds.times))
    sources = None if kinds.sources is None else list(values_at(kind_of, kinds.sources))
    are_whole = list(map(_ANY_LINE.__eq__, kinds.lines))
    if "" in ends or not all(are_whole):
        rows = enumerate(zip(kind_of, ends, strict=True))
        places = [place for place, (kind, end) in rows if not end or not are_whole[kind]]
        others = _cut(Lines.of([lines[place] for place in places]).text, layer)
        unknown = [None] * len(places)
        put(others.lines, places, bare)
        if times is not None:
            put(others.times or unknown, places, times)
        if sources is not None:
            put(others.sources or unknown, places, sources)
    return Bare(bare, times, sources)


def _cut(text: str, layer: Layer) -> Bare:
    """Return the lines of *text* without a prefix."""
    prefix = layer.prefix
    assert prefix is not None
    pattern = line_behind(
        prefix.pattern, tuple(value.pattern for value in layer.before), prefix.is_long
    )
    columns = list(zip(*pattern.findall(text), strict=True))
    at = {name: place - 1 for name, place in pattern.groupindex.items()}
    lines: Sequence[str] = columns[at["rest"]]
    times: Sequence[Any] | None = columns[at["time"]] if "time" in at else None
    if times is not None and not {"", "-"}.isdisjoint(times):
        times = [None if value in ("", "-") else value for value in times]
        if not any(times):  # as with compose, which has the time where it is asked for
            times = None
    sources: Sequence[str] | None = columns[at["source"]] if "source" in at else None
    if "labels" in at:
        source_of = {value: source_of_labels(value) for value in set(columns[at["labels"]])}
        sources = list(map(source_of.__getitem__, columns[at["labels"]]))
    if sources is not None and "-" in sources:
        sources = ["" if value == "-" else value for value in sources]
    if layer.known is not None and sources is not None:
        known = {source for name, source in layer.known if name == prefix.name}
        unknown = {source for source in set(sources) if container_of(source) not in known}
        if unknown:
            pairs = zip(lines, sources, strict=True)
            lines = ["" if source in unknown else line for line, source in pairs]
    if "part" in at and "P" in columns[at["part"]]:
        pairs = zip(lines, columns[at["part"]], strict=True)
        lines = ["" if part == "P" else line for line, part in pairs]
    return Bare(lines, times, sources)


@lru_cache(maxsize=64)
def line_behind(prefix: str, before: tuple[str, ...], is_long: bool) -> re.Pattern[str]:
    """
    Return an expression for a line after a *prefix*; any other line matches it with empty groups.

    It is searched in many lines at once: no part of it may match beyond the end of a line.
    """
    others = [unnamed(expression, number) for number, expression in enumerate(before)]
    if not is_long:
        others.append(unnamed(OWN_HEAD, len(before)))
    unlike = f"(?!{'|'.join(others)})" if others else ""
    pattern = f"{unlike}(?:{prefix})".replace("[^", r"[^\n").replace(r"\s*", r"[^\S\n]*")
    # The empty group is there for a prefix without any: of one group, findall() makes no rows.
    return re.compile(rf"{pattern}(?P<rest>[^\n]*)()\n|[^\n]*\n", re.MULTILINE)
