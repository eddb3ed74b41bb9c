"""The colors of terminals, in the lines of a log."""

from __future__ import annotations

from ..._core.patterns import Pattern

__all__ = ("COLOR", "COLORS", "without_colors")

COLOR = r"\x1b\[[\d;]*m"
COLORS = Pattern(COLOR)
# A color, and the other sequences for a terminal: one that erases the line, or sets its title.
_SEQUENCES = Pattern(r"\x1b(?:\[[\d;?]{0,40}[A-Za-z]|\][^\x07\x1b\n]{0,200}\x07)")
# A line with a color in this number of its first characters, or at its end, is recognised without
# its colors.
_COLORED = 120
_COLORED_ENDS = ("\x1b[0m", "\x1b[m", "\x1b[K")


def without_colors(line: str) -> str:
    """
    Return *line* without its colors and other sequences for a terminal, if one of them is at its
    beginning or at its end.
    """
    return (
        _SEQUENCES.sub("", line)
        if "\x1b" in line[:_COLORED] or line.endswith(_COLORED_ENDS)
        else line
    )
