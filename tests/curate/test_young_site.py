"""A new site's first hour: curating a few dozen items, of which nothing is known beforehand."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from importlib.resources import files
from itertools import count
from typing import Any

import pytest
from curating import NOON, text

from aggregator.curate.curator import Curator
from aggregator.model import ItemText

SECONDS = {"s": 1, "m": 60, "h": 3600}


@pytest.fixture(scope="module")
def newsroom() -> list[ItemText]:
    """The demo's articles, an item for each paper that runs one."""
    room = tomllib.loads(files("aggregator.demo").joinpath("newsroom.toml").read_text(encoding="utf-8"))
    papers = {paper["key"]: (number, paper) for number, paper in enumerate(room["papers"])}
    numbers = count()
    items = [
        _item(f"n{next(numbers):02}", article, *papers[key]) for article in room["articles"] for key in article["in"]
    ]
    return sorted(items, key=lambda item: item.published)


def _item(item_id: str, article: dict[str, Any], number: int, paper: dict[str, Any]) -> ItemText:
    at = article["at"]
    moment = NOON + timedelta(seconds=int(at[:-1]) * SECONDS[at[-1]])
    return text(item_id, article["title"], article["text"], source_id=number, source_name=paper["title"],
                language=paper["language"], published=moment)  # fmt: skip


@pytest.fixture(scope="module")
def decisions(newsroom: list[ItemText]) -> tuple[dict[str, str], dict[str, str], list[tuple[str, str, float]]]:
    """(story of each title, the original of each copy, related titles), item after item as they come."""
    curator, story, alias = Curator(), dict[str, str](), dict[str, str]()
    titles = {item.item_id: item.title for item in newsroom}
    related, copies = list[tuple[str, str, float]](), dict[str, str]()
    for item in newsroom:
        curation = curator.decide([item])
        story.update((titles[join.item_id], join.story) for join in curation.joins)
        alias.update((merge.absorb, merge.keep) for merge in curation.story_merges)
        copies.update((merge.absorb, merge.keep) for merge in curation.merges)
        related += [
            (titles[pair.item_id], titles[pair.other_id], pair.score)
            for pair in curation.related
            if pair.tier == "related"
        ]
    return {title: alias.get(name, name) for title, name in story.items()}, copies, related


def stories_of(story: dict[str, str], words: str) -> set[str]:
    found = {name for title, name in story.items() if words in title}
    assert found, words
    return found


def test_the_agency_story_is_one_item(newsroom: list[ItemText], decisions: Any) -> None:
    _, copies, _ = decisions
    titles = {item.item_id: item.title for item in newsroom}
    assert [titles[copy] for copy in copies].count(
        "Ferry with 212 aboard towed to safety after engine fire off Skarholm"
    ) == 3
    assert all(titles[copy] == titles[original] for copy, original in copies.items())


def test_articles_of_one_event_are_one_story(decisions: Any) -> None:
    story, _, _ = decisions
    fire = stories_of(story, "Ferry with 212 aboard")
    for words in ("We sang until the tug came", "knew of fuel leak", "Minister orders all ferries"):
        assert stories_of(story, words) == fire, words


def test_nothing_else_is_in_it(decisions: Any) -> None:
    story, _, _ = decisions
    (fire,) = stories_of(story, "Ferry with 212 aboard")
    members = [title for title, name in story.items() if name == fire]
    assert all("erry" in title or "ferries" in title or "tug" in title for title in members), members


def test_related_are_about_the_subject(decisions: Any) -> None:
    _, _, related = decisions
    subjects = ("erry|ferries|tug", "comet", "Aune|Ostra", "repair|laptop|Spare parts", "hip", "Merrow|ctopus")
    for one, other, score in related:
        if "erry" in one or "comet" in one:
            shared = [s for s in subjects if all(any(w in t for w in s.split("|")) for t in (one, other))]
            assert shared, (one, other, score)
