"""
Networks of proxies: whether a client is one of those whose headers are believed.

Knows addresses. Does not know scopes, headers or ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

__all__ = ("UNIX", "TrustedNetworks")

UNIX = "unix"
"""Stands for clients without an address: those of a Unix socket."""

# Proxies are few. Strangers are many, and must not fill the memory.
_REMEMBERED = 256


class TrustedNetworks:
    """
    The networks whose clients are believed, parsed once.

    :param networks: ``10.0.0.0/8``, ``fd00::/8``, single addresses, and ``unix``.
    :raises ValueError: for one that is none of these.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        from ipaddress import ip_network  # 2 ms, which a shim without networks does not need

        found: list[IPv4Network | IPv6Network] = []
        names = list(networks)
        for name in names:
            try:
                if name != UNIX:
                    found.append(ip_network(name if isinstance(name, str) else ""))
            except ValueError:
                told = (
                    f"trust_inbound has {name!r}; expected a network, such as '10.0.0.0/8' without bits behind the mask"
                )
                raise ValueError(f"{told}, an address, or 'unix'") from None
        self._unix = UNIX in names
        self._networks = tuple(found)
        self._trusts = lru_cache(_REMEMBERED)(self._contain)

    def trust(self, client: Any) -> bool:
        """Whether *client*, as an ASGI scope names it, is in one of the networks."""
        host = client[0] if client else None
        return self._trusts(host) if host else self._unix

    def _contain(self, host: str) -> bool:
        from ipaddress import IPv6Address, ip_address

        try:
            address = ip_address(host)
        except ValueError:  # a name, which anybody may have given
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:  # what a socket for both families says of IPv4
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
