"""The last entries of many: how many are kept, and in how much memory."""

from __future__ import annotations

import pytest

from asgi_trace._cli.logs.entry import Entry
from asgi_trace._cli.view import latest, model
from asgi_trace._cli.view.latest import Latest, Window


def entries(first: int, end: int, text: str = "line") -> list[Entry]:
    more = {"access": {"status": 200}}
    return [
        Entry(1e12 + each, 2, f"r{each}", "", f"{text} {each}", 0, more, 0)
        for each in range(first, end)
    ]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_last_are_kept(monkeypatch: pytest.MonkeyPatch, count: int, size: int) -> None:
    """Exactly those, as they were, whatever they came in; afterwards nothing is left."""
    monkeypatch.setattr(latest, "_BATCH", 30)
    kept = Latest(100)
    for first in range(0, count, size):
        kept.add(entries(first, min(first + size, count)))
    found = [entry for batch in kept.batches() for entry in batch]
    assert found == entries(max(0, count - 100), count)
    assert [*kept.batches()] == []


def test_memory_is_bounded() -> None:
    """What is kept packed does not grow with what was dropped."""
    kept = Latest(20_000)
    sizes = []
    for first in range(0, 200_000, 5000):
        kept.add(entries(first, first + 5000))
        sizes.append(sum(len(data) for _, data in kept._packed) + 100 * len(kept._open))
    assert max(sizes[20:]) <= 1.2 * max(sizes[:20])


def test_nothing_is_kept_of_a_log_that_fits() -> None:
    """A log of usual length costs nothing more."""
    window = Window(lambda: model.Model("t", ["t"]), 1000, 1000)
    window.add(entries(0, 400), 0.8)
    window.finish()
    assert (window.model.entries, window._latest._count) == (400, 0)
    assert window.model.left_out == []
    window.model.close()


def test_a_log_that_may_not_fit_is_kept_from_its_first_entry() -> None:
    """As far as its size tells; of a pipe, half of a page at least is left."""
    for part, left in ((0.1, 1000), (0.0, 700)):
        window = Window(lambda: model.Model("t", ["t"]), 1000, 1000)
        for first in range(0, 1100, 100):
            window.add(entries(first, first + 100), part and (first + 100) / 1100)
        window.finish()
        assert window.model.entries == left
        window.model.close()
