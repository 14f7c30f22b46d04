"""What the pages of an item and of a story show, from text and pictures to who reported a story when. Pure."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from aggregator.model import Copy, Enclosure, Item, SourceRef
from aggregator.publish.messages import N_
from aggregator.publish.pages.wording import Wording
from aggregator.publish.site import Site

#: one <img …> of sanitised HTML, whose attribute values are always quoted
IMG = re.compile(r"""<img\b((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE)
SRC = re.compile(r"""\ssrc=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
ALT = re.compile(r"\salt=", re.IGNORECASE)
#: attributes that are set by us
OURS = re.compile(r"""\s(?:loading|decoding|referrerpolicy)=(?:"[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
#: one that is wider than the page is scrolled, which has to work from the keyboard as well
TABLE = re.compile(r"<table\b", re.IGNORECASE)
EXCERPT_CHARACTERS = 900
#: of a feed that repeats itself, and of hundreds that carry one text
MAX_JOIN_REASONS = 12
#: for JSON inside of HTML; "<" is what could end the element, open a comment or a script within it
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
#: schema.org recommends at most that many characters
_MAX_HEADLINE = 110


def article_html(item: Item, site: Site) -> Markup:
    """What is shown of an item: its whole content where the source is configured so, else its summary.

    The HTML was sanitised when the item was collected; nothing is added here that it could have contained.
    """
    full = item.full_text or site.content == "full"
    chosen = (item.content_html if full else "") or item.summary_html or _paragraphs(item, whole=full)
    return Markup(TABLE.sub('<table tabindex="0"', _pictures(chosen, site)))  # noqa: S704 (sanitised by an allow-list at ingest)


def lead_image(item: Item, site: Site, shown: str) -> str | None:
    """The item's picture, unless the text shows it already or pictures are turned off."""
    url = item.image_url
    if site.images == "none" or not url or IMG.search(shown) or not url.startswith(("http://", "https://")):
        return None
    return None if url.startswith(site.url + "/") else url


def attachments(item: Item, site: Site) -> list[Enclosure]:
    """What comes with the item, but for the picture that is shown."""
    is_shown = site.images == "link"
    return [enclosure for enclosure in item.enclosures if not (is_shown and enclosure.url == item.image_url)]


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text, cut at a word, with an ellipsis where something is missing."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > limit // 2 else cut).rstrip(" ,;:.–—-") + "…"


def _paragraphs(item: Item, *, whole: bool) -> str:
    text = item.text if whole else excerpt(item.text, EXCERPT_CHARACTERS)
    return "".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n") if part.strip())


def _pictures(markup: str, site: Site) -> str:
    return IMG.sub(lambda match: _picture(match, site), markup)


def _picture(match: re.Match[str], site: Site) -> str:
    """A picture loaded late and without telling its server where it stands; none that asks this site for anything."""
    attributes = OURS.sub("", match[1]).rstrip(" /")
    source = SRC.search(attributes)
    address = html.unescape(source[1] or source[2] or "") if source else ""
    if site.images == "none" or not address.startswith(("http://", "https://")) or address.startswith(site.url + "/"):
        return ""
    if not ALT.search(attributes):
        attributes += ' alt=""'  # nothing is known of it: where it does not come, nothing is shown
    return f'<img{attributes} loading="lazy" decoding="async" referrerpolicy="no-referrer">'


def other_copies(item: Item) -> list[Copy]:
    """The same article at other sources, one for each source ("Also at")."""
    seen = {item.source.id}
    copies = []
    for copy in item.copies:
        if copy.source.id not in seen:
            seen.add(copy.source.id)
            copies.append(copy)
    return copies


def join_reasons(item: Item, words: Wording) -> list[tuple[Copy, str]]:
    """(copy, why it is this item), the first that carried it before the others; empty if there is only one.

    A source stands there once for each different reason.
    """
    if len(item.copies) < 2:
        return []
    return list(_told(item, words))[:MAX_JOIN_REASONS]


def _told(item: Item, words: Wording) -> Iterator[tuple[Copy, str]]:
    ordered = sorted(item.copies, key=lambda copy: (copy.rule != "first", copy.first_seen))
    first = ordered[0]
    said: set[tuple[int, str]] = set()
    for copy in ordered:
        why = _why(copy, first if len(ordered) == 2 else None, words)
        if (copy.source.id, why) not in said:
            said.add((copy.source.id, why))
            yield copy, why


def _why(copy: Copy, other: Copy | None, words: Wording) -> str:
    """`other`: the one copy that it can have been compared with; None where there are several."""
    if copy.rule in _RULES:
        return words.gettext(_RULES[copy.rule])
    why = words.gettext("the same text")
    if other is not None and other.source.id != copy.source.id:
        why = words.gettext("the same text as at %(source)s") % {"source": other.source.name}
    return ", ".join([why, *_alike(copy.figures, words)])


#: rules that are sure; the others compare texts, and give figures
_RULES = {
    "first": N_("the first that carried it"),
    "canonical-url": N_("the same address, without what only tracks readers"),
}
#: of which figures a page tells; `aggregator explain` tells all of them
_FIGURES = {
    "containment": N_("%(num)s %% of the shorter one's word pairs stand in the other"),
    "titles": N_("titles %(num)s %% alike"),
    "order": N_("%(num)s %% of their words in the same order"),
}


def _alike(figures: Mapping[str, float], words: Wording) -> Iterator[str]:
    for name, told in _FIGURES.items():
        if name in figures:
            yield words.gettext(told) % {"num": words.number(round(100 * figures[name]))}
    if figures.get("same_numbers"):
        yield words.gettext("the same numbers")


def linked_data(item: Item, site: Site) -> Markup:
    """The item as a NewsArticle of its publisher: the page is about it, and does not claim to be it."""
    said: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": item.title[:_MAX_HEADLINE],
        "datePublished": item.published.isoformat(timespec="seconds"),
        "dateModified": max(item.updated, item.published).isoformat(timespec="seconds"),
        "mainEntityOfPage": site.page(item.id),
        "articleSection": item.section,
        "publisher": {"@type": "Organization", "name": item.source.name, "url": item.source.home},
        "url": item.url,
        "inLanguage": item.language,
        "author": {"@type": "Person", "name": item.author} if item.author else None,
        "image": item.image_url if site.images == "link" else None,
    }
    kept = {name: value for name, value in said.items() if value is not None}
    return Markup(json.dumps(kept, ensure_ascii=False).translate(_ESCAPES))  # noqa: S704 (escaped just here)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The reports of one publisher along the hours of the story."""

    source: SourceRef
    reports: int
    #: where each report stands, in per cent of the way
    points: tuple[float, ...]
    #: this publisher was the first
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPage:
    """A story as its page shows it."""

    story: str
    #: the newest report of the publisher that has most, whose title stands for the story
    face: Item
    #: newest first
    reports: tuple[Item, ...]
    lanes: tuple[Lane, ...]
    first: Item
    last: Item
    #: from the first report to the last
    span: timedelta

    def later(self, item: Item) -> timedelta:
        """How long after the first report this one came."""
        return item.published - self.first.published

    @property
    def middle(self) -> datetime:
        """Half way between the first report and the last."""
        return self.first.published + self.span / 2


def compose_story(story: str, items: Sequence[Item]) -> StoryPage:
    """The page of a story with at least one item."""
    ordered = sorted(items, key=lambda item: (item.published, item.id))
    first, last = ordered[0], ordered[-1]
    span = last.published - first.published
    counts = Counter(item.source.id for item in ordered)
    by_source: dict[int, list[Item]] = {}
    for item in ordered:
        by_source.setdefault(item.source.id, []).append(item)
    lanes = tuple(
        Lane(
            source=members[0].source,
            reports=len(members),
            points=tuple(_share(item.published - first.published, span) for item in members),
            is_first=members[0] is first,
        )
        for members in by_source.values()
    )
    face = max(ordered, key=lambda item: (counts[item.source.id], bool(item.image_url), item.published, item.id))
    return StoryPage(
        story=story, face=face, reports=tuple(reversed(ordered)), lanes=lanes, first=first, last=last, span=span
    )


def coverage(item: Item, story: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Of the other items of its story the newest of each other source, and those of its own source."""
    carriers = {copy.source.id for copy in item.copies} | {item.source.id}
    newest: dict[int, Item] = {}
    same = []
    for other in sorted(story, key=lambda one: (one.published, one.id), reverse=True):
        if other.id == item.id:
            continue
        if other.source.id in carriers:
            same.append(other)
        else:
            newest.setdefault(other.source.id, other)
    return list(newest.values()), same


def _share(part: timedelta, whole: timedelta) -> float:
    """In per cent, away from the edges where a point would be cut off."""
    return round(2 + 96 * (part / whole), 1) if whole else 50.0
