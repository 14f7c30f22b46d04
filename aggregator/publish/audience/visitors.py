"""Visitors counted today, as hashes with a key that changes every day, and limits of views for each network."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from socket import AF_INET, inet_pton
from typing import Protocol
from urllib.parse import urlsplit

from aggregator.errors import StoreError, StoreUnavailable
from aggregator.store import ReadingStore

#: stands for the address of whoever connects by a unix socket
UNIX_PEER = "unix"
#: bytes of a visitor: 8 for who it is, 4 for the address, 4 for the network; all keyed, all together with the item
VISITOR_BYTES = 16
KEY_BYTES = 32


def day_start(day: date) -> datetime:
    """Midnight UTC, at which a day of counting begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def visitor_hash(key: bytes, *, address: Address | None, user_agent: str, item_id: str) -> bytes:
    """A visitor of one item: the same reader of another item, or on another day, is somebody else.

    The three parts allow ceilings to be rebuilt from the hashes alone after a restart, and say nothing without the key.
    """
    who = reader_hash(key, address=address, user_agent=user_agent, item_id=item_id)
    return visitor_of(who, key, address=address, item_id=item_id)


def visitor_of(who: bytes, key: bytes, *, address: Address | None, item_id: str) -> bytes:
    """The visitor whose `reader_hash` is known."""
    host, network, item = host_prefix(address), network_prefix(address), item_id.encode()
    return who + _mac(key, b"host", item, host)[:4] + _mac(key, b"network", item, network)[:4]


def reader_hash(key: bytes, *, address: Address | None, user_agent: str, item_id: str) -> bytes:
    """The first part alone: enough to know somebody again, and most who open an item have opened it before."""
    agent = user_agent.encode("utf-8", "surrogatepass")
    return _mac(key, b"who", item_id.encode(), host_prefix(address).hex().encode(), agent)[:8]


def _mac(key: bytes, *parts: bytes) -> bytes:
    # Keyed BLAKE2 is a MAC of its own (RFC 7693, 2.9), at half the price of HMAC with SHA-256. Only the last part may
    # contain a zero byte, so that no two lists of parts are one text.
    return blake2b(b"\0".join(parts), key=key, digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """How many different visitors of one item are believed in a day."""

    #: of one address (IPv6: one /64)
    per_host: int
    #: of one IPv4 /24 or IPv6 /48
    per_network: int


class Ledger:
    """The visitors of one day, in memory: about 300 bytes each."""

    def __init__(self, ceilings: Ceilings) -> None:
        self._ceilings = ceilings
        self._seen: set[bytes] = set()
        self._hosts: Counter[bytes] = Counter()
        self._networks: Counter[bytes] = Counter()

    def seen(self, visitor: bytes) -> bool:
        """Whether this visitor has been counted; their `reader_hash` is enough."""
        return visitor[:8] in self._seen

    def full(self, visitor: bytes) -> bool:
        """Whether their address or network has given all that is believed."""
        return (
            self._hosts[visitor[8:12]] >= self._ceilings.per_host
            or self._networks[visitor[12:16]] >= self._ceilings.per_network
        )

    def add(self, visitor: bytes) -> None:
        """Counts a visitor; a second time changes nothing."""
        if not self.seen(visitor):
            self._seen.add(visitor[:8])
            self._hosts[visitor[8:12]] += 1
            self._networks[visitor[12:16]] += 1

    def remove(self, visitor: bytes) -> None:
        """Takes back an `add` that could not be recorded."""
        self._seen.discard(visitor[:8])
        self._hosts[visitor[8:12]] -= 1
        self._networks[visitor[12:16]] -= 1


class Keys(Protocol):
    """The random keys that visitors are hashed with."""

    def permanent(self, name: str) -> bytes:
        """A key that stays: made the first time it is asked for. Raises StoreUnavailable where it cannot be kept."""

    def of_day(self, day: date) -> bytes:
        """The key of one day."""

    def destroy_all_but(self, day: date) -> None:
        """Destroys the keys of former days."""


class SharedKeyRing:
    """The keys in the store, for servers on several machines: whoever asks first makes a key, all others read it."""

    _DAY = "visitors/key/"

    def __init__(self, store: ReadingStore) -> None:
        self._store = store
        #: keys of days, so that a view asks the store for one once a day
        self._held: dict[date, bytes] = {}

    def permanent(self, name: str) -> bytes:
        """A key that stays. Raises StoreError."""
        return bytes.fromhex(self._store.mint(f"key/{name}", secrets.token_hex(KEY_BYTES)))

    def of_day(self, day: date) -> bytes:
        """The key of one day; one of our own where the store cannot be reached: a view must not fail for it."""
        if day not in self._held:
            key = secrets.token_bytes(KEY_BYTES)
            with contextlib.suppress(StoreError):
                key = bytes.fromhex(self._store.mint(f"{self._DAY}{day.isoformat()}", key.hex()))
            self._held[day] = key
        return self._held[day]

    def destroy_all_but(self, day: date) -> None:
        """Destroys the keys of former days, here and in the store, and has the next one before it is needed.

        The key of a later day is another server's whose clock is ahead.
        """
        for held in [one for one in self._held if one < day]:
            del self._held[held]
        former = f"{self._DAY}{day.isoformat()}"
        self._store.unmint([name for name, _ in self._store.minted(self._DAY, limit=0) if name < former])
        self.of_day(day + timedelta(days=1))


class KeyRing:
    """The random keys in the state directory, readable by their owner only."""

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir
        #: keys of days that the disk did not take yet
        self._held: dict[Path, bytes] = {}

    def permanent(self, name: str) -> bytes:
        """A key that stays: made the first time it is asked for. Raises StoreUnavailable where it cannot be kept."""
        path = self._dir / f"{name}.key"
        try:
            return self._load(path)
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror or error}") from error

    def of_day(self, day: date) -> bytes:
        """The key of one day; in memory while the disk takes no files: a view must not fail for it."""
        path = self.day_file(day, "key")
        try:
            return self._load(path, self._held.get(path))
        except OSError:
            return self._held.setdefault(path, secrets.token_bytes(KEY_BYTES))

    def day_file(self, day: date, suffix: str) -> Path:
        """Where something that is destroyed after `day` is kept."""
        return self._dir / f"visitors-{day.isoformat()}.{suffix}"

    def destroy_all_but(self, day: date) -> None:
        """Removes every file of another day."""
        for path in self._dir.glob("visitors-*.*"):
            if not path.name.startswith(f"visitors-{day.isoformat()}."):
                path.unlink(missing_ok=True)

    def _load(self, path: Path, new: bytes | None = None) -> bytes:
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = b""
        return key if len(key) == KEY_BYTES else self._make(path, new, replace=bool(key))

    def _make(self, path: Path, new: bytes | None, *, replace: bool) -> bytes:
        """Writes a new key whole or not at all; if another process was first, its key is the one that counts."""
        key = new or secrets.token_bytes(KEY_BYTES)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        append_private(draft, key, sync=True)
        try:
            if replace:
                draft.replace(path)
                return key
            os.link(draft, path)
        except FileExistsError:
            return path.read_bytes()
        finally:
            draft.unlink(missing_ok=True)
        return key


def append_private(path: Path, data: bytes, *, sync: bool) -> None:
    """Appends to a file that only its owner may read, durably if asked."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: a proxy in front asks for everybody, and a reader for several things at once
_REMEMBERED = 256


class Proxies:
    """The proxies whose ``X-Forwarded-For`` is believed. ValueError for what is no address, network or ``unix``."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusts_unix = UNIX_PEER in trusted
        self._trusted = tuple(ip_network(text, strict=False) for text in trusted if text != UNIX_PEER)
        self._trusts = lru_cache(_REMEMBERED)(self._is_among_them)

    def client(self, peer: str, forwarded_for: str) -> Address | None:
        """The rightmost address of the chain that is not a trusted proxy; None where there is none to be read.

        What stands further left was written by somebody who is not trusted, so it is never looked at.
        """
        client = parse_address(peer)
        is_trusted = self._trusts_unix if peer == UNIX_PEER else client is not None and self._trusts(client)
        for hop in _hops(forwarded_for) if is_trusted else ():
            if hop is None:
                return client
            client = hop
            if not self._trusts(client):
                return client
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


NAME = "visitor"
#: browsers keep no cookie for longer (RFC 6265bis, section 5.5)
MAX_AGE_S = 400 * 24 * 3600
ID_BYTES, SIGNATURE_BYTES = 16, 16


def new_visitor() -> bytes:
    """A visitor nobody has seen."""
    return secrets.token_bytes(ID_BYTES)


def liker(visitor: bytes) -> bytes:
    """Under which a visitor's likes are stored: the store's file does not hold the number that the cookie holds."""
    return hashlib.sha256(b"like\0" + visitor).digest()[:16]


def read_cookie(key: bytes, header: str) -> bytes | None:
    """The visitor in a ``Cookie`` header; None without one that is signed by us.

    The header is split by hand: other applications on the host set cookies that are none by RFC 6265, and a parser that
    insists on it drops all that stand behind.
    """
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == NAME and (visitor := _verified(key, value.strip().strip('"'))) is not None:
            return visitor
    return None


def _verified(key: bytes, value: str) -> bytes | None:
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    visitor, signature = raw[:ID_BYTES], raw[ID_BYTES:]
    if len(raw) != ID_BYTES + SIGNATURE_BYTES or not hmac.compare_digest(signature, _sign(key, visitor)):
        return None
    return visitor


def write_cookie(key: bytes, visitor: bytes, *, site_url: str) -> str:
    """The ``Set-Cookie`` header's value. SameSite=Strict: other sites' forms arrive without it."""
    value = base64.urlsafe_b64encode(visitor + _sign(key, visitor)).decode().rstrip("=")
    parts = urlsplit(site_url)
    path = parts.path.rstrip("/") + "/"
    secure = "; Secure" if parts.scheme == "https" else ""
    return f"{NAME}={value}; Path={path}; Max-Age={MAX_AGE_S}; HttpOnly; SameSite=Strict{secure}"


def _sign(key: bytes, visitor: bytes) -> bytes:
    return hmac.digest(key, visitor, "sha256")[:SIGNATURE_BYTES]
