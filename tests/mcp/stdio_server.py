"""
A traced server over stdio, in a process of its own: its lines, as JSON, are on standard error.
"""

from __future__ import annotations

from asgi_trace import JSONFormatter, configure_logging
from asgi_trace.mcp import trace_server

from .handlers import register
from .sdk import sdk

if __name__ == "__main__":
    configure_logging(formatter=JSONFormatter())
    trace_server(register(sdk.bare())).run()
