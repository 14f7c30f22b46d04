"""Topics of the hub: the feeds of the site, of its sections and sources, and the operator's own feeds.

Not those of related items and of searches: there is one for each item and for any words, each would have to be computed
to see whether it has changed, and what is in them comes past in the others. Nor those of readers, whose addresses are
secrets that no hub should hold, the state of the sources, and the later parts of long feeds, which are archives.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import unquote

from aggregator.errors import NotFound
from aggregator.model.slug import slugify
from aggregator.publish.channel import is_topic
from aggregator.publish.listing import Listing
from aggregator.publish.markup import address
from aggregator.publish.rendering import Rendered, Rendering

_PATH: Final = re.compile(
    r"/(?:feeds|section/(?P<slug>[^/?#]+)|source/(?P<source>[^/?#]+))/(?P<name>[^/.?#]+)\.(?P<suffix>[a-z]+)"
)
#: (slug of a section, slug of a source, name of the list)
_Key = tuple[str | None, str | None, str]


@dataclass(slots=True)
class Topics:
    """The topics at one moment. Its methods block while they read the store, once for each list."""

    site: Rendering
    now: datetime
    _lists: dict[_Key, Listing | None] = field(default_factory=dict)
    _marks: Mapping[str, str] | None = None

    def all(self) -> Iterator[str]:
        """The addresses of all topics, in every format."""
        lists = self.site.lists
        headings = [lists.heading(name) for name in lists.names()]
        for section in map(slugify, self.site.site.sections):
            headings += [lists.heading(name, section=section) for name in lists.section_names()]
        paths = [path for _, path, _ in headings] + [f"/source/{slug}/latest" for slug in self._sources()]
        for path in paths:
            for suffix in self.site.site.formats:
                yield f"{self.site.site.url}{address(path)}.{suffix}"

    def fingerprint(self, topic: str) -> str | None:
        """A text that changes when items of the topic change, but not with their counts; None if it is no topic."""
        found = self._find(topic)
        if found is None:
            return None
        listing, _ = found
        if listing.kind == "digest":
            lines = [listing.title, *(digest.period for digest in listing.digests)]
        else:
            lines = [listing.title, *(f"{place.item.id} {place.item.updated.isoformat()}" for place in listing.places)]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:32]

    def mark(self, topic: str) -> str | None:
        """A fingerprint for an external hub, which is notified of all topics; a source's changes with new items only.

        Edits are notified with the next new item, so that thousands of lists need not be read.
        """
        key, _ = self._read(topic)
        return self.fingerprint(topic) if key is None or key[1] is None else self._sources().get(key[1])

    def document(self, topic: str) -> Rendered | None:
        """The feed itself; None if the address is not, or no longer, a topic."""
        found = self._find(topic)
        return None if found is None else self.site.feed(*found)

    def _find(self, topic: str) -> tuple[Listing, str] | None:
        key, suffix = self._read(topic)
        listing = None if key is None else self._list(key)
        return None if listing is None else (listing, suffix)

    def _read(self, topic: str) -> tuple[_Key | None, str]:
        """The feed and format that an address names; None if it is no topic."""
        url = self.site.site.url
        match = _PATH.fullmatch(topic.removeprefix(url)) if topic.startswith(url) else None
        if match is None or match["suffix"] not in self.site.site.formats:
            return None, ""
        section, source = (unquote(found) if found else None for found in (match["slug"], match["source"]))
        if source is not None and match["name"] != "latest":
            return None, ""
        return (section, source, unquote(match["name"])), match["suffix"]

    def _list(self, key: _Key) -> Listing | None:
        if key not in self._lists:
            section, source, name = key
            lists = self.site.lists
            try:
                listing = lists.source(source, now=self.now) if source else lists.named(name, section=section)
            except NotFound:
                self._lists[key] = None
            else:
                self._lists[key] = listing if is_topic(listing) else None
        return self._lists[key]

    def _sources(self) -> Mapping[str, str]:
        if self._marks is None:
            self._marks = self.site.store.source_marks()
        return self._marks
