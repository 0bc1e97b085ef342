"""Recovery files that meet another state of the store than the one they were written for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import TikTokAuthError
from tap_tiktok_auth.store import open_store, recovery
from tap_tiktok_auth.store.keys import Cipher, new_key
from tests.store.samples import left_behind, renewed

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.redteam.conftest import Target


def lose_an_answer(target: Target) -> StoredConnection:
    """Refresh acme at TikTok; the answer gets no further than a recovery file."""
    target.consent()
    before = target.record()
    with target.manager() as manager:
        manager.get_token(manager.connection("acme"))
        after = target.record()
        left_behind(manager.store, after, follows=before)
        manager.store.forget("acme")
        assert manager.store.commit(replace(before, generation=1), None)
    return after


def test_another_machine_was_refused_first(target: Target) -> None:
    """The file is taken in although another machine has tried the old token in vain meanwhile."""
    after = lose_an_answer(target)
    hidden = target.path.parent / "hidden"
    (target.path.parent / "recovery").rename(hidden)
    with target.manager() as manager, pytest.raises(TikTokAuthError):
        manager.get_token(manager.connection("acme"))
    hidden.rename(target.path.parent / "recovery")
    with target.manager() as manager:
        held = manager.get_token(manager.connection("acme"))
    assert held.token == after.token
    assert target.is_live(held.stored)


def test_an_old_backup_was_restored(target: Target) -> None:
    """The file is taken in before the old token, of which nobody knows that it is used, is sent."""
    after = lose_an_answer(target)
    spent = target.tiktok.count("refresh")
    with target.manager() as manager:
        assert manager.get_token(manager.connection("acme")).token == after.token
    assert target.tiktok.count("refresh") == spent


def test_a_file_of_a_former_chain(target: Target) -> None:
    """A new login is not overwritten by what was left of the chain before it."""
    lose_an_answer(target)
    with target.store() as store:
        store.forget("acme")
    new = target.consent()
    with target.manager() as manager:
        held = manager.get_token(manager.connection("acme"))
    assert held.stored.generation == new.generation + 1
    assert target.is_live(held.stored)


def test_two_files_in_order(target: Target) -> None:
    """Two files are taken in in the order of their tokens, also from the ninth to the tenth."""
    record = replace(target.consent(), generation=8)
    ninth = renewed(record, "act.9")
    tenth = renewed(ninth, "act.10")
    with target.store() as store:
        store.forget("acme")
        for generation in range(1, 9):
            assert store.commit(replace(record, generation=generation), None)
        left_behind(store, tenth, follows=ninth)
        left_behind(store, ninth, follows=record)
        assert recovery.take_in(store) == 2
        assert store.read("acme") == tenth


def test_the_key_was_changed_meanwhile(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    """A file whose key is not given any more is named; with the key behind it is taken in."""
    after, old, new = lose_an_answer(target), target.key, new_key()
    with target.store() as store:
        store.rotate_key(Cipher((new, old)))
    store = open_store(target.url, new)
    assert recovery.take_in(store) == 0
    assert "the key of the token kept in" in caplog.text
    store.close()
    store = open_store(target.url, f"{new},{old}")
    assert recovery.take_in(store) == 1
    assert store.read("acme") == after
    store.close()
