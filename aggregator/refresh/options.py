"""What the configuration says of curating, as one value that is replaced whole when it is reloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aggregator.curate.embeddings import Encoder
from aggregator.curate.thresholds import Thresholds
from aggregator.model import OwnFeed

__all__ = ["CurateOptions"]


def _windows() -> dict[str, timedelta]:
    return {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateOptions:
    """What the configuration says of stories, related items, rankings, recommendations, sections and own feeds."""

    #: how long each window is, by its name
    windows: Mapping[str, timedelta] = field(default_factory=_windows)
    #: the one whose Ranking is shown beside the Recommendation
    window: str = "1d"
    ranking_size: int = 8
    #: places of a ranking that are kept: its own page shows more of them than its feed and other pages
    ranking_depth: int = 20
    recommendation_size: int = 8
    max_per_source: int = 2
    sections: tuple[str, ...] = ()
    #: those that have lists of their own whether or not much is in them, as ``[site] languages`` has them
    languages: tuple[str, ...] = ()
    feeds: tuple[OwnFeed, ...] = ()
    #: how alike is the same; new items are decided by it
    thresholds: Thresholds = field(default_factory=Thresholds)
    #: what reads sentences of English, for the order of what is related; None: words alone
    encoder: Encoder | None = None
