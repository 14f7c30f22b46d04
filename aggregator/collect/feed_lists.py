"""Lists of feeds on the web (OPML) that are followed as they are: what stood in them last, and when they are due.

    load(folder, url) → FeedList                 what is kept of a list; empty before its first request
    refresh(kept, …)  → FeedList                 asks for it, under the rules of `decision` like any feed
    save(folder, kept)                           one file a list, replaced atomically

A list that fails, is cut or is suddenly empty changes nothing: its feeds stay until it names others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aggregator.collect import decision
from aggregator.collect.cadence import Policy
from aggregator.collect.fetch import NotModified, SupportsGet
from aggregator.errors import CollectError, FetchError, ParseError
from aggregator.model import ConditionalState, Freshness, PollResult, Source, Subscription, Validators

__all__ = ["FeedList", "ListedFeed", "load", "refresh", "save"]

#: how often a list is asked for; what its server says makes it rarer
_EVERY = timedelta(hours=6)
_MAX_FEEDS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFeed:
    """One feed of a list."""

    url: str
    title: str = ""
    #: the folder it stands in; "" for none
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedList:
    """What is kept of a list. Times are UTC."""

    url: str
    feeds: tuple[ListedFeed, ...] = ()
    #: when it was last read whole, and when it is asked for next; None: not yet, and now
    fetched_at: datetime | None = None
    next_fetch: datetime | None = None
    #: why the last request failed; None: it did not
    error: str | None = None
    error_count: int = 0
    error_since: datetime | None = None
    gone_since: datetime | None = None
    body_hash: str = ""
    etag: str | None = None
    last_modified: str | None = None
    validators_origin: str | None = None
    max_age_s: float | None = None
    expires_in_s: float | None = None
    good_interval_s: float | None = None
    refusals: int = 0

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be asked for."""
        return self.next_fetch is None or self.next_fetch <= now


async def refresh(
    kept: FeedList, fetcher: SupportsGet, read: Callable[[bytes], Sequence[ListedFeed]], *, now: datetime, jitter: float
) -> FeedList:
    """The list after a request for it. `read` takes an OPML document apart and raises ParseError."""
    source = _as_source(kept)
    sent = decision.validators_to_send(source, now=now)
    poll = decision.Poll(source=source, sent=sent, now=now, policy=Policy(), jitter=jitter)
    try:
        answer = await fetcher.get(kept.url, validators=sent)
        if isinstance(answer, NotModified):
            return _after(kept, decision.not_new(poll, answer))
        if answer.truncated:
            raise FetchError("truncated", "the list broke off")
        feeds = tuple(read(answer.body))[:_MAX_FEEDS]
        if not feeds:
            raise ParseError("empty-list", "the list names no feed")
    except CollectError as error:
        failed = decision.failure(poll, error, our_fault=False)
        return replace(
            _after(kept, failed),
            error=str(error),
            error_count=kept.error_count + 1,
            error_since=kept.error_since or now,
            gone_since=(kept.gone_since or now) if error.status == 410 else kept.gone_since,
        )
    return replace(_after(kept, decision.not_new(poll, answer)), feeds=feeds, fetched_at=now)


def load(folder: Path, url: str) -> FeedList:
    """What is kept of the list at `url`; an empty one where nothing is, or nothing that can be read."""
    try:
        known = json.loads(_path(folder, url).read_text(encoding="utf-8"))
        feeds = tuple(ListedFeed(**feed) for feed in known.pop("feeds"))
        known |= {name: _time(known[name]) for name in _TIMES}
        return FeedList(feeds=feeds, **known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return FeedList(url=url)


def save(folder: Path, kept: FeedList) -> None:
    """Keeps it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(folder, kept.url)
    temporary = path.with_suffix(".tmp")
    known = asdict(kept) | {name: _text(getattr(kept, name)) for name in _TIMES}
    temporary.write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)


_TIMES = tuple(field.name for field in fields(FeedList) if field.type == "datetime | None")


def _path(folder: Path, url: str) -> Path:
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _as_source(kept: FeedList) -> Source:
    """The list as a source that is polled at a fixed interval."""
    return Source(
        id=0,
        slug="list",
        subscription=Subscription(url=kept.url, interval=_EVERY),
        fetch_url=kept.url,
        validators=Validators(etag=kept.etag, last_modified=kept.last_modified),
        conditional=ConditionalState(
            freshness=Freshness(max_age=_span(kept.max_age_s), expires_in=_span(kept.expires_in_s)),
            validators_origin=kept.validators_origin,
            good_interval=_span(kept.good_interval_s),
            refusals=kept.refusals,
        ),
        error_count=kept.error_count,
        error_since=kept.error_since,
        gone_since=kept.gone_since,
    )


def _after(kept: FeedList, result: PollResult) -> FeedList:
    """What a result changes, errors apart."""
    values: dict[str, Any] = {"next_fetch": result.next_poll}
    if result.validators is not None:
        values |= {"etag": result.validators.etag, "last_modified": result.validators.last_modified}
    if (state := result.conditional) is not None:
        values |= {
            "validators_origin": state.validators_origin,
            "max_age_s": _seconds(state.freshness.max_age),
            "expires_in_s": _seconds(state.freshness.expires_in),
            "good_interval_s": _seconds(state.good_interval),
            "refusals": state.refusals,
        }
    return replace(kept, **values, error=None, error_count=0, error_since=None, gone_since=None)


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
