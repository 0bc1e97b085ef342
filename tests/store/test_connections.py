"""Connections and their generations, the same on every database."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import LastError, StoredConnection, Token, TokenRequestMark
from tap_tiktok_auth.errors import StoreDamaged
from tests.store.samples import ACCESS, full_record, renewed, stored

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Claim, Store
    from tests.store.backends import Backend

TTL = 60.0


def take(store: Store, holder: str, *, ttl: float = TTL, dead: str | None = None) -> Claim:
    """Claim the lease of `acme` without any change of what is stored."""
    return store.claim("acme", holder, ttl, lambda record: record or full_record(), dead=dead)


class TestRecords:
    """What is stored comes back."""

    def test_every_field_comes_back(self, store: Store, backend: Backend) -> None:
        """A record with every field set is read unchanged, by the writer and by another."""
        record = stored(store)
        assert store.read("acme") == record
        assert backend.open().read("acme") == record

    def test_a_read_sees_what_others_stored_since(self, store: Store, backend: Backend) -> None:
        """What was read before never stands for another connection or an older state."""
        record, other = stored(store), stored(store, "other")
        assert store.read("acme") == record
        assert store.read("other") == other
        assert store.read("acme") == record
        assert backend.open().commit(renewed(record), None, before=record)
        assert store.read("acme") == renewed(record)

    def test_empty_fields_come_back(self, store: Store) -> None:
        """A record with only its names set is read unchanged."""
        record = StoredConnection(name="acme", api="marketing", app_id="", generation=1)
        assert store.commit(record, None)
        assert store.read("acme") == record

    def test_a_long_term_token_comes_back(self, store: Store) -> None:
        """A token without any timer stays one."""
        record = stored(store, token=Token(ACCESS, issued_at=5.0, long_term=True))
        assert store.read("acme") == record

    def test_unknown_connection_is_none(self, store: Store) -> None:
        """A connection that was never stored is None."""
        assert store.read("nobody") is None

    def test_records_are_sorted_by_name(self, store: Store) -> None:
        """All records come sorted by their code points, whatever the database's language."""
        names = ["b", "A", "a:b", "a", "B", "a-b", "a_b", "ab"]
        for name in names:
            stored(store, name)
        assert [record.name for record in store.records()] == sorted(names)

    def test_strange_text_is_stored(self, store: Store) -> None:
        """A NUL or half of a surrogate pair in TikTok's answer does not keep tokens out."""
        token = Token("act.\0\ud800", issued_at=1.0)
        record = full_record(
            token=token,
            subject_id="a\0b",
            failure=LastError("x\udc00y", 1.0),
            scopes=("\0", "\ud800"),
        )
        assert store.commit(record, None)
        found = store.read("acme")
        assert found is not None
        assert found.token == token
        assert found.scopes == ()
        assert found.subject_id == "a\ufffdb"

    def test_sql_in_a_name_does_nothing(self, store: Store) -> None:
        """A name that looks like SQL or a placeholder is none, and can be forgotten."""
        name = "x'; DROP TABLE connections; -- ? %s %(a)s"
        other = stored(store)
        stored(store, name)
        with pytest.raises(StoreDamaged, match="no connection's name"):
            store.read(name)
        assert store.forget(name)
        assert store.records() == [other]

    def test_repr_shows_no_secret(self, store: Store) -> None:
        """Neither a store nor its cipher shows a key."""
        assert "SECRET" not in repr(stored(store))
        assert repr(store.cipher) == "Cipher(keys=1)"


class TestGenerations:
    """Compare and swap by generation."""

    def test_next_tokens_are_stored_without_lease(self, store: Store) -> None:
        """Tokens of the next generation are stored even by someone who holds no lease."""
        following = renewed(stored(store))
        assert store.commit(following, "whoever")
        assert store.read("acme") == following

    def test_first_tokens_need_no_row(self, store: Store) -> None:
        """The first generation may come before the connection is known."""
        assert store.commit(full_record(generation=1), None)

    def test_a_skipped_generation_is_refused(self, store: Store) -> None:
        """A record that is two generations ahead is not stored."""
        record = stored(store)
        assert not store.commit(replace(record, generation=3), None)
        assert store.read("acme") == record

    def test_an_older_generation_is_refused(self, store: Store) -> None:
        """Tokens that were replaced already are not stored again."""
        first = stored(store)
        second = renewed(first)
        assert store.commit(second, None)
        assert not store.commit(renewed(first, "act.OTHER"), None, before=first)
        assert not store.commit(first, None)
        assert store.read("acme") == second

    def test_a_repeated_commit_is_confirmed(self, store: Store) -> None:
        """A commit whose confirmation was lost can be repeated, and is noted once."""
        following = renewed(stored(store))
        assert store.commit(following, "me")
        assert store.commit(following, "me")
        assert store.read("acme") == following

    def test_the_same_generation_needs_the_mark(self, store: Store) -> None:
        """What became of a token request is stored only while the row has that request's mark."""
        record = stored(store)
        mine = replace(record, attempt=TokenRequestMark("ab" * 32, 1.5, "sent"))
        changed = replace(record, status="unconfirmed")
        assert not store.commit(changed, "me", before=mine)
        assert store.claim("acme", "me", TTL, lambda _: mine).outcome == "held"
        other = replace(record, attempt=TokenRequestMark("ab" * 32, 2.5, "sent"))
        assert not store.commit(changed, "me", before=other)
        assert store.commit(changed, "me", before=mine)
        assert store.read("acme") == changed

    def test_an_answer_does_not_undo_a_revoke(self, store: Store) -> None:
        """Who sent a refresh before a person revoked does not store its answer, lease or not."""
        record = stored(store)
        take(store, "me")
        revoked = replace(record, generation=2, token=None, status="revoked")
        assert store.commit(revoked, None, before=record)
        assert not store.commit(renewed(record), "me", before=record)
        assert store.read("acme") == revoked

    def test_forgotten_tokens_do_not_come_back(self, store: Store) -> None:
        """A refresh that ends after its connection was forgotten is not stored."""
        record = stored(store)
        assert store.commit(renewed(record), None, before=record)
        assert store.forget("acme")
        assert not store.commit(renewed(renewed(record)), None, before=renewed(record))
        assert store.read("acme") is None

    def test_forget_says_whether_there_was_one(self, store: Store) -> None:
        """Forgetting twice is told apart from forgetting once."""
        stored(store)
        assert store.forget("acme")
        assert not store.forget("acme")


class TestAmend:
    """Single columns without a lease."""

    def test_only_the_named_columns_change(self, store: Store) -> None:
        """Columns that are not named keep what is stored."""
        record = stored(store)
        other = replace(record, status="active", subject_id="other", verified_at=9.0)
        assert store.amend(other, ("status", "verified_at"))
        assert store.read("acme") == replace(record, status="active", verified_at=9.0)

    def test_an_amended_token_keeps_its_secrets(self, store: Store) -> None:
        """The end of a token is stored without touching the token."""
        record = stored(store)
        assert record.token is not None
        ended = replace(record, token=record.token.ended(5.0))
        assert store.amend(ended, ("token",))
        assert store.read("acme") == ended

    def test_all_amendable_columns(self, store: Store) -> None:
        """Each attribute that may be amended is."""
        record = stored(store)
        changed = replace(
            record, scopes=None, failure=None, request_id=None, seed_hash="00" * 32, subject_id=None
        )
        names = ("scopes", "failure", "request_id", "seed_hash", "subject_id")
        assert store.amend(changed, names)
        assert store.read("acme") == changed

    def test_secrets_cannot_be_amended(self, store: Store) -> None:
        """A column that is not in the list of amendable ones is refused."""
        with pytest.raises(KeyError):
            store.amend(stored(store), ("app_secret",))

    def test_another_generation_is_left_alone(self, store: Store) -> None:
        """What was found out about an old token does not touch the new one."""
        record = stored(store)
        following = renewed(record)
        assert store.commit(following, None)
        assert not store.amend(replace(record, status="revoked"), ("status",))
        assert store.read("acme") == following

    def test_a_held_lease_survives(self, store: Store) -> None:
        """Amending a connection leaves its lease with the holder."""
        record = stored(store)
        take(store, "me")
        assert store.amend(replace(record, verified_at=1.0), ("verified_at",))
        assert take(store, "you").outcome == "busy"


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_transaction_may_outlive_its_store(backend: Backend, kind: str) -> None:
    """A process that a signal ends within a transaction ends without noise, and changes nothing."""
    store = backend.open()
    record = stored(store)
    database = backend.database()
    transaction = getattr(database, kind)()
    cursor = transaction.__enter__()
    cursor.execute("SELECT name FROM connections")
    if kind == "writing":
        cursor.execute("DELETE FROM connections")
    database.close()
    del cursor, transaction
    gc.collect()
    assert store.read("acme") == record
    assert store.commit(renewed(record), None, before=record)
