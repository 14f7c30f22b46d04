"""Which entries link to which addresses: rows by address, for votes. An entry's own are told by its `outlinks`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aggregator.store.sql import codec
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ids import digest

__all__ = ["forget_links", "linked_keys", "put_links"]


def put_links(connection: Connection, links: Iterable[tuple[int, int, Sequence[str]]]) -> set[bytes]:
    """Notes what entries (by source and row) link to; the keys of these addresses."""
    keys: dict[str, bytes] = {}
    rows = set[tuple[bytes, int, int]]()
    for source_id, row_id, targets in links:
        for link in targets:
            if link not in keys:
                keys[link] = digest(link)
            rows.add((keys[link], source_id, row_id))
    connection.executemany(
        "INSERT INTO outlinks(link_key, source_id, entry_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", sorted(rows)
    )
    return set(keys.values())


def forget_links(connection: Connection, row_id: int) -> set[bytes]:
    """Removes what is noted of an entry's links, while it still tells them; the keys of these addresses."""
    keys = linked_keys(connection, row_id)
    connection.executemany(
        "DELETE FROM outlinks WHERE link_key = ? AND entry_id = ?"
        " AND source_id = (SELECT source_id FROM entries WHERE id = outlinks.entry_id)",
        [(key, row_id) for key in keys],
    )
    return keys


def linked_keys(connection: Connection, row_id: int) -> set[bytes]:
    """The keys of the addresses that an entry links to."""
    (links,) = connection.execute("SELECT outlinks FROM entries WHERE id = ?", (row_id,)).fetchone()
    return {digest(link) for link in codec.unpack(links) or ()}
