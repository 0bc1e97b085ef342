"""Pending logins, sealing and keys, the same on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import Event
from tap_tiktok_auth.errors import StoreDamaged, StoreKeyError
from tap_tiktok_auth.store.keys import Cipher, new_key
from tests.store.samples import SECRETS, full_record, login, renewed, stored

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Store
    from tests.store.backends import Backend


class TestLogins:
    """Logins between their beginning and their callback."""

    def test_a_login_is_taken_once(self, store: Store, backend: Backend) -> None:
        """A login comes back with every field, to another process too, and only once."""
        begun = login(begun_at=store.now())
        store.begin_login("state", begun)
        assert backend.open().take_login("state", 600) == begun
        assert store.take_login("state", 600) is None

    def test_another_state_takes_nothing(self, store: Store) -> None:
        """A callback with a wrong state gets nothing and spends nothing."""
        store.begin_login("state", login(begun_at=store.now()))
        assert store.take_login("State", 600) is None
        assert store.take_login("state", 600) is not None

    def test_an_old_login_is_gone(self, store: Store) -> None:
        """A login that is older than allowed is not returned, and deleted."""
        store.begin_login("state", login(begun_at=store.now() - 601))
        assert store.take_login("state", 600) is None
        assert store.take_login("state", 6_000) is None

    def test_the_state_is_not_stored(self, store: Store, backend: Backend) -> None:
        """What a callback has to prove is only there as a hash."""
        store.begin_login("STATE-SECRET", login(begun_at=store.now()))
        assert b"STATE-SECRET" not in backend.raw()

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
        both = Cipher.from_text(f"{new_key()},{backend.key}")
        store.rotate_key(both)
        with pytest.raises(StoreKeyError):
            old.take_login("state", 600)
        assert store.take_login("state", 600) is not None


class TestSealing:
    """What is secret is sealed, and bound to its row."""

    def test_no_secret_is_in_the_clear(self, store: Store, backend: Backend) -> None:
        """Neither the files nor a dump hold a token, an app secret or a verifier."""
        event = Event("refreshed", "acme", store.fingerprint(SECRETS[0]))
        assert store.commit(full_record(), None, events=[event])
        store.begin_login("STATE-SECRET", login(begun_at=store.now()))
        raw = backend.raw()
        assert b"acme" in raw
        for secret in (*SECRETS, "STATE-SECRET", backend.key):
            assert secret.encode() not in raw

    def test_swapped_payloads_are_detected(self, store: Store, backend: Backend) -> None:
        """The tokens of one connection do not pass as those of another."""
        stored(store)
        stored(store, "other")
        other = "(SELECT payload FROM connections WHERE name = 'other')"
        backend.sql(f"UPDATE connections SET payload = {other}")
        assert store.read("other") == full_record("other")
        with pytest.raises(
            StoreDamaged, match=r"^connection acme: .*belongs elsewhere.*forget acme"
        ):
            store.read("acme")

    @pytest.mark.parametrize("column", ["app_id", "api", "generation"])
    def test_changed_bindings_are_detected(
        self, store: Store, backend: Backend, column: str
    ) -> None:
        """A row whose app, api or generation was changed by hand is not believed."""
        stored(store)
        backend.sql(f"UPDATE connections SET {column} = '2'")
        with pytest.raises(StoreDamaged):
            store.read("acme")

    def test_an_old_payload_is_detected(self, store: Store, backend: Backend) -> None:
        """Tokens of an earlier generation do not pass as the present ones."""
        record = stored(store)
        ((old,),) = backend.sql("SELECT payload FROM connections")
        assert store.commit(renewed(record), None)
        backend.sql(f"UPDATE connections SET payload = '{old}'")
        with pytest.raises(StoreDamaged):
            store.read("acme")

    @pytest.mark.parametrize("payload", ["", "x", "{id}:", "{id}:gAAAA"])
    def test_a_damaged_payload_is_told(self, store: Store, backend: Backend, payload: str) -> None:
        """A payload that is no payload is told as damage, not as a wrong key."""
        stored(store)
        text = payload.replace("{id}", store.cipher.primary)
        backend.sql(f"UPDATE connections SET payload = '{text}'")
        with pytest.raises(StoreDamaged, match=r"^connection acme: .* is damaged"):
            store.read("acme")

    def test_a_payload_of_an_unknown_key_is_told(self, store: Store, backend: Backend) -> None:
        """A payload that was sealed with another key than the store's is its row's damage."""
        stored(store)
        backend.sql("UPDATE connections SET payload = '0123456789abcdef:gAAAA'")
        with pytest.raises(StoreDamaged, match=r"^connection acme: .*a key that is not there"):
            store.read("acme")

    def test_a_damaged_row_can_be_forgotten(self, store: Store, backend: Backend) -> None:
        """The command that the message names mends a damaged row."""
        stored(store)
        backend.sql("UPDATE connections SET payload = 'x', spent_seeds = 'y'")
        assert store.forget("acme")
        assert store.commit(full_record(), None)

    def test_a_damaged_column_is_told(self, store: Store, backend: Backend) -> None:
        """A column that holds what this program never wrote is told as damage."""
        stored(store)
        backend.sql("UPDATE connections SET spent_seeds = '{'")
        with pytest.raises(StoreDamaged, match=r"^connection acme: "):
            store.records()

    def test_hashes_are_keyed_and_shared(self, store: Store, backend: Backend) -> None:
        """All users of one store hash alike, and users of another differently."""
        assert store.digest("x") == backend.open().digest("x")
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
        """A process whose key file was changed goes on reading and writing."""
        keys = [backend.key]
        running = backend.open_with(lambda _: Cipher.from_text(keys[0]))
        other = backend.open()
        record = stored(running)
        keys[0] = f"{new_key()},{backend.key}"
        other.rotate_key(Cipher.from_text(keys[0]))
        assert running.read("acme") == record
        assert running.commit(renewed(record), None)
        assert backend.open(keys[0].partition(",")[0]).read("acme") == renewed(record)

    def test_without_the_new_key_nothing_is_written(self, store: Store, backend: Backend) -> None:
        """A process that cannot know the new key fails before it seals with the old one."""
        record = stored(store)
        old = backend.open()
        store.rotate_key(Cipher.from_text(f"{new_key()},{backend.key}"))
        with pytest.raises(StoreKeyError, match="key was changed"):
            old.commit(renewed(record), None)
        assert store.read("acme") == record
