"""Who has been counted today: hashes that mean nothing tomorrow, and ceilings on what one network may give."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import blake2b
from pathlib import Path

from aggregator.publish.audience.address import Address, host_prefix, network_prefix

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


class KeyRing:
    """The random keys in the state directory, readable by their owner only."""

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir

    def permanent(self, name: str) -> bytes:
        """A key that stays: made the first time it is asked for."""
        return self._load(self._dir / f"{name}.key")

    def of_day(self, day: date) -> bytes:
        """The key of one day."""
        return self._load(self.day_file(day, "key"))

    def day_file(self, day: date, suffix: str) -> Path:
        """Where something that is destroyed after `day` is kept."""
        return self._dir / f"visitors-{day.isoformat()}.{suffix}"

    def destroy_all_but(self, day: date) -> None:
        """Removes every file of another day."""
        for path in self._dir.glob("visitors-*.*"):
            if not path.name.startswith(f"visitors-{day.isoformat()}."):
                path.unlink(missing_ok=True)

    def _load(self, path: Path) -> bytes:
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = b""
        return key if len(key) == KEY_BYTES else self._make(path, replace=bool(key))

    def _make(self, path: Path, *, replace: bool) -> bytes:
        """Writes a new key whole or not at all; if another process was first, its key is the one that counts."""
        key = secrets.token_bytes(KEY_BYTES)
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
