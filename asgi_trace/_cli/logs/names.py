"""
The names that writers and collectors of JSON and logfmt give to the fields of a line, one table per
purpose.

A dot means nesting. The fields of the objects in ``CONTAINERS`` are read like fields outside of
them. In each row the first name with a value counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = (
    "ACCESS",
    "BEGINNINGS",
    "COLLECTED",
    "CONTAINERS",
    "ENCODED",
    "EXCEPTIONS",
    "INSTANCES",
    "NESTED_LISTS",
    "NO_IDS",
    "OF_ID",
    "OWN_SPANS",
    "PARTS",
    "PODS",
    "PRINTED",
    "RAW",
    "RAW_TEXTS",
    "ROLES",
    "SERVERS_METHODS",
    "SILENT",
    "SOURCES",
    "SPELLINGS",
    "TEXTS",
    "WEAK_LEVELS",
    "WEAK_TIMES",
    "flat",
    "may_nest",
    "plain_name",
)

ROLES: dict[str, tuple[str, ...]] = {
    "time": (
        "timestamp",
        "@timestamp",
        "time",
        "_time",
        "asctime",
        "ts",
        "datetime",
        "date",
        "Timestamp",
        "@t",
        "timeUnixNano",
        "__REALTIME_TIMESTAMP",
        "observedTimeUnixNano",
        "time.timestamp",
        "StartUTC",
        "TimeStamp",
        "TimeGenerated",
        "instant",
        "timeMillis",
        "timestampSeconds",
        "start_time",
        "time_iso8601",
        "time_local",
        "msec",
        "requestTime",
        "requestTimeEpoch",
        "ISODATE",
        "eventTime",
        "syslog.timestamp",
        "timereported",
        "DATE",
        "dt",
        "_messagetime",
        "_messageTime",
        "generated_at",
        "received_at",
        "t.$date",
        "EdgeStartTimestamp",
        "requestReceivedTimestamp",
        "_timestamp",
        "p_timestamp",
        "timestamp_nanos",
        "__time__",
        "_ts",
        "t",
        "log_time",
        "started_at",
        "created",
        "when",
    ),
    "level": (
        "level_name",
        "level",
        "levelname",
        "severity",
        "log.level",
        "log_level",
        "lvl",
        "@l",
        "@level",
        "Level",
        "SeverityText",
        "severityText",
        "severity_text",
        "severity.text",
        "loglevel",
        "LogLevel",
        "level.name",
        "levelno",
        "level_number",
        "level_value",
        "severityNumber",
        "SeverityNumber",
        "severity_number",
        "severityLevel",
        "SeverityLevel",
        "syslog.severity",
        "error_severity",
        "PRIORITY",
        "at",
        "status",
        "s",
    ),
    "message": (
        "message",
        "event",
        "msg",
        "_msg",
        "@m",
        "@mt",
        "@message",
        "MESSAGE",
        "body",
        "body.text",
        "Body",
        "short_message",
        "RenderedMessage",
        "formattedMessage",
        "MessageTemplate",
        "Message",
        "textPayload",
        "log",
        "line",
        "_raw",
        "content",
    ),
    "request": (
        "request_id",
        "asgi_trace.request_id",
        "correlation_id",
        "requestId",
        "correlationId",
        "req_id",
        "reqId",
        "req.id",
        "rid",
        "request-id",
        "x_request_id",
        "request.id",
        "http.request.id",
        "x-request-id",
        "X-Request-ID",
        "RequestId",
        "requestID",
        "CorrelationId",
        "correlation-id",
        "x-correlation-id",
        "X-Correlation-ID",
        "requestContext.requestId",
        "request.request_id",
        "http.request.header.x-request-id",
        "REQUEST_ID",  # the journal's own fields are in capitals
        "AWSRequestId",
        "aws_request_id",
        "function_request_id",
        "request_X-Request-Id",
        "resp_headers.X-Request-Id",
        "unique_id",
        "_request_id",
        "_requestId",
        "http.request_id",
        "httpRequest.requestID",
        "RayID",
        "x-edge-request-id",
        "http_x_request_id",
    ),
    "session": (
        "session_id",
        "asgi_trace.session_id",
        "sessionId",
        "mcp_session_id",
        "session.id",
        "SessionId",
        "x-session-id",
        "_session_id",
        "_sessionId",
    ),
    "trace": (
        "trace_id",
        "asgi_trace.trace_id",
        "otelTraceID",
        "traceId",
        "trace.id",
        "dd.trace_id",
        "logging.googleapis.com/trace",
        "TraceId",
        "@tr",
        "traceid",
        "traceID",
        "trace",
        "operation_Id",
        "OperationId",
        "_trace_id",
        "_traceId",
        "TRACE_ID",
        "xray_trace_id",
        "x-amzn-trace-id",
        "traceparent",
    ),
    "span": (
        "span_id",
        "asgi_trace.span_id",
        "otelSpanID",
        "spanId",
        "span.id",
        "dd.span_id",
        "logging.googleapis.com/spanId",
        "SpanId",
        "@sp",
        "spanID",
        "_span_id",
        "_spanId",
    ),
    "parent": ("parent_span_id", "asgi_trace.parent_span_id", "parentSpanId", "parent.id"),
    "service": (
        "service",
        "service.name",
        "asgi_trace.service",
        "ServiceName",
        "service_name",
        "serviceName",
        "dd.service",
        "resource.service.name",
    ),
    "logger": (
        "logger",
        "logger_name",
        "log.logger",
        "loggerName",
        "target",
        "SourceContext",
        "LOGGER",
        "logger.name",
        "otel.scope.name",
        "scope.name",
        "instrumentationScope.name",
        "@module",
        "Category",
        "name",
        "python_logger",
    ),
    "method": ("mcp_method",),
    "tool": ("mcp_name",),
    "number": ("jsonrpc_id",),
}

WEAK_TIMES: dict[str, type | tuple[type, ...]] = {
    "t": str,
    "started_at": (int, float),
    "created": float,
    "when": str,
}
"""Names that many a field has: the types of those that are times."""

WEAK_LEVELS = frozenset(("status", "at", "s"))
"""Names that many a field has: its value must be a level."""


def plain_name(name: str) -> str:
    """Return a *name* without the differences between spellings, such as ``X-Request-Id``."""
    return name.translate(_MARKS).lower()


_MARKS = str.maketrans("", "", "-_.")
# Roles whose names are found in any spelling, and names that mean another thing in another one.
_IN_ANY_SPELLING = ("time", "level", "request", "session", "trace", "span", "parent")
_SHORTEST_NAME = 5
_EXACT = frozenset(
    (
        *WEAK_TIMES,
        *WEAK_LEVELS,
        "PRIORITY",
        "levelno",
        "level_number",
        "level_value",
        "severityNumber",
        "severityLevel",
        "unique_id",
        "trace",
        "operation_Id",
        "instant",
        "requestTime",  # nginx's request_time is a duration
        "start_time",
        "parent.id",  # a program's own objects have parents, too
    )
)
SPELLINGS: dict[str, frozenset[str]] = {
    role: frozenset(
        plain_name(name)
        for name in (ROLES[role] if role in _IN_ANY_SPELLING else ())
        if len(name) >= _SHORTEST_NAME or name == "time"
    )
    - frozenset(map(plain_name, _EXACT))
    for role in ROLES
}
"""The plain names of each role, for those of which no field has one of the usual names."""

OWN_SPANS = frozenset(
    ("span_id", "asgi_trace.span_id", "span.id", "dd.span_id", "logging.googleapis.com/spanId")
)
"""Under these names our formatters write a request's own span; under others, tracers the current one."""

EXCEPTIONS = (
    "exception",
    "exc_info",
    "stack_info",
    "stack",
    "stack_trace",
    "traceback",  # oslo.log
    "error.stack_trace",
    "error.stack",
    "err.stack",
    "exception.stacktrace",
    "@x",
    "Exception",
    "full_message",  # GELF
)

# Fields of the trace, or with the same value as another field.
SILENT = frozenset(
    (
        *ROLES["span"],
        *ROLES["trace"],
        *ROLES["parent"],
        *ROLES["service"],
        "otelTraceSampled",
        "trace_flags",
        "traceFlags",
        "flags",
        "logging.googleapis.com/trace_sampled",
        "exception.type",
        "exception.message",
        "error.type",
        "error.message",
        "err.type",
        "err.message",
        "ecs.version",
        "ingestionTime",
        "droppedAttributesCount",
        "@logStream",
        "@log",
        "@ptr",
    )
)

CONTAINERS = frozenset(
    (
        "labels",
        "attributes",
        "LogAttributes",
        "ResourceAttributes",
        "jsonPayload",
        "log_processed",
        "json",
        "_source",
        "fields",
        "span",
        "extra",
        "record",
        "context",
        "mdc",
        "MDC",
        "mdcPropertyMap",
        "ctx",
        "meta",
        "tags",
        "eventProperties",
        "contextMap",
        "Properties",
        "named_tags",
        "content",
        "data",
        "message",
        "metadata",
        "result",
        "@fields",
        "logging.googleapis.com/labels",
        "LogMessage",
        "@message",
        "attributes_string",
        "attributes_number",
        "attributes_bool",
        "attributes.custom",
        "customDimensions",
    )
)

ENCODED = {"customDimensions": "message", "Properties": "TimeGenerated"}
"""Azure's names of fields with an object as a text, and another field of the same table."""

# -- envelopes in JSON -----------------------------------------------------------------------------

TEXTS = (
    "log",
    "line",
    "_msg",
    "MESSAGE",
    "@message",
    "textPayload",
    "Body",
    "body",
    "body.text",
    "message",
    "event",
    "msg",
    "Log",
    "event.original",
    "_raw",
    "LogMessage",
    "LogEntry",
    "Log_s",
    "short_message",
    "_line",
    "@rawstring",
    "log_text",
    "content",
)
"""The names of the line in an envelope."""

RAW_TEXTS = (
    "event.line",
    "raw",
    "lines.text",
    "text",
    "out",
    "payload",
    "value",
    "resultDescription",
    "ResultDescription",
    "record",
)
"""The same, where the fields of an object are in a row of ``RAW``: a record may have these names, too."""

PARTS: dict[str, Any] = {
    "logtag": "P",  # containerd's lines in Fluent Bit and fluentd
    "_p": "P",
    "CONTAINER_PARTIAL_MESSAGE": "true",  # Docker's driver for the journal
    "partial_last": "false",  # Docker's driver for Fluentd
    "_LINE_BREAK": "line-max",  # the journal itself
    "_partial": True,  # Vector
}
"""The mark of a part of a line in an envelope, and its value where the next part belongs to the line."""

PODS = (
    "kubernetes.pod.name",
    "kubernetes.pod_name",
    "kubernetes_pod_name",
    "kubernetes.pod",
    "k8s.pod.name",
    "k8s_pod_name",
    "resource.labels.pod_name",
    "podName",
    "pod_name",
    "_pod_name_",
    "pod",
)
"""The pod of Kubernetes: a service has several, and each has containers of the same names."""

SOURCES = (
    "kubernetes.container.name",
    "kubernetes.container_name",
    "kubernetes_container_name",
    "k8s.container.name",
    "k8s_container_name",
    "containerName",
    "container_name",
    "container",
    "resource.labels.container_name",
    "resource.labels.service_name",
    "com.amazonaws.ecs.container-name",
    "attrs.com.docker.compose.service",
    "attrs.tag",
    "CONTAINER_NAME",
    "ContainerName",
    "_container_name",
    "_container_name_",
    "container.name",
    "service.name",
    "ServiceName",
    "service",
    "service_name",
    "serviceName",
    "resource.service.name",
    "cloud_RoleName",
    "AppRoleName",
    "app",
    *PODS,
    "_SYSTEMD_USER_UNIT",
    "_SYSTEMD_UNIT",
    "SYSLOG_IDENTIFIER",
    "logStreamName",
    "logStream",
    "@logStream",
    "PodName",
    "app_name",
    "appname",
    "PROGRAM",
    "program",
    "programname",
    "app-name",
    "event.tag",
    "_sourcename",
    "_sourceName",
    "fly.app.name",
    "ContainerName_s",
    "ContainerAppName_s",
    "ContainerAppName",
    "systemd_unit",
    "syslog_identifier",
    "_app",
    "subsystemName",
    "resources.service.name",
    "resources_string.service.name",
    "path.text",
    "unit",
    "job",
    "_stream",
    "log.file.path",
    "log_path",
    "file",
)
"""The process that wrote the line: the name of its service before that of one instance."""

INSTANCES = tuple(
    name
    for name in SOURCES
    if name not in ("app", "container", "event.tag", "file", "job", "program", "service", "unit")
)
"""The same, if the object is the record itself: its own fields may have the shorter names."""

# Fields that an object has only if a collector made it from a raw line, which is in the first of
# them: its other values, such as a level, are the collector's guess.
RAW = (
    ("log", "stream"),  # Docker's json-file, Fluent Bit
    ("line", "labels"),  # logcli
    ("MESSAGE", "__REALTIME_TIMESTAMP"),  # the journal
    ("@message", "@timestamp"),  # CloudWatch Insights
    ("textPayload", "insertId"),  # Google Cloud
    ("textPayload", "severity"),  # the same with some of its fields
    ("message", "logStreamName"),  # CloudWatch
    ("message", "ingestionTime", "timestamp"),  # aws logs get-log-events
    ("message", "podName", "nodeName"),  # stern
    ("Log", "TimeStamp"),  # Azure
    ("LogMessage", "TimeGenerated"),
    ("LogEntry", "TimeGenerated"),
    ("Log_s", "TimeGenerated"),
    ("message", "facility", "severity"),  # syslog, of Vector, Logstash, rsyslog
    ("line", "timestamp", "fields"),  # Grafana's download
    ("line", "timestamp", "date"),
    ("message", "fly"),
    ("_raw", "_time"),  # Splunk
    ("short_message", "_container_name"),  # Docker's GELF
    ("message", "container_name", "image_name", "tag"),  # the same in Graylog and Logstash
    ("message", "instance", "region", "meta"),  # flyctl logs --json
    ("msg", "rawmsg", "timereported"),  # rsyslog
    ("event.line", "event.source"),  # Docker's driver for Splunk
    ("_raw", "_messagetime"),  # Sumo Logic
    ("_raw", "_messageTime"),
    ("raw", "dt"),  # Better Stack
    ("resultDescription", "operationName", "category"),  # Azure's App Service
    ("ResultDescription", "TimeGenerated"),
    ("lines.text", "line_number", "absolute_offset"),  # ripgrep
    ("MESSAGE", "PROGRAM"),  # syslog-ng
    ("MESSAGE", "FACILITY", "PRIORITY"),  # the same for a line without a program
    ("message", "timestamp", "type", "process_id", "app_name"),  # pm2
    ("_line", "_ts"),  # Mezmo, LogDNA
    ("@rawstring", "@timestamp"),  # LogScale
    ("text", "applicationName", "subsystemName"),  # Coralogix
    ("raw", "logtypes", "timestamp"),  # Loggly
    ("out", "pos", "time"),  # Drone and Woodpecker
    ("payload", "topic", "partition", "offset"),  # kcat
    ("value", "topic", "partition", "offset"),  # rpk
    ("content", "log.source"),  # Dynatrace
    ("content", "__time__"),  # Alibaba Cloud
    ("_msg", "log.file.path"),  # OpenTelemetry's collector, in VictoriaLogs
    ("_msg", "log.file.name"),
    ("_msg", "log.iostream"),
    ("record", "type", "time"),  # AWS Lambda's Telemetry API
    ("log_text", "log_time"),  # lnav
)
# The same, where the ids beside a line are the platform's: those in a line of ours count.
PRINTED = (
    ("message", "deploymentId", "projectId", "source"),  # Vercel
    ("message", "rowId", "requestPath", "source"),
)
# Fields of raw lines and of records: an object with them holds a raw line if it has no level, and if
# the first of them is no object itself.
COLLECTED = (
    ("log", "time"),
    ("log", "date"),
    ("log", "kubernetes"),
    ("log", "container_id"),  # FireLens, Docker's driver for Fluentd
    ("message", "kubernetes"),
    ("message", "stream"),
    ("message", "source_type"),
    ("message", "agent"),
    ("_msg", "_time"),
    ("message", "dt"),
    ("Body", "Timestamp"),
    ("body", "timeUnixNano"),
    ("line", "timestamp"),
    ("_index", "_source"),
    ("body", "severity_number", "severity_text"),
)

# Ids outside a request; the zeros are OpenTelemetry's and those of an empty UUID, and the words are
# those of languages and of programs for a missing value.
NO_IDS = frozenset(("", "-", "0", "0" * 16, "0" * 32, "00000000-0000-0000-0000-000000000000"))
NO_IDS |= {"none", "None", "NONE", "null", "Null", "NULL", "nil", "<nil>", "undefined", "unknown"}
NO_IDS |= {"n/a", "N/A"}

# -- access fields ---------------------------------------------------------------------------------

ACCESS: tuple[tuple[str, str, str, str, float], ...] = (
    # method, path, status, duration, and the milliseconds in one of its units
    ("method", "path", "status", "duration_ms", 1),  # ours
    ("req.method", "req.url", "res.statusCode", "responseTime", 1),  # pino-http
    ("req.method", "req.url", "res.statusCode", "latency", 1),  # restify
    # pino-http in the format of ECS, and with the names of its manual
    ("req.method", "req.url", "http.response.status_code", "responseTime", 1),
    ("request.method", "request.url", "response.statusCode", "timeTaken", 1),
    ("request.method", "request.uri", "status", "duration", 1000),  # caddy
    ("RequestMethod", "RequestPath", "DownstreamStatus", "Duration", 1e-6),  # traefik
    ("RequestMethod", "RequestPath", "StatusCode", "Elapsed", 1),  # Serilog
    (
        "httpRequest.requestMethod",
        "httpRequest.requestUrl",
        "httpRequest.status",
        "httpRequest.latency",
        1000,
    ),  # Google Cloud
    ("request_method", "request_uri", "status", "request_time", 1000),  # nginx
    ("request_method", "uri", "status", "request_time", 1000),  # nginx
    ("request", "request", "status", "request_time", 1000),  # nginx
    ("request", "request", "status", "duration", 1000),  # Sanic
    ("http.request.method", "url.path", "http.response.status_code", "event.duration", 1e-6),  # ECS
    ("http.request.method", "url.original", "http.response.status_code", "event.duration", 1e-6),
    ("http.method", "http.target", "http.status_code", "duration_ms", 1),
    ("http.method", "http.target", "http.status_code", "elapsed_milliseconds", 1),  # Rust
    ("http.method", "http.url_details.path", "http.status_code", "duration", 1e-6),  # Datadog
    ("method", "path", "response_code", "duration", 1),  # Envoy
    ("method", "x-envoy-origin-path", "response_code", "duration", 1),  # Envoy Gateway
    # ingress-nginx: its duration is in seconds, too
    ("method", "path", "status", "request_time", 1000),
    ("method", "path", "status", "duration", 1),  # lograge
    ("method", "path", "status", "duration_s", 1000),  # GitLab
    ("method", "uri", "status", "duration_ms", 1),  # GitLab's Workhorse
    ("method", "url", "status", "duration", 1),  # zerolog
    ("method", "path", "status", "latency", 1),  # slog, zap
    ("request.method", "request.path", "response.status", "response.latency", 1e-6),  # slog-http
    (
        "httpRequest.method",
        "httpRequest.path",
        "httpResponse.status",
        "httpResponse.elapsed",
        1,
    ),  # chi
    # Docker's registry
    (
        "http.request.method",
        "http.request.uri",
        "http.response.status",
        "http.response.duration",
        1,
    ),
    ("meta.req.method", "meta.req.url", "meta.res.statusCode", "meta.responseTime", 1),  # winston
    ("proxy.method", "proxy.path", "proxy.statusCode", "duration", 1),  # Vercel
    ("http.method", "url", "resultCode", "duration", 1),  # Application Insights
    ("method", "path", "status_code", "duration_ms", 1),
    ("method", "requested_uri", "status_code", "elapsed_time", 1),  # Logback
    ("http.method", "http.url", "http.status_code", "duration", 1e-6),  # Datadog
    ("payload.method", "payload.path", "payload.status", "duration_ms", 1),  # Semantic Logger
    ("State.Method", "State.Path", "State.StatusCode", "State.ElapsedMilliseconds", 1),  # .NET
    ("request.method", "request.uri", "response.status", "latencies.request", 1),  # Kong
    ("method", "uri", "status", "total_ns", 1e-6),  # Linkerd
    ("ClientRequestMethod", "ClientRequestURI", "EdgeResponseStatus", "", 1),  # Cloudflare
    ("request_method", "url", "response_status", "", 1),  # Fastly
    # gunicorn, with an access log format that is often copied
    ("request_method", "request_path", "response_code", "request_timetaken", 1e-3),
    ("cs-method", "cs-uri-stem", "sc-status", "time-taken", 1000),  # CloudFront
    ("method", "uri", "status", "latency", 1e-6),  # Echo
    ("httpMethod", "path", "status", "responseLatency", 1),  # AWS API Gateway
    ("httpMethod", "resourcePath", "status", "responseLatency", 1),
    ("request.method", "request.uri", "response.status", "latency", 1),  # APISIX
    ("httpMethod", "requestUri", "httpStatus", "timeTaken", 1000),  # Azure's Application Gateway
    # middlewares of many
    ("method", "path", "status_code", "process_time", 1000),
    ("method", "path", "status_code", "process_time_ms", 1),
    ("method", "path", "status_code", "latency_ms", 1),
    ("method", "path", "status_code", "elapsed_ms", 1),
    ("method", "path", "status_code", "response_time_ms", 1),
    ("method", "path", "status", "latency_ms", 1),
    ("method", "path", "status", "service", 1),  # Heroku's router
    ("method", "url", "status", "response_time", 1),  # morgan, by a function
)

# Writers with one line at the start of a request, and one at its end: the message of the first line,
# and its fields with the method and the path.
BEGINNINGS = {"incoming request": ("req.method", "req.url")}  # Fastify

# Only writers whose "id" is that of the request have these names: Echo, slog-http.
OF_ID = frozenset(("latency_human", "response.latency"))

# Only servers have these names for a request's method: it and a status are enough.
SERVERS_METHODS = frozenset(
    ("ClientRequestMethod", "RequestMethod", "httpMethod", "request_method")
)

# Lists of objects with fields of the same line: the spans of Rust's tracing, the scopes of .NET.
NESTED_LISTS = ("spans", "Scopes")


# -- nesting ---------------------------------------------------------------------------------------

_MOST_NESTED = 4
_MOST_FIELDS = 500


def _dotted() -> Iterator[str]:
    yield from (name for names in ROLES.values() for name in names)
    yield from EXCEPTIONS
    yield from SOURCES
    yield from RAW_TEXTS
    yield from (name for row in ACCESS for name in row[:4] if isinstance(name, str))


_OUTER = frozenset(name.partition(".")[0] for name in _dotted() if "." in name)
_NESTING = CONTAINERS | _OUTER | {*NESTED_LISTS}


def may_nest(name: str) -> bool:
    """Whether a field with this *name* may hold others that are in these tables."""
    return name in _NESTING


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields* with those of nested objects beside them, by dotted names."""
    flattened: dict[str, Any] = {}
    _flatten(fields, "", flattened, 0)
    return flattened


def _flatten(fields: Mapping[str, Any], prefix: str, flattened: dict[str, Any], depth: int) -> None:
    inner: list[tuple[str, Mapping[str, Any]]] = []
    for name, value in fields.items():
        if len(flattened) >= _MOST_FIELDS:
            return
        dotted = f"{prefix}{name}" if prefix else name
        if type(value) is dict and value and may_nest(dotted.partition(".")[0]):
            inner.append((name, value))
        else:
            flattened.setdefault(dotted, value)
    if depth == _MOST_NESTED:
        return
    for name, value in inner:
        if name in _OUTER or name not in CONTAINERS:
            _flatten(value, f"{prefix}{name}.", flattened, depth + 1)
        if name in CONTAINERS:
            _flatten(value, "", flattened, depth + 1)
