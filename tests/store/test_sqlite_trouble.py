"""What goes wrong with files, provoked for real: one clear line each."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import (
    ConfigurationError,
    StoreDamaged,
    StoreError,
    StoreKeyError,
    StoreUnavailable,
)
from tap_tiktok_auth.store import SqlStore, keys, open_store, sqlite_path
from tap_tiktok_auth.store.crypto import Cipher, new_key
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.backends import SQLiteBackend
from tests.store.ordinary_user import give_to_ordinary_user, work_as_ordinary_user
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place(tmp_path: Path) -> Iterator[SQLiteBackend]:
    """Return an empty place for a SQLite store."""
    place = SQLiteBackend(tmp_path)
    yield place
    place.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that an ordinary user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


@contextmanager
def one_line(kind: type[StoreError], *words: str) -> Iterator[None]:
    """Expect an error whose line has these words and ends with a next step."""
    with pytest.raises(kind) as caught:
        yield
    line = str(caught.value)
    assert "\n" not in line
    assert "Traceback" not in line
    assert caught.value.next_step
    for word in words:
        assert word in line
    assert caught.value.__context__ is None or caught.value.__suppress_context__


class TestModes:
    """For one user's eyes only."""

    def test_files_and_folders_are_private(self, place: SQLiteBackend) -> None:
        """The folder is 0700 and every file in it 0600, while the store is in use, whatever umask."""
        former = os.umask(0)
        try:
            stored(place.open())
        finally:
            os.umask(former)
        files = list(place.path.parent.iterdir())
        assert {file.name for file in files} == {"tokens.db", "tokens.db-wal", "tokens.db-shm"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert place.path.parent.stat().st_mode & 0o777 == 0o700

    def test_a_folder_that_exists_is_left_alone(self, tmp_path: Path) -> None:
        """The mode of a folder that is not ours does not change."""
        tmp_path.chmod(0o755)
        open_store(f"sqlite:///{tmp_path}/a.db", new_key()).close()
        assert tmp_path.stat().st_mode & 0o777 == 0o755

    @pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o660])
    def test_a_shared_store_is_refused(self, place: SQLiteBackend, mode: int) -> None:
        """A store that others may read or write is refused with the command that mends it."""
        place.open().close()
        place.path.chmod(mode)
        with one_line(StoreUnavailable, "open to other users", f"Run: chmod 600 {place.path}"):
            place.open()
        place.path.chmod(0o600)
        place.open()

    def test_the_command_can_be_pasted(self, tmp_path: Path) -> None:
        """A path with spaces and quotes is quoted for the shell."""
        path = tmp_path / "it's here" / "tokens.db"
        path.parent.mkdir()
        path.touch(0o644)
        with pytest.raises(StoreUnavailable, match="chmod 600 '.*it'\"'\"'s here/tokens.db'"):
            open_store(f"sqlite:///{path}", new_key())

    def test_a_folder_in_its_place_is_refused(self, tmp_path: Path) -> None:
        """A folder where the file should be is told."""
        with pytest.raises(StoreUnavailable, match="is not a file"):
            open_store(f"sqlite:///{tmp_path}", new_key())

    def test_a_file_in_the_folders_place_is_told(self, tmp_path: Path) -> None:
        """A file where the folder should be is told."""
        (tmp_path / "file").touch()
        with one_line(StoreUnavailable, "cannot create the folder", "Check the disk"):
            open_store(f"sqlite:///{tmp_path}/file/tokens.db", new_key())


class TestKeyFile:
    """The key that nobody had to think of."""

    def test_a_new_store_gets_a_key_file(self, tmp_path: Path) -> None:
        """The key file is 0600 in a folder 0700, and opens the store again."""
        key_file = tmp_path / "config" / "store.key"
        first = keys.load(key_file, create=True)
        assert keys.load(key_file, create=True).primary == first.primary
        assert key_file.stat().st_mode & 0o777 == 0o600
        assert key_file.parent.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in key_file.parent.iterdir()] == ["store.key"]

    def test_a_missing_key_file_is_told(self, place: SQLiteBackend, tmp_path: Path) -> None:
        """A store whose key file is gone is not opened, and no new key is made."""
        key_file = tmp_path / "store.key"
        place.open_with(lambda new: keys.load(key_file, create=new))
        key_file.unlink()
        with one_line(StoreKeyError, str(key_file), "is missing", "token_store_key"):
            place.open_with(lambda new: keys.load(key_file, create=new))
        assert not key_file.exists()

    def test_the_default_key_file_is_used(
        self, place: SQLiteBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a key setting, the key file of the user's config folder opens the store."""
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        store = open_store(place.url, None)
        assert keys.default_key_file().is_file()
        assert store.cipher.primary == keys.load(keys.default_key_file(), create=False).primary
        store.close()

    def test_a_shared_key_file_is_refused(self, tmp_path: Path) -> None:
        """A key that others may read is refused with the command that mends it."""
        key_file = tmp_path / "store.key"
        key_file.write_text(new_key())
        key_file.chmod(0o644)
        with one_line(StoreUnavailable, "open to other users", f"chmod 600 {key_file}"):
            keys.load(key_file, create=False)

    def test_an_empty_key_file_is_told(self, tmp_path: Path) -> None:
        """A key file without a key is told, not replaced."""
        key_file = tmp_path / "store.key"
        key_file.touch(0o600)
        with one_line(StoreKeyError, "is empty"):
            keys.load(key_file, create=True)

    def test_a_malformed_key_is_not_shown(self, tmp_path: Path) -> None:
        """A key that is none is told without being shown."""
        key_file = tmp_path / "store.key"
        key_file.touch(0o600)
        for text in ("SECRET", "SECRET\u00e9", new_key() + ",SECRET"):
            key_file.write_text(text)
            with pytest.raises(ConfigurationError) as caught:
                keys.load(key_file, create=False)
            assert "SECRET" not in str(caught.value)

    def test_a_broken_rotation_loses_no_key(self, place: SQLiteBackend, tmp_path: Path) -> None:
        """If the store refuses, the key file still has its key, also after a second try."""
        key_file = tmp_path / "store.key"
        store = place.open_with(lambda new: keys.load(key_file, create=new))
        record = stored(store)
        place.sql("UPDATE connections SET payload = 'x' || payload")
        for _ in range(2):
            with pytest.raises(StoreDamaged):
                keys.rotate(store, key_file)
        place.sql("UPDATE connections SET payload = substr(payload, 2)")
        reader = place.open_with(lambda _: keys.load(key_file, create=False))
        assert reader.read("acme") == store.read("acme") == record

    def test_rotating_one_store_keeps_the_other(self, tmp_path: Path) -> None:
        """Two stores that share the key file survive each other's rotations."""
        key_file = tmp_path / "store.key"
        one, two = SQLiteBackend(tmp_path / "1"), SQLiteBackend(tmp_path / "2")
        store = one.open_with(lambda new: keys.load(key_file, create=new))
        stored(two.open_with(lambda new: keys.load(key_file, create=new)))
        for _ in range(3):
            keys.rotate(store, key_file)
        other = two.open_with(lambda _: keys.load(key_file, create=False))
        assert other.read("acme") == full_record()
        one.close()
        two.close()


class TestDamage:
    """Files that are not what they should be."""

    def test_random_bytes(self, place: SQLiteBackend) -> None:
        """A file of noise is no store, and is left as it is."""
        noise = random.Random(1).randbytes(20_000)
        place.path.parent.mkdir()
        place.path.write_bytes(noise)
        place.path.chmod(0o600)
        with one_line(StoreDamaged, str(place.path), "no SQLite file", "backup"):
            place.open()
        assert place.path.read_bytes() == noise

    @pytest.mark.parametrize("kept", [100, 2_000, 4_096, 10_000, 0.5, 0.9])
    def test_a_truncated_file(self, place: SQLiteBackend, kept: float) -> None:
        """A file that lost its end is told as damage, wherever it was cut."""
        store = place.open()
        for number in range(50):
            stored(store, f"c{number:02}", app_secret="x" * 2_000)
        store.close()
        content = place.path.read_bytes()
        size = int(kept if kept > 1 else len(content) * kept)
        place.path.write_bytes(content[:size])
        with one_line(StoreDamaged, str(place.path), "damaged"):
            place.open().records()

    def test_an_overwritten_page(self, place: SQLiteBackend) -> None:
        """A store with a page of zeros in its middle is told as damage."""
        store = place.open()
        stored(store)
        store.close()
        ((page,),) = place.sql("SELECT rootpage FROM sqlite_master WHERE name = 'connections'")
        with place.path.open("r+b") as file:
            file.seek((page - 1) * 4_096)
            file.write(b"\xff" * 4_096)
        with one_line(StoreDamaged, "is damaged"):
            place.open().records()

    @pytest.mark.parametrize(
        "statement",
        ["CREATE TABLE t (x)", "CREATE TABLE meta (name, value)", "PRAGMA application_id = 77"],
    )
    def test_another_programs_database(self, place: SQLiteBackend, statement: str) -> None:
        """Someone else's SQLite database is refused, and nothing is created in it."""
        place.path.parent.mkdir()
        place.path.touch(0o600)
        place.sql(statement)
        before = place.path.read_bytes()
        with one_line(StoreDamaged, "some other program's database", "another path"):
            place.open()
        assert place.path.read_bytes() == before

    def test_a_missing_table(self, place: SQLiteBackend) -> None:
        """A store that lost a table is told as damage."""
        store = place.open()
        place.sql("DROP TABLE connections")
        with one_line(StoreDamaged, "backup"):
            store.records()

    def test_an_empty_file_is_a_new_store(self, place: SQLiteBackend) -> None:
        """A file made in advance, as `mktemp` does, becomes a store."""
        place.path.parent.mkdir()
        place.path.touch(0o600)
        assert place.open().records() == []


class TestPermissions:
    """Files that cannot be written, for a user whom permissions bind."""

    def test_a_read_only_file(self, folder: Path) -> None:
        """A store that cannot be written to is told."""
        key = new_key()
        path = folder / "tokens.db"
        open_store(f"sqlite:///{path}", key).close()
        give_to_ordinary_user(path)
        path.chmod(0o400)
        kind, line = work_as_ordinary_user(f"sqlite:///{path}", key)
        assert kind == "StoreUnavailable"
        assert line.startswith(f"the token store {path} cannot be ")
        assert "Check its permissions: ls -l" in line

    def test_a_read_only_folder(self, folder: Path) -> None:
        """A store in a folder that cannot be written to is told."""
        key = new_key()
        path = folder / "tokens.db"
        open_store(f"sqlite:///{path}", key).close()
        give_to_ordinary_user(folder, path)
        folder.chmod(0o500)
        kind, line = work_as_ordinary_user(f"sqlite:///{path}", key)
        assert kind == "StoreUnavailable"
        assert line.startswith(f"the token store {path} cannot be ")

    def test_a_new_store_in_a_read_only_folder(self, folder: Path) -> None:
        """A store that cannot be created is told."""
        give_to_ordinary_user(folder)
        folder.chmod(0o500)
        kind, line = work_as_ordinary_user(f"sqlite:///{folder}/tokens.db", new_key())
        assert kind == "StoreUnavailable"
        assert line == (
            f"cannot write {folder}/tokens.db: Permission denied. "
            "Check the disk and the permissions."
        )

    def test_a_folder_that_cannot_be_entered(self, folder: Path) -> None:
        """A folder that may not be looked into is told without a traceback."""
        inner = folder / "inner"
        inner.mkdir(mode=0o700)
        give_to_ordinary_user(inner)
        inner.chmod(0)
        for url in (f"sqlite:///{inner}/tokens.db", f"sqlite:///{inner}/deep/tokens.db"):
            kind, line = work_as_ordinary_user(url, new_key())
            assert kind == "StoreUnavailable"
            assert "Permission denied" in line
        inner.chmod(0o700)


class TestFullDisk:
    """No room for another page."""

    def test_a_full_disk(self, place: SQLiteBackend) -> None:
        """When SQLite can get no further page, the line says so and what is stored stays."""
        database = SQLite(place.path)
        store = SqlStore(database, lambda _: Cipher.from_text(place.key))
        record = stored(store)
        database._connection.execute("PRAGMA max_page_count = 12")
        with one_line(StoreUnavailable, "the disk is full", "Make room"):
            store.commit(renewed(record, "x" * 100_000), None)
        assert store.read("acme") == record
        store.close()
        assert place.open().read("acme") == record

    def test_the_system_refuses_to_write(self, folder: Path) -> None:
        """When the system lets no file grow, the line says so, and the store is not damaged."""
        key = new_key()
        path = folder / "tokens.db"
        open_store(f"sqlite:///{path}", key).close()
        give_to_ordinary_user(folder, path)
        kind, line = work_as_ordinary_user(f"sqlite:///{path}", key, largest_file=150_000)
        assert kind == "StoreUnavailable"
        assert line.startswith(f"the token store {path} cannot ")
        store = open_store(f"sqlite:///{path}", key)
        assert 0 < len(store.records()) < 99
        store.close()


class TestOthers:
    """Other programs and other processes."""

    def test_locked_by_another_program(self, place: SQLiteBackend) -> None:
        """A store that another program keeps locked is told; reading still works."""
        record = stored(place.open())
        store = SqlStore(
            SQLite(place.path, busy_timeout=0.05), lambda _: Cipher.from_text(place.key)
        )
        with closing(sqlite3.connect(place.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with one_line(StoreUnavailable, "locked by another program", "backup"):
                store.check_writable()
            assert store.read("acme") == record
            other.execute("ROLLBACK")
        store.check_writable()
        store.close()

    def test_a_forked_child_has_its_own_connection(self, place: SQLiteBackend) -> None:
        """A child made by fork reads and writes, and its parent goes on."""
        store = place.open()
        record = stored(store)
        child = os.fork()
        if child == 0:
            done = store.read("acme") == record and store.commit(renewed(record), None)
            os._exit(0 if done else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store.read("acme") == renewed(record)
        assert store.commit(renewed(renewed(record), "act.3"), None)

    def test_the_transaction_of_a_killed_process_is_undone(self, place: SQLiteBackend) -> None:
        """A process killed in the middle of a transaction leaves the store as it was."""
        store = place.open()
        record = stored(store)
        child = os.fork()
        if child == 0:
            with SQLite(place.path).writing() as cursor:
                cursor.execute("DELETE FROM connections")
                os._exit(9)
        os.waitpid(child, 0)
        assert place.open().read("acme") == record
        store.check_writable()


@pytest.mark.parametrize(
    "url",
    ["sqlite://tokens.db", "sqlite:///tokens.db", "sqlite:////", "mysql://host/db", "tokens.db", ""],
)
def test_other_addresses_are_refused(url: str) -> None:
    """An address that is none of the documented forms is refused, with the forms."""
    with pytest.raises(ConfigurationError, match="token_store.*sqlite:////absolute/path.db"):
        sqlite_path(url)
