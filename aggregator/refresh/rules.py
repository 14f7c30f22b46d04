"""Rules applied to what is stored already, after they have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

from aggregator.model import ItemText, ParsedEntry, Source, SourceHealth, Verdict
from aggregator.store import Store

__all__ = ["Judge", "apply_rules", "verdicts"]

Judge = Callable[[Source, ParsedEntry], Verdict]
Judged = tuple[tuple[int, str], Verdict]

#: verdicts that are committed at once
CHUNK = 1_000
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def apply_rules(
    store: Store, judge: Judge, *, now: datetime, since: datetime = EVER, stopped: Callable[[], bool]
) -> int:
    """Judges every stored entry anew; how many verdicts changed."""
    judged = verdicts(store, judge, now=now, since=since)
    changed = 0
    while not stopped() and (chunk := dict(islice(judged, CHUNK))):
        changed += store.put_verdicts(chunk)
    return changed


def verdicts(store: Store, judge: Judge, *, now: datetime, since: datetime) -> Iterator[Judged]:
    """What `judge` says of each entry stored since then; entries of sources that are not followed are passed over."""
    sources = {health.ref.id: _source(health) for health in store.sources(now=now)}
    for source_id, entry_id, text, categories, author in store.entries_since(since):
        source = sources.get(source_id)
        if source is not None:
            yield (source_id, entry_id), judge(source, _entry(text, categories, author))


def _source(health: SourceHealth) -> Source:
    ref = health.ref
    return Source(id=ref.id, slug=ref.slug, subscription=health.subscription, fetch_url=ref.url, title=_title(health))


def _title(health: SourceHealth) -> str:
    """The feed's own title, as far as it shows through the name it goes by."""
    return "" if health.subscription.name else health.ref.name


def _entry(text: ItemText, categories: tuple[str, ...], author: str) -> ParsedEntry:
    """The entry as far as rules look at it; its address in the canonical form, the only one that is at hand."""
    return ParsedEntry(
        title=text.title,
        text=text.text,
        link=text.canonical_url,
        author=author or None,
        categories=categories,
        language=text.language,
        published=text.published,
        outlinks=text.outlinks,
    )
