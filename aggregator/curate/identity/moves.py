"""Entries whose guid and address have moved together: by what they are looked up, and when they are the same entry.

A platform is left, a host changes, a headline is part of guid and address; readers announce all of it again.
Here an entry is another one under new names only if that other one is gone from the document, and

- it has the same title, and the same time (to the minute) or the same path on another host; or
- it alone has that title and the same text, and says it is the older of the two; or
- the same long number stands last in both addresses, and in both guids if there are any, on one host, within days; or
- most of the document has moved: the titles are those of entries that are gone, and the texts are the same too, or the
  claimed time is before the other was first seen here.

A daily column has its title and may have its words from the day before; its time is another one. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from aggregator.curate.text import normalise
from aggregator.model import KnownEntry, ParsedEntry

__all__ = ["Candidate", "moved_entries", "number_key", "title_key"]

#: publishers round times when they move
SAME_TIME = timedelta(minutes=1)
#: what is listed again under another headline has not been away for longer
REWRITTEN_WITHIN = timedelta(days=60)
#: of a document at least so many entries, and this share, have to have moved for it to count as a move of all
MANY_MOVED, MOVED_SHARE = 3, 0.5
#: shorter numbers are places in a list, years, days
_LONG_NUMBER = re.compile(r"\d{6,}")
#: 20260131, with or without a time behind it; 310126
_DATE = re.compile(
    r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{2}|\d{4}|\d{6})?|\d{2}(?:0\d|1[0-2])\d{2}"
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry of a document that nothing is known of by its guid or address."""

    parsed: ParsedEntry
    #: canonical address
    link: str | None


def title_key(title: str) -> str | None:
    """What titles share that differ in case, quotation marks and punctuation only; None for titles of one word."""
    words = _WORD.findall(normalise(title))
    return " ".join(words) if len(words) > 1 else None


def number_key(link: str | None) -> str | None:
    """Host and last long number of an address (canonical): what stays when a headline in it changes; None without."""
    if link is None or "#" in link:
        return None
    parts = urlsplit(link)
    found = [number for number in _LONG_NUMBER.findall(f"{parts.path}?{parts.query}") if not _DATE.fullmatch(number)]
    found = [number for number in found if not number.endswith("000")]  # "100,000 jobs" in a headline
    return f"{parts.netloc} {found[-1]}" if found else None


def moved_entries(
    unknown: Mapping[int, Candidate], gone: Sequence[KnownEntry], *, links: Sequence[str | None], now: datetime
) -> dict[int, KnownEntry]:
    """Which of the entries that are `unknown` (by their place in the document) are entries that are `gone` from it.

    Each at most once. `links`: the addresses of all entries of the document.
    """
    found = dict(_by_title(unknown, gone, document_size=len(links)))
    taken = {entry.entry_id for entry in found.values()}
    rest = {place: each for place, each in unknown.items() if place not in found}
    shared = {key for key, count in Counter(map(number_key, links)).items() if count > 1}
    found |= _by_number(rest, [entry for entry in gone if entry.entry_id not in taken], shared, now)
    return found


def _by_title(
    unknown: Mapping[int, Candidate], gone: Sequence[KnownEntry], *, document_size: int
) -> Iterator[tuple[int, KnownEntry]]:
    titles = Counter(title_key(each.parsed.title) for each in unknown.values())
    by_title: dict[str | None, list[KnownEntry]] = {}
    for entry in gone:
        by_title.setdefault(title_key(entry.title), []).append(entry)
    likely: list[tuple[int, KnownEntry]] = []
    claimed: set[str] = set()
    for place, each in unknown.items():
        key = title_key(each.parsed.title)
        others = [entry for entry in by_title.get(key, ()) if entry.entry_id not in claimed] if key else []
        is_only = len(others) == 1 and titles[key] == 1
        certain = next(
            (one for one in others if _is_same_time(each, one, is_only=is_only) or _is_same_path(each, one)), None
        )
        if certain is None and is_only and _is_set_back(each, others[0]):
            certain = others[0]
        if certain is not None:
            claimed.add(certain.entry_id)
            likely.append((place, certain))
            yield place, certain
        elif is_only and _is_republished(each, others[0]):
            likely.append((place, others[0]))
    if len(likely) >= max(MANY_MOVED, MOVED_SHARE * document_size):
        yield from likely


def _is_same_time(each: Candidate, entry: KnownEntry, *, is_only: bool) -> bool:
    """Both claim the same time; where that may be a day only, with the same text, or as the only one of its title."""
    claimed = each.parsed.published
    if claimed is None or abs(claimed - entry.published) > SAME_TIME:
        return False
    is_hour = claimed.minute == claimed.second == 0
    return not is_hour or is_only or _is_same_text(each, entry)


def _is_same_text(each: Candidate, entry: KnownEntry) -> bool:
    return bool(each.parsed.text) and each.parsed.text_key == entry.text_key


def _is_set_back(each: Candidate, entry: KnownEntry) -> bool:
    """The same text, said to be older (another time zone): the next issue of a column is the later one."""
    claimed = each.parsed.published
    return claimed is not None and claimed < entry.published and _is_same_text(each, entry)


def _is_same_path(each: Candidate, entry: KnownEntry) -> bool:
    """The same path, which tells of one page, on another host."""
    if each.link is None or entry.canonical_url is None:
        return False
    mine, theirs = urlsplit(each.link), urlsplit(entry.canonical_url)
    return (mine.path, mine.query) == (theirs.path, theirs.query) and len(mine.path + mine.query) > 1


def _is_republished(each: Candidate, entry: KnownEntry) -> bool:
    """It has the words of the other one, or is said to be older than the other's appearance here."""
    claimed = each.parsed.published
    return _is_same_text(each, entry) or (claimed is not None and claimed < entry.first_seen)


def _by_number(
    unknown: Mapping[int, Candidate], gone: Sequence[KnownEntry], shared: Collection[str | None], now: datetime
) -> Iterator[tuple[int, KnownEntry]]:
    """By the number in address and guid, where no two entries share it (a live page has it for all its posts)."""
    by_number: dict[str | None, list[KnownEntry]] = {}
    for entry in gone:
        by_number.setdefault(number_key(entry.canonical_url), []).append(entry)
    for place, each in unknown.items():
        key = number_key(each.link)
        others = [] if key is None or key in shared else by_number.get(key, [])
        if key is None or len(others) != 1 or now - others[0].first_seen > REWRITTEN_WITHIN:
            continue
        number = key.partition(" ")[2]
        if all(guid is None or number in guid for guid in (each.parsed.guid, others[0].guid)):
            yield place, others[0]
