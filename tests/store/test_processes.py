"""Many processes on one store at once, the same on every database."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.store import keys
from tap_tiktok_auth.store.keys import Cipher
from tests.store.samples import full_record, login, stored
from tests.store.workers import run_together

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.store import Store
    from tests.store.backends import Backend


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a place for a key file."""
    return tmp_path / "config" / "store.key"


@pytest.fixture
def shared(backend: Backend, key_file: Path) -> Store:
    """Return a store whose key is in the key file."""
    return backend.open_with(lambda new: keys.load(key_file, create=new))


def test_eight_claims_have_one_holder(shared: Store, backend: Backend, key_file: Path) -> None:
    """Of eight processes that claim a stored connection at once exactly one holds it."""
    stored(shared)
    outcomes = run_together(["claim"] * 8, backend.url, key_file)
    assert Counter(outcomes) == {"held": 1, "busy": 7}


def test_eight_claims_of_the_unknown_have_one_holder(
    shared: Store, backend: Backend, key_file: Path
) -> None:
    """Of eight processes that claim a connection that nobody knows yet exactly one holds it."""
    outcomes = run_together(["claim"] * 8, backend.url, key_file)
    assert Counter(outcomes) == {"held": 1, "busy": 7}
    assert shared.read("acme") == full_record()


def test_eight_processes_make_one_store(backend: Backend, key_file: Path) -> None:
    """Eight processes that open a store that is not there yet make one store and one key."""
    digests = run_together(["open"] * 8, backend.url, key_file)
    assert len(set(digests)) == 1
    assert backend.open(key_file.read_text()).digest("x") == digests[0]


def test_each_generation_is_committed_once(shared: Store, backend: Backend, key_file: Path) -> None:
    """Four processes that renew one connection share its generations, none twice, none left."""
    stored(shared)
    ours = run_together(["commit"] * 4, backend.url, key_file)
    assert sorted(number for one in ours for number in one) == list(range(2, 102))
    assert len(list(shared.events())) == 100


def test_keys_change_while_others_write(shared: Store, backend: Backend, key_file: Path) -> None:
    """While two processes change the key ten times, three others write, and all stays readable."""
    stored(shared)
    jobs = ["write_own", "write_own", "write_own", "rotate", "rotate"]
    assert run_together(jobs, backend.url, key_file) == [51, 51, 51, 5, 5]
    texts = key_file.read_text().strip().split(",")
    assert len(texts) == 11
    newest = backend.open_with(lambda _: keys.load(key_file, create=False))
    assert [record.generation for record in newest.records()] == [1, 51, 51, 51]
    ((sealed_with,),) = backend.sql("SELECT value FROM meta WHERE name = 'key_id'")
    used = {row[0].partition(":")[0] for row in backend.sql("SELECT payload FROM connections")}
    assert used == {sealed_with}
    assert sealed_with in {Cipher.from_text(text).primary for text in texts}


def test_each_login_is_taken_once(shared: Store, backend: Backend, key_file: Path) -> None:
    """Four processes that want the same logins get each of them once."""
    for state in map(str, range(40)):
        shared.begin_login(state, login(begun_at=shared.now()))
    taken = run_together(["take_logins"] * 4, backend.url, key_file)
    assert Counter(state for one in taken for state in one) == Counter(map(str, range(40)))
