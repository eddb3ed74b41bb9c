"""
Logs as production has them: whatever is put around a line, both tools find in it what is in the
bare file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace._cli.logs import envelopes
from asgi_trace._cli.logs.documents import unfolded
from asgi_trace._cli.logs.envelopes import Peeler
from asgi_trace._cli.logs.files import Log
from asgi_trace._cli.logs.prefixes import PREFIXES, any_prefix
from asgi_trace._cli.logs.reader import Entry, LineReader, read
from asgi_trace._cli.logs.services import service_of
from asgi_trace._cli.logs.summary import Reading
from asgi_trace._cli.main import main
from asgi_trace._core.lines import format_json, format_logfmt, format_text
from asgi_trace._core.record import STORES, Naming

from ...viewer import Told
from ...wrapping import (
    BASE,
    FORMS,
    FRONT,
    NAMELESS,
    NAMELESS_VARIANTS,
    STOCK,
    TRACEBACK,
    VARIANTS,
    WRAPPERS,
    lines,
    records,
    when,
)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WRAPPERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log(tmp_path: Path, name: str, form: str) -> Path:
    path = tmp_path / "app.log"
    path.write_text(WRAPPERS[name](lines(form)), encoding="utf-8")
    return path


def entries_of(path: Path) -> list[Entry]:
    return [entry for batch in read(Log(str(path), pytest.fail)) for entry in batch]


def test_the_viewer_reads_it_as_the_bare_file(log: Path, name: str) -> None:
    """
    Each record is one entry with its own level, ids and traceback, at its time, and of its service.
    """
    found = entries_of(log)
    given = [record for _, _, record in records()]
    assert [
        (entry.level, entry.request_id or "none", entry.session_id or "none") for entry in found
    ] == [
        ({"INFO": 2, "WARNING": 3, "ERROR": 4}[record.level], record.request_id, record.session_id)
        for record in given
    ]
    assert [entry.text[entry.message :].split("\n")[0].split(" logger=")[0] for entry in found] == [
        record.message for record in given
    ]
    assert [entry.text.partition("\n")[2] for entry in found] == ["", "", "", "", TRACEBACK, "", ""]
    access = [entry.more["access"] for entry in found if entry.more and "access" in entry.more]
    assert [(fields["path"], fields["status"]) for fields in access] == [
        ("/take", 500),
        ("/order", 200),
    ]
    for entry, (moment, service, _) in zip(found, records(), strict=True):
        assert abs(entry.time - moment * 1000) <= (1 if entry.time % 1000 else 1000)
        assert name in NAMELESS or (entry.more or {}).get("service") == service


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_ways_to_show_it_are_read_as_the_bare_file(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str, variant: str
) -> None:
    """By both tools."""
    path = tmp_path / "app.log"
    path.write_text(VARIANTS[variant](lines(form)), encoding="utf-8")
    os.utime(path, (BASE + 60, BASE + 60))
    name = "none" if variant in NAMELESS_VARIANTS else variant
    test_the_viewer_reads_it_as_the_bare_file(path, name)
    assert main(["grep", "--status", "5xx", str(path)]) == 0
    shown = [line for line in capfd.readouterr().out.split("\n") if line]
    assert len(shown) == sum(
        len(_lines(each, form)) for each in records() if each[2].request_id == STOCK
    )


@pytest.mark.parametrize(
    "around", [name for name in (*WRAPPERS, *VARIANTS) if "vercel" not in name]
)
def test_lines_that_begin_with_their_ids_are_read_in_it(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, around: str
) -> None:
    """As configure_logging() writes them where a handler has the message alone."""
    bare = [
        "[req=a1b2c3d4|session=alice] Reserve bulb",
        "[req=none|session=none] Started",
        "[req=e5f6a7b8|session=bob] Take bulb",
        "[req=a1b2c3d4|session=alice] Reserved bulb",
    ]
    services = ("front", "stock", "stock", "front")
    given = [(BASE + place, service, bare[place]) for place, service in enumerate(services)]
    path = tmp_path / "app.log"
    path.write_text((WRAPPERS | VARIANTS)[around](given), encoding="utf-8")
    os.utime(path, (BASE + 60, BASE + 60))
    found = entries_of(path)
    ids = [("a1b2c3d4", "alice"), ("", ""), ("e5f6a7b8", "bob"), ("a1b2c3d4", "alice")]
    assert [(entry.request_id, entry.session_id) for entry in found] == ids
    messages = ("Reserve bulb", "Started", "Take bulb", "Reserved bulb")
    assert all(map(str.endswith, [entry.text for entry in found], messages))
    assert main(["grep", "e5f6", str(path)]) == 0
    out = capfd.readouterr().out
    assert out
    assert "a1b2c3d4" not in out
    assert "Started" not in out


@pytest.mark.parametrize("variant", [name for name in VARIANTS if "without line feeds" not in name])
def test_a_file_of_windows_is_read_as_the_bare_file(
    tmp_path: Path, form: str, variant: str
) -> None:
    """Its shells write a mark before the first line, two characters at each end, or UTF-16."""
    text = re.sub("\r?\n", "\r\n", VARIANTS[variant](lines(form)))
    path = tmp_path / "app.log"
    name = "none" if variant in NAMELESS_VARIANTS else variant
    for encoding in ("utf-8-sig", "utf-16") if text[0].isascii() else ("utf-8-sig",):
        path.write_bytes(text.encode(encoding))
        os.utime(path, (BASE + 60, BASE + 60))
        test_the_viewer_reads_it_as_the_bare_file(path, name)


@pytest.mark.parametrize(
    "around",
    [
        "none",
        "docker compose logs",
        "docker json-file",
        "containerd",
        "journalctl -o json",
        "Loki's API",
    ],
)
def test_colors_change_nothing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, around: str
) -> None:
    """A container with a terminal has the ids of our text in color, also in an object's string."""
    colored = [
        (moment, service, re.sub(r"(?<=req=|ion=)([^|\]]+)", "\x1b[96m\\1\x1b[0m", line))
        for moment, service, line in lines("text")
    ]
    path = tmp_path / "app.log"
    path.write_text(WRAPPERS[around](colored), encoding="utf-8")
    test_the_viewer_reads_it_as_the_bare_file(path, around)
    assert main(["grep", "--status", "5xx", str(path)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 7


@pytest.mark.parametrize(
    ("conditions", "request_id"),
    [
        (["--request", STOCK], STOCK),
        (["--session", "customer-1"], FRONT),
        (["--session", "customer-12"], STOCK),
        (["--status", "5xx"], STOCK),
        (["--path", "/order"], FRONT),
        (["--slower", "200ms"], FRONT),
    ],
    ids=str,
)
def test_grep_finds_the_same_lines_as_in_the_bare_file(
    capfd: pytest.CaptureFixture[str], log: Path, form: str, conditions: list[str], request_id: str
) -> None:
    """Each physical line of each record; nothing is said besides."""
    assert main(["grep", *conditions, str(log)]) == 0
    out, err = capfd.readouterr()
    shown = _bare(out)
    expected = [
        line
        for each in records()
        if each[2].request_id == request_id
        for line in _lines(each, form)
    ]
    assert len(shown) == len(expected)
    for record in (record for _, _, record in records() if record.request_id == request_id):
        assert record.message.split()[0] in out or "stderr P" in out
    assert err == ""


def _bare(out: str) -> list[str]:
    """The lines of an output, with the two halves of a line that was split as one."""
    return [line for line in out.splitlines() if " stderr P " not in line]


def _lines(each: tuple[float, str, Any], form: str) -> list[str]:
    return FORMS[form](each[2]).split("\n")


def test_a_found_line_stands_as_it_does_in_the_log(
    capfd: pytest.CaptureFixture[str], log: Path, form: str, name: str
) -> None:
    """Of a document, each line is one of JSON that can be read again."""
    assert main(["grep", "--request", STOCK, str(log)]) == 0
    out = capfd.readouterr().out
    again = log.with_name("again.log")
    again.write_text(out)
    found = entries_of(again)
    assert [entry.request_id for entry in found] == [STOCK] * 3
    assert [entry.time for entry in found] == [
        entry.time for entry in entries_of(log) if entry.request_id == STOCK
    ]


_AROUND_NAMES = (
    "none",
    "docker compose logs",
    "kubectl logs --timestamps",
    "OpenSearch _search",
    "fluentd",
    "k9s",
    "ssh",
    "podman logs --names",
    "ClickHouse, CSV",
    "ClickHouse, Values",
    "rsyslog, a template of the message",
)


@pytest.mark.parametrize("store", ["ecs", "gcp", "datadog", "otel"])
@pytest.mark.parametrize("write", [format_json, format_logfmt], ids=["json", "logfmt"])
@pytest.mark.parametrize("around", _AROUND_NAMES)
def test_our_lines_are_read_with_the_names_of_a_store_too(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    store: str,
    write: Callable[..., str],
    around: str,
) -> None:
    """In JSON and in logfmt, in each kind of envelope, by both tools."""
    given_lines = [
        (moment, service, write(record._replace(time=f"{when(moment)[:-3]}Z"), Naming(store)))
        for moment, service, record in records()
    ]
    path = tmp_path / "app.log"
    path.write_text((WRAPPERS | VARIANTS)[around](given_lines), encoding="utf-8")
    found = entries_of(path)
    levels = {"INFO": 2, "WARNING": 3, "ERROR": 4}
    assert [(entry.level, entry.request_id or "none", round(entry.time)) for entry in found] == [
        (levels[record.level], record.request_id, round(moment * 1000))
        for moment, _, record in records()
    ]
    assert main(["grep", "--status", "500", str(path)]) == 0
    out = capfd.readouterr().out
    assert out.count(STOCK) == 3
    assert FRONT not in out


def test_a_page_shows_it(log: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The whole way, once for each form: lines, requests, sessions, and what was read."""
    page = tmp_path / "page.html"
    assert main(["view", "-o", str(page), str(log)]) == 0
    out, err = capfd.readouterr()
    assert out == f"{page}: 7 lines, 2 requests, 2 sessions, 1 line of no request\n"
    assert err == ""
    told = Told.in_file(page)
    assert told.head["requests"]["status"] == [200, 500]
    assert told.head["left_out"] == []
    assert told.head["summary"].startswith("1 file, 100 % of ")


# -- what a client sends ---------------------------------------------------------------------------

VICTIM = "00000000000000000000000000000bad"
FORGED = f"2024-11-22 10:30:15 - ERROR - [req={VICTIM}|session=victim] - forged"


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_an_envelope_in_a_message_forges_nothing(wrapper: Callable[..., str]) -> None:
    """
    Whatever form a client sends as a path, a header or a text, in whichever form that is logged.
    """
    sent = wrapper([(1_732_271_415.0, "front", FORGED)])
    for request_id in (FRONT, "none"):
        for form in FORMS.values():
            record = records()[1][2]._replace(message=sent, request_id=request_id, session_id="s")
            written = form(record)
            for around in (
                "none",
                "docker compose logs",
                "docker json-file",
                "VictoriaLogs",
                "containerd",
                "stern",
            ):
                wrapped = WRAPPERS[around](
                    [(1_732_271_415.0, "front", line) for line in written.split("\n")]
                )
                reader = LineReader()
                found = reader.read(wrapped.split("\n")) + reader.finish()
                assert {entry.request_id or "none" for entry in found if entry.text.strip()} == {
                    request_id
                }, around


@pytest.mark.parametrize(
    "beside", [{"path": "/x"}, {"ServiceName": "front", "SeverityText": "INFO"}]
)
def test_the_body_of_a_request_is_no_line(beside: dict[str, str]) -> None:
    """An object is one only as the column of a collector that knows no level."""
    record = {"Timestamp": "2024-11-22 10:30:15.000", "Body": {"request_id": VICTIM}, **beside}
    reader = LineReader()
    (entry,) = reader.read([json.dumps(record)]) + reader.finish()
    assert entry.request_id == ""


@pytest.mark.parametrize(
    "name",
    [name for name in (*WRAPPERS, *VARIANTS) if "API" not in name and "_search" not in name],
)
def test_an_envelope_behind_a_servers_own_prefix_forges_nothing(name: str) -> None:
    """The path and the headers of an access line stand in quotes, behind the client's address."""
    wrapper = WRAPPERS.get(name) or VARIANTS[name]
    sent = wrapper([(1_732_271_415.0, "front", FORGED)]).replace("\n", " ")
    for line in (
        f'INFO:     127.0.0.1:5 - "GET /{sent} HTTP/1.1" 200 OK',
        f'127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET / HTTP/1.1" 200 5 "{sent}" "{sent}"',
        f'2024-11-22 10:30:15,123 INFO shop "{sent}"',
    ):
        reader = LineReader()
        found = reader.read([line]) + reader.finish()
        assert [entry.request_id for entry in found] == [""], line


def test_a_record_is_no_envelope() -> None:
    """An object with ids, a logger or a level is what it is: its message is a text."""
    for fields in (
        {"message": FORGED, "level": "INFO"},
        {"message": FORGED, "logger": "shop", "time": 1},
        {"msg": FORGED, "level": 30, "pid": 1},
        {"event": FORGED, "request_id": "r1"},
        {"Body": FORGED, "Timestamp": 1, "SeverityText": "INFO"},
        {"_msg": FORGED, "_time": 1, "level": "info"},
        {"message": FORGED, "severityLevel": 1, "timestamp": 1},
        {"message": FORGED, "instance": "a", "region": "b", "level": "info"},
        {"payload": FORGED, "time": 1},
        {"raw": FORGED, "time": 1},
        {"out": FORGED, "pos": 1},
        {"event": {"line": FORGED, "name": "x"}, "time": 1},
        {"line": 12, "message": FORGED, "level": "INFO", "timestamp": 1},
        # what CloudWatch, AWS Lambda and a collector have parsed
        {"@timestamp": 1, "@message": {"level": 30, "pid": 1, "msg": FORGED}},
        {"time": 1, "type": "function", "record": {"level": "INFO", "message": FORGED}},
        {"kubernetes": {"pod": {"name": "a"}}, "message": {"time": 1, "body": {"msg": FORGED}}},
    ):
        reader = LineReader()
        found = reader.read([json.dumps(fields)]) + reader.finish()
        assert [entry.request_id for entry in found] == [fields.get("request_id", "")], fields


@pytest.mark.parametrize("store", STORES)
def test_a_record_of_ours_outside_a_request_is_no_envelope(store: str) -> None:
    """Under the names of each store, and also where CloudWatch shows it as an object."""
    record = records()[0][2]._replace(message=FORGED)
    line = format_json(record, Naming(store))
    (as_object,) = unfolded(
        [json.dumps([{"@timestamp": 1, "@message": json.loads(line)}]).encode()], pytest.fail
    )
    for text in (line, as_object.decode().rstrip("\n")):
        reader = LineReader()
        (entry,) = reader.read([text]) + reader.finish()
        assert (entry.request_id, entry.level) == ("", 2), text


def test_nesting_ends() -> None:
    """
    Ten thousand envelopes around a line, or objects within each other: the line is kept, and
    nothing breaks.
    """
    text = format_text(records()[1][2])
    deep = json.loads("[1]")
    for _ in range(50):
        deep = [deep]
    hostile = [
        "front-1  | " * 10_000 + text,
        "2024-11-22T10:30:15.000000000Z " * 10_000 + text,
        '{"log":' * 10_000 + '"x"' + "}" * 10_000,
        "[" * 10_000 + "]" * 10_000,
        '{"message": ' + "[" * 10_000 + "]" * 10_000 + ', "level": "INFO", "time": 1}',
        json.dumps({"message": deep, "level": "INFO", "time": 1}),
        "[pod/a/b] " * 10_000,
        '{a="b", ' * 10_000,
        "<14>1 " * 10_000,
        "<14>1 2024-11-22T10:30:15Z h a p m " + '[a b="' * 5000,
    ]
    for line in hostile:
        reader = LineReader()
        found = reader.read([line, text]) + reader.finish()
        assert found[-1].request_id == FRONT
        assert len(found) >= 1
        json.dumps(list(found))


PIECES = [
    *(wrapper([(1.7e9, "front", "x")]) for wrapper in (WRAPPERS | VARIANTS).values()),
    "\n",
    '"',
]


@pytest.mark.parametrize("before", ["2024-11-22T10:30:15.123456789Z", "2024-11-22 10:30:15"])
@pytest.mark.parametrize("behind", ["stdout F", '{container="front"}'])
def test_two_prefixes_that_begin_alike_are_two(before: str, behind: str) -> None:
    """Lines of containerd or logcli after lines of ``docker logs -t`` or ``ts``: all begin with a time."""
    line = f"2024-11-22 10:30:15 - INFO - [req={FRONT}|session=abc12345] - Reserving"
    time = "2024-11-22T10:30:15.123456789Z"
    lines = [f"{before} {line}", f"{time} {behind} {line}", f"{before} {line}"]
    reader = LineReader()
    entries = reader.read(lines) + reader.finish()
    assert [entry.text for entry in entries] == [line] * 3


@given(st.lists(st.sampled_from(PIECES), max_size=5))
def test_no_mixture_breaks_it(pieces: list[str]) -> None:
    """Each line is in an entry."""
    reader = LineReader()
    text = "".join(pieces)
    found = reader.read(text.split("\n")) + reader.finish()
    assert sum(entry.text.count("\n") + 1 for entry in found) >= 1
    json.dumps(list(found))


def test_one_expression_tells_the_first_prefix_that_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After so many lines without any, all are tried at once: the result is the same."""
    texts = [wrapper(lines("text")) for wrapper in (WRAPPERS | VARIANTS).values()]
    for line in {line for text in texts for line in text.split("\n")}:
        matching = [number for number, prefix in enumerate(PREFIXES) if prefix.match(line)]
        found = any_prefix().match(line)
        assert matching[:1] == ([] if found is None else [int(str(found.lastgroup)[1:])])

    def entries(text: str) -> list[Entry]:
        reader = LineReader()
        return list(reader.read(text.split("\n")) + reader.finish())

    one_by_one = list(map(entries, texts))
    monkeypatch.setattr(envelopes, "_FIRST_TRIED", 0)
    assert list(map(entries, texts)) == one_by_one


def test_a_prefix_costs_no_more_than_its_length() -> None:
    """Each form is matched in one go: twice the line is not four times the steps."""
    for prefix in PREFIXES:
        for piece in ("a", "1", "-", "a.", '[a b="', '{a="b", ', "2024-11-22T10:30:15", " ", "\\"):
            line = piece * (200_000 // len(piece))
            assert prefix.match(line) is None or prefix.match(line).end() <= len(line)


# -- parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "service"),
    [
        ("front-1", "front"),
        ("front_12", "front"),
        ("front.1@node-1", "front"),
        ("front.1.0f1e2d3c4b5a@node-1", "front"),
        ("front.1", "front"),
        ("front-6d5f9c7b88-abcde", "front"),
        ("front.service", "front"),
        ("/var/log/front.log.1.gz", "front"),
        ("/var/log/front.log-20241122.gz", "front"),
        ("front-2024-11-22.log", "front"),
        ("front/front/0f1e2d3c4b5a", "front"),
        ("order-service", "order-service"),
        ("db", "db"),
        ("/var/log/pods/shop_front-6d5f9c7b88-abcde_0f1e-2d/front/0.log", "front"),
        (f"/var/log/containers/front-0_shop_front-{'0f1e2d3c' * 8}.log", "front"),
        ("front-6d5f9c7b88-abcde/front", "front"),
        ("front-6d5f9c7b88-abcde front", "front"),
        ("front-6d5f9c7b88-abcde[front]", "front"),
    ],
)
def test_a_source_is_an_instance_of_a_service(source: str, service: str) -> None:
    assert service_of(source) == service


_BARE = "2024-11-22 10:30:15 - INFO - [req=a|session=b] - paid"
_POD = "front-6d5f9c7b88-abcde"


def _resource(**attributes: str) -> dict[str, Any]:
    about = [
        {"key": name.replace("_", "."), "value": {"stringValue": value}}
        for name, value in attributes.items()
    ]
    logs = [
        {"logRecords": [{"timeUnixNano": "1732271415000000000", "body": {"stringValue": _BARE}}]}
    ]
    return {"resourceLogs": [{"resource": {"attributes": about}, "scopeLogs": logs}]}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"message": _BARE, "nodeName": "n", "podName": _POD, "containerName": "front"},
        {"log": _BARE, "stream": "stderr", "kubernetes": {"pod_name": _POD, "container_name": "front"}},
        {"message": _BARE, "kubernetes": {"pod": {"name": _POD}, "container": {"name": "front"}}, "agent": {}},
        {"line": _BARE, "labels": {"pod": _POD, "container": "front"}},
        {"textPayload": _BARE, "insertId": "1", "resource": {"labels": {"pod_name": _POD, "container_name": "front"}}},
        {"Body": _BARE, "ServiceName": "front", "ResourceAttributes": {"k8s.pod.name": _POD}},
        _resource(service_name="front", k8s_pod_name=_POD, k8s_container_name="app"),
        _resource(k8s_pod_name=_POD, k8s_container_name="front"),
        {"request_id": "a", "message": "paid", "kubernetes": {"pod_name": _POD, "container_name": "front"}},
    ],
)  # fmt: skip
def test_a_source_in_kubernetes_has_its_pod(wrapped: dict[str, Any], tmp_path: Path) -> None:
    """A service has several pods, and each of them has its own tracebacks."""
    path = tmp_path / "app.log"
    path.write_text(f"{json.dumps(wrapped)}\n")
    (entry,) = [entry for entries in read(Log(str(path), pytest.fail)) for entry in entries]
    more = entry.more or {}
    assert (entry.request_id, more["source"], more["service"]) == ("a", f"{_POD}/front", "front")


ADDRESSED = '10.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /take HTTP/1.1" 500 5 "-" "-"'


@pytest.mark.parametrize(
    ("around", "line"),
    [
        ("stern", f"{ADDRESSED} {STOCK}"),
        ("stern", f'I1122 10:30:15.000000 1 a.go:1] request_id={STOCK} "GET /take HTTP/1.1" 500'),
        ("docker compose logs", f"{ADDRESSED} {STOCK}"),
        ("docker compose logs", f"{STOCK} {ADDRESSED}"),
        (
            "docker compose logs",
            f"method=GET path=/take status=500 duration=1.5 request_id={STOCK}",
        ),
        ("kubectl logs --prefix", f"{STOCK} {ADDRESSED}"),
    ],
)
def test_a_line_of_another_server_is_in_an_envelope_too(around: str, line: str) -> None:
    """It has its id, its status and its service."""
    reader = LineReader()
    wrapped = WRAPPERS[around]([(BASE, "front", line)])
    (entry,) = reader.read(wrapped.splitlines()) + reader.finish()
    more = entry.more or {}
    assert (entry.request_id, more["access"]["status"], more["service"]) == (STOCK, 500, "front")


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("docker compose logs", "foreman"),
        ("docker compose logs", "supervisor"),
        ("kubectl logs --prefix --timestamps", "pm2"),
        ("kubectl logs --prefix --timestamps", "supervisor"),
        ("kubectl logs --prefix --timestamps", "RFC 5424"),
        ("stern", "overmind"),
        ("stern", "journalctl"),
        ("aws logs tail", "supervisor"),
        ("docker logs -t", "pm2, timestamps"),
        ("kubectl logs --prefix --timestamps", "pm2, timestamps"),
        ("Heroku", "pm2, timestamps"),
        ("fluentd", "pm2, timestamps"),
        ("overmind", "docker compose logs"),
        ("foreman", "pm2"),
        ("foreman", "supervisor"),
        ("syslog-ng", "pm2"),
        ("pm2's JSON", "supervisor"),
        ("FireLens", "overmind"),
        ("grep -H", "foreman"),
    ],
)
def test_a_process_manager_in_a_container_names_the_service(
    tmp_path: Path, outer: str, inner: str, form: str
) -> None:
    """The line of another prefix follows the one that counts only before a line."""
    path = tmp_path / "app.log"
    wrappers = WRAPPERS | VARIANTS
    inside = [
        (moment, service, wrappers[inner]([(moment, service, line)]).rstrip("\n"))
        for moment, service, line in lines(form)
    ]
    path.write_text(wrappers[outer](inside), encoding="utf-8")
    os.utime(path, (BASE + 60, BASE + 60))
    test_the_viewer_reads_it_as_the_bare_file(path, inner)


def test_a_weak_prefix_counts_where_a_line_begins_behind_it() -> None:
    """Then also for the further lines of the same source, and for no other."""
    peeler = Peeler()
    assert peeler.peel("front.log:  File").line == "front.log:  File"
    assert peeler.peel(f"front.log:{FORGED}").source == "front.log"
    assert peeler.peel("front.log:  File").line == "  File"
    assert peeler.peel("other.log:  File").line == "other.log:  File"


@pytest.mark.parametrize("around", ["docker compose logs", "foreman", "overmind", "grep -H"])
def test_a_weak_prefix_counts_before_the_line_that_shows_it(around: str, tmp_path: Path) -> None:
    """What a service prints at its start is in the envelope of its later lines."""
    given = [(BASE, "front", line) for line in ("Starting", "  Listening", lines("text")[0][2])]
    path = tmp_path / "app.log"
    path.write_text(WRAPPERS[around](given), encoding="utf-8")
    started, record = entries_of(path)
    assert started.text == "Starting\n  Listening"
    assert [(entry.more or {}).get("service") for entry in (started, record)] == ["front"] * 2


def test_the_envelopes_time_stands_for_a_time_without_a_zone() -> None:
    """The line's own counts where it is whole; what it leaves out is taken from the envelope."""
    for line, expected in (
        (
            "2024-11-22T10:30:15.300000000Z 2024-11-22 12:30:15 - INFO - [req=r1|session=s1] - x",
            15_300,
        ),
        (
            "2024-11-22T10:30:15.300000000Z 2024-11-22 05:30:15,250 - INFO - [req=r1|session=s1] - x",
            15_250,
        ),
        (
            "2024-11-22T10:30:15.300000000Z 2024-11-22 16:15:15,250 - INFO - [req=r1|session=s1] - x",
            15_250,
        ),
        (
            "2024-11-22T10:30:15.300000000Z 2024-11-22 10:30:14.250Z - INFO - [req=r1|session=s1] - x",
            14_250,
        ),
        ("1732271415.300000 2024-11-22 12:30:15 - WARNING - [req=r1|session=s1] - x", 15_300),
        (
            '2024-11-22T10:30:15.300000000Z 127.0.0.1 - - [22/Nov/2024:10:30:15 +0000] "GET /x HTTP/1.1" 200 5',
            15_300,
        ),
        (
            '2024-11-22T10:30:15.300000000Z 127.0.0.1 - - [22/Nov/2024:10:30:05 +0000] "GET /x HTTP/1.1" 200 5',
            5_000,
        ),
        ('2024-11-22T10:30:15.300000000Z {"time": "2024-11-22T10:30:15Z", "msg": "x"}', 15_300),
        ("2024-11-22T10:30:15.300000000Z x", 15_300),
    ):
        reader = LineReader()
        (entry,) = reader.read([line]) + reader.finish()
        assert entry.time - 1_732_271_400_000 == expected, line


def test_a_split_line_is_whole_again() -> None:
    """Of containerd, and of Docker: whatever comes in between from another source."""
    text = format_json(records()[1][2]._replace(message="x" * 40_000))
    halves = [
        f"front-1  | 2024-11-22T10:30:15.000000000Z stderr P {text[:20_000]}",
        "stock-1  | 2024-11-22T10:30:15.000000000Z stderr F plain",
        f"front-1  | 2024-11-22T10:30:15.000000000Z stderr F {text[20_000:]}",
        json.dumps({"log": text[:16_384], "stream": "stderr", "time": "2024-11-22T10:30:15Z"}),
        json.dumps(
            {"log": text[16_384:] + "\n", "stream": "stderr", "time": "2024-11-22T10:30:15Z"}
        ),
    ]
    reader = LineReader()
    found = reader.read(halves) + reader.finish()
    assert [(entry.request_id, len(entry.text) > 40_000) for entry in found] == [
        ("", False),
        (FRONT, True),
        (FRONT, True),
    ]


@pytest.mark.parametrize(
    ("beside", "length"),
    [
        ({"stream": "stderr", "date": BASE}, 17_000),
        ({"stream": "stderr", "date": BASE, "logtag": "F"}, 16_384),
        ({"source": "stderr", "container_id": "0f1e-1", "container_name": "front"}, 16_384),
    ],
    ids=["Fluent Bit", "Fluent Bit, of containerd", "FireLens"],
)
def test_a_long_line_without_a_line_feed_is_whole(beside: dict[str, Any], length: int) -> None:
    """A collector has joined its parts, or marks them: the next line is another request's."""
    record = records()[1][2]
    head = len(format_text(record._replace(message="")))
    texts = [
        format_text(record._replace(message="x" * (length - head))),
        format_text(record._replace(request_id=STOCK)),
    ]
    reader = LineReader()
    found = reader.read([json.dumps({"log": text, **beside}) for text in texts]) + reader.finish()
    assert [entry.request_id for entry in found] == [FRONT, STOCK]


@pytest.mark.parametrize("character", ["x", "é", "語", "\U0001f600"])
def test_docker_splits_a_line_at_so_many_bytes(character: str) -> None:
    """Also within a character: what is behind such a part is its rest, whatever a client sent."""
    line = format_text(records()[1][2]._replace(message=character * 16_384)).encode()
    line = line[:16_384] + FORGED.encode()
    parts = [line[:16_384], line[16_384:] + b"\n"]
    texts = [
        json.dumps({"log": part.decode("utf-8", "surrogateescape"), "stream": "stderr"})
        for part in parts
    ]
    reader = LineReader()
    # It writes each byte of a character that was cut as a replacement character.
    given = [re.sub(r"\\udc..", r"\\ufffd", text) for text in texts]
    (entry,) = reader.read(given) + reader.finish()
    assert entry.request_id == FRONT


@pytest.mark.parametrize(
    "around", ["docker compose logs", "kubectl logs --prefix", "stern", "logcli -o jsonl"]
)
def test_a_traceback_is_not_continued_by_another_service(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str, around: str
) -> None:
    """Two services crash at once: each line stays with its service, and none is shown for the other."""
    ordering, taken = (FORMS[form](records()[place][2]) for place in (1, 2))
    crash = ["ERROR: crashed", *TRACEBACK.split("\n")]
    told = [("front", line) for line in (ordering, *crash[:2])]
    told += [("stock", taken), *(("front", line) for line in crash[2:4]), ("stock", taken)]
    path = tmp_path / "app.log"
    path.write_text(WRAPPERS[around]([(BASE, *each) for each in told]), encoding="utf-8")
    found = entries_of(path)
    assert [(entry.more or {})["service"] for entry in found] == [
        "front",
        *("front", "stock") * 2,
    ]
    assert [entry.text.count("\n") for entry in found] == [0, 1, 0, 1, 0]
    assert main(["grep", "--request", STOCK, str(path)]) == 0
    out = capfd.readouterr().out
    assert (out.count("taking"), out.count("shelf")) == (2, 0)


def _indented(head: str, lines: list[str]) -> list[str]:
    """As journalctl shows an event of several lines: by the length of its prefix."""
    return [head + lines[0], *(" " * len(head) + line for line in lines[1:])]


def _escaped(head: str, lines: list[str]) -> list[str]:
    """As rsyslog writes one, such as Python's SysLogHandler sends it."""
    return [head + "#012".join(lines)]


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("shown", [_indented, _escaped])
def test_the_further_lines_of_an_event_are_its_traceback(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    shown: Callable[[str, list[str]], list[str]],
    is_ours: bool,
) -> None:
    """Without the blanks and the heads before them; ``grep`` shows the event as it stands."""
    logged: list[str] = []
    of_stock = 0
    for moment, service, record in records() * 40:
        first, *further = format_text(record).split("\n")
        if not is_ours:
            further = [line.partition("] | ")[2] for line in further]
        head = f"{when(moment, '%b %d %H:%M:%S')} web {service}[8]: "
        lines = shown(head, [first, *further])
        logged += lines
        of_stock += len(lines) * (record.request_id == STOCK)
    path = tmp_path / "app.log"
    path.write_text("".join(f"{line}\n" for line in logged), encoding="utf-8")
    os.utime(path, (BASE + 60, BASE + 60))
    found = entries_of(path)
    expected = [*("", "", "", "", TRACEBACK, "", "")] * 40
    assert [entry.text.partition("\n")[2] for entry in found] == expected
    ids = [record.request_id for _, _, record in records()] * 40
    assert [entry.request_id or "none" for entry in found] == ids
    assert main(["grep", "--request", STOCK, str(path)]) == 0
    assert capfd.readouterr().out.count("\n") == of_stock > 0


def test_the_line_feeds_of_rsyslog_forge_nothing(form: str) -> None:
    """A client may send the same characters."""
    sent = f"x#012{FORGED}#012Traceback (most recent call last):#012{FORGED}"
    for line in FORMS[form](records()[1][2]._replace(message=sent)).split("\n"):
        reader = LineReader()
        read = reader.read([f"Nov 22 10:30:15 web shop[8]: {line}"] * 2)
        assert [entry.request_id for entry in read + reader.finish()] == [FRONT] * 2


def test_a_line_with_another_id_in_an_event_of_the_journal_is_its_text() -> None:
    """A client's text may have line feeds."""
    first = f"Nov 22 10:30:15 web shop[8]: 2024-11-22 10:30:15 - INFO - [req={FRONT}|session=s] - x"
    reader = LineReader()
    found = reader.read([first, " " * 29 + FORGED, " " * 29 + FORGED.replace("] - ", "] | ")])
    assert [entry.request_id for entry in found + reader.finish()] == [FRONT]


def _of_containerd(line: str, stream: str) -> list[str]:
    """A runtime splits a line of more than 16 KB."""
    pieces = [line[start : start + 16_384] for start in range(0, len(line), 16_384)]
    marks = ["P"] * (len(pieces) - 1) + ["F"]
    time = "2024-11-22T10:30:15.000000000Z"
    return [f"{time} {stream} {mark} {piece}" for mark, piece in zip(marks, pieces, strict=True)]


def _of_docker(line: str, stream: str) -> list[str]:
    pieces = [line[start : start + 16_384] for start in range(0, len(line) + 1, 16_384)]
    pieces[-1] += "\n"
    time = "2024-11-22T10:30:15.000000000Z"
    return [json.dumps({"log": piece, "stream": stream, "time": time}) for piece in pieces]


@pytest.mark.parametrize(
    "before",
    ["a ", "front-1  | ", "[pod/a-6d5f9c7b88-abcde/a] ", "2024-11-22T10:30:15Z stdout F ", "{"],
)
@pytest.mark.parametrize("place", [1, 2], ids=["within", "last"])
@pytest.mark.parametrize("around", [_of_containerd, _of_docker])
def test_an_envelope_at_the_beginning_of_a_part_forges_nothing(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    form: str,
    around: Callable[[str, str], list[str]],
    place: int,
    before: str,
) -> None:
    """A client's text may have any length, so that any of it stands there."""
    sent = before + FORGED if before != "{" else json.dumps({"log": FORGED, "stream": "stdout"})
    head = len(FORMS[form](records()[1][2]._replace(message="<cut>")).partition("<cut>")[0])
    message = "x" * (16_384 * place - head) + sent + "x" * 16_384 * (2 - place)
    path = tmp_path / "app.log"
    log = around(FORMS[form](records()[1][2]._replace(message=message)), "stdout")
    assert FORGED in log[place].replace("\\", "")
    path.write_text("".join(f"{line}\n" for line in log), encoding="utf-8")
    assert [(entry.request_id, "forged" in entry.text) for entry in entries_of(path)] == [
        (FRONT, True)
    ]
    assert main(["grep", "--session", "victim", str(path)]) == 1
    assert main(["grep", "--request", FRONT, str(path)]) == 0
    assert capfd.readouterr().out.splitlines() == log


_MARKED: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Fluent Bit": ("log", {"date": BASE, "stream": "stderr"}, {"logtag": "P"}, {"logtag": "F"}),
    "Docker's driver for the journal": (
        "MESSAGE",
        {"__REALTIME_TIMESTAMP": f"{BASE * 1e6:.0f}", "CONTAINER_NAME": "front"},
        {"CONTAINER_PARTIAL_MESSAGE": "true", "CONTAINER_PARTIAL_LAST": "false"},
        {"CONTAINER_PARTIAL_LAST": "true"},
    ),
    "Docker's driver for Fluentd": (
        "log",
        {"container_id": "0f", "container_name": "/front", "source": "stderr"},
        {"partial_message": "true", "partial_last": "false"},
        {"partial_message": "true", "partial_last": "true"},
    ),
    "the journal": (
        "MESSAGE",
        {"__REALTIME_TIMESTAMP": f"{BASE * 1e6:.0f}", "_SYSTEMD_UNIT": "front.service"},
        {"_LINE_BREAK": "line-max"},
        {},
    ),
    "Vector": (
        "message",
        {"source_type": "docker_logs", "container_name": "front", "timestamp": f"{when(BASE)}Z"},
        {"_partial": True},
        {},
    ),
}


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("collector", _MARKED)
def test_parts_of_a_line_that_a_collector_has_marked_are_read_as_the_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str, collector: str, count: int
) -> None:
    """By both tools, also between lines that are whole; the id may be in any part."""
    name, beside, part, last = _MARKED[collector]
    log: list[str] = []
    for each in records() * count:
        for line in _lines(each, form):
            whole = json.dumps({name: line, **beside, **(last if "logtag" in last else {})})
            pieces = [line[start : start + 70] for start in range(0, len(line), 70)]
            marked = [{name: piece, **beside, **part} for piece in pieces]
            marked[-1] = {name: pieces[-1], **beside, **last}
            log += [whole] if each[2].message == "taking" else map(json.dumps, marked)
    path = tmp_path / "app.log"
    path.write_text("".join(f"{line}\n" for line in log), encoding="utf-8")
    found = [(entry.request_id or "none", entry.level) for entry in entries_of(path)]
    levels = {"INFO": 2, "WARNING": 3, "ERROR": 4}
    assert found == [
        (record.request_id, levels[record.level]) for _, _, record in records() * count
    ]
    assert main(["grep", "--request", STOCK, str(path)]) == 0
    out = capfd.readouterr().out.splitlines()
    text = "".join(json.loads(line)[name] for line in out)
    wanted = [each for each in records() * count if each[2].request_id == STOCK]
    assert text == "".join(line for each in wanted for line in _lines(each, form))


@pytest.mark.parametrize("fraction", [".000000000", ".1", ""])
@pytest.mark.parametrize(
    "behind", ["", " ", "R ", "RROR ", "5 - ERROR ", FORGED.partition("- [")[0]], ids=repr
)
def test_a_part_of_a_line_is_no_head(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str, fraction: str, behind: str
) -> None:
    """A client may send a text of such a length that a part of it begins at any place."""
    time = f"2024-11-22T10:30:15{fraction}Z"
    sent = f"{behind}- [req={VICTIM}|session=victim] - forged"
    first, _, rest = FORMS[form](records()[1][2]._replace(message=f"x<cut>{sent}")).partition(
        "<cut>"
    )
    path = tmp_path / "app.log"
    path.write_text(f"{time} stdout P {first}\n{time} stdout F {rest}\n", encoding="utf-8")
    assert [entry.request_id for entry in entries_of(path)] == [FRONT]
    assert main(["grep", "--session", "victim", str(path)]) == 1
    assert main(["grep", "--request", FRONT, str(path)]) == 0
    assert capfd.readouterr().out.count("\n") == 2


@pytest.mark.parametrize("around", [_of_containerd, _of_docker])
def test_lines_of_the_other_stream_may_be_between_the_parts_of_a_line(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    form: str,
    around: Callable[[str, str], list[str]],
) -> None:
    """Both tools read the whole line, also where only its last part has the ids."""
    before, beside, record = (records()[place][2] for place in (2, 5, 1))
    long = around(FORMS[form](record._replace(message="x" * 40_000)), "stderr")
    (between,) = around(FORMS[form](beside), "stdout")
    assert len(long) == 3
    path = tmp_path / "app.log"
    told = [*around(FORMS[form](before), "stdout"), long[0], between, *long[1:]]
    path.write_text("".join(f"{line}\n" for line in told), encoding="utf-8")
    found = [(entry.request_id, len(entry.text) > 40_000) for entry in entries_of(path)]
    assert found == [(STOCK, False), (STOCK, False), (FRONT, True)]
    for conditions, shown in (
        (["--request", FRONT], long),
        (["--session", "customer-1"], long),
        (["--status", "5xx"], [told[0], between]),
    ):
        assert main(["grep", *conditions, str(path)]) == 0
        assert capfd.readouterr().out.splitlines() == shown


def test_the_id_of_an_access_line_may_be_in_another_part_of_it(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str
) -> None:
    """Its path may be long."""
    path = tmp_path / "app.log"
    path.write_text(WRAPPERS["containerd, split"](lines(form)), encoding="utf-8")
    assert main(["grep", "--status", "500", "--session", "customer-12", str(path)]) == 0
    assert "failed" in capfd.readouterr().out


def test_no_source_is_read_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part whose rest never comes is forgotten."""
    monkeypatch.setattr("asgi_trace._cli.logs.steps._MOST_PARTS", 10)
    reader = LineReader()
    reader.read(
        f"a{number}-1  | 2024-11-22T10:30:15.000000000Z stderr P x" for number in range(1000)
    )
    assert len(reader._steps._parts) <= 10


@pytest.mark.parametrize(
    "line",
    [
        "INFO shop: [req=r1|session=s1] paid of [req=r2|session=s2]",
        "shop [req=r1|session=s1] paid",
        '2024-11-22 10:30:15,250 INFO 127.0.0.1:5 - "GET /?[req=r2|session=s2] HTTP/1.1" 200 [req=r1|session=s1]',
        "[req=r1|session=s1|span=0123456789abcdef|user=ann] - paid [req=r2|session=s2]",
        "2024-11-22 10:30:15 - INFO - [req=r1|session=s1|span=0123456789abcdef|user=ann] [tools/call add #7] - paid",
    ],
)
def test_our_ids_are_found_in_a_format_of_somebodys_own(line: str) -> None:
    """
    Before the message or at the end of the line; the first in the head counts, and none that a
    client sent.
    """
    reader = LineReader()
    (entry,) = reader.read([line]) + reader.finish()
    assert (entry.request_id, entry.session_id) == ("r1", "s1")
    assert (entry.more or {}).get("span") == ("0123456789abcdef" if "span=" in line else None)


@pytest.mark.parametrize("around", ["containerd", "docker json-file"])
def test_a_part_whose_rest_never_comes_is_kept(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, form: str, around: str
) -> None:
    """A log may end within a line that the runtime has split."""
    line = lines(form)[1][2].replace("ordering", "ordering " + "x" * 20_000)
    time = "2024-11-22T10:30:15.000000000Z"
    text = line[:18_000] if form != "json" else line
    part = (
        f"{time} stdout P {text}"
        if around == "containerd"
        else json.dumps({"log": text, "stream": "stdout", "time": time})
    )
    path = tmp_path / "app.log"
    path.write_text(part + "\n", encoding="utf-8")
    found = entries_of(path)
    assert [entry.request_id for entry in found] == [FRONT if form != "logfmt" else ""]
    code = main(["grep", "--request", FRONT, str(path)])
    assert (code, capfd.readouterr().out.count("\n")) == ((0, 1) if form != "logfmt" else (1, 0))


def test_a_word_before_an_object_is_no_tag() -> None:
    """A line of a program that syslog has without a tag: the object may be a client's."""
    reader = LineReader()
    said = f'Nov 28 07:10:25 web said {{"request_id": "{VICTIM}"}}'
    found = reader.read([said, f"Nov 28 07:10:25 web shop {FORGED}", said]) + reader.finish()
    assert [entry.request_id for entry in found] == ["", VICTIM, ""]


@pytest.mark.parametrize("time", ["00:00:00 ", "10:30:15.250000 ", "10:30:15  "])
def test_the_blanks_of_a_further_line_are_its_own(time: str) -> None:
    """Behind ``ts -s`` there is one blank, and behind a time of Jenkins there are two."""
    record = f"2024-11-22 10:30:15,250 ERROR shop [req={STOCK}|session=s] failed"
    reader = LineReader()
    (entry,) = (
        reader.read([time + line for line in (record, *TRACEBACK.split("\n"))]) + reader.finish()
    )
    assert entry.text.partition("\n")[2] == TRACEBACK


def test_multilogs_label_is_a_time() -> None:
    """Of a line that has none."""
    reader = LineReader()
    label = f"@{2**62 + 10 + 1_732_271_415:016x}{250_000_000:08x}"
    lines = [f"{label} {line}" for line in (FORGED, "no time of its own")]
    found = reader.read(lines) + reader.finish()
    assert [entry.time for entry in found] == [1_732_271_415_000, 1_732_271_415_250]


def test_a_list_is_no_syslog() -> None:
    """Without a priority, a line of RFC 5424 has a time."""
    for line, source in (
        ("1 - one two three four - five", None),
        ("<14>1 - web shop 8 - - five", "shop"),
        ("1 2024-11-22T10:30:15Z web shop 8 - - five", "shop"),
    ):
        reader = LineReader()
        (entry,) = reader.read([line]) + reader.finish()
        assert (entry.more or {}).get("source") == source, line


# Log4j 2.19 with Rfc5424Layout, which writes the context of a record as its data.
_OF_LOG4J = """\
<134>1 2026-11-28T06:22:29.635Z web shop 24572 - - Started App in 2.1 seconds
<131>1 2026-11-28T06:22:29.731Z web shop 24572 - [mdc@32473 requestId="7b0a2c5e" sessionId="customer-1" span_id="00f067aa0ba902b7" trace_id="4bf92f3577b34da6a3ce929d0e0e4736"] payment failed
<134>1 2026-11-28T06:22:29.752Z web shop 24572 - [mdc@32473 requestId="1f0e7c5a" user="a \\"b\\] requestId=\\"x"] bill:
  item 7: 2
  total: 14
<134>1 2026-11-28T06:22:29.756Z web shop 24572 - - [mdc@32473 requestId="1f0e7c5a"] said a client
<134>1 2026-11-28T06:22:29.757Z web shop 24572 - [mdc@32473 requestId="1f0e7c5a"] 2026-11-28 06:22:29 - INFO - [req=7b0a2c5e|session=s] - paid
"""  # fmt: skip  # noqa: E501


def test_syslogs_data_names_the_request_of_a_message_without_ids(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A text that begins like these data is a message, and the further lines have no envelope."""
    path = tmp_path / "app.log"
    path.write_text(_OF_LOG4J)
    found = [
        (entry.request_id, entry.session_id, entry.level, entry.text.count("\n"))
        for entry in entries_of(path)
    ]
    assert found == [
        ("", "", 0, 0),
        ("7b0a2c5e", "customer-1", 4, 0),
        ("1f0e7c5a", "", 2, 2),
        ("", "", 0, 0),
        ("7b0a2c5e", "s", 2, 0),
    ]
    assert main(["grep", "--request", "1f0e7c5a", str(path)]) == 0
    assert capfd.readouterr().out.splitlines() == _OF_LOG4J.splitlines()[2:5]


def test_a_field_of_the_journal_names_the_request() -> None:
    """As a program gives it to the journal's own handler: such fields are in capitals."""
    fields = {"__REALTIME_TIMESTAMP": "1732271415250000", "PRIORITY": "3", "MESSAGE": "failed"}
    reader = LineReader()
    lines = [json.dumps({**fields, "_SYSTEMD_UNIT": "shop.service", "REQUEST_ID": "r1"})]
    (entry,) = reader.read(lines) + reader.finish()
    assert (entry.request_id, entry.level, entry.time) == ("r1", 4, 1_732_271_415_250)
    assert entry.more is not None
    assert entry.more["source"] == "shop.service"


def test_a_date_is_no_source() -> None:
    """Of a file, or of a pod."""
    for line in ("2024-11-22\t10:30:15\tFRA2\t12", "11-22 10:30:15.250   812   812 E Shop: x"):
        reader = LineReader()
        (entry,) = reader.read([line]) + reader.finish()
        assert "source" not in (entry.more or {})


def test_a_record_of_hclog_is_no_row_of_cloudwatch() -> None:
    """Both write @message and @timestamp: its message is a text, as in any record."""
    for aside in ({"@level": "info"}, {"@module": "core"}):
        reader = LineReader()
        record = {"@message": FORGED, "@timestamp": "2024-11-22T10:30:15Z", **aside}
        (entry,) = reader.read([json.dumps(record)]) + reader.finish()
        assert entry.request_id == ""


def test_what_a_collector_has_dated_is_read(tmp_path: Path) -> None:
    """Whatever the line says: its time and source are known."""
    path = tmp_path / "app.log"
    path.write_text("Nov 22 10:30:15 web shop[7]: hello\n", encoding="utf-8")
    reading = Reading("app.log")
    assert [len(batch) for batch in read(Log(str(path), pytest.fail), reading=reading)] == [0, 1]
    assert (reading.lines, reading.unread) == (1, 0)


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        ("hello", STOCK),
        ('{"level": 30, "msg": "of pino"}', STOCK),
        (f"2024-11-22 10:30:15 - INFO - [req={FRONT}|session=s] - ours", FRONT),
    ],
)
def test_the_id_of_a_platform_counts_where_the_line_has_none(
    message: str, request_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "drain.json"
    about = {"deploymentId": "dpl_1", "projectId": "prj_1", "source": "lambda", "requestId": STOCK}
    path.write_text(f"{json.dumps({**about, 'timestamp': 1732271415000, 'message': message})}\n")
    (entry,) = entries_of(path)
    assert entry.request_id == request_id
