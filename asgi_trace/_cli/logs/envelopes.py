"""
Envelopes: the text that collectors, containers and terminals put around a log line. This module
removes them.

An envelope is a prefix, matched from the start of the line and in its own exact form, or a JSON
object that has the line in a string. Envelopes nest. Each may give a time and a source: the pod,
container, unit, service or log stream.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any, NamedTuple

from ..._core.lines import parse_fields
from ..._core.patterns import Pattern
from .beginnings import begins_log
from .colors import without_colors
from .objects import Content, opened
from .own import own_head
from .prefixes import ALWAYS, KIND, PREFIXES, SOURCE, Prefix, any_prefix
from .services import container_of, labels_in, source_of_labels

__all__ = ("Layer", "Peeled", "Peeler")

# To compile it takes as long as to try all prefixes for so many lines.
_FIRST_TRIED = 1000
# The most envelopes around one line.
_MOST_NESTED = 8


class Peeled(NamedTuple):
    """
    A line without its envelopes.

    ``fields`` are those of the line, if it is JSON. ``time`` is the text of the innermost
    envelope's time; ``source`` is the innermost source. ``is_part`` is true if the runtime has
    split the line: the next part belongs to it. ``depth`` is the number of envelopes. ``beside`` are
    the fields that syslog has beside a line.
    """

    line: str
    fields: dict[str, Any] | None = None
    time: Any = None
    source: str = ""
    is_part: bool = False
    depth: int = 0
    beside: dict[str, str] | None = None


class Layer(NamedTuple):
    """
    One envelope of the lines of a log: a *prefix*, or JSON where that is None.

    A line that begins with one of the prefixes *before* does not have this one. ``known`` are the
    sources after which the prefix counts; None, if it counts after any.
    """

    prefix: Prefix | None
    before: tuple[Prefix, ...] = ()
    known: Set[tuple[str, str]] | None = None


_JSON = Layer(None)


class Peeler:
    """The envelopes of one log: a form that an earlier line had is tried first."""

    def __init__(self) -> None:
        self._recent: tuple[Prefix, ...] = ()
        self._first: tuple[Prefix, ...] = ()  # the same, in the order of the table
        self._kinds: set[str] = set()
        self._sources: set[tuple[str, str]] = set()
        self._tried = 0  # lines for which all prefixes were tried
        self._missed: dict[str, int] = {}  # by prefix: lines without another one behind it

    @property
    def trusted(self) -> tuple[int, int]:
        """How many kinds of prefixes count by now, and how many sources before which one counts."""
        return len(self._kinds), len(self._sources)

    def layers(self, line: str) -> tuple[tuple[Layer, ...], str]:
        """
        Return the envelopes around *line* that earlier lines also had, the outermost first; and the
        text in them.
        """
        layers: list[Layer] = []
        used: set[str] = set()
        for _ in range(_MOST_NESTED):
            if line.startswith("{"):
                _, content = _content_in(line)
                if content is None:
                    break
                layers.append(_JSON)
                line = content.line
                continue
            layer = None if own_head(line) is not None else self._known_layer(line, used)
            if layer is None or layer.prefix is None:
                break
            layers.append(layer)
            used.add(layer.prefix.name)
            match = layer.prefix.match(line)
            line = line if match is None else line[match.end() :]
        return tuple(layers), line

    def _known_layer(self, line: str, used: Set[str]) -> Layer | None:
        before: list[Prefix] = []
        for prefix in self._first:
            if prefix.name in used:
                continue
            if "quote" not in prefix.expression.groupindex and prefix.match(line) is not None:
                known = self._sources if prefix.trust == SOURCE else None
                return Layer(prefix, tuple(before), known)
            before.append(prefix)
        return None

    def peel(self, line: str, most: int = _MOST_NESTED) -> Peeled:
        """
        Return *line* without its envelopes, the outermost *most* of them; unchanged if it has none.

        A part of a line is left as it is: it may begin with any text of a client.
        """
        fields: dict[str, Any] | None = None
        time: Any = None
        source = ""
        depth = 0
        beside: dict[str, str] | None = None
        used: set[str] = set()
        while depth < most:
            if line.startswith("{"):
                fields, content = _content_in(line)
                if content is None:
                    break
                fields = None
            elif own_head(line) is not None:
                break
            else:
                match = self._prefixed(line, used)
                if match is None:
                    break
                content = _content_behind(match)
                beside = _beside(match) or beside
            depth += 1
            time = time if content.time is None else content.time
            source = content.source or source
            if content.is_part:
                return Peeled(content.line, None, time, source, True, depth)
            line = without_colors(content.line)
            if line[:1] == " " and begins_log(line[1:]) is not None:  # rsyslog keeps a blank
                line = line[1:]
        return Peeled(line, fields, time, source, False, depth, beside)

    def _prefixed(self, line: str, used: set[str]) -> re.Match[str] | None:
        for prefix in self._first:
            match = prefix.expression.match(line)
            if match is not None and self._is_trusted(prefix, match, line, used):
                used.add(prefix.name)
                return match
        self._tried += 1
        start = 0
        if self._tried > _FIRST_TRIED:
            # A third of the time, for a line without any.
            first = any_prefix().match(line)
            if first is None or first.lastgroup is None:
                return None
            start = int(first.lastgroup[1:])
        for prefix in PREFIXES[start:]:
            match = prefix.expression.match(line)
            if match is not None and self._is_trusted(prefix, match, line, used):
                used.add(prefix.name)
                others = (other for other in self._recent if other is not prefix)
                self._recent = (prefix, *others)[:3]
                self._first = tuple(sorted(self._recent, key=PREFIXES.index))
                return match
        return None

    def is_bare(self, line: str) -> bool:
        """Whether *line* has no prefix that counts by what earlier lines have shown."""
        matches = ((prefix, prefix.match(line)) for prefix in PREFIXES)
        return not any(match and self._is_known(prefix, match) for prefix, match in matches)

    def _is_known(self, prefix: Prefix, match: re.Match[str]) -> bool:
        if prefix.trust == SOURCE:
            return (prefix.name, container_of(match["source"])) in self._sources
        return prefix.trust == ALWAYS or prefix.name in self._kinds

    def forget_missed(self) -> None:
        """Forget in which lines there was no other prefix: they will be read again."""
        self._missed.clear()

    def _is_trusted(self, prefix: Prefix, match: re.Match[str], line: str, used: Set[str]) -> bool:
        # Around a prefix there may be one of its kind: the time of the record itself is none.
        if prefix.name in used and prefix.begins(line[match.end() :]) is None:
            return False
        if self._is_known(prefix, match):
            return True
        rest = line[match.end() : match.end() + _LOOKED_AT]
        if prefix.begins(rest) is None:
            missed = self._missed.get(prefix.name, 0)
            if missed >= _MOST_MISSED:
                return False
            if not _begins_with_another(prefix, rest):
                self._missed[prefix.name] = missed + 1
                return False
        if prefix.trust == SOURCE:
            if len(self._sources) < 10_000:
                self._sources.add((prefix.name, container_of(match["source"])))
        else:
            self._kinds.add(prefix.name)
        return True


# The characters after a prefix that show whether it is one, and the most lines of a log in which
# another prefix is looked for there.
_LOOKED_AT = 400
_MOST_MISSED = 100


def _begins_with_another(prefix: Prefix, text: str) -> bool:
    """
    Whether *text*, after a *prefix*, begins with another one, and a logger's line after that. The
    other may be of the same kind, if that is enough for a logger's line.
    """
    for other in PREFIXES:
        match = other.match(text) if other is not prefix or other.trust == KIND else None
        if match is not None and (
            other.trust == ALWAYS or other.begins(text[match.end() :]) is not None
        ):
            return True
    return False


def _content_in(line: str) -> tuple[dict[str, Any] | None, Content | None]:
    """Return the fields of a *line* of JSON, and its content if it is an envelope."""
    fields = parse_fields(line)
    if fields is None:
        return None, None
    inner = fields.get("log") if len(fields) == 1 else None
    if type(inner) is dict and "source_type" in inner:  # Vector's native_json
        fields = inner
    return fields, opened(fields)


def _content_behind(match: re.Match[str]) -> Content:
    at = match.re.groupindex
    time = match["time"] if "time" in at else None
    source = (match["source"] or "") if "source" in at else ""
    if "labels" in at:
        source = source_of_labels(match["labels"])
    line = match.string[match.end() :]
    return Content(
        line.removesuffix('"') if "quote" in at else line,
        None if time == "-" else time,
        "" if source == "-" else source,
        "part" in at and match["part"] == "P",
    )


# A parameter of RFC 5424's "structured data", in which quotes, brackets and backslashes are escaped.
_PARAMETER = Pattern(r' ([^ ="\]]{1,32})="((?:[^"\\\]]|\\.)*)"')
_ESCAPED = Pattern(r'\\(["\\\]])')
_SEVERITIES = 8


def _beside(match: re.Match[str]) -> dict[str, str] | None:
    """Return the fields in a prefix of syslog or logcli; None, if it has none."""
    at = match.re.groupindex
    if "labels" in at:
        labels: str = match["labels"]
        # Of a line that came by OpenTelemetry, Loki has the ids among its labels alone.
        return labels_in(labels) if "request_id=" in labels or "trace_id=" in labels else None
    data = match["data"] if "data" in at else None
    if not data:
        return None
    fields = {name: _ESCAPED.sub(r"\1", value) for name, value in _PARAMETER.findall(data)}
    if fields and match["priority"]:
        fields["PRIORITY"] = str(int(match["priority"]) % _SEVERITIES)
    return fields or None
