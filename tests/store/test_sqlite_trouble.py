"""What goes wrong with files, provoked for real: one clear line each."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import (
    StoreDamaged,
    StoreTooNew,
    StoreUnavailable,
)
from tap_tiktok_auth.store import open_store, schema
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.backends import SQLiteBackend
from tests.store.forks import forked
from tests.store.ordinary_user import give_to_ordinary_user, work_as_ordinary_user
from tests.store.samples import renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

from tests.store.expect import one_line


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

    @pytest.mark.parametrize("version", [str(schema.VERSION + 1), "99"])
    def test_a_newer_schema(self, place: SQLiteBackend, version: str) -> None:
        """A store of a newer version is refused and left as it is."""
        place.open().close()
        place.sql(f"UPDATE meta SET value = '{version}' WHERE name = 'schema_version'")
        before = place.path.read_bytes()
        with one_line(StoreTooNew, "newer tap-tiktok-auth", "pip install --upgrade"):
            place.open()
        assert place.path.read_bytes() == before

    def test_a_schema_version_that_is_no_number(self, place: SQLiteBackend) -> None:
        """A version that this program never wrote is told as damage."""
        place.open().close()
        place.sql("UPDATE meta SET value = 'x' WHERE name = 'schema_version'")
        with pytest.raises(StoreDamaged, match="schema version is not a number"):
            place.open()

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
        for file in (folder, *folder.iterdir()):
            os.chown(file, os.geteuid(), -1)  # what is another user's is not opened
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
        database = store._database  # type: ignore[attr-defined]
        parents = database._connection

        def work() -> bool:
            done = store.read("acme") == record and store.commit(renewed(record), None)
            return done and database._connection is not parents

        assert forked(work)
        assert store.read("acme") == renewed(record)
        assert store.commit(renewed(renewed(record), "act.3"), None)

    def test_the_transaction_of_a_killed_process_is_undone(self, place: SQLiteBackend) -> None:
        """A process killed in the middle of a transaction leaves the store as it was."""
        store = place.open()
        record = stored(store)

        def die_in_a_transaction() -> bool:
            with SQLite(place.path).writing() as cursor:
                cursor.execute("DELETE FROM connections")
                os.kill(os.getpid(), signal.SIGKILL)
            return True

        assert not forked(die_in_a_transaction)
        assert place.open().read("acme") == record
        store.check_writable()
