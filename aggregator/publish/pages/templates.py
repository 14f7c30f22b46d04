"""The template engine, and blocks of lists that are rendered once for all pages that show the same list.

Templates escape all text, and fail at an unknown name. Ranking and Recommendation stand beside every article: while
readers open items their pages are made anew each second, and three quarters of that was rendering the same twenty rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Final
from urllib.parse import urlsplit

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from aggregator.model import duration
from aggregator.model.slug import slugify
from aggregator.publish.listing import Listing, Place
from aggregator.publish.markup import address, is_wide, web_address
from aggregator.publish.messages import messages
from aggregator.publish.pages import article, search_page, source_names
from aggregator.publish.pages.assets import Assets
from aggregator.publish.pages.wording import Ages, Wording, is_rtl, primary, shown_language
from aggregator.publish.render_cache import RenderCache, same_but_counts
from aggregator.publish.site import Site
from aggregator.publish.titles import in_window

FORMAT_NAMES = {"atom": "Atom", "rss": "RSS", "json": "JSON Feed"}
MEDIA_TYPES = {"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"}


class CompiledTemplates(BytecodeCache):
    """Compiled templates of one site, for each environment that is made for it: compiling all takes 0.28 s of CPU."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Gives the code of a template that was compiled before."""
        if code := self._code.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps what has just been compiled."""
        self._code[bucket.key] = bucket.bytecode_to_string()


@lru_cache(maxsize=4)
def _compiled(site: Site, static: bool) -> CompiledTemplates:
    """By all that filters of constants depend on: what they give (an address below the site's) is part of the code."""
    del site, static
    return CompiledTemplates()


def make_environment(site: Site, words: Wording, assets: Assets, *, static: bool = False) -> Environment:
    """Templates for one site. They know `site`, its words, addresses and times; they decide nothing else."""
    environment = Environment(
        loader=PackageLoader("aggregator.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_compiled(site, static),
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
        is_wide=is_wide,
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
        "in_window": lambda window: in_window(window, messages(words.language)),
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
        # cleaned when it was collected; nothing else is ever a link, whatever it says
        "web": lambda url: web_address(url) or "",
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


#: in characters: of summaries about two hundred lists, of whole articles a dozen
_MAX_SIZE: Final = 4_000_000
#: what a place takes beside the texts of its item, which are kept to be compared
_PER_PLACE: Final = 1_500

Ranked = Sequence[tuple[int, Place]]


@dataclass(slots=True)
class _Block:
    """What a block shows, at which moment, and until when its words hold."""

    listing: Listing
    now: datetime
    expires: datetime | None = None


class ListBlocks:
    """The blocks of ``parts.html`` that stand on many pages. May be used from any thread."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._cache = RenderCache(_MAX_SIZE)

    def ranking(self, ranked: Ranked, listing: Listing, ages: Ages, *, root: str, switch: bool) -> Markup:
        """The ranking with bars and movement; `ranked` are (place in the list, place)."""
        shown = tuple(place for _, place in ranked)
        numbers = tuple(number for number, _ in ranked)
        kept = replace(listing, places=(*listing.places[:1], *shown))
        return self._block("ranking", (root, switch, numbers), kept, ages, (ranked, listing, root, switch))

    def recommendation(self, places: Sequence[Place], listing: Listing, ages: Ages) -> Markup:
        """The recommendations, the first with picture and lead."""
        kept = replace(listing, places=tuple(places))
        return self._block("recommendation", tuple(place.item.id for place in places), kept, ages, (places,))

    def _block(self, macro: str, key: object, shown: Listing, ages: Ages, arguments: tuple[object, ...]) -> Markup:
        block = _Block(shown, ages.now)

        def make() -> Markup:
            own = type(ages)(ages.now, ages.wording)
            parts = self._environment.get_template("parts.html").make_module({"ages": own})
            html = Markup(getattr(parts, macro)(*arguments))  # noqa: S704 - a template has escaped it
            block.expires = own.expires
            return html

        size = sum(map(_size, shown.places))
        html = self._cache.get((macro, shown.path, key), block, make, size=lambda _: size, same=_looks_the_same)
        ages.limit(block.expires)
        return html


def _size(place: Place) -> int:
    item = place.item
    return _PER_PLACE + len(item.content_html) + len(item.summary_html) + len(item.text)


def _looks_the_same(kept: _Block, asked: _Block) -> bool:
    """Pages show of a list its heading and its places, and how old they are; not when it was computed."""
    one, other = kept.listing, asked.listing
    is_same = (
        (kept.expires is None or asked.now < kept.expires)
        and (one.window, one.basis, one.compared_at is None) == (other.window, other.basis, other.compared_at is None)
        and len(one.places) == len(other.places)
        and all(map(_reads_the_same, one.places, other.places))
    )
    if is_same:
        asked.expires = kept.expires
    return is_same


def _reads_the_same(one: Place, other: Place) -> bool:
    return (
        (one.views, one.rank_before) == (other.views, other.rank_before)
        and len(one.others) == len(other.others)
        and same_but_counts(one.item, other.item)
    )
