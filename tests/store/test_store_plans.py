"""No hot query reads a large table whole: every statement that the store runs is explained, on both engines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from store_values import HOUR, LEASE, NOW, edited, follow, lease_of, make_entry, make_result, poll, source_id

from aggregator.model import Curation, Entry, Merge, Population, RelatedPair, Scope, StoryJoin, Verdict, View
from aggregator.store import Store, is_postgresql
from aggregator.store.sql.engine import Connection

#: what grows with the items that are kept, or with their readers
LARGE = frozenset(
    {"items", "entries", "bodies", "outlinks", "related", "buckets", "impressions", "visitors", "likes", "opened"}
    | {"reader_states", "changes", "stories", "entry_words", "addresses"}
)
#: indices of the few items that stand in several sections: they may be read to the end
SMALL = frozenset({"items_more_sections"})
FEEDS = [f"https://host{number}.example/feed" for number in range(12)]
POPULATION = Population(reach=timedelta(days=2), newest=100, windows={"1d": timedelta(days=1)})
READS = ("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")

Explain = Callable[[Any, str, Any], Iterator[str]]


@dataclass
class Explained:
    """The large tables that the statements of one call read whole, with the statements."""

    scans: dict[str, str] = field(default_factory=dict)
    statements: set[str] = field(default_factory=set)

    def note(self, tables: Iterator[str], statement: str) -> None:
        self.statements.add(statement)
        self.scans |= dict.fromkeys(tables, " ".join(statement.split()))


def sqlite_scans(execute: Any, statement: str, values: Any) -> Iterator[str]:
    """Tables that SQLite reads whole, by index or not, where no LIMIT ends the reading."""
    uses = re.findall(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+AS)?\s+(\w+)", statement)
    aliases = {alias: table for table, alias in uses}
    for row in execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall():
        scan = re.match(r"SCAN (?:CONSTANT )?(\w+)( USING (?:COVERING )?INDEX)?", row[3])
        if scan and not (scan[2] and "LIMIT" in statement):
            yield from {str(aliases.get(scan[1], scan[1]))} & LARGE


def postgresql_scans(execute: Any, statement: str, values: Any) -> Iterator[str]:
    """The same of PostgreSQL, which is told never to read a table whole where an index can tell which rows."""
    (plan,) = execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()
    first = "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid, 1, true) FROM pg_index"
    yield from _whole(plan[0]["Plan"], dict(execute(first, ()).fetchall()), limited=False)


def _whole(node: dict[str, Any], first: dict[str, str], *, limited: bool) -> Iterator[str]:
    """`first`: the first column of each index, without a condition on which all of it is read."""
    limited = limited or node["Node Type"] == "Limit"
    parts = node.get("Plans", ())
    if node["Node Type"] == "Bitmap Heap Scan":
        parts = [{**part, "Relation Name": node["Relation Name"]} for part in parts]
    elif "Scan" in node["Node Type"]:
        index = node.get("Index Name")
        is_found = index in SMALL or (index and first[index] in node.get("Index Cond", ""))
        if not (is_found or (index and limited)):
            yield from {node.get("Relation Name", "")} & LARGE
    for part in parts:
        yield from _whole(part, first, limited=limited)


@contextmanager
def explaining(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Explained]:
    """Explains every statement that the store runs meanwhile."""
    found = Explained()
    is_sqlite = type(store).__name__ == "SqliteStore"
    kind = type_of_connection(store)
    execute, executemany = kind.execute, kind.executemany
    scans: Explain = sqlite_scans if is_sqlite else postgresql_scans

    def look(connection: Any, statement: str, values: Any) -> None:
        if statement.lstrip().upper().startswith(READS) and not (
            "temp.batch" in statement or statement in found.statements
        ):
            found.note(scans(lambda *one: execute(connection, *one), statement, values), statement)

    def one(self: Any, statement: str, values: Any = (), /) -> Any:
        look(self, statement, values)
        return execute(self, statement, values)

    def many(self: Any, statement: str, values: Any, /) -> Any:
        rows = list(values)
        if rows:
            look(self, statement, rows[0])
        return executemany(self, statement, rows)

    with monkeypatch.context() as patched:
        patched.setattr(kind, "execute", one)
        patched.setattr(kind, "executemany", many)
        yield found


def type_of_connection(store: Store) -> type[Connection]:
    if type(store).__name__ == "SqliteStore":
        from aggregator.store.sqlite.connection import Connection as SqliteConnection

        return SqliteConnection
    from aggregator.store.postgres.connection import Connection as PostgresConnection

    return PostgresConnection


def entries_of(feed: int) -> list[Entry]:
    """Twenty entries, of which a fifth stand at the addresses of another feed; each links to one of another feed."""
    return [
        make_entry(
            f"{feed} {number}",
            link=f"https://page.example/{(feed // 2 if number % 5 == 0 else feed)}/{number}",
            title=f"Harbour {number} of feed {feed} reopens after storm",
            text=f"Ferries sail from pier {number}.",
            published=NOW - number * HOUR,
            outlinks=(f"https://page.example/{(feed + 1) % len(FEEDS)}/{number}",),
            language="en" if feed % 2 else "de",
        )
        for number in range(20)
    ]


@pytest.fixture
def filled(store: Store) -> Store:
    """240 entries, curated, seen and liked."""
    follow(store, *FEEDS, section="World", at=NOW - 60 * HOUR)
    for some in range(2):
        for feed, url in enumerate(FEEDS):
            poll(store, url, *entries_of(feed)[some::2], at=NOW + (20 * some + feed - 50) * HOUR)
    ids = [item.item_id for item in store.pending(limit=2_000)]
    store.put_curation(
        Curation(
            curated=tuple(ids),
            joins=tuple(StoryJoin(item_id=one, story=ids[number - number % 4]) for number, one in enumerate(ids)),
            related=tuple(
                RelatedPair(item_id=one, other_id=other, score=0.5) for one, other in zip(ids, ids[7:], strict=False)
            ),
        ),
        now=NOW,
    )
    views = [
        View(item_id=one, visitor=bytes([number]), at=NOW - place * HOUR)
        for place, one in enumerate(ids[:100])
        for number in range(3)
    ]
    store.record_views(views)
    store.fold_views()
    store.add_reader("Ada", "token", now=NOW)
    for one in ids[:100]:
        store.like(one, visitor=b"me", now=NOW)
        store.record_opened("token", one, now=NOW)
    store.mark_items("token", ids[:100], read=True, starred=True, now=NOW)
    store.add_impressions(dict.fromkeys(ids[:100], 1.0), at=NOW)
    return store


def calls(store: Store) -> dict[str, Callable[[], object]]:
    """Every call that comes with each poll, each page or each round of curation."""
    ids = [item.id for item in store.latest(Scope(), limit=40)]
    since = NOW - 5 * HOUR
    hours = count(3)
    own = source_id(store, FEEDS[3])
    slug = store.sources(now=NOW)[3].ref.slug
    cursor = store.candidate_changes(POPULATION, after=None, now=NOW).cursor

    def complete(entries: Sequence[Entry]) -> None:
        at = NOW + next(hours) * HOUR
        store.complete(lease_of(store, FEEDS[3], at=at), make_result(own, entries, at=at))

    def count_a_view() -> None:
        store.record_views([View(item_id=ids[7], visitor=b"x", at=NOW)])
        store.fold_views()

    return {
        "claim": lambda: store.claim(now=NOW + 2 * HOUR, limit=3, lease=LEASE),
        "next_due": lambda: store.next_due(now=NOW),
        "known": lambda: store.known(
            own, guids=["3 1"], links=["https://page.example/3/2"], titles=["x"], numbers=["1"]
        ),
        "complete 304": lambda: complete([]),
        "complete the same": lambda: complete(entries_of(3)),
        "complete new": lambda: complete([make_entry(f"new {n}", link=f"https://n.example/{n}") for n in range(5)]),
        "complete edits": lambda: complete([edited(one, f"Other words {n}") for n, one in enumerate(entries_of(3))]),
        "candidate_changes": lambda: store.candidate_changes(POPULATION, after=cursor, now=NOW + next(hours) * HOUR),
        "pending": lambda: store.pending(limit=20),
        "texts": lambda: store.texts(ids),
        "history": lambda: list(store.history(since=since, newest=20)),
        "curated_ids": lambda: store.curated_ids(since=since),
        "doubted": lambda: store.doubted(limit=9),
        "put_curation": lambda: store.put_curation(
            Curation(
                curated=tuple(ids[:3]),
                merges=(Merge(keep=ids[0], absorb=ids[1], rule="near-duplicate"),),
                joins=(StoryJoin(item_id=ids[2], story=ids[2]),),
                related=(RelatedPair(item_id=ids[0], other_id=ids[2], score=0.5),),
            ),
            now=NOW,
        ),
        "put_verdicts": lambda: store.put_verdicts({(own, "3 4"): Verdict(boost=2.0)}),
        "latest": lambda: store.latest(Scope(), limit=30),
        "latest, further": lambda: store.latest(Scope(), limit=30, before=(NOW - HOUR, ids[0])),
        "latest of a section": lambda: store.latest(Scope(section="World"), limit=30),
        "latest of a source": lambda: store.latest(Scope(source_slug=slug), limit=30),
        "latest of a language": lambda: store.latest(Scope(language="en"), limit=30),
        "items": lambda: store.items(ids),
        "resolve": lambda: store.resolve(ids[5]),
        "provenance": lambda: store.provenance(ids[5]),
        "story": lambda: store.story(ids[5]),
        "stories_each": lambda: store.stories_each(ids[5:9]),
        "stories": lambda: list(store.stories(min_sources=1, limit=5)),
        "related": lambda: store.related(ids[5], limit=5),
        "search": lambda: store.search("harbour 7", limit=9),
        "search_counts": lambda: store.search_counts("harbour 7"),
        "activity": lambda: store.activity(since=since),
        "generation": store.generation,
        "views": count_a_view,
        "view_counts": lambda: store.view_counts(since=since, until=NOW),
        "view_counts of some": lambda: store.view_counts(since=since, until=NOW, ids=ids),
        "views_by_hour": lambda: store.views_by_hour(ids[7], since=since, until=NOW),
        "views_by_section": lambda: store.views_by_section(since=since, until=NOW),
        "like": lambda: store.like(ids[7], visitor=b"you", now=NOW),
        "impressions": lambda: store.add_impressions({ids[7]: 0.5}, at=NOW),
        "opened": lambda: store.opened("token", limit=9),
        "mark_items": lambda: store.mark_items("token", ids, read=True, now=NOW),
        "item_states": lambda: store.item_states("token", ids),
        "sources": lambda: store.sources(now=NOW),
        "states": lambda: store.states(now=NOW),
        "retain": lambda: store.retain(before=NOW - 17 * HOUR, now=NOW),
    }


def pretend_to_be_large(url: str) -> None:
    """Has PostgreSQL believe that its tables hold thousands of times as many rows."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute(
            "UPDATE pg_class SET reltuples = reltuples * 5000 WHERE reltuples > 0"
            " AND relnamespace = 'aggregator'::regnamespace"
        )


def test_no_hot_query_reads_a_large_table_whole(filled: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_postgresql(store_url):
        pretend_to_be_large(store_url)
    found: dict[str, dict[str, str]] = {}
    for name, call in calls(filled).items():
        with explaining(filled, monkeypatch) as explained:
            call()
        assert explained.statements or name == "pending", f"{name}: nothing was explained"
        if explained.scans:
            found[name] = explained.scans
    assert found == {}
