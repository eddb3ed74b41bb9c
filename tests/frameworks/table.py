"""
All the frameworks, and all the ways to wrap them. A new framework is one file and one entry here.
"""

from __future__ import annotations

from .frameworks import cases_of
from .on_django import DJANGO
from .on_fastapi import FASTAPI
from .on_litestar import LITESTAR
from .on_quart import QUART
from .on_starlette import STARLETTE

FRAMEWORKS = (STARLETTE, FASTAPI, DJANGO, LITESTAR, QUART)
CASES = tuple(case for framework in FRAMEWORKS for case in cases_of(framework))
