"""A TikTok that rotates strictly, and chains of tokens in a store, for all attacks."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.credentials.models import StoredConnection, Token
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.store import Store, open_store
from tap_tiktok_auth.store.keys import new_key
from tests.standin.fixtures import bench, standin, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Credentials

__all__ = ["bench", "standin", "target", "waits"]

#: What the simulator's tokens and codes look like, wherever one begins.
_TOKEN = re.compile(r"(?=((?:act|rft|clt)\.\w{52}!\d{4}|[0-9a-f]{40}|\w{32}-\w\w%2A\*\d!\d{4}))")


def variables(settings: dict[str, Any]) -> dict[str, str]:
    """Return settings as environment variables."""
    return {
        ENV_PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }


def command(settings: dict[str, Any], *arguments: str) -> Result:
    """Run `tiktok-auth` with settings from the environment."""
    result = CliRunner().invoke(main, arguments, env=variables(settings))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@dataclass
class Target:
    """A TikTok, a SQLite store, and what is known of both."""

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

    def environment(self, **more: Any) -> dict[str, str]:
        """Return the whole environment of a process, with the settings."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return own | variables(self.settings(**more))

    @contextmanager
    def manager(self, **more: Any) -> Iterator[TokenManager]:
        """Open a manager over the store, as each process does."""
        with open_manager(self.config(**more)) as manager:
            yield manager

    @contextmanager
    def store(self, key: str | None = None) -> Iterator[Store]:
        """Open the store."""
        with closing(open_store(self.url, key or self.key)) as store:
            yield store

    def sql(self, statement: str) -> list[Any]:
        """Do something to the store behind its back."""
        with closing(sqlite3.connect(self.path)) as database, database:
            return database.execute(statement).fetchall()

    def connection(self, api: str, code: str | None = None, name: str = "acme") -> Connection:
        """Return a connection that starts from a code; of a person who has just agreed, if none."""
        app = self.tiktok.app(api)
        seed = Seed("auth_code", auth_code=code or self.tiktok.authorize(api))
        own = App(app.app_id, app.app_secret)
        return Connection(name, api, own, seed, redirect_uri=app.redirect_uri)

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

    def get_token(self, **options: Any) -> Credentials:
        """Ask for acme's token, as a process of its own does."""
        with self.manager() as manager:
            return manager.get_token(manager.connection("acme"), **options)

    @contextmanager
    def under_way(
        self, kind: str, ask: Callable[[], Credentials]
    ) -> Iterator[Callable[[], Credentials]]:
        """Ask in a thread, and enter the block once TikTok has the request; yield the thread's end.

        TikTok's answer takes a while.
        """
        before = self.tiktok.count(kind)
        self.tiktok.scenario("latency", value=400, times=1)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            while self.tiktok.count(kind) == before:
                time.sleep(0.005)
            yield asked.result

    def is_live(self, record: StoredConnection) -> bool:
        """Whether TikTok still takes both tokens of a record."""
        token = record.token
        assert token is not None
        both = (token.access_token, token.refresh_token)
        return {self.tiktok.token_state(secret) for secret in both if secret} == {"live"}

    def leaks(self, text: str) -> list[str]:
        """Return what TikTok and the store keep secret and a text has."""
        apis = ("marketing", "accounts", "login_kit")
        known = {self.tiktok.app(api).app_secret for api in apis} | {self.key}
        issued = {t for t in _TOKEN.findall(text) if self.tiktok.token_state(t) != "unknown"}
        return [secret for secret in known if secret in text] + sorted(issued)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Return a TikTok that rotates strictly, and an empty store."""
    with Simulator(strict_rotation=True) as tiktok:
        yield Target(tiktok, tmp_path, new_key())
