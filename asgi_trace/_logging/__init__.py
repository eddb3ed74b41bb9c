"""
Log records and lines: ids on records, the forms of lines, and the form of each handler.

Nothing is exported here; the modules are ``records``, ``formatters``, ``uncaught`` and ``setup``.
"""
