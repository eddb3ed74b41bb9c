"""
Blocks of our own lines are read all at once: the entries are exactly those of each line by itself.
"""

from __future__ import annotations

import gzip
import json
import marshal
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from asgi_trace._cli.logs import columns, foreign, layers, named, others, records, steps, workers
from asgi_trace._cli.logs.accesses import access_in, accesses_in
from asgi_trace._cli.logs.columns import columns_of
from asgi_trace._cli.logs.envelopes import Layer
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.lines import Lines
from asgi_trace._cli.logs.own import own_form
from asgi_trace._cli.logs.prefixes import PREFIXES
from asgi_trace._cli.logs.reader import Entry, LineReader, Wanted, merged, read
from asgi_trace._cli.logs.records import Records
from asgi_trace._cli.logs.times import Clock
from asgi_trace._cli.logs.workers import Parsed, Workers
from asgi_trace._cli.view.model import build
from asgi_trace._core.access_lines import ACCESS_LOGGER, format_access
from asgi_trace._core.lines import format_json, format_logfmt, format_text
from asgi_trace._core.record import STORES, Naming, Record

from ...viewer import Told

# -- logs ------------------------------------------------------------------------------------------

_IDS = ("none", "f3e2a5c40d16b978855bbc1ab4e3b25a", "a", "é", "x|y", "req=1", "0" * 128, "y" * 450)
_MESSAGES = (
    "",
    "Processing payment",
    "took 12ms in all",
    'said "yes" to it',
    "12B left - - ",
    "naïve \U0001f600 and \ud800",
    "two\nlines",
    "\r",
    "back\\slash \\x1b and \x1b[31m",
    'a "quote" and = and {"timestamp": "x"}',
    "Traceback (most recent call last):\n  File 'x'\nKeyError: 'bulb'",
    "x" * 70_000,
    '127.0.0.1:5000 - "GET /x?a=[req=b|session=c] HTTP/1.1" 500',
    '127.0.0.1:5000 - "GET /[client%20x HTTP/1.1" 200 OK',
    '10.0.0.1 - - [15/Jan/2024:10:30:15 +0000] "GET / HTTP/1.1" 200 5 "-" "4bf92f3577b34da6a3ce929d0e0e4736"',
    '"GET / HTTP/1.1" 200 5 "-" "Mozilla" rt=0.250 4bf92f3577b34da6a3ce929d0e0e4736',
    "Completed 500 Internal Server Error in 12ms",
    "haproxy[1]: 10.0.0.1:3 front back/a 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {} x",
    "-> GET http://stock/take 200 1.2ms",
)
_ACCESS_FIELDS: dict[str, Any] = {
    "method": "GET",
    "path": "/api/items/7",
    "status": 200,
    "duration_ms": 1.8,
    "bytes": 6850,
    "transport": "http",
    "client": "127.0.0.1:11834",
    "ttfb_ms": 1.7,
}
_ACCESS = format_access(_ACCESS_FIELDS)
# With a query, logfmt puts quotes around the path.
_QUERY_FIELDS = {**_ACCESS_FIELDS, "path": "/api/invoice?id=5"}
_TIMES = (
    "2024-01-15 10:30:15",
    "2024-01-15 10:30:16",
    "2024-01-15T10:30:15.250Z",
    "2024-01-15T10:30:15.0001Z",
    "2024-01-15 10:30:16,999",
    "2024-01-15 10:30:15.000 +01:00",
    "2023-10-29 02:30:00",
    "10:30:15",
    "0 no time",
    "",
)


def _access(record: Record, extra: dict[str, Any]) -> Record:
    message = format_access(_QUERY_FIELDS) if extra is _QUERY_FIELDS else _ACCESS
    return record._replace(message=message, logger=ACCESS_LOGGER, extra=extra)


_plain = st.builds(
    Record,
    time=st.sampled_from(_TIMES),
    level=st.sampled_from(("INFO", "ERROR", "WARNING", "info", "LOUD", "")),
    logger=st.sampled_from(("shop", "uvicorn.access", "", 'a"b')),
    message=st.sampled_from(_MESSAGES),
    request_id=st.sampled_from(_IDS),
    session_id=st.sampled_from(_IDS),
    trace_id=st.sampled_from(("none", "0af7651916cd43dd8448eb211c80319c", "0" * 32)),
    span_id=st.sampled_from(("none", "00f067aa0ba902b7")),
    mcp_method=st.sampled_from(("", "", "tools/call")),
    mcp_name=st.just("add"),
    jsonrpc_id=st.just("7"),
    exception=st.sampled_from((None, None, {"type": "KeyError", "stacktrace": "Traceback"})),
    extra=st.just({}),
    parent_span_id=st.sampled_from(("", "", "00f067aa0ba902b7")),
    service=st.sampled_from(("", "", "front", "front desk")),
)
_accesses = st.builds(
    _access,
    _plain,
    st.sampled_from(
        (
            _ACCESS_FIELDS,
            _QUERY_FIELDS,
            {name: value for name, value in _ACCESS_FIELDS.items() if name != "ttfb_ms"},
            {**_ACCESS_FIELDS, "outcome": "crash"},
            {**_ACCESS_FIELDS, "path": "/other"},
            {},
        )
    ),
)
_records = st.one_of(_plain, _plain, _accesses)
_forms: dict[str, Callable[[Record], str]] = {
    "text": lambda record: format_text(record, record.extra),
    "json": format_json,
    "logfmt": format_logfmt,
}


def _of_another_formatter(form: str) -> Callable[[Record], str]:
    """Return a function that writes a record as a formatter with this *form*."""

    def write(record: Record) -> str:
        words = f"|span={record.span_id}" if record.span_id != "none" else ""
        fields = {
            **record._asdict(),
            "ids": f"[req={record.request_id}|session={record.session_id}{words}]",
            "call": " [tools/call add #7]" if record.mcp_method else "",
            "trace": "\nTraceback (most recent call last):\nKeyError" if record.exception else "",
        }
        return form.format(**fields)

    return write


_OF_OTHERS: dict[str, Callable[[Record], str]] = {
    form: _of_another_formatter(form)
    for form in (
        "{time} {level} {ids} {message}{trace}",
        "{time} - {logger} - {level} - {ids}{call} - {message}{trace}",
        "{level:8} {time} {logger}: {ids}: {message}{trace}",
        "[{level}] {time} (MainThread) {ids}{call} {message}{trace}",
        "{time} {level} {message} {ids}{trace}",
        "{ids} {time} {level} {message}{trace}",
    )
}
_forms |= _OF_OTHERS
_OF_STORES = {store: partial(format_json, naming=Naming(store)) for store in STORES}
_forms |= _OF_STORES
_others = st.sampled_from(
    (
        "",
        "\0\0",
        "  File 'x', line 1",
        "Traceback (most recent call last):",
        '{"timestamp": "',
        "timestamp=",
        "2024-01-15 10:30:15 - INFO - [req=a|session=",
        "2024-01-15 10:30:15 - INFO - [req=a|session=b] -",
        "2024-01-15 10:30:15 - INFO - [req=a|session=b] | more of it",
        "2024-01-15 10:30:15 - INFO - [req=a|session=b|span=00f067aa0ba902b7] - spanned",
        "front-1  | 2024-01-15 10:30:15 - INFO - [req=a|session=b] - wrapped",
        '{"log": "2024-01-15 10:30:15 - INFO - [req=a|session=b] - x\\n", "stream": "stderr"}',
        "2024-01-15T10:30:15.1Z stdout P 2024-01-15 10:30:15 - INFO - [req=a|session=b] - first, ",
        "2024-01-15T10:30:15.2Z stdout F second",
        'INFO:     127.0.0.1:1 - "GET / HTTP/1.1" 200 OK',
        '127.0.0.1 - - [15/Jan/2024:10:30:15 +0000] "GET / HTTP/1.1" 200 5 "-" "-" 4bf92f3577b34da6a3ce929d0e0e4736',
        "\x1b[32m2024-01-15 10:30:15 - INFO - [req=a|session=b] - colored",
        '{"timestamp": "2024-01-15T10:30:15.250Z", "level": "INFO", "timestamp": "2025-01-15T10:30:15.250Z"}',
    )
)


# What a collector puts before each line, or only before some.
_WRAPPERS = (
    "",
    "",
    "2024-01-15T10:30:15.123456789Z stdout F ",
    "2024-01-15T10:30:17.5+01:00 stderr P ",
    "front-1  | ",
    "2024-01-15T10:30:15.123456789Z ",
    "[pod/front-7d9c8b6f5-x2x4z/front] ",
    "<14>1 2024-01-15T10:30:15.123Z host front 1 - - ",
    "Jan 15 10:30:15 host front[1]: ",
    "2024-01-15 10:30:15 ",
    "front-1  | 2024-01-15T10:30:15.123456789Z ",
    "front-7d9c8b6f5-x2x4z front ",
    "app.log:",
    "\x1b[36mfront  | \x1b[0m",
)


def _of_docker(line: str) -> str:
    return json.dumps({"log": f"{line}\n", "stream": "stderr", "time": "2024-01-15T08:30:15.5Z"})


# Some are as long as those of a container's runtime, and are none.
_TIMES = (
    *["2024-01-15T08:30:15.123456789Z"] * 3,
    "2024-01-15T08:30:15.1e9999999Z",
    "2024-01-15T08:30:15.1_3456789Z",
    "2024-13-15T08:30:15.123456789Z",
    "2024-01-15T08:30:15.12345678\u0669Z",
    "Mon Jan 15 08:30:15 .....2024Z",
    1705307415,
    1e400,
    [1],
    {"a": 1},
    None,
)


def _of_a_stranger(line: str) -> str:
    """A time of some kind, by the length of the line."""
    time = _TIMES[len(line) % len(_TIMES)]
    return json.dumps({"log": f"{line}\n", "stream": "stderr", "time": time})


def _of_the_journal(line: str) -> str:
    unit = {"_SYSTEMD_UNIT": "front.service", "__REALTIME_TIMESTAMP": "1705307415500000"}
    return json.dumps({**unit, "MESSAGE": line})


# The same as JSON.
_ENVELOPES: tuple[Callable[[str], str], ...] = (
    str,
    str,
    str,
    _of_docker,
    _of_a_stranger,
    _of_the_journal,
)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Return a log of one form, or of several, with what else may stand in one."""
    one = st.sampled_from([(form,) for form in _forms])
    forms = draw(st.one_of(one, st.just(tuple(_forms))))
    wrappers = draw(
        st.one_of(
            st.tuples(st.sampled_from(_WRAPPERS)),
            st.tuples(*[st.sampled_from(_WRAPPERS)] * 2),
        )
    )
    envelope = draw(st.sampled_from(_ENVELOPES))
    lines: list[bytes] = []
    for _ in range(draw(st.integers(0, 30))):
        kind = draw(st.integers(0, 9))
        if kind == 0:
            line = draw(_others).encode()
        elif kind == 1:
            line = draw(st.binary(max_size=40)).replace(b"\n", b" ")
        else:
            text = _forms[draw(st.sampled_from(forms))](draw(_records))
            line = text.encode("utf-8", "surrogatepass")
            if kind == 2:
                line = line[: draw(st.integers(0, len(line)))]
        wrapper = wrappers[draw(st.integers(0, 9)) // 9 * (len(wrappers) - 1)].encode()
        if envelope is not str and kind < 9:
            line = envelope(line.decode("utf-8", "replace")).encode()
        lines.append(wrapper + line + draw(st.sampled_from((b"\n", b"\n", b"\n", b"\r\n"))))
    log = b"".join(lines)
    return log[:-1] if draw(st.booleans()) else log


class _Worker(Workers):
    """A worker in this process: what it makes of a block goes through the format of the pipe."""

    def read(self, blocks: Iterable[bytes]) -> Iterator[tuple[bytes, Parsed | None]]:
        for block in blocks:
            yield block, workers._parsed_in(marshal.dumps(workers._answer(block, None)))


def entries_of(path: Path, block: int, worker: Workers | None = None) -> tuple[list[Entry], int]:
    """Return the entries of a log, and how many were too long."""
    wanted = Wanted()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asgi_trace._cli.logs.files._BLOCK", block)
        log = Log(str(path), pytest.fail)
        batches = read(log, 0, wanted, workers=worker)
        return [entry for batch in batches for entry in batch], wanted.cut


def _by_line(self: LineReader, text: str, lines: list[str]) -> list[Entry]:
    return self.read(lines)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=logs(), block=st.sampled_from((1 << 20, 1000, 100)), packed=st.booleans())
def test_blocks_give_what_each_line_by_itself_gives(
    tmp_path_factory: pytest.TempPathFactory, log: bytes, block: int, packed: bool
) -> None:
    """Whatever stands between lines of ours, and wherever a block ends."""
    path = tmp_path_factory.mktemp("log") / "app.log"
    path.write_bytes(gzip.compress(log, 1) if packed else log)
    at_once = entries_of(path, block)
    with _Worker() as worker:
        assert at_once == entries_of(path, block, worker)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LineReader, "read_text", _by_line)
        assert at_once == entries_of(path, block)
        # ... and what the fields of JSON and logfmt by their names give
        patch.setattr(steps, "_OWN_NAMED", "\0")
        patch.setattr(records, "own_fields", lambda line: None)
        assert at_once == entries_of(path, block)


def page_of(paths: Sequence[Path]) -> tuple[Any, ...]:
    """
    Return what the page of some logs tells: its head, without the time it was made, and the columns
    of its chunks, with whole texts.
    """
    readers = [read(Log(str(path), pytest.fail), number) for number, path in enumerate(paths)]
    trace = build(merged(readers), "title", [path.name for path in paths])
    told = Told.of(trace)
    del told.head["created"]
    heads = {"heads", "head", "text", "message"}  # in which a line of ours may be cut, or not
    chunks = [
        {name: column for name, column in chunk.items() if name not in heads}
        for chunk in told.chunks
    ]
    return told.head, chunks, told.texts, told.messages


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(several=st.lists(logs(), min_size=1, max_size=2))
def test_the_page_of_blocks_is_that_of_each_line_by_itself(
    tmp_path_factory: pytest.TempPathFactory, several: list[bytes]
) -> None:
    """Also where forms are mixed in a log, and several logs are merged."""
    folder = tmp_path_factory.mktemp("logs")
    paths = [folder / f"{number}.log" for number in range(len(several))]
    for path, log in zip(paths, several, strict=True):
        path.write_bytes(log)
    at_once = page_of(paths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LineReader, "read_text", _by_line)
        assert at_once == page_of(paths)


@pytest.mark.parametrize("form", ["json", "logfmt"])
def test_an_access_line_is_read_without_its_fields_only_if_its_message_has_them(
    form: str,
) -> None:
    """Else what a field says is shown beside the message."""
    record = Record("2024-01-15T10:30:15.250Z", "INFO", request_id="a", trace_id="0" * 31 + "1")
    usual = _forms[form](_access(record, _ACCESS_FIELDS))
    entry = _last(usual)
    assert entry.more is not None
    assert entry.more["access"] == _ACCESS_FIELDS
    assert entry.text.endswith(f"- {_ACCESS}")
    other = _last(_forms[form](_access(record, {**_ACCESS_FIELDS, "tenant": "acme"})))
    assert other.text.endswith(" tenant=acme")


@pytest.mark.parametrize("form", ["text", "json", "logfmt"])
def test_an_access_line_whose_path_has_a_query_is_read_with_its_block(form: str) -> None:
    record = Record("2024-01-15T10:30:15.250Z", "INFO", request_id="a", trace_id="0" * 31 + "1")
    line = _forms[form](_access(record, _QUERY_FIELDS))
    known = own_form(line)
    assert known is not None
    found = columns_of(known, [line], Records(0, Clock()))
    assert found.odd == []
    more = found.commons[0].more
    assert more is not None
    assert more["access"] == _QUERY_FIELDS


def test_access_lines_at_once_are_those_one_by_one() -> None:
    """Whichever are not as usual."""
    messages = [
        _ACCESS,
        f"{_ACCESS} parent=00f067aa0ba902b7",
        f"{_ACCESS} outcome=crash",
        f" {_ACCESS}",
        f"{_ACCESS} ",
        f"{_ACCESS}\r",
        _ACCESS.replace("GET", "-"),
        _ACCESS.replace("/api/items/7", "-"),
        _ACCESS.replace("/api/items/7", "/\\x1b\\x5cx"),
        _ACCESS.replace("http", "-"),
        _ACCESS.replace("200", "-"),
        _ACCESS.replace("200", "\u0662\u0660\u0660"),
        _ACCESS.replace("1.8ms", "-"),
        _ACCESS.replace(" ttfb=1.7ms", ""),
        _ACCESS.replace("6850B", f"{'9' * 21}B"),
        '127.0.0.1:1 - "GET / HTTP/1.1" 200',
        "took 12ms in all",
        "",
        _ACCESS,
    ]
    assert accesses_in(messages) == [access_in(message) for message in messages]
    assert sum(fields is None for fields in accesses_in(messages)) < 8
    assert accesses_in([]) == []


def _last(line: str) -> Entry:
    lines = LineReader()
    assert not lines.read_text(f"{line}\n", [line])
    (entry,) = lines.finish()
    return entry


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("envelope", [str, _of_docker])
def test_lines_with_the_names_of_a_store_are_read_at_once(
    store: str, envelope: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access lines too, whose fields may have such a name, and lines that name their service."""
    ids = {"request_id": "a", "trace_id": "0" * 31 + "1", "span_id": "00f067aa0ba902b7"}
    usual = Record("2024-01-15T10:30:15.250Z", "INFO", "shop", "paid", **ids)
    written = (
        usual,
        usual._replace(session_id="s", level="WARNING"),
        usual._replace(service="front", parent_span_id="00f067aa0ba902b8"),
        _access(usual, _ACCESS_FIELDS),
    )
    lines = [envelope(_OF_STORES[store](record)) for record in written] * 10
    alone = LineReader()
    expected = list(alone.read(lines) + alone.finish())
    assert {entry.request_id for entry in expected} == {"a"}
    at_once = LineReader()
    text = "".join(f"{line}\n" for line in lines)
    at_once.read_text(text, lines)  # the first lines of a log show their envelopes
    monkeypatch.setattr(
        named, "entry_of_fields", lambda state, fields, envelope=None: pytest.fail(fields)
    )
    found = at_once.read_text(text, lines) + at_once.finish()
    assert list(found)[1:] == expected


_PYTHON_LINE = "2024-01-15 10:30:{:02},{:03} {} shop.pay [req=r{}|session=s] {}"


@pytest.mark.parametrize("envelope", ["{}", "front-1  | {}", '{{"log":"{}\\n","stream":"stderr"}}'])
def test_lines_of_another_formatter_are_read_at_once(
    envelope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in envelopes; one by one are only the first ones and one for each front."""
    messages = ("paid", "GET /api 200 1.8ms 68B http 127.0.0.1:1", "took 12ms")
    levels = ("INFO", "WARNING", "ERROR")
    lines = [
        envelope.format(
            _PYTHON_LINE.format(
                number // 100, number % 1000, levels[number % 3], number // 9, messages[number % 3]
            )
        )
        for number in range(3000)
    ]
    alone = LineReader()
    expected = list(alone.read(lines) + alone.finish())
    read: list[str] = []
    other = Records.other

    def counted(self: Records, line: str, *arguments: Any) -> Entry | None:
        read.append(line)
        return other(self, line, *arguments)

    monkeypatch.setattr(Records, "other", counted)
    at_once = LineReader()
    found: list[Entry] = []
    for start in range(0, 3000, 1000):
        some = lines[start : start + 1000]
        found += at_once.read_text("".join(f"{line}\n" for line in some), some)
    assert [*found, *at_once.finish()] == expected
    assert len(read) < 50


def test_a_message_with_brackets_like_ours_is_read_by_itself() -> None:
    """In a log that has our ids at the end of its lines, the last ones count."""
    lines = [
        *["2024-01-15 10:30:15,000 INFO [req=a|session=b] paid"] * 8,
        "2024-01-15 10:30:15,000 INFO paid [req=a|session=b]",
        "2024-01-15 10:30:15,000 INFO [req=a|session=b] said [req=c|session=d]",
        *["a line without any"] * 4,
    ]
    reader = LineReader()
    at_once = reader.read_text("".join(f"{line}\n" for line in lines), lines) + reader.finish()
    alone = LineReader()
    assert list(at_once) == list(alone.read(lines) + alone.finish())
    assert at_once[9].request_id == "c"


def test_fronts_that_all_differ_are_not_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those with the number of a thread: to read each would take longer than to read its line."""
    lines = [
        f"2024-01-15 10:30:15,000 INFO [{number}] [req=a|session=b] paid" for number in range(500)
    ]
    asked: list[str] = []
    level = others._level

    def counted(front: others.Front, stamp: str) -> int | None:
        asked.append(stamp)
        return level(front, stamp)

    monkeypatch.setattr(others, "_level", counted)
    reader = LineReader()
    entries = reader.read_text("".join(f"{line}\n" for line in lines), lines) + reader.finish()
    assert [entry.text for entry in entries] == lines
    assert 0 < len(asked) < 100


def test_columns_stand_for_all_lines() -> None:
    """One value for each line; what is no plain line of the form is odd."""
    line = format_json(Record("2024-01-15T10:30:15.250Z", "INFO", "x", "y", "a", "b", "1" * 32))
    form = own_form(line)
    assert form is not None
    found = columns_of(form, [line, "", "{}"], records.Records(0, Clock()))
    assert found.odd == [1, 2]
    assert [len(column) for column in found[:-1]] == [3] * 4


@pytest.mark.parametrize(
    ("joined", "is_there"),
    [
        ("", False),
        ("12345", False),
        ("123456", True),
        ("12345\n12345\n", False),
        ("1\n\n\n\n\n\n12345", False),
        ("1\n\n\n\n\n\n123456", True),
        ("12\n123456\n1", True),
        ("\n123456", True),
    ],
)
def test_a_line_that_is_too_long_is_found(joined: str, is_there: bool) -> None:
    """Wherever the line feeds before it are."""
    assert columns._has_longer(joined, 5) is is_there


@pytest.mark.parametrize("prefix", PREFIXES, ids=lambda prefix: str(prefix.name))
def test_a_prefix_that_is_matched_with_many_lines_ends_with_its_line(prefix: Any) -> None:
    """Else a line of a client's could make each line be searched to the end of its block."""
    others = tuple(each.pattern for each in PREFIXES)
    pattern = layers.line_behind(prefix.pattern, others, prefix.is_long).pattern
    rest = re.sub(r"\[\^\\(?:S\\)?n(?:[^\]\\]|\\.)*\]", "", pattern)
    assert not any(each in rest for each in ("[^", r"\s", r"\S", r"\D", r"\W", "(?s"))


# Beginnings of lines by the prefix that some of them have, and the others nearly.
_BEGINNINGS = {
    "compose": (
        "front-1  | ",
        "db-1     | ",
        "front-1  │ ",
        "db-1  |",
        "INFO  | ",
        "front-1 | ",
        "  | ",
        "a  | b  | ",
        "2024-01-15  | ",
        "front-1  || ",
    ),
    "podman-compose": ("[front] | ", "[db]  | ", "[db]  |", "[front] |x", "[a b] | ", "[a] "),
    "kubectl --prefix": (
        "[pod/a-1/b] ",
        "[pod/a-2/c] ",
        "[pod/a/b]",
        "[pod/A/b] ",
        "[pod/a/b]x ",
        "[pod/a/b/c] ",
        "[x] ",
        "[pod/a] / ",
    ),
    "syslog": (
        "Jan 15 10:30:15 host shop[1]: ",
        "Jan 15 10:30:16 host shop[1]: ",
        "Jan 15 10:30:16 shop[1]: ",
        "Jan 15 10:30:16 shop: ",
        "Jan 15 10:30:16 host local0.info shop[1]: ",
        "<14>Jan 15 10:30:16 shop: ",
        "Jan 15 10:30:16 host shop[1]:",
        "Jan 15 10:30:16 a b: c: ",
        "Jan 15 10:30:16 shop: foo[1]: ",
    ),
    "journalctl --no-hostname": (
        "2024-01-15T10:30:15+0000 shop[1]: ",
        "2024-01-15T10:30:16.250000Z shop.daemon[2]: ",
        "Mon 2024-01-15 10:30:15 CET shop[1]: ",
        "2024-01-15 10:30:15 shop[1]: ",
        "2024-01-15T10:30:15+0000 host shop[1]: ",
        "2024-01-15T10:30:15+0000 shop[1]:",
    ),
    "journalctl": (
        "2024-01-15T10:30:15+0000 host shop[1]: ",
        "2024-01-15T10:30:16+0000 host shop[2]: ",
        "1705311015.123456 host shop[1]: ",
        "1705311015.123456 shop[1]: ",
        "Mon 2024-01-15 10:30:15 UTC host shop[1]: ",
        "2024-01-15T10:30:15+0000 host user@1000.service/shop.service[2]: ",
        "2024-01-15T10:30:15+0000 host shop: ",
        "2024-01-15T10:30:15+0000 host shop[1]:",
    ),
}
_RESTS = (
    "2024-01-15 10:30:15 - INFO - [req=a|session=b] - message",
    "",
    " ",
    " | x",
    "] - y",
    '{"a": 1}',
    "[pod/a-1/b] z",
    "front-1  | q",
    "\u2028x\x1c",
    "host a[1]: b",
)


def test_each_prefix_that_may_be_cut_at_its_end_is_tried() -> None:
    """CRI's is cut at what is behind its time."""
    assert {prefix.name for prefix in PREFIXES if prefix.is_fixed} == {*_BEGINNINGS, "cri"}


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_prefix_that_many_lines_have_is_that_of_each(data: st.DataObject) -> None:
    """Line, time and source are the same as by the expression for all lines."""
    name = data.draw(st.sampled_from(sorted(_BEGINNINGS)))
    heads = data.draw(st.lists(st.sampled_from(_BEGINNINGS[name]), min_size=1, max_size=3))
    line = st.tuples(st.sampled_from((*heads, *heads, "")), st.sampled_from(_RESTS))
    block = Lines("".join(f"{''.join(parts)}\n" for parts in data.draw(st.lists(line, min_size=8))))
    (prefix,) = (each for each in PREFIXES if each.name == name)
    layer = Layer(prefix)
    found = layers._cut_at_texts(block, layer)
    event("cut at once" if found is not None else "by an expression")
    if found is not None:
        assert _rows(found) == _rows(layers._cut(block.text, layer))


def _rows(bare: layers.Bare) -> list[Any]:
    """The lines without a prefix, with time and source; these are not used where there is none."""
    unknown = [None] * len(bare.lines)
    rows = zip(bare.lines, bare.times or unknown, bare.sources or unknown, strict=True)
    return [row if row[0] else "" for row in rows]


_CLIENTS = ("10.0.0.1", "203.0.113.9", "::1", "2001:db8::1:2", "fe80::1")
_PATHS = (
    "/",
    "/x?y=1&status=500",
    "/2024-01-15T10:30:15Z",
    "/ERROR:",
    "/[req=a|session=b]",
    f"/{'a' * 32}",
)
_AGENTS = (
    "-",
    "",
    "curl/8.4.0",
    "Mozilla/5.0 (X11; Linux x86_64)",
    "request_id=forged",
    f"{'b' * 32} 0.250",
    "12 ms ERROR",
)
_BEHIND = (
    "",
    f" {'c' * 32}",
    f' "{"d" * 32}"',
    f' "{"d" * 32}" "-"',
    " 0.250",
    " rt=0.250",
    ' "10.0.0.9"',
)
_SOURCES = ("", "web-1  | ", "front-1  | ", "2024-01-15T10:30:16.250Z stdout F ")


@st.composite
def _usual_accesses(draw: st.DrawFn) -> str:
    """Lines that are usual access lines of servers, or nearly so."""
    client, path = draw(st.sampled_from(_CLIENTS)), draw(st.sampled_from(_PATHS))
    request = f'"{draw(st.sampled_from(("GET", "DELETE")))} {path} HTTP/{draw(st.sampled_from(("1.1", "2", "2.0")))}"'
    status = draw(st.sampled_from(("200", "404", "503")))
    source = draw(st.sampled_from(_SOURCES))
    if draw(st.booleans()):
        phrase = draw(
            st.sampled_from((" OK", " Not Found", "", " Multi-Status", " I'm a Teapot", " 12 ms"))
        )
        return f"{source}INFO:     {client}:4711 - {request} {status}{phrase}"
    time = draw(
        st.sampled_from(
            (
                "22/Nov/2024:10:30:15 +0000",
                "22/Nov/2024:10:30:15 -0530",
                "31/Nov/2024:10:30:15 +0000",
            )
        )
    )
    user = draw(st.sampled_from(("-", "-", "joe", f"{'e' * 32}")))
    size = draw(st.sampled_from(("157", "-", "0")))
    referrer, agent = draw(st.sampled_from(_AGENTS)), draw(st.sampled_from(_AGENTS))
    behind = draw(st.sampled_from(_BEHIND))
    return f'{source}{client} - {user} [{time}] {request} {status} {size} "{referrer}" "{agent}"{behind}'


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(_usual_accesses(), min_size=1, max_size=8))
def test_a_usual_access_line_is_read_as_any_other_is(lines: list[str]) -> None:
    reader = LineReader()
    at_a_glance = list(reader.read(lines) + reader.finish())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign, "USUAL_ACCESS", ())
        reader = LineReader()
        assert at_a_glance == list(reader.read(lines) + reader.finish())
