"""Entries as columns are a list of entries."""

from __future__ import annotations

from asgi_trace._cli.logs.entries import Entries
from asgi_trace._cli.logs.entry import Entry


def entry(when: float, text: str = "") -> Entry:
    return Entry(when, 2, "r", "s", text, 0, {"trace": text}, 0)


LIST = [entry(3), entry(1, "a"), entry(2.5), entry(1, "b")]


def test_columns_are_the_entries() -> None:
    """In whichever way they were added."""
    entries = Entries(LIST[:1])
    entries.append(LIST[1])
    entries.extend(Entries(LIST[2:]).columns)
    assert list(entries) == LIST
    assert len(entries) == len(LIST)
    assert list(entries.columns.times) == [3, 1, 2.5, 1]
    assert (entries[0], entries[-1], list(entries[1:3])) == (LIST[0], LIST[-1], LIST[1:3])
    assert list(entries + entries) == LIST * 2
    assert Entries.of(entries) is entries
    assert not Entries()


def test_the_last_and_the_first_can_be_taken() -> None:
    entries = Entries(LIST[:2])
    assert (entries.pop(), len(entries)) == (LIST[1], 1)
    entries.append(LIST[2])
    assert list(entries.columns.times) == [3, 2.5]
    assert (entries.pop(), len(entries)) == (LIST[2], 1)
    entries.extend(Entries(LIST[1:]).columns)
    assert list(entries.take(3)) == LIST[:3]
    assert list(entries) == LIST[3:]


def test_entries_of_the_same_time_stay_in_order() -> None:
    entries = Entries(LIST)
    entries.sort()
    assert list(entries) == [LIST[1], LIST[3], LIST[2], LIST[0]]
    assert [entries.before(when) for when in (0, 1, 1.5, 9)] == [0, 0, 2, 4]
