"""A token store with a clock that is set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from tap_tiktok_auth.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Clock:
    """A clock that is set by hand."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="store")
def _store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    key = Fernet.generate_key().decode()
    store = open_store(f"sqlite:///{tmp_path / 'plain.db'}", key, clock=clock)
    yield store
    store.close()
