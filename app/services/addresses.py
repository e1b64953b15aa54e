"""Which network addresses the service may fetch from when a user names a URL: public ones, and those that are allowed.

A name is resolved here and the connection goes to the very addresses that were checked, so that a second, different
answer of a name server (DNS rebinding) changes nothing.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What `is_global` of this Python still calls global, by IANA's registries of special-purpose addresses.
SPECIAL: Final = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "64:ff9b:1::/48", "3fff::/20", "5f00::/16"))
)
NAT64: Final = IPv6Network("64:ff9b::/96")


class PrivateAddress(OSError):
    """A host that has an address nobody may fetch from. The address is not told: it is a fact of the inner network."""


class CheckedResolver(AbstractResolver):
    """Resolves by the system; a host of which one address is refused is refused whole."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        hosts = list(dict.fromkeys(str(address[0]) for *_, address in found))
        for text in hosts:
            check_address(text, self._allowed)
        return [_result(host, text, port) for text in hosts]

    async def close(self) -> None:
        return None


def check_address(text: str, allowed: Sequence[Network]) -> None:
    """Raises PrivateAddress for what is neither public nor allowed. A name is no address: it passes."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return
    if not is_public(address) and not any(address in network for network in allowed):
        raise PrivateAddress


def is_public(address: Address) -> bool:
    """Whether it belongs to the public internet; one that carries an IPv4 address is as public as that one."""
    if isinstance(address, IPv6Address) and (inner := _embedded(address)) is not None:
        return is_public(inner)
    special = any(address in network for network in SPECIAL)
    return address.is_global and not address.is_multicast and not special


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _result(host: str, text: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=text, port=port, family=family, proto=0, flags=flags)
