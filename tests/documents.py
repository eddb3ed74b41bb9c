"""The README and the manual, for the tests that run what stands in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUAL = (ROOT / "asgi_trace" / "README.md").read_text(encoding="utf-8")
BOTH = f"{README}\n{MANUAL}"


def blocks(language: str, text: str = BOTH) -> list[str]:
    """Return the blocks of code in this *language*, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
