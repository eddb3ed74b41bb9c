"""
Client addresses, as an ASGI scope names them, and the networks of trusted proxies.

This module works on addresses. It does not read scopes, headers or ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

__all__ = ("UNIX", "TrustedNetworks", "client_host")

UNIX = "unix"
"""The name, in a list of networks, for the clients of a Unix socket, which have no address."""

# The client of a Unix socket is None under uvicorn, hypercorn, daphne and gunicorn. Granian gives
# ("", "0"). ASGI says nothing about it: https://asgi.readthedocs.io/en/latest/specs/www.html
_NO_PORTS = (0, "0", None)

# Proxies are few. Other clients are many, and must not fill the memory.
_REMEMBERED = 256


class TrustedNetworks:
    """
    The networks of trusted clients, parsed once.

    :param networks: ``10.0.0.0/8``, ``fd00::/8``, single addresses, and ``unix``.
    :raises ValueError: for one that is none of these.

    ``networks`` are the parsed networks, without ``unix``.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        from ipaddress import ip_network  # 2 ms, which a shim without networks does not need

        parsed: list[IPv4Network | IPv6Network] = []
        names = list(networks)
        for name in names:
            try:
                if name != UNIX:
                    parsed.append(ip_network(name if isinstance(name, str) else ""))
            except ValueError:
                rule = "expected a network, such as '10.0.0.0/8' without bits behind the mask"
                raise ValueError(
                    f"trust_inbound has {name!r}; {rule}, an address, or 'unix'"
                ) from None
        self._unix = UNIX in names
        self.networks = tuple(parsed)
        self._trusts = lru_cache(_REMEMBERED)(self._contain)

    def trust(self, client: Any) -> bool:
        """Return whether *client*, the value of an ASGI scope, is in one of the networks."""
        if client is None:
            return self._unix
        host = client_host(client)
        if host is None:
            return False
        if host:
            return self._trusts(host)
        return self._unix and len(client) == 2 and client[1] in _NO_PORTS

    def _contain(self, host: str) -> bool:
        from ipaddress import IPv6Address, ip_address

        try:
            address = ip_address(host)
        except ValueError:  # not an address but a name, which anybody may have chosen
            return False
        # The form of an IPv4 client on a socket for both families.
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


def client_host(client: Any) -> str | None:
    """Return the host of *client*, the value of an ASGI scope, if it is text, else None."""
    if not isinstance(client, (tuple, list)) or not client:
        return None
    host = client[0]
    return host if isinstance(host, str) else None
