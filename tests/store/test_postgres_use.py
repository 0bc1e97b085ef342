"""How the PostgreSQL store uses its server: schema, connections, addresses."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from tap_tiktok_auth.errors import (
    ConfigurationError,
    StoreDamaged,
    StoreKeyError,
    StoreTooNew,
    StoreUnavailable,
)
from tap_tiktok_auth.store import is_postgres, open_store
from tap_tiktok_auth.store.keys import Keyring, new_key
from tap_tiktok_auth.store.postgres import MOST_CONNECTIONS, Postgres
from tests.postgres_server import PASSWORD
from tests.store.backends import PostgresBackend
from tests.store.forks import forked
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.store.database import Cursor
    from tests.postgres_server import PostgresServer

from tests.store.expect import one_line

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(postgres_server: PostgresServer, postgres_database: str) -> Iterator[PostgresBackend]:
    """Return an empty database."""
    place = PostgresBackend(postgres_server, postgres_database)
    yield place
    place.close()


class TestSchema:
    """The schema, made and migrated by itself."""

    def test_everything_is_in_our_schema(self, place: PostgresBackend) -> None:
        """Nothing is made outside the schema, and a table of the same name is left alone."""
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE public.connections (mine text)")
            connection.execute("CREATE TABLE public.meta (mine text)")
        stored(place.open())
        names = place.sql(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information)'"
            " ORDER BY 1, 2"
        )
        ours = ["advertisers", "connections", "events", "meta", "pending_logins"]
        assert names == [("public", "connections"), ("public", "meta")] + [
            ("tiktok_auth_store", name) for name in ours
        ]

    def test_a_newer_schema_is_refused(self, place: PostgresBackend) -> None:
        """A store of a newer version is refused and left as it is."""
        place.open()
        place.sql("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
        with one_line(StoreTooNew, "newer tap-tiktok-auth", "pip install --upgrade"):
            place.open()

    def test_a_missing_table_is_told(self, place: PostgresBackend) -> None:
        """A store that lost a table is told as damage."""
        store = place.open()
        place.sql("DROP TABLE connections")
        with one_line(StoreDamaged, "lacks tables", "backup"):
            store.records()

    def test_a_missing_column_is_told(self, place: PostgresBackend) -> None:
        """A store that lost a column is told as damage."""
        store = place.open()
        place.sql("ALTER TABLE connections DROP COLUMN scopes")
        with one_line(StoreDamaged, "lacks columns"):
            store.records()

    def test_commits_are_durable(self, place: PostgresBackend) -> None:
        """A server that confirms commits before they are on disk does not do so for the store."""
        database = Postgres(place.url + "?options=-csynchronous_commit%3Doff")
        with database.writing() as cursor:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)
        database.close()

    def test_a_strict_isolation_by_default_does_not_matter(self, place: PostgresBackend) -> None:
        """Claims work where the server makes every transaction serializable by default."""
        url = place.url + "?options=-cdefault_transaction_isolation%3Dserializable"
        stores = [open_store(url, place.key) for _ in range(4)]
        stored(stores[0])
        outcomes: list[str] = []

        def claim(number: int) -> None:
            claimed = stores[number].claim("acme", f"h{number}", 60, lambda record: record)
            outcomes.append(claimed.outcome)

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["busy", "busy", "busy", "held"]
        for store in stores:
            store.close()


class TestConnections:
    """How connections of the driver are used."""

    def test_threads_share_a_few(
        self, place: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """Thirty threads get along with a handful of connections, which end with the store."""
        store = place.open()
        record = stored(store)
        found: list[bool] = []
        threads = [
            threading.Thread(target=lambda: found.append(store.read("acme") == record))
            for _ in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 30
        count = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tap-tiktok-auth'"
            f" AND datname = '{place.url.rpartition('/')[2]}'"
        )
        assert 1 <= postgres_server.admin(count)[0][0] <= MOST_CONNECTIONS
        store.close()
        for _ in range(100):
            if postgres_server.admin(count)[0][0] == 0:
                break
            time.sleep(0.02)
        assert postgres_server.admin(count) == [(0,)]

    def test_a_forked_child_has_its_own(self, place: PostgresBackend) -> None:
        """A child made by fork has a connection of its own, and leaves its parent's as it is."""
        store = place.open()
        record = stored(store)
        database = store._database  # type: ignore[attr-defined]

        def server_process() -> int:
            with database.reading() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                return int(cursor.fetchone()[0])

        ours = server_process()

        def work() -> bool:
            other = server_process() != ours and store.read("acme") == record
            done = other and store.commit(renewed(record), None)
            store.close()
            return done

        assert forked(work)
        assert server_process() == ours
        assert store.read("acme") == renewed(record)

    def test_a_store_is_used_through_a_pooler(self, place: PostgresBackend) -> None:
        """Nothing depends on what an earlier transaction of the same connection had set."""
        store = place.open()
        record = stored(store)
        database = store._database  # type: ignore[attr-defined]
        for connection in database._idle:
            connection.execute("DISCARD ALL")
            connection.execute("SET search_path TO public")
        assert store.read("acme") == record
        assert store.commit(renewed(record), None)

    def test_the_clock_is_the_servers(
        self, place: PostgresBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A local clock that is wrong, or jumps, does not matter."""
        store = place.open()
        monkeypatch.setattr(time, "time", lambda: 1.0)
        ((now,),) = place.sql("SELECT extract(epoch FROM clock_timestamp())::float8")
        assert abs(store.now() - now) < 5
        assert abs(place.open().now() - now) < 5

    def test_a_wrong_key_is_told(self, place: PostgresBackend) -> None:
        """A machine with another key is told before it writes anything, its connections closed."""
        place.open()
        with pytest.raises(StoreKeyError):
            place.open(new_key())


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"]
)
def test_all_forms_of_the_address(place: PostgresBackend, scheme: str) -> None:
    """Every form that Meltano and SQLAlchemy write leads to the same store."""
    url = place.url.replace("postgresql", scheme, 1) + "?connect_timeout=5&application_name=mine"
    assert is_postgres(url)
    store = open_store(url, place.key)
    mine = place.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'mine'")
    store.close()
    assert mine == [(1,)]
    assert store.location == place.url.replace(f"postgres:{PASSWORD}@", "")


def test_a_socket_in_the_address(place: PostgresBackend, postgres_server: PostgresServer) -> None:
    """The folder of a Unix socket may stand in the query."""
    database = place.url.rpartition("/")[2]
    url = f"postgresql://postgres@/{database}?host={postgres_server.folder}&port={postgres_server.port}"
    open_store(url, place.key).close()


def test_tls_is_respected(place: PostgresBackend) -> None:
    """A server without TLS is not talked to where the address demands it."""
    with one_line(StoreUnavailable, "TLS", "sslmode"):
        open_store(place.url + "?sslmode=require", place.key)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:SECRET@SECRET@host/db",
        "postgresql://me:SECRET/SECRET@host/db",
        "postgresql://me:SECRET@host:SECRET/db",
        "postgresql://me:SECRET@host/db?nonsense=SECRET",
        "postgresql://me:SECRET%zz@host/db",
    ],
)
def test_a_malformed_address_is_not_shown(url: str) -> None:
    """An address whose password was not encoded is refused without any part of it."""
    with pytest.raises(ConfigurationError, match=r"token_store is not.*percent-encoded") as caught:
        open_store(url, new_key())
    assert "SECRET" not in str(caught.value)
    assert "host/db" not in str(caught.value)


def test_a_row_that_appears_during_a_claim_has_one_holder(
    place: PostgresBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds a row that it has not locked, because it came just now, looks again."""
    store, other = place.open(), place.open()
    opened = Keyring.sealing_key

    def sealing_key(keys: Keyring, cursor: Cursor) -> str:
        monkeypatch.undo()
        assert other.commit(full_record(attempt=None, failure=None), None)
        return opened(keys, cursor)

    monkeypatch.setattr(Keyring, "sealing_key", sealing_key)
    assert store.claim("acme", "one", 90.0, lambda record: record).outcome == "busy"
    assert store.claim("acme", "one", 90.0, lambda record: record).outcome == "held"
