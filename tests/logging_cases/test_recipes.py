"""The README's recipes for logging libraries, run as they stand there."""

from __future__ import annotations

import re

import pytest

from ..documents import README
from ..unit.logging.program import lines_of

SECTION = README.split("## Your logging stays yours")[1].split("\n## ")[0]
RECIPES = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", SECTION, re.MULTILINE)
(LOGURU, STRUCTLOG, STORE) = (code for _, code in RECIPES)

INTERCEPT = """
import inspect
from loguru import logger
from asgi_trace.loggers import loguru_patcher

class InterceptHandler(logging.Handler):
    # As loguru's documentation has it.
    def emit(self, record):
        try: level = logger.level(record.levelname).name
        except ValueError: level = record.levelno
        frame, depth = inspect.currentframe(), 0
        while frame:
            is_logging = frame.f_code.co_filename == logging.__file__
            is_frozen = "importlib" in frame.f_code.co_filename and "_bootstrap" in frame.f_code.co_filename
            if depth > 0 and not (is_logging or is_frozen): break
            frame, depth = frame.f_back, depth + 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, record.getMessage())

logger.remove()
logger.add(sys.stdout, format="{level} {function} {extra[request_id]} {extra[session_id]} {message}")
"""


def test_the_section_is_short() -> None:
    """Text and rows, without blank lines and the heads of tables."""
    lines = [line for line in SECTION.splitlines() if line and not line.startswith("|---")]
    assert len(lines) <= 15 + 2


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_loguru_behind_an_intercept_handler(first: str) -> None:
    """Each line once, with the ids, and with the function that logged it."""
    setup = "logging.basicConfig(handlers=[InterceptHandler()], level=20, force=True)"
    ours = "configure_logging()"
    steps = [ours, setup] if first == "ours" else [setup, ours]
    lines = lines_of(f"""{INTERCEPT}
{LOGURU}
{steps[0]}
{steps[1]}
def pay():
    logging.getLogger("shop").info("standard")
    logger.info("loguru's")
with within(): pay()
pay()
""")
    assert lines == [
        "INFO pay a1 alice standard",
        "INFO pay a1 alice loguru's",
        "INFO pay none none standard",
        "INFO pay none none loguru's",
    ]


@pytest.mark.parametrize("enqueue", [False, True])
def test_a_handler_of_logging_as_a_sink_of_loguru(enqueue: bool) -> None:
    """Its lines have the ids, whether the program's thread calls the handler or loguru's own."""
    lines = lines_of(f"""
from loguru import logger
from asgi_trace.loggers import loguru_patcher
{LOGURU}
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(request_id)s %(session_id)s %(span_id).4s %(message)s"))
configure_logging()
logger.remove()
logger.add(handler, format="{{extra[span_id]:.4}} {{message}}", enqueue={enqueue})
with within(session_id="alice-0123456"): logger.info("paid")
logger.info("outside")
logger.complete()
""")
    span = lines[0].split()[2]
    assert lines == [f"a1 alice-0123456 {span} {span} paid", "none none none none outside"]


def test_structlog_alone() -> None:
    """Whatever processors it has."""
    lines = lines_of(f"""
import structlog
from asgi_trace.loggers import structlog_processor
{STRUCTLOG}
with within(): structlog.get_logger().info("paid")
structlog.get_logger().info("outside")
""")
    inside, outside = lines
    assert re.search(r"\bpaid\b.*\brequest_id\S*=\S*a1\b.*\bsession_id\S*=\S*alice\b", inside)
    assert "request_id" not in outside


def test_structlog_for_its_own_lines_and_the_standard_librarys() -> None:
    """By one ProcessorFormatter, whose own chain needs no processor of ours: records are stamped."""
    lines = lines_of(f"""
import json, structlog
from asgi_trace.loggers import structlog_processor

shared = [structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()]
structlog.configure(
    processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(structlog.stdlib.ProcessorFormatter(
    foreign_pre_chain=shared,
    processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ],
))
logging.basicConfig(handlers=[handler], level=20)
{STRUCTLOG}
configure_logging()
with within():
    logging.getLogger("shop").info("standard")
    structlog.get_logger("shop").info("structlog's")
""")
    assert [re.sub(r'.*"event": "([^"]+)".*', r"\1", line) for line in lines] == [
        "standard",
        "structlog's",
    ]
    for line in lines:
        assert '"request_id": "a1"' in line
        assert '"session_id": "alice"' in line


def test_a_store_and_a_service() -> None:
    (line,) = lines_of(f"{STORE}\nwith within(): logging.getLogger('pay').info('paid')")
    assert '"log.level": "INFO"' in line
    assert '"http.request.id": "a1"' in line
    assert '"service.name": "shop"' in line
