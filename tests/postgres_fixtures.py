"""Fixtures with a real PostgreSQL, as a pytest plugin."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.postgres_server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Looked up before any test moves it to a place that the server's user cannot reach.
_TEMPORARY = tempfile.gettempdir()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Return a running server, one for all tests of a test process."""
    folder = Path(tempfile.mkdtemp(prefix="tap-tiktok-auth-postgres-", dir=_TEMPORARY))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the name of an empty database."""
    name = f"test_{uuid4().hex}"
    postgres_server.admin(f"CREATE DATABASE {name}")
    yield name
    postgres_server.admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_database: str) -> str:
    """Return the address of an empty database."""
    return postgres_server.url(postgres_database)
