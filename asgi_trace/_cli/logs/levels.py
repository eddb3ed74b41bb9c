"""The severity of a line: the names and numbers of many writers, as one of six levels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

__all__ = ("LETTERS", "LEVELS", "NAMES", "level_of")

NAMES = ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

LEVELS = {
    name: number
    for number, names in enumerate(
        (
            "NOTSET DEFAULT UNSPECIFIED STATEMENT DETAIL HINT CONTEXT QUERY LOCATION",
            "DEBUG TRACE VERBOSE FINE FINER FINEST DBUG DEBG TRCE DBG TRC DEBU TRAC",
            "INFO NOTICE SUCCESS INFORMATION INFORMATIONAL OK INF NOTE LOG CONFIG",
            "WARNING WARN WRN",
            "ERROR EXCEPTION ERR EROR SEVERE ERRO FAIL",
            "CRITICAL FATAL EMERGENCY EMERG ALERT CRIT PANIC DPANIC FTL PNC FATA PANI",
        )
    )
    for name in names.split()
}
LEVELS |= {name.lower(): number for name, number in LEVELS.items()}

LETTERS = dict(zip("TVD.-I*W#EFCA", (1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 5, 5), strict=True))
"""The levels of writers that have one letter or sign for each."""

# -- by number, for each writer --------------------------------------------------------------------

_PYTHON = (0, 10, 20, 30, 40, 50)  # the least number of each level
_PINO = (0, 1, 30, 40, 50, 60)  # pino and bunyan: 10 is trace, 20 debug, 60 fatal
_OPENTELEMETRY = (0, 1, 9, 13, 17, 21)
_AZURE = (0, 0, 1, 2, 3, 4)  # Application Insights, Nextcloud: from 0, which is verbose, to 4
_SYSLOG = (5, 5, 5, 4, 3, 2, 2, 1)  # RFC 5424: the level of each number

_DOTNET = (0, 0, 2, 3, 4, 5)  # 0 is Trace, 5 Critical
_MONOLOG = (0, 100, 200, 300, 400, 500)
_GOOGLE = (0, 100, 200, 400, 500, 600)
_LOGBACK = (0, 5_000, 20_000, 30_000, 40_000, 50_000)

_SCALES = {
    "LogLevel": _DOTNET,
    "severityNumber": _OPENTELEMETRY,
    "SeverityNumber": _OPENTELEMETRY,
    "severity_number": _OPENTELEMETRY,
    "severityLevel": _AZURE,
    "SeverityLevel": _AZURE,
}
# A longer number is no level.
_MOST_DIGITS = 5
# Levels of npm, whose names are other words elsewhere.
_OF_NPM = {"http": 1, "silly": 1}
# Only these writers have these names beside a number called level.
_OF_PINO = frozenset(("pid", "hostname", "v", "msg", "req", "req.id"))
_OF_ROARR = frozenset(("sequence", "version"))
_OF_GELF = frozenset(("short_message", "host"))
_OF_NEXTCLOUD = frozenset(("reqId", "remoteAddr", "app"))


def level_of(name: str, value: Any, names: Collection[str] = ()) -> int:
    """
    Return the level in a field, from 0 to 5; 0 if it has none.

    :param name: of the field.
    :param names: of all fields of the line, which show its writer.
    """
    if name == "s":  # of MongoDB: D1 to D5, I, W, E, F
        is_mongo = "t.$date" in names and type(value) is str
        return LETTERS.get(value[:1], 0) if is_mongo else 0
    if type(value) is str:
        if not value.isdecimal() or len(value) > _MOST_DIGITS:
            return _level_named(value)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if name in ("status", "at"):  # of a response; any number
        return 0
    if name == "PRIORITY" or (name == "level" and _OF_GELF.issubset(names)):
        return _SYSLOG[int(value)] if 0 <= value < len(_SYSLOG) else 0
    number = 0
    for least in _scale(name, value, names)[1:]:
        if not value >= least:  # so that NaN is no level
            break
        number += 1
    return number


def _level_named(value: str) -> int:
    known = LEVELS.get(value)
    if known is not None:
        return known
    if value in _OF_NPM:
        return _OF_NPM[value]
    if value in LETTERS and value.isalpha():  # Echo writes "-" for no level
        return LETTERS[value]
    # slog writes INFO+2, the JSON of Protocol Buffers SEVERITY_NUMBER_INFO2
    bare = value.partition("+")[0].partition("-")[0].strip().upper()
    return LEVELS.get(bare.removeprefix("SEVERITY_NUMBER_").rstrip("234"), 0)


def _scale(name: str, value: float, names: Collection[str]) -> tuple[int, ...]:
    """Return the least number of each level, for the writer of a number in a field with this *name*."""
    if value >= _LOGBACK[1]:  # no other number is as large
        return _LOGBACK
    if value >= _MONOLOG[1]:
        return _GOOGLE if name == "severity" else _MONOLOG
    if name == "logLevel" and _OF_ROARR.issubset(names):
        return _PINO
    if name == "level" and not _OF_PINO.isdisjoint(names):
        return _PINO
    if name == "level" and _OF_NEXTCLOUD.issubset(names):
        return _AZURE
    return _SCALES.get(name, _PYTHON)
