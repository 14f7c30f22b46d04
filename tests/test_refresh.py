from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from curating import NOON

from aggregator.curate.thresholds import Thresholds
from aggregator.errors import StoreUnavailable
from aggregator.model import (
    Curation,
    Entry,
    ItemList,
    ListKey,
    OwnFeed,
    ParsedEntry,
    PollResult,
    Scope,
    Source,
    Subscription,
    Verdict,
    View,
)
from aggregator.refresh import CurateOptions, Refreshed, Refresher
from aggregator.refresh.refresher import BATCH
from aggregator.store import Store, open_store

AGENCY = (
    "A freighter carrying 900 tons of grain ran aground off Harbour Town early on Monday after its steering failed in "
    "heavy fog, the coast guard said, closing the main channel to all ships for at least two days."
)
SHIP = "Grain freighter runs aground off Harbour Town, closing the channel"
BRIDGE = (
    "A swing bridge that was built in 1887 opened for the last time at Mill Quay on Tuesday, as engineers who had kept "
    "it moving for three decades watched from the bank and the mayor read out a farewell."
)
AGENCY_BY_HOUR = {0: (SHIP, AGENCY), 1: ("Old swing bridge at Mill Quay opens for the last time", BRIDGE)}
#: said by two sources under headlines of their own
ORE = (
    "Miners who had been cut off for nine days by a flood in the Karsholt ore mine walked out of a side shaft on "
    "Sunday, hungry and in good spirits, after divers had found a dry gallery that was missing from every plan."
)
SALT = (
    "A salt lake in the Quillon desert has turned pink within a week, and biologists who went there by camel say "
    "that a shrimp nobody had described before is feeding on algae which the spring rain had woken."
)
HEADLINES = {
    2: (ORE, "Divers find a way out", "Karsholt: all are safe"),
    3: (SALT, "A pink lake", "Shrimp nobody knew"),
}
SECTIONS = {"World": 3, "Science": 2}
#: what each source writes about, beside the ship
SUBJECTS = ("bridges", "orchids", "chess", "glaciers", "violins")
KINDS = ("iron", "tropical", "blindfold", "receding", "baroque")
OPTIONS = CurateOptions(
    sections=("World", "Science", "Culture"),
    feeds=(
        OwnFeed(name="chess", title="Chess", order="ranking:1d", match='title contains "chess"'),
        OwnFeed(name="fine", title="Fine", order="recommended", match='section = "Science"'),
        OwnFeed(name="all", title="All", order="latest"),
    ),
)


def url(number: int) -> str:
    return f"http://127.0.0.{number + 1}/feed"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store("sqlite:refresh.db", base=tmp_path)
    sections = [name for name, count in SECTIONS.items() for _ in range(count)]
    opened.sync_sources(
        [Subscription(url=url(n), name=f"Paper {n}", section=section) for n, section in enumerate(sections)], now=NOON
    )
    poll(opened)
    yield opened
    opened.close()


def poll(store: Store, *, hours: int = 0) -> None:
    """Every source brings six articles of its own, and two of them the same agency story."""
    now = NOON + timedelta(hours=hours)
    for lease in store.claim(now=now, limit=50, lease=timedelta(minutes=5), force=True):
        for source in lease.sources:
            entries = tuple(entries_of(source, hours))
            store.complete(
                lease,
                PollResult(
                    source_id=source.id,
                    outcome="new",
                    polled_at=now,
                    next_poll=now + timedelta(hours=1),
                    entries=entries,
                ),
            )


def entries_of(source: Source, hours: int) -> Iterator[Entry]:
    number = int(source.name[-1])
    subject, kind = SUBJECTS[number], KINDS[number]
    for n in range(6):
        own = [rare(f"{number}-{hours * (place > 0)}-{n}-{place}") for place in range(12)]
        title, lead = f"What {subject} mean to {' '.join(own[:7])}", f"{kind} {subject}: {' '.join(own[7:])}."
        yield entry(source, f"{hours}-{n}", title, lead, minutes=n + number)
    if number < 2:
        title, lead = AGENCY_BY_HOUR.get(hours, AGENCY_BY_HOUR[1])
        if hours in HEADLINES:
            lead, *titles = HEADLINES[hours]
            title = titles[number]
        yield entry(source, f"{hours}-agency", title, lead, minutes=30 + number)


def rare(seed: str) -> str:
    """A word that nothing else has."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in hashlib.sha256(seed.encode()).hexdigest()[:6])


def entry(source: Source, name: str, title: str, lead: str, *, minutes: int) -> Entry:
    link = f"{source.subscription.url}/{name}"
    published = NOON - timedelta(minutes=minutes)
    parsed = ParsedEntry(
        guid=name,
        link=link,
        title=title,
        text=lead,
        language="en",
        published=published,
        content_hash=hashlib.sha256((title + lead).encode()).digest(),
    )
    return Entry(entry_id=name, id_basis="guid", parsed=parsed, canonical_url=link, published=published)


def places(store: Store, key: ListKey) -> list[str]:
    kept = store.get_list(key)
    assert kept is not None
    return [place.item_id for place in kept.places]


def open_by(store: Store, item_id: str, readers: int, *, minutes: int = 0) -> None:
    at = NOON + timedelta(minutes=minutes)
    store.record_views([View(item_id=item_id, at=at, visitor=f"{minutes}:{n}".encode()) for n in range(readers)])
    store.fold_views()


def test_items_are_curated_once_and_every_list_is_made(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    first = refresher.run(NOON)
    assert store.stats().pending == 0
    assert first.merges == 1
    assert first.lists == (len(OPTIONS.windows) + 1) * (1 + len(OPTIONS.sections)) + 2
    (ship,) = store.search("freighter", limit=10)
    assert len(ship.copies) == 2
    again = refresher.run(NOON + timedelta(minutes=1))
    assert (again.curated, again.merges) == (0, 0)


def test_recommendation_does_not_repeat_ranking(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    ranking, recommended = (
        places(store, ListKey(order="ranking", window="1d")),
        places(store, ListKey(order="recommended")),
    )
    assert ranking
    assert recommended
    assert not set(ranking[: OPTIONS.ranking_size]) & set(recommended)


def test_sections_hold_their_own_items_and_an_empty_one_an_empty_list(store: Store) -> None:
    Refresher(store, OPTIONS).run(NOON)
    science = places(store, ListKey(order="recommended", scope="section", name="Science"))
    assert {item.section for item in store.items(science)} == {"Science"}
    assert places(store, ListKey(order="ranking", window="1d", scope="section", name="Culture")) == []


GERMAN = (
    ("Der Hafen bleibt bis zum Frühjahr geschlossen", "Die Fischer warten seit Wochen, weil das Eis nicht weicht."),
    ("Warum die Züge im Norden wieder fahren", "Nach dem Sturm sind die Gleise frei, sagt der Betreiber am Abend."),
    ("Ein Chor singt auf der brennenden Fähre", "Niemand wurde verletzt, und die Gäste blieben bis zum Schluss."),
)


def test_a_language_has_lists_of_its_own(store: Store) -> None:
    [lease] = store.claim(now=NOON, limit=1, lease=timedelta(minutes=5), force=True, only=frozenset({url(4)}))
    entries = [entry(lease.sources[0], f"de-{n}", *told, minutes=n) for n, told in enumerate(GERMAN)]
    spoken = tuple(replace(one, parsed=replace(one.parsed, language="de-AT")) for one in entries)
    result = PollResult(
        source_id=lease.sources[0].id,
        outcome="new",
        polled_at=NOON,
        next_poll=NOON + timedelta(hours=1),
        entries=spoken,
    )
    store.complete(lease, result)
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    german = {item.id for item in store.search("die", limit=9)}
    assert len(german) == len(GERMAN)
    ranked = ListKey(order="ranking", window="1d", scope="language", name="de")
    for item_id in german:
        open_by(store, item_id, 1)
    refresher.run(NOON + timedelta(seconds=30))
    assert set(places(store, ranked)) == german
    assert set(places(store, replace(ranked, name="en"))).isdisjoint(german)
    assert places(store, replace(ranked, name="en"))
    assert places(store, ListKey(order="recommended", scope="language", name="en"))
    assert store.get_list(replace(ranked, name="fr")) is None
    refresher.options = replace(OPTIONS, languages=("fr",))
    refresher.run(NOON + timedelta(minutes=1))
    assert places(store, replace(ranked, name="fr")) == []


def test_ranking_follows_the_views_and_can_be_asked_for_any_time(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    one, other = (item.id for item in store.search("chess", limit=2))
    open_by(store, one, 3)
    open_by(store, other, 5, minutes=90)
    later = NOON + timedelta(hours=2)
    refresher.run(later)
    kept = store.get_list(ListKey(order="ranking", window="1d"))
    assert kept is not None
    assert [(place.item_id, place.views) for place in kept.places[:2]] == [(other, 5), (one, 3)]
    assert kept.basis == "mixed"
    before = refresher.ranking("1d", at=NOON + timedelta(minutes=30))
    assert [(place.item_id, place.views) for place in before.places[:1]] == [(one, 3)]
    assert refresher.ranking("1d", at=later).places == kept.places[: OPTIONS.ranking_size]
    assert len(kept.places) > OPTIONS.ranking_size
    assert len(refresher.ranking("1d", at=later, section="Science", size=0).places) > 0
    assert places(store, ListKey(order="ranking", window="1h"))[0] == other


def test_movement_is_the_place_an_hour_ago_and_can_be_asked_for_any_time(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    one, other, third = (item.id for item in store.search("chess", limit=3))
    open_by(store, one, 5, minutes=0)
    open_by(store, other, 3, minutes=1)
    then, now = NOON + timedelta(minutes=20), NOON + timedelta(minutes=80)
    for minutes, (item, readers) in enumerate(((other, 6), (third, 1)), 70):
        open_by(store, item, readers, minutes=minutes)
    found = refresher.ranking("1d", at=now, size=3)
    assert found.basis == "views"
    assert [(place.item_id, place.rank_before) for place in found.places] == [(other, 2), (one, 1), (third, None)]
    assert found.compared_at == then
    assert [place.item_id for place in refresher.ranking("1d", at=then, size=2).places] == [one, other]
    assert refresher.ranking("1d", at=then, size=2).compared_at is None, "nobody had opened anything before"
    mixed = refresher.ranking("1d", at=now)
    assert mixed.basis == "mixed"
    assert mixed.compared_at is None
    assert {place.rank_before for place in mixed.places} == {None}
    (hour,) = (refresher.ranking("1h", at=now, size=1),)
    assert hour.compared_at == now - timedelta(minutes=10)


def test_own_feeds_hold_what_matches(store: Store) -> None:
    Refresher(store, OPTIONS).run(NOON)
    chess = store.items(places(store, ListKey(order="ranking", window="1d", scope="feed", name="chess")))
    assert chess
    assert all("chess" in item.title for item in chess)
    fine = store.items(places(store, ListKey(order="recommended", scope="feed", name="fine")))
    assert {item.section for item in fine} == {"Science"}
    assert store.get_list(ListKey(order="recommended", scope="feed", name="all")) is None


def test_a_reader_is_not_told_to_read_again_what_they_read(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    store.add_reader("Ada", "token", now=NOON)
    refresher.run(NOON)
    key = ListKey(order="recommended", scope="reader", name="token")
    first = places(store, key)[0]
    store.record_opened("token", first, now=NOON)
    refresher.run(NOON + timedelta(minutes=1))
    assert first not in places(store, key)


def test_rising_is_what_is_opened_more_often_than_before(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    falling, rising, small = (item.id for item in store.search("chess", limit=3))
    for minutes, item_id, readers in ((30, falling, 20), (125, falling, 4), (125, rising, 5), (125, small, 2)):
        open_by(store, item_id, readers, minutes=minutes)
    refresher.run(NOON + timedelta(hours=2, minutes=10))
    kept = store.get_list(ListKey(order="ranking", window="1d"))
    assert kept is not None
    found = {place.item_id: "rising" in place.reasons for place in kept.places if place.views}
    assert found == {falling: False, rising: True, small: False}


def test_a_readers_latest_are_in_their_order_once_there_is_one(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    store.add_reader("Ada", "token", now=NOON)
    key = ListKey(order="latest", scope="reader", name="token")
    refresher.run(NOON)
    assert places(store, key) == []
    chess = [item.id for item in store.search("chess", limit=9)]
    for item_id in chess[:5]:
        store.record_opened("token", item_id, now=NOON)
    refresher.run(NOON + timedelta(minutes=1))
    assert set(places(store, key)[: len(chess)]) == set(chess)
    found = store.provenance(chess[0])
    assert found is not None
    assert not [name for name, *_ in found.places if "token" in name]


def test_options_may_change_between_runs(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    refresher.options = CurateOptions(ranking_size=2, ranking_depth=3, recommendation_size=1)
    refresher.run(NOON + timedelta(minutes=1))
    assert len(places(store, ListKey(order="ranking", window="1d"))) == 3
    assert len(refresher.ranking("1d", at=NOON).places) == 2
    assert len(places(store, ListKey(order="recommended"))) == 1


def test_what_counts_as_a_copy_may_change_for_what_comes_from_then_on(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    assert refresher.run(NOON).merges == 1
    refresher.options = replace(OPTIONS, thresholds=Thresholds(duplicate=1.0, similarity=0.6))
    poll(store, hours=1)
    changed = refresher.run(NOON + timedelta(hours=1))
    assert changed.merges == 1, "the very same text, with every setting"
    items = store.latest(Scope(), limit=0)
    assert sum(item.sources == 2 for item in items) == 2
    # a copy under another headline is one with the usual setting, and none with the strictest
    poll(store, hours=2)
    assert refresher.run(NOON + timedelta(hours=2)).merges == 0
    refresher.options = OPTIONS
    poll(store, hours=3)
    assert refresher.run(NOON + timedelta(hours=3)).merges == 1


def test_an_edit_takes_a_merge_apart_and_another_one_puts_it_together(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    (item,) = [item for item in store.latest(Scope(), limit=0) if item.sources == 2]
    (former,) = former_ids(store, item.id)

    def edit(title: str, lead: str, hours: int) -> Refreshed:
        now = NOON + timedelta(hours=hours)
        for lease in store.claim(now=now, limit=50, lease=timedelta(minutes=5), force=True, only=frozenset({url(1)})):
            (source,) = lease.sources
            result = PollResult(
                source_id=source.id,
                outcome="new",
                polled_at=now,
                next_poll=now + timedelta(hours=1),
                entries=(entry(source, "0-agency", title, lead, minutes=31),),
            )
            store.complete(lease, result)
        return refresher.run(now)

    done = edit("Old swing bridge at Mill Quay opens for the last time", BRIDGE, 1)
    assert (done.splits, done.merges, done.curated) == (1, 0, 2)
    assert {one.id: one.sources for one in store.items([item.id, former])} == {item.id: 1, former: 1}
    assert store.items([item.id])[0].story != store.items([former])[0].story
    assert store.stats().pending == 0
    assert edit("Old swing bridge at Mill Quay opens for good", BRIDGE, 2).splits == 0
    again = edit(SHIP, AGENCY, 3)
    assert (again.splits, again.merges) == (0, 1)
    assert store.resolve(former) == item.id
    assert store.items([item.id])[0].sources == 2


def former_ids(store: Store, item_id: str) -> tuple[str, ...]:
    found = store.provenance(item_id)
    assert found is not None
    return found.former_ids


def test_a_second_process_knows_what_the_first_decided(store: Store) -> None:
    Refresher(store, OPTIONS).run(NOON)
    second = Refresher(store, OPTIONS)
    assert second.load(NOON) == store.stats().items
    poll(store, hours=1)
    assert second.run(NOON + timedelta(hours=1)).merges == 1
    assert store.stats().pending == 0


def test_a_run_knows_what_another_process_has_decided_since(store: Store) -> None:
    first, second = Refresher(store, OPTIONS), Refresher(store, OPTIONS)
    first.run(NOON)
    second.load(NOON)
    poll(store, hours=1)
    first.run(NOON + timedelta(hours=1))
    assert second.run(NOON + timedelta(hours=1)).curated == 0
    later = NOON + timedelta(hours=2)
    for lease in store.claim(now=later, limit=50, lease=timedelta(minutes=5), force=True):
        for source in lease.sources:
            late = entry(source, "late", *AGENCY_BY_HOUR[1], minutes=0)
            entries = (late,) if source.name == "Paper 3" else ()
            result = PollResult(source_id=source.id, outcome="new", polled_at=later, next_poll=later, entries=entries)
            store.complete(lease, result)
    assert second.run(later).merges == 1, "the bridge that the first decided about"


def add(store: Store, entries: Callable[[Source], Iterable[Entry]], *, at: datetime = NOON) -> None:
    """The first source brings these."""
    claimed = max(at, NOON)  # a source is not asked before it was asked last
    (lease,) = store.claim(now=claimed, limit=1, lease=timedelta(minutes=5), force=True, only=frozenset({url(0)}))
    (source,) = lease.sources
    brought = tuple(entries(source))
    store.complete(
        lease,
        PollResult(
            source_id=source.id, outcome="new", polled_at=at, next_poll=at + timedelta(hours=1), entries=brought
        ),
    )


def old_news(source: Source, number: int) -> Entry:
    """One of an import: a day old and more."""
    lead = f"{rare(f'{number} b')} {rare(f'{number} c')}"
    return entry(source, f"old-{number}", rare(f"{number} a"), lead, minutes=1_440 + 2 * number)


def test_a_backlog_yields_to_news_at_every_step(store: Store) -> None:
    """Old items wait behind today's; what comes meanwhile is decided by the next step, and its lists made."""
    today = {item.item_id for item in store.pending(limit=1_000)}
    add(store, lambda source: (old_news(source, number) for number in range(3 * BATCH)))
    refresher = Refresher(store, OPTIONS)
    done = refresher.decide(NOON)
    assert (done.curated + done.merges, done.waiting) == (BATCH, True)
    left = store.pending(limit=4 * BATCH)
    assert today.isdisjoint(item.item_id for item in left)
    oldest_decided = NOON - timedelta(minutes=1_440 + 2 * (BATCH - len(today) - 1))
    assert all(item.published < oldest_decided for item in left), "the newest were decided about"

    later = NOON + timedelta(minutes=1)
    add(store, lambda source: [entry(source, "late", "A comet nobody expected", rare("comet"), minutes=0)], at=later)
    (late,) = store.pending(limit=1)
    assert refresher.decide(later).waiting
    assert refresher.make_lists(later) > 0
    assert late.item_id not in {item.item_id for item in store.pending(limit=4 * BATCH)}
    ranking = places(store, ListKey(order="ranking", window="1d"))
    assert late.item_id in ranking
    assert {late.item_id, *today}.issuperset(ranking)
    assert today & set(places(store, ListKey(order="recommended")))

    done = refresher.run(later)
    assert not done.waiting
    assert store.stats().pending == 0


def test_what_is_in_the_store_is_read_in_steps_as_well(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start with more than is read at once: the newest are known first, and news need not wait for the rest."""
    Refresher(store, OPTIONS).run(NOON)
    poll(store, hours=1)
    monkeypatch.setattr("aggregator.refresh.refresher.READ_FIRST", 5)
    monkeypatch.setattr("aggregator.refresh.refresher.READ_ON", 5)
    second = Refresher(store, OPTIONS)
    assert second.load(NOON) == 5
    first_step = second.decide(NOON + timedelta(hours=1))
    assert first_step.curated
    assert first_step.waiting, "the rest is still to be read"
    assert store.stats().pending == 0
    assert not second.run(NOON + timedelta(hours=1)).waiting
    assert second.decide(NOON + timedelta(hours=1)) == Refreshed()


@pytest.mark.parametrize("restarted", [False, True])
def test_lists_do_not_go_back_with_the_clock(store: Store, *, restarted: bool) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    ranking, recommended = ListKey(order="ranking", window="1d"), ListKey(order="recommended")
    before = places(store, ranking), places(store, recommended)
    if restarted:
        refresher = Refresher(store, OPTIONS)
    back = NOON - timedelta(hours=1)
    refresher.run(back)
    assert (places(store, ranking), places(store, recommended)) == before
    add(store, lambda source: [entry(source, "comet", "A comet nobody expected", rare("comet"), minutes=60)], at=back)
    (item_id,) = (item.item_id for item in store.pending(limit=2))
    open_by(store, item_id, 5, minutes=-59)
    refresher.run(back + timedelta(minutes=2))
    assert places(store, ranking)[0] == item_id, "news are listed while the clock is behind"
    refresher.run(NOON + timedelta(minutes=1))
    assert places(store, ranking)[0] == item_id


def test_a_clock_that_was_a_year_ahead_leaves_nothing_forgotten(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    year = NOON + timedelta(days=365)
    title, lead = "A meteor that nobody saw lit up the fjord", f"{rare('fjord')} {rare('meteor')}"
    add(store, lambda source: [entry(source, "ahead", title, lead, minutes=-1)], at=year)
    refresher.run(year)
    for key in (ListKey(order="ranking", window="1d"), ListKey(order="recommended")):
        assert len(places(store, key)) <= 1, "what is a year old is in no list"
    back = NOON + timedelta(hours=1)
    (lease,) = store.claim(now=back, limit=1, lease=timedelta(minutes=5), force=True, only=frozenset({url(2)}))
    copy = entry(lease.sources[0], "copy", SHIP, AGENCY, minutes=0)
    store.complete(
        lease,
        PollResult(
            source_id=lease.sources[0].id,
            outcome="new",
            polled_at=back,
            next_poll=back + timedelta(hours=1),
            entries=(copy,),
        ),
    )
    assert refresher.run(back).merges == 1, "it is the story that was decided about before the clock went wrong"
    assert len(places(store, ListKey(order="ranking", window="1d"))) > 10


def test_nothing_is_begun_after_stop(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.stop.set()
    assert refresher.run(NOON).curated == 0
    assert store.stats().pending > 0


def test_a_commit_that_fails_is_decided_again(store: Store, tmp_path: Path) -> None:
    class Failing:
        """The store, whose first commit of a curation fails."""

        def __init__(self) -> None:
            self.failed = False

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def put_curation(self, curation: Curation, **changes: object) -> None:
            if not self.failed:
                self.failed = True
                raise StoreUnavailable("the disk is full")
            store.put_curation(curation, **changes)  # type: ignore[arg-type]

    refresher = Refresher(Failing(), OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        refresher.run(NOON)
    done = refresher.run(NOON)
    assert done.merges == 1
    assert store.stats().pending == 0


def test_changed_rules_are_applied_to_what_is_stored(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)

    def judge(source: Source, parsed: ParsedEntry) -> Verdict:
        assert source.subscription.section in SECTIONS
        return Verdict(dropped="no chess") if "chess" in parsed.title else Verdict()

    assert refresher.apply_rules(judge, now=NOON) == 6
    assert refresher.apply_rules(judge, now=NOON) == 0
    refresher.run(NOON + timedelta(minutes=1))
    assert places(store, ListKey(order="ranking", window="1d", scope="feed", name="chess")) == []
    assert store.search("chess", limit=5) == []


def test_an_unchanged_site_has_unchanged_lists(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)

    def kept() -> list[ItemList | None]:
        return [store.get_list(ListKey(order="ranking", window=window)) for window in OPTIONS.windows]

    before, generation = [[p.item_id for p in one.places] for one in kept() if one], store.generation()
    refresher.run(NOON + timedelta(seconds=10))
    assert [[p.item_id for p in one.places] for one in kept() if one] == before
    assert store.generation() == generation


def test_related_pairs_are_stored_both_ways(store: Store) -> None:
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    poll(store, hours=60)
    refresher.run(NOON + timedelta(hours=60))
    glaciers = {item.id: item for item in store.search("glaciers", limit=0)}
    scores = {(name, one.item.id): one.score for name in glaciers for one in store.related(name, limit=0)}
    # a pair is decided when the younger arrives: the elder knows of it because it is stored the other way, too
    elder = [(a, b) for a, b in scores if b in glaciers and glaciers[a].first_seen < glaciers[b].first_seen]
    assert elder
    mutual = [(a, b) for a, b in elder if (b, a) in scores]
    assert mutual
    assert all(scores[a, b] == scores[b, a] for a, b in mutual)


def test_sentence_vectors_hold_from_the_next_run_on(store: Store) -> None:
    read: list[str] = []

    def encode(said: str) -> tuple[float, float]:
        read.append(said)
        return (1.0, 0.0)

    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    refresher.options = replace(OPTIONS, encoder=encode)
    poll(store, hours=60)
    refresher.run(NOON + timedelta(hours=60))
    assert any("glaciers" in said.lower() for said in read)
    best = [one.score for item in store.search("glaciers", limit=20) for one in store.related(item.id, limit=1)]
    assert max(best) > 0.4, "what is said alike counts two fifths"
    read.clear()
    refresher.options = OPTIONS
    poll(store, hours=120)
    refresher.run(NOON + timedelta(hours=120))
    assert read == []


def subscriptions(sections: Iterable[str]) -> list[Subscription]:
    return [Subscription(url=url(n), name=f"Paper {n}", section=section) for n, section in enumerate(sections)]


@pytest.mark.parametrize("restarted", [False, True])
def test_lists_follow_sections_and_sources_that_change(store: Store, *, restarted: bool) -> None:
    """A section renamed, emptied and filled again, sources removed, all dropped: lists show what there is."""
    world, science = (ListKey(order="ranking", window="1d", scope="section", name=name) for name in SECTIONS)
    earth = ListKey(order="ranking", window="1d", scope="section", name="Earth")
    site, recommended = ListKey(order="ranking", window="1d"), ListKey(order="recommended")
    refresher = Refresher(store, OPTIONS)
    refresher.run(NOON)
    assert places(store, world)
    assert places(store, science)

    def run(minutes: int, *sections: str) -> None:
        nonlocal refresher
        store.sync_sources(subscriptions(sections), now=NOON + timedelta(minutes=minutes))
        if restarted:
            refresher = Refresher(store, refresher.options)
        refresher.options = replace(OPTIONS, sections=tuple(dict.fromkeys(sections)))
        refresher.run(NOON + timedelta(minutes=minutes))

    run(1, "Earth", "Earth", "Earth", "Science", "Science")
    assert {item.section for item in store.items(places(store, earth))} == {"Earth"}
    assert {item.section for item in store.items(places(store, site))} == {"Earth", "Science"}
    run(2, "Earth", "Earth", "Earth", "Earth", "Earth")
    assert len(places(store, earth)) > len(places(store, site)) / 2
    run(3, "World", "Earth", "Earth", "Science", "Science")
    assert {item.section for item in store.items(places(store, science))} == {"Science"}
    run(4, "World")
    assert len(places(store, world)) == len(set(places(store, world)))
    assert {item.section for item in store.items(places(store, world))} == {"World"}
    run(5, "World", "Earth", "Earth", "Science", "Science")
    refresher.apply_rules(lambda *_: Verdict(dropped="all of it"), now=NOON)
    run(6, "World", "Earth", "Earth", "Science", "Science")
    for key in (site, recommended, world, earth, science):
        assert places(store, key) == [], f"{key} shows what has been dropped"


def test_what_was_decided_before_a_crash_is_listed_after_it(store: Store) -> None:
    assert Refresher(store, OPTIONS).decide(NOON).curated
    after = Refresher(store, OPTIONS)
    assert after.run(NOON + timedelta(minutes=1)).curated == 0
    assert places(store, ListKey(order="ranking", window="1d"))
    assert places(store, ListKey(order="recommended"))
