"""
The prefixes that collectors, containers and terminals put before a log line: one row for each form.

A prefix is matched from the start of the line, by its own exact form: then no text of a client can
pass for one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ..._core.patterns import Pattern
from .beginnings import (
    DATE,
    LEVEL_NAMES,
    MONTHS,
    OF_RAILS,
    any_log,
    dated,
    dated_or_ids,
    dated_or_marked,
    ours,
    served,
    stamped,
)

__all__ = ("ALWAYS", "KIND", "PREFIXES", "SOURCE", "Prefix", "any_prefix", "unnamed")

_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12} "
_TIME = (
    rf"{DATE}[T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:[.,][0-9]{{1,9}})?"
    r"(?:Z|[+-][0-9][0-9]:?[0-9][0-9])?"
)
_SYSLOG_TIME = rf"{MONTHS} [ \d]\d (?:\d{{4}} )?\d\d:\d\d:\d\d(?:\.\d{{1,9}})?"
_WORD = r"[\w./@-]{1,200}"
_FACILITY = (
    r"(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7])"
    r"\.(?:emerg|alert|crit|err|warn|warning|notice|info|debug)"
)

_NO_LEVEL = rf"(?!{LEVEL_NAMES}\b)"
# The time and the host of a message, as rsyslog's templates for files and for another host have them.
_RECEIVED = (
    rf"(?:<\d{{1,3}}>)?(?P<time>{_SYSLOG_TIME}"
    rf"|{DATE}T\d\d:\d\d:\d\d(?:\.\d{{1,6}})?(?:Z|[+-]\d\d:\d\d)) "
    rf"(?!std(?:out|err) [FP] ){_NO_LEVEL}{_WORD} {_NO_LEVEL}"
)
# After a time: this line has the prefix of CRI or logcli, of which the time is only the beginning.
_NO_MORE = r"(?!std(?:out|err) [FP](?: |\Z)|\{(?:\}|[\w.]+=\"))"
# An element of the structured data of RFC 5424: a name and values, or a name with an "@" alone. A
# message may begin with a bracket, too, where the data are left out.
_SD_NAME = r"[^\]\\= \"]{1,32}"
_ELEMENT = rf"\[(?:{_SD_NAME} {_SD_NAME}=\"(?:[^\]\\]|\\.)*|(?=[^\]]*@){_SD_NAME})\]"
# The end of a file's name, in which there may be a hyphen, too.
_AFTER_NAME = rf"-(?:\d{{1,12}}-)?(?:{DATE}[T ]\d\d:|\{{\"|@?time(?:stamp)?=)"


# When a prefix counts: always; or if a logger's line follows it, here or earlier in the same log;
# or if a logger's line follows it, here or earlier after the same source.
ALWAYS, KIND, SOURCE = range(3)


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
    trust: int = ALWAYS,
    begins: Any = dated,
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
        rf"[^ ]{{1,128}} [^ ]{{1,32}} (?:-|(?P<data>(?:{_ELEMENT})+))(?: \ufeff?|\Z)",
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
        rf"(?P<day>[A-Z][a-z][a-z] )?(?P<time>{DATE}(?(day) |T)[0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:\.\d{{1,9}})?"
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
        KIND,
    ),
    _prefix(
        "rsyslog, a tag without a colon",
        rf"{_RECEIVED}(?P<source>[A-Za-z]{_WORD})(?: |\Z)",
        SOURCE,
        stamped,
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
        rf"\[(?P<time>\d\d-{MONTHS}-\d{{4}} \d\d:\d\d:\d\d(?:\.\d{{6}})?)\] WARNING: \[pool [\w.-]{{1,128}}\] "
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
        rf"(?P<time>{DATE} \d\d:\d\d:\d\d\.\d{{9}} [+-]\d{{4}}) (?P<source>[\w.-]{{1,200}}): (?=\{{)",
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
        rf"(?P<time>{DATE} \d\d:\d\d:\d\d\.\d{{9}} [+-]\d{{4}}) [A-Z]{{1,5}} \[(?P<source>[\w-]{{1,64}})\] ",
    ),
    _prefix(
        "Bamboo",
        rf"(?:build|command|error|simple)\t(?P<time>\d\d-{MONTHS}-\d{{4}} \d\d:\d\d:\d\d)\t",
    ),
    _prefix(
        "docker logs -t",
        rf"(?P<time>{DATE}T\d\d:\d\d:\d\d\.\d{{9}}(?:Z|[+-]\d\d:\d\d))(?: {_NO_MORE}|\Z)",
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
        rf"(?P<time>{MONTHS} \d\d?, \d\d?:\d\d:\d\d [AP]M): (?:[0-9a-f]{{8}} [A-Z]{{1,10}} +)?",
    ),
    # DigitalOcean's doctl apps logs; podman logs -t --names
    _prefix(
        "doctl",
        r"(?P<source>[a-z][a-z0-9_-]{0,62}) (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d)) ",
        SOURCE,
        any_log,
    ),
    # docker compose, docker service logs
    _prefix(
        "compose",
        rf"{_NO_LEVEL}(?P<source>[A-Za-z0-9_][\w.@-]{{0,120}})  +[|│](?: |\Z)",
        KIND,
        any_log,
        is_fixed=True,
    ),
    _prefix(
        "docker logs --details",
        r"(?:com\.docker\.(?:compose\.service=(?P<source>[^ ,=]{1,200})|[\w.]{1,100}=[^ ,=]{0,200})(?:,|(?= ))){1,30} ",
        KIND,
    ),
    # foreman, honcho, pm2, supervisor-stdout; foreman for Node.js has a clock of twelve hours
    _prefix(
        "a process manager",
        r"(?=(?:\d{4}-\d\d-\d\d-)?\d\d?:\d\d:\d\d |\d{1,4}\||[^ |]{1,120} std(?:out|err) )"
        r"(?:(?P<time>(?:\d{4}-\d\d-\d\d-)?\d\d?:\d\d:\d\d(?: [AP]M)?) )?"
        rf"(?:\d{{1,4}}\|)?{_NO_LEVEL}(?P<source>[A-Za-z0-9_][\w.@-]{{0,120}})"
        r"(?(time) +|(?: std(?:out|err) +|  +))[|│](?:(?(time)  (?! )| )| |\Z)",
        KIND,
        any_log,
    ),
    # Sanic writes such a bar, too, behind the name of its worker
    _prefix(
        "nerdctl compose",
        rf"{_NO_LEVEL}(?!Main {{1,4}}\|\d{{4}}-)(?P<source>[A-Za-z0-9_][\w.@-]{{0,120}}) {{1,60}}\|(?! )",
        SOURCE,
        any_log,
    ),
    _prefix(
        "podman-compose",
        rf"\[(?P<source>{_WORD})\] +\|(?: |\Z)",
        KIND,
        any_log,
        is_fixed=True,
    ),
    _prefix("awslogs", r"/[\w./#-]{1,512} (?P<source>[^ \"{}=\[\]]{1,512}) ", KIND),
    _prefix(
        "aws logs tail",
        rf"(?P<time>{DATE}T\d\d:\d\d:\d\d(?:\.\d{{3,9}})?(?:Z|[+-]\d\d:?\d\d)) "
        rf"{_NO_MORE}{_NO_LEVEL}(?!\d{{4}}-\d\d-)(?P<source>[^ \"{{}}=<>\[\]]{{1,512}})(?: |\Z)",
        KIND,
        dated_or_marked,
    ),
    _prefix(
        "timestamps",
        rf"(?:\d{{13}}(?:\d{{6}})?\t)?(?P<time>{_TIME}(?: (?:UTC|GMT|CES?T|[ECMP][SD]T|[+-]\d\d:\d\d))?):?"
        rf"(?:[ \t]{_NO_MORE}|\Z)",
        KIND,
    ),
    # the same with the day first, with slashes, or with the name of the month: of pm2, Go, Coolify
    _prefix(
        "timestamps of another date",
        r"\[?(?P<time>(?:\d{4}/\d\d/\d\d|\d\d[-/.]\d\d[-/.]\d{4}|\d{4}-[A-Z][a-z]{2}-\d\d"
        r"|\d\d-[A-Z][a-z]{2}-\d{4}),? "
        r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d|[AP]M))?)\]?:?[ \t]",
        KIND,
    ),
    # pm2 with the --log-date-format of its documentation: without seconds, this is no time of a line
    _prefix("timestamps of minutes", rf"{DATE} \d\d:\d\d [+-]\d\d:\d\d: ", KIND),
    # of aws logs with a --query of a time and a line, and --output text
    _prefix("timestamps of the epoch", r"(?P<time>1\d{12})\t", KIND),
    # kafka-console-consumer with properties such as print.timestamp and print.key, in its order
    _prefix(
        "kafka-console-consumer",
        r"(?:CreateTime|LogAppendTime):(?P<time>1\d{12})\t(?:Partition:\d{1,6}\t)?(?:Offset:\d{1,19}\t)?"
        r"(?:NO_HEADERS\t)?(?:(?P<source>[\w./@-]{1,200})\t)?",
    ),
    # psql -At, sqlite3: rows of a time, a service and a line, without the names of columns
    _prefix(
        "psql -At",
        rf"(?P<time>{DATE} \d\d:\d\d:\d\d(?:\.\d{{1,6}})?(?:[+-]\d\d(?::\d\d)?)?)\|"
        r"(?P<source>[a-z][\w.-]{0,120})\|",
        SOURCE,
        stamped,
    ),
    # s6-log, Render
    _prefix("s6-log", rf"(?P<time>{DATE} \d\d:\d\d:\d\d(?:\.\d{{9}})?)  ", KIND),
    # saw: the time, and the stream
    _prefix("saw", rf"\[(?P<time>{_TIME})\] \((?P<source>[^() ]{{1,512}})\) ", KIND),
    # concurrently with a --prefix of the time and the name, as its manual has it
    _prefix(
        "concurrently",
        rf"\[(?P<time>{_TIME}) (?![A-Z]{{3,8}}\])(?P<source>[\w.@:-]{{1,120}})\] ",
        SOURCE,
    ),
    # Jenkins, concurrently
    _prefix("timestamps in brackets", rf"\[(?P<time>{_TIME})\] ", KIND),
    _prefix("Jenkins", r"(?P<time>\d\d:\d\d:\d\d)  ", KIND),
    _prefix("ts -s", r"(?P<time>\d\d:\d\d:\d\d(?:\.\d{6})?) ", KIND),
    # of a program that sends lines without its name, such as the SysLogHandler of Python
    _prefix(
        "syslog without a tag",
        rf"(?:<\d{{1,3}}>)?(?P<time>{_SYSLOG_TIME}) {_NO_LEVEL}(?!{DATE} ){_WORD} ",
        KIND,
    ),
    # ts, svlogd, multilog, stern --timestamps=short
    _prefix(
        "other timestamps",
        rf"(?:(?P<time>{_SYSLOG_TIME}|@4[0-9a-f]{{23}}|\d{{10}}(?:\.\d{{6}})?)|{DATE}_\d\d:\d\d:\d\d\.\d{{1,9}}"
        r"|\d\d-\d\d \d\d:\d\d:\d\d) ",
        KIND,
    ),
    # cat -n and nl, less -N, grep -n
    _prefix("cat -n", r" {0,8}\d{1,9}\t| {1,8}\d{1,8} |(?!\d\d:\d\d:)\d{1,9}:", KIND, dated_or_ids),
    _prefix(
        "syslog without a process",
        rf"(?P<time>{_TIME}) {_NO_LEVEL}{_WORD} {_NO_LEVEL}(?P<source>{_WORD}):(?: |\Z)",
        KIND,
    ),
    _prefix(
        "overmind",
        rf" {{0,40}}(?:\d{{1,4}}\|)?{_NO_LEVEL}(?!std(?:out|err) )(?P<source>[A-Za-z_][\w.-]{{0,120}}) [|│] ",
        SOURCE,
        dated_or_ids,
    ),
    _prefix(
        "stern",
        rf"(?!{_UUID})(?:[a-z0-9-]{{1,63}} )?(?!{DATE})(?P<source>[a-z0-9.]+-[a-z0-9.-]{{1,253}} (?!{DATE})"
        r"[a-z0-9-]{1,63}) ",
        SOURCE,
        served,
    ),
    # a folder in pnpm, a package in Bun, before a script: by the usual names of scripts, since syslog
    # has a host and a name in these places
    _prefix(
        "bun --filter",
        r"(?P<source>(?:@[a-z][\w.-]{0,100}/)?[a-z][\w.-]{0,100}) "
        r"(?:start|dev|develop|serve|watch|preview)(?::[\w:-]{1,60})?: ",
        SOURCE,
        stamped,
    ),
    _prefix(
        "a pod",
        rf"(?!{DATE}|\d\d-\d\d(?:-\d{{4}})? |{_UUID})(?P<source>[a-z0-9]+(?:-[a-z0-9]{{1,63}}){{1,20}}) ",
        SOURCE,
        served,
    ),
    # several containers of Podman, by the names that its compose gives
    _prefix("podman logs --names", r"(?P<source>[a-z][\w.-]{0,120}_\d{1,4}) ", SOURCE, stamped),
    # The same by other names, and k9s with the name of the container. Only before a line of ours:
    # many sentences have a word before a time.
    _prefix("a container", r"(?P<source>[a-z][\w.-]{0,120}) ", SOURCE, ours),
    # the same, by their ids
    _prefix("podman logs", r"(?P<source>[0-9a-f]{12}) ", SOURCE),
    # the stream of a task of Amazon ECS; an address follows the name of a load balancer
    _prefix(
        "copilot svc logs",
        r"(?P<source>[\w.-]{1,128}/[\w.-]{1,128}/[0-9a-f]{7,32}) ",
        SOURCE,
    ),
    _prefix("tkn", r"\[(?P<source>[\w.-]{1,128}) : [\w.-]{1,128}\] ", SOURCE, served),
    _prefix("yarn", r"(?:\u27a4 YN0000: )?\[(?P<source>[@\w./-]{1,200})\]: ", SOURCE, dated_or_ids),
    _prefix("pnpm", r"(?P<source>[\w.-]{1,100}/[\w./-]{1,100}) [\w:-]{1,60}: ", SOURCE, stamped),
    _prefix(
        "kail",
        r"[a-z0-9-]{1,63}/(?P<source>[a-z0-9.-]{1,253}\[[a-z0-9-]{1,63}\]): ",
        SOURCE,
        served,
    ),
    _prefix(
        "brackets",
        rf"(?!{OF_RAILS})\[(?:{_WORD} )?(?!(?i:{LEVEL_NAMES})[ \t]*\]){_NO_LEVEL}(?P<source>{_WORD})"
        r"(?::\d{1,9}|[ \t]*)\][ \t](?!\d{4}/\d\d/\d\d - )",
        SOURCE,
    ),
    _prefix("parallel --tag", rf"(?P<source>[a-z]{_WORD})\t", SOURCE, stamped),
    # a package of npm: Turborepo, with its task, Nx and Lerna
    _prefix(
        "a package", rf"(?P<source>@[a-z][\w.-]{{0,100}}/[\w.-]{{1,100}})(?::{_WORD})?: ", SOURCE
    ),
    _prefix("a name", rf"(?P<source>[a-z]{_WORD})(?::{_NO_LEVEL}{_WORD})?: ", SOURCE, stamped),
    _prefix(
        "grep -H",
        rf"{_NO_LEVEL}(?!{DATE}[ \t])(?P<source>(?:(?!{_AFTER_NAME})[^\s:|{{}}\"=\[\]]){{1,250}})[:-]"
        r"(?:(?!\d{4}-\d\d|\d\d:\d\d:\d\d )\d{1,12}[:-]){0,2}",
        SOURCE,
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
def any_prefix() -> re.Pattern[str]:
    """Return an expression for all prefixes, whose last group is that of the first one that matches."""
    return re.compile(
        "|".join(
            f"(?P<p{number}>{unnamed(prefix.pattern, number)})"
            for number, prefix in enumerate(PREFIXES)
        )
    )
