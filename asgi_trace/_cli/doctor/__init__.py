"""
The command ``asgi-trace doctor``: start an app, send one request through it, and report faults of
its tracing.
"""
