from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from curating import NOON, candidate, text
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.popularity import ViewTotals, survey
from aggregator.curate.profile import Profile, learn
from aggregator.curate.recommend import in_order, recommend
from aggregator.model import Candidate, Listed


def listed(items: list[Candidate], **changes: object) -> tuple[Listed, ...]:
    values: dict[str, object] = {"now": NOON, "size": 8, "max_per_source": 2}
    return recommend(items, **{**values, **changes})  # type: ignore[arg-type]


def ids(items: list[Candidate], **changes: object) -> list[str]:
    return [place.item_id for place in listed(items, **changes)]


items_of = st.lists(
    st.builds(
        lambda n, story, source, age, views, section: candidate(
            f"i{n}",
            story=f"s{story}",
            source_id=source,
            views=views,
            section=section,
            published=NOON - timedelta(hours=age),
            first_seen=NOON - timedelta(hours=age),
        ),
        st.integers(0, 60),
        st.integers(0, 30),
        st.integers(0, 6),
        st.integers(0, 300),
        st.integers(0, 9),
        st.sampled_from(["World", "Science"]),
    ),
    max_size=40,
    unique_by=lambda item: item.item_id,
)


@given(items_of, st.integers(1, 10), st.integers(1, 3), st.sets(st.integers(0, 60)))
def test_what_always_holds(items: list[Candidate], size: int, max_per_source: int, ranking: set[int]) -> None:
    excluded = {f"i{n}" for n in ranking}
    places = listed(items, size=size, max_per_source=max_per_source, exclude=excluded)
    by_id = {item.item_id: item for item in items}
    chosen = [by_id[place.item_id] for place in places]
    assert len(chosen) <= size
    assert not excluded & {item.item_id for item in chosen}
    assert len({item.story for item in chosen}) == len(chosen)
    assert max(Counter(item.source_id for item in chosen).values(), default=0) <= max_per_source
    assert all(place.reasons for place in places)
    assert places == listed(list(reversed(items)), size=size, max_per_source=max_per_source, exclude=excluded)


def test_fresh_before_stale_and_covered_before_alone() -> None:
    items = [
        candidate("stale", source_id=1, published=NOON - timedelta(hours=30)),
        candidate("fresh", source_id=2),
        candidate("covered", source_id=3, coverage=8),
    ]
    assert ids(items) == ["covered", "fresh", "stale"]


def test_a_source_that_rarely_posts_stays_worth_reading_longer() -> None:
    day = NOON - timedelta(hours=18)
    items = [
        candidate("busy", source_id=1, published=day, source_rate=80.0),
        candidate("rare", source_id=2, published=day, source_rate=0.1),
    ]
    places = listed(items)
    assert [place.item_id for place in places] == ["rare", "busy"]
    assert "its source rarely posts" in places[0].reasons


def test_popular_means_against_what_is_usual_for_its_source() -> None:
    big = [candidate(f"big{n}", source_id=1, views=100) for n in range(20)]
    small = [candidate(f"small{n}", source_id=2, views=1) for n in range(20)]
    hit = candidate("hit", source_id=2, views=60)
    items = [*big, *small, hit]
    field = survey(items, now=NOON, exposure=ViewTotals(totals=((timedelta(hours=2), 2080),)))
    assert ids(items, field=field, max_per_source=3)[0] == "hit"
    assert field.lift_within_source(hit) > field.lift_within_source(big[0]) + 2


def test_variety_of_subjects() -> None:
    same = {1: 1.0}
    vectors = {f"same{n}": same for n in range(9)} | {"other": {2: 1.0}}
    items = [candidate(f"same{n}", source_id=n, coverage=2) for n in range(9)] + [candidate("other", source_id=99)]
    assert ids(items, vector=lambda item_id: vectors[item_id], size=2)[1] == "other"


def test_one_place_for_what_had_no_chance_yet() -> None:
    seen = [candidate(f"seen{n}", source_id=n, views=30) for n in range(20)]
    unseen = [candidate(f"unseen{n}", source_id=50 + n, published=NOON - timedelta(hours=20)) for n in range(20)]
    places = listed([*seen, *unseen])
    chances = [place for place in places if place.figures["chance"]]
    assert len(places) == 8
    assert len(chances) == 1
    assert chances[0].item_id.startswith("unseen")
    assert "few readers so far" in chances[0].reasons
    drawn = {
        place.item_id
        for hour in range(12)
        for place in listed([*seen, *unseen], now=NOON + timedelta(hours=hour))
        if place.figures["chance"]
    }
    assert len(drawn) > 3


def test_nobody_has_a_head_start_before_anything_was_opened() -> None:
    assert not any(place.figures["chance"] for place in listed([candidate(f"i{n}", source_id=n) for n in range(20)]))


def test_a_reader_gets_what_they_like_and_below_five_reads_what_all_get() -> None:
    liked, common = {7: 1.0}, {8: 1.0}
    items = [candidate("liked", source_id=2, published=NOON - timedelta(hours=5)), candidate("common", source_id=1)]
    vectors = {"liked": liked, "common": common}

    def taste(reads: int) -> Profile:
        opened = [(text(f"r{n}", "x"), NOON - timedelta(days=1)) for n in range(reads)]
        return learn(opened, weigh=lambda _: liked, now=NOON)

    assert ids(items, vector=lambda item_id: vectors[item_id]) == ["common", "liked"]
    assert ids(items, vector=lambda item_id: vectors[item_id], profile=taste(4)) == ["common", "liked"]
    places = listed(items, vector=lambda item_id: vectors[item_id], profile=taste(5))
    assert [place.item_id for place in places] == ["liked", "common"]
    assert "like what you read" in places[0].reasons
    assert places[0].figures["taste"] == -places[1].figures["taste"] > 0.5


def test_the_more_is_read_the_more_a_taste_counts() -> None:
    def likes(reads: int) -> float:
        profile = learn([(text(f"r{n}", "x"), NOON) for n in range(reads)], weigh=lambda _: {1: 1.0}, now=NOON)
        return profile.among([{1: 1.0}, {2: 1.0}, {2: 1.0}]).likes({1: 1.0})

    assert 0.0 < likes(5) < likes(20) < likes(80)


def test_a_story_counts_once_in_a_taste_however_many_of_its_articles_were_opened() -> None:
    weigh = {"a": {1: 0.6, 10: 0.8}, "b": {1: 0.6, 10: 0.8}, "c": {1: 0.6, 30: 0.8}}
    opened = [(text(name, "x", story=story), NOON) for name, story in (("a", "s1"), ("b", "s1"), ("c", "s2"))]
    profile = learn(opened, weigh=lambda item: weigh[item.item_id], now=NOON)
    assert profile.terms[10] == profile.terms[30], "the words of one event are not a subject because they are repeated"
    assert round(profile.terms[1] / profile.terms[10], 3) == 1.5, "what recurs in different stories adds up"


def test_what_all_items_have_in_common_is_no_taste() -> None:
    profile = learn([(text(f"r{n}", "x"), NOON) for n in range(9)], weigh=lambda _: {1: 1.0}, now=NOON)
    assert profile.among([{1: 1.0}] * 5).likes({1: 1.0}) == 0.0
    assert profile.likes({1: 1.0}) == 0.0, "nor is there any before it is known what others have"


def test_taste_fades_with_a_half_life_of_a_month() -> None:
    old = NOON - timedelta(days=30)
    opened = [
        (text(name, "x", source_id=int(name < "c")), at)
        for name, at in zip("abcd", (NOON, NOON, old, old), strict=True)
    ]
    weigh = {"a": {1: 1.0}, "b": {1: 1.0}, "c": {2: 1.0}, "d": {2: 1.0}}
    profile = learn(opened, weigh=lambda item: weigh[item.item_id], now=NOON)
    assert round(profile.terms[1] / profile.terms[2], 3) == 2.0
    assert profile.sources == {1: 1.0, 0: 0.5}


def test_a_taste_is_1024_terms_the_heaviest() -> None:
    weigh = {n: 1.0 / (n + 1) for n in range(5000)}
    profile = learn([(text("a", "x"), NOON)], weigh=lambda _: weigh, now=NOON)
    assert profile.terms.keys() == set(range(1024))


def test_every_term_of_a_score_is_in_its_figures() -> None:
    (place,) = listed([candidate("a", boost=2.0, published=NOON - timedelta(hours=6), source_rate=5.0)])
    terms = ("fresh", "rare_source", "lift", "favour")
    assert place.figures["fresh"] == -3.6
    assert place.figures["favour"] == 1.0
    assert abs(sum(place.figures[name] for name in terms) - place.score) < 0.01


def test_no_story_of_the_ranking_is_told_again_by_another_article() -> None:
    items = [candidate(f"i{n}", source_id=n, story=f"s{n // 2}") for n in range(6)]
    found = recommend(items, exclude_stories={"s0", "s2"}, now=NOON, size=6, max_per_source=2)
    assert {place.item_id for place in found} < {"i2", "i3"}
    assert len(found) == 1


def test_a_reason_that_all_share_is_none() -> None:
    shared = [candidate(f"i{n}", source_id=n, coverage=2, published=NOON - timedelta(hours=n)) for n in range(6)]
    found = listed(shared, size=6)
    assert all("2 sources" not in place.reasons for place in found)
    assert all(place.reasons for place in found)
    assert "newer than most here" in found[0].reasons
    assert len({place.reasons for place in found}) > 1
    other = listed([*shared[1:], replace(shared[0], coverage=1)], size=6)
    assert sum("2 sources" in place.reasons for place in other) == 5


def test_what_was_shown_in_vain_is_worth_less_than_what_nobody_saw() -> None:
    items = [
        candidate("vain", source_id=1, impressions=900.0, views=3),
        candidate("unseen", source_id=2),
        candidate("liked", source_id=3, impressions=300.0, views=60),
        *(candidate(f"n{n}", source_id=n + 10, impressions=400.0, views=20) for n in range(5)),
    ]
    lifts = {item.item_id: survey(items, now=NOON).lift(item) for item in items}
    assert lifts["liked"] > lifts["unseen"] > lifts["vain"]
    assert abs(lifts["unseen"]) < 0.2
    few = [replace(item, impressions=item.impressions / 100) for item in items]
    assert not survey(few, now=NOON).by_impressions, "too few to go by"


def test_nothing_comes_of_nothing() -> None:
    assert listed([]) == ()


def test_the_first_place_goes_to_the_best_that_has_a_picture_and_a_lead() -> None:
    items = [candidate(f"i{n}", source_id=n, published=NOON - timedelta(hours=n)) for n in range(4)]
    assert ids(items) == ["i0", "i1", "i2", "i3"]
    pictured = [
        replace(item, has_image=item.item_id in {"i1", "i2", "i3"}, has_lead=item.item_id != "i1") for item in items
    ]
    assert ids(pictured) == ["i2", "i0", "i1", "i3"]
    assert ids(pictured, size=2) == ["i0", "i1"], "a picture brings nothing into the list"


def test_a_readers_order_has_everything_and_what_they_like_first() -> None:
    liked = {7: 1.0}
    items = [candidate(f"i{n}", source_id=n, published=NOON - timedelta(hours=n)) for n in range(9)]
    profile = learn([(text(f"r{n}", "x"), NOON) for n in range(5)], weigh=lambda _: liked, now=NOON)
    places = in_order(
        items,
        profile=profile,
        vector=lambda item_id: liked if item_id == "i8" else {},
        field=survey(items, now=NOON),
    )
    assert [place.item_id for place in places] == ["i8", *(f"i{n}" for n in range(8))]
    assert [place.reasons for place in places][:2] == [("like what you read",), ()]
