"""Alike: the floor, the sources, and what sentence vectors change and leave alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from curating import NOON, background, text, word

from aggregator.curate.curator import Curator
from aggregator.curate.embeddings import HOW_TO_INSTALL, Embeddings, find_encoder
from aggregator.model import ItemText

#: three that share words with the question, the first of them most
QUESTION = ("Volcano buries village", "Ash and lava from the volcano cover the houses of the village.")
NEAR = [
    (
        "words",
        "Volcano village museum",
        "The museum of the volcano village shows ash, lava and old houses on postcards.",
    ),
    ("sense", "Lava engulfs homes as volcano erupts", "The eruption sent ash over the valley and people fled."),
    ("aside", "Ash from a volcano makes good soil", "Gardeners swear by it; a village sells it by the sack."),
]


def related_to(curator: Curator, items: Sequence[ItemText]) -> dict[str, float]:
    """What the last of these is related to, best first."""
    for item in items[:-1]:
        curator.decide([item])
    return {pair.other_id: pair.score for pair in curator.decide([items[-1]]).related}


def days_apart() -> list[ItemText]:
    """None of them is the question's story: they are older than a story lives."""
    older = [text(name, title, lead, published=NOON - timedelta(days=5)) for name, title, lead in NEAR]
    return [*older, text("asked", *QUESTION)]


def pointing(directions: dict[str, tuple[float, float]]) -> Callable[[str], tuple[float, float]]:
    """An encoder that knows titles."""
    return lambda said: next(vector for title, vector in directions.items() if said.startswith(title))


DIRECTIONS = {
    QUESTION[0]: (1.0, 0.0),
    NEAR[0][1]: (0.0, 1.0),
    NEAR[1][1]: (1.0, 0.0),
    NEAR[2][1]: (0.0, 1.0),
}


def curator(meaning: Embeddings | None = None) -> Curator:
    made = Curator(embeddings=meaning)
    made.load([one for one in background() if one.language == "en"])
    return made


def known(said: str) -> tuple[float, float]:
    return next((vector for title, vector in DIRECTIONS.items() if said.startswith(title)), (0.0, 1.0))


def test_what_is_said_counts_two_fifths_and_changes_the_order_only() -> None:
    plain = related_to(curator(), days_apart())
    better = related_to(curator(Embeddings(known)), days_apart())
    assert next(iter(plain)) == "words"
    assert next(iter(better)) == "sense"
    assert set(plain) == set(better)
    fade = math.exp(-5 / 30)
    assert better["sense"] == pytest.approx(0.6 * plain["sense"] + 0.4 * fade, abs=2e-4)
    assert better["words"] == pytest.approx(0.6 * plain["words"], abs=2e-4)


def test_other_languages_are_left_alone() -> None:
    def in_french(items: Sequence[ItemText]) -> list[ItemText]:
        return [text(one.item_id, one.title, one.text, published=one.published, language="fr") for one in items]

    def encode(_: str) -> tuple[float, float]:
        pytest.fail("a text that is not English was read")

    items = in_french([*background(), *days_apart()])
    plain, same = Curator(), Curator(embeddings=Embeddings(encode))
    plain.load(items[:-4])
    same.load(items[:-4])
    assert related_to(same, items[-4:]) == related_to(plain, items[-4:])


def test_a_vector_is_made_once_and_again_when_the_text_changes() -> None:
    asked: list[str] = []

    def encode(said: str) -> tuple[float, float]:
        asked.append(said)
        return (1.0, 0.0)

    meaning = Embeddings(encode)
    meaning.note(text("a", "One - The Paper", "MOSCOW (AP) — Something."))
    meaning.note(text("b", "Two", "Else."))
    assert asked == []
    assert meaning.likeness("a", "b") == 1.0
    assert meaning.likeness("b", "a") == 1.0
    assert asked == ["One. Something.", "Two. Else."]
    meaning.note(text("a", "Three"))
    assert meaning.likeness("a", "b") == 1.0
    assert asked[2:] == ["Three. "]
    assert meaning.likeness("a", "unheard of") is None


def test_texts_and_vectors_are_bounded() -> None:
    asked: list[str] = []

    def encode(said: str) -> tuple[float, float]:
        asked.append(said)
        return (1.0, 0.0)

    meaning = Embeddings(encode, texts=3, vectors=2)
    for name in "abcd":
        meaning.note(text(name, name))
    assert meaning.likeness("a", "b") is None, "the first has been let go of"
    assert meaning.likeness("b", "c") == 1.0
    assert meaning.likeness("b", "d") == 1.0
    assert len(asked) == 3
    assert meaning.likeness("c", "d") == 1.0
    assert len(asked) == 4, "the vector of c was let go of for that of d"


def test_opposite_is_not_less_than_nothing() -> None:
    meaning = Embeddings(pointing({"yes": (1.0, 0.0), "no": (-1.0, 0.0)}))
    meaning.note(text("yes", "yes"))
    meaning.note(text("no", "no"))
    assert meaning.likeness("yes", "no") == 0.0


# --- the model itself ---------------------------------------------------------------------
@pytest.fixture
def encode() -> Callable[[str], Sequence[float]]:
    found = find_encoder()
    if found is None:
        pytest.skip(HOW_TO_INSTALL)
    return found


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_model_knows_what_sentences_say(encode: Callable[[str], Sequence[float]]) -> None:
    quake = encode("Earthquake kills dozens in Chile")
    assert math.hypot(*quake) == pytest.approx(1.0, abs=1e-5)
    same = cosine(quake, encode("Many dead after tremor hits South American country"))
    other = cosine(quake, encode("Dozens of new recipes from the kitchens of Chile"))
    assert same > other + 0.1
    assert encode("Earthquake kills dozens in Chile") == quake, "the same each time"
    assert len(encode("word " * 2_000)) == len(quake), "long texts are cut"
    assert len(encode("")) == len(quake)


def test_the_encoder_is_found_without_being_loaded() -> None:
    assert find_encoder() is find_encoder()


def tiers(items: Sequence[ItemText]) -> dict[str, str]:
    """What the last of these is related to, by tier."""
    made = curator()
    for item in items[:-1]:
        made.decide([item])
    return {pair.other_id: pair.tier for pair in made.decide([items[-1]]).related}


def test_empty_places_go_to_what_is_alike_at_all_and_say_so() -> None:
    aside = text("loosely", "Buried pipes", "A village digs for its water main.", published=NOON - timedelta(days=9))
    found = tiers([aside, *days_apart()])
    assert found["words"] == "related"
    assert found["loosely"] == "more"
    assert all(not name.startswith("old") or tier == "more" for name, tier in found.items())


def test_the_second_tier_fills_ten_places_and_no_more() -> None:
    found = tiers([*loosely_alike(), *days_apart()])
    assert len(found) == 10
    assert list(found.values()) == sorted(found.values(), reverse=True), "the first tier comes first"
    assert list(found.values()).count("related") < 10


def loosely_alike() -> list[ItemText]:
    leads = ("A long walk home.", "Bread for everybody.", "The choir sings again.", "Nobody voted.", "Rain, at last.")
    return [
        text(f"n{n}", f"{word(n * 7)} in the village", f"{leads[n % 5]} {word(n * 5)} {word(n * 3)} {word(n * 2)}.",
             published=NOON - timedelta(days=4, hours=n))
        for n in range(14)
    ]  # fmt: skip
