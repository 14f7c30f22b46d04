"""What the entries of polls change: each is inserted, edited in place or found unchanged, and joins or founds an item.

They are looked up and go in by the table, those of all polls that end together at once: a statement an entry, or a
poll, would spend most of its time on the way into the engine. And while nothing is written in a statement that the
engine may have to undo alone (one with triggers or several rows, unless `or_fail` says that the transaction ends with
it), the full-text index gathers words until the transaction ends; else it closes a segment with each.
"""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.model import Entry, PollResult
from aggregator.store import PollChanges
from aggregator.store.sql.derived_columns import cited_items, recompute_item
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ingest.arrivals import Arrival, arrivals, independent
from aggregator.store.sql.ingest.daily_counts import count_new
from aggregator.store.sql.ingest.entry_rows import VERDICT, verdict_columns
from aggregator.store.sql.ingest.insert import insert
from aggregator.store.sql.ingest.outlinks import forget_links, linked_keys
from aggregator.store.sql.ingest.update import Edits, held, put_held, rekey, stored_words

__all__ = [
    "VERDICT",
    "Outcome",
    "forget_links",
    "linked_keys",
    "store_all",
    "store_entries",
    "stored_words",
    "verdict_columns",
]

#: what a poll's entries have changed, and whether readers see any of it
Outcome = tuple[PollChanges, bool]


def store_entries(connection: Connection, feed_url: str, result: PollResult) -> Outcome:
    """Stores a poll's entries."""
    (outcome,) = store_all(connection, [(feed_url, result)])
    return outcome


def store_all(connection: Connection, polls: Sequence[tuple[str, PollResult]]) -> list[Outcome]:
    """Stores the entries of polls of feeds (by their address), as if they had come one after the other."""
    outcomes: list[Outcome] = [(PollChanges(), False)] * len(polls)
    telling = [place for place, (_, result) in enumerate(polls) if result.entries]
    found = arrivals(connection, [polls[place] for place in telling])
    stored = [outcome for some in independent(found) for outcome in _store(connection, some)]
    for place, outcome in zip(telling, stored, strict=True):
        outcomes[place] = outcome
    return outcomes


def _store(connection: Connection, group: Sequence[Arrival]) -> list[Outcome]:
    connection.lock_addresses([row.link_key for each in group for _, row in each.entries if row.link_key is not None])
    for arrival in group:
        rekey(connection, arrival)
    before = held(connection, group)
    edits = [put_held(connection, arrival, before) for arrival in group]
    new = [(arrival, [each for each in arrival.entries if each[1].key not in before]) for arrival in group]
    inserted = insert(connection, new)
    count_new(connection, new)
    items = inserted.unsettled.union(*(changed.items for changed in edits))
    cited = inserted.cited.union(*(changed.cited for changed in edits))
    for (arrival, fresh), changed in zip(new, edits, strict=True):
        if arrival.role == "signal":  # what its entries are about has a vote as well
            cited |= {row.link_key for row in (*(row for _, row in fresh), *changed.edited) if row.link_key}
    for item_id in sorted(items | cited_items(connection, cited)):
        recompute_item(connection, item_id)
    return [
        _outcome([entry for entry, _ in fresh], changed, founded)
        for (_, fresh), changed, founded in zip(new, edits, inserted.founded, strict=True)
    ]


def _outcome(new: Sequence[Entry], edits: Edits, founded: int) -> Outcome:
    stored = PollChanges(
        new_entries=len(new),
        new_items=founded,
        updated=len(edits.edited),
        oldest_new=min((entry.published for entry in new), default=None),
    )
    return stored, bool(new or edits.edited or edits.counted)
