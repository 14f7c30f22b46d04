"""Decisions of curating, carried out: items merged, stories joined and merged, related pairs replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregator.errors import StoreError
from aggregator.model import Curation, Merge, RelatedPair, StoryJoin, StoryMerge
from aggregator.store.sql import codec, item_loader, merge_review
from aggregator.store.sql.audience import BUCKET_MS
from aggregator.store.sql.derived_columns import bump, recompute_item, recompute_story
from aggregator.store.sql.engine import Connection

#: everything that hangs on an item and moves with it: table, and the condition under which two rows would be one
_ATTACHED = (
    ("visitors", "other.day = visitors.day AND other.visitor = visitors.visitor"),
    ("likes", "other.visitor = likes.visitor"),
    ("opened", "other.reader_id = opened.reader_id"),
    ("reader_states", "other.reader_id = reader_states.reader_id"),
)


_ONE_MORE = """
INSERT INTO counters(name, value) VALUES ('decisions', 1)
ON CONFLICT(name) DO UPDATE SET value = counters.value + 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What was handed out to be decided: what is edited meanwhile waits on."""

    #: of items, the revisions; of doubted ones, how often they had been edited
    revisions: Mapping[str, int]
    doubts: Mapping[str, int]


def put(connection: Connection, curation: Curation, handed: Handed, now_ms: int) -> None:
    """Carries out a batch; done twice, the second time changes nothing."""
    stories = set[int]()
    for split in curation.splits:
        merge_review.undo(connection, split, now_ms)
    for merge in curation.merges:
        stories |= _merge(connection, merge)
    for story_merge in curation.story_merges:
        stories |= _merge_stories(connection, story_merge)
    for join in sorted(curation.joins, key=lambda join: join.item_id != join.story):
        stories |= _join(connection, join)
    for join in curation.joins:
        _follow(connection, join)
    _put_related(connection, curation.curated, curation.related)
    for story_id in stories:
        recompute_story(connection, story_id)
    for item_id in curation.curated:
        _mark_curated(connection, item_id, handed.revisions.get(item_id), curation.languages.get(item_id))
    merge_review.settle(connection, curation.settled, handed.doubts)
    connection.execute(_ONE_MORE)
    if any(
        (curation.splits, curation.merges, curation.joins, curation.story_merges, curation.related, curation.languages)
    ):
        bump(connection)


def _row(connection: Connection, item_id: str) -> int:
    row_id = item_loader.resolve(connection, item_id)
    if row_id is None:
        raise StoreError(f"there is no item {item_id!r}: decisions must be about items of this store")
    return row_id


def _story_row(connection: Connection, story: str) -> int:
    row_id = item_loader.resolve_story(connection, story)
    if row_id is None:
        raise StoreError(f"there is no story {story!r}: decisions must be about stories of this store")
    return row_id


def _mark_curated(connection: Connection, item_id: str, revision: int | None, language: str | None) -> None:
    """What was edited since it was handed out stays pending; without knowing, the present text counts as curated."""
    connection.execute(
        "UPDATE items SET curated = coalesce(?, revision), language = coalesce(?, language) WHERE id = ?",
        (revision, language, _row(connection, item_id)),
    )


def _merge(connection: Connection, merge: Merge) -> set[int]:
    """Moves all that hangs on `absorb` to `keep`; the stories that are touched."""
    keep, absorb = _row(connection, merge.keep), _row(connection, merge.absorb)
    if keep == absorb:
        return set()
    merge_review.remember_home(connection, absorb, keep)
    connection.execute(
        "UPDATE entries SET rule = ?, figures = ? WHERE item_id = ? AND rule = 'first'",
        (merge.rule, codec.pack_or_none(dict(merge.figures)), absorb),
    )
    connection.execute("UPDATE entries SET item_id = ? WHERE item_id = ?", (keep, absorb))
    _move_audience(connection, keep, absorb)
    _move_related(connection, keep, absorb)
    stories = {
        row[0] for row in connection.execute("SELECT story_id FROM items WHERE id IN (?, ?)", (keep, absorb)) if row[0]
    }
    connection.execute(
        "UPDATE items SET story_id = coalesce(story_id, (SELECT story_id FROM items WHERE id = ?)) WHERE id = ?",
        (absorb, keep),
    )
    connection.execute(
        "UPDATE items SET merged_into = ?, shown = FALSE, live = FALSE, curated = revision, views = 0, likes = 0,"
        " impressions = 0, story_id = NULL WHERE id = ?",
        (keep, absorb),
    )
    connection.execute("UPDATE items SET merged_into = ? WHERE merged_into = ?", (keep, absorb))
    recompute_item(connection, keep)
    return stories


#: whoever opened both on one day has opened one item: the later view is taken back
_OPENED_BOTH = """
SELECT greatest(a.at, k.at) AS later, least(a.at, k.at) AS earlier, a.day, a.visitor FROM visitors a
    JOIN visitors k ON k.day = a.day AND k.visitor = a.visitor AND k.item_id = ?
WHERE a.item_id = ?
"""


def _count_once(connection: Connection, keep: int, absorb: int) -> None:
    """Makes the views of two items those of one; to be called before they are moved."""
    both = connection.execute(_OPENED_BOTH, (keep, absorb)).fetchall()
    for later, earlier, day, visitor in both:
        loser = (later // BUCKET_MS, keep, absorb)
        connection.execute(
            "UPDATE buckets SET n = n - 1 WHERE (bucket, item_id) IN (SELECT bucket, item_id FROM buckets"
            " WHERE bucket = ? AND item_id IN (?, ?) AND n > 0 LIMIT 1)",
            loser,
        )
        connection.execute(
            "UPDATE visitors SET at = ? WHERE day = ? AND item_id = ? AND visitor = ?", (earlier, day, keep, visitor)
        )
    if both:
        connection.execute("DELETE FROM buckets WHERE item_id IN (?, ?) AND n = 0", (keep, absorb))
        connection.execute("UPDATE items SET views = views - ? WHERE id = ?", (len(both), keep))
        connection.execute("UPDATE counters SET value = value - ? WHERE name = 'views'", (len(both),))


def _move_audience(connection: Connection, keep: int, absorb: int) -> None:
    _count_once(connection, keep, absorb)
    connection.execute(
        "INSERT INTO buckets(bucket, item_id, n) SELECT bucket, CAST(? AS bigint), n FROM buckets WHERE item_id = ?"
        " ON CONFLICT(bucket, item_id) DO UPDATE SET n = buckets.n + excluded.n",
        (keep, absorb),
    )
    connection.execute("DELETE FROM buckets WHERE item_id = ?", (absorb,))
    connection.execute(
        "INSERT INTO impressions(hour, item_id, weight)"
        " SELECT hour, CAST(? AS bigint), weight FROM impressions WHERE item_id = ?"
        " ON CONFLICT(hour, item_id) DO UPDATE SET weight = impressions.weight + excluded.weight",
        (keep, absorb),
    )
    connection.execute("DELETE FROM impressions WHERE item_id = ?", (absorb,))
    for table, is_same in _ATTACHED:
        connection.execute(
            f"UPDATE {table} SET item_id = :keep WHERE item_id = :absorb"
            f" AND NOT EXISTS (SELECT 1 FROM {table} other WHERE other.item_id = :keep AND {is_same})",
            {"keep": keep, "absorb": absorb},
        )
        connection.execute(f"DELETE FROM {table} WHERE item_id = ?", (absorb,))
    connection.execute(
        "UPDATE items SET views = views + (SELECT views FROM items WHERE id = :absorb),"
        " impressions = impressions + (SELECT impressions FROM items WHERE id = :absorb),"
        " likes = (SELECT count(*) FROM likes WHERE item_id = :keep) WHERE id = :keep",
        {"keep": keep, "absorb": absorb},
    )


def _move_related(connection: Connection, keep: int, absorb: int) -> None:
    """Both rows of each pair, found by the absorbed item's own: there is no index on the other side."""
    for mine in ("CAST(:keep AS bigint), other_id", "other_id, CAST(:keep AS bigint)"):
        connection.execute(
            f"INSERT INTO related(item_id, other_id, score, tier) SELECT {mine}, score, tier"
            " FROM related WHERE item_id = :absorb AND other_id <> :keep ON CONFLICT(item_id, other_id) DO UPDATE SET"
            " score = greatest(related.score, excluded.score), tier = greatest(related.tier, excluded.tier)",
            {"keep": keep, "absorb": absorb},
        )
    forget_related(connection, absorb)


def forget_related(connection: Connection, row_id: int) -> None:
    """Removes every pair the item stands in (pairs are symmetric, so the other side is found by the key)."""
    connection.execute(
        "DELETE FROM related WHERE (item_id, other_id) IN (SELECT other_id, item_id FROM related WHERE item_id = ?)",
        (row_id,),
    )
    connection.execute("DELETE FROM related WHERE item_id = ?", (row_id,))


def _join(connection: Connection, join: StoryJoin) -> set[int]:
    """Puts an item into a story; an id that is an alias follows its item, and is none where the item founds a story."""
    item = _row(connection, join.item_id)
    founds = join.item_id == join.story
    story = item if founds else _story_row(connection, join.story)
    connection.execute(
        "UPDATE stories SET merged_into = nullif(?, id) WHERE id = ? AND merged_into IS NOT NULL", (story, item)
    )
    before = connection.execute("SELECT story_id FROM items WHERE id = ?", (item,)).fetchone()[0]
    connection.execute(
        "UPDATE items SET story_id = ?, story_figures = CASE WHEN ? THEN NULL ELSE coalesce(?, story_figures) END"
        " WHERE id = ?",
        (story, founds, codec.pack_or_none(dict(join.figures)), item),
    )
    return {story} if before is None else {story, before}


#: a story's id stands for something as long as its item does
_FOLLOW = """
UPDATE stories SET merged_into = :keep WHERE (id = :left OR merged_into = :left) AND :keep <> :left
    AND NOT EXISTS (SELECT 1 FROM items WHERE story_id = :left)
"""


def _follow(connection: Connection, join: StoryJoin) -> None:
    """The id of a story that all have left leads to where the item is that founded it."""
    connection.execute(_FOLLOW, {"keep": _row(connection, join.item_id), "left": _story_row(connection, join.story)})


def _merge_stories(connection: Connection, merge: StoryMerge) -> set[int]:
    keep, absorb = _story_row(connection, merge.keep), _story_row(connection, merge.absorb)
    if keep == absorb:
        return set()
    connection.execute("UPDATE items SET story_id = ? WHERE story_id = ?", (keep, absorb))
    recompute_story(connection, absorb)
    connection.execute(
        "UPDATE stories SET merged_into = :keep WHERE id = :absorb OR merged_into = :absorb",
        {"keep": keep, "absorb": absorb},
    )
    return {keep}


def _put_related(connection: Connection, curated: Iterable[str], pairs: Iterable[RelatedPair]) -> None:
    """The pairs of curated items are replaced, not added to: an edit may have changed the subject."""
    for item_id in curated:
        forget_related(connection, _row(connection, item_id))
    rows = [(_row(connection, pair.item_id), _row(connection, pair.other_id), pair.score, pair.tier) for pair in pairs]
    connection.executemany(
        "INSERT INTO related(item_id, other_id, score, tier) VALUES (?, ?, ?, ?)"
        " ON CONFLICT(item_id, other_id) DO UPDATE SET score = excluded.score, tier = excluded.tier",
        [row for a, b, *how in rows if a != b for row in ((a, b, *how), (b, a, *how))],
    )
