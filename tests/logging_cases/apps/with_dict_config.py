"""In the app's lifespan: a logger that does not propagate, and data for the rest."""

import contextlib
import logging.config

import on_starlette
from starlette.applications import Starlette


@contextlib.asynccontextmanager
async def lifespan(app):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "shop": {"format": "SHOP %(levelname)s %(message)s"},
                "data": {
                    "()": "pythonjsonlogger.json.JsonFormatter",
                    "fmt": "%(levelname)s %(message)s",
                },
            },
            "handlers": {
                "shop": {"class": "logging.StreamHandler", "formatter": "shop"},
                "data": {"class": "logging.StreamHandler", "formatter": "data"},
            },
            "loggers": {"shop": {"handlers": ["shop"], "level": "INFO", "propagate": False}},
            "root": {"handlers": ["data"], "level": "INFO"},
        }
    )
    yield


app = Starlette(routes=on_starlette.app.routes, lifespan=lifespan)
