"""
Regular expressions that are compiled when they are first used.

This module wraps :mod:`re`. It does not define an expression itself.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ("Pattern",)


class Pattern:
    """
    A regular expression, compiled when one of its methods is first used, such as ``sub``.

    A program that only writes text needs few of the package's expressions: compiling all of them
    would take a third of the import time.

    :param flags: those of :func:`re.compile`.
    """

    def __init__(self, source: str | bytes, flags: int = 0) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, method: str) -> Any:
        bound = getattr(re.compile(self._source, self._flags), method)
        setattr(self, method, bound)
        return bound
