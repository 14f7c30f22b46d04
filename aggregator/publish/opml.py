"""Reads and writes OPML 2.0, the format of lists of feeds.

Reading is done with expat alone. A document type declaration is cut off before anything in it is looked at: no entity
is ever defined, so none can grow or reach for a file. A list that is damaged is mended where the damage is of a usual
kind: labels that lie about the encoding, characters that were not escaped, elements that were not closed.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.parsers import expat

from aggregator.errors import ParseError
from aggregator.model import Subscription
from aggregator.model.redact import public_url
from aggregator.publish.markup import inert
from aggregator.publish.site import Site

MAX_SIZE_BYTES = 20_000_000
MAX_DEPTH = 100

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the next one does
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LABEL = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:+-]{1,40})", re.IGNORECASE)
#: what stands before it (declaration, document type, comments, a line that a script has printed) is not looked at
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?opml\b", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[a-zA-Z][a-zA-Z0-9]{1,30};")
#: what lists found in the wild forget to escape: ampersands (but those of references that XML knows by itself), angle
#: brackets of HTML within attributes, quotes within quotes
_REPAIRS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]"), " "),
    (re.compile("&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)"), "&amp;"),
    (
        re.compile(r"(?i)<(?!/?(?:opml|head|body|outline|title|docs|date\w+|owner\w+|\w+state|window\w+)\b|\?|!)"),
        "&lt;",
    ),
    (re.compile(r'(?<!=)"(?!\s*[/?]?>|\s+[\w:]+=")'), "&quot;"),
)
_OUTLINE = re.compile(r"<(/?)outline\b((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*?)(/?)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
#: how FreshRSS marks pages that it scrapes: HTML+XPath, XML+XPath, JSON+DotNotation
_SCRAPED = re.compile(r"(?:html|xml|json)\+", re.IGNORECASE)
_FEED_KIND = re.compile("rss|atom|rdf|feed")
#: what readers and podcast players have called the web
_FEED_SCHEME = re.compile(r"(?:feed|rss|itpc|pcast|podcast):(?://)?", re.IGNORECASE)
_WEB = re.compile(r"(https?)(?::/+|//)", re.IGNORECASE)
#: a host and perhaps a path; feed.xml is a file, javascript:1 no host with its port
_BARE_HOST = re.compile(
    r"(?!(?:javascript|vbscript|data|mailto|file|about|blob|tel|sms|news|s?ftp|urn|magnet|view-source):)(?:(?:[\w-]+\.)*[\w-]+(?:\.(?!(?:xml|rss|atom|rdf|json|opml|html?|php)$)(?:xn--[a-z0-9-]+|[^\W\d_]{2,})(?::\d{1,5})?"
    r"|:\d{1,5})|(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?|localhost|\[[0-9a-f:.]+\](?::\d{1,5})?)(?:[/?#]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One feed of a list."""

    #: with a scheme; whether it can be followed is for others to say
    url: str
    title: str = ""
    #: the innermost folder it stands in, else its category; "" for none
    section: str = ""
    #: where it stands in the document; 0: not known, as the document is damaged
    line: int = field(default=0, compare=False)


class FeedList(NamedTuple):
    """What an OPML document lists."""

    #: in its order, each address once
    feeds: list[Outline]
    #: a line for each outline that names an address and is no feed: its title and why
    dropped: list[str]


def parse(document: bytes) -> FeedList:
    """The feeds in an OPML document. Raises ParseError ``not-opml``, which says what is wrong."""
    if len(document) > MAX_SIZE_BYTES:
        raise ParseError("not-opml", f"larger than {MAX_SIZE_BYTES // 1_000_000} MB", permanent=True)
    whole = _decoded(document)
    text = _DECLARATION.sub("", whole).strip("\ufeff \t\r\n")
    if (root := _ROOT.search(text)) is not None:
        text = text[root.start() :]
        # lines are counted from where the document begins
        text = "\n" * whole.count("\n", 0, whole.find(text[:64])) + text
    if not text.strip():
        raise ParseError("not-opml", "not well-formed XML: it is empty", permanent=True)
    text = _REFERENCE.sub(lambda found: html.escape(html.unescape(found[0])), text)
    try:
        return _read(text)
    except expat.ExpatError:
        return _read_damaged(text)


def _decoded(document: bytes) -> str:
    """The text of a document, whatever its label says: lists are written by hand, and saved by editors."""
    for mark, codec in _BOMS:
        if document.startswith(mark):
            return document[len(mark) :].decode(codec, "replace")
    label = _LABEL.search(document[:300])
    named = [label[1].decode("ascii")] if label else []
    zeros = document[:4].find(b"\0")
    if zeros >= 0:  # no encoding but the wide ones has any there
        return document.decode("utf-16-le" if zeros % 2 else "utf-16-be", "replace")
    if label and label[1].lower().startswith(b"iso-2022"):  # looks like ASCII
        return document.decode(named[0], "replace")
    for codec in ("utf-8", *named, "cp1252"):
        try:
            return document.decode(codec)
        except (UnicodeError, LookupError, ValueError):
            continue
    return document.decode("latin-1")


def _read(text: str) -> FeedList:
    parser = expat.ParserCreate(namespace_separator=None)
    reader = _Reader(line=lambda: parser.CurrentLineNumber)
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.Parse(text, True)
    return reader.result(text)


def _read_damaged(text: str) -> FeedList:
    """Another attempt at a document that is not well-formed: mostly it forgot to escape or to close something."""
    try:
        return _read(reduce(lambda whole, repair: repair[0].sub(repair[1], whole), _REPAIRS, text))
    except expat.ExpatError as error:
        reader = _Reader()
        if re.match(r"\s*<opml\b", text, re.IGNORECASE):
            reader.start("opml", {})
            _scan(text, reader)
        if not reader.found:
            raise ParseError("not-opml", f"not well-formed XML: {error}", permanent=True) from error
        return reader.result(text)


def _scan(text: str, reader: _Reader) -> None:
    """The outlines of a document of which nothing else can be read."""
    depth = 0
    for closing, attributes, empty in _OUTLINE.findall(text):
        if closing:
            if depth:
                depth -= 1
                reader.end("outline")
            continue
        given = {name: html.unescape(double or single) for name, double, single in _ATTRIBUTE.findall(attributes)}
        reader.start("outline", given)
        if empty or any(name.lower() == "xmlurl" for name in given):
            reader.end("outline")
        else:
            depth += 1


@dataclass(slots=True, kw_only=True)
class _Folder:
    name: str
    parent: _Folder | None
    #: feeds and folders directly in it
    feeds: int = 0
    folders: int = 0


@dataclass(slots=True)
class _Reader:
    """Collects outlines with an address; the others are folders."""

    #: the number of the line that is being read
    line: Callable[[], int] = lambda: 0
    found: list[tuple[Outline, _Folder | None]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    _open: list[_Folder | None] = field(default_factory=list)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self._open and name.lower() != "opml":
            raise ParseError("not-opml", f"is <{name[:40]}>, not <opml>", permanent=True)
        if len(self._open) >= MAX_DEPTH:
            raise ParseError("not-opml", f"nested deeper than {MAX_DEPTH} levels", permanent=True)
        folder = self._open[-1] if self._open else None
        if name.lower() == "outline":
            values = {key.lower(): value.strip() for key, value in attributes.items()}
            title = _one_line(values.get("title") or values.get("text", ""))
            url = values.get("xmlurl") or values.get("url", "")
            if url:
                self._outline(url, title, values, folder)
            elif values.get("type", "").lower() in {"rss", "atom"}:
                page = f" but that of its page, {values['htmlurl'][:200]}" if values.get("htmlurl") else ""
                self.dropped.append(f"{title or 'an outline'}: has no address{page}")
            elif named := _one_line(values.get("text") or values.get("title", "")):
                if folder:
                    folder.folders += 1
                folder = _Folder(name=named, parent=folder)
        self._open.append(folder)

    def end(self, _: str) -> None:
        self._open.pop()

    def result(self, text: str) -> FeedList:
        """The feeds with their sections, each once."""
        # Thunderbird keeps each feed in a folder of its own
        is_thunderbird = "urn:forumzilla:" in text
        feeds: dict[str, Outline] = {}
        for outline, folder in self.found:
            section = folder
            if folder is not None and _is_own_folder(folder, outline, is_thunderbird=is_thunderbird):
                section = folder.parent
            name = section.name if section else ("" if folder else outline.section)
            feeds.setdefault(outline.url, replace(outline, section=name))
        return FeedList(list(feeds.values()), self.dropped)

    def _outline(self, url: str, title: str, values: Mapping[str, str], folder: _Folder | None) -> None:
        kind = values.get("type", "").lower()
        called = title or url[:100]
        if _SCRAPED.match(kind):
            self.dropped.append(f"{called}: not a feed but a page to be scraped ({_one_line(values['type'])[:40]})")
        elif not values.get("xmlurl") and kind in {"link", "include"}:
            self.dropped.append(f"{called}: a link (type {kind}), not a feed")
        elif not values.get("xmlurl") and kind and not _FEED_KIND.search(kind):
            self.dropped.append(f"{called}: of type {_one_line(kind)[:40]}, which is no feed")
        else:
            if folder:
                folder.feeds += 1
            outline = Outline(url=_with_scheme(url), title=title, section=_category(values), line=self.line())
            self.found.append((outline, folder))


def _is_own_folder(folder: _Folder, outline: Outline, *, is_thunderbird: bool) -> bool:
    """Whether a folder of one feed is there for it alone, and says nothing about where it belongs."""
    if folder.feeds > 1 or folder.folders:
        return False
    if folder.parent:
        return is_thunderbird or folder.name == outline.title
    return is_thunderbird and folder.name == outline.title


def _with_scheme(url: str) -> str:
    """``feed:``, its likes and no scheme at all all mean the web; a blank is no part of an address."""
    url = "".join(url.split()) if "\n" in url or "\t" in url else url.replace(" ", "%20")
    if (nickname := _FEED_SCHEME.match(url)) is not None:
        url = url[nickname.end() :]
        url = url if _WEB.match(url) else f"http://{url}"
    if url.startswith("//") or _BARE_HOST.match(url):
        return f"http://{url.removeprefix('//')}"
    return _WEB.sub(r"\1://", url, count=1) if _WEB.match(url) else url


def _category(values: Mapping[str, str]) -> str:
    """The first element of the first path in a ``category`` attribute: ``/World/Europe,/News`` → World."""
    first = values.get("category", "").split(",")[0].strip()
    return _one_line(first.lstrip("/").split("/")[0])


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:200]


def render_sources(
    sources: Iterable[Subscription], *, title: str = "Sources", names: Mapping[str, str] | None = None
) -> bytes:
    """The sources as OPML, a folder a section; passwords and tokens in addresses are hidden.

    `names` says by address what the sources that have no configured name are called.
    """
    root, body = _document(title)
    folders: dict[str, ET.Element] = {}
    for source in sources:
        address = public_url(source.url)
        name = source.name or (names or {}).get(source.url) or address
        for section in source.sections:
            if section not in folders:
                folders[section] = _outline(body, section)
            _outline(folders[section], name, xml_url=address)
    return _bytes(root)


def render_feeds(feeds: Iterable[tuple[str, str, str]], site: Site) -> bytes:
    """The site's own feeds, as (title, address of the feed, address of the page), for a feed reader to import."""
    root, body = _document(site.title)
    folder = _outline(body, site.title)
    for title, xml_url, html_url in feeds:
        _outline(folder, title, xml_url=xml_url, html_url=html_url)
    return _bytes(root)


def _document(title: str) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("opml", version="2.0")
    ET.SubElement(ET.SubElement(root, "head"), "title").text = inert(_one_line(title))
    return root, ET.SubElement(root, "body")


def _outline(parent: ET.Element, text: str, *, xml_url: str = "", html_url: str = "") -> ET.Element:
    """One outline; readers look for the name in ``text`` or in ``title``, so both carry it."""
    name = inert(_one_line(text))
    attributes = {"text": name, "title": name}
    if xml_url:
        attributes |= {"type": "rss", "xmlUrl": _one_line_url(xml_url)}
    if html_url:
        attributes["htmlUrl"] = _one_line_url(html_url)
    return ET.SubElement(parent, "outline", attributes)


def _one_line_url(url: str) -> str:
    return "".join(letter for letter in url if letter.isprintable() and not letter.isspace())


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"
