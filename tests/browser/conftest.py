"""A real Chromium, and pages of real logs in it that must run without a word in the console."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from asgi_trace._cli.logs import reader
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.view import model, page

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Generous: the machine may be busy.
PATIENCE = 60_000


def page_of(
    log: str | bytes, folder: Path, title: str = "shop.log", events: str | None = None
) -> Path:
    """Write *log* and its page to *folder*, as the command does, and return the page's path."""
    return page_of_logs({title: log}, folder, title, events)


def page_of_logs(
    logs: Mapping[str, str | bytes], folder: Path, title: str, events: str | None = None
) -> Path:
    """Do what :func:`page_of` does for several logs, by the names of their files."""

    def refuse(sentence: str) -> None:
        raise AssertionError(sentence)

    readers = []
    for number, (name, log) in enumerate(logs.items()):
        file = folder / name
        file.write_bytes(log.encode() if isinstance(log, str) else log)
        readers.append(reader.read(Log(str(file), refuse), number))
    trace = model.build(reader.merged(readers), title, list(logs))
    out = io.BytesIO()
    page.write(trace.head, trace.chunks, out, events=events)
    path = folder / "trace.html"
    path.write_bytes(out.getvalue())
    return path


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "needs Chromium: apt install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def new_context(browser: Browser) -> BrowserContext:
    """A window of its own, on a wide screen, an hour east of UTC."""
    context = browser.new_context(
        viewport={"width": 1400, "height": 900}, timezone_id="Europe/Berlin", color_scheme="light"
    )
    context.set_default_timeout(PATIENCE)
    return context


@contextlib.contextmanager
def opening(context: BrowserContext) -> Iterator[Callable[..., Page]]:
    """
    Yield what opens a page and waits until all of its lines were read.

    In the end: nothing may stand in the console, no policy may have been broken, and nothing may
    have been asked for but the page itself.
    """
    complaints: list[str] = []
    asked: list[str] = []
    pages: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type}: {message.text}")

    def open_it(path: Path | str, hash: str = "") -> Page:
        url = path if isinstance(path, str) else path.as_uri()
        tab = context.new_page()
        tab.on("console", hear)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        tab.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        pages.append(url)
        tab.goto(url + hash)
        tab.wait_for_selector("html[data-state=ready]", state="attached")
        return tab

    yield open_it
    assert complaints == []
    assert [
        url
        for url in asked
        if url not in pages and not url.startswith(tuple(f"{page}events" for page in pages))
    ] == []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window for one test."""
    context = new_context(browser)
    yield context
    context.close()


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[Callable[..., Page]]:
    """What opens pages for one test, none of which may complain."""
    with opening(context) as open_it:
        yield open_it
