"""A TikTok that rotates strictly, and chains of tokens in a store, for all attacks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.credentials.models import StoredConnection
from tap_tiktok_auth.credentials.session import session
from tap_tiktok_auth.credentials.tokens import Token
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.store import Store, open_store
from tap_tiktok_auth.store.keys import new_key
from tests.standin.fixtures import bench, standin, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.credentials.manager import TokenManager

__all__ = ["bench", "standin", "target", "waits"]


@dataclass
class Target:
    """A TikTok, a SQLite store, and what is known of both.

    Attributes:
        tiktok: The simulated TikTok.
        folder: A folder of the test's own.
        key: The store's key.
    """

    tiktok: Simulator
    folder: Path
    key: str

    @property
    def path(self) -> Path:
        """The store's file."""
        return self.folder / "store" / "tokens.db"

    @property
    def url(self) -> str:
        """The store's address."""
        return f"sqlite:///{self.path}"

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return a config that names store and TikTok, and no connection unless given."""
        return {
            "business_api_url": self.tiktok.url,
            "login_kit_api_url": self.tiktok.url,
            "tiktok_url": self.tiktok.url,
            "token_store": self.url,
            "token_store_key": self.key,
            "requests_per_second": 1000,
            **more,
        }

    def config(self, **more: Any) -> Config:
        """Return the checked form of `settings`."""
        return parsing.parse(self.settings(**more))

    @contextmanager
    def manager(self, **more: Any) -> Iterator[TokenManager]:
        """Open a manager over the store, as each process does."""
        with session(self.config(**more)) as manager:
            yield manager

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store."""
        store = open_store(self.url, self.key)
        try:
            yield store
        finally:
            store.close()

    def consent(self, name: str = "acme", *, left: float = -1.0) -> StoredConnection:
        """Put a login's tokens into the store; the access token has *left* seconds to live."""
        app, granted = self.tiktok.app("accounts"), self.tiktok.grant("accounts")
        with self.store() as store:
            former, now = store.read(name), store.now()
            token = Token(
                access_token=granted.access_token,
                refresh_token=granted.refresh_token,
                issued_at=now - 86_400,
                expires_at=now + left,
            )
            record = StoredConnection(
                name=name,
                api="accounts",
                app_id=app.app_id,
                generation=former.generation + 1 if former else 1,
                token=token,
                app_secret=app.app_secret,
                status="active",
                obtained_by="login",
            )
            assert store.commit(record, None)
        return record

    def record(self, name: str = "acme") -> StoredConnection:
        """Return what the store has of a connection."""
        with self.store() as store:
            record = store.read(name)
        assert record is not None
        return record

    def is_live(self, record: StoredConnection) -> bool:
        """Whether TikTok still takes both tokens of a record."""
        token = record.token
        assert token is not None
        states = {
            self.tiktok.token_state(t) for t in (token.access_token, token.refresh_token) if t
        }
        return states == {"live"}


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Return a TikTok that rotates strictly, and an empty store."""
    with Simulator(strict_rotation=True) as tiktok:
        yield Target(tiktok, tmp_path, new_key())
