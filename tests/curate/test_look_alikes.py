"""Wrong merges hide articles: columns and templates never merge, in any order of arrival; agency copies do."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from curating import NOON, decide_singly, seasoned, text

from aggregator.curate.duplicates import likeness
from aggregator.curate.inverted_index import InvertedIndex
from aggregator.model import ItemText

Texts = list[tuple[str, str]]

KINDS = {"horoscope", "weather", "match", "briefing", "version", "stocks", "obituary", "live"}
LANGUAGES = ("en", "de", "fr")


def _read() -> dict[tuple[str, str], Texts]:
    """(title, text) of each, by language and kind."""
    found: dict[tuple[str, str], Texts] = {}
    for block in Path(__file__).with_name("look_alikes.txt").read_text("utf-8").split("\n== ")[1:]:
        name, *texts = block.split("\n# ")
        language, kind = name.split()
        found[language, kind] = [
            (title, " ".join(lead.split())) for title, _, lead in (t.partition("\n") for t in texts)
        ]
    return found


TEXTS = _read()


def columns(language: str) -> list[ItemText]:
    """A source each, minutes apart, so that nothing but the texts keeps them apart."""
    return [
        text(f"{language}-{kind}-{n}", *both, language=language, published=NOON + timedelta(minutes=n))
        for kind in sorted(KINDS)
        for n, both in enumerate(TEXTS[language, kind])
    ]


def copies(language: str) -> list[ItemText]:
    """The agency's text first, then what papers make of it."""
    (title, agency), *papers = TEXTS[language, "agency"]
    return [
        text(
            f"{language}-agency-{n}",
            headline,
            frame.format(agency),
            language=language,
            source_name="The Cape Courier",
            published=NOON + timedelta(minutes=10 * n),
        )
        for n, (headline, frame) in enumerate([(title, "{}"), *papers])
    ]


def test_every_kind_is_there_in_every_language() -> None:
    assert set(TEXTS) == {(language, kind) for language in LANGUAGES for kind in (*KINDS, "agency")}
    assert all(len(texts) >= 2 for texts in TEXTS.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", range(3))
def test_columns_and_templates_never_merge(language: str, seed: int) -> None:
    items = columns(language)
    Random(seed).shuffle(items)
    curations = decide_singly(seasoned(), items)
    assert [(merge.keep, merge.absorb) for one in curations for merge in one.merges] == []


def test_nor_all_at_once() -> None:
    assert seasoned().decide([item for language in LANGUAGES for item in columns(language)]).merges == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_measure_alone_keeps_them_apart_with_something_to_spare(language: str) -> None:
    index = InvertedIndex()
    documents = [index.compared(item) for item in columns(language)]
    closest = max(
        (found.score / found.least, one.item_id, other.item_id)
        for one, other in combinations(documents, 2)
        for found in [likeness(one, other)]
    )
    assert closest[0] < 0.95, closest


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", range(3))
def test_agency_copies_merge_whatever_papers_make_of_them(language: str, seed: int) -> None:
    agency, *papers = copies(language)
    rest = [*papers, *columns(language)]
    Random(seed).shuffle(rest)
    curations = decide_singly(seasoned(), [agency, *rest])
    merges = {(merge.keep, merge.absorb) for one in curations for merge in one.merges}
    assert merges == {(agency.item_id, paper.item_id) for paper in papers}
