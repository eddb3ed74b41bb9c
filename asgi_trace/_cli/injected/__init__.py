"""The directory that ``asgi-trace run`` puts first on ``PYTHONPATH``; its modules are imported by their own names."""
