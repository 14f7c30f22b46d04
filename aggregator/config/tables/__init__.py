"""The tables of config.toml: what may stand in each, and what it is when it does not.

Every attribute is named exactly as its key. A validator raises ValueError with a sentence for people; `problems` puts
the file, the line and the key in front of it.
"""

from __future__ import annotations

from typing import Annotated

from aggregator.config import values
from aggregator.config.tables.many import FeedTable, RuleTable, SourceTable
from aggregator.config.tables.site import (
    BackupTable,
    PollingTable,
    PublishTable,
    RankingTable,
    RecommendationTable,
    RelatedTable,
    RetentionTable,
    ServerTable,
    SiteTable,
    StoreTable,
    StoriesTable,
)
from aggregator.config.tables.table import Table

__all__ = [
    "BackupTable",
    "Document",
    "FeedTable",
    "PollingTable",
    "PublishTable",
    "RankingTable",
    "RecommendationTable",
    "RelatedTable",
    "RetentionTable",
    "RuleTable",
    "ServerTable",
    "SiteTable",
    "SourceTable",
    "StoreTable",
    "StoriesTable",
    "Table",
]


class Document(Table):
    """The whole of config.toml."""

    site: SiteTable = SiteTable()
    server: ServerTable = ServerTable()
    store: StoreTable = StoreTable()
    polling: PollingTable = PollingTable()
    ranking: RankingTable = RankingTable()
    stories: StoriesTable = StoriesTable()
    related: RelatedTable = RelatedTable()
    recommendation: RecommendationTable = RecommendationTable()
    publish: PublishTable = PublishTable()
    retention: RetentionTable = RetentionTable()
    backup: BackupTable = BackupTable()
    sources: Annotated[tuple[SourceTable, ...], values.Tables] = ()
    rules: Annotated[tuple[RuleTable, ...], values.Tables] = ()
    feeds: Annotated[tuple[FeedTable, ...], values.Tables] = ()
