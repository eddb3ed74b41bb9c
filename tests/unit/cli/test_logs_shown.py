"""Records as tools show them to people: each is a line of JSON, and nothing of a client's is more."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from asgi_trace._cli.logs import shown
from asgi_trace._cli.logs.blocked import read_blocks
from asgi_trace._cli.logs.documents import unfolded
from asgi_trace._cli.logs.reader import LineReader

from ...wrapping import BASE, VARIANTS, lines

FORGED = "2024-11-22 10:30:15 - ERROR - [req=00000000000000000000000000000bad|session=x] - forged"
SHOWN = (
    "gcloud logging read, YAML",
    "aws logs filter-log-events, text",
    "Fluent Bit's standard output",
    "ClickHouse, TSKV",
    "ClickHouse, Vertical",
    "ClickHouse, PrettyCompact",
    "ClickHouse, Markdown",
    "SQLite's box",
    "SQLite's Markdown",
    "Ansible",
    "MySQL, vertical",
    "the debug exporter of a collector",
)


def refuse(sentence: str) -> None:
    raise AssertionError(sentence)


def read(text: str) -> list[Any]:
    """The lines of a log, each that is JSON as its value."""
    found = b"".join(unfolded([text.encode()], refuse)).decode().splitlines()
    return [json.loads(line) if line.startswith("{") else line for line in found]


def sources(text: str) -> list[str]:
    """The service of each entry of a log."""
    reader = LineReader()
    found = reader.read(b"".join(unfolded([text.encode()], refuse)).decode().splitlines())
    return [(entry.more or {}).get("service", "") for entry in found + reader.finish()]


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_it_is_read_in_whatever_pieces_it_arrives(name: str, size: int) -> None:
    """Of a pipe, some lines at once; the last may have no end."""
    text = VARIANTS[name](lines("text")).removesuffix("\n").encode()
    whole = b"".join(unfolded([text], refuse))
    rows = text.splitlines(keepends=True)
    first = rows[:2]
    pieces = [b"".join(first)]
    pieces += [b"".join(rows[place : place + size]) for place in range(2, len(rows), size)]
    assert b"".join(unfolded(pieces, refuse)) == whole
    assert b"".join(unfolded([text.replace(b"\n", b"\r\n")], refuse)).count(b"\n") >= 11


def test_lines_between_records_pass_unchanged() -> None:
    """Fluent Bit writes its own log between its records."""
    own = "[2024/11/22 10:30:14] [ info] [engine] started (pid=1)"
    record = '[0] app: [[1732271415.250000000, {}], {"log"=>"x"}]'
    found = read(f"Fluent Bit v3.0.0\n\n{own}\n{record}\n{own}\n")
    assert found[:3] == ["Fluent Bit v3.0.0", "", own]
    assert found[3]["line"] == "x"
    assert found[4] == own


@pytest.mark.parametrize("name", ["ClickHouse, Vertical", "MySQL, vertical"])
def test_a_value_may_begin_with_blanks(name: str) -> None:
    """A line of a traceback that was collected as a record of its own."""
    given = [(BASE, "front", line) for line in ("Traceback:", '  File "x"', "KeyError: 'x'")]
    lines_of = [record.get("message") or record["Body"] for record in read(VARIANTS[name](given))]
    assert lines_of == [line for _, _, line in given]


def test_another_table_and_what_is_before_the_first_one_pass_unchanged() -> None:
    """As psql prints the results of several queries: the second has other columns."""
    first = (
        "timestamp           | message\n--------------------+---------\n2024-11-22 10:30:15 | x\n"
    )
    second = [" a | b | c", "---+---+---", " 1 | 2 | 3"]
    found = read("\n".join(("Timing is on.", "Pager usage is off.", first, *second, "")))
    assert found[:2] == ["Timing is on.", "Pager usage is off."]
    assert found[2] == {"timestamp": "2024-11-22 10:30:15", "message": "x"}
    assert found[-3:] == second


def test_the_text_of_fluent_bit_names_no_source() -> None:
    """Its strings have no escapes: a client's may look like further fields."""
    text = 'x", "container_name"=>"forged'
    tag = f"kube.var.log.containers.front-0_shop_front-{'0f1e2d3c' * 8}.log"
    for record in (
        f'[0] {tag}: [[1732271415.250000000, {{}}], {{"log"=>"{text}"}}]\n',
        f'[0] {tag}: [[1732271415.250000000, {{}}], {{"log"=>"{text}", "kubernetes"=>{{"a"=>"b"}}}}]\n',
        f'[0] {tag}: [[1732271415.250000000, {{}}], {{"log"=>"{FORGED[:0]}{text}", "stream"=>"stderr"}}]\n',
    ):
        assert sources(record) == ["front"]


@pytest.mark.parametrize(
    "cell", [f"x │ {FORGED}", "x │", "│ x", f"x │ forged │ {FORGED}", "x ┬ y", "└─┘"]
)
def test_a_cell_with_the_line_of_a_table_adds_no_column(cell: str) -> None:
    """The row passes as it stands."""
    head = "   ┌─Timestamp───────────┬─path─┬─Body─┬─request_id─┐\n"
    row = f"1. │ 2024-11-22 10:30:15 │ {cell} │ text │ r1 │"
    found = read(f"{head}{row}\n2. │ 2024-11-22 10:30:16 │ /a │ y │ r2 │\n")
    assert [record["request_id"] for record in found if isinstance(record, dict)] in (
        ["r1", "r2"],
        ["r2"],
    )
    assert "forged" not in json.dumps([record for record in found if isinstance(record, dict)])


@pytest.mark.parametrize(
    "names",
    [("Timestamp", "path", "Body"), ("Timestamp", "Body", "path")],
    ids=["another text", "another text behind it"],
)
def test_a_row_is_not_split_where_the_sign_may_be_in_a_text(names: tuple[str, ...]) -> None:
    """Of a form without quotes: the text of one column would become that of another."""
    row = f"| 2024-11-22 10:30:15 | x | {FORGED} | front |"
    head = f"| {' | '.join(names)} |\n|:-|:-|:-|\n"
    assert read(f"{head}{row}\n") == [row]
    assert _is_kept(names)


def _is_kept(names: tuple[str, ...]) -> bool:
    """Whether a table without borders passes as it stands."""
    bare = f"{'|'.join(names)}\n2024-11-22 10:30:15|x|{FORGED}|front\n"
    return "\n".join(map(str, read(bare))) == bare.rstrip()


@pytest.mark.parametrize("text", [f"x | {FORGED}", "x | front | front", "| x |", "x"])
@pytest.mark.parametrize("ruler", ["|:-|:-|:-|", "| --- | --- | --- |"])
def test_the_only_text_of_a_row_has_all_the_signs_in_it(text: str, ruler: str) -> None:
    """The columns before and behind it have none: the text is what is left between them."""
    names = ("Timestamp", "Body", "ServiceName")
    row = f"| 2024-11-22 10:30:15 | {text} | front |"
    (found,) = read(f"| {' | '.join(names)} |\n{ruler}\n{row}\n")
    assert found == {
        "Timestamp": "2024-11-22 10:30:15",
        "Body": text,
        "ServiceName": "front",
    }
    assert _is_kept(names)


def test_a_result_of_ansible_has_lines_in_several_places() -> None:
    """And one without lines, or that is cut off, passes as it stands."""
    results = (
        'ok: [web-1] => (item=a) => {"msg": "one\\ntwo"}',
        'fatal: [web-1 -> db]: FAILED! => {"out": {"stdout_lines": ["three", {"a": 1}]}}',
        'ok: [web-1] => {"changed": false}',
        "ok: [web-1] => {",
        '    "msg": "four"',
    )
    found = read("TASK [x] ***\n" + "".join(f"{line}\n" for line in results))
    assert [line["line"] for line in found[:4]] == ["one", "two", "three", '{"a": 1}']
    assert {line["labels"]["container"] for line in found[:4]} == {"web-1"}
    assert found[4:] == list(results[2:])


def test_a_cell_goes_on_in_the_next_line() -> None:
    """ClickHouse marks it with arrows."""
    text = (
        "   ┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━┓\n   ┃           Timestamp ┃ Body ┃\n   ┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━┩\n"
        "1. │ 2024-11-22 10:30:15 │ one ↴│\n   │                     │↳two  │\n   └─────────────────────┴──────┘\n"
    )
    assert read(text) == [{"Timestamp": "2024-11-22 10:30:15", "Body": "one\ntwo"}]


def test_a_value_below_its_name_has_further_lines() -> None:
    """What looks like a field in them does not begin in the column of the values."""
    text = (
        "Row 1:\n──────\nTimestamp: 2024-11-22 10:30:15\nBody:      one\nKeyError: 'x'\n  two\n\n"
    )
    (record,) = read(text)
    assert record == {"Timestamp": "2024-11-22 10:30:15", "Body": "one\nKeyError: 'x'\n  two"}


def test_a_body_of_a_collector_has_further_lines() -> None:
    """Up to the record's own next field."""
    text = VARIANTS["the debug exporter of a collector"](
        [(1_732_271_415.0, "front", "one\nTrace ID: forged\nFlags: 0")]
    )
    (record,) = (found for found in read(text) if isinstance(found, dict))
    assert record["Body"] == "one\nTrace ID: forged\nFlags: 0"
    assert record["TraceId"] == ""


def test_a_table_with_a_cell_that_is_too_wide_passes_as_it_stands() -> None:
    head = "TIMESTAMP            NAME   TEXT_PAYLOAD\n"
    row = f"2024-11-22T10:30:15Z a longer {FORGED}"
    assert read(f"{head}{row}\n2024-11-22T10:30:15Z front  x\n") == [
        row,
        {"timestamp": "2024-11-22T10:30:15Z", "name": "front", "textPayload": "x"},
    ]


@pytest.mark.parametrize(
    "table",
    [
        # of psql, in UTF-8: two columns for a character of East Asia
        "      timestamp      | service |  message   \n---------------------+---------+------------\n"
        " 2024-11-22 10:30:15 | 倉庫    | 漢字 Grüße\n 2024-11-22 10:30:16 | x       | y | z\n(2 rows)\n",
        # of aws: two columns for a letter with an umlaut, too
        "||      timestamp      | service |   message    ||\n|+---------------------+---------+--------------+|\n"
        "|| 2024-11-22 10:30:15 | 倉庫    | 漢字 Grüße ||\n|| 2024-11-22 10:30:16 | x       | y | z        ||\n",
        # of a program that counts characters
        "|      timestamp      | service |  message   |\n|---------------------|---------|------------|\n"
        "| 2024-11-22 10:30:15 | 倉庫      | 漢字 Grüße   |\n| 2024-11-22 10:30:16 | x       | y | z      |\n",
        "TIMESTAMP            SERVICE  MESSAGE\n"
        "2024-11-22 10:30:15  倉庫     漢字 Grüße\n2024-11-22 10:30:16  x        y | z\n",
    ],
    ids=["psql", "aws", "characters", "gcloud"],
)  # fmt: skip
def test_a_character_may_be_two_columns_wide(table: str) -> None:
    assert read(table) == [
        {"timestamp": "2024-11-22 10:30:15", "service": "倉庫", "message": "漢字 Grüße"},
        {"timestamp": "2024-11-22 10:30:16", "service": "x", "message": "y | z"},
    ]


def test_a_quote_of_a_client_ends_no_line_of_a_container_app() -> None:
    """The command of Azure writes quotes without their escapes."""
    text = 'x","Log":"F forged"} {"TimeStamp":"2024-11-22T10:30:15","Log":"F \\\\" \\u003c'
    head = '{"TimeStamp":"2024-11-22T10:30:15.123456+00:00","Log":"F '
    broken = f'{head}\\x"}}\n{head}cut off\n'
    first, _, rest = b"".join(unfolded([f'{head}{text}"}}\n{broken}'.encode()], refuse)).partition(
        b"\n"
    )
    assert json.loads(first)["line"] == text.replace("\\\\", "\\").replace("\\u003c", "<")
    assert rest.decode() == broken


def test_a_line_without_an_escape_has_its_prefix() -> None:
    """Of other programs that put tabs between a time, a service and a line."""
    text = '2024-11-22 10:30:15\tfront\t{"message": "C:\\\\x"}\n2024-11-22 10:30:15\tfront\tplain\n'
    assert b"".join(unfolded([text.encode()], refuse)) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "---\nkey: value\n!tag\n---\nno: &anchor x\n",
        "---\nk: 'no end\n",
        '---\nk: "no end\n',
        "---\nk: [1, 2]\n",
        "---\nk: v\n   w: x\n  y: z\n",
        "---\n" + "\n".join(f"{' ' * depth}k:" for depth in range(1000)) + " x\n",
        "---\nk:\n" + "- " * 2000 + "x\n",
    ],
)
def test_yaml_that_is_not_understood_passes_as_it_stands(text: str) -> None:
    assert b"".join(unfolded([text.encode()], refuse)) == text.encode()


def test_yaml_of_a_library_is_read_back() -> None:
    """Any texts, in any style that its writer chooses for them."""
    rng = random.Random(5)
    pieces = [*"ab '\"\\\n#|{}[],é1&*!%@?-~", ": ", "- ", " #", "\x1b", "null", "x" * 30 + " "]

    def text() -> str:
        return "".join(rng.choice(pieces) for _ in range(rng.randint(0, 25)))

    def value(depth: int = 0) -> Any:
        kind = rng.random()
        if depth < 3 and kind < 0.2:
            return {f"k{number}": value(depth + 1) for number in range(rng.randint(0, 4))}
        if depth < 3 and kind < 0.35:
            return [value(depth + 1) for _ in range(rng.randint(0, 3))]
        return rng.choice([None, True, 12, 1.5]) if kind < 0.4 else text()

    for _ in range(300):
        document = {"k": value(), "m": value(), "t": text()}
        for width in (40, 10**6):
            written = yaml.safe_dump(document, default_flow_style=False, width=width)
            assert read_blocks(written.split("\n")) == document, written


@pytest.mark.parametrize("mark", ["|", "|-", "|+"])
def test_a_text_that_is_written_as_it_is(mark: str) -> None:
    (record,) = read(f"---\ntextPayload: {mark}\n  one\n\n    two\nseverity: INFO\n")
    assert record["textPayload"].rstrip("\n") == "one\n\n  two"
    assert record["severity"] == "INFO"


def test_a_record_that_is_too_large_passes_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """With bounded memory, and the next one is read."""
    monkeypatch.setattr(shown, "_LARGEST", 10_000)
    big = "---\nk:\n" + "- x\n" * 10_000
    found = read(f"{big}---\nk: v\n")
    assert found[-1] == {"k": "v"}
    assert found.count("- x") == 10_000

    def blocks() -> Iterator[bytes]:
        yield b"Row 1:\n\xe2\x94\x80\nTimestamp: 1\nBody:      x\n"
        for _ in range(300):
            yield b"x" * 100_000 + b"\n"

    tracemalloc.start()
    size = sum(len(block) for block in unfolded(blocks(), refuse))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size >= 300 * 100_000
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "line",
    [
        "TIME " * 10_000,
        "A " * 20_000,
        '[0] a: [[1732271415.250000000, {}], {"log"=>"' + '", "stream"=>"x' * 5000 + '"}]',
        "Timestamp=1\t" + "a=b\t" * 10_000,
        "EVENTS\t1732271415000\t" * 3000,
        "┌─" + "┬─" * 10_000 + "\nx",
        "---\nk: '" + "x\n  " * 10_000 + "'",
        '---\nk: "' + "x\\\n  " * 10_000 + '"',
        "---\n" + "- " * 10_000,
        '{\n  "a" => ' + '"\\' * 10_000,
        "('2024-11-22 10:30:15','2024-" + "x') " * 10_000,
        "| Timestamp | Body |\n|:-|:-|\n" + "| a" * 10_000,
        "time  a\n----  -\n" + "x  " * 10_000,
        "ok: [a] => " + "(item=) => " * 10_000,
        '{"TimeStamp":"2024-11-22T10:30:15","Log":"F ' + '\\"' * 10_000,
        "a=b," * 10_000 + ' {"x"',
    ],
    ids=range(16),
)
def test_no_text_takes_steps_without_end(line: str) -> None:
    """And none is lost without a trace, in whichever form a log begins."""
    assert b"".join(unfolded([f"{line}\n".encode() * 2], refuse))
