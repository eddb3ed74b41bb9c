"""
One reader of logs for ``asgi-trace grep`` and ``asgi-trace view``.

The layers, each in its module: bytes (``files``), lines (``documents``, ``tables``, ``order``), the
envelope around a line (``envelopes``, by ``prefixes`` and ``objects``), the record in it
(``records``, ``named``, ``foreign``), its time (``times``), and whether it begins an entry
(``steps``). ``reader`` joins them for both commands; ``grep`` is one of these, with its conditions
(``query``), a search in bytes (``candidates``) and one in lines (``search``).
"""
