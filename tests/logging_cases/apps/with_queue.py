import logging.config
import logging.handlers
import queue

from on_starlette import app

handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("QUEUED %(levelname)s %(message)s"))
waiting = queue.SimpleQueue()
logging.root.addHandler(logging.handlers.QueueHandler(waiting))
logging.handlers.QueueListener(waiting, handler).start()

__all__ = ("app",)
