"""What the handlers of all apps say."""

from __future__ import annotations

import logging
import threading

from asgi_trace import with_context

log = logging.getLogger("shop")


def talk() -> str:
    log.warning("a line of the app")
    thread = threading.Thread(target=with_context(log.warning), args=("a line of a thread",))
    thread.start()
    thread.join()
    return "ok"


def crash() -> str:
    raise RuntimeError("no luck")
