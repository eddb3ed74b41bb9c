"""
The text, and the JSON, of any value that a program logs, also of one whose methods raise.

Nothing here raises for any value, except :func:`json_value` and the function of :func:`quote_json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from math import isfinite
from typing import Any

__all__ = (
    "dump_json",
    "json_or_text",
    "json_value",
    "quote_json",
    "text_of",
)


def text_of(value: object) -> str:
    """Return ``str(value)``; if that raises, the text of a plain object."""
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)


def json_or_text(value: Any) -> str:
    """Return *value* itself if it is a string, JSON for JSON's other types, else ``str(value)``."""
    if type(value) is str:
        return value
    # The type is compared: isinstance() may run code of the value, such as a proxy's, which may
    # raise.
    if value is None or issubclass(type(value), bool | int | float | dict | list | tuple):
        return dump_json(value)
    return text_of(value)


@cache
def quote_json() -> Callable[[str], str]:
    """Return the function that quotes a string for JSON, in ASCII."""
    from json.encoder import encode_basestring_ascii  # raises TypeError for any other type

    return encode_basestring_ascii


@cache
def _encode() -> Callable[[Any], str]:
    from json import JSONEncoder  # 3 ms of import, which the text form does not need

    return JSONEncoder(allow_nan=False, default=text_of).encode


def json_value(value: Any) -> str:
    """
    Return *value* as JSON; plain numbers are formatted without the encoder.

    :raises Exception: of any class, where *value* contains what JSON does not have.
    """
    if type(value) is int or (type(value) is float and isfinite(value)):
        return repr(value)
    return _encode()(value)


def dump_json(value: Any) -> str:
    """Return *value* as JSON; anything in it that JSON does not have is shown as its text."""
    try:
        return _encode()(value)
    except Exception:
        # Rare, and not worth a check beforehand: a key that is no string, NaN, a cycle, too many
        # levels, or a class with faulty methods.
        return _encode()(_plain(value, iter(range(_MOST_VALUES)), ()))


_MOST_VALUES = 10_000
_MOST_NESTED = 16


def _plain(value: Any, budget: Iterator[int], inside: tuple[int, ...]) -> Any:
    """
    Return *value* rebuilt from JSON's types, cut where it contains itself, is too deep, or exceeds
    the *budget*.
    """
    try:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, float) and isfinite(value):
            return value
        if isinstance(value, int) and int.__repr__(value):  # raises for thousands of digits
            return value
        if not isinstance(value, dict | list | tuple):
            return text_of(value)
        if id(value) in inside or len(inside) == _MOST_NESTED:
            return "..."
        inside = (*inside, id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        plain = {
            text_of(key): _plain(member, budget, inside)
            for (key, member), _ in zip(items, budget, strict=False)
        }
        return plain if isinstance(value, dict) else list(plain.values())
    except Exception:
        return text_of(value)
