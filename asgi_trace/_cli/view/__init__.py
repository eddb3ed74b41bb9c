"""
The viewer: logs become one page of sessions, requests and lines.

``reader`` makes entries from lines, ``model`` makes requests from entries, ``page`` writes them,
``live`` serves them. Code that serves an app never imports this package.
"""
