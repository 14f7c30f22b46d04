"""Which stories stand where on the front page and on pages of the latest: each story once. Pure.

The places are filled in this order: Ranking, lead, seconds, briefs, sections, Latest. `Used` holds the stories that the
page shows already. Feeds keep whole lists; only pages leave out what stands elsewhere on the page. In the latest, runs
of one source are folded (`runs`), so that a source that posts forty items at once does not fill the page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from aggregator.model import Item
from aggregator.publish.listing import Listing, Place
from aggregator.publish.markup import is_wide
from aggregator.publish.pages.wording import Wording, primary

__all__ = [
    "Desk",
    "FrontPage",
    "Opening",
    "Run",
    "Used",
    "at_least",
    "by_tier",
    "compose_front",
    "compose_opening",
    "half",
    "numbered",
    "reasons",
    "runs",
]

#: places of each kind
SECONDS: Final = 3
BRIEFS: Final = 9
DESK_BRIEFS: Final = 3
LATEST: Final = 8
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
#: pixels that a picture has at least to be shown large or small, where its size is known
LEAD_WIDTH: Final = 640
CARD_WIDTH: Final = 160
#: how far back a section is shown; of an older one its newest item alone
DESK_REACH: Final = timedelta(hours=48)
#: what a lead in another language than the site's weighs
FOREIGN: Final = 0.25
#: a lead loses half of its weight in this time
HALF_LIFE: Final = timedelta(hours=12)
#: items of a run that are shown; a run is folded where more than one would be hidden
SHOWN: Final = 2
#: reasons are shown where fewer than one in so many has one: what all share says nothing
_SHARE: Final = 3
_LIKES = re.compile(r"([\d,]+) likes?$")
_LINKS = re.compile(r"linked by ([\d,]+) sources?$")
_COMMENTS = re.compile(r"([\d,]+) comments at its source$")
_VOTES = re.compile(r"([\d,]+) votes at its source$")


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
class Run:
    """One line of the stream; the last of a run that is folded has the others behind it."""

    place: Place
    folded: tuple[Place, ...] = ()

    @property
    def last(self) -> Item:
        """The oldest item of the line."""
        return (self.folded[-1] if self.folded else self.place).item


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
    fit = [place for place in free if _is_pictured(place.item, CARD_WIDTH) and place.others]
    pictured = [place for place in free if _is_pictured(place.item, CARD_WIDTH) and not place.others]
    seconds = used.take([*fit, *pictured, *free], SECONDS, per_source=OF_ONE_SOURCE, seen=sources)
    lines = used.take(free, briefs, per_source=BRIEFS_OF_ONE_SOURCE)
    return Opening(lead=lead, seconds=seconds, briefs=lines)


def runs(places: Iterable[Place], *, day_of: Callable[[Item], object]) -> Iterator[Run]:
    """The places in their order; of more than three in a row of one source and day two, and the rest folded."""
    for _, group in groupby(places, key=lambda place: (place.item.source.id, day_of(place.item))):
        members = list(group)
        shown, folded = (members, []) if len(members) <= SHOWN + 1 else (members[:SHOWN], members[SHOWN:])
        for place in shown[:-1]:
            yield Run(place=place)
        yield Run(place=shown[-1], folded=tuple(folded))


def numbered(listing: Listing, shown: Sequence[Place]) -> tuple[tuple[int, Place], ...]:
    """(place in the list, place) of those that are shown."""
    numbers = {place.item.id: number for number, place in enumerate(listing.places, 1)}
    return tuple((numbers[place.item.id], place) for place in shown)


def half(places: Sequence[Place], *, of: Sequence[Place]) -> Sequence[Place]:
    """The first of these places, at most half as many as there are stories in `of`.

    Nothing stands twice on a page: where there is little, a ranking would leave nothing for the rest of the page.
    """
    return places[: sum(1 for _ in _once(of)) // 2]


def by_tier(places: Sequence[Place], used: Used, count: int) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """(related, loosely related): at most so many in all, without those that stand on the page already."""
    close = used.take((place for place in places if place.tier == "related"), count)
    return close, used.take((place for place in places if place.tier == "more"), count - len(close))


def at_least(places: Sequence[Place], used: Used, count: int) -> tuple[Place, ...]:
    """The first so many, without those that stand on the page already as far as enough others are left."""
    spare = len(places) - count
    kept: list[Place] = []
    for place in places:
        if len(kept) == count:
            break
        if place in used and spare > 0:
            spare -= 1
            continue
        kept.append(place)
    return used.show(kept)


def reasons(places: Sequence[Place], words: Wording) -> dict[str, str]:
    """By item id one reason that tells it from the others; empty where too many have one.

    How many publishers carry it, and how fresh it is, stands beside it anyway.
    """
    told = {place.item.id: next(filter(None, (_told(one, words) for one in place.reasons)), "") for place in places}
    found = {item_id: reason for item_id, reason in told.items() if reason}
    return found if len(found) * _SHARE < len(places) else {}


def _lead(places: Sequence[Place], now: datetime, language: str) -> Place | None:
    """The place with most publishers, the fresher the better; a picture and a text count for much."""
    return max(places, key=lambda place: _weight(place, now, language), default=None)


def _weight(place: Place, now: datetime, language: str) -> float:
    item = place.item
    age = max(now - item.published, timedelta())
    understood = 1.0 if primary(item.language or language) == primary(language) else FOREIGN
    whole = WHOLE if _is_pictured(item, LEAD_WIDTH) and len(item.text) >= LEDE_LETTERS else 1.0
    return float((len(place.others) + 1) * understood * whole * 0.5 ** (age / HALF_LIFE))


def _is_pictured(item: Item, width: int) -> bool:
    return is_wide(item.image_url, width, item.image_width)


def _desks(sections: Sequence[tuple[str, Listing, int | None]], used: Used, *, now: datetime) -> Iterator[Desk]:
    size = DESK_BRIEFS if len(sections) <= FULL_DESKS else 1
    for name, listing, stories in sections[:MAX_DESKS]:
        recent = [place for place in listing.places if now - place.item.published < DESK_REACH]
        free = [place for place in recent or listing.places[:1] if place not in used]
        if not free:
            continue
        lead = used.add(next((place for place in free[: size + 1] if _is_pictured(place.item, CARD_WIDTH)), free[0]))
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


def _told(reason: str, words: Wording) -> str:
    if found := _LIKES.match(reason):
        return words.plural("%(num)s like", "%(num)s likes", _number(found))
    if found := _LINKS.match(reason):
        return words.plural("cited by %(num)s other", "cited by %(num)s others", _number(found))
    if found := _COMMENTS.match(reason):
        return words.plural("%(num)s comment there", "%(num)s comments there", _number(found))
    if found := _VOTES.match(reason):
        return words.plural("%(num)s vote there", "%(num)s votes there", _number(found))
    return ""


def _number(found: re.Match[str]) -> int:
    return int(found[1].replace(",", ""))
