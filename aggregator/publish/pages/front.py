"""What stands where on the front page: each story once, in the place that fits it best. Pure.

One set of the stories that are shown already is filled in this order: Ranking, lead, seconds, briefs, sections, Latest.
The feeds keep whole lists; only the page leaves out what stands elsewhere on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aggregator.model import Item
from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages.languages import primary
from aggregator.publish.pages.stream import Run, runs

__all__ = ["Desk", "FrontPage", "Opening", "Used", "compose_front", "compose_opening"]

#: places of each kind
SECONDS: Final = 3
BRIEFS: Final = 9
DESK_BRIEFS: Final = 3
LATEST: Final = 10
#: sections that are shown with all their places; of more each shows fewer, and so many at most
FULL_DESKS: Final = 9
MAX_DESKS: Final = 18
#: of so many of the latest some may fill the opening
MUCH: Final = 60
#: of one source: among lead and seconds, among the briefs, in a section
OF_ONE_SOURCE: Final = 2
BRIEFS_OF_ONE_SOURCE: Final = 3
#: what a lead with a picture and at least so many letters of text weighs
WHOLE: Final = 3.0
LEDE_LETTERS: Final = 60
#: how far back a section is shown; of an older one its newest item alone
DESK_REACH: Final = timedelta(hours=48)
#: what a lead in another language than the site's weighs
FOREIGN: Final = 0.25
#: a lead loses half of its weight in this time
HALF_LIFE: Final = timedelta(hours=12)


class Used:
    """The stories that stand on a page already."""

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._stories: set[str] = set()
        for place in places:
            self.add(place)

    def __contains__(self, place: Place) -> bool:
        return place.item.story in self._stories

    def add(self, place: Place) -> Place:
        """Shows one; it is given back."""
        self._stories.add(place.item.story)
        return place

    def show(self, places: Sequence[Place]) -> tuple[Place, ...]:
        """Shows all of these as they are."""
        for place in places:
            self.add(place)
        return tuple(places)

    def take(
        self, places: Iterable[Place], count: int, *, per_source: int | None = None, seen: Counter[int] | None = None
    ) -> tuple[Place, ...]:
        """The first so many that do not stand there yet, at most `per_source` of a source; they do then.

        `seen` counts the places of each source so far.
        """
        seen = Counter() if seen is None else seen
        taken: list[Place] = []
        for place in places:
            if len(taken) == count:
                break
            if place in self or (per_source is not None and seen[place.item.source.id] >= per_source):
                continue
            seen[place.item.source.id] += 1
            taken.append(self.add(place))
        return tuple(taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The head of the front page or of a section."""

    lead: Place | None = None
    seconds: tuple[Place, ...] = ()
    briefs: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A section on the front page: its first item as a card, the others as lines."""

    name: str
    lead: Place
    briefs: tuple[Place, ...]
    #: stories of the last 24 hours; None: not counted
    stories: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPage:
    """Everything on the front page in its order."""

    ranking: tuple[Place, ...]
    opening: Opening
    desks: tuple[Desk, ...]
    latest: tuple[Run, ...]


def compose_front(
    *,
    ranking: Listing,
    ranking_size: int,
    recommended: Listing,
    covered: Sequence[Place],
    sections: Sequence[tuple[str, Listing, int | None]],
    latest: Listing,
    now: datetime,
    language: str,
    day_of: Callable[[Item], object],
) -> FrontPage:
    """The front page of these lists.

    `covered` are stories that several publishers carry, where recommendations do not fill the opening; `sections` are
    (name, its latest items, its stories of the last 24 hours). `language` is what most readers read.
    """
    used = Used()
    # a count of readers is shown as it is, two reports of one story among them
    ranked = used.show(ranking.places[:ranking_size])
    # where there is little, it is left to the sections and to the latest
    pool = [*recommended.places, *covered, *(latest.places if len(latest.places) > MUCH else ())]
    opening = compose_opening(pool, used, now=now, language=language, briefs=BRIEFS)
    desks = tuple(_desks(sections, used, now=now))
    rest = [place for place in latest.places if place not in used]
    folded = tuple(runs(_once(rest), day_of=day_of))[:LATEST]
    return FrontPage(ranking=ranked, opening=opening, desks=desks, latest=folded)


def compose_opening(places: Sequence[Place], used: Used, *, now: datetime, language: str, briefs: int = 0) -> Opening:
    """Lead, seconds and briefs among these places, best first; they are `used` then."""
    free = [place for place in _once(places) if place not in used]
    sources: Counter[int] = Counter()
    lead = _lead(free, now, language)
    if lead is not None:
        sources[lead.item.source.id] += 1
        used.add(lead)
    fit = [place for place in free if place.item.image_url and place.others]
    pictured = [place for place in free if place.item.image_url and not place.others]
    seconds = used.take([*fit, *pictured, *free], SECONDS, per_source=OF_ONE_SOURCE, seen=sources)
    lines = used.take(free, briefs, per_source=BRIEFS_OF_ONE_SOURCE)
    return Opening(lead=lead, seconds=seconds, briefs=lines)


def _lead(places: Sequence[Place], now: datetime, language: str) -> Place | None:
    """The place with most publishers, the fresher the better; a picture and a text count for much."""
    return max(places, key=lambda place: _weight(place, now, language), default=None)


def _weight(place: Place, now: datetime, language: str) -> float:
    item = place.item
    age = max(now - item.published, timedelta())
    understood = 1.0 if primary(item.language or language) == primary(language) else FOREIGN
    whole = WHOLE if item.image_url and len(item.text) >= LEDE_LETTERS else 1.0
    return float((len(place.others) + 1) * understood * whole * 0.5 ** (age / HALF_LIFE))


def _desks(sections: Sequence[tuple[str, Listing, int | None]], used: Used, *, now: datetime) -> Iterator[Desk]:
    size = DESK_BRIEFS if len(sections) <= FULL_DESKS else 1
    for name, listing, stories in sections[:MAX_DESKS]:
        recent = [place for place in listing.places if now - place.item.published < DESK_REACH]
        free = [place for place in recent or listing.places[:1] if place not in used]
        if not free:
            continue
        lead = used.add(next((place for place in free[: size + 1] if place.item.image_url), free[0]))
        seen = Counter({lead.item.source.id: 1})
        briefs = used.take(free, size, per_source=OF_ONE_SOURCE, seen=seen)
        briefs += used.take(free, size - len(briefs))
        yield Desk(name=name, lead=lead, briefs=briefs, stories=stories)


def _once(places: Iterable[Place]) -> Iterator[Place]:
    """The first place of each story."""
    seen: set[str] = set()
    for place in places:
        if place.item.story not in seen:
            seen.add(place.item.story)
            yield place
