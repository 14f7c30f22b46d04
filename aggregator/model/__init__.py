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
    ConditionalState,
    CountedFailure,
    Entry,
    Freshness,
    KnownEntry,
    Lease,
    Outcome,
    PollError,
    PollResult,
    PostingRate,
    Source,
    Subscription,
    Validators,
    Verdict,
)
from aggregator.model.curating import (
    Candidate,
    CandidateChanges,
    ChangeCursor,
    Curation,
    Doubt,
    ItemList,
    ItemText,
    Listed,
    ListKey,
    ListScope,
    Merge,
    OwnFeed,
    Population,
    RelatedPair,
    RelatedTier,
    Split,
    StoryJoin,
    StoryMerge,
)
from aggregator.model.documents import (
    UNCOUNTED,
    UNTITLED,
    Document,
    Enclosure,
    FeedInfo,
    ParsedEntry,
    ParsedFeed,
    Upstream,
)
from aggregator.model.fleet import ROLES, AddressSlot, LeftSlot, Process, SharedDocument
from aggregator.model.reading import (
    Activity,
    Copy,
    Digest,
    Item,
    ItemState,
    Notice,
    Provenance,
    Reader,
    RelatedItem,
    Scope,
    SearchCounts,
    SourceHealth,
    SourceRef,
    StoreStats,
    Story,
    Undone,
    View,
)
from aggregator.model.time import duration, duration_text, utc
from aggregator.model.websub import HubSubscriber, Push

__all__ = [
    "ROLES",
    "UNCOUNTED",
    "UNTITLED",
    "Activity",
    "AddressSlot",
    "Candidate",
    "CandidateChanges",
    "ChangeCursor",
    "ConditionalState",
    "Copy",
    "CountedFailure",
    "Curation",
    "Digest",
    "Document",
    "Doubt",
    "Enclosure",
    "Entry",
    "FeedInfo",
    "Freshness",
    "HubSubscriber",
    "Item",
    "ItemList",
    "ItemState",
    "ItemText",
    "KnownEntry",
    "Lease",
    "LeftSlot",
    "ListKey",
    "ListScope",
    "Listed",
    "Merge",
    "Notice",
    "Outcome",
    "OwnFeed",
    "ParsedEntry",
    "ParsedFeed",
    "PollError",
    "PollResult",
    "Population",
    "PostingRate",
    "Process",
    "Provenance",
    "Push",
    "Reader",
    "RelatedItem",
    "RelatedPair",
    "RelatedTier",
    "Scope",
    "SearchCounts",
    "SharedDocument",
    "Source",
    "SourceHealth",
    "SourceRef",
    "Split",
    "StoreStats",
    "Story",
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
