"""Apps for the doctor: healthy ones, and one for each fault."""

from __future__ import annotations

SHOP = """\
import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from asgi_trace import *
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

log = logging.getLogger("shop")
api = FastAPI()


@api.get("/ok")
async def ok():
    log.warning("in the shop")


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)

"""

HEALTHY = {
    "wrapped outermost": """
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "added to the framework": """
configure_logging()
app = api
app.add_middleware(Timing)
app.add_middleware(RequestTracingMiddleware)
app.add_middleware(Timing)
""",
    "a BaseHTTPMiddleware inside": """
configure_logging()
app = RequestTracingMiddleware(Timing(api))
""",
    "behind a wrapper that is no framework": """
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
configure_logging()
app = ProxyHeadersMiddleware(RequestTracingMiddleware(api))
""",
    "without a framework": """
async def bare(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

configure_logging()
app = RequestTracingMiddleware(bare)
""",
    "a factory, and prints": """
def make_app():
    print("made")
    configure_logging(stream=sys.stdout)
    return RequestTracingMiddleware(api)

app = make_app
""",
    "JSON, in a file": """
configure_logging(stream=open("app.log", "w"), formatter=JSONFormatter())
app = RequestTracingMiddleware(api)
""",
    "a form of its own": """
logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "ids in the program's own format": """
stamp_records()
logging.basicConfig(format="%(request_id)s %(message)s")
app = RequestTracingMiddleware(api)
""",
    "our filter": """
handler = logging.StreamHandler()
handler.addFilter(lambda record: record.name == "shop")
handler.addFilter(RequestTracingFilter())
handler.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
logging.root.addHandler(handler)
app = RequestTracingMiddleware(api)
""",
    "a queue": """
import logging.handlers
import queue
records = queue.SimpleQueue()
logging.root.addHandler(logging.handlers.QueueHandler(records))
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "Rich": """
from rich.logging import RichHandler
logging.root.addHandler(RichHandler())
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "structlog": """
import structlog
from asgi_trace.loggers import structlog_processor
structlog.configure(processors=[structlog_processor, structlog.processors.JSONRenderer()])
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "structlog, with a processor of its own": """
import structlog

def add_id(logger, name, event):
    return {**event, "rid": get_request_id()}

structlog.configure(processors=[structlog.contextvars.merge_contextvars, add_id, structlog.dev.ConsoleRenderer()])
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "structlog, in a formatter": """
import structlog
from asgi_trace.loggers import structlog_processor
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
handler = logging.StreamHandler()
handler.setFormatter(structlog.stdlib.ProcessorFormatter(
    processors=[
        structlog_processor,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ],
))
logging.root.addHandler(handler)
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "loguru": """
from asgi_trace.loggers import loguru_patcher
from loguru import logger
logger.configure(patcher=loguru_patcher)
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "threads that keep the ids": """
pool = ThreadPoolExecutor()

@api.get("/jobs")
async def jobs():
    await asyncio.get_running_loop().run_in_executor(pool, log.info, "a job")
    threading.Thread(target=log.info, args=("a thread",)).start()

keep_ids_in_threads()
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "threads that are given the ids": """
pool = ContextThreadPoolExecutor()

@api.get("/jobs")
async def jobs():
    await asyncio.get_running_loop().run_in_executor(pool, log.info, "a job")
    pool.submit(log.info, "a job")
    threading.Thread(target=with_context(log.info), args=("a thread",)).start()

configure_logging()
app = RequestTracingMiddleware(api)
""",
    "a thread that serves no request": """
@asynccontextmanager
async def lifespan(app):
    threading.Thread(target=log.info, args=("a thread",), daemon=True).start()
    yield

api = FastAPI(lifespan=lifespan)
configure_logging()
app = RequestTracingMiddleware(api)
""",
    "an edge": """
configure_logging()
app = RequestTracingMiddleware(api, trust_inbound=False, session_sources=("bearer",), digest_key="k")
hooks = OutgoingHooks(trusted_hosts=["*.internal", "*.example.com", "stock"])
""",
    "proxies": """
configure_logging()
app = RequestTracingMiddleware(api, trust_inbound=("10.0.0.0/8", "unix"), header_name="X-Correlation-ID")
""",
    "one tracer": """
from asgi_trace.otel import RequestSpans
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
api = FastAPI(telemetry={"tracing": False})
configure_logging()
app = RequestTracingMiddleware(RequestSpans(api))
""",
}

# The code of an app, and the beginning of each finding.
FAULTY = {
    "no shim": (
        "configure_logging(); app = api",
        ["There is no RequestTracingMiddleware: lines and response have no ids."],
    ),
    "neither a shim nor a handler": (
        "app = api",
        [
            "There is no RequestTracingMiddleware: lines and response have no ids.",
            "The root logger has no handler: lines below WARNING are lost, and the others have no ids.",
        ],
    ),
    "a shim that is not served": (
        "configure_logging(); traced = RequestTracingMiddleware(api); app = api",
        ["The request has not reached RequestTracingMiddleware, though shop.traced is one"],
    ),
    "a shim around a part": (
        "configure_logging(); part = RequestTracingMiddleware(api); app = FastAPI(); app.mount('/part', part)",
        ["The request has not reached RequestTracingMiddleware, though shop.part is one"],
    ),
    "a shim inside a BaseHTTPMiddleware": (
        "configure_logging(); app = Timing(RequestTracingMiddleware(api))",
        ["RequestTracingMiddleware is inside Timing, a BaseHTTPMiddleware: the lines of"],
    ),
    "a shim deep inside": (
        "configure_logging(); outer = FastAPI(); outer.mount('/', RequestTracingMiddleware(api)); app = Timing(outer)",
        ["RequestTracingMiddleware is inside Timing, a BaseHTTPMiddleware: the lines of"],
    ),
    "an error page around the shim": (
        """
traced = RequestTracingMiddleware(api)
async def app(scope, receive, send):
    async def page(message):
        await send({**message, "headers": []} if message["type"] == "http.response.start" else message)
    await traced(scope, receive, page)
configure_logging()
""",
        ["The response (404) has no x-request-id: code around the shim made it"],
    ),
    "a format without ids": (
        "logging.basicConfig(format='%(levelname)s %(message)s'); app = RequestTracingMiddleware(api)",
        [
            "The lines of this handler have no ids: root -> standard error (the format '%(levelname)s %(message)s')."
        ],
    ),
    "Python's own format": (
        "logging.basicConfig(stream=sys.stdout); app = RequestTracingMiddleware(api)",
        [
            "The lines of this handler have no ids: root -> standard output (the format '%(levelname)s:"
        ],
    ),
    "two handlers without ids": (
        "logging.basicConfig(); log.addHandler(logging.FileHandler('shop.log')); app = RequestTracingMiddleware(api)",
        ["The lines of these handlers have no ids: root -> standard error (the format"],
    ),
    "a data format without ids": (
        """
import json
class Lines(logging.Formatter):
    def format(self, record):
        return json.dumps({"message": record.getMessage()})
log.addHandler(logging.StreamHandler()); log.handlers[0].setFormatter(Lines())
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["The lines of this handler have no ids: shop -> standard error (shop's Lines)."],
    ),
    "a data format without ids, which is sent": (
        """
class Message(logging.Formatter):
    pass
class Sender(logging.Handler):
    def emit(self, record):
        sent.append(self.format(record))
sent = []
log.addHandler(Sender()); log.handlers[0].setFormatter(Message("%(message)s"))
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["The lines of this handler have no ids: shop -> Sender (shop's Message)."],
    ),
    "a handler with a format of its own": (
        """
from google.cloud.logging_v2.handlers import StructuredLogHandler
log.addHandler(StructuredLogHandler()); log.handlers[0].emit_instrumentation_info = lambda: None
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["The lines of this handler have no ids: shop -> standard error (google's Structured"],
    ),
    "ids that records do not have": (
        "logging.basicConfig(format='%(request_id)s %(message)s'); app = RequestTracingMiddleware(api)",
        [
            "root -> standard error: the format '%(request_id)s %(message)s' fails on each line, since"
        ],
    ),
    "structlog without ids": (
        """
import structlog
structlog.configure(processors=[structlog.processors.JSONRenderer()])
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["structlog's processors give its lines no ids."],
    ),
    "loguru without ids": (
        "from loguru import logger; configure_logging(); app = RequestTracingMiddleware(api)",
        ["loguru's records have no ids."],
    ),
    "loguru behind a handler of an installed program": (
        """
import types
installed = types.ModuleType("installed")
exec('''
import logging
from loguru import logger
class InterceptHandler(logging.Handler):
    def emit(self, record):
        logger.log(record.levelname, record.getMessage())
''', vars(installed))
logging.basicConfig(handlers=[installed.InterceptHandler()])
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["loguru's records have no ids."],
    ),
    "an executor": (
        """
@api.get("/jobs")
async def jobs():
    await asyncio.get_running_loop().run_in_executor(None, log.info, "a job")
    with ThreadPoolExecutor() as pool:
        pool.submit(log.info, "a job")
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["The app runs a job in an executor, which begins without ids: shop.py:"],
    ),
    "a thread": (
        """
@api.get("/jobs")
def jobs():
    threading.Thread(target=log.info, args=("a thread",)).start()
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["The app starts a thread, which begins without ids: shop.py:"],
    ),
    "networks of everybody": (
        "configure_logging(); app = RequestTracingMiddleware(api, trust_inbound=('0.0.0.0/0', '::/0'))",
        ["trust_inbound names 0.0.0.0/0, ::/0, so any client chooses its request id and trace."],
    ),
    "strangers who choose a session": (
        "configure_logging(); app = RequestTracingMiddleware(api, trust_inbound=False)",
        [
            "trust_inbound=False is for untrusted clients, and any of them chooses its session id by header:X-S"
        ],
    ),
    "a session in the query": (
        "configure_logging(); app = RequestTracingMiddleware(api, session_sources=('query:sid', 'bearer'))",
        ["Session ids are taken from query:sid, of any client: a link can put a stranger"],
    ),
    "a session for every host": (
        "configure_logging(); app = RequestTracingMiddleware(api); hooks = OutgoingHooks(trusted_hosts=['*.com'])",
        [
            "OutgoingHooks(trusted_hosts=...) has '*.com': the session id and the baggage go to hosts of other people."
        ],
    ),
    "another request id": (
        """
from asgi_correlation_id import CorrelationIdMiddleware
api.add_middleware(CorrelationIdMiddleware)
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["CorrelationIdMiddleware gives each request an id of its own, which is not that of the"],
    ),
    "spans without an SDK": (
        """
from asgi_trace.otel import RequestSpans
configure_logging(); app = RequestTracingMiddleware(RequestSpans(api))
""",
        ["RequestSpans makes no spans: OpenTelemetry has no SDK set up."],
    ),
    "two tracers": (
        """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
api = FastAPI(telemetry={"tracing": False})

def spanned(app, name):
    async def serve(scope, receive, send):
        tracer = trace.get_tracer(name)
        with tracer.start_as_current_span("GET", kind=trace.SpanKind.SERVER):
            await app(scope, receive, send)
    return serve

configure_logging()
app = RequestTracingMiddleware(spanned(spanned(api, "theirs"), "ours"))
""",
        ["The request has 2 SERVER spans, of ours and theirs."],
    ),
    "a tracer whose ids the lines do not have": (
        """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
configure_logging(); app = RequestTracingMiddleware(api)
""",
        ["The trace and span ids of the lines and of our hooks are not those of that span."],
    ),
    "a collector that is not there": (
        """
import os
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://user:secret@127.0.0.1:9"
from asgi_trace.otel import RequestSpans, configure_opentelemetry
configure_logging(); configure_opentelemetry()
app = RequestTracingMiddleware(RequestSpans(api))
""",
        ["OpenTelemetry exports to 127.0.0.1:9, which cannot be reached: Connection refused."],
    ),
}

# The code of an app, and the beginning of what standard error says.
BROKEN = {
    "a module that raises": (
        "import nothing_of_this_name",
        "shop:app could not be loaded: ModuleNotFoundError",
    ),
    "a name that is wrong": (
        "application = api",
        "the app is 'shop:app'; module 'shop' has no 'app'; name the",
    ),
    "no callable": (
        "app = 5",
        "the app is 'shop:app', of type int; expected a callable, an ASGI app",
    ),
    "no ASGI app": (
        "def app(environ, start_response): return []",
        "shop:app is no ASGI app: TypeError",
    ),
    "an exception without a text": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nsys.stdout.close()\nraise Odd()",
        "shop:app could not be loaded: Odd",
    ),
    "a module that ends the process": (
        "sys.exit(3)",
        "shop:app ended the process while it was loaded, with 3",
    ),
    "a start that fails": (
        """
@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield
app = RequestTracingMiddleware(FastAPI(lifespan=lifespan))
""",
        "shop:app could not be started: its start-up failed: RuntimeError: no database",
    ),
}

# They take no time to be loaded, so that a short deadline is enough: the code, and what is said.
HANGING = {
    "a module that serves": (
        "import threading; threading.Event().wait()",
        "shop:app has not been loaded within 5 seconds; --timeout gives it longer. Does its module start a server",
    ),
    "a start that waits": (
        """
import asyncio

async def app(scope, receive, send):
    await asyncio.Event().wait()
""",
        "shop:app could not be started: its lifespan has not answered within 5 seconds; --timeout",
    ),
    "a start that holds the loop": (
        """
import threading

async def app(scope, receive, send):
    threading.Event().wait()
""",
        "shop:app held its event loop for 5 seconds; --timeout gives it longer",
    ),
}

STOPS_NEVER = """
import threading

from asgi_trace import RequestTracingMiddleware, configure_logging

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        threading.Event().wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

configure_logging()
app = RequestTracingMiddleware(app)
threading.Thread(target=threading.Event().wait).start()
"""

ODD = """
class Odd(logging.Handler):
    def __getattr__(self, name):
        raise RuntimeError(name)

class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("a proxy outside of its context")

    def __getattr__(self, name):
        raise RuntimeError("a proxy outside of its context")

proxy = Proxy()
logging.getLogger("odd").addHandler(Odd())

async def app(scope, receive, send):
    CODE

configure_logging()
app = RequestTracingMiddleware(app)
"""

STREAMS_FOR_EVER = """
import asyncio

from asgi_trace import RequestTracingMiddleware, configure_logging

async def events(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"event", "more_body": True})
    await asyncio.Event().wait()

configure_logging()
app = RequestTracingMiddleware(events)
"""
