"""
Identifiers: make them, and decide which of a client's may be taken over.

Knows bytes and strings. Does not know ASGI, headers, logging or context variables.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from .faults import report_once

__all__ = (
    "ID_RULE",
    "MAX_ID_LENGTH",
    "checked_generator",
    "checked_parser",
    "digest_secret",
    "generate_request_id",
    "parse_id",
    "take_request_id",
)

MAX_ID_LENGTH = 128
"""The longest id taken over from a client, in bytes."""

ID_RULE = "expected 1 to 128 characters of A-Z a-z 0-9 . _ ~ + / = : @ -"

_ALNUM = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ALLOWED = _ALNUM + b"._~+/=:@-"

# One read of 4 KiB makes 256 ids: 0.12 µs each instead of 0.46 for urandom(16).hex() and 2.0 for uuid4().hex.
_BATCH_BYTES = 4096
_ID_BYTES = 16

_pool: list[str] = []
take_request_id = _pool.pop  # IndexError: the pool is empty, and generate_request_id() fills it
if hasattr(os, "register_at_fork"):  # absent on Windows, where nothing forks
    # A child that inherited the pool would hand out its parent's ids a second time.
    os.register_at_fork(after_in_child=_pool.clear)


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
    batch = os.urandom(_BATCH_BYTES).hex(" ", _ID_BYTES).split(" ")
    request_id = batch.pop()
    _pool.extend(batch)
    return request_id


def checked_generator(generate: Callable[[], str]) -> Callable[[], str]:
    """
    Return *generate*, a user's own, made safe: an id that fails the rule, or a fault, gives way to one of ours.
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
    Return :func:`parse_id` narrowed by *accepts*, a user's own validator: what it refuses, or fails on, is invalid.
    """

    asking = threading.local()

    def checked(value: bytes) -> str | None:
        found = parse_id(value)
        if found is None or vars(asking):
            return None  # asked while it is asked: it logs a line, and that line's ids are being found
        asking.now = True
        try:
            return found if accepts(found) else None
        except Exception:
            report_once("the id validator")
            return None
        finally:
            del asking.now

    return checked


def parse_id(value: bytes) -> str | None:
    """
    Return the id in a client's header or query *value*, or None when it must not be taken over.

    Valid are 1 to 128 bytes of ``A-Z a-z 0-9 . _ ~ + / = : @ -``, with blanks around them ignored: what is
    safe in a header, on a log line, in a URL and in a shell's double quotes.
    """
    if not value.isalnum():
        value = value.strip(b" \t")
        if not value or value.translate(None, _ALLOWED):
            return None
    if len(value) > MAX_ID_LENGTH:
        return None
    return value.decode("ascii")


def digest_secret(secret: bytes, key: bytes = b"") -> str:
    """
    Return an id that is the same for the same *secret* and tells nothing else about it.

    The id is 32 lower-case hexadecimal characters: BLAKE2b of 128 bits. With a *key* of 1 to 64 bytes nobody
    who lacks the key can find the secret by trying candidates.
    """
    import hashlib  # most programs digest nothing: 1 ms of import saved

    return hashlib.blake2b(secret, digest_size=16, key=key, person=b"asgi_trace").hexdigest()
