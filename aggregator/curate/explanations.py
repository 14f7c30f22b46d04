"""Reasons and figures in words: "6 sources" beside an item in a list, and each step that `explain` tells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from aggregator.curate.windows import the_last
from aggregator.model import Candidate, Listed

__all__ = [
    "FIGURES",
    "counted",
    "list_name",
    "reasons_of",
    "relative_reasons",
    "why_apart",
    "why_joined",
    "why_same_story",
    "why_there",
]

Figures = Mapping[str, float]


def list_name(key: str) -> str:
    """A list by its key: ``ranking:1d/section/World`` → "Ranking of World, the last 24 hours"."""
    order, _, rest = key.partition("/")
    scope, _, name = rest.partition("/")
    order, _, window = order.partition(":")
    title = {"ranking": "Ranking", "recommended": "Recommendation"}.get(order, order)
    title += {"section": f" of {name}", "language": f" in {name}", "feed": f" of the feed {name}"}.get(scope, "")
    return f"{title}, {the_last(window)}" if window else title


# --- the same item, the same story --------------------------------------------------------
def why_joined(rule: str, figures: Figures) -> str:
    """Why an entry of a source is this very item."""
    if rule == "first":
        return "the first that carried it"
    if rule == "canonical-url":
        return "the same address, without what only tracks readers"
    told = [_PARTS[name](figures[name]) for name in figures if name in _PARTS]
    return ", ".join(["the same text" if rule == "near-duplicate" else rule, *told])


def why_apart(figures: Figures) -> str:
    """Why two items that were merged are two again."""
    told = [_PARTS[name](figures[name]) for name in figures if name in _PARTS]
    return ", ".join(["no longer the same text", *told])


_PARTS: Mapping[str, Callable[[float], str]] = {
    "containment": lambda share: f"{_percent(share)} of the shorter one's word pairs stand in the other",
    "titles": lambda share: f"titles {_percent(share)} alike",
    "order": lambda share: f"{_percent(share)} of their words in the same order",
    "same_numbers": lambda same: "the same numbers" if same else "different numbers",
    "filled_in": lambda _: "what differs fills in a template",
    "exchanged": lambda _: "some words of one title exchanged for others",
    "cosine": lambda share: f"{_percent(share)} alike in the words that tell",
    "shared_terms": lambda number: f"{counted(round(number), 'rare word', 'rare words')} shared with one article",
    "items": lambda number: f"the story had {counted(round(number), 'article', 'articles')} then",
}


def why_same_story(figures: Figures) -> str:
    """Why an item stands in its story."""
    told = [_PARTS[name](figures[name]) for name in figures if name in _PARTS]
    return ", ".join(told) or "the story began with it"


# --- places in lists ------------------------------------------------------------------------
def _times(power: float) -> str:
    """A power of two as people multiply."""
    return f"× {2.0**power:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _spread(score: float) -> str:
    if abs(score) < 0.05:
        return "as much as usual"
    return f"{abs(score):.1f} standard deviations {'above' if score > 0 else 'below'} the usual"


#: what each figure of a place says; those that are factors of the score end with their factor
FIGURES: Mapping[str, Callable[[float], str]] = {
    "views": lambda views: f"opened by {counted(round(views), 'reader', 'readers')}",
    "sources": lambda number: f"carried by {counted(round(number), 'source', 'sources')}",
    "pinned": lambda is_pinned: "pinned to the top by a rule" if is_pinned else "",
    "shown": lambda times: f"shown {times:.3g} times to readers, places further down counting less",
    "expected": lambda views: f"the usual item would have been opened {views:.3g} times by now",
    "age_h": lambda hours: f"published {hours:.3g} hours ago",
    "z_source": lambda score: f"its source is opened {_spread(score)}",
    "coverage": lambda number: f"publishers of the story, busy ones counting less: {number:.3g}",
    "citations": lambda number: f"linked by {counted(round(number), 'other source', 'other sources')}",
    "z_upstream": lambda score: f"comments, votes and views at its source: {_spread(score)} for its age",
    "likes": lambda number: counted(round(number), "like", "likes"),
    "prior": lambda factor: f"these signals alone make it × {factor:.3g} as likely to be opened as the usual item",
    "lift": lambda power: f"popularity, from readers and signals: {_times(power)}",
    "favour": lambda power: f"weight of its source and boosts of rules: {_times(power)}",
    "fresh": lambda power: f"freshness: {_times(power)}",
    "rare_source": lambda power: f"its source posts rarely, so it stays fresh longer: {_times(power)}",
    "taste": lambda power: f"like what was read: {_times(power)}",
    "loyalty": lambda power: f"a source that is read often: {_times(power)}",
    "chance": lambda is_chance: "in a place kept for what had no chance yet" if is_chance else "",
}
#: said in every case; other figures that are 0 say nothing
_ALWAYS = frozenset({"views", "expected", "age_h", "lift", "fresh"})


def why_there(figures: Figures) -> Iterator[str]:
    """What a place in a list follows from, a phrase each; a figure without words is given as it is."""
    for name, figure in figures.items():
        if figure or name in _ALWAYS:
            told = FIGURES[name](figure) if name in FIGURES else f"{name} {figure:.3g}"
            if told:
                yield told


#: upstream counts are named from here on
TOLD_FROM = 10
#: in a list of fewer places a reason that all share is said
MIN_SHARED = 3


def counted(number: int, one: str, many: str = "") -> str:
    """The number with its word: "1 reader", "1,204 readers"; `many` where it takes more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def reasons_of(item: Candidate, *, first: Iterable[str] = (), last: Iterable[str] = ()) -> tuple[str, ...]:
    """What speaks for an item, the most telling first; `first` and `last` are put around it."""
    found = [*first]
    if max(item.sources, item.coverage) > 1:
        found.append(counted(max(item.sources, item.coverage), "source"))
    if item.citations:
        found.append(f"linked by {counted(item.citations, 'source')}")
    if item.likes:
        found.append(counted(item.likes, "like"))
    if (item.upstream.comments or 0) >= TOLD_FROM:
        found.append(f"{item.upstream.comments:,} comments at its source")
    elif (item.upstream.votes or 0) >= TOLD_FROM:
        found.append(f"{item.upstream.votes:,} votes at its source")
    return (*found, *last)


#: what may set a place apart from the others of its list, by the term of its score that is more than is usual there
_RELATIVE = {
    "lift": "more read than most here",
    "fresh": "newer than most here",
    "rare_source": "its source rarely posts",
}
#: a place that exceeds the middle by none: it was chosen because it is unlike the others
_OTHERWISE = "another subject"


def relative_reasons(places: Sequence[Listed]) -> tuple[Listed, ...]:
    """These places without the reasons that all of them share, which tell none from another.

    A place that has no other gets the term of its score by which it exceeds the middle of the list most. How many
    readers an item had is always said.
    """
    if len(places) < MIN_SHARED:
        return tuple(places)
    of_all = frozenset.intersection(*(frozenset(place.reasons) for place in places))
    shared = {reason for reason in of_all if " reader" not in reason}
    if not shared:
        return tuple(places)
    middle = {term: median(place.figures.get(term, 0.0) for place in places) for term in _RELATIVE}

    def own(place: Listed) -> Listed:
        reasons = tuple(reason for reason in place.reasons if reason not in shared)
        above = {term: place.figures.get(term, 0.0) - middle[term] for term in _RELATIVE}
        term = max(_RELATIVE, key=above.__getitem__)
        return replace(place, reasons=reasons or (_RELATIVE[term] if above[term] > 0 else _OTHERWISE,))

    return tuple(map(own, places))
