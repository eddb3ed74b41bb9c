"""
Write a trace as one HTML file that opens offline.

This module joins the parts of the page. The data are in blocks that no browser executes, and are
base64, so that no text of a log line is interpreted. The style and the script are the package's
own: the content security policy names their digests, and nothing else may run, load or connect.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, BinaryIO

__all__ = ("write",)

# Each module comes after those that it imports from; the page has all of them as one module.
_MODULES = (
    "contract",
    "text",
    "callers",
    "columns",
    "heads",
    "data",
    "fields",
    "regex",
    "headsearch",
    "query",
    "routes",
    "errors",
    "look",
    "copying",
    "menu",
    "context",
    "empty",
    "ids",
    "aside",
    "list",
    "services",
    "waterfall",
    "order",
    "lanes",
    "density",
    "scale",
    "bars",
    "opened",
    "painting",
    "tip",
    "pointer",
    "timeline",
    "requests",
    "lines",
    "filter",
    "address",
    "live",
    "main",
)

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|class|const)", re.MULTILINE)

# A compression level: a fifth of the time of 6, gzip's default, and 8 % more bytes.
_EFFORT = 1
_GZIP = 31  # in zlib: gzip's format, without a time
_COMPACT: dict[str, Any] = {"separators": (",", ":"), "allow_nan": False}
# The most values of a list that become JSON at once.
_MOST_VALUES = 16_384


def write(
    head: Mapping[str, Any], chunks: Iterable[bytes], out: BinaryIO, *, events: str | None = None
) -> None:
    """
    Write the page of a trace to *out*.

    *chunks* are packed as they come from the model. *events* is the path of an event stream on the
    same host: the page adds the lines that come from there.
    """
    before, after = _shell()
    title = escape(str(head["title"]))
    live = f'<meta name="asgi-trace-live" content="{escape(events)}">\n' if events else ""
    policy = _policy(connect="'self'" if events else None)
    out.write(
        before.replace("{{policy}}", policy)
        .replace("{{live}}", live)
        .replace("{{title}}", title)
        .encode(errors="backslashreplace")  # a file's name may contain single surrogates
    )
    out.writelines(_block('id="head"', _packed(head)))
    out.write(after.encode())
    for chunk in chunks:
        out.writelines(_block('class="chunk"', chunk))
    out.write(b"</body>\n</html>\n")


def _packed(head: Mapping[str, Any]) -> bytes:
    """Return the gzip of the JSON of *head*, made in parts: the whole takes much memory."""
    packing = zlib.compressobj(_EFFORT, wbits=_GZIP)
    packed = io.BytesIO()
    for part in _json(head):
        # Everything except ASCII is escaped: ids and paths may contain single surrogates.
        packed.write(packing.compress(part.encode("ascii")))
    packed.write(packing.flush())
    return packed.getvalue()


def _json(value: Any) -> Iterator[str]:
    """Yield the JSON of *value*: each value of a mapping by itself, and long lists in pieces."""
    if isinstance(value, list) and len(value) > _MOST_VALUES:
        separator = "["
        for start in range(0, len(value), _MOST_VALUES):
            piece = json.dumps(value[start : start + _MOST_VALUES], **_COMPACT)
            yield f"{separator}{piece[1:-1]}"
            separator = ","
        yield "]"
        return
    if not isinstance(value, Mapping):
        yield json.dumps(value, **_COMPACT)
        return
    separator = "{"
    for name, part in value.items():
        yield f"{separator}{json.dumps(name)}:"
        yield from _json(part)
        separator = ","
    yield "}" if value else "{}"


# Of a block, in bytes: a multiple of three, so that base64 has nothing to fill between two pieces.
_PIECE = 3 << 18


def _block(attribute: str, packed: bytes) -> Iterator[bytes]:
    """Yield the block of *packed* data in pieces: the whole head takes much memory."""
    yield f'<script type="application/octet-stream" {attribute}>'.encode()
    for start in range(0, len(packed), _PIECE):
        yield base64.b64encode(packed[start : start + _PIECE])
    yield b"</script>\n"


@cache
def _shell() -> tuple[str, str]:
    """Return the text before the head's block, and the text between it and the chunks."""
    page = _read("page.html").replace("{{style}}", _read("page.css"))
    before, after = page.split("{{head}}\n")
    return before, after.replace("{{script}}", _script())


@cache
def _script() -> str:
    return "".join(_EXPORT.sub("", _IMPORT.sub("", _read(f"{name}.js"))) for name in _MODULES)


@cache
def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _policy(connect: str | None) -> str:
    parts = [
        "default-src 'none'",
        f"script-src {_digest(_script())}",
        f"style-src {_digest(_read('page.css'))}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    if connect:
        parts.append(f"connect-src {connect}")
    return "; ".join(parts)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
