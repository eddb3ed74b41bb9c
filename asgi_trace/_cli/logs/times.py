"""
The forms of the time in a log line, and the moment that a time means.

A form is one regular expression; one function reads them all. The zone, the year or the day may be
missing: the zone is then the one assumed for the log, the year and the day those of the log's last
change or, past midnight, the next day.
"""

from __future__ import annotations

import re
import time
from calendar import isleap
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..._core.patterns import Pattern

__all__ = ("POWERS", "Clock", "find_time", "is_zoned", "read_duration", "read_since", "read_zone")

# The half of the day, where a clock has twelve hours; the narrow space is that of ICU.
_HALF = r"(?P<half>[AP]\.?M\.?|[ap]\.?m\.?)(?!\w)"
_IN_HALF = rf"(?:[ \u202f]?{_HALF})?"
_FRACTIONS = r"(?:[.,](?P<fraction>\d{1,9}))?"
# Behind a date, formats of Java have the milliseconds behind a colon.
_OF_SECOND = r"(?:(?:[.,]|:(?=\d{3}(?!\d)))(?P<fraction>\d{1,9}))?"
_CLOCK = rf"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d){_OF_SECOND})?{_IN_HALF}"
_SECOND = rf"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d){_OF_SECOND}{_IN_HALF}"
# The names of zones that mean one offset everywhere, in hours; EST is that of RFC 5322.
_NAMED = {"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
_NAMED |= {"EST": -5, "EDT": -4, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "MSK": 3}
_NAMED |= {"CDT": -5, "AKST": -9, "AKDT": -8, "HST": -10, "BST": 1, "EAT": 3, "AWST": 8, "HKT": 8}
_NAMED |= {"SAST": 2, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13}
_NAMES = "|".join(_NAMED)
# JavaScript writes GMT+0100.
_OFFSET = r"(?:(?:GMT|UTC)[+-]\d\d?|[+-]\d\d)(?::?\d\d)?"
# PHP writes the name of a place.
_PLACE = r"(?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_/-]{2,40}"
_ZONE = rf"(?: ?(?P<zone>(?:{_NAMES})(?![+-]\d)|{_OFFSET})(?: UTC)?(?![\w:]))?"
_ZONE_OF_DATE = rf"(?: (?:(?P<zone>{_NAMES}|{_OFFSET})|[A-Z]{{2,5}}))?"
_ZONE_OR_PLACE = _ZONE.replace(_OFFSET, f"{_OFFSET}|{_PLACE}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    rf"(?P<name>[ADFJMNOSadfjmnos][A-Za-z][A-Za-z](?<=(?i:{'|'.join(_MONTHS)})))"
    r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
)
# A number that begins a form, and is no part of a longer one or of a file's name. A form that
# begins with a character is tried faster than one that begins with a condition.
_YEAR = r"(?P<year>\d(?<![\d.]\d)\d{3})"
# A clock before its date, and no other time behind that: the date would be that one's.
_CLOCK_FIRST = (
    rf"(?P<hour>\d(?<![\d:.]\d)\d):(?P<minute>\d\d):(?P<second>\d\d){_FRACTIONS}{_IN_HALF},? "
)
_NO_CLOCK = r"(?![\w.-]|,?[T ]\d\d?:)"
_WEEKDAY = r"(?:[A-Z][a-z]{2,8},? )?"

# In the order in which they are tried. Each has its own beginning and end, so that none matches a
# part of another. A weekday may stand before each.
_FORMS = (
    # 2026-11-22T10:30:15.250Z, 2026-11-22 10:30:15,250 +01:00, 2026/11/22 10:30:15 of nginx's
    # error log and Go, 2026/11/22 - 10:30:15 of gin, [2026-11-22][10:30:15] of fern,
    # 2026-11-22-10:30:15 of pm2
    rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?:[T \t_-]|, | - | at |\] ?\[){_CLOCK}{_ZONE}",
    # 20261122T103015Z and 20261122 10:30:15: the basic form of ISO 8601
    rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d){_FRACTIONS}{_ZONE}",
    rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)[T _-]{_SECOND}{_ZONE}",
    # 22/Nov/2026:10:30:15 +0000: the common log format; 22-Nov-2026 10:30:15: PHP, Tomcat;
    # 22-Nov-2026::10:30:15: Erlang
    rf"(?P<day>\d\d?)(?P<mark>[/-]){_MONTH}(?P=mark)(?P<year>\d{{4}})(?:::?| ){_SECOND}{_ZONE_OR_PLACE}",
    # Sunday, 22-Nov-26 10:30:15 GMT: RFC 850; 2026-Nov-22 10:30:15: Boost
    rf"(?P<day>\d\d)-{_MONTH}-(?P<short_year>\d\d) {_SECOND}{_ZONE}",
    rf"{_YEAR}(?P<mark>[ -]){_MONTH}(?P=mark)(?P<day>\d\d) {_SECOND}{_ZONE}",
    # Sun Nov 22 10:30:15.250 2026: Apache's error log, ctime(), and date(1) with a zone, which may
    # be one that has no single offset; Sun 22 Nov 10:30:15 GMT 2026: date(1) in Britain
    rf"{_MONTH} {{1,2}}(?P<day>\d\d?) {_SECOND}{_ZONE_OF_DATE} (?P<year>\d{{4}})(?!\d)",
    rf"(?P<day>\d\d?) {_MONTH} {_SECOND}{_ZONE_OF_DATE} (?P<year>\d{{4}})(?!\d)",
    # Nov 22 2026 10:30:15: Cisco; Nov 22, 2026 @ 10:30:15.250: Kibana; Nov 22, 2026 10:30:15 AM: Java
    rf"{_MONTH} {{1,2}}(?P<day>\d\d?),? (?P<year>\d{{4}}),?(?: @| at)? {_SECOND}{_ZONE}",
    # Nov 22, 10:30:15 AM: Netlify
    rf"{_MONTH} (?P<day>\d\d?), {_SECOND}(?! \d{{4}}\b)",
    # Sun, 22 Nov 2026 10:30:15 GMT: RFC 5322; 22 Nov 10:30:15: Redis, before its version 3
    rf"(?P<day>\d\d?) {_MONTH} (?:(?P<year>\d{{4}}),? )?{_SECOND}{_ZONE}",
    # Nov 22 10:30:15: syslog (RFC 3164)
    rf"{_MONTH} {{1,2}}(?P<day>\d\d?) {_SECOND}(?!(?: [A-Z]{{2,5}})? \d{{4}}\b)",
    # E1122 10:30:15.123456: klog; E20261122 10:30:15.123456: glog
    rf"[IWEF](?<!\w[IWEF])(?P<year>\d{{4}})?(?P<month>\d\d)(?P<day>\d\d) {_SECOND}",
    # [11/22/26 10:30:15] INFO: Rich, which the SDKs of MCP log with
    r"\[(?P<month>\d\d)/(?P<day>\d\d)/(?P<short_year>\d\d) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)\]"
    r"(?=\Z| +(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) )",
    # [I 261122 10:30:15: Tornado
    rf"\[[DIWEC] (?P<short_year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {_SECOND}",
    # 261122 10:30:15: MySQL, before its version 5.7
    rf"\A(?P<short_year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {{1,2}}{_SECOND}",
    # 11/22/26 10:30:15 AM: where clocks have twelve hours, the month is first
    r"(?P<month>\d(?<![\d/]\d)\d?)/(?P<day>\d\d?)/(?P<short_year>\d\d),? (?P<hour>\d\d?):(?P<minute>\d\d):"
    rf"(?P<second>\d\d){_FRACTIONS}[ \u202f]?{_HALF}{_ZONE}",
    # [11/22/26, 10:30:15:250 UTC]: the servers of IBM, with the month first
    rf"\[(?P<month>\d\d?)/(?P<day>\d\d?)/(?P<short_year>\d\d),? (?P<hour>\d\d?):(?P<minute>\d\d):"
    rf"(?P<second>\d\d)(?::(?P<fraction>\d{{3}}))? (?:(?P<zone>{_NAMES})|[A-Z]{{2,5}})(?=\]|\Z)",
    # 26/11/22 10:30:15: Spark
    r"(?P<short_year>\d(?<![\d/]\d)\d)/(?P<month>\d\d)/(?P<day>\d\d) (?P<hour>\d\d):(?P<minute>\d\d):"
    rf"(?P<second>\d\d){_FRACTIONS}(?! ?[AaPp][Mm]\b)",
    # 22.11.2026 10:30:15: the day is first
    rf"(?P<day>\d(?<![\d.]\d)\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}}),? {_SECOND}{_ZONE}",
    # 11/22/2026, 10:30:15 AM: Node, .NET; 22/11/2026 10:30:15: the day or the month is first
    r"(?P<first>\d(?<![\d/-]\d)\d?)(?P<mark>[/-])(?P<second_part>\d\d?)(?P=mark)(?P<year>\d{4}),? "
    rf"{_SECOND}{_ZONE}",
    # 10:30:15 2026-11-22, 10:30:15 22.11.2026, 10:30:15 22/11/2026: formats of programs' own
    rf"{_CLOCK_FIRST}(?P<year>\d{{4}})(?P<mark>[/-])(?P<month>\d\d)(?P=mark)(?P<day>\d\d){_NO_CLOCK}",
    rf"{_CLOCK_FIRST}(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{{4}}){_NO_CLOCK}",
    rf"{_CLOCK_FIRST}(?P<first>\d\d)(?P<mark>[/-])(?P<second_part>\d\d)(?P=mark)(?P<year>\d{{4}}){_NO_CLOCK}",
    # 11-22 10:30:15.250: Android, stern; 11-22|10:30:15.250: log15, geth
    rf"(?P<month>\d(?<![\d-]\d)\d)-(?P<day>\d\d)[ |]{_SECOND}",
)
_DAY = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_HOURS = r"(?<![\d:])(?P<hour>\d\d):(?P<minute>\d\d)"
_BARE = rf"{_HOURS}(?::(?P<second>\d\d){_FRACTIONS})?{_IN_HALF}{_ZONE}"
# 9:30:15 PM; and 9:30PM, which begins a line of zerolog
_SHORT = rf"(?<![\d:])(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d){_FRACTIONS}[ \u202f]?{_HALF}{_ZONE}"
_KITCHEN = rf"\A(?P<hour>\d\d?):(?P<minute>\d\d){_HALF}"

_READ = tuple(Pattern(f"{_WEEKDAY}{form}") for form in (*_FORMS, _BARE, _SHORT, _KITCHEN, _DAY))


def _without_names(form: str, number: int = 0) -> str:
    """Return a *form* whose groups have no names, except a mark that is repeated."""
    form = re.sub(r"\(\?P<(?!mark>)\w+>", "(?:", form)
    return re.sub(r"(?<=\?P[<=])mark(?=[>)])", f"mark_{number}", form)


# The seconds since the epoch: a fraction, a bracket or a colon shows that a number is no other one.
# In 1.7322714151e+09 of zap it is a float. Before a level it may be in smaller units.
_EPOCH = (
    r"(?<![\w.:/-])1\d{9}\.\d{3,9}(?![\w.:/-])|\A1\.\d{4,18}e\+09(?!\w)"
    r"|(?<=\A\[)1\d{9}(?=\])|\A1\d{9}(?=: )"
    r"|\A1\d{9}(?:\d{3}){0,3}(?=[ \t|:,]{1,3}\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b)"
    r"|\A@4[0-9a-f]{15}[0-3][0-9a-f]{7}(?= )"
)
# TAI64N, as multilog and svlogd write it.
_is_label = re.compile(r"@(4[0-9a-f]{15})([0-3][0-9a-f]{7})").fullmatch
_LABEL_OF_1970 = 2**62 + 10
_is_epoch = re.compile(r"1\d{9}(?:(?:\d{3}){1,3}|\.\d{3,9})?|1\.\d{4,18}e\+09").fullmatch
_DATED = Pattern(
    "|".join((*(f"(?:{_without_names(form, at)})" for at, form in enumerate(_FORMS)), _EPOCH))
)
# No time is without one of these.
_SOME_TIME = Pattern(r"\d:\d\d(?!\d)|\d{10}|\dT\d{6}|\.\d+e\+|@4")
_UNDATED = Pattern(
    _without_names(rf"{_SHORT}|{_KITCHEN}|{_HOURS}:(?P<second>\d\d){_FRACTIONS}{_ZONE}(?!\d|:\w)")
)
# A date in a form that is not known, before a bare time: the time is not one of today. Sanic numbers
# its workers.
_UNKNOWN_DATE = Pattern(
    r"(?:(?<![\d.])\d{1,4}(?P<mark>[./-])(?:\d{1,2}|[A-Za-z]{3,9})(?P=mark)\d{1,4}|\d{4}-(?:\d{3}|W\d\d(?:-\d)?)"
    r"|\b(?:19|20)\d\d|\b(?!Srv )[A-Z][a-z]{2}\.? +\d\d?|(?<!\d)\d{6}|\u65e5|\A\W?\d{1,2}[./]\d{1,2}"
    # the months of syslog in French, German, Spanish, Portuguese, Italian and Dutch
    r"|\b(?i:janv|f\u00e9vr?|mars|avr|mai|juin|juil|ao\u00fbt|sept|d\u00e9c|m\u00e4r|mrz|okt|dez|ene|abr|ago|dic|fev"
    r"|set|out|gen|mag|giu|lug|ott|mrt|mei)\.? +\d\d?)\.?(?:[T_-]|,? {1,2}| - |\] ?\[)\Z"
)
# A word before a time in a sentence, or the slash of a path: the time is not the line's own.
_IN_SENTENCE = Pattern(
    r"/\Z|\b(?:at|after|before|between|by|due|expired?|expires|for|from|is|on|since|till|to|until|was) "
    r"(?:[A-Z][a-z]{2},? )?\Z"
)
_FRACTION = Pattern(
    r"(?<=:\d\d)[.,](\d{1,9})|(?<=:\d\d:\d\d):(\d{3})(?!\d)|(?<=\d{8}T\d{6})[.,](\d{1,9})"
)
_ZONED = Pattern(rf"(?:{_NAMES}|(?::\d\d|T\d{{6}})(?:[.,:]\d+)? ?(?:{_OFFSET}|{_PLACE}))\Z")


_SHORTEST_TIME = len("10:30:15")
_BESIDE = Pattern(rf"\W*{_WEEKDAY}")
_BEGINNING = 24  # with the name of a worker


def find_time(text: str, end: int) -> re.Match[str] | None:
    """
    Return the first time before *end* that has a date, else the first that has none; None, if an
    unknown date is before it, or a word of a sentence. Where a line begins with a time and a word,
    a date behind them is one of its message.
    """
    if _SOME_TIME.search(text, 0, end) is None:
        return None
    dated = _DATED.search(text, 0, end)
    if dated is not None and dated.start() >= _SHORTEST_TIME:
        begins = _UNDATED.search(text, 0, min(dated.start(), _BEGINNING))
        if (
            begins is not None
            and _UNKNOWN_DATE.search(text, 0, begins.start()) is None
            and _BESIDE.fullmatch(text, begins.end(), dated.start()) is None
        ):
            dated = None
    match = _UNDATED.search(text, 0, end) if dated is None else dated
    if match is None:
        return None
    start = match.start()
    if start and _IN_SENTENCE.search(text, max(0, start - 16), start):
        return None
    return None if dated is None and _UNKNOWN_DATE.search(text, 0, start) else match


def is_zoned(text: str) -> bool:
    """Whether a time names its zone, or counts from the epoch."""
    return text.endswith("Z") or _ZONED.search(text) is not None or bool(_is_epoch(text))


# -- the user's options ----------------------------------------------------------------------------

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_duration(option: str, text: str) -> float:
    """
    Return the seconds in the *text* of an *option*.

    :raises ValueError: with a sentence for the user.
    """
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)\s*", text, re.ASCII)
    if match is None:
        raise ValueError(
            f"{option} is {text!r}; expected a number with its unit, such as 250ms, 1.5s, 10m, 2h or 1d"
        )
    return float(match[1]) * _SECONDS[match[2]]


def read_since(text: str, zone: tzinfo | None = None) -> float:
    """
    Return the seconds since the epoch of a time, or of a moment that is a duration ago.

    :param zone: of a time that names none; the machine's own when left out.
    :raises ValueError: with a sentence for the user.
    """
    when = Clock(zone).read(text.strip())
    if when is not None:
        return when / 1000
    try:
        return time.time() - read_duration("--since", text)
    except ValueError:
        raise ValueError(
            f"--since is {text!r}; expected how long ago, such as 10m, or a time such as '2024-01-15 10:30' or 10:30"
        ) from None


def read_zone(name: str) -> tzinfo:
    """
    Return the time zone with a *name* of the IANA database, or with an offset such as ``+01:00``.

    :raises ValueError: with a sentence for the user.
    """
    try:
        if re.fullmatch(r"[+-]\d\d:?\d\d", name) is not None:
            return timezone(_offset(name))
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"--tz is {name!r}; expected a time zone such as Europe/Berlin, UTC or +01:00"
        ) from None


# -- reading ---------------------------------------------------------------------------------------

_OF_MONGODB = (("$date", ""), ("$numberLong", ""))
# The names of the parts of a time: of log4j, of Google Cloud, of Monolog.
_PARTS = (("epochSecond", "nanoOfSecond"), ("seconds", "nanos"), ("date", ""), *_OF_MONGODB)
# Numbers count from the epoch in seconds, milli-, micro- or nanoseconds: their size decides, until
# the year 5138. The factor and the divisor are whole: a quotient of whole numbers is exact.
_UNITS = ((1e11, 1000, 1), (1e14, 1, 1), (1e17, 1, 10**3), (1e20, 1, 10**6))
# In 1973: a smaller number is a duration or counts something.
_EARLIEST = 1e8
_LENGTHS = frozenset(range(1, 32))  # of a number that may be a time
_DAY_LENGTH = 86_400.0
# The part of a day by which a time without a date may be later than the line before.
_MOST_AHEAD = 0.75
_NOON = 12
_LEAP_DAY = (2, 29)
_HOURS_DIGITS = 2
_HOUR_LENGTH = 3_600.0
_MOST_KNOWN = 4096
# The rest of a time after its second, as collectors write it: the fraction and the zone.
_FRACTION_AND_ZONE = Pattern(r"\.[0-9]{1,9}(Z|[+-][0-9]{2}:?[0-9]{2})")
POWERS = tuple(10**digits for digits in range(10))
"""The number that a fraction of a second is divided by, for each number of its digits."""
# The milliseconds for each text of a fraction, such as ".250".
_MILLISECONDS = {
    f"{mark}{number:03}": float(f"0.{number:03}") * 1000 for mark in ".," for number in range(1000)
}


class Clock:
    """
    The times of one log, in milliseconds since the epoch: an ``int`` where a time has no fraction
    of a second.

    Each second is computed once. ``last`` is the time of the line before, in the same unit, or -1.

    :param zone: of times that name none; the machine's own when left out.
    :param written: when the log was last written, in seconds since the epoch; now, when left out.
    """

    def __init__(self, zone: tzinfo | None = None, written: float | None = None) -> None:
        self.last = -1.0
        self.zone = zone
        self.is_zone_assumed = False
        self.is_ambiguous = (
            False  # whether clocks were set forward or back at a time without a zone
        )
        self._written = written
        self._known: dict[str, float | None] = {}
        # Times without a date, in seconds since the epoch, on the first day of such times; and the
        # days that have passed since then.
        self._bare: dict[str, float] = {}
        self._days = 0
        self._day: tuple[int, int, int] | None = None  # of times without one
        self._is_day_first: bool | None = None  # in a date such as 22/11/2026

    def read(self, text: str) -> float | None:
        """Return the moment that *text* means; None when it is no time."""
        known = self._known.get(text)
        if known is not None:
            return known
        # With milliseconds, as most loggers write them: this takes half of the time of the rest.
        part = _MILLISECONDS.get(text[19:23])
        if part is not None:
            known = self._known.get(text[:19] + text[23:])
            if known is not None:
                return known + part
        if text[19:20] == "." and text[-1:] == "Z":  # of a container's runtime
            fraction = text[20:-1]
            known = self._known.get(f"{text[:19]}Z")
            if (
                known is not None
                and len(fraction) <= 9
                and fraction.isascii()
                and fraction.isdecimal()
            ):
                return known + float(f"0.{fraction}") * 1000
        whole, fraction = _parted(text)
        known = self._known.get(whole)
        if known is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            known = self._whole(whole)
            if known is None:
                return None
        return known + float(f"0.{fraction}") * 1000 if fraction else known

    def read_value(self, value: Any) -> float | None:
        """Return the moment in a field of JSON or logfmt: text in any form, or a number."""
        if isinstance(value, str):
            if value.isdecimal() and value.isascii():  # no form of a time
                return _of_number(int(value)) if len(value) < 32 else None
            when = self.read(value)
            if when is not None:
                return when
            match = find_time(value, 120)
            if match is not None:
                return self.read(match[0])
            try:
                return _of_number(float(value)) if len(value) < 32 else None
            except ValueError:
                return None
        if isinstance(value, dict):
            return self._read_parts(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return _of_number(value)

    def _read_parts(self, parts: dict[str, Any]) -> float | None:
        """Return the moment in an object with *parts* of a time."""
        for seconds, nanoseconds in _PARTS:
            when = self.read_value(parts.get(seconds)) if seconds in parts else None
            if when is not None:
                rest = parts.get(nanoseconds)
                return when + rest / 1e6 if type(rest) is int and 0 <= rest < 10**9 else when
        return None

    def read_all(self, texts: Sequence[Any]) -> list[float] | None:
        """
        Return the results of :meth:`read_value` for *texts*, in a fifth of the time; None, if they
        are not all numbers, or all times with a fraction and in the same zone.
        """
        if set(map(type, texts)) != {str}:
            return None
        joined = "".join(texts)
        if joined.isdecimal() and joined.isascii():
            lengths = set(map(len, texts))
            return _of_numbers(list(map(int, texts))) if lengths <= _LENGTHS else None
        match = _FRACTION_AND_ZONE.fullmatch(texts[0], 19)
        if match is None or "\n" in joined:
            return None
        zone = match[1]
        are_alike = re.compile(rf"(?:[^\n]{{19}}\.[0-9]{{1,9}}{re.escape(zone)}\n)*").fullmatch
        if are_alike("\n".join((*texts, ""))) is None:
            return None
        seconds = [text[:19] for text in texts]
        whole: dict[str, float] = {}
        for second in set(seconds):
            moment = self.read(f"{second}{zone}")
            if moment is None:
                return None
            whole[second] = moment
        end = -len(zone)
        fractions = [text[20:end] for text in texts]
        # The quotient is float(f"0.{fraction}"), in half of the time.
        return [
            whole[second] + int(fraction) / POWERS[len(fraction)] * 1000
            for second, fraction in zip(seconds, fractions, strict=True)
        ]

    def _whole(self, text: str) -> float | None:
        if text in self._bare:
            return self._on_its_day(self._bare[text])
        if _is_epoch(text):
            return _of_number(int(text) if text.isdecimal() else float(text))
        label = _is_label(text)
        if label is not None:
            return (int(label[1], 16) - _LABEL_OF_1970) * 1000 + int(label[2], 16) / 1e6
        match = next(filter(None, (form.fullmatch(text) for form in _READ)), None)
        if match is None:
            return None
        parts = match.groupdict()
        was_ambiguous, self.is_ambiguous = self.is_ambiguous, False
        try:
            seconds = self._seconds(parts)
        except (
            ValueError,
            OverflowError,
            OSError,
            ZoneInfoNotFoundError,
        ):  # the 30th of February; a year that the platform cannot hold; a place that is not known
            self.is_ambiguous = was_ambiguous
            return None
        is_twice = self.is_ambiguous
        self.is_ambiguous |= was_ambiguous
        if not parts.get("day") and not parts.get("first"):
            if not is_twice:
                if len(self._bare) > _MOST_KNOWN:
                    self._bare.clear()
                self._bare[text] = seconds
            return self._on_its_day(seconds)
        if self.last >= 0 and not parts.get("zone") and seconds * 1000 < self.last - 60_000:
            seconds = self._again(seconds)
        # A clock that was never set may show a time before 1970.
        milliseconds = max(0, round(seconds * 1000))
        if not is_twice:
            self._known[text] = milliseconds
        return milliseconds

    def _seconds(self, parts: dict[str, str | None]) -> float:
        hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
        half = parts.get("half")
        if half and hour <= _NOON:
            hour = hour % _NOON + (_NOON if half[0] in "Pp" else 0)
        year, month, day = self._date(parts, hour, minute)
        second = min(second, 59)  # a leap second
        moment = datetime(year, month, day, hour, minute, second)
        zone = parts.get("zone")
        if zone is None:
            self.is_zone_assumed = True
            moment = moment.replace(tzinfo=self.zone)
            seconds = moment.timestamp()
            self.is_ambiguous |= moment.replace(fold=1).timestamp() != seconds
            return seconds
        known = ZoneInfo(zone) if "/" in zone else timezone(_offset(zone))
        return moment.replace(tzinfo=known).timestamp()

    def _date(self, parts: dict[str, str | None], hour: int, minute: int) -> tuple[int, int, int]:
        if parts.get("first"):
            return self._in_order(parts)
        if not parts.get("day"):
            if self._day is None:
                self._day = self._day_of(hour, minute)
            return self._day
        name = parts.get("name")
        month = _MONTHS.index(name.lower()) + 1 if name else int(parts["month"] or 0)
        day = int(parts["day"] or 0)
        year, short = parts.get("year"), parts.get("short_year")
        if year:
            return int(year), month, day
        if short:
            return 2000 + int(short), month, day
        return self._year_of(month, day), month, day

    def _in_order(self, parts: dict[str, str | None]) -> tuple[int, int, int]:
        """
        Return the date in *parts* of which the day or the month is first: the order of an earlier
        line, else the only one that is a date before the last write to the log.

        :raises ValueError: if both are. A guess would be wrong by months.
        """
        year, first, second = (int(parts[name] or 0) for name in ("year", "first", "second_part"))
        possible = [
            is_day_first
            for is_day_first, month, day in ((False, first, second), (True, second, first))
            if self._is_past(year, month, day)
        ]
        if len(possible) == 1:
            self._is_day_first = possible[0]
        half = parts.get("half")
        is_day_first = self._is_day_first
        if is_day_first is None and half:
            # In America the month is first, and AM has capitals; where the day is first, it is am.
            is_day_first = half.islower()
        if is_day_first is None and first == second:
            is_day_first = True
        if is_day_first is None:
            raise ValueError("the day or the month may be first")
        return (year, second, first) if is_day_first else (year, first, second)

    def _is_past(self, year: int, month: int, day: int) -> bool:
        """Whether there is such a date, not after the last write to the log."""
        written = time.time() if self._written is None else self._written
        latest = datetime.fromtimestamp(written + _DAY_LENGTH, self.zone).date()
        try:
            return date(year, month, day) <= latest
        except ValueError:
            return False

    def _day_of(self, hour: int, minute: int) -> tuple[int, int, int]:
        """
        Return the day of the first time without one: the day of the last write to the log, or the
        day before, if the last write was earlier in the day.
        """
        now = time.time()
        written = now if self._written is None else self._written
        # A log that is followed has later times than when it was opened.
        reference = written if written < now - _DAY_LENGTH else now
        latest = datetime.fromtimestamp(reference + _HOUR_LENGTH, self.zone)
        day = datetime.fromtimestamp(reference, self.zone).date()
        if latest.date() == day and (hour, minute) > (latest.hour, latest.minute):
            day -= timedelta(days=1)
        return day.year, day.month, day.day

    def _year_of(self, month: int, day: int) -> int:
        """
        Return the year of a date without one: the last such date before the log was last written.
        """
        written = time.time() if self._written is None else self._written
        # A day of tolerance, for zones and clocks that differ.
        latest = datetime.fromtimestamp(written + _DAY_LENGTH, self.zone)
        year = latest.year if (month, day) <= (latest.month, latest.day) else latest.year - 1
        if (month, day) == _LEAP_DAY:
            year = next(filter(isleap, range(year, year - 9, -1)))  # 1900 had none
        return year

    def _on_its_day(self, seconds: float) -> int:
        """
        Return the moment of a time without a date: on the day of the times before, or on the day on
        which it is nearest to the line before, if it is half a day earlier or nearly a day later.
        """
        seconds += self._days * _DAY_LENGTH
        ahead = seconds - self.last / 1000
        if self.last >= 0 and not -0.5 <= ahead / _DAY_LENGTH <= _MOST_AHEAD:
            days = round(-ahead / _DAY_LENGTH)
            self._days += days
            seconds += days * _DAY_LENGTH
        return max(0, round(seconds * 1000))

    def _again(self, seconds: float) -> float:
        """
        Return the second of the two moments of a local time when clocks are set back: a log goes on.
        """
        try:
            return datetime.fromtimestamp(seconds, self.zone).replace(fold=1).timestamp()
        except (ValueError, OverflowError, OSError):
            return seconds


def _parted(text: str) -> tuple[str, str]:
    """Return a time without the fraction of its second, and the digits of the fraction."""
    place = 19 if text[19:20] in (".", ",") else 8 if text[8:9] in (".", ",") else 0
    if place:
        zone = text[place + 1 :].lstrip("0123456789")
        end = len(text) - len(zone)
        if 0 < end - place - 1 <= 9:
            return text[:place] + zone, text[place + 1 : end]
        return text, ""
    match = _FRACTION.search(text)
    if match is None:
        return text, ""
    return text[: match.start()] + text[match.end() :], match[match.lastindex or 0]


def _offset(zone: str) -> timedelta:
    if zone in _NAMED:
        return timedelta(hours=_NAMED[zone])
    sign, digits = zone.lstrip("GMTUC")[0], zone.lstrip("GMTUC+-").replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > _HOURS_DIGITS else (digits, "0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


def _of_number(value: float) -> float | None:
    for most, factor, divisor in _UNITS:
        if _EARLIEST <= value < most:
            return value * factor / divisor
    return None


def _of_numbers(values: Sequence[int]) -> list[float] | None:
    """Return the result of :func:`_of_number` for *values*; None, if one of them is no time."""
    least, largest = min(values), max(values)
    for most, factor, divisor in _UNITS:
        if least >= _EARLIEST and largest < most <= 1000 * least:  # all have the same unit
            return [value * factor / divisor for value in values]
    moments = [moment for moment in map(_of_number, values) if moment is not None]
    return moments if len(moments) == len(values) else None
