"""Files and folders for one user's eyes only, and the key that nobody had to think of."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import (
    ConfigurationError,
    StoreDamaged,
    StoreKeyError,
    StoreUnavailable,
)
from tap_tiktok_auth.store import keys, open_store, sqlite_path
from tap_tiktok_auth.store.keys import new_key
from tests.store.backends import SQLiteBackend
from tests.store.samples import full_record, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


from tests.store.expect import one_line


@pytest.fixture
def place(tmp_path: Path) -> Iterator[SQLiteBackend]:
    """Return an empty place for a SQLite store."""
    place = SQLiteBackend(tmp_path)
    yield place
    place.close()


class TestModes:
    """For one user's eyes only."""

    def test_files_and_folders_are_private(self, place: SQLiteBackend) -> None:
        """The folder is 0700 and every file in it 0600, in use, whatever the umask."""
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
        with pytest.raises(StoreUnavailable, match=r"chmod 600 '.*it'.*s here/tokens.db'"):
            open_store(f"sqlite:///{path}", new_key())

    def test_a_folder_in_its_place_is_refused(self, tmp_path: Path) -> None:
        """A folder where the file should be is told."""
        with pytest.raises(StoreUnavailable, match="is not a file"):
            open_store(f"sqlite:///{tmp_path}", new_key())

    def test_a_file_in_the_folders_place_is_told(self, tmp_path: Path) -> None:
        """A file where the folder should be is told."""
        (tmp_path / "file").touch()
        with one_line(StoreUnavailable, "Not a directory", "Check the disk"):
            open_store(f"sqlite:///{tmp_path}/file/tokens.db", new_key())


def _nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid


class TestOwners:
    """What another user owns, or may put in place of it, is not believed."""

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    @pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
    def test_another_users_store_is_refused(self, place: SQLiteBackend, end: str) -> None:
        """A store, or a log that SQLite would believe, of another user is refused, also by root."""
        stored(place.open())
        file = place.path.with_name(place.path.name + end)
        file.touch(0o600)
        os.chown(file, _nobody(), -1)
        with one_line(StoreUnavailable, f"number {_nobody()}", f"chown 0 {file}"):
            place.open()
        assert file.exists()
        os.chown(file, 0, -1)
        assert place.open().read("acme") == full_record()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_another_users_key_file_is_refused(self, tmp_path: Path) -> None:
        """A key that another user may know, or a link of theirs to one, is refused."""
        key_file, link = tmp_path / "store.key", tmp_path / "link.key"
        keys.load(key_file, create=True)
        link.symlink_to(key_file)
        os.chown(link, _nobody(), -1, follow_symlinks=False)
        with one_line(StoreUnavailable, "belongs to another user"):
            keys.load(link, create=False)
        os.chown(key_file, _nobody(), -1)
        with one_line(StoreUnavailable, f"chown 0 {key_file}"):
            keys.load(key_file, create=True)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    @pytest.mark.parametrize("up", [0, 1, 2])
    def test_another_users_folder_that_everybody_writes_to(self, tmp_path: Path, up: int) -> None:
        """A volume that is open to everybody will do; one that is another user's will not."""
        path, key = tmp_path / "a" / "b" / "tokens.db", new_key()
        open_store(f"sqlite:///{path}", key).close()
        folder = path.parents[up]
        folder.chmod(0o777)
        open_store(f"sqlite:///{path}", key).close()
        os.chown(folder, _nobody(), -1)
        with one_line(StoreUnavailable, "belongs to another user", f"chown 0 {folder}"):
            open_store(f"sqlite:///{path}", key)
        with one_line(StoreUnavailable, "belongs to another user", f"chown 0 {folder}"):
            keys.load(path.parent / "store.key", create=True)
        os.chown(folder, 0, -1)

    def test_a_folder_for_temporary_files_will_do(self, tmp_path: Path) -> None:
        """In a sticky folder nobody replaces what is ours."""
        tmp_path.chmod(0o1777)
        for path in (tmp_path / "tokens.db", tmp_path / "ours" / "tokens.db"):
            open_store(f"sqlite:///{path}", new_key()).close()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_what_others_made_there_before_us_will_not(self, tmp_path: Path) -> None:
        """A folder in a sticky one, or the sticky one itself, must not belong to another user."""
        folder = tmp_path / "all" / "theirs"
        path = folder / "deep" / "tokens.db"
        open_store(f"sqlite:///{path}", new_key()).close()
        folder.parent.chmod(0o1777)
        for theirs in (folder, folder.parent):
            os.chown(theirs, _nobody(), -1)
            with one_line(StoreUnavailable, f"chown 0 {theirs}"):
                open_store(f"sqlite:///{path}", new_key())
            os.chown(theirs, 0, -1)


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

    def test_a_huge_key_file_is_not_read(self, tmp_path: Path) -> None:
        """A file of gigabytes in the key file's place is told at once."""
        key_file = tmp_path / "store.key"
        key_file.touch(0o600)
        os.truncate(key_file, 50_000_000_000)
        with one_line(StoreKeyError, "is too large"):
            keys.load(key_file, create=False)

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


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://tokens.db",
        "sqlite:///tokens.db",
        "sqlite:////",
        "mysql://host/db",
        "tokens.db",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """An address that is none of the documented forms is refused, with the forms."""
    with pytest.raises(ConfigurationError, match=r"token_store.*sqlite:////absolute/path.db"):
        sqlite_path(url)
