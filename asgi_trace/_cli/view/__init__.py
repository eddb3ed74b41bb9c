"""
The viewer: logs become one page of sessions, requests and lines.

``reader`` makes entries of lines, ``model`` makes requests of entries, ``page`` writes them,
``live`` serves them. Nothing that serves requests imports this package.
"""
