"""The part of the configuration that publishing needs, as one value; a reload replaces it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

from aggregator.model import OwnFeed
from aggregator.model.slug import slugify


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The settings of ``[site]``, ``[publish]`` and the sizes of the lists."""

    title: str = "The Daily Aggregate"
    #: without a trailing slash
    url: str = "http://127.0.0.1:8080"
    #: with what the ids of feeds and entries begin, kept when the site moves; "": what `url` gives
    id: str = ""
    #: who gives it may see the site; "": everybody may
    access_token: str = field(default="", repr=False)
    language: str = "en"
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    contact: str = ""
    like_label: str = "veryGood!"
    #: in the order in which they first appear in config.toml
    sections: tuple[str, ...] = ()
    windows: tuple[str, ...] = ("1h", "1d", "7d", "30d")
    window: str = "1d"
    ranking_size: int = 8
    related_size: int = 10
    recommendation_size: int = 8
    formats: tuple[Literal["atom", "rss", "json"], ...] = ("atom", "rss", "json")
    content: Literal["summary", "full"] = "summary"
    #: how many entries the latest feeds hold
    items: int = 50
    entry_link: Literal["go", "page", "source"] = "go"
    images: Literal["link", "none"] = "link"
    hub: str = ""
    feeds: tuple[OwnFeed, ...] = ()
    version: str = ""
    #: languages that the pages offer as filters, in that order; empty: those that many items are in
    languages: tuple[str, ...] = ()
    #: the text of a stylesheet of the operator's own, used after ours; "" for none
    stylesheet: str = ""
    #: pages carry a small script: keys, and what is new since the last visit
    script: bool = False

    def section_of(self, slug: str) -> str | None:
        """The section with this slug, or None."""
        return next((name for name in self.sections if slugify(name) == slug), None)

    def page(self, item_id: str) -> str:
        """The address of an item's page."""
        return f"{self.url}/item/{item_id}"

    def go(self, item_id: str) -> str:
        """The address that counts a view and leads to the original."""
        return f"{self.url}/go/{item_id}"
