"""
Logs become entries: envelopes are removed, further lines are added to their record, and several
logs are merged by time.

Reading never fails, and drops no line: one without a time takes the time of the line before it.
Other modules assign entries to requests.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import tzinfo
from itertools import repeat
from math import nextafter
from typing import NamedTuple

from ..._core.record import NO_ID
from .columns import columns_in_envelopes, columns_of
from .entries import Columns, Entries
from .entry import LONGEST_TEXT, Entry
from .files import Log
from .layers import without_envelopes, wrapping_of
from .lines import LOOKED_AT, Lines
from .objects import JOURNAL_BYTES
from .order import lines_of
from .own import OTHERS, Form, own_form, own_head
from .steps import LINE_FEED, Step, Steps, continuation
from .summary import Reading
from .times import Clock
from .wanted import Wanted
from .workers import Parsed, Workers

__all__ = (
    "Entry",
    "LineReader",
    "LogReader",
    "Wanted",
    "last_time",
    "merged",
    "read",
)

# The number of the first lines of a log that show what its envelopes are.
_LEARNED_FROM = 200
# The most entries that wait for the first one with a time.
_MOST_EARLY = 10_000


class LineReader:
    """
    Makes entries of the lines of one log.

    :param file: the log's number.
    :param when: the time of lines before the first that has one, in milliseconds since the
    epoch.
    :param zone: of times that name none; the machine's own when left out.
    :param reading: is filled with the results of reading.
    :param known: see :class:`Steps`.
    """

    def __init__(
        self,
        file: int = 0,
        when: float = 0.0,
        zone: tzinfo | None = None,
        reading: Reading | None = None,
        known: Steps | None = None,
    ) -> None:
        self.cut = 0  # entries whose text was too long
        self.reading = reading or Reading("")
        self._clock = Clock(zone, when / 1000 if 0 < when < float("inf") else None)
        self._file = file
        self._steps = Steps(file, self._clock, known)
        self._records = self._steps.records
        self._default = when
        self._unknown = _LEARNED_FROM
        self._early = Entries()
        self._precise = 0.0  # the log's latest time that has a fraction
        self._entry: Entry | None = None
        self._finished: Entry | None = None  # the last one returned by finish()
        self._further: list[str] = []
        self._room = 0

    def look_at(self, lines: Sequence[str]) -> None:
        """Learn what the first *lines* of a log show about each other."""
        if self._unknown and not any(map(own_form, lines[:LOOKED_AT])):
            first = lines[: self._unknown]
            self._unknown -= len(first)
            self._steps.look_at(first)

    def read(self, lines: Iterable[str]) -> Entries:
        """
        Return the entries that *lines* complete; the last is kept back, since more of it may
        follow.
        """
        entries = Entries()
        for line in lines:
            self._take(line, entries)
        self._note(entries)
        return self._timed(entries)

    def read_parsed(self, block: Parsed) -> Entries:
        """Return the result of :meth:`read_text` for the text of a *block* without envelopes."""
        entries = Entries()
        self._clock.is_zone_assumed |= block.is_zone_assumed
        self._take_columns(block.odd_lines, self._in_file(block.columns), entries)
        self._note(entries)
        return self._timed(entries)

    def read_wrapped(self, block: Parsed, lines: Lines) -> Entries:
        """Return the result of :meth:`read_text` for the *lines* of a *block* in envelopes."""
        form, layers = self._steps.wrapped(lines[:LOOKED_AT])
        # The worker's envelopes may not be those of the lines before.
        if form is None or wrapping_of(form, layers) != block.wrapping:
            return self.read_text(lines.text, lines)
        entries = Entries()
        self._clock.is_zone_assumed |= block.is_zone_assumed
        self._take_wrapped_columns(form, lines, self._in_file(block.columns), entries)
        self._note(entries)
        return self._timed(entries)

    def _in_file(self, columns: Columns) -> Columns:
        """Return a worker's *columns*, which name no log, as those of this one."""
        if self._file:
            for common in set(columns.commons):
                common.file = self._file
        return columns

    def read_text(self, text: str, lines: Sequence[str]) -> Entries:
        """
        Return the result of :meth:`read` for the *lines* in *text*.

        Lines of ours are read all at once, and take less than half of the time.
        """
        entries = Entries()
        form = next(filter(None, map(own_form, lines[:LOOKED_AT])), None)
        if form is None:
            block = lines if isinstance(lines, Lines) else Lines(text, list(lines))
            self._take_wrapped(block, entries)
        else:
            columns = columns_of(form, lines, self._records)
            self._take_columns([lines[place] for place in columns.odd], columns, entries)
        self._note(entries)
        return self._timed(entries)

    def _take_wrapped(self, lines: Lines, out: Entries) -> None:
        """Take *lines*: at once, if they are ours in the same envelopes."""
        form, layers = self._steps.wrapped(lines[:LOOKED_AT])
        if form is None or not layers:  # the first lines of a log show what their envelopes are
            for line in lines[:LOOKED_AT]:
                self._take(line, out)
            form, layers = self._steps.wrapped(lines[:LOOKED_AT])
            lines = Lines.of(lines[LOOKED_AT:])
        if form is None or not lines[:1] or "\x1b" in lines.text:  # colors may be anywhere
            for line in lines:
                self._take(line, out)
            return
        bare = without_envelopes(form, lines, layers)
        columns = columns_in_envelopes(form, bare, self._records)
        texts = () if bare.is_escaped else bare.lines
        self._take_wrapped_columns(form, lines, columns, out, texts)

    def _take_wrapped_columns(
        self,
        form: Form,
        lines: Lines,
        columns: Columns,
        out: Entries,
        bare: Sequence[str] = (),
    ) -> None:
        """
        Take the *lines*, of which *columns* has the parts, out of their envelopes.

        :param bare: the lines without these, where they are known.
        """
        odd = set(columns.odd)
        # A search for one character takes no time.
        if not form.is_text and "[" in lines.text and "[req=" in lines.text:
            odd.update(place for place, line in enumerate(lines) if "[req=" in line)
        if form.is_text and LINE_FEED in lines.text:
            odd.update(place for place, line in enumerate(lines) if LINE_FEED in line)
        trusted = self._steps.trusted
        start = 0
        for place in (*sorted(odd), len(lines)):
            # A line has shown that what seemed to be a part of the next ones is an envelope.
            if form is OTHERS and self._steps.trusted != trusted:
                for line in lines[start:]:
                    self._take(line, out)
                return
            while start < place and self._steps.has_parts:
                self._take(lines[start], out)
                start += 1
            if start < place:
                self._take_all(columns, start, place, out, form)
                self._steps.is_foreign = form is OTHERS
            if place < len(lines) and not (bare and self._continues(bare[place])):
                self._take(lines[place], out)
            start = place + 1

    def _continues(self, bare: str) -> bool:
        """
        Whether a line, given without its envelopes, is a further one of our text: it is taken then,
        in a tenth of the time.
        """
        match = own_head(bare) if not self._steps.has_parts and "\x1b" not in bare else None
        text = None if match is None else self._steps.continued(match)
        if text is None:
            return False
        self._steps.number += 1
        self._go_on(text)
        return True

    def _take_columns(self, odd_lines: list[str], columns: Columns, out: Entries) -> None:
        """Take the lines of *columns*; those that are odd one by one."""
        start = 0
        for place, line in zip(columns.odd, odd_lines, strict=True):
            if start < place:
                self._take_all(columns, start, place, out)
            self._take(line, out)
            start = place + 1
        if start < len(columns.times):
            self._take_all(columns, start, len(columns.times), out)

    def _take_all(
        self, columns: Columns, start: int, end: int, out: Entries, form: Form | None = None
    ) -> None:
        """
        Take the lines of *columns* from *start* to *end*, which are ours; only the last one may be
        continued by a later line.
        """
        if self._entry is not None:
            out.append(self._whole(self._entry))
        *parts, _ = (column[start:end] for column in columns)
        out.extend(parts)
        self._entry = out.pop()
        note = self._steps.pass_over_others if form is OTHERS else self._steps.pass_over
        note(columns, start, end, self._entry)
        self._records.at(columns.times[start])
        self._records.at(columns.times[end - 1])

    def _take(self, line: str, out: Entries) -> None:
        """Take one line of any form."""
        match = own_head(line)
        if match is not None:
            entry = self._entry
            if match[6] == "|" and entry is not None and (entry.request_id or NO_ID) == match[2]:
                self._go_on(line[match.end() :])
                return
            entry = self._records.own(match, line)
            self._steps.begin(entry.request_id)
            self._keep(entry, out)
            return
        for step in self._steps.take(line):
            self._take_step(step, out)

    def _take_step(self, step: Step, out: Entries) -> None:
        if step.entry is None:
            self._go_on(step.text)
            return
        if not step.is_record:
            self.reading.unread += 1
        self._keep(step.entry, out)

    def _keep(self, entry: Entry, out: Entries) -> None:
        """Keep *entry* back, and add the one before it to *out*."""
        if self._entry is not None:
            out.append(self._whole(self._entry))
        self._entry = entry if len(entry.text) <= LONGEST_TEXT else self._shortened(entry)

    def _whole(self, entry: Entry) -> Entry:
        """Return *entry* with the lines that continue it."""
        if not self._further:
            return entry
        text = "\n".join((entry.text, *self._further))
        self._further.clear()
        return entry._replace(text=text)

    def _note(self, entries: Entries) -> None:
        reading = self.reading
        reading.undated = self._records.undated
        reading.is_zone_assumed = self._clock.is_zone_assumed
        if not reading.is_full:
            reading.note(entries)

    def is_within(self, wanted: Wanted) -> bool:
        """
        Whether the next text may continue an entry that is *wanted*, or one without a known time.
        """
        return bool(self._early) or (
            self._entry is not None and bool(Wanted.among(replace(wanted), Entries([self._entry])))
        )

    def finish(self, is_over: bool = True) -> Entries:
        """
        Return the last entry, if there is one. Text that continues it and is read later becomes an
        entry of the same request and time.

        :param is_over: whether the log has ended: a part of a line is then complete.
        """
        rest = Entries()
        for step in self._steps.rest() if is_over else ():
            self._take_step(step, rest)
        entry, self._entry = self._entry, None
        self._finished = entry or self._finished
        entries, self._early = self._early + rest, Entries()
        if entry is not None:
            entry = self._whole(entry)
            self._note(Entries([entry]))
            entries.append(entry)
        self._refine(entries)
        self._date(entries)
        return entries

    def _timed(self, entries: Entries) -> Entries:
        """Keep the first entries back until a time is known."""
        self._refine(entries)
        if self._records.when is None and len(self._early) < _MOST_EARLY:
            self._early.extend(entries.columns)
            return Entries()
        if self._early or (entries and entries.columns.times[0] < 0):
            entries, self._early = self._early + entries, Entries()
            self._date(entries)
        return entries

    def _refine(self, entries: Entries) -> None:
        """
        Give each of *entries* with a time in whole seconds the time of the entry before it in this
        log, if that is an exact time of the same second. Logging's default format has milliseconds,
        and a server's lines often have none: sorted by time, they would come before all other lines
        of their second.
        """
        times = entries.columns.times
        kinds = set(map(type, times))
        if kinds == {float}:
            self._precise = times[-1]
        if len(kinds) < 2 and not (int in kinds and self._precise):
            return
        for place, when in enumerate(times):
            if type(when) is not int:
                self._precise = when
            elif 0 <= when < self._precise < when + 1000:
                times[place] = self._precise

    def _date(self, entries: Entries) -> None:
        """Give the entries before the first one with a time that time."""
        first = self._records.first_when
        when = self._default if first is None else first
        times = entries.columns.times
        times[:] = [time if time >= 0 else when for time in times]

    def _go_on(self, line: str) -> None:
        if self._entry is None and self._finished is not None:
            self._entry = continuation(self._finished, line)
            return
        if not self._further and self._entry is not None:
            self._room = LONGEST_TEXT - len(self._entry.text)
        self._room -= len(line) + 1
        if self._room >= 0:
            self._further.append(line)
        elif self._room + len(line) + 1 >= 0:
            self.cut += 1
            self._further.append("…")
            self._room = -1 << 62

    def _shortened(self, entry: Entry) -> Entry:
        self.cut += 1
        return entry._replace(
            text=entry.text[:LONGEST_TEXT] + "…", message=min(entry.message, LONGEST_TEXT)
        )


# -- logs ------------------------------------------------------------------------------------------


class LogReader:
    """Makes entries of the blocks of one log, as far as they are *wanted*."""

    def __init__(
        self,
        file: int,
        when: float,
        wanted: Wanted,
        reading: Reading | None = None,
    ) -> None:
        self.reading = reading or Reading("")
        self._lines = LineReader(file, when, wanted.zone, self.reading)
        self._wanted = wanted
        self._in_line = False

    def read(self, block: bytes, done: Parsed | None = None) -> Entries:
        """
        Return the entries that *block* completes.

        :param done: a worker's result for the block.
        """
        in_line, self._in_line = self._in_line, not block.endswith(b"\n")
        if self._wanted.is_all or self._lines.is_within(self._wanted) or self._may_have(block):
            if in_line or self._in_line:
                done = None
            if done is not None and done.wrapping is None:
                self._count(len(done.columns.times))
                return self._wanted.among(self._lines.read_parsed(done))
            return self._read(block, in_line, done)
        count = block.count(b"\n")
        self._wanted.left_out += count
        self.reading.lines += count
        return Entries()

    def _count(self, lines: int) -> None:
        self.reading.lines += lines
        self.reading.looked_at += lines

    def _read(self, block: bytes, in_line: bool, done: Parsed | None) -> Entries:
        text = block.decode("utf-8", "replace")
        if in_line:  # the rest of a line that is longer than any kept text
            text = text.partition("\n")[2]
        if not text:
            return Entries()
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if self._in_line:  # the last line has no end
            text += "\n"
        lines = Lines(text)
        reader = self._lines
        reader.look_at(lines)
        entries = (
            reader.read_text(text, lines) if done is None else reader.read_wrapped(done, lines)
        )
        self._count(len(lines))
        return self._wanted.among(entries)

    def _may_have(self, block: bytes) -> bool:
        """Whether a block may have a wanted line."""
        wanted = self._wanted
        if wanted.needle not in block and JOURNAL_BYTES.search(block) is None:
            return False
        if wanted.since is None:
            return True
        return _latest(block, wanted.zone).may_be_since(wanted.since * 1000)

    def finish(self, is_over: bool = True) -> Entries:
        """
        Return the entries that were kept back, since more of them might have followed; also the
        parts of an incomplete line, if the log *is_over*.
        """
        entries = self._lines.finish(is_over)
        self._wanted.cut, self._lines.cut = self._wanted.cut + self._lines.cut, 0
        return self._wanted.among(entries)


# The bytes at each end of a block that show its times; as many times more at its end, where the last
# line or traceback is longer.
_ENDS = 4096
_WIDER = 16


class _Latest(NamedTuple):
    """
    The latest time in some lines, in milliseconds since the epoch: minus infinity without any; and
    whether a record has no time that can be read.
    """

    when: float
    has_undated: bool

    def may_be_since(self, when: float) -> bool:
        """Whether one of the lines may be of this time or later."""
        return self.has_undated or self.when >= when or self.when < 0


def _latest(block: bytes, zone: tzinfo | None = None) -> _Latest:
    """Return the latest time among the first and the last lines of a block."""
    first = _latest_in(block[:_ENDS].split(b"\n")[:-1], zone)
    size = _ENDS
    last = _latest_in(block[-size:].split(b"\n")[1:], zone)
    while last.when < 0 and size < len(block):
        size *= _WIDER
        lines = block[-size:].split(b"\n")
        last = _latest_in(lines if size >= len(block) else lines[1:], zone)
    if last.when < 0:
        return last
    return _Latest(max(first.when, last.when), first.has_undated or last.has_undated)


def _latest_in(lines: Sequence[bytes], zone: tzinfo | None) -> _Latest:
    reader = LineReader(when=float("inf"), zone=zone)
    entries = reader.read(line.decode("utf-8", "replace") for line in lines) + reader.finish()
    known = [entry.time for entry in entries if entry.time < float("inf")]
    has_undated = any(entry.more and "undated" in entry.more for entry in entries)
    return _Latest(max(known, default=-float("inf")), has_undated)


def read(
    log: Log,
    file: int = 0,
    wanted: Wanted | None = None,
    reading: Reading | None = None,
    workers: Workers | None = None,
) -> Iterator[Entries]:
    """
    Yield the entries of *log*, some thousands at a time, in the order of the file.

    :param workers: read the blocks that they can read; when left out, none are used.
    """
    written = log.last_written()
    when = (written if written < float("inf") else time.time()) * 1000
    wanted = wanted or Wanted()
    reader = LogReader(file, when, wanted, reading)
    blocks = lines_of(log, wanted.zone)
    for block, done in workers.read(blocks) if workers else zip(blocks, repeat(None), strict=False):
        yield reader.read(block, done)
    yield reader.finish()


_SLACK = 2000.0
_MOST_HELD = 65_536


def merged(logs: Sequence[Iterator[Entries]]) -> Iterator[Entries]:
    """
    Yield the entries of all *logs* in the order of their times, those of the same time in the order
    of their logs.

    Lines of one log that are up to two seconds out of order are sorted.
    """
    waiting = [Entries() for _ in logs]
    reached = {number: -float("inf") for number in range(len(logs))}
    while reached:
        number = min(reached, key=reached.__getitem__)
        batch = next(logs[number], None)
        if batch is None:
            del reached[number]
            continue
        if not batch:
            continue
        reached[number] = batch.columns.times[-1]
        waiting[number].extend(batch.columns)
        waiting[number].sort()
        ready = _taken_before(min(reached.values()) - _SLACK, waiting)
        if ready:
            yield ready
        if sum(map(len, waiting)) > _MOST_HELD:
            times = sorted(when for entries in waiting for when in entries.columns.times)
            yield _taken_before(nextafter(times[-_MOST_HELD // 2], float("inf")), waiting)
    rest = _taken_before(float("inf"), waiting)
    if rest:
        yield rest


def _taken_before(limit: float, waiting: Sequence[Entries]) -> Entries:
    """
    Remove the entries before a time from those that are *waiting*, those of each log in the order of
    their times, and return them in this order.
    """
    ready, *others = [entries.take(entries.before(limit)) for entries in waiting] or [Entries()]
    for part in others:
        ready.extend(part.columns)
    if others:
        ready.sort()
    return ready


def last_time(logs: Iterable[Log], zone: tzinfo | None = None) -> float | None:
    """
    Return the latest time in *logs*, in seconds since the epoch; only the ends of blocks are read.
    """
    times = (_latest(block, zone).when for log in logs for block in lines_of(log, zone))
    latest = max(times, default=-1.0)
    return None if latest < 0 else latest / 1000
