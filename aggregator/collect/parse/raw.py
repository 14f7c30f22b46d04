"""An entry as its format gave it, before cleaning: what XML and JSON feeds have in common.

Nobody changes these values. They are not frozen because there are hundreds in a document, and creating frozen ones
takes a third longer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from aggregator.collect.clean import media_type_of
from aggregator.model import UNCOUNTED, Upstream

__all__ = ["RawContent", "RawEntry", "RawFile", "RawImage"]


@dataclass(slots=True, kw_only=True)
class RawContent:
    """A text construct: a title, a summary or a content."""

    value: str
    html: bool = True
    #: the xml:base in scope, absolute; "": none is declared
    base: str = ""
    #: the xml:lang in scope
    language: str | None = None


class RawFile(NamedTuple):
    """A media file of an entry; numbers as written."""

    url: str
    type: str = ""
    length: str = ""
    duration: str = ""
    #: Media RSS: image, audio, video, document, executable
    medium: str = ""
    #: of a picture, in pixels
    width: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it is a picture, by what the feed says; where it says nothing, by the ending of its address."""
        kind = self.type.lower() or (media_type_of(self.url) if not self.medium else "")
        return self.medium == "image" or kind.startswith("image/")


class RawImage(NamedTuple):
    """A picture of an entry; its width in pixels as written."""

    url: str
    width: str = ""


@dataclass(slots=True, kw_only=True)
class RawEntry:
    """Everything unchecked. Addresses are resolved where the format says what they are relative to."""

    guid: str = ""
    #: candidates for its address, best first
    links: tuple[str, ...] = ()
    title: RawContent | None = None
    summary: RawContent | None = None
    content: RawContent | None = None
    #: as written: names, e-mail addresses, or both
    authors: tuple[str, ...] = ()
    published: str = ""
    updated: str = ""
    language: str | None = None
    categories: tuple[str, ...] = ()
    #: candidates for its picture, best first
    images: tuple[RawImage, ...] = ()
    #: the picture of the show it is an episode of: used when nothing else is found
    show_image: str = ""
    files: tuple[RawFile, ...] = ()
    #: of a podcast's episode, as written
    season: str = ""
    episode: str = ""
    upstream: Upstream = field(default=UNCOUNTED)
