from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.curate.identity import (
    Identified,
    entry_keys,
    identify,
    is_partial_document_enough,
    number_key,
    title_key,
)
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
        titles = {title_key(entry.title) for entry in entries} - {None}
        numbers = {number_key(link) for link in links} - {None}
        return [
            row
            for row in self.rows.values()
            if row.guid in guids
            or row.canonical_url in links
            or title_key(row.title) in titles
            or number_key(row.canonical_url) in numbers
        ]

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
                self.rows[entry.entry_id] = replace(
                    row,
                    title=entry.parsed.title,
                    canonical_url=entry.canonical_url,
                    text_key=entry.parsed.text_key,
                )
            else:
                self.announced.append(entry.parsed.title)
                self.rows[entry.entry_id] = KnownEntry(
                    entry_id=entry.entry_id,
                    guid=entry.parsed.guid,
                    canonical_url=entry.canonical_url,
                    title=entry.parsed.title,
                    text_key=entry.parsed.text_key,
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


def test_a_guid_that_stands_once_is_believed() -> None:
    memory = Memory()
    memory.poll(story(1, guid="1", title="Floods in the north of the country"))
    for _ in range(2):
        memory.poll(story(2, guid="1", title="Parliament elects speaker"))
    assert memory.announced == ["Floods in the north of the country"]


@pytest.mark.parametrize("guid", ["N/A", "none", " null ", "undefined", "-"])
def test_what_says_nothing_is_no_guid(guid: str) -> None:
    memory = Memory()
    for n in range(4):  # one after the other, so that each stands once in its document
        memory.poll(story(n, guid=guid))
    assert len(memory.announced) == 4


def test_entries_under_one_guid_and_address_are_told_apart_by_their_titles() -> None:
    memory = Memory()
    notes = [story(1, guid="notes", title=f"{animal} seen at the pond") for animal in ("Otter", "Heron", "Newt")]
    memory.poll(*notes)
    memory.poll(*notes[1:])
    memory.poll(story(1, guid="notes", title="Toad seen at the pond"), *notes)
    assert memory.announced == [
        "Otter seen at the pond",
        "Heron seen at the pond",
        "Newt seen at the pond",
        "Toad seen at the pond",
    ]


def test_of_one_title_by_their_texts() -> None:
    memory = Memory()
    moves = [replace(story(1, guid="game"), text=text) for text in ("Red moves", "Blue passes", "Green leaves")]
    memory.poll(*moves[:2])
    memory.poll(*moves)
    memory.poll(*moves[1:])
    assert len(memory.announced) == 3
    assert len({entry.entry_id for entry in memory.poll(*moves[::-1]).entries}) == 3


def test_the_last_of_several_under_one_guid_may_change_its_headline() -> None:
    memory = Memory()
    titles = ("Protests unfold across the city", "Live: curfew across the city", "Protests across the city go on")
    pages = [story(1, guid="live", title=title) for title in titles]
    memory.poll(*pages[:2])
    memory.poll(pages[2])
    assert len(memory.announced) == 2
    memory.poll(story(1, guid="live", title="Otters seen at the pond"))
    assert len(memory.announced) == 3, "another subject is another entry"


def test_an_edit_of_one_of_them_is_an_edit() -> None:
    """Its time tells which one it was, and a title that is alone keeps its entry whatever the text is."""
    memory = Memory()
    otter, heron = (
        replace(story(1, guid="notes", title=title), text=text, published=NOW - timedelta(hours=hours, minutes=7))
        for title, text, hours in (("Otter seen at the old pond", "a", 9), ("Heron on the roof", "b", 5))
    )
    memory.poll(otter, heron)
    memory.poll(replace(otter, title="Otter and cub seen at the old pond"), replace(heron, text="b, corrected"))
    assert memory.announced == ["Otter seen at the old pond", "Heron on the roof"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("acme/tool (1.1.0)", "acme/tool (1.2.0)"),
        ("Office 16.1 released", "Office 16.2 released"),
        ("tool v9", "tool v10"),
        ("Kit 2.0rc1 is out", "Kit 2.0rc2 is out"),
        ("The pod, episode 41", "The pod, episode 42"),
        ("Menu of the day: Monday", "Menu of the day: Tuesday"),
        ("Snow report, 3 December 2026", "Snow report, 4 December 2026"),
    ],
)
@pytest.mark.parametrize("guid", ["https://example.org/packages/tool", None])
def test_a_later_issue_on_one_page_does_not_overwrite_the_one_before(before: str, after: str, guid: str | None) -> None:
    memory = Memory()
    page = story(1, guid=guid, link="https://example.org/packages/tool")
    for _ in range(2):
        memory.poll(replace(page, title=before, published=NOW - timedelta(days=3)))
    for _ in range(2):
        memory.poll(replace(page, title=after, published=NOW - timedelta(days=2)))
    memory.poll(
        replace(page, title=after, text="now with notes", published=NOW - timedelta(days=2)),
        replace(page, title=before, published=NOW - timedelta(days=3)),
    )
    assert memory.announced == [before, after]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Storm kills 12", "Storm kills 14"),
        ("Inflation falls to 2.1 percent", "Inflation falls to 2.2 percent"),
        ("Magnitude 5.8 quake off Chile", "Magnitude 6.1 quake off Chile"),
        ("Court clears mayor", "Court clears former mayor"),
        ("Death toll of 12 on Monday", "Death toll of 14 on Monday"),
        ("tool 1.1.0", "tool 1.1.0 released"),
    ],
)
def test_a_corrected_headline_is_not_a_new_entry(before: str, after: str) -> None:
    memory = Memory()
    for title, hours in ((before, 3), (after, 2), (after, 1)):
        memory.poll(replace(story(1, guid="a"), title=title, published=NOW - timedelta(hours=hours)))
    assert memory.announced == [before]


def test_a_version_that_was_mistyped_is_corrected_in_place() -> None:
    memory = Memory()
    for title in ("tool 1.10.0", "tool 1.11.0"):
        memory.poll(replace(story(1, guid="a", title=title), published=NOW - timedelta(hours=3)))
    assert len(memory.announced) == 1


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


# --- guid and address move together ------------------------------------------------------------------
def moved(n: int, **changes: Any) -> ParsedEntry:
    """The same words as `story(n)` has, under another guid at another address."""
    entry = story(n, guid=f"urn:new:{n}", link=f"https://new.example/{n * 7}/about-day-{n}")
    return replace(entry, **{"text": f"What happened on day {n} in town.", **changes})


def original(n: int, **changes: Any) -> ParsedEntry:
    values = {"text": f"What happened on day {n} in town.", "published": NOW - timedelta(days=20 + n, minutes=11)}
    return replace(story(n, guid=f"https://old.example/?p={n}"), **{**values, **changes})


def test_a_move_to_another_platform_announces_nothing() -> None:
    memory = Memory()
    memory.poll(*map(original, range(6)))
    for _ in range(2):
        found = memory.poll(*(moved(n, published=memory.now) for n in range(6)))
    assert len(memory.announced) == 6
    assert {entry.canonical_url for entry in found.entries} == {
        f"https://new.example/{n * 7}/about-day-{n}" for n in range(6)
    }
    memory.poll(*(moved(n, published=memory.now) for n in range(7)))
    assert len(memory.announced) == 7, "and goes on"


def test_a_move_is_told_of() -> None:
    memory = Memory()
    memory.poll(*map(original, range(6)))
    found = memory.poll(*(moved(n) for n in range(6)))
    assert found.warnings == ("guids-changed",)
    assert {entry.replaces for entry in found.entries} == {f"https://old.example/?p={n}" for n in range(6)}


def test_a_move_of_episodes_with_old_dates_and_other_quotation_marks() -> None:
    memory = Memory()
    titles = [f"Ep. {n} - The captain's {n}th trick" for n in range(6)]
    memory.poll(*(original(n, title=title) for n, title in enumerate(titles)))
    at = NOW - timedelta(days=2)
    memory.poll(
        *(
            moved(n, title=title.replace("'", "\u2019"), text="Other notes", published=at - timedelta(minutes=n))
            for n, title in enumerate(titles)
        )
    )
    assert len(memory.announced) == 6


def test_a_slug_that_moved_is_an_edit() -> None:
    memory = Memory()
    at = NOW - timedelta(hours=2, seconds=7)
    others = [original(n) for n in range(5, 9)]
    memory.poll(story(1, guid="https://example.org/politics/a", link="https://example.org/politics/a"), *others)
    first = replace(story(2, guid="u/politics/b", link="https://example.org/politics/b"), published=at)
    memory.poll(first, *others)
    memory.poll(
        replace(first, guid="u/b", link="https://example.org/us/b", published=at + timedelta(seconds=1)), *others
    )
    assert len(memory.announced) == 6


def test_a_headline_that_is_part_of_guid_and_address() -> None:
    memory = Memory()
    for title in ("storm hits coast", "two dead as gale batters towns", "three dead as gale batters towns"):
        link = f"https://example.org/en/{title.replace(' ', '-')}/a-70012345"
        memory.poll(story(1, guid=link, link=link, title=title.title()))
    assert len(memory.announced) == 1


def test_a_headline_and_a_section_that_change_while_the_number_in_the_query_stays() -> None:
    memory = Memory()
    for section, title in ((1, "Minister cannot say when money comes"), (3, "Cash for all an option")):
        memory.poll(
            story(1, link=f"https://example.org/{section}/article.cfm?c={section}&objectid=12326851", title=title)
        )
    assert len(memory.announced) == 1


def test_a_number_of_a_headline_is_no_number_of_an_entry() -> None:
    memory = Memory()
    for title in ("cuts to affect 100000 workers", "storm leaves 100000 without power"):
        link = f"https://example.org/news/{title.replace(' ', '-')}"
        memory.poll(story(1, guid=link, link=link, title=title))
    assert len(memory.announced) == 2


def test_an_episode_that_moved_keeps_its_full_hour_but_not_its_notes() -> None:
    memory = Memory()
    at = NOW.replace(hour=9)
    for host in "ab":
        memory.poll(
            replace(
                story(1, guid=f"urn:{host}", link=f"https://{host}.example/{host}1", title="Duplicity, part two"),
                text=f"Notes as {host} has them",
                published=at,
            )
        )
    assert len(memory.announced) == 1


@pytest.mark.parametrize(("hours", "notes", "announced"), [(-1, "Notes", 1), (1, "Notes", 2), (-1, "Others", 2)])
def test_one_episode_with_a_new_guid_in_another_time_zone(hours: int, notes: str, announced: int) -> None:
    """A bulletin or column with the words of the one before is later than that one, never earlier."""
    memory = Memory()
    rest = [story(100 + n, guid=f"g{n}") for n in range(4)]
    at = NOW - timedelta(days=900, minutes=7)
    for guid, text, moved_by in (("a", "Notes", 0), ("b", notes, hours)):
        episode = story(1, guid=guid, link="https://show.example/", title="Low tide, part two")
        memory.poll(replace(episode, text=text, published=at + timedelta(hours=moved_by)), *rest)
    assert memory.announced.count("Low tide, part two") == announced


def test_a_move_of_host_with_the_same_paths() -> None:
    memory = Memory()
    for host in ("old.example", "new.example"):
        link = f"https://{host}/2026/the-story"
        memory.poll(story(1, guid=link, link=link, title="The story of the town"))
    assert len(memory.announced) == 1


def test_a_daily_column_is_new_every_day() -> None:
    """Its title, its words and the form of its address are those of the day before."""
    memory = Memory()
    for day in range(6):
        at = NOW - timedelta(days=10 - day)
        link = f"https://example.org/{at:%Y/%m/%d}/morning-briefing"
        column = replace(
            story(1, guid=link, link=link, title="Morning briefing"), text="The day ahead, in brief.", published=at
        )
        memory.poll(column, *(story(100 + n, guid=f"g{n}") for n in range(4)))
    assert memory.announced.count("Morning briefing") == 6


@pytest.mark.parametrize("columns", [1, 3])
def test_nor_is_a_feed_of_columns_alone(columns: int) -> None:
    """They have other words every day."""
    memory = Memory()
    for day in range(5):
        at = NOW + timedelta(days=day)
        memory.now = at
        memory.poll(
            *(
                replace(
                    story(
                        n, guid=f"{n}-{day}", link=f"https://example.org/{day}/sign-{n}", title=f"Your sign {n} today"
                    ),
                    text=f"A letter comes on day {day} for sign {n}.",
                    published=at,
                )
                for n in range(columns)
            )
        )
    assert len(memory.announced) == 5 * columns


def test_two_that_stand_in_one_document_are_two() -> None:
    memory = Memory()
    at = NOW - timedelta(hours=3, minutes=1)
    one = replace(story(1, guid="a"), published=at)
    memory.poll(one)
    memory.poll(one, replace(one, guid="b", link="https://example.org/other/place"))
    assert len(memory.announced) == 2


def test_what_is_not_in_a_part_of_a_document_is_not_gone() -> None:
    memory = Memory()
    memory.poll(*map(original, range(6)))
    part = [moved(n) for n in range(6)]
    found = identify(part, memory.known(part), source_url=FEED, now=NOW, is_whole=False)
    assert all(entry.replaces is None for entry in found.entries)


def test_posts_of_a_live_page_share_its_number() -> None:
    memory = Memory()
    for post in range(4):
        link = f"https://example.org/live/storm-63456789/post-{post}"
        memory.poll(story(post, guid=f"urn:post:{post}", link=link, title=f"{'abcd'[post] * 4} at {post} o'clock"))
    assert len(memory.announced) == 4


def test_a_date_in_the_address_is_no_number_of_an_entry() -> None:
    memory = Memory()
    for title in ("Floods in the north", "Speaker elected"):
        link = f"https://example.org/20260303/{title.replace(' ', '-')}"
        memory.poll(story(1, guid=link, link=link, title=title))
    assert len(memory.announced) == 2


@given(st.lists(st.integers(0, 30), min_size=4, max_size=12, unique=True), st.integers(0, 3), st.booleans())
@settings(deadline=None)
def test_whatever_moves_is_neither_lost_nor_told_twice(numbers: list[int], news: int, dated_now: bool) -> None:
    memory = Memory()
    memory.poll(*map(original, numbers))
    fresh = [moved(100 + n) for n in range(min(news, len(numbers)))]
    after = [moved(n, published=memory.now if dated_now else original(n).published) for n in numbers]
    memory.poll(*fresh, *after)
    memory.poll(*fresh, *after)
    assert len(memory.announced) == len(numbers) + len(fresh)
    assert len(memory.rows) == len(memory.announced)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=12, unique=True))
@settings(deadline=None)
def test_issues_of_columns_are_never_lost(issues: list[tuple[int, int]]) -> None:
    """A column has one title; each issue its day, its guid, its address and its words. One after the other."""
    memory = Memory()
    for column, day in issues:
        at = NOW + timedelta(days=day)
        memory.poll(
            replace(
                story(
                    0,
                    guid=f"{column}/{day}",
                    link=f"https://example.org/{column}/{day}",
                    title=f"Column of desk {column}",
                ),
                text=f"What there is to say about {column} on day {day}.",
                published=at,
            )
        )
    assert len(memory.announced) == len(issues)


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
    kept = {(entry_keys(entry.parsed), entry.parsed.title, entry.parsed.text) for entry in found.entries}
    assert kept == {(entry_keys(parsed), parsed.title, parsed.text) for parsed in document}
