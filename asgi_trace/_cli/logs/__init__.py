"""
One reader of logs for ``asgi-trace grep`` and ``asgi-trace view``.

The layers, each in its module: bytes (``files``), lines (``documents``, ``tables``), the envelope
around a line (``envelopes``), the record in it (``records``), and its time (``times``). ``reader``
joins them; ``grep`` is the command.
"""
