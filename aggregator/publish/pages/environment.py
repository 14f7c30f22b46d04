"""The template engine, set up so that nothing escapes it: autoescape on, an unknown name is an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from aggregator.model import Item
from aggregator.model.slug import slugify
from aggregator.publish import titles
from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages import article, wording
from aggregator.publish.pages.assets import style_path
from aggregator.publish.pages.list_blocks import ListBlocks
from aggregator.publish.site import Site

#: languages that are written from right to left (BCP 47 primary subtags)
RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ps", "sd", "ug", "ur", "yi"})
FORMAT_NAMES = {"atom": "Atom", "rss": "RSS", "json": "JSON Feed"}
MEDIA_TYPES = {"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"}


def make_environment(site: Site, *, static: bool = False) -> Environment:
    """Templates for one site. They know `site`, addresses and times in the site's zone; they decide nothing else."""
    environment = Environment(
        loader=PackageLoader("aggregator.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        site=site,
        static=static,
        base=_base(site),
        style=style_path(),
        rtl=is_rtl(site.language),
        format_names=FORMAT_NAMES,
        media_types=MEDIA_TYPES,
        slugify=slugify,
    )
    environment.filters.update(_time_filters(site))
    environment.filters.update(
        path=_Paths(site).path,
        feed=_Paths(site).feed,
        span=titles.span,
        window=wording.window,
        rtl=is_rtl,
        excerpt=article.excerpt,
        reading=wording.reading,
        plural=wording.plural,
        days=_Days(site).group,
        thousands=wording.thousands,
    )
    environment.globals["board"] = ListBlocks(environment).html
    return environment


def is_rtl(language: str | None) -> bool:
    """Whether a language is written from right to left."""
    return (language or "").partition("-")[0].lower() in RIGHT_TO_LEFT


def _base(site: Site) -> str:
    """What stands before every path where the site is not at the root of its host."""
    return urlsplit(site.url).path.rstrip("/")


def _time_filters(site: Site) -> dict[str, object]:
    zone = site.timezone

    def local(moment: datetime, pattern: str) -> str:
        return moment.astimezone(zone).strftime(pattern)

    return {
        "full": lambda moment: local(moment, "%Y-%m-%d %H:%M:%S"),
        "clock": lambda moment: local(moment, "%H:%M"),
        "date": lambda moment: wording.date(moment.astimezone(zone)),
        "day": lambda moment: wording.long_date(moment.astimezone(zone)),
        "short": lambda moment: wording.short_date(moment.astimezone(zone)),
        "iso": lambda moment: moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


class _Paths:
    """Addresses on this site, from its root."""

    def __init__(self, site: Site) -> None:
        self._base = _base(site)
        self._origin = site.url.removesuffix(self._base)

    def path(self, where: str) -> str:
        """A path of this site ("/feeds") or an address on it, with the part the site lives under."""
        return f"{self._base}{where}" if where.startswith("/") else where

    def feed(self, listing: Listing, suffix: str) -> str:
        """The address of a listing's feed: ``/feeds/latest.atom``, ``/search.atom?q=…``."""
        query = f"?{listing.query}" if listing.query else ""
        return self.path(f"{listing.path}.{suffix}{query}")


class _Days:
    """Cuts a list that is ordered by time into days of the site's time zone."""

    def __init__(self, site: Site) -> None:
        self._zone = site.timezone

    def group(self, places: Sequence[Place]) -> Iterator[tuple[str, list[Place]]]:
        """("Monday, 23 November 2026", its places) in their order."""
        for day, members in groupby(places, key=lambda place: self._local(place.item).date()):
            yield wording.long_date(day), list(members)

    def _local(self, item: Item) -> datetime:
        return item.published.astimezone(self._zone)
