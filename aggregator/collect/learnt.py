"""What an answer tells besides its entries: hints, validators, the rhythm of the source, warnings. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aggregator.collect import cadence
from aggregator.collect.cadence import Hints
from aggregator.collect.fetch import NotModified, Response
from aggregator.model import Entry, FeedInfo, KnownEntry, ParsedFeed, Rhythm, Source, Validators

__all__ = ["held", "hints", "observed", "warnings"]

#: of fewer, a document that holds one is no sign of anything
_MANY = 10


def hints(info: FeedInfo, answer: Response | NotModified) -> Hints:
    """What the publisher asks for, in the last good document and in this answer."""
    conditional = bool(answer.validators.etag or answer.validators.last_modified)
    return cadence.hints_of(info, fresh_for=answer.fresh_for, has_validators=conditional)


def held(source: Source, answer: Response | NotModified) -> Validators:
    """The pair to hold from now on. A 304 and a delta bring what has changed of it, a body brings both or clears."""
    brought = answer.validators
    if isinstance(answer, Response) and not answer.delta:
        return brought
    before = source.validators
    return Validators(
        etag=brought.etag or before.etag,
        last_modified=brought.last_modified or before.last_modified,
    )


def observed(
    source: Source, entries: Sequence[Entry], known: Sequence[KnownEntry], now: datetime, *, unchanged: int, delta: bool
) -> Rhythm:
    """The rhythm with what this document adds. A first document overlaps with nothing and has lost nothing.

    A delta holds new entries only, and says nothing of how long the document is.
    """
    stored = {entry.entry_id for entry in known}
    new = [entry for entry in entries if entry.entry_id not in stored and entry.replaces is None]
    overlapped = unchanged > 0 or len(new) < len(entries) or not entries or source.last_success is None
    return cadence.observe(
        source.rhythm,
        published=[entry.parsed.published for entry in new],
        now=now,
        previous_poll=source.last_success,
        window_entries=source.rhythm.window_entries if delta else len(entries) + unchanged,
        overlapped=source.rhythm.overlapped if delta else overlapped,
    )


def warnings(source: Source, answer: Response, feed: ParsedFeed, found: Sequence[str]) -> tuple[str, ...]:
    """What somebody who looks after the source should know of this answer, each once."""
    shrunk = ("shrunk",) if _is_shrunk(source, answer, feed) else ()
    cut = ("truncated",) if answer.truncated or feed.truncated else ()
    moved = ("moved-permanently",) if answer.permanent_target else ("redirected",) if answer.hops else ()
    return tuple(dict.fromkeys((*feed.warnings, *found, *cut, *shrunk, *moved)))


def _is_shrunk(source: Source, answer: Response, feed: ParsedFeed) -> bool:
    """Whether a whole document has suddenly lost nine tenths of its entries, or all; nothing that is held goes."""
    before, entries = source.rhythm.window_entries, len(feed.entries) + feed.unchanged
    is_whole = not (answer.delta or answer.truncated or feed.truncated)
    return is_whole and before >= _MANY and entries * 10 <= before
