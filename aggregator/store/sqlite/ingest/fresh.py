"""Entries that are new: they found items, or join items of the same address at other sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aggregator.model import Entry
from aggregator.store.sqlite.connection import Connection
from aggregator.store.sqlite.ingest.outlinks import put_links
from aggregator.store.sqlite.ingest.rows import COLUMNS, Row, column, searched
from aggregator.store.sqlite.keys import public_id

__all__ = ["Inserted", "Poll", "insert"]

_CHUNK = 500
_ENTRY = ("id", "item_id", "rule", *COLUMNS)
_INSERT_ENTRY = f"INSERT INTO entries({', '.join(_ENTRY)}) VALUES ({', '.join('?' * len(_ENTRY))})"
#: an item of one entry, which nobody else knows of: all that `shown.refresh_item` would make of it
_ITEM = (
    *("id", "public_id", "lead_id", "source_id", "section", "published", "first_seen", "updated", "shown"),
    *("text_key", "boost", "pinned_until", "revision"),
)
#: FAIL: a violated constraint ends the transaction anyway, so that no row needs a journal of its own, as it does with a
#: trigger: half of the cost
_INSERT_ITEM = f"INSERT OR FAIL INTO items({', '.join(_ITEM)}) VALUES ({', '.join('?' * len(_ITEM))})"
#: for each address: whether this source has given it to an entry before, the item that another source's first entry
#: there belongs to, whether anybody links to it
_ADDRESSES = """
WITH asked(key) AS (VALUES {keys})
SELECT key, EXISTS (SELECT 1 FROM entries WHERE link_key = key AND source_id = ?1) AS own,
    (SELECT item_id FROM entries WHERE link_key = key AND source_id <> ?1 AND item_id IS NOT NULL ORDER BY id LIMIT 1)
        AS other,
    EXISTS (SELECT 1 FROM outlinks WHERE link_key = key) AS cited
FROM asked
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Whose entries these are, and when they came."""

    feed_url: str
    source_id: int
    polled_ms: int
    role: str
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """What new entries have changed beyond their own rows."""

    #: how many items are new
    founded: int = 0
    #: items that are still to be made anew from their entries
    unsettled: frozenset[int] = frozenset()
    #: keys of the addresses that the entries link to
    cited: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Address:
    """What is known of an entry's address."""

    #: several entries of this source have it (a home page, a live page): it says nothing of either
    shared: bool = False
    #: the item at it, of another source
    other: int | None = None
    cited: bool = False

    @property
    def joins(self) -> int | None:
        """The item that an entry at this address belongs to."""
        return None if self.shared else self.other


def insert(connection: Connection, poll: Poll, new: Sequence[tuple[Entry, Row]]) -> Inserted:
    """Inserts entries that are not stored yet, with their items; row ids follow their order.

    Whether an entry is new has been looked up in the same transaction; the unique constraints stand behind that.
    """
    if not new:
        return Inserted()
    found = _addresses(connection, poll.source_id, [column(row, "link_key") for _, row in new])
    addresses = [found[column(row, "link_key")] for _, row in new]
    founders = [place for place, address in enumerate(addresses) if address.joins is None]
    first_id = _next_id(connection, "entries")
    item_ids = dict(zip(founders, range(_next_id(connection, "items"), 1 << 62), strict=False))
    public = _public_ids(connection, poll.feed_url, [new[place][0] for place in founders])
    connection.executemany(
        _INSERT_ITEM,
        [
            _item(poll, item_ids[place], public_id, first_id + place, new[place][1])
            for place, public_id in zip(founders, public, strict=True)
        ],
    )
    connection.executemany(
        _INSERT_ENTRY,
        [
            (first_id + place, item_ids.get(place, addresses[place].joins), _rule(place in item_ids), *row)
            for place, (_, row) in enumerate(new)
        ],
    )
    unsettled = {
        item_ids.get(place, address.joins or 0)
        for place, address in enumerate(addresses)
        if address.shared or address.other is not None or address.cited
    }
    return Inserted(
        founded=len(founders),
        unsettled=frozenset(unsettled),
        cited=_put_apart(connection, poll.source_id, first_id, [entry for entry, _ in new]),
    )


def _rule(founds: bool) -> str:
    return "first" if founds else "canonical-url"


def _addresses(connection: Connection, source_id: int, keys: Sequence[object]) -> dict[object, _Address]:
    """What is known of these addresses, before any of these entries is there."""
    times = Counter(keys)
    found: dict[object, _Address] = {None: _Address()}
    asked = [key for key in times if key is not None]
    for chunk in _chunks(asked):
        marks = ", ".join(f"(?{place})" for place in range(2, len(chunk) + 2))
        for key, own, other, cited in connection.execute(_ADDRESSES.format(keys=marks), (source_id, *chunk)):
            found[key] = _Address(bool(own) or times[key] > 1, other, bool(cited))
    return found


def _chunks(values: Sequence[object]) -> Iterator[Sequence[object]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _next_id(connection: Connection, table: str) -> int:
    """The row id that the table would give next: the one writer is in a transaction."""
    return int(connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


def _public_ids(connection: Connection, feed_url: str, founders: Sequence[Entry]) -> list[int]:
    """The ids that follow from the founding entries; salted where two entries would share one."""
    ids = [public_id(feed_url, entry.entry_id) for entry in founders]
    taken = _taken(connection, ids)
    given = set[int]()
    for place, entry in enumerate(founders):
        salt = 0
        while ids[place] in given or ids[place] in taken:
            salt += 1
            ids[place] = public_id(feed_url, entry.entry_id, salt)
            taken |= _taken(connection, [ids[place]])
        given.add(ids[place])
    return ids


def _taken(connection: Connection, ids: Sequence[int]) -> set[int]:
    return {
        number
        for chunk in _chunks(ids)
        for (number,) in connection.execute(
            f"SELECT public_id FROM items WHERE public_id IN ({', '.join('?' * len(chunk))})", chunk
        )
    }


def _item(poll: Poll, item_id: int, public: int, lead_id: int, row: Row) -> tuple[object, ...]:
    pin_ms = column(row, "pin_ms")
    return (
        *(item_id, public, lead_id, poll.source_id, column(row, "section") or poll.section),
        *(column(row, "published"), poll.polled_ms, poll.polled_ms),
        int(column(row, "dropped") is None and poll.role == "source"),
        *(column(row, "text_key"), column(row, "boost")),
        None if pin_ms is None else poll.polled_ms + pin_ms,
        1,
    )


def _put_apart(connection: Connection, source_id: int, first_id: int, entries: Sequence[Entry]) -> set[bytes]:
    """What belongs to entries and stands in tables of its own: bodies, searchable words, outgoing links.

    Gives the keys of the addresses that they link to.
    """
    numbered = list(enumerate(entries, first_id))
    connection.executemany(
        "INSERT INTO bodies(entry_id, summary_html, content_html) VALUES (?, ?, ?)",
        [(row_id, entry.parsed.summary_html, entry.parsed.content_html) for row_id, entry in numbered],
    )
    words = [(row_id, searched(entry)) for row_id, entry in numbered]
    connection.executemany("INSERT INTO search_text(id, words) VALUES (?, ?)", words)
    # not by a trigger: after each statement with one the full-text index writes out what it has gathered
    connection.executemany("INSERT INTO search_text_fts(rowid, words) VALUES (?, ?)", words)
    return put_links(connection, source_id, [(row_id, entry.outlinks) for row_id, entry in numbered])
