"""
The data of the page: the JSON that the model writes and the page's script reads.

This module is the only definition. The model makes its columns from ``REQUEST_COLUMNS``, and mypy
checks the rest of its output against the other types. ``contract.js`` is generated from this
module and has the same types for the page's script. Times are in milliseconds after
``Head.base``, those of requests in tenths of a millisecond: whole numbers are written in half of
the time. A change that today's script cannot read needs a new ``VERSION``.
"""

from __future__ import annotations

from array import array
from typing import Annotated, Any, NamedTuple, TypedDict

__all__ = (
    "REQUEST_COLUMNS",
    "VERSION",
    "Call",
    "Chunk",
    "Column",
    "Head",
    "News",
    "Request",
    "Requests",
)

VERSION = 3


class Column(NamedTuple):
    """A column of the requests: it has one value for each request."""

    name: str
    type: Any
    """The type of a value."""
    initial: Any
    """The value of a request of which nothing is known yet."""
    about: str
    typecode: str = ""
    """The typecode of the array that holds the values; where it is empty, a list holds them."""
    is_time: bool = False
    """Whether values are times, which are written in tenths of a millisecond."""

    def empty(self, size: int = 0) -> Any:
        """Return what holds the values, with the initial one of so many requests."""
        value = [self.initial]
        return (array(self.typecode, value) if self.typecode else value) * size


REQUEST_COLUMNS = (
    Column("id", str, "", "the request id"),
    Column("session", int, -1, "the place of its session in `sessions`; -1: it has none", "i"),
    Column("service", int, -1, "the place of its service in `services`; -1: unknown", "i"),
    Column("parent", int, -1, "the number of the request that called it; -1: none is known", "l"),
    Column("span", str | None, None, "its own span id"),
    Column("method", str | None, None, "the HTTP method"),
    Column("path", str | None, None, "the path of its access line, with the query"),
    Column("status", int | None, None, "the HTTP status"),
    Column("start", int, 0.0, "when it began, in tenths of a millisecond", "d", is_time=True),
    Column("first_byte", int | None, None, "when its body began, the same", is_time=True),
    Column("end", int, 0.0, "when it ended, as far as is known, the same", is_time=True),
    Column("duration", float | None, None, "its duration as measured, in milliseconds"),
    Column("outcome", str | None, None, "how it ended, such as `crash`"),
    Column("call", str | None, None, "the MCP call"),
    Column("trace", str | None, None, "the W3C trace id"),
    Column("lines", int, 0, "how many lines it has"),
    Column("first_line", int, 0, "the number of its first line", "l"),
    Column("level", int, 0, "the worst level of its lines: 0 none, 1 debug … 5 critical"),
    Column("late", int, 0, "how many lines came after its end", "l"),
)


class Requests(dict[str, list[Any]]):
    """The requests: a list for each of ``REQUEST_COLUMNS``, with one value per request."""


class Request(dict[str, Any]):
    """One request: a value for each of ``REQUEST_COLUMNS``."""


class Call(TypedDict):
    """One outgoing call of a request, as far as the log has a line about it."""

    request: Annotated[int, "the number of the request that made the call"]
    callee: Annotated[int, "the number of the request that answered it; -1: none is in the logs"]
    start: Annotated[float, "when it began"]
    end: Annotated[float, "when it ended"]
    title: Annotated[str, "its method, host and path"]
    status: Annotated[int | None, "the HTTP status of the answer"]
    error: Annotated[str | None, "the error that ended it without an answer"]
    attempt: Annotated[int, "1; more for a repeated attempt"]


class Head(TypedDict):
    """The data that is about the whole trace."""

    version: Annotated[int, "the version of the data"]
    title: Annotated[str, "the title of the page"]
    created: Annotated[int, "when the page was made, in milliseconds since the epoch"]
    base: Annotated[int, "the time of the first line, in milliseconds since the epoch"]
    files: Annotated[list[str], "the names of the logs"]
    lines: Annotated[int, "how many lines the chunks have"]
    summary: Annotated[str, "what was read of the logs, in one sentence"]
    unknown: Annotated[int, "how many lines belong to no request"]
    whole_seconds: Annotated[bool, "whether most times of the log have no fraction of a second"]
    left_out: Annotated[list[str], "sentences about lines that are missing or changed"]
    chunk_lines: Annotated[int, "how many lines each chunk but the last has"]
    notes: Annotated[list[str], "sentences about the logs, such as clocks that differ"]
    sessions: Annotated[list[str], "the session ids"]
    services: Annotated[list[str], "the names of the services"]
    templates: Annotated[list[str], "the messages of errors, without their numbers and ids"]
    calls: Annotated[list[Call], "the outgoing calls, in the order of their ends"]
    requests: Annotated[Requests, "the requests, in the order of their first lines"]
    gaps: Annotated[
        list[tuple[int, float, float]], "request, from, to: it logged nothing meanwhile"
    ]
    silences: Annotated[
        list[tuple[float, float]], "from, to: no open request logged anything meanwhile"
    ]


class Chunk(TypedDict):
    """Lines in columns, in the order of their times."""

    t: Annotated[list[float], "milliseconds after the line before; of the first line, its time"]
    level: Annotated[list[int], "0 none, 1 debug … 5 critical"]
    request: Annotated[list[int], "the number of the line's request; -1: none"]
    late: Annotated[list[int], "the places of the lines that came after their request's end"]
    file: Annotated[int | list[int], "the place of the log in `files`, one for all or each"]
    service: Annotated[
        int | list[int], "the place of its service in `services`, one for all or each; -1: unknown"
    ]
    errors: Annotated[
        list[tuple[int, int]], "the places of the lines that are errors, and of their `templates`"
    ]
    text: Annotated[
        list[str], "the line as it stands in the log, without its head, which is before the message"
    ]
    message: Annotated[
        int | list[int],
        "where in the text the head is left out, and the message begins; one for all or each",
    ]
    heads: Annotated[
        list[str], "the heads: texts that many lines have before the message; one may be empty"
    ]
    head: Annotated[int | list[int], "the place of the line's head in `heads`, one for all or each"]


class News(TypedDict):
    """Lines that a followed log has gained, and what they change."""

    base: Annotated[int, "as in the head, where it is 0 while the log is empty"]
    whole_seconds: Annotated[bool, "as in the head"]
    requests: Annotated[list[tuple[int, Request]], "number and values of new or changed requests"]
    sessions: Annotated[list[str], "new session ids"]
    services: Annotated[list[str], "new services"]
    templates: Annotated[list[str], "new templates"]
    calls: Annotated[list[Call], "new outgoing calls"]
    answered: Annotated[list[tuple[int, int]], "earlier outgoing calls and their callees"]
    notes: Annotated[list[str], "all notes"]
    chunk: Annotated[Chunk, "the new lines"]
    moved: Annotated[list[tuple[int, int]], "earlier lines and their new requests"]
    gaps: Annotated[
        list[tuple[int, float, float]] | None, "all gaps, if there are new gaps or silences"
    ]
    silences: Annotated[list[tuple[float, float]] | None, "all silences, if gaps has all gaps"]
