"""Pending logins, sealing and keys, the same on every database; and the key file."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import Event
from tap_tiktok_auth.errors import (
    ConfigurationError,
    StoreDamaged,
    StoreError,
    StoreKeyError,
    StoreUnavailable,
)
from tap_tiktok_auth.store import keys, open_store
from tap_tiktok_auth.store.keys import Cipher, new_key
from tests.store.backends import SQLiteBackend
from tests.store.expect import one_line
from tests.store.samples import SECRETS, full_record, login, renewed, stored

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.store import Store
    from tests.store.backends import Backend


class TestLogins:
    """Logins between their beginning and their callback."""

    def test_a_login_is_taken_once(self, store: Store, backend: Backend) -> None:
        """A login comes back with every field, to another process too, once, for its state."""
        begun = login(begun_at=store.now())
        store.begin_login("state", begun)
        assert store.take_login("State", 600) is None
        assert backend.open().take_login("state", 600) == begun
        assert store.take_login("state", 600) is None

    def test_an_old_login_is_gone(self, store: Store) -> None:
        """A login that is older than allowed is not returned, and deleted."""
        store.begin_login("state", login(begun_at=store.now() - 601))
        assert store.take_login("state", 600) is None
        assert store.take_login("state", 6_000) is None

    def test_swapped_logins_are_detected(self, store: Store, backend: Backend) -> None:
        """A login put in another's place does not come back as that other."""
        store.begin_login("one", login(begun_at=store.now()))
        store.begin_login("two", login(begun_at=store.now(), connection="other"))
        backend.sql("UPDATE pending_logins SET payload = (SELECT min(payload) FROM pending_logins)")
        taken = 0
        for state in ("one", "two"):
            try:
                taken += store.take_login(state, 600) is not None
            except StoreDamaged:
                continue
        assert taken == 1

    def test_a_missing_key_does_not_cost_the_login(self, store: Store, backend: Backend) -> None:
        """A process without the new key fails to take a login, which stays for one that has it."""
        store.begin_login("state", login(begun_at=store.now()))
        old = backend.open()
        store.rotate_key(Cipher.from_text(f"{new_key()},{backend.key}"))
        with pytest.raises(StoreKeyError):
            old.take_login("state", 600)
        assert store.take_login("state", 600) is not None


class TestSealing:
    """What is secret is sealed, and bound to its row."""

    def test_no_secret_is_in_the_clear(self, store: Store, backend: Backend) -> None:
        """Neither the files nor a dump hold a token, an app secret, a verifier or a state."""
        event = Event("refreshed", "acme", store.fingerprint(SECRETS[0]))
        assert store.commit(full_record(), None, events=[event])
        store.begin_login("STATE-SECRET", login(begun_at=store.now()))
        raw = backend.raw()
        assert b"acme" in raw
        for secret in (*SECRETS, "STATE-SECRET", backend.key):
            assert secret.encode() not in raw

    def test_swapped_payloads_are_detected(self, store: Store, backend: Backend) -> None:
        """The tokens of one connection do not pass as those of another, nor old ones as new."""
        record = stored(store)
        stored(store, "other")
        ((old,),) = backend.sql("SELECT payload FROM connections WHERE name = 'acme'")
        other = "(SELECT payload FROM connections WHERE name = 'other')"
        backend.sql(f"UPDATE connections SET payload = {other}")
        assert store.read("other") == full_record("other")
        with pytest.raises(
            StoreDamaged, match=r"^connection acme: .*belongs elsewhere.*forget acme"
        ):
            store.read("acme")
        backend.sql(f"UPDATE connections SET payload = '{old}' WHERE name = 'acme'")
        assert store.commit(renewed(record), None)
        backend.sql(f"UPDATE connections SET payload = '{old}' WHERE name = 'acme'")
        with pytest.raises(StoreDamaged, match=r"^connection acme: "):
            store.read("acme")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("payload = ''", "is damaged"),
            ("payload = '{id}:'", "is damaged"),
            ("payload = '{id}:gAAAA'", "is damaged"),
            ("app_id = '2'", "belongs elsewhere"),
            ("api = '2'", ""),
            ("generation = '2'", "belongs elsewhere"),
        ],
    )
    def test_a_damaged_row_is_told(
        self, store: Store, backend: Backend, change: str, said: str
    ) -> None:
        """A row that is damaged is told as such, not as a wrong key, and can be forgotten."""
        stored(store)
        backend.sql(f"UPDATE connections SET {change.replace('{id}', store.cipher.primary)}")
        with pytest.raises(StoreDamaged, match=f"^connection acme: .*{said}"):
            store.read("acme")
        assert store.forget("acme")
        assert store.commit(full_record(), None)

    def test_hashes_are_keyed_and_shared(
        self, store: Store, backend: Backend, tmp_path: Path
    ) -> None:
        """All users of one store hash alike, and users of another differently."""
        assert store.digest("x") == backend.open().digest("x")
        with closing(SQLiteBackend(tmp_path / "other")) as other:
            assert store.digest("x") != other.open().digest("x")
        assert len(store.digest("x")) == 64
        assert store.fingerprint("x") == store.digest("x")[:16]
        assert store.fingerprint("") is None


class TestKeys:
    """The store's key, and its change."""

    def test_a_wrong_key_is_told_at_once(self, store: Store, backend: Backend) -> None:
        """Opening with a wrong key fails, even if the store is empty."""
        del store
        with pytest.raises(StoreKeyError, match=r"key does not fit.*token_store_key"):
            backend.open(new_key())

    def test_several_keys_open(self, store: Store, backend: Backend) -> None:
        """The key of the store may stand behind another one, which then does not seal yet."""
        record = stored(store)
        other = backend.open(f"{new_key()},{backend.key}")
        assert other.read("acme") == record
        assert other.commit(renewed(record), None)
        assert store.read("acme") == renewed(record)

    def test_rotation_seals_everything_again(self, store: Store, backend: Backend) -> None:
        """After a rotation the new key alone opens everything, and the old one nothing."""
        record = stored(store)
        begun = login(begun_at=store.now())
        store.begin_login("state", begun)
        before = store.digest("x")
        new = new_key()
        assert store.rotate_key(Cipher.from_text(f"{new},{backend.key}")) == 1
        fresh = backend.open(new)
        assert fresh.read("acme") == store.read("acme") == record
        assert fresh.take_login("state", 600) == begun
        assert fresh.digest("x") == before
        with pytest.raises(StoreKeyError):
            backend.open(backend.key)

    def test_rotation_needs_the_present_key(self, store: Store, backend: Backend) -> None:
        """A rotation to keys that do not open the store changes nothing."""
        record = stored(store)
        with pytest.raises(StoreKeyError):
            store.rotate_key(Cipher.from_text(new_key()))
        assert store.read("acme") == record
        assert backend.open().read("acme") == record

    def test_an_open_store_loads_the_new_key(self, backend: Backend) -> None:
        """A process whose key file was changed goes on reading and writing; without it neither."""
        texts = [backend.key]
        reader, writer = (backend.open_with(lambda _: Cipher.from_text(texts[0])) for _ in "12")
        other, old = backend.open(), backend.open()
        record = stored(reader)
        texts[0] = f"{new_key()},{backend.key}"
        other.rotate_key(Cipher.from_text(texts[0]))
        assert reader.read("acme") == record
        with pytest.raises(StoreKeyError, match="key was changed"):
            old.commit(renewed(record), None)
        assert writer.commit(renewed(record), None)
        assert backend.open(texts[0].partition(",")[0]).read("acme") == renewed(record)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return the place of a key file."""
    return tmp_path / "config" / "store.key"


def opened(place: Backend, key_file: Path) -> Store:
    """Open a store with a key file, which is made for a new store."""
    return place.open_with(lambda new: keys.load(key_file, create=new))


class TestKeyFile:
    """The key that nobody had to think of."""

    def test_a_new_store_gets_a_key_file(self, key_file: Path) -> None:
        """The key file is 0600 in a folder 0700, and opens the store again."""
        first = keys.load(key_file, create=True)
        assert keys.load(key_file, create=True).primary == first.primary
        assert key_file.stat().st_mode & 0o777 == 0o600
        assert key_file.parent.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in key_file.parent.iterdir()] == ["store.key"]

    def test_a_missing_key_file_is_told(self, sqlite: SQLiteBackend, key_file: Path) -> None:
        """A store whose key file is gone is not opened, and no new key is made."""
        opened(sqlite, key_file)
        key_file.unlink()
        with one_line(StoreKeyError, str(key_file), "is missing", "token_store_key"):
            opened(sqlite, key_file)
        assert not key_file.exists()

    def test_the_default_key_file_is_used(
        self, sqlite: SQLiteBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a key setting, the key file of the user's config folder opens the store."""
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        store = open_store(sqlite.url, None)
        assert keys.default_key_file().is_file()
        assert store.cipher.primary == keys.load(keys.default_key_file(), create=False).primary
        store.close()

    @pytest.mark.parametrize(
        ("mode", "size", "kind", "words"),
        [
            (0o644, 44, StoreUnavailable, ["open to other users", "chmod 600"]),
            (0o600, 0, StoreKeyError, ["is empty", "Restore it"]),
            (0o600, 50_000_000_000, StoreKeyError, ["is too large"]),
        ],
    )
    def test_a_bad_key_file_is_told(
        self, key_file: Path, mode: int, size: int, kind: type[StoreError], words: list[str]
    ) -> None:
        """A key file that others may read, is empty, or of gigabytes, is told, not replaced."""
        key_file.parent.mkdir()
        key_file.touch()
        key_file.chmod(mode)
        os.truncate(key_file, size)
        with one_line(kind, str(key_file), *words):
            keys.load(key_file, create=True)
        assert key_file.stat().st_size == size

    @pytest.mark.parametrize(
        "text",
        ["SECRET", "SECRET\u00e9", f"{new_key()},SECRET", ","],
        ids=["ascii", "accent", "second", "comma"],
    )
    def test_a_malformed_key_is_not_shown(self, key_file: Path, text: str) -> None:
        """A key that is none is told without being shown."""
        key_file.parent.mkdir()
        key_file.touch(0o600)
        key_file.write_text(text)
        with pytest.raises(ConfigurationError, match="token_store_key is ") as caught:
            keys.load(key_file, create=False)
        assert "SECRET" not in str(caught.value)

    def test_a_broken_rotation_loses_no_key(self, sqlite: SQLiteBackend, key_file: Path) -> None:
        """If the store refuses, the key file still has its key, also after a second try."""
        store = opened(sqlite, key_file)
        record = stored(store)
        sqlite.sql("UPDATE connections SET payload = 'x' || payload")
        for _ in range(2):
            with pytest.raises(StoreDamaged):
                keys.rotate(store.rotate_key, key_file)
        sqlite.sql("UPDATE connections SET payload = substr(payload, 2)")
        assert opened(sqlite, key_file).read("acme") == store.read("acme") == record

    def test_rotating_one_store_keeps_the_other(self, tmp_path: Path, key_file: Path) -> None:
        """Two stores that share the key file survive each other's rotations."""
        one, two = SQLiteBackend(tmp_path / "1"), SQLiteBackend(tmp_path / "2")
        store = opened(one, key_file)
        stored(opened(two, key_file))
        for _ in range(3):
            keys.rotate(store.rotate_key, key_file)
        assert opened(two, key_file).read("acme") == full_record()
        one.close()
        two.close()
