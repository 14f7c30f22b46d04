"""What stands where on the front page: each story once, a lead worth it, sections and the latest folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import page_samples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model import Item
from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages.front import FrontPage, Used, compose_front, compose_opening, runs

NOW = samples.NOW
PICTURE = "https://s1.example/a.jpg"


def place(number: int, *, source: int = -1, others: int = 0, **changes: object) -> Place:
    """A place with a story of its own; `others` so many other publishers."""
    item = samples.item(number)
    ref = samples.SOURCES[source if source >= 0 else number % 8]
    made = replace(item, id=f"i{number}", story=f"s{number}", source=ref, copies=(), text="x" * 80, language="en")
    return Place(
        item=replace(made, **changes),  # type: ignore[arg-type]
        others=tuple(samples.item(number + n) for n in range(1, others + 1)),
    )


def listing(places: Sequence[Place]) -> Listing:
    return replace(samples.LATEST, places=tuple(places))


def day(item: Item) -> object:
    return item.published.date()


def front(
    *, ranking: Sequence[Place] = (), recommended: Sequence[Place] = (), covered: Sequence[Place] = (),
    sections: Sequence[Sequence[Place]] = (), latest: Sequence[Place] = (),
) -> FrontPage:  # fmt: skip
    named = [(f"S{n}", listing(places), len(places)) for n, places in enumerate(sections)]
    return compose_front(
        ranking=listing(ranking), ranking_size=8, recommended=listing(recommended), covered=covered, sections=named,
        latest=listing(latest), now=NOW, language="en", day_of=day,
    )  # fmt: skip


def shown(page: FrontPage) -> list[str]:
    opening = page.opening
    places = [*page.ranking, *filter(None, [opening.lead]), *opening.seconds, *opening.briefs]
    for desk in page.desks:
        places += [desk.lead, *desk.briefs]
    stories = [one.item.story for one in places]
    return [*stories, *(run.place.item.story for run in page.latest)]


@given(st.lists(st.lists(st.integers(0, 30), max_size=25), min_size=5, max_size=5))
def test_whatever_the_lists_hold_no_story_stands_twice(numbers: list[list[int]]) -> None:
    ranking, recommended, covered, section, latest = ([place(n) for n in one] for one in numbers)
    ranked = list({one.item.id: one for one in ranking}.values())
    stories = shown(front(ranking=ranked, recommended=recommended, covered=covered, sections=[section], latest=latest))
    assert len(stories) == len(set(stories))


def test_two_articles_of_one_story_are_one_place() -> None:
    twin = replace(place(2).item, id="other", story="s1")
    page = front(ranking=[place(1)], recommended=[Place(item=twin), place(3)], latest=[place(1), place(3), place(4)])
    assert shown(page) == ["s1", "s3", "s4"]


def test_a_ranking_is_a_count_and_left_as_it_is() -> None:
    twin = Place(item=replace(place(2).item, id="other", story="s1"))
    page = front(ranking=[place(1), twin, place(3)], recommended=[place(1), place(4)])
    assert [one.item.id for one in page.ranking] == ["i1", "other", "i3"]
    assert page.opening.lead == place(4)


def test_a_small_site_leaves_something_to_its_sections() -> None:
    latest = [place(n, published=NOW) for n in range(20)]
    page = front(recommended=latest[:4], sections=[latest], latest=latest)
    assert page.opening.briefs == ()
    assert page.desks
    assert page.latest


def test_the_lead_is_what_most_publishers_carry_the_fresher_the_better_with_picture_and_text() -> None:
    many = place(1, others=4, published=NOW - timedelta(hours=2), image_url=PICTURE)
    stale = place(2, others=5, published=NOW - timedelta(hours=40), image_url=PICTURE)
    bare = place(3, others=6, published=NOW)
    short = place(4, others=7, published=NOW, image_url=PICTURE, text="Too short.")
    foreign = place(5, others=4, published=NOW, image_url=PICTURE, language="bn")
    opening = compose_opening([bare, stale, short, foreign, many], Used(), now=NOW, language="en")
    assert opening.lead == many
    narrow = place(8, others=5, published=NOW, image_url=PICTURE, image_width=240)
    assert compose_opening([narrow, many], Used(), now=NOW, language="en").lead == many, "a thumbnail is not blown up"
    none = compose_opening([place(6), place(7)], Used(), now=NOW, language="en")
    assert none.lead is not None, "without a picture rather than none"


def test_no_source_fills_the_head_of_the_page() -> None:
    one = [place(n, source=0, others=1, image_url=PICTURE) for n in range(6)]
    others = [place(n, source=n % 7 + 1) for n in range(10, 20)]
    opening = compose_opening([*one, *others], Used(), now=NOW, language="en", briefs=9)
    assert opening.lead is not None
    heads = [opening.lead, *opening.seconds]
    assert sum(each.item.source.id == samples.SOURCES[0].id for each in heads) == 2
    assert sum(each.item.source.id == samples.SOURCES[0].id for each in opening.briefs) <= 3
    assert len(opening.briefs) == 9


def test_a_section_shows_two_days_or_its_newest_item() -> None:
    fresh = [place(n, published=NOW - timedelta(hours=n)) for n in range(6)]
    old = [place(n, published=NOW - timedelta(days=n)) for n in range(10, 14)]
    page = front(sections=[fresh, old, []])
    assert [(desk.name, 1 + len(desk.briefs), desk.stories) for desk in page.desks] == [("S0", 4, 6), ("S1", 1, 4)]


def test_many_sections_show_less_each() -> None:
    sections = [[place(10 * s + n, published=NOW) for n in range(5)] for s in range(20)]
    desks = front(sections=sections).desks
    assert len(desks) == 18
    assert {len(desk.briefs) for desk in desks} == {1}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([0, 0, 0], [(0, 0), (0, 0), (0, 0)]),
        ([0, 0, 0, 0, 1], [(0, 0), (0, 2), (1, 0)]),
        ([0, 1, 1, 1, 1, 1, 0], [(0, 0), (1, 0), (1, 3), (0, 0)]),
        ([], []),
    ],
)
def test_runs_of_one_source_are_folded(sources: list[int], expected: list[tuple[int, int]]) -> None:
    places = [place(n, source=source, published=NOW) for n, source in enumerate(sources)]
    found = list(runs(places, day_of=day))
    assert [(run.place.item.source.id - 1, len(run.folded)) for run in found] == expected
    assert sum(1 + len(run.folded) for run in found) == len(places)
    assert not found or found[-1].last == places[-1].item


def test_a_run_ends_with_its_day() -> None:
    places = [place(n, source=0, published=NOW - timedelta(hours=6 * n)) for n in range(8)]
    assert all(len({day(one.item) for one in (run.place, *run.folded)}) == 1 for run in runs(places, day_of=day))
