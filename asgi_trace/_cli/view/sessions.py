"""
The sessions of a page, by number.

This module compares ids. It does not know which requests a session has.
"""

from __future__ import annotations

from ..logs.wanted import cut_of

__all__ = ("Sessions",)


class Sessions:
    """The ids of sessions, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number_of(self, session_id: str) -> int:
        """Return the place of a session in ``names``, a new one if needed."""
        known = self._numbers.get(session_id)
        if known is not None:
            return known
        short = cut_of(session_id)
        number = self._numbers.get(short)
        # An id that text has cut belongs to the first session that begins with it.
        if number is not None and self.names[number] == short != session_id:
            self.names[number] = session_id
        else:
            number = len(self.names)
            self.names.append(session_id)
            self._numbers.setdefault(short, number)
        self._numbers[session_id] = number
        return number
