"""A store that fails between TikTok's answer and the commit, provoked for real."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.credentials import renewal
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.errors import StoreDamaged, StoreUnavailable
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.store import open_store, recovery, rows
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.backends import SQLiteBackend
from tests.store.samples import ACCESS, full_record, left_behind, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.credentials.models import Credentials, StoredConnection
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


def manager_of(tiktok: Simulator, store: Store) -> TokenManager:
    """Return a manager whose connection starts from a refresh token."""
    app, seed = tiktok.app("accounts"), tiktok.grant("accounts")
    config = parsing.parse(
        {
            "api": "accounts",
            "app_id": app.app_id,
            "app_secret": app.app_secret,
            "refresh_token": seed.refresh_token,
            "business_api_url": tiktok.url,
        }
    )
    return TokenManager(config, store)


def obtain(manager: TokenManager) -> Credentials:
    """Ask for the token of the only connection."""
    return manager.get_token(manager.connection("default"))


def obtain_while(
    manager: TokenManager, tiktok: Simulator, fail: Callable[[], object]
) -> StoreUnavailable:
    """Let the store fail after TikTok has carried out the request; return the error."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(obtain, manager)
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
    manager = manager_of(tiktok, store)
    with closing(sqlite3.connect(place.path, isolation_level=None)) as backup:
        error = obtain_while(manager, tiktok, lambda: backup.execute("BEGIN IMMEDIATE"))
        backup.execute("ROLLBACK")
    file = check_file(error)
    assert file.is_relative_to(place.path.parent)
    held = obtain(TokenManager(manager.config, place.open()))
    assert tiktok.token_state(held.token.access_token) == "live"
    assert tiktok.count("refresh") == 1
    assert not file.exists()
    manager.close()
    store.close()
    place.close()


def test_locked_for_a_moment(tmp_path: Path, tiktok: Simulator) -> None:
    """A lock that ends soon is waited for, and no file is needed."""
    place = SQLiteBackend(tmp_path)
    store = place.open()
    manager = manager_of(tiktok, store)
    with (
        closing(sqlite3.connect(place.path, isolation_level=None)) as backup,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(obtain, manager)
        while not tiktok.count("refresh"):
            time.sleep(0.01)
        backup.execute("BEGIN IMMEDIATE")
        time.sleep(1.0)
        backup.execute("ROLLBACK")
        held = asked.result()
    assert tiktok.token_state(held.token.access_token) == "live"
    assert store.read("default") == held.stored
    manager.close()
    place.close()


@pytest.mark.postgres
def test_stopped_between_answer_and_commit(
    postgres_server: PostgresServer, postgres_url: str, tiktok: Simulator, tmp_path: Path
) -> None:
    """PostgreSQL stops: the new token is kept in a file that the next run takes in."""
    key = new_key()
    store = open_store(postgres_url, key)
    manager = manager_of(tiktok, store)
    try:
        error = obtain_while(manager, tiktok, postgres_server.stop)
    finally:
        postgres_server.start()
    file = check_file(error)
    assert file.is_relative_to(tmp_path / "home")
    held = obtain(manager)
    assert tiktok.token_state(held.token.access_token) == "live"
    assert tiktok.count("refresh") == 1
    assert not file.exists()
    manager.close()
    store.close()


class TestFiles:
    """Recovery files by themselves."""

    def test_a_file_is_taken_in_once(self, store: Store) -> None:
        """The tokens in a file come into the store whole, and the file goes."""
        following = renewed(stored(store))
        file = left_behind(store, following)
        assert recovery.take_in(store) == 1
        assert store.read("acme") == following
        assert not file.exists()
        assert recovery.take_in(store) == 0

    def test_an_outdated_file_goes(self, store: Store) -> None:
        """Tokens that were replaced meanwhile do not come back."""
        record = stored(store)
        file = left_behind(store, renewed(record))
        newer = renewed(renewed(record, "act.2"), "act.3")
        assert store.commit(renewed(record, "act.2"), None, before=record)
        assert store.commit(newer, None)
        assert recovery.take_in(store) == 0
        assert store.read("acme") == newer
        assert not file.exists()

    def test_a_file_ahead_of_an_old_backup_stays(self, store: Store) -> None:
        """Where an old backup has other tokens, nobody knows whose chain lives: the file stays."""
        record = stored(store)
        file = left_behind(store, renewed(renewed(record)))
        assert recovery.take_in(store) == 0
        assert file.exists()

    def test_the_younger_token_of_a_chain_comes_into_an_old_backup(self, store: Store) -> None:
        """A store that was restored from an old backup gets the newest token of its chain."""
        record = stored(store)
        third = renewed(renewed(record))
        assert third.token is not None
        youngest = replace(third, token=replace(third.token, issued_at=2_000_000_000.0))
        file = left_behind(store, youngest)
        assert recovery.take_in(store) == 1
        found = store.read("acme")
        assert found is not None
        assert (found.token, found.generation) == (youngest.token, 2)
        assert not file.exists()

    def test_another_stores_file_stays(
        self, store: Store, backend: Backend, tmp_path: Path
    ) -> None:
        """A file of another store, even with the same key, is left for that store."""
        other = SQLiteBackend(tmp_path / "home" / "tap-tiktok-auth" / "recovery" / "other")
        other.key = backend.key
        file = left_behind(other.open(), full_record())
        target = next(recovery.folders(store))
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        moved = file.rename(target / file.name)
        assert recovery.take_in(store) == 0
        assert store.read("acme") is None
        assert moved.exists()
        other.close()

    def test_a_changed_file_is_not_believed(self, store: Store) -> None:
        """A file that was tampered with is neither taken in nor deleted."""
        file = left_behind(store, full_record())
        file.write_text(file.read_text()[:-9] + "AAAAAAAA=")
        assert recovery.take_in(store) == 0
        assert store.read("acme") is None
        assert file.exists()

    @pytest.mark.timeout(30)
    def test_what_is_no_file_of_ours_is_passed_over(self, store: Store) -> None:
        """A pipe, a link or a giant in the folder holds nobody up, and a file is taken in."""
        file = left_behind(store, renewed(stored(store)))
        os.mkfifo(file.with_name("acme-9-1.recovery"))
        file.with_name("acme-9-2.recovery").symlink_to("/dev/zero")
        with file.with_name("acme-9-3.recovery").open("wb") as giant:
            giant.truncate(10_000_000_000)
        assert recovery.take_in(store) == 1

    def test_one_file_keeps_no_other_from_it(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection whose row refuses the token costs no other connection its own."""
        for name in ("a", "b", "c"):
            left_behind(store, renewed(stored(store, name)))
        read = type(store).read

        def damaged(store: Store, name: str) -> StoredConnection | None:
            if name == "b":
                raise StoreDamaged("the row is damaged")
            return read(store, name)

        with monkeypatch.context() as patch:
            patch.setattr(type(store), "read", damaged)
            assert recovery.take_in(store) == 2
        assert recovery.take_in(store) == 1

    def test_columns_go_by_name(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that was written before the table got a column, or lost one, is taken in."""
        following = renewed(stored(store))
        with monkeypatch.context() as patch:
            write = rows.to_columns
            patch.setattr(
                rows,
                "to_columns",
                lambda *args: {"new": 1} | dict(reversed(write(*args).items())),
            )
            left_behind(store, following)
        assert recovery.take_in(store) == 1
        assert store.read("acme") == following

    def test_a_newer_programs_file_stays(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A file of a newer version is left to it, and said."""
        with monkeypatch.context() as patch:
            patch.setattr(recovery, "_VERSION", 99)
            file = left_behind(store, renewed(stored(store)))
        assert recovery.take_in(store) == 0
        assert file.exists()
        assert "newer tap-tiktok-auth" in caplog.text

    def test_a_file_of_a_living_process_is_its_own(self, store: Store) -> None:
        """What a process is about to commit is left to it, unless it was paused for too long."""
        following = renewed(stored(store))
        answer = recovery.Answer(following, replace(following, generation=1, attempt=None))
        with recovery.kept(store, answer):
            assert recovery.take_in(store) == 0
            assert recovery.take_in(store, name="other") == 0
            assert recovery.take_in(store, name="acme") == 1
        assert store.read("acme") == following

    def test_forgotten_files_are_gone(self, store: Store) -> None:
        """A connection that is forgotten is not brought back by a file."""
        file = left_behind(store, renewed(stored(store)))
        other = left_behind(store, renewed(stored(store, "acme-2")))
        assert store.forget("acme")
        recovery.forget(store, "acme")
        assert not file.exists()
        assert other.exists()

    def test_an_open_folder_is_not_used(self, store: Store) -> None:
        """A folder that others may write to is passed over."""
        first = next(recovery.folders(store))
        first.mkdir(parents=True)
        first.chmod(0o777)
        assert not left_behind(store, full_record()).is_relative_to(first)

    def test_no_secret_is_in_a_file(self, store: Store) -> None:
        """A file shows neither tokens nor the app's secret."""
        content = left_behind(store, replace(full_record(), subject_id="SUBJECT")).read_text()
        assert ACCESS not in content
        assert "SUBJECT" not in content
