"""The store's file is taken away or replaced while a process works with it."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials import renewal
from tap_tiktok_auth.errors import StoreError

if TYPE_CHECKING:
    from tests.redteam.conftest import Target


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "COMMIT_RETRIES", (0.01,))


def take_away(target: Target) -> None:
    """Move the store's files away."""
    away = target.folder / "away"
    away.mkdir()
    for file in list(target.path.parent.glob("tokens.db*")):
        file.rename(away / file.name)


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
    backup = target.folder / "backup.db"
    with target.store():
        pass
    shutil.copy(target.path, backup)
    target.tiktok.scenario("latency", value=400, times=1)
    with target.manager() as manager, ThreadPoolExecutor(1) as pool:
        acme = manager.connection("acme")
        asked = pool.submit(lambda: manager.get_token(acme, force=True))
        while not target.tiktok.count("refresh"):
            time.sleep(0.005)
        take_away(target)
        shutil.copy(backup, target.path)
        held = asked.result()
    assert target.record() == held.stored
    assert target.is_live(held.stored)
    assert target.tiktok.count("refresh") == 1


def test_an_older_store_that_is_restored_meanwhile(target: Target) -> None:
    """A new token that an older store does not fit is kept in a file, and taken in after that."""
    target.consent()
    backup = target.folder / "backup.db"
    with target.store():
        pass
    shutil.copy(target.path, backup)
    with target.manager() as manager, ThreadPoolExecutor(1) as pool:
        acme = manager.connection("acme")
        manager.get_token(acme)
        target.tiktok.scenario("latency", value=400, times=1)
        asked = pool.submit(lambda: manager.get_token(acme, force=True))
        while target.tiktok.count("refresh") < 2:
            time.sleep(0.005)
        take_away(target)
        shutil.copy(backup, target.path)
        with pytest.raises(StoreError, match="is kept, encrypted, in"):
            asked.result()
    assert list((target.path.parent / "recovery").iterdir()) == []
    assert target.is_live(target.record())
