"""Whose request is it? The client's address behind proxies that are trusted, and the network it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_pton

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: a proxy in front asks for everybody, and a reader for several things at once
_REMEMBERED = 256


class Proxies:
    """The proxies whose ``X-Forwarded-For`` is believed. ValueError for what is neither address nor network."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = tuple(ip_network(text, strict=False) for text in trusted)
        self._trusts = lru_cache(_REMEMBERED)(self._is_among_them)

    def client(self, peer: str, forwarded_for: str) -> Address | None:
        """The rightmost address of the chain that is not a trusted proxy; None where there is none to be read.

        What stands further left was written by somebody who is not trusted, so it is never looked at.
        """
        client = parse_address(peer)
        for hop in _hops(forwarded_for):
            if client is None or not self._trusts(client):
                return client
            if hop is None:
                return client
            client = hop
        return client

    def _is_among_them(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _hops(forwarded_for: str) -> Iterator[Address | None]:
    """The addresses of the header from right to left; None for one that is not an address."""
    for part in reversed(forwarded_for.split(",")):
        if part.strip():
            yield parse_address(part)


@lru_cache(_REMEMBERED)
def parse_address(text: str) -> Address | None:
    """``192.0.2.1``, ``192.0.2.1:80``, ``[2001:db8::1]:80``, ``fe80::1%eth0``; IPv4 in IPv6 becomes IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return IPv4Address(inet_pton(AF_INET, text))  # what nearly all are, at a third of the price
    except (OSError, ValueError):
        pass
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def host_prefix(address: Address | None) -> bytes:
    """What counts as one client: an IPv4 address, or the /64 that one household has of IPv6; b"" for nobody known."""
    return b"" if address is None else address.packed[:8]


def network_prefix(address: Address | None) -> bytes:
    """What counts as one network, for ceilings: an IPv4 /24, an IPv6 /48; b"" for nobody known."""
    return b"" if address is None else address.packed[: 3 if address.version == 4 else 6]
