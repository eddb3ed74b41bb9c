"""Migrations when the app starts: fileConfig() in env.py replaces the root logger's handlers."""

import contextlib
import io
import tempfile
from pathlib import Path

import on_starlette
from alembic import command
from alembic.config import Config
from starlette.applications import Starlette


def migrate(folder: Path) -> None:
    ini, env = folder / "alembic.ini", folder / "migrations" / "env.py"
    command.init(Config(ini), str(folder / "migrations"))
    change(ini, "driver://user:pass@localhost/dbname", "sqlite://")
    # Left to itself, it silences the loggers of the server and the app.
    change(
        env,
        "fileConfig(config.config_file_name",
        "fileConfig(config.config_file_name, disable_existing_loggers=False",
    )
    command.upgrade(Config(ini), "head")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@contextlib.asynccontextmanager
async def lifespan(app):
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        migrate(Path(folder))
    yield


app = Starlette(routes=on_starlette.app.routes, lifespan=lifespan)
