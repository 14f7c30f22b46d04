"""The feeds that are told of: the lists of the site, of its sections, and the operator's own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from aggregator.errors import NotFound
from aggregator.publish.channel import is_topic
from aggregator.publish.listing import Listing
from aggregator.publish.markup import address
from aggregator.publish.rendering import Made, Rendering
from aggregator.publish.site import slugify

_PATH: Final = re.compile(r"/(?:feeds|section/(?P<slug>[^/?#]+))/(?P<name>[^/.?#]+)\.(?P<suffix>[a-z]+)")


@dataclass(slots=True)
class Topics:
    """The topics as they stand at one moment; blocks while it reads, each list once."""

    site: Rendering
    _lists: dict[tuple[str | None, str], Listing | None] = field(default_factory=dict)

    def all(self) -> Iterator[str]:
        """The addresses of all topics, in every format."""
        lists = self.site.lists
        headings = [lists.heading(name) for name in lists.names()]
        for section in map(slugify, self.site.site.sections):
            headings += [lists.heading(name, section=section) for name in lists.section_names()]
        for _, path, _ in headings:
            for suffix in self.site.site.formats:
                yield f"{self.site.site.url}{address(path)}.{suffix}"

    def fingerprint(self, topic: str) -> str | None:
        """A text that changes when items come, go, move or are edited, not when they are counted; None: no topic."""
        found = self._find(topic)
        if found is None:
            return None
        listing, _ = found
        lines = [listing.title, *(f"{place.item.id} {place.item.updated.isoformat()}" for place in listing.places)]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:32]

    def document(self, topic: str) -> Made | None:
        """The feed itself; None: no topic, or no longer."""
        found = self._find(topic)
        return None if found is None else self.site.feed(*found)

    def _find(self, topic: str) -> tuple[Listing, str] | None:
        match = (
            _PATH.fullmatch(topic.removeprefix(self.site.site.url)) if topic.startswith(self.site.site.url) else None
        )
        if match is None or match["suffix"] not in self.site.site.formats:
            return None
        listing = self._list(unquote(match["slug"]) if match["slug"] else None, unquote(match["name"]))
        return None if listing is None else (listing, match["suffix"])

    def _list(self, slug: str | None, name: str) -> Listing | None:
        if (slug, name) not in self._lists:
            try:
                listing = self.site.lists.named(name, section=slug)
            except NotFound:
                self._lists[slug, name] = None
            else:
                self._lists[slug, name] = listing if is_topic(listing) else None
        return self._lists[slug, name]
