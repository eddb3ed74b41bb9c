import logging

from django.conf import settings

settings.configure(DEBUG=True, SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)

from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from talk import crash, talk  # noqa: E402


def talking(request):
    logging.getLogger("django.shop").warning("a line of the framework's logger")
    return HttpResponse(talk())


def crashing(request):
    return HttpResponse(crash())


urlpatterns = [path("talk", talking), path("crash", crashing)]
app = get_asgi_application()
