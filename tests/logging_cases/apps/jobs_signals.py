"""The README's recipe for Celery."""

from celery.signals import before_task_publish, task_postrun, task_prerun

from asgi_trace import (
    carrier,
    extract,
    get_request_metadata,
    reset_request_metadata,
    set_request_metadata,
)


def send_ids(headers, **_):
    headers.update(carrier())


def bind_ids(task, **_):
    sent = extract(task.request.headers) or get_request_metadata()
    task.request.ids = set_request_metadata(sent)


def unbind_ids(task, **_):
    reset_request_metadata(task.request.ids)


def connect():
    before_task_publish.connect(send_ids)
    task_prerun.connect(bind_ids)
    task_postrun.connect(unbind_ids)
