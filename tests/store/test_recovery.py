"""A store that fails between TikTok's answer and the commit, provoked for real."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth import configuration, renewal
from tap_tiktok_auth.errors import StoreUnavailable
from tap_tiktok_auth.session import new_broker
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.store import open_store, recovery
from tap_tiktok_auth.store.crypto import Cipher, new_key
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.backends import SQLiteBackend
from tests.store.samples import ACCESS, full_record, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.broker import Broker, Held
    from tap_tiktok_auth.store import Store
    from tests.postgres_server import PostgresServer
    from tests.store.backends import Backend


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep recovery files out of the user's folders, and waits short."""
    for variable in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(renewal, "COMMIT_RETRIES", (0.02, 0.02))


@pytest.fixture
def tiktok() -> Iterator[Simulator]:
    """Return a simulated TikTok that takes a while to answer."""
    with Simulator(strict_rotation=True, latency=0.5) as simulator:
        yield simulator


def broker_of(tiktok: Simulator, store: Store) -> Broker:
    """Return a broker whose connection starts from a refresh token."""
    app, seed = tiktok.app("accounts"), tiktok.grant("accounts")
    config = configuration.parse(
        {
            "api": "accounts",
            "app_id": app.app_id,
            "app_secret": app.app_secret,
            "refresh_token": seed.refresh_token,
            "business_api_url": tiktok.url,
        }
    )
    return new_broker(config, store)


def obtain(broker: Broker) -> Held:
    """Ask for the token of the only connection."""
    return broker.obtain(broker.connection("default"))


def obtain_while(broker: Broker, tiktok: Simulator, fail: Callable[[], object]) -> StoreUnavailable:
    """Let the store fail after TikTok has carried out the request; return the error."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(obtain, broker)
        while not tiktok.count("refresh"):
            time.sleep(0.01)
        fail()
        error = asked.exception()
    assert isinstance(error, StoreUnavailable)
    return error


def check_file(error: StoreUnavailable) -> Path:
    """Check the file that the error names, and return it."""
    file = Path(error.cause.rpartition(" in ")[2])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert b"act." not in file.read_bytes()
    assert "the next run takes the file in" in str(error)
    return file


def test_locked_between_answer_and_commit(tmp_path: Path, tiktok: Simulator) -> None:
    """A backup locks the SQLite file: the new token goes to a file that the next run takes in."""
    place = SQLiteBackend(tmp_path)
    store = SqlStore(SQLite(place.path, busy_timeout=0.05), lambda _: Cipher.from_text(place.key))
    broker = broker_of(tiktok, store)
    with closing(sqlite3.connect(place.path, isolation_level=None)) as backup:
        error = obtain_while(broker, tiktok, lambda: backup.execute("BEGIN IMMEDIATE"))
        backup.execute("ROLLBACK")
    file = check_file(error)
    assert file.is_relative_to(place.path.parent)
    held = obtain(new_broker(broker.config, place.open()))
    assert tiktok.token_state(held.token.access_token) == "live"
    assert tiktok.count("refresh") == 1
    assert not file.exists()
    broker.close()
    store.close()
    place.close()


def test_locked_for_a_moment(tmp_path: Path, tiktok: Simulator) -> None:
    """A lock that ends soon is waited for, and no file is needed."""
    place = SQLiteBackend(tmp_path)
    store = place.open()
    broker = broker_of(tiktok, store)
    with (
        closing(sqlite3.connect(place.path, isolation_level=None)) as backup,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(obtain, broker)
        while not tiktok.count("refresh"):
            time.sleep(0.01)
        backup.execute("BEGIN IMMEDIATE")
        time.sleep(1.0)
        backup.execute("ROLLBACK")
        held = asked.result()
    assert tiktok.token_state(held.token.access_token) == "live"
    assert store.read("default") == held.record
    broker.close()
    place.close()


@pytest.mark.postgres
def test_stopped_between_answer_and_commit(
    postgres_server: PostgresServer, postgres_url: str, tiktok: Simulator, tmp_path: Path
) -> None:
    """PostgreSQL stops: the new token is kept in a file that the next run takes in."""
    key = new_key()
    store = open_store(postgres_url, key)
    broker = broker_of(tiktok, store)
    try:
        error = obtain_while(broker, tiktok, postgres_server.stop)
    finally:
        postgres_server.start()
    file = check_file(error)
    assert file.is_relative_to(tmp_path / "home")
    held = obtain(broker)
    assert tiktok.token_state(held.token.access_token) == "live"
    assert tiktok.count("refresh") == 1
    assert not file.exists()
    broker.close()
    store.close()


class TestFiles:
    """Recovery files by themselves."""

    def test_a_file_is_taken_in_once(self, store: Store) -> None:
        """The tokens in a file come into the store whole, and the file goes."""
        following = renewed(stored(store))
        file = recovery.write(store, following)
        assert recovery.take_in(store) == 1
        assert store.read("acme") == following
        assert not file.exists()
        assert recovery.take_in(store) == 0

    def test_an_outdated_file_goes(self, store: Store) -> None:
        """Tokens that were replaced meanwhile do not come back."""
        record = stored(store)
        file = recovery.write(store, renewed(record))
        newer = renewed(renewed(record, "act.2"), "act.3")
        assert store.commit(renewed(record, "act.2"), None)
        assert store.commit(newer, None)
        assert recovery.take_in(store) == 0
        assert store.read("acme") == newer
        assert not file.exists()

    def test_a_file_ahead_of_an_old_backup_stays(self, store: Store) -> None:
        """A store that was restored from an old backup does not cost the newest tokens."""
        record = stored(store)
        file = recovery.write(store, renewed(renewed(record)))
        assert recovery.take_in(store) == 0
        assert file.exists()

    def test_another_stores_file_stays(
        self, store: Store, backend: Backend, tmp_path: Path
    ) -> None:
        """A file of another store, even with the same key, is left for that store."""
        other = SQLiteBackend(tmp_path / "home" / "tap-tiktok-auth" / "recovery" / "other")
        other.key = backend.key
        file = recovery.write(other.open(), full_record())
        target = next(recovery.folders(store))
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        moved = file.rename(target / file.name)
        assert recovery.take_in(store) == 0
        assert store.read("acme") is None
        assert moved.exists()
        other.close()

    def test_a_changed_file_is_not_believed(self, store: Store) -> None:
        """A file that was tampered with is neither taken in nor deleted."""
        file = recovery.write(store, full_record())
        file.write_text(file.read_text()[:-9] + "AAAAAAAA=")
        assert recovery.take_in(store) == 0
        assert store.read("acme") is None
        assert file.exists()

    def test_an_open_folder_is_not_used(self, store: Store) -> None:
        """A folder that others may write to is passed over."""
        first = next(recovery.folders(store))
        first.mkdir(parents=True)
        first.chmod(0o777)
        assert not recovery.write(store, full_record()).is_relative_to(first)

    def test_no_secret_is_in_a_file(self, store: Store) -> None:
        """A file shows neither tokens nor the app's secret."""
        content = recovery.write(store, replace(full_record(), subject_id="SUBJECT")).read_text()
        assert ACCESS not in content
        assert "SUBJECT" not in content
