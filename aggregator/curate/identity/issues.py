"""Whether a title names another issue of what a page is about: the next release, the next day. Pure.

Feeds of releases give one guid and one address to all of them ("acme/tool (1.2.0)"). The numbers of headlines change as
well ("12 dead"), and there another number is a correction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aggregator.curate.entities import DATE_WORDS
from aggregator.curate.text import normalise
from aggregator.model import KnownEntry, ParsedEntry

__all__ = ["is_next_issue"]

_TOKEN = re.compile(r"[\w.+~-]*\w|[^\w\s]")
#: 1.2.0, v2, 1.4rc1, 2026-01-31
_VERSION = re.compile(
    r"v\d[\w.+~-]*|\d+(?:[.-]\d+){2,}[\w.+~-]*|\d+(?:\.\d+)?[._-]?(?:a|b|alpha|beta|rc|pre|post|dev|p)\.?\d*"
)
_DECIMAL = re.compile(r"\d+\.\d+")
_DAY_OR_YEAR = re.compile(r"\d{1,4}(?:st|nd|rd|th)?")
#: what stands before the number of an issue
_COUNTED = re.compile(
    r"version|ver|release|rel|build|update|patch|rev(?:ision)?|beta|alpha|rc|snapshot|nightly|milestone|sprint|issue|ep"
    r"|(?:é|e)pisode|(?:é|e)dition|part|chapter|vol(?:ume)?|no|nr|#|№|day|week|round|season|ausgabe|folge|teil|woche|tag"
    r"|episodio|edición|edizione|num(?:e|é)ro|número|puntata|partie|выпуск|часть|версия|серия"
)
#: what stands before or behind an amount
_MEASURED = re.compile(
    r"[%$€£]|percent|pct|[mbtr]+illion|magnitude|mw?|km|miles|degrees|points|at|to|by|of|over|above|below|under|about|nearly"
    r"|from|near|than"
)
#: a title of more words and signs is a sentence, in which a decimal is an amount
_SHORT_TITLE = 8


def is_next_issue(parsed: ParsedEntry, known: KnownEntry) -> bool:
    """Whether `parsed` is a later issue than `known`: the titles differ in version, issue or date alone.

    Without a time of its own, only a version tells.
    """
    if parsed.title == known.title or (parsed.published is not None and parsed.published <= known.published):
        return False
    titles = [_TOKEN.findall(normalise(title)) for title in (known.title, parsed.title)]
    if len(titles[0]) != len(titles[1]):
        return False
    differing = [place for place, (a, b) in enumerate(zip(*titles, strict=True)) if a != b]
    names_issue = _is_version if parsed.published is None else _is_version_or_date
    return bool(differing) and all(names_issue(tokens, place) for tokens in titles for place in differing)


def _is_version_or_date(tokens: Sequence[str], place: int) -> bool:
    return _is_version(tokens, place) or _is_date(tokens[: place + 1]) or _is_date(tokens[place:])


def _is_version(tokens: Sequence[str], place: int) -> bool:
    token = tokens[place]
    before, behind = tokens[place - 1] if place else "", tokens[place + 1] if place + 1 < len(tokens) else ""
    if _VERSION.fullmatch(token) or (_COUNTED.fullmatch(before) and token[:1].isdigit()):
        return True
    is_amount = _MEASURED.fullmatch(before) or _MEASURED.fullmatch(behind)
    return _DECIMAL.fullmatch(token) is not None and len(tokens) <= _SHORT_TITLE and not is_amount


def _is_date(tokens: Sequence[str]) -> bool:
    """The beginning or the end of a title: "Monday", "June 3, 2026"."""
    words = [token for token in tokens if token[0].isalnum()]
    named = sum(word in DATE_WORDS for word in words)
    return named > 0 and all(word in DATE_WORDS or _DAY_OR_YEAR.fullmatch(word) for word in words)
