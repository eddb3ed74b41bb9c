"""The core: ids, sessions, traces, the request and the shim around an ASGI app."""
