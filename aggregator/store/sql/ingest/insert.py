"""Entries that are new: they found items, or join items of the same address at other sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.curate.identity import shared_subject
from aggregator.model import Entry, ParsedEntry
from aggregator.store.sql import codec
from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ids import public_id
from aggregator.store.sql.ingest.arrivals import Arrival
from aggregator.store.sql.ingest.entry_rows import EntryRow
from aggregator.store.sql.ingest.outlinks import put_links
from aggregator.store.sql.merge_review import BY_ADDRESS, FIRST, doubt_addresses, shared_addresses

__all__ = ["Inserted", "New", "insert"]

#: what is new of an arrival, in its order
New = tuple[Arrival, Sequence[tuple[Entry, EntryRow]]]

_ENTRY = ("id", "item_id", "home_id", "rule", "figures", *EntryRow._fields)
#: an item of one entry, which nobody else knows of: all that `shown.refresh_item` would make of it
_ITEM = (
    *("id", "public_id", "lead_id", "source_id", "section", "more_sections"),
    *("published", "first_seen", "updated", "shown"),
    *("text_key", "boost", "pinned_until", "revision", "curated", "live", "merged_into"),
)
#: for each address: whether this source has given it to an entry before, whether another one has, whether anybody
#: links to it. LIMIT, and + 0: else PostgreSQL reads whole tables for EXISTS and for the order of a key
_ADDRESSES = """
WITH asked(key, source) AS (VALUES {})
SELECT key, (SELECT 1 FROM entries WHERE link_key = key AND source_id = source LIMIT 1) IS NOT NULL AS own,
    (SELECT 1 FROM entries WHERE link_key = key AND source_id <> source AND item_id IS NOT NULL LIMIT 1) IS NOT NULL
        AS other,
    (SELECT 1 FROM outlinks WHERE link_key = key LIMIT 1) IS NOT NULL AS cited
FROM asked
"""
#: what stands at these addresses
_THERE = (
    "SELECT link_key, item_id, title, text FROM entries WHERE link_key IN ({}) AND item_id IS NOT NULL ORDER BY id + 0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """What new entries have changed beyond their own rows."""

    #: how many items are new, by arrival
    founded: Sequence[int]
    #: items that are still to be made anew from their entries
    unsettled: frozenset[int] = frozenset()
    #: keys of the addresses that the entries link to
    cited: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Address:
    """What is known of an entry's address."""

    #: several entries of this source have it (a home page, a live page): it says nothing of either
    shared: bool = False
    #: another source has it
    other: bool = False
    cited: bool = False

    @property
    def is_settled(self) -> bool:
        """Nobody else's entry has to do with it."""
        return not (self.shared or self.other or self.cited)


_NOWHERE = _Address()


@dataclass(frozen=True, slots=True)
class _Join:
    """The item at another source's address that an entry is one with, and what the two have in common."""

    item_id: int
    figures: Mapping[str, float]


def insert(connection: Connection, new: Sequence[New]) -> Inserted:
    """Inserts entries that are not stored yet, with their items; row ids follow their order.

    No address may be in two arrivals. Whether an entry is new has been looked up in the same transaction; the unique
    constraints stand behind that.
    """
    fresh = [(arrival, entry, row) for arrival, some in new for entry, row in some]
    if not fresh:
        return Inserted(founded=[0] * len(new))
    addresses = _addresses(connection, [row for _, _, row in fresh])
    entry_ids = connection.new_ids("entries", len(fresh))
    joins = _joins(connection, addresses, [row for _, _, row in fresh])
    item_ids = connection.new_ids("items", len(fresh))
    public = _public_ids(connection, [(arrival, entry) for arrival, entry, _ in fresh])
    connection.insert_rows(
        "items",
        _ITEM,
        [
            _item(ids, joins.get(place), fresh[place][0], fresh[place][2])
            for place, ids in enumerate(zip(item_ids, public, entry_ids, strict=True))
        ],
    )
    connection.insert_rows(
        "entries",
        _ENTRY,
        [
            (row_id, *_place(item_id, joins.get(place)), *fresh[place][2])
            for place, (item_id, row_id) in enumerate(zip(item_ids, entry_ids, strict=True))
        ],
    )
    doubt_addresses(connection, [each[2].link_key for each, at in zip(fresh, addresses, strict=True) if at.shared])
    founded = Counter(arrival.source_id for place, (arrival, _, _) in enumerate(fresh) if place not in joins)
    return Inserted(
        founded=[founded[arrival.source_id] for arrival, _ in new],
        unsettled=frozenset(
            joins[place].item_id if place in joins else item_ids[place]
            for place, address in enumerate(addresses)
            if not address.is_settled
        ),
        cited=_put_apart(connection, [(row_id, *each[1:]) for row_id, each in zip(entry_ids, fresh, strict=True)]),
    )


def _addresses(connection: Connection, rows: Sequence[EntryRow]) -> list[_Address]:
    """What is known of the address of each, before any of these entries is there."""
    times = Counter(row.link_key for row in rows)
    asked = {row.link_key: row.source_id for row in rows if row.link_key is not None}
    found: dict[bytes | None, _Address] = {None: _NOWHERE}
    for some in padded_batches(list(asked.items())):
        query = _ADDRESSES.format(placeholders(len(some), "(?, ?)"))
        for key, own, other, cited in connection.execute(query, [value for pair in some for value in pair]):
            is_shared = bool(own) or times[key] > 1
            found[key] = _Address(is_shared, bool(other), bool(cited)) if is_shared or other or cited else _NOWHERE
    return [found[row.link_key] for row in rows]


def _joins(connection: Connection, addresses: Sequence[_Address], rows: Sequence[EntryRow]) -> dict[int, _Join]:
    """For entries at another source's address: the item there that they are one with, and what they have in common.

    None where a source gives the address to several entries, or where their words have nothing in common.
    """
    asked = {
        row.link_key: place
        for place, (address, row) in enumerate(zip(addresses, rows, strict=True))
        if address.other and not address.shared and row.link_key is not None
    }
    shared = shared_addresses(connection, asked)
    found: dict[int, _Join] = {}
    for some in padded_batches([key for key in asked if key not in shared]):
        for key, item_id, title, text in connection.execute(_THERE.format(placeholders(len(some))), some):
            place = asked[bytes(key)]
            row = rows[place]
            if place not in found and row.canonical_url is not None:
                figures = shared_subject(row.canonical_url, (row.title, row.text), (title, text))
                if figures is not None:
                    found[place] = _Join(item_id, figures)
    return found


def _public_ids(connection: Connection, founders: Sequence[tuple[Arrival, Entry]]) -> list[int]:
    """The ids that follow from the founding entries; salted where two entries would share one."""
    ids = [public_id(arrival.feed_url, entry.entry_id) for arrival, entry in founders]
    taken = _taken(connection, ids)
    given = set[int]()
    for place, (arrival, entry) in enumerate(founders):
        salt = 0
        while ids[place] in given or ids[place] in taken:
            salt += 1
            ids[place] = public_id(arrival.feed_url, entry.entry_id, salt)
            taken |= _taken(connection, [ids[place]])
        given.add(ids[place])
    return ids


def _taken(connection: Connection, ids: Sequence[int]) -> set[int]:
    return {
        number
        for some in padded_batches(ids)
        for (number,) in connection.execute(
            f"SELECT public_id FROM items WHERE public_id IN ({placeholders(len(some))})", some
        )
    }


def _item(ids: tuple[int, int, int], join: _Join | None, arrival: Arrival, row: EntryRow) -> tuple[object, ...]:
    """The item that an entry founds; where it joins another, the one that it will be if that proves to be wrong.

    `ids`: its row, its public id, the row of the entry.
    """
    return (
        *(*ids, arrival.source_id, row.section or arrival.section, "[]" if row.section else arrival.more_sections),
        *(row.published, arrival.polled_ms, row.updated),
        join is None and row.dropped is None and arrival.role == "source",
        *(row.text_key, row.boost),
        None if row.pin_ms is None else arrival.polled_ms + row.pin_ms,
        *(1, int(join is not None), join is None, join and join.item_id),
    )


def _place(item_id: int, join: _Join | None) -> tuple[object, ...]:
    """Item, home, rule and figures of an entry."""
    if join is None:
        return item_id, None, FIRST, None
    return join.item_id, item_id, BY_ADDRESS, codec.pack_or_none(dict(join.figures))


def _packed(parsed: ParsedEntry) -> bytes | None:
    return codec.pack_html(parsed.summary_html, parsed.content_html, parsed.text)


def _put_apart(connection: Connection, numbered: Sequence[tuple[int, Entry, EntryRow]]) -> set[bytes]:
    """What belongs to entries and stands in tables of its own: bodies, searchable words, outgoing links.

    Gives the keys of the addresses that they link to.
    """
    packed = ((row_id, _packed(entry.parsed)) for row_id, entry, _ in numbered)
    connection.insert_rows("bodies", ("entry_id", "html"), [row for row in packed if row[1] is not None])
    connection.index_words([(row_id, row.words) for row_id, _, row in numbered])
    return put_links(connection, [(row.source_id, row_id, entry.outlinks) for row_id, entry, row in numbered])
