"""What a series of documents announces, read from their raw bytes: shares no parser and no threshold with the product.

Entries are cut out by their tags, guid, address, title and date by theirs; a string is compared as its letters and
digits.
Two sightings are one entry if, in this order, they share

- a guid, which never stands twice in a document; or guid (or address, without guids) and title;
- title and time, to the minute, or title and path; or the last number of six or more digits of their addresses; where
  they never stand in one document.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

__all__ = ["RawOracle", "Sighting", "sighting"]

_ENTRY = re.compile(r"<(item|entry)\b[^>]*>(.*?)</\1\s*>", re.DOTALL)
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([\w-]+)""")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NUMBER = re.compile(r"\d{6,}")
_DATE = re.compile(r"(?:19|20)\d{6}")


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
        self._documents: list[set[Sighting]] = []
        self._moments: dict[Sighting, datetime | None] = {}
        self._numbers: dict[Sighting, tuple[str, str] | None] = {}
        self._paths: dict[Sighting, str] = {}
        self._parent: dict[Sighting, Sighting] = {}
        self._by_key: dict[tuple[str, str], Sighting] = {}

    def add(self, body: bytes) -> None:
        """The entries of one document that are whole."""
        found = set[Sighting]()
        for _, text in _ENTRY.findall(_COMMENT.sub("", _decoded(body))):
            guid = _field(text, "guid") or _field(text, "id")
            link = _link(text) or (guid if guid.startswith("http") else "")
            seen = sighting(guid, link, _field(text, "title"))
            found.add(seen)
            if seen not in self._parent:
                self._parent[seen] = seen
                self._moments[seen] = _moment(text)
                self._numbers[seen], self._paths[seen] = _number(link), urlsplit(link).path.rstrip("/")
                self._by_key.setdefault(seen.key, seen)
        self._documents.append(found)

    def expected(self) -> Counter[Sighting]:
        """How often each entry may be announced: as often as it stands in one document at the most."""
        self._unite()
        most: Counter[Sighting] = Counter()
        for found in self._documents:
            most |= Counter(self.root(one) for one in found)
        return most

    def names(self) -> int:
        """How many a reader announces that goes by the guid, else the address, else the title."""
        return len({one.guid or one.link or one.title for one in self._parent})

    def find(self, guid: str | None, link: str | None, title: str) -> Sighting | None:
        """The entry that somebody else has read like this; None if no document has it."""
        seen = sighting(guid, link, title)
        known = seen if seen in self._parent else self._by_key.get(seen.key)
        if known is not None:
            return self.root(known)
        # the title has been cut or repaired: what it is named by tells, where that names one entry
        roots = {self.root(one) for one in self._parent if seen.key[0] and one.key[0] == seen.key[0]}
        return roots.pop() if len(roots) == 1 else None

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
            for one in found:
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


def _counts(found: Iterable[Sighting], name: str) -> Iterable[tuple[str, int]]:
    return Counter(value for one in found if (value := getattr(one, name))).items()


def _decoded(body: bytes) -> str:
    declared = _ENCODING.search(body[:200])
    if declared and declared[1].lower().startswith(b"utf-16") and b"\0" not in body[:100]:
        declared = None  # it says so, and is not
    try:
        return body.decode(declared[1].decode("ascii") if declared else "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _field(text: str, name: str) -> str:
    found = re.search(rf"<{name}\b[^>]*(?<!/)>(.*?)</{name}\s*>", text, re.DOTALL)
    return _plain(found[1]) if found else ""


def _link(text: str) -> str:
    for tag in re.findall(r"<link\b[^>]*>", text):
        address = re.search(r"""href=["']([^"']*)""", tag)
        if address and ("rel=" not in tag or "alternate" in tag):
            return html.unescape(address[1]).strip()
    return _field(text, "link")


def _plain(text: str) -> str:
    plain = "".join(part if number % 2 else html.unescape(part) for number, part in enumerate(_CDATA.split(text)))
    return re.sub(r"<[^>]*>", "", html.unescape(plain)).strip()


def _moment(text: str) -> datetime | None:
    claimed = next(filter(None, (_field(text, name) for name in ("pubDate", "published", "dc:date", "updated"))), "")
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(claimed)
        except ValueError:
            continue
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _number(link: str) -> tuple[str, str] | None:
    found = [number for number in _NUMBER.findall(link) if not (_DATE.match(number) or number.endswith("000"))]
    return (urlsplit(link).netloc.removeprefix("www."), found[-1]) if found else None


def _bare(link: str) -> str:
    """Without what addresses differ in that lead to one page: scheme, www, mark, tracking."""
    address = re.sub(r"^https?://(www\.)?", "", html.unescape(link).partition("#")[0])
    return re.sub(r"(?<=[?&])(?:utm_|at_|ns_|CMP|ref=)[^&]*&?", "", address).rstrip("/?&")


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, html.unescape(text).casefold()))
