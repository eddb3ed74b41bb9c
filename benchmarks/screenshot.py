"""
The README's picture of the page: ``python -m benchmarks.screenshot`` serves three services, sends
them purchases, and saves the page of their logs as Chromium shows it.

The page is the real one, as it opens: at the failed purchase, with its way through the services.
"""

from __future__ import annotations

import http.client
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_PICTURE = Path(__file__).parent / "results" / "page.png"
_WIDTH, _HEIGHT = 1310, 600
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
_PATIENCE = 60
_SERVICES = ("front", "stock", "pay")
# Session, method and path, sent one after the other.
_REQUESTS = (
    ("abc12345", "POST", "/buy"),
    ("def67890", "GET", "/profile"),
    ("def67890", "POST", "/buy?fail=1"),
    ("abc12345", "GET", "/profile"),
)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _served(role: str, ports: dict[str, int], folder: Path) -> Iterator[None]:
    """Serve one of the services, and write its log to *folder*."""
    names = {"STOCK": str(ports["stock"]), "PAY": str(ports["pay"])}
    environment = {**os.environ, **names, "ROLE": role, "OTEL_SERVICE_NAME": role}
    command = [sys.executable, "-m", "uvicorn", "benchmarks.purchase:app"]
    options = ["--port", str(ports[role]), "--log-level", "warning"]
    with open(folder / f"{role}.log", "wb") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
    try:
        _wait_for(ports[role])
        yield
    finally:
        server.terminate()
        server.wait(_PATIENCE)


def _wait_for(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listened on port {port} within {_PATIENCE} s")


def _send(port: int, session: str, method: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    connection.request(method, path, headers={"X-Session-ID": session})
    connection.getresponse().read()
    connection.close()


def _write_page(folder: Path) -> Path:
    """Send the customers' requests, and return the page of the services' logs."""
    ports = {role: _free_port() for role in _SERVICES}
    with ExitStack() as stack:
        for role in _SERVICES:
            stack.enter_context(_served(role, ports, folder))
        for session, method, path in _REQUESTS:
            _send(ports["front"], session, method, path)
    page = folder / "shop.html"
    logs = [f"{role}.log" for role in _SERVICES]
    command = [sys.executable, "-m", "asgi_trace", "view", *logs, "-o", page.name]
    top = str(Path(__file__).parents[1])
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": top}, check=True)
    return page


def main() -> int:
    """Write the picture, and return the exit code."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Chromium: apt install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = _write_page(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        tab = browser.new_page(
            viewport={"width": _WIDTH, "height": _HEIGHT},
            device_scale_factor=1.25,
            color_scheme="light",
        )
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-state=ready]", state="attached")
        picture = Image.open(io.BytesIO(tab.screenshot()))
        browser.close()
    # Five bits of each color: two thirds of the bytes, and no visible difference.
    steps = [round(each / 255 * 31) * 255 // 31 for each in range(256)]
    picture.convert("RGB").point(steps * 3).save(_PICTURE, optimize=True)
    print(f"{_PICTURE.name}: {_PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
