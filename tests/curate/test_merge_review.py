from __future__ import annotations

import pytest
from curating import AGENCY, BRIDGE, FAREWELL, SHIP, seasoned, text
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.curate.merge_review import review_merges
from aggregator.model import Curation, Doubt, ItemText


def look(*parts: ItemText, item_id: str = "a") -> Curation:
    return review_merges([Doubt(item_id=item_id, parts=parts)])


def restored(curation: Curation) -> list[str]:
    return [split.restore for split in curation.splits]


def test_copies_stay_one_item() -> None:
    curation = look(text("a", SHIP, AGENCY), text("b", SHIP, AGENCY + " Tugs are on their way."))
    assert (curation.settled, curation.splits, curation.merges, curation.curated) == (("a",), (), (), ())


@pytest.mark.parametrize(
    ("title", "lead", "why"),
    [
        ("Channel shut at Harbour Town", AGENCY, "another headline"),
        (SHIP, AGENCY.replace("900", "1,200"), "a corrected figure"),
        ("Harbour still closed", AGENCY.replace("900", "1,200") + " Tugs come.", "both, and an update"),
        (SHIP, AGENCY[:90], "cut short"),
        (SHIP, "", "the text was taken away"),
        ("Freighter aground off Harbour Town: channel closed", "", "no text under another headline"),
        (SHIP, AGENCY.replace("the coast guard said", "according to officials of the port"), "reworded in part"),
    ],
)
def test_an_edit_of_the_usual_kind_undoes_nothing(title: str, lead: str, why: str) -> None:
    assert restored(look(text("a", SHIP, AGENCY), text("b", title, lead))) == [], why


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((SHIP, AGENCY), (BRIDGE, FAREWELL)),
        ((SHIP, AGENCY), (SHIP, FAREWELL)),
        (("Match report to follow from the ground tonight", ""), (BRIDGE, FAREWELL)),
        ((SHIP, AGENCY), (BRIDGE, "")),
    ],
)
def test_another_text_is_another_item(one: tuple[str, str], other: tuple[str, str]) -> None:
    curation = look(text("a", *one), text("b", *other))
    assert restored(curation) == ["b"]
    assert curation.splits[0].item_id == "a"
    assert curation.splits[0].figures["score"] < 0.5


PAGE = "https://example.org/tickets"
STORY = "https://example.org/2026/freighter-aground-off-harbour-town"


@pytest.mark.parametrize("link", [PAGE, STORY])
def test_at_one_address_another_headline_undoes_nothing(link: str) -> None:
    one, other = text("a", SHIP, AGENCY, canonical_url=link), text("b", "Grain in the channel", AGENCY[:120])
    assert restored(look(one, text("b", other.title, other.text, canonical_url=link))) == []


def test_at_one_address_what_has_nothing_in_common_is_two_items() -> None:
    one, other = text("a", SHIP, AGENCY, canonical_url=PAGE), text("b", BRIDGE, FAREWELL, canonical_url=PAGE)
    assert restored(look(one, other)) == ["b"]


def test_what_leaves_together_by_its_address_stays_together_by_its_address() -> None:
    parts = [text(name, SHIP, AGENCY[: 60 * n], canonical_url=STORY) for n, name in enumerate("bc", 1)]
    curation = look(text("a", BRIDGE, FAREWELL), *parts)
    assert restored(curation) == ["b", "c"]
    assert [(merge.keep, merge.absorb, merge.rule) for merge in curation.merges] == [("b", "c", "canonical-url")]


def test_the_winner_may_be_the_one_that_changed() -> None:
    """Its id stays with its own entries; the others leave together, under the oldest of their ids."""
    curation = look(text("a", BRIDGE, FAREWELL), text("b", SHIP, AGENCY), text("c", SHIP, AGENCY))
    assert restored(curation) == ["b", "c"]
    assert [(merge.keep, merge.absorb) for merge in curation.merges] == [("b", "c")]
    assert curation.merges[0].figures["containment"] == 1.0


def test_a_copy_of_a_copy_holds_a_chain_together() -> None:
    half = AGENCY.split()
    ends = " ".join(half[: len(half) // 2]), " ".join(half[len(half) // 2 :])
    chain = [text("a", SHIP, ends[0]), text("b", SHIP, AGENCY), text("c", SHIP, ends[1])]
    assert restored(look(*chain)) == []
    assert restored(look(chain[0], chain[2])) == ["c"]


def test_without_its_own_text_an_item_cannot_be_compared_with() -> None:
    assert restored(look(text("b", SHIP, AGENCY), text("c", BRIDGE, FAREWELL), item_id="a")) == []


def test_a_text_in_another_language_is_another_text() -> None:
    assert restored(look(text("a", SHIP, AGENCY), text("b", SHIP, AGENCY, language="nl"))) == ["b"]


WORDS = AGENCY.split()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([w.lower() for w in WORDS]), min_size=0, max_size=40), st.sampled_from([SHIP, BRIDGE]))
def test_what_would_be_merged_is_never_taken_apart_and_so_nothing_flaps(words: list[str], title: str) -> None:
    edited = text("b", title, " ".join(words))
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    merged = bool(curator.decide([edited]).merges)
    apart = bool(restored(look(text("a", SHIP, AGENCY), edited)))
    assert not (merged and apart)
