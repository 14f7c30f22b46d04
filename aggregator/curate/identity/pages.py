"""What kind of page an address names, and whether two entries that link to one page are the same article. Pure.

A landing page (tickets, a shop, a live stream, a show, the releases of a project) is the address of many things. So an
address alone says that two entries are one article only where their words have something in common, and the more of
them the less the address looks like an article's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from aggregator.curate import entities
from aggregator.curate.stopword_priors import LANGUAGES, commonest
from aggregator.curate.text import strip_lead, tokens

__all__ = ["is_front_page", "names_one_story", "shared_subject"]

_GENERAL_PAGES = re.compile(
    r"^/?$|^/[^/\d?]{0,12}$|/(?:live|news|latest|changelog|releases|updates|feed|rss|blog|home|archive|events)$",
    re.IGNORECASE,
)
_FRONT_PAGE = re.compile(r"https?://[^/?#]*/?")
#: an article's address: three words in a row, or a number of an article
_ARTICLE = re.compile(r"[^\W\d_]+(?:[-_][^\W_]+){2,}|\d{4,}")
#: characters of a text that are compared
_COMPARED = 600
#: of the words of the shorter: this share of titles, or of all, where the address is an article's; or not
ARTICLE_TITLES, ARTICLE_WORDS = 0.2, 0.15
PAGE_TITLES, PAGE_WORDS = 0.6, 0.4


def is_front_page(canonical: str) -> bool:
    """Whether an address (canonical) is a site's first page."""
    return _FRONT_PAGE.fullmatch(canonical) is not None


def names_one_story(link: str) -> bool:
    """Whether an address is of the kind that belongs to one article, not to a page whose contents change."""
    parts = urlsplit(link)
    return bool(parts.query) or not _GENERAL_PAGES.search(parts.path)


def shared_subject(link: str, one: tuple[str, str], other: tuple[str, str]) -> Mapping[str, float] | None:
    """What two entries (title, text) at one canonical address have in common, as figures; None: too little to be one.

    Without words on one side only an article's address tells.
    """
    if one == other:  # one feed under two addresses; its words may all be common ones
        return {"titles": 1.0, "words": 1.0}
    is_article = names_one_story(link) and _ARTICLE.search(urlsplit(link)._replace(scheme="", netloc="").geturl())
    titles = _overlap(_telling(one[0]), _telling(other[0]))
    words = _overlap(_telling(_all_words(*one)), _telling(_all_words(*other)))
    if words is None:
        return {} if is_article else None
    figures = {"titles": round(titles or 0.0, 3), "words": round(words, 3)}
    if is_article:
        return figures if figures["titles"] >= ARTICLE_TITLES or words >= ARTICLE_WORDS else None
    # the next release, the next show: a page has a place for each
    is_next = _contradict(entities.numbers(one[0], ""), entities.numbers(other[0], ""))
    return figures if not is_next and (figures["titles"] >= PAGE_TITLES or words >= PAGE_WORDS) else None


def _contradict(one: Collection[int], other: Collection[int]) -> bool:
    return bool(one and other) and set(one) != set(other)


def _all_words(title: str, text: str) -> str:
    return f"{title}\n{strip_lead(text[:_COMPARED])}"


def _telling(text: str) -> frozenset[str]:
    """The words of a text but for the commonest of any language and bare numbers of a digit or two."""
    return frozenset(
        word for word in tokens(text) if word not in _common_words() and not (word.isdigit() and len(word) < 3)
    )


def _overlap(one: frozenset[str], other: frozenset[str]) -> float | None:
    """The share of the words of the shorter that stand in the other; None where one has none."""
    fewer = min(len(one), len(other))
    return len(one & other) / fewer if fewer else None


@lru_cache(maxsize=1)
def _common_words() -> frozenset[str]:
    return frozenset(word for language in LANGUAGES for word, _ in commonest(language))
