"""
Identifiers: generate them, and validate those of clients.

This module works on bytes and strings. It does not read headers, ASGI scopes or context variables.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import Any

from .escapes import escape_id
from .faults import report_once
from .record import NO_ID

__all__ = (
    "ID_RULE",
    "MAX_ID_LENGTH",
    "checked_generator",
    "checked_parser",
    "generate_own_ids",
    "generate_request_id",
    "id_by_hand",
    "parse_cloud_trace",
    "parse_id",
    "secret_digest",
    "take_request_id",
)

MAX_ID_LENGTH = 128
"""The longest id that is accepted from a client, in bytes."""

ID_RULE = "expected 1 to 128 characters of A-Z a-z 0-9 . _ ~ + / = : @ -, and not 'none'"

# Log lines outside a request have this word as their id: a client's request of this id could not
# be told from them.
_RESERVED = NO_ID.encode()

_ALNUM = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ALLOWED = _ALNUM + b"._~+/=:@-"

# One read of 4 KiB makes 256 ids: 0.12 µs each instead of 0.46 for urandom(16).hex() and 2.0 for
# uuid4().hex.
_BATCH_BYTES = 4096
_ID_BYTES = 16
_SPAN_BYTES = 8

_pool: list[str] = []
take_request_id = _pool.pop  # IndexError: the pool is empty, and generate_request_id() fills it
_own_pool: list[tuple[str, str]] = []
if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    # A child that inherited the pools would hand out its parent's ids a second time.
    os.register_at_fork(after_in_child=_pool.clear)
    os.register_at_fork(after_in_child=_own_pool.clear)


def generate_request_id() -> str:
    """
    Return a new random id: 32 lower-case hexadecimal characters (128 bits).

    It is also a valid trace-id of W3C Trace Context. Safe to call from any thread and after a fork.

    .. versionadded:: 0.1
    """
    try:
        return take_request_id()
    except IndexError:
        return _refill()


def _refill() -> str:
    batch = _random_ids(_BATCH_BYTES, _ID_BYTES)
    request_id = batch.pop()
    _pool.extend(batch)
    return request_id


def generate_own_ids() -> tuple[str, str]:
    """
    Return the new ids of a request that names none: of its session, 32 hexadecimal characters, and
    of its span, 16.
    """
    try:
        return _own_pool.pop()
    except IndexError:
        return _refill_own()


def _refill_own() -> tuple[str, str]:
    sessions = _random_ids(_BATCH_BYTES, _ID_BYTES)
    spans = _random_ids(_BATCH_BYTES // 2, _SPAN_BYTES)
    own_ids = sessions.pop(), spans.pop()
    _own_pool.extend(zip(sessions, spans, strict=True))
    return own_ids


def _random_ids(size: int, each: int) -> list[str]:
    """Return ids made of *size* random bytes, *each* a number of bytes of them."""
    return os.urandom(size).hex(" ", each).split(" ")


def checked_generator(generate: Callable[[], str]) -> Callable[[], str]:
    """
    Return a safe form of *generate*, a user's function: where it raises, or its id is invalid, an
    id of ours is used.
    """

    def checked() -> str:
        try:
            made = generate()
            if parse_id(made.encode()) != made:
                raise ValueError(f"the generator made {made!r}; {ID_RULE}")
        except Exception:
            report_once("the request id generator")
            return generate_request_id()
        return made

    return checked


def checked_parser(accepts: Callable[[str], bool]) -> Callable[[bytes], str | None]:
    """
    Return :func:`parse_id` narrowed by *accepts*, a user's own validator: an id is invalid where it
    returns false or raises.
    """

    asking = threading.local()

    def checked(value: bytes) -> str | None:
        parsed = parse_id(value)
        if parsed is None or vars(asking):
            # The validator itself logs a line, whose ids need the validator.
            return None
        asking.now = True
        try:
            return parsed if accepts(parsed) else None
        except Exception:
            report_once("the id validator")
            return None
        finally:
            del asking.now

    return checked


def parse_id(value: bytes) -> str | None:
    """
    Return the id in a client's header or query *value*, or None when it must not be used.

    Valid are 1 to 128 bytes of ``A-Z a-z 0-9 . _ ~ + / = : @ -``, with blanks around them ignored:
    these are safe in a header, on a log line, in a URL and in a shell's double quotes. ``none``, in
    any case, is reserved.
    """
    if not value.isalnum():
        value = value.strip(b" \t")
        if not value or value.translate(None, _ALLOWED):
            return None
    if len(value) > MAX_ID_LENGTH:
        return None
    if len(value) == len(_RESERVED) and value.lower() == _RESERVED:
        return None
    return value.decode("ascii")


# The trace headers of two clouds, which hold more than an id:
# X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Sampled=1
#   https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
# X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1
#   https://cloud.google.com/trace/docs/trace-context#legacy-http-header
_CLOUD_TRACES = (
    rb"(?:[^;]*;)*[ \t]*Root=1-([0-9a-f]{8})-([0-9a-f]{24})[ \t]*(?:;.*)?",
    # the span is optional; 32 digits alone are an ordinary request id, not a trace
    rb"([0-9a-f]{32})()(?:/[0-9]{1,20}|(?=;))(?:;o=[0-9]{1,3})?",
)
# X-Ray's header has some 120 bytes with all of its optional parts.
_LONGEST_CLOUD_TRACE = 512


def parse_cloud_trace(value: bytes) -> bytes | None:
    """
    Return the trace id, 32 hexadecimal characters, in a cloud's own trace header *value*; None in
    any other.
    """
    if len(value) > _LONGEST_CLOUD_TRACE:
        return None
    value = value.strip(b" \t")
    for form in _CLOUD_TRACES:
        match = re.fullmatch(form, value, re.IGNORECASE)
        if match is not None:
            return (match[1] + match[2]).lower()
    return None


def id_by_hand(value: object) -> str | None:
    """
    Return an id that the program itself has set, such as a user's name or number, in a form that is
    safe on a log line.

    Blanks around it are trimmed, as they are around a client's: a header cannot have them.
    Characters that could end the bracket or start another line are escaped. ``none`` is no id.
    """
    if value is None:
        return None
    text = escape_id(str(value).strip(" \t"))
    return None if text.lower() in ("", NO_ID) else text


def secret_digest(key: bytes = b"") -> Callable[[bytes], str]:
    """
    Return a function that makes an id from a secret: always the same id from the same secret.

    The id is 32 lower-case hexadecimal characters: BLAKE2b of 128 bits. With a *key* of 1 to 64
    bytes, the secret cannot be found without the key by trying candidates.
    """
    keyed: list[Any] = []  # the state before the first byte of a secret, once it is made

    def digest(secret: bytes) -> str:
        if not keyed:
            import hashlib  # 1 ms, which most programs do not need: they digest nothing

            keyed.append(hashlib.blake2b(digest_size=16, key=key, person=b"asgi_trace"))
        # A copy of the state: 3,300 instructions, where a new one with its options takes 5,900.
        state = keyed[0].copy()
        state.update(secret)
        digits: str = state.hexdigest()
        return digits

    return digest
