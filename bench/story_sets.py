"""Stories where labels are few: templates, a channel that says the same under every item, a small site, 102 days.

Called by bench/curate.py. Each prints its figures beside a floor or ceiling.
"""

from __future__ import annotations

import csv
import lzma
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import labelled
from labelled import MOMENT, Labelled

from aggregator.curate.curator import Curator
from aggregator.curate.inverted_index import Document, InvertedIndex
from aggregator.model import ItemText

BATCH = 200
DAY = timedelta(days=1)
#: one headline in so many is the background of a pair of look-alikes: enough to know which words are common
BACKGROUND = 4
#: how many arrivals are looked at, unless all are asked for
ARRIVALS = 25_000


@dataclass(frozen=True, slots=True)
class Lives:
    """How large stories are and how long they live."""

    largest: int
    longest_days: float
    of_several_sources: int


def clustered(items: Sequence[ItemText]) -> dict[str, str]:
    """The story of each item, items of one article sharing it, as they stand when all have come."""
    curator, merged, story, alias = Curator(), dict[str, str](), dict[str, str](), dict[str, str]()
    for start in range(0, len(items), BATCH):
        curation = curator.decide(items[start : start + BATCH])
        merged.update((merge.absorb, merge.keep) for merge in curation.merges)
        alias.update((merge.absorb, merge.keep) for merge in curation.story_merges)
        for join in curation.joins:
            story[join.item_id] = join.story
            if join.item_id in alias:
                alias[join.item_id] = join.story
    followed = {item.item_id: _followed(merged, item.item_id) for item in items}
    return {item_id: _followed(alias, story.get(item, item)) for item_id, item in followed.items()}


def _followed(redirects: Mapping[str, str], start: str) -> str:
    found = start
    while (following := redirects.get(found, found)) != found:
        found = following
    return found


def lives(items: Sequence[ItemText]) -> Lives:
    """Of the stories of these arrivals."""
    members: dict[str, list[ItemText]] = defaultdict(list)
    by_id = {item.item_id: item for item in items}
    for item_id, story in clustered(items).items():
        members[story].append(by_id[item_id])
    spans = (max(i.published for i in some) - min(i.published for i in some) for some in members.values())
    return Lives(
        largest=max(map(len, members.values())),
        longest_days=max(spans) / DAY,
        of_several_sources=sum(len({item.source_id for item in some}) > 1 for some in members.values()),
    )


def arrivals(data: Path, *, count: int = ARRIVALS) -> list[ItemText]:
    """Titles of 24 newsrooms in the order in which they were seen; `count` 0: all 95,790 of 102 days."""
    path = next((data / "timeseries/arrivals").glob("*.csv.xz"))
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["collected_at"], row["pub_date"]))
    numbers: dict[str, int] = {}
    items = []
    for number, row in enumerate(rows[: count or None]):
        seen = datetime.fromisoformat(row["collected_at"])
        published = min(seen, datetime.fromisoformat(row["pub_date"])) if row["pub_date"] else seen
        source = numbers.setdefault(row["source"], len(numbers))
        items.append(_item(f"a{number:06d}", source, row["title"], "", at=published))
    return items


def small_site(data: Path, *, stories: int = 100, gap: timedelta = 36.5 * DAY) -> Labelled:
    """Stories of the validation part of NeuS, three articles each on one day, one story in so long."""
    whole = labelled.neus_validation(data)
    dice = random.Random(1)
    chosen = dice.sample(sorted(set(whole.label.values())), stories)
    begins = {label: MOMENT + n * gap for n, label in enumerate(chosen)}
    items = [
        replace(item, published=begins[whole.label[item.item_id]] + dice.random() * DAY / 2)
        for item in whole.items
        if whole.label[item.item_id] in begins
    ]
    items.sort(key=lambda item: item.published)
    return Labelled(name="30 items a year", items=items, label={i.item_id: whole.label[i.item_id] for i in items})


#: thirty clips in the words of a channel: what is said of each, and what is said under all
_SUBJECTS = (
    "beekeepers tram bell bakers owl glacier violin marathon reservoir lighthouse orchard ferry quarry chess archive",
    "windmill otter carnival mural telescope cheese bicycle dialect canal puppet vineyard meteor library kite bakery",
)
_UNDER_ALL = (
    "Subscribe to Harbour Television! https://video.example/harbour Watch more clips on our site: "
    "https://harbour.example/ Follow us for the news of the coast every hour. #harbour #news"
)


def channel() -> list[ItemText]:
    """Thirty clips of one channel about thirty things, in one batch."""
    return [
        _item(f"c{n}", 1, f"The {subject} of the week", f"A visit. {_UNDER_ALL}", at=MOMENT + n * timedelta(minutes=40))
        for n, subject in enumerate(subject for line in _SUBJECTS for subject in line.split())
    ]


def templates(data: Path) -> Iterator[tuple[str, bool, bool]]:
    """(kind, whether the two tell of one event, whether they share a story) of each look-alike that says so."""
    history = labelled.headlines(data).items[::BACKGROUND]
    last = max(item.published for item in history)
    background = [
        replace(item, item_id=f"b{item.item_id}", published=last + n * DAY / 2_000) for n, item in enumerate(history)
    ]
    for pair in labelled.story_pairs(data):
        curator = Curator()
        curator.load(background)
        for n, item in enumerate(pair.items):
            late = replace(
                item, item_id="ab"[n], source_id=n + 10_000, published=item.published - MOMENT + last + 20 * DAY
            )
            curator.decide([late])
        one, other = curator.story("a"), curator.story("b")
        yield pair.kind, pair.is_same, other is None or one == other


def _item(item_id: str, source: int, title: str, text: str, *, at: datetime) -> ItemText:
    return ItemText(
        item_id=item_id,
        source_id=source,
        source_name="",
        title=title,
        text=text,
        language="en",
        published=at,
        canonical_url=None,
    )


# --- a simple baseline ----------------------------------------------------------------------
def single_pass(one: Labelled, *, thresholds: Sequence[float]) -> Iterator[dict[str, str]]:
    """Single-pass clustering by TF-IDF: each item joins the story whose mean vector is most alike, from a threshold on.

    All words are counted beforehand, and time is left aside. One clustering a threshold.
    """
    index = InvertedIndex()
    documents = [index.read(item) for item in one.items]
    vectors = [index.vector(document) for document in documents]
    for threshold in thresholds:
        yield _passed(documents, vectors, threshold)


def _passed(documents: Sequence[Document], vectors: Sequence[Mapping[int, float]], threshold: float) -> dict[str, str]:
    stories: list[dict[int, float]] = []
    lengths: list[float] = []
    holders: dict[int, set[int]] = defaultdict(set)
    found: dict[str, str] = {}
    for document, vector in zip(documents, vectors, strict=True):
        near = {story for term in vector for story in holders[term]}
        dots = {
            story: sum(w * stories[story].get(t, 0.0) for t, w in vector.items()) / lengths[story] for story in near
        }
        best = max(dots, key=dots.__getitem__, default=-1)
        if best < 0 or dots[best] < threshold:
            best = len(stories)
            stories.append({})
            lengths.append(0.0)
        for term, weight in vector.items():
            stories[best][term] = stories[best].get(term, 0.0) + weight
            holders[term].add(best)
        lengths[best] = sum(weight * weight for weight in stories[best].values()) ** 0.5
        found[document.item_id] = str(best)
    return found


def _dot(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())
