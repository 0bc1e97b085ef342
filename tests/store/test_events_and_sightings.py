"""The audit trail and the ad accounts, the same on every database."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials.models import AdvertiserAccess, AdvertiserListing, Event
from tap_tiktok_auth.version import VERSION
from tests.store.samples import full_record, renewed, stored

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Store
    from tests.store.backends import Backend

EVENT = Event(
    "refresh_failed", "acme", "f" * 16, "e" * 16, "7001", "40103", "refused", "20231114120000"
)


def note(store: Store, name: str, *events: Event) -> None:
    """Store events together with the next tokens of a connection."""
    record = store.read(name)
    following = renewed(record) if record else full_record(name)
    assert store.commit(following, None, events=events)


def see(store: Store, *ids: str, complete: bool = True, name: str | None = "Shop") -> None:
    """Store a sighting of ad accounts."""
    record = store.read("acme")
    assert record is not None
    seen = AdvertiserListing(tuple((one, name) for one in ids), "advertiser_get", complete)
    assert store.amend(record, (), sighting=seen)


def trail(store: Store) -> list[tuple[str, str | None]]:
    """Return what the audit trail says about ad accounts."""
    return [(stored.event.name, stored.event.advertiser_id) for stored in store.events()]


class TestEvents:
    """The audit trail."""

    def test_every_field_comes_back(self, store: Store) -> None:
        """An event is read as it was noted, with when, where and by what."""
        before = store.now()
        note(store, "acme", EVENT)
        (found,) = store.events()
        assert found.event == EVENT
        assert before <= found.occurred_at <= store.now()
        assert found.host
        assert found.pid > 0
        assert found.tap_version == VERSION

    def test_ids_grow(self, store: Store) -> None:
        """Events of one commit and of several have ids that grow and never repeat."""
        note(store, "acme", EVENT, EVENT)
        note(store, "acme", EVENT)
        ids = [event.event_id for event in store.events()]
        assert ids == sorted(set(ids))
        assert len(ids) == 3

    def test_ids_follow_the_clock(self, store: Store) -> None:
        """A reader that resumes in a store that replaced another misses nothing."""
        note(store, "acme", EVENT)
        (found,) = store.events()
        assert abs(found.event_id / 1_000_000 - found.occurred_at) < 1e-3

    def test_ids_grow_though_the_clock_goes_back(self, backend: Backend) -> None:
        """A clock that is set back does not make ids repeat."""
        note(backend.open(clock=lambda: 2_000_000_000.0), "acme", EVENT)
        note(backend.open(clock=lambda: 1_000_000_000.0), "acme", EVENT)
        first, second = backend.open().events()
        assert first.event_id < second.event_id

    def test_filters(self, store: Store) -> None:
        """A reader gets what comes after an id, since a time, of one connection."""
        note(store, "acme", EVENT)
        note(store, "other", Event("refreshed", "other"))
        first, second = store.events()
        assert list(store.events(after=first.event_id)) == [second]
        assert list(store.events(connection="acme")) == [first]
        assert list(store.events(since=second.occurred_at)) == [second]
        assert list(store.events(since=second.occurred_at + 1)) == []
        assert list(store.events(after=second.event_id)) == []

    def test_many_events_come_page_by_page(self, store: Store) -> None:
        """More events than one page holds come all, once and in order."""
        note(store, "acme", *[EVENT] * 10_001)
        ids = [event.event_id for event in store.events()]
        assert len(ids) == len(set(ids)) == 10_001
        assert ids == sorted(ids)

    def test_a_repeated_commit_is_noted_once(self, store: Store) -> None:
        """Repeating a commit that was carried out adds no event."""
        record = full_record()
        assert store.commit(record, None, events=[EVENT])
        assert store.commit(record, None, events=[EVENT])
        assert len(list(store.events())) == 1

    def test_what_is_refused_is_not_noted(self, store: Store) -> None:
        """A commit or amendment that comes too late leaves no event."""
        record = stored(store)
        assert not store.commit(renewed(renewed(record)), None, events=[EVENT])
        assert not store.amend(renewed(record), ("status",), events=[EVENT])
        assert list(store.events()) == []

    def test_events_outlive_their_connection(self, store: Store) -> None:
        """Forgetting a connection keeps its audit trail."""
        note(store, "acme", EVENT)
        store.forget("acme")
        assert [found.event for found in store.events()] == [EVENT]

    def test_a_resuming_reader_misses_nothing(self, backend: Backend) -> None:
        """While four threads commit, a reader that resumes after its last id gets every event."""
        writers, rounds = 4, 15
        begin = threading.Barrier(writers + 1)

        def write(store: Store, name: str) -> None:
            begin.wait()
            for _ in range(rounds):
                note(store, name, Event("refreshed", name), Event("scopes_changed", name))

        threads = [
            threading.Thread(target=write, args=(backend.open(), f"c{number}"))
            for number in range(writers)
        ]
        for thread in threads:
            thread.start()
        reader = backend.open()
        seen: list[int] = []
        last: int | None = None
        begin.wait()
        while any(thread.is_alive() for thread in threads) or not seen:
            for event in reader.events(after=last):
                seen.append(event.event_id)
                last = event.event_id
        seen += [event.event_id for event in reader.events(after=last)]
        assert seen == [event.event_id for event in reader.events()]
        assert len(seen) == 2 * writers * rounds


class TestSightings:
    """Ad accounts granted, lost and granted again."""

    def test_first_sight_is_a_grant(self, store: Store) -> None:
        """An ad account that is new is kept with its name and noted."""
        stored(store)
        before = store.now()
        see(store, "2", "1")
        first, second = store.advertisers("acme")
        assert (first.advertiser_id, second.advertiser_id) == ("1", "2")
        assert (first.name, first.source, first.lost_at) == ("Shop", "advertiser_get", None)
        assert before <= first.first_seen_at == first.last_seen_at <= store.now()
        assert sorted(trail(store)) == [("advertiser_granted", "1"), ("advertiser_granted", "2")]

    def test_seen_again_is_no_event(self, store: Store) -> None:
        """Seeing the same accounts again moves the time they were last seen, and nothing else."""
        stored(store)
        see(store, "1")
        (before,) = store.advertisers("acme")
        see(store, "1", name=None)
        (after,) = store.advertisers("acme")
        assert after.last_seen_at > before.last_seen_at
        assert after == AdvertiserAccess(
            "1", "Shop", "advertiser_get", before.first_seen_at, after.last_seen_at
        )
        assert len(trail(store)) == 1

    def test_missing_from_a_complete_list_is_lost(self, store: Store) -> None:
        """An account that is gone keeps its row, is marked lost, once."""
        stored(store)
        see(store, "1", "2")
        see(store, "2")
        lost, kept = store.advertisers("acme")
        assert lost.lost_at is not None
        assert lost.last_seen_at < kept.last_seen_at
        see(store, "2")
        assert trail(store)[2:] == [("advertiser_lost", "1")]

    def test_missing_from_an_incomplete_list_is_not_lost(self, store: Store) -> None:
        """A partial list takes nothing away."""
        stored(store)
        see(store, "1", "2")
        see(store, "2", complete=False)
        assert [one.lost_at for one in store.advertisers("acme")] == [None, None]

    def test_found_again_is_a_grant(self, store: Store) -> None:
        """An account that comes back is granted again and keeps when it was first seen."""
        stored(store)
        see(store, "1")
        (first,) = store.advertisers("acme")
        see(store)
        see(store, "1")
        (again,) = store.advertisers("acme")
        assert again.lost_at is None
        assert again.first_seen_at == first.first_seen_at
        assert [name for name, _ in trail(store)] == [
            "advertiser_granted",
            "advertiser_lost",
            "advertiser_granted",
        ]

    def test_a_new_name_replaces_the_old(self, store: Store) -> None:
        """An account that was renamed has its new name, without an event."""
        stored(store)
        see(store, "1", name="Old")
        see(store, "1", name="New")
        assert [one.name for one in store.advertisers("acme")] == ["New"]
        assert len(trail(store)) == 1

    def test_a_sighting_comes_with_a_commit(self, store: Store) -> None:
        """Accounts named by TikTok's token answer are stored with the tokens."""
        seen = AdvertiserListing((("7", None),), "token_response", complete=False)
        assert store.commit(full_record(), None, sighting=seen, events=[EVENT])
        assert [one.source for one in store.advertisers("acme")] == ["token_response"]
        assert trail(store) == [("refresh_failed", "7001"), ("advertiser_granted", "7")]

    def test_strange_ids_are_seen_once(self, store: Store) -> None:
        """An id with a character that no database takes is not granted anew on every run."""
        stored(store)
        see(store, "1\0")
        see(store, "1\0", name="a\0b")
        (found,) = store.advertisers("acme")
        assert found.name == "a\ufffdb"
        assert len(trail(store)) == 1

    def test_each_connection_has_its_own(self, store: Store) -> None:
        """Ad accounts belong to one connection, and go when it is forgotten."""
        stored(store, "other")
        stored(store)
        see(store, "1")
        assert list(store.advertisers("other")) == []
        store.forget("acme")
        assert list(store.advertisers("acme")) == []

    def test_many_come_page_by_page(self, store: Store) -> None:
        """More accounts than one page holds come all, sorted by their text."""
        stored(store)
        ids = [str(number) for number in range(10_001)]
        see(store, *ids)
        assert [one.advertiser_id for one in store.advertisers("acme")] == sorted(ids)
