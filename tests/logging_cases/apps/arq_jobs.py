"""arq's worker, by its command."""

import os

from arq.connections import RedisSettings
from talk import crash, talk

from asgi_trace import bound_carrier, configure_logging

if os.environ["WHEN"] != "never":
    configure_logging()


async def work(ctx, ids):
    with bound_carrier(ids):
        talk()


async def fail(ctx, ids):
    with bound_carrier(ids):
        crash()


class WorkerSettings:
    functions = (work, fail)
    redis_settings = RedisSettings(host="127.0.0.1", port=int(os.environ.get("REDIS", "6379")))
    max_tries = 1
    poll_delay = 0.05
