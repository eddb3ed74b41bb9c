"""
The last entries of logs that have more lines than a page holds.

The earlier ones are dropped, and the memory is bounded. Entries that a second model may need are
kept packed, but only if there are so many that the first model may be too small for them.
"""

from __future__ import annotations

import pickle
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ..logs.entries import Entries
from ..logs.entry import Entry
from .model import Model

__all__ = ("Latest", "Window")

_BATCH = 8192
# A compression level: a tenth of the time of 6, and a quarter more bytes.
_EFFORT = 1


class Latest:
    """
    The last entries of those added, packed.

    :param most: the number of entries to keep.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._packed: deque[tuple[int, bytes]] = deque()
        self._open = Entries()

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep *entries*, and drop the oldest of too many."""
        self._open.extend(Entries.of(entries).columns)
        self._count += len(entries)
        while len(self._open) >= _BATCH:
            self._pack(self._open.take(_BATCH))
        while self._packed and self._count - self._packed[0][0] >= self._most:
            count, _ = self._packed.popleft()
            self._count -= count

    def _pack(self, entries: Entries) -> None:
        data = pickle.dumps(tuple(entries.columns), pickle.HIGHEST_PROTOCOL)
        self._packed.append((len(entries), zlib.compress(data, _EFFORT)))

    def batches(self) -> Iterator[Entries]:
        """Yield the entries, oldest first, and delete them."""
        skipped = max(self._count - self._most, 0)
        self._count = 0
        while self._packed:
            count, data = self._packed.popleft()
            if count > skipped:
                entries = Entries()
                entries.extend(pickle.loads(zlib.decompress(data)))
                yield entries[skipped:]
            skipped = max(skipped - count, 0)
        entries, self._open = self._open[skipped:], Entries()
        if entries:
            yield entries


class Window:
    """
    A model of the last entries.

    :param new_model: makes an empty one.
    :param most: the most entries of a model.
    :param kept: the number of entries that are left after the oldest were dropped.
    """

    def __init__(self, new_model: Callable[[], Model], most: int, kept: int) -> None:
        self.model = new_model()
        self._new_model = new_model
        self._most = most
        self._latest = Latest(kept)
        self._is_full = False
        self._total = 0

    def has_room(self, count: int) -> bool:
        """Whether the model can take *count* more entries."""
        return not self._is_full and self.model.entries + count <= self._most

    def add(self, entries: Sequence[Entry], part: float = 0.0) -> None:
        """
        Add *entries*; *part* is the part of the logs that has been read so far, if it is known.

        The model has them after :meth:`finish` at the latest.
        """
        self._total += len(entries)
        if self.has_room(len(entries)):
            self.model.add(entries)
            if not self._may_overflow(part):
                return
        elif not self._is_full:
            self._is_full = True
            self.model.close()
            self.model = self._new_model()  # frees the memory of the first
        self._latest.add(entries)

    def note(self, entries: Sequence[Entry]) -> None:
        """Note *entries* that were added to the model itself."""
        self._total += len(entries)
        if self._may_overflow(0.0):
            self._latest.add(entries)

    def _may_overflow(self, part: float) -> bool:
        if self.model.entries >= self._most // 2:
            return True
        return part > 0 and self.model.entries / part > self._most * 0.9

    def finish(self) -> None:
        """Make the model of the last entries, if the first was too small for all."""
        if self._is_full:
            self.renew()

    def renew(self) -> None:
        """Drop the oldest entries: replace the model with one of the last."""
        self.model.close()
        self.model = self._new_model()
        self._is_full = False
        first: float | None = None
        for batch in self._latest.batches():
            first = batch[0].time if first is None else first
            self.model.add(batch)
        if first is None:
            moment = ""
        else:
            clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(first / 1000))
            moment = f", before {clock}"
        dropped = self._total - self.model.entries
        self.model.left_out.append(
            f"The first {dropped:,} lines{moment}: a page holds {self._most:,} lines, and these are "
            "the last. --session and --request show lines of any time."
        )
