"""APScheduler in a program with basicConfig()."""

import logging
import os
import sys
import time

from apscheduler.schedulers.background import BackgroundScheduler
from talk import crash, talk

from asgi_trace import bound_carrier, configure_logging

logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
if os.environ["WHEN"] != "never":
    configure_logging()
ids = {"x-request-id": "req-1", "x-session-id": "sess-77"}


def within(function):
    with bound_carrier(ids):
        function()


scheduler = BackgroundScheduler()
scheduler.add_job(within, args=[talk])
scheduler.add_job(within, args=[crash])
scheduler.start()
while scheduler.get_jobs():
    time.sleep(0.05)
scheduler.shutdown()
