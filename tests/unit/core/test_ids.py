from __future__ import annotations

import multiprocessing
import os
import re
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_trace import generate_request_id
from asgi_trace._core.ids import generate_own_ids, parse_id, secret_digest

ALLOWED = (string.ascii_letters + string.digits + "._~+/=:@-").encode()


def test_a_generated_id_is_a_w3c_trace_id() -> None:
    """32 lower-case hexadecimal characters, not all zero."""
    made = [generate_request_id() for _ in range(1000)]
    assert [each for each in made if not re.fullmatch(r"(?!0{32})[0-9a-f]{32}", each)] == []
    assert len(set(made)) == len(made)


def test_threads_never_get_the_same_id() -> None:
    """Eight threads empty the pool many times over."""
    with ThreadPoolExecutor(8) as executor:
        made = [*executor.map(lambda _: generate_request_id(), range(20_000))]
    assert len(set(made)) == len(made)


def test_a_requests_own_ids_are_a_session_and_a_span() -> None:
    """Each of them random, and never given twice."""
    made = [generate_own_ids() for _ in range(1000)]
    for session_id, span_id in made:
        assert re.fullmatch(r"(?!0{32})[0-9a-f]{32}", session_id)
        assert re.fullmatch(r"(?!0{16})[0-9a-f]{16}", span_id)
    assert [len({*ids}) for ids in zip(*made, strict=True)] == [len(made)] * 2


def _some_ids() -> list[str]:
    own_ids = [each for _ in range(300) for each in generate_own_ids()]
    return [*own_ids, *(generate_request_id() for _ in range(300))]


def _ids_of_a_child(connection: multiprocessing.connection.Connection) -> None:
    connection.send(_some_ids())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_does_not_repeat_its_parents_ids() -> None:
    """The pools are the parent's alone."""
    generate_request_id()  # the pools are full now
    generate_own_ids()
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_ids_of_a_child, args=(theirs,))
    child.start()
    of_child = mine.recv()
    child.join()
    assert set(of_child).isdisjoint(_some_ids())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a1b2c3d4", "a1b2c3d4"),
        (b"req_01J9ZK.3~+/=:@-", "req_01J9ZK.3~+/=:@-"),
        (b"  padded\t", "padded"),
        (b"x" * 128, "x" * 128),
        (b"x" * 129, None),
        (b"x" * 2**20, None),
        (b"", None),
        (b"   ", None),
        (b"two words", None),
        (b"a\r\nX-Evil: 1", None),
        (b"a\n", None),
        (b"a\x00", None),
        (b"\x1b[31m", None),
        (b"a\x85b", None),
        (b"\xe9", None),
        ("é".encode(), None),
        (b"a%0d%0a", None),
        (b'"><script>', None),
        (b"-" * 10_000, None),
    ],
)
def test_only_the_allow_list_is_taken_over(value: bytes, expected: str | None) -> None:
    """1 to 128 bytes of it, matched whole, blanks around it trimmed."""
    assert parse_id(value) == expected


@given(st.binary(max_size=200))
def test_whatever_is_taken_over_is_safe(value: bytes) -> None:
    """No byte outside the list ever gets through, and nothing but blanks is changed."""
    found = parse_id(value)
    trimmed = value.strip(b" \t")
    valid = 1 <= len(trimmed) <= 128 and not set(trimmed) - set(ALLOWED)
    assert found == (trimmed.decode() if valid else None)


@given(st.binary(), st.binary(), st.binary(max_size=64))
def test_a_digest_tells_secrets_apart_and_nothing_else(
    one: bytes, other: bytes, key: bytes
) -> None:
    """Equal for equal secrets, different for others, and of another form than any of them."""
    assert (secret_digest(key)(one) == secret_digest(key)(other)) == (one == other)
    assert re.fullmatch("[0-9a-f]{32}", secret_digest(key)(one))


def test_a_key_changes_every_digest() -> None:
    """Who lacks the key cannot try candidates."""
    assert len({secret_digest(key)(b"token") for key in (b"", b"a", b"b")}) == 3
