"""Copies of a store into another one, the same on every database."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import Event
from tap_tiktok_auth.errors import StoreError
from tap_tiktok_auth.store import AdvertiserListing
from tests.store.backends import PostgresBackend, SQLiteBackend
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.store import Store
    from tests.postgres_server import PostgresServer
    from tests.store.backends import Backend


class TestCopies:
    """A store copied into another."""

    def fill(self, store: Store) -> None:
        """Put something of everything into a store."""
        stored(store, "other")
        seen = AdvertiserListing((("1", "Shop"), ("2", None)), "advertiser_get", complete=True)
        assert store.commit(full_record(), None, sighting=seen)
        record = store.read("acme")
        assert record is not None
        assert store.amend(record, (), sighting=replace(seen, advertisers=(("1", None),)))

    def test_into_a_full_store_is_refused(self, store: Store) -> None:
        """A store that has content is never overwritten."""
        self.fill(store)
        with pytest.raises(StoreError, match="is not empty"):
            store.restore(store.snapshot())
        store.forget("acme")
        store.forget("other")
        with pytest.raises(StoreError, match="is not empty"):
            store.restore(store.snapshot())

    def test_an_empty_store_can_be_copied(self, store: Store, tmp_path: Path) -> None:
        """A copy of nothing is nothing, with the same hashes."""
        target = SQLiteBackend(tmp_path / "target")
        copy = target.open()
        copy.restore(store.snapshot())
        assert copy.records() == []
        assert copy.digest("x") == store.digest("x")
        target.close()

    def test_new_events_follow_copied_ones(self, store: Store, tmp_path: Path) -> None:
        """Ids go on growing in the copy, even if its clock is behind."""
        self.fill(store)
        target = SQLiteBackend(tmp_path / "target")
        copy = target.open(clock=lambda: 1_000.0)
        copy.restore(store.snapshot())
        record = copy.read("acme")
        assert record is not None
        assert copy.commit(renewed(record), None, events=[Event("refreshed", "acme")])
        *copied, new = copy.events()
        assert copied == list(store.events())
        assert new.event_id > copied[-1].event_id
        target.close()

    def test_a_copy_hashes_like_its_source(
        self, store: Store, backend: Backend, tmp_path: Path
    ) -> None:
        """A seed that was spent before the copy is known after it."""
        target = SQLiteBackend(tmp_path / "target")
        copy = target.open()
        assert copy.digest("seed") != store.digest("seed")
        self.fill(store)
        copy.restore(store.snapshot())
        assert copy.digest("seed") == store.digest("seed") == backend.open().digest("seed")
        assert target.open().digest("seed") == store.digest("seed")
        target.close()

    def test_a_process_notices_a_copy(self, store: Store, backend: Backend, tmp_path: Path) -> None:
        """A process that opened the target before the copy writes nothing with its own hashes."""
        watching = backend.open()
        source = SQLiteBackend(tmp_path / "source")
        self.fill(source.open())
        store.restore(source.open().snapshot())
        with pytest.raises(StoreError, match=r"copied into the token store meanwhile.*Run again"):
            watching.claim("acme", "me", 60, lambda record: record)
        source.close()

    @pytest.mark.postgres
    def test_there_and_back(
        self, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
    ) -> None:
        """SQLite to PostgreSQL and back to SQLite keeps everything."""
        places: list[Backend] = [
            SQLiteBackend(tmp_path / "from"),
            PostgresBackend(postgres_server, postgres_database),
            SQLiteBackend(tmp_path / "to"),
        ]
        stores = [place.open() for place in places]
        self.fill(stores[0])
        for source, target in pairwise(stores):
            target.restore(source.snapshot())
        assert stores[0].snapshot() == stores[2].snapshot()
        assert len(stores[2].snapshot().events) == 3
        for place in places:
            place.close()
