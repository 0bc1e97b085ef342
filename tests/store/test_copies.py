"""Copies of a store into another one, the same on every database."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import AdvertiserListing, Event
from tap_tiktok_auth.errors import StoreError
from tests.store.backends import SQLiteBackend
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.store import Store
    from tests.store.backends import Backend, PostgresBackend


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SQLiteBackend]:
    """Return an empty place for the copy."""
    place = SQLiteBackend(tmp_path / "target")
    yield place
    place.close()


def fill(store: Store) -> None:
    """Put something of everything into a store."""
    stored(store, "other")
    seen = AdvertiserListing((("1", "Shop"), ("2", None)), "advertiser_get", complete=True)
    assert store.commit(full_record(), None, sighting=seen)
    record = store.read("acme")
    assert record is not None
    assert store.amend(record, (), sighting=replace(seen, advertisers=(("1", None),)))


def test_into_a_full_store_is_refused(store: Store) -> None:
    """A store that has content is never overwritten, not even the trail of what it had."""
    fill(store)
    with pytest.raises(StoreError, match="is not empty"):
        store.restore(store.snapshot())
    store.forget("acme")
    store.forget("other")
    with pytest.raises(StoreError, match="is not empty"):
        store.restore(store.snapshot())


def test_an_empty_store_can_be_copied(store: Store, target: SQLiteBackend) -> None:
    """A copy of nothing is nothing, with the same hashes."""
    copy = target.open()
    copy.restore(store.snapshot())
    assert copy.records() == []
    assert copy.digest("x") == store.digest("x")


def test_new_events_follow_copied_ones(store: Store, target: SQLiteBackend) -> None:
    """Ids go on growing in the copy, even if its clock is behind."""
    fill(store)
    copy = target.open(clock=lambda: 1_000.0)
    copy.restore(store.snapshot())
    record = copy.read("acme")
    assert record is not None
    assert copy.commit(renewed(record), None, events=[Event("refreshed", "acme")])
    *copied, new = copy.events()
    assert copied == list(store.events())
    assert new.event_id > copied[-1].event_id


def test_a_copy_hashes_like_its_source(
    store: Store, backend: Backend, target: SQLiteBackend
) -> None:
    """A seed that was spent before the copy is known after it; who had opened it before, fails."""
    copy, watching = target.open(), target.open()
    assert copy.digest("seed") != store.digest("seed")
    fill(store)
    copy.restore(store.snapshot())
    assert copy.digest("seed") == store.digest("seed") == backend.open().digest("seed")
    assert target.open().digest("seed") == store.digest("seed")
    with pytest.raises(StoreError, match=r"copied into the token store meanwhile.*Run again"):
        watching.claim("acme", "me", 60, lambda record: record)


def test_a_copy_that_breaks_off_changes_nothing(store: Store, target: SQLiteBackend) -> None:
    """After a copy that failed halfway the target has its own hashes, and can be copied into."""
    fill(target.open())
    copied, before = target.open().snapshot(), store.digest("seed")
    with pytest.raises(KeyError):
        store.restore(replace(copied, advertisers={}))
    assert store.digest("seed") == before
    store.restore(copied)
    assert store.snapshot() == copied


@pytest.mark.postgres
def test_there_and_back(
    sqlite: SQLiteBackend, postgres: PostgresBackend, target: SQLiteBackend
) -> None:
    """SQLite to PostgreSQL and back to SQLite keeps everything."""
    stores = [place.open() for place in (sqlite, postgres, target)]
    fill(stores[0])
    for source, copy in pairwise(stores):
        copy.restore(source.snapshot())
    assert stores[0].snapshot() == stores[2].snapshot()
    assert len(stores[2].snapshot().events) == 3
