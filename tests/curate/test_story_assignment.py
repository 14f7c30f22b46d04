"""Stories whose items move: an edit, or what has come since, shows that an item belongs elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from curating import AGENCY, BRIDGE, FAREWELL, NOON, SHIP, decide_singly, seasoned, text, word
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.curate.curator import Curator
from aggregator.model import Curation, ItemText

OTHER_PAPER = (
    "The grounding of a grain freighter has shut the shipping channel at Harbour Town. The coast guard blames fog and "
    "a broken steering gear; tugs are on their way."
)
THIRD_PAPER = (
    "Tugs have begun to pull at the freighter that blocks the channel at Harbour Town; its grain may have to be "
    "pumped out first, the coast guard fears."
)
MILL = (
    "Engineers have locked the bridge over the river at Mill Quay, which had swung aside for ships since 1887. The "
    "mayor thanked those who looked after it."
)


class Book:
    """Where items stand after all that was decided, as a store would keep it."""

    def __init__(self) -> None:
        self.story: dict[str, str] = {}
        self.alias: dict[str, str] = {}

    def note(self, *curations: Curation) -> None:
        for curation in curations:
            for merge in curation.story_merges:
                keep, absorb = self.resolve(merge.keep), self.resolve(merge.absorb)
                if keep != absorb:
                    self.story = {item: keep if story == absorb else story for item, story in self.story.items()}
                    self.alias = {one: keep if story == absorb else story for one, story in self.alias.items()}
                    self.alias[absorb] = keep
            for join in sorted(curation.joins, key=lambda join: join.item_id != join.story):
                if join.item_id == join.story:
                    self.alias.pop(join.item_id, None)
                elif join.item_id in self.alias:
                    self.alias[join.item_id] = self.resolve(join.story)
                self.story[join.item_id] = self.resolve(join.story)
            for join in curation.joins:
                if join.item_id not in self.story.values() and join.item_id not in self.alias:
                    self.alias = {one: join.story if to == join.item_id else to for one, to in self.alias.items()}
                    self.alias[join.item_id] = join.story

    def resolve(self, story: str) -> str:
        return self.alias.get(story, story)


def edit(curator: Curator, book: Book, *items: ItemText) -> Curation:
    """The same items with other texts, standing where the book says."""
    edited = [text(i.item_id, i.title, i.text, published=i.published, story=book.story[i.item_id]) for i in items]
    curation = curator.decide(edited)
    book.note(curation)
    return curation


def three(curator: Curator) -> Book:
    """One story of three articles, founded by `a`."""
    book = Book()
    items = [text("a", SHIP, AGENCY), text("b", "Ship blocks Harbour Town", OTHER_PAPER)]
    later = text(
        "c", "Tugs pull at freighter in Harbour Town channel", THIRD_PAPER, published=NOON + timedelta(hours=1)
    )
    book.note(*decide_singly(curator, [*items, later]))
    assert book.story == {"a": "a", "b": "a", "c": "a"}
    return book


def test_an_item_that_is_edited_into_another_article_leaves_its_story() -> None:
    curator = seasoned()
    book = three(curator)
    edit(curator, book, text("b", BRIDGE, FAREWELL))
    assert book.story == {"a": "a", "b": "b", "c": "a"}
    # and comes back with its text
    edit(curator, book, text("b", "Ship blocks Harbour Town", OTHER_PAPER))
    assert book.story == {"a": "a", "b": "a", "c": "a"}
    assert book.resolve("b") == "a"


def test_it_joins_the_story_that_it_is_about_now() -> None:
    curator = seasoned()
    book = three(curator)
    book.note(curator.decide([text("m", BRIDGE, FAREWELL)]))
    edit(curator, book, text("b", "Swing bridge at Mill Quay is locked", MILL))
    assert book.story == {"a": "a", "b": "m", "c": "a", "m": "m"}


def test_the_id_of_a_story_follows_its_founder() -> None:
    """The others go on under the id of the oldest of them; nothing answers twice."""
    curator = seasoned()
    book = three(curator)
    curation = edit(curator, book, text("a", BRIDGE, FAREWELL))
    assert book.story == {"a": "a", "b": "b", "c": "b"}
    assert {join.item_id for join in curation.joins} == {"a", "b", "c"}
    book.note(
        curator.decide(
            [
                text(
                    "d",
                    "Freighter still blocks Harbour Town channel",
                    "The coast guard sends more tugs to the grain freighter.",
                )
            ]
        )
    )
    assert book.story["d"] == "b"


def test_a_founder_that_joins_another_story_makes_its_id_an_alias() -> None:
    curator = seasoned()
    book = three(curator)
    book.note(curator.decide([text("m", BRIDGE, FAREWELL)]))
    edit(curator, book, text("a", "Swing bridge at Mill Quay is locked", MILL))
    assert book.story == {"a": "m", "b": "b", "c": "b", "m": "m"}
    assert book.resolve("a") == "m"


def test_a_story_that_one_article_held_together_falls_into_two_without_it() -> None:
    """As it stands after an article about both had united them."""
    curator, book = seasoned(), Book()
    united = [
        text("a", SHIP, AGENCY),
        text("b", "Ship blocks Harbour Town", OTHER_PAPER),
        text("x", f"{SHIP}; {BRIDGE}", f"{OTHER_PAPER} {FAREWELL}"),
        text("y", BRIDGE, FAREWELL),
        text("z", "Swing bridge at Mill Quay is locked", MILL),
    ]
    curator.load([replace(item, story="a") for item in united])
    book.story = dict.fromkeys("abxyz", "a")
    edit(curator, book, text("x", "Orchids bloom early", "Gardeners of the north are glad about the mild spring."))
    assert book.story == {"a": "a", "b": "a", "x": "x", "y": "y", "z": "y"}


def stray(story: str, *, before: timedelta = timedelta()) -> Book:
    """An article `e` in one story with `m`, which is about something else, when another comes to the story it is of."""
    curator, book = seasoned(), Book()
    pair = text("e", "Ship blocks Harbour Town", OTHER_PAPER), text("m", BRIDGE, FAREWELL)
    placed = [replace(item, story=story, published=NOON - before) for item in pair]
    curator.load([*placed, text("a", SHIP, AGENCY, story="a")])
    book.story = {"e": story, "m": story, "a": "a"}
    book.note(curator.decide([text("c", "Tugs pull at freighter in Harbour Town channel", THIRD_PAPER)]))
    return book


def test_an_item_is_drawn_into_a_story_that_it_fits_better_than_its_own() -> None:
    assert stray("m").story == {"e": "a", "m": "m", "a": "a", "c": "a"}


def test_a_founder_stays_with_those_who_joined_it() -> None:
    assert stray("e").story["e"] == "e"


def test_what_is_older_than_a_day_stays_where_it_is() -> None:
    assert stray("m", before=timedelta(hours=30)).story == {"e": "m", "m": "m", "a": "a", "c": "a"}


def test_what_is_decided_about_items_too_old_to_be_remembered_is_not_lost() -> None:
    old = text("o", SHIP, AGENCY, published=NOON - timedelta(days=60))
    curation = seasoned().decide([old, text("n", BRIDGE, FAREWELL)])
    assert {join.item_id: join.story for join in curation.joins} == {"o": "o", "n": "n"}


def test_a_founder_that_becomes_the_copy_of_another_article_takes_nobody_along() -> None:
    curator = seasoned()
    book = three(curator)
    book.note(curator.decide([text("m", BRIDGE, FAREWELL)]))
    curation = edit(curator, book, text("a", BRIDGE, FAREWELL))
    assert [(merge.keep, merge.absorb) for merge in curation.merges] == [("m", "a")]
    del book.story["a"]
    assert book.story == {"b": "b", "c": "b", "m": "m"}
    assert book.resolve("a") == "m"


TITLES = (SHIP, "Ship blocks Harbour Town", BRIDGE, "Orchids bloom early in the north", "Fog over Harbour Town")
LEADS = (AGENCY, OTHER_PAPER, THIRD_PAPER, FAREWELL, FAREWELL[:100], "Gardeners are glad about the mild spring.", "")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(TITLES), st.sampled_from(LEADS)), min_size=1, max_size=36),
    st.integers(1, 12),
)
def test_what_is_remembered_and_what_is_written_down_are_the_same(edits: list[tuple[int, str, str]], size: int) -> None:
    """Whatever is edited into whatever: every item stands in one story, whose id answers with it."""
    curator, book, merged = seasoned(), Book(), dict[str, str]()
    for start in range(0, len(edits), size):
        batch = {
            f"i{n}": text(f"i{n}", title, lead, published=NOON + timedelta(minutes=n), story=book.story.get(f"i{n}"))
            for n, title, lead in edits[start : start + size]
            if f"i{n}" not in merged
        }
        curation = curator.decide(list(batch.values()))
        merged.update((merge.absorb, merge.keep) for merge in curation.merges)
        book.note(curation)
        for item_id in merged:
            book.story.pop(item_id, None)
        for item_id, story in book.story.items():
            assert curator.story(item_id) == story == book.resolve(story)
            assert book.resolve(item_id) in {story, item_id}


def test_what_fills_in_a_template_with_something_else_is_another_story() -> None:
    curator = seasoned()
    towns = ("Wexcombe", "Larkhaven", "Stonebury")
    for n, town in enumerate(towns):
        title = f"Woman, 61, rescued from flooded cellar in {town}"
        lead = (
            f"A woman of 61 was rescued from a flooded cellar in {town} after a water main burst overnight, and "
            "firefighters pumped until the morning while neighbours brought blankets and tea."
        )
        curator.decide([text(f"t{n}", title, lead, published=NOON + timedelta(hours=n))])
    assert len({curator.story(f"t{n}") for n in range(3)}) == 3
    other = text(
        "report",
        "Neighbours dig for hours to free woman from Wexcombe cellar",
        "The water main burst overnight in Wexcombe, and neighbours freed the woman of 61 from her flooded cellar.",
        published=NOON + timedelta(hours=4),
    )
    curator.decide([other])
    assert curator.story("report") == curator.story("t0")


def test_a_story_ends() -> None:
    """One word in common goes on for weeks; what is told does not."""
    curator = seasoned()
    days = 16
    for day in range(days):
        words = " ".join(word(day * 2 + place) for place in range(4))
        item = text(f"d{day}", f"Quarrel about the dam: {words}", f"The dam and {words}.",
                    published=NOON + timedelta(days=day))  # fmt: skip
        curator.decide([item])
    stories = [curator.story(f"d{day}") for day in range(days)]
    longest = max(days - stories[::-1].index(story) - 1 - stories.index(story) for story in set(stories))
    assert longest <= 12
    assert len(set(stories)) > 1
