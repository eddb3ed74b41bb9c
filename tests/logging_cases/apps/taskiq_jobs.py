"""taskiq's worker, by its command, with a broker that reads a folder."""

import asyncio
import os
from pathlib import Path

from talk import crash, talk
from taskiq import AsyncBroker, TaskiqMiddleware

from asgi_trace import carrier, configure_logging, extract, set_request_metadata

if os.environ["WHEN"] != "never":
    configure_logging()


class TraceMiddleware(TaskiqMiddleware):
    """The README's."""

    def pre_send(self, message):
        message.labels.update(carrier())
        return message

    def pre_execute(self, message):
        set_request_metadata(extract(message.labels))
        return message


class FolderBroker(AsyncBroker):
    folder = Path(os.environ["QUEUE"])

    async def kick(self, message):
        (self.folder / f"{message.task_id}.new").write_bytes(message.message)
        (self.folder / f"{message.task_id}.new").rename(self.folder / message.task_id)

    async def listen(self):
        while True:
            for path in sorted(self.folder.iterdir()):
                if path.suffix != ".new":
                    data = path.read_bytes()
                    path.unlink()
                    yield data
            await asyncio.sleep(0.05)


broker = FolderBroker().with_middlewares(TraceMiddleware())


@broker.task
async def work():
    talk()


@broker.task
async def fail():
    crash()
