"""What a source says again and again does not count."""

from __future__ import annotations

from datetime import timedelta

from curating import NOON, seasoned, text

from aggregator.curate.boilerplate import Boilerplate
from aggregator.model import ItemText

SUBSCRIBE = "Follow Harbour Television for more clips! https://video.example/harbour The whole programme is free."
CLIPS = (
    ("Beekeepers move their hives to the roofs", "Swarms were counted above the old market."),
    ("A tram driver retires after fifty years", "Passengers sang for her at the terminus."),
    ("Divers lift a bronze bell from the bay", "It may have hung in a chapel that the sea took."),
    ("Bakers strike over the price of flour", "Queues formed before the only open shop."),
    ("An owl nests in the courthouse clock", "Its hands are to stand still until June."),
)


def channel(source_id: int = 7) -> list[ItemText]:
    return [
        text(f"clip{n}", title, f"{lead} {SUBSCRIBE}", source_id=source_id, published=NOON + timedelta(minutes=n))
        for n, (title, lead) in enumerate(CLIPS)
    ]


def test_only_what_is_the_items_own_is_left() -> None:
    boilerplate, items = Boilerplate(), channel()
    for item in items:
        boilerplate.count(item)
    assert [boilerplate.strip(item).text for item in items] == [lead for _, lead in CLIPS]


def test_what_two_items_share_is_no_boilerplate_and_other_sources_have_their_own() -> None:
    boilerplate, items = Boilerplate(), channel()
    for item in [*items[:2], *channel(source_id=8)[2:4]]:
        boilerplate.count(item)
    assert [boilerplate.strip(item) for item in items] == items


def test_it_is_remembered_while_a_source_says_it_and_no_longer() -> None:
    boilerplate, items = Boilerplate(), channel()
    for item in items:
        boilerplate.count(item)
    for n in range(2_000):
        boilerplate.count(text(f"n{n}", "t", f"Sentence number {n} of the year.", source_id=7))
    assert boilerplate.strip(items[0]) != items[0]
    for n in range(200):
        for _ in range(3):
            boilerplate.count(text(f"r{n}", "t", f"A slogan that is replaced, {n}.", source_id=7))
    assert boilerplate.strip(items[0]) == items[0]


def test_a_channel_is_not_one_story() -> None:
    curator = seasoned()
    curation = curator.decide(channel())
    assert len({join.story for join in curation.joins}) == len(CLIPS)
    assert [pair for pair in curation.related if pair.tier == "related"] == []
