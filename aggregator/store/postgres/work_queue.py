"""The work queue on PostgreSQL: many processes claim at once, and none waits for another."""

from __future__ import annotations

from aggregator.store.sql import codec
from aggregator.store.sql import work_queue as shared

__all__ = ["Work"]


class Work(shared.Work):
    """`WorkStore` whose claim passes over hosts that somebody else is claiming just now."""

    #: the server may crash while those who have claimed go on: a claim that is lost would be given to another one
    _claims_last = True
    _due_hosts = f"{shared.DUE_HOSTS} FOR UPDATE SKIP LOCKED"
    #: a join with a subquery of each host: as `IN (…)` PostgreSQL would join everything with everything
    _due_sources = f"""
    SELECT {codec.SOURCE_COLUMNS}, s.host FROM json_each(:hosts) asked CROSS JOIN LATERAL (
        SELECT * FROM sources WHERE host = asked.value AND due_at <= :now AND configured AND enabled AND NOT gone
        ORDER BY due_at, id LIMIT :per_host) s
    ORDER BY asked.key, s.due_at, s.id
    """
