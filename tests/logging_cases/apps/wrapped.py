"""The app that INNER names, wrapped; with configure_logging() behind its import, or before it."""

from __future__ import annotations

import importlib
import os

from asgi_trace import RequestTracingMiddleware, configure_logging

if os.environ["WHEN"] == "before":
    configure_logging()
inner = importlib.import_module(os.environ["INNER"]).app
if os.environ["WHEN"] == "behind":
    configure_logging()
app = RequestTracingMiddleware(inner, keep_context=True)
