"""
Turn the entries of a log into the data of the page: requests, sessions and chunks of lines.

Entries come in the order of their times. Little of each is held: numbers are in arrays, and texts
are packed as soon as a chunk of them is full. Other modules read files and write the page.
"""

from __future__ import annotations

import gzip
import heapq
import json
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..logs.records import Entry
from .contract import REQUEST_COLUMNS, VERSION, Call, Chunk, Head, News, Request, Requests

__all__ = ("CHUNK_LINES", "Model", "Trace", "build")

CHUNK_LINES = 8192
# Texts of a chunk beyond this are cut short, so that one chunk can be held anywhere.
_CHUNK_TEXT = 8 << 20
_SHORT_TEXT = 1024
# A third of the time of 6, which is gzip's own choice, and a fifth more bytes.
_EFFORT = 1
# Chunks that wait to be packed, at most.
_MOST_UNPACKED = 4

# Times are in milliseconds. A gap in a request is at least this long, and this part of the request.
_GAP = 400.0
_GAP_PART = 0.2
_MOST_GAPS = 5
# A silence of the whole log is at least this long, and this part of each of so many open requests.
_SILENCE = 500.0
_SILENCE_PART = 0.1
_SILENT_REQUESTS = 2
# An entry with a known id belongs to another request when it comes this long after the end of the
# first request, after its answer, or, where neither was seen, after its last entry.
_AFTER_END = 60_000.0
_AFTER_ANSWER = 600_000.0
_AFTER_ALL = 3_600_000.0
# No request takes a year.
_LONGEST = 3e10
# Entries of one whole second are shown in their order, so far apart at most.
_SPREAD = 10.0


@dataclass
class Trace:
    """The data of a page: the head, and the chunks, each the gzip of a JSON ``Chunk``."""

    head: Head
    chunks: list[bytes]


class Model:
    """
    The data of a page, made from entries in the order of their times.

    :param title: of the page.
    :param files: the names of the logs.
    """

    def __init__(self, title: str, files: Sequence[str]) -> None:
        self.title = title
        self.files = list(files)
        self.left_out: list[str] = []
        self.notes: list[str] = []
        self.summary = ""  # what was read, in words
        self.held = 0  # entries whose clock went back
        self.cut = 0  # entries whose text was cut here
        self._unknown = 0
        self._base: int | None = None
        self._last = 0.0
        self._is_whole = False
        # sessions
        self._sessions: list[str] = []
        self._session_of: dict[str, int] = {}
        self._services: list[str] = []
        self._templates: list[str] = []
        self._calls: list[Call] = []
        # requests, by number: the columns of the page
        columns: dict[str, Any] = {column.name: column.empty() for column in REQUEST_COLUMNS}
        self._columns = columns
        self._new_request = [(columns[column.name], column.initial) for column in REQUEST_COLUMNS]
        self._ids: list[str] = columns["id"]
        self._session: array[int] = columns["session"]
        self._status: list[int | None] = columns["status"]
        self._outcome: list[str | None] = columns["outcome"]
        self._call: list[str | None] = columns["call"]
        self._trace: list[str | None] = columns["trace"]
        self._start: array[float] = columns["start"]
        self._first_byte: list[float | None] = columns["first_byte"]
        self._duration: list[float | None] = columns["duration"]
        self._end: array[float] = columns["end"]
        self._lines: array[int] = columns["lines"]
        self._first_line: array[int] = columns["first_line"]
        self._level: array[int] = columns["level"]
        self._late: array[int] = columns["late"]
        # and what only the model needs of them
        self._number: dict[str, int] = {}
        self._logged_session: list[str] = []
        self._ended: list[float | None] = []  # when the access line was, or None
        self._seen = array("d")  # when the last entry was
        self._shared: dict[Any, Any] = {}  # each value once, since many requests have the same
        # silences
        self._gap_request = array("l")
        self._gap_from = array("d")
        self._gap_to = array("d")
        self._silence_from = array("d")
        self._silence_to = array("d")
        # entries that changed their request, and the new one
        self._moved: list[tuple[int, int]] = []
        self._split: list[int] = []  # the requests that they were taken from
        # the chunk that is being filled
        self._before_chunk = 0  # how many entries are in the chunks before
        self._chunks: list[Future[bytes] | bytes] = []
        self._pool = ThreadPoolExecutor(1)
        self._clear()

    def _clear(self) -> None:
        self._entries: list[Entry] = []
        self._times: list[int] = []  # in tenths of a millisecond
        self._requests: list[int] = []
        self._lates: list[int] = []  # places in the chunk
        self._text_size = 0

    # -- entries ----------------------------------------------------------------------------------

    @property
    def entries(self) -> int:
        """How many entries were taken."""
        return self._before_chunk + len(self._requests)

    def add(self, entries: list[Entry], until: float | None = None) -> None:
        """
        Take *entries*, in the order of their times and none before those taken already.

        *until* is the end of their time, where that is known: entries of the last second are then
        not spread beyond it.
        """
        if not entries:
            return
        if self._base is None:
            self._base = int(entries[0].time)
            self._last = 0.0
        times = self._ascending(self._spread(entries, self._base, until), self._base)
        place = 0
        while place < len(entries):
            if len(self._requests) == CHUNK_LINES:
                self._pack()
            end = place + CHUNK_LINES - len(self._requests)
            self._fill(entries[place:end], times[place:end])
            place = end

    def _ascending(self, times: list[float], base: int) -> list[float]:
        """Return *times* relative to *base*, none before the one it follows, and note silences."""
        last = self._last
        shown = []
        for when in times:
            when -= base
            if when < last:
                if last - when > _SPREAD:
                    self.held += 1
                when = last
            elif when - last >= _SILENCE:
                self._silence_from.append(last)
                self._silence_to.append(when)
            shown.append(when)
            last = when
        self._last = last
        return shown

    def _fill(self, entries: list[Entry], times: list[float]) -> None:
        """Add *entries* to the chunk, which has room for them, and find the request of each."""
        self._entries += self._within_limit(entries)
        self._times += [round(when * 10) for when in times]
        requests, numbers, ended, seen = self._requests, self._number, self._ended, self._seen
        sessions, traces, ends = self._logged_session, self._trace, self._end
        lines, levels = self._lines, self._level
        for when, entry in zip(times, entries, strict=True):
            _, level, request_id, session_id, _, _, more, _ = entry
            if not request_id:
                self._unknown += 1
                requests.append(-1)
                continue
            number = numbers.get(request_id, -1)
            if number < 0 or when - seen[number] >= _GAP:
                number = self._request_of(request_id, when)
            if ended[number] is not None or (
                more is not None and ("access" in more or "call" in more)
            ):
                requests.append(self._note(number, entry, when))
                continue
            # What _note() does with nine of ten entries, in half of the time.
            requests.append(number)
            lines[number] += 1
            seen[number] = ends[number] = when
            if level > levels[number]:
                levels[number] = level
            if session_id and session_id != sessions[number]:
                self._set_session(number, session_id)
            if more is not None and "trace" in more:
                traces[number] = more["trace"]

    def _within_limit(self, entries: list[Entry]) -> list[Entry]:
        """Return *entries*, with short texts where the chunk has no room for long ones."""
        size = sum([len(entry.text) for entry in entries])
        if self._text_size + size <= _CHUNK_TEXT:
            self._text_size += size
            return entries
        found = []
        for entry in entries:
            size = len(entry.text)
            self._text_size += size
            if self._text_size > _CHUNK_TEXT and size > _SHORT_TEXT:
                self._text_size -= size - _SHORT_TEXT
                self.cut += 1
                entry = entry._replace(text=entry.text[:_SHORT_TEXT] + "…")
            found.append(entry)
        return found

    def _spread(self, entries: list[Entry], base: int, until: float | None) -> list[float]:
        """Return the times of *entries*; those of one whole second are spread in their order."""
        times: list[float] = [entry.time for entry in entries]
        if int not in set(map(type, times)):
            return times
        place, count = 0, len(times)
        while place < count:
            when = times[place]
            if type(when) is not int:
                place += 1
                continue
            self._is_whole = True
            end = place + 1
            while end < count and times[end] == when:
                end += 1
            limit = when + 1000.0
            if end < count:
                limit = min(limit, times[end])
            elif until is not None:
                limit = min(limit, until)
            start = max(when, base + self._last)
            if start < when + 1000:
                step = min(max(limit - start, 0.0) / (end - place), _SPREAD)
                times[place:end] = [start + step * each for each in range(end - place)]
            place = end
        return times

    # -- requests ---------------------------------------------------------------------------------

    def _request_of(self, request_id: str, when: float) -> int:
        """Return the number of an entry's request, a new one if needed, and note a gap."""
        number = self._number.get(request_id)
        if number is None:
            return self._open(request_id, when)
        seen = self._seen[number]
        silent = when - seen
        if silent > _AFTER_END and self._is_another(number, when):
            return self._open(request_id, when)
        if silent >= _GAP:
            self._gap_request.append(number)
            self._gap_from.append(seen)
            self._gap_to.append(when)
        return number

    def _note(self, number: int, entry: Entry, when: float) -> int:
        """Note the facts of an entry. Returns its request: an access line may begin another one."""
        level, session_id, more = entry.level, entry.session_id, entry.more
        self._lines[number] += 1
        self._seen[number] = when
        if level > self._level[number]:
            self._level[number] = level
        if session_id and session_id != self._logged_session[number]:
            self._set_session(number, session_id)
        is_access = False
        if more is not None:
            number = self._learn(number, when, more, entry)
            is_access = "access" in more
        ended = self._ended[number]
        if ended is None:
            self._end[number] = when
        elif when > ended and not is_access:
            self._note_late(number, entry)
        return number

    def _is_another(self, number: int, when: float) -> bool:
        """Whether an entry belongs to another request than the earlier one with its id."""
        silent = when - self._seen[number]
        if self._ended[number] is not None:
            return True
        return silent > (_AFTER_ALL if self._status[number] is None else _AFTER_ANSWER)

    def _open(self, request_id: str, when: float) -> int:
        number = len(self._ids)
        for values, initial in self._new_request:
            values.append(initial)
        self._number[request_id] = number
        self._ids[number] = request_id
        self._start[number] = self._end[number] = when
        self._first_line[number] = self.entries
        self._logged_session.append("")
        self._ended.append(None)
        self._seen.append(when)
        return number

    def _set_session(self, number: int, session_id: str) -> None:
        """Give a request the session of its latest entry: a session may be known late."""
        logged = self._logged_session[number]
        self._logged_session[number] = session_id
        if logged.startswith(session_id):  # the same, cut by another form
            return
        self._session[number] = self._session_number(session_id)

    def _session_number(self, session_id: str) -> int:
        number = self._session_of.get(session_id)
        if number is not None:
            return number
        short = session_id[:8]
        number = self._session_of.get(short)
        # What text has cut is the first of those that begin so.
        if number is not None and self._sessions[number] == short and len(session_id) > 8:
            self._sessions[number] = session_id
        else:
            number = len(self._sessions)
            self._sessions.append(session_id)
            self._session_of.setdefault(short, number)
        self._session_of[session_id] = number
        return number

    def _learn(self, number: int, when: float, more: dict[str, Any], entry: Entry) -> int:
        """Note the rare facts of an entry, such as an access line's. Returns their request."""
        if "trace" in more:
            self._trace[number] = more["trace"]
        if "call" in more:
            self._call[number] = more["call"]
        if "access" not in more:
            return number
        access = more["access"]
        duration = access.get("duration_ms")
        if duration is not None and not duration < _LONGEST:  # no access line, only similar to one
            return number
        start = None if duration is None else when - duration
        ended = self._ended[number]
        if start is not None and ended is not None:
            if start > ended:
                number = self._open_late(number, start, when, entry)
            elif start >= self._start[number]:
                return number  # of a part of it: a service behind a gateway, with the same id
        for name in ("method", "path", "status", "outcome"):
            if name in access:
                self._columns[name][number] = self._shared.setdefault(access[name], access[name])
        if start is not None:
            self._duration[number] = duration
            self._start[number] = min(start, self._start[number])
            self._end[number] = self._ended[number] = when
            first_byte = access.get("ttfb_ms")
            if first_byte is not None and first_byte <= duration:
                self._first_byte[number] = start + first_byte
        return number

    def _open_late(self, before: int, start: float, when: float, entry: Entry) -> int:
        """Open a request for an id that was used before; it gets the first one's late lines."""
        number = self._open(entry.request_id, when)
        self._session[number] = self._session[before]
        self._logged_session[number] = self._logged_session[before]
        moved = 1
        first = self._before_chunk
        for place in reversed(self._lates):
            if self._times[place] < start * 10 - 1000:
                break
            if self._requests[place] == before:
                self._requests[place] = number
                self._moved.append((first + place, number))
                self._first_line[number] = first + place
                self._start[number] = self._times[place] / 10
                self._level[number] = max(self._level[number], self._entries[place].level)
                self._late[before] -= 1
                moved += 1
        self._lates = [place for place in self._lates if self._requests[place] != number]
        self._split.append(before)
        self._lines[before] -= moved
        self._lines[number] = moved
        self._level[number] = max(self._level[number], entry.level)
        self._seen[number] = when
        return number

    def _note_late(self, number: int, entry: Entry) -> None:
        has_failed = self._outcome[number] == "crash" or (self._status[number] or 0) >= 500
        if has_failed and entry.level >= 4:  # the traceback, which the server logs after the end
            return
        self._late[number] += 1
        self._lates.append(len(self._requests))

    # -- chunks -----------------------------------------------------------------------------------

    def _pack(self) -> None:
        data = self._chunk(0)
        self._before_chunk = self.entries
        self._clear()
        # zlib lets go of the lock: that is the other core's work.
        self._chunks.append(self._pool.submit(_packed, data))
        if len(self._chunks) > _MOST_UNPACKED:
            self._chunk_at(len(self._chunks) - 1 - _MOST_UNPACKED)

    def _chunk(self, place: int) -> Chunk:
        """Return the entries of the chunk that is being filled, from *place* on."""
        times = self._times[place:]
        columns = zip(*self._entries[place:], strict=True)
        _, levels, _, _, texts, messages, _, files = map(list, columns)
        deltas = [now - then for now, then in zip(times, [0, *times], strict=False)]
        is_one_file = files.count(files[0]) == len(files)
        return {
            "t": [each / 10 if each % 10 else each // 10 for each in deltas],
            "level": levels,
            "request": self._requests[place:],
            "late": [each - place for each in self._lates if each >= place],
            "file": files[0] if is_one_file else files,
            "service": -1,
            "errors": [],
            "text": texts,
            "message": messages,
        }

    def _chunk_at(self, place: int) -> bytes:
        """Return a chunk, when it has been packed."""
        chunk = self._chunks[place]
        if isinstance(chunk, bytes):
            return chunk
        packed = self._chunks[place] = chunk.result()
        return packed

    # -- the whole --------------------------------------------------------------------------------

    def trace(self) -> Trace:
        """Return all of it, as far as it has come."""
        chunks = [self._chunk_at(place) for place in range(len(self._chunks))]
        if self._entries:
            chunks.append(_packed(self._chunk(0)))
        return Trace(self._head(), chunks)

    def news(self, entries: list[Entry], until: float | None = None) -> Iterator[News]:
        """Take *entries* as :meth:`add` does, and yield what each chunk of them adds or changes."""
        while entries:
            place = len(self._requests) % CHUNK_LINES
            room = CHUNK_LINES - place
            sessions, gaps = len(self._sessions), len(self._gap_from) + len(self._silence_from)
            services, templates = len(self._services), len(self._templates)
            calls = len(self._calls)
            moved, split = len(self._moved), len(self._split)
            self.add(entries[:room], until)
            entries = entries[room:]
            numbers = sorted({*self._requests[place:], *self._split[split:]} - {-1})
            has_gaps = len(self._gap_from) + len(self._silence_from) > gaps
            yield {
                "requests": list(zip(numbers, self._requests_one_by_one(numbers), strict=True)),
                "sessions": self._sessions[sessions:],
                "services": self._services[services:],
                "templates": self._templates[templates:],
                "calls": self._calls[calls:],
                "notes": self.notes,
                "chunk": self._chunk(place),
                "moved": self._moved[moved:],
                "gaps": self._gaps() if has_gaps else None,
                "silences": self._silences() if has_gaps else None,
            }

    def close(self) -> None:
        """Let go of the thread that packs."""
        self._pool.shutdown()

    def _head(self) -> Head:
        return {
            "version": VERSION,
            "title": self.title,
            "created": round(time.time() * 1000),
            "base": self._base or 0,
            "files": self.files,
            "lines": self.entries,
            "summary": self.summary,
            "unknown": self._unknown,
            "whole_seconds": self._is_whole,
            "left_out": self.left_out + self._faults(),
            "chunk_lines": CHUNK_LINES,
            "notes": self.notes,
            "sessions": list(self._sessions),
            "services": list(self._services),
            "templates": list(self._templates),
            "calls": list(self._calls),
            "requests": self._requests_in_columns(range(len(self._ids))),
            "gaps": self._gaps(),
            "silences": self._silences(),
        }

    def _faults(self) -> list[str]:
        found = []
        if self.held:
            count = _lines(self.held)
            found.append(f"{count} whose clock went back: shown at the time of the line before.")
        if self.cut:
            found.append(f"The end of {_lines(self.cut)} too long to be shown whole.")
        return found

    def _requests_in_columns(self, numbers: Sequence[int]) -> Requests:
        found = Requests()
        for column in REQUEST_COLUMNS:
            whole = self._columns[column.name]
            values = [whole[number] for number in numbers]
            if column.is_time:
                values = [None if when is None else _tenth(when) for when in values]
            found[column.name] = values
        return found

    def _requests_one_by_one(self, numbers: Sequence[int]) -> list[Request]:
        columns = self._requests_in_columns(numbers)
        rows = zip(*columns.values(), strict=True)
        return [Request(zip(columns, row, strict=True)) for row in rows]

    def _gaps(self) -> list[tuple[int, float, float]]:
        """Return the gaps that are long for their requests, the longest of each request."""
        least = 2000.0 if self._is_whole else _GAP
        by_request: dict[int, list[tuple[float, float, float]]] = {}
        for number, start, end in zip(self._gap_request, self._gap_from, self._gap_to, strict=True):
            length = end - start
            ended = self._ended[number]
            if length < max(least, (self._end[number] - self._start[number]) * _GAP_PART):
                continue
            if ended is None or start < ended:
                by_request.setdefault(number, []).append((length, start, end))
        return [
            (number, _tenth(start), _tenth(end))
            for number, gaps in sorted(by_request.items())
            for _, start, end in sorted(heapq.nlargest(_MOST_GAPS, gaps), key=lambda gap: gap[1])
        ]

    def _silences(self) -> list[tuple[float, float]]:
        """Return when open requests logged nothing at all, as while an event loop is blocked."""
        least = 2000.0 if self._is_whole else _SILENCE
        order = sorted(range(len(self._ids)), key=self._start.__getitem__)
        starts = [self._start[number] for number in order]
        found: list[tuple[float, float]] = []
        opened: list[tuple[float, int]] = []
        place = 0
        for start, end in zip(self._silence_from, self._silence_to, strict=True):
            if end - start < least:
                continue
            until = bisect_right(starts, start)
            for number in order[place:until]:
                heapq.heappush(opened, (self._end[number], number))
            place = until
            while opened and opened[0][0] < end:
                heapq.heappop(opened)
            longest = (end - start) / _SILENCE_PART
            silent = sum(until - self._start[number] <= longest for until, number in opened)
            if silent >= _SILENT_REQUESTS:
                found.append((_tenth(start), _tenth(end)))
        return found


def build(batches: Iterable[list[Entry]], title: str, files: Sequence[str]) -> Trace:
    """Return the trace of the entries in *batches*, which come in the order of their times."""
    model = Model(title, files)
    try:
        for batch in batches:
            model.add(batch)
        return model.trace()
    finally:
        model.close()


def _packed(data: Chunk) -> bytes:
    times, rest = data["t"], {name: column for name, column in data.items() if name != "t"}
    shown = ",".join(map(_SHOWN.__getitem__, times))
    text = f'{{"t":[{shown}],{json.dumps(rest, separators=(",", ":"))[1:]}'
    return gzip.compress(text.encode(), _EFFORT, mtime=0)


class _Shown(dict[float, str]):
    """How JSON shows a number. Most differences of times are small, and come again."""

    def __missing__(self, number: float) -> str:
        shown = repr(number)
        if len(self) < _MOST_SHOWN:
            self[number] = shown
        return shown


_MOST_SHOWN = 10_000
_SHOWN = _Shown()


def _tenth(when: float) -> float:
    tenths = round(when * 10)
    return tenths / 10 if tenths % 10 else tenths // 10


def _lines(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"
