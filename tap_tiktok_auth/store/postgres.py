"""PostgreSQL: the shared store, one database for the processes of many machines."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from tap_tiktok_auth.errors import StoreUnavailable
from tap_tiktok_auth.process import Forkable
from tap_tiktok_auth.store import postgres_address, postgres_errors, schema
from tap_tiktok_auth.store.database import Database, ServerClock
from tap_tiktok_auth.store.postgres_schema import FORMER, LOOK, MOVE, SCHEMA, TABLES, WRITERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg.abc import PQGen

    from tap_tiktok_auth.store.database import Cursor


T = TypeVar("T")

#: Seconds that a transaction takes at most, also if the server says nothing any more.
PATIENCE = 35.0
#: Connections of one process at most; transactions last milliseconds, so threads take turns.
MOST_CONNECTIONS = 8
#: Names the lock under which the schema is made and everything is kept still.
_LOCK = 0x7461_7074_746B
#: Everything is set for the transaction alone, which also works through a connection pooler that
#: gives each transaction another connection. A process that stopped in the middle loses its
#: transaction before those who wait for it lose their patience.
_SETTINGS = (
    f"; SET LOCAL search_path TO {SCHEMA}, pg_temp"  # else temporary tables come first
    "; SET LOCAL statement_timeout TO '30s'"
    "; SET LOCAL lock_timeout TO '15s'"
    "; SET LOCAL idle_in_transaction_session_timeout TO '10s'"
)
_READ = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY" + _SETTINGS
# What is committed is on disk, whatever the server does by default.
_WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    + _SETTINGS
    + "; SET LOCAL synchronous_commit TO on"
)


class Postgres(Database, Forkable):
    """A schema of its own in a PostgreSQL database, created and migrated.

    Args:
        url: Address of the database, in any form of the setting `token_store`.
        stop: Set when the process was told to stop: nothing is waited for then.

    Raises:
        ConfigurationError: The address is malformed.
        StoreError: The database cannot be used.
    """

    types: ClassVar[dict[str, str]] = {
        "text": 'text COLLATE "C"',
        "integer": "bigint",
        "moment": "double precision",
    }

    def __init__(self, url: str, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._parameters = postgres_address.parameters(url)
        self._location = postgres_address.location(self._parameters)
        self._clock = ServerClock()
        self._abandoned: list[object] = []
        self._closed = False
        self._begin_without_connections()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        self.follow_forks()

    @property
    def location(self) -> str:
        return self._location

    def now(self) -> float:
        return self._clock.now()

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        with self._transaction(_READ) as cursor:
            yield cursor

    @contextmanager
    def writing(
        self, *, exclusive: bool = False, patience: float | None = None
    ) -> Iterator[Cursor]:
        with self._transaction(_WRITE, patience) as cursor:
            if exclusive:
                self._keep_others_out(cursor)
            yield cursor

    def exposures(self) -> Iterator[tuple[str, str]]:
        if weakness := postgres_address.weakness(self._parameters):
            yield (
                f"{self._location}: {weakness}",
                "Add sslmode=verify-full&sslrootcert=FILE to the query of token_store.",
            )
        with self.reading() as cursor:
            cursor.execute(WRITERS)
            roles = ", ".join(
                postgres_errors.quoted(role) if role else "PUBLIC" for (role,) in cursor.fetchall()
            )
        if roles:
            revoke = f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {roles};"
            yield (
                f"{self._location}: not only its owner may write to it, but {roles}, too",
                f"If not on purpose, run: {revoke} REVOKE ALL ON SCHEMA {SCHEMA} FROM {roles};",
            )

    def close(self) -> None:
        self.leave_forks()
        self._closed = True
        self._drop_idle()

    # Transactions

    @contextmanager
    def _transaction(self, begin: str, patience: float | None = None) -> Iterator[_Cursor]:
        with self._turns:
            connection = self._begin(begin, patience)
            try:
                with connection.cursor() as cursor:
                    yield _Cursor(cursor)
                    cursor.execute("COMMIT")
            except psycopg.Error as error:
                raise self._failed(error, connection) from None
            finally:
                self._put_back(connection)

    def _begin(self, begin: str, patience: float | None) -> _Connection:
        """Return a connection with an open transaction, replacing one that has died meanwhile."""
        with suppress(IndexError):
            try:
                return self._opened(self._idle.pop(), begin, patience)
            except _Silent as error:
                self._drop_idle()
                raise postgres_errors.silent(self._location) from error
            except psycopg.OperationalError:
                # Nothing was sent yet but BEGIN; the other idle ones have died of the same cause.
                self._drop_idle()
        connection = self._connect(patience)
        try:
            return self._opened(connection, begin, patience)
        except psycopg.Error as error:
            raise self._failed(error, connection) from None

    def _opened(self, connection: _Connection, begin: str, patience: float | None) -> _Connection:
        connection.limit(patience or PATIENCE, None if patience else self._stop)
        try:
            connection.execute(begin)
            if self._clock.due:
                self._clock.measure(lambda: _server_time(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, patience: float | None) -> _Connection:
        parameters = self._parameters
        if patience or self._stop.is_set():
            parameters = {**parameters, "connect_timeout": math.ceil(patience or 2)}
        try:
            # Prepared statements do not survive a connection pooler.
            return _Connection.connect(**parameters, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise postgres_errors.refused(error, self._location) from None

    def _put_back(self, connection: _Connection) -> None:
        """Keep a connection for the next transaction, rolled back if that is due."""
        try:
            if connection.info.transaction_status in {
                TransactionStatus.INTRANS,
                TransactionStatus.INERROR,
            }:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
        if connection.info.transaction_status != TransactionStatus.IDLE or self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _drop_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def after_fork_in_child(self) -> None:
        """Begin without connections.

        A child must not use its parent's connections, nor close them: the server would take its
        farewell for the parent's.
        """
        self._abandoned += self._idle
        self._begin_without_connections()

    def _begin_without_connections(self) -> None:
        self._idle: deque[_Connection] = deque()
        self._turns = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def _failed(self, error: psycopg.Error, connection: _Connection) -> Exception:
        if isinstance(error, _Silent):
            return postgres_errors.silent(self._location)
        user = "" if connection.closed else connection.info.user
        return postgres_errors.failed(error, self._location, user, broken=connection.closed)

    # The schema

    def _prepare(self) -> None:
        with self.reading() as cursor:
            tables = self._tables(cursor)
            version = schema.read_version(cursor) if "meta" in tables else 0
        schema.check(version, self._location)
        if version == schema.VERSION:
            return
        if "meta" not in tables:
            self._make_schema()
        schema.migrate(self)

    def _tables(self, cursor: Cursor) -> set[str | None]:
        """Return the schema's tables, and None for itself; refuse what others have a hand in."""
        found = _look(cursor, SCHEMA)
        self._refuse_foreign(SCHEMA, found)
        return {table for table, *_ in found}

    def _make_schema(self) -> None:
        """Make the schema, with the tables of a store that an older version made elsewhere."""
        with self._transaction(_WRITE) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
            present = self._tables(cursor)
            if "meta" in present:
                return
            # Nothing is run by its other contents, such as the tables of a loader.
            former = [row for row in _look(cursor, FORMER) if row[0] is not None]
            if len(former) < len(TABLES):
                former = []
            self._refuse_foreign(FORMER, former)
            owner = next((owner for table, owner, *_ in former if table == TABLES[0]), None)
            if owner is not None:
                cursor.execute(
                    "SELECT pg_has_role(?::name, 'USAGE') AND has_schema_privilege(?, 'CREATE')",
                    (owner, FORMER),
                )
                if not cursor.fetchone()[0]:
                    raise postgres_errors.may_not_move(self._location, owner)
            if None not in present:
                self._create_schema(cursor, owner)
            if owner is not None:
                cursor.execute(MOVE)

    def _create_schema(self, cursor: Cursor, owner: str | None) -> None:
        cursor.execute(
            "SELECT has_database_privilege(current_database(), 'CREATE'), current_database(),"
            " current_user"
        )
        allowed, database, user = cursor.fetchone()
        if not allowed:
            raise postgres_errors.may_not_create(self._location, database, user)
        cursor.execute(
            f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {postgres_errors.quoted(owner or user)};"
            # Default privileges may have given it to everyone.
            f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC"
        )

    def _refuse_foreign(
        self, name: str, found: list[tuple[str | None, str, str, str | None]]
    ) -> None:
        for table, owner, user, fault in found:
            if fault == "grant" and name == FORMER:
                raise postgres_errors.may_not_move(self._location, owner)
            if fault == "grant":
                raise postgres_errors.may_not_use(self._location, user)
            if fault is not None:
                place = f"schema {name}" if table is None else f"table {name}.{table}"
                raise postgres_errors.not_ours(self._location, place, owner, user, fault)

    def _keep_others_out(self, cursor: Cursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
        present = self._tables(cursor)
        tables = ", ".join(table for table in TABLES if table in present)
        if tables:
            cursor.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")


class _Silent(psycopg.OperationalError):
    """The server says nothing, or nobody waits for it any more."""


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing is waited for without end.

    The server's own time limits are of no use if it is frozen, or if the line has gone dead.
    """

    _deadline = math.inf
    _stop: threading.Event | None = None

    def limit(self, seconds: float, stop: threading.Event | None) -> None:
        """Wait so long for what follows, or until the process is told to stop."""
        self._deadline, self._stop = time.monotonic() + seconds, stop

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401
        return super().wait(self._limited(gen), *args, **kwargs)

    def _limited(self, gen: PQGen[T]) -> PQGen[T]:
        """Hand on what the driver waits for; it looks up from that several times a second."""
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                told = self._stop is not None and self._stop.is_set()
                if not ready and (told or time.monotonic() > self._deadline):
                    self.close()
                    raise _Silent
                wanted = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result


class _Cursor:
    """A driver's cursor that takes `?` placeholders."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, statement: str, values: Sequence[Any] = ()) -> object:
        return self._cursor.execute(_translated(statement) if values else statement, values or None)

    def executemany(self, statement: str, values: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(_translated(statement), values)

    def fetchone(self) -> Any:  # noqa: ANN401  (a row of any columns)
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


@lru_cache(maxsize=64)
def _translated(statement: str) -> str:
    return statement.replace("?", "%s")


def _server_time(connection: _Connection) -> float:
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    if row is None:
        raise StoreUnavailable("the token store's server does not tell its time")
    return float(row[0])


def _look(cursor: Cursor, name: str) -> list[tuple[str | None, str, str, str | None]]:
    cursor.execute(LOOK.replace("{schema}", name))
    return cursor.fetchall()
