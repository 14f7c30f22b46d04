"""Leases of roles with fencing tokens, and the list of processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from aggregator.errors import LostRole
from aggregator.model import AddressSlot, LeftSlot, Process, SharedDocument
from aggregator.store.sql import codec
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import Connection, Engine

__all__ = ["Fence", "Fleet"]

T = TypeVar("T")

#: a role, its holder, and the token under which it was taken
Fence = tuple[str, str, int]

#: a process that has not been heard of for so long is forgotten
FORGOTTEN_MS = 86_400_000
#: takes the role where nobody has it, its lease has ended, or it is ours; a new holder gets a new token
_HOLD = """
INSERT INTO roles(name, holder, token, until) VALUES (?, ?, 1, ?)
ON CONFLICT(name) DO UPDATE SET until = excluded.until, holder = excluded.holder,
    token = CASE WHEN roles.holder = excluded.holder THEN roles.token ELSE roles.token + 1 END
WHERE roles.holder = excluded.holder OR roles.until <= ?
RETURNING token
"""
_IS_HELD = "SELECT 1 FROM roles WHERE name = ? AND holder = ? AND token = ?"
_REPORT = """
INSERT INTO processes(id, roles, host, version, started, seen) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT(id) DO UPDATE SET roles = excluded.roles, host = excluded.host, version = excluded.version,
    started = excluded.started, seen = excluded.seen
"""
_PROCESSES = """
SELECT p.id, p.roles, p.host, p.version, p.started, p.seen, r.name AS held
FROM processes p LEFT JOIN roles r ON r.holder = p.id AND r.until >= p.seen ORDER BY p.id, r.name
"""
#: takes the slots that are free, in one order, so that no two processes wait for each other's
_TAKE_SLOTS = """
INSERT INTO address_slots(address, token, held_until, free_at)
SELECT value, 1, CAST(:until AS bigint), 0 FROM json_each(:addresses) WHERE TRUE
ON CONFLICT(address) DO UPDATE SET token = address_slots.token + 1, held_until = excluded.held_until
WHERE address_slots.held_until <= :now AND address_slots.free_at <= :now
RETURNING address, token
"""
_SLOTS_FREE_AT = """
SELECT address, greatest(held_until, free_at) FROM address_slots
WHERE address IN (SELECT value FROM json_each(?))
"""
_FORGET_SLOTS = "DELETE FROM address_slots WHERE greatest(free_at, held_until) < ?"
_LEAVE_SLOT = "UPDATE address_slots SET held_until = 0, free_at = ? WHERE address = ? AND token = ?"
_PUT_DOCUMENT = """
INSERT INTO documents(name, version, document, at) SELECT :name, 1, :text, CAST(:now AS bigint)
WHERE CAST(:expected AS bigint) IS NULL OR :expected = 0 OR EXISTS (SELECT 1 FROM documents WHERE name = :name)
ON CONFLICT(name) DO UPDATE SET version = documents.version + 1, document = excluded.document, at = excluded.at
WHERE CAST(:expected AS bigint) IS NULL OR documents.version = :expected
RETURNING version
"""
#: an address that was not asked for so long is forgotten
SLOT_FORGOTTEN_MS = 3_600_000


class Fleet:
    """`FleetStore`, and the fence around what a role writes."""

    _engine: Engine
    #: the roles that this store holds; None: it has never held one, and nobody else writes
    _fence: Fence | None = None

    def server_time(self, *, now: datetime) -> datetime:
        """The time of the server's clock, where the engine has a server; else `now`."""
        now_ms = codec.to_ms(now)
        return codec.from_ms(self._engine.read(lambda connection: connection.now_ms(now_ms)))

    def hold_role(self, role: str, *, holder: str, lease: timedelta, now: datetime) -> bool:
        """Takes a role that nobody holds, or renews it; False while somebody else holds it."""
        token = self._hold(role, holder, lease, now)
        self._fence = (role, holder, token or 0)
        return token is not None

    def hold_lease(self, name: str, *, holder: str, lease: timedelta, now: datetime) -> bool:
        """As `hold_role`, without a fence."""
        return self._hold(name, holder, lease, now) is not None

    def _hold(self, name: str, holder: str, lease: timedelta, now: datetime) -> int | None:
        """The fencing token; None while somebody else holds it."""

        def run(connection: Connection) -> int | None:
            now_ms = connection.now_ms(codec.to_ms(now))
            asked = (name, holder, now_ms + (codec.span_ms(lease) or 0), now_ms)
            row = connection.execute(_HOLD, asked).fetchone()
            return None if row is None else int(row[0])

        return self._engine.write(run)

    def release_role(self, role: str, *, holder: str) -> None:
        """Gives a role back at once."""
        query = "UPDATE roles SET until = 0, holder = '' WHERE name = ? AND holder = ?"
        self._engine.write(lambda connection: connection.execute(query, (role, holder)))

    def report_process(self, process: Process, *, now: datetime) -> None:
        """Notes that a process lives and what it does."""

        def run(connection: Connection) -> None:
            now_ms = connection.now_ms(codec.to_ms(now))
            roles, started = json.dumps(process.roles), codec.to_ms(process.started)
            connection.execute(_REPORT, (process.id, roles, process.host, process.version, started, now_ms))
            connection.execute("DELETE FROM processes WHERE seen < ?", (now_ms - FORGOTTEN_MS,))
            connection.execute(_FORGET_SLOTS, (now_ms - SLOT_FORGOTTEN_MS,))

        self._engine.write(run, lasting=False)

    def remove_process(self, process_id: str) -> None:
        """Forgets a process that has ended."""
        self._engine.write(lambda connection: connection.execute("DELETE FROM processes WHERE id = ?", (process_id,)))

    def processes(self) -> Sequence[Process]:
        """The processes that were heard of, by id, with the roles that they hold by lease."""
        rows = self._engine.read(lambda connection: connection.execute(_PROCESSES).fetchall())
        holds: dict[str, list[str]] = {}
        for row in rows:
            holds.setdefault(row["id"], []).extend([row["held"]] if row["held"] else [])
        return [
            Process(
                id=row["id"],
                roles=tuple(json.loads(row["roles"])),
                host=row["host"],
                version=row["version"],
                started=codec.from_ms(row["started"]),
                seen=codec.from_ms(row["seen"]),
                holds=tuple(holds[row["id"]]),
            )
            for row in {row["id"]: row for row in rows}.values()
        ]

    def exchange_slots(
        self, *, take: Collection[str], leave: Collection[LeftSlot], hold: timedelta, now: datetime
    ) -> Mapping[str, AddressSlot]:
        """Gives slots back and takes others; of each address in `take`, the slot or how long to wait."""
        wanted = sorted(set(take))
        left = sorted(leave, key=lambda slot: slot.address)

        def run(connection: Connection) -> dict[str, AddressSlot]:
            now_ms = connection.now_ms(codec.to_ms(now))
            rows = [(now_ms + (codec.span_ms(slot.rest) or 0) + 1, slot.address, slot.token) for slot in left]
            connection.executemany(_LEAVE_SLOT, rows)
            if not wanted:
                return {}
            until = now_ms + (codec.span_ms(hold) or 0)
            asked = {"until": until, "addresses": json.dumps(wanted), "now": now_ms}
            taken = dict(connection.execute(_TAKE_SLOTS, asked).fetchall())
            busy = json.dumps([address for address in wanted if address not in taken])
            free_at = dict(connection.execute(_SLOTS_FREE_AT, (busy,)).fetchall())
            return {
                address: AddressSlot(token=taken[address])
                if address in taken
                else AddressSlot(wait=timedelta(milliseconds=max(free_at.get(address, 0) - now_ms, 0)))
                for address in wanted
            }

        return self._engine.write(run, lasting=bool(wanted))

    def documents(self, prefix: str) -> Mapping[str, SharedDocument]:
        """The shared documents whose names begin with `prefix`."""
        query = "SELECT name, version, document, at FROM documents WHERE name >= ? AND name < ? ORDER BY name"
        asked = (prefix, prefix + "\U0010ffff")
        rows = self._engine.read(lambda connection: connection.execute(query, asked).fetchall())
        return {
            row["name"]: SharedDocument(version=row["version"], text=row["document"], at=codec.from_ms(row["at"]))
            for row in rows
        }

    def document_versions(self, prefix: str) -> Mapping[str, int]:
        """The versions of the shared documents whose names begin with `prefix`."""
        query = "SELECT name, version FROM documents WHERE name >= ? AND name < ?"
        asked = (prefix, prefix + "\U0010ffff")
        return self._engine.read(lambda connection: dict(connection.execute(query, asked).fetchall()))

    def put_document(
        self, name: str, text: str, *, now: datetime, expected: int | None = None, announced: bool = True
    ) -> int | None:
        """Writes a document as its next version, if its version is `expected`."""

        def run(connection: Connection) -> int | None:
            asked = {"name": name, "text": text, "now": codec.to_ms(now), "expected": expected}
            row = connection.execute(_PUT_DOCUMENT, asked).fetchone()
            if row is not None and announced:
                bump(connection)
            return None if row is None else int(row[0])

        return self._engine.write(run)

    def _write_in_role(self, run: Callable[[Connection], T]) -> T:
        """A write of the role that this store holds. Raises LostRole, and changes nothing, if it holds it no more."""

        def fenced(connection: Connection) -> T:
            if self._fence is not None:
                held = connection.execute(_IS_HELD + connection.shared_lock, self._fence).fetchone()
                if held is None:
                    raise LostRole(f"another process has taken the role {self._fence[0]!r}; nothing was written")
            return run(connection)

        return self._engine.write(fenced)
