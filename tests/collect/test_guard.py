from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect.guard import Guard, is_private
from aggregator.errors import FetchError

PUBLIC = [
    "1.1.1.1",
    "168.63.129.15",
    "168.63.129.17",
    "161.27.0.1",
    "166.12.0.1",
    "199.36.153.12",
    "8.8.8.8",
    "151.101.0.81",
    "223.255.255.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
]
SPECIAL = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:7f00:1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1"),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1"),
    *("168.63.129.16", "161.26.0.10", "166.9.14.2", "199.36.153.5", "199.36.153.11", "100.100.100.200", "192.0.0.192"),
    *("fd00:ec2::254", "fd20:ce::254", "2600:2d00:2:1000::1", "2a00:1450:4001::5efe:7f00:1", "2a00::200:5efe:a00:1"),
    *("fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1"),
]


@pytest.mark.parametrize("host", ["nas", "nas.", "NAS.local", "x.home.arpa.", "a.localhost", *SPECIAL])
def test_hosts_of_ones_own_network(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", ["a.example", "a.example.", "local.example", "1.example", *PUBLIC])
def test_hosts_of_the_web(host: str) -> None:
    assert not is_private(host)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_dialled(address: str) -> None:
    assert Guard().refuses(address) is None


@pytest.mark.parametrize("address", SPECIAL)
def test_everything_else_is_refused_with_a_reason(address: str) -> None:
    assert Guard().refuses(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2852039166", "127.0.0.1 ", "[::1]"])
def test_what_is_not_a_numeric_address_is_refused(text: str) -> None:
    assert Guard().refuses(text)


def test_allowed_networks_are_dialled_and_no_more() -> None:
    guard = Guard(["127.0.0.1/32", "fd00::/8"])
    assert guard.refuses("127.0.0.1") is None
    assert guard.refuses("fd00::5") is None
    assert guard.refuses("127.0.0.2")
    assert guard.refuses("::ffff:127.0.0.1")


@pytest.mark.parametrize("port", [80, 443, 8080, 8443, 3000, 65535])
def test_ports_of_the_web(port: int) -> None:
    assert Guard().refuses_port(port) is None


@pytest.mark.parametrize("port", [0, -1, 21, 22, 25, 53, 445, 993, 3306, 5432, 6000, 6379, 11211, 27017, 99999])
def test_ports_of_other_services(port: int) -> None:
    assert Guard(["0.0.0.0/0"]).refuses_port(port)


def test_errors_carry_stable_codes_and_are_permanent() -> None:
    with pytest.raises(FetchError, match="allow_private_addresses") as blocked:
        Guard().check("10.0.0.1")
    assert (blocked.value.code, blocked.value.permanent) == ("blocked-address", True)
    with pytest.raises(FetchError) as port:
        Guard().check_port(25)
    assert port.value.code == "blocked-port"


@given(st.integers(0, 2**32 - 1))
def test_never_dials_what_ipaddress_calls_private(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    refused = Guard().refuses(str(address)) is not None
    assert refused or not (address.is_private or address.is_multicast or address.is_reserved)


@given(st.integers(0, 2**32 - 1))
def test_ipv4_inside_ipv6_is_never_dialled(number: int) -> None:
    packed = number.to_bytes(4, "big")
    mapped = socket.inet_ntop(socket.AF_INET6, b"\0" * 10 + b"\xff\xff" + packed)
    compatible = socket.inet_ntop(socket.AF_INET6, b"\0" * 12 + packed)
    nat64 = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + number))
    six_to_four = socket.inet_ntop(socket.AF_INET6, b"\x20\x02" + packed + b"\0" * 10)
    assert all(Guard().refuses(form) for form in (mapped, compatible, nat64, six_to_four))
