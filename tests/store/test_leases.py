"""Leases, the same on every database: one holder at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import TokenRequestMark
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import StoredConnection
    from tap_tiktok_auth.store import Claim, Store

TTL = 60.0


def take(store: Store, holder: str, *, ttl: float = TTL, dead: str | None = None) -> Claim:
    """Claim the lease of `acme` without any change of what is stored."""
    return store.claim("acme", holder, ttl, lambda record: record or full_record(), dead=dead)


class TestLeases:
    """One holder at a time."""

    def test_a_free_lease_is_held_and_the_record_stored(self, store: Store) -> None:
        """A claim stores the prepared record together with the lease."""
        claim = take(store, "me")
        assert claim.outcome == "held"
        assert store.read("acme") == claim.stored == full_record()

    def test_a_held_lease_is_busy(self, store: Store) -> None:
        """A second claim learns who holds it and what is stored, and prepares nothing."""
        take(store, "me")
        claim = store.claim("acme", "you", TTL, lambda _: pytest.fail("must not be called"))
        assert (claim.outcome, claim.holder, claim.stored) == ("busy", "me", full_record())

    def test_declining_leaves_everything(self, store: Store) -> None:
        """A claim that finds nothing to do takes no lease."""
        record = stored(store)
        claim = store.claim("acme", "me", TTL, lambda _: None)
        assert (claim.outcome, claim.stored) == ("declined", record)
        assert take(store, "you").outcome == "held"

    def test_declining_an_unknown_connection_makes_no_row(self, store: Store) -> None:
        """A claim of an unknown connection that does nothing leaves no trace."""
        assert store.claim("acme", "me", TTL, lambda _: None).stored is None
        assert store.records() == []

    def test_prepare_sees_what_is_stored_now(self, store: Store) -> None:
        """The decision is made on the record of that very moment."""
        record = stored(store)
        seen: list[StoredConnection | None] = []
        store.claim("acme", "me", TTL, seen.append)
        assert seen == [record]

    def test_an_error_while_preparing_takes_no_lease(self, store: Store) -> None:
        """An exception on the way rolls everything back, and the store goes on."""

        def fail(_: StoredConnection | None) -> StoredConnection:
            raise LookupError

        stored(store)
        with pytest.raises(LookupError):
            store.claim("acme", "me", TTL, fail)
        assert take(store, "you").outcome == "held"

    def test_an_expired_lease_is_free(self, store: Store) -> None:
        """A lease that was not renewed in time can be taken."""
        take(store, "me", ttl=-1.0)
        assert take(store, "you").outcome == "held"

    def test_renewing_extends(self, store: Store) -> None:
        """A lease that has ended but was taken by nobody is extended by its holder."""
        take(store, "me", ttl=-1.0)
        assert store.renew("acme", "me", TTL)
        assert take(store, "you").outcome == "busy"

    def test_renewing_a_lost_lease_fails(self, store: Store) -> None:
        """A holder learns that its lease went to someone else."""
        take(store, "me", ttl=-1.0)
        take(store, "you")
        assert not store.renew("acme", "me", TTL)
        assert not store.renew("nobody", "me", TTL)

    def test_a_dead_holder_gives_way(self, store: Store) -> None:
        """The lease of a holder known to be gone counts as free, that of another does not."""
        take(store, "gone")
        assert take(store, "me", dead="someone else").outcome == "busy"
        assert take(store, "me", dead="gone").outcome == "held"

    def test_released_is_free(self, store: Store) -> None:
        """A lease that is given back can be taken at once, and nothing else changed."""
        take(store, "me")
        store.release("acme", "stranger")
        assert take(store, "you").outcome == "busy"
        store.release("acme", "me")
        assert store.read("acme") == full_record()
        assert take(store, "you").outcome == "held"

    def test_a_commit_gives_the_lease_back(self, store: Store) -> None:
        """Nobody waits for a holder that is done."""
        take(store, "me")
        assert store.commit(renewed(full_record()), "me")
        assert take(store, "you").outcome == "held"

    def test_new_tokens_are_stored_though_the_lease_was_lost(self, store: Store) -> None:
        """A slow holder's tokens are kept, and the lease stays with the one who took over."""
        take(store, "slow", ttl=-1.0)
        take(store, "you")
        following = renewed(full_record())
        assert store.commit(following, "slow")
        assert store.read("acme") == following
        assert take(store, "third").holder == "you"

    def test_a_late_change_of_status_is_refused(self, store: Store) -> None:
        """A slow holder's bad news does not overwrite the work of the one who took over."""
        take(store, "slow", ttl=-1.0)
        take(store, "you")
        mine = full_record(attempt=TokenRequestMark("ab" * 32, 1.5, "sent"))
        changed = full_record(status="unconfirmed")
        assert not store.commit(changed, "slow", before=mine)
        assert store.read("acme") == full_record()

    def test_leases_of_two_connections_are_two(self, store: Store) -> None:
        """One connection's holder is in nobody else's way."""
        take(store, "me")
        other = store.claim("other", "you", TTL, lambda _: full_record("other"))
        assert other.outcome == "held"
