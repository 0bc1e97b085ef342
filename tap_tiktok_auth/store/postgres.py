"""PostgreSQL: the shared store, one database for the processes of many machines."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreUnavailable
from tap_tiktok_auth.process import Forkable, Stop
from tap_tiktok_auth.store import postgres_address, postgres_schema, schema
from tap_tiktok_auth.store.database import Database, ServerClock, meaning
from tap_tiktok_auth.store.postgres_schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from psycopg.abc import PQGen
    from typing_extensions import Self

    from tap_tiktok_auth.store.database import Cursor, Meanings


T = TypeVar("T")

#: Seconds that a transaction takes at most, also if the server says nothing any more.
PATIENCE = 35.0
#: Connections of one process at most; transactions last milliseconds, so threads take turns.
MOST_CONNECTIONS = 8
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

_LATER = "Run again; if it stays so, look at the server's log."
_RESTORE = f"Restore the schema {SCHEMA} from a backup, or give token_store another database."
_RACE = "was changed by somebody else at this moment"
_SILENT = "silent"
_BROKEN = "broken"
#: By SQLSTATE, or its class of two characters. The driver's texts may name users and addresses.
_MEANINGS: Meanings = (
    (
        _SILENT,
        StoreUnavailable,
        "does not answer",
        "Check its server and the network, then run again.",
    ),
    ("^23505|^42P06", StoreUnavailable, _RACE, _LATER),
    ("^25006", StoreUnavailable, "is read-only", "Give token_store the address of the primary."),
    ("^53100", StoreUnavailable, "cannot grow, its disk is full", "Make room on its disk."),
    ("^53300", StoreUnavailable, "has no free connection", _LATER),
    ("^55P03", StoreUnavailable, "is locked by another program", "End it, a backup perhaps."),
    ("^57014", StoreUnavailable, "did not answer in time", _LATER),
    ("^XX", StoreDamaged, "is damaged", _RESTORE),
    ("^3F|^42P01", StoreDamaged, "lacks tables of this program", _RESTORE),
    ("^42703", StoreDamaged, "lacks columns of this program", _RESTORE),
    ("^40", StoreUnavailable, "broke off a transaction in favour of another one", _LATER),
    ("^53", StoreUnavailable, "has run out of resources", _LATER),
    ("^57", StoreUnavailable, "was stopped", "Start the server, then run again."),
    (f"^08|{_BROKEN}", StoreUnavailable, "broke the connection", _LATER),
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

    def __init__(self, url: str, stop: Stop | None = None) -> None:
        self._stop = stop or Stop()
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

    def reading(self) -> AbstractContextManager[Cursor]:
        return self._transaction(_READ)

    @contextmanager
    def writing(
        self, *, exclusive: bool = False, patience: float | None = None
    ) -> Iterator[Cursor]:
        with self._transaction(_WRITE, patience) as cursor:
            if exclusive:
                postgres_schema.keep_others_out(cursor, self._location)
            yield cursor

    def exposures(self) -> Iterator[tuple[str, str]]:
        if weakness := postgres_address.weakness(self._parameters):
            yield (
                f"{self._location}: {weakness}",
                "Add sslmode=verify-full&sslrootcert=FILE to the query of token_store.",
            )
        with self.reading() as cursor:
            roles = postgres_schema.writers(cursor)
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

    def _prepare(self) -> None:
        with self.reading() as cursor:
            present = postgres_schema.tables(cursor, self._location)
            version = schema.read_version(cursor) if "meta" in present else 0
        schema.check(version, self._location)
        if version == schema.VERSION:
            return
        if "meta" not in present:
            with self.writing() as cursor:
                postgres_schema.make(cursor, self._location)
        schema.migrate(self)

    # Transactions

    @contextmanager
    def _transaction(self, begin: str, patience: float | None = None) -> Iterator[Cursor]:
        with self._turns:
            connection = self._begin(begin, patience)
            try:
                with connection.cursor() as cursor:
                    yield cursor
                    cursor.execute("COMMIT")
            except psycopg.Error as error:
                raise self._failed(error, connection) from None
            finally:
                self._put_back(connection)

    def _begin(self, begin: str, patience: float | None) -> _Connection:
        """Return a connection with an open transaction, replacing one that has died meanwhile."""
        with suppress(IndexError):
            connection = self._idle.pop()
            try:
                return self._opened(connection, begin, patience)
            except psycopg.OperationalError as error:
                # Nothing was sent yet but BEGIN; the other idle ones have died of the same cause.
                self._drop_idle()
                if isinstance(error, _Silent):
                    raise self._failed(error, connection) from None
        connection = self._connect(patience)
        try:
            return self._opened(connection, begin, patience)
        except psycopg.Error as error:
            raise self._failed(error, connection) from None

    def _connect(self, patience: float | None) -> _Connection:
        parameters = self._parameters
        if patience or self._stop.is_set():
            parameters = {**parameters, "connect_timeout": math.ceil(patience or 2)}
        try:
            # Prepared statements do not survive a connection pooler.
            return _Connection.connect(
                **parameters, autocommit=True, prepare_threshold=None, cursor_factory=_Cursor
            )
        except psycopg.Error as error:
            said = str(error).lower()
            raise meaning(postgres_address.REFUSALS, said, self._location, "failed") from None

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

    def _put_back(self, connection: _Connection) -> None:
        """Keep a connection for the next transaction, rolled back if that is due."""
        with suppress(psycopg.Error):
            connection.rollback()
        if connection.info.transaction_status != TransactionStatus.IDLE or self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _drop_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _failed(self, error: psycopg.Error, connection: _Connection) -> StoreError:
        state = _SILENT if isinstance(error, _Silent) else error.sqlstate or "none"
        if state == "42501":
            user = "" if connection.closed else connection.info.user
            return postgres_schema.may_not_use(self._location, user)
        said = f"{state} {_BROKEN}" if connection.closed else state
        return meaning(_MEANINGS, said, self._location, f"failed (SQLSTATE {state})")


class _Silent(psycopg.OperationalError):
    """The server says nothing, or nobody waits for it any more."""


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing is waited for without end.

    The server's own time limits are of no use if it is frozen, or if the line has gone dead.
    """

    _deadline = math.inf
    _stop: Stop | None = None

    def limit(self, seconds: float, stop: Stop | None) -> None:
        """Wait so long for what follows, or until the process is told to stop."""
        self._deadline, self._stop = time.monotonic() + seconds, stop

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
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


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor that takes `?` placeholders."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:  # noqa: ANN401  (psycopg)
        if params:
            return super().execute(query.replace("?", "%s"), params, **options)
        return super().execute(query, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:  # noqa: ANN401  (psycopg)
        super().executemany(query.replace("?", "%s"), params_seq, **options)


def _server_time(connection: _Connection) -> float:
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    if row is None:
        raise StoreUnavailable("the token store's server does not tell its time")
    return float(row[0])
