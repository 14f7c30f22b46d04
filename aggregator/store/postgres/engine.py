"""Transactions on PostgreSQL: a pool of connections, whole functions run again where the server asks for it."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from aggregator.errors import StoreUnavailable, StoreUnusable
from aggregator.store.postgres.connection import Connection, explain, rows

__all__ = ["Engine", "public_address"]

One = TypeVar("One")
T = TypeVar("T")

CONNECTIONS = 8
CONNECT_S = 10.0
#: how often a transaction is run again that lost against another one, or whose connection was lost
ATTEMPTS = 6
_PAUSE_S = 0.02
#: a transaction that was undone only because of what another one did at the same time
_RACES = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation, errors.ForeignKeyViolation)
_LOST = (psycopg.OperationalError, psycopg.InterfaceError)
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: statements are looked up by index, whatever the planner believes of a table that has just been filled
_PLANS = "-c enable_seqscan=off -c jit=off"
_LIMITS = "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
_OPTIONS = f"{_PLANS} {_LIMITS} -c timezone=UTC"


class Engine:
    """`aggregator.store.sql.engine.Engine` on PostgreSQL. Any thread; each call takes a connection of the pool."""

    def __init__(self, url: str, *, schema: str = "aggregator") -> None:
        """Raises StoreUnusable if the server cannot be reached with this address, or cannot hold a store."""
        self.schema = schema
        #: the address for messages
        self.place = public_address(url)
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            url,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_S,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": rows,
                "application_name": "aggregator",
                "client_encoding": "utf8",
                "options": f"{_OPTIONS} -c search_path={schema}",
            },
        )
        try:
            with psycopg.connect(url, connect_timeout=int(CONNECT_S)) as first:
                self.server_version = first.info.server_version
                _refuse_unfit(first, self.place)
        except psycopg.Error as error:
            why = " ".join(str(error).split())
            raise StoreUnusable(
                f"cannot open {self.place}: {why}; check [store] url, that the server runs,"
                " and that its user and database exist (createuser, createdb)"
            ) from error
        self._pool.open()

    def read(self, run: Callable[[Connection], T], /) -> T:
        """What `run` finds in one consistent snapshot."""
        return self._repeated(lambda: self._once(_READ, run, ends_with="ROLLBACK"))

    def write(self, run: Callable[[Connection], T], /, *, lasting: bool = True) -> T:
        """What `run` returns, once its changes are committed; if it raises, nothing has changed.

        Runs it again, whole, where another transaction was in the way; so it must only change the database.
        Not `lasting`: a crash of the server may undo it.
        """
        begin = "BEGIN" if lasting else "BEGIN; SET LOCAL synchronous_commit = off"
        return self._repeated(lambda: self._once(begin, run, ends_with="COMMIT"))

    def write_all(
        self, items: Sequence[One], run: Callable[[Connection, Sequence[One]], Sequence[T | Exception]], /
    ) -> list[T | Exception]:
        """Of each item what `run` gives, or the error for which it has changed nothing; once all of it is committed."""
        try:
            return list(self.write(lambda connection: run(connection, items)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told of each item alone
            if len(items) == 1:
                return [error]
        return [outcome for item in items for outcome in self.write_all([item], run)]

    def close(self) -> None:
        """Closes the connections; what still runs is waited for."""
        self._pool.close(timeout=5.0)

    def _once(self, begin: str, run: Callable[[Connection], T], *, ends_with: str) -> T:
        with self._pool.connection() as connection:
            for statement in begin.split("; "):
                connection.execute(statement)
            try:
                result = run(Connection(connection))
                connection.execute(ends_with)
            except BaseException:
                with contextlib.suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise
            return result

    def _repeated(self, attempt: Callable[[], T]) -> T:
        for pause_s in _pauses():
            try:
                return attempt()
            except (*_RACES, *_LOST) as error:
                if pause_s is None or isinstance(error, errors.QueryCanceled):
                    raise explain(error) from error
                time.sleep(pause_s)
            except PoolClosed as error:
                raise StoreUnavailable("the store is closed") from error
            except (psycopg.Error, PoolTimeout, UnicodeError, OverflowError) as error:
                raise explain(error) from error
        raise AssertionError("the last attempt returns or raises")


def _pauses() -> Iterator[float | None]:
    """How long to wait before each further attempt, growing, with jitter; None: there is none."""
    for number in range(1, ATTEMPTS):
        yield _PAUSE_S * 2**number * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
    yield None


def _refuse_unfit(connection: psycopg.Connection[Any], place: str) -> None:
    """StoreUnusable if the database cannot hold every text, or takes no writes."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreUnusable(
            f"{place}: the database is encoded in {encoding}, which does not hold every text:"
            " create one with createdb -T template0 -E UTF8"
        )
    if connection.info.parameter_status("in_hot_standby") == "on":
        raise StoreUnusable(f"{place}: the server is a standby, which takes no writes: set [store] url to the primary")
    if connection.info.parameter_status("default_transaction_read_only") == "on":
        raise StoreUnusable(
            f"{place}: the database is read-only for this user: set default_transaction_read_only to off, or [store]"
            " url to another server"
        )


def public_address(url: str) -> str:
    """The address with nothing that is secret: server, database and user."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return "the address in [store] url"
    user, host, port = (parts.get(name) for name in ("user", "host", "port"))
    server = f"{host or ''}{f':{port}' if port else ''}"
    return f"postgresql://{f'{user}@' if user else ''}{server}/{parts.get('dbname') or ''}"
