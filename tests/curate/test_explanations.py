from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from curating import NOON, candidate, text

from aggregator.curate.explanations import FIGURES, list_name, why_joined, why_same_story, why_there
from aggregator.curate.popularity import survey
from aggregator.curate.profile import learn
from aggregator.curate.ranking import rank
from aggregator.curate.recommend import recommend, weigh
from aggregator.model import Listed, Upstream

ITEMS = [
    candidate(f"i{n}", source_id=n, views=n, citations=n % 3, likes=n % 2, coverage=1 + n % 4, boost=1.0 + n % 2)
    for n in range(12)
] + [candidate(f"u{n}", source_id=50, upstream=Upstream(comments=n * n)) for n in range(9)]

SHOWN = [replace(item, impressions=300.0) for item in ITEMS]


def places() -> list[Listed]:
    views = {item.item_id: item.views for item in ITEMS if item.views > 6}
    profile = learn([(text(f"r{n}", "x"), NOON) for n in range(6)], weigh=lambda _: {1: 1.0}, now=NOON)
    return [
        *rank(ITEMS, views, now=NOON, window="1d", size=12).places,
        *recommend(ITEMS, now=NOON, size=8, max_per_source=2),
        *recommend(ITEMS, now=NOON, size=8, max_per_source=2, profile=profile, vector=lambda _: {1: 1.0}),
        *weigh(ITEMS, field=survey(ITEMS, now=NOON)),
        *weigh(SHOWN, field=survey(SHOWN, now=NOON)),
    ]


def test_every_figure_of_every_place_has_words() -> None:
    named = {name for place in places() for name in place.figures}
    assert named <= set(FIGURES)
    assert set(FIGURES) - named == set(), "words for figures that nothing has"
    assert all(all(why_there(place.figures)) for place in places())


@pytest.mark.parametrize("names", [("fresh", "rare_source", "lift", "favour"), ("fresh", "lift", "favour")])
def test_the_factors_that_are_told_are_the_whole_score(names: tuple[str, ...]) -> None:
    told = [
        place for place in places() if place.views is None and ("rare_source" in place.figures) == (len(names) == 4)
    ]
    assert told
    for place in told:
        rest = sum(place.figures.get(name, 0.0) for name in ("taste", "loyalty"))
        assert math.isclose(sum(place.figures[name] for name in names) + rest, place.score, abs_tol=0.005)


def test_the_popularity_that_is_told_follows_from_what_is_told_of_it() -> None:
    for place in weigh(ITEMS, field=survey(ITEMS, now=NOON)):
        figures = place.figures
        lift = math.log2((figures["views"] + 2 * figures["prior"]) / (figures["expected"] + 2))
        assert math.isclose(lift, figures["lift"], abs_tol=0.01)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ranking:1d/site/", "Ranking, the last 24 hours"),
        ("ranking:7d/section/World/Asia", "Ranking of World/Asia, the last 7 days"),
        ("recommended/site/", "Recommendation"),
        ("recommended/feed/ai", "Recommendation of the feed ai"),
    ],
)
def test_lists_have_names(key: str, name: str) -> None:
    assert list_name(key) == name


def test_merges_and_stories_are_told() -> None:
    assert why_joined("first", {}) == "the first that carried it"
    told = why_joined("near-duplicate", {"containment": 0.93, "titles": 0.8, "same_numbers": 1.0, "score": 0.9})
    assert told == (
        "the same text, 93 % of the shorter one's word pairs stand in the other, titles 80 % alike, the same numbers"
    )
    assert why_same_story({}) == "the story began with it"
    assert why_same_story({"cosine": 0.41, "shared_terms": 1.0, "items": 2.0}).endswith("the story had 2 articles then")


def test_a_phrase_for_a_place() -> None:
    item = candidate(views=3, published=NOON - timedelta(hours=6))
    (place,) = recommend([item], now=NOON, size=1, max_per_source=1)
    told = list(why_there(place.figures))
    assert "opened by 3 readers" in told
    assert "freshness: × 0.0825" in told
