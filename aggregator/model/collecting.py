"""Values on the way in: from config.toml and the web into the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from aggregator.model.documents import FeedInfo, ParsedEntry
from aggregator.model.redact import public_url

Role = Literal["source", "signal"]
IdBasis = Literal["guid", "link", "hash"]
#: new: entries to store · same: the body is the one we had · not-modified: 304 · error: nothing usable · gone: a
#: confirmed 410 · deferred: not asked, its publisher wants it later; only `next_poll` counts
Outcome = Literal["new", "same", "not-modified", "error", "gone", "deferred"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One ``[[sources]]`` table of config.toml."""

    url: str
    section: str = "News"
    #: further sections in which its items stand
    more_sections: tuple[str, ...] = ()
    #: None: the feed's own title is used
    name: str | None = None
    #: a fixed interval instead of the adaptive one
    interval: timedelta | None = None
    weight: float = 1.0
    enabled: bool = True
    #: its content is shown as a whole, not the summary
    full_text: bool = False
    #: signal: its links count as votes, its items are not shown
    role: Role = "source"
    #: its items stand in the Latest of the site, not only in that of its section
    in_latest: bool = True

    @property
    def sections(self) -> tuple[str, ...]:
        """All sections in which its items stand, the first one first."""
        return (self.section, *self.more_sections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What the server wants back in a conditional request, byte for byte: one atomic pair (FRB014).

    Latin-1, so that each character is a byte.
    """

    etag: str | None = None
    last_modified: str | None = None
    #: scheme, host and port of the server that gave them: they are sent to no other; None: that of the address asked
    origin: str | None = field(default=None, compare=False)

    @property
    def is_usable(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.etag or self.last_modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long the stored answer stays fresh by its own word (RFC 9111 4.2); None: it does not say."""

    #: of Cache-Control, which goes before Expires
    max_age: timedelta | None = None
    expires_in: timedelta | None = None

    def remaining(self, age: timedelta = timedelta(0)) -> timedelta | None:
        """How long an answer of this `age` stays fresh: max-age - Age, else Expires - Date (RFC 9111 4.2).

        None: it does not say. Uncapped; the local clock plays no part.
        """
        if self.max_age is not None:
            return self.max_age - age if self.max_age > age else None
        return self.expires_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRate:
    """What is known of how a source posts; kept by `collect.cadence`, stored without being understood."""

    #: items, each decayed by its age at `as_of`; and the same with half-lives of hours
    weight: float = 0.0
    recent: float = 0.0
    today: float = 0.0
    as_of: datetime | None = None
    #: since when the source has been observed (the oldest date of its first document counts)
    since: datetime | None = None
    #: 24 decayed item counts by hour of the day, UTC: of weekdays, of weekends
    hours: tuple[float, ...] = (0.0,) * 24
    weekend_hours: tuple[float, ...] = (0.0,) * 24
    last_item_at: datetime | None = None
    #: entries in the last document, and whether it shared any with the one before it
    window_entries: int = 0
    overlapped: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalState:
    """How a server answers and what it asked for; kept by `collect.decision`, stored without being understood."""

    #: when a body last came; None: not known
    last_body_at: datetime | None = None
    #: bodies in a row that were the one we had, in answer to conditional requests
    same_bodies: int = 0
    #: it answers 304 to If-Modified-Since, but not when If-None-Match stands beside it
    dates_only: bool = False
    #: when a whole answer was last asked for, to see whether its 304s are true
    full_check_at: datetime | None = None
    #: when it last asked for more patience than others: 429, or a freshness beyond a day
    throttled_at: datetime | None = None
    #: a 304 that says nothing about it leaves it as it is (RFC 9111 4.3.4)
    freshness: Freshness = Freshness()
    #: which server gave the stored validators (`Validators.origin`)
    validators_origin: str | None = None
    #: how long the last good poll put off the next one, by rate and hints together: failures are never quicker
    good_interval: timedelta | None = None
    #: validators were answered with 412 or 431: 1 just now, 2 once and accepted since, 3 again: not sent any more
    refusals: int = 0
    #: until when its server has asked not to be asked at all: Retry-After whatever the status, or 429 and 503 without
    silent_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One subscribed feed, as the store hands it out to be polled."""

    id: int
    #: permanent and unique, of ``[a-z0-9-]``; addresses are built from it
    slug: str
    subscription: Subscription
    #: where it is fetched from: the subscription's URL, or where permanent redirects have led
    fetch_url: str
    #: the feed's own title; "" before the first good poll
    title: str = ""
    #: what the last good document said about the feed: its hints hold through 304s as well
    info: FeedInfo = field(default_factory=FeedInfo)
    validators: Validators = field(default_factory=Validators)
    conditional: ConditionalState = field(default_factory=ConditionalState)
    #: SHA-256 of the last body that was parsed
    body_hash: bytes | None = None
    posting_rate: PostingRate = field(default_factory=PostingRate)
    #: consecutive failures, and since when
    error_count: int = 0
    error_since: datetime | None = None
    last_poll: datetime | None = None
    last_success: datetime | None = None
    #: a permanent redirect that has been seen, when first, and how often in a row
    moved_to: str | None = None
    moved_since: datetime | None = None
    moved_count: int = 0
    #: sticky: its guids cannot be trusted, identity goes by link and title
    unstable_ids: bool = False
    #: when a first 410 was seen
    gone_since: datetime | None = None

    @property
    def name(self) -> str:
        """What people call it: the configured name, else the feed's title, else its address without secrets."""
        return self.subscription.name or self.title or public_url(self.subscription.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to poll one host until `until`; at most ``per_host`` of its due sources, oldest due first."""

    host: str
    #: raised with every claim: work completed under an older token changes nothing
    token: int
    until: datetime
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEntry:
    """What the store remembers of an entry, content or tombstone: enough to decide whether another is the same."""

    entry_id: str
    guid: str | None
    canonical_url: str | None
    title: str
    #: stands for title and text (`ParsedEntry.text_key`); None: not known
    text_key: bytes | None
    first_seen: datetime
    published: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say of an entry."""

    #: the rule that dropped it, in words; None: kept
    dropped: str | None = None
    boost: float = 1.0
    #: pinned for this long after it was first seen
    pin: timedelta | None = None
    section: str | None = None


#: of an entry that no rule is about
UNTOUCHED = Verdict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing as one source published it, with its identity."""

    #: identity within the source: the guid, else the canonical link, else a hash
    entry_id: str
    id_basis: IdBasis
    parsed: ParsedEntry
    #: the address that is compared across sources; None: no link
    canonical_url: str | None
    #: clamped by the time policy; never later than when it was first seen
    published: datetime
    #: the stored entry that this one is, under its former id (guid migration)
    replaces: str | None = None
    #: the targets of its links in the form that is compared across sources (canonical), each once
    outlinks: tuple[str, ...] = ()
    verdict: Verdict = UNTOUCHED
    #: it is stored and may have the text of its article: a shorter content does not replace what is stored
    keeps_content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollError:
    """Why a poll failed, as status pages show it."""

    #: stable: timeout-total, dns-failure, http-404, not-a-feed …
    code: str
    message: str
    permanent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """All that one poll changes; the store commits it whole or not at all."""

    source_id: int
    outcome: Outcome
    polled_at: datetime
    #: with its jitter; persisted, so that no restart polls early
    next_poll: datetime
    entries: tuple[Entry, ...] = ()
    #: None: keep what is stored
    info: FeedInfo | None = None
    #: None: keep the stored pair; else both are replaced, the absent one cleared
    validators: Validators | None = None
    body_hash: bytes | None = None
    conditional: ConditionalState | None = None
    posting_rate: PostingRate | None = None
    error: PollError | None = None
    #: False: the fault is on our side (no network); the source's error count stays as it is
    counts_as_error: bool = True
    #: the document was partial: insert new entries, update none
    insert_only: bool = False
    warnings: tuple[str, ...] = ()
    unstable_ids: bool = False
    #: a host asked for silence (429, a bot wall): nothing of it is polled before
    park_host_until: datetime | None = None
    #: an address of that host, which a redirect may have led to; None: the host of the lease
    parked_url: str | None = None
    #: a chain of permanent redirects was followed to this address
    moved_to: str | None = None
    #: the address is taken over for good
    adopt_url: bool = False
    status: int | None = None
    size_bytes: int = 0
    duration: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFailure:
    """A failure that was counted against a source before the outage behind it was understood.

    To take it back: set the source's `error_count` and `error_since` to these, and poll it again soon, provided it has
    not been polled since `failed_at`.
    """

    source_id: int
    failed_at: datetime
    #: as they were before this failure
    error_count: int
    error_since: datetime | None
