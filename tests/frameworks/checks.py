"""
What is checked of a request wherever it went: its response, what was seen of it, and its log lines.
"""

from __future__ import annotations

from collections.abc import Collection

import anyio.to_thread

from asgi_trace._core.lines import short_session

from .drive import OuterTool, Reply, Socket
from .witness import Ids, LogLines, sightings_of


def check_one_request_id(reply: Reply | Socket) -> None:
    """The response has one request id: the client's, where that sent one."""
    assert len(reply.request_ids) == 1, f"{reply.tag} got the X-Request-IDs {reply.request_ids}"
    assert reply.sent.request_id in (None, *reply.request_ids)


async def check_places(
    places: Collection[str], reply: Reply | Socket, tool: OuterTool, log: LogLines
) -> None:
    """
    At all *places* the ids of the response were read and logged, from the one object that is in the
    scope.
    """
    sightings = await anyio.to_thread.run_sync(sightings_of, reply.tag, len(places))
    metadata = tool.scope_of(reply.tag)["asgi_trace"]
    session_id = reply.sent.session_id or metadata.session_id
    expected = Ids.of(reply.request_ids[0], session_id)
    assert {sighting.place: sighting.ids for sighting in sightings} == dict.fromkeys(
        places, expected
    )
    assert len(sightings) == len(places), f"some place saw {reply.tag} more than once: {sightings}"
    assert [sighting.place for sighting in sightings if sighting.metadata is not metadata] == []
    check_lines(reply, session_id, log)
    logged = {line.partition(f"{reply.tag} in the ")[2] for line in log.naming(reply.tag)}
    assert logged >= set(places)


def check_lines(reply: Reply | Socket, session_id: str, log: LogLines) -> None:
    """
    Each line that names the request, a handler's, the framework's or the server's, has its ids.
    """
    stamp = f"[req={reply.request_ids[0]}|session={short_session(session_id)}]"
    assert [line for line in log.naming(reply.tag) if stamp not in line] == []
