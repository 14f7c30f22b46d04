from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from curating import NOON, background, decide_singly, seasoned, text, word
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.curate.curator import Curator
from aggregator.curate.thresholds import Thresholds
from aggregator.model import ItemText

AGENCY = (
    "HARBOUR TOWN (AP) — A freighter carrying 900 tons of grain ran aground off Harbour Town early on Monday after its "
    "steering failed in heavy fog, the coast guard said, closing the main channel to all ships for at least two days."
)
SHIP = "Grain freighter runs aground off Harbour Town, closing the channel"
OTHER_PAPER = (
    "The grounding of a grain freighter has shut the shipping channel at Harbour Town. The coast guard blames fog and "
    "a broken steering gear; tugs are on their way."
)


def test_a_syndicated_copy_is_the_same_item_and_the_older_id_wins() -> None:
    first, copy = text("a", SHIP, AGENCY), text("b", SHIP + " - Daily Bugle", AGENCY, source_name="Daily Bugle")
    curator = seasoned()
    curator.decide([first])
    curation = curator.decide([copy])
    (merge,) = curation.merges
    assert (merge.keep, merge.absorb, merge.rule) == ("a", "b", "near-duplicate")
    assert merge.figures["score"] >= 0.65
    assert curation.curated == ()
    assert curation.joins == ()


def test_a_copy_that_was_cut_short_is_still_a_copy() -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    assert curator.decide([text("b", SHIP, AGENCY[:120] + "…")]).merges


@pytest.mark.parametrize(
    ("title", "lead", "why"),
    [
        (SHIP, AGENCY.replace("900", "1,200"), "another figure"),
        (SHIP, OTHER_PAPER, "an article of its own under the same title"),
        ("Morning briefing", AGENCY[:90], "another title over a short lead"),
    ],
)
def test_doubtful_copies_stay_apart(title: str, lead: str, why: str) -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    assert curator.decide([text("b", title, lead)]).merges == (), why


@pytest.mark.parametrize("title", ["Letters", "Morning briefing", "Your horoscope for today", "Weather: sunny spells"])
def test_an_identical_everyday_title_never_merges(title: str) -> None:
    curations = decide_singly(seasoned(), [text("a", title), text("b", title), text("c", title)])
    assert not any(curation.merges for curation in curations)


def test_long_identical_headlines_without_a_lead_merge_only_close_in_time() -> None:
    title = "Utah lighthouse keeper sentenced for selling the same lamp to eleven museums"
    later = NOON + timedelta(days=3)
    curations = decide_singly(seasoned(), [text("a", title), text("b", title), text("c", title, published=later)])
    assert [bool(curation.merges) for curation in curations] == [False, True, False]


def test_the_order_of_words_matters_where_there_is_only_a_title() -> None:
    one, other = (
        "Rovers of Harbour beat Wanderers of Town in final",
        "Wanderers of Town beat Rovers of Harbour in final",
    )
    assert not any(c.merges for c in decide_singly(seasoned(), [text("a", one), text("b", other)]))


def test_one_source_does_not_copy_itself() -> None:
    curations = decide_singly(seasoned(), [text("a", SHIP, AGENCY, source_id=1), text("b", SHIP, AGENCY, source_id=1)])
    assert not any(curation.merges for curation in curations)


def test_what_a_source_says_again_and_again_is_no_copy() -> None:
    bulletin = (
        "The latest five minute news bulletin from the World Service, read by our newsroom every hour of the day."
    )
    items = [text(f"i{n}", f"Bulletin {n} GMT", bulletin, source_id=1) for n in range(3)]
    other = text("x", "Bulletin 2 GMT", bulletin, source_id=2)
    assert not any(curation.merges for curation in decide_singly(seasoned(), [*items, other]))


def test_copies_a_fortnight_apart_are_two_items() -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    assert curator.decide([text("b", SHIP, AGENCY, published=NOON + timedelta(days=8))]).merges == ()


def test_languages_are_never_compared() -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    curation = curator.decide([text("b", SHIP, AGENCY, language="nl")])
    assert curation.merges == ()
    assert curation.related == ()
    assert [join.story for join in curation.joins] == ["b"]


def test_regions_of_a_language_are() -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY, language="en-us")])
    assert curator.decide([text("b", SHIP, AGENCY, language="en-gb")]).merges


def test_the_same_event_is_one_story_named_after_its_founder() -> None:
    curator = seasoned()
    founded, joined = decide_singly(
        curator, [text("a", SHIP, AGENCY), text("b", "Ship blocks Harbour Town", OTHER_PAPER)]
    )
    assert [(join.item_id, join.story) for join in founded.joins] == [("a", "a")]
    (join,) = joined.joins
    assert (join.item_id, join.story) == ("b", "a")
    assert join.figures["cosine"] > 0.15


def test_a_story_goes_on_for_days_but_not_after_silence() -> None:
    # each day tells it in words of its own: texts that differ in a few words only fill in a template
    told = {
        0: ("Freighter aground at Harbour Town", "Tugs pull at the grain freighter, which lost its steering in fog."),
        1: ("Pilot of stranded freighter was asleep", "The grain ship aground off Harbour Town had nobody awake."),
        2: (
            "Freighter off Harbour Town floats again",
            "At high water tugs freed the grain ship; its pilot is held.",
        ),
        7: ("Freighter aground at Harbour Town again", "The grain ship that tugs had freed lost its steering in fog."),
    }

    def day(number: int, item_id: str) -> ItemText:
        return text(item_id, *told[number], published=NOON + timedelta(days=number))

    curations = decide_singly(seasoned(), [day(0, "a"), day(1, "b"), day(2, "c"), day(7, "d")])
    assert [join.story for curation in curations for join in curation.joins] == ["a", "a", "a", "d"]


def test_how_long_a_story_lives_and_how_alike_it_is_can_be_set() -> None:
    def stories(thresholds: Thresholds, days: int) -> list[str]:
        curator = seasoned()
        curator.thresholds = thresholds
        later = text("b", SHIP + ", again", AGENCY.replace("900", "200"), published=NOON + timedelta(days=days))
        return [join.story for one in decide_singly(curator, [text("a", SHIP, AGENCY), later]) for join in one.joins]

    assert stories(Thresholds(), 1) == ["a", "a"]
    assert stories(Thresholds(), 5) == ["a", "b"]
    assert stories(Thresholds(window=timedelta(days=7)), 5) == ["a", "a"]
    assert stories(Thresholds(window=timedelta(hours=12)), 1) == ["a", "b"]
    other = text("b", "Ship blocks Harbour Town", "The coast guard blames fog; tugs are on their way.")
    strict, usual = seasoned(), seasoned()
    strict.thresholds = Thresholds(similarity=0.6)
    for curator, story in ((strict, "b"), (usual, "a")):
        curator.decide([text("a", SHIP, AGENCY)])
        assert [join.story for join in curator.decide([other]).joins] == [story]


def test_what_is_a_copy_can_be_set() -> None:
    edited = AGENCY.replace("the coast guard said", "according to officials of the port")
    for duplicate, merges in ((0.65, 1), (0.95, 0)):
        curator = seasoned()
        curator.thresholds = Thresholds(duplicate=duplicate)
        curator.decide([text("a", SHIP, AGENCY)])
        assert len(curator.decide([text("b", SHIP, edited)]).merges) == merges


def test_issues_of_a_series_are_not_a_story() -> None:
    items = [
        text(f"i{n}", f"Harbour Town tide table, week {n}", OTHER_PAPER + f" Tide {n}.", source_id=7) for n in (1, 2, 3)
    ]
    stories = [join.story for curation in decide_singly(seasoned(), items) for join in curation.joins]
    assert stories == ["i1", "i2", "i3"]


def test_related_are_of_the_subject_but_not_of_the_story() -> None:
    curator = seasoned()
    old = text(
        "a",
        "Pilots of Harbour Town warn of fog in the channel",
        "Coast guard pilots fear a grounding of a freighter when fog hides the channel.",
        published=NOON - timedelta(days=10),
    )
    nothing = text("n", "Bakers of the north agree on bread", "Flour and water, said the bakers.")
    curator.decide([old, nothing])
    curator.decide([text("s", "Ship blocks Harbour Town", OTHER_PAPER)])
    curation = curator.decide([text("b", SHIP, AGENCY)])
    assert [join.story for join in curation.joins] == ["s"]
    assert [(pair.item_id, pair.other_id) for pair in curation.related] == [("b", "a")]
    assert 0.08 <= curation.related[0].score <= 1


def test_a_new_item_has_at_most_two_related_of_one_source_and_twenty_in_all() -> None:
    curator = seasoned()
    subject = "The lighthouse of Harbour Town and its keeper"
    curator.decide(
        [
            text(f"i{n}", f"{subject} {word}", f"Keeper {word} of the lighthouse.", source_id=n % 5,
                 published=NOON - timedelta(days=3 + n % 9))
            for n, word in enumerate(["alpha", "bravo", "carol", "delta", "echo", "foxtrot"] * 3)
        ]
    )  # fmt: skip
    pairs = curator.decide([text("new", subject, "A lighthouse keeper retires.", source_id=99)]).related
    assert 0 < len(pairs) <= 20
    sources = [int(pair.other_id[1:]) % 5 for pair in pairs]
    assert max(map(sources.count, sources)) <= 2
    assert [pair.score for pair in pairs] == sorted((pair.score for pair in pairs), reverse=True)


def test_an_edited_item_keeps_its_story_and_is_compared_by_its_new_text() -> None:
    curator = seasoned()
    decide_singly(curator, [text("a", SHIP, AGENCY), text("b", "Ship blocks Harbour Town", OTHER_PAPER)])
    size = len(curator)
    edited = text("b", "Ship blocks Harbour Town for days", OTHER_PAPER + " The owner is silent.", story="a")
    curation = curator.decide([edited])
    assert curation.curated == ("b",)
    assert curation.joins == ()
    assert len(curator) == size


def test_an_edited_item_that_stood_alone_may_join_and_its_story_becomes_an_alias() -> None:
    curator = seasoned()
    decide_singly(curator, [text("a", SHIP, AGENCY), text("b", "To be updated", "More soon.")])
    curation = curator.decide([text("b", "Ship blocks Harbour Town", OTHER_PAPER, story="b")])
    assert [(join.item_id, join.story) for join in curation.joins] == [("b", "a")]
    assert [(merge.keep, merge.absorb) for merge in curation.story_merges] == [("a", "b")]


def test_an_edit_that_makes_an_older_item_the_copy_of_a_younger_one_leaves_the_older_id() -> None:
    curator = seasoned()
    early, late = NOON - timedelta(hours=1), NOON
    sibling = text("s", "Ship blocks Harbour Town", OTHER_PAPER, first_seen=late)
    decide_singly(
        curator,
        [text("a", "To be updated", "More soon.", first_seen=early), text("b", SHIP, AGENCY, first_seen=late), sibling],
    )
    curation = curator.decide([text("a", SHIP, AGENCY, story="a", first_seen=early)])
    assert [(merge.keep, merge.absorb) for merge in curation.merges] == [("a", "b")]
    # it takes the place of the younger one in the story, whose id stays
    assert [(join.item_id, join.story) for join in curation.joins] == [("a", "b")]
    assert [(merge.keep, merge.absorb) for merge in curation.story_merges] == [("b", "a")]
    assert curation.curated == ("a",)
    assert not curator.vector("b")


def test_and_the_story_of_the_younger_one_becomes_an_alias_if_nothing_else_stood_in_it() -> None:
    curator = seasoned()
    early, late = NOON - timedelta(hours=1), NOON
    decide_singly(
        curator,
        [text("a", "To be updated", "More soon.", first_seen=early), text("b", SHIP, AGENCY, first_seen=late)],
    )
    curation = curator.decide([text("a", SHIP, AGENCY, story="a", first_seen=early)])
    assert [(merge.keep, merge.absorb) for merge in curation.merges] == [("a", "b")]
    assert [(merge.keep, merge.absorb) for merge in curation.story_merges] == [("a", "b")]


def test_what_was_loaded_is_known_like_what_was_decided() -> None:
    history = [*background(), text("a", SHIP, AGENCY, story="s")]
    decided, loaded = seasoned(), Curator()
    decided.decide([text("a", SHIP, AGENCY)])
    assert loaded.load(history) == len(history)
    assert loaded.load(history) == 0
    copy, sibling = text("b", SHIP, AGENCY), text("c", "Ship blocks Harbour Town", OTHER_PAPER)
    assert loaded.decide([copy]).merges == decided.decide([copy]).merges
    assert [join.story for join in loaded.decide([sibling]).joins] == ["s"]


def test_after_thirty_days_an_item_is_let_go_of() -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    curator.decide([text("z", "Something else", "entirely new and much later", published=NOON + timedelta(days=31))])
    assert len(curator) == 1
    assert curator.vector("a") == {}


def test_no_more_than_the_newest_are_kept() -> None:
    curator = Curator(kept=100)
    curator.load(background(250), now=NOON)
    assert len(curator) == 100
    assert curator.vector("old249")
    assert not curator.vector("old149")


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 8))
def test_deciding_is_deterministic_and_speaks_of_each_item_once(order: list[int], size: int) -> None:
    leads = [AGENCY, OTHER_PAPER, AGENCY[:110], "", OTHER_PAPER + " More tugs.", "Fog.", AGENCY, "Bread and water."]
    items = [text(f"i{n}", f"{SHIP} {n % 3}", leads[n], source_id=n, published=NOON + timedelta(minutes=order[n]))
             for n in range(8)]  # fmt: skip
    first, second = Curator(), Curator()
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        curation, again = first.decide(batch), second.decide(list(reversed(batch)))
        assert replace(again, curated=()) == replace(curation, curated=())
        absorbed = [merge.absorb for merge in curation.merges]
        joined = [join.item_id for join in curation.joins]
        assert sorted(absorbed + joined) == sorted(item.item_id for item in batch)
        assert not any(merge.keep == merge.absorb for merge in curation.merges)
        assert not any(pair.item_id == pair.other_id for pair in curation.related)


def by_the_minute(count: int) -> list[ItemText]:
    """Items of the last `count` minutes."""
    return [
        text(f"n{n}", f"{word(n)} {word(n + 333)} {word(n + 666)}", published=NOON - timedelta(minutes=count - n))
        for n in range(count)
    ]


def test_what_is_young_is_kept_beyond_the_bound_and_what_is_cut_is_told() -> None:
    curator = Curator(kept=100)
    curator.decide(by_the_minute(250), now=NOON)
    assert len(curator) == 250
    assert curator.cut_to(NOON) is None
    curator.decide([replace(item, item_id=f"m{item.item_id}") for item in by_the_minute(250)], now=NOON)
    assert len(curator) <= 330
    cut_to = curator.cut_to(NOON)
    assert cut_to is not None
    assert cut_to < timedelta(minutes=250)


def test_what_is_old_is_kept_within_the_bound() -> None:
    curator = Curator(kept=100)
    later = NOON + timedelta(days=3)
    curator.decide(by_the_minute(250), now=later)
    assert len(curator) == 100
    assert curator.cut_to(later) is None
    assert curator.knows("n249")
    assert not curator.knows("n0")
