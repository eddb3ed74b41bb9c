from quart import Quart
from talk import crash, talk

app = Quart("shop")


@app.get("/talk")
async def talking():
    app.logger.warning("a line of the framework's logger")
    return talk()


@app.get("/crash")
async def crashing():
    return crash()
