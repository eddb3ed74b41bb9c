"""
The viewer: logs become one page of sessions, requests and lines.

``reader`` makes entries of lines, ``model`` makes requests of entries, ``page`` writes them,
``live`` serves them. Knows logs, and no app: nothing that serves requests imports it.
"""
