"""
The README's picture of the page: ``python -m benchmarks.screenshot`` runs the demo and saves what
Chromium shows of it.

The page is the real one, as it opens: at the crash, with the two customers' requests on one axis.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_PICTURE = Path(__file__).parent / "results" / "page.png"
_WIDTH, _HEIGHT = 1310, 528
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
# The customers come at once; the picture wants Alice first, as the README has it.
_TRIES = 20


def _demo(page: Path) -> None:
    for _ in range(_TRIES):
        command = [sys.executable, "-m", "asgi_trace", "demo", "-o", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        first = next(line for line in done.stdout.splitlines() if "[req=" in line)
        if "[req=req-001|" in first:
            return
    raise SystemExit(f"Bob came before Alice {_TRIES} times")


def main() -> int:
    """Write the picture, and return the exit code."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Chromium: apt install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder, "demo.html")
        _demo(page)
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
    # Five bits of each color: two thirds of the bytes, and no difference to be seen.
    steps = [round(each / 255 * 31) * 255 // 31 for each in range(256)]
    picture.convert("RGB").point(steps * 3).save(_PICTURE, optimize=True)
    print(f"{_PICTURE.name}: {_PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
