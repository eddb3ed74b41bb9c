"""
Django: async and sync views, streams. Its settings are the process's own, and are configured here.
"""

from __future__ import annotations

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import path

from .drive import ASGIApp
from .frameworks import DEBUG, OWN_PAGE, OWN_PAGES, SOLD_OUT, STREAM, TWICE, CrashError, Framework
from .witness import change_session, chunks, chunks_in_thread, visit, visit_in_thread


async def _async(request: HttpRequest, tag: str) -> HttpResponseBase:
    await visit(tag, "handler")
    return HttpResponse("served")


def _sync(request: HttpRequest, tag: str) -> HttpResponseBase:
    visit_in_thread(tag, "handler")
    return HttpResponse("served")


async def _stream(request: HttpRequest, tag: str) -> HttpResponseBase:
    return StreamingHttpResponse(chunks(tag))


def _sync_stream(request: HttpRequest, tag: str) -> HttpResponseBase:
    return StreamingHttpResponse(chunks_in_thread(tag))


async def _own_id(request: HttpRequest, tag: str) -> HttpResponseBase:
    return HttpResponse("served", headers={"x-request-id": "the app's own"})


def _raise_sold_out(request: HttpRequest, tag: str) -> HttpResponseBase:
    raise PermissionDenied


async def _crash(request: HttpRequest, tag: str) -> HttpResponseBase:
    raise CrashError(tag)


def _change_session(request: HttpRequest, tag: str) -> HttpResponseBase:
    change_session(tag)
    return HttpResponse("served")


class _Urls:
    """What a Django project has in its urls.py."""

    urlpatterns = (
        path("async/<str:tag>", _async),
        path("sync/<str:tag>", _sync),
        path("stream/<str:tag>", _stream),
        path("sync-stream/<str:tag>", _sync_stream),
        path("own-id/<str:tag>", _own_id),
        path("sold-out/<str:tag>", _raise_sold_out),
        path("crash/<str:tag>", _crash),
        path("change-session/<str:tag>", _change_session),
    )

    @staticmethod
    def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(SOLD_OUT, status=418)


class _UrlsWithOwnPages(_Urls):
    @staticmethod
    def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(OWN_PAGE, status=404)

    @staticmethod
    def handler500(request: HttpRequest) -> HttpResponse:
        return HttpResponse(OWN_PAGE, status=500)


# Objects, since a page of Django's would call a class and show another object each time.
_URLS, _URLS_WITH_OWN_PAGES = _Urls(), _UrlsWithOwnPages()

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="for the tests alone",
    ROOT_URLCONF=_URLS,
    LOGGING_CONFIG=None,  # the logging of the test run stays as it is
)
django.setup()


def build(manner: str) -> ASGIApp:
    # Read anew by every request: the app that was built last is the one that may be asked.
    settings.DEBUG = manner == DEBUG
    settings.ROOT_URLCONF = _URLS_WITH_OWN_PAGES if manner == OWN_PAGES else _URLS
    return get_asgi_application()


DJANGO = Framework(
    "Django",
    build,
    routes={"/async": TWICE, "/sync": TWICE, "/stream": STREAM, "/sync-stream": STREAM},
    lifespan=False,
    websockets=False,
    backends=("asyncio",),
)
