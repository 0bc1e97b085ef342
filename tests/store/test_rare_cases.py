"""Rules of a store that rarely matter, and then to one person only."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import AdvertiserListing
from tap_tiktok_auth.store import open_store, recovery
from tap_tiktok_auth.store.keys import new_key
from tap_tiktok_auth.store.postgres_address import parameters, weakness
from tests.store.samples import full_record, left_behind

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.store import Store


def test_who_lost_the_lease_forgets_nothing(store: Store) -> None:
    """A connection that another process holds meanwhile keeps its row and its ad accounts."""
    seen = AdvertiserListing((("7001", "First shop"),), "advertiser_get", complete=True)
    assert store.commit(full_record(), None, sighting=seen)
    assert not store.forget("acme", "who was too slow")
    assert store.read("acme") is not None
    assert [account.advertiser_id for account in store.advertisers("acme")] == ["7001"]


def test_a_file_that_cannot_be_read_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that looks for kept tokens again and again does not warn again and again."""
    with closing(open_store(f"sqlite:///{tmp_path}/tokens.db", new_key())) as store:
        file = left_behind(store, full_record())
        file.write_bytes(b"no token")
        for _ in range(3):
            assert recovery.take_in(store) == 0
    assert caplog.text.count(str(file)) == 1


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("host", "mode", "said"),
    [
        ("db.example.com", "verify-full", None),
        ("db.example.com", "verify-ca", "another server could answer"),
        ("db.example.com", "require", "another server could answer"),
        ("db.example.com", "prefer", "the network can read and change"),
        ("db.example.com", "disable", "the network can read and change"),
        ("127.0.0.1", "disable", None),
    ],
)
def test_what_the_way_to_a_server_is_open_to(host: str, mode: str, said: str | None) -> None:
    """Only a server whose certificate names its host, or one on this machine, is no weakness."""
    found = weakness(parameters(f"postgresql://{host}/db?sslmode={mode}"))
    assert (found is None) if said is None else (said in str(found))
