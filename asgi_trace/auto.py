"""
``asgi_trace.auto:app``: the app that ``ASGI_TRACE_APP=module:attribute`` names, traced.

Knows nothing itself: importing it loads the app and configures logging, so nothing of ours imports it.
"""

from __future__ import annotations

import os

from .environment import LauncherError, in_the_servers_words, load_traced_app

__all__ = ("app",)

# A real global of the module: hypercorn looks the name up in vars(), and never asks a module's __getattr__.
try:
    app = load_traced_app(os.environ)
except LauncherError as exc:
    raise in_the_servers_words(exc) from None
