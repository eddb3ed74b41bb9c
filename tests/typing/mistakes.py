"""
Mistakes in a user's code: type checkers report each line with the comment, and no other line. It is
never run.
"""

# pyright: strict

from typing import Any

from asgi_trace import (
    RequestMetadata,
    RequestTracingMiddleware,
    TextFormatter,
    carrier,
    get_request_id,
    get_request_metadata,
    with_context,
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


@with_context
def double(amount: int) -> int:
    return 2 * amount


def sign_in(metadata: RequestMetadata) -> None:
    metadata.session_id = 5  # mistake
    metadata.trace = "00-c-d-01"  # mistake
    metadata.trace_id = "c" * 32  # mistake
    metadata.fields[5] = "tenant"  # mistake
    metadata.fields = None  # mistake
    metadata.tenant = "acme"  # mistake: data of the user's own goes into fields


get_request_metadata().session_id = "bob"  # mistake: there is none outside a request
print(get_request_id().upper())  # mistake
print(carrier()["x-request-id"] + 5)  # mistake
double("5")  # mistake
RequestTracingMiddleware(app, headername="X-Request-ID")  # mistake
TextFormatter(session_length="8")  # mistake
