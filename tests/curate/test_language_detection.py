"""The language of a text where its feed declares none or the wrong one."""

from __future__ import annotations

import pytest
from curating import AGENCY, FAREWELL, SHIP, seasoned, text

from aggregator.curate.language_detection import UNKNOWN, detect, primary_subtag
from aggregator.curate.text import tokens

GERMAN = (
    "Die Brücke über den Fluss ist seit dem Morgen gesperrt, weil ein Schiff gegen einen Pfeiler gefahren ist und die "
    "Stadt nicht weiß, ob sie noch sicher ist. Das wird sich nach der Prüfung am Abend zeigen."
)
FRENCH = (
    "Le pont de la ville est fermé depuis ce matin parce que un bateau est entré dans une pile, et les habitants ne "
    "savent pas quand il sera ouvert. Selon le maire, des travaux sont prévus pour la semaine avec les équipes du port."
)
#: made up, with the sound of Swahili
NEITHER = "mibaro ya kutela nyumvani wakasho kandera mitu bongora yalipanda tundo wetera sabini " * 3


@pytest.mark.parametrize(
    ("declared", "said", "language"),
    [
        ("", AGENCY, "en"),
        ("", GERMAN, "de"),
        ("", FRENCH, "fr"),
        ("en", AGENCY, "en"),
        ("en", GERMAN, "de"),
        ("de", AGENCY, "en"),
        ("fr", FRENCH, "fr"),
        ("en", NEITHER, UNKNOWN),
        ("", NEITHER, ""),
        ("sw", NEITHER, "sw"),
        ("en", "Pont fermé", "en"),
    ],
)
def test_detected(declared: str, said: str, language: str) -> None:
    assert detect(declared, tokens(said)) == language


@pytest.mark.parametrize(("tag", "language"), [("en-GB", "en"), ("DE", "de"), (None, ""), ("und", ""), ("mul", "")])
def test_the_primary_subtag(tag: str | None, language: str) -> None:
    assert primary_subtag(tag) == language


def test_what_is_found_is_said_of_each_item() -> None:
    items = [
        text("a", SHIP, AGENCY, language=None),
        text("b", "Brücke gesperrt", GERMAN, language="en-US"),
        text("c", "Mibaro ya kutela", NEITHER, language="en"),
        text("d", "Short", "", language="pt-BR"),
    ]
    assert seasoned().decide(items).languages == {"a": "en", "b": "de", "c": "", "d": "pt"}


def test_an_undeclared_feed_meets_the_others_and_its_short_texts_are_in_its_language() -> None:
    curator = seasoned()
    curator.decide([text("a", SHIP, AGENCY)])
    curation = curator.decide([text("b", SHIP, AGENCY, language=None, source_id=9)])
    assert [(merge.keep, merge.absorb) for merge in curation.merges] == [("a", "b")]
    curator.decide([text("c", "Bridge opens", FAREWELL, language=None, source_id=9)])
    assert curator.decide([text("d", "One line", language=None, source_id=9)]).languages == {"d": "en"}
    assert curator.decide([text("e", "One line", language=None, source_id=10)]).languages == {"e": ""}
