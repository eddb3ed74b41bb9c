"""Each form of a date stands at its moment, in whatever zone and year it was written."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.reader import LineReader, read
from asgi_trace._cli.logs.times import Clock, find_time, read_since, read_zone
from asgi_trace._cli.main import main

MOMENT = datetime(2024, 11, 22, 10, 30, 15, tzinfo=timezone.utc)
WRITTEN = datetime(2024, 11, 23, tzinfo=timezone.utc).timestamp()

FORMS = {
    "ours": "2024-11-22 10:30:15",
    "ours, precise": "2024-11-22 10:30:15.000+0000",
    "RFC 3339": "2024-11-22T10:30:15Z",
    "RFC 3339 with a zone": "2024-11-22T11:30:15.000000+01:00",
    "logging": "2024-11-22 10:30:15,000",
    "docker": "2024-11-22 10:30:15 +0000 UTC",
    "nginx's error log": "2024/11/22 10:30:15",
    "common log format": "22/Nov/2024:10:30:15 +0000",
    "common log format, another zone": "22/Nov/2024:05:30:15 -0500",
    "syslog": "Nov 22 10:30:15",
    "klog": "I1122 10:30:15.000000",
    "Spark": "24/11/22 10:30:15",
    "Apache's error log": "Fri Nov 22 10:30:15.000 2024",
    "RFC 5322": "Fri, 22 Nov 2024 10:30:15 GMT",
    "PostgreSQL": "2024-11-22 11:30:15.000 CET",
    "a zone of America": "2024-11-22 02:30:15 PST",
    "date(1)": "Fri Nov 22 11:30:15 CET 2024",
    "Cisco": "Nov 22 2024 10:30:15",
    "Kibana": "Nov 22, 2024 @ 10:30:15.000",
    "glog": "I20241122 10:30:15.000000",
    "the epoch": "1732271415.000000",
    "PHP": "22-Nov-2024 10:30:15 UTC",
    "PHP, a place": "22-Nov-2024 11:30:15 Europe/Berlin",
    "RFC 850": "Friday, 22-Nov-24 10:30:15 GMT",
    "Netlify": "Nov 22, 10:30:15 AM",
    "Boost": "2024-Nov-22 10:30:15.000",
    "a clock before its date": "10:30:15,000 2024-11-22",
    "a clock before its date in Germany": "10:30:15 22.11.2024",
    "a clock before its date in Britain": "10:30:15 22/11/2024",
    "a clock of twelve hours before its date": "10:30:15 AM, 2024/11/22",
    "pm2": "2024-11-22-10:30:15",
    "a short year and a half of the day": "11/22/24, 10:30:15 AM",
    "Tomcat": "22-Nov-2024 10:30:15.000",
    "Oracle": "22-NOV-2024 10:30:15",
    "java.util.logging": "Nov 22, 2024 10:30:15 AM",
    "Redis": "22 Nov 2024 10:30:15.000",
    "Redis 2": "22 Nov 10:30:15.000",
    ".NET, in words": "Friday, November 22, 2024 10:30:15 AM",
    "NestJS": "11/22/2024, 10:30:15 AM",
    "NestJS, with ICU's space": "11/22/2024, 10:30:15\u202fAM",
    "the day first": "22/11/2024 10:30:15",
    "the day first, with dashes": "22-11-2024 10:30:15",
    "Germany": "22.11.2024, 10:30:15",
    "dots": "2024.11.22 10:30:15",
    "gin": "2024/11/22 - 10:30:15",
    "fern": "2024-11-22][10:30:15",
    "Sweden": "2024-11-22, 10:30:15",
    "CloudFront": "2024-11-22\t10:30:15",
    "svlogd": "2024-11-22_10:30:15.00000",
    "ISO 8601, basic": "20241122T103015Z",
    "FIX": "20241122-10:30:15.000",
    "Java's zone": "2024-11-22T10:30:15Z[UTC]",
    "a zone of Australia": "2024-11-22 21:30:15 AEDT",
    "logcat": "11-22 10:30:15.000",
    "geth": "11-22|10:30:15.000",
    "JavaScript": "Fri Nov 22 2024 11:30:15 GMT+0100",
    "GMT and hours": "2024-11-22 08:30:15 GMT-2",
    "UTC and hours": "2024-11-22 16:00:15 UTC+05:30",
    "Erlang": "22-Nov-2024::10:30:15",
    "date(1) in Britain": "Fri 22 Nov 10:30:15 GMT 2024",
    "a zone of Britain": "2024-11-22 11:30:15 BST",
    "a zone of America, in summer": "2024-11-22 05:30:15.000 CDT",
    "ISO 8601, basic, with a fraction": "20241122T113015.000+0100",
    "ISO 8601, basic, with nanoseconds": "20241122T103015,000000000Z",
    "milliseconds behind a colon": "2024-11-22 10:30:15:000",
    "a browser's, in Britain": "22 Nov 2024, 10:30:15",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_each_form_is_read(text: str) -> None:
    """Alone, and where it stands in a line."""
    clock = Clock(timezone.utc, WRITTEN)
    assert clock.read(text.removesuffix("[UTC]")) == MOMENT.timestamp() * 1000
    for line in (f"{text} INFO x", f"[{text}] [error] x", f"host - [{text}] x"):
        match = find_time(line, 120)
        assert match is not None
        assert clock.read(match[0]) == MOMENT.timestamp() * 1000


_RECEIVED = "2024-11-22T10:30:14.125000000Z"


@pytest.mark.parametrize(
    ("first", "text", "is_read"),
    [
        (_RECEIVED, "2024-11-22T10:30:15.250000000Z", True),
        (_RECEIVED, "2024-11-22T10:30:15.25Z", True),
        ("2024-11-22T10:30:14.1+01:00", "2024-11-22T10:30:15.25+01:00", True),
        ("1732271415", "1732271415250000", True),
        ("1732271415250001", "1732271415250000", True),
        ("99999999999", "100000000000", True),
        (_RECEIVED, "2024-11-22T10:30:15Z", False),
        (_RECEIVED, "2024-11-22T10:30:15.25+01:00", False),
        (_RECEIVED, "2024-11-22T10:30:15.1e9999999Z", False),
        (_RECEIVED, "2024-11-22T10:30:15.1_3456789Z", False),
        (_RECEIVED, "2024-11-22T10:30:15.12345678\u0669Z", False),
        (_RECEIVED, "2024-11-22T10:30:15. 12345678Z", False),
        (_RECEIVED, "2024-11-22T10:30:15.25Z\n.25Z", False),
        (_RECEIVED, "2024-11-31T10:30:15.250000000Z", False),
        (_RECEIVED, "Fri Nov 22 10:30:1......2024.Z", False),
        ("2024-11-22T10:30:14.5", "2024-11-22T10:30:15.5", False),
        ("1732271415", "1732271415\u0669", False),
        ("1732271415", "1" * 32, False),
        ("1732271415", "0", False),
    ],
)
def test_many_times_are_read_as_one_is(first: str, text: str, is_read: bool) -> None:
    """Or not at once, where one of them is not in the same form as the first."""
    clock = Clock(timezone.utc)
    texts = [first, text]
    found = clock.read_all(texts)
    assert (found is not None) == is_read
    assert found in (None, [clock.read_value(each) for each in texts])


@given(digits=st.lists(st.text("0123456789", min_size=1, max_size=9), min_size=1, max_size=9))
def test_a_fraction_among_many_is_the_float_of_its_digits(digits: list[str]) -> None:
    clock = Clock(timezone.utc)
    texts = [f"2024-11-22T10:30:15.{fraction}Z" for fraction in digits]
    assert clock.read_all(texts) == [clock.read_value(text) for text in texts]


@pytest.mark.parametrize(
    "text", ["", "x", "99/Xyz/2024:10:30:15", "2024-02-30 10:30:15", "22.11.24 10:30:15", "12345"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert Clock().read(text) is None


@pytest.mark.parametrize(
    "date",
    [
        "22.11.24",
        "11/22/24",
        "2024-W47-5",
        "2024-327",
        "2024\u5e7411\u670822\u65e5",
        "vendredi 22 novembre 2024",
        "2024-Novembre-22",
        "Mai 22",
        "ao\u00fbt 22",
        "d\u00e9c. 22",
        "04/05/2024",
    ],
)
def test_a_date_that_is_not_known_is_never_today(date: str) -> None:
    """Also where the day and the month may be meant: a bare time beside it is no time."""
    clock = Clock(timezone.utc, WRITTEN)
    for line in (
        f"{date} 10:30:15 ERROR x",
        f"[{date} 10:30:15.250] x",
        f"shop {date}  10:30:15 x",
    ):
        match = find_time(line, 120)
        assert match is None or clock.read(match[0]) is None, line
        assert clock.read_value(line) is None


def test_one_date_shows_the_order_of_the_others() -> None:
    """And so does the time of the file: no line is later. A half of the day is America's, if large."""
    clock = Clock(timezone.utc, WRITTEN)
    assert clock.read("04/05/2024 10:30:15") is None
    assert clock.read("22/11/2024 10:30:15") == MOMENT.timestamp() * 1000
    fourth = datetime(2024, 5, 4, 10, 30, 15, tzinfo=timezone.utc).timestamp() * 1000
    assert clock.read("04/05/2024 10:30:15") == fourth
    for text, month, day in (
        ("11/12/2024 10:30:15", 11, 12),  # in December it was not yet written
        ("04/05/2024, 10:30:15 AM", 4, 5),
        ("04/05/2024, 10:30:15 am", 5, 4),
    ):
        expected = datetime(2024, month, day, 10, 30, 15, tzinfo=timezone.utc).timestamp() * 1000
        assert Clock(timezone.utc, WRITTEN).read(text) == expected


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("[11/12/24, 10:30:15:250 UTC]", "2024-11-12 10:30:15.250"),
        ("[3/5/24 9:30:15:250 EST]", "2024-03-05 14:30:15.250"),
        ("[11/12/24 10:30:15:250 CST]", "2024-11-12 10:30:15.250"),
        ("2024-11-22 10:30:15:250 INFO", "2024-11-22 10:30:15.250"),
        ("20241122T103015.250Z", "2024-11-22 10:30:15.250"),
        ("22-Nov-2024 10:30:15:250", "2024-11-22 10:30:15.250"),
    ],
)
def test_milliseconds_are_read_behind_a_colon_and_in_the_basic_form(text: str, moment: str) -> None:
    """The servers of IBM write them so, with the month first."""
    expected = datetime.fromisoformat(f"{moment}+00:00").timestamp() * 1000
    match = find_time(f"{text} x", 120)
    assert match is not None
    assert Clock(timezone.utc, WRITTEN).read(match[0]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Fri Nov 22 10:30:15 CST 2019",
        "Fri 22 Nov 10:30:15 CST 2019",
        "Fri 22 Nov 10:30:15 UTC 2019",
        "Fri Nov 22 10:30:15 +0000 2019",
        "Fri Nov 22 10:30:15 AM IST 2019",
    ],
)
def test_the_year_behind_a_zone_is_that_of_the_date(text: str) -> None:
    """Also behind one that is not known, which is then the zone of the log."""
    expected = datetime(2019, 11, 22, 10, 30, 15, tzinfo=timezone.utc).timestamp() * 1000
    match = find_time(f"{text} x", 120)
    assert match is not None
    assert Clock(timezone.utc, WRITTEN).read(match[0]) == expected


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2024-11-22 10:30:15 PM", 22),
        ("11/22/2024, 9:30:15 AM", 9),
        ("11/22/2024, 12:30:15 AM", 0),
        ("11/22/2024 12:30:15.000 PM", 12),
        ("Nov 22, 2024 1:30:15 PM", 13),
        ("Nov. 22, 2024, 1:30:15 p.m.", 13),
    ],
)
def test_a_clock_of_twelve_hours_is_read_with_its_half(text: str, hour: int) -> None:
    moment = MOMENT.replace(hour=hour).timestamp() * 1000
    assert Clock(timezone.utc, WRITTEN).read_value(text) == moment
    match = find_time(f"[{text}] ERROR x", 120)
    assert match is not None
    assert Clock(timezone.utc, WRITTEN).read(match[0]) == moment


@pytest.mark.parametrize("line", ["[10.30 16:49:06] x", "10.30 16:49:06 x", "22/11 10:30:15 x"])
def test_a_date_of_two_numbers_is_never_today(line: str) -> None:
    assert find_time(line, 120) is None


def test_the_date_of_an_old_mysql_begins_its_line() -> None:
    """Elsewhere six digits are any number."""
    match = find_time("241122  9:30:15 [ERROR] x", 120)
    assert match is not None
    assert Clock(timezone.utc, WRITTEN).read(match[0]) == 1_732_267_815_000
    for line in ("[241122 10:30:15.250] x", "shop 241122  10:30:15 x"):
        assert find_time(line, 120) is None


def test_a_place_that_is_not_known_gives_no_time() -> None:
    """Any guess would be wrong by hours."""
    assert Clock().read("22-Nov-2024 10:30:15 Europe/Nowhere") is None


@pytest.mark.parametrize("level", ["DEBUG   ", "INFO    ", "WARNING ", "ERROR   ", "CRITICAL"])
def test_richs_date_has_the_month_first(level: str) -> None:
    """Its level shows whose date it is."""
    match = find_time(f"[11/12/24 10:30:15] {level} x", 120)
    assert match is not None
    expected = datetime(2024, 11, 12, 10, 30, 15, tzinfo=timezone.utc).timestamp() * 1000
    assert Clock(timezone.utc, WRITTEN).read(match[0]) == expected


@pytest.mark.parametrize(
    "line",
    [
        "INFO: the certificate expires 2030-01-01 00:00:00",
        "ERROR connection from 10.0.0.1 () at Fri Jul  1 07:57:30 2005",
        "INFO shop: retry at 10:30:15",
        "WARNING shop: closed until 2030-01-01T00:00:00Z",
    ],
)
def test_a_time_in_a_sentence_is_not_the_lines_own(line: str) -> None:
    assert find_time(line, 120) is None


def test_a_number_behind_a_time_is_no_zone() -> None:
    match = find_time("2024-11-22 10:30:15 -1 left", 120)
    assert match is not None
    assert match[0] == "2024-11-22 10:30:15"


def test_a_date_in_the_name_of_a_file_is_not_the_lines_own() -> None:
    match = find_time("nova.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 12 INFO x", 120)
    assert match is not None
    assert match[0] == "2017-05-16 00:00:00.008"


@pytest.mark.parametrize(
    ("line", "second"),
    [
        ("1.732271415250e+09\tinfo\tx", 15.25),  # zap
        ("[1732271415] SERVICE ALERT: x", 15),  # Nagios
        ("1732271415: mosquitto version 2 starting", 15),
        ("10:30AM ERR x", 0),  # zerolog
        ("10:30:15 AM ERR x", 15),
        ("1732271415 ERROR x", 15),
        ("1732271415250 [INFO] x", 15.25),
        ("1732271415250000000|WARN|x", 15.25),
        ("[I 241122 10:30:15 web:2348] x", 15),  # Tornado
        ("@4000000067405d411dcd6500 x", 15.5),  # multilog
        ("took @4000000067405d411dcd6500 x", None),
        ("took 1732271415: x", None),
        ("see [1732271415] x", None),
        ("at 10:30AM x", None),
        ("1732271415 x", None),
    ],
)
def test_a_number_or_a_short_time_counts_where_its_writer_puts_it(
    line: str, second: float | None
) -> None:
    """At the beginning of a line; nowhere else, where it may be anything."""
    match = find_time(line, 120)
    moment = None if match is None else Clock(timezone.utc, WRITTEN + 12 * 3600).read(match[0])
    assert (None if moment is None else moment / 1000 % 60) == second


@given(st.integers(10**12, 4 * 10**12))
def test_a_number_in_a_smaller_unit_is_exact(milliseconds: int) -> None:
    """A millisecond less would show another time."""
    for unit in (1, 10**3, 10**6):
        for value in (milliseconds * unit, str(milliseconds * unit)):
            assert Clock().read_value(value) == milliseconds


@pytest.mark.parametrize(
    "value",
    [
        1_732_271_415,
        1_732_271_415_000,
        "1732271415000000",
        1_732_271_415_000_000_000,
        "1732271415.0",
        1732271415.0,
        {"epochSecond": 1_732_271_415, "nanoOfSecond": 0},
        {"seconds": "1732271415", "nanos": 0},
        {"date": "2024-11-22T10:30:15Z", "timezone_type": 3},
        {"$date": "2024-11-22T10:30:15.000Z"},
        {"$date": {"$numberLong": "1732271415000"}},
    ],
)
def test_a_number_counts_from_the_epoch(value: Any) -> None:
    """In seconds, milli-, micro- or nanoseconds."""
    assert Clock().read_value(value) == MOMENT.timestamp() * 1000


@pytest.mark.parametrize(
    ("written", "year"),
    [("2024-02-29", 2024), ("2024-02-10", 2020), ("2025-03-02", 2024), ("2027-02-10", 2024)],
)
def test_a_leap_day_without_a_year_is_the_last_one(written: str, year: int) -> None:
    moment = datetime.fromisoformat(f"{written}T12:00:00+00:00").timestamp()
    expected = datetime(year, 2, 29, 10, 30, 15, tzinfo=timezone.utc).timestamp() * 1000
    assert Clock(timezone.utc, moment).read("Feb 29 10:30:15") == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["Dec 31 23:59:59 lb sshd[1]: a", "Jan  1 00:00:01 lb sshd[1]: b"],
            ["2024-12-31 23:59:59", "2025-01-01 00:00:01"],
        ),
        (
            ["E1231 23:59:59.000000 1 a.go:1] a", "E0101 00:00:01.000000 1 a.go:1] b"],
            ["2024-12-31 23:59:59", "2025-01-01 00:00:01"],
        ),
    ],
)
def test_a_year_that_is_missing_is_that_of_the_file(
    tmp_path: Path, lines: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last such day before it was written; so a log may go on into the next year."""
    path = tmp_path / "syslog"
    path.write_text("\n".join(lines))
    written = datetime(2025, 1, 1, 12, tzinfo=timezone.utc).timestamp()
    os.utime(path, (written, written))
    from asgi_trace._cli.logs.wanted import Wanted

    wanted = Wanted(zone=timezone.utc)
    found = [entry for batch in read(Log(str(path), pytest.fail), 0, wanted) for entry in batch]
    moments = [
        datetime.fromtimestamp(entry.time / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        for entry in found
    ]
    assert moments == expected


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("10:30:15: Starting worker", "10:30:15"),  # arq
        ("10:30:15:250 x", None),
        ("10:30:15:aa:bb:cc is up", None),
        ("10:30:155 x", None),
    ],
)
def test_a_colon_ends_a_bare_time_where_a_blank_is_behind_it(line: str, found: str | None) -> None:
    match = find_time(line, 120)
    assert (match and match[0]) == found


def test_a_bare_time_swallows_no_date_beside_it() -> None:
    """Whichever stands first."""
    for line in (
        "10:30:14 2024-11-22 10:30:15 x",
        "[10:30:14] Fri Nov 22 10:30:15 2024 x",
        "2024-11-22 10:30:15 10:30:14",
    ):
        match = find_time(line, 120)
        assert match is not None
        assert Clock(timezone.utc).read(match[0]) == MOMENT.timestamp() * 1000


def test_a_zone_is_that_of_the_log() -> None:
    """By its name, in summer and winter, and where clocks are set back."""
    berlin = ZoneInfo("Europe/Berlin")
    for text, offset in (
        ("2024-07-22 10:30:15", 2),
        ("2024-11-22 10:30:15", 1),
        ("2024-07-22T10:30:15Z", 0),
    ):
        expected = datetime.fromisoformat(text.replace("Z", "")).replace(
            tzinfo=timezone(timedelta(hours=offset))
        )
        assert Clock(berlin).read(text) == expected.timestamp() * 1000
    clock = Clock(berlin)
    before = clock.read("2024-10-27 02:59:59")
    assert before is not None
    clock.last = before
    assert clock.read("2024-10-27 02:00:01") == before + 2000


@pytest.mark.parametrize("count", [1, 300])
def test_a_second_that_comes_twice_is_two_moments(count: int) -> None:
    """The log goes on, in any number of lines, and with a time that was read before."""
    reader = LineReader(zone=ZoneInfo("Europe/Berlin"))
    clocks = ("02:30:00,100", "02:59:59,100", "02:30:00,200", "02:59:59,200", "03:10:00,000")
    lines = [
        f"2024-10-27 {clock} - INFO - [req=r|session=s] - x\n"
        for clock in clocks
        for _ in range(count)
    ]
    given = [line.rstrip("\n") for line in lines]
    entries = reader.read_text("".join(lines), given) + reader.finish()
    assert [round(entry.time / 1000 - 1_729_989_000, 1) for entry in entries[::count]] == [
        0.1,
        1799.1,
        3600.2,
        5399.2,
        6000.0,
    ]


@pytest.mark.parametrize("name", ["Nowhere/Else", "../etc/passwd", "+1", ""])
def test_a_zone_that_is_none_is_one_sentence(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"^--tz is .*; expected a time zone such as Europe/Berlin"
    ):
        read_zone(name)


def test_since_is_in_the_zone_of_the_log() -> None:
    assert read_since("2024-11-22 11:30:15", read_zone("Europe/Berlin")) == MOMENT.timestamp()
    assert read_since("2024-11-22 11:30:15", read_zone("+01:00")) == MOMENT.timestamp()


def _stamped(stamp: str, message: str) -> str:
    return f"{stamp} - INFO - [req=r1|session=s1] - {message}\n"


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """The same request in two logs: one of Berlin without a zone, one in UTC."""
    berlin, utc = tmp_path / "berlin.log", tmp_path / "utc.log"
    berlin.write_text(
        _stamped("2024-11-22 11:30:15", "second") + _stamped("2024-11-22 11:30:17", "fourth")
    )
    utc.write_text(
        "".join(
            _stamped(f"2024-11-22 10:30:{second}Z", name)
            for second, name in ((14, "first"), (16, "third"))
        )
    )
    return [str(berlin), str(utc)]


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no tzset()")
@pytest.mark.parametrize("local", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_logs_of_two_zones_are_in_order(
    logs: list[str],
    local: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    With --tz, whatever the zone of the machine; without it, a hint says by how many hours they are
    apart.
    """
    monkeypatch.setenv("TZ", local)
    time.tzset()
    try:
        assert main(["grep", "--tz", "Europe/Berlin", "--request", "r1", *logs]) == 0
        out, err = capfd.readouterr()
        assert [line.rsplit(" ", 1)[1] for line in out.splitlines()] == [
            "first",
            "second",
            "third",
            "fourth",
        ]
        assert err == ""
        page = str(tmp_path / "page.html")
        assert main(["view", "--tz", "Europe/Berlin", "-o", page, *logs]) == 0
        assert capfd.readouterr().err == ""
        assert main(["view", "-o", page, *logs]) == 0
        err = capfd.readouterr().err
    finally:
        monkeypatch.undo()
        time.tzset()
    hours = {"UTC": "1 h after", "America/New_York": "6 h after"}
    if local in hours:
        assert err == (
            f"asgi-trace view: the times of {logs[0]} have no zone and stand {hours[local]} those of {logs[1]} "
            "for the same requests; --tz names the zone\n"
        )
    else:
        assert err == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("22.11.2024 10:30:15 - INFO - [req=r1|session=s1] - in a form of somebody's own", 1),
        ('{"level": "INFO", "message": "without a time", "request_id": "r1"}', 1),
        (
            '{"timestamp": "2019-11-22T10:30:15Z", "message": "old", "request_id": "r1"}\n'
            '{"timestamp": "in the morning", "message": "kept", "request_id": "r1"}',
            1,
        ),
        ("2019-11-22 10:30:15 - INFO - [req=r1|session=s1] - old\n  with its further line", 0),
    ],
)
def test_since_keeps_what_has_no_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, kept: int
) -> None:
    """A record whose time cannot be read may be new; the further lines of an old one are old."""
    path = tmp_path / "app.log"
    path.write_text(text + "\n")
    code = main(["grep", "--request", "r1", "--since", "2020-01-01", str(path)])
    out, err = capfd.readouterr()
    assert (code, err) == (1 - kept, "")
    assert out.splitlines() == text.splitlines()[len(text.splitlines()) - kept :] * (kept > 0)
    page = tmp_path / "page.html"
    assert main(["view", "--since", "2020-01-01", "-o", str(page), str(path)]) == 1 - kept


def test_a_line_without_a_time_has_that_of_the_line_before() -> None:
    reader = LineReader()
    lines = ['{"timestamp": 1732271415, "message": "a"}', '{"message": "b", "level": "INFO"}']
    first, second = reader.read(lines) + reader.finish()
    assert (first.time, second.time) == (1_732_271_415_000, 1_732_271_415_000)
    assert (second.more or {})["undated"] is True


@pytest.mark.parametrize(
    ("first", "then", "days"),
    [("10:30:15", "10:31:00", (22, 22)), ("23:50:00", "00:05:00", (21, 22)), ("11:10:00", "11:20:00", (22, 22))],
)  # fmt: skip
def test_a_bare_time_is_of_the_day_of_the_log(first: str, then: str, days: tuple[int, int]) -> None:
    """Or of the day before, where it was not that late when the log was last written."""
    written = datetime(2024, 11, 22, 11, 0, tzinfo=timezone.utc).timestamp()
    clock = Clock(timezone.utc, written)
    for text, day in zip((first, then), days, strict=True):
        clock.last = clock.read(text) or -1
        moment = datetime.fromtimestamp(clock.last / 1000, timezone.utc)
        assert (moment.month, moment.day, f"{moment:%H:%M:%S}") == (11, day, text)


@pytest.mark.parametrize("second", [13, 15])
def test_a_bare_time_is_near_the_dated_line_before_it(second: int) -> None:
    """A log may go on for days, and be saved long after its last line."""
    written = datetime(2024, 11, 29, 11, 0, tzinfo=timezone.utc).timestamp()
    reader = LineReader(when=written * 1000, zone=timezone.utc)
    bare = f"10:30:{second}.250 request_id=r1 [info] GET /x"
    lines = [
        line
        for day in (20, 21, 24)
        for line in (f"2024-11-{day} 10:30:14,250 INFO shop x", bare, bare)
    ]
    entries = list(reader.read(lines) + reader.finish())
    for place in range(0, len(lines), 3):
        dated, *others = entries[place : place + 3]
        ahead = [entry.time - dated.time for entry in others]
        assert ahead == [(second - 14) * 1000] * 2
