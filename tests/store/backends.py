"""The two databases of the contract suite, behind one face."""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg

from tap_tiktok_auth.store import Store, open_store
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.store.postgres import Postgres
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_tiktok_auth.store.database import Database
    from tests.postgres_server import PostgresServer


class Backend(ABC):
    """A place for one store.

    Args:
        url: The address of the store.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = new_key()
        self._opened: list[Store] = []

    def open(self, key: str | None = None, *, clock: Callable[[], float] = time.time) -> Store:
        """Open the store as the settings would, closed at the end of the test."""
        return self._kept(open_store(self.url, key or self.key, clock=clock))

    def open_with(self, load_cipher: Callable[[bool], Cipher]) -> Store:
        """Open the store with a key that comes from elsewhere."""
        database = self.database()
        try:
            return self._kept(SqlStore(database, load_cipher))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close all stores that were opened."""
        for store in self._opened:
            store.close()

    def _kept(self, store: Store) -> Store:
        self._opened.append(store)
        return store

    @abstractmethod
    def database(self) -> Database:
        """Open the database below the store."""

    @abstractmethod
    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement behind the store's back and return its rows."""

    @abstractmethod
    def raw(self) -> bytes:
        """Return all that is stored, as it lies on the disk or in a dump."""


class SQLiteBackend(Backend):
    """A SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store" / "tokens.db"
        super().__init__(f"sqlite:///{self.path}")

    def database(self) -> Database:
        return SQLite(self.path)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def raw(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.path.parent.iterdir())


class PostgresBackend(Backend):
    """A database of a real PostgreSQL server."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server = server
        self._database = database
        super().__init__(server.url(database))

    def database(self) -> Database:
        return Postgres(self.url)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET search_path TO tiktok_auth_store")
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def raw(self) -> bytes:
        return self._server.dump(self._database).encode()
