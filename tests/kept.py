"""A handler that keeps the records it is given."""

from __future__ import annotations

import logging


class Keep(logging.Handler):
    """Its records, in the order in which they were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
