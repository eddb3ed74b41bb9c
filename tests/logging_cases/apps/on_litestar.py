from litestar import Litestar, Request, get
from litestar.logging import LoggingConfig
from talk import crash, talk


@get("/talk", sync_to_thread=True)
def talking(request: Request) -> str:
    request.logger.warning("a line of the framework's logger")
    return talk()


@get("/crash", sync_to_thread=True)
def crashing() -> str:
    return crash()


app = Litestar([talking, crashing], logging_config=LoggingConfig(log_exceptions="always"))
