"""The files of a SQLite store: for one user's eyes only, and one clear line for what is wrong."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import ConfigurationError, StoreDamaged, StoreTooNew, StoreUnavailable
from tap_tiktok_auth.store import keys, open_store, schema, sqlite_path
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.backends import SQLiteBackend
from tests.store.expect import one_line
from tests.store.forks import forked
from tests.store.ordinary_user import give_to_ordinary_user, work_as_ordinary_user
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = new_key()
NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that an ordinary user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def make(path: Path) -> None:
    """Make a store, or open the one that is there."""
    open_store(f"sqlite:///{path}", KEY).close()


def overwrite(place: SQLiteBackend, content: bytes) -> None:
    """Write this in the place of a store."""
    place.path.parent.mkdir(exist_ok=True)
    place.path.touch(0o600)
    place.path.write_bytes(content)


class TestModes:
    """For one user's eyes only."""

    def test_files_and_folders_are_private(self, sqlite: SQLiteBackend) -> None:
        """The folder is 0700 and every file in it 0600, in use, whatever the umask."""
        former = os.umask(0)
        try:
            stored(sqlite.open())
        finally:
            os.umask(former)
        files = list(sqlite.path.parent.iterdir())
        assert {file.name for file in files} == {"tokens.db", "tokens.db-wal", "tokens.db-shm"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert sqlite.path.parent.stat().st_mode & 0o777 == 0o700

    def test_a_folder_that_exists_is_left_alone(self, tmp_path: Path) -> None:
        """The mode of a folder that is not ours does not change."""
        tmp_path.chmod(0o755)
        make(tmp_path / "a.db")
        assert tmp_path.stat().st_mode & 0o777 == 0o755

    @pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o660])
    def test_a_shared_store_is_refused(self, tmp_path: Path, mode: int) -> None:
        """A store that others may read or write is refused with the command that fixes it."""
        path = tmp_path / "it's here" / "tokens.db"
        make(path)
        path.chmod(mode)
        quoted = str(path).replace("'", "'\"'\"'")
        with one_line(StoreUnavailable, "open to other users", f"Run: chmod 600 '{quoted}'"):
            make(path)
        path.chmod(0o600)
        make(path)

    @pytest.mark.parametrize(
        ("path", "said"), [("", "is not a file"), ("file/tokens.db", "Not a directory. Check the")]
    )
    def test_what_is_no_file_is_told(self, tmp_path: Path, path: str, said: str) -> None:
        """A folder where the file should be is told, and a file where the folder should be."""
        (tmp_path / "file").touch()
        with pytest.raises(StoreUnavailable, match=said):
            make(tmp_path / path)

    @pytest.mark.parametrize(
        "url",
        ["sqlite://tokens.db", "sqlite:///tokens.db", "sqlite:////", "mysql://host/db", "a.db", ""],
    )
    def test_other_addresses_are_refused(self, url: str) -> None:
        """An address that is none of the documented forms is refused, with the forms."""
        with pytest.raises(ConfigurationError, match=r"token_store.*sqlite:////absolute/path.db"):
            sqlite_path(url)


class TestOwners:
    """What another user owns, or may put in place of it, is not believed."""

    @as_root
    @pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
    def test_another_users_store_is_refused(self, sqlite: SQLiteBackend, end: str) -> None:
        """A store, or a log that SQLite would believe, of another user is refused, also by root."""
        stored(sqlite.open())
        file = sqlite.path.with_name(sqlite.path.name + end)
        file.touch(0o600)
        os.chown(file, NOBODY, -1)
        with one_line(StoreUnavailable, f"number {NOBODY}", f"chown 0 {file}"):
            sqlite.open()
        assert file.exists()
        os.chown(file, 0, -1)
        assert sqlite.open().read("acme") == full_record()

    @as_root
    def test_another_users_key_file_is_refused(self, tmp_path: Path) -> None:
        """A key that another user may know, or a link of theirs to one, is refused."""
        key_file, link = tmp_path / "store.key", tmp_path / "link.key"
        keys.load(key_file, create=True)
        link.symlink_to(key_file)
        os.chown(link, NOBODY, -1, follow_symlinks=False)
        with one_line(StoreUnavailable, "belongs to another user"):
            keys.load(link, create=False)
        os.chown(key_file, NOBODY, -1)
        with one_line(StoreUnavailable, f"chown 0 {key_file}"):
            keys.load(key_file, create=True)

    @as_root
    @pytest.mark.parametrize("up", [0, 1, 2])
    def test_another_users_folder_that_everybody_writes_to(self, tmp_path: Path, up: int) -> None:
        """A volume that is open to everybody will do; one that is another user's will not."""
        path = tmp_path / "a" / "b" / "tokens.db"
        make(path)
        folder = path.parents[up]
        folder.chmod(0o777)
        make(path)
        os.chown(folder, NOBODY, -1)
        with one_line(StoreUnavailable, "belongs to another user", f"chown 0 {folder}"):
            make(path)
        with one_line(StoreUnavailable, "belongs to another user", f"chown 0 {folder}"):
            keys.load(path.parent / "store.key", create=True)
        os.chown(folder, 0, -1)

    def test_a_folder_for_temporary_files_will_do(self, tmp_path: Path) -> None:
        """In a sticky folder nobody replaces what is ours."""
        tmp_path.chmod(0o1777)
        make(tmp_path / "tokens.db")
        make(tmp_path / "ours" / "tokens.db")

    @as_root
    def test_what_others_made_there_before_us_will_not(self, tmp_path: Path) -> None:
        """A folder in a sticky one, or the sticky one itself, must not belong to another user."""
        folder = tmp_path / "all" / "theirs"
        path, link = folder / "deep" / "tokens.db", tmp_path / "link.db"
        make(path)
        link.symlink_to(path)
        folder.parent.chmod(0o1777)
        for theirs in (folder, folder.parent):
            os.chown(theirs, NOBODY, -1)
            for way in (path, link):
                with one_line(StoreUnavailable, f"chown 0 {theirs}"):
                    make(way)
            os.chown(theirs, 0, -1)

    @pytest.mark.parametrize(
        ("target", "mode", "made", "said"),
        [
            ("s/tokens.db", 0o400, True, "the token store {} cannot be "),
            ("s/tokens.db", 0o400, True, "Check its permissions: ls -l '{}'"),
            ("s", 0o500, True, "the token store {} cannot be "),
            ("s", 0o500, False, "cannot write {}: Permission denied. Check the disk and the perm"),
            ("s", 0, True, "cannot read {}: Permission denied. Check the disk and the permissions"),
            (".", 0, True, "cannot create the folder {}: Permission denied"),
        ],
    )
    def test_a_missing_permission_is_told(
        self, folder: Path, target: str, mode: int, said: str, *, made: bool
    ) -> None:
        """A file or folder that cannot be read or written is told in one line."""
        path = folder / "s" / "tokens.db"
        path.parent.mkdir(0o755)
        if made:
            make(path)
        give_to_ordinary_user(folder / target, *([path] if made else []))
        (folder / target).chmod(mode)
        kind, line = work_as_ordinary_user(f"sqlite:///{path}", KEY)
        (folder / target).chmod(0o700)
        assert kind == "StoreUnavailable"
        assert said.format(path if "folder" not in said else path.parent) in line


class TestDamage:
    """Files that are not what they should be."""

    def test_random_bytes(self, sqlite: SQLiteBackend) -> None:
        """A file of noise is no store, and is left as it is."""
        noise = random.Random(1).randbytes(20_000)
        overwrite(sqlite, noise)
        with one_line(StoreDamaged, str(sqlite.path), "no SQLite file", "backup"):
            sqlite.open()
        assert sqlite.path.read_bytes() == noise

    @pytest.mark.parametrize("kept", [100, 2_000, 4_096, 10_000, 0.5, 0.9])
    def test_a_truncated_file(self, sqlite: SQLiteBackend, kept: float) -> None:
        """A file that lost its end is told as damage, wherever it was cut."""
        store = sqlite.open()
        for number in range(50):
            stored(store, f"c{number:02}", app_secret="x" * 2_000)
        store.close()
        content = sqlite.path.read_bytes()
        overwrite(sqlite, content[: int(kept if kept > 1 else len(content) * kept)])
        with one_line(StoreDamaged, str(sqlite.path), "damaged"):
            sqlite.open().records()

    def test_an_overwritten_page(self, sqlite: SQLiteBackend) -> None:
        """A store with a page of noise in its middle is told as damage."""
        store = sqlite.open()
        stored(store)
        store.close()
        ((page,),) = sqlite.sql("SELECT rootpage FROM sqlite_master WHERE name = 'connections'")
        with sqlite.path.open("r+b") as file:
            file.seek((page - 1) * 4_096)
            file.write(b"\xff" * 4_096)
        with one_line(StoreDamaged, "is damaged"):
            sqlite.open().records()

    @pytest.mark.parametrize(
        "statement",
        ["CREATE TABLE t (x)", "CREATE TABLE meta (name, value)", "PRAGMA application_id = 77"],
    )
    def test_another_programs_database(self, sqlite: SQLiteBackend, statement: str) -> None:
        """Someone else's SQLite database is refused, and nothing is created in it."""
        overwrite(sqlite, b"")
        sqlite.sql(statement)
        before = sqlite.path.read_bytes()
        with one_line(StoreDamaged, "some other program's database", "another path"):
            sqlite.open()
        assert sqlite.path.read_bytes() == before

    def test_a_file_of_a_newer_version_in_its_place(self, sqlite: SQLiteBackend) -> None:
        """A file that was put in the place of an open one is refused by every call."""
        store = sqlite.open()
        newer = SQLiteBackend(sqlite.path.parent)
        newer.open().close()
        newer.sql(f"UPDATE meta SET value = '{schema.VERSION + 1}' WHERE name = 'schema_version'")
        for log in sqlite.path.parent.glob("tokens.db-*"):
            log.unlink()
        newer.path.replace(sqlite.path)
        for _ in range(2):
            with one_line(StoreTooNew, "newer tap-tiktok-auth"):
                store.records()

    def test_an_empty_file_is_a_new_store(self, sqlite: SQLiteBackend) -> None:
        """A file made in advance, as `mktemp` does, becomes a store."""
        overwrite(sqlite, b"")
        assert sqlite.open().records() == []


class TestOthers:
    """A full disk, other programs and other processes."""

    def test_a_full_disk(self, sqlite: SQLiteBackend) -> None:
        """When SQLite can get no further page, the line says so and what is stored stays."""
        database = SQLite(sqlite.path)
        store = SqlStore(database, lambda _: Cipher.from_text(sqlite.key))
        record = stored(store)
        with database.reading() as cursor:
            cursor.execute("PRAGMA max_page_count = 12")
        with one_line(StoreUnavailable, "the disk is full", "Make room"):
            store.commit(renewed(record, "x" * 100_000), None)
        assert store.read("acme") == record
        store.close()
        assert sqlite.open().read("acme") == record

    def test_the_system_refuses_to_write(self, folder: Path) -> None:
        """When the system lets no file grow, the line says so, and the store is not damaged."""
        path = folder / "tokens.db"
        make(path)
        give_to_ordinary_user(folder, path)
        kind, line = work_as_ordinary_user(f"sqlite:///{path}", KEY, largest_file=150_000)
        assert kind == "StoreUnavailable"
        assert line.startswith(f"the token store {path} cannot ")
        for file in (folder, *folder.iterdir()):
            os.chown(file, os.geteuid(), -1)  # what is another user's is not opened
        with closing(open_store(f"sqlite:///{path}", KEY)) as store:
            assert 0 < len(store.records()) < 99

    def test_commits_are_durable(self, sqlite: SQLiteBackend) -> None:
        """A commit is on disk before it returns, with a log that lets others read meanwhile."""
        with closing(SQLite(sqlite.path)) as database, database.reading() as cursor:
            for pragma, value in (("synchronous", 2), ("journal_mode", "wal")):
                cursor.execute(f"PRAGMA {pragma}")
                assert cursor.fetchone() == (value,)

    def test_locked_by_another_program(self, sqlite: SQLiteBackend) -> None:
        """A store that another program keeps locked is told; reading still works."""
        record = stored(sqlite.open())
        database = SQLite(sqlite.path, busy_timeout=0.05)
        with closing(SqlStore(database, lambda _: Cipher.from_text(sqlite.key))) as store:
            with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with one_line(StoreUnavailable, "locked by another program", "backup"):
                    store.check_writable()
                assert store.read("acme") == record
            store.check_writable()

    def test_the_transaction_of_a_killed_process_is_undone(self, sqlite: SQLiteBackend) -> None:
        """A process killed in the middle of a transaction leaves the store as it was."""
        store = sqlite.open()
        record = stored(store)

        def die_in_a_transaction() -> bool:
            with SQLite(sqlite.path).writing() as cursor:
                cursor.execute("DELETE FROM connections")
                os.kill(os.getpid(), signal.SIGKILL)
            return True

        assert not forked(die_in_a_transaction)
        assert sqlite.open().read("acme") == record
        store.check_writable()
