"""Items and candidates for tests of curating."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from aggregator.curate.curator import Curator
from aggregator.model import Candidate, Curation, ItemText, Upstream

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

#: two articles about different events, by their titles and leads
SHIP = "Grain freighter runs aground off Harbour Town, closing the channel"
AGENCY = (
    "A freighter carrying 900 tons of grain ran aground off Harbour Town early on Monday after its steering failed in "
    "heavy fog, the coast guard said, closing the main channel to all ships for at least two days."
)
BRIDGE = "Old swing bridge at Mill Quay opens for the last time"
FAREWELL = (
    "A swing bridge that was built in 1887 opened for the last time at Mill Quay on Tuesday, as engineers who had kept "
    "it moving for three decades watched from the bank and the mayor read out a farewell."
)

#: the words that fill a language, so that the telling ones of a test are rare
_FILLER = (
    "The council met on Tuesday to discuss the budget for {a} and said that {b} would be decided after the summer.",
    "Scientists who study {a} have found that {b} is more common than was thought, a report in a journal says.",
    "A company that makes {a} has bought a rival known for {b}, for an amount that neither of them would name.",
    "In the match on Saturday {a} lost to {b} after a late goal, and the coach said that he was not surprised.",
    "The film about {a} opened to full houses; critics said that {b} was the best thing in a long year.",
)
_SYLLABLES = ("ba", "ker", "lon", "mi", "tos", "ven", "dur", "gal", "pri", "sho")


def word(number: int) -> str:
    """A word that is made up, and the same for the same number."""
    return "".join(_SYLLABLES[(number // 10**place) % 10] for place in range(3)) + "x"


def text(item_id: str, title: str, lead: str = "", **changes: Any) -> ItemText:
    """An item of a source of its own."""
    values: dict[str, Any] = {
        "item_id": item_id,
        "source_id": crc32(item_id.encode()) + 100,
        "source_name": "The Paper",
        "title": title,
        "text": lead,
        "language": "en",
        "published": NOON,
        "canonical_url": f"https://example.org/{item_id}",
    }
    return ItemText(**{**values, **changes})


def background(count: int = 250, *, at: datetime = NOON - timedelta(days=20)) -> list[ItemText]:
    """Items about nothing else, three weeks old: what word counts rest on."""
    return [
        text(
            f"old{number}",
            f"{word(number * 3)} and {word(number * 3 + 1)}: news of the day",
            _FILLER[number % len(_FILLER)].format(a=word(number * 3), b=word(number * 3 + 2)),
            source_id=number % 50,
            published=at + timedelta(minutes=number),
        )
        for number in range(count)
    ]


def seasoned() -> Curator:
    """A curator that knows how common words are."""
    curator = Curator()
    curator.load(background())
    return curator


def decide_singly(curator: Curator, items: Iterable[ItemText]) -> list[Curation]:
    """Each item as a batch of its own."""
    return [curator.decide([item]) for item in items]


def candidate(item_id: str = "a", **changes: Any) -> Candidate:
    """An item of a source of its own, one hour old, never opened."""
    values: dict[str, Any] = {
        "item_id": item_id,
        "story": item_id,
        "source_id": 1,
        "section": "World",
        "title": f"Title of {item_id}",
        "language": "en",
        "published": NOON - timedelta(hours=1),
        "first_seen": NOON - timedelta(hours=1),
        "sources": 1,
        "coverage": 1,
        "citations": 0,
        "upstream": Upstream(),
        "views": 0,
        "likes": 0,
    }
    return Candidate(**{**values, **changes})
