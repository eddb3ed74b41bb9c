"""
The directory that ``asgi-trace run`` puts first on ``PYTHONPATH``.

Its modules are imported by their own names, without the package's.
"""
