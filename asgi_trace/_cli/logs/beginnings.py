"""
The beginnings of the lines of loggers, by which they are recognised: behind a prefix, and below a
record that may go on.
"""

from __future__ import annotations

import re

from ..._core.patterns import Pattern
from .colors import COLOR
from .own import own_head

__all__ = (
    "ANOTHER_LOG",
    "DATE",
    "HEADS",
    "INDENTED",
    "LAMBDA",
    "LEVEL_NAMES",
    "MONTHS",
    "OF_RAILS",
    "any_log",
    "begins_log",
    "dated",
    "dated_or_ids",
    "dated_or_marked",
    "ours",
    "served",
    "stamped",
)

MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
LEVEL_NAMES = r"(?:TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN|WARNING|ERROR|CRITICAL|FATAL)"

# Our ids, which configure_logging() puts before the message where a format has nothing else.
_OUR_IDS = r"\[req=[^|\]\n]{1,128}\|session="
# The beginnings of loggers' lines: a date, a time, an address, a level, our ids, or the fields of JSON
# or logfmt.
ANOTHER_LOG = (
    rf"(?:{COLOR})*"
    r"(?:[\[<]?(?:\d{4}[-/]\d\d[-/]\d\d|\d\d:\d\d:\d\d|\d\d?/[A-Z][a-z]{2}/\d{4}|\d\d/\d\d/\d\d "
    rf"|(?:[A-Z][a-z]{{2}} )?{MONTHS} [ \d]\d \d\d:|(?:::ffff:)?\d{{1,3}}(?:\.\d{{1,3}}){{3}}[: ]|::1 "
    # log4j and java.util.logging: 22 Nov 2024 10:30:15,250, 22.11.2024 10:30:15, 20241122T103015,250,
    # Nov 22, 2024 10:30:15 AM, and milliseconds
    rf"|\d\d? {MONTHS} \d{{4}},? \d|\d\d?[-/.]\d\d?[-/.]\d{{4}},? \d|(?:19|20)\d{{6}}T?\d{{6}}(?:,?\d{{3}})? "
    rf"|{MONTHS}\.? \d\d?, \d{{4}},? \d|1\d{{12}} +{LEVEL_NAMES}\b)"
    rf"|\[?{LEVEL_NAMES}\b|[IWEF]\d{{4}}(?:\d{{4}})? \d\d:|\{{ ?\""
    rf"|(?:@?timestamp|time|ts|level|lvl|msg)=|<\d{{1,3}}>[1A-Z]|{_OUR_IDS})"
)
begins_log = re.compile(ANOTHER_LOG).match
# A line of AWS Lambda itself.
LAMBDA = r"(?:START|END|REPORT) RequestId: "
# The beginnings of lines of other writers, which have neither a time nor a level first: first those
# that no other text has.
OF_RAILS = r"\[(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})\] "
_MARKED = (
    r"[DIWEFA], \[\d{4}-\d\d-\d\dT",  # Ruby's logger
    r"\[[DIWEC] (?:\d{6}|\d{4}-\d\d-\d\d) \d\d:",  # Tornado, Jupyter
    r"\[pid: \d{1,9}\|app: ",  # uWSGI
    r"\[(?:Nest\] \d{1,9} |[\w .-]{1,50}\] \d{1,9}  - \d)",  # NestJS, also with a prefix of its own
    r"\[GIN\] \d{4}/",
    r"(?:TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d{4}(?:\]|[-/]\d\d[-/])|\d\d?:\d\d[AP]M [A-Z]{3} ",  # logrus, zerolog
    r"(?:trce|dbug|info|warn|fail|crit): [\w.+`<>]{1,200}\[\d{1,9}\]",  # .NET
    r"\[?\d\d-[A-Z][a-z]{2}-\d{4} \d\d:",  # PHP, Tomcat
    r"\d{1,7}:[CMSX] \d\d [A-Z][a-z]{2} \d{4} ",  # Redis
    r"1\.\d{4,18}e\+09\t",  # zap
    r"\[dd\.\w{1,20}=",  # Datadog's library for Ruby
)
HEADS = (
    *_MARKED,
    OF_RAILS,
    r"Started [A-Z]{3,7} \"/|method=[A-Z]{3,7} path=",  # Rails
    r"(?:\u256d )?(?:Main|Srv \d{1,3}) {1,4}\|?(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d ",  # Sanic
    r"HTTP [A-Z]{3,7} /|[A-Z]{3,7} /[^ ]* \d{3} ",  # Django's runserver, morgan
    r"[\da-f:.]{3,45} [^ ]{1,255} [A-Z]{3,7} /[^ ]* HTTP/[\d.]{1,3} \d{3} ",  # morgan's short form
    # winston and consola
    rf"(?:error|warn|info|http|verbose|debug|silly)(?:{COLOR})?: "
    r"|\[(?:fatal|error|warn|info|log|success|debug|trace)\] ",
    r"\(\w{1,40} pid=\d{1,9}\) [A-Z]{4,8}\b",  # vLLM
    # an id before a time, or before the other fields
    r"(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|-) \d{4}-\d\d-\d\d[T ]\d\d:",
    r"(?:request|trace)_id=[^ ]{1,128} [a-z_]{1,40}=",
    r"pid=\d{1,9} tid=\w{1,12} ",  # Sidekiq
    r"PHP (?:(?:Fatal|Parse|Recoverable fatal) error|Warning|Notice|Deprecated):  ",
    r"(?:<\d>)?\[\d{1,9}\] \[[tdiwef]\] ",  # Mojolicious
    r"\[[\w:]{1,100}:\d{1,9}\] [a-z]{4,7} @\d{4}-",  # Dancer
    r"panic: |fatal error: ",  # Go
    r"=[A-Z]{4,10} REPORT==== \d",  # Erlang
    r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}   (?:<--|-->|xxx|-x-) [A-Z]{3,7} /",  # koa-logger
    LAMBDA,
    # slf4j-simple, and log4j's example, both with or without the milliseconds since the start
    rf"(?:\d{{1,12}} {{1,9}})?\[[\w.#:/ -]{{1,100}}\] {LEVEL_NAMES} {{1,3}}[\w.$/-]{{1,200}}[ :-]",
    r"\[\d{1,9}\.\d{3}s\]\[[a-z]{4,7} {0,3}\]\[gc",  # the garbage collector of Java, from its version 9
    # access lines, after a host, an id or an address of IPv6
    r"(?:[^ \[]{1,255} ){1,4}\[\d\d/[A-Z][a-z]{2}/\d{4}[: ]",
)
# Records that begin with blanks: FastAPI's command aligns its levels on the right, as do log4j, Rust's
# tracing and pretty_env_logger without a time, and Go's apex/log; Next.js begins each line with a blank,
# chi a panic, koa-logger each line with two, and tracing each record, if it writes one in several lines.
INDENTED = (
    r" (?:INFO|WARN) {1,2}(?=\S)| (?:TRACE|DEBUG|ERROR) [\w:]{1,200} {1,40}> "
    r"|(?: {5}DEBUG| {6}INFO| {3}WARNING| {5}ERROR| {2}CRITICAL) {3}(?=\S)"
    r"| [A-Z]{3,7} /[^ ]* \d{3} in \d"
    r"|  (?:<--|-->|xxx|-x-) [A-Z]{3,7} /"
    r"| {1,2}(?:DEBUG|INFO|WARN|ERROR|FATAL)\[\d{4}\] "
    r"| panic: "
    r"|  \d{4}-\d\d-\d\dT[\d:.]{8,18}Z {1,2}(?:TRACE|DEBUG|INFO|WARN|ERROR) "
)
# All of these, and pairs of logfmt with any names, or an id.
any_log = re.compile(
    rf"{ANOTHER_LOG}|(?:{COLOR})*(?:{'|'.join(HEADS)})|{INDENTED}"
    r"|\w+=[^ ]+ \w+=|[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12} "
).match

# Digits of ASCII take less time than those of all scripts.
DATE = r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]"
# A line of ours, or of another logger that writes the date first; and also one of nginx or klog.
_DATE_FIRST = (
    r"[\[<]?(?:\d{4}[-/]\d\d[-/]\d\d|(?:\d\d-\d\d )?\d\d:\d\d:\d\d)|\{ ?\"|(?:@?timestamp|time|ts|level)="
    r"|\[pod/"
)
dated = re.compile(_DATE_FIRST).match
# The same, or our ids: not behind a time, which is then that of a format with the time alone.
dated_or_ids = re.compile(rf"{_DATE_FIRST}|{_OUR_IDS}").match
dated_or_marked = re.compile(rf"{_DATE_FIRST}|(?:{COLOR})*(?:{'|'.join(_MARKED)})").match
served = re.compile(
    rf"{_DATE_FIRST}|(?:{COLOR})*(?:{'|'.join((*_MARKED, OF_RAILS))})"
    r"|\d{1,3}(?:\.\d{1,3}){3}[: ]|[IWEF]\d{4}(?:\d{4})? \d\d:"
).match
# A line of ours in JSON or logfmt, also with the names of ECS or Google Cloud.
_NAMED = (
    r"\{\"timestamp\": \"|timestamp=\d"
    r"|\{\"@timestamp\": \"[^ \"]{1,40}\", \"log\.level\": |@timestamp=[^ ]{1,40} log\.level="
    r"|\{\"time\": \"[^ \"]{1,40}\", \"severity\": |time=[^ ]{1,40} severity="
)
# The same as above, where an exception may have the form of the prefix: its message may be any JSON.
stamped = re.compile(rf"\d{{4}}-\d\d-\d\d[T ]\d\d:|{_NAMED}").match

_own_named = Pattern(rf"{_NAMED}|{_OUR_IDS}")


def ours(text: str) -> re.Match[str] | None:
    """Return the match of the beginning of a line of ours; None, if *text* does not begin with one."""
    return own_head(text) or _own_named.match(text)
