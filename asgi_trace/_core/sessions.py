"""
Session ids: their sources in a request, and the rank of each source.

This module reads header lists, query strings and the objects of users. It does not read scopes,
responses or context variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .ids import MAX_ID_LENGTH, parse_id, secret_digest

__all__ = ("DEFAULT_SESSION_SOURCES", "SessionResolver", "query_values")

# The longest id with every byte percent-encoded, and some blanks around it.
_LONGEST_ESCAPED = 4 * MAX_ID_LENGTH

DEFAULT_SESSION_SOURCES = (
    "header:X-Session-ID",
    "header:X-Correlation-ID",
    "header:Mcp-Session-Id",
    "query:session_id",
    "baggage:session.id",
    "bearer",
)

_RULE = "expected 'header:NAME', 'query:NAME', 'cookie:NAME', 'baggage:NAME', 'user' or 'bearer'"

# Names that no header has: for the query string, and for the user, which is not in the request.
_QUERY = b""
_NO_HEADER = b":"

# The size that must be forwarded at least (https://www.w3.org/TR/baggage/, § 3.3.2).
_MOST_BAGGAGE = 8192

# Places of the id in a user's object, one that stays the same when its token is refreshed: in an
# MCP SDK, in Starlette, in Django, and in a dict of claims.
_USER_IDS = (
    ("access_token", "subject"),
    ("access_token", "claims", "sub"),
    ("access_token", "client_id"),
    ("identity",),
    ("sub",),
    ("pk",),
    ("id",),
    ("username",),
)


class _Source(NamedTuple):
    header: bytes  # the header that must be there, or the query string
    name: bytes  # of the parameter or cookie
    # the candidates for the id in the header or query string
    read: Callable[[bytes, bytes], Iterable[bytes]]
    secret: bool  # shown as a digest only
    is_callers: bool = False  # used from a trusted caller only


# A source with its rank, and with the function that makes an id of a candidate: rank, header, name,
# read, the function, is_callers. A plain tuple, which is unpacked in one step.
_Prepared = tuple[
    int,
    bytes,
    bytes,
    Callable[[bytes, bytes], Iterable[bytes]],
    Callable[[bytes], str | None],
    bool,
]


def _whole(value: bytes, _name: bytes) -> Iterable[bytes]:
    return (value,)


def _bearer(value: bytes, _name: bytes) -> Iterable[bytes]:
    scheme, _, token = value.strip().partition(b" ")
    return (token.strip(),) if scheme.lower() == b"bearer" else ()


def _cookie(value: bytes, name: bytes) -> Iterator[bytes]:
    return _parameters(value, name, b";")


def _baggage(value: bytes, name: bytes) -> Iterator[bytes]:
    if value.find(name) < 0:  # most baggage has no session id
        return
    for member in value[:_MOST_BAGGAGE].split(b","):
        key, _, member_value = member.partition(b"=")
        if key.strip() == name:
            yield _unquoted(member_value.partition(b";")[0].strip())  # properties follow a ";"


def _unquoted(value: bytes) -> bytes:
    if value.find(b"%") < 0:
        return value
    from urllib.parse import unquote_to_bytes  # only needed for escaped values

    return unquote_to_bytes(value)


def query_values(value: bytes, name: bytes) -> Iterator[bytes]:
    """Yield the values of the parameter *name* in the query string *value*, decoded."""
    for parameter in _parameters(value, name, b"&"):
        if parameter.find(b"%") < 0 and parameter.find(b"+") < 0:  # "in" takes five times as long
            yield parameter
        elif len(parameter) <= _LONGEST_ESCAPED:
            yield _unquoted(parameter.replace(b"+", b" "))


def _parameters(text: bytes, name: bytes, separator: bytes) -> Iterator[bytes]:
    """Yield the values of ``name=value`` in *text*, by a search, since most texts have none."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        before = text[max(start - 2, 0) : start].rstrip()[-1:]
        if text[end : end + 1] == b"=" and before in (b"", separator):
            stop = text.find(separator, end)
            yield text[end + 1 :] if stop < 0 else text[end + 1 : stop]
        start = text.find(name, end)


def _parse_source(source: str) -> _Source:
    kind, _, name = source.partition(":") if isinstance(source, str) else ("", "", "")
    raw = name.encode("latin-1", "replace")
    if kind == "header" and raw:
        return _Source(raw.lower(), b"", _whole, False)
    if kind == "query" and raw:
        return _Source(_QUERY, raw, query_values, False)
    if kind == "cookie" and raw:
        return _Source(b"cookie", raw, _cookie, True)
    if kind == "baggage" and raw:
        return _Source(b"baggage", raw, _baggage, False, is_callers=True)
    if source == "user":
        return _Source(_NO_HEADER, b"", _whole, True)
    if source == "bearer":
        return _Source(b"authorization", b"", _bearer, True)
    raise ValueError(f"session_sources has {source!r}; {_RULE}")


class SessionResolver:
    """
    The sources of session ids, prepared once, and read for each request.

    :param sources: in order of rank, each ``header:NAME``, ``query:NAME``, ``cookie:NAME``,
        ``baggage:NAME``, ``user`` or ``bearer``.
    :param digest_key: at most 64 bytes that key the digests of cookies, users and bearer tokens.
    :param parse: returns the id in a client's bytes, or None when it must not be used.
    :raises ValueError: for a source that is none of these, or a key that is too long.

    ``names`` are the sources as given, ``is_keyed`` is whether digests have a key, ``header_names``
    are the headers that are read, ``lowest_rank`` is the rank of a session without a source, and
    ``user_rank`` is the rank of ``user``, or -1 where it is no source.
    """

    def __init__(
        self,
        sources: Iterable[str] = DEFAULT_SESSION_SOURCES,
        *,
        digest_key: bytes = b"",
        parse: Callable[[bytes], str | None] = parse_id,
    ) -> None:
        if isinstance(sources, str) or not isinstance(sources, Iterable):
            example = sources if isinstance(sources, str) else "bearer"
            raise ValueError(
                f"session_sources is {sources!r}; expected a sequence of sources, such as ({example!r},)"
            )
        if len(digest_key) > 64:
            raise ValueError(
                f"digest_key has {len(digest_key)} bytes; expected at most 64; hash a longer one first"
            )
        self.names = tuple(sources)
        self.is_keyed = bool(digest_key)
        self._sources = tuple(_parse_source(source) for source in self.names)
        self.lowest_rank = len(self._sources)
        self._digest = secret_digest(digest_key)
        self._parse = parse
        self._by_header: dict[bytes, list[_Prepared]] = {}
        for rank, source in enumerate(self._sources):
            header, name, read, is_secret, is_callers = source
            id_of = self._digest if is_secret else parse
            prepared = rank, header, name, read, id_of, is_callers
            self._by_header.setdefault(header, []).append(prepared)
        self.header_names = self._by_header.keys() - {_QUERY, _NO_HEADER}
        self._parameters = [source.name for source in self._sources if source.header == _QUERY]
        self.user_rank = self._rank_of(lambda source: source.header == _NO_HEADER)

    def may_be_in(self, query_string: bytes) -> bool:
        """Whether *query_string* has the name of a parameter that is a source."""
        return any(query_string.find(name) >= 0 for name in self._parameters)

    def is_secret(self, rank: int) -> bool:
        """Whether the source of *rank* is a secret; the session id is then its digest."""
        return 0 <= rank < len(self._sources) and self._sources[rank].secret

    def resolve(
        self,
        headers: Mapping[bytes, Iterable[bytes]],
        query_string: bytes,
        is_trusted: bool = True,
    ) -> tuple[str | None, int]:
        """
        Return the session id of a request and the rank of its source: 0 outranks 1.

        An invalid value is skipped. Without a valid one: None, and the lowest rank.

        :param headers: the values of each header, by its name in lower case; those that are not in
            ``header_names`` are not read.
        :param is_trusted: whether the caller's baggage is used.
        """
        if query_string:
            headers = {**headers, _QUERY: (query_string,)}
        present: list[_Prepared] = []
        for header in headers:
            if header in self._by_header:
                present += self._by_header[header]
        if len(present) > 1:
            present.sort()  # by rank
        for rank, header, name, read, id_of, is_callers in present:
            if is_callers and not is_trusted:
                continue
            for value in headers[header]:
                for candidate in read(value, name):
                    session_id = id_of(candidate) if candidate else None
                    if session_id is not None:
                        return session_id, rank
        return None, self.lowest_rank

    def user_session(self, user: object) -> str | None:
        """Return the digest of the id of *user*, from an ASGI scope; None without an id."""
        if getattr(user, "is_authenticated", True) is False:
            return None
        for path in _USER_IDS:
            value = _value_at(user, path)
            if isinstance(value, str | int) and value != "":
                return self._digest(str(value).encode("utf-8", "surrogatepass"))
        return None

    def rank_of_header(self, name: bytes) -> int:
        """
        Return the rank of the header *name* (lower case) as a source; -1 where it is none.
        """
        return self._rank_of(lambda source: source.header == name and source.read is _whole)

    def rank_of_query(self, name: bytes) -> int:
        """Return the rank of the query parameter *name* as a source; -1 where it is none."""
        return self._rank_of(lambda source: source.read is query_values and source.name == name)

    def _rank_of(self, is_wanted: Callable[[_Source], bool]) -> int:
        return next((rank for rank, source in enumerate(self._sources) if is_wanted(source)), -1)


def _value_at(value: Any, path: tuple[str, ...]) -> object:
    try:
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    except Exception:  # from the object's own code: an identity that is not implemented, for one
        return None
    return value
