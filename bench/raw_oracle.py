"""What a series of documents announces, read from their raw bytes: shares no parser and no threshold with the product.

`identity.py` compares what was announced with it, `replay.py` what was stored.
Entries are cut out by their tags, guid, address, title and date by theirs; a string is compared as its letters and
digits.
Two sightings are one entry if, in this order, they share

- a guid, which never stands twice in a document; or guid (or address, without guids) and title;
- title and time, to the minute, or title and path with its query; or the last number of six or more digits, which is no
  date, of their addresses; where they never stand in one document.

Where the product was judged right, `explained.json` says so, once: series or document, kind, parts of titles, why.
"""

from __future__ import annotations

import gzip
import html
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Comparison", "RawOracle", "Sighting", "compare", "sighting"]

EXPLAINED = Path(__file__).with_name("explained.json")
_ENTRY = re.compile(r"<((?:atom:|rss:|a:)?)(item|entry)\b[^>]*>(.*?)</\1\2\s*>", re.DOTALL | re.IGNORECASE)
_SOURCE = re.compile(r"<source\b[^>]*>.*?</source\s*>", re.DOTALL)
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([\w-]+)""")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
_NUMBER = re.compile(r"\d{6,}")
#: 20200506 and what follows it, or 050620
_DATE = re.compile(
    r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:19|2\d)$"
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An entry as one document has it; strings as letters and digits only."""

    guid: str
    link: str
    title: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is named by, and its title."""
        return self.guid or self.link, self.title


def sighting(guid: str | None, link: str | None, title: str) -> Sighting:
    """The same of strings that somebody else has read."""
    return Sighting(_letters(guid or ""), _letters(_bare(link or "")), _letters(title))


class RawOracle:
    """Which sightings of all documents are one entry."""

    def __init__(self) -> None:
        #: sightings with a digest of the whole entry: a live page has several under one guid, address and title
        self._documents: list[set[tuple[Sighting, int]]] = []
        self._moments: dict[Sighting, datetime | None] = {}
        self._numbers: dict[Sighting, tuple[str, str] | None] = {}
        self._paths: dict[Sighting, str] = {}
        self._parent: dict[Sighting, Sighting] = {}
        self._by_key: dict[tuple[str, str], Sighting] = {}
        self._by_page: dict[tuple[str, str], Sighting] = {}

    def add(self, body: bytes) -> None:
        """The entries of one document that are whole."""
        found = set[tuple[Sighting, int]]()
        text = _decoded(body)
        for guid, link, title, moment, digest in _of_json(text) if text.startswith("{") else _of_xml(text):
            seen = sighting(guid, link, title)
            if not any((seen.guid, seen.link, seen.title)):
                continue  # nothing to know it by
            found.add((seen, digest))
            if seen not in self._parent:
                self._parent[seen] = seen
                self._moments[seen] = moment
                self._numbers[seen], self._paths[seen] = _number(link), _path(link)
                self._by_key.setdefault(seen.key, seen)
                self._by_page.setdefault((seen.link, seen.title), seen)
        self._documents.append(found)

    def expected(self) -> Counter[Sighting]:
        """How often each entry may be announced: as often as it stands in one document at the most."""
        self._unite()
        most: Counter[Sighting] = Counter()
        for found in self._documents:
            most |= Counter(self.root(one) for one, _ in found)
        return most

    def names(self) -> int:
        """How many a reader announces that goes by the guid, else the address, else the title."""
        return len({one.guid or one.link or one.title for one in self._parent})

    def find(self, guid: str | None, link: str | None, title: str) -> Sighting | None:
        """The entry that somebody else has read like this; None if no document has it."""
        seen = sighting(guid, link, title)
        known = seen if seen in self._parent else self._by_key.get(seen.key)
        known = known or self._by_page.get((seen.link, seen.title))
        if known is not None:
            return self.root(known)
        # the title has been cut or repaired, the address completed: one of them tells, where it tells of one entry
        for name in ("guid", "link", "title"):
            value = getattr(seen, name)
            roots = {self.root(one) for one in self._parent if value and getattr(one, name) == value}
            if len(roots) == 1:
                return roots.pop()
        relative = {self.root(one) for one in self._parent if one.link and seen.link.endswith(one.link)}
        return relative.pop() if len(relative) == 1 else None

    def root(self, one: Sighting) -> Sighting:
        """The sighting that stands for its entry."""
        while self._parent[one] != one:
            self._parent[one] = self._parent[self._parent[one]]
            one = self._parent[one]
        return one

    def _unite(self) -> None:
        guids = Counter(guid for found in self._documents for guid, n in _counts(found, "guid") if n > 1)
        links = Counter(link for found in self._documents for link, n in _counts(found, "link") if n > 1)
        self._join((one.guid, "" if one.guid not in guids else one.title) if one.guid else None for one in self._parent)
        self._join(
            (one.link, "" if one.link not in links else one.title) if one.link and not one.guid else None
            for one in self._parent
        )
        self._join((one.link, one.title) if one.link else None for one in self._parent)
        together = self._seen_together()
        minutes = {one: moment and moment.replace(second=0) for one, moment in self._moments.items()}
        for values in (minutes, self._paths):
            names = [(one.title, value) if one.title and value else None for one, value in values.items()]
            self._join_apart(names, together)
        self._join_apart(list(self._numbers.values()), together)

    def _join(self, names: Iterable[tuple[object, ...] | None]) -> None:
        first: dict[tuple[object, ...], Sighting] = {}
        for one, name in zip(self._parent, names, strict=True):
            if name is not None:
                self._parent[self.root(one)] = self.root(first.setdefault(name, one))

    def _seen_together(self) -> dict[Sighting, set[int]]:
        seen: dict[Sighting, set[int]] = defaultdict(set)
        for number, found in enumerate(self._documents):
            for one, _ in found:
                seen[one].add(number)
        return seen

    def _join_apart(self, names: Sequence[tuple[object, ...] | None], together: dict[Sighting, set[int]]) -> None:
        first: dict[tuple[object, ...], Sighting] = {}
        for one, name in zip(list(self._parent), names, strict=True):
            if name is None:
                continue
            other = first.setdefault(name, one)
            if other != one and together[one].isdisjoint(together[other]):
                self._parent[self.root(one)] = self.root(other)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where the product and the raw bytes disagree, and nobody has judged it yet."""

    twice: list[Sighting]
    lost: list[Sighting]
    #: disagreements that were judged in favour of the product
    explained: int
    #: entries of the product that no document has, as the oracle reads them
    unread: int
    distinct: int


def compare(name: str, truth: RawOracle, entries: Iterable[tuple[str | None, str | None, str]]) -> Comparison:
    """What the product has of a series or document, as (guid, address, title), against what its bytes say."""
    expected = truth.expected()
    found = [truth.find(*entry) for entry in entries]
    told = Counter(one for one in found if one is not None)
    twice = [root for root, n in told.items() if n > expected[root]]
    lost = [root for root in expected if root not in told]
    left = {
        kind: [one for one in some if not _explained(name, kind, one)]
        for kind, some in (("twice", twice), ("lost", lost))
    }
    explained = len(twice) + len(lost) - len(left["twice"]) - len(left["lost"])
    return Comparison(left["twice"], left["lost"], explained, found.count(None), len(expected))


def _explained(name: str, kind: str, one: Sighting) -> bool:
    """Whether this disagreement has been judged."""
    return any(
        row["series"] == name and row["kind"] == kind and any(title in one.title for title in row["titles"])
        for row in _judged()
    )


@cache
def _judged() -> list[dict[str, Any]]:
    judged: list[dict[str, Any]] = json.loads(EXPLAINED.read_text(encoding="utf-8"))
    return judged


def _of_xml(text: str) -> Iterable[tuple[str, str, str, datetime | None, int]]:
    """Guid, address, title and time of each entry, and a digest of its letters."""
    for prefix, _, whole in _ENTRY.findall(_COMMENT.sub("", text)):
        entry = _SOURCE.sub("", whole)
        guid = _field(entry, f"{prefix}guid") or _field(entry, f"{prefix}id")
        link = _link(entry, prefix) or (guid if guid.startswith("http") else "")
        yield guid, link, _field(entry, f"{prefix}title"), _moment(entry, prefix), hash(_letters(entry))


def _of_json(text: str) -> Iterable[tuple[str, str, str, datetime | None, int]]:
    try:
        read = json.loads(text)
    except ValueError:
        return
    for item in read.get("items", []):
        link = str(item.get("url") or item.get("external_url") or "")
        yield str(item.get("id") or ""), link, str(item.get("title") or ""), _time(str(item.get("date_published"))), 0


def _counts(found: Iterable[tuple[Sighting, int]], name: str) -> Iterable[tuple[str, int]]:
    return Counter(value for one in {one for one, _ in found} if (value := getattr(one, name))).items()


def _decoded(body: bytes) -> str:
    if body.startswith(b"\x1f\x8b"):
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return ""
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    return _unmarked(body).lstrip()


def _unmarked(body: bytes) -> str:
    declared = _ENCODING.search(body[:200])
    if declared and declared[1].lower().startswith(b"utf-16") and b"\0" not in body[:100]:
        declared = None  # it says so, and is not
    try:
        return body.decode(declared[1].decode("ascii") if declared else "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _field(text: str, name: str) -> str:
    found = re.search(rf"<{name}\b[^>]*(?<!/)>(.*?)</{name}\s*>", text, re.DOTALL | re.IGNORECASE)
    return _plain(found[1]) if found else ""


def _link(text: str, prefix: str) -> str:
    original = _field(text, "feedburner:origLink")
    if original.startswith("http"):
        return original
    for tag in re.findall(rf"<{prefix}link\b[^>]*>", text):
        address = re.search(r"""href=["']([^"']*)""", tag)
        if address and ("rel=" not in tag or "alternate" in tag):
            return html.unescape(address[1]).strip()
    return _field(text, f"{prefix}link")


def _plain(text: str) -> str:
    plain = "".join(part if number % 2 else html.unescape(part) for number, part in enumerate(_CDATA.split(text)))
    return re.sub(r"<[^>]*>", "", html.unescape(plain)).strip()


def _moment(text: str, prefix: str) -> datetime | None:
    names = (f"{prefix}pubDate", f"{prefix}published", "dc:date", f"{prefix}updated")
    return _time(next(filter(None, (_field(text, name) for name in names)), ""))


def _time(claimed: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(claimed)
        except ValueError:
            continue
        try:
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except OverflowError:
            return None
    return None


def _path(link: str) -> str:
    try:
        parts = urlsplit(link)
        return parts._replace(scheme="", netloc="", fragment="").geturl().rstrip("/")
    except ValueError:  # [ in a host
        return ""


def _number(link: str) -> tuple[str, str] | None:
    found = [number for number in _NUMBER.findall(link) if not (_DATE.match(number) or number.endswith("000"))]
    host = re.match(r"(?:https?:)?//(?:www\.)?([^/?#]*)", link)
    return (host[1] if host else "", found[-1]) if found else None


def _bare(link: str) -> str:
    """Without what addresses differ in that lead to one page: scheme, www, mark, tracking."""
    address = re.sub(r"^https?://(www\.)?", "", html.unescape(link).partition("#")[0])
    return re.sub(r"(?<=[?&])(?:utm_|at_|ns_|CMP|ref=)[^&]*&?", "", address).rstrip("/?&")


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, html.unescape(text).casefold()))
