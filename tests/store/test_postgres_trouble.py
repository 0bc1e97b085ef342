"""What goes wrong with a PostgreSQL server, provoked for real: one clear line each."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import psycopg
import pytest

from tap_tiktok_auth.errors import (
    ConfigurationError,
    StoreUnavailable,
)
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.store.postgres import Postgres
from tap_tiktok_auth.store.sql import SqlStore
from tests.postgres_server import PASSWORD
from tests.store.backends import PostgresBackend
from tests.store.samples import renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.postgres_server import PostgresServer
from tests.store.expect import one_line

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(postgres_server: PostgresServer, postgres_database: str) -> Iterator[PostgresBackend]:
    """Return an empty database."""
    place = PostgresBackend(postgres_server, postgres_database)
    yield place
    place.close()


@pytest.fixture
def role(postgres_server: PostgresServer) -> Iterator[str]:
    """Return a role with a password that may do nothing but log in."""
    name = f'odd "role" {os.getpid()}'
    quoted = '"' + name.replace('"', '""') + '"'
    postgres_server.admin(f"CREATE ROLE {quoted} LOGIN PASSWORD '{PASSWORD}'")
    yield quoted
    postgres_server.admin(f"DROP ROLE {quoted}")


def as_role(role: str, url: str) -> str:
    """Return the address of the same database for another role."""
    name = role[1:-1].replace('""', "%22").replace(" ", "%20")
    return url.replace("postgres:", f"{name}:", 1) if "//postgres:" in url else url


class TestAbsence:
    """A server that is not there, at the start or later."""

    def test_absent_at_start(self, place: PostgresBackend, postgres_server: PostgresServer) -> None:
        """A server that does not run is told at once."""
        postgres_server.stop()
        try:
            with one_line(StoreUnavailable, "does not run there", "Start the server"):
                place.open()
        finally:
            postgres_server.start()

    def test_restarted_in_between(
        self, place: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """After a restart the next transaction finds a new connection by itself."""
        store = place.open()
        record = stored(store)
        postgres_server.stop()
        postgres_server.start()
        assert store.commit(renewed(record), None)
        postgres_server.stop()
        postgres_server.start()
        assert store.read("acme") == renewed(record)

    def test_stopped_and_back(
        self, place: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """While the server is down each call is told so, and once it is back all goes on."""
        store = place.open()
        record = stored(store)
        postgres_server.stop()
        for _ in range(2):
            with one_line(StoreUnavailable, "does not run there"):
                store.commit(renewed(record), None)
        postgres_server.start()
        assert store.commit(renewed(record), None)

    def test_cut_off_in_a_transaction(
        self, place: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """A connection that dies in the middle undoes the transaction, and the store goes on."""
        store = place.open()
        record = stored(store)
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tap-tiktok-auth'"
        )

        def prepare(_: StoredConnection | None) -> StoredConnection:
            postgres_server.admin(cut)
            return renewed(record)

        with one_line(StoreUnavailable, "was stopped"):
            store.claim("acme", "me", 60, prepare)
        assert store.read("acme") == record
        assert store.claim("acme", "you", 60, lambda found: found).outcome == "held"

    def test_unknown_host(self) -> None:
        """A host that does not exist is told."""
        with one_line(StoreUnavailable, "unknown host", "token_store"):
            open_store(f"postgresql://me:{PASSWORD}@no-such-host.invalid/db", new_key())

    def test_silent_host(self) -> None:
        """A host that takes the connection and says nothing is given up after the timeout."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            url = f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/db?connect_timeout=2"
            with one_line(StoreUnavailable, "does not answer", "firewall"):
                open_store(url, new_key())


class TestRefusals:
    """A server that refuses."""

    def test_wrong_password(self, place: PostgresBackend) -> None:
        """A wrong password is told without any password."""
        url = place.url.replace(PASSWORD, "WRONG-SECRET")
        with pytest.raises(StoreUnavailable, match="refuses user or password") as caught:
            open_store(url, new_key())
        assert "WRONG-SECRET" not in str(caught.value)

    def test_no_such_database(self, place: PostgresBackend) -> None:
        """A database that does not exist is told."""
        with one_line(StoreUnavailable, "is not on that server", "Create the database"):
            open_store(place.url + "x", new_key())

    def test_no_key(self, place: PostgresBackend) -> None:
        """A shared store without a key is refused before the server is asked."""
        with pytest.raises(ConfigurationError, match=r"token_store_key is missing.*keygen"):
            open_store(place.url, None)

    def test_no_permission_to_create(
        self, place: PostgresBackend, postgres_server: PostgresServer, role: str
    ) -> None:
        """Without the permission to create the schema the line has the GRANT that mends it."""
        url, database = as_role(role, place.url), place.url.rpartition("/")[2]
        with pytest.raises(StoreUnavailable, match="does not let its user create") as caught:
            open_store(url, place.key)
        _, _, grant = str(caught.value).partition("run: ")
        assert grant.startswith(f'GRANT CREATE ON DATABASE "{database}" TO "odd ')
        postgres_server.admin(grant)
        open_store(url, place.key).close()
        postgres_server.admin(f"DROP OWNED BY {role}", database)
        postgres_server.admin(f"REVOKE ALL ON DATABASE {database} FROM {role}")

    def test_no_permission_to_use(
        self, place: PostgresBackend, postgres_server: PostgresServer, role: str
    ) -> None:
        """Without a permission on a store of another role the line has the GRANTs that mend it."""
        record = stored(place.open())
        url, database = as_role(role, place.url), place.url.rpartition("/")[2]
        with pytest.raises(StoreUnavailable, match="refuses its user a permission") as caught:
            open_store(url, place.key)
        _, _, grant = str(caught.value).partition("run: ")
        postgres_server.admin(grant, database)
        store = open_store(url, place.key)
        assert store.commit(renewed(record), None)
        store.close()
        postgres_server.admin(f"DROP OWNED BY {role}", database)

    def test_read_only_server(self, place: PostgresBackend) -> None:
        """A server that takes no writes is told."""
        database = Postgres(place.url)
        with one_line(StoreUnavailable, "is read-only", "primary"), database.writing() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("UPDATE meta SET value = value")
        database.close()

    def test_read_only_by_default(self, place: PostgresBackend) -> None:
        """A transaction may write although the user's sessions are read-only by default."""
        place.open()
        place.sql("ALTER ROLE postgres SET default_transaction_read_only TO on")
        try:
            place.open().check_writable()
        finally:
            with psycopg.connect(place.url, options="-c default_transaction_read_only=off") as c:
                c.execute("ALTER ROLE postgres RESET default_transaction_read_only")

    def test_locked_by_another_program(self, place: PostgresBackend) -> None:
        """A table that another program keeps locked is told after a while."""
        database = Postgres(place.url)
        store = SqlStore(database, lambda _: Cipher.from_text(place.key))
        with psycopg.connect(place.url) as other:
            other.execute("LOCK TABLE tiktok_auth_store.connections IN ACCESS EXCLUSIVE MODE")
            with (
                one_line(StoreUnavailable, "locked by another program"),
                database.writing() as cursor,
            ):
                cursor.execute("SET LOCAL lock_timeout TO '50ms'")
                cursor.execute("UPDATE connections SET name = name")
        assert store.records() == []
        store.close()

    def test_slow_server(self, place: PostgresBackend) -> None:
        """A statement that takes too long is told."""
        database = Postgres(place.url)
        with one_line(StoreUnavailable, "did not answer in time"), database.writing() as cursor:
            cursor.execute("SET LOCAL statement_timeout TO '50ms'")
            cursor.execute("SELECT pg_sleep(5)")
        database.close()
