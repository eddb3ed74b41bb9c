from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from talk import crash, talk

app = Starlette(
    routes=[
        Route("/talk", lambda request: PlainTextResponse(talk())),
        Route("/crash", lambda request: PlainTextResponse(crash())),
    ]
)
