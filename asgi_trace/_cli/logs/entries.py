"""
Many entries as columns: a list of their times, one of their texts, and one of objects that stand for
what entries have in common.

Blocks of our own lines are columns from the start and stay so up to the page: this takes a third of
the time of one object for each line. As a sequence, the columns are the entries themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

from .entry import Entry
from .lines import values_at

__all__ = ("Columns", "Common", "Entries", "EntryColumns", "with_fields")


class Common:
    """
    What lines of one request, log and level have in common: the parts of :class:`Entry` other than
    ``time``, ``text`` and ``message``, and ``head``, the text before their messages.

    The head is empty, or it and all text before it is ASCII. Each object is equal to itself alone,
    so that a model can remember the request of each.
    """

    __slots__ = ("file", "head", "level", "more", "request_id", "session_id")

    def __init__(
        self,
        level: int,
        request_id: str,
        session_id: str,
        more: dict[str, Any] | None,
        file: int,
        head: str,
    ) -> None:
        self.level = level
        self.request_id = request_id
        self.session_id = session_id
        self.more = more
        self.file = file
        self.head = head

    @property
    def parts(self) -> tuple[int, str, str, dict[str, Any] | None, int, str]:
        """The parts, in the order of the class's parameters."""
        return self.level, self.request_id, self.session_id, self.more, self.file, self.head

    def __reduce__(self) -> tuple[Any, ...]:
        return Common, self.parts


def with_fields(common: Common, fields: dict[str, Any]) -> Common:
    """Return *common* for one line that has these *fields*, too."""
    more = fields if common.more is None else {**common.more, **fields}
    return Common(
        common.level, common.request_id, common.session_id, more, common.file, common.head
    )


class EntryColumns(NamedTuple):
    """
    The columns of some entries: their times, what they have in common with others, their texts
    without the heads, and the places of the messages in these texts.
    """

    times: list[float]
    commons: list[Common]
    texts: list[str]
    messages: list[int]


class Columns(NamedTuple):
    """
    The columns of the entries of a block, as :class:`EntryColumns` has them, and the places of the
    lines that are odd.
    """

    times: Sequence[float]
    commons: Sequence[Common]
    texts: Sequence[str]
    messages: Sequence[int]
    odd: Sequence[int]


class Entries(Sequence[Entry]):
    """
    A list of entries that keeps them as columns.

    :param entries: the first ones.
    """

    __slots__ = ("_columns", "_waiting")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._columns = EntryColumns([], [], [], [])
        self._waiting = list(entries)  # those that were added last, one by one

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        """Return *entries* as columns: the same object, if they are."""
        return entries if isinstance(entries, Entries) else cls(entries)

    @property
    def columns(self) -> EntryColumns:
        """The columns. A caller may replace single values in them."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self.extend(zip(*map(_parts, waiting), strict=True))
        return self._columns

    def append(self, entry: Entry) -> None:
        """Add one entry."""
        self._waiting.append(entry)

    def extend(self, columns: Iterable[Iterable[Any]]) -> None:
        """Add the entries with these *columns*."""
        lists: Iterable[list[Any]] = self.columns
        for column, values in zip(lists, columns, strict=True):
            column += values

    def pop(self) -> Entry:
        """Remove the last entry, and return it."""
        if self._waiting:
            return self._waiting.pop()
        return _entry(column.pop() for column in self._columns)

    def take(self, count: int) -> Entries:
        """Remove the first entries, and return them."""
        taken = self[:count]
        for column in self.columns:
            del column[:count]
        return taken

    def sort(self) -> None:
        """Sort the entries by time; those of the same time stay in their order."""
        times = self.columns.times
        if times == sorted(times):
            return
        order = sorted(range(len(times)), key=times.__getitem__)
        lists: Iterable[list[Any]] = self._columns
        for column in lists:
            column[:] = values_at(order, column)

    def before(self, when: float) -> int:
        """Return the number of entries before a time; the entries must be sorted."""
        return bisect_left(self.columns.times, when)

    def __len__(self) -> int:
        return len(self._columns.times) + len(self._waiting)

    def __iter__(self) -> Iterator[Entry]:
        return map(_entry, zip(*self.columns, strict=True))

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> Entries: ...
    def __getitem__(self, place: int | slice) -> Entry | Entries:
        if not isinstance(place, slice):
            return _entry(column[place] for column in self.columns)
        part = Entries()
        part.extend(column[place] for column in self.columns)
        return part

    def __add__(self, others: Entries) -> Entries:
        both = self[:]
        both.extend(others.columns)
        return both


def _parts(entry: Entry) -> tuple[float, Common, str, int]:
    """Return the values of *entry*, one for each column."""
    when, level, request, session, text, message, more, file = entry
    return when, Common(level, request, session, more, file, ""), text, message


def _entry(row: Iterable[Any]) -> Entry:
    """Return the entry with these values, one of each column."""
    when, common, text, message = row
    level, request, session, more, file, head = common.parts
    whole = f"{text[:message]}{head}{text[message:]}" if head else text
    return Entry(when, level, request, session, whole, len(head) + message, more, file)
