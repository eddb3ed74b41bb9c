"""
``asgi_trace.auto:app``: the app that ``ASGI_TRACE_APP=module:attribute`` names, traced.

The import of this module loads the app and configures logging. No other module of the package
imports it.

.. versionadded:: 0.1
"""

from ._cli.served import load_app_for_server as _load_app

__all__ = ("app",)

# A global variable, not a module's __getattr__(): hypercorn reads the name from vars().
app = _load_app()
