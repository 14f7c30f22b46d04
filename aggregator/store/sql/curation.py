"""The loop store → curate → store: what waits, what was decided, the lists."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from aggregator.model import (
    Candidate,
    CandidateChanges,
    ChangeCursor,
    Curation,
    Doubt,
    ItemList,
    ItemText,
    Listed,
    ListKey,
    Population,
    Verdict,
)
from aggregator.store.sql import apply_curation, candidate_changes, candidates, codec, item_loader, merge_review
from aggregator.store.sql.derived_columns import bump, cited_items, recompute_item
from aggregator.store.sql.engine import Connection, Engine
from aggregator.store.sql.fleet import Fleet
from aggregator.store.sql.ids import decode_id, digest, encode_id
from aggregator.store.sql.ingest import VERDICT, linked_keys, verdict_columns

_CHUNK = 1_000
#: behind everything
_END_MS = 2**62

_ENTRIES = f"""
SELECT e.id AS row_id, e.entry_id, e.title, e.text, e.language, e.published, e.first_seen, e.canonical_url,
    e.outlinks, e.categories, e.author, i.public_id, st.public_id AS story, {codec.REF_COLUMNS}
FROM entries e JOIN items i ON i.id = e.item_id JOIN sources s ON s.id = e.source_id
    LEFT JOIN items st ON st.id = i.story_id
WHERE e.id > ? AND e.first_seen >= ? AND NOT e.tombstone ORDER BY e.id LIMIT {_CHUNK}
"""


class Curating(Fleet):
    """`CurationStore`."""

    _engine: Engine
    #: the revision under which an item was handed out: what is edited meanwhile stays pending
    _handed: dict[str, int]
    #: the same of doubts
    _doubts: dict[str, int]
    _handed_lock: threading.Lock

    def pending(self, *, limit: int) -> list[ItemText]:
        """Items that are new or whose text changed since they were curated: the newest so many, oldest first."""
        query = (
            f"{item_loader.ITEM_TEXTS} WHERE i.shown AND i.revision <> i.curated"
            " ORDER BY i.published DESC, i.id DESC LIMIT ?"
        )
        rows = self._engine.read(lambda connection: connection.execute(query, (limit,)).fetchall())
        with self._handed_lock:
            self._handed = {encode_id(row["public_id"]): row["revision"] for row in rows}
        return [item_loader.text_of(row) for row in reversed(rows)]

    def history(
        self, *, since: datetime, before: datetime | None = None, newest: int | None = None
    ) -> Iterator[ItemText]:
        """Curated items published since then (and before), oldest first; with `newest` so many of them at most."""
        end = _END_MS if before is None else codec.to_ms(before)
        place = (codec.to_ms(since), -1)
        if newest is not None:
            place = self._engine.read(lambda connection: _place_of(connection, place, end, newest))
        query = (
            f"{item_loader.ITEM_TEXTS} WHERE i.shown AND i.curated > 0 AND (i.published, i.public_id) > (?, ?)"
            f" AND i.published < ? ORDER BY i.published, i.public_id LIMIT {_CHUNK}"
        )
        while rows := self._engine.read(lambda connection: connection.execute(query, (*place, end)).fetchall()):  # noqa: B023
            yield from map(item_loader.text_of, rows)
            place = (rows[-1]["published"], rows[-1]["public_id"])

    def texts(self, ids: Sequence[str]) -> list[ItemText]:
        """These items as texts to compare; ids that are unknown, merged or no longer shown are left out."""
        query = (
            f"{item_loader.ITEM_TEXTS} WHERE i.shown"
            " AND i.public_id IN (SELECT CAST(value AS bigint) FROM json_each(?)) ORDER BY i.published, i.public_id"
        )
        numbers = codec.pack([number for number in map(decode_id, ids) if number is not None])
        rows = self._engine.read(lambda connection: connection.execute(query, (numbers,)).fetchall())
        return [item_loader.text_of(row) for row in rows]

    def curated_ids(self, *, since: datetime) -> list[str]:
        """Ids of the curated items published since then, by whichever process."""
        query = "SELECT public_id FROM items WHERE shown AND curated > 0 AND published >= ?"
        rows = self._engine.read(lambda connection: connection.execute(query, (codec.to_ms(since),)).fetchall())
        return [encode_id(row[0]) for row in rows]

    def decisions(self) -> int:
        """How many batches of decisions have ever been committed, by whichever process."""
        query = "SELECT value FROM counters WHERE name = 'decisions'"
        row = self._engine.read(lambda connection: connection.execute(query).fetchone())
        return 0 if row is None else int(row[0])

    def doubted(self, *, limit: int) -> list[Doubt]:
        """Items that absorbed others for their texts (never by address) of which one has been edited since."""
        found = self._engine.read(lambda connection: merge_review.doubted(connection, limit))
        with self._handed_lock:
            self._doubts = {doubt.item_id: times for doubt, times in found}
        return [doubt for doubt, _ in found]

    def put_curation(self, curation: Curation, *, now: datetime) -> None:
        """Commits a batch of decisions. Merged items keep every entry, view and like; absorbed ids redirect."""
        with self._handed_lock:
            handed = apply_curation.Handed(revisions=dict(self._handed), doubts=dict(self._doubts))
        self._write_in_role(lambda connection: apply_curation.put(connection, curation, handed, codec.to_ms(now)))

    def candidates(self, *, since: datetime, now: datetime, limit: int = 0) -> list[Candidate]:
        """Shown items viewed since then, and the `limit` (0: all) newest first seen since then, as of `now`."""
        since_ms, now_ms = codec.to_ms(since), codec.to_ms(now)
        return self._engine.read(lambda connection: candidates.read(connection, since_ms, now_ms, limit))

    def candidate_changes(
        self, population: Population, *, after: ChangeCursor | None, now: datetime
    ) -> CandidateChanges:
        """What has changed of the candidates since a cursor; everything where there is none, or it leads nowhere."""
        now_ms = codec.to_ms(now)
        return self._engine.read(lambda connection: candidate_changes.read(connection, population, after, now_ms))

    def put_lists(self, lists: Iterable[ItemList]) -> None:
        """Replaces these lists. A list that did not change is not written."""
        wanted = list(lists)

        def run(connection: Connection) -> None:
            changed = [_put_list(connection, one) for one in wanted]
            if any(changed):
                bump(connection)

        self._write_in_role(run)

    def get_list(self, key: ListKey) -> ItemList | None:
        """The list as it was last computed; its times are those of the last change."""
        query = "SELECT * FROM lists WHERE key = ?"
        row = self._engine.read(lambda connection: connection.execute(query, (str(key),)).fetchone())
        if row is None:
            return None
        return ItemList(
            key=key,
            computed_at=codec.from_ms(row["computed_at"]),
            since=codec.from_ms_or_none(row["since"]),
            until=codec.from_ms_or_none(row["until"]),
            compared_at=codec.from_ms_or_none(row["compared_at"]),
            basis=row["basis"],
            places=tuple(_listed(place) for place in codec.unpack(row["places"])),
        )

    def entries_since(self, since: datetime) -> Iterator[tuple[int, str, ItemText, tuple[str, ...], str]]:
        """(source id, entry id, text, categories, author or "") of stored entries: for re-applying rules."""
        since_ms, last = codec.to_ms(since), 0
        while rows := self._engine.read(lambda connection: connection.execute(_ENTRIES, (last, since_ms)).fetchall()):  # noqa: B023
            for row in rows:
                categories = tuple(codec.unpack(row["categories"]) or ())
                yield row["source_id"], row["entry_id"], item_loader.text_of(row), categories, row["author"] or ""
            last = rows[-1]["row_id"]

    def put_verdicts(self, verdicts: Mapping[tuple[int, str], Verdict]) -> int:
        """Replaces the verdicts of these entries (source id, entry id); how many changed."""
        return self._write_in_role(lambda connection: _put_verdicts(connection, verdicts))


def _place_of(connection: Connection, start: tuple[int, int], end: int, newest: int) -> tuple[int, int]:
    """The place behind which there are so many curated items at most; `start` if there are fewer behind that."""
    row = connection.execute(
        "SELECT published, public_id FROM items WHERE shown AND curated > 0 AND (published, public_id) > (?, ?)"
        " AND published < ? ORDER BY published DESC, public_id DESC LIMIT 1 OFFSET ?",
        (*start, end, newest),
    ).fetchone()
    return start if row is None else (row["published"], row["public_id"])


def _listed(place: Sequence[Any]) -> Listed:
    item_id, score, views, reasons, figures, rank_before = place
    return Listed(
        item_id=item_id,
        score=score,
        views=views,
        rank_before=rank_before,
        reasons=tuple(reasons),
        figures=figures,
    )


def _finite(score: float) -> float:
    """JSON knows no infinity."""
    return score if math.isfinite(score) else 0.0


def _finite_all(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: figure for name, figure in figures.items() if math.isfinite(figure)}


def _put_list(connection: Connection, one: ItemList) -> bool:
    """Stores a list if its places or its basis changed; whether readers see a change (scores they do not)."""
    places = [
        (p.item_id, _finite(p.score), p.views, p.reasons, _finite_all(p.figures), p.rank_before) for p in one.places
    ]
    packed = codec.pack(places)
    before = connection.execute("SELECT basis, places FROM lists WHERE key = ?", (str(one.key),)).fetchone()
    if before is not None and tuple(before) == (one.basis, packed):
        return False
    connection.execute(
        "INSERT INTO lists(key, computed_at, since, until, compared_at, basis, places) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(key) DO UPDATE SET computed_at = excluded.computed_at, since = excluded.since,"
        " until = excluded.until, compared_at = excluded.compared_at, basis = excluded.basis, places = excluded.places",
        (
            *(str(one.key), codec.to_ms(one.computed_at), codec.to_ms_or_none(one.since)),
            *(codec.to_ms_or_none(one.until), codec.to_ms_or_none(one.compared_at), one.basis, packed),
        ),
    )
    if before is None or before["basis"] != one.basis:
        return True
    seen = [(place[0], place[2], place[3], place[5]) for place in codec.unpack(before["places"])]
    return seen != [(p.item_id, p.views, list(p.reasons), p.rank_before) for p in one.places]


def _put_verdicts(connection: Connection, verdicts: Mapping[tuple[int, str], Verdict]) -> int:
    changed, items = list[int](), set[int]()
    for (source_id, entry_id), verdict in verdicts.items():
        row = connection.execute(
            "UPDATE entries SET dropped = :dropped, boost = :boost, pin_ms = :pin_ms, section = :section"
            " WHERE source_id = :source AND entry_key = :key AND (dropped IS DISTINCT FROM :dropped"
            " OR boost <> :boost OR pin_ms IS DISTINCT FROM :pin_ms OR section IS DISTINCT FROM :section)"
            " RETURNING id, item_id",
            {
                **dict(zip(VERDICT, verdict_columns(verdict), strict=True)),
                "source": source_id,
                "key": digest(entry_id),
            },
        ).fetchone()
        if row is not None:
            changed.append(row["id"])
            items.add(row["item_id"])
    for row_id in changed:
        items |= cited_items(connection, _voted_for(connection, row_id))
    for item_id in items:
        recompute_item(connection, item_id)
    if changed:
        bump(connection)
    return len(changed)


def _voted_for(connection: Connection, row_id: int) -> set[bytes]:
    """What an entry may vote for: what it links to and, if it is a signal's, what it is about."""
    (own,) = connection.execute("SELECT link_key FROM entries WHERE id = ?", (row_id,)).fetchone()
    return linked_keys(connection, row_id) | ({own} if own else set())
