"""Short names of sources: cuts what a feed's title adds to the name of its publisher. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit
from zlib import crc32

from aggregator.model import SourceRef

__all__ = ["SourceLabel", "label"]

#: grounds of the initials, in the stylesheet
HUES: Final = 8
#: phrases that name the feed and not its source, in the languages in which they were met
_GENERIC = (
    r"rss(?:\s*(?:2\.0|feeds?|channel|syndication))?|atom(?:\s*feed)?|feeds?|(?:the\s+)?(?:latest|recent|newest|all)"
    r"(?:\s+(?:articles?|news|posts?|stories|headlines|entries|updates))?|(?:top|breaking|main|big)\s+(?:stories|news|"
    r"headlines)|front\s*pages?|home\s*page|home|news(?:\s+(?:and|&)\s+discussion)?|headlines?|articles?|posts?|all|"
    r"nachrichten|schlagzeilen|aktuell(?:es)?|startseite|(?:à|a)\s+la\s+une|actualités?|toutes\s+les\s+actualités|"
    r"últimas\s+noticias|noticias|portada|ultime\s+notizie|homepage|app\s+international\s+edition|international\s+edition"
)
_SECTIONS = (
    r"world|international|us|u\.s\.|uk|europe|asia|politics|business|sports?|technology|tech|science|health|culture|"
    r"entertainment|opinion|travel|food|lifestyle|local|national|nation|money|economy|markets|arts|"
    r"world\s+news|us\s+news|uk\s+news|politik|wirtschaft|sport|kultur|wissen|panorama|monde|économie"
)
_GENERIC_ONLY: Final = re.compile(rf"(?:{_GENERIC})(?:\s+(?:{_GENERIC}))*", re.IGNORECASE)
_SECTION_ONLY: Final = re.compile(rf"(?:{_SECTIONS})(?:\s+(?:{_GENERIC}|{_SECTIONS}))*", re.IGNORECASE)
#: what stands between the name of a paper and that of its feed
_BETWEEN: Final = re.compile(r"\s+[-–—|:·•»>/]+\s+|\s*[|»›>]\s*|:\s+|\s+\((?=[^()]*\)$)|\)$")
#: the same without anything between
_AT_END: Final = re.compile(
    r"\s+(?:rss|atom)(?:\s+(?:feeds?|channel))?$|\s+feeds?$|\s+(?:the\s+)?(?:latest|recent|newest|all)\s+"
    r"(?:articles?|news|posts?|stories|headlines|entries|updates)$|\s+top\s+stories$",
    re.IGNORECASE,
)
#: the last part of the address of a feed
_FEED_FILE: Final = re.compile(r"(?:rss|feed|atom)[\w.-]*|[\w.-]+\.(?:xml|rss|rdf|atom)")
_DOMAIN: Final = re.compile(r"^([\w-]{2,})\.(?:com|org|net)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLabel:
    """How a source is shown."""

    name: str
    #: one letter, upper case, for the coloured square
    initial: str
    #: which of the `HUES` grounds
    hue: int


@lru_cache(4096)
def label(source: SourceRef) -> SourceLabel:
    """The label of a source. A name that stands in config.toml is left as it is."""
    name = source.name if source.is_named else _trimmed(source)
    letter = next((char for char in name if char.isalnum()), "•")
    return SourceLabel(name=name, initial=letter.upper()[:1], hue=crc32(source.slug.encode()) % HUES)


def _trimmed(source: SourceRef) -> str:
    """The title of a feed without what names the feed; the host where nothing else is left."""
    title = " ".join(source.name.split()).strip(" -–—|:·•»>“”\"'")
    parts = [part.strip() for part in _BETWEEN.split(title) if part and part.strip()]
    named = next((part for part in parts if _is_of_host(part, source)), None)
    if named is not None:
        return _without_domain(named)
    kept = [part for part in parts if not _GENERIC_ONLY.fullmatch(part)]
    proper = [part for part in kept if not _SECTION_ONLY.fullmatch(part)] if len(parts) > 1 else kept
    if not proper or (len(parts) == 1 and (_SECTION_ONLY.fullmatch(title) or _is_section_of(title, source))):
        return _host(source) or title
    return _without_domain(title if proper == parts else proper[0])


def _is_of_host(part: str, source: SourceRef) -> bool:
    """Whether a part of a title is what the site is called in its address: ``The Washington Post``."""
    letters = re.sub(r"\W|_|^the\s", "", _AT_END.sub("", part).casefold())
    labels = _host(source).split(".")
    return len(letters) > 2 and any(letters in (label, label.removeprefix("the")) for label in labels[:-1])


def _is_section_of(title: str, source: SourceRef) -> bool:
    """Whether the title is only that of a section: ``California`` of ``https://www.latimes.com/california``.

    Some feeds name themselves as the page that they belong to: ``https://www.latimes.com/california/rss2.0.xml``.
    """
    parts = (source.home or "").rstrip("/").casefold().split("/")
    last = parts[-2] if len(parts) > 4 and _FEED_FILE.fullmatch(parts[-1]) else parts[-1]
    return last == title.casefold().replace(" ", "-") and last not in _host(source)


def _without_domain(name: str) -> str:
    name = _AT_END.sub("", name) or name
    domain = _DOMAIN.match(name)
    return domain[1] if domain else name


def _host(source: SourceRef) -> str:
    for url in (source.home, source.url):
        try:
            host = urlsplit(url or "").hostname or ""
        except ValueError:
            continue
        if host:
            return host.removeprefix("www.")
    return ""
