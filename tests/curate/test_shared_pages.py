from __future__ import annotations

import pytest

from aggregator.curate.identity import shared_subject

ARTICLES = [
    "https://example.org/2026/the-bridge-that-moved",
    "https://example.org/a/70012345",
    "https://example.org/?p=3141",
]
PAGES = [
    "https://example.org/tickets",
    "https://example.org/shop/prints",
    "https://example.org/live",
    "https://example.org/shows/the-pod",
    "https://example.org/kit/releases/latest",
]


@pytest.mark.parametrize("link", PAGES + ARTICLES)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            ("Choir sings carols at the mill", "Forty voices and one organ."),
            ("Boxing night is back", "Eight bouts on Friday."),
        ),
        (
            ("Bees in winter", "About bees, and nothing else."),
            ("Budget night: who pays for trams", "The council debates."),
        ),
        (("Old maps on sale", ""), ("New mugs for tea", "")),
        (("Episode 12", "We talk to a diver."), ("Episode 13 in June", "A baker tells of her oven.")),
    ],
)
def test_what_has_nothing_in_common_is_not_one(link: str, one: tuple[str, str], other: tuple[str, str]) -> None:
    if not (link in ARTICLES and one[0].startswith("Episode")):
        assert shared_subject(link, one, other) is None


@pytest.mark.parametrize("link", PAGES + ARTICLES)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Old bridge opens for the last time", ""), ("The old bridge opens for the last time", "With a band.")),
        (("Kit 2.1 released", "The kit now speaks French."), ("Kit 2.1 released!", "")),
    ],
)
def test_the_same_headline_is_one(link: str, one: tuple[str, str], other: tuple[str, str]) -> None:
    assert shared_subject(link, one, other) is not None


@pytest.mark.parametrize("link", ARTICLES)
def test_at_an_articles_address_a_word_in_common_is_enough(link: str) -> None:
    assert shared_subject(link, ("Swing bridge retires", ""), ("A farewell to the bridge of Mill Quay", "")) is not None
    assert shared_subject(link, ("", ""), ("A farewell", "")) is not None, "nothing contradicts"


def test_without_words_a_page_says_nothing() -> None:
    assert shared_subject("https://example.org/tickets", ("", ""), ("A farewell", "")) is None
