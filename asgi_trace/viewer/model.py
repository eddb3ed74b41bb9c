"""
Entries become requests, sessions and chunks of lines: the data that the page shows.

Knows entries in the order of their times, and holds little of each: numbers in arrays, texts packed as soon as a chunk
of them is full. Does not know files, nor what the page looks like.
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

from .._cli.logs.records import Entry

__all__ = ("CHUNK_LINES", "Model", "Trace", "build")

CHUNK_LINES = 8192
# Texts of a chunk beyond this are cut short, so that one chunk can be held anywhere.
_CHUNK_TEXT = 8 << 20
_SHORT_TEXT = 1024
# Chunks that wait to be packed, at most.
_MOST_UNPACKED = 4

# All in milliseconds. What is silent for so long may be a gap in a request, and is one if it is this part of it.
_GAP = 400.0
_GAP_PART = 0.2
_MOST_GAPS = 5
# A silence of the whole log, while some requests are open for which it is no mere pause.
_SILENCE = 500.0
_SILENCE_PART = 0.1
_SILENT_REQUESTS = 2
# An id that comes again is another request's: so long after the end of the first, after its answer, or at all.
_AFTER_END = 60_000.0
_AFTER_ANSWER = 600_000.0
_AFTER_ALL = 3_600_000.0
# No request takes a year.
_LONGEST = 3e10
# Entries of one whole second are shown in their order, so far apart at most.
_SPREAD = 10.0


@dataclass
class Trace:
    """What a page shows: *head* is about all of it, *chunks* are its lines, each the gzip of a JSON object."""

    head: dict[str, Any]
    chunks: list[bytes]


class Model:
    """
    Takes entries in the order of their times, and tells what they make.

    :param title: of the page.
    :param files: the names of the logs.
    """

    def __init__(self, title: str, files: Sequence[str]) -> None:
        self.title = title
        self.files = list(files)
        self.left_out: list[str] = []
        self.summary = ""  # what was read, in words
        self.entries = 0
        self.held = 0  # entries whose clock went back
        self.cut = 0  # entries whose text was cut here
        self._unknown = 0
        self._base: int | None = None
        self._last = 0.0
        self._is_whole = False
        # sessions
        self._sessions: list[str] = []
        self._session_of: dict[str, int] = {}
        # requests, by number
        self._number: dict[str, int] = {}
        self._ids: list[str] = []
        self._session = array("i")
        self._logged_session: list[str] = []
        self._method: list[str | None] = []
        self._path: list[str | None] = []
        self._status: list[int | None] = []
        self._outcome: list[str | None] = []
        self._told_by_access: tuple[tuple[str, list[Any]], ...] = (
            ("method", self._method),
            ("path", self._path),
            ("status", self._status),
            ("outcome", self._outcome),
        )
        self._shared: dict[Any, Any] = {}  # each value once, since many requests have the same
        self._call: list[str | None] = []
        self._trace: list[str | None] = []
        self._start = array("d")
        self._first_byte: list[float | None] = []
        self._duration: list[float | None] = []
        self._ended: list[float | None] = []  # when the access line said so
        self._seen = array("d")  # when its last entry was
        self._end = array("d")
        self._lines = array("l")
        self._first_line = array("l")
        self._level = array("b")
        self._late = array("l")
        # silences
        self._gap_request = array("l")
        self._gap_from = array("d")
        self._gap_to = array("d")
        self._silence_from = array("d")
        self._silence_to = array("d")
        self._moved: list[list[int]] = []  # entries that were given to another request, and to which
        self._split: list[int] = []  # the requests that they were taken from
        # the chunk that is being filled
        self._chunks: list[Future[bytes] | bytes] = []
        self._pool = ThreadPoolExecutor(1)
        self._clear()

    def _clear(self) -> None:
        self._times: list[int] = []
        self._levels: list[int] = []
        self._requests: list[int] = []
        self._lates: list[int] = []
        self._from_file: list[int] = []
        self._texts: list[str] = []
        self._messages: list[int] = []
        self._text_size = 0

    # -- entries -----------------------------------------------------------------------------------------------------

    def add(self, entries: list[Entry], until: float | None = None) -> None:
        """
        Take *entries*, in the order of their times and none before those taken already.

        *until* is when they end, where that is known: those of its second are then not spread beyond it.
        """
        if not entries:
            return
        if self._base is None:
            self._base = int(entries[0].time)
            self._last = 0.0
        base = self._base
        numbers, seen = self._number, self._seen
        for when, entry in zip(self._spread(entries, base, until), entries, strict=True):
            if len(self._texts) == CHUNK_LINES:
                self._pack()
            when -= base
            if when < self._last:
                if when < self._last - _SPREAD:
                    self.held += 1
                when = self._last
            elif when - self._last >= _SILENCE and self.entries:
                self._silence_from.append(self._last)
                self._silence_to.append(when)
            self._last = when
            _, level, request_id, session_id, text, message, more, file = entry
            if not request_id:
                number = -1
                self._unknown += 1
            else:
                found = numbers.get(request_id)
                if found is None or (when - seen[found] > _AFTER_END and self._is_another(found, when)):
                    number = self._open(request_id, when)
                else:
                    number = found
                    if when - seen[number] >= _GAP:
                        self._gap_request.append(number)
                        self._gap_from.append(seen[number])
                        self._gap_to.append(when)
                self._lines[number] += 1
                seen[number] = when
                if level > self._level[number]:
                    self._level[number] = level
                if session_id and session_id != self._logged_session[number]:
                    self._set_session(number, session_id)
                if more is not None:
                    number = self._learn(number, when, more, entry)
                ended = self._ended[number]
                if ended is None:
                    self._end[number] = when
                elif when > ended and (more is None or "access" not in more):
                    self._note_late(number, entry)
            self._times.append(round(when * 10))
            self._levels.append(level)
            self._requests.append(number)
            self._from_file.append(file)
            self._messages.append(message)
            self._text_size += len(text)
            if self._text_size > _CHUNK_TEXT and len(text) > _SHORT_TEXT:
                self._text_size -= len(text) - _SHORT_TEXT
                text = text[:_SHORT_TEXT] + "…"
                self.cut += 1
            self._texts.append(text)
            self.entries += 1

    def _spread(self, entries: list[Entry], base: int, until: float | None) -> list[float]:
        """Return the times of *entries*, those of one whole second in the order that they stand in."""
        times: list[float] = [entry.time for entry in entries]
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

    # -- requests ----------------------------------------------------------------------------------------------------

    def _is_another(self, number: int, when: float) -> bool:
        """Whether an entry with the id of a request that was silent for long is another's."""
        silent = when - self._seen[number]
        if self._ended[number] is not None:
            return True
        return silent > (_AFTER_ALL if self._status[number] is None else _AFTER_ANSWER)

    def _open(self, request_id: str, when: float) -> int:
        number = len(self._ids)
        self._number[request_id] = number
        self._ids.append(request_id)
        self._session.append(-1)
        self._logged_session.append("")
        told: tuple[list[Any], ...] = (
            self._method,
            self._path,
            self._status,
            self._outcome,
            self._call,
            self._trace,
            self._first_byte,
            self._duration,
            self._ended,
        )
        for column in told:
            column.append(None)
        self._start.append(when)
        self._end.append(when)
        self._seen.append(when)
        self._lines.append(0)
        self._first_line.append(self.entries)
        self._level.append(0)
        self._late.append(0)
        return number

    def _set_session(self, number: int, session_id: str) -> None:
        """Give a request its session: the one that it was logged with last, since it may learn of one."""
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
        """Note what an entry tells of its request, and return which request that is."""
        if "trace" in more:
            self._trace[number] = more["trace"]
        if "call" in more:
            self._call[number] = more["call"]
        if "access" not in more:
            return number
        access = more["access"]
        duration = access.get("duration_ms")
        if duration is not None and not duration < _LONGEST:  # what merely looks like an access line may say anything
            return number
        start = None if duration is None else when - duration
        ended = self._ended[number]
        if start is not None and ended is not None:
            if start > ended:
                number = self._open_late(number, start, when, entry)
            elif start >= self._start[number]:
                return number  # of a part of it: behind a gateway, say, a service that was given the id
        for name, column in self._told_by_access:
            if name in access:
                column[number] = self._shared.setdefault(access[name], access[name])
        if start is not None:
            self._duration[number] = duration
            self._start[number] = min(start, self._start[number])
            self._end[number] = self._ended[number] = when
            first_byte = access.get("ttfb_ms")
            if first_byte is not None and first_byte <= duration:
                self._first_byte[number] = start + first_byte
        return number

    def _open_late(self, before: int, start: float, when: float, entry: Entry) -> int:
        """Open a request for an id that was used before, and give it what was taken for late lines of the first."""
        number = self._open(entry.request_id, when)
        self._session[number] = self._session[before]
        self._logged_session[number] = self._logged_session[before]
        moved = 1
        first = self.entries - len(self._texts)
        for place in reversed(self._lates):
            if self._times[place] < start * 10 - 1000:
                break
            if self._requests[place] == before:
                self._requests[place] = number
                self._moved.append([first + place, number])
                self._first_line[number] = first + place
                self._start[number] = self._times[place] / 10
                self._level[number] = max(self._level[number], self._levels[place])
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
        # The traceback of its crash is logged by the server, and no line of a task that was left behind.
        if entry.level >= 4 and (self._outcome[number] == "crash" or (self._status[number] or 0) >= 500):
            return
        self._late[number] += 1
        self._lates.append(len(self._texts))

    # -- chunks ------------------------------------------------------------------------------------------------------

    def _pack(self) -> None:
        data = self._chunk(0)
        self._clear()
        # zlib lets go of the lock: that is the other core's work.
        self._chunks.append(self._pool.submit(_packed, data))
        if len(self._chunks) > _MOST_UNPACKED:
            self._chunk_at(len(self._chunks) - 1 - _MOST_UNPACKED)

    def _chunk(self, place: int) -> dict[str, Any]:
        """Return the entries of the chunk that is being filled, from *place* on."""
        times = self._times[place:]
        deltas = [now - then for now, then in zip(times, [0, *times], strict=False)]
        files = self._from_file[place:]
        return {
            "t": [each // 10 if not each % 10 else each / 10 for each in deltas],
            "level": self._levels[place:],
            "request": self._requests[place:],
            "late": [each - place for each in self._lates if each >= place],
            "file": files[0] if files and files.count(files[0]) == len(files) else files,
            "text": self._texts[place:],
            "message": self._messages[place:],
        }

    def _chunk_at(self, place: int) -> bytes:
        """Return a chunk, when it has been packed."""
        chunk = self._chunks[place]
        if isinstance(chunk, bytes):
            return chunk
        packed = self._chunks[place] = chunk.result()
        return packed

    # -- the whole ---------------------------------------------------------------------------------------------------

    def trace(self) -> Trace:
        """Return all of it, as far as it has come."""
        chunks = [self._chunk_at(place) for place in range(len(self._chunks))]
        if self._texts:
            chunks.append(_packed(self._chunk(0)))
        return Trace(self._head(), chunks)

    def news(self, entries: list[Entry], until: float | None = None) -> Iterator[dict[str, Any]]:
        """Take *entries* as :meth:`add` does, and yield what each chunk of them adds or changes."""
        while entries:
            place = len(self._texts) % CHUNK_LINES
            room = CHUNK_LINES - place
            sessions, gaps = len(self._sessions), len(self._gap_from) + len(self._silence_from)
            moved, split = len(self._moved), len(self._split)
            self.add(entries[:room], until)
            entries = entries[room:]
            numbers = sorted({*self._requests[place:], *self._split[split:]} - {-1})
            columns = self._columns(numbers)
            found: dict[str, Any] = {
                "requests": [
                    [number, {name: column[each] for name, column in columns.items()}]
                    for each, number in enumerate(numbers)
                ],
                "sessions": self._sessions[sessions:],
                "chunk": self._chunk(place),
            }
            if len(self._moved) > moved:
                found["moved"] = self._moved[moved:]
            if len(self._gap_from) + len(self._silence_from) > gaps:
                found |= {"gaps": self._gaps(), "silences": self._silences()}
            yield found

    def close(self) -> None:
        """Let go of the thread that packs."""
        self._pool.shutdown()

    def _head(self) -> dict[str, Any]:
        count = len(self._ids)
        return {
            "version": 1,
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
            "sessions": list(self._sessions),
            "requests": self._columns(range(count)),
            "gaps": self._gaps(),
            "silences": self._silences(),
        }

    def _faults(self) -> list[str]:
        found = []
        if self.held:
            found.append(f"{_lines(self.held)} whose clock went back: shown at the time of the line before.")
        if self.cut:
            found.append(f"The end of {_lines(self.cut)} too long to be shown whole.")
        return found

    def _columns(self, numbers: Iterable[int]) -> dict[str, list[Any]]:
        columns: dict[str, Sequence[Any]] = {
            "id": self._ids,
            "session": self._session,
            "method": self._method,
            "path": self._path,
            "status": self._status,
            "start": self._start,
            "first_byte": self._first_byte,
            "end": self._end,
            "duration": self._duration,
            "outcome": self._outcome,
            "call": self._call,
            "trace": self._trace,
            "lines": self._lines,
            "first_line": self._first_line,
            "level": self._level,
            "late": self._late,
        }
        numbers = list(numbers)
        return {
            name: [_tenth(column[number]) for number in numbers]
            if name in ("start", "first_byte", "end")
            else [column[number] for number in numbers]
            for name, column in columns.items()
        }

    def _gaps(self) -> list[list[Any]]:
        """Return the silences within requests that are long for them, the longest of each request."""
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
            [number, _tenth(start), _tenth(end)]
            for number, gaps in sorted(by_request.items())
            for _, start, end in sorted(heapq.nlargest(_MOST_GAPS, gaps), key=lambda gap: gap[1])
        ]

    def _silences(self) -> list[list[Any]]:
        """Return when nothing at all was logged though requests were at work, as while an event loop is blocked."""
        least = 2000.0 if self._is_whole else _SILENCE
        order = sorted(range(len(self._ids)), key=self._start.__getitem__)
        starts = [self._start[number] for number in order]
        found: list[list[Any]] = []
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
            silent = sum(until - self._start[number] <= (end - start) / _SILENCE_PART for until, number in opened)
            if silent >= _SILENT_REQUESTS:
                found.append([_tenth(start), _tenth(end)])
        return found


def build(batches: Iterable[list[Entry]], title: str, files: Sequence[str]) -> Trace:
    """Return what the page shows of the entries in *batches*, which come in the order of their times."""
    model = Model(title, files)
    try:
        for batch in batches:
            model.add(batch)
        return model.trace()
    finally:
        model.close()


def _packed(data: dict[str, Any]) -> bytes:
    return gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 6, mtime=0)


def _tenth(when: float | None) -> float | None:
    if when is None:
        return None
    tenths = round(when * 10)
    return tenths / 10 if tenths % 10 else tenths // 10


def _lines(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"
