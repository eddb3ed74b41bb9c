"""The route of a request: the framework's template, whole, or none; by real frameworks."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastapi
import httpx
import litestar
import pytest
import quart
from fastapi.staticfiles import StaticFiles
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

from asgi_trace import RequestTracingMiddleware
from asgi_trace.otel import RequestSpans

from ..documents import ROOT

QUIET: Any = {"telemetry": {"tracing": False}}


async def ok(request: Any) -> Any:
    return PlainTextResponse("ok")


def number(x: int) -> int:
    return x


async def raw(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def passing(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def starlette_app(folder: str) -> Any:
    deep = [Mount("/v2", routes=[Route("/deep/{x:int}", ok, methods=["GET"])])]
    return Starlette(
        routes=[
            Mount("/static", StaticFiles(directory=folder)),
            Mount("/raw", raw),
            Mount("/n/{id:int}", routes=[Route("/x", ok)]),
            Mount("/u/{id:uuid}", routes=[Route("/x", ok)]),
            Mount("/r/{rest:path}/end", routes=[Route("/x", ok)]),
            Mount("/t/{tenant}", routes=deep),
            Mount("/sub", app=Router([Route("/hello/{name}", ok), Route("/slash/", ok)])),
            Host("{who}.shop.test", app=Router([Mount("/h", routes=[Route("/{x}", ok)])])),
            Mount("/api", app=fastapi_app()),
            Mount("/quart", app=quart_app()),
            Mount("/lite", app=litestar_app()),
            Route("/q/{x}", ok, methods=["GET"]),
            Route("/slash/", ok),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=passing)],
    )


def fastapi_app() -> Any:
    app = fastapi.FastAPI(root_path="", **QUIET)
    items, shops = fastapi.APIRouter(prefix="/items"), fastapi.APIRouter(prefix="/v1")
    items.add_api_route("/{x}", number)
    items.mount("/files", raw)
    shops.include_router(items, prefix="/shops/{shop}")
    app.include_router(shops, prefix="/in")
    app.add_api_route("/plain/{x}", number)
    inner = fastapi.FastAPI(**QUIET)
    inner.include_router(items)
    app.mount("/inner/{tenant}", inner)
    app.mount("/raw", raw)
    return app


def quart_app() -> Any:
    app = quart.Quart("shop")

    @app.get("/things/<int:x>")
    async def thing(x: int) -> str:
        return str(x)

    return app


def litestar_app() -> Any:
    @litestar.get("/c/{x:int}", sync_to_thread=False)
    def nothing() -> None: ...

    return litestar.Litestar([nothing], logging_config=None)


UUID = "123e4567-e89b-42d3-a456-426614174000"
# A path, its route; where it has no host of its own, that of the shop.
CASES: dict[str, list[tuple[str, str | None]]] = {
    "starlette": [
        ("/q/3", "/q/{x}"),
        ("/slash", None),
        ("/nowhere", None),
        ("/static/a.css", "/static"),
        ("/static/none.css", "/static"),
        ("/raw/x/y", "/raw"),
        ("/n/007/x", "/n/{id:int}/x"),
        (f"/u/{UUID}/x", "/u/{id:uuid}/x"),
        ("/r/a/b/end/x", "/r/{rest:path}/end/x"),
        ("/t/v2/v2/deep/5", "/t/{tenant}/v2/deep/{x:int}"),
        ("/sub/hello/sub", "/sub/hello/{name}"),
        ("/sub/none", None),
        ("/sub/slash", None),
        ("//alice.shop.test/h/h", "/h/{x}"),
        ("/api/in/v1/shops/9/items/9", "/api/in/v1/shops/{shop}/items/{x}"),
        ("/api/inner/api/items/5", "/api/inner/{tenant}/items/{x}"),
        ("/api/none", None),
        ("/quart/things/5", "/quart/things/<int:x>"),
        ("/lite/c/5", "/lite/c/{x}"),
    ],
    "fastapi": [
        ("/plain/plain", "/plain/{x}"),
        ("/in/v1/shops/9/items/9", "/in/v1/shops/{shop}/items/{x}"),
        ("/in/v1/shops/9/files/a/b", "/in/v1/shops/{shop}/files"),
        ("/inner/acme/items/5", "/inner/{tenant}/items/{x}"),
        ("/inner/acme/files/a", "/inner/{tenant}/files"),
        ("/inner/acme/none", None),
        ("/raw/raw", "/raw"),
        ("/none", None),
    ],
    "quart": [("/things/5", "/things/<int:x>"), ("/none", None)],
    "litestar": [("/c/3", "/c/{x}"), ("/none", None)],
    "django": [
        ("/items/5/", "/items/<int:x>/"),
        ("/shop/items/5/", "/shop/items/<int:x>/"),
        ("/items/5", None),
        ("/none", None),
    ],
}


def django_app() -> Any:
    import django
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.http import HttpResponse
    from django.urls import include, path

    def view(request: Any, x: int) -> Any:
        return HttpResponse("ok")

    items = [path("items/<int:x>/", view)]
    urls = type(sys)("routes_of_django")
    urls.urlpatterns = [*items, path("shop/", include(items))]  # type: ignore[attr-defined]
    sys.modules["routes_of_django"] = urls
    settings.configure(
        ROOT_URLCONF="routes_of_django",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        SECRET_KEY="not one",
        LOGGING_CONFIG=None,
    )
    django.setup()
    return ASGIHandler()


def routes(framework: str, folder: str) -> list[tuple[str, str | None]]:
    """Request each path of the *framework*, and return it with its span's route."""
    app = {
        "starlette": lambda: starlette_app(folder),
        "fastapi": fastapi_app,
        "quart": quart_app,
        "litestar": litestar_app,
        "django": django_app,
    }[framework]()
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traced = RequestTracingMiddleware(RequestSpans(app, tracer_provider=provider))

    async def get(path: str) -> None:
        transport = httpx.ASGITransport(traced)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            await client.get(f"http:{path}" if path.startswith("//") else path)

    found: list[tuple[str, str | None]] = []
    for path, _ in CASES[framework]:
        asyncio.run(get(path))
        span = exporter.get_finished_spans()[-1]
        route = (span.attributes or {}).get("http.route")
        assert span.name == (f"GET {route}" if route else "GET")
        found.append((path, None if route is None else str(route)))
    return found


@pytest.mark.parametrize("framework", CASES)
def test_a_route_is_the_frameworks_template(framework: str, tmp_path: Path) -> None:
    """With the prefixes, mounts and sub-applications above it; with no value of the path in it."""
    (tmp_path / "a.css").write_text("x", encoding="utf-8")
    if framework == "django":  # its settings are those of a process, where other tests have theirs
        code = (
            f"from tests.otel.test_routes import routes; print(routes('django', {str(tmp_path)!r}))"
        )
        found = ast.literal_eval(
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
        )
    else:
        found = routes(framework, str(tmp_path))
    assert found == CASES[framework]


def test_a_servers_root_path_is_no_part_of_a_route(tmp_path: Path) -> None:
    """Such as that of ``uvicorn --root-path``."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = starlette_app(str(tmp_path))
    traced = RequestTracingMiddleware(RequestSpans(app, tracer_provider=provider))

    async def get(path: str) -> None:
        transport = httpx.ASGITransport(traced, root_path="/behind")
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            await client.get(path)

    for path in ("/behind/q/3", "/behind/n/007/x"):
        asyncio.run(get(path))
    routes = [(span.attributes or {}).get("http.route") for span in exporter.get_finished_spans()]
    assert routes == ["/q/{x}", "/n/{id:int}/x"]
