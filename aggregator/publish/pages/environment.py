"""The template engine: it escapes all text, and an unknown name is an error."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from aggregator.model import duration
from aggregator.model.slug import slugify
from aggregator.publish.listing import Listing
from aggregator.publish.markup import address
from aggregator.publish.pages import article, search_page, source_names
from aggregator.publish.pages.assets import Assets
from aggregator.publish.pages.languages import is_rtl, primary, shown_language
from aggregator.publish.pages.wording import Wording
from aggregator.publish.site import Site

FORMAT_NAMES = {"atom": "Atom", "rss": "RSS", "json": "JSON Feed"}
MEDIA_TYPES = {"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"}


def make_environment(site: Site, words: Wording, assets: Assets, *, static: bool = False) -> Environment:
    """Templates for one site. They know `site`, its words, addresses and times; they decide nothing else."""
    environment = Environment(
        loader=PackageLoader("aggregator.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        words.gettext, words.ngettext, newstyle=True
    )
    environment.globals.update(
        site=site,
        words=words,
        static=static,
        plural=words.plural,
        style=assets.style,
        pages_style=assets.pages_style,
        custom_style=assets.custom_style,
        script=assets.script,
        format_names=FORMAT_NAMES,
        media_types=MEDIA_TYPES,
        slugify=slugify,
    )
    environment.filters.update(_of_words(words))
    environment.filters.update(_addresses(site, static=static))
    environment.filters.update(
        tongue=partial(_tongue, words.language),
        rtl=is_rtl,
        isolated=_isolated,
        label=source_names.label,
        excerpt=article.excerpt,
        marked=search_page.marked,
        snippet=search_page.snippet,
    )
    return environment


def _of_words(words: Wording) -> dict[str, object]:
    """Numbers, names and times in the language and the zone of the site."""
    return {
        "number": words.number,
        "duration": words.duration,
        "window": lambda window: words.window(duration(window)),
        "short_window": lambda window: words.short_window(duration(window)),
        "long_date": lambda moment: words.long_date(words.local(moment).date()),
        "short_time": words.short,
        "weekday_time": words.weekday_time,
        "clock": words.clock,
        "full": words.full,
        "iso": lambda moment: _utc(moment, "minutes"),
        "seconds": lambda moment: _utc(moment, "seconds"),
        "language_name": words.language_name,
        "own_name": partial(words.language_name, own=True),
    }


def _utc(moment: datetime, timespec: str) -> str:
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def _addresses(site: Site, *, static: bool) -> dict[str, object]:
    """Addresses on this site, from the root of its host."""
    base = urlsplit(site.url).path.rstrip("/")

    def path(where: str) -> str:
        return address(f"{base}{where}") if where.startswith("/") else where

    def feed(listing: Listing, suffix: str) -> str:
        query = f"?{listing.query}" if listing.query else ""
        return f"{listing.path}.{suffix}{query}"

    return {
        "path": path,
        "feed": lambda listing, suffix: path(feed(listing, suffix)),
        "feed_url": lambda listing, suffix: site.url + feed(listing, suffix),
        # a file server knows no queries
        "language_path": lambda code: path(f"/{code}/" if static else f"/?lang={code}"),
        "host": lambda url: (urlsplit(url).hostname or url).removeprefix("www."),
        "bare": lambda url: url.removeprefix("https://").removeprefix("http://").rstrip("/"),
    }


def _tongue(ui: str, text: str, declared: str | None = None) -> Markup:
    """The attributes of a text in another language than the words round it: ``lang``, and ``dir`` if it differs."""
    language = shown_language(text, declared)
    if not language or language == ui or (primary(language) == primary(ui) and "-" not in language):
        return Markup("")
    direction = "" if is_rtl(language) == is_rtl(ui) else f' dir="{"rtl" if is_rtl(language) else "ltr"}"'
    return Markup(f' lang="{escape(language)}"{direction}')  # noqa: S704 - escaped just here


def _isolated(text: str) -> Markup:
    """A name from outside within a sentence of ours, whichever direction either has."""
    return Markup("<bdi>{}</bdi>").format(text)
