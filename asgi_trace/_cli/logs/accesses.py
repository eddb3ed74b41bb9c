"""
The access lines of other programs: one row for each, with the places of the fields and of the id.

A client's text is never used as an id where its place is known: in the request, the referrer and
the user agent, and in quotes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from ..._core.access_lines import parse_access, parse_outgoing
from ..._core.escapes import unescape
from ..._core.patterns import Pattern
from .colors import COLORS
from .ids import HEX, NAMED, OF_HAPROXY, OF_STREAM, UNIQUE, UUID

__all__ = (
    "HOST",
    "USUAL_ACCESS",
    "AccessLines",
    "access_in",
    "access_line",
    "access_lines",
    "accesses_in",
    "milliseconds_in",
    "outgoing_in",
    "without_clients_text",
)

# Apache writes a quote of the client's as \".
_REQUEST = r'"(?P<method>[A-Z]{3,20}) (?P<path>(?:[^ "\\]|\\.)+)(?: (?:HTTP/)?[\d.]+)?"'
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# Go writes 1m2.5s.
_LASTED = r"(?:\d{1,9}h)?(?:\d{1,9}m)?\d+(?:\.\d+)?(?:ns|us|\u00b5s|ms|s)"

# The group ``utc`` is a time of the extended log file format of W3C: it has no zone and is in UTC.
# The group ``time`` is one behind the request.
_ROWS = (
    # ingress-nginx: … "referrer" "agent" length seconds [upstream] … id
    (
        "] [",
        Pattern(
            rf"{_REQUEST} (?P<status>\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED} \d+ (?P<seconds>\d+\.\d+) \[.*"
            rf" (?P<request>{HEX}|{UUID})\Z"
        ),
    ),
    # Envoy and Istio: … received sent milliseconds upstream "forwarded for" "agent" "id" "host"
    # "upstream"
    (
        '" "',
        Pattern(
            rf"{_REQUEST} (?P<status>\d{{1,3}}) .{{1,200}}? \d+ \d+ (?P<milliseconds>\d+) (?:\d+|-) "
            rf'{_QUOTED} {_QUOTED} "(?P<request>[\w.~+/=:@-]{{1,128}})" {_QUOTED} {_QUOTED}'
        ),
    ),
    # HAProxy: times status size … {captured headers} "request", and its unique id before or after
    # all of this
    (
        "/",
        Pattern(
            rf"\A(?:(?P<request>{HEX}|{UUID}|{OF_HAPROXY}) )?.* (?:-?\d+/){{4}}\+?(?P<milliseconds>\d+) "
            rf"(?P<status>\d{{3}}) \+?\d+ (?P<captured>[^\"]{{0,1000}}?){_REQUEST}"
            rf"(?: (?P<last>{HEX}|{UUID}|{OF_HAPROXY})\Z)?"
        ),
    ),
    # AWS ALB: kind time balancer client target three times statuses sizes "request" "agent" …
    # "Root=trace"
    (
        "app/",
        Pattern(
            r"\A\w+ [\dT:.Z-]+ app/[^ ]+ [^ ]+ [^ ]+ -?[\d.]+ (?P<seconds>[\d.]+|-1) -?[\d.]+ "
            r"(?P<status>\d{3}) [^ ]+ \d+ \d+ "
            rf'"(?P<method>[A-Z]+) \w+://[^/ "]*(?P<path>/[^ "]*) [^"]*" {_QUOTED} [^"]*"(?P<request>(?:Self=[^;"]*;)?'
            r'Root=[\w-]+)"'
        ),
    ),
    # AWS' classic load balancer, also without the time and its name, which are an envelope
    (
        '"',
        Pattern(
            r"\A(?:[\dT:.-]+Z [\w.-]+ )?[\d.]+:\d+ (?:[\d.]+:\d+|-) -?[\d.]+ (?P<seconds>[\d.]+|-1) -?[\d.]+ "
            r'(?P<status>\d{3}) [^ ]+ \d+ \d+ "(?P<method>[A-Z]+) \w+://[^/ "]*(?P<path>/[^ "]*) '
        ),
    ),
    # chi: its id, and the time of work after the request; gin
    (
        '" from ',
        Pattern(
            rf'\A\d{{4}}/\d\d/\d\d [\d:.]+ (?:\[(?P<request>[\w.~+/=:@-]{{1,128}})\] )?{_REQUEST} from [^ "]+ - '
            rf"(?P<status>\d{{3}}) \d+B in (?P<lasted>{_LASTED})\Z"
        ),
    ),
    (
        " | ",
        Pattern(
            rf"\A(?:\[GIN\] )?\d{{4}}/\d\d/\d\d - [\d:.]+ \| (?P<status>\d{{3}}) \| +(?P<lasted>{_LASTED}) \| "
            r'+[\da-f.:]+ \| (?P<method>[A-Z]+) +"(?P<path>/[^"]*)"'
        ),
    ),
    # Fiber
    (
        " | ",
        Pattern(
            rf"\A\d\d:\d\d:\d\d \| (?P<status>\d{{3}}) \| +(?P<lasted>{_LASTED}) \| +[\da-f.:]+ \| "
            r"(?P<method>[A-Z]+) *\| (?P<path>/[^ |]*) "
        ),
    ),
    # Tornado, and Jupyter, with the user before the address
    (
        "ms",
        Pattern(
            r"\A\[[DIWEC] (?:\d{6}|\d{4}-\d\d-\d\d) [\d:.]{8,15} (?:web:\d+|\w{1,40}App)\] "
            r"(?P<status>\d{3}) (?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) "
            rf"\((?:[\w-]{{0,255}}@)?[\da-f.:]+\) (?P<lasted>{_LASTED})(?: referer=.*)?\Z"
        ),
    ),
    # Sanic: worker time level: client request status bytes milliseconds; before its version 24.12
    # without these
    (
        "://",
        Pattern(
            r"\A(?:Main|Srv \d{1,3}) {1,4}\|?(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(?: [+-]\d{4})? (?:INFO|ACCESS): [^ ]+ "
            r"(?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) (?P<status>\d{3}) (?:\d+|chunked) "
            rf"(?: +(?P<lasted>{_LASTED}))?\Z"
        ),
    ),
    (
        "(sanic.access)",
        Pattern(
            r"\A\[[\d :+-]{19,30}\] - \(sanic\.access\)\[INFO\]\[[^\] ]+\]: (?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) "
            r" (?P<status>\d{3}) (?:-?\d+|chunked)\Z"
        ),
    ),
    # Squid
    (
        "/",
        Pattern(
            r"\A\d{10}\.\d{3} +(?P<milliseconds>\d+) [\da-f.:]+ [A-Z_]+/(?P<status>\d{3}) \d+ "
            r"(?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) "
        ),
    ),
    # ASP.NET Core
    (
        "Request finished HTTP/",
        Pattern(
            r"\bRequest finished HTTP/[\d.]+ (?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) - (?P<status>\d{3}) "
            rf"(?:\d+|-) [^ ]+(?: charset=[\w-]+)? (?P<lasted>{_LASTED})\Z"
        ),
    ),
    # morgan: dev, tiny, and short, perhaps with a time or an id before or an id behind; and its
    # manual's example with an id
    (
        " ms",
        Pattern(
            rf"\A(?:\[?\d{{4}}-\d\d-\d\dT[\d:.]{{8,12}}Z\]? )?(?:(?P<open>\[)?(?P<request>{HEX}|{UUID})(?(open)\]) )?"
            r"(?:[\da-fA-F.:]+ (?P<user>[^ ]{1,255}) )?(?P<method>[A-Z]{3,20}) (?P<path>/[^ \"]*)"
            r"(?: HTTP/[\d.]+)? (?P<status>\d{3})(?: (?:\d+|-))?(?: -)? "
            rf"(?P<milliseconds>\d+\.\d{{3}}) ms(?: - (?:\d+|-))?(?: (?:- )?(?P<last>{HEX}|{UUID}))?\Z"
        ),
    ),
    # koa-logger, also behind an id
    (
        " /",
        Pattern(
            rf"\A(?:(?P<request>{HEX}|{UUID}) )?  (?:<--|-->|xxx|-x-) (?P<method>[A-Z]{{3,20}}) (?P<path>/[^ ]*)"
            r"(?: (?P<status>\d{3}) (?:(?P<lasted>\d{1,9}m?s)|[\d,]{5,12}m?s)(?: (?:[\d.]+[a-z]+|-)?)?)?\Z"
        ),
    ),
    (
        " /",
        Pattern(
            rf"\A(?P<request>{HEX}|{UUID}) (?P<method>[A-Z]{{3,20}}) (?P<path>/[^ \"]*) \d+\.\d{{3}}\Z"
        ),
    ),
    # next dev
    (
        " in ",
        Pattern(
            r"\A ?(?P<method>[A-Z]{3,7}) (?P<path>/[^ ]*) (?P<status>\d{3}) in "
            rf"(?P<lasted>{_LASTED})(?: \([^()]{{1,200}}\))?\Z"
        ),
    ),
    # PHP's built-in server
    (
        "]: ",
        Pattern(
            r"\A\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}\] (?:\[[\da-f:]+\]|[\d.]+):\d+ "
            r"\[(?P<status>\d{3})\]: (?P<method>[A-Z]{3,20}) (?P<path>/[^ ]*)(?: - .*)?\Z"
        ),
    ),
    # uWSGI
    (
        "=> generated ",
        Pattern(
            r"\A\[pid: \d+\|app: [^|\]]{1,20}\|req: [\d/]{1,40}\] [\da-fA-F.:]* \([^ ()]*\) "
            r"\{\d+ vars in \d+ bytes\} \[[^\]]{1,40}\] (?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) => generated \d+ bytes "
            r"in (?P<lasted>\d+ (?:msecs|micros)) \(HTTP/[\d.]+ (?P<status>\d{3})\)"
        ),
    ),
    # Serilog's requests, on a terminal and in a file
    (
        " responded ",
        Pattern(
            r"\A\[?[\d :.T+Z-]{8,40}\[?(?:VRB|DBG|INF|WRN|ERR|FTL)\] HTTP (?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) "
            r"responded (?P<status>\d{3}) in (?P<milliseconds>\d+\.\d+) ms\Z"
        ),
    ),
    # tower-http
    (
        "tower_http::trace::on_response",
        Pattern(
            r"\A[\dT:.Z-]{20,35} +[A-Z]+ (?:[\w:]+\{[^{} ]{0,200}\}:)?[\w:]+\{method=(?P<method>[A-Z]{3,20}) "
            r"uri=(?P<path>[^ ]+) version=[^ }]+"
            r"(?: request_id=(?P<request>[\w.~+/=:@-]{1,128}))?(?: [\w.]{1,64}=[^ {}\"]{1,128}){0,9}\}: "
            r"tower_http::trace::on_response: finished processing request "
            r"latency=(?P<lasted>\d+ (?:ns|\u03bcs|ms|s)) status=(?P<status>\d{3})"
        ),
    ),
    # IIS, with the fields that it has from the start: … agent referrer status substatus win32 milliseconds
    (
        " ",
        Pattern(
            r"\A(?P<utc>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) [\da-fA-F.:%]+ (?P<method>[A-Z]{3,20}) (?P<path>[^ ]+) "
            r"[^ ]+ \d+ [^ ]+ [\da-fA-F.:%]+ [^ ]+ [^ ]+ (?P<status>\d{3}) \d+ \d+ (?P<milliseconds>\d+)\Z"
        ),
    ),
    # CloudFront: date time location bytes client method host path status referrer agent query cookie
    # result id host protocol bytes seconds
    (
        "\t",
        Pattern(
            r"\A(?P<utc>\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d)\t[A-Z]{3}[\w-]*\t\d+\t[\da-f.:]+\t(?P<method>[A-Z]{3,20})\t[^\t]*\t"
            r"(?P<path>[^\t]+)\t(?P<status>\d{3})\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t\w+\t(?P<request>[\w=-]{20,80})\t"
            r"[^\t]*\t\w+\t\d+\t(?P<seconds>\d+\.\d+)\t"
        ),
    ),
    # S3: owner bucket [time] client requester id operation key "request" status error sizes
    # milliseconds
    (
        "] ",
        Pattern(
            rf"\A[0-9a-f]{{64}} [\w.-]+ \[[^\]]+\] [^ ]+ [^ ]+ (?P<request>[0-9A-Z]{{16}}) [A-Z]+\.[\w.]+ "
            rf"[^ ]+ {_REQUEST} (?P<status>\d{{3}}) [\w-]+ (?:\d+|-) (?:\d+|-) (?P<milliseconds>\d+)? "
        ),
    ),
    # Apache's forensic log
    (
        "+",
        Pattern(
            r"\A\+(?P<request>[\w@:.-]{1,64})\|(?P<method>[A-Z]{3,20}) (?P<path>[^ |]+) HTTP/[\d.]+\|.*"
        ),
    ),
    # Mojolicious
    (
        "[trace] [",
        Pattern(
            r'\[trace\] \[(?P<request>[\w-]{12})\] (?P<method>[A-Z]{3,20}) "(?P<path>/[^"]*)"\Z'
        ),
    ),
    (
        "s, ",
        Pattern(
            r"\[trace\] \[(?P<request>[\w-]{12})\] (?P<status>\d{3}) [A-Za-z' -]{1,40} "
            r"\((?P<lasted>\d+(?:\.\d+)?s), [\d.]+/s\)\Z"
        ),
    ),
    # Phoenix
    (
        "Sent ",
        Pattern(rf"\[info\] +Sent (?P<status>\d{{3}}) in (?P<lasted>{_LASTED})\Z"),
    ),
    # OpenStack
    (
        '" status: ',
        Pattern(rf"{_REQUEST} status: (?P<status>\d{{3}}) +len: \d+ time: (?P<seconds>\d+\.\d+)"),
    ),
    # Rails: Started GET "/path" for …, Completed 200 OK in 12ms, and lograge's line
    (
        "method=",
        Pattern(
            r"\bmethod=(?P<method>[A-Z]+) path=(?P<path>[^ \"]+) (?:[a-z]+=[^ \"]+ ){0,8}?status=(?P<status>\d{3})"
            r"(?: error='[^']{0,500}')?(?: duration=(?P<milliseconds>\d+\.\d+))?"
        ),
    ),
    (
        "Started ",
        Pattern(
            r'\A(?:\[[^\]" ]{1,128}\] ){0,4}Started (?P<method>[A-Z]+) "(?P<path>[^"]+)" for [\da-fA-F.:]+ at '
            r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\Z"
        ),
    ),
    ("Started ", Pattern(r'\bStarted (?P<method>[A-Z]+) "(?P<path>[^"]+)" for ')),
    (
        "Completed ",
        Pattern(r"\bCompleted (?P<status>\d{3}) .{0,60}?\bin (?P<milliseconds>\d+)ms"),
    ),
    # AWS API Gateway's execution log
    (
        "Method completed with status: ",
        Pattern(
            rf"\A{OF_STREAM}\((?P<request>{UUID})\) Method completed with status: (?P<status>\d{{3}})\Z"
        ),
    ),
    # AWS Lambda
    (
        "REPORT",
        Pattern(
            rf"\AREPORT RequestId: (?P<request>{UUID})\s+Duration: (?P<milliseconds>[\d.]+) ms"
        ),
    ),
    # traefik: … "referrer" "agent" number "router" "server" milliseconds
    (
        "ms",
        Pattern(
            rf"{_REQUEST} (?P<status>\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED} \d+ {_QUOTED} {_QUOTED} "
            r"(?P<milliseconds>\d+)ms"
        ),
    ),
    # PHP-FPM, with the format that its configuration suggests: … script milliseconds kilobytes CPU
    (
        "% ",
        Pattern(
            rf"{_REQUEST} (?P<status>\d{{3}}) /[^ ]+ (?P<milliseconds>\d+\.\d{{3}}) \d+ \d+\.\d\d%(?P<others> .*)"
        ),
    ),
    # The common and the combined log format, of nginx, Apache, gunicorn, hypercorn, daphne: each
    # has further text of its own after it
    (
        '"',
        Pattern(
            rf"{_REQUEST} (?P<status>\d{{3}})(?: (?:\d+|-)(?: {_QUOTED} {_QUOTED})?)?(?P<others> .*|\Z)"
        ),
    ),
)


@cache
def _finders() -> tuple[tuple[str, Callable[[str], re.Match[str] | None]], ...]:
    """Return the rows of access lines, each with the function that finds it in a line."""
    # A search for an expression that begins with \A tries each place of a line all the same.
    return tuple(
        (needle, row.match if row.pattern.startswith(r"\A") else row.search)
        for needle, row in _ROWS
    )


# The usual access lines of servers: of uvicorn, which has neither a time nor an id; and the combined
# log format of nginx, Apache and gunicorn, and nginx's id behind it. In none, a client's text has an
# escape, a bracket or a color.
_PLAIN_REQUEST = (
    r'"(?P<method>[A-Z]{3,20}) (?P<path>/[^ "\\\[\x1b]*) HTTP/[\d.]{1,3}" (?P<status>\d{3})'
)
_PLAIN_CLIENT = r"(?:[\d.]{7,15}|[\da-f]{1,4}(?::[\da-f]{0,4}){2,7})"
_PLAIN_QUOTED = r'"[^"\\\[\x1b]*"'
USUAL_ACCESS = (
    Pattern(
        rf"(?P<head>(?P<level>INFO): {{5}})[\d.]{{7,15}}:\d{{1,5}} - {_PLAIN_REQUEST}"
        r"(?: [A-Z][A-Za-z-]{1,20}){0,4}\Z",
        re.ASCII,
    ),
    Pattern(
        rf"(?P<head>{_PLAIN_CLIENT} - - \[(?P<time>\d\d/[A-Z][a-z]{{2}}/\d{{4}}:\d\d:\d\d:\d\d [+-]\d{{4}})\] )"
        rf"{_PLAIN_REQUEST} (?:\d{{1,20}}|-) {_PLAIN_QUOTED} {_PLAIN_QUOTED}(?P<others> (?:{HEX}|\"{HEX}\"))?\Z",
        re.ASCII,
    ),
)

HOST = Pattern(r"\A\w{2,10}://[^/]*(?=/)")
_MILLISECONDS_IN = {"ns": 1e-6, "us": 1e-3, "\u00b5s": 1e-3, "\u03bcs": 1e-3, "ms": 1, "s": 1e3}
_MILLISECONDS_IN |= {"micros": 1e-3, "msecs": 1}
_WITH_UNIT = Pattern(
    rf"(?:(\d{{1,9}})h)?(?:(\d{{1,9}})m)?(\d{{1,30}}(?:\.\d{{1,30}})?) ?({'|'.join(_MILLISECONDS_IN)})"
)
# The characters of a line that are searched.
_MOST_READ = 8192
# Of AWS API Gateway: a further id behind that of the request, or alone.
_EXTENDED = r"[A-Za-z0-9_-]{15}="
_LAST = Pattern(rf" (?P<open>\[)?(?P<request>{HEX}|{UUID}|{UNIQUE}|{_EXTENDED})(?(open)\])\Z")
_BEFORE_REQUEST = Pattern(rf"\] ({HEX}|{UUID}|{UNIQUE}) \Z")
_LAST_QUOTED = Pattern(rf' "(?P<request>{HEX}|{UUID})"\Z')
# The times, sizes and addresses that a server may write behind its id: a client's text is longer or
# in quotes of its own.
_NUMBERS = Pattern(r'[\d.,:-]{1,31}|"[\d.,:-]{1,31}"|ms')
_MOST_NUMBERS = 6
_DURATION = r"\b(?:rt|request_time|response_time|duration)[=:]\"?"
# The durations behind a request, and the milliseconds in their unit. nginx writes its $request_time
# with three digits, Rack four, gunicorn and actix six; a time has more before the point.
_DURATIONS = (
    (Pattern(rf"{_DURATION}(\d+\.\d+)(?![\d.]| ?ms)"), 1e3),
    (Pattern(rf"(?:{_DURATION}| )(\d{{1,9}}(?:\.\d{{1,9}})?) ?ms(?=[ \"]|\Z)"), 1),
    (Pattern(r" (\d{1,6}\.\d{3,6})(?= |\Z)"), 1e3),
)
# A text in quotes is the client's, unless it has one of these names.
_OF_CLIENT = Pattern(
    r'((?:(?:request|correlation|req|trace)[-_]?id|rt|request_time|response_time|duration)[=:] ?"[\w.~+/=:@-]{1,128}")'
    # A quote that is never closed encloses the rest: a search from each such quote would take long.
    r'|"(?:[^"\\]|\\.)*(?:"|\\?\Z)',
    re.IGNORECASE,
)


# hypercorn decodes a path and writes a quote in it as it is: the last of these ends the request.
_END_OF_REQUEST = Pattern(r'.* (?:HTTP/)?[123](?:\.\d)?" (?=\d{3}(?: |\Z))')
# HAProxy escapes these characters in a header.
_CAPTURED = Pattern(r"[{|]([^{|}]*)(?=[|}])")
_MOST_CAPTURED = 20
_IS_ID = Pattern(rf"{HEX}|{UUID}|{OF_HAPROXY}")


class AccessLines:
    """The access lines of one log, in the forms of other servers."""

    def __init__(self) -> None:
        # nginx writes its $request_id on each line; a client's text in quotes is only on its own
        # lines. Of the lines with a text in quotes there, by their service.
        self._quoted: Counter[str] = Counter()
        self._unquoted: Counter[str] = Counter()
        # The same for the headers that HAProxy captures: the service, their number, the place of
        # one, and whether it was an id.
        self._captured: Counter[tuple[str, int, int, bool]] = Counter()

    def read(self, match: re.Match[str], service: str = "") -> tuple[dict[str, Any], str]:
        """
        Return the fields of an access line of a *service*, and the id of its request, if it has one.
        """
        groups = match.groupdict()
        fields: dict[str, Any] = {
            name: groups[name] for name in ("method", "path") if groups.get(name)
        }
        if groups.get("status"):
            fields["status"] = int(groups["status"])
        seconds, milliseconds = groups.get("seconds"), groups.get("milliseconds")
        if "path" in fields:
            fields["path"] = HOST.sub("", fields["path"])
        lasted = milliseconds_in(groups.get("lasted") or "")
        if lasted is not None:
            fields["duration_ms"] = round(lasted, 4)
        elif seconds and seconds != "-1":
            fields["duration_ms"] = round(float(seconds) * 1000, 3)
        elif milliseconds:
            fields["duration_ms"] = float(milliseconds)
        request = groups.get("request") or groups.get("last") or ""
        if not request and groups.get("captured"):
            request = self._captured_id(groups["captured"], service)
        others = groups.get("others")
        if others:
            end = _END_OF_REQUEST.match(others) if '"' in others else None
            of_server = _OF_CLIENT.sub(r"\1", others if end is None else others[end.end() :])
            for duration, factor in _DURATIONS:
                measured = duration.search(of_server)
                if measured is not None:
                    fields["duration_ms"] = round(float(measured[1]) * factor, 3)
                    break
            named = NAMED.search(of_server)
            request = self.last_id(others, service) if named is None else named[2]
        if not request and "others" in groups:
            before = _BEFORE_REQUEST.search(match.string, max(0, match.start() - 40), match.start())
            request = "" if before is None else before[1]
        return fields, request

    def _captured_id(self, captured: str, service: str) -> str:
        """Return the first id in text with *captured* headers that is where nearly all lines have one."""
        values = _CAPTURED.findall(captured)[:_MOST_CAPTURED]
        number = len(values)
        request = ""
        for place, value in enumerate(values):
            if not value:
                continue
            is_id = _IS_ID.fullmatch(value) is not None
            self._captured[service, number, place, is_id] += 1
            others = self._captured[service, number, place, False]
            if is_id and self._captured[service, number, place, True] > 10 * others:
                request = request or value
        return request

    def last_id(self, others: str, service: str) -> str:
        """Return the id in the *others* of a line of a *service*, the text behind those that all servers write."""
        words = others.rsplit(" ", _MOST_NUMBERS)[1:]
        while len(words) > 1 and _NUMBERS.fullmatch(words[-1]) is not None:
            words.pop()
        word = f" {words[-1]}" if words else ""
        last = _LAST.match(word)
        if last is not None and len(words) > 1 and last["request"][-1] == "=":
            last = _LAST.match(f" {words[-2]}") or last
        if last is not None:
            return last["request"]
        quoted = _LAST_QUOTED.match(word)
        if quoted is None:
            self._unquoted[service] += '"' in others
            return ""
        self._quoted[service] += 1
        is_usual = self._quoted[service] > 10 * self._unquoted[service]
        return quoted["request"] if is_usual else ""


def access_line(line: str) -> re.Match[str] | None:
    """Return the match of a *line* that is an access line; None for any other line."""
    line = line[:_MOST_READ]
    for needle, find in _finders():
        if needle not in line:
            continue
        match = find(line)
        if match is not None:
            return match
    return None


# For lines that begin with a time, or with a word before one: what each access line has.
_MARKS = (
    '"',
    " ms",
    "app/",
    "://",
    "(sanic.access)",
    "Request finished HTTP/",
    "=> generated ",
    " responded ",
    "tower_http::trace::on_response",
    "Sent ",
    "method=",
    "Completed ",
    "Method completed ",
)
# A search for a slash takes a small part of the time of one for a digit.
_TIMES_OF_HAPROXY = Pattern(r"/(?<=\d/)-?\d+/")


def access_lines(lines: Sequence[str], joined: str) -> Iterator[tuple[int, re.Match[str]]]:
    """
    Yield the matches of :func:`access_line` for *lines* that begin with a time of ISO 8601, and
    their places.

    :param joined: the lines as one text.
    """
    places: set[int] = set()
    for mark in _MARKS:
        if mark in joined:
            places.update([place for place, line in enumerate(lines) if mark in line])
    if "/" in joined and _TIMES_OF_HAPROXY.search(joined) is not None:
        find = _TIMES_OF_HAPROXY.search
        places.update(place for place, line in enumerate(lines) if find(line) is not None)
    for place in sorted(places):
        match = access_line(lines[place])
        if match is not None:
            yield place, match


# The user's name in the common log format: a client may send any.
_USER = Pattern(
    r"(?:\A[\w.-]{1,255}|[\da-fA-F.]{0,40}[.:][\da-fA-F.:]{1,40}) - "
    r"(?!- \[)(?P<user>.{1,500}?) \[\d\d/[A-Z][a-z]{2}/\d{4}:"
)


def without_clients_text(match: re.Match[str], end: int) -> str:
    """
    Return an access line with "-" for each character of a client's text that is not in quotes.

    :param match: of the line.
    :param end: the place of the first quote.
    """
    line = match.string
    groups = match.re.groupindex
    if "method" not in groups:
        return line
    begin = match.start("method")
    user = match if "user" in groups else None
    if user is None and " [" in line[:begin] and _may_have_user(line[:begin]):
        user = _USER.search(line, 0, begin)
    if user is not None and user["user"]:
        line = _hidden(line, *user.span("user"))
    if "captured" in groups:  # the headers of HAProxy
        begin = match.end("status")
    return _hidden(line, begin, match.end()) if begin < end else line


def _may_have_user(before: str) -> bool:
    """Whether :data:`_USER` may match in the text *before* a request: most often, no user is named."""
    return " - - [" not in before or before.count(" - ") > 1


def _hidden(line: str, start: int, end: int) -> str:
    return f"{line[:start]}{'-' * (end - start)}{line[end:]}"


def milliseconds_in(text: str) -> float | None:
    """Return the milliseconds in a duration with its unit, such as ``1m2.5s``; None for any other."""
    match = _WITH_UNIT.fullmatch(text)
    if match is None:
        return None
    hours, minutes, number, unit = match.groups("0")
    whole_minutes = 60 * int(hours) + int(minutes)
    return 60_000 * whole_minutes + float(number) * _MILLISECONDS_IN[unit]


def access_in(message: str) -> dict[str, Any] | None:
    """
    Return the fields of *message*, if it is an access line: ours, or a server's that is written by
    ``logging``.
    """
    text = unescape(message)
    if "\x1b" in text:  # of Django's runserver on a terminal
        text = COLORS.sub("", text)
    fields = parse_access(text)
    # Other words may be in the places of ours: ``u1 p1 - - - -] paid``, and those of morgan's tiny form,
    # ``GET /x 500 - - 0.412 ms``.
    if not fields or _OUTCOME.isdisjoint(fields) or fields.get("client") == "ms":
        return None
    return fields


_OUTCOME = frozenset(("status", "duration_ms"))
_USUAL_ACCESS = Pattern(
    r"([^ \n\\]+) ([^ \n\\]+) (\d{1,9}) (\d+\.\d)ms (\d{1,20})B ([^ \n\\]+) ([^ \n\\]+)"
    r" ttfb=(\d+\.\d)ms\n|[^\n]*\n",
    re.ASCII,
)


def accesses_in(messages: Sequence[str]) -> list[dict[str, Any] | None]:
    """
    Return :func:`access_in` of each of *messages*, which have no line feeds: the usual lines of
    ours take half of the time.
    """
    rows = _USUAL_ACCESS.findall("\n".join((*messages, "")))
    return [
        access_in(message)
        if not row[0] or "-" in row
        else {
            "method": row[0],
            "path": row[1],
            "status": int(row[2]),
            "duration_ms": float(row[3]),
            "bytes": int(row[4]),
            "transport": row[5],
            "client": row[6],
            "ttfb_ms": float(row[7]),
        }
        for message, row in zip(messages, rows, strict=True)
    ]


def outgoing_in(message: str) -> dict[str, Any] | None:
    """
    Return the values of a *message* of ours about an outgoing call: its fields as ``outgoing``;
    None for any other message.
    """
    if not message.startswith("-> "):
        return None
    fields = parse_outgoing(unescape(message))
    return None if fields is None else {"outgoing": fields}
