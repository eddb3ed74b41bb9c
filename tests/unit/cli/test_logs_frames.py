"""Objects of one writer are read a block at a time: each gives what it gives by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asgi_trace._cli.logs import frames
from asgi_trace._cli.logs.frames import Contents, contents

LINE = "2024-01-15 10:30:15 - INFO - [req=a|session=b] - taking 7"
TIME = "2024-01-15T10:30:15.123456789Z"

# Raw JSON, so that escapes and white space are as here.
_STRINGS = (
    r"x\n",
    r"x\n",
    LINE,
    LINE + r"\n",
    LINE + r"\r\n",
    LINE + r"\\n",
    json.dumps(json.dumps({"timestamp": TIME, "level": "INFO", "message": 'a "b" \\ \n'}))[1:-1],
    r"na\u00efve \ud83d\ude00 \ud800",
    r"two\nlines\n",
    r"\",\"stream\":\"stdout",
    "",
    r"\n",
    r"\x",
    "\t",
    "\\",
    '","stream":"stderr","log":"',
    'x"] ',
    'x","y',
    'x",["y',
    'x"],"y',
    '", "log": "y',
    "x" * 16_384,
    "x" * 16_384 + r"\n",
)
_VALUES = (
    *[f'"{TIME}"'] * 4,
    *['"front"'] * 4,
    '"stock"',
    '""',
    '"none"',
    '"INFO"',
    '"a\\u0062"',
    '"a\tb"',
    "null",
    "7",
    "1.5",
    "[1]",
    '["time"]',
    '{"pod": "front-1"}',
    '{"time": "10:30:15", "level": "INFO"}',
    f'{{"timestamp": "{TIME}"}}',
    '{"log":"x"}',
)
_NAMES = (
    "log",
    "message",
    "MESSAGE",
    "_msg",
    "line",
    "stream",
    "time",
    "timestamp",
    "_time",
    "labels",
    "level",
    "request_id",
    "logger",
    "service",
    "podName",
    "nodeName",
    "__REALTIME_TIMESTAMP",
    "_HOSTNAME",
    "cursor",
)
_COLLECTORS = (
    ("log", "stream", "time"),
    ("labels", "line", "timestamp"),
    ("cursor", "__REALTIME_TIMESTAMP", "_HOSTNAME", "MESSAGE"),
    ("message", "nodeName", "podName", "labels"),
    ("time", "_time", "log", "stream", "service"),
    ("_time", "_msg"),
    ("log", "time"),
)
_TEXT_NAMES = ("log", "line", "MESSAGE", "message", "_msg")


@st.composite
def blocks(draw: st.DrawFn) -> list[str]:
    """Return objects with mostly the same names in the same order, some of them damaged."""
    names = list(draw(st.sampled_from(_COLLECTORS)))
    if draw(st.booleans()):
        names.insert(draw(st.integers(0, len(names))), draw(st.sampled_from(_NAMES)))
    comma, colon = draw(st.sampled_from(((",", ":"), (", ", ": "), (" , ", " : "))))
    usual = {name: draw(st.sampled_from(_VALUES)) for name in names}
    text_name = next(name for name in names if name in _TEXT_NAMES)
    objects = []
    for _ in range(draw(st.integers(1, 12))):
        values = dict(usual)
        kind = draw(st.integers(0, 9))
        if kind < 4:
            values[draw(st.sampled_from(names))] = draw(st.sampled_from(_VALUES))
        if kind < 9:
            values[text_name] = f'"{draw(st.sampled_from(_STRINGS))}"'
        pairs = [f'"{name}"{colon}{values[name]}' for name in names]
        text = "{" + comma.join(pairs) + "}"
        if kind == 8:
            text = text[: draw(st.integers(0, len(text)))]
        if kind == 7:
            text = draw(
                st.sampled_from(("", " ", "{", LINE, f"{text} ", f"{text}{text}", f"[{text}]"))
            )
        objects.append(text)
    return objects


def _by_itself(objects: list[str]) -> list[tuple[str, Any, str]]:
    return [tuple(frames._content(text))[:3] for text in objects]


def _at_once(objects: list[str]) -> list[tuple[str, Any, str]]:
    return list(zip(*contents(objects), strict=True))


@settings(max_examples=400, deadline=None)
@given(objects=blocks())
@example(objects=[f'{{"message":"{line}\\n","labels":{{"log":"x"}}}}' for line in ("x", LINE)])
@example(objects=[f'{{"log":"{LINE}","time":"{TIME}"}}', '{"log":"x"}'])
def test_a_block_gives_what_each_object_gives_by_itself(objects: list[str]) -> None:
    assert _at_once(objects) == _by_itself(objects)


@settings(max_examples=400, deadline=None)
@given(strings=st.lists(st.sampled_from(_STRINGS), min_size=1, max_size=6))
def test_strings_give_what_each_gives_by_itself(strings: list[str]) -> None:
    assert frames.unescaped(strings) == list(map(frames._unescaped_one, strings))


OF_DOCKER = '{{"log":"{}\\n","stream":"stdout","time":"{}"}}'
OF_THE_JOURNAL = (
    '{{"__CURSOR":"{}","__REALTIME_TIMESTAMP":"1705311015{:06}","_SYSTEMD_UNIT":"front.service",'
    '"MESSAGE":"{}"}}'
)
OF_STERN = '{{"message":"{}","nodeName":"n","podName":"front-{}","labels":{{"app":"{}"}}}}'
OF_LOKI = '{{"labels": {{"container": "front"}}, "line": "{}", "timestamp": "{}"}}'


@pytest.mark.parametrize(
    "objects",
    [
        [OF_DOCKER.format(LINE, f"2024-01-15T10:30:15.{number}Z") for number in range(50)],
        [OF_THE_JOURNAL.format(number, number, LINE) for number in range(50)],
        [OF_STERN.format(LINE, number % 3, number % 2) for number in range(50)],
        [OF_LOKI.format(LINE, f"2024-01-15T10:30:15.{number}Z") for number in range(50)],
    ],
    ids=["docker", "journal", "stern", "Loki"],
)
def test_frames_of_collectors_are_not_read_as_json(
    objects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first, and one for each source."""
    expected = _by_itself(objects)
    read: list[str] = []
    monkeypatch.setattr(frames, "_content", read.append)
    assert _at_once(objects) == expected
    assert read == []


@pytest.mark.parametrize(
    "others",
    [
        ['{"log":"","stream":"stdout","time":"x"}'],
        ['{"log":"}', '"}', '{"log":"","time":"x"}', '{"log":"x"}'],
        [OF_DOCKER.format(LINE, "")],
        [OF_DOCKER.format(LINE, TIME).replace("stdout", "stderr")],
        [OF_DOCKER.format(LINE, TIME).replace('"log"', '"logger"')],
        [OF_DOCKER.format(LINE, TIME)[1:]],
        [OF_DOCKER.format(LINE, TIME)[:-1]],
        [OF_DOCKER.format(LINE, r"2024-01-15\u0054")],
        [OF_DOCKER.format(LINE, "2024\t01")],
        [OF_DOCKER.format(r"x\n\",\"stream\":\"stdout\",\"time\":\"y", TIME)],
        [OF_DOCKER.format('x\\n","stream":"stdout","time":"y', TIME)],
        [OF_DOCKER.format("x" * 16_384, TIME)],
    ],
)
def test_an_object_with_other_texts_gives_what_it_gives_by_itself(others: list[str]) -> None:
    usual = [OF_DOCKER.format(LINE, f"2024-01-15T10:30:15.{number}Z") for number in range(20)]
    objects = [*usual, *others, *usual]
    assert _at_once(objects) == _by_itself(objects)


def test_few_objects_with_other_texts_leave_the_rest_at_their_fixed_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a block of the journal, the record of another unit is matched by the pattern."""
    usual = [OF_THE_JOURNAL.format(f"s=1;i={number}", number, LINE) for number in range(50)]
    other = usual[7].replace("front.service", "stock.service")
    usual.insert(7, other)
    matched: list[str] = []

    def note(objects: list[str], frame: Any) -> Contents:
        matched.extend(objects)
        return match(objects, frame)

    match = frames._matched
    monkeypatch.setattr(frames, "_matched", note)
    assert _at_once(usual) == _by_itself(usual)
    assert matched == [other]


@pytest.mark.parametrize(
    "text",
    [
        f'{{"log":"{LINE}","time":  "{TIME}"}}',
        f'{{"log"  :  "{LINE}","time":"{TIME}"}}',
        f'{{"log":"{LINE}",":":"x","time":"{TIME}"}}',
        f'{{"log":"{LINE}","":"x","time":"{TIME}"}}',
    ],
)
def test_an_object_that_no_collector_writes_gives_what_it_gives_by_itself(text: str) -> None:
    assert _at_once([text] * 3) == _by_itself([text] * 3)


def test_a_block_without_envelopes_has_no_lines() -> None:
    record = json.dumps({"timestamp": TIME, "level": "INFO", "message": "x"})
    assert contents([record, ""]) == Contents(("", ""), (None, None), ("", ""))


def test_an_object_of_many_names_has_no_frame() -> None:
    """An expression for all of them would take seconds to compile."""
    names = ",".join(f'"pod{number}":"x"' for number in range(20_000))
    objects = [f'{{"log":"{LINE}","stream":"x",{names}}}'] * 2
    assert frames._frame_of(objects[0]) is None
    assert _at_once(objects) == [(LINE, None, "")] * 2
