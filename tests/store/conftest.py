"""A store for each test: on SQLite, and on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.store.backends import Backend, PostgresBackend, SQLiteBackend
from tests.store.people import People

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.store import Store
    from tests.postgres_server import PostgresServer


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SQLiteBackend]:
    """Return an empty place for a SQLite store."""
    place = SQLiteBackend(tmp_path)
    yield place
    place.close()


@pytest.fixture
def postgres(postgres_server: PostgresServer, postgres_database: str) -> Iterator[PostgresBackend]:
    """Return an empty database."""
    place = PostgresBackend(postgres_server, postgres_database)
    yield place
    place.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return an empty place for a store, on each database."""
    place: Backend = request.getfixturevalue(request.param)
    return place


@pytest.fixture
def store(backend: Backend) -> Store:
    """Return an open, empty store."""
    return backend.open()


@pytest.fixture
def people(postgres_server: PostgresServer, postgres_database: str) -> Iterator[People]:
    """Return the roles of an empty database."""
    people = People(postgres_server, postgres_database)
    yield people
    people.close()
