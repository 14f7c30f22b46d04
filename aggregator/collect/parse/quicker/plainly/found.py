"""What is known of an entry while its elements come, and the RawEntry that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aggregator.collect.parse.fields import ALTERNATE, MAX_IMAGES, base_of, is_image, upstream_of
from aggregator.collect.parse.quicker.dates import UnreadDate
from aggregator.collect.parse.quicker.values import mended
from aggregator.collect.parse.raw import RawContent, RawDate, RawEntry

__all__ = ["HTML", "PLAIN", "Attributes", "Found", "Rule", "Unusual", "address", "stripped", "top_only"]

PLAIN, HTML = "text/plain", "text/html"

Attributes = dict[str, str]


class Unusual(Exception):
    """An entry that feedparser has to read."""


class Found:
    """What is known of an entry so far."""

    #: feedparser: a title is not replaced by one that stands deeper, or at the same depth behind it
    title: str | None = None
    title_kind = ""
    title_depth: int | None = None
    #: where a title was seen last
    title_seen = -1
    summary: str | None = None
    #: None: it was taken from the content, and nothing is known of it
    summary_kind: str | None = None
    summary_depth: int | None = None
    #: (kind, text) of the longest content
    content: tuple[str, str] | None = None
    has_content = False
    guid = ""
    link: str | None = None
    origlink = ""
    author = ""
    #: the name within the author that is open, if one is
    person: str | None = None
    published = created = updated = language = ""
    image = ""

    def __init__(self, base: str, lang: str | None, resolve: Callable[[str], str], *, is_atom: bool) -> None:
        #: how many elements are open, this one included
        self.depth = 1
        self.base = base
        self.lang = lang.replace("_", "-") if lang else None
        self.resolve = resolve
        self.is_atom = is_atom
        self.links: list[Attributes] = []
        self.authors: list[str] = []
        #: term, scheme, label
        self.tags: list[list[str | None]] = []
        self.media: list[Attributes] = []
        self.thumbnails: list[Attributes] = []
        self.reports: dict[str, Any] = {}

    def entry(self, url: str) -> RawEntry:
        """All of it, in the document at `url`."""
        base = base_of(self.base, url)
        title, summary, content = self._title(base), self._summary(base, url), self._content(base)
        if summary and content and summary.value == content.value:
            summary = None  # a copy, which has lost its base
        enclosures, written = self._links()
        published, updated = _date(self.published), _date(self.updated)
        return RawEntry(
            base=content.base if content else summary.base if summary else base if title else url,
            guid=self.guid,
            links=(self.origlink, self.link or "", *written, *[each.get("href", "") for each in enclosures]),
            title=title,
            summary=summary,
            content=content,
            author=self._author(),
            published=published or _date(self.created) or updated,
            updated=updated,
            # each of them is in the same one, where it is in any
            language=self.language
            or (content and content.language)
            or (title and title.language)
            or (summary.language if summary else None),
            categories=tuple([label or term or "" for term, _, label in self.tags]) if self.tags else (),
            images=self._images(enclosures),
            enclosures=tuple([(e.get("href", ""), e.get("type", ""), e.get("length", "")) for e in enclosures])
            if enclosures
            else (),
            upstream=upstream_of(self.reports),
        )

    def _title(self, base: str) -> RawContent | None:
        if not self.title:
            return None
        return RawContent(value=self.title, html=self.title_kind != PLAIN, base=base, language=self.lang)

    def _summary(self, base: str, url: str) -> RawContent | None:
        if not self.summary:
            return None
        if self.summary_kind is None:
            return RawContent(value=self.summary, base=url)
        return RawContent(value=self.summary, html=self.summary_kind != PLAIN, base=base, language=self.lang)

    def _content(self, base: str) -> RawContent | None:
        if self.content is None:
            return None
        kind, value = self.content
        return RawContent(value=value, html=kind != PLAIN, base=base, language=self.lang)

    def _links(self) -> tuple[list[Attributes], list[str]]:
        """Those of enclosures, and the addresses of alternates."""
        enclosures, alternates = [], []
        for link in self.links:
            if link["rel"] == "enclosure":
                enclosures.append(link)
            elif link["rel"] in ALTERNATE:
                alternates.append(link.get("href", ""))
        return enclosures, alternates

    def _author(self) -> str:
        names = self.authors
        return (names[0] if len(names) == 1 else ", ".join(dict.fromkeys(filter(None, names)))) or self.author

    def _images(self, enclosures: Sequence[Attributes]) -> tuple[str, ...]:
        if not (self.media or self.thumbnails or enclosures):
            return (self.image,)
        found = [
            *[media.get("url", "") for media in self.media if is_image(media)],
            *[media.get("url", "") for media in self.thumbnails],
            *[link.get("href", "") for link in enclosures if is_image(link)],
            self.image,
        ]
        return tuple(found[:MAX_IMAGES])


def _date(written: str) -> RawDate | None:
    return RawDate(raw=written, otherwise=UnreadDate(written).read) if written else None


#: what an element means to its entry: its attributes, and its text as it stands
Rule = Callable[[Found, Attributes, str], None]


def stripped(text: str) -> str:
    """A text as feedparser stores it."""
    text = text.strip()
    return text if text.isascii() else mended(text)


def address(found: Found, text: str) -> str:
    """The same of an address, resolved."""
    text = text.strip()
    text = found.resolve(text) if text else text
    return text if text.isascii() else mended(text)


def top_only(found: Found) -> None:
    """feedparser: what stands deeper replaces nothing. Here it is Unusual."""
    if found.depth > 1:
        raise Unusual
