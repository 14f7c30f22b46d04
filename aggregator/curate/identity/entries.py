"""The same entry? Within one source, from sure to likely; and which times an entry keeps.

1. A guid that stands once in its document is believed: the same guid is the same entry, whatever else has changed. Two
   exceptions: what says nothing ("N/A") is no guid, and a page of releases whose title names another version and whose
   time is a later one is the next release.
2. A guid that is new on an address that is known, while the old guid is gone from the document, is the same entry under
   a new name (a migration, or guids that change at every poll). It goes on under its address, so that the next change
   of guid finds it there. When most of a document changes like that a second time, the source's guids are not
   believed any more: `unstable_ids`, for good.
3. Guid and address that have both changed: see `moves`.
4. Without guid and address: a hash of title and text.

Several entries under one guid and address (a live page, a changelog) are told apart by their titles, then their texts.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.curate.identity.canonical_url import canonical_url
from aggregator.curate.identity.issues import is_next_issue
from aggregator.curate.identity.moves import Candidate, moved_entries
from aggregator.curate.identity.pages import is_front_page, names_one_story
from aggregator.curate.text import normalise, tokens
from aggregator.model import Entry, KnownEntry, ParsedEntry, utc
from aggregator.model.collecting import IdBasis
from aggregator.model.redact import public_url

__all__ = [
    "Identified",
    "entry_keys",
    "first_times",
    "identify",
    "is_partial_document_enough",
    "unknown_entries",
]

#: how alike two titles at one address must be to be one story edited
_SAME_TITLE = 0.5
#: and of one that is left where several stood under one guid and address
_RELATED_TITLE = 0.2
#: the least number of entries that can tell that a source's guids are unstable
_MIN_CHANGED = 3
#: what publishing systems write where a guid is missing
_NO_GUID = frozenset({"n/a", "na", "none", "null", "nil", "undefined", "unknown", "nan", "guid", "id", "-", "#", "tbd"})
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
    #: guid and address stand once together, and with this title
    sole_place: bool
    sole_title: bool

    @property
    def title(self) -> str:
        """As titles are compared."""
        return normalise(self.parsed.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    known: KnownEntry
    by_link: bool
    #: guid and address are new, both
    moved: bool = False


def entry_keys(parsed: ParsedEntry) -> tuple[str | None, str | None]:
    """(guid, canonical address) under which an entry may be known; a site's front page is nobody's address."""
    canonical = canonical_url(parsed.link) if parsed.link else None
    guid = None if parsed.guid is None or parsed.guid.strip().lower() in _NO_GUID else parsed.guid
    return guid, None if canonical is None or is_front_page(canonical) else canonical


def unknown_entries(feed_entries: Sequence[ParsedEntry], known: Sequence[KnownEntry]) -> list[ParsedEntry]:
    """The entries of which neither guid nor address is among `known`: they may be others that have moved."""
    guids, links = {entry.guid for entry in known}, {entry.canonical_url for entry in known}
    keyed = ((parsed, *entry_keys(parsed)) for parsed in feed_entries)
    return [
        parsed
        for parsed, guid, link in keyed
        if (guid is None or guid not in guids) and (link is None or link not in links)
    ]


def identify(
    feed_entries: Sequence[ParsedEntry],
    known: Sequence[KnownEntry],
    *,
    source_url: str,
    now: datetime,
    unstable_ids: bool = False,
    is_whole: bool = True,
) -> Identified:
    """Who the entries of a document are, given what the store remembers of their guids, addresses and titles.

    Times (DESIGN 3): a known entry keeps its first time; for those of new ones see `first_times`. `source_url` is the
    feed's: an entry that only links to its feed has no address. `is_whole`: what is not among the entries is gone from
    the document; not so in a delta or a cut one.
    """
    moment = utc(now)
    keyed = _keyed(feed_entries, {canonical_url(url) for url in {source_url, public_url(source_url)}})
    remembered = _Known(known)
    matches = _matched(keyed, remembered, trust_guids=not unstable_ids)
    unstable = unstable_ids or _changed(keyed, matches, again=True)
    if is_whole and len(matches) < len(keyed) and known:
        matches |= _moved(keyed, known, matches, moment)
    ids = _identities(keyed, matches, remembered.ids, unstable)
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

    It is not where an entry is known under another guid or address: whether those are gone, only the whole can tell.
    """
    keys = [entry_keys(parsed) for parsed in feed_entries]
    guids, links = {guid for guid, _ in keys}, {link for _, link in keys}
    return all(entry.guid in guids if entry.guid is not None else entry.canonical_url in links for entry in known)


def _keyed(feed_entries: Sequence[ParsedEntry], source: Collection[str | None]) -> list[_Keyed]:
    """Entries with their keys; what a document repeats under the same keys counts once, as it stands first."""
    keys: dict[tuple[str | None, ...], ParsedEntry] = {}
    for parsed in feed_entries:
        guid, link = entry_keys(parsed)
        keys.setdefault((guid, None if link in source else link, normalise(parsed.title), parsed.text), parsed)
    guids, links = Counter(key[0] for key in keys), Counter(key[1] for key in keys)
    places, titles = Counter(key[:2] for key in keys), Counter(key[:3] for key in keys)
    return [
        _Keyed(
            parsed=parsed,
            guid=key[0],
            link=key[1],
            sole_guid=guids[key[0]] == 1,
            sole_link=links[key[1]] == 1,
            sole_place=places[key[:2]] == 1,
            sole_title=titles[key[:3]] == 1,
        )
        for key, parsed in keys.items()
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
        candidates = [entry for entry in self._by_guid[each.guid] if not is_next_issue(each.parsed, entry)]
        if len(candidates) > 1 or not each.sole_guid:  # the guid names nothing alone
            candidates = [entry for entry in candidates if _same_place(each, entry)]
            if len(candidates) > 1 or not each.sole_place:
                told_apart = _told_apart(each, candidates)
                return told_apart if told_apart or not each.sole_guid else _alike_first(each, candidates)
        return candidates

    def by_link(self, each: _Keyed, present: set[str | None]) -> list[KnownEntry]:
        """Entries at this address that can be this entry, the likeliest first; not those whose guids are `present`."""
        if each.link is None:
            return []
        there = [
            entry
            for entry in self._by_link[each.link]
            if (entry.guid is None or entry.guid not in present) and not is_next_issue(each.parsed, entry)
        ]
        if not each.sole_link or len({normalise(entry.title) for entry in there}) > 1:
            return _told_apart(each, there)
        certain = names_one_story(each.link)
        return [
            entry
            for entry in _likeliest_first(each, there)
            if certain or each.title == normalise(entry.title) or _alike(entry.title, each.parsed.title) >= _SAME_TITLE
        ]


def _told_apart(each: _Keyed, candidates: Sequence[KnownEntry]) -> list[KnownEntry]:
    """Those of several entries at one place that can be this one: by title, then by text, else by an equal time.

    Where several have the title, another text is another entry.
    """
    same = [entry for entry in candidates if normalise(entry.title) == each.title]
    if same:
        exact = [entry for entry in same if entry.text_key == each.parsed.text_key]
        return exact or (same if len(same) == 1 and each.sole_title else [])
    at_its_time = [entry for entry in candidates if entry.published == each.parsed.published]
    if len(at_its_time) == 1 and _alike(at_its_time[0].title, each.parsed.title) >= _SAME_TITLE:
        return at_its_time
    return []


def _alike_first(each: _Keyed, candidates: Sequence[KnownEntry]) -> list[KnownEntry]:
    """Those whose titles tell of the same: a live page that had several entries has one under a new headline."""
    alike = [(_alike(entry.title, each.parsed.title), entry) for entry in candidates]
    return [entry for score, entry in sorted(alike, key=lambda one: -one[0]) if score >= _RELATED_TITLE]


def _likeliest_first(each: _Keyed, candidates: Sequence[KnownEntry]) -> list[KnownEntry]:
    def unlikeness(entry: KnownEntry) -> tuple[bool, bool, bool, datetime]:
        return (
            normalise(entry.title) != each.title,
            entry.text_key != each.parsed.text_key,
            entry.published != each.parsed.published,
            entry.first_seen,
        )

    return sorted(candidates, key=unlikeness)


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


def _moved(
    keyed: Sequence[_Keyed], known: Sequence[KnownEntry], matches: Mapping[int, _Match], now: datetime
) -> dict[int, _Match]:
    """The entries whose guid and address are both new, and which others they are that are gone."""
    guids, links = {each.guid for each in keyed} - {None}, {each.link for each in keyed} - {None}
    matched = {match.known.entry_id for match in matches.values()}
    gone = [
        entry
        for entry in known
        if entry.entry_id not in matched and entry.guid not in guids and entry.canonical_url not in links
    ]
    if not gone:
        return {}
    unknown = {
        place: Candidate(parsed=each.parsed, link=each.link) for place, each in enumerate(keyed) if place not in matches
    }
    found = moved_entries(unknown, gone, links=[each.link for each in keyed], now=now)
    return {place: _Match(known=entry, by_link=False, moved=True) for place, entry in found.items()}


def _same_place(each: _Keyed, entry: KnownEntry) -> bool:
    if each.link is not None or entry.canonical_url is not None:
        return each.link == entry.canonical_url
    return each.title == normalise(entry.title)


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


def _identities(
    keyed: Sequence[_Keyed], matches: Mapping[int, _Match], known: Collection[str], unstable: bool
) -> list[tuple[str, str | None]]:
    """For each entry its id, and the id it had before if that changes; no two have one id."""
    taken = {*known}
    found = []
    for place, each in enumerate(keyed):
        match = matches.get(place)
        if match is None:
            entry_id, former = _new_id(each, taken, unstable), None
        else:
            entry_id, former = _kept_id(each, match, taken, unstable)
        taken.add(entry_id)
        found.append((entry_id, former))
    return found


def _kept_id(each: _Keyed, match: _Match, taken: Collection[str], unstable: bool) -> tuple[str, str | None]:
    """The id of an entry that is known, and the one it had before."""
    former = match.known.entry_id
    if match.moved:
        return _new_id(each, taken, unstable), former
    renamed = match.by_link and each.guid is not None and match.known.guid is not None and each.guid != match.known.guid
    if not renamed or _basis(former) != "guid":
        return former, None
    return _place_id(each, taken), former


def _new_id(each: _Keyed, taken: Collection[str], unstable: bool) -> str:
    if each.guid is None or unstable:
        return _place_id(each, taken)
    # a guid that stands twice, or that another entry has, names nothing alone
    if each.sole_guid and each.guid not in taken:
        return each.guid
    told_apart = f"{each.guid} {_digest(each.link or '', each.parsed.title)[:16]}"
    if each.sole_title and told_apart not in taken:
        return told_apart
    return f"{each.guid} {_digest(each.link or '', each.parsed.title, each.parsed.text)[:16]}"


def _place_id(each: _Keyed, taken: Collection[str]) -> str:
    """The identity that needs no guid: the address; with title, then text, where others stand there; else both."""
    if each.link is None:
        return _HASH + _digest(each.parsed.title, each.parsed.text)
    if each.sole_link and names_one_story(each.link) and _LINK + each.link not in taken:
        return _LINK + each.link
    told_apart = _HASH + _digest(each.link, each.title)
    if each.sole_title and told_apart not in taken:
        return told_apart
    return _HASH + _digest(each.link, each.title, each.parsed.text)


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
    elif _changed(keyed, matches, again=False) or sum(match.moved for match in matches.values()) >= _MIN_CHANGED:
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
