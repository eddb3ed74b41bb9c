"""
Log records and lines: stamping records, forms of lines, and which handler gets which form.

Nothing is exported here; the modules are ``records``, ``formatters``, ``uncaught`` and ``setup``.
"""
