"""SQLite: the embedded store, one file for all processes of one machine."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tap_tiktok_auth.errors import StoreDamaged, StoreUnavailable
from tap_tiktok_auth.process import Forkable, Stop
from tap_tiktok_auth.store import files, schema
from tap_tiktok_auth.store.database import Database, meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tap_tiktok_auth.store.database import Cursor, Meanings

#: Seconds to wait for another process's transaction; each of ours lasts milliseconds.
BUSY_TIMEOUT = 15.0
#: Milliseconds of one piece of that wait, in which no signal is heard.
_PIECE = 250
#: SQLite's mark of whose file it is: "TTka".
_APPLICATION = 0x5454_6B61
#: In place of a file: a store that ends with the process.
NOWHERE = Path(":memory:")

_PERMISSIONS = "Check its permissions: ls -l '{location}'"
_RESTORE = "Restore it from a backup, or move it away and authorise again."
_MEANINGS: Meanings = (
    ("locked|busy", StoreUnavailable, "is locked by another program", "End it, a backup perhaps."),
    ("readonly", StoreUnavailable, "cannot be written to", _PERMISSIONS),
    ("full", StoreUnavailable, "cannot grow, the disk is full", "Make room on the disk."),
    ("unable to open", StoreUnavailable, "cannot be opened", _PERMISSIONS),
    ("i/o error", StoreUnavailable, "cannot be read or written", "Check the disk."),
    ("not a database", StoreDamaged, "is damaged or no SQLite file", _RESTORE),
    ("malformed", StoreDamaged, "is damaged", _RESTORE),
    ("no such (table|column)", StoreDamaged, "is some other program's database", _RESTORE),
)


class SQLite(Database, Forkable):
    """A SQLite file, opened and migrated.

    Args:
        path: The file; created with mode 0600 if it does not exist. Or NOWHERE.
        clock: Returns seconds since the epoch.
        busy_timeout: Seconds to wait for another process's transaction.
        stop: Set when the process was told to stop: nothing is waited for then.

    Raises:
        StoreError: The file cannot be used.
    """

    types: ClassVar[dict[str, str]] = {"text": "TEXT", "integer": "INTEGER", "moment": "REAL"}

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        busy_timeout: float = BUSY_TIMEOUT,
        stop: Stop | None = None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._stop = stop or Stop()
        if path != NOWHERE:
            files.private_folder(path.parent)
            if not files.exists(path):
                files.create_once(path, b"")
        # Threads take turns here, which is fairer and faster than SQLite's own waiting.
        self._turn = threading.RLock()
        self._open_file()
        self.follow_forks()

    @property
    def location(self) -> str:
        return f"sqlite:///{self.path}" if self.path != NOWHERE else "a token store to come"

    def now(self) -> float:
        return self._clock()

    def reading(self) -> AbstractContextManager[Cursor]:
        return self._cursor()

    @contextmanager
    def writing(
        self, *, exclusive: bool = False, patience: float | None = None
    ) -> Iterator[Cursor]:
        del exclusive  # SQLite has one writer at a time anyway
        with self._cursor() as cursor:
            try:
                self._run_when_free(cursor, "BEGIN IMMEDIATE", patience)
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.ProgrammingError):  # closed meanwhile, so rolled back
                    if self._connection.in_transaction:
                        cursor.execute("ROLLBACK")
                raise

    def close(self) -> None:
        self.leave_forks()
        with self._turn:
            self._connection.close()

    # Forks

    def before_fork(self) -> None:
        """Close the file, which SQLite forbids to carry over a fork; it is opened again at need.

        Closing it in the child would be too late: what SQLite remembers of its locks is in the
        child's memory by then, and the child has not got the locks.
        """
        self._turn.acquire()
        self._connection.close()
        self._open = False

    def after_fork_in_parent(self) -> None:
        self._turn.release()

    def after_fork_in_child(self) -> None:
        self._turn = threading.RLock()

    # Transactions

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._turn, self._errors():
            if not self._open or (
                self._file != self._in_place() and not self._connection.in_transaction
            ):
                # Go on with the file that has taken the place of the one that was open.
                self._connection.close()
                self._open_file()
            cursor = self._connection.cursor()
            try:
                yield cursor
            finally:
                # A signal may end the process so that the store is closed before this is reached.
                with suppress(sqlite3.ProgrammingError):
                    cursor.close()

    def _run_when_free(
        self, cursor: sqlite3.Cursor, statement: str, patience: float | None = None
    ) -> None:
        """Run a statement, waiting for other writers in pieces, so that a signal is heard."""
        limit = self._busy_timeout if patience is None else min(patience, self._busy_timeout)
        deadline = time.monotonic() + limit
        cursor.execute(f"PRAGMA busy_timeout = {_PIECE}")
        try:
            while True:
                try:
                    cursor.execute(statement)
                except sqlite3.OperationalError as error:
                    over = time.monotonic() >= deadline
                    told = patience is None and self._stop.is_set()
                    if over or told or "locked" not in str(error):
                        raise
                    time.sleep(0.01)  # where many begin the log at once, SQLite does not wait
                else:
                    return
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout * 1000)}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with files.errors("use", self.path):
                yield
        except sqlite3.Error as error:
            fallback = f"failed ({type(error).__name__})"
            raise meaning(_MEANINGS, str(error).lower(), self.path, fallback) from None

    # The file

    def _open_file(self) -> None:
        self._open = False
        with self._errors():
            self._connection: sqlite3.Connection = self._connect()
        self._open = True
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            self._open = False
            raise

    def _connect(self) -> sqlite3.Connection:
        if self.path != NOWHERE:
            files.refuse_if_shared(self.path, "the token store")
            for end in ("-wal", "-shm", "-journal"):  # SQLite believes what is in these
                log = self.path.with_name(self.path.name + end)
                files.refuse_if_foreign(log, "the token store's log")
        self._frozen = False
        self._file = self._in_place()
        try:
            return self._connected(str(self.path))
        except sqlite3.OperationalError:
            if os.access(self.path.parent, os.W_OK):
                raise
            if self._log_size():
                raise StoreUnavailable(
                    f"the token store {self.path} was not closed in order, and its folder "
                    "cannot be written to",
                    next_step="Where it can be written to, run once: tiktok-auth status",
                ) from None
            # A write-ahead log cannot be begun here, and there is none to be read.
            self._frozen = True
            self._file = self._in_place()
            return self._connected(f"{self.path.as_uri()}?mode=ro&immutable=1")

    def _connected(self, address: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            address,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            uri=address.startswith("file:"),
        )
        try:
            # FULL: a commit is on disk before it returns, also with a write-ahead log.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA schema_version")  # opens the file
            # One text that is none must not keep all others from being read.
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        except BaseException:
            connection.close()
            raise
        return connection

    def _log_size(self) -> int:
        """Return how much stands in the write-ahead log that is not in the file yet."""
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _in_place(self) -> tuple[int, ...]:
        """Return which file has the store's name: one that lost it keeps nothing.

        Of a file that this process cannot lock, also its state: others may write to it elsewhere.
        """
        if self.path == NOWHERE:
            return ()
        try:
            status = self.path.stat()
        except FileNotFoundError:
            raise StoreUnavailable(
                f"the token store {self.path} was removed while in use",
                next_step="Restore it, then run again.",
            ) from None
        identity = status.st_dev, status.st_ino
        return (*identity, status.st_mtime_ns, self._log_size()) if self._frozen else identity

    def _prepare(self) -> None:
        with self._cursor() as cursor:
            # Tables first: whoever creates the store at this moment puts its mark before them.
            tables = {row[0] for row in cursor.execute("SELECT name FROM sqlite_master")}
            owner = cursor.execute("PRAGMA application_id").fetchone()[0]
            if owner != _APPLICATION and (tables or owner):
                raise StoreDamaged(
                    f"the token store {self.path} is some other program's database",
                    next_step="Give the setting token_store another path.",
                )
            version = schema.read_version(cursor) if "meta" in tables else 0
            schema.check(version, self.location)
            if version == schema.VERSION:
                return
            self._run_when_free(cursor, "PRAGMA journal_mode = WAL")
            cursor.execute(f"PRAGMA application_id = {_APPLICATION}")
        schema.migrate(self)
