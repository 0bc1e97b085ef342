"""A store that was taken away, replaced or set back while TikTok's answers were on their way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials import renewal
from tap_tiktok_auth.errors import StoreError, TikTokAuthError
from tap_tiktok_auth.store import recovery
from tap_tiktok_auth.store.keys import Cipher, new_key
from tests.store.samples import left_behind, renewed

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.attacks.conftest import Target


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "COMMIT_RETRIES", (0.01,))


def back_up(target: Target) -> Path:
    """Copy the store's file."""
    return Path(shutil.copy(target.path, target.folder / "backup.db"))


def take_away(target: Target) -> None:
    """Move the store's files away."""
    away = target.folder / "away"
    away.mkdir()
    for file in list(target.path.parent.glob("tokens.db*")):
        file.rename(away / file.name)


def lose_an_answer(target: Target) -> StoredConnection:
    """Refresh acme at TikTok; the answer gets no further than a recovery file."""
    before = target.consent()
    after = target.get_token().stored
    with target.store() as store:
        left_behind(store, after, follows=before)
        store.forget("acme")
        assert store.commit(before, None)
    return after


def test_nothing_is_spent_for_a_store_that_is_gone(target: Target) -> None:
    """A token that would be written into a file without a name is not asked for."""
    target.consent()
    with target.manager() as manager:
        acme = manager.connection("acme")
        take_away(target)
        with pytest.raises(StoreError, match="was removed while in use"):
            manager.get_token(acme)
    assert target.tiktok.count("refresh") == 0


def test_a_store_that_is_restored_meanwhile(target: Target) -> None:
    """The new token survives the restoring of a backup in the middle of a refresh."""
    target.consent()
    backup = back_up(target)
    with target.under_way("refresh", target.get_token) as result:
        take_away(target)
        shutil.copy(backup, target.path)
    assert target.record() == result().stored
    assert target.is_live(target.record())
    assert target.tiktok.count("refresh") == 1


def test_an_older_store_that_is_restored_meanwhile(target: Target) -> None:
    """A new token that an older store does not fit is kept in a file, and taken in after that."""
    target.consent()
    backup = back_up(target)
    target.get_token()
    with target.under_way("refresh", lambda: target.get_token(force=True)) as result:
        take_away(target)
        shutil.copy(backup, target.path)
    with pytest.raises(StoreError, match="is kept, encrypted, in"):
        result()
    assert list((target.path.parent / "recovery").iterdir()) == []
    assert target.is_live(target.record())


def test_another_machine_was_refused_first(target: Target) -> None:
    """The file is taken in although another machine has tried the old token in vain meanwhile."""
    after = lose_an_answer(target)
    files, hidden = target.path.parent / "recovery", target.path.parent / "hidden"
    files.rename(hidden)
    with pytest.raises(TikTokAuthError):
        target.get_token()
    hidden.rename(files)
    assert target.get_token().token == after.token
    assert target.is_live(after)


def test_an_old_backup_was_restored(target: Target) -> None:
    """The file is taken in before the old token, of which nobody knows that it is used, is sent."""
    after = lose_an_answer(target)
    spent = target.tiktok.count("refresh")
    assert target.get_token().token == after.token
    assert target.tiktok.count("refresh") == spent


def test_a_file_of_a_former_chain(target: Target) -> None:
    """A new login is not overwritten by what was left of the chain before it."""
    former = lose_an_answer(target)
    with target.store() as store:
        store.forget("acme")
    new = target.consent()
    held = target.get_token()
    assert held.stored.generation == new.generation + 1
    assert held.token != former.token
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
    with target.store(new) as store:
        assert recovery.take_in(store) == 0
    assert "the key of the token kept in" in caplog.text
    with target.store(f"{new},{old}") as store:
        assert recovery.take_in(store) == 1
        assert store.read("acme") == after
