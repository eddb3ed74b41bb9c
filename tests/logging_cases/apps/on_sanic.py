from sanic import Sanic, text
from sanic.log import logger
from talk import crash, talk

app = Sanic("shop")


@app.get("/talk")
async def talking(request):
    logger.warning("a line of the framework's logger")
    return text(talk())


@app.get("/crash")
async def crashing(request):
    return text(crash())
