"""How the PostgreSQL store uses its server, and one clear line for all that goes wrong there."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from tap_tiktok_auth.errors import ConfigurationError, StoreDamaged, StoreKeyError, StoreUnavailable
from tap_tiktok_auth.store import is_postgres, open_store
from tap_tiktok_auth.store.keys import Cipher, Keyring, new_key
from tap_tiktok_auth.store.postgres import MOST_CONNECTIONS, Postgres
from tap_tiktok_auth.store.sql import SqlStore
from tests.postgres_server import PASSWORD
from tests.store.expect import one_line
from tests.store.forks import forked
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tap_tiktok_auth.store.database import Cursor
    from tests.postgres_server import PostgresServer
    from tests.store.backends import PostgresBackend

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(postgres: PostgresBackend) -> Iterator[Postgres]:
    """Return the database of a store, open."""
    with closing(Postgres(postgres.url)) as database:
        yield database


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """Stop the server during the block."""
    server.stop()
    try:
        yield
    finally:
        server.start()


class TestTransactions:
    """Nothing depends on how the server is set up, or on what happened before."""

    def test_everything_is_in_our_schema(self, postgres: PostgresBackend) -> None:
        """Nothing is made outside the schema, and tables of the same name are left alone."""
        theirs, ours = "connections meta", "advertisers connections events meta pending_logins"
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            for name in theirs.split():
                connection.execute(f"CREATE TABLE public.{name} (mine text)".encode())
        stored(postgres.open())
        names = postgres.sql(
            "SELECT schemaname, string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables"
            " WHERE schemaname !~ '^(pg_|information)' GROUP BY 1 ORDER BY 1"
        )
        assert names == [("public", theirs), ("tiktok_auth_store", ours)]

    def test_commits_are_durable(self, postgres: PostgresBackend) -> None:
        """A server that confirms commits before they are on disk does not do so for the store."""
        with (
            closing(Postgres(postgres.url + "?options=-csynchronous_commit%3Doff")) as database,
            database.writing() as cursor,
        ):
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)

    def test_a_strict_isolation_by_default_does_not_matter(self, postgres: PostgresBackend) -> None:
        """Claims work where the server makes every transaction serializable by default."""
        postgres.url += "?options=-cdefault_transaction_isolation%3Dserializable"
        stores = [postgres.open() for _ in range(4)]
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

    def test_read_only_by_default(self, postgres: PostgresBackend) -> None:
        """A transaction may write although its sessions are read-only by default."""
        postgres.url += "?options=-cdefault_transaction_read_only%3Don"
        postgres.open().check_writable()

    def test_a_store_is_used_through_a_pooler(
        self, postgres: PostgresBackend, database: Postgres
    ) -> None:
        """Nothing depends on what an earlier transaction of the same connection had set."""
        store = SqlStore(database, lambda _: Cipher.from_text(postgres.key))
        record = stored(store)
        for connection in database._idle:
            connection.execute("DISCARD ALL")
            connection.execute("SET search_path TO public")
            connection.execute("CREATE TEMPORARY TABLE connections (theirs text)")
        assert store.read("acme") == record
        assert store.commit(renewed(record), None)

    def test_the_clock_is_the_servers(
        self, postgres: PostgresBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A local clock that is wrong, or jumps, does not matter."""
        store = postgres.open()
        monkeypatch.setattr(time, "time", lambda: 1.0)
        ((now,),) = postgres.sql("SELECT extract(epoch FROM clock_timestamp())::float8")
        assert abs(store.now() - now) < 5
        assert abs(postgres.open().now() - now) < 5

    def test_a_row_that_appears_during_a_claim_has_one_holder(
        self, postgres: PostgresBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who finds a row that it has not locked, because it came just now, begins again."""
        store, other = postgres.open(), postgres.open()
        record = full_record(attempt=None, failure=None)
        look = Keyring.sealing_key
        looks: list[Keyring] = []

        def sealing_key(keys: Keyring, cursor: Cursor) -> str:
            looks.append(keys)
            if len(looks) == 1:
                assert other.commit(record, None)
            return look(keys, cursor)

        monkeypatch.setattr(Keyring, "sealing_key", sealing_key)
        claim = store.claim("acme", "one", 90.0, lambda stored: stored)
        assert (claim.outcome, claim.stored) == ("held", record)
        assert looks[0] is looks[2] is not looks[1]
        assert other.claim("acme", "two", 90.0, lambda stored: stored).outcome == "busy"


class TestConnections:
    """How connections of the driver are used."""

    def test_threads_share_a_few(
        self, postgres: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """Thirty threads get along with a handful of connections, which end with the store."""
        store = postgres.open()
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
            f" AND datname = '{postgres.url.rpartition('/')[2]}'"
        )
        assert 1 <= postgres_server.admin(count)[0][0] <= MOST_CONNECTIONS
        store.close()
        for _ in range(100):
            if postgres_server.admin(count)[0][0] == 0:
                break
            time.sleep(0.02)
        assert postgres_server.admin(count) == [(0,)]

    def test_a_forked_child_has_its_own(
        self, postgres: PostgresBackend, database: Postgres
    ) -> None:
        """A child made by fork has a connection of its own, and leaves its parent's as it is."""
        store = SqlStore(database, lambda _: Cipher.from_text(postgres.key))
        record = stored(store)

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

    @pytest.mark.parametrize(
        "scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"]
    )
    def test_all_forms_of_the_address(self, postgres: PostgresBackend, scheme: str) -> None:
        """Every form that Meltano and SQLAlchemy write leads to the same store."""
        url = postgres.url.replace("postgresql", scheme, 1)
        assert is_postgres(url)
        with closing(open_store(f"{url}?application_name=mine", postgres.key)) as store:
            assert store.location == postgres.url.replace(f"postgres:{PASSWORD}@", "")
            mine = postgres.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'mine'")
            assert mine == [(1,)]

    def test_a_socket_in_the_address(
        self, postgres: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """The folder of a Unix socket may stand in the query."""
        name, folder = postgres.url.rpartition("/")[2], postgres_server.folder
        url = f"postgresql://postgres@/{name}?host={folder}&port={postgres_server.port}"
        open_store(url, postgres.key).close()


class TestAbsence:
    """A server that is not there, at the start or later."""

    def test_a_server_that_goes_and_comes_back(
        self, postgres: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """While it is down each call is told so; after it, all goes on with new connections."""
        store = postgres.open()
        record = stored(store)
        with stopped(postgres_server):
            for _ in range(2):
                with one_line(StoreUnavailable, "has no server running there", "Start the server"):
                    store.commit(renewed(record), None)
            with one_line(StoreUnavailable, "has no server running there", "Start the server"):
                postgres.open()
        assert store.commit(renewed(record), None)
        with stopped(postgres_server):
            pass
        assert store.read("acme") == renewed(record)

    def test_cut_off_in_a_transaction(
        self, postgres: PostgresBackend, postgres_server: PostgresServer
    ) -> None:
        """A connection that dies in the middle undoes the transaction, and the store goes on."""
        store = postgres.open()
        record = stored(store)

        def prepare(_: StoredConnection | None) -> StoredConnection:
            postgres_server.admin(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tap-tiktok-auth'"
            )
            return renewed(record)

        with one_line(StoreUnavailable, "was stopped"):
            store.claim("acme", "me", 60, prepare)
        assert store.read("acme") == record
        assert store.claim("acme", "you", 60, lambda found: found).outcome == "held"

    def test_silent_host(self) -> None:
        """A host that takes the connection and says nothing is given up after the timeout."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            url = f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/db?connect_timeout=2"
            with one_line(StoreUnavailable, "does not answer", "firewall"):
                open_store(url, new_key())


class TestRefusals:
    """A server that refuses."""

    @pytest.mark.parametrize(
        ("part", "instead", "words"),
        [
            (PASSWORD, "WRONG-SECRET", ["refuses user or password", "Correct token_store"]),
            ("127.0.0.1", "no-such-host.invalid", ["unknown host", "token_store"]),
            ("/test_", "/no_test_", ["is not on that server", "Create the database"]),
            ("/test_", "/test_?sslmode=require&dbname=", ["does not offer TLS", "sslmode"]),
        ],
    )
    def test_no_connection(
        self, postgres: PostgresBackend, part: str, instead: str, words: list[str]
    ) -> None:
        """A connection that is refused is told with the reason, without password or database."""
        with one_line(StoreUnavailable, *words):
            open_store(postgres.url.replace(part, instead), new_key())

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            (
                "SET TRANSACTION READ ONLY; UPDATE meta SET value = value",
                ["is read-only", "primary"],
            ),
            (
                "SET LOCAL statement_timeout TO '50ms'; SELECT pg_sleep(5)",
                ["did not answer in time"],
            ),
            (
                "SET LOCAL lock_timeout TO '50ms'; UPDATE connections SET name = name",
                ["locked by another program", "backup"],
            ),
            ("SELECT FROM tiktok_auth_store.no_table", ["lacks tables", "Restore the schema"]),
            ("SELECT pg_terminate_backend(pg_backend_pid())", ["was stopped", "Start the server"]),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else None,
    )
    def test_no_answer(
        self, postgres: PostgresBackend, database: Postgres, statement: str, words: list[str]
    ) -> None:
        """A statement that fails is told with the reason, and the next transaction works."""
        kind = StoreDamaged if words[0] == "lacks tables" else StoreUnavailable
        with psycopg.connect(postgres.url) as other:
            other.execute("LOCK TABLE tiktok_auth_store.connections IN ACCESS EXCLUSIVE MODE")
            with one_line(kind, *words), database.writing() as cursor:
                cursor.execute(statement)
        with database.writing() as cursor:
            cursor.execute("UPDATE connections SET name = name")

    def test_keys(self, postgres: PostgresBackend) -> None:
        """A shared store needs a key, and the right one, before anything is written."""
        with pytest.raises(ConfigurationError, match=r"token_store_key is missing.*keygen"):
            open_store(postgres.url, None)
        postgres.open()
        with pytest.raises(StoreKeyError):
            postgres.open(new_key())
