"""The user's conditions for lines: a session, a request, a time. This module reads no lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from ..._core.lines import SESSION_LENGTH
from ..._core.record import NO_ID
from .entries import Entries
from .entry import Entry

__all__ = (
    "Wanted",
    "cut_of",
    "has_id",
    "is_plain",
    "lines_of_entries",
    "needle_of",
    "same_session",
)

# A session id that we generated, a digest, or another generated one: text shows only its first
# characters.
_CUT = re.compile(r"[0-9a-fA-F]{8}")
_IDS_OF_SPANS = ("trace", "span", "inner", "parent")
_PLAIN = re.compile(r"[\w.~+/=:@-]*", re.ASCII)
_OPAQUE = re.compile(r"[0-9a-fA-F]{9,}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def is_plain(wanted: str) -> bool:
    """
    Whether a line contains this id unchanged. Other ids may be escaped; and JSON omits the id
    ``none``.
    """
    return _PLAIN.fullmatch(wanted) is not None and wanted != NO_ID


def same_session(logged: str, wanted: str) -> bool:
    """
    Whether the session *logged*, in a line's form, is the one *wanted*.

    The beginning is enough: any beginning of a long hexadecimal id or a UUID, since a line of text
    shows no more of it; at least 8 characters of any other id, so ``bob`` is not ``bobby``. A
    beginning must not end within a number: ``customer-1`` is not ``customer-10``.
    """
    if logged == wanted:
        return True
    if logged == NO_ID:
        return False
    if logged.startswith(wanted):
        is_in_number = wanted[-1:].isdigit() and logged[len(wanted)].isdigit()
        is_long = len(wanted) >= SESSION_LENGTH and not is_in_number
        return is_long or bool(_OPAQUE.fullmatch(logged) or _CUT.fullmatch(logged))
    # Text may also be set to show more characters.
    is_longer = len(logged) > SESSION_LENGTH and _OPAQUE.fullmatch(wanted)
    return wanted.startswith(logged) if is_longer else cut_of(wanted) == logged


def cut_of(session_id: str) -> str:
    """
    Return what a line of text may show of a *session_id*, its first characters; all of it, if they
    end within a number: ``tenant-1`` is not ``tenant-10``.

    Text cuts long hexadecimal ids and UUIDs; before version 0.1 it cut all ids.
    """
    short = session_id[:SESSION_LENGTH]
    is_in_number = short[-1:].isdigit() and session_id[SESSION_LENGTH:][:1].isdigit()
    return session_id if is_in_number and not _OPAQUE.fullmatch(session_id) else short


def has_id(entry: Entry, beginning: str) -> bool:
    """
    Whether an id of *entry* has this *beginning*: of its request, session, trace or span, or of its
    caller's span.
    """
    more = entry.more or {}
    ids = (entry.request_id, entry.session_id, *(more.get(name) for name in _IDS_OF_SPANS))
    if any(logged and logged != NO_ID and logged.startswith(beginning) for logged in ids):
        return True
    return same_session(entry.session_id or NO_ID, beginning)  # text may show less than *beginning*


def needle_of(request: str | None, session: str | None) -> bytes:
    """Return bytes that each matching line contains; empty, if they are not known."""
    wanted = request or (session or "")[:SESSION_LENGTH]
    return wanted.encode() if is_plain(wanted) else b""


@dataclass
class Wanted:
    """
    The conditions for lines to show; without any, all are shown. *since* is in seconds since the
    epoch; *zone* is for times without a zone, the machine's own when it is None.

    ``left_out`` counts the lines that do not match, ``cut`` the entries with too long a text.
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
        """Bytes that each matching line contains; empty, if they are not known."""
        return needle_of(self.request, self.session)

    def among(self, entries: Entries) -> Entries:
        """
        Return the entries that match. One without a readable time is never too old.
        """
        if self.is_all:
            return entries
        matching = list(entries)
        if self.since is not None:
            since = self.since * 1000
            matching = [
                entry
                for entry in matching
                if entry.time >= since or (entry.more and "undated" in entry.more)
            ]
        if self.request is not None:
            matching = [entry for entry in matching if (entry.request_id or NO_ID) == self.request]
        if self.session is not None:
            matching = [
                entry for entry in matching if same_session(entry.session_id or NO_ID, self.session)
            ]
        if len(matching) < len(entries):
            self.left_out += lines_of_entries(entries) - lines_of_entries(matching)
        return Entries(matching)


def lines_of_entries(entries: Sequence[Entry]) -> int:
    """Return the number of lines in *entries*."""
    return sum(entry.text.count("\n") for entry in entries) + len(entries)
