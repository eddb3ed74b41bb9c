"""What the viewer makes of entries: requests, sessions, silences, and chunks of a bounded size."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace._cli.logs.entries import Entries
from asgi_trace._cli.logs.reader import Entry, LineReader
from asgi_trace._cli.view import model
from asgi_trace._cli.view.model import CHUNK_LINES, Model, build
from asgi_trace._cli.view.page import write
from asgi_trace._core.access_lines import format_access, format_outgoing
from asgi_trace._core.lines import format_json
from asgi_trace._core.record import Record

from ...viewer import Told, in_milliseconds, stamped


def entries_of(*lines: str) -> list[Entry]:
    reader = LineReader()
    return reader.read("\n".join(lines).split("\n")) + reader.finish()


def told(*lines: str) -> Told:
    return Told.of(build([entries_of(*lines)], "app.log", ["app.log"]))


def access(
    duration: float | None = None, path: str = "/x", status: int | None = 200, **more: Any
) -> str:
    fields = {"method": "GET", "path": path, "status": status, "duration_ms": duration, "bytes": 2}
    return format_access({**fields, "transport": "http", "client": "127.0.0.1:5", **more})


def test_a_request_has_the_values_of_its_lines() -> None:
    """
    From the access line: what, how it ended and how long it took; from the others, when and how
    bad.
    """
    found = told(
        stamped(10, "starting", "none", "none"),
        stamped(15.2, "paying"),
        stamped(15.3, "slow", level="WARNING"),
        stamped(16, access(1000, "/api/payment", 500, ttfb_ms=250, outcome="crash")),
    )
    assert found.request(0) == {
        "id": "r1",
        "session": 0,
        "service": -1,
        "parent": -1,
        "span": None,
        "method": "GET",
        "path": "/api/payment",
        "status": 500,
        "start": 5000,
        "first_byte": 5250,
        "end": 6000,
        "duration": 1000,
        "outcome": "crash",
        "call": None,
        "trace": None,
        "lines": 3,
        "first_line": 1,
        "level": 3,
        "late": 0,
    }
    assert (found.head["lines"], found.head["unknown"], found.head["sessions"]) == (4, 1, ["s1"])
    assert found.times == [0, 5.2, 5.3, 6]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('127.0.0.1:5 - "GET /api/x?y=1 HTTP/1.1" 503', ("GET", "/api/x?y=1", 503, None)),
        (
            '127.0.0.1:5 - - [15/Jan/2024:10:30:15 +0000] "GET /api/x 2" 503 - "-" "-"',
            ("GET", "/api/x", 503, None),
        ),
        (
            '[15/Jan/2024:10:30:15 +0000] 127.0.0.1:5 - "GET /api/x HTTP/1.1" 503 12.345',
            ("GET", "/api/x", 503, 12.345),
        ),
    ],
    ids=["uvicorn", "hypercorn", "granian"],
)
def test_a_servers_access_line_will_do(line: str, expected: tuple[Any, ...]) -> None:
    request = told(stamped(1, "x"), stamped(2, line)).request(0)
    assert tuple(request[name] for name in ("method", "path", "status", "duration")) == expected


def test_a_servers_access_line_beside_ours_changes_nothing() -> None:
    """Nor is it late."""
    found = told(
        stamped(1, "x"),
        stamped(2, access(900, status=404)),
        stamped(2.1, '127.0.0.1:5 - "GET /x HTTP/1.1" 404'),
    )
    request = found.request(0)
    assert (request["status"], request["duration"], request["end"], request["late"]) == (
        404,
        900,
        1000,
        0,
    )


def test_a_line_that_merely_looks_like_an_access_line_breaks_nothing() -> None:
    """However long it says that it took."""
    request = told(
        stamped(1, "x"), stamped(2, f"GET /x 200 {'9' * 400}.9ms 2B http a:1 ttfb=5.0ms")
    ).request(0)
    assert (request["start"], request["end"], request["duration"], request["status"]) == (
        0,
        1000,
        None,
        None,
    )


def test_a_request_has_its_call_and_its_trace() -> None:
    line = format_json(
        Record("2024-01-15T10:30:15Z", "INFO", "", "x", "r1", "s1", "a" * 32, mcp_method="ping")
    )
    request = told(line).request(0)
    assert (request["call"], request["trace"]) == ("ping", "a" * 32)


def test_what_is_written_after_the_end_is_late() -> None:
    """But for the traceback of its crash."""
    found = told(
        stamped(1, "x"), stamped(2, access(900)), stamped(3, "task done"), stamped(3, "ended", "r2"),
        stamped(4, "x", "r2"), stamped(5, access(900, status=500, outcome="crash"), "r2"),
        stamped(5.1, "Exception in ASGI application", "r2", level="ERROR"), stamped(6, "task failed", level="ERROR"),
    )  # fmt: skip
    assert found.late == ["task done", "task failed"]
    assert found.head["requests"]["late"] == [2, 0]
    assert [found.request(number)["end"] for number in range(2)] == [1000, 4000]


@pytest.mark.parametrize(
    ("lines", "owners"),
    [
        (["1 a", "2 =900", "300 b", "301 =900"], "r1#1 r1#1 r1#2 r1#2"),
        (["1 a", "2 =900", "5 b", "6 c", "6.5 =2000"], "r1#1 r1#1 r1#2 r1#2 r1#2"),
        (["1 a", "2 =900", "5 late", "9 b", "9.5 =600"], "r1#1 r1#1 r1#1 r1#2 r1#2"),
        (["1 a", "2 =900", "2.1 =100"], "r1#1 r1#1 r1#2"),
        (["1 a", "1.5 b", "2 =400", "2.1 =1500"], "r1#2 r1#2 r1#1 r1#2"),
        (["1 a", "1.2 b", "2 =1000", "2.2 =1000"], "r1#1 r1#2 r1#1 r1#2"),
        (["1 a", "2 =900", "2.1 ~1500"], "r1#1 r1#1 r1#1"),
        (["1 a", "3000 b"], "r1#1 r1#1"),
        (["1 a", "4000 b"], "r1#1 r1#2"),
        (["1 a", "20001 =20000000"], "r1#1 r1#1"),
        (["1 a", "20001 =5000"], "r1#1 r1#2"),
        (["1 a", "2 =", "500 b"], "r1#1 r1#1 r1#1"),
        (["1 a", "2 =", "700 b", "701 ="], "r1#1 r1#1 r1#2 r1#2"),
    ],
    ids=[
        "again, after a while",
        "again at once",
        "again, behind a late line",
        "within it",
        "around it",
        "beside it",
        "a server's line about the same",
        "a stream",
        "a day's work",
        "an open websocket",
        "again, its access line alone",
        "in the background",
        "again, after a server's line",
    ],
)
def test_an_id_that_comes_again_is_another_request(lines: list[str], owners: str) -> None:
    """A client may send one twice; hours between are no request."""

    def line(text: str) -> str:
        second, message = text.split()
        minute, second = divmod(float(second), 60)
        if message.startswith("="):
            message = (
                access(float(message[1:])) if message[1:] else '127.0.0.1:5 - "GET /x HTTP/1.1" 200'
            )
        if message.startswith("~"):
            message = f'[15/Jan/2024:10:30:15 +0000] 127.0.0.1:5 - "GET /x HTTP/1.1" 200 {message[1:]}.000'
        hour, minute = divmod(int(minute), 60)
        return f"2024-01-15 {10 + hour}:{minute:02d}:{second:06.3f}Z - INFO - [req=r1|session=s1] - {message}"

    found = told(*map(line, lines))
    assert " ".join(found.owners) == owners
    requests = found.head["requests"]
    counts = [found.owners.count(f"r1#{number + 1}") for number in range(len(requests["id"]))]
    assert requests["lines"] == counts
    firsts = [found.owners.index(f"r1#{number + 1}") for number in range(len(requests["id"]))]
    assert requests["first_line"] == firsts
    assert requests["late"] == [
        found.late.count("late") if not number else 0 for number in range(len(counts))
    ]


def test_sessions_are_lanes_in_the_order_of_their_requests() -> None:
    """
    One that text has cut is the one that JSON tells whole; a request that learns of its session
    moves there.
    """
    found = told(
        stamped(1, "x", "r1", "abc12345"),
        stamped(2, "x", "r2", "def"),
        format_json(Record("2024-01-15T10:30:03Z", "INFO", "", "x", "r3", "abc12345-whole")),
        stamped(4, "x", "r4", "abc12345"),
        stamped(5, "x", "r5", "made0001"),
        stamped(6, "x", "r5", "def"),
        stamped(7, "x", "r6", "none"),
        stamped(8, "x", "r3", "abc12345"),
    )
    assert found.head["sessions"] == ["abc12345-whole", "def", "made0001"]
    assert found.head["requests"]["session"] == [0, 1, 0, 0, 1, -1]


def test_a_silence_within_a_request_is_a_gap() -> None:
    """Where it is long, and long for the request; what comes after its end is none."""
    found = told(
        stamped(0, "x"),
        stamped(0.1, "x", "r2"),
        stamped(0.2, "called"),
        stamped(1.2, "answered"),
        stamped(1.3, access(1300)),
        stamped(9, "late"),
        stamped(20, "x", "r2"),
        *(stamped(20 + second / 2, "x", "r2") for second in range(1, 20)),
    )
    assert found.head["gaps"] == [(0, 200, 1200), (1, 100, 20_000)]


def test_a_gap_is_without_the_time_of_a_call() -> None:
    """It may end with the call, or begin with it: the line is written when the call is over."""
    call = {"method": "GET", "host": "pay", "path": "/", "status": 200, "attempt": 1}
    found = told(
        stamped(0, "x"),
        stamped(5, format_outgoing({**call, "duration_ms": 2000.0})),
        stamped(8, "x"),
        stamped(8.1, format_outgoing({**call, "duration_ms": 1000.0})),
    )
    assert found.head["gaps"] == [(0, 0, 3000), (0, 5000, 7100)]


def test_a_silence_of_all_open_requests_is_shown() -> None:
    """
    As while the event loop is blocked; not while one alone waits, nor between streams that are open
    for long.
    """
    blocked = (
        stamped(1, "a"), stamped(1.1, "b", "r2"), stamped(3.1, "a"), stamped(3.2, "b", "r2"),
        stamped(10, "alone", "r3"), stamped(12, "alone", "r3"),
    )  # fmt: skip
    assert told(*blocked).head["silences"] == [(100, 2100)]
    streams = (
        stamped(second, "ping", request) for second in range(0, 60, 2) for request in ("r1", "r2")
    )
    assert told(*streams).head["silences"] == []


def test_whole_seconds_are_spread_in_their_order() -> None:
    """
    A little, so that the order can be seen; and it is told that times are no more exact than that.
    """

    def whole(second: int, count: int) -> list[str]:
        return [
            f"2024-01-15 10:30:{second:02d}Z - INFO - [req=r1|session=s1] - {each}"
            for each in range(count)
        ]

    few = told(*whole(1, 3), *whole(2, 1))
    assert (few.times, few.head["whole_seconds"]) == ([0, 0.01, 0.02, 1], True)
    many = told(*whole(1, 1000), *whole(2, 1))
    assert many.times[:3] == [0, 0.001, 0.002]
    assert many.times[-2:] == [0.999, 1]
    assert told(stamped(1, "x")).head["whole_seconds"] is False
    mixed = told(*whole(1, 1), stamped(2, "x"), stamped(3, "x")).head
    assert mixed["whole_seconds"] is False
    assert "1 line with a time in whole seconds: shown in the order of the log." in mixed["notes"]


def test_a_second_that_comes_in_parts_is_spread_on() -> None:
    """As it does in a log that is followed."""
    lines = ["2024-01-15 10:30:01Z - INFO - [req=r1|session=s1] - x"] * 2
    trace = Model("app.log", ["app.log"])
    for _ in range(3):
        trace.add(entries_of(*lines))
    assert Told.of(trace.trace()).times == [0, 0.01, 0.01, 0.02, 0.02, 0.03]
    trace.close()


def test_a_second_of_many_parts_is_one_second() -> None:
    """However many lines it has: the first ones may fill all of it, and no clock goes back."""
    lines = ["2024-01-15 10:30:01Z - INFO - [req=r1|session=s1] - x"] * 333
    trace = Model("app.log", ["app.log"])
    for _ in range(20):
        trace.add(entries_of(*lines))
    found = Told.of(trace.trace())
    assert found.times == sorted(found.times)
    assert found.times[-1] == 1
    assert found.head["left_out"] == []
    trace.close()


def test_a_clock_that_goes_back_is_held() -> None:
    """And it is told; time never falls on the page."""
    reader = LineReader()
    lines = [stamped(5, "a"), stamped(1, "b"), stamped(6, "c")]
    found = Told.of(build([reader.read(lines), reader.finish()], "app.log", ["app.log"]))
    assert found.times == [0, 0, 1]
    assert found.head["left_out"] == [
        "1 line whose clock went back: shown at the time of the line before."
    ]


def test_a_log_of_many_chunks_is_whole() -> None:
    """Each line once, in order, whichever chunk it is in."""
    lines = [
        stamped(number / 1000, str(number), f"r{number // 10}", f"s{number % 7}")
        for number in range(20_000)
    ]
    found = told(*lines)
    assert [len(chunk["t"]) for chunk in found.chunks] == [
        CHUNK_LINES,
        CHUNK_LINES,
        20_000 - 2 * CHUNK_LINES,
    ]
    assert found.messages == [str(number) for number in range(20_000)]
    assert found.times == [number / 1000 for number in range(20_000)]
    assert found.owners == [f"r{number // 10}#1" for number in range(20_000)]
    assert found.head["requests"]["first_line"] == [*range(0, 20_000, 10)]


def test_a_chunk_is_bounded() -> None:
    """Where its texts are long, what follows is cut short, and it is told."""
    lines = [stamped(number / 1000, "x" * 60_000) for number in range(500)]
    found = told(*lines)
    size = sum(len(text) for text in found.chunks[0]["text"])
    assert size < 9 << 20
    assert found.head["left_out"] == ["The end of 361 lines too long to be shown whole."]


def blocks_of(lines: Sequence[str]) -> Entries:
    """The entries of a block of *lines*, which are read all at once."""
    reader = LineReader()
    return reader.read_text("".join(f"{line}\n" for line in lines), list(lines)) + reader.finish()


def test_a_chunk_has_each_head_once() -> None:
    """The lines of one request in one moment begin with the same text."""
    lines = [stamped(number // 4, f"item {number}", f"r{number // 2}") for number in range(40)]
    found = Told.of(build([blocks_of(lines)], "x", ["x"]))
    (chunk,) = found.chunks
    # The last one waited for further lines, and is whole.
    assert chunk["heads"] == [line[: line.index("item")] for line in lines[:40:2]] + [""]
    assert chunk["head"] == [*(number // 2 for number in range(39)), 20]
    assert chunk["text"] == [f"item {number}" for number in range(39)] + lines[39:]
    assert found.texts == lines
    assert found.messages == [f"item {number}" for number in range(40)]


def test_a_chunk_has_each_head_of_json_once() -> None:
    """The head is behind the time, which is another one on each line."""
    moment = "2024-01-15T10:30:15.{:03}Z"
    records = [
        Record(moment.format(number), "INFO", "shop", "x", f"r{number // 5}", "s1", "a" * 32)
        for number in range(20)
    ]
    found = Told.of(build([blocks_of([format_json(record) for record in records])], "x", ["x"]))
    (chunk,) = found.chunks
    assert chunk["heads"][:4] == [f" - INFO - [req=r{number}|session=s1] - " for number in range(4)]
    assert chunk["head"][:19] == [number // 5 for number in range(19)]
    assert chunk["text"][0] == "2024-01-15T10:30:15.000Zx logger=shop"
    assert found.texts == [
        f"{moment.format(number)} - INFO - [req=r{number // 5}|session=s1] - x logger=shop"
        for number in range(20)
    ]


def test_a_text_is_cut_at_the_same_place_with_and_without_its_head() -> None:
    lines = [stamped(number / 1000, "x" * 60_000) for number in range(300)]
    one, other = (
        Told.of(build([entries], "x", ["x"])) for entries in (entries_of(*lines), blocks_of(lines))
    )
    assert [len(text) for text in one.texts[-3:-1]] == [1025] * 2
    assert one.texts == other.texts


def test_a_text_is_cut_at_the_same_place_however_many_lines_come_at_once() -> None:
    entries = blocks_of([stamped(number / 1000, "x" * 60_000) for number in range(300)])
    whole = Told.of(build([entries], "x", ["x"]))
    for size in (1, 7, 150):
        batches = [entries[start : start + size] for start in range(0, 300, size)]
        assert Told.of(build(batches, "x", ["x"])).texts == whole.texts


def test_news_are_what_changes() -> None:
    """What a page that follows is told makes what the whole page says, in pieces of any size."""
    rng = random.Random(7)
    lines = [stamped(0.5, "x", "r1")]
    for number in range(CHUNK_LINES + 500):
        request_id = f"r{number // 10 + rng.randrange(3)}"
        lines.append(
            stamped(1 + number / 500, access(5.0) if number % 10 == 9 else "y", request_id, "s1")
        )
    entries = entries_of(*lines)
    whole = Told.of(build([entries], "app.log", ["app.log"]))
    trace = Model("app.log", ["app.log"])
    trace.add(entries[:3])
    start = Told.of(trace.trace())
    requests = [start.request(number) for number in range(len(start.head["requests"]["id"]))]
    sessions, chunks = list(start.head["sessions"]), start.chunks
    place = 3
    while place < len(entries):
        size = rng.choice((1, 7, 300))
        for news in trace.news(entries[place : place + size]):
            for number, columns in news["requests"]:
                requests[number : number + 1] = [in_milliseconds(columns)]
            sessions += news["sessions"]
            chunks.append(news["chunk"])
            for entry, number in news.get("moved", ()):
                _assign(chunks, entry, number)
        place += size
    trace.close()
    followed = Told({**start.head, "requests": whole.head["requests"]}, chunks)
    assert requests == [
        whole.request(number) for number in range(len(whole.head["requests"]["id"]))
    ]
    assert sessions == whole.head["sessions"]
    assert (followed.messages, followed.times, followed.owners) == (
        whole.messages,
        whole.times,
        whole.owners,
    )


def _assign(chunks: list[dict[str, Any]], entry: int, number: int) -> None:
    for chunk in chunks:
        if entry < len(chunk["request"]):
            chunk["request"][entry] = number
            return
        entry -= len(chunk["request"])


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the lines of the same requests: texts are not held."""
    monkeypatch.setattr(model, "CHUNK_LINES", 200)
    # How many chunks wait to be packed depends on the machine's load.
    monkeypatch.setattr(model, "_MOST_UNPACKED", 0)

    def batches(count: int) -> Iterator[list[Entry]]:
        for number in range(count):
            texts = (f"{each} of two hundred, {number}" * 3 for each in range(200))
            yield [
                Entry(1000.0 * number, 2, f"r{each % 100}", "s1", text, 0, None, 0)
                for each, text in enumerate(texts)
            ]

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert build(batches(count), "x", ["x"]).head["lines"] == 200 * count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # What else allocates memory meanwhile, such as a tool that traces the tests, counts in some only.
    assert min(peak(100) for _ in range(3)) < 2 * min(peak(25) for _ in range(3))


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6) | st.integers(0, 10**6) | st.sampled_from([0.0, 9.3e18, -1.0]),
            st.sampled_from(["", "r1", "r2"]),
            st.sampled_from(["", "s1", "abc12345", "abc12345x"]),
            st.none()
            | st.fixed_dictionaries(
                {},
                optional={
                    "duration_ms": st.floats(0),
                    "status": st.integers(0, 10**9),
                    "ttfb_ms": st.floats(0),
                },
            ),
        ),
        max_size=30,
    )
)
def test_no_entries_break_it(rows: list[tuple[Any, ...]]) -> None:
    """Whatever they tell: each is there, time never falls, and what is counted agrees."""
    entries = [
        Entry(when, 2, request_id, session_id, "x", 0, access and {"access": access}, 0)
        for when, request_id, session_id, access in rows
    ]
    found = Told.of(build([entries], "x", ["x"]))
    json.dumps(found.head, allow_nan=False)
    assert found.times == sorted(found.times)
    owners, requests = found.owners, found.head["requests"]
    assert len(owners) == len(rows)
    names = [
        f"{each}#{requests['id'][: number + 1].count(each)}"
        for number, each in enumerate(requests["id"])
    ]
    assert requests["lines"] == [owners.count(name) for name in names]
    assert all(start <= end for start, end in zip(requests["start"], requests["end"], strict=True))
    assert found.head["unknown"] == owners.count("none")
    assert len(found.late) == sum(requests["late"])
    assert found.head["chunk_lines"] == model.CHUNK_LINES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        'a "quote"',
        "back\\slash",
        "two\nlines",
        "\0",
        "\x7f",
        "é",
        "\ud800",
        "\U0001f600",
    ],
)
@pytest.mark.parametrize("place", [0, 255, 256, 599])
def test_a_chunk_is_the_json_of_its_columns(text: str, place: int) -> None:
    """Whatever is escaped in one of its texts, and wherever it is."""
    texts = ["usual"] * 600
    texts[place] = text
    model_of_texts = Model("x", ["x"])
    model_of_texts.add(
        [Entry(1e12 + at / 3, at % 6, "r", "", text, 0, None, 0) for at, text in enumerate(texts)]
    )
    expected = json.dumps(model_of_texts._chunk(0), separators=(",", ":"))
    (chunk,) = model_of_texts.trace().chunks
    assert gzip.decompress(chunk).decode("ascii") == expected
    model_of_texts.close()


def test_the_last_page_is_that_of_a_log_that_goes_on() -> None:
    """Also in the file, where the columns of many requests are written in pieces."""
    lines = [stamped(at / 100, access(at % 7), f"r{at}", f"s{at % 9}") for at in range(17_000)]
    entries = entries_of(*lines)
    whole = Model("app.log", ["app.log"])
    whole.add(entries)
    heads = [whole.trace().head, whole.trace(is_last=True).head]
    whole.close()
    for head in heads:
        head["created"] = 0
    assert heads[0] == heads[1]
    out = io.BytesIO()
    write(heads[1], [], out)
    block = re.search(rb'id="head">([^<]*)<', out.getvalue())
    assert block is not None
    written = json.loads(gzip.decompress(base64.b64decode(block[1], validate=True)))
    assert written == json.loads(json.dumps(heads[0]))
    assert len(written["requests"]["id"]) == 17_000


def test_a_request_looks_at_few_entries_of_others_with_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client may send one id with thousands of requests in a second."""
    looked_at = []
    is_taken = Model._is_taken

    def counted(made: Model, at: int, start: float) -> bool:
        looked_at.append(at)
        return is_taken(made, at, start)

    monkeypatch.setattr(Model, "_is_taken", counted)
    monkeypatch.setattr(model, "_MOST_AGAIN", 16)
    lines = [stamped(10, "paying"), stamped(10, "paid"), stamped(10, access(12))] * 200
    found = told(*lines)
    assert len(looked_at) <= 16 * 200
    assert sum(found.head["requests"]["lines"]) == len(lines)
