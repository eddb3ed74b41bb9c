"""
Regular expressions that are compiled when they are first used.

This module wraps :mod:`re`. It does not define an expression itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

__all__ = ("Pattern",)

if TYPE_CHECKING:
    Pattern = re.compile
else:

    class Pattern:
        """
        A regular expression, compiled when one of its methods is first used, such as ``sub``.

        A program that only writes text needs few of the package's expressions: compiling all of
        them would take a third of the import time. A log needs few of those for other writers.

        :param flags: those of :func:`re.compile`.
        """

        def __init__(self, source: str | bytes, flags: int = 0) -> None:
            self._source = source
            self._flags = flags

        def __getattr__(self, method: str) -> Any:
            if method.startswith("_"):  # an abstract class asks each of its attributes for some
                raise AttributeError(method)
            bound = getattr(re.compile(self._source, self._flags), method)
            setattr(self, method, bound)
            return bound
