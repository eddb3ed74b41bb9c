"""
Envelopes: the text that collectors, containers and terminals put around a log line. This module
removes them.

An envelope is a prefix, matched from the start of the line and in its own exact form, or a JSON
object that has the line in a string. Envelopes nest. Each may give a time and a source: the pod,
container, unit, service or log stream. This module recognises only the beginnings of the records
inside.

A record's message is never taken for a line: an object with ids or a logger is a record, not an
envelope.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import Any, NamedTuple

from ..._core.lines import parse_fields
from ..._core.patterns import Pattern
from .names import (
    COLLECTED,
    NO_IDS,
    PARTS,
    PODS,
    RAW,
    RAW_TEXTS,
    ROLES,
    SOURCES,
    TEXTS,
    WEAK_LEVELS,
    WEAK_TIMES,
    flat,
    may_nest,
)
from .own import own_head
from .services import container_in

__all__ = (
    "ANOTHER_LOG",
    "COLOR",
    "COLORS",
    "DECISIVE",
    "DOCKERS_PART",
    "HEADS",
    "INDENTED",
    "JOURNAL_BYTES",
    "LAMBDA",
    "TIMES",
    "Content",
    "Layer",
    "Peeled",
    "Peeler",
    "Prefix",
    "begins_log",
    "container_of",
    "in_pod",
    "opened",
    "service_of",
    "source_of_labels",
    "unnamed",
    "without_colors",
)

COLOR = r"\x1b\[[\d;]*m"
COLORS = Pattern(COLOR)
# A color, and the other sequences for a terminal: one that erases the line, or sets its title.
_SEQUENCES = Pattern(r"\x1b(?:\[[\d;?]{0,40}[A-Za-z]|\][^\x07\x1b\n]{0,200}\x07)")
# A line with a color in this number of its first characters, or at its end, is recognised without
# its colors.
_COLORED = 120
_COLORED_ENDS = ("\x1b[0m", "\x1b[m", "\x1b[K")


def without_colors(line: str) -> str:
    """
    Return *line* without its colors and other sequences for a terminal, if one of them is at its
    beginning or at its end.
    """
    return (
        _SEQUENCES.sub("", line)
        if "\x1b" in line[:_COLORED] or line.endswith(_COLORED_ENDS)
        else line
    )


_MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_LEVELS = r"(?:TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN|WARNING|ERROR|CRITICAL|FATAL)"

# The beginnings of loggers' lines: a date, a time, an address, a level, or the fields of JSON or
# logfmt.
ANOTHER_LOG = (
    rf"(?:{COLOR})*"
    r"(?:[\[<]?(?:\d{4}[-/]\d\d[-/]\d\d|\d\d:\d\d:\d\d|\d\d?/[A-Z][a-z]{2}/\d{4}|\d\d/\d\d/\d\d "
    rf"|(?:[A-Z][a-z]{{2}} )?{_MONTHS} [ \d]\d \d\d:|(?:::ffff:)?\d{{1,3}}(?:\.\d{{1,3}}){{3}}[: ]|::1 "
    # log4j and java.util.logging: 22 Nov 2024 10:30:15,250, 22.11.2024 10:30:15, 20241122T103015,250,
    # Nov 22, 2024 10:30:15 AM, and milliseconds
    rf"|\d\d? {_MONTHS} \d{{4}},? \d|\d\d?[-/.]\d\d?[-/.]\d{{4}},? \d|(?:19|20)\d{{6}}T?\d{{6}}(?:,?\d{{3}})? "
    rf"|{_MONTHS}\.? \d\d?, \d{{4}},? \d|1\d{{12}} +{_LEVELS}\b)"
    rf"|\[?{_LEVELS}\b|[IWEF]\d{{4}}(?:\d{{4}})? \d\d:|\{{ ?\""
    r"|(?:@?timestamp|time|ts|level|lvl|msg)=|<\d{1,3}>[1A-Z])"
)
begins_log = re.compile(ANOTHER_LOG).match
# A line of AWS Lambda itself.
LAMBDA = r"(?:START|END|REPORT) RequestId: "
# The beginnings of lines of other writers, which have neither a time nor a level first: first those
# that no other text has.
_OF_RAILS = r"\[(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})\] "
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
    _OF_RAILS,
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
    rf"(?:\d{{1,12}} {{1,9}})?\[[\w.#:/ -]{{1,100}}\] {_LEVELS} {{1,3}}[\w.$/-]{{1,200}}[ :-]",
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
_any_log = re.compile(
    rf"{ANOTHER_LOG}|(?:{COLOR})*(?:{'|'.join(HEADS)})|{INDENTED}"
    r"|\w+=[^ ]+ \w+=|[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12} "
).match

# Digits of ASCII take less time than those of all scripts.
_DATE = r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]"
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12} "
_TIME = (
    rf"{_DATE}[T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:[.,][0-9]{{1,9}})?"
    r"(?:Z|[+-][0-9][0-9]:?[0-9][0-9])?"
)
_SYSLOG_TIME = rf"{_MONTHS} [ \d]\d (?:\d{{4}} )?\d\d:\d\d:\d\d(?:\.\d{{1,9}})?"
_WORD = r"[\w./@-]{1,200}"
_FACILITY = (
    r"(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7])"
    r"\.(?:emerg|alert|crit|err|warn|warning|notice|info|debug)"
)

_NO_LEVEL = rf"(?!{_LEVELS}\b)"
# The time and the host of a message, as rsyslog's templates for files and for another host have them.
_RECEIVED = (
    rf"(?:<\d{{1,3}}>)?(?P<time>{_SYSLOG_TIME}"
    rf"|{_DATE}T\d\d:\d\d:\d\d(?:\.\d{{1,6}})?(?:Z|[+-]\d\d:\d\d)) "
    rf"(?!std(?:out|err) [FP] ){_NO_LEVEL}{_WORD} {_NO_LEVEL}"
)
# After a time: this line has the prefix of CRI or logcli, of which the time is only the beginning.
_NO_MORE = r"(?!std(?:out|err) [FP](?: |\Z)|\{(?:\}|[\w.]+=\"))"
# A line of ours, or of another logger that writes the date first; and also one of nginx or klog.
_DATE_FIRST = (
    r"[\[<]?(?:\d{4}[-/]\d\d[-/]\d\d|(?:\d\d-\d\d )?\d\d:\d\d:\d\d)|\{ ?\"|(?:@?timestamp|time|ts|level)="
    r"|\[pod/"
)
_DATED = re.compile(_DATE_FIRST).match
_DATED_OR_MARKED = re.compile(rf"{_DATE_FIRST}|(?:{COLOR})*(?:{'|'.join(_MARKED)})").match
_SERVED = re.compile(
    rf"{_DATE_FIRST}|(?:{COLOR})*(?:{'|'.join((*_MARKED, _OF_RAILS))})"
    r"|\d{1,3}(?:\.\d{1,3}){3}[: ]|[IWEF]\d{4}(?:\d{4})? \d\d:"
).match
# The end of a file's name, in which there may be a hyphen, too.
_AFTER_NAME = rf"-(?:\d{{1,12}}-)?(?:{_DATE}[T ]\d\d:|\{{\"|@?time(?:stamp)?=)"
# A line of ours in JSON or logfmt, also with the names of ECS or Google Cloud.
_NAMED = (
    r"\{\"timestamp\": \"|timestamp=\d"
    r"|\{\"@timestamp\": \"[^ \"]{1,40}\", \"log\.level\": |@timestamp=[^ ]{1,40} log\.level="
    r"|\{\"time\": \"[^ \"]{1,40}\", \"severity\": |time=[^ ]{1,40} severity="
)
# The same as above, where an exception may have the form of the prefix: its message may be any JSON.
_STAMPED = re.compile(rf"\d{{4}}-\d\d-\d\d[T ]\d\d:|{_NAMED}").match

_OWN_NAMED = Pattern(_NAMED)


def _ours(text: str) -> re.Match[str] | None:
    """Return the match of the beginning of a line of ours; None, if *text* does not begin with one."""
    return own_head(text) or _OWN_NAMED.match(text)


# When a prefix counts: always; or if a logger's line follows it, here or earlier in the same log;
# or if a logger's line follows it, here or earlier after the same source.
_ALWAYS, _KIND, _SOURCE = range(3)


class Prefix(NamedTuple):
    """
    One form of a prefix.

    One that *is_long* is longer than any head of ours. One that *is_fixed* is there, whatever the
    digits of its time are, and whatever is behind it. One with a group ``quote`` has a further quote
    at the end of the line.
    """

    name: str
    expression: re.Pattern[str]
    trust: int
    begins: Any
    is_long: bool
    is_fixed: bool

    @property
    def pattern(self) -> str:
        """The regular expression."""
        return self.expression.pattern

    def match(self, line: str) -> re.Match[str] | None:
        """Return the match of the prefix at the beginning of a *line*."""
        return self.expression.match(line)


def _prefix(
    name: str,
    pattern: str,
    trust: int = _ALWAYS,
    begins: Any = _DATED,
    is_long: bool = False,
    is_fixed: bool = False,
) -> Prefix:
    return Prefix(name, Pattern(pattern), trust, begins, is_long, is_fixed)


PREFIXES = (
    # containerd and CRI-O: P is a part of a line that the runtime has split
    _prefix(
        "cri",
        rf"(?P<time>{_TIME}) (?:stdout|stderr) (?P<part>[FP])(?: |\Z)",
        is_long=True,
        is_fixed=True,
    ),
    _prefix(
        "kubectl --prefix",
        r"\[pod/(?P<source>[a-z0-9.-]{1,253}/[a-z0-9-]{1,63})\](?: |\Z)",
        is_fixed=True,
    ),
    # the header of tail and head, which the layer of documents puts before each line
    _prefix("tail of several files", r"==> (?P<source>[^<>\r\n]{1,250}) <== "),
    # behind its length, where it was received over TCP (RFC 6587); without a priority in a file of
    # syslog-ng
    _prefix(
        "RFC 5424",
        rf"(?:(?:\d{{1,6}} )?<(?P<priority>\d{{1,3}})>)?1 (?:(?P<time>{_TIME})|(?(priority)-|(?!)))"
        r" [^ ]{1,255} (?P<source>[^ ]{1,48}) "
        r"[^ ]{1,128} [^ ]{1,32} (?:-|(?P<data>(?:\[(?:[^\]\\]|\\.)*\])+))(?: \ufeff?|\Z)",
    ),
    # without the "structured data" of the RFC
    _prefix(
        "Heroku's drain",
        rf"(?:\d{{1,6}} )?<\d{{1,3}}>1 (?P<time>{_TIME}) [^ ]{{1,255}} (?:app|heroku) (?P<source>[\w.-]{{1,128}}) - ",
    ),
    # the C library writes no host, nor does journalctl --no-hostname; BusyBox writes the facility and
    # the severity
    _prefix(
        "syslog",
        rf"(?P<priority><\d{{1,3}}>)?(?P<time>{_SYSLOG_TIME}) (?:{_WORD} |(?(priority)|(?={_WORD}\[\d+\]:)))"
        rf"(?:{_FACILITY} )?(?P<source>{_WORD})(?:\[\d+\])?:(?: |\Z)",
        is_fixed=True,
    ),
    _prefix(
        "logread of OpenWrt",
        rf"(?P<time>[A-Z][a-z][a-z] {_SYSLOG_TIME} \d{{4}}) {_FACILITY} (?P<source>{_WORD})(?:\[\d+\])?:(?: |\Z)",
    ),
    # Also snap logs. A logger that writes its name and process like this seldom writes a time with
    # a T and a zone.
    _prefix(
        "journalctl --no-hostname",
        rf"(?P<day>[A-Z][a-z][a-z] )?(?P<time>{_DATE}(?(day) |T)[0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:\.\d{{1,9}})?"
        r"(?(day) [A-Z]{1,5}|(?:Z|[+-]\d\d:?\d\d))) (?P<source>[\w.@-]{1,200})\[\d+\]:(?: |\Z)",
        is_fixed=True,
    ),
    # also rsyslog to another host, with a priority
    _prefix(
        "journalctl",
        rf"(?:[A-Z][a-z][a-z] |<\d{{1,3}}>)?(?P<time>{_TIME}(?: [A-Z]{{1,5}})?|(?P<unix>\d{{10}}\.\d{{6}})) "
        rf"(?:{_WORD} |(?(unix)(?={_WORD}\[)|(?!)))(?:user@\d{{1,10}}\.service/)?"
        rf"(?P<source>[\w.@-]{{1,200}}\.service|{_WORD})(?:/[\w.-]{{1,200}})?\[\d+\]:(?: |\Z)",
        is_fixed=True,
    ),
    # rsyslog keeps the tag as it came: one of RFC 5424 and one of imfile end without a colon
    _prefix(
        "rsyslog, a process without a colon",
        rf"{_RECEIVED}(?P<source>[A-Za-z]{_WORD})\[\d+\](?: |\Z)",
        _KIND,
    ),
    _prefix(
        "rsyslog, a tag without a colon",
        rf"{_RECEIVED}(?P<source>[A-Za-z]{_WORD})(?: |\Z)",
        _SOURCE,
        _STAMPED,
    ),
    # and short-delta, whose first line has blanks in the place of the difference
    _prefix(
        "journalctl -o short-monotonic",
        rf"\[ *\d{{1,10}}\.\d{{6}}(?: < *\d{{0,10}}\.?\d{{0,6}}[ *]*>| {{1,20}})?\] "
        rf"(?:{_WORD} )?(?P<source>{_WORD})\[\d+\]:(?: |\Z)",
    ),
    # journalctl -o json-sse and json-seq
    _prefix("a record of JSON", r"(?:data: |\x1e)(?=\{)"),
    # a line of a worker of PHP-FPM, with catch_workers_output; and what PHP-FPM puts before a record
    # that a program writes with error_log()
    _prefix(
        "PHP-FPM",
        rf"\[(?P<time>\d\d-{_MONTHS}-\d{{4}} \d\d:\d\d:\d\d(?:\.\d{{6}})?)\] WARNING: \[pool [\w.-]{{1,128}}\] "
        r"child \d{1,9} said into std(?:out|err): (?P<quote>\")",
    ),
    _prefix("error_log of PHP-FPM", r"NOTICE: PHP message: (?=\{\"|\[\d{4}-\d\d-\d\d[T ])"),
    _prefix("Heroku", rf"(?P<time>{_TIME}) (?:app|heroku)\[(?P<source>[\w.-]{{1,200}})\]:(?: |\Z)"),
    _prefix(
        "Fly",
        rf"(?P<time>{_TIME}) \w{{1,20}}\[(?P<source>[\w-]{{1,64}})\] \w{{1,10}} \[\w{{1,10}}\] ?",
    ),
    _prefix("cf logs", rf" *(?P<time>{_TIME}) \[[A-Z][\w/ -]{{0,100}}\] +(?:OUT|ERR)(?: |\Z)"),
    _prefix(
        "logcli",
        rf"(?P<time>{_TIME})[ \t]?(?P<labels>\{{(?:[\w.]+=\"(?:[^\"\\]|\\.)*\"(?:, ?)?)*\}})\s*",
    ),
    # fluentd's files; and columns of a store: time, service, line
    _prefix(
        "fluentd",
        rf"(?P<time>{_TIME})\t(?P<source>[\w.-]{{1,200}})\t(?=\{{ ?\"|\d{{4}}-\d\d-|@?time(?:stamp)?=)",
    ),
    _prefix(
        "fluentd's stdout",
        rf"(?P<time>{_DATE} \d\d:\d\d:\d\d\.\d{{9}} [+-]\d{{4}}) (?P<source>[\w.-]{{1,200}}): (?=\{{)",
    ),
    _prefix(
        "gcloud app logs", rf"(?P<time>{_TIME}) (?P<source>[a-z][\w-]{{0,62}})\[\d{{8}}t\d{{6}}\] +"
    ),
    _prefix(
        "Datadog's agent",
        rf"Integration Name: [^|]{{1,200}}\| (?:[A-Z]\w{{1,20}}: [^|]{{0,200}}\| ){{0,4}}?"
        rf"Timestamp: (?P<time>{_TIME}) \| "
        rf"(?:[A-Z]\w{{1,20}}: [^|]{{0,200}}\| ){{0,4}}?Service: (?P<source>{_WORD}) \| "
        r"(?:[A-Z]\w{1,20}: [^|]{0,4000}\| ){0,4}?Message: ",
    ),
    # a function's log stream: its date, version and instance
    _prefix(
        "aws logs tail of a function",
        rf"(?P<time>{_TIME}) \d{{4}}/\d\d/\d\d/(?P<source>[\w-]{{0,140}})\[[\w$]{{1,40}}\][0-9a-f]{{32}}(?: |\Z)",
    ),
    _prefix(
        "sam logs",
        rf"\d{{4}}/\d\d/\d\d/(?P<source>[\w-]{{0,140}})\[[\w$]{{1,40}}\][0-9a-f]{{32}} (?P<time>{_TIME}) ",
    ),
    _prefix(
        "Scalingo",
        rf"(?P<time>{_DATE} \d\d:\d\d:\d\d\.\d{{9}} [+-]\d{{4}}) [A-Z]{{1,5}} \[(?P<source>[\w-]{{1,64}})\] ",
    ),
    _prefix(
        "Bamboo",
        rf"(?:build|command|error|simple)\t(?P<time>\d\d-{_MONTHS}-\d{{4}} \d\d:\d\d:\d\d)\t",
    ),
    _prefix(
        "docker logs -t",
        rf"(?P<time>{_DATE}T\d\d:\d\d:\d\d\.\d{{9}}(?:Z|[+-]\d\d:\d\d))(?: {_NO_MORE}|\Z)",
        is_long=True,
    ),
    # a job of GitLab: the stream; a line with + goes on with the one before
    _prefix("GitLab CI", r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) [0-9a-f]{2}[OE][ +]"),
    _prefix(
        "TeamCity",
        r"\[(?P<time>\d\d:\d\d:\d\d)\][a-zA-Z]? ?:[ \t]{1,20}\[Step \d{1,3}/\d{1,3}\](?: |\Z)",
    ),
    _prefix("Buildkite", r"\x1b_bk;t=(?P<time>\d{13})\x07"),
    _prefix("Cloud Build", r"Step #\d{1,3}(?: - \"(?P<source>[\w.-]{1,128})\")?: "),
    _prefix("Dapr", r"== APP(?: - (?P<source>[\w.-]{1,128}))? ==(?: |\Z)"),
    # an archive: its id, two times, the sender's id, name and address, facility, severity
    _prefix(
        "Papertrail",
        rf"\d{{1,20}}\t(?P<time>{_TIME}(?: [+-]\d{{4}})?)\t{_TIME}(?: [+-]\d{{4}})?\t\d{{1,20}}\t[^\t]{{0,255}}"
        rf"\t[\da-f.:]{{0,45}}\t\w{{1,20}}\t\w{{1,20}}\t(?P<source>[^\t]{{0,255}})\t",
    ),
    # the web page of Netlify; of a function, with its request's id and a level
    _prefix(
        "Netlify",
        rf"(?P<time>{_MONTHS} \d\d?, \d\d?:\d\d:\d\d [AP]M): (?:[0-9a-f]{{8}} [A-Z]{{1,10}} +)?",
    ),
    # DigitalOcean's doctl apps logs; podman logs -t --names
    _prefix(
        "doctl",
        r"(?P<source>[a-z][a-z0-9_-]{0,62}) (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d)) ",
        _SOURCE,
        _any_log,
    ),
    # docker compose, docker service logs
    _prefix(
        "compose",
        rf"{_NO_LEVEL}(?P<source>[A-Za-z0-9_][\w.@-]{{0,120}})  +[|│](?: |\Z)",
        _KIND,
        _any_log,
        is_fixed=True,
    ),
    _prefix(
        "docker logs --details",
        r"(?:com\.docker\.(?:compose\.service=(?P<source>[^ ,=]{1,200})|[\w.]{1,100}=[^ ,=]{0,200})(?:,|(?= ))){1,30} ",
        _KIND,
    ),
    # foreman, honcho, pm2, supervisor-stdout; foreman for Node.js has a clock of twelve hours
    _prefix(
        "a process manager",
        r"(?=(?:\d{4}-\d\d-\d\d-)?\d\d?:\d\d:\d\d |\d{1,4}\||[^ |]{1,120} std(?:out|err) )"
        r"(?:(?P<time>(?:\d{4}-\d\d-\d\d-)?\d\d?:\d\d:\d\d(?: [AP]M)?) )?"
        rf"(?:\d{{1,4}}\|)?{_NO_LEVEL}(?P<source>[A-Za-z0-9_][\w.@-]{{0,120}})"
        r"(?(time) +|(?: std(?:out|err) +|  +))[|│](?:(?(time)  (?! )| )| |\Z)",
        _KIND,
        _any_log,
    ),
    # Sanic writes such a bar, too, behind the name of its worker
    _prefix(
        "nerdctl compose",
        rf"{_NO_LEVEL}(?!Main {{1,4}}\|\d{{4}}-)(?P<source>[A-Za-z0-9_][\w.@-]{{0,120}}) {{1,60}}\|(?! )",
        _SOURCE,
        _any_log,
    ),
    _prefix(
        "podman-compose",
        rf"\[(?P<source>{_WORD})\] +\|(?: |\Z)",
        _KIND,
        _any_log,
        is_fixed=True,
    ),
    _prefix("awslogs", r"/[\w./#-]{1,512} (?P<source>[^ \"{}=\[\]]{1,512}) ", _KIND),
    _prefix(
        "aws logs tail",
        rf"(?P<time>{_DATE}T\d\d:\d\d:\d\d(?:\.\d{{3,9}})?(?:Z|[+-]\d\d:?\d\d)) "
        rf"{_NO_MORE}{_NO_LEVEL}(?!\d{{4}}-\d\d-)(?P<source>[^ \"{{}}=<>\[\]]{{1,512}})(?: |\Z)",
        _KIND,
        _DATED_OR_MARKED,
    ),
    _prefix(
        "timestamps",
        rf"(?:\d{{13}}(?:\d{{6}})?\t)?(?P<time>{_TIME}(?: (?:UTC|GMT|CES?T|[ECMP][SD]T|[+-]\d\d:\d\d))?):?"
        rf"(?:[ \t]{_NO_MORE}|\Z)",
        _KIND,
    ),
    # the same with the day first, with slashes, or with the name of the month: of pm2, Go, Coolify
    _prefix(
        "timestamps of another date",
        r"\[?(?P<time>(?:\d{4}/\d\d/\d\d|\d\d[-/.]\d\d[-/.]\d{4}|\d{4}-[A-Z][a-z]{2}-\d\d"
        r"|\d\d-[A-Z][a-z]{2}-\d{4}),? "
        r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d|[AP]M))?)\]?:?[ \t]",
        _KIND,
    ),
    # pm2 with the --log-date-format of its documentation: without seconds, this is no time of a line
    _prefix("timestamps of minutes", rf"{_DATE} \d\d:\d\d [+-]\d\d:\d\d: ", _KIND),
    # of aws logs with a --query of a time and a line, and --output text
    _prefix("timestamps of the epoch", r"(?P<time>1\d{12})\t", _KIND),
    # psql -At, sqlite3: rows of a time, a service and a line, without the names of columns
    _prefix(
        "psql -At",
        rf"(?P<time>{_DATE} \d\d:\d\d:\d\d(?:\.\d{{1,6}})?(?:[+-]\d\d(?::\d\d)?)?)\|"
        r"(?P<source>[a-z][\w.-]{0,120})\|",
        _SOURCE,
        _STAMPED,
    ),
    # s6-log, Render
    _prefix("s6-log", rf"(?P<time>{_DATE} \d\d:\d\d:\d\d(?:\.\d{{9}})?)  ", _KIND),
    # saw: the time, and the stream
    _prefix("saw", rf"\[(?P<time>{_TIME})\] \((?P<source>[^() ]{{1,512}})\) ", _KIND),
    # concurrently with a --prefix of the time and the name, as its manual has it
    _prefix(
        "concurrently",
        rf"\[(?P<time>{_TIME}) (?![A-Z]{{3,8}}\])(?P<source>[\w.@:-]{{1,120}})\] ",
        _SOURCE,
    ),
    # Jenkins, concurrently
    _prefix("timestamps in brackets", rf"\[(?P<time>{_TIME})\] ", _KIND),
    _prefix("Jenkins", r"(?P<time>\d\d:\d\d:\d\d)  ", _KIND),
    _prefix("ts -s", r"(?P<time>\d\d:\d\d:\d\d(?:\.\d{6})?) ", _KIND),
    # of a program that sends lines without its name, such as the SysLogHandler of Python
    _prefix(
        "syslog without a tag",
        rf"(?:<\d{{1,3}}>)?(?P<time>{_SYSLOG_TIME}) {_NO_LEVEL}(?!{_DATE} ){_WORD} ",
        _KIND,
    ),
    # ts, svlogd, multilog, stern --timestamps=short
    _prefix(
        "other timestamps",
        rf"(?:(?P<time>{_SYSLOG_TIME}|@4[0-9a-f]{{23}}|\d{{10}}(?:\.\d{{6}})?)|{_DATE}_\d\d:\d\d:\d\d\.\d{{1,9}}"
        r"|\d\d-\d\d \d\d:\d\d:\d\d) ",
        _KIND,
    ),
    # cat -n and nl, less -N, grep -n
    _prefix("cat -n", r" {0,8}\d{1,9}\t| {1,8}\d{1,8} |(?!\d\d:\d\d:)\d{1,9}:", _KIND),
    _prefix(
        "syslog without a process",
        rf"(?P<time>{_TIME}) {_NO_LEVEL}{_WORD} {_NO_LEVEL}(?P<source>{_WORD}):(?: |\Z)",
        _KIND,
    ),
    _prefix(
        "overmind",
        rf" {{0,40}}(?:\d{{1,4}}\|)?{_NO_LEVEL}(?!std(?:out|err) )(?P<source>[A-Za-z_][\w.-]{{0,120}}) [|│] ",
        _SOURCE,
    ),
    _prefix(
        "stern",
        rf"(?!{_UUID})(?:[a-z0-9-]{{1,63}} )?(?!{_DATE})(?P<source>[a-z0-9.]+-[a-z0-9.-]{{1,253}} (?!{_DATE})"
        r"[a-z0-9-]{1,63}) ",
        _SOURCE,
        _SERVED,
    ),
    _prefix(
        "a pod",
        rf"(?!{_DATE}|\d\d-\d\d(?:-\d{{4}})? |{_UUID})(?P<source>[a-z0-9]+(?:-[a-z0-9]{{1,63}}){{1,20}}) ",
        _SOURCE,
        _SERVED,
    ),
    # several containers of Podman, by the names that its compose gives
    _prefix("podman logs --names", r"(?P<source>[a-z][\w.-]{0,120}_\d{1,4}) ", _SOURCE, _STAMPED),
    # The same by other names, and k9s with the name of the container. Only before a line of ours:
    # many sentences have a word before a time.
    _prefix("a container", r"(?P<source>[a-z][\w.-]{0,120}) ", _SOURCE, _ours),
    # the same, by their ids
    _prefix("podman logs", r"(?P<source>[0-9a-f]{12}) ", _SOURCE),
    # the stream of a task of Amazon ECS; an address follows the name of a load balancer
    _prefix(
        "copilot svc logs",
        r"(?P<source>[\w.-]{1,128}/[\w.-]{1,128}/[0-9a-f]{7,32}) ",
        _SOURCE,
    ),
    _prefix("tkn", r"\[(?P<source>[\w.-]{1,128}) : [\w.-]{1,128}\] ", _SOURCE, _SERVED),
    _prefix("yarn", r"(?:\u27a4 YN0000: )?\[(?P<source>[@\w./-]{1,200})\]: ", _SOURCE),
    _prefix("pnpm", r"(?P<source>[\w.-]{1,100}/[\w./-]{1,100}) [\w:-]{1,60}: ", _SOURCE, _STAMPED),
    _prefix(
        "kail",
        r"[a-z0-9-]{1,63}/(?P<source>[a-z0-9.-]{1,253}\[[a-z0-9-]{1,63}\]): ",
        _SOURCE,
        _SERVED,
    ),
    _prefix(
        "brackets",
        rf"(?!{_OF_RAILS})\[(?:{_WORD} )?(?!(?i:{_LEVELS})[ \t]*\]){_NO_LEVEL}(?P<source>{_WORD})"
        r"(?::\d{1,9}|[ \t]*)\][ \t](?!\d{4}/\d\d/\d\d - )",
        _SOURCE,
    ),
    _prefix("parallel --tag", rf"(?P<source>[a-z]{_WORD})\t", _SOURCE, _STAMPED),
    # a package of npm: Turborepo, with its task, Nx and Lerna
    _prefix(
        "a package", rf"(?P<source>@[a-z][\w.-]{{0,100}}/[\w.-]{{1,100}})(?::{_WORD})?: ", _SOURCE
    ),
    _prefix("a name", rf"(?P<source>[a-z]{_WORD})(?::{_WORD})?: ", _SOURCE, _STAMPED),
    _prefix(
        "grep -H",
        rf"{_NO_LEVEL}(?!{_DATE}[ \t])(?P<source>(?:(?!{_AFTER_NAME})[^\s:|{{}}\"=\[\]]){{1,250}})[:-]"
        r"(?:(?!\d{4}-\d\d|\d\d:\d\d:\d\d )\d{1,12}[:-]){0,2}",
        _SOURCE,
    ),
)

_NAME = Pattern(r"(\(\?P<|\(\?\()(\w+)")
_GROUP = Pattern(r"\(\?P<\w+>")


def unnamed(expression: str, number: int) -> str:
    """
    Return an *expression* without groups: each takes time for every line. Where the expression asks
    for a group, all get another name.
    """
    if "(?(" in expression:
        return _NAME.sub(rf"\1\2_{number}", expression)
    return _GROUP.sub("(?:", expression)


@lru_cache(maxsize=1)
def _any_prefix() -> re.Pattern[str]:
    """Return an expression for all prefixes, whose last group is that of the first one that matches."""
    return re.compile(
        "|".join(
            f"(?P<p{number}>{unnamed(prefix.pattern, number)})"
            for number, prefix in enumerate(PREFIXES)
        )
    )


# To compile it takes as long as to try all prefixes for so many lines.
_FIRST_TRIED = 1000

DOCKERS_PART = 16_000
"""Docker splits a line that is longer: a part has no line feed at its end."""

# The most envelopes around one line.
_MOST_NESTED = 8

TIMES = tuple(name for name in ROLES["time"] if name not in WEAK_TIMES)
_IDS = frozenset((*ROLES["request"], *ROLES["session"], *ROLES["trace"]))
_LOGGERS = frozenset(
    (
        "logger",
        "logger_name",
        "log.logger",
        "loggerName",
        "LOGGER",
        "SourceContext",
        "@level",
        "@module",
        "@fields",
    )
)
_LEVEL_NAMES = frozenset(ROLES["level"]) - WEAK_LEVELS - {"PRIORITY"}

DECISIVE = frozenset(
    (*_IDS, *_LOGGERS, *_LEVEL_NAMES, *TEXTS, *RAW_TEXTS, *TIMES, *SOURCES, *PARTS)
)
"""The names of fields whose values decide whether an object is an envelope, and of what."""


class Peeled(NamedTuple):
    """
    A line without its envelopes.

    ``fields`` are those of the line, if it is JSON. ``time`` is the text of the innermost
    envelope's time; ``source`` is the innermost source. ``is_part`` is true if the runtime has
    split the line: the next part belongs to it. ``depth`` is the number of envelopes. ``beside`` are
    the fields that syslog has beside a line.
    """

    line: str
    fields: dict[str, Any] | None = None
    time: Any = None
    source: str = ""
    is_part: bool = False
    depth: int = 0
    beside: dict[str, str] | None = None


class Layer(NamedTuple):
    """
    One envelope of the lines of a log: a *prefix*, or JSON where that is None.

    A line that begins with one of the prefixes *before* does not have this one. ``known`` are the
    sources after which the prefix counts; None, if it counts after any.
    """

    prefix: Prefix | None
    before: tuple[Prefix, ...] = ()
    known: Set[tuple[str, str]] | None = None


_JSON = Layer(None)


class Peeler:
    """The envelopes of one log: a form that an earlier line had is tried first."""

    def __init__(self) -> None:
        self._recent: tuple[Prefix, ...] = ()
        self._first: tuple[Prefix, ...] = ()  # the same, in the order of the table
        self._kinds: set[str] = set()
        self._sources: set[tuple[str, str]] = set()
        self._tried = 0  # lines for which all prefixes were tried
        self._missed: dict[str, int] = {}  # by prefix: lines without another one behind it

    @property
    def trusted(self) -> tuple[int, int]:
        """How many kinds of prefixes count by now, and how many sources before which one counts."""
        return len(self._kinds), len(self._sources)

    def layers(self, line: str) -> tuple[tuple[Layer, ...], str]:
        """
        Return the envelopes around *line* that earlier lines also had, the outermost first; and the
        text in them.
        """
        layers: list[Layer] = []
        used: set[str] = set()
        for _ in range(_MOST_NESTED):
            if line.startswith("{"):
                _, content = _content_in(line)
                if content is None:
                    break
                layers.append(_JSON)
                line = content.line
                continue
            layer = None if own_head(line) is not None else self._known_layer(line, used)
            if layer is None or layer.prefix is None:
                break
            layers.append(layer)
            used.add(layer.prefix.name)
            match = layer.prefix.match(line)
            line = line if match is None else line[match.end() :]
        return tuple(layers), line

    def _known_layer(self, line: str, used: Set[str]) -> Layer | None:
        before: list[Prefix] = []
        for prefix in self._first:
            if prefix.name in used:
                continue
            if "quote" not in prefix.expression.groupindex and prefix.match(line) is not None:
                known = self._sources if prefix.trust == _SOURCE else None
                return Layer(prefix, tuple(before), known)
            before.append(prefix)
        return None

    def peel(self, line: str, most: int = _MOST_NESTED) -> Peeled:
        """
        Return *line* without its envelopes, the outermost *most* of them; unchanged if it has none.

        A part of a line is left as it is: it may begin with any text of a client.
        """
        fields: dict[str, Any] | None = None
        time: Any = None
        source = ""
        depth = 0
        beside: dict[str, str] | None = None
        used: set[str] = set()
        while depth < most:
            if line.startswith("{"):
                fields, content = _content_in(line)
                if content is None:
                    break
                fields = None
            elif own_head(line) is not None:
                break
            else:
                match = self._prefixed(line, used)
                if match is None:
                    break
                content = _content_behind(match)
                beside = _beside(match) or beside
            depth += 1
            time = time if content.time is None else content.time
            source = content.source or source
            if content.is_part:
                return Peeled(content.line, None, time, source, True, depth)
            line = without_colors(content.line)
            if line[:1] == " " and begins_log(line[1:]) is not None:  # rsyslog keeps a blank
                line = line[1:]
        return Peeled(line, fields, time, source, False, depth, beside)

    def _prefixed(self, line: str, used: set[str]) -> re.Match[str] | None:
        for prefix in self._first:
            match = prefix.expression.match(line)
            if match is not None and self._is_trusted(prefix, match, line, used):
                used.add(prefix.name)
                return match
        self._tried += 1
        start = 0
        if self._tried > _FIRST_TRIED:
            # A third of the time, for a line without any.
            first = _any_prefix().match(line)
            if first is None or first.lastgroup is None:
                return None
            start = int(first.lastgroup[1:])
        for prefix in PREFIXES[start:]:
            match = prefix.expression.match(line)
            if match is not None and self._is_trusted(prefix, match, line, used):
                used.add(prefix.name)
                others = (other for other in self._recent if other is not prefix)
                self._recent = (prefix, *others)[:3]
                self._first = tuple(sorted(self._recent, key=PREFIXES.index))
                return match
        return None

    def is_bare(self, line: str) -> bool:
        """Whether *line* has no prefix that counts by what earlier lines have shown."""
        matches = ((prefix, prefix.match(line)) for prefix in PREFIXES)
        return not any(match and self._is_known(prefix, match) for prefix, match in matches)

    def _is_known(self, prefix: Prefix, match: re.Match[str]) -> bool:
        if prefix.trust == _SOURCE:
            return (prefix.name, container_of(match["source"])) in self._sources
        return prefix.trust == _ALWAYS or prefix.name in self._kinds

    def forget_missed(self) -> None:
        """Forget in which lines there was no other prefix: they will be read again."""
        self._missed.clear()

    def _is_trusted(self, prefix: Prefix, match: re.Match[str], line: str, used: Set[str]) -> bool:
        # Around a prefix there may be one of its kind: the time of the record itself is none.
        if prefix.name in used and prefix.begins(line[match.end() :]) is None:
            return False
        if self._is_known(prefix, match):
            return True
        rest = line[match.end() : match.end() + _LOOKED_AT]
        if prefix.begins(rest) is None:
            missed = self._missed.get(prefix.name, 0)
            if missed >= _MOST_MISSED:
                return False
            if not _begins_with_another(prefix, rest):
                self._missed[prefix.name] = missed + 1
                return False
        if prefix.trust == _SOURCE:
            if len(self._sources) < 10_000:
                self._sources.add((prefix.name, container_of(match["source"])))
        else:
            self._kinds.add(prefix.name)
        return True


# The characters after a prefix that show whether it is one, and the most lines of a log in which
# another prefix is looked for there.
_LOOKED_AT = 400
_MOST_MISSED = 100


def _begins_with_another(prefix: Prefix, text: str) -> bool:
    """
    Whether *text*, after a *prefix*, begins with another one, and a logger's line after that. The
    other may be of the same kind, if that is enough for a logger's line.
    """
    for other in PREFIXES:
        match = other.match(text) if other is not prefix or other.trust == _KIND else None
        if match is not None and (
            other.trust == _ALWAYS or other.begins(text[match.end() :]) is not None
        ):
            return True
    return False


class Content(NamedTuple):
    """The content of one envelope: line, time, source, and whether the line is only a part."""

    line: str
    time: Any
    source: str
    is_part: bool


def _content_in(line: str) -> tuple[dict[str, Any] | None, Content | None]:
    """Return the fields of a *line* of JSON, and its content if it is an envelope."""
    fields = parse_fields(line)
    if fields is None:
        return None, None
    inner = fields.get("log") if len(fields) == 1 else None
    if type(inner) is dict and "source_type" in inner:  # Vector's native_json
        fields = inner
    return fields, opened(fields)


def _content_behind(match: re.Match[str]) -> Content:
    at = match.re.groupindex
    time = match["time"] if "time" in at else None
    source = (match["source"] or "") if "source" in at else ""
    if "labels" in at:
        source = source_of_labels(match["labels"])
    line = match.string[match.end() :]
    return Content(
        line.removesuffix('"') if "quote" in at else line,
        None if time == "-" else time,
        "" if source == "-" else source,
        "part" in at and match["part"] == "P",
    )


# A parameter of RFC 5424's "structured data", in which quotes, brackets and backslashes are escaped.
_PARAMETER = Pattern(r' ([^ ="\]]{1,32})="((?:[^"\\\]]|\\.)*)"')
_ESCAPED = Pattern(r'\\(["\\\]])')
_SEVERITIES = 8


def _beside(match: re.Match[str]) -> dict[str, str] | None:
    """Return the fields in a prefix of syslog; None, if it has none."""
    data = match["data"] if "data" in match.re.groupindex else None
    if not data:
        return None
    fields = {name: _ESCAPED.sub(r"\1", value) for name, value in _PARAMETER.findall(data)}
    if fields and match["priority"]:
        fields["PRIORITY"] = str(int(match["priority"]) % _SEVERITIES)
    return fields or None


_LABEL = Pattern(r'([\w.]+)="((?:[^"\\]|\\.)*)"')


def source_of_labels(labels: str) -> str:
    """
    Return the source in the labels of Loki or VictoriaLogs, such as ``{container="front"}``; ""
    without one.
    """
    value_of = dict(_LABEL.findall(labels))
    name = next((name for name in SOURCES if value_of.get(name)), "")
    return in_pod(name, value_of, PODS) if name else ""


def in_pod(name: str, fields: Mapping[str, Any], pods: Sequence[str]) -> str:
    """
    Return the source in the field *name*, with its pod if that is in one of the *pods*, other
    fields: ``front-5d9c/front``.
    """
    source: str = fields[name]
    if name in PODS:
        return source
    for pod_name in pods:
        pod = fields.get(pod_name)
        if pod and type(pod) is str:
            return f"{pod}/{source}"
    return source


# -- JSON ------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """The kind of a JSON object by its fields' names, and the names of those with a purpose."""

    is_raw: bool
    is_collected: bool
    nests: bool
    is_record: bool
    ids: tuple[str, ...]
    levels: tuple[str, ...]
    texts: tuple[str, ...]
    times: tuple[str, ...]
    sources: tuple[str, ...]
    pods: tuple[str, ...]
    parts: tuple[str, ...]


@lru_cache(maxsize=1024)
def _shape(names: tuple[str, ...]) -> _Shape:
    """A log has few sets of names, so this is worked out for each once."""
    among = frozenset(names)
    is_raw = any(fields <= among for fields in RAW)
    return _Shape(
        is_raw,
        is_raw or any(fields <= among for fields in COLLECTED),
        any(map(may_nest, names)),
        not among.isdisjoint(_LOGGERS),
        tuple(among & _IDS),
        tuple(among & _LEVEL_NAMES),
        tuple(name for name in (*TEXTS, *(RAW_TEXTS if is_raw else ())) if name in among),
        tuple(name for name in TIMES if name in among),
        tuple(name for name in SOURCES if name in among),
        tuple(name for name in PODS if name in among),
        tuple(name for name in PARTS if name in among),
    )


def opened(fields: dict[str, Any]) -> Content | None:
    """Return the content of an envelope with these *fields*; None for a record."""
    shape = _shape(tuple(fields))
    is_raw, is_collected = shape.is_raw, shape.is_collected
    if shape.is_record:
        return None
    if shape.nests and dict in map(type, fields.values()):
        fields = flat(fields)
        shape = _shape(tuple(fields))
    if shape.is_record or (shape.ids and any(_is_id(fields[name]) for name in shape.ids)):
        return None
    if not is_raw and shape.levels and any(fields[name] not in _NO_LEVELS for name in shape.levels):
        return None
    name, line = _named_line(fields, shape.texts)
    if line is None:
        return None
    is_part = name == "log" and len(line) >= DOCKERS_PART and not line.endswith("\n")
    if shape.parts:
        is_part = is_part or any(fields[name] == PARTS[name] for name in shape.parts)
    line = line.rstrip("\r\n")
    if not is_collected and begins_log(line) is None:
        return None
    time = None
    for name in shape.times:
        time = fields[name]
        if time not in _NOTHING:
            break
        time = None
    source = _source_in(fields, shape) if shape.sources else ""
    return _new(Content, (line, time, source, is_part))


def _named_line(fields: dict[str, Any], names: Sequence[str]) -> tuple[str, str | None]:
    """
    Return the first text of *fields* with one of these *names* that is not empty, else the first
    empty one, and its name; None without any.
    """
    empty: tuple[str, str | None] = "", None
    for name in names:
        value = fields[name]
        if type(value) is list and name == "MESSAGE":
            value = _from_bytes(value)
        elif type(value) is dict and name == "Body" and "ServiceName" in fields:
            value = _as_text(value)  # a column of a collector's table: JSON, or a map
        if type(value) is not str:
            continue
        if value:
            return name, value
        if empty[1] is None:
            empty = name, value
    return empty


def _source_in(fields: dict[str, Any], shape: _Shape) -> str:
    for name in shape.sources:
        value = fields[name]
        # A session's scope has the name of no service: a program in it has its own identifier.
        if value and type(value) is str and not value.endswith(".scope"):
            is_labels = value.startswith("{")
            return source_of_labels(value) if is_labels else in_pod(name, fields, shape.pods)
    return ""


_NOTHING = (None, "")
# Of a record that a collector did not parse: OpenTelemetry's number, and names of Google Cloud and
# OpenShift.
_NO_LEVELS = (*_NOTHING, 0, "0", "DEFAULT", "UNSPECIFIED", "default", "unknown")
# Half of the time that Content() takes.
_new = tuple.__new__


JOURNAL_BYTES = Pattern(rb'M(?<="M)ESSAGE"\s*:\s*\[')
"""The beginning of a text that the journal writes as a list of bytes, behind its first quote."""


def _from_bytes(numbers: list[Any]) -> str:
    """Return a text that the journal writes as a list of bytes, since it has unprintable ones."""
    try:
        return COLORS.sub("", bytes(numbers).decode("utf-8", "replace"))
    except (TypeError, ValueError):
        return ""


def _as_text(fields: dict[str, Any]) -> str:
    from json import dumps

    try:
        return dumps(fields)
    except RecursionError:
        return ""


def _is_id(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or value not in NO_IDS)


# -- services --------------------------------------------------------------------------------------

_INSTANCE = Pattern(
    r"(?:-[a-f0-9]{6,10}-[a-z0-9]{5}"  # a pod of a deployment
    r"|[-_.]\d{1,5}(?:\.[a-z0-9]{12,25})?(?:@.*)?"  # compose, foreman, a stateful set, a swarm's task
    r"|(?:@[\w:.-]{1,100})?\.service"
    r"|(?:[-.]\d{4}-?\d\d-?\d\d)?\.log(?:[-.]\d[\d-]{0,15})?(?:\.(?:gz|bz2|xz|zst))?)\Z"
)
# prefix/container/task: Amazon ECS; container/id: a tag of Docker
_TASK = Pattern(r"(?:[^/]+/([^/]+)/[0-9a-f]+|([^/]+)/[0-9a-f]{12})\Z")


# A container in a pod, as stern and kail write it.
_IN_POD = Pattern(r"[a-z0-9.-]{1,253}(?: ([a-z0-9-]{1,63})|\[([a-z0-9-]{1,63})\])\Z")


def container_of(source: str) -> str:
    """Return the container of a *source* that is one in a pod; else *source* itself."""
    match = _IN_POD.match(source) if source[-1:] == "]" or " " in source else None
    return source if match is None else match[1] or match[2]


def service_of(source: str) -> str:
    """
    Return the service that a *source* is an instance of: ``front`` for ``front-1`` and for its
    pods.
    """
    task = _TASK.match(source)
    if task is not None:
        return task[1] or task[2]
    container = container_in(source)
    if container:
        return container
    name = container_of(source.rpartition("/")[2])
    return _INSTANCE.sub("", name) or source
