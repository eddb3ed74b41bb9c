"""Times of envelopes are read for a block at once: each line gets what it gets by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_trace._cli.logs import columns, frames, layers
from asgi_trace._cli.logs.envelopes import Layer
from asgi_trace._cli.logs.layers import Bare
from asgi_trace._cli.logs.lines import Lines
from asgi_trace._cli.logs.reader import Entry, LineReader
from asgi_trace._cli.logs.received import all_agreed
from asgi_trace._cli.logs.stamps import Stamps, times_of
from asgi_trace._cli.logs.times import Clock

RECEIVED = "2024-01-15T10:30:15.123456789Z"
LINE = "2024-01-15 10:30:15 - INFO - [req=a|session=b] - taking 7"


def of_cri(time: str, line: str) -> str:
    return f"{time} stdout F {line}"


def of_docker(time: str, line: str) -> str:
    fields = {"log": f"{line}\n", "stream": "stdout", "time": time}
    return json.dumps(fields, separators=(",", ":")).replace("&", "\\u0026")


def of_a_collector(time: str, line: str) -> str:
    return json.dumps({"time": time, "log": line, "tag": "front"})


def of_both(time: str, line: str) -> str:
    return of_cri(time, of_docker(time, line))


ENVELOPES: tuple[Callable[[str, str], str], ...] = (
    of_cri,
    of_docker,
    of_a_collector,
    of_both,
)
# Most are those of one second; the others are in no form of a runtime, or of another second or zone.
_seconds = st.sampled_from(("30:15", "30:15", "30:15", "30:15", "30:16", "30:17", "31:15"))
_fractions = st.text("0123456789", min_size=1, max_size=9)
_stamps = st.one_of(
    *[st.builds("2024-01-15T10:{}.{}Z".format, _seconds, _fractions)] * 6,
    st.sampled_from(
        (
            "2024-01-15T10:30:15.999999999Z",
            "2024-01-15T10:30:15.9999999999Z",
            "2024-01-15T10:30:15.Z",
            "2024-01-15T10:30:15Z",
            "2024-01-15T10:30:15,5Z",
            "2024-01-15T10:30:155.5Z",
            "2024-01-15T10:30:1.5Z",
            "2024-01-15T10:30:15.5+00:00",
            "2024-01-15T10:30:15.5-01:00",
            "2024-01-15T10:30:15.5",
            "2024-01-15T10:30:61.5Z",
            "2024-13-15T10:30:15.5Z",
            "2024-01-15T10:30:15.5\u0669Z",
            "2024-01-15 10:30:15.5Z",
            "Mon Jan 15 10:30:15 2024",
            "\0",
            "",
        )
    ),
)
_own_times = st.sampled_from(
    (
        *["2024-01-15 10:30:15"] * 4,
        "2024-01-15 10:30:14",
        "2024-01-15 10:30:13",
        "2024-01-15 10:30:12",
        "2024-01-15 10:30:17",
        "2024-01-15 10:30:18",
        "2024-01-15 11:30:15",
        "2024-01-15 11:15:15",
        "2024-01-15 10:30:15,000",
        "2024-01-15 10:30:15.250",
        "2024-01-15 11:30:15.250",
        "2024-01-15 10:45:15.123",
        "2024-01-15T10:30:15.250Z",
        "2024-01-15T10:30:15+01:00",
        "10:30:15",
        "no time",
    )
)
_texts = st.one_of(
    _own_times.map(lambda time: f"{time} - INFO - [req=a|session=b] - taking 7"),
    st.sampled_from(
        (
            f"{LINE} of 2024-01-15T10:30:15.5Z stdout F {LINE}",
            f'{LINE}\\n","stream":"stdout","time":"{RECEIVED}"}}',
            f'{LINE} "quoted" \\ \t \ud800 \U0001f600',
            f"Z stdout F {LINE}",
            *[LINE.replace("] - ", "] | ")] * 2,
            LINE.replace("] - ", "] | ").replace("req=a", "req=c"),
            LINE.replace("] - ", "] |"),
            "  File 'x', line 1",
            "",
        )
    ),
)
_JSON_LINE = (
    '{"timestamp": "2024-01-15T10:30:15.250Z", "level": "INFO", "logger": "shop", "message": "MESSAGE", '
    '"request_id": "a", "trace_id": "0af7651916cd43dd8448eb211c80319c"}'
)
_json_texts = st.sampled_from(
    (
        *[_JSON_LINE] * 4,
        *(
            _JSON_LINE.replace("MESSAGE", message)
            for message in (
                r"\"quoted\"",
                r"a \\ b",
                "a & b",
                "\u00e9",
                "\t",
                "[req=a",
                "",
                r'x", "y',
            )
        ),
        _JSON_LINE.replace('"', r"\""),
        _JSON_LINE.replace('"MESSAGE', r"\"MESSAGE"),
        _JSON_LINE.replace("INFO", "LOUD"),
        _JSON_LINE[:-1],
        LINE,
        LINE.replace("] - ", '] | "more" '),
        "",
    )
)
_others = st.sampled_from(
    (
        "",
        LINE,
        RECEIVED,
        f"{RECEIVED} stdout F",
        f"{RECEIVED} stdout F ",
        f"{RECEIVED} stdout P {LINE}",
        f"{RECEIVED} stderr F {LINE}",
        f"x{RECEIVED} stdout F {LINE}",
        f"x Z stdout F {LINE}",
        of_docker(RECEIVED, LINE).replace("stdout", "stderr"),
        of_docker(RECEIVED, LINE).replace('"log"', '"logger"'),
        of_docker(RECEIVED, LINE)[:-1],
        of_docker(RECEIVED, LINE)[1:],
        of_docker(RECEIVED, LINE).replace("taking", 'ta"king'),
        of_docker(RECEIVED, "x" * 16_384).replace("\\n", ""),
        '{"log":"',
        '"}',
    )
)


@st.composite
def blocks(draw: st.DrawFn) -> list[str]:
    """Return lines in one envelope, and a few others."""
    envelope = draw(st.sampled_from(ENVELOPES))
    lines = []
    texts = draw(st.sampled_from((_texts, _texts, _json_texts)))
    stamps = draw(st.lists(_stamps, min_size=1, max_size=30))
    if draw(st.booleans()):
        stamps.sort()
    for stamp in stamps:
        line = envelope(stamp, draw(texts))
        if draw(st.integers(0, 9)) == 0:
            line = draw(_others)
        lines.append(line)
    return lines


def entries_of(lines: list[str], *, at_once: bool) -> list[Entry]:
    """Return the entries of *lines*, behind some that show what their envelope is."""
    reader = LineReader(zone=timezone.utc)
    entries = [*reader.read(lines[:3])]
    if at_once:
        entries += reader.read_text("".join(f"{line}\n" for line in lines), lines)
    else:
        entries += reader.read(lines)
    return [*entries, *reader.finish()]


@settings(max_examples=400, deadline=None)
@given(lines=blocks())
def test_a_block_gives_what_each_line_gives_by_itself(lines: list[str]) -> None:
    assert entries_of(lines, at_once=True) == entries_of(lines, at_once=False)


@settings(max_examples=400, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from((-15, -2, -1, 0, 1, 2, 3, 900, 1800, 3600)),
            st.sampled_from(("5", "0", "999999999", "9999999", "000000001")),
            st.sampled_from((int, int, int, float)),
        ),
        min_size=1,
        max_size=40,
    ),
    is_sorted=st.booleans(),
)
def test_a_time_without_zone_agrees_with_that_of_its_envelope(
    rows: list[tuple[int, str, type[int] | type[float]]], is_sorted: bool
) -> None:
    """Also whether it is exact: a float is, and an int stands for a whole second."""
    clock = Clock(timezone.utc)
    second = clock.read("2024-01-15T10:30:15Z")
    assert second is not None
    received = [f"2024-01-15T10:30:15.{fraction}" for _, fraction, _ in rows]
    times = [kind(second + apart * 1000) for apart, _, kind in rows]
    if is_sorted:
        received.sort()
    stamps = times_of(received, "Z", [], [], [])
    assert type(stamps) is Stamps
    lines = [LINE] * len(rows)
    at_once, by_line = (
        all_agreed(clock, times, {"2024-01-15 10:30:15"}, lines, each, [])
        for each in (stamps, list(stamps))
    )
    assert at_once == by_line
    assert [*map(type, at_once)] == [*map(type, by_line)]


@pytest.mark.parametrize("envelope", [of_cri, of_docker])
def test_times_of_a_runtime_are_not_read_one_by_one(
    envelope: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where zeros at the end of a fraction are left out, and where a few lines are others."""
    lines = [
        envelope(f"2024-01-15T10:30:{15 + number // 500}.{number % 500:03}Z", LINE)
        for number in range(1, 2000)
    ]
    lines[70] = lines[70].replace("stdout", "stderr")
    lines[700] = lines[700].replace("10:30:15 - ", "x")
    expected = entries_of(lines, at_once=False)
    read: list[str] = []
    once = Clock.read

    def note(clock: Clock, text: str) -> float | None:
        read.append(text)
        return once(clock, text)

    monkeypatch.setattr(Clock, "read", note)
    assert entries_of(lines, at_once=True) == expected
    assert len(read) < 40


@pytest.mark.parametrize("odd", ["", "x", f"{RECEIVED} stdout P part", LINE])
def test_one_other_line_leaves_the_rest_to_be_cut_at_once(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [of_cri(RECEIVED, LINE) for _ in range(100)]
    lines[50] = odd
    cut: list[str] = []

    def note(text: str, layer: Layer) -> Bare:
        cut.append(text)
        return by_pattern(text, layer)

    by_pattern = layers._cut
    monkeypatch.setattr(layers, "_cut", note)
    entries_of(lines, at_once=True)
    assert cut == [f"{odd}\n"]


def test_strings_with_our_json_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one whose message has an escape is made a line before."""
    lines = [of_docker(RECEIVED, _JSON_LINE) for _ in range(100)]
    lines[50] = of_docker(RECEIVED, _JSON_LINE.replace("MESSAGE", "a & b"))
    lines[70] = of_docker(RECEIVED, _JSON_LINE.replace('"', r"\""))
    expected = entries_of(lines, at_once=False)
    read: list[str] = []

    def note(strings: list[str]) -> list[str]:
        read.extend(strings)
        return unescaped(strings)

    unescaped = frames.unescaped
    for module in (columns, frames):
        monkeypatch.setattr(module, "unescaped", note)
    assert entries_of(lines, at_once=True) == expected
    assert [json.loads(f'"{string}"') for string in read] == [
        _JSON_LINE.replace("MESSAGE", "a & b"),
        _JSON_LINE.replace('"', r"\""),
    ]


_pieces = st.sampled_from(("", "<", ">", "<a>", "a", "<<>>", "<\u00e9>"))


@given(lines=st.lists(_pieces, min_size=1, max_size=20))
def test_a_block_cut_within_its_lines_has_the_same_lines(lines: list[str]) -> None:
    """Of two texts that are in each line, and of none: it is split then."""
    text = "".join(f"{line}\n" for line in lines)
    for begin, end in (("<", ">"), ("", ">"), ("<", ""), ("", "")):
        block = Lines(text)
        assert block[:8] == lines[:8]
        inner = block.within(begin, end)
        are_within = all(re.fullmatch(f"{begin}.*{end}", line) for line in lines)
        assert (inner is not None) == are_within
        assert inner is None or [f"{begin}{each}{end}" for each in inner] == lines
        assert len(block) == len(lines)
        assert [block[place] for place in range(len(lines))] == lines
        assert [*block] == lines
        assert block[1:3] == lines[1:3]


@pytest.mark.parametrize(
    ("texts", "is_known"),
    [
        (["2024-01-15T10:30:15.5"] * 9, True),
        (["2024-01-15T10:30:16.5", "2024-01-15T10:30:15.25"], True),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:15.0123456789"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:15."], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:15"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:155.5"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:1.55"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:15.5\n"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:15.\n5"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15T10:30:15.\u0665"], False),
        (["2024-01-15T10:30:15.5", "2024-01-15 10:30:15.5"], False),
        (["2024-01-15T10:30:1.5"] * 9, False),
        (["x"] * 9, False),
        ([""], False),
    ],
)
def test_only_times_in_one_form_are_stamps(texts: list[str], is_known: bool) -> None:
    for block in (texts, texts[::-1], sorted(texts)):
        found = times_of(list(block), "Z", [], [], [])
        assert (found is not None) == is_known
        assert found is None or [*found] == [f"{text}Z" for text in block]


def test_few_lines_to_a_second_are_no_runs() -> None:
    """To find the second of each would take longer than to read its time."""
    texts = [f"2024-01-15T10:{number // 60:02}:{number % 60:02}.5" for number in range(600)]
    assert type(times_of(texts, "Z", [], [], [])) is list
    assert type(times_of(texts[:1] * 600, "Z", [], [], [])) is Stamps


def test_an_other_time_has_its_place() -> None:
    texts = ["2024-01-15T10:30:15.5", "?", "?", "2024-01-15T10:30:15.5"]
    values = ["2024-01-15T10:30:15.25Z", None]
    found = times_of(texts, "Z", [1, 2], ["x", ""], values)
    usual = "2024-01-15T10:30:15.5Z"
    assert type(found) is Stamps
    assert [*found] == [usual, *values, usual]
    assert found[1:3] == values
    assert None in found
    assert usual in found
    assert "x" not in found
