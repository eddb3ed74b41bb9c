"""The fixture ``traced``, in test runs of a user's own, started as users start them."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from ..inner_pytest import run_pytest

SHOP = """\
import logging
import logging.config

import anyio
from asgi_trace import RequestTracingMiddleware
from fastapi import FastAPI

log = logging.getLogger("shop")
api = FastAPI()


@api.get("/buy")
async def buy(item: str = "bulb"):
    log.info("sold %s", item)
    await anyio.to_thread.run_sync(log.debug, "too fine")
    await anyio.to_thread.run_sync(log.warning, "few left")
    return {}


@api.get("/boom")
async def boom():
    try:
        raise RuntimeError("no bulb")
    except RuntimeError:
        log.exception("failed")


def restock():
    log.info("restocked")


def set_up():
    logging.config.dictConfig({
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"shop": {"handlers": ["console"], "level": "INFO", "propagate": False}},
        "root": {"handlers": ["console"]},
    })


app = RequestTracingMiddleware(api)
"""

# A test file, and how many of its tests pass.
CASES = {
    "the test client": (
        2,
        """\
        import pytest
        from fastapi.testclient import TestClient
        from shop import api, app

        def test_buy(traced):
            client = TestClient(app)
            first, second = client.get("/buy"), client.get("/buy?item=lamp")
            assert "sold bulb" in traced.lines(first.headers["x-request-id"])
            assert traced.lines(second) == ["sold lamp", "few left"]
            assert [each.levelname for each in traced.records(second)] == ["INFO", "WARNING"]
            assert {each.name for each in traced.records(first)} == {"shop"}
            assert traced.lines("nobody") == []

        def test_an_app_without_the_shim(traced):
            response = TestClient(api).get("/buy")
            with pytest.raises(ValueError, match="the response has no X-Request-ID: wrap the app"):
                traced.lines(response)
            assert traced.lines("none")[:1] == ["sold bulb"]
        """,
    ),
    "httpx and anyio": (
        4,
        """\
        import anyio
        import httpx
        import pytest
        from asgi_trace import get_session_id
        from shop import app, log, restock

        pytestmark = pytest.mark.anyio

        async def test_at_once(traced):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                found = {}
                async def one(item):
                    found[item] = await client.get("/buy", params={"item": item})
                async with anyio.create_task_group() as tasks:
                    for item in ("a", "b", "c"):
                        tasks.start_soon(one, item)
            for item, response in found.items():
                assert traced.lines(response) == [f"sold {item}", "few left"]

        async def test_ids_for_code(traced):
            with traced.request(session_id="abc12345") as request:
                assert get_session_id() == "abc12345"
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(anyio.to_thread.run_sync, restock)
            restock()
            assert traced.lines(request) == ["restocked"]
            (record,) = traced.records(request.request_id)
            assert record.session_id == "abc12345"
            assert len(traced.lines()) == 2

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return request.param
        """,
    ),
    "caplog beside it": (
        3,
        """\
        import logging
        from fastapi.testclient import TestClient
        from shop import app, restock

        def test_both(caplog, traced):
            with caplog.at_level(logging.DEBUG):
                response = TestClient(app).get("/buy")
            assert "sold bulb" in caplog.messages
            assert traced.lines(response) == ["sold bulb", "too fine", "few left"]
            assert [each for each in caplog.records if each.name == "shop"] == traced.records(response)

        def test_a_level_of_the_users(traced, caplog):
            caplog.set_level(logging.WARNING)
            assert traced.lines(TestClient(app).get("/buy")) == ["few left"]

        def test_the_level_is_the_old_one():
            assert logging.root.level == logging.WARNING
        """,
    ),
    "a set-up of logging in the test": (
        2,
        """\
        import logging
        from asgi_trace import configure_logging
        from fastapi.testclient import TestClient
        from shop import app, set_up

        def test_handlers_are_replaced(traced):
            set_up()
            assert traced.lines(TestClient(app).get("/buy")) == ["sold bulb", "few left"]

        def test_ours(traced):
            configure_logging()
            assert traced.lines(TestClient(app).get("/buy")) == ["sold bulb", "few left"]
        """,
    ),
    "odd records": (
        1,
        """\
        import logging
        from fastapi.testclient import TestClient
        from shop import app, log

        def test_odd(traced, monkeypatch):
            monkeypatch.setattr(logging, "raiseExceptions", False)
            lines = traced.lines(TestClient(app).get("/boom"))
            assert lines[:2] == ["failed", "Traceback (most recent call last):"]
            assert lines[-1] == "RuntimeError: no bulb"
            with traced.request() as request:
                log.info("two\\nlines")
                log.info("")
            assert traced.lines(request) == ["two", "lines", ""]
            assert traced.records()[-2].exc_text is None
        """,
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's, in which a warning is an error."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_a_teams_tests_pass(case: str, project: Path) -> None:
    passed, code = CASES[case]
    (project / "test_shop.py").write_text(dedent(code))
    done = run_pytest(project)
    assert f"{passed} passed" in done.stdout, done.stdout
    assert done.returncode == 0


def test_it_is_registered() -> None:
    """For each test run in an environment that has the package."""
    (plugin,) = entry_points(group="pytest11", name="asgi_trace")
    assert plugin.value == "pytest_asgi_trace"


def test_nothing_is_imported_until_it_is_asked_for(project: Path) -> None:
    code = "import sys\n\ndef test_it():\n    assert 'pytest_asgi_trace' in sys.modules\n"
    code += "    assert [each for each in sys.modules if each.startswith('asgi_trace')] == []\n"
    (project / "test_others.py").write_text(code)
    done = run_pytest(project, every_plugin=True)
    assert done.returncode == 0, done.stdout


def test_fixtures_are_listed_with_what_they_are(project: Path) -> None:
    listed = run_pytest(project, "--fixtures").stdout
    assert "traced -- " in listed
    assert "The log records and lines of each request of this test." in listed
