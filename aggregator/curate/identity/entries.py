"""The same entry? Within one source, from sure to likely; and which times an entry keeps.

1. The same guid is the same entry.
2. A guid that is new on an address that is known, while the old guid is gone from the document, is the same entry under
   a new name (a migration, or guids that change at every poll). It goes on under its address, so that the next change
   of guid finds it there. When most of a document changes like that a second time, the source's guids are not
   believed any more: `unstable_ids`, for good.
3. Without guid and address: a hash of title and text.

Several entries at one address (a live page, a changelog) are told apart by their titles.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.curate.identity.canonical_url import canonical_url, is_front_page, names_one_story
from aggregator.curate.text import normalise, tokens
from aggregator.model import Entry, KnownEntry, ParsedEntry, utc
from aggregator.model.collecting import IdBasis
from aggregator.model.redact import public_url

__all__ = ["Identified", "entry_keys", "first_times", "identify", "is_partial_document_enough"]

#: how alike two titles at one address must be to be one story edited
_SAME_TITLE = 0.5
#: below this, two titles under one guid at different addresses are two stories
_OTHER_TITLE = 0.2
#: the least number of entries that can tell that a source's guids are unstable
_MIN_CHANGED = 3
#: shorter guids stand in an address by chance
_TELLING_GUID = 5
_UNIQUE = re.compile(r"(?:urn:uuid:)?(?:[0-9a-f]-?){32,64}", re.IGNORECASE)
_LINK, _HASH = "link:", "hash:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A document's entries with their identities, in its order, each once."""

    entries: tuple[Entry, ...]
    #: the source's guids cannot be trusted; sticky
    unstable_ids: bool
    #: stable codes: duplicate-guids, guids-changed, unstable-ids
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keyed:
    """An entry with what it may be known by."""

    parsed: ParsedEntry
    guid: str | None
    link: str | None
    #: the guid stands once in the document
    sole_guid: bool
    #: the address stands once in the document
    sole_link: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    known: KnownEntry
    by_link: bool


def entry_keys(parsed: ParsedEntry) -> tuple[str | None, str | None]:
    """(guid, canonical address) under which an entry may be known; a site's front page is nobody's address."""
    canonical = canonical_url(parsed.link) if parsed.link else None
    return parsed.guid, None if canonical is None or is_front_page(canonical) else canonical


def identify(
    feed_entries: Sequence[ParsedEntry],
    known: Sequence[KnownEntry],
    *,
    source_url: str,
    now: datetime,
    unstable_ids: bool = False,
) -> Identified:
    """Who the entries of a document are, given what the store remembers of their guids and addresses.

    Times (DESIGN 3): a known entry keeps its first time; for those of new ones see `first_times`. `source_url` is the
    feed's: an entry that only links to its feed has no address.
    """
    moment = utc(now)
    keyed = _keyed(feed_entries, {canonical_url(url) for url in {source_url, public_url(source_url)}})
    remembered = _Known(known)
    matches = _matched(keyed, remembered, trust_guids=not unstable_ids)
    unstable = unstable_ids or _changed(keyed, matches, again=True)
    ids = [_identity(each, matches.get(place), remembered.ids, unstable) for place, each in enumerate(keyed)]
    new = [place for place in range(len(keyed)) if place not in matches]
    times = {place: match.known.published for place, match in matches.items()}
    times |= zip(new, first_times([keyed[place].parsed.published for place in new], moment), strict=True)
    entries = [_entry(each, times[place], *ids[place]) for place, each in enumerate(keyed)]
    return Identified(
        entries=tuple({entry.entry_id: entry for entry in reversed(entries)}.values())[::-1],
        unstable_ids=unstable,
        warnings=tuple(_warnings(keyed, matches, unstable)),
    )


def is_partial_document_enough(feed_entries: Sequence[ParsedEntry], known: Sequence[KnownEntry]) -> bool:
    """Whether part of a document is enough to identify it, given that the rest shares none of its guids and addresses.

    It is not where an address is known under another guid: whether that guid is gone, only the whole can tell.
    """
    guids = {parsed.guid for parsed in feed_entries}
    return all(entry.guid is None or entry.guid in guids for entry in known)


def _keyed(feed_entries: Sequence[ParsedEntry], source: Collection[str | None]) -> list[_Keyed]:
    """Entries with their keys; what a document repeats under the same keys counts once, as it stands first."""
    keys: dict[tuple[str | None, ...], ParsedEntry] = {}
    for parsed in feed_entries:
        guid, link = entry_keys(parsed)
        link = None if link in source else link
        apart = (None, None) if guid and link else (parsed.title, None if guid or link else parsed.text)
        keys.setdefault((guid, link, *apart), parsed)
    guids, links = Counter(key[0] for key in keys), Counter(key[1] for key in keys)
    return [
        _Keyed(parsed=parsed, guid=guid, link=link, sole_guid=guids[guid] == 1, sole_link=links[link] == 1)
        for (guid, link, *_), parsed in keys.items()
    ]


class _Known:
    """What the store remembers, by guid and by address."""

    def __init__(self, known: Sequence[KnownEntry]) -> None:
        self.ids = {entry.entry_id for entry in known}
        self._by_guid: defaultdict[str | None, list[KnownEntry]] = defaultdict(list)
        self._by_link: defaultdict[str | None, list[KnownEntry]] = defaultdict(list)
        for entry in known:
            self._by_guid[entry.guid].append(entry)
            self._by_link[entry.canonical_url].append(entry)

    def by_guid(self, each: _Keyed) -> list[KnownEntry]:
        """Entries of this guid that can be this entry, the likeliest first."""
        if each.guid is None:
            return []
        candidates = [entry for entry in self._by_guid[each.guid] if not _is_other_story(each, entry)]
        if not each.sole_guid:
            candidates = [entry for entry in candidates if _same_place(each, entry)]
        return sorted(candidates, key=lambda entry: not _same_place(each, entry))

    def by_link(self, each: _Keyed, present: set[str | None]) -> list[KnownEntry]:
        """Entries at this address that can be this entry, the likeliest first; not those whose guids are `present`."""
        if each.link is None:
            return []
        there = [entry for entry in self._by_link[each.link] if entry.guid is None or entry.guid not in present]
        if not there:
            return []
        title = normalise(each.parsed.title)
        same = [entry for entry in there if normalise(entry.title) == title]
        if same:
            return sorted(same, key=lambda entry: (entry.published != each.parsed.published, entry.first_seen))
        if not each.sole_link or len({normalise(entry.title) for entry in there}) > 1:
            return []
        certain = names_one_story(each.link)
        return [entry for entry in there if certain or _alike(entry.title, each.parsed.title) >= _SAME_TITLE]


def _matched(keyed: Sequence[_Keyed], known: _Known, *, trust_guids: bool) -> dict[int, _Match]:
    """Place in the document → the known entry it is. Guids first, so that no address takes what a guid names."""
    found: dict[int, _Match] = {}
    if not known.ids:  # a source that is new, a document of news alone
        return found
    claimed: set[str] = set()

    def claim(place: int, candidates: Sequence[KnownEntry], *, by_link: bool) -> None:
        best = next((each for each in candidates if each.entry_id not in claimed), None)
        if best is not None:
            claimed.add(best.entry_id)
            found[place] = _Match(known=best, by_link=by_link)

    if trust_guids:
        for place, each in enumerate(keyed):
            claim(place, known.by_guid(each), by_link=False)
    present = {each.guid for each in keyed} if trust_guids else set[str | None]()
    for place, each in enumerate(keyed):
        if place not in found:
            claim(place, known.by_link(each, present), by_link=True)
    return found


def _same_place(each: _Keyed, entry: KnownEntry) -> bool:
    if each.link is not None or entry.canonical_url is not None:
        return each.link == entry.canonical_url
    return normalise(each.parsed.title) == normalise(entry.title)


def _is_other_story(each: _Keyed, entry: KnownEntry) -> bool:
    """A guid used again: another address and another title (HOSTILE X17)."""
    if each.link is None or entry.canonical_url is None or each.link == entry.canonical_url:
        return False
    if each.guid is not None and _UNIQUE.fullmatch(each.guid):
        return False  # a hash or a UUID is nobody's by chance
    if _holds(each.link, each.guid) and _holds(entry.canonical_url, each.guid):
        return False  # a live report: headline and address change, the id in the address stays
    return _alike(each.parsed.title, entry.title) < _OTHER_TITLE


def _holds(link: str, guid: str | None) -> bool:
    return guid is not None and len(guid) >= _TELLING_GUID and guid in link


def _alike(one: str, other: str) -> float:
    """Jaccard of the words of two titles."""
    words, others = set(tokens(one)), set(tokens(other))
    return len(words & others) / len(words | others) if words and others else 0.0


def _entry(each: _Keyed, published: datetime, entry_id: str, replaces: str | None) -> Entry:
    return Entry(
        entry_id=entry_id,
        id_basis=_basis(entry_id),
        parsed=each.parsed,
        canonical_url=each.link,
        published=published,
        replaces=replaces,
        outlinks=_outlinks(each),
    )


def _identity(each: _Keyed, match: _Match | None, taken: set[str], unstable: bool) -> tuple[str, str | None]:
    """The entry's id, and the id it had before if that changes."""
    if match is None:
        return _new_id(each, taken, unstable), None
    former = match.known.entry_id
    renamed = match.by_link and each.guid is not None and match.known.guid is not None and each.guid != match.known.guid
    if not renamed or _basis(former) != "guid":
        return former, None
    return _place_id(each, taken), former


def _new_id(each: _Keyed, taken: set[str], unstable: bool) -> str:
    if each.guid is None or unstable:
        return _place_id(each, taken)
    # a guid that stands twice, or that named another story before, names nothing alone
    if each.sole_guid and each.guid not in taken:
        return each.guid
    return f"{each.guid} {_digest(each.link or '', each.parsed.title)[:16]}"


def _place_id(each: _Keyed, taken: set[str]) -> str:
    """The identity that needs no guid: the address; with the title where others stand there; else title and text."""
    if each.link is None:
        return _HASH + _digest(each.parsed.title, each.parsed.text)
    if each.sole_link and names_one_story(each.link) and _LINK + each.link not in taken:
        return _LINK + each.link
    return _HASH + _digest(each.link, normalise(each.parsed.title))


def _basis(entry_id: str) -> IdBasis:
    if entry_id.startswith(_LINK):
        return "link"
    return "hash" if entry_id.startswith(_HASH) else "guid"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:40]


def _outlinks(each: _Keyed) -> tuple[str, ...]:
    if not each.parsed.outlinks:
        return ()
    targets = (canonical_url(link) for link in each.parsed.outlinks)
    return tuple(dict.fromkeys(target for target in targets if target and target != each.link))


def _changed(keyed: Sequence[_Keyed], matches: dict[int, _Match], *, again: bool) -> bool:
    """Whether most of the document stands under new guids; `again`: for entries that had changed theirs before."""
    changed = [
        match
        for place, match in matches.items()
        if match.by_link
        and match.known.guid not in {None, keyed[place].guid}
        and keyed[place].guid is not None
        and (not again or _basis(match.known.entry_id) != "guid")
    ]
    return len(changed) >= max(_MIN_CHANGED, len(keyed) / 2)


def _warnings(keyed: Sequence[_Keyed], matches: dict[int, _Match], unstable: bool) -> list[str]:
    told = []
    if any(each.guid is not None and not each.sole_guid for each in keyed):
        told.append("duplicate-guids")
    if unstable:
        told.append("unstable-ids")
    elif _changed(keyed, matches, again=False):
        told.append("guids-changed")
    return told


_APART = timedelta(milliseconds=1)


def first_times(claimed: Sequence[datetime | None], now: datetime) -> list[datetime]:
    """The times of a document's new entries, in its order: as claimed, never later than `now`; `now` without a claim.

    One document in eight has no dates, and some have one for all of it. Documents have their newest first, so of
    several entries at one moment the first is the newest, by a millisecond each, which no reader sees.
    """
    times = [min(claim or now, now) for claim in claimed]
    if len(set(times)) == len(times):
        return times
    together = Counter(times)
    behind: Counter[datetime] = Counter()
    spaced = []
    for moment in times:
        newest = min(moment + (together[moment] - 1) * _APART, now)
        spaced.append(newest - behind[moment] * _APART)
        behind[moment] += 1
    return spaced
