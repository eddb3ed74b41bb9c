"""
Templates of errors: a message without its numbers, ids, addresses and quoted texts, so that similar
errors have the same template. The template of a traceback is that of its last ``Name: message``.
"""

from __future__ import annotations

import re

__all__ = ("OTHERS", "Templates", "summary_of", "template_of")

OTHERS = "other errors"
"""The template of all errors beyond the largest number of templates."""

_MOST_TEMPLATES = 2000
_MOST_REMEMBERED = 4096
_LONGEST = 200
# The characters that are read of a message, and of an entry with a traceback.
_LONGEST_MESSAGE = 1000

# -- tracebacks ------------------------------------------------------------------------------------

_HEADER = "Traceback (most recent call last):"
_GROUP = re.compile(r"\A {2}\+ Exception Group Traceback \(most recent call last\):")
_NAME = re.compile(r"[A-Za-z_][\w.]*(?:: .*|:?\Z)")


def summary_of(text: str) -> str | None:
    """
    Return the ``Name: message`` of the exception in the traceback in *text*; None without a
    traceback.

    For chained exceptions it is that of the last one; for a group, that of the group itself.
    """
    if _HEADER not in text:
        return None
    summary = None
    prefix: str | None = None  # the beginning of the lines of the current traceback
    for line in text.split("\n"):
        if line.startswith(_HEADER):
            prefix = ""
        elif _GROUP.match(line):
            prefix = "  | "
        elif prefix is not None and line.startswith(prefix):
            rest = line[len(prefix) :]
            if _NAME.match(rest):
                summary, prefix = rest.rstrip(), None
    return summary


# -- templates -------------------------------------------------------------------------------------

_HEX = r"[0-9a-fA-F]"
_VARIES = re.compile(
    # quoted text, up to the quote that ends it
    r"(?P<quoted>(?<![\w])'[^'\n]*'(?!\w)|\"[^\"\n]*\"|`[^`\n]*`)"
    rf"|(?P<id>\b{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}\b"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"  # an address of e-mail
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"  # IPv4
    rf"|(?<![\w:])\[?(?:{_HEX}{{0,4}}:){{2,7}}{_HEX}{{0,4}}\]?(?::\d{{1,5}})?(?![\w:])"  # IPv6
    rf"|\b(?=[a-zA-Z]*\d){_HEX}{{8,}}\b"
    r"|\b(?=[A-Za-z_-]*\d)(?=\d*[A-Za-z_-])[\w-]{16,}\b)"
    r"|(?P<number>\d+(?:[.,:]\d+)*)"
)
_BLANKS = re.compile(r"\s+")


def template_of(message: str) -> str:
    """Return *message* without its numbers (``#``), ids, addresses and quoted texts (``…``)."""
    line = _VARIES.sub(_placeholder, message[:_LONGEST_MESSAGE])
    return _BLANKS.sub(" ", line).strip()[:_LONGEST]


def _placeholder(match: re.Match[str]) -> str:
    if match["number"]:
        return "#"
    if match["id"]:
        return "…"
    quote = match["quoted"][0]
    return f"{quote}…{quote}"


class Templates:
    """The templates of one page, by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._remembered: dict[str, int] = {}

    def number_of(self, text: str) -> int:
        """Return the number of the template of an error with this *text*, a message and more."""
        summary = summary_of(text) if "\n" in text else None
        message = summary or text.lstrip().partition("\n")[0].partition(" logger=")[0]
        message = message[:_LONGEST_MESSAGE]
        number = self._remembered.get(message)
        if number is None:
            number = self._number(template_of(message))
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[message] = number
        return number

    def _number(self, template: str) -> int:
        if len(self.texts) >= _MOST_TEMPLATES and template not in self._numbers:
            template = OTHERS
        number = self._numbers.get(template)
        if number is None:
            number = self._numbers[template] = len(self.texts)
            self.texts.append(template)
        return number
