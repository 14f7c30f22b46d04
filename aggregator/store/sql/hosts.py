"""Hosts: what is polled one request at a time. When each is due, and until when it is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aggregator.store.sql.engine import Connection

#: a source that is asked at all
POLLABLE = "configured AND enabled AND NOT gone"
#: which, until when it is parked (0: it is not), and when it may be asked again (0: at once)
Pause = tuple[str, int, int]

_PAUSE = "UPDATE hosts SET parked_until = greatest(parked_until, :parked), free_at = greatest(free_at, :free)"
#: the same, and it is nobody's any more: due with its first source, never within its pauses
_FREE = f"""
{_PAUSE}, leased_until = 0, due_at = (
    SELECT CASE WHEN count(*) > 0 THEN greatest(min(s.due_at), hosts.free_at, :free, hosts.parked_until, :parked) END
    FROM sources s WHERE s.host = hosts.host AND {POLLABLE})
"""


def pause(connection: Connection, pauses: Sequence[Pause]) -> None:
    """Hosts are owed these pauses, and are still being polled."""
    connection.executemany(f"{_PAUSE} WHERE host = :host", [_named(pause) for pause in pauses])


def free(connection: Connection, pauses: Sequence[Pause]) -> None:
    """Hosts are owed these pauses, and nobody polls them any more: each is next due with its first source."""
    connection.executemany(f"{_FREE} WHERE host = :host", [_named(pause) for pause in pauses])


def _named(pause: Pause) -> dict[str, object]:
    return dict(zip(("host", "parked", "free"), pause, strict=True))


_LEASED = "SELECT host, token FROM hosts WHERE leased_until > ?"
_GIVE_BACK = """
UPDATE sources SET due_at = least(due_at, ?), lease_token = NULL WHERE host = ? AND lease_token = ?
"""


def free_leases(connection: Connection, now_ms: int) -> int:
    """Takes back what is leased; how many hosts. What was not completed of them is due at once.

    For a process that polls alone: whoever had leased them has ended.
    """
    leased = [(host, token) for host, token in connection.execute(_LEASED, (now_ms,)).fetchall()]
    give_back(connection, leased, now_ms)
    return len(leased)


def give_back(connection: Connection, leases: Sequence[tuple[str, int]], now_ms: int) -> None:
    """(host, token) of leases that end now; what was not completed of them is due at once."""
    current = [
        (host, token)
        for host, token in leases
        if connection.execute("SELECT 1 FROM hosts WHERE host = ? AND token = ?", (host, token)).fetchone()
    ]
    connection.executemany(_GIVE_BACK, [(now_ms, host, token) for host, token in current])
    connection.executemany("UPDATE hosts SET token = token + 1 WHERE host = ?", [(host,) for host, _ in current])
    free(connection, [(host, 0, 0) for host, _ in current])


def refresh(connection: Connection, hosts: Iterable[str], now_ms: int) -> None:
    """When hosts are next due whose sources are no longer what they were; those that are leased keep their lease."""
    connection.executemany(
        f"{_FREE} WHERE host = :host AND leased_until <= :now",
        [{"host": host, "parked": 0, "free": 0, "now": now_ms} for host in hosts],
    )
