"""What befalls a fleet: processes, server and connections killed, deadlocks and serialization failures provoked."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence

import psycopg
from fleet_harness import Fleet
from postgres_server import Server

#: how long a transaction of the fleet is waited for that can be drawn into a deadlock
BLOCKED_WITHIN_S = 5.0
_CLIENTS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
_WAITS_FOR_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
#: what the server logs of a transaction that lost against another one
_LOST = {"deadlocks": "deadlock detected", "serialization failures": "could not serialize access"}


class Strikes:
    """Blows at random, of all kinds."""

    def __init__(self, dice: random.Random, fleet: Fleet, server: Server) -> None:
        self.counts: Counter[str] = Counter()
        self._dice, self._fleet, self._server = dice, fleet, server
        self._roles = {name: fleet.roles[name] for name in fleet.processes}
        self._is_serializable = False
        self._kinds: Sequence[Callable[[], str]] = (
            *(self._kill_process,) * 5,
            self._kill_backend,
            self._kill_server,
            self._cut_connections,
            self._draw_into_deadlock,
            self._change_isolation,
        )

    def strike(self) -> None:
        """One blow."""
        with contextlib.suppress(psycopg.Error):  # the server may still recover from the last one
            self.counts[self._dice.choice(self._kinds)()] += 1

    def provoked(self) -> dict[str, int]:
        """How many transactions lost against others, by kind, as the server has logged it."""
        log = self._server.log
        return {kind: log.count(message) for kind, message in _LOST.items()}

    def _kill_process(self) -> str:
        name = self._dice.choice(list(self._roles))
        running = self._fleet.processes[name]
        running.process.kill()
        running.process.wait()
        self._fleet.again(name)
        return self._roles[name]

    def _kill_backend(self) -> str:
        with self._connect() as connection:
            pids = _clients(connection)
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._dice.choice(pids), signal.SIGKILL)  # the server ends all others, and recovers
        return "a server process"

    def _kill_server(self) -> str:
        self._server.kill()
        self._server.start()
        return "the postmaster"

    def _cut_connections(self) -> str:
        with self._connect() as connection:
            pids = _clients(connection)
            for pid in self._dice.sample(pids, len(pids) // 2):
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return "half of the connections"

    def _draw_into_deadlock(self) -> str:
        """A transaction waits for sources that we hold; then we wait for hosts, which it holds. It is the victim."""
        with self._connect() as connection, connection.transaction():
            connection.execute("SET LOCAL deadlock_timeout = '60s'")
            connection.execute("SET LOCAL lock_timeout = '10s'")
            connection.execute("SELECT id FROM aggregator.sources ORDER BY id FOR UPDATE")
            deadline = time.monotonic() + BLOCKED_WITHIN_S
            while not _one(connection, _WAITS_FOR_US) and time.monotonic() < deadline:
                time.sleep(0.01)
            connection.execute("SELECT host FROM aggregator.hosts ORDER BY host FOR UPDATE")
        return "a deadlock"

    def _change_isolation(self) -> str:
        """From now on, or no more, every transaction is serializable: those that meet fail."""
        self._is_serializable = not self._is_serializable
        level = "serializable" if self._is_serializable else "read committed"
        with self._connect() as connection:
            connection.execute(f"ALTER DATABASE postgres SET default_transaction_isolation = '{level}'")
            for pid in _clients(connection):
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return "another isolation level"

    def _connect(self) -> psycopg.Connection[tuple[int]]:
        connection = psycopg.connect(self._server.url, autocommit=True)
        connection.execute("SET default_transaction_isolation = 'read committed'")
        return connection


def _clients(connection: psycopg.Connection[tuple[int]]) -> list[int]:
    return [pid for (pid,) in connection.execute(_CLIENTS).fetchall()]


def _one(connection: psycopg.Connection[tuple[int]], query: str) -> int:
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])
