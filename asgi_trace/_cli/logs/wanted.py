"""What is asked for of logs: a session, a request, a time. Nothing here reads a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo

from ..._core.lines import NO_ID, SESSION_LENGTH
from .records import Entry

__all__ = ("Wanted", "has_id", "is_plain", "lines_of_entries", "needle_of", "same_session")

# A session id that we made, a digest, or another generated one: text shows its first characters
# alone.
_CUT = re.compile(r"[0-9a-fA-F]{8}")
_IDS_OF_SPANS = ("trace", "span", "inner", "parent")
_PLAIN = re.compile(r"[\w.~+/=:@-]*", re.ASCII)
_OPAQUE = re.compile(r"[0-9a-fA-F]{9,}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def is_plain(wanted: str) -> bool:
    """
    Whether a line has this id in it as it is. Others may be escaped; and JSON leaves out the one
    that is none.
    """
    return _PLAIN.fullmatch(wanted) is not None and wanted != NO_ID


def same_session(logged: str, wanted: str) -> bool:
    """
    Whether a session that a line shows as *logged* is the one *wanted*.

    The beginning will do: any of a long hexadecimal id or a UUID, for a line of text shows no more
    of it; of another id at least 8 characters, so ``bob`` is not ``bobby``. A beginning that ends
    within a number is none: ``customer-1`` is not ``customer-10``.
    """
    if logged == wanted:
        return True
    if logged == NO_ID:
        return False
    if logged.startswith(wanted):
        is_in_number = wanted[-1:].isdigit() and logged[len(wanted)].isdigit()
        is_long = len(wanted) >= SESSION_LENGTH and not is_in_number
        return is_long or bool(_OPAQUE.fullmatch(logged) or _CUT.fullmatch(logged))
    # Text cuts long hexadecimal ids and UUIDs, as a rule to this length; before version 0.1 it cut
    # all ids to it.
    if len(logged) == SESSION_LENGTH or (
        len(logged) > SESSION_LENGTH and _OPAQUE.fullmatch(wanted)
    ):
        return wanted.startswith(logged)
    return False


def has_id(entry: Entry, beginning: str) -> bool:
    """
    Whether an id of *entry* begins so: that of its request, session, trace or span, or of its
    caller's span.
    """
    more = entry.more or {}
    ids = (entry.request_id, entry.session_id, *(more.get(name) for name in _IDS_OF_SPANS))
    if any(logged and logged != NO_ID and logged.startswith(beginning) for logged in ids):
        return True
    return same_session(entry.session_id or NO_ID, beginning)  # text may show less than *beginning*


def needle_of(request: str | None, session: str | None) -> bytes:
    """Return bytes that each line looked for has in it; none, when that is not known."""
    wanted = request or (session or "")[:SESSION_LENGTH]
    return wanted.encode() if is_plain(wanted) else b""


@dataclass
class Wanted:
    """
    What is shown of logs: all of it, unless something is asked for. *since* is in seconds since the
    epoch; *zone* is that of times that name none, the machine's own when it is None.

    ``left_out`` counts the lines that were not wanted, ``cut`` the entries whose text was too long.
    """

    session: str | None = None
    request: str | None = None
    since: float | None = None
    left_out: int = 0
    cut: int = 0
    zone: tzinfo | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.session is None and self.request is None and self.since is None

    @property
    def needle(self) -> bytes:
        """Bytes that stand in each line that is wanted; none, when that is not known."""
        return needle_of(self.request, self.session)

    def among(self, entries: list[Entry]) -> list[Entry]:
        """
        Return the entries that are wanted. One without a time that can be read is never too old.
        """
        found = entries
        if self.since is not None:
            since = self.since * 1000
            found = [
                entry
                for entry in found
                if entry.time >= since or (entry.more and "undated" in entry.more)
            ]
        if self.request is not None:
            found = [entry for entry in found if (entry.request_id or NO_ID) == self.request]
        if self.session is not None:
            found = [
                entry for entry in found if same_session(entry.session_id or NO_ID, self.session)
            ]
        if len(found) < len(entries):
            self.left_out += lines_of_entries(entries) - lines_of_entries(found)
        return found


def lines_of_entries(entries: list[Entry]) -> int:
    """Return how many lines *entries* have."""
    return sum(entry.text.count("\n") for entry in entries) + len(entries)
