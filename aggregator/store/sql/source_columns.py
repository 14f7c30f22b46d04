"""What a poll says of its source: which columns it changes, and whether readers see that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aggregator.model import PollResult
from aggregator.store.sql import codec

#: why a source is polled no more: its address leads for good to a feed that another source is polled from
SAME_FEED = "same-feed"
_GOOD: Mapping[str, object] = {
    "error_count": 0,
    "error_since": None,
    "error_code": None,
    "error_message": None,
    "error_permanent": None,
    "gone_since": None,
}
_UNMOVED: Mapping[str, object] = {"moved_to": None, "moved_since": None, "moved_count": 0}


class SourceRow(NamedTuple):
    """What is stored of a source that a poll looks at, by the names of its columns."""

    id: int
    url: str
    host: str
    fetch_url: str
    lease_token: int | None
    last_poll: int | None
    title: str
    home: str | None
    unstable_ids: bool
    error_count: int
    error_since: int | None
    gone: bool
    gone_since: int | None
    moved_to: str | None
    moved_count: int


def changes(source: SourceRow, result: PollResult, *, same_feed: str | None) -> dict[str, object]:
    """The outcome of a poll and when the next one is, as columns of the source.

    What a result does not say is kept: validators, posting rate and feed title outlive errors. `same_feed`: the name of
    another source that is polled from the address which this one is about to take over.
    """
    if result.outcome == "deferred":
        return {"lease_token": None, "due_at": codec.to_ms(result.next_poll)}
    polled = codec.to_ms(result.polled_at)
    is_good = result.outcome not in {"error", "gone"}
    values: dict[str, object] = {
        "lease_token": None,
        "due_at": codec.to_ms(result.next_poll),
        "last_poll": polled,
        "http_status": result.status,
        "size_bytes": result.size_bytes,
        "duration_ms": codec.span_ms(result.duration),
        "unstable_ids": bool(source.unstable_ids) or result.unstable_ids,
        "gone": result.outcome == "gone",
    }
    if result.outcome in {"new", "error"}:
        values["warnings"] = codec.pack_or_none(result.warnings)
    _put_learnt(values, source, result)
    values |= _moved(source, result, polled)
    values |= {"last_success": polled, **_GOOD} if is_good else _failed(source, result, polled)
    if same_feed is not None:
        values |= _merged(source, result, same_feed)
    return values


def is_seen(source: SourceRow, values: Mapping[str, object]) -> bool:
    """Whether readers see these changes: a name, a state."""
    return "gone" in values and (
        values["gone"] != source.gone
        or bool(values["error_count"]) != bool(source.error_count)
        or source.last_poll is None
        or values.get("title", source.title) != source.title
        or values.get("home", source.home) != source.home
    )


def _put_learnt(values: dict[str, object], source: SourceRow, result: PollResult) -> None:
    if result.validators is not None:
        values["etag"], values["last_modified"] = result.validators.etag, result.validators.last_modified
    if result.body_hash is not None:
        values["body_hash"] = result.body_hash
    if result.conditional is not None:
        values["conditional"] = codec.pack_conditional(result.conditional)
    if result.posting_rate is not None:
        values["posting_rate"] = codec.pack_posting_rate(result.posting_rate)
    if result.info is not None:
        values |= {"home": result.info.link, "info": codec.pack_info(result.info)}
        if result.info.title != source.title:  # a statement that names it looks for a new name in each of its rows
            values["title"] = result.info.title


def _moved(source: SourceRow, result: PollResult, polled: int) -> Mapping[str, object]:
    """A permanent redirect counts only while it is seen in a row; a failed poll saw nothing.

    One that led to another feed when it was first seen, sharing nothing with what was held, never counts: from the
    second poll on that feed's entries are held as well, and would look like our own.
    """
    if result.moved_to is None:
        return {} if result.outcome == "error" else _UNMOVED
    if result.adopt_url:
        return {"fetch_url": result.moved_to, **_UNMOVED}
    if result.moved_to == source.moved_to:
        return {"moved_count": source.moved_count + 1} if source.moved_count else {}
    is_ours = result.posting_rate is None or result.posting_rate.overlapped
    return {"moved_to": result.moved_to, "moved_since": polled, "moved_count": int(is_ours)}


def _merged(source: SourceRow, result: PollResult, other: str) -> dict[str, object]:
    """Two addresses, one feed (FRB137): it is asked for once. What this source has brought stays."""
    return {
        "gone": True,
        "fetch_url": source.fetch_url,
        "moved_to": result.moved_to,
        "error_code": SAME_FEED,
        "error_message": f"Its address leads to the feed of {other} for good; one of the two can be removed",
        "error_permanent": True,
    }


def _failed(source: SourceRow, result: PollResult, polled: int) -> dict[str, object]:
    counts = int(result.counts_as_error)
    values: dict[str, object] = {"error_count": source.error_count + counts}
    if result.error is not None:
        values |= {
            "error_code": result.error.code,
            "error_message": result.error.message,
            "error_permanent": result.error.permanent,
        }
    if source.error_since is None and counts:
        values["error_since"] = polled
    if result.status == 410 and source.gone_since is None:
        values["gone_since"] = polled
    return values
