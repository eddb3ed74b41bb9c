"""What the tests of the viewer share: logs, and what a page was given."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgi_trace._cli.view.model import Trace


def stamped(
    second: float, message: str, request_id: str = "r1", session_id: str = "s1", level: str = "INFO"
) -> str:
    """A line of ours, so many seconds after half past ten."""
    return f"2024-01-15 10:30:{second:06.3f}Z - {level} - [req={request_id}|session={session_id}] - {message}"


@dataclass
class Told:
    """What a page tells, taken apart as the page does it."""

    head: dict[str, Any]
    chunks: list[dict[str, Any]]

    @classmethod
    def by(cls, page: bytes) -> Told:
        """Read the blocks of a page."""
        head, *chunks = re.findall(
            rb'<script type="application/octet-stream" [^>]*>([^<]*)</script>', page
        )
        return cls(
            _unpacked(base64.b64decode(head)),
            [_unpacked(base64.b64decode(chunk)) for chunk in chunks],
        )

    @classmethod
    def in_file(cls, path: Path) -> Told:
        return cls.by(path.read_bytes())

    @classmethod
    def of(cls, trace: Trace) -> Told:
        return cls(trace.head, [_unpacked(chunk) for chunk in trace.chunks])

    @property
    def texts(self) -> list[str]:
        """The lines of all entries as they stood, each with its further lines."""
        return [
            text[:place] + chunk["heads"][head] + text[place:]
            for chunk in self.chunks
            for head, text, place in zip(
                each_of(chunk, "head"), chunk["text"], each_of(chunk, "message"), strict=True
            )
        ]

    @property
    def messages(self) -> list[str]:
        """The messages of all entries, with their further lines."""
        return [
            text[message:]
            for chunk in self.chunks
            for text, message in zip(chunk["text"], each_of(chunk, "message"), strict=True)
        ]

    @property
    def times(self) -> list[float]:
        """When the entries were, in seconds after the first."""
        times = []
        for chunk in self.chunks:
            when = 0.0
            for delta in chunk["t"]:
                when += delta
                times.append(round(when / 1000, 4))
        return times

    @property
    def owners(self) -> list[str]:
        """Whose each entry is: a request's id, and which of those with this id it is."""
        ids = self.head["requests"]["id"]
        return [
            "none" if number < 0 else f"{ids[number]}#{ids[: number + 1].count(ids[number])}"
            for chunk in self.chunks
            for number in chunk["request"]
        ]

    @property
    def late(self) -> list[str]:
        """The messages of the entries that were late."""
        messages = iter(self.messages)
        return [
            message
            for chunk in self.chunks
            for place, message in zip(range(len(chunk["t"])), messages, strict=False)
            if place in chunk["late"]
        ]

    def request(self, number: int) -> dict[str, Any]:
        """The values of a request, with times in milliseconds."""
        columns = self.head["requests"].items()
        return in_milliseconds({name: column[number] for name, column in columns})


def in_milliseconds(request: dict[str, Any]) -> dict[str, Any]:
    """The values of a request, the times of which the page has in tenths of a millisecond."""
    times = {name: request[name] for name in ("start", "first_byte", "end")}
    return {**request, **{name: when and when / 10 for name, when in times.items()}}


def each_of(chunk: dict[str, Any], name: str) -> list[Any]:
    """A column of a chunk that may have one value for all lines."""
    values = chunk[name]
    return values if isinstance(values, list) else [values] * len(chunk["t"])


def _unpacked(data: bytes) -> Any:
    return json.loads(gzip.decompress(data))
