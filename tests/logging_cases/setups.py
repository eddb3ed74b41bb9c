"""
Logging set-ups as programs have them. Each is a function of the folder into which its files go.

Knows the standard library and the logging libraries; nothing here knows of asgi_trace, but for its
formatter by name.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import queue
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOGGERS = ("shop", "shop.cart", "other.lib")


@dataclass(frozen=True)
class Setup:
    """
    A set-up, and what is to be seen of it.

    :param apply: sets logging up; returns what is to be done when all is logged, or None.
    :param form: what each line matches that the program's own handlers write; ``json`` for an
        object without private keys; None where nobody has chosen a form.
    :param ids: whether configured lines show the ids.
    :param shows: whether stamped records alone make the form show them.
    :param loggers: which are logged to.
    :param is_text: whether each physical line of a traceback has the ids too.
    :param bare: whether the root logger has no handler.
    :param late: whether it has an effect after configure_logging(), which basicConfig() has only
        when forced.
    """

    apply: Callable[[Path], Callable[[], object] | None]
    form: str | None = None
    ids: bool = True
    shows: bool = False
    loggers: tuple[str, ...] = LOGGERS
    is_text: bool = True
    bare: bool = False
    late: bool = True


def handled(handler: logging.Handler, form: str | None = None, style: Any = "%") -> logging.Handler:
    if form is not None:
        handler.setFormatter(logging.Formatter(form, style=style))
    return handler


def to_root(*handlers: logging.Handler) -> None:
    for handler in handlers:
        logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)


def nothing(folder: Path) -> None:
    pass


def basic_config(folder: Path) -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO)


def basic_config_forced(folder: Path) -> None:
    logging.basicConfig(
        filename=folder / "app.log",
        level="INFO",
        force=True,
        format="OWN %(levelname)s %(message)s",
    )


def own_format(folder: Path) -> None:
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="OWN %(levelname)s %(message)s."
    )


def other_styles(folder: Path) -> None:
    to_root(
        handled(logging.FileHandler(folder / "braces.log"), "OWN {levelname} {message}", "{"),
        handled(logging.FileHandler(folder / "dollars.log"), "OWN $levelname $message", "$"),
    )


class Append(logging.Handler):
    """A handler of the program's own, which is no stream handler."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            print(self.format(record), file=file)


def own_handler_class(folder: Path) -> None:
    to_root(handled(Append(folder / "app.log"), "OWN %(levelname)s %(message)s"))


def own_handler_class_without_formatter(folder: Path) -> None:
    to_root(Append(folder / "app.log"))


def dict_config(folder: Path) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "console": {"format": "OWN %(levelname)s %(name)s %(message)s"},
                "file": {"format": "OWN {levelname} {message}", "style": "{"},
            },
            "handlers": {
                "console": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "console",
                },
                "file": {
                    "class": "logging.handlers.RotatingFileHandler",
                    "filename": str(folder / "app.log"),
                    "maxBytes": 1_000_000,
                    "formatter": "file",
                },
            },
            "root": {"handlers": ["console", "file"], "level": "INFO"},
        }
    )


# As alembic's env.py reads it.
INI = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = generic
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ({path!r},)
formatter = generic
[formatter_generic]
format = OWN %(levelname)-5.5s [%(name)s] %(message)s
"""


def file_config(folder: Path) -> None:
    ini = INI.replace("{path!r}", repr(str(folder / "app.log")))
    logging.config.fileConfig(io.StringIO(ini), disable_existing_loggers=False)


def loguru_intercept(folder: Path) -> None:
    from loguru import logger

    class InterceptHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            caller = logger.opt(
                depth=6, exception=record.exc_info
            )  # as its documentation had it for years
            caller.log(record.levelname, record.getMessage())

    logger.remove()
    logger.add(folder / "app.log", format="OWN {level} {function} {message}")
    to_root(InterceptHandler())


def ecs(folder: Path) -> None:
    import ecs_logging

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(ecs_logging.StdlibFormatter())
    to_root(handler)


def python_json_logger(folder: Path) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": "pythonjsonlogger.json.JsonFormatter",
                    "fmt": "%(levelname)s %(message)s",
                }
            },
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "filename": folder / "app.log",
                    "formatter": "json",
                }
            },
            "root": {"handlers": ["file"], "level": "INFO"},
        }
    )


class OwnData(logging.Formatter):
    """Data, by a class of the program's own."""

    def format(self, record: logging.LogRecord) -> str:
        ids = [getattr(record, "request_id", None), getattr(record, "session_id", None)]
        return json.dumps({"level": record.levelname, "text": record.getMessage(), "ids": ids})


def own_formatter_class(folder: Path) -> None:
    handler = logging.FileHandler(folder / "app.log")
    handler.setFormatter(OwnData())
    to_root(handler)


class DataHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """
    A handler whose own method writes data around the formatter's text, as that of Google Cloud
    does.
    """

    def format(self, record: logging.LogRecord) -> str:
        ids = [getattr(record, "request_id", None), getattr(record, "session_id", None)]
        return json.dumps(
            {"severity": record.levelname, "message": super().format(record), "ids": ids}
        )


def handler_with_a_format_of_its_own(folder: Path) -> None:
    to_root(DataHandler(sys.stdout))


def ours_by_name(folder: Path) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": "asgi_trace.JSONFormatter"}},
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "json",
                }
            },
            "root": {"handlers": ["out"], "level": "INFO"},
        }
    )


def memory(folder: Path) -> None:
    target = handled(logging.FileHandler(folder / "app.log"), "OWN %(levelname)s %(message)s")
    to_root(logging.handlers.MemoryHandler(2, flushLevel=logging.ERROR, target=target))


def queue_and_listener(folder: Path) -> Callable[[], object]:
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    target = handled(logging.FileHandler(folder / "app.log"), "OWN %(levelname)s %(message)s")
    listener = logging.handlers.QueueListener(waiting, target)
    listener.start()
    to_root(logging.handlers.QueueHandler(waiting))
    return listener.stop


def unformatted_file(folder: Path) -> None:
    to_root(logging.FileHandler(folder / "app.log"))


def logger_with_a_file(folder: Path) -> None:
    """As the tutorial has it: the root logger has no handler."""
    logger = logging.getLogger("shop")
    logger.addHandler(
        handled(logging.FileHandler(folder / "shop.log"), "OWN %(levelname)s %(message)s")
    )
    logger.setLevel(logging.INFO)


def logger_with_a_file_for_errors(folder: Path) -> None:
    handler = handled(logging.FileHandler(folder / "errors.log"), "OWN %(levelname)s %(message)s")
    handler.setLevel(logging.WARNING)
    logging.getLogger("shop").addHandler(handler)
    logging.getLogger("shop").setLevel(logging.INFO)
    logging.getLogger("other").addHandler(logging.NullHandler())


def logger_and_root(folder: Path) -> None:
    """Two handlers, two copies: that is the program's wish."""
    logger_with_a_file(folder)
    to_root(handled(logging.FileHandler(folder / "root.log"), "OWN %(levelname)s %(message)s"))


def quiet_logger(folder: Path) -> None:
    logger_with_a_file(folder)
    logging.getLogger("shop").propagate = False


def format_names_ids(folder: Path) -> None:
    form = "OWN %(levelname)s %(request_id)s %(session_id)s %(message)s"
    defaults = {"request_id": "-", "session_id": "-"}  # for the program without asgi_trace
    for name, logger in (("root", logging.root), ("shop", logging.getLogger("shop"))):
        handler = logging.FileHandler(folder / f"{name}.log")
        handler.setFormatter(logging.Formatter(form, defaults=defaults))
        logger.addHandler(handler)
    logging.getLogger("shop").propagate = False
    logging.root.setLevel(logging.INFO)


def rich(folder: Path) -> None:
    from rich.console import Console
    from rich.logging import RichHandler

    file = (folder / "app.log").open("w", buffering=1, encoding="utf-8")
    to_root(RichHandler(console=Console(file=file, width=200)))


def structlog_for_all(folder: Path) -> None:
    import structlog

    handler = logging.FileHandler(folder / "app.log")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    to_root(handler)


def celery_worker(folder: Path) -> None:
    """What Celery's worker gives to the root logger."""
    from celery.utils.log import ColorFormatter

    handler = logging.FileHandler(folder / "app.log")
    handler.setFormatter(
        ColorFormatter(
            "[%(asctime)s: OWN %(levelname)s/%(processName)s] %(message)s", use_color=True
        )
    )
    to_root(handler)


def colorlogs(folder: Path) -> None:
    """As its documentation has it; without colors, which it would put into tracebacks, too."""
    form = "%(log_color)sOWN %(levelname)s%(reset)s %(message)s"
    colored = {"()": "colorlog.ColoredFormatter", "format": form, "no_color": True}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"colored": colored},
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "filename": str(folder / "app.log"),
                    "formatter": "colored",
                }
            },
            "root": {"handlers": ["file"], "level": "INFO"},
        }
    )


def coloredlogs_of_a_file(folder: Path) -> None:
    import coloredlogs

    file = (folder / "app.log").open("w", buffering=1, encoding="utf-8")
    coloredlogs.install(level="INFO", fmt="OWN %(levelname)s %(message)s", stream=file)


_OWN = r"OWN (INFO|WARNING|WARNI|ERROR)\b"

SETUPS = {
    "nothing": Setup(nothing, bare=True),
    "basicConfig": Setup(basic_config, late=False),
    "basicConfig, forced": Setup(basic_config_forced, _OWN),
    "a format of its own": Setup(own_format, rf"{_OWN} .*\.$", late=False),
    "the other styles": Setup(other_styles, _OWN),
    "a handler class of its own": Setup(own_handler_class, _OWN),
    "... without a formatter": Setup(own_handler_class_without_formatter),
    "dictConfig": Setup(dict_config, _OWN),
    "fileConfig": Setup(file_config, _OWN),
    "loguru's InterceptHandler": Setup(
        loguru_intercept, r"OWN (INFO|WARNING|ERROR) say ", ids=False, is_text=False
    ),
    "ecs-logging": Setup(ecs, "json", shows=True, is_text=False),
    "python-json-logger": Setup(python_json_logger, "json", shows=True, is_text=False),
    "a formatter class of its own": Setup(own_formatter_class, "json", shows=True, is_text=False),
    "a handler with a format of its own": Setup(
        handler_with_a_format_of_its_own, "json", shows=True, is_text=False
    ),
    "ours by name": Setup(ours_by_name, "json", shows=True, is_text=False),
    "MemoryHandler": Setup(memory, _OWN),
    "QueueHandler": Setup(queue_and_listener, _OWN),
    "a file without a formatter": Setup(unformatted_file),
    "a logger with a file": Setup(logger_with_a_file, _OWN, bare=True),
    "a logger with a file for errors": Setup(logger_with_a_file_for_errors, _OWN, bare=True),
    "a logger with a file, and root": Setup(logger_and_root, _OWN),
    "a quiet logger": Setup(quiet_logger, _OWN, bare=True),
    "a format that names the ids": Setup(format_names_ids, _OWN, shows=True, is_text=False),
    "Rich": Setup(rich),
    "structlog for all": Setup(
        structlog_for_all, "json", shows=True, loggers=("shop", "other.lib"), is_text=False
    ),
    "colorlog": Setup(colorlogs, _OWN),
    "coloredlogs": Setup(coloredlogs_of_a_file, _OWN),
    "Celery's worker": Setup(celery_worker, r"\[[^\]]+: OWN (INFO|WARNING|ERROR)/MainProcess\] "),
}
