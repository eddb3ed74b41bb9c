"""
Lines become entries: the time, the level, the ids, and the text to show.

A line is read by one of three ways: here the head of our own text form, in ``named`` the fields of
JSON and logfmt by their names, and in ``foreign`` the text of other writers. None of them handles
files or requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..._core.patterns import Pattern
from ..._core.record import NO_ID
from .accesses import AccessLines, access_in, outgoing_in
from .entry import NO_MORE, Entry, astral, more_of
from .envelopes import Peeled
from .foreign import TIME_END, entry_of_text, entry_of_usual
from .levels import LEVELS
from .named import entry_beside, entry_of_named, is_of_access
from .names import NO_IDS
from .own import own_fields
from .received import agreed
from .state import State
from .times import Clock, find_time

__all__ = ("ACCESS_FIELDS", "Records", "may_be_accesses")

_new = tuple.__new__
_MOST_HEADS = 4096
_CAPITALS = Pattern(r"\b[A-Z]{3,}\b")
# The fields of an access line of ours, except the time to the first byte.
ACCESS_FIELDS = frozenset(
    ("method", "path", "status", "duration_ms", "bytes", "transport", "client")
)


# After a duration; after the request, in a server's own line; after neither a duration nor a size;
# after a size; and in the lines of runserver and quart, before the method and after the path.
MARKS_OF_ACCESS = ("ms ", '" ', "- - ", "B ", "HTTP ", " 1.1 ")


def may_be_access(message: str) -> bool:
    """Whether a *message* of ours may be an access line: it has one of ``MARKS_OF_ACCESS``."""
    # In a loop, this would take twice as long.
    return (
        "ms " in message
        or '" ' in message
        or "- - " in message
        or "B " in message
        or "HTTP " in message
        or " 1.1 " in message
    )


def may_be_accesses(messages: Sequence[str], joined: str) -> list[int]:
    """Return the places of the *messages* for which :func:`may_be_access` is true."""
    places: list[int] = []
    for mark, pattern in _FINDERS:
        if mark.strip()[0] not in joined:  # a search for one character takes no time
            continue
        # Most often, the messages with one mark are those with the others.
        known = sum(messages[place].count(mark) for place in places)
        if not places or len(pattern.findall(joined)) > known:
            others = [place for place, message in enumerate(messages) if mark in message]
            places = sorted({*places, *others})
    return places


def _finder(mark: str) -> re.Pattern[str]:
    """
    Return an expression for each *mark* in a text: one that begins with a single character takes a
    third of the time of a search for a short text, where the character is rare.
    """
    blanks = len(mark) - len(mark.lstrip())
    first, rest = re.escape(mark[blanks]), re.escape(mark[blanks + 1 :])
    return Pattern(rf"{first}(?<={' ' * blanks}{first})(?={rest})")


_FINDERS = [(mark, _finder(mark)) for mark in MARKS_OF_ACCESS]


class Records(State):
    """
    Makes entries of the lines of one log. See :class:`State` for the parameters.
    """

    def __init__(self, file: int, clock: Clock, access_lines: AccessLines | None = None) -> None:
        super().__init__(file, clock, access_lines)
        self.heads: dict[str, tuple[float, int]] = {}  # time and level by their text
        # The level in a front of another formatter, see :mod:`others`; None, if it has no usual one.
        self.fronts: dict[tuple[str, int, str], int | None] = {}

    # -- our own text ------------------------------------------------------------------------------

    def own(self, match: re.Match[str], line: str, envelope: Peeled | None = None) -> Entry:
        """Return the entry of a *line* of ours; *match* is that of its head."""
        head, request_id, session_id, words, call, _ = match.groups("")
        is_undated = False
        known = self.head(head)
        received = None if envelope is None else envelope.time
        if known is not None:
            when, level = known
            if received is not None:
                when = agreed(self.clock, when, head.partition(" - ")[0], received) or 0
            if when != self.when:
                self.at(when)
        else:
            stamp, _, name = head.partition(" - ")
            level = _level_in(name)
            moment = None if received is None else self.clock.read_value(received)
            if moment is None:
                moment = self._searched_time(stamp)
                is_undated = moment is None
            when = self.at(moment)
        end = match.end()
        more: dict[str, Any] | None = None
        message = line[end:]
        if may_be_access(message):
            access = access_in(message)
            more = outgoing_in(message) if access is None else {"access": access}
        if call or words or envelope is not None or is_undated:
            more = self.more(more, call, words, envelope, is_undated)
        if request_id == NO_ID:
            request_id = ""
        if session_id == NO_ID:
            session_id = ""
        if not line.isascii():
            end += astral(line[:end])
        return Entry(when, level, request_id, session_id, line, end, more, self.file)

    def head(self, head: str) -> tuple[float, int] | None:
        """
        Return the time and the level in the *head* of a line of ours; None, if the time has no
        known form.
        """
        known = self.heads.get(head)
        if known is not None:
            return known
        stamp, _, name = head.partition(" - ")
        moment = self.clock.read(stamp)
        if moment is None:
            return None
        head_values = moment, _level_in(name)
        # A bare time may be of the next day later, and one of an hour that comes twice of the second.
        if stamp[2:3] != ":" and not self.clock.is_ambiguous:
            if len(self.heads) >= _MOST_HEADS:
                self.heads.clear()
            self.heads[head] = head_values
        return head_values

    def own_named(self, line: str) -> Entry | None:
        """
        Return the entry of a *line* of ours in JSON or logfmt, without going through its fields.

        None for a line with other fields: :func:`~.named.entry_of_fields` gives the same result for all lines.
        """
        row = own_fields(line)
        if row is None:
            return None
        (
            stamp,
            level,
            logger,
            message,
            quoted,
            request_id,
            session_id,
            trace,
            span,
            parent,
            service,
            access,
            first_byte,
        ) = row
        when = self.clock.read(stamp)
        number = LEVELS.get(level)
        if when is None or number is None or request_id in NO_IDS or trace in NO_IDS:
            return None
        more = more_of(trace, span, parent, service)
        message = message or quoted
        if not access:
            if is_of_access(logger):
                return None
            aside = f" logger={logger}"
        else:
            # The message has the values of all fields: they are not shown beside it.
            fields = access_in(message)
            if fields is None or not ACCESS_FIELDS.issubset(fields):
                return None
            if first_byte and "ttfb_ms" not in fields:
                return None
            more["access"] = fields
            aside = ""
        if when != self.when:
            self.at(when)
        if session_id in NO_IDS:
            session_id = ""
        shown_session = session_id or NO_ID
        text = f"{stamp} - {level} - [req={request_id}|session={shown_session}] - {message}{aside}"
        end = len(text) - len(message) - len(aside)
        # Half of the time that Entry() takes.
        return _new(Entry, (when, number, request_id, session_id, text, end, more, self.file))

    # -- lines of others ---------------------------------------------------------------------------

    def beside(self, line: str, envelope: Peeled) -> Entry | None:
        """Return the entry of a *line* with the ids that its envelope has beside it; None without any."""
        return entry_beside(self, line, envelope)

    def other(self, line: str, envelope: Peeled | None = None) -> Entry | None:
        """Return the entry of a line that is not of our text form; None when its form is unknown."""
        return (
            entry_of_usual(self, line, envelope)
            or entry_of_named(self, line, envelope)
            or entry_of_text(self, line, envelope)
        )

    def unknown(self, line: str, envelope: Peeled | None = None) -> Entry:
        """
        Return the entry of a line of an unknown form: its time and source are the envelope's, if
        there is one.
        """
        when = None
        more = None
        if envelope is not None:
            when = self.clock.read_value(envelope.time)
            more = self.origin(envelope.source) or None
        return Entry(self.at(when), 0, "", "", line, 0, more, self.file)

    def dated(self, entry: Entry) -> Entry:
        """Return *entry* with the time of the line before as its own."""
        more = dict(entry.more or NO_MORE)
        if more.pop("undated", False):
            self.undated -= 1
        return entry._replace(more=more or None)

    # -- time --------------------------------------------------------------------------------------

    def _searched_time(self, text: str) -> float | None:
        match = find_time(text, TIME_END)
        return self.clock.read(match[0]) if match else None


def _level_in(head: str) -> int:
    """
    Return the level in the *head* of a line behind its time: a logger or a thread may be beside it.
    """
    known = LEVELS.get(head)
    if known is not None:
        return known
    words = (*_CAPITALS.findall(head), *(part.strip().lower() for part in head.split(" - ")))
    return next(filter(None, map(LEVELS.get, words)), 0)
