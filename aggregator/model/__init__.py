"""The values that travel between the rooms: frozen, keyword-only, without behaviour of their own.

Four families, by where they travel:

- `documents`: what the web sent and the parser made of it (Document, ParsedFeed, ParsedEntry …)
- `collecting`: from config.toml and the web into the store (Subscription, Source, Lease, Entry, PollResult …)
- `curating`: between the store and the pure functions that decide (ItemText, Curation, Candidate, ItemList …)
- `reading`: from the store to feeds, pages and commands (Item, SourceHealth …)
- `pushing`: who is told of changes at once (HubSubscriber), and who tells us (Push)

All datetimes are aware and UTC; a naive one is refused where it enters (`utc`). Ids of items and stories are
opaque strings of ``[0-9a-z]`` that never change and are never reused.
"""

from __future__ import annotations

from aggregator.model.collecting import (
    Entry,
    KnownEntry,
    Lease,
    Outcome,
    PollError,
    PollResult,
    Revalidation,
    Rhythm,
    Source,
    Subscription,
    Validators,
    Verdict,
)
from aggregator.model.curating import (
    Candidate,
    Curation,
    Doubt,
    ItemList,
    ItemText,
    Listed,
    ListKey,
    Mark,
    Merge,
    Movement,
    OwnFeed,
    Population,
    RelatedPair,
    Split,
    StoryJoin,
    StoryMerge,
)
from aggregator.model.documents import UNCOUNTED, Document, Enclosure, FeedInfo, ParsedEntry, ParsedFeed, Upstream
from aggregator.model.pushing import HubSubscriber, Push
from aggregator.model.reading import (
    Copy,
    Item,
    Provenance,
    Reader,
    Scope,
    SourceHealth,
    SourceRef,
    StoreStats,
    Undone,
    View,
)
from aggregator.model.time import duration, duration_text, utc

__all__ = [
    "UNCOUNTED",
    "Candidate",
    "Copy",
    "Curation",
    "Document",
    "Doubt",
    "Enclosure",
    "Entry",
    "FeedInfo",
    "HubSubscriber",
    "Item",
    "ItemList",
    "ItemText",
    "KnownEntry",
    "Lease",
    "ListKey",
    "Listed",
    "Mark",
    "Merge",
    "Movement",
    "Outcome",
    "OwnFeed",
    "ParsedEntry",
    "ParsedFeed",
    "PollError",
    "PollResult",
    "Population",
    "Provenance",
    "Push",
    "Reader",
    "RelatedPair",
    "Revalidation",
    "Rhythm",
    "Scope",
    "Source",
    "SourceHealth",
    "SourceRef",
    "Split",
    "StoreStats",
    "StoryJoin",
    "StoryMerge",
    "Subscription",
    "Undone",
    "Upstream",
    "Validators",
    "Verdict",
    "View",
    "duration",
    "duration_text",
    "utc",
]
