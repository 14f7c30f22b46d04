"""What each element of a feed means: RSS 0.9x-2.0, RSS 1.0, Atom 0.3 and 1.0, and the modules that feeds use.

A table lists the elements that count within one kind of element (`FEED` within a channel, `ENTRY` within an item);
whatever is not listed is skipped with all that it contains. So a media:description says something of an item where it
is a child of the item or of its media:group, and nothing where it describes one picture in a media:content.

Sources: RSS 2.0 (rssboard.org/rss-specification), RSS 1.0 (web.resource.org/rss/1.0), RFC 4287 (Atom), RFC 4685
(thr), Media RSS 1.5.1 (rssboard.org/media-rss), Apple's and Podcasting 2.0's podcast namespaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aggregator.collect.parse.raw import RawFile, RawImage
from aggregator.collect.parse.record import MAX_OF_A_KIND, Link, Record

__all__ = ["DOCUMENT", "NAMESPACES", "PREFIXES", "Container", "Resolve", "Rules", "Text", "permalink"]

#: namespace, in lower case without scheme and what may stand at its end → prefix in the tables below
NAMESPACES = {
    "www.w3.org/2005/atom": "",
    "purl.org/atom/ns": "",
    "purl.org/rss/1.0": "",
    "my.netscape.com/rdf/simple/0.9": "",
    "channel.netscape.com/rdf/simple/0.9": "",
    "my.netscape.com/publish/formats/rss-0.91.dtd": "",
    "backend.userland.com/rss": "",
    "backend.userland.com/rss2": "",
    "backend.userland.com/rss191": "",
    "blogs.law.harvard.edu/tech/rss": "",
    "cyber.law.harvard.edu/rss/rss.html": "",
    "www.w3.org/1999/xhtml": "xhtml:",
    "www.w3.org/1999/02/22-rdf-syntax-ns": "rdf:",
    "www.w3.org/xml/1998/namespace": "xml:",
    "purl.org/dc/elements/1.1": "dc:",
    "purl.org/dc/elements/1.0": "dc:",
    "purl.org/dc/terms": "dcterms:",
    "purl.org/rss/1.0/modules/content": "content:",
    "purl.org/rss/1.0/modules/syndication": "sy:",
    "purl.org/rss/1.0/modules/slash": "slash:",
    "purl.org/syndication/thread/1.0": "thr:",
    "search.yahoo.com/mrss": "media:",
    "tools.search.yahoo.com/mrss": "media:",
    "video.search.yahoo.com/mrss": "media:",
    "www.rssboard.org/media-rss": "media:",
    "www.itunes.com/dtds/podcast-1.0.dtd": "itunes:",
    "example.com/dtds/podcast-1.0.dtd": "itunes:",
    "www.google.com/schemas/play-podcasts/1.0": "itunes:",
    "podcastindex.org/namespace/1.0": "podcast:",
    "github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md": "podcast:",
    "rssnamespace.org/feedburner/ext/1.0": "feedburner:",
}
#: prefixes that mean the formats' own elements where they are not declared, or as something nobody knows
PREFIXES = {"rss": "", "rss1": "", "rss09": "", "atom": "", "atom03": "", "atom10": "", "a10": "", "default": ""}

_RELATIONS = "http://www.iana.org/assignments/relation/"

Attributes = Mapping[str, str]
#: an address as written → absolute, by the xml:base in scope
Resolve = Callable[[str], str]
#: what an element without children says: (record, attributes, text, resolve)
Leaf = Callable[[Record, Attributes, str, Resolve], None]


@dataclass(frozen=True, slots=True)
class Text:
    """An element with words. `default` is its type where it does not say: text, html, xhtml.

    guess: Atom's default is text, and yet many write HTML; what looks like HTML is HTML.
    """

    name: str
    default: str = "text"


@dataclass(frozen=True, slots=True)
class Container:
    """An element whose children count."""

    children: Rules
    #: entry, source, feed: the children describe another record than what stands around them
    record: str = ""
    #: what its own attributes say
    leaf: Leaf | None = None


Rule = Text | Container | Leaf
Rules = Mapping[str, Rule]


def _value(name: str, attribute: str = "") -> Leaf:
    """The text of an element, or one of its attributes, under a name."""

    def leaf(record: Record, attributes: Attributes, text: str, _: Resolve) -> None:
        record.add_value(name, attributes.get(attribute, "").strip() if attribute else text)

    return leaf


def _link(record: Record, attributes: Attributes, text: str, resolve: Resolve) -> None:
    """RSS: the address as text. Atom: as an attribute, with a relation and a type."""
    href = attributes.get("href") or attributes.get("url") or ("" if text else attributes.get("uri", ""))
    # RFC 4287, 4.2.7.2: a name stands for this address with the name at its end
    rel = attributes.get("rel", "alternate").strip().lower().removeprefix(_RELATIONS)
    if not href and rel != "alternate":  # Atom's attributes with RSS's text
        href = text
    if href and len(record.links) < MAX_OF_A_KIND:
        record.links.append(
            Link(resolve(href), rel, attributes.get("type", "").strip().lower(), attributes.get("length", ""))
        )
    elif text and not href:
        record.add_value("link", resolve(text))


def _guid(record: Record, attributes: Attributes, text: str, _: Resolve) -> None:
    record.add_value("guid", text)
    if attributes.get("ispermalink", "true").strip().lower() != "false":
        permalink(record, text)


def _id(record: Record, _attributes: Attributes, text: str, _: Resolve) -> None:
    record.add_value("id", text)
    permalink(record, text)


def _identifier(record: Record, _attributes: Attributes, text: str, _: Resolve) -> None:
    record.add_value("dc:identifier", text)
    permalink(record, text)


def permalink(record: Record, text: str) -> None:
    """An id that is an address of the web stands in for a link; one that is not is no relative address."""
    if text[:5].lower() in {"http:", "https"}:
        record.add_value("permalink", text)


def _enclosure(record: Record, attributes: Attributes, text: str, resolve: Resolve) -> None:
    url = attributes.get("url") or attributes.get("href") or text
    if url and len(record.links) < MAX_OF_A_KIND:
        record.links.append(
            Link(resolve(url), "enclosure", attributes.get("type", "").strip(), attributes.get("length", ""))
        )


def _media(record: Record, attributes: Attributes, _text: str, resolve: Resolve) -> None:
    """media:content; the default one of a group stands first."""
    url = attributes.get("url", "").strip()
    if not url or len(record.files) >= MAX_OF_A_KIND:
        return
    file = RawFile(
        resolve(url),
        attributes.get("type", "").strip(),
        attributes.get("filesize", ""),
        attributes.get("duration", ""),
        attributes.get("medium", "").strip().lower(),
        attributes.get("width", ""),
    )
    record.files.insert(0 if attributes.get("isdefault", "").lower() == "true" else len(record.files), file)


def _content_src(record: Record, attributes: Attributes, _text: str, resolve: Resolve) -> None:
    """atom:content out of line (RFC 4287, 4.1.3.2): a file, where it is not another page."""
    kind = attributes.get("type", "").strip().lower()
    if attributes.get("src") and kind.startswith(("audio/", "video/", "image/")):
        record.files.append(RawFile(resolve(attributes["src"]), kind))


def _image(name: str) -> Leaf:
    def leaf(record: Record, attributes: Attributes, text: str, resolve: Resolve) -> None:
        url = attributes.get("href") or attributes.get("url") or text
        if url and len(record.images) < MAX_OF_A_KIND:
            record.images.append((name, RawImage(resolve(url.strip()), attributes.get("width", ""))))

    return leaf


def _itunes_link(record: Record, attributes: Attributes, text: str, resolve: Resolve) -> None:
    """A picture, in the way of 2005."""
    if attributes.get("rel") == "image":
        _image("itunes:image")(record, attributes, text, resolve)


def _person(record: Record, _attributes: Attributes, text: str, _: Resolve) -> None:
    if text and len(record.authors) < MAX_OF_A_KIND:
        record.authors.append(text)


def _host(record: Record, attributes: Attributes, text: str, _: Resolve) -> None:
    """podcast:person; without a role it is a host."""
    if text and attributes.get("role", "host").strip().lower() in {"host", ""} and len(record.hosts) < MAX_OF_A_KIND:
        record.hosts.append(text)


def _credit(record: Record, attributes: Attributes, text: str, _: Resolve) -> None:
    """media:credit of who wrote it; photographers and the like are no authors."""
    is_author = attributes.get("role", "").strip().lower() in {"author", "writer", "reporter"}
    if text and is_author and len(record.hosts) < MAX_OF_A_KIND:
        record.hosts.append(text)


def _category(record: Record, attributes: Attributes, text: str, _: Resolve) -> None:
    term = attributes.get("label") or attributes.get("term") or attributes.get("text") or text
    if term and len(record.categories) < MAX_OF_A_KIND:
        record.categories.append(term)


def _keywords(record: Record, _attributes: Attributes, text: str, resolve: Resolve) -> None:
    for term in text.split(",", MAX_OF_A_KIND):
        _category(record, {}, term.strip(), resolve)


def _statistics(record: Record, attributes: Attributes, _text: str, _: Resolve) -> None:
    record.add_value("media:statistics views", attributes.get("views", ""))
    record.add_value("media:statistics favorites", attributes.get("favorites", ""))


def _skip_hour(record: Record, _attributes: Attributes, text: str, _: Resolve) -> None:
    record.skip_hours.append(text)


def _skip_day(record: Record, _attributes: Attributes, text: str, _: Resolve) -> None:
    record.skip_days.append(text)


def _values(*names: str) -> dict[str, Rule]:
    return {name: _value(name) for name in names}


# --- what both feeds and entries have ----------------------------------------------------------

#: RFC 4287, 3.2: a person has a name; their address is nobody's business
_PERSON: Rules = {"name": _person}

_DUBLIN_CORE: Rules = {
    "dc:title": Text("dc:title"),
    "dc:description": Text("dc:description", "html"),
    "dcterms:abstract": Text("dcterms:abstract", "html"),
    "dc:creator": _person,
    "dc:author": _person,
    "dcterms:creator": _person,
    "dc:subject": _category,
    "dc:identifier": _identifier,
    "dcterms:identifier": _identifier,
    **_values("dc:date", "dc:language", "dcterms:issued", "dcterms:created", "dcterms:modified", "dcterms:date"),
}
_COUNTS: Rules = {
    "media:starrating": _value("media:starrating count", "count"),
    "media:statistics": _statistics,
}
_RECEPTION: Rules = {**_COUNTS, "media:community": Container(_COUNTS)}
_MEDIA: Rules = {
    "media:title": Text("media:title"),
    "media:description": Text("media:description", "guess"),
    "media:thumbnail": _image("media:thumbnail"),
    "media:category": _category,
    "media:keywords": _keywords,
    "media:player": _value("media:player", "url"),
    **_RECEPTION,
    # what stands inside describes one file, but for its still
    "media:content": Container({"media:thumbnail": _image("media:thumbnail"), **_RECEPTION}, leaf=_media),
}
_ITUNES: Rules = {
    "itunes:title": Text("itunes:title"),
    "itunes:summary": Text("itunes:summary", "guess"),
    "itunes:description": Text("itunes:summary", "guess"),
    "itunes:subtitle": Text("itunes:subtitle", "guess"),
    "itunes:author": _person,
    "itunes:image": Container({"url": _image("itunes:image")}, leaf=_image("itunes:image")),
    "itunes:link": _itunes_link,
    "itunes:keywords": _keywords,
    "itunes:category": Container({"itunes:category": _category}, leaf=_category),
    **_values("itunes:duration", "itunes:episode", "itunes:season", "itunes:new-feed-url"),
}
_COMMON: Rules = {
    "title": Text("title"),
    "link": _link,
    "id": _id,
    "author": Container(_PERSON, leaf=_person),
    "category": _category,
    "keywords": _keywords,
    "tags": _keywords,
    **_values("updated", "modified", "published", "pubdate", "issued", "created", "language"),
    **_DUBLIN_CORE,
    **_MEDIA,
    **_ITUNES,
    "media:group": Container({**_MEDIA}),
    "podcast:person": _host,
    "media:credit": _credit,
    "podcast:alternateenclosure": Container({"podcast:source": _value("podcast:source", "uri")}),
}

# --- an item or entry --------------------------------------------------------------------------

#: RFC 4287, 4.2.11: where an entry comes from; RSS 2.0's source is a text and says nothing that is used
_SOURCE: Rules = {"author": Container(_PERSON, leaf=_person), "dc:creator": _person, "itunes:author": _person}

_ENTRY: dict[str, Rule] = {
    **_COMMON,
    # RSS
    "description": Text("description", "html"),
    "guid": _guid,
    "date": _value("dc:date"),
    "thumbnail": _image("image"),
    "enclosure": _enclosure,
    "image": Container({"url": _image("image")}, leaf=_image("image")),
    "content:encoded": Text("content:encoded", "html"),
    "body": Text("body", "xhtml"),
    "xhtml:body": Text("body", "xhtml"),
    "xhtml:div": Text("body", "xhtml"),
    "fullitem": Text("content", "html"),
    # Atom
    "summary": Text("summary", "guess"),
    "content": Text("content", "guess"),
    "source": Container(_SOURCE, record="source"),
    # modules
    "feedburner:origlink": _value("feedburner:origlink"),
    **_values("slash:comments", "thr:total", "podcast:episode", "podcast:season"),
}
ENTRY: Rules = _ENTRY
#: some never close their items in time
_ENTRY["item"] = _ENTRY["entry"] = Container(ENTRY, record="entry")

# --- a channel or feed -------------------------------------------------------------------------

FEED: Rules = {
    **_COMMON,
    "item": Container(ENTRY, record="entry"),
    "entry": Container(ENTRY, record="entry"),
    # RSS
    "description": Text("description", "html"),
    "ttl": _value("ttl"),
    "skiphours": Container({"hour": _skip_hour}),
    "skipdays": Container({"day": _skip_day}),
    "image": Container({"url": _image("image")}, leaf=_image("image")),
    "newlocation": _value("newlocation"),
    **_values("lastbuilddate", "sy:updateperiod", "sy:updatefrequency"),
    # Atom
    "subtitle": Text("subtitle", "guess"),
    "tagline": Text("tagline", "guess"),
    "logo": _image("logo"),
    "icon": _image("icon"),
}
#: items may stand beside the channel (RSS 1.0), or inside it
_REDIRECT: Rules = {"newlocation": _value("newlocation")}
_CHANNEL: Rules = {**FEED, "redirect": Container(_REDIRECT)}
_FEED: Rules = {**_CHANNEL, "channel": Container(_CHANNEL)}

#: root element → version and rules; Atom's and RSS's number is in an attribute or a namespace
DOCUMENT: Mapping[str, tuple[str, Rules]] = {
    "rss": ("rss", _FEED),
    "rdf:rdf": ("rss10", _FEED),
    "feed": ("atom10", _FEED),
    "entry": ("atom10", ENTRY),
    # a whole document that only says where the feed is now
    "redirect": ("redirect", _REDIRECT),
}
CONTENT_SRC = _content_src
