"""A search as its page shows it: excerpts with the hits marked, and hits by section and source. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup, escape

from aggregator.model import SearchCounts, SourceRef
from aggregator.model.slug import slugify
from aggregator.publish.listing import Place
from aggregator.publish.pages.source_names import label
from aggregator.publish.pages.wording import Wording

__all__ = ["SearchRequest", "best_first", "best_titles", "marked", "query", "snippet", "tallies", "terms"]

#: letters of an excerpt, and how many of them may stand before the first hit
SNIPPET: Final = 180
BEFORE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search as it was asked for: words and filters, "" for those that are not used."""

    words: str = ""
    #: slugs
    section: str = ""
    source: str = ""
    #: a length of time: 1d, 7d, 30d
    within: str = ""
    #: "rank": best match first, else newest first
    order: str = ""


def query(asked: SearchRequest, **changes: str) -> str:
    """The query of the address of a search, with some of its filters changed."""
    asked = replace(asked, **changes)
    named = {"q": asked.words, "section": asked.section, "source": asked.source}
    named |= {"within": asked.within, "order": asked.order}
    return urlencode({name: value for name, value in named.items() if value})


def tallies(
    asked: SearchRequest, counts: SearchCounts, hit: Sequence[tuple[SourceRef, int]], words: Wording
) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """The sections and sources of the hits: (title, id, (name, address that narrows to it, hits))."""
    sections, sources = [], []
    for name, count in sorted(counts.by_section.items(), key=lambda row: (-row[1], row[0])):
        sections.append((name, f"/search?{query(asked, section=slugify(name))}", count))
    for ref, count in sorted(hit, key=lambda row: (-row[1], label(row[0]).name.casefold())):
        sources.append((label(ref).name, f"/search?{query(asked, source=ref.slug)}", count))
    found = [
        (words.gettext("Sections"), "sections", sections),
        (words.gettext("Sources"), "sources", sources[:12]),
    ]
    return [row for row in found if row[2]]


def terms(words: str) -> tuple[str, ...]:
    """The words of a search as they are looked for: folded, each once, the longest first."""
    found = {"".join(_folded(word)[0]) for word in words.split()}
    cleaned = {term.strip("\"'.,;:!?()[]{}«»“”„‘’") for term in found}
    return tuple(sorted((term for term in cleaned if term), key=lambda term: (-len(term), term)))


def marked(text: str, words: Sequence[str]) -> Markup:
    """The text with every one of these `terms` in a ``<mark>``."""
    parts: list[Markup] = []
    at = 0
    for start, end in _merged(_hits(text, words)):
        parts += [escape(text[at:start]), Markup("<mark>"), escape(text[start:end]), Markup("</mark>")]
        at = end
    return Markup("").join([*parts, escape(text[at:])])


def snippet(text: str, words: Sequence[str], *, limit: int = SNIPPET) -> Markup:
    """About `limit` letters of a text round the first hit, marked; from its beginning where nothing is found."""
    text = " ".join(text.split())
    first = min((start for start, _ in _hits(text, words)), default=0)
    start = _at_word(text, first - BEFORE) if first > BEFORE and len(text) > limit else 0
    end = start + limit
    cut = text[start:end].rstrip() if end < len(text) else text[start:]
    if end < len(text):
        head = cut.rpartition(" ")[0]
        cut = (head if len(head) > limit // 2 else cut).rstrip(" ,;:.–—-")
    before, behind = "…" if start else "", "…" if end < len(text) else ""
    return marked(f"{before}{cut}{behind}", words)


def best_titles(titles: Iterable[tuple[str, str]], words: str) -> list[str]:
    """The ids of these (id, title), each once: those with most of the words in a title first, else as they are."""
    asked = terms(words)
    best: dict[str, int] = {}
    for item_id, title in titles:
        folded = "".join(_folded(title)[0])
        best[item_id] = max(best.get(item_id, 0), sum(term in folded for term in asked))
    return sorted(best, key=best.__getitem__, reverse=True)


def best_first(places: Sequence[Place], words: str) -> tuple[Place, ...]:
    """The places with most of the words in their titles first, then those that say them most often; else as they are.

    All of them hold all the words: what tells them apart is where, and how often in how long a text.
    """
    asked = terms(words)

    def weight(place: Place) -> tuple[int, float]:
        title = "".join(_folded(place.item.title)[0])
        text = "".join(_folded(place.item.text)[0])
        often = sum(text.count(term) for term in asked)
        return sum(term in title for term in asked), often / (len(text) + 200)

    return tuple(sorted(places, key=weight, reverse=True))


def _at_word(text: str, start: int) -> int:
    """The next beginning of a word, or `start` itself where there are no words near."""
    space = text.find(" ", start, start + BEFORE // 2)
    return space + 1 if space >= 0 else start


def _hits(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(start, end) in the text of every word, however it is accented or cased."""
    letters, origins = _folded(text)
    folded = "".join(letters)
    for word in words:
        at = folded.find(word)
        while at >= 0:
            yield origins[at], origins[at + len(word) - 1] + 1
            at = folded.find(word, at + len(word))


def _merged(hits: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The hits in their order; what overlaps is one."""
    start = end = 0
    for first, last in sorted(hits):
        if first > end:
            if end > start:
                yield start, end
            start, end = first, last
        else:
            start, end = (start, max(end, last)) if end > start else (first, last)
    if end > start:
        yield start, end


def _folded(text: str) -> tuple[list[str], list[int]]:
    """The letters without case and accents, and for each the index in the text that it comes from."""
    letters: list[str] = []
    origins: list[int] = []
    for index, char in enumerate(text):
        for part in unicodedata.normalize("NFKD", char.casefold()):
            if not unicodedata.combining(part):
                letters.append(part)
                origins.append(index)
    return letters, origins
