"""
Write the columns of a chunk as the gzip of their JSON: here, or in an idle worker.

This module does not know what the columns are about.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..logs.lines import values_at
from ..logs.workers import Workers

__all__ = ("OF_COMMONS", "in_milliseconds", "packed", "packing_in", "rounded")

# A compression level: a third of the time of 6, gzip's default, and a fifth more bytes.
_EFFORT = 1
OF_COMMONS = ("level", "file", "head")
_NUMBERS = ("request", "service", "message")
_TEXTS = ("text", "heads")
_WITHOUT_ESCAPES = bytes(code for code in range(0x20, 0x7F) if chr(code) not in '"\\')
_PIECE = 64
_BETWEEN = '","'


def packing_in(workers: Workers) -> Callable[[Mapping[str, Any]], bytes]:
    """Return :func:`packed`, done by one of *workers* while one has nothing to read."""

    def pack(data: Mapping[str, Any]) -> bytes:
        return workers.call(packed, data) or packed(data)

    return pack


def packed(data: Mapping[str, Any]) -> bytes:
    """
    Return the gzip of the JSON of a chunk.

    Its times are given in tenths of a millisecond, and the columns ``OF_COMMONS`` with one value
    for all lines that have the same number in the column ``common``, which is not written.
    """
    parts: list[bytes] = []
    for name, value in _written(data):
        parts += b"," if parts else b"{", f'"{name}":'.encode(), value
    return gzip.compress(b"".join((*parts, b"}")), _EFFORT, mtime=0)


def _written(data: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield each column of a chunk, and its JSON."""
    for name, column in data.items():
        if name == "common":
            continue
        if name == "t":
            yield name, _numbers(column, in_milliseconds)
        elif name in _TEXTS:
            yield name, _texts(column)
        elif name in OF_COMMONS and isinstance(column, list):
            yield name, _listed(list(map(repr, column)), data["common"])
        elif name in _NUMBERS and isinstance(column, list):
            yield name, _numbers(column)
        else:
            yield name, _dumps(column).encode()


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _numbers(numbers: Sequence[int], value_of: Callable[[int], float] = int) -> bytes:
    """Return the JSON of the values of *numbers*, most of which occur often."""
    return _listed({number: repr(value_of(number)) for number in set(numbers)}, numbers)


def _listed(shown: Mapping[Any, str] | Sequence[str], keys: Sequence[Any]) -> bytes:
    return f"[{','.join(values_at(keys, shown))}]".encode()


def _texts(texts: Sequence[str]) -> bytes:
    """Return the JSON of *texts*, most often without looking at each of them."""
    written = []
    for start in range(0, len(texts), _PIECE):
        piece = texts[start : start + _PIECE]
        joined = _BETWEEN.join(piece)
        inner = joined.encode("utf-8", "surrogatepass")
        # What is to be escaped is all that is left: the quotes between the texts, and no others.
        if inner.translate(None, _WITHOUT_ESCAPES) != b'""' * (len(piece) - 1):
            inner = _dumps(piece)[2:-2].encode()
        written.append(inner)
    return b'["%b"]' % _BETWEEN.encode().join(written) if texts else b"[]"


def in_milliseconds(tenths: int) -> float:
    """Return *tenths* of a millisecond in milliseconds, as an int where that is exact."""
    return tenths / 10 if tenths % 10 else tenths // 10


def rounded(when: float) -> float:
    """Return the time *when* in milliseconds, rounded to a tenth."""
    return in_milliseconds(round(when * 10))
