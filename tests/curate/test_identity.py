from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.curate.identity import Identified, entry_keys, identify, is_partial_document_enough
from aggregator.curate.identity.entries import first_times
from aggregator.model import KnownEntry, ParsedEntry

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
FEED = "https://example.org/feed.xml"
GUIDS = [None, *(f"g{n}" for n in range(12))]


class Memory:
    """What a store remembers of one source, in a dictionary: rows by entry id."""

    def __init__(self) -> None:
        self.rows: dict[str, KnownEntry] = {}
        self.unstable = False
        self.announced: list[str] = []
        self.now = NOW

    def known(self, entries: Sequence[ParsedEntry]) -> list[KnownEntry]:
        keys = [entry_keys(entry) for entry in entries]
        guids, links = {guid for guid, _ in keys if guid}, {link for _, link in keys if link}
        return [row for row in self.rows.values() if row.guid in guids or row.canonical_url in links]

    def poll(self, *entries: ParsedEntry) -> Identified:
        """One poll; `announced` grows by the titles of what is new."""
        self.now += timedelta(hours=1)
        found = identify(entries, self.known(entries), source_url=FEED, now=self.now, unstable_ids=self.unstable)
        self.unstable = found.unstable_ids
        for entry in found.entries:
            if entry.replaces in self.rows and entry.entry_id not in self.rows:
                row = self.rows.pop(entry.replaces or "")
                self.rows[entry.entry_id] = replace(row, entry_id=entry.entry_id, guid=entry.parsed.guid)
            if entry.entry_id in self.rows:
                row = self.rows[entry.entry_id]
                self.rows[entry.entry_id] = replace(row, title=entry.parsed.title, canonical_url=entry.canonical_url)
            else:
                self.announced.append(entry.parsed.title)
                self.rows[entry.entry_id] = KnownEntry(
                    entry_id=entry.entry_id,
                    guid=entry.parsed.guid,
                    canonical_url=entry.canonical_url,
                    title=entry.parsed.title,
                    first_seen=self.now,
                    published=entry.published,
                )
        return found


def story(n: int, *, guid: str | None = None, link: str | None = None, title: str | None = None) -> ParsedEntry:
    return ParsedEntry(
        guid=guid,
        link=f"https://example.org/2026/story-number-{n}" if link is None else link or None,
        title=title or f"The story of day {n} in town",
    )


def test_the_same_guid_is_the_same_entry() -> None:
    memory = Memory()
    memory.poll(story(1, guid="a"))
    found = memory.poll(
        story(1, guid="a", link="https://elsewhere.example/1", title="The story of day 1 in town, corrected")
    )
    assert [entry.entry_id for entry in found.entries] == ["a"]
    assert len(memory.announced) == 1


def test_without_guid_the_address_counts() -> None:
    memory = Memory()
    (entry,) = memory.poll(story(1)).entries
    assert (entry.entry_id, entry.id_basis) == ("link:https://example.org/2026/story-number-1", "link")
    memory.poll(story(1, link="http://www.example.org/2026/story-number-1/?utm_source=rss", title="Another heading"))
    assert len(memory.announced) == 1


def test_without_anything_the_words_count() -> None:
    memory = Memory()
    (entry,) = memory.poll(story(1, link="")).entries
    assert entry.id_basis == "hash"
    memory.poll(story(1, link=""), story(2, link=""))
    assert len(memory.announced) == 2


def test_a_migration_of_guids_announces_nothing() -> None:
    memory = Memory()
    memory.poll(*(story(n, guid=f"old-{n}") for n in range(10)))
    found = memory.poll(*(story(n, guid=f"new-{n}") for n in range(10)))
    assert found.warnings == ("guids-changed",)
    assert {entry.replaces for entry in found.entries} == {f"old-{n}" for n in range(10)}
    for _ in range(3):
        found = memory.poll(*(story(n, guid=f"new-{n}") for n in range(11)))
    assert (found.warnings, found.unstable_ids) == ((), False)
    assert len(memory.announced) == 11


def test_guids_that_change_at_every_poll_are_seen_through() -> None:
    memory = Memory()
    for poll in range(6):
        memory.poll(*(story(n, guid=f"{poll}-{n}") for n in range(poll, poll + 10)))
        assert memory.unstable == (poll >= 2)
    assert len(memory.announced) == 15


def test_guids_that_change_at_every_poll_on_one_page() -> None:
    memory = Memory()
    for poll in range(6):
        memory.poll(
            *(
                story(n, guid=f"{poll}-{n}", link=f"https://example.org/changelog#v{n}", title=f"Version {n}.0")
                for n in range(poll, poll + 10)
            )
        )
    assert len(memory.announced) == 15
    assert memory.unstable


def test_one_entry_that_changes_its_guid_with_every_edit() -> None:
    memory = Memory()
    others = [story(n, guid=f"g{n}") for n in range(5)]
    for poll in range(6):
        memory.poll(story(9, guid=f"https://example.org/9#{poll}", title=f"Heading {poll} of the day"), *others)
    assert len(memory.announced) == 6
    assert not memory.unstable


def test_a_page_whose_contents_change_is_not_one_story() -> None:
    memory = Memory()
    for poll in range(4):
        memory.poll(story(1, guid=f"g{poll}", link="https://example.org/live", title=f"{'abcd'[poll] * 5} {poll}x"))
    assert len(memory.announced) == 4


@pytest.mark.parametrize("link", ["https://a.example/feed?token=hidden#1", "https://a.example/feed?token=t0k3n"])
def test_the_feed_is_nobodys_address(link: str) -> None:
    """Its own address, with and without the secret in it: addresses are resolved against what may be shown."""
    entry = story(1, guid="g", link=link)
    (found,) = identify([entry], [], source_url="https://a.example/feed?token=t0k3n", now=NOW).entries
    assert found.canonical_url is None


def test_the_front_page_is_nobodys_address() -> None:
    memory = Memory()
    found = memory.poll(story(1, guid="a", link="https://example.org/"), story(2, guid="b", link=FEED))
    assert [entry.canonical_url for entry in found.entries] == [None, None]
    assert len(memory.announced) == 2


def test_a_guid_that_stands_twice_names_two_entries() -> None:
    memory = Memory()
    for _ in range(3):
        found = memory.poll(story(1, guid="same"), story(2, guid="same"))
        assert len({entry.entry_id for entry in found.entries}) == 2
        assert found.warnings == ("duplicate-guids",)
    assert len(memory.announced) == 2


def test_a_guid_that_stands_twice_once_with_an_address_and_once_without() -> None:
    memory = Memory()
    memory.poll(story(1))
    twice = [story(1, guid="a"), replace(story(1, guid="a"), link=None)]
    first = memory.poll(*twice)
    assert memory.poll(*twice).entries == first.entries
    assert len(memory.rows) == 2


def test_a_guid_used_again_for_another_story() -> None:
    memory = Memory()
    memory.poll(story(1, guid="1", title="Floods in the north of the country"))
    for _ in range(2):
        memory.poll(story(2, guid="1", title="Parliament elects speaker"))
    assert len(memory.announced) == 2


def test_a_live_report_changes_its_headline_and_its_address() -> None:
    memory = Memory()
    site = "https://example.org/markets"
    memory.poll(story(1, guid="p58t11", link=f"{site}/to-open-lower-p58t11.html", title="Shares to open lower"))
    memory.poll(story(1, guid="p58t11", link=f"{site}/rout-goes-on-p58t11.html", title="Rout of miners goes on"))
    assert memory.announced == ["Shares to open lower"]


@pytest.mark.parametrize("guid", ["c77e63ee287cca5057b2cd1d6f6e8829532eaed5", "123e4567-e89b-12d3-a456-426614174000"])
def test_a_guid_that_is_a_hash_is_used_for_one_story_only(guid: str) -> None:
    memory = Memory()
    memory.poll(story(1, guid=guid, title="Watch live: the minister speaks"))
    memory.poll(story(2, guid=guid, title="Trades training is free"))
    assert memory.announced == ["Watch live: the minister speaks"]


@given(st.data())
def test_part_of_a_document_is_told_apart_as_the_whole_is(data: st.DataObject) -> None:
    """What delta parsing leans on: entries that share no key with the rest are identified alone as among it."""
    numbers = data.draw(st.lists(st.integers(0, 9), max_size=8, unique=True))
    before = [story(n, guid=f"g{n}") for n in numbers]
    after = data.draw(st.lists(st.builds(story, st.integers(0, 9), guid=st.sampled_from(GUIDS)), max_size=6))
    memory = Memory()
    memory.poll(*before)
    keys = {key for entry in after for key in entry_keys(entry)}
    rest = [entry for entry in before if keys.isdisjoint(entry_keys(entry))]
    known = memory.known(after)
    if not is_partial_document_enough(after, known):
        return
    alone = identify(after, known, source_url=FEED, now=memory.now)
    whole = identify([*after, *rest], memory.known([*after, *rest]), source_url=FEED, now=memory.now)
    assert alone.entries == whole.entries[: len(alone.entries)]
    assert {entry.entry_id for entry in whole.entries[len(alone.entries) :]} == {entry.guid for entry in rest}


def test_what_a_document_repeats_counts_once() -> None:
    memory = Memory()
    found = memory.poll(*[story(1, guid="a")] * 5, *[story(2)] * 5, *[story(3, link="")] * 5)
    assert len(found.entries) == 3


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        (None, NOW + timedelta(hours=1)),
        (NOW - timedelta(days=3), NOW - timedelta(days=3)),
        (NOW + timedelta(days=300), NOW + timedelta(hours=1)),
    ],
)
def test_times_are_clamped_and_then_kept(claimed: datetime | None, kept: datetime) -> None:
    memory = Memory()
    (first,) = memory.poll(replace(story(1, guid="a"), published=claimed)).entries
    (again,) = memory.poll(replace(story(1, guid="a"), published=NOW + timedelta(hours=2))).entries
    assert first.published == again.published == kept


@pytest.mark.parametrize(
    ("claims", "behind_ms"),
    [
        ((None, None, None), (0, 1, 2)),
        ((NOW - timedelta(days=1),) * 3, (0, 1, 2)),
        ((NOW + timedelta(days=9), None), (0, 1)),
        ((NOW - timedelta(days=2), None, NOW - timedelta(days=2)), (0, 0, 1)),
    ],
)
def test_of_entries_at_one_moment_the_first_is_the_newest(
    claims: tuple[datetime | None, ...], behind_ms: tuple[int, ...]
) -> None:
    times = first_times(claims, NOW)
    whole = [min(claim or NOW, NOW) for claim in claims]
    tops = [max(time for time, at in zip(times, whole, strict=True) if at == moment) for moment in whole]
    assert [(top - time) / timedelta(milliseconds=1) for top, time in zip(tops, times, strict=True)] == list(behind_ms)


@given(st.lists(st.none() | st.datetimes(timezones=st.just(UTC)), max_size=30))
def test_times_are_apart_as_claimed_and_never_ahead(claims: list[datetime | None]) -> None:
    times = first_times(claims, NOW)
    assert all(time <= NOW for time in times)
    claimed = [min(claim or NOW, NOW) for claim in claims]
    assert all(abs(time - claim) < timedelta(milliseconds=30) for time, claim in zip(times, claimed, strict=True))
    for number, one in enumerate(claimed):
        assert all(times[number] > times[after] for after in range(number + 1, len(times)) if claimed[after] == one)


def test_a_naive_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        identify([], [], source_url=FEED, now=datetime(2026, 3, 3))  # noqa: DTZ001 - that is the point


def test_links_out_are_comparable() -> None:
    parsed = replace(story(1), outlinks=("https://www.other.example/x?utm_source=y", "http://other.example/x/"))
    (entry,) = Memory().poll(parsed).entries
    assert entry.outlinks == ("https://other.example/x",)


_entries = st.builds(
    ParsedEntry,
    guid=st.none() | st.sampled_from(["a", "b", "c", "https://example.org/1"]),
    link=st.none()
    | st.sampled_from([f"https://example.org/{path}" for path in ("", "live", "2026/story-a", "?p=2", "x#1")]),
    title=st.sampled_from(["Floods in the north", "Floods in the north, again", "Speaker elected", "(untitled)"]),
    text=st.sampled_from(["", "words", "other words"]),
    published=st.none() | st.just(NOW),
)
_documents = st.lists(_entries, max_size=6)


@given(st.lists(_documents, max_size=5), st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_same_document_again_is_nothing_new(documents: list[list[ParsedEntry]], unstable: bool) -> None:
    memory = Memory()
    memory.unstable = unstable
    for document in documents:
        first = memory.poll(*document)
        rows = dict(memory.rows)
        again = memory.poll(*document)
        assert [e.entry_id for e in again.entries] == [e.entry_id for e in first.entries]
        known = [entry for entry in again.entries if entry.id_basis != "hash"]
        assert [e.published for e in known] == [memory.rows[e.entry_id].published for e in known]
        assert memory.rows.keys() == rows.keys()
        assert len({entry.entry_id for entry in first.entries}) == len(first.entries)


@given(_documents)
@settings(deadline=None)
def test_no_entry_with_its_own_keys_is_lost(document: list[ParsedEntry]) -> None:
    found = identify(document, [], source_url=FEED, now=NOW)
    kept = {entry_keys(entry.parsed) for entry in found.entries}
    assert kept == {entry_keys(parsed) for parsed in document}
