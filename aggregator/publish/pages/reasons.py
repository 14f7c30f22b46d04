"""Why a story stands where it does, where that is worth a word: in the language of the site. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aggregator.publish.listing import Place
from aggregator.publish.pages.wording import Wording

__all__ = ["reasons"]

#: reasons are shown where fewer than one in so many has one: what all share says nothing
_SHARE: Final = 3
_LIKES = re.compile(r"([\d,]+) likes?$")
_LINKS = re.compile(r"linked by ([\d,]+) sources?$")
_COMMENTS = re.compile(r"([\d,]+) comments at its source$")
_VOTES = re.compile(r"([\d,]+) votes at its source$")


def reasons(places: Sequence[Place], words: Wording) -> dict[str, str]:
    """By item id one reason that tells it from the others; empty where too many have one.

    How many publishers carry it, and how fresh it is, stands beside it anyway.
    """
    told = {place.item.id: next(filter(None, (_told(one, words) for one in place.reasons)), "") for place in places}
    found = {item_id: reason for item_id, reason in told.items() if reason}
    return found if len(found) * _SHARE < len(places) else {}


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
