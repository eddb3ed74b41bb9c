"""
The role of each line of a log: it begins an entry, or continues the entry before it.

The lines of a traceback and the parts of a split line stay with their record, even if lines of
other sources come between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..._core.lines import parse_fields
from ..._core.patterns import Pattern
from ..._core.record import NO_ID
from .accesses import AccessLines
from .beginnings import ANOTHER_LOG, HEADS, INDENTED
from .colors import COLOR, without_colors
from .entries import Columns
from .entry import Entry
from .envelopes import Layer, Peeled, Peeler
from .fields import is_of_zap
from .layers import wrapped
from .levels import LEVELS
from .own import Form, own_head
from .records import Records
from .times import Clock

__all__ = ("LINE_FEED", "MOST_BETWEEN", "TRACEBACK", "Step", "Steps", "continuation")

# A line without ids continues the record before it from the first of these; the last three are of
# asyncio, of Rich, which structlog uses, and of Monolog ...
_traceback = re.compile(
    r"[ \t]|Traceback \(most recent call last\):|Stack \(most recent call last\):"
    r"|(?:future|task|handle|protocol|transport): <"
    r"|(?:source_traceback: Object|handle_traceback: Handle) created at"
    rf"|(?:{COLOR})*\u256d(?:{COLOR}|\u2500| ){{1,500}}Traceback |\[stacktrace\]\Z"
).match
# ... up to a line that looks like another logger's: also one of those that begin with neither a time
# nor a level, or with our ids.
_ANOTHER_LOG = Pattern("|".join((ANOTHER_LOG, *HEADS, r"\[req=[^|\]]+\|session=")))
_indented = re.compile(INDENTED).match
# Rich writes the time of each second once, and blanks in its place on the other lines: with the
# date, unless as in its manual's example.
_rich = re.compile(
    r"\[(?:\d\d/\d\d/\d\d )?\d\d:\d\d:\d\d\] +(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) "
).match
# The first line of a stack below a record of another writer: of Java and .NET; of Dropwizard, which puts
# a mark before each line; of Ruby, where Rails puts the name of a gem before its path; of Elixir with
# Phoenix, Go, PHP, and gin's errors; below an error, of Node.js; and of Go, where zap writes the record.
_FRAME_OF_RUBY = r"(?:[\w-]{1,60} \([\w.]{1,30}\) )?[\w/.][^: ]{0,300}\.r[bu]:\d{1,7}:in ['`]"
_WITH_PACKAGE = (
    r"! |(?:[A-Za-z_$][\w$]{0,100}\.){1,12}[\w$]{0,100}(?:Exception|Error|Throwable)(?:: |\Z)"
    rf"|{_FRAME_OF_RUBY}"
    r"|\*\* \(|Server: [\w.-]{1,255}:\d{1,5} \(https?\)\Z"
    r"|goroutine \d{1,12} \[[a-z0-9 ,]{1,100}\]:\Z"
    r"|Stack trace:\Z|Error #\d\d: "
)
_exception = re.compile(_WITH_PACKAGE).match
_any_exception = re.compile(
    rf"{_WITH_PACKAGE}|[A-Z]?\w{{0,60}}(?:Exception|Error)(?: \[\w{{1,60}}\])?(?:: |\Z)"
).match
# Rails puts its tags before each line of a stack. Where Ruby's formatter writes the log, each record
# has a time before them.
_TAGS_OF_RECORD = Pattern(
    r"[DIWEFA], \[[\w:.-]{20,40} #\d{1,9}\] +[A-Z]{3,5} -- [^:\[]{0,100}: ((?:\[[^\[\]]{1,128}\] )+)"
)
_TAGGED_STACK = Pattern(
    rf"(\[(?P<request>[0-9a-fA-F-]{{32,36}})\] (?:\[[^\[\]]{{1,128}}\] )*)(?: *\Z|{_FRAME_OF_RUBY})"
)
# Records whose text is in the lines below the first one: a panic that gin has recovered from, and
# Erlang's reports.
_ONLY_BELOW = Pattern(
    r"[\d/]{10} [\d:]{8} \[Recovery\] [\d/]{10} - [\d:]{8} panic recovered:\Z"
    r"|=[A-Z]{4,10} REPORT==== [\w:.-]{20,40} ===\Z"
)
_ONLY_BELOW_ENDS = (":", "===")
_function_of_go = re.compile(r"(?=\S{1,300}\.\S)[A-Za-z][\w./@%~()*\[\]\u00b7-]{1,500}\Z").match
_rich_without_time = re.compile(r" {11}(?: {9})?(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) ").match
# OpenStack's oslo.log begins each line of a traceback as the record, with this level and without ids.
_OF_OSLO = Pattern(
    r"((?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d{1,9} )?)[A-Z]{4,8}( [\w.-]{1,200} )\[(?:-|[\w-]{1,200} req-|req-)"
)
_OWN_LOGFMT = "timestamp="
_ERROR = LEVELS["ERROR"]
TRACEBACK = "Traceback (most recent call last):"
# rsyslog writes it in the place of a line feed.
LINE_FEED = "#012"
# The prefix of journalctl is longer.
_LEAST_MARGIN = " " * 20
_OWN_NAMED = ('{"timestamp": "', _OWN_LOGFMT)

# The lines of a frame below its first one: of Sanic's tracebacks, and banners.
_FRAME = "\u2502\u2570"


class Step(NamedTuple):
    """
    The role of a line: the beginning of an *entry*, or *text* that continues the entry before; then
    *entry* is None.
    """

    entry: Entry | None
    text: str = ""
    is_record: bool = True


_Begins = Callable[[str], "re.Match[str] | None"]

MOST_BETWEEN = 1000
"""The most lines of other sources that may come between a record and a line that continues it."""

_MOST_SOURCES = 1000


class _Left(NamedTuple):
    """
    A record that was left for a line of another source, with that line's number, and what
    :class:`Steps` has noted of the record.
    """

    entry: Entry
    number: int
    in_traceback: bool
    is_foreign: bool
    prefix: str
    begins_stack: _Begins | None = None


class _Learned:
    """What the lines of one log have shown of its other lines."""

    def __init__(self) -> None:
        self.peeler = Peeler()
        self.access_lines = AccessLines()
        self.is_rich = False  # whether Rich writes the log
        # whether records have our ids, and begin like those of no other logger
        self.has_foreign = False


class Steps:
    """
    Takes the lines of one log one by one, without their envelopes.

    :param file: the log's number.
    :param clock: reads the log's times.
    :param known: of the same log: what its lines show about the log is known here.
    """

    def __init__(self, file: int, clock: Clock, known: Steps | None = None) -> None:
        self._learned: _Learned = _Learned() if known is None else known._learned
        self._peeler = self._learned.peeler
        self.records: Records = Records(file, clock, self._learned.access_lines)
        # The source and the stream of the last line, if it was a part or parts wait for their rest.
        self.writer = ("", "")
        self._parts: dict[tuple[str, str], str] = {}
        self._depth = 0  # the number of envelopes around the last part
        self.request: str | None = None  # of the entry that a line may continue; None at first
        self.source = ""  # of that entry
        self.in_traceback = False
        # matches the beginning of a stack below that entry; None, if its writer has marked each line
        self._begins_stack: _Begins | None = None
        self.margin = 0  # the number of blanks before each line of its traceback
        # whether a further line of that entry has no envelope: one that has one begins a record
        self._has_bare = False
        # whether that entry has our ids in the form of another formatter
        self.is_foreign = False
        # The source of such an entry, or one of oslo.log, and the text with which each further line of
        # it begins.
        self.prefix = ("", "")
        self.number = 0  # of the line
        # That entry, if it has a source and our ids in another form, and those left of each source.
        # In our own forms, each line names its request.
        self._entry: Entry | None = None
        self._left: dict[str, _Left] = {}

    def take(self, line: str) -> list[Step]:
        """
        Return the steps of *line*: none if it is a part of a line, and several if it contains
        several.
        """
        self.number += 1
        # A log that was truncated while it was written begins with NUL bytes; one that was made by
        # a shell of Windows, with a mark.
        if line[:1] in ("\0", "\ufeff"):
            line = line.lstrip("\0\ufeff")
        plain = without_colors(line)
        if plain[:1] == "\r":  # a terminal's line that was erased
            plain = plain.lstrip("\r")
        if plain.startswith(_OWN_NAMED):
            named = self.records.own_named(plain)
            if named is not None:
                self.begin(named.request_id)
                return [Step(named)]
        if plain.startswith(_OWN_LOGFMT):
            return [self._step(plain, plain, None)]
        match = own_head(plain)
        if match is not None:
            return [self._stamped(match, plain, None)]
        peeled = self._peeled(plain)
        return [] if peeled is None else self._steps_in(peeled, plain, line)

    def _peeled(self, plain: str) -> Peeled | None:
        """
        Return a line without its envelopes, and with the parts that came before it; None for a part
        that waits for its rest.
        """
        if not self._parts:
            peeled = self._peeler.peel(plain)
            if not peeled.is_part:
                return peeled
        else:
            peeled = self._peeler.peel(plain, self._depth)
        stream = _STREAM.match(plain)
        self.writer = peeled.source, stream[stream.lastindex or 0] if stream else ""
        if peeled.is_part:
            self._depth = peeled.depth
            if self.writer in self._parts or len(self._parts) < _MOST_PARTS:
                part = self._parts.get(self.writer, "") + peeled.line
                self._parts[self.writer] = part[:_LONGEST_PART]
            return None
        if self.writer not in self._parts:
            return self._peeler.peel(plain)
        joined = without_colors(self._parts.pop(self.writer) + peeled.line)
        whole = self._peeler.peel(joined)
        return Peeled(whole.line, whole.fields, peeled.time, peeled.source)

    def _steps_in(self, peeled: Peeled, plain: str, line: str) -> list[Step]:
        """Return the steps of a whole *line*; *plain* is the line without colors."""
        is_bare = peeled.time is None and not peeled.source and peeled.line == plain
        if is_bare:
            envelope = peeled if peeled.fields is not None else None
            return [self._step(plain, line, envelope)]
        if LINE_FEED in peeled.line and peeled.fields is None and TRACEBACK in peeled.line:
            first, *further = peeled.line.split(LINE_FEED)
            if parse_fields(peeled.line) is None:
                return [self._step(first, first, peeled), *map(self._further, further)]
        if peeled.fields is not None or "\n" not in peeled.line:
            return [self._step(peeled.line, peeled.line, peeled)]
        return [self._step(line_part, line_part, peeled) for line_part in peeled.line.split("\n")]

    def _further(self, text: str) -> Step:
        """Return the step of a *text* that continues the entry before it, whatever it is."""
        match = own_head(text)
        further = None if match is None else self.continued(match)
        return Step(None, text if further is None else further)

    def rest(self) -> list[Step]:
        """Return the parts of incomplete lines, at the end of a log."""
        parts, self._parts = self._parts, {}
        return [
            self._step(line, line, Peeled(line, source=source))
            for (source, _), line in parts.items()
        ]

    @property
    def has_parts(self) -> bool:
        """Whether parts of a line wait for the rest of it."""
        return bool(self._parts)

    @property
    def trusted(self) -> tuple[int, int]:
        """See :class:`Peeler`."""
        return self._peeler.trusted

    def look_at(self, lines: Iterable[str]) -> None:
        """
        Learn the envelopes of *lines* before they are taken: a later line may show what is before
        an earlier one, such as the name of a container before what it prints at its start.
        """
        for line in lines:
            plain = without_colors(line)
            if not plain.startswith("{") and own_head(plain) is None:
                self._peeler.peel(plain)
        self._peeler.forget_missed()

    def wrapped(self, lines: Sequence[str]) -> tuple[Form | None, tuple[Layer, ...]]:
        """
        Return the form of the first of *lines* that is ours in envelopes that earlier lines had,
        and these envelopes.
        """
        return wrapped(lines, self._peeler)

    def jump(self) -> None:
        """Note that lines were left out: the next one continues no entry."""
        self.request = None
        self.in_traceback, self._begins_stack = False, None
        self.prefix = ("", "")
        self._entry = None
        self._left.clear()

    def begin(self, request_id: str, source: str = "") -> None:
        """Note that an entry of this request began, in a line of this *source*."""
        self._leave(self.number)
        if self._left:
            self._left.pop(source, None)
        self.request = request_id
        self.source = source
        self.in_traceback, self._begins_stack = False, None
        self.prefix = ("", "")
        self.margin = 0
        self._has_bare = False

    def pass_over(self, columns: Columns, start: int, end: int, entry: Entry) -> None:
        """Note that records of ours, *columns* from *start* to *end*, were taken, the last as *entry*."""
        self._leave(self.number + 1)
        self.number += end - start
        for common in set(columns.commons[start:end]) if self._left else ():
            self._left.pop((common.more or _NO_MORE).get("source", ""), None)
        self.begin(entry.request_id, (entry.more or _NO_MORE).get("source", ""))

    def pass_over_others(self, columns: Columns, start: int, end: int, entry: Entry) -> None:
        """The same for records of another formatter with our ids."""
        self._leave(self.number + 1)
        self.number += end - start
        more = entry.more or _NO_MORE
        source = more.get("source", "")
        if source:
            self._leave_sources(columns, max(start, end - MOST_BETWEEN), end)
        self.begin(entry.request_id, source)
        self.records.has_ids_last = False
        self.is_foreign = True
        self.prefix = source, _ids_in(entry.text)
        if source and "foreign" in more:
            self._entry = entry

    def _leave_sources(self, columns: Columns, start: int, end: int) -> None:
        """Keep the last record of each source in *columns* from *start* to *end*."""
        seen: set[str] = set()
        for place in range(end - 1, start - 1, -1):
            common = columns.commons[place]
            more = common.more or _NO_MORE
            source = more.get("source", "")
            if source in seen:
                continue
            seen.add(source)
            self._left.pop(source, None)
            if source and "foreign" in more and len(self._left) < _MOST_SOURCES:
                ids = common.request_id, common.session_id
                when = columns.times[place]
                entry = Entry(when, common.level, *ids, "", 0, common.more, common.file)
                number = self.number - (end - 1 - place) + 1
                self._left[source] = _Left(entry, number, False, True, _ids_in(common.head))

    def _leave(self, number: int) -> None:
        """Note that the line of this *number* begins another entry, perhaps of another source."""
        entry, self._entry = self._entry, None
        if entry is None:
            return
        if len(self._left) == _MOST_SOURCES:
            self._left.clear()
        prefix = self.prefix[1]
        state = self.in_traceback, self.is_foreign, prefix, self._begins_stack
        self._left[self.source] = _Left(entry, number, *state)

    @property
    def awaited_source(self) -> str:
        """The source of the last record, if a line behind those of other sources may continue it."""
        return "" if self._entry is None else self.source

    def _returned(self, line: str, source: str) -> Entry | None:
        """
        Return an entry for a *line* that continues the record which its *source* has left; None for
        any other line.
        """
        left = self._left.get(source)
        if left is None or self.number - left.number >= MOST_BETWEEN:
            return None
        text, in_traceback = line, True
        if left.prefix and _begins_further(line, left.prefix):
            text, in_traceback = line[len(left.prefix) :], left.in_traceback
        elif (
            not _continues(line, left.in_traceback, left.begins_stack)
            or line.startswith("{")
            or self._is_own_format(line, left.is_foreign)
        ):
            return None
        entry = continuation(left.entry, text)
        self.begin(entry.request_id, source)
        self.in_traceback, self.is_foreign = in_traceback, left.is_foreign
        self._begins_stack = left.begins_stack
        self.prefix = source, left.prefix
        self._entry = entry
        return entry

    def goes_on(self, request_id: str) -> bool:
        """Whether a further line of our text, of this request, continues the entry before it."""
        return self.request is not None and (self.request or NO_ID) == request_id

    def begin_own(self, head: str, request_id: str) -> float | None:
        """
        Note that a record of our text began, and return its time; None, if that has no known form.
        """
        known = self.records.head(head)
        if known is None:
            return None
        self.begin(request_id)
        self.is_foreign = False
        return self.records.at(known[0])

    def _step(self, plain: str, line: str, envelope: Peeled | None) -> Step:
        match = own_head(plain)
        if match is not None:
            return self._stamped(match, plain, envelope)
        source = "" if envelope is None else envelope.source
        marked = self._behind_mark(plain, source)
        if marked is not None:
            return Step(None, marked)
        # Lines of several services come by turns: none is a part of another one's traceback.
        is_of_another = plain != "" and source != self.source and "" not in (source, self.source)
        if is_of_another and self._left:
            returned = self._returned(plain, source)
            if returned is not None:
                return Step(returned)
        begins = is_of_another or (self._has_bare and source != "")
        goes_on = self.request is not None and not begins and self._goes_on(plain)
        if goes_on and not plain.startswith("{"):
            if not self._is_own_format(plain, self.is_foreign):
                self._has_bare |= self.source != "" and source == ""
                return Step(None, self._outdented(line))
            goes_on = False
        entry = self._entry_of(plain, envelope)
        if entry is None and goes_on:
            return Step(None, line)
        is_record = entry is not None or (envelope is not None and envelope.time is not None)
        if entry is None:
            entry = self.records.unknown(line, envelope)
        if self._learned.is_rich and _rich_without_time(plain):
            entry = self.records.dated(entry)
        self.begin(entry.request_id, source)
        self._learned.is_rich |= _rich(plain) is not None
        self._note_first(plain, source, entry, is_record)
        return Step(entry, "", is_record)

    def _behind_mark(self, plain: str, source: str) -> str | None:
        """
        Return what is behind the prefix or the tags that the writer of the last entry puts before
        each of its lines; None for any other line.
        """
        of_entry, prefix = self.prefix
        if prefix and source == of_entry and _begins_further(plain, prefix):
            return plain[len(prefix) :]
        tagged = _TAGGED_STACK.match(plain) if plain[:1] == "[" and self.request else None
        if tagged is not None and tagged["request"] == self.request and source == self.source:
            return plain[tagged.end(1) :]
        return None

    def _entry_of(self, plain: str, envelope: Peeled | None) -> Entry | None:
        """Return the entry of a record of another writer; None for a line of an unknown form."""
        entry = self.records.other(plain, envelope)
        if envelope is None or not envelope.beside or (entry is not None and entry.request_id):
            return entry
        return self.records.beside(plain, envelope) or entry

    def _note_first(self, plain: str, source: str, entry: Entry, is_record: bool) -> None:
        """Note what the first line of an *entry* shows about the lines that may continue it."""
        ids = plain.find("[req=")
        self.is_foreign = ids >= 0
        is_text = is_record and ids < 0 and not plain.startswith(("{", _OWN_LOGFMT))
        if is_text:
            self._begins_stack = _stack_below(plain, entry.level)
            if plain.endswith(_ONLY_BELOW_ENDS):
                self.in_traceback = _ONLY_BELOW.match(plain) is not None
        prefix = _ids_in(plain) if ids > 0 else _repeated_in(plain, entry.request_id, is_text)
        if prefix:
            self.prefix = source, prefix
        if ids >= 0 and '"' not in plain[:ids] and _ANOTHER_LOG.match(plain) is None:
            self._learned.has_foreign = True
        if source and entry.more and "foreign" in entry.more:
            self._entry = entry

    def continued(self, match: re.Match[str]) -> str | None:
        """
        Return the text behind *match*, the head of a line of ours, if it continues the entry before;
        else None.
        """
        if match[6] == "|" and self.goes_on(match[2]):
            return match.string[match.end() :]
        return None

    def _stamped(self, match: re.Match[str], line: str, envelope: Peeled | None) -> Step:
        further = self.continued(match)
        if further is not None:
            return Step(None, further)
        entry = self.records.own(match, line, envelope)
        self.begin(entry.request_id, "" if envelope is None else envelope.source)
        self.is_foreign = False
        return Step(entry)

    def _goes_on(self, line: str) -> bool:
        if not line:
            return True
        if not _continues(line, self.in_traceback, self._begins_stack):
            return False
        self.in_traceback = self.in_traceback or line[0] not in _FRAME
        return True

    def _outdented(self, line: str) -> str:
        """
        Return a further *line* without the blanks that journalctl has below the prefix of an event,
        where it shows a traceback or a line of ours.
        """
        if not line.startswith(_LEAST_MARGIN):
            return line
        bare = line.lstrip(" ")
        margin = len(line) - len(bare)
        match = own_head(bare)
        further = None if match is None else self.continued(match)
        if further is not None:
            return further
        if bare.startswith(TRACEBACK):
            self.margin = margin
        return line[self.margin :] if margin >= self.margin else line

    def _is_own_format(self, line: str, is_foreign: bool) -> bool:
        """
        Whether a line in a traceback is a record: in a log whose records have our ids without a
        time before them, or in one of Rich.

        :param is_foreign: whether the record before has our ids in the form of another formatter.
        """
        if self._learned.is_rich and _rich_without_time(line):
            return True
        has_foreign = is_foreign or self._learned.has_foreign
        return has_foreign and "[req=" in line and line[:1] not in (" ", "\t")


_NO_MORE: dict[str, Any] = {}


def _continues(line: str, in_traceback: bool, begins_stack: _Begins | None) -> bool:
    """
    Whether a *line* that is not empty continues the record before it, perhaps *in_traceback*.

    :param begins_stack: matches the beginning of a stack below this record.
    """
    if line[0] == " " and _indented(line) is not None:
        return False
    if line[0] in _FRAME:
        return True
    if begins_stack is not None and begins_stack(line) is not None:
        return True
    return (in_traceback or _traceback(line) is not None) and _ANOTHER_LOG.match(line) is None


def _stack_below(plain: str, level: int) -> _Begins:
    """Return what matches the beginning of a stack below a record of this *level* of another writer."""
    if is_of_zap(plain):
        return _function_of_go
    return _exception if level < _ERROR else _any_exception


def _repeated_in(plain: str, request_id: str, is_text: bool) -> str:
    """
    Return the text in the record *plain* that its writer repeats before each further line; "" for
    most writers.
    """
    # Before each search is a test that takes nearly no time: few lines pass it.
    if request_id and plain[1:4] == ", [":
        tags = _TAGS_OF_RECORD.match(plain)
        if tags is not None:
            return tags[1]
    if is_text and ("[-" in plain or "req-" in plain):
        of_oslo = _OF_OSLO.match(plain)
        if of_oslo is not None:
            return f"{of_oslo[1]}ERROR{of_oslo[2]}"
    return ""


def _ids_in(text: str) -> str:
    """Return our ids in *text* with their brackets and a blank, as they begin a further line."""
    start = text.find("[req=")
    return f"{text[start : text.find(']', start) + 1]} "


def _begins_further(line: str, prefix: str) -> bool:
    """Whether a *line* continues the record whose further lines have this *prefix*."""
    if not line.startswith(prefix):
        return False
    # The prefix of oslo.log has no ids: a bracket with them follows it in the next record alone.
    return prefix.startswith("[") or not line.startswith("[", len(prefix))


# The stream of a container, of containerd and of Docker: a runtime writes the lines of both to one
# file as they come, so a line of the other one may be between two parts.
_STREAM = Pattern(
    r'[^{"]{0,400}? (std(?:out|err)) [FP] |[^{"]{0,400}\{.*"stream" ?: ?"(std(?:out|err))"'
)
# Limits for lines that a runtime has split: the number of their sources, and their length.
_MOST_PARTS = 1000
_LONGEST_PART = 4 << 20


def continuation(entry: Entry, line: str) -> Entry:
    """
    Return an entry for a *line* that continues an *entry* which was returned before: in a followed
    log, a traceback may be written a moment later.
    """
    more = {name: value for name, value in (entry.more or {}).items() if name not in _OF_ONE_LINE}
    return entry._replace(level=0, text=line, message=0, more=more or None)


# The values of an entry that belong to its line, and not to its request or source.
_OF_ONE_LINE = frozenset(("access", "call", "outgoing", "undated"))
