"""Which addresses may be dialled: only those that anybody on the internet could reach.

A feed, a redirect or a DNS answer is written by a stranger. What it names is dialled only if it is globally routable
or in a network that the operator allows by name (``[polling] allow_private_addresses``). The decision is made on the
numeric address that is about to be connected to, so that no second DNS answer can come in between.

The tables follow the IANA special-purpose registries (RFC 6890 and its updates). `ipaddress.is_global` is not used:
its answer changed between Python versions for 6to4, NAT64, 192.0.0.0/24 and multicast.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from aggregator.errors import FetchError

__all__ = ["Guard", "is_private", "is_private_url"]

#: globally routable by their number, and answered within a cloud only, by what configures its machines: Azure's wire
#: server, IBM Cloud's service networks, Google's private access. All other clouds use link-local and private addresses
_CLOUD = "a service address within a cloud"
_CLOUD_V4 = ("168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14", "199.36.153.4/30", "199.36.153.8/30")
_CLOUD_V6 = ("2600:2d00:2:1000::/64", "2600:2d00:2:2000::/64")

_REFUSED_V4: Sequence[tuple[IPv4Network, str]] = [
    (IPv4Network(network), why)
    for network, why in [
        ("0.0.0.0/8", "an address of no network"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a provider's internal address"),
        *((network, _CLOUD) for network in _CLOUD_V4),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.52.193.0/24", "a multicast relay"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "reserved"),
    ]
]

#: the only part of IPv6 that is handed out for global use
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6: Sequence[tuple[IPv6Network, str]] = [
    (IPv6Network(network), why)
    for network, why in [
        *((network, _CLOUD) for network in _CLOUD_V6),
        ("::1/128", "a loopback address"),
        ("::ffff:0:0/96", "an IPv4 address inside IPv6"),
        ("::/96", "an IPv4 address inside IPv6"),
        ("64:ff9b::/96", "an IPv4 address inside IPv6 (NAT64)"),
        ("64:ff9b:1::/48", "an IPv4 address inside IPv6 (NAT64)"),
        ("2001::/32", "an IPv4 address inside IPv6 (Teredo)"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "reserved for documentation"),
        ("2002::/16", "an IPv4 address inside IPv6 (6to4)"),
        ("3fff::/20", "reserved for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
    ]
]

#: the first half of an interface identifier that ends with an IPv4 address, whatever the network (RFC 5214 6.1)
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})

#: what was said of that many addresses is kept: a poll asks about the same one several times
_REMEMBERED = 1024
#: below 1024 nothing but the web is dialled; above, not where other protocols are spoken that a request line could
#: reach: the Fetch standard's "bad ports", databases, queues, container engines, displays
_WEB_PORTS = frozenset({80, 443})
_SERVICE_PORTS = frozenset(
    {1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 4369, 5060, 5061}
    | {5432, 5672, 5984, 6379, 6380, 6566, 6679, 6697, 9042, 9160, 9200, 9300, 10080, 10250, 11211, 26379}
    | set(range(5900, 5911))
    | set(range(6000, 6064))
    | set(range(6665, 6670))
    | set(range(27017, 27020))
)


#: ends of names that lead nowhere from outside
_HOME_NETWORKS = (".localhost", ".local", ".lan", ".internal", ".home.arpa")


class Guard:
    """Decides which addresses and ports may be dialled.

    `allow` are networks (``127.0.0.1/32``, ``10.0.0.0/8``) that are dialled although they are not public. ValueError
    for one that is not a network.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        allowed = tuple(ip_network(network, strict=False) for network in allow)
        # each is asked about when its name is resolved and again when it is dialled
        self._judge = lru_cache(maxsize=_REMEMBERED)(partial(_refused, allowed))

    def refuses(self, address: str) -> str | None:
        """Why this numeric address is not dialled, in words; None: it may be."""
        return self._judge(address)

    def refuses_port(self, port: int) -> str | None:
        """Why this port is not dialled, in words; None: it may be. Allowed networks change nothing here."""
        if port in _WEB_PORTS:
            return None
        if not 1024 <= port <= 65535:
            return "not a port of the web"
        return "another service's" if port in _SERVICE_PORTS else None

    def check(self, address: str) -> None:
        """Raises FetchError ``blocked-address`` if this numeric address may not be dialled."""
        if why := self.refuses(address):
            raise FetchError(
                "blocked-address",
                f"blocked: {address} is {why}. If the feed is on your own network, add the address to [polling] "
                f"allow_private_addresses",
                permanent=True,
            )

    def check_port(self, port: int) -> None:
        """Raises FetchError ``blocked-port`` if this port may not be dialled."""
        if why := self.refuses_port(port):
            raise FetchError("blocked-port", f"blocked: port {port} is {why}", permanent=True)


@lru_cache(maxsize=4096)  # asked at every poll
def is_private(host: str) -> bool:
    """Whether a host is written as those of one's own network are.

    A numeric address that is not public, a name without a dot, or one under an end that leads nowhere from outside
    (RFC 6761, 6762, 8375).
    """
    name = host.rstrip(".").lower()
    if (ip := _numeric(name.partition("%")[0])) is not None:
        return _special_use(ip) is not None
    return "." not in name or name.endswith(_HOME_NETWORKS)


def is_private_url(url: str) -> bool:
    """Whether the host in an address is so. Raises ValueError for what is none."""
    return is_private(urlsplit(url).hostname or "")


@lru_cache(maxsize=_REMEMBERED)
def _numeric(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _refused(allowed: Sequence[IPv4Network | IPv6Network], address: str) -> str | None:
    ip = _numeric(address.partition("%")[0])
    if ip is None:
        return "not a numeric address"
    return None if any(ip in network for network in allowed) else _special_use(ip)


def _special_use(ip: IPv4Address | IPv6Address) -> str | None:
    if isinstance(ip, IPv4Address):
        return next((why for network, why in _REFUSED_V4 if ip in network), None)
    named = next((why for network, why in _REFUSED_V6 if ip in network), None)
    if named is None and (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP:
        named = "an IPv4 address inside IPv6 (ISATAP)"
    return named or (None if ip in _GLOBAL_V6 else "reserved")
