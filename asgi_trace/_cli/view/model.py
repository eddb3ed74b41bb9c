"""
Turn the entries of a log into the data of the page: requests, sessions and chunks of lines.

Entries come in the order of their times. They take little memory: numbers are in arrays, and texts
are packed as soon as a chunk of them is full. Other modules read files and write the page.
"""

from __future__ import annotations

import operator
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from math import inf
from typing import Any

from ..logs.entries import Common, Entries
from ..logs.entry import Entry
from ..logs.lines import values_at
from .axis import Axis
from .callers import Callers
from .contract import REQUEST_COLUMNS, VERSION, Call, Chunk, Head, News, Request, Requests
from .errors import Templates
from .packing import OF_COMMONS, in_milliseconds, packed, rounded
from .pauses import GAP, Pauses
from .places import Places
from .sessions import Sessions

__all__ = ("CHUNK_LINES", "Model", "Trace", "build")

CHUNK_LINES = 8192
# If the texts of a chunk exceed this size, they are cut, so that any browser can read a chunk.
_CHUNK_TEXT = 8 << 20
_SHORT_TEXT = 1024
# The number of requests by which their columns grow.
_ROOM = 256
# The most chunks that wait to be packed.
_MOST_UNPACKED = 2

# Times are in milliseconds.
#
# An entry with a known id belongs to another request when it comes this long after the end of the
# first request, after its answer, or, where neither was seen, after its last entry.
_AFTER_END = 60_000.0
_AFTER_ANSWER = 600_000.0
_AFTER_ALL = 3_600_000.0
# No request takes a year.
_LONGEST = 3e10
# The most by which an entry may be earlier than its request's start by the access line; and the
# same for an id that is served again after the first request has ended.
_EARLIER = 5.0
_EARLIER_AGAIN = 100.0
_WHOLE_SECOND = 1_100.0  # both, where times have no fraction of a second
# The most entries with that id that it may take: a client may send thousands of requests with one
# id in a second.
_MOST_AGAIN = 256
_NO_MORE: dict[str, Any] = {}
_ERROR = 4  # a level
# The most spans within requests that are kept, and the most open requests with one id in a place.
_MOST_INNER = 200_000
_MOST_AT_ONCE = 100


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
    :param pack: like :func:`packed`, and called in a thread of its own.
    """

    def __init__(
        self, title: str, files: Sequence[str], pack: Callable[[Any], bytes] = packed
    ) -> None:
        self.title = title
        self.files = list(files)
        self.left_out: list[str] = []
        self.notes: list[str] = []
        self.summary = ""  # of reading the logs, in words
        self.cut = 0  # entries whose text was cut here
        self._unknown = 0
        self._is_over = False  # whether no entry will be added
        self._sessions = Sessions()
        self._places = Places(files)
        self._templates = Templates()
        self._calls: list[Call] = []
        self._spans_of_calls: dict[str, int] = {}
        # requests, by number: the columns of the page
        columns: dict[str, Any] = {column.name: column.empty() for column in REQUEST_COLUMNS}
        self._columns = columns
        self._count = 0  # of requests; the columns have room for some more
        self._ids: list[str] = columns["id"]
        self._session: array[int] = columns["session"]
        self._status: list[int | None] = columns["status"]
        self._outcome: list[str | None] = columns["outcome"]
        self._span: list[str | None] = columns["span"]
        self._call: list[str | None] = columns["call"]
        self._trace: list[str | None] = columns["trace"]
        self._start: array[float] = columns["start"]
        self._first_byte: list[float | None] = columns["first_byte"]
        self._duration: list[float | None] = columns["duration"]
        self._end: list[float] = columns["end"]
        self._lines: list[int] = columns["lines"]
        self._first_line: array[int] = columns["first_line"]
        self._level: list[int] = columns["level"]
        self._late: array[int] = columns["late"]
        # and columns that only the model needs
        self._place: list[int] = []
        self._logged_session: list[str] = []
        self._ended: list[float | None] = []  # when the access line was, or None
        self._began = array("d")  # when it began by its access line, else its first entry
        self._has_own = bytearray()  # whether it has an access line of ours
        self._is_text = bytearray()  # whether its first line is text of ours, without a span
        self._seen: list[float] = []  # when the last entry was that was looked at
        # When the last entry of an open request was, if the next one may be added without a look at
        # it; else minus infinity.
        self._quiet: list[float] = []
        self._passed: set[int] = set()  # requests whose id and place later ones have, too
        self._shared: dict[Any, Any] = {}  # each value once, since many requests have the same
        # The request that an entry with a span, or one without, belongs to; in other places than
        # the first that had the same, by both.
        self._of_span: dict[str, int] = {}
        self._of_id: dict[str, int] = {}
        self._elsewhere: dict[tuple[int, str], int] = {}
        # The requests with one id in one place, where there are several.
        self._several: dict[tuple[int, str], list[int]] = {}
        self._of_trace: dict[str, int] = {}
        # Each column, and the values by which it grows.
        self._rooms: list[tuple[Any, Any]] = [
            *((columns[column.name], column.empty(_ROOM)) for column in REQUEST_COLUMNS),
            (self._place, [0] * _ROOM),
            (self._logged_session, [""] * _ROOM),
            (self._ended, [None] * _ROOM),
            (self._began, array("d", bytes(8 * _ROOM))),
            (self._has_own, bytes(_ROOM)),
            (self._is_text, bytes(_ROOM)),
            (self._seen, [0.0] * _ROOM),
            (self._quiet, [-inf] * _ROOM),
        ]
        self._of_access = [
            (name, columns[name]) for name in ("method", "path", "status", "outcome")
        ]
        self._callers = Callers(columns, self._place, self._places, self._ended, self._of_span)
        self._pauses = Pauses(columns, self._ended, self._callers, self._calls)
        self._axis = Axis(self._pauses.note_silence)
        # entries that changed their request, and the new one
        self._moved: list[tuple[int, int]] = []
        self._split: list[int] = []  # the requests that they were taken from
        # the chunk that is being filled
        self._before_chunk = 0  # how many entries are in the chunks before
        self._chunks: list[Future[bytes] | bytes] = []
        self._pack_data = pack
        self._pool = ThreadPoolExecutor(1)
        self._clear()

    def _clear(self) -> None:
        # The columns of its entries; texts are cut if there is no room for them.
        self._times: list[int] = []  # in tenths of a millisecond
        self._commons: list[Common] = []
        self._texts: list[str] = []  # without their heads, which are before the messages
        self._messages: list[int] = []
        self._requests: list[int] = []
        self._unowned: dict[int, int] = {}  # the places of those without a request
        # The request of entries that have these parts in common.
        self._number_of: dict[Common, int] = {}
        self._lates: list[int] = []  # which entries of the chunk
        self._failed: list[int] = []  # the errors whose template is not yet known
        self._errors: list[tuple[int, int]] = []  # which entries, and their templates
        self._most_text = 0  # no less than the size of the texts and heads
        self._is_size_known = True  # whether it is that size

    # -- entries ----------------------------------------------------------------------------------

    @property
    def entries(self) -> int:
        """The number of entries that were added."""
        return self._before_chunk + len(self._requests)

    def add(self, entries: Sequence[Entry], until: float | None = None) -> None:
        """
        Add *entries*, in the order of their times and none before those added already.

        *until* is the end of their time, if it is known: entries of the last second are then not
        spread beyond it.
        """
        if not entries:
            return
        columns = Entries.of(entries).columns
        blanks = []
        if not all(common.request_id for common in set(columns.commons)):
            blanks = [
                at
                for at, common in enumerate(columns.commons)
                if not common.request_id and not common.head and _is_blank(columns.texts[at])
            ]
        times = self._axis.place(columns.times, blanks, until)
        place = 0
        while place < len(entries):
            if len(self._requests) == CHUNK_LINES:
                self._pack()
            end = place + CHUNK_LINES - len(self._requests)
            self._fill(
                times[place:end],
                columns.commons[place:end],
                columns.texts[place:end],
                columns.messages[place:end],
            )
            place = end

    def _fill(
        self,
        times: list[float],
        commons: list[Common],
        texts: list[str],
        messages: list[int],
    ) -> None:
        """
        Add the entries with these columns to the chunk, which has room for them, and find the
        request of each.
        """
        first = len(self._requests)
        self._times += map(float.__round__, [when * 10.0 for when in times])
        self._commons += commons
        self._texts += self._within_limit(commons, texts)
        self._messages += messages
        requests, quiet, ends, counts = self._requests, self._quiet, self._end, self._lines
        # The last request of each set of common values: nine of ten entries need no more than this.
        numbers = map(self._number_of.get, commons, repeat(-1))
        for when, number, common in zip(times, numbers, commons, strict=True):
            if number < 0 or when - quiet[number] >= GAP:
                number = self._request_of_line(common, when)
            else:
                quiet[number] = ends[number] = when
                counts[number] += 1
            requests.append(number)
        for at in self._failed:
            message = _message_in(texts[at - first], messages[at - first])
            self._errors.append((at, self._templates.number_of(message)))
        self._failed.clear()

    def _request_of_line(self, common: Common, when: float) -> int:
        """Return the request of the next entry of the chunk, and note the values of the entry."""
        request_id, session_id, level = common.request_id, common.session_id, common.level
        more = common.more or _NO_MORE
        place = self._place_of(common) if more else self._places.of_file[common.file]
        if level >= _ERROR:
            self._failed.append(len(self._requests))
        if not request_id:
            self._unowned[len(self._requests)] = place
            self._unknown += 1
            return -1
        span = more.get("span")
        number = self._of_span.get(span, -1) if span else self._of_id.get(request_id, -1)
        if number < 0 and not (span and request_id in self._of_id):
            number = self._open(request_id, place, when, more)
        elif number < 0 or self._place[number] != place or when - self._last_seen(number) >= GAP:
            number = self._request_of(request_id, more, place, when)
        is_usual = not ("access" in more or "call" in more or "outgoing" in more)
        if not is_usual:  # an access line may begin a new request
            number = self._learn(number, when, more)
        self._lines[number] += 1
        self._seen[number] = when
        if level > self._level[number]:
            self._level[number] = level
        if session_id and session_id != self._logged_session[number]:
            self._set_session(number, session_id)
        ended = self._ended[number]
        if ended is not None:
            if when > ended and "access" not in more:
                self._note_late(number, level)
            return number
        self._end[number] = when
        if is_usual and level < _ERROR and number not in self._passed:
            self._number_of[common] = number
            self._quiet[number] = when
        return number

    def _last_seen(self, number: int) -> float:
        """Return the time of the last entry of a request."""
        return max(self._seen[number], self._quiet[number])

    def _look_at_next(self, number: int) -> None:
        """Look at the next entry of a request: it may belong to another one, or be late."""
        self._seen[number] = self._last_seen(number)
        self._quiet[number] = -inf

    def _place_of(self, common: Common) -> int:
        """Return the place of an entry; a log's place may change when a line names a service."""
        more, of_file = common.more, self._places.of_file
        if not more or not ("source" in more or "service" in more):
            return of_file[common.file]
        before = of_file[common.file]
        place = self._places.of(more, common.file)
        if of_file[common.file] != before:
            self._number_of.clear()
        return place

    def _within_limit(self, commons: Sequence[Common], texts: Sequence[str]) -> Sequence[str]:
        """Return *texts*; with their heads, long ones are cut if the chunk has no room for them."""
        longest = max(len(common.head) for common in set(commons))
        most = len("".join(texts)) + longest * len(texts)  # in half of the time of a sum
        if self._most_text + most <= _CHUNK_TEXT:
            self._most_text += most
            self._is_size_known = False
            return texts
        total = self._most_text if self._is_size_known else self._size()
        kept_lines = []
        for common, text in zip(commons, texts, strict=True):
            size = len(common.head) + len(text)
            total += size
            if total > _CHUNK_TEXT and size > _SHORT_TEXT:
                total -= size - _SHORT_TEXT
                self.cut += 1
                text = text[: _SHORT_TEXT - len(common.head)] + "…"
            kept_lines.append(text)
        self._most_text = total
        self._is_size_known = True
        return kept_lines

    def _size(self) -> int:
        """Return the size of the texts of the chunk, with their heads."""
        # What further lines have in common may be there already, without their texts.
        rows = zip(self._commons, self._texts, strict=False)
        return sum(len(common.head) + len(text) for common, text in rows)

    # -- requests ---------------------------------------------------------------------------------

    def _request_of(self, request_id: str, more: dict[str, Any], place: int, when: float) -> int:
        """Return the number of an entry's request, a new one if needed, and note a gap."""
        span = more.get("span")
        if span:
            number = self._with(self._of_span, span, place)
            if number < 0:
                number = self._without_span(request_id, place, more)
                if number < 0:
                    return self._open(request_id, place, when, more)
                self._give_span(number, more)
        else:
            number = self._with(self._of_id, request_id, place)
            if number < 0:
                return self._open(request_id, place, when, more)
        seen = self._last_seen(number)
        silent = when - seen
        if silent > _AFTER_END and not span and self._is_another(number, when, more):
            return self._open(request_id, place, when, more)
        if silent >= GAP:
            self._pauses.note_gap(number, seen, when)
        return number

    def _with(self, numbers: dict[str, int], key: str, place: int) -> int:
        """Return the request in *place* with a span or an id; -1 where there is none."""
        number = numbers.get(key, -1)
        if number >= 0 and self._place[number] != place:
            return self._elsewhere.get((place, key), -1)
        return number

    def _without_span(self, request_id: str, place: int, more: dict[str, Any]) -> int:
        """
        Return the request without a known span to which the span in *more* seems to belong; -1
        without one.
        """
        number = self._with(self._of_id, request_id, place)
        if number < 0 or self._span[number] is not None or self._ended[number] is not None:
            return -1
        # Our lines of text show no span in a request without a caller; this entry's has a caller.
        is_called = "parent" in more or "trace" not in more
        return -1 if is_called and self._is_text[number] else number

    def _is_another(self, number: int, when: float, more: dict[str, Any]) -> bool:
        """Whether an entry belongs to another request than the earlier one with its id."""
        silent = when - self._last_seen(number)
        if self._ended[number] is not None:
            return True
        duration = more.get("access", _NO_MORE).get("duration_ms")
        # By its access line it was open meanwhile, as a websocket that is silent for a day.
        if duration is not None and silent - _WHOLE_SECOND <= duration < _LONGEST:
            return False
        return silent > (_AFTER_ALL if self._status[number] is None else _AFTER_ANSWER)

    def _open(self, request_id: str, place: int, when: float, more: dict[str, Any]) -> int:
        number = self._count
        if number == len(self._ids):
            for values, room in self._rooms:
                values.extend(room)
        self._count += 1
        self._place[number] = place
        self._ids[number] = request_id
        self._start[number] = self._end[number] = when
        self._first_line[number] = self._before_chunk + len(self._requests)
        self._began[number] = self._seen[number] = when
        if not more:
            self._is_text[number] = True
        else:
            self._know(number, more)
        first = self._of_id.setdefault(request_id, number)
        if first != number:
            self._share_id(first, number)
        return number

    def _know(self, number: int, more: dict[str, Any]) -> None:
        """Note the spans and the trace of a new request."""
        if "span" in more:
            self._give_span(number, more)
        else:
            self._is_text[number] = "foreign" not in more and "trace" not in more
        if "inner" in more and len(self._callers.inner) < _MOST_INNER:
            self._callers.inner[more["inner"]] = number
        self._set_trace(number, more)

    def _share_id(self, first: int, number: int) -> None:
        """Note that a new request has the id of another one, the *first* that had it."""
        request_id, place = self._ids[number], self._place[number]
        self._callers.relate(first, number)
        here = self._with(self._of_id, request_id, place)
        if here >= 0:
            several = self._several.setdefault((place, request_id), [here])
            several.append(number)
            del several[:-_MOST_AT_ONCE]
            # Entries without a span belong to a request without one, if there is one.
            if self._span[here] is None and self._span[number] is not None:
                return
        self._is_current(number)

    def _is_current(self, number: int) -> None:
        """Assign later entries of the request's id and place without a span to it."""
        request_id, place = self._ids[number], self._place[number]
        before = self._with(self._of_id, request_id, place)
        if before >= 0 and before != number:
            self._passed.add(before)
            self._look_at_next(before)
        first = self._of_id[request_id]
        if self._place[first] == place:
            self._of_id[request_id] = number
        else:
            self._elsewhere[place, request_id] = number

    def _set_trace(self, number: int, more: dict[str, Any]) -> None:
        trace = more.get("trace")
        if trace is None or self._trace[number] is not None:
            return
        self._trace[number] = trace
        if trace == self._ids[number]:
            return
        for numbers in (self._of_id, self._of_trace):
            other = numbers.get(trace, number)
            if other != number:
                self._callers.relate(other, number)
        self._of_trace.setdefault(trace, number)

    def _give_span(self, number: int, more: dict[str, Any]) -> None:
        span = self._span[number] = more["span"]
        first = self._of_span.setdefault(span, number)
        if first != number:
            self._elsewhere[self._place[number], span] = number
        self._set_trace(number, more)
        if "parent" in more:
            self._callers.parent_span[number] = more["parent"]
        elif "trace" not in more:  # text shows the span of requests with a caller
            self._callers.parent_span[number] = ""

    def _set_session(self, number: int, session_id: str) -> None:
        """Give a request the session of its latest entry: a session may be known late."""
        logged = self._logged_session[number]
        self._logged_session[number] = session_id
        if logged:  # and may come again
            self._number_of.clear()
        if logged.startswith(session_id):  # the same, cut by another form
            return
        session = self._session[number] = self._sessions.number_of(session_id)
        name = self._sessions.names[session]
        if name == session_id:  # one string for all requests of a session
            self._logged_session[number] = name

    def _learn(self, number: int, when: float, more: dict[str, Any]) -> int:
        """Note the rare values of an entry, such as an access line's, and return their request."""
        if "call" in more:
            self._call[number] = more["call"]
        if "outgoing" in more:
            self._note_call(number, when, more["outgoing"])
        return self._note_access(number, when, more) if "access" in more else number

    def _note_access(self, number: int, when: float, more: dict[str, Any]) -> int:
        """Note the values of an access line, and return its request."""
        access = more["access"]
        duration = access.get("duration_ms")
        if duration is not None and not duration < _LONGEST:  # no access line, only similar to one
            return number
        start = None if duration is None else when - duration
        is_own = "transport" in access
        is_first = is_own and not self._several and not self._has_own[number]
        if not is_first and "span" not in more:
            number = self._served(number, start, when, access)
        parent = access.get("parent")
        if isinstance(parent, str):
            self._callers.parent_span[number] = parent
        # A server's or a gateway's line may be about a part of a request that is known to be longer.
        is_part = start is None or start >= self._start[number]
        if is_part and self._has_own[number]:
            return number
        if not is_own and (self._has_own[number] or (is_part and self._ended[number] is not None)):
            return number
        shared = self._shared.setdefault
        for name, values in self._of_access:
            if name in access:
                value = access[name]
                values[number] = shared(value, value)
        if is_own:
            self._has_own[number] = True
        if start is not None:
            self._note_end(number, start, when, access)
        self._callers.touch(number)
        return number

    def _note_end(self, number: int, start: float, when: float, access: dict[str, Any]) -> None:
        """Note the duration of a request that began at *start* and has ended."""
        duration = access["duration_ms"]
        self._duration[number] = duration
        self._began[number] = start
        if start < self._start[number]:
            self._start[number] = start
        self._end[number] = self._ended[number] = when
        self._quiet[number] = -inf
        first_byte = access.get("ttfb_ms")
        if first_byte is not None and first_byte <= duration:
            self._first_byte[number] = start + first_byte
        if self._several:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        """Assign later entries without a span to a request that is still open: *number* has ended."""
        request_id, place = self._ids[number], self._place[number]
        several = self._several.get((place, request_id))
        if several is None or self._with(self._of_id, request_id, place) != number:
            return
        still_open = [request for request in several if self._ended[request] is None]
        if still_open:
            self._is_current(max(still_open, key=self._began.__getitem__))

    def _served(self, number: int, start: float | None, when: float, access: dict[str, Any]) -> int:
        """
        Return the request of an access line without a span: among those with the id and the place
        of *number* the one that has no access line yet, else a new one.

        The new request takes those entries of an earlier one that are outside of the earlier one's
        time, or that come after the start of both, if the new one began later.
        """
        key = self._place[number], self._ids[number]
        several = self._several.get(key, [number])
        if "transport" in access:
            free = [request for request in several if not self._has_own[request]]
            if free:
                return number if number in free else free[-1]
        else:
            for request in several:
                path = self._columns["path"][request]
                if self._has_own[request] and path == access.get("path"):
                    number = request
            ended = self._ended[number]
            if ended is None or start is None or start <= ended:
                return number
        if start is None:
            return number
        return self._open_again(number, several, start, when)

    def _open_again(self, before: int, several: list[int], start: float, when: float) -> int:
        """Open a request for an id that its place has served before."""
        number = self._open(self._ids[before], self._place[before], start, _NO_MORE)
        self._is_current(number)
        self._session[number] = self._session[before]
        self._logged_session[number] = self._logged_session[before]
        self._began[number] = start
        # The entries that this one takes from the others, if they are in the current chunk.
        others = frozenset(several) - {number}
        least = round((start - (_WHOLE_SECOND if self._axis.whole_lines else _EARLIER_AGAIN)) * 10)
        taken: list[tuple[int, int]] = []
        looked_at = 0
        for at in range(len(self._requests) - 1, -1, -1):
            if self._times[at] < least or looked_at == _MOST_AGAIN:
                break
            owner = self._requests[at]
            if owner not in others:
                continue
            looked_at += 1
            if self._is_taken(at, start):
                self._requests[at] = number
                taken.append((at, owner))
        first = self._before_chunk
        recent = bisect_left(self._lates, taken[-1][0]) if taken else len(self._lates)
        lates = frozenset(self._lates[recent:])
        owners = {owner for _, owner in taken}
        for at, owner in taken:
            self._moved.append((first + at, number))
            self._lines[owner] -= 1
            self._late[owner] -= at in lates
            self._first_line[number] = first + at
            self._start[number] = min(self._start[number], self._times[at] / 10)
            self._level[number] = max(self._level[number], self._commons[at].level)
        self._lines[number] = len(taken)
        self._seen[number] = when
        gone = frozenset(at for at, _ in taken)
        self._lates[recent:] = [at for at in self._lates[recent:] if at not in gone]
        for owner in owners:
            self._look_again(owner)
        self._split += owners
        return number

    def _is_taken(self, at: int, start: float) -> bool:
        """Whether an entry without a span belongs to another request, which began at *start*."""
        more = self._commons[at].more
        if more is not None and ("span" in more or "access" in more):
            return False
        when, owner = self._times[at] / 10, self._requests[at]
        began, ended = self._began[owner], self._ended[owner]
        if ended is not None and when > ended:
            return True
        if when < start - _EARLIER:
            return False
        if when < began - _EARLIER:
            return True
        if abs(when - began) <= _EARLIER >= abs(when - start):
            return abs(when - start) < abs(when - began)
        return start > began

    def _look_again(self, number: int) -> None:
        """Compute the level and the start of a request again, since it has lost entries."""
        first = self._before_chunk
        if self._first_line[number] < first:  # the rest is in a chunk that is packed
            return
        begin = self._first_line[number] - first
        kept = [at for at in range(begin, len(self._requests)) if self._requests[at] == number]
        if kept:
            self._first_line[number] = first + kept[0]
            self._level[number] = max(self._commons[at].level for at in kept)
            self._start[number] = min(self._began[number], self._times[kept[0]] / 10)

    def _note_call(self, number: int, when: float, call: dict[str, Any]) -> None:
        """Note a line about an outgoing call of a request."""
        duration = call.get("duration_ms")
        if not isinstance(duration, int | float) or not 0 <= duration < _LONGEST:
            duration = 0.0
        span = call.get("call_span_id")
        if span:
            self._callers.caller_of_span[span] = number
            self._spans_of_calls[span] = len(self._calls)
        words = (call.get("method"), f"{call.get('host') or ''}{call.get('path') or ''}")
        self._calls.append(
            {
                "request": number,
                "callee": -1,
                "start": rounded(when - duration),
                "end": rounded(when),
                "title": " ".join(filter(None, words)),
                "status": call.get("status"),
                "error": call.get("error"),
                "attempt": call.get("attempt") or 1,
            }
        )

    def _note_late(self, number: int, level: int) -> None:
        has_failed = self._outcome[number] == "crash" or (self._status[number] or 0) >= 500
        if has_failed and level >= _ERROR:  # the traceback, which the server logs after the end
            return
        self._late[number] += 1
        self._lates.append(len(self._requests))

    # -- chunks -----------------------------------------------------------------------------------

    def _pack(self) -> None:
        data = self._to_pack(0)
        self._before_chunk = self.entries
        self._clear()
        # zlib releases the interpreter's lock: another core can do this, also without workers.
        self._chunks.append(self._pool.submit(self._pack_data, data))
        if len(self._chunks) > _MOST_UNPACKED:
            self._chunk_at(len(self._chunks) - 1 - _MOST_UNPACKED)

    def _chunk(self, place: int) -> Chunk:
        """Return the entries of the chunk that is being filled, from *place* on."""
        columns = self._to_pack(place)
        columns["t"] = list(map(in_milliseconds, columns["t"]))
        commons = columns.pop("common")
        for name in OF_COMMONS:
            if isinstance(columns[name], list):
                columns[name] = list(values_at(commons, columns[name]))
        chunk: Chunk = columns
        return chunk

    def _to_pack(self, place: int) -> Any:
        """
        Return the same for :func:`packed`: times are in tenths of a millisecond, and the columns
        ``OF_COMMONS`` have one value for those lines that have the same number as ``common``.
        """
        times = self._times[place:]
        commons = self._commons[place:]
        number_of = {common: number for number, common in enumerate(dict.fromkeys(commons))}
        number_of_head: dict[str, int] = {}
        for common in number_of:
            number_of_head.setdefault(common.head, len(number_of_head))
        return {
            "common": list(values_at(commons, number_of)),
            "t": list(map(operator.sub, times, (0, *times))),
            "level": [common.level for common in number_of],
            "request": self._requests[place:],
            "late": [value - place for value in self._lates if value >= place],
            "file": _one_or_each([common.file for common in number_of]),
            "service": self._services(place),
            "errors": [(at - place, template) for at, template in self._errors if at >= place],
            "text": self._texts[place:],
            "message": _one_or_each(self._messages[place:]),
            "heads": list(number_of_head),
            "head": _one_or_each([number_of_head[common.head] for common in number_of]),
        }

    def _services(self, first: int) -> int | list[int]:
        """Return the service of each entry of the chunk from the *first* on, or one for all."""
        service_of = self._places.service
        if len(service_of) == 1:
            return service_of[0]
        places = [self._place[number] if number >= 0 else 0 for number in self._requests[first:]]
        for at, place in self._unowned.items():
            if at >= first:
                places[at - first] = place
        return _one_or_each(list(values_at(places, service_of)))

    def _chunk_at(self, place: int) -> bytes:
        """Return a chunk, when it has been packed."""
        chunk = self._chunks[place]
        if isinstance(chunk, bytes):
            return chunk
        done = self._chunks[place] = chunk.result()
        return done

    # -- the whole --------------------------------------------------------------------------------

    def trace(self, is_last: bool = False) -> Trace:
        """
        Return the data of the page, up to the last entry that was added.

        :param is_last: no entry will be added later: columns are given away, not copied.
        """
        self._is_over = is_last
        chunks = [self._chunk_at(place) for place in range(len(self._chunks))]
        if self._requests:
            chunks.append(packed(self._to_pack(0)))
        if is_last:  # these are for entries alone, and the head takes much memory
            self._of_id.clear()
            self._number_of.clear()
            for values in (self._seen, self._quiet, self._logged_session):
                values.clear()
        return Trace(self._head(), chunks)

    def news(self, entries: Sequence[Entry], until: float | None = None) -> Iterator[News]:
        """Add *entries* like :meth:`add`, and yield the additions and changes of each chunk."""
        while entries:
            place = len(self._requests) % CHUNK_LINES
            room = CHUNK_LINES - place
            sessions, pauses = len(self._sessions.names), len(self._pauses)
            services, templates = len(self._places.services), len(self._templates.texts)
            calls = len(self._calls)
            moved, split = len(self._moved), len(self._split)
            self.add(entries[:room], until)
            entries = entries[room:]
            callees = [call["callee"] for call in self._calls[:calls]]
            called = self._resolve()
            answered = [
                (place, call["callee"])
                for place, (call, callee) in enumerate(zip(self._calls, callees, strict=False))
                if call["callee"] != callee
            ]
            numbers = sorted({*self._requests[place:], *self._split[split:], *called} - {-1})
            # A new callee changes gaps: its caller waits while it works.
            has_pauses = bool(called) or len(self._pauses) > pauses
            yield {
                "base": self._axis.base or 0,
                "whole_seconds": self._are_whole(),
                "requests": list(zip(numbers, self._requests_one_by_one(numbers), strict=True)),
                "sessions": self._sessions.names[sessions:],
                "services": self._places.services[services:],
                "templates": self._templates.texts[templates:],
                "calls": self._calls[calls:],
                "answered": answered,
                "notes": self._all_notes(),
                "chunk": self._chunk(place),
                "moved": self._moved[moved:],
                "gaps": self._gaps() if has_pauses else None,
                "silences": self._silences() if has_pauses else None,
            }

    def close(self) -> None:
        """End the thread that packs chunks."""
        self._pool.shutdown()

    def _resolve(self) -> set[int]:
        """Find the callers of requests. Returns the requests with a changed caller."""
        self._callers.is_whole = self._has_whole()
        changed = self._callers.resolve()
        if self._spans_of_calls:
            for number, span in self._callers.parent_span.items():
                place = self._spans_of_calls.get(span)
                if place is not None:
                    self._calls[place]["callee"] = number
        return changed

    def _all_notes(self) -> list[str]:
        notes = self.notes + self._callers.notes(self.files)
        if self._axis.whole_lines and not self._are_whole():
            count = _lines(self._axis.whole_lines)
            notes.append(f"{count} with a time in whole seconds: shown in the order of the log.")
        return notes

    def _head(self) -> Head:
        self._axis.fix_base()
        self._resolve()
        # Before the columns of the requests, since they take memory for a moment.
        gaps, silences = self._gaps(), self._silences()
        return {
            "version": VERSION,
            "title": self.title,
            "created": round(time.time() * 1000),
            "base": self._axis.base or 0,
            "files": self.files,
            "lines": self.entries,
            "summary": self.summary,
            "unknown": self._unknown,
            "whole_seconds": self._are_whole(),
            "left_out": self.left_out + self._faults(),
            "chunk_lines": CHUNK_LINES,
            "notes": self._all_notes(),
            "sessions": list(self._sessions.names),
            "services": list(self._places.services),
            "templates": list(self._templates.texts),
            "calls": list(self._calls),
            "requests": self._requests_in_columns(range(self._count)),
            "gaps": gaps,
            "silences": silences,
        }

    def _gaps(self) -> list[tuple[int, float, float]]:
        return self._pauses.gaps(self._has_whole())

    def _silences(self) -> list[tuple[float, float]]:
        return self._pauses.silences(self._has_whole(), self._count)

    def _has_whole(self) -> bool:
        """Whether some lines have a time in whole seconds."""
        return self._axis.whole_lines > 0

    def _are_whole(self) -> bool:
        """Whether most lines have a time in whole seconds."""
        return 2 * self._axis.whole_lines > self.entries

    def _faults(self) -> list[str]:
        sentences = []
        if self._axis.held:
            count = _lines(self._axis.held)
            sentences.append(
                f"{count} whose clock went back: shown at the time of the line before."
            )
        if self.cut:
            sentences.append(f"The end of {_lines(self.cut)} too long to be shown whole.")
        return sentences

    def _requests_in_columns(self, numbers: Sequence[int]) -> Requests:
        columns = Requests()
        for column in REQUEST_COLUMNS:
            whole = self._columns[column.name]
            values: list[Any]
            if column.name == "service":
                service_of = self._places.service
                values = [service_of[self._place[number]] for number in numbers]
            elif len(numbers) == self._count:
                values = self._all_of(whole)
            else:
                values = [whole[number] for number in numbers]
            if column.is_time:
                values = _in_tenths(values)
            if self._is_over and values is not whole:
                del whole[:]
            columns[column.name] = values
        return columns

    def _all_of(self, column: Any) -> list[Any]:
        """Return the values of a column, without the room for further ones."""
        if self._is_over and isinstance(column, list):
            del column[self._count :]
            return column
        return list(column[: self._count])

    def _requests_one_by_one(self, numbers: Sequence[int]) -> list[Request]:
        columns = self._requests_in_columns(numbers)
        rows = zip(*columns.values(), strict=True)
        return [Request(zip(columns, row, strict=True)) for row in rows]


def build(batches: Iterable[Sequence[Entry]], title: str, files: Sequence[str]) -> Trace:
    """Return the trace of the entries in *batches*, which come in the order of their times."""
    model = Model(title, files)
    try:
        for batch in batches:
            model.add(batch)
        return model.trace(is_last=True)
    finally:
        model.close()


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _message_in(text: str, message: int) -> str:
    """Return *text* from *message* on, a place that is counted as in JavaScript."""
    if not text.isascii():
        before = text.encode("utf-16-le", "surrogatepass")[: 2 * message]
        message = len(before.decode("utf-16-le", "replace"))
    return text[message:]


def _one_or_each(numbers: list[int]) -> int | list[int]:
    """Return the number that all *numbers* are; else these."""
    return numbers[0] if numbers.count(numbers[0]) == len(numbers) else numbers


def _in_tenths(times: Iterable[float | None]) -> list[int | None]:
    """Return each of *times* in tenths of a millisecond."""
    return [None if when is None else round(when * 10.0) for when in times]


def _lines(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"
