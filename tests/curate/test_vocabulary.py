"""How common words are, and what time does to it."""

from __future__ import annotations

from datetime import timedelta

from curating import NOON

from aggregator.curate.vocabulary import HALVED_EVERY, HALVED_FROM, Vocabulary

YEAR = timedelta(days=365)


def spread_after(items: int, later: timedelta) -> tuple[int, int]:
    """(items counted, of which have the word) of a language so many items of which came at once."""
    vocabulary = Vocabulary()
    (term,) = vocabulary.ids("xx", ["word"])
    for _ in range(items):
        vocabulary.count("xx", [term], at=NOON)
    vocabulary.count("yy", [], at=NOON + later)
    return vocabulary.size("xx"), next(vocabulary.spreads([term]))


def test_a_quiet_language_keeps_what_it_knows() -> None:
    assert spread_after(HALVED_FROM - 1, YEAR) == (HALVED_FROM - 1, HALVED_FROM - 1)


def test_a_large_one_is_halved_until_it_is_no_longer_large() -> None:
    assert spread_after(HALVED_FROM, HALVED_EVERY) == (HALVED_FROM // 2, HALVED_FROM // 2)
    assert spread_after(HALVED_FROM, YEAR) == (HALVED_FROM // 2, HALVED_FROM // 2)
    assert spread_after(4 * HALVED_FROM, YEAR) == (HALVED_FROM // 2, HALVED_FROM // 2)
