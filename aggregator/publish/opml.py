"""OPML 2.0: lists of feeds, in and out.

Reading is done with expat alone, and a document type declaration is refused before anything in it is looked at: no
entity is ever defined, so none can grow or reach for a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from xml.etree import ElementTree as ET
from xml.parsers import expat

from aggregator.errors import ParseError
from aggregator.model import Subscription
from aggregator.model.redact import public_url
from aggregator.publish.markup import inert
from aggregator.publish.site import Site

MAX_SIZE_BYTES = 20_000_000
MAX_DEPTH = 100

#: what lists found in the wild forget to escape: ampersands (but those of references that XML knows by itself), angle
#: brackets of HTML within attributes, quotes within quotes
_REPAIRS: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]"), b" "),
    (re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)"), b"&amp;"),
    (
        re.compile(rb"(?i)<(?!/?(?:opml|head|body|outline|title|docs|date\w+|owner\w+|\w+state|window\w+)\b|\?|!)"),
        b"&lt;",
    ),
    (re.compile(rb'(?<!=)"(?!\s*[/?]?>|\s+[\w:]+=")'), b"&quot;"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One feed of a list."""

    #: as written; whether it can be followed is for others to say
    url: str
    title: str = ""
    #: the innermost folder it stands in, else its category; "" for none
    section: str = ""


def parse(document: bytes) -> list[Outline]:
    """The feeds in an OPML document, in its order, each address once. ParseError ``not-opml`` says what is wrong."""
    if len(document) > MAX_SIZE_BYTES:
        raise ParseError("not-opml", f"larger than {MAX_SIZE_BYTES // 1_000_000} MB", permanent=True)
    if not document.strip():
        raise ParseError("not-opml", "not well-formed XML: it is empty", permanent=True)
    try:
        return _outlines(document.lstrip(b" \t\r\n"))
    except expat.ExpatError:
        return _repaired_outlines(document.lstrip(b" \t\r\n"))


def _repaired_outlines(document: bytes) -> list[Outline]:
    """Another attempt at a document that is not well-formed; most such lists only forgot to escape something."""
    try:
        return _outlines(reduce(lambda text, repair: repair[0].sub(repair[1], text), _REPAIRS, document))
    except expat.ExpatError as error:
        raise ParseError("not-opml", f"not well-formed XML: {error}", permanent=True) from error


def _outlines(document: bytes) -> list[Outline]:
    reader = _Reader()
    try:
        reader.read(document)
    except (LookupError, ValueError) as error:
        raise ParseError("not-opml", f"in an encoding that cannot be read: {error}", permanent=True) from error
    return list(reader.outlines.values())


class _Reader:
    """Collects outlines with an address; the others are folders."""

    def __init__(self) -> None:
        self.outlines: dict[str, Outline] = {}
        #: for each open element the name of the folder it is, "" if it is none
        self._folders: list[str] = []

    def read(self, document: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=None)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(document, True)

    @staticmethod
    def _doctype(*_: object) -> None:
        raise ParseError(
            "not-opml", "has a document type declaration (DOCTYPE), which OPML never needs", permanent=True
        )

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._folders and name.lower() != "opml":
            raise ParseError("not-opml", f"is <{name[:40]}>, not <opml>", permanent=True)
        if len(self._folders) >= MAX_DEPTH:
            raise ParseError("not-opml", f"nested deeper than {MAX_DEPTH} levels", permanent=True)
        folder = ""
        if name.lower() == "outline":
            values = {key.lower(): value.strip() for key, value in attributes.items()}
            if values.get("xmlurl"):
                self._feed(values)
            else:
                folder = _one_line(values.get("text") or values.get("title", ""))
        self._folders.append(folder)

    def _end(self, _: str) -> None:
        self._folders.pop()

    def _feed(self, values: Mapping[str, str]) -> None:
        url = values["xmlurl"]
        section = next((folder for folder in reversed(self._folders) if folder), "") or _category(values)
        title = _one_line(values.get("title") or values.get("text", ""))
        self.outlines.setdefault(url, Outline(url=url, title=title, section=section))


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
        if source.section not in folders:
            folders[source.section] = _outline(body, source.section)
        address = public_url(source.url)
        name = source.name or (names or {}).get(source.url) or address
        _outline(folders[source.section], name, xml_url=address)
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
