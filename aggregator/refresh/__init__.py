"""The order of things when items have arrived: store → curate → store. Decides nothing.

pending → same? same story? alike? (curate.curator)       → put_curation     in batches
candidates + view counts → most viewed, worth reading      → put_lists
"""

from __future__ import annotations

from aggregator.refresh.options import CurateOptions
from aggregator.refresh.refresher import Refreshed, Refresher
from aggregator.refresh.what_if import Placement

__all__ = ["CurateOptions", "Placement", "Refreshed", "Refresher"]
