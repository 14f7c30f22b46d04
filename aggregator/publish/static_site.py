"""The whole site as static files, for any file server: pages, feeds, stylesheet.

A page ``/a/b`` becomes ``a/b/index.html``, so that every link of the live site works; ``/go/<id>`` becomes a page that
leads on at once, so that a server's log can be counted (`aggregator count`). Searching and liking need the live site.
Every file has its compressed forms beside it. Files are replaced only where their bytes have changed, and removed when
there is nothing behind their address any longer; an item that was merged into another leads there.

The list ``.published`` beside the files names those that this program wrote; others are never touched. A file is on
disk before it replaces the old one, so that readers see either the old file or the new one, whatever happens.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from html import escape
from itertools import chain
from pathlib import Path
from typing import Final, Self

from aggregator.errors import NotFound
from aggregator.model import Item, Scope
from aggregator.model.slug import slugify
from aggregator.publish.compress import codings, pack
from aggregator.publish.listing import Cursor
from aggregator.publish.markup import link, one_line, web_address
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendered, Rendering

#: the name of the list of written files, one path a line
LIST: Final = ".published"
#: files that are synced to disk in one batch, and how many of them at a time
_AT_ONCE: Final = 256
_SYNCING: Final = 16
_BATCH: Final = 200
_OF_ITEM: Final = re.compile(r"(?P<kind>item|go)/(?P<id>[0-9a-z]+)/index\.html")

#: an address, and the function that renders it
_Page = tuple[str, Callable[[], Rendered]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Counts of one publication."""

    #: pages, feeds and the rest, without their compressed forms
    files: int = 0
    #: those whose bytes had changed
    written: int = 0
    #: those of former publications that are no longer part of the site
    removed: int = 0


def publish(
    directory: Path, rendering: Rendering, *, now: datetime, progress: Callable[[int, int], None] | None = None
) -> Published:
    """Writes the site below `directory`, which is made if need be.

    `progress` is told (files so far, roughly how many in all). Raises OSError where a file cannot be written.
    """
    site = replace(rendering, static=True, pages=Pages(rendering.site, static=True))
    total = _estimate(site)
    files = written = 0
    with StaticFiles(directory) as target:
        for path, make in chain(_everything(site, now), _former(site, target)):
            made = _made(make)
            if made is not None and made.location is None:
                written += target.put(path, made.body)
                files += 1
            if progress is not None:
                progress(files, max(total, files))
        return Published(files=files, written=written, removed=target.finish())


def _made(make: Callable[[], Rendered]) -> Rendered | None:
    try:
        return make()
    except NotFound:
        return None  # it was there when it was listed: merged or removed since


def _everything(site: Rendering, now: datetime) -> Iterator[_Page]:
    # the stylesheet comes first, so that no page is without it
    for asset in site.pages.assets.values():
        yield asset.path, lambda asset=asset: Rendered(body=asset.body, content_type=asset.content_type)  # type: ignore[misc]
    stories: set[str] = set()
    for item in _items(site):
        yield from _item(site, item, now)
        if item.story not in stories:
            stories.add(item.story)
            yield from _story(site, item.story, now)
    yield from _lists(site, now)
    yield from _fixed(site, now)


def _fixed(site: Rendering, now: datetime) -> Iterator[_Page]:
    pages = site.site_pages(now)
    for path, make in (
        ("/latest", pages.latest),
        ("/sources", pages.sources),
        ("/feeds", pages.feeds),
        ("/status", pages.status),
        ("/about", pages.about),
    ):
        yield path, lambda make=make: site.page(lambda _: make(), now=now)  # type: ignore[misc]
    yield "/feeds.opml", site.feeds_opml
    yield "/sources.opml", lambda: site.sources_opml(now=now)
    for suffix in site.site.formats:
        yield f"/feeds/status.{suffix}", lambda suffix=suffix: site.status_feed(suffix, now=now)  # type: ignore[misc]
    yield "/404.html", lambda: site.error(404, now=now)
    for language in pages.languages():
        yield f"/{language}", partial(_of_language, site, language, now)
    for section in (None, *map(slugify, site.site.sections)):
        root = f"/section/{section}/ranking" if section else "/ranking"
        yield root, partial(_ranking, site, None, section, now)
        for window in site.site.windows:
            yield f"{root}/{window}", partial(_ranking, site, window, section, now)
    # last, when everything that it links to has been written
    yield "/", lambda: site.page(lambda pages: pages.front(), now=now)


def _of_language(site: Rendering, language: str, now: datetime) -> Rendered:
    return site.page(lambda pages: pages.front(language=language), now=now)


def _ranking(site: Rendering, window: str | None, section: str | None, now: datetime) -> Rendered:
    return site.page(lambda pages: pages.ranking(window, section=section), now=now)


def _lists(site: Rendering, now: datetime) -> Iterator[_Page]:
    for name in site.lists.names():
        yield from _list(site, name, None, now)
    for section in map(slugify, site.site.sections):
        for name in site.lists.section_names():
            yield from _list(site, name, section, now)
        yield f"/section/{section}", partial(_section, site, section, now)
    for health in site.store.sources(now=now):
        yield from _source(site, health.ref.slug, now)


def _section(site: Rendering, slug: str, now: datetime) -> Rendered:
    return site.page(lambda pages: pages.section(slug), now=now)


def _list(site: Rendering, name: str, section: str | None, now: datetime) -> Iterator[_Page]:
    listing = site.lists.named(name, section=section)
    # a ranking of a section has a page of its own under the same address
    if not (section and name == "ranking"):
        yield listing.path, lambda: site.listing(listing, now=now)
    for suffix in site.site.formats:
        yield f"{listing.path}.{suffix}", lambda suffix=suffix: site.feed(listing, suffix)  # type: ignore[misc]


def _source(site: Rendering, slug: str, now: datetime) -> Iterator[_Page]:
    yield f"/source/{slug}", lambda: site.page(lambda pages: pages.source(slug), now=now)
    listing = site.lists.source(slug, now=now)
    for suffix in site.site.formats:
        yield f"{listing.path}.{suffix}", lambda suffix=suffix: site.feed(listing, suffix)  # type: ignore[misc]


def _item(site: Rendering, item: Item, now: datetime) -> Iterator[_Page]:
    yield f"/item/{item.id}", lambda: site.article(item.id, now=now)
    yield f"/go/{item.id}", lambda: _go(site, item)
    try:
        listing = site.lists.related(item.id)
    except NotFound:
        return  # retention has removed it since it was listed
    yield listing.path, lambda: site.listing(listing, now=now)
    for suffix in site.site.formats:
        yield f"{listing.path}.{suffix}", lambda suffix=suffix: site.feed(listing, suffix)  # type: ignore[misc]


def _story(site: Rendering, story: str, now: datetime) -> Iterator[_Page]:
    yield f"/story/{story}", lambda: site.page(lambda pages: pages.story(story), now=now)
    try:
        listing = site.lists.story(story)
    except NotFound:
        return  # retention has removed it since it was listed
    for suffix in site.site.formats:
        yield f"{listing.path}.{suffix}", lambda suffix=suffix: site.feed(listing, suffix)  # type: ignore[misc]


def _former(site: Rendering, target: StaticFiles) -> Iterator[_Page]:
    """The pages of items that have been merged into others since they were published."""
    for stale in target.stale():
        match = _OF_ITEM.fullmatch(stale)
        current = site.store.resolve(match["id"]) if match else None
        if match is None or current is None or current == match["id"]:
            continue
        for item in site.store.items([current]):
            leading = _go if match["kind"] == "go" else _moved
            yield f"/{match['kind']}/{match['id']}", lambda leading=leading, item=item: leading(site, item)  # type: ignore[misc]


def _go(site: Rendering, item: Item) -> Rendered:
    """A page that leads on to the original."""
    return _leading_to(web_address(item.url) or site.site.page(item.id), site, item)


def _moved(site: Rendering, item: Item) -> Rendered:
    """A page that leads on to the item that this one was merged into."""
    return _leading_to(site.site.page(item.id), site, item)


def _leading_to(url: str, site: Rendering, item: Item) -> Rendered:
    """A page that leads on at once: what a redirect is to a file server."""
    html = (
        f'<!doctype html><html lang="{escape(site.site.language)}"><head><meta charset="utf-8">'
        f'<meta name="robots" content="noindex"><title>{escape(one_line(item.title))}</title>'
        f'<meta http-equiv="refresh" content="0; url={escape(url)}"></head><body><p>{link(url, item.title)}</p></body>'
        "</html>\n"
    )
    return Rendered(body=html.encode("utf-8", "replace"))


def _items(site: Rendering) -> Iterator[Item]:
    """All items that are shown, newest first, in batches: the store is not held while pages are written."""
    before: Cursor | None = None
    while items := site.store.latest(Scope(), limit=_BATCH, before=before):
        yield from items
        before = (items[-1].published, items[-1].id)


def _estimate(site: Rendering) -> int:
    formats = len(site.site.formats)
    lists = len(list(site.lists.names())) + len(site.site.sections) * len(list(site.lists.section_names()))
    stats = site.store.stats()
    return stats.items * (3 + formats) + lists * (1 + formats) + stats.sources * (1 + formats) + 12


class StaticFiles:
    """One publication below `directory`, which is made if need be. All methods raise OSError where they cannot.

    A context manager: on exit it removes temporary files that have not replaced their target.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._before = self._listed()
        self._now: set[str] = set()
        self._touched: set[Path] = set()
        #: written and not yet in its place: (temporary, target)
        self._waiting: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for temporary in self._waiting:
            temporary.unlink(missing_ok=True)

    def put(self, path: str, body: bytes) -> bool:
        """Makes the file of an address hold `body`, and its compressed forms beside it; whether it had changed."""
        target = self._target(path)
        is_new = self._write(target, body)
        beside = {coding.name: target.with_name(target.name + coding.suffix) for coding in codings()}
        present = [file for file in beside.values() if file.is_file()]
        if len(present) == len(beside) and not is_new:
            self._now.update(map(self._relative, present))
        else:
            for name, packed in pack(body).items():
                self._write(beside[name], packed)
        return is_new

    def stale(self) -> list[str]:
        """The files of former publications that this one has not made."""
        return sorted(self._before - self._now)

    def finish(self) -> int:
        """Removes what is stale and writes the list; how many files were removed."""
        self._settle()
        stale = self.stale()
        for relative in stale:
            self._remove(self._directory / relative)
        self._write(self._directory / LIST, "".join(f"{path}\n" for path in sorted(self._now - {LIST})).encode())
        self._settle()
        for directory in filter(Path.is_dir, self._touched):
            _sync(directory)
        return len(stale)

    def _listed(self) -> set[str]:
        """The files of the list; lines that lead out of the directory are ignored."""
        place = self._directory / LIST
        lines = place.read_text("utf-8", "replace").splitlines() if place.is_file() else []
        return {line for line in lines if line and not line.startswith("/") and ".." not in line.split("/")}

    def _target(self, path: str) -> Path:
        """Where an address is kept: a file where its last part has a suffix, else a folder's index."""
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        target = self._directory.joinpath(*parts)
        return target if parts and "." in parts[-1] else target / "index.html"

    def _relative(self, file: Path) -> str:
        return file.relative_to(self._directory).as_posix()

    def _write(self, target: Path, body: bytes) -> bool:
        self._now.add(self._relative(target))
        if target.is_file() and target.read_bytes() == body:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        self._waiting[temporary] = target
        temporary.write_bytes(body)
        if len(self._waiting) >= _AT_ONCE:
            self._settle()
        return True

    def _settle(self) -> None:
        """Puts what was written into its place, in the order in which it was written, once it is on disk."""
        with ThreadPoolExecutor(_SYNCING) as pool:
            for _ in pool.map(_sync, self._waiting):
                pass
        for temporary, target in self._waiting.items():
            temporary.replace(target)
            self._touched.add(target.parent)
        self._waiting.clear()

    def _remove(self, file: Path) -> None:
        """Removes a file and the folders that it leaves empty."""
        file.unlink(missing_ok=True)
        self._touched.discard(file.parent)
        for folder in file.parents:
            if folder == self._directory or not folder.is_dir() or any(folder.iterdir()):
                self._touched.add(folder)
                return
            folder.rmdir()
            self._touched.discard(folder)


def _sync(path: Path) -> None:
    """Syncs a file, or the names in a directory, to disk, so that they survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
