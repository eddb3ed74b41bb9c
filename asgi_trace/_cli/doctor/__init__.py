"""
The command ``asgi-trace doctor``: starts an app, sends one request through it, and says what is
wrong.
"""
