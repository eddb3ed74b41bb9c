"""Tables of comma-separated values: rows become lines, and no cell of a client's becomes another row."""

from __future__ import annotations

import json

import pytest

from asgi_trace._cli.logs import tables
from asgi_trace._cli.logs.documents import unfolded
from asgi_trace._cli.logs.reader import LineReader

HEADER = b"@timestamp,@message,@logStream\n"
ROW = b"2024-11-22 10:30:15.000,hello,front\n"


def refuse(sentence: str) -> None:
    raise AssertionError(sentence)


def read(*blocks: bytes) -> list[dict[str, str]]:
    whole = b"".join(unfolded(blocks, refuse))
    return [json.loads(line) for line in whole.splitlines()]


@pytest.mark.parametrize(
    "data",
    [
        HEADER + ROW,
        b"\xef\xbb\xbf" + HEADER + ROW,
        (HEADER + ROW).replace(b"\n", b"\r\n"),
        HEADER + ROW[:-1],
        b'"@timestamp";"@message";"@logStream"\n' + ROW.replace(b",", b";"),
    ],
    ids=["lines", "a mark", "of Windows", "no end", "semicolons and quotes"],
)
def test_a_row_becomes_an_object_with_the_names_of_the_columns(data: bytes) -> None:
    assert read(data) == [
        {"@timestamp": "2024-11-22 10:30:15.000", "@message": "hello", "@logStream": "front"}
    ]


def test_a_cell_may_have_line_feeds_quotes_and_separators() -> None:
    """Also at the end of a block."""
    cell = 'one\n"two", three\n'
    row = f'2024-11-22 10:30:15.000,"{cell.replace(chr(34), chr(34) * 2)}",front\n'.encode()
    end = row.index(b"\n") + 1
    for blocks in ((HEADER + row + ROW,), (HEADER + row[:end], row[end:] + ROW)):
        assert [fields["@message"] for fields in read(*blocks)] == [cell, "hello"]


def test_the_log_of_postgresql_has_no_header() -> None:
    """Two rows of PostgreSQL 15, shortened: a query with a client's text over two lines, and an error."""
    data = (
        b'2026-11-28 06:31:32.474 UTC,"shop","db",30976,"127.0.0.1:53802",6b0a7544.7900,14,"idle",'
        b"2026-11-28 06:31:32 UTC,3/7,0,LOG,00000,\"statement: SELECT 'client said\n"
        b"2026-11-28 06:00:00.000 UTC [1] ERROR:  forged [request_id=r0]';\",,,,,,,,,"
        b'"psql","client backend",,0\n'
        b'2026-11-28 06:31:32.475 UTC,"shop","db",30976,"127.0.0.1:53802",6b0a7544.7900,15,"SELECT",'
        b'2026-11-28 06:31:32 UTC,3/7,0,ERROR,42P01,"relation ""x"" does not exist",,,,,,'
        b'"SELECT x",15,,"psql","client backend",,0\n'
    )
    query, error = read(data)
    assert query["message"].endswith("forged [request_id=r0]';")
    assert (error["error_severity"], error["message"]) == ("ERROR", 'relation "x" does not exist')
    reader = LineReader()
    entries = reader.read([json.dumps(query), json.dumps(error)]) + reader.finish()
    assert [(e.level, e.request_id, e.session_id) for e in entries] == [(2, "", ""), (4, "", "")]


def test_quotes_have_no_meaning_between_tabs() -> None:
    """And a line feed or a tab in a cell is escaped: no cell becomes another row or column."""
    header = b"Timestamp\tServiceName\tBody\n"
    data = (
        header
        + b'2024-11-22 10:30:15\tfront\t"one\\nfront\\ttwo\\\\\n2024-11-22 10:30:16\tfront\tx\n'
    )
    assert [fields["Body"] for fields in read(data)] == ['"one\nfront\ttwo\\', "x"]


def test_a_bar_in_the_last_cell_is_its_text() -> None:
    """As SQLite and psql print tables: without quotes. A text that goes on is no further row."""
    data = b"timestamp|service|message\n2024-11-22 10:30:15|front|a|b\nc\n(1 row)\n"
    row, further = b"".join(unfolded([data], refuse)).splitlines()
    assert json.loads(row)["message"] == "a|b"
    assert json.loads(further) == "c"


def test_the_zone_of_a_column_is_that_of_its_times() -> None:
    """As Azure's portal names it."""
    data = b'"TimeGenerated [UTC]",LogEntry\n"11/22/2024, 1:30:15.250 PM",hello\n'
    assert read(data) == [{"TimeGenerated": "11/22/2024, 1:30:15.250 PM UTC", "LogEntry": "hello"}]


def test_a_further_header_is_no_row() -> None:
    """Several exports in one file."""
    assert len(read(HEADER + ROW + HEADER + ROW)) == 2


def test_empty_cells_are_left_out_and_missing_ones_are_no_fault() -> None:
    assert read(HEADER + b",hello,\n2024-11-22,x\n\n") == [
        {"@message": "hello"},
        {"@timestamp": "2024-11-22", "@message": "x"},
    ]


def test_a_nested_name_is_a_field_of_an_object() -> None:
    """As Google Cloud exports a record: its ids, its level and its access fields are read."""
    header = "timestamp,severity,jsonPayload.message,jsonPayload.request_id,jsonPayload.status\n"
    row = "2024-11-22T10:30:15.5Z,ERROR,no,f3e2a5c40d16b978,500\n"
    (line,) = b"".join(unfolded([(header + row).encode()], refuse)).splitlines()
    reader = LineReader()
    (entry,) = reader.read([line.decode()]) + reader.finish()
    assert (entry.time, entry.level, entry.request_id) == (1732271415500, 4, "f3e2a5c40d16b978")


@pytest.mark.parametrize(
    "first",
    [
        b"started, with time, message\n",
        b"2024-11-22 10:30:15,250 message\n",
        b"time,place\n",
        b"message,logger\n",
        b"timestamp\n",
        b'{"timestamp": "2024-11-22T10:30:15Z", "message": "a,b"}\n',
        b"timestamp;message,level\n",
    ],
)
def test_any_other_first_line_is_no_header(first: bytes) -> None:
    assert b"".join(unfolded([first + ROW], refuse)) == first + ROW


def test_a_header_in_a_log_is_a_line() -> None:
    """A client that sends one changes nothing: only the first line of a log counts."""
    data = b"2024-11-22 10:30:15 - started\n" + HEADER + ROW
    assert b"".join(unfolded([data], refuse)) == data


def test_a_row_that_is_too_large_is_left_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of its cell is read as a row: a client may have written it."""
    monkeypatch.setattr(tables, "_LARGEST", 1000)
    forged = b"2024-11-22 10:30:15.000,forged,front\n"
    row = b'2024-11-22 10:30:15.000,"' + forged * 100 + b'",front\n'
    pieces = [row[place : place + 700] for place in range(0, len(row), 700)]
    for blocks in ([HEADER + row + ROW], [HEADER, *pieces, ROW]):
        said: list[str] = []
        found = b"".join(unfolded(blocks, said.append))
        assert said == [tables._TOO_LARGE]
        assert b"forged" not in found
        assert json.loads(found)["@message"] == "hello"


def test_a_quote_without_its_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_LARGEST", 1000)
    said: list[str] = []
    assert not b"".join(unfolded([HEADER + b'x,"' + ROW * 100], said.append))
    assert said == [tables._TOO_LARGE]


@pytest.mark.parametrize("rest", [b"x\n", b"", b"2024-11-22,x,front\n"])
def test_a_row_with_a_quote_in_a_cell_is_a_text(rest: bytes) -> None:
    """In the middle of a cell it has no meaning, and the lines after it are no rows of a client's."""
    found = read(HEADER + b'2024-11-22,x "y\n' + rest)
    assert len(found) == 1
    assert 'x "y' in json.dumps(found[0]).replace('\\"', '"')


def test_cells_beyond_the_columns_are_kept() -> None:
    assert read(HEADER + b"2024-11-22,x,front,y,z\n")[0]["further_cells"] == ["y", "z"]


def test_a_cell_longer_than_the_limit_of_pythons_module_is_read() -> None:
    assert (
        read(HEADER + b"2024-11-22," + b"x" * 200_000 + b",front\n")[0]["@message"] == "x" * 200_000
    )


def test_characters_that_pythons_module_refuses_are_no_fault() -> None:
    assert read(HEADER + b"2024-11-22,a\rb\0c,front\n")[0]["@message"] == "a bc"
