"""Celery's default worker, with the README's signals."""

import logging
import os

from celery import Celery
from celery.utils.log import get_task_logger

folder = os.environ["QUEUE"]
app = Celery("jobs", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": folder,
    "data_folder_out": folder,
    "control_folder": f"{folder}.control",
}
if os.environ["WHEN"] != "never":
    from jobs_signals import connect

    from asgi_trace import configure_logging

    connect()
    configure_logging()


@app.task
def work():
    logging.getLogger("shop").warning("a line of the app")
    get_task_logger("shop.tasks").warning("a line of the task's logger")
    print("a line that is printed")


@app.task
def fail():
    raise RuntimeError("no luck")
